//! What can be said of a line without the lines before it, found on two cores at once: its leaf hash, a byte that no log
//! writes, whether a checkpoint in it is signed, and whatever else somebody wants to know of a record. Whether it *fits*
//! is for the walk to say, one line after the other.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::super::checkpoint;
use super::super::fs::{Fs, read_onto};
use super::super::merkle::{Hash, leaf_hash};
use super::super::note::Verifier;
use super::super::record::MAX_LINE;

/// Bytes that are read at once; fewer are not worth a second thread.
const PIECE: usize = 256 * 1024;
/// Pieces that may be looked at before the walk gets to them: as much memory, and as long as a thread may be kept waiting
/// by others on a busy machine without holding up the walk.
const WINDOW: usize = 32;

/// What somebody wants to know of each record.
pub type Look<'w, T> = &'w (dyn Fn(&[u8]) -> T + Sync);

/// Whoever goes along the lines; returns the key that later signatures are to be checked against.
pub type Each<'w, T, E> = &'w mut dyn FnMut(&mut Piece<T>) -> Result<Signer, E>;

/// The key that signatures are checked against, if they are.
pub type Signer = Option<Arc<Verifier>>;

/// One line, without its line feed.
pub struct Ahead<T> {
    /// How long it is.
    pub len: usize,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The first byte outside 0x20-0x7E.
    pub strange: Option<u8>,
    /// It carries a note that the key of its piece signed.
    pub signed: bool,
    /// What was to be known of it, if it looks like a record.
    pub seen: Option<T>,
}

/// Whole lines, end to end.
pub struct Piece<T> {
    /// Their bytes, line feeds included.
    pub bytes: Vec<u8>,
    /// What was found of each.
    pub lines: Vec<Ahead<T>>,
    /// The key that signatures were checked against.
    pub by: Signer,
}

/// Where the lines ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// So far was read; what follows the last line feed is left out.
    Read(u64),
    /// The next line is longer than any of ours.
    TooLong,
}

/// Why the lines were not gone along to their end.
#[derive(Debug)]
pub enum Stop<E> {
    /// They could not be read.
    Io(io::Error),
    /// Whoever goes along them said so.
    Said(E),
}

/// Lines in a file.
pub struct Source<'f> {
    fs: &'f dyn Fs,
    file: &'f File,
    at: u64,
    until: u64,
    cap: u64,
    /// The begun line behind what was cut off last.
    rest: Vec<u8>,
    /// Room to use again.
    spare: Vec<Vec<u8>>,
    end: Option<End>,
}

impl<'f> Source<'f> {
    /// Lines from the offset `at` to `until`, where they end; beyond `cap` no more is read.
    pub fn new(fs: &'f dyn Fs, file: &'f File, at: u64, until: u64, cap: u64) -> Self {
        Self {
            fs,
            file,
            at,
            until,
            cap,
            rest: Vec::new(),
            spare: Vec::new(),
            end: None,
        }
    }

    /// Reads the next whole lines.
    fn cut(&mut self) -> Option<io::Result<Vec<u8>>> {
        if self.end.is_some() {
            return None;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.append(&mut self.rest);
        loop {
            let seen = bytes.len();
            let left = self.until.saturating_sub(self.at).min(PIECE as u64) as usize;
            let read = match read_onto(self.fs, self.file, self.at, left, &mut bytes) {
                Ok(read) => read,
                Err(error) => {
                    self.end = Some(End::Read(self.at));
                    return Some(Err(error));
                }
            };
            if read == 0 || self.at > self.cap {
                let long = read == 0 && bytes.len() > MAX_LINE;
                self.end = Some(if long {
                    End::TooLong
                } else {
                    End::Read(self.at)
                });
                return None;
            }
            self.at += read as u64;
            if let Some(last) = memchr::memrchr(b'\n', &bytes[seen..]) {
                let end = seen + last + 1;
                self.rest.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                return Some(Ok(bytes));
            }
            if bytes.len() > MAX_LINE {
                self.end = Some(End::TooLong);
                return None;
            }
        }
    }
}

/// Goes along all lines in order, piece by piece, while another thread looks ahead; signatures are checked against `by` first.
pub fn along<T: Send, E>(
    source: Source<'_>,
    by: Signer,
    look: Look<'_, T>,
    each: Each<'_, T, E>,
) -> Result<End, Stop<E>> {
    let lane = Lane {
        source: Mutex::new(source),
        queue: Mutex::new(Queue {
            ready: VecDeque::new(),
            first: 0,
            by,
            stop: false,
        }),
        news: Condvar::new(),
        look,
    };
    std::thread::scope(|scope| {
        // Also when something below panics: else the other thread would wait for ever.
        let _stop = Stopping(&lane);
        let mut alone = true;
        while let Some(piece) = lane.next() {
            let mut piece = piece.map_err(Stop::Io)?;
            let by = each(&mut piece).map_err(Stop::Said)?;
            lane.done(piece, by);
            // The first piece tells the key, and whether there is more.
            if alone && lane.worth_two() {
                // No thread to be had: slower, and the same.
                let _ = std::thread::Builder::new().spawn_scoped(scope, || lane.help());
                alone = false;
            }
        }
        Ok(lock(&lane.source).end.unwrap_or(End::Read(0)))
    })
}

/// Pieces on their way; `None` is being looked at.
struct Queue<T> {
    ready: VecDeque<Option<io::Result<Piece<T>>>>,
    /// Number of the first of them.
    first: usize,
    by: Signer,
    stop: bool,
}

struct Lane<'f, 'w, T> {
    source: Mutex<Source<'f>>,
    queue: Mutex<Queue<T>>,
    news: Condvar,
    look: Look<'w, T>,
}

/// A thread that panicked left nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Lane<'_, '_, T> {
    /// Cuts off the next piece and looks at it; tells whether there was one.
    fn work(&self) -> bool {
        let mut source = lock(&self.source);
        let Some(cut) = source.cut() else {
            return false;
        };
        let (number, by) = {
            let mut queue = lock(&self.queue);
            queue.ready.push_back(None);
            (queue.first + queue.ready.len() - 1, queue.by.clone())
        };
        drop(source);
        let stopping = Stopping(self);
        let piece = cut.map(|bytes| self.piece(bytes, by));
        let mut queue = lock(&self.queue);
        let at = number - queue.first;
        queue.ready[at] = Some(piece);
        drop(queue);
        self.news.notify_all();
        std::mem::forget(stopping);
        true
    }

    fn piece(&self, bytes: Vec<u8>, by: Signer) -> Piece<T> {
        let mut from = 0;
        let mut lines = Vec::with_capacity(bytes.len() / 512);
        for end in memchr::memchr_iter(b'\n', &bytes) {
            lines.push(self.line(&bytes[from..end], by.as_deref()));
            from = end + 1;
        }
        Piece { bytes, lines, by }
    }

    fn line(&self, line: &[u8], by: Option<&Verifier>) -> Ahead<T> {
        let strange = |b: &u8| !(0x20..0x7f).contains(b);
        // Without an early end this is a few wide instructions.
        let any = line.iter().fold(false, |any, b| any | strange(b));
        let word = checkpoint::word(line);
        let (signed, seen) = match (word, by) {
            (None, _) | (Some(b"checkpoint"), None) => (false, None),
            (Some(b"checkpoint"), Some(by)) => {
                let note = checkpoint::signed_note(line);
                (note.is_some_and(|note| by.open(&note).is_some()), None)
            }
            (Some(_), _) => (false, Some((self.look)(line))),
        };
        Ahead {
            len: line.len(),
            leaf: leaf_hash(line),
            strange: line.iter().copied().find(|b| any && strange(b)),
            signed,
            seen,
        }
    }

    /// Looks ahead as long as there is anything, never further than the window.
    fn help(&self) {
        loop {
            let mut queue = lock(&self.queue);
            while queue.ready.len() >= WINDOW && !queue.stop {
                queue = wait(&self.news, queue);
            }
            let stop = queue.stop;
            drop(queue);
            if stop || !self.work() {
                return;
            }
        }
    }

    /// Returns the next piece in order; looks at one itself rather than wait.
    fn next(&self) -> Option<io::Result<Piece<T>>> {
        loop {
            let mut queue = lock(&self.queue);
            if let Some(piece) = queue.ready.front_mut().and_then(Option::take) {
                queue.ready.pop_front();
                queue.first += 1;
                drop(queue);
                self.news.notify_all();
                return Some(piece);
            }
            let room = queue.ready.len() < WINDOW;
            drop(queue);
            if room && self.work() {
                continue;
            }
            let mut queue = lock(&self.queue);
            while matches!(queue.ready.front(), Some(None)) {
                if queue.stop {
                    return Some(Err(io::Error::other("a thread that read it panicked")));
                }
                queue = wait(&self.news, queue);
            }
            // The file ended, so nobody puts anything behind.
            if room && queue.ready.is_empty() {
                return None;
            }
        }
    }

    /// Gives a piece back, and says which key signs from now on.
    fn done(&self, piece: Piece<T>, by: Signer) {
        lock(&self.source).spare.push(piece.bytes);
        lock(&self.queue).by = by;
    }

    fn worth_two(&self) -> bool {
        let source = lock(&self.source);
        let len = source.fs.len(source.file).unwrap_or(0);
        source.end.is_none() && len.saturating_sub(source.at) > PIECE as u64
    }
}

fn wait<'q, T>(news: &Condvar, queue: MutexGuard<'q, Queue<T>>) -> MutexGuard<'q, Queue<T>> {
    news.wait(queue).unwrap_or_else(PoisonError::into_inner)
}

/// Tells every thread to stop when it goes out of scope.
struct Stopping<'l, 'f, 'w, T>(&'l Lane<'f, 'w, T>);

impl<T> Drop for Stopping<'_, '_, '_, T> {
    fn drop(&mut self) {
        lock(&self.0.queue).stop = true;
        self.0.news.notify_all();
    }
}
