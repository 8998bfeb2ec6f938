//! The triage screen: moving about, claiming, dismissing, staging.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::board::Side;
use super::command::Command;
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::row_state::RowState;
use super::saying::{self, Saying};
use super::{
    board_screen, born, card_screen, contact, context, coverage, deciding, layout, log_screen,
    map_screen, passing, planning, policy, policy_screen, readiness_screen, reload, sift,
};
use crate::domain::alert::{Alert, Subject};
use crate::domain::decision::DecisionKind;
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::queue::Row;
use crate::domain::urgency::Standing;

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
        about_screen if layout::command(model, about_screen) => {}
        Command::NextPane => turn(model, 1),
        Command::PrevPane => turn(model, -1),
        Command::Stage(n) => return planning::stage(model, usize::from(n), now),
        Command::DoNothing => deciding::ask(model, DecisionKind::DoNothing, now),
        Command::Dismiss => deciding::ask(model, DecisionKind::Dismiss, now),
        Command::Note => deciding::ask(model, DecisionKind::Note, now),
        Command::Assign => deciding::ask(model, DecisionKind::Assign, now),
        Command::Claim => return deciding::claim(model, now),
        Command::Snooze => return deciding::snooze(model, now),
        Command::Close => return deciding::close(model, now),
        Command::Mark => {
            deciding::mark(model);
            return go(model, 1);
        }
        Command::Fold => {
            let by = model.queue.grouping().next();
            model.queue.set_grouping(by);
            model.say(now, Level::Info, by.as_str());
        }
        Command::NarrowToIdentity => return sift::only_identity(model, now),
        Command::TurnClass => return sift::turn_class(model, now),
        Command::Views => model.overlay = Overlay::Views,
        Command::Refresh => return context::read(model, true),
        Command::Reconcile => return reconcile(model, now),
        Command::Progress if model.focus == Some(Pane::Map) => map_screen::open(model, now),
        Command::Progress if matches!(model.focus, Some(Pane::Identity | Pane::Sessions)) => {
            if model.focus == Some(Pane::Sessions) {
                model.card.tab = super::card::Tab::Sessions;
            }
            card_screen::open(model, now);
        }
        Command::Progress => planning::reopen(model, now),
        Command::Help => model.overlay = Overlay::Help { scroll: 0 },
        Command::Messages => model.overlay = Overlay::Messages { scroll: 0 },
        Command::Trace => policy::open(model),
        Command::Coverage => coverage::open(model),
        Command::Policy => policy_screen::open(model),
        Command::Score => model.overlay = Overlay::Score { scroll: 0 },
        Command::Redraw => model.repaint = true,
        Command::Suspend => return vec![Effect::Suspend],
        Command::Quit => model.leave(),
        Command::Timeline => return log_screen::open(model, now),
        Command::OpenMap => map_screen::open(model, now),
        Command::Readiness => return readiness_screen::open(model),
        Command::Inbox => board_screen::open(model, Side::Approvals, now),
        Command::Debts => board_screen::open(model, Side::Debts, now),
        Command::WayBack => board_screen::open(model, Side::WayBack, now),
        Command::Campaigns if !model.marks.is_empty() => {
            let alerts = model.marks.iter().cloned().collect();
            saying::ask(model, Saying::Campaign(alerts));
        }
        Command::Campaigns => board_screen::open(model, Side::Campaign, now),
        Command::Hold => deciding::ask(model, DecisionKind::Hold, now),
        Command::PlanHere => born::offer(model, None, now),
        Command::Reload => return reload::by_key(model, now),
        Command::OpenCard => card_screen::open(model, now),
        Command::Copy => return contact::copy(model, now),
        Command::Return if !model.marks.is_empty() => model.marks.clear(),
        Command::Return if model.sift.is_typed() => return sift::clear(model, now),
        Command::Return => come_back(model),
        Command::Filter => {
            model.focus = Some(Pane::Queue);
            model.sift.typing = true;
        }
        // Keys of other screens; none of them is bound here.
        _ => {}
    }
    Vec::new()
}

/// Goes back to the screen from which somebody came to the queue.
fn come_back(model: &mut Model) {
    if !map_screen::come_back(model) && !readiness_screen::come_back(model) {
        log_screen::come_back(model);
    }
}

/// Finds the most urgent alert shown that is about an identity.
pub fn find_about(model: &Model, identity: &IdentityId) -> Option<AlertId> {
    model
        .queue
        .first_about(|subject| is_about(model, subject, identity))
}

/// Tells whether a subject means an identity.
pub fn is_about(model: &Model, subject: &Subject, identity: &IdentityId) -> bool {
    model.inventory.id_of(subject).as_ref() == Some(identity)
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
pub fn take_alerts(model: &mut Model, rows: &[Row], now: Timestamp) -> Vec<Effect> {
    let before = model.selected.clone();
    let touched = take_in(model, rows, !model.touched, now);
    let mut effects = Vec::new();
    if !model.touched || model.selected.is_none() {
        let first = model.queue.at(0);
        effects = select(model, first);
    }
    if touched && model.selected == before {
        model.refresh_detail();
    }
    effects
}

/// Takes in some of many alerts that came together: lines that all of them go to are moved once, with the last of them.
pub fn take_some(model: &mut Model, rows: &[Row], now: Timestamp) -> Vec<Effect> {
    if model.selected.is_none() {
        return take_alerts(model, rows, now);
    }
    if take_in(model, rows, false, now) {
        model.refresh_detail();
    }
    Vec::new()
}

/// Takes in alerts that arrived, and tells whether what is at hand is touched by any.
fn take_in(model: &mut Model, rows: &[Row], follow: bool, now: Timestamp) -> bool {
    let touched = rows
        .iter()
        .any(|row| Some(&row.alert.id) == model.selected.as_ref());
    planning::note_alerts(model, rows);
    let touched = note_deeds(model, rows) || touched;
    model.alerts.arrived(rows.iter().map(|row| &row.alert));
    let worse = put(model, rows, follow);
    deciding::wake_these(model, &worse, now, "it came again, and is more urgent");
    model.dirty = true;
    touched
}

/// Puts alerts into the queue, with what the inventory says of their identities. Returns those that were put off and are
/// more urgent now.
pub fn put(model: &mut Model, rows: &[Row], follow: bool) -> Vec<AlertId> {
    let points = |model: &Model, row: &Row| {
        let slot = model.queue.slot(&row.alert.id)?;
        Some(model.queue.points(slot))
    };
    let before: Vec<(usize, u8)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| model.asleep.contains_key(&row.alert.id))
        .filter_map(|(at, row)| Some((at, points(model, row)?)))
        .collect();
    let inventory = &model.inventory;
    let known = |subject: &Subject| Standing::of(inventory.card_of(subject));
    let over = |row: &&Row| row.alert.resolved.is_some() || model.queue.is_resolved(&row.alert.id);
    let over: Vec<AlertId> = rows
        .iter()
        .filter(over)
        .map(|row| row.alert.id.clone())
        .collect();
    model.queue.take(rows, follow, &known);
    deciding::stand_anew(model, &over);
    before
        .into_iter()
        .filter(|(at, before)| points(model, &rows[*at]) > Some(*before))
        .map(|(at, _)| rows[at].alert.id.clone())
        .collect()
}

/// Notes what alerts say that identities made or touched; returns whether the one at hand is among them.
pub fn note_deeds(model: &mut Model, rows: &[Row]) -> bool {
    let inventory = &model.inventory;
    let at_hand = model.detail.identity.as_ref().map(|card| card.id.clone());
    let mut touched = false;
    for row in rows {
        model.deeds.note(&row.alert, |alert| {
            let who = inventory.id_of(alert.subject.as_ref()?)?;
            touched |= at_hand.as_ref() == Some(&who);
            Some(who)
        });
    }
    touched
}

/// Takes in alerts that were stored before. They are no news, so they go to their places at once; the cursor stays on its
/// alert.
pub fn take_stored(model: &mut Model, rows: &[Row], now: Timestamp) -> Vec<Effect> {
    note_deeds(model, rows);
    model.alerts.arrived(rows.iter().map(|row| &row.alert));
    put(model, rows, true);
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
    passing::go_to(model, to)
}

/// Puts the cursor on an alert.
pub fn select(model: &mut Model, id: Option<AlertId>) -> Vec<Effect> {
    if model.selected == id {
        return Vec::new();
    }
    put_cursor(model, id);
    passing::rest(model)
}

/// Puts the cursor on an alert without a look at it.
pub(super) fn put_cursor(model: &mut Model, id: Option<AlertId>) {
    let line = |id: Option<&AlertId>| model.queue.position(id?);
    if let (Some(from), Some(to)) = (line(model.selected.as_ref()), line(id.as_ref())) {
        model.window.follow(from, to, model.queue.len());
    }
    model.selected = id;
    model.scroll = 0;
    if let Some(left) = model.leaving.take() {
        remove(model, &[left]);
    }
}

/// Alerts were deleted: none that was read before may be there still.
pub fn read_again(model: &mut Model) -> Vec<Effect> {
    model.alerts.forget_but(model.selected.as_ref());
    let selected = model.selected.iter();
    selected.map(|id| Effect::ReadAlert(id.clone())).collect()
}

/// Takes alerts out of the queue that were deleted. The one with the cursor stays until the cursor leaves it.
pub fn remove(model: &mut Model, ids: &[AlertId]) {
    let (kept, gone): (Vec<&AlertId>, Vec<&AlertId>) = ids
        .iter()
        .partition(|id| Some(*id) == model.selected.as_ref());
    for id in &gone {
        model.marks.remove(*id);
    }
    model.leaving = kept
        .first()
        .map(|id| (*id).clone())
        .or(model.leaving.take());
    if model.queue.remove(gone) > 0 {
        model.dirty = true;
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
    if !is_selected || model.is_passing() {
        return Vec::new();
    }
    model.refresh_detail();
    context::read(model, false)
}

fn reconcile(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(id) = model.selected.clone() else {
        return Vec::new();
    };
    let mut unknown: BTreeSet<AlertId> = model.unknowns_of_line(&id).cloned().collect();
    if model.row_state(&id) == RowState::Unknown {
        unknown.insert(id);
    }
    let text = match unknown.is_empty() {
        true => "nothing of this alert is unknown",
        false => "reading back; nothing is sent again",
    };
    model.say(now, Level::Info, text);
    unknown.into_iter().map(Effect::Reconcile).collect()
}
