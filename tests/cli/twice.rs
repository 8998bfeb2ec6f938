//! Two consoles run the same plan at the same moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::away;

/// A server that answers slowly enough for both to have checked the plan before either begins.
async fn slow_server() -> MockServer {
    let server = MockServer::builder().start().await;
    let revoked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&revoked);
    let introspect = move |_: &Request| {
        let body = json!({"active": !seen.load(Ordering::SeqCst), "client_id": "svc-a", "exp": 4_000_000_000_u64});
        ResponseTemplate::new(200)
            .set_body_json(body)
            .set_delay(Duration::from_millis(400))
    };
    let revoke = move |_: &Request| {
        revoked.store(true, Ordering::SeqCst);
        ResponseTemplate::new(200)
    };
    Mock::given(method("POST"))
        .and(path("/oauth/introspect"))
        .respond_with(introspect)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/oauth/revoke"))
        .respond_with(revoke)
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_that_two_consoles_begin_at_once_runs_once() {
    let server = slow_server().await;
    let desk = away::desk(&server.uri());
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
    assert_eq!(codes, [0, 4]);

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
