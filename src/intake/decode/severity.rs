//! Severity words and scales of the sources.

use crate::domain::vocabulary::Severity;
use crate::intake::json::Json;

/// Reads a severity word of the common scale; letter case and surrounding blanks do not matter. `none`, `unknown`,
/// `hidden` and everything else say nothing.
pub(super) fn word(text: &str) -> Option<Severity> {
    let text = text.trim();
    let is = |words: &[&str]| words.iter().any(|w| text.eq_ignore_ascii_case(w));
    Some(if is(&["informational", "information", "info"]) {
        Severity::Info
    } else if is(&["low", "minor"]) {
        Severity::Low
    } else if is(&["medium", "moderate"]) {
        Severity::Medium
    } else if is(&["high", "important", "major"]) {
        Severity::High
    } else if is(&["critical", "fatal"]) {
        Severity::Critical
    } else {
        return None;
    })
}

/// Reads a severity word out of a JSON value.
pub(super) fn from_word(value: &Json<'_>) -> Option<Severity> {
    word(value.text()?)
}

/// Reads the names of syslog priorities (RFC 5424 §6.2.1), which alerting rules use as labels.
pub(super) fn priority(text: &str) -> Option<Severity> {
    let text = text.trim();
    let is = |words: &[&str]| words.iter().any(|w| text.eq_ignore_ascii_case(w));
    if is(&["emergency", "alert", "page", "critical"]) {
        Some(Severity::Critical)
    } else if is(&["error", "err"]) {
        Some(Severity::High)
    } else if is(&["warning", "warn"]) {
        Some(Severity::Medium)
    } else if is(&["notice"]) {
        Some(Severity::Low)
    } else if is(&["debug", "none"]) {
        Some(Severity::Info)
    } else {
        word(text)
    }
}
