//! Everything the map says of one node, found once and then only read.

use std::collections::BTreeMap;

use super::{Graph, Layers, Limits, NodeIx, NodeKind, Siblings, Users, Walk};
use crate::domain::ids::NodeId;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::Criticality;

/// How many nodes of a walk count, by how much hangs on them and where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that count.
    pub all: usize,
    /// By criticality, the highest first; unknown last. No zeroes.
    pub by_criticality: Vec<(Option<Criticality>, usize)>,
    /// By environment, the largest first; unknown is a group of its own.
    pub by_environment: Vec<(Option<Untrusted>, usize)>,
    /// By kind, the largest first.
    pub by_kind: Vec<(NodeKind, usize)>,
}

/// What the map says of a node.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Which node; `None` when it is not on the map.
    pub start: Option<NodeIx>,
    /// Who stops working without it.
    pub impact: Walk,
    /// Their numbers.
    pub breaks: Counts,
    /// What its holder reaches.
    pub exposure: Walk,
    /// Their numbers.
    pub reaches: Counts,
    /// What stays usable for a while.
    pub layers: Layers,
    /// Who shares something with it.
    pub siblings: Siblings,
    /// Who uses it, what it holds, or what lies in it.
    pub users: Users,
    /// Ways back in.
    pub recovery: Vec<NodeIx>,
}

impl Look {
    /// Looks at a node. With [`Limits::FULL`] this takes some ten milliseconds at a million edges.
    pub fn at(graph: &Graph, id: &NodeId, limits: Limits) -> Self {
        let Some(start) = graph.find(id) else {
            return Self::default();
        };
        let impact = graph.impact_of(start, limits);
        let exposure = graph.exposure_of(start, limits);
        Self {
            start: Some(start),
            breaks: Counts::of(graph, &impact),
            reaches: Counts::of(graph, &exposure),
            layers: graph.layers(&exposure),
            siblings: graph.siblings_of(start, limits),
            users: graph.users_of(start, limits),
            recovery: graph.recovery_paths(start, limits),
            impact,
            exposure,
        }
    }

    /// Tells whether anything was cut off.
    pub const fn truncated(&self) -> bool {
        self.impact.truncated
            || self.exposure.truncated
            || self.siblings.truncated
            || self.users.truncated
    }
}

impl Counts {
    /// Counts what a walk found.
    pub fn of(graph: &Graph, walk: &Walk) -> Self {
        let mut criticality: BTreeMap<Option<Criticality>, usize> = BTreeMap::new();
        let mut environment: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        let mut kind: BTreeMap<NodeKind, usize> = BTreeMap::new();
        for node in walk.nodes().filter_map(|node| graph.at(node)) {
            *criticality.entry(node.criticality).or_default() += 1;
            let name = node.environment.as_ref().map(Untrusted::raw);
            *environment.entry(name).or_default() += 1;
            *kind.entry(node.kind).or_default() += 1;
        }
        let mut by_environment: Vec<(Option<Untrusted>, usize)> = environment
            .into_iter()
            .map(|(name, n)| (name.map(Untrusted::from), n))
            .collect();
        by_environment.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let mut by_kind: Vec<(NodeKind, usize)> = kind.into_iter().collect();
        by_kind.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        Self {
            all: walk.count(),
            by_criticality: criticality.into_iter().rev().collect(),
            by_environment,
            by_kind,
        }
    }
}
