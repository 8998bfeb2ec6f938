//! Giving the disk back what deleted alerts took.

use std::collections::BTreeSet;
use std::time::Instant;

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

/// Rows whose bytes are written again together, and bytes of them: that many at least.
const ROWS_TOGETHER: usize = 512;
const BYTES_TOGETHER: u64 = 4 << 20;

/// A row that points into a segment.
#[derive(Clone, Copy, Debug)]
struct User {
    table: &'static str,
    seq: i64,
    place: Place,
}

/// Returns how many of the first rows are moved together. Those that point at the same bytes are not parted.
fn together(users: &[User]) -> usize {
    let (mut count, mut bytes) = (0, 0);
    for alike in users.chunk_by(|a, b| a.place == b.place) {
        if count >= ROWS_TOGETHER || bytes >= BYTES_TOGETHER {
            break;
        }
        count += alike.len();
        bytes += alike[0].place.length;
    }
    count
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
                self.empty(segment, goes_on)?;
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

    /// Writes what is in use of a segment into the newest one, a few rows at a time: whoever stores alerts waits for none of
    /// them long. The bytes are on the disk before anything points at them; a kill in between leaves some twice.
    pub(super) fn empty(
        &mut self,
        segment: u32,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), StoreError> {
        while goes_on() && self.thaw(|db| lot::thaw_in(db, segment))? {}
        let users = self.users(segment)?;
        let mut rest = users.as_slice();
        while goes_on() && !rest.is_empty() {
            let began = Instant::now();
            let (some, others) = rest.split_at(together(rest));
            self.move_bytes(some)?;
            rest = others;
            std::thread::sleep(began.elapsed());
        }
        Ok(())
    }

    /// Lists the rows that point into a segment, by where they point.
    fn users(&self, segment: u32) -> Result<Vec<User>, StoreError> {
        let mut users = Vec::new();
        for table in ["alert", "quarantine"] {
            let sql = format!("SELECT seq, offset, length FROM {table} WHERE segment = ?1");
            let mut statement = self.db.prepare_cached(&sql)?;
            let mut rows = statement.query([segment])?;
            while let Some(row) = rows.next()? {
                let place = Place {
                    segment,
                    offset: row.get::<_, i64>(1)?.cast_unsigned(),
                    length: row.get::<_, i64>(2)?.cast_unsigned(),
                };
                let seq = row.get(0)?;
                users.push(User { table, seq, place });
            }
        }
        users.sort_unstable_by_key(|user| (user.place.offset, user.place.length));
        Ok(users)
    }

    /// Writes the bytes of rows again, and makes those rows point there that still point at the old ones.
    fn move_bytes(&mut self, users: &[User]) -> Result<(), StoreError> {
        let _lock = self.spool.lock()?;
        let mut bytes = Vec::new();
        let shared: Vec<&[User]> = users.chunk_by(|a, b| a.place == b.place).collect();
        for users in &shared {
            bytes.push(self.spool.read(users[0].place)?);
        }
        let places = self.spool.append(bytes.iter().map(Vec::as_slice))?;
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (users, to) in shared.into_iter().zip(places) {
            for User { table, seq, place } in users {
                let sql = format!(
                    "UPDATE {table} SET segment = ?1, offset = ?2
                     WHERE seq = ?3 AND segment = ?4 AND offset = ?5 AND length = ?6"
                );
                tx.prepare_cached(&sql)?.execute(params![
                    to.segment,
                    to.offset.cast_signed(),
                    seq,
                    place.segment,
                    place.offset.cast_signed(),
                    place.length.cast_signed()
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
