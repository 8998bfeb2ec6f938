//! A real Alertmanager as a source, by webhook and by poll: an alert that it is given ends up stored.

use serde_json::{Value, json};

use super::desk::Desk;
use super::served::{Served, free_address, secret};
use super::server;

const PASSWORD: &str = "am-live-password-0123";
const WEBHOOK: &str = "am-live-webhook-0123";

struct Alertmanager {
    url: String,
}

impl Alertmanager {
    fn start(port: &str, webhook: &str) -> Self {
        let environment = [("STANCH_AM_PORT", port), ("STANCH_WEBHOOK", webhook)];
        let url = server::start("alertmanager.sh", &environment)["url"].clone();
        Self { url }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = server::client().post(format!("{}{path}", self.url));
        let answer = request
            .basic_auth("soc", Some(PASSWORD))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap_or(Value::Null)
    }

    async fn fire(&self, name: &str, identity: &str) {
        self.tell(name, identity, "2999-01-01T00:00:00Z").await;
    }

    /// Ends an alert as Prometheus does once its rule does not hold any more.
    async fn end(&self, name: &str, identity: &str) {
        let now = jiff::Timestamp::now().to_string();
        self.tell(name, identity, &now).await;
    }

    async fn tell(&self, name: &str, identity: &str, ends_at: &str) {
        let alert = json!([{
            "labels": {"alertname": name, "severity": "critical", "service_account": identity},
            "annotations": {"summary": format!("token of {identity} used from a new network")},
            "generatorURL": "http://127.0.0.1/graph",
            "endsAt": ends_at,
        }]);
        self.post("/api/v2/alerts", alert).await;
    }
}

fn desk(sources: &str, address: &str) -> Desk {
    let desk = Desk::new();
    let text = format!("[receiver]\nlisten = '{address}'\n\n{sources}");
    desk.write("config.toml", &text);
    desk
}

/// Returns the stored alerts of a source by title, with their counts.
fn stored(desk: &Desk, source: &str) -> Vec<(String, u64, Value)> {
    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    let own = rows.into_iter().filter(|row| row["source"] == source);
    own.map(|mut row| {
        let title = row["title"].as_str().unwrap().to_owned();
        (
            title,
            row["count"].as_u64().unwrap(),
            row["identity"].take(),
        )
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_webhook_of_alertmanager_is_stored() {
    let address = free_address();
    let desk = desk("", &address);
    let token = secret(&desk, "webhook.secret", WEBHOOK);
    let config = format!(
        "[receiver]\nlisten = '{address}'\n\n[[source]]\nkind = 'webhook'\nname = 'am'\n\
         sender = {{ kind = 'bearer', secret = '{token}' }}\nformat = 'alertmanager_webhook'\n"
    );
    desk.write("config.toml", &config);
    let mut served = Served::start(&desk);
    served.says("source am: following");
    let server = Alertmanager::start("28195", &format!("http://{address}/hooks/am"));
    server.fire("TokenReuse", "svc-deploy").await;
    served.says("alert am/");
    let stored = stored(&desk, "am");
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(stored[0].0, "TokenReuse");
    assert_eq!(stored[0].2["native_id"], "svc-deploy");
    assert_eq!(served.ends(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_polled_alertmanager_is_stored_and_a_silence_counts_as_a_change() {
    let server = Alertmanager::start("28196", "http://127.0.0.1:9/");
    let desk = desk("", "127.0.0.1:0");
    let password = secret(&desk, "am.secret", PASSWORD);
    let config = format!(
        "[[source]]\nkind = 'poll'\nname = 'am'\npreset = 'alertmanager'\nbase_url = '{}'\nevery_s = 1\n\
         auth = {{ kind = 'basic', username = 'soc', password = '{password}' }}\n",
        server.url
    );
    desk.write("config.toml", &config);
    desk.run(&["config", "check"]).ends(0);
    server.fire("TokenReuse", "svc-deploy").await;
    let mut served = Served::start(&desk);
    served.says("alert am/");
    served.says("source am: following");
    server.fire("SecretRead", "svc-backup").await;
    served.says("alert am/");
    let silence = json!({
        "matchers": [{"name": "service_account", "value": "svc-deploy", "isRegex": false, "isEqual": true}],
        "startsAt": jiff::Timestamp::now(), "endsAt": "2999-01-01T00:00:00Z", "createdBy": "analyst", "comment": "case 42",
    });
    server.post("/api/v2/silences", silence).await;
    served.says("alert am/");
    let mut found = stored(&desk, "am");
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let counts: Vec<u64> = found.iter().map(|(_, count, _)| *count).collect();
    assert_eq!(counts, [1, 2], "{found:?}");
    let rows = desk.run(&["alerts", "sources", "--json"]).ends(0).rows();
    assert!(rows[0]["last_success"].is_string(), "{}", rows[0]);
    assert_eq!(served.ends(), Some(0));
    // A wrong password is said, and the source is not well.
    secret(&desk, "am.secret", "wrong");
    let mut served = Served::start(&desk);
    served.says("source am: failed: answers 401 (its `auth` is not accepted)");
    desk.run(&["alerts", "sources"]).ends(1);
}

/// Returns the titles of a source's alerts that it counts as over, with the reason.
fn over(desk: &Desk, source: &str) -> Vec<(String, String)> {
    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    let own = rows.into_iter().filter(|row| row["source"] == source);
    own.filter_map(|row| {
        let reason = row["resolved"]["reason"].as_str()?.to_owned();
        Some((row["title"].as_str()?.to_owned(), reason))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn what_a_polled_alertmanager_does_not_list_any_more_is_over_until_it_fires_again() {
    let server = Alertmanager::start("28197", "http://127.0.0.1:9/");
    let desk = desk("", "127.0.0.1:0");
    let password = secret(&desk, "am.secret", PASSWORD);
    let config = format!(
        "[[source]]\nkind = 'poll'\nname = 'am'\npreset = 'alertmanager'\nbase_url = '{}'\nevery_s = 1\n\
         auth = {{ kind = 'basic', username = 'soc', password = '{password}' }}\n",
        server.url
    );
    desk.write("config.toml", &config);
    server.fire("TokenReuse", "svc-deploy").await;
    server.fire("SecretRead", "svc-backup").await;
    let mut served = Served::start(&desk);
    served.says("alert am/");
    served.says("alert am/");
    assert_eq!(over(&desk, "am"), []);
    server.end("TokenReuse", "svc-deploy").await;
    served.says("alert am/");
    let title = || "TokenReuse".to_owned();
    let reason = "its source does not list it any more".to_owned();
    assert_eq!(over(&desk, "am"), [(title(), reason)]);
    // The same alert, firing again, is open again and counted.
    server.fire("TokenReuse", "svc-deploy").await;
    served.says("alert am/");
    assert_eq!(over(&desk, "am"), []);
    let found = stored(&desk, "am");
    let again: Vec<u64> = found
        .iter()
        .filter(|f| f.0 == title())
        .map(|f| f.1)
        .collect();
    assert_eq!((found.len(), again), (2, vec![2]), "{found:?}");
    assert_eq!(served.ends(), Some(0));
}
