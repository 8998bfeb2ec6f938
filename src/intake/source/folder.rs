//! A folder as a source: files are put into it by renaming, each is read once, JSON lines or one document, possibly packed
//! by gzip.
//!
//! A name that begins with a dot or ends in `.tmp` or `.part` is a file that somebody is still writing. What is read of a
//! file is stored with how far that was, so a crash reads on where it was. A file that changes after it was read is
//! another file.

mod reading;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use inotify::{EventStream, Inotify, WatchMask};
use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::batch::Builder;
use super::{Decoding, IntakeEvent, SourceState, Told, put, tell};
use crate::app::settings::AfterReading;
use crate::domain::text::show;
use crate::intake::store::{Batch, Cursor, Dropped, FolderCursor, LockedStore, StoreError};
use reading::Reading;

/// Most files that a folder may hold.
const MOST_FILES: usize = 20_000;

/// How names end that are still being written.
const UNFINISHED: &[&str] = &[".tmp", ".part"];

/// How long to wait before trying again what gives no notice when it ends.
const RETRY: Duration = Duration::from_secs(5);

/// Room for the notices of one read.
const NOTICE_BYTES: usize = 16 << 10;

/// Reads one folder.
pub(super) struct Folder {
    name: String,
    path: PathBuf,
    decoding: Decoding,
    after: AfterReading,
    reading: Option<(Dropped, Reading)>,
}

/// What a step did.
struct Step {
    told: Option<Told>,
    next: Next,
}

/// What to do after a step.
enum Next {
    More,
    Idle,
    Failed(String),
}

impl Folder {
    pub fn new(name: String, path: PathBuf, decoding: Decoding, after: AfterReading) -> Self {
        Self {
            name,
            path,
            decoding,
            after,
            reading: None,
        }
    }

    /// Follows the folder until cancelled or nobody listens.
    pub async fn run(
        mut self,
        store: Arc<LockedStore>,
        tx: Sender<IntakeEvent>,
        cancel: CancellationToken,
    ) {
        let name = self.name.clone();
        let mut watch = None;
        let mut told_state = None;
        loop {
            // Watched before it is read: what comes in between gives a notice.
            let watched = match &mut watch {
                Some(_) => Ok(()),
                none => notices(&self.path).map(|stream| *none = Some(stream)),
            };
            let store = Arc::clone(&store);
            let stepped = tokio::task::spawn_blocking(move || {
                let step = self.step(&store);
                (self, step)
            });
            let step = match stepped.await {
                Ok((back, step)) => {
                    self = back;
                    step
                }
                Err(error) => {
                    let state = SourceState::Failed(format!("a reading thread died: {error}"));
                    let event = IntakeEvent::Source {
                        source: name,
                        state,
                    };
                    tell(std::iter::once(event), &tx, &cancel).await;
                    return;
                }
            };
            let (state, told) = match (step, watched) {
                (Err(error), _) => (Some(SourceState::Failed(error.to_string())), None),
                (Ok(step), watched) => (
                    match (step.next, watched) {
                        (Next::More, _) => None,
                        (Next::Failed(reason), _) => Some(SourceState::Failed(reason)),
                        (Next::Idle, Err(error)) => Some(SourceState::Failed(error.to_string())),
                        (Next::Idle, Ok(())) => Some(SourceState::Following),
                    },
                    step.told,
                ),
            };
            let is_more = state.is_none();
            let is_failed = matches!(state, Some(SourceState::Failed(_)));
            let mut events: Vec<IntakeEvent> = told
                .map(|t| t.into_events(&name).collect())
                .unwrap_or_default();
            if let Some(state) = state.filter(|state| told_state.as_ref() != Some(state)) {
                told_state = Some(state.clone());
                events.push(IntakeEvent::Source {
                    source: name.clone(),
                    state,
                });
            }
            if !tell(events.into_iter(), &tx, &cancel).await {
                return;
            }
            if is_more {
                continue;
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                ended = changed(&mut watch) => if ended { watch = None; },
                () = tokio::time::sleep(RETRY), if is_failed => {}
            }
        }
    }

    /// Reads what is there now, without waiting.
    pub fn read_all(&mut self, store: &LockedStore) -> Result<Vec<Told>, super::SourceError> {
        let mut all = Vec::new();
        loop {
            let step = self.step(store)?;
            all.extend(step.told);
            match step.next {
                Next::More => {}
                Next::Idle => return Ok(all),
                Next::Failed(reason) => {
                    return Err(super::SourceError::Unreadable {
                        name: self.name.clone(),
                        reason,
                    });
                }
            }
        }
    }

    /// Reads a bounded piece of one file and stores it.
    fn step(&mut self, store: &LockedStore) -> Result<Step, StoreError> {
        match self.try_step(store) {
            Ok(step) => Ok(step),
            Err(Failure::Store(error)) => {
                // The next step starts over from what is stored.
                self.reading = None;
                Err(error)
            }
            Err(Failure::Io(error)) => {
                self.reading = None;
                let path = self.path.to_string_lossy();
                let next = Next::Failed(format!("{}: {error}", show(&path)));
                Ok(Step { told: None, next })
            }
        }
    }

    fn try_step(&mut self, store: &LockedStore) -> Result<Step, Failure> {
        let mut cursor = match store.lock().cursor(&self.name)? {
            Some(Cursor::Folder(cursor)) => cursor,
            // A cursor of another kind is what a source of this name left that was no folder.
            _ => FolderCursor::default(),
        };
        if self.reading.is_none() {
            let files = list(&self.path)?;
            self.forget(&mut cursor, &files);
            match self.open(&mut cursor, &files)? {
                Some(reading) => self.reading = Some(reading),
                None => {
                    return Ok(Step {
                        told: None,
                        next: Next::Idle,
                    });
                }
            }
        }
        let Some((file, mut reading)) = self.reading.take() else {
            return Ok(Step {
                told: None,
                next: Next::More,
            });
        };
        let mut builder = Builder::new(&self.name, &self.decoding, Timestamp::now());
        let is_end = reading.fill(&mut builder);
        let mut batch: Batch = builder.finish();
        cursor.batch += 1;
        if reading.is_broken() || batch.refused.iter().any(|refused| !refused.is_whole()) {
            cursor.partly.insert(file.name.clone());
        }
        let goes = self.after == AfterReading::Remove && !cursor.partly.contains(&file.name);
        if is_end {
            cursor.current = None;
            cursor.offset = 0;
            cursor.done.insert(file.name.clone(), file.clone());
        } else {
            cursor.current = Some(file.clone());
            cursor.offset = reading.offset();
        }
        batch.cursor = Some(Cursor::Folder(cursor));
        let told = put(store, &self.name, batch)?;
        if !is_end {
            self.reading = Some((file, reading));
        } else if goes {
            self.remove(reading.os_name(), &file)?;
        }
        Ok(Step {
            told: Some(told),
            next: Next::More,
        })
    }

    /// Forgets files that are gone, and removes those whose removal a crash prevented.
    fn forget(&self, cursor: &mut FolderCursor, files: &BTreeMap<String, (OsString, Dropped)>) {
        cursor.done.retain(|name, done| {
            let found = files.get(name).filter(|(_, file)| file == done);
            let Some((os_name, _)) = found else {
                return false;
            };
            if self.after == AfterReading::Remove && !cursor.partly.contains(name) {
                // It is stored; if it cannot be removed it stays remembered.
                let _ = self.remove(os_name, done);
            }
            true
        });
        let begun = cursor.current.as_ref().map(|begun| &begun.name);
        let done = &cursor.done;
        cursor
            .partly
            .retain(|name| begun == Some(name) || done.contains_key(name));
    }

    /// Removes a file that was read. Another one may have come by its name since.
    fn remove(&self, os_name: &OsStr, read: &Dropped) -> io::Result<()> {
        let path = self.path.join(os_name);
        match path.symlink_metadata() {
            Ok(meta) if dropped(&read.name, &meta) == *read => std::fs::remove_file(path),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Opens the file that was begun, else the oldest one that is not stored.
    fn open(
        &self,
        cursor: &mut FolderCursor,
        files: &BTreeMap<String, (OsString, Dropped)>,
    ) -> io::Result<Option<(Dropped, Reading)>> {
        let begun = cursor.current.take();
        let begun = begun.filter(|begun| files.get(&begun.name).is_some_and(|(_, f)| f == begun));
        if begun.is_none() {
            cursor.offset = 0;
            // Another file may have the name of one that was begun.
            let done = &cursor.done;
            cursor.partly.retain(|name| done.contains_key(name));
        }
        let mut waiting: Vec<&(OsString, Dropped)> = files
            .values()
            .filter(|(_, file)| !cursor.done.contains_key(&file.name))
            .collect();
        waiting.sort_by_key(|(_, file)| {
            let is_begun = begun.as_ref() == Some(file);
            (!is_begun, file.changed, file.name.clone())
        });
        for (os_name, file) in waiting {
            let options = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
            let opened = File::options()
                .read(true)
                .custom_flags(options.cast_signed())
                .open(self.path.join(os_name));
            let opened = match opened {
                // Gone between the list and now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| {
                    io::Error::new(error.kind(), format!("{}: {error}", show(&file.name)))
                })?,
            };
            // What was begun may be gone since the list was made.
            if begun.as_ref() != Some(file) {
                cursor.offset = 0;
            }
            let reading = Reading::new(&opened, os_name.clone(), cursor.offset, &self.decoding)?;
            return Ok(Some((file.clone(), reading)));
        }
        Ok(None)
    }
}

/// Why a step ended.
enum Failure {
    Io(io::Error),
    Store(StoreError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Lists the files that are whole.
fn list(path: &Path) -> io::Result<BTreeMap<String, (OsString, Dropped)>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let os_name = entry.file_name();
        let name = os_name.to_string_lossy().into_owned();
        let is_unfinished = UNFINISHED.iter().any(|end| name.ends_with(end));
        if name.starts_with('.') || is_unfinished {
            continue;
        }
        // Not through links: the folder is what is read.
        let meta = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if !meta.is_file() {
            continue;
        }
        let file = dropped(&name, &meta);
        files.insert(name, (os_name, file));
        if files.len() > MOST_FILES {
            let text = format!(
                "holds more than {MOST_FILES} files; remove old ones, or set `after = \"remove\"`"
            );
            return Err(io::Error::other(text));
        }
    }
    Ok(files)
}

/// Describes a file by what tells it from another of its name.
fn dropped(name: &str, meta: &Metadata) -> Dropped {
    Dropped {
        name: name.to_owned(),
        ino: meta.ino(),
        length: meta.len(),
        changed: (meta.mtime(), meta.mtime_nsec()),
    }
}

fn notices(path: &Path) -> io::Result<EventStream<Vec<u8>>> {
    let stream = Inotify::init()?.into_event_stream(vec![0; NOTICE_BYTES])?;
    let mask = WatchMask::MOVED_TO
        | WatchMask::CLOSE_WRITE
        | WatchMask::ATTRIB
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF;
    stream.watches().add(path, mask)?;
    Ok(stream)
}

/// Waits for a notice; returns whether there will be no more.
async fn changed(watch: &mut Option<EventStream<Vec<u8>>>) -> bool {
    let Some(stream) = watch else {
        return std::future::pending().await;
    };
    match stream.next().await {
        Some(Ok(event)) => event.mask.intersects(
            inotify::EventMask::IGNORED
                | inotify::EventMask::DELETE_SELF
                | inotify::EventMask::MOVE_SELF,
        ),
        Some(Err(_)) | None => true,
    }
}

#[cfg(test)]
mod tests;
