//! What others stored, for a process that only reads.
//!
//! New alerts have rising numbers. For those that came again, a short list keeps which; a reader that falls behind its
//! beginning misses counts, never alerts.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::rows::{COLUMNS, stored_alert, to_i64};
use super::{StoreError, StoredAlert};
use crate::domain::ids::AlertId;

/// Entries kept of what came again.
const KEPT: i64 = 10_000;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS again (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER NOT NULL
) STRICT;
";

/// A place after which changes are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    seq: i64,
    again: i64,
    removed: i64,
}

/// What changed after a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The alerts as they are stored now, new ones first.
    pub rows: Vec<StoredAlert>,
    /// Alerts that were deleted.
    pub removed: Vec<AlertId>,
    /// The place after them.
    pub mark: Mark,
    /// Whether there may be more.
    pub is_more: bool,
}

/// Notes that a stored alert came again.
pub(super) fn touch(tx: &Transaction<'_>, seq: i64) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO again (seq) VALUES (?1)")?
        .execute([seq])?;
    let n = tx.last_insert_rowid();
    // Trimmed now and then, not at every arrival.
    if n % (KEPT / 10) == 0 {
        tx.prepare_cached("DELETE FROM again WHERE n <= ?1")?
            .execute([n - KEPT])?;
    }
    Ok(())
}

pub(super) fn mark(db: &Connection) -> Result<Mark, StoreError> {
    let sql = "SELECT coalesce(max(n), 0) FROM again";
    Ok(Mark {
        seq: super::lot::next_number(db)? - 1,
        again: db.prepare_cached(sql)?.query_row([], |row| row.get(0))?,
        removed: super::retain::removed::last(db)?,
    })
}

/// Returns what was deleted after a place, and the place to go on from, which is the same in all else.
pub(super) fn removed(
    db: &Connection,
    mut mark: Mark,
    limit: usize,
) -> Result<(Vec<AlertId>, Mark), StoreError> {
    let (ids, last) = super::retain::removed::after(db, mark.removed, limit)?;
    mark.removed = last;
    Ok((ids, mark))
}

pub(super) fn after(db: &Connection, mut mark: Mark, limit: usize) -> Result<Changes, StoreError> {
    let mut rows: Vec<StoredAlert> = Vec::new();
    for (seq, row) in super::lot::after(db, mark.seq, limit)? {
        mark.seq = seq;
        rows.push(row);
    }
    let mut is_more = rows.len() == limit;
    let sql = "SELECT n, seq FROM again WHERE n > ?1 ORDER BY n LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(params![mark.again, to_i64(limit)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let mut seqs: Vec<i64> = Vec::new();
    let mut count = 0;
    for found in found {
        let (n, seq): (i64, i64) = found?;
        mark.again = n;
        count += 1;
        seqs.push(seq);
    }
    is_more |= count == limit;
    seqs.sort_unstable();
    seqs.dedup();
    let sql = format!("SELECT {COLUMNS} FROM alert WHERE seq = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    for seq in seqs {
        // What came again may have been deleted since.
        let found = statement
            .query_row([seq], |row| Ok(stored_alert(row)))
            .optional()?;
        rows.extend(found.transpose()?);
    }
    let (removed, last) = super::retain::removed::after(db, mark.removed, limit)?;
    mark.removed = last;
    is_more |= removed.len() == limit;
    Ok(Changes {
        rows,
        removed,
        mark,
        is_more,
    })
}
