//! Several people on one host: real users, one store, one provider. Needs root and setpriv, which continuous integration has.

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod common;

#[path = "people/host.rs"]
mod host;

#[path = "log/provider.rs"]
#[expect(dead_code, reason = "shared with tests that look at more")]
mod provider;

#[path = "common/request.rs"]
mod request;

use std::process::{Command, Stdio};

use host::{ADA, CLEO, Host, MIRA, OLAF};
use serde_json::json;
use stanch::domain::decision::RecordType;
use stanch::journal::{JournalConfig, Writer};

const ROLE: &str = "STANCH_TEST_FORGER";

/// Not a test by itself: writes records into the log of whoever runs it, past every check of the program.
#[test]
#[ignore = "runs as the child of the tests below"]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let (dir, records) = role.split_once('|').unwrap();
    let dir = std::path::PathBuf::from(dir);
    let uid = rustix::process::geteuid().as_raw();
    let config = JournalConfig {
        store: dir.join("state/journal"),
        site: "local".into(),
        keys: dir.join(format!("home-{uid}/.config/stanch/keys")),
        drill: false,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    };
    let records: Vec<(RecordType, serde_json::Value)> = serde_json::from_str(records).unwrap();
    let now = jiff::Timestamp::now();
    let (mut writer, _) = Writer::open(config, now).unwrap();
    writer.append(now, &records).unwrap();
}

fn forge(host: &Host, uid: u32, records: &serde_json::Value) {
    let done = host
        .setpriv(uid, &host.test_exe())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(ROLE, format!("{}|{records}", host.dir().display()))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn who_asks_who_agrees_and_who_only_looks() {
    let host = Host::new("soft = { count = 1, roles = ['approver', 'commander'] }");
    let digest = host.plan(ADA);
    let risk: Vec<&str> = "alert accept-risk siem/f-0 --layer tokens --reason x"
        .split(' ')
        .collect();
    // Whoever looks on can act on nothing, and hears who could.
    for args in [
        vec!["alert", "claim", "siem/f-0"],
        vec!["alert", "note", "siem/f-0", "--reason", "x"],
        vec!["alert", "close", "siem/f-0"],
        risk.clone(),
        vec!["plan", "siem/f-0", "--playbook", "cut-live-access"],
        vec!["contain", &digest],
        vec!["approve", &digest],
        vec!["reject", &digest, "--reason", "no"],
        vec!["undo", &digest, "2"],
        vec!["reconcile", "siem/f-0"],
        vec!["break-glass", "run", &digest, "--reason", "me"],
    ] {
        let (code, out, err) = host.run(OLAF, &args);
        assert_eq!(code, 4, "{args:?}: {out}{err}");
        assert!(err.contains("olaf is observer"), "{args:?}: {err}");
        assert!(!err.contains("olaf could"), "{args:?}: {err}");
    }
    assert_eq!(host.provider.revocations(), 0);
    // Who asks cannot agree; who agrees may run it.
    let (code, _, err) = host.run(ADA, &["contain", &digest]);
    assert!(
        code == 4 && err.contains("1 more must agree, mira, cleo could"),
        "{err}"
    );
    let (code, _, err) = host.run(ADA, &["approve", &digest]);
    assert!(
        code == 4 && err.contains("ada is analyst and may not judge"),
        "{err}"
    );
    let (code, out, _) = host.run(MIRA, &["approvals"]);
    assert!(code == 0 && out.contains(&digest[..8]), "{out}");
    let (code, out, err) = host.run(MIRA, &["approve", &digest]);
    assert!(code == 0 && out.contains("mira agreed"), "{out}{err}");
    assert_eq!(host.provider.revocations(), 0);
    let (code, out, err) = host.run(MIRA, &["contain", &digest]);
    assert!(code == 0, "{out}{err}");
    assert_eq!(host.provider.revocations(), 1);
    // Now that there is something to take the risk of, they may not either.
    let (code, out, err) = host.run(OLAF, &risk);
    assert!(code == 4 && err.contains("olaf is observer"), "{out}{err}");
    // An approval is for one run.
    let (code, _, err) = host.run(ADA, &["contain", &digest]);
    assert!(code == 4 && err.contains("was run already"), "{err}");
    // A no needs a reason, and ends it.
    let digest = host.plan(ADA);
    let (code, ..) = host.run(MIRA, &["reject", &digest, "--reason", " "]);
    assert_eq!(code, 2);
    let (code, ..) = host.run(MIRA, &["reject", &digest, "--reason", "pay day"]);
    assert_eq!(code, 0);
    let (code, _, err) = host.run(ADA, &["contain", &digest]);
    assert!(
        code == 4 && err.contains("mira refused it: pay day"),
        "{err}"
    );
    assert_eq!(host.provider.revocations(), 1);
    let (code, out, err) = host.verify();
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn forged_and_replayed_approvals_are_refused_and_found() {
    let host = Host::new("soft = { count = 1 }");
    let first = host.plan(ADA);
    // Ada writes into her own log that Mira agreed, and shows a block that Mira never signed.
    let verdict =
        |digest: &str| json!({"digest": digest, "approved": true, "by": "mira", "reason": null});
    let mut with_block = verdict(&first);
    with_block["block"] = json!(format!(
        "stanch verdict v1\napprove {first}\nat 2026-01-01T00:00:00Z\nexpires 2026-01-01T00:00:00Z\nkey {}\nreason \"\"\n\n\u{2014} local/x/mira AAAA\n",
        host.key(MIRA)
    ));
    forge(
        &host,
        ADA,
        &json!([["approval", verdict(&first)], ["approval", with_block]]),
    );
    // Olaf, who only looks, agrees in his own log.
    forge(&host, OLAF, &json!([["approval", verdict(&first)]]));
    let (code, _, err) = host.run(ADA, &["contain", &first]);
    assert!(code == 4 && err.contains("1 more must agree"), "{err}");
    // What Mira said of one plan is nothing for another.
    let second = host.plan(ADA);
    let (code, ..) = host.run(MIRA, &["approve", &second]);
    assert_eq!(code, 0);
    let (code, _, err) = host.run(ADA, &["contain", &first]);
    assert!(code == 4 && err.contains("1 more must agree"), "{err}");
    assert_eq!(host.provider.revocations(), 0);
    let (code, out, err) = host.verify();
    assert_eq!(code, 1, "{out}{err}");
    for found in [
        "the plan was approved by the person who wrote it",
        "the verdict of another host is forged",
        "a verdict that counts for nothing: olaf is observer",
    ] {
        assert!(out.contains(found), "{found}: {out}");
    }
    // A console that does not ask runs the first plan all the same, and the second twice.
    let intent = |digest: &str, id: &str| {
        json!(["intent", {
            "intent": id, "digest": digest, "step": "2", "verb": "revoke_tokens", "identity": "as:svc-0", "alert": "siem/f-0",
            "undo": false, "process": {"boot": "b", "pid": 1, "start": 1},
        }])
    };
    forge(
        &host,
        ADA,
        &json!([
            intent(&first, "i1"),
            intent(&second, "i2"),
            intent(&second, "i3")
        ]),
    );
    let (_, out, _) = host.verify();
    for found in ["run although 1 more had to agree", "step 2 was run twice"] {
        assert!(out.contains(found), "{found}: {out}");
    }
    let (code, _, err) = host.run(MIRA, &["contain", &second]);
    assert!(code == 4 && err.contains("was run already"), "{err}");
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn of_two_approvers_at_once_one_runs_it() {
    let rounds = std::env::var("STANCH_APPROVAL_ROUNDS").map_or(5, |n| n.parse().unwrap());
    let host = Host::new("soft = { count = 1 }");
    for round in 0..rounds {
        host.awaken();
        let digest = host.plan(ADA);
        let both = format!(
            "{0} approve {1} {2} && exec {0} contain {1} {2}",
            host.exe().display(),
            digest,
            host.options()
        );
        let start = |uid| {
            let mut command: Command = host.setpriv(uid, std::path::Path::new("sh"));
            command
                .args(["-c", &both])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let runs = [start(MIRA), start(CLEO)];
        let codes = runs.map(|mut run| run.wait().unwrap().code());
        assert_eq!(
            host.provider.revocations(),
            round + 1,
            "round {round}: {codes:?}"
        );
        assert!(
            codes.contains(&Some(0)) && codes.contains(&Some(4)),
            "round {round}: {codes:?}"
        );
    }
    let (code, out, err) = host.verify();
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn a_verdict_travels_as_text() {
    let host = Host::new("soft = { count = 1 }");
    let elsewhere = Host::with_people(&host, "soft = { count = 1 }");
    let digest = host.plan(ADA);
    let (code, request, _) = host.run(ADA, &["approvals", "--request", &digest]);
    assert_eq!(code, 0);
    elsewhere.write("request.txt", &request);
    let from = elsewhere.dir().join("request.txt");
    let from = from.to_str().unwrap();
    let (code, out, err) = elsewhere.run(MIRA, &["approve", "--from", from]);
    assert!(
        code == 0 && out.contains("BEGIN STANCH VERDICT"),
        "{out}{err}"
    );
    // Only what Mira signed counts; a changed letter does not.
    host.write("changed.txt", &out.replace("approve ", "approve 0"));
    host.write("verdict.txt", &out);
    let (code, ..) = host.run(
        ADA,
        &[
            "approve",
            "--from",
            host.dir().join("changed.txt").to_str().unwrap(),
        ],
    );
    assert_eq!(code, 2);
    let verdict = host.dir().join("verdict.txt");
    let verdict = verdict.to_str().unwrap();
    let (code, out, err) = host.run(ADA, &["approve", "--from", verdict]);
    assert!(code == 0 && out.contains("mira agreed to"), "{out}{err}");
    let (code, _, err) = host.run(ADA, &["approve", "--from", verdict]);
    assert!(
        code == 4 && err.contains("stands in the log already"),
        "{err}"
    );
    let (code, out, err) = host.run(ADA, &["contain", &digest]);
    assert!(code == 0, "{out}{err}");
    assert_eq!(host.provider.revocations(), 1);
    let (code, out, err) = host.verify();
    assert_eq!(code, 0, "{out}{err}");
    // It stands in her own log too.
    let (code, out, _) = elsewhere.run(MIRA, &["log", "show", "--type", "approval", "--json"]);
    assert!(code == 0 && out.contains(&digest), "{out}");
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn who_acts_alone_is_looked_at_before_anybody_may_again() {
    let host = Host::new("soft = { count = 1 }");
    let digest = host.plan(ADA);
    let args = ["break-glass", "run", &digest, "--reason", "nobody answers"];
    let (code, out, err) = host.run(ADA, &args);
    assert!(code == 0 && err.contains("BREAK-GLASS"), "{out}{err}");
    assert_eq!(host.provider.revocations(), 1);
    host.awaken();
    let second = host.plan(ADA);
    let args = ["break-glass", "run", &second, "--reason", "again"];
    let (code, _, err) = host.run(ADA, &args);
    assert!(
        code == 4 && err.contains("nobody else reviewed it yet"),
        "{err}"
    );
    let review = ["break-glass", "review", &digest, "--reason", "right"];
    for (uid, why) in [
        (ADA, "ada is analyst"),
        (MIRA, "mira is approver; cleo could"),
    ] {
        let (code, _, err) = host.run(uid, &review);
        assert!(code == 4 && err.contains(why), "{err}");
    }
    let (code, _, err) = host.run(CLEO, &review);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = host.run(ADA, &args);
    assert_eq!(code, 0, "{err}");
    let (_, out, _) = host.verify();
    assert!(out.contains("acted alone, and nobody reviewed it"), "{out}");
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn three_people_at_their_screens() {
    let host = Host::new("soft = { count = 1 }");
    let mut mira = host.console(MIRA);
    let mut olaf = host.console(OLAF);
    for pty in [&mut mira, &mut olaf] {
        pty.wait_for("svc-0");
        pty.wait_for("Options");
    }
    // Whoever looks on sees every option disabled, with who could.
    olaf.wait_for("olaf is observer");
    olaf.send("c");
    olaf.wait_for("claim: olaf is observer; ada, mira, cleo could");
    // Ada asks; Mira hears it, with the bell.
    let digest = host.plan(ADA);
    let bells = |pty: &common::Pty| pty.raw.split(|b| *b == 7).count() - 1;
    let (before, asked) = (bells(&mira), std::time::Instant::now());
    let (code, _, err) = host.run(ADA, &["contain", &digest]);
    assert!(code == 4 && err.contains("1 more must agree"), "{err}");
    mira.wait_for("asks you to agree (A)");
    println!(
        "heard {} ms after Ada began to ask",
        asked.elapsed().as_millis()
    );
    mira.wait("the bell", |pty| bells(pty) > before);
    mira.wait_for("1 TO APPROVE");
    olaf.wait_for("asks others to agree");
    assert_eq!(bells(&olaf), 0);
    mira.send("A");
    mira.wait_for("Approvals (1)");
    println!("{}", mira.text());
    mira.send("\r");
    mira.wait_for("Plan of somebody else");
    println!("{}", mira.text());
    mira.wait_for("Agree ]");
    // Keys in the first moments are not for it.
    let armed = std::time::Instant::now();
    mira.wait("the preview to take keys", |_| {
        armed.elapsed().as_millis() > 400
    });
    mira.send("\t");
    mira.wait_for("\u{258c}[ Agree ]");
    mira.send("\r");
    mira.wait_for("enough people have");
    assert_eq!(host.provider.revocations(), 0);
    // The console that completes the quorum runs it.
    mira.send("\r");
    mira.wait_for("[ Run ]");
    let armed = std::time::Instant::now();
    mira.wait("the preview to take keys", |_| {
        armed.elapsed().as_millis() > 400
    });
    mira.send("\t");
    mira.wait_for("\u{258c}[ Run ]");
    mira.send("\r");
    mira.wait_for("Plan: ended");
    println!("{}", mira.text());
    assert_eq!(host.provider.revocations(), 1);
    let (code, _, err) = host.run(ADA, &["contain", &digest]);
    assert!(code == 4 && err.contains("was run already"), "{err}");
    let (code, out, err) = host.verify();
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn a_hold_ends_by_time_and_an_identity_comes_back_gate_by_gate() {
    let host = Host::new("soft = { count = 0 }");
    let hold = |then: &str| {
        let args = [
            "hold",
            "add",
            "siem/f-0",
            "--for",
            "4h",
            "--then",
            then,
            "--reason",
            "month end",
            "--json",
        ];
        let (code, out, err) = host.run(ADA, &args);
        assert_eq!(code, 0, "{err}");
        let row: serde_json::Value = serde_json::from_str(&out).unwrap();
        row["recorded"]["hold"].as_str().unwrap().to_owned()
    };
    let name = hold("contain:cut-live-access");
    for (uid, why) in [(ADA, "whoever holds something"), (OLAF, "olaf is observer")] {
        let (code, _, err) = host.run(uid, &["hold", "agree", &name]);
        assert!(code == 4 && err.contains(why), "{err}");
    }
    let debts = || host.run(CLEO, &["debts"]).1;
    assert!(debts().contains("NOBODY AGREED"), "{}", debts());
    let (code, _, err) = host.run(MIRA, &["hold", "agree", &name]);
    assert_eq!(code, 0, "{err}");
    let shown = debts();
    println!("{shown}");
    assert!(
        shown.contains("mira agreed") && shown.contains("runs cut-live-access"),
        "{shown}"
    );
    // Its time was over while nobody was there: the next console that starts contains it, once, and says so.
    let until = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(10);
    forge(
        &host,
        ADA,
        &json!([["decision", {
            "kind": "hold", "alert": "siem/f-0", "reason": "short", "hold": "h-over", "until": until, "ending": "contain",
            "to": "cut-live-access",
        }]]),
    );
    let mut ada = host.console(ADA);
    ada.wait_for("svc-0");
    ada.wait("the revocation", |_| host.provider.revocations() == 1);
    ada.send("m");
    ada.wait_for("10 min ago, when no console was open");
    drop(ada);
    let mut mira = host.console(MIRA);
    mira.wait_for("UNTRUSTED since");
    drop(mira);
    assert_eq!(host.provider.revocations(), 1);
    // Back to trust: gates, the last by somebody else.
    let lift = ["restore", "as:svc-0", "--lift", "--reason", "clean"];
    let (code, _, err) = host.run(ADA, &lift);
    assert!(
        code == 4 && err.contains("nobody vouched for cause"),
        "{err}"
    );
    let vouch = |uid, gate| {
        host.run(
            uid,
            &["restore", "as:svc-0", "--gate", gate, "--reason", "looked"],
        )
    };
    let (code, _, err) = vouch(MIRA, "second_person");
    assert!(code == 4 && err.contains("nothing to look at"), "{err}");
    for gate in ["cause", "credentials", "siblings", "recovery", "linked"] {
        let (code, _, err) = vouch(ADA, gate);
        assert_eq!(code, 0, "{err}");
    }
    let (code, _, err) = vouch(ADA, "second_person");
    assert!(code == 4 && err.contains("ada is analyst"), "{err}");
    let (code, out, err) = vouch(MIRA, "second_person");
    assert_eq!(code, 0, "{err}");
    println!("{out}");
    let (code, out, err) = host.run(ADA, &lift);
    assert!(
        code == 0 && out.contains("on PROBATION until"),
        "{out}{err}"
    );
    assert!(debts().contains("probation"), "{}", debts());
    watched_again(&host);
}

/// A new alert while it is watched: the log proposes to contain it again, and every screen says so.
fn watched_again(host: &Host) {
    let now = jiff::Timestamp::now().as_millisecond() + 2_000;
    let alerts = std::fs::read_to_string(host.dir().join("alerts.jsonl")).unwrap();
    let second = alerts
        .replace("f-0", "f-1")
        .replace("1794000000000", &now.to_string());
    host.write("alerts.jsonl", &(alerts + &second));
    let mut cleo = host.console(CLEO);
    cleo.wait_for("CONTAIN IT AGAIN? alert siem/f-1 came while on PROBATION");
    cleo.send("B");
    cleo.wait_for("OVERDUE");
    cleo.wait_for("CONTAIN IT AGAIN: alert siem/f-1");
    // Nobody can be told by a connector, and the board says so.
    cleo.wait_for("NOBODY CAN BE PAGED");
    println!("{}", cleo.text());
    drop(cleo);
    let (_, out, _) = host.run(ADA, &["restore", "as:svc-0", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&out).unwrap();
    let again = &row["contain_again"];
    assert_eq!(
        (&again["alert"], &again["playbook"]),
        (&json!("siem/f-1"), &json!("cut-live-access")),
        "{row}"
    );
    let (_, out, _) = host.run(ADA, &["log", "show", "--kind", "recontain"]);
    let proposed = out.matches("proposes to contain as:svc-0 again").count();
    assert_eq!(proposed, 1, "once: {out}");
}
