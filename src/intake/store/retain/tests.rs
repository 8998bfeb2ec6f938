use std::sync::Arc;

use proptest::prelude::*;
use rstest::rstest;

use super::super::tests::{accepted, at, batch, refused};
use sha2::{Digest as _, Sha256};

use super::super::{Accepted, Alert, Batch};
use super::*;

static RUN: AtomicBool = AtomicBool::new(false);

const DAY: i64 = 86_400;

fn id(n: usize) -> AlertId {
    AlertId::new(format!("s/a{n}"))
}

/// Stores one alert for each arrival time.
fn filled(dir: &std::path::Path, arrivals: &[i64]) -> Store {
    let mut store = Store::open(dir).unwrap();
    for (n, second) in arrivals.iter().enumerate() {
        put(&mut store, n, *second, *second);
    }
    store
}

/// Stores one alert that happened at `time` and came at `second`.
fn put(store: &mut Store, n: usize, time: i64, second: i64) -> bool {
    let mut piece = accepted(&format!("a{n}"), 1, second);
    for alert in &mut piece.alerts {
        Arc::make_mut(alert).time = Some(at(time));
    }
    let stored = store.put("s", &batch(vec![piece], None)).unwrap();
    stored.new > 0
}

fn left(store: &Store) -> Vec<String> {
    let mut ids: Vec<String> = store
        .alerts(1_000_000)
        .unwrap()
        .iter()
        .map(|row| row.alert.own_id().to_owned())
        .collect();
    ids.sort();
    ids
}

fn older_than(second: i64) -> Rule {
    Rule {
        before: Some(at(second)),
        most_bytes: None,
    }
}

fn nobody(_: &AlertId) -> bool {
    false
}

/// Seconds from the tests' own time to 1970 and to 2099.
const IN_1970: i64 = 10 - 1_795_000_000;
const IN_2099: i64 = 4_090_000_000 - 1_795_000_000;

#[rstest]
#[case::nothing_is_old(&[0, 1, 2], -1, &[], &["a0", "a1", "a2"])]
#[case::old_ones(&[0, 1, 2, 3], 2, &[], &["a2", "a3"])]
#[case::the_last_row_stays(&[0, 1, 2], 99, &[], &["a2"])]
#[case::the_only_row_stays(&[0], 99, &[], &["a0"])]
#[case::what_somebody_has_stays(&[0, 1, 2, 3], 99, &[1], &["a1", "a3"])]
#[case::by_arrival_not_by_number(&[5, 1, 5, 1, 5], 3, &[], &["a0", "a2", "a4"])]
#[case::a_clock_that_was_not_set(&[IN_1970, 50], 20, &[], &["a0", "a1"])]
#[case::a_clock_that_was_not_set_long_ago(&[IN_1970, 5, 50], 20, &[], &["a2"])]
#[case::a_clock_ahead(&[IN_2099, 50], 20, &[], &["a0", "a1"])]
#[case::a_clock_ahead_long_ago(&[IN_2099, 5, 50], 20, &[], &["a2"])]
#[case::a_clock_ahead_and_nothing_since(&[5, IN_2099, IN_2099], 20, &[], &["a1", "a2"])]
fn what_last_came_before_a_time_goes(
    #[case] arrivals: &[i64],
    #[case] before: i64,
    #[case] kept: &[usize],
    #[case] want: &[&str],
) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path(), arrivals);
    let is_kept = |one: &AlertId| kept.iter().any(|n| id(*n) == *one);
    let found = store
        .retain(older_than(before), at(100), &is_kept, &RUN)
        .unwrap();
    assert_eq!(left(&store), want);
    let gone = (arrivals.len() - want.len()) as u64;
    assert_eq!(found.deletion.map_or(0, |d| d.by_age), gone);
    assert_eq!(found.spared, kept.len() as u64);
    assert_eq!(store.last_deletion().unwrap(), found.deletion);
    for row in store.alerts(100).unwrap() {
        assert!(store.raw(&row.alert.id).unwrap().is_some());
    }
}

#[test]
fn what_came_again_is_as_old_as_its_last_arrival() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path(), &[0, 1, 2]);
    put(&mut store, 0, 50, 50);
    store
        .retain(older_than(20), at(100), &nobody, &RUN)
        .unwrap();
    assert_eq!(left(&store), ["a0", "a2"]);
}

#[test]
fn numbers_are_not_used_again_and_followers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path(), &[0, 1, 2, 3]);
    put(&mut store, 1, 4, 4);
    let start = super::super::Mark::default();
    let mark = store.mark().unwrap();
    store
        .retain(older_than(99), at(100), &nobody, &RUN)
        .unwrap();
    // Whoever follows learns what is gone, once, and nothing else.
    let changes = store.changes(mark, 10).unwrap();
    assert_eq!(changes.rows, []);
    assert_eq!(changes.removed, [id(0), id(2), id(1)]);
    assert_eq!(store.removed(mark, 2).unwrap().0, [id(0), id(2)]);
    let mark = changes.mark;
    assert_eq!(store.changes(mark, 10).unwrap().removed, []);
    assert_eq!(store.mark().unwrap(), mark);
    // A follower that was at the beginning sees what is left.
    let changes = store.changes(start, 10).unwrap();
    assert_eq!((changes.rows.len(), changes.mark), (1, mark));
    put(&mut store, 9, 5, 5);
    let changes = store.changes(mark, 10).unwrap();
    assert_eq!(changes.rows[0].alert.own_id(), "a9");
}

#[rstest]
#[case::the_same(0, 0, false)]
#[case::the_same_time_with_other_words(0, 1, false)]
#[case::an_earlier_version(-1, 1, false)]
#[case::it_happened_again(1, 1, true)]
fn a_deleted_alert_is_new_again_only_if_it_is_news(
    #[case] later: i64,
    #[case] other: i64,
    #[case] is_new: bool,
) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path(), &[0, 1]);
    store
        .retain(older_than(99), at(100), &nobody, &RUN)
        .unwrap();
    let again = |later: i64| {
        let mut piece = accepted("a0", 1 + other, 101);
        Arc::make_mut(&mut piece.alerts[0]).time = Some(at(later));
        vec![piece]
    };
    let stored = store.put("s", &batch(again(later), None)).unwrap();
    assert_eq!(stored.new > 0, is_new);
    assert_eq!(!stored.touched.is_empty(), is_new);
    assert_eq!(store.deleted_at(&id(0)).unwrap().is_none(), is_new);
    // A month later nobody remembers.
    let later = at(101 + REMEMBERED_S);
    store.retain(older_than(0), later, &nobody, &RUN).unwrap();
    assert_eq!(store.deleted_at(&id(0)).unwrap(), None);
}

#[test]
fn a_cursor_stays_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path(), &[0, 1]);
    let cursor = super::super::Cursor::Poll(super::super::PollCursor {
        page: 7,
        ..Default::default()
    });
    let none = Batch {
        cursor: Some(cursor.clone()),
        ..batch(Vec::new(), None)
    };
    store.put("s", &none).unwrap();
    store
        .retain(older_than(99), at(100), &nobody, &RUN)
        .unwrap();
    assert_eq!(store.cursor("s").unwrap(), Some(cursor));
}

#[test]
fn old_junk_goes_and_is_counted_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path(), &[0]);
    for day in 0..4 {
        let bad = Batch {
            refused: vec![refused(b"junk", "not JSON")],
            observed: at(day * DAY),
            ..Batch::default()
        };
        store.put("s", &bad).unwrap();
    }
    let found = store
        .retain(older_than(2 * DAY), at(5 * DAY), &nobody, &RUN)
        .unwrap();
    assert_eq!(found.deletion.unwrap().unreadable, 2);
    assert_eq!(store.quarantined_of("s").unwrap(), 2);
    assert_eq!(store.quarantine(9).unwrap().len(), 2);
}

#[test]
fn segments_are_emptied_and_removed_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store.spool.segment_bytes = 1_000;
    for n in 0..200 {
        put(&mut store, n, n as i64, n as i64);
    }
    let before = store.spool.segments().unwrap().len();
    let raw = store.raw(&id(3)).unwrap().unwrap();
    let is_kept = |one: &AlertId| *one == id(3);
    store
        .retain(older_than(150), at(300), &is_kept, &RUN)
        .unwrap();
    let after = store.spool.segments().unwrap();
    assert!(
        after.len() < before / 2 && after.iter().all(|(n, _)| *n > 5),
        "{after:?}"
    );
    assert_eq!(store.raw(&id(3)).unwrap().unwrap(), raw);
    assert_eq!(left(&store).len(), 51);
    for row in store.alerts(100).unwrap() {
        let raw = store.raw(&row.alert.id).unwrap().unwrap();
        assert_eq!(
            crate::intake::decode::hex(&Sha256::digest(&raw)),
            row.alert.raw_sha256.to_string()
        );
    }
}

/// More alerts of one document than rows are moved together: they share its bytes as before.
#[test]
fn what_shares_bytes_shares_them_after_its_segment_was_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store.spool.segment_bytes = 1_000;
    let one = accepted("a1000", 1, 250);
    let alerts = (0..1_100).map(|n| {
        let mut alert = Alert::clone(&one.alerts[0]);
        alert.id = AlertId::new(format!("s/k{n}"));
        Arc::new(alert)
    });
    let document = Accepted {
        raw: one.raw.clone(),
        alerts: alerts.collect(),
    };
    store.put("s", &batch(vec![document], None)).unwrap();
    for n in 0..20 {
        put(&mut store, n, 300, 300);
    }
    let places = |store: &Store| -> (i64, i64, i64) {
        let sql = "SELECT count(*), count(DISTINCT segment * 1000000 + offset), min(segment) FROM alert WHERE id LIKE 's/k%'";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        store.db.query_row(sql, [], row).unwrap()
    };
    let before = store.spool.bytes().unwrap();
    let first = store.spool.segments().unwrap()[0].0;
    store.empty(first, &|| true).unwrap();
    let (rows, distinct, segment) = places(&store);
    assert_eq!((rows, distinct), (1_100, 1));
    assert!(segment > i64::from(first) && store.pieces(first).unwrap() == 0);
    assert!(store.spool.bytes().unwrap() < before + 2_000);
    for id in ["s/k0", "s/k1099"] {
        assert_eq!(store.raw(&AlertId::new(id)).unwrap().unwrap(), &*one.raw);
    }
}

/// An alert that comes again and again leaves its earlier versions behind. Whoever sends one so must not drive out all
/// others.
#[rstest]
#[case::behind_the_others(1)]
#[case::between_them(10)]
fn what_nothing_points_at_goes_before_any_alert(#[case] apart: usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store.spool.segment_bytes = 1_000;
    for n in 0..400 {
        let second = n as i64;
        if n % apart == 0 && n / apart < 40 {
            put(&mut store, 1_000 + n, second, second);
        }
        put(&mut store, 0, second, second);
    }
    let (before, alerts) = (store.bytes().unwrap(), left(&store));
    assert_eq!(alerts.len(), 41);
    let most = before - store.spool.bytes().unwrap() / 2;
    let rule = Rule {
        before: None,
        most_bytes: Some(most),
    };
    assert!(store.is_due(rule, at(500)).unwrap());
    let found = store.retain(rule, at(500), &nobody, &RUN).unwrap();
    assert_eq!(left(&store), alerts);
    assert_eq!(found.deletion, None);
    assert!(found.bytes <= most, "{} of {most}", found.bytes);
    for row in store.alerts(100).unwrap() {
        let raw = store.raw(&row.alert.id).unwrap().unwrap();
        assert_eq!(
            crate::intake::decode::hex(&Sha256::digest(&raw)),
            row.alert.raw_sha256.to_string()
        );
    }
}

#[test]
fn the_database_gets_shorter() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let long = "x".repeat(2_000);
    let pieces: Vec<Accepted> = (0..5_000)
        .map(|n| {
            let mut piece = accepted(&format!("a{n}"), 1, 0);
            Arc::make_mut(&mut piece.alerts[0]).title = long.as_str().into();
            piece
        })
        .collect();
    store.put("s", &batch(pieces, None)).unwrap();
    put(&mut store, 9_999, 50, 50);
    let before = store.bytes().unwrap();
    let found = store
        .retain(older_than(20), at(100), &nobody, &RUN)
        .unwrap();
    assert_eq!(left(&store), ["a9999"]);
    assert!(found.bytes < before / 4, "{} of {before}", found.bytes);
    drop(store);
    let length = std::fs::metadata(dir.path().join("alerts.db"))
        .unwrap()
        .len();
    assert!(length < 8 << 20, "{length}");
}

#[test]
fn what_was_deleted_is_told_until_it_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path(), &[0, 1, 2]);
    let found = store
        .retain(older_than(99), at(100), &nobody, &RUN)
        .unwrap();
    let deletion = found.deletion.unwrap();
    assert_eq!(
        (deletion.alerts(), deletion.oldest, deletion.newest),
        (2, Some(at(0)), Some(at(1)))
    );
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.unrecorded_deletions().unwrap(), [deletion]);
    store.recorded(&deletion).unwrap();
    assert_eq!(store.unrecorded_deletions().unwrap(), []);
    let again = store
        .retain(older_than(99), at(200), &nobody, &RUN)
        .unwrap();
    assert_eq!(again.deletion, None);
    assert_eq!(store.last_deletion().unwrap(), Some(deletion));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The rule as one would write it down for a list.
    #[test]
    fn it_does_what_a_list_would(
        arrivals in proptest::collection::vec((0_usize..12, 0_i64..30), 1..40),
        before in proptest::option::of(0_i64..40),
        share in proptest::option::of(0_u64..100),
        kept in proptest::collection::hash_set(0_usize..12, 0..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        // Number, last arrival, place in the order of first arrivals.
        let mut list: Vec<(usize, i64)> = Vec::new();
        for (n, second) in arrivals {
            put(&mut store, n, second, second);
            match list.iter_mut().find(|(other, _)| *other == n) {
                Some((_, last)) => *last = second.max(*last),
                None => list.push((n, second)),
            }
        }
        let bytes: std::collections::HashMap<usize, u64> = list.iter().map(|(n, _)| {
            let sql = "SELECT length + octet_length(alert) FROM alert WHERE id = ?1";
            let bytes: i64 = store.db.query_row(sql, [id(*n).as_str()], |row| row.get(0)).unwrap();
            (*n, bytes.unsigned_abs() + ROW_BYTES)
        }).collect();
        let total = store.bytes().unwrap();
        let most = share.map(|share| total * share / 100);
        let excess = most.map_or(0, |most| total - most);

        let newest = list.last().unwrap().0;
        let mut order: Vec<(i64, usize, usize)> =
            list.iter().enumerate().map(|(place, (n, last))| (*last, place, *n)).collect();
        order.sort_unstable();
        let (mut freed, mut want) = (0, Vec::new());
        for (last, _, n) in order {
            let is_wanted = before.is_some_and(|before| last < before) || freed < excess;
            if is_wanted && n != newest && !kept.contains(&n) {
                freed += bytes[&n];
            } else {
                want.push(format!("a{n}"));
            }
        }
        want.sort();

        let rule = Rule { before: before.map(at), most_bytes: most };
        let is_kept = |one: &AlertId| kept.iter().any(|n| id(*n) == *one);
        let found = store.retain(rule, at(100), &is_kept, &RUN).unwrap();
        prop_assert_eq!(left(&store), want);
        prop_assert_eq!(found.deletion.map_or(0, |d| d.bytes), freed);
        for row in store.alerts(100).unwrap() {
            prop_assert!(store.raw(&row.alert.id).unwrap().is_some());
        }
    }
}

/// What the parent kills: it deletes and fills until then.
#[test]
fn a_process_that_is_killed() {
    let Some(dir) = std::env::var_os("STANCH_TEST_RETAIN") else {
        return;
    };
    let mut store = Store::open(std::path::Path::new(&dir)).unwrap();
    store.spool.segment_bytes = 4_000;
    let is_kept = |one: &AlertId| one.as_str().ends_with('7');
    store
        .retain(older_than(400), at(5_000), &is_kept, &RUN)
        .unwrap();
}

#[test]
fn killed_at_any_moment_it_loses_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store.spool.segment_bytes = 4_000;
    let pieces: Vec<Accepted> = (0..1_200)
        .map(|n: usize| accepted(&format!("a{n}"), n as i64, n as i64))
        .collect();
    for lot in pieces.chunks(20) {
        store.put("s", &batch(lot.to_vec(), None)).unwrap();
    }
    let is_kept = |n: &usize| *n >= 400 || n % 10 == 7;
    let program = std::env::current_exe().unwrap();
    for round in 0..8_u64 {
        let mut child = std::process::Command::new(&program)
            .args([
                "--exact",
                "intake::store::retain::tests::a_process_that_is_killed",
            ])
            .env("STANCH_TEST_RETAIN", dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Sooner or later in its work, which goes on from where the one before was killed; the last one is left alone.
        if round < 7 {
            std::thread::sleep(std::time::Duration::from_millis(5 + round * 13 % 60));
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let found = left(&store);
        for n in (0..1_200).filter(is_kept) {
            let raw = store.raw(&id(n)).unwrap();
            assert_eq!(
                raw.as_deref(),
                Some(&*pieces[n].raw),
                "a{n} in round {round}"
            );
        }
        assert!(found.len() >= 840);
    }
    assert_eq!(left(&store).len(), 840);
    let told: u64 = store
        .unrecorded_deletions()
        .unwrap()
        .iter()
        .map(Deletion::alerts)
        .sum();
    assert_eq!(told, 360, "each is told once");
    let segments = store.spool.segments().unwrap();
    let in_use: i64 = segments
        .iter()
        .map(|(n, _)| i64::from(store.pieces(*n).unwrap() == 0))
        .sum();
    assert!(in_use <= 1, "only the newest may be empty");
}
