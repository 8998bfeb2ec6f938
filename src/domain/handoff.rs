//! What other teams are asked to do: an item a step, with how it stands and a message that can be pasted.
//!
//! The message holds no secret and no link that opens: plans hold references, and what is from outside is shown text.

use jiff::Timestamp;
use serde::Serialize;

use super::coverage::CellState;
use super::decision::{Decision, DecisionKind, Decisions};
use super::ids::{PlanDigest, StepId};
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
        /// Somebody says that it was done. That is a word, no proof: the coverage keeps calling it handed off.
        Done = "done",
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
    /// When the team was asked.
    pub asked_at: Option<Timestamp>,
    /// What is said to have been done.
    pub done: Option<Done>,
    /// What to paste.
    pub message: String,
}

/// That an item was done, as somebody wrote down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// When that was written down.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Who wrote it down.
    pub told_by: String,
    /// What was done, and how that was seen.
    pub says: String,
}

impl Done {
    /// Says it in a line.
    pub fn line(&self) -> String {
        let (by, says) = (show(&self.by), show(&self.says));
        format!("done by {by}, as {} says: {says}", show(&self.told_by))
    }
}

/// Returns the items of a plan.
pub fn items(digest: &PlanDigest, plan: &Plan, decisions: &Decisions) -> Vec<Item> {
    let by_hand = plan.steps.iter().filter(|step| step.is_handed_over());
    by_hand
        .map(|step| {
            let (asked_at, done) = standing(digest, step, plan, decisions);
            Item {
                step: step.id.to_string(),
                team: step.team.clone(),
                verb: step.verb.as_str(),
                state: match (asked_at, &done) {
                    (_, Some(_)) => Standing::Done,
                    (Some(_), None) => Standing::HandedOver,
                    (None, None) => Standing::Open,
                },
                asked_at,
                done,
                message: message(digest, plan, step),
            }
        })
        .collect()
}

/// Returns what a step that another team does came to so far: nothing before the team was asked, and its word is no proof
/// after it.
pub fn cell(digest: &PlanDigest, step: &PlanStep, plan: &Plan, decisions: &Decisions) -> CellState {
    match standing(digest, step, plan, decisions).0 {
        Some(_) => CellState::HandedOff,
        None => CellState::Open,
    }
}

/// Returns when a step was handed over, and what is said to have been done since. Who asks anew asks for a new answer.
fn standing(
    digest: &PlanDigest,
    step: &PlanStep,
    plan: &Plan,
    decisions: &Decisions,
) -> (Option<Timestamp>, Option<Done>) {
    let (mut asked, mut done) = (None, None);
    let is_it = |d: &Decision| d.plan.as_ref() == Some(digest) && d.step.as_ref() == Some(&step.id);
    let all = decisions.of_alert(&plan.alert).iter();
    for (at, who, decision) in all.filter(|(_, _, d)| is_it(d)) {
        match decision.kind {
            DecisionKind::HandOver => (asked, done) = (Some(*at), None),
            DecisionKind::HandOverDone if asked.is_some() => {
                done = Some(Done {
                    at: *at,
                    by: decision.to.clone().unwrap_or_default(),
                    told_by: who.clone(),
                    says: decision.reason.clone().unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    (asked, done)
}

/// Returns what is said to have been done for a step.
pub fn answer(
    digest: &PlanDigest,
    plan: &Plan,
    step: &PlanStep,
    decisions: &Decisions,
) -> Option<Done> {
    standing(digest, step, plan, decisions).1
}

/// Returns when it was written down that a step was done by its team.
pub fn done_at(
    digest: &PlanDigest,
    plan: &Plan,
    step: &PlanStep,
    decisions: &Decisions,
) -> Option<Timestamp> {
    let handed = step.is_handed_over();
    let done = handed.then(|| answer(digest, plan, step, decisions));
    done.flatten().map(|done| done.at)
}

/// Returns the record that an item was done; says why there is none.
pub fn done(
    digest: &PlanDigest,
    plan: &Plan,
    decisions: &Decisions,
    step: &str,
    (by, says): (&str, &str),
) -> Result<Decision, String> {
    let all = items(digest, plan, decisions);
    let waiting = || {
        let steps = all.iter().filter(|i| i.state == Standing::HandedOver);
        let steps: Vec<&str> = steps.map(|i| i.step.as_str()).collect();
        match steps.as_slice() {
            [] => "no step of this plan waits for another team".to_owned(),
            steps => format!("these wait for another team: {}", steps.join(", ")),
        }
    };
    let item = all.iter().find(|item| item.step == step);
    let item =
        item.ok_or_else(|| format!("step {} is for no other team; {}", show(step), waiting()))?;
    match (item.state, &item.done) {
        (Standing::Open, _) => {
            return Err(format!(
                "step {} was not handed over yet: its plan has not come to it",
                show(step)
            ));
        }
        (_, Some(done)) => return Err(format!("step {}: {}", show(step), done.line())),
        _ => {}
    }
    let (by, says) = (by.trim(), says.trim());
    if by.is_empty() || says.is_empty() {
        return Err("say who did it, and after a space what, and how it was seen".to_owned());
    }
    Ok(Decision {
        plan: Some(digest.clone()),
        step: Some(StepId::new(step)),
        to: Some(by.to_owned()),
        ..Decision::on(
            plan.alert.clone(),
            DecisionKind::HandOverDone,
            Some(says.to_owned()),
        )
    })
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
