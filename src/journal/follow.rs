//! Follows all logs of a store as they grow, without polling where the system tells of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use inotify::{EventMask, EventStream, Inotify, WatchMask, Watches};

use crate::domain::decision::Entry;

use super::reader::{Line, LogReader, Problem, logs_in, merge};

/// How often the store is looked at where the system tells of no changes.
const PAUSE: Duration = Duration::from_secs(2);

enum Watch {
    /// Not asked for events yet; they queue up in the system meanwhile.
    Ready(Inotify),
    /// Waiting for events.
    Waiting(EventStream<Vec<u8>>),
    /// The system has no more watches to give.
    None,
}

/// Reads what is new in a store.
pub struct Follower {
    store: PathBuf,
    logs: BTreeMap<String, LogReader>,
    told: Vec<Problem>,
    watch: Watch,
    watches: Option<Watches>,
    watched: BTreeSet<PathBuf>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Follower({})", self.store.display())
    }
}

impl Follower {
    /// Begins at the beginning of every log; reads nothing yet.
    pub fn new(store: &Path) -> Self {
        Self::begin(store, Inotify::init().ok())
    }

    /// As [`Self::new`], for whoever is told elsewhere when to look: [`Self::changed`] only waits a while.
    pub fn unwatched(store: &Path) -> Self {
        Self::begin(store, None)
    }

    fn begin(store: &Path, inotify: Option<Inotify>) -> Self {
        let mut follower = Self {
            store: store.to_owned(),
            logs: BTreeMap::new(),
            told: Vec::new(),
            watches: inotify.as_ref().map(Inotify::watches),
            watch: inotify.map_or(Watch::None, Watch::Ready),
            watched: BTreeSet::new(),
        };
        follower.watch_all();
        follower
    }

    /// Returns records committed since the last call, merged by time, and new problems. Reads files: call it where
    /// blocking is allowed.
    pub fn poll(&mut self) -> (Vec<Entry>, Vec<Problem>) {
        let (lines, problems) = self.poll_lines();
        (lines.into_iter().map(|l| l.entry).collect(), problems)
    }

    /// As [`Self::poll`], with the verbatim lines.
    pub fn poll_lines(&mut self) -> (Vec<Line>, Vec<Problem>) {
        // Watching comes before reading, else a write in between would go unnoticed.
        self.watch_all();
        let (found, problems) = logs_in(&self.store);
        let mut news: Vec<Problem> = problems
            .iter()
            .filter(|p| !self.told.contains(p))
            .cloned()
            .collect();
        self.told = problems;
        let mut lines = Vec::new();
        for (owner, log) in found {
            let reader = self
                .logs
                .entry(owner.clone())
                .or_insert_with(|| LogReader::new(owner, log));
            reader.read(&mut lines, &mut news);
        }
        (merge(lines), news)
    }

    /// Waits until a log may have grown. May return once too often, never once too little; needs no [`Self::poll`] in
    /// between. Cancel safe. Fails when the system stops telling of changes; then it is asked again every two seconds.
    pub async fn changed(&mut self) -> std::io::Result<()> {
        self.watch_all();
        if !self.watched.contains(&self.store) {
            // A store that is not there yet cannot be watched.
            tokio::time::sleep(PAUSE).await;
            return Ok(());
        }
        if let Watch::Ready(_) = self.watch
            && let Watch::Ready(inotify) = std::mem::replace(&mut self.watch, Watch::None)
        {
            self.watch = Watch::Waiting(inotify.into_event_stream(vec![0; 4096])?);
        }
        loop {
            let Watch::Waiting(stream) = &mut self.watch else {
                tokio::time::sleep(PAUSE).await;
                return Ok(());
            };
            let event = match stream.next().await {
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    self.watch = Watch::None;
                    return Err(error);
                }
                None => {
                    self.watch = Watch::None;
                    return Ok(());
                }
            };
            if event
                .mask
                .intersects(EventMask::ISDIR | EventMask::Q_OVERFLOW)
            {
                // Watched before the caller reads, else what is written in between would go unnoticed.
                self.watch_all();
                return Ok(());
            }
            // The lock and the published head change with every write too.
            if event
                .name
                .is_some_and(|n| n.to_string_lossy().ends_with(".jsonl"))
            {
                return Ok(());
            }
        }
    }

    fn watch_all(&mut self) {
        // A directory made before its parent was watched is seen by looking again.
        while self.watch_some() {}
    }

    /// Watches directories that are there; tells whether any was new.
    fn watch_some(&mut self) -> bool {
        let Some(watches) = &mut self.watches else {
            return false;
        };
        let logs = self.store.join("logs");
        let mut wanted = vec![self.store.clone(), logs.clone()];
        for host in children(&logs) {
            wanted.extend(children(&host));
            wanted.push(host);
        }
        let mask =
            WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::DONT_FOLLOW;
        let mut any = false;
        for dir in wanted {
            if !self.watched.contains(&dir) && watches.add(&dir, mask | WatchMask::ONLYDIR).is_ok()
            {
                self.watched.insert(dir);
                any = true;
            }
        }
        any
    }
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let dirs = entries
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    dirs.take(1024).map(|e| e.path()).collect()
}
