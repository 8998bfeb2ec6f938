//! Behaviour of the journal as a whole.

mod agents;
mod clocks;
mod crashing;
mod damage;
mod failing;
mod golden;
mod holes;
mod index;
mod killing;
mod lots;
mod peers;
mod pieces;
mod pruning;
mod racing;
mod reading;
mod room;
mod rotating;
mod segments;
mod tamper;
mod torn;
mod trusting;
mod users;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::domain::decision::RecordType;

use super::actor::Actor;
use super::error::JournalError;
use super::fs::{Fs, Real};
use super::verify::{Options, Report, verify};
use super::writer::{JournalConfig, Opened, Writer};

/// The system with both clocks standing still, as the tests write everything at one moment.
struct Still;

impl Fs for Still {
    fn boot_clock(&self) -> u64 {
        1
    }
}

/// A store with its keys in a directory that goes away.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        // Thousands of logs are made: in memory where there is such a place.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self { dir: dir.unwrap() }
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn log_of(&self, user: &str) -> PathBuf {
        self.store().join("logs/jump1").join(user)
    }

    fn log(&self) -> PathBuf {
        self.log_of("alice")
    }

    fn segment(&self) -> PathBuf {
        self.log().join("00000000000000000000.jsonl")
    }

    fn seen(&self) -> PathBuf {
        self.dir.path().join("keys/seen-heads")
    }

    fn config(&self) -> JournalConfig {
        JournalConfig {
            store: self.store(),
            site: "soc.example".into(),
            keys: self.dir.path().join("keys"),
            drill: false,
            allow_network_fs: true,
            person: None,
            policy: None,
            fallback: None,
        }
    }

    fn try_open(&self, fs: Arc<dyn Fs>) -> Result<(Writer, Opened), JournalError> {
        Writer::open_as(self.config(), actor("alice"), fs, now())
    }

    fn open(&self) -> (Writer, Opened) {
        self.try_open(Arc::new(Still)).unwrap()
    }

    fn open_user(&self, user: &str) -> Writer {
        let mut config = self.config();
        config.keys = self.dir.path().join(format!("keys-{user}"));
        Writer::open_as(config, actor(user), Arc::new(Still), now())
            .unwrap()
            .0
    }

    fn verify(&self) -> Report {
        verify(&[self.store()], &Options::default())
    }

    /// Texts of all notes that the journal holds, in order.
    fn notes(&self) -> Vec<String> {
        let (entries, _) = super::read_store(&self.store());
        entries
            .iter()
            .filter_map(|e| Some(e.body.get("text")?.as_str()?.to_owned()))
            .collect()
    }
}

fn actor(user: &str) -> Actor {
    let value = json!({"user": user, "host": "jump1", "boot": "b"});
    Actor {
        user: user.into(),
        host: "jump1".into(),
        value,
    }
}

fn now() -> Timestamp {
    "2026-11-21T08:15:00.123456789Z".parse().unwrap()
}

/// A decision-class record that says `text`.
fn note(text: &str) -> (RecordType, Value) {
    (RecordType::Session, json!({"text": text}))
}

fn write(writer: &mut Writer, texts: &[&str]) {
    let records: Vec<_> = texts.iter().map(|t| note(t)).collect();
    writer.append(now(), &records).unwrap();
}

/// Puts the file back and removes what recovery made of it, and what the user remembers.
fn reset(place: &Place, files: &[(PathBuf, Vec<u8>)]) {
    let _ = std::fs::remove_file(place.seen());
    let log = place.log();
    for entry in std::fs::read_dir(&log).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
    }
    for (path, bytes) in files {
        put(path, bytes);
    }
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
