//! One file that is being read.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::find;
use crate::intake::decode::hex;
use crate::intake::source::batch::Builder;
use crate::intake::source::lines::{Line, Lines};
use crate::intake::source::under_way;
use crate::intake::store::FileCursor;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// Most pieces of [`CHUNK`] bytes whose memory is kept for the next: what full batches take, one that is read and those
/// on their way to the disk.
const MOST_SPARE: usize = 24 * (under_way::MOST + 1);

/// Memory of pieces that nobody looks at any more. An allocator gives it back to the system, and gets it anew for the next
/// batch page by page, which takes longer than reading. While nothing is read none is kept.
#[derive(Clone, Debug, Default)]
struct Spare(Arc<Mutex<Pieces>>);

#[derive(Debug, Default)]
struct Pieces {
    kept: Vec<Vec<u8>>,
    /// How many may be kept.
    most: usize,
}

/// A piece whose memory comes back when its last line is dropped.
struct Lent(Vec<u8>, Spare);

impl Spare {
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<u8> {
        let mut pieces = self.pieces();
        pieces.most = MOST_SPARE;
        let known = pieces.kept.pop();
        drop(pieces);
        known.unwrap_or_else(|| Vec::with_capacity(CHUNK))
    }

    fn lend(&self, piece: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent(piece, self.clone()))
    }

    fn give_back(&self, mut piece: Vec<u8>) {
        piece.clear();
        let mut pieces = self.pieces();
        if pieces.kept.len() < pieces.most {
            pieces.kept.push(piece);
        }
    }

    /// Keeps none until the next is taken.
    fn give_up(&self) {
        *self.pieces() = Pieces::default();
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.1.give_back(std::mem::take(&mut self.0));
    }
}

/// Bytes one step reads at most when no line ends in them.
const MOST_UNFINISHED: usize = 4 << 20;

/// Bytes at the start and before the place reached by which a content is recognised: some lines of most logs, so that lines
/// which differ only in their middle are told apart.
const SAMPLE: usize = 4_096;

/// How many there were when cursors were first stored.
const FIRST_SAMPLE: usize = 256;

/// Samples of what was read of a file up to some place.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    head: Vec<u8>,
    tail: Vec<u8>,
    at: u64,
}

impl Samples {
    /// Takes samples of `file` before `at`; `None` when it is shorter.
    fn of(file: &File, at: u64) -> io::Result<Option<Self>> {
        if file.metadata()?.len() < at {
            return Ok(None);
        }
        let length = at.min(SAMPLE as u64);
        let mut samples = Self {
            head: vec![0; length as usize],
            tail: vec![0; length as usize],
            at,
        };
        let read = file
            .read_exact_at(&mut samples.head, 0)
            .and_then(|()| file.read_exact_at(&mut samples.tail, at - length));
        match read {
            Ok(()) => Ok(Some(samples)),
            // It shrank in between.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns up to where they were taken.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Takes samples of what follows.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.at += bytes.len() as u64;
        let room = SAMPLE - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let last = &bytes[bytes.len().saturating_sub(SAMPLE)..];
        let keep = SAMPLE - last.len();
        self.tail.drain(..self.tail.len().saturating_sub(keep));
        self.tail.extend_from_slice(last);
    }

    fn hold_for(&self, file: &File) -> io::Result<bool> {
        let now = Self::of(file, self.at)?;
        Ok(now.is_some_and(|now| now.head == self.head && now.tail == self.tail))
    }

    /// Puts them where they were taken in a file that has nothing else before that place, and goes there.
    pub fn put_into(&self, file: &mut File) -> io::Result<()> {
        file.write_all_at(&self.head, 0)?;
        file.write_all_at(&self.tail, self.at - self.tail.len() as u64)?;
        file.seek(SeekFrom::Start(self.at))?;
        Ok(())
    }

    fn fingerprint(&self, length: usize) -> String {
        let head = &self.head[..self.head.len().min(length)];
        let tail = &self.tail[self.tail.len().saturating_sub(length)..];
        hex(&Sha256::new_with_prefix(head).chain_update(tail).finalize())
    }

    /// Tells whether they are those of a cursor.
    pub fn are_of(&self, cursor: &FileCursor) -> bool {
        let is = |length| self.fingerprint(length) == cursor.fingerprint;
        self.at == cursor.offset && (is(SAMPLE) || is(FIRST_SAMPLE))
    }
}

/// Tells whether the content before the cursor stands in `file`.
pub(super) fn holds(file: &File, cursor: &FileCursor) -> io::Result<bool> {
    let samples = Samples::of(file, cursor.offset)?;
    Ok(samples.is_some_and(|samples| samples.are_of(cursor)))
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Open {
    pub file: File,
    pub generation: u64,
    /// From when on other files may have been written after this one, where it was read before: it may have been written on
    /// since.
    pub since: Option<(i64, i64)>,
    dev: u64,
    ino: u64,
    /// Samples of everything cut into lines.
    at_offset: Samples,
    /// Samples of everything cut or held as the unfinished line.
    at_end: Samples,
    /// Read from the file, and up to where it was looked at. Lines share it.
    ahead: Bytes,
    looked: usize,
    spare: Spare,
    lines: Lines,
}

/// What filling a batch found.
pub(super) struct Filled {
    /// Whether nothing more can be read from this file now.
    pub is_end: bool,
    /// Whether a line ended.
    pub took_lines: bool,
}

impl Open {
    /// Starts reading `file` at `offset`.
    pub fn at(mut file: File, generation: u64, offset: u64) -> io::Result<Self> {
        let meta = file.metadata()?;
        file.seek(SeekFrom::Start(offset))?;
        let samples = Samples::of(&file, offset)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Self {
            file,
            generation,
            since: None,
            dev: meta.dev(),
            ino: meta.ino(),
            at_offset: samples.clone(),
            at_end: samples,
            ahead: Bytes::new(),
            looked: 0,
            spare: Spare::default(),
            lines: Lines::default(),
        })
    }

    /// Tells whether this is the file with that description.
    pub fn is(&self, meta: &std::fs::Metadata) -> bool {
        (self.dev, self.ino) == (meta.dev(), meta.ino())
    }

    /// Returns the place to go on from once everything cut so far is stored.
    pub fn cursor(&self) -> FileCursor {
        self.place(&self.at_offset)
    }

    /// Returns the place up to which bytes were read, the unfinished line included: more to recognise a copy by.
    pub fn read_to(&self) -> FileCursor {
        self.place(&self.at_end)
    }

    fn place(&self, samples: &Samples) -> FileCursor {
        FileCursor {
            generation: self.generation,
            dev: self.dev,
            ino: self.ino,
            offset: samples.at,
            fingerprint: samples.fingerprint(SAMPLE),
            written: self.written(),
            left: Vec::new(),
        }
    }

    /// Adds lines until the batch is full or the file ends.
    pub fn fill(&mut self, builder: &mut Builder) -> io::Result<Filled> {
        let before = self.at_offset.at;
        let mut unfinished = 0;
        let mut is_end = false;
        while !builder.is_full() && unfinished < MOST_UNFINISHED {
            if self.looked == self.ahead.len() && !self.read_chunk()? {
                is_end = true;
                break;
            }
            let ahead = std::mem::take(&mut self.ahead);
            let begin = self.looked;
            let (mut taken, mut ended) = (begin, begin);
            while taken < ahead.len() && !builder.is_full() {
                let (count, line) = self.lines.feed_shared(&ahead, taken);
                taken += count;
                match line {
                    Some(line) => {
                        (ended, unfinished) = (taken, 0);
                        builder.add(line);
                    }
                    None => unfinished += count,
                }
            }
            self.at_end.extend(&ahead[begin..ended]);
            if ended > begin {
                self.line_ended();
            }
            self.at_end.extend(&ahead[ended..taken]);
            (self.ahead, self.looked) = (ahead, taken);
        }
        Ok(Filled {
            is_end,
            took_lines: self.at_offset.at > before,
        })
    }

    /// Reads on. Tells whether there was anything, and anything that belongs behind what was read before: a file that
    /// was cut and written anew would be read from the middle of other lines.
    fn read_chunk(&mut self) -> io::Result<bool> {
        (self.ahead, self.looked) = (Bytes::new(), 0);
        let mut chunk = self.spare.take();
        let mut part = Read::by_ref(&mut self.file).take(CHUNK as u64);
        part.read_to_end(&mut chunk)?;
        // Looked at after the read: what holds now held while it was read.
        if chunk.is_empty() || !self.is_as_read()? {
            self.spare.give_back(chunk);
            return Ok(false);
        }
        self.ahead = self.spare.lend(chunk);
        Ok(true)
    }

    fn line_ended(&mut self) {
        self.at_offset.clone_from(&self.at_end);
    }

    /// Gives back memory for what is read: there is nothing more for now.
    pub fn rest(&self) {
        self.spare.give_up();
    }

    /// Ends the unfinished line.
    pub fn flush(&mut self) -> Option<Line> {
        let line = self.lines.flush()?;
        self.line_ended();
        Some(line)
    }

    /// Returns when the file was written last.
    pub fn written(&self) -> (i64, i64) {
        self.file
            .metadata()
            .map_or((0, 0), |meta| find::modified(&meta))
    }

    /// Takes the unfinished line if it is whole already.
    pub fn take_whole_partial(&mut self, builder: &mut Builder) {
        let whole = |text: &[u8]| builder.peek(text).is_ok();
        if self.lines.peek().is_some_and(whole)
            && let Some(line) = self.lines.flush()
        {
            builder.add(line);
            self.line_ended();
        }
    }

    /// Tells whether what was read so far still stands in the file.
    pub fn is_as_read(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() >= self.at_end.at && self.at_offset.hold_for(&self.file)?)
    }

    /// Tells whether there is more than was read.
    pub fn has_grown(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() > self.at_end.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_for_the_next_piece_and_goes_while_nothing_is_read() {
        let spare = Spare::default();
        let kept = || spare.pieces().kept.len();
        let lent = spare.lend(spare.take());
        let still_read = lent.clone();
        drop(lent);
        assert_eq!(kept(), 0);
        drop(still_read);
        assert_eq!(kept(), 1);
        let late = spare.lend(spare.take());
        assert_eq!(kept(), 0);
        spare.give_up();
        drop(late);
        assert_eq!(kept(), 0);
        drop(spare.lend(spare.take()));
        assert_eq!(kept(), 1);
    }
}
