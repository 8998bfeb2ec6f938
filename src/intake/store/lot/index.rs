//! Which alerts there are, by a short hash of their ids, in memory: looking each new one up on the disk would cost more than
//! storing it. Eight bytes an alert, loaded when the first one is looked up.

use std::collections::HashMap;

use rusqlite::Connection;

use super::next_number;
use crate::domain::places::ByHash;
use crate::intake::store::StoreError;

/// The numbers of all alerts by 32 bits of a hash: of ten million ids one in 400 is like another, and told apart by a look
/// at the disk. It may name numbers that are no more, and never misses one.
#[derive(Debug, Default)]
pub(in crate::intake::store) struct Index {
    /// Numbers counted from the oldest.
    places: ByHash,
    /// Numbers too far from it: an alert that is kept for ever, and four thousand million after it.
    far: HashMap<u32, Vec<i64>>,
    /// The number of the oldest alert when it was loaded.
    oldest: i64,
    /// The number that the next new alert gets.
    next: i64,
    /// The deletion after which it was loaded.
    deletion: i64,
}

/// Returns the part of a hash by which alerts are looked up.
const fn short(hash: i64) -> u32 {
    (hash.cast_unsigned() >> 32) as u32
}

impl Index {
    /// Learns of what was stored and deleted since, by this process or another.
    pub fn refresh(&mut self, db: &Connection) -> Result<(), StoreError> {
        let sql = "SELECT coalesce(max(n), 0) FROM deletion";
        let deletion: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        let next = next_number(db)?;
        if deletion != self.deletion || self.next == 0 {
            *self = Self {
                deletion,
                oldest: oldest_number(db)?,
                ..Self::default()
            };
        }
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
        match u32::try_from(seq - self.oldest) {
            Ok(place) => self.places.add(short(hash), place),
            Err(_) => self.far.entry(short(hash)).or_default().push(seq),
        }
    }

    /// Returns the numbers of alerts whose ids may have this hash.
    pub fn numbers(&self, hash: i64) -> impl Iterator<Item = i64> {
        let found = self.places.all(short(hash));
        let far = self.far.get(&short(hash)).into_iter().flatten();
        let near = found.map(|place| self.oldest + i64::from(place));
        near.chain(far.copied())
    }
}

/// Returns the number of the oldest alert; zero where there is none.
fn oldest_number(db: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(min(oldest), 0) FROM (
                   SELECT min(seq) AS oldest FROM alert UNION ALL SELECT min(first) FROM lot)";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_hash_from_the_oldest_on() {
        let oldest = 1 << 40;
        let mut index = Index {
            oldest,
            next: oldest,
            ..Index::default()
        };
        let hash = |n: i64| n.wrapping_mul(0x1E37_79B9_7F4A_7C15);
        (0..5_000).for_each(|n| index.push(hash(n)));
        // Two of the same hash.
        index.push(hash(7));
        for n in (0..5_000).filter(|n| *n != 7) {
            let found: Vec<i64> = index.numbers(hash(n)).collect();
            assert_eq!(found, [oldest + n], "{n}");
        }
        let mut both: Vec<i64> = index.numbers(hash(7)).collect();
        both.sort_unstable();
        assert_eq!(both, [oldest + 7, oldest + 5_000]);
        assert_eq!(index.numbers(hash(5_001)).count(), 0);
        // However far from the oldest.
        index.next = oldest + (1 << 33);
        (6_000..6_010).for_each(|n| index.push(hash(n)));
        let found: Vec<i64> = index.numbers(hash(6_003)).collect();
        assert_eq!(found, [oldest + (1 << 33) + 3]);
    }
}
