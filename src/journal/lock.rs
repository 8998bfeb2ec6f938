//! One writer at a time: `flock` on a file beside the log, so that the system gives it back when a console dies.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use super::error::JournalError;
use super::fs::{How, read_from};
use super::layout::{LOCK_FILE, LogDir};

/// How long another console may hold the lock, and how often it is asked for.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The file that is locked, open, and what this process writes into it.
#[derive(Clone)]
pub struct LockFile {
    file: Arc<File>,
    /// Who holds it, for people.
    note: Arc<str>,
}

impl LockFile {
    /// Opens it, making it when missing.
    pub fn open(log: &LogDir) -> Result<Self, JournalError> {
        Ok(Self {
            file: Arc::new(log.open(LOCK_FILE, How::Create)?),
            note: format!("process {:<10}\n", std::process::id()).into(),
        })
    }
}

/// The lock on a log, given back when dropped.
pub struct Lock {
    file: Arc<File>,
}

impl Lock {
    /// Takes the lock if it is free.
    pub fn try_take(log: &LogDir, lock: &LockFile) -> Result<Option<Self>, JournalError> {
        let taken = log.fs.try_lock(&lock.file);
        let taken = taken.map_err(|error| log.failed("lock", LOCK_FILE)(error))?;
        Ok(taken.then(|| Self {
            file: Arc::clone(&lock.file),
        }))
    }

    /// Waits for at most two seconds.
    pub fn take(log: &LogDir, lock: &LockFile) -> Result<Self, JournalError> {
        let file = &*lock.file;
        let mut waited = Duration::ZERO;
        let taken = loop {
            if let Some(taken) = Self::try_take(log, lock)? {
                break taken;
            }
            if waited >= LOCK_WAIT {
                let note = read_from(&*log.fs, file, 0, 200).unwrap_or_default();
                let holder =
                    crate::domain::text::show(String::from_utf8_lossy(&note).trim()).into_owned();
                return Err(JournalError::Locked {
                    path: log.path.clone(),
                    holder,
                });
            }
            std::thread::sleep(LOCK_PAUSE);
            waited += LOCK_PAUSE;
        };
        // Who holds it is for people only; that it cannot be written changes nothing.
        let note = lock.note.as_bytes();
        // What stands there already is not written again: it would be one more thing to bring to the disk.
        let mut there = [0; 40];
        let there = file.read_at(&mut there, 0).map(|n| &there[..n]);
        if !there.is_ok_and(|there| there.starts_with(note)) {
            let _ = file.write_at(note, 0);
        }
        Ok(taken)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the descriptor at the latest gives it back.
        let _ = self.file.unlock();
    }
}
