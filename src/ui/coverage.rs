//! The coverage matrix: nodes by layers, each cell a mark that the legend and the list below spell out; below it every cell
//! in words, with what is left until when.

use std::fmt::Write as _;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::plan::cell_role;
use super::theme::Role;
use super::{Ui, cut_bottom, cut_top, frame, picture, trust_tag};
use crate::app::model::Model;
use crate::app::row_state::RowState;
use crate::domain::alert::age;
use crate::domain::coverage::CellState;
use crate::domain::coverage::matrix::{Cell, Coverage};
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::text::{cells, fit, show};
use crate::domain::vocabulary::Layer;

/// Width of the column with the nodes' names.
const NAME: usize = 18;
/// Width of the column of a layer.
const LAYER: usize = 6;

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let Some(alert) = &model.coverage.alert else {
        return;
    };
    let coverage = model.coverage_of(alert);
    let at = match coverage.cells.len() {
        0 => 0,
        all => model.coverage.cursor.min(all - 1) + 1,
    };
    let title = format!("Coverage {at}/{}", coverage.cells.len());
    let inside = frame(&title, true, ui, area, buf);
    let width = usize::from(inside.width);
    if coverage.nodes.is_empty() {
        let text = "Nothing was contained for this alert yet: stage an option with its number.";
        Paragraph::new(fit(text, width, ui.glyphs.ellipsis)).render(inside, buf);
        return;
    }
    let mut head = picture::exposed(model, alert, ui, inside);
    head.push(watch(model, alert, ui, width));
    head.extend(matrix(
        model,
        &coverage,
        ui,
        width,
        usize::from(inside.height) / 3,
    ));
    head.push(legend(&coverage, ui, width));
    let (top, rest) = cut_top(inside, head.len() as u16);
    Paragraph::new(head).render(top, buf);
    let (list, foot) = cut_bottom(rest, 1);
    let said = selected(model, &coverage, ui, width);
    let (list, below) = cut_bottom(list, said.len() as u16);
    Paragraph::new(rows(model, &coverage, ui, list)).render(list, buf);
    Paragraph::new(said).render(below, buf);
    Paragraph::new(verdict(model, alert, &coverage, ui, width)).render(foot, buf);
}

/// Says for how long a use opens the alert again, or that one did.
fn watch(model: &Model, alert: &AlertId, ui: Ui<'_>, width: usize) -> Line<'static> {
    let (text, role) = if let Some(why) = model.reopened(alert) {
        (format!(" REOPENED: {}", show(why)), Role::Error)
    } else {
        let watched = model.watched(ui.now).into_iter();
        let until = watched.filter(|w| w.alert == *alert).map(|w| w.until).max();
        match until {
            Some(until) => (
                format!(
                    " watched for {} more: any use opens the alert again",
                    age(ui.now, until)
                ),
                Role::Key,
            ),
            None => (
                " not watched: nothing is proven, or the time is over".to_owned(),
                Role::Muted,
            ),
        }
    };
    Line::styled(fit(&text, width, ui.glyphs.ellipsis), ui.theme.style(role))
}

/// A node a line, a layer a column, with what is left in the cell where it ends by itself.
fn matrix(
    model: &Model,
    coverage: &Coverage,
    ui: Ui<'_>,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let layers: Vec<Layer> = Layer::ALL
        .iter()
        .copied()
        .filter(|layer| coverage.cells.iter().any(|c| c.name.layer == *layer))
        .collect();
    let mut head = " ".repeat(NAME + 1);
    for layer in &layers {
        let word = short(*layer);
        // Writing to a String cannot fail.
        let _ = write!(head, "{word:<LAYER$}");
    }
    let mut lines = vec![Line::styled(
        fit(&head, width, ui.glyphs.ellipsis),
        ui.theme.style(Role::Muted),
    )];
    let room = height.saturating_sub(1).max(2);
    let listed = match coverage.nodes.len() {
        all if all <= room => all,
        _ => room - 1,
    };
    for (node, label) in coverage.nodes.iter().take(listed) {
        let name = fit(&label.show(), NAME, ui.glyphs.ellipsis);
        let pad = NAME.saturating_sub(cells(&name));
        let mut spans = vec![Span::raw(format!("{name}{} ", " ".repeat(pad)))];
        for layer in &layers {
            let cell = coverage.cell(node, *layer);
            let (text, role) = cell.map_or((String::new(), Role::Muted), |c| mark(c, ui));
            let pad = LAYER.saturating_sub(cells(&text));
            spans.push(Span::styled(text, ui.theme.style(role)));
            spans.push(Span::raw(" ".repeat(pad)));
        }
        if let Some((tag, role)) = trust_tag(model, &IdentityId::new(node.as_str()), ui) {
            let room = width.saturating_sub(NAME + 1 + layers.len() * LAYER);
            let tag = fit(&tag, room, ui.glyphs.ellipsis);
            spans.push(Span::styled(tag, ui.theme.style(role)));
        }
        lines.push(Line::from(spans));
    }
    let hidden = coverage.nodes.len() - listed + coverage.more;
    if hidden > 0 {
        let text = format!(
            "{} {hidden} more linked; M shows the map",
            ui.glyphs.ellipsis
        );
        lines.push(Line::styled(text, ui.theme.style(Role::Muted)));
    }
    lines
}

/// A layer's name as wide as its column; the list below has it in full.
const fn short(layer: Layer) -> &'static str {
    match layer {
        Layer::Sessions => "sess",
        Layer::Tokens => "token",
        Layer::Credentials => "creds",
        Layer::Grants => "grant",
        Layer::Permissions => "perms",
        Layer::Workload => "work",
        Layer::Pipeline => "pipe",
        Layer::Recovery => "recov",
        Layer::Siblings => "sibl",
    }
}

fn mark(cell: &Cell, ui: Ui<'_>) -> (String, Role) {
    let mark = ui.glyphs.cell(cell.state);
    let accepted = if cell.accepted.is_some() { "R" } else { "" };
    let left = left(cell, ui.now).unwrap_or_default();
    (format!("{mark}{accepted}{left}"), role(cell))
}

const fn role(cell: &Cell) -> Role {
    match cell.accepted {
        Some(_) => Role::Warn,
        None => cell_role(cell.state),
    }
}

/// How long what a cell leaves is good still.
fn left(cell: &Cell, now: Timestamp) -> Option<String> {
    cell.left_s(now)?;
    cell.until.map(|until| age(now, until))
}

/// The marks that stand above, in words.
fn legend(coverage: &Coverage, ui: Ui<'_>, width: usize) -> Line<'static> {
    let states = [
        CellState::Proven,
        CellState::Requested,
        CellState::Failed,
        CellState::Unknown,
        CellState::NotContainable,
        CellState::Open,
        CellState::HandedOff,
    ];
    let there = |state: &&CellState| coverage.cells.iter().any(|c| c.state == **state);
    let mut words: Vec<String> = states
        .iter()
        .filter(there)
        .map(|state| format!("{} {}", ui.glyphs.cell(*state), state.words()))
        .collect();
    if coverage.cells.iter().any(|c| c.accepted.is_some()) {
        words.push("R risk accepted".to_owned());
    }
    Line::styled(
        fit(&words.join("  "), width, ui.glyphs.ellipsis),
        ui.theme.style(Role::Muted),
    )
}

/// The cells in words, around the cursor.
fn rows(model: &Model, coverage: &Coverage, ui: Ui<'_>, area: Rect) -> Vec<Line<'static>> {
    let (all, height) = (coverage.cells.len(), usize::from(area.height));
    let cursor = model.coverage.cursor.min(all.saturating_sub(1));
    let first = cursor
        .saturating_sub(height / 2)
        .min(all.saturating_sub(height));
    let shown = coverage.cells.iter().enumerate().skip(first).take(height);
    shown
        .map(|(place, cell)| row(cell, place == cursor, ui, usize::from(area.width)))
        .collect()
}

fn row(cell: &Cell, selected: bool, ui: Ui<'_>, width: usize) -> Line<'static> {
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    let word = format!("{} {}", ui.glyphs.cell(cell.state), cell.state.words());
    let head = format!("{cursor}{word:<18}");
    let left = left(cell, ui.now).map_or_else(String::new, |left| format!("{left} left: "));
    let risk = if cell.accepted.is_some() {
        "RISK ACCEPTED: "
    } else {
        ""
    };
    let text = format!(
        "{:<12}{:<NAME$} {risk}{left}{}",
        cell.name.layer.as_str(),
        fit(&cell.label.show(), NAME, ui.glyphs.ellipsis),
        cell.says
    );
    let room = width.saturating_sub(cells(&head));
    let text = fit(&text, room, ui.glyphs.ellipsis);
    let fill = " ".repeat(room.saturating_sub(cells(&text)));
    let style = |role| ui.theme.row(role, selected);
    let (base, state) = (style(Role::Base), style(role(cell)));
    Line::from(vec![
        Span::styled(head, state),
        Span::styled(text + &fill, base),
    ])
}

/// All that is known of the cell with the cursor, as it is too long for a line.
fn selected(model: &Model, coverage: &Coverage, ui: Ui<'_>, width: usize) -> Vec<Line<'static>> {
    const MOST: usize = 3;
    let Some(cell) = coverage.cells.get(model.coverage.cursor) else {
        return Vec::new();
    };
    let mut text = format!(" {}", cell.says);
    if let Some(until) = cell.until {
        let word = if cell.left_s(ui.now).is_some() {
            "ends by itself at"
        } else {
            "ran out at"
        };
        let _ = write!(text, "; {word} {}", until.strftime("%H:%MZ"));
    }
    if let Some(accepted) = &cell.accepted {
        let (by, why) = (show(&accepted.by), show(&accepted.reason));
        let _ = write!(text, "; the risk is taken on by {by}: {why}");
    }
    let line = Line::styled(text, ui.theme.style(Role::Muted));
    let mut lines = vec![Line::default()];
    lines.extend(super::wrap::wrap_all(vec![line], width));
    lines.truncate(MOST);
    lines
}

/// Says whether the alert can be closed, and because of which cells not.
fn verdict(
    model: &Model,
    alert: &AlertId,
    coverage: &Coverage,
    ui: Ui<'_>,
    width: usize,
) -> Line<'static> {
    let checks = match coverage.to_check().count() {
        0 => String::new(),
        1 => "; 1 is still to be looked at".to_owned(),
        n => format!("; {n} are still to be looked at"),
    };
    let (text, role) = match (model.row_state(alert), coverage.refusal()) {
        (RowState::Closed, _) => (" Closed as contained.".to_owned(), Role::Good),
        (RowState::Dismissed, _) => (" Dismissed.".to_owned(), Role::Muted),
        (RowState::Reopened, _) => (
            " NOT OVER: used after it was contained; contain it again.".to_owned(),
            Role::Error,
        ),
        (_, Some(cells)) => (format!(" NOT OVER: {cells}{checks}."), Role::Error),
        (_, None) => (
            format!(" Can be closed as contained (X){checks}."),
            Role::Good,
        ),
    };
    Line::styled(fit(&text, width, ui.glyphs.ellipsis), ui.theme.style(role))
}

/// One line for the plan overlay: the layers of its identity.
pub(super) fn summary(model: &Model, alert: &AlertId, ui: Ui<'_>) -> Option<Line<'static>> {
    let coverage = model.coverage_of(alert);
    let first = coverage.nodes.first()?.0.clone();
    let mut spans = vec![Span::styled(" COVERAGE  ", ui.theme.style(Role::Title))];
    for cell in coverage.cells.iter().filter(|c| c.name.node == first) {
        let (mark, role) = mark(cell, ui);
        let text = format!("{} {mark} {}  ", cell.name.layer, cell.state.words());
        spans.push(Span::styled(text, ui.theme.style(role)));
    }
    let more = coverage.nodes.len() - 1 + coverage.more;
    if more > 0 {
        let text = format!("and {more} linked (c)");
        spans.push(Span::styled(text, ui.theme.style(Role::Muted)));
    }
    Some(Line::from(spans))
}
