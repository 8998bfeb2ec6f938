//! Commands of the plan overlay.

use super::Command as C;
use super::Danger::{Acts, Safe};
use super::Scope::Plan;
use super::{Spec, spec};

/// Rows of the registry.
pub(super) const ROWS: &[Spec] = &[
    spec(
        C::Down,
        "plan.down",
        "scroll",
        &["down", "j"],
        Safe,
        Plan,
        "Scroll down.",
    ),
    spec(
        C::Up,
        "plan.up",
        "scroll",
        &["up", "k"],
        Safe,
        Plan,
        "Scroll up.",
    ),
    spec(
        C::PageDown,
        "plan.page_down",
        "page down",
        &["pgdn", "ctrl-d", "space"],
        Safe,
        Plan,
        "Scroll down a page.",
    ),
    spec(
        C::PageUp,
        "plan.page_up",
        "page up",
        &["pgup", "ctrl-u"],
        Safe,
        Plan,
        "Scroll up a page.",
    ),
    spec(
        C::SwitchButton,
        "plan.switch",
        "Cancel / Run",
        &["tab", "shift-tab", "left", "right"],
        Safe,
        Plan,
        "Move between the buttons; Cancel is chosen at first.",
    ),
    spec(
        C::Accept,
        "plan.accept",
        "press button",
        &["enter"],
        Acts,
        Plan,
        "Press the chosen button.",
    ),
    spec(
        C::Rebuild,
        "plan.rebuild",
        "read again",
        &["ctrl-r"],
        Safe,
        Plan,
        "Build the plan anew from what holds now.",
    ),
    spec(
        C::Copy,
        "plan.copy",
        "copy hand-offs",
        &["ctrl-y"],
        Safe,
        Plan,
        "Copy a message for every step that another team does.",
    ),
    spec(
        C::Stop,
        "plan.stop",
        "stop after step",
        &["ctrl-x"],
        Safe,
        Plan,
        "Stop after the running step; the rest is not sent.",
    ),
    spec(
        C::Redraw,
        "plan.redraw",
        "redraw",
        &["ctrl-l"],
        Safe,
        Plan,
        "Paint the whole screen again.",
    ),
    spec(
        C::Back,
        "plan.back",
        "back",
        &["esc", "q"],
        Safe,
        Plan,
        "Back to the queue. A running plan goes on.",
    ),
];
