//! Where reading of a file goes on after a restart.

use serde::{Deserialize, Serialize};

/// A place in one file, with enough about the file to find it again after a rotation and to notice that another
/// content stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Counts the files and truncations this source went through, so that two places are never equal by chance.
    pub generation: u64,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Everything before this byte is stored.
    pub offset: u64,
    /// SHA-256 over the first and the last bytes before `offset`, hex.
    pub fingerprint: String,
}
