//! The keys of the readiness screen, and those of the triage screen that lead there and to an identity's owner.

use super::Command as C;
use super::Danger::Safe;
use super::Scope::{Readiness, Triage};
use super::{Spec, spec};

const fn row(
    command: C,
    id: &'static str,
    title: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> Spec {
    spec(command, id, title, keys, Safe, Readiness, help)
}

pub(super) const ROWS: &[Spec] = &[
    spec(
        C::Copy,
        "triage.message",
        "message to the owner",
        &["y"],
        Safe,
        Triage,
        "Copy a message to whoever answers for the identity: what happened, what is proposed, what is needed.",
    ),
    spec(
        C::Readiness,
        "triage.readiness",
        "readiness",
        &["R"],
        Safe,
        Triage,
        "Show which identities could not be contained now, why, and what to do about it; the greatest risk first.",
    ),
    row(
        C::Down,
        "readiness.down",
        "next",
        &["j", "down"],
        "Go to the next identity, or scroll what is missing.",
    ),
    row(
        C::Up,
        "readiness.up",
        "previous",
        &["k", "up"],
        "Go to the identity before, or scroll what is missing.",
    ),
    row(
        C::PageDown,
        "readiness.page_down",
        "page down",
        &["pgdn", "ctrl-d"],
        "Go down by ten.",
    ),
    row(
        C::PageUp,
        "readiness.page_up",
        "page up",
        &["pgup", "ctrl-u"],
        "Go up by ten.",
    ),
    row(
        C::Top,
        "readiness.top",
        "first",
        &["g", "home"],
        "Go to the greatest risk.",
    ),
    row(
        C::Bottom,
        "readiness.bottom",
        "last",
        &["G", "end"],
        "Go to the least risk.",
    ),
    row(
        C::NextPane,
        "readiness.next_pane",
        "gaps",
        &["tab", "right", "l"],
        "Go to what is missing of the identity, to scroll it, or back to the list.",
    ),
    row(
        C::PrevPane,
        "readiness.prev_pane",
        "list",
        &["shift-tab", "left", "h"],
        "The same.",
    ),
    row(
        C::Filter,
        "readiness.filter",
        "filter",
        &["/"],
        "Show only some as you type: words of id, name, verdict and gaps (not no_owner -lab:).",
    ),
    row(
        C::OpenNode,
        "readiness.card",
        "card",
        &["enter"],
        "Show the card of the identity over its map; Esc comes back.",
    ),
    row(
        C::ToAlert,
        "readiness.alert",
        "alert",
        &["a"],
        "Go to an alert about the identity; Esc comes back.",
    ),
    row(
        C::Export,
        "readiness.export",
        "export",
        &["e"],
        "Write all of it, whatever the filter, as comma-separated values into the state folder.",
    ),
    row(
        C::Refresh,
        "readiness.refresh",
        "judge again",
        &["r"],
        "Judge everybody again, with what providers have refused since. No provider is asked.",
    ),
    row(
        C::Copy,
        "readiness.copy",
        "copy",
        &["y"],
        "Copy the id of the identity.",
    ),
    row(
        C::Out,
        "readiness.out",
        "out",
        &["esc"],
        "Back to the list; else clear the filter; else leave for the queue.",
    ),
    row(C::Help, "readiness.help", "help", &["?"], "Show all keys."),
    row(
        C::Messages,
        "readiness.messages",
        "messages",
        &["m"],
        "Show errors and messages so far.",
    ),
    row(
        C::Redraw,
        "readiness.redraw",
        "redraw",
        &["ctrl-l"],
        "Paint the whole screen again.",
    ),
    row(
        C::Suspend,
        "readiness.suspend",
        "suspend",
        &["ctrl-z"],
        "Go back to the shell; `fg` returns. Refused while an act is under way.",
    ),
    row(
        C::Back,
        "readiness.back",
        "back",
        &["q", "R"],
        "Back to the queue.",
    ),
    row(
        C::Quit,
        "readiness.quit",
        "quit",
        &["ctrl-c"],
        "Leave the console. Asks first while an act is under way.",
    ),
];
