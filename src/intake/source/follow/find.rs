//! Finding the file that was read before, wherever a rotation put it.

use std::fs::{self, DirEntry, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::open::{Open, holds};
use crate::intake::store::FileCursor;

/// How the names of packed files end.
const PACKED: &str = "gz";

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

/// Finds the file a cursor was made for: the same inode with the same content before the cursor, else the same content
/// under another inode (a copy that was made before a truncation, a file system that was restored).
pub(super) fn cursor(path: &Path, cursor: &FileCursor) -> io::Result<Option<File>> {
    let by_inode = |meta: &Metadata| meta.dev() == cursor.dev && meta.ino() == cursor.ino;
    let whole_directory = cursor.offset > 0;
    for (entry, _) in siblings(path)?.filter(|(_, meta)| by_inode(meta)) {
        // Without content to compare, a reused inode is only believed where the name fits.
        if whole_directory || is_related(path, &entry) {
            let file = open(&entry.path())?;
            if holds(&file, cursor)? {
                return Ok(Some(file));
            }
        }
    }
    if cursor.offset == 0 {
        return Ok(None);
    }
    if let Some(copy) = copy(path, cursor)? {
        return Ok(Some(copy));
    }
    match open(path) {
        Ok(file) => Ok(holds(&file, cursor)?.then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Finds another file of the same name family that holds the content before the cursor, the newest first.
pub(super) fn copy(path: &Path, cursor: &FileCursor) -> io::Result<Option<File>> {
    if cursor.offset == 0 {
        return Ok(None);
    }
    let own = path.file_name();
    let mut found: Vec<(DirEntry, Metadata)> = siblings(path)?
        .filter(|(entry, _)| is_related(path, entry) && Some(&*entry.file_name()) != own)
        .filter(|(_, meta)| meta.len() >= cursor.offset)
        .collect();
    found.sort_by_key(|(_, meta)| std::cmp::Reverse(modified(meta)));
    for (entry, _) in found {
        let file = open(&entry.path())?;
        if holds(&file, cursor)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// A file beside the one that is read.
pub(super) struct Sibling {
    pub path: PathBuf,
    pub meta: Metadata,
}

impl Sibling {
    /// Tells whether it is packed: by gzip, whose files end so.
    pub fn is_packed(&self) -> bool {
        self.path.extension().is_some_and(|end| end == PACKED)
    }
}

/// Lists the rotated files written after `current`, the oldest first: `<name>` followed by digits and separators, as log
/// rotation names them, possibly packed.
pub(super) fn later_rotated(path: &Path, current: &Open) -> io::Result<Vec<Sibling>> {
    let since = modified(&current.file.metadata()?);
    let mut later: Vec<Sibling> = siblings(path)?
        .filter(|(entry, _)| is_rotated(path, entry))
        .filter(|(_, meta)| modified(meta) > since && !current.is(meta))
        .map(sibling)
        .filter(is_finished)
        .collect();
    later.sort_by_key(|found| modified(&found.meta));
    Ok(later)
}

/// Lists the packed files of the name family, the newest first.
pub(super) fn packed(path: &Path) -> io::Result<Vec<Sibling>> {
    let mut found: Vec<Sibling> = siblings(path)?
        .filter(|(entry, _)| is_related(path, entry))
        .map(sibling)
        .filter(|found| found.is_packed() && is_finished(found))
        .collect();
    found.sort_by_key(|found| std::cmp::Reverse(modified(&found.meta)));
    Ok(found)
}

fn sibling((entry, meta): (DirEntry, Metadata)) -> Sibling {
    let path = entry.path();
    Sibling { path, meta }
}

/// Tells whether nobody writes a packed file any more: as long as what it is made of is still beside it, somebody may.
fn is_finished(found: &Sibling) -> bool {
    !(found.is_packed() && found.path.with_extension("").exists())
}

fn modified(meta: &Metadata) -> (i64, i64) {
    (meta.mtime(), meta.mtime_nsec())
}

/// Lists the regular files beside `path`; none when the directory is gone.
fn siblings(path: &Path) -> io::Result<impl Iterator<Item = (DirEntry, Metadata)>> {
    let parent = parent(path);
    let entries = match fs::read_dir(parent) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(entries
        .into_iter()
        .flatten()
        .take(MOST_ENTRIES)
        .filter_map(|entry| {
            // A file that vanishes while the directory is read is not the one.
            let entry = entry.ok()?;
            let meta = entry.metadata().ok()?;
            meta.is_file().then_some((entry, meta))
        }))
}

/// Returns the directory of a path; `.` for a bare name.
pub(in crate::intake::source) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

fn is_related(path: &Path, entry: &DirEntry) -> bool {
    let own = path.file_name().unwrap_or_default().as_encoded_bytes();
    entry.file_name().as_encoded_bytes().starts_with(own)
}

fn is_rotated(path: &Path, entry: &DirEntry) -> bool {
    let own = path.file_name().unwrap_or_default().as_encoded_bytes();
    let name = entry.file_name();
    let Some(rest) = name.as_encoded_bytes().strip_prefix(own) else {
        return false;
    };
    let rest = rest.strip_suffix(b".gz").unwrap_or(rest);
    let separates = |b: &u8| matches!(b, b'.' | b'-' | b'_');
    rest.first().is_some_and(separates)
        && rest.iter().any(u8::is_ascii_digit)
        && rest
            .iter()
            .all(|b| b.is_ascii_digit() || separates(b) || *b == b'T')
}
