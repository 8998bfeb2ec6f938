//! Whether a plan may be run: who asks, and whether those agreed who must.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::journal::Report;
use super::services::Services;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::authority::{Act, Quorum, Roster, Standing};
use crate::domain::decision::{Approval, Decision, DecisionKind, PlanState, RecordType};
use crate::domain::ids::PlanDigest;
use crate::domain::text::show;
use crate::domain::vocabulary::Tier;

/// How long the drill's simulated analyst reads, in drill time.
const READING: Duration = Duration::from_secs(3);

/// How often the logs of others are looked at for their verdict: it is seen within a second.
const LOOK: Duration = Duration::from_millis(200);

/// Who may do what, and how many must agree.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The people.
    pub roster: Roster,
    /// Who must agree to plans of the soft tier.
    pub soft: Quorum,
    /// Who must agree to plans of the hard tier.
    pub hard: Quorum,
}

/// Whether whoever runs a plan waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until they agreed, somebody refused, or the plan expired.
    Wait,
    /// Not at all: what is missing is said.
    Leave,
}

impl Authority {
    /// Returns who must agree to plans of a tier. Looking needs nobody.
    fn quorum(&self, tier: Tier) -> Quorum {
        match tier {
            Tier::Monitor => Quorum::default(),
            Tier::Soft => self.soft.clone(),
            Tier::Hard => self.hard.clone(),
        }
    }

    /// Tells where a plan stands.
    pub fn standing(&self, state: &PlanState) -> Standing {
        let requested_by = requesters(state);
        let quorum = self.quorum(state.plan.tier);
        self.roster
            .standing(&quorum, &state.plan, &requested_by, &state.verdicts)
    }
}

/// Returns the keys of who built a plan and who asked for it.
fn requesters(state: &PlanState) -> Vec<&str> {
    let asked = state.asked.as_ref().and_then(|(_, key)| key.as_deref());
    state.signer.as_deref().into_iter().chain(asked).collect()
}

/// Makes sure that a plan may be run and has the approval it needs; returns why it has not.
pub async fn obtain(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
    (patience, stop): (Patience, &AtomicBool),
    report: &Report,
) -> Result<(), String> {
    let Some(authority) = &services.authority else {
        return in_drill(services, digest, state).await;
    };
    let own = services.journal.key().await.unwrap_or_default();
    authority
        .roster
        .allows(&own, Act::Trigger, &state.plan)
        .map(drop)?;
    let mut state = state.clone();
    loop {
        let missing = match authority.standing(&state) {
            Standing::Free | Standing::Agreed { .. } => return Ok(()),
            Standing::Refused { by, reason } => {
                return Err(format!("{} refused it: {}", show(&by), show(&reason)));
            }
            Standing::Waiting { missing, could, .. } => wanted(digest, missing, &could),
        };
        if state.asked.is_none() {
            ask(services, digest, &state).await?;
            let text = missing.clone();
            report(Msg::Notice {
                level: Level::Warn,
                text,
            });
        }
        if Timestamp::now() >= state.plan.expires {
            return Err(format!("it expired before enough people agreed: {missing}"));
        }
        if patience == Patience::Leave || stop.load(Ordering::Relaxed) {
            return Err(missing);
        }
        tokio::time::sleep(LOOK).await;
        if let Some((_, now)) = services.journal.plan(digest.as_str()).await {
            state = now;
        }
    }
}

/// Says who is still needed, and how they agree.
pub fn wanted(digest: &PlanDigest, missing: u8, could: &[String]) -> String {
    let people = match could {
        [] => "nobody else on the roster could".to_owned(),
        names => format!("{} could", show(&names.join(", "))),
    };
    format!(
        "{missing} more must agree, {people}: stanch approve {}",
        digest.short()
    )
}

async fn ask(services: &Services, digest: &PlanDigest, state: &PlanState) -> Result<(), String> {
    let asked = Decision {
        plan: Some(digest.clone()),
        ..Decision::on(state.plan.alert.clone(), DecisionKind::Ask, None)
    };
    let recorded = services.journal.record(RecordType::Decision, &asked).await;
    recorded.map_err(|e| format!("the request could not be recorded: {e}"))
}

/// Records a verdict of whoever runs this program on somebody else's plan; returns why it cannot be given.
pub async fn judge(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
    approved: bool,
    reason: Option<&str>,
) -> Result<(), String> {
    let authority = services
        .authority
        .as_ref()
        .ok_or("no roster is configured, so nobody is asked; `[authority] roster` names one")?;
    let own = services.journal.key().await.unwrap_or_default();
    let who = authority.roster.allows(&own, Act::Judge, &state.plan)?;
    let is_own = requesters(state).iter().any(|key| {
        let requester = authority.roster.holder_of(key);
        *key == own || requester.is_some_and(|r| r.name == who.name)
    });
    if is_own && approved {
        return Err("whoever asks for a plan cannot agree to it".to_owned());
    }
    if Timestamp::now() >= state.plan.expires {
        return Err(format!("it expired at {}", state.plan.expires));
    }
    let approval = Approval {
        digest: digest.clone(),
        approved,
        by: None,
        reason: reason.map(str::to_owned),
    };
    let recorded = services
        .journal
        .record(RecordType::Approval, &approval)
        .await;
    recorded.map_err(|e| format!("not recorded: {e}"))
}

/// The drill plays the second person itself.
async fn in_drill(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
) -> Result<(), String> {
    if state.verdicts.iter().any(|v| !v.approval.approved) {
        return Err("somebody refused this plan".to_owned());
    }
    let Some(speed) = services.drill_speed else {
        return Ok(());
    };
    if state.plan.tier < Tier::Hard || state.verdicts.iter().any(|v| v.approval.approved) {
        return Ok(());
    }
    tokio::time::sleep(READING.div_f64(speed.max(0.1))).await;
    let approval = Approval {
        digest: digest.clone(),
        approved: true,
        by: Some("second analyst (simulated)".to_owned()),
        reason: Some("drill".to_owned()),
    };
    services
        .journal
        .record(RecordType::Approval, &approval)
        .await
        .map_err(|e| format!("not recorded: {e}"))
}
