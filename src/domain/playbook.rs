//! Playbooks: named, pre-approved mappings from what happened to what is done, in order, by whom.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hold::LONGEST_HOLD_S;
use super::overlap::LEAST_OVERLAP_S;
use super::policy::assess::Outcome;
use super::policy::check::{Fault, condition};
use super::policy::facts::Facts;
use super::policy::schema::find;
use super::policy::term::{Cmp, Lit, Term};
use super::policy::value::Ranks;
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
    /// The digit that stages it; without it, its place in the file. Playbooks that are never offered together may share
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u8>,
    /// Why its steps keep the order in which they are written, although the map would have another: see
    /// [`super::sequence`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_written: Option<String>,
    /// Why it is not armed: what is wrong with it.
    #[serde(skip)]
    pub refused: Option<String>,
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
    /// What must hold besides, in CEL.
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// All of it as one condition, read and checked.
    #[serde(skip)]
    pub term: Option<Arc<Term>>,
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
    /// Do it only if this holds, in CEL; the plan shows the fact that decided. What nobody knows keeps the step.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The condition, read and checked.
    #[serde(skip)]
    pub term: Option<Arc<Term>>,
    /// So many seconds after the step before it that issues a credential took hold, by itself: until then what it turns off
    /// works beside the new one. 60 to 1,209,600 (two weeks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u64>,
    /// The team does it by hand, whatever connectors offer: the step becomes an item that is handed over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
    /// How somebody sees that a step done by hand took hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<String>,
    /// How a step done by hand is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Why it cannot be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<String>,
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

/// A broken rule: the way to where it stands in the file, and what is wrong.
pub type Broken = (Vec<String>, String);

impl PlaybookFile {
    /// Reads and checks a playbook file: ids are unique, steps exist, evidence comes first and every step has a team
    /// (`DESIGN` §4 rule 7). The first mistake ends it; [`super::policy::lint`] tells all of them with their places.
    pub fn parse(text: &str) -> Result<Self, PlaybookError> {
        let mut file: Self = toml::from_str(text)?;
        for at in 0..file.playbooks.len() {
            let mut broken = file.check(at);
            let faults = file.playbooks[at].read().into_iter();
            broken.extend(faults.map(|(way, fault)| (way, fault.problem)));
            if let Some((_, problem)) = broken.into_iter().next() {
                let playbook = file.playbooks[at].id.clone();
                return Err(PlaybookError::Rule { playbook, problem });
            }
        }
        Ok(file)
    }

    /// Returns which rules the playbook at a place breaks; the way begins within it.
    pub fn check(&self, at: usize) -> Vec<Broken> {
        let Some(book) = self.playbooks.get(at) else {
            return Vec::new();
        };
        let mut found: Vec<Broken> = Vec::new();
        let mut fail = |way: &[&str], problem: &str| {
            let way = way.iter().map(|part| (*part).to_owned()).collect();
            found.push((way, problem.to_owned()));
        };
        if book.id.trim().is_empty() {
            fail(&["id"], "its id is empty; give it a name");
        }
        if self.playbooks[..at].iter().any(|b| b.id == book.id) {
            fail(&["id"], "this id is used twice; give each playbook its own");
        }
        if book
            .as_written
            .as_ref()
            .is_some_and(|why| why.trim().is_empty())
        {
            fail(
                &["as_written"],
                "it does not say why its order is kept; the plan shows that",
            );
        }
        if book.steps.is_empty() {
            fail(&[], "it has no steps; add at least one [[playbook.step]]");
        }
        let acts = book.steps.iter().any(|s| s.tier > Tier::Monitor);
        if acts && book.steps.first().map(|s| s.verb) != Some(Verb::PreserveEvidence) {
            fail(
                &["step", "0"],
                "it acts before it keeps evidence; make `preserve_evidence` its first step",
            );
        }
        for (at, step) in book.steps.iter().enumerate() {
            let n = at.to_string();
            for (key, problem) in step.check() {
                fail(&["step", &n, key], &problem);
            }
            let issues = |s: &StepTemplate| s.verb == Verb::IssueCredential;
            if step.after_s.is_some() && !book.steps[..at].iter().any(issues) {
                fail(
                    &["step", &n, "after_s"],
                    "nothing is issued before it, so no time begins; put `issue_credential` before it",
                );
            }
        }
        found
    }
}

impl StepTemplate {
    /// Returns which rules it breaks, each with the key that it is about.
    fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let blank = |text: &Option<String>| text.as_ref().is_none_or(|t| t.trim().is_empty());
        if self.team.trim().is_empty() {
            found.push(("team", "a step has no owning team; set `team`".to_owned()));
        }
        if !self.verb.changes() && self.tier > Tier::Monitor {
            let problem = format!("{} only looks or tells; its tier is `monitor`", self.verb);
            found.push(("tier", problem));
        }
        if self.verb.changes() && self.tier == Tier::Monitor {
            let problem = format!("{} acts; its tier is `soft` or `hard`", self.verb);
            found.push(("tier", problem));
        }
        if let Some(after) = self.after_s
            && !(LEAST_OVERLAP_S..=LONGEST_HOLD_S).contains(&after)
        {
            let problem = format!(
                "{after} is out of range; use {LEAST_OVERLAP_S} to {LONGEST_HOLD_S} seconds"
            );
            found.push(("after_s", problem));
        }
        if self.by_hand && self.verb.changes() {
            let verb = self.verb;
            if blank(&self.verify) {
                let problem = format!(
                    "{verb} is done by hand; say in `verify` how somebody sees that it took hold"
                );
                found.push(("by_hand", problem));
            }
            if blank(&self.undo) && blank(&self.irreversible) {
                let problem = format!(
                    "{verb} is done by hand; say in `undo` how it is taken back, or in `irreversible` why it cannot be"
                );
                found.push(("by_hand", problem));
            }
        }
        if !blank(&self.undo) && !blank(&self.irreversible) {
            let problem = "it has `undo` and `irreversible`; only one can be so".to_owned();
            found.push(("irreversible", problem));
        }
        found
    }

    /// Tells whether a team can do it by hand where no connector offers it: it says how that is seen and taken back.
    pub fn can_be_handed_over(&self) -> bool {
        let said = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.trim().is_empty());
        said(&self.verify) && (said(&self.undo) || said(&self.irreversible))
    }

    /// Tells whether people do this: the verb is theirs, or the playbook gives it to them.
    pub const fn is_handed_over(&self) -> bool {
        self.by_hand || self.verb.is_manual()
    }
}

impl Playbook {
    /// Reads all its conditions; returns what is wrong with them, each with the way to it within the playbook.
    pub fn read(&mut self) -> Vec<(Vec<String>, Fault)> {
        let mut found = Vec::new();
        let mut note = |way: &[&str], faults: Vec<Fault>| {
            let way: Vec<String> = way.iter().map(|part| (*part).to_owned()).collect();
            found.extend(faults.into_iter().map(|fault| (way.clone(), fault)));
        };
        if let Err(faults) = self.when.read() {
            note(&["when", "if"], faults);
        }
        for (n, step) in self.steps.iter_mut().enumerate() {
            let Some(source) = &step.condition else {
                continue;
            };
            match condition(source) {
                Ok(term) => step.term = Some(Arc::new(term)),
                Err(faults) => note(&["step", &n.to_string(), "if"], faults),
            }
        }
        found
    }

    /// Returns the digit that stages it, at its place in the file.
    pub fn digit(&self, place: usize) -> Option<u8> {
        let by_place = || u8::try_from(place + 1).ok();
        self.key
            .or_else(by_place)
            .filter(|key| (1..=9).contains(key))
    }

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
    /// Reads all of it as one condition. The faults are those of [`Self::condition`].
    pub fn read(&mut self) -> Result<(), Vec<Fault>> {
        let field = |path: &str| find(path).map(|(at, _)| at);
        let text = |word: &str| Lit::Text(word.to_owned());
        let mut all = Vec::new();
        if let Some(at) = field("alert.pattern").filter(|_| !self.patterns.is_empty()) {
            let words = self.patterns.iter().map(|p| text(p.as_str())).collect();
            all.push(Term::OneOf(Box::new(Term::Field(at)), words));
        }
        if let Some(at) = field("identity.kind").filter(|_| !self.kinds.is_empty()) {
            let words = self.kinds.iter().map(|k| text(k.as_str())).collect();
            all.push(Term::OneOf(Box::new(Term::Field(at)), words));
        }
        if let Some((at, least)) = field("alert.severity").zip(self.min_severity) {
            let least = Term::Lit(Lit::Rank(Ranks::Severity, least as u8));
            all.push(Term::Has(at));
            all.push(Term::Cmp(
                Cmp::Ge,
                Box::new(Term::Field(at)),
                Box::new(least),
            ));
        }
        if let Some(source) = &self.condition {
            match condition(source)? {
                Term::And(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        self.term = Some(Arc::new(match all.len() {
            0 => Term::Lit(Lit::Bool(true)),
            1 => all.remove(0),
            _ => Term::And(all),
        }));
        Ok(())
    }

    /// Tells whether it is for an alert.
    pub fn outcome(&self, facts: &Facts<'_>) -> Outcome {
        Outcome::of(self.term.as_deref(), facts)
    }
}
