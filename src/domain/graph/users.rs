//! The other way round: who else uses this secret, this store, this identity; and which secrets are in too many hands.

use std::cmp::Reverse;

use super::kinds::{EdgeKind as E, NodeIx};
use super::links::Side;
use super::{Graph, Limits};
use crate::domain::ids::NodeId;

/// Who uses a node directly.
const USES: u16 = E::DependsOn.bit()
    | E::Holds.bit()
    | E::StoredIn.bit()
    | E::RunsAs.bit()
    | E::Assumes.bit()
    | E::ActsFor.bit();

/// Most edges looked at to say how widely one node is shared: it is asked for every line drawn.
const MOST_GLANCED: usize = 1_000;

/// Somebody who uses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub node: NodeIx,
    /// How they use it.
    pub via: E,
    /// What they use: the node itself, what it holds, or what lies in it.
    pub what: NodeIx,
}

/// All who use something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// By what they use, the node itself first; then the most critical.
    pub found: Vec<User>,
    /// Whether a bound cut it.
    pub truncated: bool,
}

/// In how many hands a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// How many hold it.
    pub holders: usize,
    /// How many copies of it there are besides.
    pub copies: usize,
    /// In how many environments its holders and users are, where that is known of several.
    pub environments: usize,
    /// There may be more than was counted.
    pub at_least: bool,
}

impl Shared {
    /// Tells whether it is in more than one place.
    pub const fn is_shared(self) -> bool {
        self.holders > 1 || self.copies > 0 || self.environments > 1
    }
}

impl Graph {
    /// Returns who uses `id`: who depends on it, runs as it, becomes it, holds it; for an identity also who else holds or
    /// needs what it holds; for a store what is kept there and who holds that.
    pub fn users(&self, id: &NodeId) -> Users {
        let start = self.find(id);
        start.map_or_else(Users::default, |start| self.users_of(start, Limits::FULL))
    }

    /// As [`Self::users`], by number and within limits.
    pub fn users_of(&self, start: NodeIx, limits: Limits) -> Users {
        let mut users = Users::default();
        let mut edges_left = limits.edges;
        let found = &mut users.found;
        let held = self.links_of(start, Side::Out, E::Holds.bit() | E::CopyOf.bit());
        let kept = self.links_of(start, Side::In, E::StoredIn.bit() | E::CopyOf.bit());
        let others = held.chain(kept).map(|half| half.to);
        for what in std::iter::once(start).chain(others) {
            for half in self.links_of(what, Side::In, USES) {
                if edges_left == 0 || found.len() >= limits.nodes {
                    users.truncated = true;
                    break;
                }
                edges_left -= 1;
                if half.to != start {
                    found.push(User {
                        node: half.to,
                        via: half.kind,
                        what,
                    });
                }
            }
        }
        // Stable, so that of several ways to use one thing the first stays.
        found.sort_by_key(|user| {
            let weight = Reverse(self.glance(user.node).weight);
            (user.what != start, user.what, weight, user.node)
        });
        found.dedup_by_key(|user| (user.what, user.node));
        users
    }

    /// Says in how many hands a node is, looking at no more than a thousand edges.
    pub fn shared(&self, node: NodeIx) -> Shared {
        let mut shared = Shared::default();
        let mut environments: Vec<&str> = Vec::new();
        let uses = USES | E::CopyOf.bit();
        let into = self.links_of(node, Side::In, uses);
        let out = self.links_of(node, Side::Out, E::CopyOf.bit());
        for (looked, half) in into.chain(out).enumerate() {
            if looked >= MOST_GLANCED {
                shared.at_least = true;
                break;
            }
            match half.kind {
                E::Holds => shared.holders += 1,
                E::CopyOf => shared.copies += 1,
                _ => {}
            }
            let environment = self.at(half.to).and_then(|n| n.environment.as_ref());
            if let Some(environment) = environment.filter(|e| !environments.contains(&e.raw())) {
                environments.push(environment.raw());
            }
        }
        shared.environments = environments.len();
        shared
    }
}
