//! Two consoles run the same plan at the same moment.

use std::time::Duration;

use serde_json::Value;

use super::away;
use super::idp::Idp;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_that_two_consoles_begin_at_once_runs_once() {
    // Slow enough for both to have checked the plan before either begins.
    let idp = Idp::slow(Duration::from_millis(400)).await;
    let desk = away::desk(&idp.url());
    let plan = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    let digest = plan["digest"].as_str().unwrap();
    let mut codes: Vec<i32> = std::thread::scope(|scope| {
        let run = || desk.run(&["contain", digest]);
        let both = [scope.spawn(run), scope.spawn(run)];
        both.map(|thread| thread.join().unwrap().code).into()
    });
    codes.sort_unstable();
    assert_eq!((codes, idp.revoked()), (vec![0, 4], 1));

    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    assert_eq!(rows.len(), 1);
    let revoked = desk
        .run(&[
            "log",
            "show",
            "--type",
            "intent",
            "--grep",
            "revoke_tokens",
            "--json",
        ])
        .ends(0)
        .rows();
    assert_eq!(revoked.len(), 1, "{revoked:?}");
    let verified: Vec<Value> = desk
        .run(&["log", "show", "--type", "verify", "--json"])
        .ends(0)
        .rows();
    assert!(verified.iter().all(|v| v["proof"] == "agrees"));
    desk.run(&["log", "verify", "--strict"]).ends(0);
}
