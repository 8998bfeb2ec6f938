//! Records as slim rows: 64 bytes each, names once, and all words in one text that a filter scans.

use std::collections::HashMap;
use std::hash::Hash;

use jiff::Timestamp;

use crate::domain::decision::{DecisionKind, Decisions, Entry, RecordType};
use crate::domain::ids::{AlertId, IdentityId, IntentId};
use crate::domain::text::show;
use crate::domain::wanted::ActState;
use crate::domain::words;

/// Longest text of a row, in characters: wider than any terminal.
const LONGEST: usize = 400;

/// Stands for "none" where a place in a table would stand.
const NONE: u32 = u32::MAX;

/// Each value once, by its place.
#[derive(Debug)]
pub struct Table<T> {
    all: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    fn place(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(NONE);
        *self.places.entry(value).or_insert_with_key(|value| {
            self.all.push(value.clone());
            next
        })
    }

    /// Finds the place of a value.
    pub fn find(&self, value: &T) -> Option<u32> {
        self.places.get(value).copied()
    }

    /// Returns the value at a place.
    pub fn get(&self, place: u32) -> Option<&T> {
        self.all.get(place as usize)
    }

    /// Returns all values by place.
    pub fn all(&self) -> &[T] {
        &self.all
    }
}

/// Where a record stands in the merged timeline. Where the clock of a log stepped back, its later record counts as
/// being as late as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    at: i64,
    log: u32,
    seq: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Slim {
    pub(super) key: Key,
    /// How much earlier the record says it was written, in nanoseconds.
    back: u64,
    start: u32,
    /// Bytes of the words that are shown.
    shown: u16,
    /// Bytes behind them that are only looked at by a filter.
    hidden: u16,
    pub(super) actor: u32,
    pub(super) by: u32,
    pub(super) alert: u32,
    pub(super) identity: u32,
    pub(super) act: u32,
    pub(super) kind: RecordType,
    pub(super) decision: Option<DecisionKind>,
}

/// All rows, oldest first.
#[derive(Debug, Default)]
pub struct Rows {
    pub(super) slim: Vec<Slim>,
    text: String,
    pub(super) logs: Table<String>,
    /// By log, as how late its last record counts.
    latest: Vec<i64>,
    pub(super) names: Table<String>,
    pub(super) alerts: Table<AlertId>,
    pub(super) identities: Table<IdentityId>,
    acts: Table<IntentId>,
    states: Vec<Option<ActState>>,
}

/// One row as the screen shows it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Which log (`site/host/user`), as it came.
    pub log: &'a str,
    /// Its place there.
    pub seq: u64,
    /// When it was written.
    pub ts: Timestamp,
    /// What it is.
    pub kind: RecordType,
    /// By whom; shown text.
    pub actor: &'a str,
    /// What it says; shown text. An act's state is not in it: that changes.
    pub text: &'a str,
    /// About which alert.
    pub alert: Option<&'a AlertId>,
    /// About which identity.
    pub identity: Option<&'a IdentityId>,
    /// How the act of an intent stands now; `None` for every other record.
    pub state: Option<ActState>,
}

/// What came of taking records in.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// First place that is not what it was: rows from here on are new or were moved.
    pub(super) from: usize,
    /// Places of the new rows, ascending.
    pub(super) new: Vec<usize>,
    /// Whether an act that was there before stands otherwise now.
    pub(super) state_changed: bool,
}

impl Rows {
    /// Puts records into words. `before` holds the decisions of the records before them; [`Self::note_states`] follows
    /// when they are applied.
    pub(super) fn slim_of(&mut self, entry: &Entry, before: &Decisions) -> Slim {
        let start = self.text.len();
        let summary = words::summary(entry, before);
        self.text.extend(show(&summary).chars().take(LONGEST));
        let shown = self.text.len() - start;
        let alert = words::alert_of(entry, before);
        let identity = words::identity_of(entry, before);
        self.add_hidden(entry, start, alert.as_ref(), identity.as_ref());
        let hidden = self.text.len() - start - shown;
        let key = self.key_of(entry);
        let by = entry.body.get("by").and_then(|by| by.as_str());
        let act = intent_of(entry).map(|id| self.acts.place(id));
        Slim {
            key,
            back: key.at.abs_diff(nanoseconds(entry.ts)),
            start: u32::try_from(start).unwrap_or(u32::MAX),
            shown: u16::try_from(shown).unwrap_or(u16::MAX),
            hidden: u16::try_from(hidden).unwrap_or(0),
            actor: self.names.place(show(&entry.actor).into_owned()),
            by: by.map_or(NONE, |by| self.names.place(show(by).into_owned())),
            alert: alert.map_or(NONE, |id| self.alerts.place(id)),
            identity: identity.map_or(NONE, |id| self.identities.place(id)),
            act: act.unwrap_or(NONE),
            kind: entry.kind,
            decision: decision_kind(entry),
        }
    }

    /// Adds what a line has no room for and somebody may look for.
    fn add_hidden(
        &mut self,
        entry: &Entry,
        start: usize,
        alert: Option<&AlertId>,
        identity: Option<&IdentityId>,
    ) {
        let mut more: Vec<String> = Vec::new();
        let named = [
            alert.map(AlertId::as_str),
            identity.map(IdentityId::as_str),
            entry.body.get("intent").and_then(|v| v.as_str()),
            entry.body.get("digest").and_then(|v| v.as_str()),
            entry
                .body
                .get("provider_request_id")
                .and_then(|v| v.as_str()),
        ];
        for name in named.into_iter().flatten() {
            let name = show(name);
            let there = self.text.get(start..).is_some_and(|t| t.contains(&*name));
            if !there && name.len() < LONGEST {
                more.push(name.into_owned());
            }
        }
        let stored = entry.body.get("evidence").and_then(|v| v.as_array());
        for one in stored.into_iter().flatten().take(16) {
            for field in ["name", "sha256"] {
                if let Some(text) = one[field].as_str().filter(|t| t.len() < LONGEST) {
                    more.push(show(text).into_owned());
                }
            }
        }
        for text in more {
            // A line feed is in no text that is shown, so nothing is found across the seam.
            self.text.push('\n');
            self.text.push_str(&text);
        }
    }

    fn key_of(&mut self, entry: &Entry) -> Key {
        let log = match self.logs.find(&entry.log) {
            Some(log) => log,
            None => self.logs.place(entry.log.clone()),
        };
        if self.latest.len() <= log as usize {
            self.latest.resize(log as usize + 1, i64::MIN);
        }
        let mut at = nanoseconds(entry.ts);
        if let Some(latest) = self.latest.get_mut(log as usize) {
            at = at.max(*latest);
            *latest = at;
        }
        Key {
            at,
            log,
            seq: entry.seq,
        }
    }

    /// Notes how the act that a record belongs to stands, now that the record is applied. Returns whether that is new.
    pub(super) fn note_state(&mut self, act: u32, decisions: &Decisions) -> bool {
        let Some(id) = self.acts.get(act) else {
            return false;
        };
        let state = decisions.act(id).map(ActState::from);
        if self.states.len() <= act as usize {
            self.states.resize(act as usize + 1, None);
        }
        let known = self.states.get_mut(act as usize);
        known.is_some_and(|known| {
            let changed = known.is_some() && *known != state;
            *known = state;
            changed
        })
    }

    /// Takes rows in where they belong.
    pub(super) fn take(&mut self, mut new: Vec<Slim>) -> Taken {
        new.sort_by_key(|row| row.key);
        let Some(first) = new.first().map(|row| row.key) else {
            return Taken {
                from: self.slim.len(),
                ..Taken::default()
            };
        };
        let from = self.slim.partition_point(|row| row.key < first);
        let tail = self.slim.split_off(from);
        let mut places = Vec::with_capacity(new.len());
        let mut old = tail.into_iter().peekable();
        for row in new {
            while let Some(before) = old.next_if(|o| o.key < row.key) {
                self.slim.push(before);
            }
            places.push(self.slim.len());
            self.slim.push(row);
        }
        self.slim.extend(old);
        Taken {
            from,
            new: places,
            state_changed: false,
        }
    }

    /// Drops the oldest rows and their words.
    pub(super) fn drop_oldest(&mut self, count: usize) {
        self.slim.drain(..count);
        let mut text = String::with_capacity(self.text.len());
        for row in &mut self.slim {
            let from = row.start as usize;
            let words = self
                .text
                .get(from..from + usize::from(row.shown) + usize::from(row.hidden));
            row.start = u32::try_from(text.len()).unwrap_or(u32::MAX);
            text.push_str(words.unwrap_or(""));
        }
        self.text = text;
    }

    /// Returns how many bytes the words take.
    pub(super) const fn words_len(&self) -> usize {
        self.text.len()
    }

    /// Returns how many rows there are.
    pub const fn len(&self) -> usize {
        self.slim.len()
    }

    /// Tells whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.slim.is_empty()
    }

    pub(super) fn key(&self, at: usize) -> Option<Key> {
        self.slim.get(at).map(|row| row.key)
    }

    pub(super) fn state_of(&self, row: &Slim) -> Option<ActState> {
        self.states.get(row.act as usize).copied().flatten()
    }

    /// Returns all words of a row, also those that are not shown.
    pub(super) fn words_of(&self, row: &Slim) -> &str {
        let from = row.start as usize;
        let len = usize::from(row.shown) + usize::from(row.hidden);
        self.text.get(from..from + len).unwrap_or("")
    }

    pub(super) const fn ts_of(row: &Slim) -> i64 {
        row.key.at.saturating_sub_unsigned(row.back)
    }

    /// Returns a row.
    pub fn row(&self, at: usize) -> Option<Row<'_>> {
        let row = self.slim.get(at)?;
        let words = self.words_of(row);
        let ts = Timestamp::from_nanosecond(i128::from(Self::ts_of(row))).ok()?;
        Some(Row {
            log: self.logs.get(row.key.log).map_or("", String::as_str),
            seq: row.key.seq,
            ts,
            kind: row.kind,
            actor: self.names.get(row.actor).map_or("", String::as_str),
            text: words.get(..usize::from(row.shown)).unwrap_or(""),
            alert: self.alerts.get(row.alert),
            identity: self.identities.get(row.identity),
            state: (row.kind == RecordType::Intent)
                .then(|| self.state_of(row))
                .flatten(),
        })
    }

    /// Counts rows that are not below these heads: lines of a log that are covered, by origin.
    pub(super) fn beyond(
        &self,
        heads: &[(String, u64)],
        places: impl Iterator<Item = usize>,
    ) -> usize {
        let covered: Vec<u64> = self
            .logs
            .all()
            .iter()
            .map(|log| heads.iter().find(|(o, _)| o == log).map_or(0, |h| h.1))
            .collect();
        let is_beyond = |row: &Slim| {
            let size = covered.get(row.key.log as usize);
            size.is_none_or(|size| row.key.seq >= *size)
        };
        let rows = places.filter_map(|at| self.slim.get(at));
        rows.filter(|row| is_beyond(row)).count()
    }
}

impl Key {
    pub(super) const fn log(self) -> u32 {
        self.log
    }

    pub(super) const fn seq(self) -> u64 {
        self.seq
    }
}

fn intent_of(entry: &Entry) -> Option<IntentId> {
    entry.body.get("intent")?.as_str().map(IntentId::new)
}

fn decision_kind(entry: &Entry) -> Option<DecisionKind> {
    (entry.kind == RecordType::Decision)
        .then(|| entry.body.get("kind")?.as_str())
        .flatten()
        .and_then(DecisionKind::parse)
}

/// Nanoseconds since 1970; what lies outside of three centuries around it is not a time of any log.
fn nanoseconds(ts: Timestamp) -> i64 {
    i64::try_from(ts.as_nanosecond()).unwrap_or(i64::MAX)
}
