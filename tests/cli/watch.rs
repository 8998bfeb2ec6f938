//! What is proven by subcommand, closing with a risk taken on, and a use within the watch that opens an alert again.

use serde_json::{Value, json};

use super::away;
use super::desk::Desk;
use super::idp::Idp;
use super::served::Served;

fn contain(desk: &Desk, code: i32) -> Value {
    let plan = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    let digest = plan["digest"].as_str().unwrap().to_owned();
    desk.run(&["contain", &digest, "--json"]).ends(code).json()
}

fn cell<'v>(coverage: &'v Value, layer: &str) -> &'v Value {
    let cells = coverage["cells"].as_array().unwrap();
    let wanted = |c: &&Value| c["layer"] == layer && c["node"] == "idp:svc-a";
    cells
        .iter()
        .find(wanted)
        .unwrap_or_else(|| panic!("{coverage}"))
}

/// An alert about something that the identity did so many seconds from now.
fn used(uid: &str, seconds: i64) -> String {
    let at = jiff::Timestamp::now().as_millisecond() + seconds * 1_000;
    json!({
        "class_uid": 2004, "activity_id": 1, "time": at, "severity_id": 4, "confidence_id": 3,
        "metadata": {"version": "1.4.0", "product": {"name": "Token Watch", "vendor_name": "Example"}},
        "finding_info": {"uid": uid, "title": "Secret read", "types": ["secret_read"]},
        "actor": {"user": {"uid": "svc-a", "name": "svc-a", "type": "Service", "type_id": 4}},
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_closed_with_proof_or_with_a_risk_that_has_a_name_and_a_reason() {
    let idp = Idp::deaf().await;
    let desk = away::desk(&idp.url());
    desk.run(&["alert", "close", "f-1"])
        .ends(4)
        .tells(&["nothing was contained"]);
    contain(&desk, 1);
    let coverage = desk
        .run(&["alert", "coverage", "f-1", "--json"])
        .ends(3)
        .json();
    assert_eq!(cell(&coverage, "tokens")["state"], "failed");
    assert_eq!(cell(&coverage, "tokens")["blocks"], true);
    desk.run(&["alert", "close", "f-1"])
        .ends(4)
        .tells(&["tokens of svc-a failed"]);
    desk.run(&[
        "alert",
        "accept-risk",
        "f-1",
        "--layer",
        "pipeline",
        "--reason",
        "x",
    ])
    .ends(2)
    .tells(&["no cell pipeline"]);
    desk.run(&[
        "alert",
        "accept-risk",
        "f-1",
        "--layer",
        "tokens",
        "--reason",
        " ",
    ])
    .ends(2)
    .tells(&["a reason is needed"]);
    let blocking = coverage["cells"].as_array().unwrap().iter();
    for layer in blocking
        .filter(|c| c["blocks"] == true)
        .map(|c| &c["layer"])
    {
        let layer = layer.as_str().unwrap();
        let args = [
            "alert",
            "accept-risk",
            "f-1",
            "--layer",
            layer,
            "--reason",
            "runs out in an hour, owner agrees",
        ];
        desk.run(&args).ends(0);
    }
    let coverage = desk
        .run(&["alert", "coverage", "f-1", "--json"])
        .ends(0)
        .json();
    assert_eq!(
        cell(&coverage, "tokens")["state"],
        "failed",
        "a risk is no proof"
    );
    let reason = &cell(&coverage, "tokens")["accepted"]["reason"];
    assert_eq!(reason, "runs out in an hour, owner agrees");
    desk.run(&["alert", "close", "f-1"]).ends(0);
    let shown = desk.run(&["log", "show", "--json"]).ends(0);
    assert!(shown.out.contains("accept_risk") && shown.out.contains("close_contained"));
    desk.run(&["log", "verify"]).ends(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_use_within_the_watch_opens_the_alert_again_also_after_a_restart() {
    let idp = Idp::start().await;
    let desk = away::desk(&idp.url());
    contain(&desk, 0);
    let coverage = desk.run(&["alert", "coverage", "f-1", "--json"]).json();
    // Revoked by proof; whoever checks tokens without asking believes them until they end.
    assert_eq!(cell(&coverage, "tokens")["state"], "not_containable");
    assert!(
        cell(&coverage, "tokens")["left_s"].as_i64() > Some(0),
        "{coverage}"
    );
    assert_eq!(coverage["watched"][0]["identity"], "idp:svc-a");
    // What happened before the containment and is only told now, opens nothing.
    desk.alert(&used("late", -60));
    let mut first = Served::start(&desk);
    first.says("alert siem/late");
    first.kill();
    let coverage = desk.run(&["alert", "coverage", "f-1", "--json"]).json();
    assert_eq!(coverage["reopened"], Value::Null);
    desk.alert(&used("now", 5));
    // Stored while nobody watches; whoever comes next finds it.
    desk.run(&["alerts", "list", "--json"]).ends(0);
    let mut second = Served::start(&desk);
    second.says("REOPENED siem/f-1");
    assert_eq!(second.ends(), Some(0));
    let coverage = desk
        .run(&["alert", "coverage", "f-1", "--json"])
        .ends(3)
        .json();
    assert_eq!(coverage["state"], "REOPENED");
    assert!(
        coverage["reopened"]
            .as_str()
            .unwrap()
            .contains("secret read"),
        "{coverage}"
    );
    assert_eq!(coverage["watched"], json!([]));
    desk.run(&["alert", "close", "f-1"])
        .ends(4)
        .tells(&["contain it again"]);
    desk.run(&["log", "verify"]).ends(0);
}
