//! The queue: one alert a line, only the lines on screen.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::theme::Role;
use super::{Ui, frame};
use crate::app::automation::words;
use crate::app::model::{Model, Pane};
use crate::app::row_state::RowState;
use crate::domain::alert::age;
use crate::domain::filter::fields;
use crate::domain::ids::AlertId;
use crate::domain::queue::{Lane, Slot};
use crate::domain::text::{cells, fit, show};
use crate::domain::urgency::Due;
use crate::domain::vocabulary::{ActionPattern, Severity};
use crate::domain::watching::Watched;

/// Widths of the columns that are always there: mark, severity word, age, state.
const SEVERITY: usize = 6;
const AGE: usize = 7;
const STATE: usize = 9;

/// Draws the queue.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let shown = model.queue.len();
    let position = model
        .selected
        .as_ref()
        .and_then(|id| model.queue.position(id));
    let at = position.map_or(0, |p| p + 1);
    let waiting = match model.queue.waiting() {
        // What waits before any key was pressed waits for the rest of what came with it.
        n if n == 0 || !model.touched => String::new(),
        n => format!("  {} {n} new (g)", ui.glyphs.up),
    };
    let focused = model.focus.unwrap_or(Pane::Queue) == Pane::Queue;
    let of = match model.queue.all() - model.queue.waiting() {
        all if all == shown => String::new(),
        all => format!(" of {all}"),
    };
    let marked = match model.marks.len() {
        0 => String::new(),
        n => format!("  {n} marked"),
    };
    let mut inside = frame(
        &format!("Alerts {at}/{shown}{of}{marked}{waiting}"),
        focused,
        ui,
        area,
        buf,
    );
    if let Some(line) = filter(model, ui, usize::from(inside.width)) {
        let [head, rest] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inside);
        Paragraph::new(line).render(head, buf);
        inside = rest;
    }
    if shown == 0 && model.sift.is_active() {
        let text = if model.sift.due || model.queue.is_looking() {
            ""
        } else {
            "No alert matches the filter. Esc shows all, / changes it."
        };
        Paragraph::new(text).render(inside, buf);
        return;
    }
    if shown == 0 {
        let text = if model.opening.alerts {
            "Reading the alerts that are stored."
        } else if model.sources.is_empty() && model.opening.sources == 0 {
            "No alerts, and no source that could bring any. Name one under [[source]] in the configuration (`stanch config example`), or try the drill: stanch drill."
        } else {
            "No alerts. They appear here as soon as a source has one; the line above says how the sources are. `stanch alerts import FILE` brings in some by hand."
        };
        Paragraph::new(text)
            .wrap(ratatui::widgets::Wrap { trim: true })
            .render(inside, buf);
        return;
    }
    let columns = Columns::fit(usize::from(inside.width));
    let Some((first, rows)) = window(model, usize::from(inside.height)) else {
        return;
    };
    let mut lines = vec![columns.header(ui)];
    let line = model.selected.as_ref().and_then(|id| {
        let own = model.queue.slot(id)?;
        Some((model.queue.line_of(id)?, own))
    });
    let watched = model.watched(ui.now);
    for slot in model.queue.from(first).take(rows) {
        // The line with the cursor shows the very alert that a key would be about.
        let shown = line.filter(|(head, _)| *head == slot);
        let slot = shown.map_or(slot, |(_, own)| own);
        lines.push(row(model, slot, &columns, &watched, ui));
    }
    Paragraph::new(lines).render(inside, buf);
}

/// Returns which line is shown first, and for how many there is room below the names of the columns.
fn window(model: &Model, height: usize) -> Option<(usize, usize)> {
    let rows = height.checked_sub(1)?;
    let selected = model.selected.as_ref();
    let position = selected.and_then(|id| model.queue.position(id));
    let all = model.queue.len();
    Some((model.window.first(position.unwrap_or(0), all, rows), rows))
}

/// Returns for how many lines there is room where the queue is drawn in `area`.
pub fn rows(model: &Model, area: Rect) -> usize {
    usize::from(area.height.saturating_sub(above(model) + 1))
}

/// Returns how many lines stand above the names of the columns: the frame, and the filter while there is one.
fn above(model: &Model) -> u16 {
    1 + u16::from(model.sift.typing || !model.sift.input.value().is_empty())
}

/// Returns the alert whose line stands at a height of the screen, where the queue is drawn in `area`.
pub(super) fn row_at(model: &Model, area: Rect, y: u16) -> Option<AlertId> {
    let above = above(model);
    let height = area.height.checked_sub(above)?;
    let (first, rows) = window(model, usize::from(height))?;
    let row = y.checked_sub(area.y + above + 1)?;
    (usize::from(row) < rows).then(|| model.queue.at(first + usize::from(row)))?
}

/// Returns the line of the filter while there is one: what is typed, and what in it cannot be used.
fn filter(model: &Model, ui: Ui<'_>, width: usize) -> Option<Line<'static>> {
    let sift = &model.sift;
    let typed = sift.input.value();
    if !sift.typing && typed.is_empty() {
        return None;
    }
    let end = if sift.typing { "_" } else { "" };
    let text = fit(
        &format!(" filter: {}{end}  ", show(typed)),
        width,
        ui.glyphs.ellipsis,
    );
    let (after, role) = match &sift.complaint {
        Some(complaint) => (complaint.clone(), Role::Warn),
        None if typed.is_empty() => {
            let fields: Vec<&str> = fields().collect();
            (format!("words, or {}:", fields.join(": ")), Role::Muted)
        }
        None if model.sift.due || model.queue.is_looking() => ("looking".to_owned(), Role::Muted),
        None => (String::new(), Role::Muted),
    };
    let room = width.saturating_sub(cells(&text));
    Some(Line::from(vec![
        Span::styled(text, ui.theme.style(Role::Key)),
        Span::styled(
            fit(&show(&after), room, ui.glyphs.ellipsis),
            ui.theme.style(role),
        ),
    ]))
}

/// How the width is shared out; the target goes first, then the pattern.
struct Columns {
    identity: usize,
    pattern: usize,
    target: usize,
}

impl Columns {
    fn fit(width: usize) -> Self {
        let room = width.saturating_sub(2 + 2 + SEVERITY + AGE + STATE + 3);
        match room {
            0..18 => Self {
                identity: room,
                pattern: 0,
                target: 0,
            },
            18..56 => Self {
                identity: room * 2 / 5,
                pattern: room - room * 2 / 5 - 1,
                target: 0,
            },
            _ => {
                let (identity, pattern) = (room * 3 / 10, (room * 7 / 20).min(27));
                Self {
                    identity,
                    pattern,
                    target: room - identity - pattern - 2,
                }
            }
        }
    }

    fn line(&self, ui: Ui<'_>, words: [&str; 6]) -> String {
        let [severity, age, identity, pattern, target, state] = words;
        let cell = |text: &str, width: usize| {
            let fitted = fit(text, width, ui.glyphs.ellipsis);
            let pad = width.saturating_sub(cells(&fitted));
            if width == 0 {
                String::new()
            } else {
                format!("{fitted}{} ", " ".repeat(pad))
            }
        };
        format!(
            "{}{:>AGE$} {}{}{}{}",
            cell(severity, SEVERITY + 2),
            age,
            cell(identity, self.identity),
            cell(pattern, self.pattern),
            cell(target, self.target),
            cell(state, STATE),
        )
    }

    fn header(&self, ui: Ui<'_>) -> Line<'static> {
        let words = ["sev", "age", "identity", "what happened", "target", "state"];
        Line::styled(
            format!("  {}", self.line(ui, words)),
            ui.theme.style(Role::Muted),
        )
    }
}

/// Returns the word of a severity as it stands in the queue, upper case when it should be heard.
pub const fn severity_word(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Critical) => "CRIT",
        Some(Severity::High) => "HIGH",
        Some(Severity::Medium) => "medium",
        Some(Severity::Low) => "low",
        Some(Severity::Info) => "info",
        None => "none",
    }
}

/// Returns the meaning of a severity for the theme.
pub const fn severity_role(severity: Option<Severity>) -> Role {
    match severity {
        Some(Severity::Critical) => Role::Critical,
        Some(Severity::High) => Role::High,
        Some(Severity::Medium) | None => Role::Medium,
        Some(Severity::Low) => Role::Low,
        Some(Severity::Info) => Role::Info,
    }
}

/// Until when an alert is put off: a time of today, else a date.
fn until_then(until: Timestamp, now: Timestamp) -> String {
    let far = until.as_second() - now.as_second() >= 86_400;
    let format = if far { "zz %m-%d" } else { "zz %H:%MZ" };
    until.strftime(format).to_string()
}

fn row(
    model: &Model,
    slot: Slot,
    columns: &Columns,
    watched: &[Watched],
    ui: Ui<'_>,
) -> Line<'static> {
    let (id, row) = (model.queue.id(slot), model.queue.shown(slot));
    let state = model.row_state(&id);
    let is_open = matches!(state, RowState::New | RowState::Claimed);
    let severity = format!(
        "{} {}",
        ui.glyphs.severity(row.severity),
        severity_word(row.severity)
    );
    let due = model.desk.sla.due(row.severity, row.since, ui.now);
    let late = due == Due::Late && row.lane == Lane::Open && !row.is_hygiene;
    let exposed = format!("{}{}", age(row.since, ui.now), if late { "!" } else { " " });
    let who = show(row.identity.unwrap_or("unresolved"));
    let who = match row.folded.identities {
        0 | 1 => who,
        several => format!("{who} +{}", several - 1).into(),
    };
    // `other` says nothing; what the source calls it does.
    let what = match row.pattern {
        ActionPattern::Other if !row.title.is_empty() => show(row.title).into_owned(),
        pattern => pattern.as_str().replace('_', " "),
    };
    let what = match (row.folded.alerts, row.folded.times) {
        (1, 1) => what,
        (1, times) => format!("x{times}: {what}"),
        (alerts, times) if u64::from(alerts) == times => format!("+{}: {what}", alerts - 1),
        (alerts, times) => format!("+{} x{times}: {what}", alerts - 1),
    };
    // Somebody is on it, so it stays where it is.
    let what = match row.is_resolved && state != RowState::Resolved {
        true => format!("over at its source, {what}"),
        false => what,
    };
    // What stands for the line need not be the worst of it.
    let what = match row.folded.worst {
        Some(worst) if row.severity < Some(worst) => {
            format!("{} among them, {what}", severity_word(Some(worst)))
        }
        _ => what,
    };
    let by_itself = words(model, &id, ui.now).filter(|words| words.counts);
    let hides_unknown = row.folded.alerts > 1
        && state != RowState::Unknown
        && model.unknowns_of_line(&id).next().is_some();
    let (what, state_word) = match by_itself {
        Some(words) => (format!("{}, {what}", words.short), "auto"),
        None if hides_unknown => (
            format!("UNKNOWN among them, {what}"),
            RowState::Unknown.as_str(),
        ),
        None => (what, state.as_str()),
    };
    let target = match row.incident {
        Some(incident) => format!("incident {}: {}", show(incident), show(row.target)).into(),
        None => show(row.target),
    };
    let state = match model.asleep.get(&id) {
        Some(until) if state == RowState::Snoozed => until_then(*until, ui.now),
        _ => state_word.to_owned(),
    };
    // A countdown beside the word says that a use would open it again.
    let what = match watched.iter().find(|w| w.alert == id) {
        Some(w) => format!("watched {}, {what}", age(ui.now, w.until)),
        None => what,
    };
    // Somebody trusted again, about whom an alert comes.
    let what = match model.watched_again(&id, ui.now) {
        true => format!("CONTAIN AGAIN?, {what}"),
        false => what,
    };
    // Something new about somebody who was contained: who acts is not to be relied on.
    let what = match is_open && model.is_about_untrusted(&id, ui.now) {
        true => format!("UNTRUSTED, {what}"),
        false => what,
    };
    let text = columns.line(ui, [&severity, &exposed, &who, &what, &target, &state]);
    let selected = model.selected.as_ref() == Some(&id);
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    let mark = if model.marks.contains(&id) { "*" } else { " " };
    let role = if row.lane != Lane::Open || row.is_hygiene {
        Role::Muted
    } else {
        severity_role(row.severity)
    };
    let style = ui.theme.row(role, selected);
    Line::from(vec![
        Span::raw(format!("{cursor}{mark}")),
        Span::styled(text, style),
    ])
}
