//! The connector file: what one provider's API offers, as data.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::vocabulary::{Layer, Verb};

/// One connector file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How the provider is spoken to.
    pub kind: Kind,
    /// What it connects to, in words.
    pub title: String,
    /// Identity parameter that must differ from the console's own client id or user name: nobody contains the console.
    pub never_self: Option<String>,
    /// Object keys whose values are secrets, besides the built-in ones; they never become evidence.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Defaults for authentication.
    #[serde(default)]
    pub auth: AuthDefaults,
    /// Headers of every request that does not set them itself; values are templates over the connector's parameters.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Placeholders in paths whose values may hold `/`; it is sent as `%2F`.
    #[serde(default)]
    pub slash: Vec<String>,
    /// The program of a connector of kind `command`.
    pub command: Option<CommandSpec>,
    /// Identities that are never acted on, found out when a plan is built.
    #[serde(default)]
    pub refuse: Vec<RefuseSpec>,
    /// Reads that tell what the console's own account may do.
    #[serde(default)]
    pub check: Vec<CheckSpec>,
    /// Parameters by name.
    #[serde(default)]
    pub param: BTreeMap<String, Param>,
    /// Reads that resolve ids and yield variables; run when something needs their variables.
    #[serde(default)]
    pub lookup: Vec<Lookup>,
    /// Variables computed from others.
    #[serde(default)]
    pub derive: Vec<Derive>,
    /// Reads that fill the identity card.
    #[serde(default)]
    pub context: ContextSpec,
    /// What can be done.
    #[serde(default)]
    pub action: BTreeMap<Verb, Action>,
}

/// Kinds of connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Requests over HTTP.
    Http,
    /// Runs of one program, without a shell.
    Command,
}

/// The program of a connector of kind `command`. It gets an empty environment besides what stands here, PATH, HOME and
/// LANG; its standard output is the answer, exit code 0 is status 200.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// Its name or path.
    pub program: String,
    /// Environment; values are templates over the connector's parameters.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variable that takes the user name of `auth`.
    pub username_env: Option<String>,
    /// Variable that takes the password of `auth`, so that no list of processes shows it.
    pub password_env: Option<String>,
    /// Variable that takes the path of `ca_file`.
    pub ca_env: Option<String>,
    /// Schemes that `base_url` may have; it holds no password.
    pub schemes: Vec<String>,
    /// Exit codes that mean *refused, nothing changed*; any other but 0 means *may or may not have taken effect*.
    #[serde(default)]
    pub refused: Vec<i32>,
}

/// An identity that is never acted on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefuseSpec {
    /// jq filter over variables.
    #[serde(rename = "if")]
    pub condition: String,
    /// Why not, and the way out.
    pub says: String,
}

/// A read that tells what the console's own account may do. It knows the connector's parameters only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// The read. It changes nothing, whatever its method.
    pub read: RequestSpec,
    /// jq filter over the answer's body; without it the status suffices.
    pub ok_if: Option<String>,
    /// jq filter over the connector's parameters; when it is not true nothing is asked, and the answer is not known.
    pub when: Option<String>,
    /// Which permission that is, in the provider's words.
    pub needs: String,
    /// The actions that need it; empty for all.
    #[serde(default, rename = "for")]
    pub verbs: Vec<Verb>,
}

/// What the preset knows about authentication.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthDefaults {
    /// Token endpoint as a path template over connector parameters.
    pub token_path: Option<String>,
    /// Whether the settings may name a token endpoint on another host, because the provider has its logins apart.
    #[serde(default)]
    pub apart: bool,
    /// Name of the service in AWS signatures.
    pub aws_service: Option<String>,
}

/// One parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Who gives it.
    pub from: ParamSource,
    /// What the whole value must match.
    pub pattern: String,
    /// Value when nobody gives one; without it the parameter is required.
    pub default: Option<String>,
    /// What it is for; shown when it is missing.
    pub help: String,
}

/// Who gives a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamSource {
    /// The connector's settings.
    Connector,
    /// The connector's settings; a whole path that stands at the beginning of request paths.
    ConnectorPath,
    /// The identity's card.
    Identity,
}

/// A read that yields variables.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The read.
    pub read: RequestSpec,
    /// Variable name to jq filter over the answer's body.
    pub vars: BTreeMap<String, String>,
    /// What it means when a variable comes out as null.
    pub missing: String,
}

/// A variable computed from others by jq (`$name` reads a variable; the input is null).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derive {
    /// Its name.
    pub var: String,
    /// How.
    pub filter: String,
}

/// Reads for the identity card.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContextSpec {
    /// Live sessions and tokens: objects `{id, kind, started, last_seen, expires, origin}`.
    pub sessions: Vec<ReadSpec>,
    /// Roles and scopes: objects `{name, privileged}`.
    pub roles: Vec<ReadSpec>,
    /// Delegated consents: strings.
    pub grants: Vec<ReadSpec>,
    /// Long-lived secrets: objects `{id, kind, store, created, expires, last_used, rotation, enabled}`.
    pub credentials: Vec<ReadSpec>,
    /// One object `{enabled, attributes}`.
    pub identity: Vec<ReadSpec>,
}

/// One read with its shape.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadSpec {
    /// The read.
    pub read: RequestSpec,
    /// jq filter from the answer's body to the shape of its part of the card.
    pub shape: String,
}

/// One request as a template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpec {
    /// Its name.
    pub id: String,
    /// HTTP method; GET when not given.
    pub method: Option<String>,
    /// RFC 6570 template below `base_url`, level 1 expressions only.
    pub path: String,
    /// Extra headers; values are templates.
    pub headers: BTreeMap<String, String>,
    /// Arguments of the program (kind `command`); templates. One that begins with a placeholder is refused.
    pub argv: Vec<String>,
    /// Standard input of the program (kind `command`), as it is.
    pub input: Option<String>,
    /// JSON body; strings are templates. `{"$secret": "credential:<kind>"}` stands for a secret of the identity,
    /// `{"$secret": "file:…"}` for one below `secret_dir`, `{"$new_secret": "<file name>"}` for a new one that is made when
    /// it is sent and kept below `secret_dir`, `{"$now": "+1s"}` for the time of sending.
    pub json: Option<Value>,
    /// Form fields; values are templates.
    pub form: BTreeMap<String, String>,
    /// Form fields whose values are secrets of the identity: `credential:<kind>`.
    pub secret_form: BTreeMap<String, String>,
    /// Status codes that mean *accepted*.
    pub expect: Vec<u16>,
    /// Status codes that mean *already so*.
    pub already: Vec<u16>,
    /// jq filter over the answer's body that must be true.
    pub accept_if: Option<String>,
    /// How the next page is asked for; the body is then the array of all pages.
    pub next: Option<NextSpec>,
    /// jq filter over variables; when it is not true the request is left out.
    pub when: Option<String>,
    /// Variable that holds an array: one request each, with `{each}` or `{each.member}`.
    pub for_each: Option<String>,
    /// Puts a secret from the answer into a file.
    pub capture: Option<CaptureSpec>,
}

/// Where an answer says what the next page is: exactly one of `link`, `url` and `value`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NextSpec {
    /// In a `Link` header with `rel="next"`.
    pub link: bool,
    /// jq filter over the body that gives a whole URL.
    pub url: Option<String>,
    /// jq filter over the body that gives a mark.
    pub value: Option<String>,
    /// Name in the query that takes the mark.
    pub query: Option<String>,
    /// Form field that takes the mark.
    pub form: Option<String>,
}

/// Where a secret in an answer goes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureSpec {
    /// jq filter that finds it.
    pub filter: String,
    /// File name template, below the connector parameter `secret_dir`.
    pub file: String,
}

/// One thing that can be done.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// In words.
    pub title: String,
    /// Which layer it closes.
    pub layer: Layer,
    /// What it interrupts.
    pub breaks: String,
    /// Whether sending it twice equals sending it once.
    pub idempotent: bool,
    /// On what; a template.
    pub target: String,
    /// Parameters of the identity that have a value where it is offered; their default is none.
    #[serde(default)]
    pub only_with: Vec<String>,
    /// Requests in order.
    pub request: Vec<RequestSpec>,
    /// How it is proven.
    pub verify: VerifySpec,
    /// How it is taken back.
    pub undo: UndoSpec,
    /// When a proof is possible at all.
    pub provable: Option<Provable>,
    /// What survives it.
    #[serde(default)]
    pub residual: Vec<ResidualSpec>,
    /// Facts that must still hold when it runs.
    #[serde(default)]
    pub precondition: Vec<PreconditionSpec>,
}

/// A condition on variables without which a read-back would prove nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provable {
    /// jq filter over variables.
    #[serde(rename = "if")]
    pub condition: String,
    /// What is said otherwise.
    #[serde(rename = "else")]
    pub otherwise: String,
}

/// A read-back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySpec {
    /// What is asked.
    pub request: Vec<RequestSpec>,
    /// jq filter over `{"<id>": {"status": …, "body": …}}`.
    pub proven_if: String,
    /// What a proof means.
    pub says: String,
    /// Pause between tries, in milliseconds.
    #[serde(default = "default_interval")]
    pub interval_ms: u64,
    /// When to give up, in milliseconds.
    #[serde(default = "default_deadline")]
    pub deadline_ms: u64,
}

const fn default_interval() -> u64 {
    500
}

const fn default_deadline() -> u64 {
    10_000
}

/// How an action is taken back: by requests with a read-back, or not at all with the reason.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UndoSpec {
    /// Why it cannot be.
    pub irreversible: Option<String>,
    /// Requests in order.
    pub request: Vec<RequestSpec>,
    /// How the undo is proven.
    pub verify: Option<VerifySpec>,
}

/// What survives an action.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidualSpec {
    /// Which layer stays open.
    pub layer: Layer,
    /// In words, without placeholders.
    pub text: String,
    /// Seconds, or `{variable}`; absent is *until somebody ends it*.
    pub at_most_s: Option<Value>,
    /// jq filter over variables; when it is not true there is no such residual.
    pub when: Option<String>,
}

/// A fact, read again before the action runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreconditionSpec {
    /// The lookup whose read tells it.
    pub lookup: String,
    /// jq filter over that read's body.
    pub filter: String,
    /// In words.
    pub says: String,
}

impl Spec {
    /// Returns every request template.
    pub fn requests_mut(&mut self) -> impl Iterator<Item = &mut RequestSpec> {
        let context = &mut self.context;
        let reads = [
            &mut context.sessions,
            &mut context.roles,
            &mut context.grants,
            &mut context.credentials,
            &mut context.identity,
        ];
        let reads = reads.into_iter().flatten().map(|r| &mut r.read);
        let acts = self.action.values_mut().flat_map(|action| {
            let undo = &mut action.undo;
            action
                .request
                .iter_mut()
                .chain(&mut action.verify.request)
                .chain(&mut undo.request)
                .chain(undo.verify.iter_mut().flat_map(|v| &mut v.request))
        });
        let checks = self.check.iter_mut().map(|c| &mut c.read);
        self.lookup
            .iter_mut()
            .map(|l| &mut l.read)
            .chain(checks)
            .chain(reads)
            .chain(acts)
    }
}
