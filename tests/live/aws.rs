//! Containment of a user and a role of AWS IAM, on an emulation that enforces signatures, the state of keys and policies.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::Value;
use stanch::app::settings::{AuthSettings, ConnectorSettings, SecretRef};
use stanch::connect::Connector;
use stanch::domain::identity::Identity;
use stanch::domain::vocabulary::{Layer, Verb};
use stanch::net::{sigv4, xml};

use super::console::{contain, is_whole, plan, states};
use super::desk::Desk;
use super::served::Served;
use super::server::{self, Secrets};

const FORM: &str = "application/x-www-form-urlencoded";
const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Somebody who signs requests.
#[derive(Clone, Debug)]
struct Key {
    id: String,
    secret: String,
    token: Option<String>,
}

struct Cloud {
    url: String,
    admin: Key,
    secrets: Secrets,
}

impl Cloud {
    fn new() -> Self {
        static SERVER: OnceLock<BTreeMap<String, String>> = OnceLock::new();
        let words = SERVER.get_or_init(|| server::start("moto.sh", &[]));
        Self {
            url: words["url"].clone(),
            admin: Key {
                id: words["key"].clone(),
                secret: words["secret"].clone(),
                token: None,
            },
            secrets: Secrets::new(),
        }
    }

    /// Asks as somebody; returns the status and the answer.
    async fn ask(&self, key: &Key, service: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let version = match service {
            "sts" => "2011-06-15",
            _ => "2010-05-08",
        };
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", version)
            .extend_pairs(fields)
            .finish()
            .replace('*', "%2A");
        let url = url::Url::parse(&format!("{}/", self.url)).unwrap();
        let signer = sigv4::Key {
            id: &key.id,
            secret: &key.secret,
            token: key.token.as_deref(),
            region: "us-east-1",
            service,
        };
        let signed = sigv4::sign(
            &signer,
            "POST",
            &url,
            Some(FORM),
            body.as_bytes(),
            Timestamp::now(),
        );
        let mut request = server::client()
            .post(url)
            .header("content-type", FORM)
            .body(body);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, xml::parse(&answer.bytes().await.unwrap()).unwrap())
    }

    async fn admin(&self, fields: &[(&str, &str)]) -> Value {
        let (status, answer) = self.ask(&self.admin, "iam", fields).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Creates a user that may do everything, and a key of it.
    async fn user(&self, name: &str) -> Key {
        self.admin(&[("Action", "CreateUser"), ("UserName", name)])
            .await;
        self.admin(&[
            ("Action", "PutUserPolicy"),
            ("UserName", name),
            ("PolicyName", "work"),
            ("PolicyDocument", ALL),
        ])
        .await;
        let answer = self
            .admin(&[("Action", "CreateAccessKey"), ("UserName", name)])
            .await;
        let key = &answer["CreateAccessKeyResponse"]["CreateAccessKeyResult"]["AccessKey"];
        Key {
            id: key["AccessKeyId"].as_str().unwrap().to_owned(),
            secret: key["SecretAccessKey"].as_str().unwrap().to_owned(),
            token: None,
        }
    }

    /// Tells whether somebody may still work.
    async fn works(&self, key: &Key) -> bool {
        self.ask(key, "iam", &[("Action", "ListUsers")]).await.0 == 200
    }

    fn connector(&self, preset: &str) -> Connector {
        let settings = ConnectorSettings {
            preset: Some(preset.to_owned()),
            file: None,
            base_url: self.url.clone(),
            params: BTreeMap::from([(
                "secret_dir".to_owned(),
                self.secrets.path().display().to_string(),
            )])
            .into_iter()
            .filter(|_| preset == "aws_user")
            .collect(),
            auth: AuthSettings::AwsSigv4 {
                access_key_id: self.admin.id.clone(),
                secret_access_key: SecretRef::File(self.secrets.put("console", &self.admin.secret)),
                session_token: None,
                region: "us-east-1".to_owned(),
            },
            ca_file: None,
            timeout_s: 20,
        };
        Connector::new("live", &settings).unwrap()
    }

    fn desk(&self, preset: &str, params: &str, alert: &str) -> Desk {
        self.desk_with(preset, params, alert, "")
    }

    /// A desk whose configuration goes on after the connector's keys.
    fn desk_with(&self, preset: &str, params: &str, alert: &str, more: &str) -> Desk {
        let secret = self.secrets.put("console", &self.admin.secret);
        let connector = format!(
            "[connector.live]\npreset = '{preset}'\nbase_url = '{}'\ntimeout_s = 20\n\
             auth = {{ kind = 'aws_sigv4', access_key_id = '{}', secret_access_key = 'file:{}', region = 'us-east-1' }}\n{more}",
            self.url,
            self.admin.id,
            secret.display()
        );
        let card = format!(
            "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'access_key'\n\
             environment = 'production'\nbusiness_owner = 'Payments'\nconnector = 'live'\nparams = {{ {params} }}\n"
        );
        let desk = Desk::configured(&connector, &card);
        desk.alert(alert);
        desk.run(&["config", "check"]).ends(0);
        desk
    }
}

fn identity(name: &str, value: &str) -> Identity {
    let mut identity = server::identity("svc-deployer", None);
    identity.params = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    identity
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_leaked_key_is_deactivated_and_the_whole_user_denied() {
    let cloud = Cloud::new();
    let key = cloud.user("svc-leaked").await;
    assert!(cloud.works(&key).await);
    let alert = server::exposed("f-1", "svc-deployer");
    let desk = cloud.desk("aws_user", "user_name = 'svc-leaked'", &alert);

    let (digest, planned) = plan(&desk, "leaked-credential");
    assert!(
        planned
            .to_string()
            .contains("sessions of roles that it assumed are the roles' own")
    );
    assert!(cloud.works(&key).await, "a plan changes nothing");
    // The emulation knows no boundaries of users: what it refuses is not shown as done.
    let done = contain(&desk, &digest).ends(1);
    assert_eq!(
        states(&done),
        ["proven", "proven", "proven", "failed", "handed_off"]
    );
    let (status, answer) = cloud.ask(&key, "iam", &[("Action", "ListUsers")]).await;
    assert_eq!(
        (status, answer.to_string().contains("InvalidClientTokenId")),
        (403, true),
        "{answer}"
    );
    desk.run(&["undo", &digest, "3"]).ends(0);
    // Whoever found the key has it still.
    desk.run(&["undo", &digest, "2"])
        .ends(4)
        .tells(&["its credential is exposed"]);
    assert!(!cloud.works(&key).await);

    // Somebody else brings it back behind the console's back.
    let fields = [
        ("Action", "UpdateAccessKey"),
        ("UserName", "svc-leaked"),
        ("AccessKeyId", key.id.as_str()),
        ("Status", "Active"),
    ];
    cloud.admin(&fields).await;
    assert!(cloud.works(&key).await);
    let (digest, _) = plan(&desk, "isolate-identity");
    contain(&desk, &digest).ends(0);
    let (status, answer) = cloud.ask(&key, "iam", &[("Action", "ListUsers")]).await;
    assert_eq!(
        (status, answer.to_string().contains("AccessDenied")),
        (403, true),
        "{answer}"
    );
    desk.run(&["undo", &digest, "3"]).ends(0);
    desk.run(&["undo", &digest, "2"])
        .ends(4)
        .tells(&["rotate its secret first"]);
    assert!(!cloud.works(&key).await);
    is_whole(&desk, &[&cloud.admin.secret, &key.secret]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn keys_are_found_to_the_last_page_and_rotated_and_the_console_spares_itself() {
    let cloud = Cloud::new();
    let old = cloud.user("svc-rotated").await;
    let connector = cloud.connector("aws_user");
    let identity = identity("user_name", "svc-rotated");
    let read = connector.read_context(&identity).await;
    assert_eq!(read.context.unknown, []);
    assert_eq!(
        (read.context.credentials.len(), read.context.enabled),
        (1, Some(true))
    );

    let (bound, captured) = server::contain(&connector, &identity, Verb::RotateSecret).await;
    assert!(!cloud.works(&old).await);
    assert!(
        bound
            .residual()
            .iter()
            .any(|r| r.layer == Layer::Sessions && r.at_most_s == Some(129_600))
    );
    let new: Value = serde_json::from_str(&std::fs::read_to_string(&captured[0]).unwrap()).unwrap();
    let text = |name: &str| new[name].as_str().unwrap().to_owned();
    let new = Key {
        id: text("AccessKeyId"),
        secret: text("SecretAccessKey"),
        token: None,
    };
    assert!(cloud.works(&new).await);

    let own = self::identity("user_name", "soc-console");
    let refused = connector
        .bind(&own, &[Verb::DisableIdentity], Timestamp::now())
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("the console itself signs with")
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_role_is_denied_trusted_by_nobody_and_comes_back() {
    let cloud = Cloud::new();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
    cloud
        .admin(&[
            ("Action", "CreateRole"),
            ("RoleName", "deploy"),
            ("AssumeRolePolicyDocument", trust),
        ])
        .await;
    cloud
        .admin(&[
            ("Action", "PutRolePolicy"),
            ("RoleName", "deploy"),
            ("PolicyName", "work"),
            ("PolicyDocument", ALL),
        ])
        .await;
    let fields = [
        ("Action", "AssumeRole"),
        ("RoleArn", "arn:aws:iam::123456789012:role/deploy"),
        ("RoleSessionName", "stolen"),
    ];
    let (status, answer) = cloud.ask(&cloud.admin, "sts", &fields).await;
    assert_eq!(status, 200, "{answer}");
    let part = |name: &str| {
        answer["AssumeRoleResponse"]["AssumeRoleResult"]["Credentials"][name]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let session = Key {
        id: part("AccessKeyId"),
        secret: part("SecretAccessKey"),
        token: Some(part("SessionToken")),
    };
    assert!(cloud.works(&session).await);

    let desk = cloud.desk(
        "aws_role",
        "role_name = 'deploy'",
        &server::misused("f-1", "svc-deployer"),
    );
    let (digest, _) = plan(&desk, "isolate-identity");
    assert_eq!(
        states(&contain(&desk, &digest).ends(0)),
        ["proven", "proven", "proven", "handed_off", "handed_off"]
    );
    assert!(!cloud.works(&session).await);
    desk.run(&["undo", &digest, "3"]).ends(0);
    desk.run(&["undo", &digest, "2"]).ends(0);
    assert!(cloud.works(&session).await);
    is_whole(
        &desk,
        &[
            &cloud.admin.secret,
            &session.secret,
            session.token.as_deref().unwrap(),
        ],
    );

    let connector = cloud.connector("aws_role");
    let identity = identity("role_name", "deploy");
    assumed(&cloud, &identity).await;
    for verb in [
        Verb::RevokeGrants,
        Verb::RestrictPrivilege,
        Verb::RevokeSessions,
    ] {
        let (bound, _) = server::contain(&connector, &identity, verb).await;
        server::undo(&connector, &bound).await;
    }
    let read = connector.read_context(&identity).await;
    assert_eq!(read.context.unknown, []);
    assert!(
        read.context.attributes["trust"]
            .raw()
            .contains("sts:AssumeRole")
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn a_key_works_beside_its_successor_until_its_time_is_over() {
    let cloud = Cloud::new();
    let old = cloud.user("svc-overlap").await;
    let alert = server::exposed("f-1", "svc-deployer");
    let books = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        books.path(),
        "[[playbook]]\nid = 'overlap'\ntitle = 'Overlap'\nwhen = {}\nstep = [\n\
         { do = 'preserve_evidence', team = 'SOC', tier = 'monitor' },\n\
         { do = 'issue_credential', team = 'IAM', tier = 'soft', irreversible = 'it takes nothing' },\n\
         { do = 'retire_credential', after_s = 60, team = 'IAM', tier = 'soft' },\n]\n",
    )
    .unwrap();
    let place = cloud.secrets.path().display().to_string();
    let more = format!(
        "params = {{ secret_dir = '{place}' }}\n[playbooks]\nfiles = ['{}']\n",
        books.path().display()
    );
    let desk = cloud.desk_with("aws_user", "user_name = 'svc-overlap'", &alert, &more);

    let (digest, planned) = plan(&desk, "overlap");
    assert!(
        planned
            .to_string()
            .contains("1 min after the new one took hold")
    );
    let done = desk.run(&["contain", &digest, "--json"]).ends(3);
    assert_eq!(states(&done), ["proven", "proven", "open"]);
    let kept = std::fs::read_dir(cloud.secrets.path()).unwrap().flatten();
    let kept = kept
        .map(|e| e.path())
        .find(|p| p.display().to_string().contains("svc-overlap."));
    let new: Value =
        serde_json::from_str(&std::fs::read_to_string(kept.unwrap()).unwrap()).unwrap();
    let text = |name: &str| new[name].as_str().unwrap().to_owned();
    let new = Key {
        id: text("AccessKeyId"),
        secret: text("SecretAccessKey"),
        token: None,
    };
    assert!(cloud.works(&old).await && cloud.works(&new).await);
    let debts = desk.run(&["debts", "--json"]).ends(0).rows();
    let found = (debts[0]["kind"].as_str(), debts[0]["overdue"].as_bool());
    assert_eq!((debts.len(), found), (1, (Some("overlap"), Some(false))));
    desk.run(&["overlap", "end", &digest, "2", "--reason", "x"])
        .ends(4)
        .tells(&["does not wait"]);
    desk.run(&["alert", "close", "f-1"])
        .ends(4)
        .tells(&["credentials"]);

    // Whoever has the duty does it when the time has come, and only once.
    let mut serving = Served::start(&desk);
    let mut pace = tokio::time::interval(std::time::Duration::from_secs(1));
    for waited in 0.. {
        if !cloud.works(&old).await {
            break;
        }
        assert!(waited < 150, "the old key still works");
        pace.tick().await;
    }
    serving.says("whose overlap is over");
    assert_eq!(serving.ends(), Some(0));
    let debts = desk.run(&["debts", "--json"]).ends(0).rows();
    assert_eq!(debts, [] as [Value; 0]);
    assert!(cloud.works(&new).await);
    let intents = desk
        .run(&["log", "show", "--type", "intent", "--json"])
        .ends(0);
    let retired = intents
        .out
        .lines()
        .filter(|l| l.contains("retire_credential"));
    assert_eq!(retired.count(), 1);
    // The leaked key stays off.
    desk.run(&["undo", &digest, "3"])
        .ends(4)
        .tells(&["its credential is exposed"]);
    is_whole(&desk, &[&cloud.admin.secret, &old.secret, &new.secret]);
}

/// The console itself may work as a role, with keys that it asks for.
async fn assumed(cloud: &Cloud, identity: &Identity) {
    let settings = ConnectorSettings {
        preset: Some("aws_role".to_owned()),
        file: None,
        base_url: cloud.url.clone(),
        params: BTreeMap::new(),
        auth: AuthSettings::AwsAssumedRole {
            access_key_id: cloud.admin.id.clone(),
            secret_access_key: SecretRef::File(cloud.secrets.put("console", &cloud.admin.secret)),
            region: "us-east-1".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/deploy".to_owned(),
            external_id: None,
            sts_url: Some(format!("{}/", cloud.url)),
        },
        ca_file: None,
        timeout_s: 20,
    };
    let read = Connector::new("live", &settings)
        .unwrap()
        .read_context(identity)
        .await;
    assert_eq!(read.context.unknown, []);
    assert!(
        read.context.attributes["trust"]
            .raw()
            .contains("sts:AssumeRole")
    );
}
