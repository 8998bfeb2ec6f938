//! The watch window: after a containment took hold, any use by the identity opens its alert again (`REQUIREMENTS` row 54).
//!
//! The windows follow from the journal alone, so they survive whatever process watched; what opens an alert again is a
//! record, so one use opens it once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::alert::Alert;
use super::coverage::CellState;
use super::decision::{Act, DecisionKind, Decisions};
use super::identity::LiveContext;
use super::ids::{AlertId, IdentityId};
use super::text::show;
use super::vocabulary::{ActionPattern, Verb};

/// How long a containment is watched unless the configuration says otherwise, in seconds (AWS: verify 30 minutes after).
pub const WINDOW_S: u32 = 30 * 60;

/// How long before a window began its acts may have been planned, in seconds: a step takes minutes, a long plan an hour.
const LONGEST_RUN_S: i64 = 3_600;

/// One identity under watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Watched {
    /// For which alert.
    pub alert: AlertId,
    /// Whom.
    pub identity: IdentityId,
    /// When the last of its acts was proven.
    pub since: Timestamp,
    /// Until when any use opens the alert again.
    pub until: Timestamp,
    /// Whether the console itself gave it a new secret, which sources report as a credential that was added.
    #[serde(skip)]
    pub rotated: bool,
}

/// That an identity was used although it is contained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: Timestamp,
    /// How that is known; shown text.
    pub says: String,
}

impl Watched {
    /// Tells whether something happened while it was watched. Providers count whole seconds, so what happened in the
    /// second of the proof may have been before it.
    fn covers(&self, at: Timestamp) -> bool {
        at.as_second() > self.since.as_second() && at <= self.until
    }

    /// Tells whether it is still watched.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Finds the use that an alert about this identity tells of, if it does. When it happened counts, not when it came:
    /// what is told late may have been before, and what is listed again is no news.
    pub fn by_alert(&self, alert: &Alert) -> Option<Use> {
        let at = alert.time.unwrap_or(alert.observed);
        let own = self.rotated && alert.pattern == ActionPattern::CredentialCreatedOrAdded;
        (is_use(alert.pattern) && !own && self.covers(at)).then(|| Use {
            at,
            says: format!(
                "alert {}: {}",
                alert.id,
                alert.pattern.as_str().replace('_', " ")
            ),
        })
    }

    /// Finds the use that a provider tells of, if it does: a session that began or was used, a credential that was.
    pub fn by_provider(&self, context: &LiveContext) -> Option<Use> {
        let session = context.sessions.iter().find_map(|session| {
            let times = [session.last_seen, session.started];
            let at = times.into_iter().flatten().find(|at| self.covers(*at))?;
            let (kind, id) = (session.kind.show(), session.id.show());
            Some((at, format!("{kind} {id} was used")))
        });
        let credential = || {
            context.credentials.iter().find_map(|credential| {
                let at = credential.last_used.filter(|at| self.covers(*at))?;
                Some((at, format!("credential {} was used", credential.id.show())))
            })
        };
        let (at, says) = session.or_else(credential)?;
        let says = format!("the provider says that {says}");
        Some(Use { at, says })
    }
}

/// Tells whether an alert of this pattern says that its identity did something. What containing causes itself (ended
/// sessions, changed credentials and accounts) and what merely stands somewhere does not.
pub const fn is_use(pattern: ActionPattern) -> bool {
    use ActionPattern as P;
    match pattern {
        P::CredentialUsedAnomalously
        | P::TokenReplay
        | P::CredentialCreatedOrAdded
        | P::PrivilegeEscalated
        | P::ConsentOrGrantAdded
        | P::SecretRead
        | P::FirstTimeAccess
        | P::VolumeOrChaining
        | P::CrossSystemMovement
        | P::AgentBeyondIntent
        | P::StaleIdentityActive
        | P::DefenseTampered
        | P::Recon
        | P::DataExfil
        | P::WorkloadExec => true,
        P::CredentialExposed
        | P::SessionPolicyViolation
        | P::PostClick
        | P::PermissionChanged
        | P::RecoveryTampered
        | P::SessionRevokedSignal
        | P::CredentialChangedSignal
        | P::AccountStateSignal
        | P::Posture
        | P::Other => false,
    }
}

/// Returns the windows that were open at some time since `since`, the newest first. One that a use ended, that was taken
/// back, or whose alert was judged no case is not among them.
pub fn windows(decisions: &Decisions, window_s: u32, since: Timestamp) -> Vec<Watched> {
    if window_s == 0 {
        return Vec::new();
    }
    let window = SignedDuration::from_secs(i64::from(window_s));
    let run = SignedDuration::from_secs(LONGEST_RUN_S);
    let earliest = since
        .checked_sub(window)
        .and_then(|t| t.checked_sub(run))
        .unwrap_or(Timestamp::MIN);
    let mut acts: BTreeMap<(&AlertId, &IdentityId), Vec<&Act>> = BTreeMap::new();
    for act in decisions.acts().rev().take_while(|act| act.at >= earliest) {
        let key = (&act.intent.alert, &act.intent.identity);
        acts.entry(key).or_default().push(act);
    }
    let mut found: Vec<Watched> = acts
        .into_iter()
        .filter_map(|((alert, identity), newest_first)| {
            let contains = |act: &&Act| act.intent.verb.contains();
            let last = newest_first.iter().copied().find(contains)?;
            let proven = newest_first
                .iter()
                .filter(|act| contains(act) && !act.intent.undo)
                .filter(|act| act.cell() == CellState::Proven);
            let began = proven.map(|act| act.last).max()?;
            let ended = last.intent.undo && last.cell() == CellState::Proven;
            let until = began.checked_add(window).unwrap_or(Timestamp::MAX);
            let watched = Watched {
                alert: alert.clone(),
                identity: identity.clone(),
                since: began,
                until,
                rotated: newest_first.iter().any(|act| {
                    matches!(act.intent.verb, Verb::RotateSecret | Verb::IssueCredential)
                }),
            };
            (!ended && until > since && !is_answered(decisions, &watched)).then_some(watched)
        })
        .collect();
    found.sort_by_key(|w| std::cmp::Reverse(w.since));
    found
}

/// Tells whether a use was recorded since the window began, or the alert was judged no case.
fn is_answered(decisions: &Decisions, watched: &Watched) -> bool {
    let of = |d: &super::decision::Decision| {
        let whose = d.cell.as_ref().map(|c| c.node.as_str());
        whose.is_none_or(|node| node == watched.identity.as_str())
    };
    decisions.of_alert(&watched.alert).iter().any(|(at, _, d)| {
        *at >= watched.since
            && (d.kind == DecisionKind::Dismiss || (d.kind == DecisionKind::Reopen && of(d)))
    })
}

/// Returns when, and by what, an alert was opened again, unless it was contained anew, closed or dismissed since.
pub fn reopened<'d>(decisions: &'d Decisions, alert: &AlertId) -> Option<(Timestamp, &'d str)> {
    let decided = decisions.of_alert(alert);
    let at = decided
        .iter()
        .rposition(|(_, _, d)| d.kind == DecisionKind::Reopen)?;
    let (when, _, decision) = decided.get(at)?;
    let over = decided
        .iter()
        .skip(at)
        .any(|(_, _, d)| matches!(d.kind, DecisionKind::Dismiss | DecisionKind::CloseContained));
    let anew = decisions
        .acts_for(alert)
        .any(|act| act.at > *when && act.intent.verb.contains());
    (!over && !anew).then(|| (*when, decision.reason.as_deref().unwrap_or_default()))
}

/// Says what a record about a use says.
pub fn reason(watched: &Watched, used: &Use) -> String {
    format!(
        "used at {} after it was contained at {}: {}",
        used.at.strftime("%H:%M:%SZ"),
        watched.since.strftime("%H:%M:%SZ"),
        show(&used.says)
    )
}

#[cfg(test)]
mod tests;
