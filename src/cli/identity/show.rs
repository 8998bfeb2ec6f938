//! `stanch identity show`.

mod document;
mod message;
mod text;

use std::io::Write;

use anyhow::bail;
use jiff::Timestamp;

use super::map;
use crate::cli::{Global, exit, plan, setup};
use crate::domain::alert::{Alert, Subject};
use crate::domain::identity::flags::Flag;
use crate::domain::identity::{Identity, LiveContext};
use crate::domain::inventory::{Candidate, Inventory};
use crate::domain::newcomers::Newcomer;
use crate::domain::observed::{Row, compare};
use crate::domain::text::show;
use crate::domain::vocabulary::IdentityKind;

/// Arguments of `stanch identity show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Its id, or anything under which alerts name it: an alias, an access key id, a fingerprint, an ARN, a name.
    pub id: String,
    /// Also ask the provider how it is now.
    #[arg(long)]
    pub live: bool,
    /// Print a message to whoever answers for it instead: about this alert, or about none.
    #[arg(long, value_name = "ALERT", num_args = 0..=1, conflicts_with = "live")]
    #[expect(
        clippy::option_option,
        reason = "given, and given with an alert, are two things"
    )]
    pub message: Option<Option<String>>,
}

/// What the provider said, and when.
type Live = (LiveContext, Timestamp);

/// Shows one identity.
pub fn run(
    global: &Global,
    args: &ShowArgs,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if let Some(alert) = &args.message {
        return message::run(global, &args.id, alert.as_deref(), now, out);
    }
    if args.live {
        return plan::with_setup(global, plan::silent(), async |setup, _| {
            let services = &setup.services;
            let (card, reason) = found(&services.inventory, &args.id)?;
            let connector = services.connector_of(card).map_err(anyhow::Error::msg)?;
            let read = connector.read_context(card).await;
            let live = (read.context, Timestamp::now());
            let born = map::born(global, &services.inventory, card, Some(&live.0))?;
            let view = View::new(&services.inventory, card, reason, Some(live), now);
            view.with(born).write(global.json, out)
        });
    }
    let inventory = setup::inventory(global, now)?;
    super::tell_trouble(&inventory);
    let (card, reason) = found(&inventory, &args.id)?;
    let born = map::born(global, &inventory, card, None)?;
    let view = View::new(&inventory, card, reason, None, now);
    view.with(born).write(global.json, out)
}

/// Finds the one identity that is meant.
pub(super) fn found<'i>(
    inventory: &'i Inventory,
    id: &str,
) -> anyhow::Result<(&'i Identity, Candidate)> {
    let (provider, native) = id.split_once(':').unwrap_or(("", id));
    let subject = |provider: &str, native: &str| Subject {
        provider: provider.into(),
        native_id: native.into(),
        kind: IdentityKind::Unknown,
        name: None,
    };
    let mut matches = inventory.matches(&subject(provider, native));
    if matches.is_empty() {
        matches = inventory.matches(&subject("", id));
    }
    match matches.as_slice() {
        [] => bail!(
            "no inventory lists `{}`; `stanch identity list` lists whom it knows",
            show(id)
        ),
        [one] => match inventory.identity(&one.id) {
            Some(card) => Ok((card, one.clone())),
            None => bail!("`{}` is not listed", one.id),
        },
        several => {
            let lines = several
                .iter()
                .map(|c| format!("  {}  ({})", c.id, c.reason));
            let lines: Vec<String> = lines.collect();
            bail!(
                "`{}` may be one of these; name one by its id:\n{}",
                show(id),
                lines.join("\n")
            )
        }
    }
}

/// Everything that is shown of one identity.
struct View<'v> {
    card: &'v Identity,
    reason: Candidate,
    flags: Vec<Flag>,
    live: Option<Live>,
    /// What joined the incident.
    born: Vec<Newcomer>,
    /// The latest alert about it.
    alert: Option<Alert>,
    now: Timestamp,
}

impl<'v> View<'v> {
    fn new(
        inventory: &Inventory,
        card: &'v Identity,
        reason: Candidate,
        live: Option<Live>,
        now: Timestamp,
    ) -> Self {
        Self {
            card,
            reason,
            flags: inventory.flags(card, now),
            live,
            born: Vec::new(),
            alert: None,
            now,
        }
    }

    fn with(mut self, (born, alert): (Vec<Newcomer>, Option<Alert>)) -> Self {
        self.born = born;
        self.alert = alert;
        self
    }

    /// Returns what is normal beside what the latest alert and its provider show.
    fn observed(&self) -> Vec<Row> {
        let live = self.live.as_ref().map(|(context, _)| context);
        compare(self.card.usual.as_deref(), self.alert.as_ref(), live)
    }

    fn write(&self, as_json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
        if as_json {
            let mut object = self.json();
            object["born_in_window"] = serde_json::json!(self.born);
            writeln!(out, "{object:#}")?;
        } else {
            self.text(out)?;
            for newcomer in &self.born {
                writeln!(out, "{}", newcomer.line(self.now))?;
            }
        }
        Ok(exit::DONE)
    }
}
