//! The dependency map as a tree in both directions: what breaks, and what is reachable.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Role;
use super::{Ui, frame, scrolled};
use crate::app::model::{Model, Pane};
use crate::domain::graph::{Graph, Walk};
use crate::domain::ids::NodeId;
use crate::domain::text::show;
use crate::domain::vocabulary::Criticality;

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
    let mut lines = section("if cut off, breaks", &detail.impact, graph, ui);
    lines.extend(section(
        "whoever holds it reaches",
        &detail.exposure,
        graph,
        ui,
    ));
    lines.push(named("siblings", &detail.siblings, graph, ui));
    lines.push(named("ways back in", &detail.recovery, graph, ui));
    lines
}

fn section(title: &str, walk: &Walk, graph: &Graph, ui: Ui<'_>) -> Vec<Line<'static>> {
    let count = walk.nodes().count();
    let cut = if walk.truncated { ", cut off here" } else { "" };
    let head = match count {
        0 => format!("{title}: nothing on the map"),
        n => format!("{title} ({n}{cut})"),
    };
    let mut lines = vec![Line::styled(head, ui.theme.style(Role::Title))];
    for branch in &walk.branches {
        let node = graph.node(&branch.node);
        let label = node.map_or_else(
            || branch.node.to_string(),
            |n| show(n.label.raw()).into_owned(),
        );
        let kind = node.map_or("undeclared", |n| n.kind.as_str());
        let again = if branch.seen_before {
            " (see above)"
        } else {
            ""
        };
        let indent = "  ".repeat(branch.depth.saturating_sub(1));
        let (text, role) = criticality(node.and_then(|n| n.criticality));
        lines.push(Line::from(vec![
            Span::styled(
                format!("{indent}{} ", ui.glyphs.tee),
                ui.theme.style(Role::Muted),
            ),
            Span::raw(label),
            Span::styled(
                format!("  {kind}, {}{again}", branch.via.as_str()),
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

fn named(title: &str, nodes: &[NodeId], graph: &Graph, ui: Ui<'_>) -> Line<'static> {
    let names: Vec<String> = nodes
        .iter()
        .map(|id| {
            graph
                .node(id)
                .map_or_else(|| id.to_string(), |n| show(n.label.raw()).into_owned())
        })
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
