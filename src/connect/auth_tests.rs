//! How the console proves who it is, against providers that look at it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::Connector;
use super::testing::{good, identity};
use crate::app::settings::{AuthSettings, SecretRef};

fn put(dir: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = dir.join(name);
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// A provider with a token endpoint and one client.
async fn provider(token: Value, status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(status).set_body_json(token))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/clients"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([{"id": "c1"}])))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/clients/c1"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"enabled": true, "note": "n"})),
        )
        .mount(&server)
        .await;
    server
}

/// Reads the card and returns what the provider got.
async fn ask(server: &MockServer, dir: &Path, auth: AuthSettings) -> Vec<Request> {
    let mut settings = good(&server.uri(), dir);
    settings.auth = auth;
    let connector = Connector::new("c", &settings).unwrap();
    let read = connector.read_context(&identity("svc")).await;
    assert_eq!(read.context.unknown, []);
    server.received_requests().await.unwrap()
}

fn form(request: &Request) -> std::collections::BTreeMap<String, String> {
    url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect()
}

/// Checks a signed assertion and returns its claims.
fn claims(token: &str, key: &rcgen::KeyPair) -> Value {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key_raw());
    public
        .verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let body = text.split_once('.').unwrap().1;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

fn key() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

#[tokio::test]
async fn a_header_of_its_own_with_a_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let server = provider(json!({}), 200).await;
    let token = SecretRef::File(put(dir.path(), "t", "canary-1\n"));
    let auth = AuthSettings::Header {
        header: "Authorization".to_owned(),
        prefix: "SSWS ".to_owned(),
        token,
    };
    let requests = ask(&server, dir.path(), auth).await;
    assert!(
        requests
            .iter()
            .all(|r| r.headers["authorization"] == "SSWS canary-1")
    );
}

#[tokio::test]
async fn an_assertion_instead_of_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let server = provider(json!({"access_token": "t1", "expires_in": 300}), 200).await;
    let key = key();
    let auth = AuthSettings::PrivateKeyJwt {
        token_url: Some("/token".to_owned()),
        client_id: "console".to_owned(),
        key: SecretRef::File(put(dir.path(), "k", &key.serialize_pem())),
        key_id: Some("k1".to_owned()),
        scope: Some("apps.manage".to_owned()),
    };
    let requests = ask(&server, dir.path(), auth).await;
    let form = form(&requests[0]);
    assert_eq!(
        (form["grant_type"].as_str(), form["scope"].as_str()),
        ("client_credentials", "apps.manage")
    );
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let claims = claims(&form["client_assertion"], &key);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("console"), &json!("console"))
    );
    assert_eq!(claims["aud"], json!(format!("{}/token", server.uri())));
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 300);
    assert!(
        requests[1..]
            .iter()
            .all(|r| r.headers["authorization"] == "Bearer t1")
    );
    assert_eq!(
        requests.iter().filter(|r| r.method == "POST").count(),
        1,
        "one token for all"
    );
}

#[tokio::test]
async fn a_google_key_file_and_a_token_of_an_app_installation() {
    let dir = tempfile::tempdir().unwrap();
    let key = key();
    let server = provider(json!({"access_token": "g1", "expires_in": 3600}), 200).await;
    let file = json!({"type": "service_account", "client_email": "soc@p.iam.gserviceaccount.com", "private_key_id": "k9",
        "private_key": key.serialize_pem(), "token_uri": "https://evil.example/token"});
    let auth = AuthSettings::GoogleServiceAccount {
        key: SecretRef::File(put(dir.path(), "g", &file.to_string())),
        token_url: format!("{}/token", server.uri()),
        scope: "cloud".to_owned(),
    };
    let requests = ask(&server, dir.path(), auth).await;
    let sent = form(&requests[0]);
    assert_eq!(
        sent["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let told = claims(&sent["assertion"], &key);
    assert_eq!(
        (&told["iss"], &told["scope"]),
        (&json!("soc@p.iam.gserviceaccount.com"), &json!("cloud"))
    );
    assert!(
        requests[1..]
            .iter()
            .all(|r| r.headers["authorization"] == "Bearer g1")
    );

    let server = provider(
        json!({"token": "i1", "expires_at": "2099-01-01T00:00:00Z"}),
        201,
    )
    .await;
    let pem = SecretRef::File(put(dir.path(), "a", &key.serialize_pem()));
    let app = |installation_id: Option<&str>| AuthSettings::GithubApp {
        app_id: "123".to_owned(),
        key: pem.clone(),
        installation_id: installation_id.map(str::to_owned),
    };
    let requests = ask(&server, dir.path(), app(Some("77"))).await;
    assert_eq!(
        requests[0].url.path(),
        "/app/installations/77/access_tokens"
    );
    let own = requests[0].headers["authorization"].to_str().unwrap();
    let told = claims(own.strip_prefix("Bearer ").unwrap(), &key);
    assert_eq!(told["iss"], json!("123"));
    assert!(
        requests[1..]
            .iter()
            .all(|r| r.headers["authorization"] == "Bearer i1")
    );

    let server = provider(json!({}), 500).await;
    let requests = ask(&server, dir.path(), app(None)).await;
    let own = requests[0].headers["authorization"].to_str().unwrap();
    assert_eq!(
        claims(own.strip_prefix("Bearer ").unwrap(), &key)["iss"],
        json!("123")
    );
    assert!(
        requests.iter().all(|r| r.method == "GET"),
        "as the app itself no token is asked for"
    );
}

#[tokio::test]
async fn a_mounted_token_is_read_anew_and_may_be_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let server = provider(json!({}), 200).await;
    std::fs::write(dir.path().join("v1"), "first\n").unwrap();
    let link = dir.path().join("token");
    std::os::unix::fs::symlink(dir.path().join("v1"), &link).unwrap();
    let mut settings = good(&server.uri(), dir.path());
    settings.auth = AuthSettings::KubernetesServiceAccount {
        token_file: link.clone(),
    };
    let connector = Connector::new("c", &settings).unwrap();
    connector.read_context(&identity("svc")).await;
    std::fs::write(dir.path().join("v1"), "second\n").unwrap();
    connector.read_context(&identity("svc")).await;
    let requests = server.received_requests().await.unwrap();
    let shown: Vec<&str> = requests
        .iter()
        .map(|r| r.headers["authorization"].to_str().unwrap())
        .collect();
    assert_eq!(
        shown,
        [
            "Bearer first",
            "Bearer first",
            "Bearer second",
            "Bearer second"
        ]
    );
}

#[tokio::test]
async fn a_signature_covers_what_is_sent_and_a_session_token_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = provider(json!({}), 200).await;
    let file = dir.path().join("aws.toml");
    let text = super::testing::GOOD.replace(
        "never_self = \"client_id\"",
        "never_self = \"client_id\"\nauth = { aws_service = \"iam\" }",
    );
    std::fs::write(&file, text).unwrap();
    let mut settings = good(&server.uri(), dir.path());
    settings.file = Some(file);
    settings.auth = AuthSettings::AwsSigv4 {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: SecretRef::File(put(dir.path(), "s", "canary-secret")),
        session_token: Some(SecretRef::File(put(dir.path(), "t", "session-1"))),
        region: "us-east-1".to_owned(),
    };
    let connector = Connector::new("c", &settings).unwrap();
    let read = connector.read_context(&identity("svc")).await;
    assert_eq!(read.context.unknown, []);
    for request in server.received_requests().await.unwrap() {
        let shown = request.headers["authorization"].to_str().unwrap();
        assert!(
            shown.starts_with("AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/"),
            "{shown}"
        );
        assert!(
            shown.contains(
                "/us-east-1/iam/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token"
            ),
            "{shown}"
        );
        assert_eq!(request.headers["x-amz-security-token"], "session-1");
    }
}

#[tokio::test]
async fn what_cannot_work_is_said_when_it_is_loaded_or_asked() {
    let dir = tempfile::tempdir().unwrap();
    let server = provider(json!({}), 200).await;
    let mut settings = good(&server.uri(), dir.path());
    settings.auth = AuthSettings::AwsSigv4 {
        access_key_id: "AKIA".to_owned(),
        secret_access_key: SecretRef::Env("X".to_owned()),
        session_token: None,
        region: "r".to_owned(),
    };
    let error = Connector::new("c", &settings).unwrap_err().to_string();
    assert!(error.contains("aws_service"), "{error}");
    settings.auth = AuthSettings::PrivateKeyJwt {
        token_url: Some("https://elsewhere.example/token".to_owned()),
        client_id: "c".to_owned(),
        key: SecretRef::File(put(dir.path(), "k", "hunter2")),
        key_id: None,
        scope: None,
    };
    let error = Connector::new("c", &settings).unwrap_err().to_string();
    assert!(error.contains("another host"), "{error}");
    if let AuthSettings::PrivateKeyJwt { token_url, .. } = &mut settings.auth {
        *token_url = Some("/token".to_owned());
    }
    let read = Connector::new("c", &settings)
        .unwrap()
        .read_context(&identity("svc"))
        .await;
    let why = format!("{:?}", read.context.unknown);
    assert!(
        why.contains("private key") && !why.contains("hunter2"),
        "{why}"
    );
}
