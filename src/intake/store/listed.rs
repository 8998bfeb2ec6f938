//! What sources list that always give all that is open: what one listed before and does not any more is over there.
//!
//! The caller vouches that the list is whole. An alert that is listed again is open again, which the storing of it sees to.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::StoreError;
use crate::domain::ids::AlertId;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS listed (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
";

/// Everything that a source lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The alerts in it.
    pub ids: Vec<AlertId>,
    /// When the source was asked.
    pub at: Timestamp,
}

/// The words for it.
pub(super) const REASON: &str = "its source does not list it any more";

/// Keeps what a source lists now, and returns what it listed before and does not any more.
pub(super) fn replace(
    tx: &Transaction<'_>,
    source: &str,
    listed: &Listed,
) -> Result<Vec<AlertId>, StoreError> {
    let now: HashSet<&str> = listed.ids.iter().map(AlertId::as_str).collect();
    let mut statement = tx.prepare_cached("SELECT id FROM listed WHERE source = ?1")?;
    let before = statement.query_map([source], |row| row.get(0))?;
    let before: HashSet<String> = before.collect::<Result<_, _>>()?;
    for id in now.iter().filter(|id| !before.contains(**id)) {
        tx.prepare_cached("INSERT INTO listed (source, id) VALUES (?1, ?2)")?
            .execute(params![source, id])?;
    }
    let mut gone: Vec<AlertId> = Vec::new();
    for id in before.into_iter().filter(|id| !now.contains(id.as_str())) {
        tx.prepare_cached("DELETE FROM listed WHERE source = ?1 AND id = ?2")?
            .execute(params![source, id])?;
        gone.push(AlertId::new(id));
    }
    gone.sort();
    Ok(gone)
}
