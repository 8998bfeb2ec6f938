//! Many alerts that come together, in pieces: their places are taken once.

use std::sync::Arc;

use stanch::app::keymap::Keymap;
use stanch::app::model::Model;
use stanch::app::msg::Msg;
use stanch::domain::queue::Row;
use stanch::domain::vocabulary::Severity;

use super::{Desk, row, start};

fn severe(id: &str, severity: Severity) -> Row {
    let mut row = row(id, 90);
    Arc::make_mut(&mut row.alert).severity = Some(severity);
    row
}

/// A desk that nobody touched, with one alert.
fn desk() -> Desk {
    let mut desk = Desk {
        model: Model::default(),
        keymap: Keymap::default(),
        now: start(),
    };
    desk.send(Msg::Alerts(vec![severe("low", Severity::Low)]));
    desk
}

fn order(desk: &Desk) -> Vec<String> {
    let queue = &desk.model.queue;
    let ids = (0..queue.len()).filter_map(|at| queue.at(at));
    ids.map(|id| id.as_str()["test/".len()..].to_owned())
        .collect()
}

fn selected(desk: &Desk) -> Option<String> {
    Some(desk.model.selected.as_ref()?.as_str()["test/".len()..].to_owned())
}

#[test]
fn they_take_their_places_with_the_last_of_them() {
    let mut desk = desk();
    assert_eq!(selected(&desk).as_deref(), Some("low"));
    desk.send(Msg::SomeAlerts(vec![severe("high", Severity::High)]));
    assert_eq!(order(&desk), ["low"]);
    desk.send(Msg::SomeAlerts(vec![severe("worst", Severity::Critical)]));
    assert_eq!((order(&desk).len(), desk.model.queue.all()), (1, 3));
    desk.send(Msg::Alerts(vec![severe("medium", Severity::Medium)]));
    assert_eq!(order(&desk), ["worst", "high", "medium", "low"]);
    // Until the first key the worst one is selected.
    assert_eq!(selected(&desk).as_deref(), Some("worst"));
}

#[test]
fn a_key_in_between_keeps_all_of_them_waiting() {
    let mut desk = desk();
    desk.send(Msg::SomeAlerts(vec![severe("high", Severity::High)]));
    desk.press("j");
    desk.send(Msg::Alerts(vec![severe("worst", Severity::Critical)]));
    assert_eq!(order(&desk), ["low"]);
    assert_eq!(desk.model.queue.waiting(), 2);
    assert_eq!(selected(&desk).as_deref(), Some("low"));
    desk.press("g");
    assert_eq!(order(&desk), ["worst", "high", "low"]);
}

#[test]
fn the_first_alerts_of_all_are_shown_at_once() {
    let mut desk = Desk {
        model: Model::default(),
        keymap: Keymap::default(),
        now: start(),
    };
    desk.send(Msg::SomeAlerts(vec![severe("high", Severity::High)]));
    assert_eq!(order(&desk), ["high"]);
    assert_eq!(selected(&desk).as_deref(), Some("high"));
}
