//! Evidence beside the log, named by its own hash, so that it can be deleted without breaking the chain.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::JournalError;
use super::fs::{How, write_once};
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
pub struct Shelf(LogDir);

impl Shelf {
    /// The place beside a log.
    pub const fn new(log: LogDir) -> Self {
        Self(log)
    }

    /// Stores evidence durably; tokens and keys in it are masked before it is hashed. A record may name it only after this
    /// returned.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobRef, JournalError> {
        put(&self.0, &redact::evidence(bytes))
    }
}

/// Tells files apart that this process writes at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

fn put(log: &LogDir, bytes: &[u8]) -> Result<BlobRef, JournalError> {
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
    // Written again even when a file of that name stands there: it may be the torn rest of an earlier try.
    // The same answer may be kept for two acts at once.
    let own = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = format!("{sha256}.{}.{own}.tmp", std::process::id());
    let file = log
        .fs
        .open(&dir, &temporary, How::Create, log.file_mode())
        .map_err(log.failed("make", BLOBS))?;
    let written = fill(log, &file, bytes);
    let placed = written.and_then(|()| {
        log.fs
            .rename(&dir, &temporary, &dir, &sha256)
            .map_err(log.failed("rename", BLOBS))
    });
    if let Err(error) = placed {
        // What cannot be removed is a `.tmp` file that nothing refers to.
        let _ = log.fs.remove(&dir, &temporary);
        return Err(error);
    }
    for dir in [&dir, &blobs, &*log.dir] {
        log.fs.sync_dir(dir).map_err(log.failed("sync", BLOBS))?;
    }
    Ok(done)
}

fn fill(log: &LogDir, file: &std::fs::File, bytes: &[u8]) -> Result<(), JournalError> {
    log.fs
        .truncate(file, 0)
        .map_err(log.failed("empty", BLOBS))?;
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
