//! Finds one record again, signed as it stands on the disk now, and what is stored beside it. Holds no other record in
//! memory.

use std::path::Path;

use crate::domain::plan::sha256_hex;
use crate::domain::text::show;

use super::blob::MAX_BLOB;
use super::fs::How;
use super::layout::{BLOBS, LogDir};
use super::reader::{Line, Place, entry, logs_in};
use super::walk::{Event, Walk};

/// A record and the log that it stands in.
#[derive(Debug)]
pub struct FoundLine {
    /// The record.
    pub line: Line,
    log: LogDir,
}

/// How a stored file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// Its bytes hash to its name.
    Matches,
    /// They do not.
    Differs,
    /// There is no such file.
    Missing,
    /// It could not be read; why, in words that are safe to draw.
    Unreadable(String),
}

/// Finds the record `seq` of the log `origin` (`site/host/user`). Goes along that whole log, so call it where blocking is
/// allowed. Fails in words that are safe to draw: there is no such log or record, or the log cannot be trusted there.
pub fn find(store: &Path, origin: &str, seq: u64) -> Result<FoundLine, String> {
    let (logs, _) = logs_in(store);
    let here = logs
        .into_iter()
        .find(|(owner, _)| origin.strip_suffix(owner).is_some_and(|s| s.ends_with('/')));
    let Some((owner, log)) = here else {
        return Err(format!("there is no log {} any more", show(origin)));
    };
    // As the last signature covers every line before it, one is enough; when it does not hold, each is looked at.
    let found = [false, true]
        .into_iter()
        .find_map(|every| one(&owner, &log, seq, every));
    match found {
        Some(Ok(line)) if line.entry.log == origin => Ok(FoundLine { line, log }),
        Some(Ok(line)) => Err(format!(
            "record {seq} is signed as one of {} now",
            show(&line.entry.log)
        )),
        Some(Err(why)) => Err(why),
        None => Err(format!(
            "record {seq} can no longer be read as it was signed"
        )),
    }
}

fn one(owner: &str, log: &LogDir, wanted: u64, every: bool) -> Option<Result<Line, String>> {
    let mut walk = Walk::new(owner.to_owned(), every);
    let (mut pending, mut found, mut withheld) = (None, None, false);
    let ended = walk.run(log, &mut |event| match event {
        Event::Line {
            seq,
            bytes,
            segment,
            offset,
            ..
        } if seq == wanted => pending = Some((Place { segment, offset }, bytes.to_vec())),
        Event::Withheld { seq } => withheld |= seq == wanted,
        Event::Line { .. } => {}
        Event::Commit(head) => {
            found = found.take().or_else(|| {
                pending
                    .take()
                    .map(|(place, raw)| (place, raw, head.origin.clone()))
            });
        }
        Event::Damage(_) => pending = None,
    });
    if let Err(error) = ended {
        return Some(Err(show(&error.to_string()).into_owned()));
    }
    if !walk.confirm() {
        return None;
    }
    if withheld {
        return Some(Err(format!(
            "the content of record {wanted} was pruned; a prune record says why"
        )));
    }
    let (place, raw, origin) = found?;
    let actor = owner
        .split_once('/')
        .map_or_else(String::new, |(host, user)| format!("{user}@{host}"));
    let read = entry(&raw, &origin, &actor).map_err(|e| show(&e.to_string()).into_owned());
    Some(read.map(|entry| Line { entry, raw, place }))
}

impl FoundLine {
    /// Looks at a stored file of this log by its hash. Reads at most as much as any blob may hold.
    pub fn blob(&self, sha256: &str) -> BlobState {
        let plain = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if !plain {
            return BlobState::Unreadable("its name is no SHA-256".to_owned());
        }
        match self.read(sha256) {
            Ok(Some(bytes)) if sha256_hex(&bytes) == sha256 => BlobState::Matches,
            Ok(Some(_)) => BlobState::Differs,
            Ok(None) => BlobState::Missing,
            Err(error) => BlobState::Unreadable(show(&error.to_string()).into_owned()),
        }
    }

    fn read(&self, sha256: &str) -> std::io::Result<Option<Vec<u8>>> {
        let fs = &*self.log.fs;
        let opened = fs
            .open(&self.log.dir, BLOBS, How::Dir, 0)
            .and_then(|blobs| fs.open(&blobs, &sha256[..2], How::Dir, 0))
            .and_then(|dir| fs.open(&dir, sha256, How::Read, 0));
        match opened {
            Ok(file) => super::fs::read_from(fs, &file, 0, MAX_BLOB + 1).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}
