//! Deleting old alerts, at the start and every hour, and as soon as a flood makes the store much longer than it may be, by
//! whoever has the duty. What somebody works on stays; what was deleted stands in the log as one record.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Intake;
use crate::app::model::{Level, Model};
use crate::app::msg::Msg;
use crate::app::settings::Retention;
use crate::domain::decision::{Decisions, RecordType};
use crate::domain::ids::AlertId;
use crate::intake::store::{Deletion, Mark, Retained, Rule, Store, StoreError};
use crate::runtime::journal::Report;

/// Between two looks at what is too old.
const EVERY: Duration = Duration::from_hours(1);

/// Between two looks at how long the store is.
const LENGTH_EVERY: Duration = Duration::from_secs(10);

/// How long the first look waits: what people wait for comes first.
const AT_START: Duration = Duration::from_millis(500);

/// Deleted alerts told at once: few enough that taking them out of the queue holds up no key.
const LOT: usize = 4_096;

impl Intake {
    /// Deletes what is too old or too much, now and every hour, until cancelled.
    pub(super) async fn retain(self, report: Report, cancel: CancellationToken) {
        let mut told = String::new();
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(AT_START) => {}
        }
        loop {
            // Bytes of which nothing may be deleted.
            let mut held = 0;
            let stop = Arc::new(AtomicBool::new(false));
            let done = tokio::select! {
                done = self.retain_once(&report, Arc::clone(&stop)) => done,
                () = cancel.cancelled() => {
                    // The thread ends after its transaction; what it deleted is written down at the next start.
                    stop.store(true, Ordering::SeqCst);
                    return;
                }
            };
            match done {
                Err(text) if text != told => {
                    told.clone_from(&text);
                    let level = Level::Warn;
                    report(Msg::Notice { level, text });
                }
                Err(_) => {}
                Ok(bytes) => {
                    told.clear();
                    held = bytes;
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
                () = self.is_flooded(held) => {}
            }
        }
    }

    /// Ends when the store has become much longer than it may be, or than those bytes that must stay.
    async fn is_flooded(&self, held: u64) {
        let Some(most) = self.retention.most_bytes else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(LENGTH_EVERY).await;
            let store = Arc::clone(&self.store);
            let length = blocking(move || store.lock().bytes()).await;
            // A store that cannot be asked cannot be made shorter either; the next look at its age says so.
            if length.is_ok_and(|now| is_much_more(now, held.max(most))) {
                return;
            }
        }
    }

    /// Returns how long the store is if nothing more of it may be deleted, else zero.
    async fn retain_once(&self, report: &Report, stop: Arc<AtomicBool>) -> Result<u64, String> {
        self.write_down(report).await?;
        let now = Timestamp::now();
        let rule = rule(self.retention, now);
        let state = self.state.clone();
        let is_due = blocking(move || Store::open(&state)?.is_due(rule, now)).await?;
        if !is_due {
            return Ok(0);
        }
        let refused = |reason: &str| format!("old alerts are not deleted: {reason}");
        // Nothing is deleted that the log could not tell of, or that nobody could say is free to go.
        if let Some(reason) = self.journal.blocked().await {
            return Err(refused(&reason));
        }
        let decisions = self.journal.decisions().await;
        let decisions = decisions.map_err(|error| refused(&error.to_string()))?;
        let kept = in_hand(decisions);
        let state = self.state.clone();
        let told = Arc::clone(report);
        let done = blocking(move || {
            let mut store = Store::open(&state)?;
            let mark = store.mark()?;
            let done = store.retain(rule, now, &|id| kept.contains(id), &stop);
            // Also what was deleted before something failed.
            removed(&store, mark, &told)?;
            done
        });
        let done = done.await?;
        tell(&done, self.retention, report);
        self.write_down(report).await?;
        Ok(if done.wanting > 0 { done.bytes } else { 0 })
    }

    /// Writes down what was deleted and stands in no log yet, and tells it.
    async fn write_down(&self, report: &Report) -> Result<(), String> {
        let state = self.state.clone();
        let deletions = blocking(move || Store::open(&state)?.unrecorded_deletions()).await?;
        for deletion in deletions {
            let body = body(&deletion, self.retention);
            let written = self.journal.append(vec![(RecordType::Retention, body)]);
            written.await.map_err(|error| {
                format!("that alerts were deleted is NOT recorded yet: {error}")
            })?;
            let state = self.state.clone();
            blocking(move || Store::open(&state)?.recorded(&deletion)).await?;
            report(Msg::Deleted);
        }
        Ok(())
    }
}

/// Tells whether a store of so many bytes should be made shorter before the hour is over: each time is a record in the log.
const fn is_much_more(now: u64, most: u64) -> bool {
    now > most.saturating_add(most / 16)
}

/// Tells which alerts were deleted after a place.
fn removed(store: &Store, mut mark: Mark, report: &Report) -> Result<(), StoreError> {
    loop {
        let (ids, next) = store.removed(mark, LOT)?;
        if ids.is_empty() {
            return Ok(());
        }
        mark = next;
        report(Msg::Removed(ids));
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    let failed = |why: &dyn std::fmt::Display| format!("old alerts are not deleted: {why}");
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

fn rule(retention: Retention, now: Timestamp) -> Rule {
    let before = retention.keep_s.and_then(|s| {
        let span = SignedDuration::from_secs(i64::try_from(s).ok()?);
        now.checked_sub(span).ok()
    });
    Rule {
        before,
        most_bytes: retention.most_bytes,
    }
}

/// Returns the alerts that somebody decided or did something about and that are not over, and those of which nobody knows
/// what came of an act.
fn in_hand(decisions: Decisions) -> HashSet<AlertId> {
    let model = Model {
        decisions,
        ..Model::default()
    };
    let decisions = &model.decisions;
    let unknown = decisions.unknowns().map(|act| &act.intent.alert);
    decisions
        .alerts()
        .chain(decisions.planned())
        .filter(|id| !model.row_state(id).is_over())
        .chain(unknown)
        .cloned()
        .collect()
}

fn tell(done: &Retained, retention: Retention, report: &Report) {
    let over = retention.most_bytes.filter(|_| done.wanting > 0);
    if let Some(deletion) = &done.deletion {
        let spared = match done.spared {
            0 => String::new(),
            n => format!("; {n} old ones stay, as somebody is on them"),
        };
        report(Msg::Notice {
            level: Level::Info,
            text: format!("{}{spared}", deletion.in_words()),
        });
    }
    if let Some(most) = over {
        report(Msg::Notice {
            level: Level::Warn,
            text: format!(
                "the alert store takes {} MB, more than the {} MB of `alerts.keep_bytes`, and nothing more of it may be deleted: somebody is on what is left",
                done.bytes / 1_000_000,
                most / 1_000_000
            ),
        });
    }
}

fn body(deletion: &Deletion, retention: Retention) -> Value {
    json!({
        "deletion": deletion.n,
        "at": deletion.at,
        "alerts": deletion.alerts(),
        "by_age": deletion.by_age,
        "by_size": deletion.by_size,
        "unreadable": deletion.unreadable,
        "bytes": deletion.bytes,
        "oldest": deletion.oldest,
        "newest": deletion.newest,
        "keep_s": retention.keep_s,
        "keep_bytes": retention.most_bytes,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::decision::Entry;

    fn decided(decisions: &mut Decisions, alert: &str, kind: &str) {
        let body = json!({"kind": kind, "alert": alert, "reason": null});
        decisions.apply(&Entry {
            log: "l".to_owned(),
            seq: 1,
            kind: RecordType::Decision,
            ts: Timestamp::UNIX_EPOCH,
            actor: "alice".to_owned(),
            signer: None,
            body: body.as_object().unwrap().clone(),
        });
    }

    #[test]
    fn what_somebody_is_on_stays_until_it_is_over() {
        let mut decisions = Decisions::default();
        for kind in ["claim", "assign", "snooze", "note", "do_nothing"] {
            decided(&mut decisions, kind, kind);
        }
        for kind in ["dismiss", "close_contained"] {
            decided(&mut decisions, kind, "claim");
            decided(&mut decisions, kind, kind);
        }
        decided(&mut decisions, "again", "dismiss");
        decided(&mut decisions, "again", "claim");
        let mut found: Vec<String> = in_hand(decisions)
            .iter()
            .map(|id| id.as_str().to_owned())
            .collect();
        found.sort();
        let want = ["again", "assign", "claim", "do_nothing", "note", "snooze"];
        assert_eq!(found, want);
    }
}
