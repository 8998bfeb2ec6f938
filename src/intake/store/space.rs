//! Giving the disk back what deleted alerts took.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{TransactionBehavior, params};

use super::spool::Place;
use super::{Store, StoreError, lot};

/// Free pages that the database keeps for what comes next: 4 MiB.
const PAGES_KEPT: i64 = 256;

/// Pages given back in one transaction.
const PAGES_AT_ONCE: i64 = 128;

/// Most pieces for which a segment is emptied into the newest one as long as there is room.
const FEW: i64 = 4_096;

/// Bytes that an alert of a lot takes more once it has a row of its own, which it gets when its segment is emptied.
const THAWED_BYTES: u64 = 1_024;

/// How much of a segment nothing points at any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dead {
    /// More than three quarters, and few pieces are left: it is emptied whenever somebody looks.
    Most,
    /// More than a quarter: it is emptied before any alert is deleted to make room.
    Some,
}

impl Store {
    /// Empties segments in which little is left, removes those into which nothing points, and makes the database shorter.
    pub(super) fn give_back(
        &mut self,
        dead: Dead,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), StoreError> {
        for (segment, bytes) in self.older_segments()? {
            if goes_on() && self.is_worth_emptying(segment, bytes, dead)? {
                self.empty(segment)?;
            }
        }
        for (segment, _) in self.older_segments()? {
            // A place in a segment is only ever given out under this lock, and only in the newest one.
            let _lock = self.spool.lock()?;
            if self.pieces(segment)? == 0 {
                self.spool.remove(segment)?;
            }
        }
        self.shorten(goes_on)
    }

    /// Lists the segments but the newest, which is being written to.
    fn older_segments(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let mut segments = self.spool.segments()?;
        segments.pop();
        Ok(segments)
    }

    /// Counts what points into a segment.
    pub(super) fn pieces(&self, segment: u32) -> Result<i64, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM alert WHERE segment = ?1)
                        + (SELECT count(*) FROM quarantine WHERE segment = ?1)";
        let rows: i64 = self
            .db
            .prepare_cached(sql)?
            .query_row([segment], |row| row.get(0))?;
        Ok(rows + lot::in_segment(&self.db, segment)?.0)
    }

    /// Tells whether so little of a segment is in use that it is worth writing that again.
    fn is_worth_emptying(&self, segment: u32, bytes: u64, dead: Dead) -> Result<bool, StoreError> {
        let most = match dead {
            Dead::Most => FEW,
            Dead::Some => i64::MAX,
        };
        if !(1..=most).contains(&self.pieces(segment)?) {
            return Ok(false);
        }
        let rows: u64 = self.places(segment)?.iter().map(|p| p.length).sum();
        let (alerts, in_lots) = lot::in_segment(&self.db, segment)?;
        let used = rows + in_lots;
        Ok(match dead {
            Dead::Most => used < bytes / 4,
            Dead::Some => used + alerts.unsigned_abs() * THAWED_BYTES < bytes / 4 * 3,
        })
    }

    /// Returns the places in a segment into which anything but lots points.
    pub(super) fn places(&self, segment: u32) -> Result<Vec<Place>, StoreError> {
        let mut found = BTreeSet::new();
        for table in ["alert", "quarantine"] {
            let sql = format!("SELECT offset, length FROM {table} WHERE segment = ?1");
            let mut statement = self.db.prepare_cached(&sql)?;
            let rows = statement.query_map([segment], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?;
            for row in rows {
                found.insert(row?);
            }
        }
        let place = |(offset, length): (i64, i64)| Place {
            segment,
            offset: offset.cast_unsigned(),
            length: length.cast_unsigned(),
        };
        Ok(found.into_iter().map(place).collect())
    }

    /// Writes what is in use of a segment into the newest one. The bytes are on the disk before anything points at them;
    /// a kill in between leaves some twice.
    fn empty(&mut self, segment: u32) -> Result<(), StoreError> {
        let _lock = self.spool.lock()?;
        while self.thaw(|db| lot::thaw_in(db, segment))? {}
        let mut bytes = BTreeMap::new();
        for place in self.places(segment)? {
            bytes.insert((place.offset, place.length), self.spool.read(place)?);
        }
        let now = self.spool.append(bytes.values().map(Vec::as_slice))?;
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for ((offset, length), to) in bytes.keys().zip(now) {
            for table in ["alert", "quarantine"] {
                let sql = format!(
                    "UPDATE {table} SET segment = ?1, offset = ?2
                     WHERE segment = ?3 AND offset = ?4 AND length = ?5"
                );
                tx.prepare_cached(&sql)?.execute(params![
                    to.segment,
                    to.offset.cast_signed(),
                    segment,
                    offset.cast_signed(),
                    length.cast_signed()
                ])?;
            }
        }
        Ok(tx.commit()?)
    }

    /// Makes the database file shorter by its free pages, a few at a time.
    fn shorten(&self, goes_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        let free = || -> Result<i64, StoreError> {
            Ok(self
                .db
                .pragma_query_value(None, "freelist_count", |row| row.get(0))?)
        };
        let mut before = i64::MAX;
        loop {
            let left = free()?;
            // A database made by an earlier version cannot be made shorter; its free pages are used again.
            if !goes_on() || left <= PAGES_KEPT || left >= before {
                break;
            }
            before = left;
            let count = PAGES_AT_ONCE.min(left - PAGES_KEPT);
            let mut statement = self
                .db
                .prepare(&format!("PRAGMA incremental_vacuum({count})"))?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
        // What readers still need stays in the WAL until the next time.
        let mut statement = self.db.prepare("PRAGMA wal_checkpoint(PASSIVE)")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }
}
