//! Compares a log with the head that it published itself.

use super::super::layout::LogDir;
use super::super::remains::Remains;
use super::{Audit, Level};

/// The published head is never ahead of the log, so one that is means that records are gone. `before` was read before
/// the log was.
pub fn check(audit: &mut Audit<'_>, log: &LogDir, before: &Remains) {
    if let Some(text) = before.missing(log, &audit.walk) {
        let known = audit.walk.head.as_ref().map(|(h, _)| h.size);
        audit.find(Level::Failure, "head", known, text);
        return;
    }
    let keys = audit.walk.keys.clone();
    if keys.is_empty() {
        return;
    }
    // A console that stopped between rotating its key and publishing leaves a head of the old one.
    let Some(head) = before.head(keys.iter().map(|k| &k.by)) else {
        let text = "there is no usable signed head in the file `checkpoint`, which a removed tail would leave like this";
        audit.find(Level::Warning, "head", None, text);
        return;
    };
    if audit.facts.roots.get(&head.size) != Some(&head.root) {
        let text = format!(
            "the signed head in `checkpoint` for {} lines has another root: this key signed two histories",
            head.size
        );
        audit.find(Level::Failure, "head", Some(head.size), text);
    }
}
