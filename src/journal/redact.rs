//! Masks what looks like a secret in free text, before it is hashed: a line can never be taken back.
//!
//! Secrets travel as references, so this catches only what a person typed or a provider said. Plans are left alone, as
//! their digest is over every byte; identifiers (`AKIA…`, digests, UUIDs) are no secrets and stay readable.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::decision::RecordType;

/// Fields that people or providers fill with sentences.
const FREE: [&str; 6] = ["reason", "error", "says", "text", "why", "comment"];

/// Beginnings of tokens that say themselves what they are, and how long such a token is at least.
const KNOWN: [(&str, usize); 22] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xoxs-", 20),
    ("xapp-", 20),
    ("sk-", 24),
    ("sk_live_", 20),
    ("rk_live_", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("hvs.", 20),
    ("dop_v1_", 30),
    ("eyJ", 30),
];

/// No token is shorter.
const SHORTEST: usize = 20;

/// Where the content of a PEM private key begins.
const MARK: &str = "PRIVATE KEY-----";

/// Words of a provider or source that are ids most of the time: only what says itself that it is a token is masked.
const IDS: [&str; 3] = ["provider_request_id", "retry_after", "incident"];

/// Returns the body of a record with its free text masked.
pub fn record(kind: RecordType, body: &Value) -> Cow<'_, Value> {
    let whole = matches!(kind, RecordType::Plan | RecordType::PeerHeads);
    if whole || !tells(body, false) {
        return Cow::Borrowed(body);
    }
    let mut body = body.clone();
    walk(&mut body, false);
    Cow::Owned(body)
}

/// Tells whether [`walk`] would change anything: most records need no copy.
fn tells(value: &Value, free: bool) -> bool {
    match value {
        Value::String(s) => free && mask(s).is_some(),
        Value::Array(items) => items.iter().any(|v| tells(v, free)),
        Value::Object(map) => map.iter().any(|(key, value)| {
            let id = value.as_str().filter(|_| IDS.contains(&key.as_str()));
            id.is_some_and(|id| matches!(tokens(id), Cow::Owned(_)))
                || tells(value, free || FREE.contains(&key.as_str()))
        }),
        _ => false,
    }
}

fn walk(value: &mut Value, free: bool) {
    match value {
        Value::String(s) if free => {
            if let Some(masked) = mask(s) {
                *s = masked;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| walk(v, free)),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if let (true, Value::String(id)) = (IDS.contains(&key.as_str()), &mut *value) {
                    *id = tokens(id).into_owned();
                }
                walk(value, free || FREE.contains(&key.as_str()));
            }
        }
        _ => {}
    }
}

/// Masks what says itself that it is a token; ids of any other kind stay as they are.
pub fn tokens(text: &str) -> Cow<'_, str> {
    mask_where(text, is_known).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Returns the text with secrets masked as `first4…last4`; `None` when there are none.
pub fn mask(text: &str) -> Option<String> {
    mask_where(text, is_secret)
}

fn mask_where(text: &str, is_secret: fn(&str) -> bool) -> Option<String> {
    if !may_hold_one(text) {
        return None;
    }
    let text_or_key = without_keys(text);
    let text = text_or_key.as_deref().unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut changed = text_or_key.is_some();
    for word in text.split_inclusive(|c: char| !is_token_char(c)) {
        let end = word.trim_end_matches(|c: char| !is_token_char(c)).len();
        let (token, rest) = word.split_at(end);
        // A sentence's full stop is no part of the token before it.
        let bare = token.trim_end_matches(['.', '-', '_']);
        if is_secret(bare) {
            changed = true;
            out.push_str(&bare[..4]);
            out.push('\u{2026}');
            out.push_str(&bare[bare.len() - 4..]);
            out.push_str(&token[bare.len()..]);
        } else {
            out.push_str(token);
        }
        out.push_str(rest);
    }
    changed.then_some(out)
}

/// Tells whether anything in the text is long enough for a token, or may be a key: most text is looked at once.
fn may_hold_one(text: &str) -> bool {
    let mut run = 0;
    let long = text.bytes().any(|b| {
        run = if is_token_char(char::from(b)) {
            run + 1
        } else {
            0
        };
        run >= SHORTEST
    });
    long || text.contains(MARK)
}

/// Cuts the content of PEM private keys out. Goes along the text once: it may be long and hostile.
fn without_keys(text: &str) -> Option<String> {
    const END: &str = "-----END ";
    let mut out = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(MARK) {
        let (head, tail) = rest.split_at(begin + MARK.len());
        out.push_str(head);
        out.push('\u{2026}');
        rest = tail.find(END).map_or("", |end| &tail[end..]);
        // The line that ends a key holds the same words and begins none.
        let line_end = rest.find(MARK).map_or(0, |own| own + MARK.len());
        if line_end <= END.len() + "ENCRYPTED ".len() + MARK.len() {
            out.push_str(&rest[..line_end]);
            rest = &rest[line_end..];
        }
    }
    if out.is_empty() {
        return None;
    }
    out.push_str(rest);
    Some(out)
}

/// Masks what says itself that it is a secret in evidence, which is a provider's answer; anything else may be a fact.
pub fn evidence(bytes: &[u8]) -> Cow<'_, [u8]> {
    let text = std::str::from_utf8(bytes).ok();
    let masked = text.and_then(|t| mask_where(t, is_known));
    masked.map_or(Cow::Borrowed(bytes), |t| Cow::Owned(t.into_bytes()))
}

const fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-' | '.' | '~')
}

fn is_known(token: &str) -> bool {
    let known = |(start, least): &(&str, usize)| token.len() >= *least && token.starts_with(start);
    KNOWN.iter().any(known)
}

fn is_secret(token: &str) -> bool {
    if is_known(token) {
        return true;
    }
    let has = |test: fn(&char) -> bool| token.chars().any(|c| test(&c));
    let mixed =
        has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    // Without a known beginning only length and mixture tell; paths and host names are long too, but have separators.
    let dense = !token.contains(['.', '/']) && token.len() >= 32;
    mixed && (dense || (token.len() == 40 && !token.contains('.')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("used ghp_0123456789abcdefABCDEF0123456789abcd.", "used ghp_…abcd.")]
    #[case(
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlMTIz!",
        "Bearer eyJh…MTIz!"
    )]
    #[case("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJal…EKEY")]
    #[case("token=Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8", "token=Zq8Z…8Zq8")]
    #[case(
        "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY----- x",
        "-----BEGIN PRIVATE KEY-----…-----END PRIVATE KEY----- x"
    )]
    fn masks(#[case] text: &str, #[case] want: &str) {
        assert_eq!(mask(text).as_deref(), Some(want));
    }

    #[rstest]
    #[case("the owner is on holiday until 2026-12-01")]
    #[case("AKIAIOSFODNN7EXAMPLE was used from 203.0.113.9")]
    #[case("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    #[case("01932f3e-7c1d-7a80-a3c1-9d3a3f0a8c11")]
    #[case("https://login.example.com/admin/realms/Prod1/users/Some-User/sessions")]
    #[case("")]
    fn leaves(#[case] text: &str) {
        assert_eq!(mask(text), None);
    }

    #[test]
    fn only_free_text_of_no_plan_is_touched() {
        let token = "ghp_0123456789abcdefABCDEF0123456789abcd";
        let body = json!({"intent": token, "reason": token, "deep": [{"says": [token]}]});
        let done = record(RecordType::Outcome, &body);
        assert_eq!(done["intent"], token);
        assert!(!done["reason"].to_string().contains("0123456789abcdef"));
        assert!(!done["deep"].to_string().contains("0123456789abcdef"));
        let ids = json!({"retry_after": token, "incident": "Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8"});
        let done = record(RecordType::Attempt, &ids);
        assert_eq!(done["retry_after"], "ghp_\u{2026}abcd");
        assert_eq!(done["incident"], ids["incident"]);
        for (kind, body) in [
            (RecordType::Plan, &body),
            (RecordType::Outcome, &json!({"intent": token})),
        ] {
            assert!(matches!(record(kind, body), Cow::Borrowed(same) if same == body));
        }
    }

    #[test]
    fn evidence_loses_tokens_and_keys_and_no_facts() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\\nMC4CAQ\\n-----END RSA PRIVATE KEY-----";
        let token = "ghp_0123456789abcdefABCDEF0123456789abcd";
        let text = format!(
            r#"{{"id":"Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8","a":"{token}","k":["{key}","{key}"]}}"#
        );
        let done = String::from_utf8(evidence(text.as_bytes()).into_owned()).unwrap();
        assert!(!done.contains("MC4CAQ") && !done.contains(token), "{done}");
        assert!(done.contains("Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8Zq8"), "{done}");
        assert!(serde_json::from_str::<Value>(&done).is_ok(), "{done}");
        assert!(matches!(evidence(b"\xff\x00"), Cow::Borrowed(_)));
    }

    #[test]
    fn many_keys_are_no_deep_water() {
        assert!(mask(&"-----BEGIN PRIVATE KEY-----x".repeat(50_000)).is_some());
    }

    #[test]
    fn no_token_is_shorter_than_that() {
        assert!(KNOWN.iter().all(|(_, least)| *least >= SHORTEST));
        assert!(MARK.starts_with("PRIVATE KEY"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_once_is_enough(text in any::<String>(), around in "[a-zA-Z0-9_./ -]{0,60}") {
            let text = format!("{around}{text}PRIVATE KEY-----{around}");
            let once = mask(&text).unwrap_or(text);
            prop_assert_eq!(mask(&once).unwrap_or_else(|| once.clone()).matches("ghp_").count(), once.matches("ghp_").count());
        }
    }
}
