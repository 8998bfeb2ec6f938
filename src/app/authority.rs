//! What whoever sits here may do, as far as the screen has to know it. What is not allowed shows disabled, with who could;
//! the runtime refuses it all the same.

use jiff::Timestamp;

use super::model::Model;
use crate::domain::authority::{Act, What};
use crate::domain::debt::{PAGERS, Trust, agreed, trust};
use crate::domain::hold::Hold;
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::inventory::Resolution;
use crate::domain::options::Choice;
use crate::domain::text::Untrusted;

impl Model {
    fn own_key(&self) -> &str {
        self.own.as_deref().unwrap_or_default()
    }

    /// Returns why nothing may be written down or done from here, if so.
    pub fn looks_on(&self) -> Option<String> {
        self.authority.as_ref()?.looks_on(self.own_key())
    }

    /// Returns until when somebody holds containment back. What nobody agreed to who may delays nothing.
    pub fn held_until(
        &self,
        alert: &AlertId,
        identity: &IdentityId,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let authority = self.authority.as_deref();
        let counts = |hold: &Hold| agreed(authority, hold).is_some();
        self.decisions.holds.held(alert, identity, counts, now)
    }

    /// Tells whether somebody may rely on an identity now.
    pub fn trust(&self, identity: &IdentityId, now: Timestamp) -> Trust {
        trust(&self.decisions, identity, now)
    }

    /// Tells whether an alert is about somebody who was contained and whom nobody trusts again yet.
    pub fn is_about_untrusted(&self, alert: &AlertId, now: Timestamp) -> bool {
        // Whom it means costs a look into the inventory, which says nothing while nobody was contained.
        let known = self.decisions.acts().next().and(self.alerts.read(alert));
        let whose = known.map(|alert| self.inventory.resolve(alert));
        match whose {
            Some(Resolution::Known(id)) => {
                matches!(self.trust(&id, now), Trust::Untrusted { .. })
            }
            _ => false,
        }
    }

    /// Tells whether an alert came about somebody who is trusted again and watched, and nobody contained them since.
    pub fn watched_again(&self, alert: &AlertId, now: Timestamp) -> bool {
        let whose = self.decisions.holds.proposal(alert);
        whose.is_some_and(|id| {
            matches!(self.trust(id, now), Trust::Probation { again: Some(_), .. })
        })
    }

    /// Tells whether any configured connector tells people.
    pub fn has_pager(&self) -> bool {
        let mut all = self.capabilities.values();
        all.any(|c| PAGERS.iter().any(|verb| c.contains_key(verb)))
    }

    /// Returns why this may not be done from here, if so, and who could.
    pub fn may_not<'a>(&self, act: Act, what: impl Into<What<'a>>) -> Option<String> {
        let authority = self.authority.as_ref()?;
        authority.roster.allows(self.own_key(), act, what).err()
    }

    /// Disables options that may not be chosen here, and says of the others who must agree.
    pub(super) fn limit(&self, choices: &mut [Choice], card: &Identity) {
        let Some(authority) = &self.authority else {
            return;
        };
        for choice in choices {
            let Some(playbook) = &choice.playbook else {
                continue;
            };
            let what = What {
                tier: choice.tier,
                environment: card.environment.as_ref().map(Untrusted::raw),
                connectors: card.connector.iter().map(String::as_str).collect(),
            };
            if let Some(needed) = authority.needed(playbook, choice.tier) {
                choice.approval = format!("{}; then {needed} must agree", choice.approval);
            }
            if choice.disabled.is_none() {
                choice.disabled = self.may_not(Act::Trigger, what);
            }
        }
    }
}
