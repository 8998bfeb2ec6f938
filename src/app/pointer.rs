//! What a mouse may do: scroll, and point at a row or a pane. It confirms, stages and opens nothing.

use super::command::Command;
use super::model::{Model, Overlay, Pane};
use super::msg::Effect;
use super::triage;
use crate::domain::ids::AlertId;

/// Rows that one notch of the wheel goes.
const NOTCH: usize = 3;

/// What was pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointed {
    /// A line of the queue.
    Row(AlertId),
    /// A pane of the triage screen.
    Pane(Pane),
}

/// Returns the commands that a turn of the wheel stands for: none while something is typed, chosen or asked.
pub fn wheel(model: &Model, down: bool) -> Vec<Command> {
    let typing = model.sift.typing
        || model.timeline.typing
        || model.map.typing
        || model.readiness.typing
        || model.reader.typing;
    let asked = matches!(
        model.overlay,
        Overlay::Reason(_)
            | Overlay::Say(..)
            | Overlay::Views
            | Overlay::SaveView(_)
            | Overlay::Palette(_)
            | Overlay::ConfirmQuit
    );
    let choosing =
        model.born.is_some() || model.map.choosing.is_some() || model.card.choosing.is_some();
    if typing || asked || choosing {
        return Vec::new();
    }
    let command = if down { Command::Down } else { Command::Up };
    vec![command; NOTCH]
}

/// Puts the cursor on what was pointed at, on the triage screen with nothing over it.
pub fn point(model: &mut Model, pointed: Pointed) -> Vec<Effect> {
    if !matches!(model.overlay, Overlay::None) || model.sift.typing || model.born.is_some() {
        return Vec::new();
    }
    model.dirty = true;
    let pane = match &pointed {
        Pointed::Row(_) => Pane::Queue,
        Pointed::Pane(pane) => *pane,
    };
    if model.focus.unwrap_or(Pane::Queue) != pane {
        model.focus = Some(pane);
        model.scroll = 0;
    }
    match pointed {
        // A row may have gone since it was drawn.
        Pointed::Row(id) if model.queue.position(&id).is_some() => triage::select(model, Some(id)),
        _ => Vec::new(),
    }
}
