//! Signed heads of other people's logs: whoever saw one can tell later that the log was cut or told differently.
//!
//! Heads are kept in the own log (`peer_heads` records, which convict with the other's own signature) and in
//! `seen-heads` beside the own keys, outside the store, so that putting a whole store back is seen too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde_json::{Value, json};

use crate::domain::text::show;

use super::checkpoint::Head;
use super::fs::{How, read_from};
use super::json;
use super::layout::{KEY_FILE, LogDir};
use super::merkle::hex;
use super::note::Verifier;
use super::reader::logs_in;
use super::record::{self, MAX_LINE};
use super::walk::{Event, Walk};

/// Name of the file beside the keys.
pub const SEEN_FILE: &str = "seen-heads";
/// Most bytes of it that are read.
const MAX_SEEN: u64 = 4 * 1024 * 1024;
/// Heads in one record: each takes some 300 bytes of the 64 KiB of a line.
const PER_RECORD: usize = 100;

/// A signed head with the key that its log named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHead {
    /// Key in force; its name is the origin.
    pub by: Verifier,
    /// What was signed.
    pub head: Head,
    /// The note itself.
    pub signed: String,
}

impl SeenHead {
    /// Takes a head that its key really signed.
    pub fn of(vkey: &str, signed: &str) -> Option<Self> {
        let by = Verifier::from_vkey(vkey)?;
        Some(Self {
            head: Head::open(signed, &by)?,
            by,
            signed: signed.to_owned(),
        })
    }

    /// As it stands in records and in the file.
    pub fn to_json(&self) -> Value {
        json!({"vkey": self.by.to_vkey(), "note": self.signed})
    }

    /// Reads what [`SeenHead::to_json`] wrote; `None` when the key did not sign it.
    pub fn from_json(value: &Value) -> Option<Self> {
        Self::of(value["vkey"].as_str()?, value["note"].as_str()?)
    }
}

/// Bodies of `peer_heads` records for these heads.
pub fn bodies(heads: &[SeenHead]) -> Vec<Value> {
    heads
        .chunks(PER_RECORD)
        .map(|some| json!({"heads": some.iter().map(SeenHead::to_json).collect::<Vec<_>>()}))
        .collect()
}

/// Reads the published heads of all logs of a store but the own one. What cannot be read is left out: a peer must not
/// be able to stop anybody.
pub fn published(store: &Path, own: &str) -> Vec<SeenHead> {
    let (logs, _) = logs_in(store);
    let is_of =
        |name: &str, owner: &str| name.strip_suffix(owner).is_some_and(|s| s.ends_with('/'));
    // Whoever acts looks here with every write, mostly alone.
    logs.iter()
        .filter(|(owner, _)| !is_of(own, owner))
        .filter_map(|(owner, log)| {
            let by = published_key(log)?;
            let signed = log.head_text().filter(|_| is_of(&by.name, owner))?;
            SeenHead::of(&by.to_vkey(), &signed)
        })
        .collect()
}

/// Tells whether the log of this head still goes through it, by walking the whole log.
pub fn continues(store: &Path, seen: &SeenHead) -> bool {
    let (logs, _) = logs_in(store);
    let has = |owner: &str| {
        seen.head
            .origin
            .strip_suffix(owner)
            .is_some_and(|s| s.ends_with('/'))
    };
    logs.into_iter()
        .filter(|(owner, _)| has(owner))
        .any(|(owner, log)| {
            let mut walk = Walk::new(owner, false);
            let mut found = false;
            let ended = walk.run(&log, &mut |event| {
                if let Event::Commit(head) = event {
                    found |= *head == seen.head;
                }
            });
            found && ended.is_ok() && walk.confirm()
        })
}

/// The key that a log says is in force: published, else that of its first record.
fn published_key(log: &LogDir) -> Option<Verifier> {
    if let Some(key) = text_of(log, KEY_FILE, 1024) {
        return Verifier::from_vkey(key.trim_end());
    }
    let line = text_of(log, &log.segment_file(0).0, MAX_LINE)?;
    let record = record::read(line.lines().next()?.as_bytes()).ok()?;
    Verifier::from_vkey(record.body.get("key")?.as_str()?)
}

fn text_of(log: &LogDir, name: &str, most: usize) -> Option<String> {
    let file = log.open(name, How::Read).ok()?;
    String::from_utf8(read_from(&*log.fs, &file, 0, most).ok()?).ok()
}

/// The latest head of every log that this user saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    path: PathBuf,
    heads: BTreeMap<String, SeenHead>,
}

impl Seen {
    /// Reads the file; one that is missing, foreign or broken counts as empty, for nothing rests on it alone.
    pub fn load(path: &Path) -> Self {
        let mut seen = Self {
            path: path.to_owned(),
            heads: BTreeMap::new(),
        };
        for line in read_private(path).unwrap_or_default().lines() {
            let head = json::read(line.as_bytes()).ok();
            if let Some(head) = head.as_ref().and_then(SeenHead::from_json) {
                seen.heads.insert(head.head.origin.clone(), head);
            }
        }
        seen
    }

    /// Returns all heads.
    pub fn heads(&self) -> impl Iterator<Item = &SeenHead> {
        self.heads.values()
    }

    /// Returns the head of one log.
    pub fn of(&self, origin: &str) -> Option<&SeenHead> {
        self.heads.get(origin)
    }

    /// Keeps a head if it is not older than the known one; tells whether anything changed.
    pub fn keep(&mut self, head: &SeenHead) -> bool {
        let known = self.heads.get(&head.head.origin);
        if known.is_some_and(|k| k.head.size >= head.head.size) {
            return false;
        }
        self.heads.insert(head.head.origin.clone(), head.clone());
        true
    }

    /// Forgets a log's head, because somebody accepted that it changed.
    pub fn forget(&mut self, origin: &str) {
        self.heads.remove(origin);
    }

    /// Says which logs are no longer what they were, from their published heads alone. A change further back is for
    /// the verifier.
    pub fn alarms(&self, own: &str, now: &[SeenHead]) -> Vec<String> {
        let others = self.heads.values().filter(|s| s.by.name != own);
        others
            .filter_map(|seen| {
                let (origin, lines) = (show(&seen.head.origin), seen.head.size);
                let Some(is) = now.iter().find(|n| n.head.origin == seen.head.origin) else {
                    return Some(format!("the log {origin}, last seen with {lines} lines, is gone or has no signed head"));
                };
                if is.head.size < lines {
                    return Some(format!(
                        "the log {origin} was cut or put back: {lines} signed lines were seen, its head now covers {}",
                        is.head.size
                    ));
                }
                (is.head.size == lines && is.head.root != seen.head.root).then(|| {
                    format!("the log {origin} tells two histories of {lines} lines: root {} was seen", hex(&seen.head.root))
                })
            })
            .collect()
    }

    /// Writes the file whole or not at all.
    pub fn save(&self) -> std::io::Result<()> {
        let mut text = Vec::new();
        for head in self.heads.values() {
            json::write(&head.to_json(), &mut text);
            text.push(b'\n');
        }
        let temporary = self
            .path
            .with_extension(format!("{}.tmp", std::process::id()));
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)
    }
}

fn read_private(path: &Path) -> Option<String> {
    let file = File::options()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .ok()?;
    let found = file.metadata().ok()?;
    let mine = found.is_file() && found.uid() == rustix::process::geteuid().as_raw();
    let mut text = String::new();
    file.take(MAX_SEEN).read_to_string(&mut text).ok()?;
    mine.then_some(text)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn head(origin: &str, size: u64, root: u8) -> SeenHead {
        let key = SigningKey::from_bytes(&[3; 32]);
        let by = Verifier {
            name: origin.into(),
            key: key.verifying_key(),
        };
        let head = Head {
            origin: origin.into(),
            size,
            root: [root; 32],
        };
        SeenHead::of(&by.to_vkey(), &head.sign(&key)).unwrap()
    }

    #[test]
    fn keeps_the_longest_and_raises_alarms() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SEEN_FILE);
        let mut seen = Seen::load(&path);
        assert!(seen.keep(&head("s/h/bob", 9, 1)) && !seen.keep(&head("s/h/bob", 7, 2)));
        assert!(seen.keep(&head("s/h/me", 90, 1)));
        seen.save().unwrap();
        let seen = Seen::load(&path);
        assert_eq!(seen.of("s/h/bob"), Some(&head("s/h/bob", 9, 1)));
        let says = |now: &[SeenHead]| seen.alarms("s/h/me", now).join("; ");
        assert_eq!(says(&[head("s/h/bob", 9, 1)]), "");
        assert_eq!(says(&[head("s/h/bob", 12, 4)]), "");
        assert!(says(&[head("s/h/bob", 8, 1)]).contains("cut or put back"));
        assert!(says(&[head("s/h/bob", 9, 2)]).contains("two histories"));
        assert!(says(&[]).contains("gone"));
    }

    #[test]
    fn a_broken_or_foreign_file_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SEEN_FILE);
        std::fs::write(&path, "{\"vkey\":1}\nnonsense\n\u{0}").unwrap();
        assert_eq!(Seen::load(&path).heads().count(), 0);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert_eq!(Seen::load(&path).heads().count(), 0);
    }
}
