//! Who said what about an identity, and when.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::alert::age;
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::words;

words! {
    /// A field of a card, or with a dot, of one of its lists' items.
    Field {
        /// What people call it.
        Name = "name",
        /// Its kind.
        Kind = "kind",
        /// What drives it.
        Driver = "driver",
        /// Where it lives.
        Environment = "environment",
        /// What runs under it.
        Workload = "workload",
        /// Who answers for the business side.
        BusinessOwner = "business_owner",
        /// Who runs it.
        TechnicalOwner = "technical_owner",
        /// Whom to reach now.
        OnCall = "on_call",
        /// How to reach them.
        Contact = "contact",
        /// How much hangs on it.
        Criticality = "criticality",
        /// Why it should not be stopped.
        Uninterruptible = "uninterruptible",
        /// What a stop costs.
        StopCost = "stop_cost",
        /// Whether it can be used.
        Enabled = "enabled",
        /// When it was made.
        Created = "created",
        /// When it was last used.
        LastUsed = "last_used",
        /// An id under which alerts name it.
        Alias = "alias",
        /// What can contain it.
        Connector = "connector",
        /// What an agent was approved for.
        Intent = "intent",
        /// What it normally does.
        Usual = "usual",
        /// A role or scope.
        Scope = "scope",
        /// How much a scope gives.
        ScopeLevel = "scope.level",
        /// On what.
        ScopeOn = "scope.on",
        /// Whether a scope was used.
        ScopeUsed = "scope.used",
        /// When.
        ScopeLastUsed = "scope.last_used",
        /// A credential.
        Credential = "credential",
        /// Its class.
        CredentialKind = "credential.kind",
        /// Where it is kept.
        CredentialStore = "credential.store",
        /// When it was issued.
        CredentialCreated = "credential.created",
        /// When it ends.
        CredentialExpires = "credential.expires",
        /// When it was used.
        CredentialLastUsed = "credential.last_used",
        /// When it was renewed.
        CredentialRotated = "credential.rotated",
        /// The rule for renewing it.
        CredentialRotation = "credential.rotation",
        /// Its digest.
        CredentialFingerprint = "credential.fingerprint",
        /// Whether it can be used.
        CredentialEnabled = "credential.enabled",
        /// How it is put out of use.
        CredentialOffboarding = "credential.offboarding",
        /// A grant.
        Grant = "grant",
        /// A recovery path.
        Recovery = "recovery",
        /// How it stands.
        RecoveryState = "recovery.state",
    }
}

/// One field of one card: with the item's name where it belongs to one of several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Which field.
    pub field: Field,
    /// Of which scope, credential, grant, recovery path or alias.
    pub item: Option<Box<str>>,
}

impl At {
    /// Names a field of the card itself.
    pub const fn own(field: Field) -> Self {
        Self { field, item: None }
    }

    /// Names a field of an item of one of its lists.
    pub fn of(field: Field, item: &str) -> Self {
        Self {
            field,
            item: Some(item.into()),
        }
    }

    /// Returns the item that this is a field of; `None` where it is not one of an item's.
    pub fn whole(&self) -> Option<Self> {
        let (list, _) = self.field.as_str().split_once('.')?;
        Some(Self {
            field: Field::parse(list)?,
            item: self.item.clone(),
        })
    }
}

impl From<Field> for At {
    fn from(field: Field) -> Self {
        Self::own(field)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.field.as_str();
        match (&self.item, word.split_once('.')) {
            (None, _) => f.write_str(&word.replace('_', " ")),
            (Some(item), None) => write!(f, "{word} {}", show(item)),
            (Some(item), Some((list, part))) => {
                write!(f, "{list} {}: {}", show(item), part.replace('_', " "))
            }
        }
    }
}

/// One delivery of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The source's name in the configuration.
    pub source: String,
    /// The file or address.
    pub place: String,
    /// When the source said so: what an entry says of itself, else when the file was written or the answer came.
    /// `None` where nobody knows.
    pub at: Option<Timestamp>,
    /// After how many days what it says counts as stale.
    pub stale_after_d: u32,
}

impl Origin {
    /// Returns the source and the age in a few characters: `catalog, 41d old`. Escaped already.
    pub fn told(&self, now: Timestamp) -> String {
        let source = show(&self.source);
        match self.at {
            Some(at) if at <= now => format!("{source}, {} old", coarse(at, now)),
            Some(_) => format!("{source}, dated in the future"),
            None => format!("{source}, age unknown"),
        }
    }

    /// Tells whether it is too old to be relied on.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| {
            now.as_second() - at.as_second() > i64::from(self.stale_after_d) * 86_400
        })
    }
}

/// Returns an age in whole days from two days on: nobody cares for the hours of an inventory.
pub fn coarse(at: Timestamp, now: Timestamp) -> String {
    match (now.as_second() - at.as_second()) / 86_400 {
        ..=1 => age(at, now),
        days => format!("{days} d"),
    }
}

/// That a source said something about a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// About what.
    pub at: At,
    /// Who.
    pub origin: Arc<Origin>,
    /// In which line of the origin's place, counted from 1; 0 where there is none.
    pub line: u32,
    /// What, where it is not what is in force.
    pub value: Option<Untrusted>,
}
