//! Acts whose outcome nobody knows: they are read back, never sent again.

use std::fmt;

use super::services::Services;
use crate::domain::coverage::{CellState, Proof, WireOutcome, cell};
use crate::domain::decision::{Act, RecordType, Verify};
use crate::domain::ids::{AlertId, StepId};
use crate::domain::plan::{RenderedVerify, Undo};

/// What a provider said about an act whose outcome nobody knew.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which step it was.
    pub step: StepId,
    /// What that makes of it.
    pub state: CellState,
    /// What was read, or why nothing was.
    pub says: String,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {}, {}", self.step, self.state, self.says)
    }
}

/// Reads back every unknown act of an alert and records what was told.
pub async fn run(services: &Services, alert: &AlertId) -> Result<Vec<Told>, String> {
    let decisions = services
        .journal
        .decisions()
        .await
        .map_err(|e| e.to_string())?;
    super::approval::may_decide(services).await?;
    let mut told = Vec::new();
    for act in decisions
        .acts_for(alert)
        .filter(|a| a.cell() == CellState::Unknown)
    {
        if act.outcome.is_none() && crate::journal::is_alive(&act.intent.process) {
            told.push(Told {
                step: act.intent.step.clone(),
                state: CellState::Unknown,
                says: format!("process {} is still at it", act.intent.process.pid),
            });
            continue;
        }
        let verify = ask(services, act).await;
        let outcome = act.outcome.as_ref().map(|o| o.outcome);
        told.push(Told {
            step: act.intent.step.clone(),
            state: cell(outcome.unwrap_or(WireOutcome::Unknown), Some(verify.proof)),
            says: verify.says.clone(),
        });
        services
            .journal
            .record(RecordType::Verify, &verify)
            .await
            .map_err(|e| format!("not recorded: {e}"))?;
    }
    Ok(told)
}

async fn ask(services: &Services, act: &Act) -> Verify {
    let told = |proof, says: String, tries, evidence_sha256| Verify {
        intent: act.intent.intent.clone(),
        proof,
        says,
        tries,
        evidence_sha256,
    };
    let Some((_, state)) = services.journal.plan(act.intent.digest.as_str()).await else {
        return told(
            Proof::CannotTell,
            "its plan is not in any log".to_owned(),
            0,
            None,
        );
    };
    let step = state.plan.step(&act.intent.step);
    let verify: Option<&RenderedVerify> = step.and_then(|s| match (&s.undo, act.intent.undo) {
        (Undo::Requests { verify, .. }, true) => verify.as_ref(),
        (_, true) => None,
        (_, false) => s.verify.as_ref(),
    });
    let connector = step.and_then(|s| services.connectors.get(&s.connector));
    match (connector, verify) {
        (Some(connector), Some(verify)) => {
            let result = connector.verify(verify).await;
            told(
                result.proof,
                result.says,
                result.tries,
                result.evidence_sha256,
            )
        }
        // Reading evidence changes nothing, so a lost read is simply not there.
        (_, None) => told(
            Proof::Disagrees,
            "nothing of it was stored".to_owned(),
            0,
            None,
        ),
        (None, Some(_)) => told(
            Proof::CannotTell,
            "its connector is not configured any more".to_owned(),
            0,
            None,
        ),
    }
}
