//! The rows of `alerts.db`.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::lot::{Index, Lot, New};
use super::spool::{Place, Spool};
use super::{Accepted, Batch, Counts, Cursor, Held, Quarantined, StoreError, Stored, StoredAlert};
use crate::domain::alert::{Alert, Resolved};
use crate::domain::ids::AlertId;
use crate::domain::text::Untrusted;

/// Bytes of a quarantined piece that are shown.
const SHOWN_BEGINNING: u64 = 4_096;

/// Tables. Most alerts lie in lots (`lot`); those that changed, or came alone, have rows.
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

/// A batch on its way into a transaction.
struct Putting<'p> {
    db: &'p Transaction<'p>,
    index: &'p mut Index,
    /// The number of the first new alert.
    base: i64,
    new: Vec<New>,
    stored: Vec<StoredAlert>,
    /// What was touched, in order.
    touched: Vec<Touched>,
    /// Where alerts that came again stand in `stored`, by number.
    again: HashMap<i64, usize>,
    /// The lot looked at last: what comes again comes together.
    lot: Option<Lot>,
    is_asked_again: bool,
    /// Whether anything deleted is remembered.
    remembers: bool,
    left_out: usize,
}

/// The next of the new alerts, or the place of one that came again.
enum Touched {
    New,
    Again(usize),
}

/// Where an alert was found.
enum Found {
    /// Among the new ones of the same batch.
    New(usize),
    /// In the store, by its number.
    Stored(i64),
}

/// Stores alerts, new ones together and repeated ones as counts.
pub(super) fn put_alerts(
    tx: &Transaction<'_>,
    index: &mut Index,
    accepted: Vec<Accepted>,
    places: &[Place],
    is_asked_again: bool,
) -> Result<Stored, StoreError> {
    index.refresh(tx)?;
    let mut putting = Putting {
        db: tx,
        base: index.next(),
        index,
        new: Vec::with_capacity(accepted.len()),
        stored: Vec::new(),
        touched: Vec::with_capacity(accepted.len()),
        again: HashMap::new(),
        lot: None,
        is_asked_again,
        remembers: super::retain::remembers(tx)?,
        left_out: 0,
    };
    for (piece, place) in accepted.into_iter().zip(places) {
        for alert in piece.alerts {
            putting.put(alert, *place)?;
        }
    }
    super::lot::put(tx, putting.base, &putting.new)?;
    Ok(putting.finish())
}

impl Putting<'_> {
    /// Stores one alert, unless it is to be left as it is, or was deleted and is no news.
    fn put(&mut self, alert: Arc<Alert>, place: Place) -> Result<(), StoreError> {
        let hash = id_hash(&alert.id);
        match self.find(hash, &alert.id)? {
            Some(Found::Stored(seq)) => self.again(seq, alert, place),
            Some(Found::New(at)) => {
                let new = &mut self.new[at];
                if self.is_asked_again && is_known(&new.stored.alert, &alert) {
                    return Ok(());
                }
                if is_later(&new.stored, &alert) {
                    new.place = place;
                }
                new.stored = merge(&new.stored, alert);
                Ok(())
            }
            None => {
                if self.remembers && super::retain::is_old_news(self.db, &alert)? {
                    self.left_out += 1;
                    return Ok(());
                }
                self.index.push(hash);
                self.touched.push(Touched::New);
                let seen = rounded(alert.observed);
                let stored = StoredAlert {
                    alert,
                    count: 1,
                    first_seen: seen,
                    last_seen: seen,
                };
                self.new.push(New {
                    hash,
                    stored,
                    place,
                });
                Ok(())
            }
        }
    }

    fn find(&mut self, hash: i64, id: &AlertId) -> Result<Option<Found>, StoreError> {
        let numbers: Vec<i64> = self.index.numbers(hash).collect();
        for seq in numbers {
            match usize::try_from(seq - self.base) {
                Ok(at)
                    if self
                        .new
                        .get(at)
                        .is_some_and(|new| new.stored.alert.id == *id) =>
                {
                    return Ok(Some(Found::New(at)));
                }
                Ok(_) => {}
                Err(_) if is_called(self.db, seq, id, &mut self.lot)? => {
                    return Ok(Some(Found::Stored(seq)));
                }
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Stores that an alert came again.
    fn again(&mut self, seq: i64, alert: Arc<Alert>, place: Place) -> Result<(), StoreError> {
        let Some(before) = stored(self.db, seq, &mut self.lot)? else {
            return Ok(());
        };
        if self.is_asked_again && is_known(&before.stored.alert, &alert) {
            return Ok(());
        }
        let kept = if is_later(&before.stored, &alert) {
            place
        } else {
            before.place
        };
        let row = merge(&before.stored, alert);
        match self.lot.as_mut().filter(|_| !before.is_row) {
            Some(lot) => super::lot::give_row(self.db, lot, seq, (&row, kept))?,
            None => update(self.db, seq, &row, kept)?,
        }
        super::changes::touch(self.db, seq)?;
        if let Some(&at) = self.again.get(&seq) {
            self.stored[at] = row;
        } else {
            self.again.insert(seq, self.stored.len());
            self.touched.push(Touched::Again(self.stored.len()));
            self.stored.push(row);
        }
        Ok(())
    }

    fn finish(self) -> Stored {
        let new = self.new.len();
        let mut again: Vec<Option<StoredAlert>> = self.stored.into_iter().map(Some).collect();
        let mut arrived = self.new.into_iter();
        // New ones are touched in the order in which they stand.
        let touched = self
            .touched
            .into_iter()
            .filter_map(|touched| match touched {
                Touched::New => arrived.next().map(|new| new.stored),
                Touched::Again(at) => again.get_mut(at).and_then(Option::take),
            });
        Stored {
            touched: touched.collect(),
            new,
            left_out: self.left_out,
            replayed: false,
        }
    }
}

/// An alert as it is stored.
struct Before {
    stored: StoredAlert,
    place: Place,
    /// Whether it has a row of its own.
    is_row: bool,
}

/// Finds an alert by its number.
fn stored(db: &Connection, seq: i64, kept: &mut Option<Lot>) -> Result<Option<Before>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, segment, offset, length FROM alert WHERE seq = ?1");
    let found = db
        .prepare_cached(&sql)?
        .query_row([seq], |row| Ok((stored_alert(row), place_at(row, 4)?)))
        .optional()?;
    if let Some((stored, place)) = found {
        let (stored, is_row) = (stored?, true);
        return Ok(Some(Before {
            stored,
            place,
            is_row,
        }));
    }
    let Some(lot) = lot_with(db, seq, kept)? else {
        return Ok(None);
    };
    let (stored, place) = lot.alert(seq)?;
    Ok(Some(Before {
        stored,
        place,
        is_row: false,
    }))
}

/// Tells whether the alert with a number has an id.
fn is_called(
    db: &Connection,
    seq: i64,
    id: &AlertId,
    kept: &mut Option<Lot>,
) -> Result<bool, StoreError> {
    let found: Option<String> = db
        .prepare_cached("SELECT id FROM alert WHERE seq = ?1")?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    match (found, id) {
        (Some(found), id) => Ok(found == id.as_str()),
        (None, id) => match lot_with(db, seq, kept)? {
            Some(lot) => Ok(lot.id(seq)? == *id),
            None => Ok(false),
        },
    }
}

/// Returns the lot in which an alert was stored, the kept one if it is that.
fn lot_with<'k>(
    db: &Connection,
    seq: i64,
    kept: &'k mut Option<Lot>,
) -> Result<Option<&'k Lot>, StoreError> {
    if !kept.as_ref().is_some_and(|lot| lot.holds(seq)) {
        *kept = Lot::with(db, seq)?;
    }
    Ok(kept.as_ref())
}

/// Finds the number of an alert.
fn number(db: &Connection, index: &Index, id: &AlertId) -> Result<Option<i64>, StoreError> {
    for seq in index.numbers(id_hash(id)) {
        if is_called(db, seq, id, &mut None)? {
            return Ok(Some(seq));
        }
    }
    Ok(None)
}

/// Tells whether an alert is as it was. One that was over is open again when it is given again.
fn is_known(before: &Alert, again: &Alert) -> bool {
    before.raw_sha256 == again.raw_sha256 && before.resolved == again.resolved
}

/// Notes that the source of an alert counts it as over. Returns how it is stored now, unless it was not there or known to
/// be over.
pub(super) fn resolve(
    tx: &Transaction<'_>,
    index: &Index,
    id: &AlertId,
    (at, reason): (Timestamp, &str),
) -> Result<Option<StoredAlert>, StoreError> {
    let Some(seq) = number(tx, index, id)? else {
        return Ok(None);
    };
    let mut lot = None;
    let before = stored(tx, seq, &mut lot)?;
    let Some(before) = before.filter(|before| before.stored.alert.resolved.is_none()) else {
        return Ok(None);
    };
    let mut row = before.stored;
    let reason = reason.to_owned();
    Arc::make_mut(&mut row.alert).resolved = Some(Resolved { at, reason });
    match lot.as_mut().filter(|_| !before.is_row) {
        Some(lot) => super::lot::give_row(tx, lot, seq, (&row, before.place))?,
        None => update(tx, seq, &row, before.place)?,
    }
    super::changes::touch(tx, seq)?;
    Ok(Some(row))
}

/// Tells whether a version counts more than the one before.
fn is_later(before: &StoredAlert, again: &Alert) -> bool {
    again.time >= before.alert.time
}

/// Sources send an id again when a finding changes, not always in order: the version with the later time counts, the
/// earliest exposure stays, and so does the first arrival.
fn merge(before: &StoredAlert, again: Arc<Alert>) -> StoredAlert {
    let exposed = [before.alert.exposed_at, again.exposed_at];
    let last_seen = before.last_seen.max(rounded(again.observed));
    let resolved = again.resolved.clone();
    let mut merged = if is_later(before, &again) {
        again
    } else {
        Arc::clone(&before.alert)
    };
    let alert = Arc::make_mut(&mut merged);
    alert.exposed_at = exposed.into_iter().flatten().min();
    alert.observed = before.alert.observed;
    // What came last counts, whatever happened last.
    alert.resolved = resolved;
    StoredAlert {
        alert: merged,
        count: before.count + 1,
        first_seen: before.first_seen,
        last_seen,
    }
}

/// Writes a row.
pub(super) fn insert(
    db: &Connection,
    seq: i64,
    row: &StoredAlert,
    hash: i64,
    place: Place,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO alert (seq, id_hash, id, count, first_seen, last_seen, segment, offset, length, alert)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    db.prepare_cached(sql)?.execute(params![
        seq,
        hash,
        row.alert.id.as_str(),
        row.count.cast_signed(),
        micros(row.first_seen),
        micros(row.last_seen),
        place.segment,
        place.offset.cast_signed(),
        place.length.cast_signed(),
        to_json(&*row.alert)?,
    ])?;
    Ok(())
}

fn update(db: &Connection, seq: i64, row: &StoredAlert, place: Place) -> Result<(), StoreError> {
    let sql = "UPDATE alert SET count = ?2, last_seen = ?3, alert = ?4, segment = ?5, offset = ?6, length = ?7
               WHERE seq = ?1";
    db.prepare_cached(sql)?.execute(params![
        seq,
        row.count.cast_signed(),
        micros(row.last_seen),
        to_json(&*row.alert)?,
        place.segment,
        place.offset.cast_signed(),
        place.length.cast_signed()
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
    Ok(page(db, None, limit)?.0)
}

/// Returns alerts before a place, the latest first, and the place to go on from.
pub(super) fn page(
    db: &Connection,
    before: Option<i64>,
    limit: usize,
) -> Result<(Vec<StoredAlert>, Option<i64>), StoreError> {
    let found = super::lot::before(db, before.unwrap_or(i64::MAX), limit)?;
    let last = found.last().map(|(seq, _)| *seq);
    let next = last.filter(|_| found.len() == limit);
    Ok((found.into_iter().map(|(_, row)| row).collect(), next))
}

/// Finds one alert.
pub(super) fn alert(
    db: &Connection,
    index: &Index,
    id: &AlertId,
) -> Result<Option<StoredAlert>, StoreError> {
    match number(db, index, id)? {
        Some(seq) => Ok(stored(db, seq, &mut None)?.map(|before| before.stored)),
        None => Ok(None),
    }
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
    let mut found: Vec<StoredAlert> = found.map(|row| row?).collect::<Result<_, _>>()?;
    found.extend(super::lot::named(db, wanted)?);
    found.sort_by(|a, b| a.alert.id.cmp(&b.alert.id));
    found.truncate(limit);
    Ok(found)
}

/// Finds where the raw bytes of an alert lie.
pub(super) fn place(
    db: &Connection,
    index: &Index,
    id: &AlertId,
) -> Result<Option<Place>, StoreError> {
    match number(db, index, id)? {
        Some(seq) => Ok(stored(db, seq, &mut None)?.map(|before| before.place)),
        None => Ok(None),
    }
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
            is_whole: super::is_kept_whole(length),
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
    let (alerts, arrivals) = super::lot::counts(db)?;
    Ok(db.query_row(sql, [], |row| {
        Ok(Counts {
            alerts: alerts + row.get::<_, i64>(0)? as u64,
            arrivals: arrivals + row.get::<_, i64>(1)? as u64,
            quarantined: row.get::<_, i64>(2)? as u64,
        })
    })?)
}

pub(super) fn stored_alert(row: &Row<'_>) -> Result<StoredAlert, StoreError> {
    let json: String = row.get(0)?;
    Ok(StoredAlert {
        alert: Arc::new(from_json(&json, "an alert")?),
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

/// Returns what an id is found by.
pub(super) fn id_hash(id: &AlertId) -> i64 {
    let digest = Sha256::digest(id.as_str().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

pub(super) fn to_i64(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Cuts a time to what a row keeps of it, so that an alert looks the same before and after it was stored.
pub(super) fn rounded(time: Timestamp) -> Timestamp {
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
