//! What another process stores, told here as if it had been taken in here.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::room::Room;
use super::{Intake, RETRY};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::app::settings::SourceSettings;
use crate::intake::store::{LockedStore, Mark, Store, StoreError, Watch};
use crate::runtime::history;
use crate::runtime::journal::Report;

/// Alerts read at a time.
const PAGE: usize = 1_024;

/// Shortest time between two looks, so that a busy writer is not followed commit by commit.
const GAP: Duration = Duration::from_millis(100);

/// What was told of the store so far.
pub(super) struct Mirror {
    store: Arc<LockedStore>,
    state: std::path::PathBuf,
    report: Report,
    mark: Mark,
    /// Names of the configured sources.
    names: Vec<String>,
    told: BTreeMap<String, (bool, String)>,
    malformed: BTreeMap<String, u64>,
    /// The last deletion that was told.
    deletion: Option<i64>,
    problem: Option<String>,
    room: Room,
}

/// What one look at the store found.
struct Seen {
    msgs: Vec<Msg>,
    mark: Mark,
    is_more: bool,
    /// The last deletion, and what there is to say of it.
    deletion: (i64, String),
}

impl Mirror {
    pub fn new(intake: &Intake, report: Report, mark: Mark) -> Self {
        let others = |s: &&SourceSettings| !matches!(s, SourceSettings::Stdin { .. });
        Self {
            store: intake.store.clone(),
            state: intake.state.clone(),
            report,
            mark,
            names: intake
                .sources
                .iter()
                .filter(others)
                .map(|s| s.name().to_owned())
                .collect(),
            told: BTreeMap::new(),
            malformed: BTreeMap::new(),
            deletion: None,
            problem: None,
            room: Room::new(),
        }
    }

    /// Tells what is stored, as it is stored; never ends.
    pub async fn run(&mut self, watch: io::Result<Watch>) {
        let mut watch = watch;
        loop {
            if !self.read().await {
                tokio::time::sleep(RETRY).await;
                continue;
            }
            let changed = match &mut watch {
                Ok(watch) => watch.changed().await,
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            match changed {
                Ok(()) => tokio::time::sleep(GAP).await,
                Err(error) => {
                    self.complain(format!(
                        "what others store is looked for every {} s only: {error}",
                        RETRY.as_secs()
                    ));
                    tokio::time::sleep(RETRY).await;
                    watch = Watch::new(&self.state);
                }
            }
        }
    }

    /// Tells what was stored since the last time. Returns whether it could be read.
    pub async fn read(&mut self) -> bool {
        loop {
            let (store, mark) = (self.store.clone(), self.mark);
            let (names, told) = (self.names.clone(), self.told.clone());
            let malformed = self.malformed.clone();
            let looked = tokio::task::spawn_blocking(move || {
                look(&store.lock(), mark, &names, &told, &malformed)
            });
            match looked.await {
                Ok(Ok(seen)) => {
                    self.mark = seen.mark;
                    // What was deleted before the first look, nobody here has seen.
                    let before = self.deletion.replace(seen.deletion.0);
                    if before.is_some_and(|before| before != seen.deletion.0) {
                        (self.report)(Msg::Deleted);
                        (self.report)(Msg::Notice {
                            level: Level::Info,
                            text: seen.deletion.1,
                        });
                    }
                    let pass = self.room.enter().await;
                    for msg in seen.msgs {
                        self.remember(&msg);
                        (self.report)(msg);
                    }
                    if let Some(pass) = pass {
                        (self.report)(Msg::Held(pass));
                    }
                    if !seen.is_more {
                        return true;
                    }
                }
                Ok(Err(error)) => {
                    self.complain(format!("new alerts cannot be read: {error}"));
                    return false;
                }
                Err(error) => {
                    self.complain(format!("a reading thread died: {error}"));
                    return false;
                }
            }
        }
    }

    fn remember(&mut self, msg: &Msg) {
        match msg {
            Msg::Source {
                name,
                healthy,
                text,
            } => {
                self.told.insert(name.clone(), (*healthy, text.clone()));
            }
            Msg::Malformed { source, total, .. } => {
                self.malformed.insert(source.clone(), *total);
            }
            _ => {}
        }
    }

    fn complain(&mut self, text: String) {
        if self.problem.as_ref() == Some(&text) {
            return;
        }
        self.problem = Some(text.clone());
        (self.report)(Msg::Notice {
            level: Level::Error,
            text,
        });
    }
}

fn look(
    store: &Store,
    mark: Mark,
    names: &[String],
    told: &BTreeMap<String, (bool, String)>,
    malformed: &BTreeMap<String, u64>,
) -> Result<Seen, StoreError> {
    store.settle()?;
    let changes = store.changes(mark, PAGE)?;
    let mut msgs = Vec::new();
    if !changes.removed.is_empty() {
        msgs.push(Msg::Removed(changes.removed));
    }
    if !changes.rows.is_empty() {
        msgs.push(Msg::Alerts(
            changes.rows.into_iter().map(history::row).collect(),
        ));
    }
    for health in store.health()? {
        let now = (health.is_healthy, health.state);
        if names.contains(&health.name) && !now.1.is_empty() && told.get(&health.name) != Some(&now)
        {
            msgs.push(Msg::Source {
                name: health.name,
                healthy: now.0,
                text: now.1,
            });
        }
    }
    for source in store.sources()? {
        let total = store.quarantined_of(&source)?;
        if total > malformed.get(&source).copied().unwrap_or(0)
            && let Some(reason) = store.last_reason(&source)?
        {
            msgs.push(Msg::Malformed {
                source,
                total,
                reason,
            });
        }
    }
    Ok(Seen {
        msgs,
        mark: changes.mark,
        is_more: changes.is_more,
        deletion: store
            .last_deletion()?
            .map_or((0, String::new()), |d| (d.n, d.in_words())),
    })
}
