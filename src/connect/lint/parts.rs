//! Rules about what only some connectors have: programs, checks of the console's own account, pages, secrets in bodies.

use serde_json::Value;

use super::super::spec::{Kind, NextSpec, ParamSource, RequestSpec, Spec};
use super::{Finding, Linter, jq, template, uses};

/// Refuses variables that only an identity has.
fn of_connector<'n>(
    spec: &Spec,
    block: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<(), Finding> {
    for name in names {
        let own = spec
            .param
            .get(name)
            .is_some_and(|p| p.from != ParamSource::Identity);
        if !own && name != "own_name" && name != "base_url" {
            return Err((
                block.to_owned(),
                format!("`{name}` is not known here; only parameters of the connector are"),
            ));
        }
    }
    Ok(())
}

/// Tells whether a body makes a new secret.
pub(super) fn makes_secret(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.contains_key("$new_secret") || map.values().any(makes_secret),
        Value::Array(items) => items.iter().any(makes_secret),
        _ => false,
    }
}

/// Checks the objects of a body that stand for what is filled in when it is sent.
pub(super) fn directives(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(directives),
        Value::Object(map) => {
            for (key, inner) in map.iter().filter(|(key, _)| key.starts_with('$')) {
                let text = inner.as_str().unwrap_or_default();
                let good = match key.as_str() {
                    "$now" => text.starts_with('+') && text.ends_with('s'),
                    "$new_secret" => !text.is_empty() && !text.contains('/'),
                    "$secret" => {
                        text.starts_with("credential:") || text.starts_with("file:{secret_dir}/")
                    }
                    _ => false,
                };
                if map.len() != 1 || !good {
                    return Err(format!(
                        "`{key}` cannot stand like this in a body; see the documentation of `json`"
                    ));
                }
            }
            map.values().try_for_each(directives)
        }
        _ => Ok(()),
    }
}

impl Linter {
    /// Checks a run of the program.
    pub(super) fn run(&self, block: &str, request: &RequestSpec) -> Result<(), Finding> {
        let fail = |problem: &str| Err((block.to_owned(), problem.to_owned()));
        let http = request.method.is_some()
            || !request.path.is_empty()
            || !request.headers.is_empty()
            || request.json.is_some()
            || !request.form.is_empty()
            || !request.secret_form.is_empty()
            || request.next.is_some()
            || request.for_each.is_some()
            || request.capture.is_some();
        if http {
            return fail("a run of a program has `id`, `argv`, `input`, `when`, `accept_if` only");
        }
        if request.argv.is_empty() && request.input.is_none() {
            return fail("it has neither `argv` nor `input`; say what is run");
        }
        for argument in &request.argv {
            if argument.starts_with('{') && argument != "{base_url}" {
                return fail(
                    "an argument that begins with a placeholder could become an option; write text before it",
                );
            }
            self.text(block, argument, false)?;
        }
        request
            .when
            .iter()
            .chain(&request.accept_if)
            .try_for_each(|filter| self.filter(block, filter))
    }

    /// Checks the program of a connector of kind `command`.
    pub(super) fn program(&self, spec: &Spec) -> Result<(), Finding> {
        let fail = |problem: &str| Err(("command".to_owned(), problem.to_owned()));
        match (self.kind, &spec.command) {
            (Kind::Http, None) => Ok(()),
            (Kind::Http, Some(_)) => fail("a connector of kind `http` runs no program; remove it"),
            (Kind::Command, None) => fail("it is missing; name the program"),
            (Kind::Command, Some(command)) => {
                if command.program.trim().is_empty() || command.schemes.is_empty() {
                    return fail("name the program and the schemes that `base_url` may have");
                }
                command.env.values().try_for_each(|text| {
                    self.text("command.env", text, false)?;
                    of_connector(
                        spec,
                        "command.env",
                        template::names(text).unwrap_or_default(),
                    )
                })
            }
        }
    }

    /// Checks what is asked about the console's own account.
    pub(super) fn checks(&self, spec: &Spec) -> Result<(), Finding> {
        for check in &spec.check {
            let block = format!("check `{}`", check.read.id);
            self.read(&block, &check.read)?;
            let needed = uses(&check.read);
            of_connector(spec, &block, needed.iter().map(String::as_str))?;
            for filter in check.ok_if.iter().chain(&check.when) {
                self.filter(&block, filter)?;
                of_connector(spec, &block, jq::mentioned(filter))?;
            }
            if let Some(verb) = check.verbs.iter().find(|v| !spec.action.contains_key(v)) {
                return Err((block, format!("there is no action `{verb}`; remove it")));
            }
        }
        Ok(())
    }

    pub(super) fn next(&self, block: &str, next: &NextSpec) -> Result<(), Finding> {
        let ways = usize::from(next.link)
            + usize::from(next.url.is_some())
            + usize::from(next.value.is_some());
        let places = usize::from(next.query.is_some()) + usize::from(next.form.is_some());
        if ways != 1 || places != usize::from(next.value.is_some()) {
            let problem = "next is one of `link = true`, `url`, and `value` with `query` or `form`";
            return Err((block.to_owned(), problem.to_owned()));
        }
        next.url
            .iter()
            .chain(&next.value)
            .try_for_each(|filter| self.filter(block, filter))
    }
}
