//! One pair of hands at a time: whoever acts on an identity holds a lock that all consoles of a store know (`LOG` §3.7). The
//! system gives it back when the process ends, however it ends.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

use crate::domain::plan::sha256_hex;
use crate::domain::text::show;

/// Most bytes that a holder writes about itself.
const LONGEST: u64 = 1_024;

/// The lock, given back on drop.
#[derive(Debug)]
pub struct Hands {
    _lock: File,
}

/// What asking for it gave.
#[derive(Debug)]
pub enum Taken {
    /// This process has it.
    Here(Hands),
    /// Another one has it, in words.
    Elsewhere(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    who: String,
    pid: u32,
    what: String,
}

/// Takes the lock for what must be done once, whoever does it: `None` while another process is at it, which shows in its
/// log. Where nobody can tell who has it, only the records do, as between hosts.
pub fn unless_elsewhere(store: &Path, about: &str, what: &str) -> Option<Option<Hands>> {
    match take(store, about, what) {
        Ok(Taken::Here(hands)) => Some(Some(hands)),
        Ok(Taken::Elsewhere(_)) => None,
        Err(_) => Some(None),
    }
}

/// Takes the lock on `about` in a store, unless somebody has it. `what` says what for, for whoever finds it taken.
pub fn take(store: &Path, about: &str, what: &str) -> io::Result<Taken> {
    let (path, shared) = place(store, about)?;
    let mode = if shared { 0o660 } else { 0o600 };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() != 1 {
        let text = format!("{} is not a lock of this program", path.display());
        return Err(io::Error::other(text));
    }
    // The umask may have taken bits away that the others of a shared folder need.
    let is_own = found.uid() == rustix::process::geteuid().as_raw();
    if found.mode() & 0o777 != mode && is_own {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Taken::Elsewhere(holder(&mut file))),
        Err(error) => return Err(error.into()),
    }
    let own = Holder {
        who: user(),
        pid: std::process::id(),
        what: what.chars().take(200).collect(),
    };
    // In one call: whoever finds it taken does not read half of it.
    let own = serde_json::to_vec(&own)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&own)?;
    Ok(Taken::Here(Hands { _lock: file }))
}

fn place(store: &Path, about: &str) -> io::Result<(PathBuf, bool)> {
    let shared = store.metadata()?.mode() & 0o2070 == 0o2070;
    let dir = store.join("locks");
    if !dir.is_dir() {
        let mode = if shared { 0o2770 } else { 0o700 };
        match std::fs::DirBuilder::new().mode(mode).create(&dir) {
            Ok(()) => std::fs::set_permissions(&dir, Permissions::from_mode(mode))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok((dir.join(sha256_hex(about.as_bytes())), shared))
}

/// Who this process belongs to, as the system says.
fn user() -> String {
    format!("user {}", rustix::process::geteuid().as_raw())
}

/// What stands in the file is not believed, only shown.
fn holder(file: &mut File) -> String {
    let mut text = Vec::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(LONGEST).read_to_end(&mut text));
    let holder = read
        .ok()
        .and_then(|_| serde_json::from_slice::<Holder>(&text).ok());
    holder.map_or_else(
        || "another console".to_owned(),
        |h| format!("{} (process {}, {})", show(&h.who), h.pid, show(&h.what)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_and_the_other_hears_who() {
        let dir = tempfile::tempdir().unwrap();
        let Taken::Here(first) = take(dir.path(), "p:a", "plan 1").unwrap() else {
            panic!("nobody had it");
        };
        let Taken::Elsewhere(who) = take(dir.path(), "p:a", "plan 2").unwrap() else {
            panic!("two have it");
        };
        assert!(who.contains("plan 1"), "{who}");
        assert!(matches!(
            take(dir.path(), "p:b", "").unwrap(),
            Taken::Here(_)
        ));
        drop(first);
        assert!(matches!(
            take(dir.path(), "p:a", "").unwrap(),
            Taken::Here(_)
        ));
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, _) = place(dir.path(), "p:a").unwrap();
        let elsewhere = dir.path().join("elsewhere");
        std::fs::write(&elsewhere, "kept").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(take(dir.path(), "p:a", "").is_err());
        assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "kept");
    }
}
