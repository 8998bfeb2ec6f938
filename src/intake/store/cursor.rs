//! Where reading of a source goes on after a restart.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where reading goes on. Every kind counts something, so that two places are never equal by chance: a batch whose
/// cursor is the stored one was stored before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cursor {
    /// In one file.
    File(FileCursor),
    /// In the answers of an API.
    Poll(PollCursor),
    /// In a folder of files.
    Folder(FolderCursor),
    /// In a stream of security events.
    Stream(StreamCursor),
}

/// A place in one file, with enough about the file to find it again after a rotation and to notice that another
/// content stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCursor {
    /// Counts the files and truncations this source went through.
    pub generation: u64,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Everything before this byte is stored.
    pub offset: u64,
    /// SHA-256 over the first and the last bytes before `offset`, hex.
    pub fingerprint: String,
    /// When the file was written last, as far as it was seen: seconds since 1970, and nanoseconds.
    #[serde(default)]
    pub written: (i64, i64),
    /// Where files read before this one were left after they were renamed, the last one last: somebody may still write to
    /// them, and what was read must not be taken for something new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<FileCursor>,
}

/// A place in the answers of an API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollCursor {
    /// Counts the pages that were stored.
    pub page: u64,
    /// Everything the source dated before this is stored; none before the first whole sweep.
    pub since: Option<Timestamp>,
    /// The latest time seen in the sweep that goes on.
    pub newest: Option<Timestamp>,
    /// How the next page is asked for; none between sweeps, unless the API says how to go on.
    pub next: Option<Next>,
    /// Short hashes of what the last whole list held, for APIs that only give such lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<u64>,
}

/// How the next page is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// By this address, as the API gave it.
    Url(String),
    /// By this value, as the API gave it.
    Token(Value),
    /// By how many were read.
    Offset(u64),
}

/// A place in a folder of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderCursor {
    /// Counts the batches that were stored.
    pub batch: u64,
    /// The file being read.
    pub current: Option<Dropped>,
    /// Bytes of its content, unpacked, that are stored.
    pub offset: u64,
    /// Files that are still there and read to their end, by name.
    pub done: BTreeMap<String, Dropped>,
    /// Names of those of which not everything could be stored, the one being read among them: they are not removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub partly: BTreeSet<String>,
}

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// Its name.
    pub name: String,
    /// Inode number.
    pub ino: u64,
    /// Length in bytes.
    pub length: u64,
    /// Time of its last change: seconds since 1970, and nanoseconds.
    pub changed: (i64, i64),
}

/// A place in a stream of security events: the transmitter keeps it, what is kept here is what it has to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamCursor {
    /// Counts the answers that were stored.
    pub answer: u64,
    /// Events that are stored and not acknowledged yet, by `jti`.
    pub stored: Vec<String>,
    /// Events that cannot be accepted, by `jti`: error code and description (RFC 8936 §2.6).
    pub refused: BTreeMap<String, (String, String)>,
}
