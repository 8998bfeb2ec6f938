//! What the records of a log say about the clock of its host. A clock that steps is a warning, never an integrity
//! failure.

use std::borrow::Cow;

use super::super::clock::{Moment, step};
use super::super::glance::{Glance, Scalar};
use super::{Audit, Level};

/// The record before.
pub struct Before {
    seq: u64,
    wall: jiff::Timestamp,
    mono: Option<u64>,
    boot: String,
    process: [Scalar<'static>; 2],
}

impl Before {
    fn of(record: &Glance<'_>) -> Self {
        Self {
            seq: record.seq,
            wall: record.ts,
            mono: record.mono,
            boot: record.boot.clone().into_owned(),
            process: record.process.clone().map(Scalar::into_owned),
        }
    }
}

/// Compares a record with the one before it.
pub fn check(audit: &mut Audit<'_>, record: &Glance<'_>) {
    match record.synchronised {
        Some(true) => {}
        Some(false) => audit.report.unsynchronised += 1,
        None => audit.report.sync_unknown += 1,
    }
    let Some(before) = &mut audit.before else {
        audit.before = Some(Before::of(record));
        return;
    };
    let same_boot = !before.boot.is_empty() && before.boot == record.boot;
    let same_process = before.process == record.process;
    let moment = |wall, mono: Option<u64>| mono.map(|boot| Moment { wall, boot });
    let moments = moment(before.wall, before.mono)
        .zip(moment(record.ts, record.mono))
        .filter(|_| same_boot);
    let back = before.wall.duration_since(record.ts).as_millis();
    let earlier = before.seq;
    (before.seq, before.wall, before.mono) = (record.seq, record.ts, record.mono);
    // Most records come from the process before: nothing is copied then.
    if before.boot != record.boot {
        before.boot = Cow::clone(&record.boot).into_owned();
    }
    if !same_process {
        before.process = record.process.clone().map(Scalar::into_owned);
    }
    let text = match moments.map(|(a, b)| step(a, b)) {
        Some(Some(step)) => step.text(),
        // Each console takes the time before it waits for the lock, so what two of them write may stand the other way
        // round by a little.
        Some(None) if back > 0 && same_process => format!("the wall clock stepped back {back} ms"),
        None if back > 0 => format!("the wall clock stepped back {back} ms"),
        _ => return,
    };
    let text = format!("from record {earlier} to {}, {text}", record.seq);
    audit.find(Level::Warning, "clock", Some(record.seq), text);
}
