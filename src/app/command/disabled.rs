//! Which commands cannot be carried out now, and why.

use super::Command as C;
use super::{Command, Danger, Scope, scope};
use crate::app::away;
use crate::app::model::{Model, Overlay, Stage};
use crate::app::reader::is_searchable;

/// Returns why a command cannot be carried out now; `None` when it can.
pub fn disabled_reason(command: Command, model: &Model) -> Option<String> {
    let spec = command.spec(scope(model))?;
    let records = spec.danger != Danger::Safe && command != Command::Accept;
    if model.read_only && records {
        return Some("this console is read-only".to_owned());
    }
    if records && let Some(reason) = model.looks_on() {
        return Some(reason);
    }
    if records && let Some(problem) = &model.journal_problem {
        return Some(format!("no act without a journal: {problem}"));
    }
    // On the board a key is about the line with its cursor, whatever is selected in the queue.
    let is_board = scope(model) == Scope::Board;
    let needs_alert = !is_board
        && matches!(
            command,
            C::Stage(_)
                | C::DoNothing
                | C::Claim
                | C::Dismiss
                | C::Close
                | C::Note
                | C::Assign
                | C::Snooze
                | C::Mark
                | C::NarrowToIdentity
                | C::Reconcile
                | C::Progress
                | C::PlanHere
                | C::Trace
                | C::Coverage
        );
    if needs_alert && model.selected.is_none() {
        return Some("no alert is selected".to_owned());
    }
    match command {
        C::Page => away::refused(model),
        C::Editor => Some("nothing is being written".to_owned()),
        C::Suspend if model.acting() => {
            Some("an act is under way; suspending would freeze it half done".to_owned())
        }
        C::Stage(_) | C::DoNothing | C::Dismiss | C::Close if !is_board && model.is_over() => {
            Some("it is closed; claim it to open it again".to_owned())
        }
        C::Stage(_) if !model.marks.is_empty() => Some(
            "alerts are marked, and a plan is for one alert; esc takes the marks off".to_owned(),
        ),
        C::TourNext | C::TourEnd if model.tour.is_none() => Some("no tour is on".to_owned()),
        C::Filter if scope(model) == Scope::Reader && !is_searchable(&model.overlay) => {
            Some("help and messages can be searched, this cannot".to_owned())
        }
        C::Score if model.drill.is_none() => Some("only the drill has a score".to_owned()),
        C::Stop => match &model.overlay {
            Overlay::Plan(view) if view.stage == Stage::Running => None,
            _ => Some("nothing is running".to_owned()),
        },
        C::BreakGlass => match &model.overlay {
            Overlay::Plan(view) if view.stage == Stage::WaitingApproval => {
                (model.authority.is_none()).then(|| "nobody has to be asked here".to_owned())
            }
            _ => Some("nothing waits for others here".to_owned()),
        },
        C::TakeBack => match &model.overlay {
            Overlay::Plan(view) if view.stage == Stage::Ended => None,
            Overlay::Plan(view) if view.stage == Stage::Running => {
                Some("the plan is running".to_owned())
            }
            _ => Some("nothing was done yet".to_owned()),
        },
        C::HandOffDone => match &model.overlay {
            Overlay::Plan(view) if matches!(view.stage, Stage::Running | Stage::Ended) => None,
            _ => Some("nothing was handed over yet".to_owned()),
        },
        C::Coverage => match &model.overlay {
            Overlay::Plan(view) if !matches!(view.stage, Stage::Running | Stage::Ended) => {
                Some("nothing was done yet".to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}
