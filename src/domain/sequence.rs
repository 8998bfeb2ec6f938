//! In which order steps run, as the map has it: what mints before what was minted, then cached permissions, grants, and
//! the keys that were issued. Where others share something, the order stops; where the map leads back, it says so.

use jiff::{SignedDuration, Timestamp};

use super::graph::{AccessLayer, EdgeKind, Graph, LayerRow, Look, NodeIx, NodeKind};
use super::identity::Identity;
use super::text::{Untrusted, fit};
use super::vocabulary::Verb;

/// A credential that ends by itself within this, in seconds, mints nothing for long: no order hangs on it.
const LONG_LIVED_S: i64 = 86_400;
/// Most names in a line.
const NAMED: usize = 4;
/// Most direct neighbours that are looked at.
const MOST_ASKED: usize = 64;

/// The map around whom a plan contains.
pub struct Around<'a> {
    /// Whom.
    pub identity: &'a Identity,
    /// The map.
    pub graph: &'a Graph,
    /// What it says of them.
    pub look: &'a Look,
    /// Now.
    pub now: Timestamp,
}

/// The order of steps, and what is to be known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Places of the steps as they were given, in the order in which they run.
    pub order: Vec<usize>,
    /// What was moved and why; which layer ends with which step; shared nodes and cycles.
    pub says: Vec<String>,
}

/// Where a step stands among the layers; `None` for one that hangs on none.
const fn rank(verb: Verb, mints: bool) -> Option<u8> {
    match verb {
        Verb::DisableCredential | Verb::DisableIdentity if mints => Some(0),
        Verb::RevokeSessions | Verb::RevokeTokens => Some(1),
        Verb::RevokeGrants => Some(2),
        _ => None,
    }
}

/// Orders steps by the layers of the map. A playbook that has a reason to keep its own order keeps it, and says so; steps
/// that hang on no layer keep their places.
pub fn sequence(verbs: &[Verb], kept: Option<&str>, around: &Around<'_>) -> Sequence {
    let lasting = lasting(around);
    let ranked = |at: &usize| rank(verbs[*at], lasting > 0);
    let places: Vec<usize> = (0..verbs.len()).filter(|at| ranked(at).is_some()).collect();
    let mut sorted = places.clone();
    sorted.sort_by_key(ranked);
    let mut order: Vec<usize> = (0..verbs.len()).collect();
    let mut says = Vec::new();
    match kept {
        Some(why) if sorted != places => says.push(format!("order as the playbook has it: {why}")),
        _ => {
            for (place, step) in places.iter().zip(&sorted) {
                order[*place] = *step;
            }
            says.extend(moved(verbs, &places, &sorted, lasting));
        }
    }
    says.extend(layers(verbs, &order, around));
    says.extend(shared(around));
    says.extend(cycles(around));
    Sequence { order, says }
}

/// Counts credentials that can be used, and last.
fn lasting(around: &Around<'_>) -> usize {
    let soon = around
        .now
        .checked_add(SignedDuration::from_secs(LONG_LIVED_S));
    let soon = soon.unwrap_or(Timestamp::MAX);
    let lasts = around.identity.credentials.iter().filter(|c| {
        let is_long = c.expires.is_none_or(|end| end > soon);
        c.enabled != Some(false) && is_long
    });
    lasts.count()
}

fn moved(verbs: &[Verb], before: &[usize], after: &[usize], lasting: usize) -> Option<String> {
    let at = before.iter().zip(after).position(|(a, b)| a != b)?;
    let (first, then) = (verbs[after[at]], verbs[before[at]]);
    let why = match rank(first, lasting > 0) {
        Some(0) => {
            format!("{lasting} long-lived credentials mint again what is ended before they are off")
        }
        _ => {
            "what is cached ends before the grants behind it, or it goes on without them".to_owned()
        }
    };
    Some(format!(
        "moved by the map: {first} goes before {then}, as {why}"
    ))
}

/// Says which layer ends with which step, the nearest first. What is cached is sessions and tokens, and roles apart.
fn layers(verbs: &[Verb], order: &[usize], around: &Around<'_>) -> Vec<String> {
    let graph = around.graph;
    let is_role = |row: &&LayerRow| {
        let node = graph.at(row.node);
        node.is_some_and(|node| node.kind == NodeKind::Permission)
    };
    let closes = |layer: AccessLayer, role: bool, verb: Verb| match (layer, role) {
        (AccessLayer::Cached, false) => matches!(verb, Verb::RevokeSessions | Verb::RevokeTokens),
        (AccessLayer::Cached, true) => verb == Verb::RestrictPrivilege,
        (AccessLayer::Delegated, _) => verb == Verb::RevokeGrants,
        // A key that it issued is somebody else's from then on: a target of its own.
        (AccessLayer::Downstream, _) => false,
    };
    let mut says = Vec::new();
    let parts = AccessLayer::ALL.map(|layer| [(layer, false), (layer, true)]);
    for (layer, role) in parts.into_iter().flatten() {
        let rows = around.look.layers.iter();
        let rows: Vec<&LayerRow> = rows
            .filter(|row| row.layer == layer && is_role(row) == role)
            .collect();
        if rows.is_empty() {
            continue;
        }
        let step = order.iter().position(|at| closes(layer, role, verbs[*at]));
        let ends = match (step, layer) {
            (Some(n), _) => format!("ended by step {}", n + 1),
            (None, AccessLayer::Downstream) => {
                "not ended by this plan: each is a target of its own, after it".to_owned()
            }
            (None, _) => "ended by no step of this plan".to_owned(),
        };
        let names = names(graph, rows.iter().map(|row| row.node));
        let what = if role { ", roles" } else { "" };
        says.push(format!(
            "{} layer{what}, {}: {names}; {ends}",
            layer.as_str(),
            rows.len()
        ));
    }
    says
}

fn label(graph: &Graph, node: NodeIx) -> Option<String> {
    let node = graph.at(node)?;
    let shown = Untrusted::show(&node.label).into_owned();
    Some(fit(&shown, 48, "..."))
}

fn names(graph: &Graph, nodes: impl Iterator<Item = NodeIx>) -> String {
    let mut all: Vec<String> = nodes.filter_map(|node| label(graph, node)).collect();
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    match more {
        0 => all.join(", "),
        more => format!("{} and {more} more", all.join(", ")),
    }
}

/// Says where the order stops, because others hold the same.
fn shared(around: &Around<'_>) -> Option<String> {
    let held = around.look.start.into_iter().flat_map(|start| {
        let all = around.graph.neighbours(start, MOST_ASKED);
        let held = all
            .into_iter()
            .filter(|hop| hop.forward && hop.via == EdgeKind::Holds);
        held.map(|hop| hop.to).collect::<Vec<_>>()
    });
    let issued = around.look.layers.iter();
    let issued = issued
        .filter(|row| row.layer == AccessLayer::Downstream)
        .map(|row| row.node);
    let mut nodes: Vec<NodeIx> = held.chain(issued).collect();
    nodes.retain(|node| around.graph.shared(*node).is_shared());
    nodes.dedup();
    (!nodes.is_empty()).then(|| {
        let names = names(around.graph, nodes.iter().copied());
        format!("stops at what others share: {names}; who else loses it is a person's decision")
    })
}

/// Says where the map leads back to whom the plan contains: what is cut there can be won back from here.
fn cycles(around: &Around<'_>) -> Vec<String> {
    let Some(start) = around.look.start else {
        return Vec::new();
    };
    let graph = around.graph;
    let walk = &around.look.exposure;
    let mut ends: Vec<NodeIx> = Vec::new();
    for hop in graph.neighbours(start, MOST_ASKED) {
        if !hop.forward && leads_on(hop.via) && !ends.contains(&hop.to) {
            ends.push(hop.to);
        }
    }
    let back = ends.into_iter().filter_map(|end| {
        let way = walk.way_to(walk.place_of(end)?);
        let branches = way.iter().filter_map(|at| walk.branches.get(*at));
        let mut steps: Vec<String> = label(graph, start).into_iter().collect();
        steps.extend(branches.filter_map(|branch| label(graph, branch.node)));
        steps.extend(label(graph, start));
        let last = label(graph, end)?;
        Some(format!(
            "cycle: {}; it can be won back through {last}, so contain that too before it is given back",
            steps.join(" -> ")
        ))
    });
    back.take(NAMED).collect()
}

/// Tells whether whoever stands at the beginning of an edge gets what stands at its end.
const fn leads_on(via: EdgeKind) -> bool {
    matches!(
        via,
        EdgeKind::CanReach
            | EdgeKind::Holds
            | EdgeKind::Recovers
            | EdgeKind::RunsAs
            | EdgeKind::Assumes
            | EdgeKind::ActsFor
            | EdgeKind::Issued
    )
}

#[cfg(test)]
mod tests;
