//! Text from outside does nothing to a terminal, whatever it is and wherever it is shown.

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use rstest::rstest;

use super::every::{all, every_case};
use super::payloads::PAYLOADS;
use super::pointing::with_ui;
use super::rendered;
use super::world::World;
use super::world::evil::EVIL;
use super::{dump, oracle};
use stanch::ui::page;

/// Runs something in a world in which whoever writes text writes this as well.
fn with_evil<T>(text: &str, run: impl FnOnce() -> T) -> T {
    EVIL.with_borrow_mut(|evil| text.clone_into(evil));
    let result = run();
    EVIL.with_borrow_mut(String::clear);
    result
}

/// The bytes that a terminal is sent for a frame.
fn sent(buffer: &Buffer) -> Vec<u8> {
    let mut bytes = Vec::new();
    let blank = Buffer::empty(buffer.area);
    let updates = blank.diff(buffer);
    let mut backend = CrosstermBackend::new(&mut bytes);
    backend.draw(updates.into_iter()).unwrap();
    bytes
}

#[rstest]
fn no_text_from_outside_reaches_the_terminal_as_more_than_text(
    #[values(0, 1, 2, 3, 4, 5, 6, 7)] part: usize,
) {
    let mut found = Vec::new();
    for (at, (what, text)) in PAYLOADS.iter().enumerate().skip(part).step_by(8) {
        // Every payload on every screen takes minutes; else each meets some, and each screen some.
        let step = if every_case() { 1 } else { 12 };
        for screen in all().skip(at % step).step_by(step) {
            let world = with_evil(text, || World::showing(screen));
            let buffer = rendered(&world.model, "terminal", false, 140, 40);
            let mut wrong = oracle::frame(&sent(&buffer));
            let page = with_ui(|ui| page::text(&world.model, ui, 140));
            wrong.extend(oracle::lines(page.as_bytes()));
            if !wrong.is_empty() {
                found.push(format!("{what} on {screen}: {wrong:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_was_tried_is_there_to_be_read() {
    for screen in [
        "triage",
        "preview_soft",
        "log",
        "inbox",
        "debts",
        "card_sessions",
        "map_hostile",
    ] {
        let world = with_evil("\u{1b}]0;x\u{7}", || World::showing(screen));
        let text = dump(&rendered(&world.model, "terminal", false, 200, 50));
        assert!(text.contains(r"\u{1b}"), "{screen}:\n{text}");
    }
}

#[test]
fn the_oracle_hears_every_payload_that_commands() {
    let harmless = [
        "wide",
        "own escapes",
        "stacked marks",
        "left open",
        "left open, CSI",
        "lone escape",
        "variation",
    ];
    for (what, text) in PAYLOADS {
        let wrong = oracle::lines(text.as_bytes());
        // What is left open does its harm with what follows.
        let after = oracle::lines(format!("{text}c\u{7}").as_bytes());
        assert!(
            !wrong.is_empty() || !after.is_empty() || harmless.contains(what),
            "{what}"
        );
    }
}
