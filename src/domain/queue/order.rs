//! Alerts in the order of their urgency, kept so under a stream of new ones.
//!
//! One vector would be moved as a whole for each new alert. There are few classes of urgency, and in a class the longest
//! exposed comes first, so that what is new nearly always goes to the end of its class.

use std::collections::BTreeMap;

use super::slim::{Slim, Slot};

/// What decides the place of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The most urgent first.
    pub class: u16,
    /// Since when, in seconds of Unix time: the longest first.
    pub since: u32,
    /// The first that came first.
    pub slot: Slot,
}

/// Alerts in order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    classes: BTreeMap<u16, Vec<Slot>>,
    len: usize,
}

impl Order {
    /// Returns how many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Adds alerts that are not in it.
    pub fn add(&mut self, mut ranks: Vec<Rank>, rows: &[Slim]) {
        self.len += ranks.len();
        ranks.sort_unstable();
        for group in ranks.chunk_by(|a, b| a.class == b.class) {
            let class = self.classes.entry(group[0].class).or_default();
            merge(class, group, rows);
        }
    }

    /// Takes an alert out that stands at a rank.
    pub fn remove(&mut self, rank: Rank, rows: &[Slim]) {
        let Some(class) = self.classes.get_mut(&rank.class) else {
            return;
        };
        if let Ok(at) = place(class, rank, rows) {
            class.remove(at);
            self.len -= 1;
        }
    }

    /// Takes all out that do not pass a test.
    pub fn keep(&mut self, passes: impl Fn(Slot) -> bool) {
        for class in self.classes.values_mut() {
            class.retain(|slot| passes(*slot));
        }
        self.classes.retain(|_, class| !class.is_empty());
        self.len = self.classes.values().map(Vec::len).sum();
    }

    /// Returns the alert at a place.
    pub fn get(&self, at: usize) -> Option<Slot> {
        self.from(at).next()
    }

    /// Returns the alerts from a place on.
    pub fn from(&self, at: usize) -> impl Iterator<Item = Slot> {
        let mut left = at;
        let mut classes = self.classes.values();
        let mut first: &[Slot] = &[];
        for class in classes.by_ref() {
            if let Some(rest) = class.get(left..).filter(|rest| !rest.is_empty()) {
                first = rest;
                break;
            }
            left -= class.len();
        }
        first.iter().chain(classes.flatten()).copied()
    }

    /// Returns those of the alerts that pass a test, in the same order.
    pub fn sifted(&self, passes: impl Fn(Slot) -> bool) -> Self {
        let classes: BTreeMap<u16, Vec<Slot>> = self
            .classes
            .iter()
            .map(|(class, slots)| {
                (
                    *class,
                    slots.iter().copied().filter(|s| passes(*s)).collect(),
                )
            })
            .collect();
        let len = classes.values().map(Vec::len).sum();
        Self { classes, len }
    }

    /// Returns the place of an alert that stands at a rank.
    pub fn position(&self, rank: Rank, rows: &[Slim]) -> Option<usize> {
        let class = self.classes.get(&rank.class)?;
        let at = place(class, rank, rows).ok()?;
        let before = self.classes.range(..rank.class);
        Some(before.map(|(_, class)| class.len()).sum::<usize>() + at)
    }
}

fn place(class: &[Slot], rank: Rank, rows: &[Slim]) -> Result<usize, usize> {
    let key = |slot: &Slot| (rows[slot.at()].since, *slot);
    class.binary_search_by_key(&(rank.since, rank.slot), key)
}

/// Puts sorted ranks into a sorted class; only what stands behind the first of them moves.
fn merge(class: &mut Vec<Slot>, ranks: &[Rank], rows: &[Slim]) {
    let (Ok(from) | Err(from)) = place(class, ranks[0], rows);
    let tail = class.split_off(from);
    class.reserve(tail.len() + ranks.len());
    let (mut old, mut new) = (tail.into_iter().peekable(), ranks.iter().peekable());
    while let (Some(slot), Some(rank)) = (old.peek(), new.peek()) {
        if (rows[slot.at()].since, *slot) < (rank.since, rank.slot) {
            class.push(*slot);
            old.next();
        } else {
            class.push(rank.slot);
            new.next();
        }
    }
    class.extend(old);
    class.extend(new.map(|rank| rank.slot));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(n: usize, since: impl Fn(usize) -> u32) -> Vec<Slim> {
        (0..n)
            .map(|i| Slim {
                since: since(i),
                ..Slim::default()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_list(
            given in proptest::collection::vec((0_u16..4, 0_u32..6), 1..60), batch in 1_usize..9, gone in any::<prop::sample::Index>(),
        ) {
            let rows = rows(given.len(), |i| given[i].1);
            let mut ranks: Vec<Rank> = given.iter().enumerate()
                .map(|(i, (class, since))| Rank { class: *class, since: *since, slot: Slot::new(i) })
                .collect();
            let mut order = Order::default();
            for part in ranks.chunks(batch) {
                order.add(part.to_vec(), &rows);
            }
            ranks.sort();
            let check = |order: &Order, ranks: &[Rank]| {
                assert_eq!(order.len(), ranks.len());
                for at in 0..=ranks.len() {
                    let want: Vec<Slot> = ranks[at..].iter().map(|r| r.slot).collect();
                    assert_eq!(order.from(at).collect::<Vec<_>>(), want);
                    assert_eq!(order.get(at), ranks.get(at).map(|r| r.slot));
                }
                for (at, rank) in ranks.iter().enumerate() {
                    assert_eq!(order.position(*rank, &rows), Some(at));
                }
            };
            check(&order, &ranks);
            let gone = ranks.remove(gone.index(ranks.len()));
            order.remove(gone, &rows);
            prop_assert_eq!(order.position(gone, &rows), None);
            check(&order, &ranks);
        }
    }
}
