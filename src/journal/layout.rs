//! Where things stand in a store, and what is accepted there.
//!
//! `logs/<host>/<user>/` holds segments named by their first sequence number (20 digits), the latest signed head in
//! `checkpoint` (derived), the `lock`, bytes put aside in `quarantine/` and evidence in `blobs/<aa>/<sha256>`.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::text::show;

use super::error::JournalError;
use super::fs::{Fs, How, Looked, read_from, write_once};
use super::note::MAX_NOTE;

/// Format version and site of a store.
const SITE_FILE: &str = "store.json";
/// Latest signed head, for whoever wants to keep it. Never ahead of the log.
pub const HEAD_FILE: &str = "checkpoint";
/// Verifier key in force, for whoever wants to pin it or to check the head.
pub const KEY_FILE: &str = "vkey";
/// Target of the lock.
pub const LOCK_FILE: &str = "lock";
/// Left behind by a console whose disk failed: the next one begins a new segment.
pub const POISON_FILE: &str = "poisoned";
/// Bytes put aside.
pub const QUARANTINE: &str = "quarantine";
/// Evidence.
pub const BLOBS: &str = "blobs";

/// File systems on which `flock` or `fdatasync` do not mean what they say (statfs(2), linux/magic.h).
const NETWORK: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x7375_7245, "Coda"),
];

/// Name of the segment that begins with this sequence number.
pub fn segment_name(first: u64) -> String {
    format!("{first:020}.jsonl")
}

/// Name of a segment some of whose content was withheld: such a line is the hex leaf hash of what stood there.
pub fn pruned_name(first: u64) -> String {
    format!("{first:020}.pruned")
}

/// Reads a segment's first sequence number from its name.
pub fn segment_first(name: &str) -> Option<u64> {
    let (first, _) = name.split_once('.')?;
    let first = first.parse().ok()?;
    (segment_name(first) == name || pruned_name(first) == name).then_some(first)
}

/// One log's directory, held open so that nobody can exchange it underneath.
#[derive(Clone)]
pub struct LogDir {
    /// The system.
    pub fs: Arc<dyn Fs>,
    /// The open directory.
    pub dir: Arc<File>,
    /// Its path, for messages and watches.
    pub path: PathBuf,
    /// Who owns it; files of others in it are refused.
    pub owner: u32,
    /// Whether a group shares the store.
    pub shared: bool,
}

impl std::fmt::Debug for LogDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogDir({})", self.path.display())
    }
}

/// Makes the directory of all logs, shared by the group where the state folder that it lies in is.
fn make_store(store: &Path) -> std::io::Result<()> {
    let mut make = std::fs::DirBuilder::new();
    make.recursive(true).mode(0o700);
    if store.exists() {
        return Ok(());
    }
    let parent = store.parent().and_then(|parent| parent.metadata().ok());
    make.create(store)?;
    if parent.is_some_and(|parent| parent.mode() & 0o2070 == 0o2070) {
        std::fs::set_permissions(store, std::fs::Permissions::from_mode(0o2770))?;
    }
    Ok(())
}

impl LogDir {
    /// Opens the own log's directory, making what is missing.
    pub fn make(
        fs: Arc<dyn Fs>,
        store: &Path,
        host: &str,
        user: &str,
        network: bool,
    ) -> Result<Self, JournalError> {
        make_store(store).map_err(failed("make the directory", store))?;
        let root = File::open(store).map_err(failed("open", store))?;
        let magic = fs.magic(&root).map_err(failed("look at", store))?;
        if let Some((_, kind)) = NETWORK.iter().find(|(m, _)| *m == magic & 0xffff_ffff)
            && !network
        {
            let path = store.to_owned();
            return Err(JournalError::NetworkFs { path, kind });
        }
        // A set-group-id store is shared by a group (2770): its members read, only the owner writes.
        let shared = root.metadata().map_err(failed("look at", store))?.mode() & 0o2000 != 0;
        let modes = if shared {
            [0o2770, 0o2770, 0o750]
        } else {
            [0o700; 3]
        };
        let mut dir = root;
        let mut path = store.to_owned();
        for (name, mode) in ["logs", host, user].into_iter().zip(modes) {
            path.push(name);
            fs.mkdir(&dir, name, mode)
                .map_err(failed("make the directory", &path))?;
            let next = fs
                .open(&dir, name, How::Dir, 0)
                .map_err(failed("open", &path))?;
            let me = rustix::process::geteuid().as_raw();
            let found = next.metadata().map_err(failed("look at", &path))?;
            if found.uid() == me && found.mode() & 0o7777 != mode {
                fs.chmod(&next, mode)
                    .map_err(failed("set the mode of", &path))?;
            }
            if name == user && found.uid() != me {
                let what = format!("owned by uid {}, not by you", found.uid());
                return Err(JournalError::Foreign { path, what });
            }
            // The name must survive a power cut before anything in it is called durable.
            fs.sync_dir(&dir).map_err(failed("sync", &path))?;
            dir = next;
        }
        let owner = rustix::process::geteuid().as_raw();
        Ok(Self {
            fs,
            dir: Arc::new(dir),
            path,
            owner,
            shared,
        })
    }

    /// Opens a log's directory for reading.
    pub fn at(
        fs: Arc<dyn Fs>,
        parent: &File,
        path: PathBuf,
        name: &str,
    ) -> Result<Self, JournalError> {
        let dir = fs
            .open(parent, name, How::Dir, 0)
            .map_err(failed("open", &path))?;
        let owner = dir.metadata().map_err(failed("look at", &path))?.uid();
        Ok(Self {
            fs,
            dir: Arc::new(dir),
            path,
            owner,
            shared: false,
        })
    }

    /// Mode of files.
    pub const fn file_mode(&self) -> u32 {
        if self.shared { 0o640 } else { 0o600 }
    }

    /// Opens a plain file of the log's owner. Links, pipes, files with a second name and foreign files are refused.
    pub fn open(&self, name: &str, how: How) -> Result<File, JournalError> {
        let path = self.path.join(name);
        let file = self
            .fs
            .open(&self.dir, name, how, self.file_mode())
            .map_err(failed("open", &path))?;
        let found = Looked::at(&file).map_err(|e| failed("look at", &path)(e.into()))?;
        let what = if !found.plain {
            "not a regular file".to_owned()
        } else if found.links != 1 {
            format!("a file with {} names", found.links)
        } else if found.owner != self.owner {
            format!(
                "owned by uid {}, the log by uid {}",
                found.owner, self.owner
            )
        } else {
            return Ok(file);
        };
        Err(JournalError::Foreign { path, what })
    }

    /// Opens a directory inside, making it when missing.
    pub fn subdir(&self, parent: &File, name: &str) -> Result<File, JournalError> {
        let path = self.path.join(name);
        let mode = if self.shared { 0o750 } else { 0o700 };
        self.fs
            .mkdir(parent, name, mode)
            .map_err(failed("make the directory", &path))?;
        self.fs
            .open(parent, name, How::Dir, 0)
            .map_err(failed("open", &path))
    }

    /// Reads the published head. A console may be writing another one of the same length over it, so it counts when two
    /// looks agree.
    pub fn head_text(&self) -> Option<String> {
        let look = || {
            let file = self.open(HEAD_FILE, How::Read).ok()?;
            read_from(&*self.fs, &file, 0, MAX_NOTE).ok()
        };
        let mut before = look()?;
        for _ in 0..4 {
            let again = look()?;
            if again == before {
                break;
            }
            before = again;
        }
        String::from_utf8(before).ok()
    }

    /// Writes a head over the published one if that is as long: a new file and a new name with every record would make
    /// the next wait for the disk longer. Tells whether it did.
    pub fn overwrite_head(&self, kept: &mut Option<File>, signed: &str) -> bool {
        // Within one sector, so that a power cut leaves one of the two.
        if signed.len() > 512 {
            return false;
        }
        let wanted = (true, 1, self.owner, signed.len() as u64);
        let fits = |file: &File| {
            Looked::at(file).is_ok_and(|f| (f.plain, f.links, f.owner, f.len) == wanted)
        };
        // One that another console put a longer one in the place of has no name any more.
        let file = kept.take().filter(&fits).or_else(|| {
            let there = self.fs.open(&self.dir, HEAD_FILE, How::Overwrite, 0);
            there.ok().filter(&fits)
        });
        let done = file.as_ref().is_some_and(|file| {
            let taken = self.fs.write_at(file, signed.as_bytes(), 0);
            taken.is_ok_and(|n| n == signed.len())
        });
        *kept = file.filter(|_| done);
        done
    }

    /// Returns the file of a segment, and whether content was withheld from it. A whole segment wins: withholding was
    /// not finished then.
    pub fn segment_file(&self, first: u64) -> (String, bool) {
        let there = |name: &str| self.fs.open(&self.dir, name, How::Read, 0).is_ok();
        let pruned = pruned_name(first);
        if !there(&segment_name(first)) && there(&pruned) {
            (pruned, true)
        } else {
            (segment_name(first), false)
        }
    }

    /// Lists the first sequence numbers of all segments, ascending, and names that are none of ours.
    pub fn segments(&self) -> Result<(Vec<u64>, Vec<String>), JournalError> {
        let names = self
            .fs
            .list(&self.dir)
            .map_err(failed("list", &self.path))?;
        let ours = [
            HEAD_FILE,
            KEY_FILE,
            LOCK_FILE,
            POISON_FILE,
            QUARANTINE,
            BLOBS,
        ];
        let (mut firsts, mut strange) = (Vec::new(), Vec::new());
        for name in names {
            match segment_first(&name) {
                Some(first) => firsts.push(first),
                None if ours.contains(&name.as_str()) || is_temporary(&name) => {}
                None => strange.push(name),
            }
        }
        firsts.sort_unstable();
        firsts.dedup();
        Ok((firsts, strange))
    }

    /// Checks that the store is this site's, or makes it so.
    pub fn check_site(&self, store: &Path, site: &str) -> Result<(), JournalError> {
        let path = store.join(SITE_FILE);
        let fs = &*self.fs;
        let root = File::open(store).map_err(failed("open", store))?;
        // Another user of a shared store may have made it: it need not be ours to write.
        let bytes = match fs.open(&root, SITE_FILE, How::Read, 0) {
            Ok(file) => read_from(fs, &file, 0, 4096).map_err(failed("read", &path))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(failed("open", &path)(e)),
        };
        let known = super::json::read(&bytes).ok();
        if let Some(found) = known.as_ref().and_then(|v| v["site"].as_str()) {
            if found == site {
                return Ok(());
            }
            return Err(JournalError::OtherSite {
                path: store.to_owned(),
                found: show(found).into_owned(),
                wanted: site.to_owned(),
            });
        }
        // Missing or torn: it says nothing that the configuration does not.
        let mode = if self.shared { 0o640 } else { 0o600 };
        let file = fs
            .open(&root, SITE_FILE, How::Create, mode)
            .map_err(failed("make", &path))?;
        let text = serde_json::json!({"format": 1, "site": site}).to_string() + "\n";
        fs.chmod(&file, mode)
            .and_then(|()| fs.truncate(&file, 0))
            .and_then(|()| write_once(fs, &file, text.as_bytes()))
            .and_then(|_| fs.sync(&file))
            .and_then(|()| fs.sync_dir(&root))
            .map_err(failed("write", &path))
    }

    /// Says where in this log something failed.
    pub fn failed(
        &self,
        what: &'static str,
        name: &str,
    ) -> impl FnOnce(std::io::Error) -> JournalError {
        failed(what, &self.path.join(name))
    }
}

/// A file that was being written when a console stopped; nothing refers to it.
fn is_temporary(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e == "tmp")
}

/// Turns a system error into one with a place.
pub fn failed(
    what: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> JournalError + use<> {
    let path = path.to_owned();
    move |source| JournalError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("00000000000000000000.jsonl", Some(0))]
    #[case("00000000000000000415.jsonl", Some(415))]
    #[case("18446744073709551615.jsonl", Some(u64::MAX))]
    #[case("415.jsonl", None)]
    #[case("+0000000000000000415.jsonl", None)]
    #[case("00000000000000000415.jsonl.bak", None)]
    #[case("00000000000000000415.pruned", Some(415))]
    #[case("415.pruned", None)]
    fn reads_segment_names(#[case] name: &str, #[case] first: Option<u64>) {
        assert_eq!(segment_first(name), first);
    }
}
