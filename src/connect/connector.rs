//! A configured provider: its file, where it is and how the console logs in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, header};
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::auth::Auth;
use super::command;
use super::error::ConnectError;
use super::http::{Exchange, Http, HttpError, Outgoing, Way};
use super::lint;
use super::load;
use super::payload;
use super::secret;
use super::spec::{ParamSource, Spec};
use super::template::{Base, Scope};
use crate::app::settings::{AuthSettings, ConnectorSettings};
use crate::domain::identity::Identity;
use crate::domain::plan::RenderedRequest;
use crate::domain::vocabulary::{Layer, Verb};

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
    /// The client; one with a certificate is made when its key is first needed.
    http: OnceCell<Http>,
    pub(super) settings: ConnectorSettings,
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
        let (preset, spec) = load::spec(settings, &fail)?;
        let base = match &spec.command {
            Some(command) => Base::program(&settings.base_url, &command.schemes),
            None => Base::parse(&settings.base_url).map(|base| base.with_slash(&spec.slash)),
        };
        let base = base.map_err(|e| fail(e.to_string()))?;
        let params = load::params(&spec, &settings.params).map_err(&fail)?;
        if !(1..=300).contains(&settings.timeout_s) {
            return Err(fail(format!(
                "timeout_s = {} is out of range; use 1 to 300",
                settings.timeout_s
            )));
        }
        let patience = Duration::from_secs(settings.timeout_s);
        let http = Http::new(patience, settings.ca_file.as_deref()).map_err(|error| {
            ConnectError::Http {
                connector: name.to_owned(),
                error,
            }
        })?;
        load::auth_fits(&spec, &settings.auth).map_err(&fail)?;
        let token_url = load::token_url(&spec, &settings.auth, &base, &params).map_err(&fail)?;
        let auth = Auth::new(&settings.auth, token_url).ok_or_else(|| {
            fail(format!(
                "auth of kind `{}` needs an https `token_url`, or a header that can be sent; correct `auth`",
                settings.auth.kind()
            ))
        })?;
        let mut params = params;
        let own = auth.own_name().unwrap_or_default();
        params.insert("own_name".to_owned(), Value::from(own));
        params.insert("base_url".to_owned(), Value::from(base.as_str()));
        let secret_dir = params
            .get(lint::SECRET_DIR)
            .and_then(Value::as_str)
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from);
        // What issues a credential must have a place for it: else its team issues it, and hands it out.
        let kept = |verb: &Verb, action: &super::spec::Action| {
            let captures = action.request.iter().any(|r| r.capture.is_some());
            *verb != Verb::IssueCredential || !captures || secret_dir.is_some()
        };
        let actions = spec
            .action
            .iter()
            .filter(|(verb, action)| kept(verb, action))
            .map(|(verb, action)| (*verb, info(action)))
            .collect();
        Ok(Self {
            name: name.to_owned(),
            preset,
            spec,
            base,
            http: match settings.auth {
                AuthSettings::Mtls { .. } => OnceCell::new(),
                _ => OnceCell::new_with(Some(http)),
            },
            settings: settings.clone(),
            patience,
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

    /// Tells whether identities may give a parameter.
    pub fn takes(&self, name: &str) -> bool {
        let param = self.spec.param.get(name);
        param.is_some_and(|p| p.from == ParamSource::Identity)
    }

    /// Returns the preset's name, or the path of the user's own file.
    pub fn preset(&self) -> &str {
        &self.preset
    }

    /// Returns what the connector can do, without asking anybody.
    pub fn actions(&self) -> &BTreeMap<Verb, ActionInfo> {
        &self.actions
    }

    /// Tells whether it can do this to an identity, by what its card says. Nobody is asked.
    pub fn offers(&self, verb: Verb, identity: &Identity) -> bool {
        let given = |name: &String| identity.params.get(name).is_some_and(|v| !v.is_empty());
        let action = self.spec.action.get(&verb);
        self.actions.contains_key(&verb) && action.is_some_and(|a| a.only_with.iter().all(given))
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
        way: Way,
    ) -> Result<Exchange, ConnectError> {
        let exchange = self.exchange_once(request, idempotency_key, way).await?;
        match &exchange {
            // A request with a refused token took no effect, so a second one is safe.
            Exchange::Answer(answer) if answer.status == 401 && self.auth.forget().await => {
                self.exchange_once(request, idempotency_key, way).await
            }
            _ => Ok(exchange),
        }
    }

    async fn exchange_once(
        &self,
        request: &RenderedRequest,
        idempotency_key: Option<&str>,
        way: Way,
    ) -> Result<Exchange, ConnectError> {
        if let Some(command) = &self.spec.command {
            return command::run(self, command, request).await;
        }
        let mut outgoing = self.outgoing(request, idempotency_key).await?;
        let http = self.client().await?;
        if let Some((name, value)) = self.auth.proof(http).await? {
            outgoing.headers.insert(name, value);
        }
        if let Some(service) = &self.spec.auth.aws_service {
            let signed = self.auth.sign(http, service, &outgoing).await?;
            outgoing.headers.extend(signed);
        }
        Ok(match way {
            Way::Own => http.send(outgoing).await,
            Way::Shared => http.send_shared(outgoing).await,
        })
    }

    /// Returns the client, with the console's certificate where it shows one.
    pub(super) async fn client(&self) -> Result<&Http, ConnectError> {
        let make = async || {
            let AuthSettings::Mtls { certificate, key } = &self.settings.auth else {
                return Http::new(self.patience, self.settings.ca_file.as_deref())
                    .map_err(|e| self.no_client(e));
            };
            let key = secret::read(key).await?;
            let chain = std::fs::read(certificate)
                .map_err(|e| self.no_client(HttpError::Certificate(e.to_string())))?;
            let pem = zeroize::Zeroizing::new(
                [
                    chain.as_slice(),
                    b"\n",
                    secrecy::ExposeSecret::expose_secret(&key).as_bytes(),
                ]
                .concat(),
            );
            Http::with_certificate(
                self.patience,
                self.settings.ca_file.as_deref(),
                Some(pem.as_slice()),
            )
            .map_err(|e| self.no_client(e))
        };
        self.http.get_or_try_init(make).await
    }

    fn no_client(&self, error: HttpError) -> ConnectError {
        ConnectError::Http {
            connector: self.name.clone(),
            error,
        }
    }

    /// Returns where the provider is.
    pub fn place(&self) -> &str {
        self.base.as_str()
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
        let mut json_type = "application/json";
        for (name, value) in &request.headers {
            if name.eq_ignore_ascii_case("content-type") {
                json_type = lint::JSON_TYPES
                    .iter()
                    .find(|t| *t == value)
                    .ok_or_else(|| refuse("its content type is unknown"))?;
                continue;
            }
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
            payload: payload::payload(&request.body, json_type, self.secret_dir.as_deref()).await?,
        })
    }
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
