//! Batches on their way from lines to the disk: one is decoded while the one before it is stored, and the next is read.
//!
//! One thread decodes and another stores, the same ones as long as there is something on the way: memory that a thread
//! took serves it again for the next batch, where each batch on another thread would leave as much behind in each.

use std::sync::Arc;

use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinHandle, spawn_blocking};

use super::batch::Builder;
use super::{Told, put};
use crate::intake::store::{Batch, LockedStore};

/// Most batches under way: one is stored, one decoded, and one is there for whoever is done first. Each has some 8 MB.
pub(super) const MOST: usize = 3;

/// Batches of one source in the order in which they were read.
pub(super) struct UnderWay {
    source: String,
    store: Arc<LockedStore>,
    /// How many are neither stored nor given up.
    count: usize,
    /// Who decodes and stores, while there is something to do.
    line: Option<Line>,
}

/// What batches pass through.
struct Line {
    to_decode: Sender<Builder>,
    /// What became of each, in order; after one that was not stored there is no more.
    stored: UnboundedReceiver<Result<Told, String>>,
    decoding: JoinHandle<()>,
    storing: JoinHandle<()>,
}

impl UnderWay {
    /// Starts with none.
    pub fn new(source: &str, store: Arc<LockedStore>) -> Self {
        Self {
            source: source.to_owned(),
            store,
            count: 0,
            line: None,
        }
    }

    /// Tells whether none is under way.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Decodes a batch and stores it once all before it are stored. After one that cannot be stored none is.
    pub async fn send(&mut self, batch: Builder) {
        let line = self
            .line
            .get_or_insert_with(|| Line::new(&self.source, &self.store));
        self.count += 1;
        // Nobody takes it once one could not be stored, which is told before anything else.
        let _ = line.to_decode.send(batch).await;
    }

    /// Waits until no more than so many are under way. Returns what was stored, in order, and why something was not:
    /// then none is under way, and reading must start over from the stored cursor.
    pub async fn down_to(&mut self, most: usize) -> (Vec<Told>, Option<String>) {
        let mut told = Vec::new();
        while self.count > most
            && let Some(line) = &mut self.line
        {
            match line.stored.recv().await {
                Some(Ok(stored)) => {
                    self.count -= 1;
                    told.push(stored);
                }
                Some(Err(reason)) => {
                    self.rest().await;
                    return (told, Some(reason));
                }
                None => {
                    let died = self.rest().await;
                    let reason = died.unwrap_or_else(|| "a batch was given up".to_owned());
                    return (told, Some(reason));
                }
            }
        }
        (told, None)
    }

    /// Lets the threads go. What is still on its way is given up, so it is for when nothing is, or one was not stored.
    /// Returns which of them died, and how.
    pub async fn rest(&mut self) -> Option<String> {
        self.count = 0;
        let line = self.line.take()?;
        drop(line.to_decode);
        let (decoded, stored) = (line.decoding.await, line.storing.await);
        let died = |error, what| format!("a {what} thread died: {error}");
        let decoding = decoded.err().map(|error| died(error, "decoding"));
        decoding.or_else(|| stored.err().map(|error| died(error, "storing")))
    }
}

impl Line {
    fn new(source: &str, store: &Arc<LockedStore>) -> Self {
        let (to_decode, waiting) = mpsc::channel(MOST);
        let (to_store, decoded) = mpsc::channel(MOST);
        let (tell, stored) = mpsc::unbounded_channel();
        let (source, store) = (source.to_owned(), Arc::clone(store));
        Self {
            to_decode,
            stored,
            decoding: spawn_blocking(move || decode(waiting, &to_store)),
            storing: spawn_blocking(move || put_all(decoded, &source, &store, &tell)),
        }
    }
}

fn decode(mut waiting: Receiver<Builder>, to_store: &Sender<Batch>) {
    while let Some(batch) = waiting.blocking_recv() {
        if to_store.blocking_send(batch.finish()).is_err() {
            return;
        }
    }
}

/// Stores until there is no more, or one cannot be stored: its cursor says where reading starts over, and nothing behind it
/// may be stored before.
fn put_all(
    mut decoded: Receiver<Batch>,
    source: &str,
    store: &LockedStore,
    tell: &UnboundedSender<Result<Told, String>>,
) {
    while let Some(batch) = decoded.blocking_recv() {
        let told = put(store, source, batch).map_err(|error| error.to_string());
        let is_stored = told.is_ok();
        if tell.send(told).is_err() || !is_stored {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Decoding;
    use super::super::lines::Line;
    use super::super::tests::line;
    use super::*;
    use crate::intake::store::{Cursor, FileCursor, Store};

    fn batch(ids: std::ops::Range<usize>) -> Builder {
        let mut builder = Builder::new("s", &Decoding::plain(), Timestamp::UNIX_EPOCH);
        let offset = ids.end as u64;
        for id in ids {
            let raw = line(&format!("{id:04}")).trim_end().as_bytes().to_vec();
            builder.add(Line::Whole(raw.into()));
        }
        builder.go_on_from(Cursor::File(FileCursor {
            generation: 0,
            dev: 1,
            ino: 1,
            offset,
            fingerprint: String::new(),
            written: (0, 0),
            left: Vec::new(),
        }));
        builder
    }

    fn offset(store: &LockedStore) -> Option<u64> {
        match store.lock().cursor("s").unwrap() {
            Some(Cursor::File(at)) => Some(at.offset),
            _ => None,
        }
    }

    /// Large ones take longer to decode than the small ones behind them, and are stored before them all the same.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn batches_are_stored_in_the_order_in_which_they_were_read() {
        let state = tempfile::tempdir().unwrap();
        let store = Arc::new(LockedStore::new(Store::open(state.path()).unwrap()));
        let mut under_way = UnderWay::new("s", Arc::clone(&store));
        let mut ids = Vec::new();
        for from in (0..2_020).step_by(1_010) {
            under_way.send(batch(from..from + 1_000)).await;
            under_way.send(batch(from + 1_000..from + 1_010)).await;
            let (told, failed) = under_way.down_to(1).await;
            assert_eq!(failed, None);
            ids.extend(told);
        }
        let (told, failed) = under_way.down_to(0).await;
        assert_eq!(failed, None);
        ids.extend(told);
        let ids: Vec<String> = ids
            .iter()
            .flat_map(|told| &told.alerts)
            .map(|stored| stored.alert.own_id().to_owned())
            .collect();
        let want: Vec<String> = (0..2_020).map(|id| format!("{id:04}")).collect();
        assert_eq!(ids, want);
        assert_eq!(offset(&store), Some(2_020));
    }

    /// Otherwise the cursor would go past what is not stored.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn behind_one_that_is_not_stored_none_is() {
        let state = tempfile::tempdir().unwrap();
        let store = Arc::new(LockedStore::new(Store::open(state.path()).unwrap()));
        let mut under_way = UnderWay::new("s", Arc::clone(&store));
        under_way.send(batch(0..2)).await;
        let (told, failed) = under_way.down_to(0).await;
        assert_eq!((told.len(), failed), (1, None));
        store.lock().crash_before_commit = true;
        for id in 2..5 {
            under_way.send(batch(id..id + 1)).await;
        }
        let (told, failed) = under_way.down_to(2).await;
        let failed = failed.unwrap_or_default();
        assert!(told.is_empty() && failed.contains("crash"), "{failed}");
        assert_eq!(offset(&store), Some(2));
        assert_eq!(store.lock().counts().unwrap().alerts, 2);
        // From the stored cursor on it goes as before.
        store.lock().crash_before_commit = false;
        under_way.send(batch(2..5)).await;
        assert_eq!(under_way.down_to(0).await.1, None);
        assert_eq!(offset(&store), Some(5));
        assert_eq!(store.lock().counts().unwrap().alerts, 5);
    }
}
