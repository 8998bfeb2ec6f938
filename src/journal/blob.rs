//! Evidence beside the log, named by its own hash, so that it can be deleted without breaking the chain.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::JournalError;
use super::fs::{How, Looked, write_once};
use super::layout::{BLOBS, LogDir};
use super::redact;
use crate::domain::plan::sha256_hex;

/// Most bytes of one blob: far more than any provider's answer that the connectors accept.
pub const MAX_BLOB: usize = 64 * 1024 * 1024;

/// A stored blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// SHA-256 of its bytes, hex; also its name.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Where evidence goes, for whoever puts it there beside the thread that writes the log: each file waits for the disk by
/// itself, and the system lets those that wait at once share it.
#[derive(Clone, Debug)]
pub struct Shelf {
    log: LogDir,
    named: Named,
}

/// Directories of which this process brought the name to the disk: nobody removes one, so once is enough.
#[derive(Clone, Debug, Default)]
pub struct Named(Arc<Mutex<BTreeSet<(u32, u32, u64)>>>);

impl Named {
    /// Brings the name of `dir` in `parent` to the disk, unless that was done.
    fn bring(&self, log: &LogDir, parent: &File, dir: &File) -> std::io::Result<()> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let node = Looked::at(dir)?.node;
        if !known().contains(&node) {
            log.fs.sync_dir(parent)?;
            known().insert(node);
        }
        Ok(())
    }
}

impl Shelf {
    /// The place beside a log, with the directories that its process named there before.
    pub const fn new(log: LogDir, named: Named) -> Self {
        Self { log, named }
    }

    /// Stores evidence durably; tokens and keys in it are masked before it is hashed. A record may name it only after this
    /// returned.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobRef, JournalError> {
        put(&self.log, &self.named, &redact::evidence(bytes))
    }
}

/// Tells files apart that this process writes at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

fn put(log: &LogDir, named: &Named, bytes: &[u8]) -> Result<BlobRef, JournalError> {
    if bytes.len() > MAX_BLOB {
        return Err(JournalError::BlobTooLarge {
            bytes: bytes.len(),
            limit: MAX_BLOB,
        });
    }
    let sha256 = sha256_hex(bytes);
    let done = BlobRef {
        sha256: sha256.clone(),
        size: bytes.len() as u64,
    };
    let blobs = log.subdir(&log.dir, BLOBS)?;
    let dir = log.subdir(&blobs, &sha256[..2])?;
    // Under its own name at once, for then one wait for the disk brings both content and name. Nobody asks for it before
    // that, and whatever else stands at the name is not trusted.
    match log.fs.open(&dir, &sha256, How::New, log.file_mode()) {
        Ok(file) => {
            if let Err(error) = fill(log, &file, bytes) {
                // Not removed: meanwhile another may have put a whole one there.
                let _ = log.fs.truncate(&file, 0);
                return Err(error);
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            replace(log, &dir, &sha256, bytes)?;
        }
        Err(error) => return Err(log.failed("make", BLOBS)(error)),
    }
    log.fs
        .sync_dir(&dir)
        .and_then(|()| named.bring(log, &blobs, &dir))
        .and_then(|()| named.bring(log, &log.dir, &blobs))
        .map_err(log.failed("sync", BLOBS))?;
    Ok(done)
}

/// Writes a file anew that may be the torn rest of an earlier try, or what an older record names: that one stays whole
/// until there is another. The same answer may be kept for two acts at once.
fn replace(log: &LogDir, dir: &File, sha256: &str, bytes: &[u8]) -> Result<(), JournalError> {
    let own = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = format!("{sha256}.{}.{own}.tmp", std::process::id());
    let file = log
        .fs
        .open(dir, &temporary, How::Create, log.file_mode())
        .map_err(log.failed("make", BLOBS))?;
    let emptied = log.fs.truncate(&file, 0);
    let emptied = emptied.map_err(log.failed("empty", BLOBS));
    let written = emptied.and_then(|()| fill(log, &file, bytes));
    let placed = written.and_then(|()| {
        log.fs
            .rename(dir, &temporary, dir, sha256)
            .map_err(log.failed("rename", BLOBS))
    });
    if placed.is_err() {
        // What cannot be removed is a `.tmp` file that nothing refers to.
        let _ = log.fs.remove(dir, &temporary);
    }
    placed
}

fn fill(log: &LogDir, file: &File, bytes: &[u8]) -> Result<(), JournalError> {
    let mut left = bytes;
    while !left.is_empty() {
        let n = write_once(&*log.fs, file, left).map_err(log.failed("write", BLOBS))?;
        if n == 0 {
            return Err(JournalError::ShortWrite {
                path: log.path.join(BLOBS),
                written: bytes.len() - left.len(),
                wanted: bytes.len(),
            });
        }
        left = &left[n..];
    }
    log.fs.sync(file).map_err(log.failed("sync", BLOBS))
}
