//! What other teams are asked to do: an item a step, with how it stands and a message that can be pasted.
//!
//! The message holds no secret and no link that opens: plans hold references, and what is from outside is shown text.

use serde::Serialize;

use super::decision::{DecisionKind, Decisions};
use super::ids::PlanDigest;
use super::plan::{Plan, PlanStep};
use super::text::{fit, show, show_identifier};
use super::vocabulary::words;

/// Most cells of one text from outside.
const MOST: usize = 240;

words! {
    /// How an item stands.
    Standing {
        /// Its plan has not come to it.
        Open = "open",
        /// The team was asked; the log says when.
        HandedOver = "handed_over",
    }
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Which step of the plan.
    pub step: String,
    /// Who does it.
    pub team: String,
    /// What, in a word.
    pub verb: &'static str,
    /// How it stands.
    pub state: Standing,
    /// What to paste.
    pub message: String,
}

/// Returns the items of a plan.
pub fn items(digest: &PlanDigest, plan: &Plan, decisions: &Decisions) -> Vec<Item> {
    let by_hand = plan.steps.iter().filter(|step| step.is_handed_over());
    by_hand
        .map(|step| Item {
            step: step.id.to_string(),
            team: step.team.clone(),
            verb: step.verb.as_str(),
            state: standing(digest, step, plan, decisions),
            message: message(digest, plan, step),
        })
        .collect()
}

fn standing(digest: &PlanDigest, step: &PlanStep, plan: &Plan, decisions: &Decisions) -> Standing {
    let all = decisions.of_alert(&plan.alert).iter();
    let mut handed = all.filter(|(_, _, d)| d.kind == DecisionKind::HandOver);
    let is_it = handed
        .any(|(_, _, d)| d.plan.as_ref() == Some(digest) && d.step.as_ref() == Some(&step.id));
    match is_it {
        true => Standing::HandedOver,
        false => Standing::Open,
    }
}

/// Returns the message for one step.
pub fn message(digest: &PlanDigest, plan: &Plan, step: &PlanStep) -> String {
    let name = short(&show_identifier(plan.identity_name.raw()));
    let id = short(&show_identifier(plan.identity.as_str()));
    let place = plan.environment.as_ref();
    let place = place.map_or_else(String::new, |e| format!(" in {}", short(&show(e.raw()))));
    let mut lines = vec![
        format!(
            "To {}: please do this for the containment of {name} ({id}){place}.",
            short(&show(&step.team))
        ),
        format!("What: {}.", short(&show(&step.title))),
    ];
    if !step.why.is_empty() {
        lines.push(format!("Why: {}.", short(&show(&step.why))));
    }
    let before: Vec<String> = plan
        .steps
        .iter()
        .take_while(|other| other.id != step.id)
        .map(|other| other.verb.as_str().replace('_', " "))
        .collect();
    if !before.is_empty() {
        lines.push(format!("After: {}.", before.join(", ")));
    }
    let critical = plan.impact.breaks.len();
    if critical > 0 {
        lines.push(format!("Hangs on it, as the map has it: {critical}."));
    }
    lines.push(format!(
        "Alert {}, plan {}, step {}. Answer with what you did and how you saw that it took hold; nothing else was asked of you in our name.",
        short(&show(plan.alert.as_str())),
        digest.short(),
        step.id
    ));
    lines.join("\n")
}

/// Cuts shown text and takes apart what a program would take for a link.
fn short(shown: &str) -> String {
    fit(shown, MOST, "...").replace("://", "[:]//")
}

#[cfg(test)]
mod tests;
