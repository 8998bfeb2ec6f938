//! The palette: a line to type in, and what matches.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::Ui;
use super::overlay::dialog;
use super::theme::Role;
use crate::app::model::Model;
use crate::app::palette::{Entry, Palette, found};
use crate::domain::text::{cells, fit, show};

/// Widest, in columns.
const WIDE: u16 = 90;
/// Widest part for a name.
const NAME: usize = 22;
/// Widest part for a key.
const KEY: usize = 10;

/// Draws it over a screen.
pub fn render(model: &Model, palette: &Palette, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let entries = found(model, palette);
    let height = area.height.saturating_sub(2).min(20);
    let inside = dialog("Commands", WIDE, height, ui, area, buf);
    let rows = usize::from(inside.height.saturating_sub(1));
    let mut lines = vec![Line::from(vec![
        Span::styled(":", ui.theme.style(Role::Key)),
        Span::raw(show(palette.input.value()).into_owned()),
        Span::styled("_", ui.theme.style(Role::Key)),
        Span::styled(
            format!(
                "   {} of {}",
                entries.len().min(palette.at + 1),
                entries.len()
            ),
            ui.theme.style(Role::Muted),
        ),
    ])];
    if entries.is_empty() {
        lines.push(Line::raw(
            "Nothing is called so. Backspace takes letters away; Esc leaves.",
        ));
    }
    let first = (palette.at + 1).saturating_sub(rows);
    let shown = entries.iter().enumerate().skip(first).take(rows);
    lines.extend(
        shown.map(|(at, entry)| line(entry, at == palette.at, usize::from(inside.width), ui)),
    );
    Paragraph::new(lines).render(inside, buf);
}

fn line(entry: &Entry, selected: bool, width: usize, ui: Ui<'_>) -> Line<'static> {
    let key = entry
        .spec
        .and_then(|spec| ui.keymap.first(spec))
        .unwrap_or_default();
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    let (says, role) = match &entry.disabled {
        Some(reason) => (format!("not now: {}", show(reason)), Role::Muted),
        None => (entry.help.clone(), Role::Base),
    };
    let name = padded(&entry.title, NAME, ui);
    let key = padded(key, KEY, ui);
    let room = width.saturating_sub(NAME + KEY + cells(cursor) + 3);
    let says = fit(&says, room, ui.glyphs.ellipsis);
    let line = Line::from(vec![
        Span::raw(format!("{cursor} ")),
        Span::styled(format!("{name} "), ui.theme.style(role)),
        Span::styled(format!("{key} "), ui.theme.style(Role::Key)),
        Span::styled(says, ui.theme.style(role)),
    ]);
    if selected {
        return line.style(ui.theme.style(Role::Selected));
    }
    line
}

fn padded(text: &str, width: usize, ui: Ui<'_>) -> String {
    let text = fit(text, width, ui.glyphs.ellipsis);
    let pad = width.saturating_sub(cells(&text));
    format!("{text}{}", " ".repeat(pad))
}
