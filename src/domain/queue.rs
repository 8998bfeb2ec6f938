//! The live queue: which alerts there are, in which order, and what waits behind `▲ n new`.
//!
//! While somebody reads, rows must not move under the cursor. New alerts therefore collect aside until the analyst
//! takes them in, and everything is found by id, never by row number.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::alert::Alert;
use super::ids::AlertId;
use super::vocabulary::Severity;

/// One alert with what repetition told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The alert as last seen.
    pub alert: Arc<Alert>,
    /// How often it came.
    pub count: u64,
    /// When it first came.
    pub first_seen: Timestamp,
    /// When it last came.
    pub last_seen: Timestamp,
}

/// Alerts in order of urgency.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    rows: HashMap<AlertId, Row>,
    order: Vec<AlertId>,
    /// Where each shown alert stands in `order`.
    places: HashMap<AlertId, usize>,
    waiting: Vec<AlertId>,
    closed: HashSet<AlertId>,
}

/// What decides the order: open before closed, then severity, then the longest exposed first. An alert without a
/// severity ranks as medium: unknown is not harmless.
fn rank(row: &Row, closed: bool) -> (bool, Reverse<Severity>, Timestamp, AlertId) {
    let severity = row.alert.severity.unwrap_or(Severity::Medium);
    (
        closed,
        Reverse(severity),
        row.alert.exposed_since(),
        row.alert.id.clone(),
    )
}

impl Queue {
    /// Takes in alerts that arrived. Known ids are updated in place; new ones join the order at once when `follow` is
    /// set or nothing is shown yet, and wait otherwise.
    pub fn take(&mut self, rows: impl IntoIterator<Item = Row>, follow: bool) {
        let was_empty = self.order.is_empty();
        for row in rows {
            let id = row.alert.id.clone();
            if self.rows.insert(id.clone(), row).is_none() {
                self.waiting.push(id);
            }
        }
        if follow || was_empty {
            self.take_in_waiting();
        }
    }

    /// Moves what waited into the order.
    pub fn take_in_waiting(&mut self) {
        self.order.append(&mut self.waiting);
        self.sort();
    }

    /// Says which alerts are over, and sorts them behind the open ones at the next taking in.
    pub fn set_closed(&mut self, id: &AlertId, closed: bool) {
        if closed {
            self.closed.insert(id.clone());
        } else {
            self.closed.remove(id);
        }
    }

    fn sort(&mut self) {
        let Self {
            rows,
            order,
            places,
            closed,
            ..
        } = self;
        order.sort_by_cached_key(|id| rows.get(id).map(|row| rank(row, closed.contains(id))));
        *places = order
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, id)| (id, at))
            .collect();
    }

    /// Returns how many alerts wait to be shown.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the ids in the order shown.
    pub fn order(&self) -> &[AlertId] {
        &self.order
    }

    /// Finds an alert.
    pub fn get(&self, id: &AlertId) -> Option<&Row> {
        self.rows.get(id)
    }

    /// Returns the row number of an alert in the order shown.
    pub fn position(&self, id: &AlertId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// Returns the alert `delta` rows from `from`, stopping at the ends; the first one when `from` is not shown.
    pub fn step(&self, from: Option<&AlertId>, delta: isize) -> Option<&AlertId> {
        let at = from.and_then(|id| self.position(id));
        let last = self.order.len().checked_sub(1)?;
        let to = at.map_or(0, |at| at.saturating_add_signed(delta).min(last));
        self.order.get(to)
    }

    /// Returns every alert, shown or waiting.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// Returns how many shown alerts are not over.
    pub fn open(&self) -> usize {
        self.rows
            .keys()
            .filter(|id| !self.closed.contains(id))
            .count()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::text::Untrusted;
    use super::super::vocabulary::ActionPattern;
    use super::*;

    pub(crate) fn alert(id: &str, severity: Option<Severity>, exposed: i64) -> Alert {
        Alert {
            id: AlertId::new(id),
            source: "test".into(),
            format: "ocsf_detection_finding".into(),
            time: Timestamp::from_second(exposed).ok(),
            observed: Timestamp::from_second(exposed).unwrap(),
            exposed_at: None,
            title: Untrusted::from("title"),
            severity,
            severity_raw: None,
            confidence: Some(90),
            pattern: ActionPattern::CredentialExposed,
            subject: None,
            resource: None,
            action: None,
            evidence_url: None,
            incident: None,
            techniques: Vec::new(),
            raw_sha256: String::new(),
        }
    }

    fn row(id: &str, severity: Option<Severity>, exposed: i64) -> Row {
        let alert = alert(id, severity, exposed);
        let seen = alert.observed;
        Row {
            alert: Arc::new(alert),
            count: 1,
            first_seen: seen,
            last_seen: seen,
        }
    }

    fn shown(queue: &Queue) -> Vec<&str> {
        queue.order().iter().map(AlertId::as_str).collect()
    }

    #[test]
    fn worst_first_then_longest_exposed() {
        let mut queue = Queue::default();
        let high = Some(Severity::High);
        queue.take(
            [
                row("b", high, 20),
                row("a", high, 10),
                row("c", Some(Severity::Critical), 30),
            ],
            true,
        );
        queue.take([row("n", None, 1), row("l", Some(Severity::Low), 1)], true);
        assert_eq!(shown(&queue), ["c", "a", "b", "n", "l"]);
    }

    #[test]
    fn new_alerts_wait_and_repeats_count_in_place() {
        let mut queue = Queue::default();
        queue.take([row("a", None, 10)], false);
        queue.take(
            [
                row("b", Some(Severity::Critical), 5),
                Row {
                    count: 2,
                    ..row("a", None, 10)
                },
            ],
            false,
        );
        assert_eq!((shown(&queue), queue.waiting()), (vec!["a"], 1));
        assert_eq!(queue.get(&AlertId::new("a")).unwrap().count, 2);
        queue.take_in_waiting();
        assert_eq!(shown(&queue), ["b", "a"]);
    }

    #[test]
    fn closed_alerts_sink() {
        let mut queue = Queue::default();
        queue.take(
            [row("a", Some(Severity::Critical), 1), row("b", None, 2)],
            true,
        );
        queue.set_closed(&AlertId::new("a"), true);
        queue.take_in_waiting();
        assert_eq!((shown(&queue), queue.open()), (vec!["b", "a"], 1));
    }

    #[test]
    fn steps_stop_at_the_ends() {
        let mut queue = Queue::default();
        assert_eq!(queue.step(None, 1), None);
        queue.take([row("a", None, 1), row("b", None, 2)], true);
        let a = AlertId::new("a");
        assert_eq!(queue.step(Some(&a), -5), Some(&a));
        assert_eq!(queue.step(Some(&a), 5).map(AlertId::as_str), Some("b"));
        assert_eq!(queue.step(Some(&AlertId::new("gone")), 1), Some(&a));
    }
}
