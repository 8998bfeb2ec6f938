//! The filter of the queue: typed, applied with every key, and never the reason that a selected alert is out of sight.

use std::collections::HashMap;

use jiff::Timestamp;
use tui_input::Input;

use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::{deciding, field, triage};
use crate::domain::alert::Subject;
use crate::domain::filter::{Filter, Term, Test};
use crate::domain::ids::AlertId;
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
    /// Whether what is typed is to be applied once it was shown.
    pub due: bool,
    filter: Filter,
}

/// Alerts from which on a filter is applied after the key is on the screen: looking through what they say takes longer than
/// a frame.
const MANY: usize = 50_000;

impl Sift {
    /// Tells whether some alerts may be hidden.
    pub const fn is_active(&self) -> bool {
        !self.filter.is_all()
    }

    /// Tells whether there is anything to clear: it hides alerts, or is one that cannot be used.
    pub fn is_typed(&self) -> bool {
        self.is_active() || !self.input.value().is_empty()
    }

    /// Tells whether decisions change what it lets through.
    pub fn looks_at_states(&self) -> bool {
        let by_state = |test: &Test| matches!(test, Test::State(_) | Test::Analyst(_));
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
            settle(model, now)
        }
        Code::Down => go(model, 1, now),
        Code::Up => go(model, -1, now),
        Code::PageDown => go(model, 10, now),
        Code::PageUp => go(model, -10, now),
        _ => {
            let before = model.sift.input.value().to_owned();
            field::edit(&mut model.sift.input, key);
            if model.sift.input.value() == before {
                return Vec::new();
            }
            if model.queue.all() >= MANY {
                model.sift.due = true;
                return vec![Effect::Continue];
            }
            apply(model, now)
        }
    }
}

/// Moves the cursor among what the filter lets through.
fn go(model: &mut Model, by: isize, now: Timestamp) -> Vec<Effect> {
    let mut effects = settle(model, now);
    effects.extend(triage::go(model, by));
    effects
}

/// Applies what was typed to all alerts at once: a key that follows is about the alert under the cursor, which the filter
/// may put elsewhere. A million alerts take some hundredths of a second.
fn settle(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let mut effects = apply_due(model, now);
    while model.queue.is_looking() {
        effects.extend(look_on(model));
    }
    effects
}

/// Applies what was typed and is on the screen by now.
pub fn apply_due(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    match std::mem::take(&mut model.sift.due) {
        true => apply(model, now),
        false => Vec::new(),
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

/// Filters by this text, as if it had been typed.
pub fn set(model: &mut Model, text: &str, now: Timestamp) -> Vec<Effect> {
    model.focus = Some(Pane::Queue);
    model.sift.input = Input::new(text.to_owned());
    apply(model, now)
}

/// Only the alerts about whom the selected one is about.
pub fn only_identity(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let slot = model.selected.as_ref().and_then(|id| model.queue.slot(id));
    let native = slot
        .and_then(|slot| model.queue.subject(slot))
        .map(|subject| subject.native_id.raw().to_owned())
        .filter(|native| !native.is_empty() && !native.contains('"'));
    let Some(native) = native else {
        model.say(now, Level::Warn, "the alert names nobody by an id");
        return Vec::new();
    };
    set(model, &format!("identity=\"{native}\""), now)
}

/// Shows what may be an attack, then what is routine, then both.
pub fn turn_class(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    const CLASSES: [&str; 2] = ["is:urgent", "is:hygiene"];
    let typed = model.sift.input.value().to_owned();
    let words: Vec<&str> = typed.split(' ').collect();
    let at = CLASSES.iter().position(|class| words.contains(class));
    let next = CLASSES.get(at.map_or(0, |at| at + 1)).copied();
    let rest = words
        .into_iter()
        .filter(|word| !word.is_empty() && !CLASSES.contains(word));
    let text: Vec<&str> = rest.chain(next).collect();
    set(model, &text.join(" "), now)
}

/// Applies the filter as it is typed now.
fn apply(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    model.sift.due = false;
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
    let analysts = analysts(model);
    let inventory = &model.inventory;
    let identity = |subject: &Subject| inventory.card_of(subject);
    let facts = Facts {
        identity: &identity,
        states,
        analysts,
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
/// these alerts only; `several` are the credentials that all alerts together name in several environments.
pub fn passing(
    model: &mut Model,
    filter: &Filter,
    (rows, several): (&[Row], &[String]),
    now: Timestamp,
) -> Vec<bool> {
    model.queue = Queue::knowing(several);
    triage::put(model, rows, true);
    let ids: Vec<AlertId> = rows.iter().map(|row| row.alert.id.clone()).collect();
    deciding::take(model, &ids, now);
    model.sift.filter = filter.clone();
    again(model, now);
    while model.queue.is_looking() {
        look_on(model);
    }
    rows.iter()
        .map(|row| model.queue.position(&row.alert.id).is_some())
        .collect()
}

/// Returns who has the alerts that somebody took or was given.
fn analysts(model: &Model) -> HashMap<Slot, String> {
    let asked = |term: &Term| matches!(term.test, Test::Analyst(_));
    if !model.sift.filter.terms.iter().any(asked) {
        return HashMap::new();
    }
    let decided = model.decisions.alerts();
    decided
        .filter_map(|id| {
            let who = model.decisions.analyst(id)?.to_owned();
            Some((model.queue.slot(id)?, who))
        })
        .collect()
}

/// Returns how the alerts stand that anything was decided or done about; all others are new, or resolved by their source.
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
