//! Checks decoders against recorded payloads of real systems, where a collection of them is at hand.
//!
//! `STANCH_CORPUS` names a directory with `expected.jsonl`, one line an alert: `file`, `kind`, `index` among the alerts
//! of that file, and the expected `id`, `time_ms`, `severity_raw`, `identity`, `title`, `resource`, `action`; `null` is
//! not checked. The kind is found by the decoders themselves. Without the variable there is nothing to check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use stanch::domain::alert::Alert;
use stanch::intake::decode::{decode, decode_all};

/// What one kind came to.
#[derive(Default)]
struct Tally {
    files: BTreeSet<String>,
    right: usize,
    wrong: Vec<String>,
    patterns: BTreeMap<String, usize>,
}

/// Compares the scored fields; returns how many are right and what is wrong.
fn compare(want: &Value, alert: &Alert) -> (usize, Vec<String>) {
    let severity = alert
        .severity_raw
        .as_ref()
        .map(|s| serde_json::from_str(s.raw()).unwrap());
    let subject = alert.subject.as_ref();
    let found = [
        ("kind", Some(Value::from(alert.format.as_str()))),
        ("id", Some(Value::from(alert.own_id()))),
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
        (
            "action",
            alert.action.as_ref().map(|a| Value::from(a.raw())),
        ),
    ];
    let checked: Vec<_> = found
        .into_iter()
        .filter(|(field, _)| !want[field].is_null())
        .collect();
    let wrong: Vec<String> = checked
        .iter()
        .filter(|(field, value)| value.as_ref() != Some(&want[field]))
        .map(|(field, value)| format!("{field}: want {}, found {value:?}", want[field]))
        .collect();
    (checked.len() - wrong.len(), wrong)
}

#[test]
fn decoders_read_recorded_payloads() {
    let Some(corpus) = std::env::var_os("STANCH_CORPUS").map(PathBuf::from) else {
        println!("STANCH_CORPUS is not set: no recorded payloads to check");
        return;
    };
    let expected = std::fs::read_to_string(corpus.join("expected.jsonl")).unwrap();
    let mut kinds: BTreeMap<String, Tally> = BTreeMap::new();
    for line in expected.lines() {
        let want: Value = serde_json::from_str(line).unwrap();
        let tally = kinds
            .entry(want["kind"].as_str().unwrap().to_owned())
            .or_default();
        let file = want["file"].as_str().unwrap();
        tally.files.insert(file.to_owned());
        let bytes = std::fs::read(corpus.join(file)).unwrap();
        let index = usize::try_from(want["index"].as_u64().unwrap()).unwrap();
        let problems = match decode(None, &bytes, "corpus", jiff::Timestamp::UNIX_EPOCH) {
            Ok(alerts) => match alerts.get(index) {
                Some(alert) => {
                    let (right, wrong) = compare(&want, alert);
                    tally.right += right;
                    *tally.patterns.entry(alert.pattern.to_string()).or_default() += 1;
                    wrong
                }
                None => vec!["no such alert".to_owned()],
            },
            Err(error) => vec![error.to_string()],
        };
        let problems = problems.into_iter().map(|p| format!("{file}: {p}"));
        tally.wrong.extend(problems);
    }
    println!(
        "{:<32} {:>5} {:>6} {:>6}  patterns",
        "kind", "files", "right", "wrong"
    );
    for (kind, tally) in &kinds {
        let patterns: Vec<String> = tally
            .patterns
            .iter()
            .map(|(pattern, n)| format!("{pattern} {n}"))
            .collect();
        println!(
            "{kind:<32} {:>5} {:>6} {:>6}  {}",
            tally.files.len(),
            tally.right,
            tally.wrong.len(),
            patterns.join(", ")
        );
    }
    let wrong: Vec<&String> = kinds.values().flat_map(|t| &t.wrong).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{wrong:#?}", wrong.len());
}

/// Truncated payloads and payloads with changed types are read or refused, never a panic.
#[test]
fn damaged_payloads_are_read_or_refused() {
    let Some(corpus) = std::env::var_os("STANCH_CORPUS").map(PathBuf::from) else {
        return;
    };
    let now = jiff::Timestamp::UNIX_EPOCH;
    for folder in std::fs::read_dir(corpus).unwrap().map(Result::unwrap) {
        let Ok(files) = std::fs::read_dir(folder.path()) else {
            continue;
        };
        for file in files.map(Result::unwrap) {
            let bytes = std::fs::read(file.path()).unwrap();
            for end in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
                let _ = decode_all(None, &bytes[..end], "corpus", now);
            }
        }
    }
}
