//! Renders request templates into the exact requests of a plan.

use serde_json::{Value, json};

use super::error::ConnectError;
use super::jq;
use super::spec::{NextSpec, RequestSpec, VerifySpec};
use super::template::{self, Base, Scope};
use crate::domain::identity::Identity;
use crate::domain::plan::{Body, Capture, FormField, NextPage, RenderedRequest, RenderedVerify};

/// Most requests that one template becomes.
const MAX_EACH: usize = 200;

/// Renders a request that reads: status 200 unless it says otherwise.
pub fn read(
    base: &Base,
    spec: &RequestSpec,
    scope: &Scope,
    identity: &Identity,
) -> Result<RenderedRequest, ConnectError> {
    one(base, spec, scope, identity, &[200], None)
}

/// Renders an acting request template into none, one or many requests.
pub fn act(
    base: &Base,
    spec: &RequestSpec,
    scope: &Scope,
    identity: &Identity,
    secret_dir: Option<&std::path::Path>,
) -> Result<Vec<RenderedRequest>, ConnectError> {
    let block = || format!("request `{}`", spec.id);
    if let Some(when) = &spec.when
        && !holds(when, scope, &block())?
    {
        return Ok(Vec::new());
    }
    let expect = &[200, 201, 202, 204];
    let Some(var) = &spec.for_each else {
        return Ok(vec![one(base, spec, scope, identity, expect, secret_dir)?]);
    };
    let items = scope
        .get(var)
        .and_then(Value::as_array)
        .ok_or_else(|| ConnectError::Template {
            block: block(),
            error: template::TemplateError::Unknown(var.clone()),
        })?;
    if items.len() > MAX_EACH {
        return Err(ConnectError::TooMany {
            block: block(),
            var: var.clone(),
            count: items.len(),
            max: MAX_EACH,
        });
    }
    let mut scope = scope.clone();
    let mut out = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        scope.insert("each".to_owned(), item.clone());
        let mut request = one(base, spec, &scope, identity, expect, secret_dir)?;
        request.id = format!("{}.{}", spec.id, i + 1);
        out.push(request);
    }
    Ok(out)
}

/// Renders a read-back.
pub fn verify(
    base: &Base,
    spec: &VerifySpec,
    scope: &Scope,
    identity: &Identity,
) -> Result<RenderedVerify, ConnectError> {
    let mut requests = Vec::new();
    for request in &spec.request {
        if let Some(when) = &request.when
            && !holds(when, scope, &format!("request `{}`", request.id))?
        {
            continue;
        }
        requests.push(read(base, request, scope, identity)?);
    }
    Ok(RenderedVerify {
        requests,
        proven_if: jq::with_vars(&spec.proven_if, scope),
        says: spec.says.clone(),
        interval_ms: spec.interval_ms,
        deadline_ms: spec.deadline_ms,
    })
}

/// Evaluates a condition over variables.
pub fn holds(filter: &str, scope: &Scope, block: &str) -> Result<bool, ConnectError> {
    jq::is_true(&jq::with_vars(filter, scope), &Value::Null).map_err(|error| ConnectError::Jq {
        block: block.to_owned(),
        error,
    })
}

fn one(
    base: &Base,
    spec: &RequestSpec,
    scope: &Scope,
    identity: &Identity,
    default_expect: &[u16],
    secret_dir: Option<&std::path::Path>,
) -> Result<RenderedRequest, ConnectError> {
    let failed = |error| ConnectError::Template {
        block: format!("request `{}`", spec.id),
        error,
    };
    let headers = spec
        .headers
        .iter()
        .map(|(name, value)| Ok((name.clone(), template::text(value, scope)?)))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let capture = match &spec.capture {
        None => None,
        Some(capture) => {
            let dir = secret_dir.ok_or_else(no_secret_dir)?;
            let name = template::text(&capture.file, scope).map_err(failed)?;
            Some(Capture {
                filter: jq::with_vars(&capture.filter, scope),
                sink: dir.join(name).display().to_string(),
            })
        }
    };
    let (method, url, body) = if spec.argv.is_empty() && spec.input.is_none() {
        let method = spec.method.clone().unwrap_or_else(|| "GET".to_owned());
        let url = base.join(&spec.path, scope).map_err(failed)?.into();
        (
            method,
            url,
            body(spec, scope, identity, secret_dir, failed)?,
        )
    } else {
        let body = program(spec, scope).map_err(failed)?;
        (RUN.to_owned(), base.as_str().to_owned(), body)
    };
    Ok(RenderedRequest {
        id: spec.id.clone(),
        method,
        url,
        headers,
        body,
        expect: if spec.expect.is_empty() {
            default_expect.to_vec()
        } else {
            spec.expect.clone()
        },
        already: spec.already.clone(),
        accept_if: spec.accept_if.as_ref().map(|f| jq::with_vars(f, scope)),
        capture,
        next: spec.next.as_ref().map(|next| next_page(next, scope)),
    })
}

/// What stands for the method of a run of a program.
pub const RUN: &str = "RUN";

/// Renders a run of a program: its arguments and its input.
fn program(spec: &RequestSpec, scope: &Scope) -> Result<Body, template::TemplateError> {
    let argv: Vec<Value> = spec
        .argv
        .iter()
        .map(|text| template::text(text, scope).map(Value::String))
        .collect::<Result<_, _>>()?;
    let mut value = json!({ "argv": argv });
    if let (Some(input), Some(map)) = (&spec.input, value.as_object_mut()) {
        map.insert("input".to_owned(), Value::String(input.clone()));
    }
    Ok(Body::Json { value })
}

fn next_page(spec: &NextSpec, scope: &Scope) -> NextPage {
    let bind = |filter: &str| jq::with_vars(filter, scope);
    match spec {
        NextSpec {
            url: Some(filter), ..
        } => NextPage::Url {
            filter: bind(filter),
        },
        NextSpec {
            value: Some(filter),
            query: Some(name),
            ..
        } => NextPage::Query {
            filter: bind(filter),
            name: name.clone(),
        },
        NextSpec {
            value: Some(filter),
            form: Some(name),
            ..
        } => NextPage::Form {
            filter: bind(filter),
            name: name.clone(),
        },
        _ => NextPage::Link,
    }
}

/// Finds where a copy of a secret of the identity may be read.
fn reference(identity: &Identity, kind: &str) -> Result<String, ConnectError> {
    identity
        .credentials
        .iter()
        .find(|c| c.kind.raw() == kind && c.secret_ref.is_some())
        .and_then(|c| c.secret_ref.clone())
        .ok_or_else(|| ConnectError::NoCredential(kind.to_owned()))
}

/// Puts the place in for what names one: a copy of a secret of the identity, or a new one below `secret_dir`.
fn place_secrets(
    value: &mut Value,
    identity: &Identity,
    secret_dir: Option<&std::path::Path>,
) -> Result<(), ConnectError> {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| place_secrets(item, identity, secret_dir)),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                let text = inner.as_str().unwrap_or_default();
                match key.as_str() {
                    "$secret" => {
                        if let Some(kind) = text.strip_prefix("credential:") {
                            *inner = Value::String(reference(identity, kind)?);
                        }
                    }
                    "$new_secret" => {
                        let dir = secret_dir.ok_or_else(no_secret_dir)?;
                        *inner = Value::String(dir.join(text).display().to_string());
                    }
                    _ => place_secrets(inner, identity, secret_dir)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn no_secret_dir() -> ConnectError {
    ConnectError::Param {
        name: super::lint::SECRET_DIR.to_owned(),
        problem:
            "is not set; name a private directory (mode 0700) where a new secret may be written"
                .to_owned(),
    }
}

fn body(
    spec: &RequestSpec,
    scope: &Scope,
    identity: &Identity,
    secret_dir: Option<&std::path::Path>,
    failed: impl Fn(template::TemplateError) -> ConnectError,
) -> Result<Body, ConnectError> {
    if let Some(json) = &spec.json {
        let mut value = template::json(json, scope).map_err(failed)?;
        place_secrets(&mut value, identity, secret_dir)?;
        return Ok(Body::Json { value });
    }
    if spec.form.is_empty() && spec.secret_form.is_empty() {
        return Ok(Body::None);
    }
    let mut fields = Vec::new();
    for (name, text) in &spec.form {
        fields.push(FormField {
            name: name.clone(),
            value: Some(template::text(text, scope).map_err(&failed)?),
            secret: None,
        });
    }
    for (name, which) in &spec.secret_form {
        let kind = which.strip_prefix("credential:").unwrap_or_default();
        let reference = reference(identity, kind)?;
        fields.push(FormField {
            name: name.clone(),
            value: None,
            secret: Some(reference),
        });
    }
    Ok(Body::Form { fields })
}
