//! The whole path on the drill, one subcommand after the other.

use rstest::rstest;
use serde_json::Value;

use super::desk::{Desk, Done};

/// Starts a drill and returns the id of an alert about `svc-deploy`.
fn desk() -> (Desk, String) {
    let desk = Desk::new();
    let alerts = desk.drill(&["alerts", "list", "--json"]).ends(0).rows();
    let about = |row: &&Value| row["identity"]["native_id"] == "svc-deploy";
    let key = alerts.iter().find(about).unwrap()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    (desk, key)
}

fn digest(plan: &Done) -> String {
    plan.json()["digest"].as_str().unwrap().to_owned()
}

#[test]
fn plan_contain_undo_and_the_log_of_it() {
    let (desk, alert) = desk();
    let plan = desk.drill(&["plan", &alert, "--json"]).ends(0);
    let steps = plan.json()["plan"]["steps"].clone();
    let sent = |step: &&Value| !step["requests"].as_array().unwrap().is_empty();
    let acting: Vec<&Value> = steps.as_array().unwrap().iter().filter(sent).collect();
    assert!(acting.iter().all(|s| {
        s["requests"][0]["url"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    }));

    let digest = digest(&plan);
    let done = desk
        .drill(&["contain", &digest[..12], "--json"])
        .ends(0)
        .json();
    assert_eq!(done["ran"], true);
    for step in done["steps"].as_array().unwrap() {
        assert!(
            step["state"] == "proven" || step["state"] == "handed_off",
            "{step}"
        );
    }
    desk.drill(&["contain", &digest]).ends(4);
    desk.drill(&["log", "verify"]).ends(0);

    let of_others = |done: &Done| done.json()["hand_off"].as_array().unwrap().clone();
    let asked = of_others(&desk.drill(&["hand-off", &digest, "--json"]).ends(3));
    let waits = asked.iter().find(|i| i["state"] == "handed_over").unwrap();
    let step = waits["step"].as_str().unwrap();
    let done = [
        "hand-off",
        &digest,
        "--done",
        step,
        "--by",
        "bob",
        "--reason",
        "told them by phone",
    ];
    desk.drill(&done).ends(0);
    desk.drill(&done).ends(4).tells(&["done by bob"]);
    desk.drill(&[
        "hand-off", &digest, "--done", "1", "--by", "bob", "--reason", "x",
    ])
    .ends(4)
    .tells(&["step 1 is for no other team"]);
    let asked = of_others(&desk.drill(&["hand-off", &digest, "--json"]).ends(0));
    let told = asked.iter().find(|i| i["step"] == step).unwrap();
    assert_eq!(
        (&told["state"], &told["done"]["by"]),
        (&"done".into(), &"bob".into())
    );

    let step = acting[0]["id"].as_str().unwrap();
    desk.drill(&["undo", &digest, step]).ends(0);
    desk.drill(&["undo", &digest, "99"])
        .ends(4)
        .tells(&["no step 99"]);
    desk.drill(&["log", "verify", "--strict"]).ends(0);
}

#[test]
fn a_hard_plan_wants_the_name_and_read_only_wants_nothing() {
    let (desk, alert) = desk();
    let hard = desk
        .drill(&["plan", &alert, "--playbook", "isolate-identity", "--json"])
        .ends(0);
    let digest = digest(&hard);
    desk.drill(&["contain", &digest])
        .ends(4)
        .tells(&["hard tier", "--confirm 'svc-deploy'"]);
    desk.drill(&["contain", &digest, "--confirm", "svc-deploi"])
        .ends(4);

    desk.drill(&["contain", &digest, "--confirm", "svc-deploy", "--read-only"])
        .ends(4)
        .tells(&["read-only"]);
    desk.drill(&["plan", &alert, "--read-only"])
        .ends(4)
        .tells(&["read-only"]);
    desk.drill(&["undo", &digest, "2", "--read-only"]).ends(4);
    desk.drill(&["reconcile", &alert, "--read-only"]).ends(4);
    let options = desk
        .drill(&["plan", &alert, "--options", "--read-only"])
        .ends(0)
        .out;
    assert!(options.contains("isolate-identity"), "{options}");
    let sent = desk
        .drill(&["log", "show", "--type", "intent", "--json"])
        .ends(0);
    assert_eq!(sent.out, "", "nothing was sent");

    desk.drill(&["contain", &digest, "--confirm", "svc-deploy"])
        .ends(4)
        .tells(&["--reason"]);
    let confirmed = [
        "contain",
        &digest,
        "--confirm",
        "svc-deploy",
        "--reason",
        "its key leaked",
    ];
    desk.drill(&confirmed).ends(0);
    let told = desk.drill(&["log", "show", "--kind", "confirm"]).ends(0);
    assert!(told.out.contains("its key leaked"), "{}", told.out);
}

#[test]
fn what_is_not_there_is_named() {
    let (desk, alert) = desk();
    desk.drill(&["plan", "no-such-alert"])
        .ends(2)
        .tells(&["no alert `no-such-alert`", "stanch alerts list"]);
    desk.drill(&["plan", &alert, "--playbook", "no-such-book"])
        .ends(2)
        .tells(&["`no-such-book`", "--options"]);
    desk.drill(&["plan", &alert, "--option", "99"])
        .ends(2)
        .tells(&["no option 99", "--options"]);
    let told = &[
        "no log holds one plan",
        "at least 8 digits",
        "stanch plan ALERT",
    ];
    desk.drill(&["contain", "0123456789abcdef"])
        .ends(2)
        .tells(told);
    desk.drill(&["contain", "0"]).ends(2).tells(told);
    desk.drill(&["undo", "0", "1"]).ends(2).tells(told);
}

fn played(scenario: &str, script: &str) -> (Done, u32) {
    let desk = Desk::new();
    let script = format!("{}/tests/scripts/{script}.keys", env!("CARGO_MANIFEST_DIR"));
    let state = desk.path("state").display().to_string();
    let done = desk.bare(&[
        "--state-dir",
        &state,
        "drill",
        scenario,
        "--headless",
        "--speed",
        "5",
        "--script",
        &script,
    ]);
    let over = done.out.split("The drill is over.").nth(1).unwrap();
    let points = over.split("Score: ").nth(1).unwrap();
    let points = points.split(' ').next().unwrap().parse().unwrap();
    (done, points)
}

#[rstest]
#[case("leaked-deploy-key")]
#[case("agent-beyond-intent")]
#[case("ci-token")]
#[case("vendor-breach")]
fn every_drill_can_be_won_with_its_own_choice(#[case] scenario: &str) {
    let (done, points) = played(scenario, scenario);
    let done = done.ends(0);
    assert!(points >= 80, "{}", done.out);
    for part in ["intruder was out", "Your first choice was the one to make"] {
        assert!(done.out.contains(part), "{}", done.out);
    }
}

#[rstest]
#[case("agent-beyond-intent", "the lease mints the next token")]
#[case("ci-token", "the key did not leak")]
#[case("vendor-breach", "the secret is a way in as good as the key was")]
fn whoever_plays_badly_is_told_what_was_wrong_and_what_is_better(
    #[case] scenario: &str,
    #[case] wrong: &str,
) {
    let (done, points) = played(scenario, &format!("{scenario}-badly"));
    let done = done.ends(1);
    assert!(points <= 50, "{}", done.out);
    for part in ["The better choice", "the intruder is in", wrong] {
        assert!(done.out.contains(part), "no `{part}`: {}", done.out);
    }
}

/// A job whose configuration was lost must not stay green without a word.
#[test]
fn the_drill_s_log_is_called_so_where_nobody_asked_for_it() {
    const SAID: &str = "nothing is configured, so this is the drill";
    let (desk, _) = desk();
    let state = desk.path("state").display().to_string();
    for (command, code) in [
        ("show", 0),
        ("verify", 0),
        ("metrics", 0),
        ("export", 0),
        ("adopt --reason again", 0),
    ] {
        let words: Vec<&str> = ["log"].into_iter().chain(command.split(' ')).collect();
        let unasked = [&["--state-dir", &state], &words[..]].concat();
        let done = desk.bare(&unasked).ends(code);
        assert!(done.err.contains(SAID), "{command}: {}", done.err);
        let done = desk.drill(&words).ends(code);
        assert!(!done.err.contains(SAID), "{command}: {}", done.err);
    }
}
