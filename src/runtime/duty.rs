//! The duty: of all processes of one state folder exactly one takes alerts in. It holds a lock that the system gives
//! back when it ends, however it ends; then the next one that waits has it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Name of the lock in the state folder.
const FILE: &str = "duty.lock";

/// Most bytes that a holder writes about itself.
const LONGEST: u64 = 4_096;

/// Who has the duty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// `serve` or `console`.
    pub program: String,
    /// Its user's id.
    pub uid: u32,
    /// Its host's name.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} (process {} on {})",
            self.program, self.pid, self.host
        )
    }
}

/// The duty itself, given back on drop.
#[derive(Debug)]
pub struct Duty {
    _lock: File,
}

/// What asking for the duty gave.
#[derive(Debug)]
pub enum Asked {
    /// This process has it.
    Taken(Duty),
    /// Another one has it; nothing when that one has not said who it is yet.
    Held(Option<Holder>),
}

/// Takes the duty of a state folder unless somebody has it.
pub fn ask(state: &Path, program: &str) -> io::Result<Asked> {
    let file = open(state)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Asked::Taken(sign(file, program)?)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Asked::Held(read(&file))),
        Err(error) => Err(error.into()),
    }
}

/// Says who has the duty of a state folder, if anybody has, without taking it and without making anything there.
pub fn holder(state: &Path) -> io::Result<Option<Holder>> {
    let file = match OpenOptions::new().read(true).open(state.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(read(&file)),
        Err(error) => Err(error.into()),
    }
}

/// Waits for the duty. The thread that waits ends with the process, or as soon as it has the duty that nobody wants.
pub async fn wait(state: &Path, program: &'static str) -> io::Result<Duty> {
    let file = open(state)?;
    let (taken, told) = oneshot::channel();
    let waiting = std::thread::Builder::new().name("duty".to_owned());
    waiting.spawn(move || {
        let locked = loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other,
            }
        };
        let duty = locked
            .map_err(Into::into)
            .and_then(|()| sign(file, program));
        // Nobody listens any more when this process ends; the duty is then free again.
        drop(taken.send(duty));
    })?;
    match told.await {
        Ok(duty) => duty,
        Err(_) => Err(io::Error::other("the thread that waits for the duty died")),
    }
}

fn open(state: &Path) -> io::Result<File> {
    let shared = state.metadata()?.mode() & 0o2070 == 0o2070;
    let mode = if shared { 0o660 } else { 0o600 };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .open(state.join(FILE))?;
    let found = file.metadata()?;
    // The umask may have taken bits away that the others of a shared folder need.
    let is_own = found.uid() == rustix::process::geteuid().as_raw();
    if found.mode() & 0o777 != mode && is_own {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(file)
}

/// Writes into the locked file who holds it.
fn sign(mut file: File, program: &str) -> io::Result<Duty> {
    let holder = Holder {
        pid: std::process::id(),
        program: program.to_owned(),
        uid: rustix::process::geteuid().as_raw(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        since: Timestamp::now(),
    };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(&holder)?)?;
    Ok(Duty { _lock: file })
}

fn read(mut file: &File) -> Option<Holder> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_has_it_and_the_next_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()).unwrap(), None);
        let Asked::Taken(first) = ask(dir.path(), "serve").unwrap() else {
            panic!("nobody had it");
        };
        let Asked::Held(Some(who)) = ask(dir.path(), "console").unwrap() else {
            panic!("two have it");
        };
        assert_eq!(
            (who.pid, who.program.as_str()),
            (std::process::id(), "serve")
        );
        assert_eq!(holder(dir.path()).unwrap(), Some(who));
        let path = dir.path().to_owned();
        let next = tokio::spawn(async move { wait(&path, "console").await });
        drop(first);
        let second = next.await.unwrap().unwrap();
        assert_eq!(holder(dir.path()).unwrap().unwrap().program, "console");
        drop(second);
        assert_eq!(holder(dir.path()).unwrap(), None);
    }

    #[test]
    fn a_shared_folder_s_lock_is_for_all_of_its_group() {
        let dir = tempfile::tempdir().unwrap();
        drop(ask(dir.path(), "serve").unwrap());
        let mode = || dir.path().join(FILE).metadata().unwrap().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o2770)).unwrap();
        drop(ask(dir.path(), "serve").unwrap());
        assert_eq!(mode(), 0o660);
    }

    #[test]
    fn what_stands_in_the_file_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "\u{1b}[2J not json").unwrap();
        assert_eq!(holder(dir.path()).unwrap(), None);
        assert!(matches!(ask(dir.path(), "serve").unwrap(), Asked::Taken(_)));
    }
}
