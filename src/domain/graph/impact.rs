//! Who stops working when a node is cut off.
//!
//! Two things happen to a node. It *ends* when it is cut off, or is a credential, session or grant of something that ends;
//! it *stops* when it cannot work without something that ended or stopped. The difference matters: what a service that
//! merely stops holds stays valid, and whoever uses that goes on.

use std::ops::ControlFlow;

use super::kinds::{EdgeKind as E, NodeIx};
use super::links::FETCHED;
use super::walk::{Found, Search, along, node_of};
use super::{Graph, Limits, Walk};
use crate::domain::ids::NodeId;

/// What ends with a node: what it holds and issued; the grants made in its name; the other copies of a secret.
const ENDS_OUT: u16 = E::Holds.bit() | E::Issued.bit() | E::CopyOf.bit();
const ENDS_IN: u16 = E::ActsFor.bit() | E::CopyOf.bit();

/// Who stops without a node: who depends on it, runs as it, becomes it, holds it, or is kept in it.
const STOPS_IN: u16 =
    E::DependsOn.bit() | E::RunsAs.bit() | E::Assumes.bit() | E::Holds.bit() | E::StoredIn.bit();

impl Graph {
    /// Returns who stops working, transitively, when `id` is cut off, each by a shortest way, on which what ends comes
    /// first. What it holds ends with it, so whoever needs a held credential, or holds the same one, is among them; the
    /// credential itself is not counted, and stands there only where somebody breaks because of it.
    pub fn impact(&self, id: &NodeId) -> Walk {
        self.find(id)
            .map_or_else(Walk::default, |start| self.impact_of(start, Limits::FULL))
    }

    /// As [`Self::impact`], by number and within limits.
    pub fn impact_of(&self, start: NodeIx, limits: Limits) -> Walk {
        if self.at(start).is_none() {
            return Walk::default();
        }
        let mut search = Search::new(self, start, limits);
        ending(&mut search);
        stopping(&mut search);
        search.prune();
        search.into_walk()
    }
}

/// Lets end what ends with the start, level by level.
fn ending(search: &mut Search<'_>) {
    let mut level = search.since(0);
    while !level.is_empty() && !search.truncated {
        let first = search.found.len();
        level.sort_unstable();
        step(search, &level, (ENDS_OUT, ENDS_IN), true);
        level = search.since(first);
    }
}

/// Lets stop what depends on what ended or stopped, level by level.
fn stopping(search: &mut Search<'_>) {
    let ended = search.since(0);
    let depth_of = |search: &Search<'_>, key: &u64| search.found[*key as u32 as usize].depth;
    let (mut ended, mut stopped) = (ended.iter().copied().peekable(), Vec::new());
    while !search.truncated {
        let nearest = [ended.peek(), stopped.first()].into_iter().flatten();
        let Some(depth) = nearest.map(|key| depth_of(search, key)).min() else {
            return;
        };
        let mut level: Vec<u64> = Vec::new();
        while let Some(key) = ended.next_if(|key| depth_of(search, key) == depth) {
            level.push(key);
        }
        if stopped
            .first()
            .is_some_and(|key| depth_of(search, key) == depth)
        {
            level.append(&mut stopped);
        }
        let first = search.found.len();
        level.sort_unstable();
        step(search, &level, (0, STOPS_IN), false);
        stopped.extend(search.since(first));
    }
}

/// Finds what is one edge further.
fn step(search: &mut Search<'_>, level: &[u64], kinds: (u16, u16), aside: bool) {
    let graph = search.graph;
    for some in level.chunks(FETCHED) {
        graph.fetch(some, kinds);
        for key in some {
            let place = *key as u32;
            let depth = search.found[place as usize].depth + 1;
            let _ = graph.each(node_of(*key), kinds, |half| {
                if search.may_look(&[half]).is_empty() {
                    return ControlFlow::Break(());
                }
                if search.is_found(half.to) {
                    return ControlFlow::Continue(());
                }
                let found = Found {
                    aside,
                    ..along(half, place, depth)
                };
                match search.find(found) {
                    Some(_) => ControlFlow::Continue(()),
                    None => ControlFlow::Break(()),
                }
            });
        }
    }
}
