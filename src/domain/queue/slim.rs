//! What the queue keeps of an alert in memory: enough to sort, draw and filter by. The rest is in the store.

use jiff::Timestamp;

use super::Row;
use super::arrive::Called;
use super::names::Name;
use super::order::Rank;
use crate::domain::alert::Alert;
use crate::domain::urgency::{MOST, Urgency};
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};

/// Number of an alert in the queue. It never changes and is never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// Returns the slot of a place; a queue has fewer than 2³² alerts.
    pub fn new(at: usize) -> Self {
        Self(u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// Returns the place in the rows.
    pub const fn at(self) -> usize {
        self.0 as usize
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Where an alert stands before anything else counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Somebody has to look.
    #[default]
    Open,
    /// Put off for a while.
    Snoozed,
    /// Closed or dismissed.
    Over,
}

/// Whom alerts name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// The provider or realm.
    pub provider: Name,
    /// The provider's own id.
    pub native: Name,
    /// A name for people, empty where none is given.
    pub name: Name,
    /// Its kind.
    pub kind: IdentityKind,
}

/// One alert in 52 bytes. Times are Unix seconds, what lies outside 1970 to 2106 is put to its nearer end.
#[derive(Clone, Copy, Debug)]
pub struct Slim {
    /// Since when the identity is exposed, as far as the order knows.
    pub since: u32,
    /// When it first came.
    pub first_seen: u32,
    /// When it last came.
    pub last_seen: u32,
    /// How often it came.
    pub count: u32,
    /// Whom it names: a place in the list of those, plus one; zero for nobody.
    pub who: u32,
    /// What was touched.
    pub target: Name,
    /// Title, in lower case.
    pub title: Name,
    /// The source's name of the event.
    pub action: Name,
    /// The alert source.
    pub source: Name,
    /// The incident that the source puts it under; empty where it names none.
    pub incident: Name,
    /// Class of urgency, as far as the order knows.
    pub class: u16,
    /// Severity.
    pub severity: Option<Severity>,
    /// What happened.
    pub pattern: ActionPattern,
    /// Confidence in percent.
    pub confidence: Option<u8>,
    /// Whether it stands in the order.
    pub placed: bool,
    /// Where it stands before anything else counts.
    pub lane: Lane,
    /// Points of urgency.
    pub points: u8,
    /// Whether it is routine.
    pub is_hygiene: bool,
    /// Whether its source counts it as over.
    pub is_resolved: bool,
    /// Whether it was deleted. Its number stays taken.
    pub is_gone: bool,
}

impl Default for Slim {
    fn default() -> Self {
        let nothing = Name::default();
        Self {
            since: 0,
            first_seen: 0,
            last_seen: 0,
            count: 0,
            who: 0,
            target: nothing,
            title: nothing,
            action: nothing,
            source: nothing,
            incident: nothing,
            class: 0,
            severity: None,
            pattern: ActionPattern::Other,
            confidence: None,
            placed: false,
            lane: Lane::Open,
            points: 0,
            is_hygiene: false,
            is_resolved: false,
            is_gone: false,
        }
    }
}

/// Returns Unix seconds.
pub fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.as_second().max(0)).unwrap_or(u32::MAX)
}

impl Slim {
    /// Returns the rank at which it stands or is to stand.
    pub const fn rank(&self, slot: Slot) -> Rank {
        Rank {
            class: self.class,
            since: self.since,
            slot,
        }
    }

    /// Returns the class in which it belongs.
    pub fn class(&self) -> u16 {
        class(self.lane, self.is_hygiene, self.points)
    }

    /// Takes over how urgent it is, but not its place in the order.
    pub fn weigh(&mut self, urgency: &Urgency) {
        (self.points, self.is_hygiene) = (urgency.points(), urgency.is_hygiene);
    }

    /// Takes over that its credential is named in a second environment.
    pub fn escalate(&mut self) {
        let points = self
            .points
            .saturating_add(Urgency::ELSEWHERE.unsigned_abs());
        (self.points, self.is_hygiene) = (points.min(MOST), false);
    }

    /// Takes over what an alert says, but not its place in the order.
    pub fn describe(&mut self, row: &Row, called: &Called) {
        let alert: &Alert = &row.alert;
        self.first_seen = seconds(row.first_seen);
        self.last_seen = seconds(row.last_seen);
        self.count = u32::try_from(row.count).unwrap_or(u32::MAX);
        self.who = called.who;
        self.target = called.target;
        self.title = called.title;
        self.action = called.action;
        self.source = called.source;
        self.incident = called.incident;
        self.severity = alert.severity;
        self.pattern = alert.pattern;
        self.confidence = alert.confidence;
        self.is_resolved = alert.resolved.is_some();
    }
}

/// Returns the class of urgency: what is open, then what may be an attack, then the most points.
pub fn class(lane: Lane, is_hygiene: bool, points: u8) -> u16 {
    let behind = u16::from(MOST.saturating_sub(points));
    ((lane as u16) << 8) | (u16::from(is_hygiene) << 7) | behind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Slim>() <= 52, "{}", size_of::<Slim>());
    }

    #[test]
    fn classes_go_from_the_most_urgent_to_what_is_over() {
        let order = [
            class(Lane::Open, false, MOST),
            class(Lane::Open, false, 0),
            class(Lane::Open, true, MOST),
            class(Lane::Open, true, 0),
            class(Lane::Snoozed, false, MOST),
            class(Lane::Over, false, MOST),
            class(Lane::Over, true, 0),
        ];
        assert!(order.is_sorted_by(|a, b| a < b));
    }
}
