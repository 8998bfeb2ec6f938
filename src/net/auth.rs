//! How the console proves who it is to a provider.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::http::{Bytes, Exchange, Http, Outgoing, Payload, sensitive};
use super::secret::{SecretError, read};
use crate::app::settings::{AuthSettings, SecretRef};

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(20);

/// Why the console could not identify itself. Nothing was sent to the provider's API.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Its own secret cannot be read.
    #[error("cannot read the console's own secret: {0}")]
    Secret(#[from] SecretError),
    /// The token endpoint refused it.
    #[error("the console's own login was refused with status {0}; check `auth` of this connector")]
    Refused(u16),
    /// The token endpoint did not answer usefully.
    #[error("the console could not log in: {0}")]
    NoAnswer(String),
    /// A secret with bytes that no header can carry.
    #[error("the console's own secret holds characters that cannot be sent in a header")]
    NotPrintable,
}

/// One configured way to authenticate.
#[derive(Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// Bearer token.
    Bearer(SecretRef),
    /// User and password.
    Basic(String, SecretRef),
    /// A token from the client credentials grant, kept until shortly before it ends.
    Client(Box<Client>),
}

/// State of the client credentials grant.
#[derive(Debug)]
pub struct Client {
    token_url: Url,
    id: String,
    secret: SecretRef,
    scope: Option<String>,
    cached: Mutex<Option<(SecretString, Instant)>>,
}

impl Auth {
    /// Takes settings; `token_url` is the endpoint that they or the preset name.
    pub fn new(settings: &AuthSettings, token_url: Option<Url>) -> Option<Self> {
        Some(match settings {
            AuthSettings::None => Self::None,
            AuthSettings::Bearer { token } => Self::Bearer(token.clone()),
            AuthSettings::Basic { username, password } => {
                Self::Basic(username.clone(), password.clone())
            }
            AuthSettings::ClientCredentials {
                client_id,
                client_secret,
                scope,
                ..
            } => Self::Client(Box::new(Client {
                token_url: token_url?,
                id: client_id.clone(),
                secret: client_secret.clone(),
                scope: scope.clone(),
                cached: Mutex::new(None),
            })),
            // What is signed is the request, which is not known here.
            AuthSettings::AwsSigv4 { .. } => Self::None,
        })
    }

    /// Returns the name under which the console itself is known to the provider.
    pub fn own_name(&self) -> Option<&str> {
        match self {
            Self::None | Self::Bearer(_) => None,
            Self::Basic(name, _) => Some(name),
            Self::Client(client) => Some(&client.id),
        }
    }

    /// Returns the `Authorization` value.
    pub async fn header(&self, http: &Http) -> Result<Option<HeaderValue>, AuthError> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Bearer(token) => {
                Zeroizing::new(format!("Bearer {}", read(token).await?.expose_secret()))
            }
            Self::Basic(user, password) => basic(user, &read(password).await?),
            Self::Client(client) => client.bearer(http).await?,
        };
        sensitive(&text).map(Some).ok_or(AuthError::NotPrintable)
    }

    /// Drops a token that the provider refused; tells whether there was one that a new one may replace.
    pub async fn forget(&self) -> bool {
        match self {
            Self::Client(client) => client.cached.lock().await.take().is_some(),
            _ => false,
        }
    }
}

fn basic(user: &str, password: &SecretString) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{user}:{}", password.expose_secret()));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// Encodes one part of a client's credentials (RFC 6749 §2.3.1).
fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Client {
    async fn bearer(&self, http: &Http) -> Result<Zeroizing<String>, AuthError> {
        // The lock is held across the request, so that many reads at once ask for one token.
        let mut cached = self.cached.lock().await;
        if let Some((token, until)) = cached.as_ref()
            && Instant::now() < *until
        {
            return Ok(bearer(token));
        }
        let (token, lifetime) = self.fetch(http).await?;
        let keep = lifetime.saturating_sub(MARGIN).max(lifetime / 2);
        let text = bearer(&token);
        *cached = Some((token, Instant::now() + keep));
        Ok(text)
    }

    /// Returns the body of a token request (RFC 6749 §4.4.2). A function of its own: the serializer cannot be held
    /// across an await.
    fn form(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &self.scope {
            form.append_pair("scope", scope);
        }
        form.finish()
    }

    async fn fetch(&self, http: &Http) -> Result<(SecretString, Duration), AuthError> {
        let secret = read(&self.secret).await?;
        let encoded = SecretString::from(form_encoded(secret.expose_secret()));
        let header = basic(&form_encoded(&self.id), &encoded);
        let mut headers = HeaderMap::new();
        headers.insert(
            AUTHORIZATION,
            sensitive(&header).ok_or(AuthError::NotPrintable)?,
        );
        let form = self.form();
        let outgoing = Outgoing {
            method: Method::POST,
            url: self.token_url.clone(),
            headers,
            payload: Payload::Bytes(
                "application/x-www-form-urlencoded",
                Bytes(form.into_bytes()),
            ),
        };
        let answer = match http.send(outgoing).await {
            Exchange::NotSent(why) => {
                let origin = self.token_url.origin().ascii_serialization();
                return Err(AuthError::NoAnswer(format!(
                    "{origin} cannot be reached: {why}"
                )));
            }
            Exchange::Lost(why, _) => return Err(AuthError::NoAnswer(why)),
            Exchange::Answer(answer) => answer,
        };
        if answer.status != 200 {
            return Err(AuthError::Refused(answer.status));
        }
        let body = answer
            .json()
            .map_err(|why| AuthError::NoAnswer(why.to_owned()))?;
        let token = body
            .get("access_token")
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| AuthError::NoAnswer("the answer holds no access_token".to_owned()))?;
        let seconds = body
            .get("expires_in")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(60)
            .min(24 * 3600);
        Ok((
            SecretString::from(token.to_owned()),
            Duration::from_secs(seconds),
        ))
    }
}

fn bearer(token: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(format!("Bearer {}", token.expose_secret()))
}
