//! Checks decoders against recorded payloads of real systems, where a collection of them is at hand.
//!
//! `STANCH_CORPUS` names a directory with `expected.jsonl`, one line an alert: `file`, `kind`, `index` among the alerts
//! of that file, and the expected `id`, `time_ms`, `severity_raw`, `identity`, `title`, `resource`; `null` is not
//! checked. Without the variable there is nothing to check.

use std::path::PathBuf;

use serde_json::Value;
use stanch::domain::alert::Alert;
use stanch::intake::decode::decode;

/// Kinds whose decoders exist.
const KINDS: &[&str] = &["ocsf_detection_finding"];

/// Kinds that are decoded and reported, but do not fail the test yet.
const REPORTED: &[&str] = &["ocsf_security_finding", "ocsf_iam_api"];

fn differences(want: &Value, alert: &Alert) -> Vec<String> {
    let id = alert
        .id
        .as_str()
        .strip_prefix("corpus/")
        .unwrap_or_default();
    let severity = alert
        .severity_raw
        .as_ref()
        .map(|s| serde_json::from_str(s.raw()).unwrap());
    let subject = alert.subject.as_ref();
    let found = [
        ("id", Some(Value::from(id))),
        (
            "time_ms",
            alert.time.map(|t| Value::from(t.as_millisecond())),
        ),
        ("severity_raw", severity),
        ("identity", subject.map(|s| Value::from(s.native_id.raw()))),
        ("title", Some(Value::from(alert.title.raw()))),
        (
            "resource",
            alert.resource.as_ref().map(|r| Value::from(r.id.raw())),
        ),
    ];
    let checked = found
        .into_iter()
        .filter(|(field, _)| !want[field].is_null());
    let wrong = checked.filter(|(field, value)| value.as_ref() != Some(&want[field]));
    wrong
        .map(|(field, value)| format!("{field}: want {}, found {value:?}", want[field]))
        .collect()
}

#[test]
fn decoders_read_recorded_payloads() {
    let Some(corpus) = std::env::var_os("STANCH_CORPUS").map(PathBuf::from) else {
        println!("STANCH_CORPUS is not set: no recorded payloads to check");
        return;
    };
    let expected = std::fs::read_to_string(corpus.join("expected.jsonl")).unwrap();
    let (mut right, mut wrong) = (0, Vec::new());
    for line in expected.lines() {
        let want: Value = serde_json::from_str(line).unwrap();
        let kind = want["kind"].as_str().unwrap();
        if !KINDS.contains(&kind) && !REPORTED.contains(&kind) {
            continue;
        }
        let file = want["file"].as_str().unwrap();
        let bytes = std::fs::read(corpus.join(file)).unwrap();
        let index = usize::try_from(want["index"].as_u64().unwrap()).unwrap();
        let problems = match decode(None, &bytes, "corpus", jiff::Timestamp::UNIX_EPOCH) {
            Ok(alerts) => alerts
                .get(index)
                .map_or(vec!["no such alert".to_owned()], |a| differences(&want, a)),
            Err(error) => vec![error.to_string()],
        };
        if problems.is_empty() {
            right += 1;
        } else {
            println!("{file}: {}", problems.join("; "));
            wrong.extend(KINDS.contains(&kind).then(|| file.to_owned()));
        }
    }
    println!("{right} right");
    assert!(wrong.is_empty(), "wrong: {wrong:?}");
}
