//! One request to one place: no redirects, no proxy, no silent retry, bounded time and size.
//!
//! A request has its own connection, so that a failure to connect is known to have sent nothing. Those that may be repeated
//! may share connections: one that its peer closes at the same moment loses the request without an answer, and nobody knows
//! whether it was read.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Method, Response};
use serde_json::Value;
use url::Url;

use crate::domain::plan::sha256_hex;
use crate::domain::text::show;

/// Most bytes of an answer that are read.
pub const MAX_BODY: usize = 1 << 20;

/// Most `Link` headers that are looked at.
const MOST_LINKS: usize = 16;

/// Why an answer has no body.
const TOO_LARGE: &str = "the answer is larger than what is read of one";

/// What one request came to.
#[derive(Debug)]
pub enum Exchange {
    /// No byte of it left: name resolution, refused, TLS.
    NotSent(String),
    /// It left, and no usable answer came; with the bytes of its body, some of which may have left.
    Lost(String, u64),
    /// An answer with a status.
    Answer(Answer),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The provider's own id of this request.
    pub request_id: Option<String>,
    /// Raw `Retry-After`.
    pub retry_after: Option<String>,
    /// How many bytes the body of the request had.
    pub sent: u64,
    /// SHA-256 of its headers, hex: each as `name: value` and a line feed, sorted by bytes.
    pub headers_sha256: String,
    /// Raw `X-Rate-Limit-Reset` or `X-RateLimit-Reset`.
    pub reset: Option<String>,
    /// Raw `Link` headers (RFC 8288), 16 at most.
    pub links: Vec<String>,
    /// Whether its content type is XML.
    pub xml: bool,
    /// Its body, or why there is none.
    pub body: Result<Bytes, &'static str>,
}

/// A body; its `Debug` shows the length only, because answers hold secrets.
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Answer {
    /// Reads the body as JSON, or XML as [`super::xml`] turns it into JSON; an empty body is null.
    pub fn json(&self) -> Result<Value, &'static str> {
        let bytes = self.body.as_ref().map_err(|why| *why)?;
        if bytes.0.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        if self.xml {
            return super::xml::parse(&bytes.0).map_err(|_| "the answer is no XML");
        }
        serde_json::from_slice(&bytes.0).map_err(|_| "the answer is no JSON")
    }
}

/// What is sent.
#[derive(Debug, Default)]
pub enum Payload {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes of a content type.
    Bytes(&'static str, Bytes),
}

/// A request that is ready to leave.
#[derive(Debug)]
pub struct Outgoing {
    /// Its method.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// All headers but the content type.
    pub headers: HeaderMap,
    /// Its body.
    pub payload: Payload,
}

/// How long a connection waits for the next request that may share it: less than servers wait, so that they rarely close one
/// that is about to be used.
const IDLE: Duration = Duration::from_secs(1);

/// Most connections to one place that wait.
const MOST_IDLE: usize = 32;

/// Which connection a request leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One of its own.
    Own,
    /// One that others used: for what may be repeated.
    Shared,
}

/// A client for one provider.
#[derive(Clone, Debug)]
pub struct Http {
    own: reqwest::Client,
    shared: reqwest::Client,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The private certificate authority cannot be used.
    #[error("cannot use ca_file `{path}`: {why}; give a PEM file with certificates")]
    Ca {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// The client certificate cannot be used.
    #[error(
        "cannot use the client certificate: {0}; give its PEM file and the key that belongs to it"
    )]
    Certificate(String),
    /// TLS could not be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

/// Reads the certificates of a private authority.
fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, HttpError> {
    let fail = |why: String| HttpError::Ca {
        path: path.display().to_string(),
        why,
    };
    let pem = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| fail(describe(e)))?;
    if certificates.is_empty() {
        return Err(fail("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

impl Http {
    /// Builds a client. `timeout` bounds a whole exchange, connecting gets at most half of it.
    pub fn new(timeout: Duration, ca_file: Option<&Path>) -> Result<Self, HttpError> {
        Self::with_certificate(timeout, ca_file, None)
    }

    /// Builds a client that shows a certificate: PEM text of the certificate, those that lead to its root, and its key.
    pub fn with_certificate(
        timeout: Duration,
        ca_file: Option<&Path>,
        certificate: Option<&[u8]>,
    ) -> Result<Self, HttpError> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error means that somebody installed the same provider already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let roots = ca_file.map(authorities).transpose()?;
        let identity = certificate.map(reqwest::Identity::from_pem).transpose();
        let identity = identity.map_err(|e| HttpError::Certificate(describe(e)))?;
        let client = |idle| {
            let mut builder = reqwest::Client::builder()
                .user_agent(concat!("stanch/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .http1_only()
                .referer(false)
                .pool_max_idle_per_host(idle)
                .pool_idle_timeout(IDLE)
                .tls_version_min(reqwest::tls::Version::TLS_1_2)
                .connect_timeout(timeout / 2)
                .timeout(timeout);
            if let Some(roots) = roots.clone() {
                builder = builder.tls_certs_merge(roots);
            }
            if let Some(identity) = identity.clone() {
                builder = builder.identity(identity);
            }
            builder.build().map_err(|e| HttpError::Client(describe(e)))
        };
        Ok(Self {
            own: client(0)?,
            shared: client(MOST_IDLE)?,
        })
    }

    /// Sends one request once.
    pub async fn send(&self, out: Outgoing) -> Exchange {
        self.send_by(Way::Own, out, MAX_BODY).await
    }

    /// Sends one request once that may be repeated: over a connection that others used, where one waits.
    pub async fn send_shared(&self, out: Outgoing) -> Exchange {
        self.send_by(Way::Shared, out, MAX_BODY).await
    }

    /// Sends one request once and reads an answer of at most `cap` bytes.
    pub async fn send_within(&self, out: Outgoing, cap: usize) -> Exchange {
        self.send_by(Way::Own, out, cap).await
    }

    async fn send_by(&self, way: Way, out: Outgoing, cap: usize) -> Exchange {
        let client = match way {
            Way::Own => &self.own,
            Way::Shared => &self.shared,
        };
        let mut request = client.request(out.method, out.url).headers(out.headers);
        let mut sent = 0;
        if let Payload::Bytes(kind, mut bytes) = out.payload {
            sent = bytes.0.len() as u64;
            request = request
                .header(CONTENT_TYPE, kind)
                .body(std::mem::take(&mut bytes.0));
        }
        match request.send().await {
            Ok(response) => Exchange::Answer(read(response, sent, cap).await),
            // Connecting includes name resolution and the TLS handshake, and has its own time limit.
            Err(error) if error.is_connect() || error.is_builder() => {
                Exchange::NotSent(describe(error))
            }
            Err(error) => Exchange::Lost(describe(error), sent),
        }
    }
}

async fn read(mut response: Response, sent: u64, cap: usize) -> Answer {
    let text = |name: HeaderName| {
        response
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(|v| show(v).chars().take(128).collect::<String>())
    };
    let request_id = ["x-request-id", "x-amzn-requestid", "x-correlation-id"]
        .into_iter()
        .find_map(|name| text(HeaderName::from_static(name)));
    let retry_after = text(RETRY_AFTER);
    let headers_sha256 = digest(response.headers());
    let reset = ["x-rate-limit-reset", "x-ratelimit-reset"]
        .into_iter()
        .find_map(|name| text(HeaderName::from_static(name)));
    let links = response.headers().get_all(LINK).iter();
    let links = links.filter_map(|v| v.to_str().ok().map(str::to_owned));
    let links: Vec<String> = links.take(MOST_LINKS).collect();
    let xml = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/xml") || kind.starts_with("application/xml"));
    let status = response.status().as_u16();
    let mut body = Bytes(Vec::new());
    let body = loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.0.len() + chunk.len() > cap => {
                break Err(TOO_LARGE);
            }
            Ok(Some(chunk)) => body.0.extend_from_slice(&chunk),
            Ok(None) => break Ok(body),
            Err(_) => break Err("the answer broke off"),
        }
    };
    Answer {
        status,
        request_id,
        retry_after,
        sent,
        headers_sha256,
        reset,
        links,
        xml,
        body,
    }
}

/// Headers hold cookies and tokens, so only their hash is kept: enough to tell two answers apart.
fn digest(headers: &HeaderMap) -> String {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat()
    };
    let mut lines: Vec<Vec<u8>> = headers.iter().map(line).collect();
    lines.sort_unstable();
    sha256_hex(&lines.concat())
}

/// Says what went wrong, without the URL, which may hold ids that others chose.
fn describe(error: reqwest::Error) -> String {
    use std::error::Error as _;
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let part = inner.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        source = inner.source();
    }
    show(&text.chars().take(300).collect::<String>()).into_owned()
}

/// Makes a header value that no debug output shows.
pub fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
