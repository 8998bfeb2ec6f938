//! The way back from the command line: nobody reads an all-clear that is none.

use std::time::Duration;

use super::away;
use super::idp::Idp;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_identity_is_found_by_its_name_and_nobody_else_is_called_untouched() {
    let idp = Idp::slow(Duration::ZERO).await;
    let desk = away::desk(&idp.url());
    let done = desk.run(&["restore", "svc-a"]).ends(0);
    assert!(
        done.out.contains("idp:svc-a: never contained"),
        "{}",
        done.out
    );
    desk.run(&[
        "restore",
        "idp:svc-a",
        "--gate",
        "cause",
        "--reason",
        "looked",
    ])
    .ends(4)
    .tells(&["`idp:svc-a` was never contained"]);
    for nobody in ["svc-z", "idp:svc-z", ""] {
        desk.run(&["restore", nobody])
            .ends(2)
            .tells(&["no inventory lists"]);
    }
    let plan = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    let digest = plan["digest"].as_str().unwrap();
    desk.run(&["contain", digest]).ends(0);
    for name in ["svc-a", "idp:svc-a"] {
        let done = desk.run(&["restore", name]).ends(0);
        assert!(
            done.out.contains("idp:svc-a: UNTRUSTED since"),
            "{}",
            done.out
        );
    }
    desk.run(&["restore", "svc-a", "--gate", "cause", "--reason", "looked"])
        .ends(0);
}

#[test]
fn a_hold_that_would_run_what_is_no_playbook_is_refused() {
    let desk = away::desk("http://127.0.0.1:9");
    let hold = |then: &str| {
        desk.run(&[
            "hold",
            "add",
            "f-1",
            "--for",
            "4h",
            "--then",
            then,
            "--reason",
            "month end",
        ])
    };
    hold("contain:nonsense")
        .ends(2)
        .tells(&["there is no playbook `nonsense`"]);
    assert_eq!(desk.run(&["debts", "--json"]).ends(0).out, "");
    hold("contain:cut-live-access").ends(0);
}
