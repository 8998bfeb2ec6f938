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
        let mut weights = [0; Criticality::ALL.len() + 1];
        let mut kinds = [0; NodeKind::ALL.len()];
        let mut numbered = vec![0; graph.sealed.environments.len() + 1];
        let mut environment: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for node in walk.nodes() {
            let glance = graph.glance(node);
            weights[usize::from(glance.weight)] += 1;
            kinds[glance.kind as usize] += 1;
            if let Some(count) = numbered.get_mut(usize::from(glance.environment)) {
                *count += 1;
            } else {
                let name = graph.at(node).and_then(|n| n.environment.as_ref());
                *environment.entry(name.map(Untrusted::raw)).or_default() += 1;
            }
        }
        let names = graph.sealed.environments.iter().map(Untrusted::raw);
        let names = std::iter::once(None).chain(names.map(Some));
        for (name, count) in names.zip(numbered).filter(|(_, count)| *count > 0) {
            *environment.entry(name).or_default() += count;
        }
        let mut by_environment: Vec<(Option<Untrusted>, usize)> = environment
            .into_iter()
            .map(|(name, n)| (name.map(Untrusted::from), n))
            .collect();
        by_environment.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let mut by_kind: Vec<(NodeKind, usize)> = NodeKind::ALL.into_iter().zip(kinds).collect();
        by_kind.retain(|(_, n)| *n > 0);
        by_kind.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let heaviest = Criticality::ALL.iter().copied().map(Some).rev();
        let by_criticality = heaviest
            .chain([None])
            .map(|c| (c, weights[c.map_or(0, |c| c as usize + 1)]))
            .filter(|(_, n)| *n > 0);
        Self {
            all: walk.count(),
            by_criticality: by_criticality.collect(),
            by_environment,
            by_kind,
        }
    }
}
