//! Whose access it is: what must be read first stands first, since a small screen shows only the beginning.
//!
//! In this order: who and how it is, what a stop costs, where and how critical, who answers for it and who said so, whom
//! to call, what is doubtful, where it parts from what is normal; then its credentials, ways back in, grants, what it was
//! approved for.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::{UNKNOWN, normal, opt, single, when};
use crate::app::card::joined;
use crate::app::model::{Live, Model};
use crate::domain::identity::flags::Flag;
use crate::domain::identity::{
    At, Credential, Field, Grant, Identity, Intent, RecoveryPath, RecoveryState, coarse,
};
use crate::domain::observed::Fits;
use crate::domain::text::{Untrusted, fit, show, show_identifier};
use crate::ui::Ui;
use crate::ui::theme::Role;

/// Most lines of one kind; the subcommand shows all.
const MOST: usize = 5;

/// Cells of a name that is shown in passing: a longer one would push owner and environment out of sight. A plan shows it
/// whole.
pub const MOST_NAME: usize = 120;

/// Returns the lines of a card.
pub(super) fn lines(model: &Model, card: &Identity, ui: Ui<'_>, width: u16) -> Vec<Line<'static>> {
    let live = model.live.get(&card.id);
    let flags = model.inventory.flags(card, ui.now);
    let rows = normal::rows(model, card);
    let seen = rows.iter().flat_map(|row| &row.seen);
    let unusual = seen.filter(|seen| seen.fits == Fits::Unusual).count();
    let mut lines = vec![name_line(card, live, (&flags, unusual), ui)];
    lines.extend(trust_line(model, card, ui));
    lines.extend(stop_line(card, ui));
    lines.push(facts_line(card, ui));
    lines.extend(owner_lines(card, ui));
    lines.push(on_call_line(card, ui));
    lines.extend(flag_lines(&flags, ui));
    lines.extend(normal::lines(&rows, ui, width));
    if card.credentials.is_empty() {
        lines.push(single(ui, "credential", UNKNOWN.to_owned()));
    }
    for credential in &card.credentials {
        let now = live.and_then(|l| l.context.credentials.iter().find(|c| c.id == credential.id));
        lines.extend(credential_lines(&joined(credential, now), ui));
    }
    lines.extend(recovery_lines(&card.recovery, ui));
    lines.extend(grant_lines(&card.grants, ui));
    lines.extend(card.intent.as_ref().map(|intent| intent_line(intent, ui)));
    for (key, value) in live.iter().flat_map(|l| &l.context.attributes) {
        lines.push(single(
            ui,
            "provider",
            format!("{} = {}", show(key), value.show()),
        ));
    }
    lines
}

/// Whether somebody may rely on it, where it was contained.
fn trust_line(model: &Model, card: &Identity, ui: Ui<'_>) -> Option<Line<'static>> {
    crate::ui::trust_line(model, &card.id, ui)
}

/// Who, what kind, whether it is enabled, whether anything is doubtful, and which sources list it.
fn name_line(
    card: &Identity,
    live: Option<&Live>,
    (flags, unusual): (&[Flag], usize),
    ui: Ui<'_>,
) -> Line<'static> {
    let enabled = match (live.and_then(|l| l.context.enabled), card.enabled) {
        (Some(true), _) => "enabled",
        (Some(false), _) => "DISABLED",
        (None, Some(false)) => "disabled when listed",
        (None, _) => "state unknown",
    };
    let source = show(&card.provenance);
    let from = match card.origins.len().saturating_sub(1) {
        0 => source.into_owned(),
        others => format!("{source} +{others}"),
    };
    let mut line = Line::from(vec![
        Span::styled(
            fit(
                &show_identifier(card.name.raw()),
                MOST_NAME,
                ui.glyphs.ellipsis,
            ),
            ui.theme.style(Role::Title),
        ),
        Span::raw(format!("  {}  {enabled}", card.kind)),
    ]);
    let mut push = |text: String, role| line.push_span(Span::styled(text, ui.theme.style(role)));
    match flags.len() {
        0 => {}
        1 => push("  ! 1 doubt".to_owned(), Role::Warn),
        n => push(format!("  ! {n} doubts"), Role::Warn),
    }
    if unusual > 0 {
        push(format!("  ! {unusual} UNUSUAL"), Role::Error);
    }
    if !card.name.raw().is_ascii() {
        push("  NON-ASCII NAME".to_owned(), Role::Warn);
    }
    let role = if card.is_listed() {
        Role::Muted
    } else {
        Role::Warn
    };
    push(format!("  ({from})"), role);
    line
}

/// A source with the age of what it says; without an age where it gives none.
fn dated(source: &str, at: Option<Timestamp>, now: Timestamp) -> String {
    let source = show(source);
    match at.filter(|at| *at <= now) {
        Some(at) => format!("{source}, {} old", coarse(at, now)),
        None => source.into_owned(),
    }
}

fn stop_line(card: &Identity, ui: Ui<'_>) -> Option<Line<'static>> {
    let cost = card
        .stop_cost
        .as_ref()
        .map(|cost| format!("a stop costs {}", cost.show()));
    let text = match (&card.uninterruptible, cost) {
        (None, None) => return None,
        (None, Some(cost)) => cost,
        (Some(why), None) => format!("DO NOT INTERRUPT LIGHTLY: {}", why.show()),
        (Some(why), Some(cost)) => format!("DO NOT INTERRUPT LIGHTLY: {}; {cost}", why.show()),
    };
    Some(Line::styled(text, ui.theme.style(Role::Warn)))
}

/// Both owners with who said so: in one line where nobody contradicts and the same source says both.
fn owner_lines(card: &Identity, ui: Ui<'_>) -> Vec<Line<'static>> {
    let owners = [
        ("business", Field::BusinessOwner, &card.business_owner),
        ("technical", Field::TechnicalOwner, &card.technical_owner),
    ];
    let [business, technical] =
        owners.map(|(_, field, owner)| owner.as_ref().and_then(|_| card.origin(&At::own(field))));
    let is_contradicted = |field| card.conflicts(&At::own(field)).next().is_some();
    if business == technical && !owners.iter().any(|(_, field, _)| is_contradicted(*field)) {
        let [(.., business), (.., technical)] = owners;
        let text = match (business, technical) {
            (None, None) => UNKNOWN.to_owned(),
            _ => format!("{} / {}", opt(business.as_ref()), opt(technical.as_ref())),
        };
        let mut line = single(ui, "owners", text);
        line.spans.extend(provenance(
            card,
            Field::BusinessOwner,
            business.is_some(),
            ui,
        ));
        return vec![line];
    }
    let line = |(label, field, owner): (&str, Field, &Option<Untrusted>)| {
        let mut line = single(ui, label, opt(owner.as_ref()));
        line.spans
            .extend(provenance(card, field, owner.is_some(), ui));
        line
    };
    owners.into_iter().map(line).collect()
}

/// Who said a field, how old that is, and how many sources contradict it.
fn provenance(card: &Identity, field: Field, is_known: bool, ui: Ui<'_>) -> Vec<Span<'static>> {
    let at = At::own(field);
    let mut spans = Vec::new();
    if let Some(origin) = card.origin(&at).filter(|_| is_known) {
        let role = if origin.is_stale(ui.now) {
            Role::Warn
        } else {
            Role::Muted
        };
        let from = dated(&origin.source, origin.at, ui.now);
        let text = format!(" {} {from}", ui.glyphs.dot);
        spans.push(Span::styled(text, ui.theme.style(role)));
    }
    for said in card.conflicts(&at).take(MOST) {
        let value = opt(said.value.as_ref());
        let text = format!("  ! {} says {value}", show(&said.origin.source));
        spans.push(Span::styled(text, ui.theme.style(Role::Warn)));
    }
    spans
}

fn on_call_line(card: &Identity, ui: Ui<'_>) -> Line<'static> {
    let text = match (&card.on_call, &card.contact) {
        (Some(who), Some(how)) => format!("{}, {}", who.show(), how.show()),
        (None, Some(how)) => how.show().into_owned(),
        (who, None) => opt(who.as_ref()),
    };
    single(ui, "on call", text)
}

/// Where it lives, what drives it, how critical it is and what runs under it.
fn facts_line(card: &Identity, ui: Ui<'_>) -> Line<'static> {
    let critical = card
        .criticality
        .map_or(UNKNOWN.to_owned(), |c| c.as_str().replace('_', " "));
    let facts = [
        ("", Field::Environment, opt(card.environment.as_ref())),
        ("driver ", Field::Driver, card.driver.to_string()),
        ("criticality ", Field::Criticality, critical),
        ("runs ", Field::Workload, opt(card.workload.as_ref())),
    ];
    let mut line = single(ui, "environment", String::new());
    for (index, (label, field, value)) in facts.into_iter().enumerate() {
        let gap = if index == 0 { "" } else { "  " };
        let label = format!("{gap}{label}");
        line.push_span(Span::styled(label, ui.theme.style(Role::Muted)));
        line.push_span(Span::raw(value));
        if card.conflicts(&At::own(field)).next().is_some() {
            line.push_span(Span::styled("!", ui.theme.style(Role::Warn)));
        }
    }
    line
}

fn flag_lines(flags: &[Flag], ui: Ui<'_>) -> Vec<Line<'static>> {
    let warn = ui.theme.style(Role::Warn);
    let line = |flag: &Flag| {
        let kind = flag.kind.as_str().replace('_', " ");
        Line::styled(format!("! {kind}: {}", flag.reason), warn)
    };
    let mut lines: Vec<Line<'static>> = flags.iter().take(MOST).map(line).collect();
    if flags.len() > MOST {
        let text = format!("! and {} more doubts", flags.len() - MOST);
        lines.push(Line::styled(text, warn));
    }
    lines
}

/// What a credential is, how long it lives, and what is known of getting rid of it.
pub(super) fn credential_lines(c: &Credential, ui: Ui<'_>) -> Vec<Line<'static>> {
    let (kind, store) = (opt(Some(&c.kind)), opt(c.store.as_ref()));
    let off = if c.enabled == Some(false) {
        "  turned off"
    } else {
        ""
    };
    let mut lines = vec![
        single(
            ui,
            "credential",
            format!("{kind} {}  in {store}{off}", c.id.show()),
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
    ];
    if !c.hard_coded.is_empty() {
        let text = format!("{:<11} ! written down in {}", "", listed(&c.hard_coded));
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    if !c.consumers.is_empty() {
        lines.push(single(ui, "", format!("used by {}", listed(&c.consumers))));
    }
    if let Some(procedure) = &c.offboarding {
        lines.push(single(ui, "", format!("to end it: {}", procedure.show())));
    }
    lines
}

/// Names a few of many.
fn listed(texts: &[Untrusted]) -> String {
    if texts.is_empty() {
        return UNKNOWN.to_owned();
    }
    let shown: Vec<_> = texts.iter().take(MOST).map(Untrusted::show).collect();
    let more = match texts.len().saturating_sub(MOST) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("{}{more}", shown.join(", "))
}

fn recovery_lines(paths: &[RecoveryPath], ui: Ui<'_>) -> Vec<Line<'static>> {
    let line = |path: &RecoveryPath| {
        let kind = opt(path.kind.as_ref()).replace('_', " ");
        let text = format!("{} ({kind}): {}", path.id.show(), path.state);
        let mut line = single(ui, "way back in", text);
        let is_open = matches!(path.state, RecoveryState::Open | RecoveryState::Compromised);
        if let Some(span) = line.spans.last_mut().filter(|_| is_open) {
            span.style = ui.theme.style(Role::Warn);
        }
        line
    };
    paths.iter().take(MOST).map(line).collect()
}

fn grant_lines(grants: &[Grant], ui: Ui<'_>) -> Vec<Line<'static>> {
    let line = |grant: &Grant| {
        let kind = opt(grant.kind.as_ref());
        let text = format!(
            "{}  {kind}: {}  since {}",
            grant.to.show(),
            listed(&grant.scopes),
            when(grant.since, ui.now)
        );
        single(ui, "granted to", text)
    };
    grants.iter().take(MOST).map(line).collect()
}

fn intent_line(intent: &Intent, ui: Ui<'_>) -> Line<'static> {
    let text = format!(
        "{}; tools {}; on {}",
        opt(intent.purpose.as_ref()),
        listed(&intent.tools),
        listed(&intent.targets)
    );
    single(ui, "approved", text)
}
