//! What the policy says about an alert, and why, as the analyst reads it.

use std::sync::Arc;

use jiff::Timestamp;

use super::model::{Model, Overlay};
use super::triage;
use crate::domain::alert::Alert;
use crate::domain::graph::{Graph, Look};
use crate::domain::identity::Identity;
use crate::domain::ids::AlertId;
use crate::domain::options::Choice;
use crate::domain::policy::backtest::{Replayed, replay};
use crate::domain::policy::trace::TraceRow;
use crate::domain::policy::{About, Assessment, Facts};
use crate::domain::queue::Row;

/// What the policy says about one alert.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which alert.
    pub alert: AlertId,
    /// Whose access it is, as shown; empty while nobody is named.
    pub identity: String,
    /// Score, tier, bounds.
    pub assessment: Assessment,
    /// Every rule, gate and playbook.
    pub rows: Vec<TraceRow>,
    /// What could be done, side by side.
    pub choices: Vec<Choice>,
    /// When this was told.
    pub at: Timestamp,
}

impl Model {
    /// Puts together what conditions read.
    pub fn facts<'m>(
        &'m self,
        alert: &'m Alert,
        card: Option<&'m Identity>,
        (graph, look): (&'m Graph, &'m Look),
        newcomers: usize,
    ) -> Facts<'m> {
        let live = card.and_then(|card| self.live.get(&card.id));
        Facts::new(About {
            alert,
            identity: card,
            graph,
            look,
            live: live
                .filter(|live| live.at.is_some())
                .map(|live| &live.context),
            newcomers,
            elsewhere: self.queue.is_named_elsewhere(&alert.id),
            now: self.now,
        })
    }

    /// Tells what the policy says about an alert, and why; `None` for one that is not at hand.
    pub fn told(&self, id: &AlertId) -> Option<Told> {
        let alert = self.alerts.read(id)?;
        let detail = self.detail_of(id);
        let around = (&*detail.graph, &*detail.look);
        let card = detail.identity.as_ref();
        let facts = self.facts(alert, card, around, detail.newcomers.len());
        let assessment = self.policy.assess(&facts);
        Some(Told {
            alert: id.clone(),
            identity: card.map_or_else(String::new, |card| card.id.to_string()),
            rows: self.policy.trace(&facts, &assessment, &self.playbooks),
            assessment,
            choices: detail.choices.clone(),
            at: self.now,
        })
    }
}

/// Replays recorded alerts on a model that knows identities, playbooks and the policy. They are put in as if they had
/// arrived, so that what one says weighs in on another. `each` is called for every one that was replayed.
pub fn backtest(model: &mut Model, alerts: &[Arc<Alert>], each: &mut dyn FnMut()) -> Vec<Replayed> {
    let rows: Vec<Row> = alerts
        .iter()
        .map(|alert| Row {
            alert: alert.clone(),
            count: 1,
            first_seen: alert.observed,
            last_seen: alert.observed,
        })
        .collect();
    triage::put(model, &rows, false);
    model.queue.take_in_waiting();
    triage::note_deeds(model, &rows);
    let replayed = alerts.iter().map(|alert| {
        model.now = alert.time.unwrap_or(alert.observed);
        model.alerts.forget_but(None);
        model.alerts.arrived([alert]);
        let detail = model.detail_of(&alert.id);
        let assessment = detail.assessment.unwrap_or_else(|| {
            let around = (&*detail.graph, &*detail.look);
            model.policy.assess(&model.facts(alert, None, around, 0))
        });
        let identity = detail.identity.as_ref().map(|card| &card.id);
        let breaks = detail.look.impact.count();
        each();
        replay(alert, identity, &assessment, &detail.choices, breaks)
    });
    replayed.collect()
}

/// Opens the trace of the selected alert.
pub fn open(model: &mut Model) {
    let told = model.selected.as_ref().and_then(|id| model.told(id));
    if let Some(told) = told {
        model.overlay = Overlay::Trace {
            told: Box::new(told),
            scroll: 0,
        };
    }
}
