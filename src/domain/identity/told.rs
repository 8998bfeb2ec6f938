//! A card as a list of fields, for those who show all of it.

use super::{Field, Identity};
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{Criticality, Driver, IdentityKind};

impl Identity {
    /// Returns every field of the card itself, in the order in which people ask for them; `None` for what nobody says.
    /// Lists stand beside it.
    pub fn told(&self) -> Vec<(Field, Option<Untrusted>)> {
        let word = |w: Option<&str>| w.map(Untrusted::from);
        let time = |t: Option<jiff::Timestamp>| t.map(|t| Untrusted::new(t.to_string()));
        let kind = Some(self.kind).filter(|k| *k != IdentityKind::Unknown);
        let driver = Some(self.driver).filter(|d| *d != Driver::Unknown);
        let enabled = self.enabled.map(|e| if e { "yes" } else { "no" });
        vec![
            (Field::Name, Some(self.name.clone())),
            (Field::Kind, word(kind.map(IdentityKind::as_str))),
            (Field::Driver, word(driver.map(Driver::as_str))),
            (Field::Environment, self.environment.clone()),
            (Field::Workload, self.workload.clone()),
            (Field::BusinessOwner, self.business_owner.clone()),
            (Field::TechnicalOwner, self.technical_owner.clone()),
            (Field::OnCall, self.on_call.clone()),
            (Field::Contact, self.contact.clone()),
            (
                Field::Criticality,
                word(self.criticality.map(Criticality::as_str)),
            ),
            (Field::Uninterruptible, self.uninterruptible.clone()),
            (Field::StopCost, self.stop_cost.clone()),
            (Field::Enabled, word(enabled)),
            (Field::Created, time(self.created)),
            (Field::LastUsed, time(self.last_used)),
            (Field::Connector, word(self.connector.as_deref())),
        ]
    }
}
