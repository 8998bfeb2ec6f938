//! A cursor that runs through the queue: nothing beside it is about another alert than the one under the cursor.

use rstest::rstest;
use stanch::app::keys::Key;
use stanch::app::model::Overlay;
use stanch::app::msg::{Effect, Msg};
use stanch::app::passing::REST;
use stanch::domain::ids::IdentityId;

use super::Desk;

fn key(desk: &mut Desk, name: &str, after_ms: i64) -> Vec<Effect> {
    desk.pass(after_ms);
    desk.send(Msg::Key(Key::parse(name).unwrap()))
}

fn beside(desk: &Desk) -> Option<&str> {
    let card = desk.model.detail.identity.as_ref()?;
    Some(card.id.as_str())
}

#[test]
fn one_key_is_answered_in_full_and_a_key_held_down_once_it_is_let_go() {
    let mut desk = Desk::new();
    let rest = i64::try_from(REST.as_millis()).unwrap();
    assert!(!key(&mut desk, "j", 0).is_empty());
    assert_eq!(beside(&desk), Some("p:svc-b"));
    // Again and again: nothing is asked, and nothing stands beside the queue.
    for name in ["k", "j", "k"] {
        assert!(key(&mut desk, name, rest - 1).is_empty());
        assert_eq!(beside(&desk), None);
        assert!(desk.model.detail.choices.is_empty() && desk.model.is_passing());
    }
    // What comes meanwhile does not show it sooner.
    desk.pass(rest - 1);
    desk.send(Msg::Alerts(Vec::new()));
    assert_eq!(beside(&desk), None);
    desk.pass(1);
    let effects = desk.send(Msg::Tick);
    assert_eq!(beside(&desk), Some("p:svc-a"));
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::ReadContext(card) if card.id.as_str() == "p:svc-a")),
        "{effects:?}"
    );
    assert_eq!(desk.model.rests_at(), None);
    // After a rest one key is answered in full again.
    key(&mut desk, "j", 0);
    assert_eq!(beside(&desk), Some("p:svc-b"));
}

#[rstest]
#[case("1")]
#[case("w")]
#[case("tab")]
#[case("D")]
#[case("enter")]
fn every_other_key_is_about_the_alert_under_the_cursor(#[case] name: &str) {
    let mut desk = Desk::new();
    key(&mut desk, "j", 0);
    key(&mut desk, "k", 1);
    assert!(desk.model.is_passing());
    key(&mut desk, name, 1);
    assert!(!desk.model.is_passing());
    assert_eq!(beside(&desk), Some("p:svc-a"));
    if let Overlay::Plan(view) = &desk.model.overlay {
        assert_eq!(view.identity, IdentityId::new("p:svc-a"));
    } else {
        assert_ne!(name, "1");
    }
}
