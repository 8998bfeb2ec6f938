//! Reads the file of a connector and what the settings add to it.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::error::ConnectError;
use super::lint;
use super::preset;
use super::spec::{Kind, ParamSource, Spec};
use super::template::{Base, Scope};
use crate::app::settings::{AuthSettings, ConnectorSettings};

/// Finds and checks the file; `fail` reports a problem of the settings.
pub fn spec(
    settings: &ConnectorSettings,
    fail: &impl Fn(String) -> ConnectError,
) -> Result<(String, Spec), ConnectError> {
    match (&settings.preset, &settings.file) {
        (Some(preset), None) => {
            let text = preset::find(preset).ok_or_else(|| {
                let names: Vec<_> = preset::names().collect();
                fail(format!(
                    "there is no preset `{preset}`; use one of {} or `file`",
                    names.join(", ")
                ))
            })?;
            let spec = lint::parse(&format!("{preset}.toml (embedded)"), text, &settings.params)?;
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
pub fn params(spec: &Spec, given: &BTreeMap<String, String>) -> Result<Scope, String> {
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
pub fn token_url(
    spec: &Spec,
    auth: &AuthSettings,
    base: &Base,
    params: &Scope,
) -> Result<Option<Url>, String> {
    let token_url = match auth {
        AuthSettings::ClientCredentials { token_url, .. }
        | AuthSettings::PrivateKeyJwt { token_url, .. } => token_url,
        AuthSettings::GithubApp {
            installation_id: Some(id),
            ..
        } => {
            let scope = Scope::from([("id".to_owned(), Value::from(id.as_str()))]);
            let path = "/app/installations/{id}/access_tokens";
            return base.join(path, &scope).map(Some).map_err(|e| e.to_string());
        }
        _ => return Ok(None),
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
            } else if spec.auth.apart {
                // The provider has its logins on a host of their own, so the settings must be able to name it.
                let url = crate::net::place::parse(text);
                url.map(Some)
                    .map_err(|why| format!("auth.token_url `{text}` {why}"))
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

/// Checks that a way to authenticate can work with this connector.
pub fn auth_fits(spec: &Spec, auth: &AuthSettings) -> Result<(), String> {
    let refuse = |why: &str| Err(format!("auth of kind `{}` {why}", auth.kind()));
    match (auth, spec.kind) {
        (AuthSettings::None | AuthSettings::Basic { .. }, Kind::Command) => Ok(()),
        (_, Kind::Command) => refuse("cannot be given to a program; use `basic` or `none`"),
        (AuthSettings::AwsSigv4 { .. } | AuthSettings::AwsAssumedRole { .. }, _)
            if spec.auth.aws_service.is_none() =>
        {
            refuse(
                "needs a service to sign for, and the connector file names none in `auth.aws_service`",
            )
        }
        _ => Ok(()),
    }
}
