//! Renders request templates into the exact requests of a plan.

use serde_json::Value;

use super::error::ConnectError;
use super::jq;
use super::spec::{RequestSpec, VerifySpec};
use super::template::{self, Base, Scope};
use crate::domain::identity::Identity;
use crate::domain::plan::{Body, Capture, FormField, RenderedRequest, RenderedVerify};

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
    Ok(RenderedVerify {
        requests: spec
            .request
            .iter()
            .map(|r| read(base, r, scope, identity))
            .collect::<Result<_, _>>()?,
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
            let dir = secret_dir.ok_or_else(|| ConnectError::Param {
                name: super::lint::SECRET_DIR.to_owned(),
                problem: "is not set; name a private directory (mode 0700) where a new secret may be written".to_owned(),
            })?;
            let name = template::text(&capture.file, scope).map_err(failed)?;
            Some(Capture {
                filter: jq::with_vars(&capture.filter, scope),
                sink: dir.join(name).display().to_string(),
            })
        }
    };
    Ok(RenderedRequest {
        id: spec.id.clone(),
        method: spec.method.clone().unwrap_or_else(|| "GET".to_owned()),
        url: base.join(&spec.path, scope).map_err(failed)?.into(),
        headers,
        body: body(spec, scope, identity, failed)?,
        expect: if spec.expect.is_empty() {
            default_expect.to_vec()
        } else {
            spec.expect.clone()
        },
        already: spec.already.clone(),
        accept_if: spec.accept_if.as_ref().map(|f| jq::with_vars(f, scope)),
        capture,
    })
}

fn body(
    spec: &RequestSpec,
    scope: &Scope,
    identity: &Identity,
    failed: impl Fn(template::TemplateError) -> ConnectError,
) -> Result<Body, ConnectError> {
    if let Some(json) = &spec.json {
        let value = template::json(json, scope).map_err(failed)?;
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
        let reference = identity
            .credentials
            .iter()
            .find(|c| c.kind.raw() == kind && c.secret_ref.is_some())
            .and_then(|c| c.secret_ref.clone())
            .ok_or_else(|| ConnectError::NoCredential(kind.to_owned()))?;
        fields.push(FormField {
            name: name.clone(),
            value: None,
            secret: Some(reference),
        });
    }
    Ok(Body::Form { fields })
}
