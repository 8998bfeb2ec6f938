use std::fs;

use rstest::rstest;

mod earlier;

use super::*;
use crate::domain::text::Untrusted;
use crate::intake::decode;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

pub(super) fn accepted(id: &str, time: i64, observed: i64) -> Accepted {
    let raw = format!(r#"{{"class_uid":2004,"time":{time},"finding_info":{{"uid":"{id}"}}}}"#)
        .into_bytes();
    let alerts = decode::decode(None, &raw, "s", at(observed)).unwrap();
    let raw = raw.into();
    Accepted { raw, alerts }
}

fn cursor(generation: u64, offset: u64) -> Cursor {
    Cursor::File(FileCursor {
        generation,
        dev: 1,
        ino: 2,
        offset,
        fingerprint: "f".to_owned(),
        written: (0, 0),
        left: Vec::new(),
    })
}

pub(super) fn batch(accepted: Vec<Accepted>, cursor: Option<Cursor>) -> Batch {
    Batch {
        accepted,
        refused: Vec::new(),
        cursor,
        observed: at(0),
        ..Batch::default()
    }
}

pub(super) fn refused(raw: &[u8], reason: &str) -> Refused {
    Refused {
        raw: raw.to_vec(),
        length: raw.len() as u64,
        sha256: "00".to_owned(),
        reason: reason.to_owned(),
    }
}

#[test]
fn keeps_alerts_raw_bytes_and_cursor_across_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let a = accepted("a", 1_795_000_000, 1);
    let stored = Store::open(dir.path())
        .unwrap()
        .put("s", &batch(vec![a.clone()], Some(cursor(0, 10))))
        .unwrap();
    assert_eq!(
        (stored.new, &stored.touched[0].alert.id),
        (1, &a.alerts[0].id)
    );
    let store = Store::open(dir.path()).unwrap();
    let found = store.alerts(10).unwrap();
    assert_eq!(found, stored.touched);
    assert_eq!(found[0].alert, a.alerts[0]);
    assert_eq!(
        (found[0].count, found[0].first_seen, found[0].last_seen),
        (1, at(1), at(1))
    );
    assert_eq!(store.raw(&a.alerts[0].id).unwrap(), Some(a.raw.into()));
    assert_eq!(store.cursor("s").unwrap(), Some(cursor(0, 10)));
    assert_eq!(store.cursor("other").unwrap(), None);
    assert_eq!(store.alert(&AlertId::new("s/none")).unwrap(), None);
}

#[test]
fn a_repeated_id_counts_and_keeps_its_newest_version() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let (old, new, late) = (
        accepted("a", 1_795_000_000, 1),
        accepted("a", 1_795_000_500, 2),
        accepted("a", 1_795_000_100, 3),
    );
    store.put("s", &batch(vec![old.clone()], None)).unwrap();
    let again = store
        .put("s", &batch(vec![new.clone(), late], None))
        .unwrap();
    assert_eq!((again.new, again.touched.len()), (0, 1));
    let found = store.alerts(10).unwrap();
    assert_eq!(found, again.touched);
    assert_eq!(
        (found[0].count, found[0].first_seen, found[0].last_seen),
        (3, at(1), at(3))
    );
    assert_eq!(found[0].alert.time, new.alerts[0].time);
    assert_eq!(found[0].alert.exposed_at, old.alerts[0].exposed_at);
    assert_eq!(store.raw(&old.alerts[0].id).unwrap(), Some(new.raw.into()));
    assert_eq!(
        store.counts().unwrap(),
        Counts {
            alerts: 1,
            arrivals: 3,
            quarantined: 0
        }
    );
}

#[rstest]
#[case("s/a-1", &["s/a-1"])]
#[case("-1", &["s/a-1", "s/b-1"])]
#[case("2", &["s/a-2"])]
#[case("its \"own\" id", &["s/b-1"])]
#[case("a", &[])]
#[case("%", &[])]
#[case("", &[])]
fn alerts_are_found_by_the_end_of_their_key_or_the_id_of_their_source(
    #[case] wanted: &str,
    #[case] keys: &[&str],
) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let all = ["a-1", "a-2", "b-1"].map(|id| {
        let mut accepted = accepted(id, 1_795_000_000, 1);
        if id == "b-1" {
            Arc::make_mut(&mut accepted.alerts[0]).native_id =
                Some(Untrusted::new("its \"own\" id"));
        }
        accepted
    });
    store.put("s", &batch(all.into(), None)).unwrap();
    let found = store.named(wanted, 10).unwrap();
    let found: Vec<&str> = found.iter().map(|row| row.alert.id.as_str()).collect();
    assert_eq!(found, keys);
    assert!(store.named(wanted, 1).unwrap().len() <= 1);
}

#[test]
fn a_crash_before_the_commit_leaves_nothing_and_the_retry_stores_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store
        .put(
            "s",
            &batch(vec![accepted("a", 1_795_000_000, 1)], Some(cursor(0, 10))),
        )
        .unwrap();
    let next = batch(vec![accepted("b", 1_795_000_001, 2)], Some(cursor(0, 20)));
    store.crash_before_commit = true;
    assert!(store.put("s", &next).is_err());
    drop(store);
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.counts().unwrap().alerts, 1);
    assert_eq!(store.cursor("s").unwrap(), Some(cursor(0, 10)));
    let stored = store.put("s", &next).unwrap();
    assert_eq!(stored.new, 1);
    let id = AlertId::new("s/b");
    assert_eq!(
        store.raw(&id).unwrap().as_deref(),
        Some(&*next.accepted[0].raw)
    );
    assert_eq!(
        store.raw(&AlertId::new("s/a")).unwrap(),
        Some(accepted("a", 1_795_000_000, 1).raw.into())
    );
}

#[test]
fn a_batch_replayed_after_its_commit_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let mut first = batch(vec![accepted("a", 1_795_000_000, 1)], Some(cursor(0, 10)));
    first.refused.push(refused(b"junk", "not JSON"));
    store.put("s", &first).unwrap();
    let before = (store.alerts(10).unwrap(), store.counts().unwrap());
    assert!(store.put("s", &first).unwrap().replayed);
    assert_eq!((store.alerts(10).unwrap(), store.counts().unwrap()), before);
    let other_generation = Batch {
        cursor: Some(cursor(1, 10)),
        ..first
    };
    assert!(!store.put("s", &other_generation).unwrap().replayed);
}

#[test]
fn the_bytes_are_durable_before_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    // A segment that cannot be written to stands for a full disk.
    fs::create_dir(dir.path().join("spool/00000001.seg")).unwrap();
    let error = store
        .put(
            "s",
            &batch(vec![accepted("a", 1_795_000_000, 1)], Some(cursor(0, 10))),
        )
        .unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert_eq!(store.counts().unwrap().alerts, 0);
    assert_eq!(store.cursor("s").unwrap(), None);
}

#[test]
fn quarantine_keeps_bytes_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let mut bad = batch(Vec::new(), Some(cursor(0, 5)));
    bad.refused = vec![
        refused(b"\xff\x1b[2J", "not UTF-8 from byte 0 on"),
        refused(b"", "not JSON"),
    ];
    store.put("s", &bad).unwrap();
    let found = store.quarantine(10).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[1].source.as_str(), found[1].reason.as_str()),
        ("s", "not UTF-8 from byte 0 on")
    );
    assert_eq!(found[1].beginning.show(), "\u{fffd}\\u{1b}[2J");
    assert_eq!(
        (
            store.quarantined_of("s").unwrap(),
            store.counts().unwrap().quarantined
        ),
        (2, 2)
    );
}

#[test]
fn two_writers_do_not_mix_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let threads: Vec<_> = ["x", "y"]
        .into_iter()
        .map(|name| {
            let dir = dir.path().to_owned();
            std::thread::spawn(move || {
                let mut store = Store::open(&dir).unwrap();
                for i in 0..20 {
                    store
                        .put(
                            name,
                            &batch(vec![accepted(&format!("{name}{i}"), 1, 1)], None),
                        )
                        .unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    let found = store.alerts(100).unwrap();
    assert_eq!(found.len(), 40);
    for row in found {
        let raw = store.raw(&row.alert.id).unwrap().unwrap();
        assert_eq!(
            decode::hex(&sha2::Sha256::digest(&raw)),
            row.alert.raw_sha256.to_string()
        );
    }
}

use sha2::Digest as _;

#[test]
fn what_others_store_is_seen_in_order_and_what_came_again_too() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = (
        Store::open(dir.path()).unwrap(),
        Store::open(dir.path()).unwrap(),
    );
    let put = |writer: &mut Store, ids: &[&str]| {
        let pieces = ids.iter().map(|id| accepted(id, 1_795_000_000, 0));
        writer.put("s", &batch(pieces.collect(), None)).unwrap();
    };
    put(&mut writer, &["old"]);
    let mark = reader.mark().unwrap();
    assert_eq!(reader.changes(mark, 9).unwrap().rows, []);
    put(&mut writer, &["a", "b", "c"]);
    put(&mut writer, &["old", "b"]);
    reader.settle().unwrap();
    let mut seen = Vec::new();
    let mut mark = mark;
    loop {
        let changes = reader.changes(mark, 2).unwrap();
        mark = changes.mark;
        seen.extend(
            changes
                .rows
                .iter()
                .map(|row| (row.alert.own_id().to_owned(), row.count)),
        );
        if !changes.is_more {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    let wanted = [("a", 1), ("b", 2), ("c", 1), ("old", 2)];
    assert_eq!(seen, wanted.map(|(id, count)| (id.to_owned(), count)));
    assert_eq!(reader.changes(mark, 9).unwrap().rows, []);
}

#[test]
fn the_same_sending_counts_once_for_as_long_as_it_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let mut sent = |seconds: i64, sha256: &str| {
        let mut batch = batch(vec![accepted("a", 1_795_000_000, 0)], None);
        batch.observed = at(seconds);
        batch.delivery = Some(Delivery {
            sha256: sha256.to_owned(),
            for_s: 60,
        });
        store.put("s", &batch).unwrap().replayed
    };
    let found = [(0, "x"), (60, "x"), (61, "x"), (62, "y"), (63, "x")].map(|(s, h)| sent(s, h));
    assert_eq!(found, [false, true, false, false, true]);
    assert_eq!(store.alerts(9).unwrap()[0].count, 3);
}

#[test]
fn what_is_asked_for_again_counts_only_when_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    for time in [1_795_000_000, 1_795_000_000, 1_795_000_001] {
        let mut batch = batch(vec![accepted("a", time, 0)], None);
        batch.is_asked_again = true;
        store.put("s", &batch).unwrap();
    }
    assert_eq!(store.alerts(9).unwrap()[0].count, 2);
}
