//! Containment of a service account on a real Keycloak: with a live token that works before and is refused after.

use std::sync::{Arc, OnceLock};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use stanch::connect::Connector;
use stanch::domain::identity::Identity;
use stanch::domain::vocabulary::{Layer, Verb};

use super::server::{self, Secrets};

pub const SECRET: &str = "svc-deployer-live-secret";
pub const CONSOLE_SECRET: &str = "console-live+secret/ with%signs";

/// One realm with a service account, a resource server and the console's own client.
pub struct Realm {
    pub url: String,
    pub name: String,
    client: Client,
    admin: String,
    pub uuid: String,
    pub user: String,
    pub secrets: Secrets,
}

impl Realm {
    /// Creates a realm of its own for one test; the server is started once.
    pub async fn new(name: &str) -> Self {
        static SERVER: OnceLock<(String, String, String)> = OnceLock::new();
        let (url, admin, password) = SERVER
            .get_or_init(|| {
                let mut words = server::start("keycloak.sh", &[("STANCH_KEYCLOAK_PORT", "28081")]);
                let mut take = |name: &str| words.remove(name).unwrap();
                (take("url"), take("admin"), take("password"))
            })
            .clone();
        let client = server::client();
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", &admin),
            ("password", &password),
        ];
        let answer: Value = client
            .post(format!("{url}/realms/master/protocol/openid-connect/token"))
            .form(&form)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let mut realm = Self {
            url,
            name: name.to_owned(),
            client,
            admin: answer["access_token"].as_str().unwrap().to_owned(),
            uuid: String::new(),
            user: String::new(),
            secrets: Secrets::new(),
        };
        realm.fill().await;
        realm
    }

    async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self
            .client
            .request(method, format!("{}/admin/realms{path}", self.url))
            .bearer_auth(&self.admin);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null)
    }

    async fn get(&self, path: &str) -> Value {
        self.admin(Method::GET, &format!("/{}{path}", self.name), None)
            .await
    }

    async fn post(&self, path: &str, body: Value) {
        self.admin(Method::POST, &format!("/{}{path}", self.name), Some(body))
            .await;
    }

    async fn service_account(&self, client: Value) -> (String, String) {
        let id = client["clientId"].as_str().unwrap().to_owned();
        self.post("/clients", client).await;
        let uuid = self.get(&format!("/clients?clientId={id}")).await[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let user = self
            .get(&format!("/clients/{uuid}/service-account-user"))
            .await;
        (uuid, user["id"].as_str().unwrap().to_owned())
    }

    async fn grant_management(&self, user: &str, names: &[&str]) {
        let manager = self.get("/clients?clientId=realm-management").await[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let mut roles = Vec::new();
        for name in names {
            roles.push(self.get(&format!("/clients/{manager}/roles/{name}")).await);
        }
        self.post(
            &format!("/users/{user}/role-mappings/clients/{manager}"),
            Value::Array(roles),
        )
        .await;
    }

    async fn fill(&mut self) {
        self.admin(
            Method::POST,
            "",
            Some(json!({"realm": self.name, "enabled": true, "accessTokenLifespan": 240})),
        )
        .await;
        let svc = json!({
            "clientId": "svc-deployer", "secret": SECRET, "serviceAccountsEnabled": true, "standardFlowEnabled": false,
            "authorizationServicesEnabled": true, "description": "deploys",
            "attributes": {"owner.business": "Payments", "owner.technical": "Platform", "client_credentials.use_refresh_token": "true"},
        });
        (self.uuid, self.user) = self.service_account(svc).await;
        self.post("/roles", json!({"name": "deployer"})).await;
        let role = self.get("/roles/deployer").await;
        let path = format!("/users/{}/role-mappings/realm", self.user);
        self.post(&path, json!([role])).await;
        self.grant_management(&self.user, &["manage-clients", "view-users"])
            .await;

        let console = json!({"clientId": "soc-console", "secret": CONSOLE_SECRET, "serviceAccountsEnabled": true});
        let (_, console) = self.service_account(console).await;
        self.grant_management(&console, &["manage-clients", "manage-users", "view-realm"])
            .await;
        let server = json!({"clientId": "resource-server", "secret": "rs-secret", "serviceAccountsEnabled": true});
        self.service_account(server).await;
    }

    fn connector(&self) -> Arc<Connector> {
        let dir = self.secrets.path().display().to_string();
        let params = [("realm", self.name.as_str()), ("secret_dir", dir.as_str())];
        let secret = self.secrets.put("console", CONSOLE_SECRET);
        server::connector("keycloak", &self.url, &params, ("soc-console", secret))
    }

    async fn form(
        &self,
        user: &str,
        secret: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> (u16, Value) {
        let answer = self
            .client
            .post(format!(
                "{}/realms/{}/protocol/openid-connect/token{path}",
                self.url, self.name
            ))
            .basic_auth(user, Some(secret))
            .form(form)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn log_in(&self, secret: &str, scope: &str) -> (u16, Value) {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        self.form("svc-deployer", secret, "", &form).await
    }

    /// Logs in and returns the access and the refresh token.
    pub async fn tokens(&self, scope: &str) -> (String, String) {
        let (status, body) = self.log_in(SECRET, scope).await;
        assert_eq!(status, 200, "{body}");
        let take = |name: &str| body[name].as_str().unwrap().to_owned();
        (take("access_token"), take("refresh_token"))
    }

    pub async fn refresh(&self, token: &str) -> u16 {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.form("svc-deployer", SECRET, "", &form).await.0
    }

    /// Asks as somebody else whether a token is good.
    pub async fn active(&self, token: &str) -> bool {
        let (_, body) = self
            .form(
                "resource-server",
                "rs-secret",
                "/introspect",
                &[("token", token)],
            )
            .await;
        body["active"].as_bool().unwrap()
    }

    async fn role_names(&self) -> Vec<String> {
        let mappings = self
            .get(&format!("/users/{}/role-mappings", self.user))
            .await;
        let mut names: Vec<String> = mappings
            .to_string()
            .split("\"name\":\"")
            .skip(1)
            .filter_map(|s| Some(s.split_once('"')?.0.to_owned()))
            .collect();
        names.sort();
        names
    }
}

fn svc() -> Identity {
    server::identity("svc-deployer", None)
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn context_shows_what_is_there_and_no_secret() {
    let realm = Realm::new("context").await;
    realm.tokens("email").await;
    realm.tokens("offline_access").await;
    let read = realm.connector().read_context(&svc()).await;
    let context = &read.context;
    assert!(context.unknown.is_empty(), "{:?}", context.unknown);
    assert_eq!(context.enabled, Some(true));
    assert_eq!(context.attributes["owner.business"].raw(), "Payments");
    assert_eq!(context.attributes["offline_sessions"].raw(), "1");
    let kinds: Vec<_> = context.sessions.iter().map(|s| s.kind.raw()).collect();
    assert_eq!(kinds, ["session", "offline_session"]);
    assert!(
        context
            .sessions
            .iter()
            .all(|s| s.started.is_some() && s.origin.is_some())
    );
    let privileged: Vec<_> = context
        .scopes
        .iter()
        .filter(|s| s.privileged)
        .map(|s| s.name.raw())
        .collect();
    assert_eq!(privileged, ["realm-management:manage-clients"]);
    assert_eq!(context.grants.len(), 1);
    assert_eq!(context.credentials.len(), 1);
    assert!(read.evidence.len() >= 7);
    for (name, bytes, url) in &read.evidence {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(SECRET), "{name}");
        assert!(url.starts_with(&realm.url));
    }
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn ended_sessions_cannot_be_refreshed_and_the_undo_says_so() {
    let realm = Realm::new("sessions").await;
    let (token, refresh) = realm.tokens("email").await;
    let (_, offline) = realm.tokens("offline_access").await;
    assert!(realm.active(&token).await);
    let (bound, _) = server::contain(&realm.connector(), &svc(), Verb::RevokeSessions).await;
    assert!(!realm.active(&token).await);
    assert_eq!(
        (realm.refresh(&refresh).await, realm.refresh(&offline).await),
        (400, 400)
    );
    assert_eq!(bound.residual()[0].at_most_s, Some(240));
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn tokens_issued_before_are_refused_and_authorization_settings_survive() {
    let realm = Realm::new("tokens").await;
    let settings = format!("/clients/{}/authz/resource-server/settings", realm.uuid);
    let before = realm.get(&settings).await;
    let (token, _) = realm.tokens("email").await;
    assert!(realm.active(&token).await);
    let (bound, _) = server::contain(&realm.connector(), &svc(), Verb::RevokeTokens).await;
    assert!(!realm.active(&token).await);
    assert_eq!(realm.get(&settings).await, before);
    assert!(
        bound
            .residual()
            .iter()
            .any(|r| r.layer == Layer::Tokens && r.at_most_s == Some(240))
    );
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_disabled_client_gets_nothing_and_comes_back_unchanged() {
    let realm = Realm::new("disable").await;
    let client = format!("/clients/{}", realm.uuid);
    let settings = format!("{client}/authz/resource-server/settings");
    let before = (realm.get(&client).await, realm.get(&settings).await);
    let (token, _) = realm.tokens("email").await;
    assert!(realm.active(&token).await);
    let connector = realm.connector();

    let (bound, _) = server::contain(&connector, &svc(), Verb::DisableIdentity).await;
    assert!(!format!("{bound:?}").contains(SECRET));
    assert_eq!(realm.log_in(SECRET, "email").await.0, 401);
    assert!(!realm.active(&token).await);
    assert!(
        connector
            .drift(&bound.preconditions[0])
            .await
            .unwrap()
            .is_some()
    );
    let again = connector
        .bind(&svc(), &[Verb::DisableIdentity], jiff::Timestamp::now())
        .await
        .unwrap();
    assert!(again.steps[0].requests.is_empty(), "it is already so");

    server::undo(&connector, &bound).await;
    assert_eq!(
        (realm.get(&client).await, realm.get(&settings).await),
        before
    );
    assert_eq!(realm.log_in(SECRET, "email").await.0, 200);
    assert!(
        realm.active(&token).await,
        "the residual says that an undo revives issued tokens"
    );
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_rotated_secret_goes_to_its_file_only_and_the_old_one_is_dead() {
    let realm = Realm::new("rotate").await;
    assert_eq!(realm.log_in(SECRET, "email").await.0, 200);
    let (_, captured) = server::contain(&realm.connector(), &svc(), Verb::RotateSecret).await;
    assert_eq!(realm.log_in(SECRET, "email").await.0, 401);
    let new = std::fs::read_to_string(&captured[0]).unwrap();
    assert_eq!(realm.log_in(&new, "email").await.0, 200);
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn roles_are_taken_and_given_back() {
    let realm = Realm::new("roles").await;
    let before = realm.role_names().await;
    assert!(
        before.contains(&"manage-clients".to_owned()) && before.contains(&"deployer".to_owned())
    );
    let connector = realm.connector();
    let (bound, _) = server::contain(&connector, &svc(), Verb::RestrictPrivilege).await;
    assert_eq!(realm.role_names().await, Vec::<String>::new());
    server::undo(&connector, &bound).await;
    assert_eq!(realm.role_names().await, before);
}

#[tokio::test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn refuses_the_console_itself_and_names_what_is_missing() {
    let realm = Realm::new("refuse").await;
    let connector = realm.connector();
    let now = jiff::Timestamp::now();
    let own = connector
        .bind(
            &server::identity("soc-console", None),
            &[Verb::DisableIdentity],
            now,
        )
        .await;
    assert!(
        own.unwrap_err()
            .to_string()
            .contains("console's own account")
    );
    let ghost = connector
        .bind(
            &server::identity("no-such-client", None),
            &[Verb::DisableIdentity],
            now,
        )
        .await;
    assert!(
        ghost
            .unwrap_err()
            .to_string()
            .contains("no client of this id")
    );
    let context = connector
        .read_context(&server::identity("no-such-client", None))
        .await
        .context;
    assert!(context.sessions.is_empty() && !context.unknown.is_empty());
}
