//! Containment of a user of a real RabbitMQ, with a client that is connected before and cut off after.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use stanch::app::settings::{AuthSettings, ConnectorSettings, SecretRef};
use stanch::connect::Connector;
use stanch::domain::vocabulary::Verb;

use super::console::{acts, contain, is_whole, plan, requests, states};
use super::desk::Desk;
use super::server::{self, Secrets};

const PASSWORD: &str = "orders-live-password";

struct Broker {
    words: BTreeMap<String, String>,
    secrets: Secrets,
}

/// A client with its output.
struct Client(Child, BufReader<ChildStdout>);

impl Client {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Broker {
    async fn new(port: &str) -> Self {
        let broker = Self {
            words: server::start("rabbitmq.sh", &[("STANCH_RABBITMQ_PORT", port)]),
            secrets: Secrets::new(),
        };
        let user = json!({"password": PASSWORD, "tags": "monitoring"});
        broker
            .call(Method::PUT, "/users/svc-deployer", Some(user))
            .await;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        broker
            .call(Method::PUT, "/permissions/%2F/svc-deployer", Some(all))
            .await;
        broker
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = server::client()
            .request(method, format!("{}/api{path}", self.words["url"]))
            .basic_auth(&self.words["admin"], Some(&self.words["password"]));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null)
    }

    /// Starts a client that stays connected.
    fn client(&self, password: &str, seconds: &str) -> Client {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/amqp_client.py");
        let mut child = Command::new(&self.words["python"])
            .args([
                script,
                &self.words["amqp"],
                "svc-deployer",
                password,
                seconds,
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Client(child, out)
    }

    /// Tells whether a client with this password can work.
    fn logs_in(&self, password: &str) -> bool {
        self.client(password, "0.1").line() == "CONNECTED"
    }

    async fn connections(&self) -> usize {
        let list = self.call(Method::GET, "/connections/username/svc-deployer", None);
        list.await.as_array().map_or(0, Vec::len)
    }

    /// Waits until the broker lists a connection: it does so a moment after it was opened.
    async fn listed(&self) {
        for _ in 0..100 {
            if self.connections().await > 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the connection is never listed");
    }

    fn desk(&self) -> Desk {
        let password = self.secrets.put("console", &self.words["password"]);
        let connector = format!(
            "[connector.live]\npreset = 'rabbitmq'\nbase_url = '{}'\nparams = {{ secret_dir = '{}' }}\n\
             auth = {{ kind = 'basic', username = 'admin', password = 'file:{}' }}\n",
            self.words["url"],
            self.secrets.path().display(),
            password.display()
        );
        let card = "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'service_account'\n\
            environment = 'production'\nbusiness_owner = 'Payments'\nconnector = 'live'\nparams = { user = 'svc-deployer' }\n";
        let desk = Desk::configured(&connector, card);
        desk.alert(&server::exposed("f-1", "svc-deployer"));
        desk.run(&["config", "check"]).ends(0);
        desk
    }

    fn connector(&self) -> Connector {
        let password = self.secrets.put("console", &self.words["password"]);
        let settings = ConnectorSettings {
            preset: Some("rabbitmq".to_owned()),
            file: None,
            base_url: self.words["url"].clone(),
            params: BTreeMap::from([(
                "secret_dir".to_owned(),
                self.secrets.path().display().to_string(),
            )]),
            auth: AuthSettings::Basic {
                username: "admin".to_owned(),
                password: SecretRef::File(password),
            },
            ca_file: None,
            timeout_s: 20,
        };
        Connector::new("live", &settings).unwrap()
    }

    /// Returns what files with this ending hold.
    fn kept(&self, ending: &str) -> String {
        let mut files = std::fs::read_dir(self.secrets.path()).unwrap();
        let file = files.find_map(|entry| {
            let path = entry.unwrap().path();
            (path.extension()? == ending).then_some(path)
        });
        std::fs::read_to_string(file.unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_leaked_password_is_turned_off_and_stays_off() {
    let broker = Broker::new("28100").await;
    let mut client = broker.client(PASSWORD, "120");
    assert_eq!(client.line(), "CONNECTED");
    broker.listed().await;
    let desk = broker.desk();

    let (digest, planned) = plan(&desk, "leaked-credential");
    let api = format!("{}/api", broker.words["url"]);
    let wanted = [
        ("GET", "/users/svc-deployer"),
        ("PUT", "/users/svc-deployer"),
        ("DELETE", "/connections/username/svc-deployer"),
        ("DELETE", "/permissions/%2F/svc-deployer"),
    ];
    let wanted = wanted.map(|(method, path)| (method.to_owned(), format!("{api}{path}")));
    assert_eq!(requests(&planned), wanted);
    let hash = broker.call(Method::GET, "/users/svc-deployer", None).await["password_hash"].clone();
    let hash = hash.as_str().unwrap().to_owned();
    assert!(!planned.to_string().contains(&hash), "a plan holds no hash");

    let done = contain(&desk, &digest);
    let done = done.ends(0);
    assert_eq!(
        states(&done),
        ["proven", "proven", "proven", "proven", "handed_off"]
    );
    let end = client.line();
    assert!(
        end.starts_with("CUT") && end.contains("contained by the security team"),
        "{end}"
    );
    assert!(!broker.logs_in(PASSWORD));
    assert_eq!(broker.connections().await, 0);

    desk.run(&["undo", &digest, "2"])
        .ends(4)
        .tells(&["its credential is exposed"]);
    desk.run(&["undo", &digest, "4"]).ends(0);
    assert!(!broker.logs_in(PASSWORD), "the leaked password stays off");
    desk.run(&["undo", &digest, "3"])
        .ends(4)
        .tells(&["irreversible"]);
    let user = broker.call(Method::GET, "/users/svc-deployer", None).await;
    assert_eq!(
        (user["password_hash"] == hash.as_str(), &user["tags"]),
        (false, &json!(["monitoring"]))
    );
    assert_eq!(acts(&desk), ["intent", "outcome", "verify"].repeat(5));
    is_whole(&desk, &[PASSWORD, &hash, &broker.words["password"]]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_new_password_leaves_the_connection_open_until_it_is_closed() {
    let broker = Broker::new("28105").await;
    let connector = broker.connector();
    let mut identity = server::identity("svc-deployer", None);
    identity.params = BTreeMap::from([("user".to_owned(), "svc-deployer".to_owned())]);
    let mut client = broker.client(PASSWORD, "120");
    assert_eq!(client.line(), "CONNECTED");
    broker.listed().await;

    let read = connector.read_context(&identity).await;
    assert_eq!(read.context.unknown, []);
    assert_eq!(
        (read.context.sessions.len(), read.context.enabled),
        (1, Some(true))
    );
    assert!(
        read.context
            .scopes
            .iter()
            .any(|s| s.privileged && s.name.raw().starts_with("/: configure .*"))
    );

    server::contain(&connector, &identity, Verb::RotateSecret).await;
    let new = broker.kept("secret");
    assert!(!broker.logs_in(PASSWORD) && broker.logs_in(&new));
    let (bound, _) = server::contain(&connector, &identity, Verb::RestrictPrivilege).await;
    assert_eq!(broker.connections().await, 1, "both leave what is open");
    let open: Vec<&str> = bound.residual().iter().map(|r| r.layer.as_str()).collect();
    assert!(open.contains(&"sessions"), "and the plan says so: {open:?}");

    server::contain(&connector, &identity, Verb::RevokeSessions).await;
    assert!(client.line().starts_with("CUT"));
    server::undo(&connector, &bound).await;
    assert!(broker.logs_in(&new));

    let (off, _) = server::contain(&connector, &identity, Verb::DisableIdentity).await;
    assert!(!broker.logs_in(&new));
    server::undo(&connector, &off).await;
    assert!(broker.logs_in(&new));
    let mut own = identity.clone();
    own.params.insert("user".to_owned(), "admin".to_owned());
    let refused = connector
        .bind(&own, &[Verb::DisableIdentity], jiff::Timestamp::now())
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("the console's own account")
    );
}
