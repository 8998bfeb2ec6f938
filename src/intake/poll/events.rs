//! Security events that are asked for (RFC 8936). They are acknowledged in the question after the one that brought them,
//! when they are on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::contact::{self, Asking, Contact, Pace, PollError, Telling, Trouble};
use super::request::Filled;
use crate::app::settings::SourceSettings;
use crate::intake::decode::Decoders;
use crate::intake::events::Expected;
use crate::intake::source::batch::Builder;
use crate::intake::source::lines::Line;
use crate::intake::source::{Decoding, IntakeEvent};
use crate::intake::store::{Cursor, LockedStore, StreamCursor};

/// Events asked for at a time.
const MOST_EVENTS: usize = 100;

/// Most questions of one sweep.
const MOST_ROUNDS: usize = 1_000;

/// A transmitter that is asked.
pub(crate) struct EventsPoller {
    name: String,
    url: Url,
    every: Duration,
    contact: Contact,
    expected: Expected,
    decoding: Decoding,
}

/// An answer (RFC 8936 §2.3).
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    sets: BTreeMap<String, String>,
    #[serde(default, rename = "moreAvailable")]
    more_available: bool,
}

impl EventsPoller {
    /// Takes the settings of a transmitter; nothing when they are another source's.
    pub fn new(
        settings: &SourceSettings,
        decoders: &Arc<Decoders>,
    ) -> Result<Option<Self>, PollError> {
        let SourceSettings::EventsPoll {
            name,
            url,
            issuer,
            audience,
            auth,
            ca_file,
            every_s,
        } = settings
        else {
            return Ok(None);
        };
        let url = crate::net::place::parse(url).map_err(PollError::Base)?;
        Ok(Some(Self {
            name: name.clone(),
            contact: Contact::new(auth, &url, ca_file.as_deref())?.with_aws(auth, None)?,
            url,
            every: Duration::from_secs(*every_s),
            expected: Expected {
                issuer: issuer.clone(),
                audience: audience.clone(),
            },
            decoding: Decoding {
                format: None,
                decoders: Arc::clone(decoders),
            },
        }))
    }

    /// Asks until cancelled or nobody listens.
    pub async fn run(
        self,
        store: Arc<LockedStore>,
        tx: Sender<IntakeEvent>,
        cancel: CancellationToken,
    ) {
        let telling = Telling::new(self.name.clone(), store, tx, cancel);
        contact::again_and_again(&telling, self.every, Pace::default(), &self).await;
    }

    fn question(&self, cursor: &StreamCursor) -> Filled {
        let errors: serde_json::Map<String, Value> = cursor
            .refused
            .iter()
            .map(|(jti, (err, text))| (jti.clone(), json!({ "err": err, "description": text })))
            .collect();
        let body = json!({
            "maxEvents": MOST_EVENTS, "returnImmediately": true, "ack": cursor.stored, "setErrs": errors,
        });
        Filled {
            is_post: true,
            url: self.url.clone(),
            headers: vec![("Accept".to_owned(), "application/json".to_owned())],
            payload: Some(("application/json", body.to_string().into_bytes())),
        }
    }

    /// Stores what an answer brought, with what its transmitter has to be told about it.
    async fn take(
        &self,
        telling: &Telling,
        before: &StreamCursor,
        answer: Answer,
    ) -> Result<StreamCursor, Trouble> {
        let mut cursor = StreamCursor {
            answer: before.answer + 1,
            ..StreamCursor::default()
        };
        let mut builder = Builder::new(&self.name, &self.decoding, Timestamp::now());
        for (jti, token) in answer.sets {
            match self.expected.check(&token, &self.decoding.decoders) {
                Ok(accepted) => {
                    match accepted.control.as_deref() {
                        None => builder.add(Line::Whole(token.trim().as_bytes().to_vec().into())),
                        Some("verification") => {}
                        Some(control) => {
                            telling
                                .notice(format!("its transmitter says: {control}"))
                                .await;
                        }
                    }
                    cursor.stored.push(jti);
                }
                Err(fault) => {
                    let text =
                        format!("an event was refused: {}: {}", fault.err, fault.description);
                    telling.notice(text).await;
                    cursor
                        .refused
                        .insert(jti, (fault.err.to_owned(), fault.description));
                }
            }
        }
        let mut batch = builder.finish();
        batch.is_asked_again = true;
        batch.cursor = Some(Cursor::Stream(cursor.clone()));
        telling.store(batch).await?;
        Ok(cursor)
    }
}

impl Asking for EventsPoller {
    async fn sweep(&self, telling: &Telling) -> Result<(), Trouble> {
        let mut cursor = match telling.cursor().await? {
            Some(Cursor::Stream(cursor)) => cursor,
            _ => StreamCursor::default(),
        };
        for round in 0..MOST_ROUNDS {
            if telling.is_over() {
                return Ok(());
            }
            let asked = self.contact.ask(self.question(&cursor)).await?;
            let answer: Answer = serde_json::from_slice(&asked.body).map_err(|_| {
                Trouble::Unreadable(
                    "the answer is none of RFC 8936: an object with `sets`".to_owned(),
                )
            })?;
            let is_more = answer.more_available;
            // What was just acknowledged and comes again would come for ever.
            let is_same = !answer.sets.is_empty()
                && answer
                    .sets
                    .keys()
                    .all(|jti| cursor.stored.contains(jti) || cursor.refused.contains_key(jti));
            let was_told = !cursor.stored.is_empty() || !cursor.refused.is_empty();
            if answer.sets.is_empty() && !was_told {
                return Ok(());
            }
            cursor = self.take(telling, &cursor, answer).await?;
            if is_same {
                return Err(Trouble::Loop(round + 1));
            }
            let is_told = cursor.stored.is_empty() && cursor.refused.is_empty();
            if is_told && !is_more {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
