//! The console's own path on real servers: the real program with a configuration, from the alert to the proof in the log.

use std::path::Path;

use serde_json::Value;

use super::common::Pty;
use super::desk::{Desk, Done, finding};
use super::keycloak::{CONSOLE_SECRET, Realm, SECRET};
use super::oauth;
use super::server::{self, Secrets};

/// What an inventory knows of the service account.
const CARD: &str = "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'oauth_client'\n\
    environment = 'production'\nbusiness_owner = 'Payments'\ntechnical_owner = 'Platform team'\non_call = 'platform-oncall'\n\
    connector = 'live'\nparams = { client_id = 'svc-deployer' }\n";

fn keycloak(realm: &Realm) -> Desk {
    let secret = realm.secrets.put("console", CONSOLE_SECRET);
    let connector = format!(
        "[connector.live]\npreset = 'keycloak'\nbase_url = '{}'\ntimeout_s = 20\n\
         params = {{ realm = '{}', secret_dir = '{}' }}\n\
         auth = {{ kind = 'client_credentials', client_id = 'soc-console', client_secret = 'file:{}' }}\n",
        realm.url,
        realm.name,
        realm.secrets.path().display(),
        secret.display()
    );
    let desk = Desk::configured(&connector, CARD);
    desk.alert(&finding("f-1", "svc-deployer"));
    desk.run(&["config", "check"]).ends(0);
    desk
}

/// Plans with a playbook and returns the digest and the plan.
pub fn plan(desk: &Desk, playbook: &str) -> (String, Value) {
    let mut plan = desk
        .run(&["plan", "f-1", "--playbook", playbook, "--json"])
        .ends(0)
        .json();
    let digest = plan["digest"].as_str().unwrap().to_owned();
    (digest, plan["plan"].take())
}

pub fn requests(plan: &Value) -> Vec<(String, String)> {
    let steps = plan["steps"].as_array().unwrap().iter();
    let all = steps.flat_map(|step| step["requests"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|r| (text(&r["method"]), text(&r["url"]))).collect()
}

/// Runs a plan about `svc-deployer`, with its name typed.
pub fn contain(desk: &Desk, digest: &str) -> Done {
    desk.run(&[
        "contain",
        digest,
        "--confirm",
        "svc-deployer",
        "--reason",
        "test",
        "--json",
    ])
}

/// Returns each step's state.
pub fn states(done: &Done) -> Vec<String> {
    let done = done.json();
    let steps = done["steps"].as_array().unwrap().iter();
    steps
        .map(|s| s["state"].as_str().unwrap().to_owned())
        .collect()
}

/// Returns the records of one intent after the other as `type` of the log's records about acting.
pub fn acts(desk: &Desk) -> Vec<String> {
    let acting = [
        "log", "show", "--type", "intent", "--type", "outcome", "--type", "verify", "--json",
    ];
    let rows = desk.run(&acting).ends(0).rows();
    rows.iter()
        .map(|row| row["type"].as_str().unwrap().to_owned())
        .collect()
}

/// The log verifies, no secret is in any file, and how long each act took until it was proven is printed.
#[track_caller]
pub fn is_whole(desk: &Desk, secrets: &[&str]) {
    desk.run(&["log", "verify", "--strict"]).ends(0);
    assert_nowhere(desk, secrets);
    tell_times(desk);
}

/// Prints a row for every proven act, by the times of the log's own records: the preset, the act, and the milliseconds to its
/// proof from the confirmation of its plan (where the act is of that run) and from its own intent.
fn tell_times(desk: &Desk) {
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    let mut lines = config.lines();
    let preset = lines.find_map(|l| l.strip_prefix("preset = "));
    let preset = preset.unwrap_or("?").trim_matches('\'');
    let rows = desk.run(&["log", "show", "--json"]).ends(0).rows();
    let of = |kind: &'static str| rows.iter().filter(move |row| row["type"] == kind);
    let at = |row: &Value| row["ts"].as_str().unwrap().parse::<jiff::Timestamp>();
    let between = |from: &Value, to: &Value| at(to).unwrap().duration_since(at(from).unwrap());
    let waited = |intent: &Value| {
        let plan = of("plan").find(|plan| plan["digest"] == intent["digest"]);
        let steps = plan.and_then(|plan| plan["plan"]["steps"].as_array());
        let step = steps.and_then(|all| all.iter().find(|step| step["id"] == intent["step"]));
        step.is_some_and(|step| !step["after_s"].is_null())
    };
    for proof in of("verify").filter(|row| row["proof"] == "agrees") {
        let intent = of("intent").find(|row| row["intent"] == proof["intent"]);
        let intent = intent.unwrap();
        let taken_back = intent["undo"] == true;
        let confirmed = of("decision")
            .find(|row| row["kind"] == "confirm" && row["plan"] == intent["digest"])
            .filter(|_| !taken_back && !waited(intent));
        let key = confirmed.map(|row| between(row, proof).as_millis().to_string());
        println!(
            "TIME | {preset} | {}{} | from the key {} ms | from the intent {} ms",
            if taken_back { "undo " } else { "" },
            intent["verb"].as_str().unwrap(),
            key.as_deref().unwrap_or("-"),
            between(intent, proof).as_millis(),
        );
    }
}

#[track_caller]
fn assert_nowhere(desk: &Desk, secrets: &[&str]) {
    let found = desk.left_behind();
    assert!(found.iter().any(|(_, bytes)| !bytes.is_empty()));
    for secret in secrets {
        let bytes = secret.as_bytes();
        let holder = found
            .iter()
            .find(|(_, text)| memchr::memmem::find(text, bytes).is_some());
        assert_eq!(
            holder.map(|(path, _)| path.as_path()),
            None::<&Path>,
            "{secret}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_service_account_is_isolated_and_comes_back_by_subcommands() {
    let realm = Realm::new("console").await;
    let (token, refresh) = realm.tokens("email").await;
    assert!(realm.active(&token).await);
    let desk = keycloak(&realm);

    let (digest, planned) = plan(&desk, "isolate-identity");
    let admin = format!("{}/admin/realms/console", realm.url);
    let client = format!("{admin}/clients/{}", realm.uuid);
    let put = |url: &str| ("PUT".to_owned(), url.to_owned());
    let post = |url: String| ("POST".to_owned(), url);
    assert_eq!(
        requests(&planned),
        [
            put(&client),
            put(&client),
            post(format!("{client}/push-revocation")),
            post(format!("{admin}/users/{}/logout", realm.user)),
        ]
    );
    let text = planned.to_string();
    assert!(!text.contains(SECRET) && !text.contains(CONSOLE_SECRET));
    assert!(realm.active(&token).await, "a plan sends nothing");

    desk.run(&["contain", &digest]).ends(4);
    assert!(
        realm.active(&token).await,
        "without the name nothing is sent"
    );
    let done = contain(&desk, &digest).ends(0);
    assert_eq!(
        states(&done),
        [
            "proven",
            "proven",
            "proven",
            "proven",
            "handed_off",
            "handed_off"
        ]
    );
    assert_eq!(realm.log_in(SECRET, "email").await.0, 401);
    assert!(!realm.active(&token).await);

    desk.run(&[
        "contain",
        &digest,
        "--confirm",
        "svc-deployer",
        "--reason",
        "test",
    ])
    .ends(4)
    .tells(&["the plan was run already"]);
    assert_eq!(acts(&desk), ["intent", "outcome", "verify"].repeat(4));

    desk.run(&["undo", &digest, "2"]).ends(0);
    assert_eq!(realm.log_in(SECRET, "email").await.0, 200);
    assert!(!realm.active(&token).await, "the stolen token stays dead");
    assert_eq!(realm.refresh(&refresh).await, 400);
    assert_eq!(acts(&desk), ["intent", "outcome", "verify"].repeat(5));
    desk.run(&["undo", &digest, "3"])
        .ends(4)
        .tells(&["irreversible"]);
    is_whole(&desk, &[SECRET, CONSOLE_SECRET, &token, &refresh]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_secret_is_rotated_and_only_its_file_knows_the_new_one() {
    let realm = Realm::new("console-rotate").await;
    let (token, _) = realm.tokens("email").await;
    let desk = keycloak(&realm);
    let (digest, _) = plan(&desk, "rotate-and-cut");
    let done = contain(&desk, &digest).ends(0);
    assert_eq!(states(&done).iter().filter(|s| *s == "proven").count(), 4);
    assert_eq!(realm.log_in(SECRET, "email").await.0, 401);
    assert!(!realm.active(&token).await);
    let written: Vec<_> = std::fs::read_dir(realm.secrets.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "secret"))
        .collect();
    assert_eq!(written.len(), 1, "{written:?}");
    let new = std::fs::read_to_string(&written[0]).unwrap();
    assert_eq!(realm.log_in(&new, "email").await.0, 200);
    desk.run(&["undo", &digest, "2"])
        .ends(4)
        .tells(&["irreversible"]);
    is_whole(&desk, &[SECRET, CONSOLE_SECRET, &token, &new]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn keys_lead_from_the_alert_to_the_proof() {
    let realm = Realm::new("console-keys").await;
    let (token, _) = realm.tokens("offline_access").await;
    let desk = keycloak(&realm);
    let options = desk.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut pty = Pty::stanch(desk.home(), 200, 60, &options, &[]);
    pty.wait_for("svc-deployer");
    pty.send("g");
    pty.wait_for("Platform team");
    pty.wait_for("offline_session");
    pty.wait_for("realm-management:manage-clients");
    pty.wait_for("Isolate: turn the whole identity off");
    let screen = pty.text();
    let option = screen.lines().find_map(|line| {
        let (before, _) = line.split_once("Isolate: turn the whole")?;
        before
            .trim_start_matches(|c: char| !c.is_ascii_digit())
            .chars()
            .next()
    });

    pty.send(&option.unwrap().to_string());
    pty.wait_for("NOT SENT YET");
    let request = format!(
        "PUT {}/admin/realms/console-keys/clients/{}",
        realm.url, realm.uuid
    );
    pty.wait_for(&request);
    pty.wait_for(r#""enabled":false"#);
    assert!(realm.active(&token).await, "a preview sends nothing");
    confirm(&mut pty, "svc-deployer", "its secret leaked");
    pty.send("\r");
    pty.wait_for("Plan: ended");
    pty.wait("four proven steps", |pty| {
        pty.text().matches("proven").count() >= 4
    });
    assert!(!pty.text().contains("failed"), "{}", pty.text());
    assert_eq!(realm.log_in(SECRET, "email").await.0, 401);
    assert!(!realm.active(&token).await);

    pty.send("\x1b");
    pty.wait_for("DISABLED");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
    assert_eq!(acts(&desk), ["intent", "outcome", "verify"].repeat(4));
    is_whole(&desk, &[SECRET, CONSOLE_SECRET, &token]);
}

/// Types a name and a reason. A preview takes no key in its first moments, so one is typed until it stands there, and
/// taken back.
fn confirm(pty: &mut Pty, name: &str, reason: &str) {
    let mut sent = 0;
    while !pty.text().contains("Enter runs it: x") {
        assert!(sent < 100, "nothing can be typed:\n{}", pty.text());
        pty.send("x");
        sent += 1;
        pty.read_for(std::time::Duration::from_millis(300));
    }
    pty.send(&"\x7f".repeat(sent));
    pty.send(&format!("{name} {reason}"));
}

fn provider(url: &str, secrets: &Secrets, token: &str) -> Desk {
    let console = secrets.put("console", "soc-console-live-secret-0123456789abcdef");
    let connector = format!(
        "[connector.live]\npreset = 'oauth'\nbase_url = '{url}'\n\
         params = {{ introspection_path = '/token/introspection', revocation_path = '/token/revocation' }}\n\
         auth = {{ kind = 'basic', username = 'soc-console', password = 'file:{}' }}\n",
        console.display()
    );
    let copy = secrets.put("token", token);
    let card = format!(
        "{CARD}[[identity.credential]]\nid = 'leaked token'\nkind = 'access_token'\nsecret_ref = 'file:{}'\n",
        copy.display()
    );
    let desk = Desk::configured(&connector, &card);
    desk.alert(&finding("f-1", "svc-deployer"));
    desk
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_permitted_revocation_ends_proven() {
    let environment = [("STANCH_OIDC_PORT", "28094"), ("REVOCATION", "console")];
    let url = server::start("oidc.sh", &environment)["url"].clone();
    let (secrets, token) = (Secrets::new(), oauth::token(&url).await);
    let desk = provider(&url, &secrets, &token);
    let (digest, planned) = plan(&desk, "cut-live-access");
    assert_eq!(
        requests(&planned),
        [("POST".to_owned(), format!("{url}/token/revocation"))]
    );
    let done = desk.run(&["contain", &digest, "--json"]).ends(0);
    assert_eq!(states(&done), ["proven", "proven", "handed_off"]);
    desk.run(&["contain", &digest]).ends(4);
    is_whole(&desk, &[&token, "soc-console-live-secret"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_200_that_changed_nothing_ends_failed() {
    let environment = [("STANCH_OIDC_PORT", "28095"), ("REVOCATION", "silent")];
    let url = server::start("oidc.sh", &environment)["url"].clone();
    let (secrets, token) = (Secrets::new(), oauth::token(&url).await);
    let desk = provider(&url, &secrets, &token);
    let (digest, _) = plan(&desk, "cut-live-access");
    let done = desk.run(&["contain", &digest, "--json"]).ends(1);
    assert_eq!(states(&done), ["proven", "failed", "handed_off"]);

    let rows = desk.run(&["log", "show", "--json"]).ends(0).rows();
    let last = |kind: &str| {
        let found = rows.iter().rfind(|r| r["type"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}")).clone()
    };
    assert_eq!(last("outcome")["outcome"], "accepted");
    assert_eq!(last("outcome")["http_status"], 200);
    assert_eq!(last("verify")["proof"], "disagrees");
    // An intent says what was about to happen; what came of it is told by the read-back.
    let words = desk.run(&["log", "show", "--type", "verify"]).ends(0).out;
    assert!(
        words.contains("read-back disagrees: revoke_tokens on live:svc-deployer"),
        "{words}"
    );
    is_whole(&desk, &[&token, "soc-console-live-secret"]);
}
