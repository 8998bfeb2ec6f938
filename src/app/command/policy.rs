//! Commands of the policy's screen, and the key that opens it.

use super::Command as C;
use super::Danger::Safe;
use super::Scope::{Policy, Triage};
use super::{Scope, Spec, spec};

/// Rows of the registry.
pub(super) const ROWS: &[Spec] = &[
    spec(
        C::Policy,
        "triage.policy",
        "policy",
        &["P"],
        Safe,
        Triage,
        "Show which playbooks are armed, in which mode, what ran by itself, and what is not armed and why.",
    ),
    row(
        C::Down,
        "policy.down",
        "next",
        &["j", "down"],
        "Go to the next playbook.",
    ),
    row(
        C::Up,
        "policy.up",
        "previous",
        &["k", "up"],
        "Go to the previous playbook.",
    ),
    row(
        C::PageDown,
        "policy.page_down",
        "page down",
        &["pgdn", "ctrl-d"],
        "Go down by ten.",
    ),
    row(
        C::PageUp,
        "policy.page_up",
        "page up",
        &["pgup", "ctrl-u"],
        "Go up by ten.",
    ),
    row(
        C::Top,
        "policy.top",
        "top",
        &["g", "home"],
        "Go to the first playbook.",
    ),
    row(
        C::Bottom,
        "policy.bottom",
        "bottom",
        &["G", "end"],
        "Go to the last playbook.",
    ),
    row(
        C::NextPane,
        "policy.read",
        "read on",
        &["tab", "l", "right"],
        "Scroll what is told of the playbook, or go back to the list.",
    ),
    row(
        C::ToAlert,
        "policy.alert",
        "to its alert",
        &["a"],
        "Go to the alert about which the playbook last did something by itself.",
    ),
    row(C::Help, "policy.help", "help", &["?"], "Show all keys."),
    row(
        C::Messages,
        "policy.messages",
        "messages",
        &["m"],
        "Show errors and messages so far.",
    ),
    row(
        C::Redraw,
        "policy.redraw",
        "redraw",
        &["ctrl-l"],
        "Paint the whole screen again.",
    ),
    row(
        C::Back,
        "policy.back",
        "back",
        &["esc", "q", "P"],
        "Back to the queue.",
    ),
    row(
        C::Quit,
        "policy.quit",
        "quit",
        &["ctrl-c"],
        "Leave the console.",
    ),
    row(
        C::Suspend,
        "policy.suspend",
        "suspend",
        &["ctrl-z"],
        "Go back to the shell; `fg` returns.",
    ),
];

const fn row(
    command: C,
    id: &'static str,
    title: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> Spec {
    const SCOPE: Scope = Policy;
    spec(command, id, title, keys, Safe, SCOPE, help)
}
