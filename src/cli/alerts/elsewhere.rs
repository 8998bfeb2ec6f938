//! What a list of some alerts has to know of all others.

use super::PAGE;
use crate::domain::queue::Several;
use crate::intake::store::{Store, StoreError};

/// Returns the native ids of the credentials that stored alerts name in several environments, which makes each of those
/// alerts more urgent. Reads all that is stored.
pub fn several(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut several = Several::default();
    let mut before = None;
    loop {
        let (page, next) = store.page(before, PAGE)?;
        for subject in page.iter().filter_map(|row| row.alert.subject.as_ref()) {
            several.take(subject);
        }
        if next.is_none() {
            return Ok(several.natives());
        }
        before = next;
    }
}
