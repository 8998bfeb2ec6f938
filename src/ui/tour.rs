//! The tour, as two lines over the screen that it is about.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::Ui;
use super::theme::Role;
use super::wrap::wrap_all;
use crate::app::command::{Command, Scope};
use crate::app::model::{Model, Overlay};
use crate::app::tour::STEPS;

/// Least height of a screen that has room for it.
const ROOM: u16 = 18;

/// Returns how many lines it takes.
pub fn height(model: &Model, ui: Ui<'_>, area: Rect) -> u16 {
    let shown = matches!(model.overlay, Overlay::None | Overlay::Plan(_));
    if !shown || area.height < ROOM {
        return 0;
    }
    lines(model, ui, area.width).len() as u16
}

/// Draws the step that it is at.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    Paragraph::new(lines(model, ui, area.width)).render(area, buf);
}

fn lines(model: &Model, ui: Ui<'_>, width: u16) -> Vec<Line<'static>> {
    let Some((at, step)) = model.tour.and_then(|at| Some((at, STEPS.get(at)?))) else {
        return Vec::new();
    };
    let key = |command: Command| {
        let spec = command.spec(Scope::Triage);
        let first = spec.and_then(|spec| ui.keymap.first(spec));
        first.unwrap_or(":").to_owned()
    };
    let mut spans = vec![Span::styled(
        format!("Tour {}/{}  ", at + 1, STEPS.len()),
        ui.theme.style(Role::Title),
    )];
    let mut keys = step.keys.iter();
    for (n, words) in step.says.split("{}").enumerate() {
        if n > 0
            && let Some(command) = keys.next()
        {
            spans.push(Span::styled(key(*command), ui.theme.style(Role::Key)));
        }
        spans.push(Span::raw(words));
    }
    let leave = format!(
        "   {} goes on, {} ends the tour",
        key(Command::TourNext),
        key(Command::TourEnd)
    );
    spans.push(Span::styled(leave, ui.theme.style(Role::Muted)));
    wrap_all(vec![Line::from(spans)], usize::from(width))
}
