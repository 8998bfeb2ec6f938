//! Which alerts there are, by a short hash of their ids, in memory: looking each new one up on the disk would cost more than
//! storing it. Eight bytes an alert, loaded when the first one is looked up.

use hashbrown::HashTable;
use rusqlite::Connection;

use super::next_number;
use crate::intake::store::StoreError;

/// Bits of the number of an alert; the others are of the hash. Alerts whose hashes are alike are told apart by their ids.
const NUMBER_BITS: u32 = 36;

const NUMBER: u64 = (1 << NUMBER_BITS) - 1;

/// The numbers of all alerts by hash. It may name numbers that are no more, and never misses one.
#[derive(Debug, Default)]
pub(in crate::intake::store) struct Index {
    table: HashTable<u64>,
    /// The number that the next new alert gets.
    next: i64,
    /// The deletion after which it was loaded.
    deletion: i64,
}

fn entry(hash: i64, seq: i64) -> u64 {
    (hash.cast_unsigned() & !NUMBER) | (seq.cast_unsigned() & NUMBER)
}

fn spread(entry: u64) -> u64 {
    // The table looks at both ends of a hash.
    (entry & !NUMBER)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(20)
}

impl Index {
    /// Learns of what was stored and deleted since, by this process or another.
    pub fn refresh(&mut self, db: &Connection) -> Result<(), StoreError> {
        let sql = "SELECT coalesce(max(n), 0) FROM deletion";
        let deletion: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        if deletion != self.deletion {
            *self = Self {
                deletion,
                ..Self::default()
            };
        }
        let next = next_number(db)?;
        if next == self.next {
            return Ok(());
        }
        let mut statement = db.prepare_cached("SELECT id_hash, seq FROM alert WHERE seq >= ?1")?;
        let mut rows = statement.query([self.next])?;
        while let Some(row) = rows.next()? {
            self.add(row.get(0)?, row.get(1)?);
        }
        let sql = "SELECT first, hashes FROM lot_content WHERE first >= ?1";
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query([self.next])?;
        while let Some(row) = rows.next()? {
            let first: i64 = row.get(0)?;
            let hashes = row.get_ref(1)?.as_blob().unwrap_or_default();
            for (seq, hash) in (first..).zip(hashes.as_chunks().0) {
                self.add(i64::from_le_bytes(*hash), seq);
            }
        }
        self.next = next;
        Ok(())
    }

    /// Returns the number that the next new alert gets.
    pub const fn next(&self) -> i64 {
        self.next
    }

    /// Adds the next new alert, which the caller stores, or forgets the whole index.
    pub fn push(&mut self, hash: i64) {
        self.add(hash, self.next);
        self.next += 1;
    }

    fn add(&mut self, hash: i64, seq: i64) {
        let entry = entry(hash, seq);
        self.table
            .insert_unique(spread(entry), entry, |entry| spread(*entry));
    }

    /// Returns the numbers of alerts whose ids may have this hash.
    pub fn numbers(&self, hash: i64) -> impl Iterator<Item = i64> {
        let wanted = entry(hash, 0);
        let found = self.table.iter_hash(spread(wanted));
        found
            .filter(move |entry| **entry & !NUMBER == wanted)
            .map(|entry| (entry & NUMBER).cast_signed())
    }
}
