//! Every kind and envelope, by messages written after the documentation.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::mapping::{field_of, samples_of, shipped};
use super::*;

const FIXTURES: &str = include_str!("../../../../tests/fixtures/alerts.toml");

#[derive(Deserialize)]
struct Fixtures {
    alert: Vec<Fixture>,
}

#[derive(Deserialize)]
struct Fixture {
    name: String,
    input: String,
    #[serde(default = "one_alert")]
    count: usize,
    expect: BTreeMap<String, String>,
}

fn one_alert() -> usize {
    1
}

fn fixtures() -> Vec<Fixture> {
    toml::from_str::<Fixtures>(FIXTURES).unwrap().alert
}

/// Every message at hand: fixtures and samples of mappings.
pub(super) fn seeds() -> Vec<String> {
    let own = fixtures().into_iter().map(|f| f.input);
    let ocsf = [
        KEY_EXPOSED,
        TOKEN_REPLAY,
        ACCOUNT_CHANGE,
        OLD_FINDING,
        CHECK,
    ];
    let samples = shipped().iter().flat_map(|text| samples_of(text));
    own.chain(ocsf.map(str::to_owned))
        .chain(samples)
        .map(|text| text.trim().to_owned())
        .collect()
}

#[test]
fn messages_decode_to_what_they_mean() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let contents = decode_all(None, fixture.input.as_bytes(), "lab", now()).unwrap();
        let name = &fixture.name;
        if !contents.rejected.is_empty() || contents.alerts.len() != fixture.count {
            let (alerts, rejected) = (contents.alerts.len(), contents.rejected);
            wrong.push(format!("{name}: {alerts} alerts, rejected {rejected:?}"));
            continue;
        }
        for (field, want) in &fixture.expect {
            let found = field_of(&contents.alerts[0].alert, field).unwrap();
            if found != *want {
                wrong.push(format!("{name}: {field} is `{found}`, not `{want}`"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_kind_decodes_its_message_when_named() {
    for fixture in fixtures() {
        let Some(kind) = fixture.expect.get("format") else {
            continue;
        };
        let contents = decode_all(Some(kind), fixture.input.as_bytes(), "lab", now()).unwrap();
        assert_eq!(contents.alerts.len(), fixture.count, "{}", fixture.name);
        assert_eq!(contents.alerts[0].alert.format, kind.as_str());
    }
}

#[test]
fn every_native_kind_has_a_message() {
    let formats: Vec<String> = fixtures()
        .into_iter()
        .filter_map(|f| f.expect.get("format").cloned())
        .collect();
    for kind in Decoders::shipped().kinds() {
        let covered = kind.is_mapping || kind.names.iter().any(|n| formats.contains(n));
        assert!(covered, "{:?}", kind.names);
    }
}

#[test]
fn secrets_are_not_kept() {
    let found: Vec<String> = seeds()
        .into_iter()
        .filter(|s| s.contains("not-a-secret"))
        .collect();
    assert!(found.len() >= 4);
    for text in found {
        let contents = decode_all(None, text.as_bytes(), "lab", now()).unwrap();
        let kept = String::from_utf8(contents.redacted.unwrap()).unwrap();
        assert!(!kept.contains("not-a-secret"), "{kept}");
        let shown = format!("{:?}", contents.alerts);
        assert!(!shown.contains("not-a-secret"), "{shown}");
        let again = decode_all(None, kept.as_bytes(), "lab", now()).unwrap();
        let ids = |c: &Contents| -> Vec<String> {
            c.alerts.iter().map(|a| a.alert.id.to_string()).collect()
        };
        assert_eq!(
            ids(&again),
            ids(&decode_all(None, text.as_bytes(), "lab", now()).unwrap())
        );
    }
}

#[test]
fn secrets_inside_text_are_not_kept_either() {
    let finding = r#"{"RuleID":"r","File":"f","Secret":"not-a-secret"}"#;
    let base64 = "eyJSdWxlSUQiOiJyIiwiRmlsZSI6ImYiLCJTZWNyZXQiOiJub3QtYS1zZWNyZXQifQ==";
    let message = serde_json::to_string(finding).unwrap();
    for line in [
        format!(r#"{{"Type":"Notification","TopicArn":"t","MessageId":"m","Message":{message}}}"#),
        format!(
            r#"{{"specversion":"1.0","id":"1","type":"t","source":"s","data_base64":"{base64}"}}"#
        ),
    ] {
        let contents = decode_all(None, line.as_bytes(), "lab", now()).unwrap();
        assert_eq!(contents.alerts[0].alert.format, "gitleaks");
        let kept = String::from_utf8(contents.redacted.unwrap()).unwrap();
        assert!(
            !kept.contains("not-a-secret") && !kept.contains(base64),
            "{kept}"
        );
    }
}

#[test]
fn two_alerts_of_one_number_stay_two() {
    let alert = |repo: &str| {
        format!(
            r#"{{"number":1,"secret_type":"k","state":"open","repository":{{"full_name":"{repo}"}}}}"#
        )
    };
    let text = format!("[{},{}]", alert("lab/a"), alert("lab/b"));
    let alerts = decode(None, text.as_bytes(), "s", now()).unwrap();
    assert_ne!(alerts[0].id, alerts[1].id);
    assert_eq!((alerts[0].own_id(), alerts[1].own_id()), ("1", "1"));
}

#[test]
fn a_mapping_of_ones_own_is_enough_for_a_new_kind() {
    let text = r#"
kind = "acme_alert"
title = "ACME"
doc = "https://acme.example"
detect = [["acme.version"]]
nest = true
severity_scale = [[1, "low"], [5, "high"]]
[fields]
id = ".acme.id"
title = ".acme.name"
severity = ".acme.score"
action = ".acme.rule"
identity = ".acme.who"
[[pattern]]
of = ".acme.rule"
table = { "token.*" = "token_replay" }
[[sample]]
input = '{"acme.version":1,"acme.id":7,"acme.name":"N","acme.score":6,"acme.rule":"token.reuse","acme.who":"svc"}'
expect = { id = "7", severity = "high", pattern = "token_replay", identity = "svc" }
"#;
    let mut decoders = Decoders::default();
    decoders.add_mapping(text).unwrap();
    let line = br#"{"acme":{"version":2,"id":"x","name":"Other","score":1,"rule":"token.stolen"}}"#;
    let contents = decoders.decode(None, line, "lab", now()).unwrap();
    let alert = &contents.alerts[0].alert;
    assert_eq!((alert.format.as_str(), alert.own_id()), ("acme_alert", "x"));
    assert_eq!(
        (alert.severity, alert.pattern),
        (Some(Severity::Low), ActionPattern::TokenReplay)
    );
    let twice = decoders.add_mapping(text).unwrap_err().to_string();
    assert!(twice.contains("mapped twice"), "{twice}");
}
