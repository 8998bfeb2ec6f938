use clap::Parser;
use rstest::rstest;
use serde_json::json;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::domain::decision::RecordType;
use crate::domain::ids::AlertId;
use crate::journal::{JournalConfig, Writer};

use super::filter::parse_time;
use super::*;

mod asking;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
}

fn run_log(store: &Path, args: &[&str], json: bool) -> (u8, String) {
    let cli = Cli::parse_from(std::iter::once("log").chain(args.iter().copied()));
    let mut out = Vec::new();
    let context = Context {
        json,
        journal: &|| Ok(config(store)),
        ..context(store, false)
    };
    let code = run(&cli.log, &context, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

fn context(store: &Path, read_only: bool) -> Context<'static> {
    let own = store.to_owned();
    Context {
        store: store.to_owned(),
        seen: store.with_file_name("keys").join(journal::SEEN_FILE),
        cache: Some(store.with_file_name("cache")),
        json: false,
        read_only,
        alert: &|_| None,
        warn: &|_| (),
        journal: Box::leak(Box::new(move || Ok(config(&own)))),
    }
}

fn config(store: &Path) -> JournalConfig {
    JournalConfig {
        store: store.to_owned(),
        site: "soc.example".into(),
        keys: store.with_file_name("keys"),
        drill: false,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    }
}

/// A whole incident, minute by minute: claimed, planned, approved, two acts of which one is proven, and one taken back.
fn incident() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let start: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
    let (mut writer, _) = Writer::open(config(&dir.path().join("store")), start).unwrap();
    let kept = writer.shelf().put(b"{\"a\":1}").unwrap();
    let mut minute = 0;
    let mut write = |kind: RecordType, body: serde_json::Value| {
        minute += 1;
        let now = start + SignedDuration::from_mins(minute);
        writer.append(now, &[(kind, body)]).unwrap();
    };
    let step = |id: &str, verb: &str| {
        json!({
            "id": id, "verb": verb, "title": format!("do | {verb}"), "why": "w", "team": "t", "tier": "soft",
            "layer": "credentials", "connector": "c", "target": "svc", "requests": [], "verify": null,
            "undo": {"kind": "nothing_to_undo"}, "breaks": "", "idempotent": true,
        })
    };
    let plan = json!({
        "v": 1, "alert": "siem/7", "identity": "kc:svc", "identity_name": "svc", "params": {}, "environment": null,
        "playbook": "stop <b>it</b>", "playbook_sha256": "0", "tier": "soft", "created": "2026-11-21T08:00:00Z",
        "expires": "2026-11-21T09:00:00Z", "nonce": "n", "drill": false,
        "steps": [step("1", "revoke_sessions"), step("2", "rotate_secret")],
        "skipped": [{"verb": "notify_owner", "reason": "no owner"}],
        "impact": {"breaks": [], "reaches": [], "truncated": false},
        "residual": [{"layer": "tokens", "text": "tokens live on", "at_most_s": 3600}], "preconditions": [],
    });
    let digest = crate::domain::plan::sha256_hex(&crate::domain::plan::canonical(&plan));
    let intent = |id: &str, step: &str, verb: &str, undo: bool| {
        json!({
            "intent": id, "digest": digest, "step": step, "verb": verb, "identity": "kc:svc", "alert": "siem/7",
            "undo": undo, "process": {"pid": 1, "start": 1, "boot": "b"},
        })
    };
    let outcome = |id: &str, word: &str| {
        json!({
            "intent": id, "outcome": word, "http_status": 204, "provider_request_id": null, "attempts": 1,
            "error": null, "body_sha256": null,
            "evidence": [{"name": "user.json", "sha256": kept.sha256, "size": kept.size, "source": "kc"}],
        })
    };
    let proof = json!({"intent": "i-1", "proof": "agrees", "says": "no sessions", "tries": 1, "evidence_sha256": "cd"});
    write(
        RecordType::Decision,
        json!({"kind": "claim", "alert": "siem/7", "reason": null}),
    );
    write(RecordType::Plan, json!({"digest": digest, "plan": plan}));
    write(
        RecordType::Approval,
        json!({"digest": digest, "approved": true, "by": "bob", "reason": "go"}),
    );
    write(
        RecordType::Intent,
        intent("i-1", "1", "revoke_sessions", false),
    );
    write(RecordType::Outcome, outcome("i-1", "accepted"));
    write(RecordType::Verify, proof);
    write(
        RecordType::Intent,
        intent("i-2", "2", "rotate_secret", false),
    );
    write(RecordType::Outcome, outcome("i-2", "unknown"));
    write(
        RecordType::Intent,
        intent("i-3", "1", "revoke_sessions", true),
    );
    write(RecordType::Outcome, outcome("i-3", "accepted"));
    let handed = json!({"kind": "hand_over", "alert": "siem/7", "plan": digest, "step": "3", "reason": "SRE does this"});
    write(RecordType::Decision, handed);
    dir
}

#[test]
fn an_incident_is_reported_with_what_is_left() {
    let dir = incident();
    let at = dir.path().join("store");
    let (code, text) = run_log(&at, &["report", "7"], false);
    assert_eq!(code, 0, "{text}");
    for wanted in [
        "# Incident siem/7",
        "Journal: verifies",
        "**UNKNOWN**: rotate_secret on kc",
        "Time to decide: 1m00s",
        "| 1 | do \\| revoke\\_sessions | svc | D3-ST | proven |",
        "approved by bob – go",
        "Before: user.json from kc, 7 bytes, SHA-256 015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
        "read-back agrees – no sessions, answers SHA-256 cd",
        "tokens: tokens live on (for at most 1h00m)",
        "left out: notify_owner (no owner)",
        "rotate_secret on kc:svc is unknown: count it as not contained",
        "| NIST CSF 2.0 | RS.MI-3 |",
        "| OWASP Agentic AI Top 10 | A-04 | deviating agents are contained | nothing in this incident |",
        "| MITRE D3FEND | D3-CRO |",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    assert!(!text.contains("<b>"), "{text}");
    let (_, json) = run_log(&at, &["report", "siem/7"], true);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["acts"][0]["d3fend"], "D3-ST");
    assert_eq!(value["plans"][0]["verdicts"][0]["by"], "bob");
    assert_eq!(
        (&value["course"]["unknown"], &value["intact"]),
        (&json!(1), &json!(true))
    );
    assert!(value["timeline"].as_array().unwrap().len() >= 10);
    let cli = Cli::parse_from(["log", "report", "nothing"]);
    assert!(run(&cli.log, &context(&at, false), &mut Vec::new()).is_err());
}

#[test]
fn a_report_says_how_long_the_identity_was_open() {
    let dir = incident();
    let at = dir.path().join("store");
    let stored = |id: &AlertId| {
        let mut alert = crate::domain::queue::tests::alert(id.as_str(), None, 1);
        alert.observed = "2026-11-20T10:00:00Z".parse().unwrap();
        alert.time = Some("2026-11-20T09:50:00Z".parse().unwrap());
        Some(alert)
    };
    let report = |json: bool| {
        let cli = Cli::parse_from(["log", "report", "siem/7"]);
        let context = Context {
            alert: &stored,
            json,
            ..context(&at, false)
        };
        let mut out = Vec::new();
        run(&cli.log, &context, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = report(false);
    let line = text
        .lines()
        .find(|l| l.starts_with("- Exposure: "))
        .unwrap();
    assert!(
        line.starts_with("- Exposure: exposed 2026-11-20 09:50:00Z, alert +10m00s, taken "),
        "{line}"
    );
    assert!(line.contains(" so far"), "one act is unknown: {line}");
    let value: serde_json::Value = serde_json::from_str(&report(true)).unwrap();
    assert_eq!(value["exposure"]["lasts"], true);
    assert_eq!(value["exposure"]["marks"][0]["what"], "exposed");
}

#[test]
fn metrics_say_where_the_time_went() {
    let dir = incident();
    let at = dir.path().join("store");
    let (_, json) = run_log(&at, &["metrics"], true);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let course = &value["alerts"][0];
    assert_eq!(course["alert"], "siem/7");
    let stages = json!([
        {"until": "decide", "seconds": 60}, {"until": "approve", "seconds": 60}, {"until": "execute", "seconds": 60},
    ]);
    assert_eq!(course["stages"], stages);
    // One act is not proven, so nothing is; the first step held from minute 4 to 10 in vain.
    assert_eq!(course["proven"], serde_json::Value::Null);
    assert_eq!(
        (&course["undone"], &course["interrupted_s"]),
        (&json!(1), &json!(360))
    );
    let (_, text) = run_log(&at, &["metrics", "--alert", "siem/7"], false);
    let row = text.lines().nth(1).unwrap();
    assert!(
        row.starts_with("siem/7")
            && row.contains("1m00s")
            && row.ends_with("1 (interrupted 6m00s)"),
        "{text}"
    );
    assert!(
        run_log(&at, &["metrics", "--since", "2027-01-01T00:00:00Z"], false)
            .1
            .lines()
            .count()
            == 2
    );
}

fn store() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir.path().join("store"));
    let now: Timestamp = "2026-11-21T08:15:00Z".parse().unwrap();
    let (mut writer, _) = Writer::open(config, now).unwrap();
    let later = now + SignedDuration::from_secs(60);
    let intent = json!({
        "intent": "i-1", "digest": "ab".repeat(32), "step": "1", "verb": "disable_credential",
        "identity": "keycloak:svc\u{202e}x", "alert": "siem/7", "undo": false,
        "process": {"pid": 1, "start": 1, "boot": "b"},
    });
    writer.append(now, &[(RecordType::Intent, intent)]).unwrap();
    let claim = json!({"kind": "claim", "alert": "siem/8", "reason": null});
    writer
        .append(later, &[(RecordType::Decision, claim)])
        .unwrap();
    dir
}

#[rstest]
#[case(&[], &["genesis", "intent", "decision"])]
#[case(&["--type", "intent"], &["intent"])]
#[case(&["--type", "intent", "--type", "decision"], &["intent", "decision"])]
#[case(&["--alert", "siem/8"], &["decision"])]
#[case(&["--identity", "keycloak:svc\u{202e}x"], &["intent"])]
#[case(&["--since", "2026-11-21T08:15:30Z"], &["decision"])]
#[case(&["--until", "2026-11-21T08:15:30Z"], &["genesis", "intent"])]
#[case(&["--unknown"], &["intent"])]
#[case(&["--grep", "Claim"], &["decision"])]
#[case(&["--kind", "claim"], &["decision"])]
#[case(&["--kind", "note"], &[])]
#[case(&["--outcome", "unknown"], &["intent"])]
#[case(&["--outcome", "proven"], &[])]
#[case(&["--analyst", "nobody"], &[])]
#[case(&["-n", "1"], &["decision"])]
fn shows_what_is_asked_for(#[case] args: &[&str], #[case] kinds: &[&str]) {
    let dir = store();
    let args: Vec<&str> = std::iter::once("show")
        .chain(args.iter().copied())
        .collect();
    let (code, text) = run_log(&dir.path().join("store"), &args, false);
    let shown: Vec<&str> = text
        .lines()
        .map(|l| l.split_whitespace().nth(3).unwrap())
        .collect();
    assert_eq!((code, shown), (0, kinds.to_vec()), "{text}");
    assert!(!text.contains('\u{202e}'));
}

#[test]
fn says_it_in_words() {
    let dir = store();
    let (_, text) = run_log(&dir.path().join("store"), &["show"], false);
    let line = text.lines().nth(1).unwrap();
    assert!(
        line.starts_with("2026-11-21T08:15:00.000Z      2  "),
        "{line}"
    );
    let want = r"about to disable_credential on keycloak:svc\u{202e}x (plan abababababab step 1, alert siem/7)";
    assert!(line.ends_with(want), "{line}");
    assert!(text.contains("claimed alert siem/8"), "{text}");
}

#[test]
fn json_lines_are_verbatim() {
    let dir = store();
    let (_, text) = run_log(&dir.path().join("store"), &["show"], true);
    let raw = std::fs::read_dir(dir.path().join("store/logs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let raw = std::fs::read_dir(raw)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let raw = std::fs::read_to_string(raw.join("00000000000000000000.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.lines().all(|l| raw.lines().any(|r| r == l)));
}

#[test]
fn verifies_with_stable_names_and_exit_codes() {
    let dir = store();
    let at = dir.path().join("store");
    let (code, text) = run_log(&at, &["verify"], false);
    assert!(
        code == 0 && text.contains("RESULT: INTACT") && text.contains("without an anchor"),
        "{text}"
    );
    assert_eq!(run_log(&at, &["verify", "--strict"], false).0, 3);
    assert_eq!(run_log(&at, &["verify", "--quick"], false).0, 0);
    let (_, json) = run_log(&at, &["verify"], true);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["intact"], true);
    assert_eq!(json["content"]["unknown"][0]["intent"], "i-1");
    for field in [
        "origin",
        "vkey",
        "records",
        "checkpoints",
        "head_size",
        "head_root",
        "first_bad",
        "findings",
    ] {
        assert!(json["logs"][0].get(field).is_some(), "{field}");
    }
    let other = dir.path().join("nothing");
    std::fs::create_dir(&other).unwrap();
    let (code, text) = run_log(&at, &["verify", "--store", other.to_str().unwrap()], false);
    assert!(code == 2 && text.contains("NO LOG HERE"), "{text}");
    assert!(
        run_log(&at, &["verify", "--explain"], false)
            .1
            .contains("openssl")
    );
}

#[test]
fn keys_rotate_and_reasons_are_needed() {
    let dir = store();
    let at = dir.path().join("store");
    let (code, text) = run_log(&at, &["rotate-key", "--reason", "every year"], false);
    assert!(
        code == 0 && text.contains("key for the trust file: soc.example/"),
        "{text}"
    );
    let (code, text) = run_log(&at, &["verify"], false);
    assert!(code == 0 && text.contains("rotated"), "{text}");
    assert_eq!(
        run_log(&at, &["acknowledge", "--reason", "read it"], true).0,
        0
    );
    std::fs::remove_dir_all(dir.path().join("keys")).unwrap();
    assert_eq!(run_log(&at, &["adopt", "--reason", "lost"], false).0, 0);
    assert_eq!(run_log(&at, &["verify"], false).0, 1);
    let context = context(&at, true);
    let empty = Cli::try_parse_from(["log", "adopt", "--reason", " "]);
    let empty = empty.map(|_| ()).unwrap_err().to_string();
    assert!(
        empty.contains("--reason") && empty.contains("a reason is needed"),
        "{empty}"
    );
    let cli = Cli::parse_from(["log", "rotate-key", "--reason", "x"]);
    let refused = run(&cli.log, &context, &mut Vec::new()).unwrap_err();
    assert!(refused.to_string().contains("--read-only"), "{refused}");
}

#[rstest]
#[case("2026-11-21T08:00:00Z", true)]
#[case("2h", true)]
#[case("3d", true)]
#[case("2 hours ago", false)]
#[case("h", false)]
#[case("99999999999999999999d", false)]
#[case("9223372036854775807w", false)]
fn reads_times(#[case] text: &str, #[case] good: bool) {
    assert_eq!(parse_time(text).is_ok(), good);
}

fn segment(store: &Path) -> String {
    let find = |dir: PathBuf| {
        std::fs::read_dir(dir)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    };
    let log = find(find(store.join("logs")));
    std::fs::read_to_string(log.join("00000000000000000000.jsonl")).unwrap()
}

#[test]
fn exports_are_verbatim_or_safe_and_recorded() {
    let dir = store();
    let at = dir.path().join("store");
    let (code, text) = run_log(&at, &["export", "--type", "intent"], false);
    assert_eq!((code, text.lines().count()), (0, 1));
    assert!(segment(&at).contains(&text));
    let recorded = segment(&at);
    let export = recorded
        .lines()
        .rfind(|l| l.contains("\"type\":\"export\""))
        .unwrap();
    let sha256 = crate::domain::plan::sha256_hex(text.as_bytes());
    assert!(
        export.contains(&sha256) && export.contains("\"records\":1"),
        "{export}"
    );
    assert_eq!(run_log(&at, &["verify"], false).0, 0);

    let (_, csv) = run_log(
        &at,
        &["export", "--format", "csv", "--alert", "siem/7"],
        false,
    );
    let mut rows = csv.split("\r\n");
    assert!(rows.next().unwrap().starts_with("\"time\",\"log\",\"seq\""));
    let row = rows.next().unwrap();
    assert!(
        row.contains("\"disable_credential\"") && row.contains("\"unknown\""),
        "{row}"
    );
    assert!(row.contains("svc\\u{202e}x"), "{row}");

    let (_, md) = run_log(&at, &["export", "--format", "md"], false);
    assert!(
        md.starts_with("# Timeline") && md.contains("claimed alert siem/8"),
        "{md}"
    );

    let (_, ocsf) = run_log(&at, &["export", "--format", "ocsf"], false);
    let event: serde_json::Value = serde_json::from_str(&ocsf).unwrap();
    let get = |path: &str| event.pointer(path).cloned().unwrap_or_default();
    assert_eq!(
        (get("/class_uid"), get("/type_uid"), get("/status_id")),
        (7001.into(), 700_102.into(), 99.into())
    );
    assert_eq!(
        (get("/command_uid"), get("/activity_name")),
        ("i-1".into(), "Evict".into())
    );
    assert!(
        get("/status_detail")
            .as_str()
            .unwrap()
            .starts_with("unknown:"),
        "{ocsf}"
    );
    assert_eq!(get("/countermeasures/0/d3f_technique/uid"), "D3-CR");

    let file = dir.path().join("copy.jsonl");
    assert_eq!(
        run_log(&at, &["export", "--out", file.to_str().unwrap()], false).0,
        0
    );
    assert!(file.metadata().unwrap().len() > 1000);
    // A file that is there is not written over.
    let cli = Cli::parse_from(["log", "export", "--out", file.to_str().unwrap()]);
    let context = context(&at, false);
    assert!(run(&cli.log, &context, &mut Vec::new()).is_err());
}

#[test]
fn one_record_is_proven_without_the_log() {
    let dir = store();
    let at = dir.path().join("store");
    let (code, proof) = run_log(
        &at,
        &["export", "--format", "proof", "--type", "intent"],
        false,
    );
    assert!(
        code == 0 && proof.starts_with("c2sp.org/tlog-proof@v1\nextra "),
        "{proof}"
    );
    let file = dir.path().join("record.tlog-proof");
    std::fs::write(&file, &proof).unwrap();
    let file = file.to_str().unwrap();
    let (code, text) = run_log(&at, &["verify", "--proof", file], false);
    assert!(
        code == 0 && text.contains("PROVEN: record 2 of soc.example/"),
        "{text}"
    );
    assert!(
        text.contains("\"type\":\"intent\"") && text.contains("pin it with --trust"),
        "{text}"
    );
    // Nowhere near the log, with a trust file.
    let (_, report) = run_log(&at, &["verify"], true);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let (origin, vkey) = (&report["logs"][0]["origin"], &report["logs"][0]["vkey"]);
    let trust = dir.path().join("trust.toml");
    std::fs::write(
        &trust,
        format!("[[log]]\norigin = {origin}\nkeys = [{vkey}]\n"),
    )
    .unwrap();
    let trust = trust.to_str().unwrap();
    let away = dir.path().join("away");
    let (code, text) = run_log(&away, &["verify", "--proof", file, "--trust", trust], true);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(
        code == 0 && value["proven"] == true && value["pinned"] == true,
        "{text}"
    );
    assert_eq!(run_log(&away, &["verify", "--proof", file], false).0, 1);
    // Another record in its place.
    std::fs::write(file, proof.replace("index 2", "index 1")).unwrap();
    let (code, text) = run_log(&away, &["verify", "--proof", file, "--trust", trust], false);
    assert!(code == 1 && text.starts_with("NOT PROVEN"), "{text}");
    let cli = Cli::parse_from(["log", "export", "--format", "proof"]);
    let many = run(&cli.log, &context(&at, false), &mut Vec::new()).unwrap_err();
    assert!(many.to_string().contains("--seq"), "{many}");
}

#[test]
fn nothing_is_written_read_only_or_where_no_log_is() {
    let dir = store();
    let at = dir.path().join("store");
    let before = segment(&at);
    let cli = Cli::parse_from(["log", "export"]);
    assert_eq!(
        run(&cli.log, &context(&at, true), &mut Vec::new()).unwrap(),
        0
    );
    assert_eq!(segment(&at), before);
    let away = dir.path().join("away/store");
    let (code, _) = run_log(&away, &["export", "--store", at.to_str().unwrap()], false);
    assert!(code == 0 && !away.exists());
    assert_eq!(segment(&at), before);
}

/// Writes a record at its first line and goes away at the second.
struct Reader {
    act: Option<Box<dyn FnOnce()>>,
    text: Vec<u8>,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        if bytes.contains(&b'\n') {
            match self.act.take() {
                Some(act) => act(),
                None => return Err(std::io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn follow_shows_what_comes_and_ends_with_its_reader() {
    let dir = store();
    let at = dir.path().join("store");
    let own = config(&at);
    let write = move || {
        let now = Timestamp::now();
        let (mut writer, _) = Writer::open(own, now).unwrap();
        let note = serde_json::json!({"kind": "note", "alert": "siem/9", "reason": "later"});
        writer.append(now, &[(RecordType::Decision, note)]).unwrap();
    };
    let mut out = Reader {
        act: Some(Box::new(write)),
        text: Vec::new(),
    };
    let cli = Cli::parse_from(["log", "follow", "--type", "decision", "-n", "1"]);
    let end = run(&cli.log, &context(&at, false), &mut out).unwrap_err();
    let kind = end.downcast_ref::<std::io::Error>().unwrap().kind();
    assert_eq!(kind, std::io::ErrorKind::BrokenPipe);
    let text = String::from_utf8(out.text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("siem/8") && lines[1].contains("siem/9"),
        "{text}"
    );
}

/// Every file below a directory, as one heap of bytes.
fn everything(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(everything(&path));
        } else {
            all.extend(std::fs::read(&path).unwrap());
        }
    }
    all
}

/// A secret that somebody typed, or that a provider sent back, reaches no file and no output.
#[test]
fn a_canary_in_every_input_is_found_nowhere() {
    use base64::Engine as _;

    let canary = "ghp_CanaryCanary0123456789CanaryCanary01";
    let dir = incident();
    let at = dir.path().join("store");
    let (mut writer, _) = Writer::open(config(&at), Timestamp::now()).unwrap();
    let free = [
        (
            RecordType::Decision,
            json!({"kind": "note", "alert": "siem/7", "reason": format!("he pasted {canary}.")}),
        ),
        (
            RecordType::Approval,
            json!({"digest": "00", "approved": false, "by": null, "reason": canary}),
        ),
        (
            RecordType::Outcome,
            json!({"intent": "i-1", "outcome": "rejected", "error": format!("bad token ({canary})")}),
        ),
        (
            RecordType::Verify,
            json!({"intent": "i-1", "proof": "disagrees", "says": format!("key {canary} lives")}),
        ),
        (RecordType::Session, json!({"text": [canary]})),
        (
            RecordType::BreakGlass,
            json!({"deep": {"reason": {"any": canary}}}),
        ),
    ];
    for record in free {
        writer.append(Timestamp::now(), &[record]).unwrap();
    }
    drop(writer);
    let mut said = String::new();
    for args in [
        ["acknowledge", "--reason", canary].as_slice(),
        &["rotate-key", "--reason", canary],
        &["adopt", "--reason", canary],
        &["show"],
        &["show", "--grep", "Canary"],
        &["export"],
        &["export", "--format", "csv"],
        &["export", "--format", "md"],
        &["export", "--format", "ocsf"],
        &["report", "siem/7"],
        &["metrics"],
        &["verify"],
    ] {
        for json in [false, true] {
            said += &run_log(&at, args, json).1;
        }
    }
    assert!(
        said.contains("ghp_\\u2026ry01"),
        "the masked form shows that something stood there"
    );
    let mut heap = everything(dir.path());
    heap.extend(said.into_bytes());
    let base64 = base64::engine::general_purpose::STANDARD.encode(canary);
    for needle in [
        "CanaryCanary0123456789",
        &base64[4..40],
        "Canary%430123456789",
    ] {
        assert!(
            memchr::memmem::find(&heap, needle.as_bytes()).is_none(),
            "{needle}"
        );
    }
}
