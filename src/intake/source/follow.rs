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
//! - *the file read last is nowhere*: that is kept among what could not be read, where people see it, and the file at the
//!   path is read from its start.
//!
//! A writer that goes on in the old file after another began the new one is read too, as long as this process lives.

pub(super) mod find;
mod open;
mod packed;

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::batch::{Builder, MOST_AT_FIRST, MOST_LINES};
use super::{Decoding, Told, put};
use crate::domain::text::show;
use crate::intake::decode::hex;
use crate::intake::store::{Cursor, FileCursor, LockedStore, Refused, StoreError};
use open::Open;
use packed::Unpacked;

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
    /// The file read before, after it was renamed: somebody may still write to it.
    before: Option<Open>,
    /// Where that was left, by which it is known when it is packed.
    left: Option<FileCursor>,
    /// What cannot be read any more, and is not stored yet.
    lost: Option<String>,
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
            before: None,
            left: None,
            lost: None,
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
        (self.open, self.before, self.lost) = (None, None, None);
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

    /// Opens the files a cursor was made for, else the one at the path.
    fn go_on_from(&mut self, cursor: &FileCursor, store: &LockedStore) -> io::Result<Open> {
        if let Some(before) = &cursor.before {
            // Rotation removes what is old: that it is gone says nothing.
            self.before = self.find(before, store)?;
        }
        if let Some(open) = self.find(cursor, store)? {
            return Ok(open);
        }
        let open = Open::at(find::open(&self.path)?, cursor.generation + 1, 0)?;
        self.lost = Some(format!(
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
        let found = packed::holding(&self.path, cursor, offset, &scratch)?;
        let found = found.map(|found| self.unpacked(found, generation, offset));
        found.transpose()
    }

    fn unpacked(&mut self, found: Unpacked, generation: u64, offset: u64) -> io::Result<Open> {
        self.lost = found.problem.or_else(|| self.lost.take());
        Open::at(found.file, generation, offset)
    }

    fn failed(&self, error: &io::Error) -> Next {
        let path = self.shown_path();
        match error.kind() {
            io::ErrorKind::NotFound => Next::Waiting(format!("{path} does not exist yet")),
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
        if filled.is_end && !filled.took_lines && self.read_before(&mut builder)? {
            filled.took_lines = true;
        } else if filled.is_end && !filled.took_lines {
            successor = self.successor(open, store)?;
            match &successor {
                None => next = Next::Idle,
                Some(found) if found.is_renamed => {
                    builder.extend(open.flush());
                }
                Some(_) => {}
            }
        }
        if let Some(found) = successor {
            let left = std::mem::replace(open, found.open);
            self.leave(left, found.is_renamed, &mut builder)?;
        } else if builder.is_empty() && !filled.took_lines {
            if next == Next::Idle {
                open.rest();
            }
            return Ok(Prepared::nothing(next));
        }
        // Stored only with a place that is another one than before.
        if let Some(reason) = self.lost.take() {
            builder.refuse(self.gone(reason));
        }
        builder.go_on_from(Cursor::File(FileCursor {
            before: self.before.as_ref().map(|before| Box::new(before.cursor())),
            ..open.cursor()
        }));
        Ok(Prepared {
            batch: Some(builder),
            next,
        })
    }

    /// Keeps a file that was left in mind, as long as somebody may find it and write to it.
    fn leave(&mut self, left: Open, is_renamed: bool, builder: &mut Builder) -> io::Result<()> {
        if let Some(mut older) = self.before.take() {
            builder.extend(older.flush());
        }
        if is_renamed {
            self.left = Some(left.read_to());
            self.before = (left.file.metadata()?.nlink() > 0).then_some(left);
        }
        Ok(())
    }

    /// Reads what was written to the file read before after it was left. Tells whether a line was.
    fn read_before(&mut self, builder: &mut Builder) -> io::Result<bool> {
        let Some(mut before) = self.before.take() else {
            return Ok(false);
        };
        let filled = before.fill(builder)?;
        self.left = Some(before.read_to());
        // Without a name nobody finds it any more, and its space is wanted.
        if filled.took_lines || before.file.metadata()?.nlink() > 0 {
            self.before = Some(before);
        } else {
            builder.extend(before.flush());
        }
        Ok(filled.took_lines)
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
                Some(copy) => copy,
                None => Open::at(at_path, generation, 0)?,
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
        let open = match self.next_rotated(open, store)? {
            Some(newer) => newer,
            None if meta.len() == 0 || open.has_grown()? => return Ok(None),
            None => Open::at(at_path, generation, 0)?,
        };
        Ok(Some(Successor {
            open,
            is_renamed: true,
        }))
    }

    /// Opens the copy that was made of a file before it was truncated, behind what was read of it.
    fn copy(&mut self, open: &Open, store: &LockedStore) -> io::Result<Option<Open>> {
        let (generation, offset) = (open.generation + 1, open.cursor().offset);
        let place = open.read_to();
        if let Some(copy) = find::copy(&self.path, &place)? {
            return Open::at(copy, generation, offset).map(Some);
        }
        let scratch = || store.lock().scratch();
        let found = packed::holding(&self.path, &place, offset, &scratch)?;
        let found = found.map(|found| self.unpacked(found, generation, offset));
        found.transpose()
    }

    /// Opens the rotated file that was written next after `open`, which is none of them by being at the path itself.
    fn next_rotated(&mut self, open: &Open, store: &LockedStore) -> io::Result<Option<Open>> {
        let generation = open.generation + 1;
        let read: Vec<FileCursor> = [Some(open.read_to()), self.left.clone()]
            .into_iter()
            .flatten()
            .collect();
        for found in find::later_rotated(&self.path, open)? {
            // It is later by what was still written to it.
            if self
                .before
                .as_ref()
                .is_some_and(|before| before.is(&found.meta))
            {
                continue;
            }
            if !found.is_packed() {
                return Open::at(find::open(&found.path)?, generation, 0).map(Some);
            }
            // Whoever packs a file may not keep when it was written: then this may be what was read.
            let mut was_read = false;
            for place in &read {
                was_read |= packed::holds(&found, place)?;
            }
            if was_read {
                continue;
            }
            let scratch = || store.lock().scratch();
            let unpacked = packed::whole(&found, &scratch)?;
            return self.unpacked(unpacked, generation, 0).map(Some);
        }
        Ok(None)
    }

    fn shown_path(&self) -> String {
        show(&self.path.to_string_lossy()).into_owned()
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
