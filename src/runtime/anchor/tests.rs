use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::app::model::AnchorView;
use crate::app::msg::Msg;
use crate::domain::decision::{Decision, DecisionKind, RecordType};
use crate::domain::ids::AlertId;
use crate::journal::{self, JournalConfig, Options, Trust, verify};
use crate::runtime::journal::Journal;

type Heard = Arc<Mutex<Vec<Msg>>>;

fn open(dir: &Path, url: &str) -> (Journal, Heard) {
    open_with(dir, Poster::new(url).unwrap())
}

fn open_with(dir: &Path, poster: Poster) -> (Journal, Heard) {
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
            ..poster
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

/// A witness as C2SP tlog-witness wants it: it cosigns what continues what it saw, and says what it saw otherwise.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Cosigned>>>);

/// How many lines, and their root.
type Cosigned = (u64, [u8; 32]);

impl Seen {
    fn answer(&self, body: &str) -> ResponseTemplate {
        let decode = |text: &str| STANDARD.decode(text).unwrap().try_into().unwrap();
        let (head, note) = body.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old = lines.next().unwrap().strip_prefix("old ").unwrap();
        let old: u64 = old.parse().unwrap();
        let proof: Vec<[u8; 32]> = lines.map(decode).collect();
        let mut text = note.lines().skip(1);
        let size: u64 = text.next().unwrap().parse().unwrap();
        let root = decode(text.next().unwrap());
        let mut seen = self.0.lock().unwrap();
        let (known, was) = seen.last().copied().unwrap_or_default();
        if old != known {
            return ResponseTemplate::new(409)
                .insert_header("Content-Type", "text/x.tlog.size")
                .set_body_string(format!("{known}\n"));
        }
        if size < old || !journal::consistent((old, size), (was, root), &proof) {
            return ResponseTemplate::new(422);
        }
        seen.push((size, root));
        let (_, other) = journal::cosign(9, "w1.example", note, 1_700_000_000);
        let (_, line) = journal::cosign(7, "w1.example", note, 1_700_000_000);
        ResponseTemplate::new(200).set_body_string(format!("{other}{line}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_signs_what_continues_what_it_saw() {
    let server = MockServer::start().await;
    let seen = Seen::default();
    let witness = seen.clone();
    Mock::given(method("POST"))
        .and(path("/w/add-checkpoint"))
        .respond_with(move |request: &wiremock::Request| {
            witness.answer(std::str::from_utf8(&request.body).unwrap())
        })
        .mount(&server)
        .await;
    let (vkey, _) = journal::cosign(7, "w1.example", "a\n0\nAA==\n\n\u{2014} a AA==\n", 1);
    let poster = || {
        let url = format!("{}/w/", server.uri());
        Poster::new(&url).unwrap().witnessed(&vkey).unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    // The second console does not know what the witness saw.
    for round in 0..2 {
        let (journal, heard) = open_with(dir.path(), poster());
        for n in 0..3 {
            claim(&journal, round * 3 + n).await;
            until(&heard, |view| view.behind == 0).await;
        }
        journal.end().await;
        let failed = |text: &String| text.contains("cannot be anchored");
        assert!(!warnings(&heard).iter().any(failed), "{heard:?}");
    }
    // Later heads cover earlier ones, so not every one is asked for.
    assert!(seen.0.lock().unwrap().len() >= 2);

    let store = dir.path().join("store");
    let first = |path: std::path::PathBuf| {
        let entry = std::fs::read_dir(path).unwrap().next().unwrap();
        entry.unwrap().path()
    };
    let log = first(first(store.join("logs")));
    let own = std::fs::read_to_string(log.join("vkey")).unwrap();
    let own = own.trim_end();
    let origin = own.split('+').next().unwrap();
    let roster = format!("[[log]]\norigin = {origin:?}\nkeys = [{own:?}]\n");
    let judge = |roster: &str| {
        let options = Options {
            trust: Some(Trust::parse(roster).unwrap()),
            ..Options::default()
        };
        verify(std::slice::from_ref(&store), &options)
    };
    let last = seen.0.lock().unwrap().last().unwrap().0;
    let report = judge(&format!("{roster}[[witness]]\nkey = {vkey:?}\n"));
    let witnessed = &report.logs[0].witnessed;
    assert!(report.intact(), "{report:?}");
    assert_eq!(
        witnessed.get("witness w1.example"),
        Some(&last),
        "{report:?}"
    );
    // Nobody else's witness counts.
    let (other, _) = journal::cosign(8, "w1.example", "a\n0\nAA==\n\n\u{2014} a AA==\n", 1);
    let report = judge(&format!("{roster}[[witness]]\nkey = {other:?}\n"));
    assert!(report.logs[0].witnessed.is_empty() && report.warnings() > 0);

    // The log was told anew: the witness does not go along.
    std::fs::remove_dir_all(&store).unwrap();
    let (journal, heard) = open_with(dir.path(), poster());
    claim(&journal, 9).await;
    let view = until(&heard, |view| view.problem.is_some()).await;
    let problem = view.problem.unwrap();
    assert!(problem.contains("lines are gone"), "{problem}");
    journal.end().await;
}
