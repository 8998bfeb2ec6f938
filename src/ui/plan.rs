//! The plan overlay: what would happen in exact requests, what breaks, what stays, *do nothing* beside it; then how it
//! goes, step by step.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::options::tier_role;
use super::theme::Role;
use super::wrap::wrap_all;
use super::{Ui, cut_bottom, frame, scrolled};
use crate::app::model::{Model, Phase, PlanView, Stage};
use crate::app::row_state::RowState;
use crate::domain::alert::age;
use crate::domain::coverage::CellState;
use crate::domain::handoff;
use crate::domain::ids::PlanDigest;
use crate::domain::plan::{Body, ImpactNode, Plan, PlanStep, RenderedRequest, Undo};
use crate::domain::text::{show, show_identifier};
use crate::domain::vocabulary::{Layer, Tier, Verb};

mod back;

/// Draws the overlay.
pub fn render(model: &Model, view: &PlanView, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let title = match &view.stage {
        Stage::Building => "Plan: building".to_owned(),
        Stage::Preview => "Plan: NOT SENT YET, read and confirm".to_owned(),
        Stage::Judging => {
            "Plan of somebody else: NOT SENT YET, read, then agree or leave".to_owned()
        }
        Stage::WaitingApproval => "Plan: waiting for approval".to_owned(),
        Stage::Running => "Plan: running".to_owned(),
        Stage::Ended => "Plan: ended".to_owned(),
        Stage::Failed(_) => "Plan: not run".to_owned(),
        Stage::TakingBack(step) => format!("Take step {step} back: NOT SENT YET, read and confirm"),
    };
    let (body, foot) = cut_bottom(area, 3);
    let inside = frame(&title, true, ui, body, buf);
    let lines = match &view.plan {
        Some((digest, plan)) => plan_lines(model, digest, plan, &view.stage, ui, inside.width),
        None => Vec::new(),
    };
    let lines = match &view.stage {
        Stage::TakingBack(step) => back::lines(model, view, step, ui),
        Stage::Building => vec![Line::raw(format!(
            "asking the provider what {} is bound to",
            view.identity
        ))],
        Stage::Failed(reason) => {
            let head = Line::styled(format!("not run: {reason}"), ui.theme.style(Role::Error));
            std::iter::once(head).chain(lines).collect()
        }
        _ => lines,
    };
    scrolled(lines, view.scroll, ui, inside, buf);
    Paragraph::new(foot_lines(model, view, ui, foot.width)).render(foot, buf);
}

/// Returns the document: heading, two sides, steps.
fn plan_lines(
    model: &Model,
    digest: &PlanDigest,
    plan: &Plan,
    stage: &Stage,
    ui: Ui<'_>,
    width: u16,
) -> Vec<Line<'static>> {
    let was_run = matches!(stage, Stage::Running | Stage::Ended) || model.decisions.was_run(digest);
    let mut lines = heading(digest, plan, was_run, ui);
    lines.extend(super::trust_line(model, &plan.identity, ui));
    for warning in model.plan_warnings(digest, plan) {
        let text = format!("{} {}", ui.glyphs.high, show(&warning));
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    if let Some(glass) = model.decisions.glass(digest) {
        let text = format!(
            "BREAK-GLASS: {} acted alone: {}",
            show(&glass.actor),
            show(&glass.reason)
        );
        lines.push(Line::styled(text, ui.theme.style(Role::Error)));
    }
    let running = matches!(
        stage,
        Stage::Running | Stage::Ended | Stage::WaitingApproval
    );
    if running {
        for step in &plan.steps {
            lines.push(progress_line(model, digest, plan, step, ui));
        }
        lines.extend(super::coverage::summary(model, &plan.alert, ui));
        lines.push(Line::default());
    }
    if !running {
        lines.extend(plan.steps.iter().map(|step| summary_line(step, ui)));
        lines.push(Line::default());
    }
    lines.extend(two_sides(model, plan, running, ui, width));
    for step in &plan.steps {
        lines.push(Line::default());
        lines.extend(step_lines(step, ui));
    }
    for said in &plan.impact.order {
        let text = format!("order: {}", show(said));
        lines.push(Line::styled(text, ui.theme.style(Role::Muted)));
    }
    for skipped in &plan.skipped {
        let text = format!("left out: {} ({})", skipped.verb, show(&skipped.reason));
        lines.push(Line::styled(text, ui.theme.style(Role::Muted)));
    }
    lines
}

fn heading(digest: &PlanDigest, plan: &Plan, was_run: bool, ui: Ui<'_>) -> Vec<Line<'static>> {
    let name = show_identifier(plan.identity_name.raw()).into_owned();
    let environment = plan
        .environment
        .as_ref()
        .map_or_else(|| "unknown".to_owned(), |e| e.show().into_owned());
    // How long it may still be run is over once it was.
    let left = match (was_run, plan.expires > ui.now) {
        (true, _) => "begun already".to_owned(),
        (false, true) => format!("valid {}", age(ui.now, plan.expires)),
        (false, false) => "EXPIRED".to_owned(),
    };
    vec![
        Line::from(vec![
            Span::raw("contain "),
            Span::styled(name, ui.theme.style(Role::Title)),
            Span::raw(format!(
                "  environment {environment}  playbook {}",
                show(&plan.playbook)
            )),
        ]),
        Line::from(vec![
            Span::styled(
                format!("{} tier", plan.tier),
                ui.theme.style(tier_role(plan.tier)),
            ),
            Span::styled(
                format!("  digest {}  {left}", digest.short()),
                ui.theme.style(Role::Muted),
            ),
        ]),
    ]
}

/// Returns what acting breaks and leaves beside what doing nothing leaves.
fn two_sides(
    model: &Model,
    plan: &Plan,
    running: bool,
    ui: Ui<'_>,
    width: u16,
) -> Vec<Line<'static>> {
    let left = acting_side(plan, running, ui);
    let right = nothing_side(model, plan, ui);
    let styled = |(text, role): (String, Role)| Line::styled(text, ui.theme.style(role));
    if width < 100 {
        return [left, right]
            .into_iter()
            .flat_map(|s| headed(s, ui))
            .collect();
    }
    let column = usize::from(width) / 2 - 2;
    let left = wrap_all(left.into_iter().map(styled).collect(), column);
    let right = wrap_all(right.into_iter().map(styled).collect(), column);
    let rows = left.len().max(right.len());
    let beside = |i: usize| {
        let mut line = left.get(i).cloned().unwrap_or_default();
        let pad = (column + 2).saturating_sub(line.width());
        let style = std::mem::take(&mut line.style);
        let mut spans: Vec<Span<'static>> = line
            .spans
            .into_iter()
            .map(|s| s.patch_style(style))
            .collect();
        spans.push(Span::raw(" ".repeat(pad)));
        if let Some(other) = right.get(i) {
            spans.extend(
                other
                    .spans
                    .iter()
                    .map(|s| s.clone().style(other.style.patch(s.style))),
            );
        }
        Line::from(spans)
    };
    (0..rows).map(beside).collect()
}

/// Puts a side's heading before its first line: a screen that ended between the two would show an empty answer.
fn headed(side: Vec<(String, Role)>, ui: Ui<'_>) -> Vec<Line<'static>> {
    let span = |(text, role): (String, Role)| Span::styled(text, ui.theme.style(role));
    let mut spans = side.into_iter().map(span);
    let mut first: Vec<Span<'static>> = spans.by_ref().take(2).collect();
    first.insert(1, Span::raw(":"));
    std::iter::once(Line::from(first))
        .chain(spans.map(Line::from))
        .collect()
}

/// What a line says of something that stays; shown text follows.
const STILL_HELD: &str = " the attacker then still holds";

fn acting_side(plan: &Plan, running: bool, ui: Ui<'_>) -> Vec<(String, Role)> {
    let title = if running { "THE PLAN" } else { "IF YOU RUN IT" };
    let mut rows = vec![(title.to_owned(), Role::Title)];
    let breaking: Vec<&PlanStep> = plan.steps.iter().filter(|s| !s.breaks.is_empty()).collect();
    if breaking.is_empty() {
        rows.push((" interrupts nothing by itself".to_owned(), Role::Good));
    }
    for step in breaking {
        rows.push((
            format!(" step {} interrupts: {}", step.id, show(&step.breaks)),
            Role::Warn,
        ));
    }
    let cuts_everybody = plan.steps.iter().any(|s| s.verb.cuts_everybody());
    let what = if cuts_everybody {
        "may break"
    } else {
        "depends on it"
    };
    rows.extend(nodes(what, &plan.impact.breaks, ui));
    // Each line says what it is about: under a heading, what a small screen cuts off would read as an empty answer.
    if plan.residual.is_empty() {
        let text = format!("{STILL_HELD} nothing that this connector knows of");
        rows.push((text, Role::Base));
    }
    for residual in &plan.residual {
        let (layer, text) = (residual.layer, show(&residual.text));
        let text = format!("{STILL_HELD} {layer}: {text}, {}", residual.lasts());
        rows.push((text, Role::Warn));
    }
    rows
}

fn nothing_side(model: &Model, plan: &Plan, ui: Ui<'_>) -> Vec<(String, Role)> {
    let closed = model
        .decisions
        .closed_layers(model.decisions.acts_on(&plan.identity));
    let keeps = if closed.is_empty() {
        " whoever holds it keeps every layer, until somebody ends it".to_owned()
    } else {
        let names: Vec<&str> = closed.into_iter().map(Layer::as_str).collect();
        format!(
            " closed already, by proof: {}; every other layer stays open",
            names.join(", ")
        )
    };
    let mut rows = vec![
        ("IF YOU DO NOTHING".to_owned(), Role::Title),
        (" interrupts nothing".to_owned(), Role::Base),
        (keeps, Role::Error),
    ];
    rows.extend(nodes("can reach", &plan.impact.reaches, ui));
    rows
}

/// One line a step with the request that matters, so that it is read first also on a small screen.
fn summary_line(step: &PlanStep, ui: Ui<'_>) -> Line<'static> {
    let request = step
        .requests
        .first()
        .map(|r| format!("  {} {}", show(&r.method), show(&r.url)));
    let more = match step.requests.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more below", n - 1),
    };
    Line::from(vec![
        Span::raw(format!(" {} ", step.id)),
        Span::styled(
            format!("{:<7} ", step.tier.as_str()),
            ui.theme.style(tier_role(step.tier)),
        ),
        Span::raw(show(&step.title).into_owned()),
        Span::styled(request.unwrap_or_default(), ui.theme.style(Role::Key)),
        Span::styled(more, ui.theme.style(Role::Muted)),
    ])
}

/// Shows the most critical few; the map has them all.
fn nodes(what: &str, nodes: &[ImpactNode], ui: Ui<'_>) -> Vec<(String, Role)> {
    const SHOWN: usize = 6;
    let mut sorted: Vec<&ImpactNode> = nodes.iter().collect();
    sorted.sort_by_key(|n| (std::cmp::Reverse(n.criticality), n.depth));
    let mut rows: Vec<(String, Role)> = sorted
        .iter()
        .take(SHOWN)
        .map(|n| {
            let critical = n.criticality.map_or(String::new(), |c| {
                format!(" ({})", c.as_str().replace('_', " "))
            });
            (format!(" {what}: {}{critical}", n.label.show()), Role::Base)
        })
        .collect();
    if nodes.len() > SHOWN {
        rows.push((
            format!(
                " {what}: {} {} more",
                ui.glyphs.ellipsis,
                nodes.len() - SHOWN
            ),
            Role::Muted,
        ));
    }
    rows
}

/// Returns a step with its exact requests.
pub(super) fn step_lines(step: &PlanStep, ui: Ui<'_>) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(vec![
        Span::styled(
            format!("{} {}", step.id, show(&step.title)),
            ui.theme.style(Role::Title),
        ),
        Span::raw(format!("  {}  ", show(&step.team))),
        Span::styled(step.tier.to_string(), ui.theme.style(tier_role(step.tier))),
        Span::styled(
            format!("  on {}", show_identifier(step.target.raw())),
            ui.theme.style(Role::Muted),
        ),
    ])];
    if !step.why.is_empty() {
        lines.push(Line::styled(
            format!("    why     {}", show(&step.why)),
            ui.theme.style(Role::Muted),
        ));
    }
    for request in &step.requests {
        lines.extend(request_lines(request, "send   "));
    }
    match &step.verify {
        Some(verify) => {
            let text = format!(
                "    proven  {} (asks up to {} s)",
                show(&verify.says),
                verify.deadline_ms / 1000
            );
            lines.push(Line::raw(text));
            for request in &verify.requests {
                lines.push(Line::styled(
                    format!(
                        "            {} {}",
                        show(&request.method),
                        show(&request.url)
                    ),
                    ui.theme.style(Role::Muted),
                ));
            }
        }
        None if step.verb == Verb::PreserveEvidence => {
            lines.push(Line::raw(
                "    reads   what the provider shows, and stores it beside the log",
            ));
        }
        None if step.is_handed_over() => {
            lines.push(Line::raw(
                "    by hand this console sends nothing for it; ctrl-y copies the message",
            ));
        }
        None => lines.push(Line::styled(
            "    proven  NOT PROVABLE: see what is still held",
            ui.theme.style(Role::Warn),
        )),
    }
    let undo = match &step.undo {
        Undo::Requests { requests, .. } => {
            let first = requests
                .first()
                .map_or(String::new(), |r| format!(": {} {}", r.method, r.url));
            format!("    undo    possible{}", show(&first))
        }
        Undo::Irreversible { reason } => format!("    undo    IRREVERSIBLE: {}", show(reason)),
        Undo::NothingToUndo => "    undo    nothing to undo".to_owned(),
    };
    lines.push(Line::raw(undo));
    lines
}

fn request_lines(request: &RenderedRequest, label: &str) -> Vec<Line<'static>> {
    let mut lines = vec![Line::raw(format!(
        "    {label} {} {}",
        show(&request.method),
        show(&request.url)
    ))];
    let body = match &request.body {
        Body::None => return lines,
        Body::Json { value } => show(&value.to_string()).into_owned(),
        Body::Form { fields } => {
            let field = |f: &crate::domain::plan::FormField| match (&f.value, &f.secret) {
                (Some(value), _) => format!("{}={}", show(&f.name), show(value)),
                (None, Some(reference)) => {
                    format!("{}=<secret {}>", show(&f.name), show(reference))
                }
                (None, None) => format!("{}=", show(&f.name)),
            };
            fields.iter().map(field).collect::<Vec<_>>().join("&")
        }
    };
    lines.push(Line::raw(format!("            {body}")));
    lines
}

/// Returns how one step stands: what this console sees at work, else what the journal tells.
fn progress_line(
    model: &Model,
    digest: &PlanDigest,
    plan: &Plan,
    step: &PlanStep,
    ui: Ui<'_>,
) -> Line<'static> {
    if let Some(undo) = model.decisions.undo_of(digest, &step.id) {
        let text = format!(" {} TAKEN BACK ({})", ui.glyphs.failed, undo.cell().words());
        return Line::from(vec![
            Span::styled(format!("{text:<17} "), ui.theme.style(Role::Error)),
            Span::raw(format!("{} {}", step.id, show(&step.title))),
        ]);
    }
    if let Some(line) = back::told(model, digest, step, ui) {
        return line;
    }
    let run = model.runs.get(digest);
    let phase = run.and_then(|r| r.phases.get(&step.id));
    let running = run.is_some_and(|r| r.running);
    let (state, note) = match phase {
        Some(Phase::Sending) => (None, "sending".to_owned()),
        Some(Phase::Verifying) => (None, "sent; reading back".to_owned()),
        Some(Phase::Ended(state, note)) => (Some(*state), note.clone()),
        None => match model.decisions.act_of(digest, &step.id) {
            Some(act) => {
                let note = act
                    .verify
                    .as_ref()
                    .map_or_else(String::new, |v| v.says.clone());
                (Some(act.cell()), note)
            }
            None if running => (Some(CellState::Open), "waits for its turn".to_owned()),
            None if step.is_handed_over() => {
                let state = handoff::cell(digest, step, plan, &model.decisions);
                (Some(state), step.team.clone())
            }
            None => (Some(CellState::Open), "not sent".to_owned()),
        },
    };
    let (mark, word, role) = match state {
        None => (ui.glyphs.requested, "under way".to_owned(), Role::Key),
        Some(state) => (ui.glyphs.cell(state), state.words(), cell_role(state)),
    };
    let unknown_hint = if state == Some(CellState::Unknown) {
        "  (v on the alert reads it back)"
    } else {
        ""
    };
    Line::from(vec![
        Span::styled(format!(" {mark} {word:<15}"), ui.theme.style(role)),
        Span::raw(format!("{} {}", step.id, show(&step.title))),
        Span::styled(
            format!("  {}{unknown_hint}", show(&note)),
            ui.theme.style(Role::Muted),
        ),
    ])
}

/// Returns the meaning of a state for the theme.
pub const fn cell_role(state: CellState) -> Role {
    match state {
        CellState::Proven => Role::Good,
        CellState::Failed | CellState::Unknown => Role::Error,
        CellState::Requested | CellState::NotContainable => Role::Warn,
        CellState::Open | CellState::HandedOff => Role::Muted,
    }
}

fn foot_lines(model: &Model, view: &PlanView, ui: Ui<'_>, width: u16) -> Vec<Line<'static>> {
    let rule = Line::default();
    match (&view.stage, &view.plan) {
        (Stage::Preview | Stage::Judging | Stage::TakingBack(_), Some((_, plan))) => {
            let first = match &view.stale {
                Some(stale) => Line::styled(
                    format!(" CHANGED: {stale}. ctrl-r builds it anew."),
                    ui.theme.style(Role::Error),
                ),
                None => confirm_line(view, plan, ui, width),
            };
            vec![rule, first, buttons(view, plan, ui)]
        }
        (Stage::WaitingApproval, _) => {
            let text = if model.drill.is_some() {
                " A simulated second analyst reads the plan and agrees in a moment (drill)."
            } else {
                " The plan is on its way, or others have to agree; ctrl-g acts alone, which somebody reviews."
            };
            vec![rule, Line::styled(text, ui.theme.style(Role::Warn))]
        }
        (Stage::Running, Some((digest, _))) => {
            let stopping = model.runs.get(digest).is_some_and(|r| r.stopping);
            let text = if stopping {
                " Stopping after the running step."
            } else {
                " Running. ctrl-x stops after the step."
            };
            vec![rule, Line::styled(text, ui.theme.style(Role::Key))]
        }
        (Stage::Ended, Some((digest, _))) => {
            let text = model.runs.get(digest).and_then(|r| r.ended.clone());
            let text = text.unwrap_or_else(|| "From the journal.".to_owned());
            let held: Vec<&str> = model
                .decisions
                .still_held(&view.alert)
                .into_iter()
                .map(Layer::as_str)
                .collect();
            let verdict = match (model.row_state(&view.alert), held.is_empty()) {
                (RowState::Proven, _) => Line::styled(
                    " Everything that this plan knows of is closed, by proof.",
                    ui.theme.style(Role::Good),
                ),
                (_, false) => Line::styled(
                    format!(" NOT OVER: whoever holds it still has {}.", held.join(", ")),
                    ui.theme.style(Role::Error),
                ),
                (_, true) => Line::styled(
                    " NOT OVER: read the steps above.",
                    ui.theme.style(Role::Error),
                ),
            };
            let head = Line::styled(format!(" {text}"), ui.theme.style(Role::Title));
            vec![rule, head, verdict]
        }
        _ => vec![rule],
    }
}

/// Between the name to type and what was typed so far.
const AND: &str = " and why, then Enter runs it: ";
const AND_AGREE: &str = " and why, then Enter agrees: ";
const AND_BACK: &str = " and why, then Enter takes it back: ";

fn confirm_line(view: &PlanView, plan: &Plan, ui: Ui<'_>, width: u16) -> Line<'static> {
    if plan.tier == Tier::Hard {
        let name = show_identifier(plan.identity_name.raw()).into_owned();
        let typed = show(view.typed.value());
        let and = match view.stage {
            Stage::Judging => AND_AGREE,
            Stage::TakingBack(_) => AND_BACK,
            _ => AND,
        };
        let room = usize::from(width)
            .saturating_sub(" Type ".len() + name.chars().count() + and.len() + 1);
        // The end of it is where somebody types.
        let typed: String = typed
            .chars()
            .skip(typed.chars().count().saturating_sub(room))
            .collect();
        Line::from(vec![
            Span::raw(" Type "),
            Span::styled(name, ui.theme.style(Role::Title)),
            Span::raw(and),
            Span::styled(typed, ui.theme.style(Role::Title)),
            Span::styled("_", ui.theme.style(Role::Key)),
        ])
    } else {
        Line::raw(" Tab chooses a button, Enter presses it.")
    }
}

fn buttons(view: &PlanView, plan: &Plan, ui: Ui<'_>) -> Line<'static> {
    if plan.tier == Tier::Hard {
        return Line::styled(
            " Esc leaves without sending anything.",
            ui.theme.style(Role::Muted),
        );
    }
    let style = |chosen: bool| {
        if chosen {
            ui.theme.style(Role::Selected)
        } else {
            ui.theme.style(Role::Base)
        }
    };
    let mark = |chosen: bool| if chosen { ui.glyphs.cursor } else { " " };
    let word = match view.stage {
        Stage::Judging => "Agree",
        Stage::TakingBack(_) => "Take back",
        _ => "Run",
    };
    Line::from(vec![
        Span::raw(" "),
        Span::styled(
            format!("{}[ Cancel ]", mark(!view.run_chosen)),
            style(!view.run_chosen),
        ),
        Span::raw("   "),
        Span::styled(
            format!("{}[ {word} ]", mark(view.run_chosen)),
            style(view.run_chosen),
        ),
    ])
}
