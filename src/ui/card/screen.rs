//! The tabs of the card: tabs on top, what is not known below them, then a row a line, only the lines on screen; beside
//! them all that is known of the row where there is room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::row;
use crate::app::card::{CardScreen, Sheet, Tab};
use crate::app::model::{Live, Model};
use crate::domain::alert::age;
use crate::domain::identity::{Identity, Level};
use crate::domain::text::{cells, fit, show_identifier};
use crate::ui::map::row::{Tag, fitted};
use crate::ui::theme::Role;
use crate::ui::wrap::wrap_all;
use crate::ui::{Ui, cut_left, cut_top, frame, options, picture, scrolled};

/// Width from which what is known of a row stands beside the rows.
const WIDE: u16 = 110;

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let screen = &model.card;
    let Some(card) = &model.detail.identity else {
        let inside = frame("Card", true, ui, area, buf);
        Paragraph::new("No identity is named here.").render(inside, buf);
        return;
    };
    let read = match model.live.get(&card.id) {
        Some(Live { loading: true, .. }) => "asking its provider".to_owned(),
        Some(Live {
            at: Some(at),
            context,
            ..
        }) => format!("provider {} {} ago", context.how_much(), age(*at, ui.now)),
        _ => "provider not read".to_owned(),
    };
    let room = usize::from(area.width).saturating_sub(cells(&read) + 14);
    let name = fit(&show_identifier(card.name.raw()), room, ui.glyphs.ellipsis);
    let title = format!("Card of {name}  ({read})");
    let inside = frame(&title, true, ui, area, buf);
    let width = usize::from(inside.width);
    let mut head = Vec::new();
    if let Some(alert) = &model.selected {
        head.extend(picture::exposed(model, alert, ui, inside));
    }
    head.push(tabs(screen, ui, width));
    head.extend(classes(screen, ui, width));
    let notes: Vec<Line<'static>> = screen
        .sheet(screen.tab)
        .notes
        .iter()
        .map(|note| {
            let role = if note.unknown {
                Role::Warn
            } else {
                Role::Muted
            };
            Line::styled(format!(" {}", note.text), ui.theme.style(role))
        })
        .collect();
    let mut notes = wrap_all(notes, width);
    // Rows are to be seen, however much a provider has to say about what it does not tell.
    notes.truncate(usize::from(inside.height) / 3);
    head.extend(notes);
    let (top, rest) = cut_top(inside, head.len() as u16);
    Paragraph::new(head).render(top, buf);
    body(model, ui, rest, buf);
    if let Some(choosing) = &screen.choosing {
        options::choose(choosing, ui, area, buf);
    }
}

fn body(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let screen = &model.card;
    let (Some(card), Some(current)) = (&model.detail.identity, screen.current()) else {
        return;
    };
    let known = || row::detail(model, card, current, ui);
    if area.width < WIDE {
        match screen.reading {
            Some(scroll) => {
                let inside = frame("Row", true, ui, area, buf);
                scrolled(known(), scroll, ui, inside, buf);
            }
            None => rows(screen, card, ui, area, buf),
        }
        return;
    }
    let (list, beside) = cut_left(area, 58);
    rows(screen, card, ui, list, buf);
    let inside = frame("Row", screen.reading.is_some(), ui, beside, buf);
    scrolled(known(), screen.reading.unwrap_or(0), ui, inside, buf);
}

/// Returns the tabs with how much is on each; the one shown stands in brackets, and `?` says that some is not known.
fn tabs(screen: &CardScreen, ui: Ui<'_>, width: usize) -> Line<'static> {
    let counted: Vec<String> = Tab::ALL
        .into_iter()
        .map(|tab| count(screen.sheet(tab)))
        .collect();
    let whole: usize = Tab::ALL
        .into_iter()
        .zip(&counted)
        .map(|(tab, count)| cells(tab.as_str()) + cells(count) + 3)
        .sum();
    let mut spans = Vec::new();
    let mut room = width;
    for (tab, count) in Tab::ALL.into_iter().zip(counted) {
        // Where not all fit, the names of the others give way.
        let name = match whole > width && tab != screen.tab {
            true => fit(tab.as_str(), 5, ""),
            false => tab.as_str().to_owned(),
        };
        let text = match (tab == screen.tab, tab) {
            (true, Tab::Contact) => format!("[{name}]"),
            (false, Tab::Contact) => format!(" {name} "),
            (true, _) => format!("[{name} {count}]"),
            (false, _) => format!(" {name} {count} "),
        };
        let text = fit(&text, room, ui.glyphs.ellipsis);
        room -= cells(&text);
        let role = if tab == screen.tab {
            Role::Title
        } else {
            Role::Muted
        };
        spans.push(Span::styled(text, ui.theme.style(role)));
    }
    Line::from(spans)
}

fn count(sheet: &Sheet) -> String {
    let some = match (sheet.rows.len(), sheet.notes.iter().any(|n| n.unknown)) {
        (0, true) => "?".to_owned(),
        (n, true) => format!("{n}?"),
        (n, false) => n.to_string(),
    };
    match sheet.more {
        0 => some,
        _ => format!("{some}+"),
    }
}

/// Says on the tab of effects what it can do to what, and on any tab how much is not listed.
fn classes(screen: &CardScreen, ui: Ui<'_>, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if screen.tab == Tab::Effects && !screen.effects.found.is_empty() {
        let part = |(class, n, most): (_, usize, Option<Level>)| -> Tag {
            let class: crate::domain::effects::EffectClass = class;
            let (most, role) = match most {
                Some(level) if level.is_privileged() => {
                    (level.as_str().replace('_', " ").to_uppercase(), Role::Error)
                }
                Some(level) => (level.as_str().to_owned(), Role::Base),
                None => ("level unknown".to_owned(), Role::Muted),
            };
            (format!("{} {n}: {most}", class.as_str()), role)
        };
        let parts = screen.effects.classes().into_iter().map(part).collect();
        lines.push(fitted(
            vec![(" ".to_owned(), Role::Muted)],
            parts,
            false,
            ui,
            width,
        ));
    }
    let more = screen.sheet(screen.tab).more;
    if more > 0 {
        let text = format!(" {more} more are not listed here");
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    lines
}

fn rows(screen: &CardScreen, card: &Identity, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let all = &screen.sheet(screen.tab).rows;
    let height = usize::from(area.height);
    let first = screen
        .cursor()
        .saturating_sub(height / 2)
        .min(all.len().saturating_sub(height));
    let lines: Vec<Line<'static>> = all
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(at, one)| {
            let selected = at == screen.cursor();
            let cursor = if selected { ui.glyphs.cursor } else { " " };
            let lead = vec![(format!("{cursor} "), Role::Key)];
            fitted(
                lead,
                row::tags(card, one, ui),
                selected,
                ui,
                usize::from(area.width),
            )
        })
        .collect();
    Paragraph::new(lines).render(area, buf);
}
