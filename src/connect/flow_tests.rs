//! Reading, binding, running, proving and drift on a well-behaved provider.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{body_json, body_string_contains, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::testing::{good, identity, settings};
use super::{ConnectError, Connector};
use crate::app::settings::{AuthSettings, SecretRef};
use crate::domain::coverage::{Proof, WireOutcome};
use crate::domain::identity::Credential;
use crate::domain::plan::{Body, Undo};
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::Verb;

async fn answers(server: &MockServer, verb: &str, at: &str, body: Value) {
    Mock::given(method(verb))
        .and(path(at))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

/// A provider with one client, like the one drills run against.
async fn provider(enabled: bool) -> MockServer {
    let server = MockServer::start().await;
    let client = json!({"id": "c1", "client_id": "svc.deploy", "enabled": enabled, "secret_version": 3, "created_by": "ci",
        "secret": "canary-1", "secret_fingerprint": "ab12", "owner": {"business": "Payments", "on_call": "+1"}});
    Mock::given(method("GET"))
        .and(path("/admin/clients"))
        .and(query_param("client_id", "svc.deploy"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([client])))
        .mount(&server)
        .await;
    answers(&server, "GET", "/admin/clients/c1", client.clone()).await;
    answers(
        &server,
        "GET",
        "/admin/clients/c1/children",
        json!([{"id": "c2", "client_id": "minted", "enabled": true}]),
    )
    .await;
    answers(&server, "GET", "/admin/clients/c1/sessions", json!([{"id": "s1", "kind": "access_token", "started": "2026-11-21T10:00:00Z",
        "last_seen": null, "expires": "2026-11-21T11:00:00Z", "source_ip": "203.0.113.9", "user_agent": "curl", "minted_with": "k1"}])).await;
    answers(
        &server,
        "GET",
        "/admin/clients/c1/roles",
        json!([{"name": "deploy", "privileged": false}, {"name": "admin", "privileged": true}]),
    )
    .await;
    answers(&server, "GET", "/admin/clients/c1/credentials", json!([
        {"id": "k1", "kind": "deploy_key", "store": "vault", "created": "2026-01-01T00:00:00Z", "last_used": null, "enabled": true, "fingerprint": "f"},
        {"id": "k2", "kind": "deploy_key", "store": null, "created": null, "last_used": null, "enabled": false, "fingerprint": "g"}])).await;
    server
}

fn lab(server: &MockServer) -> Connector {
    Connector::new("lab", &settings(&server.uri(), "lab")).unwrap()
}

#[tokio::test]
async fn context_is_shaped_and_evidence_holds_no_secret() {
    let server = provider(true).await;
    let read = lab(&server).read_context(&identity("svc.deploy")).await;
    let context = &read.context;
    assert_eq!(context.unknown, vec![]);
    assert_eq!(context.enabled, Some(true));
    assert_eq!(context.attributes["business"].raw(), "Payments");
    assert_eq!(context.attributes["children"].raw(), "minted");
    assert_eq!(
        context.sessions[0].origin.as_ref().unwrap().raw(),
        "203.0.113.9 curl with k1"
    );
    assert!(context.scopes[1].privileged && context.credentials.len() == 2);
    assert!(
        read.evidence
            .iter()
            .any(|(_, bytes, _)| String::from_utf8_lossy(bytes).contains("ab12"))
    );
    assert!(
        !read
            .evidence
            .iter()
            .any(|(_, bytes, _)| String::from_utf8_lossy(bytes).contains("canary"))
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_unknown_and_the_rest_is_there() {
    let server = MockServer::start().await;
    answers(
        &server,
        "GET",
        "/admin/clients",
        json!([{"id": "c1", "enabled": true, "secret_version": 1}]),
    )
    .await;
    answers(
        &server,
        "GET",
        "/admin/clients/c1/roles",
        json!([{"name": "deploy"}]),
    )
    .await;
    answers(
        &server,
        "GET",
        "/admin/clients/c1/credentials",
        json!({"not": "a list"}),
    )
    .await;
    let context = lab(&server)
        .read_context(&identity("svc.deploy"))
        .await
        .context;
    assert_eq!(context.scopes.len(), 1);
    let unknown: Vec<_> = context
        .unknown
        .iter()
        .map(|(part, _)| part.as_str())
        .collect();
    assert_eq!(unknown, ["identity", "identity", "sessions", "credentials"]);
}

#[tokio::test]
async fn an_unreachable_provider_leaves_everything_unknown() {
    let connector = Connector::new("lab", &settings("http://127.0.0.1:1", "lab")).unwrap();
    let read = connector.read_context(&identity("svc.deploy")).await;
    assert_eq!(read.context.unknown.len(), 5);
    assert!(read.evidence.is_empty() && read.context.enabled.is_none());
}

#[tokio::test]
async fn binding_resolves_ids_and_changes_nothing() {
    let server = provider(true).await;
    let verbs = [
        Verb::DisableCredential,
        Verb::RevokeSessions,
        Verb::RestrictPrivilege,
        Verb::DisableIdentity,
    ];
    let mut who = identity("svc.deploy");
    who.params
        .insert("baseline_roles".into(), "deploy,read".into());
    let bound = lab(&server)
        .bind(&who, &verbs, Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let urls: Vec<_> = bound
        .steps
        .iter()
        .flat_map(|s| &s.requests)
        .map(|r| r.url.replace(&server.uri(), ""))
        .collect();
    assert_eq!(
        urls,
        [
            "/admin/credentials/k1/disable",
            "/admin/clients/c1/sessions",
            "/admin/clients/c1/roles",
            "/admin/clients/c1/disable"
        ]
    );
    assert_eq!(
        bound.steps[2].requests[0].body,
        Body::Json {
            value: json!({"roles": ["deploy"]})
        }
    );
    let Undo::Requests { requests, verify } = &bound.steps[2].undo else {
        panic!()
    };
    assert_eq!(
        requests[0].body,
        Body::Json {
            value: json!({"roles": ["admin", "deploy"]})
        }
    );
    assert!(verify.is_some());
    assert!(matches!(bound.steps[1].undo, Undo::Irreversible { .. }));
    assert_eq!(bound.preconditions.len(), 3);
    assert!(
        server
            .received_requests()
            .await
            .unwrap()
            .iter()
            .all(|r| r.method == "GET")
    );
    let plan_text = serde_json::to_string(&bound.preconditions).unwrap() + &format!("{bound:?}");
    assert!(!plan_text.contains("canary"));
}

#[tokio::test]
async fn what_is_already_so_needs_no_request_and_no_undo() {
    let server = provider(false).await;
    let bound = lab(&server)
        .bind(
            &identity("svc.deploy"),
            &[Verb::DisableIdentity],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap();
    let step = &bound.steps[0];
    assert!(step.requests.is_empty());
    assert_eq!(step.undo, Undo::NothingToUndo);
    let verified = lab(&server).verify(step.verify.as_ref().unwrap()).await;
    assert_eq!((verified.proof, verified.tries), (Proof::Agrees, 1));
    assert_eq!(verified.evidence_sha256.unwrap().len(), 64);
}

#[tokio::test]
async fn drift_is_found() {
    let server = provider(true).await;
    let bound = lab(&server)
        .bind(
            &identity("svc.deploy"),
            &[Verb::DisableIdentity],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap();
    let fact = &bound.preconditions[0];
    assert_eq!(lab(&server).drift(fact).await.unwrap(), None);
    server.reset().await;
    answers(
        &server,
        "GET",
        "/admin/clients",
        json!([{"id": "c1", "enabled": false}]),
    )
    .await;
    let drift = lab(&server).drift(fact).await.unwrap().unwrap();
    assert_eq!((drift.expected, drift.found), (json!(true), json!(false)));
    server.reset().await;
    assert!(lab(&server).drift(fact).await.is_err());
}

#[tokio::test]
async fn a_rotated_secret_is_captured_or_nothing_is_sent() {
    let server = provider(true).await;
    Mock::given(method("POST"))
        .and(path("/admin/clients/c1/rotate-secret"))
        .and(header("idempotency-key", "key-9"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"secret": "canary-2", "secret_version": 4})),
        )
        .expect(1)
        .mount(&server)
        .await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let mut with_dir = settings(&server.uri(), "lab");
    with_dir
        .params
        .insert("secret_dir".into(), dir.path().display().to_string());
    let connector = Connector::new("lab", &with_dir).unwrap();
    let bound = connector
        .bind(
            &identity("svc.deploy"),
            &[Verb::RotateSecret],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap();
    let requests = &bound.steps[0].requests;

    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let refused = connector.run(requests, "key-9").await;
    assert_eq!(
        (refused.outcome, refused.attempts),
        (WireOutcome::NotSent, 0)
    );

    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let run = connector.run(requests, "key-9").await;
    assert_eq!((run.outcome, &run.error), (WireOutcome::Accepted, &None));
    assert_eq!(
        std::fs::read_to_string(&run.captured[0]).unwrap(),
        "canary-2"
    );
    assert!(!format!("{run:?} {bound:?}").contains("canary"));

    let no_dir = lab(&server)
        .bind(
            &identity("svc.deploy"),
            &[Verb::RotateSecret],
            Timestamp::UNIX_EPOCH,
        )
        .await;
    assert!(no_dir.unwrap_err().to_string().contains("secret_dir"));
}

#[rstest]
#[case(200, json!({"enabled": true}), Proof::Disagrees)]
#[case(200, json!({"enabled": false}), Proof::Agrees)]
#[case(200, json!([]), Proof::CannotTell)]
#[case(403, json!({"enabled": false}), Proof::CannotTell)]
#[case(503, json!({"enabled": false}), Proof::CannotTell)]
#[case(404, json!({"enabled": false}), Proof::CannotTell)]
#[tokio::test]
async fn read_backs(#[case] status: u16, #[case] body: Value, #[case] want: Proof) {
    let server = MockServer::start().await;
    answers(
        &server,
        "GET",
        "/clients",
        json!([{"id": "c1", "enabled": true}]),
    )
    .await;
    Mock::given(path("/clients/c1"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    let dir = tempfile::tempdir().unwrap();
    let connector = Connector::new("own", &good(&server.uri(), dir.path())).unwrap();
    let bound = connector
        .bind(
            &identity("svc.deploy"),
            &[Verb::DisableIdentity],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap();
    let result = connector
        .verify(bound.steps[0].verify.as_ref().unwrap())
        .await;
    assert_eq!(result.proof, want, "{result:?}");
    assert_eq!(result.tries > 1, want != Proof::Agrees);
}

#[rstest]
#[case::pattern("svc deploy", "does not match")]
#[case::hostile("..", "refused")]
#[case::own("soc.console", "own account")]
#[tokio::test]
async fn identities_that_are_refused(#[case] client_id: &str, #[case] says: &str) {
    let server = MockServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut settings = good(&server.uri(), dir.path());
    settings.auth = AuthSettings::Basic {
        username: "soc.console".into(),
        password: SecretRef::Env("HOME".into()),
    };
    let connector = Connector::new("own", &settings).unwrap();
    let error = connector
        .bind(
            &identity(client_id),
            &[Verb::DisableIdentity],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

/// Ids that a provider gives are as hostile as any.
#[rstest]
#[case("..")]
#[case("a/b")]
#[case("x%2fy")]
#[case("\u{202e}")]
#[case("")]
#[tokio::test]
async fn ids_from_answers_cannot_shape_a_url(#[case] id: &str) {
    let server = MockServer::start().await;
    answers(
        &server,
        "GET",
        "/clients",
        json!([{"id": id, "enabled": true}]),
    )
    .await;
    let dir = tempfile::tempdir().unwrap();
    let connector = Connector::new("own", &good(&server.uri(), dir.path())).unwrap();
    let error = connector
        .bind(
            &identity("svc.deploy"),
            &[Verb::DisableIdentity],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Template { .. }), "{error}");
}

#[tokio::test]
async fn errors_name_what_is_missing() {
    let server = MockServer::start().await;
    answers(&server, "GET", "/clients", json!([])).await;
    let dir = tempfile::tempdir().unwrap();
    let connector = Connector::new("own", &good(&server.uri(), dir.path())).unwrap();
    let mut who = identity("svc.deploy");
    let error = connector
        .bind(&who, &[Verb::DisableIdentity], Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no such client"), "{error}");
    let error = connector
        .bind(&who, &[Verb::RotateSecret], Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("its actions are: disable_identity"),
        "{error}"
    );
    who.params.insert("realm".into(), "x".into());
    let error = connector
        .bind(&who, &[Verb::DisableIdentity], Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("it knows: client_id"), "{error}");
    who.params.clear();
    let error = connector
        .bind(&who, &[Verb::DisableIdentity], Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is missing on the identity's card"),
        "{error}"
    );
}

#[tokio::test]
async fn one_login_serves_many_requests_and_is_renewed_when_refused() {
    let server = provider(true).await;
    Mock::given(method("POST"))
        .and(path("/oauth/token"))
        .and(body_string_contains("grant_type=client_credentials"))
        // RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
        .and(header("authorization", "Basic c29jOnAlMjZhc3MlMkZ3b3Jk"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"access_token": "t", "expires_in": 300})),
        )
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(method("DELETE"))
        .and(header("authorization", "Bearer t"))
        .respond_with(ResponseTemplate::new(401))
        .expect(2)
        .mount(&server)
        .await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s");
    std::fs::write(&file, "p&ass/word").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let mut settings = settings(&server.uri(), "lab");
    settings.auth = AuthSettings::ClientCredentials {
        token_url: None,
        client_id: "soc".into(),
        client_secret: SecretRef::File(file),
        scope: None,
    };
    let connector = Connector::new("lab", &settings).unwrap();
    connector.read_context(&identity("svc.deploy")).await;
    let bound = connector
        .bind(
            &identity("svc.deploy"),
            &[Verb::RevokeSessions],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap();
    assert_eq!(
        connector.run(&bound.steps[0].requests, "k").await.outcome,
        WireOutcome::Rejected
    );
}

#[tokio::test]
async fn a_refused_login_sends_nothing_and_a_foreign_token_url_is_refused() {
    let server = MockServer::start().await;
    Mock::given(path("/oauth/token"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let mut settings = settings(&server.uri(), "lab");
    let mut auth = |token_url: Option<&str>| {
        settings.auth = AuthSettings::ClientCredentials {
            token_url: token_url.map(str::to_owned),
            client_id: "soc".into(),
            client_secret: SecretRef::Env("HOME".into()),
            scope: None,
        };
        Connector::new("lab", &settings)
    };
    assert!(
        auth(Some("https://evil.example/token"))
            .unwrap_err()
            .to_string()
            .contains("another host")
    );
    let error = auth(None)
        .unwrap()
        .bind(
            &identity("svc"),
            &[Verb::DisableIdentity],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("login was refused with status 401"),
        "{error}"
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn introspection_that_cannot_tell_makes_the_proof_impossible() {
    let server = MockServer::start().await;
    Mock::given(path("/oauth/introspect"))
        .and(body_string_contains("token="))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"active": false})))
        .mount(&server)
        .await;
    let connector = Connector::new("o", &settings(&server.uri(), "oauth")).unwrap();
    let mut who = identity("svc");
    let none = connector
        .bind(&who, &[Verb::RevokeTokens], Timestamp::UNIX_EPOCH)
        .await;
    assert!(
        none.unwrap_err()
            .to_string()
            .contains("no credential of kind `access_token`")
    );
    who.credentials.push(Credential {
        id: Untrusted::new("t"),
        kind: Untrusted::new("access_token"),
        secret_ref: Some("env:HOME".into()),
        ..Credential::default()
    });
    let bound = connector
        .bind(&who, &[Verb::RevokeTokens], Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    assert_eq!(bound.steps[0].verify, None);
    assert!(bound.residual()[0].text.contains("would prove nothing"));
    let Body::Form { fields } = &bound.steps[0].requests[0].body else {
        panic!()
    };
    assert!(
        fields
            .iter()
            .any(|f| f.secret.as_deref() == Some("env:HOME") && f.value.is_none())
    );
}

#[tokio::test]
async fn keycloak_removes_roles_by_id_and_keeps_authorization_settings() {
    let server = MockServer::start().await;
    let base = "/admin/realms/prod";
    answers(&server, "GET", &format!("{base}/clients"), json!([{"id": "u1", "enabled": true, "authorizationServicesEnabled": true, "attributes": {"access.token.lifespan": "90"}}])).await;
    answers(
        &server,
        "GET",
        &format!("{base}/clients/u1/service-account-user"),
        json!({"id": "a1"}),
    )
    .await;
    answers(&server, "GET", base, json!({"accessTokenLifespan": 300})).await;
    answers(
        &server,
        "GET",
        &format!("{base}/users/a1/groups"),
        json!([{"path": "/ops"}]),
    )
    .await;
    answers(&server, "GET", &format!("{base}/users/a1/role-mappings"), json!({"clientMappings": {"m": {"id": "m1", "client": "m", "mappings": [{"id": "r2", "name": "admin", "x": 1}]}}})).await;
    let mut settings = settings(&server.uri(), "keycloak");
    settings.params.insert("realm".into(), "prod".into());
    let connector = Connector::new("k", &settings).unwrap();
    let bound = connector
        .bind(
            &identity("svc"),
            &[Verb::RestrictPrivilege, Verb::DisableIdentity],
            Timestamp::UNIX_EPOCH,
        )
        .await
        .unwrap();
    let step = &bound.steps[0];
    assert_eq!(step.requests.len(), 1, "there is no realm role to remove");
    assert_eq!(
        step.requests[0].url,
        format!("{}{base}/users/a1/role-mappings/clients/m1", server.uri())
    );
    assert_eq!(
        step.requests[0].body,
        Body::Json {
            value: json!([{"id": "r2", "name": "admin"}])
        }
    );
    assert!(bound.residual().iter().any(|r| r.text.contains("groups")));
    assert!(
        bound.residual().iter().any(|r| r.at_most_s == Some(90)),
        "the client's own lifespan counts"
    );
    Mock::given(method("PUT"))
        .and(path(format!("{base}/clients/u1")))
        .and(body_json(
            json!({"enabled": false, "authorizationServicesEnabled": true}),
        ))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(
        connector.run(&bound.steps[1].requests, "k").await.outcome,
        WireOutcome::Accepted
    );
}

#[test]
fn futures_can_cross_threads() {
    fn send<T: Send>(_: T) {}
    let connector = Connector::new("lab", &settings("http://127.0.0.1:1", "lab")).unwrap();
    let who = identity("svc");
    send(connector.read_context(&who));
    send(connector.bind(&who, &[], Timestamp::UNIX_EPOCH));
    send(connector.run(&[], "k"));
}
