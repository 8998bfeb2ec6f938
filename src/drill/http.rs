//! The lab's HTTP surface: what every request has in common. Whatever comes in is bounded and answered, never trusted.

pub(super) mod admin;
pub(super) mod oauth;
pub(super) mod work;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::shared::{Closed, Shared};
use super::world::{Caller, Deny};

/// What handlers get.
pub(super) type App = Arc<Shared>;

/// Most bytes of a request body.
const MOST_BODY: usize = 64 * 1024;
/// Most bytes of a `User-Agent` that are kept.
const MOST_AGENT: usize = 200;

/// Builds the lab's routes.
pub(super) fn router(lab: App) -> Router {
    let admin = Router::new()
        .route("/clients", get(admin::find_clients))
        .route("/clients/{id}", get(admin::client))
        .route("/clients/{id}/disable", post(admin::disable_client))
        .route("/clients/{id}/enable", post(admin::enable_client))
        .route("/clients/{id}/rotate-secret", post(admin::rotate_secret))
        .route(
            "/clients/{id}/sessions",
            get(admin::sessions).delete(admin::end_sessions),
        )
        .route(
            "/clients/{id}/roles",
            get(admin::roles).put(admin::set_roles),
        )
        .route("/clients/{id}/credentials", get(admin::credentials))
        .route("/clients/{id}/children", get(admin::children))
        .route("/sessions/{id}", delete(admin::end_session))
        .route("/credentials/{id}/disable", post(admin::disable_credential))
        .route("/credentials/{id}/enable", post(admin::enable_credential));
    Router::new()
        .nest("/admin", admin)
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/introspect", post(oauth::introspect))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/secrets/{*name}", get(work::secret))
        .route(
            "/resources/{*path}",
            get(work::resource).post(work::resource),
        )
        .route("/roles", post(work::grant))
        .route("/clients", post(work::mint_client))
        .route("/lab/status", get(work::status))
        .fallback(|| async {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "the lab has no such path",
            )
        })
        .method_not_allowed_fallback(|| async {
            let code = StatusCode::METHOD_NOT_ALLOWED;
            Refusal::new(
                code,
                "method_not_allowed",
                "the lab has this path, but not with this method",
            )
        })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(map_response(name))
        .with_state(lab)
}

/// Gives every answer an id, by which a provider's support finds the request again.
async fn name(mut response: Response) -> Response {
    let id = uuid::Uuid::now_v7().to_string();
    if let Ok(id) = header::HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// An error answer: `{"error", "error_description"}` (RFC 6749 §5.2).
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl Refusal {
    pub fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self {
            status,
            error,
            description,
        }
    }

    pub fn request(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_description": self.description});
        let mut response = (self.status, axum::Json(body)).into_response();
        let challenge = match self.error {
            "invalid_client" => Some("Basic realm=\"lab\""),
            "invalid_token" => Some("Bearer realm=\"lab\", error=\"invalid_token\""),
            "insufficient_scope" => Some("Bearer realm=\"lab\", error=\"insufficient_scope\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            let value = header::HeaderValue::from_static(challenge);
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

impl From<Deny> for Refusal {
    fn from(deny: Deny) -> Self {
        match deny {
            Deny::Client => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "client authentication failed",
            ),
            Deny::Token => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "the token is not valid here",
            ),
            Deny::Role => Self::new(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "the client lacks a role for this",
            ),
            Deny::NotFound(what) => Self::new(StatusCode::NOT_FOUND, "not_found", what),
            Deny::Request(what) => Self::request(what),
        }
    }
}

impl From<Closed> for Refusal {
    fn from(_: Closed) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the lab has ended",
        )
    }
}

/// What a handler answers.
pub(super) type Answer = Result<Response, Refusal>;

/// Answers JSON that no cache may keep.
pub(super) fn json_answer(value: Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(value)).into_response()
}

/// How a request says who sent it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    None,
    Basic { id: String, secret: String },
    Bearer(String),
    Unreadable,
}

impl Authorization {
    fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (value, more) = (values.next(), values.next());
        let Some(value) = value else {
            return Self::None;
        };
        let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
        let (Some((scheme, rest)), None) = (parts, more) else {
            return Self::Unreadable;
        };
        if scheme.eq_ignore_ascii_case("bearer") {
            return Self::Bearer(rest.trim().to_owned());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Self::Unreadable;
        }
        // RFC 6749 §2.3.1 form-encodes both parts; the lab's ids and secrets look the same encoded.
        let plain = STANDARD
            .decode(rest.trim())
            .ok()
            .and_then(|b| String::from_utf8(b).ok());
        match plain.as_deref().and_then(|text| text.split_once(':')) {
            Some((id, secret)) => Self::Basic {
                id: id.to_owned(),
                secret: secret.to_owned(),
            },
            None => Self::Unreadable,
        }
    }

    /// Returns the bearer token.
    pub fn bearer(&self) -> Result<&str, Refusal> {
        match self {
            Self::Bearer(token) => Ok(token),
            _ => Err(Deny::Token.into()),
        }
    }
}

/// Everything of a request that handlers look at. It holds secrets and has no `Debug`.
pub(super) struct Call {
    pub authorization: Authorization,
    pub caller: Caller,
    body: Bytes,
}

impl FromRequest<App> for Call {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &App) -> Result<Self, Refusal> {
        let authorization = Authorization::of(request.headers());
        let caller = caller(request.headers());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
                let what = if too_large {
                    "the body is too large"
                } else {
                    "the body cannot be read"
                };
                Refusal::new(rejection.status(), "invalid_request", what)
            })?;
        Ok(Self {
            authorization,
            caller,
            body,
        })
    }
}

impl Call {
    /// Reads a JSON body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|_| Refusal::request("the body is not the JSON that is expected here"))
    }

    /// Reads form fields.
    pub fn form(&self) -> Form {
        Form(
            url::form_urlencoded::parse(&self.body)
                .into_owned()
                .collect(),
        )
    }
}

/// Fields of a form or a query.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the fields of a query.
    pub fn query(raw: Option<&str>) -> Self {
        let parsed = url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
        Self(parsed.into_owned().collect())
    }

    /// Returns a field; one given twice is refused (RFC 6749 §3.2).
    pub fn get(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        match found.next() {
            None => Ok(value),
            Some(_) => Err(Refusal::request("a parameter is given more than once")),
        }
    }
}

/// The front of a real provider tells the sender's address this way; on loopback everybody would look alike.
fn caller(headers: &HeaderMap) -> Caller {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let source = text("x-forwarded-for").and_then(|t| t.parse::<std::net::IpAddr>().ok());
    let agent = text("user-agent").unwrap_or_default();
    Caller {
        source_ip: source.map(|ip| ip.to_string()),
        user_agent: agent.chars().take(MOST_AGENT).collect(),
    }
}

/// The one variable part of a path.
pub(super) struct Id(pub String);

impl FromRequestParts<App> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &App) -> Result<Self, Refusal> {
        Path::<String>::from_request_parts(parts, state)
            .await
            .map(|Path(id)| Self(id))
            .map_err(|_| Refusal::request("the path is not valid UTF-8"))
    }
}

/// Proof that the console sent the request: handlers that take it are for the console only.
pub(super) struct Console;

impl FromRequestParts<App> for Console {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, lab: &App) -> Result<Self, Refusal> {
        let authorization = Authorization::of(&parts.headers);
        if is_console(&authorization, lab) {
            Ok(Self)
        } else {
            Err(Deny::Token.into())
        }
    }
}

/// Tells whether a request carries the console's token.
pub(super) fn is_console(authorization: &Authorization, lab: &App) -> bool {
    match authorization {
        Authorization::Bearer(token) => lab.look(|w| w.console_token.is(token)),
        _ => false,
    }
}
