//! The map's screen: going about, folding, searching, comparing two nodes, and starting a plan on somebody found there.

use std::sync::Arc;

use jiff::Timestamp;

use super::command::Command;
use super::keys::{Code, Key};
use super::map::tree::Tree;
use super::map::{Choosing, MapAnswer, MapAsk, MapFound, MapQuestion, NodeCard, PathsView, View};
use super::model::{Level, Model, Overlay, Pane};
use super::msg::Effect;
use super::update::anywhere;
use super::{field, triage};
use crate::domain::graph::{Graph, NodeIx};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::text::show;

/// Most starts that Esc goes back to.
const LONGEST_TRAIL: usize = 50;

/// Opens the screen on the identity of the selected alert.
pub fn open(model: &mut Model, now: Timestamp) {
    let Some(card) = &model.detail.identity else {
        model.say(now, Level::Warn, "no identity, so no map");
        return;
    };
    let start = NodeId::from(&card.id);
    let graph = model.detail.graph.clone();
    if graph.find(&start).is_none() {
        let text = "it is on no map: the inventory does not list it, and no alert says what it did";
        model.say(now, Level::Warn, text);
        return;
    }
    // What lay behind the queue is left for good.
    model.readiness.open = false;
    model.readiness.away = false;
    begin(model, &graph, start);
}

/// Opens the screen on an identity found elsewhere, with its card; closing it leads back there.
pub fn open_on(model: &mut Model, id: &IdentityId, now: Timestamp) {
    let node = NodeId::from(id);
    let known = [&model.detail.graph, model.inventory.graph()];
    let graph = known.into_iter().find(|graph| graph.find(&node).is_some());
    let Some(graph) = graph.cloned() else {
        model.say(now, Level::Warn, format!("{id} is on no map"));
        return;
    };
    begin(model, &graph, node.clone());
    model.map.card = Some(NodeCard { node, scroll: 0 });
}

fn begin(model: &mut Model, graph: &Arc<Graph>, start: NodeId) {
    let (view, ask) = match model.known_look(graph, &start) {
        Some((look, looking)) => (View::of(graph, start, look, looking), None),
        None => View::at(graph, start),
    };
    model.asks.extend(ask);
    model.map = super::map::MapScreen {
        open: true,
        view: Some(view),
        ..Default::default()
    };
    model.overlay = Overlay::Map;
}

/// Goes back to the map from which somebody came to the queue; returns whether there was one.
pub fn come_back(model: &mut Model) -> bool {
    let away = std::mem::take(&mut model.map.away);
    if away {
        model.map.open = true;
        model.readiness.open = std::mem::take(&mut model.readiness.away);
        model.overlay = Overlay::Map;
    }
    away
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    if let Some(rows) = command.rows() {
        go(model, rows);
        return Vec::new();
    }
    match command {
        Command::NextPane => turn(model, 1),
        Command::PrevPane => turn(model, -1),
        Command::Unfold => fold(model, false),
        Command::FoldUp => fold(model, true),
        Command::UnfoldAll => on_view(model, |view| {
            view.change(|tree, graph, walk| tree.set_all(false, graph, walk));
        }),
        Command::FoldAll => on_view(model, |view| {
            view.change(|tree, graph, walk| tree.set_all(true, graph, walk));
        }),
        Command::Fold => on_view(model, |view| {
            view.change(Tree::turn_kinds);
        }),
        Command::Filter => {
            close_all(model);
            model.map.search.reset();
            model.map.typing = true;
        }
        Command::NextMatch => next(model, false, now),
        Command::PrevMatch => next(model, true, now),
        Command::Mark => mark(model, now),
        Command::PathView => paths(model, now),
        Command::OpenNode => open_node(model),
        Command::Reroot => reroot(model, now),
        Command::ToAlert => return to_alert(model, now),
        Command::Copy => return copy(model, now),
        Command::PlanHere => plan(model, now),
        Command::Out => out(model),
        Command::Back => leave(model),
        other => return anywhere(model, other),
    }
    Vec::new()
}

fn on_view(model: &mut Model, change: impl FnOnce(&mut View)) {
    if let Some(view) = &mut model.map.view {
        change(view);
    }
}

/// Moves the cursor, or scrolls what lies over the map.
fn go(model: &mut Model, delta: isize) {
    let scroll = match (&mut model.map.card, &mut model.map.paths) {
        (Some(card), _) => &mut card.scroll,
        (None, Some(paths)) => &mut paths.scroll,
        (None, None) => return on_view(model, |view| view.step(delta)),
    };
    // The end of a text is known where it is drawn; a position beyond it could not be scrolled back from.
    if delta != isize::MAX {
        *scroll = scroll.saturating_add_signed(delta);
    }
}

fn close_all(model: &mut Model) {
    model.map.card = None;
    model.map.paths = None;
}

fn turn(model: &mut Model, delta: isize) {
    close_all(model);
    on_view(model, |view| view.turn(delta));
    count(model);
}

/// Folds what lies below the line, or goes to the line above it.
fn fold(model: &mut Model, fold: bool) {
    on_view(model, |view| {
        let Some(line) = view.line() else { return };
        let mut changed = false;
        view.change(|tree, graph, walk| changed = tree.set_folded(line, fold, graph, walk));
        if !changed && fold {
            view.to_parent();
        } else if !changed {
            view.step(1);
        }
    });
}

fn next(model: &mut Model, back: bool, now: Timestamp) {
    let text = model.map.search.value().to_owned();
    if text.is_empty() {
        model.say(now, Level::Info, "/ searches");
        return;
    }
    let found = model
        .map
        .view
        .as_mut()
        .is_some_and(|view| view.search(&text, back, false));
    if !found {
        let text = format!("nothing here is called `{}`", show(&text));
        model.say(now, Level::Warn, text);
    }
}

/// Handles a key while the search is typed. The cursor follows every key.
pub fn search_key(model: &mut Model, key: Key) {
    model.dirty = true;
    match key.code {
        Code::Esc => {
            model.map.typing = false;
            model.map.search.reset();
        }
        Code::Enter => model.map.typing = false,
        Code::Down => search(model, false),
        Code::Up => on_view_search(model, true, false),
        _ => {
            field::edit(&mut model.map.search, key);
            count(model);
            search(model, true);
        }
    }
}

/// Puts pasted text into the search.
pub fn paste(model: &mut Model, text: &str) {
    field::paste(&mut model.map.search, text);
    count(model);
    search(model, true);
}

fn count(model: &mut Model) {
    let text = model.map.search.value();
    let view = model.map.view.as_ref().filter(|_| !text.is_empty());
    model.map.hits = view.map_or(0, |view| view.hits(text));
}

fn search(model: &mut Model, from_here: bool) {
    on_view_search(model, false, from_here);
}

fn on_view_search(model: &mut Model, back: bool, from_here: bool) {
    let text = model.map.search.value().to_owned();
    if !text.is_empty() {
        on_view(model, |view| {
            view.search(&text, back, from_here);
        });
    }
}

/// Returns the id under the cursor, or of the card that is open.
fn here(model: &Model) -> Option<NodeId> {
    if let Some(card) = &model.map.card {
        return Some(card.node.clone());
    }
    let view = model.map.view.as_ref()?;
    Some(view.graph.at(view.current()?)?.id.clone())
}

fn mark(model: &mut Model, now: Timestamp) {
    let Some(id) = here(model) else { return };
    let marks = &mut model.map.marks;
    if let Some(at) = marks.iter().position(|mark| *mark == id) {
        marks.remove(at);
        return;
    }
    if marks.len() == 2 {
        marks.remove(0);
    }
    marks.push(id);
    let text = match marks.len() {
        1 => "marked; mark another one, then p shows how they hang together",
        _ => "two are marked; p shows how they hang together",
    };
    model.say(now, Level::Info, text);
}

/// Shows the ways between the marked nodes; with fewer marks, from the start to the row.
fn paths(model: &mut Model, now: Timestamp) {
    let Some(view) = &model.map.view else { return };
    let (from, to) = match model.map.marks.as_slice() {
        [from, to] => (from.clone(), to.clone()),
        [from] if here(model).as_ref() != Some(from) => (
            from.clone(),
            here(model).unwrap_or_else(|| view.start.clone()),
        ),
        _ => (
            view.start.clone(),
            here(model).unwrap_or_else(|| view.start.clone()),
        ),
    };
    if from == to {
        model.say(now, Level::Info, "both ends are the same; Space marks");
        return;
    }
    let ask = MapAsk {
        graph: view.graph.clone(),
        what: MapQuestion::Paths(from.clone(), to.clone()),
    };
    close_all(model);
    model.map.paths = Some(PathsView {
        from,
        to,
        found: None,
        scroll: 0,
    });
    if ask.is_small() {
        take(model, ask.answer());
    } else {
        model.asks.push(ask);
    }
}

/// Takes in what was found out about a map; what is about another one by now is dropped.
pub fn take(model: &mut Model, answer: MapAnswer) {
    model.dirty = true;
    let graph = &answer.ask.graph;
    match (&answer.ask.what, answer.found) {
        (MapQuestion::Look(node), MapFound::Look(look)) => {
            let views = model.map.trail.iter_mut().chain(&mut model.map.view);
            for view in
                views.filter(|v| v.looking && v.start == *node && Arc::ptr_eq(&v.graph, graph))
            {
                view.complete(look.clone());
            }
            model.take_look(graph, node, look);
        }
        (MapQuestion::Paths(from, to), MapFound::Paths(found)) => {
            let here = model
                .map
                .view
                .as_ref()
                .is_some_and(|v| Arc::ptr_eq(&v.graph, graph));
            let shown = model.map.paths.as_mut();
            if let Some(shown) = shown.filter(|p| here && p.from == *from && p.to == *to) {
                shown.found = Some(found);
            }
        }
        _ => {}
    }
}

/// Follows the map of the selected alert when that changed: a provider answered, or an alert told of something new.
pub fn follow(model: &mut Model, before: &Arc<Graph>) {
    let graph = model.detail.graph.clone();
    let follows = |view: &View| Arc::ptr_eq(&view.graph, before);
    if !model.map.view.as_ref().is_some_and(follows) {
        return;
    }
    let card = model.detail.identity.as_ref();
    let about = card.map(|card| NodeId::from(&card.id));
    let known = (model.detail.look.clone(), model.detail.looking);
    for view in model.map.trail.iter_mut().chain(&mut model.map.view) {
        let known = Some(&known).filter(|_| about.as_ref() == Some(&view.start));
        let (moved, ask) = view.moved_to(&graph, known.cloned());
        *view = moved;
        model.asks.extend(ask);
    }
    if let Some(paths) = model.map.paths.take() {
        let ask = MapAsk {
            graph,
            what: MapQuestion::Paths(paths.from.clone(), paths.to.clone()),
        };
        let small = ask.is_small();
        let found = paths.found.filter(|_| false);
        model.map.paths = Some(PathsView { found, ..paths });
        if small {
            take(model, ask.answer());
        } else {
            model.asks.push(ask);
        }
    }
}

/// Opens the card of the row; what stands for several is unfolded.
fn open_node(model: &mut Model) {
    if model.map.card.is_some() {
        return;
    }
    if let Some(node) = here(model) {
        model.map.card = Some(NodeCard { node, scroll: 0 });
        return;
    }
    let folded = model.map.view.as_ref().and_then(|view| {
        let (tree, walk) = view.tree()?;
        Some(tree.is_folded(view.line()?, walk))
    });
    if let Some(folded) = folded {
        fold(model, !folded);
    }
}

/// Makes the row the start of the map.
fn reroot(model: &mut Model, now: Timestamp) {
    let (Some(node), Some(view)) = (here(model), &model.map.view) else {
        return;
    };
    if node == view.start {
        model.say(now, Level::Info, "the map begins here already");
        return;
    }
    let (mut next, ask) = View::at(&view.graph, node);
    next.tab = view.tab;
    model.asks.extend(ask);
    close_all(model);
    model.map.trail.extend(model.map.view.replace(next));
    if model.map.trail.len() > LONGEST_TRAIL {
        model.map.trail.remove(0);
    }
}

/// Goes to an alert about the identity of the row.
fn to_alert(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let Some(id) = identity_here(model, now) else {
        return Vec::new();
    };
    let Some(alert) = triage::find_about(model, &id) else {
        let text =
            format!("no alert in the queue is about {id}; o shows what can be done about it");
        model.say(now, Level::Warn, text);
        return Vec::new();
    };
    if model.queue.position(&alert).is_none() {
        model.queue.take_in_waiting();
    }
    leave(model);
    model.map.away = true;
    model.readiness.away = std::mem::take(&mut model.readiness.open);
    model.overlay = Overlay::None;
    model.focus = Some(Pane::Identity);
    triage::select(model, Some(alert))
}

fn identity_here(model: &mut Model, now: Timestamp) -> Option<IdentityId> {
    let node = here(model)?;
    let view = model.map.view.as_ref()?;
    let at: NodeIx = view.graph.find(&node)?;
    let found = view.identity_of(at);
    if found.is_none() {
        let text = format!("{node} is no identity");
        model.say(now, Level::Warn, text);
    }
    found
}

fn copy(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let way = model.map.paths.as_ref().and_then(|paths| {
        let view = model.map.view.as_ref()?;
        let (_, path) = paths.found.as_ref()?.first()?;
        let ends = std::iter::once(path.from).chain(path.hops.iter().map(|hop| hop.to));
        let names = ends.filter_map(|node| Some(view.graph.at(node)?.id.to_string()));
        Some(names.collect::<Vec<_>>().join(" -> "))
    });
    let Some(text) = way.or_else(|| Some(here(model)?.to_string())) else {
        model.say(now, Level::Warn, "this line stands for several; unfold it");
        return Vec::new();
    };
    vec![Effect::Copy(text)]
}

/// Offers what could be done about the identity of the row, on the alert at hand.
fn plan(model: &mut Model, now: Timestamp) {
    let Some(id) = identity_here(model, now) else {
        return;
    };
    let alert = model
        .selected
        .as_ref()
        .and_then(|id| model.alerts.read(id))
        .cloned();
    let (Some(alert), Some(identity)) = (alert, model.card_of(&id)) else {
        model.say(
            now,
            Level::Warn,
            "no alert is selected for which a plan could be made",
        );
        return;
    };
    let view = model.map.view.as_ref();
    let graph = view.map_or(&model.detail.graph, |view| &view.graph);
    let choices = model.plans_for(&alert, &identity, graph);
    model.map.choosing = Some(Choosing {
        identity: Box::new(identity),
        choices,
        note: None,
    });
}

/// Closes the nearest thing that is open.
fn out(model: &mut Model) {
    let map = &mut model.map;
    if map.card.take().is_some() || map.paths.take().is_some() {
        return;
    }
    if let Some(before) = map.trail.pop() {
        map.view = Some(before);
    } else if !map.search.value().is_empty() {
        map.search.reset();
    } else if !map.marks.is_empty() {
        map.marks.clear();
    } else {
        leave(model);
    }
}

fn leave(model: &mut Model) {
    model.map.open = false;
    model.overlay = model.resting();
}
