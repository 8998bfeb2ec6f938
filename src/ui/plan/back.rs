//! What comes after a plan: the step that is to be taken back, and what another team says it did.

use ratatui::text::{Line, Span};

use super::{Role, Ui, request_lines};
use crate::app::afterwards::reversible;
use crate::app::model::{Model, PlanView};
use crate::domain::alert::age;
use crate::domain::handoff::answer;
use crate::domain::ids::{PlanDigest, StepId};
use crate::domain::plan::{Plan, PlanStep, Undo};
use crate::domain::regain::{self, Told};
use crate::domain::text::{show, show_identifier};

/// Returns what taking a step back sends, and what it gives back to whoever holds the identity.
pub(super) fn lines(
    model: &Model,
    view: &PlanView,
    step: &StepId,
    ui: Ui<'_>,
) -> Vec<Line<'static>> {
    let Some((digest, plan)) = &view.plan else {
        return Vec::new();
    };
    let steps = reversible(&model.decisions, digest, plan);
    let Some(at) = steps.iter().position(|s| s.id == *step) else {
        let text = "this step cannot be taken back any more";
        return vec![Line::styled(text, ui.theme.style(Role::Error))];
    };
    let mut lines = vec![
        head(plan, steps[at], ui),
        Line::styled(
            format!(
                "digest {}  {} of {} that can be taken back; up and down choose",
                digest.short(),
                at + 1,
                steps.len()
            ),
            ui.theme.style(Role::Muted),
        ),
        Line::default(),
    ];
    let state = model.decisions.act_of(digest, step);
    let state = state.map_or_else(String::new, |act| {
        format!(" (now {}, {})", act.cell().words(), age(act.last, ui.now))
    });
    let gives = format!(
        "gives back: {}{state}. Whoever holds the identity has that again.",
        steps[at].layer
    );
    lines.push(Line::styled(gives, ui.theme.style(Role::Warn)));
    if let Some(why) = refused(model, plan, steps[at]) {
        let text = format!("will be refused: {}", show(&why));
        lines.push(Line::styled(text, ui.theme.style(Role::Error)));
    }
    let Undo::Requests { requests, verify } = &steps[at].undo else {
        return lines;
    };
    for request in requests {
        lines.extend(request_lines(request, "send   "));
    }
    match verify {
        Some(verify) => lines.push(Line::raw(format!(
            "    proven  {} (asks up to {} s)",
            show(&verify.says),
            verify.deadline_ms / 1000
        ))),
        None => lines.push(Line::styled(
            "    proven  NOT PROVABLE: nothing reads it back",
            ui.theme.style(Role::Warn),
        )),
    }
    lines
}

/// Returns why taking it back will be refused, as far as the alerts tell that are at hand; the others are read before
/// anything is sent.
fn refused(model: &Model, plan: &Plan, step: &PlanStep) -> Option<String> {
    let asked = regain::asked(&model.decisions, &plan.identity);
    let told = asked.iter().filter_map(|id| model.alerts.read(id));
    let told: Vec<Told<'_>> = told.map(|alert| Told::Alert(alert)).collect();
    regain::refusal(&model.decisions, &plan.identity, step.verb, &told)
}

fn head(plan: &Plan, step: &PlanStep, ui: Ui<'_>) -> Line<'static> {
    let name = show_identifier(plan.identity_name.raw()).into_owned();
    Line::from(vec![
        Span::raw("take back "),
        Span::styled(
            format!("step {}: {}", step.id, show(&step.title)),
            ui.theme.style(Role::Title),
        ),
        Span::raw("  on "),
        Span::styled(name, ui.theme.style(Role::Title)),
    ])
}

/// Returns the line of a step that another team says it did.
pub(super) fn told(
    model: &Model,
    digest: &PlanDigest,
    step: &PlanStep,
    ui: Ui<'_>,
) -> Option<Line<'static>> {
    let (_, state) = model
        .decisions
        .plan(digest.as_str())
        .filter(|_| step.is_handed_over())?;
    let done = answer(digest, &state.plan, step, &model.decisions)?;
    let word = "said done";
    Some(Line::from(vec![
        Span::styled(
            format!(" {} {word:<15}", ui.glyphs.requested),
            ui.theme.style(Role::Base),
        ),
        Span::raw(format!("{} {}", step.id, show(&step.title))),
        Span::styled(
            format!("  {} ago, {}", age(done.at, ui.now), done.line()),
            ui.theme.style(Role::Muted),
        ),
    ]))
}
