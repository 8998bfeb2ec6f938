//! What the disk and SQLite take of alerts with nothing else done: their bytes appended, and rows inserted that were made
//! before, both durable.
//!
//! The rows are either the alert as JSON with an index over its id, as a plain program would keep it, or exactly the lots
//! that the store writes: taken out of a store that was filled, and inserted again into the same tables with the same
//! settings, as many to a transaction as there.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, OpenFlags, params};

use super::{Took, processor, typed};

/// Pages of the WAL between two checkpoints, as the store has it.
const CHECKPOINT_PAGES: i32 = 2_048;

/// Bytes to which the WAL is cut, as the store has it.
const WAL_BYTES: i64 = 64 << 20;

/// Key and JSON of each alert.
pub type Json = Vec<(String, String)>;

/// Lots as a store wrote them.
pub struct Packed {
    schema: String,
    page_bytes: i64,
    lots: Vec<Lot>,
}

struct Lot {
    /// first, n, `own_rows`, arrivals, segment, bytes, oldest, newest.
    head: [i64; 8],
    hashes: Vec<u8>,
    alerts: Vec<u8>,
}

impl Packed {
    /// Takes the lots out of the store in a folder.
    pub fn of(state: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(state.join("alerts.db"), flags).unwrap();
        let sql = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master WHERE tbl_name IN ('lot', 'lot_content') AND sql IS NOT NULL
                   ORDER BY type = 'index')";
        let schema: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
        let page_bytes = db
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .unwrap();
        let sql =
            "SELECT lot.*, hashes, alerts FROM lot JOIN lot_content USING (first) ORDER BY first";
        let mut statement = db.prepare(sql).unwrap();
        let lots = statement.query_map([], |row| {
            let mut head = [0; 8];
            for (at, value) in head.iter_mut().enumerate() {
                *value = row.get(at)?;
            }
            Ok(Lot {
                head,
                hashes: row.get(8)?,
                alerts: row.get(9)?,
            })
        });
        let lots = lots.unwrap().map(Result::unwrap).collect();
        Self {
            schema,
            page_bytes,
            lots,
        }
    }

    /// Bytes that the rows of an alert take.
    pub fn bytes_each(&self) -> usize {
        let bytes = |lot: &Lot| lot.hashes.len() + lot.alerts.len();
        let alerts: i64 = self.lots.iter().map(|lot| lot.head[1]).sum();
        self.lots.iter().map(bytes).sum::<usize>() / (alerts as usize).max(1)
    }
}

/// Opens a database as the store does.
fn open(dir: &Path, schema: &str, page_bytes: Option<i64>) -> Connection {
    std::fs::create_dir(dir).unwrap();
    let db = Connection::open(dir.join("bare.db")).unwrap();
    if let Some(bytes) = page_bytes {
        db.pragma_update(None, "page_size", bytes).unwrap();
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .unwrap();
    }
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .unwrap();
    db.pragma_update(None, "journal_size_limit", WAL_BYTES)
        .unwrap();
    db.execute_batch(schema).unwrap();
    db
}

/// Appends the raw bytes of lines and makes them durable.
fn append(file: &mut File, lines: &str) {
    file.write_all(lines.as_bytes()).unwrap();
    file.sync_data().unwrap();
}

/// Takes some lines off the front of a text.
fn lines_of<'t>(text: &mut &'t str, count: usize) -> &'t str {
    let end = memchr::memchr_iter(b'\n', text.as_bytes()).nth(count.saturating_sub(1));
    let (lines, rest) = text.split_at(end.map_or(text.len(), |end| end + 1));
    *text = rest;
    lines
}

/// The bytes of all lines and the lots of a store, `batch` alerts to a transaction; where `parses` is set, each line is
/// parsed into a typed `&str` before.
pub fn packed(dir: &Path, mut text: &str, packed: &Packed, batch: usize, parses: bool) -> Took {
    let db = open(dir, &packed.schema, Some(packed.page_bytes));
    let mut file = File::create(dir.join("raw")).unwrap();
    let (began, used) = (Instant::now(), processor());
    let mut lots = packed.lots.iter().peekable();
    while lots.peek().is_some() {
        let mut room = batch as i64;
        let with_this = std::iter::from_fn(|| {
            lots.next_if(|lot| {
                room -= lot.head[1];
                room >= 0
            })
        });
        let with_this: Vec<&Lot> = with_this.collect();
        let count: i64 = with_this.iter().map(|lot| lot.head[1]).sum();
        assert!(count > 0, "a lot has more alerts than a batch");
        let lines = lines_of(&mut text, count as usize);
        if parses {
            for line in lines.lines() {
                typed::parse(line.as_bytes());
            }
        }
        append(&mut file, lines);
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for lot in with_this {
            let sql = "INSERT INTO lot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let mut insert = db.prepare_cached(sql).unwrap();
            insert.execute(lot.head).unwrap();
            let sql = "INSERT INTO lot_content VALUES (?1, ?2, ?3)";
            let mut insert = db.prepare_cached(sql).unwrap();
            let content = params![lot.head[0], lot.hashes, lot.alerts];
            insert.execute(content).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
    }
    Took(began.elapsed(), processor().saturating_sub(used))
}

/// The bytes of all lines and a row of JSON for each, with an index over the ids, `batch` to a transaction.
pub fn json(dir: &Path, mut text: &str, rows: &Json, batch: usize) -> Took {
    let schema = "CREATE TABLE alert (seq INTEGER PRIMARY KEY, id_hash INTEGER, id TEXT, count INTEGER, first_seen INTEGER,
        last_seen INTEGER, segment INTEGER, offset INTEGER, length INTEGER, alert TEXT) STRICT;
        CREATE INDEX alert_id ON alert (id_hash);";
    let db = open(dir, schema, None);
    let mut file = File::create(dir.join("raw")).unwrap();
    let (began, used) = (Instant::now(), processor());
    for (at, lot) in rows.chunks(batch).enumerate() {
        append(&mut file, lines_of(&mut text, lot.len()));
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        let sql = "INSERT INTO alert (id_hash, id, count, first_seen, last_seen, segment, offset, length, alert)
                   VALUES (?1, ?2, 1, ?3, ?3, 1, ?4, ?5, ?6)";
        let mut insert = db.prepare_cached(sql).unwrap();
        for (i, (id, json)) in lot.iter().enumerate() {
            let n = (at * batch + i) as i64;
            let hash = n.wrapping_mul(0x1E37_79B9_7F4A_7C15);
            insert
                .execute(params![hash, id, n, n, json.len() as i64, json])
                .unwrap();
        }
        drop(insert);
        db.execute_batch("COMMIT").unwrap();
    }
    Took(began.elapsed(), processor().saturating_sub(used))
}
