//! The log's screen: moving, filtering, one record in full. Nothing here acts or records.

use jiff::Timestamp;
use tui_input::Input;

use super::command::Command;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::timeline::{Found, RecordView, Verdict, Verification};
use super::update::anywhere;
use super::{field, triage};
use crate::domain::alert::Subject;
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::text::show;
use crate::domain::wanted::write_term;

/// Opens the screen: on the selected alert where there is one, at the newest record. The first time, the log is verified.
pub fn open(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let about = model.selected.as_ref();
    let filter = about.map_or_else(String::new, |id| write_term("alert", id.as_str()));
    let timeline = &mut model.timeline;
    timeline.filter = Input::new(filter);
    timeline.typing = false;
    timeline.record = None;
    timeline.trail.clear();
    timeline.away = false;
    timeline.open = true;
    timeline.refilter(now);
    timeline.go_to(usize::MAX);
    model.overlay = Overlay::Log;
    model.dirty = true;
    let effects = match model.timeline.verification {
        Verification::NotYet => verify(model),
        _ => Vec::new(),
    };
    going_on(model, effects)
}

/// Goes back to the record from which somebody came to the queue.
pub fn come_back(model: &mut Model) {
    if model.timeline.away {
        model.timeline.away = false;
        model.timeline.open = true;
        model.overlay = Overlay::Log;
    }
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let Some(rows) = command.rows() {
        go(model, rows);
        return going_on(model, effects);
    }
    match command {
        Command::Filter => {
            model.timeline.record = None;
            model.timeline.typing = true;
        }
        Command::OpenRecord => effects = read(model),
        Command::ToAlert if model.log_only.is_some() => only_alert(model, now),
        Command::ToIdentity if model.log_only.is_some() => only_identity(model, now),
        Command::ToAlert => effects = to_alert(model, now),
        Command::ToIdentity => effects = to_identity(model, now),
        Command::OnlyAlert => only_alert(model, now),
        Command::OnlyIdentity => only_identity(model, now),
        Command::Verify if matches!(model.timeline.verification, Verification::Running { .. }) => {
            model.say(now, Level::Info, "the log is being verified");
        }
        Command::Verify => {
            effects = verify(model);
            model.timeline.asked_to_verify = true;
        }
        Command::Out => effects = out(model, now),
        Command::Back if model.timeline.record.is_some() => model.timeline.record = None,
        Command::Back => leave(model),
        other => effects = anywhere(model, other),
    }
    going_on(model, effects)
}

/// Asks for another turn while the filter has not looked at everything.
fn going_on(model: &Model, mut effects: Vec<Effect>) -> Vec<Effect> {
    if model.timeline.has_more() {
        effects.push(Effect::Continue);
    }
    effects
}

fn go(model: &mut Model, delta: isize) {
    match &mut model.timeline.record {
        // The end of a text is known where it is drawn; a position beyond it could not be scrolled back from.
        Some(_) if delta == isize::MAX => {}
        Some(record) => record.scroll = record.scroll.saturating_add_signed(delta),
        None => model.timeline.step(delta),
    }
}

fn verify(model: &mut Model) -> Vec<Effect> {
    model.timeline.verification = Verification::Running { done: 0, all: 0 };
    model.timeline.asked_to_verify = false;
    vec![Effect::VerifyLog]
}

fn read(model: &mut Model) -> Vec<Effect> {
    let timeline = &mut model.timeline;
    let Some(row) = timeline.current().filter(|_| timeline.record.is_none()) else {
        return Vec::new();
    };
    let (log, seq) = (row.log.to_owned(), row.seq);
    timeline.hold();
    timeline.record = Some(RecordView {
        log: log.clone(),
        seq,
        scroll: 0,
        found: None,
    });
    vec![Effect::ReadRecord { log, seq }]
}

/// Closes the nearest thing that is open.
fn out(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let timeline = &mut model.timeline;
    if timeline.record.take().is_some() {
        return Vec::new();
    }
    if timeline.is_verified_on_demand() {
        timeline.verification = Verification::NotYet;
        let text = "verifying was ended; nothing is known about the rest";
        model.say(now, Level::Info, text);
        return vec![Effect::StopVerifying];
    }
    if timeline.go_back(now) {
        return Vec::new();
    }
    if !timeline.filter.value().is_empty() {
        clear(model, now);
    } else if model.log_only.is_none() {
        // Esc is pressed once too often at three in the morning; it ends no program.
        leave(model);
    }
    Vec::new()
}

fn clear(model: &mut Model, now: Timestamp) {
    model.timeline.filter = Input::default();
    model.timeline.refilter(now);
}

fn leave(model: &mut Model) {
    if model.log_only.is_some() {
        model.quit = true;
        return;
    }
    model.timeline.open = false;
    model.overlay = Overlay::None;
}

/// Returns what the record under the cursor is about; says so where that is nothing.
fn about<T>(
    model: &mut Model,
    what: &str,
    now: Timestamp,
    field: impl Fn(&super::timeline::Row<'_>) -> Option<T>,
) -> Option<T> {
    let Some(row) = model.timeline.current() else {
        model.say(now, Level::Warn, "there is no record here");
        return None;
    };
    let found = field(&row);
    if found.is_none() {
        let text = format!("record {} is about no {what}", row.seq);
        model.say(now, Level::Warn, text);
    }
    found
}

fn alert_here(model: &mut Model, now: Timestamp) -> Option<AlertId> {
    about(model, "alert", now, |row| row.alert.cloned())
}

fn identity_here(model: &mut Model, now: Timestamp) -> Option<IdentityId> {
    about(model, "identity", now, |row| row.identity.cloned())
}

fn only_alert(model: &mut Model, now: Timestamp) {
    if let Some(id) = alert_here(model, now) {
        narrow(model, &write_term("alert", id.as_str()), now);
    }
}

fn only_identity(model: &mut Model, now: Timestamp) {
    if let Some(id) = identity_here(model, now) {
        narrow(model, &write_term("identity", id.as_str()), now);
    }
}

fn narrow(model: &mut Model, filter: &str, now: Timestamp) {
    let timeline = &mut model.timeline;
    timeline.remember();
    timeline.hold();
    timeline.record = None;
    timeline.filter = Input::new(filter.to_owned());
    timeline.refilter(now);
}

fn to_alert(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(alert) = alert_here(model, now) else {
        return Vec::new();
    };
    if model.queue.slot(&alert).is_none() {
        let text =
            format!("alert {alert} is not in the queue; A shows its records, which the log has");
        model.say(now, Level::Warn, text);
        return Vec::new();
    }
    go_to_queue(model, alert, Pane::Queue)
}

/// Goes to the card of an identity: on the record's own alert, else on the worst that is about it.
fn to_identity(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(identity) = identity_here(model, now) else {
        return Vec::new();
    };
    let own = model.timeline.current().and_then(|row| row.alert.cloned());
    let means = |subject: &Subject| triage::is_about(model, subject, &identity);
    let is_about = |id: &AlertId| {
        let subject = model
            .queue
            .slot(id)
            .and_then(|slot| model.queue.subject(slot));
        subject.is_some_and(|subject| means(&subject))
    };
    let found = own
        .filter(is_about)
        .or_else(|| model.queue.first_about(means));
    let Some(alert) = found else {
        let text = format!(
            "no alert in the queue is about {identity}; I shows its records, which the log has"
        );
        model.say(now, Level::Warn, text);
        return Vec::new();
    };
    go_to_queue(model, alert, Pane::Identity)
}

fn go_to_queue(model: &mut Model, alert: AlertId, pane: Pane) -> Vec<Effect> {
    if model.queue.position(&alert).is_none() {
        model.queue.take_in_waiting();
    }
    model.timeline.hold();
    model.timeline.away = true;
    model.focus = Some(pane);
    leave(model);
    triage::select(model, Some(alert))
}

/// Handles a key while the filter is typed. What it lets through follows every key.
pub fn filter_key(model: &mut Model, key: Key, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    match key.code {
        Code::Esc => {
            model.timeline.typing = false;
            clear(model, now);
        }
        Code::Enter => model.timeline.typing = false,
        Code::Down => model.timeline.step(1),
        Code::Up => model.timeline.step(-1),
        Code::PageDown => model.timeline.step(10),
        Code::PageUp => model.timeline.step(-10),
        _ => {
            field::edit(&mut model.timeline.filter, key);
            model.timeline.refilter(now);
        }
    }
    going_on(model, Vec::new())
}

/// Puts pasted text into the filter.
pub fn paste(model: &mut Model, text: &str, now: Timestamp) {
    field::paste(&mut model.timeline.filter, text);
    model.timeline.refilter(now);
}

/// Takes in a record in full; late answers about another one are dropped.
pub fn take_record(model: &mut Model, log: &str, seq: u64, result: Result<Box<Found>, String>) {
    let shown = model.timeline.record.as_mut();
    if let Some(record) = shown.filter(|r| r.log == log && r.seq == seq) {
        record.found = Some(result.map_err(|reason| show(&reason).into_owned()));
        model.dirty = true;
    }
}

/// Takes in how far verifying has come.
pub fn take_progress(model: &mut Model, done: u64, all: u64) {
    if matches!(model.timeline.verification, Verification::Running { .. }) {
        model.timeline.verification = Verification::Running { done, all };
        model.dirty = true;
    }
}

/// Takes in what verifying came to.
pub fn take_verdict(model: &mut Model, verdict: Verdict) {
    if !verdict.intact {
        let text = verdict.finding.clone().unwrap_or_default();
        model.say(
            verdict.at,
            Level::Error,
            format!("the log is NOT intact: {text}"),
        );
    }
    model.timeline.judged(verdict);
    model.dirty = true;
}
