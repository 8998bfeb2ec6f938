//! Watches what was contained: whoever has the duty looks through the alerts that come and asks providers again, and writes
//! down that a use opened an alert again. Which windows are open follows from the journal, so a restart loses none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::journal::{Journal, Report};
use super::services::Latest;
use super::stored::{Read, go_through};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::app::settings;
use crate::connect::Connectors;
use crate::domain::coverage::CellName;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, IdentityId, NodeId};
use crate::domain::inventory::{Inventory, Resolution};
use crate::domain::text::show;
use crate::domain::vocabulary::{IdentityKind, Layer};
use crate::domain::watching::{Use, Watched, reason};
use crate::intake::store::{LockedStore, Mark, StoreError, StoredAlert};

/// Between two looks at the journal and the alerts.
const LOOK: Duration = Duration::from_secs(2);

/// How late an alert may come that tells of a use within a window, in seconds.
const LATE_S: i64 = 3_600;

/// What watching needs.
#[derive(Clone)]
pub struct Watcher {
    /// Providers by name.
    pub connectors: Arc<Connectors>,
    /// Whom alerts mean.
    pub inventory: Latest,
    /// For how long, and how closely.
    pub settings: settings::Watch,
    /// Where alerts are.
    pub store: Arc<LockedStore>,
    /// What says who is watched, and takes down that somebody was used.
    pub journal: Journal,
}

/// A window, told from an earlier one about the same identity.
type Key = (AlertId, IdentityId, Timestamp);

fn key(watched: &Watched) -> Key {
    (
        watched.alert.clone(),
        watched.identity.clone(),
        watched.since,
    )
}

/// What was looked at so far.
#[derive(Default)]
struct Seen {
    /// Windows whose time before the first look was looked through.
    begun: BTreeSet<Key>,
    /// The place in the store after what was looked at.
    mark: Option<Mark>,
    /// When providers were asked last.
    asked: BTreeMap<IdentityId, Timestamp>,
    /// Windows that a use ended, until the journal says so.
    ended: BTreeSet<Key>,
    /// What was said last of what cannot be done.
    told: String,
}

impl Watcher {
    /// Watches until cancelled.
    pub async fn run(self, report: Report, cancel: CancellationToken) {
        if self.settings.window_s == 0 {
            return;
        }
        let mut seen = Seen::default();
        let mut changes = self.journal.changes();
        loop {
            changes.borrow_and_update();
            let round = tokio::select! {
                round = self.round(&mut seen, &report) => round,
                () = cancel.cancelled() => return,
            };
            match round {
                Err(text) if text != seen.told => {
                    seen.told.clone_from(&text);
                    let level = Level::Error;
                    report(Msg::Notice { level, text });
                }
                Err(_) => {}
                Ok(()) => seen.told.clear(),
            }
            // Nothing opens a window but a record.
            let nobody = seen.mark.is_none() && seen.told.is_empty();
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(LOOK), if !nobody => {}
                changed = changes.changed(), if nobody => if changed.is_err() {
                    return;
                },
            }
        }
    }

    async fn round(&self, seen: &mut Seen, report: &Report) -> Result<(), String> {
        let now = Timestamp::now();
        let since = now
            .checked_sub(SignedDuration::from_secs(LATE_S))
            .unwrap_or(now);
        let windows = self.journal.watched(self.settings.window_s, since).await;
        let mut windows =
            windows.map_err(|error| format!("containments are not watched: {error}"))?;
        let known: BTreeSet<Key> = windows.iter().map(key).collect();
        seen.begun.retain(|k| known.contains(k));
        seen.ended.retain(|k| known.contains(k));
        windows.retain(|w| !seen.ended.contains(&key(w)));
        if windows.is_empty() {
            seen.mark = None;
            seen.asked.clear();
            return Ok(());
        }
        let used = self.by_alerts(seen, &windows).await?;
        self.opened_again(seen, used, report).await?;
        windows.retain(|w| w.is_open(now) && !seen.ended.contains(&key(w)));
        let used = self.by_providers(seen, &windows, now).await;
        self.opened_again(seen, used, report).await
    }

    /// Looks through what came since the last look, and for a new window through what came since it began.
    async fn by_alerts(
        &self,
        seen: &mut Seen,
        windows: &[Watched],
    ) -> Result<Vec<(Watched, Use)>, String> {
        let fresh: Vec<Watched> = windows
            .iter()
            .filter(|w| seen.begun.insert(key(w)))
            .cloned()
            .collect();
        let (store, mark) = (self.store.clone(), seen.mark);
        let (inventory, windows) = (self.inventory.get(), windows.to_vec());
        let looked =
            tokio::task::spawn_blocking(move || look(&store, mark, &inventory, &windows, &fresh));
        let died = |e: &dyn std::fmt::Display| format!("alerts cannot be looked through: {e}");
        let (used, mark) = looked.await.map_err(|e| died(&e))?.map_err(|e| died(&e))?;
        seen.mark = Some(mark);
        Ok(used)
    }

    /// Asks the providers of those whose turn it is.
    async fn by_providers(
        &self,
        seen: &mut Seen,
        windows: &[Watched],
        now: Timestamp,
    ) -> Vec<(Watched, Use)> {
        let mut used = Vec::new();
        let every = i64::from(self.settings.every_s);
        let mut asked: BTreeSet<&IdentityId> = BTreeSet::new();
        for watched in windows {
            let last = seen.asked.get(&watched.identity);
            let due = last.is_none_or(|at| now.as_second() - at.as_second() >= every);
            if !due || !asked.insert(&watched.identity) {
                continue;
            }
            seen.asked.insert(watched.identity.clone(), now);
            let Some(card) = self.card(watched).await else {
                continue;
            };
            let connector = card.connector.as_deref();
            let Some(connector) = connector.and_then(|name| self.connectors.get(name)) else {
                continue;
            };
            let context = connector.read_context(&card).await.context;
            let same = windows.iter().filter(|w| w.identity == watched.identity);
            used.extend(same.filter_map(|w| Some((w.clone(), w.by_provider(&context)?))));
        }
        used
    }

    /// Returns the card of whom to ask about: the inventory's, else what its plan was made with.
    async fn card(&self, watched: &Watched) -> Option<Identity> {
        if let Some(card) = self.inventory.get().identity(&watched.identity) {
            return Some(card.clone());
        }
        let decisions = self.journal.decisions().await.ok()?;
        let act = decisions.acts_on(&watched.identity).next_back()?;
        let (_, state) = decisions.plan(act.intent.digest.as_str())?;
        Some(Identity {
            connector: act.intent.provider.clone(),
            params: state.plan.params.clone(),
            ..Identity::not_in_inventory(
                watched.identity.clone(),
                state.plan.identity_name.clone(),
                IdentityKind::Unknown,
            )
        })
    }

    /// Writes down that alerts are open again, and says so.
    async fn opened_again(
        &self,
        seen: &mut Seen,
        used: Vec<(Watched, Use)>,
        report: &Report,
    ) -> Result<(), String> {
        for (watched, used) in used {
            if !seen.ended.insert(key(&watched)) {
                continue;
            }
            let why = reason(&watched, &used);
            let decision = Decision {
                cell: Some(CellName {
                    node: NodeId::from(&watched.identity),
                    layer: Layer::Sessions,
                }),
                ..Decision::on(
                    watched.alert.clone(),
                    DecisionKind::Reopen,
                    Some(why.clone()),
                )
            };
            if let Err(error) = self.journal.record_decisions(&[decision]).await {
                seen.ended.remove(&key(&watched));
                // It is looked for again from the beginning of the window.
                seen.begun.remove(&key(&watched));
                return Err(format!(
                    "{} was {why}, and that is NOT recorded: {error}",
                    watched.identity
                ));
            }
            let text = format!(
                "REOPENED {}: {} was {}",
                watched.alert,
                watched.identity,
                show(&why)
            );
            let level = Level::Error;
            report(Msg::Notice { level, text });
        }
        Ok(())
    }
}

type Looked = (Vec<(Watched, Use)>, Mark);

/// Finds what alerts say. Blocks.
fn look(
    store: &LockedStore,
    mark: Option<Mark>,
    inventory: &Inventory,
    windows: &[Watched],
    fresh: &[Watched],
) -> Result<Looked, StoreError> {
    let mut used = Vec::new();
    let back = fresh.iter().map(|w| w.since).min();
    let mark = go_through(store, mark, back, |row, read| {
        let of = if read == Read::Back { fresh } else { windows };
        used.extend(tells(inventory, row, of));
    })?;
    Ok((used, mark))
}

/// Finds the windows in which an alert tells of a use.
fn tells(inventory: &Inventory, row: &StoredAlert, windows: &[Watched]) -> Vec<(Watched, Use)> {
    let alert = &row.alert;
    let Some(subject) = &alert.subject else {
        return Vec::new();
    };
    // Whom it means costs a look into the inventory, so that comes last.
    let told = windows.iter().filter_map(|w| Some((w, w.by_alert(alert)?)));
    let told: Vec<(&Watched, Use)> = told.collect();
    if told.is_empty() {
        return Vec::new();
    }
    let whose = match inventory.resolve_subject(subject) {
        Resolution::Known(id) => id,
        Resolution::Unlisted(card) => card.id,
        _ => return Vec::new(),
    };
    let of = |(w, used): (&Watched, Use)| (w.identity == whose).then(|| (w.clone(), used));
    told.into_iter().filter_map(of).collect()
}
