use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::domain::vocabulary::{IdentityKind, Severity};

const KEY_EXPOSED: &str = include_str!("../../../tests/fixtures/ocsf/access_key_exposed.json");
const TOKEN_REPLAY: &str = include_str!("../../../tests/fixtures/ocsf/token_replay.json");
const ACCOUNT_CHANGE: &str = include_str!("../../../tests/fixtures/ocsf/account_change.json");
const OLD_FINDING: &str = include_str!("../../../tests/fixtures/ocsf/security_finding_2001.json");
const CHECK: &str = include_str!("../../../tests/fixtures/ocsf/posture_check.json");

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn one(text: &str) -> Decoded {
    let mut contents = decode_all(None, text.as_bytes(), "siem", now()).unwrap();
    assert_eq!(contents.rejected, []);
    assert_eq!(contents.alerts.len(), 1);
    contents.alerts.remove(0)
}

fn subject_of(text: &str) -> (String, String, IdentityKind) {
    let subject = one(text).alert.subject.clone().unwrap();
    (
        subject.provider.raw().to_owned(),
        subject.native_id.raw().to_owned(),
        subject.kind,
    )
}

#[test]
fn reads_a_detection_finding_whole() {
    let Decoded { alert, signals, .. } = one(KEY_EXPOSED);
    assert_eq!(
        alert.id,
        crate::domain::ids::AlertId::new("siem/finding-0042")
    );
    assert_eq!(alert.format, "ocsf_detection_finding");
    assert_eq!(alert.time, Some("2026-11-21T11:58:00.25Z".parse().unwrap()));
    assert_eq!(
        alert.exposed_at,
        Some("2026-11-20T09:00:00Z".parse().unwrap())
    );
    assert_eq!(alert.severity, Some(Severity::High));
    assert_eq!(alert.severity_raw, Some("4".into()));
    assert_eq!(alert.confidence, Some(95));
    assert_eq!(alert.pattern, ActionPattern::CredentialExposed);
    assert_eq!(signals[0], ActionPattern::CredentialExposed);
    assert_eq!(alert.techniques, ["T1552.001".into()]);
    assert_eq!(
        alert.resource.as_ref().unwrap().id.raw(),
        "git:example/payments"
    );
    assert_eq!(
        alert.evidence_url.as_ref().unwrap().raw(),
        "https://siem.example/findings/42"
    );
    assert_eq!(
        alert.raw_sha256.to_string(),
        hex(&Sha256::digest(KEY_EXPOSED))
    );
    let subject = alert.subject.clone().unwrap();
    assert_eq!(subject.native_id.raw(), "AKIAEXAMPLE000000042");
    assert_eq!(subject.kind, IdentityKind::AccessKey);
    assert_eq!(subject.provider.raw(), "aws");
}

#[rstest]
#[case(TOKEN_REPLAY, "ocsf_detection_finding", ActionPattern::TokenReplay)]
#[case(ACCOUNT_CHANGE, "ocsf_iam_api", ActionPattern::PermissionChanged)]
#[case(OLD_FINDING, "ocsf_security_finding", ActionPattern::SecretRead)]
#[case(CHECK, "ocsf_detection_finding", ActionPattern::Posture)]
fn names_format_and_pattern(
    #[case] text: &str,
    #[case] format: &str,
    #[case] pattern: ActionPattern,
) {
    let decoded = one(text);
    assert_eq!(
        (decoded.alert.format.as_str(), decoded.alert.pattern),
        (format, pattern)
    );
}

#[rstest]
#[case(TOKEN_REPLAY, "contoso-id", "svc-deploy", IdentityKind::ServiceAccount)]
#[case(
    ACCOUNT_CHANGE,
    "aws",
    "arn:aws:sts::000000000042:assumed-role/ops/build",
    IdentityKind::RoleSession
)]
#[case(
    CHECK,
    "aws",
    "arn:aws:iam::000000000042:role/reader",
    IdentityKind::ServiceAccount
)]
fn finds_whom_it_is_about(
    #[case] text: &str,
    #[case] provider: &str,
    #[case] id: &str,
    #[case] kind: IdentityKind,
) {
    assert_eq!(subject_of(text), (provider.to_owned(), id.to_owned(), kind));
}

#[test]
fn a_target_is_not_a_subject() {
    let decoded = one(OLD_FINDING);
    assert_eq!(decoded.alert.subject, None);
    assert_eq!(
        decoded.alert.resource.as_ref().unwrap().id.raw(),
        "vault-eu-1"
    );
}

#[rstest]
#[case("0", None)]
#[case("1", Some(Severity::Info))]
#[case("6", Some(Severity::Critical))]
#[case("99", None)]
#[case("\"3\"", Some(Severity::Medium))]
fn severities(#[case] id: &str, #[case] want: Option<Severity>) {
    let alert = one(&format!(r#"{{"class_uid":2004,"severity_id":{id}}}"#)).alert;
    assert_eq!(
        (
            alert.severity,
            alert.severity_raw.as_ref().unwrap().raw().to_owned()
        ),
        (want, id.to_owned())
    );
}

#[rstest]
#[case(r#"{"class_uid":2004,"finding_info":{"types":["secret_read"],"attacks":[{"technique":{"uid":"T1078"}}]}}"#,
       &[ActionPattern::SecretRead, ActionPattern::CredentialUsedAnomalously])]
#[case(r#"{"class_uid":2004,"attacks":[{"technique":{"uid":"T1098"},"sub_technique":{"uid":"T1098.003"}}]}"#,
       &[ActionPattern::PrivilegeEscalated])]
#[case(r#"{"class_uid":2004,"attacks":[{"technique":{"uid":"T1078.004"}}]}"#, &[ActionPattern::CredentialUsedAnomalously])]
#[case(r#"{"class_uid":2004,"finding_info":{"types":["UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS"]}}"#,
       &[ActionPattern::TokenReplay])]
#[case(r#"{"class_uid":6003,"api":{"operation":"google.iam.admin.v1.CreateServiceAccountKey"}}"#,
       &[ActionPattern::CredentialCreatedOrAdded])]
#[case(r#"{"class_uid":2004,"finding_info":{"title":"credential_exposed secret token replay"}}"#, &[ActionPattern::Other])]
fn patterns_come_from_vocabularies_not_titles(#[case] text: &str, #[case] want: &[ActionPattern]) {
    assert_eq!(one(text).signals, want);
}

#[test]
fn without_an_id_the_content_names_it() {
    let text = r#"[{"class_uid":2004},{"class_uid":2004}]"#;
    let ids = |text: &str| -> Vec<String> {
        let alerts = decode(None, text.as_bytes(), "s", now()).unwrap();
        alerts.iter().map(|a| a.id.as_str().to_owned()).collect()
    };
    let first = ids(text);
    assert_eq!(first, ids(text));
    assert_ne!(first[0], first[1]);
    assert!(first[0].starts_with("s/sha256-"));
}

#[test]
fn long_ids_stay_apart() {
    let long = "x".repeat(600);
    let id = |tail: &str| {
        let text = format!(r#"{{"class_uid":2004,"finding_info":{{"uid":"{long}{tail}"}}}}"#);
        one(&text).alert.id.clone()
    };
    assert_ne!(id("1"), id("2"));
    assert!(id("1").as_str().len() < 600);
}

#[test]
fn opens_envelopes() {
    let text = r#"{"detail-type":"Findings Imported V2","id":"e1","time":"2026-11-21T10:00:00Z",
        "detail":{"findings":[{"class_uid":2004,"metadata":{"uid":"f1"}},{"class_uid":2004}]}}"#;
    let alerts = decode(None, text.as_bytes(), "hub", now()).unwrap();
    assert_eq!(alerts[0].id.as_str(), "hub/f1");
    assert_ne!(alerts[1].id.as_str(), "hub/e1");
    assert_eq!(
        alerts[1].time,
        Some("2026-11-21T10:00:00Z".parse().unwrap())
    );
    let text = r#"{"specversion":"1.0","id":"c1","data":{"class_uid":2004}}"#;
    assert_eq!(one(text).alert.id.as_str(), "siem/c1");
}

#[test]
fn an_array_keeps_its_good_elements() {
    let text = br#"[{"class_uid":2004},7,{"x":1}]"#;
    let contents = decode_all(None, text, "s", now()).unwrap();
    assert_eq!(contents.alerts.len(), 1);
    let reasons: Vec<String> = contents.rejected.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons[0],
        "element 1 of the array: a number where an alert must be a JSON object"
    );
    assert!(
        reasons[1]
            .starts_with("element 2 of the array: no decoder knows this object (its keys: x)")
    );
    assert!(decode(None, text, "s", now()).is_err());
}

#[rstest]
#[case(b"" as &[u8], "not JSON: EOF")]
#[case(b"hello", "not JSON: expected value")]
#[case(
    b"{\"class_uid\":2004,\"class_uid\":2001}",
    "duplicate key \"class_uid\""
)]
#[case(
    b"{\"class_uid\":2004,\"a\":[{\"b\":1,\"b\":2}]}",
    "duplicate key \"b\""
)]
#[case(b"{\"a\":\"\xff\"}", "not UTF-8 from byte 6 on")]
#[case(b"42", "a number where an alert")]
#[case(b"null", "null where an alert")]
#[case(b"\"text\"", "a string where an alert")]
#[case(b"{}", "no decoder knows this object (its keys: none)")]
#[case(
    b"{\"\\u001b]0;x\\u0007\":1}",
    "no decoder knows this object (its keys: \\u{1b}]0;x\\u{7})"
)]
fn refuses_and_says_why(#[case] line: &[u8], #[case] reason: &str) {
    let error = decode(None, line, "s", now()).unwrap_err().to_string();
    assert!(error.starts_with(reason), "{error}");
}

#[test]
fn refuses_depth_and_size() {
    let deep = format!(
        r#"{{"class_uid":2004,"x":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    assert!(
        decode(None, deep.as_bytes(), "s", now())
            .unwrap_err()
            .to_string()
            .contains("128 levels")
    );
    let long = vec![b' '; MAX_LINE + 1];
    assert_eq!(
        decode(None, &long, "s", now()),
        Err(Undecodable::TooLong { bytes: 1_048_577 })
    );
}

#[test]
fn formats_are_named() {
    let text = KEY_EXPOSED.as_bytes();
    assert!(decode(Some("ocsf"), text, "s", now()).is_ok());
    assert!(decode(Some("ocsf_detection_finding"), text, "s", now()).is_ok());
    let error = decode(Some("osfc"), text, "s", now())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "unknown format osfc; `stanch alerts kinds` lists the known ones"
    );
    let error = decode(Some("ocsf"), b"{}", "s", now())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("not ocsf_security_finding: "), "{error}");
}

mod damaged;
mod kinds;
