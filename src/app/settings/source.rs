//! Where alerts come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{AuthSettings, SecretRef};

/// Makes every reference of a way to authenticate relative to `base`.
fn fix_auth(auth: &mut AuthSettings, base: &Path) {
    auth.make_absolute(base);
}

/// One source of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceSettings {
    /// A file of JSON lines, followed through rotation and truncation.
    File {
        /// Its name on screen and in alert ids.
        name: String,
        /// Its path.
        path: PathBuf,
        /// Decoder; found from each line when not given.
        format: Option<String>,
    },
    /// Standard input, JSON lines.
    Stdin {
        /// Its name on screen and in alert ids.
        name: String,
        /// Decoder; found from each line when not given.
        format: Option<String>,
    },
    /// A folder into which files are put by renaming: JSON lines or one document each, possibly gzipped.
    Spool {
        /// Its name on screen and in alert ids.
        name: String,
        /// The folder.
        path: PathBuf,
        /// Decoder; found from each alert when not given.
        format: Option<String>,
        /// What becomes of a file that is stored.
        #[serde(default)]
        after: AfterReading,
    },
    /// A local socket that programs of this host write JSON lines to.
    Socket {
        /// Its name on screen and in alert ids.
        name: String,
        /// Where the socket is made, mode 0600.
        path: PathBuf,
        /// Decoder; found from each line when not given.
        format: Option<String>,
    },
    /// An HTTP API that is asked again and again.
    Poll {
        /// Its name on screen and in alert ids.
        name: String,
        /// Name of an embedded description of the API. Exactly one of `preset` and `file` is set.
        preset: Option<String>,
        /// A description of the user's own.
        file: Option<PathBuf>,
        /// Scheme, host, port and path prefix that every request goes to; https unless the host is loopback.
        base_url: String,
        /// Values for the description's own parameters.
        #[serde(default)]
        params: BTreeMap<String, String>,
        /// How the console proves who it is.
        #[serde(default)]
        auth: AuthSettings,
        /// PEM file of a private certificate authority, trusted besides the system's.
        ca_file: Option<PathBuf>,
        /// Seconds between two sweeps, 1 to 86,400; the description's own when not given.
        every_s: Option<u64>,
        /// Shortest time between two requests in milliseconds, at most a minute; the description's own when not given.
        gap_ms: Option<u64>,
        /// Decoder; the description's own when not given.
        format: Option<String>,
    },
    /// A sender of alerts by HTTP POST.
    Webhook {
        /// Its name on screen and in alert ids, and the last part of its path: `/hooks/NAME`.
        name: String,
        /// How the sender proves who it is.
        sender: SenderAuth,
        /// Decoder; found from each alert when not given.
        format: Option<String>,
        /// Most bytes of one body, in KiB, 1 to 16,384.
        #[serde(default = "default_body_kib")]
        max_body_kib: u32,
    },
    /// Security events pushed by their transmitter (RFC 8935), to `/events/NAME`.
    EventsPush {
        /// Its name on screen and in alert ids.
        name: String,
        /// `iss` of its tokens.
        issuer: String,
        /// `aud` that its tokens must hold.
        audience: String,
        /// What the transmitter sends as `Authorization: Bearer`, if it does.
        token: Option<SecretRef>,
    },
    /// Security events that are asked for (RFC 8936).
    EventsPoll {
        /// Its name on screen and in alert ids.
        name: String,
        /// The polling endpoint; https unless the host is loopback.
        url: String,
        /// `iss` of its tokens.
        issuer: String,
        /// `aud` that its tokens must hold.
        audience: String,
        /// How the console proves who it is.
        #[serde(default)]
        auth: AuthSettings,
        /// PEM file of a private certificate authority, trusted besides the system's.
        ca_file: Option<PathBuf>,
        /// Seconds between two questions, 1 to 86,400.
        #[serde(default = "default_every_s")]
        every_s: u64,
    },
}

const fn default_body_kib() -> u32 {
    4_096
}

const fn default_every_s() -> u64 {
    30
}

/// What becomes of a file of a folder when it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterReading {
    /// It stays; it is remembered for as long as it is there.
    #[default]
    Keep,
    /// It is removed.
    Remove,
}

/// How a sender proves who it is. Without one of these nothing is received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SenderAuth {
    /// `X-Hub-Signature-256` (GitHub, "Validating webhook deliveries").
    Github {
        /// The secret of the webhook.
        secret: SecretRef,
    },
    /// `X-Gitlab-Token` (GitLab, "Webhooks").
    Gitlab {
        /// The secret token of the webhook.
        secret: SecretRef,
    },
    /// `X-Slack-Signature`, version v0, not older than five minutes (Slack, "Verifying requests from Slack").
    Slack {
        /// The signing secret of the app.
        secret: SecretRef,
    },
    /// HMAC-SHA-256 over the body, in a header.
    Hmac {
        /// The key.
        secret: SecretRef,
        /// Name of the header.
        header: String,
        /// Text before the signature (`sha256=`).
        #[serde(default)]
        prefix: String,
        /// How the signature is written.
        #[serde(default)]
        encoding: SignatureEncoding,
    },
    /// `Authorization: Bearer`.
    Bearer {
        /// The token.
        secret: SecretRef,
    },
    /// `Authorization: Basic`.
    Basic {
        /// User name.
        username: String,
        /// Password.
        secret: SecretRef,
    },
    /// A secret as the whole value of a header (`X-Gitlab-Event-Streaming-Token`).
    Header {
        /// Name of the header.
        header: String,
        /// The value.
        secret: SecretRef,
    },
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureEncoding {
    /// Hexadecimal.
    #[default]
    Hex,
    /// Base64 with padding.
    Base64,
}

impl SenderAuth {
    /// Returns the reference to the secret.
    pub const fn secret(&self) -> &SecretRef {
        match self {
            Self::Github { secret }
            | Self::Gitlab { secret }
            | Self::Slack { secret }
            | Self::Hmac { secret, .. }
            | Self::Bearer { secret }
            | Self::Basic { secret, .. }
            | Self::Header { secret, .. } => secret,
        }
    }

    const fn secret_mut(&mut self) -> &mut SecretRef {
        match self {
            Self::Github { secret }
            | Self::Gitlab { secret }
            | Self::Slack { secret }
            | Self::Hmac { secret, .. }
            | Self::Bearer { secret }
            | Self::Basic { secret, .. }
            | Self::Header { secret, .. } => secret,
        }
    }
}

/// Where senders are listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiverSettings {
    /// Address and port, plain HTTP. A proxy in front of it may add TLS.
    pub listen: String,
    /// Whether an address other than loopback is meant.
    pub allow_remote: bool,
    /// Longest wait for the head of a request, and for its body, in seconds, 1 to 300.
    pub patience_s: u64,
}

impl Default for ReceiverSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8460".to_owned(),
            allow_remote: false,
            patience_s: 10,
        }
    }
}

impl SourceSettings {
    /// Returns the name on screen and in alert ids.
    pub fn name(&self) -> &str {
        match self {
            Self::File { name, .. }
            | Self::Stdin { name, .. }
            | Self::Spool { name, .. }
            | Self::Socket { name, .. }
            | Self::Poll { name, .. }
            | Self::Webhook { name, .. }
            | Self::EventsPush { name, .. }
            | Self::EventsPoll { name, .. } => name,
        }
    }

    /// Returns the decoder that is set.
    pub fn format(&self) -> Option<&str> {
        match self {
            Self::File { format, .. }
            | Self::Stdin { format, .. }
            | Self::Spool { format, .. }
            | Self::Socket { format, .. }
            | Self::Poll { format, .. }
            | Self::Webhook { format, .. } => format.as_deref(),
            Self::EventsPush { .. } | Self::EventsPoll { .. } => None,
        }
    }

    /// Returns what kind of source it is, as the configuration calls it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Stdin { .. } => "stdin",
            Self::Spool { .. } => "spool",
            Self::Socket { .. } => "socket",
            Self::Poll { .. } => "poll",
            Self::Webhook { .. } => "webhook",
            Self::EventsPush { .. } => "events_push",
            Self::EventsPoll { .. } => "events_poll",
        }
    }

    /// Returns the reference to the secret it needs, with the key that holds it.
    pub const fn secret(&self) -> Option<(&'static str, &SecretRef)> {
        match self {
            Self::Poll { auth, .. } | Self::EventsPoll { auth, .. } => match auth.secret() {
                Some(secret) => Some(("auth", secret)),
                None => None,
            },
            Self::Webhook { sender, .. } => Some(("sender", sender.secret())),
            Self::EventsPush { token, .. } => match token {
                Some(token) => Some(("token", token)),
                None => None,
            },
            Self::File { .. } | Self::Stdin { .. } | Self::Spool { .. } | Self::Socket { .. } => {
                None
            }
        }
    }

    /// Tells whether somebody sends to it over HTTP.
    pub const fn is_received(&self) -> bool {
        matches!(self, Self::Webhook { .. } | Self::EventsPush { .. })
    }

    /// Makes relative paths relative to `base`, the folder of the file that holds them.
    pub fn make_absolute(&mut self, base: &Path) {
        let fix = |path: &mut PathBuf| *path = base.join(&*path);
        match self {
            Self::File { path, .. } | Self::Spool { path, .. } | Self::Socket { path, .. } => {
                fix(path);
            }
            Self::Stdin { .. } => {}
            Self::Poll {
                file,
                auth,
                ca_file,
                ..
            } => {
                file.iter_mut().for_each(fix);
                ca_file.iter_mut().for_each(fix);
                fix_auth(auth, base);
            }
            Self::Webhook { sender, .. } => sender.secret_mut().make_absolute(base),
            Self::EventsPush { token, .. } => {
                if let Some(secret) = token {
                    secret.make_absolute(base);
                }
            }
            Self::EventsPoll { auth, ca_file, .. } => {
                ca_file.iter_mut().for_each(fix);
                fix_auth(auth, base);
            }
        }
    }
}
