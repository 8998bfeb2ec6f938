//! How two nodes hang together: the shortest way from one to the other.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::kinds::{EdgeKind, NodeIx, Privilege, Second};
use super::links::{Half, NONE, Side};
use super::{Graph, Limits};
use crate::domain::ids::NodeId;

/// What a way is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The second stops when the first is cut off.
    Impact,
    /// Whoever holds the first gets to the second.
    Exposure,
    /// They hang together, in whatever direction.
    Any,
}

/// One edge of a way, as it is gone along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where it leads.
    pub to: NodeIx,
    /// Through which edge.
    pub via: EdgeKind,
    /// Along the edge; else against it.
    pub forward: bool,
    /// What the edge lets do.
    pub privilege: Option<Privilege>,
    until: Option<Second>,
}

impl Hop {
    pub(super) const fn of(half: Half, until: Option<Second>) -> Self {
        Self {
            to: half.to,
            via: half.kind,
            forward: half.forward,
            privilege: half.privilege,
            until,
        }
    }

    /// Returns when the edge ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        self.until.map(Second::time)
    }

    /// Returns the words between where it begins and where it leads.
    pub const fn how(&self) -> &'static str {
        if self.forward {
            self.via.as_str()
        } else {
            self.via.backwards()
        }
    }
}

/// A way from one node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it begins.
    pub from: NodeIx,
    /// Every edge, in order; none where both ends are the same node.
    pub hops: Vec<Hop>,
}

impl Path {
    /// Returns what the whole way lets do: the least along it.
    pub fn privilege(&self) -> Option<Privilege> {
        self.hops.iter().filter_map(|hop| hop.privilege).min()
    }

    /// Returns when the way ends by itself: the first end along it.
    pub fn until(&self) -> Option<Timestamp> {
        self.hops.iter().filter_map(Hop::until).min()
    }
}

impl Graph {
    /// Returns the ways between two nodes: from the first to the second and back, of both kinds; where there is none of
    /// them, the nearest connection at all.
    pub fn ways(&self, from: &NodeId, to: &NodeId) -> Vec<(Way, Path)> {
        let mut found = Vec::new();
        for (a, b) in [(from, to), (to, from)] {
            for way in [Way::Exposure, Way::Impact] {
                found.extend(self.path(a, b, way).map(|path| (way, path)));
            }
        }
        if found.is_empty() {
            let any = self.path(from, to, Way::Any);
            found.extend(any.map(|path| (Way::Any, path)));
        }
        found
    }

    /// Returns a shortest way of one kind from one node to another; `None` where there is none. Takes time in the number
    /// of edges.
    pub fn path(&self, from: &NodeId, to: &NodeId, way: Way) -> Option<Path> {
        let (from, to) = (self.find(from)?, self.find(to)?);
        let hops = match way {
            Way::Impact => self.impact_path(from, to)?,
            Way::Exposure => self.search(from, to, |node| self.onward(node))?,
            Way::Any => self.search(from, to, |node| {
                let out = self.links(node, Side::Out);
                out.chain(self.links(node, Side::In))
            })?,
        };
        Some(Path { from, hops })
    }

    /// What breaks is found by two steps in turn, so the walk itself is asked; its ways are shortest ones.
    fn impact_path(&self, from: NodeIx, to: NodeIx) -> Option<Vec<Hop>> {
        if from == to {
            return Some(Vec::new());
        }
        let walk = self.impact_of(
            from,
            Limits {
                nodes: self.size(),
                edges: usize::MAX,
            },
        );
        let way = walk.way_to(walk.place_of(to)?);
        let hop = |place: usize| {
            let branch = walk.branches.get(place)?;
            Some(Hop {
                to: branch.node,
                via: branch.via,
                forward: branch.forward,
                privilege: None,
                until: branch.until().map(Second::of),
            })
        };
        way.into_iter().map(hop).collect()
    }

    fn search<I: Iterator<Item = Half>>(
        &self,
        from: NodeIx,
        to: NodeIx,
        onward: impl Fn(NodeIx) -> I,
    ) -> Option<Vec<Hop>> {
        let mut came: Vec<u32> = vec![NONE; self.size()];
        let mut steps: Vec<(NodeIx, Hop)> = Vec::new();
        let mut open = VecDeque::from([from]);
        while let Some(at) = open.pop_front() {
            if at == to {
                break;
            }
            for half in onward(at) {
                let Some(slot) = came.get_mut(half.to.at()) else {
                    continue;
                };
                if *slot == NONE && half.to != from {
                    *slot = steps.len() as u32;
                    steps.push((at, self.hop(at, half)));
                    open.push_back(half.to);
                }
            }
        }
        let mut hops = Vec::new();
        let mut at = to;
        while at != from {
            let (before, hop) = steps.get(*came.get(at.at())? as usize)?;
            hops.push(*hop);
            at = *before;
        }
        hops.reverse();
        Some(hops)
    }
}
