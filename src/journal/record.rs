//! One line of a journal: how a record is framed and read back.
//!
//! `{"v":1,"seq":41,"prev":"<64 hex>","type":"intent","ts":"…Z","actor":{…},…}` and a line feed. The first four keys
//! stand in that order so that the chain is checked by comparing bytes; everything is ASCII, so `cat` of a journal
//! commands no terminal.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::decision::RecordType;

use super::checkpoint::prefix;
use super::json;
use super::merkle::Hash;

/// Most bytes of one line without its line feed; larger content goes to `blobs/`.
pub const MAX_LINE: usize = 64 * 1024;

/// Most lines are shorter.
const USUAL: usize = 2048;

/// Keys that frame a record and cannot stand in a body.
const FRAME: [&str; 11] = [
    "v", "seq", "prev", "type", "ts", "actor", "drill", "policy", "mono", "clk", "note",
];

/// What stands around a body.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// Place in the log, from 0.
    pub seq: u64,
    /// Leaf hash of the line before.
    pub prev: Hash,
    /// Wall clock.
    pub ts: Timestamp,
    /// Who writes, as JSON.
    pub actor: &'a [u8],
    /// Whether this is about the drill's world.
    pub drill: bool,
    /// SHA-256 of the playbooks in force, hex, where this process has any.
    pub policy: Option<&'a str>,
    /// `CLOCK_BOOTTIME` in nanoseconds.
    pub mono: u64,
    /// Whether the wall clock was synchronised; `None` when nothing tells.
    pub synchronised: Option<bool>,
}

/// Why a record cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The body is no JSON object.
    #[error("a {0} record needs a JSON object as its body")]
    NoObject(RecordType),
    /// The body uses a key of the frame.
    #[error("the body of a {kind} record uses the key {key:?}, which frames the record")]
    Reserved {
        /// Which record.
        kind: RecordType,
        /// Which key.
        key: String,
    },
    /// Too long.
    #[error(
        "a {kind} record of {bytes} bytes exceeds the {MAX_LINE} bytes of one line: store its content as a blob"
    )]
    TooLong {
        /// Which record.
        kind: RecordType,
        /// How long it would be.
        bytes: usize,
    },
    /// Written by this module alone.
    #[error("checkpoints are written by the journal itself")]
    Checkpoint,
    /// Written by the journal alone, with its signatures.
    #[error("{0} records are written by the journal itself")]
    Own(RecordType),
}

/// Writes one record without its line feed.
pub fn write(frame: &Frame<'_>, kind: RecordType, body: &Value) -> Result<Vec<u8>, WriteError> {
    if kind == RecordType::Checkpoint {
        return Err(WriteError::Checkpoint);
    }
    let body = body.as_object().ok_or(WriteError::NoObject(kind))?;
    if let Some(key) = body.keys().find(|k| FRAME.contains(&k.as_str())) {
        return Err(WriteError::Reserved {
            kind,
            key: key.clone(),
        });
    }
    let mut out = Vec::with_capacity(USUAL);
    out.extend_from_slice(prefix(frame.seq, &frame.prev).as_bytes());
    out.extend_from_slice(format!("{kind}\",\"ts\":\"{:.9}\",\"actor\":", frame.ts).as_bytes());
    out.extend_from_slice(frame.actor);
    if frame.drill {
        out.extend_from_slice(b",\"drill\":true");
    }
    if let Some(policy) = frame.policy {
        out.push(b',');
        json::write_member("policy", &Value::from(policy), &mut out);
    }
    let sync = frame
        .synchronised
        .map_or("null", |s| if s { "true" } else { "false" });
    let clocks = format!(",\"mono\":{},\"clk\":{{\"sync\":{sync}}}", frame.mono);
    out.extend_from_slice(clocks.as_bytes());
    for (key, value) in body {
        out.push(b',');
        json::write_member(key, value, &mut out);
    }
    out.push(b'}');
    if out.len() > MAX_LINE {
        return Err(WriteError::TooLong {
            kind,
            bytes: out.len(),
        });
    }
    Ok(out)
}

/// A record read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Place in the log.
    pub seq: u64,
    /// What it is.
    pub kind: RecordType,
    /// Wall clock.
    pub ts: Timestamp,
    /// Who wrote it, as it says itself.
    pub actor: Map<String, Value>,
    /// Whether it is about the drill's world.
    pub drill: bool,
    /// SHA-256 of the playbooks that were in force, hex.
    pub policy: Option<String>,
    /// `CLOCK_BOOTTIME` in nanoseconds.
    pub mono: Option<u64>,
    /// Whether the wall clock was synchronised, where that was known.
    pub synchronised: Option<bool>,
    /// Everything else.
    pub body: Map<String, Value>,
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or with a key twice.
    #[error("the line is not usable JSON: {0}")]
    Json(String),
    /// A key of the frame is missing or of the wrong type.
    #[error("the line has no usable {0:?}")]
    Frame(&'static str),
    /// A record type of another version.
    #[error("the record type {0:?} is not known to this version")]
    Unknown(String),
}

/// Reads one line (no checkpoint) without its line feed.
pub fn read(line: &[u8]) -> Result<Record, ReadError> {
    let value = json::read(line).map_err(|e| ReadError::Json(e.to_string()))?;
    let Value::Object(mut map) = value else {
        return Err(ReadError::Json("it is no object".into()));
    };
    let take =
        |map: &mut Map<String, Value>, key| map.shift_remove(key).ok_or(ReadError::Frame(key));
    if take(&mut map, "v")?.as_u64() != Some(1) {
        return Err(ReadError::Frame("v"));
    }
    let seq = take(&mut map, "seq")?
        .as_u64()
        .ok_or(ReadError::Frame("seq"))?;
    take(&mut map, "prev")?;
    let word = take(&mut map, "type")?;
    let word = word.as_str().ok_or(ReadError::Frame("type"))?;
    let kind = RecordType::parse(word).ok_or_else(|| ReadError::Unknown(word.to_owned()))?;
    let ts = take(&mut map, "ts")?;
    let ts = ts
        .as_str()
        .and_then(|t| t.parse().ok())
        .ok_or(ReadError::Frame("ts"))?;
    let Value::Object(actor) = take(&mut map, "actor")? else {
        return Err(ReadError::Frame("actor"));
    };
    let drill = map.shift_remove("drill") == Some(Value::Bool(true));
    let policy = match map.shift_remove("policy") {
        Some(Value::String(policy)) => Some(policy),
        _ => None,
    };
    let mono = map.shift_remove("mono").and_then(|m| m.as_u64());
    let synchronised = map
        .shift_remove("clk")
        .and_then(|clk| clk.get("sync")?.as_bool());
    Ok(Record {
        seq,
        kind,
        ts,
        actor,
        drill,
        policy,
        mono,
        synchronised,
        body: map,
    })
}

/// Reads a line only if its type is one of `kinds`, told from its fixed start without parsing the rest.
pub fn read_if(line: &[u8], kinds: &[RecordType]) -> Option<Record> {
    const LEAD: &[u8] = b",\"type\":\"";
    let at = memchr::memmem::find(&line[..line.len().min(160)], LEAD)? + LEAD.len();
    let word = line[at..].split(|b| *b == b'"').next()?;
    kinds
        .iter()
        .any(|k| k.as_str().as_bytes() == word)
        .then(|| read(line).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::super::merkle::ZERO;
    use super::*;

    fn frame(actor: &[u8]) -> Frame<'_> {
        Frame {
            seq: 41,
            prev: ZERO,
            ts: "2026-11-21T08:15:00.123456789Z".parse().unwrap(),
            actor,
            drill: false,
            policy: None,
            mono: 7,
            synchronised: None,
        }
    }

    #[test]
    fn stands_in_the_documented_order() {
        let line = write(
            &frame(br#"{"user":"alice"}"#),
            RecordType::Note,
            &json!({"text": "caf\u{e9}"}),
        )
        .unwrap();
        let want = format!(
            r#"{{"v":1,"seq":41,"prev":"{}","type":"note","ts":"2026-11-21T08:15:00.123456789Z","actor":{{"user":"alice"}},"mono":7,"clk":{{"sync":null}},"text":"caf\u00e9"}}"#,
            "0".repeat(64)
        );
        assert_eq!(String::from_utf8(line).unwrap(), want);
    }

    #[rstest]
    #[case(RecordType::Note, json!([]), WriteError::NoObject(RecordType::Note))]
    #[case(RecordType::Note, json!({"seq": 1}), WriteError::Reserved { kind: RecordType::Note, key: "seq".into() })]
    #[case(RecordType::Checkpoint, json!({}), WriteError::Checkpoint)]
    fn refuses(#[case] kind: RecordType, #[case] body: Value, #[case] error: WriteError) {
        assert_eq!(write(&frame(b"{}"), kind, &body), Err(error));
    }

    #[test]
    fn points_to_blobs_when_too_long() {
        let error = write(
            &frame(b"{}"),
            RecordType::Note,
            &json!({"text": "x".repeat(MAX_LINE)}),
        );
        assert!(error.unwrap_err().to_string().ends_with("as a blob"));
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(text in any::<String>(), policy in any::<Option<String>>(), key in "[a-z]{6,9}", drill in any::<bool>()) {
            let (actor, body) = (json!({"user": text}), json!({key: [text.clone()]}));
            let mut said = Vec::new();
            json::write(&actor, &mut said);
            let frame = Frame { drill, policy: policy.as_deref(), ..frame(&said) };
            let line = write(&frame, RecordType::Intent, &body).unwrap();
            let record = read(&line).unwrap();
            prop_assert_eq!(Value::Object(record.body), body);
            prop_assert_eq!(Value::Object(record.actor), actor.clone());
            prop_assert_eq!(record.policy.as_deref(), policy.as_deref());
            prop_assert_eq!((record.seq, record.drill, record.ts, record.mono), (41, drill, frame.ts, Some(7)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
