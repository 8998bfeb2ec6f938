//! A console that nobody sits in front of: under `stanch serve` the policy does by itself what it does in a console, by the
//! same code. It holds what came lately and what the log says, and asks for nothing but what runs by itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::console::LAST_STEP;
use super::effects::Effects;
use super::history;
use super::journal::Report;
use super::services::Services;
use crate::app::keymap::Keymap;
use crate::app::model::{Level, Model};
use crate::app::msg::{Effect, Msg};
use crate::app::update::update;
use crate::domain::ids::AlertId;
use crate::domain::queue::Row;
use crate::intake::store::LockedStore;

/// How long an alert counts as one of those that came lately, in seconds: what joined an incident is looked for in them.
const LATELY_S: i64 = 24 * 3_600;

/// How often what is older is forgotten.
const FORGET: Duration = Duration::from_mins(1);

/// Tells what a console would show at its bottom.
pub type Say = Box<dyn Fn(Level, &str) + Send>;

/// The console without a screen.
pub struct Unattended {
    model: Model,
    keymap: Keymap,
    effects: Effects,
    inbox: mpsc::Receiver<Msg>,
    say: Say,
    /// Whether the model has more to do as soon as nothing else is.
    more: bool,
    /// What came, and when, in that order.
    came: VecDeque<(Timestamp, AlertId)>,
    forgot: Instant,
}

impl Unattended {
    /// Puts it together. `model` is that of the services, as a console begins with; `report` leads into `inbox`.
    pub fn new(
        services: Services,
        mut model: Model,
        inbox: mpsc::Receiver<Msg>,
        report: Report,
        say: Say,
    ) -> Self {
        // Nobody looks at the queue, so its order may be what it is.
        model.touched = true;
        Self {
            model,
            keymap: Keymap::default(),
            effects: Effects::new(services, report),
            inbox,
            say,
            more: false,
            came: VecDeque::new(),
            forgot: Instant::now(),
        }
    }

    /// Runs until cancelled; then waits for the step that runs, so that what it comes to is on the disk.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            let tick_at = self.next_tick();
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                msg = self.inbox.recv() => match msg {
                    Some(msg) => self.take(msg),
                    None => break,
                },
                () = std::future::ready(()), if self.more => {
                    self.more = false;
                    self.take(Msg::Continue);
                }
                () = tokio::time::sleep_until(tick_at) => self.take(Msg::Tick),
            }
        }
        if self.model.acting() {
            let _ = tokio::time::timeout(LAST_STEP, self.effects.finish()).await;
        }
    }

    fn take(&mut self, msg: Msg) {
        let now = Timestamp::now();
        let acts = self.model.policy.does_anything_alone();
        // Where nothing runs by itself, neither alerts nor the log have to be held here.
        let msg = match msg {
            Msg::Alerts(rows) if acts => Msg::Alerts(self.lately(rows, now)),
            Msg::Stored(rows) if acts => Msg::Stored(self.lately(rows, now)),
            Msg::Alerts(_) | Msg::Stored(_) | Msg::Journal(_) | Msg::Held(_) if !acts => return,
            // Told already by whoever hears the reports.
            Msg::Notice { .. } | Msg::Source { .. } | Msg::Malformed { .. } => return,
            other => other,
        };
        let is_told = matches!(
            msg,
            Msg::JournalProblem(_) | Msg::Unrecorded(_) | Msg::RunEnded { .. }
        );
        for effect in update(&mut self.model, &self.keymap, msg, now) {
            self.more |= matches!(effect, Effect::Continue);
            if is_wanted(&effect) {
                self.effects.start(effect);
            }
        }
        for told in self.model.messages.drain(..) {
            if !is_told {
                (self.say)(told.level, &told.text);
            }
        }
        if self.forgot.elapsed() >= FORGET {
            self.forgot = Instant::now();
            self.forget(now);
        }
    }

    /// Keeps what came lately, and notes when.
    fn lately(&mut self, mut rows: Vec<Row>, now: Timestamp) -> Vec<Row> {
        let since = since(now);
        rows.retain(|row| row.last_seen >= since);
        let came = rows.iter().map(|row| (now, row.alert.id.clone()));
        self.came.extend(came);
        rows
    }

    /// Forgets what came longer ago, but for what comes again meanwhile.
    fn forget(&mut self, now: Timestamp) {
        let since = since(now);
        let old = self.came.partition_point(|(at, _)| *at < since);
        let mut old: Vec<AlertId> = self.came.drain(..old).map(|(_, id)| id).collect();
        let again: std::collections::BTreeSet<&AlertId> =
            self.came.iter().map(|(_, id)| id).collect();
        old.retain(|id| !again.contains(id));
        if !old.is_empty() {
            update(&mut self.model, &self.keymap, Msg::Removed(old), now);
        }
    }

    /// Returns when time alone may ask for something: each second of a countdown, else each minute.
    fn next_tick(&self) -> Instant {
        let now = Timestamp::now().as_millisecond();
        let span = match self.model.counts_down() {
            true => 1_000,
            false => 60_000,
        };
        let left = span - now.rem_euclid(span);
        Instant::now() + Duration::from_millis(left.unsigned_abs())
    }
}

fn since(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(LATELY_S))
        .unwrap_or(Timestamp::MIN)
}

/// Tells whether an effect is part of what runs by itself. What a screen would want to show is asked of nobody.
const fn is_wanted(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::ReadAlert(_)
            | Effect::RecordAlone(_)
            | Effect::BeginAlone(_)
            | Effect::RunAlone(_)
            | Effect::ReadInventory
            | Effect::UseInventory(_)
    )
}

/// Reports what was stored before, in a task of its own; only what came lately is looked at.
pub fn load(store: Arc<LockedStore>, report: Report) {
    tokio::task::spawn_blocking(move || history::load(&store, &report));
}
