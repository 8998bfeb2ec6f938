//! Tells whether a store is what was signed, from its bytes alone.
//!
//! A log can never prove that its own tail was not cut: that takes an anchor outside the writer's power.

mod authority;
mod clock;
mod content;
mod evidence;
mod head;
mod queue;
mod text;
mod trusted;
mod vouched;
mod witness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::domain::decision::RecordType;
use crate::domain::text::show;

use super::error::JournalError;
use super::glance::Glance;
use super::layout::{LogDir, QUARANTINE, segment_name};
use super::merkle::{Hash, hex};
use super::note::Verifier;
use super::reader::{Line, logs_in};
use super::record::Record;
use super::remains::Remains;
use super::trust::Trust;
use super::walk::{Bad, Walk, Why};

pub use content::Content;
pub use text::write_text;

/// An independent check in plain Python with openssl, printed by `log verify --explain`.
pub const VERIFY_PY: &str = include_str!("verify.py");

/// The same with sha256sum and openssl alone, printed by `log verify --explain=shell`.
pub const VERIFY_SH: &str = include_str!("verify.sh");

/// How thorough, and what is believed beforehand.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Recomputes every root but checks only the last signature of each log.
    pub quick: bool,
    /// Pinned keys and the roster; without them keys are taken from the logs themselves.
    pub trust: Option<Trust>,
    /// The `seen-heads` file of whoever verifies: what they saw must still be there.
    pub seen: Option<PathBuf>,
    /// Files with signed heads kept elsewhere: lines of the system's log, or what a webhook received.
    pub anchors: Vec<PathBuf>,
    /// Grows by the bytes that were looked at.
    pub progress: Option<Arc<AtomicU64>>,
    /// Ends it, within a segment, when it is set; what was found by then means nothing.
    pub stop: Option<Arc<AtomicBool>>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Integrity is lost.
    Failure,
    /// Somebody should look; the bytes are what was signed.
    Warning,
}

/// Something that was found. Field names are stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// Which check: `chain`, `checkpoints`, `head`, `segments`, `clock`, `recovered`, `damaged`, `tail`, `plans`, ….
    pub check: &'static str,
    /// At which record.
    pub seq: Option<u64>,
    /// In words, safe to draw.
    pub text: String,
}

/// The first thing that is wrong. Field names are stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstBad {
    /// Which record it should have been.
    pub seq: u64,
    /// Name of the segment.
    pub segment: String,
    /// Byte offset in it.
    pub offset: u64,
    /// What should stand there.
    pub expected: String,
    /// What does.
    pub found: String,
}

/// One key of a log. Field names are stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// Record that brought it.
    pub seq: u64,
    /// Verifier key.
    pub vkey: String,
    /// `first`, `rotated` (the key before signed it), `UNCONTINUED`, `countersigned by …` or `pinned`.
    pub how: String,
}

/// What one log is. Field names are stable.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogReport {
    /// `<site>/<host>/<user>`; `?/<host>/<user>` when no key could be read.
    pub origin: String,
    /// Verifier key (`name+hash+key`) that the log names.
    pub vkey: Option<String>,
    /// Whether every key of this log is pinned by a trust file; else they were taken from the log itself.
    pub pinned: bool,
    /// Every key so far, oldest first.
    pub keys: Vec<KeyReport>,
    /// Who writes this log, by the trust file.
    pub person: Option<String>,
    /// Committed lines, checkpoints included.
    pub records: u64,
    /// Valid checkpoints.
    pub checkpoints: u64,
    /// Lines after the last checkpoint.
    pub uncommitted: u64,
    /// Segment files read.
    pub segments: u64,
    /// Bytes covered by the last checkpoint, over all segments.
    pub bytes: u64,
    /// Time of the first record.
    pub first: Option<Timestamp>,
    /// Time of the last record.
    pub last: Option<Timestamp>,
    /// Size of the last good checkpoint.
    pub head_size: u64,
    /// Root of the last good checkpoint, hex.
    pub head_root: Option<String>,
    /// Records written while the host's clock was known not to be synchronised.
    pub unsynchronised: u64,
    /// Records for which nothing told whether it was.
    pub sync_unknown: u64,
    /// Torn writes that were put aside.
    pub recovered: u64,
    /// Files of evidence that are there with the bytes that were hashed.
    pub evidence: u64,
    /// Files of evidence that a record says were removed.
    pub evidence_pruned: u64,
    /// Records whose content a later record says was withheld.
    pub withheld: u64,
    /// Who holds a signed head of this log that was compared with it, and over how many lines.
    pub witnessed: BTreeMap<String, u64>,
    /// Lines after the longest head that somebody else holds: only these could be cut off unseen.
    pub unanchored_lines: u64,
    /// When the first of them was written.
    pub unanchored_since: Option<Timestamp>,
    /// Anchors that the log itself claims, by kind, and over how many lines.
    pub claimed: BTreeMap<String, u64>,
    /// What broke the chain.
    pub first_bad: Option<FirstBad>,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

/// What a store is. Field names are stable.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Each log.
    pub logs: Vec<LogReport>,
    /// What the records say together.
    pub content: Content,
    /// Places that could not be read as a log.
    pub refused: Vec<String>,
    /// Whether any log was there at all.
    pub empty: bool,
    /// Whether a trust file was given.
    pub trusted: bool,
    /// What concerns the store as a whole.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Tells whether everything is what was signed.
    pub fn intact(&self) -> bool {
        self.refused.is_empty() && self.all_findings().all(|f| f.level != Level::Failure)
    }

    /// Returns how many warnings there are.
    pub fn warnings(&self) -> usize {
        self.all_findings()
            .filter(|f| f.level == Level::Warning)
            .count()
    }

    /// Returns the exit code: 0 intact, 1 not, 2 nothing there to verify; with `strict` 3 where warnings remain, or acts
    /// of unknown effect from before that time: younger ones are somebody's work in hand.
    pub fn exit_code(&self, strict: Option<Timestamp>) -> u8 {
        let below = |before: Timestamp| {
            self.warnings() > 0 || self.content.unknown.iter().any(|act| act.at <= before)
        };
        match () {
            () if !self.intact() => 1,
            () if self.empty => 2,
            () if strict.is_some_and(below) => 3,
            () => 0,
        }
    }

    fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.logs
            .iter()
            .flat_map(|l| &l.findings)
            .chain(&self.content.findings)
            .chain(&self.findings)
    }
}

/// Verifies all logs of all stores together.
pub fn verify(stores: &[PathBuf], options: &Options) -> Report {
    let mut report = Report::default();
    let mut lines = Vec::new();
    let mut facts = Vec::new();
    for store in stores {
        one_store(store, options, &mut report, &mut facts, &mut lines);
    }
    witness::check(options, &facts, &mut report);
    vouched::check(options.trust.as_ref(), &facts, &mut report);
    report.empty = report.logs.is_empty();
    report.content = Content::of(&super::reader::merge(lines), options.trust.as_ref());
    if let Some(trust) = &options.trust {
        trusted::check_store(trust, &mut report);
    }
    report
}

fn one_store(
    store: &Path,
    options: &Options,
    report: &mut Report,
    facts: &mut Vec<Facts>,
    lines: &mut Vec<Line>,
) {
    let (logs, problems) = logs_in(store);
    report.refused.extend(
        problems
            .into_iter()
            .map(|p| format!("{}: {}", p.log, p.text)),
    );
    for (owner, log) in logs {
        let (one, known, some) = Audit::new(&owner, options).run(&log);
        report.logs.push(one);
        facts.push(known);
        lines.extend(some);
    }
}

/// What comparing logs with each other needs.
#[derive(Default)]
struct Facts {
    /// Keys of the log, each with the number of lines from which on it signs.
    keys: Vec<(u64, Verifier)>,
    /// Root at each signed size.
    roots: BTreeMap<u64, Hash>,
    /// Notes that it says were cosigned by a witness, and where.
    cosigned: Vec<(u64, String)>,
    /// Heads of others that it recorded, and where.
    saw: Vec<(u64, Value)>,
    /// First record of each write, and its time.
    times: Vec<(u64, Timestamp)>,
    /// Keys of others that it vouches for: `{"origin", "vkey", "seq"}`.
    vouches: Vec<Value>,
}

/// Says what is wrong; where only the hash of the line before differs, that.
fn in_words(bad: &Bad) -> String {
    let told = |line: &str| {
        let (start, rest) = line.split_once("\"prev\":\"")?;
        Some((start.to_owned(), rest.get(..16)?.to_owned()))
    };
    match &bad.why {
        Why::Chain { expected, found } if bad.seq > 0 => match (told(expected), told(found)) {
            (Some((start, is)), Some((other, named))) if start == other && is != named => format!(
                "it names {named}… as the hash of the line before, which is {is}…: record {} or this one was changed",
                bad.seq - 1
            ),
            _ => bad.why.to_string(),
        },
        why => why.to_string(),
    }
}

/// One log under audit.
struct Audit<'o> {
    report: LogReport,
    walk: Walk,
    options: &'o Options,
    uids: BTreeMap<u32, u64>,
    facts: Facts,
    before: Option<clock::Before>,
    evidence: evidence::Evidence,
    committed: bool,
    queue: queue::Queue,
}

impl<'o> Audit<'o> {
    fn new(owner: &str, options: &'o Options) -> Self {
        Self {
            report: LogReport {
                origin: format!("?/{owner}"),
                ..LogReport::default()
            },
            walk: Walk::new(owner.to_owned(), !options.quick),
            options,
            uids: BTreeMap::new(),
            facts: Facts::default(),
            before: None,
            evidence: evidence::Evidence::default(),
            committed: false,
            queue: queue::Queue::default(),
        }
    }

    fn find(
        &mut self,
        level: Level,
        check: &'static str,
        seq: Option<u64>,
        text: impl std::fmt::Display,
    ) {
        let text = show(&text.to_string()).into_owned();
        self.report.findings.push(Finding {
            level,
            check,
            seq,
            text,
        });
    }

    fn run(mut self, log: &LogDir) -> (LogReport, Facts, Vec<Line>) {
        let before = Remains::of(log);
        let mut walk = self.walk.clone();
        walk.stop.clone_from(&self.options.stop);
        let ended = walk.run_with(log, &queue::read, &mut |event| self.meet(log, event));
        self.tell();
        let mut lines = std::mem::take(&mut self.queue.lines);
        super::reader::sign(&walk.keys, lines.iter_mut().map(|line| &mut line.entry));
        if self.options.quick && !walk.confirm() {
            lines.clear();
            self.find(
                Level::Failure,
                "checkpoints",
                None,
                "the last checkpoint is not signed by this log's key",
            );
        }
        self.walk = walk;
        match ended {
            Err(e) => self.unreadable(&e),
            Ok(tail) => {
                if let Some(bad) = &tail.bad {
                    self.broken(bad);
                } else if tail.rest > 0 {
                    let text = format!(
                        "{} bytes after the last checkpoint are not committed: a write that was cut short or is under way",
                        tail.rest
                    );
                    self.find(Level::Warning, "tail", Some(self.walk.good.seq), text);
                }
                self.report.uncommitted = tail.uncommitted;
            }
        }
        head::check(&mut self, log, &before);
        evidence::check(&mut self, log);
        self.strange_files(log);
        self.summarise();
        if let Some(trust) = &self.options.trust {
            trusted::check_log(trust, &mut self);
        }
        self.facts.keys = self
            .walk
            .keys
            .iter()
            .map(|k| (k.from, k.by.clone()))
            .collect();
        (self.report, self.facts, lines)
    }

    fn unreadable(&mut self, error: &JournalError) {
        let seq = self.walk.good.seq;
        self.find(
            Level::Failure,
            "segments",
            Some(seq),
            format!("{error}; records from {seq} on are not trustworthy"),
        );
    }

    fn broken(&mut self, bad: &Bad) {
        let (expected, found) = match &bad.why {
            Why::Chain { expected, found } | Why::Segment { expected, found } => {
                (expected.clone(), found.clone())
            }
            other => ("a valid line".to_owned(), other.to_string()),
        };
        let segment = segment_name(bad.segment);
        let text = format!(
            "record {} at byte {} of {segment}: {}; records from {} on are not trustworthy",
            bad.seq,
            bad.offset,
            in_words(bad),
            bad.from
        );
        let check = if matches!(bad.why, Why::Checkpoint(_)) {
            "checkpoints"
        } else {
            "chain"
        };
        self.find(Level::Failure, check, Some(bad.seq), text);
        self.report.first_bad = Some(FirstBad {
            seq: bad.seq,
            segment,
            offset: bad.offset,
            expected,
            found,
        });
    }

    /// Takes in the frame of every record.
    fn glance(&mut self, record: &Glance<'_>) {
        self.report.first.get_or_insert(record.ts);
        if self.facts.times.is_empty() || self.committed {
            self.facts.times.push((record.seq, record.ts));
            self.committed = false;
        }
        self.report.last = Some(record.ts);
        clock::check(self, record);
        if let Some(uid) = record.uid {
            let uid = u32::try_from(uid).unwrap_or(u32::MAX);
            self.uids.entry(uid).or_insert(record.seq);
        }
    }

    /// Takes in a record whose body says something.
    fn record(&mut self, log: &LogDir, segment: u64, record: &Record) {
        self.evidence.record(record);
        if record.kind == RecordType::PeerHeads {
            let heads = record.body.get("heads").and_then(Value::as_array);
            let heads = heads.into_iter().flatten().cloned();
            self.facts.saw.extend(heads.map(|h| (record.seq, h)));
        }
        if let Some(vouched) = record.body.get("countersigned") {
            self.facts.vouches.push(vouched.clone());
        }
        if record.kind == RecordType::Anchor {
            let text = |name: &str| record.body.get(name).unwrap_or(&Value::Null);
            let kind = show(text("kind").as_str().unwrap_or("?")).into_owned();
            let size = text("size").as_u64().unwrap_or(0).min(record.seq);
            if let Some(cosigned) = text("cosigned").as_str() {
                let cosigned = (record.seq, cosigned.to_owned());
                self.facts.cosigned.push(cosigned);
            }
            let known = self.report.claimed.entry(kind).or_default();
            *known = size.max(*known);
        }
        if record.kind == RecordType::Recovered {
            self.report.recovered += 1;
            self.quarantined(log, record);
        }
        if let Some(damaged) = record.body.get("damaged") {
            let text = format!(
                "{} bytes from byte {} of {} were set apart ({}); records from {} to the segment {} are not trustworthy",
                damaged["bytes"],
                damaged["offset"],
                damaged["segment"].as_str().unwrap_or("?"),
                damaged["why"].as_str().unwrap_or("?"),
                damaged["first_bad"],
                segment_name(segment),
            );
            self.find(Level::Failure, "damaged", Some(record.seq), text);
        }
    }

    fn quarantined(&mut self, log: &LogDir, record: &Record) {
        let field = |name: &str| {
            record
                .body
                .get(name)
                .and_then(|v| v.as_str())
                .unwrap_or_default()
                .to_owned()
        };
        let (file, sha256) = (field("file"), field("sha256"));
        // The name comes from a log: it must stay inside the directory.
        let plain = !file.is_empty() && !file.contains('/') && file != "..";
        let path = log.path.join(QUARANTINE).join(&file);
        let regular = plain
            && path
                .symlink_metadata()
                .is_ok_and(|m| m.is_file() && m.len() < 1 << 30);
        let kept = regular
            && std::fs::read(&path).is_ok_and(|b| crate::domain::plan::sha256_hex(&b) == sha256);
        if !kept {
            let text = format!(
                "record {}: the bytes put aside as {file} are not there as described",
                record.seq
            );
            self.find(Level::Warning, "recovered", Some(record.seq), text);
        }
    }

    fn strange_files(&mut self, log: &LogDir) {
        let strange = log
            .segments()
            .map(|(_, strange)| strange)
            .unwrap_or_default();
        for name in strange.into_iter().take(20) {
            self.find(
                Level::Warning,
                "segments",
                None,
                format!("the file {name} does not belong to a log"),
            );
        }
    }

    fn summarise(&mut self) {
        let walk = &self.walk;
        if let Some(by) = &walk.verifier {
            self.report.origin = show(&by.name).into_owned();
            self.report.vkey = Some(by.to_vkey());
        }
        let how = |i: usize, uncontinued: bool| match (i, uncontinued) {
            (0, _) => "first",
            (_, true) => "UNCONTINUED",
            (_, false) => "rotated",
        };
        let keys = walk.keys.iter().enumerate();
        self.report.keys = keys
            .map(|(i, k)| KeyReport {
                seq: k.seq,
                vkey: k.by.to_vkey(),
                how: how(i, k.uncontinued).to_owned(),
            })
            .collect();
        self.report.records = walk.good.seq;
        self.report.checkpoints = walk.checkpoints;
        self.report.bytes = walk.passed;
        if let Some((head, _)) = &walk.head {
            self.report.head_size = head.size;
            self.report.head_root = Some(hex(&head.root));
        }
    }
}
