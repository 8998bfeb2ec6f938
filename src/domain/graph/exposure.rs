//! What somebody who holds a node can get to.
//!
//! Each node is shown by the way that lets do most, and of these by a short one: what can be changed must not be hidden
//! behind a shorter way on which it can only be read.

use std::ops::Range;

use super::kinds::{EdgeKind as E, NodeIx, NodeKind, Privilege};
use super::links::{FETCHED, Half, Side};
use super::walk::{Found, Search, along, keyed, node_of};
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

/// In a mark of [`Lower`]: the walk has found the node. Nobody waits on the first level, so its bit is free.
const FOUND: u8 = 1;

/// Where in [`LEVELS`] a privilege stands.
const fn rank(privilege: Option<Privilege>) -> usize {
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
    waiting: [Queue; LEVELS.len()],
    /// A byte for each node, so that a walk fetches one thing to know all: in the low half whether it is found, and the
    /// levels on which it was put while the level at hand was looked at; in the high half all on which it ever waited,
    /// since who waits where more is let do need not wait below.
    marks: Vec<u8>,
}

/// A level that is looked at, and where its edges lead by the place of their privilege in [`LEVELS`].
#[derive(Clone, Copy)]
struct Level {
    now: usize,
    ways: [Onward; LEVELS.len()],
}

/// What becomes of the end of an edge.
#[derive(Clone, Copy)]
struct Onward {
    /// The level on which it stands or waits.
    to: usize,
    /// Marks of one that is found, or that waits on that level or where more is let do.
    known: u8,
    /// The marks that it gets.
    noted: u8,
}

/// A node that waits, by the edge that leads to it.
#[derive(Clone, Copy)]
struct Waiting {
    half: Half,
    parent: u32,
}

/// Nodes that wait on one level. Those of one distance come one after the other, so it stands once for all of them.
#[derive(Default)]
struct Queue {
    all: Vec<Waiting>,
    /// A distance, and where those begin that are that far.
    runs: Vec<(u32, u32)>,
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
            waiting: Default::default(),
            marks: vec![0; self.size()],
        };
        lower.marks[start.at()] = FOUND;
        let mut frontier = vec![keyed(start, 0)];
        for now in 0..LEVELS.len() {
            let waiting = std::mem::take(&mut lower.waiting[now]);
            let level = Level::new(now);
            spread(&mut search, &mut lower, level, &mut frontier, &waiting);
            frontier.clear();
            lower
                .marks
                .iter_mut()
                .for_each(|mark| *mark &= EVER | FOUND);
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
        known.chain(self.onward_later(node))
    }

    /// Returns those of them that were added since the map was sealed.
    fn onward_later(&self, node: NodeIx) -> Vec<Half> {
        if !self.chains.may_have(node) {
            return Vec::new();
        }
        let some = |side, kinds: u16| {
            let all = self.chains.of(node, side);
            all.filter(move |half| half.kind.bit() & kinds != 0)
        };
        let out = some(Side::Out, REACH_OUT);
        out.chain(some(Side::In, REACH_IN)).collect()
    }
}

/// Finds everything on one level, nearest first.
fn spread(
    search: &mut Search<'_>,
    lower: &mut Lower,
    level: Level,
    frontier: &mut Vec<u64>,
    waiting: &Queue,
) {
    let mut runs = waiting.runs().into_iter().peekable();
    let (mut depth, mut next) = (0, Vec::new());
    loop {
        if frontier.is_empty() {
            match runs.peek() {
                Some((nearest, _)) => depth = *nearest,
                None => return,
            }
        }
        while let Some((far, run)) = runs.next_if(|(far, _)| *far <= depth) {
            for one in &waiting.all[run] {
                let mark = &mut lower.marks[one.half.to.at()];
                if *mark & FOUND == 0 {
                    *mark |= FOUND;
                    let place = search.find(Found {
                        privilege: LEVELS[level.now],
                        ..along(one.half, one.parent, far)
                    });
                    frontier.extend(place.map(|place| keyed(one.half.to, place)));
                }
            }
        }
        frontier.sort_unstable();
        depth += 1;
        for some in frontier.chunks(FETCHED) {
            search.graph.sealed.onward.fetch(some);
            for one in some {
                expand(search, lower, level, (*one, depth), &mut next);
            }
        }
        std::mem::swap(frontier, &mut next);
        next.clear();
        if search.truncated {
            return;
        }
    }
}

/// Finds what is one edge further, on this level or a lower one.
fn expand(
    search: &mut Search<'_>,
    lower: &mut Lower,
    level: Level,
    (at, depth): (u64, u32),
    next: &mut Vec<u64>,
) {
    let (graph, node, parent) = (search.graph, node_of(at), at as u32);
    let later = graph.onward_later(node);
    // One loop for both, as it is what a walk spends its time in.
    for halves in [graph.sealed.onward.of(node), &later] {
        for half in search.may_look(halves) {
            let way = level.ways[rank(half.privilege)];
            let Some(mark) = lower.marks.get_mut(half.to.at()) else {
                continue;
            };
            if *mark & way.known != 0 {
                continue;
            }
            *mark |= way.noted;
            if way.to != level.now {
                let one = Waiting {
                    half: *half,
                    parent,
                };
                lower.waiting[way.to].put(depth, one);
                continue;
            }
            let found = Found {
                privilege: LEVELS[way.to],
                ..along(*half, parent, depth)
            };
            match search.find(found) {
                Some(place) => next.push(keyed(half.to, place)),
                None => return,
            }
        }
    }
}

impl Level {
    fn new(now: usize) -> Self {
        let way = |privilege: usize| {
            let to = privilege.max(now);
            let (here, above) = (1 << to, EVER & !(EVER << to) & (EVER << (now + 1)));
            let noted = match to == now {
                true => FOUND,
                false => here | here << LEVELS.len(),
            };
            Onward {
                to,
                known: FOUND | above | here,
                noted,
            }
        };
        Self {
            now,
            ways: std::array::from_fn(way),
        }
    }
}

impl Queue {
    fn put(&mut self, depth: u32, one: Waiting) {
        if self.runs.last().is_none_or(|(last, _)| *last != depth) {
            self.runs.push((depth, self.all.len() as u32));
        }
        self.all.push(one);
    }

    /// Returns who waits, the nearest first, and of these who came first: by distance, where they stand.
    fn runs(&self) -> Vec<(u32, Range<usize>)> {
        let ends = self.runs.iter().skip(1).map(|(_, begin)| *begin as usize);
        let ends = ends.chain([self.all.len()]);
        let run = |(&(depth, begin), end): (&(u32, u32), usize)| (depth, begin as usize..end);
        let mut runs: Vec<_> = self.runs.iter().zip(ends).map(run).collect();
        runs.sort_by_key(|(depth, _)| *depth);
        runs
    }
}
