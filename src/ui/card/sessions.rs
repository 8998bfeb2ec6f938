//! Live sessions, and what the identity may do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::whose::credential_lines;
use super::{UNKNOWN, opt, single, when};
use crate::app::model::{Live, Model, Pane};
use crate::domain::alert::age;
use crate::domain::identity::{Credential, Scope, Session};
use crate::domain::text::{fit, show};
use crate::ui::theme::Role;
use crate::ui::{Ui, frame, scrolled};

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
        let scopes = scopes_line(&card.scopes, &card.scopes, "inventory", ui);
        return vec![Line::raw(text), scopes];
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
    if context.unread.iter().any(|part| part == "sessions") {
        let text = "sessions UNKNOWN: its connector does not read them";
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    } else if context.sessions.is_empty() && sessions_known {
        lines.push(Line::raw("no live sessions or tokens"));
    }
    lines.extend(context.sessions.iter().map(|s| session_line(s, ui)));
    lines.push(scopes_line(&context.scopes, &card.scopes, "now", ui));
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

/// Lists scopes; `known` is what the inventory says of their use.
fn scopes_line(scopes: &[Scope], known: &[Scope], source: &str, ui: Ui<'_>) -> Line<'static> {
    let mut spans = vec![Span::styled(
        format!("{:<11} ", "scopes"),
        ui.theme.style(Role::Muted),
    )];
    if scopes.is_empty() {
        spans.push(Span::raw(format!("{UNKNOWN} ")));
    }
    for scope in scopes {
        let is_unused = |k: &Scope| k.name == scope.name && k.used == Some(false);
        let unused = match known.iter().any(is_unused) {
            true => " (never used)",
            false => "",
        };
        let (text, role) = match scope.privileged {
            true => (format!("{}!{unused} ", scope.name.show()), Role::Warn),
            false => (format!("{}{unused} ", scope.name.show()), Role::Base),
        };
        spans.push(Span::styled(text, ui.theme.style(role)));
    }
    spans.push(Span::styled(
        format!("({source}; ! = privileged)"),
        ui.theme.style(Role::Muted),
    ));
    Line::from(spans)
}
