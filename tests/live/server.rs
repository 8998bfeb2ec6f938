//! Starts the real servers and prepares what the tests share.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use stanch::app::settings::{AuthSettings, ConnectorSettings, SecretRef};
use stanch::connect::{Bound, Connector, Connectors};
use stanch::domain::coverage::{Proof, WireOutcome};
use stanch::domain::identity::{Credential, Identity};
use stanch::domain::ids::IdentityId;
use stanch::domain::plan::Undo;
use stanch::domain::text::Untrusted;
use stanch::domain::vocabulary::{IdentityKind, Verb};

/// Starts a server and returns what its script printed, as words by their name.
pub fn start(script: &str, environment: &[(&str, &str)]) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/live")
        .join(script);
    let output = Command::new(path)
        .arg("start")
        .env("STANCH_LIVE_OWNER", std::process::id().to_string())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A plain client for preparing and for asking as somebody else.
pub fn client() -> reqwest::Client {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A private directory with files that only we can read.
pub struct Secrets(tempfile::TempDir);

impl Secrets {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn put(&self, name: &str, secret: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

/// Loads one connector that logs in with client credentials.
pub fn connector(
    preset: &str,
    url: &str,
    params: &[(&str, &str)],
    client: (&str, PathBuf),
) -> Arc<Connector> {
    let settings = ConnectorSettings {
        preset: Some(preset.to_owned()),
        file: None,
        base_url: url.to_owned(),
        params: params
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        auth: AuthSettings::ClientCredentials {
            token_url: (preset == "oauth").then(|| "/token".to_owned()),
            client_id: client.0.to_owned(),
            client_secret: SecretRef::File(client.1),
            scope: None,
        },
        ca_file: None,
        timeout_s: 20,
    };
    let loaded = Connectors::load(&BTreeMap::from([("live".to_owned(), settings)]))
        .unwrap_or_else(|e| panic!("{e}"));
    Arc::clone(loaded.get("live").unwrap())
}

/// An identity with a client id and, where given, a copy of its access token.
pub fn identity(client_id: &str, token: Option<&Path>) -> Identity {
    let mut identity = Identity::not_in_inventory(
        IdentityId::new(format!("live:{client_id}")),
        Untrusted::new(client_id),
        IdentityKind::OauthClient,
    );
    identity.connector = Some("live".to_owned());
    identity
        .params
        .insert("client_id".to_owned(), client_id.to_owned());
    identity.credentials.extend(token.map(|path| Credential {
        id: Untrusted::new("leaked token"),
        kind: Untrusted::new("access_token"),
        secret_ref: Some(format!("file:{}", path.display())),
        ..Credential::default()
    }));
    identity
}

/// An alert that says that a credential of this identity was found where it can be read.
pub fn exposed(uid: &str, native_id: &str) -> String {
    super::desk::finding(uid, native_id).replace("T1550.001", "T1552.001")
}

/// An alert about the use of an identity, whose credentials nobody found: what was cut off may be taken back.
pub fn misused(uid: &str, native_id: &str) -> String {
    super::desk::finding(uid, native_id)
}

/// Binds one verb, runs it and verifies it; returns the plan parts and the captured files.
pub async fn contain(
    connector: &Connector,
    identity: &Identity,
    verb: Verb,
) -> (Bound, Vec<PathBuf>) {
    let bound = connector
        .bind(identity, &[verb], jiff::Timestamp::now())
        .await
        .unwrap_or_else(|e| panic!("{verb}: {e}"));
    let step = &bound.steps[0];
    for precondition in &bound.preconditions {
        assert_eq!(connector.drift(precondition).await.unwrap(), None, "{verb}");
    }
    let run = connector
        .run(&step.requests, &uuid::Uuid::now_v7().to_string())
        .await;
    assert_eq!(
        (run.outcome, &run.error),
        (WireOutcome::Accepted, &None),
        "{verb}"
    );
    let verified = connector.verify(step.verify.as_ref().unwrap()).await;
    assert_eq!(verified.proof, Proof::Agrees, "{verb}: {verified:?}");
    (bound, run.captured)
}

/// Takes the first step back and proves that.
pub async fn undo(connector: &Connector, bound: &Bound) {
    let Undo::Requests { requests, verify } = &bound.steps[0].undo else {
        panic!("nothing to take back: {:?}", bound.steps[0].undo);
    };
    let run = connector
        .run(requests, &uuid::Uuid::now_v7().to_string())
        .await;
    assert_eq!((run.outcome, run.error), (WireOutcome::Accepted, None));
    let verified = connector.verify(verify.as_ref().unwrap()).await;
    assert_eq!(verified.proof, Proof::Agrees, "{verified:?}");
}
