//! The dependency map as a tree in both directions: what breaks, and what is reachable.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Role;
use super::{Ui, frame, scrolled};
use crate::app::model::{Model, Pane};
use crate::domain::graph::{Graph, NodeIx, Walk};
use crate::domain::text::show;
use crate::domain::vocabulary::Criticality;

/// Deepest indentation; what lies deeper stands at the same place.
const DEEPEST: usize = 12;

/// Most names in one line.
const MOST_NAMED: usize = 50;

/// Draws the map.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Some(Pane::Map);
    let inside = frame("Dependency map", focused, ui, area, buf);
    scrolled(
        lines(model, ui),
        if focused { model.scroll } else { 0 },
        ui,
        inside,
        buf,
    );
}

fn lines(model: &Model, ui: Ui<'_>) -> Vec<Line<'static>> {
    let detail = &model.detail;
    if detail.identity.is_none() {
        return vec![Line::raw("No identity, so no map.")];
    }
    let graph = model.inventory.graph();
    if detail
        .identity
        .as_ref()
        .is_some_and(|card| !card.is_listed())
    {
        let text = "Not in the inventory: what breaks without it, and what it reaches, is unknown.";
        return vec![Line::styled(text, ui.theme.style(Role::Warn))];
    }
    let look = &detail.look;
    let mut lines = section("if cut off, breaks", &look.impact, graph, ui);
    lines.extend(section(
        "whoever holds it reaches",
        &look.exposure,
        graph,
        ui,
    ));
    let siblings = look.siblings.found.iter().map(|s| s.node);
    lines.push(named("siblings", siblings, graph, ui));
    lines.push(named(
        "ways back in",
        look.recovery.iter().copied(),
        graph,
        ui,
    ));
    lines
}

fn section(title: &str, walk: &Walk, graph: &Graph, ui: Ui<'_>) -> Vec<Line<'static>> {
    let count = walk.count();
    let cut = if walk.truncated { ", cut off here" } else { "" };
    let head = match count {
        0 => format!("{title}: nothing on the map"),
        n => format!("{title} ({n}{cut})"),
    };
    let mut lines = vec![Line::styled(head, ui.theme.style(Role::Title))];
    for branch in &walk.branches {
        let Some(node) = graph.at(branch.node) else {
            continue;
        };
        let label = show(node.label.raw()).into_owned();
        let kind = node.kind.as_str();
        let indent = "  ".repeat((branch.depth as usize - 1).min(DEEPEST));
        let (text, role) = criticality(node.criticality);
        lines.push(Line::from(vec![
            Span::styled(
                format!("{indent}{} ", ui.glyphs.tee),
                ui.theme.style(Role::Muted),
            ),
            Span::raw(label),
            Span::styled(
                format!("  {kind}, {}", branch.how()),
                ui.theme.style(Role::Muted),
            ),
            Span::styled(text, ui.theme.style(role)),
        ]));
    }
    lines
}

fn criticality(value: Option<Criticality>) -> (&'static str, Role) {
    match value {
        Some(Criticality::BusinessCritical) => ("  BUSINESS CRITICAL", Role::Error),
        Some(Criticality::High) => ("  high", Role::Warn),
        _ => ("", Role::Base),
    }
}

fn named(
    title: &str,
    nodes: impl Iterator<Item = NodeIx>,
    graph: &Graph,
    ui: Ui<'_>,
) -> Line<'static> {
    let names: Vec<String> = nodes
        .filter_map(|at| Some(show(graph.at(at)?.label.raw()).into_owned()))
        .take(MOST_NAMED)
        .collect();
    let text = if names.is_empty() {
        "none on the map".to_owned()
    } else {
        names.join(", ")
    };
    Line::from(vec![
        Span::styled(format!("{title}: "), ui.theme.style(Role::Title)),
        Span::raw(text),
    ])
}
