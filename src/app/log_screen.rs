//! The log's screen: moving, filtering, one record in full. Nothing here acts or records.

use jiff::Timestamp;
use tui_input::Input;

use super::command::Command;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::timeline::{RecordView, Verdict, Verification};
use super::{field, triage};
use crate::domain::decision::Entry;
use crate::domain::text::show;

/// Opens the screen: on the selected alert where there is one, at the newest record. The first time, the log is verified.
pub fn open(model: &mut Model) -> Vec<Effect> {
    let about = model.selected.as_ref().map_or("", |id| id.as_str());
    model.timeline.filter = Input::new(about.to_owned());
    model.timeline.typing = false;
    model.timeline.record = None;
    model.timeline.open = true;
    model.timeline.refilter(&model.decisions);
    model.timeline.go_to(usize::MAX);
    model.overlay = Overlay::Log;
    model.dirty = true;
    match model.timeline.verification {
        Verification::NotYet => verify(model),
        _ => Vec::new(),
    }
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    match command {
        Command::Down => go(model, 1),
        Command::Up => go(model, -1),
        Command::PageDown => go(model, 10),
        Command::PageUp => go(model, -10),
        Command::Top => go(model, isize::MIN),
        Command::Bottom => go(model, isize::MAX),
        Command::Filter => {
            model.timeline.record = None;
            model.timeline.typing = true;
        }
        Command::OpenRecord => return read(model),
        Command::ToAlert => return to_alert(model, now),
        Command::Verify if model.timeline.verification == Verification::Running => {
            model.say(now, Level::Info, "the log is being verified");
        }
        Command::Verify => return verify(model),
        Command::Out => out(model),
        Command::Back if model.timeline.record.is_some() => model.timeline.record = None,
        Command::Back => leave(model),
        Command::Help => model.overlay = Overlay::Help { scroll: 0 },
        Command::Messages => model.overlay = Overlay::Messages { scroll: 0 },
        Command::Redraw => model.repaint = true,
        Command::Suspend => return vec![Effect::Suspend],
        Command::Quit if model.acting() => model.overlay = Overlay::ConfirmQuit,
        Command::Quit => model.quit = true,
        _ => {}
    }
    Vec::new()
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
    model.timeline.verification = Verification::Running;
    vec![Effect::VerifyLog]
}

fn read(model: &mut Model) -> Vec<Effect> {
    let timeline = &mut model.timeline;
    let Some(row) = timeline.current().filter(|_| timeline.record.is_none()) else {
        return Vec::new();
    };
    let (log, seq) = (row.log.to_string(), row.seq);
    timeline.record = Some(RecordView {
        log: log.clone(),
        seq,
        scroll: 0,
        entry: None,
    });
    vec![Effect::ReadRecord { log, seq }]
}

/// Closes the nearest thing that is open.
fn out(model: &mut Model) {
    if model.timeline.record.take().is_some() {
        return;
    }
    if model.timeline.filter.value().is_empty() {
        // Esc is pressed once too often at three in the morning; it ends no program.
        if model.log_only.is_none() {
            leave(model);
        }
        return;
    }
    clear(model);
}

fn clear(model: &mut Model) {
    model.timeline.filter = Input::default();
    model.timeline.refilter(&model.decisions);
}

fn leave(model: &mut Model) {
    if model.log_only.is_some() {
        model.quit = true;
        return;
    }
    model.timeline.open = false;
    model.overlay = Overlay::None;
}

fn to_alert(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(row) = model.timeline.current() else {
        model.say(now, Level::Warn, "there is no record here");
        return Vec::new();
    };
    let Some(alert) = row.alert.clone() else {
        let text = format!("record {} is about no alert", row.seq);
        model.say(now, Level::Warn, text);
        return Vec::new();
    };
    if model.log_only.is_some() {
        let text = format!("alert {alert}: `stanch` opens the queue; this is only the log");
        model.say(now, Level::Warn, text);
        return Vec::new();
    }
    if model.queue.get(&alert).is_none() {
        let text =
            format!("alert {alert} is not in the queue; it may be older than what is loaded");
        model.say(now, Level::Warn, text);
        return Vec::new();
    }
    if model.queue.position(&alert).is_none() {
        model.queue.take_in_waiting();
    }
    model.timeline.record = None;
    model.focus = Some(Pane::Queue);
    leave(model);
    triage::select(model, Some(alert))
}

/// Handles a key while the filter is typed. What it lets through follows every key.
pub fn filter_key(model: &mut Model, key: Key) -> Vec<Effect> {
    model.dirty = true;
    match key.code {
        Code::Esc => {
            model.timeline.typing = false;
            clear(model);
        }
        Code::Enter => model.timeline.typing = false,
        Code::Down => model.timeline.step(1),
        Code::Up => model.timeline.step(-1),
        Code::PageDown => model.timeline.step(10),
        Code::PageUp => model.timeline.step(-10),
        _ => {
            field::edit(&mut model.timeline.filter, key);
            model.timeline.refilter(&model.decisions);
        }
    }
    Vec::new()
}

/// Puts pasted text into the filter.
pub fn paste(model: &mut Model, text: &str) {
    field::paste(&mut model.timeline.filter, text);
    model.timeline.refilter(&model.decisions);
}

/// Takes in a record in full; late answers about another one are dropped.
pub fn take_record(model: &mut Model, log: &str, seq: u64, result: Result<Box<Entry>, String>) {
    let shown = model.timeline.record.as_mut();
    if let Some(record) = shown.filter(|r| r.log == log && r.seq == seq) {
        record.entry = Some(result.map_err(|reason| show(&reason).into_owned()));
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
    model.timeline.verification = Verification::Ended(verdict);
    model.dirty = true;
}
