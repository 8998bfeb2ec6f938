//! Policy: from an alert, whose access it is and what was touched to a score, a tier and the reasons (`DESIGN` §6).
//!
//! Rules add to a score, the score reaches a tier by the thresholds of the identity's kind, gates raise or bound the tier
//! or ask for a person. Every rule says in the trace whether it matched and why. Conditions are CEL, read strictly, see
//! [`check`]; what could not be judged is said, and a person is asked.

pub mod assess;
pub mod backtest;
pub mod check;
pub mod facts;
pub mod lint;
pub mod modes;
mod places;
pub mod reach;
mod say;
pub mod schema;
pub mod term;
pub mod trace;
pub mod value;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::vocabulary::{IdentityKind, Tier};
use term::Term;

pub use assess::{Assessment, Outcome};
pub use facts::{About, Facts};
pub use lint::{Finding, Level, Source};
pub use modes::{Automation, InMode, Mode, ModeOf};

/// A policy as its file says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyFile {
    /// From which score which tier.
    #[serde(rename = "threshold")]
    pub thresholds: Vec<Threshold>,
    /// What adds to the score or takes from it.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
    /// What bounds the tier, whatever the score.
    #[serde(rename = "gate")]
    pub gates: Vec<Gate>,
    /// What holds for everything that runs by itself.
    #[serde(skip_serializing_if = "Automation::is_default")]
    pub automation: Automation,
    /// Which playbooks run by themselves, or would in shadow; the others ask.
    #[serde(rename = "mode", skip_serializing_if = "Vec::is_empty")]
    pub modes: Vec<ModeOf>,
}

/// From which score which tier. The first that names the kind counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// For which kinds of identities; none means all others.
    #[serde(default)]
    pub kinds: Vec<IdentityKind>,
    /// From which score on *soft*, 1 to 100.
    pub soft: u8,
    /// From which score on *hard*, 1 to 100.
    pub hard: u8,
}

/// Adds to the score when its condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in the trace.
    pub id: String,
    /// When it holds, in CEL.
    pub when: String,
    /// How much it adds, -100 to 100.
    pub score: i16,
    /// Why, in words for the analyst.
    pub why: String,
    /// The condition, read and checked.
    #[serde(skip)]
    pub term: Option<Arc<Term>>,
}

/// Bounds what may be done when its condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its name in the trace.
    pub id: String,
    /// When it holds, in CEL.
    pub when: String,
    /// At least this tier.
    #[serde(default)]
    pub least: Option<Tier>,
    /// At most this tier: options above it are off, with `why` as the reason.
    #[serde(default)]
    pub most: Option<Tier>,
    /// A person decides: nothing runs by itself.
    #[serde(default)]
    pub ask: bool,
    /// Why, in words for the analyst.
    pub why: String,
    /// The condition, read and checked.
    #[serde(skip)]
    pub term: Option<Arc<Term>>,
}

/// A policy in force, or the reason why none is.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What its file says.
    pub file: PolicyFile,
    /// Where it came from, for the trace.
    pub name: String,
    /// By rule, then by gate, the line on which it stands.
    pub lines: Vec<usize>,
    /// Why it is not armed: nothing but looking is offered then.
    pub refused: Option<String>,
    /// How every playbook runs that does not just ask, or was meant to.
    pub modes: Vec<InMode>,
}

impl Policy {
    /// Tells whether acting options may be offered at all.
    pub const fn is_armed(&self) -> bool {
        self.refused.is_none()
    }

    /// Returns a policy that lets nobody do more than look.
    pub fn refused(name: &str, reason: String) -> Self {
        Self {
            name: name.to_owned(),
            refused: Some(reason),
            ..Self::default()
        }
    }

    /// Returns how a playbook runs, as far as it may: asking, unless something else is armed.
    pub fn mode_of(&self, playbook: &str) -> Mode {
        let armed = self.modes.iter().find(|m| m.playbook == playbook);
        armed.map_or(Mode::Ask, |m| m.mode)
    }

    /// Returns how long the countdown of a playbook is, in seconds.
    pub fn countdown_s(&self, playbook: &str) -> u32 {
        let own = self.file.modes.iter().find(|m| m.playbook == playbook);
        let own = own.and_then(|m| m.countdown_s);
        own.unwrap_or(self.file.automation.countdown_s)
    }

    /// Tells whether anything runs by itself, or would in shadow.
    pub fn does_anything_alone(&self) -> bool {
        self.is_armed() && self.modes.iter().any(|m| m.mode != Mode::Ask)
    }

    /// Returns what does not ask, with its mode; nothing while this policy is not armed.
    pub fn by_themselves(&self) -> impl Iterator<Item = (&str, Mode)> {
        let modes = self.modes.iter().filter(|_| self.is_armed());
        modes
            .filter(|m| m.mode != Mode::Ask)
            .map(|m| (m.playbook.as_str(), m.mode))
    }

    /// Returns the thresholds for a kind of identity; nothing is ever reached where none are given.
    pub fn threshold(&self, kind: IdentityKind) -> (u8, u8) {
        let all = &self.file.thresholds;
        let named = all.iter().find(|t| t.kinds.contains(&kind));
        let found = named.or_else(|| all.iter().find(|t| t.kinds.is_empty()));
        found.map_or(assess::NEVER, |t| (t.soft, t.hard))
    }
}
