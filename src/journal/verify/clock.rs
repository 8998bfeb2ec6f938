//! What the records of a log say about the clock of its host. A clock that steps is a warning, never an integrity
//! failure.

use serde_json::Value;

use super::super::clock::{Moment, step};
use super::super::record::Record;
use super::{Audit, Level};

/// The record before.
pub struct Before {
    seq: u64,
    wall: jiff::Timestamp,
    mono: Option<u64>,
    boot: String,
    process: [Value; 2],
}

impl Before {
    fn of(record: &Record) -> Self {
        let field = |name: &str| record.actor.get(name).cloned().unwrap_or(Value::Null);
        Self {
            seq: record.seq,
            wall: record.ts,
            mono: record.mono,
            boot: field("boot").as_str().unwrap_or_default().to_owned(),
            process: [field("pid"), field("start")],
        }
    }

    fn moment(&self) -> Option<Moment> {
        let boot = self.mono?;
        Some(Moment {
            wall: self.wall,
            boot,
        })
    }
}

/// Compares a record with the one before it.
pub fn check(audit: &mut Audit<'_>, record: &Record) {
    match record.synchronised {
        Some(true) => {}
        Some(false) => audit.report.unsynchronised += 1,
        None => audit.report.sync_unknown += 1,
    }
    let before = audit.before.replace(Before::of(record));
    let (Some(before), Some(now)) = (before, &audit.before) else {
        return;
    };
    let same_boot = !before.boot.is_empty() && before.boot == now.boot;
    let moments = before.moment().zip(now.moment()).filter(|_| same_boot);
    let back = before.wall.duration_since(now.wall).as_millis();
    let text = match moments.map(|(a, b)| step(a, b)) {
        Some(Some(step)) => step.text(),
        // Each console takes the time before it waits for the lock, so what two of them write may stand the other way
        // round by a little.
        Some(None) if back > 0 && before.process == now.process => {
            format!("the wall clock stepped back {back} ms")
        }
        None if back > 0 => format!("the wall clock stepped back {back} ms"),
        _ => return,
    };
    let text = format!("from record {} to {}, {text}", before.seq, record.seq);
    audit.find(Level::Warning, "clock", Some(record.seq), text);
}
