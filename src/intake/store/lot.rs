//! Alerts that came together, stored together.
//!
//! A row of its own costs an alert more than everything else that is done with it, most of all its places in the indices,
//! which lie all over the disk. What is new in a batch is therefore written as a few lots. An alert that changes gets a row
//! of its own, which counts instead of what the lot says; one that may be deleted too (see [`thaw`]).

mod index;
mod pack;

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

pub(super) use index::Index;
use pack::{Reader, pack};

use super::rows::{COLUMNS, id_hash, insert, micros, stored_alert, to_i64};
use super::spool::Place;
use super::{StoreError, StoredAlert};
use crate::domain::ids::AlertId;

/// Most alerts of a lot: few enough that one of them is read quickly.
const MOST: usize = 256;

/// Fewer new alerts than this are stored as rows. In tests any two are a lot.
const FEWEST: usize = if cfg!(test) { 2 } else { 16 };

/// Tables. What is counted and looked for lies apart from what is read seldom.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS lot (
    first INTEGER PRIMARY KEY,
    n INTEGER NOT NULL,
    own_rows INTEGER NOT NULL DEFAULT 0,
    arrivals INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS lot_oldest ON lot (oldest);
CREATE INDEX IF NOT EXISTS lot_segment ON lot (segment);
CREATE TABLE IF NOT EXISTS lot_content (
    first INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL,
    alerts BLOB NOT NULL
) STRICT;
";

/// An alert that is new, and where its bytes lie.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub hash: i64,
    pub stored: StoredAlert,
    pub place: Place,
}

/// One lot with what it says.
#[derive(Debug)]
pub(super) struct Lot {
    first: i64,
    segment: u32,
    /// How many alerts have a row of their own.
    own_rows: i64,
    alerts: Vec<u8>,
}

/// Returns the number that the next new alert gets.
pub(super) fn next_number(db: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT max(coalesce((SELECT max(seq) FROM alert), 0),
                          coalesce((SELECT first + n - 1 FROM lot ORDER BY first DESC LIMIT 1), 0)) + 1";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Stores new alerts, numbered from `first` on.
pub(super) fn put(db: &Connection, first: i64, new: &[New]) -> Result<(), StoreError> {
    if new.len() < FEWEST {
        for (seq, new) in (first..).zip(new) {
            insert(db, seq, &new.stored, new.hash, new.place)?;
        }
        return Ok(());
    }
    let mut first = first;
    for same in new.chunk_by(|a, b| a.place.segment == b.place.segment) {
        for lot in same.chunks(MOST) {
            put_lot(db, first, lot)?;
            first += to_i64(lot.len());
        }
    }
    Ok(())
}

fn put_lot(db: &Connection, first: i64, lot: &[New]) -> Result<(), StoreError> {
    let entries = lot
        .iter()
        .map(|new| (&new.stored, new.place.offset, new.place.length));
    let alerts = pack(entries);
    let hashes: Vec<u8> = lot.iter().flat_map(|new| new.hash.to_le_bytes()).collect();
    let seen = || lot.iter().map(|new| micros(new.stored.last_seen));
    let sql = "INSERT INTO lot (first, n, arrivals, segment, bytes, oldest, newest)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.prepare_cached(sql)?.execute(params![
        first,
        to_i64(lot.len()),
        lot.iter()
            .map(|new| new.stored.count)
            .sum::<u64>()
            .cast_signed(),
        lot.first().map_or(0, |new| new.place.segment),
        lot.iter()
            .map(|new| new.place.length)
            .sum::<u64>()
            .cast_signed(),
        seen().min(),
        seen().max(),
    ])?;
    let sql = "INSERT INTO lot_content (first, hashes, alerts) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?
        .execute(params![first, hashes, alerts])?;
    Ok(())
}

impl Lot {
    /// Finds the lot in which an alert was stored.
    pub fn with(db: &Connection, seq: i64) -> Result<Option<Self>, StoreError> {
        Self::find(db, "WHERE first <= ?1 ORDER BY first DESC LIMIT 1", seq)
            .map(|found| found.filter(|lot| lot.first + lot.n > seq))?
            .map(|lot| lot.read(db))
            .transpose()
    }

    fn find(db: &Connection, which: &str, seq: i64) -> Result<Option<Head>, StoreError> {
        let sql = format!("SELECT first, n, own_rows, segment FROM lot {which}");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([seq], Head::of)
            .optional()?)
    }

    /// Tells whether an alert was stored in it.
    pub fn holds(&self, seq: i64) -> bool {
        self.reader()
            .is_ok_and(|reader| (self.first..self.first + to_i64(reader.len())).contains(&seq))
    }

    fn reader(&self) -> Result<Reader<'_>, StoreError> {
        Reader::new(&self.alerts).ok_or_else(|| self.damaged())
    }

    fn damaged(&self) -> StoreError {
        StoreError::Damaged {
            what: format!("the lot of alert {} in alerts.db is unreadable", self.first),
        }
    }

    fn place(&self, offset: u64, length: u64) -> Place {
        Place {
            segment: self.segment,
            offset,
            length,
        }
    }

    /// Returns an alert as it was stored in the lot, and where its bytes lie.
    pub fn alert(&self, seq: i64) -> Result<(StoredAlert, Place), StoreError> {
        let at = usize::try_from(seq - self.first).map_err(|_| self.damaged())?;
        let entry = self.reader()?.entry(at).ok_or_else(|| self.damaged())?;
        Ok((entry.stored, self.place(entry.offset, entry.length)))
    }

    /// Returns the id of an alert.
    pub fn id(&self, seq: i64) -> Result<AlertId, StoreError> {
        let at = usize::try_from(seq - self.first).map_err(|_| self.damaged())?;
        let ids = self.reader()?.ids(at).ok_or_else(|| self.damaged())?;
        Ok(ids.0)
    }

    /// Returns the rows that count instead of what the lot says.
    fn own_rows(&self, db: &Connection) -> Result<HashMap<i64, StoredAlert>, StoreError> {
        if self.own_rows == 0 {
            return Ok(HashMap::new());
        }
        let last = self.first + to_i64(self.reader()?.len()) - 1;
        let sql = format!("SELECT {COLUMNS}, seq FROM alert WHERE seq BETWEEN ?1 AND ?2");
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([self.first, last], |row| {
            Ok((row.get(4)?, stored_alert(row)))
        })?;
        rows.map(|row| {
            let (seq, stored) = row?;
            Ok((seq, stored?))
        })
        .collect()
    }
}

/// A lot without what it says.
#[derive(Clone, Copy, Debug)]
struct Head {
    first: i64,
    n: i64,
    own_rows: i64,
    segment: u32,
}

impl Head {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            first: row.get(0)?,
            n: row.get(1)?,
            own_rows: row.get(2)?,
            segment: row.get(3)?,
        })
    }

    fn read(self, db: &Connection) -> Result<Lot, StoreError> {
        let sql = "SELECT alerts FROM lot_content WHERE first = ?1";
        let alerts: Option<Vec<u8>> = db
            .prepare_cached(sql)?
            .query_row([self.first], |row| row.get(0))
            .optional()?;
        let lot = Lot {
            first: self.first,
            segment: self.segment,
            own_rows: self.own_rows,
            alerts: alerts.unwrap_or_default(),
        };
        match i64::try_from(lot.reader()?.len()) {
            Ok(n) if n == self.n => Ok(lot),
            _ => Err(lot.damaged()),
        }
    }
}

/// Gives an alert of a lot the row of its own that counts from now on.
pub(super) fn give_row(
    db: &Connection,
    lot: &mut Lot,
    seq: i64,
    now: (&StoredAlert, Place),
) -> Result<(), StoreError> {
    let (before, place) = lot.alert(seq)?;
    insert(db, seq, now.0, id_hash(&before.alert.id), now.1)?;
    lot.own_rows += 1;
    if usize::try_from(lot.own_rows).is_ok_and(|own| own == lot.reader().map_or(0, |r| r.len())) {
        return remove(db, lot.first);
    }
    let sql = "UPDATE lot SET own_rows = own_rows + 1, arrivals = arrivals - ?2, bytes = bytes - ?3
               WHERE first = ?1";
    db.prepare_cached(sql)?.execute(params![
        lot.first,
        before.count.cast_signed(),
        place.length.cast_signed()
    ])?;
    Ok(())
}

fn remove(db: &Connection, first: i64) -> Result<(), StoreError> {
    for table in ["lot", "lot_content"] {
        let sql = format!("DELETE FROM {table} WHERE first = ?1");
        db.prepare_cached(&sql)?.execute([first])?;
    }
    Ok(())
}

/// Gives every alert of a lot a row of its own, so that each can be deleted by itself.
fn thaw(db: &Connection, head: Head) -> Result<(), StoreError> {
    let lot = head.read(db)?;
    let (reader, own) = (lot.reader()?, lot.own_rows(db)?);
    for at in 0..reader.len() {
        let seq = lot.first + to_i64(at);
        if !own.contains_key(&seq) {
            let entry = reader.entry(at).ok_or_else(|| lot.damaged())?;
            let place = lot.place(entry.offset, entry.length);
            let hash = id_hash(&entry.stored.alert.id);
            insert(db, seq, &entry.stored, hash, place)?;
        }
    }
    remove(db, lot.first)
}

/// Thaws the lot with the longest ago arrival, if there is one with any before a time. Tells whether there was.
pub(super) fn thaw_before(db: &Connection, before: i64) -> Result<bool, StoreError> {
    let which = "WHERE oldest < ?1 ORDER BY oldest LIMIT 1";
    thaw_found(db, Lot::find(db, which, before)?)
}

/// Thaws a lot with an arrival after a time, if there is one. Tells whether there was.
pub(super) fn thaw_after(db: &Connection, after: i64) -> Result<bool, StoreError> {
    thaw_found(db, Lot::find(db, "WHERE newest > ?1 LIMIT 1", after)?)
}

/// Thaws a lot whose bytes lie in a segment, if there is one. Tells whether there was.
pub(super) fn thaw_in(db: &Connection, segment: u32) -> Result<bool, StoreError> {
    let which = "WHERE segment = ?1 LIMIT 1";
    thaw_found(db, Lot::find(db, which, i64::from(segment))?)
}

fn thaw_found(db: &Connection, found: Option<Head>) -> Result<bool, StoreError> {
    found.map(|head| thaw(db, head)).transpose()?;
    Ok(found.is_some())
}

/// Returns up to `limit` alerts with numbers below `before`, the highest first, each with its number.
pub(super) fn before(
    db: &Connection,
    before: i64,
    limit: usize,
) -> Result<Vec<(i64, StoredAlert)>, StoreError> {
    let (mut before, mut found) = (before, Vec::new());
    loop {
        let which = "WHERE first < ?1 ORDER BY first DESC LIMIT 1";
        let head = Lot::find(db, which, before)?;
        let floor = head.map_or(i64::MIN, |lot| lot.first + lot.n);
        let sql = format!(
            "SELECT {COLUMNS}, seq FROM alert WHERE seq < ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3"
        );
        rows(db, &sql, (before, floor), limit - found.len(), &mut found)?;
        let Some(head) = head.filter(|_| found.len() < limit) else {
            return Ok(found);
        };
        let lot = head.read(db)?;
        let (reader, mut own) = (lot.reader()?, lot.own_rows(db)?);
        for at in (0..reader.len()).rev() {
            let seq = lot.first + to_i64(at);
            if seq >= before || found.len() == limit {
                continue;
            }
            let stored = match own.remove(&seq) {
                Some(stored) => stored,
                None => reader.entry(at).ok_or_else(|| lot.damaged())?.stored,
            };
            found.push((seq, stored));
        }
        before = lot.first;
    }
}

/// Returns up to `limit` alerts with numbers above `after`, the lowest first, each with its number.
pub(super) fn after(
    db: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, StoredAlert)>, StoreError> {
    let (mut after, mut found) = (after, Vec::new());
    loop {
        // The lot that holds the next number, else the first one after it.
        let holds = Lot::find(
            db,
            "WHERE first <= ?1 + 1 ORDER BY first DESC LIMIT 1",
            after,
        )?;
        let head = match holds.filter(|lot| lot.first + lot.n > after + 1) {
            Some(head) => Some(head),
            None => Lot::find(db, "WHERE first > ?1 ORDER BY first LIMIT 1", after)?,
        };
        let end = head.map_or(i64::MAX, |lot| lot.first);
        let sql = format!(
            "SELECT {COLUMNS}, seq FROM alert WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3"
        );
        rows(db, &sql, (after, end), limit - found.len(), &mut found)?;
        let Some(head) = head.filter(|_| found.len() < limit) else {
            return Ok(found);
        };
        let lot = head.read(db)?;
        let (reader, mut own) = (lot.reader()?, lot.own_rows(db)?);
        for at in 0..reader.len() {
            let seq = lot.first + to_i64(at);
            if seq <= after || found.len() == limit {
                continue;
            }
            let stored = match own.remove(&seq) {
                Some(stored) => stored,
                None => reader.entry(at).ok_or_else(|| lot.damaged())?.stored,
            };
            found.push((seq, stored));
        }
        after = lot.first + head.n - 1;
    }
}

fn rows(
    db: &Connection,
    sql: &str,
    between: (i64, i64),
    limit: usize,
    found: &mut Vec<(i64, StoredAlert)>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![between.0, between.1, to_i64(limit)], |row| {
        Ok((row.get(4)?, stored_alert(row)))
    })?;
    for row in rows {
        let (seq, stored) = row?;
        found.push((seq, stored?));
    }
    Ok(())
}

/// Returns the alerts in lots whose key ends so, or whose source calls them so. Looks at all.
pub(super) fn named(db: &Connection, wanted: &str) -> Result<Vec<StoredAlert>, StoreError> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let mut statement = db.prepare_cached("SELECT first, n, own_rows, segment FROM lot")?;
    let heads: Vec<Head> = statement
        .query_map([], Head::of)?
        .collect::<Result<_, _>>()?;
    for head in heads {
        let lot = head.read(db)?;
        let reader = lot.reader()?;
        for at in 0..reader.len() {
            let (id, native) = reader.ids(at).ok_or_else(|| lot.damaged())?;
            if !id.as_str().ends_with(wanted) && native != Some(wanted) {
                continue;
            }
            let seq = lot.first + to_i64(at);
            if !lot.own_rows(db)?.contains_key(&seq) {
                found.push(lot.alert(seq)?.0);
            }
        }
    }
    Ok(found)
}

/// Returns how many alerts have no row of their own, and how often they came.
pub(super) fn counts(db: &Connection) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT coalesce(sum(n - own_rows), 0), coalesce(sum(arrivals), 0) FROM lot";
    Ok(db.prepare_cached(sql)?.query_row([], |row| {
        Ok((
            row.get::<_, i64>(0)?.unsigned_abs(),
            row.get::<_, i64>(1)?.unsigned_abs(),
        ))
    })?)
}

/// Returns number and time of the first lot after a number all of whose alerts came between two times.
pub(super) fn first_between(
    db: &Connection,
    seq: i64,
    times: (i64, i64),
) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = "SELECT max(first, ?1 + 1), oldest FROM lot
               WHERE first + n - 1 > ?1 AND oldest >= ?2 AND newest <= ?3 ORDER BY first LIMIT 1";
    Ok(db
        .prepare_cached(sql)?
        .query_row([seq, times.0, times.1], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?)
}

/// Returns how many alerts without a row of their own point into a segment, and at how many bytes.
pub(super) fn in_segment(db: &Connection, segment: u32) -> Result<(i64, u64), StoreError> {
    let sql = "SELECT coalesce(sum(n - own_rows), 0), coalesce(sum(bytes), 0) FROM lot WHERE segment = ?1";
    Ok(db.prepare_cached(sql)?.query_row([segment], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?)
}

#[cfg(test)]
mod tests;
