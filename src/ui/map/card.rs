//! The card of a node, and the ways between two.

use ratatui::text::{Line, Span};

use super::row::{Tag, lasts, name, node_tags, privilege_tag};
use crate::app::map::{PathsView, Tab, View};
use crate::app::model::Model;
use crate::domain::graph::{Graph, Hop, Node, NodeIx, NodeKind, Path, Way};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::text::{Untrusted, show};
use crate::ui::Ui;
use crate::ui::theme::Role;

/// Most direct connections that a card lists.
const MOST_EDGES: usize = 200;

/// What stands where nobody knows: never a blank.
const UNKNOWN: &str = "unknown";

/// Returns the card of a node: what is known of it, how the map comes to it, and its direct connections, at most `most`.
pub fn lines(
    model: &Model,
    view: &View,
    id: &NodeId,
    most: usize,
    ui: Ui<'_>,
) -> Vec<Line<'static>> {
    let Some((at, node)) = view
        .graph
        .find(id)
        .and_then(|at| Some((at, view.graph.at(at)?)))
    else {
        return vec![Line::raw("It is not on this map any more.")];
    };
    let mut lines = vec![Line::styled(
        show(node.label.raw()).into_owned(),
        ui.theme.style(Role::Title),
    )];
    if node.kind == NodeKind::Identity {
        let whose = IdentityId::new(id.as_str());
        lines.extend(crate::ui::trust_line(model, &whose, ui));
    }
    lines.extend(facts(view, at, node, ui));
    if node.kind == NodeKind::Identity {
        lines.extend(people(model, id, ui));
    }
    lines.extend(joined(model, id, ui));
    lines.extend(way_here(view, at, ui));
    lines.extend(edges(&view.graph, at, most.min(MOST_EDGES), ui));
    lines
}

fn field(what: &str, value: String, role: Role, ui: Ui<'_>) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{what:<12}"), ui.theme.style(Role::Muted)),
        Span::styled(value, ui.theme.style(role)),
    ])
}

fn facts(view: &View, at: NodeIx, node: &Node, ui: Ui<'_>) -> Vec<Line<'static>> {
    let known = |text: Option<&Untrusted>| match text {
        Some(text) => (show(text.raw()).into_owned(), Role::Base),
        None => (UNKNOWN.to_owned(), Role::Warn),
    };
    let (environment, environment_role) = known(node.environment.as_ref());
    let (owner, owner_role) = known(node.owner.as_ref());
    let critical = node.criticality.map(|c| c.as_str().replace('_', " "));
    let state = node.state.map(|s| s.as_str().to_owned());
    let or_unknown = |text: Option<String>| {
        let role = if text.is_some() {
            Role::Base
        } else {
            Role::Warn
        };
        (text.unwrap_or_else(|| UNKNOWN.to_owned()), role)
    };
    let ((critical, critical_role), (state, state_role)) =
        (or_unknown(critical), or_unknown(state));
    let mut lines = vec![
        field("id", node.id.to_string(), Role::Base, ui),
        field("kind", node.kind.as_str().to_owned(), Role::Base, ui),
        field("environment", environment, environment_role, ui),
        field("owner", owner, owner_role, ui),
        field("criticality", critical, critical_role, ui),
    ];
    let has_state = matches!(
        node.kind,
        NodeKind::Identity | NodeKind::Credential | NodeKind::RecoveryPath
    );
    if has_state || node.state.is_some() {
        lines.push(field("state", state, state_role, ui));
    }
    if let Some(ends) = node.ends {
        let (text, role) = lasts(ends, ui.now);
        lines.push(field("lasts", text, role, ui));
    }
    let words: Vec<Tag> = node_tags(&view.graph, at, node)
        .into_iter()
        .filter(|(text, _)| text.starts_with("held by") || text.contains("cop"))
        .collect();
    lines.extend(
        words
            .into_iter()
            .map(|(text, role)| field("shared", text, role, ui)),
    );
    lines
}

/// Says who answers for an identity.
fn people(model: &Model, id: &NodeId, ui: Ui<'_>) -> Vec<Line<'static>> {
    let Some(card) = model.inventory.identity(&IdentityId::new(id.as_str())) else {
        return vec![field("inventory", "not listed".to_owned(), Role::Warn, ui)];
    };
    let row = |what: &str, value: Option<&Untrusted>| {
        let text = value.map_or_else(|| UNKNOWN.to_owned(), |v| show(v.raw()).into_owned());
        let role = if value.is_some() {
            Role::Base
        } else {
            Role::Warn
        };
        field(what, text, role, ui)
    };
    vec![
        row("runs it", card.technical_owner.as_ref()),
        row("on call", card.on_call.as_ref()),
        match &card.connector {
            Some(connector) => field("connector", show(connector).into_owned(), Role::Base, ui),
            None => field(
                "connector",
                "none: nothing can be done from here".to_owned(),
                Role::Warn,
                ui,
            ),
        },
    ]
}

/// Says how it joined the incident.
fn joined(model: &Model, id: &NodeId, ui: Ui<'_>) -> Option<Line<'static>> {
    use crate::domain::graph::Joined;
    use crate::domain::newcomers::Witness;
    let newcomer = model.detail.newcomers.iter().find(|n| n.node == *id)?;
    let how = match newcomer.joined {
        Joined::Born => "born since the first exposure",
        Joined::Touched => "touched since the first exposure",
    };
    let ago = crate::domain::alert::age(newcomer.at, ui.now);
    let says = match &newcomer.witness {
        Witness::Alert(alert) => format!("alert {alert}"),
        Witness::Provider => "its provider".to_owned(),
    };
    Some(field(
        "joined",
        format!("{how}, {ago} ago, says {says}"),
        Role::Error,
        ui,
    ))
}

/// Tells the way from the start, on the side that is shown.
fn way_here(view: &View, at: NodeIx, ui: Ui<'_>) -> Vec<Line<'static>> {
    let Some((_, walk)) = view.tree() else {
        return Vec::new();
    };
    let place = view
        .line()
        .and_then(|line| match line.what {
            crate::app::map::tree::What::Branch(place) => Some(place as usize),
            crate::app::map::tree::What::Group { .. } => None,
        })
        .filter(|place| walk.branches.get(*place).is_some_and(|b| b.node == at));
    let Some(place) = place else {
        return Vec::new();
    };
    let title = match view.tab {
        Tab::Impact => "why it breaks",
        _ => "how it is reached",
    };
    let mut lines = vec![Line::styled(title, ui.theme.style(Role::Title))];
    let start = view
        .look
        .start
        .map_or_else(String::new, |start| name(&view.graph, start));
    lines.push(Line::raw(format!("  {start}")));
    for branch in walk
        .way_to(place)
        .into_iter()
        .filter_map(|at| walk.branches.get(at))
    {
        let mut spans = vec![
            Span::styled(format!("  {} ", ui.glyphs.tee), ui.theme.style(Role::Muted)),
            Span::raw(name(&view.graph, branch.node)),
            Span::styled(format!("  {}", branch.how()), ui.theme.style(Role::Muted)),
        ];
        spans.extend(ends(
            branch.until(),
            branch.privilege.map(privilege_tag),
            ui,
        ));
        lines.push(Line::from(spans));
    }
    lines
}

fn ends(
    until: Option<jiff::Timestamp>,
    privilege: Option<Tag>,
    ui: Ui<'_>,
) -> impl Iterator<Item = Span<'static>> {
    let until = until.map(|until| lasts(until, ui.now));
    let span = move |(text, role): Tag| Span::styled(format!("  {text}"), ui.theme.style(role));
    privilege.into_iter().chain(until).map(span)
}

fn hop_line(graph: &Graph, hop: &Hop, ui: Ui<'_>) -> Line<'static> {
    let kind = graph.at(hop.to).map_or("", |n| n.kind.as_str());
    let mut spans = vec![
        Span::styled(format!("  {:<12} ", hop.how()), ui.theme.style(Role::Muted)),
        Span::raw(name(graph, hop.to)),
        Span::styled(format!("  {kind}"), ui.theme.style(Role::Muted)),
    ];
    spans.extend(ends(hop.until(), hop.privilege.map(privilege_tag), ui));
    Line::from(spans)
}

fn edges(graph: &Graph, at: NodeIx, most: usize, ui: Ui<'_>) -> Vec<Line<'static>> {
    let some = graph.neighbours(at, most + 1);
    let title = if some.len() > most {
        format!("direct connections (the first {most})")
    } else {
        format!("direct connections ({})", some.len())
    };
    let mut lines = vec![Line::styled(title, ui.theme.style(Role::Title))];
    lines.extend(some.iter().take(most).map(|hop| hop_line(graph, hop, ui)));
    lines
}

/// Returns the ways between two nodes.
pub fn path_lines(view: &View, paths: &PathsView, ui: Ui<'_>) -> Vec<Line<'static>> {
    let Some(found) = &paths.found else {
        return vec![Line::raw("Looking.")];
    };
    if found.is_empty() {
        return vec![Line::raw(
            "Nothing on the map connects them, in whatever direction.",
        )];
    }
    let mut lines = Vec::new();
    for (way, path) in found {
        lines.extend(one_path(&view.graph, *way, path, ui));
    }
    lines
}

fn one_path(graph: &Graph, way: Way, path: &Path, ui: Ui<'_>) -> Vec<Line<'static>> {
    let from = name(graph, path.from);
    let to = path
        .hops
        .last()
        .map_or_else(|| from.clone(), |hop| name(graph, hop.to));
    let what = match way {
        Way::Exposure => format!("whoever holds {from} gets to {to}"),
        Way::Impact => format!("if {from} is cut off, {to} stops"),
        Way::Any => format!("{from} and {to} hang together only so"),
    };
    let n = path.hops.len();
    let steps = if n == 1 { "step" } else { "steps" };
    let mut head = vec![Span::styled(
        format!("{what}: {n} {steps}"),
        ui.theme.style(Role::Title),
    )];
    head.extend(ends(path.until(), path.privilege().map(privilege_tag), ui));
    let mut lines = vec![Line::from(head), Line::raw(format!("  {from}"))];
    lines.extend(
        path.hops
            .iter()
            .take(MOST_EDGES)
            .map(|hop| hop_line(graph, hop, ui)),
    );
    if n > MOST_EDGES {
        let text = format!("  and {} more", n - MOST_EDGES);
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    lines.push(Line::default());
    lines
}
