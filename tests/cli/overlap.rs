//! Rotation with an overlap by subcommands: what waits for its time is ended, stopped, refused, lost and begun twice.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::desk::{Desk, finding};
use super::served::Served;

/// What the provider does when a key is to be turned off.
const OBEYS: u8 = 0;
const REFUSES: u8 = 1;
const NEVER_ANSWERS: u8 = 2;

/// Keys that are live, and how often one was to be turned off.
struct Provider {
    server: MockServer,
    live: Arc<Mutex<Vec<&'static str>>>,
    mode: Arc<AtomicU8>,
    calls: Arc<AtomicUsize>,
    arrived: Receiver<()>,
}

impl Provider {
    async fn start() -> Self {
        let server = MockServer::builder().start().await;
        let live = Arc::new(Mutex::new(vec!["old"]));
        let (mode, calls) = (
            Arc::new(AtomicU8::new(OBEYS)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (sender, arrived) = channel();

        let keys = Arc::clone(&live);
        let list = move |_: &Request| {
            ResponseTemplate::new(200).set_body_json(json!({"live": *keys.lock().unwrap()}))
        };
        let asked = |verb: &str, at: &'static str| Mock::given(method(verb)).and(path(at));
        asked("GET", "/keys")
            .respond_with(list)
            .mount(&server)
            .await;
        let keys = Arc::clone(&live);
        let issue = move |_: &Request| {
            keys.lock().unwrap().push("new");
            ResponseTemplate::new(201).set_body_json(json!({}))
        };
        asked("POST", "/keys")
            .respond_with(issue)
            .mount(&server)
            .await;
        let (keys, how, count) = (Arc::clone(&live), Arc::clone(&mode), Arc::clone(&calls));
        let retire = move |_: &Request| {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = match how.load(Ordering::SeqCst) {
                OBEYS => {
                    keys.lock().unwrap().retain(|key| *key != "old");
                    ResponseTemplate::new(204)
                }
                REFUSES => ResponseTemplate::new(403).set_body_json(json!({"error": "no"})),
                _ => ResponseTemplate::new(204).set_delay(Duration::from_mins(10)),
            };
            // The test may have ended.
            let _ = sender.send(());
            answer
        };
        asked("POST", "/keys/old/off")
            .respond_with(retire)
            .mount(&server)
            .await;
        Self {
            server,
            live,
            mode,
            calls,
            arrived,
        }
    }

    fn does(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn set_live(&self, keys: &[&'static str]) {
        *self.live.lock().unwrap() = keys.to_vec();
    }

    /// A folder with a playbook whose time is over a minute after the new key is there.
    fn desk(&self, by_hand: &[&str]) -> Desk {
        let mut connector = CONNECTOR.to_owned();
        for verb in ["issue_credential", "retire_credential"] {
            if !by_hand.contains(&verb) {
                connector.push_str(if verb == "issue_credential" {
                    ISSUE
                } else {
                    RETIRE
                });
            }
        }
        let settings = format!(
            "[connector.keys]\nfile = 'keys.toml'\nbase_url = '{}'\ntimeout_s = 30\n\n[playbooks]\nfiles = ['books.toml']\n",
            self.server.uri()
        );
        let card = "[[identity]]\nid = 'keys:svc-a'\nname = 'svc-a'\nkind = 'service_account'\ntechnical_owner = 'Platform'\n\
            connector = 'keys'\nparams = { account = 'svc-a' }\n";
        let desk = Desk::configured(&settings, card);
        desk.write("keys.toml", &connector);
        desk.write("books.toml", BOOK);
        desk.alert(&finding("f-1", "svc-a"));
        desk
    }
}

const CONNECTOR: &str = r#"
kind = "http"
title = "Keys of a test provider"
never_self = "account"

[param.account]
from = "identity"
pattern = '[a-z-]+'
help = "the account"

[[lookup]]
read = { id = "keys", path = "/keys" }
missing = "the answer lists no keys"
vars = { before = ".live" }

[[context.credentials]]
read = { id = "keys", path = "/keys" }
shape = '[.live[] | {id: ., kind: "key"}]'
"#;

const ISSUE: &str = r#"
[action.issue_credential]
title = "Create a key beside those in use"
layer = "credentials"
breaks = "nothing"
idempotent = false
target = "keys of {account}"
request = [{ id = "issue", method = "POST", path = "/keys", expect = [201] }]
verify = { request = [{ id = "keys", path = "/keys" }], proven_if = ".keys.body.live - $before | length > 0", interval_ms = 50, deadline_ms = 200, says = "a key is live that was not" }
undo = { irreversible = "a key more takes nothing" }
"#;

const RETIRE: &str = r#"
[action.retire_credential]
title = "Turn the old keys off"
layer = "credentials"
breaks = "whoever uses an old key"
idempotent = true
target = "old keys of {account}"
request = [{ id = "off", method = "POST", path = "/keys/{each}/off", for_each = "before", expect = [204] }]
verify = { request = [{ id = "keys", path = "/keys" }], proven_if = ".keys.body.live - $before == .keys.body.live", interval_ms = 50, deadline_ms = 200, says = "no old key is live" }
undo = { irreversible = "an old key stays off" }
"#;

const BOOK: &str = "[[playbook]]\nid = 'overlap'\ntitle = 'Overlap'\nwhen = {}\nstep = [\n\
    { do = 'preserve_evidence', team = 'SOC', tier = 'monitor' },\n\
    { do = 'issue_credential', team = 'IAM', tier = 'soft', verify = 'the new key works', irreversible = 'it takes nothing' },\n\
    { do = 'retire_credential', after_s = 60, team = 'IAM', tier = 'soft', verify = 'the old ones are off', irreversible = 'they stay off' },\n]\n";

/// Plans and runs all but what waits; returns the digest.
fn begun(desk: &Desk, states: [&str; 3]) -> String {
    let plan = desk.run(&["plan", "f-1", "--playbook", "overlap", "--json"]);
    let digest = plan.ends(0).json()["digest"].as_str().unwrap().to_owned();
    let code = if states.contains(&"open") { 3 } else { 0 };
    let done = desk.run(&["contain", &digest, "--json"]);
    let done = done.ends(code).json();
    let steps = done["steps"].as_array().unwrap().iter();
    let found: Vec<&str> = steps.map(|s| s["state"].as_str().unwrap()).collect();
    assert_eq!(found, states);
    digest
}

fn end(digest: &str) -> [&str; 6] {
    ["overlap", "end", digest, "3", "--reason", "they moved"]
}

fn keep(digest: &str) -> [&str; 6] {
    ["overlap", "keep", digest, "3", "--reason", "month end"]
}

/// The one row of what waits.
#[track_caller]
fn waits(desk: &Desk) -> Value {
    let mut rows = desk.run(&["overlap", "--json"]).ends(0).rows();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn intents(desk: &Desk) -> usize {
    let rows = desk.run(&["log", "show", "--type", "intent", "--json"]);
    let rows = rows.ends(0).rows();
    let retires = |row: &&Value| row["verb"] == "retire_credential";
    rows.iter().filter(retires).count()
}

#[track_caller]
fn is_over(desk: &Desk) {
    let none: [Value; 0] = [];
    assert_eq!(desk.run(&["overlap", "--json"]).ends(0).rows(), none);
    assert_eq!(desk.run(&["debts", "--json"]).ends(0).rows(), none);
    desk.run(&["log", "verify", "--strict"]).ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_ended_by_somebody_and_only_once() {
    let provider = Provider::start().await;
    let desk = provider.desk(&[]);
    let digest = begun(&desk, ["proven", "proven", "open"]);
    provider.does(REFUSES);
    desk.run(&end(&digest)).ends(1);
    assert_eq!(
        (provider.calls(), &waits(&desk)["state"]),
        (1, &"failed".into())
    );
    desk.run(&keep(&digest)).ends(4).tells(&[
        "was sent and is failed",
        "nothing more of it goes by itself",
    ]);

    provider.does(OBEYS);
    desk.run(&end(&digest)).ends(0);
    assert_eq!((provider.calls(), intents(&desk)), (2, 2));
    desk.run(&end(&digest)).ends(4).tells(&["does not wait"]);
    assert_eq!(provider.calls(), 2);
    is_over(&desk);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sent_nothing_can_be_stopped_and_ended_later() {
    let provider = Provider::start().await;
    let desk = provider.desk(&[]);
    let digest = begun(&desk, ["proven", "proven", "open"]);
    // Somebody took the new key away: without it nobody could work.
    provider.set_live(&["old"]);
    for tries in 1..3 {
        desk.run(&end(&digest))
            .ends(1)
            .tells(&["without it nothing would work"]);
        assert_eq!((provider.calls(), intents(&desk)), (0, tries));
        assert_eq!(waits(&desk)["state"], "failed");
    }

    desk.run(&keep(&digest)).ends(0);
    assert_eq!(waits(&desk)["kept_because"], "month end");
    desk.run(&keep(&digest))
        .ends(4)
        .tells(&["stopped step 3 already"]);
    desk.run(&["alert", "close", "f-1"])
        .ends(4)
        .tells(&["credentials"]);
    provider.set_live(&["old", "new"]);
    desk.run(&end(&digest)).ends(0);
    assert_eq!((provider.calls(), intents(&desk)), (1, 3));
    is_over(&desk);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_the_team_that_issued_it_starts_the_time() {
    let provider = Provider::start().await;
    let desk = provider.desk(&["issue_credential"]);
    let digest = begun(&desk, ["proven", "handed_off", "open"]);
    let none: [Value; 0] = [];
    assert_eq!(desk.run(&["overlap", "--json"]).ends(0).rows(), none);
    desk.run(&end(&digest)).ends(4).tells(&["does not wait"]);

    provider.set_live(&["old", "new"]);
    let before = jiff::Timestamp::now();
    let word = ["--by", "Lin", "--reason", "new key in the vault"];
    let done = ["hand-off", &digest, "--done", "2"];
    desk.run(&[&done[..], &word[..]].concat()).ends(0);
    let row = waits(&desk);
    let at = |name: &str| {
        row[name]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert!(before <= at("since") && at("since") <= jiff::Timestamp::now());
    assert_eq!(at("until").duration_since(at("since")).as_secs(), 60);
    assert_eq!((&row["state"], provider.calls()), (&"waits".into(), 0));
    desk.run(&end(&digest)).ends(0);
    assert_eq!((provider.calls(), intents(&desk)), (1, 1));
    is_over(&desk);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_team_does_by_hand_ends_with_its_word() {
    let provider = Provider::start().await;
    let desk = provider.desk(&["retire_credential"]);
    let digest = begun(&desk, ["proven", "proven", "handed_off"]);
    assert_eq!(waits(&desk)["state"], "by_hand");
    desk.run(&end(&digest))
        .ends(4)
        .tells(&["is done by hand, by IAM", "--done 3"]);
    desk.run(&keep(&digest)).ends(4).tells(&["is its team's"]);
    let word = ["--by", "Lin", "--reason", "both are off"];
    let done = ["hand-off", &digest, "--done", "3"];
    desk.run(&[&done[..], &word[..]].concat()).ends(0);
    assert_eq!((provider.calls(), intents(&desk)), (0, 0));
    is_over(&desk);
}

#[rstest]
#[case::took_effect(&["new"], 0, "proven")]
#[case::did_nothing(&["old", "new"], 1, "failed")]
#[tokio::test(flavor = "multi_thread")]
async fn a_later_step_that_was_killed_is_unknown_once_and_read_back(
    #[case] live: &[&'static str],
    #[case] code: i32,
    #[case] word: &str,
) {
    let provider = Provider::start().await;
    let desk = provider.desk(&[]);
    let digest = begun(&desk, ["proven", "proven", "open"]);
    provider.does(NEVER_ANSWERS);
    let mut acting = Command::new(env!("CARGO_BIN_EXE_stanch"))
        .args(desk.options())
        .args(end(&digest))
        .env_clear()
        .env("HOME", desk.home())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    provider.arrived.recv_timeout(PATIENCE).unwrap();
    acting.kill().unwrap();
    acting.wait().unwrap();

    let unknown = ["log", "show", "--unknown", "--json"];
    assert_eq!(desk.run(&unknown).rows().len(), 1);
    assert_eq!(waits(&desk)["state"], "unknown");
    provider.does(OBEYS);
    for args in [end(&digest), keep(&digest)] {
        desk.run(&args).ends(4).tells(&["was sent and is unknown"]);
    }
    assert_eq!((provider.calls(), intents(&desk)), (1, 1));
    // Another plan that would do it again says so.
    let again = ["plan", "f-1", "--playbook", "overlap"];
    let told = desk.run(&again).ends(0).out;
    assert!(
        told.contains("WARNING: step 3 repeats") && told.contains("UNKNOWN"),
        "{told}"
    );

    provider.set_live(live);
    let told = desk.run(&["reconcile", "f-1", "--json"]).ends(code);
    let told: Value = serde_json::from_str(told.out.lines().next().unwrap()).unwrap();
    assert_eq!(told["read"][0]["state"], word);
    assert_eq!(desk.run(&unknown).rows().len(), 0);
    assert_eq!(provider.calls(), 1);
    if word == "failed" {
        desk.run(&end(&digest)).ends(0);
        assert_eq!((provider.calls(), intents(&desk)), (2, 2));
    }
    is_over(&desk);
}

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn two_who_end_it_at_once_send_one_request() {
    let provider = Provider::start().await;
    let desk = provider.desk(&[]);
    let digest = begun(&desk, ["proven", "proven", "open"]);
    let mut codes: Vec<i32> = std::thread::scope(|scope| {
        let run = || desk.run(&end(&digest)).code;
        let both = [scope.spawn(run), scope.spawn(run)];
        both.map(|thread| thread.join().unwrap()).into()
    });
    codes.sort_unstable();
    assert_eq!((codes, provider.calls()), (vec![0, 4], 1));
    is_over(&desk);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_duty_and_two_more_at_the_due_moment_send_one_request() {
    let provider = Provider::start().await;
    let desk = provider.desk(&[]);
    let digest = begun(&desk, ["proven", "proven", "open"]);
    let serving = Served::start(&desk);
    let until: jiff::Timestamp = waits(&desk)["until"].as_str().unwrap().parse().unwrap();
    let left = until.duration_since(jiff::Timestamp::now());
    // The time itself is what is waited for.
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    std::thread::scope(|scope| {
        let run = || desk.run(&end(&digest)).code;
        for thread in [scope.spawn(run), scope.spawn(run)] {
            let code = thread.join().unwrap();
            assert!([0, 4].contains(&code), "{code}");
        }
    });
    provider.arrived.recv_timeout(PATIENCE).unwrap();
    assert_eq!(serving.ends(), Some(0));
    assert_eq!(provider.calls(), 1);
    is_over(&desk);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_the_duty_over_sends_a_lost_step_no_second_time() {
    let provider = Provider::start().await;
    let desk = provider.desk(&[]);
    let digest = begun(&desk, ["proven", "proven", "open"]);
    provider.does(NEVER_ANSWERS);
    let mut serving = Served::start(&desk);
    provider.arrived.recv_timeout(PATIENCE).unwrap();
    serving.kill();
    provider.does(OBEYS);
    let mut next = Served::start(&desk);
    // It looked at what is due before it took this alert in.
    desk.alert(&finding("f-2", "svc-b"));
    next.says("f-2");
    assert_eq!(next.ends(), Some(0));
    assert_eq!((provider.calls(), intents(&desk)), (1, 1));
    assert_eq!(waits(&desk)["state"], "unknown");
    desk.run(&["reconcile", "f-1"]).ends(1);
    desk.run(&end(&digest)).ends(0);
    assert_eq!((provider.calls(), intents(&desk)), (2, 2));
    is_over(&desk);
}
