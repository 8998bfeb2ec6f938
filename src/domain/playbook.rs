//! Playbooks: named, pre-approved mappings from what happened to what is done, in order, by whom.

use serde::{Deserialize, Serialize};

use super::vocabulary::{ActionPattern, IdentityKind, Severity, Tier, Verb};

/// One playbook, as its TOML says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Stable name, used in plans and the journal.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// When it is offered.
    pub when: Condition,
    /// What is done, in order.
    #[serde(rename = "step")]
    pub steps: Vec<StepTemplate>,
}

/// When a playbook is offered: every list that is not empty must contain the value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Action patterns.
    pub patterns: Vec<ActionPattern>,
    /// Identity kinds.
    pub kinds: Vec<IdentityKind>,
    /// Lowest severity; an alert without one does not match a bound.
    pub min_severity: Option<Severity>,
}

/// One step before it is bound to an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTemplate {
    /// What is done.
    #[serde(rename = "do")]
    pub verb: Verb,
    /// Which team owns the step.
    pub team: String,
    /// How far it goes.
    pub tier: Tier,
    /// Why it stands here; shown in the plan.
    #[serde(default)]
    pub why: String,
    /// Skip the step, with this reason, when the connector does not offer the verb. Without it, a missing verb makes
    /// the whole playbook unavailable.
    #[serde(default)]
    pub optional: bool,
}

/// A file of playbooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookFile {
    /// The playbooks, in the order in which they are offered.
    #[serde(rename = "playbook", default)]
    pub playbooks: Vec<Playbook>,
}

/// Why a playbook file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaybookError {
    /// Not TOML, or an unknown word; the text names line and column.
    #[error("cannot read playbooks: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A rule that every playbook keeps is broken.
    #[error("playbook `{playbook}`: {problem}")]
    Rule {
        /// Which playbook.
        playbook: String,
        /// Which rule, and the way out.
        problem: String,
    },
}

impl PlaybookFile {
    /// Reads and checks a playbook file: ids are unique, steps exist, evidence comes first and every step has a team
    /// (`DESIGN` §4 rule 7).
    pub fn parse(text: &str) -> Result<Self, PlaybookError> {
        let file: Self = toml::from_str(text)?;
        for (i, book) in file.playbooks.iter().enumerate() {
            let fail = |problem: &str| PlaybookError::Rule {
                playbook: book.id.clone(),
                problem: problem.to_owned(),
            };
            if file.playbooks[..i]
                .iter()
                .any(|earlier| earlier.id == book.id)
            {
                return Err(fail("this id is used twice; give each playbook its own"));
            }
            let Some(first) = book.steps.first() else {
                return Err(fail("it has no steps; add at least one [[playbook.step]]"));
            };
            let acts = book.steps.iter().any(|s| s.tier > Tier::Monitor);
            if acts && first.verb != Verb::PreserveEvidence {
                return Err(fail(
                    "it acts before it keeps evidence; make `preserve_evidence` its first step",
                ));
            }
            if book.steps.iter().any(|s| s.team.trim().is_empty()) {
                return Err(fail("a step has no owning team; set `team`"));
            }
        }
        Ok(file)
    }
}

impl Playbook {
    /// Returns the highest tier among its steps.
    pub fn tier(&self) -> Tier {
        self.steps
            .iter()
            .map(|s| s.tier)
            .max()
            .unwrap_or(Tier::Monitor)
    }
}

impl Condition {
    /// Tells whether an alert of this pattern and severity about this kind of identity matches.
    pub fn matches(
        &self,
        pattern: ActionPattern,
        kind: IdentityKind,
        severity: Option<Severity>,
    ) -> bool {
        (self.patterns.is_empty() || self.patterns.contains(&pattern))
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self
                .min_severity
                .is_none_or(|least| severity.is_some_and(|s| s >= least))
    }
}
