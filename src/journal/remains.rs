//! What stands beside the segments of a log and tells how long it was: the signed head, the key, evidence.
//!
//! A log whose segments are gone has nothing wrong in it; only what was left behind says that there was more.

use super::checkpoint::Head;
use super::fs::How;
use super::layout::{BLOBS, HEAD_FILE, KEY_FILE, LogDir, QUARANTINE, segment_name};
use super::note::{self, Verifier};
use super::walk::Walk;

/// What was found beside the segments. Look before they are read: a head is published after its lines are on the
/// disk, so one that was read first is never ahead of them.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    head: Option<String>,
    traces: Vec<&'static str>,
}

impl Remains {
    /// Looks into a log's directory.
    pub fn of(log: &LogDir) -> Self {
        let head = log.head_text();
        let names = log.fs.list(&log.dir).unwrap_or_default();
        let traces = [HEAD_FILE, KEY_FILE, BLOBS, QUARANTINE];
        Self {
            head,
            traces: traces
                .into_iter()
                .filter(|t| names.iter().any(|n| n == t))
                .collect(),
        }
    }

    /// Returns the published head that the newest possible of these keys signed.
    pub fn head<'k>(&self, keys: impl DoubleEndedIterator<Item = &'k Verifier>) -> Option<Head> {
        let signed = self.head.as_ref()?;
        keys.rev().find_map(|by| Head::open(signed, by))
    }

    /// Says what of a log that was walked to its end is gone, naming the file; `None` when nothing shows that.
    pub fn missing(&self, log: &LogDir, walk: &Walk) -> Option<String> {
        let file = log.path.join(segment_name(walk.good.segment));
        let file = file.display();
        if walk.good.seq == 0 {
            if self.traces.is_empty() {
                return None;
            }
            let state = match file_len(log, walk.good.segment) {
                None => "is not there",
                Some(0) => "is empty",
                Some(_) => "holds no usable record",
            };
            // Nothing is left to check the head with; that there is one is enough.
            let lines = self
                .head
                .as_ref()
                .and_then(|signed| Head::from_text(note::split(signed)?.0))
                .map_or_else(String::new, |h| format!(" over {} lines", h.size));
            let left = self.traces.join("`, `");
            return Some(format!(
                "{file} {state}, but what this log left behind is (`{left}`): its records{lines} were removed"
            ));
        }
        // Most of the time it is the very head that the walk ended with, and was checked there.
        if let (Some(left), Some((_, signed))) = (&self.head, &walk.head)
            && left == signed
        {
            return None;
        }
        let known = walk.head.as_ref().map_or(0, |(h, _)| h.size);
        let head = self.head(walk.keys.iter().map(|k| &k.by))?;
        (head.size > known).then(|| {
            format!(
                "the signed head in `checkpoint` covers {} lines, the last that fits the log covers {known}: the tail of \
                 {file} was removed or changed",
                head.size
            )
        })
    }
}

fn file_len(log: &LogDir, segment: u64) -> Option<u64> {
    let file = log.open(&segment_name(segment), How::Read).ok()?;
    log.fs.len(&file).ok()
}
