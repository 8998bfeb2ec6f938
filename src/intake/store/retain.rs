//! What is deleted because it is old, or because the store holds too much, and what is remembered of it.
//!
//! Deleting goes in small transactions, the oldest first, so that whoever stores alerts meanwhile waits for none of them
//! long, and a kill in between leaves a store from which fewer were deleted. The row with the highest number always stays:
//! numbers are never used again, which those who follow the store rely on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::rows::{micros, stored_alert, time};
use super::space::Dead;
use super::{Store, StoreError, StoredAlert, lot};
use crate::domain::ids::AlertId;

mod deletion;
mod gone;
pub(super) mod removed;

pub use deletion::Deletion;
pub(super) use deletion::SCHEMA as DELETION_SCHEMA;
pub(super) use gone::SCHEMA as GONE_SCHEMA;
pub use gone::{MOST_REMEMBERED, REMEMBERED_S};
pub(super) use gone::{is_old_news, remembers};

/// Rows of one transaction.
const LOT: usize = 512;

/// Bytes that a row takes besides its text: its other columns and its places in the indices.
const ROW_BYTES: u64 = 160;

/// A clock that says less was never set: 2020-01-01.
const BELIEVED_FROM: i64 = 1_577_836_800_000_000;

pub(super) const SCHEMA: &str = "
CREATE INDEX IF NOT EXISTS alert_last_seen ON alert (last_seen);
CREATE INDEX IF NOT EXISTS alert_segment ON alert (segment);
CREATE INDEX IF NOT EXISTS quarantine_segment ON quarantine (segment);
";

/// What is to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What last came before this.
    pub before: Option<Timestamp>,
    /// The oldest, as long as the store holds more bytes than this.
    pub most_bytes: Option<u64>,
}

/// What keeping to a rule came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// What was deleted, if anything was.
    pub deletion: Option<Deletion>,
    /// Alerts that would have been and stay, because somebody is on them.
    pub spared: u64,
    /// Bytes that were to go whatever their age, and of which nobody may delete anything.
    pub wanting: u64,
    /// Bytes that the store takes now.
    pub bytes: u64,
}

/// A row that may be deleted.
struct Candidate {
    seq: i64,
    stored: StoredAlert,
    last_seen: i64,
    bytes: u64,
}

/// How far a run has come.
struct Run {
    deletion: Deletion,
    now: Timestamp,
    before: i64,
    /// Bytes that are to go, whatever their age.
    excess: u64,
    spared: u64,
    highest: i64,
}

impl Store {
    /// Deletes what a rule says, the alert that came last excepted and those that `is_kept` holds back, and gives the disk
    /// back what they took. Blocks, for seconds when there is much to do; ends soon once `stop` is set.
    pub fn retain(
        &mut self,
        rule: Rule,
        now: Timestamp,
        is_kept: &dyn Fn(&AlertId) -> bool,
        stop: &AtomicBool,
    ) -> Result<Retained, StoreError> {
        let goes_on = || !stop.load(Ordering::SeqCst);
        let excess = match rule.most_bytes {
            Some(most) => self.excess(most, &goes_on)?,
            None => 0,
        };
        let mut run = Run {
            deletion: Deletion {
                at: now,
                ..Deletion::default()
            },
            now,
            before: rule.before.map_or(i64::MIN, micros),
            excess,
            spared: 0,
            highest: lot::next_number(&self.db)? - 1,
        };
        self.delete_unreadable(&mut run)?;
        self.delete_undated(&mut run, is_kept)?;
        self.delete_alerts(&mut run, is_kept, &goes_on)?;
        gone::forget(&self.db, now)?;
        self.give_back(Dead::Most, &goes_on)?;
        let did = run.deletion.n != 0;
        Ok(Retained {
            deletion: did.then_some(run.deletion),
            spared: run.spared,
            wanting: match goes_on() {
                true => run.excess.saturating_sub(run.deletion.bytes),
                false => 0,
            },
            bytes: self.bytes()?,
        })
    }

    /// Returns by how much the store is too long. What nothing points at any more goes first: whoever sends one alert again
    /// and again must not drive out all others.
    fn excess(&mut self, most: u64, goes_on: &dyn Fn() -> bool) -> Result<u64, StoreError> {
        for dead in [Dead::Most, Dead::Some] {
            if self.bytes()? > most {
                self.give_back(dead, goes_on)?;
            }
        }
        Ok(self.bytes()?.saturating_sub(most))
    }

    /// Tells whether anything could have to be deleted by a rule.
    pub fn is_due(&self, rule: Rule, now: Timestamp) -> Result<bool, StoreError> {
        if rule
            .most_bytes
            .is_some_and(|most| self.bytes().is_ok_and(|bytes| bytes > most))
        {
            return Ok(true);
        }
        let Some(before) = rule.before.map(micros) else {
            return Ok(false);
        };
        let sql = "SELECT EXISTS (SELECT 1 FROM alert WHERE last_seen < ?1 OR last_seen > ?2)
                       OR EXISTS (SELECT 1 FROM lot WHERE oldest < ?1 OR newest > ?2)
                       OR EXISTS (SELECT 1 FROM quarantine WHERE at < ?1)
                       OR EXISTS (SELECT 1 FROM gone WHERE at < ?3)";
        let forgotten = micros(now) - REMEMBERED_S * 1_000_000;
        let bounds = params![before, micros(now), forgotten];
        Ok(self.db.query_row(sql, bounds, |row| row.get(0))?)
    }

    /// Returns how many bytes the store takes on the disk: rows that are in use and all spool segments.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let pragma = |name: &str| -> Result<u64, StoreError> {
            let value: i64 = self.db.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(value.unsigned_abs())
        };
        let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
        Ok(pages * pragma("page_size")? + self.spool.bytes()?)
    }

    /// Returns what was deleted last, if anything ever was.
    pub fn last_deletion(&self) -> Result<Option<Deletion>, StoreError> {
        Ok(deletion::all(&self.db, "ORDER BY n DESC LIMIT 1")?.pop())
    }

    /// Returns what was deleted without anybody having written it down.
    pub fn unrecorded_deletions(&self) -> Result<Vec<Deletion>, StoreError> {
        deletion::all(&self.db, "WHERE recorded = 0 ORDER BY n")
    }

    /// Notes that somebody wrote a deletion down.
    pub fn recorded(&self, deletion: &Deletion) -> Result<(), StoreError> {
        self.db.execute(
            "UPDATE deletion SET recorded = 1 WHERE n = ?1",
            [deletion.n],
        )?;
        Ok(())
    }

    /// Returns when an alert was deleted that is not there, as long as that is remembered.
    pub fn deleted_at(&self, id: &AlertId) -> Result<Option<Timestamp>, StoreError> {
        gone::deleted_at(&self.db, id)
    }

    /// Deletes old alerts, the ones that came last the longest ago first.
    fn delete_alerts(
        &mut self,
        run: &mut Run,
        is_kept: &dyn Fn(&AlertId) -> bool,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), StoreError> {
        let mut place = (BELIEVED_FROM, 0);
        while goes_on() {
            let began = Instant::now();
            let tx = self
                .db
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let rows = candidates(&tx, place, micros(run.now))?;
            // Those that lie together get rows as their turn comes.
            let last = rows.last().filter(|_| rows.len() == LOT);
            let until = last.map_or(i64::MAX, |last| last.last_seen.saturating_add(1));
            let due = if run.deletion.bytes < run.excess {
                i64::MAX
            } else {
                run.before
            };
            if lot::thaw_before(&tx, until.min(due))? {
                tx.commit()?;
                std::thread::sleep(began.elapsed());
                continue;
            }
            let Some(last) = rows.last() else {
                return Ok(());
            };
            place = (last.last_seen, last.seq);
            let mut goes_on = rows.len() == LOT;
            for row in &rows {
                let is_old = row.last_seen < run.before;
                if !is_old && run.deletion.bytes >= run.excess {
                    goes_on = false;
                    break;
                }
                run.delete(&tx, row, is_old, is_kept)?;
            }
            tx.commit()?;
            if !goes_on {
                return Ok(());
            }
            // Whoever stores alerts gets as much time.
            std::thread::sleep(began.elapsed());
        }
        Ok(())
    }

    /// Gives the alerts of a lot rows, all of them or none. Tells whether there was such a lot.
    pub(super) fn thaw(
        &mut self,
        find: impl Fn(&Connection) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let did = find(&tx)?;
        tx.commit()?;
        Ok(did)
    }

    /// Deletes alerts that a clock dated that was not set, or ahead: each is as old as the next one with a believable time.
    /// Without such a next one it stays.
    fn delete_undated(
        &mut self,
        run: &mut Run,
        is_kept: &dyn Fn(&AlertId) -> bool,
    ) -> Result<(), StoreError> {
        let (mut next, mut place) = (None, 0);
        while self.thaw(|db| lot::thaw_before(db, BELIEVED_FROM))?
            || self.thaw(|db| lot::thaw_after(db, micros(run.now)))?
        {}
        loop {
            let tx = self
                .db
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let lot = undated(&tx, place, micros(run.now))?;
            for row in &lot {
                place = row.seq;
                if next.is_none_or(|(seq, _)| seq < row.seq) {
                    next = believable_after(&tx, row.seq, micros(run.now))?;
                }
                match next {
                    Some((_, at)) if at < run.before => run.delete(&tx, row, true, is_kept)?,
                    Some(_) => {}
                    None => return Ok(tx.commit()?),
                }
            }
            tx.commit()?;
            if lot.len() < LOT {
                return Ok(());
            }
        }
    }

    /// Deletes old pieces in quarantine; and when the store holds too much, what there is of them beyond a tenth of that,
    /// so that junk drives out junk before alerts.
    fn delete_unreadable(&mut self, run: &mut Run) -> Result<(), StoreError> {
        let mut junk = match run.excess {
            0 => 0,
            _ => held_bytes(&self.db)?,
        };
        let most = self.bytes()?.saturating_sub(run.excess) / 10;
        let mut place = 0;
        loop {
            let tx = self
                .db
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let lot = held(&tx, place)?;
            let mut goes_on = lot.len() == LOT;
            for Junk {
                seq,
                source,
                at,
                length,
            } in lot
            {
                place = seq;
                let is_dated = (BELIEVED_FROM..=micros(run.now)).contains(&at);
                let is_too_much = run.deletion.bytes < run.excess && junk > most;
                if !is_too_much && is_dated && at >= run.before {
                    goes_on = false;
                    break;
                }
                if !is_too_much && !is_dated {
                    continue;
                }
                let sql = "DELETE FROM quarantine WHERE seq = ?1";
                tx.prepare_cached(sql)?.execute([seq])?;
                let sql = "UPDATE source SET quarantined = max(quarantined - 1, 0) WHERE name = ?1";
                tx.prepare_cached(sql)?.execute([&source])?;
                junk = junk.saturating_sub(length);
                run.deletion.unreadable += 1;
                run.note(&tx, length + ROW_BYTES, at, at)?;
            }
            tx.commit()?;
            if !goes_on {
                return Ok(());
            }
        }
    }
}

impl Run {
    /// Deletes a row, unless it must stay.
    fn delete(
        &mut self,
        tx: &Transaction<'_>,
        row: &Candidate,
        is_old: bool,
        is_kept: &dyn Fn(&AlertId) -> bool,
    ) -> Result<(), StoreError> {
        if row.seq == self.highest {
            return Ok(());
        }
        let alert = &row.stored.alert;
        if is_kept(&alert.id) {
            self.spared += 1;
            return Ok(());
        }
        gone::remember(tx, alert, self.now)?;
        removed::note(tx, &alert.id)?;
        tx.prepare_cached("DELETE FROM alert WHERE seq = ?1")?
            .execute([row.seq])?;
        match is_old {
            true => self.deletion.by_age += 1,
            false => self.deletion.by_size += 1,
        }
        self.note(tx, row.bytes, micros(row.stored.first_seen), row.last_seen)
    }

    /// Writes down what was deleted so far, with what is being deleted.
    fn note(
        &mut self,
        tx: &Transaction<'_>,
        bytes: u64,
        oldest: i64,
        newest: i64,
    ) -> Result<(), StoreError> {
        let deletion = &mut self.deletion;
        deletion.bytes += bytes;
        let (oldest, newest) = (time(oldest)?, time(newest)?);
        deletion.oldest = Some(deletion.oldest.map_or(oldest, |at| at.min(oldest)));
        deletion.newest = Some(deletion.newest.map_or(newest, |at| at.max(newest)));
        deletion.write(tx)
    }
}

const CANDIDATE: &str = "alert, count, first_seen, last_seen, seq, length + octet_length(alert)";

fn candidate(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Candidate, StoreError>> {
    let (last_seen, seq) = (row.get(3)?, row.get(4)?);
    let bytes = row.get::<_, i64>(5)?.unsigned_abs() + ROW_BYTES;
    Ok(stored_alert(row).map(|stored| Candidate {
        seq,
        stored,
        last_seen,
        bytes,
    }))
}

fn candidates(
    tx: &Transaction<'_>,
    after: (i64, i64),
    now: i64,
) -> Result<Vec<Candidate>, StoreError> {
    let sql = format!(
        "SELECT {CANDIDATE} FROM alert
         WHERE last_seen >= ?1 AND (last_seen, seq) > (?1, ?2) AND last_seen <= ?3
         ORDER BY last_seen, seq LIMIT ?4"
    );
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(
        params![after.0, after.1, now, super::rows::to_i64(LOT)],
        candidate,
    )?;
    rows.map(|row| row?).collect()
}

fn undated(tx: &Transaction<'_>, after: i64, now: i64) -> Result<Vec<Candidate>, StoreError> {
    let sql = format!(
        "SELECT {CANDIDATE} FROM alert WHERE (last_seen < ?1 OR last_seen > ?2) AND seq > ?3
         ORDER BY seq LIMIT ?4"
    );
    let mut statement = tx.prepare_cached(&sql)?;
    let most = super::rows::to_i64(LOT);
    let rows = statement.query_map(params![BELIEVED_FROM, now, after, most], candidate)?;
    rows.map(|row| row?).collect()
}

/// Returns number and time of the next alert that came at a believable time.
fn believable_after(
    tx: &Transaction<'_>,
    seq: i64,
    now: i64,
) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = "SELECT seq, first_seen FROM alert WHERE seq > ?1 AND first_seen BETWEEN ?2 AND ?3 ORDER BY seq LIMIT 1";
    let row: Option<(i64, i64)> = tx
        .prepare_cached(sql)?
        .query_row(params![seq, BELIEVED_FROM, now], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let lot = lot::first_between(tx, seq, (BELIEVED_FROM, now))?;
    Ok(row.into_iter().chain(lot).min())
}

/// A piece in quarantine that may be deleted.
struct Junk {
    seq: i64,
    source: String,
    at: i64,
    length: u64,
}

fn held(tx: &Transaction<'_>, after: i64) -> Result<Vec<Junk>, StoreError> {
    let sql = "SELECT seq, source, at, length FROM quarantine WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map([after, super::rows::to_i64(LOT)], |row| {
        Ok(Junk {
            seq: row.get(0)?,
            source: row.get(1)?,
            at: row.get(2)?,
            length: row.get::<_, i64>(3)?.unsigned_abs(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn held_bytes(db: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(sum(length), 0) FROM quarantine";
    let total: i64 = db.query_row(sql, [], |row| row.get(0))?;
    Ok(total.unsigned_abs())
}

#[cfg(test)]
mod tests;
