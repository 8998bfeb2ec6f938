//! Finding the file that was read before, wherever a rotation put it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::open::holds;
use crate::intake::store::FileCursor;

/// How the names of packed files end.
const PACKED: &str = "gz";

/// How long ago a packed file that ends too early may have been written for somebody to be still at it.
const PACKING: Duration = Duration::from_mins(1);

/// Most directory entries looked at.
const MOST_ENTRIES: usize = 10_000;

/// Opens a regular file for reading. Anything else, a pipe say, would block or never end.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

/// Opens a file that may be the one looked for; none when it is gone, or not for this process to read.
pub(super) fn readable(path: &Path) -> io::Result<Option<File>> {
    match open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_not_ours(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells whether a file is gone, or not for this process to read: others are looked at then.
pub(super) fn is_not_ours(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | PermissionDenied)
}

/// Finds the file a cursor was made for: the same inode with the same content before the cursor, else the same content
/// under another inode (a copy that was made before a truncation, a file system that was restored).
pub(super) fn cursor(path: &Path, cursor: &FileCursor) -> io::Result<Option<File>> {
    let all = siblings(path)?;
    // Without content to compare, a reused inode is only believed where the name fits.
    let may_be = |found: &&Sibling| cursor.offset > 0 || found.is_related;
    let by_inode =
        |found: &&Sibling| (found.meta.dev(), found.meta.ino()) == (cursor.dev, cursor.ino);
    for found in all.iter().filter(by_inode).filter(may_be) {
        if let Some(file) = readable(&found.path)?
            && holds(&file, cursor)?
        {
            return Ok(Some(file));
        }
    }
    if cursor.offset == 0 {
        return Ok(None);
    }
    if let Some(copy) = copy(path, cursor)? {
        return Ok(Some(copy));
    }
    match readable(path)? {
        Some(file) => Ok(holds(&file, cursor)?.then_some(file)),
        None => Ok(None),
    }
}

/// Tells whether the content before any of these places stands in a file. Nothing says so of places at a start.
pub(super) fn holds_any(file: &File, places: &[&FileCursor]) -> io::Result<bool> {
    for place in places.iter().filter(|place| place.offset > 0) {
        if holds(file, place)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds another file of the same name family that holds the content before the cursor, the newest first.
pub(super) fn copy(path: &Path, cursor: &FileCursor) -> io::Result<Option<File>> {
    if cursor.offset == 0 {
        return Ok(None);
    }
    let mut all = siblings(path)?;
    all.retain(|found| found.is_related && !found.is_own && found.meta.len() >= cursor.offset);
    all.sort_by_key(|found| std::cmp::Reverse(found.written()));
    for found in all {
        if let Some(file) = readable(&found.path)?
            && holds(&file, cursor)?
        {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// A regular file beside the one that is read.
#[derive(Debug)]
pub(super) struct Sibling {
    pub path: PathBuf,
    pub meta: Metadata,
    /// Whether it is the one that is read.
    is_own: bool,
    /// Whether its name begins as that one's.
    is_related: bool,
    /// Whether it goes on with digits and separators, as log rotation names files, possibly packed.
    is_rotated: bool,
}

impl Sibling {
    /// Tells whether it is packed: by gzip, whose files end so.
    pub fn is_packed(&self) -> bool {
        self.path.extension().is_some_and(|end| end == PACKED)
    }

    /// Returns when it was written last.
    pub fn written(&self) -> (i64, i64) {
        modified(&self.meta)
    }

    /// Tells whether it was written a moment ago, so that somebody may still be packing it.
    pub fn is_fresh(&self) -> bool {
        let age = self.meta.modified().ok().and_then(|at| at.elapsed().ok());
        age.is_none_or(|age| age < PACKING)
    }
}

/// Lists the rotated files written after a time, the oldest first.
pub(super) fn later_rotated(path: &Path, since: (i64, i64)) -> io::Result<Vec<Sibling>> {
    let mut later = siblings(path)?;
    later.retain(|found| found.is_rotated && found.meta.len() > 0 && found.written() > since);
    later.sort_by_key(Sibling::written);
    Ok(later)
}

/// Lists the packed files of the name family, the newest first.
pub(super) fn packed(path: &Path) -> io::Result<Vec<Sibling>> {
    let mut found = siblings(path)?;
    found.retain(|found| found.is_related && found.is_packed());
    found.sort_by_key(|found| std::cmp::Reverse(found.written()));
    Ok(found)
}

/// Returns when a file was written last: seconds since 1970, and nanoseconds.
pub(super) fn modified(meta: &Metadata) -> (i64, i64) {
    (meta.mtime(), meta.mtime_nsec())
}

/// Lists the regular files beside `path` and, where that is a symbolic link, beside what it points at; none where the
/// directory is gone.
fn siblings(path: &Path) -> io::Result<Vec<Sibling>> {
    let target = path.canonicalize().ok();
    // Each directory once, with the names that the file has in it.
    let mut dirs: BTreeMap<PathBuf, Vec<&OsStr>> = BTreeMap::new();
    for own in std::iter::once(path).chain(target.as_deref()) {
        match parent(own).canonicalize() {
            Ok(dir) => dirs.entry(dir).or_default().extend(own.file_name()),
            Err(error) if is_not_ours(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let mut all = Vec::new();
    for (dir, names) in dirs {
        // A file that vanishes while the directory is read is not the one.
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if is_not_ours(&error) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.take(MOST_ENTRIES).flatten() {
            if let Ok(meta) = entry.metadata()
                && meta.is_file()
            {
                all.push(sibling(&names, &entry, meta));
            }
        }
    }
    Ok(all)
}

fn sibling(names: &[&OsStr], entry: &DirEntry, meta: Metadata) -> Sibling {
    let name = entry.file_name();
    let rest = |own: &&OsStr| {
        let own = own.as_encoded_bytes();
        name.as_encoded_bytes()
            .strip_prefix(own)
            .map(<[u8]>::to_vec)
    };
    let rests: Vec<Vec<u8>> = names.iter().filter_map(rest).collect();
    Sibling {
        path: entry.path(),
        meta,
        is_own: rests.iter().any(Vec::is_empty),
        is_related: !rests.is_empty(),
        is_rotated: rests.iter().any(|rest| is_rotated(rest)),
    }
}

/// Returns the directory of a path; `.` for a bare name.
pub(in crate::intake::source) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// Tells whether the rest of a name is what rotation adds.
fn is_rotated(rest: &[u8]) -> bool {
    let rest = rest.strip_suffix(b".gz").unwrap_or(rest);
    let separates = |b: &u8| matches!(b, b'.' | b'-' | b'_');
    rest.first().is_some_and(separates)
        && rest.iter().any(u8::is_ascii_digit)
        && rest
            .iter()
            .all(|b| b.is_ascii_digit() || separates(b) || *b == b'T')
}
