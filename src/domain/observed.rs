//! What an identity normally does beside what it is seen doing, and where the two part.
//!
//! A deviation is a hint for people: nothing is decided by it. What cannot be compared says so.

use core::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::alert::Alert;
use super::identity::{LiveContext, Usual};
use super::text::{Untrusted, fit};
use super::vocabulary::{ActionPattern, words};

/// Most observations of one aspect; more are alike.
const MOST: usize = 8;

/// Most cells of one observation.
const WIDEST: usize = 120;

words! {
    /// What is compared.
    Aspect {
        /// Where it comes from.
        Origin = "origin",
        /// When it is at work.
        Hours = "hours",
        /// What it does.
        Action = "action",
        /// What it does that to.
        Target = "target",
    }
}

words! {
    /// How an observation fits what is normal.
    Fits {
        /// As on any other day.
        Usual = "usual",
        /// Nothing normal is like it.
        Unusual = "unusual",
        /// Nobody says what is normal, or not so that it can be compared.
        Unknown = "not_comparable",
    }
}

words! {
    /// Who says so.
    Witness {
        /// The alert.
        Alert = "alert",
        /// A live session or token.
        Session = "session",
    }
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// What. Escaped already.
    pub text: String,
    /// Who says so.
    pub from: Witness,
    /// Whether it is normal.
    pub fits: Fits,
}

/// One aspect, with both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub aspect: Aspect,
    /// What is normal; empty where nobody says.
    pub normally: Vec<Untrusted>,
    /// What is seen; empty where nothing is.
    pub seen: Vec<Seen>,
}

/// Puts both sides beside each other; aspects of which neither says anything are left out.
pub fn compare(
    usual: Option<&Usual>,
    alert: Option<&Alert>,
    live: Option<&LiveContext>,
) -> Vec<Row> {
    let none = Usual::default();
    let usual = usual.unwrap_or(&none);
    let rows = [
        origins(usual, live),
        hours(usual, alert, live),
        actions(usual, alert),
        targets(usual, alert),
    ];
    let says = |row: &Row| !row.normally.is_empty() || !row.seen.is_empty();
    rows.into_iter().filter(says).collect()
}

impl Row {
    fn new(aspect: Aspect, normally: &[Untrusted]) -> Self {
        Self {
            aspect,
            normally: normally.to_vec(),
            seen: Vec::new(),
        }
    }

    /// Adds an observation unless it is there.
    fn see(&mut self, text: &str, from: Witness, fits: Fits) {
        let text = fit(&super::text::show(text), WIDEST, "...");
        if self.seen.len() < MOST && !self.seen.iter().any(|seen| seen.text == text) {
            self.seen.push(Seen { text, from, fits });
        }
    }

    /// Judges a text by whether anything normal is like it.
    fn judge(&self, text: &str, is_like: fn(&str, &str) -> bool) -> Fits {
        if self.normally.is_empty() {
            return Fits::Unknown;
        }
        match self.normally.iter().any(|n| is_like(n.raw(), text)) {
            true => Fits::Usual,
            false => Fits::Unusual,
        }
    }
}

fn origins(usual: &Usual, live: Option<&LiveContext>) -> Row {
    let mut row = Row::new(Aspect::Origin, &usual.origins);
    let sessions = live.into_iter().flat_map(|live| &live.sessions);
    for origin in sessions.filter_map(|session| session.origin.as_ref()) {
        let fits = row.judge(origin.raw(), same_origin);
        row.see(origin.raw(), Witness::Session, fits);
    }
    row
}

/// Tells whether somebody comes from where it is usual. Where both sides name an address, that has to be in the network;
/// where both name an agent or a place, that has to be the same.
fn same_origin(usual: &str, seen: &str) -> bool {
    let usual_nets: Vec<Net> = usual.split_whitespace().filter_map(Net::parse).collect();
    let seen_nets: Vec<Net> = seen.split_whitespace().filter_map(Net::parse).collect();
    let holds = |seen: &Net| usual_nets.iter().any(|net| net.holds(seen));
    if !usual_nets.is_empty() && !seen_nets.is_empty() && !seen_nets.iter().all(holds) {
        return false;
    }
    let words = |text: &str| {
        let words = text.split_whitespace().filter(|w| Net::parse(w).is_none());
        words.collect::<Vec<_>>().join(" ").to_lowercase()
    };
    let (usual_words, seen_words) = (words(usual), words(seen));
    let by_address = !usual_nets.is_empty() && !seen_nets.is_empty();
    match (usual_words.is_empty(), seen_words.is_empty()) {
        (false, false) => seen_words.contains(&usual_words),
        _ => by_address,
    }
}

/// An address with how many of its bits count.
struct Net {
    bits: u128,
    len: u32,
    is_v6: bool,
}

impl Net {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([',', ';', '(', ')', '[', ']']);
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (bits, width, is_v6) = match address.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32, false),
            IpAddr::V6(v6) => (v6.to_bits(), 128, true),
        };
        let len = len.unwrap_or(width);
        (len <= width).then_some(Self {
            bits: bits << (128 - width),
            len,
            is_v6,
        })
    }

    /// Tells whether all of another lies in it.
    fn holds(&self, other: &Self) -> bool {
        let mask = match self.len {
            0 => 0,
            len => u128::MAX << (128 - len),
        };
        self.is_v6 == other.is_v6 && self.len <= other.len && (self.bits ^ other.bits) & mask == 0
    }
}

fn hours(usual: &Usual, alert: Option<&Alert>, live: Option<&LiveContext>) -> Row {
    let normal = usual.hours.as_ref().filter(|h| !h.is_empty()).cloned();
    let mut row = Row::new(Aspect::Hours, normal.as_slice());
    let times = normal.as_ref().and_then(|h| Times::parse(h.raw()));
    let sessions = live.into_iter().flat_map(|live| &live.sessions);
    let begun = sessions.filter_map(|s| Some((s.started?, Witness::Session)));
    let happened = alert.and_then(|a| Some((a.time?, Witness::Alert)));
    for (at, from) in happened.into_iter().chain(begun) {
        let fits = match &times {
            None => Fits::Unknown,
            Some(times) if times.hold(at) => Fits::Usual,
            Some(_) => Fits::Unusual,
        };
        let text = at.strftime("%a %H:%M UTC").to_string();
        row.see(&text, from, fits);
    }
    row
}

/// Hours in UTC, as far as words can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    weekdays: bool,
    weekend: bool,
    /// Minutes of the day, from and to; round midnight where the second is less.
    between: Option<(u16, u16)>,
}

impl Times {
    /// Reads `always`, days, or two times of day in UTC with or without days; `None` for everything else, cron
    /// expressions too. Days are those of UTC.
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        if matches!(text.trim(), "always" | "24/7" | "any time") {
            return Some(Self {
                weekdays: true,
                weekend: true,
                between: None,
            });
        }
        let mut times = Vec::new();
        let (mut weekdays, mut weekend, mut is_utc) = (false, false, false);
        for word in text.split([' ', ',', ';', '-', '\u{2013}']) {
            match word {
                "weekdays" | "workdays" => weekdays = true,
                "weekends" => weekend = true,
                "daily" | "nightly" => (weekdays, weekend) = (true, true),
                "utc" | "gmt" => is_utc = true,
                "" | "every" | "on" | "day" | "night" | "from" | "to" | "until" | "and" | "at" => {}
                other => times.push(minute(other)?),
            }
        }
        let every = !weekdays && !weekend;
        // Days alone need no zone to be of use; times of day mean nothing without one.
        let between = match times[..] {
            [] if !every => None,
            [from, to] if is_utc => Some((from, to)),
            _ => return None,
        };
        Some(Self {
            weekdays: weekdays || every,
            weekend: weekend || every,
            between,
        })
    }

    fn hold(self, at: Timestamp) -> bool {
        let at = at.to_zoned(TimeZone::UTC);
        let is_weekend = matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday);
        let minute =
            u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
        let on_day = if is_weekend {
            self.weekend
        } else {
            self.weekdays
        };
        on_day
            && self.between.is_none_or(|(from, to)| match from <= to {
                true => (from..=to).contains(&minute),
                false => minute >= from || minute <= to,
            })
    }
}

/// Reads a time of day as minutes: `07:00`.
fn minute(word: &str) -> Option<u16> {
    let (hour, minute) = word.strip_suffix('z').unwrap_or(word).split_once(':')?;
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
}

fn actions(usual: &Usual, alert: Option<&Alert>) -> Row {
    let mut row = Row::new(Aspect::Action, &usual.actions);
    let Some(alert) = alert else { return row };
    // What a rule concluded is no act of the identity.
    let is_act = matches!(
        alert.pattern,
        ActionPattern::SecretRead
            | ActionPattern::CredentialCreatedOrAdded
            | ActionPattern::PrivilegeEscalated
            | ActionPattern::ConsentOrGrantAdded
            | ActionPattern::PermissionChanged
            | ActionPattern::RecoveryTampered
            | ActionPattern::DefenseTampered
            | ActionPattern::DataExfil
            | ActionPattern::WorkloadExec
    );
    let own = alert.action.as_ref().filter(|a| !a.is_empty());
    let text = match own {
        Some(action) => action.raw().to_owned(),
        None if is_act => alert.pattern.as_str().to_owned(),
        None => return row,
    };
    // A rule's name is no act either, unless it is one of ours.
    let fits = match is_act || row.judge(&text, same_act) == Fits::Usual {
        true => row.judge(&text, same_act),
        false => Fits::Unknown,
    };
    row.see(&text.replace('_', " "), Witness::Alert, fits);
    row
}

/// Tells whether two words for an act have the same words, in any order and spelling.
fn same_act(usual: &str, seen: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        let mut words: Vec<String> = words
            .filter(|w| !w.is_empty())
            .map(|w| w.to_lowercase().trim_end_matches('s').to_owned())
            .collect();
        words.sort();
        words
    };
    let usual = words(usual);
    !usual.is_empty() && usual == words(seen)
}

fn targets(usual: &Usual, alert: Option<&Alert>) -> Row {
    let mut row = Row::new(Aspect::Target, &usual.targets);
    if let Some(resource) = alert.and_then(|alert| alert.resource.as_ref()) {
        let fits = row.judge(resource.id.raw(), same_target);
        row.see(resource.id.raw(), Witness::Alert, fits);
    }
    row
}

/// Tells whether something is a usual target, or lies in one. A `*` at the end stands for anything.
fn same_target(usual: &str, seen: &str) -> bool {
    if let Some(begin) = usual.strip_suffix('*') {
        return seen.starts_with(begin);
    }
    let rest = seen.strip_prefix(usual);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || usual.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::identity::Session;

    #[rstest]
    #[case(
        "198.51.100.21 release-runner",
        "198.51.100.21 release-runner/1.4",
        true
    )]
    #[case("198.51.100.21 release-runner", "198.51.100.21 curl/8", false)]
    #[case("198.51.100.21 release-runner", "203.0.113.66 release-runner", false)]
    #[case("198.51.100.0/24", "198.51.100.21 curl/8", true)]
    #[case("198.51.100.0/24", "198.51.101.21", false)]
    #[case("0.0.0.0/0", "203.0.113.66", true)]
    #[case("2001:db8::/32", "2001:db8:1::5", true)]
    #[case("2001:db8::/32", "198.51.100.21", false)]
    #[case("198.51.100.21", "::ffff:198.51.100.21", true)]
    #[case("release-runner", "Release-Runner/1.4", true)]
    #[case("office network", "203.0.113.66", false)]
    fn origins_are_compared(#[case] usual: &str, #[case] seen: &str, #[case] want: bool) {
        assert_eq!(same_origin(usual, seen), want);
    }

    #[rstest]
    // 2026-11-21 is a Saturday.
    #[case("weekdays, 07:00 to 19:00 UTC", "2026-11-20T07:00:00Z", Some(true))]
    #[case("weekdays, 07:00 to 19:00 UTC", "2026-11-20T19:01:00Z", Some(false))]
    #[case("weekdays, 07:00 to 19:00 UTC", "2026-11-21T12:00:00Z", Some(false))]
    #[case("every night, 22:00 to 04:00 UTC", "2026-11-21T03:14:00Z", Some(true))]
    #[case("every night, 22:00 to 04:00 UTC", "2026-11-21T05:00:00Z", Some(false))]
    #[case("weekdays", "2026-11-20T23:59:00Z", Some(true))]
    #[case("weekdays", "2026-11-22T00:22:00Z", Some(false))]
    #[case("", "2026-11-22T00:22:00Z", None)]
    #[case("always", "2026-11-21T05:00:00Z", Some(true))]
    #[case("07:00-19:00 Europe/Berlin", "2026-11-21T05:00:00Z", None)]
    #[case("07:00 to 19:00", "2026-11-21T05:00:00Z", None)]
    #[case("0 2 * * * UTC", "2026-11-21T05:00:00Z", None)]
    #[case("99:99 to 7:00 UTC", "2026-11-21T05:00:00Z", None)]
    fn hours_are_compared(#[case] usual: &str, #[case] at: Timestamp, #[case] want: Option<bool>) {
        assert_eq!(Times::parse(usual).map(|times| times.hold(at)), want);
    }

    #[rstest]
    #[case("read artifacts", "artifact_read", true)]
    #[case("deploy", "Deploy", true)]
    #[case("read artifacts", "secret_read", false)]
    #[case("", "secret_read", false)]
    fn acts_are_compared(#[case] usual: &str, #[case] seen: &str, #[case] want: bool) {
        assert_eq!(same_act(usual, seen), want);
    }

    #[rstest]
    #[case("artifacts/payments", "artifacts/payments", true)]
    #[case("artifacts/payments", "artifacts/payments/12", true)]
    #[case("artifacts/payments", "artifacts/payments-db", false)]
    #[case("artifacts/*", "artifacts/payments-db", true)]
    #[case("artifacts", "prod/payments-db", false)]
    fn targets_are_compared(#[case] usual: &str, #[case] seen: &str, #[case] want: bool) {
        assert_eq!(same_target(usual, seen), want);
    }

    fn session(origin: &str) -> Session {
        Session {
            id: "s".into(),
            kind: "token".into(),
            started: None,
            last_seen: None,
            expires: None,
            origin: Some(origin.into()),
        }
    }

    #[test]
    fn many_alike_are_one_and_none_is_let_through_raw() {
        let mut sessions = vec![session("a\u{1b}]0;x\u{7}"); 50];
        sessions.extend((0..50).map(|n| session(&format!("10.0.0.{n} {}", "x".repeat(500)))));
        let live = LiveContext {
            sessions,
            ..LiveContext::default()
        };
        let rows = compare(None, None, Some(&live));
        assert_eq!((rows.len(), rows[0].seen.len()), (1, MOST));
        for seen in &rows[0].seen {
            assert!(!seen.text.chars().any(char::is_control) && seen.text.len() <= WIDEST);
            assert_eq!(seen.fits, Fits::Unknown, "nobody says what is normal");
        }
    }

    #[test]
    fn where_nothing_is_said_there_is_no_row() {
        assert_eq!(compare(None, None, None), []);
    }
}
