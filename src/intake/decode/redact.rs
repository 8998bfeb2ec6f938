//! Taking secrets out of what is kept.
//!
//! Scanners report the secret that they found, and some APIs return it unless asked not to. The alert needs none of it,
//! and a store of raw alerts must not become one more place where it lies, so its values are replaced before storing.

use std::fmt::Write as _;

use crate::intake::json::Json;

/// Stands in the place of a secret.
const REPLACEMENT: &str = "\"[secret, not kept]\"";

/// Writes a value with everything under one of `keys` replaced, wherever it stands; nothing when there is no secret.
/// `inside_texts` says that secrets may also be in text that holds JSON itself, which then goes as a whole.
pub(super) fn without(value: &Json<'_>, keys: &[&str], inside_texts: bool) -> Option<String> {
    if !inside_texts && !holds(value, keys) {
        return None;
    }
    let mut out = String::new();
    write(value, keys, inside_texts, &mut out);
    Some(out)
}

fn is_secret(key: &str, value: &Json<'_>, keys: &[&str]) -> bool {
    let is_value = match value {
        Json::Text(text) => !text.is_empty(),
        Json::List(_) | Json::Object(_) => true,
        _ => false,
    };
    is_value && keys.iter().any(|k| key.eq_ignore_ascii_case(k))
}

fn holds(value: &Json<'_>, keys: &[&str]) -> bool {
    match value {
        Json::List(items) => items.iter().any(|item| holds(item, keys)),
        Json::Object(members) => members
            .iter()
            .any(|(key, inner)| is_secret(key, inner, keys) || holds(inner, keys)),
        _ => false,
    }
}

fn write(value: &Json<'_>, keys: &[&str], inside_texts: bool, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write(item, keys, inside_texts, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (key, inner)) in members.iter().enumerate() {
                separate(index, out);
                text(key, out);
                out.push(':');
                match inner {
                    Json::Text(secret) if is_secret(key, inner, keys) => {
                        // Writing to a String cannot fail.
                        let _ = write!(out, "\"[secret of {} bytes, not kept]\"", secret.len());
                    }
                    inner if is_secret(key, inner, keys) => out.push_str(REPLACEMENT),
                    Json::Text(_) if inside_texts && key == "data_base64" => {
                        out.push_str(REPLACEMENT);
                    }
                    inner => write(inner, keys, inside_texts, out),
                }
            }
            out.push('}');
        }
        Json::Text(json) if inside_texts && json.trim_start().starts_with(['{', '[']) => {
            out.push_str(REPLACEMENT);
        }
        Json::Text(plain) => text(plain, out),
        scalar => out.push_str(&scalar.scalar_json().unwrap_or_default()),
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn text(plain: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(plain).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::json::parse;

    #[test]
    fn only_secrets_are_replaced() {
        let input = r#"{"Raw":"hunter2","list":[{"raw":["a","b"],"n":1.5,"ok":null}],"line":2,"t":"\"\u0001"}"#;
        let kept = without(&parse(input).unwrap(), &["Raw", "line"], false).unwrap();
        let want = r#"{"Raw":"[secret of 7 bytes, not kept]","list":[{"raw":"[secret, not kept]","n":1.5,"ok":null}],"line":2,"t":"\"\u0001"}"#;
        assert_eq!(kept, want);
        assert_eq!(
            without(&parse(r#"{"Raw":""}"#).unwrap(), &["Raw"], false),
            None
        );
    }
}
