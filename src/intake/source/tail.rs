//! Following a file: steps of a [`Follower`] on a blocking thread, and change notices of its directory in between.
//!
//! The directory is watched, not the file: a watch on a file is lost with it at a rotation. There is no polling; on
//! network file systems, where changes made by other hosts give no notice, lines arrive with the next local change.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use inotify::{EventMask, EventStream, Inotify, WatchMask};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::batch::MOST_LINES;
use super::follow::{Follower, Next, Prepared, find};
use super::under_way::{MOST, UnderWay};
use super::{IntakeEvent, SourceState, tell};
use crate::intake::store::LockedStore;

/// How long to wait before trying again what failed for a reason that gives no notice when it ends (a full disk).
const RETRY: Duration = Duration::from_secs(5);

/// Shortest time between two small batches: each waits for the disk, however little is in it. What comes after a while is
/// read at once.
const PACE: Duration = Duration::from_millis(20);

/// Lines from which on a batch is not small: there is more to come, and waiting would gain nothing.
const MANY: usize = MOST_LINES / 2;

/// Room for the notices of one read.
const NOTICE_BYTES: usize = 16 << 10;

/// Follows a file until cancelled or nobody listens. While batches are decoded and stored the next one is read.
pub(super) async fn run(
    mut follower: Follower,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
) {
    let name = follower.source().to_owned();
    let mut notices = Notices::new(follower.path());
    let mut told_state = None;
    let mut under_way = UnderWay::new(&name, Arc::clone(&store));
    let mut next_at = None;
    loop {
        let mut failed = None;
        if let Some(at) = next_at.take() {
            let told;
            (told, failed) = under_way.down_to(0).await;
            let events = told.into_iter().flat_map(|told| told.into_events(&name));
            if !tell(events, &tx, &cancel).await {
                return;
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
        // Whoever waits, or died, has nothing on the way.
        let is_idle = !matches!(&read, Ok((_, Ok(Prepared { batch: Some(_), .. }))));
        let most = if is_idle { 0 } else { MOST - 1 };
        let (told, not_stored) = match failed {
            Some(_) => (Vec::new(), failed),
            None => under_way.down_to(most).await,
        };
        let mut events: Vec<IntakeEvent> = told
            .into_iter()
            .flat_map(|told| told.into_events(&name))
            .collect();
        let (back, prepared) = match read {
            Ok(read) => read,
            Err(error) => {
                let state = SourceState::Failed(format!("a reading thread died: {error}"));
                let source = name;
                events.push(IntakeEvent::Source { source, state });
                tell(events.into_iter(), &tx, &cancel).await;
                return;
            }
        };
        follower = back;
        let mut prepared = prepared.map_err(|error| error.to_string());
        if let Some(reason) = not_stored {
            follower.start_over();
            prepared = Err(reason);
        }
        if let Ok(prepared) = &mut prepared
            && let Some(batch) = prepared.batch.take()
        {
            next_at = (batch.lines() < MANY).then(|| began + PACE);
            under_way.send(batch).await;
        }
        let (state, more) = outcome(prepared, watched);
        let retry = matches!(state, Some(SourceState::Failed(_)));
        // What is on the way is told before anybody waits.
        let more = more || !under_way.is_empty();
        if let Some(state) = state.filter(|state| !more && told_state.as_ref() != Some(state)) {
            told_state = Some(state.clone());
            events.push(IntakeEvent::Source {
                source: name.clone(),
                state,
            });
        }
        if !tell(events.into_iter(), &tx, &cancel).await {
            // Whoever takes over must find what is on its way stored, or would store it again.
            if let (_, Some(reason)) = under_way.down_to(0).await {
                tracing::warn!("the last batches of a source are not stored: {reason}");
            }
            return;
        }
        if more {
            continue;
        }
        // One that died did so with a batch on its way, which was told then.
        under_way.rest().await;
        tokio::select! {
            () = cancel.cancelled() => return,
            () = notices.changed() => {}
            () = tokio::time::sleep(RETRY), if retry => {}
        }
    }
}

/// Splits what reading came to into the state to show and whether to read again at once.
fn outcome(
    prepared: Result<Prepared, String>,
    watched: io::Result<()>,
) -> (Option<SourceState>, bool) {
    let next = match prepared {
        Ok(prepared) => prepared.next,
        Err(reason) => return (Some(SourceState::Failed(reason)), false),
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
