//! Who may have fallen together with a node: same credential, same owner key, same store, same trust boundary.

use std::cmp::Reverse;

use super::kinds::{EdgeKind as E, NodeIx, NodeKind};
use super::links::Side;
use super::walk::Seen;
use super::{Graph, Limits};
use crate::domain::ids::NodeId;

/// What two nodes share, the closest tie first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// They hold the same credential, or copies of one.
    Credential,
    /// They are under the same owner key.
    OwnerKey,
    /// They keep something in the same secret store.
    Store,
    /// They belong to the same trust boundary.
    TrustBoundary,
}

impl Tie {
    /// All, the closest first.
    pub const ALL: [Self; 4] = [
        Self::Credential,
        Self::OwnerKey,
        Self::Store,
        Self::TrustBoundary,
    ];

    /// Returns the words shown before what is shared.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "same credential",
            Self::OwnerKey => "same owner key",
            Self::Store => "same store",
            Self::TrustBoundary => "same trust boundary",
        }
    }
}

/// Somebody who shares something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// Who.
    pub node: NodeIx,
    /// What they share and through what.
    pub ties: Ties,
}

/// What two nodes share, and through what: at most one node is named for each tie. A store of a hundred thousand makes as
/// many of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ties([Option<NodeIx>; Tie::ALL.len()]);

impl Ties {
    /// Returns all, the closest first.
    pub fn iter(&self) -> impl Iterator<Item = (Tie, NodeIx)> {
        let all = Tie::ALL.into_iter().zip(self.0);
        all.filter_map(|(tie, through)| Some((tie, through?)))
    }

    /// Returns the closest.
    pub fn closest(&self) -> Option<(Tie, NodeIx)> {
        self.iter().next()
    }
}

/// All who share something with a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Siblings {
    /// The closest tie first, then the most critical.
    pub found: Vec<Sibling>,
    /// Whether a bound cut it.
    pub truncated: bool,
}

impl Graph {
    /// Returns who shares a credential, an owner key, a store or a trust boundary with `id`, with what it holds, or with
    /// a copy of that.
    pub fn siblings(&self, id: &NodeId) -> Siblings {
        let start = self.find(id);
        start.map_or_else(Siblings::default, |start| {
            self.siblings_of(start, Limits::FULL)
        })
    }

    /// As [`Self::siblings`], by number and within limits.
    pub fn siblings_of(&self, start: NodeIx, limits: Limits) -> Siblings {
        let mut search = Search {
            graph: self,
            nodes: limits.nodes,
            edges_left: limits.edges,
            found: Vec::new(),
            places: vec![0; self.size()],
            mine: Seen::new(self.size()),
            truncated: false,
        };
        search.run(start);
        let mut found = search.found;
        found.retain(|sibling| sibling.node != start);
        found.sort_unstable_by_key(|sibling| {
            let closest = sibling.ties.closest().map(|(tie, _)| tie);
            let weight = Reverse(self.glance(sibling.node).weight);
            (closest, weight, sibling.node)
        });
        Siblings {
            found,
            truncated: search.truncated,
        }
    }

    /// Returns the recovery paths that can restore access to a node, within limits.
    pub fn recovery_paths(&self, node: NodeIx, limits: Limits) -> Vec<NodeIx> {
        let into = self.links_of(node, Side::In, E::Recovers.bit());
        let mut found: Vec<NodeIx> = into.map(|half| half.to).take(limits.nodes).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

struct Search<'g> {
    graph: &'g Graph,
    nodes: usize,
    edges_left: usize,
    found: Vec<Sibling>,
    /// By node, one more than where it stands in `found`; 0 where it does not.
    places: Vec<u32>,
    /// The node itself and what it holds.
    mine: Seen,
    truncated: bool,
}

impl Search<'_> {
    fn run(&mut self, start: NodeIx) {
        let mut secrets = self.held(start);
        if self.is(start, NodeKind::Credential) {
            secrets.push(start);
        }
        for secret in self.with_copies(&secrets) {
            for holder in self.holders(secret) {
                self.tie(holder, Tie::Credential, secret);
            }
        }
        let mine: Vec<NodeIx> = secrets.iter().copied().chain([start]).collect();
        for one in &mine {
            self.mine.add(*one);
        }
        for (kind, tie) in [
            (E::OwnedBy, Tie::OwnerKey),
            (E::StoredIn, Tie::Store),
            (E::Within, Tie::TrustBoundary),
        ] {
            for one in &mine {
                for shared in self.ends(*one, Side::Out, kind) {
                    for other in self.ends(shared, Side::In, kind) {
                        if !self.mine.has(other) {
                            self.tie_whoever(other, tie, shared);
                        }
                    }
                }
            }
        }
    }

    /// Ties those who hold a credential; the credential itself where nobody is known to.
    fn tie_whoever(&mut self, node: NodeIx, tie: Tie, through: NodeIx) {
        let holders = if self.is(node, NodeKind::Identity) {
            Vec::new()
        } else {
            self.holders(node)
        };
        if holders.is_empty() {
            self.tie(node, tie, through);
        }
        for holder in holders {
            self.tie(holder, tie, through);
        }
    }

    fn tie(&mut self, node: NodeIx, tie: Tie, through: NodeIx) {
        let Some(place) = self.places.get_mut(node.at()) else {
            return;
        };
        if *place == 0 {
            if self.found.len() >= self.nodes {
                self.truncated = true;
                return;
            }
            self.found.push(Sibling {
                node,
                ties: Ties::default(),
            });
            *place = self.found.len() as u32;
        }
        let sibling = self.found.get_mut(*place as usize - 1);
        if let Some(sibling) = sibling {
            sibling.ties.0[tie as usize].get_or_insert(through);
        }
    }

    fn is(&self, node: NodeIx, kind: NodeKind) -> bool {
        self.graph.glance(node).kind == kind
    }

    fn held(&mut self, node: NodeIx) -> Vec<NodeIx> {
        self.ends(node, Side::Out, E::Holds)
    }

    fn holders(&mut self, node: NodeIx) -> Vec<NodeIx> {
        self.ends(node, Side::In, E::Holds)
    }

    /// Returns secrets and all their copies, of copies too.
    fn with_copies(&mut self, secrets: &[NodeIx]) -> Vec<NodeIx> {
        let mut all = secrets.to_vec();
        let mut seen: std::collections::BTreeSet<NodeIx> = all.iter().copied().collect();
        let mut at = 0;
        while let Some(secret) = all.get(at).copied() {
            for side in [Side::Out, Side::In] {
                let copies = self.ends(secret, side, E::CopyOf);
                all.extend(copies.into_iter().filter(|copy| seen.insert(*copy)));
            }
            at += 1;
        }
        all
    }

    fn ends(&mut self, node: NodeIx, side: Side, kind: E) -> Vec<NodeIx> {
        let left = self.edges_left;
        let ends = self.graph.links_of(node, side, kind.bit());
        let mut found: Vec<NodeIx> = ends.map(|half| half.to).take(left + 1).collect();
        self.truncated |= found.len() > left;
        found.truncate(left);
        self.edges_left -= found.len();
        found
    }
}
