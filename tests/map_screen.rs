//! The map's screen: where keys lead, what is folded, what is found out in the background.

mod world;

use std::fmt::Write as _;
use std::sync::Arc;

use stanch::app::command::{Command, disabled_reason};
use stanch::app::keys::Key;
use stanch::app::map::Tab;
use stanch::app::model::{Overlay, Pane};
use stanch::app::msg::{Effect, Msg};
use stanch::app::passing;
use stanch::domain::graph::{Joined, NodeState};
use stanch::domain::identity::LiveContext;
use stanch::domain::ids::{IdentityId, NodeId};
use world::{World, now};

fn label(world: &World) -> String {
    let view = world.model.map.view.as_ref().unwrap();
    let node = view.current().and_then(|at| view.graph.at(at));
    node.map_or_else(|| "-".to_owned(), |n| n.label.raw().to_owned())
}

fn rows(world: &World) -> usize {
    world.model.map.view.as_ref().unwrap().rows()
}

/// Answers what is asked about maps, as the runtime does in the background.
fn found_out(world: &mut World, effects: Vec<Effect>) -> usize {
    let mut asked = 0;
    for effect in effects {
        if let Effect::AskMap(ask) = effect {
            asked += 1;
            world.send(Msg::Map(Box::new(ask.answer())));
        }
    }
    asked
}

#[test]
fn opens_on_the_identity_and_closes_again() {
    let mut world = World::showing("triage");
    world.press("M");
    assert!(matches!(world.model.overlay, Overlay::Map));
    assert_eq!(label(&world), "payments-release");
    world.press("?");
    assert!(matches!(world.model.overlay, Overlay::Help { .. }));
    world.press("esc");
    assert!(
        matches!(world.model.overlay, Overlay::Map),
        "back to the map"
    );
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::None));
    // From the pane of the map, Enter opens the whole of it.
    world.press("tab tab tab");
    assert_eq!(world.model.focus, Some(Pane::Map));
    world.press("enter");
    assert!(matches!(world.model.overlay, Overlay::Map));
    world.press("q");
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[test]
fn without_an_identity_there_is_no_map() {
    let mut world = World::showing("unresolved");
    world.press("M");
    assert!(matches!(world.model.overlay, Overlay::None));
    assert!(
        world
            .model
            .messages
            .last()
            .unwrap()
            .text
            .contains("no identity")
    );
}

#[test]
fn folding_keeps_the_cursor_on_what_it_was_on() {
    let mut world = World::showing("map_exposure");
    let all = rows(&world);
    world.press("j j");
    assert_eq!(label(&world), "card vault");
    world.press("h");
    assert_eq!(label(&world), "vault-eu-1", "to the line above it");
    world.press("h");
    assert!(rows(&world) < all);
    world.press("l");
    assert_eq!(rows(&world), all);
    world.press("l j j");
    assert_eq!(label(&world), "payments database");
    world.press("-");
    assert_eq!(label(&world), "vault-eu-1", "it is folded into this");
    world.press("+ G");
    let last = label(&world);
    world.press("z");
    assert_eq!(label(&world), last, "kinds are put together around it");
    world.press("z");
    assert_eq!(rows(&world), all);
}

#[test]
fn a_large_map_begins_folded_by_kind_and_search_unfolds() {
    let mut world = World::showing("map_large");
    assert!(rows(&world) < 10);
    world.press("/ j o b space 2 9 9 8");
    assert_eq!(label(&world), "job 2998");
    assert_eq!(world.model.map.hits, 1);
    let unfolded = rows(&world);
    assert!(unfolded > 1_000, "its kind is unfolded");
    world.press("enter");
    assert!(!world.model.map.typing);
    world.press("n");
    assert_eq!(label(&world), "job 2998", "round to the only one");
    world.press("/ j o b space 1 enter");
    assert!(world.model.map.hits > 1_000);
    let first = label(&world);
    world.press("n n N");
    assert_ne!(label(&world), first);
    world.press("N");
    assert_eq!(label(&world), first);
    world.press("-");
    assert!(rows(&world) < 10);
    assert_eq!(label(&world), "-", "the line of its kind");
    world.press("enter");
    assert!(rows(&world) > 900, "Enter unfolds what stands for several");
}

#[test]
fn a_map_too_large_for_a_frame_is_found_out_in_the_background() {
    let mut world = World::showing("triage");
    let mut text = String::from(
        "[[identity]]\nid = 'lab:svc-deploy'\nname = 'svc-deploy'\nkind = 'oauth_client'\n",
    );
    for n in 0..6_000 {
        let _ = write!(
            text,
            "[[edge]]\nfrom = 'n{n}'\nkind = 'depends_on'\nto = 'lab:svc-deploy'\n"
        );
    }
    world.with_inventory(&text);
    let first = world.model.detail.look.clone();
    assert!(first.impact.truncated && first.impact.count() < 6_000);
    let effects = world.send(Msg::Key(Key::parse("M").unwrap()));
    assert!(world.model.map.view.as_ref().unwrap().looking);
    world.press("+ G");
    let at = label(&world);
    assert_eq!(
        found_out(&mut world, effects),
        1,
        "one answer is for the card and for the screen"
    );
    let view = world.model.map.view.as_ref().unwrap();
    assert!(!view.looking && view.look.impact.count() == 6_000);
    assert_eq!(label(&world), at, "the cursor stays");
    assert_eq!(world.model.detail.look.impact.count(), 6_000);
    let choices = &world.model.detail.choices;
    assert!(
        choices.iter().any(|c| c.impact.contains("6000 dependants")),
        "{choices:?}"
    );
    // A path is looked for there too, and a late answer about another one is dropped.
    let old = world.send(Msg::Key(Key::parse("p").unwrap()));
    world.press("esc k");
    let new = world.send(Msg::Key(Key::parse("p").unwrap()));
    found_out(&mut world, old);
    assert!(world.model.map.paths.as_ref().unwrap().found.is_none());
    found_out(&mut world, new);
    assert!(world.model.map.paths.as_ref().unwrap().found.is_some());
}

#[test]
fn whoever_runs_through_the_queue_asks_about_where_he_stops() {
    let mut world = World::showing("triage");
    let mut text = String::new();
    for who in ["svc-deploy", "vendor-shipfast", "svc-backup-legacy"] {
        let _ = write!(text, "[[identity]]\nid = 'lab:{who}'\nname = '{who}'\n");
        for n in 0..2_000 {
            let _ = write!(
                text,
                "[[edge]]\nfrom = 'n{n}'\nkind = 'depends_on'\nto = 'lab:{who}'\n"
            );
        }
    }
    world.press("G");
    world.model.inventory = Arc::new(stanch::inventory::parse(&text, "test").unwrap());
    let mut asked = Vec::new();
    for key in ["k", "k", "k"] {
        asked.extend(world.send(Msg::Key(Key::parse(key).unwrap())));
    }
    assert!(world.model.is_passing() && !world.model.detail.looking);
    passing::rest(&mut world.model);
    asked.extend(world.send(Msg::Tick));
    asked.retain(|effect| matches!(effect, Effect::AskMap(_)));
    assert_eq!(asked.len(), 1, "one question is under way at a time");
    assert!(world.model.detail.looking);
    let Some(Effect::AskMap(ask)) = asked.pop() else {
        unreachable!()
    };
    let effects = world.send(Msg::Map(Box::new(ask.answer())));
    assert_eq!(found_out(&mut world, effects), 1, "then about this one");
    assert!(!world.model.detail.looking);
    assert_eq!(world.model.detail.look.impact.count(), 2_000);
}

#[test]
fn what_an_alert_tells_of_joins_while_the_map_is_open() {
    let mut world = World::showing("triage");
    world.press("M tab j j");
    let before = label(&world);
    let graph = world.model.detail.graph.clone();
    world.made("svc-deploy-sync");
    assert_eq!(label(&world), before, "rows do not move under the cursor");
    assert!(!Arc::ptr_eq(&graph, &world.model.detail.graph));
    let view = world.model.map.view.as_ref().unwrap();
    assert!(Arc::ptr_eq(&view.graph, &world.model.detail.graph));
    let node = view
        .graph
        .node(&NodeId::new("lab:svc-deploy-sync"))
        .unwrap();
    assert_eq!(node.joined, Some(Joined::Born));
    assert_eq!(
        world.model.detail.newcomers.len(),
        2,
        "and a secret was touched"
    );
}

#[test]
fn what_a_provider_says_stands_on_the_map() {
    let mut world = World::showing("triage");
    let context = LiveContext {
        enabled: Some(false),
        ..LiveContext::default()
    };
    world.send(Msg::Context {
        identity: IdentityId::new("lab:svc-deploy"),
        at: now()
            .checked_add(jiff::SignedDuration::from_secs(1))
            .unwrap(),
        context: Box::new(context),
    });
    let own = NodeId::new("lab:svc-deploy");
    let node = world.model.detail.graph.node(&own).unwrap();
    assert_eq!(node.state, Some(NodeState::Disabled));
    assert!(
        world.model.detail.look.layers.is_empty(),
        "its session is gone"
    );
}

#[test]
fn from_here_and_back() {
    let mut world = World::showing("map_exposure");
    world.press("j j f");
    let view = world.model.map.view.as_ref().unwrap();
    assert_eq!(
        (view.start.as_str(), view.tab),
        ("resource:card-vault", Tab::Exposure)
    );
    world.press("tab tab tab tab");
    let view = world.model.map.view.as_ref().unwrap();
    assert_eq!(view.tab, Tab::Impact);
    world.press("esc");
    assert_eq!(label(&world), "card vault", "as it was left");
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[test]
fn two_marks_make_a_path() {
    let mut world = World::showing("map_exposure");
    world.press("j j space");
    assert_eq!(world.model.map.marks.len(), 1);
    world.press("j space p");
    let paths = world.model.map.paths.as_ref().unwrap();
    assert_eq!(
        (paths.from.as_str(), paths.to.as_str()),
        ("resource:card-vault", "resource:payments-db")
    );
    assert_eq!(paths.found.as_ref().unwrap().len(), 1, "over the store");
    let effects = world.send(Msg::Key(Key::char('y')));
    let copied = effects.iter().find_map(|e| match e {
        Effect::Copy(text) => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(
        copied,
        Some("resource:card-vault -> store:vault-eu-1 -> resource:payments-db")
    );
    world.press("esc esc");
    assert!(world.model.map.marks.is_empty());
}

#[test]
fn the_id_of_a_row_is_copied_as_it_is_shown() {
    let mut world = World::showing("map_hostile");
    let effects = world.send(Msg::Key(Key::char('y')));
    let Some(Effect::Copy(text)) = effects.first() else {
        panic!("nothing copied")
    };
    assert!(
        text.contains(r"\u{1b}") && !text.chars().any(char::is_control),
        "{text}"
    );
}

#[test]
fn a_plan_for_whoever_is_found_on_the_map() {
    let mut world = World::showing("triage");
    world.made("svc-deploy-sync");
    world.press("M tab / s y n c enter o");
    let choosing = world.model.map.choosing.as_ref().unwrap();
    assert_eq!(choosing.identity.id.as_str(), "lab:svc-deploy-sync");
    assert_eq!(choosing.identity.connector.as_deref(), Some("lab"));
    assert!(choosing.choices.iter().all(|c| c.playbook.is_some()));
    let effects = world.send(Msg::Key(Key::char('2')));
    let built = effects.iter().find_map(|e| match e {
        Effect::BuildPlan {
            alert, identity, ..
        } => Some((alert.as_str(), identity.id.as_str())),
        _ => None,
    });
    assert_eq!(
        built,
        Some(("drill/f1", "lab:svc-deploy-sync")),
        "on the alert at hand"
    );
    world.answer(&effects);
    assert!(matches!(world.model.overlay, Overlay::Plan(_)));
    let again = world.send(Msg::Key(Key::parse("ctrl-r").unwrap()));
    let whom = again.iter().find_map(|e| match e {
        Effect::BuildPlan { identity, .. } => Some(identity.id.as_str()),
        _ => None,
    });
    assert_eq!(
        whom,
        Some("lab:svc-deploy-sync"),
        "built anew for the same one"
    );
    world.press("esc");
    assert!(
        matches!(world.model.overlay, Overlay::Map),
        "back to the map"
    );
}

#[test]
fn no_plan_where_none_may_be_made() {
    let mut world = World::showing("map_exposure");
    world.press("o");
    assert!(world.model.map.choosing.is_none());
    assert!(
        world
            .model
            .messages
            .last()
            .unwrap()
            .text
            .contains("no identity")
    );
    world.model.read_only = true;
    assert!(disabled_reason(Command::PlanHere, &world.model).is_some());
    world.press("/ g a t e w a y enter o");
    assert!(world.model.map.choosing.is_none());
}

#[test]
fn who_has_no_alert_is_said_to_have_none() {
    let mut world = World::showing("map_siblings");
    world.press("a");
    assert!(matches!(world.model.overlay, Overlay::Map));
    let said = &world.model.messages.last().unwrap().text;
    assert!(
        said.contains("no alert in the queue is about lab:"),
        "{said}"
    );
}

#[test]
fn esc_in_the_queue_comes_back_to_the_map() {
    let mut world = World::showing("triage");
    // From the card of a key to who holds it, which is the identity with an alert.
    world.press("M tab / d k - enter f");
    assert_eq!(label(&world), "-", "nothing is reached from a key");
    world.press("shift-tab");
    assert_eq!(label(&world), "svc-deploy");
    world.press("a");
    assert!(matches!(world.model.overlay, Overlay::None));
    assert_eq!(world.model.selected.as_ref().unwrap().as_str(), "drill/f1");
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::Map));
    assert_eq!(label(&world), "svc-deploy");
}
