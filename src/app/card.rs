//! What the tabs of the card show: every scope, session, credential, grant and effect of the identity at hand, and whom to
//! call. Rows are made when what they hang on changes, never for a frame.

use std::collections::BTreeSet;

use super::map::Choosing;
use super::model::{Detail, Live};
use crate::domain::effects::{Effect, Effects, Through};
use crate::domain::graph::{Joined, NodeKind};
use crate::domain::identity::{At, Credential, Field, Grant, Identity, Scope, Session};
use crate::domain::ids::IdentityId;
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::Verb;

/// Most rows of a tab: what a provider lists has any length.
pub const MOST_ROWS: usize = 2_000;

/// A tab of the card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// What it may do.
    #[default]
    Scopes,
    /// Who is in now.
    Sessions,
    /// Long-lived secrets and keys.
    Credentials,
    /// Who acts for it.
    Grants,
    /// What it can do to code, data, messages, cloud resources.
    Effects,
    /// Whom to call.
    Contact,
}

impl Tab {
    /// All, in the order in which Tab visits them.
    pub const ALL: [Self; 6] = [
        Self::Scopes,
        Self::Sessions,
        Self::Credentials,
        Self::Grants,
        Self::Effects,
        Self::Contact,
    ];

    /// Returns the word on the tab.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Sessions => "sessions",
            Self::Credentials => "credentials",
            Self::Grants => "grants",
            Self::Effects => "effects",
            Self::Contact => "contact",
        }
    }

    /// Returns the part of what a provider says that this tab shows.
    const fn part(self) -> Option<&'static str> {
        match self {
            Self::Scopes | Self::Effects => Some("roles"),
            Self::Sessions => Some("sessions"),
            Self::Credentials => Some("credentials"),
            Self::Grants => Some("grants"),
            Self::Contact => None,
        }
    }

    const fn at(self) -> usize {
        self as usize
    }

    fn turn(self, delta: isize) -> Self {
        let to = (self.at() as isize + delta).rem_euclid(Self::ALL.len() as isize);
        Self::ALL[to as usize]
    }
}

/// Who says that there is such a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    /// The inventory lists it.
    pub listed: bool,
    /// The provider lists it now; `None` where it was not asked, or did not tell.
    pub now: Option<bool>,
}

/// A row of a tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A role or scope.
    Scope(Scope, Says),
    /// A session or token.
    Session(Session),
    /// A secret or key; the last tells whether it joined the incident.
    Credential(Box<Credential>, Says, Option<Joined>),
    /// Somebody who acts for it, as the inventory lists him.
    Grant(Box<Grant>),
    /// A consent, as the provider names it.
    Consent(Untrusted),
    /// Something that it can do.
    Effect(Box<Effect>),
    /// Somebody who answers for it, in which field.
    Person(Field, Option<Untrusted>),
    /// The message to whoever answers.
    Message,
}

impl Row {
    /// Returns what tells it from the other rows of its tab, and what is copied. Raw.
    pub fn id(&self) -> &str {
        match self {
            Self::Scope(scope, _) => scope.name.raw(),
            Self::Session(session) => session.id.raw(),
            Self::Credential(credential, ..) => credential.id.raw(),
            Self::Grant(grant) if grant.id.is_empty() => grant.to.raw(),
            Self::Grant(grant) => grant.id.raw(),
            Self::Consent(text) => text.raw(),
            Self::Effect(effect) => match &effect.through {
                Through::Scope(scope) => scope.name.raw(),
                Through::Map { node, .. } => node.as_str(),
            },
            Self::Person(field, _) => field.as_str(),
            Self::Message => "message",
        }
    }

    /// Returns the acts that end it, the narrowest first; none where nothing does.
    pub const fn acts(&self) -> &'static [Verb] {
        match self {
            Self::Session(_) => &[Verb::RevokeSessions, Verb::RevokeTokens],
            Self::Credential(..) => &[Verb::DisableCredential, Verb::RotateSecret],
            Self::Grant(_) | Self::Consent(_) => &[Verb::RevokeGrants],
            Self::Scope(..) => &[Verb::RestrictPrivilege],
            Self::Effect(effect) => match effect.through {
                Through::Scope(_) => &[Verb::RestrictPrivilege],
                Through::Map { .. } => &[],
            },
            Self::Person(..) | Self::Message => &[],
        }
    }

    /// Returns the other identity that it leads to.
    pub fn other(&self) -> Option<IdentityId> {
        let Self::Effect(effect) = self else {
            return None;
        };
        match &effect.through {
            Through::Map {
                node,
                kind: NodeKind::Identity,
                ..
            } => Some(IdentityId::new(node.as_str())),
            _ => None,
        }
    }
}

/// Something that is not known, or that must be read with the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What. Escaped already.
    pub text: String,
    /// Whether something is unknown because of it.
    pub unknown: bool,
}

/// One tab.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// What is not known.
    pub notes: Vec<Note>,
    /// What is.
    pub rows: Vec<Row>,
    /// How many more there are.
    pub more: usize,
}

/// The screen.
#[derive(Debug, Default)]
pub struct CardScreen {
    /// Whether it is where one is when nothing lies over it.
    pub open: bool,
    /// Whose card.
    pub identity: Option<IdentityId>,
    /// Which tab.
    pub tab: Tab,
    /// First line shown of the row that is open.
    pub reading: Option<usize>,
    /// The options that are shown.
    pub choosing: Option<Choosing>,
    /// What it can do.
    pub effects: Effects,
    sheets: [Sheet; Tab::ALL.len()],
    cursors: [usize; Tab::ALL.len()],
}

impl CardScreen {
    /// Opens on a tab.
    pub fn on(tab: Tab) -> Self {
        Self {
            open: true,
            tab,
            ..Self::default()
        }
    }

    /// Takes in what there is now. The cursor of each tab stays on its row; with another identity it begins anew.
    pub fn fill(&mut self, detail: &Detail, live: Option<&Live>) {
        let card = detail.identity.as_ref();
        let id = card.map(|card| card.id.clone());
        let same = id == self.identity;
        self.identity = id;
        let (sheets, effects) =
            card.map_or_else(Default::default, |card| sheets(card, detail, live));
        if !same {
            self.cursors = [0; Tab::ALL.len()];
            self.reading = None;
            self.choosing = None;
        }
        for tab in Tab::ALL {
            let was = self.sheets[tab.at()].rows.get(self.cursors[tab.at()]);
            let rows = &sheets[tab.at()].rows;
            let here = was.and_then(|was| rows.iter().position(|row| is_same(row, was)));
            if here.is_none() && was.is_some() && tab == self.tab {
                self.reading = None;
            }
            let last = rows.len().saturating_sub(1);
            self.cursors[tab.at()] = here.unwrap_or(self.cursors[tab.at()]).min(last);
        }
        self.sheets = sheets;
        self.effects = effects;
    }

    /// Returns a tab.
    pub const fn sheet(&self, tab: Tab) -> &Sheet {
        &self.sheets[tab.at()]
    }

    /// Returns the row that has the cursor, by its place.
    pub const fn cursor(&self) -> usize {
        self.cursors[self.tab.at()]
    }

    /// Returns the row that has the cursor.
    pub fn current(&self) -> Option<&Row> {
        self.sheet(self.tab).rows.get(self.cursor())
    }

    /// Moves the cursor by rows.
    pub fn step(&mut self, delta: isize) {
        let last = self.sheet(self.tab).rows.len().saturating_sub(1);
        let cursor = &mut self.cursors[self.tab.at()];
        *cursor = cursor.saturating_add_signed(delta).min(last);
    }

    /// Shows the tab `delta` places further.
    pub fn turn(&mut self, delta: isize) {
        self.tab = self.tab.turn(delta);
        self.reading = None;
    }
}

/// Tells whether two rows are about one thing, however that changed.
fn is_same(a: &Row, b: &Row) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b) && a.id() == b.id()
}

fn sheets(
    card: &Identity,
    detail: &Detail,
    live: Option<&Live>,
) -> ([Sheet; Tab::ALL.len()], Effects) {
    let read = live.filter(|live| live.at.is_some());
    let scopes = scopes(card, read);
    let held: Vec<Scope> = scopes
        .iter()
        .filter(|(_, says)| says.now != Some(false))
        .map(|(scope, _)| scope.clone())
        .collect();
    let effects = Effects::of(&held, &detail.graph, &detail.look.exposure);
    let rows = |tab| -> Vec<Row> {
        match tab {
            Tab::Scopes => scopes
                .iter()
                .cloned()
                .map(|(s, y)| Row::Scope(s, y))
                .collect(),
            Tab::Sessions => {
                let sessions = read.map_or(&[][..], |live| &live.context.sessions);
                sessions
                    .iter()
                    .take(MOST_ROWS + 1)
                    .cloned()
                    .map(Row::Session)
                    .collect()
            }
            Tab::Credentials => credentials(card, detail, read),
            Tab::Grants => grants(card, read),
            Tab::Effects => {
                let all = effects.found.iter();
                all.map(|effect| Row::Effect(Box::new(effect.clone())))
                    .collect()
            }
            Tab::Contact => people(card),
        }
    };
    let sheets = Tab::ALL.map(|tab| {
        let mut rows = rows(tab);
        let mut more = rows.len().saturating_sub(MOST_ROWS);
        if tab == Tab::Sessions {
            let all = read.map_or(0, |live| live.context.sessions.len());
            more = all.saturating_sub(MOST_ROWS);
        }
        if tab == Tab::Effects {
            more += effects.more;
        }
        rows.truncate(MOST_ROWS);
        let notes = notes(tab, card, live, rows.is_empty());
        Sheet { notes, rows, more }
    });
    (sheets, effects)
}

/// Tells whether a provider told a part.
fn told(live: &Live, tab: Tab) -> bool {
    let Some(part) = tab.part() else { return true };
    let missed = live.context.unknown.iter().map(|(missed, _)| missed);
    !missed
        .chain(&live.context.unread)
        .any(|missed| concerns(missed, part))
}

/// Tells whether a part that could not be read is this one: `roles`, `everything`, `sessions, scopes and grants`.
fn concerns(missed: &str, part: &str) -> bool {
    missed == "everything"
        || missed.contains(part)
        || (part == "roles" && missed.contains("scopes"))
}

fn notes(tab: Tab, card: &Identity, live: Option<&Live>, empty: bool) -> Vec<Note> {
    let note = |text: String, unknown| Note { text, unknown };
    let Some(part) = tab.part() else {
        return Vec::new();
    };
    let what = tab.as_str();
    let mut notes = Vec::new();
    match (live, &card.connector) {
        (_, None) => notes.push(note(
            format!("{what} now: UNKNOWN, no connector is configured for it"),
            true,
        )),
        (Some(live), Some(_)) if live.at.is_some() => {
            let missed = live.context.unknown.iter();
            let missed = missed.filter(|(missed, _)| concerns(missed, part));
            notes.extend(missed.map(|(missed, why)| {
                note(
                    format!("{} now: UNKNOWN, {}", show(missed), why.show()),
                    true,
                )
            }));
            if live.context.unread.iter().any(|unread| unread == part) {
                let name = card.connector.as_deref().unwrap_or_default();
                let text = format!("{what} now: UNKNOWN, {} does not read them", show(name));
                notes.push(note(text, true));
            }
        }
        (live, Some(name)) => {
            let asking = live.is_some_and(|live| live.loading);
            let text = match asking {
                true => format!("{what} now: asking {}", show(name)),
                false => format!("{what} now: UNKNOWN, {} was not asked; r asks", show(name)),
            };
            notes.push(note(text, true));
        }
    }
    if empty && notes.is_empty() {
        let text = match tab {
            Tab::Sessions => "no live session or token, says its provider".to_owned(),
            _ => format!("no {what} that the inventory or its provider tells of"),
        };
        notes.push(note(text, false));
    } else if empty && tab != Tab::Sessions {
        notes.push(note(format!("{what}: the inventory lists none"), true));
    }
    notes
}

/// Joins the scopes that the inventory lists with those that are in force now.
fn scopes(card: &Identity, live: Option<&Live>) -> Vec<(Scope, Says)> {
    let now = live.filter(|live| told(live, Tab::Scopes));
    let in_force: BTreeSet<&str> = now
        .iter()
        .flat_map(|live| &live.context.scopes)
        .map(|scope| scope.name.raw())
        .collect();
    let says = |listed, scope: &Scope| Says {
        listed,
        now: now.map(|_| in_force.contains(scope.name.raw())),
    };
    let mut all: Vec<(Scope, Says)> = card
        .scopes
        .iter()
        .map(|scope| (scope.clone(), says(true, scope)))
        .collect();
    let listed: BTreeSet<&str> = card.scopes.iter().map(|scope| scope.name.raw()).collect();
    let others = live.iter().flat_map(|live| &live.context.scopes);
    let others = others.filter(|scope| !listed.contains(scope.name.raw()));
    let seen = |scope: &Scope| Says {
        listed: false,
        now: Some(true).filter(|_| !scope.name.is_empty()),
    };
    all.extend(
        others
            .take(MOST_ROWS)
            .map(|scope| (scope.clone(), seen(scope))),
    );
    // What gives most is read first.
    all.sort_by_key(|(scope, _)| std::cmp::Reverse((scope.privileged, scope.level)));
    all
}

/// Joins what the inventory says about a credential with what its provider says now; the provider knows better.
pub fn joined(listed: &Credential, now: Option<&Credential>) -> Credential {
    let Some(now) = now.cloned() else {
        return listed.clone();
    };
    Credential {
        store: now.store.or_else(|| listed.store.clone()),
        created: now.created.or(listed.created),
        expires: now.expires.or(listed.expires),
        last_used: now.last_used.or(listed.last_used),
        rotation: now.rotation.or_else(|| listed.rotation.clone()),
        enabled: now.enabled.or(listed.enabled),
        ..listed.clone()
    }
}

fn credentials(card: &Identity, detail: &Detail, live: Option<&Live>) -> Vec<Row> {
    let known = live.filter(|live| told(live, Tab::Credentials));
    let now = live.map_or(&[][..], |live| &live.context.credentials);
    let born = |credential: &Credential| {
        let node = crate::domain::drawing::credential_node(&card.id, credential.id.raw());
        let newcomer = detail.newcomers.iter().find(|n| n.node == node);
        newcomer.map(|n| n.joined)
    };
    let row = |credential: Credential, listed, now| {
        let joined = born(&credential);
        Row::Credential(Box::new(credential), Says { listed, now }, joined)
    };
    let listed = card.credentials.iter().map(|credential| {
        let same = now.iter().find(|c| c.id == credential.id);
        row(
            joined(credential, same),
            true,
            known.map(|_| same.is_some()),
        )
    });
    let is_listed = |c: &&Credential| card.credentials.iter().any(|known| known.id == c.id);
    let others = now.iter().take(MOST_ROWS).filter(|c| !is_listed(c));
    listed
        .chain(others.map(|c| row(c.clone(), false, Some(true))))
        .collect()
}

fn grants(card: &Identity, live: Option<&Live>) -> Vec<Row> {
    let consents = live.iter().flat_map(|live| &live.context.grants);
    let listed = card.grants.iter().cloned();
    let listed = listed.map(|grant| Row::Grant(Box::new(grant)));
    listed
        .chain(consents.take(MOST_ROWS).cloned().map(Row::Consent))
        .collect()
}

fn people(card: &Identity) -> Vec<Row> {
    let mut rows: Vec<Row> = [
        (Field::OnCall, &card.on_call),
        (Field::Contact, &card.contact),
        (Field::TechnicalOwner, &card.technical_owner),
        (Field::BusinessOwner, &card.business_owner),
    ]
    .into_iter()
    .map(|(field, who)| Row::Person(field, who.clone().filter(|who| !who.is_empty())))
    .collect();
    rows.push(Row::Message);
    rows
}

/// Returns the field of the card that says that there is such a thing, for finding out who said so.
pub fn said_at(row: &Row) -> Option<At> {
    Some(match row {
        Row::Scope(scope, _) => At::of(Field::Scope, scope.name.raw()),
        Row::Credential(credential, ..) => At::of(Field::Credential, credential.id.raw()),
        Row::Grant(grant) => At::of(Field::Grant, grant.id.raw()),
        Row::Person(field, Some(_)) => At::own(*field),
        _ => return None,
    })
}
