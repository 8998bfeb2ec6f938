//! Looks through the alerts that come for those about somebody on probation, and proposes in the log to contain them again.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::journal::Report;
use super::services::Services;
use super::steady;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::decision::Decision;
use crate::domain::ids::IdentityId;
use crate::domain::inventory::{Inventory, Resolution};
use crate::domain::probation::{Watched, watched};
use crate::domain::text::show;
use crate::intake::store::{Mark, Store, StoreError, StoredAlert};

/// Alerts read at a time.
const PAGE: usize = 1_024;

/// Most pages read when somebody is seen first.
const PAGES: usize = 64;

/// What was looked at so far.
#[derive(Debug, Default)]
pub struct Seen {
    mark: Option<Mark>,
    /// Whom, and since when; what came before they were seen is looked through once.
    known: Vec<(IdentityId, Timestamp)>,
}

/// Proposes what there is to propose. A proposal that cannot be written down is looked for again.
pub async fn look(services: &Services, seen: &mut Seen, report: &Report) -> Result<(), String> {
    let now = steady::now();
    let all = services.journal.look(move |d| watched(d, now)).await;
    let all = all.map_err(|e| e.to_string())?;
    let Some(store) = services.alerts.clone().filter(|_| !all.is_empty()) else {
        *seen = Seen::default();
        return Ok(());
    };
    let key = |w: &Watched| (w.identity.clone(), w.since);
    let is_new = |w: &&Watched| !seen.known.contains(&key(w));
    let fresh: Vec<Watched> = all.iter().filter(is_new).cloned().collect();
    let (mark, inventory) = (seen.mark, services.inventory.clone());
    let people = all.clone();
    let looked =
        tokio::task::spawn_blocking(move || found(&store, mark, &inventory, &people, &fresh));
    let cannot = |e: &dyn std::fmt::Display| format!("alerts cannot be looked through: {e}");
    let (proposals, mark) = looked
        .await
        .map_err(|e| cannot(&e))?
        .map_err(|e| cannot(&e))?;
    for decision in proposals {
        let why = decision.reason.clone().unwrap_or_default();
        let whose = decision.identity.clone();
        let whose = whose.map_or_else(String::new, |id| id.as_str().to_owned());
        services.decide(std::slice::from_ref(&decision)).await?;
        report(Msg::Notice {
            level: Level::Error,
            text: format!("CONTAIN {} AGAIN? {}", show(&whose), show(&why)),
        });
    }
    *seen = Seen {
        mark: Some(mark),
        known: all.iter().map(key).collect(),
    };
    Ok(())
}

/// Finds what alerts say. Blocks.
fn found(
    store: &Mutex<Store>,
    mark: Option<Mark>,
    inventory: &Inventory,
    all: &[Watched],
    fresh: &[Watched],
) -> Result<(Vec<Decision>, Mark), StoreError> {
    let lock = || store.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<Decision> = Vec::new();
    let take = |found: &mut Vec<Decision>, row: &StoredAlert, people: &[Watched]| {
        let proposal = proposed(inventory, row, people);
        let told = |p: &Decision| found.iter().any(|f| f.alert == p.alert);
        if let Some(proposal) = proposal.filter(|p| !told(p)) {
            found.push(proposal);
        }
    };
    // What comes while the pages are read is after this mark.
    let mut mark = match mark {
        Some(mark) => mark,
        None => lock().mark()?,
    };
    if let Some(since) = fresh.iter().map(|w| w.since).min() {
        let mut before = None;
        for _ in 0..PAGES {
            let (rows, next) = lock().page(before, PAGE)?;
            let over = rows.last().is_none_or(|row| row.last_seen < since);
            for row in &rows {
                take(&mut found, row, fresh);
            }
            before = next;
            if over || before.is_none() {
                break;
            }
        }
    }
    loop {
        let changes = {
            let store = lock();
            store.settle()?;
            store.changes(mark, PAGE)?
        };
        for row in &changes.rows {
            take(&mut found, row, all);
        }
        mark = changes.mark;
        if !changes.is_more {
            return Ok((found, mark));
        }
    }
}

fn proposed(inventory: &Inventory, row: &StoredAlert, people: &[Watched]) -> Option<Decision> {
    let subject = row.alert.subject.as_ref()?;
    // Whom it means costs a look into the inventory, so that comes last.
    let told: Vec<(&Watched, Decision)> = people
        .iter()
        .filter_map(|w| Some((w, w.proposes(&row.alert)?)))
        .collect();
    if told.is_empty() {
        return None;
    }
    let whose = match inventory.resolve_subject(subject) {
        Resolution::Known(id) => id,
        Resolution::Unlisted(card) => card.id,
        _ => return None,
    };
    let mut told = told.into_iter();
    told.find(|(w, _)| w.identity == whose).map(|(_, d)| d)
}
