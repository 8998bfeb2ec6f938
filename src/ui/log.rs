//! The log's screen: whether the log is sound, what is unknown, then one record a line, only the lines on screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::plan::cell_role;
use super::theme::Role;
use super::{Ui, cut_top, frame, record};
use crate::app::model::Model;
use crate::app::timeline::{LogRow, Timeline, Verification};
use crate::domain::alert::age;
use crate::domain::coverage::CellState;
use crate::domain::decision::{Act, RecordType};
use crate::domain::text::{cells, fit, show};

/// Width of the time column.
const TIME: usize = 11;

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let mut head = vec![verification(model, ui, width)];
    head.extend(unknowns(model, ui, width, usize::from(area.height) / 4));
    let (top, rest) = cut_top(area, head.len() as u16);
    Paragraph::new(head).render(top, buf);
    if let Some(view) = &model.timeline.record {
        record::render(model, view, ui, rest, buf);
        return;
    }
    let inside = frame(&title(&model.timeline), true, ui, rest, buf);
    if model.timeline.shown() == 0 {
        let text = if model.timeline.is_filtered() {
            "No record matches. Esc clears the filter."
        } else {
            "No record yet. What anybody decides and does appears here."
        };
        Paragraph::new(text)
            .wrap(Wrap { trim: true })
            .render(inside, buf);
        return;
    }
    Paragraph::new(rows(model, ui, inside)).render(inside, buf);
}

fn title(timeline: &Timeline) -> String {
    let (shown, kept) = (timeline.shown(), timeline.kept());
    let (mut parts, mut filter) = (vec![format!("Log {kept}")], None);
    if timeline.typing || timeline.is_filtered() {
        let end = if timeline.typing { "_" } else { "" };
        parts = vec![format!("Log {shown}/{kept}")];
        filter = Some(format!("filter: {}{end}", show(timeline.filter.value())));
    }
    if timeline.older() > 0 {
        parts.push(format!("{} older: stanch log show", timeline.older()));
    }
    if !timeline.follows() {
        parts.push("G follows".to_owned());
    }
    parts.extend(filter);
    parts.join("  ")
}

fn verification(model: &Model, ui: Ui<'_>, width: usize) -> Line<'static> {
    let (text, role) = match &model.timeline.verification {
        Verification::NotYet => ("not verified; v verifies".to_owned(), Role::Warn),
        Verification::Running => ("verifying every byte of every log".to_owned(), Role::Key),
        Verification::Ended(v) if v.logs == 0 && v.intact => {
            ("nothing to verify yet".to_owned(), Role::Warn)
        }
        Verification::Ended(v) => {
            let at = v
                .seq
                .map_or_else(String::new, |seq| format!(" at record {seq}"));
            let finding = v.finding.as_deref().unwrap_or("see stanch log verify");
            let ago = age(v.at, ui.now);
            match (v.intact, v.warnings) {
                (false, _) => (format!("NOT INTACT{at}: {finding}"), Role::Error),
                (true, 0) => (
                    format!(
                        "intact: {} lines in {} log{} verified {ago} ago",
                        v.lines,
                        v.logs,
                        if v.logs == 1 { "" } else { "s" },
                    ),
                    Role::Good,
                ),
                (true, n) => (
                    format!("intact, verified {ago} ago; {n} to look at{at}: {finding}"),
                    Role::Warn,
                ),
            }
        }
    };
    let text = fit(&format!(" log {text}"), width, ui.glyphs.ellipsis);
    Line::styled(text, ui.theme.style(role))
}

/// Returns a line for each act whose outcome nobody knows, newest first, at most `most`.
fn unknowns(model: &Model, ui: Ui<'_>, width: usize, most: usize) -> Vec<Line<'static>> {
    let all: Vec<&Act> = model.open_unknowns().collect();
    let room = if all.len() > most {
        most.saturating_sub(1)
    } else {
        most
    };
    let style = ui.theme.style(Role::Error);
    let line = |text: String| Line::styled(fit(&text, width, ui.glyphs.ellipsis), style);
    let mut lines: Vec<Line<'static>> = all
        .iter()
        .rev()
        .take(room)
        .map(|act| line(unknown(act, ui)))
        .collect();
    if all.len() > room && most > 0 {
        let text = format!(" and {} more UNKNOWN: / unknown", all.len() - room);
        lines.push(line(text));
    }
    lines
}

fn unknown(act: &Act, ui: Ui<'_>) -> String {
    let why = match &act.outcome {
        None => "no outcome was recorded".to_owned(),
        Some(outcome) => outcome
            .error
            .clone()
            .unwrap_or_else(|| "it may or may not have happened".to_owned()),
    };
    let undo = if act.intent.undo { "take back " } else { "" };
    format!(
        " {} UNKNOWN {undo}{} on {} {} ago by {} (alert {}): {}",
        ui.glyphs.unknown,
        act.intent.verb,
        act.intent.identity,
        age(act.at, ui.now),
        show(&act.actor),
        act.intent.alert,
        show(&why)
    )
}

fn rows(model: &Model, ui: Ui<'_>, area: Rect) -> Vec<Line<'static>> {
    let timeline = &model.timeline;
    let width = usize::from(area.width);
    let who = if width < 100 { 12 } else { 22 };
    let head = format!("  {:<TIME$}  {:<who$}  what", "time (UTC)", "who");
    let head = fit(&head, width, ui.glyphs.ellipsis);
    let mut lines = vec![Line::styled(head, ui.theme.style(Role::Muted))];
    let height = usize::from(area.height).saturating_sub(1);
    let (at, shown) = (timeline.cursor(), timeline.shown());
    let first = if timeline.follows() {
        shown.saturating_sub(height)
    } else {
        at.saturating_sub(height / 2)
            .min(shown.saturating_sub(height))
    };
    for place in first..(first + height).min(shown) {
        if let Some(row) = timeline.row(place) {
            lines.push(line(model, row, place == at, (width, who), ui));
        }
    }
    lines
}

fn line(
    model: &Model,
    row: &LogRow,
    selected: bool,
    (width, who): (usize, usize),
    ui: Ui<'_>,
) -> Line<'static> {
    let state = row.state(&model.decisions);
    let mut style = ui.theme.style(role(row));
    let mut state_style = ui.theme.style(state.map_or(Role::Base, cell_role));
    if selected {
        style = style.patch(ui.theme.style(Role::Selected));
        state_style = state_style.patch(ui.theme.style(Role::Selected));
    }
    let actor = fit(&row.actor, who, ui.glyphs.ellipsis);
    let pad = " ".repeat(who.saturating_sub(cells(&actor)));
    let left = format!("{}  {actor}{pad}  ", time(row, ui));
    let word = state.map_or_else(String::new, |s| state_word(s, ui));
    let room = width.saturating_sub(2 + cells(&left) + cells(&word));
    let text = fit(&row.text, room, ui.glyphs.ellipsis);
    let fill = " ".repeat(room.saturating_sub(cells(&text)));
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    Line::from(vec![
        Span::raw(format!("{cursor} ")),
        Span::styled(left, style),
        Span::styled(word, state_style),
        Span::styled(format!("{text}{fill}"), style),
    ])
}

fn state_word(state: CellState, ui: Ui<'_>) -> String {
    format!("{} {}: ", ui.glyphs.cell(state), state.words())
}

/// The time of day today, else the day and the minute.
fn time(row: &LogRow, ui: Ui<'_>) -> String {
    let (day, today) = (row.ts.strftime("%F"), ui.now.strftime("%F"));
    let text = if day.to_string() == today.to_string() {
        row.ts.strftime("%H:%M:%S").to_string()
    } else {
        row.ts.strftime("%m-%d %H:%M").to_string()
    };
    format!("{text:<TIME$}")
}

const fn role(row: &LogRow) -> Role {
    match row.kind {
        RecordType::Anomaly | RecordType::Recovered | RecordType::BreakGlass => Role::Warn,
        RecordType::Genesis
        | RecordType::Session
        | RecordType::Segment
        | RecordType::PeerHeads
        | RecordType::Anchor
        | RecordType::Config => Role::Muted,
        _ => Role::Base,
    }
}
