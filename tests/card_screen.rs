//! The tabs of the card: where keys lead, what is copied, what a plan is started with, what is said to be unknown.

mod world;

use rstest::rstest;
use stanch::app::card::{Row, Tab};
use stanch::app::command::{Command, disabled_reason};
use stanch::app::keys::Key;
use stanch::app::model::Overlay;
use stanch::app::msg::{Effect, Msg};
use stanch::domain::identity::{LiveContext, Session};
use stanch::domain::vocabulary::Verb;
use world::World;

fn keyed(world: &mut World, key: &str) -> Vec<Effect> {
    world.send(Msg::Key(Key::parse(key).unwrap()))
}

fn here(world: &World) -> String {
    let row = world.model.card.current();
    row.map_or_else(|| "-".to_owned(), |row| row.id().to_owned())
}

fn session(id: &str) -> Session {
    Session {
        id: id.into(),
        kind: "access_token".into(),
        started: None,
        last_seen: None,
        expires: None,
        origin: None,
    }
}

#[test]
fn keys_lead_through_the_tabs_and_back() {
    let mut world = World::showing("triage");
    world.press("I");
    assert!(matches!(world.model.overlay, Overlay::Card));
    let mut seen = vec![world.model.card.tab];
    for _ in 1..Tab::ALL.len() {
        world.press("tab");
        seen.push(world.model.card.tab);
    }
    assert_eq!(seen, Tab::ALL);
    world.press("tab");
    assert_eq!(world.model.card.tab, Tab::Scopes, "round and round");
    let first = here(&world);
    world.press("j");
    assert_ne!(here(&world), first);
    world.press("pgdn pgdn g");
    assert_eq!(here(&world), first);
    world.press("enter j j");
    assert_eq!(
        world.model.card.reading,
        Some(2),
        "keys scroll what is open"
    );
    assert_eq!(here(&world), first);
    world.press("esc");
    assert_eq!(world.model.card.reading, None);
    world.press("?");
    assert!(matches!(world.model.overlay, Overlay::Help { .. }));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::Card));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::None));
    // From the panes of the card, Enter opens the whole of it.
    world.press("tab enter");
    assert!(matches!(world.model.overlay, Overlay::Card));
    world.press("q tab enter");
    assert_eq!(world.model.card.tab, Tab::Sessions);
    world.press("M");
    assert!(matches!(world.model.overlay, Overlay::Map));
    world.press("q");
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[test]
fn without_an_identity_there_is_no_card() {
    let mut world = World::showing("unresolved");
    world.press("I");
    assert!(matches!(world.model.overlay, Overlay::None));
    let said = &world.model.messages.last().unwrap().text;
    assert!(said.contains("no identity"), "{said}");
}

#[rstest]
#[case("tab", Verb::RevokeSessions)]
#[case("tab tab", Verb::DisableCredential)]
fn a_row_starts_a_plan_that_ends_it(#[case] tabs: &str, #[case] verb: Verb) {
    let mut world = World::showing("card");
    world.press(tabs);
    assert!(world.model.card.current().unwrap().acts().contains(&verb));
    world.press("o");
    let choosing = world.model.card.choosing.as_ref().unwrap();
    assert!(!choosing.choices.is_empty());
    for choice in &choosing.choices {
        let id = choice.playbook.as_ref().unwrap();
        let books = &world.model.playbooks;
        let book = books.iter().find(|book| book.id == *id).unwrap();
        let acts = world.model.card.current().unwrap().acts();
        assert!(
            book.steps.iter().any(|step| acts.contains(&step.verb)),
            "{id}"
        );
    }
    let note = choosing.note.clone().unwrap();
    assert!(note.contains("for all of svc-deploy"), "{note}");
    let able = choosing.choices.iter().find(|c| c.disabled.is_none());
    let key = able.and_then(|c| c.key).unwrap().to_string();
    let effects = keyed(&mut world, &key);
    let planned = effects.iter().find_map(|effect| match effect {
        Effect::BuildPlan { identity, .. } => Some(identity.id.to_string()),
        _ => None,
    });
    assert_eq!(planned.as_deref(), Some("lab:svc-deploy"));
    assert!(matches!(world.model.overlay, Overlay::Plan(_)));
    world.press("esc");
    assert!(
        matches!(world.model.overlay, Overlay::Card),
        "back to the card"
    );
}

#[test]
fn any_other_key_closes_the_options_and_stages_nothing() {
    let mut world = World::showing("card");
    world.press("tab o");
    assert!(world.model.card.choosing.is_some());
    assert!(keyed(&mut world, "esc").is_empty());
    assert!(world.model.card.choosing.is_none());
    assert!(matches!(world.model.overlay, Overlay::Card));
    world.press("o 9");
    assert!(world.model.card.choosing.is_some(), "9 is not among them");
    assert!(matches!(world.model.overlay, Overlay::Card));
}

#[test]
fn what_no_act_ends_starts_no_plan() {
    let mut world = World::showing("card_contact");
    world.press("o");
    assert!(world.model.card.choosing.is_none());
    let said = &world.model.messages.last().unwrap().text;
    assert!(said.contains("no act ends this"), "{said}");
}

#[test]
fn another_identity_in_reach_is_planned_for_itself() {
    let mut world = World::showing("triage");
    world.made("svc-deploy-sync");
    world.press("I tab tab tab tab");
    let rows = &world.model.card.sheet(Tab::Effects).rows;
    let at = rows
        .iter()
        .position(|row| row.id() == "lab:svc-deploy-sync");
    for _ in 0..at.expect("what was made stands among what it can do") {
        world.press("j");
    }
    world.press("o");
    let choosing = world.model.card.choosing.as_ref().unwrap();
    assert_eq!(choosing.identity.id.as_str(), "lab:svc-deploy-sync");
    assert_eq!(choosing.note, None);
}

#[test]
fn a_console_that_only_reads_starts_no_plan() {
    let mut world = World::showing("card");
    world.model.read_only = true;
    assert!(disabled_reason(Command::PlanHere, &world.model).is_some());
    world.press("tab o");
    assert!(world.model.card.choosing.is_none());
    world.press("enter");
    assert_eq!(
        world.model.card.reading,
        Some(0),
        "looking is always possible"
    );
}

#[rstest]
#[case("tab", "s-4a0a7401a4")]
#[case("shift-tab", "Platform on-call, +44 20 7946 0018")]
fn rows_are_copied(#[case] tabs: &str, #[case] wanted: &str) {
    let mut world = World::showing("card");
    world.press(tabs);
    let effects = keyed(&mut world, "y");
    let copied = effects.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(copied, Some(wanted));
}

#[test]
fn the_message_to_the_owner_is_copied_from_its_row() {
    let mut world = World::showing("card_contact");
    world.press("G");
    assert_eq!(world.model.card.current(), Some(&Row::Message));
    let effects = keyed(&mut world, "y");
    let is_message =
        |e: &Effect| matches!(e, Effect::Copy(text) if text.contains("security operations"));
    assert!(effects.iter().any(is_message), "{effects:?}");
}

#[test]
fn the_cursor_stays_on_its_session_when_the_provider_answers_again() {
    let mut world = World::showing("card");
    let lists = |names: &[&str]| LiveContext {
        sessions: names.iter().map(|name| session(name)).collect(),
        ..LiveContext::default()
    };
    world.says(lists(&["a", "b", "c"]));
    world.press("tab j enter");
    assert_eq!(here(&world), "b");
    world.says(lists(&["x", "y", "a", "b"]));
    assert_eq!(here(&world), "b");
    assert_eq!(world.model.card.reading, Some(0));
    world.says(lists(&["x"]));
    assert_eq!(here(&world), "x");
    assert_eq!(world.model.card.reading, None, "what was open is gone");
    world.says(lists(&[]));
    assert_eq!(here(&world), "-");
    world.press("enter j k G o y esc");
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[test]
fn what_was_not_told_is_unknown_and_never_nothing() {
    let world = World::showing("card");
    let grants = world.model.card.sheet(Tab::Grants);
    assert!(
        grants
            .notes
            .iter()
            .any(|n| n.unknown && n.text.contains("503"))
    );
    let sessions = world.model.card.sheet(Tab::Sessions);
    assert!(sessions.notes.iter().all(|n| !n.unknown));
    let world = World::showing("card_nobody_says");
    for tab in Tab::ALL.into_iter().filter(|tab| *tab != Tab::Contact) {
        let sheet = world.model.card.sheet(tab);
        assert!(sheet.notes.iter().any(|n| n.unknown), "{tab:?}");
    }
}

#[test]
fn what_a_provider_lists_without_end_is_cut_and_said_to_be() {
    let mut world = World::showing("card");
    let many = (0..5_000).map(|n| session(&format!("s{n}"))).collect();
    world.says(LiveContext {
        sessions: many,
        ..LiveContext::default()
    });
    let sheet = world.model.card.sheet(Tab::Sessions);
    assert_eq!((sheet.rows.len(), sheet.more), (2_000, 3_000));
}

#[test]
fn who_was_made_in_the_window_is_offered_and_never_chosen() {
    let mut world = World::showing("triage");
    world.press("o");
    let said = &world.model.messages.last().unwrap().text;
    assert!(said.contains("no identity is known"), "{said}");
    world.made("svc-deploy-sync");
    let own = world.model.detail.identity.clone().unwrap().id;
    assert_eq!(
        own.as_str(),
        "lab:svc-deploy",
        "what is at hand stays at hand"
    );
    assert!(world.model.born.is_none());
    world.press("o");
    let offered = world.model.born.as_ref().unwrap();
    assert_eq!(offered.identity.id.as_str(), "lab:svc-deploy-sync");
    let able = offered.choices.iter().find(|c| c.disabled.is_none());
    let key = able.and_then(|c| c.key).unwrap().to_string();
    world.press("esc");
    assert!(world.model.born.is_none());
    world.press("o");
    let effects = keyed(&mut world, &key);
    let planned = effects.iter().find_map(|effect| match effect {
        Effect::BuildPlan { identity, .. } => Some(identity.id.to_string()),
        _ => None,
    });
    assert_eq!(planned.as_deref(), Some("lab:svc-deploy-sync"));
}
