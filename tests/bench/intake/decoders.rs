//! How fast each kind of alert is decoded: what lies in `STANCH_CORPUS`, else the messages of the tests.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use stanch::intake::decode::decode_all;

/// How long each kind is decoded again and again.
const EACH: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Fixtures {
    alert: Vec<Fixture>,
}

#[derive(Deserialize)]
struct Fixture {
    input: String,
}

fn files(dir: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let is_payload = path.extension().is_some_and(|e| e == "json");
        if path.is_dir() {
            files(&path, found);
        } else if is_payload {
            found.push(std::fs::read(&path).unwrap());
        }
    }
}

/// Prints alerts and bytes a second by kind.
pub fn run() {
    let now = Timestamp::now();
    let mut payloads = Vec::new();
    if let Some(dir) = std::env::var_os("STANCH_CORPUS") {
        files(Path::new(&dir), &mut payloads);
    } else {
        let text = include_str!("../../fixtures/alerts.toml");
        let fixtures: Fixtures = toml::from_str(text).unwrap();
        payloads.extend(fixtures.alert.into_iter().map(|f| f.input.into_bytes()));
    }
    let mut kinds: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for payload in payloads {
        let decoded = decode_all(None, &payload, "bench", now);
        let kind = decoded.ok().and_then(|contents| {
            let first = contents.alerts.into_iter().next()?;
            Some(String::from(first.alert.format.clone()))
        });
        if let Some(kind) = kind {
            kinds.entry(kind).or_default().push(payload);
        }
    }
    println!("decoders: kind, payloads, bytes each, alerts/s, MB/s");
    for (kind, payloads) in kinds {
        let (mut alerts, mut bytes) = (0, 0);
        let began = Instant::now();
        while began.elapsed() < EACH {
            for payload in &payloads {
                let contents = black_box(decode_all(None, payload, "bench", now)).unwrap();
                alerts += contents.alerts.len();
                bytes += payload.len();
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        let each = payloads.iter().map(Vec::len).sum::<usize>() / payloads.len();
        println!(
            "  {kind:<32} {:>4} {each:>7} {:>9.0} {:>7.1}",
            payloads.len(),
            alerts as f64 / seconds,
            bytes as f64 / seconds / 1e6
        );
    }
}
