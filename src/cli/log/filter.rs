//! Which records somebody asks for.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use crate::domain::coverage::{CellState, WireOutcome};
use crate::domain::decision::{DecisionKind, Decisions, Entry, RecordType};
use crate::journal::{self, Line, Problem};

use super::words::Field;
use super::{Context, words};

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
    /// Only records about this identity: its id (`sso:svc-deploy`), the provider's own id of it, or its name.
    #[arg(long, value_name = "ID")]
    identity: Option<String>,
    /// Only records that name this alert.
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

/// Reads all stores.
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
        std::fs::metadata(store)
            .with_context(|| format!("cannot read the journal {}", store.display()))?;
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

    /// Returns 1 when records are lost or not what was signed.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.problems.iter().any(|p| p.grave))
    }

    /// Says what is wrong with the logs, and which values of a filter nothing knows.
    pub fn tell_about(&self, filter: &Filter, context: &Context<'_>) {
        self.tell(context);
        for text in filter.strangers(&self.lines, &self.decisions) {
            (context.warn)(&text);
        }
    }

    /// Returns the records that are asked for.
    pub fn chosen(&self, filter: &Filter) -> Vec<&Line> {
        let wanted = self
            .lines
            .iter()
            .filter(|l| filter.wants(l, &self.decisions));
        let chosen: Vec<&Line> = wanted.collect();
        let from = filter.last.map_or(0, |n| chosen.len().saturating_sub(n));
        chosen[from..].to_vec()
    }
}

/// A problem as it is said beside an answer.
pub fn told(problem: &Problem) -> String {
    let word = if problem.grave { "PROBLEM" } else { "note:" };
    format!("{word} {problem}")
}

impl Filter {
    /// Tells whether a record is asked for.
    pub fn wants(&self, line: &Line, decisions: &Decisions) -> bool {
        let entry = &line.entry;
        let has = |field: Field, wanted: &Option<String>| {
            wanted
                .as_ref()
                .is_none_or(|w| words::names(entry, field, w, decisions))
        };
        (self.types.is_empty() || self.types.contains(&entry.kind))
            && self.since.is_none_or(|t| entry.ts >= t)
            && self.until.is_none_or(|t| entry.ts <= t)
            && self.analyst.as_ref().is_none_or(|who| is_by(entry, who))
            && (self.kind.is_empty() || self.is_of_kind(entry))
            && has(Field::Identity, &self.identity)
            && has(Field::Alert, &self.alert)
            && (self.outcome.is_empty() || self.came_to(entry, decisions))
            && (!self.unknown || is_unknown(entry, decisions))
            && self
                .grep
                .as_ref()
                .is_none_or(|text| contains(line, text, decisions))
    }

    /// Says which given values occur in no record at all: an empty answer would read as if nothing had been done.
    pub fn strangers(&self, lines: &[Line], decisions: &Decisions) -> Vec<String> {
        let named = |field: Field, wanted: &str| {
            lines
                .iter()
                .any(|l| words::names(&l.entry, field, wanted, decisions))
        };
        let mut said = Vec::new();
        for (field, given) in [
            (Field::Identity, &self.identity),
            (Field::Alert, &self.alert),
        ] {
            if let Some(wanted) = given.as_ref().filter(|w| !named(field, w)) {
                said.push(format!("no record names {} {wanted}", field.as_str()));
            }
        }
        if let Some(who) = &self.analyst
            && !lines.iter().any(|l| is_by(&l.entry, who))
        {
            said.push(format!("no record names analyst {who}"));
        }
        said
    }

    fn is_of_kind(&self, entry: &Entry) -> bool {
        let kind = entry.body.get("kind").and_then(|k| k.as_str());
        entry.kind == RecordType::Decision
            && kind.is_some_and(|k| self.kind.iter().any(|w| w.as_str() == k))
    }

    fn came_to(&self, entry: &Entry, decisions: &Decisions) -> bool {
        let Some(act) = words::act_of(entry, decisions) else {
            return false;
        };
        let wire = act.outcome.as_ref().map(|o| o.outcome.as_str());
        let is = |w: &String| w == act.cell().as_str() || Some(w.as_str()) == wire;
        self.outcome.iter().any(is)
    }
}

fn is_by(entry: &Entry, who: &str) -> bool {
    entry.actor == who
        || entry.log == who
        || entry.actor.split('@').next() == Some(who)
        || entry.body.get("by").and_then(|b| b.as_str()) == Some(who)
}

fn contains(line: &Line, text: &str, decisions: &Decisions) -> bool {
    let text = text.to_lowercase();
    let has = |hay: &str| hay.to_lowercase().contains(&text);
    has(&String::from_utf8_lossy(&line.raw)) || has(&words::summary(&line.entry, decisions))
}

fn is_unknown(entry: &Entry, decisions: &Decisions) -> bool {
    entry.kind == RecordType::Intent
        && words::act_of(entry, decisions).is_some_and(|act| act.cell() == CellState::Unknown)
}

fn parse_outcome(word: &str) -> Result<String, String> {
    let cells = CellState::ALL.iter().map(|c| c.as_str());
    let all: Vec<&str> = cells
        .chain(WireOutcome::ALL.iter().map(|w| w.as_str()))
        .collect();
    if all.contains(&word) {
        return Ok(word.to_owned());
    }
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

/// Reads an RFC 3339 time, or a span before now.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(TIME_HELP.to_owned()),
    };
    number
        .parse::<i64>()
        .ok()
        .and_then(|n| n.checked_mul(seconds))
        .and_then(|s| {
            Timestamp::now()
                .checked_sub(SignedDuration::from_secs(s))
                .ok()
        })
        .ok_or_else(|| TIME_HELP.to_owned())
}

const TIME_HELP: &str =
    "give a time like 2026-11-21T08:00:00Z, or a span before now like 30m, 2h, 3d";
