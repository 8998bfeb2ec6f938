//! What a mouse may do.

use ratatui::layout::{Position, Rect};
use rstest::rstest;
use stanch::app::keymap::Keymap;
use stanch::app::model::{Overlay, Pane};
use stanch::app::msg::{Effect, Msg};
use stanch::app::pointer::Pointed;
use stanch::ui::glyphs::UNICODE;
use stanch::ui::theme::Theme;
use stanch::ui::{Ui, hit};

use super::every::{SCREENS, STATES};
use super::world::{World, now};

pub fn with_ui<T>(f: impl FnOnce(Ui<'_>) -> T) -> T {
    let (theme, keymap) = (Theme::named("terminal").unwrap(), Keymap::default());
    f(Ui {
        theme: &theme,
        keymap: &keymap,
        glyphs: &UNICODE,
        now: now(),
    })
}

fn hits(world: &World, (width, height): (u16, u16)) -> Vec<(u16, Pointed)> {
    let area = Rect::new(0, 0, width, height);
    let at = |y| with_ui(|ui| hit::at(&world.model, ui, area, Position::new(10, y)));
    (0..height).filter_map(|y| Some((y, at(y)?))).collect()
}

#[rstest]
#[case("triage", (80, 24))]
#[case("triage", (120, 40))]
#[case("filtered", (80, 24))]
#[case("filtered", (120, 40))]
#[case("zoomed", (80, 24))]
fn a_click_selects_the_alert_of_the_line(#[case] screen: &str, #[case] size: (u16, u16)) {
    let mut world = World::showing(screen);
    world.model.focus = Some(Pane::Queue);
    let rows: Vec<_> = hits(&world, size)
        .into_iter()
        .filter_map(|(y, hit)| match hit {
            Pointed::Row(id) => Some((y, id)),
            Pointed::Pane(_) => None,
        })
        .collect();
    assert!(rows.len() > 1, "{rows:?}");
    let buffer = super::rendered(&world.model, "terminal", false, size.0, size.1);
    for (at, (y, id)) in rows.iter().enumerate() {
        assert_eq!(world.model.queue.at(at).as_ref(), Some(id));
        let cells = buffer
            .content
            .chunks(usize::from(size.0))
            .nth(usize::from(*y));
        let line: String = cells
            .unwrap()
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        let words = ["CRIT", "HIGH", "medium", "low", "info"];
        assert!(words.iter().any(|word| line.contains(word)), "{line}");
    }
    let (_, last) = rows.last().unwrap().clone();
    let effects = world.send(Msg::Pointed(Pointed::Row(last.clone())));
    assert_eq!(world.model.selected, Some(last));
    let reads = |e: &Effect| {
        matches!(
            e,
            Effect::ReadAlert(_) | Effect::ReadContext(_) | Effect::AskMap(_)
        )
    };
    assert!(effects.iter().all(reads), "{effects:?}");
}

#[test]
fn a_click_beside_the_queue_only_moves_the_focus() {
    let mut world = World::showing("triage");
    let selected = world.model.selected.clone();
    world.send(Msg::Pointed(Pointed::Pane(Pane::Map)));
    assert_eq!(world.model.focus, Some(Pane::Map));
    assert_eq!(world.model.selected, selected);
}

#[test]
fn a_mouse_acts_on_nothing_that_lies_over_the_queue() {
    for screen in SCREENS.into_iter().chain(STATES) {
        let mut world = World::showing(screen);
        if matches!(world.model.overlay, Overlay::None) {
            continue;
        }
        let before = (world.model.selected.clone(), world.model.focus);
        let id = world.model.queue.at(1).or(world.model.queue.at(0));
        let pointed = id.map_or(Pointed::Pane(Pane::Map), Pointed::Row);
        assert!(hits(&world, (80, 24)).is_empty(), "{screen}");
        assert!(world.send(Msg::Pointed(pointed)).is_empty(), "{screen}");
        assert_eq!((world.model.selected.clone(), world.model.focus), before);
        let mut effects = world.send(Msg::Wheel(true));
        effects.extend(world.send(Msg::Wheel(false)));
        let reads = |e: &Effect| {
            matches!(
                e,
                Effect::ReadRecord { .. } | Effect::AskMap(_) | Effect::Continue
            )
        };
        assert!(effects.iter().all(reads), "{screen}: {effects:?}");
    }
}

#[test]
fn the_wheel_goes_three_rows_and_is_nothing_to_a_text() {
    let mut world = World::showing("triage");
    world.press("g");
    world.send(Msg::Wheel(true));
    let at = |world: &World| {
        let selected = world.model.selected.as_ref().unwrap();
        world.model.queue.position(selected).unwrap()
    };
    assert_eq!(at(&world), 3.min(world.model.queue.len() - 1));
    world.send(Msg::Wheel(false));
    assert_eq!(at(&world), 0);
    world.press("n");
    world.send(Msg::Wheel(true));
    assert!(
        matches!(&world.model.overlay, Overlay::Reason(prompt) if prompt.input.value().is_empty())
    );
}
