//! Nobody can read what is told: the reader is gone, or the disk that it goes to is full.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use rstest::rstest;

use super::away;
use super::idp::Idp;

/// A run that is under way goes on to its end, and its exit code says how it went.
#[rstest]
#[case::full(false)]
#[case::gone(true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_containment_goes_on_where_nobody_hears_of_it(#[case] is_gone: bool) {
    let idp = Idp::start().await;
    let desk = away::desk(&idp.url());
    let plan = ["plan", "f-1", "--playbook", "cut-live-access", "--json"];
    let plan = desk.run(&plan).ends(0).json();
    let err = if is_gone {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    } else {
        Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap())
    };
    let run = Command::new(env!("CARGO_BIN_EXE_stanch"))
        .args(desk.options())
        .args(["contain", plan["digest"].as_str().unwrap()])
        .env("HOME", desk.home())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(err)
        .status()
        .unwrap();
    assert_eq!((run.code(), idp.revoked()), (Some(0), 1));
    let intents = ["log", "show", "--type", "intent", "--json"];
    let intents = desk.run(&intents).ends(0).rows();
    let verbs: Vec<&str> = intents.iter().filter_map(|i| i["verb"].as_str()).collect();
    assert_eq!(verbs, ["preserve_evidence", "revoke_tokens"]);
    desk.run(&["log", "verify", "--strict"]).ends(0);
}

/// Whoever asks for a list and cannot be given it must not be told that it went well.
#[test]
fn a_list_that_nobody_can_read_is_a_failure() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let list = Command::new(env!("CARGO_BIN_EXE_stanch"))
        .args(["drill", "--list"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(list.status.code(), Some(2), "{list:?}");
}
