//! A screen's text as a whole, for a pager: what is drawn, as if the screen were as high as needed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Ui, card, map, queue};
use crate::app::model::{Model, Overlay};

/// Most lines of a page; a list shows those around its cursor.
const MOST: u16 = 1_500;

/// Most lines of one of the panes of the triage screen.
const MOST_OF_PANE: u16 = 300;

type Draw = fn(&Model, Ui<'_>, Rect, &mut Buffer);

/// Returns the text of the screen in lines of at most `width` cells. It was drawn, so it commands no terminal.
pub fn text(model: &Model, ui: Ui<'_>, width: u16) -> String {
    let mut text = String::new();
    if matches!(model.overlay, Overlay::None) {
        let panes: [Draw; 4] = [queue::render, card::identity, card::sessions, map::render];
        for draw in panes {
            push(&mut text, width, MOST_OF_PANE, |area, buf| {
                draw(model, ui, area, buf);
            });
        }
    } else {
        push(&mut text, width, MOST, |area, buf| {
            super::screen(model, ui, area, buf);
        });
    }
    text
}

/// Adds what is drawn, without the blank lines at its end.
fn push(text: &mut String, width: u16, height: u16, draw: impl FnOnce(Rect, &mut Buffer)) {
    let area = Rect::new(0, 0, width.max(1), height);
    let mut buf = Buffer::empty(area);
    draw(area, &mut buf);
    let rows = buf.content.chunks(usize::from(area.width));
    let mut lines: Vec<String> = rows
        .map(|row| {
            let cells = row.iter().map(ratatui::buffer::Cell::symbol);
            let line: String = cells.collect();
            line.trim_end().to_owned()
        })
        .collect();
    let last = lines.iter().rposition(|line| !line.is_empty());
    lines.truncate(last.map_or(0, |last| last + 1));
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
}
