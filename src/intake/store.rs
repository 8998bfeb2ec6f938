//! The alert store: what has arrived, how far each source was read, and what could not be read.
//!
//! `alerts.db` (SQLite, WAL, `synchronous=FULL`) holds the normalised rows; the raw bytes lie in append-only spool
//! segments beside it. One batch is one transaction: the bytes are on disk before the commit that points at them, and
//! the cursor moves in the same commit. A crash therefore leaves either nothing of a batch (plus some unreferenced
//! bytes in the spool) or all of it.

mod changes;
mod cursor;
mod health;
mod listed;
mod lot;
mod open;
mod retain;
mod rows;
mod space;
mod spool;
mod watch;

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

pub use changes::{Changes, Mark};
pub use cursor::{Cursor, Dropped, FileCursor, FolderCursor, Next, PollCursor, StreamCursor};
pub use health::Health;
pub use listed::Listed;
pub use retain::{Deletion, MOST_REMEMBERED, REMEMBERED_S, Retained, Rule};
use spool::Spool;
pub use watch::Watch;

use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::domain::text::Untrusted;
use crate::intake::decode::MAX_LINE;

/// Schema this program reads and writes; stored as `user_version`.
///
/// Version 2 stores what came together in lots; a database of version 1 is used as it is.
const SCHEMA_VERSION: i32 = 2;

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory or a file in it cannot be used.
    #[error("use {}: {source}; check owner, mode and free space", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("use the alert database: {}{}", .0, way_out(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// The database was written by a newer program.
    #[error("read {}: its schema is version {found}, this program knows {SCHEMA_VERSION}; use the newer program", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// The database cannot be read where it lies, because nothing can be written there.
    #[error(
        "read {}: {what}, and the disk cannot be written; copy the state directory to one that can be, and name the copy with --state-dir",
        path.display()
    )]
    Fixed {
        /// The database.
        path: PathBuf,
        /// What would have to be written.
        what: &'static str,
    },
    /// A row or spool segment is not what this program wrote.
    #[error(
        "read the alert store: {what}; move alerts.db and spool aside to start afresh, no decision is lost by that"
    )]
    Damaged {
        /// What is wrong and where.
        what: String,
    },
}

/// Says what to do where the system, not the database, is the cause.
fn way_out(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(DiskFull | SystemIoFailure) => {
            "; make room on the disk of the state directory, and see that it can be written"
        }
        Some(CannotOpen | PermissionDenied | ReadOnly) => {
            "; see that the state directory can be written, or name another with --state-dir; `stanch log` reads without it"
        }
        _ => "",
    }
}

impl StoreError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Tells a file that no program of ours wrote from one that cannot be used now.
    fn unlike(path: &Path, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, Unknown};
        let why = match (&error, error.sqlite_error_code()) {
            // Without the statement, which is ours.
            (rusqlite::Error::SqlInputError { msg, .. }, _) => msg.clone(),
            (_, Some(DatabaseCorrupt | NotADatabase | Unknown)) => error.to_string(),
            _ => return Self::Sqlite(error),
        };
        let place = path.display();
        Self::Damaged {
            what: format!("{place} is not as this program makes it: {why}"),
        }
    }
}

/// The alerts of one piece of input.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The bytes as they arrived, without the line end; several may share one piece of memory.
    pub raw: Bytes,
    /// What they decode to; several for an array.
    pub alerts: Vec<Arc<Alert>>,
}

/// One piece of input that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The bytes as they arrived, or their beginning when they were too long to keep.
    pub raw: Vec<u8>,
    /// How many there were.
    pub length: u64,
    /// SHA-256 of all of them, hex.
    pub sha256: String,
    /// What is wrong, made visible.
    pub reason: String,
}

impl Refused {
    /// Tells whether all of it is kept.
    pub const fn is_whole(&self) -> bool {
        is_kept_whole(self.length)
    }
}

/// Tells whether all of a piece of so many bytes is kept. What is kept may be shorter all the same: secrets are taken out.
const fn is_kept_whole(length: u64) -> bool {
    length <= MAX_LINE as u64
}

/// What is stored together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Input with alerts.
    pub accepted: Vec<Accepted>,
    /// Input without.
    pub refused: Vec<Refused>,
    /// Where reading goes on once this batch is stored; `None` for sources that cannot be read again.
    pub cursor: Option<Cursor>,
    /// When the batch was read; the time of quarantined input.
    pub observed: Timestamp,
    /// By what the sender's sending it again is recognised; `None` for sources that are read, not sent to.
    pub delivery: Option<Delivery>,
    /// Whether an alert that is stored with the same bytes is left as it is, because the source is asked for what it
    /// gave before.
    pub is_asked_again: bool,
    /// Everything that the source lists now, where it gives all that is open and this ends a whole list.
    pub listed: Option<Listed>,
}

/// One sending of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// SHA-256 of the body, hex.
    pub sha256: String,
    /// For how many seconds the same body is the same sending.
    pub for_s: u32,
}

impl Batch {
    /// Tells whether there is nothing to store but possibly a cursor.
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty() && self.refused.is_empty() && self.listed.is_none()
    }
}

/// What storing a batch did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// How many alerts were not there before.
    pub new: usize,
    /// Every alert the batch touched as it is stored now, in order of first touch.
    pub touched: Vec<StoredAlert>,
    /// How many are not there, as they were deleted before and are no news.
    pub left_out: usize,
    /// Whether this very batch had been stored before, so that nothing was done.
    pub replayed: bool,
}

/// An alert with how often it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAlert {
    /// The newest version of it.
    pub alert: Arc<Alert>,
    /// How often it arrived.
    pub count: u64,
    /// When it arrived first.
    pub first_seen: Timestamp,
    /// When it arrived last.
    pub last_seen: Timestamp,
}

/// One quarantined piece of input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Source it came through.
    pub source: String,
    /// When it was read.
    pub at: Timestamp,
    /// What is wrong with it.
    pub reason: String,
    /// How many bytes it had.
    pub length: u64,
    /// SHA-256 of them, hex.
    pub sha256: String,
    /// The bytes, or their beginning, with everything invisible made visible on showing.
    pub beginning: Untrusted,
}

/// One quarantined piece as it is kept.
#[derive(Clone, Debug)]
pub struct Held {
    /// Source it came through.
    pub source: String,
    /// How many bytes it had.
    pub length: u64,
    /// Whether all of them are kept.
    pub is_whole: bool,
    seq: i64,
    place: spool::Place,
}

/// How much the store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Different alerts.
    pub alerts: u64,
    /// Arrivals of alerts, repeats included.
    pub arrivals: u64,
    /// Pieces of input in quarantine.
    pub quarantined: u64,
}

/// The store of one state directory. One process writes at a time; any number may read.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    spool: Spool,
    index: RefCell<lot::Index>,
    /// Makes the next `put` fail between spool and commit, as a crash would.
    #[cfg(test)]
    pub(super) crash_before_commit: bool,
}

/// A store that several threads use. Whoever stores without a pause does not keep it from whoever asks for one alert: who
/// waited for it gets it next, always (`parking_lot::FairMutex`).
pub type LockedStore = parking_lot::FairMutex<Store>;

impl Store {
    /// Makes a file without a name, on the disk of the store: it is gone once nobody has it open.
    pub fn scratch(&self) -> io::Result<std::fs::File> {
        self.spool.scratch()
    }

    /// Opens the store in `dir`, making what is missing: directories 0700 and files 0600, or 2770 and 0660 when `dir`
    /// is already a set-group-id directory shared by several users.
    ///
    /// On a disk that is mounted read-only, a copy that is kept as evidence, what is there is opened to be read.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let (db, spool) = open::open(dir)?;
        Ok(Self {
            db,
            spool,
            index: RefCell::default(),
            #[cfg(test)]
            crash_before_commit: false,
        })
    }

    /// Stores a batch as [`Self::take`] does.
    pub fn put(&mut self, source: &str, batch: &Batch) -> Result<Stored, StoreError> {
        self.take(source, batch.clone())
    }

    /// Stores a batch of `source` durably, alerts and cursor together. An id that is there already has its count and
    /// *last seen* raised and its newest version kept. A batch whose cursor is already the stored one was stored
    /// before, by a run that died before hearing so, and changes nothing.
    pub fn take(&mut self, source: &str, mut batch: Batch) -> Result<Stored, StoreError> {
        // Held until the end: another process appends to the same segment only after this commit.
        let _lock = self.spool.lock()?;
        let was_sent = match &batch.delivery {
            Some(delivery) => health::was_delivered(&self.db, source, delivery, batch.observed)?,
            None => false,
        };
        if was_sent || (batch.cursor.is_some() && self.cursor(source)? == batch.cursor) {
            return Ok(Stored {
                replayed: true,
                ..Stored::default()
            });
        }
        let pieces = batch
            .accepted
            .iter()
            .map(|a| &*a.raw)
            .chain(batch.refused.iter().map(|r| r.raw.as_slice()));
        let places = self.spool.append(pieces)?;
        #[cfg(test)]
        if self.crash_before_commit {
            return Err(StoreError::Damaged {
                what: "crash before commit".to_owned(),
            });
        }
        // Forgotten unless all is well: it would name alerts that were not stored.
        let mut index = self.index.take();
        let tx = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        health::put_arrival(&tx, source, &batch)?;
        let (of_alerts, of_refused) = places.split_at(batch.accepted.len());
        rows::put_refused(&tx, source, &batch, of_refused)?;
        rows::put_source(&tx, source, batch.cursor.as_ref())?;
        if let Some(delivery) = &batch.delivery {
            health::put_delivery(&tx, source, delivery, batch.observed)?;
        }
        let accepted = std::mem::take(&mut batch.accepted);
        let again = batch.is_asked_again;
        let mut stored = rows::put_alerts(&tx, &mut index, accepted, of_alerts, again)?;
        if let Some(listed) = &batch.listed {
            for id in listed::replace(&tx, source, listed)? {
                let resolved = (listed.at, listed::REASON);
                let row = rows::resolve(&tx, &index, &id, resolved)?;
                stored.touched.extend(row);
            }
        }
        tx.commit()?;
        self.index = RefCell::new(index);
        Ok(stored)
    }

    /// Looks something up in one state of the store, with an index of what is in it.
    fn look<T>(
        &self,
        work: impl FnOnce(&Connection, &lot::Index) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Never written to, so it is rolled back.
        let tx = self.db.unchecked_transaction()?;
        let mut index = self.index.borrow_mut();
        index.refresh(&tx)?;
        work(&tx, &index)
    }

    /// Reads in one state of the store.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&*self.db.unchecked_transaction()?)
    }

    /// Returns where reading of `source` goes on.
    pub fn cursor(&self, source: &str) -> Result<Option<Cursor>, StoreError> {
        rows::cursor(&self.db, source)
    }

    /// Returns up to `limit` alerts, the latest new arrival first.
    pub fn alerts(&self, limit: usize) -> Result<Vec<StoredAlert>, StoreError> {
        self.read(|db| rows::alerts(db, limit))
    }

    /// Returns up to `limit` alerts that arrived before a place, the latest first, and the place to go on from, if there
    /// are more.
    pub fn page(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<StoredAlert>, Option<i64>), StoreError> {
        self.read(|db| rows::page(db, before, limit))
    }

    /// Returns one alert.
    pub fn alert(&self, id: &AlertId) -> Result<Option<StoredAlert>, StoreError> {
        self.look(|db, index| rows::alert(db, index, id))
    }

    /// Returns the alert with this key; else up to `limit` of those whose key ends so, or whose source calls them so.
    pub fn named(&self, wanted: &str, limit: usize) -> Result<Vec<StoredAlert>, StoreError> {
        match self.alert(&AlertId::new(wanted))? {
            Some(exact) => Ok(vec![exact]),
            None => self.read(|db| rows::named(db, wanted, limit)),
        }
    }

    /// Returns the raw bytes of an alert's newest version.
    pub fn raw(&self, id: &AlertId) -> Result<Option<Vec<u8>>, StoreError> {
        let find = || self.look(|db, index| rows::place(db, index, id));
        let mut place = find()?;
        while let Some(at) = place {
            match self.spool.read(at) {
                Ok(raw) => return Ok(Some(raw)),
                // Its segment may have been emptied since it was looked up.
                Err(error) => {
                    place = find()?;
                    if place == Some(at) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Returns up to `limit` quarantined pieces, the latest first.
    pub fn quarantine(&self, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        rows::quarantine(&self.db, &self.spool, limit)
    }

    /// Lists everything in quarantine, the oldest first, without its bytes.
    pub fn held(&self) -> Result<Vec<Held>, StoreError> {
        rows::held(&self.db)
    }

    /// Returns the bytes of a quarantined piece.
    pub fn held_raw(&self, held: &Held) -> Result<Vec<u8>, StoreError> {
        self.spool.read(held.place)
    }

    /// Takes a piece out of the quarantine and stores the alerts that it turned out to hold, both or neither.
    pub fn release(
        &mut self,
        held: &Held,
        accepted: &Accepted,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _lock = self.spool.lock()?;
        let places = self.spool.append(std::iter::once(&*accepted.raw))?;
        let mut index = self.index.take();
        let tx = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let accepted = vec![accepted.clone()];
        rows::put_alerts(&tx, &mut index, accepted, &places, false)?;
        rows::release(&tx, held)?;
        tx.commit()?;
        self.index = RefCell::new(index);
        tracing::info!(source = %crate::domain::text::show(&held.source), at = %now, "a quarantined piece was read");
        Ok(())
    }

    /// Returns how many pieces of input of `source` are in quarantine.
    pub fn quarantined_of(&self, source: &str) -> Result<u64, StoreError> {
        rows::quarantined_of(&self.db, source)
    }

    /// Returns what is wrong with the latest piece of `source` in quarantine, made visible.
    pub fn last_reason(&self, source: &str) -> Result<Option<String>, StoreError> {
        rows::last_reason(&self.db, source)
    }

    /// Returns the names of all sources that anything came through.
    pub fn sources(&self) -> Result<Vec<String>, StoreError> {
        rows::sources(&self.db)
    }

    /// Returns how the sources are, by name.
    pub fn health(&self) -> Result<Vec<Health>, StoreError> {
        health::all(&self.db)
    }

    /// Keeps that a source could be asked, or could not and why.
    pub fn note_contact(
        &self,
        source: &str,
        at: Timestamp,
        result: Result<(), &str>,
    ) -> Result<(), StoreError> {
        health::put_contact(&self.db, source, at, result)
    }

    /// Keeps the state of a source, in words made visible.
    pub fn note_state(
        &self,
        source: &str,
        is_healthy: bool,
        state: &str,
    ) -> Result<(), StoreError> {
        health::put_state(&self.db, source, is_healthy, state)
    }

    /// Waits until what another process is storing is stored. A notice of a change comes when its bytes are written,
    /// which is before they are on the disk and count.
    pub fn settle(&self) -> Result<(), StoreError> {
        // Whoever writes holds this lock until its commit can be seen.
        self.db.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
        Ok(())
    }

    /// Returns the place after everything that is stored now.
    pub fn mark(&self) -> Result<Mark, StoreError> {
        self.read(changes::mark)
    }

    /// Returns up to `limit` alerts that came or came again after a place.
    pub fn changes(&self, after: Mark, limit: usize) -> Result<Changes, StoreError> {
        self.read(|db| changes::after(db, after, limit))
    }

    /// Returns up to `limit` alerts that were deleted after a place, and the place to go on from.
    pub fn removed(&self, after: Mark, limit: usize) -> Result<(Vec<AlertId>, Mark), StoreError> {
        changes::removed(&self.db, after, limit)
    }

    /// Counts what is there.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.read(rows::counts)
    }
}

#[cfg(test)]
mod tests;
