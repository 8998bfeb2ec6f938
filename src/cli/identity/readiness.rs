//! `stanch identity readiness`.

use std::collections::BTreeMap;
use std::io::Write;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::{Global, exit, plan, setup};
use crate::connect::Connectors;
use crate::domain::identity::Identity;
use crate::domain::ids::IdentityId;
use crate::domain::inventory::Inventory;
use crate::domain::readiness::{RULE, Readiness, Verdict, of_all};
use crate::domain::text::show;
use crate::runtime::readiness::{csv, refusal};
use crate::runtime::services::means;

/// Most identities that are asked about at the same time.
const AT_ONCE: usize = 8;

/// Arguments of `stanch identity readiness`.
#[derive(Debug, clap::Args)]
pub struct ReadinessArgs {
    /// Comma-separated values: one row for each gap.
    #[arg(long, conflicts_with = "live")]
    pub csv: bool,
    /// Ask the providers about each identity, to find what they refuse to the console's own account.
    #[arg(long)]
    pub live: bool,
    /// Only what is not ready.
    #[arg(long)]
    pub gaps: bool,
}

/// Tells how ready everything is.
pub fn run(
    global: &Global,
    args: &ReadinessArgs,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut judged = if args.live {
        plan::with_setup(global, plan::silent(), async |setup, _| {
            let services = &setup.services;
            let mut means = services.means();
            means.refused = refused(&services.inventory, &services.connectors).await;
            Ok(of_all(&services.inventory, &means, now))
        })?
    } else {
        let (inventory, connectors) = setup::known(global, now)?;
        super::tell_trouble(&inventory);
        of_all(&inventory, &means(&connectors), now)
    };
    if args.gaps {
        judged.retain(|r| r.verdict != Verdict::Ready);
    }
    if args.csv {
        csv(&judged, out)?;
    } else if global.json {
        for one in &judged {
            let gaps: Vec<_> = one
                .gaps
                .iter()
                .map(|g| {
                    json!({ "kind": g.kind, "weight": g.kind.weight(), "what": g.what, "fix": g.fix })
                })
                .collect();
            let row = json!({
                "id": show(one.id.as_str()), "name": one.name.show(), "verdict": one.verdict, "risk": one.risk,
                "reach": one.reach, "gaps": gaps,
            });
            writeln!(out, "{row}")?;
        }
    } else {
        text(&judged, out)?;
    }
    Ok(exit::DONE)
}

/// Asks the providers, and keeps what they refuse. That one cannot be reached says nothing about rights.
async fn refused(inventory: &Inventory, connectors: &Connectors) -> BTreeMap<IdentityId, String> {
    let cards: Vec<&Identity> = inventory.identities().values().collect();
    let mut asked = Vec::new();
    for card in cards {
        let connector = card.connector.as_ref().and_then(|c| connectors.get(c));
        if let Some(connector) = connector {
            asked.push((card.clone(), connector.clone()));
        }
    }
    let ask = |(card, connector): (Identity, std::sync::Arc<crate::connect::Connector>)| async move {
        let read = connector.read_context(&card).await;
        Some((card.id, refusal(&read.context.unknown)?))
    };
    let answers = stream::iter(asked).map(ask).buffer_unordered(AT_ONCE);
    answers.filter_map(std::future::ready).collect().await
}

fn text(judged: &[Readiness], out: &mut dyn Write) -> anyhow::Result<()> {
    for one in judged {
        writeln!(
            out,
            "{:<7} risk {:<14} {}",
            one.verdict,
            one.to_string(),
            show(one.id.as_str())
        )?;
        for gap in &one.gaps {
            writeln!(out, "        {} {}", gap.kind.weight(), gap.what)?;
            writeln!(out, "          fix: {}", gap.fix)?;
        }
    }
    let count = |verdict| judged.iter().filter(|r| r.verdict == verdict).count();
    writeln!(
        out,
        "\n{} not containable from here, {} partly, {} ready\n{RULE}",
        count(Verdict::Not),
        count(Verdict::Partly),
        count(Verdict::Ready)
    )?;
    Ok(())
}
