//! What an identity may do, who may act through it, how it is got back, and what it normally does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::text::Untrusted;
use crate::domain::vocabulary::words;

words! {
    /// How much a role or scope gives. The order is the rank.
    Level {
        /// Looks at things.
        Read = "read",
        /// Changes things.
        Write = "write",
        /// Reads secrets, and with them becomes others.
        SecretReading = "secret_reading",
        /// Changes who may do what.
        Admin = "admin",
    }
}

impl Level {
    /// Tells whether it gives administrative or secret-reading power.
    pub const fn is_privileged(self) -> bool {
        matches!(self, Self::SecretReading | Self::Admin)
    }
}

/// One role or scope held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Role or scope name.
    pub name: Untrusted,
    /// Whether it gives administrative or secret-reading power.
    pub privileged: bool,
    /// How much it gives, where somebody says so.
    #[serde(default)]
    pub level: Option<Level>,
    /// On what, where it is not on everything.
    #[serde(default)]
    pub on: Option<Untrusted>,
    /// Whether it was ever made use of, where the source looks at that.
    #[serde(default)]
    pub used: Option<bool>,
    /// When it was last made use of.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
}

/// Somebody who may act for an identity, or as it: a consent, a delegation, a trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The provider's handle of it, or else what makes it unlike the others.
    pub id: Untrusted,
    /// Who holds it.
    pub to: Untrusted,
    /// `consent`, `delegation`, `trust`, …; unknown where nobody says.
    pub kind: Option<Untrusted>,
    /// What it covers.
    pub scopes: Vec<Untrusted>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Until when, where it ends by itself.
    pub expires: Option<Timestamp>,
}

words! {
    /// How a recovery path stands.
    RecoveryState {
        /// Usable now.
        Open = "open",
        /// Usable only after somebody else agrees, or from elsewhere.
        Guarded = "guarded",
        /// Not usable.
        Closed = "closed",
        /// Known or assumed to be in the wrong hands.
        Compromised = "compromised",
        /// Nobody says.
        Unknown = "unknown",
    }
}

/// A way by which access can be restored: by its owner, or by whoever has taken that way over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPath {
    /// Its name; where the map describes a node of this id, that node is meant.
    pub id: Untrusted,
    /// `break_glass`, `backup_account`, `reset_mail`, `self_grant`, …
    pub kind: Option<Untrusted>,
    /// How it stands.
    pub state: RecoveryState,
}

/// What an agent was approved for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its task in words.
    pub purpose: Option<Untrusted>,
    /// Tools that it may call.
    pub tools: Vec<Untrusted>,
    /// What it may call them on.
    pub targets: Vec<Untrusted>,
}

/// What an identity does on an ordinary day, for comparing with what is observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    /// Where it comes from: addresses, networks, agents, places.
    pub origins: Vec<Untrusted>,
    /// When, in words or as a cron expression with its time zone.
    pub hours: Option<Untrusted>,
    /// What it does.
    pub actions: Vec<Untrusted>,
    /// What it does that to.
    pub targets: Vec<Untrusted>,
}
