//! What the acts for an alert come to together: which verbs count, which layers are closed, which stay open.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, Decisions};
use crate::domain::coverage::CellState;
use crate::domain::ids::{AlertId, PlanDigest};
use crate::domain::plan::Plan;
use crate::domain::vocabulary::{Layer, Verb};

impl Decisions {
    /// Returns the latest act of each verb over all plans of an alert: a later try replaces an earlier one, and an undo
    /// replaces what it took back.
    pub fn latest_acts(&self, id: &AlertId) -> Vec<&Act> {
        let mut latest = BTreeMap::new();
        let acts = self.acts_for(id);
        // What tells people contains nothing.
        for act in acts.filter(|act| !act.intent.verb.is_manual()) {
            latest.insert(act.intent.verb, act);
        }
        latest.into_values().collect()
    }

    /// Returns layers that the alert's last plan leaves open until somebody ends it, and that no proven act closes.
    pub fn still_held(&self, id: &AlertId) -> Vec<Layer> {
        let Some((_, plan)) = self.last_plan(id) else {
            return Vec::new();
        };
        let closed = self.closed_layers(self.acts_for(id));
        let open = plan.residual.iter().filter(|r| r.at_most_s.is_none());
        let mut layers: Vec<Layer> = open
            .map(|r| r.layer)
            .filter(|l| !closed.contains(l))
            .collect();
        layers.sort();
        layers.dedup();
        layers
    }

    /// Returns layers that these acts, oldest first, have closed, by proof, and that nobody opened again. Asked for at every
    /// frame: never hand it the acts of the whole log.
    pub fn closed_layers<'a>(&self, acts: impl Iterator<Item = &'a Act>) -> BTreeSet<Layer> {
        let mut latest: BTreeMap<Verb, &Act> = BTreeMap::new();
        for act in acts {
            latest.insert(act.intent.verb, act);
        }
        let proven = latest
            .into_values()
            .filter(|act| !act.intent.undo && !act.intent.verb.is_manual())
            .filter(|act| act.cell() == CellState::Proven);
        let steps = proven.filter_map(|act| {
            let (_, state) = self.plan(act.intent.digest.as_str())?;
            state
                .plan
                .step(&act.intent.step)
                .filter(|step| step.verb != Verb::PreserveEvidence)
                .map(|step| step.layer)
        });
        steps.collect()
    }

    /// Says which steps of a plan would do again what another plan did and of which nobody knows what came.
    pub fn repeated(&self, digest: &PlanDigest, plan: &Plan) -> Vec<String> {
        let others = self.unknowns().filter(|act| {
            let intent = &act.intent;
            intent.identity == plan.identity && intent.digest != *digest && !intent.undo
        });
        let says = |act: &Act| {
            let intent = &act.intent;
            let step = plan.steps.iter().find(|step| step.verb == intent.verb)?;
            let twice = match step.idempotent {
                true => "sent again it does the same",
                false => "sent again it may act twice",
            };
            Some(format!(
                "step {} repeats what plan {} sent at {}, and what came of that is UNKNOWN: read it back first (v, or `stanch \
                 reconcile {}`); {twice}",
                step.id,
                intent.digest.short(),
                act.at.strftime("%Y-%m-%d %H:%MZ"),
                intent.alert
            ))
        };
        others.filter_map(says).collect()
    }

    /// Returns the plan last recorded for an alert that was also started.
    pub fn last_plan(&self, id: &AlertId) -> Option<(&PlanDigest, &Plan)> {
        let act = self.acts_for(id).next_back()?;
        let (digest, state) = self.plan(act.intent.digest.as_str())?;
        Some((digest, &state.plan))
    }
}
