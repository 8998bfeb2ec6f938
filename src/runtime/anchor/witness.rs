//! A witness (C2SP tlog-witness) signs a head after it saw that it continues what it signed before.

use std::path::{Path, PathBuf};

use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use crate::connect::http::{Bytes, Exchange, Http, Outgoing, Payload};
use crate::journal::{Note, Prover, WitnessKey, witness_request};

/// What is known of one witness while a console runs.
#[derive(Clone, Debug)]
pub struct Witness {
    key: WitnessKey,
    /// Where the log is, for proofs.
    store: PathBuf,
    /// How many lines it cosigned last; a wrong size is answered with the right one.
    old: u64,
}

impl Witness {
    /// Begins with nothing known.
    pub fn new(key: WitnessKey, store: &Path) -> Self {
        Self {
            key,
            store: store.to_owned(),
            old: 0,
        }
    }

    /// Asks for a cosignature; returns the note with it.
    pub async fn cosign(
        &mut self,
        http: &Http,
        prefix: &Url,
        note: &Note,
    ) -> Result<String, String> {
        // The first answer may be the size that the witness knows.
        for _ in 0..2 {
            if self.old > note.size {
                return Err(format!(
                    "the witness {} cosigned {} lines, and the log has {}: lines are gone, or another log has this name",
                    self.key.name, self.old, note.size
                ));
            }
            let body = self.request(note).await?;
            let mut url = prefix.clone();
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push("add-checkpoint");
            }
            let out = Outgoing {
                method: Method::POST,
                url,
                headers: HeaderMap::new(),
                payload: Payload::Bytes("text/plain", Bytes(body.into_bytes())),
            };
            let answer = match http.send(out).await {
                Exchange::Answer(answer) => answer,
                Exchange::NotSent(why) | Exchange::Lost(why, _) => return Err(why),
            };
            let text = answer
                .body
                .as_ref()
                .ok()
                .and_then(|b| std::str::from_utf8(&b.0).ok())
                .unwrap_or_default();
            match answer.status {
                200 => {
                    let cosigned = self.take(note, text)?;
                    self.old = note.size;
                    return Ok(cosigned);
                }
                409 => {
                    let known = text.trim_end().parse().ok().filter(|n| *n != self.old);
                    self.old = known.ok_or("the witness holds another history of this log")?;
                }
                404 => {
                    return Err(
                        "the witness does not know this log: tell its key to who runs it"
                            .to_owned(),
                    );
                }
                403 => return Err("the witness knows another key of this log".to_owned()),
                422 => {
                    return Err(
                        "the witness finds that this log does not continue what it saw".to_owned(),
                    );
                }
                status => return Err(format!("the witness answers {status}")),
            }
        }
        Err("the witness changes its mind about how much it saw".to_owned())
    }

    async fn request(&self, note: &Note) -> Result<String, String> {
        let (store, origin) = (self.store.clone(), note.origin.clone());
        let (old, new) = (self.old, note.size);
        // The whole log is read for its hashes.
        let proof = tokio::task::spawn_blocking(move || {
            // Nothing is to be shown about an empty tree, or about the same one.
            if old == 0 || old == new {
                return Some(Vec::new());
            }
            Prover::open(&store, &origin)?.consistency(old, new)
        });
        let proof = proof.await.ok().flatten();
        let proof = proof.ok_or("the log cannot be read for a proof to the witness")?;
        witness_request(old, &proof, &note.note).ok_or_else(|| "the log is too large".to_owned())
    }

    /// Takes the cosignature of this witness out of an answer, whatever else is in it.
    fn take(&self, note: &Note, answer: &str) -> Result<String, String> {
        let wrong = || {
            format!(
                "the answer holds no valid cosignature by the key of {}",
                self.key.name
            )
        };
        let line = answer.split_inclusive('\n').find_map(|line| {
            let one = format!("{}{line}", note.note);
            self.key.find(&one).map(|_| line)
        });
        line.map(|line| format!("{}{line}", note.note))
            .ok_or_else(wrong)
    }
}
