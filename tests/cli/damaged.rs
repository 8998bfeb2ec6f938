//! Somebody changed the decision log between two runs: everybody is told, and nothing is done until it was read about.

use std::path::PathBuf;

use super::away;
use super::desk::Desk;
use super::idp::Idp;

fn segment(desk: &Desk) -> PathBuf {
    let mut found = desk.left_behind();
    found.retain(|(path, _)| path.extension().is_some_and(|e| e == "jsonl"));
    found[0].0.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_over_a_damaged_log() {
    let idp = Idp::start().await;
    let desk = away::desk(&idp.url());
    let planned = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    let digest = planned["digest"].as_str().unwrap().to_owned();
    let path = segment(&desk);
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"").unwrap();

    let name = path.display().to_string();
    let said = desk.run(&["log", "verify"]).ends(1);
    assert!(
        said.out.contains(&name) && said.out.contains("is empty"),
        "{}",
        said.out
    );
    desk.run(&["log", "show"]).ends(1).tells(&[&name]);
    desk.run(&["log", "show", "--json"]).ends(1).tells(&[&name]);

    let refused = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(4);
    let row = refused.json();
    assert_eq!(row["ran"], false);
    assert!(
        row["journal"]["blocked"]
            .as_str()
            .unwrap()
            .contains("signed and durable"),
        "{row}"
    );
    refused.tells(&["signed and durable"]);
    desk.run(&["plan", "f-1", "--playbook", "cut-live-access"])
        .ends(4)
        .tells(&["not run", "acknowledge"]);
    for args in [
        &["contain", digest.as_str()][..],
        &["undo", digest.as_str(), "1"],
    ] {
        let refused = desk.run(args).ends(4);
        refused.tells(&["not run", "acknowledge"]);
    }
    assert_eq!(idp.revoked(), 0);
    // What happened stays visible after it was put back and acknowledged.
    assert!(!good.is_empty());
    desk.run(&["log", "acknowledge", "--reason", "disk was exchanged"])
        .ends(0);
    desk.run(&["plan", "f-1", "--playbook", "cut-live-access"])
        .ends(0);
    desk.run(&["log", "verify"]).ends(1);
}
