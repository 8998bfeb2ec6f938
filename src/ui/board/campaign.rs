//! A campaign: how far it has come, one identity a line, those who are live first.

use ratatui::text::Line;

use super::{Lines, styled};
use crate::app::model::Model;
use crate::domain::campaign::{Row, Stand};
use crate::domain::text::{show, show_identifier};
use crate::ui::Ui;
use crate::ui::picture::burn_down;
use crate::ui::theme::Role;

/// Returns the list, and the one at the cursor in full.
pub fn lines(model: &Model, ui: Ui<'_>, width: usize) -> (Lines, Lines) {
    let Some((campaign, ledger)) = model.board.campaigns.get(model.board.campaign) else {
        return Default::default();
    };
    let rows = &ledger.rows;
    let at = model.board.cursor.min(rows.len().saturating_sub(1));
    let line = |(n, row): (usize, &Row)| {
        let live = if row.stand.is_live() { "LIVE" } else { "-" };
        let text = format!(
            "{live:<5}{:<16}{}  {}",
            row.stand.as_str().replace('_', " "),
            show_identifier(row.identity.as_str()),
            show(&row.says)
        );
        styled(&text, n == at, role(row.stand), width, ui)
    };
    let lines = rows.iter().enumerate().map(line).collect();
    let muted = ui.theme.style(Role::Muted);
    let which = match model.board.campaigns.len() {
        1 => String::new(),
        n => format!("  ({} of {n}; ] shows the next)", model.board.campaign + 1),
    };
    let filter = campaign.filter.as_ref();
    let filter = filter.map_or_else(String::new, |f| format!(", filter {}", show(f)));
    let count = match ledger.live() {
        0 => Role::Good,
        _ => Role::Error,
    };
    let mut full = vec![
        Line::styled(
            format!("{}{which}", show(&campaign.by.reason)),
            ui.theme.style(Role::Title),
        ),
        Line::styled(ledger.says(), ui.theme.style(count)),
    ];
    full.extend(burn_down(&model.board.burned, width.min(60), ui));
    full.push(Line::styled(
        format!(
            "{}, begun by {} at {}{filter}",
            campaign.id,
            show(&campaign.by.actor),
            campaign.by.at.strftime("%F %H:%MZ")
        ),
        muted,
    ));
    if let Some(said) = &campaign.ended {
        let text = format!("ended by {}: {}", show(&said.actor), show(&said.reason));
        full.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    if let Some(row) = rows.get(at) {
        let id = show_identifier(row.identity.as_str());
        full.push(Line::raw(format!("{id}: {}", show(&row.says))));
        let plan = match &row.plan {
            Some(digest) => format!("plan {}; enter reads it", digest.short()),
            None => format!(
                "no plan; `stanch campaign plan {}` makes one for each",
                campaign.id
            ),
        };
        full.push(Line::styled(plan, muted));
    }
    (lines, full)
}

const fn role(stand: Stand) -> Role {
    match stand {
        Stand::Contained | Stand::Restored | Stand::Unused => Role::Good,
        Stand::Failed | Stand::Unknown | Stand::TakenBack => Role::Error,
        Stand::Waiting | Stand::Partly | Stand::UnprovenUnused => Role::Warn,
        _ => Role::Base,
    }
}
