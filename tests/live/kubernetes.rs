//! Containment of a service account of a real Kubernetes API server, whose tokens work before and are refused after.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use reqwest::Method;
use serde_json::{Value, json};
use stanch::app::settings::{AuthSettings, ConnectorSettings};
use stanch::connect::Connector;
use stanch::domain::coverage::WireOutcome;
use stanch::domain::identity::{Credential, Identity};
use stanch::domain::text::Untrusted;
use stanch::domain::vocabulary::Verb;

use super::console::{acts, contain, is_whole, plan, requests, states};
use super::desk::Desk;
use super::server::{self, Secrets};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const MERGE: &str = "application/merge-patch+json";

/// The API server with a namespace of its own, in which `svc-deployer` may read secrets by a role; the cluster lets it do everything.
struct Cluster {
    words: &'static BTreeMap<String, String>,
    client: reqwest::Client,
    namespace: &'static str,
    secrets: Secrets,
}

impl Cluster {
    async fn new(namespace: &'static str) -> Self {
        static SERVER: OnceLock<BTreeMap<String, String>> = OnceLock::new();
        let words = SERVER.get_or_init(|| server::start("kubernetes.sh", &[]));
        // Installs the provider of cryptography, too.
        drop(server::client());
        let authority = std::fs::read(&words["ca"]).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let client = reqwest::Client::builder().no_proxy();
        let client = client.tls_certs_only([authority]).build().unwrap();
        let cluster = Self {
            words,
            client,
            namespace,
            secrets: Secrets::new(),
        };
        cluster.made("/api/v1/namespaces", named(namespace)).await;
        cluster.console().await;
        cluster.deployer().await;
        cluster
    }

    async fn ask(
        &self,
        token: &str,
        method: Method,
        path: &str,
        (kind, body): (&str, Option<Value>),
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.words["url"]);
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    async fn read(&self, path: &str) -> (u16, Value) {
        let admin = &self.words["admin"];
        self.ask(admin, Method::GET, path, ("", None)).await
    }

    async fn made(&self, path: &str, body: Value) -> Value {
        let body = ("application/json", Some(body));
        let admin = &self.words["admin"];
        let (status, answer) = self.ask(admin, Method::POST, path, body).await;
        assert_eq!(status, 201, "{path}: {answer}");
        answer
    }

    async fn patched(&self, path: &str, body: Value) {
        let admin = &self.words["admin"];
        let (status, answer) = self
            .ask(admin, Method::PATCH, path, (MERGE, Some(body)))
            .await;
        assert_eq!(status, 200, "{path}: {answer}");
    }

    fn place(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}{rest}", self.namespace)
    }

    fn binding(&self) -> String {
        format!("{RBAC}/namespaces/{}/rolebindings/deploys", self.namespace)
    }

    fn cluster_binding(&self) -> String {
        format!("{RBAC}/clusterrolebindings/{}-views", self.namespace)
    }

    /// The console's own account, with what the preset says that it needs and no more.
    async fn console(&self) {
        let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        let rules = json!([
            rule("", &["serviceaccounts"], &["get", "create", "delete"]),
            rule("", &["secrets"], &["list", "delete"]),
            rule("", &["pods"], &["list"]),
            rule(
                "rbac.authorization.k8s.io",
                &["rolebindings", "clusterrolebindings"],
                &["list", "patch"]
            ),
            rule(
                "rbac.authorization.k8s.io",
                &["roles", "clusterroles"],
                &["bind"]
            ),
            rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
            rule(
                "authorization.k8s.io",
                &["subjectaccessreviews"],
                &["create"]
            ),
            rule("apps", &["deployments/scale"], &["get", "patch"]),
            rule(
                "networking.k8s.io",
                &["networkpolicies"],
                &["get", "create", "delete"]
            ),
        ]);
        let name = format!("{}-soc", self.namespace);
        let mut role = named(&name);
        role["rules"] = rules;
        self.made(&format!("{RBAC}/clusterroles"), role).await;
        self.made(&self.place("/serviceaccounts"), named("soc-console"))
            .await;
        let mut binding = named(&name);
        binding["roleRef"] = reference("ClusterRole", &name);
        binding["subjects"] = json!([self.subject("soc-console")]);
        self.made(&format!("{RBAC}/clusterrolebindings"), binding)
            .await;
        self.secrets
            .put("console", &self.token("soc-console").await);
    }

    async fn deployer(&self) {
        let mut account = named("svc-deployer");
        account["metadata"]["labels"] = json!({"team": "payments"});
        account["imagePullSecrets"] = json!([{"name": "registry"}]);
        account["automountServiceAccountToken"] = json!(false);
        self.made(&self.place("/serviceaccounts"), account).await;
        let roles = format!("{RBAC}/namespaces/{}", self.namespace);
        let mut role = named("deploys");
        role["rules"] =
            json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]);
        self.made(&format!("{roles}/roles"), role).await;
        let mut binding = named("deploys");
        binding["roleRef"] = reference("Role", "deploys");
        // Somebody else stands in it, who must keep it.
        binding["subjects"] = json!([self.subject("svc-deployer"), self.subject("default")]);
        self.made(&format!("{roles}/rolebindings"), binding).await;
        let mut wide = named(&format!("{}-views", self.namespace));
        wide["roleRef"] = reference("ClusterRole", "cluster-admin");
        wide["subjects"] = json!([self.subject("svc-deployer")]);
        self.made(&format!("{RBAC}/clusterrolebindings"), wide)
            .await;
    }

    fn subject(&self, account: &str) -> Value {
        json!({"kind": "ServiceAccount", "name": account, "namespace": self.namespace})
    }

    /// Asks for a token that holds for an hour, as a workload does (TokenRequest).
    async fn token(&self, account: &str) -> String {
        let path = self.place(&format!("/serviceaccounts/{account}/token"));
        let answer = self.made(
            &path,
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}),
        );
        let answer = answer.await;
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    /// Makes a secret with a token that never ends, as people did for what is outside.
    async fn lasting(&self) -> String {
        let mut secret = named("deployer-outside");
        secret["type"] = json!("kubernetes.io/service-account-token");
        secret["metadata"]["annotations"] =
            json!({"kubernetes.io/service-account.name": "svc-deployer"});
        self.made(&self.place("/secrets"), secret).await;
        for _ in 0..100 {
            let (_, answer) = self.read(&self.place("/secrets/deployer-outside")).await;
            if let Some(token) = answer["data"]["token"].as_str() {
                let decoded = base64::engine::general_purpose::STANDARD.decode(token);
                return String::from_utf8(decoded.unwrap()).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the controller gave no token");
    }

    /// Asks for what only the bindings allow; returns the status.
    async fn tries(&self, token: &str) -> u16 {
        let path = self.place("/secrets");
        self.ask(token, Method::GET, &path, ("", None)).await.0
    }

    /// Waits until the bindings, which the server takes in a moment after they were made, let a token in.
    async fn lets_in(&self, token: &str) {
        for _ in 0..100 {
            if self.tries(token).await == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the token never worked");
    }

    async fn subjects(&self, path: &str) -> Vec<String> {
        let (status, answer) = self.read(path).await;
        assert_eq!(status, 200, "{answer}");
        let subjects = answer["subjects"].as_array().cloned().unwrap_or_default();
        let name = |subject: &Value| subject["name"].as_str().unwrap().to_owned();
        subjects.iter().map(name).collect()
    }

    /// What a card says, with a copy of a token of a kind where there is one.
    fn identity(&self, copy: Option<(&str, PathBuf)>) -> Identity {
        let mut identity = server::identity("svc-deployer", None);
        identity.params = BTreeMap::from(
            [
                ("namespace", self.namespace),
                ("account", "svc-deployer"),
                ("workload", "shop"),
                ("app_label", "shop"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned())),
        );
        identity
            .credentials
            .extend(copy.map(|(kind, path)| Credential {
                id: Untrusted::new("leaked token"),
                kind: Untrusted::new(kind),
                secret_ref: Some(format!("file:{}", path.display())),
                ..Credential::default()
            }));
        identity
    }

    fn connector(&self) -> Connector {
        let settings = ConnectorSettings {
            preset: Some("kubernetes".to_owned()),
            file: None,
            base_url: self.words["url"].clone(),
            params: BTreeMap::from([(
                "own_account".to_owned(),
                format!("{}/soc-console", self.namespace),
            )]),
            auth: AuthSettings::KubernetesServiceAccount {
                token_file: self.secrets.path().join("console"),
            },
            ca_file: Some(self.words["ca"].clone().into()),
            timeout_s: 20,
        };
        Connector::new("live", &settings).unwrap()
    }

    /// A console that holds a copy of the leaked token; `more` of the card's parameters.
    fn desk(&self, leaked: &str, more: &str) -> Desk {
        let connector = format!(
            "[connector.live]\npreset = 'kubernetes'\nbase_url = '{}'\nca_file = '{}'\n\
             params = {{ own_account = '{}/soc-console' }}\n\
             auth = {{ kind = 'kubernetes_service_account', token_file = '{}' }}\n",
            self.words["url"],
            self.words["ca"],
            self.namespace,
            self.secrets.path().join("console").display(),
        );
        let copy = self.secrets.put("leaked", leaked);
        let card = format!(
            "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'service_account'\nenvironment = 'production'\n\
             business_owner = 'Payments'\nconnector = 'live'\n\
             params = {{ namespace = '{}', account = 'svc-deployer'{more} }}\n\
             [[identity.credential]]\nid = 'leaked token'\nkind = 'bound_token'\nsecret_ref = 'file:{}'\n",
            self.namespace,
            copy.display()
        );
        let desk = Desk::configured(&connector, &card);
        desk.alert(&server::misused("f-1", "svc-deployer"));
        desk.run(&["config", "check"]).ends(0);
        desk
    }

    /// Starts what runs as the account. There is no node, so its pods wait for ever, but they are there.
    async fn deployment(&self) {
        let mut shop = named("shop");
        shop["spec"] = json!({"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"serviceAccountName": "svc-deployer", "containers": [{"name": "shop", "image": "shop"}]}}});
        let path = format!("/apis/apps/v1/namespaces/{}/deployments", self.namespace);
        self.made(&path, shop).await;
        for _ in 0..100 {
            if self.pods().await == 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the controllers made no pods");
    }

    async fn pods(&self) -> usize {
        let (_, answer) = self.read(&self.place("/pods")).await;
        answer["items"].as_array().map_or(0, Vec::len)
    }
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_taken_over_account_loses_its_rights_its_workload_and_its_tokens() {
    let cluster = Cluster::new("shop").await;
    cluster.deployment().await;
    let (bound, lasting) = (cluster.token("svc-deployer").await, cluster.lasting().await);
    cluster.lets_in(&bound).await;
    assert_eq!(cluster.tries(&lasting).await, 200);
    let desk = cluster.desk(&bound, ", workload = 'shop', app_label = 'shop'");
    let told = desk.run(&["doctor", "--json"]).ends(0).json();
    let actions = told["connectors"][0]["actions"].as_array().unwrap();
    assert_eq!(actions.len(), 5, "{told}");
    assert!(actions.iter().all(|a| a["state"] == "ok"), "{told}");

    let (digest, planned) = plan(&desk, "service-account-takeover");
    let lines = requests(&planned);
    assert!(lines[0].1.ends_with("/clusterrolebindings/shop-views"));
    assert!(lines[1].1.ends_with("/rolebindings/deploys"));
    let text = planned.to_string();
    assert!(!text.contains(&bound) && !text.contains(&lasting));
    assert_eq!(cluster.tries(&bound).await, 200, "a plan sends nothing");
    // A policy that nobody can prove to be enforced stays requested.
    let done = contain(&desk, &digest).ends(3);
    assert_eq!(
        states(&done),
        [
            "proven",
            "proven",
            "proven",
            "requested",
            "proven",
            "proven",
            "handed_off",
            "handed_off"
        ]
    );
    assert_eq!(cluster.tries(&bound).await, 401);
    assert_eq!(cluster.tries(&lasting).await, 401);
    assert_eq!(cluster.pods().await, 0);
    assert_eq!(cluster.subjects(&cluster.binding()).await, ["default"]);
    let (_, account) = cluster
        .read(&cluster.place("/serviceaccounts/svc-deployer"))
        .await;
    assert_eq!(account["metadata"]["labels"]["team"], "payments");
    assert_eq!(account["imagePullSecrets"][0]["name"], "registry");
    assert_eq!(account["automountServiceAccountToken"], false);
    let fresh = cluster.token("svc-deployer").await;
    assert_eq!(
        cluster.tries(&fresh).await,
        403,
        "the account is there and may nothing"
    );

    for step in ["2", "3", "4"] {
        desk.run(&["undo", &digest, step]).ends(0);
    }
    desk.run(&["undo", &digest, "6"])
        .ends(4)
        .tells(&["irreversible"]);
    cluster.lets_in(&fresh).await;
    assert_eq!(cluster.tries(&bound).await, 401, "what leaked stays dead");
    assert_eq!(
        cluster.subjects(&cluster.cluster_binding()).await,
        ["svc-deployer"]
    );
    assert_eq!(
        cluster.subjects(&cluster.binding()).await,
        ["svc-deployer", "default"]
    );
    let scale = "/apis/apps/v1/namespaces/shop/deployments/shop/scale";
    assert_eq!(cluster.read(scale).await.1["spec"]["replicas"], 2);
    let policy = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/stanch-svc-deployer";
    assert_eq!(cluster.read(policy).await.0, 404);
    // The policy has no proof: it was asked for.
    let acts = acts(&desk);
    let counted = |kind: &str| acts.iter().filter(|act| *act == kind).count();
    assert_eq!(
        (counted("intent"), counted("outcome"), counted("verify")),
        (9, 9, 8)
    );
    let console = std::fs::read_to_string(cluster.secrets.path().join("console")).unwrap();
    is_whole(&desk, &[&bound, &lasting, &fresh, &console]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_cut_leaves_what_its_plan_says_it_leaves() {
    let cluster = Cluster::new("left").await;
    let (bound, lasting) = (cluster.token("svc-deployer").await, cluster.lasting().await);
    cluster.lets_in(&bound).await;
    let connector = cluster.connector();
    let identity = cluster.identity(Some((
        "token_secret",
        cluster.secrets.put("leaked", &lasting),
    )));

    let read = connector.read_context(&identity).await;
    assert_eq!(read.context.unknown, []);
    let secrets = read.context.credentials.iter();
    assert!(
        secrets
            .into_iter()
            .any(|c| c.id.raw() == "deployer-outside")
    );
    assert!(read.context.scopes.iter().any(|s| s.privileged));

    // Rights go at once; whoever holds a token is still somebody.
    let (rights, _) = server::contain(&connector, &identity, Verb::RestrictPrivilege).await;
    assert_eq!(cluster.tries(&bound).await, 403);
    let layers: Vec<&str> = rights.residual().iter().map(|r| r.layer.as_str()).collect();
    assert!(
        layers.contains(&"tokens"),
        "and the plan says so: {layers:?}"
    );
    server::undo(&connector, &rights).await;
    cluster.lets_in(&bound).await;

    // The secrets go; a token that was asked for is none of them.
    let (keys, _) = server::contain(&connector, &identity, Verb::DisableCredential).await;
    assert_eq!(cluster.tries(&lasting).await, 401);
    assert_eq!(cluster.tries(&bound).await, 200);
    let told: Vec<&str> = keys.residual().iter().map(|r| r.text.as_str()).collect();
    assert!(
        told.iter().any(|t| t.contains("revoke_tokens ends them")),
        "and the plan says so: {told:?}"
    );

    let identity = cluster.identity(Some(("bound_token", cluster.secrets.put("leaked", &bound))));
    server::contain(&connector, &identity, Verb::RevokeTokens).await;
    assert_eq!(cluster.tries(&bound).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn what_changed_since_the_plan_is_not_touched() {
    let cluster = Cluster::new("drift").await;
    let bound = cluster.token("svc-deployer").await;
    cluster.lets_in(&bound).await;
    let (connector, identity) = (cluster.connector(), cluster.identity(None));
    let change = |value: &str| json!({"metadata": {"annotations": {"changed": value}}});

    // Between the last look and the request the server itself refuses.
    for (verb, path) in [
        (Verb::RestrictPrivilege, cluster.binding()),
        (
            Verb::RevokeTokens,
            cluster.place("/serviceaccounts/svc-deployer"),
        ),
    ] {
        let bound_at = jiff::Timestamp::now();
        let plan = connector.bind(&identity, &[verb], bound_at).await.unwrap();
        if verb == Verb::RestrictPrivilege {
            cluster.patched(&path, change("once")).await;
        } else {
            let admin = &cluster.words["admin"];
            let gone = cluster.ask(admin, Method::DELETE, &path, ("", None)).await;
            assert_eq!(gone.0, 200, "{gone:?}");
            let again = named("svc-deployer");
            cluster
                .made(&cluster.place("/serviceaccounts"), again)
                .await;
        }
        let requests = &plan.steps[0].requests;
        let one = match verb {
            Verb::RestrictPrivilege => requests.last(),
            _ => requests.first(),
        };
        let run = connector
            .run(
                std::slice::from_ref(one.unwrap()),
                &uuid::Uuid::now_v7().to_string(),
            )
            .await;
        assert_eq!(
            (run.outcome, run.http_status),
            (WireOutcome::Rejected, Some(409)),
            "{verb}: {run:?}"
        );
    }
    assert_eq!(
        cluster.subjects(&cluster.binding()).await,
        ["svc-deployer", "default"]
    );

    // Before that the console sees it and sends nothing.
    let desk = cluster.desk("none", "");
    let (digest, planned) = plan(&desk, "service-account-takeover");
    let workload = planned["steps"].as_array().unwrap().iter();
    let mut workload = workload.filter(|step| step["verb"] == "isolate_workload");
    let hands = workload.next().map(|step| &step["requests"]);
    assert_eq!(
        hands,
        Some(&json!([])),
        "without a deployment on the card its team does it"
    );
    cluster.patched(&cluster.binding(), change("twice")).await;
    let refused = contain(&desk, &digest).ends(4).json();
    let text = refused["text"].as_str().unwrap();
    assert!(
        text.contains("the plan is void") && text.contains("the role bindings of the account"),
        "{text}"
    );
    assert_eq!(acts(&desk), [] as [&str; 0]);

    // Nor does it ever contain itself.
    let mut own = identity;
    own.params
        .insert("account".to_owned(), "soc-console".to_owned());
    let refused = connector
        .bind(&own, &[Verb::RestrictPrivilege], jiff::Timestamp::now())
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("the console's own"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn doctor_tells_what_the_server_would_refuse() {
    let cluster = Cluster::new("less").await;
    let bound = cluster.token("svc-deployer").await;
    cluster.lets_in(&bound).await;
    let connector = cluster.connector();
    let identity = cluster.identity(None);
    let plan = connector.bind(
        &identity,
        &[Verb::RestrictPrivilege],
        jiff::Timestamp::now(),
    );
    let plan = plan.await.unwrap();

    // All that it had but the right to bind roles.
    let role = format!("{RBAC}/clusterroles/less-soc");
    let (_, answer) = cluster.read(&role).await;
    let mut rules = answer["rules"].as_array().unwrap().clone();
    rules.retain(|rule| rule["verbs"] != json!(["bind"]));
    cluster.patched(&role, json!({"rules": rules})).await;
    let desk = cluster.desk(&bound, "");
    let possible = || {
        let told = desk.run(&["doctor", "--json"]).json();
        let actions = told["connectors"][0]["actions"].as_array().unwrap();
        let state = |a: &Value| (a["action"].clone(), a["state"] == "ok");
        actions.iter().map(state).collect::<Vec<_>>()
    };
    let mut found = possible();
    for _ in 0..20 {
        if found.iter().any(|(_, ok)| !ok) {
            break;
        }
        found = possible();
    }
    let refused: Vec<&Value> = found.iter().filter(|(_, ok)| !ok).map(|(a, _)| a).collect();
    assert_eq!(refused, ["restrict_privilege"]);

    let id = uuid::Uuid::now_v7().to_string();
    let run = connector.run(&plan.steps[0].requests, &id).await;
    assert_eq!(
        (run.outcome, run.http_status),
        (WireOutcome::Rejected, Some(403)),
        "{run:?}"
    );
    assert_eq!(cluster.tries(&bound).await, 200, "nothing was changed");
}
