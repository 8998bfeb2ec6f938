//! The way back to trust: one identity a line, and below them its gates, what stands on it, and what is missing.

use ratatui::text::{Line, Span};

use super::{Lines, styled};
use crate::app::board::BackRow;
use crate::app::model::Model;
use crate::domain::authority::who;
use crate::domain::hold::Gate;
use crate::domain::text::{show, show_identifier};
use crate::ui::theme::Role;
use crate::ui::{Ui, trust_role};

/// Returns the list, and the one at the cursor in full.
pub fn lines(model: &Model, ui: Ui<'_>, width: usize) -> (Lines, Lines) {
    let rows = &model.board.back;
    let at = model.board.cursor.min(rows.len().saturating_sub(1));
    let line = |(n, row): (usize, &BackRow)| {
        let missing = row.way.missing().len();
        let word = match (row.is_trusted, missing) {
            (true, _) => "watched".to_owned(),
            (false, 0) => "can be lifted".to_owned(),
            (false, n) => format!("{} of {} gates", Gate::ALL.len() - n, Gate::ALL.len()),
        };
        let text = format!(
            "{word:<14} {}  {}",
            show_identifier(row.identity.as_str()),
            row.trust
        );
        styled(&text, n == at, trust_role(&row.trust), width, ui)
    };
    let lines = rows.iter().enumerate().map(line).collect();
    let full = rows.get(at).map(|row| full(model, row, ui));
    (lines, full.unwrap_or_default())
}

fn full(model: &Model, row: &BackRow, ui: Ui<'_>) -> Lines {
    let mut lines = Vec::new();
    for gate in Gate::ALL {
        let (mark, role, by) = match row.way.gates.get(gate) {
            Some(said) => {
                let when = said.at.strftime("%m-%d %H:%MZ");
                let authority = model.authority.as_deref();
                let who = who(authority, said.signer.as_deref(), &said.actor);
                let who = show(&who);
                let by = format!("{who}, {when}: {}", show(&said.reason));
                (ui.glyphs.proven, Role::Good, by)
            }
            None => (ui.glyphs.failed, Role::Error, "NOBODY YET".to_owned()),
        };
        lines.push(Line::from(vec![
            Span::styled(
                format!("{mark} {:<14}", gate.as_str().replace('_', " ")),
                ui.theme.style(role),
            ),
            Span::raw(format!("{by}  ")),
            Span::styled(gate.says(), ui.theme.style(Role::Muted)),
        ]));
    }
    for stands in &row.stands {
        let text = format!("stands: {}", show(stands));
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    if row.stands.is_empty() {
        lines.push(Line::raw("no control stands on it"));
    }
    lines
}
