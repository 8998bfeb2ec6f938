//! What an attacker who names things can make of the requests of the embedded connectors: nothing.

use serde_json::{Map, Value, json};
use url::Url;

use super::lint;
use super::preset::{find, names};
use super::render;
use super::spec::{RequestSpec, Spec};
use super::template::{self, Base, Scope};
use super::testing::{HOSTILE, identity};
use crate::domain::identity::Credential;
use crate::domain::plan::{Body, RenderedRequest};
use crate::domain::text::Untrusted;

/// A preset with its address.
fn loaded(preset: &str) -> (Spec, Base) {
    let hook = match preset {
        "webhook" => Some(("path".to_owned(), "/hook".to_owned())),
        _ => None,
    };
    let given = hook.into_iter().collect();
    let spec = lint::parse(preset, find(preset).unwrap(), &given).unwrap();
    let base = match &spec.command {
        Some(command) => Base::program("postgresql://db.example/app", &command.schemes),
        None => Base::parse("https://provider.example/prefix").map(|b| b.with_slash(&spec.slash)),
    };
    (spec, base.unwrap())
}

/// Every variable of a request is this value; what is repeated is a list of one.
fn scope(request: &RequestSpec, value: &str) -> Scope {
    let mut scope: Scope = lint::uses(request)
        .into_iter()
        .map(|name| (name, json!(value)))
        .collect();
    if let Some(list) = &request.for_each {
        let members = std::iter::once(&request.path)
            .chain(request.form.values())
            .flat_map(|text| {
                text.split('{')
                    .filter_map(|p| p.split_once('}'))
                    .map(|(name, _)| name.to_owned())
            });
        let json = request
            .json
            .as_ref()
            .map(Value::to_string)
            .unwrap_or_default();
        let json: Vec<String> = json
            .split('{')
            .filter_map(|p| p.split_once('}'))
            .map(|(n, _)| n.to_owned())
            .collect();
        let members: Map<String, Value> = members
            .chain(json)
            .filter_map(|name| Some((name.strip_prefix("each.")?.to_owned(), json!(value))))
            .collect();
        let item = if members.is_empty() {
            json!(value)
        } else {
            Value::Object(members)
        };
        scope.insert(list.clone(), json!([item]));
    }
    scope
}

/// Returns how many segments a path template has.
fn segments(template: &str) -> usize {
    template
        .split('?')
        .next()
        .unwrap_or_default()
        .matches('/')
        .count()
}

fn check(spec: &RequestSpec, rendered: &RenderedRequest, value: &str) {
    if rendered.method == render::RUN {
        let Body::Json { value: body } = &rendered.body else {
            panic!()
        };
        let argv: Vec<&str> = body["argv"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a.as_str().unwrap())
            .collect();
        assert_eq!(argv.len(), spec.argv.len());
        for (argument, meant) in argv.iter().zip(&spec.argv) {
            let literal = meant.split('{').next().unwrap();
            assert!(argument.starts_with(literal), "{argument}");
        }
        assert_eq!(
            body["input"].as_str(),
            spec.input.as_deref(),
            "what is run is never written by a name"
        );
        return;
    }
    let url = Url::parse(&rendered.url).unwrap();
    assert_eq!(url.as_str(), rendered.url);
    assert_eq!(
        url.origin().ascii_serialization(),
        "https://provider.example"
    );
    assert!(
        url.path().starts_with("/prefix/") && url.fragment().is_none(),
        "{url}"
    );
    assert_eq!(
        url.path_segments().unwrap().count(),
        1 + segments(&spec.path),
        "{url} {value:?}"
    );
    let query = spec
        .path
        .split_once('?')
        .map_or(0, |(_, q)| q.split('&').count());
    assert_eq!(
        url.query().map_or(0, |q| q.split('&').count()),
        query,
        "{url}"
    );
    assert_eq!(rendered.method, spec.method.as_deref().unwrap_or("GET"));
    for (_, header) in &rendered.headers {
        assert!(!header.chars().any(char::is_control));
    }
}

#[test]
fn hostile_names_are_refused_or_stay_one_name_in_every_template() {
    let mut who = identity("x");
    for kind in [
        "access_token",
        "slack_token",
        "github_token",
        "bound_token",
        "token_secret",
    ] {
        who.credentials.push(Credential {
            id: Untrusted::new(kind),
            kind: Untrusted::new(kind),
            secret_ref: Some("file:/nowhere".to_owned()),
            ..Credential::default()
        });
    }
    let dir = std::path::Path::new("/private");
    let (mut refused, mut built) = (0, 0);
    for preset in names() {
        let (mut spec, base) = loaded(preset);
        let slash = spec.slash.clone();
        for request in spec.requests_mut() {
            // Conditions are about facts, not about names.
            request.when = None;
            let mut plain = 0;
            for value in HOSTILE.iter().copied().chain(["plain-name"]) {
                let scope = scope(request, value);
                match render::act(&base, request, &scope, &who, Some(dir)) {
                    Err(_) => refused += 1,
                    Ok(rendered) => {
                        built += 1;
                        plain += usize::from(value == "plain-name");
                        for one in &rendered {
                            check(request, one, value);
                        }
                        let in_path: Vec<&str> = template::names(&request.path).unwrap();
                        let free = in_path.is_empty() || !slash.is_empty();
                        assert!(
                            free || value == "plain-name" || !HOSTILE.contains(&value),
                            "{preset} {} {value:?}",
                            request.id
                        );
                    }
                }
            }
            assert_eq!(plain, 1, "{preset} `{}` cannot be built at all", request.id);
        }
    }
    assert!(
        refused > 1_000 && built > 200,
        "{refused} refused, {built} built"
    );
}
