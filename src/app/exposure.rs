//! How long an identity was open to somebody else, as one alert and what was done about it tell: since when, when it was
//! seen, taken, acted on and proven, and when the last of it ends.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::domain::alert::{Alert, seconds};
use crate::domain::coverage::CellState;
use crate::domain::decision::{Act, DecisionKind, Decisions};

/// Something that happened. Field names are stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// `exposed`, `alert`, `taken`, `act`, `proven` or `ends`.
    pub what: &'static str,
    /// When; what ends is still to come, perhaps.
    pub at: Timestamp,
}

/// The times of an exposure, in their order. Field names are stable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// What happened; never without `exposed`.
    pub marks: Vec<Mark>,
    /// Nothing is known that ends it: an act is not proven, or what stays open stays so until somebody ends it.
    pub lasts: bool,
}

/// Puts the times of an alert together.
pub fn of(decisions: &Decisions, alert: &Alert) -> Exposure {
    let decided = decisions.of_alert(&alert.id).iter();
    let taken = decided
        .filter(|(_, _, d)| matches!(d.kind, DecisionKind::Claim | DecisionKind::Assign))
        .map(|(at, _, _)| *at)
        .min();
    let latest = decisions.latest_acts(&alert.id);
    let acts = decisions.acts_for(&alert.id);
    let first = acts.map(|act| act.at).min();
    let is_proven = |act: &&Act| act.cell() == CellState::Proven && !act.intent.undo;
    let proven = match latest.is_empty() || !latest.iter().all(is_proven) {
        true => None,
        false => latest.iter().map(|act| act.last).max(),
    };
    let plan = decisions.last_plan(&alert.id);
    let left = plan.iter().flat_map(|(_, plan)| &plan.residual);
    let bounded = left.filter_map(|residual| residual.at_most_s).max();
    let held = !decisions.still_held(&alert.id).is_empty();
    let ends = proven.filter(|_| !held).and_then(|proven| {
        let more = i64::try_from(bounded.unwrap_or(0)).ok()?;
        proven.checked_add(SignedDuration::from_secs(more)).ok()
    });
    let times = [
        ("exposed", Some(alert.exposed_since())),
        ("alert", Some(alert.observed)),
        ("taken", taken),
        ("act", first),
        ("proven", proven),
        ("ends", ends),
    ];
    let marks = times.into_iter();
    let mut marks: Vec<Mark> = marks
        .filter_map(|(what, at)| Some(Mark { what, at: at? }))
        .collect();
    // Clocks of hosts differ; what is told in order is read in order.
    marks.sort_by_key(|mark| mark.at);
    Exposure {
        marks,
        lasts: ends.is_none(),
    }
}

impl Exposure {
    /// Says it in a line: the first time, and how long after the one before each other is.
    pub fn words(&self, now: Timestamp) -> String {
        let mut text = String::new();
        let mut before: Option<Timestamp> = None;
        for mark in &self.marks {
            let when = match before {
                None => mark.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                Some(before) => format!("+{}", seconds(mark.at.as_second() - before.as_second())),
            };
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(mark.what);
            text.push(' ');
            text.push_str(&when);
            before = Some(mark.at);
        }
        let since = self.marks.first().map_or(now, |first| first.at);
        match self.marks.last() {
            _ if self.lasts => {
                let s = (now.as_second() - since.as_second()).max(0);
                text = format!("{text}: open for {} so far", seconds(s));
            }
            Some(end) => {
                let s = end.at.as_second() - since.as_second();
                text = format!("{text}: open for {} in all", seconds(s));
            }
            None => {}
        }
        text
    }
}
