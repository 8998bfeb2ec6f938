//! Room of written NUL bytes behind the lines of a console that writes much: bringing bytes to the disk that take the
//! place of others is half the wait, as neither the size of the file nor where it lies changes.
//!
//! It is no content: readers stop at it, and a console that ends takes it back. What a stopped one leaves is gone on with.

use super::super::fs::{content_end, write_once_at};
use super::super::lock::Lock;
use super::{State, Writer};

/// Bytes of room. One write in some hundreds makes new room, so that it shows in no percentile that anybody looks at.
const SIZE: u64 = 256 * 1024;
/// Whoever writes less often than this needs none: it would be written and taken back for nothing.
const FROM: u32 = 3;

/// How much room there is, and may be.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    size: u64,
    /// Appends before the first room is made.
    from: u32,
    appends: u32,
    /// The size of the file, as found last.
    pub len: u64,
}

impl Room {
    /// None yet; never any on a file system where locks may not hold, as appending is safer there.
    pub const fn new(network: bool) -> Self {
        Self {
            size: SIZE,
            from: if network { u32::MAX } else { FROM },
            appends: 0,
            len: 0,
        }
    }

    /// Notes that somebody appends to a file of `len` bytes.
    pub fn append(&mut self, len: u64) {
        self.appends = self.appends.saturating_add(1);
        self.len = len;
    }

    /// Bytes of new room to be written behind a line that ends at `end`.
    fn wanted(&self, end: u64) -> u64 {
        let any = self.appends > self.from && end > self.len;
        if any { self.size } else { 0 }
    }
}

impl Writer {
    /// Writes at the end of the lines in one call, with new room behind them where that is due. Tells how many of
    /// the bytes went.
    pub(super) fn write_here(&mut self, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
        let (at, lines) = (self.walk.good.offset, bytes.len());
        let room = self.behind.wanted(at + lines as u64);
        bytes.resize(lines + room as usize, 0);
        let written = write_once_at(&*self.log.fs, &self.segment, bytes, at);
        bytes.truncate(lines);
        let n = written?;
        self.behind.len = self.behind.len.max(at + n as u64);
        // Room that did not fit is no loss.
        Ok(n.min(lines))
    }

    /// Takes the room back. Whatever another console wrote into it stays.
    fn take_room_back(&mut self) -> std::io::Result<()> {
        let (fs, end) = (&*self.log.fs, self.walk.good.offset);
        if content_end(fs, &self.segment, end)? == end && fs.len(&self.segment)? > end {
            fs.truncate(&self.segment, end)?;
        }
        self.behind.len = end;
        Ok(())
    }

    /// A segment that is gone on from needs no room any more. One that keeps it is as good.
    pub(super) fn leave_segment(&mut self) {
        if self.behind.len > self.walk.good.offset {
            let _ = self.take_room_back();
        }
        self.behind.len = 0;
    }

    /// Makes room from this append on, of so many bytes, as nobody wants to write many records first.
    #[cfg(test)]
    pub(in super::super) fn keep_room(&mut self, from: u32, size: u64) {
        (self.behind.from, self.behind.size) = (from, size);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let any = self.behind.len > self.walk.good.offset;
        if any
            && !matches!(self.state, State::Poisoned(_))
            && let Ok(Some(_held)) = Lock::try_take(&self.log, &self.lock)
        {
            // Room that stays is found by the next console and gone on with.
            let _ = self.take_room_back();
        }
    }
}
