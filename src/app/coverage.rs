//! The coverage matrix of an alert: going about its cells, what people found by hand, risks that somebody takes on.

use jiff::Timestamp;
use tui_input::Input;

use super::command::Command;
use super::model::{Level, Model, Overlay, ReasonPrompt};
use super::msg::Effect;
use super::update::anywhere;
use super::{born, deciding, planning};
use crate::domain::coverage::CellState;
use crate::domain::coverage::matrix::{Cell, Coverage, Facts, coverage};
use crate::domain::decision::DecisionKind;
use crate::domain::ids::{AlertId, PlanDigest};
use crate::domain::watching::{self, Watched};

/// The screen.
#[derive(Clone, Debug, Default)]
pub struct CoverageScreen {
    /// Whether it lies over the triage screen, maybe with something over it.
    pub open: bool,
    /// Whose matrix.
    pub alert: Option<AlertId>,
    /// Which cell has the cursor.
    pub cursor: usize,
    /// Whether it was opened over a plan, to which it goes back.
    pub from_plan: bool,
}

impl Model {
    /// Returns the coverage matrix of an alert.
    pub fn coverage_of(&self, alert: &AlertId) -> Coverage {
        let born = if self.selected.as_ref() == Some(alert) {
            born::targets(&self.detail)
        } else {
            Vec::new()
        };
        let running = |digest: &PlanDigest| self.runs_plan(digest);
        coverage(&Facts {
            decisions: &self.decisions,
            inventory: &self.inventory,
            born: &born,
            alert,
            running: &running,
            now: self.now,
        })
    }

    /// Returns who is under watch now, the latest first.
    pub fn watched(&self, now: Timestamp) -> Vec<Watched> {
        watching::windows(&self.decisions, self.desk.watch.window_s, now)
    }

    /// Returns by what an alert was opened again after it had been contained.
    pub fn reopened(&self, alert: &AlertId) -> Option<&str> {
        watching::reopened(&self.decisions, alert).map(|(_, why)| why)
    }
}

/// Opens the matrix of the selected alert, or of the plan that is shown.
pub fn open(model: &mut Model) {
    let of_plan = match &model.overlay {
        Overlay::Plan(view) => Some(view.alert.clone()),
        _ => None,
    };
    model.coverage = CoverageScreen {
        open: true,
        from_plan: of_plan.is_some(),
        alert: of_plan.or_else(|| Some(model.acted_of_line(model.selected.as_ref()?))),
        cursor: 0,
    };
    model.overlay = Overlay::Coverage;
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    let Some(alert) = model.coverage.alert.clone() else {
        leave(model, now);
        return Vec::new();
    };
    if let Some(rows) = command.rows() {
        let last = model.coverage_of(&alert).cells.len().saturating_sub(1);
        let to = model.coverage.cursor.saturating_add_signed(rows);
        model.coverage.cursor = to.min(last);
        return Vec::new();
    }
    match command {
        Command::AcceptRisk => accept_risk(model, &alert, now),
        Command::Checked(holds) => checked(model, &alert, holds, now),
        Command::Reconcile => {
            model.say(now, Level::Info, "reading back; nothing is sent again");
            return vec![Effect::Reconcile(alert)];
        }
        Command::Close => return deciding::close_alert(model, alert, now),
        Command::Back => leave(model, now),
        other => return anywhere(model, other),
    }
    Vec::new()
}

fn leave(model: &mut Model, now: Timestamp) {
    let screen = std::mem::take(&mut model.coverage);
    match screen.alert {
        Some(alert) if screen.from_plan => planning::reopen_for(model, &alert, now),
        _ => model.overlay = model.resting(),
    }
}

fn here(model: &mut Model, alert: &AlertId, now: Timestamp) -> Option<Cell> {
    let cell = model
        .coverage_of(alert)
        .cells
        .get(model.coverage.cursor)
        .cloned();
    if cell.is_none() {
        model.say(now, Level::Info, "no cell is here");
    }
    cell
}

fn accept_risk(model: &mut Model, alert: &AlertId, now: Timestamp) {
    let Some(cell) = here(model, alert, now) else {
        return;
    };
    if let Some(refusal) = no_risk(&cell) {
        model.say(now, Level::Warn, refusal);
        return;
    }
    ask(model, alert, cell, DecisionKind::AcceptRisk, None);
}

/// Says why a cell has no risk to take on; `None` when it has.
pub fn no_risk(cell: &Cell) -> Option<&'static str> {
    match cell.state {
        CellState::Proven => Some("this is proven; there is no risk to take on"),
        _ if cell.accepted.is_some() => Some("the risk of this is taken on already"),
        _ => None,
    }
}

/// Says why nobody can answer for a cell by having looked; `None` when somebody can.
pub fn not_by_hand(cell: &Cell) -> Option<&'static str> {
    (!cell.is_by_hand()).then_some(
        "the provider's read-back answers for this (v reads what is unknown); a risk can be accepted with A",
    )
}

fn checked(model: &mut Model, alert: &AlertId, holds: bool, now: Timestamp) {
    let Some(cell) = here(model, alert, now) else {
        return;
    };
    if let Some(refusal) = not_by_hand(&cell) {
        model.say(now, Level::Warn, refusal);
        return;
    }
    ask(
        model,
        alert,
        cell,
        DecisionKind::Checked,
        Some(found(holds)),
    );
}

/// Returns what a look by hand came to.
pub const fn found(holds: bool) -> CellState {
    if holds {
        CellState::Proven
    } else {
        CellState::Failed
    }
}

fn ask(
    model: &mut Model,
    alert: &AlertId,
    cell: Cell,
    kind: DecisionKind,
    found: Option<CellState>,
) {
    model.overlay = Overlay::Reason(ReasonPrompt {
        kind,
        alerts: vec![alert.clone()],
        cell: Some(cell.name),
        found,
        step: None,
        input: Input::default(),
    });
}
