//! What a trust file adds: pinned keys, the roster, and logs that should be here.

use crate::domain::text::show;

use super::super::merkle::hex;
use super::super::trust::Trust;
use super::{Audit, Finding, Level, Report};

/// Compares one log with what is pinned for it.
pub fn check_log(trust: &Trust, audit: &mut Audit<'_>) {
    let Some(key) = audit.walk.verifier.clone() else {
        return;
    };
    if !trust.origins().contains(key.name.as_str()) {
        let text = format!(
            "the trust file knows no log {}: whoever wrote it, nobody vouches for its key {}",
            key.name,
            hex(&key.id())
        );
        audit.find(Level::Failure, "trust", None, text);
        return;
    }
    let spans = audit.walk.keys.clone();
    audit.report.pinned = spans.iter().all(|k| trust.pins(&k.by));
    for span in spans.iter().filter(|k| !trust.pins(&k.by)) {
        let text = format!(
            "from record {} on the key is {}, which the trust file does not pin for {}",
            span.seq,
            hex(&span.by.id()),
            key.name
        );
        audit.find(Level::Failure, "trust", Some(span.seq), text);
    }
    let Some(person) = trust.writer_of(&key.name) else {
        return;
    };
    audit.report.person = Some(show(&person.name).into_owned());
    let strangers: Vec<(u32, u64)> = audit
        .uids
        .iter()
        .map(|(uid, seq)| (*uid, *seq))
        .filter(|(uid, _)| !person.uids.is_empty() && !person.uids.contains(uid))
        .take(20)
        .collect();
    for (uid, seq) in strangers {
        let text = format!(
            "from record {seq} on user id {uid} writes in the name of {}",
            person.name
        );
        audit.find(Level::Warning, "roster", Some(seq), text);
    }
}

/// Says which logs that somebody pinned are not here: a log that is gone leaves no trace of its own.
pub fn check_store(trust: &Trust, report: &mut Report) {
    report.trusted = true;
    let here: Vec<&str> = report.logs.iter().map(|l| l.origin.as_str()).collect();
    for origin in trust.origins() {
        if !here.contains(&show(origin).as_ref()) {
            let text = format!("the trust file names the log {origin}, which is not here");
            report.findings.push(Finding {
                level: Level::Warning,
                check: "trust",
                seq: None,
                text: show(&text).into_owned(),
            });
        }
    }
}
