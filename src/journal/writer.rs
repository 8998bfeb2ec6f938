//! Writes records so that what it calls written survives a power cut.
//!
//! Under the lock: look whether another console of this user wrote, frame the batch, end it in a signed checkpoint,
//! hand it to the system in one call, wait for the device, and only then say so.

mod clock;
mod commit;
mod elsewhere;
mod first;
mod lot;
mod peers;
mod prune;
mod room;
mod rotate;
mod segments;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::decision::RecordType;

use super::actor::{Actor, safe_name};
use super::blob::{Named, Shelf};
use super::error::JournalError;
use super::fs::{Fs, How, Real, read_from};
use super::heads::SEEN_FILE;
use super::keys;
use super::layout::{LogDir, failed, pruned_name, segment_name};
use super::lock::{Lock, LockFile};
use super::merkle::hex;
use super::note::Verifier;
use super::record;
use super::recovery::{self, Damaged, Finding, Recovered};
use super::walk::{Point, SEGMENT_LIMIT, Walk};
use first::{First, first_walk};
pub use lot::Lot;
use peers::Peers;
pub use prune::{Prune, Pruned};
use room::Room;

/// What a log's first record says about the program. Golden logs of the tests outlive versions.
pub(super) const VERSION: &str = if cfg!(test) {
    "0.0.0"
} else {
    env!("CARGO_PKG_VERSION")
};

/// Where the journal is and whose.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// Directory of the store.
    pub store: PathBuf,
    /// First part of every origin: letters, digits, dots, dashes, underscores.
    pub site: String,
    /// Directory of signing keys and of what this user saw of other logs, outside the store.
    pub keys: PathBuf,
    /// Marks every record as being about the drill's world.
    pub drill: bool,
    /// Accepts a store on NFS and the like, where locks may not hold.
    pub allow_network_fs: bool,
    /// What the person calls themselves; a claim until a roster says so.
    pub person: Option<String>,
    /// SHA-256 of the playbooks in force, hex; stands in every record.
    pub policy: Option<String>,
    /// Folder, better on another disk, for what an act came to when the log itself fails.
    pub fallback: Option<PathBuf>,
}

/// What was found when a journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// `<site>/<host>/<user>`.
    pub origin: String,
    /// A torn write was put aside.
    pub recovered: Option<Recovered>,
    /// Acknowledged records were changed or lost; actions are blocked until somebody acknowledges it.
    pub damaged: Option<Damaged>,
    /// How many records were taken in that an earlier console could only keep elsewhere.
    pub kept: usize,
    /// What is wrong with other logs of the store, compared with what this user saw of them; safe to draw.
    pub peers: Vec<String>,
}

impl Opened {
    /// Says what people should know, if anything.
    pub fn notice(&self) -> Option<String> {
        if let Some(damaged) = &self.damaged {
            return Some(format!(
                "{} was damaged from record {} on ({}): actions are blocked until this is acknowledged",
                self.origin, damaged.first_bad, damaged.why
            ));
        }
        if !self.peers.is_empty() {
            return Some(self.peers.join("; "));
        }
        self.recovered.as_ref().map(|torn| {
            format!(
                "a write that was cut short ({} bytes) was put aside as quarantine/{}",
                torn.bytes, torn.file
            )
        })
    }
}

/// A record that stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its place.
    pub seq: u64,
    /// Its leaf hash, hex.
    pub leaf: String,
}

/// Whether actions may be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// They may.
    Ok,
    /// They may not, for this reason.
    Blocked(String),
}

#[derive(Debug)]
enum State {
    Ok,
    /// Notes go on, actions wait for an acknowledgement.
    Blocked(String),
    /// Nothing is written by this process any more.
    Poisoned(String),
}

/// The own log, open for writing.
pub struct Writer {
    config: JournalConfig,
    actor: Actor,
    key: SigningKey,
    verifier: Verifier,
    log: LogDir,
    lock: LockFile,
    segment: File,
    walk: Walk,
    state: State,
    recovered: Option<Recovered>,
    damaged: Option<Damaged>,
    peers: Peers,
    /// The key that takes over with the next commit.
    next: Option<SigningKey>,
    /// Whether a write before may be in the system's hands only.
    unsynced: bool,
    /// Bytes of room that were asked for behind the end; the next segment gets as many.
    room: u64,
    /// Of that, what the file system promised.
    reserved: Option<segments::Reserved>,
    /// How much written room there is behind the lines.
    behind: Room,
    /// A new segment begins beyond this many bytes.
    limit: u64,
    clock: clock::Watch,
    /// What is the same in every commit.
    same: commit::Same,
    /// What came of acts that is not in the log.
    unrecorded: Option<String>,
    /// Directories of evidence that are on the disk.
    named: Named,
    /// What was written and not asked for yet, where somebody wants to know.
    lots: Option<Vec<Lot>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({}, {:?})", self.verifier.name, self.state)
    }
}

impl Writer {
    /// Opens or begins the log of this user on this host. Blocks for at most two seconds on the lock, and on the disk.
    pub fn open(config: JournalConfig, now: Timestamp) -> Result<(Self, Opened), JournalError> {
        let (mut writer, opened) =
            Self::open_or_adopt(config, Actor::current(), Arc::new(Real), now, None)?;
        writer.anchor_here();
        Ok((writer, opened))
    }

    /// Goes on with a log whose key is lost, or that was put back from a backup: a new epoch begins with a record that
    /// says so. Under another key it counts as uncontinued until another analyst countersigns it.
    pub fn adopt(
        config: JournalConfig,
        now: Timestamp,
        reason: &str,
    ) -> Result<(Self, Opened), JournalError> {
        let (actor, fs) = (Actor::current(), Arc::new(Real));
        let (mut writer, opened) = Self::open_or_adopt(config, actor, fs, now, Some(reason))?;
        writer.anchor_here();
        Ok((writer, opened))
    }

    /// Opens the own log on a disk of the test's.
    #[cfg(test)]
    pub fn open_on(
        config: JournalConfig,
        disk: Arc<super::Disk>,
        now: Timestamp,
    ) -> Result<(Self, Opened), JournalError> {
        Self::open_or_adopt(config, Actor::current(), disk, now, None)
    }

    /// Opens a log as a given actor on a given system.
    #[cfg(test)]
    pub(super) fn open_as(
        config: JournalConfig,
        actor: Actor,
        fs: Arc<dyn Fs>,
        now: Timestamp,
    ) -> Result<(Self, Opened), JournalError> {
        Self::open_or_adopt(config, actor, fs, now, None)
    }

    /// Opens a log; with a reason, a new epoch begins in it.
    pub(super) fn open_or_adopt(
        config: JournalConfig,
        actor: Actor,
        fs: Arc<dyn Fs>,
        now: Timestamp,
        adopt: Option<&str>,
    ) -> Result<(Self, Opened), JournalError> {
        if safe_name(&config.site) != config.site {
            return Err(JournalError::Site(config.site));
        }
        let log = LogDir::make(
            fs,
            &config.store,
            &actor.host,
            &actor.user,
            config.allow_network_fs,
        )?;
        let mut key = keys::load_or_create(&config.keys, &actor.host)?;
        let mut verifier = Verifier {
            name: format!("{}/{}/{}", config.site, actor.host, actor.user),
            key: key.verifying_key(),
        };
        let network = config.allow_network_fs;
        let lock = LockFile::open(&log)?;
        let held = Lock::take(&log, &lock)?;
        log.check_site(&config.store, &config.site)?;
        let mut walk = Walk::new(format!("{}/{}", actor.host, actor.user), false);
        let First {
            mut pending,
            anchored,
        } = first_walk(&log, &mut walk)?;
        let peers = Peers::load(&config.keys.join(SEEN_FILE), anchored);
        if let Some(by) = walk
            .verifier
            .clone()
            .filter(|v| *v != verifier && walk.head.is_some())
        {
            if let Some(next) = rotate::interrupted(&config.keys, &actor.host, &by)? {
                (key, verifier) = (next, by);
            } else if adopt.is_none() {
                return Err(JournalError::OtherKey {
                    path: log.path,
                    log_key: hex(&by.id()),
                    own_key: hex(&verifier.id()),
                });
            }
        }
        let segment = log.open(&segment_name(walk.good.segment), How::Create)?;
        let (recovered, damaged) = (None, None);
        let state = State::Ok;
        let mut writer = Self {
            config,
            actor,
            key,
            verifier,
            log,
            lock,
            segment,
            walk,
            state,
            recovered,
            damaged,
            peers,
            next: None,
            unsynced: true,
            room: 0,
            reserved: None,
            behind: Room::new(network),
            limit: SEGMENT_LIMIT,
            clock: clock::Watch::default(),
            same: commit::Same::default(),
            unrecorded: None,
            named: Named::default(),
            lots: None,
        };
        if let Some(reason) = adopt {
            writer.begin_epoch(now, reason)?;
        }
        writer.settle(now)?;
        writer.after_poison(now)?;
        let kept = writer.take_kept(now);
        let mut peers = writer.look_around(now);
        // What could not be taken in is still where it was; the log is none the worse.
        let kept = kept.unwrap_or_else(|error| {
            peers.push(error.to_string());
            0
        });
        pending = writer.damaged.as_ref().map(|d| d.why.clone()).or(pending);
        if let Some(why) = pending {
            writer.state = State::Blocked(format!("{why}; read `log verify` and acknowledge it"));
        }
        drop(held);
        let opened = Opened {
            origin: writer.verifier.name.clone(),
            recovered: writer.recovered.take(),
            damaged: writer.damaged.take(),
            kept,
            peers,
        };
        Ok((writer, opened))
    }

    /// Writes records in one piece: after a crash all of them stand or none. On return they are on the device when
    /// one of them is decision-class; otherwise they are in the system's hands.
    pub fn append(
        &mut self,
        now: Timestamp,
        records: &[(RecordType, Value)],
    ) -> Result<Vec<Written>, JournalError> {
        self.may_write(records)?;
        let own = [RecordType::Genesis, RecordType::KeyRotate];
        if let Some((kind, _)) = records.iter().find(|(kind, _)| own.contains(kind)) {
            return Err(record::WriteError::Own(*kind).into());
        }
        let held = Lock::take(&self.log, &self.lock)?;
        self.catch_up(now)?;
        self.rotate_if_large(now, records)?;
        let binding = |(kind, _): &(RecordType, Value)| {
            matches!(kind, RecordType::Approval | RecordType::Intent)
        };
        // Whoever approves or acts says what it saw of the others, so that they cannot tell it differently later.
        let heads = if records.iter().any(binding) {
            self.news(None)
        } else {
            Vec::new()
        };
        let mut first = self.clock_step(now);
        first.extend(Self::records_of(&heads));
        let mut written = self.commit(now, first.iter().chain(records))?;
        self.was_told(now, &heads);
        drop(held);
        Ok(written.split_off(first.len()))
    }

    /// Returns where evidence of this log goes.
    pub fn shelf(&self) -> Shelf {
        Shelf::new(self.log.clone(), self.named.clone())
    }

    /// Tells whether actions may be recorded.
    pub fn health(&self) -> Health {
        match (&self.unrecorded, &self.state) {
            (Some(text), State::Blocked(why) | State::Poisoned(why)) => {
                Health::Blocked(format!("{text}: {why}"))
            }
            (_, State::Ok) => Health::Ok,
            (None, State::Blocked(why) | State::Poisoned(why)) => Health::Blocked(why.clone()),
        }
    }

    /// Records that a person read about the damage, and lets actions go on. A poisoned journal stays so.
    pub fn acknowledge(&mut self, now: Timestamp, reason: &str) -> Result<(), JournalError> {
        self.append(
            now,
            &[(
                RecordType::Anomaly,
                json!({"acknowledged": true, "reason": reason}),
            )],
        )?;
        let held = Lock::take(&self.log, &self.lock)?;
        self.log
            .fs
            .sync(&self.segment)
            .map_err(self.failed("sync"))?;
        drop(held);
        if matches!(self.state, State::Blocked(_)) {
            self.state = State::Ok;
        }
        self.accept_peers();
        Ok(())
    }

    /// Returns the line to pin this log's key with: `name+hash+key`.
    pub fn vkey(&self) -> String {
        self.verifier.to_vkey()
    }

    /// Signs a text that ends in a line feed, as a note of this log (C2SP signed-note).
    pub fn sign(&self, text: &str) -> String {
        super::note::sign(text, &self.verifier.name, &self.key)
    }

    fn may_write(&self, records: &[(RecordType, Value)]) -> Result<(), JournalError> {
        match &self.state {
            State::Poisoned(why) => Err(JournalError::Poisoned(why.clone())),
            State::Blocked(why) if records.iter().any(|(kind, _)| *kind == RecordType::Intent) => {
                Err(JournalError::Blocked(why.clone()))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(std::io::Error) -> JournalError + use<> {
        failed(
            what,
            &self.log.path.join(segment_name(self.walk.good.segment)),
        )
    }

    /// Looks whether another console of this user wrote since, and takes it in.
    fn catch_up(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let good = &self.walk.good;
        let (fs, dir, known) = (&*self.log.fs, &self.log.dir, good.offset);
        let is_there = |name: String| {
            let there = fs.is_there(dir, &name);
            there.map_err(|error| self.log.failed("look at", &name)(error))
        };
        let found = fs
            .len_under(dir, &segment_name(good.segment), &self.segment)
            .map_err(|error| self.failed("look at")(error))?;
        let withheld = found.is_none() && is_there(pruned_name(good.segment))?;
        if !withheld && found.is_none_or(|found| found < known) {
            let error = JournalError::RolledBack {
                path: self.log.path.join(segment_name(good.segment)),
                known,
                found: found.unwrap_or(0),
            };
            self.state = State::Blocked(error.to_string());
            return Err(error);
        }
        // Another console that wrote nothing here may have begun the next segment; it bears the next record's number.
        let begun = good.seq != good.segment && is_there(segment_name(good.seq))?;
        // A longer file may hold room and nothing else. Only a power cut leaves a hole before what was written.
        let mut next = [0];
        let grown = found > Some(known)
            && fs
                .read_at(&self.segment, &mut next, known)
                .map_err(|error| self.failed("look at")(error))?
                > 0
            && next != [0];
        self.behind.append(found.unwrap_or(0));
        if !withheld && !grown && !begun {
            return Ok(());
        }
        self.unsynced = true;
        self.settle(now)?;
        if let Some(damaged) = self.damaged.take() {
            self.state = State::Blocked(damaged.why);
        }
        Ok(())
    }

    /// Walks to the end, sets aside what is not committed, and begins the log if there is none.
    fn settle(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let tail = self.walk.run(&self.log, &mut |_| {})?;
        self.follow_key()?;
        let own = self.peers.seen.of(&self.verifier.name);
        let own = own.filter(|s| s.by == self.verifier);
        let finding = recovery::judge(&self.log, &self.walk, &tail, &self.verifier, own)?;
        match finding {
            Finding::Clean => self.reopen()?,
            Finding::Torn => {
                let file = self.log.open(&segment_name(tail.segment), How::Create)?;
                let recovered = recovery::put_aside(&self.log, &file, &self.walk, &tail)?;
                self.reopen()?;
                self.genesis(now)?;
                self.commit(now, &[(RecordType::Recovered, recovered.body())])?;
                self.recovered = Some(recovered);
            }
            Finding::Damaged { why, lost_head } => {
                let damaged = recovery::set_apart(&self.log, &self.walk, &tail, why, lost_head)?;
                let body = damaged.body(&self.walk);
                // Nothing of what is damaged is changed, not even what looks like room.
                self.behind.len = 0;
                self.begin_segment(now, &body)?;
                // The lost head stands in the record now; kept outside it would be found lost again for ever.
                self.peers.seen.forget(&self.verifier.name);
                self.damaged = Some(damaged);
            }
        }
        self.genesis(now)
    }

    /// Opens the segment in which the log ends.
    fn reopen(&mut self) -> Result<(), JournalError> {
        if self.walk.good.seq == 0 {
            self.walk.good = Point::start();
        }
        self.segment = self
            .log
            .open(&segment_name(self.walk.good.segment), How::Create)?;
        self.log
            .fs
            .chmod(&self.segment, self.log.file_mode())
            .map_err(self.failed("set the mode of"))?;
        Ok(())
    }

    fn genesis(&mut self, now: Timestamp) -> Result<(), JournalError> {
        if self.walk.good.seq > 0 {
            return Ok(());
        }
        let body = json!({
            "site": self.config.site,
            "origin": self.verifier.name,
            "key": self.verifier.to_vkey(),
            "epoch": 1,
            "version": VERSION,
        });
        self.sync_names()?;
        self.commit(now, &[(RecordType::Genesis, body)])?;
        self.walk.keys.clear();
        self.walk.take_key(0, 0, self.verifier.clone(), false);
        let _ = self.walk.confirm();
        Ok(())
    }
}
