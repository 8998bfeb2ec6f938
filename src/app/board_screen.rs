//! The inbox of approvals and the debt board: going about, reading what somebody asks for, agreeing, refusing.

use jiff::Timestamp;

use super::board::{BackRow, Side};
use super::command::Command;
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::planning;
use super::saying::{self, Saying};
use super::triage;
use super::update::anywhere;
use crate::domain::authority::{TimeOut, who};
use crate::domain::campaign;
use crate::domain::debt::{Debt, DebtKind};
use crate::domain::decision::{BreakGlass, Decision, DecisionKind, Entry, RecordType};
use crate::domain::hold::Gate;
use crate::domain::ids::{AlertId, PlanDigest};
use crate::domain::text::{show, show_identifier};

/// Opens the screen.
pub fn open(model: &mut Model, side: Side, now: Timestamp) {
    model.board.open = true;
    model.board.side = side;
    model.board.cursor = 0;
    model.overlay = Overlay::Board;
    model.refresh_debts(now);
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    let lines = model.board_lines(now);
    if let Some(rows) = command.rows() {
        let last = lines.saturating_sub(1);
        model.board.cursor = model.board.cursor.saturating_add_signed(rows).min(last);
        return Vec::new();
    }
    match command {
        Command::NextPane => open(model, model.board.side.next(), now),
        Command::NextCampaign => {
            let several = model.board.campaigns.len().max(1);
            model.board.campaign = (model.board.campaign + 1) % several;
            model.board.cursor = 0;
            model.refresh_burned(now);
        }
        Command::OpenRecord => read(model, now),
        Command::Refuse => refuse(model, now),
        Command::Claim if model.board.side == Side::WayBack => vouch(model, now),
        Command::Close if model.board.side == Side::WayBack => lift(model, now),
        Command::Claim => return on_hold(model, DecisionKind::AgreeHold, now),
        Command::Close => return on_hold(model, DecisionKind::EndHold, now),
        Command::ToAlert => return to_alert(model, now),
        Command::Back => {
            model.board.open = false;
            model.overlay = Overlay::None;
        }
        other => return anywhere(model, other),
    }
    Vec::new()
}

/// Returns the plan with the cursor, when the approvals show.
fn here(model: &Model, now: Timestamp) -> Option<PlanDigest> {
    let inbox = model.inbox(now);
    let at = model.board.cursor.min(inbox.len().checked_sub(1)?);
    (model.board.side == Side::Approvals).then(|| inbox[at].0.clone())
}

/// Returns the debt with the cursor, when the debts show.
fn debt(model: &Model) -> Option<&Debt> {
    let debts = &model.board.debts;
    let at = model.board.cursor.min(debts.len().checked_sub(1)?);
    (model.board.side == Side::Debts).then(|| &debts[at])
}

/// Shows the plan exactly as whoever asks read it.
fn read(model: &mut Model, now: Timestamp) {
    let named = match model.board.side {
        Side::Approvals => here(model, now),
        Side::Debts => {
            debt(model).map(|d| PlanDigest::new(d.id.split('/').next().unwrap_or(&d.id)))
        }
        Side::Campaign => target(model).and_then(|row| row.plan.clone()),
        Side::WayBack => None,
    };
    if named.is_none_or(|digest| !planning::show_stored(model, &digest, now)) {
        model.say(now, Level::Info, "there is no plan to read here");
    }
}

fn refuse(model: &mut Model, now: Timestamp) {
    let Some(digest) = here(model, now) else {
        return model.say(now, Level::Info, "there is no plan to refuse here");
    };
    let state = model.decisions.plan(digest.as_str());
    match state.map(|(_, state)| model.can_judge(state)) {
        Some(Ok(())) => saying::ask(model, Saying::Refuse(digest)),
        Some(Err(why)) => model.say(now, Level::Warn, format!("not refused: {why}")),
        None => {}
    }
}

/// Returns the identity of the campaign with the cursor, when that shows.
fn target(model: &Model) -> Option<&campaign::Row> {
    let (_, ledger) = model.board.campaigns.get(model.board.campaign)?;
    let at = model.board.cursor.min(ledger.rows.len().checked_sub(1)?);
    (model.board.side == Side::Campaign).then(|| &ledger.rows[at])
}

/// Returns whoever is on the way back with the cursor, when that shows.
fn on_way(model: &Model) -> Option<&BackRow> {
    let rows = &model.board.back;
    let at = model.board.cursor.min(rows.len().checked_sub(1)?);
    (model.board.side == Side::WayBack).then(|| &rows[at])
}

/// Asks how the next gate is known to hold.
fn vouch(model: &mut Model, now: Timestamp) {
    let Some(row) = on_way(model) else {
        return model.say(
            now,
            Level::Info,
            "everybody who was contained is trusted again",
        );
    };
    let next = row.way.missing().first().copied();
    let identity = row.identity.clone();
    match next {
        _ if row.is_trusted => model.say(now, Level::Info, "it is trusted again already"),
        Some(gate) => saying::ask(model, Saying::Vouch(identity, gate)),
        None => model.say(
            now,
            Level::Info,
            "every gate is passed; x lifts what stands",
        ),
    }
}

/// Asks why everything that stands on somebody is lifted, once every gate is passed.
fn lift(model: &mut Model, now: Timestamp) {
    let Some(row) = on_way(model) else {
        return model.say(
            now,
            Level::Info,
            "everybody who was contained is trusted again",
        );
    };
    let missing: Vec<&str> = row.way.missing().into_iter().map(Gate::as_str).collect();
    let identity = row.identity.clone();
    if row.is_trusted {
        return model.say(now, Level::Info, "it is trusted again already");
    }
    match missing.as_slice() {
        [] => saying::ask(model, Saying::Lift(identity)),
        some => {
            let text = format!("not lifted: nobody vouched for {} yet", some.join(", "));
            model.say(now, Level::Warn, text);
        }
    }
}

fn on_hold(model: &mut Model, kind: DecisionKind, now: Timestamp) -> Vec<Effect> {
    let Some(debt) = debt(model).filter(|d| d.kind == DebtKind::Hold) else {
        model.say(
            now,
            Level::Info,
            "this is no hold; enter shows the plan, `stanch undo` and `stanch restore` lift it",
        );
        return Vec::new();
    };
    vec![Effect::Record(vec![Decision {
        hold: Some(debt.id.clone()),
        identity: debt.identity.clone(),
        ..Decision::on(
            debt.alert.clone(),
            kind,
            Some("on the debt board".to_owned()),
        )
    }])]
}

fn to_alert(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let alert: Option<AlertId> = match model.board.side {
        Side::Approvals => here(model, now).and_then(|digest| {
            let (_, state) = model.decisions.plan(digest.as_str())?;
            Some(state.plan.alert.clone())
        }),
        Side::Debts => debt(model).map(|d| d.alert.clone()),
        Side::Campaign => target(model).map(|row| row.alert.clone()),
        Side::WayBack => on_way(model).and_then(|row| {
            let last = model.decisions.acts_on(&row.identity).next_back();
            last.map(|act| act.intent.alert.clone())
        }),
    };
    let Some(alert) = alert.filter(|alert| model.queue.slot(alert).is_some()) else {
        model.say(now, Level::Info, "its alert is not in the queue");
        return Vec::new();
    };
    if model.queue.position(&alert).is_none() {
        model.queue.take_in_waiting();
    }
    model.board.open = false;
    model.overlay = Overlay::None;
    model.focus = Some(Pane::Identity);
    triage::select(model, Some(alert))
}

/// Tells whoever sits here at once what others want of them: one line, and the bell where they can do something.
pub fn tell(model: &mut Model, entries: &[Entry], now: Timestamp) {
    if model.board.open {
        model.refresh_debts(now);
    }
    // What stood in the log before is no news.
    if !model.timeline.read {
        return;
    }
    for entry in entries {
        if entry.signer.is_some() && entry.signer == model.own {
            continue;
        }
        let news = match entry.kind {
            RecordType::BreakGlass => alone(model, entry),
            RecordType::Decision => entry.body_as().ok().and_then(|d| wanted(model, entry, &d)),
            _ => None,
        };
        if let Some((text, bell)) = news {
            model.say(now, Level::Warn, text);
            model.bell |= bell;
        }
    }
}

fn alone(model: &Model, entry: &Entry) -> Option<(String, bool)> {
    let broken: BreakGlass = entry.body_as().ok()?;
    let who = writer(model, entry);
    let (who, why) = (show(&who), show(&broken.reason));
    let text = format!(
        "BREAK-GLASS: {who} acts alone by plan {}: {why}",
        broken.digest.short()
    );
    Some((text, true))
}

/// Says who wrote a record: by the roster where there is one.
fn writer(model: &Model, entry: &Entry) -> String {
    let authority = model.authority.as_deref();
    who(authority, entry.signer.as_deref(), &entry.actor)
}

fn wanted(model: &Model, entry: &Entry, decision: &Decision) -> Option<(String, bool)> {
    let who = writer(model, entry);
    let who = show(&who);
    match decision.kind {
        DecisionKind::Ask => {
            let (digest, state) = model.decisions.plan(decision.plan.as_ref()?.as_str())?;
            let mine = model.can_judge(state).is_ok();
            let name = show_identifier(state.plan.identity_name.raw());
            let asks = if mine {
                "asks you to agree (A)"
            } else {
                "asks others to agree"
            };
            let text = format!(
                "{who} {asks}: {} on {name}, plan {}",
                show(&state.plan.playbook),
                digest.short()
            );
            Some((text, mine))
        }
        DecisionKind::TimedOut => {
            let came = decision.came_to?;
            let digest = decision.plan.as_ref()?.short();
            let text = format!(
                "too few agreed to plan {digest} in time: {}",
                came.as_str().replace('_', " ")
            );
            Some((text, came == TimeOut::Escalate))
        }
        DecisionKind::EndHold => {
            let hold = model.decisions.holds.find(decision.hold.as_deref()?)?;
            let text = format!(
                "a hold of {} ended: {}",
                show(&self::who(
                    model.authority.as_deref(),
                    hold.by.signer.as_deref(),
                    &hold.by.actor
                )),
                show(decision.reason.as_deref().unwrap_or_default())
            );
            Some((text, hold.until <= entry.ts))
        }
        DecisionKind::Hold => {
            let until = decision.until?.strftime("%H:%M:%SZ");
            Some((
                format!("{who} holds a containment until {until}: B shows it"),
                true,
            ))
        }
        DecisionKind::Recontain => {
            let whose = show_identifier(decision.identity.as_ref()?.as_str());
            let why = show(decision.reason.as_deref().unwrap_or_default());
            let alert = show_identifier(decision.alert.as_str());
            let text = format!("CONTAIN {whose} AGAIN? alert {alert}: {why}; B shows it");
            Some((text, true))
        }
        DecisionKind::Paged => {
            let why = show(decision.reason.as_deref().unwrap_or_default());
            Some((format!("overdue: {why}"), true))
        }
        _ => None,
    }
}
