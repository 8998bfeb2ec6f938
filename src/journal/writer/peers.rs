//! What a writer sees of other logs, and what it hands out of its own.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::domain::decision::RecordType;
use crate::domain::text::show;

use super::super::anchor::{AnchorState, Anchors, DEV_LOG, Note};
use super::super::checkpoint::Head;
use super::super::error::JournalError;
use super::super::fs::{How, write_once};
use super::super::heads::{self, Seen, SeenHead};
use super::super::layout::KEY_FILE;
use super::super::lock::Lock;
use super::super::merkle::hex;
use super::Writer;

/// Two consoles that do nothing but record each other's records would go on for ever: such news waits this long.
const IDLE_NEWS: SignedDuration = SignedDuration::from_hours(1);

/// What is known about other logs.
#[derive(Debug, Default)]
pub struct Peers {
    /// Heads kept outside the store.
    pub seen: Seen,
    /// Copies of the own heads elsewhere.
    pub anchors: Anchors,
    /// The own latest head that is on the device.
    pub durable: Option<SeenHead>,
    told: BTreeMap<String, u64>,
    told_at: Option<Timestamp>,
}

impl Peers {
    /// Begins with what was kept in `path` and anchors that reach `anchored`.
    pub fn load(path: &Path, anchored: u64) -> Self {
        let mut peers = Self {
            seen: Seen::load(path),
            ..Self::default()
        };
        peers.anchors.confirm(anchored);
        peers
    }
}

impl Writer {
    /// Records the heads of other logs that changed since they were recorded last, and keeps them for the next
    /// session; returns how many. Call it every five minutes: before approvals and intents it happens by itself.
    pub fn peer_heads(&mut self, now: Timestamp) -> Result<usize, JournalError> {
        let held = Lock::take(&self.log, &self.lock)?;
        self.catch_up(now)?;
        let news = self.news(Some(now));
        let written = self.tell(now, &news);
        self.remember(&news);
        drop(held);
        written.map(|()| news.len())
    }

    /// Returns signed heads to be copied outside this host, oldest first; each is returned once, and the last of them
    /// covers the others. All of them are durable.
    pub fn take_unanchored(&mut self) -> Vec<Note> {
        self.peers.anchors.take()
    }

    /// Records that somebody else (`kind`: `http`, `witness`, …) confirmed the head over `size` lines, with the note that
    /// a witness cosigned.
    pub fn anchored(
        &mut self,
        kind: &str,
        size: u64,
        cosigned: Option<&str>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut body = json!({"kind": kind, "size": size});
        if let Some(cosigned) = cosigned {
            body["cosigned"] = cosigned.into();
        }
        // Not decision-class, so it makes no new head that would want an anchor itself.
        self.append(now, &[(RecordType::Anchor, body)])?;
        self.peers.anchors.confirm(size);
        Ok(())
    }

    /// Returns how far anchors reach, for a status bar.
    pub fn anchor_state(&self) -> AnchorState {
        self.peers.anchors.state()
    }

    /// Begins to send heads to the system's log. The drill's are nobody's business.
    pub(super) fn anchor_here(&mut self) {
        if !self.config.drill {
            self.peers.anchors.use_syslog(Path::new(DEV_LOG));
            self.peers.anchors.resend();
        }
    }

    /// Compares other logs with what was seen of them, then keeps and records what is there now. Returns what is
    /// wrong with them. Nothing here stops the own log.
    pub(super) fn look_around(&mut self, now: Timestamp) -> Vec<String> {
        self.publish_key();
        // What was read may be in the system's hands only; a head that is not durable is never handed out.
        if let Some((head, signed)) = self.walk.head.clone()
            && self.log.fs.sync(&self.segment).is_ok()
        {
            self.unsynced = false;
            self.hand_out(&head, &signed, now);
        }
        let peers = heads::published(&self.config.store, &self.verifier.name);
        let mut alarms = self.peers.seen.alarms(&self.verifier.name, &peers);
        for peer in &peers {
            let known = self.peers.seen.of(&peer.head.origin);
            if known.is_some_and(|k| k.by != peer.by && !heads::continues(&self.config.store, k)) {
                alarms.push(format!(
                    "the log {} is signed with the key {} and does not go on from what was seen of it",
                    show(&peer.head.origin),
                    hex(&peer.by.id())
                ));
            }
        }
        let told = if alarms.is_empty() {
            Ok(Vec::new())
        } else {
            self.commit(now, &[(RecordType::Anomaly, json!({"peers": alarms}))])
        };
        // A disk that takes no record now will refuse the next one loudly; opening to read on must not fail.
        let told = told.and_then(|_| self.tell(now, &peers));
        if told.is_ok() && alarms.is_empty() {
            self.remember(&peers);
        }
        alarms
    }

    /// Takes the own head as durable.
    pub(super) fn hand_out(&mut self, head: &Head, signed: &str, now: Timestamp) {
        self.peers.anchors.publish(head, signed, now);
        self.peers.durable = Some(SeenHead {
            by: self.verifier.clone(),
            head: head.clone(),
            signed: signed.to_owned(),
        });
    }

    /// Accepts other logs as they are now.
    pub(super) fn accept_peers(&mut self) {
        let peers = heads::published(&self.config.store, &self.verifier.name);
        let known: Vec<String> = self
            .peers
            .seen
            .heads()
            .map(|h| h.head.origin.clone())
            .collect();
        for origin in known.iter().filter(|o| **o != self.verifier.name) {
            self.peers.seen.forget(origin);
        }
        self.remember(&peers);
    }

    /// Takes the own log as it is now, under the key that it has now.
    pub(super) fn accept_own(&mut self) {
        let own = self.verifier.clone();
        self.peers.seen.forget(&own.name);
        if let Some(durable) = &mut self.peers.durable {
            durable.by = own;
        }
        self.remember(&[]);
    }

    /// Heads of other logs that are not in this log yet. With a time, news that may be mere echo waits.
    pub(super) fn news(&self, idle: Option<Timestamp>) -> Vec<SeenHead> {
        let mut news = heads::published(&self.config.store, &self.verifier.name);
        let grown = |h: &SeenHead| {
            let told = self.peers.told.get(&h.head.origin).copied().unwrap_or(0);
            h.head.size.saturating_sub(told)
        };
        news.retain(|h| grown(h) > 0);
        let recent = |now: Timestamp| {
            self.peers
                .told_at
                .is_some_and(|at| now.duration_since(at) < IDLE_NEWS)
        };
        // A record and its checkpoint are two lines.
        if idle.is_some_and(recent) && news.iter().all(|h| grown(h) <= 2) {
            news.clear();
        }
        news
    }

    /// Bodies of the records that tell these heads.
    pub(super) fn records_of(heads: &[SeenHead]) -> Vec<(RecordType, Value)> {
        let bodies = heads::bodies(heads).into_iter();
        bodies.map(|body| (RecordType::PeerHeads, body)).collect()
    }

    /// Notes that these heads stand in this log.
    pub(super) fn was_told(&mut self, now: Timestamp, heads: &[SeenHead]) {
        for head in heads {
            self.peers
                .told
                .insert(head.head.origin.clone(), head.head.size);
        }
        self.peers.told_at = Some(now);
    }

    fn tell(&mut self, now: Timestamp, heads: &[SeenHead]) -> Result<(), JournalError> {
        if heads.is_empty() {
            return Ok(());
        }
        self.commit(now, &Self::records_of(heads))?;
        self.was_told(now, heads);
        Ok(())
    }

    /// Keeps heads outside the store, the own one too.
    fn remember(&mut self, heads: &[SeenHead]) {
        let own = self.peers.durable.clone();
        let mut changed = false;
        for head in heads.iter().chain(&own) {
            let known = self.peers.seen.of(&head.head.origin);
            if known.is_none_or(|k| k.by == head.by || heads::continues(&self.config.store, k)) {
                changed |= self.peers.seen.keep(head);
            }
        }
        if changed {
            // Losing it makes a rollback harder to see and loses no record.
            let _ = self.peers.seen.save();
        }
    }

    /// Leaves the key in force beside the head.
    pub(super) fn publish_key(&self) {
        let (fs, text) = (&*self.log.fs, self.verifier.to_vkey() + "\n");
        if let Ok(file) = self.log.open(KEY_FILE, How::Read)
            && super::read_from(fs, &file, 0, 1024).is_ok_and(|b| b == text.as_bytes())
        {
            return;
        }
        let temporary = format!("{KEY_FILE}.{}.tmp", std::process::id());
        let made = self.log.open(&temporary, How::Create).is_ok_and(|file| {
            fs.chmod(&file, self.log.file_mode()).is_ok()
                && fs.truncate(&file, 0).is_ok()
                && write_once(fs, &file, text.as_bytes()).is_ok_and(|n| n == text.len())
        });
        if made {
            // Derived: peers without it read the first record.
            let _ = fs.rename(&self.log.dir, &temporary, &self.log.dir, KEY_FILE);
        }
    }
}
