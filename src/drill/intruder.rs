//! What the intruder holds, and whether any of it still works.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lab::LabStatus;
use super::seed::LabSecret;

/// Most tokens the intruder keeps; they take the newest first anyway.
const MOST_HELD: usize = 12;

/// Everything the intruder could still use. It outlives the process, so that an analyst who comes back meets the same
/// intruder.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Intruder {
    pub key: Option<LabSecret>,
    /// The client's own secret, as it was when it leaked.
    #[serde(default)]
    pub secret: Option<LabSecret>,
    /// Newest last.
    pub tokens: Vec<LabSecret>,
    pub children: Vec<Child>,
    /// Names of secrets that were read.
    pub read: BTreeSet<String>,
    /// How many acts of the script are done.
    pub script_done: usize,
    /// How many rounds of trying everything are done.
    pub rounds: u64,
}

/// A client the intruder made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Child {
    pub client_id: String,
    pub secret: LabSecret,
    /// The last token minted with it.
    pub token: Option<LabSecret>,
}

impl Intruder {
    /// Starts with what leaked: a key, the client's secret, or both.
    pub fn holding(key: Option<LabSecret>, secret: Option<LabSecret>) -> Self {
        Self {
            key,
            secret,
            ..Self::default()
        }
    }

    /// Keeps a token.
    pub fn keep(&mut self, token: LabSecret) {
        self.tokens.push(token);
        if self.tokens.len() > MOST_HELD {
            self.tokens.remove(0);
        }
    }

    /// Keeps a token of a client the intruder made.
    pub fn keep_for_child(&mut self, client_id: &str, token: LabSecret) {
        if let Some(child) = self.children.iter_mut().find(|c| c.client_id == client_id) {
            child.token = Some(token);
        }
    }
}

/// Counts one try.
pub(super) fn record_try(status: &mut LabStatus, succeeded: bool, now: Timestamp) {
    status.attempts += 1;
    if succeeded {
        status.successes += 1;
        status.last_success_at = Some(now);
        // A success shows at once that the intruder is (back) in; that they are out takes a whole round of failures.
        if !status.intruder_in {
            status.intruder_in = true;
            status.since = now;
        }
    }
}

/// Concludes a round in which everything was tried.
pub(super) fn record_round(status: &mut LabStatus, inside: bool, now: Timestamp) {
    if status.intruder_in != inside {
        status.intruder_in = inside;
        status.since = now;
    }
}
