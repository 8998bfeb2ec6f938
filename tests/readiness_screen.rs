//! The readiness screen: where keys lead, whom the filter leaves, what is asked for and what late answers do.

mod world;

use rstest::rstest;
use stanch::app::keys::Key;
use stanch::app::model::{Model, Overlay, Pane};
use stanch::app::msg::{Effect, Msg};
use stanch::domain::text::Untrusted;
use world::{World, now};

fn here(world: &World) -> String {
    let current = world.model.readiness.current();
    current.map_or_else(|| "-".to_owned(), |r| r.id.as_str().to_owned())
}

fn keyed(world: &mut World, key: &str) -> Vec<Effect> {
    world.send(Msg::Key(Key::parse(key).unwrap()))
}

fn risks(model: &Model) -> Vec<u32> {
    let all = 0..model.readiness.shown();
    all.map(|row| model.readiness.row(row).unwrap().risk)
        .collect()
}

#[test]
fn the_greatest_risk_comes_first_and_keys_move() {
    let mut world = World::showing("ready");
    let risks = risks(&world.model);
    assert!(
        risks.len() > 3 && risks.is_sorted_by(|a, b| a >= b),
        "{risks:?}"
    );
    let first = here(&world);
    world.press("j");
    assert_ne!(here(&world), first);
    world.press("G pgdn k g");
    assert_eq!(here(&world), first);
    world.press("tab j j");
    assert_eq!(
        (here(&world), world.model.readiness.scroll),
        (first.clone(), 2)
    );
    world.press("esc j");
    assert_ne!(here(&world), first);
    assert_eq!(
        world.model.readiness.scroll, 0,
        "another one's gaps begin at the top"
    );
    world.press("?");
    assert!(matches!(world.model.overlay, Overlay::Help { .. }));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::Readiness));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[test]
fn everybody_is_judged_away_from_the_keys_and_once_at_a_time() {
    let mut world = World::showing("ready_judging");
    assert!(world.model.readiness.judging && world.model.readiness.judged.is_none());
    assert!(keyed(&mut world, "r").is_empty(), "one is under way");
    for key in ["e", "enter", "a", "y", "tab", "G"] {
        assert!(
            keyed(&mut world, key).is_empty(),
            "nobody is there for {key}"
        );
    }
    world.press("esc");
    world.judge();
    assert!(
        matches!(world.model.overlay, Overlay::None),
        "a late answer opens nothing"
    );
    let effects = keyed(&mut world, "R");
    let Some(Effect::Judge(untold)) = effects.first() else {
        panic!("nobody is judged again")
    };
    let grants = (
        "grants".to_owned(),
        Untrusted::from("the provider answered 503"),
    );
    assert_eq!(
        untold[0].1,
        [grants],
        "what a provider did not tell goes along"
    );
    assert!(
        world.model.readiness.shown() > 0,
        "what was known shows meanwhile"
    );
}

#[test]
fn the_cursor_stays_on_whom_it_was_on() {
    let mut world = World::showing("ready");
    world.press("j j");
    let it = here(&world);
    world.press("r");
    world.judge();
    assert_eq!(here(&world), it);
    world.press("/ l a b : enter");
    assert_eq!(here(&world), it);
}

#[rstest]
#[case("hard_coded", true)]
#[case("HARD_Coded", true)]
#[case("-hard_coded", false)]
fn the_filter_follows_the_keys(#[case] typed: &str, #[case] wanted: bool) {
    let mut world = World::showing("ready");
    let all = world.model.readiness.shown();
    world.press("/");
    for c in typed.chars() {
        world.send(Msg::Key(Key::char(c)));
    }
    let screen = &world.model.readiness;
    assert!(
        screen.shown() > 0 && screen.shown() < all,
        "{} of {all}",
        screen.shown()
    );
    for row in 0..screen.shown() {
        let gaps = &screen.row(row).unwrap().gaps;
        let has = gaps.iter().any(|gap| gap.kind.as_str() == "hard_coded");
        assert_eq!(has, wanted);
    }
    world.press("enter esc");
    assert_eq!(world.model.readiness.shown(), all, "Esc clears it");
    assert!(matches!(world.model.overlay, Overlay::Readiness));
    world.press("/");
    world.send(Msg::Paste("no\nsuch".into()));
    assert_eq!(world.model.readiness.shown(), 0);
    world.press("down esc");
    assert_eq!(world.model.readiness.shown(), all);
}

#[test]
fn enter_shows_the_card_over_the_map_and_esc_comes_back() {
    let mut world = World::showing("ready");
    world.press("j");
    let it = here(&world);
    world.press("enter");
    let map = &world.model.map;
    assert_eq!(map.card.as_ref().unwrap().node.as_str(), it);
    assert_eq!(map.view.as_ref().unwrap().start.as_str(), it);
    world.press("esc");
    assert!(
        matches!(world.model.overlay, Overlay::Map),
        "the map behind it"
    );
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::Readiness));
    assert_eq!(here(&world), it);
    world.press("enter q esc");
    assert!(matches!(world.model.overlay, Overlay::None));
    // A map that is opened from the queue leads back to the queue.
    world.press("M esc esc");
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[test]
fn an_alert_about_somebody_is_found_and_esc_comes_back() {
    let mut world = World::showing("ready");
    world.press("/ v e n d o r - s h i p enter a");
    assert!(matches!(world.model.overlay, Overlay::None));
    assert_eq!(world.model.selected.as_ref().unwrap().as_str(), "drill/f3");
    assert_eq!(world.model.focus, Some(Pane::Identity));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::Readiness));
    assert_eq!(here(&world), "lab:vendor-shipfast");
    // By way of the map it is the same way back.
    world.press("enter a");
    assert!(matches!(world.model.overlay, Overlay::None));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::Map));
    world.press("q");
    assert!(matches!(world.model.overlay, Overlay::Readiness));
}

#[test]
fn all_of_it_is_exported_whatever_the_filter() {
    let mut world = World::showing("ready_filtered");
    let effects = keyed(&mut world, "e");
    let Some(Effect::ExportReadiness(judged)) = effects.first() else {
        panic!("nothing is exported")
    };
    assert_eq!(judged.at, now());
    assert!(judged.all.len() > world.model.readiness.shown());
}

#[test]
fn the_id_is_copied_as_it_is_shown() {
    let mut world = World::showing("ready_hostile");
    world.press("/ p w n e d enter");
    let effects = keyed(&mut world, "y");
    let Some(Effect::Copy(text)) = effects.first() else {
        panic!("nothing copied")
    };
    assert!(
        text.contains(r"\u{1b}") && !text.chars().any(char::is_control),
        "{text}"
    );
}
