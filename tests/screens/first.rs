//! What is drawn before everything is known.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rstest::rstest;
use stanch::app::model::{Opening, Pane};
use stanch::app::msg::Msg;
use stanch::domain::queue::Queue;
use stanch::ui;

use super::pointing::with_ui;
use super::world::World;

fn drawn(world: &World, area: Rect) -> (Buffer, Option<Rect>) {
    let mut buffer = Buffer::empty(area);
    let queue = with_ui(|ui| ui::draw(&world.model, ui, area, &mut buffer));
    (buffer, queue)
}

fn text(buffer: &Buffer) -> String {
    let cells = buffer.content.iter();
    cells.map(ratatui::buffer::Cell::symbol).collect()
}

#[rstest]
#[case("triage", (80, 24))]
#[case("triage", (120, 40))]
#[case("triage", (200, 50))]
#[case("filtered", (120, 40))]
#[case("zoomed", (80, 24))]
fn a_cursor_that_moved_is_shown_before_what_stands_beside_it(
    #[case] screen: &str,
    #[case] (width, height): (u16, u16),
) {
    let mut world = World::showing(screen);
    world.model.focus = Some(Pane::Queue);
    let area = Rect::new(0, 0, width, height);
    let (before, queue) = drawn(&world, area);
    let place = queue.unwrap();
    world.model.window.rows = ui::queue::rows(&world.model, place);
    let selected = world.model.selected.clone();
    world.press("j");
    assert_ne!(world.model.selected, selected);
    let mut first = before.clone();
    with_ui(|ui| ui::queue_alone(&world.model, ui, place, &mut first));
    let (after, queue) = drawn(&world, area);
    assert_eq!(queue, Some(place), "the queue stays where it is");
    assert_ne!(before, first);
    for at in area.positions() {
        let like = if place.contains(at) { &after } else { &before };
        assert_eq!(first[at], like[at], "{at:?}");
    }
}

#[rstest]
#[case("triage", true)]
#[case("preview_soft", false)]
#[case("help", false)]
#[case("log", false)]
fn only_where_keys_move_its_cursor_the_queue_has_a_place(#[case] screen: &str, #[case] has: bool) {
    let (_, queue) = drawn(&World::showing(screen), Rect::new(0, 0, 120, 40));
    assert_eq!(queue.is_some(), has);
    assert!(queue.is_none_or(|place| place.contains(Position::new(10, 10))));
}

#[test]
fn what_is_being_read_is_not_counted_as_all_that_there_is() {
    let area = Rect::new(0, 0, 120, 40);
    let mut world = World::showing("triage");
    world.model.opening = Opening {
        alerts: true,
        log: true,
        sources: 2,
    };
    world.model.sources.clear();
    let said = text(&drawn(&world, area).0);
    assert!(
        said.contains("open so far") && said.contains("reading journal"),
        "{said}"
    );
    // Nobody said yet how they are, and that is not the same as none.
    assert!(said.contains("2 sources starting"), "{said}");
    assert!(!said.contains("journal ok"), "{said}");
    world.model.queue = Queue::default();
    let said = text(&drawn(&world, area).0);
    assert!(said.contains("reading alerts"), "{said}");
    assert!(
        said.contains("Reading the alerts that are stored."),
        "{said}"
    );
    assert!(
        !said.contains("0 open") && !said.contains("No alerts"),
        "{said}"
    );
    world.send(Msg::StoredRead);
    world.send(Msg::LogRead);
    let said = text(&drawn(&world, area).0);
    assert!(
        said.contains("0 open") && said.contains("journal ok"),
        "{said}"
    );
    assert!(!said.contains("no source that could bring any"), "{said}");
}
