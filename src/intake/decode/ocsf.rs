//! OCSF events: Detection Finding 2004, the deprecated Security Finding 2001, Account Change 3001, API Activity 6003,
//! and any other class as far as the base event goes (<https://schema.ocsf.io/1.8.0/>).
//!
//! Producers deviate: seconds where milliseconds are due, no `time`, local times without an offset, ids as numbers.
//! Everything but the object itself is therefore optional.

mod pattern;
mod subject;

use jiff::Timestamp;

use super::draft::Draft;
use super::fields::Fields;
use super::{Decoded, Origin, Undecodable, bounded_id, untrusted};
use crate::domain::alert::Resource;
use crate::domain::small::Small;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::Severity;
use crate::intake::json::{Json, Keys};
use crate::intake::time;

/// Where a time of the event stands, the best first. `event_time` is what producers of schema 1.0 to 1.2 wrote.
const TIMES: &[&[&str]] = &[
    &["time"],
    &["time_dt"],
    &["finding_info", "created_time"],
    &["finding_info", "created_time_dt"],
    &["finding", "created_time"],
    &["event_time"],
];

/// Where the begin of an exposure can stand.
const BEGINNINGS: &[&[&str]] = &[
    &["finding_info", "first_seen_time"],
    &["finding_info", "first_seen_time_dt"],
    &["finding_info", "created_time"],
    &["finding_info", "created_time_dt"],
    &["finding", "first_seen_time"],
    &["finding", "created_time"],
    &["start_time"],
];

/// Tells whether an object is an OCSF event.
pub(super) fn detect(value: &Json<'_>) -> bool {
    let class = value.get("class_uid");
    class.and_then(Json::integer).is_some()
        || (class.is_some() && value.get("metadata").is_some())
        || matches!(value.get("finding_info"), Some(Json::Object(_)))
        || (value.get("metadata").is_some()
            && matches!(value.get("finding"), Some(Json::Object(_))))
}

/// Objects of an event in which many fields are looked for.
const PARTS: [&str; 3] = ["finding_info", "finding", "metadata"];

/// An event, with what its keys look like and those of its parts: many are looked for in each.
struct Event<'e, 'a> {
    whole: Part<'e, 'a>,
    /// In the order of [`PARTS`].
    parts: [Option<Part<'e, 'a>>; PARTS.len()],
}

/// An object with what its keys look like.
#[derive(Clone, Copy)]
struct Part<'e, 'a> {
    json: &'e Json<'a>,
    keys: Keys,
}

impl<'e, 'a> Part<'e, 'a> {
    fn get(self, key: &str) -> Option<&'e Json<'a>> {
        self.keys.may_have(key).then(|| self.json.get(key))?
    }
}

impl<'e, 'a> Event<'e, 'a> {
    fn new(json: &'e Json<'a>, keys: Keys) -> Self {
        let whole = Part { json, keys };
        let part = |key| {
            let json = whole.get(key)?;
            let keys = Keys::of(json);
            Some(Part { json, keys })
        };
        Self {
            whole,
            parts: PARTS.map(part),
        }
    }

    fn get(&self, key: &str) -> Option<&'e Json<'a>> {
        self.whole.get(key)
    }

    fn at(&self, path: &[&str]) -> Option<&'e Json<'a>> {
        let (first, rest) = path.split_first()?;
        let (found, rest) = match PARTS.iter().position(|part| part == first) {
            None => (self.get(first)?, rest),
            Some(place) => {
                let part = self.parts[place]?;
                match rest.split_first() {
                    None => (part.json, rest),
                    Some((second, rest)) => (part.get(second)?, rest),
                }
            }
        };
        found.at(rest)
    }
}

/// Decodes an OCSF event.
pub(super) fn decode(event: &Json<'_>, origin: &Origin<'_>) -> Result<Decoded, Undecodable> {
    let fields = Fields::new(event);
    let event = &Event::new(event, fields.keys());
    let class = class_of(event);
    check_types(event, &fields, class);
    let severity_id = event.get("severity_id");
    let severity_word = event.get("severity");
    let time = TIMES
        .iter()
        .find_map(|path| event.at(path).and_then(time::from_json));
    let draft = Draft {
        id: native_id(event, class),
        time,
        exposed_at: exposed_at(event, time),
        title: title(event, class),
        severity: severity(severity_id, severity_word),
        severity_raw: severity_id
            .and_then(Json::scalar_json)
            .or_else(|| severity_word.and_then(Json::scalar_json)),
        confidence: confidence(event),
        signals: pattern::signals(event, class),
        subject: subject::find(event, class, origin.source),
        resource: resource(event, class),
        action: action(event),
        url: first_text(
            event,
            &[&["finding_info", "src_url"], &["finding", "src_url"]],
        ),
        // "Used to correlate this OCSF event with other related OCSF events" (object `metadata`, `correlation_uid`).
        incident: first_text(event, &[&["metadata", "correlation_uid"]]),
        techniques: technique_ids(event).map(Small::from).collect(),
        ..Draft::new(format_name(class))
    };
    draft.finish(&fields, origin)
}

/// What must stand at a place.
#[derive(Clone, Copy)]
enum Wanted {
    Id,
    Text,
    Scalar,
    Time,
}

impl Wanted {
    /// Tells whether a value is plainly that.
    fn is(self, value: &Json<'_>) -> bool {
        match value {
            Json::Number(_) => !matches!(self, Self::Text),
            Json::Text(_) => value.text().is_some(),
            Json::Bool(_) => matches!(self, Self::Scalar),
            _ => false,
        }
    }

    /// Notes what stands at the first of some places that has anything, if it is something else.
    fn check(self, fields: &Fields<'_, '_>, places: &[&str]) {
        match self {
            Self::Id => {
                fields.id(places);
            }
            Self::Text => {
                fields.text(places);
            }
            Self::Scalar => {
                fields.scalar(places);
            }
            Self::Time => {
                fields.time(places);
            }
        }
    }
}

/// Where the schema is plain and every reader of the alert relies on it: the first place step by step, all of them as
/// paths, and what must stand there.
type Check = (&'static [&'static str], &'static [&'static str], Wanted);

const CHECKS: &[Check] = &[
    (&["class_uid"], &["class_uid"], Wanted::Id),
    (
        &["severity_id"],
        &["severity_id", "severity"],
        Wanted::Scalar,
    ),
    (&["metadata", "uid"], &["metadata.uid"], Wanted::Id),
    (&["finding_info", "uid"], &["finding_info.uid"], Wanted::Id),
    (
        &["finding_info", "title"],
        &["finding_info.title"],
        Wanted::Text,
    ),
    (&["finding", "uid"], &["finding.uid"], Wanted::Id),
    (&["finding", "title"], &["finding.title"], Wanted::Text),
    (&["time"], &["time"], Wanted::Time),
    (
        &["actor", "user", "uid"],
        &["actor.user.uid", "actor.user.name"],
        Wanted::Id,
    ),
    (&["api", "operation"], &["api.operation"], Wanted::Text),
];

/// Notes a wrong type.
fn check_types(event: &Event<'_, '_>, fields: &Fields<'_, '_>, class: i64) {
    for (place, paths, wanted) in CHECKS {
        // What stands in its place and is what it must be needs no search, which also finds keys with dots and of other
        // letter case.
        if !event.at(place).is_some_and(|value| wanted.is(value)) {
            wanted.check(fields, paths);
        }
    }
    let is_plain = |resource: &Json<'_>| {
        let is = |key, wanted: Wanted| resource.get(key).is_some_and(|value| wanted.is(value));
        is("uid", Wanted::Id) && is("type", Wanted::Text)
    };
    match event.get("resources") {
        Some(Json::List(resources)) if resources.iter().all(is_plain) => {}
        _ => {
            for resource in fields.each("resources") {
                resource.id(&["uid", "name"]);
                resource.text(&["type"]);
            }
        }
    }
    fields.text(&["activity_name"]);
    if class == 3001 {
        fields.id(&["user.uid", "user.name"]);
    }
}

fn class_of(event: &Event<'_, '_>) -> i64 {
    match event.get("class_uid").and_then(Json::integer) {
        Some(class) => class,
        None if event.get("finding_info").is_some() => 2004,
        None => 2001,
    }
}

const fn format_name(class: i64) -> &'static str {
    match class {
        2004 => "ocsf_detection_finding",
        2001 => "ocsf_security_finding",
        3000..4000 | 6003 => "ocsf_iam_api",
        _ => "ocsf_event",
    }
}

/// Returns the id the source gave.
fn native_id(event: &Event<'_, '_>, class: i64) -> Option<Small> {
    let finding: &[&[&str]] = &[
        &["finding_info", "uid"],
        &["finding", "uid"],
        &["metadata", "uid"],
    ];
    let own: &[&[&str]] = &[&["metadata", "uid"]];
    // Events of the other categories may carry a related finding; the event's own id is the one in the metadata.
    let places = if (2000..3000).contains(&class) {
        finding
    } else {
        own
    };
    let named = places.iter().find_map(|path| event.at(path)?.id());
    named.map(Small::from)
}

fn exposed_at(event: &Event<'_, '_>, time: Option<Timestamp>) -> Option<Timestamp> {
    let begins = BEGINNINGS.iter().filter_map(|path| event.at(path));
    begins.filter_map(time::from_json).chain(time).min()
}

/// Maps `severity_id` (1 to 6; 0 *unknown* and 99 *other* say nothing), else the word beside it.
fn severity(id: Option<&Json<'_>>, word: Option<&Json<'_>>) -> Option<Severity> {
    if let Some(id) = id.and_then(Json::integer) {
        return match id {
            1 => Some(Severity::Info),
            2 => Some(Severity::Low),
            3 => Some(Severity::Medium),
            4 => Some(Severity::High),
            5 | 6 => Some(Severity::Critical),
            _ => None,
        };
    }
    match word?.text()?.trim().to_ascii_lowercase().as_str() {
        "informational" | "info" => Some(Severity::Info),
        "low" => Some(Severity::Low),
        "medium" => Some(Severity::Medium),
        "high" => Some(Severity::High),
        "critical" | "fatal" => Some(Severity::Critical),
        _ => None,
    }
}

/// Reads `confidence_score` (0 to 100; `confidence` in schema 1.0), else `confidence_id` as a rough percentage:
/// low 25, medium 50, high 80. Other values say nothing.
fn confidence(event: &Event<'_, '_>) -> Option<u8> {
    let places: &[&[&str]] = &[
        &["confidence_score"],
        &["finding_info", "confidence_score"],
        &["confidence"],
    ];
    let score = places.iter().find_map(|path| event.at(path)?.integer());
    if let Some(score) = score.filter(|s| (0..=100).contains(s)) {
        return u8::try_from(score).ok();
    }
    match event.get("confidence_id").and_then(Json::integer)? {
        1 => Some(25),
        2 => Some(50),
        3 => Some(80),
        _ => None,
    }
}

fn title(event: &Event<'_, '_>, class: i64) -> Option<Small> {
    let places: &[&[&str]] = &[
        &["finding_info", "title"],
        &["finding", "title"],
        &["message"],
        &["api", "operation"],
        &["type_name"],
        &["metadata", "event_code"],
        &["activity_name"],
        &["class_name"],
    ];
    let of_class = || {
        event
            .get("class_uid")
            .map(|_| format!("OCSF event of class {class}").into())
    };
    first_text(event, places).or_else(of_class)
}

fn resource(event: &Event<'_, '_>, class: i64) -> Option<Resource> {
    let listed = event.get("resources").into_iter().flat_map(Json::items);
    let single = event.get("resource").into_iter();
    let named = listed.chain(single).find_map(|r| {
        let id = r
            .get("uid")
            .and_then(Json::id)
            .or_else(|| r.get("name").and_then(Json::id))?;
        let kind = r.get("type").and_then(Json::text).unwrap_or_default();
        Some(Resource {
            id: Untrusted::new(bounded_id(&id)),
            kind: untrusted(kind),
        })
    });
    if named.is_some() || class != 3001 {
        return named;
    }
    // An account change is done to `user`.
    let user = event.get("user")?;
    let id = user
        .get("uid")
        .and_then(Json::id)
        .or_else(|| user.get("name").and_then(Json::id))?;
    Some(Resource {
        id: Untrusted::new(bounded_id(&id)),
        kind: "user".into(),
    })
}

/// Names what was done: the call or activity where one is said, else the type of the finding.
fn action(event: &Event<'_, '_>) -> Option<Small> {
    let done: &[&[&str]] = &[&["api", "operation"], &["activity_name"]];
    let types = ["finding_info", "finding"]
        .iter()
        .filter_map(|f| event.at(&[f, "types"]));
    let listed = || {
        types
            .flat_map(Json::items)
            .find_map(Json::text)
            .map(Small::from)
    };
    let other: &[&[&str]] = &[
        &["finding_info", "analytic", "uid"],
        &["metadata", "event_code"],
    ];
    first_text(event, done)
        .or_else(listed)
        .or_else(|| first_text(event, other))
}

/// Lists the ATT&CK ids of an event. `attacks` stands at the event or in `finding_info`; `techniques` is the list of
/// schema 1.0.
fn technique_ids<'e>(event: &Event<'e, '_>) -> impl Iterator<Item = &'e str> {
    let places: [&[&str]; 3] = [
        &["finding_info", "attacks"],
        &["attacks"],
        &["finding", "attacks"],
    ];
    let attacks = places
        .into_iter()
        .filter_map(|path| event.at(path))
        .flat_map(Json::items);
    attacks.flat_map(|attack| {
        let single = attack.at(&["sub_technique", "uid"]).and_then(Json::text);
        let single = single.or_else(|| attack.at(&["technique", "uid"]).and_then(Json::text));
        let listed = attack.get("techniques").into_iter().flat_map(Json::items);
        single
            .into_iter()
            .chain(listed.filter_map(|t| t.get("uid").and_then(Json::text)))
    })
}

fn first_text(event: &Event<'_, '_>, places: &[&[&str]]) -> Option<Small> {
    places
        .iter()
        .find_map(|path| event.at(path)?.text())
        .map(Small::from)
}
