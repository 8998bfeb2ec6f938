//! Containment of a user of a real Keystone, whose tokens and application credentials work before and are refused after.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stanch::app::settings::{AuthSettings, ConnectorSettings, SecretRef};
use stanch::connect::Connector;
use stanch::domain::identity::Identity;
use stanch::domain::vocabulary::Verb;

use super::console::{contain, is_whole, plan, requests, states};
use super::desk::Desk;
use super::server::{self, Secrets};

const PASSWORD: &str = "live-user-password-0123456789";

struct Cloud {
    words: &'static BTreeMap<String, String>,
    /// Tokens of the administrator and of the console.
    admin: String,
    console: String,
    /// Ids of the user, of the project `admin`, and of the roles `member` and `reader`.
    user: String,
    project: String,
    roles: [String; 2],
    secrets: Secrets,
}

/// What somebody proves who they are with.
fn by_password(user: &Value, password: &str) -> Value {
    json!({"methods": ["password"], "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}}})
}

impl Cloud {
    /// Makes a user with two roles in the project, and a user for the console.
    async fn new(name: &str) -> Self {
        static SERVER: OnceLock<BTreeMap<String, String>> = OnceLock::new();
        let words = SERVER.get_or_init(|| server::start("keystone.sh", &[]));
        let mut cloud = Self {
            words,
            admin: String::new(),
            console: String::new(),
            user: String::new(),
            project: String::new(),
            roles: [String::new(), String::new()],
            secrets: Secrets::new(),
        };
        let admin = by_password(&json!("admin"), &words["password"]);
        cloud.admin = cloud.log_in(admin).await.unwrap();
        cloud.project = cloud.id("/projects?name=admin", "projects").await;
        for (at, role) in ["member", "reader"].iter().enumerate() {
            cloud.roles[at] = cloud.id(&format!("/roles?name={role}"), "roles").await;
        }
        cloud.user = cloud.person(name, PASSWORD, &cloud.roles).await;
        let role = cloud.id("/roles?name=admin", "roles").await;
        let console = format!("{name}-console");
        cloud
            .person(&console, "live-console-0123456789", &[role])
            .await;
        let console = by_password(&json!(console), "live-console-0123456789");
        cloud.console = cloud.log_in(console).await.unwrap();
        cloud
    }

    async fn ask(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.words["url"]);
        let mut request = server::client().request(method, url);
        request = request.header("x-auth-token", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    async fn id(&self, path: &str, list: &str) -> String {
        let (status, answer) = self.ask(&self.admin, Method::GET, path, None).await;
        assert_eq!(status, 200, "{answer}");
        answer[list][0]["id"].as_str().unwrap().to_owned()
    }

    async fn person(&self, name: &str, password: &str, roles: &[String]) -> String {
        let user = json!({"user": {"name": name, "password": password, "domain_id": "default"}});
        let (status, answer) = self
            .ask(&self.admin, Method::POST, "/users", Some(user))
            .await;
        assert_eq!(status, 201, "{answer}");
        let id = answer["user"]["id"].as_str().unwrap().to_owned();
        for role in roles {
            let path = format!("/projects/{}/users/{id}/roles/{role}", self.project);
            assert_eq!(self.ask(&self.admin, Method::PUT, &path, None).await.0, 204);
        }
        id
    }

    /// Returns a token, or the status that refuses it.
    async fn log_in(&self, identity: Value) -> Result<String, u16> {
        let mut auth = json!({"auth": {"identity": identity}});
        if auth["auth"]["identity"]["methods"][0] == "password" {
            auth["auth"]["scope"] =
                json!({"project": {"name": "admin", "domain": {"id": "default"}}});
        }
        let url = format!("{}/auth/tokens", self.words["url"]);
        let answer = server::client().post(url).json(&auth).send().await.unwrap();
        let status = answer.status().as_u16();
        let token = answer.headers().get("x-subject-token");
        let token = token.map(|token| token.to_str().unwrap().to_owned());
        token.filter(|_| status == 201).ok_or(status)
    }

    async fn user_logs_in(&self, name: &str, password: &str) -> Result<String, u16> {
        self.log_in(by_password(&json!(name), password)).await
    }

    /// Makes an application credential as the user; returns what logs in with it.
    async fn application_credential(&self, token: &str, name: &str) -> (Value, String) {
        let path = format!("/users/{}/application_credentials", self.user);
        let body = json!({"application_credential": {"name": name, "roles": [{"name": "member"}]}});
        let (status, answer) = self.ask(token, Method::POST, &path, Some(body)).await;
        assert_eq!(status, 201, "{answer}");
        let made = &answer["application_credential"];
        let proof = json!({"id": made["id"], "secret": made["secret"]});
        let secret = made["secret"].as_str().unwrap().to_owned();
        let method = json!(["application_credential"]);
        (
            json!({"methods": method, "application_credential": proof}),
            secret,
        )
    }

    /// Tells whether Keystone vouches for a token.
    async fn vouches(&self, token: &str) -> bool {
        let answer = server::client()
            .get(format!("{}/auth/tokens", self.words["url"]))
            .header("x-auth-token", &self.admin)
            .header("x-subject-token", token)
            .send();
        match answer.await.unwrap().status().as_u16() {
            200 => true,
            404 => false,
            other => panic!("{other}"),
        }
    }

    fn identity(&self) -> Identity {
        let mut identity = server::identity("svc-deployer", None);
        identity.params = BTreeMap::from([("user_id".to_owned(), self.user.clone())]);
        identity
    }

    fn connector(&self) -> Connector {
        let place = self.secrets.path().display().to_string();
        let settings = ConnectorSettings {
            preset: Some("keystone".to_owned()),
            file: None,
            base_url: self.words["url"].clone(),
            params: BTreeMap::from([("secret_dir".to_owned(), place)]),
            auth: AuthSettings::Header {
                header: "X-Auth-Token".to_owned(),
                prefix: String::new(),
                token: SecretRef::File(self.secrets.put("console", &self.console)),
            },
            ca_file: None,
            timeout_s: 20,
        };
        Connector::new("live", &settings).unwrap()
    }

    fn desk(&self) -> Desk {
        let connector = format!(
            "[connector.live]\npreset = 'keystone'\nbase_url = '{}'\nparams = {{ secret_dir = '{}' }}\n\
             auth = {{ kind = 'header', header = 'X-Auth-Token', token = 'file:{}' }}\n",
            self.words["url"],
            self.secrets.path().display(),
            self.secrets.put("console", &self.console).display()
        );
        let card = format!(
            "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'service_account'\nenvironment = 'production'\n\
             business_owner = 'Payments'\nconnector = 'live'\nparams = {{ user_id = '{}' }}\n",
            self.user
        );
        let desk = Desk::configured(&connector, &card);
        desk.alert(&server::misused("f-1", "svc-deployer"));
        desk.run(&["config", "check"]).ends(0);
        desk
    }
}

/// Keystone knows times by the second: a token of the second in which others were ended counts as one of them.
async fn next_second() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_user_is_turned_off_with_every_token_and_comes_back_without_them() {
    let cloud = Cloud::new("svc-deployer").await;
    let token = cloud.user_logs_in("svc-deployer", PASSWORD).await.unwrap();
    let (proof, secret) = cloud.application_credential(&token, "ci").await;
    let minted = cloud.log_in(proof.clone()).await.unwrap();
    assert!(cloud.vouches(&token).await && cloud.vouches(&minted).await);
    let desk = cloud.desk();
    let told = desk.run(&["doctor", "--json"]).ends(0).json();
    let actions = told["connectors"][0]["actions"].as_array().unwrap();
    assert!(actions.iter().all(|a| a["state"] == "ok"), "{told}");

    let (digest, planned) = plan(&desk, "isolate-identity");
    let user = format!("{}/users/{}", cloud.words["url"], cloud.user);
    assert_eq!(requests(&planned), [("PATCH".to_owned(), user)]);
    let done = contain(&desk, &digest).ends(0);
    assert_eq!(
        states(&done),
        ["proven", "proven", "handed_off", "handed_off"]
    );
    assert!(!cloud.vouches(&token).await && !cloud.vouches(&minted).await);
    assert_eq!(cloud.user_logs_in("svc-deployer", PASSWORD).await, Err(401));
    assert_eq!(cloud.log_in(proof.clone()).await, Err(401));

    desk.run(&["undo", &digest, "2"]).ends(0);
    next_second().await;
    let again = cloud.user_logs_in("svc-deployer", PASSWORD).await.unwrap();
    assert!(cloud.vouches(&again).await);
    assert!(
        !cloud.vouches(&token).await && !cloud.vouches(&minted).await,
        "what leaked stays dead"
    );
    assert!(
        cloud.log_in(proof).await.is_ok(),
        "and the plan says that the application credentials come back"
    );
    assert!(
        planned
            .to_string()
            .contains("work again as soon as the user is on")
    );
    let all = [&token, &minted, &again, &secret, &cloud.console];
    let mut secrets: Vec<&str> = all.iter().map(|s| s.as_str()).collect();
    secrets.push(PASSWORD);
    is_whole(&desk, &secrets);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn each_cut_of_a_user_ends_what_it_says_and_no_more() {
    let cloud = Cloud::new("svc-cuts").await;
    let (connector, identity) = (cloud.connector(), cloud.identity());
    let token = cloud.user_logs_in("svc-cuts", PASSWORD).await.unwrap();
    let (first, _) = cloud.application_credential(&token, "a").await;
    for name in ["b", "c"] {
        cloud.application_credential(&token, name).await;
    }
    let read = connector.read_context(&identity).await;
    assert_eq!(read.context.unknown, []);
    assert_eq!(
        (read.context.credentials.len(), read.context.scopes.len()),
        (3, 2)
    );

    // A new password ends every token, and an application credential mints the next.
    let minted = cloud.log_in(first.clone()).await.unwrap();
    server::contain(&connector, &identity, Verb::RotateSecret).await;
    assert!(!cloud.vouches(&token).await && !cloud.vouches(&minted).await);
    assert_eq!(cloud.user_logs_in("svc-cuts", PASSWORD).await, Err(401));
    let mut files = std::fs::read_dir(cloud.secrets.path()).unwrap().flatten();
    let file = files.find(|f| f.path().extension().is_some_and(|e| e == "secret"));
    let new = std::fs::read_to_string(file.unwrap().path()).unwrap();
    next_second().await;
    let minted = cloud.log_in(first.clone()).await.unwrap();
    let token = cloud.user_logs_in("svc-cuts", &new).await.unwrap();

    // Without its roles neither does anything, until they are given back.
    let (roles, _) = server::contain(&connector, &identity, Verb::RestrictPrivilege).await;
    assert!(!cloud.vouches(&token).await && !cloud.vouches(&minted).await);
    assert_eq!(cloud.log_in(first.clone()).await, Err(401));
    server::undo(&connector, &roles).await;
    next_second().await;
    let minted = cloud.log_in(first.clone()).await.unwrap();
    let token = cloud.user_logs_in("svc-cuts", &new).await.unwrap();

    // Without its application credentials it still logs in.
    server::contain(&connector, &identity, Verb::DisableCredential).await;
    assert!(!cloud.vouches(&minted).await && cloud.vouches(&token).await);
    assert_eq!(cloud.log_in(first).await, Err(404));
    assert_eq!(
        connector.read_context(&identity).await.context.credentials,
        []
    );
}
