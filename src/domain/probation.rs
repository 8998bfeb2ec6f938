//! Probation: somebody who is trusted again is watched, and any new alert about them proposes to contain them again.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::alert::Alert;
use super::decision::{Decision, DecisionKind, Decisions};
use super::ids::{AlertId, IdentityId};
use super::vocabulary::ActionPattern;

/// How long after somebody is trusted again a signal tells of the lifting itself, in seconds.
const OWN_S: i64 = 300;

/// Somebody who is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whom.
    pub identity: IdentityId,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Alerts by which it was proposed already.
    pub known: BTreeSet<AlertId>,
    /// By which playbook they were contained last.
    pub playbook: Option<String>,
}

/// Returns everybody who is watched now.
pub fn watched(decisions: &Decisions, now: Timestamp) -> Vec<Watched> {
    let all = decisions.holds.on_probation(now).into_iter();
    all.filter_map(|identity| {
        let way = decisions.holds.way_back(identity)?;
        let (said, until) = way.restored.as_ref()?;
        let since = way.proposed.iter().filter(|(_, p)| p.at >= said.at);
        let mut acts = decisions.acts_on(identity).rev();
        let act = acts.find(|act| !act.intent.undo);
        let plan = act.and_then(|act| decisions.plan(act.intent.digest.as_str()));
        Some(Watched {
            identity: identity.clone(),
            since: said.at,
            until: *until,
            known: since.map(|(id, _)| id.clone()).collect(),
            playbook: plan.map(|(_, state)| state.plan.playbook.clone()),
        })
    })
    .collect()
}

impl Watched {
    /// Returns the proposal that a new alert about them makes. When it happened counts, not when it came; what the lifting
    /// causes itself is no news.
    pub fn proposes(&self, alert: &Alert) -> Option<Decision> {
        let at = alert.time.unwrap_or(alert.observed);
        // Providers count whole seconds, so what happened in that second may have been before it.
        let new = at.as_second() > self.since.as_second() && at < self.until;
        let signal = matches!(
            alert.pattern,
            ActionPattern::SessionRevokedSignal
                | ActionPattern::CredentialChangedSignal
                | ActionPattern::AccountStateSignal
        );
        let own = signal && at.as_second() - self.since.as_second() <= OWN_S;
        if !new || own || self.known.contains(&alert.id) {
            return None;
        }
        let reason = format!(
            "alert {}: {}, {} min after it was trusted again",
            alert.id,
            alert.pattern.as_str().replace('_', " "),
            at.duration_since(self.since).as_mins()
        );
        Some(Decision {
            identity: Some(self.identity.clone()),
            playbook: self.playbook.clone(),
            ..Decision::on(alert.id.clone(), DecisionKind::Recontain, Some(reason))
        })
    }
}
