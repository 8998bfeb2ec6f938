//! Alerts that were stored before: read in pages behind the screen, and one in full when somebody looks at it.

use std::sync::{Arc, Mutex, PoisonError};

use super::journal::Report;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::ids::AlertId;
use crate::domain::queue::Row;
use crate::intake::store::{Store, StoredAlert};

/// Alerts in a page: few enough that taking one in holds up no key.
const PAGE: usize = 4_096;

/// Turns a stored alert into a row of the queue.
pub fn row(stored: StoredAlert) -> Row {
    Row {
        alert: Arc::new(stored.alert),
        count: stored.count,
        first_seen: stored.first_seen,
        last_seen: stored.last_seen,
    }
}

/// Reports all stored alerts, the latest first. Blocks.
pub fn load(store: &Mutex<Store>, report: &Report) {
    let mut before = None;
    loop {
        // Between two pages what arrives now gets its turn.
        let page = lock(store).page(before, PAGE);
        match page {
            Ok((rows, next)) => {
                report(Msg::Stored(rows.into_iter().map(row).collect()));
                before = next;
            }
            Err(error) => {
                report(Msg::Notice {
                    level: Level::Error,
                    text: format!("stored alerts cannot be read, older ones are missing: {error}"),
                });
                return;
            }
        }
        if before.is_none() {
            return;
        }
    }
}

/// Reads one alert in full. Blocks.
pub fn read(store: &Mutex<Store>, id: &AlertId) -> Msg {
    let store = lock(store);
    let result = match (store.alert(id), store.deleted_at(id)) {
        (Ok(Some(stored)), _) => Ok(Arc::new(stored.alert)),
        (Ok(None), Ok(Some(at))) => Err(format!(
            "it was deleted on {} for its age, or because the store was full ([alerts] in the configuration); what was \
             decided about it stands in the log",
            at.strftime("%Y-%m-%d %H:%MZ")
        )),
        (Ok(None), Ok(None)) => Err("it is not in the store any more".to_owned()),
        (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
    };
    let id = id.clone();
    Msg::AlertRead { id, result }
}

fn lock(store: &Mutex<Store>) -> std::sync::MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
