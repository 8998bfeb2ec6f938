//! What whoever sits here may do, as far as the screen has to know it. What is not allowed shows disabled, with who could;
//! the runtime refuses it all the same.

use super::model::Model;
use crate::domain::authority::{Act, What};
use crate::domain::identity::Identity;
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
