//! A configured provider: its file, where it is and how the console logs in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, header};
use serde_json::Value;
use url::Url;

use super::auth::Auth;
use super::error::ConnectError;
use super::http::{Answer, Bytes, Exchange, Http, Outgoing, Payload};
use super::lint;
use super::secret;
use super::spec::{ParamSource, Spec};
use super::template::{Base, Scope};
use crate::app::settings::{AuthSettings, ConnectorSettings};
use crate::domain::plan::{Body, RenderedRequest};
use crate::domain::vocabulary::{Layer, Verb};

/// The embedded connector files.
const PRESETS: &[(&str, &str)] = &[
    ("keycloak", include_str!("preset/keycloak.toml")),
    ("lab", include_str!("preset/lab.toml")),
    ("oauth", include_str!("preset/oauth.toml")),
];

/// What is said of a read that the provider refuses to the console's own account.
pub const MAY_NOT_READ: &str = "the console's own credential may not read this";

/// All configured connectors by name.
#[derive(Debug, Default)]
pub struct Connectors(BTreeMap<String, Arc<Connector>>);

impl Connectors {
    /// Reads, checks and prepares every configured connector. Nothing is sent and no secret is read.
    pub fn load(settings: &BTreeMap<String, ConnectorSettings>) -> Result<Self, ConnectError> {
        settings
            .iter()
            .map(|(name, one)| Ok((name.clone(), Arc::new(Connector::new(name, one)?))))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Finds a connector.
    pub fn get(&self, name: &str) -> Option<&Arc<Connector>> {
        self.0.get(name)
    }

    /// Returns all connectors in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Connector>)> {
        self.0
            .iter()
            .map(|(name, connector)| (name.as_str(), connector))
    }
}

/// Returns the names of the embedded presets.
pub fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// What can be said about an action without asking the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionInfo {
    /// In words.
    pub title: String,
    /// Which layer it closes.
    pub layer: Layer,
    /// What it interrupts.
    pub breaks: String,
    /// Whether sending it twice has the effect of sending it once.
    pub idempotent: bool,
    /// Whether it can be taken back.
    pub reversible: bool,
    /// Why not, if not.
    pub irreversible: Option<String>,
    /// What survives it.
    pub residual: Vec<String>,
}

/// One configured provider. Everything it sends goes to one scheme, host, port and path prefix.
#[derive(Debug)]
pub struct Connector {
    pub(super) name: String,
    preset: String,
    pub(super) spec: Spec,
    pub(super) base: Base,
    http: Http,
    /// How long one exchange may take.
    pub(super) patience: Duration,
    pub(super) auth: Auth,
    /// Values of the parameters that the settings give.
    pub(super) params: Scope,
    actions: BTreeMap<Verb, ActionInfo>,
    pub(super) secret_dir: Option<PathBuf>,
}

impl Connector {
    /// Prepares one configured connector.
    pub fn new(name: &str, settings: &ConnectorSettings) -> Result<Self, ConnectError> {
        let fail = |problem: String| ConnectError::Settings {
            connector: name.to_owned(),
            problem,
        };
        let (preset, spec) = load_spec(settings, &fail)?;
        let base = Base::parse(&settings.base_url).map_err(|e| fail(e.to_string()))?;
        let params = connector_params(&spec, &settings.params).map_err(&fail)?;
        if !(1..=300).contains(&settings.timeout_s) {
            return Err(fail(format!(
                "timeout_s = {} is out of range; use 1 to 300",
                settings.timeout_s
            )));
        }
        let http = Http::new(
            Duration::from_secs(settings.timeout_s),
            settings.ca_file.as_deref(),
        )
        .map_err(|error| ConnectError::Http {
            connector: name.to_owned(),
            error,
        })?;
        if matches!(settings.auth, AuthSettings::AwsSigv4 { .. }) {
            return Err(fail(
                "`aws_sigv4` is for sources of alerts; connectors cannot sign yet".to_owned(),
            ));
        }
        let token_url = token_url(&spec, &settings.auth, &base, &params).map_err(&fail)?;
        let auth = Auth::new(&settings.auth, token_url).ok_or_else(|| {
            fail("client_credentials needs a token_url; set `auth.token_url`".to_owned())
        })?;
        let secret_dir = params
            .get(lint::SECRET_DIR)
            .and_then(Value::as_str)
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from);
        let actions = spec
            .action
            .iter()
            .map(|(verb, action)| (*verb, info(action)))
            .collect();
        Ok(Self {
            name: name.to_owned(),
            preset,
            spec,
            base,
            http,
            patience: Duration::from_secs(settings.timeout_s),
            auth,
            params,
            actions,
            secret_dir,
        })
    }

    /// Returns the name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the parameter that takes an identity's native id, for identities that no inventory lists.
    pub fn id_param(&self) -> Option<&str> {
        self.spec.never_self.as_deref()
    }

    /// Returns the parameters that every identity must give, since there is no other value.
    pub fn identity_params(&self) -> impl Iterator<Item = &str> {
        let needed = self.spec.param.iter();
        needed
            .filter(|(_, p)| p.from == ParamSource::Identity && p.default.is_none())
            .map(|(name, _)| name.as_str())
    }

    /// Returns the preset's name, or the path of the user's own file.
    pub fn preset(&self) -> &str {
        &self.preset
    }

    /// Returns what the connector can do, without asking anybody.
    pub fn actions(&self) -> &BTreeMap<Verb, ActionInfo> {
        &self.actions
    }

    /// Returns what it connects to, in words.
    pub fn title(&self) -> &str {
        &self.spec.title
    }

    /// Sends one rendered request once, logging in again once when the provider no longer takes the console's token.
    ///
    /// Fails before anything is sent when the request does not belong to this connector or a secret cannot be read.
    pub(super) async fn exchange(
        &self,
        request: &RenderedRequest,
        idempotency_key: Option<&str>,
    ) -> Result<Exchange, ConnectError> {
        let exchange = self.exchange_once(request, idempotency_key).await?;
        match &exchange {
            // A request with a refused token took no effect, so a second one is safe.
            Exchange::Answer(answer) if answer.status == 401 && self.auth.forget().await => {
                self.exchange_once(request, idempotency_key).await
            }
            _ => Ok(exchange),
        }
    }

    async fn exchange_once(
        &self,
        request: &RenderedRequest,
        idempotency_key: Option<&str>,
    ) -> Result<Exchange, ConnectError> {
        let mut outgoing = self.outgoing(request, idempotency_key).await?;
        if let Some(value) = self.auth.header(&self.http).await? {
            outgoing.headers.insert(header::AUTHORIZATION, value);
        }
        Ok(self.http.send(outgoing).await)
    }

    /// Asks and expects one of the request's status codes with a JSON body.
    pub(super) async fn ask(&self, request: &RenderedRequest) -> Result<(u16, Value), String> {
        let exchange = self
            .exchange(request, None)
            .await
            .map_err(|e| e.to_string())?;
        let answer: Answer = match exchange {
            Exchange::NotSent(why) => {
                let origin = origin_of(&request.url);
                return Err(format!("{origin} cannot be reached: {why}"));
            }
            Exchange::Lost(why, _) => return Err(format!("no usable answer: {why}")),
            Exchange::Answer(answer) => answer,
        };
        let status = answer.status;
        if !request.expect.contains(&status) {
            let hint = match status {
                401 | 403 => MAY_NOT_READ,
                404 => "it does not exist there",
                429 | 503 => "the provider asks to come back later",
                300..=399 => "redirects are not followed",
                _ => return Err(format!("status {status}")),
            };
            return Err(format!("status {status}; {hint}"));
        }
        let body = answer.json()?;
        Ok((status, body))
    }

    async fn outgoing(
        &self,
        request: &RenderedRequest,
        idempotency_key: Option<&str>,
    ) -> Result<Outgoing, ConnectError> {
        let refuse = |why: &str| ConnectError::Refused {
            id: request.id.clone(),
            why: why.to_owned(),
        };
        let url = Url::parse(&request.url).map_err(|_| refuse("its URL is malformed"))?;
        if url.as_str() != request.url || !self.base.owns(&url) {
            return Err(refuse("its URL lies outside of this connector's base_url"));
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| refuse("its method is unknown"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refuse("a header name is malformed"))?;
            let value =
                HeaderValue::from_str(value).map_err(|_| refuse("a header value is malformed"))?;
            headers.insert(name, value);
        }
        if let Some(key) = idempotency_key.filter(|_| method != Method::GET) {
            let value = HeaderValue::from_str(key)
                .map_err(|_| refuse("its idempotency key is malformed"))?;
            headers.insert(HeaderName::from_static("idempotency-key"), value);
        }
        Ok(Outgoing {
            method,
            url,
            headers,
            payload: payload(&request.body).await?,
        })
    }
}

/// Turns a structured body into bytes, reading secrets now.
async fn payload(body: &Body) -> Result<Payload, ConnectError> {
    use secrecy::ExposeSecret as _;
    Ok(match body {
        Body::None => Payload::Empty,
        Body::Json { value } => {
            let mut value = value.clone();
            fill(&mut value).await?;
            let bytes = Bytes(value.to_string().into_bytes());
            Payload::Bytes("application/json", bytes)
        }
        Body::Form { fields } => {
            // The serializer cannot be held across an await, so the secrets are read first.
            let mut secrets = Vec::new();
            for field in fields {
                secrets.push(match &field.secret {
                    Some(reference) => Some(secret::read_text(reference).await?),
                    None => None,
                });
            }
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (field, secret) in fields.iter().zip(&secrets) {
                if let Some(value) = &field.value {
                    form.append_pair(&field.name, value);
                }
                if let Some(secret) = secret {
                    form.append_pair(&field.name, secret.expose_secret());
                }
            }
            let bytes = Bytes(form.finish().into_bytes());
            Payload::Bytes("application/x-www-form-urlencoded", bytes)
        }
    })
}

/// Replaces `{"$secret": "file:…"}` by the secret and `{"$now": "+1s"}` by the time of sending in epoch seconds.
async fn fill(value: &mut Value) -> Result<(), ConnectError> {
    use secrecy::ExposeSecret as _;
    let mut open = vec![value];
    while let Some(next) = open.pop() {
        let directive = next
            .as_object()
            .filter(|map| map.len() == 1)
            .and_then(|map| map.iter().next());
        match directive.map(|(key, v)| (key.as_str(), v.as_str())) {
            Some(("$secret", Some(reference))) => {
                let secret = secret::read_text(reference).await?;
                *next = Value::String(secret.expose_secret().to_owned());
            }
            Some(("$now", Some(offset))) => {
                let offset: i64 = offset
                    .strip_prefix('+')
                    .and_then(|o| o.strip_suffix('s'))
                    .and_then(|o| o.parse().ok())
                    .unwrap_or(0);
                *next = Value::from(jiff::Timestamp::now().as_second().saturating_add(offset));
            }
            _ => match next {
                Value::Array(items) => open.extend(items),
                Value::Object(map) => open.extend(map.values_mut()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            },
        }
    }
    Ok(())
}

fn info(action: &super::spec::Action) -> ActionInfo {
    ActionInfo {
        title: action.title.clone(),
        layer: action.layer,
        breaks: action.breaks.clone(),
        idempotent: action.idempotent,
        reversible: action.undo.irreversible.is_none(),
        irreversible: action.undo.irreversible.clone(),
        residual: action.residual.iter().map(|r| r.text.clone()).collect(),
    }
}

/// Finds and checks the file; `fail` reports a problem of the settings.
/// Returns scheme, host and port; paths hold ids that others chose.
fn origin_of(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| "the provider".to_owned(),
        |url| url.origin().ascii_serialization(),
    )
}

fn load_spec(
    settings: &ConnectorSettings,
    fail: &impl Fn(String) -> ConnectError,
) -> Result<(String, Spec), ConnectError> {
    match (&settings.preset, &settings.file) {
        (Some(preset), None) => {
            let text = PRESETS
                .iter()
                .find(|(name, _)| name == preset)
                .ok_or_else(|| {
                    let names: Vec<_> = presets().collect();
                    fail(format!(
                        "there is no preset `{preset}`; use one of {} or `file`",
                        names.join(", ")
                    ))
                })?;
            let spec = lint::parse(
                &format!("{preset}.toml (embedded)"),
                text.1,
                &settings.params,
            )?;
            Ok((preset.clone(), spec))
        }
        (None, Some(path)) => {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|e| ConnectError::File {
                file: file.clone(),
                error: e.to_string(),
            })?;
            let spec = lint::parse(&file, &text, &settings.params)?;
            Ok((file, spec))
        }
        _ => Err(fail("set exactly one of `preset` and `file`".to_owned())),
    }
}

/// Checks the parameters that the settings give and adds defaults.
fn connector_params(spec: &Spec, given: &BTreeMap<String, String>) -> Result<Scope, String> {
    let own = || {
        spec.param
            .iter()
            .filter(|(_, p)| p.from != ParamSource::Identity)
    };
    if let Some(name) = given.keys().find(|name| !own().any(|(n, _)| n == *name)) {
        let names: Vec<_> = own().map(|(n, _)| n.as_str()).collect();
        return Err(format!(
            "parameter `{name}` is unknown; its parameters are: {}",
            names.join(", ")
        ));
    }
    let mut scope = Scope::new();
    for (name, param) in own() {
        let value = match (given.get(name), &param.default) {
            (Some(value), _) if lint::whole(&param.pattern).is_ok_and(|p| p.is_match(value)) => {
                value
            }
            (Some(_), _) => {
                return Err(format!(
                    "parameter `{name}` does not match `{}`; {}",
                    param.pattern, param.help
                ));
            }
            (None, Some(default)) => default,
            (None, None) => return Err(format!("parameter `{name}` is missing; {}", param.help)),
        };
        scope.insert(name.clone(), Value::String(value.clone()));
    }
    Ok(scope)
}

/// Returns the token endpoint: from the settings, absolute on the same host or relative; else from the preset.
fn token_url(
    spec: &Spec,
    auth: &AuthSettings,
    base: &Base,
    params: &Scope,
) -> Result<Option<Url>, String> {
    let AuthSettings::ClientCredentials { token_url, .. } = auth else {
        return Ok(None);
    };
    match token_url {
        Some(text) if text.starts_with('/') => {
            base.join(text, params).map(Some).map_err(|e| e.to_string())
        }
        Some(text) => {
            let url = Url::parse(text)
                .map_err(|_| format!("auth.token_url `{text}` is no URL; correct it"))?;
            if base.same_origin(&url) {
                Ok(Some(url))
            } else {
                Err("auth.token_url is on another host than base_url; the console's secret would leave it".to_owned())
            }
        }
        None => spec
            .auth
            .token_path
            .as_ref()
            .map(|path| base.join(path, params).map_err(|e| e.to_string()))
            .transpose(),
    }
}
