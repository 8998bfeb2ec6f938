//! Alerts that were stored before: read in pages behind the screen, and one in full when somebody looks at it.

use super::journal::Report;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::ids::AlertId;
use crate::domain::queue::Row;
use crate::intake::store::{LockedStore, StoredAlert};

/// Alerts in a page: few enough that taking one in holds up no key.
const PAGE: usize = 4_096;

/// Turns a stored alert into a row of the queue.
pub fn row(stored: StoredAlert) -> Row {
    Row {
        alert: stored.alert,
        count: stored.count,
        first_seen: stored.first_seen,
        last_seen: stored.last_seen,
    }
}

/// Reports all stored alerts, the latest first. Blocks.
pub fn load(store: &LockedStore, report: &Report) {
    let mut before = None;
    loop {
        // Between two pages what arrives now gets its turn.
        let page = store.lock().page(before, PAGE);
        match page {
            Ok((rows, next)) => {
                report(Msg::Stored(rows.into_iter().map(row).collect()));
                before = next;
            }
            Err(error) => {
                report(Msg::Notice {
                    level: Level::Error,
                    text: format!("stored alerts cannot be read, older ones are missing: {error}"),
                });
                break;
            }
        }
        if before.is_none() {
            break;
        }
    }
    report(Msg::StoredRead);
}

/// Reads one alert in full. Blocks.
pub fn read(store: &LockedStore, id: &AlertId) -> Msg {
    let store = store.lock();
    let result = match (store.alert(id), store.deleted_at(id)) {
        (Ok(Some(stored)), _) => Ok(stored.alert),
        (Ok(None), Ok(Some(at))) => Err(format!(
            "it was deleted on {} for its age, or because the store was full ([alerts] in the configuration); what was \
             decided about it stands in the log",
            at.strftime("%Y-%m-%d %H:%MZ")
        )),
        (Ok(None), Ok(None)) => Err("it is not in the store any more".to_owned()),
        (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
    };
    let id = id.clone();
    Msg::AlertRead { id, result }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use jiff::Timestamp;

    use super::*;
    use crate::intake::decode::decode;
    use crate::intake::store::{Accepted, Batch, Rule, Store};

    /// At fifty thousand a second whoever stores takes the store again as soon as it gave it back.
    #[test]
    fn whoever_waits_for_the_store_gets_it_before_whoever_has_it_gets_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = LockedStore::new(Store::open(dir.path()).unwrap());
        for _ in 0..20 {
            let (waits, had_it) = (OnceLock::new(), AtomicBool::new(false));
            let was_next = std::thread::scope(|scope| {
                let held = store.lock();
                scope.spawn(|| {
                    let me = std::fs::read_link("/proc/thread-self").unwrap();
                    waits.set(Path::new("/proc").join(me)).unwrap();
                    let _held = store.lock();
                    had_it.store(true, Ordering::Relaxed);
                });
                while !waits.get().is_some_and(|thread| sleeps(thread)) {
                    std::thread::yield_now();
                }
                drop(held);
                let _held = store.lock();
                had_it.load(Ordering::Relaxed)
            });
            assert!(was_next);
        }
    }

    /// Whether a thread waits for something (`proc_pid_stat(5)`, field `state`).
    fn sleeps(thread: &Path) -> bool {
        let stat = std::fs::read_to_string(thread.join("stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|s| s.starts_with('S'))
    }

    #[test]
    fn a_deleted_alert_is_told_from_one_that_never_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let came = Timestamp::from_second(1_790_000_000).unwrap();
        for id in ["a", "b"] {
            let raw = format!(r#"{{"class_uid":2004,"time":1,"finding_info":{{"uid":"{id}"}}}}"#);
            let alerts = decode(None, raw.as_bytes(), "s", came).unwrap();
            let raw = raw.into_bytes().into();
            let batch = Batch {
                accepted: vec![Accepted { raw, alerts }],
                observed: came,
                ..Batch::default()
            };
            store.put("s", &batch).unwrap();
        }
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let rule = Rule {
            before: Some(now),
            most_bytes: None,
        };
        store
            .retain(rule, now, &|_| false, &AtomicBool::new(false))
            .unwrap();
        let store = LockedStore::new(store);
        let says = |id: &str| match read(&store, &AlertId::new(id)) {
            Msg::AlertRead { result, .. } => result.err().unwrap_or_default(),
            other => panic!("{other:?}"),
        };
        assert!(says("s/a").starts_with("it was deleted on 2026-11-21 12:00Z"));
        assert_eq!(says("s/b"), "", "the last one stays");
        assert_eq!(says("s/c"), "it is not in the store any more");
    }
}
