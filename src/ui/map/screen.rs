//! The map's screen: sides on top, one node a line below, only the lines on screen; beside it the card where there is room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::{card, row};
use crate::app::map::{MapScreen, Tab, View};
use crate::app::model::Model;
use crate::domain::graph::Counts;
use crate::domain::text::{cells, fit, show};
use crate::ui::theme::Role;
use crate::ui::{Ui, cut_bottom, cut_left, cut_top, frame, options, parts_line, scrolled};

/// Width from which the card of the line stands beside the tree.
const WIDE: u16 = 110;

/// Most environments that are counted in the line on top.
const MOST_ENVIRONMENTS: usize = 4;

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let map = &model.map;
    let Some(view) = &map.view else { return };
    let start = view
        .look
        .start
        .map_or_else(String::new, |at| row::name(&view.graph, at));
    let back = match map.trail.len() {
        0 => String::new(),
        n => format!("  (esc: {n} back)"),
    };
    let title = fit(
        &format!("Map of {start}{back}"),
        usize::from(area.width).saturating_sub(4),
        ui.glyphs.ellipsis,
    );
    let inside = frame(&title, true, ui, area, buf);
    let (head, rest) = cut_top(inside, 2);
    Paragraph::new(vec![
        sides(view, ui, usize::from(head.width)),
        numbers(model, view, ui, usize::from(head.width)),
    ])
    .render(head, buf);
    let (rest, foot) = match search_line(map, ui) {
        Some(line) => {
            let (rest, foot) = cut_bottom(rest, 1);
            (rest, Some((line, foot)))
        }
        None => (rest, None),
    };
    body(model, map, view, ui, rest, buf);
    if let Some((line, foot)) = foot {
        Paragraph::new(line).render(foot, buf);
    }
    if let Some(choosing) = &map.choosing {
        options::choose(choosing, ui, area, buf);
    }
}

fn body(model: &Model, map: &MapScreen, view: &View, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    if let Some(card) = &map.card {
        let inside = frame("Card", true, ui, area, buf);
        let lines = card::lines(model, view, &card.node, usize::MAX, ui);
        scrolled(lines, card.scroll, ui, inside, buf);
        return;
    }
    if let Some(paths) = &map.paths {
        let inside = frame("Paths", true, ui, area, buf);
        scrolled(
            card::path_lines(view, paths, ui),
            paths.scroll,
            ui,
            inside,
            buf,
        );
        return;
    }
    if area.width < WIDE {
        rows(model, view, map, ui, area, buf);
        return;
    }
    let (tree, beside) = cut_left(area, 60);
    rows(model, view, map, ui, tree, buf);
    let node = view.current().and_then(|at| view.graph.at(at));
    let inside = frame("Card", false, ui, beside, buf);
    let lines = match node {
        Some(node) => {
            let most = usize::from(inside.height);
            card::lines(model, view, &node.id, most, ui)
        }
        None => vec![Line::raw("This line stands for several; l unfolds it.")],
    };
    scrolled(lines, 0, ui, inside, buf);
}

/// Returns the sides with how much is on each; the one shown stands in brackets.
fn sides(view: &View, ui: Ui<'_>, width: usize) -> Line<'static> {
    let mut spans = Vec::new();
    let mut room = width;
    for tab in Tab::ALL {
        let (n, cut) = match tab {
            Tab::Impact => (view.look.impact.count(), view.look.impact.truncated),
            Tab::Exposure => (view.look.exposure.count(), view.look.exposure.truncated),
            Tab::Siblings => (view.rows_on(tab), view.look.siblings.truncated),
            Tab::Users => (view.rows_on(tab), view.look.users.truncated),
            Tab::Layers => (view.rows_on(tab), view.look.exposure.truncated),
        };
        let more = if cut { "+" } else { "" };
        let text = match tab == view.tab {
            true => format!("[{} {n}{more}]", tab.as_str()),
            false => format!(" {} {n}{more} ", tab.as_str()),
        };
        let text = fit(&text, room, ui.glyphs.ellipsis);
        room -= cells(&text);
        let role = if tab == view.tab {
            Role::Title
        } else {
            Role::Muted
        };
        spans.push(Span::styled(text, ui.theme.style(role)));
    }
    Line::from(spans)
}

/// Says how much of what is shown weighs how much, and whether all of it is there.
fn numbers(model: &Model, view: &View, ui: Ui<'_>, width: usize) -> Line<'static> {
    let look = &view.look;
    let (counts, truncated) = match view.tab {
        Tab::Impact => (Some(&look.breaks), look.impact.truncated),
        Tab::Exposure => (Some(&look.reaches), look.exposure.truncated),
        Tab::Layers => (None, look.exposure.truncated),
        Tab::Siblings => (None, look.siblings.truncated),
        Tab::Users => (None, look.users.truncated),
    };
    let start = look.start.and_then(|at| view.graph.at(at));
    let whose = start.and_then(row::whose);
    let trust = whose.and_then(|id| crate::ui::trust_tag(model, &id, ui));
    let mut parts: Vec<row::Tag> = trust.into_iter().collect();
    if view.looking {
        parts.push(("looking, there is more".into(), Role::Key));
    } else if truncated {
        parts.push((
            format!("CUT OFF HERE after {} lines", view.found()),
            Role::Error,
        ));
    }
    match (counts, view.tab) {
        (Some(counts), _) => parts.extend(weights(counts)),
        (None, Tab::Layers) => parts.push((
            "what stays usable after a cut: caches, then consents, then keys it issued".into(),
            Role::Muted,
        )),
        (None, Tab::Siblings) => {
            parts.push(("what fell together with it, and why".into(), Role::Muted));
        }
        (None, _) => parts.push((
            "who uses it, what it holds, or what lies in it".into(),
            Role::Muted,
        )),
    }
    parts_line(parts, ui, width)
}

fn weights(counts: &Counts) -> Vec<row::Tag> {
    use crate::domain::vocabulary::Criticality;
    let mut parts: Vec<row::Tag> = counts
        .by_criticality
        .iter()
        .map(|(criticality, n)| match criticality {
            Some(Criticality::BusinessCritical) => (format!("{n} BUSINESS CRITICAL"), Role::Error),
            Some(Criticality::High) => (format!("{n} high"), Role::Warn),
            Some(other) => (format!("{n} {}", other.as_str()), Role::Base),
            None => (format!("{n} of unknown weight"), Role::Muted),
        })
        .collect();
    for (environment, n) in counts.by_environment.iter().take(MOST_ENVIRONMENTS) {
        let name = environment.as_ref().map(|e| show(e.raw()).into_owned());
        let name = name.unwrap_or_else(|| "environment unknown".to_owned());
        parts.push((format!("{name} {n}"), Role::Muted));
    }
    parts
}

fn search_line(map: &MapScreen, ui: Ui<'_>) -> Option<Line<'static>> {
    let text = map.search.value();
    if !map.typing && text.is_empty() {
        return None;
    }
    let end = if map.typing { "_" } else { "" };
    let (said, role) = match (text.is_empty(), map.hits) {
        (true, _) => (
            "names and ids, also in what is folded".to_owned(),
            Role::Muted,
        ),
        (false, 0) => ("nothing here is called so".to_owned(), Role::Warn),
        (false, 1) => ("1 match".to_owned(), Role::Muted),
        (false, n) => (format!("{n} matches; n and N go through them"), Role::Muted),
    };
    Some(Line::from(vec![
        Span::styled(
            format!(" search: {}{end}  ", show(text)),
            ui.theme.style(Role::Key),
        ),
        Span::styled(said, ui.theme.style(role)),
    ]))
}

fn rows(model: &Model, view: &View, map: &MapScreen, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let all = view.rows();
    if all == 0 {
        Paragraph::new(nothing(view.tab))
            .wrap(Wrap { trim: true })
            .render(area, buf);
        return;
    }
    let height = usize::from(area.height);
    let first = view
        .cursor()
        .saturating_sub(height / 2)
        .min(all.saturating_sub(height));
    let lines: Vec<Line<'static>> = (first..(first + height).min(all))
        .map(|at| row::line(model, view, at, &map.marks, ui, usize::from(area.width)))
        .collect();
    Paragraph::new(lines).render(area, buf);
}

const fn nothing(tab: Tab) -> &'static str {
    match tab {
        Tab::Impact => "Nothing on the map depends on it.",
        Tab::Exposure => "Nothing on the map is reached from it.",
        Tab::Layers => "No session, consent or issued key is known that would outlive a cut.",
        Tab::Siblings => {
            "Nobody on the map shares a credential, an owner key, a store or a trust boundary with it."
        }
        Tab::Users => "Nobody on the map uses it, what it holds, or what lies in it.",
    }
}
