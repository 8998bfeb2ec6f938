//! Where what already happened goes when its log takes no more: a file in a folder on another disk, until the next
//! console that opens the log takes it in.
//!
//! The file belongs to one log and one user, as the log does, and is no log itself: its lines are neither chained nor
//! signed. What it says counts only once it stands in the log.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::decision::RecordType;
use crate::domain::plan::sha256_hex;

use super::fs::{Fs as _, How, Real, read_from};
use super::json;

/// Most bytes of such a file that are read back.
const MOST: usize = 16 * 1024 * 1024;

/// Lines for one log.
#[derive(Clone, Debug)]
pub struct Fallback {
    dir: PathBuf,
    name: String,
    /// Which log (`site/host/user`).
    origin: String,
}

/// What was read back.
#[derive(Debug, Default)]
pub struct Kept {
    /// Records, oldest first.
    pub records: Vec<(RecordType, Value)>,
    /// SHA-256 over the file, hex.
    pub sha256: String,
}

impl Fallback {
    /// Names the file for the log in the folder `log`; two logs of one origin are told apart by where they are.
    pub fn new(dir: &Path, origin: &str, log: &Path) -> Self {
        let log = log.canonicalize().unwrap_or_else(|_| log.to_owned());
        let mut place = sha256_hex(log.as_os_str().as_encoded_bytes());
        place.truncate(16);
        Self {
            dir: dir.to_owned(),
            name: format!("{}+{place}.jsonl", origin.replace('/', "+")),
            origin: origin.to_owned(),
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    /// Frames records as lines of such a file. Their free text must be masked already.
    pub fn lines(
        &self,
        now: Timestamp,
        actor: &Value,
        why: &str,
        records: &[(RecordType, Value)],
    ) -> Vec<Vec<u8>> {
        let line = |(kind, body): &(RecordType, Value)| {
            let value = json!({
                "v": 1, "log": self.origin, "type": kind, "ts": format!("{now:.9}"), "actor": actor, "why": why, "body": body,
            });
            let mut line = Vec::new();
            json::write(&value, &mut line);
            line
        };
        records.iter().map(line).collect()
    }

    /// Appends lines; on return they are on the device.
    pub fn keep(&self, lines: &[Vec<u8>]) -> io::Result<()> {
        let dir = self.open_dir(true)?;
        let mut file = self.open(&dir, How::Append)?;
        // A line that was cut short before must not spoil the next.
        let len = Real.len(&file)?;
        let mut bytes = if len == 0 { Vec::new() } else { vec![b'\n'] };
        for line in lines {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        file.write_all(&bytes)?;
        file.sync_all()?;
        dir.sync_all()
    }

    /// Reads what is kept; `None` when there is no such file. Lines that are none are left out, and stay in the file.
    pub fn read(&self) -> io::Result<Option<Kept>> {
        let file = match self.open_dir(false).and_then(|d| self.open(&d, How::Read)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let bytes = read_from(&Real, &file, 0, MOST)?;
        let record = |line: &[u8]| {
            let mut value = json::read(line).ok()?;
            let kind = RecordType::parse(value["type"].as_str()?)?;
            let ours = value["v"] == 1 && value["log"] == self.origin.as_str();
            let mut body = value["body"].take();
            // What the record says is kept apart from how it came here.
            let late = json!({"ts": value["ts"], "why": value["why"]});
            body.as_object_mut()?.insert("kept_elsewhere".into(), late);
            ours.then_some((kind, body))
        };
        Ok(Some(Kept {
            records: bytes.split(|b| *b == b'\n').filter_map(record).collect(),
            sha256: sha256_hex(&bytes),
        }))
    }

    /// Puts the file aside under the hash of what it held.
    pub fn put_aside(&self, sha256: &str) -> io::Result<()> {
        let dir = self.open_dir(false)?;
        let short = sha256.get(..16).unwrap_or(sha256);
        let aside = format!("{}.{short}.taken", self.name);
        Real.rename(&dir, &self.name, &dir, &aside)?;
        dir.sync_all()
    }

    fn open_dir(&self, make: bool) -> io::Result<File> {
        if make {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.dir)?;
        }
        let dir = File::open(&self.dir)?;
        let found = dir.metadata()?;
        own(&found, "the folder")?;
        if !found.is_dir() {
            return Err(io::Error::other("it is no folder"));
        }
        Ok(dir)
    }

    fn open(&self, dir: &File, how: How) -> io::Result<File> {
        let file = Real.open(dir, &self.name, how, 0o600)?;
        let found = file.metadata()?;
        own(&found, "the file")?;
        if !found.is_file() || found.nlink() != 1 {
            return Err(io::Error::other("it is no regular file with one name"));
        }
        Ok(file)
    }
}

/// What it holds goes into the log under the own key, so nobody else may have written there.
fn own(found: &std::fs::Metadata, what: &str) -> io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        let text = format!("{what} is owned by uid {}, not by you", found.uid());
        return Err(io::Error::other(text));
    }
    if found.mode() & 0o022 != 0 {
        let text = format!("others may write to {what}: chmod go-w");
        return Err(io::Error::other(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn outcome(n: u64) -> (RecordType, Value) {
        (RecordType::Outcome, json!({"intent": "i", "attempts": n}))
    }

    #[test]
    fn keeps_lines_until_they_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("made/anew");
        let kept = Fallback::new(&at, "s/h/a", dir.path());
        assert!(kept.read().unwrap().is_none());
        let lines = |n| kept.lines(Timestamp::UNIX_EPOCH, &json!({}), "disk", &[outcome(n)]);
        kept.keep(&lines(1)).unwrap();
        // Cut short, and another log's.
        let bytes = std::fs::read(kept.path()).unwrap();
        let other = String::from_utf8(bytes.clone()).unwrap();
        let other = other.replace("s/h/a", "s/h/b");
        std::fs::write(
            kept.path(),
            [&bytes, other.as_bytes(), &bytes[..40]].concat(),
        )
        .unwrap();
        kept.keep(&lines(2)).unwrap();

        let read = kept.read().unwrap().unwrap();
        let attempts: Vec<_> = read
            .records
            .iter()
            .map(|(_, b)| (b["attempts"].clone(), b["kept_elsewhere"]["why"].clone()))
            .collect();
        assert_eq!(
            attempts,
            [(json!(1), json!("disk")), (json!(2), json!("disk"))]
        );
        kept.put_aside(&read.sha256).unwrap();
        assert!(kept.read().unwrap().is_none());
        assert_eq!(std::fs::read_dir(&at).unwrap().count(), 1);
    }

    #[test]
    fn others_can_put_nothing_there() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Fallback::new(dir.path(), "s/h/a", dir.path());
        let lines = kept.lines(Timestamp::UNIX_EPOCH, &json!({}), "disk", &[outcome(1)]);
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = kept.keep(&lines).unwrap_err();
        assert!(error.to_string().contains("others may write"), "{error}");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink("/dev/null", kept.path()).unwrap();
        assert!(kept.keep(&lines).is_err() && kept.read().is_err());
    }
}
