//! Following a file: steps of a [`Follower`] on a blocking thread, and change notices of its directory in between.
//!
//! The directory is watched, not the file: a watch on a file is lost with it at a rotation. There is no polling; on
//! network file systems, where changes made by other hosts give no notice, lines arrive with the next local change.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use inotify::{EventMask, EventStream, Inotify, WatchMask};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::batch::MOST_LINES;
use super::follow::{Follower, Next, Prepared, find};
use super::{IntakeEvent, SourceState, Told, put, tell};
use crate::intake::store::{Store, StoreError};

/// How long to wait before trying again what failed for a reason that gives no notice when it ends (a full disk).
const RETRY: Duration = Duration::from_secs(5);

/// Shortest time between two small batches: each waits for the disk, however little is in it. What comes after a while is
/// read at once.
const PACE: Duration = Duration::from_millis(20);

/// Alerts from which on a batch is not small: there is more to come, and waiting would gain nothing.
const MANY: usize = MOST_LINES / 2;

/// Room for the notices of one read.
const NOTICE_BYTES: usize = 16 << 10;

/// A batch on its way to the disk.
type Storing = JoinHandle<Result<Told, StoreError>>;

/// Follows a file until cancelled or nobody listens. While a batch waits for the disk the next one is read.
pub(super) async fn run(
    mut follower: Follower,
    store: Arc<Mutex<Store>>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
) {
    let name = follower.source().to_owned();
    let mut notices = Notices::new(follower.path());
    let mut told_state = None;
    let mut storing: Option<Storing> = None;
    let mut next_at = None;
    loop {
        let mut failed = None;
        if let Some(at) = next_at.take() {
            match finished(storing.take()).await {
                Ok(told) => {
                    let events = told.into_iter().flat_map(|told| told.into_events(&name));
                    if !tell(events, &tx, &cancel).await {
                        return;
                    }
                }
                Err(error) => failed = Some(error),
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep_until(at) => {}
            }
        }
        let began = tokio::time::Instant::now();
        // Watched before it is read: what changes in between gives a notice.
        let watched = notices.watch();
        let reading = tokio::task::spawn_blocking({
            let store = Arc::clone(&store);
            move || {
                let prepared = follower.prepare(&store);
                (follower, prepared)
            }
        });
        let read = reading.await;
        // In order: what was read before is stored before.
        let stored = match failed {
            Some(error) => Err(error),
            None => finished(storing.take()).await,
        };
        let (back, mut prepared) = match read {
            Ok(read) => read,
            Err(error) => {
                let state = SourceState::Failed(format!("a reading thread died: {error}"));
                let source = name;
                let state = IntakeEvent::Source { source, state };
                tell(std::iter::once(state), &tx, &cancel).await;
                return;
            }
        };
        follower = back;
        let mut events = Vec::new();
        match stored {
            Ok(told) => {
                events.extend(told.into_iter().flat_map(|told| told.into_events(&name)));
            }
            Err(error) => {
                follower.start_over();
                prepared = Err(error);
            }
        }
        if let Ok(prepared) = &mut prepared
            && let Some(batch) = prepared.batch.take()
        {
            next_at = (batch.accepted.len() < MANY).then(|| began + PACE);
            let (store, source) = (Arc::clone(&store), name.clone());
            storing = Some(tokio::task::spawn_blocking(move || {
                put(&store, &source, batch)
            }));
        }
        let (state, more) = outcome(prepared, watched);
        let retry = matches!(state, Some(SourceState::Failed(_)));
        // Whoever waits has nothing on the way; what could not be stored is read again.
        let more = more || storing.is_some();
        if let Some(state) = state.filter(|state| !more && told_state.as_ref() != Some(state)) {
            told_state = Some(state.clone());
            events.push(IntakeEvent::Source {
                source: name.clone(),
                state,
            });
        }
        if !tell(events.into_iter(), &tx, &cancel).await {
            // Whoever takes over must find what is on its way stored, or would store it again.
            if let Err(error) = finished(storing).await {
                tracing::warn!("the last batch of a source is not stored: {error}");
            }
            return;
        }
        if more {
            continue;
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = notices.changed() => {}
            () = tokio::time::sleep(RETRY), if retry => {}
        }
    }
}

/// Waits until a batch is stored.
async fn finished(storing: Option<Storing>) -> Result<Option<Told>, StoreError> {
    match storing {
        None => Ok(None),
        Some(storing) => storing.await.map_or_else(
            |error| {
                Err(StoreError::Damaged {
                    what: format!("a storing thread died: {error}"),
                })
            },
            |told| told.map(Some),
        ),
    }
}

/// Splits what reading came to into the state to show and whether to read again at once.
fn outcome(
    prepared: Result<Prepared, StoreError>,
    watched: io::Result<()>,
) -> (Option<SourceState>, bool) {
    let next = match prepared {
        Ok(prepared) => prepared.next,
        Err(error) => return (Some(SourceState::Failed(error.to_string())), false),
    };
    match (next, watched) {
        (Next::More, _) => (None, true),
        (Next::Failed(reason), _) => (Some(SourceState::Failed(reason)), false),
        (_, Err(error)) => {
            let state = SourceState::Failed(format!("watch for changes: {error}"));
            (Some(state), false)
        }
        (Next::Idle, Ok(())) => (Some(SourceState::Following), false),
        (Next::Waiting(reason), Ok(())) => (Some(SourceState::Waiting(reason)), false),
    }
}

/// Change notices for one path.
struct Notices {
    path: PathBuf,
    stream: Option<EventStream<Vec<u8>>>,
    /// File names that concern the path: its own and, for a symbolic link, the target's.
    names: BTreeSet<OsString>,
}

impl Notices {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            stream: None,
            names: BTreeSet::new(),
        }
    }

    /// Watches the directories in which a change can concern the path: its own and, for a symbolic link, the target's.
    /// Where a directory does not exist yet, the nearest one above it.
    fn watch(&mut self) -> io::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(Inotify::init()?.into_event_stream(vec![0; NOTICE_BYTES])?),
        };
        let mut wanted = BTreeSet::new();
        self.names.clear();
        for path in [Some(self.path.clone()), self.path.canonicalize().ok()]
            .into_iter()
            .flatten()
        {
            wanted.insert(existing(find::parent(&path)));
            self.names.extend(path.file_name().map(ToOwned::to_owned));
        }
        let mask = WatchMask::MODIFY
            | WatchMask::ATTRIB
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF;
        for dir in &wanted {
            // Adding a watch that is there already changes nothing. One left behind on a directory above costs a
            // needless look now and then.
            stream.watches().add(dir, mask)?;
        }
        Ok(())
    }

    /// Waits for a change that can concern the path.
    async fn changed(&mut self) {
        let Some(stream) = &mut self.stream else {
            return std::future::pending().await;
        };
        loop {
            match stream.next().await {
                Some(Ok(event)) if concerns(&self.names, &event) => return,
                Some(Ok(_)) => {}
                // The stream is broken or ended: begin a new one; the step in between sees what was missed.
                Some(Err(_)) | None => {
                    self.stream = None;
                    return;
                }
            }
        }
    }
}

/// Tells whether a notice can concern one of the files `own`: by a name of its family, by being about a directory,
/// which may be a missing one, or by saying that notices were lost.
fn concerns(own: &BTreeSet<OsString>, event: &inotify::Event<OsString>) -> bool {
    let family = event.name.as_ref().is_none_or(|name| {
        let name = name.as_encoded_bytes();
        own.iter()
            .any(|own| name.starts_with(own.as_encoded_bytes()))
    });
    family
        || event
            .mask
            .intersects(EventMask::ISDIR | EventMask::Q_OVERFLOW | EventMask::IGNORED)
}

/// Returns `dir` or the nearest directory above it that exists.
fn existing(dir: &Path) -> PathBuf {
    let found = dir
        .ancestors()
        .find(|d| !d.as_os_str().is_empty() && d.is_dir());
    found.unwrap_or(Path::new(".")).to_owned()
}
