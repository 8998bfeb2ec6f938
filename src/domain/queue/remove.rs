//! Alerts that were deleted leave the queue.

use super::slim::{Lane, Slot};
use super::{AlertId, Queue};

impl Queue {
    /// Takes alerts out that were deleted, and returns how many of them it had. What it keeps of each in memory stays until
    /// the end: numbers are never used again.
    pub fn remove<'i>(&mut self, ids: impl IntoIterator<Item = &'i AlertId>) -> usize {
        let before = self.gone;
        for id in ids {
            self.lose(id);
        }
        if self.gone == before {
            return 0;
        }
        self.stir();
        let rows = &self.rows;
        let stays = |slot: Slot| !rows[slot.at()].is_gone;
        self.order.keep(stays);
        if let Some(chosen) = &mut self.chosen {
            chosen.keep(stays);
        }
        self.waiting.retain(|slot| stays(*slot));
        self.displaced.retain(|slot, _| stays(*slot));
        self.refold = true;
        self.fold();
        self.gone - before
    }

    fn lose(&mut self, id: &AlertId) {
        let texts = &self.texts.ids;
        let is = |at: u32| texts.is(at as usize, id.as_str());
        let Some(found) = self.by_id.remove(id.as_str(), is) else {
            return;
        };
        let slot = Slot::new(found as usize);
        let slim = self.rows[slot.at()];
        self.count(&slim, -1);
        self.over -= usize::from(slim.lane == Lane::Over);
        self.rows[slot.at()].is_gone = true;
        self.gone += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::tests::{alert, unknown};
    use super::super::{Facts, Grouping, Row};
    use super::*;
    use crate::domain::filter::Filter;
    use std::sync::Arc;

    fn row(n: usize, exposed: i64) -> Row {
        let alert = alert(&format!("a{n}"), None, exposed);
        let seen = alert.observed;
        Row {
            alert: Arc::new(alert),
            count: 1,
            first_seen: seen,
            last_seen: seen,
        }
    }

    fn facts() -> Facts<'static> {
        Facts {
            identity: &|_| None,
            states: HashMap::new(),
            now: 100,
            analysts: HashMap::new(),
        }
    }

    fn shown(queue: &Queue) -> Vec<String> {
        let ids = queue.from(0).map(|slot| queue.id(slot));
        ids.map(|id| id.as_str().to_owned()).collect()
    }

    proptest! {
        /// As if they had never come.
        #[test]
        fn what_is_removed_leaves_no_trace(
            given in proptest::collection::vec(0_i64..9, 1..24), gone in proptest::collection::hash_set(0_usize..24, 0..12),
            over in proptest::collection::hash_set(0_usize..24, 0..6), follow in any::<bool>(), filtered in any::<bool>(),
        ) {
            let id = |n: usize| AlertId::new(format!("a{n}"));
            let fill = |keeps: &dyn Fn(&usize) -> bool| {
                let mut queue = Queue::default();
                queue.set_grouping(Grouping::Stream);
                queue.set_lanes(over.iter().map(|n| (id(*n), Lane::Over)));
                for (n, exposed) in given.iter().enumerate().filter(|(n, _)| keeps(n)) {
                    queue.take(&[row(n, *exposed)], follow, &unknown);
                }
                if filtered {
                    queue.set_filter(&Filter::parse("a1").unwrap(), facts());
                    while queue.look_on() {}
                }
                queue
            };
            let (mut queue, wanted) = (fill(&|_| true), fill(&|n| !gone.contains(n)));
            let ids: Vec<AlertId> = gone.iter().map(|n| id(*n)).collect();
            let removed = queue.remove(&ids);
            prop_assert_eq!(removed, gone.iter().filter(|n| **n < given.len()).count());
            prop_assert_eq!(queue.remove(&ids), 0);
            prop_assert_eq!((queue.all(), queue.open()), (wanted.all(), wanted.open()));
            // The very first one stands in the order at once.
            if follow {
                prop_assert_eq!(shown(&queue), shown(&wanted));
            }
            queue.take_in_waiting();
            let mut again = wanted.clone();
            again.take_in_waiting();
            if !filtered {
                prop_assert_eq!(shown(&queue), shown(&again));
            }
            for gone in &ids {
                prop_assert!(queue.slot(gone).is_none());
            }
            // One that comes again is new.
            if let Some(n) = gone.iter().find(|n| **n < given.len()) {
                queue.take(&[row(*n, 3)], true, &unknown);
                prop_assert_eq!(queue.all(), wanted.all() + 1);
                prop_assert!(queue.slot(&id(*n)).is_some());
            }
        }
    }
}
