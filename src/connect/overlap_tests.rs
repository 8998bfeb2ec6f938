//! Rotation with an overlap, against answers as the providers' public documentation describes them: a credential is issued
//! beside those in use, which are turned off later, and only those.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::Connector;
use super::testing::{identity, settings};
use crate::domain::coverage::{Proof, WireOutcome};
use crate::domain::plan::RenderedVerify;
use crate::domain::vocabulary::Verb;

/// One preset.
struct Case {
    preset: &'static str,
    /// Parameters of the connector and of the identity.
    own: &'static [(&'static str, &'static str)],
    params: &'static [(&'static str, &'static str)],
    /// Answers to reads: before, with the new one beside the old, with the new one alone.
    stages: [Value; 3],
    /// What issues: the request line, and its answer.
    issue: (&'static str, Value),
    /// What turns the old ones off, and the status of the answers.
    retire: (&'static [&'static str], u16),
    /// What is kept of the answer.
    secret: &'static str,
}

/// Answers by request line; what issues, and the last of what retires, bring the next stage.
struct Provider {
    case: Case,
    stage: Arc<AtomicUsize>,
}

impl Respond for Provider {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let line = format!(
            "{} {}",
            request.method,
            &request.url[url::Position::BeforePath..]
        );
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if line == self.case.issue.0 {
            self.stage.store(1, Ordering::SeqCst);
            return ResponseTemplate::new(200).set_body_json(&self.case.issue.1);
        }
        let (acts, status) = self.case.retire;
        let whole = format!("{line} {body}");
        if let Some(at) = acts.iter().position(|act| *act == whole.trim_end()) {
            if at + 1 == acts.len() {
                self.stage.store(2, Ordering::SeqCst);
            }
            return ResponseTemplate::new(status);
        }
        let stage = self.stage.load(Ordering::SeqCst);
        let answer = (0..=stage)
            .rev()
            .find_map(|at| self.case.stages[at].get(&line));
        match answer {
            Some(Value::Number(_)) => ResponseTemplate::new(404).set_body_json(json!({})),
            Some(answer) => ResponseTemplate::new(200).set_body_json(answer),
            None => ResponseTemplate::new(418),
        }
    }
}

fn entra(principal: &Value, application: &[&Value]) -> Value {
    json!({
        "GET /v1.0/servicePrincipals?$filter=appId%20eq%20%2700000000-1111-2222-3333-444444444444%27":
            {"value": [{"id": "sp1", "accountEnabled": true, "passwordCredentials": principal}]},
        "GET /v1.0/servicePrincipals/sp1": {"id": "sp1", "passwordCredentials": principal},
        "GET /v1.0/applications?$filter=appId%20eq%20%2700000000-1111-2222-3333-444444444444%27":
            {"value": application.iter().map(|a| json!({"id": "ob1", "passwordCredentials": a})).collect::<Vec<_>>()},
    })
}

fn entra_case(stages: [Value; 3], line: &'static str, retire: &'static [&'static str]) -> Case {
    Case {
        preset: "entra_app",
        own: &[],
        params: &[("app_id", "00000000-1111-2222-3333-444444444444")],
        stages,
        issue: (
            line,
            json!({"keyId": "k-new", "secretText": "canary-entra"}),
        ),
        retire: (retire, 204),
        secret: "canary-entra",
    }
}

fn google(keys: &Value) -> Value {
    json!({"GET /v1/projects/-/serviceAccounts/ci%40p.iam.gserviceaccount.com/keys?keyTypes=USER_MANAGED": {"keys": keys}})
}

fn vault(accessors: &Value) -> Value {
    json!({
        "GET /v1/auth/token/lookup-self": {"data": {"entity_id": "own"}},
        "GET /v1/auth/approle/role/ci/secret-id?list=true": {"data": {"keys": accessors}},
    })
}

#[rstest]
#[case::entra_application(entra_case(
    [
        entra(&json!([{"keyId": "s1"}]), &[&json!([{"keyId": "a1"}])]),
        entra(&json!([{"keyId": "s1"}]), &[&json!([{"keyId": "a1"}, {"keyId": "k-new"}])]),
        entra(&json!([]), &[&json!([{"keyId": "k-new"}])]),
    ],
    "POST /v1.0/applications/ob1/addPassword",
    &[
        r#"POST /v1.0/servicePrincipals/sp1/removePassword {"keyId":"s1"}"#,
        r#"POST /v1.0/applications/ob1/removePassword {"keyId":"a1"}"#,
    ],
))]
#[case::entra_of_another_tenant(entra_case(
    [
        entra(&json!([{"keyId": "s1"}]), &[]),
        entra(&json!([{"keyId": "s1"}, {"keyId": "k-new"}]), &[]),
        entra(&json!([{"keyId": "k-new"}]), &[]),
    ],
    "POST /v1.0/servicePrincipals/sp1/addPassword",
    &[r#"POST /v1.0/servicePrincipals/sp1/removePassword {"keyId":"s1"}"#],
))]
#[case::google(Case {
    preset: "google_service_account",
    own: &[("project", "prod-123")],
    params: &[("email", "ci@p.iam.gserviceaccount.com")],
    stages: [
        google(&json!([{"name": "x/keys/0f"}, {"name": "x/keys/off", "disabled": true}])),
        google(&json!([{"name": "x/keys/0f"}, {"name": "x/keys/1a"}])),
        google(&json!([{"name": "x/keys/0f", "disabled": true}, {"name": "x/keys/1a"}])),
    ],
    issue: (
        "POST /v1/projects/-/serviceAccounts/ci%40p.iam.gserviceaccount.com/keys",
        json!({"name": "x/keys/1a", "privateKeyData": "eyJ0eXBlIjoiY2FuYXJ5LWdvb2dsZSJ9"}),
    ),
    retire: (&["POST /v1/projects/-/serviceAccounts/ci%40p.iam.gserviceaccount.com/keys/0f:disable {}"], 200),
    secret: r#"{"type":"canary-google"}"#,
})]
#[case::vault(Case {
    preset: "vault",
    own: &[],
    params: &[("role_name", "ci"), ("entity_id", "11111111-2222-3333-4444-555555555555")],
    stages: [vault(&json!(["acc-1"])), vault(&json!(["acc-1", "acc-2"])), vault(&json!(["acc-2"]))],
    issue: (
        "POST /v1/auth/approle/role/ci/secret-id",
        json!({"data": {"secret_id": "canary-vault", "secret_id_accessor": "acc-2"}}),
    ),
    retire: (&[r#"POST /v1/auth/approle/role/ci/secret-id-accessor/destroy {"secret_id_accessor":"acc-1"}"#], 204),
    secret: "canary-vault",
})]
#[tokio::test]
async fn a_new_one_is_kept_and_only_the_old_ones_are_turned_off(#[case] case: Case) {
    let server = MockServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut configured = settings(&server.uri(), case.preset);
    let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    configured.params = case.own.iter().map(pair).collect();
    let mut who = identity("x");
    who.params = case.params.iter().map(pair).collect();
    let secret = case.secret;

    // Without a place for the secret its team issues it.
    let homeless = Connector::new("c", &configured).unwrap();
    assert!(!homeless.actions().contains_key(&Verb::IssueCredential));
    assert!(homeless.actions().contains_key(&Verb::RetireCredential));
    let place = dir.path().display().to_string();
    configured.params.insert("secret_dir".to_owned(), place);
    let connector = Connector::new("c", &configured).unwrap();

    let stage = Arc::new(AtomicUsize::new(0));
    let provider = Provider {
        case,
        stage: Arc::clone(&stage),
    };
    Mock::given(wiremock::matchers::any())
        .respond_with(provider)
        .mount(&server)
        .await;
    let verbs = [Verb::IssueCredential, Verb::RetireCredential];
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let bound = connector.bind(&who, &verbs, now).await.unwrap();
    for precondition in &bound.preconditions {
        assert_eq!(connector.drift(precondition).await.unwrap(), None);
    }
    let [issue, retire] = &bound.steps[..] else {
        panic!("{bound:?}")
    };
    let proof = async |verify: &Option<RenderedVerify>| {
        let mut verify = verify.clone().unwrap();
        (verify.deadline_ms, verify.interval_ms) = (200, 50);
        connector.verify(&verify).await.proof
    };
    assert_eq!(proof(&issue.verify).await, Proof::Disagrees);

    let run = connector.run(&issue.requests, "k1").await;
    assert_eq!((run.outcome, &run.error), (WireOutcome::Accepted, &None));
    let kept = std::fs::read_to_string(&run.captured[0]).unwrap();
    assert_eq!(kept, secret);
    assert!(!format!("{run:?} {bound:?}").contains("canary"));
    assert_eq!(proof(&issue.verify).await, Proof::Agrees);
    assert_eq!(proof(&retire.verify).await, Proof::Disagrees);

    // What was bound before the new one was there turns that off by no means.
    let run = connector.run(&retire.requests, "k2").await;
    assert_eq!((run.outcome, &run.error), (WireOutcome::Accepted, &None));
    assert_eq!(stage.load(Ordering::SeqCst), 2);
    assert_eq!(proof(&retire.verify).await, Proof::Agrees);
    assert_eq!(proof(&issue.verify).await, Proof::Agrees);
}
