//! Where alerts come from. Every source stores what it read before it tells anybody.

pub(crate) mod batch;
mod folder;
mod follow;
pub(crate) mod lines;
mod socket;
mod stdin;
mod tail;
mod under_way;

use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::decode::Decoders;
use super::poll::Poller;
use super::poll::events::EventsPoller;
use super::store::{Batch, Cursor, LockedStore, Store, StoreError, StoredAlert};
use crate::app::settings::SourceSettings;

/// What a source tells.
#[derive(Clone, Debug, PartialEq)]
pub enum IntakeEvent {
    /// Alerts that are stored now, new and repeated ones, as they are stored.
    Alerts(Vec<StoredAlert>),
    /// Input that could not be read went to the quarantine.
    Quarantined {
        /// Name of the source.
        source: String,
        /// How many pieces of this source are in quarantine by now.
        total: u64,
        /// What is wrong with the latest one, made visible.
        last_reason: String,
    },
    /// Something about a source that does not change its state: a sender that was turned away.
    Notice {
        /// Name of the source.
        source: String,
        /// What happened, made visible.
        text: String,
    },
    /// A source changed its state.
    Source {
        /// Name of the source.
        source: String,
        /// Its state from now on.
        state: SourceState,
    },
}

/// How the lines of a source are decoded.
#[derive(Clone, Debug)]
pub(crate) struct Decoding {
    /// The kind, or none to find it from each line.
    pub format: Option<String>,
    /// What decodes.
    pub decoders: Arc<Decoders>,
}

impl Decoding {
    /// Decodes with what is shipped, whatever it is.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self {
            format: None,
            decoders: Arc::clone(Decoders::shipped()),
        }
    }
}

/// How a source is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Reading, and waiting for more.
    Following,
    /// The same, and what is worth knowing about it.
    Served(String),
    /// Nothing to read yet, and why. It goes on by itself.
    Waiting(String),
    /// There will be no more.
    Ended,
    /// It cannot go on, and why. A file source tries again by itself.
    Failed(String),
}

impl SourceState {
    /// Returns whether alerts can come, and the state in words.
    pub fn in_words(&self) -> (bool, String) {
        match self {
            Self::Following => (true, "following".to_owned()),
            Self::Served(text) => (true, format!("following, {text}")),
            Self::Ended => (false, "ended, no more alerts will come".to_owned()),
            Self::Waiting(reason) => (false, format!("waiting: {reason}")),
            Self::Failed(reason) => (false, format!("failed: {reason}")),
        }
    }
}

/// What a synchronous catch-up did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Alerts that were not there before.
    pub new: u64,
    /// Arrivals, repeats included.
    pub touched: u64,
    /// Pieces that went to the quarantine.
    pub quarantined: u64,
}

impl CaughtUp {
    fn add(&mut self, told: &Told) {
        self.new += told.new;
        self.touched += told.alerts.len() as u64;
        self.quarantined += told.quarantined;
    }
}

/// Why a catch-up failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source cannot be read.
    #[error("read source {name}: {reason}")]
    Unreadable {
        /// Name of the source.
        name: String,
        /// Why.
        reason: String,
    },
    /// What was read cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Follows a source until it ends, `cancel` is cancelled, or nobody listens on `tx` any more. A full channel holds the
/// reading back. What is told is stored already; what was stored but not told is found in the store.
pub async fn run(
    settings: SourceSettings,
    decoders: Arc<Decoders>,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
) {
    match settings {
        SourceSettings::File { name, path, format } => {
            let follower = follow::Follower::new(name, path, Decoding { format, decoders });
            tail::run(follower, store, tx, cancel).await;
        }
        SourceSettings::Stdin { name, format } => {
            let decoding = Decoding { format, decoders };
            stdin::run(std::io::stdin(), name, decoding, store, tx, cancel).await;
        }
        // These are sent to, and the receiver listens for all of them.
        SourceSettings::Webhook { .. } | SourceSettings::EventsPush { .. } => {}
        SourceSettings::Spool {
            name,
            path,
            format,
            after,
        } => {
            let decoding = Decoding { format, decoders };
            let folder = folder::Folder::new(name, path, decoding, after);
            folder.run(store, tx, cancel).await;
        }
        SourceSettings::Socket { name, path, format } => {
            let decoding = Decoding { format, decoders };
            socket::run(name, path, decoding, store, tx, cancel).await;
        }
        asked @ (SourceSettings::Poll { .. } | SourceSettings::EventsPoll { .. }) => {
            ask(&asked, decoders, store, tx, cancel).await;
        }
    }
}

/// Asks an API again and again. What cannot be asked at all is told.
async fn ask(
    settings: &SourceSettings,
    decoders: Arc<Decoders>,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
) {
    let problem = match (
        Poller::new(settings, &decoders),
        EventsPoller::new(settings, &decoders),
    ) {
        (Ok(Some(poller)), _) => return poller.run(decoders, store, tx, cancel).await,
        (_, Ok(Some(poller))) => return poller.run(store, tx, cancel).await,
        (Err(error), _) | (_, Err(error)) => error,
        (Ok(None), Ok(None)) => return,
    };
    let source = settings.name().to_owned();
    let state = SourceState::Failed(problem.to_string());
    let event = IntakeEvent::Source { source, state };
    tell(std::iter::once(event), &tx, &cancel).await;
}

/// Reads what is in a source now, without waiting. Standard input has no *now* and is left alone. A last line without
/// an end is read if it is whole JSON, since a subcommand does not come back for it.
pub fn read_once(
    settings: &SourceSettings,
    decoders: &Arc<Decoders>,
    store: &Arc<LockedStore>,
) -> Result<CaughtUp, SourceError> {
    if let SourceSettings::Spool {
        name,
        path,
        format,
        after,
    } = settings
    {
        let decoding = Decoding {
            format: format.clone(),
            decoders: Arc::clone(decoders),
        };
        let mut folder = folder::Folder::new(name.clone(), path.clone(), decoding, *after);
        let mut sum = CaughtUp::default();
        for told in folder.read_all(store)? {
            sum.add(&told);
        }
        return Ok(sum);
    }
    let SourceSettings::File { name, path, format } = settings else {
        return Ok(CaughtUp::default());
    };
    let decoding = Decoding {
        format: format.clone(),
        decoders: Arc::clone(decoders),
    };
    let mut follower = follow::Follower::new(name.clone(), path.clone(), decoding);
    follower.take_whole_partials();
    let mut sum = CaughtUp::default();
    loop {
        let step = follower.step(store)?;
        if let Some(told) = &step.told {
            sum.add(told);
        }
        match step.next {
            follow::Next::More => {}
            follow::Next::Idle | follow::Next::Waiting(_) => return Ok(sum),
            follow::Next::Failed(reason) => {
                return Err(SourceError::Unreadable {
                    name: name.clone(),
                    reason,
                });
            }
        }
    }
}

/// Tells whether a file has whole lines that are not stored yet, as far as that is told by its length.
pub fn is_behind(settings: &SourceSettings, store: &Store) -> bool {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};
    let SourceSettings::File { name, path, .. } = settings else {
        return false;
    };
    let Ok(file) = std::fs::File::open(path) else {
        return false;
    };
    let Ok(meta) = file.metadata() else {
        return false;
    };
    let mut last = [0];
    let is_whole = meta.len() > 0 && file.read_exact_at(&mut last, meta.len() - 1).is_ok();
    if !is_whole || last != *b"\n" {
        return false;
    }
    match store.cursor(name) {
        Ok(Some(Cursor::File(at))) => at.ino != meta.ino() || at.offset < meta.len(),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// Alerts told in one piece, at most.
const TOLD_AT_ONCE: usize = 500;

/// What storing one batch gives to tell.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(super) new: u64,
    pub(super) alerts: Vec<StoredAlert>,
    pub(super) quarantined: u64,
    total_quarantined: u64,
    pub(super) last_reason: Option<String>,
    /// Whether this very batch had been stored before.
    pub(super) replayed: bool,
}

impl Told {
    pub(super) fn into_events(self, source: &str) -> impl Iterator<Item = IntakeEvent> {
        let mut left = self.alerts.into_iter();
        let alerts = std::iter::from_fn(move || {
            let some: Vec<StoredAlert> = left.by_ref().take(TOLD_AT_ONCE).collect();
            (!some.is_empty()).then_some(IntakeEvent::Alerts(some))
        });
        let quarantined = self
            .last_reason
            .map(|last_reason| IntakeEvent::Quarantined {
                source: source.to_owned(),
                total: self.total_quarantined,
                last_reason,
            });
        alerts.chain(quarantined)
    }
}

/// Stores a batch and gathers what to tell.
pub(super) fn put(store: &LockedStore, source: &str, batch: Batch) -> Result<Told, StoreError> {
    let mut store = store.lock();
    let refused = batch.refused.len() as u64;
    let reason = batch.refused.last().map(|r| r.reason.clone());
    let stored = store.take(source, batch)?;
    let last_reason = reason.filter(|_| !stored.replayed);
    let is_told = last_reason.is_some();
    Ok(Told {
        new: stored.new as u64,
        replayed: stored.replayed,
        alerts: stored.touched,
        quarantined: if is_told { refused } else { 0 },
        total_quarantined: match is_told {
            true => store.quarantined_of(source)?,
            false => 0,
        },
        last_reason,
    })
}

/// Sends events in order. Tells whether to go on: not when cancelled or when nobody listens.
pub(super) async fn tell(
    events: impl Iterator<Item = IntakeEvent>,
    tx: &Sender<IntakeEvent>,
    cancel: &CancellationToken,
) -> bool {
    for event in events {
        tokio::select! {
            () = cancel.cancelled() => return false,
            sent = tx.send(event) => {
                if sent.is_err() {
                    return false;
                }
            }
        }
    }
    true
}

#[cfg(test)]
mod tests;
