//! Takes into the index what is new in a log, piece by piece.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use serde_json::Value;

use super::super::layout::{LOCK_FILE, LogDir};
use super::super::merkle::leaf_hash;
use super::super::reader::{Line, LogReader, Problem};
use super::super::walk::Walk;
use super::{INDEXES, IndexError, Kind};
use crate::domain::coverage::{Proof, WireOutcome, cell};
use crate::domain::decision::{Decisions, Entry, Intent, Outcome, PlanRecord, RecordType, Verify};
use crate::domain::words;

/// Bytes of records that are taken in at once.
const PIECE: usize = 4 * 1024 * 1024;

/// Around the words of a record that stand in its line too: a text with one of these has to be looked for elsewhere.
pub const NOT_THERE: [char; 3] = ['{', '}', '\u{2026}'];

/// Takes in what is new in one log.
pub fn bring_up_to_date(
    db: &mut Connection,
    id: i64,
    owner: &str,
    log: &LogDir,
    problems: &mut Vec<Problem>,
) -> Result<(), IndexError> {
    let found = Files::of(log);
    let known: (String, String) = known(db, id)?;
    if !known.0.is_empty() && known.0 == found.text {
        return Ok(());
    }
    let begun = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited.
    let known: (String, String) = self::known(&begun, id)?;
    let walk = (found.only_grew(&known.0))
        .then(|| Walk::from_state(&serde_json::from_str::<Value>(&known.1).ok()?))
        .flatten();
    let (mut reader, times) = if let Some(walk) = walk {
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?));
        let times = begun.query_row("select latest, back from log where id = ?1", [id], row)?;
        (LogReader::resume(log.clone(), walk), times)
    } else {
        // Another process may have begun with it.
        begun.execute("delete from rec where log = ?1", [id])?;
        (LogReader::new(owner.to_owned(), log.clone()), (i64::MIN, 0))
    };
    let before = problems.len();
    let mut into = Taker::new(&begun, id, times)?;
    let (mut lines, mut more) = (Vec::new(), true);
    while more {
        more = reader.read_some(PIECE, &mut lines, problems);
        into.take(&lines)?;
        lines.clear();
    }
    let (latest, back) = (into.latest, into.back);
    // What has problems is looked at from the beginning again, so that they are told again.
    let whole = problems.len() == before;
    let state = reader.walk().to_state().filter(|_| whole);
    let origin = reader.walk().verifier.as_ref().map_or("", |by| &by.name);
    begun.execute(
        "update log set origin = ?2, files = ?3, walk = ?4, latest = ?5, back = ?6 where id = ?1",
        (
            id,
            origin,
            state.as_ref().map_or("", |_| &found.text),
            state.as_ref().map_or_else(String::new, Value::to_string),
            latest,
            back,
        ),
    )?;
    begun.execute_batch(INDEXES)?;
    begun.commit()?;
    Ok(())
}

fn known(db: &Connection, id: i64) -> Result<(String, String), IndexError> {
    let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?));
    Ok(db.query_row("select files, walk from log where id = ?1", [id], row)?)
}

/// Drops everything if what was taken in of one log no longer holds: content may have been taken out of the log, and none
/// of it may stay here. Names and words do not say whose they are, so the other logs are read again too.
pub fn forget_if_changed(db: &mut Connection, id: i64, log: &LogDir) -> Result<(), IndexError> {
    let (files, _) = known(db, id)?;
    let found = Files::of(log);
    let there = "select exists(select 1 from rec where log = ?1)";
    let there: bool = db.query_row(there, [id], |r| r.get(0))?;
    if there && found.text != files && !found.only_grew(&files) {
        let begun = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        begun.execute_batch(
            "delete from rec; delete from words; delete from act; delete from plan; delete from name;
             delete from lower; update log set files = '', walk = '';",
        )?;
        begun.commit()?;
    }
    Ok(())
}

/// What is in a log's directory: as long as it is the same, so is the log.
struct Files {
    text: String,
}

impl Files {
    fn of(log: &LogDir) -> Self {
        let mut names = log.fs.list(&log.dir).unwrap_or_default();
        names.sort();
        let mut text = String::new();
        for name in names {
            // The lock says nothing about the log, and leftovers of a head being published neither.
            let leftover = std::path::Path::new(&name).extension();
            if name == LOCK_FILE || leftover.is_some_and(|e| e == "tmp") {
                continue;
            }
            if let Ok(m) = std::fs::symlink_metadata(log.path.join(&name)) {
                let _ = writeln!(
                    text,
                    "{name} {} {} {} {} {} {}",
                    m.len(),
                    m.ino(),
                    m.mtime(),
                    m.mtime_nsec(),
                    m.ctime(),
                    m.ctime_nsec()
                );
            }
        }
        Self { text }
    }

    /// Tells whether since `before` the last segment there only became longer, and segments came after it.
    fn only_grew(&self, before: &str) -> bool {
        let segments = |text: &'_ str| -> Vec<String> {
            let lines = text
                .lines()
                .filter(|l| l.contains(".jsonl ") || l.contains(".pruned "));
            lines.map(str::to_owned).collect()
        };
        let (old, new) = (segments(before), segments(&self.text));
        let Some((last, sealed)) = old.split_last() else {
            return false;
        };
        let fields = |line: &str| -> Option<(String, u64, String)> {
            let mut all = line.split(' ');
            Some((
                all.next()?.to_owned(),
                all.next()?.parse().ok()?,
                all.next()?.to_owned(),
            ))
        };
        new.starts_with(sealed)
            && new.get(sealed.len()).is_some_and(|now| {
                let (old, new) = (fields(last), fields(now));
                now == last
                    || old
                        .zip(new)
                        .is_some_and(|(o, n)| o.0 == n.0 && o.1 < n.1 && o.2 == n.2)
            })
    }
}

/// Puts records of one log into the tables.
struct Taker<'t> {
    db: &'t Transaction<'t>,
    log: i64,
    latest: i64,
    /// By how much a record counts as later than it says, at most.
    back: i64,
    names: HashMap<(u8, String), i64>,
    /// New names in lower case, by kind.
    lower: BTreeMap<u8, String>,
    next: i64,
}

impl<'t> Taker<'t> {
    fn new(
        db: &'t Transaction<'t>,
        log: i64,
        (latest, back): (i64, i64),
    ) -> Result<Self, IndexError> {
        let next = db.query_row("select coalesce(max(id), 0) + 1 from rec", [], |r| r.get(0))?;
        Ok(Self {
            db,
            log,
            latest,
            back,
            names: HashMap::new(),
            lower: BTreeMap::new(),
            next,
        })
    }

    fn name(&mut self, kind: Kind, text: &str) -> Result<i64, IndexError> {
        let key = (kind as u8, text.to_owned());
        if let Some(id) = self.names.get(&key) {
            return Ok(*id);
        }
        let tail = match kind {
            Kind::Alert => text.split_once('/'),
            Kind::Identity => text.split_once(':'),
            Kind::Who | Kind::Act | Kind::Plan => None,
        };
        let new = self
            .db
            .prepare_cached("insert or ignore into name(kind, text, tail) values (?1, ?2, ?3)")?
            .execute((kind as i64, text, tail.map(|(_, tail)| tail)))?;
        let id = if new > 0 {
            self.db.last_insert_rowid()
        } else {
            self.db
                .prepare_cached("select id from name where kind = ?1 and text = ?2")?
                .query_row((kind as i64, text), |r| r.get(0))?
        };
        if new > 0 && matches!(kind, Kind::Alert | Kind::Identity) {
            let lower = text.to_lowercase().replace('\n', " ");
            let _ = writeln!(self.lower.entry(kind as u8).or_default(), "{id}\t{lower}");
        }
        // Names come in runs; a log of as many names as records must not need memory for all of them.
        if self.names.len() > 100_000 {
            self.names.clear();
        }
        self.names.insert(key, id);
        Ok(id)
    }

    fn some(&mut self, kind: Kind, text: Option<&str>) -> Result<Option<i64>, IndexError> {
        text.map(|text| self.name(kind, text)).transpose()
    }

    fn take(&mut self, lines: &[Line]) -> Result<(), IndexError> {
        let first = self.next;
        let mut body = String::new();
        let none = Decisions::default();
        for line in lines {
            let entry = &line.entry;
            let act = self.record(line)?;
            let mut words = words::summary(entry, &none);
            match (entry.kind, act) {
                (RecordType::Plan, _) => self.plan(entry)?,
                (RecordType::Intent, Some(act)) => self.intent(act, entry)?,
                (RecordType::Outcome | RecordType::Verify, Some(act)) => {
                    words = self.came_to(act, entry, &words)?;
                }
                _ => {}
            }
            // What stands in the line itself is found there; see [`NOT_THERE`].
            let bare = words.trim_matches(NOT_THERE);
            if memchr::memmem::find(&line.raw, bare.as_bytes()).is_none() {
                let lower = words.to_lowercase().replace('\n', " ");
                let _ = writeln!(body, "{}\t{lower}", self.next);
            }
            self.next += 1;
        }
        for (kind, body) in std::mem::take(&mut self.lower) {
            self.db
                .prepare_cached("insert into lower values (?1, ?2)")?
                .execute((kind, body))?;
        }
        if !body.is_empty() {
            self.db
                .prepare_cached("insert into words(first, body) values (?1, ?2)")?
                .execute((first, body))?;
        }
        Ok(())
    }

    fn plan(&mut self, entry: &Entry) -> Result<(), IndexError> {
        // As everywhere, a plan that does not hash to its name counts for nothing.
        let record = entry.body_as::<PlanRecord>().ok();
        let Some(record) = record.filter(|r| r.plan.digest() == r.digest) else {
            return Ok(());
        };
        let id = self.name(Kind::Plan, record.digest.as_str())?;
        let alert = self.name(Kind::Alert, record.plan.alert.as_str())?;
        let identity = self.name(Kind::Identity, record.plan.identity.as_str())?;
        self.db
            .prepare_cached("insert or replace into plan values (?1, ?2, ?3, ?4)")?
            .execute((id, alert, identity, record.plan.identity_name.raw()))?;
        Ok(())
    }

    fn intent(&mut self, act: i64, entry: &Entry) -> Result<(), IndexError> {
        let Ok(intent) = entry.body_as::<Intent>() else {
            return Ok(());
        };
        let what = format!("{} on {}", intent.verb, intent.identity.as_str());
        self.db
            .prepare_cached("insert or replace into act values (?1, ?2, null, null, ?3)")?
            .execute((act, cell(WireOutcome::Unknown, None).as_str(), what))?;
        Ok(())
    }

    /// Notes how an act stands after one more of its records; returns that record's words.
    fn came_to(&mut self, act: i64, entry: &Entry, words: &str) -> Result<String, IndexError> {
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?));
        let found: Option<(Option<String>, Option<String>, String)> = self
            .db
            .prepare_cached("select wire, proof, what from act where id = ?1")?
            .query_row([act], row)
            .optional()?;
        let Some((wire, proof, what)) = found else {
            return Ok(words.to_owned());
        };
        let mut wire = wire.and_then(|w| WireOutcome::parse(&w));
        let mut proof = proof.and_then(|p| Proof::parse(&p));
        let id = if entry.kind == RecordType::Outcome {
            entry.body_as::<Outcome>().ok().map(|outcome| {
                wire = Some(outcome.outcome);
                outcome.intent
            })
        } else {
            entry.body_as::<Verify>().ok().map(|verify| {
                proof = Some(verify.proof);
                verify.intent
            })
        };
        let Some(id) = id else {
            return Ok(words.to_owned());
        };
        let cell = cell(wire.unwrap_or(WireOutcome::Unknown), proof);
        self.db
            .prepare_cached("update act set cell = ?2, wire = ?3, proof = ?4 where id = ?1")?
            .execute((
                act,
                cell.as_str(),
                wire.map(WireOutcome::as_str),
                proof.map(Proof::as_str),
            ))?;
        // Words of a record without its act name the intent in that place.
        Ok(words.replacen(&format!("intent {}", id.as_str()), &what, 1))
    }

    /// Puts one record in; returns the act that it belongs to.
    fn record(&mut self, line: &Line) -> Result<Option<i64>, IndexError> {
        let entry = &line.entry;
        let text = |key: &str| entry.body.get(key).and_then(Value::as_str);
        let planned = |key: &str| entry.body.get("plan").and_then(|p| p.get(key)?.as_str());
        let ts = nanoseconds(entry.ts);
        self.latest = self.latest.max(ts);
        self.back = self.back.max(self.latest.saturating_sub(ts));
        let actor = self.name(Kind::Who, &entry.actor)?;
        let by = self.some(Kind::Who, text("by"))?;
        let alert = self.some(Kind::Alert, text("alert").or_else(|| planned("alert")))?;
        let identity = self.some(
            Kind::Identity,
            text("identity").or_else(|| planned("identity")),
        )?;
        let act = self.some(Kind::Act, text("intent"))?;
        let plan = self.some(Kind::Plan, text("digest").or_else(|| text("plan")))?;
        let sub = text("kind").filter(|_| entry.kind == RecordType::Decision);
        self.db
            .prepare_cached("insert into rec values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)")?
            .execute(rusqlite::params![
                self.next, self.log, entry.seq as i64, line.place.segment as i64, line.place.offset as i64,
                line.raw.len() as i64, leaf_hash(&line.raw), self.latest, ts, entry.kind.as_str(), sub, actor, by, alert,
                identity, act, plan
            ])?;
        Ok(act)
    }
}

/// Nanoseconds since 1970; what lies outside of three centuries around it is no time of any log.
pub fn nanoseconds(ts: Timestamp) -> i64 {
    i64::try_from(ts.as_nanosecond()).unwrap_or(i64::MAX)
}
