//! What the readiness screen shows: how everybody stands, whom the filter leaves, and where the cursor is.

use std::sync::Arc;

use jiff::Timestamp;
use tui_input::Input;

use crate::domain::ids::IdentityId;
use crate::domain::readiness::{Readiness, Verdict};
use crate::domain::text::Untrusted;

/// What a provider did not tell: about whom, and which parts with the reason of each.
pub type Untold = (IdentityId, Vec<(String, Untrusted)>);

/// Most characters of an identity that a filter looks at: names from outside have any length.
const MOST_LOOKED_AT: usize = 600;

/// How everybody stood at a moment. Made away from the keys.
#[derive(Debug)]
pub struct Judged {
    /// When.
    pub at: Timestamp,
    /// Everybody, the greatest risk first.
    pub all: Vec<Readiness>,
    /// What a filter looks at, for each of them: id, name, verdict and gaps, in lower case.
    words: Vec<String>,
}

impl Judged {
    /// Prepares what was judged for the screen.
    pub fn new(all: Vec<Readiness>, at: Timestamp) -> Self {
        let words = all.iter().map(words).collect();
        Self { at, all, words }
    }

    /// Returns how many have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.all.iter().filter(|r| r.verdict == verdict).count()
    }
}

fn words(one: &Readiness) -> String {
    let mut text = String::new();
    for part in [one.verdict.as_str(), one.id.as_str(), one.name.raw()] {
        text.extend(part.chars().take(MOST_LOOKED_AT / 3));
        text.push(' ');
    }
    for gap in &one.gaps {
        text.push_str(gap.kind.as_str());
        text.push(' ');
    }
    text.to_lowercase()
}

/// The screen.
#[derive(Debug, Default)]
pub struct ReadinessScreen {
    /// Whether it is where one is when nothing lies over it, or when the map over it is closed.
    pub open: bool,
    /// Somebody went from here to the queue.
    pub away: bool,
    /// How everybody stands; none before the first answer.
    pub judged: Option<Arc<Judged>>,
    /// Whether an answer is under way.
    pub judging: bool,
    /// What is filtered by.
    pub filter: Input,
    /// Whether that is being typed.
    pub typing: bool,
    /// Whether keys scroll what is missing of one instead of going from one to the next.
    pub reading: bool,
    /// First line shown of what is missing.
    pub scroll: usize,
    /// Counted when an answer came: not ready, partly, ready.
    pub counts: [usize; 3],
    /// Places of those that the filter leaves.
    shown: Vec<usize>,
    cursor: usize,
}

impl ReadinessScreen {
    /// Returns how many the filter leaves.
    pub fn shown(&self) -> usize {
        self.shown.len()
    }

    /// Returns the row that has the cursor.
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns a row.
    pub fn row(&self, row: usize) -> Option<&Readiness> {
        let place = *self.shown.get(row)?;
        self.judged.as_ref()?.all.get(place)
    }

    /// Returns whom the cursor is on.
    pub fn current(&self) -> Option<&Readiness> {
        self.row(self.cursor)
    }

    /// Moves the cursor by rows.
    pub fn step(&mut self, delta: isize) {
        let last = self.shown.len().saturating_sub(1);
        let to = self.cursor.saturating_add_signed(delta).min(last);
        if to != self.cursor {
            self.cursor = to;
            self.scroll = 0;
        }
    }

    /// Takes in how everybody stands; the cursor stays on whom it was on.
    pub fn take(&mut self, judged: Arc<Judged>) {
        self.judging = false;
        let here = self.current().map(|r| r.id.clone());
        self.counts = [Verdict::Not, Verdict::Partly, Verdict::Ready].map(|v| judged.count(v));
        self.judged = Some(judged);
        self.look(here.as_ref());
    }

    /// Lets the filter look again; the cursor stays on whom it was on, where he is left.
    pub fn refilter(&mut self) {
        let here = self.current().map(|r| r.id.clone());
        self.look(here.as_ref());
    }

    fn look(&mut self, here: Option<&IdentityId>) {
        let Some(judged) = &self.judged else { return };
        let typed = self.filter.value().to_lowercase();
        let terms: Vec<(bool, &str)> = typed
            .split_whitespace()
            .map(|term| match term.strip_prefix('-') {
                Some(rest) if !rest.is_empty() => (false, rest),
                _ => (true, term),
            })
            .collect();
        let is_left = |place: &usize| {
            let words = judged.words.get(*place).map_or("", String::as_str);
            terms
                .iter()
                .all(|(wanted, term)| words.contains(term) == *wanted)
        };
        self.shown = (0..judged.all.len()).filter(is_left).collect();
        let found = here.and_then(|id| {
            let is_it = |place: &usize| judged.all.get(*place).is_some_and(|r| r.id == *id);
            self.shown.iter().position(is_it)
        });
        if found.is_none() {
            self.scroll = 0;
        }
        self.cursor = found.unwrap_or(0);
    }
}
