//! One writer at a time: `flock` on a file beside the log, so that the system gives it back when a console dies.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use super::error::JournalError;
use super::fs::read_from;
use super::layout::{LOCK_FILE, LogDir};

/// How long another console may hold the lock, and how often it is asked for.
const LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// The lock on a log, given back when dropped.
pub struct Lock {
    file: File,
}

impl Lock {
    /// Waits for at most two seconds.
    pub fn take(log: &LogDir, lock: &File) -> Result<Self, JournalError> {
        let mut waited = Duration::ZERO;
        while !log
            .fs
            .try_lock(lock)
            .map_err(log.failed("lock", LOCK_FILE))?
        {
            if waited >= LOCK_WAIT {
                let note = read_from(&*log.fs, lock, 0, 200).unwrap_or_default();
                let holder =
                    crate::domain::text::show(String::from_utf8_lossy(&note).trim()).into_owned();
                return Err(JournalError::Locked {
                    path: log.path.clone(),
                    holder,
                });
            }
            std::thread::sleep(LOCK_PAUSE);
            waited += LOCK_PAUSE;
        }
        // Who holds it is for people only; that it cannot be written changes nothing.
        let note = format!("process {:<10}\n", std::process::id());
        // What stands there already is not written again: it would be one more thing to bring to the disk.
        let mut there = [0; 40];
        let there = lock.read_at(&mut there, 0).map(|n| &there[..n]);
        if !there.is_ok_and(|there| there.starts_with(note.as_bytes())) {
            let _ = lock.write_at(note.as_bytes(), 0);
        }
        let file = lock.try_clone().map_err(log.failed("lock", LOCK_FILE))?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the descriptor at the latest gives it back.
        let _ = self.file.unlock();
    }
}
