//! What is linked with a contained identity and has to be looked at, by its kind: siblings and ways back in for everybody,
//! what an agent still reaches, what build agents inherited (`REQUIREMENTS` row 56).

use crate::domain::graph::{Graph, Limits, NodeIx, NodeKind};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::Inventory;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{IdentityKind, Layer};

/// Most nodes listed of one sort: nobody checks more by hand, and the map has them all.
const MOST: usize = 8;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub node: NodeId,
    /// What people call it.
    pub label: Untrusted,
    /// On which layer.
    pub layer: Layer,
    /// What is asked; shown text.
    pub asks: String,
}

/// What is to be looked at, the nearest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// The first few of each sort.
    pub checks: Vec<Check>,
    /// How many more there are, as far as the bounds of the walk show.
    pub more: usize,
}

impl Linked {
    fn add(
        &mut self,
        graph: &Graph,
        nodes: impl Iterator<Item = NodeIx>,
        layer: Layer,
        asks: &dyn Fn(NodeIx) -> String,
    ) {
        let mut listed = 0;
        for ix in nodes {
            let Some(node) = graph.at(ix) else { continue };
            let known = |c: &Check| c.node == node.id && c.layer == layer;
            if self.checks.iter().any(known) {
                continue;
            }
            if listed == MOST {
                self.more += 1;
                continue;
            }
            listed += 1;
            self.checks.push(Check {
                node: node.id.clone(),
                label: node.label.clone(),
                layer,
                asks: asks(ix),
            });
        }
    }
}

/// Returns what is to be looked at once an identity is contained.
pub fn checks(inventory: &Inventory, identity: &IdentityId) -> Linked {
    let graph = inventory.graph();
    let mut linked = Linked::default();
    let Some(start) = graph.find(&NodeId::from(identity)) else {
        return linked;
    };
    let kind = inventory
        .identity(identity)
        .map_or(IdentityKind::Unknown, |card| card.kind);
    let siblings = graph.siblings_of(start, Limits::AT_ONCE).found;
    let ties = |ix: NodeIx| {
        let sibling = siblings.iter().find(|s| s.node == ix);
        let tie = sibling.and_then(|s| s.ties.closest());
        tie.map_or_else(String::new, |(tie, through)| {
            let through = graph
                .at(through)
                .map_or_else(String::new, |node| format!(" ({})", node.label.show()));
            format!("{}{through}: was it captured as well?", tie.as_str())
        })
    };
    let all = siblings.iter().map(|s| s.node);
    linked.add(graph, all, Layer::Siblings, &ties);
    let ways = graph.recovery_paths(start, Limits::AT_ONCE);
    let asks = |_| "gives the access back: is it still its owner's?".to_owned();
    linked.add(graph, ways.into_iter(), Layer::Recovery, &asks);
    let (layer, wanted, question): (_, &[NodeKind], _) = match kind {
        IdentityKind::AiAgent => (
            Layer::Permissions,
            &[NodeKind::SecretStore, NodeKind::Integration],
            "can the agent still reach it?",
        ),
        IdentityKind::CiToken | IdentityKind::AppInstallation => (
            Layer::Pipeline,
            &[NodeKind::Workload, NodeKind::Permission],
            "did build agents inherit it or a broader role?",
        ),
        _ => return linked,
    };
    let walk = graph.exposure_of(start, Limits::AT_ONCE);
    let reached = walk.nodes().filter(|ix| {
        graph
            .at(*ix)
            .is_some_and(|node| wanted.contains(&node.kind))
    });
    linked.add(graph, reached, layer, &|_| question.to_owned());
    linked
}
