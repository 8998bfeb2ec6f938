//! The keys of the card's tabs. One command leads to an act, and only by way of a preview.

use super::Command as C;
use super::Danger::{Acts, Safe};
use super::Scope::{Card, Triage};
use super::{Spec, spec};

const fn row(
    command: C,
    id: &'static str,
    title: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> Spec {
    spec(command, id, title, keys, Safe, Card, help)
}

pub(super) const ROWS: &[Spec] = &[
    spec(
        C::OpenCard,
        "triage.card",
        "card",
        &["I"],
        Safe,
        Triage,
        "Show all of the identity: scopes, sessions, credentials, grants, what it can do, whom to call.",
    ),
    spec(
        C::PlanHere,
        "triage.born",
        "plan on what it made",
        &["o"],
        Acts,
        Triage,
        "Show the options for an identity that was made through this one since it was exposed; a digit stages one, o shows the next.",
    ),
    spec(
        C::Reload,
        "triage.reload",
        "read the inventory",
        &["ctrl-r"],
        Safe,
        Triage,
        "Read the inventory's files and addresses again, in the background.",
    ),
    row(
        C::NextPane,
        "card.next_tab",
        "next tab",
        &["tab", "right", "l"],
        "Next tab.",
    ),
    row(
        C::PrevPane,
        "card.prev_tab",
        "previous tab",
        &["shift-tab", "left", "h"],
        "The tab before.",
    ),
    row(
        C::OpenNode,
        "card.open",
        "open",
        &["enter"],
        "Show all that is known of the row, and who said so.",
    ),
    spec(
        C::PlanHere,
        "card.plan",
        "plan",
        &["o"],
        Acts,
        Card,
        "Show the options that end what the row shows, or those for the identity it leads to; a digit stages one. Nothing is sent yet.",
    ),
    row(
        C::Copy,
        "card.copy",
        "copy",
        &["y"],
        "Copy the id of the row, whom to call, or the message to the owner.",
    ),
    row(
        C::Down,
        "card.down",
        "next",
        &["j", "down"],
        "Go to the next row, or scroll the one that is open.",
    ),
    row(
        C::Up,
        "card.up",
        "previous",
        &["k", "up"],
        "Go to the row before, or scroll the one that is open.",
    ),
    row(
        C::PageDown,
        "card.page_down",
        "page down",
        &["pgdn", "ctrl-d"],
        "Go down by ten.",
    ),
    row(
        C::PageUp,
        "card.page_up",
        "page up",
        &["pgup", "ctrl-u"],
        "Go up by ten.",
    ),
    row(
        C::Top,
        "card.top",
        "first",
        &["g", "home"],
        "Go to the first row.",
    ),
    row(
        C::Bottom,
        "card.bottom",
        "last",
        &["G", "end"],
        "Go to the last row.",
    ),
    row(
        C::Refresh,
        "card.refresh",
        "refresh",
        &["r"],
        "Read sessions, roles and grants from the provider again.",
    ),
    row(
        C::OpenMap,
        "card.map",
        "map",
        &["M"],
        "Show the dependency map around the identity.",
    ),
    row(
        C::Out,
        "card.out",
        "out",
        &["esc"],
        "Close the row that is open; else back to the queue.",
    ),
    row(C::Help, "card.help", "help", &["?"], "Show all keys."),
    row(
        C::Messages,
        "card.messages",
        "messages",
        &["m"],
        "Show errors and messages so far.",
    ),
    row(
        C::Redraw,
        "card.redraw",
        "redraw",
        &["ctrl-l"],
        "Paint the whole screen again.",
    ),
    row(
        C::Suspend,
        "card.suspend",
        "suspend",
        &["ctrl-z"],
        "Go back to the shell; `fg` returns. Refused while an act is under way.",
    ),
    row(
        C::Back,
        "card.back",
        "back",
        &["q", "I"],
        "Back to the queue.",
    ),
    row(
        C::Quit,
        "card.quit",
        "quit",
        &["ctrl-c"],
        "Leave the console. Asks first while an act is under way.",
    ),
];
