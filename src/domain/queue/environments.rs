//! In which environments credentials are named. A name may stand for two things; an id of a key does not.

use std::collections::{HashMap, HashSet};

use super::names::Name;
use super::slim::Who;
use crate::domain::vocabulary::IdentityKind;

/// The environments of all credentials, by the native ids of those.
#[derive(Clone, Debug, Default)]
pub struct Environments {
    first: HashMap<Name, Name>,
    several: HashSet<Name>,
    /// Those of which the second environment was seen just now.
    news: HashSet<Name>,
}

impl Environments {
    /// Takes in whom alerts name for the first time.
    pub fn take(&mut self, who: &Who) {
        use IdentityKind::{AccessKey, ApiToken, CiToken};
        if who.native == Name::default() || !matches!(who.kind, AccessKey | ApiToken | CiToken) {
            return;
        }
        let first = *self.first.entry(who.native).or_insert(who.provider);
        if first != who.provider && self.several.insert(who.native) {
            self.news.insert(who.native);
        }
    }

    /// Tells whether whatever has a native id is named in several. Those of which it is news are raised together.
    pub fn are_several(&self, native: Name) -> bool {
        self.several.contains(&native) && !self.news.contains(&native)
    }

    /// Returns those of which it was news. It is none from then on.
    pub fn take_news(&mut self) -> HashSet<Name> {
        std::mem::take(&mut self.news)
    }
}
