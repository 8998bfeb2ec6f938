//! Going through the stored alerts: once back to a time, then over and over through what is new.

use jiff::Timestamp;

use crate::intake::store::{LockedStore, Mark, StoreError, StoredAlert};

/// Alerts read at a time.
const PAGE: usize = 1_024;

/// Most pages read when going back.
const PAGES: usize = 64;

/// Whence an alert comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// From what was there before.
    Back,
    /// From what came, or changed, since the mark.
    New,
}

/// Hands every alert since `back`, if that is given, and everything new since `mark` to `take`, and returns the next mark.
/// An alert that comes meanwhile may be handed over twice, and none is left out. Blocks.
pub(super) fn go_through(
    store: &LockedStore,
    mark: Option<Mark>,
    back: Option<Timestamp>,
    mut take: impl FnMut(&StoredAlert, Read),
) -> Result<Mark, StoreError> {
    // What comes while the pages are read is after this mark.
    let mut mark = match mark {
        Some(mark) => mark,
        None => store.lock().mark()?,
    };
    if let Some(since) = back {
        let mut before = None;
        for _ in 0..PAGES {
            let (rows, next) = store.lock().page(before, PAGE)?;
            let over = rows.last().is_none_or(|row| row.last_seen < since);
            for row in &rows {
                take(row, Read::Back);
            }
            before = next;
            if over || before.is_none() {
                break;
            }
        }
    }
    loop {
        let changes = {
            let store = store.lock();
            store.settle()?;
            store.changes(mark, PAGE)?
        };
        for row in &changes.rows {
            take(row, Read::New);
        }
        mark = changes.mark;
        if !changes.is_more {
            return Ok(mark);
        }
    }
}
