//! The identity card and what lives under it: sessions, roles, credentials.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::queue::{severity_role, severity_word};
use super::theme::Role;
use super::{Ui, frame, scrolled};
use crate::app::model::{Live, Model, Pane};
use crate::domain::alert::{Alert, Subject, age};
use crate::domain::identity::{Credential, Identity, Scope, Session};
use crate::domain::ids::AlertId;
use crate::domain::text::{Untrusted, fit, show, show_identifier};

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
            lines.extend(card_lines(card, model.live.get(&card.id), ui));
            lines.extend(hints(alert, ui));
        }
        (None, []) if !alert.candidates.is_empty() => {
            lines.push(Line::styled(
                "identity unresolved; the alert names these, and no inventory lists them:",
                ui.theme.style(Role::Warn),
            ));
            lines.extend(hints(alert, ui));
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
fn hints(alert: &Alert, ui: Ui<'_>) -> Vec<Line<'static>> {
    let line = |subject: &Subject| {
        let name = subject.name.as_ref().filter(|n| !n.is_empty());
        let name = name.map_or_else(String::new, |n| format!(" ({})", show_identifier(n.raw())));
        let provider = show_identifier(subject.provider.raw());
        let id = show_identifier(subject.native_id.raw());
        single(
            ui,
            "named",
            format!("{} {provider}:{id}{name}", subject.kind),
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
    let decided = model.decisions.of_alert(id);
    if let Some(reason) = decided.last().and_then(|(_, _, d)| d.reason.as_ref()) {
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

fn card_lines(card: &Identity, live: Option<&Live>, ui: Ui<'_>) -> Vec<Line<'static>> {
    let enabled = match live.and_then(|l| l.context.enabled) {
        Some(true) => "enabled",
        Some(false) => "DISABLED",
        None => "state unknown",
    };
    let mut name = vec![
        Span::styled(
            show_identifier(card.name.raw()).into_owned(),
            ui.theme.style(Role::Title),
        ),
        Span::raw(format!("  {}  {enabled}  ({})", card.kind, card.provenance)),
    ];
    if !card.name.raw().is_ascii() {
        name.push(Span::styled("  NON-ASCII NAME", ui.theme.style(Role::Warn)));
    }
    let mut lines = vec![
        Line::from(name),
        pair(
            ui,
            ("environment", opt(card.environment.as_ref())),
            ("driver", card.driver.to_string()),
        ),
        pair(
            ui,
            ("workload", opt(card.workload.as_ref())),
            (
                "criticality",
                card.criticality
                    .map_or(UNKNOWN.to_owned(), |c| c.to_string().replace('_', " ")),
            ),
        ),
        pair(
            ui,
            ("business", opt(card.business_owner.as_ref())),
            ("technical", opt(card.technical_owner.as_ref())),
        ),
        single(ui, "on call", opt(card.on_call.as_ref())),
    ];
    if let Some(reason) = &card.uninterruptible {
        let text = format!("DO NOT INTERRUPT LIGHTLY: {}", reason.show());
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    if card.credentials.is_empty() {
        lines.push(single(ui, "credential", UNKNOWN.to_owned()));
    }
    for credential in &card.credentials {
        let now = live.and_then(|l| l.context.credentials.iter().find(|c| c.id == credential.id));
        lines.extend(credential_lines(&joined(credential, now), ui));
    }
    for (key, value) in live.iter().flat_map(|l| &l.context.attributes) {
        lines.push(single(
            ui,
            "provider",
            format!("{} = {}", show(key), value.show()),
        ));
    }
    lines
}

fn credential_lines(c: &Credential, ui: Ui<'_>) -> [Line<'static>; 2] {
    let store = opt(c.store.as_ref());
    [
        single(
            ui,
            "credential",
            format!("{} {}  in {store}", c.kind.show(), c.id.show()),
        ),
        single(
            ui,
            "",
            format!(
                "expires {}  last used {}  rotation {}",
                when(c.expires, ui.now),
                when(c.last_used, ui.now),
                opt(c.rotation.as_ref())
            ),
        ),
    ]
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

fn pair(
    ui: Ui<'_>,
    (key, value): (&str, String),
    (other, beside): (&str, String),
) -> Line<'static> {
    let mut line = single(
        ui,
        key,
        fit(&format!("{value:<22}"), 22, ui.glyphs.ellipsis),
    );
    line.push_span(Span::styled(
        format!("  {other:<11} "),
        ui.theme.style(Role::Muted),
    ));
    line.push_span(Span::raw(beside));
    line
}

/// Draws live sessions and what the identity may do.
pub fn sessions(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Some(Pane::Sessions);
    let live = model
        .detail
        .identity
        .as_ref()
        .and_then(|card| model.live.get(&card.id));
    let age_text = match live {
        Some(Live { loading: true, .. }) => "reading".to_owned(),
        Some(Live { at: Some(at), .. }) => format!("read {} ago", age(*at, ui.now)),
        _ => "not read".to_owned(),
    };
    let inside = frame(
        &format!("Sessions and scopes ({age_text})"),
        focused,
        ui,
        area,
        buf,
    );
    let lines = session_lines(model, live, ui);
    scrolled(
        lines,
        if focused { model.scroll } else { 0 },
        ui,
        inside,
        buf,
    );
}

fn session_lines(model: &Model, live: Option<&Live>, ui: Ui<'_>) -> Vec<Line<'static>> {
    let Some(card) = &model.detail.identity else {
        return vec![Line::raw("No identity, so no sessions.")];
    };
    let Some(live) = live.filter(|l| l.at.is_some()) else {
        let text = match &card.connector {
            Some(name) => format!("asking {} for sessions, roles and grants", show(name)),
            None => "sessions unknown: no connector is configured for this identity".to_owned(),
        };
        return vec![Line::raw(text), scopes_line(&card.scopes, "inventory", ui)];
    };
    let context = &live.context;
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (part, reason) in &context.unknown {
        let text = format!("{} UNKNOWN: {}", show(part), reason.show());
        lines.push(Line::styled(text, ui.theme.style(Role::Error)));
    }
    let sessions_known = !context
        .unknown
        .iter()
        .any(|(part, _)| part.contains("session"));
    if context.sessions.is_empty() && sessions_known {
        lines.push(Line::raw("no live sessions or tokens"));
    }
    lines.extend(context.sessions.iter().map(|s| session_line(s, ui)));
    lines.push(scopes_line(&context.scopes, "now", ui));
    let grants: Vec<String> = context
        .grants
        .iter()
        .map(|g| g.show().into_owned())
        .collect();
    if !grants.is_empty() {
        lines.push(single(ui, "grants", grants.join(", ")));
    }
    let listed = |c: &&Credential| card.credentials.iter().any(|known| known.id == c.id);
    for credential in context.credentials.iter().filter(|c| !listed(c)) {
        lines.extend(credential_lines(credential, ui));
    }
    lines
}

/// Joins what the inventory says about a credential with what its provider says now; the provider knows better.
fn joined(listed: &Credential, now: Option<&Credential>) -> Credential {
    let Some(now) = now.cloned() else {
        return listed.clone();
    };
    Credential {
        store: now.store.or_else(|| listed.store.clone()),
        created: now.created.or(listed.created),
        expires: now.expires.or(listed.expires),
        last_used: now.last_used.or(listed.last_used),
        rotation: now.rotation.or_else(|| listed.rotation.clone()),
        ..listed.clone()
    }
}

fn session_line(session: &Session, ui: Ui<'_>) -> Line<'static> {
    let text = format!(
        "{} {} {}  from {}  started {}  ends {}",
        ui.glyphs.bullet,
        session.kind.show(),
        fit(&session.id.show(), 14, ui.glyphs.ellipsis),
        opt(session.origin.as_ref()),
        when(session.started, ui.now),
        when(session.expires, ui.now),
    );
    Line::raw(text)
}

fn scopes_line(scopes: &[Scope], source: &str, ui: Ui<'_>) -> Line<'static> {
    let mut spans = vec![Span::styled(
        format!("{:<11} ", "scopes"),
        ui.theme.style(Role::Muted),
    )];
    if scopes.is_empty() {
        spans.push(Span::raw(UNKNOWN));
    }
    for scope in scopes {
        let (text, role) = match scope.privileged {
            true => (format!("{}! ", scope.name.show()), Role::Warn),
            false => (format!("{} ", scope.name.show()), Role::Base),
        };
        spans.push(Span::styled(text, ui.theme.style(role)));
    }
    spans.push(Span::styled(
        format!("({source}; ! = privileged)"),
        ui.theme.style(Role::Muted),
    ));
    Line::from(spans)
}
