//! Where in a log a walk stands, and what it can find wrong there.

use super::super::checkpoint::Invalid;
use super::super::merkle::{CompactRange, Hash, ZERO, leaf_hash};
use super::super::record::MAX_LINE;

/// A place between two lines, with everything needed to go on from it.
#[derive(Clone, Debug)]
pub struct Point {
    /// Sequence number of the next line.
    pub seq: u64,
    /// Leaf hash of the line before.
    pub prev: Hash,
    /// The tree over all lines before.
    pub range: CompactRange,
    /// First sequence number of the segment.
    pub segment: u64,
    /// Byte offset in the segment.
    pub offset: u64,
}

impl Point {
    /// The very beginning.
    pub fn start() -> Self {
        Self {
            seq: 0,
            prev: ZERO,
            range: CompactRange::default(),
            segment: 0,
            offset: 0,
        }
    }

    /// Goes past one line (without its line feed) and returns its leaf hash.
    pub fn pass(&mut self, line: &[u8]) -> Hash {
        let leaf = leaf_hash(line);
        self.step(leaf, line.len());
        leaf
    }

    /// Goes past a line of `len` bytes of which the leaf hash is known, or all that is left.
    pub fn step(&mut self, leaf: Hash, len: usize) {
        self.seq += 1;
        self.prev = leaf;
        self.range.push(leaf);
        self.offset += len as u64 + 1;
    }
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Which line it should have been.
    pub seq: u64,
    /// First record after the last valid checkpoint: a changed line shows only at the line after it.
    pub from: u64,
    /// In which segment (first sequence number).
    pub segment: u64,
    /// At which byte of the segment.
    pub offset: u64,
    /// What is wrong.
    pub why: Why,
}

/// What can be wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It does not continue the line before.
    #[error("the line does not continue the chain: expected {expected}, found {found}")]
    Chain {
        /// Fixed start that the line should have.
        expected: String,
        /// What stands there, made visible.
        found: String,
    },
    /// Longer than any line of ours.
    #[error("a line exceeds {MAX_LINE} bytes")]
    TooLong,
    /// A control character or a byte above 0x7E.
    #[error("the line holds the byte 0x{0:02x}, which this log never writes")]
    Byte(u8),
    /// A checkpoint that does not hold.
    #[error("{0}")]
    Checkpoint(#[from] Invalid),
    /// The log does not begin as a log.
    #[error("the first line is no genesis record of this log: {0}")]
    Genesis(String),
    /// Another key takes over in a way that nothing vouches for.
    #[error("the record changes the key, but {0}")]
    Key(String),
    /// A file is not there, or has another name.
    #[error("expected the segment {expected}, found {found}")]
    Segment {
        /// Name that should follow.
        expected: String,
        /// Name that follows.
        found: String,
    },
}
