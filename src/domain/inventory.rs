//! Who is known: identity cards, the dependency map they hang in, and finding whom an alert means.

mod background;
mod index;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::alert::{Alert, Subject};
use super::drawing::Drawing;
use super::graph::Graph;
use super::identity::Identity;
use super::identity::flags::{self, Flag, Surroundings};
pub use super::identity::handle::Reason;
use super::ids::IdentityId;
use super::text::Untrusted;
pub use background::{Background, Loss, Mistake, SourceState};
use index::Index;

/// Most candidates returned for one alert; a name that more identities share says nothing anyway.
pub const MOST_CANDIDATES: usize = 50;

/// Somebody whom an alert may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub id: IdentityId,
    /// Why.
    pub reason: Reason,
}

/// Whom an alert means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Exactly this one.
    Known(IdentityId),
    /// One of these, the likeliest first; a person decides.
    Candidates(Vec<Candidate>),
    /// Somebody the inventory does not list: the card says what the alert says.
    Unlisted(Box<Identity>),
    /// The alert names nobody.
    Unresolved,
}

/// What the inventory knows. Build it with [`Inventory::new`]; lookups take constant time at any size.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    identities: BTreeMap<IdentityId, Identity>,
    graph: Arc<Graph>,
    index: Index,
    background: Background,
}

impl Inventory {
    /// Puts identities on the map and indexes them. Every identity becomes a node labelled with its name; its
    /// credentials become nodes `credential:<identity>/<credential>` that it holds, stored in `store:<name>`, or in the
    /// node that is itself called `<name>` where `graph` describes one. A node of `graph` under an identity's id is
    /// replaced by the identity's own.
    pub fn new(identities: impl IntoIterator<Item = Identity>, graph: Graph) -> Self {
        Self::build(identities, graph, Background::default())
    }

    /// The same, with everything else that the sources said.
    pub fn build(
        identities: impl IntoIterator<Item = Identity>,
        graph: Graph,
        background: Background,
    ) -> Self {
        let mut inventory = Self::default();
        let mut drawing = Drawing::on(graph);
        for mut identity in identities {
            background.complete(&mut identity);
            drawing.identity(&identity);
            let folds = background.folding.contains(identity.provider());
            inventory.index.add(&identity, folds);
            inventory.identities.insert(identity.id.clone(), identity);
        }
        inventory.index.finish();
        inventory.graph = Arc::new(drawing.finish());
        inventory.background = background;
        inventory
    }

    /// Returns all cards by id.
    pub const fn identities(&self) -> &BTreeMap<IdentityId, Identity> {
        &self.identities
    }

    /// Returns one card.
    pub fn identity(&self, id: &IdentityId) -> Option<&Identity> {
        self.identities.get(id)
    }

    /// Returns the dependency map.
    pub const fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Returns rosters, limits, sources and their mistakes.
    pub const fn background(&self) -> &Background {
        &self.background
    }

    /// Returns what is doubtful about a card.
    pub fn flags(&self, card: &Identity, now: Timestamp) -> Vec<Flag> {
        let around = Surroundings {
            roster: &self.background.roster,
            limits: self.background.limits,
            holders: &|credential| self.index.holders(credential),
        };
        flags::of(card, &around, now)
    }

    /// Finds whom an alert means. In this order: its id or `provider:native` is an identity's id; it is an alias, a
    /// credential id or a native id; another spelling of one of these; exactly a name; a name but for case, where the
    /// identity's provider compares so. The first of these that fits decides, also when it fits several. An alert that
    /// names nobody may still name whom it may be about, or a credential somebody is known to hold: those identities are
    /// candidates, not answers, since nobody said that they acted.
    pub fn resolve(&self, alert: &Alert) -> Resolution {
        let Some(subject) = &alert.subject else {
            let resource = alert
                .resource
                .as_ref()
                .map(|r| r.id.raw())
                .filter(|id| !id.is_empty());
            let mut found: Vec<Candidate> = Vec::new();
            let named = alert.candidates.iter().flat_map(|c| self.matches(c));
            let holders = resource.into_iter().flat_map(|id| self.strong(id));
            let holders = holders.map(|c| Candidate {
                reason: Reason::Holds,
                ..c
            });
            for candidate in named.chain(holders) {
                if !found.iter().any(|c| c.id == candidate.id) {
                    found.push(candidate);
                }
            }
            return if found.is_empty() {
                Resolution::Unresolved
            } else {
                Resolution::Candidates(found)
            };
        };
        self.resolve_subject(subject)
    }

    /// Finds whom a subject means.
    pub fn resolve_subject(&self, subject: &Subject) -> Resolution {
        let mut found = self.matches(subject);
        match found.len() {
            0 if subject.native_id.is_empty() && subject.name.is_none() => Resolution::Unresolved,
            0 => Resolution::Unlisted(Box::new(unlisted(subject))),
            1 => Resolution::Known(found.remove(0).id),
            _ => Resolution::Candidates(found),
        }
    }

    /// Returns the id of whom a subject means: of the one listed identity, or the id it would have where none is listed.
    /// Nothing where it may mean several, or nobody.
    pub fn id_of(&self, subject: &Subject) -> Option<IdentityId> {
        let mut found = self.matches(subject);
        match found.len() {
            0 if subject.native_id.is_empty() && subject.name.is_none() => None,
            0 => Some(unlisted_id(subject)),
            1 => Some(found.remove(0).id),
            _ => None,
        }
    }

    /// Returns the card of the one listed identity that a subject means.
    pub fn card_of(&self, subject: &Subject) -> Option<&Identity> {
        match self.matches(subject).as_slice() {
            [one] => self.identity(&one.id),
            _ => None,
        }
    }

    /// Finds the listed identities that a subject may mean, and why, the likeliest first.
    pub fn matches(&self, subject: &Subject) -> Vec<Candidate> {
        // Asked for every third alert that comes; of an empty inventory there is nothing to ask.
        if self.identities.is_empty() {
            return Vec::new();
        }
        let native = subject.native_id.raw();
        let full = IdentityId::new(format!("{}:{native}", subject.provider.raw()));
        if self.identities.contains_key(&full) {
            let reason = Reason::SameId;
            return vec![Candidate { id: full, reason }];
        }
        let name = subject.name.as_ref().map(Untrusted::raw);
        let given = || {
            [Some(native), name]
                .into_iter()
                .flatten()
                .filter(|text| !text.is_empty())
        };
        let first = |look: &dyn Fn(&str) -> Vec<Candidate>| {
            given().map(look).find(|found| !found.is_empty())
        };
        first(&|text| self.strong(text))
            .or_else(|| first(&|text| self.index.named(text)))
            .or_else(|| first(&|text| self.index.folded(text)))
            .unwrap_or_default()
    }

    /// Finds by an id, or by another spelling of one.
    fn strong(&self, key: &str) -> Vec<Candidate> {
        let id = IdentityId::new(key);
        if self.identities.contains_key(&id) {
            let reason = Reason::SameId;
            return vec![Candidate { id, reason }];
        }
        self.index.strong(key)
    }
}

fn unlisted_id(subject: &Subject) -> IdentityId {
    let native = subject.native_id.raw();
    IdentityId::new(format!("{}:{native}", subject.provider.raw()))
}

fn unlisted(subject: &Subject) -> Identity {
    let id = unlisted_id(subject);
    let name = subject
        .name
        .clone()
        .unwrap_or_else(|| subject.native_id.clone());
    Identity::not_in_inventory(id, name, subject.kind)
}

#[cfg(test)]
mod tests;
