//! RFC 7009 and RFC 7662 against a certified server: a 200 is not proof.

use serde_json::Value;
use stanch::connect::Connector;
use stanch::domain::coverage::{CellState, Proof, WireOutcome, cell};
use stanch::domain::vocabulary::{Layer, Verb};

use super::server::{self, Secrets};

const PATHS: &[(&str, &str)] = &[
    ("introspection_path", "/token/introspection"),
    ("revocation_path", "/token/revocation"),
];

pub async fn token(url: &str) -> String {
    let answer: Value = server::client()
        .post(format!("{url}/token"))
        .basic_auth(
            "svc-deployer",
            Some("svc-deployer-live-secret-0123456789abcdef"),
        )
        .form(&[
            ("grant_type", "client_credentials"),
            ("scope", "deploy:write"),
        ])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

fn basic(url: &str, secrets: &Secrets) -> Connector {
    let mut settings = stanch::app::settings::ConnectorSettings {
        preset: Some("oauth".to_owned()),
        file: None,
        base_url: url.to_owned(),
        params: PATHS
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        auth: stanch::app::settings::AuthSettings::None,
        ca_file: None,
        timeout_s: 20,
    };
    settings.auth = stanch::app::settings::AuthSettings::Basic {
        username: "soc-console".to_owned(),
        password: stanch::app::settings::SecretRef::File(
            secrets.put("console", "soc-console-live-secret-0123456789abcdef"),
        ),
    };
    Connector::new("live", &settings).unwrap()
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_foreign_revocation_answers_200_and_is_not_proven() {
    let url = server::start(
        "oidc.sh",
        &[("STANCH_OIDC_PORT", "28091"), ("REVOCATION", "silent")],
    )["url"]
        .clone();
    let secrets = Secrets::new();
    let connector = basic(&url, &secrets);
    let stolen = token(&url).await;
    let identity = server::identity("svc-deployer", Some(&secrets.put("token", &stolen)));

    let context = connector.read_context(&identity).await;
    assert!(
        context.context.unknown.is_empty(),
        "{:?}",
        context.context.unknown
    );
    assert_eq!(context.context.sessions.len(), 1);
    assert_eq!(context.context.scopes[0].name.raw(), "deploy:write");

    let bound = connector
        .bind(&identity, &[Verb::RevokeTokens], jiff::Timestamp::now())
        .await
        .unwrap();
    assert!(!format!("{bound:?}").contains(&stolen));
    assert_eq!(bound.preconditions[0].expected, Value::Bool(true));
    assert!(
        bound
            .residual()
            .iter()
            .any(|r| r.layer == Layer::Tokens
                && r.at_most_s.is_some_and(|s| (500..=600).contains(&s)))
    );
    let step = &bound.steps[0];
    let run = connector.run(&step.requests, "k").await;
    assert_eq!(
        (run.outcome, run.http_status),
        (WireOutcome::Accepted, Some(200))
    );
    let verified = connector.verify(step.verify.as_ref().unwrap()).await;
    assert_eq!(verified.proof, Proof::Disagrees);
    assert_eq!(cell(run.outcome, Some(verified.proof)), CellState::Failed);
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_permitted_revocation_is_proven_and_a_second_one_says_what_it_cannot() {
    let environment = [("STANCH_OIDC_PORT", "28092"), ("REVOCATION", "console")];
    let url = server::start("oidc.sh", &environment)["url"].clone();
    let secrets = Secrets::new();
    let connector = basic(&url, &secrets);
    let stolen = token(&url).await;
    let identity = server::identity("svc-deployer", Some(&secrets.put("token", &stolen)));

    let (bound, _) = server::contain(&connector, &identity, Verb::RevokeTokens).await;
    assert!(
        connector
            .drift(&bound.preconditions[0])
            .await
            .unwrap()
            .is_some(),
        "the plan is used up"
    );

    let again = connector
        .bind(&identity, &[Verb::RevokeTokens], jiff::Timestamp::now())
        .await
        .unwrap();
    assert_eq!(again.steps[0].verify, None);
    assert!(
        again
            .residual()
            .iter()
            .any(|r| r.text.contains("inactive before")),
        "{:?}",
        again.residual()
    );

    let other = server::identity(
        "svc-deployer",
        Some(&secrets.put("other", &token(&url).await)),
    );
    server::contain(&connector, &other, Verb::RevokeTokens).await;
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_refused_revocation_is_rejected_and_fails() {
    let environment = [("STANCH_OIDC_PORT", "28093"), ("REVOCATION", "strict")];
    let url = server::start("oidc.sh", &environment)["url"].clone();
    let secrets = Secrets::new();
    let connector = basic(&url, &secrets);
    let identity = server::identity(
        "svc-deployer",
        Some(&secrets.put("token", &token(&url).await)),
    );
    let bound = connector
        .bind(&identity, &[Verb::RevokeTokens], jiff::Timestamp::now())
        .await
        .unwrap();
    let run = connector.run(&bound.steps[0].requests, "k").await;
    assert_eq!(
        (run.outcome, run.http_status),
        (WireOutcome::Rejected, Some(400))
    );
    let verified = connector
        .verify(bound.steps[0].verify.as_ref().unwrap())
        .await;
    assert_eq!(cell(run.outcome, Some(verified.proof)), CellState::Failed);
}
