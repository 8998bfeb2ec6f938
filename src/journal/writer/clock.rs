//! A wall clock that steps while the console runs is written down where it happens.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::decision::RecordType;

use super::super::clock::{Moment, step};
use super::Writer;

/// The last moment that was looked at.
#[derive(Debug, Default)]
pub struct Watch {
    on: bool,
    last: Option<Moment>,
    told: Option<String>,
}

impl Writer {
    /// Compares both clocks at every record from now on, and records a step.
    pub fn watch_clock(&mut self) {
        self.clock.on = true;
    }

    /// Returns what was found about the clock since the last call, in words.
    pub fn take_clock_step(&mut self) -> Option<String> {
        self.clock.told.take()
    }

    /// The record of a step since the last write, if there was one.
    pub(super) fn clock_step(&mut self, now: Timestamp) -> Vec<(RecordType, Value)> {
        if !self.clock.on {
            return Vec::new();
        }
        let moment = Moment {
            wall: now,
            boot: self.log.fs.boot_clock(),
        };
        let last = self.clock.last.replace(moment);
        let Some(step) = last.and_then(|last| step(last, moment)) else {
            return Vec::new();
        };
        self.clock.told = Some(step.text());
        let body = json!({"clock": {"step_ms": step.millis, "passed_ms": step.passed_ms}});
        vec![(RecordType::Anomaly, body)]
    }
}
