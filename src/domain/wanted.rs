//! Which records of the log somebody asks for. `stanch log show` and the log's screen share these terms and what they
//! mean; only how they are written differs (`--alert siem/8`, `alert:siem/8`).

use jiff::{SignedDuration, Timestamp};

use super::coverage::{CellState, WireOutcome};
use super::decision::{Act, DecisionKind, RecordType};

/// A name that is asked for: exactly this one where there is such a name, else every name that contains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    word: String,
    lower: String,
    exact: bool,
}

impl Named {
    /// Asks for every name that contains `word`, until [`Self::settle`] finds that there is exactly such a name.
    pub fn new(word: impl Into<String>) -> Self {
        let word = word.into();
        let lower = word.to_lowercase();
        Self {
            word,
            lower,
            exact: false,
        }
    }

    /// Returns what was asked for, as written.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Tells whether only exactly this name is meant.
    pub const fn is_exact(&self) -> bool {
        self.exact
    }

    /// Says whether there is exactly such a name.
    pub const fn settle(&mut self, exact: bool) {
        self.exact = exact;
    }

    /// Tells whether a name is meant.
    pub fn means(&self, name: &str) -> bool {
        name == self.word || (!self.exact && name.to_lowercase().contains(&self.lower))
    }

    /// Tells whether an analyst is meant: `alice`, `alice@jump1`, or the origin of the log.
    pub fn means_analyst(&self, name: &str) -> bool {
        self.means(name) || self.is_user(name)
    }

    /// Tells whether this is exactly an analyst's name, with or without the host.
    pub fn is_analyst(&self, name: &str) -> bool {
        self.word == name || self.is_user(name)
    }

    fn is_user(&self, name: &str) -> bool {
        name.split('@').next() == Some(self.word.as_str())
    }
}

/// What is asked for; a record has to meet every part that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Records of one of these types.
    pub types: Vec<RecordType>,
    /// Decisions of one of these kinds.
    pub kinds: Vec<String>,
    /// Naming this identity, themselves or through their act or plan.
    pub identity: Option<Named>,
    /// Naming this alert, likewise.
    pub alert: Option<Named>,
    /// Written by this analyst, or in their name.
    pub analyst: Option<Named>,
    /// Of acts that came to one of these words, of the wire or of the proof.
    pub outcomes: Vec<String>,
    /// Written then or later.
    pub since: Option<Timestamp>,
    /// Written then or earlier.
    pub until: Option<Timestamp>,
    /// Intents whose effect is not known.
    pub unknown: bool,
    /// Containing each of these texts; lower case.
    pub texts: Vec<String>,
}

/// What a record tells.
pub trait Facts {
    /// Returns when it was written.
    fn ts(&self) -> Timestamp;
    /// Returns its type.
    fn kind(&self) -> RecordType;
    /// Tells whether it is a decision of one of these kinds.
    fn is_decision(&self, kinds: &[String]) -> bool;
    /// Tells whether it is by this analyst.
    fn is_by(&self, who: &Named) -> bool;
    /// Tells whether it names this identity.
    fn names_identity(&self, identity: &Named) -> bool;
    /// Tells whether it names this alert.
    fn names_alert(&self, alert: &Named) -> bool;
    /// Returns how the act that it belongs to stands now.
    fn state(&self) -> Option<ActState>;
    /// Tells whether its words contain the text at this place of [`Wanted::texts`].
    fn contains(&self, place: usize, text: &str) -> bool;
}

/// How an act stands: on the wire, and as far as it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActState {
    /// What is known.
    pub cell: CellState,
    /// What the request came to.
    pub wire: Option<WireOutcome>,
}

impl From<&Act> for ActState {
    fn from(act: &Act) -> Self {
        Self {
            cell: act.cell(),
            wire: act.outcome.as_ref().map(|o| o.outcome),
        }
    }
}

impl Wanted {
    /// Tells whether a record is asked for. What is cheap to see is looked at first.
    pub fn wants(&self, record: &impl Facts) -> bool {
        (self.types.is_empty() || self.types.contains(&record.kind()))
            && self.since.is_none_or(|t| record.ts() >= t)
            && self.until.is_none_or(|t| record.ts() <= t)
            && self.analyst.as_ref().is_none_or(|who| record.is_by(who))
            && (self.kinds.is_empty() || record.is_decision(&self.kinds))
            && self
                .identity
                .as_ref()
                .is_none_or(|id| record.names_identity(id))
            && self.alert.as_ref().is_none_or(|id| record.names_alert(id))
            && (self.outcomes.is_empty() || self.came_to(record))
            && (!self.unknown || is_unknown(record))
            && self
                .texts
                .iter()
                .enumerate()
                .all(|(place, text)| record.contains(place, text))
    }

    fn came_to(&self, record: &impl Facts) -> bool {
        record.state().is_some_and(|state| {
            let wire = state.wire.map(WireOutcome::as_str);
            let is = |w: &String| w == state.cell.as_str() || Some(w.as_str()) == wire;
            self.outcomes.iter().any(is)
        })
    }

    /// Tells whether everything is asked for.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether the answer for a record changes when its act goes on.
    pub fn looks_at_states(&self) -> bool {
        !self.outcomes.is_empty() || self.unknown || !self.texts.is_empty()
    }

    /// Reads what is typed: words, `"words with spaces"` and terms like `alert:siem/8`. The beginning of a type, kind or
    /// outcome stands for all that begin so. Returns what cannot be used yet, in words; the rest counts all the same.
    pub fn typed(text: &str, now: Timestamp) -> (Self, Option<String>) {
        let (mut wanted, mut wrong) = (Self::default(), None);
        for word in words_of(text) {
            let term = word
                .split_once(':')
                .and_then(|(key, value)| wanted.term(key, value, now));
            match term {
                Some(Ok(())) => {}
                Some(Err(why)) => wrong = wrong.or(Some(why)),
                None => wanted.texts.push(word.to_lowercase()),
            }
        }
        (wanted, wrong)
    }

    /// Takes in one term; `None` where there is no such key, so that `sso:svc-deploy` is plain text.
    fn term(&mut self, key: &str, value: &str, now: Timestamp) -> Option<Result<(), String>> {
        if !TERMS.contains(&key) {
            return None;
        }
        if value.is_empty() {
            let all: Vec<&str> = match key {
                "type" => RecordType::ALL.iter().map(|t| t.as_str()).collect(),
                "kind" => DecisionKind::ALL.iter().map(|k| k.as_str()).collect(),
                "outcome" => outcomes().collect(),
                "is" => IS.to_vec(),
                _ => Vec::new(),
            };
            return Some(Err(match key {
                "since" | "until" => format!("{key}: {TIME_HELP}"),
                _ if all.is_empty() => format!("{key}: which?"),
                _ => format!("{key}: {}", all.join(" ")),
            }));
        }
        let done = match key {
            "identity" => {
                self.identity = Some(Named::new(value));
                Ok(())
            }
            "alert" => {
                self.alert = Some(Named::new(value));
                Ok(())
            }
            "analyst" => {
                self.analyst = Some(Named::new(value));
                Ok(())
            }
            "type" => begin_so(key, value, RecordType::ALL.iter().map(|t| t.as_str())).map(|all| {
                self.types
                    .extend(all.iter().filter_map(|t| RecordType::parse(t)));
            }),
            "kind" => begin_so(key, value, DecisionKind::ALL.iter().map(|k| k.as_str()))
                .map(|all| self.kinds.extend(all)),
            "outcome" => begin_so(key, value, outcomes()).map(|all| self.outcomes.extend(all)),
            "is" => begin_so(key, value, IS.iter().copied()).map(|_| self.unknown = true),
            "since" => parse_time(value, now).map(|t| self.since = Some(t)),
            _ => parse_time(value, now).map(|t| self.until = Some(t)),
        };
        Some(done.map_err(|why| format!("{key}: {why}")))
    }
}

/// Every term that can be typed, before its colon.
pub const TERMS: &[&str] = &[
    "alert", "analyst", "identity", "is", "kind", "outcome", "since", "type", "until",
];

/// What `is:` can ask for.
const IS: &[&str] = &["unknown"];

fn is_unknown(record: &impl Facts) -> bool {
    record.kind() == RecordType::Intent
        && record
            .state()
            .is_some_and(|state| state.cell == CellState::Unknown)
}

/// Returns every word that an act can come to: as far as it is proven, and on the wire.
pub fn outcomes() -> impl Iterator<Item = &'static str> + Clone {
    let cells = CellState::ALL.iter().map(|c| c.as_str());
    cells.chain(WireOutcome::ALL.iter().map(|w| w.as_str()))
}

fn begin_so<'a>(
    key: &str,
    value: &str,
    all: impl Iterator<Item = &'a str> + Clone,
) -> Result<Vec<String>, String> {
    let value = value.to_lowercase().replace('-', "_");
    let found: Vec<String> = all
        .clone()
        .filter(|w| w.starts_with(&value))
        .map(str::to_owned)
        .collect();
    if found.is_empty() {
        let all: Vec<&str> = all.collect();
        return Err(format!("no such {key}; there are {}", all.join(", ")));
    }
    Ok(found)
}

/// Splits at white space outside quotation marks, which are dropped.
fn words_of(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
        } else if c.is_whitespace() && !quoted {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(c);
        }
    }
    words.push(word);
    words.retain(|w| !w.is_empty());
    words
}

/// Writes a term so that [`Wanted::typed`] reads it back.
pub fn write_term(key: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) {
        format!("{key}:\"{value}\"")
    } else {
        format!("{key}:{value}")
    }
}

/// Reads a time: RFC 3339, a day, a day and a minute, a minute of today (all UTC), or a span before now.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.to_uppercase();
    let today = now.strftime("%F").to_string();
    let full = match text.len() {
        5 if text.contains(':') => format!("{today}T{text}:00Z"),
        8 if text.contains(':') => format!("{today}T{text}Z"),
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.clone(),
    };
    if let Ok(time) = full.parse() {
        return Ok(time);
    }
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "S" => 1,
        "M" => 60,
        "H" => 60 * 60,
        "D" => 24 * 60 * 60,
        "W" => 7 * 24 * 60 * 60,
        _ => return Err(TIME_HELP.to_owned()),
    };
    number
        .parse::<i64>()
        .ok()
        .and_then(|n| n.checked_mul(seconds))
        .and_then(|s| now.checked_sub(SignedDuration::from_secs(s)).ok())
        .ok_or_else(|| TIME_HELP.to_owned())
}

const TIME_HELP: &str = "give a time like 08:00 (UTC, today), 2026-11-21, 2026-11-21T08:00:00Z, or a span before now like 30m, 2h, 3d";

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[rstest]
    #[case("2026-11-21T08:00:00Z", Some("2026-11-21T08:00:00Z"))]
    #[case("2026-11-21t08:00", Some("2026-11-21T08:00:00Z"))]
    #[case("2026-11-20", Some("2026-11-20T00:00:00Z"))]
    #[case("08:15", Some("2026-11-21T08:15:00Z"))]
    #[case("2h", Some("2026-11-21T10:00:00Z"))]
    #[case("30m", Some("2026-11-21T11:30:00Z"))]
    #[case("2", None)]
    #[case("yesterday", None)]
    #[case("99999999999999999999w", None)]
    #[case("9223372036854775807w", None)]
    #[case("é:é", None)]
    fn reads_times(#[case] text: &str, #[case] time: Option<&str>) {
        let read = parse_time(text, now()).ok().map(|t| t.to_string());
        assert_eq!(read.as_deref(), time);
    }

    #[test]
    fn typed_terms_are_read_and_the_rest_is_text() {
        let (wanted, wrong) = Wanted::typed(
            "alert:siem/8 analyst:ann type:int kind:cl outcome:not since:2h sso:svc \"Timed Out\" is:unknown",
            now(),
        );
        assert_eq!(wrong, None);
        assert_eq!(wanted.alert, Some(Named::new("siem/8")));
        assert_eq!(wanted.analyst, Some(Named::new("ann")));
        assert_eq!(wanted.types, [RecordType::Intent]);
        assert_eq!(wanted.kinds, ["claim", "close_contained"]);
        assert_eq!(wanted.outcomes, ["not_containable", "not_sent"]);
        assert_eq!(wanted.texts, ["sso:svc", "timed out"]);
        assert!(wanted.unknown && wanted.since.is_some() && wanted.until.is_none());
    }

    #[rstest]
    #[case("type:nothing", "type: no such type")]
    #[case("until:soon", "until: give a time")]
    #[case("alert:", "alert: which?")]
    #[case("kind:", "kind: claim dismiss")]
    #[case("since:", "since: give a time")]
    fn a_term_that_cannot_be_used_says_so(#[case] typed: &str, #[case] says: &str) {
        let (wanted, wrong) = Wanted::typed(typed, now());
        assert!(wanted.is_all());
        let wrong = wrong.unwrap();
        assert!(wrong.starts_with(says), "{wrong}");
    }

    #[test]
    fn a_name_means_itself_where_there_is_one_else_what_contains_it() {
        let mut named = Named::new("siem/8");
        assert!(named.means("siem/8") && named.means("SIEM/80"));
        named.settle(true);
        assert!(named.means("siem/8") && !named.means("siem/80"));
        let mut analyst = Named::new("ana");
        assert!(analyst.means_analyst("ana@jump-1") && analyst.means_analyst("diana@jump-1"));
        analyst.settle(true);
        assert!(analyst.means_analyst("ana@jump-1") && !analyst.means_analyst("diana@jump-1"));
    }

    #[rstest]
    #[case("a/1")]
    #[case("a 1")]
    fn a_written_term_is_read_back(#[case] id: &str) {
        let (wanted, _) = Wanted::typed(&write_term("alert", id), now());
        assert_eq!(wanted.alert, Some(Named::new(id)));
    }
}
