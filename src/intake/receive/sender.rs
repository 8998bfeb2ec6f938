//! Whether a request comes from the sender that it should come from.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use jiff::Timestamp;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::settings::{SecretRef, SenderAuth, SignatureEncoding};
use crate::net::secret::{self, SecretError};

/// How far a signed time may lie from now (Slack, "Verifying requests from Slack", step 3).
const SLACK_WINDOW_S: i64 = 300;

/// A secret that turned a sender away is read again after this long: somebody may have changed it.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// For how long the same body is the same sending, in seconds: where the body is signed, and where a sender may well say
/// the same again.
const SIGNED_S: u32 = 7 * 86_400;
const UNSIGNED_S: u32 = 3_600;

/// Why a sender is turned away. Nothing of what it sent is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It proves nothing.
    #[error("no `{0}` header; set the secret of this source at the sender")]
    Missing(String),
    /// It says two things.
    #[error("more than one `{0}` header")]
    Several(String),
    /// What it proves with is not written as it should be.
    #[error("`{header}` is not {wanted}")]
    Malformed {
        /// Which header.
        header: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The signature was not made with the secret over this body.
    #[error("its signature in `{0}` is wrong")]
    Signature(String),
    /// Not the secret.
    #[error("the secret in `{0}` is wrong")]
    Secret(String),
    /// Signed too long ago, or in the future.
    #[error(
        "it was signed {0} s away from now, more than the 300 s allowed; is it a replay, or a clock that is wrong?"
    )]
    Old(i64),
    /// The own secret cannot be read any more.
    #[error("the secret of this source cannot be read: {0}")]
    Own(String),
}

/// What proves one sender.
pub(crate) struct Verifier {
    auth: SenderAuth,
    secret: Mutex<(SecretString, Instant)>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.header())
    }
}

impl Verifier {
    /// Reads the secret; without it nobody is listened to.
    pub async fn new(auth: SenderAuth) -> Result<Self, SecretError> {
        let secret = secret::read(auth.secret()).await?;
        Ok(Self {
            auth,
            secret: Mutex::new((secret, Instant::now())),
        })
    }

    /// Verifies `Authorization: Bearer`.
    pub async fn bearer(secret: SecretRef) -> Result<Self, SecretError> {
        Self::new(SenderAuth::Bearer { secret }).await
    }

    /// Returns for how many seconds the same body is the same sending.
    pub const fn same_for_s(&self) -> u32 {
        match self.auth {
            SenderAuth::Github { .. } | SenderAuth::Slack { .. } | SenderAuth::Hmac { .. } => {
                SIGNED_S
            }
            _ => UNSIGNED_S,
        }
    }

    fn header(&self) -> &str {
        match &self.auth {
            SenderAuth::Github { .. } => "X-Hub-Signature-256",
            SenderAuth::Gitlab { .. } => "X-Gitlab-Token",
            SenderAuth::Slack { .. } => "X-Slack-Signature",
            SenderAuth::Hmac { header, .. } | SenderAuth::Header { header, .. } => header,
            SenderAuth::Bearer { .. } | SenderAuth::Basic { .. } => "Authorization",
        }
    }

    /// Tells whether the body says nothing about the sender, so that it need not be read to know.
    pub const fn needs_no_body(&self) -> bool {
        !matches!(
            self.auth,
            SenderAuth::Github { .. } | SenderAuth::Slack { .. } | SenderAuth::Hmac { .. }
        )
    }

    /// Checks that there is something to verify, before a body is read.
    pub fn has_proof(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        one(headers, self.header()).map(drop)
    }

    /// Verifies a request.
    pub async fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut secret = self.secret.lock().await;
        let first = self.check(headers, body, secret.0.expose_secret(), now);
        let is_wrong = matches!(first, Err(Refusal::Signature(_) | Refusal::Secret(_)));
        if !is_wrong || secret.1.elapsed() < READ_AGAIN {
            return first;
        }
        secret.1 = Instant::now();
        match secret::read(self.auth.secret()).await {
            Ok(read) => secret.0 = read,
            Err(error) => return Err(Refusal::Own(error.to_string())),
        }
        self.check(headers, body, secret.0.expose_secret(), now)
    }

    fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secret: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let name = self.header();
        let value = one(headers, name)?;
        let secret_is = |given: &str, wanted: &str| {
            same(given.as_bytes(), wanted.as_bytes())
                .then_some(())
                .ok_or_else(|| Refusal::Secret(name.to_owned()))
        };
        match &self.auth {
            SenderAuth::Github { .. } => {
                self.signed(value, "sha256=", SignatureEncoding::Hex, secret, &[body])
            }
            SenderAuth::Hmac {
                prefix, encoding, ..
            } => self.signed(value, prefix, *encoding, secret, &[body]),
            SenderAuth::Slack { .. } => {
                let clock = "X-Slack-Request-Timestamp";
                let at = one(headers, clock)?;
                let seconds: i64 = at.parse().map_err(|_| Refusal::Malformed {
                    header: clock.to_owned(),
                    wanted: "a number of seconds",
                })?;
                let parts: [&[u8]; 4] = [b"v0:", at.as_bytes(), b":", body];
                self.signed(value, "v0=", SignatureEncoding::Hex, secret, &parts)?;
                let away = now.as_second().saturating_sub(seconds).saturating_abs();
                if away > SLACK_WINDOW_S {
                    return Err(Refusal::Old(away));
                }
                Ok(())
            }
            SenderAuth::Gitlab { .. } | SenderAuth::Header { .. } => secret_is(value, secret),
            SenderAuth::Bearer { .. } => secret_is(self.scheme(value, "Bearer")?, secret),
            SenderAuth::Basic { username, .. } => {
                let wanted = zeroize::Zeroizing::new(format!("{username}:{secret}"));
                let wanted = zeroize::Zeroizing::new(STANDARD.encode(wanted.as_bytes()));
                secret_is(self.scheme(value, "Basic")?, &wanted)
            }
        }
    }

    /// Returns what follows an authentication scheme, whose name has no case (RFC 9110 §11.1).
    fn scheme<'v>(&self, value: &'v str, scheme: &'static str) -> Result<&'v str, Refusal> {
        match value.split_once(' ') {
            Some((found, rest)) if found.eq_ignore_ascii_case(scheme) => Ok(rest.trim()),
            _ => Err(Refusal::Malformed {
                header: self.header().to_owned(),
                wanted: match scheme {
                    "Basic" => "`Basic` authentication",
                    _ => "`Bearer` authentication",
                },
            }),
        }
    }

    fn signed(
        &self,
        value: &str,
        prefix: &str,
        encoding: SignatureEncoding,
        secret: &str,
        parts: &[&[u8]],
    ) -> Result<(), Refusal> {
        let malformed = |wanted| Refusal::Malformed {
            header: self.header().to_owned(),
            wanted,
        };
        let text = value
            .strip_prefix(prefix)
            .ok_or_else(|| malformed("a signature of the configured kind"))?;
        let given = match encoding {
            SignatureEncoding::Hex => {
                unhex(text).ok_or_else(|| malformed("a hexadecimal signature"))
            }
            SignatureEncoding::Base64 => STANDARD
                .decode(text)
                .map_err(|_| malformed("a base64 signature")),
        }?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let message = parts.concat();
        hmac::verify(&key, &message, &given)
            .map_err(|_| Refusal::Signature(self.header().to_owned()))
    }
}

/// Returns the only value of a header.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(Refusal::Missing(name.to_owned())),
        (Some(_), Some(_)) => Err(Refusal::Several(name.to_owned())),
        (Some(value), None) => value.to_str().map_err(|_| Refusal::Malformed {
            header: name.to_owned(),
            wanted: "plain text",
        }),
    }
}

/// Compares in a time that depends on neither: both are hashed under a key that nobody knows.
fn same(a: &[u8], b: &[u8]) -> bool {
    let mut key = [0; 32];
    if SystemRandom::new().fill(&mut key).is_err() {
        return false;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    hmac::verify(&key, a, hmac::sign(&key, b).as_ref()).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 128 {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
    text.as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests;
