//! How the sources are, and what was sent already.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;

use super::rows::{micros, time};
use super::{Batch, Delivery, StoreError};

/// Longest time for which a sending is remembered, in seconds.
const LONGEST_MEMORY_S: i64 = 7 * 86_400;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS health (
    name TEXT PRIMARY KEY,
    is_healthy INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT '',
    contact INTEGER,
    arrival INTEGER,
    lag INTEGER,
    error TEXT,
    error_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
    source TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (source, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_at ON delivery (at);
";

/// How one source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub is_healthy: bool,
    /// What it does, in words.
    pub state: String,
    /// When it last gave something, or last answered that it has nothing.
    pub last_success: Option<Timestamp>,
    /// When it last gave something.
    pub last_arrival: Option<Timestamp>,
    /// Seconds between what happened and its arrival here, for the newest alert of the last batch that had any.
    pub lag_s: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
}

/// Tells whether this body came before, within the time for which it counts as the same sending.
pub(super) fn was_delivered(
    db: &Connection,
    source: &str,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT at FROM delivery WHERE source = ?1 AND sha256 = ?2";
    let at: Option<i64> = db
        .prepare_cached(sql)?
        .query_row(params![source, delivery.sha256], |row| row.get(0))
        .optional()?;
    let oldest = micros(now) - i64::from(delivery.for_s) * 1_000_000;
    Ok(at.is_some_and(|at| at >= oldest))
}

pub(super) fn put_delivery(
    tx: &Transaction<'_>,
    source: &str,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO delivery (source, sha256, at) VALUES (?1, ?2, ?3)
               ON CONFLICT (source, sha256) DO UPDATE SET at = excluded.at";
    tx.prepare_cached(sql)?
        .execute(params![source, delivery.sha256, micros(now)])?;
    tx.prepare_cached("DELETE FROM delivery WHERE at < ?1")?
        .execute([micros(now) - LONGEST_MEMORY_S * 1_000_000])?;
    Ok(())
}

/// Notes that a source gave something.
pub(super) fn put_arrival(
    tx: &Transaction<'_>,
    source: &str,
    batch: &Batch,
) -> Result<(), StoreError> {
    if batch.accepted.is_empty() && batch.refused.is_empty() {
        return Ok(());
    }
    let alerts = batch.accepted.iter().flat_map(|piece| &piece.alerts);
    let newest = alerts.filter_map(|alert| alert.time).max();
    let lag = newest.map(|t| (batch.observed.as_second() - t.as_second()).max(0));
    let sql = "INSERT INTO health (name, contact, arrival, lag) VALUES (?1, ?2, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET contact = excluded.contact, arrival = excluded.arrival,
                   lag = coalesce(excluded.lag, lag)";
    tx.prepare_cached(sql)?
        .execute(params![source, micros(batch.observed), lag])?;
    Ok(())
}

pub(super) fn put_contact(
    db: &Connection,
    source: &str,
    at: Timestamp,
    result: Result<(), &str>,
) -> Result<(), StoreError> {
    match result {
        Ok(()) => {
            let sql = "INSERT INTO health (name, contact) VALUES (?1, ?2)
                       ON CONFLICT (name) DO UPDATE SET contact = excluded.contact";
            db.prepare_cached(sql)?.execute(params![source, micros(at)])
        }
        Err(error) => {
            let sql = "INSERT INTO health (name, error, error_at) VALUES (?1, ?2, ?3)
                       ON CONFLICT (name) DO UPDATE SET error = excluded.error, error_at = excluded.error_at";
            db.prepare_cached(sql)?
                .execute(params![source, error, micros(at)])
        }
    }?;
    Ok(())
}

pub(super) fn put_state(
    db: &Connection,
    source: &str,
    is_healthy: bool,
    state: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO health (name, is_healthy, state) VALUES (?1, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET is_healthy = excluded.is_healthy, state = excluded.state
               WHERE is_healthy != excluded.is_healthy OR state != excluded.state";
    db.prepare_cached(sql)?
        .execute(params![source, is_healthy, state])?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<Health>, StoreError> {
    let sql = "SELECT name, is_healthy, state, contact, arrival, lag, error, error_at FROM health ORDER BY name";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let at = |i| -> rusqlite::Result<Option<Result<Timestamp, StoreError>>> {
            Ok(row.get::<_, Option<i64>>(i)?.map(time))
        };
        Ok((
            (
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(5)?,
                row.get(6)?,
            ),
            [at(3)?, at(4)?, at(7)?],
        ))
    })?;
    rows.map(|row| {
        let ((name, is_healthy, state, lag_s, last_error), [contact, arrival, error_at]) = row?;
        Ok(Health {
            name,
            is_healthy,
            state,
            last_success: contact.transpose()?,
            last_arrival: arrival.transpose()?,
            lag_s,
            last_error,
            last_error_at: error_at.transpose()?,
        })
    })
    .collect()
}
