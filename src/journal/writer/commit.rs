//! From records to bytes on the device: framed, signed, written in one call, waited for, and only then published.

use std::fs::File;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::decision::{Entry, RecordType};

use super::super::checkpoint::{Head, line as checkpoint_line};
use super::super::error::JournalError;
use super::super::fs::{How, write_once};
use super::super::layout::{HEAD_FILE, POISON_FILE, segment_name};
use super::super::merkle::hex;
use super::super::note::Verifier;
use super::super::record::{self, Frame};
use super::super::{json, redact};
use super::lot::{self, Lot};
use super::{State, Writer, Written};

/// Bytes of a record and its checkpoint, mostly.
const USUAL: usize = 4096;

/// How long it is believed that the clock is synchronised, in nanoseconds.
const CLOCK_HOLDS: u64 = 1_000_000_000;

/// What one commit finds out and the next need not ask again.
#[derive(Default)]
pub struct Same {
    /// Who writes and signs, as JSON.
    actor: Vec<u8>,
    /// Whose key `actor` names.
    signer: Option<Verifier>,
    /// When it was asked, on `CLOCK_BOOTTIME`, whether the wall clock is synchronised, and what was found.
    clock: Option<(u64, Option<bool>)>,
    /// The published head, open.
    head: Option<File>,
}

impl Writer {
    /// Frames, signs, writes and, for decisions, waits for the device.
    pub(super) fn commit<'r>(
        &mut self,
        now: Timestamp,
        records: impl IntoIterator<Item = &'r (RecordType, Value)>,
    ) -> Result<Vec<Written>, JournalError> {
        let mut at = self.walk.good.clone();
        let mut bytes = Vec::with_capacity(USUAL);
        let mut written = Vec::new();
        let mut durable = false;
        let mut entries = self
            .lots
            .as_ref()
            .filter(|_| self.next.is_none())
            .map(|_| Vec::new());
        let mono = self.log.fs.boot_clock();
        let synchronised = self.synchronised(mono);
        self.know_signer();
        for (kind, body) in records {
            durable |= kind.is_decision_class() || *kind == RecordType::Segment;
            let frame = Frame {
                seq: at.seq,
                prev: at.prev,
                ts: now,
                actor: &self.same.actor,
                drill: self.config.drill,
                policy: self.config.policy.as_deref(),
                mono,
                synchronised,
            };
            let body = redact::record(*kind, body);
            let line = record::write(&frame, *kind, &body)?;
            let seq = at.seq;
            entries = entries.filter(|_| lot::is_plain(*kind, &body));
            if let Some(entries) = &mut entries {
                entries.push(self.entry(seq, *kind, now, body.into_owned()));
            }
            written.push(Written {
                seq,
                leaf: hex(&at.pass(&line)),
            });
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
        }
        let head = Head {
            origin: self.verifier.name.clone(),
            size: at.seq,
            root: at.range.root(),
        };
        let signed = match &self.next {
            None => head.sign(&self.key),
            Some(next) => head.sign_both(&self.key, next),
        };
        let line = checkpoint_line(at.seq, &at.prev, &signed);
        at.pass(&line);
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
        if self.unsynced {
            // A power cut may leave the later of two writes alone. Two checkpoints after a hole would look like damage,
            // so no write begins while another may be missing.
            self.flush()?;
        }
        self.write(&mut bytes)?;
        self.unsynced = true;
        if durable {
            self.flush()?;
        }
        if let (Some(lots), Some(entries)) = (&mut self.lots, entries) {
            let head = (head.clone(), signed.clone());
            let by = self.verifier.clone();
            let owner = self.walk.owner.clone();
            lots.push(Lot::new(
                owner,
                by,
                &self.walk.good,
                at.clone(),
                head,
                entries,
            ));
        }
        self.walk.good = at;
        if durable {
            self.hand_out(&head, &signed, now);
        }
        self.walk.head = Some((head, signed));
        if durable {
            self.publish();
        }
        Ok(written)
    }

    /// A record as whoever reads it back sees it.
    fn entry(&self, seq: u64, kind: RecordType, ts: Timestamp, body: Value) -> Entry {
        Entry {
            log: self.verifier.name.clone(),
            seq,
            kind,
            ts,
            actor: format!("{}@{}", self.actor.user, self.actor.host),
            signer: None,
            body: match body {
                Value::Object(map) => map,
                _ => Map::new(),
            },
        }
    }

    /// One write; what fits only in part is taken back.
    fn write(&mut self, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
        let written = self.write_here(bytes);
        if written.as_ref().is_ok_and(|n| *n == bytes.len()) {
            return Ok(());
        }
        let path = self.log.path.join(segment_name(self.walk.good.segment));
        let error = match written {
            Ok(written) => JournalError::ShortWrite {
                path,
                written,
                wanted: bytes.len(),
            },
            Err(source) => JournalError::Io {
                what: "write",
                path,
                source,
            },
        };
        self.behind.len = self.walk.good.offset;
        let undone = self
            .log
            .fs
            .truncate(&self.segment, self.walk.good.offset)
            .and_then(|()| self.log.fs.sync(&self.segment));
        if let Err(undo) = undone {
            self.poison(&format!("{error}, and it could not be taken back: {undo}"));
        }
        Err(error)
    }

    pub(super) fn flush(&mut self) -> Result<(), JournalError> {
        self.log.fs.sync(&self.segment).map_err(|source| {
            // After a failed sync the system forgets the pages: asking again would succeed without the data.
            let error = self.failed("bring to the disk")(source);
            self.poison(&error.to_string());
            error
        })?;
        self.unsynced = false;
        Ok(())
    }

    pub(super) fn poison(&mut self, why: &str) {
        if let Ok(marker) = self.log.open(POISON_FILE, How::Create) {
            // On a failing disk this may fail too; then the next console relies on its own check of every byte.
            let _ = write_once(&*self.log.fs, &marker, why.as_bytes());
        }
        self.state = State::Poisoned(why.to_owned());
    }

    /// Leaves the signed head for others. It is derived: losing it loses nothing, and it is never ahead of the log.
    fn publish(&mut self) {
        let Some((_, signed)) = &self.walk.head else {
            return;
        };
        if self.log.overwrite_head(&mut self.same.head, signed) {
            return;
        }
        let temporary = format!("{HEAD_FILE}.{}.tmp", std::process::id());
        let fs = &*self.log.fs;
        let made = self.log.open(&temporary, How::Create).is_ok_and(|file| {
            fs.truncate(&file, 0).is_ok()
                && write_once(fs, &file, signed.as_bytes()).is_ok_and(|n| n == signed.len())
        });
        if made {
            let _ = fs.rename(&self.log.dir, &temporary, &self.log.dir, HEAD_FILE);
        }
    }

    /// Tells whether the wall clock is synchronised; looked at once a second.
    fn synchronised(&mut self, mono: u64) -> Option<bool> {
        match self.same.clock {
            Some((at, known)) if mono.saturating_sub(at) < CLOCK_HOLDS => known,
            _ => {
                let known = self.log.fs.synchronised();
                self.same.clock = Some((mono, known));
                known
            }
        }
    }

    /// Writes down who signs, when that changed.
    fn know_signer(&mut self) {
        if self.same.signer.as_ref() != Some(&self.verifier) {
            let person = self.config.person.as_deref();
            self.same.actor.clear();
            json::write(
                &self.actor.signing(&self.verifier, person),
                &mut self.same.actor,
            );
            self.same.signer = Some(self.verifier.clone());
        }
    }
}
