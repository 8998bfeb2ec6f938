//! The trace: every rule, gate and playbook, whether it matched, and why, with the values of the fields it looked at.

use serde::Serialize;

use super::Policy;
use super::assess::{Assessment, Outcome};
use super::facts::Facts;
use super::schema::FIELDS;
use super::term::Term;
use super::value::Val;
use crate::domain::playbook::Playbook;

/// One line of the trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceRow {
    /// `rule`, `gate` or `playbook`.
    pub what: &'static str,
    /// Its name.
    pub id: String,
    /// File and line; empty for a playbook, whose name is unique.
    pub at: String,
    /// What it does when it matches: `+40`, `at most monitor`, `offered`.
    pub effect: String,
    /// `matched`, `not matched`, `could not be judged`.
    pub outcome: &'static str,
    /// Why: the parts of the condition that decided.
    pub because: String,
    /// Its own words.
    pub why: String,
    /// What it looked at: fields with their values; `unknown` where nobody says.
    pub looked: Vec<(&'static str, String)>,
}

impl Policy {
    /// Tells of every rule, gate and playbook.
    pub fn trace(
        &self,
        facts: &Facts<'_>,
        assessment: &Assessment,
        playbooks: &[Playbook],
    ) -> Vec<TraceRow> {
        let at = |n: usize| {
            let line = self.lines.get(n).copied().unwrap_or(1);
            format!("{}:{line}", self.name)
        };
        let outcome = |n: usize| {
            assessment
                .outcomes
                .get(n)
                .copied()
                .unwrap_or(Outcome::NotMatched)
        };
        let rules = self.file.rules.iter().enumerate().map(|(n, rule)| {
            row(facts, "rule", &rule.id, rule.term.as_deref(), outcome(n)).says(
                at(n),
                format!("{:+}", rule.score),
                &rule.why,
            )
        });
        let before = self.file.rules.len();
        let gates = self.file.gates.iter().enumerate().map(|(n, gate)| {
            let mut effects = Vec::new();
            effects.extend(gate.least.map(|tier| format!("at least {tier}")));
            effects.extend(gate.most.map(|tier| format!("at most {tier}")));
            effects.extend(gate.ask.then(|| "a person decides".to_owned()));
            let n = before + n;
            row(facts, "gate", &gate.id, gate.term.as_deref(), outcome(n)).says(
                at(n),
                effects.join(", "),
                &gate.why,
            )
        });
        let books = playbooks.iter().map(|book| {
            let outcome = book.when.outcome(facts);
            let effect = format!("offered, {}", book.tier());
            row(
                facts,
                "playbook",
                &book.id,
                book.when.term.as_deref(),
                outcome,
            )
            .says(String::new(), effect, &book.title)
        });
        rules.chain(gates).chain(books).collect()
    }
}

impl TraceRow {
    fn says(mut self, at: String, effect: String, why: &str) -> Self {
        self.at = at;
        self.effect = effect;
        why.clone_into(&mut self.why);
        self
    }
}

fn row(
    facts: &Facts<'_>,
    what: &'static str,
    id: &str,
    term: Option<&Term>,
    outcome: Outcome,
) -> TraceRow {
    TraceRow {
        what,
        id: id.to_owned(),
        at: String::new(),
        effect: String::new(),
        outcome: outcome.as_str(),
        because: match (outcome, term) {
            (_, None) => "its condition could not be read".to_owned(),
            (Outcome::Unjudged(why), _) => why.to_string(),
            (Outcome::Matched, Some(term)) => deciding(term, facts, true),
            (Outcome::NotMatched, Some(term)) => deciding(term, facts, false),
        },
        why: String::new(),
        looked: term.map_or_else(Vec::new, |term| looked(term, facts)),
    }
}

/// Returns every field that a condition reads, each once, with its value; `unknown` where nobody says.
pub fn looked(term: &Term, facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let mut places: Vec<usize> = Vec::new();
    term.fields(&mut |at| {
        if !places.contains(&at) {
            places.push(at);
        }
    });
    let value = |at: usize| {
        let value = (FIELDS[at].get)(facts);
        let shown = value.map_or_else(|| "unknown".to_owned(), |v| Val::shown(&v));
        (FIELDS[at].path, shown)
    };
    places.into_iter().map(value).collect()
}

/// Says which parts of a condition made it come out so.
fn deciding(term: &Term, facts: &Facts<'_>, held: bool) -> String {
    let parts: Vec<&Term> = match (term, held) {
        // One part that fails is enough; the first of them is told.
        (Term::And(all), false) => one_of(all, facts, false),
        (Term::Or(all), true) => one_of(all, facts, true),
        (Term::And(all), true) | (Term::Or(all), false) => all.iter().collect(),
        (one, _) => vec![one],
    };
    let word = if held { "holds" } else { "does not hold" };
    match parts.as_slice() {
        [one] if !std::ptr::eq(*one, term) => deciding(one, facts, held),
        [one] => format!("{one} {word}"),
        all => {
            let all: Vec<String> = all.iter().map(|t| format!("{t}")).collect();
            let verb = if held { "hold" } else { "do not hold" };
            format!("{} {verb}", all.join(" and "))
        }
    }
}

fn one_of<'t>(all: &'t [Term], facts: &Facts<'_>, wanted: bool) -> Vec<&'t Term> {
    let found = all.iter().find(|t| t.holds(facts) == Ok(wanted));
    found.map_or_else(|| all.iter().collect(), |one| vec![one])
}
