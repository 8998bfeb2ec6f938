//! Reading vendors' JSON: what is not of the expected type counts as not said.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::text::Untrusted;

/// Finds a value by its keys.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// Finds a text that is not blank.
pub(super) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str().filter(|t| !t.trim().is_empty())
}

/// The same, for a card.
pub(super) fn said(value: &Value, path: &[&str]) -> Option<Untrusted> {
    text(value, path).map(Untrusted::from)
}

/// Finds a time in RFC 3339. What began or ends in the year 1 or 9999 has no such time.
pub(super) fn time(value: &Value, path: &[&str]) -> Option<Timestamp> {
    let at: Timestamp = text(value, path)?.parse().ok()?;
    let year = at.as_second() / 31_556_952 + 1970;
    (1900..9990).contains(&year).then_some(at)
}

/// Finds the items of a list; none where there is none.
pub(super) fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Reads a text, or a list of texts.
pub(super) fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
