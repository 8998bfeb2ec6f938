use std::path::Path;
use std::sync::{Arc, Mutex};

use rstest::rstest;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::app::model::AnchorView;
use crate::app::msg::Msg;
use crate::domain::decision::{Decision, DecisionKind, RecordType};
use crate::domain::ids::AlertId;
use crate::journal::{JournalConfig, Options, verify};
use crate::runtime::journal::Journal;

type Heard = Arc<Mutex<Vec<Msg>>>;

fn open(dir: &Path, url: &str) -> (Journal, Heard) {
    let heard = Heard::default();
    let sink = Arc::clone(&heard);
    let config = JournalConfig {
        store: dir.join("store"),
        site: "soc.example".into(),
        keys: dir.join("keys"),
        drill: false,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    };
    let anchoring = Anchoring {
        poster: Some(Poster {
            pauses: (Duration::from_millis(1), Duration::from_millis(20)),
            ..Poster::new(url).unwrap()
        }),
        warn_lines: 4,
        warn_s: 3600,
    };
    let report = Arc::new(move |msg| sink.lock().unwrap().push(msg));
    (Journal::open(config, false, anchoring, report), heard)
}

async fn claim(journal: &Journal, n: usize) {
    let alert = AlertId::new(format!("siem/{n}"));
    let decision = Decision::on(alert, DecisionKind::Claim, None);
    journal
        .record(RecordType::Decision, &decision)
        .await
        .unwrap();
}

/// Waits until the console was told of such a state.
async fn until(heard: &Heard, wanted: impl Fn(&AnchorView) -> bool) -> AnchorView {
    let found = async {
        loop {
            let view = heard.lock().unwrap().iter().rev().find_map(|m| match m {
                Msg::Anchors(view) if wanted(view) => Some(view.clone()),
                _ => None,
            });
            match view {
                Some(view) => return view,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .unwrap()
}

fn warnings(heard: &Heard) -> Vec<String> {
    let heard = heard.lock().unwrap();
    let notices = heard.iter().filter_map(|m| match m {
        Msg::Notice { text, .. } => Some(text.clone()),
        _ => None,
    });
    notices.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_receiver_stored_proves_that_the_tail_is_there() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/anchors"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let dir = tempfile::tempdir().unwrap();
    let (journal, heard) = open(dir.path(), &format!("{}/anchors", server.uri()));
    for n in 0..3 {
        claim(&journal, n).await;
    }
    until(&heard, |view| view.behind == 0 && view.problem.is_none()).await;
    journal.end().await;

    let stored: Vec<u8> = server
        .received_requests()
        .await
        .unwrap()
        .into_iter()
        .flat_map(|r| r.body)
        .collect();
    let file = dir.path().join("stored.jsonl");
    std::fs::write(&file, &stored).unwrap();
    let check = || {
        let options = Options {
            anchors: vec![file.clone()],
            ..Options::default()
        };
        verify(&[dir.path().join("store")], &options)
    };
    let report = check();
    assert!(report.intact(), "{report:?}");
    let log = &report.logs[0];
    assert!(log.witnessed["stored.jsonl"] >= 7, "{log:?}");
    assert_eq!(log.claimed["http"], log.witnessed["stored.jsonl"]);
    // The record that tells of the anchor is newer than what it tells of.
    assert!(
        log.unanchored_lines < log.head_size && log.unanchored_since.is_some(),
        "{log:?}"
    );

    // A tail that is cut together with everything the log says of itself is found by what left the machine.
    let logs = dir.path().join("store/logs");
    let host = std::fs::read_dir(&logs).unwrap().next().unwrap().unwrap();
    let log = std::fs::read_dir(host.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let segment = log.path().join("00000000000000000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    let cut = text.lines().take(4).collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(&segment, cut).unwrap();
    std::fs::remove_file(log.path().join("checkpoint")).unwrap();
    let report = check();
    assert_eq!(report.exit_code(None), 1);
    let said = format!("{:?}", report.logs[0].findings);
    assert!(said.contains("stored.jsonl holds a signed head"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_seen_stops_nothing_and_is_asked_again() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(3)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200))
        .with_priority(9)
        .mount(&server)
        .await;
    let dir = tempfile::tempdir().unwrap();
    let (journal, heard) = open(dir.path(), &server.uri());
    for n in 0..4 {
        claim(&journal, n).await;
    }
    let view = until(&heard, |view| view.problem.is_some()).await;
    assert!(view.problem.unwrap().contains("503"));
    until(&heard, |view| view.behind == 0 && view.problem.is_none()).await;
    journal.end().await;
    let said = warnings(&heard).join("\n");
    assert_eq!(said.matches("cannot be anchored").count(), 1, "{said}");
    assert_eq!(said.matches("anchored again").count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_distance_past_the_threshold_is_said_once() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(500))
        .mount(&server)
        .await;
    let dir = tempfile::tempdir().unwrap();
    let (journal, heard) = open(dir.path(), &server.uri());
    for n in 0..6 {
        claim(&journal, n).await;
    }
    until(&heard, |view| view.behind >= 12).await;
    let said = warnings(&heard).join("\n");
    assert_eq!(said.matches("have no anchor").count(), 1, "{said}");
}

#[rstest]
#[case("http://anchors.example.org/", "not https")]
#[case("ftp://anchors.example.org/", "neither https")]
#[case("https://me:hunter2@anchors.example.org/", "user or password")]
#[case("anchors", "no URL")]
fn urls_that_are_no_place_for_heads_are_refused(#[case] url: &str, #[case] says: &str) {
    let error = Poster::new(url).unwrap_err();
    assert!(
        error.contains(says) && !error.contains("hunter2"),
        "{error}"
    );
}

/// What an act came to is written as soon as another console lets go of the log; until then it says that it is not.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_waits_for_the_lock_and_a_decision_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, heard) = open(dir.path(), "http://127.0.0.1:9/");
    claim(&journal, 0).await;
    let logs = dir.path().join("store/logs");
    let first = |path: std::path::PathBuf| {
        std::fs::read_dir(path)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    };
    let lock = std::fs::File::open(first(first(logs)).join("lock")).unwrap();
    lock.lock().unwrap();
    let alert = AlertId::new("siem/1");
    let claimed = Decision::on(alert, DecisionKind::Claim, None);
    let refused = journal.record(RecordType::Decision, &claimed).await;
    assert!(refused.unwrap_err().to_string().contains("try again"));
    let outcome = serde_json::json!({"intent": "i", "outcome": "accepted"});
    let writing = tokio::spawn({
        let journal = journal.clone();
        async move { journal.append(vec![(RecordType::Outcome, outcome)]).await }
    });
    let said = |heard: &Heard, wanted: &dyn Fn(&Option<String>) -> bool| {
        let heard = heard.lock().unwrap();
        heard
            .iter()
            .any(|m| matches!(m, Msg::JournalProblem(text) if wanted(text)))
    };
    let not_recorded = |t: &Option<String>| t.as_ref().is_some_and(|t| t.contains("NOT RECORDED"));
    while !said(&heard, &not_recorded) {
        tokio::task::yield_now().await;
    }
    lock.unlock().unwrap();
    writing.await.unwrap().unwrap();
    assert!(said(&heard, &|text| text.is_none()), "the banner goes");
}
