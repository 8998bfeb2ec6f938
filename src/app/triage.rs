//! The triage screen: moving about, claiming, dismissing, staging.

use std::sync::Arc;

use jiff::Timestamp;
use tui_input::Input;

use super::command::Command;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, Pane, ReasonPrompt, RowState};
use super::msg::Effect;
use super::{context, field, log_screen, planning, sift};
use crate::domain::alert::Alert;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::ids::AlertId;
use crate::domain::queue::Row;
use crate::domain::vocabulary::Layer;

/// Carries out a command of the triage screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    match command {
        Command::Down => return go(model, 1),
        Command::Up => return go(model, -1),
        Command::PageDown => return go(model, 10),
        Command::PageUp => return go(model, -10),
        Command::Top => {
            model.queue.take_in_waiting();
            let mut effects = resift(model, now);
            let first = model.queue.at(0);
            effects.extend(select(model, first));
            return effects;
        }
        Command::Bottom => {
            let last = model.queue.at(model.queue.len().saturating_sub(1));
            return select(model, last);
        }
        Command::NextPane => turn(model, 1),
        Command::PrevPane => turn(model, -1),
        Command::Stage(n) => return planning::stage(model, usize::from(n), now),
        Command::DoNothing => ask(model, DecisionKind::DoNothing),
        Command::Dismiss => ask(model, DecisionKind::Dismiss),
        Command::Note => ask(model, DecisionKind::Note),
        Command::Claim => return record(model, DecisionKind::Claim, None),
        Command::Close => return close(model, now),
        Command::Refresh => return context::read(model, true),
        Command::Reconcile => return reconcile(model, now),
        Command::Progress => planning::reopen(model, now),
        Command::Help => model.overlay = Overlay::Help { scroll: 0 },
        Command::Messages => model.overlay = Overlay::Messages { scroll: 0 },
        Command::Score => model.overlay = Overlay::Score { scroll: 0 },
        Command::Redraw => model.repaint = true,
        Command::Suspend => return vec![Effect::Suspend],
        Command::Quit => model.leave(),
        Command::Timeline => return log_screen::open(model, now),
        Command::Return if model.sift.is_active() => return sift::clear(model, now),
        Command::Return => log_screen::come_back(model),
        Command::Filter => {
            model.focus = Some(Pane::Queue);
            model.sift.typing = true;
        }
        Command::Back
        | Command::OpenRecord
        | Command::ToAlert
        | Command::ToIdentity
        | Command::OnlyAlert
        | Command::OnlyIdentity
        | Command::Out
        | Command::Verify
        | Command::SwitchButton
        | Command::Accept
        | Command::Stop
        | Command::Rebuild => {}
    }
    Vec::new()
}

/// Lets the filter look again after alerts joined the order.
fn resift(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    if model.sift.is_active() {
        sift::again(model, now)
    } else {
        Vec::new()
    }
}

/// Takes in alerts that arrived. Until the first key is pressed the worst one is selected; from then on nothing moves by
/// itself, and new ones wait behind `▲ n new`.
pub fn take_alerts(model: &mut Model, rows: &[Row]) -> Vec<Effect> {
    let touched = rows
        .iter()
        .any(|row| Some(&row.alert.id) == model.selected.as_ref());
    planning::note_alerts(model, rows);
    model.alerts.arrived(rows.iter().map(|row| &row.alert));
    model.queue.take(rows, !model.touched);
    model.dirty = true;
    if !model.touched || model.selected.is_none() {
        let first = model.queue.at(0);
        return select(model, first);
    }
    if touched {
        model.refresh_detail();
    }
    Vec::new()
}

/// Takes in alerts that were stored before. They are no news, so they go to their places at once; the cursor stays on its
/// alert.
pub fn take_stored(model: &mut Model, rows: &[Row], now: Timestamp) -> Vec<Effect> {
    model.alerts.arrived(rows.iter().map(|row| &row.alert));
    model.queue.take(rows, true);
    model.dirty = true;
    let mut effects = resift(model, now);
    if !model.touched || model.selected.is_none() {
        let first = model.queue.at(0);
        effects.extend(select(model, first));
    }
    effects
}

fn turn(model: &mut Model, delta: isize) {
    model.focus = Some(model.focus.unwrap_or(Pane::Queue).turn(delta));
    model.scroll = 0;
}

/// Moves the cursor, or scrolls the pane that has the focus.
pub fn go(model: &mut Model, delta: isize) -> Vec<Effect> {
    if model.focus.unwrap_or(Pane::Queue) != Pane::Queue {
        model.scroll = model.scroll.saturating_add_signed(delta);
        return Vec::new();
    }
    let to = model.queue.step(model.selected.as_ref(), delta);
    select(model, to)
}

/// Puts the cursor on an alert.
pub fn select(model: &mut Model, id: Option<AlertId>) -> Vec<Effect> {
    if model.selected == id {
        return Vec::new();
    }
    model.selected = id;
    model.scroll = 0;
    model.refresh_detail();
    match &model.selected {
        Some(id) if model.alerts.get(id).is_none() => vec![Effect::ReadAlert(id.clone())],
        _ => context::read(model, false),
    }
}

/// Takes in an alert that was read from the store.
pub fn take_alert(
    model: &mut Model,
    id: AlertId,
    result: Result<Arc<Alert>, String>,
) -> Vec<Effect> {
    let is_selected = model.selected.as_ref() == Some(&id);
    model.alerts.put(id, result);
    if !is_selected {
        return Vec::new();
    }
    model.refresh_detail();
    context::read(model, false)
}

fn ask(model: &mut Model, kind: DecisionKind) {
    if let Some(alert) = model.selected.clone() {
        model.overlay = Overlay::Reason(ReasonPrompt {
            kind,
            alert,
            input: Input::default(),
        });
    }
}

fn record(model: &Model, kind: DecisionKind, reason: Option<String>) -> Vec<Effect> {
    let alert = model.selected.clone();
    let decision = alert.map(|alert| Decision::on(alert, kind, reason));
    decision.map(Effect::Record).into_iter().collect()
}

fn close(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(id) = model.selected.clone() else {
        return Vec::new();
    };
    let refusal = match model.row_state(&id) {
        RowState::Proven => return record(model, DecisionKind::CloseContained, None),
        RowState::Unknown => "an act's outcome is unknown; read it back first (v)",
        RowState::Failed => "an act failed; stage another plan, or dismiss with a reason",
        RowState::Requested => "an act is requested, not proven",
        RowState::Undone => "an act was taken back; stage a plan again, or dismiss with a reason",
        RowState::Partly => {
            let layers: Vec<&str> = model
                .still_held(&id)
                .into_iter()
                .map(Layer::as_str)
                .collect();
            let text = format!(
                "not closed: whoever holds it still has {}; stage another plan",
                layers.join(", ")
            );
            model.say(now, Level::Warn, text);
            return Vec::new();
        }
        RowState::Acting => "a plan is running",
        RowState::Closed | RowState::Dismissed => "it is closed already",
        RowState::New | RowState::Claimed => {
            "nothing was contained; dismiss it (D) or do nothing (0), with a reason"
        }
    };
    model.say(now, Level::Warn, format!("not closed: {refusal}"));
    Vec::new()
}

fn reconcile(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(id) = model.selected.clone() else {
        return Vec::new();
    };
    if model.row_state(&id) == RowState::Unknown {
        model.say(now, Level::Info, "reading back; nothing is sent again");
        return vec![Effect::Reconcile(id)];
    }
    model.say(now, Level::Info, "nothing of this alert is unknown");
    Vec::new()
}

/// Handles a key while a reason is asked for.
pub fn reason_key(model: &mut Model, key: Key, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    let Overlay::Reason(prompt) = &mut model.overlay else {
        return Vec::new();
    };
    match key.code {
        Code::Esc => model.overlay = Overlay::None,
        Code::Enter => {
            let reason = prompt.input.value().trim().to_owned();
            if reason.is_empty() {
                model.say(
                    now,
                    Level::Warn,
                    "a reason is needed; Esc leaves without recording",
                );
                return Vec::new();
            }
            let decision = Decision::on(prompt.alert.clone(), prompt.kind, Some(reason));
            model.overlay = Overlay::None;
            return vec![Effect::Record(decision)];
        }
        _ => field::edit(&mut prompt.input, key),
    }
    Vec::new()
}
