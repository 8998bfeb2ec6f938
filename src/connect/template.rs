//! Templates: values get into a URL percent-encoded and into a body as values, never by splicing text.
//!
//! The URL library itself is no guard: pushing `..` as a path segment is silently dropped and `""` gives `//`. Values
//! are therefore refused before anything is built, and the built URL is compared with what the template says.

use std::collections::BTreeMap;

use iri_string::spec::UriSpec;
use iri_string::template::UriTemplateStr;
use iri_string::template::simple_context::SimpleContext;
use percent::decode;
use serde_json::Value;
use url::Url;

use crate::domain::text::show;

/// Variables by name.
pub type Scope = BTreeMap<String, Value>;

/// Longest value of one placeholder in a URL, in bytes.
const MAX_URL_VALUE: usize = 256;
/// Longest value of one placeholder elsewhere, in bytes.
const MAX_TEXT_VALUE: usize = 4_096;

/// Why a template or a value in it was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// Braces that do not enclose a name.
    #[error(
        "template `{0}` has braces that are no `{{name}}` placeholder; write only level 1 expressions"
    )]
    Malformed(String),
    /// Nothing has this name.
    #[error(
        "placeholder `{{{0}}}` has no value; declare it as a parameter, lookup variable or derived variable"
    )]
    Unknown(String),
    /// A list or object where text is needed.
    #[error("placeholder `{{{0}}}` is no text or number here")]
    NotScalar(String),
    /// A value that could change the shape of a request.
    #[error("value of `{{{name}}}` is refused: {why}; a request is only built from plain ids")]
    Hostile {
        /// Which placeholder.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The built URL is not what the template says.
    #[error(
        "the URL built from `{0}` would not stay at the configured place; check `base_url` and the path"
    )]
    Escaped(String),
    /// A base URL that cannot be used.
    #[error("base_url `{url}` {why}")]
    Base {
        /// The value.
        url: String,
        /// What is wrong, and the way out.
        why: &'static str,
    },
}

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Literal(&'a str),
    Name(&'a str),
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let malformed = || TemplateError::Malformed(show(template).into_owned());
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        let (literal, tail) = rest.split_at(open);
        if !literal.is_empty() {
            out.push(Part::Literal(literal));
        }
        let inner = tail.strip_prefix('{').ok_or_else(malformed)?;
        let (name, after) = inner.split_once('}').ok_or_else(malformed)?;
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(malformed());
        }
        out.push(Part::Name(name));
        rest = after;
    }
    if !rest.is_empty() {
        out.push(Part::Literal(rest));
    }
    Ok(out)
}

/// Returns the placeholder names of a template, without members (`each.id` counts as `each`).
pub fn names(template: &str) -> Result<Vec<&str>, TemplateError> {
    Ok(parts(template)?
        .into_iter()
        .filter_map(|part| match part {
            Part::Name(name) => Some(name.split('.').next().unwrap_or(name)),
            Part::Literal(_) => None,
        })
        .collect())
}

/// Returns the placeholder names inside a JSON template.
pub fn json_names(value: &Value) -> Result<Vec<&str>, TemplateError> {
    let mut out = Vec::new();
    match value {
        Value::String(text) => out.extend(names(text)?),
        Value::Array(items) => {
            for item in items {
                out.extend(json_names(item)?);
            }
        }
        Value::Object(map) => {
            for item in map.values() {
                out.extend(json_names(item)?);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(out)
}

/// Finds a variable; `a.b` is member `b` of `a`.
fn value<'s>(name: &str, scope: &'s Scope) -> Result<&'s Value, TemplateError> {
    let mut path = name.split('.');
    let unknown = || TemplateError::Unknown(name.to_owned());
    let mut found = scope.get(path.next().unwrap_or(name)).ok_or_else(unknown)?;
    for member in path {
        found = found.get(member).ok_or_else(unknown)?;
    }
    Ok(found)
}

fn scalar(name: &str, scope: &Scope) -> Result<String, TemplateError> {
    match value(name, scope)? {
        Value::String(text) => Ok(text.clone()),
        Value::Number(n) => Ok(n.to_string()),
        Value::Bool(b) => Ok(b.to_string()),
        _ => Err(TemplateError::NotScalar(name.to_owned())),
    }
}

/// Fills a text template; values with control or invisible characters are refused.
pub fn text(template: &str, scope: &Scope) -> Result<String, TemplateError> {
    let mut out = String::new();
    for part in parts(template)? {
        match part {
            Part::Literal(literal) => out.push_str(literal),
            Part::Name(name) => {
                let filled = scalar(name, scope)?;
                let why = if filled.len() > MAX_TEXT_VALUE {
                    "it is too long"
                } else if filled.chars().any(char::is_control) {
                    "it holds control characters"
                } else {
                    out.push_str(&filled);
                    continue;
                };
                return Err(TemplateError::Hostile {
                    name: name.to_owned(),
                    why,
                });
            }
        }
    }
    Ok(out)
}

/// Fills a JSON template. A string that is exactly one placeholder takes the variable's JSON type.
pub fn json(template: &Value, scope: &Scope) -> Result<Value, TemplateError> {
    Ok(match template {
        Value::String(s) => match parts(s)?.as_slice() {
            [Part::Name(name)] => {
                let found = value(name, scope)?;
                if has_directive(found) {
                    return Err(TemplateError::Hostile {
                        name: (*name).to_owned(),
                        why: "it holds a key that begins with `$`",
                    });
                }
                found.clone()
            }
            _ => Value::String(text(s, scope)?),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| json(item, scope))
            .collect::<Result<_, _>>()?,
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, item)| Ok((key.clone(), json(item, scope)?)))
                .collect::<Result<_, TemplateError>>()?,
        ),
        other => other.clone(),
    })
}

/// Tells whether data could be taken for one of our own `$secret` or `$now` objects.
fn has_directive(value: &Value) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(k, v)| k.starts_with('$') || has_directive(v)),
        Value::Array(items) => items.iter().any(has_directive),
        _ => false,
    }
}

/// Says why a value may not stand in a URL.
fn hostile(value: &str, slash: bool) -> Option<&'static str> {
    if slash && value.contains('/') {
        // One `/` between plain pieces is a name; a server that decodes it too early must not climb by it.
        let dots = |piece: &str| piece == "." || piece == "..";
        return match value.split('/').any(dots) || value.contains("//") {
            true => Some("it is a relative path"),
            false => hostile(&value.replace('/', "-"), false),
        };
    }
    if value.is_empty() {
        Some("it is empty")
    } else if value == "." || value == ".." {
        Some("it is a relative path")
    } else if value.len() > MAX_URL_VALUE {
        Some("it is too long")
    } else if value.contains(['/', '\\', '%', '?', '#']) {
        Some("it holds one of / \\ % ? #")
    } else if show(value) != value || value.chars().any(char::is_control) {
        Some("it holds control or invisible characters")
    } else {
        None
    }
}

/// Where all requests of a connector go: scheme, host, port and path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    url: Url,
    /// Placeholders whose values may hold `/`.
    slash: Vec<String>,
}

impl Base {
    /// Reads a base URL: https, or http to a loopback address; no user, query or fragment.
    pub fn parse(raw: &str) -> Result<Self, TemplateError> {
        let fail = |why| TemplateError::Base {
            // A password in the URL must not get into an error.
            url: show(raw.rsplit('@').next().unwrap_or_default()).into_owned(),
            why,
        };
        let url = crate::net::place::parse(raw).map_err(fail)?;
        Ok(Self {
            url,
            slash: Vec::new(),
        })
    }

    /// Lets the values of these placeholders hold `/`, which is sent as `%2F`.
    pub fn with_slash(mut self, names: &[String]) -> Self {
        self.slash = names.to_vec();
        self
    }

    /// Returns the prefix's path segments.
    fn prefix(&self) -> Vec<String> {
        self.url
            .path_segments()
            .into_iter()
            .flatten()
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Tells whether a URL lies at this place.
    pub fn owns(&self, url: &Url) -> bool {
        let prefix = self.prefix();
        let starts = url.path_segments().is_some_and(|segments| {
            segments
                .take(prefix.len())
                .eq(prefix.iter().map(String::as_str))
        });
        self.same_origin(url) && url.fragment().is_none() && starts
    }

    /// Tells whether a URL has the same scheme, host and port, and no user.
    pub fn same_origin(&self, url: &Url) -> bool {
        url.origin() == self.url.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// Reads the address of a program's connector: one of these schemes, no user, query or fragment.
    pub fn program(raw: &str, schemes: &[String]) -> Result<Self, TemplateError> {
        let fail = |why| TemplateError::Base {
            url: show(raw.rsplit('@').next().unwrap_or_default()).into_owned(),
            why,
        };
        let url = Url::parse(raw).map_err(|_| fail("is no URL; write `scheme://host/name`"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fail(
                "holds a user or password; use `auth` with a secret reference",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() || url.host_str().is_none() {
            return Err(fail("must be scheme, host, port and name only"));
        }
        match schemes.iter().any(|scheme| scheme == url.scheme()) {
            true => Ok(Self {
                url,
                slash: Vec::new(),
            }),
            false => Err(fail("has a scheme that this connector does not know")),
        }
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Fills a path template and returns the absolute URL.
    ///
    /// Every value is checked before, and the result is compared after: same origin, same prefix, as many segments as
    /// the template has, each decoding to exactly what was meant.
    pub fn join(&self, template: &str, scope: &Scope) -> Result<Url, TemplateError> {
        let escaped = || TemplateError::Escaped(show(template).into_owned());
        if !template.starts_with('/') || template.starts_with("//") {
            return Err(TemplateError::Malformed(show(template).into_owned()));
        }
        let mut context = SimpleContext::new();
        let mut wanted = self.prefix();
        let mut in_query = false;
        for part in parts(template)? {
            match part {
                Part::Literal(literal) => {
                    let (path, query) = match literal.split_once('?') {
                        Some((path, _)) => (path, true),
                        None => (literal, false),
                    };
                    if !in_query {
                        let mut pieces = path.split('/');
                        let first = pieces.next().unwrap_or_default();
                        if let (Some(segment), false) = (wanted.last_mut(), first.is_empty()) {
                            segment.push_str(&decode(first).ok_or_else(escaped)?);
                        }
                        for piece in pieces {
                            wanted.push(decode(piece).ok_or_else(escaped)?);
                        }
                    }
                    in_query |= query;
                }
                Part::Name(name) => {
                    let filled = scalar(name, scope)?;
                    let may = self.slash.iter().any(|s| s == name);
                    if let Some(why) = hostile(&filled, may) {
                        return Err(TemplateError::Hostile {
                            name: name.to_owned(),
                            why,
                        });
                    }
                    if let (Some(segment), false) = (wanted.last_mut(), in_query) {
                        segment.push_str(&filled);
                    }
                    context.insert(name, filled);
                }
            }
        }
        let path = UriTemplateStr::new(template)
            .and_then(|t| t.expand::<UriSpec, _>(&context).map(|e| e.to_string()))
            .map_err(|_| TemplateError::Malformed(show(template).into_owned()))?;
        let base = self.url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}{path}")).map_err(|_| escaped())?;
        let found: Option<Vec<String>> = url
            .path_segments()
            .and_then(|segments| segments.map(decode).collect());
        if self.owns(&url) && found.is_some_and(|f| f == wanted) {
            Ok(url)
        } else {
            Err(escaped())
        }
    }
}

mod percent {
    /// Decodes one percent-encoded path segment, if it is UTF-8.
    pub fn decode(segment: &str) -> Option<String> {
        let mut out = Vec::with_capacity(segment.len());
        let mut bytes = segment.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push((high * 16 + low) as u8);
            } else {
                out.push(byte);
            }
        }
        String::from_utf8(out).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn scope(value: &str) -> Scope {
        Scope::from([
            ("x".to_owned(), json!(value)),
            ("y".to_owned(), json!("fixed")),
            ("each".to_owned(), json!({"id": "e 1", "list": [1]})),
        ])
    }

    #[rstest]
    #[case("https://h", "/a/{x}/b", "https://h/a/v/b")]
    #[case("https://h/", "/a/{x}", "https://h/a/v")]
    #[case(
        "https://h:8443/pre/fix/",
        "/a/{x}?q={y}&n=1",
        "https://h:8443/pre/fix/a/v?q=fixed&n=1"
    )]
    #[case("http://127.0.0.1:9", "/s/{each.id}", "http://127.0.0.1:9/s/e%201")]
    #[case("http://[::1]:9", "/s:{x}", "http://[::1]:9/s:v")]
    fn builds(#[case] base: &str, #[case] template: &str, #[case] want: &str) {
        let url = Base::parse(base)
            .unwrap()
            .join(template, &scope("v"))
            .unwrap();
        assert_eq!(url.as_str(), want);
    }

    #[rstest]
    #[case("/", Some("https://h/p/v/%2F/y"))]
    #[case("/prod", Some("https://h/p/v/%2Fprod/y"))]
    #[case("a/b c", Some("https://h/p/v/a%2Fb%20c/y"))]
    #[case("a/../b", None)]
    #[case("..", None)]
    #[case("../", None)]
    #[case("//evil.example", None)]
    #[case("/a%2e", None)]
    #[case("/a\\b", None)]
    fn a_slash_in_a_name_is_encoded(#[case] value: &str, #[case] want: Option<&str>) {
        let base = Base::parse("https://h/p").unwrap();
        let template = "/v/{x}/y";
        if value.contains('/') {
            assert!(base.join(template, &scope(value)).is_err());
        }
        let built = base
            .with_slash(&["x".to_owned()])
            .join(template, &scope(value));
        assert_eq!(built.ok().map(String::from).as_deref(), want);
    }

    #[rstest]
    #[case("http://example.com")]
    #[case("ftp://h")]
    #[case("https://u:hunter2@h")]
    #[case("https://h?x=1")]
    #[case("https://h#f")]
    #[case("h")]
    #[case("http://127.0.0.1.evil.example")]
    fn refuses_bases(#[case] base: &str) {
        let error = Base::parse(base).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    use super::super::testing::HOSTILE;

    #[test]
    fn hostile_ids_never_shape_a_url() {
        let templates = [
            "/{x}",
            "/a/{x}",
            "/a/{x}/b",
            "/a/p{x}s/b",
            "/a?q={x}",
            "/a/{y}/{x}?z={x}",
            "/{x}/{x}",
        ];
        for base in ["https://h", "https://h/pre/", "http://127.0.0.1:1/pre"] {
            let base = Base::parse(base).unwrap();
            for value in HOSTILE {
                for template in templates {
                    let built = base.join(template, &scope(value));
                    assert!(built.is_err(), "{value:?} in {template}: {built:?}");
                }
            }
        }
    }

    #[test]
    fn awkward_but_plain_ids_stay_one_segment() {
        let base = Base::parse("https://h/pre").unwrap();
        for value in [
            "a b", "a>b", "a;b", "a&b=c", "a+b", "~", "...", "ü", "東", "@x", ":", "{y}", "$x",
            "'\"", "!*()",
        ] {
            let url = base.join("/a/{x}/b", &scope(value)).unwrap();
            assert_eq!(url.path_segments().unwrap().count(), 4, "{value}");
            let query = base.join("/a?q={x}&r=1", &scope(value)).unwrap();
            let pairs: Vec<_> = query.query_pairs().into_owned().collect();
            assert_eq!(pairs[0], ("q".to_owned(), value.to_owned()));
            assert_eq!(pairs.len(), 2);
        }
    }

    #[rstest]
    #[case("/a/{+x}")]
    #[case("/a{/x}")]
    #[case("/a{?x}")]
    #[case("/a/{x:3}")]
    #[case("/a/{x*}")]
    #[case("/a/{X}")]
    #[case("/a/{")]
    #[case("/a/}")]
    #[case("/a/{}")]
    #[case("a")]
    #[case("//evil.example/{x}")]
    #[case("/a/../{x}")]
    #[case("/a/{x}#f")]
    #[case("/a/{nosuch}")]
    #[case("/a/{each}")]
    fn refuses_templates(#[case] template: &str) {
        assert!(
            Base::parse("https://h/p")
                .unwrap()
                .join(template, &scope("v"))
                .is_err()
        );
    }

    #[test]
    fn bodies_keep_types_and_structure() {
        let template = json!({"n": "{n}", "t": "is {x}", "all": ["{list}"], "b": true});
        let mut vars = scope("\",\"admin\":true");
        vars.insert("n".into(), json!(3));
        vars.insert("list".into(), json!([{"id": "r"}]));
        let body = json(&template, &vars).unwrap();
        assert_eq!(
            body,
            json!({"n": 3, "t": "is \",\"admin\":true", "all": [[{"id": "r"}]], "b": true})
        );
    }

    #[rstest]
    #[case(json!({"$secret": "file:/etc/shadow"}))]
    #[case(json!([{"id": {"$now": "+1s"}}]))]
    fn answers_cannot_give_directives(#[case] hostile: Value) {
        let vars = Scope::from([("x".to_owned(), hostile)]);
        assert!(json(&json!("{x}"), &vars).is_err());
    }

    proptest! {
        #[test]
        fn a_built_url_always_stays(value in any::<String>(), tail in "[a-z./%?#\\\\]{0,4}") {
            let base = Base::parse("https://h/pre").unwrap();
            for template in [format!("/a/{{x}}/{tail}"), format!("/a/b{{x}}{tail}?q={{x}}")] {
                if let Ok(url) = base.join(&template, &scope(&value)) {
                    prop_assert!(base.owns(&url));
                    prop_assert!(url.path().starts_with("/pre/a/"));
                }
            }
        }
    }
}
