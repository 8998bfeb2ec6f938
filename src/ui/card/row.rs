//! A row of a tab in one line, the weightiest first, and everything that is known of it.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::{UNKNOWN, when};
use crate::app::card::{Row, Says, said_at};
use crate::app::contact;
use crate::app::model::{Live, Model};
use crate::domain::alert::age;
use crate::domain::effects::{Effect, Through};
use crate::domain::graph::Joined;
use crate::domain::identity::{At, Credential, Field, Grant, Identity, Level, Scope, Session};
use crate::domain::text::{Untrusted, show};
use crate::ui::Ui;
use crate::ui::map::row::{Tag, lasts};
use crate::ui::theme::Role;

/// Most items of a list that are named.
const MOST: usize = 40;

/// Returns a row as pieces of a line: what must be read first stands first, as a narrow screen cuts the rest.
pub(super) fn tags(card: &Identity, row: &Row, ui: Ui<'_>) -> Vec<Tag> {
    match row {
        Row::Scope(scope, says) => scope_tags(scope, *says, ui.now),
        Row::Session(session) => session_tags(session, ui.now),
        Row::Credential(credential, says, joined) => {
            credential_tags(credential, *says, *joined, ui.now)
        }
        Row::Grant(grant) => vec![
            (or_unknown(Some(&grant.to)), Role::Base),
            (kind_of(grant), Role::Base),
            (list(&grant.scopes), Role::Warn),
            end(grant.expires, ui.now),
            (format!("since {}", when(grant.since, ui.now)), Role::Muted),
        ],
        Row::Consent(text) => vec![
            (or_unknown(Some(text)), Role::Base),
            ("its provider lists it now".to_owned(), Role::Muted),
        ],
        Row::Effect(effect) => effect_tags(effect, ui),
        Row::Person(field, who) => person_tags(card, *field, who.as_ref(), ui),
        Row::Message => vec![
            (format!("{:<16}", "message"), Role::Muted),
            ("y copies it, enter shows it".to_owned(), Role::Key),
        ],
    }
}

fn person_tags(card: &Identity, field: Field, who: Option<&Untrusted>, ui: Ui<'_>) -> Vec<Tag> {
    let label = (format!("{:<16}", label(field)), Role::Muted);
    let Some(who) = who else {
        return vec![label, (UNKNOWN.to_owned(), Role::Warn)];
    };
    let at = At::own(field);
    let mut tags = vec![label, (show(who.raw()).into_owned(), Role::Base)];
    if let Some(origin) = card.origin(&at) {
        let role = if origin.is_stale(ui.now) {
            Role::Warn
        } else {
            Role::Muted
        };
        tags.push((origin.told(ui.now), role));
    }
    match card.conflicts(&at).count() {
        0 => {}
        n => tags.push((format!("! {n} say otherwise"), Role::Warn)),
    }
    tags
}

fn or_unknown(text: Option<&Untrusted>) -> String {
    let text = text.filter(|text| !text.is_empty());
    text.map_or_else(|| UNKNOWN.to_owned(), |text| show(text.raw()).into_owned())
}

fn list(texts: &[Untrusted]) -> String {
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

fn kind_of(grant: &Grant) -> String {
    format!("{}:", or_unknown(grant.kind.as_ref()))
}

fn end(at: Option<Timestamp>, now: Timestamp) -> Tag {
    let unknown = || ("no end known".to_owned(), Role::Warn);
    at.map_or_else(unknown, |at| lasts(at, now))
}

const fn label(field: Field) -> &'static str {
    match field {
        Field::OnCall => "on call",
        Field::Contact => "reached by",
        Field::TechnicalOwner => "technical owner",
        Field::BusinessOwner => "business owner",
        _ => "named",
    }
}

fn level_tag(level: Option<Level>, privileged: bool) -> Tag {
    match level {
        Some(level @ (Level::Admin | Level::SecretReading)) => {
            (level.as_str().replace('_', " ").to_uppercase(), Role::Error)
        }
        _ if privileged => ("PRIVILEGED".to_owned(), Role::Error),
        Some(level) => (level.as_str().to_owned(), Role::Base),
        None => ("level unknown".to_owned(), Role::Muted),
    }
}

/// Says whether the inventory and the provider agree that there is such a thing.
fn says_tag(says: Says) -> Tag {
    match (says.listed, says.now) {
        (false, _) => ("NOT IN INVENTORY".to_owned(), Role::Warn),
        (true, Some(false)) => ("not in force now".to_owned(), Role::Muted),
        (true, Some(true)) => ("in force now".to_owned(), Role::Good),
        (true, None) => ("listed; now unknown".to_owned(), Role::Muted),
    }
}

fn scope_tags(scope: &Scope, says: Says, now: Timestamp) -> Vec<Tag> {
    let used = match (scope.used, scope.last_used) {
        (_, Some(at)) => (format!("used {}", when(Some(at), now)), Role::Base),
        (Some(false), None) => ("never used".to_owned(), Role::Warn),
        (Some(true), None) => ("used, unknown when".to_owned(), Role::Base),
        (None, None) => ("use unknown".to_owned(), Role::Muted),
    };
    let on = scope.on.as_ref().filter(|on| !on.is_empty());
    let on = on.map(|on| (format!("on {}", on.show()), Role::Base));
    let mut tags = vec![
        (or_unknown(Some(&scope.name)), Role::Base),
        level_tag(scope.level, scope.privileged),
    ];
    tags.extend(on);
    tags.extend([used, says_tag(says)]);
    tags
}

fn session_tags(session: &Session, now: Timestamp) -> Vec<Tag> {
    vec![
        (
            format!("{} {}", or_unknown(Some(&session.kind)), session.id.show()),
            Role::Base,
        ),
        (
            format!("from {}", or_unknown(session.origin.as_ref())),
            Role::Base,
        ),
        end(session.expires, now),
        (
            format!("started {}", when(session.started, now)),
            Role::Muted,
        ),
        (
            format!("seen {}", when(session.last_seen, now)),
            Role::Muted,
        ),
    ]
}

fn credential_tags(
    credential: &Credential,
    says: Says,
    joined: Option<Joined>,
    now: Timestamp,
) -> Vec<Tag> {
    let name = format!(
        "{} {}",
        or_unknown(Some(&credential.kind)),
        credential.id.show()
    );
    let mut tags = vec![(name, Role::Base)];
    if let Some(joined) = joined {
        let role = if joined == Joined::Born {
            Role::Error
        } else {
            Role::Warn
        };
        tags.push((joined.as_str().to_owned(), role));
    }
    tags.push(match credential.enabled {
        Some(true) => ("enabled".to_owned(), Role::Base),
        Some(false) => ("turned off".to_owned(), Role::Muted),
        None => ("state unknown".to_owned(), Role::Muted),
    });
    if !credential.hard_coded.is_empty() {
        tags.push(("WRITTEN DOWN".to_owned(), Role::Error));
    }
    if let Some(days) = credential.overdue_days(now) {
        tags.push((format!("renewal {days} d overdue"), Role::Warn));
    }
    tags.push((
        format!("in {}", or_unknown(credential.store.as_ref())),
        Role::Base,
    ));
    tags.push(end(credential.expires, now));
    tags.push((
        format!("used {}", when(credential.last_used, now)),
        Role::Muted,
    ));
    tags.push(says_tag(says));
    tags
}

fn effect_tags(effect: &Effect, ui: Ui<'_>) -> Vec<Tag> {
    let mut tags = vec![
        (format!("{:<13}", effect.class.as_str()), Role::Title),
        level_tag(effect.level, false),
        (or_unknown(Some(&effect.on)), Role::Base),
    ];
    match &effect.through {
        Through::Scope(scope) => {
            let on = scope.on.as_ref().filter(|on| !on.is_empty());
            tags.extend(on.map(|on| (format!("on {}", on.show()), Role::Base)));
            if scope.used == Some(false) {
                tags.push(("never used".to_owned(), Role::Warn));
            }
            tags.push(("by scope".to_owned(), Role::Muted));
        }
        Through::Map {
            kind,
            criticality,
            way,
            ..
        } => {
            use crate::domain::vocabulary::Criticality;
            match criticality {
                Some(Criticality::BusinessCritical) => {
                    tags.push(("BUSINESS CRITICAL".to_owned(), Role::Error));
                }
                Some(Criticality::High) => tags.push(("high".to_owned(), Role::Warn)),
                _ => {}
            }
            let names: Vec<String> = way.iter().map(|n| n.show().into_owned()).collect();
            let through = match names.is_empty() {
                true => "directly".to_owned(),
                false => format!("through {}", names.join(&format!(" {} ", ui.glyphs.arrow))),
            };
            tags.push((format!("{}, {through}", kind.as_str()), Role::Muted));
        }
    }
    tags
}

/// Returns everything that is known of a row, and who said so.
pub(super) fn detail(model: &Model, card: &Identity, row: &Row, ui: Ui<'_>) -> Vec<Line<'static>> {
    let mut lines = match row {
        Row::Message => return message(model, ui),
        Row::Person(field, who) => vec![
            title(label(*field), ui),
            plain(or_unknown(who.as_ref()), who.is_none(), ui),
        ],
        Row::Consent(text) => vec![title(&text.show(), ui)],
        Row::Scope(scope, says) => scope_lines(scope, *says, ui),
        Row::Session(session) => session_lines(session, ui),
        Row::Credential(credential, says, joined) => {
            let mut lines = credential_lines(credential, *says, ui);
            if let Some(joined) = joined {
                lines.push(field("incident", joined.as_str().to_owned(), false, ui));
            }
            lines
        }
        Row::Grant(grant) => grant_lines(grant, ui),
        Row::Effect(effect) => effect_lines(effect, ui),
    };
    lines.extend(says(model, card, row, ui));
    lines.extend(ends_by(model, card, row, ui));
    lines
}

fn title(text: &str, ui: Ui<'_>) -> Line<'static> {
    Line::styled(text.to_owned(), ui.theme.style(Role::Title))
}

fn plain(text: String, unknown: bool, ui: Ui<'_>) -> Line<'static> {
    let role = if unknown { Role::Warn } else { Role::Base };
    Line::styled(text, ui.theme.style(role))
}

fn field(label: &str, value: String, warn: bool, ui: Ui<'_>) -> Line<'static> {
    let role = if warn { Role::Warn } else { Role::Base };
    Line::from(vec![
        Span::styled(format!("{label:<13}"), ui.theme.style(Role::Muted)),
        Span::styled(value, ui.theme.style(role)),
    ])
}

fn text(label: &str, value: Option<&Untrusted>, ui: Ui<'_>) -> Line<'static> {
    let is_unknown = value.is_none_or(Untrusted::is_empty);
    field(label, or_unknown(value), is_unknown, ui)
}

fn time(label: &str, at: Option<Timestamp>, ui: Ui<'_>) -> Line<'static> {
    let value = at.map(|at| {
        let exact = at.strftime("%Y-%m-%d %H:%M:%SZ");
        format!("{} ({exact})", when(Some(at), ui.now))
    });
    let is_unknown = value.is_none();
    field(
        label,
        value.unwrap_or_else(|| UNKNOWN.to_owned()),
        is_unknown,
        ui,
    )
}

fn stands(says: Says, ui: Ui<'_>) -> Line<'static> {
    let (text, role) = says_tag(says);
    field("stands", text, role == Role::Warn, ui)
}

fn scope_lines(scope: &Scope, says: Says, ui: Ui<'_>) -> Vec<Line<'static>> {
    let (level, role) = level_tag(scope.level, scope.privileged);
    let used = match scope.used {
        Some(true) => "yes",
        Some(false) => "never",
        None => UNKNOWN,
    };
    vec![
        title(&or_unknown(Some(&scope.name)), ui),
        field("lets it", level, role != Role::Base, ui),
        field(
            "on",
            scope.on.as_ref().map_or_else(
                || "everything it covers, or nobody says".to_owned(),
                |on| on.show().into_owned(),
            ),
            false,
            ui,
        ),
        field("used", used.to_owned(), scope.used != Some(true), ui),
        time("last used", scope.last_used, ui),
        stands(says, ui),
    ]
}

fn session_lines(session: &Session, ui: Ui<'_>) -> Vec<Line<'static>> {
    vec![
        title(&session.id.show(), ui),
        text("kind", Some(&session.kind), ui),
        text("from", session.origin.as_ref(), ui),
        time("started", session.started, ui),
        time("last seen", session.last_seen, ui),
        time("ends", session.expires, ui),
    ]
}

fn credential_lines(c: &Credential, says: Says, ui: Ui<'_>) -> Vec<Line<'static>> {
    let state = c
        .enabled
        .map(|on| if on { "enabled" } else { "turned off" });
    let mut lines = vec![
        title(&c.id.show(), ui),
        text("kind", Some(&c.kind), ui),
        field(
            "state",
            state.unwrap_or(UNKNOWN).to_owned(),
            state.is_none(),
            ui,
        ),
        stands(says, ui),
        text("kept in", c.store.as_ref(), ui),
        time("created", c.created, ui),
        time("expires", c.expires, ui),
        time("last used", c.last_used, ui),
        time("renewed", c.rotated, ui),
        text("renewal", c.rotation.as_ref(), ui),
    ];
    if let Some(days) = c.overdue_days(ui.now) {
        lines.push(field("overdue", format!("{days} d"), true, ui));
    }
    lines.push(text("fingerprint", c.fingerprint.as_ref(), ui));
    lines.push(field(
        "used by",
        list(&c.consumers),
        c.consumers.is_empty(),
        ui,
    ));
    if !c.hard_coded.is_empty() {
        lines.push(field("WRITTEN IN", list(&c.hard_coded), true, ui));
    }
    lines.push(text("to end it", c.offboarding.as_ref(), ui));
    lines
}

fn grant_lines(grant: &Grant, ui: Ui<'_>) -> Vec<Line<'static>> {
    vec![
        title(&or_unknown(Some(&grant.to)), ui),
        text("id", Some(&grant.id), ui),
        text("kind", grant.kind.as_ref(), ui),
        field("covers", list(&grant.scopes), grant.scopes.is_empty(), ui),
        time("since", grant.since, ui),
        time("ends", grant.expires, ui),
    ]
}

fn effect_lines(effect: &Effect, ui: Ui<'_>) -> Vec<Line<'static>> {
    let (level, role) = level_tag(effect.level, false);
    let mut lines = vec![
        title(&or_unknown(Some(&effect.on)), ui),
        field(
            "class",
            format!("{} (by its kind and name)", effect.class.as_str()),
            false,
            ui,
        ),
        field("lets it", level, role != Role::Base, ui),
    ];
    match &effect.through {
        Through::Scope(scope) => {
            lines.push(field(
                "through",
                "a scope that it holds".to_owned(),
                false,
                ui,
            ));
            lines.push(text("on", scope.on.as_ref(), ui));
            lines.push(time("last used", scope.last_used, ui));
        }
        Through::Map {
            node,
            kind,
            criticality,
            way,
        } => {
            let critical = criticality.map(|c| c.as_str().replace('_', " "));
            let is_unknown = critical.is_none();
            lines.push(field("id", node.to_string(), false, ui));
            lines.push(field("kind", kind.as_str().to_owned(), false, ui));
            let critical = critical.unwrap_or_else(|| UNKNOWN.to_owned());
            lines.push(field("criticality", critical, is_unknown, ui));
            let names: Vec<String> = way.iter().map(|n| n.show().into_owned()).collect();
            let through = match names.is_empty() {
                true => "directly".to_owned(),
                false => names.join(&format!(" {} ", ui.glyphs.arrow)),
            };
            lines.push(field("through", through, false, ui));
        }
    }
    lines
}

/// Says who said that there is such a thing, how long ago, and who says otherwise.
fn says(model: &Model, card: &Identity, row: &Row, ui: Ui<'_>) -> Vec<Line<'static>> {
    let live = model.live.get(&card.id);
    let listed = match row {
        Row::Scope(_, says) | Row::Credential(_, says, _) => says.listed,
        Row::Grant(_) | Row::Person(_, Some(_)) => true,
        _ => false,
    };
    let mut lines = Vec::new();
    if let Some(at) = said_at(row).filter(|_| listed) {
        let origin = card.origin(&at);
        let told = origin.map_or_else(|| UNKNOWN.to_owned(), |o| o.told(ui.now));
        let stale = origin.is_none_or(|o| o.is_stale(ui.now));
        lines.push(field("says", told, stale, ui));
        for said in card.conflicts(&at).take(MOST) {
            let value = or_unknown(said.value.as_ref());
            let other = show(&said.origin.source).into_owned();
            lines.push(field("but", format!("{other} says {value}"), true, ui));
        }
    }
    let by_provider = match row {
        Row::Session(_) | Row::Consent(_) => true,
        Row::Scope(_, says) | Row::Credential(_, says, _) => says.now == Some(true),
        _ => false,
    };
    let at = live.and_then(|live: &Live| live.at);
    if let Some(at) = at.filter(|_| by_provider) {
        let text = format!("its provider, read {} ago", age(at, ui.now));
        lines.push(field("says", text, false, ui));
    }
    lines
}

/// Says what could end it.
fn ends_by(model: &Model, card: &Identity, row: &Row, ui: Ui<'_>) -> Option<Line<'static>> {
    if row.other().is_some() {
        let text = "o shows what can be done about it".to_owned();
        return Some(field("plan", text, false, ui));
    }
    let acts = row.acts();
    if acts.is_empty() {
        return None;
    }
    let offered = card.connector.as_ref();
    let offered = offered.and_then(|name| model.capabilities.get(name));
    let can: Vec<&str> = acts
        .iter()
        .filter(|verb| offered.is_some_and(|offered| offered.contains_key(verb)))
        .map(|verb| verb.as_str())
        .collect();
    let text = match can.is_empty() {
        true => "nothing from here ends it".to_owned(),
        false => format!("{}; o shows the options", can.join(", ").replace('_', " ")),
    };
    Some(field("ended by", text, can.is_empty(), ui))
}

fn message(model: &Model, ui: Ui<'_>) -> Vec<Line<'static>> {
    let selected = model.selected.as_ref();
    let message = selected.and_then(|id| contact::about(model, id, &model.detail, ui.now));
    let lines = message.unwrap_or_else(|| vec!["Nobody is named here.".to_owned()]);
    lines.into_iter().map(Line::raw).collect()
}
