//! The dependency map beside the queue: what breaks, what is reachable, what joined the incident. The whole of it has a
//! screen of its own.

mod card;
pub(super) mod row;
pub mod screen;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Role;
use super::{Ui, frame, scrolled};
use crate::app::model::{Model, Pane};
use crate::domain::graph::{Graph, Joined, NodeIx, NodeKind, Walk};
use crate::domain::text::show;

/// Deepest indentation; what lies deeper stands at the same place.
const DEEPEST: usize = 12;

/// Most branches of a walk that the pane draws; the screen of the map has all.
const MOST_DRAWN: usize = 60;

/// Most names in one line.
const MOST_NAMED: usize = 50;

/// Draws the map.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let focused = model.focus == Some(Pane::Map);
    let title = match model.detail.identity {
        Some(_) => "Dependency map (M)",
        None => "Dependency map",
    };
    let inside = frame(title, focused, ui, area, buf);
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
    let Some(card) = &detail.identity else {
        return vec![Line::raw("No identity, so no map.")];
    };
    let graph = &detail.graph;
    let mut lines: Vec<Line<'static>> = newcomers(model, Joined::Born, ui).into_iter().collect();
    lines.splice(0..0, super::trust_line(model, &card.id, ui));
    if !card.is_listed() {
        let text = "Not in the inventory: what breaks without it, and what it reaches, is unknown.";
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
        return lines;
    }
    let look = &detail.look;
    lines.extend(section("if cut off, breaks", &look.impact, graph, ui));
    lines.extend(section(
        "whoever holds it reaches",
        &look.exposure,
        graph,
        ui,
    ));
    let siblings = look.siblings.found.iter().map(|s| s.node);
    lines.push(named("siblings", siblings, graph, ui));
    let recovery = look.recovery.iter().copied();
    lines.push(named("ways back in", recovery, graph, ui));
    lines.extend(newcomers(model, Joined::Touched, ui));
    lines
}

/// Names what joined the incident, for the card: what was born, then what was touched.
pub fn joined(model: &Model, ui: Ui<'_>) -> impl Iterator<Item = Line<'static>> {
    let both = [Joined::Born, Joined::Touched];
    both.into_iter()
        .filter_map(move |how| newcomers(model, how, ui))
}

fn newcomers(model: &Model, how: Joined, ui: Ui<'_>) -> Option<Line<'static>> {
    let all = model.detail.newcomers.iter().filter(|n| n.joined == how);
    let one = |n: &crate::domain::newcomers::Newcomer| {
        format!("{} {}", n.kind.as_str(), show(n.label.raw()))
    };
    let names: Vec<String> = all.map(one).take(MOST_NAMED).collect();
    let (title, role) = match how {
        Joined::Born => ("born in the window", Role::Error),
        Joined::Touched => ("touched in the window", Role::Warn),
    };
    (!names.is_empty()).then(|| {
        Line::from(vec![
            Span::styled(format!("{title}: "), ui.theme.style(role)),
            Span::raw(names.join(", ")),
        ])
    })
}

fn section(title: &str, walk: &Walk, graph: &Graph, ui: Ui<'_>) -> Vec<Line<'static>> {
    let more = if walk.truncated { " or more" } else { "" };
    let head = match walk.count() {
        0 => format!("{title}: nothing on the map"),
        n => format!("{title} ({n}{more})"),
    };
    let mut lines = vec![Line::styled(head, ui.theme.style(Role::Title))];
    let mut drawn = 0;
    for branch in &walk.branches {
        let Some(node) = graph.at(branch.node) else {
            continue;
        };
        // Sessions have a pane of their own.
        if node.kind == NodeKind::Session {
            continue;
        }
        if drawn == MOST_DRAWN {
            let text = "  and more: M shows all";
            lines.push(Line::styled(text, ui.theme.style(Role::Key)));
            break;
        }
        drawn += 1;
        let indent = "  ".repeat((branch.depth as usize).saturating_sub(1).min(DEEPEST));
        let muted = ui.theme.style(Role::Muted);
        let mut spans = vec![
            Span::styled(format!("{indent}{} ", ui.glyphs.tee), muted),
            Span::raw(show(node.label.raw()).into_owned()),
        ];
        let kind = format!("  {}, {}", node.kind.as_str(), branch.how());
        spans.push(Span::styled(kind, muted));
        let tags = row::node_tags(graph, branch.node, node).into_iter();
        let tags = tags.chain(row::branch_tags(node, branch, ui.now));
        spans.extend(
            tags.map(|(text, role)| Span::styled(format!("  {text}"), ui.theme.style(role))),
        );
        lines.push(Line::from(spans));
    }
    lines
}

fn named(
    title: &str,
    nodes: impl Iterator<Item = NodeIx>,
    graph: &Graph,
    ui: Ui<'_>,
) -> Line<'static> {
    let names: Vec<String> = nodes
        .map(|at| row::name(graph, at))
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
