//! Takes content out of the own log without breaking it: evidence is deleted, and of a line only its leaf hash stays, so
//! every later signature still holds. A record says first what is taken out, so nothing goes missing unsaid.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::domain::coverage::CellState;
use crate::domain::decision::{Decisions, Entry, RecordType};

use super::super::error::JournalError;
use super::super::fs::{How, content_end, read_from, write_once};
use super::super::layout::{BLOBS, pruned_name, segment_name};
use super::super::lock::Lock;
use super::super::merkle::{hex, leaf_hash, unhex};
use super::super::record;
use super::super::walk::{Event, SEGMENT_LIMIT, Walk};
use super::Writer;

/// Acts and what they rest on stay whole for this long: a plan runs once, and that it ran is told from its records.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// Hashes and ranges in one record; more would not fit into a line.
const PER_RECORD: usize = 700;

/// What is to be taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Everything written before, but what tells of the log itself.
    pub before: Option<Timestamp>,
    /// Content of single records, by number.
    pub records: BTreeSet<u64>,
    /// Files of evidence, by hash.
    pub blobs: BTreeSet<String>,
}

/// What was, or would be, taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Records of which only the hash stays.
    pub records: BTreeSet<u64>,
    /// Files of evidence that are deleted.
    pub blobs: BTreeSet<String>,
}

/// A line that could be taken out.
struct Found {
    segment: u64,
    kind: RecordType,
    ts: Timestamp,
    blobs: Vec<String>,
    open: bool,
}

/// Records that tell of the log itself stay: its keys, its damage, its anchors and what was taken out of it.
const fn is_content(kind: RecordType) -> bool {
    matches!(
        kind,
        RecordType::Session
            | RecordType::Decision
            | RecordType::View
            | RecordType::Plan
            | RecordType::Approval
            | RecordType::Intent
            | RecordType::Attempt
            | RecordType::Outcome
            | RecordType::Verify
            | RecordType::Note
            | RecordType::Export
            | RecordType::Config
            | RecordType::BreakGlass
    )
}

impl Writer {
    /// Takes content out; with `try_only` it only says what would be. The record of it is durable before anything goes.
    pub fn prune(
        &mut self,
        now: Timestamp,
        what: &Prune,
        reason: &str,
        try_only: bool,
    ) -> Result<Pruned, JournalError> {
        self.may_write(&[])?;
        let found = self.lines_to_prune()?;
        let chosen = choose(&found, what, now)?;
        if try_only || (chosen.records.is_empty() && chosen.blobs.is_empty()) {
            return Ok(chosen);
        }
        let segments: BTreeSet<u64> = chosen.records.iter().map(|s| found[s].segment).collect();
        let records = bodies(&chosen, reason)
            .into_iter()
            .map(|body| (RecordType::Prune, body));
        for record in records {
            self.append(now, &[record])?;
        }
        let held = Lock::take(&self.log, &self.lock)?;
        self.catch_up(now)?;
        if segments.contains(&self.walk.good.segment) {
            self.begin_segment(now, &json!({"reason": "prune"}))?;
        }
        // Files first: once the records that name them are gone, nothing would find what a stop in between left.
        for blob in &chosen.blobs {
            self.delete(blob)?;
        }
        for segment in segments {
            self.rewrite(segment, &chosen.records)?;
        }
        drop(held);
        Ok(chosen)
    }

    /// Walks the own log and collects what could be taken out.
    fn lines_to_prune(&self) -> Result<BTreeMap<u64, Found>, JournalError> {
        let mut walk = Walk::new(self.walk.owner.clone(), false);
        let (mut found, mut decisions, mut damage) = (BTreeMap::new(), Decisions::default(), false);
        let mut intents = BTreeMap::new();
        let tail = walk.run(&self.log, &mut |event| match event {
            Event::Line { segment, bytes, .. } => {
                if let Ok(r) = record::read(bytes) {
                    let files = r.body.get("evidence").and_then(Value::as_array);
                    let names = files.into_iter().flatten();
                    let blobs = names.filter_map(|f| Some(f["sha256"].as_str()?.to_owned()));
                    let line = Found {
                        segment,
                        kind: r.kind,
                        ts: r.ts,
                        blobs: blobs.collect(),
                        open: false,
                    };
                    found.insert(r.seq, line);
                    if let Some(id) = r.body.get("intent").and_then(Value::as_str) {
                        intents.insert(r.seq, id.to_owned());
                    }
                    decisions.apply(&Entry {
                        log: String::new(),
                        seq: r.seq,
                        kind: r.kind,
                        ts: r.ts,
                        actor: String::new(),
                        signer: None,
                        body: r.body,
                    });
                }
            }
            Event::Damage(_) => damage = true,
            Event::Commit(_) | Event::Withheld { .. } => {}
        })?;
        if damage || !tail.is_clean() || !walk.confirm() {
            let why = "it is not whole; read `log verify` first".to_owned();
            return Err(JournalError::Prune { why });
        }
        for (seq, id) in intents {
            let act = decisions.act(&crate::domain::ids::IntentId::new(id));
            if let (Some(line), Some(act)) = (found.get_mut(&seq), act) {
                line.open = matches!(act.cell(), CellState::Unknown | CellState::Open);
            }
        }
        Ok(found)
    }

    /// Writes a segment anew with hashes in place of these lines, then lets the old file go.
    fn rewrite(&self, segment: u64, withheld: &BTreeSet<u64>) -> Result<(), JournalError> {
        let (log, fs) = (&self.log, &*self.log.fs);
        let (name, _) = log.segment_file(segment);
        let file = log.open(&name, How::Read)?;
        let end = content_end(fs, &file, 0).map_err(log.failed("look at", &name))?;
        let most = end.min(4 * SEGMENT_LIMIT) as usize;
        let bytes = read_from(fs, &file, 0, most).map_err(log.failed("read", &name))?;
        let mut out = Vec::with_capacity(bytes.len());
        for (seq, line) in (segment..).zip(bytes.split_inclusive(|b| *b == b'\n')) {
            let content = line.strip_suffix(b"\n").unwrap_or(line);
            if withheld.contains(&seq) && unhex(content).is_none() {
                out.extend_from_slice(hex(&leaf_hash(content)).as_bytes());
                out.push(b'\n');
            } else {
                out.extend_from_slice(line);
            }
        }
        let new = pruned_name(segment);
        let temporary = format!("{new}.{}.tmp", std::process::id());
        let file = log.open(&temporary, How::Create)?;
        let written = fs
            .chmod(&file, log.file_mode())
            .and_then(|()| fs.truncate(&file, 0))
            .and_then(|()| {
                let mut left = out.as_slice();
                while !left.is_empty() {
                    match write_once(fs, &file, left)? {
                        0 => return Err(std::io::ErrorKind::WriteZero.into()),
                        n => left = &left[n..],
                    }
                }
                fs.sync(&file)
            })
            .and_then(|()| fs.rename(&log.dir, &temporary, &log.dir, &new))
            .and_then(|()| fs.sync_dir(&log.dir));
        if let Err(error) = written {
            // What cannot be removed is a `.tmp` file that nothing refers to.
            let _ = fs.remove(&log.dir, &temporary);
            return Err(log.failed("write", &new)(error));
        }
        let old = segment_name(segment);
        if name == old {
            fs.remove(&log.dir, &old)
                .and_then(|()| fs.sync_dir(&log.dir))
                .map_err(log.failed("remove", &old))?;
        }
        Ok(())
    }

    fn delete(&self, sha256: &str) -> Result<(), JournalError> {
        let (log, fs) = (&self.log, &*self.log.fs);
        let gone = fs
            .open(&log.dir, BLOBS, How::Dir, 0)
            .and_then(|blobs| fs.open(&blobs, sha256.get(..2).unwrap_or("?"), How::Dir, 0))
            .and_then(|dir| {
                fs.remove(&dir, sha256)?;
                fs.sync_dir(&dir)
            });
        match gone {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(log.failed("remove", BLOBS)(e))
            }
            _ => Ok(()),
        }
    }
}

fn choose(
    found: &BTreeMap<u64, Found>,
    what: &Prune,
    now: Timestamp,
) -> Result<Pruned, JournalError> {
    let refuse = |why: String| Err(JournalError::Prune { why });
    let mut chosen = Pruned::default();
    for seq in &what.records {
        match found.get(seq) {
            None => return refuse(format!("there is no record {seq} with content")),
            Some(line) if !is_content(line.kind) => {
                return refuse(format!(
                    "record {seq} ({}) tells of the log itself",
                    line.kind
                ));
            }
            Some(_) => chosen.records.insert(*seq),
        };
    }
    if let Some(before) = what.before {
        let old = found.iter().filter(|(_, l)| l.ts < before);
        for (seq, line) in old {
            if is_content(line.kind) {
                chosen.records.insert(*seq);
            }
            chosen.blobs.extend(line.blobs.iter().cloned());
        }
    }
    let rests_on = |kind| {
        use RecordType::{Approval, Intent, Outcome, Plan, Verify};
        matches!(kind, Plan | Approval | Intent | Outcome | Verify)
    };
    for seq in &chosen.records {
        let line = &found[seq];
        if line.open {
            return refuse(format!(
                "record {seq} belongs to an act of unknown effect: `stanch reconcile` first"
            ));
        }
        if rests_on(line.kind) && now.duration_since(line.ts) < FRESH {
            return refuse(format!(
                "record {seq} ({}) is younger than a day, and what ran is told from it",
                line.kind
            ));
        }
    }
    let named: BTreeSet<&String> = found.values().flat_map(|l| &l.blobs).collect();
    for blob in &what.blobs {
        if !named.contains(blob) {
            return refuse(format!("no record of this log names the evidence {blob}"));
        }
        chosen.blobs.insert(blob.clone());
    }
    Ok(chosen)
}

/// Bodies of the records that say what is taken out.
fn bodies(chosen: &Pruned, reason: &str) -> Vec<Value> {
    let mut ranges: Vec<[u64; 2]> = Vec::new();
    for seq in &chosen.records {
        match ranges.last_mut() {
            Some(last) if last[1] + 1 == *seq => last[1] = *seq,
            _ => ranges.push([*seq, *seq]),
        }
    }
    let blobs: Vec<&String> = chosen.blobs.iter().collect();
    let (mut ranges, mut blobs) = (ranges.chunks(PER_RECORD), blobs.chunks(PER_RECORD));
    let mut all = Vec::new();
    loop {
        match (ranges.next(), blobs.next()) {
            (None, None) => return all,
            (ranges, blobs) => all.push(json!({
                "reason": reason,
                "withheld": ranges.unwrap_or_default(),
                "blobs": blobs.unwrap_or_default(),
            })),
        }
    }
}
