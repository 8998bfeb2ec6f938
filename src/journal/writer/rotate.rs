//! Another key takes over: with the old one's signature (rotation), or without it (a new epoch).

use std::path::Path;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::decision::RecordType;

use super::super::error::JournalError;
use super::super::fs::How;
use super::super::keys;
use super::super::layout::segment_name;
use super::super::lock::Lock;
use super::super::merkle::hex;
use super::super::note::Verifier;
use super::super::reader::logs_in;
use super::super::recovery::{self, Finding};
use super::super::statement::{self, Signer};
use super::super::walk::Walk;
use super::Writer;

/// Finishes a rotation that stopped after its record was durable: the log already goes on under the new key.
pub fn interrupted(
    dir: &Path,
    host: &str,
    by: &Verifier,
) -> Result<Option<SigningKey>, JournalError> {
    let next = keys::load_next(dir, host).filter(|k| k.verifying_key() == by.key);
    if next.is_some() {
        keys::promote_next(dir, host)?;
    }
    Ok(next)
}

impl Writer {
    /// Makes a new key and lets it take over: its record's checkpoint carries the signatures of both, and from then on
    /// only the new key counts. The old key is removed. Returns the line to pin the new one with.
    pub fn rotate_key(&mut self, now: Timestamp, reason: &str) -> Result<String, JournalError> {
        self.may_write(&[])?;
        let held = Lock::take(&self.log, &self.lock)?;
        self.catch_up(now)?;
        let next = keys::make_next(&self.config.keys, &self.actor.host)?;
        let verifier = Verifier {
            name: self.verifier.name.clone(),
            key: next.verifying_key(),
        };
        let body = json!({
            "old_vkey": self.verifier.to_vkey(),
            "new_vkey": verifier.to_vkey(),
            "reason": reason,
        });
        self.next = Some(next.clone());
        let written = self.commit(now, &[(RecordType::KeyRotate, body)]);
        self.next = None;
        let seq = written?[0].seq;
        keys::promote_next(&self.config.keys, &self.actor.host)?;
        self.walk.take_key(seq, seq + 1, verifier.clone(), false);
        self.verifier = verifier;
        self.key = next;
        self.publish_key();
        self.accept_own();
        drop(held);
        Ok(self.vkey())
    }

    /// Vouches for a log that goes on under a key which the key before did not sign; with a signer, in a statement
    /// that a person's own key signs too. Returns that key.
    pub fn countersign(
        &mut self,
        now: Timestamp,
        origin: &str,
        reason: &str,
        signer: Option<&mut Signer>,
    ) -> Result<String, JournalError> {
        let refuse = |why: String| JournalError::Countersign {
            origin: origin.to_owned(),
            why,
        };
        if origin == self.verifier.name {
            return Err(refuse("nobody vouches for their own log".to_owned()));
        }
        let (logs, _) = logs_in(&self.config.store);
        let ends = |owner: &str| origin.strip_suffix(owner).is_some_and(|s| s.ends_with('/'));
        let (owner, log) = logs
            .into_iter()
            .find(|(owner, _)| ends(owner))
            .ok_or_else(|| refuse("there is no such log in this store".to_owned()))?;
        let mut walk = Walk::new(owner, true);
        walk.run(&log, &mut |_| {})?;
        let open = walk
            .keys
            .iter()
            .rev()
            .find(|k| k.uncontinued && k.by.name == origin);
        let span =
            open.ok_or_else(|| refuse("every key of it was signed by the one before".to_owned()))?;
        let vkey = span.by.to_vkey();
        let mut vouched = json!({"origin": origin, "vkey": vkey, "seq": span.seq});
        if let Some(signer) = signer {
            let text = statement::countersignature(origin, &vkey, span.seq);
            vouched["signed"] = signer.sign(&self.verifier.name, &text)?;
        }
        let body = json!({"countersigned": vouched, "reason": reason});
        self.append(now, &[(RecordType::Anomaly, body)])?;
        // Not a record that waits for the device by itself, and nothing to lose.
        let held = Lock::take(&self.log, &self.lock)?;
        self.flush()?;
        drop(held);
        Ok(vkey)
    }

    /// Takes the key that another console of this user rotated to.
    pub(super) fn follow_key(&mut self) -> Result<(), JournalError> {
        let Some(by) = self.walk.verifier.clone().filter(|v| *v != self.verifier) else {
            return Ok(());
        };
        if self.walk.head.is_none() {
            return Ok(());
        }
        let key = keys::load_or_create(&self.config.keys, &self.actor.host)?;
        if key.verifying_key() != by.key {
            return Err(JournalError::OtherKey {
                path: self.log.path.clone(),
                log_key: hex(&by.id()),
                own_key: hex(&self.verifier.id()),
            });
        }
        (self.key, self.verifier) = (key, by);
        Ok(())
    }

    /// Begins a new epoch after the last valid checkpoint, whoever signed it.
    pub(super) fn begin_epoch(&mut self, now: Timestamp, reason: &str) -> Result<(), JournalError> {
        let (Some(old), Some((_, last))) = (self.walk.verifier.clone(), self.walk.head.clone())
        else {
            // Nothing is there to go on from: a plain beginning.
            return Ok(());
        };
        let mut body = json!({
            "site": self.config.site,
            "origin": self.verifier.name,
            "key": self.verifier.to_vkey(),
            "epoch": self.walk.keys.len() + 1,
            "version": super::VERSION,
            "last_head": last,
            "reason": reason,
        });
        let tail = self.walk.run(&self.log, &mut |_| {})?;
        match recovery::judge(&self.log, &self.walk, &tail, &old, None)? {
            Finding::Clean => {}
            Finding::Torn => {
                let file = self.log.open(&segment_name(tail.segment), How::Create)?;
                let recovered = recovery::put_aside(&self.log, &file, &self.walk, &tail)?;
                body["recovered"] = recovered.body();
                self.recovered = Some(recovered);
            }
            Finding::Damaged { why, lost_head } => {
                let damaged = recovery::set_apart(&self.log, &self.walk, &tail, why, lost_head)?;
                body["damaged"] = damaged.body(&self.walk)["damaged"].clone();
                body["lost_head"] = damaged.lost_head.clone().map_or(Value::Null, Value::String);
                self.damaged = Some(damaged);
            }
        }
        let seq = self.walk.good.seq;
        self.segment = self.log.open(&segment_name(seq), How::Create)?;
        self.log
            .fs
            .chmod(&self.segment, self.log.file_mode())
            .map_err(self.failed("set the mode of"))?;
        self.behind.len = 0;
        self.walk.good.segment = seq;
        self.walk.good.offset = 0;
        self.commit(now, &[(RecordType::Genesis, body)])?;
        self.walk
            .take_key(seq, seq + 1, self.verifier.clone(), true);
        // What was seen of the old epoch stands in the record; the new one begins from what is here.
        self.accept_own();
        self.log
            .fs
            .sync_dir(&self.log.dir)
            .map_err(self.log.failed("sync", ""))
    }
}
