//! The readiness screen: going about, filtering, opening who is not ready, exporting. Nothing here acts or records.

use std::sync::Arc;

use jiff::Timestamp;
use tui_input::Input;

use super::command::Command;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::readiness::{Judged, Untold};
use super::update::anywhere;
use super::{field, map_screen, triage};
use crate::domain::ids::IdentityId;

/// Opens the screen. What was judged before shows until the answer comes.
pub fn open(model: &mut Model) -> Vec<Effect> {
    let screen = &mut model.readiness;
    screen.open = true;
    screen.away = false;
    screen.typing = false;
    screen.reading = false;
    model.map.away = false;
    model.overlay = Overlay::Readiness;
    judge(model)
}

/// Goes back to the screen from which somebody came to the queue; returns whether there was one.
pub fn come_back(model: &mut Model) -> bool {
    let away = std::mem::take(&mut model.readiness.away);
    if away {
        model.readiness.open = true;
        model.overlay = Overlay::Readiness;
    }
    away
}

/// Asks how everybody stands, unless that is being found out. What providers refused so far goes along.
pub fn judge(model: &mut Model) -> Vec<Effect> {
    if std::mem::replace(&mut model.readiness.judging, true) {
        return Vec::new();
    }
    let untold = model
        .live
        .iter()
        .filter(|(_, live)| !live.context.unknown.is_empty());
    let untold: Vec<Untold> = untold
        .map(|(id, live)| (id.clone(), live.context.unknown.clone()))
        .collect();
    vec![Effect::Judge(untold)]
}

/// Takes in how everybody stands.
pub fn take(model: &mut Model, judged: Arc<Judged>) {
    model.readiness.take(judged);
    model.dirty = true;
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    if let Some(rows) = command.rows() {
        go(model, rows);
        return Vec::new();
    }
    match command {
        Command::NextPane | Command::PrevPane => {
            model.readiness.reading = !model.readiness.reading && model.readiness.shown() > 0;
        }
        Command::Filter => {
            model.readiness.reading = false;
            model.readiness.typing = true;
        }
        Command::OpenNode => {
            if let Some(id) = here(model, now) {
                map_screen::open_on(model, &id, now);
            }
        }
        Command::ToAlert => return to_alert(model, now),
        Command::Copy => {
            let id = here(model, now);
            return id
                .map(|id| Effect::Copy(id.to_string()))
                .into_iter()
                .collect();
        }
        Command::Export => return export(model, now),
        Command::Refresh => return judge(model),
        Command::Out => out(model),
        Command::Back => leave(model),
        other => return anywhere(model, other),
    }
    Vec::new()
}

fn go(model: &mut Model, delta: isize) {
    let screen = &mut model.readiness;
    match screen.reading {
        false => screen.step(delta),
        // The end of a text is known where it is drawn; a position beyond it could not be scrolled back from.
        true if delta == isize::MAX => {}
        true => screen.scroll = screen.scroll.saturating_add_signed(delta),
    }
}

fn here(model: &mut Model, now: Timestamp) -> Option<IdentityId> {
    let id = model.readiness.current().map(|r| r.id.clone());
    if id.is_none() {
        model.say(now, Level::Info, "nobody is listed here");
    }
    id
}

/// Goes to an alert about whom the cursor is on.
fn to_alert(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(id) = here(model, now) else {
        return Vec::new();
    };
    let Some(alert) = triage::find_about(model, &id) else {
        let text = format!("no alert in the queue is about {id}; enter shows its card");
        model.say(now, Level::Info, text);
        return Vec::new();
    };
    if model.queue.position(&alert).is_none() {
        model.queue.take_in_waiting();
    }
    leave(model);
    model.readiness.away = true;
    model.focus = Some(Pane::Identity);
    triage::select(model, Some(alert))
}

fn export(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(judged) = &model.readiness.judged else {
        model.say(now, Level::Info, "nothing is judged yet");
        return Vec::new();
    };
    vec![Effect::ExportReadiness(judged.clone())]
}

/// Closes the nearest thing that is open.
fn out(model: &mut Model) {
    let screen = &mut model.readiness;
    if screen.reading {
        screen.reading = false;
    } else if !screen.filter.value().is_empty() {
        clear(model);
    } else {
        leave(model);
    }
}

fn clear(model: &mut Model) {
    model.readiness.filter = Input::default();
    model.readiness.refilter();
}

fn leave(model: &mut Model) {
    model.readiness.open = false;
    model.overlay = Overlay::None;
}

/// Handles a key while the filter is typed. Who is left follows every key.
pub fn filter_key(model: &mut Model, key: Key) {
    model.dirty = true;
    match key.code {
        Code::Esc => {
            model.readiness.typing = false;
            clear(model);
        }
        Code::Enter => model.readiness.typing = false,
        Code::Down => model.readiness.step(1),
        Code::Up => model.readiness.step(-1),
        Code::PageDown => model.readiness.step(10),
        Code::PageUp => model.readiness.step(-10),
        _ => {
            field::edit(&mut model.readiness.filter, key);
            model.readiness.refilter();
        }
    }
}

/// Puts pasted text into the filter.
pub fn paste(model: &mut Model, text: &str) {
    field::paste(&mut model.readiness.filter, text);
    model.readiness.refilter();
}
