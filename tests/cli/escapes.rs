//! Whatever text from outside is, no subcommand prints it as more than text.

use rstest::rstest;
use serde_json::{Value, json};

use super::desk::{Desk, finding};
use super::oracle;
use super::payloads::PAYLOADS;
use super::served::Served;

/// A string as TOML takes it, whatever is in it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A desk on which everything that others write holds every payload.
fn desk() -> Desk {
    let all: String = PAYLOADS.iter().map(|(_, text)| *text).collect();
    let bad = quoted(&all);
    let mut inventory = format!(
        "[[identity]]\nid = 'siem:svc-a'\nname = {bad}\nkind = 'service_account'\nworkload = {bad}\n\
         technical_owner = {bad}\non_call = {bad}\nenvironment = {bad}\nscopes = [{{ name = {bad} }}]\n\
         [[identity.credential]]\nid = {bad}\nkind = {bad}\nstore = {bad}\nhard_coded = [{bad}]\n\
         [[identity.grant]]\nto = {bad}\nkind = {bad}\nscopes = [{bad}]\n"
    );
    for (n, (_, text)) in PAYLOADS.iter().enumerate() {
        let text = quoted(text);
        let node = format!(
            "[[node]]\nid = 'n{n}'\nkind = 'workload'\nlabel = {text}\nowner = {text}\n\
             [[edge]]\nfrom = 'n{n}'\nkind = 'depends_on'\nto = 'siem:svc-a'\n"
        );
        inventory.push_str(&node);
    }
    let desk = Desk::configured("", &inventory);
    for (n, (_, text)) in PAYLOADS.iter().enumerate() {
        let mut alert: Value = serde_json::from_str(&finding(&format!("f-{n}"), "svc-a")).unwrap();
        alert["finding_info"]["title"] = json!(format!("title {text} end"));
        alert["actor"]["user"]["name"] = json!(text);
        alert["resources"] = json!([{"uid": text, "type": text}]);
        alert["metadata"]["product"]["name"] = json!(text);
        desk.alert(&alert.to_string());
        desk.alert(&format!("{{\"broken\": {text}"));
    }
    let mut named: Value = serde_json::from_str(&finding("f-x", &all)).unwrap();
    named["finding_info"]["uid"] = json!(all);
    desk.alert(&named.to_string());
    desk
}

/// An escape character that was made visible twice. One payload holds the letters of a visible one; this is another.
const TWICE: &str = r"\u{5c}u{1b}]2;";

#[test]
fn no_subcommand_prints_text_from_outside_as_more_than_text() {
    let desk = desk();
    let all: String = PAYLOADS
        .iter()
        .map(|(_, text)| text.replace('\0', ""))
        .collect();
    let evil = all.as_str();
    let commands: Vec<Vec<&str>> = vec![
        vec!["alerts", "list"],
        vec!["alerts", "show", "f-0"],
        vec!["alerts", "show", evil],
        vec!["alerts", "malformed"],
        vec!["alerts", "sources"],
        vec!["alerts", "list", "--filter", evil],
        vec!["identity", "list"],
        vec!["identity", "show", "siem:svc-a"],
        vec!["identity", "show", evil],
        vec!["identity", "map", "siem:svc-a"],
        vec!["identity", "readiness"],
        vec!["policy", "explain", "f-0"],
        vec!["policy", "explain", evil],
        vec!["plan", "f-0", "--playbook", "cut-live-access"],
        vec!["plan", "f-0", "--playbook", evil],
        vec!["alert", "note", "f-0", "--reason", evil],
        vec!["alert", "claim", "f-1"],
        vec!["alert", "assign", "f-1", "--to", evil, "--reason", evil],
        vec!["alert", "dismiss", "f-2", "--reason", evil],
        vec!["alert", "snooze", "f-3", "--reason", evil],
        vec!["alert", "coverage", "f-0"],
        vec!["contain", evil],
        vec!["approve", evil],
        vec!["reject", evil, "--reason", evil],
        vec!["undo", evil, evil],
        vec!["reconcile", evil],
        vec!["hold", "list"],
        vec!["restore", evil],
        vec!["approvals"],
        vec!["debts"],
        vec!["break-glass", "list"],
        vec!["log", "show"],
        vec!["log", "show", "--filter", evil],
        vec!["log", "verify"],
        vec!["log", "record", evil],
        vec!["doctor"],
        vec!["config", "check"],
        vec!["--theme", evil, "themes"],
        vec!["drill", evil],
        vec!["keys"],
    ];
    for command in commands {
        for json in [false, true] {
            let mut args = command.clone();
            if json {
                args.push("--json");
            }
            let done = desk.run(&args);
            // The log's lines are signed as they are and go to a pipe so.
            let verbatim = json && command[0] == "log";
            let wrong = [
                oracle::lines(if verbatim { b"" } else { done.out.as_bytes() }),
                oracle::lines(done.err.as_bytes()),
            ];
            let what = &command[..command.len().min(2)];
            assert!(
                wrong.concat().is_empty(),
                "{what:?} json {json}: {wrong:?}\n{}\n{}",
                done.out.escape_debug(),
                done.err.escape_debug()
            );
            // Escaped once, it can be read.
            assert!(!done.err.contains(TWICE), "{what:?}: {}", done.err);
        }
    }
    // What was tried can be read, and the log took it.
    let shown = desk.run(&["log", "show"]).ends(0).out;
    assert!(shown.contains(r"\u{1b}"), "{shown}");
}

#[rstest]
#[case::a_service("serve")]
#[case::the_console_as_lines("--plain")]
fn what_runs_on_tells_text_from_outside_as_text(#[case] what: &str) {
    let desk = desk();
    let mut running = Served::running(&desk, what);
    running.says("following");
    // A few at a time are told one by one.
    let mut late: Value = serde_json::from_str(&finding("f-late", "svc-a")).unwrap();
    let all: String = PAYLOADS.iter().map(|(_, text)| *text).collect();
    late["finding_info"]["title"] = json!(all);
    desk.alert(&late.to_string());
    running.says("f-late");
    let told = running.ends_having_said();
    let wrong: Vec<String> = told
        .iter()
        .flat_map(|line| oracle::lines(line.as_bytes()))
        .collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?}");
    // They were told, and each was escaped once.
    let all = told.join("\n");
    assert!(all.contains(r"\u{1b}]0;pwned\u{7}"), "{all}");
}

#[test]
fn a_file_of_lines_full_of_payloads_is_decoded_into_plain_lines() {
    let desk = desk();
    for args in [
        ["alerts", "decode", "alerts.jsonl"].as_slice(),
        &["alerts", "decode", "alerts.jsonl", "--json"],
        &["alerts", "import", "alerts.jsonl"],
    ] {
        let path = desk.path("alerts.jsonl").display().to_string();
        let mut args = args.to_vec();
        args[2] = &path;
        let done = desk.run(&args);
        let wrong = [
            oracle::lines(done.out.as_bytes()),
            oracle::lines(done.err.as_bytes()),
        ];
        assert!(wrong.concat().is_empty(), "{args:?}: {wrong:?}");
    }
}
