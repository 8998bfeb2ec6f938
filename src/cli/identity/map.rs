//! `stanch identity map`: the dependency map around one identity or node, for people, programs and Graphviz.

mod dot;
mod json;
mod text;

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use jiff::Timestamp;

use crate::cli::{Global, exit, setup};
use crate::domain::alert::{Alert, Subject};
use crate::domain::drawing::draw_newcomers;
use crate::domain::graph::{Graph, Limits, Look, Path, Way};
use crate::domain::identity::{Identity, LiveContext};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::{Inventory, Resolution};
use crate::domain::newcomers::{Deed, Newcomer, newcomers};
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::IdentityKind;
use crate::intake::store::Store;

/// Most alerts that are looked through for what joined the incident, the latest first.
const MOST_ALERTS: usize = 20_000;

/// Arguments of `stanch identity map`.
#[derive(Debug, clap::Args)]
pub struct MapArgs {
    /// Identity by id, alias or name; or any other node of the map by id.
    pub id: String,
    /// Only who stops working when it is cut off.
    #[arg(long, conflicts_with_all = ["exposure", "siblings", "path"])]
    pub impact: bool,
    /// Only what its holder can reach, with the layers that outlive a cut.
    #[arg(long, conflicts_with_all = ["siblings", "path"])]
    pub exposure: bool,
    /// Only who shares a credential, an owner key, a store or a trust boundary with it.
    #[arg(long, conflicts_with = "path")]
    pub siblings: bool,
    /// Only how it and this node hang together.
    #[arg(long, value_name = "TO")]
    pub path: Option<String>,
    /// For Graphviz: `stanch identity map ID --dot | dot -Tsvg > map.svg`.
    #[arg(long)]
    pub dot: bool,
}

/// What was found, for whoever writes it down.
struct Around {
    graph: Arc<Graph>,
    start: NodeId,
    look: Look,
    born: Vec<Newcomer>,
    /// Ways to another node, where one was asked for.
    paths: Option<(NodeId, Vec<(Way, Path)>)>,
    now: Timestamp,
}

/// Carries `stanch identity map` out.
pub fn run(
    global: &Global,
    args: &MapArgs,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let inventory = setup::inventory(global, now)?;
    super::tell_trouble(&inventory);
    let alerts = Alerts::read(global)?;
    let start = find(&inventory, &alerts, &args.id)?;
    let card = card_of(&inventory, &start);
    let born = card
        .as_ref()
        .map(|card| alerts.newcomers(card, &inventory, None));
    let mut graph = inventory.graph().clone();
    if let (Some(card), Some(born)) = (&card, born.as_ref().filter(|born| !born.is_empty())) {
        draw_newcomers(Arc::make_mut(&mut graph), card, born);
    }
    if graph.find(&start).is_none() {
        bail!(
            "`{}` is not on the map; `stanch identity list` lists who is",
            show(&args.id)
        );
    }
    let paths = match &args.path {
        None => None,
        Some(to) => {
            let to = find(&inventory, &alerts, to)?;
            let found = graph.ways(&start, &to);
            Some((to, found))
        }
    };
    let look = Look::at(&graph, &start, Limits::FULL);
    let around = Around {
        graph,
        start,
        look,
        born: born.unwrap_or_default(),
        paths,
        now,
    };
    if args.dot {
        dot::write(&around, args, out)?;
    } else if global.json {
        json::write(&around, args, out)?;
    } else {
        text::write(&around, args, out)?;
    }
    Ok(exit::DONE)
}

impl MapArgs {
    /// Tells whether a part was asked for; without a choice all are.
    const fn wants(&self, part: bool) -> bool {
        part || !(self.impact || self.exposure || self.siblings || self.path.is_some())
    }
}

/// Returns what joined since the first exposure that stored alerts tell of, and the provider where it was asked; and the
/// latest of these alerts.
pub(super) fn born(
    global: &Global,
    inventory: &Inventory,
    card: &Identity,
    live: Option<&LiveContext>,
) -> anyhow::Result<(Vec<Newcomer>, Option<Alert>)> {
    let mut alerts = Alerts::read(global)?;
    let born = alerts.newcomers(card, inventory, live);
    Ok((born, alerts.take_latest(card, inventory)))
}

/// Finds a node by its id, or an identity by whatever it is called.
fn find(inventory: &Inventory, alerts: &Alerts, text: &str) -> anyhow::Result<NodeId> {
    let node = NodeId::new(text);
    if inventory.graph().find(&node).is_some() {
        return Ok(node);
    }
    let subject = Subject {
        provider: Untrusted::default(),
        native_id: Untrusted::new(text),
        kind: IdentityKind::Unknown,
        name: None,
    };
    match inventory.resolve_subject(&subject) {
        Resolution::Known(id) => Ok(NodeId::from(&id)),
        Resolution::Candidates(found) => {
            let names: Vec<String> = found.iter().map(|c| c.id.to_string()).collect();
            bail!("`{}` may be {}; give one id", show(text), names.join(", "))
        }
        _ if alerts.knows(&node) => Ok(node),
        _ => bail!(
            "`{}` is not on the map; `stanch identity list` lists who is",
            show(text)
        ),
    }
}

/// Returns the card of an identity, of what is known of one that no inventory lists; `None` for other nodes.
fn card_of(inventory: &Inventory, node: &NodeId) -> Option<Identity> {
    let id = IdentityId::new(node.as_str());
    if let Some(card) = inventory.identity(&id) {
        return Some(card.clone());
    }
    let is_other = inventory.graph().find(node).is_some();
    let fresh =
        || Identity::not_in_inventory(id.clone(), node.as_str().into(), IdentityKind::Unknown);
    (!is_other).then(fresh)
}

/// Alerts of the store that tell what identities did.
struct Alerts {
    deeds: Vec<(Subject, Deed)>,
    exposed: Vec<(Subject, Timestamp)>,
    /// The latest first.
    all: Vec<Alert>,
}

impl Alerts {
    /// Reads what is stored, making nothing where nothing is.
    fn read(global: &Global) -> anyhow::Result<Self> {
        let mut alerts = Self {
            deeds: Vec::new(),
            exposed: Vec::new(),
            all: Vec::new(),
        };
        let state = setup::state_dir(global)?;
        if !state.join("alerts.db").is_file() {
            return Ok(alerts);
        }
        for stored in Store::open(&state)?.alerts(MOST_ALERTS)? {
            let Some(subject) = stored.alert.subject.clone() else {
                continue;
            };
            let deed = Deed::of(&stored.alert);
            alerts
                .deeds
                .extend(deed.map(|deed| (subject.clone(), deed)));
            alerts.exposed.push((subject, stored.alert.exposed_since()));
            alerts.all.push(Arc::unwrap_or_clone(stored.alert));
        }
        Ok(alerts)
    }

    fn knows(&self, node: &NodeId) -> bool {
        let id =
            |subject: &Subject| format!("{}:{}", subject.provider.raw(), subject.native_id.raw());
        self.exposed
            .iter()
            .any(|(subject, _)| id(subject) == node.as_str())
    }

    /// Returns what joined since the first exposure that any stored alert about the identity tells of.
    fn newcomers(
        &self,
        card: &Identity,
        inventory: &Inventory,
        live: Option<&LiveContext>,
    ) -> Vec<Newcomer> {
        let is_meant = |subject: &Subject| is_about(subject, card, inventory);
        let exposed = self.exposed.iter().filter(|(subject, _)| is_meant(subject));
        let Some(since) = exposed.map(|(_, since)| *since).min() else {
            return Vec::new();
        };
        let deeds = self.deeds.iter().filter(|(subject, _)| is_meant(subject));
        let deeds: Vec<Deed> = deeds.map(|(_, deed)| deed.clone()).collect();
        newcomers(card, since, &deeds, live, inventory.graph())
    }

    /// Takes the latest alert about an identity out.
    fn take_latest(&mut self, card: &Identity, inventory: &Inventory) -> Option<Alert> {
        let is_meant = |alert: &Alert| {
            let subject = alert.subject.as_ref();
            subject.is_some_and(|subject| is_about(subject, card, inventory))
        };
        let at = self.all.iter().position(is_meant)?;
        Some(self.all.swap_remove(at))
    }
}

fn is_about(subject: &Subject, card: &Identity, inventory: &Inventory) -> bool {
    match inventory.resolve_subject(subject) {
        Resolution::Known(id) => id == card.id,
        Resolution::Unlisted(unlisted) => unlisted.id == card.id,
        _ => false,
    }
}
