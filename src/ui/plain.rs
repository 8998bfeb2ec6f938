//! What happens, line by line, for screen readers, serial lines and pipes. Nothing moves and nothing is painted over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::app::model::{DrillView, Level};
use crate::app::msg::Msg;
use crate::domain::decision::{Decisions, Entry};
use crate::domain::queue::Row;
use crate::domain::text::{seen, show};
use crate::domain::words;

/// Most alerts of one batch that are told one by one; nobody reads or hears more at once.
const MOST: usize = 20;

/// What was told so far, so that only what is new is told.
#[derive(Debug, Default)]
pub struct Plain {
    decisions: Decisions,
    records_before: usize,
    is_log_read: bool,
    sources: BTreeMap<String, (bool, String)>,
    journal: Option<String>,
    drill: Option<bool>,
}

impl Plain {
    /// Returns the lines that a message is worth, without line breaks and safe to print.
    pub fn lines(&mut self, msg: &Msg, now: Timestamp) -> Vec<String> {
        let texts = match msg {
            Msg::Alerts(rows) => alerts(rows),
            Msg::Stored(rows) => stored(rows),
            Msg::Journal(entries) => self.records(entries),
            Msg::LogRead => self.log_read(),
            Msg::Source {
                name,
                healthy,
                text,
            } => self.source(name, *healthy, text),
            Msg::Malformed {
                source,
                total,
                reason,
            } => vec![format!(
                "malformed: {}: {total} inputs kept; the last one: {}",
                show(source),
                seen(reason)
            )],
            Msg::Removed(ids) => vec![format!("{} old alerts deleted", ids.len())],
            Msg::Duty(Some(holder)) => vec![format!("alerts are taken in by {}", show(holder))],
            Msg::JournalProblem(problem) => self.journal(problem.as_deref()),
            Msg::Unrecorded(text) => vec![format!("ERROR: {}", show(text))],
            Msg::Story(lines) => lines.iter().map(|line| told(Level::Info, line)).collect(),
            Msg::Notice { level, text } => vec![told(*level, text)],
            Msg::Drill(view) => self.drill(view),
            _ => Vec::new(),
        };
        let time = now
            .to_zoned(TimeZone::UTC)
            .strftime("%H:%M:%SZ")
            .to_string();
        texts
            .into_iter()
            .map(|text| format!("{time} {text}"))
            .collect()
    }

    fn records(&mut self, entries: &[Entry]) -> Vec<String> {
        let mut texts = Vec::new();
        for entry in entries {
            self.decisions.apply(entry);
            if !self.is_log_read {
                self.records_before += 1;
                continue;
            }
            let summary = words::summary(entry, &self.decisions);
            texts.push(format!("log: {}: {}", show(&entry.actor), show(&summary)));
        }
        texts
    }

    fn log_read(&mut self) -> Vec<String> {
        self.is_log_read = true;
        let unknowns = self.decisions.unknowns().count();
        let mut texts = vec![format!("log: {} records so far", self.records_before)];
        if unknowns > 0 {
            texts.push(format!("log: {unknowns} acts have an UNKNOWN outcome"));
        }
        texts
    }

    fn source(&mut self, name: &str, healthy: bool, text: &str) -> Vec<String> {
        let now = (healthy, text.to_owned());
        let before = self.sources.insert(name.to_owned(), now.clone());
        // A source that goes on well says how far it is; only a change is news.
        let is_news = before
            .as_ref()
            .is_none_or(|before| before.0 != healthy || !healthy && *before != now);
        let how = if healthy { "ok" } else { "FAILS" };
        is_news
            .then(|| format!("source {} {how}: {}", show(name), show(text)))
            .into_iter()
            .collect()
    }

    fn journal(&mut self, problem: Option<&str>) -> Vec<String> {
        let before = std::mem::replace(&mut self.journal, problem.map(str::to_owned));
        match problem {
            Some(problem) if before.as_deref() != Some(problem) => {
                vec![format!(
                    "ERROR: journal: {}; no act is possible",
                    show(problem)
                )]
            }
            None if before.is_some() => vec!["journal: ok again".to_owned()],
            _ => Vec::new(),
        }
    }

    fn drill(&mut self, view: &DrillView) -> Vec<String> {
        let before = self.drill.replace(view.intruder_in);
        let says = if view.intruder_in {
            "INTRUDER IN"
        } else {
            "intruder out"
        };
        (before != Some(view.intruder_in))
            .then(|| format!("drill: {}: {says}", show(&view.title)))
            .into_iter()
            .collect()
    }
}

fn told(level: Level, text: &str) -> String {
    format!("{}: {}", word(level), show(text))
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warn => "note",
        Level::Error => "ERROR",
    }
}

fn stored(rows: &[Row]) -> Vec<String> {
    match rows.len() {
        0 => Vec::new(),
        n => vec![format!("{n} alerts were stored before")],
    }
}

/// Tells alerts, the worst first where there are too many to tell all.
fn alerts(rows: &[Row]) -> Vec<String> {
    let mut told: Vec<&Row> = rows.iter().collect();
    let more = told.len().saturating_sub(MOST);
    if more > 0 {
        told.sort_by_key(|row| std::cmp::Reverse(row.alert.severity));
        told.truncate(MOST);
    }
    let mut texts: Vec<String> = told.into_iter().map(alert).collect();
    if more > 0 {
        texts.push(format!("and {more} more alerts, none of them worse"));
    }
    texts
}

fn alert(row: &Row) -> String {
    let alert = &row.alert;
    let severity = alert.severity.map_or("severity unknown", |s| s.as_str());
    let who = alert
        .subject
        .as_ref()
        .map_or("identity unresolved".to_owned(), |who| {
            let name = who.name.as_ref().unwrap_or(&who.native_id);
            name.raw().to_owned()
        });
    let pattern = alert.pattern.as_str().replace('_', " ");
    let again = match row.count {
        0 | 1 => String::new(),
        n => format!(", came {n} times"),
    };
    format!(
        "alert: {}: {}: {pattern}: {}{again}  [{}]",
        severity.to_uppercase(),
        show(&who),
        show(alert.title.raw()),
        show(alert.id.as_str())
    )
}
