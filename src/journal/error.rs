//! What can go wrong with a journal, in words that say what to do.

use std::path::PathBuf;

use super::agent::AgentError;
use super::keys::KeyError;
use super::record::WriteError;

/// Why a journal cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody wanted it to end.
    #[error("ended before everything was read")]
    Stopped,
    /// The system refused; nothing was recorded.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The device took only a part, which was taken back: a full disk shows like this first.
    #[error("only {written} of {wanted} bytes fit into {}, and these were taken back: make room on the disk", path.display())]
    ShortWrite {
        /// Which file.
        path: PathBuf,
        /// How much fitted.
        written: usize,
        /// How much there was.
        wanted: usize,
    },
    /// Another console holds the lock.
    #[error("the journal {} is locked by another console ({holder}): nothing was recorded, try again", path.display())]
    Locked {
        /// The log's directory.
        path: PathBuf,
        /// What the holder wrote about itself; informational.
        holder: String,
    },
    /// Nothing more is written by this process.
    #[error(
        "the journal takes no records from this console any more: {0}; restart the console, which checks the journal anew"
    )]
    Poisoned(String),
    /// Actions wait until somebody read what happened.
    #[error("actions are blocked: {0}")]
    Blocked(String),
    /// What this process wrote is gone.
    #[error("the journal {} became shorter ({found} bytes, {known} were written): somebody cut it or put an old copy back", path.display())]
    RolledBack {
        /// Which segment.
        path: PathBuf,
        /// How much was there.
        known: u64,
        /// How much there is.
        found: u64,
    },
    /// The key file is not the one that signed this log.
    #[error("the journal {} was signed with key {log_key}, but the key file is {own_key}: put the old key back, or go on with the new one by `stanch log adopt`", path.display())]
    OtherKey {
        /// The log's directory.
        path: PathBuf,
        /// Id of the key that the log names.
        log_key: String,
        /// Id of the key at hand.
        own_key: String,
    },
    /// Two sites would mix.
    #[error("the store {} belongs to site {found:?}, the configuration says {wanted:?}", path.display())]
    OtherSite {
        /// The store.
        path: PathBuf,
        /// Site in `store.json`.
        found: String,
        /// Site in the configuration.
        wanted: String,
    },
    /// A site name that cannot stand in an origin.
    #[error("the site name {0:?} must be 1 to 64 letters, digits, dots, dashes or underscores")]
    Site(String),
    /// Locks and durability are not what they seem there.
    #[error("the store {} is on {kind}, where locks and durability cannot be relied on: move it to a local disk or set `allow_network_fs`", path.display())]
    NetworkFs {
        /// The store.
        path: PathBuf,
        /// Which kind of file system.
        kind: &'static str,
    },
    /// Somebody else could have put it there.
    #[error("{} is {what}: move it aside", path.display())]
    Foreign {
        /// What was found.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Too large.
    #[error("evidence of {bytes} bytes exceeds the {limit} bytes of one blob")]
    BlobTooLarge {
        /// How much there is.
        bytes: usize,
        /// How much there may be.
        limit: usize,
    },
    /// Nothing there that another analyst could vouch for.
    #[error("cannot countersign {origin:?}: {why}")]
    Countersign {
        /// Which log.
        origin: String,
        /// Why not.
        why: String,
    },
    /// Nothing was taken out.
    #[error("nothing was taken out of the log: {why}")]
    Prune {
        /// Why not.
        why: String,
    },
    /// A record that cannot be framed.
    #[error(transparent)]
    Record(#[from] WriteError),
    /// The person's own key did not sign.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// No signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
}
