//! Decisions about alerts that send nothing to anybody: who has them, until when they wait, why they are no case.
//!
//! They can be made for several alerts at once. A plan never can: each is staged, read and confirmed on its own.

use jiff::{Span, Timestamp};
use tui_input::Input;

use super::field;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay, ReasonPrompt};
use super::msg::Effect;
use super::row_state::RowState;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::filter::span_s;
use crate::domain::hold::{Ending, LONGEST_HOLD_S};
use crate::domain::ids::AlertId;
use crate::domain::playbook::Playbook;
use crate::domain::queue::Lane;
use crate::domain::text::show;
use crate::domain::vocabulary::Layer;

/// Most alerts that one decision may be about: nobody has looked at more.
pub const MOST_AT_ONCE: usize = 500;
/// Longest time for which an alert can be put off, in seconds: two weeks.
const LONGEST_SNOOZE_S: u64 = 14 * 24 * 60 * 60;

/// Returns the alerts that a decision is about: those that are marked, else those of the selected line.
pub fn targets(model: &Model) -> Vec<AlertId> {
    if !model.marks.is_empty() {
        return model.marks.iter().cloned().collect();
    }
    model
        .selected
        .as_ref()
        .map_or_else(Vec::new, |id| model.queue.members(id))
}

/// Marks the selected alert and what its line stands for, or takes the marks off.
pub fn mark(model: &mut Model) {
    let Some(id) = model.selected.clone() else {
        return;
    };
    let members = model.queue.members(&id);
    if model.marks.contains(&id) {
        for member in &members {
            model.marks.remove(member);
        }
    } else {
        model.marks.extend(members);
    }
}

/// Asks for what a decision needs before it is recorded.
pub fn ask(model: &mut Model, kind: DecisionKind, now: Timestamp) {
    let open = |id: &AlertId| !model.row_state(id).is_over() || kind == DecisionKind::Note;
    let alerts: Vec<AlertId> = targets(model).into_iter().filter(open).collect();
    if let Some(alerts) = few_enough(model, alerts, now) {
        model.overlay = Overlay::Reason(ReasonPrompt {
            kind,
            alerts,
            cell: None,
            found: None,
            step: None,
            input: Input::default(),
        });
    }
}

/// Takes the alerts.
pub fn claim(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let alerts = targets(model);
    let Some(alerts) = few_enough(model, alerts, now) else {
        return Vec::new();
    };
    record(model, alerts, DecisionKind::Claim)
}

/// Takes up again what was put off, or asks until when the rest is to wait.
pub fn snooze(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let asleep: Vec<AlertId> = targets(model)
        .into_iter()
        .filter(|id| model.asleep.contains_key(id))
        .collect();
    if asleep.is_empty() {
        ask(model, DecisionKind::Snooze, now);
        return Vec::new();
    }
    record(model, asleep, DecisionKind::Wake)
}

fn record(model: &mut Model, alerts: Vec<AlertId>, kind: DecisionKind) -> Vec<Effect> {
    model.marks.clear();
    let decided = alerts
        .into_iter()
        .map(|alert| Decision::on(alert, kind, None));
    vec![Effect::Record(decided.collect())]
}

fn few_enough(model: &mut Model, alerts: Vec<AlertId>, now: Timestamp) -> Option<Vec<AlertId>> {
    if alerts.len() > MOST_AT_ONCE {
        let text = format!(
            "{} alerts at once are more than the {MOST_AT_ONCE} that one decision may be about; narrow them down with / or mark some",
            alerts.len()
        );
        model.say(now, Level::Warn, text);
        return None;
    }
    (!alerts.is_empty()).then_some(alerts)
}

/// Closes the selected alert as contained, and with it those of its line that are about the same identity: a line may also
/// stand for an incident, and nothing was done about its others.
pub fn close(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    match model.selected.clone() {
        Some(id) => close_alert(model, id, now),
        None => Vec::new(),
    }
}

/// Closes an alert as contained, unless a cell of its coverage is neither proven nor accepted as a risk.
pub fn close_alert(model: &mut Model, id: AlertId, now: Timestamp) -> Vec<Effect> {
    if let Some(refusal) = not_closed(model, &id) {
        model.say(now, Level::Warn, format!("not closed: {refusal}"));
        return Vec::new();
    }
    if model.coverage.open {
        model.coverage = super::coverage::CoverageScreen::default();
        model.overlay = model.resting();
    }
    close_all(model, id, now)
}

/// Says why an alert cannot be closed as contained, naming the cells; `None` when it can.
pub fn not_closed(model: &Model, id: &AlertId) -> Option<String> {
    let way_out = match model.row_state(id) {
        RowState::Asked => return Some("a plan waits to be run".to_owned()),
        RowState::Acting => return Some("a plan is running".to_owned()),
        RowState::Closed | RowState::Dismissed => return Some("it is closed already".to_owned()),
        RowState::Snoozed => return Some("it is put off; take it up first (s)".to_owned()),
        RowState::Reopened => {
            let why = model.reopened(id).unwrap_or_default();
            return Some(format!("{}; contain it again", show(why)));
        }
        RowState::New | RowState::Claimed | RowState::Resolved => {
            let text = "nothing was contained; dismiss it (D) or do nothing (0), with a reason";
            return Some(text.to_owned());
        }
        RowState::Unknown => "read it back (v)",
        RowState::Failed => "stage another plan",
        RowState::Requested => "an act is requested, not proven; read it back",
        RowState::Undone => "an act was taken back; stage a plan again",
        RowState::Proven | RowState::Partly => "stage another plan",
    };
    let coverage = model.coverage_of(id);
    let cells = coverage.refusal()?;
    let held = model.decisions.still_held(id);
    let held: Vec<&str> = held.into_iter().map(Layer::as_str).collect();
    let held = match held.is_empty() {
        true => String::new(),
        false => format!("whoever holds it still has {}: ", held.join(", ")),
    };
    // The way out comes first: a narrow screen cuts the end off.
    Some(format!(
        "{way_out}, or accept the risk (C, A): {held}{cells}"
    ))
}

fn close_all(model: &mut Model, id: AlertId, now: Timestamp) -> Vec<Effect> {
    let others = model.queue.members(&id).into_iter().filter(|other| {
        let idle = matches!(
            model.row_state(other),
            RowState::New | RowState::Claimed | RowState::Resolved
        );
        *other != id && idle && model.queue.is_about_the_same(&id, other)
    });
    let others: Vec<AlertId> = others.collect();
    let kind = DecisionKind::CloseContained;
    let with = Some(format!(
        "about the same identity as {id}, which was contained"
    ));
    let mut decided = vec![Decision::on(id, kind, None)];
    let others = if others.is_empty() {
        others
    } else {
        few_enough(model, others, now).unwrap_or_default()
    };
    decided.extend(
        others
            .into_iter()
            .map(|other| Decision::on(other, kind, with.clone())),
    );
    vec![Effect::Record(decided)]
}

/// Handles a key while a reason is asked for.
pub fn reason_key(model: &mut Model, key: Key, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    let Overlay::Reason(prompt) = &model.overlay else {
        return Vec::new();
    };
    match key.code {
        Code::Esc => model.overlay = model.resting(),
        Code::Enter => match decided(model, prompt, now) {
            Ok(decisions) => {
                model.overlay = model.resting();
                model.marks.clear();
                return vec![Effect::Record(decisions)];
            }
            Err(problem) => model.say(now, Level::Warn, problem),
        },
        _ => {
            if let Overlay::Reason(prompt) = &mut model.overlay {
                field::edit(&mut prompt.input, key);
            }
        }
    }
    Vec::new()
}

/// Makes the hold of an alert from what was typed: how long, what happens then, why. It is about the identity that the
/// alert names.
///
/// # Errors
///
/// What was typed is no hold; the message tells which part, and what belongs there.
pub fn hold(
    model: &Model,
    alert: &AlertId,
    text: &str,
    now: Timestamp,
) -> Result<Decision, String> {
    Ok(Decision {
        alert: alert.clone(),
        hold: Some(hold_name(alert, now)),
        identity: model.detail_of(alert).identity.map(|card| card.id),
        ..parsed_hold(text, &model.playbooks, now)?
    })
}

fn parsed_hold(text: &str, playbooks: &[Playbook], now: Timestamp) -> Result<Decision, String> {
    let mut words = text.splitn(3, char::is_whitespace);
    let (span, ending, reason) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default().trim(),
    );
    let s = span_s(span).map_err(|problem| format!("for how long? {problem}"))?;
    if !(60..=LONGEST_HOLD_S).contains(&s) {
        return Err(format!("`{}` is not between 1m and 14d", show(span)));
    }
    let (word, playbook) = ending.split_once(':').unwrap_or((ending, ""));
    let ending = Ending::parse(word).ok_or_else(|| {
        format!(
            "`{}` is not what happens then: page, re_ask or contain:PLAYBOOK",
            show(word)
        )
    })?;
    if (ending == Ending::Contain) == playbook.is_empty() {
        return Err("contain needs a playbook, and only it: contain:PLAYBOOK".to_owned());
    }
    if !playbook.is_empty() && !playbooks.iter().any(|known| known.id == playbook) {
        return Err(format!(
            "there is no playbook `{}`; P and `stanch policy show` list them",
            show(playbook)
        ));
    }
    if reason.is_empty() {
        return Err("a reason is needed after that".to_owned());
    }
    let until = now.checked_add(Span::new().seconds(i64::try_from(s).unwrap_or(0)));
    Ok(Decision {
        until: Some(until.map_err(|e| e.to_string())?),
        ending: Some(ending),
        to: Some(playbook.to_owned()).filter(|name| !name.is_empty()),
        ..Decision::on(
            AlertId::new(""),
            DecisionKind::Hold,
            Some(reason.to_owned()),
        )
    })
}

/// Returns the name of a hold: of what it is about and when it began.
fn hold_name(alert: &AlertId, now: Timestamp) -> String {
    let about = format!("{}\n{}", alert.as_str(), now.as_nanosecond());
    let hex = crate::domain::plan::sha256_hex(about.as_bytes());
    format!("h-{}", hex.get(..10).unwrap_or_default())
}

/// Returns what is recorded, or what is missing.
fn decided(model: &Model, prompt: &ReasonPrompt, now: Timestamp) -> Result<Vec<Decision>, String> {
    let text = prompt.input.value().trim();
    if prompt.kind == DecisionKind::Hold {
        let alerts = prompt.alerts.iter();
        return alerts.map(|alert| hold(model, alert, text, now)).collect();
    }
    let leave = |missing: String| format!("{missing}; Esc leaves without recording");
    let (to, until, reason) = parsed(prompt.kind, text, now).map_err(leave)?;
    let one = |alert: &AlertId| Decision {
        to: to.clone(),
        until,
        cell: prompt.cell.clone(),
        found: prompt.found,
        plan: prompt.step.as_ref().map(|(digest, _)| digest.clone()),
        step: prompt.step.as_ref().map(|(_, step)| step.clone()),
        ..Decision::on(alert.clone(), prompt.kind, Some(reason.clone()))
    };
    Ok(prompt.alerts.iter().map(one).collect())
}

/// Reads what was typed: to whom, until when, why. The command line writes the same words.
pub fn parsed(
    kind: DecisionKind,
    text: &str,
    now: Timestamp,
) -> Result<(Option<String>, Option<Timestamp>, String), String> {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    match kind {
        DecisionKind::Snooze => {
            let s = span_s(first).map_err(|problem| format!("for how long? {problem}"))?;
            if !(60..=LONGEST_SNOOZE_S).contains(&s) {
                return Err(format!(
                    "`{}` is not between 1m and 14d, so the alert would be lost or never rest",
                    show(first)
                ));
            }
            if rest.is_empty() {
                return Err("a reason is needed after the time".to_owned());
            }
            let span = Span::new().seconds(i64::try_from(s).unwrap_or(0));
            let until = now.checked_add(span).map_err(|e| e.to_string())?;
            Ok((None, Some(until), rest.to_owned()))
        }
        DecisionKind::Assign if rest.is_empty() => {
            Err("say to whom, and after a space how it stands".to_owned())
        }
        DecisionKind::HandOverDone if rest.is_empty() => {
            Err("say who did it, and after a space what, and how it was seen".to_owned())
        }
        DecisionKind::HandOverDone | DecisionKind::Assign => {
            Ok((Some(first.to_owned()), None, rest.to_owned()))
        }
        _ if text.is_empty() => Err("a reason is needed".to_owned()),
        _ => Ok((None, None, text.to_owned())),
    }
}

/// Takes in what was decided about alerts: which are over, which wait until when.
pub fn take(model: &mut Model, alerts: &[AlertId], now: Timestamp) {
    for id in alerts {
        match put_off(model, id).filter(|until| *until > now) {
            Some(until) => model.asleep.insert(id.clone(), until),
            None => model.asleep.remove(id),
        };
    }
    set_lanes(model, alerts);
}

/// Puts alerts where they stand, of which their source says anew whether they are over.
pub fn stand_anew(model: &mut Model, alerts: &[AlertId]) {
    if !alerts.is_empty() {
        set_lanes(model, alerts);
    }
}

/// Puts alerts where they stand now.
fn set_lanes(model: &mut Model, alerts: &[AlertId]) {
    let lanes: Vec<(AlertId, Lane)> = alerts
        .iter()
        .map(|id| (id.clone(), lane(model.row_state(id))))
        .collect();
    model.queue.set_lanes(lanes);
}

/// Returns until when an alert was put off last, unless somebody took it up since.
fn put_off(model: &Model, id: &AlertId) -> Option<Timestamp> {
    let last = model
        .decisions
        .of_alert(id)
        .iter()
        .rev()
        .find(|(_, _, d)| {
            d.kind.tells_state() || matches!(d.kind, DecisionKind::Snooze | DecisionKind::Wake)
        })?;
    last.2.until.filter(|_| last.2.kind == DecisionKind::Snooze)
}

const fn lane(state: RowState) -> Lane {
    match state {
        RowState::Closed | RowState::Dismissed | RowState::Resolved => Lane::Over,
        RowState::Snoozed => Lane::Snoozed,
        _ => Lane::Open,
    }
}

/// Wakes what was put off until now.
pub fn wake(model: &mut Model, now: Timestamp) {
    let due = |(id, until): (&AlertId, &Timestamp)| (*until <= now).then(|| id.clone());
    let due: Vec<AlertId> = model.asleep.iter().filter_map(due).collect();
    wake_these(model, &due, now, "the time it was put off for is over");
}

/// Wakes alerts, and says why.
pub fn wake_these(model: &mut Model, due: &[AlertId], now: Timestamp, why: &str) {
    let text = match due {
        [] => return,
        [one] => format!("back in the queue: {}: {why}", show(one.as_str())),
        many => format!("back in the queue: {} alerts: {why}", many.len()),
    };
    for id in due {
        model.asleep.remove(id);
    }
    set_lanes(model, due);
    model.say(now, Level::Warn, text);
}
