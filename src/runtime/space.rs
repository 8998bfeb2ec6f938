//! How much room the log's disk has: little is said before a full disk refuses the next act.

use std::path::{Path, PathBuf};

use super::journal::Report;
use crate::app::model::Level;
use crate::app::msg::Msg;

/// Below so much free room people are warned.
const LITTLE: u64 = 256 * 1024 * 1024;

/// Watches one file system.
pub struct Space {
    store: PathBuf,
    low: bool,
}

impl Space {
    /// Begins with nothing told.
    pub fn new(store: &Path) -> Self {
        Self {
            store: store.to_owned(),
            low: false,
        }
    }

    /// Looks, and tells when room became short or is there again.
    pub fn look(&mut self, report: &Report) {
        // A disk that cannot be asked will say so when it is written to.
        if let Ok(found) = rustix::fs::statvfs(&self.store) {
            self.take(found.f_bavail.saturating_mul(found.f_frsize), report);
        }
    }

    fn take(&mut self, free: u64, report: &Report) {
        let mib = free / (1024 * 1024);
        let low = free < LITTLE;
        if low && !self.low {
            report(Msg::Notice {
                level: Level::Warn,
                text: format!(
                    "journal: only {mib} MiB are free in {}; a full disk refuses every act",
                    self.store.display()
                ),
            });
        }
        if low || self.low {
            report(Msg::JournalSpace(low.then_some(mib)));
        }
        self.low = low;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn little_room_is_told_once_and_shown_until_there_is_more() {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&heard);
        let report: Report = Arc::new(move |msg| {
            sink.lock().unwrap().push(match msg {
                Msg::Notice { text, .. } => text.split(" in ").next().unwrap().to_owned(),
                Msg::JournalSpace(left) => format!("{left:?}"),
                other => format!("{other:?}"),
            });
        });
        let mut space = Space::new(Path::new("/store"));
        for free in [LITTLE, LITTLE - 1, 1024 * 1024, LITTLE, LITTLE] {
            space.take(free, &report);
        }
        let want = [
            "journal: only 255 MiB are free",
            "Some(255)",
            "Some(1)",
            "None",
        ];
        assert_eq!(*heard.lock().unwrap(), want);
    }
}
