//! Which records somebody asks for.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use crate::domain::decision::{DecisionKind, Decisions, RecordType};
use crate::domain::wanted::{
    ActState, Facts, Named, Wanted, outcomes, parse_time as parse_time_at,
};
use crate::domain::words::{self, Field};
use crate::journal::{self, Line, Problem};

use super::Context;

/// Which records.
#[derive(Clone, Debug, Args)]
pub struct Filter {
    /// Read a copied journal instead (repeatable).
    #[arg(long, value_name = "DIR")]
    pub store: Vec<PathBuf>,
    /// Only records of this type: intent, outcome, plan, decision, … (repeatable).
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    types: Vec<RecordType>,
    /// Only decisions of this kind: claim, confirm, hand_over, dismiss, note, … (repeatable).
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Vec<DecisionKind>,
    /// Only records about this identity: its id (`sso:svc-deploy`), a part of it, or its name.
    #[arg(long, value_name = "ID")]
    identity: Option<String>,
    /// Only records that name this alert, or one whose id contains this.
    #[arg(long, value_name = "ID")]
    alert: Option<String>,
    /// Only records of this analyst: `alice`, `alice@jump1`, or a log's origin.
    #[arg(long, value_name = "NAME")]
    analyst: Option<String>,
    /// Only acts that came to this: proven, failed, unknown, requested, accepted, rejected, … (repeatable).
    #[arg(long, value_name = "WORD", value_parser = parse_outcome)]
    outcome: Vec<String>,
    /// Only records from then on: `2026-11-21T08:00:00Z`, or `2h`, `3d` before now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
    /// Only records up to then.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Only intents whose effect is not known.
    #[arg(long)]
    unknown: bool,
    /// Only records whose line, or its words, contain this text; case does not matter.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Only the last N of these.
    #[arg(short = 'n', value_name = "N")]
    pub last: Option<usize>,
}

/// What stands in the stores.
pub struct Loaded {
    /// All records, merged by time.
    pub lines: Vec<Line>,
    /// What they decide together.
    pub decisions: Decisions,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Reads all stores, for what asks about every record.
pub fn load(given: &[PathBuf], context: &Context<'_>) -> anyhow::Result<Loaded> {
    let stores = context.stores(given);
    must_exist(&stores)?;
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    for store in &stores {
        let (some, wrong) = journal::read_lines(store);
        lines.extend(some);
        problems.extend(wrong);
    }
    let lines = journal::merge(lines);
    let mut decisions = Decisions::default();
    for line in &lines {
        decisions.apply(&line.entry);
    }
    Ok(Loaded {
        lines,
        decisions,
        problems,
    })
}

/// Refuses stores that are not there; an empty answer would look like an empty log.
pub fn must_exist(stores: &[PathBuf]) -> anyhow::Result<()> {
    for store in stores {
        match std::fs::metadata(store) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => anyhow::bail!(
                "there is no journal in {}: nothing was decided there yet; --state-dir or --store names another",
                store.display()
            ),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read the journal {}", store.display()));
            }
        }
    }
    Ok(())
}

impl Loaded {
    /// Says what is wrong with the logs.
    pub fn tell(&self, context: &Context<'_>) {
        for problem in &self.problems {
            (context.warn)(&told(problem));
        }
    }
}

/// A problem as it is said beside an answer.
pub fn told(problem: &Problem) -> String {
    let word = if problem.grave { "PROBLEM" } else { "note:" };
    format!("{word} {problem}")
}

impl Filter {
    /// Returns what is asked for, before anything is known about the records.
    pub fn wanted(&self) -> Wanted {
        let named = |word: &Option<String>| word.as_deref().map(Named::new);
        Wanted {
            types: self.types.clone(),
            kinds: self.kind.iter().map(|k| k.as_str().to_owned()).collect(),
            identity: named(&self.identity),
            alert: named(&self.alert),
            analyst: named(&self.analyst),
            outcomes: self.outcome.clone(),
            since: self.since,
            until: self.until,
            unknown: self.unknown,
            texts: self.grep.iter().map(|text| text.to_lowercase()).collect(),
        }
    }

    /// Says which given values occur in none of these records: an empty answer would read as if nothing had been done.
    pub fn strangers(&self, lines: &[Line], decisions: &Decisions) -> Vec<String> {
        let wanted = self.wanted();
        let any = |means: &dyn Fn(&Record<'_>) -> bool| {
            lines.iter().any(|line| means(&Record { line, decisions }))
        };
        let mut said = Vec::new();
        if let Some(identity) = wanted.identity.filter(|i| !any(&|r| r.names_identity(i))) {
            said.push(format!("no record names identity {}", identity.word()));
        }
        if let Some(alert) = wanted.alert.filter(|a| !any(&|r| r.names_alert(a))) {
            said.push(format!("no record names alert {}", alert.word()));
        }
        if let Some(who) = wanted.analyst.filter(|w| !any(&|r| r.is_by(w))) {
            said.push(format!("no record names analyst {}", who.word()));
        }
        said
    }
}

/// Finds out which names stand in these records exactly as they were given.
pub fn settled(mut wanted: Wanted, lines: &[Line], decisions: &Decisions) -> Wanted {
    if let Some(identity) = &mut wanted.identity {
        let is = |l: &Line| {
            words::identity_of(&l.entry, decisions).is_some_and(|id| id.as_str() == identity.word())
        };
        let exact = identity.is_exact() || lines.iter().any(is);
        identity.settle(exact);
    }
    if let Some(alert) = &mut wanted.alert {
        let is = |l: &Line| {
            words::alert_of(&l.entry, decisions).is_some_and(|id| id.as_str() == alert.word())
        };
        let exact = alert.is_exact() || lines.iter().any(is);
        alert.settle(exact);
    }
    if let Some(who) = &mut wanted.analyst {
        let is = |l: &Line| names_of(l).any(|name| who.is_analyst(name));
        who.settle(who.is_exact() || lines.iter().any(is));
    }
    wanted
}

/// Tells whether a record is asked for.
pub fn wants(wanted: &Wanted, line: &Line, decisions: &Decisions) -> bool {
    wanted.wants(&Record { line, decisions })
}

/// Everybody a record speaks for.
fn names_of(line: &Line) -> impl Iterator<Item = &str> {
    let entry = &line.entry;
    let by = entry.body.get("by").and_then(|b| b.as_str());
    [Some(entry.actor.as_str()), Some(entry.log.as_str()), by]
        .into_iter()
        .flatten()
}

/// A record as it stands in the log.
struct Record<'a> {
    line: &'a Line,
    decisions: &'a Decisions,
}

impl Facts for Record<'_> {
    fn ts(&self) -> Timestamp {
        self.line.entry.ts
    }

    fn kind(&self) -> RecordType {
        self.line.entry.kind
    }

    fn is_decision(&self, kinds: &[String]) -> bool {
        let entry = &self.line.entry;
        let kind = entry.body.get("kind").and_then(|k| k.as_str());
        entry.kind == RecordType::Decision && kind.is_some_and(|k| kinds.iter().any(|w| w == k))
    }

    fn is_by(&self, who: &Named) -> bool {
        names_of(self.line).any(|name| who.means_analyst(name))
    }

    fn names_identity(&self, identity: &Named) -> bool {
        words::identity_of(&self.line.entry, self.decisions)
            .is_some_and(|id| identity.means(id.as_str()))
            || words::names(
                &self.line.entry,
                Field::Identity,
                identity.word(),
                self.decisions,
            )
    }

    fn names_alert(&self, alert: &Named) -> bool {
        words::alert_of(&self.line.entry, self.decisions).is_some_and(|id| alert.means(id.as_str()))
            || words::names(&self.line.entry, Field::Alert, alert.word(), self.decisions)
    }

    fn state(&self) -> Option<ActState> {
        words::act_of(&self.line.entry, self.decisions).map(ActState::from)
    }

    fn contains(&self, _: usize, text: &str) -> bool {
        let has = |hay: &str| hay.to_lowercase().contains(text);
        has(&String::from_utf8_lossy(&self.line.raw))
            || has(&words::summary(&self.line.entry, self.decisions))
    }
}

fn parse_outcome(word: &str) -> Result<String, String> {
    if outcomes().any(|known| known == word) {
        return Ok(word.to_owned());
    }
    let all: Vec<&str> = outcomes().collect();
    Err(format!("no such outcome; there are {}", all.join(", ")))
}

fn parse_kind(word: &str) -> Result<DecisionKind, String> {
    DecisionKind::parse(word).ok_or_else(|| {
        let all: Vec<&str> = DecisionKind::ALL.iter().map(|k| k.as_str()).collect();
        format!("no such kind of decision; there are {}", all.join(", "))
    })
}

fn parse_type(word: &str) -> Result<RecordType, String> {
    RecordType::parse(word).ok_or_else(|| {
        let all: Vec<&str> = RecordType::ALL.iter().map(|t| t.as_str()).collect();
        format!("no such record type; there are {}", all.join(", "))
    })
}

/// Reads a time as it is given on the command line.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    parse_time_at(text, Timestamp::now())
}
