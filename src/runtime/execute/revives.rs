//! Whether taking a step back would revive what leaked.

use super::super::services::Services;
use crate::domain::decision::Decisions;
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::regain::{self, Told};
use crate::domain::vocabulary::Verb;

/// Says why a step is not taken back: it would revive a credential that is known to be leaked.
pub(super) async fn revives(
    services: &Services,
    decisions: &Decisions,
    identity: &IdentityId,
    verb: Verb,
) -> Option<String> {
    let asked = regain::asked(decisions, identity);
    let (store, ids) = (services.alerts.clone()?, asked.clone());
    let read = tokio::task::spawn_blocking(move || {
        let store = store.lock();
        let one = |id: &AlertId| store.alert(id).ok().flatten().map(|stored| stored.alert);
        ids.iter().map(one).collect::<Vec<_>>()
    });
    // An alert that cannot be read is as one that is gone.
    let read = read.await.unwrap_or_default();
    let told: Vec<Told<'_>> = asked
        .iter()
        .enumerate()
        .map(|(at, id)| match read.get(at).and_then(Option::as_ref) {
            Some(alert) => Told::Alert(alert),
            None => Told::Gone(id),
        })
        .collect();
    regain::refusal(decisions, identity, verb, &told)
}
