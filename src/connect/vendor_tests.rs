//! Presets of providers that cannot be run here, against answers as their public documentation describes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::Connector;
use super::testing::{identity, settings};
use crate::app::settings::{AuthSettings, SecretRef};
use crate::domain::coverage::{Proof, WireOutcome};
use crate::domain::identity::{Credential, Identity};
use crate::domain::plan::{RenderedRequest, Undo};
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::Verb;

/// One action of one preset.
struct Case {
    preset: &'static str,
    verb: Verb,
    params: &'static [(&'static str, &'static str)],
    /// Kind of the credential of which a copy is held.
    held: Option<&'static str>,
    /// Answers to reads before the act: `METHOD path?query`.
    before: Value,
    /// Answers to reads after it, where they differ.
    after: Value,
    /// What must be sent: method, path, body; and the status of the answer.
    acts: &'static [(&'static str, &'static str, u16)],
    /// What would take it back.
    undo: &'static [(&'static str, &'static str)],
}

/// Answers by request line; acts change the world.
struct Provider {
    before: Value,
    after: Value,
    acts: Vec<(String, u16)>,
    acted: Arc<AtomicBool>,
}

impl Respond for Provider {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = &request.url[url::Position::BeforePath..];
        let line = format!("{} {path}", request.method);
        if let Some((_, status)) = self.acts.iter().find(|(act, _)| *act == line) {
            self.acted.store(true, Ordering::SeqCst);
            return ResponseTemplate::new(*status).set_body_json(json!({"ok": true}));
        }
        let now = self
            .acted
            .load(Ordering::SeqCst)
            .then(|| self.after.get(&line))
            .flatten();
        match now.or_else(|| self.before.get(&line)) {
            Some(Value::Number(status)) => ResponseTemplate::new(
                status
                    .as_u64()
                    .and_then(|s| u16::try_from(s).ok())
                    .unwrap_or(500),
            )
            .set_body_json(json!({"message": "gone"})),
            Some(body) => ResponseTemplate::new(200).set_body_json(body),
            None => ResponseTemplate::new(418),
        }
    }
}

fn secret(dir: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.path().join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn of_connector(preset: &str) -> BTreeMap<String, String> {
    let params: &[(&str, &str)] = match preset {
        "github_repository" => &[("owner", "acme")],
        "google_service_account" => &[("project", "prod-123")],
        "kubernetes" => &[("own_account", "soc/console")],
        "pagerduty" => &[
            ("service_id", "PIJ90N7"),
            ("from_email", "soc@acme.example"),
        ],
        "slack_message" => &[("channel", "C024BE91L")],
        "webhook" => &[("path", "/hook")],
        _ => &[],
    };
    params
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

/// Reads a body as it stands in a case.
fn body(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// Returns each request as `METHOD path` and its body.
fn lines(base: &str, requests: &[RenderedRequest]) -> Vec<(String, Value)> {
    let line = |r: &RenderedRequest| {
        let path = r.url.replace(base, "");
        let body = match serde_json::to_value(&r.body).unwrap() {
            Value::Object(body) if body["kind"] == "json" => body["value"].clone(),
            Value::Object(body) if body["kind"] == "form" => json!("form"),
            _ => json!(""),
        };
        (format!("{} {path}", r.method), body)
    };
    requests.iter().map(line).collect()
}

fn who(case: &Case, copy: &std::path::Path) -> Identity {
    let mut who = identity("x");
    who.params = case
        .params
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    who.credentials.extend(case.held.map(|kind| Credential {
        id: Untrusted::new("copy"),
        kind: Untrusted::new(kind),
        secret_ref: Some(format!("file:{}", copy.display())),
        ..Credential::default()
    }));
    who
}

fn entra_world() -> Value {
    let filter = "?$filter=appId%20eq%20%2711111111-2222-3333-4444-555555555555%27";
    json!({
        format!("GET /v1.0/servicePrincipals{filter}"): {"value": [{"id": "sp1", "accountEnabled": true, "passwordCredentials": [{"keyId": "k1"}]}]},
        format!("GET /v1.0/applications{filter}"): {"value": [{"id": "o1", "passwordCredentials": [{"keyId": "k2"}]}]},
        "GET /v1.0/servicePrincipals/sp1/oauth2PermissionGrants": {"value": [{"id": "g1", "clientId": "sp1", "consentType": "AllPrincipals", "principalId": null, "resourceId": "r1", "scope": "User.Read"}], "@odata.nextLink": "{base}/v1.0/servicePrincipals/sp1/oauth2PermissionGrants?$skiptoken=2"},
        "GET /v1.0/servicePrincipals/sp1/oauth2PermissionGrants?$skiptoken=2": {"value": [{"id": "g2", "clientId": "sp1", "consentType": "Principal", "principalId": "u1", "resourceId": "r1", "scope": "Mail.Read"}]},
    })
}

fn kubernetes_world() -> Value {
    let subject = json!({"kind": "ServiceAccount", "name": "deploy", "namespace": "prod"});
    let other = json!({"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"});
    json!({
        "GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=500": {"metadata": {"continue": "c2"}, "items": [
            {"metadata": {"name": "admins", "resourceVersion": "7"}, "roleRef": {"name": "cluster-admin"}, "subjects": [other, subject]}]},
        "GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=500&continue=c2": {"metadata": {}, "items": [
            {"metadata": {"name": "viewers", "resourceVersion": "8"}, "roleRef": {"name": "view"}}]},
        "GET /apis/rbac.authorization.k8s.io/v1/rolebindings?limit=500": {"metadata": {}, "items": [
            {"metadata": {"name": "deployers", "namespace": "prod", "resourceVersion": "9"}, "roleRef": {"name": "edit"}, "subjects": [subject]}]},
        "POST /apis/authorization.k8s.io/v1/subjectaccessreviews": {"status": {"allowed": false}},
        "GET /api/v1/namespaces/prod/secrets?fieldSelector=type%3Dkubernetes.io%2Fservice-account-token&limit=500": {"metadata": {}, "items": [
            {"metadata": {"name": "deploy-token", "uid": "u-1", "annotations": {"kubernetes.io/service-account.name": "deploy"}}, "data": {"token": "canary"}},
            {"metadata": {"name": "other", "uid": "u-2", "annotations": {"kubernetes.io/service-account.name": "other"}}, "data": {"token": "canary"}}]},
        "POST /apis/authentication.k8s.io/v1/tokenreviews": {"status": {"authenticated": false}},
    })
}

#[rstest]
#[case::vault_entity(Case {
    preset: "vault", verb: Verb::DisableIdentity, held: None,
    params: &[("role_name", "ci"), ("entity_id", "11111111-2222-3333-4444-555555555555")],
    before: json!({"GET /v1/auth/token/lookup-self": {"data": {"entity_id": ""}},
        "GET /v1/identity/entity/id/11111111-2222-3333-4444-555555555555": {"data": {"name": "ci", "disabled": false}}}),
    after: json!({"GET /v1/identity/entity/id/11111111-2222-3333-4444-555555555555": {"data": {"name": "ci", "disabled": true}}}),
    acts: &[("POST /v1/identity/entity/id/11111111-2222-3333-4444-555555555555", r#"{"disabled":true}"#, 204)],
    undo: &[("POST /v1/identity/entity/id/11111111-2222-3333-4444-555555555555", r#"{"disabled":false}"#)],
})]
#[case::vault_secret_ids(Case {
    preset: "vault", verb: Verb::DisableCredential, held: None,
    params: &[("role_name", "ci"), ("entity_id", "11111111-2222-3333-4444-555555555555")],
    before: json!({"GET /v1/auth/token/lookup-self": {"data": {"entity_id": "x"}},
        "GET /v1/auth/approle/role/ci/secret-id?list=true": {"data": {"keys": ["a1", "a2"]}}}),
    after: json!({"GET /v1/auth/approle/role/ci/secret-id?list=true": 404}),
    acts: &[("POST /v1/auth/approle/role/ci/secret-id-accessor/destroy", r#"{"secret_id_accessor":"a1"}"#, 204),
        ("POST /v1/auth/approle/role/ci/secret-id-accessor/destroy", r#"{"secret_id_accessor":"a2"}"#, 204)],
    undo: &[],
})]
#[case::vault_tokens(Case {
    preset: "vault", verb: Verb::RevokeTokens, held: None,
    params: &[("role_name", "ci"), ("entity_id", "11111111-2222-3333-4444-555555555555")],
    before: json!({"GET /v1/auth/token/lookup-self": {"data": {"entity_id": "x"}},
        "GET /v1/sys/leases/lookup/auth/approle/login/?list=true": {"data": {"keys": ["h1", "h2"]}}}),
    after: json!({"GET /v1/sys/leases/lookup/auth/approle/login/?list=true": 404}),
    acts: &[("POST /v1/sys/leases/revoke-prefix/auth/approle/login", r#"{"sync":true}"#, 204)],
    undo: &[],
})]
#[case::okta_app_secrets(Case {
    preset: "okta_app", verb: Verb::DisableCredential, held: None, params: &[("app_id", "0oa1gjh63g214q0Hq0g4")],
    before: json!({"GET /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/secrets": [
            {"id": "ocs1", "status": "ACTIVE", "client_secret": "canary"}, {"id": "ocs2", "status": "INACTIVE", "client_secret": "canary"}],
        "GET /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/jwks": [{"id": "pks1", "status": "ACTIVE", "kid": "k"}]}),
    after: json!({"GET /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/secrets": [
            {"id": "ocs1", "status": "INACTIVE"}, {"id": "ocs2", "status": "INACTIVE"}],
        "GET /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/jwks": [{"id": "pks1", "status": "INACTIVE"}]}),
    acts: &[("POST /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/secrets/ocs1/lifecycle/deactivate", "", 200),
        ("POST /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/jwks/pks1/lifecycle/deactivate", "", 200)],
    undo: &[("POST /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/secrets/ocs1/lifecycle/activate", ""),
        ("POST /api/v1/apps/0oa1gjh63g214q0Hq0g4/credentials/jwks/pks1/lifecycle/activate", "")],
})]
#[case::entra_permissions(Case {
    preset: "entra_app", verb: Verb::RestrictPrivilege, held: None, params: &[("app_id", "11111111-2222-3333-4444-555555555555")],
    before: {
        let mut world = entra_world();
        world["GET /v1.0/servicePrincipals/sp1/appRoleAssignments"] = json!({"value": [
            {"id": "as1", "principalId": "sp1", "resourceId": "r1", "appRoleId": "ro1", "principalDisplayName": "ci"}]});
        world
    },
    after: json!({"GET /v1.0/servicePrincipals/sp1/appRoleAssignments": {"value": []}}),
    acts: &[("DELETE /v1.0/servicePrincipals/sp1/appRoleAssignments/as1", "", 204)],
    undo: &[("POST /v1.0/servicePrincipals/sp1/appRoleAssignments", r#"{"principalId":"sp1","resourceId":"r1","appRoleId":"ro1"}"#)],
})]
#[case::kubernetes_deployment(Case {
    preset: "kubernetes", verb: Verb::IsolateWorkload, held: None, params: &[("namespace", "prod"), ("account", "deploy"), ("workload", "shop")],
    before: json!({"GET /apis/apps/v1/namespaces/prod/deployments/shop/scale": {"spec": {"replicas": 3}, "status": {"replicas": 3}}}),
    after: json!({"GET /apis/apps/v1/namespaces/prod/deployments/shop/scale": {"spec": {"replicas": 0}, "status": {"replicas": 0}}}),
    acts: &[("PATCH /apis/apps/v1/namespaces/prod/deployments/shop/scale", r#"{"spec":{"replicas":0}}"#, 200)],
    undo: &[("PATCH /apis/apps/v1/namespaces/prod/deployments/shop/scale", r#"{"spec":{"replicas":3}}"#)],
})]
#[case::okta_app_grants(Case {
    preset: "okta_app", verb: Verb::RevokeGrants, held: None, params: &[("app_id", "0oa1gjh63g214q0Hq0g4")],
    before: json!({"GET /api/v1/apps/0oa1gjh63g214q0Hq0g4/grants?limit=200": [{"id": "oag1", "issuer": "https://acme.okta.com", "scopeId": "okta.users.read"}]}),
    after: json!({"GET /api/v1/apps/0oa1gjh63g214q0Hq0g4/grants?limit=200": []}),
    acts: &[("DELETE /api/v1/apps/0oa1gjh63g214q0Hq0g4/grants/oag1", "", 204)],
    undo: &[("POST /api/v1/apps/0oa1gjh63g214q0Hq0g4/grants", r#"{"scopeId":"okta.users.read","issuer":"https://acme.okta.com"}"#)],
})]
#[case::okta_app(Case {
    preset: "okta_app", verb: Verb::DisableIdentity, held: None, params: &[("app_id", "0oa1gjh63g214q0Hq0g4")],
    before: json!({"GET /api/v1/apps/0oa1gjh63g214q0Hq0g4": {"status": "ACTIVE"}}),
    after: json!({"GET /api/v1/apps/0oa1gjh63g214q0Hq0g4": {"status": "INACTIVE"}}),
    acts: &[("POST /api/v1/apps/0oa1gjh63g214q0Hq0g4/lifecycle/deactivate", "", 200)],
    undo: &[("POST /api/v1/apps/0oa1gjh63g214q0Hq0g4/lifecycle/activate", "")],
})]
#[case::okta_user(Case {
    preset: "okta_user", verb: Verb::DisableIdentity, held: None, params: &[("user_id", "00ub0oNGTSWTBKOLGLNR")],
    before: json!({"GET /api/v1/users/00ub0oNGTSWTBKOLGLNR": {"status": "ACTIVE"}}),
    after: json!({"GET /api/v1/users/00ub0oNGTSWTBKOLGLNR": {"status": "SUSPENDED"}}),
    acts: &[("POST /api/v1/users/00ub0oNGTSWTBKOLGLNR/lifecycle/suspend", "", 200)],
    undo: &[("POST /api/v1/users/00ub0oNGTSWTBKOLGLNR/lifecycle/unsuspend", "")],
})]
#[case::okta_api_token(Case {
    preset: "okta_api_token", verb: Verb::DisableCredential, held: None, params: &[("token_id", "00Tabcdefg1234567890")],
    before: json!({"GET /api/v1/api-tokens/00Tabcdefg1234567890": {"id": "00Tabcdefg1234567890", "name": "siem"}}),
    after: json!({"GET /api/v1/api-tokens/00Tabcdefg1234567890": 404}),
    acts: &[("DELETE /api/v1/api-tokens/00Tabcdefg1234567890", "", 204)],
    undo: &[],
})]
#[case::entra_secrets(Case {
    preset: "entra_app", verb: Verb::DisableCredential, held: None, params: &[("app_id", "11111111-2222-3333-4444-555555555555")],
    before: entra_world(),
    after: json!({"GET /v1.0/servicePrincipals/sp1": {"passwordCredentials": []},
        "GET /v1.0/applications?$filter=appId%20eq%20%2711111111-2222-3333-4444-555555555555%27": {"value": [{"id": "o1", "passwordCredentials": []}]}}),
    acts: &[("POST /v1.0/servicePrincipals/sp1/removePassword", r#"{"keyId":"k1"}"#, 204),
        ("POST /v1.0/applications/o1/removePassword", r#"{"keyId":"k2"}"#, 204)],
    undo: &[],
})]
#[case::entra_grants_to_the_last_page(Case {
    preset: "entra_app", verb: Verb::RevokeGrants, held: None, params: &[("app_id", "11111111-2222-3333-4444-555555555555")],
    before: entra_world(),
    after: json!({"GET /v1.0/servicePrincipals/sp1/oauth2PermissionGrants": {"value": []}}),
    acts: &[("DELETE /v1.0/oauth2PermissionGrants/g1", "", 204), ("DELETE /v1.0/oauth2PermissionGrants/g2", "", 204)],
    undo: &[
        ("POST /v1.0/oauth2PermissionGrants", r#"{"clientId":"sp1","consentType":"AllPrincipals","principalId":null,"resourceId":"r1","scope":"User.Read"}"#),
        ("POST /v1.0/oauth2PermissionGrants", r#"{"clientId":"sp1","consentType":"Principal","principalId":"u1","resourceId":"r1","scope":"Mail.Read"}"#)],
})]
#[case::entra_principal(Case {
    preset: "entra_app", verb: Verb::DisableIdentity, held: None, params: &[("app_id", "11111111-2222-3333-4444-555555555555")],
    before: entra_world(),
    after: json!({"GET /v1.0/servicePrincipals/sp1": {"accountEnabled": false}}),
    acts: &[("PATCH /v1.0/servicePrincipals/sp1", r#"{"accountEnabled":false}"#, 204)],
    undo: &[("PATCH /v1.0/servicePrincipals/sp1", r#"{"accountEnabled":true}"#)],
})]
#[case::google_account(Case {
    preset: "google_service_account", verb: Verb::DisableIdentity, held: None, params: &[("email", "ci@prod-123.iam.gserviceaccount.com")],
    before: json!({"GET /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com": {"email": "ci"}}),
    after: json!({"GET /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com": {"disabled": true}}),
    acts: &[("POST /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com:disable", "{}", 200)],
    undo: &[("POST /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com:enable", "{}")],
})]
#[case::google_keys(Case {
    preset: "google_service_account", verb: Verb::DisableCredential, held: None, params: &[("email", "ci@prod-123.iam.gserviceaccount.com")],
    before: json!({"GET /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com/keys?keyTypes=USER_MANAGED": {"keys": [
        {"name": "projects/prod-123/serviceAccounts/ci@prod-123.iam.gserviceaccount.com/keys/0f0f"}, {"name": "projects/p/serviceAccounts/c/keys/1a1a", "disabled": true}]}}),
    after: json!({"GET /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com/keys?keyTypes=USER_MANAGED": {"keys": [{"name": "a/0f0f", "disabled": true}]}}),
    acts: &[("POST /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com/keys/0f0f:disable", "{}", 200)],
    undo: &[("POST /v1/projects/-/serviceAccounts/ci%40prod-123.iam.gserviceaccount.com/keys/0f0f:enable", "{}")],
})]
#[case::github_installation(Case {
    preset: "github_app", verb: Verb::DisableIdentity, held: None, params: &[("installation_id", "42")],
    before: json!({"GET /app/installations/42": {"suspended_at": null}}),
    after: json!({"GET /app/installations/42": {"suspended_at": "2026-11-21T10:00:00Z"}}),
    acts: &[("PUT /app/installations/42/suspended", "", 204)],
    undo: &[("DELETE /app/installations/42/suspended", "")],
})]
#[case::github_workflow(Case {
    preset: "github_repository", verb: Verb::FreezePipeline, held: None, params: &[("repository", "shop"), ("workflow_id", "161335")],
    before: json!({"GET /repos/acme/shop/actions/workflows/161335": {"state": "active"}}),
    after: json!({"GET /repos/acme/shop/actions/workflows/161335": {"state": "disabled_manually"}}),
    acts: &[("PUT /repos/acme/shop/actions/workflows/161335/disable", "", 204)],
    undo: &[("PUT /repos/acme/shop/actions/workflows/161335/enable", "")],
})]
#[case::github_deploy_key(Case {
    preset: "github_repository", verb: Verb::DisableCredential, held: None, params: &[("repository", "shop"), ("key_id", "7")],
    before: json!({"GET /repos/acme/shop/keys/7": {"id": 7, "title": "ci", "key": "ssh-ed25519 AAAA", "read_only": true}}),
    after: json!({"GET /repos/acme/shop/keys/7": 404}),
    acts: &[("DELETE /repos/acme/shop/keys/7", "", 204)],
    undo: &[("POST /repos/acme/shop/keys", r#"{"title":"ci","key":"ssh-ed25519 AAAA","read_only":true}"#)],
})]
#[case::gitlab_token(Case {
    preset: "gitlab_token", verb: Verb::DisableCredential, held: None, params: &[("token_id", "321")],
    before: json!({"GET /api/v4/personal_access_tokens/self": {"id": 1}, "GET /api/v4/personal_access_tokens/321": {"id": 321, "revoked": false, "active": true, "user_id": 9}}),
    after: json!({"GET /api/v4/personal_access_tokens/321": {"id": 321, "revoked": true, "active": false}}),
    acts: &[("DELETE /api/v4/personal_access_tokens/321", "", 204)],
    undo: &[],
})]
#[case::gitlab_user(Case {
    preset: "gitlab_token", verb: Verb::DisableIdentity, held: None, params: &[("token_id", "321")],
    before: json!({"GET /api/v4/personal_access_tokens/self": {"id": 1}, "GET /api/v4/personal_access_tokens/321": {"revoked": false, "user_id": 9}, "GET /api/v4/users/9": {"state": "active"}}),
    after: json!({"GET /api/v4/users/9": {"state": "blocked"}}),
    acts: &[("POST /api/v4/users/9/block", "", 201)],
    undo: &[("POST /api/v4/users/9/unblock", "")],
})]
#[case::gitlab_runner(Case {
    preset: "gitlab_runner", verb: Verb::FreezePipeline, held: None, params: &[("runner_id", "6")],
    before: json!({"GET /api/v4/runners/6": {"paused": false}}),
    after: json!({"GET /api/v4/runners/6": {"paused": true}}),
    acts: &[("PUT /api/v4/runners/6", r#"{"paused":true}"#, 200)],
    undo: &[("PUT /api/v4/runners/6", r#"{"paused":false}"#)],
})]
#[case::slack(Case {
    preset: "slack_token", verb: Verb::RevokeTokens, held: Some("slack_token"), params: &[("token_name", "deploy bot")],
    before: json!({"POST /auth.test": {"ok": true, "team": "acme"}}),
    after: json!({"POST /auth.test": {"ok": false, "error": "token_revoked"}}),
    acts: &[("POST /auth.revoke", "form", 200)],
    undo: &[],
})]
#[case::slack_message(Case {
    preset: "slack_message", verb: Verb::NotifyOwner, held: None, params: &[("subject", "acme:svc-deploy"), ("alert", "siem/f-1")],
    before: json!({}),
    after: json!({"GET /conversations.history?channel=C024BE91L&oldest=1800000000&limit=100": {"ok": true, "messages": [
        {"type": "message", "text": "Containment of acme:svc-deploy is under way. Alert: siem/f-1. Reference: stanch-1800000000", "ts": "1800000001.000200"},
    ]}}),
    acts: &[("POST /chat.postMessage", r#"{"channel":"C024BE91L","text":"Containment of acme:svc-deploy is under way. Alert: siem/f-1. Reference: stanch-1800000000","unfurl_links":false,"unfurl_media":false}"#, 200)],
    undo: &[],
})]
#[case::slack_report(Case {
    preset: "slack_message", verb: Verb::NotifyOwner, held: None, params: &[
        ("subject", "acme:svc-deploy"), ("alert", "siem/f-1"), ("report", "Incident siem/f-1\n<!channel> & done\n"),
    ],
    before: json!({}),
    after: json!({"GET /conversations.history?channel=C024BE91L&oldest=1800000000&limit=100": {"ok": true, "messages": [
        {"type": "message", "text": "Incident siem/f-1\n&lt;!channel&gt; &amp; done\nReference: stanch-1800000000", "ts": "1800000001.000200"},
    ]}}),
    acts: &[("POST /chat.postMessage", r#"{"channel":"C024BE91L","text":"Incident siem/f-1\n&lt;!channel&gt; &amp; done\nReference: stanch-1800000000","unfurl_links":false,"unfurl_media":false}"#, 200)],
    undo: &[],
})]
#[case::jupyterhub(Case {
    preset: "jupyterhub", verb: Verb::RevokeTokens, held: None, params: &[("user", "svc-notebook")],
    before: json!({"GET /users/svc-notebook/tokens": {"api_tokens": [{"id": "a1"}, {"id": "a2"}]}}),
    after: json!({"GET /users/svc-notebook/tokens": {"api_tokens": []}}),
    acts: &[("DELETE /users/svc-notebook/tokens/a1", "", 204), ("DELETE /users/svc-notebook/tokens/a2", "", 204)],
    undo: &[],
})]
#[case::pagerduty(Case {
    preset: "pagerduty", verb: Verb::OpenTicket, held: None, params: &[("subject", "acme/svc-deploy")],
    before: json!({"GET /incidents?incident_key=stanch-acme-svc-deploy&statuses%5B%5D=triggered&statuses%5B%5D=acknowledged": {"incidents": []}}),
    after: json!({"GET /incidents?incident_key=stanch-acme-svc-deploy&statuses%5B%5D=triggered&statuses%5B%5D=acknowledged": {"incidents": [{"id": "PT4KHLK"}]}}),
    acts: &[("POST /incidents", r#"{"incident":{"type":"incident","title":"Containment of acme/svc-deploy","incident_key":"stanch-acme-svc-deploy","service":{"id":"PIJ90N7","type":"service_reference"},"body":{"type":"incident_body","details":"Alert: "}}}"#, 201)],
    undo: &[],
})]
#[case::kubernetes_bindings(Case {
    preset: "kubernetes", verb: Verb::RestrictPrivilege, held: None, params: &[("namespace", "prod"), ("account", "deploy")],
    before: kubernetes_world(),
    after: json!({"GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=500": {"metadata": {}, "items": []},
        "GET /apis/rbac.authorization.k8s.io/v1/rolebindings?limit=500": {"metadata": {}, "items": []}}),
    acts: &[
        ("PATCH /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/admins", r#"{"metadata":{"resourceVersion":"7"},"subjects":[{"kind":"User","name":"jane","apiGroup":"rbac.authorization.k8s.io"}]}"#, 200),
        ("PATCH /apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings/deployers", r#"{"metadata":{"resourceVersion":"9"},"subjects":[]}"#, 200)],
    undo: &[
        ("PATCH /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/admins", r#"{"subjects":[{"kind":"User","name":"jane","apiGroup":"rbac.authorization.k8s.io"},{"kind":"ServiceAccount","name":"deploy","namespace":"prod"}]}"#),
        ("PATCH /apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings/deployers", r#"{"subjects":[{"kind":"ServiceAccount","name":"deploy","namespace":"prod"}]}"#)],
})]
#[case::kubernetes_token(Case {
    preset: "kubernetes", verb: Verb::DisableCredential, held: Some("token_secret"), params: &[("namespace", "prod"), ("account", "deploy")],
    before: kubernetes_world(),
    after: json!({"GET /api/v1/namespaces/prod/secrets?fieldSelector=type%3Dkubernetes.io%2Fservice-account-token&limit=500": {"metadata": {}, "items": []}}),
    acts: &[("DELETE /api/v1/namespaces/prod/secrets/deploy-token", r#"{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u-1"}}"#, 200)],
    undo: &[],
})]
#[tokio::test]
async fn is_contained_proven_and_taken_back(#[case] case: Case) {
    let server = MockServer::start().await;
    let base = server.uri();
    let before = serde_json::from_str(&case.before.to_string().replace("{base}", &base)).unwrap();
    Mock::given(wiremock::matchers::any())
        .respond_with(Provider {
            before,
            after: case.after.clone(),
            acts: case
                .acts
                .iter()
                .map(|(line, _, status)| ((*line).to_owned(), *status))
                .collect(),
            acted: Arc::default(),
        })
        .mount(&server)
        .await;
    let dir = tempfile::tempdir().unwrap();
    let copy = secret(&dir, "canary-token");
    let mut settings = settings(&base, case.preset);
    settings.params = of_connector(case.preset);
    settings.auth = AuthSettings::Header {
        header: "X-Console".to_owned(),
        prefix: "SSWS ".to_owned(),
        token: SecretRef::File(copy.clone()),
    };
    let connector = Connector::new("c", &settings).unwrap();
    let who = who(&case, &copy);

    let bound = connector
        .bind(
            &who,
            &[case.verb],
            Timestamp::from_second(1_800_000_000).unwrap(),
        )
        .await
        .unwrap();
    let step = &bound.steps[0];
    let wanted: Vec<(String, Value)> = case
        .acts
        .iter()
        .map(|(line, text, _)| ((*line).to_owned(), body(text)))
        .collect();
    assert_eq!(lines(&base, &step.requests), wanted);
    assert!(!format!("{bound:?}").contains("canary"));
    assert!(!step.leaves.is_empty(), "what it does not cut is said");
    for precondition in &bound.preconditions {
        assert_eq!(connector.drift(precondition).await.unwrap(), None);
    }
    let mut verify = step.verify.clone().unwrap();
    verify.deadline_ms = 200;
    verify.interval_ms = 50;
    let told_by_world = case.verb == Verb::DisableCredential;
    if case.preset != "kubernetes" || !told_by_world {
        let early = connector.verify(&verify).await;
        assert_ne!(early.proof, Proof::Agrees, "nothing was done yet");
    }
    let run = connector.run(&step.requests, "k").await;
    assert_eq!((run.outcome, &run.error), (WireOutcome::Accepted, &None));
    assert_eq!(connector.verify(&verify).await.proof, Proof::Agrees);

    let undone: Vec<(String, Value)> = match &step.undo {
        Undo::Requests { requests, .. } => lines(&base, requests),
        Undo::Irreversible { .. } | Undo::NothingToUndo => Vec::new(),
    };
    let wanted: Vec<(String, Value)> = case
        .undo
        .iter()
        .map(|(line, text)| ((*line).to_owned(), body(text)))
        .collect();
    assert_eq!(undone, wanted);
    let requests = server.received_requests().await.unwrap();
    assert!(
        requests
            .iter()
            .all(|r| r.headers["x-console"] == "SSWS canary-token")
    );
}

/// What stands in the API is no proof where something else enforces it.
#[rstest]
#[case("kubernetes", Verb::BlockNetwork, &[("namespace", "prod"), ("account", "deploy"), ("app_label", "shop")], "network plugin enforces")]
#[case("github_exposed", Verb::RevokeTokens, &[("token_name", "t")], "revokes later")]
#[case("webhook", Verb::OpenTicket, &[("subject", "svc-deploy")], "shows none")]
#[case("webhook", Verb::NotifyOwner, &[("subject", "svc-deploy")], "only its receiver knows")]
#[case("okta_user", Verb::RevokeSessions, &[("user_id", "00ub0oNGTSWTBKOLGLNR")], "System Log")]
#[tokio::test]
async fn what_cannot_be_proven_is_only_requested(
    #[case] preset: &str,
    #[case] verb: Verb,
    #[case] params: &[(&str, &str)],
    #[case] says: &str,
) {
    let dir = tempfile::tempdir().unwrap();
    let copy = secret(&dir, "canary-token");
    let mut settings = settings("http://127.0.0.1:1", preset);
    settings.params = of_connector(preset);
    let connector = Connector::new("c", &settings).unwrap();
    let mut who = identity("x");
    who.params = params
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    who.credentials.push(Credential {
        id: Untrusted::new("copy"),
        kind: Untrusted::new("github_token"),
        secret_ref: Some(format!("file:{}", copy.display())),
        ..Credential::default()
    });
    let bound = connector
        .bind(&who, &[verb], Timestamp::now())
        .await
        .unwrap();
    assert_eq!(bound.steps[0].verify, None);
    assert!(
        bound.residual().iter().any(|r| r.text.contains(says)),
        "{:?}",
        bound.residual()
    );
    assert!(!format!("{bound:?}").contains("canary"));
}

#[rstest]
#[case("gitlab_token", &[("token_id", "321")], json!({"GET /api/v4/personal_access_tokens/self": {"id": 321}, "GET /api/v4/personal_access_tokens/321": {"revoked": false, "user_id": 9}}))]
#[case("vault", &[("role_name", "ci"), ("entity_id", "11111111-2222-3333-4444-555555555555")],
    json!({"GET /v1/auth/token/lookup-self": {"data": {"entity_id": "11111111-2222-3333-4444-555555555555"}}, "GET /v1/auth/approle/role/ci/secret-id?list=true": 404}))]
#[tokio::test]
async fn the_console_spares_itself(
    #[case] preset: &str,
    #[case] params: &[(&str, &str)],
    #[case] before: Value,
) {
    let server = MockServer::start().await;
    let provider = Provider {
        before,
        after: json!({}),
        acts: Vec::new(),
        acted: Arc::default(),
    };
    Mock::given(wiremock::matchers::any())
        .respond_with(provider)
        .mount(&server)
        .await;
    let connector = Connector::new("c", &settings(&server.uri(), preset)).unwrap();
    let mut who = identity("x");
    who.params = params
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let error = connector
        .bind(&who, &[Verb::DisableCredential], Timestamp::now())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the console's own"), "{error}");
}
