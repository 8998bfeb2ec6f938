//! The journal as the rest of the console uses it: one thread owns the writer, because `fsync` waits, and keeps the
//! fold of all logs up to date.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::anchor::{Anchored, Anchoring, Posting};
use super::distance::Distance;
use super::gate::Gate;
use super::space::Space;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::decision::{
    Attempt, Decision, Decisions, Entry, Evidence, Outcome, PlanState, RecordType,
};
use crate::domain::ids::PlanDigest;
use crate::domain::watching::{self, Watched};
use crate::journal::{Follower, Health, JournalConfig, JournalError, Opened, SEEN_FILE, Writer};

/// Where messages for the console go; subcommands print some of them.
pub type Report = Arc<dyn Fn(Msg) + Send + Sync>;

/// Why something could not be written down.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotRecorded(pub String);

/// How often the heads of other logs are recorded in a quiet console.
const HEADS_EVERY: Duration = Duration::from_mins(5);
/// How often the distance to the last anchor is looked at in a quiet console.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How many callers' records are written in one piece.
const MOST_TOGETHER: usize = 64;

/// How long as many callers as came together before are waited for: half of what the last write took, and this at most.
const GATHER: Duration = Duration::from_millis(5);

/// How long the log is not read back after a write if more is to be written, and how long after it at the latest.
const READ_SOON: Duration = Duration::from_micros(300);
const READ_LATEST: Duration = Duration::from_millis(100);

/// Why a console that only looks cannot write.
const NO_WRITER: &str = "this console has no journal to write to";

/// What looks at the fold.
type Look = Box<dyn FnOnce(&Decisions) + Send>;

pub(super) enum Order {
    Append(
        Vec<(RecordType, Value)>,
        oneshot::Sender<Result<(), NotRecorded>>,
    ),
    Reserve(usize, oneshot::Sender<Result<(), NotRecorded>>),
    Blob(
        String,
        String,
        Vec<u8>,
        oneshot::Sender<Result<Evidence, NotRecorded>>,
    ),
    Plan(String, oneshot::Sender<Option<(PlanDigest, PlanState)>>),
    Decisions(oneshot::Sender<Decisions>),
    /// Windows of so many seconds that were open since a time.
    Watched(u32, Timestamp, oneshot::Sender<Vec<Watched>>),
    Health(oneshot::Sender<Option<String>>),
    Key(oneshot::Sender<Option<String>>),
    Sign(String, oneshot::Sender<Option<String>>),
    Latest(oneshot::Sender<Decisions>),
    Look(Look),
    LookNow(Look),
    /// The head over so many lines left, or could not.
    Anchored(u64, Result<Anchored, String>),
    Poll,
    End(oneshot::Sender<()>),
}

/// A handle on the journal thread. Clones share it.
#[derive(Clone)]
pub struct Journal {
    orders: mpsc::Sender<Order>,
    store: PathBuf,
    seen: PathBuf,
    posting: Option<Posting>,
    changes: watch::Receiver<u64>,
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
        let thread = Thread {
            report,
            follower: Follower::unwatched(&store),
            decisions: Decisions::default(),
            writer: None,
            closed: NO_WRITER.to_owned(),
            anchors: Distance::new(anchoring, heads, config.drill),
            space: Space::new(&store),
            next: None,
            unread: None,
            together: 1,
            took: Duration::ZERO,
            gate: Gate::default(),
            changed,
        };
        std::thread::spawn(move || {
            let writer = (!read_only).then(|| writer(config));
            thread.run(writer, &inbox);
        });
        Self {
            orders,
            store,
            seen,
            posting,
            changes,
        }
    }

    /// Writes records durably: when this returns, they are on the disk, or an error says that they are not.
    pub async fn append(&self, records: Vec<(RecordType, Value)>) -> Result<(), NotRecorded> {
        self.ask(|answer| Order::Append(records, answer)).await?
    }

    /// Writes one typed record durably.
    pub async fn record(&self, kind: RecordType, body: &impl Serialize) -> Result<(), NotRecorded> {
        let value = serde_json::to_value(body).map_err(|e| NotRecorded(e.to_string()))?;
        self.append(vec![(kind, value)]).await
    }

    /// Writes decisions durably, all or none.
    pub async fn record_decisions(&self, decisions: &[Decision]) -> Result<(), NotRecorded> {
        let record =
            |d: &Decision| serde_json::to_value(d).map(|body| (RecordType::Decision, body));
        let records: Result<Vec<_>, _> = decisions.iter().map(record).collect();
        self.append(records.map_err(|e| NotRecorded(e.to_string()))?)
            .await
    }

    /// Writes what an act came to, with every try where there was more than one, in one piece.
    pub async fn outcome(&self, tries: &[Attempt], outcome: &Outcome) -> Result<(), NotRecorded> {
        let value =
            |body: Result<Value, serde_json::Error>| body.map_err(|e| NotRecorded(e.to_string()));
        let mut records = Vec::new();
        for tried in tries {
            records.push((RecordType::Attempt, value(serde_json::to_value(tried))?));
        }
        records.push((RecordType::Outcome, value(serde_json::to_value(outcome))?));
        self.append(records).await
    }

    /// Keeps room on the disk for the outcomes of `in_flight` acts.
    pub async fn reserve(&self, in_flight: usize) -> Result<(), NotRecorded> {
        self.ask(|answer| Order::Reserve(in_flight, answer)).await?
    }

    /// Stores evidence beside the log.
    pub async fn blob(
        &self,
        name: &str,
        source: &str,
        bytes: Vec<u8>,
    ) -> Result<Evidence, NotRecorded> {
        self.ask(|answer| Order::Blob(name.to_owned(), source.to_owned(), bytes, answer))
            .await?
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
        self.ask(Order::Latest).await
    }

    /// Asks the fold of all logs something as they stand on the disk now, without a copy of it.
    pub async fn look_now<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Decisions) -> T + Send + 'static,
    ) -> Result<T, NotRecorded> {
        self.asked(Order::LookNow, look).await
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
        order: fn(Look) -> Order,
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

/// Writes records; what an act came to is tried until it stands, as it happened already. A new act is refused after the
/// first try, so that nobody acts while another console holds the log.
fn insist(
    writer: &mut Writer,
    records: &[(RecordType, Value)],
    report: &Report,
) -> Result<(), JournalError> {
    let happened = |kind| matches!(kind, RecordType::Outcome | RecordType::Verify);
    let must = records.iter().any(|(kind, _)| happened(*kind));
    let mut waiting = false;
    loop {
        match writer.append(Timestamp::now(), records) {
            Err(JournalError::Locked { path, holder }) if must => {
                if !waiting {
                    let place = path.display();
                    let text = format!(
                        "NOT RECORDED yet: {holder} holds the log {place}; what the act came to is tried until it stands"
                    );
                    report(Msg::JournalProblem(Some(text)));
                }
                waiting = true;
            }
            Err(error) if must => {
                writer.keep_elsewhere(Timestamp::now(), records, &error);
                if let Some(text) = writer.unrecorded() {
                    report(Msg::Unrecorded(text.to_owned()));
                }
                return Err(error);
            }
            other => {
                if waiting && other.is_ok() {
                    report(Msg::JournalProblem(None));
                }
                return other.map(|_| ());
            }
        }
    }
}

struct Thread {
    report: Report,
    follower: Follower,
    decisions: Decisions,
    writer: Option<Writer>,
    /// Why there is no writer, when there is none.
    closed: String,
    anchors: Distance,
    space: Space,
    /// An order that came while records were gathered.
    next: Option<Order>,
    /// Since when something may be in a log that was not read yet. Whoever waits for a write does not wait for that.
    unread: Option<Instant>,
    /// How many callers the last records came from.
    together: usize,
    /// How long the last write took.
    took: Duration,
    gate: Gate,
    /// Counts how often records were taken in.
    changed: watch::Sender<u64>,
}

/// Records of one caller, and who waits for them.
type Wanted = (
    Vec<(RecordType, Value)>,
    oneshot::Sender<Result<(), NotRecorded>>,
);

impl Thread {
    fn run(
        mut self,
        writer: Option<Result<(Writer, Opened), JournalError>>,
        inbox: &mpsc::Receiver<Order>,
    ) {
        if let Some(opened) = writer {
            self.begin(opened);
        }
        self.poll();
        (self.report)(Msg::LogRead);
        let mut due = Instant::now() + HEADS_EVERY;
        loop {
            self.anchors.look(self.writer.as_mut(), &self.report);
            if self.writer.is_some() {
                self.space.look(&self.report);
            }
            if Instant::now() >= due {
                due = Instant::now() + HEADS_EVERY;
                if let Some(writer) = &mut self.writer {
                    // What it cannot record now it records before the next act, or says so then.
                    let _ = writer.peer_heads(Timestamp::now());
                }
            }
            let wait = due
                .saturating_duration_since(Instant::now())
                .min(self.unread.map_or(LOOK_EVERY, |_| READ_SOON));
            let order = match self
                .next
                .take()
                .map_or_else(|| inbox.recv_timeout(wait), Ok)
            {
                Ok(order) => order,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    self.catch_up();
                    continue;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            let late = self.unread.is_some_and(|at| at.elapsed() > READ_LATEST);
            let writes = matches!(order, Order::Append(..) | Order::Reserve(..));
            if late || !(writes || matches!(order, Order::Poll)) {
                self.catch_up();
            }
            match order {
                Order::Append(records, answer) => self.append((records, answer), inbox),
                Order::Reserve(in_flight, answer) => self.reserve(in_flight, answer),
                Order::Blob(name, source, bytes, answer) => {
                    let stored = self.with_writer(|writer| writer.put_blob(&bytes));
                    let evidence = stored.map(|b| Evidence {
                        name,
                        sha256: b.sha256,
                        size: b.size,
                        source,
                        media: None,
                        fetched_at: None,
                    });
                    let _ = answer.send(evidence);
                }
                Order::Plan(digest, answer) => {
                    let found = self
                        .decisions
                        .plan(&digest)
                        .map(|(d, p)| (d.clone(), p.clone()));
                    let _ = answer.send(found);
                }
                Order::Decisions(answer) => {
                    let _ = answer.send(self.decisions.clone());
                }
                Order::Watched(window_s, since, answer) => {
                    let _ = answer.send(watching::windows(&self.decisions, window_s, since));
                }
                Order::Health(answer) => {
                    let _ = answer.send(self.blocked());
                }
                Order::Key(answer) => {
                    let key = self.writer.as_ref().map(Writer::vkey);
                    let _ = answer.send(key);
                }
                Order::Sign(text, answer) => {
                    let signed = self.writer.as_ref().map(|writer| writer.sign(&text));
                    let _ = answer.send(signed);
                }
                Order::Look(look) => look(&self.decisions),
                Order::LookNow(look) => {
                    self.unread = None;
                    self.poll();
                    look(&self.decisions);
                }
                Order::Latest(answer) => {
                    self.unread = None;
                    self.poll();
                    let _ = answer.send(self.decisions.clone());
                }
                Order::Anchored(size, sent) => {
                    self.anchors
                        .sent(self.writer.as_mut(), size, sent, &self.report);
                }
                Order::Poll => self.unread(),
                Order::End(answer) => {
                    let _ = answer.send(());
                    return;
                }
            }
        }
    }

    /// Takes the writer over, and tells what was found when it was opened.
    fn begin(&mut self, opened: Result<(Writer, Opened), JournalError>) {
        match opened {
            Ok((mut writer, opened)) => {
                writer.watch_clock();
                if let Some(recovered) = &opened.recovered {
                    self.say(Some(format!(
                        "a torn write of {} bytes was put aside",
                        recovered.bytes
                    )));
                }
                if opened.kept > 0 {
                    self.say(Some(format!(
                        "{} records stand in the log now that could only be kept elsewhere when its disk failed",
                        opened.kept
                    )));
                }
                for peer in &opened.peers {
                    self.say(Some(peer.clone()));
                }
                if let Health::Blocked(reason) = writer.health() {
                    (self.report)(Msg::JournalProblem(Some(reason)));
                }
                self.writer = Some(writer);
            }
            Err(error) => {
                self.closed = error.to_string();
                (self.report)(Msg::JournalProblem(Some(error.to_string())));
            }
        }
    }

    /// Writes what one caller wants, and with it what others asked for while the disk was busy: one wait serves all.
    fn append(&mut self, first: Wanted, inbox: &mpsc::Receiver<Order>) {
        let mut lot = vec![first];
        // Whoever was answered a moment ago is about to ask again: half of them would miss this write and wait for two.
        let until = Instant::now() + (self.took / 2).min(GATHER);
        while lot.len() < MOST_TOGETHER && self.next.is_none() {
            let left = match lot.len() < self.together {
                true => until.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            match inbox.recv_timeout(left) {
                Ok(Order::Append(records, answer)) => lot.push((records, answer)),
                Ok(Order::Poll) => self.unread(),
                // Whoever begins an act asks for room first: that must not part those who write.
                Ok(Order::Reserve(in_flight, answer)) => self.reserve(in_flight, answer),
                Ok(other) => self.next = Some(other),
                Err(_) => break,
            }
        }
        self.together = lot.len();
        let mut answers = Vec::new();
        let mut all = Vec::new();
        for (records, answer) in lot {
            answers.push((records.len(), answer));
            all.extend(records);
        }
        let began = Instant::now();
        // What is wrong with one record must not refuse another caller's: then each is tried alone, and told.
        let together = match &mut self.writer {
            Some(writer) if answers.len() > 1 => writer.append(Timestamp::now(), &all).is_ok(),
            _ => false,
        };
        let report = Arc::clone(&self.report);
        let mut rest = &all[..];
        let mut answered = Vec::new();
        for (count, answer) in answers {
            let (records, others) = rest.split_at(count);
            rest = others;
            let written = match together {
                true => Ok(()),
                false => self.with_writer(|writer| insist(writer, records, &report)),
            };
            answered.push((answer, written));
        }
        self.took = began.elapsed();
        if let Some(step) = self.writer.as_mut().and_then(Writer::take_clock_step) {
            self.say(Some(format!("{step}; expiry times may be off")));
        }
        self.unread();
        // Before the answers: who ends the journal next waits for the head that is handed on here.
        self.anchors.look(self.writer.as_mut(), &self.report);
        for (answer, written) in answered {
            let _ = answer.send(written);
        }
    }

    fn reserve(&mut self, in_flight: usize, answer: oneshot::Sender<Result<(), NotRecorded>>) {
        let reserved = self.with_writer(|writer| writer.reserve(in_flight));
        // Whoever asked may be gone.
        let _ = answer.send(reserved);
    }

    fn blocked(&self) -> Option<String> {
        match self.writer.as_ref().map(Writer::health) {
            Some(Health::Ok) => None,
            Some(Health::Blocked(reason)) => Some(reason),
            None => Some(self.closed.clone()),
        }
    }

    fn with_writer<T>(
        &mut self,
        act: impl FnOnce(&mut Writer) -> Result<T, JournalError>,
    ) -> Result<T, NotRecorded> {
        let Some(writer) = &mut self.writer else {
            return Err(NotRecorded(self.closed.clone()));
        };
        let done = act(writer).map_err(|error| NotRecorded(error.to_string()));
        // A full disk may have room again at the next try; only a log that is blocked stops everything.
        let problem = match writer.health() {
            Health::Ok => None,
            Health::Blocked(reason) => Some(reason),
        };
        match (&done, problem) {
            (_, Some(reason)) => (self.report)(Msg::JournalProblem(Some(reason))),
            (Err(error), None) => {
                let text = format!("not recorded: {error}");
                (self.report)(Msg::Notice {
                    level: Level::Error,
                    text,
                });
            }
            (Ok(_), None) => {}
        }
        done
    }

    /// Something was written.
    fn unread(&mut self) {
        self.unread.get_or_insert_with(Instant::now);
    }

    /// Takes in what was written meanwhile, if anything was.
    fn catch_up(&mut self) {
        if self.unread.take().is_some() {
            self.poll();
        }
    }

    /// Takes in what is new in any log, a long one in lots.
    fn poll(&mut self) {
        let mut more = true;
        while more {
            let (mut lines, mut problems) = (Vec::new(), Vec::new());
            more = self.follower.poll_some(&mut lines, &mut problems);
            for problem in problems {
                self.say(Some(format!("{}: {}", problem.log, problem.text)));
            }
            let entries: Vec<Entry> = lines.into_iter().map(|line| line.entry).collect();
            for entry in &entries {
                self.decisions.apply(entry);
            }
            if entries.is_empty() {
                continue;
            }
            self.changed.send_modify(|n| *n += 1);
            (self.report)(Msg::Journal(entries));
            if more {
                let pass = self.gate.pass();
                (self.report)(Msg::Held(Box::new(pass)));
            }
        }
    }

    fn say(&self, text: Option<String>) {
        if let Some(text) = text {
            (self.report)(Msg::Notice {
                level: Level::Warn,
                text: format!("journal: {text}"),
            });
        }
    }
}

#[cfg(test)]
mod tests;
