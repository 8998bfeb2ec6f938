//! The records of all logs as slim rows, and what the log's screen shows of them. Newest last; at the end it follows.

mod needle;
mod rows;
mod scan;

use std::collections::VecDeque;

use jiff::Timestamp;
use tui_input::Input;

use super::msg::Held;
use crate::domain::decision::{Decisions, Entry, Evidence};
use crate::domain::wanted::Wanted;

pub use rows::{Key, Row, Rows};
pub use scan::SLICE;
use scan::Sieve;

/// Most rows kept, the newest; `stanch log show` has them all.
pub const KEPT: usize = 2_000_000;

/// Most bytes of words kept.
const WORDS: usize = 1 << 30;

/// What verifying all logs came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// When it ended.
    pub at: Timestamp,
    /// Whether every byte is what was signed.
    pub intact: bool,
    /// How many lines were looked at, checkpoints included.
    pub lines: u64,
    /// By log, how many lines the last good head covers.
    pub heads: Vec<(String, u64)>,
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
    Running {
        /// Bytes looked at.
        done: u64,
        /// Bytes there are.
        all: u64,
    },
    /// It ended.
    Ended(Verdict),
}

/// A record as it stands in the log, with what is stored beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The record.
    pub entry: Entry,
    /// Its evidence, each with how the file was found.
    pub evidence: Vec<(Evidence, Stored)>,
}

/// How a stored file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Its bytes are what the record says.
    Matches,
    /// Its bytes are others.
    Differs,
    /// It is not there: removed, or not copied with the log.
    Missing,
    /// It could not be read; why, in shown text.
    Unreadable(String),
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
    pub found: Option<Result<Box<Found>, String>>,
}

/// Where somebody was before following a record elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    filter: String,
    at: Option<Key>,
}

/// The newest records of all logs, and the screen on them.
#[derive(Debug, Default)]
pub struct Timeline {
    rows: Rows,
    older: u64,
    /// Records that came and are not taken in yet.
    backlog: VecDeque<Entry>,
    /// What is given up when so many of them are taken in.
    held_on: VecDeque<(usize, Held)>,
    sieve: Option<Sieve>,
    /// Places of the rows that the filter lets through, as far as it has looked; unused without a filter.
    chosen: VecDeque<usize>,
    /// Rows before this place were not looked at yet.
    unscanned: usize,
    /// Place of the cursor among the rows shown; `None` is the end, which moves.
    cursor: Option<usize>,
    /// The record that the cursor returns to as soon as the filter has found it.
    held: Option<Key>,
    /// Rows that came below the cursor since it left the end.
    unseen: usize,
    /// Rows that no verdict covers.
    unverified: usize,
    /// Whether what stood in the log at the start has been read.
    pub read: bool,
    /// Whether the screen is open, under whatever lies over it.
    pub open: bool,
    /// Whether somebody went from a record to the queue and may come back.
    pub away: bool,
    /// Ways back inside the log, the last first to be taken.
    pub trail: Vec<Place>,
    /// What is typed to filter; see [`Self::refilter`].
    pub filter: Input,
    /// What in it cannot be used, in words.
    pub complaint: Option<String>,
    /// Whether keys go into the filter.
    pub typing: bool,
    /// The record shown in full.
    pub record: Option<RecordView>,
    /// Whether the log is what was signed.
    pub verification: Verification,
    /// Whether somebody asked for the verifying that is under way; else it began with the screen.
    pub asked_to_verify: bool,
}

impl Timeline {
    /// Puts records aside until [`Self::take_in`] gets to them.
    pub fn put_off(&mut self, entries: Vec<Entry>) {
        self.backlog.extend(entries);
    }

    /// Keeps something until every record that waits now is taken in.
    pub fn hold_on(&mut self, held: Held) {
        if !self.backlog.is_empty() {
            self.held_on.push_back((self.backlog.len(), held));
        }
    }

    /// Gives up what was kept for so many records.
    fn let_go(&mut self, taken: usize) {
        for (left, _) in &mut self.held_on {
            *left = left.saturating_sub(taken);
        }
        while self.held_on.front().is_some_and(|(left, _)| *left == 0) {
            self.held_on.pop_front();
        }
    }

    /// Returns how many records wait to be taken in.
    pub fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// Tells whether something is left to do in slices.
    pub fn has_more(&self) -> bool {
        !self.backlog.is_empty() || (self.is_filtered() && self.unscanned > 0)
    }

    /// Takes in the next records, at most `most`, applies them to `decisions` and returns them.
    pub fn take_in(&mut self, most: usize, decisions: &mut Decisions) -> Vec<Entry> {
        let count = self.backlog.len().min(most);
        let entries: Vec<Entry> = self.backlog.drain(..count).collect();
        if self.backlog.is_empty() {
            self.backlog = VecDeque::new();
        }
        self.let_go(count);
        let held = self.held();
        let mut new = Vec::with_capacity(count);
        let mut changed = false;
        for entry in &entries {
            // Before it is applied, so that the words of an act do not hold a state that will change.
            let row = self.rows.slim_of(entry, decisions);
            decisions.apply(entry);
            changed |= self.rows.note_state(row.act, decisions);
            new.push(row);
        }
        let mut taken = self.rows.take(new);
        taken.state_changed = changed;
        if let Verification::Ended(verdict) = &self.verification {
            self.unverified += self.rows.beyond(&verdict.heads, taken.new.iter().copied());
        }
        let again = self.sieve.as_mut().is_some_and(|sieve| {
            sieve.learn(&self.rows) || (taken.state_changed && sieve.looks_at_states())
        });
        if again {
            self.start_scan();
        } else if self.sieve.is_some() {
            self.choose_new(&taken);
        }
        if let Some(held) = held {
            let below = taken
                .new
                .iter()
                .filter(|at| self.rows.key(**at) > Some(held));
            let below = below.filter(|at| self.lets_through(**at)).count();
            self.unseen += below;
            self.put_cursor_on(held);
        }
        self.drop_surplus();
        entries
    }

    fn lets_through(&self, at: usize) -> bool {
        self.sieve
            .as_ref()
            .is_none_or(|sieve| sieve.passes(&self.rows, at))
    }

    /// Keeps the chosen places right after rows came, some of them perhaps between others.
    fn choose_new(&mut self, taken: &rows::Taken) {
        let Some(sieve) = &self.sieve else { return };
        let keep = self.chosen.partition_point(|at| *at < taken.from);
        let moved: Vec<usize> = self.chosen.drain(keep..).collect();
        let new = &taken.new;
        // A row moves by as many new rows as stand before it now.
        let (mut shift, mut tail) = (0, Vec::with_capacity(moved.len() + new.len()));
        for at in moved {
            while new.get(shift).is_some_and(|n| *n <= at + shift) {
                shift += 1;
            }
            tail.push(at + shift);
        }
        let passing = new.iter().filter(|at| sieve.passes(&self.rows, **at));
        tail.extend(passing.copied());
        tail.sort_unstable();
        self.chosen.extend(tail);
        // What is new was looked at; what is not looked at yet stands before it, or moved with it.
        if taken.from < self.unscanned {
            self.start_scan();
        }
    }

    fn drop_surplus(&mut self) {
        let (rows, words) = (self.rows.len(), self.rows.words_len());
        if rows <= KEPT && words <= WORDS {
            return;
        }
        let held = self.held();
        // More than needed, so that it is seldom needed.
        let over = rows.saturating_sub(KEPT) + KEPT / 8;
        let over = over.max(if words > WORDS { rows / 4 } else { 0 }).min(rows);
        self.rows.drop_oldest(over);
        self.older += over as u64;
        if self.sieve.is_some() {
            self.start_scan();
        }
        if let Some(held) = held {
            self.put_cursor_on(held);
        }
    }

    /// Applies the filter as it is typed now; what is not looked at yet follows in [`Self::scan_on`].
    pub fn refilter(&mut self, now: Timestamp) {
        let held = self.held();
        let (wanted, complaint) = Wanted::typed(self.filter.value(), now);
        self.complaint = complaint;
        let sieve = Sieve::new(wanted, &self.rows);
        self.sieve = (!sieve.is_all()).then_some(sieve);
        self.unseen = 0;
        self.start_scan();
        if let Some(held) = held {
            self.put_cursor_on(held);
        }
    }

    fn start_scan(&mut self) {
        self.chosen.clear();
        self.unscanned = 0;
        if let Some(sieve) = &mut self.sieve {
            if sieve.learn(&self.rows) {
                // The filter itself is made anew with names that are there now.
                *sieve = Sieve::new(sieve.wanted(), &self.rows);
            }
            self.unscanned = self.rows.len();
            self.scan_on();
        }
    }

    /// Lets the filter look at the next slice, from newest to oldest.
    pub fn scan_on(&mut self) {
        let Some(sieve) = &self.sieve else { return };
        let from = self.unscanned.saturating_sub(SLICE);
        let before = self.chosen.len();
        for at in (from..self.unscanned).rev() {
            if sieve.passes(&self.rows, at) {
                self.chosen.push_front(at);
            }
        }
        self.unscanned = from;
        let found = self.chosen.len() - before;
        if let Some(at) = &mut self.cursor {
            *at += found;
        }
        if let Some(held) = self.held.take() {
            self.put_cursor_on(held);
        }
    }

    /// Returns the record that the cursor is on, unless it follows.
    fn held(&self) -> Option<Key> {
        let at = self.cursor?;
        self.held.or_else(|| self.key(at))
    }

    fn key(&self, at: usize) -> Option<Key> {
        self.rows.key(self.place(at)?)
    }

    fn place(&self, at: usize) -> Option<usize> {
        match &self.sieve {
            None => Some(at),
            Some(_) => self.chosen.get(at).copied(),
        }
    }

    /// Puts the cursor on a record, or on the first shown after it.
    fn put_cursor_on(&mut self, held: Key) {
        let row = |at: usize| self.rows.key(at);
        let at = match &self.sieve {
            None => self.rows.slim.partition_point(|row| row.key < held),
            Some(_) => self.chosen.partition_point(|at| row(*at) < Some(held)),
        };
        // The record may be among those that the filter has not looked at.
        let first_seen = row(self.unscanned);
        self.held = (self.unscanned > 0 && first_seen > Some(held)).then_some(held);
        self.cursor = (at < self.shown()).then_some(at);
        if self.held.is_some() {
            self.cursor = Some(at);
        }
        if self.cursor.is_none() {
            self.unseen = 0;
        }
    }

    /// Tells whether verifying is under way that somebody asked for.
    pub const fn is_verified_on_demand(&self) -> bool {
        self.asked_to_verify && matches!(self.verification, Verification::Running { .. })
    }

    /// Takes in a verdict.
    pub fn judged(&mut self, verdict: Verdict) {
        self.unverified = self.rows.beyond(&verdict.heads, 0..self.rows.len());
        self.verification = Verification::Ended(verdict);
    }

    /// Returns how many rows no verdict covers yet; without a verdict this means nothing.
    pub const fn unverified(&self) -> usize {
        self.unverified
    }

    /// Returns how many rows are kept.
    pub const fn kept(&self) -> usize {
        self.rows.len()
    }

    /// Returns how many older records there are that are not kept.
    pub const fn older(&self) -> u64 {
        self.older
    }

    /// Returns how many rows the filter lets through, as far as it has looked.
    pub fn shown(&self) -> usize {
        self.sieve
            .as_ref()
            .map_or(self.rows.len(), |_| self.chosen.len())
    }

    /// Tells whether a filter is in force.
    pub const fn is_filtered(&self) -> bool {
        self.sieve.is_some()
    }

    /// Returns how many rows the filter has not looked at yet.
    pub const fn unscanned(&self) -> usize {
        self.unscanned
    }

    /// Returns how many rows came below the cursor since it left the end.
    pub const fn unseen(&self) -> usize {
        self.unseen
    }

    /// Returns a row by its place among those shown.
    pub fn row(&self, at: usize) -> Option<Row<'_>> {
        self.rows.row(self.place(at)?)
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
    pub fn current(&self) -> Option<Row<'_>> {
        self.row(self.cursor())
    }

    /// Moves the cursor; beyond the last row it follows.
    pub fn step(&mut self, delta: isize) {
        self.go_to(self.cursor().saturating_add_signed(delta));
    }

    /// Puts the cursor on a place; the last one follows.
    pub fn go_to(&mut self, at: usize) {
        self.held = None;
        self.cursor = (at < self.shown().saturating_sub(1)).then_some(at);
        if self.cursor.is_none() {
            self.unseen = 0;
        }
    }

    /// Holds the cursor on its record, also at the end: somebody reads it.
    pub fn hold(&mut self) {
        if self.shown() > 0 {
            self.cursor = Some(self.cursor());
        }
    }

    /// Remembers the place, to come back by [`Self::go_back`].
    pub fn remember(&mut self) {
        let place = Place {
            filter: self.filter.value().to_owned(),
            at: self.held(),
        };
        self.trail.push(place);
    }

    /// Goes back to the place remembered last; tells whether there was one.
    pub fn go_back(&mut self, now: Timestamp) -> bool {
        let Some(place) = self.trail.pop() else {
            return false;
        };
        self.filter = Input::new(place.filter);
        self.typing = false;
        self.cursor = None;
        self.held = None;
        self.refilter(now);
        if let Some(at) = place.at {
            self.put_cursor_on(at);
        }
        true
    }
}
