//! The identity card and what lives under it: sessions, roles, credentials.

mod normal;
mod row;
pub mod screen;
mod sessions;
mod whose;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::queue::{severity_role, severity_word};
use super::theme::Role;
use super::{Ui, frame, scrolled};
use crate::app::model::{Model, Pane};
use crate::domain::alert::{Alert, Subject, age};
use crate::domain::ids::AlertId;
use crate::domain::inventory::Reason;
use crate::domain::text::{Untrusted, fit, show, show_identifier};
pub use sessions::sessions;

/// Most hints of an alert that are shown.
const MOST_HINTS: usize = 5;

/// What stands where nobody knows: never a blank.
const UNKNOWN: &str = "unknown";

/// Draws the card of the selected alert's identity.
pub fn identity(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Some(Pane::Identity);
    let inside = frame("Identity", focused, ui, area, buf);
    let lines = identity_lines(model, ui, inside.width);
    scrolled(
        lines,
        if focused { model.scroll } else { 0 },
        ui,
        inside,
        buf,
    );
}

fn identity_lines(model: &Model, ui: Ui<'_>, width: u16) -> Vec<Line<'static>> {
    let Some(id) = &model.selected else {
        return vec![Line::raw(
            "Select an alert to see whose access it is about.",
        )];
    };
    let alert = match model.alerts.get(id) {
        Some(Ok(alert)) => alert,
        None => return vec![Line::raw("reading the alert")],
        Some(Err(problem)) => {
            let text = format!("this alert cannot be read, so nothing can be planned: {problem}");
            return vec![Line::styled(text, ui.theme.style(Role::Error))];
        }
    };
    let mut lines = vec![
        alert_line(alert, ui, width),
        what_line(alert, ui, width),
        urgency_line(model, alert, ui, width),
    ];
    lines.extend(desk_line(model, id, ui, width));
    match (&model.detail.identity, model.detail.candidates.as_slice()) {
        (Some(card), _) => {
            lines.extend(whose::lines(model, card, ui, width));
            lines.extend(super::map::joined(model, ui));
            lines.extend(hints(model, alert, ui));
        }
        (None, []) if !alert.candidates.is_empty() => {
            lines.push(Line::styled(
                "identity unresolved; the alert names these, and no inventory lists them:",
                ui.theme.style(Role::Warn),
            ));
            lines.extend(hints(model, alert, ui));
        }
        (None, []) => {
            lines.push(Line::styled(
                "identity unresolved: the alert names none",
                ui.theme.style(Role::Warn),
            ));
        }
        (None, candidates) => {
            lines.push(Line::styled(
                "identity unresolved; it may be:",
                ui.theme.style(Role::Warn),
            ));
            lines.extend(
                candidates
                    .iter()
                    .map(|c| Line::raw(format!("  {} {}  ({})", ui.glyphs.bullet, c.id, c.reason))),
            );
        }
    }
    lines
}

/// Lists whom else an alert names: the key that was used, the application behind a session, who may be meant.
fn hints(model: &Model, alert: &Alert, ui: Ui<'_>) -> Vec<Line<'static>> {
    let about = model.detail.identity.as_ref().map(|card| &card.id);
    // Whom that is, where the inventory knows and it is not the one that is shown.
    let known = |subject: &Subject| match model.inventory.matches(subject).as_slice() {
        [one] if Some(&one.id) != about && one.reason != Reason::SameId => {
            format!(" = {} ({})", one.id, one.reason)
        }
        _ => String::new(),
    };
    let line = |subject: &Subject| {
        let name = subject.name.as_ref().filter(|n| !n.is_empty());
        let short = |raw: &Untrusted| {
            let shown = show_identifier(raw.raw());
            fit(&shown, whose::MOST_NAME, ui.glyphs.ellipsis)
        };
        let name = name.map_or_else(String::new, |n| format!(" ({})", short(n)));
        let provider = short(&subject.provider);
        let id = short(&subject.native_id);
        single(
            ui,
            "named",
            format!("{} {provider}:{id}{name}{}", subject.kind, known(subject)),
        )
    };
    alert.candidates.iter().take(MOST_HINTS).map(line).collect()
}

fn alert_line(alert: &Alert, ui: Ui<'_>, width: u16) -> Line<'static> {
    let word = severity_word(alert.severity);
    let confidence = alert
        .confidence
        .map_or_else(|| "confidence ?".to_owned(), |c| format!("{c} % sure"));
    let room = usize::from(width).saturating_sub(word.len() + confidence.len() + 5);
    Line::from(vec![
        Span::styled(
            format!("{word} "),
            ui.theme.style(severity_role(alert.severity)),
        ),
        Span::raw(fit(&alert.title.show(), room, ui.glyphs.ellipsis)),
        Span::styled(format!("  ({confidence})"), ui.theme.style(Role::Muted)),
    ])
}

/// What happened, in our word and the source's, and which kind of alert said so.
fn what_line(alert: &Alert, ui: Ui<'_>, width: u16) -> Line<'static> {
    let pattern = alert.pattern.as_str().replace('_', " ");
    // Our own word as the source's says nothing new.
    let own = |a: &&Untrusted| a.raw() != alert.pattern.as_str();
    let action = alert
        .action
        .as_ref()
        .filter(own)
        .map(|a| a.show().into_owned());
    let action = action.map_or_else(String::new, |a| format!(": {a}"));
    let format = format!("  [{}]", alert.format);
    let room = usize::from(width).saturating_sub(format.len());
    let text = fit(&format!("{pattern}{action}"), room, ui.glyphs.ellipsis);
    Line::from(vec![
        Span::raw(text),
        Span::styled(format, ui.theme.style(Role::Muted)),
    ])
}

/// Why it stands where it stands, and how much time is left.
fn urgency_line(model: &Model, alert: &Alert, ui: Ui<'_>, width: u16) -> Line<'static> {
    let urgency = model.queue.urgency(alert);
    let (sla, since) = (&model.desk.sla, alert.exposed_since());
    let limit = sla
        .limit_s(alert.severity)
        .filter(|_| !urgency.is_hygiene && !model.is_over());
    let passed = ui.now.as_second() - since.as_second();
    let (left, role) = match limit.map(|limit| i64::from(limit) - passed) {
        None => (String::new(), Role::Muted),
        Some(left) if left > 0 => (format!("  {} left", minutes(left)), Role::Muted),
        Some(left) => (format!("  LATE by {}", minutes(-left)), Role::Warn),
    };
    let room = usize::from(width).saturating_sub(left.len());
    let text = fit(&urgency.to_string(), room, ui.glyphs.ellipsis);
    Line::from(vec![
        Span::styled(text, ui.theme.style(Role::Muted)),
        Span::styled(left, ui.theme.style(role)),
    ])
}

/// A span in the largest unit that says enough.
fn minutes(s: i64) -> String {
    match s {
        0..60 => "<1m".to_owned(),
        60..7_200 => format!("{}m", s / 60),
        7_200..172_800 => format!("{}h", s / 3_600),
        _ => format!("{}d", s / 86_400),
    }
}

/// Who has the alert, until when it waits, and what else there is about the identity; nothing where there is nothing to say.
fn desk_line(model: &Model, id: &AlertId, ui: Ui<'_>, width: u16) -> Option<Line<'static>> {
    let mut said = Vec::new();
    if let Some(analyst) = model.decisions.analyst(id) {
        said.push(format!("taken by {}", show(analyst)));
    }
    if let Some(until) = model.asleep.get(id) {
        said.push(format!("put off until {}", until.strftime("%m-%d %H:%MZ")));
    }
    let decided = model.decisions.of_alert(id).iter();
    let last = decided.rev().find(|(_, _, d)| !d.kind.is_automatic());
    if let Some(reason) = last.and_then(|(_, _, d)| d.reason.as_ref()) {
        said.push(format!("\"{}\"", show(reason)));
    }
    match model.queue.others_about(id) {
        0 => {}
        1 => said.push("1 more open alert about it (i)".to_owned()),
        n => said.push(format!("{n} more open alerts about it (i)")),
    }
    let text = said.join("  ");
    let fitted = fit(&text, usize::from(width), ui.glyphs.ellipsis);
    (!said.is_empty()).then(|| Line::styled(fitted, ui.theme.style(Role::Base)))
}

fn opt(value: Option<&Untrusted>) -> String {
    value
        .filter(|v| !v.is_empty())
        .map_or_else(|| UNKNOWN.to_owned(), |v| v.show().into_owned())
}

/// Returns a time as an age or a time to come.
pub fn when(at: Option<Timestamp>, now: Timestamp) -> String {
    match at {
        None => UNKNOWN.to_owned(),
        Some(at) if at > now => format!("in {}", age(now, at)),
        Some(at) => format!("{} ago", age(at, now)),
    }
}

fn single(ui: Ui<'_>, label: &str, value: String) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{label:<11} "), ui.theme.style(Role::Muted)),
        Span::raw(value),
    ])
}
