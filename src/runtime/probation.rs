//! Looks through the alerts that come for those about somebody on probation, and proposes in the log to contain them again.

use jiff::Timestamp;

use super::journal::Report;
use super::services::Services;
use super::steady;
use super::stored::{Read, go_through};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::decision::Decision;
use crate::domain::ids::IdentityId;
use crate::domain::inventory::{Inventory, Resolution};
use crate::domain::probation::{Watched, watched};
use crate::domain::text::show;
use crate::intake::store::{LockedStore, Mark, StoreError, StoredAlert};

/// What was looked at so far.
#[derive(Debug, Default)]
pub struct Seen {
    mark: Option<Mark>,
    /// Whom, and since when; what came before they were seen is looked through once.
    known: Vec<(IdentityId, Timestamp)>,
}

/// Proposes what there is to propose; tells whether anybody is watched. A proposal that cannot be written down is looked
/// for again.
pub async fn look(services: &Services, seen: &mut Seen, report: &Report) -> Result<bool, String> {
    let now = steady::now();
    let all = services.journal.look(move |d| watched(d, now)).await;
    let all = all.map_err(|e| e.to_string())?;
    let Some(store) = services.alerts.clone().filter(|_| !all.is_empty()) else {
        *seen = Seen::default();
        return Ok(false);
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
            text: format!(
                "CONTAIN {} AGAIN? alert {}: {}",
                show(&whose),
                decision.alert,
                show(&why)
            ),
        });
    }
    *seen = Seen {
        mark: Some(mark),
        known: all.iter().map(key).collect(),
    };
    Ok(true)
}

/// Finds what alerts say. Blocks.
fn found(
    store: &LockedStore,
    mark: Option<Mark>,
    inventory: &Inventory,
    all: &[Watched],
    fresh: &[Watched],
) -> Result<(Vec<Decision>, Mark), StoreError> {
    let mut found: Vec<Decision> = Vec::new();
    let back = fresh.iter().map(|w| w.since).min();
    let mark = go_through(store, mark, back, |row, read| {
        let of = if read == Read::Back { fresh } else { all };
        let told = |p: &Decision| found.iter().any(|f| f.alert == p.alert);
        if let Some(proposal) = proposed(inventory, row, of).filter(|p| !told(p)) {
            found.push(proposal);
        }
    })?;
    Ok((found, mark))
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
