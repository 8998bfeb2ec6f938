//! A cursor that runs through the queue: a key held down, or pressed again and again. What stands beside the queue is about
//! one alert; while the cursor passes by, nothing is found out and nothing shown there, so that a key costs the two lines
//! that it changes. The alert that the cursor comes to rest on is shown with everything. One key alone is answered in full
//! at once.

use jiff::{SignedDuration, Timestamp};

use super::command::Command;
use super::context;
use super::model::{Detail, Model};
use super::msg::Effect;
use super::triage::{put_cursor, select};
use crate::domain::ids::AlertId;

/// Keys that come sooner after one another than this let the cursor run; so long after the last one it rests. Keyboards
/// repeat a key that is held down 10 times a second and more.
pub const REST: SignedDuration = SignedDuration::from_millis(100);

/// Whether the cursor runs.
#[derive(Debug, Default)]
pub struct Passing {
    /// When a key moved the cursor last.
    moved_at: Option<Timestamp>,
    left: Option<Left>,
}

/// The alert that was shown last, and what stood beside the queue for it.
#[derive(Debug)]
struct Left {
    alert: Option<AlertId>,
    detail: Detail,
}

impl Model {
    /// Tells whether the cursor runs: then what stands beside the queue is about no alert, and empty.
    pub const fn is_passing(&self) -> bool {
        self.passing.left.is_some()
    }

    /// Returns when the cursor will rest, while it runs.
    pub fn rests_at(&self) -> Option<Timestamp> {
        self.passing.left.as_ref()?;
        self.passing.moved_at?.checked_add(REST).ok()
    }

    /// Returns the alert that the pane of options has the room of: the selected one, or the one shown last while the cursor
    /// runs. The queue keeps its height meanwhile.
    pub fn room_of(&self) -> (Option<&AlertId>, &Detail) {
        match &self.passing.left {
            Some(left) => (left.alert.as_ref(), &left.detail),
            None => (self.selected.as_ref(), &self.detail),
        }
    }

    /// Ends the run of the cursor without a look at where it is.
    pub fn stop_passing(&mut self) {
        if let Some(left) = self.passing.left.take() {
            // What is known of the one before is the beginning of what is found out about the next.
            self.detail = left.detail;
        }
    }
}

/// Tells whether a command may be carried out while the cursor runs: what it is about stands in the queue. Every other is
/// about what is beside the queue too.
pub const fn is_for_runner(command: Command) -> bool {
    use Command::{Down, Mark, PageDown, PageUp, Up};
    matches!(command, Down | Up | PageDown | PageUp | Mark)
}

/// Puts the cursor where a key moved it.
pub fn go_to(model: &mut Model, to: Option<AlertId>) -> Vec<Effect> {
    if model.selected == to {
        return Vec::new();
    }
    let now = model.now;
    let before = model.passing.moved_at.replace(now);
    let runs = before.is_some_and(|before| now.duration_since(before) < REST);
    if !runs {
        return select(model, to);
    }
    if model.passing.left.is_none() {
        model.passing.left = Some(Left {
            alert: model.selected.clone(),
            detail: std::mem::take(&mut model.detail),
        });
    }
    put_cursor(model, to);
    model.dirty = true;
    Vec::new()
}

/// Finds out about the alert under the cursor, which rests.
pub fn rest(model: &mut Model) -> Vec<Effect> {
    model.stop_passing();
    model.refresh_detail();
    match &model.selected {
        Some(id) if model.alerts.get(id).is_none() => vec![Effect::ReadAlert(id.clone())],
        _ => context::read(model, false),
    }
}

/// Lets the cursor rest where its time has come.
pub fn rest_in_time(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    match model.rests_at() {
        Some(at) if at <= now => rest(model),
        _ => Vec::new(),
    }
}
