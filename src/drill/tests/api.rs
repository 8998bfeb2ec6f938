//! The lab's HTTP surface: the contract connectors are written against, and what hostile requests get.

use super::*;

async fn send(bench: &Bench, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    assert!(!status.is_server_error(), "{status}");
    // Whatever was sent, the lab still answers.
    assert_eq!(bench.get("clients").await.as_array().unwrap().len(), 5);
    (status, answer.json().await.unwrap_or(Value::Null))
}

fn secret_of(bench: &Bench, client_id: &str) -> String {
    let state: Value = serde_json::from_str(&bench.file("lab.json")).unwrap();
    let clients = state["clients"].as_array().unwrap();
    let client = clients
        .iter()
        .find(|c| c["client_id"] == client_id)
        .unwrap();
    client["secret"].as_str().unwrap().to_owned()
}

fn post(bench: &Bench, path: &str) -> reqwest::RequestBuilder {
    bench.http.post(format!("{}/{path}", bench.lab.base_url()))
}

async fn mint(bench: &Bench) -> String {
    let secret = secret_of(bench, "svc-deploy");
    let request = post(bench, "oauth/token")
        .basic_auth("svc-deploy", Some(secret))
        .form(&[("grant_type", "client_credentials")]);
    let (status, answer) = send(bench, request).await;
    assert_eq!(
        (status, &answer["token_type"]),
        (StatusCode::OK, &json!("Bearer"))
    );
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn active(bench: &Bench, token: &str) -> bool {
    let request = post(bench, "oauth/introspect")
        .bearer_auth(bench.file("console-token"))
        .form(&[("token", token)]);
    send(bench, request).await.1["active"].as_bool().unwrap()
}

#[tokio::test]
async fn a_client_reads_as_connectors_expect() {
    let bench = Bench::start(false).await;
    let id = bench.id("svc-deploy").await;
    mint(&bench).await;
    let client = bench.get(&format!("clients/{id}")).await;
    assert_eq!(client, bench.get("clients?client_id=svc-deploy").await[0]);
    assert_eq!(
        (&client["enabled"], &client["created_by"]),
        (&json!(true), &Value::Null)
    );
    assert!(
        client["secret_fingerprint"]
            .as_str()
            .unwrap()
            .starts_with("SHA256:")
    );
    assert!(client["owner"]["on_call"].as_str().unwrap().contains("+44"));
    let sessions = bench.get(&format!("clients/{id}/sessions")).await;
    assert_eq!(
        (&sessions[0]["kind"], &sessions[0]["minted_with"]),
        (&json!("access_token"), &json!("client_secret"))
    );
    assert!(
        sessions[0]["expires"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    let roles = bench.get(&format!("clients/{id}/roles")).await;
    assert_eq!(
        (&roles[2]["name"], &roles[2]["privileged"]),
        (&json!("secrets.read"), &json!(true))
    );
    let keys = bench.get(&format!("clients/{id}/credentials")).await;
    assert_eq!(
        (&keys[0]["id"], &keys[0]["enabled"]),
        (&json!("dk-7f3a"), &json!(true))
    );
    assert_eq!(
        bench.get(&format!("clients/{id}/children")).await,
        json!([])
    );
}

#[tokio::test]
async fn cuts_read_back_and_can_be_undone() {
    let bench = Bench::start(false).await;
    let id = bench.id("svc-deploy").await;
    let token = mint(&bench).await;
    assert!(active(&bench, &token).await);

    bench.cut("client").await;
    assert_eq!(bench.get(&format!("clients/{id}")).await["enabled"], false);
    assert!(!active(&bench, &token).await);
    bench.cut("undo client").await;
    assert!(active(&bench, &token).await);

    bench.cut("roles").await;
    let names = |roles: Value| -> Vec<Value> {
        roles
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["name"].clone())
            .collect()
    };
    let roles = bench.get(&format!("clients/{id}/roles")).await;
    assert_eq!(names(roles.clone()), ["deploy", "artifacts.read"]);
    assert_eq!(roles[0]["granted_by"], "platform-terraform");

    let (status, rotated) = bench
        .admin(Method::POST, &format!("clients/{id}/rotate-secret"), None)
        .await;
    assert_eq!(
        (status, &rotated["secret_version"]),
        (StatusCode::OK, &json!(2))
    );
    assert_eq!(rotated["secret"], secret_of(&bench, "svc-deploy"));

    let session = bench.get(&format!("clients/{id}/sessions")).await[0]["id"].clone();
    let path = format!("sessions/{}", session.as_str().unwrap());
    assert_eq!(
        bench.admin(Method::DELETE, &path, None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        bench.admin(Method::DELETE, &path, None).await.0,
        StatusCode::NOT_FOUND
    );
    assert!(!active(&bench, &token).await);

    let again = mint(&bench).await;
    bench.cut("sessions").await;
    assert!(!active(&bench, &again).await);
    assert!(bench.get(&format!("clients/{id}")).await["not_before"].is_string());
}

#[tokio::test]
async fn revocation_answers_200_and_reaches_only_the_askers_own() {
    let bench = Bench::start(false).await;
    let token = mint(&bench).await;
    let revoke = |client: &'static str, token: &str| {
        post(&bench, "oauth/revoke")
            .basic_auth(client, Some(secret_of(&bench, client)))
            .form(&[("token", token.to_owned())])
    };
    for (client, of, stays) in [
        ("svc-reporting", token.as_str(), true),
        ("svc-deploy", "never-issued", true),
        ("svc-deploy", token.as_str(), false),
    ] {
        assert_eq!(send(&bench, revoke(client, of)).await.0, StatusCode::OK);
        assert_eq!(active(&bench, &token).await, stays, "{client}");
    }
    let anonymous = post(&bench, "oauth/revoke").form(&[("token", token)]);
    assert_eq!(send(&bench, anonymous).await.0, StatusCode::UNAUTHORIZED);
}

#[rstest]
#[case::no_token(None)]
#[case::wrong_token(Some("Bearer wrong"))]
#[case::basic(Some("Basic Y29uc29sZTp4"))]
#[case::not_base64(Some("Basic %%%"))]
#[case::no_colon(Some("Basic YWJj"))]
#[case::empty(Some("Bearer "))]
#[case::nothing(Some(""))]
#[tokio::test]
async fn only_the_console_gets_in(#[case] header: Option<&str>) {
    let bench = Bench::start(false).await;
    for (method, path) in [
        (Method::GET, "admin/clients"),
        (Method::POST, "admin/credentials/dk-7f3a/disable"),
        (Method::PUT, "admin/clients/x/roles"),
    ] {
        let mut request = bench
            .http
            .request(method, format!("{}/{path}", bench.lab.base_url()));
        if let Some(header) = header {
            request = request.header("Authorization", header);
        }
        let (status, answer) = send(&bench, request).await;
        assert_eq!(
            (status, &answer["error"]),
            (StatusCode::UNAUTHORIZED, &json!("invalid_token"))
        );
    }
}

#[rstest]
#[case(Method::GET, "clients/unknown", "", 404)]
#[case(Method::POST, "clients/unknown/disable", "", 404)]
#[case(Method::POST, "clients/%00%ff/disable", "", 400)]
#[case(Method::DELETE, "sessions/..%2f..%2fetc", "", 404)]
#[case(Method::DELETE, "clients/unknown/sessions", "", 404)]
#[case(Method::POST, "credentials/unknown/disable", "", 404)]
#[case(Method::PATCH, "clients/unknown", "", 405)]
#[case(Method::GET, "nowhere", "", 404)]
#[case(Method::GET, "clients?client_id=a&client_id=b", "", 400)]
#[case(Method::PUT, "clients/ID/roles", "", 400)]
#[case(Method::PUT, "clients/ID/roles", "{", 400)]
#[case(Method::PUT, "clients/ID/roles", "[]", 400)]
#[case(Method::PUT, "clients/ID/roles", r#"{"roles":"deploy"}"#, 400)]
#[case(Method::PUT, "clients/ID/roles", r#"{"roles":["no-such"]}"#, 400)]
#[case(Method::PUT, "clients/ID/roles", r#"{"roles":[],"more":1}"#, 400)]
#[tokio::test]
async fn nonsense_from_the_console_is_named(
    #[case] method: Method,
    #[case] path: &str,
    #[case] body: &str,
    #[case] want: u16,
) {
    let bench = Bench::start(false).await;
    let path = path.replace("ID", &bench.id("svc-deploy").await);
    let request = bench
        .http
        .request(method, format!("{}/admin/{path}", bench.lab.base_url()))
        .bearer_auth(bench.file("console-token"))
        .body(body.to_owned());
    let (status, answer) = send(&bench, request).await;
    assert_eq!(status.as_u16(), want, "{answer}");
    assert!(
        answer["error"].is_string() && answer["error_description"].is_string(),
        "{answer}"
    );
}

#[rstest]
#[case("oauth/token", "", "invalid_client")]
#[case("oauth/token", "grant_type=password", "unsupported_grant_type")]
#[case("oauth/token", "deploy_key=wrong", "invalid_client")]
#[case("oauth/token", "deploy_key=a&deploy_key=b", "invalid_request")]
#[case(
    "oauth/token",
    "client_id=svc-deploy&client_secret=wrong",
    "invalid_client"
)]
#[case("oauth/token", "%ff=%zz&&&==&%", "invalid_client")]
#[case("oauth/introspect", "token=x", "invalid_client")]
#[case("roles", "{}", "invalid_token")]
#[case("clients", "{}", "invalid_token")]
#[tokio::test]
async fn nonsense_from_clients_is_named(
    #[case] path: &str,
    #[case] body: &'static str,
    #[case] want: &str,
) {
    let bench = Bench::start(false).await;
    let (status, answer) = send(&bench, post(&bench, path).body(body)).await;
    assert!(status.is_client_error());
    assert_eq!(answer["error"], want);
    let large = post(&bench, path).body("x".repeat(1 << 20));
    assert_eq!(send(&bench, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[rstest]
#[case("roles", json!({"role": "payments.write"}), 403)]
#[case("roles", json!({"role": "no-such"}), 404)]
#[case("roles", json!({"role": 5}), 400)]
#[case("roles", json!({"role": "role-admin"}), 204)]
#[case("clients", json!({"client_id": "mine"}), 403)]
#[tokio::test]
async fn self_service_keeps_to_its_rules(
    #[case] path: &str,
    #[case] body: Value,
    #[case] want: u16,
) {
    let bench = Bench::start(false).await;
    let token = mint(&bench).await;
    let (status, answer) = send(&bench, post(&bench, path).bearer_auth(token).json(&body)).await;
    assert_eq!(status.as_u16(), want, "{answer}");
}

/// A client that a client made is as good as its maker's role, and asks for nothing odd.
#[tokio::test]
async fn a_planted_client_lives_and_dies_with_its_makers_role() {
    let bench = Bench::start(false).await;
    let token = mint(&bench).await;
    let call = |path: &str, body: Value| post(&bench, path).bearer_auth(&token).json(&body).send();
    assert_eq!(
        call("roles", json!({"role": "role-admin"}))
            .await
            .unwrap()
            .status(),
        StatusCode::NO_CONTENT
    );
    for odd in ["", "a/b", "a b", "\u{202e}x", &"x".repeat(49)] {
        let answer = call("clients", json!({"client_id": odd})).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{odd:?}");
    }
    let made = call(
        "clients",
        json!({"client_id": "planted", "roles": ["secrets.read"]}),
    )
    .await
    .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    let login = || {
        post(&bench, "oauth/token")
            .basic_auth("planted", made["client_secret"].as_str())
            .form(&[("grant_type", "client_credentials")])
            .send()
    };
    assert_eq!(login().await.unwrap().status(), StatusCode::OK);
    let children = format!("clients/{}/children", bench.id("svc-deploy").await);
    assert_eq!(bench.get(&children).await[0]["enabled"], true);
    bench.cut("roles").await;
    assert_eq!(bench.get(&children).await[0]["enabled"], false);
    assert_eq!(login().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn secrets_need_their_role_and_a_live_token() {
    let bench = Bench::start(false).await;
    let token = mint(&bench).await;
    let read = |name: &str, token: &str| {
        let url = format!("{}/secrets/{name}", bench.lab.base_url());
        bench.http.get(url).bearer_auth(token).send()
    };
    for name in ["prod/payments-db", "prod%2Fpayments-db"] {
        assert_eq!(read(name, &token).await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(
        read("no/such", &token).await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        read("prod/payments-db", "wrong").await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    bench.cut("roles").await;
    assert_eq!(
        read("prod/payments-db", &token).await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    // Nothing of this came from where an intruder would be.
    assert_eq!(bench.file("alerts.jsonl"), "");
}
