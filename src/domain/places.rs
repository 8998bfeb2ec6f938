//! Finds things that are kept elsewhere by what they are, without ever standing still.
//!
//! A table that grows moves everything that it holds: at a million alerts that is a third of a second in which no key is
//! answered. Things are therefore spread over many small tables, each of which grows for itself, at another time. What a
//! table needs of a hash stands in it, so that growing looks at nothing else.

use std::hash::{BuildHasher as _, Hash};

use foldhash::quality::RandomState;
use hashbrown::HashTable;

/// Small tables: so many that with a million entries each is filled to three quarters.
const SHARDS: u64 = 320;

/// Where the bits of a mark begin from which the table is taken, and how many they are: a table uses both ends of it.
const SHARD_SHIFT: u32 = 40;
const SHARD_BITS: u32 = 16;

/// Bits of an entry that hold the place; the others are of the hash.
const PLACE_BITS: u32 = u32::BITS;

/// Places by 32 bits of a hash. Things whose hashes are alike are told apart by whoever keeps them.
#[derive(Clone, Debug)]
pub struct ByHash {
    tables: Vec<HashTable<u64>>,
}

impl Default for ByHash {
    fn default() -> Self {
        Self {
            tables: vec![HashTable::new(); SHARDS as usize],
        }
    }
}

const fn entry(hash: u32, place: u32) -> u64 {
    (hash as u64) << PLACE_BITS | place as u64
}

const fn place(entry: u64) -> u32 {
    (entry & u32::MAX as u64) as u32
}

const fn hash(entry: u64) -> u32 {
    (entry >> PLACE_BITS) as u32
}

/// Returns what a table looks for: it uses the lowest and the highest bits, so those must differ wherever hashes do.
const fn mark(hash: u32) -> u64 {
    let mixed = (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

const fn shard(mark: u64) -> usize {
    let bits = mark >> SHARD_SHIFT & ((1 << SHARD_BITS) - 1);
    ((bits * SHARDS) >> SHARD_BITS) as usize
}

impl ByHash {
    /// Adds a place.
    pub fn add(&mut self, of: u32, place: u32) {
        let mark_of = mark(of);
        let table = &mut self.tables[shard(mark_of)];
        table.insert_unique(mark_of, entry(of, place), |entry| mark(hash(*entry)));
    }

    /// Returns the places of what may have that hash.
    pub fn all(&self, of: u32) -> impl Iterator<Item = u32> {
        let mark = mark(of);
        let found = self.tables[shard(mark)].iter_hash(mark);
        let found = found.filter(move |entry| hash(**entry) == of);
        found.map(|entry| place(*entry))
    }

    /// Finds the place of what has that hash; `is` tells whether it stands at a place.
    pub fn find(&self, of: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.all(of).find(|place| is(*place))
    }

    /// Forgets a place, and returns it.
    pub fn remove(&mut self, of: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mark = mark(of);
        let is = |entry: &u64| hash(*entry) == of && is(place(*entry));
        let found = self.tables[shard(mark)].find_entry(mark, is).ok()?;
        Some(place(found.remove().0))
    }
}

/// Places by what stands there. The hash is keyed by chance, because what stands there comes from outside.
#[derive(Clone, Debug, Default)]
pub struct Places {
    places: ByHash,
    hasher: RandomState,
}

impl Places {
    /// Returns the hash by which the others find a place.
    pub fn hash(&self, what: impl Hash) -> u32 {
        // The upper half is as good as the lower.
        (self.hasher.hash_one(what) >> 32) as u32
    }

    /// Finds the place of what has that hash; `is` tells whether it stands at a place.
    pub fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.places.find(hash, is)
    }

    /// Adds the place of what has none.
    pub fn add(&mut self, hash: u32, place: u32) {
        self.places.add(hash, place);
    }

    /// Forgets the place of something, and returns it.
    pub fn remove(&mut self, what: impl Hash, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.places.remove(self.hash(what), is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found_at_its_place() {
        let texts: Vec<String> = (0..20_000).map(|n| format!("siem/{n}")).collect();
        let get = |at: u32| texts[at as usize].as_str();
        let mut places = Places::default();
        for (at, text) in (0..).zip(&texts) {
            let hash = places.hash(text);
            assert_eq!(places.find(hash, |at| get(at) == text), None);
            places.add(hash, at);
        }
        for (at, text) in (0..).zip(&texts) {
            assert_eq!(
                places.find(places.hash(text), |at| get(at) == text),
                Some(at)
            );
        }
        let is = |at: u32| get(at) == "siem/7";
        assert_eq!(places.remove("siem/7", is), Some(7));
        assert_eq!(places.remove("siem/7", is), None);
        assert_eq!(places.find(places.hash("siem/7"), is), None);
        // None of the tables is much larger than the others.
        let largest = places.places.tables.iter().map(HashTable::len).max();
        let even = 20_000 / places.places.tables.len();
        assert!(largest < Some(even * 3), "{largest:?}");
    }

    #[test]
    fn of_one_hash_there_may_be_several() {
        let mut places = ByHash::default();
        for (hash, place) in [(7, 1), (8, 2), (7, 3), (u32::MAX, u32::MAX)] {
            places.add(hash, place);
        }
        let all = |places: &ByHash, hash| {
            let mut all: Vec<u32> = places.all(hash).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(all(&places, 7), [1, 3]);
        assert_eq!(all(&places, u32::MAX), [u32::MAX]);
        assert!(all(&places, 9).is_empty());
        assert_eq!(places.find(7, |at| at > 1), Some(3));
        assert_eq!(places.remove(7, |at| at > 1), Some(3));
        assert_eq!(all(&places, 7), [1]);
    }

    /// A table of four million places that uses only a million of them takes a hundred times as long for each.
    #[test]
    fn every_bit_that_a_table_uses_tells_hashes_apart() {
        const HASHES: u64 = 100_000;
        let marks: Vec<u64> = (0..HASHES)
            .map(|n| mark((n.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32) as u32))
            .collect();
        // The places in a table, what it keeps of each mark itself, and which table it is.
        let of_shard = SHARD_SHIFT..SHARD_SHIFT + SHARD_BITS;
        for bit in (0..32).chain(57..64).chain(of_shard) {
            let set = marks.iter().filter(|mark| *mark >> bit & 1 == 1);
            let share = set.count() as u64 * 100 / HASHES;
            assert!((45..=55).contains(&share), "bit {bit}: {share} of 100");
        }
    }
}
