//! Checks a connector file when it is loaded, so that nothing about it can surprise anybody during an incident.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::ConnectError;
use super::jq;
use super::spec::{
    Action, CaptureSpec, Kind, ParamSource, RequestSpec, Spec, UndoSpec, VerifySpec,
};
use super::template::{self, Base, Scope};

mod parts;

use parts::{directives, makes_secret};

/// Variables that exist without being declared.
///
/// `now_s` is the time of binding, `own_name` the console's own name at the provider or empty, `held` the kinds of the
/// identity's credentials of which a copy can be read, `base_url` where the provider is.
pub const BUILT_IN: &[&str] = &["now_s", "own_name", "held", "base_url"];
/// The parameter below which captured secrets are written.
pub const SECRET_DIR: &str = "secret_dir";
/// Methods that are sent.
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Content types that a JSON body may have besides `application/json`.
pub const JSON_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/vnd.pagerduty+json",
];
/// Headers that the sender owns.
const OWN_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// A finding: which block, and what to do about it.
type Finding = (String, String);

/// Reads and checks a connector file; `file` names it in errors, `given` are the parameters of the settings.
pub fn parse(
    file: &str,
    text: &str,
    given: &BTreeMap<String, String>,
) -> Result<Spec, ConnectError> {
    let mut spec: Spec = toml::from_str(text).map_err(|e| ConnectError::Syntax {
        file: file.to_owned(),
        error: e.to_string().trim_end().to_owned(),
    })?;
    let lint = |(block, problem)| ConnectError::Lint {
        file: file.to_owned(),
        block,
        problem,
    };
    params(&spec).map_err(lint)?;
    paths(&mut spec, given).map_err(lint)?;
    headers(&mut spec);
    check(&spec).map_err(lint)?;
    Ok(spec)
}

/// Puts path parameters at the beginning of the request paths that name them; they are then linted like any path.
fn paths(spec: &mut Spec, given: &BTreeMap<String, String>) -> Result<(), Finding> {
    let mut values = Vec::new();
    for (name, param) in spec
        .param
        .iter()
        .filter(|(_, p)| p.from == ParamSource::ConnectorPath)
    {
        let fail = |problem: String| Err((format!("param.{name}"), problem));
        let Some(value) = given.get(name).or(param.default.as_ref()) else {
            return fail(format!("it is missing in the settings; {}", param.help));
        };
        if !value.starts_with('/')
            || value.contains(['{', '}', '?'])
            || !whole(&param.pattern).is_ok_and(|p| p.is_match(value))
        {
            return fail(format!(
                "path `{value}` does not match `{}`; {}",
                param.pattern, param.help
            ));
        }
        values.push((format!("{{{name}}}"), value.clone()));
    }
    for request in spec.requests_mut() {
        for (placeholder, value) in &values {
            if let Some(rest) = request.path.strip_prefix(placeholder.as_str()) {
                request.path = format!("{value}{rest}");
            }
        }
    }
    Ok(())
}

/// Gives every request the headers that it does not set itself.
fn headers(spec: &mut Spec) {
    let all = std::mem::take(&mut spec.headers);
    for request in spec.requests_mut() {
        for (name, value) in &all {
            request
                .headers
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
    }
    spec.headers = all;
}

/// Returns the variables that a request needs.
pub fn uses(request: &RequestSpec) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    // Templates that do not parse are reported elsewhere; they need nothing.
    let templates = std::iter::once(&request.path)
        .chain(request.headers.values())
        .chain(request.form.values())
        .chain(&request.argv)
        .chain(request.capture.iter().map(|c| &c.file));
    for text in templates {
        out.extend(
            template::names(text)
                .unwrap_or_default()
                .into_iter()
                .map(str::to_owned),
        );
    }
    if let Some(json) = &request.json {
        out.extend(
            template::json_names(json)
                .unwrap_or_default()
                .into_iter()
                .map(str::to_owned),
        );
    }
    let filters = request
        .when
        .iter()
        .chain(&request.accept_if)
        .chain(
            request
                .next
                .iter()
                .flat_map(|n| n.url.iter().chain(&n.value)),
        )
        .chain(request.capture.iter().map(|c| &c.filter));
    for filter in filters {
        out.extend(jq::mentioned(filter).into_iter().map(str::to_owned));
    }
    out.extend(request.for_each.clone());
    out.remove("each");
    out
}

fn uses_verify(verify: &VerifySpec) -> BTreeSet<String> {
    let mut out: BTreeSet<String> = verify.request.iter().flat_map(uses).collect();
    out.extend(
        jq::mentioned(&verify.proven_if)
            .into_iter()
            .map(str::to_owned),
    );
    out
}

/// Returns the variables that an action needs, its undo and read-backs included.
pub fn uses_action(action: &Action) -> BTreeSet<String> {
    let mut out: BTreeSet<String> = action
        .request
        .iter()
        .chain(&action.undo.request)
        .flat_map(uses)
        .collect();
    out.extend(uses_verify(&action.verify));
    out.extend(action.undo.verify.iter().flat_map(uses_verify));
    out.extend(
        template::names(&action.target)
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned),
    );
    let filters = action
        .provable
        .iter()
        .map(|p| &p.condition)
        .chain(action.residual.iter().filter_map(|r| r.when.as_ref()));
    for filter in filters {
        out.extend(jq::mentioned(filter).into_iter().map(str::to_owned));
    }
    for residual in &action.residual {
        if let Some(value) = &residual.at_most_s {
            out.extend(
                template::json_names(value)
                    .unwrap_or_default()
                    .into_iter()
                    .map(str::to_owned),
            );
        }
    }
    out
}

struct Linter {
    /// Every variable, as null: enough to see whether a filter compiles.
    known: Scope,
    base: Base,
    kind: Kind,
}

fn check(spec: &Spec) -> Result<(), Finding> {
    let linter = Linter {
        known: variables(spec)?,
        base: Base::parse("https://lint.invalid/")
            .map_err(|e| ("base".to_owned(), e.to_string()))?
            .with_slash(&spec.slash),
        kind: spec.kind,
    };
    linter.program(spec)?;
    linter.checks(spec)?;
    for refuse in &spec.refuse {
        linter.filter("refuse", &refuse.condition)?;
    }
    if let Some(path) = &spec.auth.token_path {
        linter.path("auth.token_path", path, false)?;
    }
    if let Some(name) = &spec.never_self
        && !spec.param.contains_key(name)
    {
        return Err((
            "never_self".into(),
            format!("`{name}` is no parameter; name one"),
        ));
    }
    let mut ids = BTreeSet::new();
    for lookup in &spec.lookup {
        let block = format!("lookup `{}`", lookup.read.id);
        if !ids.insert(&lookup.read.id) {
            return Err((
                block,
                "this id is used twice; give each lookup its own".into(),
            ));
        }
        linter.read(&block, &lookup.read)?;
        for filter in lookup.vars.values() {
            linter.filter(&block, filter)?;
        }
    }
    for derive in &spec.derive {
        linter.filter(&format!("derive `{}`", derive.var), &derive.filter)?;
    }
    order(spec)?;
    let context = &spec.context;
    let parts = [
        ("sessions", &context.sessions),
        ("roles", &context.roles),
        ("grants", &context.grants),
        ("credentials", &context.credentials),
        ("identity", &context.identity),
    ];
    for (name, reads) in parts {
        for read in reads {
            let block = format!("context.{name} `{}`", read.read.id);
            linter.read(&block, &read.read)?;
            linter.filter(&block, &read.shape)?;
        }
    }
    for (verb, action) in &spec.action {
        linter.action(spec, &format!("action.{verb}"), action)?;
    }
    Ok(())
}

/// Collects all variable names, each declared once and plainly spelled.
fn variables(spec: &Spec) -> Result<Scope, Finding> {
    let declared = spec
        .param
        .keys()
        .map(|name| (format!("param.{name}"), name))
        .chain(spec.lookup.iter().flat_map(|l| {
            l.vars
                .keys()
                .map(|name| (format!("lookup `{}`", l.read.id), name))
        }))
        .chain(
            spec.derive
                .iter()
                .map(|d| (format!("derive `{}`", d.var), &d.var)),
        );
    let mut known: BTreeMap<String, Value> = BUILT_IN
        .iter()
        .map(|&n| (n.to_owned(), Value::Null))
        .collect();
    for (block, name) in declared {
        let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !plain || name == "each" {
            return Err((
                block,
                format!("`{name}` is no usable name; write lower-case letters, digits and `_`"),
            ));
        }
        if known.insert(name.clone(), Value::Null).is_some() {
            return Err((block, format!("`{name}` is declared twice; rename one")));
        }
    }
    Ok(known)
}

fn params(spec: &Spec) -> Result<(), Finding> {
    for (name, param) in &spec.param {
        let block = format!("param.{name}");
        whole(&param.pattern).map_err(|e| {
            (
                block.clone(),
                format!(
                    "pattern `{}` is no regular expression ({e}); correct it",
                    param.pattern
                ),
            )
        })?;
        if name == SECRET_DIR && param.from != ParamSource::Connector {
            return Err((block, "where secrets are written is for the connector's settings to say; set `from = \"connector\"`".into()));
        }
    }
    Ok(())
}

/// Compiles a pattern that the whole value must match.
pub fn whole(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    regex_lite::Regex::new(&format!("^(?:{pattern})$"))
}

/// Checks that lookups and derived variables can be resolved in some order.
fn order(spec: &Spec) -> Result<(), Finding> {
    let mut have: BTreeSet<&str> = spec
        .param
        .keys()
        .map(String::as_str)
        .chain(BUILT_IN.iter().copied())
        .collect();
    let mut open: Vec<(String, BTreeSet<String>, Vec<&str>)> = Vec::new();
    for lookup in &spec.lookup {
        open.push((
            format!("lookup `{}`", lookup.read.id),
            uses(&lookup.read),
            lookup.vars.keys().map(String::as_str).collect(),
        ));
    }
    for derive in &spec.derive {
        let needs = jq::mentioned(&derive.filter).into_iter().map(str::to_owned);
        open.push((
            format!("derive `{}`", derive.var),
            needs.collect(),
            vec![&derive.var],
        ));
    }
    loop {
        let before = open.len();
        open.retain(|(_, needs, gives)| {
            let ready = needs.iter().all(|n| have.contains(n.as_str()));
            if ready {
                have.extend(gives);
            }
            !ready
        });
        match open.first() {
            None => return Ok(()),
            Some((block, ..)) if open.len() == before => {
                return Err((
                    block.clone(),
                    "it needs a variable that needs it in turn; break the circle".into(),
                ));
            }
            Some(_) => {}
        }
    }
}

impl Linter {
    fn filter(&self, block: &str, filter: &str) -> Result<(), Finding> {
        jq::check(&jq::with_vars(filter, &self.known))
            .map_err(|e| (block.to_owned(), e.to_string()))
    }

    fn names(&self, block: &str, names: &[&str], each: bool) -> Result<(), Finding> {
        for name in names {
            if !(self.known.contains_key(*name) || each && *name == "each") {
                return Err((
                    block.to_owned(),
                    format!(
                        "placeholder `{{{name}}}` is unknown; declare it as a parameter, lookup variable or derived variable"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn text(&self, block: &str, text: &str, each: bool) -> Result<(), Finding> {
        let names = template::names(text).map_err(|e| (block.to_owned(), e.to_string()))?;
        self.names(block, &names, each)
    }

    fn path(&self, block: &str, path: &str, each: bool) -> Result<(), Finding> {
        self.text(block, path, each)?;
        // With every placeholder replaced by a harmless word the rest must already be a clean path.
        let mut plain = String::new();
        for piece in path.split('{') {
            match piece.split_once('}') {
                Some((_, after)) => {
                    plain.push('x');
                    plain.push_str(after);
                }
                None => plain.push_str(piece),
            }
        }
        self.base
            .join(&plain, &Scope::new())
            .map(|_| ())
            .map_err(|e| (block.to_owned(), e.to_string()))
    }

    /// Checks a request that only reads.
    fn read(&self, block: &str, request: &RequestSpec) -> Result<(), Finding> {
        if request.for_each.is_some()
            || request.when.is_some()
            || request.capture.is_some()
            || request.json.as_ref().is_some_and(makes_secret)
            || !request.already.is_empty()
        {
            return Err((
                block.to_owned(),
                "a read has no `for_each`, `when`, `already` or `capture`; remove it".into(),
            ));
        }
        self.request(block, request)
    }

    fn request(&self, block: &str, request: &RequestSpec) -> Result<(), Finding> {
        let fail = |problem: String| Err((block.to_owned(), problem));
        if request.id.is_empty() {
            return fail("a request has no `id`; name it".into());
        }
        let method = request.method.as_deref().unwrap_or("GET");
        if !METHODS.contains(&method) {
            return fail(format!(
                "method `{method}` is unknown; use one of {}",
                METHODS.join(", ")
            ));
        }
        for value in request.secret_form.values() {
            if value.strip_prefix("credential:").is_none_or(str::is_empty) {
                return fail("a secret form field must be `credential:<kind>`".into());
            }
        }
        let each = request.for_each.is_some();
        match self.kind {
            Kind::Http if request.argv.is_empty() && request.input.is_none() => {
                self.path(block, &request.path, each)?;
            }
            Kind::Http => {
                return fail("it has `argv` or `input`; those are for kind `command`".into());
            }
            Kind::Command => return self.run(block, request),
        }
        if let Some(next) = &request.next {
            self.next(block, next)?;
        }
        if request.json.is_some() && !(request.form.is_empty() && request.secret_form.is_empty()) {
            return fail("it has `json` and a form; keep one".into());
        }
        for text in request.form.values() {
            self.text(block, text, each)?;
        }
        for (name, text) in &request.headers {
            if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str())
                || reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err()
            {
                return fail(format!("header `{name}` cannot be set here; remove it"));
            }
            if name.eq_ignore_ascii_case("content-type")
                && (request.json.is_none() || !JSON_TYPES.contains(&text.as_str()))
            {
                return fail(format!(
                    "content type `{text}` cannot be set; beside a `json` body it may be one of {}",
                    JSON_TYPES.join(", ")
                ));
            }
            self.text(block, text, each)?;
        }
        if let Some(json) = &request.json {
            directives(json).map_err(|problem| (block.to_owned(), problem))?;
            let names =
                template::json_names(json).map_err(|e| (block.to_owned(), e.to_string()))?;
            self.names(block, &names, each)?;
        }
        if let Some(var) = &request.for_each {
            self.names(block, &[var], false)?;
        }
        if let Some(code) = request
            .expect
            .iter()
            .chain(&request.already)
            .find(|c| !(200..600).contains(*c))
        {
            return fail(format!("status {code} is none; use 200 to 599"));
        }
        for filter in request.when.iter().chain(&request.accept_if) {
            self.filter(block, filter)?;
        }
        match &request.capture {
            Some(capture) => self.capture(block, capture, each),
            None => Ok(()),
        }
    }

    fn capture(&self, block: &str, capture: &CaptureSpec, each: bool) -> Result<(), Finding> {
        if !self.known.contains_key(SECRET_DIR) {
            return Err((
                block.to_owned(),
                format!(
                    "it captures a secret, and there is no parameter `{SECRET_DIR}`; declare it"
                ),
            ));
        }
        if capture.file.contains('/') {
            return Err((
                block.to_owned(),
                format!("capture.file is a name below `{SECRET_DIR}`; remove the `/`"),
            ));
        }
        self.text(block, &capture.file, each)?;
        self.filter(block, &capture.filter)
    }

    fn requests(&self, block: &str, requests: &[RequestSpec]) -> Result<(), Finding> {
        let mut ids = BTreeSet::new();
        for request in requests {
            let block = format!("{block} request `{}`", request.id);
            if !ids.insert(&request.id) {
                return Err((
                    block,
                    "this id is used twice; give each request its own".into(),
                ));
            }
            self.request(&block, request)?;
        }
        Ok(())
    }

    fn verify(&self, block: &str, verify: &VerifySpec) -> Result<(), Finding> {
        if verify.request.is_empty() {
            return Err((
                block.to_owned(),
                "it asks nothing; add a request that reads the effect back".into(),
            ));
        }
        if !(50..=60_000).contains(&verify.interval_ms)
            || !(verify.interval_ms..=600_000).contains(&verify.deadline_ms)
        {
            return Err((
                block.to_owned(),
                "interval_ms is 50 to 60000, deadline_ms from there to 600000; correct them".into(),
            ));
        }
        for request in &verify.request {
            // What is read back may depend on what is there; the filter says what is proven then.
            let unconditional = RequestSpec {
                when: None,
                ..request.clone()
            };
            self.read(&format!("{block} request `{}`", request.id), &unconditional)?;
        }
        self.requests(block, &verify.request)?;
        self.filter(block, &verify.proven_if)
    }

    fn undo(&self, block: &str, undo: &UndoSpec) -> Result<(), Finding> {
        match (&undo.irreversible, undo.request.is_empty(), &undo.verify) {
            (Some(reason), true, None) if !reason.trim().is_empty() => Ok(()),
            (None, false, Some(verify)) => {
                self.requests(block, &undo.request)?;
                self.verify(&format!("{block}.verify"), verify)
            }
            _ => Err((
                block.to_owned(),
                "declare either `irreversible = \"why\"` or requests with a `verify`".into(),
            )),
        }
    }

    fn action(&self, spec: &Spec, block: &str, action: &Action) -> Result<(), Finding> {
        if action.request.is_empty() {
            return Err((block.to_owned(), "it sends nothing; add a request".into()));
        }
        self.requests(block, &action.request)?;
        self.verify(&format!("{block}.verify"), &action.verify)?;
        self.undo(&format!("{block}.undo"), &action.undo)?;
        self.text(&format!("{block}.target"), &action.target, false)?;
        for name in &action.only_with {
            let param = spec.param.get(name);
            let param = param.filter(|p| p.from == ParamSource::Identity);
            if param.is_none_or(|p| p.default.as_deref() != Some("")) {
                let problem = format!(
                    "only_with names `{name}`, which is no parameter of the identity with an empty default; correct it"
                );
                return Err((block.to_owned(), problem));
            }
        }
        if let Some(provable) = &action.provable {
            self.filter(&format!("{block}.provable"), &provable.condition)?;
        }
        for residual in &action.residual {
            let block = format!("{block}.residual");
            if residual.text.contains(['{', '}']) {
                return Err((
                    block,
                    "its text is shown before anything is read; remove the placeholder".into(),
                ));
            }
            match &residual.at_most_s {
                None => {}
                Some(Value::Number(n)) if n.is_u64() => {}
                Some(Value::String(text)) if text.starts_with('{') && text.ends_with('}') => {
                    self.text(&block, text, false)?;
                }
                Some(_) => {
                    return Err((
                        block,
                        "at_most_s is a number of seconds or one `{variable}`; correct it".into(),
                    ));
                }
            }
            if let Some(when) = &residual.when {
                self.filter(&block, when)?;
            }
        }
        for pre in &action.precondition {
            let block = format!("{block}.precondition");
            if !spec.lookup.iter().any(|l| l.read.id == pre.lookup) {
                return Err((
                    block,
                    format!("there is no lookup `{}`; name one", pre.lookup),
                ));
            }
            self.filter(&block, &pre.filter)?;
        }
        Ok(())
    }
}
