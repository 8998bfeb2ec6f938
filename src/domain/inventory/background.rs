//! What the sources of an inventory say besides cards and map, and what was wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::identity::flags::Limits;
use crate::domain::identity::roster::Roster;
use crate::domain::identity::{At, Field, Identity, Said};
use crate::domain::text::{Untrusted, show};

/// Everything that holds for all identities.
#[derive(Clone, Debug, Default)]
pub struct Background {
    /// Teams and people who exist.
    pub roster: Roster,
    /// From when on something counts as old.
    pub limits: Limits,
    /// Providers that compare names without regard to case.
    pub folding: BTreeSet<String>,
    /// By class of credential, how one is put out of use.
    pub offboarding: BTreeMap<String, Untrusted>,
    /// What could not be read, or is doubtful.
    pub mistakes: Vec<Mistake>,
    /// The sources, the most trusted first.
    pub sources: Vec<SourceState>,
}

impl Background {
    /// Fills what a card leaves open from what holds for all: how to reach its team, how its credentials are put out of use.
    pub(super) fn complete(&self, card: &mut Identity) {
        for credential in &mut card.credentials {
            if credential.offboarding.is_none() {
                let of_class = self.offboarding.get(credential.kind.raw());
                credential.offboarding = of_class.cloned();
            }
        }
        let owners = [&card.technical_owner, &card.business_owner];
        let mut teams = owners
            .into_iter()
            .flatten()
            .filter_map(|owner| self.roster.find(owner.raw()));
        let Some(team) = teams.find(|t| t.on_call.is_some() || t.contact.is_some()) else {
            return;
        };
        let mut fill = |field, into: &mut Option<Untrusted>, from: &Option<Untrusted>| {
            if into.is_none() && from.is_some() {
                into.clone_from(from);
                card.said.extend(team.origin.as_ref().map(|origin| Said {
                    at: At::own(field),
                    origin: Arc::clone(origin),
                    line: 0,
                    value: None,
                }));
            }
        };
        // Another's telephone number beside a named person would be worse than none.
        if card.on_call.is_none() {
            fill(Field::Contact, &mut card.contact, &team.contact);
        }
        fill(Field::OnCall, &mut card.on_call, &team.on_call);
    }
}

/// Something wrong in a source. The rest of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which source, by its place in the order of trust.
    pub source: usize,
    /// The file or address. Escaped already.
    pub place: String,
    /// The line, counted from 1; 0 where it is in none.
    pub line: usize,
    /// What is wrong, and the way out. Escaped already; never the value of a secret.
    pub problem: String,
    /// How much of the source is missing because of it.
    pub loss: Loss,
}

/// What a mistake costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Nothing: it is only doubtful.
    None,
    /// An entry, or a part of one.
    Entry,
    /// Everything that the source would have said.
    Source,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.problem),
            line => write!(f, "{}:{line}: {}", self.place, self.problem),
        }
    }
}

/// How one source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// Its name.
    pub name: String,
    /// Its file or address.
    pub place: String,
    /// Its format, where it was found.
    pub format: Option<&'static str>,
    /// When what is used of it was said.
    pub at: Option<Timestamp>,
    /// How many identities it lists.
    pub identities: usize,
    /// Why it is not what it should be: what is used is a copy of earlier. Escaped already.
    pub trouble: Option<String>,
}

impl SourceState {
    /// Returns its name as it is drawn.
    pub fn shown(&self) -> String {
        show(&self.name).into_owned()
    }
}
