//! What `doctor` finds out, and that it changes nothing.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::Connector;
use super::examine::Found;
use super::testing::settings;
use crate::app::settings::{AuthSettings, SecretRef};
use crate::domain::vocabulary::Verb;

async fn broker(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/api/whoami"))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    server
}

#[rstest]
#[case::may(200, json!({"tags": ["administrator"]}), Some(true))]
#[case::may_not(200, json!({"tags": ["monitoring"]}), Some(false))]
#[case::is_refused(401, json!({}), Some(false))]
#[case::is_broken(500, json!({}), None)]
#[tokio::test]
async fn permissions_decide_what_is_possible(
    #[case] status: u16,
    #[case] body: Value,
    #[case] possible: Option<bool>,
) {
    let server = broker(status, body).await;
    let connector = Connector::new("c", &settings(&server.uri(), "rabbitmq")).unwrap();
    let found = connector.examine().await;
    assert_eq!(
        (&found.secrets, &found.reachable),
        (&Found::Yes, &Found::Yes)
    );
    assert_eq!(found.actions.len(), connector.actions().len());
    let told = match &found.actions[&Verb::RevokeSessions] {
        Found::Yes => Some(true),
        Found::No(_) => Some(false),
        Found::Unknown(_) => None,
    };
    assert_eq!(told, possible);
    assert_eq!(found.is_good(), possible == Some(true));
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|r| r.method == "GET"));
}

#[tokio::test]
async fn what_cannot_be_reached_or_read_is_named_without_secrets() {
    let mut settings = settings("http://127.0.0.1:1", "rabbitmq");
    let found = Connector::new("c", &settings).unwrap().examine().await;
    assert!(
        matches!(&found.reachable, Found::No(why) if why.contains("cannot be reached")),
        "{found:?}"
    );
    assert!(found.actions.values().all(|f| matches!(f, Found::No(_))));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s");
    std::fs::write(&file, "hunter2").unwrap();
    settings.auth = AuthSettings::Basic {
        username: "soc".to_owned(),
        password: SecretRef::File(file),
    };
    let found = Connector::new("c", &settings).unwrap().examine().await;
    assert!(
        matches!(&found.secrets, Found::No(why) if why.contains("chmod 600")),
        "{found:?}"
    );
    assert!(!format!("{found:?}").contains("hunter2"));
}
