//! Every system call of the journal on one seam, so that tests can make the k-th of them fail.
//!
//! Files are opened relative to an open directory and never through a symbolic link.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{AtFlags, FallocateFlags, FileType, Mode, OFlags, StatxFlags};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A directory.
    Dir,
    /// For reading.
    Read,
    /// For reading and appending, made when missing.
    Append,
    /// For writing, made new; an existing one is an error.
    New,
    /// For reading and writing, made when missing.
    Create,
    /// For writing over what is there.
    Overwrite,
}

/// What a file is. Its times are not asked for: since Linux 6.13 the write after such a question stamps the file anew, and
/// every wait for the disk that follows takes half as long again (multigrain timestamps).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Bytes.
    pub len: u64,
    /// Device and inode.
    pub node: (u32, u32, u64),
    /// How many names it has.
    pub links: u32,
    /// Whose it is.
    pub owner: u32,
    /// Whether it is a plain file.
    pub plain: bool,
}

impl Looked {
    /// Looks at an open file.
    pub fn at(file: &File) -> rustix::io::Result<Self> {
        Self::of(file, "", AtFlags::EMPTY_PATH)
    }

    /// Looks at what stands under `name` in `dir`, and not at what a symbolic link points to.
    fn under(dir: &File, name: &str) -> rustix::io::Result<Self> {
        Self::of(dir, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn of(file: &File, name: &str, flags: AtFlags) -> rustix::io::Result<Self> {
        let wanted = StatxFlags::TYPE
            | StatxFlags::NLINK
            | StatxFlags::UID
            | StatxFlags::INO
            | StatxFlags::SIZE;
        let found = rustix::fs::statx(file, name, flags, wanted)?;
        Ok(Self {
            len: found.stx_size,
            node: (found.stx_dev_major, found.stx_dev_minor, found.stx_ino),
            links: found.stx_nlink,
            owner: found.stx_uid,
            plain: FileType::from_raw_mode(found.stx_mode.into()) == FileType::RegularFile,
        })
    }
}

/// The system as the journal uses it. The default methods are the real thing.
pub trait Fs: Send + Sync {
    /// Makes a directory; one that is there already is fine.
    fn mkdir(&self, dir: &File, name: &str, mode: u32) -> io::Result<()> {
        match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode)) {
            Err(e) if e != rustix::io::Errno::EXIST => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Opens `name` in `dir`.
    fn open(&self, dir: &File, name: &str, how: How, mode: u32) -> io::Result<File> {
        // Without NONBLOCK a planted fifo would hang the reader.
        let common = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = match how {
            How::Dir => OFlags::RDONLY | OFlags::DIRECTORY,
            How::Read => OFlags::RDONLY,
            How::Append => OFlags::RDWR | OFlags::APPEND | OFlags::CREATE,
            How::New => OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
            How::Create => OFlags::RDWR | OFlags::CREATE,
            How::Overwrite => OFlags::WRONLY,
        };
        let fd = rustix::fs::openat(dir, name, common | flags, Mode::from_raw_mode(mode))?;
        Ok(File::from(fd))
    }

    /// Sets exact permissions, whatever the umask.
    fn chmod(&self, file: &File, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?)
    }

    /// Takes the exclusive lock if it is free.
    fn try_lock(&self, file: &File) -> io::Result<bool> {
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        }
    }

    /// Returns the size in bytes.
    fn len(&self, file: &File) -> io::Result<u64> {
        Ok(Looked::at(file)?.len)
    }

    /// Returns the size of `file` if it is what stands under `name` in `dir`; `None` when that was taken away or
    /// exchanged.
    fn len_under(&self, dir: &File, name: &str, file: &File) -> io::Result<Option<u64>> {
        let there = match Looked::under(dir, name) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            other => other?,
        };
        let held = Looked::at(file)?;
        Ok((there.node == held.node).then_some(held.len))
    }

    /// Tells whether anything stands under `name` in `dir`.
    fn is_there(&self, dir: &File, name: &str) -> io::Result<bool> {
        match Looked::under(dir, name) {
            Err(rustix::io::Errno::NOENT) => Ok(false),
            other => Ok(other.map(|_| true)?),
        }
    }

    /// Reads at an offset.
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    /// Writes once; may take less than all.
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(file, bytes)?)
    }

    /// Writes once at an offset; may take less than all.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }

    /// Waits until content is on the device (fdatasync).
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Waits until names in a directory are on the device.
    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        dir.sync_all()
    }

    /// Cuts a file.
    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    /// Reserves room behind the end without changing the size (fallocate(2), `FALLOC_FL_KEEP_SIZE`).
    fn reserve(&self, file: &File, offset: u64, len: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(
            file,
            FallocateFlags::KEEP_SIZE,
            offset,
            len,
        )?)
    }

    /// Gives a file another name and place.
    fn rename(&self, from: &File, old: &str, to: &File, new: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(from, old, to, new)?)
    }

    /// Removes a file.
    fn remove(&self, dir: &File, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
    }

    /// Reads `CLOCK_BOOTTIME`, in nanoseconds.
    fn boot_clock(&self) -> u64 {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        (t.tv_sec as u64)
            .saturating_mul(1_000_000_000)
            .saturating_add(t.tv_nsec as u64)
    }

    /// Returns whether the wall clock was synchronised since boot; `None` when nothing on this system tells.
    fn synchronised(&self) -> Option<bool> {
        super::clock::synchronised()
    }

    /// Lists names in a directory, sorted; names that are not UTF-8 are left out.
    fn list(&self, dir: &File) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(dir.as_fd())? {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Returns the file system's magic number (statfs(2)).
    fn magic(&self, dir: &File) -> io::Result<u64> {
        Ok(rustix::fs::fstatfs(dir)?.f_type as u64)
    }
}

/// The real system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Real;

impl Fs for Real {}

/// Writes everything or says how much of it did not go; `EINTR` before the first byte is tried again.
pub fn write_once(fs: &dyn Fs, file: &File, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match fs.write(file, bytes) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// As [`write_once`], at an offset.
pub fn write_once_at(fs: &dyn Fs, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    loop {
        match fs.write_at(file, bytes, offset) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Returns where the lines of a segment end, `from` at least: a writer keeps room behind them, which is NUL bytes. What
/// was written later than bytes that never arrived ends behind the last byte that did.
pub fn content_end(fs: &dyn Fs, file: &File, from: u64) -> io::Result<u64> {
    let mut end = fs.len(file)?;
    // Most segments have no room behind them, and their last byte says so.
    let mut chunk = 1;
    let mut buffer = Vec::new();
    while end > from {
        let start = end.saturating_sub(chunk).max(from);
        buffer.clear();
        let read = read_onto(fs, file, start, (end - start) as usize, &mut buffer)?;
        if let Some(last) = last_used(&buffer) {
            return Ok(start + last as u64 + 1);
        }
        // One that was cut meanwhile ends where it was cut at the latest.
        end = start.min(start + read as u64);
        chunk = 64 * 1024;
    }
    Ok(from.max(end))
}

/// Finds the last byte that is no NUL. Whole pieces are passed over at once: whoever follows a log goes through its room
/// with every look.
fn last_used(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    for piece in bytes.rchunks(256) {
        end -= piece.len();
        if piece.iter().fold(0, |any, b| any | b) != 0 {
            return piece.iter().rposition(|b| *b != 0).map(|at| end + at);
        }
    }
    None
}

/// Reads from `offset` to the end, at most `most` bytes.
pub fn read_from(fs: &dyn Fs, file: &File, mut offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut buffer = vec![0; most.min(64 * 1024)];
    while out.len() < most {
        let room = buffer.len().min(most - out.len());
        match fs.read_at(file, &mut buffer[..room], offset) {
            Ok(0) => break,
            Ok(n) => {
                out.extend_from_slice(&buffer[..n]);
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(out)
}

/// Reads at most `most` bytes from `offset` behind what `out` holds, and returns how many there were.
pub fn read_onto(
    fs: &dyn Fs,
    file: &File,
    offset: u64,
    most: usize,
    out: &mut Vec<u8>,
) -> io::Result<usize> {
    let start = out.len();
    // A small log needs no large buffer; one that grows meanwhile is read on by the next call.
    let there = fs.len(file)?.saturating_sub(offset);
    let most = most.min(usize::try_from(there).unwrap_or(most));
    out.resize(start + most, 0);
    let mut end = start;
    while end < out.len() {
        match fs.read_at(file, &mut out[end..], offset + (end - start) as u64) {
            Ok(0) => break,
            Ok(n) => end += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                out.truncate(start);
                return Err(e);
            }
        }
    }
    out.truncate(end);
    Ok(end - start)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::last_used;

    #[rstest]
    #[case(0, &[])]
    #[case(700, &[])]
    #[case(1, &[0])]
    #[case(700, &[0])]
    #[case(700, &[3, 443])]
    #[case(700, &[444])]
    #[case(700, &[188, 699])]
    #[case(512, &[255, 256])]
    fn finds_the_last_byte_that_is_used(#[case] len: usize, #[case] used: &[usize]) {
        let mut bytes = vec![0; len];
        for at in used {
            bytes[*at] = b'x';
        }
        assert_eq!(last_used(&bytes), used.last().copied());
    }
}
