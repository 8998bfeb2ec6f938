//! One line of the map: what it is called, what weighs in, how it hangs on the line above.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use crate::app::map::tree::{Tree, What};
use crate::app::map::{Tab, View};
use crate::app::model::Model;
use crate::domain::alert::age;
use crate::domain::graph::{
    AccessLayer, Branch, EdgeKind, Graph, Joined, Node, NodeIx, NodeKind, NodeState, Privilege,
    Shared,
};
use crate::domain::ids::IdentityId;
use crate::domain::text::{cells, fit, show};
use crate::domain::vocabulary::Criticality;
use crate::ui::Ui;
use crate::ui::theme::Role;

/// Deepest indentation, in levels; what lies deeper says how deep it lies.
const DEEPEST: u32 = 8;

/// What ends within these seconds may be waited for.
const SOON_S: i64 = 24 * 3_600;

/// A piece of a line.
pub type Tag = (String, Role);

/// Returns a node's name as it is drawn.
pub fn name(graph: &Graph, node: NodeIx) -> String {
    graph
        .at(node)
        .map_or_else(String::new, |n| show(n.label.raw()).into_owned())
}

/// Says until when something lasts.
pub fn lasts(until: Timestamp, now: Timestamp) -> Tag {
    if until <= now {
        return (format!("ended {} ago", age(until, now)), Role::Muted);
    }
    let soon = until.as_second() - now.as_second() < SOON_S;
    let role = if soon { Role::Warn } else { Role::Muted };
    (format!("ends in {}", age(now, until)), role)
}

/// Returns the meaning of a layer for the theme; its word stands in brackets, so that it is a mark without colour too.
pub const fn layer_role(layer: AccessLayer) -> Role {
    match layer {
        AccessLayer::Cached => Role::Info,
        AccessLayer::Delegated => Role::Medium,
        AccessLayer::Downstream => Role::High,
    }
}

/// Returns what weighs in of a node, the weightiest first.
pub fn node_tags(graph: &Graph, at: NodeIx, node: &Node) -> Vec<Tag> {
    let mut tags = Vec::new();
    match node.joined {
        Some(Joined::Born) => tags.push((Joined::Born.as_str().to_owned(), Role::Error)),
        Some(Joined::Touched) => tags.push((Joined::Touched.as_str().to_owned(), Role::Warn)),
        None => {}
    }
    match node.criticality {
        Some(Criticality::BusinessCritical) => tags.push(("BUSINESS CRITICAL".into(), Role::Error)),
        Some(Criticality::High) => tags.push(("high".into(), Role::Warn)),
        _ => {}
    }
    match node.state {
        Some(state @ (NodeState::Used | NodeState::Compromised)) => {
            tags.push((state.as_str().into(), Role::Error));
        }
        Some(state @ (NodeState::Armed | NodeState::Guarded)) => {
            tags.push((state.as_str().into(), Role::Warn));
        }
        Some(NodeState::Disabled) => tags.push(("disabled".into(), Role::Muted)),
        Some(NodeState::Enabled) | None => {}
    }
    tags.extend(shared_tag(graph.shared(at)));
    tags
}

fn shared_tag(shared: Shared) -> Option<Tag> {
    let mut parts = Vec::new();
    if shared.holders > 1 {
        parts.push(format!("held by {}", shared.holders));
    }
    if shared.copies > 0 {
        let plural = if shared.copies == 1 { "copy" } else { "copies" };
        parts.push(format!("{} {plural}", shared.copies));
    }
    if shared.environments > 1 && !parts.is_empty() {
        parts.push(format!("{} environments", shared.environments));
    }
    let more = if shared.at_least { " or more" } else { "" };
    (!parts.is_empty()).then(|| (format!("{}{more}", parts.join(", ")), Role::Warn))
}

/// Returns what weighs in of the way to a branch.
pub fn branch_tags(node: &Node, branch: &Branch, now: Timestamp) -> Vec<Tag> {
    let mut tags: Vec<Tag> = branch.privilege.map(privilege_tag).into_iter().collect();
    let layer = AccessLayer::of(node.kind, branch.via);
    tags.extend(layer.map(|layer| (format!("[{}]", layer.as_str()), layer_role(layer))));
    let until = [branch.until(), node.ends].into_iter().flatten().min();
    match (until, layer) {
        (Some(until), _) => tags.push(lasts(until, now)),
        (None, Some(_)) => tags.push(("no end known".into(), Role::Warn)),
        (None, None) => {}
    }
    tags
}

/// Says what a way lets do.
pub fn privilege_tag(privilege: Privilege) -> Tag {
    match privilege {
        Privilege::Admin => ("ADMIN".into(), Role::Error),
        other => (other.as_str().into(), Role::Base),
    }
}

/// Returns the identity that a node stands for, if it is one.
pub fn whose(node: &Node) -> Option<IdentityId> {
    (node.kind == NodeKind::Identity).then(|| IdentityId::new(node.id.as_str()))
}

/// Draws a row of a side.
pub fn line(
    model: &Model,
    view: &View,
    row: usize,
    marked: &[crate::domain::ids::NodeId],
    ui: Ui<'_>,
    width: usize,
) -> Line<'static> {
    let selected = row == view.cursor();
    let at = view.node_at(view.tab, row);
    let node = at.and_then(|at| Some((at, view.graph.at(at)?)));
    let is_marked = node.is_some_and(|(_, node)| marked.contains(&node.id));
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    let mark = if is_marked { ui.glyphs.mark } else { " " };
    let lead = vec![(format!("{cursor}{mark}"), Role::Key)];
    let whose = node.and_then(|(_, node)| whose(node));
    let trust = whose.and_then(|id| crate::ui::trust_tag(model, &id, ui));
    let mut parts: Vec<Tag> = Vec::new();
    match (view.tab, node) {
        (Tab::Impact | Tab::Exposure, _) => {
            let (indent, mut rest) = tree_parts(view, row, ui);
            let at = 1.min(rest.len());
            rest.splice(at..at, trust);
            let lead = lead.into_iter().chain([(indent, Role::Muted)]).collect();
            return fitted(lead, rest, selected, ui, width);
        }
        (_, Some((at, node))) => {
            parts.push((show(node.label.raw()).into_owned(), Role::Base));
            parts.extend(trust);
            parts.extend(node_tags(&view.graph, at, node));
            parts.extend(list_tags(view, row, ui.now));
            parts.push((node.kind.as_str().into(), Role::Muted));
        }
        (_, None) => {}
    }
    fitted(lead, parts, selected, ui, width)
}

/// Returns what stands before the name in a tree, and the name with what follows.
fn tree_parts(view: &View, row: usize, ui: Ui<'_>) -> (String, Vec<Tag>) {
    let Some((tree, walk)) = view.tree() else {
        return Default::default();
    };
    let Some(line) = tree.lines.get(row).copied() else {
        return Default::default();
    };
    let fold = match (Tree::is_parent(line, walk), tree.is_folded(line, walk)) {
        (false, _) => " ",
        (true, true) => ui.glyphs.folded,
        (true, false) => ui.glyphs.unfolded,
    };
    let deep = match line.level {
        0..=DEEPEST => String::new(),
        level => format!("({level}) "),
    };
    let indent = "  ".repeat(line.level.min(DEEPEST) as usize);
    let lead = format!("{indent}{fold} {deep}");
    match line.what {
        What::Group { kind, count, .. } => {
            let name = format!("{count} {}", kind.plural());
            (lead, vec![(name, Role::Title)])
        }
        What::Branch(place) => {
            let branch = walk.branches.get(place as usize);
            let found = branch.and_then(|b| Some((b, view.graph.at(b.node)?)));
            let Some((branch, node)) = found else {
                return (lead, Vec::new());
            };
            let mut parts = vec![(show(node.label.raw()).into_owned(), Role::Base)];
            parts.extend(node_tags(&view.graph, branch.node, node));
            parts.extend(branch_tags(node, branch, ui.now));
            if tree.is_folded(line, walk) && branch.below > 0 {
                parts.push((format!("{} below", branch.below), Role::Key));
            }
            parts.push((
                format!("{}, {}", node.kind.as_str(), branch.how()),
                Role::Muted,
            ));
            (lead, parts)
        }
    }
}

fn list_tags(view: &View, row: usize, now: Timestamp) -> Vec<Tag> {
    match view.tab {
        Tab::Layers => {
            let Some(layer) = view.look.layers.get(row) else {
                return Vec::new();
            };
            let word = (
                format!("[{}]", layer.layer.as_str()),
                layer_role(layer.layer),
            );
            let end = || ("no end known".to_owned(), Role::Warn);
            vec![
                word,
                layer.until.map_or_else(end, |until| lasts(until, now)),
            ]
        }
        Tab::Siblings => {
            let ties = view.look.siblings.found.get(row).map(|s| s.ties);
            let tie = |(tie, through): (crate::domain::graph::Tie, NodeIx)| {
                (
                    format!("{} {}", tie.as_str(), name(&view.graph, through)),
                    Role::Warn,
                )
            };
            ties.unwrap_or_default().iter().map(tie).collect()
        }
        Tab::Users => {
            let Some(user) = view.look.users.found.get(row) else {
                return Vec::new();
            };
            let what = match Some(user.what) == view.look.start {
                true => "it".to_owned(),
                false => name(&view.graph, user.what),
            };
            let how = match user.via {
                EdgeKind::StoredIn => "is stored in",
                via => via.as_str(),
            };
            vec![(format!("{how} {what}"), Role::Warn)]
        }
        Tab::Impact | Tab::Exposure => Vec::new(),
    }
}

/// Puts pieces into a line: a long name gives way to what weighs in, and what does not fit is cut at the end.
pub fn fitted(
    lead: Vec<Tag>,
    parts: Vec<Tag>,
    selected: bool,
    ui: Ui<'_>,
    width: usize,
) -> Line<'static> {
    let style = |role| ui.theme.row(role, selected);
    let mut room = width;
    let mut spans = Vec::new();
    let mut push = |text: &str, role| {
        let text = fit(text, room, ui.glyphs.ellipsis);
        room -= cells(&text).min(room);
        spans.push(Span::styled(text, style(role)));
    };
    for (text, role) in lead {
        push(&text, role);
    }
    let longest = (width / 2).max(width.saturating_sub(50));
    for (at, (text, role)) in parts.into_iter().enumerate() {
        let text = if at == 0 {
            fit(&text, longest, ui.glyphs.ellipsis)
        } else {
            format!("  {text}")
        };
        push(&text, role);
    }
    if selected {
        spans.push(Span::styled(" ".repeat(room), style(Role::Base)));
    }
    Line::from(spans)
}
