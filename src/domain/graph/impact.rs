//! Who stops working when a node is cut off.
//!
//! Two things happen to a node. It *ends* when it is cut off, or is a credential, session or grant of something that ends;
//! it *stops* when it cannot work without something that ended or stopped. The difference matters: what a service that
//! merely stops holds stays valid, and whoever uses that goes on.

use std::ops::ControlFlow;

use super::kinds::{EdgeKind as E, NodeIx};
use super::walk::{Found, Search, along};
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
    let mut level = vec![0];
    while !level.is_empty() && !search.truncated {
        let first = search.found.len() as u32;
        search.in_order(&mut level);
        for place in &level {
            step(search, *place, (ENDS_OUT, ENDS_IN), true);
        }
        level.clear();
        level.extend(first..search.found.len() as u32);
    }
}

/// Lets stop what depends on what ended or stopped, level by level.
fn stopping(search: &mut Search<'_>) {
    let ended = search.found.len() as u32;
    let (mut next, mut stopped) = (0, Vec::new());
    while !search.truncated {
        let nearest = [Some(&next).filter(|at| **at < ended), stopped.first()];
        let depths = nearest
            .into_iter()
            .flatten()
            .map(|at| search.found[*at as usize].depth);
        let Some(depth) = depths.min() else { return };
        let mut level: Vec<u32> = Vec::new();
        while next < ended && search.found[next as usize].depth == depth {
            level.push(next);
            next += 1;
        }
        if stopped
            .first()
            .is_some_and(|at: &u32| search.found[*at as usize].depth == depth)
        {
            level.append(&mut stopped);
        }
        let first = search.found.len() as u32;
        search.in_order(&mut level);
        for place in level {
            step(search, place, (0, STOPS_IN), false);
        }
        stopped.extend(first..search.found.len() as u32);
    }
}

fn step(search: &mut Search<'_>, place: u32, kinds: (u16, u16), aside: bool) {
    let (graph, at) = (search.graph, search.found[place as usize]);
    let _ = graph.each(at.node, kinds, |half| {
        if !search.may_look() {
            return ControlFlow::Break(());
        }
        if search.is_found(half.to) {
            return ControlFlow::Continue(());
        }
        let found = Found {
            aside,
            ..along(half, place, at.depth + 1)
        };
        match search.find(found) {
            Some(_) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    });
}
