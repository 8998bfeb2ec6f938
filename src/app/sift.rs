//! The filter of the queue: typed, applied with every key, and never the reason that a selected alert is out of sight.

use std::collections::HashMap;

use jiff::Timestamp;
use tui_input::Input;

use super::keys::{Code, Key};
use super::model::{Model, Overlay};
use super::msg::Effect;
use super::{field, triage};
use crate::domain::alert::Subject;
use crate::domain::filter::{Filter, Test};
use crate::domain::inventory::Resolution;
use crate::domain::queue::{Facts, Queue, Row, Slot};

/// What is typed to filter the queue.
#[derive(Debug, Default)]
pub struct Sift {
    /// The text.
    pub input: Input,
    /// Whether keys go into it.
    pub typing: bool,
    /// What in it cannot be used, with the column.
    pub complaint: Option<String>,
    filter: Filter,
}

impl Sift {
    /// Tells whether some alerts may be hidden.
    pub const fn is_active(&self) -> bool {
        !self.filter.is_all()
    }

    /// Tells whether decisions change what it lets through.
    pub fn looks_at_states(&self) -> bool {
        let by_state = |test: &Test| matches!(test, Test::State(_));
        self.filter.terms.iter().any(|term| by_state(&term.test))
    }
}

/// Handles a key while the filter is typed. What it lets through follows every key.
pub fn key(model: &mut Model, key: Key, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    match key.code {
        Code::Esc => clear(model, now),
        Code::Enter => {
            model.sift.typing = false;
            Vec::new()
        }
        Code::Down => triage::go(model, 1),
        Code::Up => triage::go(model, -1),
        Code::PageDown => triage::go(model, 10),
        Code::PageUp => triage::go(model, -10),
        _ => {
            let before = model.sift.input.value().to_owned();
            field::edit(&mut model.sift.input, key);
            if model.sift.input.value() == before {
                return Vec::new();
            }
            apply(model, now)
        }
    }
}

/// Puts pasted text into the filter.
pub fn paste(model: &mut Model, text: &str, now: Timestamp) -> Vec<Effect> {
    field::paste(&mut model.sift.input, text);
    apply(model, now)
}

/// Shows all alerts again.
pub fn clear(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    model.sift = Sift::default();
    apply(model, now)
}

/// Applies the filter as it is typed now.
fn apply(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let (filter, complaint) = Filter::typed(model.sift.input.value());
    model.sift.complaint = complaint.map(|error| error.to_string());
    if filter == model.sift.filter
        && filter.is_all() == model.sift.filter.is_all()
        && !filter.is_all()
    {
        return Vec::new();
    }
    model.sift.filter = filter;
    again(model, now)
}

/// Applies the filter to what the alerts are now.
pub fn again(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    let states = states(model);
    let inventory = &model.inventory;
    let identity = |subject: &Subject| match inventory.resolve_subject(subject) {
        Resolution::Known(id) => inventory.identity(&id),
        _ => None,
    };
    let facts = Facts {
        identity: &identity,
        states,
        now: u32::try_from(now.as_second()).unwrap_or(0),
    };
    model.queue.set_filter(&model.sift.filter, facts);
    look_on(model)
}

/// Lets the filter look at the next slice. When it has looked at all, the cursor goes to an alert that is shown, unless
/// something is open that is about the selected one.
pub fn look_on(model: &mut Model) -> Vec<Effect> {
    if model.queue.look_on() {
        return vec![Effect::Continue];
    }
    model.dirty = true;
    let seen = model
        .selected
        .as_ref()
        .and_then(|id| model.queue.position(id));
    if seen.is_some() || !matches!(model.overlay, Overlay::None) {
        return Vec::new();
    }
    let first = model.queue.at(0);
    triage::select(model, first)
}

/// Tells for each of these alerts whether a filter lets it through, for lists outside the screen. The queue then holds
/// these alerts only.
pub fn passing(model: &mut Model, filter: &Filter, rows: &[Row], now: Timestamp) -> Vec<bool> {
    model.queue = Queue::default();
    model.queue.take(rows, true);
    model.sift.filter = filter.clone();
    again(model, now);
    while model.queue.is_looking() {
        look_on(model);
    }
    rows.iter()
        .map(|row| model.queue.position(&row.alert.id).is_some())
        .collect()
}

/// Returns how the alerts stand that anything was decided or done about; all others are new.
fn states(model: &Model) -> HashMap<Slot, &'static str> {
    if !model.sift.looks_at_states() {
        return HashMap::new();
    }
    let decided = model
        .decisions
        .alerts()
        .chain(model.runs.values().filter_map(|run| run.alert.as_ref()));
    decided
        .filter_map(|id| Some((model.queue.slot(id)?, word(model.row_state(id).as_str()))))
        .collect()
}

/// Returns the word of a state as filters spell it.
fn word(shown: &'static str) -> &'static str {
    let known = crate::domain::filter::STATES.iter();
    known
        .copied()
        .find(|word| word.eq_ignore_ascii_case(shown))
        .unwrap_or(shown)
}
