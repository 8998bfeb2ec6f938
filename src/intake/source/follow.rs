//! Reading a growing file of lines, step by step, through rotation and truncation.
//!
//! A step reads what is there, stores it with the new cursor, and says whether there is more. It never waits, so the
//! same code serves the console, which waits for change notices between steps, and subcommands, which do not.
//!
//! How files change under a reader, and what is done:
//! - *rename and create*: the open file is read to its end; the new one is taken once it has content, because a writer
//!   may still finish lines in the old one until it reopens. What has no line end by then is read as a line.
//! - *copy and truncate*: the file is shorter than what was read, or what was read is not there any more. The copy is
//!   found by its content, its rest is read, then the file from its start. A copy of which nothing had been read yet
//!   cannot be recognised and is taken for history, like everything rotated away before the first look.
//! - *more than once, or while nobody was reading*: the cursor's file is found by inode or content and read on, then the
//!   rotated files written later, then the file at the path. Files that were packed by gzip meanwhile are unpacked.
//! - *a file is being packed*: it is waited for, as it may be the one to go on with.
//! - *the file read last is nowhere*: that is kept among what could not be read, where people see it, and reading goes on
//!   with the files that were written after it.
//!
//! A writer that goes on in an old file after another began the new one is read too, in the files left last.
//! Until something was read of a new file the stored place is the end of the old one: a file of which nothing was read is
//! known by nothing.

pub(super) mod find;
mod left;
mod open;
mod packed;

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::batch::{Builder, MOST_AT_FIRST, MOST_LINES};
use super::{Decoding, Told, put};
use crate::domain::text::show;
use crate::intake::decode::hex;
use crate::intake::store::{Cursor, FileCursor, LockedStore, Refused, StoreError};
use left::Left;
use open::Open;
use packed::{Found, Unpacked};

/// What to do after a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There may be more: step again.
    More,
    /// All is read: wait for a change.
    Idle,
    /// There is no file yet, and why.
    Waiting(String),
    /// The file cannot be read, and why.
    Failed(String),
}

/// What a step did.
#[derive(Debug)]
pub(super) struct Step {
    pub told: Option<Told>,
    pub next: Next,
}

/// What was read, neither decoded nor stored yet.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What there is to decode and store; nothing when nothing was read.
    pub batch: Option<Builder>,
    /// What to do once it is stored.
    pub next: Next,
}

impl Prepared {
    const fn nothing(next: Next) -> Self {
        Self { batch: None, next }
    }
}

/// Reads one configured file.
#[derive(Debug)]
pub(super) struct Follower {
    source: String,
    path: PathBuf,
    decoding: Decoding,
    open: Option<Open>,
    /// Files read before, after they were renamed.
    left: Left,
    /// Whether the open file was gone on to because the one before was renamed.
    is_next: bool,
    /// What cannot be read any more, and is not stored yet.
    lost: Vec<String>,
    whole_partials: bool,
    /// Whether anything was read yet.
    began: bool,
}

impl Follower {
    /// Prepares reading; nothing is opened yet.
    pub fn new(source: String, path: PathBuf, decoding: Decoding) -> Self {
        Self {
            source,
            path,
            decoding,
            open: None,
            left: Left::default(),
            is_next: false,
            lost: Vec::new(),
            whole_partials: false,
            began: false,
        }
    }

    /// Makes steps read a last line without an end too, if it is whole JSON.
    pub fn take_whole_partials(&mut self) {
        self.whole_partials = true;
    }

    /// Returns the name of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the configured path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a bounded piece and stores it. After an error of the store the next step starts over from the stored
    /// cursor, so nothing is skipped.
    pub fn step(&mut self, store: &LockedStore) -> Result<Step, StoreError> {
        let Prepared { batch, next } = self.prepare(store)?;
        let told = batch.map(|batch| put(store, &self.source, batch.finish()));
        match told.transpose() {
            Ok(told) => Ok(Step { told, next }),
            Err(error) => {
                self.start_over();
                Err(error)
            }
        }
    }

    /// Reads a bounded piece, which the caller decodes and stores, or [`Self::start_over`]. The next pieces may be read
    /// before this one is stored, but not stored before it.
    pub fn prepare(&mut self, store: &LockedStore) -> Result<Prepared, StoreError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => match self.resume(store)? {
                Ok(open) => open,
                Err(next) => return Ok(Prepared::nothing(next)),
            },
        };
        match self.read(&mut open, store) {
            Ok(prepared) => {
                self.open = Some(open);
                Ok(prepared)
            }
            Err(error) => Ok(Prepared::nothing(self.failed(&error))),
        }
    }

    /// Goes on from the stored cursor: what was read since could not be stored.
    pub fn start_over(&mut self) {
        self.open = None;
        self.left = Left::default();
        self.is_next = false;
        self.lost.clear();
    }

    /// Opens the file where the stored cursor says, or the path from its start.
    fn resume(&mut self, store: &LockedStore) -> Result<Result<Open, Next>, StoreError> {
        self.start_over();
        let cursor = store.lock().cursor(&self.source)?;
        let opened = match cursor {
            // A cursor of another kind is what a source of this name left that was no file.
            None | Some(Cursor::Poll(_) | Cursor::Folder(_) | Cursor::Stream(_)) => {
                find::open(&self.path).and_then(|file| Open::at(file, 0, 0))
            }
            Some(Cursor::File(cursor)) => self.go_on_from(&cursor, store),
        };
        Ok(opened.map_err(|error| self.failed(&error)))
    }

    /// Opens the files a cursor was made for, else what was written after.
    fn go_on_from(&mut self, cursor: &FileCursor, store: &LockedStore) -> io::Result<Open> {
        for (at, place) in cursor.left.iter().enumerate() {
            // Rotation removes what is old: that it is gone says nothing. Only the last may be packed and not read to its end.
            let found = match at + 1 == cursor.left.len() {
                true => self.find(place, store).or_else(nothing_yet)?,
                false => find::cursor(&self.path, place)?
                    .map(|file| Open::at(file, place.generation, place.offset))
                    .transpose()?,
            };
            self.left.remember(place.clone(), found);
        }
        if let Some(mut open) = self.find(cursor, store)? {
            open.since = (cursor.written != (0, 0)).then_some(cursor.written);
            return Ok(open);
        }
        let generation = cursor.generation + 1;
        let known: Vec<&FileCursor> = cursor.left.iter().chain([cursor]).collect();
        let next = match cursor.written {
            (0, 0) => Rotated::No,
            since => self.rotated(since, generation, &known, &|_| false, store)?,
        };
        let open = match next {
            Rotated::This(open) => *open,
            Rotated::Wait => return Err(being_packed()),
            Rotated::No => Open::at(find::open(&self.path)?, generation, 0)?,
        };
        self.lost.push(format!(
            "{}: the file that was read last, up to byte {}, is gone, and no rotated file beside it is that one; what was \
             written to it after that byte is not seen",
            self.shown_path(),
            cursor.offset
        ));
        Ok(open)
    }

    /// Opens the file a cursor was made for, wherever it is now.
    fn find(&mut self, cursor: &FileCursor, store: &LockedStore) -> io::Result<Option<Open>> {
        let (generation, offset) = (cursor.generation, cursor.offset);
        if let Some(file) = find::cursor(&self.path, cursor)? {
            return Open::at(file, generation, offset).map(Some);
        }
        let scratch = || store.lock().scratch();
        match packed::holding(&self.path, cursor, offset, &scratch)? {
            Found::Other => Ok(None),
            Found::Unfinished => Err(being_packed()),
            Found::This(found) => self.unpacked(found, generation, offset).map(Some),
        }
    }

    fn unpacked(&mut self, found: Unpacked, generation: u64, offset: u64) -> io::Result<Open> {
        self.lost.extend(found.problem);
        Open::at(found.file, generation, offset)
    }

    fn failed(&self, error: &io::Error) -> Next {
        let path = self.shown_path();
        match error.kind() {
            io::ErrorKind::NotFound => Next::Waiting(format!("{path} does not exist yet")),
            io::ErrorKind::WouldBlock => Next::Waiting(format!("{path}: {error}")),
            _ => Next::Failed(format!("{path}: {error}")),
        }
    }

    fn read(&mut self, open: &mut Open, store: &LockedStore) -> io::Result<Prepared> {
        let most = match std::mem::replace(&mut self.began, true) {
            true => MOST_LINES,
            false => MOST_AT_FIRST,
        };
        let builder = Builder::new(&self.source, &self.decoding, Timestamp::now());
        let mut builder = builder.at_most(most);
        let mut filled = open.fill(&mut builder)?;
        if filled.is_end && self.whole_partials {
            open.take_whole_partial(&mut builder);
        }
        // Another file is looked for only by a step that found nothing, so a step with lines is followed by one more.
        let mut next = Next::More;
        let mut successor = None;
        if filled.is_end && !filled.took_lines {
            successor = self.successor(open, store)?;
            match &successor {
                Some(found) if found.is_renamed => builder.extend(open.flush()),
                Some(_) => {}
                None => filled.took_lines = self.left.read(&mut builder)?,
            }
            if successor.is_none() && !filled.took_lines {
                next = Next::Idle;
            }
        }
        if let Some(found) = successor {
            let left = std::mem::replace(open, found.open);
            self.is_next = found.is_renamed;
            if found.is_renamed {
                self.left.add(left)?;
            }
        } else if builder.is_empty() && !filled.took_lines {
            if next == Next::Idle {
                open.rest();
            }
            return Ok(Prepared::nothing(next));
        }
        let cursor = self.place(open);
        if builder.is_empty() && cursor.offset > 0 && open.cursor().offset == 0 {
            // The next file was opened, and there is nothing to store yet.
            return Ok(Prepared::nothing(next));
        }
        // Stored only with a place that is another one than before.
        for reason in std::mem::take(&mut self.lost) {
            builder.refuse(self.gone(reason));
        }
        builder.go_on_from(Cursor::File(cursor));
        Ok(Prepared {
            batch: Some(builder),
            next,
        })
    }

    /// Returns where reading is to go on after a restart.
    fn place(&self, open: &Open) -> FileCursor {
        let at = open.cursor();
        let mut left: Vec<FileCursor> = self.left.places().cloned().collect();
        match left.pop() {
            Some(last) if at.offset == 0 && self.is_next => FileCursor { left, ..last },
            last => {
                left.extend(last);
                FileCursor { left, ..at }
            }
        }
    }

    /// Something that was not seen, to be kept where people look for what could not be read.
    fn gone(&self, reason: String) -> Refused {
        let path = self.path.as_os_str().as_encoded_bytes();
        Refused {
            raw: path.to_vec(),
            length: path.len() as u64,
            sha256: hex(&Sha256::digest(path)),
            reason,
        }
    }

    /// Finds the file to go on with when `open` is read to its end: its own start after a truncation, or another file.
    fn successor(&mut self, open: &Open, store: &LockedStore) -> io::Result<Option<Successor>> {
        let at_path = match find::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = at_path.metadata()?;
        let generation = open.generation + 1;
        if !open.is_as_read()? {
            let open = match self.copy(open, store)? {
                Rotated::This(copy) => *copy,
                Rotated::Wait => return Ok(None),
                Rotated::No => Open::at(at_path, generation, 0)?,
            };
            return Ok(Some(Successor {
                open,
                is_renamed: false,
            }));
        }
        if open.is(&meta) {
            return Ok(None);
        }
        // More than one rotation since the last look.
        let known: Vec<FileCursor> = self
            .left
            .places()
            .cloned()
            .chain([open.read_to()])
            .collect();
        let known: Vec<&FileCursor> = known.iter().collect();
        let written = open.written();
        let since = open.since.map_or(written, |since| since.min(written));
        let open = match self.rotated(since, generation, &known, &|meta| open.is(meta), store)? {
            Rotated::This(newer) => *newer,
            Rotated::Wait => return Ok(None),
            Rotated::No if meta.len() == 0 || open.has_grown()? => return Ok(None),
            Rotated::No => Open::at(at_path, generation, 0)?,
        };
        Ok(Some(Successor {
            open,
            is_renamed: true,
        }))
    }

    /// Opens the copy that was made of a file before it was truncated, behind what was read of it.
    fn copy(&mut self, open: &Open, store: &LockedStore) -> io::Result<Rotated> {
        let (generation, offset) = (open.generation + 1, open.cursor().offset);
        let place = open.read_to();
        if let Some(copy) = find::copy(&self.path, &place)? {
            return Open::at(copy, generation, offset).map(Rotated::this);
        }
        let scratch = || store.lock().scratch();
        match packed::holding(&self.path, &place, offset, &scratch)? {
            Found::Other => Ok(Rotated::No),
            Found::Unfinished => Ok(Rotated::Wait),
            Found::This(found) => self.unpacked(found, generation, offset).map(Rotated::this),
        }
    }

    /// Opens the rotated file that was written first after a time, which is none of those of which these places are known,
    /// nor one that is open.
    fn rotated(
        &mut self,
        since: (i64, i64),
        generation: u64,
        known: &[&FileCursor],
        is_open: &dyn Fn(&Metadata) -> bool,
        store: &LockedStore,
    ) -> io::Result<Rotated> {
        for found in find::later_rotated(&self.path, since)? {
            if is_open(&found.meta) || self.left.has(&found.meta) {
                continue;
            }
            let Some(file) = find::readable(&found.path)? else {
                let name = found.path.to_string_lossy();
                let text = "a rotated file that this user may not read, so that it is not seen";
                let text = format!("{}: {text}", show(&name));
                if !self.lost.contains(&text) {
                    self.lost.push(text);
                }
                continue;
            };
            if !found.is_packed() {
                if find::holds_any(&file, known)? {
                    continue;
                }
                return Open::at(file, generation, 0).map(Rotated::this);
            }
            // Whoever packs a file may not keep when it was written.
            if packed::holds_any(&found, known)? {
                continue;
            }
            let scratch = || store.lock().scratch();
            match packed::whole(&found, &scratch)? {
                Found::Unfinished => return Ok(Rotated::Wait),
                Found::This(whole) if whole.file.metadata()?.len() > 0 => {
                    return self.unpacked(whole, generation, 0).map(Rotated::this);
                }
                Found::This(_) | Found::Other => {}
            }
        }
        Ok(Rotated::No)
    }

    fn shown_path(&self) -> String {
        show(&self.path.to_string_lossy()).into_owned()
    }
}

/// What was found among rotated files.
enum Rotated {
    /// There is none.
    No,
    /// One is being packed, and may be the one.
    Wait,
    /// This one.
    This(Box<Open>),
}

impl Rotated {
    fn this(open: Open) -> Self {
        Self::This(Box::new(open))
    }
}

/// Says why there is nothing to read yet.
fn being_packed() -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, "a rotated file is being packed")
}

/// Takes what is being packed for nothing.
fn nothing_yet(error: io::Error) -> io::Result<Option<Open>> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(None),
        _ => Err(error),
    }
}

/// The file to go on with.
struct Successor {
    open: Open,
    /// Whether the file before has another name now: nothing finishes its last line, unless somebody writes there still.
    is_renamed: bool,
}

#[cfg(test)]
mod tests;
