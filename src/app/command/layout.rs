//! The keys about the triage screen itself: its panes, and the tour.

use super::Command as C;
use super::Danger::Safe;
use super::Scope::Triage;
use super::{Spec, spec};

pub(super) const ROWS: &[Spec] = &[
    spec(
        C::Zoom,
        "triage.zoom",
        "zoom",
        &["Z"],
        Safe,
        Triage,
        "Give the pane in focus the place of the others, or give it back.",
    ),
    spec(
        C::Wider,
        "triage.wider",
        "wider queue",
        &[">"],
        Safe,
        Triage,
        "Make the queue wider, or higher where it stands above the panes.",
    ),
    spec(
        C::Narrower,
        "triage.narrower",
        "narrower queue",
        &["<"],
        Safe,
        Triage,
        "Make the queue narrower, or lower where it stands above the panes.",
    ),
    spec(
        C::TourNext,
        "tour.next",
        "tour: go on",
        &["t"],
        Safe,
        Triage,
        "Go on with the tour of the drill.",
    ),
    spec(
        C::TourEnd,
        "tour.end",
        "tour: end",
        &["ctrl-t"],
        Safe,
        Triage,
        "End the tour; it does not come back.",
    ),
];
