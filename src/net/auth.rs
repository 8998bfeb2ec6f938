//! How the console proves who it is to a provider.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::http::{Bytes, Exchange, Http, Outgoing, Payload, sensitive};
use super::jwt::{self, JwtError};
use super::place;
use super::secret::{SecretError, read};
use super::sigv4;
use crate::app::settings::{AuthSettings, SecretRef};

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(20);

/// Names the settings that an answer of the token endpoint points at.
const fn what_to_check(status: u16) -> &'static str {
    match status {
        404 | 405 | 410 => {
            "`base_url` and `params` of this connector: nothing that logs in is at that address"
        }
        _ => "`auth` of this connector",
    }
}

/// Why the console could not identify itself. Nothing was sent to the provider's API.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Its own secret cannot be read.
    #[error("cannot read the console's own secret: {0}")]
    Secret(#[from] SecretError),
    /// The token endpoint refused it.
    #[error("the console's own login was refused with status {}; check {}", .0, what_to_check(*.0))]
    Refused(u16),
    /// The token endpoint did not answer usefully.
    #[error("the console could not log in: {0}")]
    NoAnswer(String),
    /// Its private key does not sign.
    #[error("the console's own key {0}")]
    Key(#[from] JwtError),
    /// Its key file is not what the provider hands out.
    #[error(
        "the console's own key file holds no `{0}`; give the JSON file as the provider handed it out"
    )]
    KeyFile(&'static str),
    /// The mounted token cannot be read.
    #[error("cannot read the service account's token `{path}`: {error}")]
    TokenFile {
        /// Which file.
        path: String,
        /// What the system said.
        error: String,
    },
    /// A way that needs more than one header of its own.
    #[error("`auth` of this kind is for connectors only; use another one here")]
    ConnectorsOnly,
    /// A secret with bytes that no header can carry.
    #[error("the console's own secret holds characters that cannot be sent in a header")]
    NotPrintable,
}

/// Longest token that is read from a mounted file, in bytes.
const MAX_TOKEN: u64 = 64 * 1024;
/// How long an assertion is good: GitHub takes ten minutes at most.
const ASSERTION_S: i64 = 300;

/// One configured way to authenticate.
#[derive(Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// By a client certificate, which the connection shows.
    Certificate,
    /// Bearer token.
    Bearer(SecretRef),
    /// User and password.
    Basic(String, SecretRef),
    /// A token in a header, behind a prefix.
    Header(HeaderName, String, SecretRef),
    /// A token that is asked for, kept until shortly before it ends.
    Client(Box<Client>),
    /// A GitHub App as itself: its id and key.
    App(String, SecretRef),
    /// A mounted token, read anew each time.
    Mounted(PathBuf),
    /// Every request is signed.
    Aws(Box<AwsKey>),
}

/// What requests to AWS are signed with.
#[derive(Debug)]
pub struct AwsKey {
    id: String,
    secret: SecretRef,
    token: Option<SecretRef>,
    region: String,
    role: Option<Role>,
}

/// A role that is assumed first.
#[derive(Debug)]
struct Role {
    sts: Url,
    arn: String,
    external_id: Option<String>,
    cached: Mutex<Option<(Temporary, Instant)>>,
}

/// Keys of a session.
#[derive(Clone, Debug)]
struct Temporary {
    id: String,
    secret: SecretString,
    token: Option<SecretString>,
}

/// How a token is asked for.
#[derive(Debug)]
enum Grant {
    /// With a client secret.
    Secret(SecretRef),
    /// With an assertion signed by a key of this name.
    Assertion(SecretRef, Option<String>),
    /// With the key file of a Google service account.
    Google(SecretRef),
    /// As a GitHub App, for an installation.
    Installation(SecretRef),
}

/// State of a grant.
#[derive(Debug)]
pub struct Client {
    token_url: Url,
    id: String,
    grant: Grant,
    scope: Option<String>,
    cached: Mutex<Option<(SecretString, Instant)>>,
}

impl Client {
    fn auth(token_url: Url, id: &str, grant: Grant, scope: Option<String>) -> Auth {
        Auth::Client(Box::new(Self {
            token_url,
            id: id.to_owned(),
            grant,
            scope,
            cached: Mutex::new(None),
        }))
    }
}

impl Auth {
    /// Takes settings; `token_url` is the endpoint that they or the preset name. `None` when it is needed and missing, or
    /// a header has no possible name.
    pub fn new(settings: &AuthSettings, token_url: Option<Url>) -> Option<Self> {
        Some(match settings {
            AuthSettings::None => Self::None,
            AuthSettings::Mtls { .. } => Self::Certificate,
            AuthSettings::Bearer { token } => Self::Bearer(token.clone()),
            AuthSettings::Basic { username, password } => {
                Self::Basic(username.clone(), password.clone())
            }
            AuthSettings::Header {
                header,
                prefix,
                token,
            } => Self::Header(header.parse().ok()?, prefix.clone(), token.clone()),
            AuthSettings::ClientCredentials {
                client_id,
                client_secret,
                scope,
                ..
            } => {
                let grant = Grant::Secret(client_secret.clone());
                Client::auth(token_url?, client_id, grant, scope.clone())
            }
            AuthSettings::PrivateKeyJwt {
                client_id,
                key,
                key_id,
                scope,
                ..
            } => {
                let grant = Grant::Assertion(key.clone(), key_id.clone());
                Client::auth(token_url?, client_id, grant, scope.clone())
            }
            AuthSettings::GoogleServiceAccount {
                key,
                token_url,
                scope,
            } => {
                let at = place::parse(token_url).ok()?;
                let grant = Grant::Google(key.clone());
                Client::auth(at, "", grant, Some(scope.clone()))
            }
            AuthSettings::GithubApp {
                app_id,
                key,
                installation_id,
            } => {
                if installation_id.is_some() {
                    let grant = Grant::Installation(key.clone());
                    Client::auth(token_url?, app_id, grant, None)
                } else {
                    Self::App(app_id.clone(), key.clone())
                }
            }
            AuthSettings::KubernetesServiceAccount { token_file } => {
                Self::Mounted(token_file.clone())
            }
            AuthSettings::AwsSigv4 {
                access_key_id,
                secret_access_key,
                session_token,
                region,
            } => Self::Aws(Box::new(AwsKey {
                id: access_key_id.clone(),
                secret: secret_access_key.clone(),
                token: session_token.clone(),
                region: region.clone(),
                role: None,
            })),
            AuthSettings::AwsAssumedRole {
                access_key_id,
                secret_access_key,
                region,
                role_arn,
                external_id,
                sts_url,
            } => {
                let default = || format!("https://sts.{region}.amazonaws.com/");
                let sts = sts_url.clone().unwrap_or_else(default);
                Self::Aws(Box::new(AwsKey {
                    id: access_key_id.clone(),
                    secret: secret_access_key.clone(),
                    token: None,
                    region: region.clone(),
                    role: Some(Role {
                        sts: place::parse(&sts).ok()?,
                        arn: role_arn.clone(),
                        external_id: external_id.clone(),
                        cached: Mutex::new(None),
                    }),
                }))
            }
        })
    }

    /// Returns the name under which the console itself is known to the provider, as far as the settings tell it.
    pub fn own_name(&self) -> Option<&str> {
        match self {
            Self::None
            | Self::Certificate
            | Self::Bearer(_)
            | Self::Header(..)
            | Self::Mounted(_) => None,
            Self::Basic(name, _) | Self::App(name, _) => Some(name),
            Self::Client(client) => Some(&client.id)
                .filter(|id| !id.is_empty())
                .map(String::as_str),
            Self::Aws(key) => Some(&key.id),
        }
    }

    /// Returns the `Authorization` value. Ways that need another header or the request itself are refused, except that
    /// requests to AWS are for the caller to sign.
    pub async fn header(&self, http: &Http) -> Result<Option<HeaderValue>, AuthError> {
        match self {
            Self::Aws(key) if key.role.is_none() => Ok(None),
            Self::Aws(_) | Self::Certificate => Err(AuthError::ConnectorsOnly),
            _ => match self.proof(http).await? {
                None => Ok(None),
                Some((name, value)) if name == AUTHORIZATION => Ok(Some(value)),
                Some(_) => Err(AuthError::ConnectorsOnly),
            },
        }
    }

    /// Returns the header that proves who asks; `None` where there is none, or where requests are signed ([`Self::sign`]).
    pub async fn proof(&self, http: &Http) -> Result<Option<(HeaderName, HeaderValue)>, AuthError> {
        let mut name = AUTHORIZATION;
        let text = match self {
            Self::None | Self::Certificate | Self::Aws(_) => return Ok(None),
            Self::Bearer(token) => bearer(&read(token).await?),
            Self::Basic(user, password) => basic(user, &read(password).await?),
            Self::Header(header, prefix, token) => {
                name = header.clone();
                let token = read(token).await?;
                Zeroizing::new(format!("{prefix}{}", token.expose_secret()))
            }
            Self::Client(client) => client.bearer(http).await?,
            Self::App(id, key) => {
                let token = app_assertion(id, &read(key).await?)?;
                Zeroizing::new(format!("Bearer {}", *token))
            }
            Self::Mounted(path) => bearer(&mounted(path)?),
        };
        let value = sensitive(&text).ok_or(AuthError::NotPrintable)?;
        Ok(Some((name, value)))
    }

    /// Returns the headers that sign a request to an AWS service; none where requests are not signed.
    pub async fn sign(
        &self,
        http: &Http,
        service: &str,
        out: &Outgoing,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, AuthError> {
        match self {
            Self::Aws(key) => {
                let own = key.keys(http).await?;
                signed(&own, &key.region, service, out)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Drops a token that the provider refused; tells whether there was one that a new one may replace.
    pub async fn forget(&self) -> bool {
        match self {
            Self::Client(client) => client.cached.lock().await.take().is_some(),
            Self::Aws(key) => match &key.role {
                Some(role) => role.cached.lock().await.take().is_some(),
                None => false,
            },
            _ => false,
        }
    }
}

/// Signs a request.
fn signed(
    own: &Temporary,
    region: &str,
    service: &str,
    out: &Outgoing,
) -> Result<Vec<(HeaderName, HeaderValue)>, AuthError> {
    let signer = sigv4::Key {
        id: &own.id,
        secret: own.secret.expose_secret(),
        token: own.token.as_ref().map(ExposeSecret::expose_secret),
        region,
        service,
    };
    let (kind, bytes) = match &out.payload {
        Payload::Empty => (None, &[][..]),
        Payload::Bytes(kind, bytes) => (Some(*kind), bytes.0.as_slice()),
    };
    let (method, now) = (out.method.as_str(), Timestamp::now());
    sigv4::sign(&signer, method, &out.url, kind, bytes, now)
        .into_iter()
        .map(|(name, value)| {
            let value = sensitive(&value).ok_or(AuthError::NotPrintable)?;
            Ok((HeaderName::from_static(name), value))
        })
        .collect()
}

impl AwsKey {
    /// Returns what to sign with now: the key itself, or a session of the role.
    async fn keys(&self, http: &Http) -> Result<Temporary, AuthError> {
        let own = Temporary {
            id: self.id.clone(),
            secret: read(&self.secret).await?,
            token: match &self.token {
                Some(token) => Some(read(token).await?),
                None => None,
            },
        };
        let Some(role) = &self.role else {
            return Ok(own);
        };
        // The lock is held across the request, so that many at once assume the role once.
        let mut cached = role.cached.lock().await;
        if let Some((keys, until)) = cached.as_ref()
            && Instant::now() < *until
        {
            return Ok(keys.clone());
        }
        let (keys, lifetime) = role.assume(http, &own, &self.region).await?;
        let keep = lifetime.saturating_sub(MARGIN).max(lifetime / 2);
        *cached = Some((keys.clone(), Instant::now() + keep));
        Ok(keys)
    }
}

impl Role {
    /// Asks STS for a session
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
    async fn assume(
        &self,
        http: &Http,
        own: &Temporary,
        region: &str,
    ) -> Result<(Temporary, Duration), AuthError> {
        let plain = |text: &str| Zeroizing::new(text.to_owned());
        let mut form = vec![
            ("Action", plain("AssumeRole")),
            ("Version", plain("2011-06-15")),
            ("RoleArn", plain(&self.arn)),
            ("RoleSessionName", plain("stanch")),
        ];
        form.extend(
            self.external_id
                .as_deref()
                .map(|id| ("ExternalId", plain(id))),
        );
        let mut out = Outgoing {
            method: Method::POST,
            url: self.sts.clone(),
            headers: HeaderMap::new(),
            payload: Payload::Bytes("application/x-www-form-urlencoded", encode(&form)),
        };
        out.headers
            .insert(ACCEPT, HeaderValue::from_static("text/xml"));
        let headers = signed(own, region, "sts", &out)?;
        out.headers.extend(headers);
        let body = answered(http, out).await?;
        let keys = &body["AssumeRoleResponse"]["AssumeRoleResult"]["Credentials"];
        let part = |name: &str| {
            let missing = || AuthError::NoAnswer(format!("the answer holds no {name}"));
            keys[name].as_str().map(str::to_owned).ok_or_else(missing)
        };
        let end: Option<Timestamp> = part("Expiration")?.parse().ok();
        let left = end.map_or(0, |end| end.as_second() - Timestamp::now().as_second());
        let keys = Temporary {
            id: part("AccessKeyId")?,
            secret: SecretString::from(part("SecretAccessKey")?),
            token: Some(SecretString::from(part("SessionToken")?)),
        };
        Ok((keys, Duration::from_secs(u64::try_from(left).unwrap_or(0))))
    }
}

/// Asks for a token and returns the answer's body.
async fn answered(http: &Http, out: Outgoing) -> Result<Value, AuthError> {
    let origin = out.url.origin().ascii_serialization();
    let answer = match http.send(out).await {
        Exchange::NotSent(why) => {
            return Err(AuthError::NoAnswer(format!(
                "{origin} cannot be reached: {why}"
            )));
        }
        Exchange::Lost(why, _) => return Err(AuthError::NoAnswer(why)),
        Exchange::Answer(answer) => answer,
    };
    if !matches!(answer.status, 200 | 201) {
        return Err(AuthError::Refused(answer.status));
    }
    answer
        .json()
        .map_err(|why| AuthError::NoAnswer(why.to_owned()))
}

/// Reads a mounted token. The kubelet hands it out through links and readable by the pod's group, so neither is refused.
fn mounted(path: &Path) -> Result<SecretString, AuthError> {
    use std::io::Read as _;
    let fail = |error: String| AuthError::TokenFile {
        path: path.display().to_string(),
        error,
    };
    let file = std::fs::File::open(path).map_err(|e| fail(e.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_TOKEN)
        .read_to_string(&mut text)
        .map_err(|e| fail(e.to_string()))?;
    match text.trim() {
        "" => Err(fail("it is empty".to_owned())),
        token => Ok(SecretString::from(token.to_owned())),
    }
}

/// Signs who a GitHub App is. The clocks may differ by a minute.
fn app_assertion(id: &str, key: &SecretString) -> Result<Zeroizing<String>, AuthError> {
    let now = Timestamp::now().as_second();
    let claims = json!({"iss": id, "iat": now - 60, "exp": now + ASSERTION_S});
    Ok(jwt::sign(key.expose_secret(), None, &claims)?)
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

    /// Returns the form of a token request and what proves it in a header. The parts of the form are secrets.
    async fn form(
        &self,
    ) -> Result<
        (
            Vec<(&'static str, Zeroizing<String>)>,
            Option<Zeroizing<String>>,
        ),
        AuthError,
    > {
        let plain = |text: &str| Zeroizing::new(text.to_owned());
        let now = Timestamp::now().as_second();
        let audience = self.token_url.as_str();
        let mut proof = None;
        let mut form = match &self.grant {
            Grant::Installation(key) => {
                let token = app_assertion(&self.id, &read(key).await?)?;
                return Ok((
                    Vec::new(),
                    Some(Zeroizing::new(format!("Bearer {}", *token))),
                ));
            }
            Grant::Secret(secret) => {
                // RFC 6749 §4.4.2.
                let secret = read(secret).await?;
                let encoded = SecretString::from(form_encoded(secret.expose_secret()));
                proof = Some(basic(&form_encoded(&self.id), &encoded));
                vec![("grant_type", plain("client_credentials"))]
            }
            Grant::Assertion(key, key_id) => {
                let claims = json!({"iss": self.id, "sub": self.id, "aud": audience, "jti": uuid::Uuid::now_v7().to_string(),
                    "iat": now, "exp": now + ASSERTION_S});
                let key = read(key).await?;
                let token = jwt::sign(key.expose_secret(), key_id.as_deref(), &claims)?;
                vec![
                    ("grant_type", plain("client_credentials")),
                    ("client_id", plain(&self.id)),
                    (
                        "client_assertion_type",
                        plain("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ),
                    ("client_assertion", token),
                ]
            }
            Grant::Google(key) => {
                let file = read(key).await?;
                let file: Value = serde_json::from_str(file.expose_secret())
                    .map_err(|_| AuthError::KeyFile("JSON"))?;
                let part = |name: &'static str| {
                    file.get(name)
                        .and_then(Value::as_str)
                        .ok_or(AuthError::KeyFile(name))
                };
                let claims = json!({"iss": part("client_email")?, "scope": self.scope, "aud": audience, "iat": now,
                    "exp": now + ASSERTION_S});
                let token =
                    jwt::sign(part("private_key")?, Some(part("private_key_id")?), &claims)?;
                return Ok((
                    vec![
                        (
                            "grant_type",
                            plain("urn:ietf:params:oauth:grant-type:jwt-bearer"),
                        ),
                        ("assertion", token),
                    ],
                    None,
                ));
            }
        };
        form.extend(self.scope.as_deref().map(|scope| ("scope", plain(scope))));
        Ok((form, proof))
    }

    async fn fetch(&self, http: &Http) -> Result<(SecretString, Duration), AuthError> {
        let (form, proof) = self.form().await?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(proof) = proof {
            headers.insert(
                AUTHORIZATION,
                sensitive(&proof).ok_or(AuthError::NotPrintable)?,
            );
        }
        let outgoing = Outgoing {
            method: Method::POST,
            url: self.token_url.clone(),
            headers,
            payload: Payload::Bytes("application/x-www-form-urlencoded", encode(&form)),
        };
        let body = answered(http, outgoing).await?;
        self.token(&body)
    }

    /// Takes the token out of an answer (RFC 6749 §5.1; GitHub's own form for installations).
    fn token(&self, body: &Value) -> Result<(SecretString, Duration), AuthError> {
        let (name, end) = match self.grant {
            Grant::Installation(_) => ("token", body.get("expires_at").and_then(Value::as_str)),
            _ => ("access_token", None),
        };
        let missing = || AuthError::NoAnswer(format!("the answer holds no {name}"));
        let token = body.get(name).and_then(Value::as_str).ok_or_else(missing)?;
        let left = end
            .and_then(|at| at.parse::<Timestamp>().ok())
            .map(|at| u64::try_from(at.as_second() - Timestamp::now().as_second()).unwrap_or(0));
        let told = body.get("expires_in").and_then(Value::as_u64);
        let seconds = left.or(told).unwrap_or(60).min(24 * 3600);
        Ok((
            SecretString::from(token.to_owned()),
            Duration::from_secs(seconds),
        ))
    }
}

/// A function of its own: the serializer cannot be held across an await.
fn encode(form: &[(&'static str, Zeroizing<String>)]) -> Bytes {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        out.append_pair(name, value);
    }
    Bytes(out.finish().into_bytes())
}

fn bearer(token: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(format!("Bearer {}", token.expose_secret()))
}
