//! What is read again while a console runs: the inventory and what a provider says, at their ages and on keys.

mod world;

use std::sync::Arc;

use jiff::SignedDuration;
use stanch::app::keys::Key;
use stanch::app::msg::{Effect, Msg};
use stanch::domain::identity::LiveContext;
use stanch::domain::inventory::{Background, Inventory, SourceState};
use world::{World, now};

fn tick(world: &mut World, after_s: i64) -> Vec<Effect> {
    world.clock = now()
        .checked_add(SignedDuration::from_secs(after_s))
        .unwrap();
    world.send(Msg::Tick)
}

fn asks_inventory(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::ReadInventory))
}

fn asks_provider(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::ReadContext(_)))
}

fn owned_by(owner: &str) -> Arc<Inventory> {
    let text = format!(
        "[[identity]]\nid = 'lab:svc-deploy'\nname = 'svc-deploy'\nconnector = 'lab'\ntechnical_owner = '{owner}'\n\
         [[node]]\nid = 'shop'\nkind = 'workload'\nlabel = 'shop'\n\
         [[edge]]\nfrom = 'shop'\nkind = 'depends_on'\nto = 'lab:svc-deploy'\n"
    );
    Arc::new(stanch::inventory::parse(&text, "test").unwrap())
}

#[test]
fn the_inventory_is_read_again_when_it_is_old_and_once_at_a_time() {
    let mut world = World::showing("triage");
    world.model.reload.every_s = 600;
    assert!(!asks_inventory(&tick(&mut world, 0)));
    assert!(!asks_inventory(&tick(&mut world, 599)));
    assert!(asks_inventory(&tick(&mut world, 600)));
    assert!(
        !asks_inventory(&tick(&mut world, 1_300)),
        "it is being read"
    );
    world.send(Msg::InventoryRead(None));
    assert!(!asks_inventory(&tick(&mut world, 1_800)));
    assert!(asks_inventory(&tick(&mut world, 1_900)));
    world.model.reload = stanch::app::reload::Reload::default();
    assert!(!asks_inventory(&tick(&mut world, 999_999)), "0 is never");
}

#[test]
fn what_was_read_stands_on_card_map_and_in_plans() {
    let mut world = World::showing("triage");
    let effects = world.send(Msg::Key(Key::ctrl('r')));
    assert!(asks_inventory(&effects));
    let effects = world.send(Msg::InventoryRead(Some(owned_by("Team Blue"))));
    let card = world.model.detail.identity.clone().unwrap();
    assert_eq!(card.technical_owner, Some("Team Blue".into()));
    assert_eq!(world.model.detail.look.impact.count(), 1, "the new map's");
    let used =
        |e: &Effect| matches!(e, Effect::UseInventory(i) if Arc::ptr_eq(i, &world.model.inventory));
    assert!(effects.iter().any(used));
    let said = &world.model.messages.last().unwrap().text;
    assert!(said.contains("read again: 1 identities"), "{said}");
}

#[test]
fn an_open_map_and_an_open_card_follow() {
    let mut world = World::showing("triage");
    world.press("M");
    world.send(Msg::InventoryRead(Some(owned_by("Team Blue"))));
    let view = world.model.map.view.as_ref().unwrap();
    assert!(Arc::ptr_eq(&view.graph, &world.model.detail.graph));
    assert_eq!(view.rows(), 1);
    world.press("q I shift-tab j j");
    world.send(Msg::InventoryRead(Some(owned_by("Team Red"))));
    let row = format!("{:?}", world.model.card.current());
    assert!(row.contains("Team Red"), "{row}");
}

#[test]
fn trouble_with_a_source_is_told_once_and_stays_in_sight() {
    let mut world = World::showing("triage");
    let source = SourceState {
        name: "catalog".into(),
        place: "https://catalog.example".into(),
        format: None,
        at: None,
        identities: 1,
        trouble: Some("cannot be reached; what it said 2h ago is used".into()),
    };
    let background = Background {
        sources: vec![source],
        ..Background::default()
    };
    let cards = owned_by("Team Blue")
        .identities()
        .values()
        .cloned()
        .collect::<Vec<_>>();
    let read = || {
        Arc::new(Inventory::build(
            cards.clone(),
            stanch::domain::graph::Graph::default(),
            background.clone(),
        ))
    };
    let told = |world: &World| {
        let all = world.model.messages.iter();
        all.filter(|m| m.text.contains("what it said 2h ago is used"))
            .count()
    };
    world.send(Msg::InventoryRead(Some(read())));
    world.send(Msg::InventoryRead(Some(read())));
    assert_eq!(told(&world), 1);
    assert_eq!(world.model.reload.troubles.len(), 1);
    world.send(Msg::InventoryRead(Some(owned_by("Team Blue"))));
    assert!(world.model.reload.troubles.is_empty());
}

#[test]
fn a_provider_is_asked_again_when_what_it_said_is_old_and_no_faster() {
    let mut world = World::showing("triage");
    world.model.reload.live_again_s = 120;
    assert!(!asks_provider(&tick(&mut world, 60)));
    assert!(asks_provider(&tick(&mut world, 120)));
    assert!(
        !asks_provider(&tick(&mut world, 180)),
        "the answer is under way"
    );
    let identity = world.model.detail.identity.clone().unwrap().id;
    let at = world.clock;
    let failed = LiveContext {
        unknown: vec![("everything".into(), "cannot be reached".into())],
        ..LiveContext::default()
    };
    world.send(Msg::Context {
        identity,
        at,
        context: Box::new(failed),
    });
    assert!(
        !asks_provider(&tick(&mut world, 240)),
        "a failure is no reason to hurry"
    );
    assert!(asks_provider(&tick(&mut world, 300)));
    world.model.reload.live_again_s = 0;
    world.model.live.clear();
    assert!(!asks_provider(&tick(&mut world, 9_999)));
}
