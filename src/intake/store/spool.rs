//! Append-only segments of raw bytes.
//!
//! The database points into them by segment, offset and length. Bytes that nothing points at, left by a crash between
//! the spool and the commit, are harmless.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, IoSlice, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::StoreError;

/// A segment that has reached this many bytes is not appended to any more.
const SEGMENT_BYTES: u64 = 64 << 20;

/// Keeps a segment readable with ordinary tools.
const END: &[u8] = b"\n";

/// Pieces that are written at a time, each with its end: the system takes 1,024 parts (`UIO_MAXIOV`).
const AT_ONCE: usize = 512;

/// Where some raw bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the segment.
    pub segment: u32,
    /// First byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// The segments of one store.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    mode: u32,
    lock: File,
    /// [`SEGMENT_BYTES`], or less in tests.
    pub(super) segment_bytes: u64,
}

/// Exclusive right to append, given back on drop.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the descriptor would not release it: the spool keeps another one of the same open file.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Writes pieces, each with its end, from where they lie.
fn write_lines(file: &mut File, pieces: &[&[u8]]) -> io::Result<()> {
    for pieces in pieces.chunks(AT_ONCE) {
        let parts = pieces.iter().flat_map(|piece| [*piece, END]);
        let mut parts: Vec<IoSlice<'_>> = parts.map(IoSlice::new).collect();
        let mut rest = parts.as_mut_slice();
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

impl Spool {
    /// Opens the spool in `dir`.
    pub fn open(dir: &Path, shared: bool) -> Result<Self, StoreError> {
        if !dir.is_dir() {
            let mode = if shared { 0o2770 } else { 0o700 };
            match DirBuilder::new().mode(mode).create(dir) {
                Ok(()) => fs::set_permissions(dir, Permissions::from_mode(mode))
                    .map_err(StoreError::io(dir))?,
                // Another process was sooner, and sees to its permissions.
                Err(_) if dir.is_dir() => {}
                Err(error) => return Err(StoreError::io(dir)(error)),
            }
        }
        let path = dir.join("lock");
        super::open::touch(&path, shared)?;
        let lock = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(StoreError::io(&path))?;
        let mode = if shared { 0o660 } else { 0o600 };
        Ok(Self {
            dir: dir.to_owned(),
            mode,
            lock,
            segment_bytes: SEGMENT_BYTES,
        })
    }

    /// Makes a file without a name beside the segments.
    pub fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.dir)
    }

    /// Opens a spool that cannot be written.
    pub fn open_fixed(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("lock");
        Ok(Self {
            dir: dir.to_owned(),
            mode: 0o600,
            lock: File::open(&path).map_err(StoreError::io(&path))?,
            segment_bytes: SEGMENT_BYTES,
        })
    }

    /// Waits until no other process appends.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        let failed = StoreError::io(&self.dir);
        let locked = flock(&self.lock, FlockOperation::LockExclusive).map_err(Into::into);
        locked
            .and_then(|()| self.lock.try_clone())
            .map(Lock)
            .map_err(failed)
    }

    /// Appends pieces and makes them durable; one `fdatasync` for all of them. The caller holds the lock.
    pub fn append<'p>(
        &self,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Result<Vec<Place>, StoreError> {
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return Ok(Vec::new());
        }
        let (segment, mut file, start) = self.current()?;
        let pieces: Vec<&[u8]> = pieces.collect();
        let mut offset = start;
        let places = pieces.iter().map(|piece| {
            let length = piece.len() as u64;
            let place = Place {
                segment,
                offset,
                length,
            };
            offset += length + END.len() as u64;
            place
        });
        let places = places.collect();
        let written = write_lines(&mut file, &pieces).and_then(|()| file.sync_data());
        written.map_err(StoreError::io(&self.path(segment)))?;
        Ok(places)
    }

    /// Reads bytes back.
    pub fn read(&self, place: Place) -> Result<Vec<u8>, StoreError> {
        let path = self.path(place.segment);
        let file = File::open(&path).map_err(StoreError::io(&path))?;
        let size = file.metadata().map_err(StoreError::io(&path))?.len();
        if place
            .offset
            .checked_add(place.length)
            .is_none_or(|end| end > size)
        {
            let what = format!(
                "spool segment {} ends before byte {}",
                path.display(),
                place.offset
            );
            return Err(StoreError::Damaged { what });
        }
        let mut bytes = vec![0; place.length as usize];
        file.read_exact_at(&mut bytes, place.offset)
            .map_err(StoreError::io(&path))?;
        Ok(bytes)
    }

    fn path(&self, segment: u32) -> PathBuf {
        self.dir.join(format!("{segment:08}.seg"))
    }

    /// Opens the segment to append to and tells its number and length.
    fn current(&self) -> Result<(u32, File, u64), StoreError> {
        let mut segment = self.newest()?;
        loop {
            let path = self.path(segment);
            let is_new = !path.exists();
            let mut options = OpenOptions::new();
            let file = options
                .append(true)
                .create(true)
                .mode(self.mode)
                .open(&path);
            let file = file.map_err(StoreError::io(&path))?;
            if is_new {
                let mode = Permissions::from_mode(self.mode);
                let named = File::open(&self.dir).and_then(|d| d.sync_all());
                file.set_permissions(mode)
                    .and(named)
                    .map_err(StoreError::io(&path))?;
            }
            let length = file.metadata().map_err(StoreError::io(&path))?.len();
            if length < self.segment_bytes {
                return Ok((segment, file, length));
            }
            segment += 1;
        }
    }

    /// Finds the highest segment number in use; 1 when there is none.
    fn newest(&self) -> Result<u32, StoreError> {
        Ok(self.segments()?.last().map_or(1, |(number, _)| *number))
    }

    /// Lists the segments, each with its bytes, the newest last.
    pub fn segments(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(StoreError::io(&self.dir))? {
            let entry = entry.map_err(StoreError::io(&self.dir))?;
            let name = entry.file_name();
            let number = name
                .to_str()
                .and_then(|n| n.strip_suffix(".seg")?.parse::<u32>().ok());
            if let Some(number) = number {
                // One that went away meanwhile takes nothing.
                found.push((number, entry.metadata().map_or(0, |found| found.len())));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Returns how many bytes all segments take.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.segments()?.iter().map(|(_, bytes)| bytes).sum())
    }

    /// Removes a segment into which nothing points. The caller holds the lock.
    pub fn remove(&self, segment: u32) -> Result<(), StoreError> {
        let path = self.path(segment);
        fs::remove_file(&path).map_err(StoreError::io(&path))
    }
}
