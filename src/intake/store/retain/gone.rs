//! What is remembered of deleted alerts.
//!
//! Sources are read with an overlap and after a restart, so they give again what they gave. What is the same as before, or
//! no later than what was deleted, is old news for [`REMEMBERED_S`] (at most [`MOST_REMEMBERED`] of them, the ones deleted
//! last). What is later is a new alert.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::super::StoreError;
use super::super::rows::{micros, time};
use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;

/// Seconds for which a deleted alert is recognised when it is given again: 30 days.
pub const REMEMBERED_S: i64 = 30 * 86_400;

/// Most deleted alerts that are recognised.
pub const MOST_REMEMBERED: i64 = 1_000_000;

pub(in crate::intake::store) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS gone (
    key BLOB PRIMARY KEY,
    time INTEGER,
    raw TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Remembers an alert that is being deleted.
pub(super) fn remember(
    tx: &Transaction<'_>,
    alert: &Alert,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO gone (key, time, raw, at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (key) DO UPDATE SET time = excluded.time, raw = excluded.raw, at = excluded.at";
    tx.prepare_cached(sql)?.execute(params![
        key(&alert.id),
        alert.time.map(micros),
        short(&alert.raw_sha256.to_string()),
        micros(now)
    ])?;
    Ok(())
}

/// Returns when an alert was deleted, as long as that is remembered.
pub(super) fn deleted_at(db: &Connection, id: &AlertId) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = db
        .prepare_cached("SELECT at FROM gone WHERE key = ?1")?
        .query_row([key(id)], |row| row.get(0))
        .optional()?;
    at.map(time).transpose()
}

/// Forgets what was deleted long ago, and what is too much to remember; the last deletion is remembered whole.
pub(super) fn forget(db: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let oldest = micros(now) - REMEMBERED_S * 1_000_000;
    db.execute("DELETE FROM gone WHERE at < ?1", [oldest])?;
    let mut statement =
        db.prepare_cached("SELECT at, count(*) FROM gone GROUP BY at ORDER BY at DESC")?;
    let mut total = 0;
    let runs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let runs: Vec<(i64, i64)> = runs.collect::<Result<_, _>>()?;
    let too_old = runs.into_iter().find(|(_, count)| {
        total += count;
        total > MOST_REMEMBERED && total > *count
    });
    if let Some((at, _)) = too_old {
        db.execute("DELETE FROM gone WHERE at <= ?1", [at])?;
    }
    Ok(())
}

/// Tells whether anything deleted is remembered.
pub(in crate::intake::store) fn remembers(db: &Connection) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM gone)")?
        .query_row([], |row| row.get(0))?)
}

/// Tells whether an alert that is not there was deleted, and is no news. If it is news it is remembered no longer.
pub(in crate::intake::store) fn is_old_news(
    tx: &Transaction<'_>,
    alert: &Alert,
) -> Result<bool, StoreError> {
    let key = key(&alert.id);
    let found: Option<(Option<i64>, String)> = tx
        .prepare_cached("SELECT time, raw FROM gone WHERE key = ?1")?
        .query_row([&key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((before, raw)) = found else {
        return Ok(false);
    };
    let is_later = match (alert.time.map(micros), before) {
        (Some(now), Some(before)) => now > before,
        _ => true,
    };
    if is_later && raw != short(&alert.raw_sha256.to_string()) {
        tx.prepare_cached("DELETE FROM gone WHERE key = ?1")?
            .execute([&key])?;
        return Ok(false);
    }
    Ok(true)
}

/// An id in sixteen bytes: too many for anybody to find another id with the same.
fn key(id: &AlertId) -> Vec<u8> {
    Sha256::digest(id.as_str().as_bytes())[..16].to_vec()
}

fn short(sha256: &str) -> &str {
    sha256.get(..32).unwrap_or(sha256)
}
