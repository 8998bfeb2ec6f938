//! The drill as a whole: a real lab, a real intruder, over HTTP, with time running fast. Nothing waits for a time to
//! pass; everything waits for the lab to tell of a change.

mod api;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// Far above what anything takes; only a broken lab meets it.
const LONG: Duration = Duration::from_mins(1);

/// One lab in its own directory, with the console's side of it.
struct Bench {
    dir: TempDir,
    lab: LabHandle,
    http: Client,
}

fn options(dir: &TempDir, attack: bool) -> LabOptions {
    LabOptions {
        state_file: dir.path().join("lab.json"),
        alerts_file: dir.path().join("alerts.jsonl"),
        console_token_file: dir.path().join("console-token"),
        fresh: false,
        speed: 100.0,
        seed: 7,
        attack,
    }
}

fn scenario() -> Scenario {
    Scenario::load("leaked-deploy-key").unwrap()
}

impl Bench {
    async fn start(attack: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lab = Lab::start(&scenario(), options(&dir, attack))
            .await
            .unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { dir, lab, http }
    }

    /// Starts the attack and waits until the script is through: the intruder holds tokens, the role and a client.
    async fn under_attack() -> Self {
        let mut bench = Self::start(true).await;
        bench.until(|s| s.successes > 6 && s.legit_ok > 0).await;
        bench
    }

    async fn until(&mut self, fits: impl Fn(&LabStatus) -> bool) -> LabStatus {
        let wait = async {
            while !fits(&self.lab.status()) {
                self.lab.changed().await;
            }
        };
        let came = tokio::time::timeout(LONG, wait).await;
        assert!(came.is_ok(), "never came: {:?}", self.lab.status());
        self.lab.status()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = format!("{}/admin/{path}", self.lab.base_url());
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(self.file("console-token"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.admin(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    async fn id(&self, client_id: &str) -> String {
        let found = self.get(&format!("clients?client_id={client_id}")).await;
        found[0]["id"].as_str().unwrap().to_owned()
    }

    /// Does one containing act, or takes it back.
    async fn cut(&self, what: &str) {
        let id = self.id("svc-deploy").await;
        let roles = |names: &[&str]| Some(json!({"roles": names}));
        let (method, path, body) = match what {
            "key" => (Method::POST, "credentials/dk-7f3a/disable".to_owned(), None),
            "undo key" => (Method::POST, "credentials/dk-7f3a/enable".to_owned(), None),
            "sessions" => (Method::DELETE, format!("clients/{id}/sessions"), None),
            "rotate" => (Method::POST, format!("clients/{id}/rotate-secret"), None),
            "roles" => (
                Method::PUT,
                format!("clients/{id}/roles"),
                roles(&["deploy", "artifacts.read"]),
            ),
            "all roles" => (Method::PUT, format!("clients/{id}/roles"), roles(&[])),
            "client" => (Method::POST, format!("clients/{id}/disable"), None),
            "undo client" => (Method::POST, format!("clients/{id}/enable"), None),
            "children" => {
                let children = self.get(&format!("clients/{id}/children")).await;
                for child in children.as_array().unwrap() {
                    let path = format!("clients/{}/disable", child["id"].as_str().unwrap());
                    assert_eq!(
                        self.admin(Method::POST, &path, None).await.0,
                        StatusCode::NO_CONTENT
                    );
                }
                return;
            }
            other => panic!("no such cut: {other}"),
        };
        let (status, answer) = self.admin(method, &path, body).await;
        assert!(status.is_success(), "{what}: {status} {answer}");
    }

    async fn cut_all(&self, cuts: &str) {
        for cut in cuts.split(", ") {
            self.cut(cut).await;
        }
    }

    fn alerts(&self) -> Vec<Value> {
        let text = self.file("alerts.jsonl");
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn alerts_about_the_intruder(&self) -> Vec<Value> {
        let ours = |v: &Value| v["evidences"][0]["src_endpoint"]["ip"] == "203.0.113.66";
        self.alerts().into_iter().filter(ours).collect()
    }
}

#[tokio::test]
async fn uncontained_the_attack_goes_through_its_script_and_never_stops_alerting() {
    let mut bench = Bench::under_attack().await;
    let status = bench
        .until(|s| s.successes > 30 && s.secrets_read == 8)
        .await;
    assert!(status.intruder_in && status.trouble.is_none());
    let alerts = bench.alerts_about_the_intruder();
    assert!(alerts.len() > 30);
    let types: Vec<&str> = alerts
        .iter()
        .map(|a| a["finding_info"]["types"][0].as_str().unwrap())
        .collect();
    assert_eq!(
        types[..4],
        [
            "credential_used_anomalously",
            "secret_read",
            "privilege_escalated",
            "credential_created_or_added"
        ]
    );
    assert_eq!(alerts[1]["resources"][0]["uid"], "prod/payments-db");
    let uids: BTreeSet<&str> = alerts
        .iter()
        .map(|a| a["metadata"]["uid"].as_str().unwrap())
        .collect();
    assert_eq!(uids.len(), alerts.len(), "every event is one of its own");
    let findings: BTreeSet<&str> = alerts
        .iter()
        .map(|a| a["finding_info"]["uid"].as_str().unwrap())
        .collect();
    assert!(
        findings.len() < alerts.len(),
        "the same act again is the same finding again"
    );
    assert!(!bench.lab.wait_out(Duration::ZERO).await);
}

#[rstest]
#[case("sessions")]
#[case("rotate")]
#[case("key")]
#[case("roles")]
#[case("key, sessions")]
#[case("key, roles")]
#[case("key, rotate")]
#[case("sessions, roles")]
#[case("sessions, rotate, roles, children")]
#[tokio::test]
async fn part_of_the_containment_is_not_enough(#[case] cuts: &str) {
    let mut bench = Bench::under_attack().await;
    bench.cut_all(cuts).await;
    let cut = bench.lab.status();
    // More than what one round under way could still bring.
    let later = bench.until(|s| s.successes > cut.successes + 12).await;
    assert!(later.alerts > cut.alerts);
    assert!(bench.lab.status().intruder_in);
    assert_eq!(later.legit_failed, 0);
}

#[rstest]
#[case("key, sessions, roles")]
#[case("key, sessions, children")]
#[tokio::test]
async fn a_narrow_whole_containment_puts_the_intruder_out_and_spares_the_pipeline(
    #[case] cuts: &str,
) {
    let mut bench = Bench::under_attack().await;
    bench.cut_all(cuts).await;
    assert!(bench.lab.wait_out(LONG).await);
    let out = bench.lab.status();
    let alerts = bench.alerts_about_the_intruder().len();
    let later = bench
        .until(|s| s.attempts > out.attempts + 30 && s.legit_ok > out.legit_ok + 5)
        .await;
    assert!(!later.intruder_in);
    assert_eq!((later.successes, later.since), (out.successes, out.since));
    assert_eq!(bench.alerts_about_the_intruder().len(), alerts);
    assert_eq!(later.legit_failed, 0);
}

#[rstest]
#[case("client")]
#[case("key, sessions, all roles")]
#[tokio::test]
async fn a_cut_too_wide_puts_the_intruder_out_and_harms_the_pipeline(#[case] cuts: &str) {
    let mut bench = Bench::under_attack().await;
    bench.cut_all(cuts).await;
    assert!(bench.lab.wait_out(LONG).await);
    bench.until(|s| s.legit_failed >= 2).await;
}

#[rstest]
#[case("key, sessions, roles", "undo key")]
#[case("client", "undo client")]
#[tokio::test]
async fn undoing_a_cut_lets_the_intruder_back_in(#[case] cuts: &str, #[case] undo: &str) {
    let mut bench = Bench::under_attack().await;
    bench.cut_all(cuts).await;
    assert!(bench.lab.wait_out(LONG).await);
    let out = bench.lab.status();
    bench.cut(undo).await;
    let back = bench.until(|s| s.intruder_in).await;
    assert!(back.since >= out.since);
    bench.until(|s| s.alerts > out.alerts + 3).await;
}

#[tokio::test]
async fn the_queue_lives_and_holds_one_hostile_title_and_one_broken_line() {
    let mut bench = Bench::start(true).await;
    let lines = scenario().file.noise.len();
    while bench.alerts().len() < lines || !bench.file("alerts.jsonl").contains("svc-registry-push")
    {
        bench.lab.changed().await;
    }
    let text = bench.file("alerts.jsonl");
    assert_eq!(
        text.lines()
            .filter(|l| serde_json::from_str::<Value>(l).is_err())
            .count(),
        1
    );
    assert!(text.contains('\u{202e}') && !text.contains('\u{1b}'));
    assert!(bench.alerts().iter().any(|a| {
        a["finding_info"]["title"]
            .as_str()
            .unwrap()
            .contains('\u{1b}')
    }));
    let who = |a: &Value| {
        a["evidences"][0]["actor"]["user"]["uid"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let named: BTreeSet<String> = bench.alerts().iter().map(who).collect();
    assert!(named.len() >= 6, "{named:?}");
}

#[test]
fn the_first_alert_comes_within_a_second() {
    let acts = scenario().file.attack.act;
    assert!(acts[0].at < 1.0);
    let early = scenario()
        .file
        .noise
        .iter()
        .filter(|n| n.at <= 20.0)
        .count();
    assert!(early >= 6);
}

#[tokio::test]
async fn what_is_seen_follows_from_the_seed() {
    let (mut one, mut two) = (Bench::under_attack().await, Bench::under_attack().await);
    assert_eq!(one.id("svc-deploy").await, two.id("svc-deploy").await);
    for bench in [&mut one, &mut two] {
        bench.until(|s| s.alerts > 12).await;
    }
    let titles = |bench: &Bench| -> Vec<Value> {
        let alerts = bench.alerts_about_the_intruder();
        alerts[..4]
            .iter()
            .map(|a| a["finding_info"]["title"].clone())
            .collect()
    };
    assert_eq!(titles(&one), titles(&two));
    assert_ne!(one.file("console-token"), two.file("console-token"));
}

#[tokio::test]
async fn the_next_process_continues_the_same_lab() {
    let bench = Bench::under_attack().await;
    let (url, token) = (bench.lab.base_url(), bench.file("console-token"));
    bench.cut("key").await;
    let before = bench.lab.status();
    let Bench { dir, lab, http } = bench;
    lab.shutdown().await;
    let alerts = std::fs::read_to_string(dir.path().join("alerts.jsonl")).unwrap();

    let lab = Lab::start(&scenario(), options(&dir, true)).await.unwrap();
    let mut bench = Bench { dir, lab, http };
    assert!(bench.lab.is_here());
    assert_eq!(
        (bench.lab.base_url(), bench.file("console-token")),
        (url, token)
    );
    assert!(bench.file("alerts.jsonl").starts_with(&alerts));
    let now = bench.lab.status();
    assert_eq!(now.started, before.started);
    assert!(now.successes >= before.successes && now.alerts >= before.alerts);
    bench.until(|s| s.successes > now.successes + 3).await;
    bench.cut_all("sessions, roles").await;
    assert!(bench.lab.wait_out(LONG).await);
}

#[tokio::test]
async fn a_second_process_attaches_and_follows() {
    let bench = Bench::under_attack().await;
    let second = Lab::start(&scenario(), options(&bench.dir, true))
        .await
        .unwrap();
    assert!(!second.is_here());
    assert_eq!(second.base_url(), bench.lab.base_url());
    bench.cut_all("key, sessions, roles").await;
    assert!(second.wait_out(LONG).await);

    let fresh = LabOptions {
        fresh: true,
        ..options(&bench.dir, true)
    };
    assert!(matches!(
        Lab::start(&scenario(), fresh).await,
        Err(DrillError::InUse { .. })
    ));

    let Bench { dir, lab, http } = bench;
    lab.shutdown().await;
    let mut second = Bench {
        dir,
        lab: second,
        http,
    };
    second.until(|s| !s.reachable).await;
}

#[tokio::test]
async fn a_fresh_start_begins_anew() {
    let bench = Bench::under_attack().await;
    let token = bench.file("console-token");
    let Bench { dir, lab, http } = bench;
    lab.shutdown().await;
    let fresh = LabOptions {
        fresh: true,
        ..options(&dir, false)
    };
    let lab = Lab::start(&scenario(), fresh).await.unwrap();
    let bench = Bench { dir, lab, http };
    assert_ne!(bench.file("console-token"), token);
    assert_eq!(bench.file("alerts.jsonl"), "");
    assert_eq!(bench.lab.status().successes, 0);
}

#[tokio::test]
async fn files_are_for_their_owner_and_nothing_shows_a_secret() {
    let bench = Bench::under_attack().await;
    for name in ["lab.json", "console-token", "alerts.jsonl", "lab.json.lock"] {
        let mode = std::fs::metadata(bench.dir.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    let shown = format!("{:?}", bench.lab);
    let state: Value = serde_json::from_str(&bench.file("lab.json")).unwrap();
    let mut secrets = vec![bench.file("console-token")];
    secrets.extend(
        state["clients"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["secret"].as_str().unwrap().to_owned()),
    );
    secrets.push(state["intruder"]["key"].as_str().unwrap().to_owned());
    let alerts = bench.file("alerts.jsonl");
    assert!(
        secrets
            .iter()
            .all(|s| s.len() > 20 && !shown.contains(s) && !alerts.contains(s))
    );
}

#[rstest]
#[case("not json", "line 1 column")]
#[case("{}", "line 1 column")]
#[tokio::test]
async fn a_broken_state_file_is_named_with_a_way_out(#[case] content: &str, #[case] says: &str) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("lab.json"), content).unwrap();
    let message = Lab::start(&scenario(), options(&dir, false))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        message.contains(says) && message.contains("stanch drill"),
        "{message}"
    );
    let fresh = LabOptions {
        fresh: true,
        ..options(&dir, false)
    };
    assert!(Lab::start(&scenario(), fresh).await.is_ok());
}

#[rstest]
#[case(0.0)]
#[case(-1.0)]
#[case(f64::NAN)]
#[case(f64::INFINITY)]
#[tokio::test]
async fn a_speed_that_is_none_is_refused(#[case] speed: f64) {
    let dir = tempfile::tempdir().unwrap();
    let odd = LabOptions {
        speed,
        ..options(&dir, false)
    };
    assert!(matches!(
        Lab::start(&scenario(), odd).await,
        Err(DrillError::Speed { .. })
    ));
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = LabOptions {
        state_file: PathBuf::from("/nonexistent/lab.json"),
        ..options(&dir, false)
    };
    let message = Lab::start(&scenario(), nowhere)
        .await
        .unwrap_err()
        .to_string();
    assert!(message.contains("/nonexistent/lab.json.lock"), "{message}");
}
