//! The log of a test, folded.

use super::{Decisions, Entry};

/// Folds records of which none is unreadable.
#[track_caller]
pub fn fold(entries: &[Entry]) -> Decisions {
    let mut decisions = Decisions::default();
    for entry in entries {
        decisions.apply(entry);
    }
    assert_eq!(decisions.unreadable, 0);
    decisions
}
