//! One record of the log in full: what it says, its evidence, the exact requests behind it, every field.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde_json::Value;

use super::plan::step_lines;
use super::theme::Role;
use super::{Ui, frame, scrolled, trust_tag};
use crate::app::model::Model;
use crate::app::timeline::{Found, RecordView, Stored};
use crate::domain::decision::{Entry, Intent, PlanRecord, RecordType};
use crate::domain::plan::Plan;
use crate::domain::text::show;
use crate::domain::words;

/// Draws the record.
pub fn render(model: &Model, view: &RecordView, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let title = format!("Record {} of {}", view.seq, show(&view.log));
    let inside = frame(&title, true, ui, area, buf);
    let lines = match &view.found {
        None => vec![Line::raw("reading the record from the log")],
        Some(Err(reason)) => vec![Line::styled(reason.clone(), ui.theme.style(Role::Error))],
        Some(Ok(found)) => lines(model, found, ui),
    };
    scrolled(lines, view.scroll, ui, inside, buf);
}

fn lines(model: &Model, found: &Found, ui: Ui<'_>) -> Vec<Line<'static>> {
    let entry = &found.entry;
    let summary = words::summary(entry, &model.decisions);
    let mut lines = vec![Line::styled(
        show(&summary).into_owned(),
        ui.theme.style(Role::Title),
    )];
    lines.push(field("time", &format!("{:.3}", entry.ts), ui));
    lines.push(field("who", &entry.actor, ui));
    lines.push(field("log", &entry.log, ui));
    lines.push(field("type", entry.kind.as_str(), ui));
    if let Some(alert) = words::alert_of(entry, &model.decisions) {
        lines.push(field("alert", alert.as_str(), ui));
    }
    if let Some(identity) = words::identity_of(entry, &model.decisions) {
        let mut line = field("identity", identity.as_str(), ui);
        if let Some((tag, role)) = trust_tag(model, &identity, ui) {
            line.push_span(Span::raw("  "));
            line.push_span(Span::styled(tag, ui.theme.style(role)));
        }
        lines.push(line);
    }
    lines.extend(evidence(found, ui));
    lines.extend(requests(model, entry, ui));
    lines.push(Line::default());
    lines.push(heading("Every field", ui));
    for (name, value) in &entry.body {
        flatten(name, value, ui, &mut lines);
    }
    lines
}

fn heading(text: &str, ui: Ui<'_>) -> Line<'static> {
    Line::styled(text.to_owned(), ui.theme.style(Role::Title))
}

fn field(name: &str, value: &str, ui: Ui<'_>) -> Line<'static> {
    Line::from(vec![
        Span::styled(
            format!("  {:<8}  ", show(name)),
            ui.theme.style(Role::Muted),
        ),
        Span::raw(show(value).into_owned()),
    ])
}

/// Returns what is stored beside the log for this record: enough to find each file, and whether it is what it was.
fn evidence(found: &Found, ui: Ui<'_>) -> Vec<Line<'static>> {
    if found.evidence.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        Line::default(),
        heading("Evidence, under blobs/ of this log", ui),
    ];
    for (one, stored) in &found.evidence {
        let (word, role) = match stored {
            Stored::Matches => ("there, matches".to_owned(), Role::Good),
            Stored::Differs => ("DIFFERS from what was recorded".to_owned(), Role::Error),
            Stored::Missing => ("NOT THERE".to_owned(), Role::Error),
            Stored::Unreadable(why) => (format!("CANNOT BE READ: {}", show(why)), Role::Error),
        };
        lines.push(Line::from(vec![
            Span::raw(format!(
                "  {}  {} bytes from {}  ",
                show(&one.name),
                one.size,
                show(&one.source)
            )),
            Span::styled(word, ui.theme.style(role)),
        ]));
        lines.push(Line::styled(
            format!("    sha256 {}", show(&one.sha256)),
            ui.theme.style(Role::Muted),
        ));
    }
    lines
}

/// Returns the exact requests of a plan, or of the one step that an intent is about.
fn requests(model: &Model, entry: &Entry, ui: Ui<'_>) -> Vec<Line<'static>> {
    let steps = |plan: &Plan, only: Option<&Intent>| {
        let wanted = plan
            .steps
            .iter()
            .filter(|s| only.is_none_or(|i| i.step == s.id));
        let mut lines = vec![Line::default(), heading("Exact requests", ui)];
        for step in wanted {
            lines.extend(step_lines(step, ui));
        }
        lines
    };
    match entry.kind {
        RecordType::Plan => entry
            .body_as::<PlanRecord>()
            .map(|record| steps(&record.plan, None))
            .unwrap_or_default(),
        RecordType::Intent | RecordType::Outcome | RecordType::Verify => {
            let act = words::act_of(entry, &model.decisions);
            let plan = act.and_then(|a| model.decisions.plan(a.intent.digest.as_str()));
            match (act, plan) {
                (Some(act), Some((_, state))) => steps(&state.plan, Some(&act.intent)),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn flatten(path: &str, value: &Value, ui: Ui<'_>, lines: &mut Vec<Line<'static>>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                flatten(&format!("{path}.{name}"), value, ui, lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{i}]"), value, ui, lines);
            }
        }
        Value::String(text) => lines.push(field(path, text, ui)),
        other => lines.push(field(path, &other.to_string(), ui)),
    }
}
