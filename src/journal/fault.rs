//! A system whose k-th call fails, for tests.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::io::Errno;

use super::fs::{Fs, How, Real};

/// Fails call number `at` (from 0), and with `sticky` every later one too.
#[derive(Debug)]
pub struct Faulty {
    pub at: usize,
    pub error: Errno,
    pub sticky: bool,
    /// A failing write takes half of the bytes instead.
    pub short: bool,
    pub calls: AtomicUsize,
}

impl Faulty {
    pub fn new(at: usize, error: Errno) -> Self {
        Self {
            at,
            error,
            sticky: false,
            short: false,
            calls: AtomicUsize::new(0),
        }
    }

    fn gate(&self) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call == self.at || (self.sticky && call > self.at) {
            return Err(self.error.into());
        }
        Ok(())
    }

    pub fn fired(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > self.at
    }
}

impl Fs for Faulty {
    fn mkdir(&self, dir: &File, name: &str, mode: u32) -> io::Result<()> {
        self.gate()?;
        Real.mkdir(dir, name, mode)
    }
    fn open(&self, dir: &File, name: &str, how: How, mode: u32) -> io::Result<File> {
        self.gate()?;
        Real.open(dir, name, how, mode)
    }
    fn chmod(&self, file: &File, mode: u32) -> io::Result<()> {
        self.gate()?;
        Real.chmod(file, mode)
    }
    fn try_lock(&self, file: &File) -> io::Result<bool> {
        self.gate()?;
        Real.try_lock(file)
    }
    fn len(&self, file: &File) -> io::Result<u64> {
        self.gate()?;
        Real.len(file)
    }
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.gate()?;
        Real.read_at(file, buffer, offset)
    }
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        match self.gate() {
            Err(_) if self.short => Real.write(file, &bytes[..bytes.len() / 2]),
            Err(e) => Err(e),
            Ok(()) => Real.write(file, bytes),
        }
    }
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        match self.gate() {
            Err(_) if self.short => Real.write_at(file, &bytes[..bytes.len() / 2], offset),
            Err(e) => Err(e),
            Ok(()) => Real.write_at(file, bytes, offset),
        }
    }
    fn len_under(&self, dir: &File, name: &str, file: &File) -> io::Result<Option<u64>> {
        self.gate()?;
        Real.len_under(dir, name, file)
    }
    fn is_there(&self, dir: &File, name: &str) -> io::Result<bool> {
        self.gate()?;
        Real.is_there(dir, name)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        self.gate()?;
        Real.sync(file)
    }
    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        self.gate()?;
        Real.sync_dir(dir)
    }
    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.gate()?;
        Real.truncate(file, len)
    }
    fn reserve(&self, file: &File, offset: u64, len: u64) -> io::Result<()> {
        self.gate()?;
        Real.reserve(file, offset, len)
    }
    fn rename(&self, from: &File, old: &str, to: &File, new: &str) -> io::Result<()> {
        self.gate()?;
        Real.rename(from, old, to, new)
    }
    fn remove(&self, dir: &File, name: &str) -> io::Result<()> {
        self.gate()?;
        Real.remove(dir, name)
    }
    fn list(&self, dir: &File) -> io::Result<Vec<String>> {
        self.gate()?;
        Real.list(dir)
    }
    fn magic(&self, dir: &File) -> io::Result<u64> {
        self.gate()?;
        Real.magic(dir)
    }
}

/// A disk that works until it is told not to.
#[derive(Debug, Default)]
pub struct Disk {
    /// Nothing reaches the device any more, and once that was so nothing is believed.
    pub lost: AtomicBool,
    /// Nothing fits any more, not even what room was reserved for.
    pub full: AtomicBool,
}

impl Fs for Disk {
    fn sync(&self, file: &File) -> io::Result<()> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Errno::IO.into());
        }
        Real.sync(file)
    }
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Errno::NOSPC.into());
        }
        Real.write(file, bytes)
    }
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Errno::NOSPC.into());
        }
        Real.write_at(file, bytes, offset)
    }
    fn reserve(&self, file: &File, offset: u64, len: u64) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Errno::NOSPC.into());
        }
        Real.reserve(file, offset, len)
    }
}
