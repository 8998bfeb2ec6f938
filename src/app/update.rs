//! The top of the state machine: which part of the console an event belongs to.

use std::mem::discriminant;

use jiff::Timestamp;

use super::command::{self, Command, Scope, disabled_reason};
use super::keymap::{Keymap, Meaning};
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, ReasonPrompt, SourceView, Stage};
use super::msg::{Effect, Msg};
use super::{
    afterwards, automation, away, board_screen, born, card_screen, choosing, context, coverage,
    deciding, field, log_screen, map_screen, palette, passing, planning, pointer, policy_screen,
    reader, readiness_screen, reload, saying, sift, tour, triage, views,
};
use crate::domain::decision::{Decision, Entry, RecordType};
use crate::domain::ids::AlertId;
use crate::domain::queue::Row;
use crate::domain::text::seen;

/// Takes in one event. Never waits, never reads a clock: `now` is when the event is handled.
pub fn update(model: &mut Model, keymap: &Keymap, msg: Msg, now: Timestamp) -> Vec<Effect> {
    model.now = now;
    model.touched |= matches!(msg, Msg::Wheel(_) | Msg::Pointed(_));
    // What is said in answer to a key is read by whoever pressed it.
    let (unread, by_hand) = (model.unread, matches!(msg, Msg::Key(_) | Msg::Paste(_)));
    let (screen, said) = (discriminant(&model.overlay), model.toast_until);
    // A key that moves the cursor on lets it run on.
    let mut effects = match &msg {
        Msg::Key(_) => Vec::new(),
        _ => passing::rest_in_time(model, now),
    };
    effects.extend(handle(model, keymap, msg, now));
    if by_hand {
        model.unread = unread;
        // What was said about another screen would hide the keys of this one; `m` shows it. An error stays.
        let is_error = model
            .messages
            .last()
            .is_some_and(|m| m.level == Level::Error);
        if discriminant(&model.overlay) != screen && model.toast_until == said && !is_error {
            model.toast_until = None;
        }
    }
    tour::follow(model);
    if matches!(model.overlay, Overlay::Messages { .. }) {
        model.unread = 0;
    }
    effects.extend(model.asks.drain(..).map(Effect::AskMap));
    effects
}

fn handle(model: &mut Model, keymap: &Keymap, msg: Msg, now: Timestamp) -> Vec<Effect> {
    match msg {
        Msg::Key(key) => return on_key(model, keymap, key, now),
        Msg::Paste(text) => return on_paste(model, &text, now),
        Msg::Edited(text) => away::edited(model, &text, now),
        Msg::Wheel(down) => return on_wheel(model, down, now),
        Msg::Pointed(pointed) => return pointer::point(model, pointed),
        Msg::Resized { width, height } => {
            model.size = (width, height);
            model.repaint = true;
            model.dirty = true;
        }
        Msg::Tick => return tick(model, now),
        Msg::Alerts(rows) => return arrived(model, &rows, now, triage::take_alerts),
        Msg::SomeAlerts(rows) => return arrived(model, &rows, now, triage::take_some),
        Msg::Stored(rows) => return came(model, &rows, now, triage::take_stored),
        Msg::StoredRead => (model.opening.alerts, model.dirty) = (false, true),
        Msg::Deleted => return triage::read_again(model),
        Msg::Removed(ids) => triage::remove(model, &ids),
        Msg::AlertRead { id, result } => return triage::take_alert(model, id, result),
        Msg::Malformed {
            source,
            total,
            reason,
        } => {
            model.malformed.insert(source, (total, reason));
            model.dirty = true;
        }
        Msg::Source {
            name,
            healthy,
            text,
        } => {
            let text = seen(text);
            source(model, name, SourceView { healthy, text }, now);
        }
        Msg::Duty(holder) => return automation::duty(model, holder, now),
        Msg::Journal(entries) => {
            model.timeline.put_off(entries);
            return go_on(model, now);
        }
        Msg::Held(held) => model.timeline.hold_on(held),
        Msg::Continue => return go_on(model, now),
        Msg::LogRead => return automation::log_read(model, now),
        Msg::OpenLog => return log_screen::open(model, now),
        Msg::Record { log, seq, result } => log_screen::take_record(model, &log, seq, result),
        Msg::VerifyProgress { done, all } => log_screen::take_progress(model, done, all),
        Msg::Verified(verdict) => log_screen::take_verdict(model, verdict),
        Msg::JournalProblem(problem) => {
            let problem = problem.map(seen);
            if let Some(text) = &problem {
                model.say(now, Level::Error, format!("journal: {text}"));
            }
            model.journal_problem = problem;
            model.dirty = true;
        }
        Msg::Unrecorded(text) => {
            let text = seen(text);
            model.say(now, Level::Error, text.clone());
            model.unrecorded = Some(text);
            model.dirty = true;
        }
        Msg::JournalSpace(left) => {
            model.journal_space = left;
            model.dirty = true;
        }
        Msg::Anchors(view) => {
            model.anchors = Some(view);
            model.dirty = true;
        }
        Msg::Context {
            identity,
            at,
            context,
        } => context::take(model, &identity, at, *context),
        Msg::PlanBuilt { ticket, result } => planning::plan_built(model, ticket, result, now),
        Msg::Started { digest } => planning::started(model, &digest),
        Msg::Step {
            digest,
            step,
            phase,
        } => planning::step(model, &digest, step, phase),
        Msg::RunEnded { digest, text, ran } => {
            return planning::run_ended(model, &digest, text, ran, now);
        }
        Msg::TakenBack(taken) => return afterwards::taken_back(model, taken, now),
        Msg::AloneFailed { alert, text } => return automation::failed(model, &alert, text, now),
        Msg::ViewSaved(result) => views::saved(model, result, now),
        Msg::Map(answer) => map_screen::take(model, *answer),
        Msg::InventoryRead(read) => return reload::take(model, read, now),
        Msg::Judged(judged) => readiness_screen::take(model, judged),
        Msg::Drill(view) => (model.drill, model.dirty) = (Some(view), true),
        Msg::Story(lines) => tell(model, lines, now),
        Msg::Notice { level, text } => model.say(now, level, text),
        Msg::Terminate => model.quit = true,
    }
    Vec::new()
}

/// Tells a story. Messages are read from the latest to the first.
fn tell(model: &mut Model, lines: Vec<String>, now: Timestamp) {
    for line in lines.into_iter().rev() {
        model.say(now, Level::Info, line);
    }
}

/// Takes alerts into the model.
type Take = fn(&mut Model, &[Row], Timestamp) -> Vec<Effect>;

/// Takes in alerts that are news.
fn arrived(model: &mut Model, rows: &[Row], now: Timestamp, take: Take) -> Vec<Effect> {
    for rows in rows.chunk_by(|a, b| a.alert.source == b.alert.source) {
        model.pace.came(&rows[0].alert.source, rows.len(), now);
    }
    came(model, rows, now, take)
}

/// Takes in alerts, and lets the policy look at them.
fn came(model: &mut Model, rows: &[Row], now: Timestamp, take: Take) -> Vec<Effect> {
    let mut effects = take(model, rows, now);
    effects.extend(automation::arrived(model, rows, now));
    effects
}

fn source(model: &mut Model, name: String, view: SourceView, now: Timestamp) {
    if !view.healthy {
        model.say(now, Level::Warn, format!("source {name}: {}", view.text));
    }
    model.sources.insert(name, view);
    model.dirty = true;
}

/// Does what time alone asks for.
fn tick(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    model.toast_until = model.toast_until.filter(|until| *until > now);
    deciding::wake(model, now);
    model.dirty = true;
    let mut effects = reload::tick(model, now);
    effects.extend(automation::go_on(model, now));
    effects
}

/// Most records taken in at once; a long log comes in slices, so that keys need not wait for it.
const AT_ONCE: usize = 200;

/// Does the next slice of what takes long.
fn go_on(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let entries = model.timeline.take_in(AT_ONCE, &mut model.decisions);
    let mut effects = if entries.is_empty() {
        model.timeline.scan_on();
        model.dirty = true;
        Vec::new()
    } else {
        let mut effects = on_journal(model, &entries, now);
        if model.sift.looks_at_states() {
            effects.extend(sift::again(model, now));
        }
        effects
    };
    if model.sift.due {
        effects.extend(sift::apply_due(model, now));
    } else if model.queue.is_looking() {
        effects.extend(sift::look_on(model));
    }
    if model.timeline.has_more() {
        effects.push(Effect::Continue);
    } else {
        effects.extend(automation::go_on(model, now));
    }
    effects
}

fn on_journal(model: &mut Model, entries: &[Entry], now: Timestamp) -> Vec<Effect> {
    // Which alerts are over follows from decisions alone.
    let decided = entries.iter().filter(|e| e.kind == RecordType::Decision);
    let alerts: Vec<AlertId> = decided
        .filter_map(|e| e.body_as::<Decision>().ok())
        .map(|d| d.alert)
        .collect();
    deciding::take(model, &alerts, now);
    automation::recorded(model, entries, now);
    board_screen::tell(model, entries, now);
    planning::follow_log(model, now);
    model.dirty = true;
    // An act has ended, here or elsewhere: what the provider says may have changed.
    let over = model.timeline.waiting() == 0;
    if over && entries.iter().any(|e| e.kind == RecordType::Verify) {
        return context::read(model, true);
    }
    Vec::new()
}

fn on_key(model: &mut Model, keymap: &Keymap, key: Key, now: Timestamp) -> Vec<Effect> {
    model.touched = true;
    if model.is_blind() && !matches!(model.overlay, Overlay::None) && key == Key::plain(Code::Esc) {
        model.overlay = Overlay::None;
        return Vec::new();
    }
    let on_row =
        matches!(model.overlay, Overlay::None) && !model.sift.typing && model.born.is_none();
    if on_row && let Some(effects) = automation::veto(model, now) {
        return effects;
    }
    if model.is_blind()
        && matches!(
            model.overlay,
            Overlay::Plan(_) | Overlay::Reason(_) | Overlay::Palette(_)
        )
    {
        return Vec::new();
    }
    if let Some(effects) = away::key(model, keymap, key, now) {
        return effects;
    }
    if let Overlay::Plan(view) = &mut model.overlay
        && planning::takes_text(view)
        && planning::edit(view, key, now)
    {
        model.dirty = true;
        return Vec::new();
    }
    match &mut model.overlay {
        Overlay::Reason(_) => return deciding::reason_key(model, key, now),
        Overlay::Palette(_) => {
            let chosen = palette::key(model, key, now);
            let scope = command::scope(model);
            return chosen.map_or_else(Vec::new, |chosen| carry_out(model, scope, chosen, now));
        }
        Overlay::Views => return views::key(model, key, now),
        Overlay::SaveView(_) => return views::name_key(model, key),
        Overlay::Say(..) => return saying::key(model, key, now),
        Overlay::ConfirmQuit => {
            model.overlay = model.resting();
            model.quit = key == Key::char('Q');
            model.dirty = true;
            return Vec::new();
        }
        Overlay::Help { .. } | Overlay::Messages { .. } if model.reader.typing => {
            reader::key(model, key);
            return Vec::new();
        }
        Overlay::Log if model.timeline.typing => return log_screen::filter_key(model, key, now),
        Overlay::Map if model.map.choosing.is_some() => {
            return choosing::key(model, |model| &mut model.map.choosing, key, now);
        }
        Overlay::Card if model.card.choosing.is_some() => {
            return choosing::key(model, |model| &mut model.card.choosing, key, now);
        }
        Overlay::Map if model.map.typing => {
            map_screen::search_key(model, key);
            return Vec::new();
        }
        Overlay::Readiness if model.readiness.typing => {
            readiness_screen::filter_key(model, key);
            return Vec::new();
        }
        Overlay::None if model.born.is_some() => return born_key(model, key, now),
        Overlay::None if model.sift.typing => {
            return sift::key(model, key, now);
        }
        _ => {}
    }
    let scope = command::scope(model);
    let begun = !model.pending.is_empty();
    let mut keys = std::mem::take(&mut model.pending);
    keys.push(key);
    model.dirty |= begun;
    match keymap.resolve(scope, &keys) {
        Meaning::Command(command) => carry_out(model, scope, command, now),
        Meaning::Begun => {
            model.pending = keys;
            model.dirty = true;
            Vec::new()
        }
        // Nothing else is done with the last key of a sequence that does not exist: it was meant to be part of it.
        Meaning::Nothing => Vec::new(),
    }
}

/// Does what a command of a scope says, if it can be done.
fn carry_out(model: &mut Model, scope: Scope, command: Command, now: Timestamp) -> Vec<Effect> {
    // What cannot be read is not done.
    if model.is_blind()
        && !matches!(
            command,
            Command::Quit | Command::Back | Command::Redraw | Command::Suspend
        )
    {
        return Vec::new();
    }
    // What is done is about what is shown, and shown with it.
    if model.is_passing() && !passing::is_for_runner(command) {
        let mut effects = passing::rest(model);
        effects.extend(carry_out(model, scope, command, now));
        return effects;
    }
    if let Some(reason) = disabled_reason(command, model) {
        let title = command.spec(scope).map_or("", |s| s.title);
        model.say(now, Level::Warn, format!("{title}: {reason}"));
        return Vec::new();
    }
    model.dirty = true;
    if command == Command::Palette {
        palette::open(model);
        return Vec::new();
    }
    if command == Command::Page {
        return vec![Effect::Page];
    }
    match scope {
        Scope::Triage => triage::command(model, command, now),
        Scope::Plan => planning::command(model, command, now),
        Scope::Reader => reader::command(model, command),
        Scope::Log => log_screen::command(model, command, now),
        Scope::Map => map_screen::command(model, command, now),
        Scope::Readiness => readiness_screen::command(model, command, now),
        Scope::Card => card_screen::command(model, command, now),
        Scope::Coverage => coverage::command(model, command, now),
        Scope::Policy => policy_screen::command(model, command, now),
        Scope::Board => board_screen::command(model, command, now),
    }
}

/// Goes as the arrow keys would.
fn on_wheel(model: &mut Model, down: bool, now: Timestamp) -> Vec<Effect> {
    let commands = pointer::wheel(model, down);
    let scope = command::scope(model);
    let gone = commands.into_iter();
    gone.flat_map(|command| carry_out(model, scope, command, now))
        .collect()
}

/// The same key shows the next of those who were made.
fn born_key(model: &mut Model, key: Key, now: Timestamp) -> Vec<Effect> {
    if key == Key::char('o') {
        let shown = model.born.take().map(|choosing| choosing.identity.id);
        born::offer(model, shown.as_ref(), now);
        model.dirty = true;
        return Vec::new();
    }
    choosing::key(model, |model| &mut model.born, key, now)
}

/// A paste is text for a text field, never a row of key presses.
fn on_paste(model: &mut Model, text: &str, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    match &mut model.overlay {
        Overlay::Reason(ReasonPrompt { input, .. })
        | Overlay::SaveView(input)
        | Overlay::Say(_, input) => {
            if !field::paste(input, text) {
                let text = format!(
                    "the paste was cut: a field takes {} characters, more belongs into the ticket",
                    field::CAP
                );
                model.say(now, Level::Warn, text);
            }
        }
        Overlay::Palette(_) => return palette::paste(model, text),
        Overlay::Help { .. } | Overlay::Messages { .. } if model.reader.typing => {
            reader::paste(model, text);
        }
        Overlay::Log if model.timeline.typing => log_screen::paste(model, text, now),
        Overlay::Map if model.map.typing => map_screen::paste(model, text),
        Overlay::Readiness if model.readiness.typing => readiness_screen::paste(model, text),
        Overlay::None if model.sift.typing => return sift::paste(model, text, now),
        Overlay::Plan(view)
            if matches!(
                view.stage,
                Stage::Preview | Stage::Judging | Stage::TakingBack(_)
            ) =>
        {
            model.say(
                now,
                Level::Warn,
                "a confirmation is typed, not pasted; nothing was entered",
            );
        }
        _ => model.say(now, Level::Warn, "ignored a paste: no text field is open"),
    }
    Vec::new()
}

/// Carries out what every screen that is one list does alike; everything else is not for them.
pub(super) fn anywhere(model: &mut Model, command: Command) -> Vec<Effect> {
    match command {
        Command::Help => model.overlay = Overlay::Help { scroll: 0 },
        Command::Messages => model.overlay = Overlay::Messages { scroll: 0 },
        Command::Redraw => model.repaint = true,
        Command::Suspend => return vec![Effect::Suspend],
        Command::Quit => model.leave(),
        _ => {}
    }
    Vec::new()
}
