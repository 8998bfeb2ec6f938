//! Filling the request of a description with values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

use super::spec::{RequestSpec, Spec};
use crate::intake::store::Next;

/// A request without its proof of who asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filled {
    pub is_post: bool,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub payload: Option<(&'static str, Vec<u8>)>,
}

/// The variables of one request.
#[derive(Clone, Copy)]
pub(super) struct Vars<'v> {
    pub params: &'v BTreeMap<String, String>,
    pub since: Timestamp,
    pub now: Timestamp,
    pub next: Option<&'v Next>,
    /// Ids of the items that the second step asks for.
    pub ids: Option<&'v Value>,
}

/// Returns the names of the variables that a text mentions.
pub(super) fn variables(text: &str) -> Result<Vec<&str>, String> {
    let mut named = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let end = rest[at..]
            .find('}')
            .ok_or_else(|| format!("`{text}` has a `{{` without its `}}`"))?;
        named.push(&rest[at + 1..at + end]);
        rest = &rest[at + end + 1..];
    }
    Ok(named)
}

impl Vars<'_> {
    /// Returns the value of a variable; nothing when it has none now.
    fn get(&self, name: &str) -> Option<Value> {
        let whole_s = || Timestamp::from_second(self.since.as_second()).unwrap_or(self.since);
        Some(match name {
            "since" => Value::from(rfc3339(self.since)),
            "since_s" => Value::from(self.since.as_second()),
            "since_ms" => Value::from(self.since.as_millisecond()),
            "since_date" => Value::from(whole_s().strftime("%Y-%m-%d").to_string()),
            "now" => Value::from(rfc3339(self.now)),
            "page" => match self.next {
                Some(Next::Token(value)) => value.clone(),
                _ => return None,
            },
            "offset" => match self.next {
                Some(Next::Offset(count)) => Value::from(*count),
                _ => Value::from(0),
            },
            "ids" => self.ids?.clone(),
            name => Value::from(self.params.get(name)?.as_str()),
        })
    }

    /// Fills a text; nothing when a variable in it has no value.
    fn fill(&self, text: &str, encode: impl Fn(&str) -> String) -> Option<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(&encode(&match self.get(name)? {
                Value::String(text) => text,
                other => other.to_string(),
            }));
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }

    fn plain(&self, text: &str) -> Option<String> {
        self.fill(text, str::to_owned)
    }

    /// Fills a body: a text that is nothing but a variable becomes its value.
    fn body(&self, value: &toml::Value) -> Option<Value> {
        Some(match value {
            toml::Value::String(text) => {
                let alone = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
                match alone.filter(|name| !name.contains(['{', '}'])) {
                    Some(name) => self.get(name)?,
                    None => Value::from(self.plain(text)?),
                }
            }
            toml::Value::Array(items) => {
                // An item without a value would move the others.
                Value::Array(items.iter().map(|i| self.body(i)).collect::<Option<_>>()?)
            }
            toml::Value::Table(members) => Value::Object(
                members
                    .iter()
                    .filter_map(|(key, member)| Some((key.clone(), self.body(member)?)))
                    .collect::<Map<_, _>>(),
            ),
            toml::Value::Integer(n) => Value::from(*n),
            toml::Value::Float(n) => Value::from(*n),
            toml::Value::Boolean(b) => Value::from(*b),
            toml::Value::Datetime(at) => Value::from(at.to_string()),
        })
    }

    /// Fills the request of a description. A next page that is an address is asked for as it was given.
    pub fn request(&self, spec: &Spec, base: &Url) -> Result<Filled, String> {
        let mut filled = self.filled(&spec.request, base)?;
        if let Some(Next::Url(next)) = self.next {
            let url = base
                .join(next)
                .map_err(|_| "its next page is no address".to_owned())?;
            let is_own = url.origin() == base.origin()
                && url.username().is_empty()
                && url.password().is_none();
            if !is_own {
                return Err("its next page lies on another host; it is not asked".to_owned());
            }
            filled.url = url;
        }
        Ok(filled)
    }

    /// Fills a request.
    pub fn filled(&self, request: &RequestSpec, base: &Url) -> Result<Filled, String> {
        let url = self.first(request, base)?;
        let headers = request.headers.iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.clone(), self.plain(value)?)))
            .collect();
        let payload = if let Some(body) = &request.body {
            let body = self.body(body).unwrap_or(Value::Null);
            Some(("application/json", body.to_string().into_bytes()))
        } else if let Some(form) = &request.form {
            let mut encoded = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in form {
                if let Some(value) = self.plain(value) {
                    encoded.append_pair(name, &value);
                }
            }
            let kind = "application/x-www-form-urlencoded";
            Some((kind, encoded.finish().into_bytes()))
        } else {
            None
        };
        Ok(Filled {
            is_post: request.is_post,
            url,
            headers,
            payload,
        })
    }

    fn first(&self, request: &RequestSpec, base: &Url) -> Result<Url, String> {
        let path = self
            .fill(&request.path, segment)
            .ok_or_else(|| "a parameter of its path has no value".to_owned())?;
        let mut url = base.clone();
        url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
        let query: Vec<(&String, String)> = request
            .query
            .iter()
            .filter_map(|(name, value)| Some((name, self.plain(value)?)))
            .collect();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

/// Encodes a value so that it stays one segment of a path.
fn segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'*' | b',' => {
                encoded.push(byte.into());
            }
            // A dot may not make a segment of dots alone.
            b'.' if text.bytes().any(|b| b != b'.') => encoded.push('.'),
            other => encoded.extend(percent(other)),
        }
    }
    encoded
}

/// Writes a byte as `%` and two digits (RFC 3986 §2.1).
fn percent(byte: u8) -> [char; 3] {
    let digit = |n: u8| char::from_digit(n.into(), 16).map_or('0', |c| c.to_ascii_uppercase());
    ['%', digit(byte >> 4), digit(byte & 0xf)]
}

/// Writes a time to the millisecond, which every API reads.
fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
