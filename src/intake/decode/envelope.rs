//! What transports put around alerts.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::Undecodable;
use super::fields::{has, id_at, member};
use crate::domain::small::Small;
use crate::intake::json::{Json, Keys};
use crate::intake::time;

/// What an envelope says about its content.
#[derive(Clone, Debug, Default)]
pub(super) struct Envelope {
    /// Its own id, for content that brings none.
    pub id: Option<Small>,
    /// Its own time, for content that brings none.
    pub time: Option<Timestamp>,
}

/// What is inside an envelope.
pub(super) enum Inside<'v, 'a> {
    /// A value.
    Value(&'v Json<'a>),
    /// Text that is JSON, or a signed token, itself.
    Text(Cow<'v, str>),
}

/// Keys under which senders list several alerts, and under which searches and streams wrap one.
/// Sources: `Records` CloudTrail log files and S3; `records` Azure Monitor streams; `value` OData; `items` Kubernetes
/// lists; `Findings`, `findings` GuardDuty and Security Hub APIs; `results`, `result` Splunk searches and exports;
/// `vulnerabilities` GitLab reports; `listFindingsResults` Security Command Center; `entries` Slack and Cloud Logging;
/// `data`, `events`, `logs`, `alerts`, `incidents`, `issues`, `detections`, `hits` as common names of the same.
const BATCHES: &[&str] = &[
    "Records",
    "value",
    "items",
    "findings",
    "results",
    "result",
    "vulnerabilities",
    "listFindingsResults",
    "entries",
    "data",
    "events",
    "logs",
    "alerts",
    "incidents",
    "issues",
    "detections",
    "hits",
    "event",
    "payload",
    "body",
    "message",
];

/// Keys of which every envelope that shows what it is has one.
const MARKS: &[&str] = &[
    "detail-type",
    "Type",
    "_source",
    "hits",
    "eventType",
    "sets",
    "specversion",
];

/// Tells whether there is any mark of an envelope. A list may be one.
pub(super) fn is_marked(value: &Json<'_>, keys: &Keys) -> bool {
    let has = |key: &&str| keys.may_have(key) && member(value, key).is_some();
    !matches!(value, Json::Object(_)) || MARKS.iter().any(has)
}

/// Opens an envelope that shows what it is: EventBridge, SNS, an Elasticsearch hit, an Okta event hook, a bundle of
/// security event tokens (RFC 8936 §2.2). Returns the envelope's own id and time with the content.
pub(super) fn open<'v, 'a>(value: &'v Json<'a>) -> Option<(Inside<'v, 'a>, Envelope)> {
    if has(value, "detail-type") {
        // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>
        let detail = value.get("detail")?;
        let inner = match member(detail, "findings") {
            Some(list @ Json::List(_)) => list,
            _ => detail,
        };
        return Some((content(inner)?, envelope(value, "id", "time")));
    }
    if value.get("Type").and_then(Json::text) == Some("Notification") && has(value, "TopicArn") {
        // <https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html>
        return Some((
            content(value.get("Message")?)?,
            envelope(value, "MessageId", "Timestamp"),
        ));
    }
    if let Some(source) = value.get("_source") {
        return Some((content(source)?, envelope(value, "_id", "")));
    }
    if let Some(list) = value.at(&["hits", "hits"]) {
        return Some((content(list)?, Envelope::default()));
    }
    if value.get("eventType").and_then(Json::text) == Some("com.okta.event_hook") {
        return Some((
            content(value.at(&["data", "events"])?)?,
            Envelope::default(),
        ));
    }
    None
}

/// Tells what is wrong with an EventBridge event whose content is no object.
pub(super) fn mistyped(value: &Json<'_>) -> Option<Undecodable> {
    let detail = value.get("detail").filter(|_| has(value, "detail-type"))?;
    (content(detail).is_none() || matches!(detail, Json::List(_))).then(|| Undecodable::WrongType {
        kind: "eventbridge".to_owned(),
        path: "detail".to_owned(),
        found: detail.type_name(),
        wanted: "an object",
    })
}

/// Opens the CloudEvents 1.0 JSON format (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).
/// Returns nothing for data that is no JSON; the event then stands for itself.
pub(super) fn cloud_event<'v, 'a>(value: &'v Json<'a>) -> Option<(Inside<'v, 'a>, Envelope)> {
    if !has(value, "specversion") {
        return None;
    }
    let outer = envelope(value, "id", "time");
    if let Some(data) = value.get("data") {
        return Some((content(data)?, outer));
    }
    let bytes = STANDARD
        .decode(value.get("data_base64")?.text()?.trim())
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some((Inside::Text(Cow::Owned(text)), outer))
}

/// Opens a list or wrapper by its key, for objects that no decoder knows.
pub(super) fn batch<'v, 'a>(value: &'v Json<'a>) -> Option<Inside<'v, 'a>> {
    BATCHES.iter().find_map(|key| {
        let inner = content(member(value, key)?)?;
        let filled = match &inner {
            Inside::Value(Json::List(items)) => items
                .iter()
                .any(|i| matches!(i, Json::Object(_) | Json::Text(_))),
            Inside::Value(_) => true,
            Inside::Text(text) => looks_like_json(text),
        };
        filled.then_some(inner)
    })
}

/// Returns the tokens of an RFC 8936 answer: `{"sets": {"<jti>": "<token>"}}`.
pub(super) fn token_set<'v, 'a>(value: &'v Json<'a>) -> Option<&'v [(Cow<'a, str>, Json<'a>)]> {
    match value.get("sets")? {
        Json::Object(sets) => Some(sets),
        _ => None,
    }
}

/// Tells whether text may be a compact JWS (RFC 7515 §3.1): three base64url parts.
pub(super) fn looks_like_token(text: &str) -> bool {
    let text = text.trim();
    let plain = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.starts_with("ey") && text.split('.').count() == 3 && text.split('.').all(plain)
}

/// Returns what a report says about the time of everything in it: GitLab security reports name it once.
pub(super) fn report_time(value: &Json<'_>) -> Option<Timestamp> {
    let scan = member(value, "scan")?;
    let times = ["end_time", "start_time"];
    times
        .iter()
        .find_map(|key| time::from_json(member(scan, key)?))
}

fn looks_like_json(text: &str) -> bool {
    matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['))
}

fn content<'v, 'a>(value: &'v Json<'a>) -> Option<Inside<'v, 'a>> {
    match value {
        Json::Object(_) | Json::List(_) => Some(Inside::Value(value)),
        Json::Text(text) if looks_like_json(text) || looks_like_token(text) => {
            Some(Inside::Text(Cow::Borrowed(text)))
        }
        _ => None,
    }
}

fn envelope(value: &Json<'_>, id: &str, at: &str) -> Envelope {
    Envelope {
        id: id_at(value, id).map(Small::from),
        time: member(value, at).and_then(time::from_json),
    }
}
