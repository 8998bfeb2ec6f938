//! Which alerts were deleted last, for those who show them.

use rusqlite::{Connection, Transaction, params};

use super::super::StoreError;
use crate::domain::ids::AlertId;

/// Most that are kept: whoever falls behind shows alerts that are not there any more, and says so when one is looked at.
const KEPT: i64 = 100_000;

pub(in crate::intake::store) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS removed (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL
) STRICT;
";

/// Notes that an alert is being deleted.
pub(super) fn note(tx: &Transaction<'_>, id: &AlertId) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO removed (id) VALUES (?1)")?
        .execute([id.as_str()])?;
    let n = tx.last_insert_rowid();
    if n % (KEPT / 10) == 0 {
        tx.prepare_cached("DELETE FROM removed WHERE n <= ?1")?
            .execute([n - KEPT])?;
    }
    Ok(())
}

/// Returns the place after all of them.
pub(in crate::intake::store) fn last(db: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(n), 0) FROM removed";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Returns up to `limit` of them after a place, and the place to go on from.
pub(in crate::intake::store) fn after(
    db: &Connection,
    place: i64,
    limit: usize,
) -> Result<(Vec<AlertId>, i64), StoreError> {
    let sql = "SELECT n, id FROM removed WHERE n > ?1 ORDER BY n LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let (mut ids, mut last) = (Vec::new(), place);
    let mut rows = statement.query(params![place, super::super::rows::to_i64(limit)])?;
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        ids.push(AlertId::new(row.get::<_, String>(1)?));
    }
    Ok((ids, last))
}
