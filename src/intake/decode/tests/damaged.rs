//! Broken, hostile and truncated messages.

use rstest::rstest;

use super::kinds::seeds;
use super::*;

const KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// Each bad input with the message it gets.
#[rstest]
#[case::truncated(
    r#"{"class_uid":2004,"finding_info":{"ui"#,
    "not JSON: EOF while parsing a string at line 1 column 37"
)]
#[case::two_values("{} {}", "not JSON: trailing characters at line 1 column 4")]
#[case::no_json("<alert/>", "not JSON: expected value at line 1 column 1")]
#[case::duplicate_keys(
    r#"{"class_uid":2004,"class_uid":2001}"#,
    "duplicate key \"class_uid\" in one JSON object; which of the two counts is undefined, so neither does"
)]
#[case::no_object("7", "a number where an alert must be a JSON object")]
#[case::no_object_in_a_list(
    r#"[{"class_uid":2004},7]"#,
    "element 1 of the array: a number where an alert must be a JSON object"
)]
#[case::unknown(
    r#"{"hello":1,"\u001b[2J":2}"#,
    "no decoder knows this object (its keys: hello, \\u{1b}[2J); `stanch alerts kinds` lists the known kinds, and a mapping file adds one"
)]
#[case::empty(
    "{}",
    "no decoder knows this object (its keys: none); `stanch alerts kinds` lists the known kinds, and a mapping file adds one"
)]
#[case::wrong_type(r#"{"accountId":"1","type":"Recon:IAMUser/X","severity":2,"schemaVersion":"2.0","resource":{"accessKeyDetails":"x"}}"#, "aws_guardduty: `resource.accessKeyDetails` is a string where an object must be")]
#[case::wrong_type_of_an_id(r#"{"accountId":"1","type":"Recon:IAMUser/X","severity":[2],"schemaVersion":"2.0","resource":{}}"#, "aws_guardduty: `severity` is an array where a number must be")]
#[case::wrong_type_in_a_list(
    r#"{"uuid":"1","eventType":"x","published":1,"actor":{},"target":[{"id":{}}]}"#,
    "okta_system_log: `target[0].id` is an object where text or a number must be"
)]
#[case::wrong_type_for_a_mapping(
    r#"{"eventSource":"x","eventName":"y","eventID":{}}"#,
    "aws_cloudtrail: field `id`: `.eventID` is an object where text or a number must be"
)]
#[case::wrong_type_inside_for_a_mapping(
    r#"{"eventSource":"x","eventName":"y","userIdentity":"z"}"#,
    "aws_cloudtrail: field `identity_name`: `.userIdentity.userName, .userIdentity.sessionContext.sessionIssuer.userName`: `.userIdentity` is a string where an object must be"
)]
#[case::wrong_type_hides_the_kind(
    r#"{"protoPayload":7,"insertId":"1"}"#,
    "gcp_audit: field `recipe`"
)]
#[case::wrong_type_of_an_envelope(
    r#"{"detail-type":"GuardDuty Finding","detail":"x"}"#,
    "eventbridge: `detail` is a string where an object must be"
)]
#[case::no_token(
    "eyJhbGciOiJFZERTQSJ9.e30.AA",
    "security event token: its type  is not secevent+jwt"
)]
#[case::wrong_signature(
    "eyJhbGciOiJFZERTQSIsInR5cCI6InNlY2V2ZW50K2p3dCJ9.e30.AA",
    "security event token: its signature is wrong"
)]
#[case::no_signature(
    "eyJhbGciOiJub25lIiwidHlwIjoic2VjZXZlbnQrand0In0.e30.",
    "security event token: no configured key fits its algorithm none and key id none"
)]
fn says_what_is_wrong(#[case] text: &str, #[case] message: &str) {
    let mut decoders = Decoders::default();
    let keys = super::super::jwt::KeySet::parse(&format!("{{\"keys\":[{KEY}]}}")).unwrap();
    decoders.set_keys(keys);
    let found = match decoders.decode(None, text.as_bytes(), "s", now()) {
        Ok(contents) => contents.rejected.into_iter().next().unwrap(),
        Err(reason) => reason,
    };
    let found = found.to_string();
    assert!(found.starts_with(message), "{found}");
}

#[rstest]
#[case::long(vec![b'x'; 10 << 20], "10485760 bytes long, more than the 1 MiB that one alert may have")]
#[case::not_text(b"{\"a\":\xff}".to_vec(), "not UTF-8 from byte 5 on")]
#[case::deep([vec![b'['; 100_000], vec![b']'; 100_000]].concat(), "JSON nested 128 levels or deeper at column 128; such depth is refused")]
#[case::wrapped("{\"detail-type\":1,\"detail\":".repeat(40).into_bytes(), "not JSON: EOF")]
#[case::envelopes([b"{\"_source\":".repeat(20), b"{}".to_vec(), b"}".repeat(20)].concat(), "more than 8 envelopes or lists inside each other")]
fn says_what_is_wrong_with_bytes(#[case] bytes: Vec<u8>, #[case] message: &str) {
    let found = match decode_all(None, &bytes, "s", now()) {
        Ok(contents) => contents.rejected.into_iter().next().unwrap(),
        Err(reason) => reason,
    };
    assert!(found.to_string().starts_with(message), "{found}");
}

#[rstest]
#[case(
    "1970-01-01T00:00:00Z",
    "its time 1970-01-01T00:00:00Z lies before 2000; the exposure counts from the arrival instead"
)]
#[case(
    "2099-12-31T23:59:59Z",
    "its time 2099-12-31T23:59:59Z lies in the future; the exposure counts from the arrival instead"
)]
fn a_clock_that_is_wrong_is_doubted(#[case] time: &str, #[case] message: &str) {
    let line = format!(r#"{{"class_uid":2004,"finding_info":{{"uid":"f"}},"time_dt":"{time}"}}"#);
    let decoded = one(&line);
    assert_eq!(decoded.alert.time, Some(time.parse().unwrap()));
    assert_eq!(decoded.alert.exposed_at, Some(now()));
    assert_eq!(decoded.doubt.as_deref(), Some(message));
}

#[test]
fn a_long_list_is_read_from_a_file_only() {
    let alert = format!(
        "{{\"class_uid\":2004,\"message\":\"{}\"}}",
        "x".repeat(1_000)
    );
    let list = format!("[{}]", vec![alert; 2_000].join(","));
    let whole = |text: &str| Decoders::shipped().decode_document(None, text.as_bytes(), "s", now());
    assert_eq!(whole(&list).unwrap().alerts.len(), 2_000);
    assert!(matches!(
        decode_all(None, list.as_bytes(), "s", now()),
        Err(Undecodable::TooLong { .. })
    ));
    let large = format!(
        "{{\"class_uid\":2004,\"message\":\"{}\"}}",
        "x".repeat(2 << 20)
    );
    assert!(matches!(whole(&large), Err(Undecodable::TooLong { .. })));
}

#[test]
fn reasons_of_a_hostile_list_are_bounded() {
    let list = format!("[{}1]", "{},".repeat(300_000));
    let contents = decode_all(None, list.as_bytes(), "s", now()).unwrap();
    assert_eq!(contents.rejected.len(), 1_000);
}

/// Replaces one place of a valid alert by something else, as a broken or hostile producer would.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let seeds = prop::sample::select(seeds());
    let insert = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        prop::sample::select(vec![
            "null",
            "[]",
            "{}",
            "-1",
            "1e308",
            "\"\"",
            "99999999999999999999",
            "true",
            "\\ud800"
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
    ];
    (seeds, any::<prop::sample::Index>(), 0_usize..24, insert).prop_map(
        |(seed, at, cut, insert)| {
            let mut bytes = seed.as_bytes().to_vec();
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, insert);
            bytes
        },
    )
}

/// Replaces any value in the tree by one of another type, so that the text stays JSON.
fn retyped() -> impl Strategy<Value = String> {
    let seeds = prop::sample::select(seeds());
    let other = prop::sample::select(vec![
        "null",
        "[]",
        "{}",
        "-1",
        "1.5e300",
        "\"\u{202e}\"",
        "[[1]]",
        "18446744073709551615",
    ]);
    (seeds, any::<prop::sample::Index>(), other).prop_map(|(seed, at, other)| {
        let mut value: serde_json::Value = serde_json::from_str(&seed).unwrap();
        let mut paths = Vec::new();
        collect(&value, String::new(), &mut paths);
        let path = &paths[at.index(paths.len())];
        *value.pointer_mut(path).unwrap() = serde_json::from_str(other).unwrap();
        value.to_string()
    })
}

fn collect(value: &serde_json::Value, at: String, paths: &mut Vec<String>) {
    let children: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        serde_json::Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        // RFC 6901 §3.
        let key = key.replace('~', "~0").replace('/', "~1");
        collect(child, format!("{at}/{key}"), paths);
    }
    paths.push(at);
}

proptest! {
    #[test]
    fn never_panics_on_broken_alerts(bytes in mutated()) {
        let _ = decode(None, &bytes, "s", now());
    }

    #[test]
    fn never_panics_on_other_types(text in retyped()) {
        for decoded in decode_all(None, text.as_bytes(), "s", now()).map(|c| c.alerts).unwrap_or_default() {
            let json = serde_json::to_string(&*decoded.alert).unwrap();
            prop_assert_eq!(serde_json::from_str::<Alert>(&json).unwrap(), Alert::clone(&decoded.alert));
        }
    }

    #[test]
    fn every_truncation_is_refused(text in prop::sample::select(seeds()), end in any::<prop::sample::Index>()) {
        let end = end.index(text.len());
        prop_assert!(decode(None, &text.as_bytes()[..end], "s", now()).is_err());
    }
}
