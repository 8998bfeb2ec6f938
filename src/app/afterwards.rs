//! After a plan: what other teams did of it, and taking a step back, from the plan itself.

use jiff::{Span, Timestamp};
use tui_input::Input;

use super::model::{Level, Model, Overlay, PlanView, ReasonPrompt, Run, Stage};
use super::msg::Effect;
use super::planning::ARMING_MS;
use crate::domain::coverage::CellState;
use crate::domain::decision::{DecisionKind, Decisions};
use crate::domain::handoff::{Standing, items};
use crate::domain::ids::{PlanDigest, StepId};
use crate::domain::plan::{Plan, PlanStep, Undo};

/// What taking a step back came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// Of which plan.
    pub digest: PlanDigest,
    /// In words.
    pub text: String,
    /// Whether it is proven.
    pub proven: bool,
}

/// Asks what another team did of the plan that is shown: of the first step that waits.
pub fn ask_done(model: &mut Model, now: Timestamp) {
    let Overlay::Plan(view) = &model.overlay else {
        return;
    };
    let Some((digest, plan)) = view.plan.clone() else {
        return;
    };
    let all = items(&digest, &plan, &model.decisions);
    let waits = all.iter().find(|item| item.state == Standing::HandedOver);
    let Some(item) = waits else {
        let text = match all.is_empty() {
            true => "no step of this plan is for another team",
            false => "no step of this plan waits for another team",
        };
        return model.say(now, Level::Info, text);
    };
    model.overlay = Overlay::Reason(ReasonPrompt {
        kind: DecisionKind::HandOverDone,
        alerts: vec![plan.alert.clone()],
        cell: None,
        found: None,
        step: Some((digest, StepId::new(item.step.clone()))),
        input: Input::default(),
    });
}

/// Returns the steps of a plan that can be taken back now, the last first: what was built on others goes before them.
pub fn reversible<'p>(
    decisions: &Decisions,
    digest: &PlanDigest,
    plan: &'p Plan,
) -> Vec<&'p PlanStep> {
    let sent = |step: &&PlanStep| {
        let undone = decisions.undo_of(digest, &step.id);
        matches!(step.undo, Undo::Requests { .. })
            && decisions.act_of(digest, &step.id).is_some()
            && undone.is_none_or(|undo| undo.cell() != CellState::Proven)
    };
    plan.steps.iter().rev().filter(sent).collect()
}

/// Shows what taking a step back sends, of the last one that can be.
pub fn open(model: &mut Model, now: Timestamp) {
    turn(model, 0, now);
}

/// Goes to the step `delta` places further among those that can be taken back.
pub fn turn(model: &mut Model, delta: isize, now: Timestamp) {
    let Overlay::Plan(view) = &model.overlay else {
        return;
    };
    let Some((digest, plan)) = view.plan.clone() else {
        return;
    };
    let steps = reversible(&model.decisions, &digest, &plan);
    let here = match &view.stage {
        Stage::TakingBack(step) => steps.iter().position(|s| s.id == *step).unwrap_or(0),
        _ => 0,
    };
    let to = here
        .saturating_add_signed(delta)
        .min(steps.len().saturating_sub(1));
    let Some(step) = steps.get(to) else {
        let text = "no step of this plan can be taken back now; each says why, below";
        return model.say(now, Level::Info, text);
    };
    let stage = Stage::TakingBack(step.id.clone());
    let Overlay::Plan(view) = &mut model.overlay else {
        return;
    };
    if view.stage != stage {
        view.stage = stage;
        view.typed.reset();
        (view.run_chosen, view.scroll) = (false, 0);
        view.armed_at = now.checked_add(Span::new().milliseconds(ARMING_MS)).ok();
    }
    model.dirty = true;
}

/// Leaves it as it is. Returns whether that was asked.
pub fn leave(view: &mut PlanView) -> bool {
    let asked = matches!(view.stage, Stage::TakingBack(_));
    if asked {
        view.stage = Stage::Ended;
        (view.run_chosen, view.scroll) = (false, 0);
        view.typed.reset();
    }
    asked
}

/// Takes the step back.
pub fn send(
    model: &mut Model,
    digest: PlanDigest,
    step: StepId,
    reason: Option<String>,
) -> Vec<Effect> {
    let Overlay::Plan(view) = &mut model.overlay else {
        return Vec::new();
    };
    view.stage = Stage::Running;
    (view.run_chosen, view.scroll) = (false, 0);
    view.typed.reset();
    let alert = view.alert.clone();
    model.toast_until = None;
    let run = Run {
        alert: Some(alert.clone()),
        running: true,
        ..Run::default()
    };
    model.runs.insert(digest.clone(), run);
    vec![Effect::TakeBack {
        digest,
        step,
        alert,
        reason,
    }]
}

/// Takes in what came of it.
pub fn taken_back(model: &mut Model, taken: TakenBack, now: Timestamp) -> Vec<Effect> {
    let run = model.runs.entry(taken.digest.clone()).or_default();
    run.running = false;
    run.ended = Some(taken.text.clone());
    run.phases.clear();
    if let Overlay::Plan(view) = &mut model.overlay
        && view.plan.as_ref().is_some_and(|(d, _)| *d == taken.digest)
    {
        view.stage = Stage::Ended;
    }
    let level = if taken.proven {
        Level::Info
    } else {
        Level::Error
    };
    model.say(now, level, taken.text);
    super::context::read(model, true)
}
