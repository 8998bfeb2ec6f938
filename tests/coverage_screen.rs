//! The coverage matrix on screen: why an alert is not closed, risks taken on, checks by hand, a use that opens it again.

mod world;

use rstest::rstest;
use stanch::app::model::Overlay;
use stanch::app::msg::{Effect, Msg};
use stanch::app::row_state::RowState;
use stanch::domain::coverage::CellState;
use stanch::domain::decision::{Decision, DecisionKind};
use stanch::domain::ids::AlertId;
use stanch::domain::vocabulary::Layer;
use world::{World, coverage};

use stanch::app::keys::Key;

fn key(world: &mut World, names: &str) -> Vec<Effect> {
    names
        .split(' ')
        .flat_map(|name| world.send(Msg::Key(Key::parse(name).unwrap())))
        .collect()
}

fn typed(world: &mut World, text: &str) -> Vec<Effect> {
    text.chars()
        .flat_map(|c| world.send(Msg::Key(Key::char(c))))
        .collect()
}

fn recorded(effects: &[Effect]) -> &Decision {
    match effects {
        [Effect::Record(decisions)] => &decisions[0],
        other => panic!("{other:?}"),
    }
}

fn said(world: &World) -> &str {
    &world.model.messages.last().unwrap().text
}

/// Puts the cursor on the cell of the contained identity on a layer.
fn go_to(world: &mut World, layer: Layer) {
    let alert = AlertId::new("drill/f1");
    let cells = world.model.coverage_of(&alert).cells;
    let at = cells
        .iter()
        .position(|c| c.name.layer == layer && c.name.node.as_str() == "lab:svc-deploy");
    key(world, "g");
    for _ in 0..at.unwrap() {
        key(world, "j");
    }
}

#[test]
fn closing_names_the_cells_that_are_in_the_way() {
    let mut world = World::showing("coverage");
    assert!(key(&mut world, "X").is_empty());
    let told = said(&world).to_owned();
    for part in [
        "not closed",
        "sessions of svc-deploy unknown",
        "permissions of svc-deploy open",
        "C, A",
    ] {
        assert!(told.contains(part), "no `{part}` in: {told}");
    }
    assert!(matches!(world.model.overlay, Overlay::Coverage));
    key(&mut world, "q");
    assert!(matches!(world.model.overlay, Overlay::None));
    assert!(key(&mut world, "X").is_empty(), "from the queue as well");
}

#[test]
fn a_risk_needs_a_reason_and_names_its_cell() {
    let mut world = World::showing("coverage");
    go_to(&mut world, Layer::Sessions);
    assert!(
        key(&mut world, "A enter").is_empty(),
        "no reason, no record"
    );
    typed(&mut world, "owner agrees");
    let effects = key(&mut world, "enter");
    let decision = recorded(&effects);
    assert_eq!(decision.kind, DecisionKind::AcceptRisk);
    let cell = decision.cell.as_ref().unwrap();
    assert_eq!(
        (cell.node.as_str(), cell.layer),
        ("lab:svc-deploy", Layer::Sessions)
    );
    assert_eq!(decision.reason.as_deref(), Some("owner agrees"));
    assert!(
        matches!(world.model.overlay, Overlay::Coverage),
        "back where it came from"
    );
}

#[test]
fn with_every_risk_taken_on_the_alert_closes_and_each_stands_in_the_log() {
    let mut world = World::showing("coverage_risk");
    let effects = key(&mut world, "X");
    assert_eq!(recorded(&effects).kind, DecisionKind::CloseContained);
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[rstest]
#[case::proven(Layer::Credentials, "A", "this is proven")]
#[case::read_back(Layer::Credentials, "y", "read-back answers for this")]
#[case::by_nobody(Layer::Tokens, "n", "read-back answers for this")]
fn what_a_provider_answers_for_nobody_answers_for(
    #[case] layer: Layer,
    #[case] pressed: &str,
    #[case] told: &str,
) {
    let mut world = World::showing("coverage");
    go_to(&mut world, layer);
    assert!(key(&mut world, pressed).is_empty());
    assert!(said(&world).contains(told), "{}", said(&world));
    assert!(matches!(world.model.overlay, Overlay::Coverage));
}

#[test]
fn what_is_linked_is_answered_by_hand() {
    let mut world = World::showing("coverage");
    let alert = AlertId::new("drill/f1");
    let cells = world.model.coverage_of(&alert).cells;
    let at = cells
        .iter()
        .position(|c| c.state == CellState::HandedOff)
        .expect("the drill's client has siblings");
    key(&mut world, "g");
    for _ in 0..at {
        key(&mut world, "j");
    }
    key(&mut world, "n");
    typed(&mut world, "logged in from the same address");
    let effects = key(&mut world, "enter");
    let decision = recorded(&effects);
    assert_eq!(
        (decision.kind, decision.found),
        (DecisionKind::Checked, Some(CellState::Failed))
    );
    assert_eq!(decision.cell.as_ref(), Some(&cells[at].name));
}

#[test]
fn a_use_opens_an_alert_again_even_a_closed_one_until_it_is_contained_anew() {
    let alert = AlertId::new("drill/f1");
    let mut world = World::showing("coverage_queue");
    assert_eq!(world.model.watched(world.clock).len(), 1);
    let closed = coverage::decided(8, "close_contained", "sessions", None);
    world.send(Msg::Journal(vec![closed]));
    assert_eq!(world.model.row_state(&alert), RowState::Closed);
    world.send(Msg::Journal(vec![coverage::reopen(9)]));
    assert_eq!(world.model.row_state(&alert), RowState::Reopened);
    assert!(
        world.model.watched(world.clock).is_empty(),
        "one use opens it once"
    );
    key(&mut world, "X");
    assert!(
        said(&world).contains("contain it again"),
        "{}",
        said(&world)
    );
    // Taking it is no containment.
    let claim = coverage::decided(10, "claim", "sessions", None);
    world.send(Msg::Journal(vec![claim]));
    assert_eq!(world.model.row_state(&alert), RowState::Reopened);
}

#[test]
fn it_opens_over_a_plan_and_goes_back_to_it() {
    let mut world = World::showing("running");
    key(&mut world, "c");
    assert!(matches!(world.model.overlay, Overlay::Coverage));
    world.send(Msg::Journal(coverage::records(0)));
    key(&mut world, "esc");
    assert!(matches!(world.model.overlay, Overlay::Plan(_)));
    let mut preview = World::showing("preview_soft");
    key(&mut preview, "c");
    assert!(
        matches!(preview.model.overlay, Overlay::Plan(_)),
        "nothing was done yet"
    );
}
