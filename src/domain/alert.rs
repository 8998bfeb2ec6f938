//! One detection about an identity, in OCSF Detection Finding terms.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::ids::AlertId;
use super::small::Small;
use super::text::Untrusted;
use super::vocabulary::{ActionPattern, IdentityKind, Severity};

/// The confidence from which destructive options may be offered, in percent. OCSF calls 50 and more *medium*
/// (`confidence_id` 2); below it only `monitor` steps are offered (`DESIGN` §4 rule 8).
pub const CONFIDENCE_TO_ACT: u8 = 50;

/// Whom the alert names, as the source names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The provider or realm, as far as the source says.
    pub provider: Untrusted,
    /// The provider's own id.
    pub native_id: Untrusted,
    /// Its kind, as far as the source says.
    pub kind: IdentityKind,
    /// A human-readable name, if given.
    pub name: Option<Untrusted>,
}

/// What was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The source's own id of it.
    pub id: Untrusted,
    /// Its type in the source's words.
    pub kind: Untrusted,
}

/// That a source counts an alert as over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// When that was seen.
    pub at: Timestamp,
    /// By what, in our words.
    pub reason: String,
}

/// An alert. The raw bytes stay in the store, found by [`Alert::raw_sha256`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Key: source and the source's own id, with as much more as makes it unique there.
    pub id: AlertId,
    /// The source's own id, where the key says more than that; see [`Alert::own_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_id: Option<Untrusted>,
    /// Name of the configured source it came through.
    pub source: Small,
    /// Which decoder read it, in the names of the alert formats (`ocsf_detection_finding`).
    pub format: Small,
    /// When it happened, as the source says; `None` when absent or unreadable.
    pub time: Option<Timestamp>,
    /// When it reached this host.
    pub observed: Timestamp,
    /// Since when the identity has been exposed: the earliest time the source gives for it.
    pub exposed_at: Option<Timestamp>,
    /// One line for people.
    pub title: Untrusted,
    /// Severity in our words; `None` where the source says none.
    pub severity: Option<Severity>,
    /// The source's own value as JSON text, so that its type stays visible: `4` or `"High"`.
    pub severity_raw: Option<Untrusted>,
    /// 0 to 100; `None` where the source says none.
    pub confidence: Option<u8>,
    /// What happened.
    pub pattern: ActionPattern,
    /// Whom it is about; `None` is *unresolved*, a normal state.
    pub subject: Option<Subject>,
    /// Whom it may be about, where the source names several or only hints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Subject>,
    /// What was touched.
    pub resource: Option<Resource>,
    /// Event name or finding type in the source's words.
    pub action: Option<Untrusted>,
    /// Where the source shows more.
    pub evidence_url: Option<Untrusted>,
    /// What the source groups its alerts by: its own id of the incident.
    #[serde(default)]
    pub incident: Option<Untrusted>,
    /// MITRE ATT&CK technique ids.
    pub techniques: Vec<Untrusted>,
    /// SHA-256 of the raw bytes.
    pub raw_sha256: Digest,
    /// That its source counts it as over, where it says so. Nothing is contained by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
}

impl Alert {
    /// Returns since when an attacker may have had the identity: the exposure, else the event, else the arrival.
    pub fn exposed_since(&self) -> Timestamp {
        self.exposed_at.or(self.time).unwrap_or(self.observed)
    }

    /// Returns the source's own id, or the one derived from the content.
    pub fn own_id(&self) -> &str {
        let key = self.id.as_str();
        let of_source = || key.strip_prefix(&*self.source)?.strip_prefix('/');
        match &self.native_id {
            Some(id) => id.raw(),
            None => of_source().unwrap_or(key),
        }
    }

    /// Tells whether the source is sure enough for more than monitoring. No stated confidence counts as unsure only
    /// for patterns that are mere suspicion; a found secret is a fact.
    pub fn is_confident(&self) -> bool {
        match self.confidence {
            Some(percent) => percent >= CONFIDENCE_TO_ACT,
            None => !matches!(
                self.pattern,
                ActionPattern::FirstTimeAccess
                    | ActionPattern::VolumeOrChaining
                    | ActionPattern::CredentialUsedAnomalously
                    | ActionPattern::Recon
                    | ActionPattern::Posture
                    | ActionPattern::Other
            ),
        }
    }
}

/// Returns an age as screens show it: `<1m`, `3m`, `2h05m`, `9d03h`, `834d`. Minutes are the finest unit, so that a
/// screen on which nothing happens has nothing to repaint. From a hundred days on the hours say nothing more, and
/// columns are made for six characters. Negative ages, from clocks that disagree, show as `<1m`.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let s = now.as_second().saturating_sub(since.as_second()).max(0);
    match s {
        0..60 => "<1m".to_owned(),
        60..3_600 => format!("{}m", s / 60),
        _ => hours(s.unsigned_abs()),
    }
}

/// Words for an hour and more.
fn hours(s: u64) -> String {
    match s {
        0..86_400 => format!("{}h{:02}m", s / 3_600, s % 3_600 / 60),
        86_400..8_640_000 => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3_600),
        _ => format!("{}d", s / 86_400),
    }
}

/// Returns a bound in words, rounded up to the minute so that it stays one: `1m`, `45m`, `2h05m`, `9d03h`.
pub fn bound(s: u64) -> String {
    match s.div_ceil(60) {
        minutes @ 0..60 => format!("{}m", minutes.max(1)),
        minutes => hours(minutes.saturating_mul(60)),
    }
}

/// Returns a span to the second, for what is measured once and not repainted: `4s`, `3m12s`, `2h05m`. Negative spans,
/// from clocks that disagree, show as `0s`.
pub fn span(from: Timestamp, to: Timestamp) -> String {
    seconds(to.as_second().saturating_sub(from.as_second()).max(0))
}

/// Returns a number of seconds as a span in words: `45s`, `3m05s`, `2h05m`, `9d03h`, with its sign.
pub fn seconds(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let s = seconds.unsigned_abs();
    let text = match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => hours(s),
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "1m")]
    #[case(61, "2m")]
    #[case(2_700, "45m")]
    #[case(3_541, "1h00m")]
    #[case(2_204_666_225, "25516d")]
    #[case(u64::MAX, "213503982334601d")]
    fn bounds(#[case] seconds: u64, #[case] want: &str) {
        assert_eq!(bound(seconds), want);
    }

    #[rstest]
    #[case(0, "0s")]
    #[case(192, "3m12s")]
    #[case(7_500, "2h05m")]
    #[case(-5, "0s")]
    fn spans(#[case] seconds: i64, #[case] want: &str) {
        let from = Timestamp::from_second(1_000_000).unwrap();
        let to = Timestamp::from_second(1_000_000 + seconds).unwrap();
        assert_eq!(span(from, to), want);
    }

    #[rstest]
    #[case(0, "<1m")]
    #[case(59, "<1m")]
    #[case(192, "3m")]
    #[case(7_500, "2h05m")]
    #[case(788_400, "9d03h")]
    #[case(8_639_999, "99d23h")]
    #[case(8_640_000, "100d")]
    #[case(-5, "<1m")]
    fn ages(#[case] seconds: i64, #[case] want: &str) {
        let since = Timestamp::from_second(1_000_000).unwrap();
        let now = Timestamp::from_second(1_000_000 + seconds).unwrap();
        assert_eq!(age(since, now), want);
    }
}
