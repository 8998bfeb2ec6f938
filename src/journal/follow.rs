//! Follows all logs of a store as they grow, without polling where the system tells of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use inotify::{EventMask, EventStream, Inotify, WatchMask, Watches};
use jiff::Timestamp;

use crate::domain::decision::Entry;

use super::reader::{Line, LogReader, Problem, logs_in, merge};
use super::writer::Lot;

/// How often the store is looked at where the system tells of no changes.
const PAUSE: Duration = Duration::from_secs(2);

const AT_ONCE: usize = 4 * 1024 * 1024;
const LEAST: usize = 64 * 1024;

/// One log, as far as its records are not handed on yet.
struct Stream {
    reader: LogReader,
    waiting: Vec<Line>,
    /// The latest time among all records so far.
    latest: Timestamp,
    more: bool,
}

impl Stream {
    fn new(reader: LogReader) -> Self {
        Self {
            reader,
            waiting: Vec::new(),
            latest: Timestamp::MIN,
            more: true,
        }
    }

    /// Reads on if nothing waits.
    fn fill(&mut self, most: usize, whole: bool, problems: &mut Vec<Problem>) {
        if !self.waiting.is_empty() {
            return;
        }
        if !whole && !self.more && self.reader.is_quiet() {
            return;
        }
        self.more = self.reader.read_some(most, &mut self.waiting, problems);
        for line in &self.waiting {
            self.latest = self.latest.max(line.entry.ts);
        }
    }

    /// Hands on what is not later than `until`, if that is known.
    fn take(&mut self, until: Option<Timestamp>) -> Vec<Line> {
        let later = |line: &Line| until.is_some_and(|until| line.entry.ts > until);
        let end = self.waiting.iter().position(later);
        let rest = end.map_or_else(Vec::new, |at| self.waiting.split_off(at));
        std::mem::replace(&mut self.waiting, rest)
    }
}

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
    logs: BTreeMap<String, Stream>,
    told: Vec<Problem>,
    watch: Watch,
    watches: Option<Watches>,
    watched: BTreeSet<PathBuf>,
    /// Bytes of records that are read at once, of all logs together, and the least of each.
    at_once: (usize, usize),
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
            at_once: (AT_ONCE, LEAST),
        };
        follower.watch_all();
        follower
    }

    /// Reads less at once, as nobody wants to wait for long logs.
    #[cfg(test)]
    pub(super) fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.at_once = (bytes, bytes);
        self
    }

    /// Returns records committed since the last call, merged by time, and new problems. Reads files: call it where
    /// blocking is allowed.
    pub fn poll(&mut self) -> (Vec<Entry>, Vec<Problem>) {
        let (lines, problems) = self.poll_lines();
        (lines.into_iter().map(|l| l.entry).collect(), problems)
    }

    /// As [`Self::poll`], with the verbatim lines.
    pub fn poll_lines(&mut self) -> (Vec<Line>, Vec<Problem>) {
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        while self.poll_some(&mut lines, &mut problems) {}
        (lines, problems)
    }

    /// Appends the next records, a few megabytes of them at most, and problems; tells whether there is more at once. All
    /// records so appended are merged by time, as far as the logs were there from the first.
    pub fn poll_some(&mut self, lines: &mut Vec<Line>, news: &mut Vec<Problem>) -> bool {
        self.poll_as(true, lines, news)
    }

    /// As [`Self::poll_some`], for whoever asks again and again: a log in which nothing was committed since is passed over
    /// at one look, also when something is wrong with it that shows in no record.
    pub fn poll_news(&mut self, lines: &mut Vec<Line>, news: &mut Vec<Problem>) -> bool {
        self.poll_as(false, lines, news)
    }

    /// Returns what this process wrote, and goes on behind it; `None` where it has to be read.
    pub fn take(&mut self, lot: Lot) -> Option<Vec<Entry>> {
        let stream = self.logs.get_mut(lot.owner())?;
        if stream.more || !stream.waiting.is_empty() {
            return None;
        }
        let entries = stream.reader.take(lot)?;
        let latest = entries.iter().map(|entry| entry.ts).max();
        stream.latest = latest.map_or(stream.latest, |at| at.max(stream.latest));
        Some(entries)
    }

    fn poll_as(&mut self, whole: bool, lines: &mut Vec<Line>, news: &mut Vec<Problem>) -> bool {
        // Watching comes before reading, else a write in between would go unnoticed.
        self.watch_all();
        let (found, problems) = logs_in(&self.store);
        news.extend(problems.iter().filter(|p| !self.told.contains(p)).cloned());
        self.told = problems;
        let (all, least) = self.at_once;
        let most = (all / found.len().max(1)).max(least);
        for (owner, stream) in &mut self.logs {
            // A log that was taken away gives nothing more, and nobody waits for it.
            stream.more &= found.iter().any(|(there, _)| there == owner);
        }
        for (owner, log) in found {
            let stream = self
                .logs
                .entry(owner.clone())
                .or_insert_with(|| Stream::new(LogReader::new(owner, log)));
            stream.fill(most, whole, news);
        }
        // Whatever comes later from a log that has more is not earlier than what it gave last.
        let unfinished = self.logs.values().filter(|s| s.more);
        let until = unfinished.map(|s| s.latest).min();
        let ready = self.logs.values_mut().flat_map(|s| s.take(until));
        lines.extend(merge(ready.collect()));
        self.logs.values().any(|s| s.more || !s.waiting.is_empty())
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
