//! In which environments credentials are named. A name may stand for two things; an id of a key does not.

use std::collections::{HashMap, HashSet};

use super::Queue;
use super::names::Name;
use super::slim::Who;
use crate::domain::alert::Subject;
use crate::domain::vocabulary::IdentityKind;

/// Tells whether one native id of this kind is one thing, wherever it is named.
const fn is_credential(kind: IdentityKind) -> bool {
    use IdentityKind::{AccessKey, ApiToken, CiToken};
    matches!(kind, AccessKey | ApiToken | CiToken)
}

/// The credentials that are named in several environments, by their native ids.
#[derive(Clone, Debug, Default)]
pub struct Environments {
    several: HashSet<Name>,
    /// Those of which the second environment was seen just now.
    news: HashSet<Name>,
}

impl Environments {
    /// Takes in whom alerts name for the first time; `before` are those with the same native id, the last first. As long as
    /// there is no second environment all of them have the same, so that the last credential tells.
    pub fn take(&mut self, who: &Who, mut before: impl Iterator<Item = Who>) {
        if who.native == Name::default() || !is_credential(who.kind) {
            return;
        }
        let last = before.find(|who| is_credential(who.kind));
        if last.is_some_and(|last| last.provider != who.provider) && self.several.insert(who.native)
        {
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

impl Queue {
    /// Makes a queue for some of many alerts: it knows which credentials all of them name in several environments.
    pub fn knowing<'n>(natives: impl IntoIterator<Item = &'n String>) -> Self {
        let mut queue = Self::default();
        for native in natives {
            let native = queue.texts.names.take(native);
            queue.environments.several.insert(native);
        }
        queue
    }
}

/// Finds those credentials among alerts that are not all held at once.
#[derive(Debug, Default)]
pub struct Several {
    first: HashMap<String, String>,
    several: HashSet<String>,
}

impl Several {
    /// Tells whether somebody is a credential, by an id of its own.
    pub fn concerns(subject: &Subject) -> bool {
        !subject.native_id.raw().is_empty() && is_credential(subject.kind)
    }

    /// Takes in whom an alert names.
    pub fn take(&mut self, subject: &Subject) {
        if !Self::concerns(subject) {
            return;
        }
        let (native, provider) = (subject.native_id.raw(), subject.provider.raw());
        match self.first.get(native) {
            None => {
                self.first.insert(native.to_owned(), provider.to_owned());
            }
            Some(first) if first != provider => {
                self.several.insert(native.to_owned());
            }
            Some(_) => {}
        }
    }

    /// Returns their native ids.
    pub fn natives(self) -> Vec<String> {
        self.several.into_iter().collect()
    }
}
