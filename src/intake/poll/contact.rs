//! Asking, and what goes wrong with it: waits, words, and what is told of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::request::Filled;
use super::spec::SpecError;
use super::{IntakeEvent, put};
use crate::app::settings::{AuthSettings, SecretRef};
use crate::domain::text::{fit, show};
use crate::intake::source::{SourceState, tell};
use crate::intake::store::{Batch, Cursor, LockedStore, StoreError};
use crate::net::auth::{Auth, AuthError};
use crate::net::http::{Bytes, Exchange, Http, HttpError, Outgoing, Payload, sensitive};
use crate::net::pace::{Backoff, reset_at, retry_after};
use crate::net::{place, secret, sigv4};

/// Most bytes of one answer.
const MAX_ANSWER: usize = 16 << 20;

/// Longest time of one exchange.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait at least when the own login or the question itself is wrong: a person has to change something.
const PERSON: Duration = Duration::from_mins(1);

/// Why an API cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// No such description.
    #[error(
        "there is no preset `{0}`; `stanch alerts presets` lists them, `file` names one of your own"
    )]
    Preset(String),
    /// The description cannot be read.
    #[error("cannot read {file}: {error}")]
    File {
        /// Which file.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The description cannot be used.
    #[error("{file}: {error}")]
    Spec {
        /// Which file.
        file: String,
        /// What is wrong.
        error: SpecError,
    },
    /// A parameter is unknown or missing.
    #[error("parameter `{0}` {1}")]
    Param(String, &'static str),
    /// The address cannot be used.
    #[error("the address {0}")]
    Base(&'static str),
    /// The token endpoint cannot be used.
    #[error("`auth.token_url` {0}")]
    TokenUrl(&'static str),
    /// A header of the description has no possible name.
    #[error("`{0}` is no name of a header")]
    Header(String),
    /// No decoder of that name.
    #[error("`{0}` is no kind of alert; `stanch alerts kinds` lists them")]
    Format(String),
    /// The way to authenticate does not fit.
    #[error("{0}")]
    Auth(&'static str),
    /// TLS cannot be set up.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Why a sweep ended before its end. Nothing of an answer is repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nobody could be reached.
    #[error("cannot be reached: {0}")]
    NotSent(String),
    /// No usable answer came.
    #[error("no answer: {0}")]
    Lost(String),
    /// Another status than 200.
    #[error("answers {}", in_words(*.status))]
    Status {
        /// The status.
        status: u16,
        /// How long it wants to be left alone.
        wait: Option<Duration>,
    },
    /// The own login failed.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The answer is not what the description says.
    #[error("{0}")]
    Unreadable(String),
    /// The next page would be somebody else's.
    #[error("{0}")]
    Elsewhere(String),
    /// The same page again.
    #[error("its cursor repeats after {0} pages, so it would never end; the sweep stops there")]
    Loop(usize),
    /// What came cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread died.
    #[error("a thread died: {0}")]
    Died(String),
}

fn in_words(status: u16) -> String {
    let meaning = match status {
        401 => " (its `auth` is not accepted)",
        403 => " (its `auth` may not read this)",
        404 => " (there is no such path; check base_url and params)",
        429 => " (too many questions)",
        _ => "",
    };
    format!("{status}{meaning}")
}

impl Trouble {
    /// Returns how long to wait, given how long the last waits were.
    pub(super) fn wait(&self, backoff: &mut Backoff) -> Duration {
        let grown = backoff.grow();
        match self {
            Self::Status {
                wait: Some(wait), ..
            } => grown.max(*wait),
            Self::Status { status, .. }
                if (400..500).contains(status) && ![408, 429].contains(status) =>
            {
                grown.max(PERSON)
            }
            Self::Auth(_) | Self::Elsewhere(_) | Self::Loop(_) => grown.max(PERSON),
            _ => grown,
        }
    }
}

/// An answer with status 200.
pub(crate) struct Asked {
    pub body: Vec<u8>,
    links: Vec<String>,
}

impl Asked {
    /// Returns the address of the next page (RFC 8288 §3).
    pub fn next_link(&self) -> Option<String> {
        self.links.iter().find_map(|header| next_of(header))
    }
}

/// Finds `<…>; rel="next"` in a `Link` header.
pub(super) fn next_of(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (address, after) = after.split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        let is_next = after[..end].split(';').any(|param| {
            let param = param.trim().trim_end_matches(',').trim();
            let value = param
                .split_once('=')
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
            value.is_some_and(|(_, value)| {
                let value = value.trim().trim_matches('"');
                value
                    .split_ascii_whitespace()
                    .any(|rel| rel.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(address.trim().to_owned());
        }
        rest = &after[end..];
    }
    None
}

/// One place that is asked, and how this console proves who it is.
pub(crate) struct Contact {
    http: Http,
    auth: Auth,
    token: Option<(HeaderName, String, SecretRef)>,
    /// Key settings and the service to sign for.
    aws: Option<(AuthSettings, String)>,
}

impl Contact {
    /// Prepares asking.
    pub fn new(auth: &AuthSettings, base: &Url, ca_file: Option<&Path>) -> Result<Self, PollError> {
        let token_url = match auth {
            AuthSettings::ClientCredentials { token_url, .. } => match token_url.as_deref() {
                Some(path) if path.starts_with('/') => base.join(path).ok(),
                // Whoever writes the configuration may have the secret shown to another host: many have their logins apart.
                Some(url) => Some(place::parse(url).map_err(PollError::TokenUrl)?),
                None => None,
            },
            _ => None,
        };
        let auth = Auth::new(auth, token_url)
            .ok_or(PollError::TokenUrl("must be given for client_credentials"))?;
        Ok(Self {
            http: Http::new(PATIENCE, ca_file)?,
            auth,
            token: None,
            aws: None,
        })
    }

    /// Sends a bearer token in another header, or with another text before it.
    pub fn with_token(mut self, header: &str, prefix: &str) -> Result<Self, PollError> {
        let name: HeaderName = header
            .parse()
            .map_err(|_| PollError::Header(header.to_owned()))?;
        if let Auth::Bearer(reference) = &self.auth
            && !(name == AUTHORIZATION && prefix == "Bearer ")
        {
            self.token = Some((name, prefix.to_owned(), reference.clone()));
        }
        Ok(self)
    }

    /// Signs every request for an AWS service.
    pub fn with_aws(
        mut self,
        auth: &AuthSettings,
        service: Option<&str>,
    ) -> Result<Self, PollError> {
        let is_key = matches!(auth, AuthSettings::AwsSigv4 { .. });
        match service {
            Some(service) if is_key => self.aws = Some((auth.clone(), service.to_owned())),
            Some(_) => return Err(PollError::Auth("this API wants `auth` of kind `aws_sigv4`")),
            None if is_key => {
                return Err(PollError::Auth(
                    "this API is none of AWS; use another `auth`",
                ));
            }
            None => {}
        }
        Ok(self)
    }

    /// Asks once; a token that is refused is renewed once.
    pub async fn ask(&self, filled: Filled) -> Result<Asked, Trouble> {
        match self.try_once(filled.clone()).await {
            Err(Trouble::Status { status: 401, .. }) if self.auth.forget().await => {
                self.try_once(filled).await
            }
            other => other,
        }
    }

    /// Returns the headers that prove a request to AWS.
    async fn signature(&self, filled: &Filled) -> Result<HeaderMap, AuthError> {
        use secrecy::ExposeSecret;
        let mut headers = HeaderMap::new();
        let Some((settings, service)) = &self.aws else {
            return Ok(headers);
        };
        let AuthSettings::AwsSigv4 {
            access_key_id,
            secret_access_key,
            session_token,
            region,
        } = settings
        else {
            return Ok(headers);
        };
        let key = secret::read(secret_access_key).await?;
        let token = match session_token {
            Some(token) => Some(secret::read(token).await?),
            None => None,
        };
        let key = sigv4::Key {
            id: access_key_id,
            secret: key.expose_secret(),
            token: token.as_ref().map(ExposeSecret::expose_secret),
            region,
            service,
        };
        let payload = filled.payload.as_ref();
        let signed = sigv4::sign(
            &key,
            if filled.is_post { "POST" } else { "GET" },
            &filled.url,
            payload.map(|(kind, _)| *kind),
            payload.map_or(&[], |(_, bytes)| bytes.as_slice()),
            Timestamp::now(),
        );
        for (name, value) in signed {
            let value = sensitive(&value).ok_or(AuthError::NotPrintable)?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }

    async fn proof(&self) -> Result<Option<(HeaderName, HeaderValue)>, AuthError> {
        use secrecy::ExposeSecret as _;
        if let Some((name, prefix, reference)) = &self.token {
            let token = secret::read(reference).await?;
            let text = zeroize::Zeroizing::new(format!("{prefix}{}", token.expose_secret()));
            let value = sensitive(&text).ok_or(AuthError::NotPrintable)?;
            return Ok(Some((name.clone(), value)));
        }
        let value = self.auth.header(&self.http).await?;
        Ok(value.map(|value| (AUTHORIZATION, value)))
    }

    async fn try_once(&self, filled: Filled) -> Result<Asked, Trouble> {
        let mut headers = self.signature(&filled).await?;
        for (name, value) in filled.headers {
            let name: HeaderName = name
                .parse()
                .map_err(|_| Trouble::Unreadable(format!("`{name}` is no name of a header")))?;
            let value = HeaderValue::try_from(value)
                .map_err(|_| Trouble::Unreadable(format!("`{name}` has no possible value")))?;
            headers.insert(name, value);
        }
        headers.extend(self.proof().await?.map(|(name, value)| (Some(name), value)));
        let out = Outgoing {
            method: if filled.is_post {
                Method::POST
            } else {
                Method::GET
            },
            url: filled.url,
            headers,
            payload: match filled.payload {
                Some((kind, bytes)) => Payload::Bytes(kind, Bytes(bytes)),
                None => Payload::Empty,
            },
        };
        let mut answer = match self.http.send_within(out, MAX_ANSWER).await {
            Exchange::NotSent(why) => return Err(Trouble::NotSent(why)),
            Exchange::Lost(why, _) => return Err(Trouble::Lost(why)),
            Exchange::Answer(answer) => answer,
        };
        if answer.status != 200 {
            let now = Timestamp::now();
            let after = answer
                .retry_after
                .as_deref()
                .and_then(|v| retry_after(v, now));
            // GitHub says 403 when it means 429.
            let is_limit = matches!(answer.status, 403 | 429);
            let reset = answer.reset.as_deref().filter(|_| is_limit);
            return Err(Trouble::Status {
                status: answer.status,
                wait: after.or_else(|| reset.and_then(|v| reset_at(v, now))),
            });
        }
        let links = std::mem::take(&mut answer.links);
        match &mut answer.body {
            Ok(bytes) => Ok(Asked {
                body: std::mem::take(&mut bytes.0),
                links,
            }),
            Err(why) => Err(Trouble::Lost((*why).to_owned())),
        }
    }
}

/// Who hears how a source is.
pub(crate) struct Telling {
    source: String,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
}

impl Telling {
    pub fn new(
        source: String,
        store: Arc<LockedStore>,
        tx: Sender<IntakeEvent>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            source,
            store,
            tx,
            cancel,
        }
    }

    /// Tells whether nobody wants more.
    pub fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.tx.is_closed()
    }

    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LockedStore, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (store, source) = (Arc::clone(&self.store), self.source.clone());
        let done = tokio::task::spawn_blocking(move || work(&store, &source));
        done.await
            .map_err(|error| Trouble::Died(error.to_string()))?
            .map_err(Trouble::from)
    }

    /// Returns where the source was left.
    pub async fn cursor(&self) -> Result<Option<Cursor>, Trouble> {
        self.with_store(|store, source| store.lock().cursor(source))
            .await
    }

    /// Stores a batch and tells what it came to.
    pub async fn store(&self, batch: Batch) -> Result<(), Trouble> {
        let told = self
            .with_store(move |store, source| put(store, source, batch))
            .await?;
        tell(told.into_events(&self.source), &self.tx, &self.cancel).await;
        Ok(())
    }

    async fn note_contact(&self) -> Result<(), Trouble> {
        let note = |store: &LockedStore, source: &str| {
            store.lock().note_contact(source, Timestamp::now(), Ok(()))
        };
        self.with_store(note).await
    }

    /// Tells something that changes no state.
    pub async fn notice(&self, text: String) {
        let event = IntakeEvent::Notice {
            source: self.source.clone(),
            text,
        };
        tell(std::iter::once(event), &self.tx, &self.cancel).await;
    }

    async fn state(&self, state: SourceState) {
        let event = IntakeEvent::Source {
            source: self.source.clone(),
            state,
        };
        tell(std::iter::once(event), &self.tx, &self.cancel).await;
    }
}

/// The waits of one source.
#[derive(Default)]
pub(crate) struct Pace {
    backoff: Backoff,
}

/// What is asked again and again.
pub(crate) trait Asking: Sync {
    /// Asks for everything since the last time.
    fn sweep(&self, telling: &Telling) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// Sweeps every `every`, later where that is asked for or something is wrong, until nobody wants more.
pub(crate) async fn again_and_again(
    telling: &Telling,
    every: Duration,
    mut pace: Pace,
    asking: &impl Asking,
) {
    let mut told: Option<SourceState> = None;
    while !telling.is_over() {
        let swept = tokio::select! {
            () = telling.cancel.cancelled() => return,
            swept = asking.sweep(telling) => swept,
        };
        let swept = match swept {
            Ok(()) => telling.note_contact().await,
            failed => failed,
        };
        let (state, wait) = match swept {
            Ok(()) => {
                pace.backoff.reset();
                (SourceState::Following, every)
            }
            Err(trouble) => {
                let wait = trouble.wait(&mut pace.backoff);
                let reason = fit(&show(&trouble.to_string()), 400, "…");
                (SourceState::Failed(reason), wait)
            }
        };
        if told.as_ref() != Some(&state) {
            telling.state(state.clone()).await;
            told = Some(state);
        }
        tokio::select! {
            () = telling.cancel.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
