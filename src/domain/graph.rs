//! The dependency map: who breaks when an identity is cut off, and what somebody who holds it can reach.
//!
//! Edges point from the one that needs or can reach, to the one that is needed or reached. Walks are iterative with a
//! visited set and a cap, so cycles, long chains and huge fan-outs from a hostile inventory stay bounded; what a cap
//! cut off is marked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::ids::NodeId;
use super::text::Untrusted;
use super::vocabulary::Criticality;

/// Most nodes one walk returns. A screen shows far fewer; a plan that breaks more is refused as too wide anyway.
pub const WALK_CAP: usize = 10_000;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An identity.
    Identity,
    /// A long-lived secret or key.
    Credential,
    /// A secrets manager.
    SecretStore,
    /// A running service or job.
    Workload,
    /// A CI/CD pipeline.
    Pipeline,
    /// Data, an API, infrastructure.
    Resource,
    /// Another company's system.
    Integration,
    /// A way back in: recovery channel, backup account, break-glass path.
    RecoveryPath,
}

impl NodeKind {
    /// Returns the word shown on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Credential => "credential",
            Self::SecretStore => "secret store",
            Self::Workload => "workload",
            Self::Pipeline => "pipeline",
            Self::Resource => "resource",
            Self::Integration => "integration",
            Self::RecoveryPath => "recovery path",
        }
    }
}

/// How two nodes hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// `from` stops working without `to`.
    DependsOn,
    /// Whoever holds `from` can get to `to`.
    CanReach,
    /// `from` is kept in `to`.
    StoredIn,
    /// `from` holds the credential `to`.
    Holds,
    /// `from` can restore access to `to`.
    Recovers,
}

impl EdgeKind {
    /// Returns the word shown on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DependsOn => "depends on",
            Self::CanReach => "can reach",
            Self::StoredIn => "stored in",
            Self::Holds => "holds",
            Self::Recovers => "recovers",
        }
    }
}

/// One thing on the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its key.
    pub id: NodeId,
    /// What it is.
    pub kind: NodeKind,
    /// What people call it.
    pub label: Untrusted,
    /// How much hangs on it.
    pub criticality: Option<Criticality>,
    /// `production`, `staging`, ….
    pub environment: Option<Untrusted>,
    /// Who answers for it.
    pub owner: Option<Untrusted>,
}

/// One line of a walk, ready to be drawn as a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// The node reached.
    pub node: NodeId,
    /// How many edges from the start; children of the start have 1.
    pub depth: usize,
    /// Through which edge.
    pub via: EdgeKind,
    /// Reached before on another path: listed once more, not walked again.
    pub seen_before: bool,
}

/// The result of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// Depth-first, siblings by criticality, then name.
    pub branches: Vec<Branch>,
    /// Whether [`WALK_CAP`] cut it.
    pub truncated: bool,
}

impl Walk {
    /// Returns each node once.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.branches
            .iter()
            .filter(|b| !b.seen_before)
            .map(|b| &b.node)
    }
}

/// The map itself.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: BTreeMap<NodeId, Node>,
    forward: BTreeMap<NodeId, BTreeSet<(EdgeKind, NodeId)>>,
    backward: BTreeMap<NodeId, BTreeSet<(EdgeKind, NodeId)>>,
}

impl Graph {
    /// Adds or replaces a node.
    pub fn add_node(&mut self, node: Node) {
        self.nodes.insert(node.id.clone(), node);
    }

    /// Adds an edge. An end that nobody declared still takes part in walks.
    pub fn add_edge(&mut self, from: NodeId, kind: EdgeKind, to: NodeId) {
        self.backward
            .entry(to.clone())
            .or_default()
            .insert((kind, from.clone()));
        self.forward.entry(from).or_default().insert((kind, to));
    }

    /// Finds a node's description.
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Returns how many nodes are described.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Tells whether the map is empty.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns who stops working, transitively, when `id` is cut off. What it holds ends with it, so whoever needs a
    /// held credential is among them; the credential itself is not.
    pub fn impact(&self, id: &NodeId) -> Walk {
        let mut walk = self.walk(id, |g, at| {
            let needers = Self::edges(&g.backward, at, &[EdgeKind::DependsOn]);
            needers
                .chain(Self::edges(&g.forward, at, &[EdgeKind::Holds]))
                .collect()
        });
        walk.branches.retain(|branch| branch.via != EdgeKind::Holds);
        walk
    }

    /// Returns what somebody who holds `id` can get to, transitively: what it reaches, what it holds, and what lies in
    /// a secret store it reaches.
    pub fn exposure(&self, id: &NodeId) -> Walk {
        self.walk(id, |g, at| {
            let onward = Self::edges(
                &g.forward,
                at,
                &[EdgeKind::CanReach, EdgeKind::Holds, EdgeKind::Recovers],
            );
            onward
                .chain(Self::edges(&g.backward, at, &[EdgeKind::StoredIn]))
                .collect()
        })
    }

    /// Returns identities that keep a credential in the same store, or hold the same credential.
    pub fn siblings(&self, id: &NodeId) -> Vec<NodeId> {
        let mut found = BTreeSet::new();
        for (_, credential) in Self::edges(&self.forward, id, &[EdgeKind::Holds]) {
            let stores = Self::edges(&self.forward, &credential, &[EdgeKind::StoredIn]);
            let neighbours = stores.flat_map(|(_, store)| {
                Self::edges(&self.backward, &store, &[EdgeKind::StoredIn]).collect::<Vec<_>>()
            });
            for (_, shared) in neighbours.chain([(EdgeKind::Holds, credential.clone())]) {
                found.extend(
                    Self::edges(&self.backward, &shared, &[EdgeKind::Holds]).map(|(_, n)| n),
                );
            }
        }
        found.remove(id);
        found.into_iter().take(WALK_CAP).collect()
    }

    /// Returns the recovery paths that can restore access to `id`.
    pub fn recovery_paths(&self, id: &NodeId) -> Vec<NodeId> {
        Self::edges(&self.backward, id, &[EdgeKind::Recovers])
            .map(|(_, n)| n)
            .collect()
    }

    fn edges<'g>(
        side: &'g BTreeMap<NodeId, BTreeSet<(EdgeKind, NodeId)>>,
        at: &NodeId,
        kinds: &'static [EdgeKind],
    ) -> impl Iterator<Item = (EdgeKind, NodeId)> + use<'g> {
        side.get(at)
            .into_iter()
            .flatten()
            .filter(|(kind, _)| kinds.contains(kind))
            .map(|(kind, node)| (*kind, node.clone()))
    }

    fn walk(
        &self,
        start: &NodeId,
        next: impl Fn(&Self, &NodeId) -> Vec<(EdgeKind, NodeId)>,
    ) -> Walk {
        let mut walk = Walk::default();
        let mut seen = BTreeSet::from([start.clone()]);
        let mut open: VecDeque<(usize, EdgeKind, NodeId)> = VecDeque::new();
        self.push_children(&mut open, 1, next(self, start));
        while let Some((depth, via, node)) = open.pop_front() {
            if node == *start {
                continue;
            }
            if walk.branches.len() >= WALK_CAP {
                walk.truncated = true;
                break;
            }
            let first_time = seen.insert(node.clone());
            if first_time {
                self.push_children(&mut open, depth + 1, next(self, &node));
            }
            walk.branches.push(Branch {
                node,
                depth,
                via,
                seen_before: !first_time,
            });
        }
        walk
    }

    /// Puts children in front, most critical first, so that the walk is depth-first and the worst is read first.
    fn push_children(
        &self,
        open: &mut VecDeque<(usize, EdgeKind, NodeId)>,
        depth: usize,
        mut children: Vec<(EdgeKind, NodeId)>,
    ) {
        children.sort_by_key(|(_, id)| {
            let criticality = self.nodes.get(id).and_then(|n| n.criticality);
            (std::cmp::Reverse(criticality), id.clone())
        });
        for (via, id) in children.into_iter().rev() {
            open.push_front((depth, via, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, EdgeKind, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (from, kind, to) in edges {
            graph.add_edge(NodeId::new(*from), *kind, NodeId::new(*to));
        }
        graph
    }

    fn names(walk: &Walk) -> Vec<&str> {
        walk.nodes().map(NodeId::as_str).collect()
    }

    #[test]
    fn impact_follows_dependents_and_held_credentials() {
        let g = graph(&[
            ("shop", EdgeKind::DependsOn, "svc"),
            ("checkout", EdgeKind::DependsOn, "shop"),
            ("svc", EdgeKind::Holds, "key"),
            ("vendor", EdgeKind::DependsOn, "key"),
        ]);
        assert_eq!(
            names(&g.impact(&NodeId::new("svc"))),
            ["vendor", "shop", "checkout"]
        );
    }

    #[test]
    fn exposure_reads_what_lies_in_a_reached_store() {
        let g = graph(&[
            ("svc", EdgeKind::CanReach, "vault"),
            ("db-password", EdgeKind::StoredIn, "vault"),
            ("db-password", EdgeKind::CanReach, "orders-db"),
        ]);
        assert_eq!(
            names(&g.exposure(&NodeId::new("svc"))),
            ["vault", "db-password", "orders-db"]
        );
    }

    #[test]
    fn siblings_share_a_store_or_a_credential() {
        let g = graph(&[
            ("a", EdgeKind::Holds, "k1"),
            ("k1", EdgeKind::StoredIn, "vault"),
            ("k2", EdgeKind::StoredIn, "vault"),
            ("b", EdgeKind::Holds, "k2"),
            ("c", EdgeKind::Holds, "k1"),
            ("d", EdgeKind::Holds, "k9"),
        ]);
        let found = g.siblings(&NodeId::new("a"));
        assert_eq!(
            found.iter().map(NodeId::as_str).collect::<Vec<_>>(),
            ["b", "c"]
        );
    }

    #[test]
    fn cycles_end_and_are_marked() {
        let g = graph(&[
            ("b", EdgeKind::DependsOn, "a"),
            ("c", EdgeKind::DependsOn, "b"),
            ("b", EdgeKind::DependsOn, "c"),
            ("a", EdgeKind::DependsOn, "c"),
        ]);
        let walk = g.impact(&NodeId::new("a"));
        assert_eq!(names(&walk), ["b", "c"]);
        assert!(walk.branches.iter().any(|b| b.seen_before));
    }

    #[test]
    fn a_wide_fan_out_is_cut_and_says_so() {
        let mut g = Graph::default();
        for i in 0..(WALK_CAP + 5) {
            g.add_edge(
                NodeId::new(format!("n{i}")),
                EdgeKind::DependsOn,
                NodeId::new("hub"),
            );
        }
        let walk = g.impact(&NodeId::new("hub"));
        assert!(walk.truncated && walk.branches.len() == WALK_CAP);
    }
}
