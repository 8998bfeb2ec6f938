//! A filter over all rows, in slices: the newest first, so that what is on screen is right at once and no key waits.

use jiff::Timestamp;

use super::needle::Needle;
use super::rows::{Rows, Slim};
use crate::domain::decision::RecordType;
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::wanted::{ActState, Facts, Named, Wanted};

/// Rows that one slice looks at: a few milliseconds.
pub const SLICE: usize = 50_000;

/// What is asked for, made ready for rows.
#[derive(Clone, Debug, Default)]
pub struct Sieve {
    wanted: Wanted,
    needles: Vec<Needle>,
    /// By name and by log: whether it is the analyst that is asked for.
    names: Vec<bool>,
    logs: Vec<bool>,
    identities: Vec<bool>,
    alerts: Vec<bool>,
    /// By text, by name and by log: whether it contains the text.
    names_with: Vec<Vec<bool>>,
    logs_with: Vec<Vec<bool>>,
}

impl Sieve {
    /// Makes a filter ready. Names are settled by what is in the rows.
    pub fn new(mut wanted: Wanted, rows: &Rows) -> Self {
        settle(&mut wanted, rows);
        let needles: Vec<Needle> = wanted.texts.iter().map(|t| Needle::new(t)).collect();
        let mut sieve = Self {
            names_with: vec![Vec::new(); needles.len()],
            logs_with: vec![Vec::new(); needles.len()],
            needles,
            wanted,
            ..Self::default()
        };
        sieve.learn(rows);
        sieve
    }

    /// Returns what is asked for.
    pub fn wanted(&self) -> Wanted {
        self.wanted.clone()
    }

    /// Tells whether everything passes.
    pub fn is_all(&self) -> bool {
        self.wanted.is_all()
    }

    /// Tells whether the answer for a row changes when its act goes on.
    pub fn looks_at_states(&self) -> bool {
        self.wanted.looks_at_states()
    }

    /// Looks at names that are new since the last call. Returns whether one of them settles a name of the filter, so
    /// that all rows have to be looked at again.
    pub fn learn(&mut self, rows: &Rows) -> bool {
        let mut settled = self.wanted.clone();
        settle(&mut settled, rows);
        if settled != self.wanted {
            return true;
        }
        if let Some(who) = &self.wanted.analyst {
            extend(&mut self.names, rows.names.all(), |n| who.means_analyst(n));
            extend(&mut self.logs, rows.logs.all(), |l| who.means(l));
        }
        if let Some(id) = &self.wanted.identity {
            let all = rows.identities.all();
            extend(&mut self.identities, all, |i| id.means(i.as_str()));
        }
        if let Some(id) = &self.wanted.alert {
            extend(&mut self.alerts, rows.alerts.all(), |a| {
                id.means(a.as_str())
            });
        }
        for ((needle, names), logs) in self
            .needles
            .iter()
            .zip(&mut self.names_with)
            .zip(&mut self.logs_with)
        {
            extend(names, rows.names.all(), |n| needle.is_in(n));
            extend(logs, rows.logs.all(), |l| needle.is_in(l));
        }
        false
    }

    /// Tells whether the row at a place passes.
    pub fn passes(&self, rows: &Rows, at: usize) -> bool {
        rows.slim.get(at).is_some_and(|row| {
            self.wanted.wants(&Look {
                sieve: self,
                rows,
                row,
            })
        })
    }
}

/// Finds out which names stand in the rows exactly as they were typed.
fn settle(wanted: &mut Wanted, rows: &Rows) {
    if let Some(id) = &mut wanted.identity {
        id.settle(rows.identities.find(&IdentityId::new(id.word())).is_some());
    }
    if let Some(id) = &mut wanted.alert {
        id.settle(rows.alerts.find(&AlertId::new(id.word())).is_some());
    }
    if let Some(who) = &mut wanted.analyst {
        let mut all = rows.names.all().iter().chain(rows.logs.all());
        who.settle(all.any(|name| who.is_analyst(name)));
    }
}

fn extend<T>(known: &mut Vec<bool>, all: &[T], is: impl Fn(&T) -> bool) {
    known.extend(all.iter().skip(known.len()).map(is).collect::<Vec<_>>());
}

fn flag(flags: &[bool], place: u32) -> bool {
    flags.get(place as usize).copied().unwrap_or(false)
}

struct Look<'a> {
    sieve: &'a Sieve,
    rows: &'a Rows,
    row: &'a Slim,
}

impl Facts for Look<'_> {
    fn ts(&self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(Rows::ts_of(self.row))).unwrap_or_default()
    }

    fn kind(&self) -> RecordType {
        self.row.kind
    }

    fn is_decision(&self, kinds: &[String]) -> bool {
        self.row
            .decision
            .is_some_and(|kind| kinds.iter().any(|k| k == kind.as_str()))
    }

    fn is_by(&self, _: &Named) -> bool {
        flag(&self.sieve.names, self.row.actor)
            || flag(&self.sieve.names, self.row.by)
            || flag(&self.sieve.logs, self.row.key.log())
    }

    fn names_identity(&self, _: &Named) -> bool {
        flag(&self.sieve.identities, self.row.identity)
    }

    fn names_alert(&self, _: &Named) -> bool {
        flag(&self.sieve.alerts, self.row.alert)
    }

    fn state(&self) -> Option<ActState> {
        self.rows.state_of(self.row)
    }

    fn contains(&self, place: usize, text: &str) -> bool {
        let Some(needle) = self.sieve.needles.get(place) else {
            return false;
        };
        let among = |flags: &[Vec<bool>], at| flags.get(place).is_some_and(|f| flag(f, at));
        needle.is_in(self.rows.words_of(self.row))
            || among(&self.sieve.names_with, self.row.actor)
            || among(&self.sieve.logs_with, self.row.key.log())
            || self.row.kind.as_str().contains(text)
            || text.parse() == Ok(self.row.key.seq())
            || (self.row.kind == RecordType::Intent
                && self
                    .state()
                    .is_some_and(|state| state.cell.words().contains(text)))
    }
}
