//! The journal as the rest of the console uses it: one thread owns the writer, because `fsync` waits, and keeps the
//! fold of all logs up to date.

mod keeper;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use self::keeper::Keeper;
use super::anchor::{Anchored, Anchoring, Posting};
use super::distance::Distance;
use crate::app::msg::Msg;
use crate::domain::decision::{
    Attempt, Decision, Decisions, Evidence, Outcome, PlanState, RecordType, Verify,
};
use crate::domain::ids::PlanDigest;
use crate::domain::watching::Watched;
use crate::journal::{Follower, JournalConfig, JournalError, Opened, SEEN_FILE, Shelf, Writer};

/// Where messages for the console go; subcommands print some of them.
pub type Report = Arc<dyn Fn(Msg) + Send + Sync>;

/// Why something could not be written down.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotRecorded(pub String);

/// What looks at the fold.
type Look = Box<dyn FnOnce(&Decisions) + Send>;

pub(super) enum Order {
    Append(Wanted),
    Shelf(oneshot::Sender<Result<Shelf, NotRecorded>>),
    Plan(String, oneshot::Sender<Option<(PlanDigest, PlanState)>>),
    Decisions(oneshot::Sender<Decisions>),
    /// Windows of so many seconds that were open since a time.
    Watched(u32, Timestamp, oneshot::Sender<Vec<Watched>>),
    Health(oneshot::Sender<Option<String>>),
    Key(oneshot::Sender<Option<String>>),
    Sign(String, oneshot::Sender<Option<String>>),
    /// Asked at that time.
    Latest(Instant, oneshot::Sender<Decisions>),
    Look(Look),
    /// Asked at that time.
    LookNow(Instant, Look),
    /// The head over so many lines left, or could not.
    Anchored(u64, Result<Anchored, String>),
    Poll,
    End(oneshot::Sender<()>),
}

/// Records of one caller, and who waits for them.
pub(super) struct Wanted {
    records: Vec<(RecordType, Value)>,
    answer: Answer,
}

/// What is told to who waits for records.
pub(super) enum Answer {
    /// Whether they are on the disk.
    Written(oneshot::Sender<Result<(), NotRecorded>>),
    /// The same, to one who then looks at what all logs hold by now.
    Seen(Written),
}

/// What looks at the fold once records are on the disk, or are not.
type Written = Box<dyn FnOnce(Result<(), NotRecorded>, &Decisions) + Send>;

impl Order {
    /// Tells whether the answer is in the records, so that those written last have to be read before.
    const fn looks_at_the_fold(&self) -> bool {
        matches!(
            self,
            Self::Plan(..) | Self::Decisions(..) | Self::Watched(..) | Self::Look(..)
        )
    }
}

/// A handle on the journal thread. Clones share it.
#[derive(Clone)]
pub struct Journal {
    orders: mpsc::Sender<Order>,
    store: PathBuf,
    seen: PathBuf,
    posting: Option<Posting>,
    changes: watch::Receiver<u64>,
    /// The same as long as the log is: who keeps evidence asks for it once, and waits for no write then.
    shelf: Arc<OnceLock<Shelf>>,
}

impl Journal {
    /// Opens the log of this user and reads all logs of the store. A read-only journal has no writer and refuses every
    /// record. Problems go to `report`; the console goes on without acting.
    pub fn open(
        config: JournalConfig,
        read_only: bool,
        anchoring: Anchoring,
        report: Report,
    ) -> Self {
        let writer = |config: JournalConfig| Writer::open(config, Timestamp::now());
        Self::open_with(config, read_only, anchoring, report, writer)
    }

    fn open_with(
        config: JournalConfig,
        read_only: bool,
        anchoring: Anchoring,
        report: Report,
        writer: impl FnOnce(JournalConfig) -> Result<(Writer, Opened), JournalError> + Send + 'static,
    ) -> Self {
        let (orders, inbox) = mpsc::channel();
        // The drill's heads are nobody's business, and whoever only looks has none.
        let poster = anchoring.poster.clone();
        let poster = poster.filter(|_| !read_only && !config.drill);
        let (heads, posting) = poster
            .map(|p| p.start(orders.clone(), &config.store))
            .unzip();
        let store = config.store.clone();
        let seen = config.keys.join(SEEN_FILE);
        let (changed, changes) = watch::channel(0);
        let distance = Distance::new(anchoring, heads, config.drill);
        let keeper = Keeper::new(&store, distance, report, changed);
        std::thread::spawn(move || {
            let writer = (!read_only).then(|| writer(config));
            keeper.run(writer, &inbox);
        });
        Self {
            orders,
            store,
            seen,
            posting,
            changes,
            shelf: Arc::default(),
        }
    }

    /// Writes records durably: when this returns, they are on the disk, or an error says that they are not.
    pub async fn append(&self, records: Vec<(RecordType, Value)>) -> Result<(), NotRecorded> {
        self.ask(|answer| {
            let answer = Answer::Written(answer);
            Order::Append(Wanted { records, answer })
        })
        .await?
    }

    /// Writes one typed record durably.
    pub async fn record(&self, kind: RecordType, body: &impl Serialize) -> Result<(), NotRecorded> {
        self.append(vec![record(kind, body)?]).await
    }

    /// Writes one typed record durably, and then asks the fold of all logs something as they stand on the disk: who has to
    /// know whether another was first waits once.
    pub async fn record_and_look<T: Send + 'static>(
        &self,
        kind: RecordType,
        body: &impl Serialize,
        look: impl FnOnce(&Decisions) -> T + Send + 'static,
    ) -> Result<T, NotRecorded> {
        let records = vec![record(kind, body)?];
        self.ask(|answer| {
            let answer = Answer::Seen(Box::new(move |written, decisions| {
                // Whoever asked may be gone.
                let _ = answer.send(written.map(|()| look(decisions)));
            }));
            Order::Append(Wanted { records, answer })
        })
        .await?
    }

    /// Writes decisions durably, all or none.
    pub async fn record_decisions(&self, decisions: &[Decision]) -> Result<(), NotRecorded> {
        let records = decisions.iter().map(|d| record(RecordType::Decision, d));
        self.append(records.collect::<Result<_, _>>()?).await
    }

    /// Writes what an act came to, with every try where there was more than one, in one piece.
    pub async fn outcome(&self, tries: &[Attempt], outcome: &Outcome) -> Result<(), NotRecorded> {
        let mut records = Vec::new();
        for tried in tries {
            records.push(record(RecordType::Attempt, tried)?);
        }
        records.push(record(RecordType::Outcome, outcome)?);
        self.append(records).await
    }

    /// Writes what an act came to that is its own proof, in one piece.
    pub async fn kept(&self, outcome: &Outcome, proof: &Verify) -> Result<(), NotRecorded> {
        let records = vec![
            record(RecordType::Outcome, outcome)?,
            record(RecordType::Verify, proof)?,
        ];
        self.append(records).await
    }

    /// Stores evidence beside the log: when this returns, it is on the disk, and a record may name it. Nobody who writes
    /// records waits for that.
    pub async fn blob(
        &self,
        name: &str,
        source: &str,
        bytes: Vec<u8>,
    ) -> Result<Evidence, NotRecorded> {
        let shelf = if let Some(shelf) = self.shelf.get() {
            shelf.clone()
        } else {
            let shelf = self.ask(Order::Shelf).await??;
            self.shelf.get_or_init(|| shelf).clone()
        };
        let put = tokio::task::spawn_blocking(move || shelf.put(&bytes)).await;
        let stored = put.map_err(|error| NotRecorded(error.to_string()))?;
        let stored = stored.map_err(|error| NotRecorded(error.to_string()))?;
        Ok(Evidence {
            name: name.to_owned(),
            sha256: stored.sha256,
            size: stored.size,
            source: source.to_owned(),
            media: None,
            fetched_at: None,
        })
    }

    /// Finds a plan by its digest, or by an unambiguous prefix of at least 8 hex digits.
    pub async fn plan(&self, digest: &str) -> Option<(PlanDigest, PlanState)> {
        self.ask(|answer| Order::Plan(digest.to_owned(), answer))
            .await
            .ok()
            .flatten()
    }

    /// Returns the fold of all logs as it stands.
    pub async fn decisions(&self) -> Result<Decisions, NotRecorded> {
        self.ask(Order::Decisions).await
    }

    /// Returns the watch windows of so many seconds that were open at some time since `since`.
    pub async fn watched(
        &self,
        window_s: u32,
        since: Timestamp,
    ) -> Result<Vec<Watched>, NotRecorded> {
        self.ask(|answer| Order::Watched(window_s, since, answer))
            .await
    }

    /// Tells whenever records of any log were taken in.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Returns the folder of all logs.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// Returns the file of heads of logs that this user saw.
    pub fn seen(&self) -> Option<&Path> {
        self.seen.exists().then_some(&self.seen)
    }

    /// Returns why nothing may be acted on, if so: the log is damaged, its disk failed, or it could not be opened.
    pub async fn blocked(&self) -> Option<String> {
        self.ask(Order::Health)
            .await
            .unwrap_or_else(|gone| Some(gone.0))
    }

    /// Returns the key that signs the own log, as `origin+id+base64`; `None` without one.
    pub async fn key(&self) -> Option<String> {
        self.ask(Order::Key).await.ok().flatten()
    }

    /// Signs a text that ends in a line feed with that key, as a C2SP note; `None` without one.
    pub async fn sign(&self, text: String) -> Option<String> {
        let signed = self.ask(|answer| Order::Sign(text, answer)).await;
        signed.ok().flatten()
    }

    /// Returns the fold of all logs as they stand on the disk now, whether or not anybody told of what is new.
    pub async fn latest(&self) -> Result<Decisions, NotRecorded> {
        let asked = Instant::now();
        self.ask(|answer| Order::Latest(asked, answer)).await
    }

    /// Asks the fold of all logs something as they stand on the disk now, without a copy of it.
    pub async fn look_now<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Decisions) -> T + Send + 'static,
    ) -> Result<T, NotRecorded> {
        let asked = Instant::now();
        self.asked(|look| Order::LookNow(asked, look), look).await
    }

    /// Asks the fold of all logs something, without a copy of it.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Decisions) -> T + Send + 'static,
    ) -> Result<T, NotRecorded> {
        self.asked(Order::Look, look).await
    }

    async fn asked<T: Send + 'static>(
        &self,
        order: impl FnOnce(Look) -> Order,
        look: impl FnOnce(&Decisions) -> T + Send + 'static,
    ) -> Result<T, NotRecorded> {
        self.ask(|answer| {
            order(Box::new(move |decisions| {
                // Whoever asked may be gone.
                let _ = answer.send(look(decisions));
            }))
        })
        .await
    }

    /// Ends the thread after everything ordered before.
    pub async fn end(&self) {
        if let Some(posting) = &self.posting {
            posting.flush().await;
        }
        // A thread that is gone already has nothing left to end.
        let _ = self.ask(Order::End).await;
    }

    /// Reads what other consoles write, as soon as they do.
    pub async fn follow(self) {
        let mut watcher = Follower::new(&self.store);
        loop {
            let watching = watcher.changed().await.is_ok();
            if !watching || self.orders.send(Order::Poll).is_err() {
                return;
            }
        }
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, NotRecorded> {
        let gone = || NotRecorded("the journal thread has ended".to_owned());
        let (sender, answer) = oneshot::channel();
        self.orders.send(order(sender)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

fn record(kind: RecordType, body: &impl Serialize) -> Result<(RecordType, Value), NotRecorded> {
    let body = serde_json::to_value(body).map_err(|e| NotRecorded(e.to_string()))?;
    Ok((kind, body))
}

#[cfg(test)]
mod tests;
