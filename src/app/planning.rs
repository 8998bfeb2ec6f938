//! stage → preview → confirm → progress: the way from an option to an act.
//!
//! The overlay carries ids and a digest. Once it is open, nothing that happens in the queue behind it can change whom
//! it is about; what changes the subject makes the preview stale and disables the confirmation.

use std::sync::Arc;

use jiff::{Span, Timestamp};
use tui_input::Input;

use super::afterwards;
use super::born;
use super::command::Command;
use super::field;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, Phase, PlanView, Run, Stage};
use super::msg::Effect;
use super::row_state::RowState;
use super::saying::{self, Saying};
use crate::domain::authority::Standing;
use crate::domain::decision::{Decision, DecisionKind, PlanState};
use crate::domain::handoff::items as items_of;
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, PlanDigest, StepId};
use crate::domain::options::Choice;
use crate::domain::plan::Plan;
use crate::domain::queue::Row;
use crate::domain::text::{seen, show, show_identifier};
use crate::domain::vocabulary::Tier;

/// How long after the preview appears a key cannot confirm, in milliseconds: a key meant for the queue, or the repeat
/// of the one that opened the preview, arrives within it (`LOG` §4.2).
pub const ARMING_MS: i64 = 300;

/// Opens the preview of the option with the digit `n`.
pub fn stage(model: &mut Model, n: usize, now: Timestamp) -> Vec<Effect> {
    let Some(alert) = model.selected.clone() else {
        return Vec::new();
    };
    let offered = |c: &&Choice| c.playbook.is_some() && c.key.map(usize::from) == Some(n);
    let Some(choice) = model.detail.choices.iter().find(offered).cloned() else {
        model.say(
            now,
            Level::Warn,
            format!("option {n} is not for this alert"),
        );
        return Vec::new();
    };
    if let Some(reason) = choice.disabled {
        model.say(now, Level::Warn, format!("option {n}: {reason}"));
        return Vec::new();
    }
    match model.detail.identity.clone() {
        Some(identity) => stage_on(model, alert, identity, choice),
        None => Vec::new(),
    }
}

/// Opens the preview of an option for an identity, on an alert that need not be about it: what an intruder made is
/// contained on the alert that led there.
pub fn stage_on(
    model: &mut Model,
    alert: AlertId,
    identity: Identity,
    choice: Choice,
) -> Vec<Effect> {
    let Some(playbook) = choice.playbook else {
        return Vec::new();
    };
    model.next_ticket += 1;
    let ticket = model.next_ticket;
    model.overlay = Overlay::Plan(Box::new(PlanView {
        alert: alert.clone(),
        identity: identity.id.clone(),
        playbook: playbook.clone(),
        stage: Stage::Building,
        plan: None,
        typed: Input::default(),
        run_chosen: false,
        armed_at: None,
        stale: None,
        scroll: 0,
        ticket,
    }));
    let mut effects = Vec::new();
    // Looking closely enough to stage a plan is taking the alert.
    let state = model.row_state(&alert);
    if matches!(state, RowState::New | RowState::Resolved) {
        let claim = Decision::on(alert.clone(), DecisionKind::Claim, None);
        effects.push(Effect::Record(vec![claim]));
    }
    effects.push(Effect::BuildPlan {
        ticket,
        incident: model.incident_of(&alert).cloned(),
        alert,
        identity: Box::new(identity),
        graph: model.detail.graph.clone(),
        playbook,
    });
    effects
}

/// Shows the plan last run for the selected alert.
pub fn reopen(model: &mut Model, now: Timestamp) {
    if let Some(alert) = &model.selected {
        let alert = model.acted_of_line(alert);
        reopen_for(model, &alert, now);
    }
}

/// Shows the plan of an alert that waits for others or runs, else the one last run.
pub fn reopen_for(model: &mut Model, alert: &AlertId, now: Timestamp) {
    model.overlay = model.resting();
    let under_way = model.run_about(alert).cloned();
    let mut inbox = model.inbox(now).into_iter();
    let waiting = inbox.rfind(|(_, state)| state.plan.alert == *alert);
    let waiting = waiting.map(|(digest, _)| digest.clone());
    let last = model.decisions.last_plan(alert);
    let last = last.map(|(digest, _)| digest.clone());
    // What began a moment ago may not be read back from the log yet.
    let mut plans = [under_way, waiting, last].into_iter().flatten();
    if !plans.any(|digest| show_stored(model, &digest, now)) {
        let text = "no plan was run for this alert yet; stage an option with its number";
        model.say(now, Level::Info, text);
    }
}

/// Shows a plan of the log as it stands: to be agreed to, waiting, running or ended. Tells whether the log has it.
pub fn show_stored(model: &mut Model, digest: &PlanDigest, now: Timestamp) -> bool {
    let stored = model.decisions.plan(digest.as_str());
    let Some((digest, state)) = stored.map(|(d, s)| (d.clone(), s.clone())) else {
        return false;
    };
    let stage = stage_in_log(model, &digest, &state);
    model.overlay = Overlay::Plan(Box::new(PlanView {
        alert: state.plan.alert.clone(),
        identity: state.plan.identity.clone(),
        playbook: state.plan.playbook.clone(),
        stage,
        plan: Some((digest, Arc::new(state.plan))),
        typed: Input::default(),
        run_chosen: false,
        armed_at: now.checked_add(Span::new().milliseconds(ARMING_MS)).ok(),
        stale: None,
        scroll: 0,
        ticket: 0,
    }));
    true
}

/// Returns how far a plan of the log has come, as whoever sits here sees it.
fn stage_in_log(model: &Model, digest: &PlanDigest, state: &PlanState) -> Stage {
    let running = model.runs_plan(digest);
    match model.standing(state) {
        _ if model.decisions.was_run(digest) && running => Stage::Running,
        _ if model.decisions.was_run(digest) => Stage::Ended,
        _ if running => Stage::WaitingApproval,
        Standing::Agreed { .. } | Standing::Free => Stage::Preview,
        Standing::Refused { by, reason } => {
            Stage::Failed(format!("{} refused it: {}", show(&by), show(&reason)))
        }
        Standing::Waiting { missing, could, .. } => match model.can_judge(state) {
            Ok(()) => Stage::Judging,
            Err(why) => Stage::Failed(format!(
                "{missing} more must agree ({} could); {why}",
                show(&could.join(", "))
            )),
        },
    }
}

/// Brings an open plan to what the log says of it by now: others agree, refuse and run while it is being read. What is
/// asked changes by that, so that nothing chosen or typed for what was asked before counts, nor a key of the first
/// moments. Tells whether it changed.
pub fn follow_log(model: &mut Model, now: Timestamp) -> bool {
    let Overlay::Plan(view) = &model.overlay else {
        return false;
    };
    let Some((digest, _)) = &view.plan else {
        return false;
    };
    let waits = match view.stage {
        Stage::Judging | Stage::Preview => true,
        // What failed here says why; what only waits for others goes on.
        Stage::Failed(_) => !model.runs.contains_key(digest),
        _ => false,
    };
    let in_log = model.decisions.plan(digest.as_str()).filter(|_| waits);
    let Some(stage) = in_log.map(|(digest, state)| stage_in_log(model, digest, state)) else {
        return false;
    };
    if let Overlay::Plan(view) = &mut model.overlay
        && view.stage != stage
    {
        view.stage = stage;
        view.typed = Input::default();
        view.run_chosen = false;
        view.armed_at = now.checked_add(Span::new().milliseconds(ARMING_MS)).ok();
        model.dirty = true;
        return true;
    }
    false
}

/// Carries out a command of the plan overlay.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    if command == Command::Redraw {
        model.repaint = true;
        return Vec::new();
    }
    let Overlay::Plan(view) = &mut model.overlay else {
        return Vec::new();
    };
    match command {
        Command::Down if taking_back(view) => afterwards::turn(model, 1, now),
        Command::Up if taking_back(view) => afterwards::turn(model, -1, now),
        Command::TakeBack => afterwards::open(model, now),
        Command::HandOffDone => afterwards::ask_done(model, now),
        Command::Back if afterwards::leave(view) => {}
        Command::Down => view.scroll += 1,
        Command::Up => view.scroll = view.scroll.saturating_sub(1),
        Command::PageDown => view.scroll += 10,
        Command::PageUp => view.scroll = view.scroll.saturating_sub(10),
        Command::SwitchButton => view.run_chosen = !view.run_chosen && asks(&view.stage),
        Command::BreakGlass => return alone(model, now),
        Command::Back => model.overlay = model.resting(),
        Command::Accept => return accept(model, now),
        Command::Rebuild => return rebuild(model),
        Command::Coverage => super::coverage::open(model),
        Command::Copy => return copy_items(model, now),
        Command::Stop => {
            if let Some((digest, _)) = view.plan.clone() {
                if let Some(run) = model.runs.get_mut(&digest) {
                    run.stopping = true;
                }
                return vec![Effect::Stop(digest)];
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Copies what other teams are asked to do.
fn copy_items(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Overlay::Plan(view) = &model.overlay else {
        return Vec::new();
    };
    let items = view.plan.as_ref();
    let items = items.map_or_else(Vec::new, |(digest, plan)| {
        items_of(digest, plan, &model.decisions)
    });
    if items.is_empty() {
        model.say(now, Level::Info, "no step of this plan is for another team");
        return Vec::new();
    }
    let messages: Vec<String> = items.into_iter().map(|item| item.message).collect();
    vec![Effect::Copy(messages.join(" ").replace('\n', " "))]
}

fn accept(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    // The log may have gone on while something else lay over the plan.
    if follow_log(model, now) {
        let text = "others spoke or acted meanwhile; read what is asked now";
        model.say(now, Level::Warn, text);
        return Vec::new();
    }
    let Overlay::Plan(view) = &mut model.overlay else {
        return Vec::new();
    };
    if !asks(&view.stage) {
        model.overlay = model.resting();
        return Vec::new();
    }
    let Some((digest, plan)) = view.plan.clone() else {
        return Vec::new();
    };
    if !confirmed(view, &plan, now) {
        let hard = plan.tier == Tier::Hard;
        if !hard && !view.run_chosen {
            if afterwards::leave(view) {
                return Vec::new();
            }
            model.overlay = model.resting();
            return Vec::new();
        }
        let text = refusal(view, &plan, now);
        model.say(now, Level::Warn, text);
        return Vec::new();
    }
    let reason = reason_of(view, &plan).map(str::to_owned);
    if let Stage::TakingBack(step) = view.stage.clone() {
        return afterwards::send(model, digest, step, reason);
    }
    if view.stage == Stage::Judging {
        model.overlay = model.resting();
        return vec![Effect::Verdict {
            digest,
            approved: true,
            reason,
        }];
    }
    view.stage = Stage::WaitingApproval;
    view.scroll = 0;
    // What was said before the key is about something else.
    model.toast_until = None;
    let run = Run {
        alert: Some(view.alert.clone()),
        running: true,
        ..Run::default()
    };
    model.runs.insert(digest.clone(), run);
    vec![Effect::Run(digest, reason)]
}

/// Tells whether the overlay asks for a decision.
fn asks(stage: &Stage) -> bool {
    matches!(
        stage,
        Stage::Preview | Stage::Judging | Stage::TakingBack(_)
    )
}

/// Tells whether it asks about a step that is to be taken back.
const fn taking_back(view: &PlanView) -> bool {
    matches!(view.stage, Stage::TakingBack(_))
}

/// Runs the plan that waits for others without them. Why was said when a hard plan was confirmed; else it is asked for.
fn alone(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Overlay::Plan(view) = &model.overlay else {
        return Vec::new();
    };
    let waits = view.stage == Stage::WaitingApproval;
    let Some((digest, plan)) = view
        .plan
        .clone()
        .filter(|_| waits && model.authority.is_some())
    else {
        model.say(now, Level::Info, "nothing waits for others here");
        return Vec::new();
    };
    if let Some(reason) = reason_of(view, &plan).map(str::to_owned) {
        return vec![
            Effect::Stop(digest.clone()),
            Effect::BreakGlass(digest, reason),
        ];
    }
    let resting = model.resting();
    if let Overlay::Plan(view) = std::mem::replace(&mut model.overlay, resting) {
        saying::ask(model, Saying::Alone(digest, view));
    }
    Vec::new()
}

fn armed(view: &PlanView, now: Timestamp) -> bool {
    view.armed_at.is_some_and(|at| now >= at)
}

/// What stands after the name that confirms a hard plan; `None` while the name is not there as a whole.
fn after_name<'v>(view: &'v PlanView, plan: &Plan) -> Option<&'v str> {
    let name = show_identifier(plan.identity_name.raw());
    let rest = view.typed.value().trim_start().strip_prefix(&*name)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

/// Why a hard plan is run: what was typed after the name. One field takes both, so that there is one key to run it.
fn reason_of<'v>(view: &'v PlanView, plan: &Plan) -> Option<&'v str> {
    after_name(view, plan).filter(|reason| plan.tier == Tier::Hard && !reason.is_empty())
}

fn confirmed(view: &PlanView, plan: &Plan, now: Timestamp) -> bool {
    let named = plan.tier != Tier::Hard || reason_of(view, plan).is_some();
    let chosen = plan.tier == Tier::Hard || view.run_chosen;
    // What was done can be taken back for as long as it stands.
    let valid = now < plan.expires || taking_back(view);
    named && chosen && armed(view, now) && view.stale.is_none() && valid
}

fn refusal(view: &PlanView, plan: &Plan, now: Timestamp) -> String {
    if let Some(stale) = &view.stale {
        format!("not run: {stale}; ctrl-r builds it anew")
    } else if now >= plan.expires && !taking_back(view) {
        "not run: the plan has expired; ctrl-r builds it anew".to_owned()
    } else if plan.tier == Tier::Hard && after_name(view, plan).is_some() {
        "not run: say why after the name; it stands in the log".to_owned()
    } else if plan.tier == Tier::Hard {
        format!(
            "not run: type {} and why",
            show_identifier(plan.identity_name.raw())
        )
    } else {
        "not run: the preview has only just appeared; read it first".to_owned()
    }
}

fn rebuild(model: &mut Model) -> Vec<Effect> {
    let Overlay::Plan(view) = &model.overlay else {
        return Vec::new();
    };
    if matches!(
        view.stage,
        Stage::Running | Stage::WaitingApproval | Stage::Building | Stage::TakingBack(_)
    ) {
        return Vec::new();
    }
    let (alert, playbook) = (view.alert.clone(), view.playbook.clone());
    let incident = model.incident_of(&alert).cloned();
    let named = model.detail_of(&alert).identity;
    let of_alert = named.filter(|card| card.id == view.identity);
    let identity = of_alert.or_else(|| {
        let elsewhere = model.map.open
            || model.card.open
            || born::targets(&model.detail).contains(&view.identity);
        let elsewhere = elsewhere.then(|| model.card_of(&view.identity));
        elsewhere.flatten()
    });
    model.next_ticket += 1;
    let ticket = model.next_ticket;
    let Overlay::Plan(view) = &mut model.overlay else {
        return Vec::new();
    };
    let Some(identity) = identity else {
        view.stage = Stage::Failed("the alert no longer names this identity".to_owned());
        return Vec::new();
    };
    view.ticket = ticket;
    view.stage = Stage::Building;
    view.plan = None;
    view.stale = None;
    view.armed_at = None;
    view.typed.reset();
    view.run_chosen = false;
    vec![Effect::BuildPlan {
        ticket,
        alert,
        incident,
        identity: Box::new(identity),
        graph: model.detail.graph.clone(),
        playbook,
    }]
}

/// Tells whether printable keys are text: the name that confirms a hard-tier plan.
pub fn takes_text(view: &PlanView) -> bool {
    asks(&view.stage)
        && view
            .plan
            .as_ref()
            .is_some_and(|(_, plan)| plan.tier == Tier::Hard)
}

/// Applies a key to the confirming name; returns whether the key was for it.
pub fn edit(view: &mut PlanView, key: Key, now: Timestamp) -> bool {
    let is_typed = !view.typed.value().is_empty();
    let editing = match key.code {
        // With nothing to clear they scroll, as everywhere.
        Code::Char('u' | 'w') if key.ctrl => is_typed,
        Code::Char(_) => !key.ctrl,
        code => code == Code::Backspace,
    };
    // Keys within the first moments were meant for what was there before.
    if editing && armed(view, now) {
        field::edit(&mut view.typed, key);
    }
    editing
}

/// Takes in a built plan, unless the overlay is about something else by now.
pub fn plan_built(
    model: &mut Model,
    ticket: u64,
    result: Result<(PlanDigest, Arc<Plan>), String>,
    now: Timestamp,
) {
    let Overlay::Plan(view) = &mut model.overlay else {
        return;
    };
    if view.ticket != ticket {
        return;
    }
    match result {
        Ok(built) => {
            view.plan = Some(built);
            view.stage = Stage::Preview;
            model.toast_until = None;
            view.armed_at = now.checked_add(Span::new().milliseconds(ARMING_MS)).ok();
        }
        Err(reason) => view.stage = Stage::Failed(seen(reason)),
    }
    model.dirty = true;
}

/// Marks an open preview stale when its own alert changed.
pub fn note_alerts(model: &mut Model, rows: &[Row]) {
    let Overlay::Plan(view) = &mut model.overlay else {
        return;
    };
    if view.stage != Stage::Preview || view.stale.is_some() {
        return;
    }
    let changed = rows
        .iter()
        .find(|row| row.alert.id == view.alert)
        .is_some_and(|row| {
            model
                .alerts
                .read(&view.alert)
                .is_none_or(|old| old.subject != row.alert.subject)
        });
    if changed {
        view.stale = Some("the alert changed whom it names since the preview opened".to_owned());
    }
}

/// A plan may run now.
pub fn started(model: &mut Model, digest: &PlanDigest) {
    if let Some(view) = shown(model, digest) {
        view.stage = Stage::Running;
        view.scroll = 0;
    }
    model.dirty = true;
}

/// A step moved on.
pub fn step(model: &mut Model, digest: &PlanDigest, step: StepId, phase: Phase) {
    let phase = match phase {
        Phase::Ended(state, text) => Phase::Ended(state, seen(text)),
        other => other,
    };
    model
        .runs
        .entry(digest.clone())
        .or_default()
        .phases
        .insert(step, phase);
    model.dirty = true;
}

/// A plan ended or was refused.
pub fn run_ended(
    model: &mut Model,
    digest: &PlanDigest,
    text: String,
    ran: bool,
    now: Timestamp,
) -> Vec<Effect> {
    let text = seen(text);
    let run = model.runs.entry(digest.clone()).or_default();
    run.running = false;
    run.ended = Some(text.clone());
    let on_screen = shown(model, digest).map(|view| {
        view.stage = if ran {
            Stage::Ended
        } else {
            Stage::Failed(text.clone())
        };
    });
    model.say(now, if ran { Level::Info } else { Level::Error }, text);
    if on_screen.is_some() && !ran {
        // The plan says it in full, and the line below is for the keys that lead out.
        model.toast_until = None;
    }
    // What the provider says has changed.
    super::context::read(model, true)
}

fn shown<'m>(model: &'m mut Model, digest: &PlanDigest) -> Option<&'m mut PlanView> {
    match &mut model.overlay {
        Overlay::Plan(view) if view.plan.as_ref().is_some_and(|(d, _)| d == digest) => Some(view),
        _ => None,
    }
}
