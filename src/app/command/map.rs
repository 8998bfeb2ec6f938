//! The keys of the map's screen. One command leads to an act, and only by way of a preview.

use super::Command as C;
use super::Danger::{Acts, Safe};
use super::Scope::Map;
use super::{Danger, Spec, spec};

const fn row(
    command: C,
    id: &'static str,
    title: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> Spec {
    with(command, id, title, keys, Safe, help)
}

const fn with(
    command: C,
    id: &'static str,
    title: &'static str,
    keys: &'static [&'static str],
    danger: Danger,
    help: &'static str,
) -> Spec {
    spec(command, id, title, keys, danger, Map, help)
}

pub(super) const ROWS: &[Spec] = &[
    row(
        C::Down,
        "map.down",
        "next",
        &["j", "down"],
        "Go to the next line, or scroll the card.",
    ),
    row(
        C::Up,
        "map.up",
        "previous",
        &["k", "up"],
        "Go to the line before, or scroll the card.",
    ),
    row(
        C::PageDown,
        "map.page_down",
        "page down",
        &["pgdn", "ctrl-d"],
        "Go down by ten.",
    ),
    row(
        C::PageUp,
        "map.page_up",
        "page up",
        &["pgup", "ctrl-u"],
        "Go up by ten.",
    ),
    row(
        C::Top,
        "map.top",
        "first",
        &["g", "home"],
        "Go to the first line.",
    ),
    row(
        C::Bottom,
        "map.bottom",
        "last",
        &["G", "end"],
        "Go to the last line.",
    ),
    row(
        C::NextPane,
        "map.next_side",
        "next side",
        &["tab"],
        "Next side: what breaks, what is reached, layers that outlive a cut, siblings, who uses it.",
    ),
    row(
        C::PrevPane,
        "map.prev_side",
        "previous side",
        &["shift-tab"],
        "The side before.",
    ),
    row(
        C::Unfold,
        "map.unfold",
        "unfold",
        &["l", "right"],
        "Show what lies below the line.",
    ),
    row(
        C::FoldUp,
        "map.fold",
        "fold",
        &["h", "left"],
        "Hide what lies below the line; else go to the line above it.",
    ),
    row(
        C::UnfoldAll,
        "map.unfold_all",
        "unfold all",
        &["+"],
        "Show everything.",
    ),
    row(
        C::FoldAll,
        "map.fold_all",
        "fold all",
        &["-"],
        "Fold everything.",
    ),
    row(
        C::Fold,
        "map.kinds",
        "by kind",
        &["z"],
        "Put lines of one kind together under a parent, or take them apart.",
    ),
    row(
        C::OpenNode,
        "map.card",
        "card",
        &["enter"],
        "Show the card of the line: all that is known of it, and every direct connection.",
    ),
    row(
        C::Filter,
        "map.search",
        "search",
        &["/"],
        "Search names and ids as you type, also in what is folded.",
    ),
    row(
        C::NextMatch,
        "map.next_match",
        "next match",
        &["n"],
        "Go to the next match.",
    ),
    row(
        C::PrevMatch,
        "map.prev_match",
        "previous match",
        &["N"],
        "Go to the match before.",
    ),
    row(
        C::Mark,
        "map.mark",
        "mark",
        &["space"],
        "Mark the line as one end of a path.",
    ),
    row(
        C::PathView,
        "map.paths",
        "path",
        &["p"],
        "Show how the two marked nodes hang together; without marks, the start and the line.",
    ),
    row(
        C::Reroot,
        "map.from_here",
        "from here",
        &["f"],
        "Make the line the start of the map; Esc goes back.",
    ),
    row(
        C::ToAlert,
        "map.alert",
        "alert",
        &["a"],
        "Go to an alert about the identity of the line; Esc comes back.",
    ),
    row(
        C::Copy,
        "map.copy",
        "copy",
        &["y"],
        "Copy the id of the line, or the path that is shown.",
    ),
    with(
        C::PlanHere,
        "map.plan",
        "plan",
        &["o"],
        Acts,
        "Show the options for the identity of the line; a digit stages one. Nothing is sent yet.",
    ),
    row(
        C::Out,
        "map.out",
        "out",
        &["esc"],
        "Close the card or the path; else go back to the start before; else leave for the queue.",
    ),
    row(C::Help, "map.help", "help", &["?"], "Show all keys."),
    row(
        C::Messages,
        "map.messages",
        "messages",
        &["m"],
        "Show errors and messages so far.",
    ),
    row(
        C::Redraw,
        "map.redraw",
        "redraw",
        &["ctrl-l"],
        "Paint the whole screen again.",
    ),
    row(
        C::Suspend,
        "map.suspend",
        "suspend",
        &["ctrl-z"],
        "Go back to the shell; `fg` returns. Refused while an act is under way.",
    ),
    row(
        C::Back,
        "map.back",
        "back",
        &["q", "M"],
        "Back to the queue.",
    ),
    row(
        C::Quit,
        "map.quit",
        "quit",
        &["ctrl-c"],
        "Leave the console. Asks first while an act is under way.",
    ),
];
