//! Full alerts of the rows that somebody looks at. The queue holds a million slim rows; what a card or a plan needs of one
//! is read from the store when it is selected.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::model::Model;
use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::domain::text::Untrusted;

/// How many are kept; the ones read first go first.
const KEPT: usize = 512;

/// The alerts read last.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    known: HashMap<AlertId, Result<Arc<Alert>, String>, RandomState>,
    order: VecDeque<AlertId>,
}

impl Alerts {
    /// Returns an alert, or why it could not be read; `None` when it was not read yet.
    pub fn get(&self, id: &AlertId) -> Option<Result<&Arc<Alert>, &str>> {
        Some(self.known.get(id)?.as_ref().map_err(String::as_str))
    }

    /// Returns an alert that was read.
    pub fn read(&self, id: &AlertId) -> Option<&Arc<Alert>> {
        self.get(id)?.ok()
    }

    /// Keeps what was read about an alert.
    pub fn put(&mut self, id: AlertId, result: Result<Arc<Alert>, String>) {
        if self.known.insert(id.clone(), result).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Forgets all but one, so that they are read again when they are looked at.
    pub fn forget_but(&mut self, one: Option<&AlertId>) {
        self.order.retain(|id| Some(id) == one);
        self.known.retain(|id, _| Some(id) == one);
    }

    /// Keeps alerts that arrived, as far as they are looked at or there is room; others are read when they are selected.
    pub fn arrived<'a>(&mut self, alerts: impl IntoIterator<Item = &'a Arc<Alert>>) {
        for alert in alerts {
            if self.order.len() < KEPT || self.known.contains_key(&alert.id) {
                self.put(alert.id.clone(), Ok(alert.clone()));
            }
        }
    }
}

impl Model {
    /// Returns the incident that an alert belongs to, as its source says.
    pub fn incident_of(&self, alert: &AlertId) -> Option<&Untrusted> {
        self.alerts.read(alert)?.incident.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::queue::tests::alert;

    #[test]
    fn the_first_read_goes_first_and_arrivals_push_nothing_out() {
        let make = |i: usize| Arc::new(alert(&format!("a/{i}"), None, 1));
        let mut alerts = Alerts::default();
        let all: Vec<_> = (0..=KEPT).map(make).collect();
        alerts.arrived(&all);
        assert!(alerts.read(&all[0].id).is_some() && alerts.get(&all[KEPT].id).is_none());
        alerts.put(all[KEPT].id.clone(), Ok(all[KEPT].clone()));
        assert!(alerts.get(&all[0].id).is_none() && alerts.read(&all[KEPT].id).is_some());
        alerts.put(all[1].id.clone(), Err("gone".to_owned()));
        assert_eq!(alerts.get(&all[1].id), Some(Err("gone")));
    }
}
