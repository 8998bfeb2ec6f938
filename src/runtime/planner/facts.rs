//! The facts on which conditional steps hang.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::alert::Alert;
use crate::domain::graph::{Graph, Limits, Look};
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, NodeId};
use crate::domain::playbook::StepTemplate;
use crate::domain::policy::trace::looked;
use crate::domain::policy::{About, Facts};
use crate::runtime::services::Services;

/// What conditions of steps read.
pub(super) struct AboutAlert {
    alert: Alert,
    identity: Identity,
    graph: Arc<Graph>,
    look: Look,
    now: Timestamp,
}

/// Finds an alert again. One that is not stored decides nothing: every step stays.
pub(super) async fn about(
    services: &Services,
    alert: &AlertId,
    identity: &Identity,
    now: Timestamp,
) -> Option<AboutAlert> {
    let (store, id) = (services.alerts.clone()?, alert.clone());
    let stored = tokio::task::spawn_blocking(move || {
        let store = store.lock();
        store.alert(&id).ok().flatten()
    });
    let graph = services.inventory.graph().clone();
    let look = Look::at(&graph, &NodeId::from(&identity.id), Limits::AT_ONCE);
    Some(AboutAlert {
        alert: Arc::unwrap_or_clone(stored.await.ok()??.alert),
        identity: identity.clone(),
        graph,
        look,
        now,
    })
}

impl AboutAlert {
    /// Tells whether a step that hangs on a fact is to be done, and the fact; `None` for a step that hangs on none.
    pub(super) fn asks(&self, step: &StepTemplate) -> Option<(bool, String)> {
        let facts = Facts::new(About {
            alert: &self.alert,
            identity: Some(&self.identity),
            graph: &self.graph,
            look: &self.look,
            live: None,
            newcomers: 0,
            elsewhere: false,
            now: self.now,
        });
        decided(step, &facts)
    }
}

/// Says whether a conditional step is to be done, with the fact that decided. What nobody knows keeps the step.
fn decided(step: &StepTemplate, facts: &Facts<'_>) -> Option<(bool, String)> {
    let term = step.term.as_deref()?;
    let seen = looked(term, facts).into_iter();
    let seen: Vec<String> = seen
        .map(|(field, value)| format!("{field} = {value}"))
        .collect();
    let seen = seen.join(", ");
    Some(match term.holds(facts) {
        Ok(true) => (true, format!("because {seen}")),
        Ok(false) => (false, format!("only if {term}, and {seen}")),
        Err(why) => (true, format!("only if {term}, and {why}: a person decides")),
    })
}
