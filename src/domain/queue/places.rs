//! Finds texts that are kept elsewhere by what they are, without ever standing still.
//!
//! A table that grows looks at every text that it holds: at a million alerts that is a third of a second in which no key
//! is answered. The texts are therefore spread over many small tables, each of which grows for itself, at another time.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

/// Small tables.
const SHARDS: usize = 256;

/// Where the number of the table is taken from a hash: the tables use both ends of it.
const SHARD_SHIFT: u32 = 40;

/// Places by text. The hash is keyed by chance, because the texts come from outside.
#[derive(Clone, Debug)]
pub struct Places {
    shards: Vec<HashTable<u32>>,
    hasher: RandomState,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            shards: vec![HashTable::new(); SHARDS],
            hasher: RandomState::default(),
        }
    }
}

const fn shard(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize % SHARDS
}

impl Places {
    /// Returns the hash of a text, by which the others find its place.
    pub fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Finds the place of a text with that hash; `is` tells whether it stands at a place.
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.shards[shard(hash)].find(hash, |at| is(*at)).copied()
    }

    /// Adds the place of a text that has none.
    pub fn add<'t>(&mut self, hash: u64, place: u32, get: impl Fn(u32) -> &'t str) {
        let hasher = &self.hasher;
        let rehash = |at: &u32| hasher.hash_one(get(*at));
        self.shards[shard(hash)].insert_unique(hash, place, rehash);
    }

    /// Forgets the place of a text, and returns it.
    pub fn remove<'t>(&mut self, text: &str, get: impl Fn(u32) -> &'t str) -> Option<u32> {
        let hash = self.hash(text);
        let is = |at: &u32| get(*at) == text;
        let found = self.shards[shard(hash)].find_entry(hash, is).ok()?;
        Some(found.remove().0)
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
            places.add(hash, at, get);
        }
        for (at, text) in (0..).zip(&texts) {
            assert_eq!(
                places.find(places.hash(text), |at| get(at) == text),
                Some(at)
            );
        }
        assert_eq!(places.remove("siem/7", get), Some(7));
        assert_eq!(places.remove("siem/7", get), None);
        assert_eq!(
            places.find(places.hash("siem/7"), |at| get(at) == "siem/7"),
            None
        );
        // None of the tables is much larger than the others.
        let largest = places.shards.iter().map(HashTable::len).max();
        assert!(largest < Some(20_000 / SHARDS * 3), "{largest:?}");
    }
}
