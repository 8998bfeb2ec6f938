//! What to do with bytes after the last valid checkpoint: put a torn write aside, leave damage where it is.
//!
//! Suspect bytes are never rewritten so that they become valid. A write that was cut short has at most its own
//! checkpoint and was never acknowledged; anything more was a log once, so somebody or something changed it.

use std::fs::File;

use serde_json::{Value, json};

use crate::domain::plan::sha256_hex;

use super::checkpoint::Head;
use super::error::JournalError;
use super::fs::{How, read_from, write_once};
use super::heads::SeenHead;
use super::layout::{LogDir, QUARANTINE, segment_name};
use super::note::Verifier;
use super::walk::{Tail, Walk};

/// A torn write that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Segment (first sequence number).
    pub segment: u64,
    /// Where the torn bytes began.
    pub offset: u64,
    /// How many there were.
    pub bytes: u64,
    /// SHA-256 over them, hex.
    pub sha256: String,
    /// First line number that was not whole.
    pub first_bad: u64,
    /// Name of the copy under `quarantine/`.
    pub file: String,
}

impl Recovered {
    /// Body of the `recovered` record.
    pub fn body(&self) -> Value {
        json!({
            "segment": segment_name(self.segment),
            "offset": self.offset,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "first_bad": self.first_bad,
            "file": self.file,
        })
    }
}

/// Acknowledged records that are no longer what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Segment (first sequence number).
    pub segment: u64,
    /// Where trust ends.
    pub offset: u64,
    /// How many bytes follow there.
    pub bytes: u64,
    /// SHA-256 over them, hex.
    pub sha256: String,
    /// From this record on nothing is trustworthy up to the new segment.
    pub first_bad: u64,
    /// In words.
    pub why: String,
    /// Later segments, put aside under `quarantine/`.
    pub moved: Vec<String>,
    /// Latest signed head that was known to be durable and is no longer matched.
    pub lost_head: Option<String>,
}

impl Damaged {
    /// Body of the `segment` record that goes on after the damage.
    pub fn body(&self, walk: &Walk) -> Value {
        json!({
            "damaged": {
                "segment": segment_name(self.segment),
                "offset": self.offset,
                "bytes": self.bytes,
                "sha256": self.sha256,
                "first_bad": self.first_bad,
                "why": self.why,
                "moved": self.moved,
            },
            "good_head": walk.head.as_ref().map(|(_, signed)| signed),
            "lost_head": self.lost_head,
        })
    }
}

/// What the bytes after the last valid checkpoint are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// There are none.
    Clean,
    /// Cut short, never acknowledged.
    Torn,
    /// Once acknowledged.
    Damaged {
        /// In words.
        why: String,
        /// The durable head that is not matched any more.
        lost_head: Option<String>,
    },
}

/// Reads the latest head that was known to be durable. Whoever may write there could only raise an alarm with it: it
/// counts only when this log's own key signed it.
pub fn stored_head(log: &LogDir, by: &Verifier) -> Option<(Head, String)> {
    let signed = log.head_text()?;
    Some((Head::open(&signed, by)?, signed))
}

/// Judges where a walk ended; `seen` is the latest head of this log that its user kept outside the store.
pub fn judge(
    log: &LogDir,
    walk: &Walk,
    tail: &Tail,
    by: &Verifier,
    seen: Option<&SeenHead>,
) -> Result<Finding, JournalError> {
    let known = walk.head.as_ref().map_or(0, |(head, _)| head.size);
    let seen = seen.map(|s| (s.head.clone(), s.signed.clone()));
    let heads = stored_head(log, by).into_iter().chain(seen);
    let longest = heads.max_by_key(|(head, _)| head.size);
    if let Some((head, signed)) = longest.filter(|(head, _)| head.size > known) {
        let why = format!(
            "{} records were signed and durable, only {known} can be verified",
            head.size
        );
        return Ok(Finding::Damaged {
            why,
            lost_head: Some(signed),
        });
    }
    if tail.is_clean() {
        return Ok(Finding::Clean);
    }
    if !tail.later.is_empty() {
        let why = "a segment is damaged or missing and others follow it".to_owned();
        return Ok(Finding::Damaged {
            why,
            lost_head: None,
        });
    }
    let heads = heads_in(&rest_of(log, walk, tail)?, by, known);
    if heads > 1 {
        let why = format!("{heads} checkpoints stand after the last good one");
        return Ok(Finding::Damaged {
            why,
            lost_head: None,
        });
    }
    Ok(Finding::Torn)
}

/// Puts a torn tail aside: copy, make the copy durable, then cut.
pub fn put_aside(
    log: &LogDir,
    segment: &File,
    walk: &Walk,
    tail: &Tail,
) -> Result<Recovered, JournalError> {
    let rest = rest_of(log, walk, tail)?;
    let sha256 = sha256_hex(&rest);
    let name = segment_name(tail.segment);
    let offset = cut_at(walk, tail);
    // The content is in the name, so that doing it again after a crash in between comes to the same.
    let file = format!("{name}.{offset}.{}", &sha256[..16]);
    let dir = log.subdir(&log.dir, QUARANTINE)?;
    let copy = log
        .fs
        .open(&dir, &file, How::Create, log.file_mode())
        .map_err(log.failed("make", &file))?;
    log.fs
        .truncate(&copy, 0)
        .map_err(log.failed("empty", &file))?;
    let mut left = rest.as_slice();
    while !left.is_empty() {
        let n = write_once(&*log.fs, &copy, left).map_err(log.failed("write", &file))?;
        if n == 0 {
            let path = log.path.join(QUARANTINE).join(&file);
            return Err(JournalError::ShortWrite {
                path,
                written: rest.len() - left.len(),
                wanted: rest.len(),
            });
        }
        left = &left[n..];
    }
    log.fs.sync(&copy).map_err(log.failed("sync", &file))?;
    log.fs
        .sync_dir(&dir)
        .map_err(log.failed("sync", QUARANTINE))?;
    log.fs.sync_dir(&log.dir).map_err(log.failed("sync", ""))?;
    log.fs
        .truncate(segment, offset)
        .map_err(log.failed("cut", &name))?;
    log.fs.sync(segment).map_err(log.failed("sync", &name))?;
    Ok(Recovered {
        segment: tail.segment,
        offset,
        bytes: rest.len() as u64,
        sha256,
        first_bad: tail.bad.as_ref().map_or(walk.good.seq, |b| b.seq),
        file,
    })
}

/// Describes damage and puts later segments out of the way; the damaged bytes themselves stay where they are.
pub fn set_apart(
    log: &LogDir,
    walk: &Walk,
    tail: &Tail,
    why: String,
    lost_head: Option<String>,
) -> Result<Damaged, JournalError> {
    let rest = rest_of(log, walk, tail)?;
    let offset = cut_at(walk, tail);
    let mut moved = Vec::new();
    let whole = offset == 0 && tail.rest > 0;
    for first in tail
        .later
        .iter()
        .copied()
        .chain(whole.then_some(tail.segment))
    {
        let name = segment_name(first);
        let dir = log.subdir(&log.dir, QUARANTINE)?;
        let taken = log.fs.list(&dir).map_err(log.failed("list", QUARANTINE))?;
        let free = (0..=taken.len())
            .map(|i| format!("{name}.damaged.{i}"))
            .find(|n| !taken.contains(n));
        let Some(new) = free else { continue };
        log.fs
            .rename(&log.dir, &name, &dir, &new)
            .map_err(log.failed("move", &name))?;
        log.fs
            .sync_dir(&dir)
            .map_err(log.failed("sync", QUARANTINE))?;
        moved.push(new);
    }
    log.fs.sync_dir(&log.dir).map_err(log.failed("sync", ""))?;
    Ok(Damaged {
        segment: tail.segment,
        offset,
        bytes: rest.len() as u64,
        sha256: sha256_hex(&rest),
        first_bad: walk.good.seq,
        why,
        moved,
        lost_head,
    })
}

fn cut_at(walk: &Walk, tail: &Tail) -> u64 {
    if walk.good.segment == tail.segment {
        walk.good.offset
    } else {
        0
    }
}

fn rest_of(log: &LogDir, walk: &Walk, tail: &Tail) -> Result<Vec<u8>, JournalError> {
    if tail.rest == 0 {
        return Ok(Vec::new());
    }
    let name = segment_name(tail.segment);
    let file = log.open(&name, How::Read)?;
    read_from(&*log.fs, &file, cut_at(walk, tail), tail.rest as usize)
        .map_err(log.failed("read", &name))
}

/// Counts lines that are, or by their start claim to be, checkpoints over more than `known` lines. A claim counts too,
/// as the damage may have hit the signature; stale bytes of earlier writes do not.
fn heads_in(bytes: &[u8], by: &Verifier, known: u64) -> usize {
    let later = |line: &&[u8]| {
        let Ok(text) = std::str::from_utf8(line) else {
            return false;
        };
        claimed_seq(text).is_some_and(|seq| seq > known)
            || signed_in(text)
                .and_then(|signed| Head::open(&signed, by))
                .is_some_and(|head| head.size > known)
    };
    bytes.split(|b| *b == b'\n').filter(later).count()
}

fn claimed_seq(text: &str) -> Option<u64> {
    let (seq, rest) = text.strip_prefix("{\"v\":1,\"seq\":")?.split_once(',')?;
    rest.get(73..)?
        .starts_with(",\"type\":\"checkpoint\"")
        .then(|| seq.parse().ok())?
}

fn signed_in(text: &str) -> Option<String> {
    let json = text.get(text.find(",\"note\":")? + 8..text.len().checked_sub(1)?)?;
    serde_json::from_str(json).ok()
}
