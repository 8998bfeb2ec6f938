//! Batches on their way from lines to the disk: several are decoded while one is stored, and each is stored behind the
//! one that was read before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use super::batch::Builder;
use super::{Told, put};
use crate::intake::store::Store;

/// Most batches under way: one is stored, one decoded, and one is there for whoever is done first. Each has some 8 MB.
pub(super) const MOST: usize = 3;

/// Batches of one source in the order in which they were read.
pub(super) struct UnderWay {
    source: String,
    store: Arc<Mutex<Store>>,
    batches: VecDeque<JoinHandle<Result<Told, String>>>,
    /// Tells when the newest one is stored; never, when it is not.
    newest: Option<oneshot::Receiver<()>>,
}

impl UnderWay {
    /// Starts with none.
    pub fn new(source: &str, store: Arc<Mutex<Store>>) -> Self {
        Self {
            source: source.to_owned(),
            store,
            batches: VecDeque::new(),
            newest: None,
        }
    }

    /// Tells whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Decodes a batch and stores it once all before it are stored. After one that cannot be stored none is.
    pub fn send(&mut self, batch: Builder) {
        let (stored, newest) = oneshot::channel();
        let before = self.newest.replace(newest);
        let (store, source) = (Arc::clone(&self.store), self.source.clone());
        self.batches.push_back(tokio::spawn(async move {
            let decoded = spawn_blocking(move || batch.finish());
            let batch = decoded
                .await
                .map_err(|error| format!("a decoding thread died: {error}"))?;
            if let Some(before) = before
                && before.await.is_err()
            {
                return Err("what was read before it is not stored".to_owned());
            }
            let told = spawn_blocking(move || put(&store, &source, batch));
            let told = told
                .await
                .map_err(|error| format!("a storing thread died: {error}"))?
                .map_err(|error| error.to_string())?;
            // Nobody waits when it is the last one.
            let _ = stored.send(());
            Ok(told)
        }));
    }

    /// Waits until no more than so many are under way. Returns what was stored, in order, and why something was not:
    /// then none is under way, and reading must start over from the stored cursor.
    pub async fn down_to(&mut self, most: usize) -> (Vec<Told>, Option<String>) {
        let mut told = Vec::new();
        while self.batches.len() > most
            && let Some(oldest) = self.batches.pop_front()
        {
            match oldest.await {
                Ok(Ok(stored)) => told.push(stored),
                Ok(Err(reason)) => return (told, Some(self.give_up(reason).await)),
                Err(error) => {
                    let reason = format!("a batch was given up: {error}");
                    return (told, Some(self.give_up(reason).await));
                }
            }
        }
        (told, None)
    }

    /// Waits for the others, none of which is stored any more, and returns the reason.
    async fn give_up(&mut self, reason: String) -> String {
        for batch in std::mem::take(&mut self.batches) {
            // They all say that the one before them is not stored.
            drop(batch.await);
        }
        self.newest = None;
        reason
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Decoding;
    use super::super::lines::Line;
    use super::super::tests::line;
    use super::*;
    use crate::intake::store::{Cursor, FileCursor};

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
        }));
        builder
    }

    fn offset(store: &Mutex<Store>) -> Option<u64> {
        match store.lock().unwrap().cursor("s").unwrap() {
            Some(Cursor::File(at)) => Some(at.offset),
            _ => None,
        }
    }

    /// Large ones take longer to decode than the small ones behind them, and are stored before them all the same.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn batches_are_stored_in_the_order_in_which_they_were_read() {
        let state = tempfile::tempdir().unwrap();
        let store = Arc::new(Mutex::new(Store::open(state.path()).unwrap()));
        let mut under_way = UnderWay::new("s", Arc::clone(&store));
        let mut ids = Vec::new();
        for from in (0..2_020).step_by(1_010) {
            under_way.send(batch(from..from + 1_000));
            under_way.send(batch(from + 1_000..from + 1_010));
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
        let store = Arc::new(Mutex::new(Store::open(state.path()).unwrap()));
        let mut under_way = UnderWay::new("s", Arc::clone(&store));
        under_way.send(batch(0..2));
        let (told, failed) = under_way.down_to(0).await;
        assert_eq!((told.len(), failed), (1, None));
        store.lock().unwrap().crash_before_commit = true;
        (2..5).for_each(|id| under_way.send(batch(id..id + 1)));
        let (told, failed) = under_way.down_to(2).await;
        let failed = failed.unwrap_or_default();
        assert!(told.is_empty() && failed.contains("crash"), "{failed}");
        assert_eq!(offset(&store), Some(2));
        assert_eq!(store.lock().unwrap().counts().unwrap().alerts, 2);
        // From the stored cursor on it goes as before.
        store.lock().unwrap().crash_before_commit = false;
        under_way.send(batch(2..5));
        assert_eq!(under_way.down_to(0).await.1, None);
        assert_eq!(offset(&store), Some(5));
        assert_eq!(store.lock().unwrap().counts().unwrap().alerts, 5);
    }
}
