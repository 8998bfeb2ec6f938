//! The records of all logs as slim rows, and what the log's screen shows of them. Newest last; at the end it follows.

use std::collections::VecDeque;

use jiff::Timestamp;
use tui_input::Input;

use crate::domain::coverage::CellState;
use crate::domain::decision::{Decisions, Entry, RecordType};
use crate::domain::ids::{AlertId, IntentId};
use crate::domain::text::show;
use crate::domain::words;

/// Most rows kept, the newest; `stanch log show` has them all.
pub const KEPT: usize = 100_000;

/// Longest text of a row, in characters: wider than any terminal.
const LONGEST: usize = 400;

/// One record, as much of it as a line shows and a filter looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Which log (`site/host/user`).
    pub log: Box<str>,
    /// Its place there.
    pub seq: u64,
    /// When it was written.
    pub ts: Timestamp,
    /// What it is.
    pub kind: RecordType,
    /// By whom; shown text.
    pub actor: Box<str>,
    /// What it says; shown text. An act's state is not in it: that changes, see [`Self::state`].
    pub text: Box<str>,
    /// About which alert.
    pub alert: Option<AlertId>,
    /// The intent or the plan digest that it names.
    pub reference: Box<str>,
}

impl LogRow {
    /// Puts a record into words. `decisions` holds the records before it.
    pub fn of(entry: &Entry, decisions: &Decisions) -> Self {
        let words = words::summary(entry, decisions);
        let field = |name: &str| entry.body.get(name).and_then(serde_json::Value::as_str);
        let reference = field("intent").or_else(|| field("digest")).unwrap_or("");
        Self {
            log: entry.log.as_str().into(),
            seq: entry.seq,
            ts: entry.ts,
            kind: entry.kind,
            actor: show(&entry.actor).into(),
            text: show(&words).chars().take(LONGEST).collect(),
            alert: words::alert_of(entry, decisions),
            reference: show(reference).into(),
        }
    }

    /// Returns how the act of an intent stands now; `None` for every other record.
    pub fn state(&self, decisions: &Decisions) -> Option<CellState> {
        let intent = (self.kind == RecordType::Intent).then(|| IntentId::new(&*self.reference))?;
        decisions
            .act(&intent)
            .map(crate::domain::decision::Act::cell)
    }

    fn place(&self) -> (Timestamp, &str, u64) {
        (self.ts, &self.log, self.seq)
    }

    /// Tells whether every one of these lower-case words is somewhere in the row.
    fn matches(&self, terms: &[String], decisions: &Decisions) -> bool {
        terms.iter().all(|term| {
            let alert = self.alert.as_ref().map_or("", AlertId::as_str);
            [&*self.text, alert, &self.reference, &self.actor, &self.log]
                .iter()
                .any(|field| contains(field, term))
                || self.kind.as_str().contains(term.as_str())
                || term.parse() == Ok(self.seq)
                || self
                    .state(decisions)
                    .is_some_and(|state| state.words().contains(term.as_str()))
                // Only a time needs to be written out to be looked at.
                || (term.contains(':') && self.ts.to_string().to_lowercase().contains(term.as_str()))
        })
    }
}

/// Tells whether `text` contains `term`, which is lower case, whatever the case of the text.
fn contains(text: &str, term: &str) -> bool {
    if !text.is_ascii() || !term.is_ascii() {
        return text.to_lowercase().contains(term);
    }
    let Some(first) = term.bytes().next() else {
        return true;
    };
    let Some(last) = text.len().checked_sub(term.len()) else {
        return false;
    };
    let starts = memchr::memchr2_iter(first, first.to_ascii_uppercase(), text.as_bytes());
    starts
        .take_while(|at| *at <= last)
        .any(|at| text.as_bytes()[at..at + term.len()].eq_ignore_ascii_case(term.as_bytes()))
}

/// What verifying all logs came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// When it ended.
    pub at: Timestamp,
    /// Whether every byte is what was signed.
    pub intact: bool,
    /// How many lines were looked at, checkpoints included.
    pub lines: u64,
    /// In how many logs.
    pub logs: usize,
    /// How many things somebody should look at all the same.
    pub warnings: usize,
    /// The first thing that is wrong, else the first warning; shown text.
    pub finding: Option<String>,
    /// At which record that is.
    pub seq: Option<u64>,
}

/// How far verifying has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Nobody asked.
    #[default]
    NotYet,
    /// Under way in the background.
    Running,
    /// It ended.
    Ended(Verdict),
}

/// One record shown in full.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordView {
    /// Which log.
    pub log: String,
    /// Its place there.
    pub seq: u64,
    /// First line shown.
    pub scroll: usize,
    /// The record, once it is read, or why it cannot be.
    pub entry: Option<Result<Box<Entry>, String>>,
}

/// The newest records of all logs, and the screen on them.
#[derive(Debug, Default)]
pub struct Timeline {
    rows: VecDeque<LogRow>,
    older: u64,
    /// Places of the rows that the filter lets through; `None` without a filter.
    chosen: Option<Vec<usize>>,
    /// Place of the cursor among the rows shown; `None` is the end, which moves.
    cursor: Option<usize>,
    /// Whether the screen is open, under whatever lies over it.
    pub open: bool,
    /// What is typed to filter; see [`Self::refilter`].
    pub filter: Input,
    /// Whether keys go into the filter.
    pub typing: bool,
    /// The record shown in full.
    pub record: Option<RecordView>,
    /// Whether the log is what was signed.
    pub verification: Verification,
}

impl Timeline {
    /// Takes in rows in the order in which they were read; `left_out` earlier ones are only counted. The cursor stays on
    /// its record.
    pub fn add(&mut self, rows: Vec<LogRow>, left_out: u64, decisions: &Decisions) {
        let held = self.cursor.and_then(|_| self.current().cloned());
        self.older += left_out;
        self.rows.extend(rows);
        // Clocks of hosts differ, and a log may come late.
        if !self.rows.iter().is_sorted_by_key(LogRow::place) {
            let rows = self.rows.make_contiguous();
            rows.sort_by(|a, b| a.place().cmp(&b.place()));
        }
        let over = self.rows.len().saturating_sub(KEPT);
        self.rows.drain(..over);
        self.older += over as u64;
        self.choose(decisions);
        if let Some(held) = held {
            self.put_cursor_near(&held);
        }
    }

    /// Applies the filter as it is typed now.
    pub fn refilter(&mut self, decisions: &Decisions) {
        let held = self.cursor.and_then(|_| self.current().cloned());
        self.choose(decisions);
        if let Some(held) = held {
            self.put_cursor_near(&held);
        }
    }

    fn choose(&mut self, decisions: &Decisions) {
        let typed = self.filter.value().to_lowercase();
        let terms: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
        self.chosen = (!terms.is_empty()).then(|| {
            let rows = self.rows.iter().enumerate();
            rows.filter(|(_, row)| row.matches(&terms, decisions))
                .map(|(at, _)| at)
                .collect()
        });
    }

    /// Puts the cursor on a record, or on the first shown after it.
    fn put_cursor_near(&mut self, held: &LogRow) {
        let at = match &self.chosen {
            None => self.rows.partition_point(|row| row.place() < held.place()),
            Some(chosen) => chosen.partition_point(|at| self.rows[*at].place() < held.place()),
        };
        self.cursor = (at < self.shown()).then_some(at);
    }

    /// Returns how many rows are kept.
    pub fn kept(&self) -> usize {
        self.rows.len()
    }

    /// Returns how many older records there are that are not kept.
    pub const fn older(&self) -> u64 {
        self.older
    }

    /// Returns how many rows the filter lets through.
    pub fn shown(&self) -> usize {
        self.chosen.as_ref().map_or(self.rows.len(), Vec::len)
    }

    /// Tells whether a filter is in force.
    pub const fn is_filtered(&self) -> bool {
        self.chosen.is_some()
    }

    /// Returns a row by its place among those shown.
    pub fn row(&self, at: usize) -> Option<&LogRow> {
        match &self.chosen {
            None => self.rows.get(at),
            Some(chosen) => self.rows.get(*chosen.get(at)?),
        }
    }

    /// Returns the place of the cursor among the rows shown.
    pub fn cursor(&self) -> usize {
        let last = self.shown().saturating_sub(1);
        self.cursor.map_or(last, |at| at.min(last))
    }

    /// Tells whether the cursor follows what is written.
    pub const fn follows(&self) -> bool {
        self.cursor.is_none()
    }

    /// Returns the row under the cursor.
    pub fn current(&self) -> Option<&LogRow> {
        self.row(self.cursor())
    }

    /// Moves the cursor; beyond the last row it follows.
    pub fn step(&mut self, delta: isize) {
        self.go_to(self.cursor().saturating_add_signed(delta));
    }

    /// Puts the cursor on a place; the last one follows.
    pub fn go_to(&mut self, at: usize) {
        self.cursor = (at < self.shown().saturating_sub(1)).then_some(at);
    }
}
