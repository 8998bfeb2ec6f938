//! The keys that hand the terminal to a program of one's own: the pager, on every screen, and the editor.

use super::Command as C;
use super::Danger::Safe;
use super::{Scope, Spec, spec};

const fn pager(id: &'static str, scope: Scope) -> Spec {
    spec(
        C::Page,
        id,
        "pager",
        &["|"],
        Safe,
        scope,
        "Show all of this screen's text in the program that PAGER names, else less.",
    )
}

pub(super) const ROWS: &[Spec] = &[
    pager("triage.pager", Scope::Triage),
    pager("plan.pager", Scope::Plan),
    pager("log.pager", Scope::Log),
    pager("map.pager", Scope::Map),
    pager("readiness.pager", Scope::Readiness),
    pager("card.pager", Scope::Card),
    pager("coverage.pager", Scope::Coverage),
    pager("policy.pager", Scope::Policy),
    pager("board.pager", Scope::Board),
    pager("reader.pager", Scope::Reader),
    spec(
        C::Editor,
        "field.editor",
        "editor",
        &["ctrl-o"],
        Safe,
        Scope::Triage,
        "While a reason or a note is written: write it in the program that VISUAL or EDITOR names, else vi.",
    ),
];
