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
//!   rotated files written later, then the file at the path.

pub(super) mod find;
mod open;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::batch::{Builder, MOST_AT_FIRST, MOST_LINES};
use super::{Decoding, Told, put};
use crate::domain::text::show;
use crate::intake::store::{Cursor, LockedStore, StoreError};
use open::Open;

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
        match self.read(&mut open) {
            Ok(prepared) => {
                self.open = Some(open);
                Ok(prepared)
            }
            Err(error) => {
                let next = Next::Failed(format!("{}: {error}", self.shown_path()));
                Ok(Prepared::nothing(next))
            }
        }
    }

    /// Goes on from the stored cursor: what was read since could not be stored.
    pub fn start_over(&mut self) {
        self.open = None;
    }

    /// Opens the file where the stored cursor says, or the path from its start.
    fn resume(&self, store: &LockedStore) -> Result<Result<Open, Next>, StoreError> {
        let cursor = store.lock().cursor(&self.source)?;
        let opened = match cursor {
            // A cursor of another kind is what a source of this name left that was no file.
            None | Some(Cursor::Poll(_) | Cursor::Folder(_) | Cursor::Stream(_)) => {
                find::open(&self.path).and_then(|file| Open::at(file, 0, 0))
            }
            Some(Cursor::File(cursor)) => match find::cursor(&self.path, &cursor) {
                Ok(Some(file)) => Open::at(file, cursor.generation, cursor.offset),
                Ok(None) => find::open(&self.path).and_then(|file| {
                    tracing::warn!(
                        source = %show(&self.source),
                        "the file read last is gone; what was written to it since is not seen"
                    );
                    Open::at(file, cursor.generation + 1, 0)
                }),
                Err(error) => Err(error),
            },
        };
        Ok(opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Next::Waiting(format!("{} does not exist yet", self.shown_path()))
            }
            _ => Next::Failed(format!("{}: {error}", self.shown_path())),
        }))
    }

    fn read(&mut self, open: &mut Open) -> io::Result<Prepared> {
        let most = match std::mem::replace(&mut self.began, true) {
            true => MOST_LINES,
            false => MOST_AT_FIRST,
        };
        let builder = Builder::new(&self.source, &self.decoding, Timestamp::now());
        let mut builder = builder.at_most(most);
        let filled = open.fill(&mut builder)?;
        if filled.is_end && self.whole_partials {
            open.take_whole_partial(&mut builder);
        }
        // Another file is looked for only by a step that found nothing, so a step with lines is followed by one more.
        let mut next = Next::More;
        let mut successor = None;
        if filled.is_end && !filled.took_lines {
            successor = self.successor(open)?;
            match &successor {
                None => next = Next::Idle,
                Some(found) if found.flush_partial => {
                    builder.extend(open.flush());
                }
                Some(_) => {}
            }
        }
        if let Some(found) = successor {
            *open = found.open;
        } else if builder.is_empty() && !filled.took_lines {
            if next == Next::Idle {
                open.rest();
            }
            return Ok(Prepared::nothing(next));
        }
        builder.go_on_from(Cursor::File(open.cursor()));
        Ok(Prepared {
            batch: Some(builder),
            next,
        })
    }

    /// Finds the file to go on with when `open` is read to its end: its own start after a truncation, or another file.
    fn successor(&self, open: &Open) -> io::Result<Option<Successor>> {
        let at_path = match find::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = at_path.metadata()?;
        let generation = open.generation + 1;
        if !open.is_as_read()? {
            if let Some(copy) = find::copy(&self.path, &open.read_to())? {
                let open = Open::at(copy, generation, open.cursor().offset)?;
                return Ok(Some(Successor {
                    open,
                    flush_partial: false,
                }));
            }
        } else if open.is(&meta) {
            return Ok(None);
        } else if let Some(newer) = find::next_rotated(&self.path, open)? {
            // More than one rotation since the last look.
            let open = Open::at(newer, generation, 0)?;
            return Ok(Some(Successor {
                open,
                flush_partial: true,
            }));
        } else if meta.len() == 0 || open.has_grown()? {
            return Ok(None);
        }
        let open = Open::at(at_path, generation, 0)?;
        Ok(Some(Successor {
            open,
            flush_partial: true,
        }))
    }

    fn shown_path(&self) -> String {
        show(&self.path.to_string_lossy()).into_owned()
    }
}

/// The file to go on with.
struct Successor {
    open: Open,
    /// Whether an unfinished line of the file before is to be read as it is.
    flush_partial: bool,
}

#[cfg(test)]
mod tests;
