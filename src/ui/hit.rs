//! What stands under a place of the triage screen.

use ratatui::layout::{Position, Rect};

use super::{Ui, below, places, queue, top};
use crate::app::model::{LEAST, Model, Overlay, Pane};
use crate::app::pointer::Pointed;

fn panes(model: &Model, ui: Ui<'_>, area: Rect) -> Option<Vec<(Pane, Rect)>> {
    if !matches!(model.overlay, Overlay::None) || area.width < LEAST.0 || area.height < LEAST.1 {
        return None;
    }
    let (_, top) = top(model, ui, area);
    let (_, body, _) = below(model, ui, (area, top));
    Some(places(model, ui, body).0)
}

/// Returns what somebody points at: a line of the queue, or a pane. Other screens are not pointed at.
pub fn at(model: &Model, ui: Ui<'_>, area: Rect, at: Position) -> Option<Pointed> {
    let panes = panes(model, ui, area)?;
    let (pane, place) = panes.into_iter().find(|(_, place)| place.contains(at))?;
    if pane == Pane::Queue
        && let Some(id) = queue::row_at(model, place, at.y)
    {
        return Some(Pointed::Row(id));
    }
    Some(Pointed::Pane(pane))
}
