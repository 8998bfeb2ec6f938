//! How an alert stands, in one word.

use super::model::Model;
use crate::domain::ids::AlertId;

/// How an alert stands, in one word for the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// Nobody took it.
    New,
    /// Somebody is on it.
    Claimed,
    /// A plan was confirmed; nothing of it was done yet, as others have to agree or its turn has not come.
    Asked,
    /// A plan runs.
    Acting,
    /// An act's outcome is unknown.
    Unknown,
    /// An act failed.
    Failed,
    /// Taken, not proven.
    Requested,
    /// A proven act was taken back.
    Undone,
    /// It was used after it had been contained.
    Reopened,
    /// Every act is proven, and the plan says what its holder keeps all the same.
    Partly,
    /// Every act is proven, and nothing that the plan knows of is left open.
    Proven,
    /// Closed as contained.
    Closed,
    /// Judged no case.
    Dismissed,
    /// Put off for a while.
    Snoozed,
    /// Nobody took it, and its source counts it as over.
    Resolved,
}

impl RowState {
    /// Every state.
    pub const ALL: [Self; 15] = [
        Self::New,
        Self::Claimed,
        Self::Asked,
        Self::Acting,
        Self::Unknown,
        Self::Failed,
        Self::Requested,
        Self::Undone,
        Self::Reopened,
        Self::Partly,
        Self::Proven,
        Self::Closed,
        Self::Dismissed,
        Self::Snoozed,
        Self::Resolved,
    ];

    /// Tells whether nobody has to look any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Dismissed)
    }

    /// Returns the word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Claimed => "claimed",
            Self::Asked => "asked",
            Self::Acting => "acting",
            Self::Unknown => "UNKNOWN",
            Self::Failed => "FAILED",
            Self::Requested => "requested",
            Self::Undone => "UNDONE",
            Self::Reopened => "REOPENED",
            Self::Partly => "partly",
            Self::Proven => "proven",
            Self::Closed => "closed",
            Self::Dismissed => "dismissed",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
        }
    }
}

impl Model {
    /// Returns the alerts of the line of an alert of which an act's outcome is unknown. A line that stands for several must
    /// not hide that.
    pub fn unknowns_of_line<'m>(&'m self, id: &AlertId) -> impl Iterator<Item = &'m AlertId> {
        let alerts = self.open_unknowns().map(|act| &act.intent.alert);
        alerts.filter(move |other| self.queue.is_one_line(id, other))
    }

    /// Returns the alert of a line whose containment is to be shown: itself, or another one of which an act's outcome is
    /// unknown.
    pub fn acted_of_line(&self, id: &AlertId) -> AlertId {
        let unknown = || self.unknowns_of_line(id).min();
        match self.decisions.acts_for(id).next() {
            Some(_) => id.clone(),
            None => unknown().unwrap_or(id).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RowState;
    use crate::domain::filter::STATES;

    #[test]
    fn whatever_the_queue_says_can_be_asked_for() {
        let said = RowState::ALL.map(|state| state.as_str().to_lowercase());
        let unknown: Vec<_> = said
            .iter()
            .filter(|word| !STATES.contains(&word.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
