//! The policy's screen: which playbooks are armed, in which mode, what they did by themselves, and what is not armed and
//! why. Nothing here acts.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::automation::standstill;
use super::command::Command;
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::triage;
use super::update::anywhere;
use crate::domain::automation::HOUR_S;
use crate::domain::decision::OnBook;
use crate::domain::policy::Mode;
use crate::domain::vocabulary::Tier;

/// The screen.
#[derive(Debug, Default)]
pub struct PolicyScreen {
    /// Whether it is where one is when nothing lies over it.
    pub open: bool,
    /// Which row has the cursor.
    pub cursor: usize,
    /// Whether keys scroll what is told of a playbook.
    pub reading: bool,
    /// First line shown of that.
    pub scroll: usize,
}

/// One playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyRow {
    /// Which.
    pub playbook: String,
    /// One line for people; empty for one that there is not.
    pub title: String,
    /// How far it goes.
    pub tier: Tier,
    /// Whether anybody can use it.
    pub is_armed: bool,
    /// How it runs.
    pub mode: Mode,
    /// How the policy wants it to run.
    pub wanted: Mode,
    /// How long its countdown is, in seconds, where it has one.
    pub countdown_s: Option<u32>,
    /// Why it is not armed, or runs less by itself than the policy wants.
    pub why_not: Vec<String>,
    /// Teams that own its steps.
    pub teams: Vec<String>,
    /// What it did by itself.
    pub by_itself: OnBook,
}

/// Everything on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Where the policy came from.
    pub policy: String,
    /// Why it is not armed.
    pub refused: Option<String>,
    /// Why nothing runs by itself from here.
    pub standstill: Option<&'static str>,
    /// How much ran by itself within the last hour.
    pub ran_in_hour: usize,
    /// How much may.
    pub per_hour: u32,
    /// How many countdowns run.
    pub counting: usize,
    /// Every playbook, what runs by itself first, then what is not armed.
    pub playbooks: Vec<PolicyRow>,
}

/// Puts it together.
pub fn overview(model: &Model, now: Timestamp) -> Overview {
    let since = now
        .checked_sub(SignedDuration::from_secs(HOUR_S))
        .unwrap_or(Timestamp::MIN);
    let alone = model.decisions.alone();
    let mut playbooks = rows(model);
    playbooks.sort_by_key(|row| (std::cmp::Reverse(row.wanted != Mode::Ask), row.is_armed));
    Overview {
        policy: model.policy.name.clone(),
        refused: model.policy.refused.clone(),
        standstill: standstill(model),
        ran_in_hour: alone.runs_since(since),
        per_hour: model.policy.file.automation.per_hour,
        counting: alone.countdowns().count(),
        playbooks,
    }
}

fn rows(model: &Model) -> Vec<PolicyRow> {
    let policy = &model.policy;
    let mode_of = |id: &str| policy.modes.iter().find(|m| m.playbook == id);
    let listed = model.playbooks.iter().map(|book| {
        let said = mode_of(&book.id);
        let mut teams: Vec<String> = Vec::new();
        for step in &book.steps {
            if !teams.contains(&step.team) {
                teams.push(step.team.clone());
            }
        }
        let why = said.and_then(|m| m.why_not.clone());
        PolicyRow {
            playbook: book.id.clone(),
            title: book.title.clone(),
            tier: book.tier(),
            is_armed: book.refused.is_none(),
            mode: policy.mode_of(&book.id),
            wanted: said.map_or(Mode::Ask, |m| m.wanted),
            countdown_s: (policy.mode_of(&book.id) == Mode::Auto)
                .then(|| policy.countdown_s(&book.id)),
            why_not: book.refused.iter().cloned().chain(why).collect(),
            teams,
            by_itself: model.decisions.alone().book(&book.id),
        }
    });
    let unknown = policy.modes.iter().filter(|m| {
        let is_known = model.playbooks.iter().any(|book| book.id == m.playbook);
        !is_known
    });
    let unknown = unknown.map(|m| PolicyRow {
        playbook: m.playbook.clone(),
        title: String::new(),
        tier: Tier::Monitor,
        is_armed: false,
        mode: m.mode,
        wanted: m.wanted,
        countdown_s: None,
        why_not: m.why_not.iter().cloned().collect(),
        teams: Vec::new(),
        by_itself: model.decisions.alone().book(&m.playbook),
    });
    listed.chain(unknown).collect()
}

/// Opens the screen.
pub fn open(model: &mut Model) {
    model.policy_screen = PolicyScreen {
        open: true,
        ..PolicyScreen::default()
    };
    model.overlay = Overlay::Policy;
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    if let Some(rows) = command.rows() {
        go(model, rows, now);
        return Vec::new();
    }
    match command {
        Command::NextPane => {
            model.policy_screen.reading = !model.policy_screen.reading;
        }
        Command::ToAlert => return to_alert(model, now),
        Command::Back if model.policy_screen.reading => model.policy_screen.reading = false,
        Command::Back => leave(model),
        other => return anywhere(model, other),
    }
    Vec::new()
}

fn go(model: &mut Model, delta: isize, now: Timestamp) {
    let last = overview(model, now).playbooks.len().saturating_sub(1);
    let screen = &mut model.policy_screen;
    match screen.reading {
        // The end of a text is known where it is drawn; a position beyond it could not be scrolled back from.
        true if delta == isize::MAX => {}
        true => screen.scroll = screen.scroll.saturating_add_signed(delta),
        false => {
            screen.cursor = screen.cursor.saturating_add_signed(delta).min(last);
            screen.scroll = 0;
        }
    }
}

fn to_alert(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let rows = overview(model, now).playbooks;
    let row = rows.get(model.policy_screen.cursor);
    let Some(alert) = row.and_then(|row| row.by_itself.last_alert.clone()) else {
        model.say(now, Level::Info, "it did nothing by itself yet");
        return Vec::new();
    };
    if model.queue.position(&alert).is_none() {
        model.queue.take_in_waiting();
    }
    leave(model);
    model.focus = Some(Pane::Queue);
    triage::select(model, Some(alert))
}

fn leave(model: &mut Model) {
    model.policy_screen.open = false;
    model.overlay = Overlay::None;
}
