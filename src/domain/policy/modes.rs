//! Modes: what a playbook may do without being asked.
//!
//! `ask` is how every playbook is unless the policy names it: an analyst stages it. `shadow` writes down what it would have
//! done. `auto` runs it after a countdown that any key on the row stops, and only where every step is routine.

use serde::{Deserialize, Serialize};

use super::assess::Assessment;
use crate::domain::playbook::StepTemplate;
use crate::domain::vocabulary::{IdentityKind, Tier, Verb, words};

words! {
    /// How a playbook runs. The order is from least to most.
    Mode {
        /// It writes down what it would have done.
        Shadow = "shadow",
        /// A person stages it.
        Ask = "ask",
        /// It runs by itself after a countdown.
        Auto = "auto",
    }
}

/// Shortest and longest countdown, in seconds: long enough to be seen, and shorter than a plan lives.
pub const COUNTDOWN_S: (u32, u32) = (10, 600);
/// Fewest and most automatic runs within an hour.
pub const PER_HOUR: (u32, u32) = (1, 60);

/// What holds for everything that runs by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Automation {
    /// How long a countdown is, in seconds, within [`COUNTDOWN_S`].
    pub countdown_s: u32,
    /// How much may run by itself within an hour, within [`PER_HOUR`]; then a person is asked.
    pub per_hour: u32,
    /// Kinds of identities that are business-critical here as such: nothing ever runs on them by itself.
    pub critical_kinds: Vec<IdentityKind>,
}

impl Default for Automation {
    fn default() -> Self {
        Self {
            countdown_s: 30,
            per_hour: 3,
            critical_kinds: Vec::new(),
        }
    }
}

impl Automation {
    /// Tells whether nothing was said about it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How one playbook is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeOf {
    /// Which playbook.
    pub playbook: String,
    /// How it is to run.
    pub mode: Mode,
    /// How long its own countdown is, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countdown_s: Option<u32>,
}

/// How one playbook runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InMode {
    /// Which playbook.
    pub playbook: String,
    /// How the policy wants it to run.
    pub wanted: Mode,
    /// How it does.
    pub mode: Mode,
    /// Why it is less than the policy wants.
    pub why_not: Option<String>,
}

/// Returns why a step cannot run by itself, as far as its playbook tells; `None` when it can.
pub fn not_routine(step: &StepTemplate) -> Option<String> {
    let verb = step.verb;
    if step.tier > Tier::Soft {
        return Some(format!("{verb} is of the hard tier, so a person decides"));
    }
    if verb.cuts_everybody() {
        return Some(format!(
            "{verb} cuts off everybody who uses the identity, so a person decides"
        ));
    }
    if step.irreversible.is_some() && !needs_no_undo(verb) {
        return Some(format!("{verb} cannot be taken back, so a person decides"));
    }
    None
}

/// Tells whether nobody wants an act taken back: who may logs in anew, and what only looks changed nothing.
pub const fn needs_no_undo(verb: Verb) -> bool {
    verb.is_manual()
        || matches!(
            verb,
            Verb::PreserveEvidence | Verb::RevokeSessions | Verb::RevokeTokens
        )
}

/// Returns how far anything goes by itself: as far as the policy does, and never beyond what is routine.
pub fn alone(assessment: &Assessment) -> Tier {
    assessment.tier.min(Tier::Soft)
}
