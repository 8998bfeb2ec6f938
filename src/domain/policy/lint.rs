//! Reads policy and playbooks, and tells every mistake with its file, line and column. What does not lint is not armed:
//! a policy with a mistake lets nobody do more than look, a playbook with one is off.

mod playbooks;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::check::condition;
use super::places::{Place, Places};
use super::reach::{always_holds, can_hold, implies};
use super::term::Term;
use super::value::nearest;
use super::{Gate, Policy, PolicyFile};
use crate::domain::options::Capabilities;
use crate::domain::playbook::Playbook;
use crate::domain::text::{fit, show};
use crate::domain::vocabulary::Tier;

/// A file with its name.
#[derive(Clone, Copy, Debug)]
pub struct Source<'s> {
    /// As messages name it.
    pub name: &'s str,
    /// What is in it.
    pub text: &'s str,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// What it is about is not armed.
    Error,
    /// Somebody should look.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which file.
    pub file: String,
    /// Which line, from 1.
    pub line: usize,
    /// Which column, from 1.
    pub column: usize,
    /// How bad.
    pub level: Level,
    /// Which rule, gate or playbook; empty where it is about the file.
    pub item: String,
    /// What is wrong, and the way out.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file, line, column, ..
        } = self;
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "{}:{line}:{column}: {level}: ", show(file))?;
        if !self.item.is_empty() {
            write!(f, "`{}`: ", show(&self.item))?;
        }
        f.write_str(&show(&self.problem))
    }
}

/// Most rules, gates and thresholds, and most playbooks: each is held against each other one.
const MOST: usize = 256;

/// Policy and playbooks, with everything that is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The playbooks that could be read, in order; those with mistakes are refused.
    pub playbooks: Vec<Playbook>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Reads everything. `means` is what each configured connector can do, where that is known.
pub fn load(
    policy: Source<'_>,
    playbooks: &[Source<'_>],
    means: Option<&BTreeMap<String, Capabilities>>,
) -> Loaded {
    let mut findings = Vec::new();
    let policy = read_policy(policy, &mut findings);
    let playbooks = playbooks::read(playbooks, means, &mut findings);
    Loaded {
        policy,
        playbooks,
        findings,
    }
}

/// Collects the findings of one file.
struct Log<'f, 't> {
    name: &'f str,
    places: Places<'t>,
    findings: &'f mut Vec<Finding>,
}

impl Log<'_, '_> {
    fn note(&mut self, level: Level, place: Place, item: &str, problem: String) {
        self.findings.push(Finding {
            file: self.name.to_owned(),
            line: place.0,
            column: place.1,
            level,
            item: item.to_owned(),
            problem,
        });
    }

    fn error(&mut self, way: &[&str], item: &str, problem: impl Into<String>) {
        let place = self.places.find(way);
        self.note(Level::Error, place, item, problem.into());
    }

    /// Reads a condition and tells whether it can hold, and not always.
    fn condition(&mut self, way: &[&str], item: &str, source: &str) -> Option<Arc<Term>> {
        match condition(source) {
            Ok(term) => {
                if !can_hold(&term) {
                    self.error(way, item, "unreachable: this can never hold");
                } else if always_holds(&term) && source.trim() != "true" {
                    self.error(
                        way,
                        item,
                        "this always holds; write `true` if that is meant",
                    );
                }
                Some(Arc::new(term))
            }
            Err(faults) => {
                for fault in faults {
                    let place = self.places.within(way, fault.at);
                    self.note(Level::Error, place, item, fault.problem);
                }
                None
            }
        }
    }

    /// Tells of a file that is no TOML, or has an unknown word in it.
    fn syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().map_or(0, |span| span.start);
        let place = self.places.at(at);
        let message = error.message();
        let problem = format!("{}{}", fit(message, 400, "..."), hint(message));
        self.note(Level::Error, place, "", problem);
    }
}

/// Suggests the word that was meant, from a message that lists those there are.
fn hint(message: &str) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    let Some(wrong) = words.next() else {
        return String::new();
    };
    nearest(wrong, words).map_or(String::new(), |word| format!("; did you mean `{word}`?"))
}

fn read_policy(source: Source<'_>, findings: &mut Vec<Finding>) -> Policy {
    let before = findings.len();
    let mut log = Log {
        name: source.name,
        places: Places::of(source.text),
        findings,
    };
    let mut file: PolicyFile = match toml::from_str(source.text) {
        Ok(file) => file,
        Err(error) => {
            log.syntax(&error);
            PolicyFile::default()
        }
    };
    let many = file.rules.len() + file.gates.len() + file.thresholds.len();
    if many > MOST {
        let problem = format!("{many} rules, gates and thresholds; at most {MOST} are read");
        log.error(&[], "", problem);
        file = PolicyFile::default();
    }
    let readable = log.findings.len() == before;
    if readable {
        thresholds(&file, &mut log);
        rules(&mut file, &mut log);
        gates(&mut file, &mut log);
        ids(&file, &mut log);
    }
    let rule_line = |n: usize| log.places.find(&["rule", &n.to_string()]).0;
    let gate_line = |n: usize| log.places.find(&["gate", &n.to_string()]).0;
    let mut lines: Vec<usize> = (0..file.rules.len()).map(rule_line).collect();
    lines.extend((0..file.gates.len()).map(gate_line));
    let first = findings[before..].iter().find(|f| f.level == Level::Error);
    let refused = first.map(|finding| format!("the policy does not lint: {finding}"));
    Policy {
        file,
        name: source.name.to_owned(),
        lines,
        refused,
    }
}

fn thresholds(file: &PolicyFile, log: &mut Log<'_, '_>) {
    let all = &file.thresholds;
    for (n, one) in all.iter().enumerate() {
        let at = n.to_string();
        for (key, value) in [("soft", one.soft), ("hard", one.hard)] {
            if !(1..=100).contains(&value) {
                let problem = format!("{value} is out of range; a score is 1 to 100 here");
                log.error(&["threshold", &at, key], "", problem);
            }
        }
        if one.soft > one.hard {
            let problem = format!(
                "soft ({}) lies above hard ({}), so soft is unreachable",
                one.soft, one.hard
            );
            log.error(&["threshold", &at, "soft"], "", problem);
        }
        let earlier = &all[..n];
        if one.kinds.is_empty() && earlier.iter().any(|t| t.kinds.is_empty()) {
            let problem = "shadowed: an earlier threshold is for all other kinds already";
            log.error(&["threshold", &at], "", problem);
        }
        for kind in &one.kinds {
            if earlier.iter().any(|t| t.kinds.contains(kind)) {
                let problem = format!("shadowed: an earlier threshold is for {kind} already");
                log.error(&["threshold", &at, "kinds"], "", problem);
            }
        }
    }
    if !all.iter().any(|t| t.kinds.is_empty()) {
        let problem = "no threshold is for all other kinds; add a [[threshold]] without `kinds`";
        log.error(&["threshold"], "", problem);
    }
}

fn rules(file: &mut PolicyFile, log: &mut Log<'_, '_>) {
    for n in 0..file.rules.len() {
        let at = n.to_string();
        let (earlier, rest) = file.rules.split_at_mut(n);
        let Some(rule) = rest.first_mut() else {
            continue;
        };
        rule.term = log.condition(&["rule", &at, "when"], &rule.id, &rule.when);
        if rule.score == 0 || !(-100..=100).contains(&rule.score) {
            let problem = format!("{} adds nothing or too much; use -100 to 100", rule.score);
            log.error(&["rule", &at, "score"], &rule.id, problem);
        }
        if rule.why.trim().is_empty() {
            let problem = "it does not say why; the analyst reads that";
            log.error(&["rule", &at, "why"], &rule.id, problem);
        }
        let same = |other: &&super::Rule| {
            let both = other.term.as_deref().zip(rule.term.as_deref());
            both.is_some_and(|(a, b)| can_hold(a) && implies(a, b) && implies(b, a))
        };
        if let Some(other) = earlier.iter().find(same) {
            let problem = format!(
                "shadowed: it holds whenever `{}` does and only then; make one rule of both",
                other.id
            );
            log.error(&["rule", &at, "when"], &rule.id, problem);
        }
    }
}

fn gates(file: &mut PolicyFile, log: &mut Log<'_, '_>) {
    for (n, gate) in file.gates.iter_mut().enumerate() {
        let at = n.to_string();
        gate.term = log.condition(&["gate", &at, "when"], &gate.id, &gate.when);
        if gate.why.trim().is_empty() {
            let problem = "it does not say why; the analyst reads that";
            log.error(&["gate", &at, "why"], &gate.id, problem);
        }
        if gate.least.is_none() && gate.most.is_none() && !gate.ask {
            let problem = "it bounds nothing; set `least`, `most` or `ask = true`";
            log.error(&["gate", &at], &gate.id, problem);
        }
        if gate.least == Some(Tier::Monitor) || gate.most == Some(Tier::Hard) {
            let key = if gate.most == Some(Tier::Hard) {
                "most"
            } else {
                "least"
            };
            let problem = "this bounds nothing: every tier is within it";
            log.error(&["gate", &at, key], &gate.id, problem);
        }
        if gate
            .least
            .zip(gate.most)
            .is_some_and(|(least, most)| least > most)
        {
            let problem = "`least` lies above `most`, so it is never reached";
            log.error(&["gate", &at, "least"], &gate.id, problem);
        }
    }
    for (n, gate) in file.gates.iter().enumerate() {
        let stronger = |(m, other): (usize, &Gate)| {
            let both = gate.term.as_deref().zip(other.term.as_deref());
            let covered = m != n && both.is_some_and(|(a, b)| can_hold(a) && implies(a, b));
            // Of two that are alike the later one is told.
            (covered && does_all(other, gate) && (m < n || !does_all(gate, other)))
                .then(|| other.id.clone())
        };
        if let Some(other) = file.gates.iter().enumerate().find_map(stronger) {
            let problem = format!("shadowed: wherever it holds, `{other}` does the same or more");
            log.error(&["gate", &n.to_string(), "when"], &gate.id, problem);
        }
    }
}

/// Tells whether a gate bounds everything that another one bounds, at least as strongly.
fn does_all(one: &Gate, other: &Gate) -> bool {
    let least = other.least.is_none() || one.least >= other.least;
    let most = match (one.most, other.most) {
        (_, None) => true,
        (Some(a), Some(b)) => a <= b,
        (None, Some(_)) => false,
    };
    least && most && (one.ask || !other.ask)
}

fn ids(file: &PolicyFile, log: &mut Log<'_, '_>) {
    let rules = file
        .rules
        .iter()
        .enumerate()
        .map(|(n, r)| ("rule", n, &r.id));
    let gates = file
        .gates
        .iter()
        .enumerate()
        .map(|(n, g)| ("gate", n, &g.id));
    let all: Vec<(&str, usize, &String)> = rules.chain(gates).collect();
    for (i, (what, n, id)) in all.iter().enumerate() {
        let way = [*what, &n.to_string(), "id"];
        if id.trim().is_empty() {
            log.error(&way, id, "its id is empty; give it a name");
        } else if all[..i].iter().any(|(_, _, other)| other == id) {
            log.error(
                &way,
                id,
                "this id is used twice; give each rule and gate its own",
            );
        }
    }
}

#[cfg(test)]
mod tests;
