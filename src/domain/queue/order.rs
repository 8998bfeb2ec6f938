//! Alerts in the order of their urgency, kept so under a stream of new ones.
//!
//! One vector would be moved as a whole for each new alert. There are few classes of urgency, and in a class the longest
//! exposed comes first, so that what is new nearly always goes to the end of its class.

use std::collections::BTreeMap;

use super::slim::Slot;

/// What decides the place of an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The most urgent first.
    pub class: u16,
    /// Since when, in seconds of Unix time: the longest first.
    pub since: u32,
    /// The first that came first.
    pub slot: Slot,
}

/// An alert in its class. What it stands by is kept beside it: rows lie far apart, and a search looks at many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    since: u32,
    slot: Slot,
}

impl From<&Rank> for Entry {
    fn from(rank: &Rank) -> Self {
        let Rank { since, slot, .. } = *rank;
        Self { since, slot }
    }
}

/// Alerts in order.
#[derive(Clone, Debug, Default)]
pub struct Order {
    classes: BTreeMap<u16, Vec<Entry>>,
    len: usize,
}

impl Order {
    /// Returns how many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Adds alerts that are not in it.
    pub fn add(&mut self, mut ranks: Vec<Rank>) {
        self.len += ranks.len();
        ranks.sort_unstable();
        for group in ranks.chunk_by(|a, b| a.class == b.class) {
            let class = self.classes.entry(group[0].class).or_default();
            merge(class, group);
        }
    }

    /// Takes alerts out that stand at different ranks. What stands behind them moves once for all of them.
    pub fn remove_all(&mut self, mut ranks: Vec<Rank>) {
        ranks.sort_unstable();
        for group in ranks.chunk_by(|a, b| a.class == b.class) {
            if let Some(class) = self.classes.get_mut(&group[0].class) {
                self.len -= take_out(class, group);
            }
        }
    }

    /// Takes all out that do not pass a test.
    pub fn keep(&mut self, passes: impl Fn(Slot) -> bool) {
        for class in self.classes.values_mut() {
            class.retain(|entry| passes(entry.slot));
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
        let mut first: &[Entry] = &[];
        for class in classes.by_ref() {
            if let Some(rest) = class.get(left..).filter(|rest| !rest.is_empty()) {
                first = rest;
                break;
            }
            left -= class.len();
        }
        first
            .iter()
            .chain(classes.flatten())
            .map(|entry| entry.slot)
    }

    /// Returns those of the alerts that pass a test, in the same order.
    pub fn sifted(&self, passes: impl Fn(Slot) -> bool) -> Self {
        let sift = |slots: &Vec<Entry>| slots.iter().copied().filter(|e| passes(e.slot)).collect();
        let classes: BTreeMap<u16, Vec<Entry>> = self
            .classes
            .iter()
            .map(|(class, slots)| (*class, sift(slots)))
            .collect();
        let len = classes.values().map(Vec::len).sum();
        Self { classes, len }
    }

    /// Returns the place of an alert that stands at a rank.
    pub fn position(&self, rank: Rank) -> Option<usize> {
        let class = self.classes.get(&rank.class)?;
        let at = class.binary_search(&Entry::from(&rank)).ok()?;
        let before = self.classes.range(..rank.class);
        Some(before.map(|(_, class)| class.len()).sum::<usize>() + at)
    }
}

/// Puts sorted ranks into a sorted class; only what stands behind the first of them moves.
fn merge(class: &mut Vec<Entry>, ranks: &[Rank]) {
    let (Ok(from) | Err(from)) = class.binary_search(&Entry::from(&ranks[0]));
    let tail = class.split_off(from);
    class.reserve(tail.len() + ranks.len());
    let (mut old, mut new) = (
        tail.into_iter().peekable(),
        ranks.iter().map(Entry::from).peekable(),
    );
    while let (Some(stands), Some(comes)) = (old.peek(), new.peek()) {
        let next = if stands < comes {
            old.next()
        } else {
            new.next()
        };
        class.extend(next);
    }
    class.extend(old);
    class.extend(new);
}

/// Takes what stands at sorted ranks out of a sorted class, and tells how many there were.
fn take_out(class: &mut Vec<Entry>, ranks: &[Rank]) -> usize {
    let places = ranks
        .iter()
        .map(Entry::from)
        .map(|entry| class.binary_search(&entry));
    let places: Vec<usize> = places.filter_map(Result::ok).collect();
    let Some(mut to) = places.first().copied() else {
        return 0;
    };
    for (n, place) in places.iter().enumerate() {
        let until = places.get(n + 1).copied().unwrap_or(class.len());
        class.copy_within(place + 1..until, to);
        to += until - (place + 1);
    }
    class.truncate(to);
    places.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_list(
            given in proptest::collection::vec((0_u16..4, 0_u32..6), 1..60), batch in 1_usize..9, gone in 0_u64..u64::MAX,
        ) {
            let mut ranks: Vec<Rank> = given.iter().enumerate()
                .map(|(i, (class, since))| Rank { class: *class, since: *since, slot: Slot::new(i) })
                .collect();
            let mut order = Order::default();
            for part in ranks.chunks(batch) {
                order.add(part.to_vec());
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
                    assert_eq!(order.position(*rank), Some(at));
                }
            };
            check(&order, &ranks);
            let (gone, stay): (Vec<Rank>, Vec<Rank>) =
                ranks.iter().partition(|rank| gone >> (rank.slot.number() % 64) & 1 == 1);
            order.remove_all(gone.iter().rev().copied().collect());
            for gone in &gone {
                prop_assert_eq!(order.position(*gone), None);
            }
            order.remove_all(gone);
            check(&order, &stay);
        }
    }
}
