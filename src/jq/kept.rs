//! Short filters that were asked for last, compiled: the read-backs of a hundred plans ask the same ones, and compiling one
//! takes many times as long as running it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Filter, JqError};

/// Most filters that are kept, and the longest text of one in bytes: some megabytes at most, whatever is asked.
const MOST: usize = 128;
const LONGEST: usize = 4 * 1024;

/// By their text. The number tells when one was asked for last.
struct Kept {
    filters: BTreeMap<String, (u64, Arc<Filter>)>,
    asked: u64,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept::new());

/// Returns a filter without variables, compiled now or before. One that is refused is refused each time.
pub(super) fn filter(source: &str) -> Result<Arc<Filter>, JqError> {
    filter_of(&KEPT, source)
}

fn filter_of(kept: &Mutex<Kept>, source: &str) -> Result<Arc<Filter>, JqError> {
    if let Some(filter) = lock(kept).find(source) {
        return Ok(filter);
    }
    // Others need not wait for this one. Two may compile the same at once, and the later stays.
    let filter = Arc::new(Filter::compile(source, &[])?);
    if source.len() <= LONGEST {
        lock(kept).keep(source, &filter);
    }
    Ok(filter)
}

/// What is kept is whole at any time.
fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    const fn new() -> Self {
        Self {
            filters: BTreeMap::new(),
            asked: 0,
        }
    }

    fn find(&mut self, source: &str) -> Option<Arc<Filter>> {
        self.asked += 1;
        let (asked, filter) = self.filters.get_mut(source)?;
        *asked = self.asked;
        Some(Arc::clone(filter))
    }

    fn keep(&mut self, source: &str, filter: &Arc<Filter>) {
        if self.filters.len() >= MOST {
            let oldest = self.filters.iter().min_by_key(|(_, (asked, _))| *asked);
            if let Some(oldest) = oldest.map(|(source, _)| source.clone()) {
                self.filters.remove(&oldest);
            }
        }
        let kept = (self.asked, Arc::clone(filter));
        self.filters.insert(source.to_owned(), kept);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jq;

    #[test]
    fn the_same_text_is_compiled_once_and_what_is_asked_for_stays() {
        let kept = Mutex::new(Kept::new());
        let often = filter_of(&kept, ".often").unwrap();
        let once = filter_of(&kept, ".once").unwrap();
        for n in 0..2 * MOST {
            filter_of(&kept, &format!(".n{n}")).unwrap();
            let again = filter_of(&kept, ".often").unwrap();
            assert!(Arc::ptr_eq(&often, &again));
        }
        assert_eq!(lock(&kept).filters.len(), MOST);
        assert!(!Arc::ptr_eq(&once, &filter_of(&kept, ".once").unwrap()));
    }

    #[test]
    fn what_is_long_or_refused_is_not_kept() {
        let kept = Mutex::new(Kept::new());
        let long = format!("\"{}\"", "x".repeat(LONGEST));
        filter_of(&kept, &long).unwrap();
        filter_of(&kept, "nosuch").unwrap_err();
        assert!(lock(&kept).filters.is_empty());
    }

    /// Short, middling and long ones, each twice.
    #[test]
    fn what_was_kept_says_the_same() {
        for more in [0, 20, 80, 150] {
            let filter = format!(".a == 1{}", " and .a == 1".repeat(more));
            for a in [1, 2, 1] {
                assert_eq!(jq::is_true(&filter, &json!({"a": a})), Ok(a == 1), "{more}");
            }
        }
    }
}
