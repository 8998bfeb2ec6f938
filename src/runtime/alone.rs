//! Carries out what the policy does by itself: the record of a countdown with its plan, and the run at its end.

use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};

use super::approval::Patience;
use super::execute::{self, Ended};
use super::journal::Report;
use super::planner::{self, Alerted, policy_digest};
use super::services::Services;
use crate::app::automation::Begin;
use crate::domain::automation::not_routine;
use crate::domain::decision::{Decision, DecisionKind, Decisions};

/// Writes down what is done, or not done, by itself, with the digest of the policy that says so.
///
/// # Errors
///
/// The log cannot be written, or whoever runs this process only looks on: what runs by itself runs in somebody's name.
pub async fn record(services: &Services, decisions: Vec<Decision>) -> Result<(), String> {
    let digest = policy_digest(&services.playbooks, &services.policy.file);
    let signed = decisions.into_iter().map(|decision| Decision {
        by_policy: Some(digest.clone()),
        ..decision
    });
    services.decide(&signed.collect::<Vec<_>>()).await
}

/// Builds the plan of a countdown and writes down that it counts, from now on and for its whole length. A plan that is not
/// routine in every step, or that cannot be built, waits for a person.
pub async fn begin(services: &Services, begin: Begin) -> Result<(), String> {
    let Begin {
        mut decision,
        incident,
        identity,
        graph,
        seconds,
    } = begin;
    let alerted = Alerted {
        id: &decision.alert,
        incident: incident.as_ref(),
        graph: Some(&graph),
    };
    let book = decision.playbook.clone().unwrap_or_default();
    let now = Timestamp::now();
    let built = planner::build(services, &alerted, &identity, &book, now).await;
    let refused = match &built {
        Ok((_, plan)) => not_routine(plan),
        Err(error) => Some(format!("no plan: {error}")),
    };
    match (built, refused) {
        (Ok((digest, _)), None) => {
            let span = SignedDuration::from_secs(i64::from(seconds));
            decision.plan = Some(digest);
            decision.until = Timestamp::now().checked_add(span).ok();
        }
        (_, refused) => {
            decision.kind = DecisionKind::AutoWaits;
            decision.reason = refused;
        }
    }
    record(services, vec![decision]).await
}

/// Runs the plan of a countdown that came to its end. That it runs is in the log before anything is sent; whoever stopped
/// it at the same moment is heard.
pub async fn run(
    services: &Services,
    decision: Decision,
    stop: &AtomicBool,
    report: &Report,
) -> Ended {
    let Some(digest) = decision.plan.clone() else {
        return Ended::refused("a countdown without a plan");
    };
    // As it stands on the disk: a veto of another console counts although nobody was told of it yet.
    match services.journal.latest().await {
        Err(error) => return Ended::refused(error.to_string()),
        Ok(known) => {
            if let Some(why) = stopped(&known, &decision) {
                return Ended::refused(why);
            }
        }
    }
    let run = Decision {
        kind: DecisionKind::AutoRun,
        ..decision.clone()
    };
    if let Err(error) = record(services, vec![run]).await {
        return Ended::refused(format!("the run could not be recorded: {error}"));
    }
    let vetoed = services.journal.latest().await;
    let vetoed = vetoed
        .as_ref()
        .map_or(true, |known| is_vetoed(known, &decision));
    if vetoed {
        let why = "somebody stopped it at the same moment; nothing was sent";
        let stopped = Decision {
            kind: DecisionKind::AutoStopped,
            reason: Some(why.to_owned()),
            ..decision
        };
        return match record(services, vec![stopped]).await {
            Ok(()) => Ended::refused(why),
            Err(error) => Ended::refused(format!("{why}; NOT recorded: {error}")),
        };
    }
    let policy = policy_digest(&services.playbooks, &services.policy.file);
    let policy = policy.get(..12).unwrap_or_default();
    let book = decision.playbook.as_deref().unwrap_or_default();
    let reason = format!("by policy {policy}, {book}: nobody stopped the countdown");
    // What is routine needs nobody else; were it not, nobody is there to be waited for.
    let waiting = (Patience::Leave, stop);
    execute::run(services, &digest, Some(&reason), waiting, report).await
}

/// Returns why the countdown that this belongs to does not run any more.
fn stopped(known: &Decisions, decision: &Decision) -> Option<String> {
    let count = known.alone().countdown(&decision.alert);
    match count {
        Some(count) if count.in_hand => {
            Some("somebody has taken the alert in hand; nothing was sent".to_owned())
        }
        Some(count) if count.plan == decision.plan => None,
        _ => Some("the countdown was stopped, or run already; nothing was sent".to_owned()),
    }
}

fn is_vetoed(known: &Decisions, decision: &Decision) -> bool {
    let all = known.of_alert(&decision.alert).iter();
    all.filter(|(_, _, d)| d.kind == DecisionKind::AutoVetoed)
        .any(|(_, _, d)| d.plan == decision.plan)
}

#[cfg(test)]
mod tests;
