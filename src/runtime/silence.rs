//! What comes of it when those who were asked say nothing in time: decided beforehand, written down before it is done, and
//! done by whichever console is first.

use jiff::Timestamp;

use super::hands;
use super::journal::Report;
use super::services::Services;
use super::{approval, steady};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::authority::TimeOut;
use crate::domain::decision::{Decision, DecisionKind, PlanRecord, PlanState, RecordType};
use crate::domain::ids::PlanDigest;
use crate::domain::plan::{Plan, lifetime};
use crate::domain::vocabulary::Tier;

/// Settles the silence about a plan if it is due. Returns what it came to, and the plan that is run in its place.
pub async fn settle(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
    report: &Report,
) -> Result<Option<(TimeOut, Option<PlanDigest>)>, String> {
    let Some(authority) = &services.authority else {
        return Ok(None);
    };
    if authority.silence(state, steady::now()).is_none() {
        return Ok(None);
    }
    approval::may_decide(services).await?;
    let about = format!("silence about {}", digest.as_str());
    let Some(_hands) =
        hands::unless_elsewhere(services.journal.store(), &about, "settles a silence")
    else {
        return Ok(None);
    };
    // Another console may have settled it since.
    let decisions = services.journal.latest().await;
    let decisions = decisions.map_err(|e| e.to_string())?;
    let Some((_, state)) = decisions.plan(digest.as_str()) else {
        return Ok(None);
    };
    let Some(mut what) = authority.silence(state, steady::now()) else {
        return Ok(None);
    };
    let narrower = (what == TimeOut::SoftContain).then(|| soft_part(&state.plan, steady::now()));
    let narrower = narrower.flatten();
    let instead = match narrower {
        Some(plan) => {
            let record = PlanRecord {
                digest: plan.digest(),
                plan,
            };
            let recorded = services.journal.record(RecordType::Plan, &record).await;
            recorded.map_err(|e| format!("the plan was not recorded: {e}"))?;
            Some(record.digest)
        }
        None => None,
    };
    if what == TimeOut::SoftContain && instead.is_none() {
        what = TimeOut::Escalate;
    }
    let reason = match (&instead, what) {
        (Some(instead), _) => format!("plan {} is run in its place", instead.short()),
        (None, TimeOut::Escalate) => "the commanders are asked".to_owned(),
        _ => "it can be run no more".to_owned(),
    };
    let timed_out = Decision {
        plan: Some(digest.clone()),
        came_to: Some(what),
        ..Decision::on(
            state.plan.alert.clone(),
            DecisionKind::TimedOut,
            Some(reason.clone()),
        )
    };
    let recorded = services
        .journal
        .record(RecordType::Decision, &timed_out)
        .await;
    recorded.map_err(|e| format!("not recorded: {e}"))?;
    report(Msg::Notice {
        level: Level::Warn,
        text: format!(
            "too few agreed to plan {} in time: {reason}",
            digest.short()
        ),
    });
    Ok(Some((what, instead)))
}

/// Returns what of a plan lies in the soft tier, as a plan of its own; nothing when that changes nothing.
fn soft_part(plan: &Plan, now: Timestamp) -> Option<Plan> {
    let mut part = plan.clone();
    part.steps.retain(|step| step.tier <= Tier::Soft);
    let acting = part.steps.iter().any(|step| step.verb.contains());
    if !acting || plan.tier <= Tier::Soft {
        return None;
    }
    part.tier = Tier::Soft;
    (part.created, part.expires) = lifetime(now);
    part.nonce = uuid::Uuid::now_v7().to_string();
    Some(part)
}
