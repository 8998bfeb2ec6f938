//! Answers as evidence: everything but the secrets in them.

use serde_json::Value;

/// What stands where a secret stood.
const REMOVED: &str = "[secret removed]";

/// Keys, lower-case and without `_` and `-`, whose text is a secret wherever it stands.
const SECRET_KEYS: &[&str] = &[
    "accesskey",
    "apikey",
    "assertion",
    "authorization",
    "clientsecret",
    "cookie",
    "idtoken",
    "password",
    "passwd",
    "passphrase",
    "privatekey",
    "refreshtoken",
    "accesstoken",
    "secret",
    "secretaccesskey",
    "sessiontoken",
    "setcookie",
    "token",
];
/// Endings, in the same spelling, that make a key a secret one.
const SECRET_ENDINGS: &[&str] = &[
    "secret",
    "password",
    "privatekey",
    "accesstoken",
    "refreshtoken",
    "secret.rotated",
];

/// Replaces secrets in an answer. `also` names further keys, exactly.
pub fn strip(value: &mut Value, also: &[String]) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                if is_secret(key, also) {
                    blank(inner);
                } else {
                    strip(inner, also);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, also)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secret(key: &str, also: &[String]) -> bool {
    let plain: String = key
        .chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect();
    SECRET_KEYS.contains(&plain.as_str())
        || SECRET_ENDINGS.iter().any(|end| plain.ends_with(end))
        || also.iter().any(|a| a == key)
}

/// Blanks all text under a secret key; numbers and booleans are no secrets.
fn blank(value: &mut Value) {
    match value {
        Value::String(text) => REMOVED.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Object(map) => map.values_mut().for_each(blank),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_go_and_facts_stay() {
        let mut value = json!([{
            "secret": "c-1", "Client_Secret": "c-2", "registrationAccessToken": "c-3", "nested": {"password": {"value": "c-4"}},
            "attributes": {"client.secret.rotated": "c-5", "client.secret.creation.time": "1"}, "custom": "c-6",
            "secret_version": 3, "secret_fingerprint": "sha256:ab", "client_id": "svc", "token": ["c-7"],
        }]);
        strip(&mut value, &["custom".to_owned()]);
        let text = value.to_string();
        assert!(!text.contains("c-"), "{text}");
        for kept in [
            "sha256:ab",
            "svc",
            "\"secret_version\":3",
            "creation.time\":\"1\"",
        ] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
    }
}
