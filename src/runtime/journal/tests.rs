use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::domain::coverage::CellState;
use crate::domain::decision::Entry;
use crate::domain::ids::{AlertId, IntentId};
use crate::journal::Disk;
use crate::journal::{self, Options};

type Heard = Arc<Mutex<Vec<Msg>>>;

struct Place(tempfile::TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, disk: &Arc<Disk>, fallback: Option<&Path>) -> (Journal, Heard) {
        let config = JournalConfig {
            store: self.path("store"),
            site: "soc.example".into(),
            keys: self.path("keys"),
            drill: false,
            allow_network_fs: true,
            person: None,
            policy: None,
            fallback: fallback.map(Path::to_owned),
        };
        let heard = Heard::default();
        let sink = Arc::clone(&heard);
        let report: Report = Arc::new(move |msg| sink.lock().unwrap().push(msg));
        let disk = Arc::clone(disk);
        let anchoring = Anchoring {
            poster: None,
            warn_lines: 100,
            warn_s: 900,
        };
        let open = |config| Writer::open_on(config, disk, Timestamp::now());
        (
            Journal::open_with(config, false, anchoring, report, open),
            heard,
        )
    }
}

fn intent(id: &str) -> Vec<(RecordType, Value)> {
    let body = json!({
        "intent": id, "digest": "d", "step": "1", "verb": "revoke_sessions", "identity": "a:b", "alert": "s/1",
        "undo": false, "process": {"pid": 1, "start": 1, "boot": "b"},
    });
    vec![(RecordType::Intent, body)]
}

fn outcome(id: &str) -> Vec<(RecordType, Value)> {
    let body = json!({
        "intent": id, "outcome": "rejected", "http_status": 403, "provider_request_id": null, "attempts": 1,
        "error": "the answer holds ghp_0123456789abcdefghijABCDEFGHIJ012345", "body_sha256": null,
    });
    vec![(RecordType::Outcome, body)]
}

fn unrecorded(heard: &Heard) -> Option<String> {
    let heard = heard.lock().unwrap();
    heard.iter().rev().find_map(|msg| match msg {
        Msg::Unrecorded(text) => Some(text.clone()),
        _ => None,
    })
}

const fn lost(disk: &Disk) -> &AtomicBool {
    &disk.lost
}

const fn full(disk: &Disk) -> &AtomicBool {
    &disk.full
}

/// An act is under way when the disk fails: what it came to is kept, said, and stands in the log at the next start.
#[rstest]
#[case::lost(lost)]
#[case::full(full)]
#[tokio::test]
async fn what_an_act_came_to_outlives_its_disk(#[case] fails: fn(&Disk) -> &AtomicBool) {
    let place = Place(tempfile::tempdir().unwrap());
    let other = place.path("other-disk");
    let disk = Arc::new(Disk::default());
    let (journal, heard) = place.open(&disk, Some(&other));
    journal.append(intent("i-1")).await.unwrap();
    journal.append(intent("i-2")).await.unwrap();
    fails(&disk).store(true, Ordering::Relaxed);
    assert!(journal.append(outcome("i-1")).await.is_err());
    // It works again, but nobody knows what is on it.
    fails(&disk).store(false, Ordering::Relaxed);
    assert!(journal.append(outcome("i-2")).await.is_err());

    let said = unrecorded(&heard).unwrap();
    assert!(
        said.starts_with("NOT RECORDED in the log but in "),
        "{said}"
    );
    assert!(said.contains("other-disk"), "{said}");
    let blocked = journal.blocked().await.unwrap();
    assert!(blocked.starts_with(&said), "{blocked}");
    let refused = journal.append(intent("i-3")).await.unwrap_err();
    assert!(
        refused.to_string().contains("restart the console"),
        "{refused}"
    );
    let banner =
        |msg: &Msg| matches!(msg, Msg::JournalProblem(Some(text)) if text.contains("NOT RECORDED"));
    assert!(heard.lock().unwrap().iter().any(banner));
    let file = std::fs::read_dir(&other).unwrap().next().unwrap();
    let kept = std::fs::read_to_string(file.unwrap().path()).unwrap();
    assert!(kept.is_ascii() && !kept.contains("0123456789"), "{kept}");
    journal.end().await;

    let (journal, heard) = place.open(&disk, Some(&other));
    let decisions = journal.decisions().await.unwrap();
    for id in ["i-1", "i-2"] {
        let act = decisions.act(&IntentId::new(id)).unwrap();
        assert_eq!(act.cell(), CellState::Failed, "{act:?}");
    }
    assert_eq!(journal.blocked().await, None);
    let told = |msg: &Msg| matches!(msg, Msg::Notice { text, .. } if text.contains("2 records stand in the log now"));
    assert!(heard.lock().unwrap().iter().any(told));
    journal.append(intent("i-3")).await.unwrap();
    journal.end().await;
    let (journal, _) = place.open(&disk, Some(&other));
    journal.end().await;
    let report = journal::verify(&[place.path("store")], &Options::default());
    assert!(report.intact(), "{report:?}");
    let (entries, _) = journal::read_store(&place.path("store"));
    let taken = |e: &&Entry| e.kind == RecordType::Outcome && e.body.contains_key("kept_elsewhere");
    assert_eq!(entries.iter().filter(taken).count(), 2, "each once");
}

/// With nowhere to keep it, it is at least said what to write down.
#[tokio::test]
async fn without_another_place_it_is_said_what_is_lost() {
    let place = Place(tempfile::tempdir().unwrap());
    let disk = Arc::new(Disk::default());
    let (journal, heard) = place.open(&disk, None);
    journal.append(intent("i-1")).await.unwrap();
    disk.lost.store(true, Ordering::Relaxed);
    assert!(journal.append(outcome("i-1")).await.is_err());
    let said = unrecorded(&heard).unwrap();
    let want = "NOT RECORDED in the log and nowhere else: write down outcome rejected of i-1";
    assert_eq!(said, want);
    journal.end().await;
}

/// What did not happen yet is simply refused.
#[tokio::test]
async fn a_new_act_is_refused_and_nothing_is_kept() {
    let place = Place(tempfile::tempdir().unwrap());
    let disk = Arc::new(Disk::default());
    let (journal, heard) = place.open(&disk, Some(&place.path("other-disk")));
    assert_eq!(journal.blocked().await, None);
    disk.full.store(true, Ordering::Relaxed);
    assert!(journal.append(intent("i-1")).await.is_err());
    assert_eq!(unrecorded(&heard), None);
    // A full disk may have room again.
    disk.full.store(false, Ordering::Relaxed);
    journal.append(intent("i-1")).await.unwrap();
    assert!(!place.path("other-disk").exists());
    journal.end().await;
}

fn note(about: &str) -> Decision {
    let kind = crate::domain::decision::DecisionKind::Note;
    Decision::on(AlertId::new(about), kind, None)
}

/// A console is asked again and again while it writes itself, so that many questions are answered from one look. What
/// another console stopped before somebody asked is in every answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_look_misses_what_another_console_wrote_before_it() {
    let place = Place(tempfile::tempdir().unwrap());
    let disk = Arc::new(Disk::default());
    let (asked, _) = place.open(&disk, None);
    let (other, _) = place.open(&disk, None);
    let done = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..6)
        .map(|n| {
            let (asked, done) = (asked.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    asked.look_now(|known| known.acts().count()).await.unwrap();
                    if n == 0 {
                        asked.record_decisions(&[note("own")]).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for n in 1..=40 {
        other.record_decisions(&[note("freeze")]).await.unwrap();
        let freezes = |known: &Decisions| known.of_alert(&AlertId::new("freeze")).len();
        let mine = |known: &Decisions| known.of_alert(&AlertId::new("mine")).len();
        let both = move |known: &Decisions| (freezes(known), mine(known));
        let own = note("mine");
        let record = asked.record_and_look(RecordType::Decision, &own, both);
        assert_eq!(record.await.unwrap(), (2 * n - 1, n));
        other.record_decisions(&[note("freeze")]).await.unwrap();
        let n = n * 2;
        let looks = (0..4).map(|_| asked.look_now(freezes));
        for told in futures::future::join_all(looks).await {
            assert_eq!(told.unwrap(), n);
        }
        let latest = asked.latest().await.unwrap();
        assert_eq!(latest.of_alert(&AlertId::new("freeze")).len(), n);
    }
    done.store(true, Ordering::Relaxed);
    for one in busy {
        one.await.unwrap();
    }
    asked.end().await;
    other.end().await;
}

/// Whoever asks for something else while records are gathered hears of what was written before.
#[tokio::test]
async fn what_was_written_is_in_the_next_answer() {
    let place = Place(tempfile::tempdir().unwrap());
    let (journal, _) = place.open(&Arc::new(Disk::default()), None);
    for n in 1..=20 {
        let records = (0..8).map(|_| {
            let journal = journal.clone();
            async move {
                let notes = |known: &Decisions| known.of_alert(&AlertId::new("a")).len();
                let before = journal.look(notes).await.unwrap();
                journal.record_decisions(&[note("a")]).await.unwrap();
                assert!(journal.look(notes).await.unwrap() > before);
            }
        });
        futures::future::join_all(records).await;
        assert_eq!(
            journal
                .decisions()
                .await
                .unwrap()
                .of_alert(&AlertId::new("a"))
                .len(),
            n * 8
        );
    }
    journal.end().await;
}

/// Another console that writes without a pause is heard of while it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_without_end_is_read_all_the_same() {
    let place = Place(tempfile::tempdir().unwrap());
    let disk = Arc::new(Disk::default());
    let (asked, heard) = place.open(&disk, None);
    let (other, _) = place.open(&disk, None);
    assert_eq!(asked.blocked().await, None);
    other.record_decisions(&[note("freeze")]).await.unwrap();
    let freeze = |entry: &Entry| entry.body.get("alert").is_some_and(|a| a == "freeze");
    let read = || {
        let heard = heard.lock().unwrap();
        heard.iter().any(|msg| match msg {
            Msg::Journal(entries) => entries.iter().any(freeze),
            _ => false,
        })
    };
    let end = Instant::now() + std::time::Duration::from_mins(1);
    while !read() {
        assert!(Instant::now() < end, "nobody read it");
        asked.orders.send(Order::Poll).unwrap();
        std::thread::yield_now();
    }
    asked.end().await;
    other.end().await;
}
