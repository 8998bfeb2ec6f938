use std::fs;

use clap::Parser;

use super::*;
use crate::intake::decode::decode as decode_line;
use crate::intake::store::{Accepted, Batch};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    alerts: AlertsArgs,
}

const FINDING: &str = r#"{"class_uid":2004,"time":1795262300,"severity_id":4,"metadata":{"product":{"name":"Lab"}},"finding_info":{"uid":"f1","title":"Key \u001b[2J found","types":["credential_exposed"],"attacks":[{"technique":{"uid":"T1078"}}]},"actor":{"user":{"uid":"svc-deploy","type_id":4}},"resources":[{"uid":"repo","type":"Repository"}]}"#;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn call(dir: &Path, json: bool, args: &[&str]) -> (u8, String, String) {
    let cli = Cli::parse_from([&["alerts"], args].concat());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(
        &cli.alerts,
        Configured::default(),
        dir,
        json,
        now(),
        &mut out,
        &mut err,
    )
    .unwrap();
    (
        code,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> String {
    fs::write(dir.join(name), bytes).unwrap();
    dir.join(name).to_string_lossy().into_owned()
}

#[test]
fn decode_prints_the_documented_fields() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "siem.jsonl", FINDING.as_bytes());
    let (code, out, err) = call(dir.path(), false, &["decode", &path]);
    assert_eq!((code, err.as_str()), (0, ""));
    let sha = crate::intake::decode::hex(&<sha2::Sha256 as sha2::Digest>::digest(FINDING));
    let want = json!({
        "id": "f1", "source": "siem", "format": "ocsf_detection_finding",
        "time": "2026-11-21T11:58:20Z", "exposed_at": "2026-11-21T11:58:20Z", "title": "Key \\u{1b}[2J found",
        "severity": "high", "severity_raw": 4, "confidence": null, "pattern": "credential_exposed",
        "signals": ["credential_exposed", "credential_used_anomalously"],
        "identity": { "provider": "lab", "native_id": "svc-deploy", "kind": "service_account", "name": null },
        "resource": { "id": "repo", "kind": "Repository" }, "action": "credential_exposed", "evidence_url": null,
        "techniques": ["T1078"], "raw_sha256": sha,
    });
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), want);
}

#[test]
fn decode_says_where_what_is_wrong_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let text = [
        b"nonsense\n\n",
        FINDING.as_bytes(),
        b"\n{\"class_uid\":2004,\n\xff\n",
        FINDING.as_bytes(),
    ]
    .concat();
    let path = file(dir.path(), "a.jsonl", &text);
    let (code, out, err) = call(dir.path(), false, &["decode", &path]);
    assert_eq!((code, out.lines().count()), (1, 2));
    let lines: Vec<&str> = err.lines().collect();
    assert!(
        lines[0].starts_with(&format!("{path}:1: not JSON: ")),
        "{err}"
    );
    assert!(
        lines[1].starts_with(&format!("{path}:4: not JSON: EOF")),
        "{err}"
    );
    assert_eq!(lines[2], format!("{path}:5: not UTF-8 from byte 0 on"));
}

#[test]
fn decode_reads_a_document_over_several_lines() {
    let dir = tempfile::tempdir().unwrap();
    let value: Value = serde_json::from_str(FINDING).unwrap();
    let pretty = serde_json::to_string_pretty(&json!([value, value])).unwrap();
    let path = file(dir.path(), "a.json", format!("\n{pretty}").as_bytes());
    let (code, out, _) = call(dir.path(), false, &["decode", "--format", "ocsf", &path]);
    assert_eq!((code, out.lines().count()), (0, 2));
    let broken = pretty.replacen("\"severity_id\"", "\"time\"", 1);
    let path = file(dir.path(), "b.json", broken.as_bytes());
    let (code, out, err) = call(dir.path(), false, &["decode", &path]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains("b.json:1: duplicate key \"time\"") && err.lines().count() == 1,
        "{err}"
    );
}

#[test]
fn decode_starts_with_a_truncated_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(
        dir.path(),
        "a.jsonl",
        format!("{}\n{FINDING}\n", &FINDING[..50]).as_bytes(),
    );
    let (code, out, err) = call(dir.path(), false, &["decode", &path]);
    assert_eq!((code, out.lines().count(), err.lines().count()), (1, 1, 1));
}

#[test]
fn decode_refuses_what_is_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = format!("{{\"class_uid\":2004,\"x\":\"{}\"}}\n", "y".repeat(1 << 20));
    text.push_str(FINDING);
    let path = file(dir.path(), "a.jsonl", text.as_bytes());
    let (code, out, err) = call(dir.path(), false, &["decode", &path]);
    assert_eq!((code, out.lines().count()), (1, 1));
    assert!(
        err.contains(":1: 1048601 bytes long, more than the 1 MiB"),
        "{err}"
    );
}

fn stored(dir: &Path) {
    let mut store = Store::open(dir).unwrap();
    for source in ["siem", "other"] {
        let alerts = decode_line(None, FINDING.as_bytes(), source, now()).unwrap();
        let accepted = vec![Accepted {
            raw: FINDING.as_bytes().into(),
            alerts,
        }];
        store
            .put(
                source,
                &Batch {
                    accepted,
                    observed: now(),
                    ..Batch::default()
                },
            )
            .unwrap();
    }
}

#[test]
fn list_and_show_read_the_store() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(call(dir.path(), false, &["list"]).1, "no alerts stored\n");
    stored(dir.path());
    let (_, out, _) = call(dir.path(), true, &["list"]);
    let rows: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(
        (rows.len(), &rows[0]["key"], &rows[0]["count"]),
        (2, &json!("other/f1"), &json!(1))
    );
    let (_, out, _) = call(dir.path(), false, &["list", "--limit", "1"]);
    assert_eq!(out.lines().count(), 1);
    assert!(
        out.starts_with("high           1m    1×  credential_exposed"),
        "{out}"
    );
    let (code, out, _) = call(dir.path(), false, &["show", "siem/f1"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("identity    lab:svc-deploy, service_account"),
        "{out}"
    );
    assert!(
        !out.contains('\u{1b}') && out.contains("\nraw         {\"class_uid\":2004"),
        "{out}"
    );
    let (_, out, _) = call(dir.path(), true, &["show", "siem/f1"]);
    assert!(serde_json::from_str::<Value>(&out).unwrap()["raw"].is_string());
}

#[test]
fn show_takes_the_sources_own_id_where_it_is_clear() {
    let dir = tempfile::tempdir().unwrap();
    stored(dir.path());
    let cli = Cli::parse_from(["alerts", "show", "f1"]);
    let error = run(
        &cli.alerts,
        Configured::default(),
        dir.path(),
        false,
        now(),
        &mut Vec::new(),
        &mut Vec::new(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "several alerts match `f1`: give one of other/f1, siem/f1"
    );
    let (code, out, err) = call(dir.path(), false, &["show", "f2"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "no stored alert `f2`; `stanch alerts list` shows their ids\n"
    );
}

#[test]
fn show_takes_an_id_that_is_a_part_of_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let alert = |number: u32, name: &str| {
        let repository = json!({ "id": number, "full_name": name });
        let alert = json!({ "number": number, "secret_type": "x", "state": "open", "created_at": "2026-11-21T08:00:00Z" });
        json!({ "action": "created", "alert": alert, "repository": repository }).to_string()
    };
    let lines = [alert(42, "acme/app"), alert(43, "acme/app")].join("\n");
    let path = file(dir.path(), "github.jsonl", lines.as_bytes());
    let (code, _, err) = call(dir.path(), false, &["import", &path]);
    assert_eq!(code, 0, "{err}");
    let (code, out, err) = call(dir.path(), false, &["show", "42"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("acme/app#42") || out.contains("acme/app/42"),
        "{out}"
    );
}

#[test]
fn decode_reads_documents_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let value: Value = serde_json::from_str(FINDING).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let text = format!("{pretty}\n\n{pretty}\n{{\n\"x\": 1}}\n");
    let path = file(dir.path(), "a.json", text.as_bytes());
    let (code, out, err) = call(dir.path(), false, &["decode", &path]);
    assert_eq!((code, out.lines().count()), (1, 2), "{err}");
    let third = 2 * pretty.lines().count() + 2;
    assert!(
        err.contains(&format!("a.json:{third}: no decoder knows")),
        "{err}"
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn archives_are_unpacked_and_bombs_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let two = [FINDING, "\n", FINDING].concat();
    let path = file(dir.path(), "siem.jsonl.gz", &gzip(two.as_bytes()));
    let (code, out, _) = call(dir.path(), false, &["decode", &path]);
    assert_eq!((code, out.lines().count()), (0, 2));
    assert!(
        out.starts_with("{\"id\":\"f1\",\"source\":\"siem\""),
        "{out}"
    );
    let bomb = file(dir.path(), "bomb.gz", &gzip(&vec![b'\n'; 20 << 20]));
    let cut = file(dir.path(), "cut.gz", &gzip(two.as_bytes())[..40]);
    let zstd = file(dir.path(), "a.zst", &[0x28, 0xb5, 0x2f, 0xfd, 0, 0]);
    for (path, message) in [
        (bomb, "as no log does; unpack it by hand if it is no bomb"),
        (cut, "incomplete deflate stream"),
        (zstd, "a zstd archive, which is not unpacked here"),
    ] {
        let cli = Cli::parse_from(["alerts", "decode", &path]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ran = run(
            &cli.alerts,
            Configured::default(),
            dir.path(),
            false,
            now(),
            &mut out,
            &mut err,
        );
        let error = format!("{:#}", ran.unwrap_err());
        assert!(error.contains(message), "{error}");
    }
}

const MAPPING: &str = r#"
kind = "acme_alert"
title = "ACME"
doc = "https://acme.example"
detect = [["acme"]]
[fields]
id = ".acme.id"
title = ".acme.name"
[[sample]]
input = '{"acme":{"id":"1","name":"N"}}'
expect = { id = "1", title = "N" }
"#;

#[test]
fn imports_are_stored_once_and_the_quarantine_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let text = [
        FINDING,
        "\n{\"acme\":{\"id\":\"a7\",\"name\":\"Later\"}}\nnonsense\n",
    ]
    .concat();
    let path = file(dir.path(), "siem.jsonl", text.as_bytes());
    let state = dir.path().join("state");
    let (code, _, err) = call(&state, false, &["import", "--source", "soc", &path]);
    assert_eq!(code, 1);
    assert!(
        err.contains(":2: no decoder knows this object (its keys: acme)"),
        "{err}"
    );
    assert!(
        err.ends_with(
            "1 new alert, 0 stored before, 2 pieces that could not be read and are kept\n"
        ),
        "{err}"
    );
    let good = file(dir.path(), "siem2.jsonl", FINDING.as_bytes());
    let (code, _, err) = call(&state, false, &["import", "--source", "soc", &good]);
    assert!(
        (
            code,
            err.contains("0 new alerts, 1 stored before, 0 pieces")
        ) == (0, true),
        "{err}"
    );
    let (_, out, _) = call(&state, true, &["list"]);
    let row: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((&row["key"], &row["count"]), (&json!("soc/f1"), &json!(1)));

    let (code, _, err) = call(&state, false, &["import", "--quarantine"]);
    assert_eq!(code, 1);
    assert!(
        err.ends_with("0 new alerts, 2 pieces that still cannot be read\n"),
        "{err}"
    );
    let mapping = file(dir.path(), "acme.toml", MAPPING.as_bytes());
    let (code, _, err) = call(
        &state,
        false,
        &["import", "--quarantine", "--mapping", &mapping],
    );
    assert_eq!(code, 1);
    assert!(
        err.ends_with("1 new alert, 1 piece that still cannot be read\n"),
        "{err}"
    );
    let (_, out, _) = call(&state, true, &["list"]);
    assert!(
        out.contains("\"key\":\"soc/a7\"") && out.contains("\"format\":\"acme_alert\""),
        "{out}"
    );
    let (_, out, _) = call(&state, true, &["malformed"]);
    assert_eq!(out.lines().count(), 1);
}

#[test]
fn a_bad_mapping_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "a.jsonl", FINDING.as_bytes());
    for (from, to, message) in [
        (
            "kind = \"acme_alert\"",
            "kind = \"Acme\"",
            "`Acme` is no format name",
        ),
        (
            "title = \"N\"",
            "title = \"M\"",
            "sample 1: `title` is `N`, not `M`",
        ),
        ("\".acme.name\"", "\"env\"", "jq filter uses `env`"),
        (
            "[[\"acme\"]]",
            "[[\"other\"]]",
            "sample 1: `detect` does not recognise it",
        ),
        ("[[sample]]", "[[samples]]", "unknown field `samples`"),
    ] {
        let mapping = file(dir.path(), "m.toml", MAPPING.replace(from, to).as_bytes());
        let cli = Cli::parse_from(["alerts", "decode", "--mapping", &mapping, &path]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ran = run(
            &cli.alerts,
            Configured::default(),
            dir.path(),
            false,
            now(),
            &mut out,
            &mut err,
        );
        let error = format!("{:#}", ran.unwrap_err());
        assert!(
            error.contains("m.toml: ") && error.contains(message),
            "{error}"
        );
    }
}

#[test]
fn kinds_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = call(dir.path(), false, &["kinds"]);
    assert_eq!(code, 0);
    assert!(out.lines().count() >= 40, "{out}");
    assert!(
        out.contains("k8s_audit") && out.contains("ocsf_detection_finding"),
        "{out}"
    );
}

#[test]
fn unresolved_identities_come_with_candidates() {
    let dir = tempfile::tempdir().unwrap();
    let line = r#"{"fingerprint":"f","startsAt":"2026-11-21T11:00:00Z","labels":{"alertname":"A","pod":"p","namespace":"n"}}"#;
    let path = file(dir.path(), "a.jsonl", line.as_bytes());
    let (_, out, _) = call(dir.path(), false, &["decode", &path]);
    let row: Value = serde_json::from_str(&out).unwrap();
    let candidate =
        json!({ "provider": "kubernetes", "native_id": "n/p", "kind": "workload", "name": "p" });
    let want = json!({ "provider": null, "native_id": null, "kind": "unknown", "name": null, "candidates": [candidate] });
    assert_eq!(row["identity"], want);
}

/// A key is named in one environment by the alert stored first and in another by the last; more lie between them than are
/// looked at together.
#[test]
fn what_an_alert_far_away_says_of_a_credential_weighs_in() {
    let dir = tempfile::tempdir().unwrap();
    let one = decode_line(None, FINDING.as_bytes(), "s", now()).unwrap();
    let named = |id: String, provider: &str, native: &str| {
        let mut alert = Alert::clone(&one[0]);
        alert.id = AlertId::new(id);
        let subject = alert.subject.as_mut().unwrap();
        subject.provider = Untrusted::from(provider);
        subject.native_id = Untrusted::from(native);
        subject.kind = IdentityKind::AccessKey;
        std::sync::Arc::new(alert)
    };
    let mut alerts = vec![named("first".to_owned(), "aws:1", "AKIA1")];
    alerts.extend((0..PAGE + 9).map(|n| named(format!("n{n}"), "aws:1", &format!("AKIB{n}"))));
    alerts.push(named("last".to_owned(), "aws:2", "AKIA1"));
    let accepted = vec![Accepted {
        raw: FINDING.as_bytes().into(),
        alerts,
    }];
    let batch = Batch {
        accepted,
        observed: now(),
        ..Batch::default()
    };
    Store::open(dir.path()).unwrap().put("s", &batch).unwrap();

    let (_, out, _) = call(dir.path(), true, &["list", "--limit", "9999"]);
    let elsewhere = |row: &Value| row["urgency"].to_string().contains("second environment");
    let rows = out.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut raised: Vec<String> = rows
        .filter(elsewhere)
        .map(|row| row["key"].as_str().unwrap().to_owned())
        .collect();
    raised.sort();
    assert_eq!(raised, ["first", "last"]);
    for (id, is_raised) in [("first", true), ("last", true), ("n5", false)] {
        let (_, out, _) = call(dir.path(), false, &["show", id]);
        assert_eq!(out.contains("second environment"), is_raised, "{out}");
    }
}

#[test]
fn what_was_deleted_and_is_no_news_is_counted_as_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let text: String = (1..=3)
        .map(|n| FINDING.replace("f1", &format!("f{n}")) + "\n")
        .collect();
    let path = file(dir.path(), "siem.jsonl", text.as_bytes());
    call(dir.path(), false, &["import", &path]);
    let all = crate::intake::store::Rule {
        before: Some(
            now()
                .checked_add(jiff::SignedDuration::from_hours(1))
                .unwrap(),
        ),
        most_bytes: None,
    };
    let goes_on = std::sync::atomic::AtomicBool::new(false);
    let mut store = Store::open(dir.path()).unwrap();
    store.retain(all, now(), &|_| false, &goes_on).unwrap();
    let left = store.alerts(9).unwrap().len();
    assert!(left < 3);
    let (_, _, err) = call(dir.path(), false, &["import", &path]);
    let want = format!(
        "0 new alerts, {left} stored before, {} left out that were deleted before, 0 pieces that could not be read and are kept\n",
        3 - left
    );
    assert!(err.ends_with(&want), "{err}");
}

#[test]
fn a_list_of_none_says_nothing_of_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let none = call(dir.path(), false, &["list"]).1;
    assert_eq!(none, "no alerts stored\n");
    stored(dir.path());
    for what in ["list", "malformed"] {
        let (_, out, _) = call(dir.path(), false, &[what, "--limit", "0"]);
        assert_eq!(out, "");
    }
}
