//! The rows of `alerts.db`.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::spool::{Place, Spool};
use super::{Accepted, Batch, Counts, Cursor, Held, Quarantined, StoreError, Stored, StoredAlert};
use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::domain::text::Untrusted;

/// Bytes of a quarantined piece that are shown.
const SHOWN_BEGINNING: u64 = 4_096;

/// Tables. Ids are found by a 64-bit hash: a short integer index takes rows twice as fast as one over texts; equal
/// hashes are told apart by the text.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS alert (
    seq INTEGER PRIMARY KEY,
    id_hash INTEGER NOT NULL,
    id TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    alert TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS alert_id ON alert (id_hash);
CREATE TABLE IF NOT EXISTS quarantine (
    seq INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    full_length INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY,
    cursor TEXT,
    quarantined INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
";

pub(super) const COLUMNS: &str = "alert, count, first_seen, last_seen";

/// Stores alerts, new ones as rows and repeated ones as counts.
pub(super) fn put_alerts(
    tx: &Transaction<'_>,
    accepted: &[Accepted],
    places: &[Place],
    is_asked_again: bool,
) -> Result<Stored, StoreError> {
    let mut stored = Stored::default();
    let mut at: HashMap<AlertId, usize> = HashMap::new();
    let remembers = super::retain::remembers(tx)?;
    for (piece, place) in accepted.iter().zip(places) {
        for alert in &piece.alerts {
            let Some((row, is_new)) = put_alert(tx, alert, *place, is_asked_again, remembers)?
            else {
                continue;
            };
            if is_new {
                stored.new.push(alert.id.clone());
            }
            if let Some(&i) = at.get(&alert.id) {
                stored.touched[i] = row;
            } else {
                at.insert(alert.id.clone(), stored.touched.len());
                stored.touched.push(row);
            }
        }
    }
    Ok(stored)
}

/// Stores one alert and tells how it is stored now and whether it is new; nothing when it was to be left as it is, or was
/// deleted and is no news.
fn put_alert(
    tx: &Transaction<'_>,
    alert: &Alert,
    place: Place,
    is_asked_again: bool,
    remembers: bool,
) -> Result<Option<(StoredAlert, bool)>, StoreError> {
    let hash = id_hash(&alert.id);
    let sql = format!("SELECT {COLUMNS}, seq FROM alert WHERE id_hash = ?1 AND id = ?2");
    let found = tx
        .prepare_cached(&sql)?
        .query_row(params![hash, alert.id.as_str()], |row| {
            Ok((stored_alert(row), row.get(4)?))
        })
        .optional()?;
    let Some((before, seq)) = found else {
        if remembers && super::retain::is_old_news(tx, alert)? {
            return Ok(None);
        }
        let row = StoredAlert {
            alert: alert.clone(),
            count: 1,
            first_seen: rounded(alert.observed),
            last_seen: rounded(alert.observed),
        };
        insert(tx, &row, hash, place)?;
        return Ok(Some((row, true)));
    };
    let before = before?;
    if is_asked_again && before.alert.raw_sha256 == alert.raw_sha256 {
        return Ok(None);
    }
    let row = merge(&before, alert);
    let seq: i64 = seq;
    let (count, last) = (row.count.cast_signed(), micros(row.last_seen));
    if row.alert.raw_sha256 == alert.raw_sha256 {
        let sql = "UPDATE alert SET count = ?2, last_seen = ?3, alert = ?4, segment = ?5, offset = ?6, length = ?7
                   WHERE seq = ?1";
        let json = to_json(&row.alert)?;
        tx.prepare_cached(sql)?.execute(params![
            seq,
            count,
            last,
            json,
            place.segment,
            place.offset.cast_signed(),
            place.length.cast_signed()
        ])?;
    } else {
        let sql = "UPDATE alert SET count = ?2, last_seen = ?3, alert = ?4 WHERE seq = ?1";
        tx.prepare_cached(sql)?
            .execute(params![seq, count, last, to_json(&row.alert)?])?;
    }
    super::changes::touch(tx, seq)?;
    Ok(Some((row, false)))
}

/// Sources send an id again when a finding changes, not always in order: the version with the later time counts, the
/// earliest exposure stays, and so does the first arrival.
fn merge(before: &StoredAlert, again: &Alert) -> StoredAlert {
    let newer = again.time >= before.alert.time;
    let mut alert = if newer {
        again.clone()
    } else {
        before.alert.clone()
    };
    alert.exposed_at = [before.alert.exposed_at, again.exposed_at]
        .into_iter()
        .flatten()
        .min();
    alert.observed = before.alert.observed;
    StoredAlert {
        alert,
        count: before.count + 1,
        first_seen: before.first_seen,
        last_seen: before.last_seen.max(rounded(again.observed)),
    }
}

fn insert(
    tx: &Transaction<'_>,
    row: &StoredAlert,
    hash: i64,
    place: Place,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO alert (id_hash, id, count, first_seen, last_seen, segment, offset, length, alert)
               VALUES (?1, ?2, 1, ?3, ?3, ?4, ?5, ?6, ?7)";
    tx.prepare_cached(sql)?.execute(params![
        hash,
        row.alert.id.as_str(),
        micros(row.first_seen),
        place.segment,
        place.offset.cast_signed(),
        place.length.cast_signed(),
        to_json(&row.alert)?,
    ])?;
    Ok(())
}

/// Stores what could not be read, and how much of it there is.
pub(super) fn put_refused(
    tx: &Transaction<'_>,
    source: &str,
    batch: &Batch,
    places: &[Place],
) -> Result<(), StoreError> {
    if batch.refused.is_empty() {
        return Ok(());
    }
    let sql =
        "INSERT INTO quarantine (source, at, reason, full_length, sha256, segment, offset, length)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = tx.prepare_cached(sql)?;
    for (refused, place) in batch.refused.iter().zip(places) {
        insert.execute(params![
            source,
            micros(batch.observed),
            refused.reason,
            refused.length.cast_signed(),
            refused.sha256,
            place.segment,
            place.offset.cast_signed(),
            place.length.cast_signed(),
        ])?;
    }
    let sql = "INSERT INTO source (name, quarantined) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET quarantined = quarantined + excluded.quarantined";
    tx.prepare_cached(sql)?
        .execute(params![source, to_i64(batch.refused.len())])?;
    Ok(())
}

/// Stores that a source exists and how far it was read.
pub(super) fn put_source(
    tx: &Transaction<'_>,
    source: &str,
    cursor: Option<&Cursor>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO source (name, cursor) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET cursor = coalesce(excluded.cursor, cursor)";
    let json = cursor.map(to_json).transpose()?;
    tx.prepare_cached(sql)?.execute(params![source, json])?;
    Ok(())
}

/// Lists the names of all sources.
pub(super) fn sources(db: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = db.prepare_cached("SELECT name FROM source ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Finds how far a source was read.
pub(super) fn cursor(db: &Connection, source: &str) -> Result<Option<Cursor>, StoreError> {
    let sql = "SELECT cursor FROM source WHERE name = ?1";
    let text: Option<Option<String>> = db
        .prepare_cached(sql)?
        .query_row([source], |row| row.get(0))
        .optional()?;
    text.flatten()
        .map(|text| from_json(&text, "a cursor"))
        .transpose()
}

/// Lists alerts, the latest new arrival first.
pub(super) fn alerts(db: &Connection, limit: usize) -> Result<Vec<StoredAlert>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM alert ORDER BY seq DESC LIMIT ?1");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([to_i64(limit)], |row| Ok(stored_alert(row)))?;
    rows.map(|row| row?).collect()
}

/// Returns alerts before a place, the latest first, and the place to go on from.
pub(super) fn page(
    db: &Connection,
    before: Option<i64>,
    limit: usize,
) -> Result<(Vec<StoredAlert>, Option<i64>), StoreError> {
    let sql = format!("SELECT {COLUMNS}, seq FROM alert WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let mut last = None;
    let rows = statement.query_map([before.unwrap_or(i64::MAX), to_i64(limit)], |row| {
        last = Some(row.get(4)?);
        Ok(stored_alert(row))
    })?;
    let rows: Vec<StoredAlert> = rows.map(|row| row?).collect::<Result<_, _>>()?;
    let next = last.filter(|_| rows.len() == limit);
    Ok((rows, next))
}

/// Finds one alert.
pub(super) fn alert(db: &Connection, id: &AlertId) -> Result<Option<StoredAlert>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM alert WHERE id_hash = ?1 AND id = ?2");
    let key = params![id_hash(id), id.as_str()];
    let found = db
        .prepare_cached(&sql)?
        .query_row(key, |row| Ok(stored_alert(row)))
        .optional()?;
    found.transpose()
}

/// Finds alerts by the end of their key, or by the id of their source, in the order of their keys. Reads all of them.
pub(super) fn named(
    db: &Connection,
    wanted: &str,
    limit: usize,
) -> Result<Vec<StoredAlert>, StoreError> {
    // The text is looked for before it is parsed.
    let sql = format!(
        "SELECT {COLUMNS} FROM alert
         WHERE substr(id, -length(?1)) = ?1 OR (instr(alert, ?2) AND json_extract(alert, '$.native_id') = ?1)
         ORDER BY id LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_map(params![wanted, to_json(&wanted)?, to_i64(limit)], |row| {
        Ok(stored_alert(row))
    })?;
    found.map(|row| row?).collect()
}

/// Finds where the raw bytes of an alert lie.
pub(super) fn place(db: &Connection, id: &AlertId) -> Result<Option<Place>, StoreError> {
    let sql = "SELECT segment, offset, length FROM alert WHERE id_hash = ?1 AND id = ?2";
    let key = params![id_hash(id), id.as_str()];
    Ok(db
        .prepare_cached(sql)?
        .query_row(key, |row| place_at(row, 0))
        .optional()?)
}

/// Lists what could not be read, the latest first.
pub(super) fn quarantine(
    db: &Connection,
    spool: &Spool,
    limit: usize,
) -> Result<Vec<Quarantined>, StoreError> {
    let sql = "SELECT segment, offset, length, source, at, reason, full_length, sha256
               FROM quarantine ORDER BY seq DESC LIMIT ?1";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([to_i64(limit)], |row| {
        let place = place_at(row, 0)?;
        let parts = (
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            row.get::<_, i64>(6)?,
            row.get(7)?,
        );
        Ok((place, parts))
    })?;
    rows.map(|row| {
        let (place, (source, at, reason, length, sha256)) = row?;
        let beginning = spool.read(Place {
            length: place.length.min(SHOWN_BEGINNING),
            ..place
        })?;
        Ok(Quarantined {
            source,
            at: time(at)?,
            reason,
            length: length as u64,
            sha256,
            beginning: Untrusted::new(String::from_utf8_lossy(&beginning)),
        })
    })
    .collect()
}

/// Lists what is kept in quarantine, the oldest first.
pub(super) fn held(db: &Connection) -> Result<Vec<Held>, StoreError> {
    let sql =
        "SELECT segment, offset, length, source, full_length, seq FROM quarantine ORDER BY seq";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let place = place_at(row, 0)?;
        let length = row.get::<_, i64>(4)? as u64;
        Ok(Held {
            source: row.get(3)?,
            length,
            // A redacted piece has another length than the original, and is whole all the same.
            is_whole: length <= crate::intake::decode::MAX_LINE as u64,
            seq: row.get(5)?,
            place,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes a piece out of the quarantine.
pub(super) fn release(tx: &Transaction<'_>, held: &Held) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM quarantine WHERE seq = ?1")?
        .execute([held.seq])?;
    tx.prepare_cached("UPDATE source SET quarantined = max(quarantined - 1, 0) WHERE name = ?1")?
        .execute([&held.source])?;
    Ok(())
}

/// Counts the quarantined pieces of one source.
pub(super) fn quarantined_of(db: &Connection, source: &str) -> Result<u64, StoreError> {
    let sql = "SELECT quarantined FROM source WHERE name = ?1";
    let count: Option<i64> = db
        .prepare_cached(sql)?
        .query_row([source], |row| row.get(0))
        .optional()?;
    Ok(count.unwrap_or(0) as u64)
}

/// Returns what is wrong with the latest quarantined piece of one source.
pub(super) fn last_reason(db: &Connection, source: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT reason FROM quarantine WHERE source = ?1 ORDER BY seq DESC LIMIT 1";
    Ok(db
        .prepare_cached(sql)?
        .query_row([source], |row| row.get(0))
        .optional()?)
}

/// Counts everything.
pub(super) fn counts(db: &Connection) -> Result<Counts, StoreError> {
    let sql = "SELECT (SELECT count(*) FROM alert), (SELECT coalesce(sum(count), 0) FROM alert),
                      (SELECT coalesce(sum(quarantined), 0) FROM source)";
    Ok(db.query_row(sql, [], |row| {
        Ok(Counts {
            alerts: row.get::<_, i64>(0)? as u64,
            arrivals: row.get::<_, i64>(1)? as u64,
            quarantined: row.get::<_, i64>(2)? as u64,
        })
    })?)
}

pub(super) fn stored_alert(row: &Row<'_>) -> Result<StoredAlert, StoreError> {
    let json: String = row.get(0)?;
    Ok(StoredAlert {
        alert: from_json(&json, "an alert")?,
        count: row.get::<_, i64>(1)? as u64,
        first_seen: time(row.get(2)?)?,
        last_seen: time(row.get(3)?)?,
    })
}

fn place_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Place> {
    Ok(Place {
        segment: row.get(first)?,
        offset: row.get::<_, i64>(first + 1)? as u64,
        length: row.get::<_, i64>(first + 2)? as u64,
    })
}

fn id_hash(id: &AlertId) -> i64 {
    let digest = Sha256::digest(id.as_str().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

pub(super) fn to_i64(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Cuts a time to what a row keeps of it, so that an alert looks the same before and after it was stored.
fn rounded(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(micros(time)).unwrap_or(time)
}

pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(super) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| StoreError::Damaged {
        what: format!("{micros} is no time"),
    })
}

fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Damaged {
        what: e.to_string(),
    })
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Damaged {
        what: format!("{what} in alerts.db is unreadable: {e}"),
    })
}
