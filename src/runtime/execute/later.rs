//! Carries a step out that waited for its time: old credentials are turned off beside which a new one was issued.

use std::sync::atomic::AtomicBool;

use super::super::approval;
use super::super::journal::Report;
use super::super::services::Services;
use super::super::steady;
use super::{Ended, Found, GAVE_WAY, NotRecorded, Run, alone, begin};
use crate::domain::coverage::{CellState, Proof};
use crate::domain::decision::{Decision, DecisionKind, Decisions, PlanState};
use crate::domain::ids::{PlanDigest, StepId};
use crate::domain::overlap;
use crate::domain::plan::PlanStep;

/// What the fold says of the step now.
enum Stands {
    /// It does not wait: nothing was issued, or it is done.
    Not,
    /// Its time has not come.
    Waits(jiff::Timestamp),
    /// Somebody stopped it, and said why.
    Kept(String),
    /// It was sent, and what came of that is to be read back.
    Sent(CellState),
    /// It is to be carried out.
    Due,
}

/// Carries a step out whose time has come, exactly as it was agreed to. `early` is why somebody does that before, or although
/// it was stopped or refused.
pub async fn later(
    services: &Services,
    digest: &PlanDigest,
    step: &StepId,
    early: Option<&str>,
    report: &Report,
) -> Ended {
    match attempt(services, digest, step, early, report).await {
        Ok(ended) => ended,
        Err(why) => Ended::refused(why),
    }
}

async fn attempt(
    services: &Services,
    digest: &PlanDigest,
    step: &StepId,
    early: Option<&str>,
    report: &Report,
) -> Result<Ended, String> {
    let Found { digest, state, .. } = begin(services, digest).await?;
    match early {
        Some(_) => approval::may(services, super::Act::Trigger, &state).await?,
        // Time asks for what was agreed to when the plan was run.
        None => approval::may_decide(services).await?,
    }
    if state.plan.drill != services.drill_speed.is_some() {
        return Err(
            "the plan is of the drill and this is not it, or the other way round".to_owned(),
        );
    }
    let step = state.plan.step(step);
    let step = step.ok_or("the plan has no such step")?;
    if step.is_handed_over() {
        return Err(format!(
            "step {} is done by hand, by {}; `stanch hand-off {} --done {}` writes down that it is",
            step.id,
            step.team,
            digest.short(),
            step.id
        ));
    }
    let connector = services.connectors.get(&step.connector);
    let connector =
        connector.ok_or_else(|| format!("connector `{}` is not configured", step.connector))?;
    let _hands = alone(services, &digest, &state.plan, report)?;
    match stands(services, &digest, step).await? {
        Stands::Due => {}
        Stands::Kept(_) | Stands::Waits(_) if early.is_some() => {}
        Stands::Not => {
            return Err(format!(
                "step {} does not wait for its time: nothing was issued before it, or it is done",
                step.id
            ));
        }
        Stands::Waits(until) => {
            return Err(format!("the time of step {} comes at {until}", step.id));
        }
        Stands::Kept(why) => return Err(format!("step {} was stopped: {why}", step.id)),
        Stands::Sent(cell) => {
            return Err(format!(
                "step {} was sent and is {}; `stanch reconcile {}` reads it back",
                step.id,
                cell.words(),
                state.plan.alert
            ));
        }
    }
    let run = Run {
        services,
        digest: &digest,
        report,
        stop: &AtomicBool::new(false),
        place: &state.place,
    };
    let gone = successor(services, &state, step).await;
    let done = async {
        if let Some(reason) = early {
            let confirmed = Decision {
                plan: Some(digest.clone()),
                step: Some(step.id.clone()),
                ..Decision::on(
                    state.plan.alert.clone(),
                    DecisionKind::Confirm,
                    Some(reason.to_owned()),
                )
            };
            let decisions = std::slice::from_ref(&confirmed);
            services.journal.record_decisions(decisions).await?;
        }
        let goes_on = Decisions::may_go_on_alone;
        let (intent, goes_on) = run.first_intent(&state.plan, step, goes_on).await?;
        if !goes_on {
            return run.not_sent(step, &intent, GAVE_WAY.to_owned()).await;
        }
        if let Some(gone) = gone {
            return run.not_sent(step, &intent, gone).await;
        }
        let verify = step.verify.as_ref();
        run.act(connector, step, &step.requests, verify, &intent)
            .await
    };
    Ok(ended(step, done.await))
}

fn ended(step: &PlanStep, done: Result<CellState, NotRecorded>) -> Ended {
    let (text, cell) = match done {
        Ok(cell) => (format!("step {}: {cell}", step.id), cell),
        Err(error) => (
            format!("step {} stopped: {error}", step.id),
            CellState::Unknown,
        ),
    };
    Ended {
        text,
        ran: true,
        cells: vec![(step.id.clone(), cell)],
    }
}

async fn stands(
    services: &Services,
    digest: &PlanDigest,
    step: &PlanStep,
) -> Result<Stands, String> {
    let (digest, id, now) = (digest.clone(), step.id.clone(), steady::now());
    let look = move |decisions: &Decisions| {
        let Some((digest, state)) = decisions.plan(digest.as_str()) else {
            return Stands::Not;
        };
        let step = state.plan.step(&id);
        let Some(later) = step.and_then(|s| overlap::later(decisions, digest, state, s)) else {
            return Stands::Not;
        };
        match (later.tried, later.kept) {
            (Some(act), _) if !later.may_be_sent() => Stands::Sent(act.cell()),
            (_, Some((_, who, why))) => Stands::Kept(format!("{who}: {why}")),
            _ if now < later.until => Stands::Waits(later.until),
            _ => Stands::Due,
        }
    };
    let looked = services.journal.look_now(look).await;
    looked.map_err(|e| e.to_string())
}

/// Says why the old ones must not be turned off: the new one is not there any more, so that nobody could work.
async fn successor(services: &Services, state: &PlanState, step: &PlanStep) -> Option<String> {
    let issued = state.plan.issues_before(step)?;
    let connector = services.connectors.get(&issued.connector)?;
    let read = connector.verify(issued.verify.as_ref()?).await;
    (read.proof != Proof::Agrees).then(|| {
        format!(
            "the new credential could not be seen, and without it nothing would work: {}",
            read.says
        )
    })
}
