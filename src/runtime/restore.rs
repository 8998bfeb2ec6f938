//! The way back: an identity is trusted again when every gate is vouched for, one of them by somebody else, and every control
//! on it is lifted in order and proven lifted. One identity at a time.

use jiff::SignedDuration;

use super::journal::Report;
use super::services::Services;
use super::{approval, execute, steady};
use crate::domain::authority::Role;
use crate::domain::debt::{controls, way_back};
use crate::domain::decision::{Decision, DecisionKind, RecordType};
use crate::domain::hold::{Gate, PROBATION_S};
use crate::domain::ids::{AlertId, IdentityId, PlanDigest, StepId};
use crate::domain::text::show_identifier;

/// A control on an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// By which plan.
    pub digest: PlanDigest,
    /// Which of its steps.
    pub step: StepId,
    /// In words.
    pub title: String,
    /// For which alert.
    pub alert: AlertId,
}

/// Returns what stands on an identity, in the order in which it is lifted.
pub async fn standing(services: &Services, identity: &IdentityId) -> Result<Vec<Control>, String> {
    let decisions = services.journal.latest().await.map_err(|e| e.to_string())?;
    let control = controls(&decisions, identity).map(|(_, step, act)| Control {
        digest: act.intent.digest.clone(),
        step: step.id.clone(),
        title: step.title.clone(),
        alert: act.intent.alert.clone(),
    });
    Ok(control.collect())
}

/// Vouches for a gate. The last one is for somebody else: who may judge plans, and vouched for none of the others.
pub async fn vouch(
    services: &Services,
    identity: &IdentityId,
    gate: Gate,
    reason: &str,
) -> Result<(), String> {
    approval::may_decide(services).await?;
    let decisions = services.journal.latest().await.map_err(|e| e.to_string())?;
    if gate == Gate::SecondPerson {
        second_person(services, &decisions, identity).await?;
    }
    let Some(last) = decisions.acts_on(identity).next_back() else {
        return Err(format!(
            "`{}` was never contained, so there is nothing to vouch for",
            show_identifier(identity.as_str())
        ));
    };
    let alert = last.intent.alert.clone();
    let vouched = Decision {
        identity: Some(identity.clone()),
        gate: Some(gate),
        ..Decision::on(alert, DecisionKind::Gate, Some(reason.to_owned()))
    };
    let recorded = services
        .journal
        .record(RecordType::Decision, &vouched)
        .await;
    recorded.map_err(|e| format!("not recorded: {e}"))
}

async fn second_person(
    services: &Services,
    decisions: &crate::domain::decision::Decisions,
    identity: &IdentityId,
) -> Result<(), String> {
    let way = way_back(decisions, identity);
    let missing: Vec<&str> = way
        .missing()
        .into_iter()
        .filter(|gate| *gate != Gate::SecondPerson)
        .map(Gate::as_str)
        .collect();
    if !missing.is_empty() {
        let text = missing.join(", ");
        return Err(format!(
            "nobody vouched yet for {text}, so there is nothing to look at"
        ));
    }
    if services.drill_speed.is_some() {
        return Ok(());
    }
    let own = approval::own_key(services).await?;
    let same = |key: &str| match &services.authority {
        Some(authority) => authority.roster.same_person(key, &own),
        None => key == own,
    };
    if let Some(authority) = &services.authority {
        authority.roster.has_role(&own, Role::Approver)?;
    }
    let others = way
        .gates
        .iter()
        .filter(|(gate, _)| **gate != Gate::SecondPerson);
    let mut keys = others.filter_map(|(_, said)| said.signer.as_deref());
    match keys.any(same) {
        true => Err("somebody else has to look at it: you vouched for it yourself".to_owned()),
        false => Ok(()),
    }
}

/// Lifts every control and trusts the identity again. Returns what was lifted; stops at the first that is not proven lifted.
pub async fn restore(
    services: &Services,
    identity: &IdentityId,
    reason: &str,
    report: &Report,
) -> Result<Vec<Control>, String> {
    approval::may_decide(services).await?;
    let decisions = services.journal.latest().await.map_err(|e| e.to_string())?;
    let way = way_back(&decisions, identity);
    let missing: Vec<&str> = way.missing().into_iter().map(Gate::as_str).collect();
    if !missing.is_empty() {
        return Err(format!(
            "not trusted yet: nobody vouched for {}",
            missing.join(", ")
        ));
    }
    let last = decisions.acts_on(identity).next_back();
    let Some(alert) = last.map(|act| act.intent.alert.clone()) else {
        return Err("nothing was done to it, so there is nothing to lift".to_owned());
    };
    let mut lifted = Vec::new();
    for control in standing(services, identity).await? {
        let ended = execute::undo(services, &control.digest, &control.step, report).await;
        if !ended.all_proven() {
            return Err(format!(
                "{} was not lifted ({}); {} others were, and it is not trusted yet",
                control.title,
                ended.text,
                lifted.len()
            ));
        }
        lifted.push(control);
    }
    let until = steady::now().checked_add(SignedDuration::from_secs(PROBATION_S));
    let trusted = Decision {
        identity: Some(identity.clone()),
        until: Some(until.map_err(|e| e.to_string())?),
        ..Decision::on(alert, DecisionKind::Restore, Some(reason.to_owned()))
    };
    let recorded = services
        .journal
        .record(RecordType::Decision, &trusted)
        .await;
    recorded.map_err(|e| format!("not recorded: {e}"))?;
    Ok(lifted)
}
