//! What one commit wrote, for whoever in the same process goes on with it: nobody has to read back and check what he has
//! framed and signed himself.

use serde_json::Value;

use crate::domain::decision::{Entry, RecordType};

use super::super::checkpoint::Head;
use super::super::merkle::Hash;
use super::super::note::Verifier;
use super::super::walk::{Point, Walk};
use super::Writer;

/// A value that is nested deeper is read back: readers refuse what is nested far deeper than anything of ours.
const DEEPEST: usize = 32;

/// Records that are on the disk, or in the system's hands as their kinds demand, with the checkpoint behind them.
#[derive(Debug)]
pub struct Lot {
    /// `<host>/<user>`.
    owner: String,
    by: Verifier,
    /// Where it begins: number of the first line, leaf hash before it, segment and offset.
    from: (u64, Hash, u64, u64),
    to: Point,
    head: (Head, String),
    entries: Vec<Entry>,
}

impl Lot {
    /// Puts together what was written between two points.
    pub(super) fn new(
        owner: String,
        by: Verifier,
        from: &Point,
        to: Point,
        head: (Head, String),
        entries: Vec<Entry>,
    ) -> Self {
        Self {
            owner,
            by,
            from: place(from),
            to,
            head,
            entries,
        }
    }

    /// Returns the log that it stands in, as `<host>/<user>`.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Tells whether it begins where a walk stands that knows the key that signs it.
    pub fn follows(&self, walk: &Walk) -> bool {
        self.from == place(&walk.good)
            && walk.verifier.as_ref() == Some(&self.by)
            && walk.leaves.is_none()
    }

    /// Moves a walk past it and returns its records.
    pub fn pass(self, walk: &mut Walk) -> Vec<Entry> {
        walk.checkpoints += 1;
        walk.passed += self.to.offset - self.from.3;
        walk.good = self.to;
        walk.head = Some(self.head);
        self.entries
    }
}

fn place(point: &Point) -> (u64, Hash, u64, u64) {
    (point.seq, point.prev, point.segment, point.offset)
}

/// Tells whether a record reads as it was written, and changes nothing about the log itself: what begins a segment or
/// changes the key is for a walk to look at.
pub(super) fn is_plain(kind: RecordType, body: &Value) -> bool {
    let own = matches!(
        kind,
        RecordType::Genesis | RecordType::KeyRotate | RecordType::Segment
    );
    !own && reads_alike(body, DEEPEST)
}

/// A fraction may be read as its neighbour.
fn reads_alike(value: &Value, depth: usize) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => depth > 0 && items.iter().all(|v| reads_alike(v, depth - 1)),
        Value::Object(map) => depth > 0 && map.values().all(|v| reads_alike(v, depth - 1)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

impl Writer {
    /// Keeps what is written from now on for [`Self::take_lots`].
    pub fn keep_lots(&mut self) {
        self.lots.get_or_insert_default();
    }

    /// Returns what was written since the last call, oldest first. What has to be read back is left out.
    pub fn take_lots(&mut self) -> Vec<Lot> {
        self.lots.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
