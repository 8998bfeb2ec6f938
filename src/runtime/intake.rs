//! Taking alerts in, or watching while another process does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::duty::{self, Asked, Duty};
use super::history;
use super::journal::{Journal, Report};
use super::services::Services;
use super::timers;
use super::watch::Watcher;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::app::settings::{ReceiverSettings, Retention, SourceSettings};
use crate::intake::decode::Decoders;
use crate::intake::receive::Receiver;
use crate::intake::source::{self, IntakeEvent, SourceState};
use crate::intake::store::{LockedStore, Mark, Watch};

mod mirror;
mod retain;
mod room;

/// How long to wait before trying again what failed for a reason that gives no notice when it ends.
const RETRY: Duration = Duration::from_secs(5);

/// How long a process that ends waits for what its senders are being told.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Events that may wait to be told. One may be 500 alerts of a kilobyte.
const EVENTS: usize = 16;

/// Everything that taking alerts in needs.
#[derive(Clone)]
pub struct Intake {
    /// `serve` or `console`.
    pub program: &'static str,
    /// Where alerts come from.
    pub sources: Vec<SourceSettings>,
    /// Where senders are listened to.
    pub receiver: ReceiverSettings,
    /// What decodes alerts.
    pub decoders: Arc<Decoders>,
    /// Where they are stored.
    pub store: Arc<LockedStore>,
    /// The state folder.
    pub state: PathBuf,
    /// How long alerts are kept.
    pub retention: Retention,
    /// Where it is written down that old ones were deleted, and what says which of them somebody is on.
    pub journal: Journal,
    /// What looks after containments meanwhile; `None` where nobody is contained.
    pub watcher: Option<Watcher>,
    /// What ends holds and settles silence while this process has the duty.
    pub services: Option<Services>,
}

impl Intake {
    /// Takes alerts in until cancelled; while another process has the duty, reports what that one stores.
    pub async fn run(self, report: Report, cancel: CancellationToken) {
        // What is stored from here on is told; what was before, the queue's history tells.
        let from = self.store.lock().mark().unwrap_or_default();
        // Standard input is nobody else's, whoever has the duty.
        let (tx, events) = mpsc::channel(EVENTS);
        let telling = tokio::spawn(self.clone().tell(events, report.clone()));
        for source in &self.sources {
            if matches!(source, SourceSettings::Stdin { .. }) {
                self.start(source, &tx, &cancel);
            }
        }
        let duty = tokio::select! {
            duty = self.duty(from, &report, &cancel) => duty,
            () = cancel.cancelled() => None,
        };
        if let Some(duty) = duty {
            report(Msg::Duty(None));
            self.on_duty(tx, &report, &cancel).await;
            // What was received is told before the next process takes over.
            let _ = tokio::time::timeout(LAST_ANSWERS, telling).await;
            drop(duty);
        } else {
            drop(tx);
        }
    }

    /// Returns the duty as soon as this process has it. Nothing when it cannot be had at all.
    async fn duty(&self, from: Mark, report: &Report, cancel: &CancellationToken) -> Option<Duty> {
        // Mostly nobody has it, and to give back a watch takes the system ten milliseconds, before which nothing is read.
        if let Ok(Asked::Taken(duty)) = duty::ask(&self.state, self.program) {
            return Some(duty);
        }
        loop {
            // The watch begins first: what is stored between the question and the watch is not missed.
            let watch = Watch::new(&self.state);
            match duty::ask(&self.state, self.program) {
                Ok(Asked::Taken(duty)) => return Some(duty),
                Ok(Asked::Held(holder)) => {
                    let who =
                        holder.map_or_else(|| "another process".to_owned(), |h| h.to_string());
                    report(Msg::Duty(Some(who.clone())));
                    report(Msg::Notice {
                        level: Level::Info,
                        text: format!(
                            "alerts are taken in by {who}; this one reads what that one stores, and takes over when it ends"
                        ),
                    });
                    let mut mirror = mirror::Mirror::new(self, report.clone(), from);
                    let duty = tokio::select! {
                        duty = duty::wait(&self.state, self.program) => duty,
                        () = mirror.run(watch) => return None,
                        () = cancel.cancelled() => return None,
                    };
                    // What the one before stored last.
                    mirror.read().await;
                    match duty {
                        Ok(duty) => return Some(duty),
                        Err(error) => self.cannot(report, &error),
                    }
                }
                Err(error) => self.cannot(report, &error),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn cannot(&self, report: &Report, error: &std::io::Error) {
        let text = format!(
            "alerts are not taken in: cannot lock {}: {error}",
            self.state.join("duty.lock").display()
        );
        report(Msg::Notice {
            level: Level::Error,
            text,
        });
    }

    /// Runs every source until cancelled.
    async fn on_duty(
        &self,
        tx: mpsc::Sender<IntakeEvent>,
        report: &Report,
        cancel: &CancellationToken,
    ) {
        let tasks = TaskTracker::new();
        for source in &self.sources {
            if !matches!(source, SourceSettings::Stdin { .. }) {
                tasks.spawn(self.task(source, &tx, cancel));
            }
        }
        if self.sources.iter().any(SourceSettings::is_received) {
            tasks.spawn(self.clone().receive(tx.clone(), cancel.clone()));
        }
        drop(tx);
        tasks.spawn(self.clone().retain(report.clone(), cancel.clone()));
        if let Some(watcher) = self.watcher.clone() {
            tasks.spawn(watcher.run(report.clone(), cancel.clone()));
        }
        let timers = self
            .services
            .clone()
            .map(|services| tokio::spawn(timers::run(services, report.clone(), cancel.clone())));
        tracing::debug!("{} sources", self.sources.len());
        cancel.cancelled().await;
        tasks.close();
        if tokio::time::timeout(LAST_ANSWERS, tasks.wait())
            .await
            .is_err()
        {
            report(Msg::Notice {
                level: Level::Warn,
                text: "a source did not end in time".to_owned(),
            });
        }
        // An act that is under way is not left without its outcome.
        if let Some(timers) = timers
            && timers.await.is_err()
        {
            tracing::error!("what time asks for died");
        }
    }

    fn start(
        &self,
        source: &SourceSettings,
        tx: &mpsc::Sender<IntakeEvent>,
        cancel: &CancellationToken,
    ) {
        tokio::spawn(self.task(source, tx, cancel));
    }

    fn task(
        &self,
        source: &SourceSettings,
        tx: &mpsc::Sender<IntakeEvent>,
        cancel: &CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        source::run(
            source.clone(),
            self.decoders.clone(),
            self.store.clone(),
            tx.clone(),
            cancel.clone(),
        )
    }

    /// Listens for senders, and tries again when that fails.
    async fn receive(self, tx: mpsc::Sender<IntakeEvent>, cancel: CancellationToken) {
        let mut told = String::new();
        loop {
            let bound = Receiver::bind(&self.receiver, &self.sources, &self.decoders).await;
            match bound {
                Ok(receiver) => {
                    self.every_received(&tx, &SourceState::Following).await;
                    receiver.run(self.store.clone(), tx, cancel).await;
                    return;
                }
                Err(error) => {
                    let reason = error.to_string();
                    if reason != told {
                        let state = SourceState::Failed(reason.clone());
                        self.every_received(&tx, &state).await;
                        told = reason;
                    }
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn every_received(&self, tx: &mpsc::Sender<IntakeEvent>, state: &SourceState) {
        for source in self.sources.iter().filter(|s| s.is_received()) {
            let event = IntakeEvent::Source {
                source: source.name().to_owned(),
                state: state.clone(),
            };
            // Nobody listens to a process that ends.
            let _ = tx.send(event).await;
        }
    }

    /// Keeps the sources' states in the store, where other processes see them, and reports everything.
    async fn tell(self, mut events: mpsc::Receiver<IntakeEvent>, report: Report) {
        let room = room::Room::new();
        while let Some(event) = events.recv().await {
            if let IntakeEvent::Source { source, state } = &event {
                let (store, source) = (self.store.clone(), source.clone());
                let (is_healthy, words) = state.in_words();
                let kept = tokio::task::spawn_blocking(move || {
                    let now = jiff::Timestamp::now();
                    let store = store.lock();
                    if !is_healthy {
                        store.note_contact(&source, now, Err(&words))?;
                    }
                    store.note_state(&source, is_healthy, &words)
                });
                if let Ok(Err(error)) = kept.await {
                    tracing::warn!("the state of a source cannot be kept: {error}");
                }
            }
            let pass = match &event {
                IntakeEvent::Alerts(_) => room.enter().await,
                _ => None,
            };
            report(translate(event));
            if let Some(pass) = pass {
                report(Msg::Held(pass));
            }
        }
    }
}

fn translate(event: IntakeEvent) -> Msg {
    match event {
        IntakeEvent::Alerts(stored) => Msg::Alerts(stored.into_iter().map(history::row).collect()),
        IntakeEvent::Quarantined {
            source,
            total,
            last_reason,
        } => Msg::Malformed {
            source,
            total,
            reason: last_reason,
        },
        IntakeEvent::Notice { source, text } => Msg::Notice {
            level: Level::Warn,
            text: format!("source {source}: {text}"),
        },
        IntakeEvent::Source { source, state } => {
            let (healthy, text) = state.in_words();
            Msg::Source {
                name: source,
                healthy,
                text,
            }
        }
    }
}
