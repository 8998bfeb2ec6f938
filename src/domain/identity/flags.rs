//! What is doubtful about a card: owners who are gone, sources that are old, credentials nobody keeps in order.

use jiff::Timestamp;
use serde::Serialize;

use super::roster::Roster;
use super::{At, Field, Identity};
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::words;

words! {
    /// Kinds of doubts. The order is that of their weight.
    FlagKind {
        /// Nobody is named as owner.
        NoOwner = "no_owner",
        /// The owner is in no roster, or was dissolved.
        OrphanedOwner = "orphaned_owner",
        /// Somebody else may hold a recovery path.
        RecoveryCompromised = "recovery_compromised",
        /// A credential is written down in code or files.
        HardCoded = "hard_coded",
        /// Several identities hold the same credential.
        Shared = "shared",
        /// Sources contradict each other.
        Conflict = "conflict",
        /// It was not used for long.
        Unused = "unused",
        /// Who said whose it is said so long ago.
        StaleOwner = "stale_owner",
        /// No source has said anything lately.
        StaleRecord = "stale_record",
        /// A credential was to be renewed.
        RotationOverdue = "rotation_overdue",
        /// A credential has ended.
        Expired = "expired",
    }
}

/// One doubt, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flag {
    /// Which kind.
    pub kind: FlagKind,
    /// Why, in words. Escaped already.
    pub reason: String,
    /// The field it is about, where it is about one.
    #[serde(skip)]
    pub at: Option<At>,
}

/// From when on something counts as old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After how many days what a source says counts as stale.
    pub stale_after_d: u32,
    /// After how many days without use an identity counts as unused.
    pub unused_after_d: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stale_after_d: 90,
            unused_after_d: 90,
        }
    }
}

/// What the doubts of one card depend on besides the card.
pub struct Surroundings<'a> {
    /// Who exists.
    pub roster: &'a Roster,
    /// What counts as old.
    pub limits: Limits,
    /// Tells how many identities hold a credential of this id or fingerprint.
    pub holders: &'a dyn Fn(&str) -> usize,
}

/// Returns everything doubtful about a card, the heaviest first. A card that no inventory lists has no flags: all is unknown.
pub fn of(card: &Identity, around: &Surroundings<'_>, now: Timestamp) -> Vec<Flag> {
    if !card.is_listed() {
        return Vec::new();
    }
    let mut flags = Vec::new();
    owners(card, around, now, &mut flags);
    ages(card, around.limits, now, &mut flags);
    conflicts(card, &mut flags);
    credentials(card, around, now, &mut flags);
    flags.sort_by_key(|f| f.kind);
    flags
}

fn flag(kind: FlagKind, at: impl Into<Option<At>>, reason: String) -> Flag {
    Flag {
        kind,
        reason,
        at: at.into(),
    }
}

fn owners(card: &Identity, around: &Surroundings<'_>, now: Timestamp, flags: &mut Vec<Flag>) {
    let owners = [
        (Field::BusinessOwner, &card.business_owner),
        (Field::TechnicalOwner, &card.technical_owner),
    ];
    if owners.iter().all(|(_, owner)| owner.is_none()) {
        let reason = "no source names an owner".to_owned();
        flags.push(flag(FlagKind::NoOwner, None, reason));
    }
    for (field, owner) in owners {
        let Some(owner) = owner else { continue };
        let at = At::own(field);
        let shown = owner.show();
        match around.roster.find(owner.raw()) {
            _ if around.roster.is_empty() => {}
            None => {
                let reason = format!("{at} `{shown}` is no declared team or person");
                flags.push(flag(FlagKind::OrphanedOwner, at.clone(), reason));
            }
            Some(team) if team.gone => {
                let reason = format!("{at} `{shown}` is gone, says the roster");
                flags.push(flag(FlagKind::OrphanedOwner, at.clone(), reason));
            }
            Some(_) => {}
        }
        if let Some(origin) = card.origin(&at).filter(|o| o.is_stale(now)) {
            let reason = format!("{at} `{shown}` is from {}", origin.told(now));
            flags.push(flag(FlagKind::StaleOwner, at, reason));
        }
    }
}

fn ages(card: &Identity, limits: Limits, now: Timestamp, flags: &mut Vec<Flag>) {
    let dated = card.origins.iter().any(|o| o.at.is_some());
    if dated
        && card
            .origins
            .iter()
            .all(|o| o.at.is_none() || o.is_stale(now))
    {
        let newest = card.origins.iter().max_by_key(|o| o.at);
        let told = newest.map_or_else(String::new, |o| o.told(now));
        let reason = format!("the newest that is said about it is from {told}");
        flags.push(flag(FlagKind::StaleRecord, None, reason));
    }
    if let Some(days) = card.last_seen().map(|at| days_since(at, now))
        && days > i64::from(limits.unused_after_d)
    {
        let reason = format!("last used {days} d ago");
        flags.push(flag(FlagKind::Unused, At::own(Field::LastUsed), reason));
    }
}

fn conflicts(card: &Identity, flags: &mut Vec<Flag>) {
    for said in card.contradictions() {
        let value = said.value.as_ref().map(Untrusted::show).unwrap_or_default();
        let source = show(&said.origin.source);
        let reason = format!("{}: {source} says `{value}`", said.at);
        flags.push(flag(FlagKind::Conflict, said.at.clone(), reason));
    }
}

fn credentials(card: &Identity, around: &Surroundings<'_>, now: Timestamp, flags: &mut Vec<Flag>) {
    for credential in &card.credentials {
        let id = credential.id.show();
        let at = |field| At::of(field, credential.id.raw());
        if let Some(place) = credential.hard_coded.first() {
            let more = match credential.hard_coded.len() {
                1 => String::new(),
                n => format!(" and {} other places", n - 1),
            };
            let reason = format!("{id} is written down in {}{more}", place.show());
            flags.push(flag(FlagKind::HardCoded, at(Field::Credential), reason));
        }
        let digest = credential.fingerprint.as_ref().map_or("", Untrusted::raw);
        let holders = (around.holders)(credential.id.raw()).max((around.holders)(digest));
        if holders > 1 {
            let reason = format!("{id} is held by {holders} identities");
            flags.push(flag(FlagKind::Shared, at(Field::Credential), reason));
        }
        if credential.enabled == Some(false) {
            continue;
        }
        if let Some(late) = credential.overdue_days(now) {
            let reason = format!("{id} was to be renewed {late} d ago");
            let at = at(Field::CredentialRotation);
            flags.push(flag(FlagKind::RotationOverdue, at, reason));
        }
        if let Some(end) = credential.expires.filter(|end| *end <= now) {
            let reason = format!("{id} ended {} d ago", days_since(end, now));
            flags.push(flag(
                FlagKind::Expired,
                at(Field::CredentialExpires),
                reason,
            ));
        }
    }
    let lost = |r: &&super::RecoveryPath| r.state == super::RecoveryState::Compromised;
    for path in card.recovery.iter().filter(lost) {
        let reason = format!("recovery path {} is in the wrong hands", path.id.show());
        let at = At::of(Field::RecoveryState, path.id.raw());
        flags.push(flag(FlagKind::RecoveryCompromised, at, reason));
    }
}

fn days_since(at: Timestamp, now: Timestamp) -> i64 {
    (now.as_second() - at.as_second()) / 86_400
}
