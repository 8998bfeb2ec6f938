//! What a provider says about an identity right now.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Credential, Scope};
use crate::domain::text::Untrusted;

/// One live session or issued token, as the provider lists it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The provider's handle.
    pub id: Untrusted,
    /// `session`, `access_token`, `refresh_token`, ….
    pub kind: Untrusted,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it was last active.
    pub last_seen: Option<Timestamp>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// Where from: address or agent.
    pub origin: Option<Untrusted>,
}

/// What a provider says about an identity right now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveContext {
    /// Whether it is enabled, as far as the provider says.
    pub enabled: Option<bool>,
    /// Live sessions and tokens.
    pub sessions: Vec<Session>,
    /// Roles and scopes in force.
    pub scopes: Vec<Scope>,
    /// Delegated consents, as the provider names them.
    pub grants: Vec<Untrusted>,
    /// Credentials the provider lists.
    pub credentials: Vec<Credential>,
    /// Parts that could not be read, with the reason: what is therefore unknown.
    pub unknown: Vec<(String, Untrusted)>,
    /// Parts that nobody asked for, as the connector reads none of the kind: they are as unknown.
    #[serde(default)]
    pub unread: Vec<String>,
    /// Owner attributes and the like that the provider itself stores.
    pub attributes: BTreeMap<String, Untrusted>,
}

impl LiveContext {
    /// Says how much of what was asked was answered, as it follows a provider's name: `read`, `read in part`, `gave nothing`.
    pub fn how_much(&self) -> &'static str {
        let said = self.enabled.is_some()
            || !self.sessions.is_empty()
            || !self.scopes.is_empty()
            || !self.grants.is_empty()
            || !self.credentials.is_empty()
            || !self.attributes.is_empty();
        match (self.unknown.is_empty(), said) {
            (true, _) => "read",
            (false, true) => "read in part",
            (false, false) => "gave nothing",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::all(Some(true), false, "read")]
    #[case::nothing_to_tell(None, false, "read")]
    #[case::part(Some(true), true, "read in part")]
    #[case::none(None, true, "gave nothing")]
    fn it_says_how_much_was_answered(
        #[case] enabled: Option<bool>,
        #[case] missed: bool,
        #[case] said: &str,
    ) {
        let missed = missed.then(|| ("sessions".to_owned(), Untrusted::new("no answer")));
        let live = LiveContext {
            enabled,
            unknown: missed.into_iter().collect(),
            ..LiveContext::default()
        };
        assert_eq!(live.how_much(), said);
    }
}
