//! The key of the palette, on every screen that it opens over.

use super::Command as C;
use super::Danger::Safe;
use super::{Scope, Spec, spec};

const fn row(id: &'static str, scope: Scope) -> Spec {
    spec(
        C::Palette,
        id,
        "commands",
        &[":"],
        Safe,
        scope,
        "Look for a command by its name, or choose a theme.",
    )
}

pub(super) const ROWS: &[Spec] = &[
    row("triage.palette", Scope::Triage),
    row("log.palette", Scope::Log),
    row("map.palette", Scope::Map),
    row("readiness.palette", Scope::Readiness),
    row("card.palette", Scope::Card),
    row("coverage.palette", Scope::Coverage),
    row("policy.palette", Scope::Policy),
    row("board.palette", Scope::Board),
];
