//! What can be configured, as plain data that the configuration file, the drill and the adapters share.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::domain::queue::Grouping;
use crate::domain::urgency::Sla;

use serde::{Deserialize, Serialize};

mod inventory;
mod source;

pub use inventory::{InventorySettings, InventorySource};
pub use source::{AfterReading, ReceiverSettings, SenderAuth, SignatureEncoding, SourceSettings};

/// Where a secret is to be read at the moment it is needed; never the secret itself (`DESIGN` §4 rule 11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:PATH`: a file that only its owner may read; a trailing newline is not part of the secret.
    File(PathBuf),
    /// `cmd:PROGRAM ARG …`: standard output of a program started without a shell; arguments are split at spaces.
    Cmd(Vec<String>),
}

impl SecretRef {
    /// Makes a relative file path relative to `base`, the folder of the file that holds the reference.
    pub fn make_absolute(&mut self, base: &Path) {
        if let Self::File(path) = self {
            *path = base.join(&*path);
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Self::Env(name.to_owned()),
            Some(("file", path)) if !path.is_empty() => Self::File(path.into()),
            Some(("cmd", line)) if !line.trim().is_empty() => {
                Self::Cmd(line.split_whitespace().map(str::to_owned).collect())
            }
            // The text may be the secret itself, pasted by mistake: it is not repeated here.
            _ => {
                return Err(
                    "a secret must be a reference: `env:NAME`, `file:/path` or `cmd:program arg`"
                        .to_owned(),
                );
            }
        };
        Ok(parsed)
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Cmd(argv) => write!(f, "cmd:{}", argv.join(" ")),
        }
    }
}

/// One configured provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorSettings {
    /// Name of an embedded preset: `keycloak`, `oauth`. Exactly one of `preset` and `file` is set.
    pub preset: Option<String>,
    /// A connector file of the user's own.
    pub file: Option<PathBuf>,
    /// Scheme, host, port and path prefix that every request goes to; https unless the host is loopback.
    pub base_url: String,
    /// Values for the connector's own parameters (`realm = "prod"`).
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// How the console proves who it is.
    #[serde(default)]
    pub auth: AuthSettings,
    /// PEM file of a private certificate authority, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Longest wait for one answer, in seconds.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: u64,
}

const fn default_timeout_s() -> u64 {
    10
}

/// How a connector authenticates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthSettings {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Bearer` (RFC 6750).
    Bearer {
        /// The token.
        token: SecretRef,
    },
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// User name or client id.
        username: String,
        /// Password or client secret.
        password: SecretRef,
    },
    /// OAuth 2.0 client credentials grant (RFC 6749 §4.4), renewed before it ends.
    ClientCredentials {
        /// Token endpoint; relative to `base_url` or absolute on the same host. The preset may give one.
        token_url: Option<String>,
        /// Client id.
        client_id: String,
        /// Client secret, sent as HTTP Basic (RFC 6749 §2.3.1).
        client_secret: SecretRef,
        /// Scope to ask for.
        scope: Option<String>,
    },
    /// A token in a header of its own, or behind another word than `Bearer` (`X-Vault-Token`, `PRIVATE-TOKEN`,
    /// `Authorization: SSWS …`).
    Header {
        /// Name of the header.
        header: String,
        /// Text before the token, its space included.
        #[serde(default)]
        prefix: String,
        /// The token.
        token: SecretRef,
    },
    /// OAuth 2.0 client credentials, proved by a signed assertion instead of a secret (RFC 7523 §2.2).
    PrivateKeyJwt {
        /// Token endpoint; see [`Self::ClientCredentials`].
        token_url: Option<String>,
        /// Client id.
        client_id: String,
        /// The private key, PEM: RSA for RS256, or P-256 (PKCS #8) for ES256.
        key: SecretRef,
        /// Name of the key at the server (`kid`).
        key_id: Option<String>,
        /// Scope to ask for.
        scope: Option<String>,
    },
    /// A Google service account: the signed assertion of its key file, exchanged for an access token (RFC 7523 §2.1).
    GoogleServiceAccount {
        /// The key file, JSON, as Google hands it out.
        key: SecretRef,
        /// Token endpoint; the key file's `token_uri` is not followed.
        #[serde(default = "google_token_url")]
        token_url: String,
        /// Scope to ask for.
        #[serde(default = "google_scope")]
        scope: String,
    },
    /// A GitHub App: its own signed assertion, or a token of one installation.
    GithubApp {
        /// Id of the app, or its client id.
        app_id: String,
        /// The app's private key, PEM.
        key: SecretRef,
        /// Installation to act as; without it the console acts as the app itself.
        installation_id: Option<String>,
    },
    /// The token of the Kubernetes service account that the console runs as, read anew for every request, because the
    /// kubelet renews it.
    KubernetesServiceAccount {
        /// The mounted token.
        #[serde(default = "service_account_token")]
        token_file: PathBuf,
    },
    /// A client certificate (RFC 8446 §4.4.2).
    Mtls {
        /// PEM file with the certificate and those that lead to its root.
        certificate: PathBuf,
        /// Its private key, PEM.
        key: SecretRef,
    },
    /// AWS Signature Version 4 with the temporary keys of a role, which is assumed before its session ends; for connectors
    /// only.
    AwsAssumedRole {
        /// Id of the access key that may assume the role.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: SecretRef,
        /// Region of the service.
        region: String,
        /// The role.
        role_arn: String,
        /// What the role's trust policy asks for (`sts:ExternalId`).
        external_id: Option<String>,
        /// Where STS is, when it is not AWS's own in that region.
        sts_url: Option<String>,
    },
    /// AWS Signature Version 4.
    AwsSigv4 {
        /// Id of the access key.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: SecretRef,
        /// The session's token, for temporary keys.
        session_token: Option<SecretRef>,
        /// Region of the service.
        region: String,
    },
}

fn google_token_url() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

fn google_scope() -> String {
    "https://www.googleapis.com/auth/cloud-platform".to_owned()
}

fn service_account_token() -> PathBuf {
    PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token")
}

impl AuthSettings {
    /// Makes every file that it names relative to `base`.
    pub fn make_absolute(&mut self, base: &Path) {
        match self {
            Self::AwsSigv4 {
                session_token: Some(token),
                ..
            } => token.make_absolute(base),
            Self::Mtls { certificate, .. } => *certificate = base.join(&*certificate),
            Self::KubernetesServiceAccount { token_file } => *token_file = base.join(&*token_file),
            _ => {}
        }
        if let Some(secret) = self.secret_mut() {
            secret.make_absolute(base);
        }
    }

    /// Returns the word under which a configuration chooses this way.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::ClientCredentials { .. } => "client_credentials",
            Self::Header { .. } => "header",
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
            Self::GoogleServiceAccount { .. } => "google_service_account",
            Self::GithubApp { .. } => "github_app",
            Self::KubernetesServiceAccount { .. } => "kubernetes_service_account",
            Self::Mtls { .. } => "mtls",
            Self::AwsAssumedRole { .. } => "aws_assumed_role",
            Self::AwsSigv4 { .. } => "aws_sigv4",
        }
    }

    /// Returns the reference to the console's own secret, if this way needs one.
    pub const fn secret_mut(&mut self) -> Option<&mut SecretRef> {
        match self {
            Self::None | Self::KubernetesServiceAccount { .. } => None,
            Self::Bearer { token } | Self::Header { token, .. } => Some(token),
            Self::PrivateKeyJwt { key, .. }
            | Self::GoogleServiceAccount { key, .. }
            | Self::GithubApp { key, .. }
            | Self::Mtls { key, .. } => Some(key),
            Self::Basic { password, .. } => Some(password),
            Self::ClientCredentials { client_secret, .. } => Some(client_secret),
            Self::AwsSigv4 {
                secret_access_key, ..
            }
            | Self::AwsAssumedRole {
                secret_access_key, ..
            } => Some(secret_access_key),
        }
    }

    /// Returns the reference to the console's own secret, if this way needs one.
    pub const fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::None | Self::KubernetesServiceAccount { .. } => None,
            Self::Bearer { token } | Self::Header { token, .. } => Some(token),
            Self::PrivateKeyJwt { key, .. }
            | Self::GoogleServiceAccount { key, .. }
            | Self::GithubApp { key, .. }
            | Self::Mtls { key, .. } => Some(key),
            Self::Basic { password, .. } => Some(password),
            Self::ClientCredentials { client_secret, .. } => Some(client_secret),
            Self::AwsSigv4 {
                secret_access_key, ..
            }
            | Self::AwsAssumedRole {
                secret_access_key, ..
            } => Some(secret_access_key),
        }
    }
}

/// How long alerts are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// Seconds since an alert last came; `None` for ever.
    pub keep_s: Option<u64>,
    /// Bytes that the store may take; `None` for any.
    pub most_bytes: Option<u64>,
}

/// How an analyst's desk is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desk {
    /// Until when alerts are to be contained.
    pub sla: Sla,
    /// Views to choose from, at most nine.
    pub views: Vec<View>,
}

/// A choice of alerts under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What people call it.
    pub name: String,
    /// Which alerts; empty for all.
    pub filter: String,
    /// What is folded together.
    pub fold: Grouping,
}
