use std::collections::HashMap;

use proptest::prelude::*;

use super::super::tests::{accepted, at, batch};
use super::super::{Accepted, Batch, Mark, Store};
use super::*;

/// What a store should hold, as one would write it down.
#[derive(Default)]
struct List {
    order: Vec<String>,
    found: HashMap<String, (u64, Vec<u8>, i64, i64)>,
}

impl List {
    fn put(&mut self, id: &str, piece: &Accepted, time: i64, second: i64) {
        let found = self.found.entry(id.to_owned()).or_insert_with(|| {
            self.order.push(id.to_owned());
            (0, Vec::new(), i64::MIN, second)
        });
        found.0 += 1;
        found.3 = found.3.max(second);
        if time >= found.2 {
            (found.1, found.2) = (piece.raw.to_vec(), time);
        }
    }

    fn check(&self, store: &Store, pages: usize) {
        let wanted: Vec<(String, u64)> = self
            .order
            .iter()
            .rev()
            .map(|id| (id.clone(), self.found[id].0))
            .collect();
        let seen = |rows: &[StoredAlert]| -> Vec<(String, u64)> {
            rows.iter()
                .map(|row| (row.alert.own_id().to_owned(), row.count))
                .collect()
        };
        assert_eq!(seen(&store.alerts(10_000).unwrap()), wanted);
        let (mut read, mut next) = (Vec::new(), None);
        loop {
            let (rows, more) = store.page(next, pages).unwrap();
            assert!(rows.len() <= pages);
            read.extend(seen(&rows));
            next = more;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(read, wanted, "in pages of {pages}");
        let (mut read, mut mark) = (Vec::new(), Mark::default());
        loop {
            let changes = store.changes(mark, pages).unwrap();
            mark = changes.mark;
            for row in seen(&changes.rows) {
                if !read.contains(&row) {
                    read.push(row);
                }
            }
            if !changes.is_more {
                break;
            }
        }
        read.sort();
        let mut sorted = wanted.clone();
        sorted.sort();
        assert_eq!(read, sorted, "in order of arrival");
        for (id, found) in &self.found {
            let id = AlertId::new(format!("s/{id}"));
            let row = store.alert(&id).unwrap().unwrap();
            assert_eq!((row.count, row.last_seen), (found.0, at(found.3)));
            assert_eq!(store.raw(&id).unwrap().as_ref(), Some(&found.1));
            let named = store
                .named(id.as_str().strip_prefix('s').unwrap(), 9)
                .unwrap();
            assert_eq!(named, [row]);
        }
        let counts = store.counts().unwrap();
        let arrivals = self.found.values().map(|found| found.0).sum();
        assert_eq!(
            (counts.alerts, counts.arrivals),
            (self.order.len() as u64, arrivals)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn lots_are_a_list_with_counts(
        batches in proptest::collection::vec(proptest::collection::vec((0_usize..40, 0_i64..9), 1..30), 1..9),
        pages in 1_usize..20, reopened in any::<bool>(), other in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut stores = [Store::open(dir.path()).unwrap(), Store::open(dir.path()).unwrap()];
        let mut list = List::default();
        for (second, given) in batches.into_iter().enumerate() {
            let second = second as i64;
            let pieces: Vec<Accepted> = given.iter().map(|(n, time)| {
                let id = format!("a{n}");
                let piece = accepted(&id, 1_795_000_000 + time, second);
                list.put(&id, &piece, *time, second);
                piece
            }).collect();
            let pieces = Batch { observed: at(second), ..batch(pieces, None) };
            if reopened {
                stores[0] = Store::open(dir.path()).unwrap();
            }
            // Two processes that store in turn know of each other's.
            let writer = usize::from(other && second % 2 == 1);
            let stored = stores[writer].put("s", &pieces).unwrap();
            let mut touched: Vec<String> = Vec::new();
            for (n, _) in &given {
                let id = format!("a{n}");
                if !touched.contains(&id) {
                    touched.push(id);
                }
            }
            let ids: Vec<&str> = stored.touched.iter().map(|row| row.alert.own_id()).collect();
            prop_assert_eq!(ids, touched);
            for row in &stored.touched {
                prop_assert_eq!(row.count, list.found[row.alert.own_id()].0);
            }
        }
        list.check(&stores[0], pages);
        // As rows they are the same.
        while stores[1].thaw(|db| thaw_before(db, i64::MAX)).unwrap() {}
        list.check(&stores[0], pages);
        list.check(&stores[1], pages);
    }
}

#[test]
fn a_large_batch_is_several_lots_and_ends_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let mut list = List::default();
    let pieces = (0..=MOST * 2).map(|n| {
        let id = format!("a{n}x");
        let piece = accepted(&id, 1_795_000_000, 0);
        list.put(&id, &piece, 1, 0);
        piece
    });
    let pieces = batch(pieces.collect(), None);
    assert_eq!(store.put("s", &pieces).unwrap().new, MOST * 2 + 1);
    let lots: i64 = store
        .db
        .query_row("SELECT count(*) FROM lot", [], |row| row.get(0))
        .unwrap();
    assert_eq!(lots, 3);
    list.check(&store, 100);
    // All of them come again: what a lot said does not count any more, and it goes.
    for id in list.order.clone() {
        let piece = accepted(&id, 1_795_000_000, 0);
        list.put(&id, &piece, 1, 0);
    }
    store.put("s", &pieces).unwrap();
    list.check(&store, 100);
    let lots: i64 = store
        .db
        .query_row("SELECT count(*) FROM lot_content", [], |row| row.get(0))
        .unwrap();
    assert_eq!(lots, 0);
}

#[test]
fn a_damaged_lot_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let pieces = ["a", "b"].map(|id| accepted(id, 1_795_000_000, 0));
    store.put("s", &batch(pieces.into(), None)).unwrap();
    store
        .db
        .execute("UPDATE lot_content SET alerts = x'01'", [])
        .unwrap();
    let error = store.alerts(9).unwrap_err().to_string();
    assert!(
        error.contains("the lot of alert 1 in alerts.db is unreadable"),
        "{error}"
    );
}

#[test]
fn a_batch_that_failed_leaves_no_trace_in_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let pieces = |ids: &[&str]| {
        let all = ids.iter().map(|id| accepted(id, 1_795_000_000, 0));
        batch(all.collect(), None)
    };
    store.put("s", &pieces(&["a", "b"])).unwrap();
    store
        .db
        .execute_batch("ALTER TABLE lot RENAME TO hidden")
        .unwrap();
    assert!(store.put("s", &pieces(&["c", "d"])).is_err());
    store
        .db
        .execute_batch("ALTER TABLE hidden RENAME TO lot")
        .unwrap();
    assert_eq!(store.alert(&AlertId::new("s/c")).unwrap(), None);
    assert_eq!(store.put("s", &pieces(&["c", "d"])).unwrap().new, 2);
    assert_eq!(store.counts().unwrap().alerts, 4);
}
