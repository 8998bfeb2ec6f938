//! Taking secrets out of what is kept.
//!
//! Scanners report the secret that they found, and some APIs return it unless asked not to. The alert needs none of it,
//! and a store of raw alerts must not become one more place where it lies, so its values are replaced before storing.

use std::fmt::Write as _;

use crate::intake::json::Json;

/// Writes a value with everything under one of `keys` replaced, wherever it stands.
pub(super) fn without(value: &Json<'_>, keys: &[&str]) -> String {
    let mut out = String::new();
    write(value, keys, &mut out);
    out
}

fn write(value: &Json<'_>, keys: &[&str], out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write(item, keys, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (key, inner)) in members.iter().enumerate() {
                separate(index, out);
                text(key, out);
                out.push(':');
                let is_secret = keys.iter().any(|k| key.eq_ignore_ascii_case(k));
                match inner {
                    Json::Null => out.push_str("null"),
                    Json::Text(secret) if is_secret && secret.is_empty() => out.push_str("\"\""),
                    Json::Text(secret) if is_secret => {
                        // Writing to a String cannot fail.
                        let _ = write!(out, "\"[secret of {} bytes, not kept]\"", secret.len());
                    }
                    Json::Number(_) | Json::Bool(_) => write(inner, keys, out),
                    _ if is_secret => out.push_str("\"[secret, not kept]\""),
                    inner => write(inner, keys, out),
                }
            }
            out.push('}');
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
        let kept = without(&parse(input).unwrap(), &["Raw", "line"]);
        let want = r#"{"Raw":"[secret of 7 bytes, not kept]","list":[{"raw":"[secret, not kept]","n":1.5,"ok":null}],"line":2,"t":"\"\u0001"}"#;
        assert_eq!(kept, want);
    }
}
