//! The keys of texts over the screen: help, messages, score.

use super::Command as C;
use super::Danger::Safe;
use super::Scope::Reader;
use super::{Spec, spec};

pub(super) const ROWS: &[Spec] = &[
    spec(
        C::Down,
        "reader.down",
        "scroll",
        &["down", "j"],
        Safe,
        Reader,
        "Scroll down.",
    ),
    spec(
        C::Up,
        "reader.up",
        "scroll",
        &["up", "k"],
        Safe,
        Reader,
        "Scroll up.",
    ),
    spec(
        C::PageDown,
        "reader.page_down",
        "page down",
        &["pgdn", "ctrl-d", "space"],
        Safe,
        Reader,
        "Scroll down a page.",
    ),
    spec(
        C::PageUp,
        "reader.page_up",
        "page up",
        &["pgup", "ctrl-u"],
        Safe,
        Reader,
        "Scroll up a page.",
    ),
    spec(
        C::Filter,
        "reader.search",
        "search",
        &["/"],
        Safe,
        Reader,
        "Show only the lines of help or messages with these words; esc shows all again.",
    ),
    spec(
        C::Redraw,
        "reader.redraw",
        "redraw",
        &["ctrl-l"],
        Safe,
        Reader,
        "Paint the whole screen again.",
    ),
    spec(
        C::Back,
        "reader.back",
        "back",
        &["esc", "q", "enter", "?", "w"],
        Safe,
        Reader,
        "Back.",
    ),
];
