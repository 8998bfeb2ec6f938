//! What policies did by themselves: the part of the fold that countdowns, the brake and the policy's screen look at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Decision, DecisionKind};
use crate::domain::ids::{AlertId, IdentityId, PlanDigest};

/// The last thing that a policy did by itself about an alert, or a person about that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByItself {
    /// What.
    pub kind: DecisionKind,
    /// When it was written.
    pub at: Timestamp,
    /// By whom: the console that wrote it.
    pub actor: String,
    /// Which playbook.
    pub playbook: String,
    /// Whose access.
    pub identity: Option<IdentityId>,
    /// Which plan.
    pub plan: Option<PlanDigest>,
    /// When the countdown ends.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// How many countdowns were begun for this alert so far.
    pub begun: u32,
    /// Whether somebody took the alert in hand since.
    pub in_hand: bool,
}

/// What one playbook did by itself, over all alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OnBook {
    /// How often it ran.
    pub run: usize,
    /// How many countdowns were begun.
    pub begun: usize,
    /// How many of them somebody stopped.
    pub vetoed: usize,
    /// How many came to nothing for another reason.
    pub stopped: usize,
    /// How often the brake held it.
    pub braked: usize,
    /// How often a person had to decide.
    pub waits: usize,
    /// How often it would have run, in shadow.
    pub shadow: usize,
    /// When it ran last.
    pub last_run: Option<Timestamp>,
    /// When it did anything of this last.
    pub last: Option<Timestamp>,
    /// About which alert.
    pub last_alert: Option<AlertId>,
}

/// Everything that policies did by themselves.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    alerts: BTreeMap<AlertId, ByItself>,
    open: BTreeSet<AlertId>,
    shadowed: BTreeSet<AlertId>,
    books: BTreeMap<String, OnBook>,
    runs: BTreeSet<(Timestamp, AlertId)>,
    of_identity: BTreeMap<(IdentityId, String), (Timestamp, DecisionKind)>,
}

impl Alone {
    /// Takes in a decision.
    pub(super) fn take(&mut self, at: Timestamp, actor: &str, decision: &Decision) {
        let kind = decision.kind;
        if !kind.is_automatic() {
            if kind.is_in_hand()
                && let Some(known) = self.alerts.get_mut(&decision.alert)
            {
                // A run confirms its own plan.
                known.in_hand |= decision.plan.is_none() || decision.plan != known.plan;
            }
            return;
        }
        let playbook = decision.playbook.clone().unwrap_or_default();
        let book = self.books.entry(playbook.clone()).or_default();
        book.count(kind, at, &decision.alert);
        if kind == DecisionKind::AutoShadow {
            self.shadowed.insert(decision.alert.clone());
            return;
        }
        if kind == DecisionKind::AutoRun {
            self.runs.insert((at, decision.alert.clone()));
        }
        if let Some(identity) = &decision.identity {
            let key = (identity.clone(), playbook.clone());
            self.of_identity.insert(key, (at, kind));
        }
        if kind == DecisionKind::AutoBegun {
            self.open.insert(decision.alert.clone());
        } else {
            self.open.remove(&decision.alert);
        }
        let before = self.alerts.get(&decision.alert);
        let begun =
            before.map_or(0, |known| known.begun) + u32::from(kind == DecisionKind::AutoBegun);
        let plan = decision.plan.clone();
        let known = ByItself {
            kind,
            at,
            actor: actor.to_owned(),
            playbook,
            identity: decision.identity.clone(),
            plan,
            until: decision.until,
            reason: decision.reason.clone(),
            begun,
            in_hand: false,
        };
        self.alerts.insert(decision.alert.clone(), known);
    }

    /// Returns the last thing that happened by itself about an alert; shadows do not count.
    pub fn of(&self, alert: &AlertId) -> Option<&ByItself> {
        self.alerts.get(alert)
    }

    /// Returns the countdown that was begun for an alert and has not come to anything yet.
    pub fn countdown(&self, alert: &AlertId) -> Option<&ByItself> {
        self.open.contains(alert).then(|| self.of(alert)).flatten()
    }

    /// Returns all countdowns that have not come to anything yet.
    pub fn countdowns(&self) -> impl Iterator<Item = (&AlertId, &ByItself)> {
        let known = |id| Some((id, self.alerts.get(id)?));
        self.open.iter().filter_map(known)
    }

    /// Tells whether it was written down already what would have been done about an alert in shadow.
    pub fn is_shadowed(&self, alert: &AlertId) -> bool {
        self.shadowed.contains(alert)
    }

    /// Returns how often anything ran by itself since a time.
    pub fn runs_since(&self, since: Timestamp) -> usize {
        let all = self.runs.iter().rev();
        all.take_while(|(at, _)| *at > since).count()
    }

    /// Returns the last thing that a playbook did by itself about an identity.
    pub fn last_on(
        &self,
        identity: &IdentityId,
        playbook: &str,
    ) -> Option<(Timestamp, DecisionKind)> {
        let key = (identity.clone(), playbook.to_owned());
        self.of_identity.get(&key).copied()
    }

    /// Returns what a playbook did by itself.
    pub fn book(&self, playbook: &str) -> OnBook {
        self.books.get(playbook).cloned().unwrap_or_default()
    }
}

impl OnBook {
    fn count(&mut self, kind: DecisionKind, at: Timestamp, alert: &AlertId) {
        match kind {
            DecisionKind::AutoBegun => self.begun += 1,
            DecisionKind::AutoVetoed => self.vetoed += 1,
            DecisionKind::AutoStopped => self.stopped += 1,
            DecisionKind::AutoRun => {
                self.run += 1;
                self.last_run = self.last_run.max(Some(at));
            }
            DecisionKind::AutoBraked => self.braked += 1,
            DecisionKind::AutoWaits => self.waits += 1,
            DecisionKind::AutoShadow => self.shadow += 1,
            _ => {}
        }
        if self.last <= Some(at) {
            self.last = Some(at);
            self.last_alert = Some(alert.clone());
        }
    }
}
