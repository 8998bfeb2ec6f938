//! Evidence beside a log: every file that a record names must be there with the bytes that were hashed, unless a
//! record says that it was removed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::blob::MAX_BLOB;
use super::super::fs::How;
use super::super::layout::{BLOBS, LogDir};
use super::super::merkle::hex;
use super::super::record::Record;
use super::{Audit, Level};
use crate::domain::decision::RecordType;

/// What the records of one log say about evidence.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Each file that is named, by its hash: the first record that does so, and the size.
    named: BTreeMap<String, (u64, Option<u64>)>,
    /// Each file that was removed on purpose, and the record that says so.
    pruned: BTreeMap<String, u64>,
    /// Lines of which only the hash is left.
    withheld: Vec<u64>,
    /// Lines that a later record says were withheld: first and last.
    excused: Vec<(u64, u64)>,
}

impl Evidence {
    /// Notes that a line was withheld.
    pub fn withheld(&mut self, seq: u64) {
        self.withheld.push(seq);
    }

    /// Takes in one record.
    pub fn record(&mut self, record: &Record) {
        let list = |name: &str| record.body.get(name).and_then(Value::as_array);
        for file in list("evidence").into_iter().flatten() {
            let sha256 = file["sha256"].as_str().unwrap_or("?").to_owned();
            let size = file["size"].as_u64();
            self.named.entry(sha256).or_insert((record.seq, size));
        }
        if record.kind == RecordType::Prune {
            let blobs = list("blobs").into_iter().flatten();
            for sha256 in blobs.filter_map(Value::as_str) {
                self.pruned.insert(sha256.to_owned(), record.seq);
            }
            for range in list("withheld").into_iter().flatten() {
                let range = range[0].as_u64().zip(range[1].as_u64());
                let earlier = range.filter(|(from, to)| from <= to && *to < record.seq);
                self.excused.extend(earlier);
            }
        }
    }
}

/// Hashes every file that the records of a log name, and holds withheld content against what the log says about it.
pub fn check(audit: &mut Audit<'_>, log: &LogDir) {
    let evidence = std::mem::take(&mut audit.evidence);
    check_withheld(audit, &evidence);
    for (sha256, (seq, size)) in &evidence.named {
        let place = log.path.join(BLOBS).join(sha256.get(..2).unwrap_or("?"));
        let place = place.join(sha256);
        let place = place.display();
        // A removal counts only after the record that names the file.
        let pruned = evidence.pruned.get(sha256).filter(|at| *at > seq);
        match (look(log, sha256, *size), pruned) {
            (Found::Same, None) => audit.report.evidence += 1,
            (Found::Missing, Some(_)) => audit.report.evidence_pruned += 1,
            (Found::Missing, None) => {
                let text = format!(
                    "the evidence {place} that record {seq} names is not there, and no record says that it was removed"
                );
                audit.find(Level::Failure, "evidence", Some(*seq), text);
            }
            (Found::Same, Some(at)) => {
                let text = format!(
                    "record {at} says that the evidence {place} was removed, but it is still there"
                );
                audit.find(Level::Warning, "evidence", Some(*at), text);
            }
            (Found::Other(what), _) => {
                let text = format!("the evidence {place} that record {seq} names {what}");
                audit.find(Level::Failure, "evidence", Some(*seq), text);
            }
        }
    }
}

fn check_withheld(audit: &mut Audit<'_>, evidence: &Evidence) {
    let said = joined(evidence.excused.clone());
    let covers = |seq: u64| {
        let after = said.partition_point(|(from, _)| *from <= seq);
        after > 0 && said[after - 1].1 >= seq
    };
    let (good, bad): (Vec<u64>, Vec<u64>) = evidence.withheld.iter().partition(|s| covers(**s));
    audit.report.withheld = good.len() as u64;
    if let Some(first) = bad.first() {
        let text = format!(
            "the content of {} record{} from {first} on was taken out, and no record says so",
            bad.len(),
            if bad.len() == 1 { "" } else { "s" }
        );
        audit.find(Level::Failure, "evidence", Some(*first), text);
    }
    let length = |(from, to): &(u64, u64)| (to - from).saturating_add(1);
    let promised = said.iter().map(length).fold(0, u64::saturating_add);
    if promised > good.len() as u64 {
        let text = "a record says that content was withheld which is still there: run the same `log prune` again";
        audit.find(Level::Warning, "evidence", None, text);
    }
}

/// Joins ranges that touch or overlap.
fn joined(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::new();
    for (from, to) in ranges {
        match out.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

enum Found {
    Same,
    Missing,
    Other(String),
}

fn look(log: &LogDir, sha256: &str, size: Option<u64>) -> Found {
    // The name comes from a record: it must stay inside the directory.
    let plain = sha256.len() == 64
        && sha256
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !plain {
        return Found::Other("is named by no SHA-256".to_owned());
    }
    match open(log, sha256) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Found::Missing,
        Err(e) => Found::Other(format!("cannot be read: {e}")),
        Ok(file) => match hash(&file) {
            Err(e) => Found::Other(format!("cannot be read: {e}")),
            Ok((found, bytes)) if found == sha256 && size.is_none_or(|s| s == bytes) => Found::Same,
            Ok((found, bytes)) => Found::Other(format!(
                "was changed: it holds {bytes} bytes with SHA-256 {found}"
            )),
        },
    }
}

fn open(log: &LogDir, sha256: &str) -> std::io::Result<File> {
    let blobs = log.fs.open(&log.dir, BLOBS, How::Dir, 0)?;
    let dir = log.fs.open(&blobs, &sha256[..2], How::Dir, 0)?;
    let file = log.fs.open(&dir, sha256, How::Read, 0)?;
    let regular = file.metadata()?.is_file();
    regular
        .then_some(file)
        .ok_or_else(|| std::io::Error::other("it is no regular file"))
}

fn hash(file: &File) -> std::io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let (mut bytes, mut chunk) = (0_u64, vec![0; 64 * 1024]);
    let mut limited = file.take(MAX_BLOB as u64 + 1);
    loop {
        let n = limited.read(&mut chunk)?;
        if n == 0 {
            return Ok((hex(&hasher.finalize()), bytes));
        }
        bytes += n as u64;
        hasher.update(&chunk[..n]);
    }
}
