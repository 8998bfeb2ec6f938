//! Between our JSON and the values of filters, and texts that hold fields.

use jaq_json::Num;

use crate::intake::json::{self, Json};
use crate::jq::Val;

/// Longest text that is parsed for more fields.
const LONGEST: usize = 256 << 10;

/// Most fields read out of one text.
const MOST_FIELDS: usize = 1_000;

/// Turns JSON into a value for filters.
pub(super) fn from_json(value: &Json<'_>) -> Val {
    match value {
        Json::Null => Val::Null,
        Json::Bool(value) => Val::Bool(*value),
        Json::Number(number) => Val::Num(
            number
                .as_i64()
                .and_then(|i| isize::try_from(i).ok())
                .map_or_else(|| Num::from_dec_str(&number.to_string()), Num::Int),
        ),
        Json::Text(text) => Val::from(text.to_string()),
        Json::List(items) => items.iter().map(from_json).collect(),
        Json::Object(members) => Val::obj(
            members
                .iter()
                .map(|(key, value)| (Val::from(key.to_string()), from_json(value)))
                .collect(),
        ),
    }
}

/// Reads keys such as `a.b` as `b` inside `a`, where nothing else stands in the way.
pub(super) fn nested<'a>(value: &Json<'a>) -> Json<'a> {
    let Json::Object(members) = value else {
        return value.clone();
    };
    let mut out: Vec<(std::borrow::Cow<'a, str>, Json<'a>)> = Vec::new();
    for (key, inner) in members {
        let inner = nested(inner);
        if !put(&mut out, key, &inner) {
            out.push((key.clone(), inner));
        }
    }
    Json::Object(out.into())
}

fn put<'a>(
    out: &mut Vec<(std::borrow::Cow<'a, str>, Json<'a>)>,
    key: &str,
    value: &Json<'a>,
) -> bool {
    let Some((head, rest)) = key.split_once('.') else {
        let found = out.iter_mut().find(|(k, _)| k == key);
        return match (found, value) {
            (None, _) => {
                out.push((key.to_owned().into(), value.clone()));
                true
            }
            (Some((_, Json::Object(inner))), Json::Object(more)) => {
                inner.change(|inner| {
                    for (k, v) in more {
                        put(inner, k, v);
                    }
                });
                true
            }
            _ => false,
        };
    };
    let at = out.iter().position(|(k, _)| k == head).unwrap_or_else(|| {
        out.push((head.to_owned().into(), Json::Object(Vec::new().into())));
        out.len() - 1
    });
    match &mut out[at].1 {
        Json::Object(inner) => inner.change(|inner| put(inner, rest, value)),
        _ => false,
    }
}

/// Parses text that is JSON itself; `null` when it is not.
pub(super) fn parse_json(text: &str) -> Json<'_> {
    if text.len() > LONGEST {
        return Json::Null;
    }
    json::parse(text).unwrap_or(Json::Null)
}

/// Parses `key=value, key="quoted value" …`. What is not of that form is left out; the first of equal keys counts.
pub(super) fn parse_key_values(text: &str) -> Json<'_> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = if text.len() > LONGEST { "" } else { text };
    while let Some(at) = rest.find('=')
        && found.len() < MOST_FIELDS
    {
        let key: &str = rest[..at]
            .rsplit(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '{' | '[' | '('))
            .next()
            .unwrap_or_default()
            .trim_matches('"');
        let (value, after) = value(&rest[at + 1..]);
        if !key.is_empty() && !found.iter().any(|(k, _)| k == key) {
            found.push((key.to_owned(), value));
        }
        rest = after;
    }
    let members = found
        .into_iter()
        .map(|(key, value)| (key.into(), Json::Text(value.into())));
    Json::Object(members.collect())
}

/// Reads one value and returns what is behind it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut out = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return (out, &quoted[at + 1..]),
            '\\' if !escaped => escaped = true,
            c => {
                out.push(c);
                escaped = false;
            }
        }
    }
    (out, "")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "1700000000, name=\"A \\\"B\\\" C\", n=3",
        r#"{"name":"A \"B\" C","n":"3"}"#
    )]
    #[case("type=LOGIN, userId=null", r#"{"type":"LOGIN","userId":"null"}"#)]
    #[case("a=1 b=\"open", r#"{"a":"1","b":"open"}"#)]
    #[case("=x ==y", "{}")]
    #[case("k=1, k=2", r#"{"k":"1"}"#)]
    #[case("nothing", "{}")]
    fn reads_pairs(#[case] text: &str, #[case] want: &str) {
        assert_eq!(from_json(&parse_key_values(text)).to_string(), want);
    }

    #[rstest]
    #[case(r#"{"a.b":1,"a":{"c":2}}"#, r#"{"a":{"b":1,"c":2}}"#)]
    #[case(r#"{"a":1,"a.b":2}"#, r#"{"a":1,"a.b":2}"#)]
    fn nests(#[case] text: &str, #[case] want: &str) {
        let value = nested(&json::parse(text).unwrap());
        assert_eq!(from_json(&value).to_string(), want);
    }
}
