//! What somebody who holds a node can get to.
//!
//! Each node is shown by the way that lets do most, and of these by a short one: what can be changed must not be hidden
//! behind a shorter way on which it can only be read.

use std::ops::ControlFlow;

use super::kinds::{EdgeKind as E, NodeIx, NodeKind, Privilege};
use super::links::{Half, Side};
use super::walk::{Found, Search, along};
use super::{Graph, Limits, Walk};
use crate::domain::ids::NodeId;

/// Ways onward along an edge.
pub(super) const REACH_OUT: u16 = E::CanReach.bit()
    | E::Holds.bit()
    | E::Recovers.bit()
    | E::RunsAs.bit()
    | E::Assumes.bit()
    | E::ActsFor.bit()
    | E::Issued.bit()
    | E::CopyOf.bit();

/// Ways onward against an edge: what lies in a store, what an owner key makes anew, the other copies of a secret.
pub(super) const REACH_IN: u16 = E::StoredIn.bit() | E::OwnedBy.bit() | E::CopyOf.bit();

/// From *nothing says anything* down to reading.
const LEVELS: [Option<Privilege>; 4] = [
    None,
    Some(Privilege::Admin),
    Some(Privilege::Write),
    Some(Privilege::Read),
];

/// The high half of a mark of [`Lower`].
const EVER: u8 = 0xf0;

/// Where in [`LEVELS`] a privilege stands.
const fn level(privilege: Option<Privilege>) -> usize {
    match privilege {
        None => 0,
        Some(Privilege::Admin) => 1,
        Some(Privilege::Write) => 2,
        Some(Privilege::Read) => 3,
    }
}

/// Nodes that wait, by level, until nothing that lets do more reaches them; and those that were put there while the level
/// at hand was looked at, as what comes then comes in the order of distance.
struct Lower {
    waiting: [Vec<Found>; LEVELS.len()],
    /// A byte for each node, so that a walk fetches one thing to know all: in the low half the levels on which it was put
    /// while the level at hand was looked at; in the high half all on which it ever waited, since who waits where more is
    /// let do need not wait below.
    marks: Vec<u8>,
}

impl Graph {
    /// Returns what somebody who holds `id` can get to, transitively: what it reaches, holds, issued, becomes and acts
    /// for, what lies in a secret store it reaches, the other copies of a secret; with what each way lets do.
    pub fn exposure(&self, id: &NodeId) -> Walk {
        self.find(id)
            .map_or_else(Walk::default, |start| self.exposure_of(start, Limits::FULL))
    }

    /// As [`Self::exposure`], by number and within limits.
    pub fn exposure_of(&self, start: NodeIx, limits: Limits) -> Walk {
        if self.at(start).is_none() {
            return Walk::default();
        }
        let mut search = Search::new(self, start, limits);
        let mut lower = Lower {
            waiting: std::array::from_fn(|_| Vec::new()),
            marks: vec![0; self.size()],
        };
        let mut frontier = vec![0];
        for now in 0..LEVELS.len() {
            let mut waiting = std::mem::take(&mut lower.waiting[now]);
            if !waiting.is_sorted_by_key(|w| w.depth) {
                waiting.sort_by_key(|w| w.depth);
            }
            spread(&mut search, &mut lower, now, frontier, &waiting);
            frontier = Vec::new();
            lower.marks.iter_mut().for_each(|mark| *mark &= EVER);
            if search.truncated {
                break;
            }
        }
        for found in &mut search.found[1..] {
            found.aside = self.glance(found.node).kind == NodeKind::Session;
        }
        search.into_walk()
    }

    /// Returns the edges along which somebody gets on.
    pub(super) fn onward(&self, node: NodeIx) -> impl Iterator<Item = Half> {
        let known = self.sealed.onward.of(node).iter().copied();
        let out = self.chains.of(node, Side::Out);
        let out = out.filter(|half| half.kind.bit() & REACH_OUT != 0);
        let into = self.chains.of(node, Side::In);
        known.chain(out.chain(into.filter(|half| half.kind.bit() & REACH_IN != 0)))
    }
}

/// Finds everything on one level, nearest first.
fn spread(
    search: &mut Search<'_>,
    lower: &mut Lower,
    now: usize,
    mut frontier: Vec<u32>,
    waiting: &[Found],
) {
    let mut waiting = waiting.iter().peekable();
    loop {
        let depth = match (frontier.first(), waiting.peek()) {
            (Some(at), _) => search.found[*at as usize].depth,
            (None, Some(first)) => first.depth,
            (None, None) => return,
        };
        while let Some(next) = waiting.next_if(|w| w.depth <= depth) {
            if !search.is_found(next.node) {
                frontier.extend(search.find(*next));
            }
        }
        let mut next = Vec::new();
        search.in_order(&mut frontier);
        for place in std::mem::take(&mut frontier) {
            expand(search, lower, now, place, &mut next);
        }
        frontier = next;
        if search.truncated {
            return;
        }
    }
}

/// Finds what is one edge further, on this level or a lower one.
fn expand(search: &mut Search<'_>, lower: &mut Lower, now: usize, place: u32, next: &mut Vec<u32>) {
    let graph = search.graph;
    let at = search.found[place as usize];
    let _ = graph.each_onward(at.node, |half| {
        if !search.may_look() {
            return ControlFlow::Break(());
        }
        if search.is_found(half.to) {
            return ControlFlow::Continue(());
        }
        let to = level(half.privilege).max(now);
        let found = Found {
            privilege: LEVELS[to],
            ..along(half, place, at.depth + 1)
        };
        if to != now {
            lower.put(now, to, found);
            return ControlFlow::Continue(());
        }
        match search.find(found) {
            Some(place) => {
                next.push(place);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    });
}

impl Lower {
    fn put(&mut self, now: usize, level: usize, found: Found) {
        let Some(mark) = self.marks.get_mut(found.node.at()) else {
            return;
        };
        let above = EVER & !(EVER << level) & (EVER << (now + 1));
        let here = 1 << level;
        if *mark & (above | here) == 0 {
            *mark |= here | here << LEVELS.len();
            self.waiting[level].push(found);
        }
    }
}
