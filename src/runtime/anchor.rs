//! Copies of signed heads that leave this machine: each is posted to a URL, by a task of its own. Nothing here stops an
//! act; what fails shows as a growing distance.

use std::sync::mpsc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::sync::watch;
use url::Url;

use super::journal::Order;
use crate::connect::http::{Bytes, Exchange, Http, Outgoing, Payload};
use crate::connect::template::Base;
use crate::journal::Note;

/// How long one post may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between tries: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(2));
/// How long a console that ends waits for its last head to leave.
const LAST_HEAD: Duration = Duration::from_secs(3);

/// Where heads go, and from which distance on people are warned.
#[derive(Clone, Debug)]
pub struct Anchoring {
    /// What posts them, if anything does.
    pub poster: Option<Poster>,
    /// As many lines without an anchor are too many.
    pub warn_lines: u64,
    /// As many seconds are too long.
    pub warn_s: i64,
}

/// Posts heads to one URL.
#[derive(Clone, Debug)]
pub struct Poster {
    url: Url,
    http: Http,
    pauses: (Duration, Duration),
}

/// How far posting has come.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    size: u64,
    failing: bool,
}

/// The journal's end of the task.
#[derive(Clone, Debug)]
pub struct Posting {
    heads: watch::Receiver<Option<Note>>,
    done: watch::Receiver<Done>,
}

impl Poster {
    /// Takes an https URL, or http to a loopback address; the error says what is wrong with another one.
    pub fn new(url: &str) -> Result<Self, String> {
        Base::parse(url).map_err(|e| e.to_string().replacen("base_url ", "", 1))?;
        Ok(Self {
            url: Url::parse(url).map_err(|e| e.to_string())?,
            http: Http::new(PATIENCE, None).map_err(|e| e.to_string())?,
            pauses: PAUSES,
        })
    }

    /// Starts to post. Only the latest head waits, as it covers every earlier one.
    pub(super) fn start(
        self,
        orders: mpsc::Sender<Order>,
    ) -> (watch::Sender<Option<Note>>, Posting) {
        let (heads, waiting) = watch::channel(None);
        let (told, done) = watch::channel(Done::default());
        tokio::spawn(self.run(waiting.clone(), told, orders));
        let posting = Posting {
            heads: waiting,
            done,
        };
        (heads, posting)
    }

    async fn run(
        self,
        mut heads: watch::Receiver<Option<Note>>,
        told: watch::Sender<Done>,
        orders: mpsc::Sender<Order>,
    ) {
        let mut pause = self.pauses.0;
        while heads.changed().await.is_ok() {
            loop {
                let Some(note) = heads.borrow_and_update().clone() else {
                    break;
                };
                let sent = self.post(&note).await;
                let failing = sent.is_err();
                // A journal that has ended wants to hear nothing any more.
                let _ = orders.send(Order::Anchored(note.size, sent));
                told.send_modify(|done| {
                    done.failing = failing;
                    if !failing {
                        done.size = done.size.max(note.size);
                    }
                });
                if !failing {
                    pause = self.pauses.0;
                    break;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(self.pauses.1);
            }
        }
    }

    /// Posts one head as a line of JSON, so that a receiver that appends what it gets has a file for `--anchors`.
    async fn post(&self, note: &Note) -> Result<(), String> {
        let line = json!({"origin": note.origin, "size": note.size, "note": note.note});
        let bytes = Bytes(format!("{line}\n").into_bytes());
        let out = Outgoing {
            method: Method::POST,
            url: self.url.clone(),
            headers: HeaderMap::new(),
            payload: Payload::Bytes("application/json", bytes),
        };
        match self.http.send(out).await {
            Exchange::Answer(answer) if (200..300).contains(&answer.status) => Ok(()),
            Exchange::Answer(answer) => Err(format!("the receiver answers {}", answer.status)),
            Exchange::NotSent(why) | Exchange::Lost(why, _) => Err(why),
        }
    }
}

impl Posting {
    /// Waits a moment until the last head has left, unless posting fails anyhow.
    pub(super) async fn flush(&self) {
        let Some(size) = self.heads.borrow().as_ref().map(|note| note.size) else {
            return;
        };
        let mut done = self.done.clone();
        let left = done.wait_for(|done| done.failing || done.size >= size);
        // The distance stands in the log; the next start posts the head again.
        let _ = tokio::time::timeout(LAST_HEAD, left).await;
    }
}

#[cfg(test)]
mod tests;
