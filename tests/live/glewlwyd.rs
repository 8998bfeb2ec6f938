//! Containment of a client of Glewlwyd: turning a client off stops new tokens and ends none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::console::{contain, is_whole, plan, states};
use super::desk::Desk;
use super::server::{self, Secrets};

struct Provider(BTreeMap<String, String>);

impl Provider {
    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let answer = server::client()
            .post(format!("{}/api/oidc/{path}", self.0["url"]))
            .basic_auth(&self.0["client"], Some(&self.0["secret"]))
            .form(fields)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn log_in(&self) -> (u16, Value) {
        let fields = [("grant_type", "client_credentials"), ("scope", "deploy")];
        self.ask("token", &fields).await
    }

    async fn active(&self, token: &str) -> (u16, Value) {
        let (status, answer) = self.ask("introspect", &[("token", token)]).await;
        (status, answer["active"].clone())
    }

    async fn client(&self) -> Value {
        let url = format!("{}/api/client/{}", self.0["url"], self.0["client"]);
        let key = format!("token {}", self.0["key"]);
        let asked = server::client().get(url).header("authorization", key);
        asked.send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_client_that_is_off_gets_no_token_and_keeps_those_that_it_has() {
    let provider = Provider(server::start("glewlwyd.sh", &[]));
    let (status, answer) = provider.log_in().await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(provider.active(&token).await, (200, true.into()));
    let before = provider.client().await;

    let secrets = Secrets::new();
    let connector = format!(
        "[connector.live]\npreset = 'glewlwyd'\nbase_url = '{}'\ntimeout_s = 20\n\
         auth = {{ kind = 'header', header = 'Authorization', prefix = 'token ', token = 'file:{}' }}\n",
        provider.0["url"],
        secrets.put("console", &provider.0["key"]).display()
    );
    let card = "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'oauth_client'\n\
        technical_owner = 'Platform team'\nconnector = 'live'\nparams = { client_id = 'svc-deployer' }\n";
    let desk = Desk::configured(&connector, card);
    desk.alert(&server::misused("f-1", "svc-deployer"));
    let told = desk.run(&["doctor"]).ends(0).out;
    assert!(
        told.contains("possible: disable_identity, restrict_privilege"),
        "{told}"
    );

    let (digest, planned) = plan(&desk, "isolate-identity");
    assert!(
        planned
            .to_string()
            .contains("tokens that it has stay good until they expire")
    );
    assert_eq!(provider.log_in().await.0, 200, "a plan changes nothing");
    let done = contain(&desk, &digest).ends(0);
    assert_eq!(
        states(&done),
        ["proven", "proven", "handed_off", "handed_off"]
    );
    let refused = provider.log_in().await.0;
    assert!((400..500).contains(&refused), "{refused}");
    assert_eq!(provider.client().await["enabled"], false);
    desk.run(&["alert", "close", "f-1"])
        .ends(4)
        .tells(&["tokens of svc-deployer"]);

    desk.run(&["undo", &digest, "2"]).ends(0);
    // All of it came back, and so did what it holds: the token was never ended.
    assert_eq!(provider.client().await, before);
    assert_eq!(provider.log_in().await.0, 200);
    assert_eq!(provider.active(&token).await, (200, true.into()));

    let connector = stanch::connect::Connector::new(
        "live",
        &stanch::app::settings::ConnectorSettings {
            preset: Some("glewlwyd".to_owned()),
            file: None,
            base_url: provider.0["url"].clone(),
            params: BTreeMap::new(),
            auth: stanch::app::settings::AuthSettings::Header {
                header: "Authorization".to_owned(),
                prefix: "token ".to_owned(),
                token: stanch::app::settings::SecretRef::File(
                    secrets.put("console", &provider.0["key"]),
                ),
            },
            ca_file: None,
            timeout_s: 20,
        },
    )
    .unwrap();
    let identity = server::identity("svc-deployer", None);
    let read = connector.read_context(&identity).await;
    assert_eq!(read.context.unknown, []);
    let verb = stanch::domain::vocabulary::Verb::RestrictPrivilege;
    let (bound, _) = server::contain(&connector, &identity, verb).await;
    assert_eq!(provider.client().await["scope"], serde_json::json!([]));
    server::undo(&connector, &bound).await;
    assert_eq!(provider.log_in().await.0, 200);
    is_whole(&desk, &[&provider.0["key"], &provider.0["secret"], &token]);
}
