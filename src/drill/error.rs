//! What can go wrong when a drill is loaded or its lab is started.

use std::io;
use std::path::PathBuf;

/// Why a drill cannot be loaded or its lab cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// No scenario has this id.
    #[error("find drill scenario `{id}`: known ones are {known}")]
    UnknownScenario {
        /// What was asked for.
        id: String,
        /// The ids there are, for the message.
        known: String,
    },
    /// An embedded scenario does not parse or contradicts itself.
    #[error("read drill scenario `{id}`: {why}")]
    Scenario {
        /// Which one.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// A speed that time cannot be multiplied by.
    #[error("run the drill at speed {speed}: give a number above 0, at most 1000")]
    Speed {
        /// What was asked for.
        speed: f64,
    },
    /// A file of the drill cannot be read or written.
    #[error("{doing} `{path}`: {source}")]
    File {
        /// What was being done, as a verb.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The state file holds something else than a lab's state.
    #[error("continue the drill in `{path}`: {why}; begin anew with `stanch drill`")]
    State {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A fresh start was asked for while another process runs this lab.
    #[error(
        "begin the drill in `{path}` anew: another console is running it; leave that one or give another --state-dir"
    )]
    InUse {
        /// The state file.
        path: PathBuf,
    },
    /// Another process holds the lab, but its lab does not answer.
    #[error(
        "reach the lab that another console runs for `{path}`: it does not answer; end that console and try again"
    )]
    NotAnswering {
        /// The state file.
        path: PathBuf,
    },
    /// The lab's port cannot be bound.
    #[error("listen on 127.0.0.1:{port} for the lab: {source}; begin anew with `stanch drill`")]
    Bind {
        /// The port, 0 for any.
        port: u16,
        /// The system's answer.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error("make up the lab's secrets: {0}")]
    Random(getrandom::Error),
    /// The HTTP client that plays the intruder cannot be built.
    #[error("build the lab's HTTP client: {0}")]
    Client(reqwest::Error),
}

impl DrillError {
    /// Builds a [`DrillError::File`].
    pub(super) fn file(doing: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::File {
            doing,
            path: path.to_owned(),
            source,
        }
    }
}
