//! What the policy does by itself where no console is open: `stanch serve` counts down and runs, others stop it.

use serde_json::Value;

use super::away;
use super::desk::{Desk, finding};
use super::idp::Idp;
use super::served::Served;

/// A folder whose policy cuts live access by itself, in a mode.
fn desk(url: &str, mode: &str, countdown_s: u32) -> Desk {
    let desk = away::desk(url);
    let shipped = desk.run(&["policy", "example"]).ends(0).out;
    let policy = format!(
        "{shipped}\n[automation]\ncountdown_s = {countdown_s}\n\n[[mode]]\nplaybook = 'cut-live-access'\nmode = '{mode}'\n"
    );
    desk.write("policy.toml", &policy);
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    desk.write(
        "config.toml",
        &format!("{config}\n[policy]\nfile = 'policy.toml'\n"),
    );
    desk.run(&["policy", "lint"]).ends(0);
    desk
}

fn decided(desk: &Desk) -> Vec<(String, Value)> {
    let rows = desk.run(&["log", "show", "--type", "decision", "--json"]);
    let rows = rows.ends(0).rows().into_iter();
    rows.map(|b| (b["kind"].as_str().unwrap_or_default().to_owned(), b))
        .filter(|(kind, _)| kind.starts_with("auto_"))
        .collect()
}

fn kinds(desk: &Desk) -> Vec<String> {
    decided(desk).into_iter().map(|(kind, _)| kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_countdown_that_nobody_stops_is_run_by_the_service_and_proven() {
    let idp = Idp::start().await;
    let desk = desk(&idp.url(), "auto", 10);
    let mut served = Served::start(&desk);
    served.says("by themselves: cut-live-access (auto)");
    served.says("cut-live-access runs by itself in 10 s for siem/f-1");
    let status = desk.run(&["policy", "status", "--json"]).ends(0).json();
    assert_eq!(
        (&status["counting"], &status["ran_in_hour"]),
        (&1.into(), &0.into())
    );
    // What a run came to may be known before the log is told that it began.
    served.says_all(&["cut-live-access runs by itself for siem/f-1", "plan "]);
    // Another alert about whom it was just run on begins nothing.
    desk.alert(&finding("f-2", "svc-a"));
    served.says("f-2");
    assert_eq!(served.ends(), Some(0));
    assert_eq!(kinds(&desk), ["auto_begun", "auto_run"]);
    assert_eq!(idp.revoked(), 1);
    let proofs = desk.run(&["log", "show", "--type", "verify", "--json"]);
    let proofs = proofs.ends(0).rows();
    assert!(!proofs.is_empty() && proofs.iter().all(|v| v["proof"] == "agrees"));
    let (_, begun) = &decided(&desk)[0];
    assert!(begun["by_policy"].is_string() && begun["plan"].is_string());
    desk.run(&["log", "verify", "--strict"]).ends(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_veto_from_elsewhere_stops_the_service() {
    let idp = Idp::start().await;
    let desk = desk(&idp.url(), "auto", 60);
    desk.run(&["veto", "f-1"])
        .ends(4)
        .tells(&["nothing counts down for siem/f-1"]);
    let mut served = Served::start(&desk);
    served.says("runs by itself in 60 s for siem/f-1");
    desk.run(&["--read-only", "veto", "f-1"]).ends(4);
    let told = desk
        .run(&["veto", "f-1", "--reason", "the owner tests", "--json"])
        .ends(0)
        .json();
    assert_eq!(
        (&told["vetoed"], &told["playbook"]),
        (&true.into(), &"cut-live-access".into())
    );
    desk.run(&["veto", "f-1"])
        .ends(4)
        .tells(&["nothing counts down for siem/f-1", "was stopped by"]);
    // The veto holds for the identity, not for one of its alerts.
    desk.alert(&finding("f-2", "svc-a"));
    served.says("f-2");
    assert_eq!(served.ends(), Some(0));
    let all = decided(&desk);
    assert_eq!(kinds(&desk), ["auto_begun", "auto_vetoed"]);
    assert_eq!(all[0].1["plan"], all[1].1["plan"]);
    assert_eq!(all[1].1["reason"], "the owner tests");
    assert_eq!(idp.revoked(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_shadow_the_service_only_writes_down_what_it_would_have_done() {
    let idp = Idp::start().await;
    let desk = desk(&idp.url(), "shadow", 10);
    let mut served = Served::start(&desk);
    served.says("by themselves: cut-live-access (shadow)");
    served.says("siem/f-1");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while kinds(&desk).is_empty() && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    assert_eq!(served.ends(), Some(0));
    assert_eq!(kinds(&desk), ["auto_shadow"]);
    assert_eq!(idp.revoked(), 0);
}
