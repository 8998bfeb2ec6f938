//! What a walk meets on its way, and where it ends.

use super::super::checkpoint::{Head, Invalid};
use super::super::record::MAX_LINE;

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

/// What a walk meets, in order.
#[derive(Debug)]
pub enum Event<'a, T = ()> {
    /// A line that continues the chain; not committed until the next [`Event::Commit`].
    Line {
        /// Its number.
        seq: u64,
        /// Its segment.
        segment: u64,
        /// Its offset there.
        offset: u64,
        /// Its bytes without the line feed.
        bytes: &'a [u8],
        /// What was to be known of it; see [`Walk::run_with`].
        seen: T,
    },
    /// A line whose content was withheld; its leaf hash still holds the place.
    Withheld {
        /// Its number.
        seq: u64,
    },
    /// A valid checkpoint: everything before is committed.
    Commit(&'a Head),
    /// Bytes that a later segment declares damaged; lines since the last commit are void.
    Damage(&'a Bad),
}

/// Where a walk ended.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    /// What stopped it.
    pub bad: Option<Bad>,
    /// Segment where it stopped.
    pub segment: u64,
    /// Bytes there after the last valid checkpoint.
    pub rest: u64,
    /// Lines there that continue the chain but are not committed.
    pub uncommitted: u64,
    /// Segments that should not be there or could not be reached.
    pub later: Vec<u64>,
    /// It ended at a mark, see [`Walk::run_to`]; nothing is said about what follows.
    pub paused: bool,
}

/// A checkpoint on the way, to rest at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its head.
    pub head: Head,
    /// Segment of the record before it.
    pub segment: u64,
    /// Where in it that record begins.
    pub offset: u64,
}
