//! Until authority exists, only the drill asks for a second person, and plays that person itself.

use std::time::Duration;

use super::services::Services;
use crate::domain::decision::{Approval, PlanState, RecordType};
use crate::domain::ids::PlanDigest;
use crate::domain::vocabulary::Tier;

/// How long the simulated analyst reads, in drill time.
const READING: Duration = Duration::from_secs(3);

/// Makes sure that a plan has the approval it needs; returns why it has not.
pub async fn obtain(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
) -> Result<(), String> {
    if state.approvals.iter().any(|(_, a)| !a.approved) {
        return Err("somebody rejected this plan".to_owned());
    }
    let Some(speed) = services.drill_speed else {
        return Ok(());
    };
    if state.plan.tier < Tier::Hard || state.approvals.iter().any(|(_, a)| a.approved) {
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
