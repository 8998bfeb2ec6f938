//! What was deleted, until it stands in a log and after.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::super::StoreError;
use super::super::rows::{micros, time};

pub(in crate::intake::store) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS deletion (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    by_age INTEGER NOT NULL DEFAULT 0,
    by_size INTEGER NOT NULL DEFAULT 0,
    unreadable INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    oldest INTEGER,
    newest INTEGER,
    recorded INTEGER NOT NULL DEFAULT 0
) STRICT;
";

/// What was deleted in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// Its number in this store.
    pub n: i64,
    /// When it began.
    pub at: Timestamp,
    /// Alerts that were too old.
    pub by_age: u64,
    /// Alerts that were too many.
    pub by_size: u64,
    /// Pieces of input in quarantine that were too old or too many.
    pub unreadable: u64,
    /// Bytes that all of these took, about.
    pub bytes: u64,
    /// When the first of them came.
    pub oldest: Option<Timestamp>,
    /// When the last of them came.
    pub newest: Option<Timestamp>,
}

impl Deletion {
    /// Returns how many alerts were deleted.
    pub const fn alerts(&self) -> u64 {
        self.by_age + self.by_size
    }

    /// Returns it as a line for people.
    pub fn in_words(&self) -> String {
        let causes = [
            (self.by_age, "for their age"),
            (self.by_size, "because the store was full"),
        ];
        let causes: Vec<String> = causes
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| format!("{count} {why}"))
            .collect();
        let causes = match causes.as_slice() {
            [] => String::new(),
            all => format!(" ({})", all.join(", ")),
        };
        let junk = match self.unreadable {
            0 => String::new(),
            n => format!(" and {n} unreadable pieces"),
        };
        let day = |at: Option<Timestamp>| {
            at.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
        };
        format!(
            "{} old alerts{causes}{junk} were deleted, which came from {} to {}",
            self.alerts(),
            day(self.oldest),
            day(self.newest)
        )
    }

    /// Writes down what was deleted so far, in the transaction that deletes it.
    pub(super) fn write(&mut self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        if self.n == 0 {
            let sql = "INSERT INTO deletion (at) VALUES (?1)";
            tx.execute(sql, [micros(self.at)])?;
            self.n = tx.last_insert_rowid();
        }
        let sql = "UPDATE deletion SET by_age = ?2, by_size = ?3, unreadable = ?4, bytes = ?5, oldest = ?6, newest = ?7
                   WHERE n = ?1";
        tx.prepare_cached(sql)?.execute(params![
            self.n,
            self.by_age.cast_signed(),
            self.by_size.cast_signed(),
            self.unreadable.cast_signed(),
            self.bytes.cast_signed(),
            self.oldest.map(micros),
            self.newest.map(micros),
        ])?;
        Ok(())
    }
}

/// Returns deletions that a clause of SQL asks for.
pub(super) fn all(db: &Connection, which: &str) -> Result<Vec<Deletion>, StoreError> {
    let sql = format!(
        "SELECT n, at, by_age, by_size, unreadable, bytes, oldest, newest FROM deletion {which}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| {
        let number = |i| Ok::<_, rusqlite::Error>(row.get::<_, i64>(i)?.unsigned_abs());
        let times: [Option<i64>; 3] = [row.get(1)?, row.get(6)?, row.get(7)?];
        let deletion = Deletion {
            n: row.get(0)?,
            by_age: number(2)?,
            by_size: number(3)?,
            unreadable: number(4)?,
            bytes: number(5)?,
            ..Deletion::default()
        };
        Ok((deletion, times))
    })?;
    rows.map(|row| {
        let (deletion, times) = row?;
        let [at, oldest, newest] = times.map(|at| at.map(time).transpose());
        Ok(Deletion {
            at: at?.unwrap_or_default(),
            oldest: oldest?,
            newest: newest?,
            ..deletion
        })
    })
    .collect()
}
