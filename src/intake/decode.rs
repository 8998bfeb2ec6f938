//! From the bytes of one line to normalised alerts.
//!
//! A decoder sees one JSON value, never I/O and never the clock. Arrays and the envelopes that transports put around
//! findings are opened here, so a decoder only knows its own format.

mod ocsf;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::json::{self, Json, JsonError};
use crate::domain::alert::Alert;
use crate::domain::text::{Untrusted, fit, show};
use crate::domain::vocabulary::ActionPattern;

/// Longest line that is read, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// Longest id that is kept as it is; a longer one is cut and completed by its hash, so that it stays unique.
const LONGEST_ID: usize = 512;

/// Longest text kept in an alert, in characters; the raw bytes keep the rest.
const LONGEST_TEXT: usize = 1_024;

/// Envelopes inside envelopes that are opened.
const MOST_ENVELOPES: usize = 4;

/// The names that `format` accepts.
pub const FORMATS: &[&str] = &["ocsf"];

/// Why bytes are not an alert. The text names the problem; the bytes themselves go to the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// Longer than [`MAX_LINE`].
    #[error("{bytes} bytes long, more than the 1 MiB that one alert may have")]
    TooLong {
        /// The length.
        bytes: u64,
    },
    /// Not UTF-8 (RFC 8259 §8.1).
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first bad byte, counted from 0.
        at: usize,
    },
    /// Not one acceptable JSON value.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A JSON value that cannot be an alert.
    #[error("{found} where an alert must be a JSON object")]
    NotAnObject {
        /// Its type.
        found: &'static str,
    },
    /// An object of no known format.
    #[error("no decoder knows this object (its keys: {keys}); known formats: {}", FORMATS.join(", "))]
    UnknownShape {
        /// Its first keys, made visible.
        keys: String,
    },
    /// An object that is not of the format asked for.
    #[error("not {format}: {missing}")]
    OtherFormat {
        /// The format asked for.
        format: &'static str,
        /// What would have been there.
        missing: &'static str,
    },
    /// A format name that no decoder has.
    #[error("unknown format {name}; known formats: {}", FORMATS.join(", "))]
    UnknownFormat {
        /// The name, made visible.
        name: String,
    },
    /// One element of an array; see the reason inside.
    #[error("element {index} of the array: {reason}")]
    Element {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: Box<Undecodable>,
    },
}

/// One decoded alert with everything its source hints at.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The alert.
    pub alert: Alert,
    /// Every pattern that some field supports, the strongest first; the first is [`Alert::pattern`].
    pub signals: Vec<ActionPattern>,
}

/// What one line held. An array may hold both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The alerts.
    pub alerts: Vec<Decoded>,
    /// What was no alert.
    pub rejected: Vec<Undecodable>,
}

/// What a decoder is told besides the value.
struct Origin<'o> {
    source: &'o str,
    observed: Timestamp,
    raw_sha256: &'o str,
    /// Id for an alert that brings none, derived from its content.
    derived_id: String,
    /// Id and time of the envelope, used when the alert itself has none.
    envelope: Envelope,
}

/// What an envelope says about its content.
#[derive(Clone, Debug, Default)]
struct Envelope {
    id: Option<String>,
    time: Option<Timestamp>,
}

/// Decodes one line into its alerts; the first element of an array that is no alert fails the line.
pub fn decode(
    format: Option<&str>,
    line: &[u8],
    source: &str,
    observed: Timestamp,
) -> Result<Vec<Alert>, Undecodable> {
    let contents = decode_all(format, line, source, observed)?;
    match contents.rejected.into_iter().next() {
        Some(reason) => Err(reason),
        None => Ok(contents.alerts.into_iter().map(|d| d.alert).collect()),
    }
}

/// Decodes one line and keeps apart what could and could not be read. Fails when the line as a whole is unreadable.
pub fn decode_all(
    format: Option<&str>,
    line: &[u8],
    source: &str,
    observed: Timestamp,
) -> Result<Contents, Undecodable> {
    let known = format.is_none_or(is_known);
    if !known {
        let name = fit(&show(format.unwrap_or_default()), 80, "…");
        return Err(Undecodable::UnknownFormat { name });
    }
    if line.len() > MAX_LINE {
        return Err(Undecodable::TooLong {
            bytes: line.len() as u64,
        });
    }
    let text = std::str::from_utf8(line).map_err(|e| Undecodable::NotUtf8 {
        at: e.valid_up_to(),
    })?;
    let value = json::parse(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let raw_sha256 = hex(&Sha256::digest(line));
    let mut contents = Contents::default();
    let mut push = |value: &Json<'_>, index: Option<usize>, envelope: Envelope| {
        let suffix = index.map(|i| format!("-{i}")).unwrap_or_default();
        let derived_id = format!(
            "sha256-{}{suffix}",
            raw_sha256.get(..32).unwrap_or(&raw_sha256)
        );
        let origin = Origin {
            source,
            observed,
            raw_sha256: &raw_sha256,
            derived_id,
            envelope,
        };
        match decode_object(format, value, &origin) {
            Ok(decoded) => contents.alerts.push(decoded),
            Err(reason) => contents.rejected.push(match index {
                Some(index) => Undecodable::Element {
                    index,
                    reason: Box::new(reason),
                },
                None => reason,
            }),
        }
    };
    let (inner, envelope) = unwrap(&value);
    match inner {
        Json::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let (item, mut inside) = unwrap(item);
                // An id of the envelope names all of its content together, so it cannot name one element.
                inside.time = inside.time.or(envelope.time);
                push(item, Some(index), inside);
            }
        }
        object => push(object, None, envelope),
    }
    Ok(contents)
}

/// Tells whether `format` names a decoder.
pub fn is_known(format: &str) -> bool {
    FORMATS.contains(&format) || ocsf::NAMES.contains(&format)
}

/// Tells whether bytes are only the beginning of a JSON value.
pub fn is_incomplete(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| json::parse(text).is_err_and(|e| e.is_incomplete()))
}

fn decode_object(
    format: Option<&str>,
    value: &Json<'_>,
    origin: &Origin<'_>,
) -> Result<Decoded, Undecodable> {
    let Json::Object(members) = value else {
        return Err(Undecodable::NotAnObject {
            found: value.type_name(),
        });
    };
    if ocsf::detect(value) {
        return Ok(ocsf::decode(value, origin));
    }
    if format.is_some() {
        let missing = "it has neither `class_uid` nor `finding_info` nor `finding`";
        return Err(Undecodable::OtherFormat {
            format: "OCSF",
            missing,
        });
    }
    let keys: Vec<&str> = members.iter().take(8).map(|(key, _)| &**key).collect();
    let keys = if keys.is_empty() {
        "none".to_owned()
    } else {
        fit(&show(&keys.join(", ")), 120, "…")
    };
    Err(Undecodable::UnknownShape { keys })
}

/// Opens what transports put around findings: EventBridge (`detail`, with `findings[]` inside for Security Hub),
/// CloudEvents 1.0 structured mode (`data`), Elasticsearch hits (`_source`).
fn unwrap<'v, 'a>(value: &'v Json<'a>) -> (&'v Json<'a>, Envelope) {
    let mut value = value;
    let mut envelope = Envelope::default();
    for _ in 0..MOST_ENVELOPES {
        if ocsf::detect(value) {
            break;
        }
        let (inner, id, time) = if value.get("detail-type").is_some() {
            let detail = value.get("detail");
            let findings = detail.and_then(|d| d.get("findings"));
            (findings.or(detail), value.get("id"), value.get("time"))
        } else if value.get("specversion").is_some() {
            (value.get("data"), value.get("id"), value.get("time"))
        } else {
            (value.get("_source"), value.get("_id"), None)
        };
        let Some(inner) = inner.filter(|v| matches!(v, Json::Object(_) | Json::List(_))) else {
            break;
        };
        envelope = Envelope {
            id: id.and_then(Json::id).map(Into::into).or(envelope.id),
            time: time.and_then(super::time::from_json).or(envelope.time),
        };
        value = inner;
    }
    (value, envelope)
}

/// Takes a text of the source into an alert, bounded.
fn untrusted(text: &str) -> Untrusted {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => Untrusted::new(text),
        Some((end, _)) => Untrusted::new(format!("{}…", &text[..end])),
    }
}

/// Takes an id of the source, bounded without two ids becoming one.
fn bounded_id(id: &str) -> String {
    if id.len() <= LONGEST_ID {
        return id.to_owned();
    }
    let mut end = LONGEST_ID / 2;
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…{}", &id[..end], hex(&Sha256::digest(id.as_bytes())))
}

/// Writes bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests;
