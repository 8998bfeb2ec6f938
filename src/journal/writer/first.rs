//! The first walk over a log that is opened for writing.

use serde_json::Value;

use crate::domain::decision::RecordType;

use super::super::error::JournalError;
use super::super::layout::LogDir;
use super::super::record;
use super::super::walk::{Event, Walk};

/// What the first walk over a log tells.
#[derive(Default)]
pub struct First {
    /// Why actions must wait: damage that was never acknowledged.
    pub pending: Option<String>,
    /// How far anchors reach.
    pub anchored: u64,
}

/// Walks a whole log at first sight.
pub fn first_walk(log: &LogDir, walk: &mut Walk) -> Result<First, JournalError> {
    const KINDS: [RecordType; 4] = [
        RecordType::Genesis,
        RecordType::Segment,
        RecordType::Anomaly,
        RecordType::Anchor,
    ];
    for every_signature in [false, true] {
        *walk = Walk::new(walk.owner.clone(), every_signature);
        let mut first = First::default();
        walk.run(log, &mut |event| {
            if let Event::Line { bytes, .. } = event
                && let Some(record) = record::read_if(bytes, &KINDS)
            {
                if record.kind == RecordType::Anchor {
                    let size = record.body.get("size").and_then(Value::as_u64);
                    // No anchor reaches beyond the record that names it.
                    first.anchored = first.anchored.max(size.unwrap_or(0).min(record.seq));
                } else if record.body.contains_key("damaged") {
                    let why = &record.body["damaged"]["why"];
                    let why = why.as_str().unwrap_or("the journal was damaged");
                    first.pending = Some(why.to_owned());
                } else if record.body.get("acknowledged") == Some(&Value::Bool(true)) {
                    first.pending = None;
                }
            }
        })?;
        // When the last signature is not good, the last good one is looked for with all of them checked.
        if walk.confirm() {
            return Ok(first);
        }
    }
    Ok(First::default())
}
