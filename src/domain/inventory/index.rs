//! Finding identities by what alerts call them.

use std::collections::HashMap;

use super::{Candidate, MOST_CANDIDATES};
use crate::domain::identity::Identity;
use crate::domain::identity::handle::{Reason, canonical};
use crate::domain::ids::IdentityId;
use crate::domain::text::Untrusted;

/// Place of an identity in the order in which they were added.
type Place = u32;

/// By a text, who goes by it and why; the likeliest reason first.
type By = HashMap<String, Vec<(Reason, Place)>>;

/// Everything under which an identity can be found, besides its id.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    ids: Vec<IdentityId>,
    /// Aliases, credential ids, native ids and fingerprints as they stand, and in other spellings.
    handles: By,
    /// Other spellings only.
    spellings: By,
    names: By,
    /// Names and aliases in lower case, of identities whose provider compares so.
    folded: By,
}

impl Index {
    /// Adds a card; `folds` tells whether its provider compares names without regard to case.
    pub fn add(&mut self, card: &Identity, folds: bool) {
        let place = Place::try_from(self.ids.len()).unwrap_or(Place::MAX);
        self.ids.push(card.id.clone());
        let put = |by: &mut By, key: &str, reason| {
            if !key.is_empty() {
                by.entry(key.to_owned()).or_default().push((reason, place));
            }
        };
        let aliases = card.aliases.iter().map(|a| (a.raw(), Reason::Alias));
        let credentials = card.credentials.iter().map(|c| {
            let is_access_key = c.kind.raw() == "access_key";
            let reason = match is_access_key {
                true => Reason::AccessKey,
                false => Reason::Credential,
            };
            (c.id.raw(), reason)
        });
        let digests = card.credentials.iter().filter_map(|c| {
            let digest = c.fingerprint.as_ref()?.raw();
            Some((digest, Reason::Fingerprint))
        });
        let native = [(card.native_id(), Reason::SameId)];
        for (key, reason) in aliases.chain(credentials).chain(digests).chain(native) {
            put(&mut self.handles, key, reason);
            for (spelling, reason) in canonical(key) {
                put(&mut self.spellings, &spelling, reason);
            }
        }
        put(&mut self.names, card.name.raw(), Reason::Name);
        if folds {
            let names = card.aliases.iter().map(Untrusted::raw);
            for name in names.chain([card.name.raw(), card.native_id()]) {
                put(&mut self.folded, &name.to_lowercase(), Reason::FoldedName);
            }
        }
    }

    /// Puts everything in order.
    pub fn finish(&mut self) {
        for by in [
            &mut self.handles,
            &mut self.spellings,
            &mut self.names,
            &mut self.folded,
        ] {
            for found in by.values_mut().filter(|found| found.len() > 1) {
                let ids = &self.ids;
                let id = |place: Place| ids.get(place as usize);
                found.sort_by(|(r, a), (s, b)| (r, id(*a)).cmp(&(s, id(*b))));
                let mut seen = std::collections::HashSet::new();
                found.retain(|(_, place)| seen.insert(*place));
            }
        }
    }

    /// Finds by an id, then by other spellings of it.
    pub fn strong(&self, key: &str) -> Vec<Candidate> {
        let found = self.of(&self.handles, key, None);
        if !found.is_empty() {
            return found;
        }
        for (spelling, reason) in canonical(key) {
            for by in [&self.handles, &self.spellings] {
                let found = self.of(by, &spelling, Some(reason));
                if !found.is_empty() {
                    return found;
                }
            }
        }
        // The other side may be spelt otherwise: an address listed by its resource name.
        self.of(&self.spellings, key, None)
    }

    /// Finds by a name as it stands.
    pub fn named(&self, name: &str) -> Vec<Candidate> {
        self.of(&self.names, name, None)
    }

    /// Finds by a name without regard to case.
    pub fn folded(&self, name: &str) -> Vec<Candidate> {
        if self.folded.is_empty() {
            return Vec::new();
        }
        self.of(&self.folded, &name.to_lowercase(), None)
    }

    /// Returns how many identities hold a credential of this id or digest.
    pub fn holders(&self, credential: &str) -> usize {
        let count = |by: &By, key: &str| {
            let held = |reason: &Reason| {
                matches!(
                    reason,
                    Reason::AccessKey | Reason::Credential | Reason::Fingerprint
                )
            };
            let found = by.get(key).into_iter().flatten();
            found.filter(|(reason, _)| held(reason)).count()
        };
        if credential.is_empty() {
            return 0;
        }
        let spelt = canonical(credential);
        let spelt = spelt.iter().map(|(key, _)| count(&self.spellings, key));
        spelt
            .chain([count(&self.handles, credential)])
            .max()
            .unwrap_or(0)
    }

    fn of(&self, by: &By, key: &str, instead: Option<Reason>) -> Vec<Candidate> {
        let found = by.get(key).into_iter().flatten();
        let named = found.filter_map(|(reason, place)| {
            Some(Candidate {
                id: self.ids.get(*place as usize)?.clone(),
                reason: instead.unwrap_or(*reason),
            })
        });
        named.take(MOST_CANDIDATES).collect()
    }
}
