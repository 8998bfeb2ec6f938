//! Names of things, one type each, so that an alert id can never stand where an identity id is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::small::Small;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Small);

        impl $name {
            /// Wraps a value that names one such thing.
            pub fn new(value: impl Into<Small>) -> Self {
                Self(value.into())
            }

            /// Returns the raw value. It may come from outside: show it through [`super::text::show`].
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&super::text::show(&self.0))
            }
        }
    };
}

id!(
    /// One alert: `<source>/<id the source gave or that was derived from its content>`. Ids of sources are not
    /// globally unique, so the source is part of the key.
    AlertId
);
id!(
    /// One identity: `provider:native-id`, where `provider` is the connector instance or realm that knows it.
    IdentityId
);
id!(
    /// One node of the dependency map. Identities use their [`IdentityId`] text.
    NodeId
);
id!(
    /// One step inside one plan, counted from `1` in execution order.
    StepId
);
id!(
    /// One attempt to act on the world: the UUIDv7 that is also sent as `Idempotency-Key`.
    IntentId
);
id!(
    /// SHA-256 of a plan's canonical bytes as 64 lower-case hex digits (`DESIGN` rule 5: approve an effect).
    PlanDigest
);

impl PlanDigest {
    /// Returns the first 12 hex digits, enough for two people to compare aloud.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl From<&IdentityId> for NodeId {
    fn from(id: &IdentityId) -> Self {
        Self::new(id.as_str())
    }
}
