//! Whose access it is: the identity card, its sessions, credentials and grants.
//!
//! Every field that nobody filled in stays `None` and is shown as *unknown*; a blank would read as "nothing there".

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::IdentityId;
use super::text::Untrusted;
use super::vocabulary::{Criticality, Driver, IdentityKind};

/// A non-human identity or an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `provider:native-id`.
    pub id: IdentityId,
    /// What people call it; also what they type to confirm a hard-tier plan.
    pub name: Untrusted,
    /// Its kind.
    pub kind: IdentityKind,
    /// Who or what drives it.
    pub driver: Driver,
    /// `production`, `staging`, ….
    pub environment: Option<Untrusted>,
    /// What runs under it.
    pub workload: Option<Untrusted>,
    /// Who answers for the business side.
    pub business_owner: Option<Untrusted>,
    /// Who runs it.
    pub technical_owner: Option<Untrusted>,
    /// Whom to reach now, with the way to reach them.
    pub on_call: Option<Untrusted>,
    /// How much hangs on it.
    pub criticality: Option<Criticality>,
    /// Why stopping it may cost more than letting it run, where somebody declared that.
    pub uninterruptible: Option<Untrusted>,
    /// Other ids under which alerts name it: access key ids, client ids, token fingerprints.
    pub aliases: Vec<Untrusted>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Long-lived secrets and keys it holds.
    pub credentials: Vec<Credential>,
    /// Name of the configured connector that can contain it.
    pub connector: Option<String>,
    /// Values its connector's templates need (`client_id = "svc-deployer"`), validated there.
    pub params: BTreeMap<String, String>,
    /// Where this card came from: the inventory file, or *not in inventory*.
    pub provenance: String,
}

impl Identity {
    /// Tells whether an inventory lists it. What depends on one that none lists is unknown, not nothing.
    pub fn is_listed(&self) -> bool {
        self.provenance != UNLISTED
    }

    /// Builds the card of an identity nobody has listed, from what the alert says.
    pub fn not_in_inventory(id: IdentityId, name: Untrusted, kind: IdentityKind) -> Self {
        Self {
            id,
            name,
            kind,
            driver: Driver::Unknown,
            environment: None,
            workload: None,
            business_owner: None,
            technical_owner: None,
            on_call: None,
            criticality: None,
            uninterruptible: None,
            aliases: Vec::new(),
            scopes: Vec::new(),
            credentials: Vec::new(),
            connector: None,
            params: BTreeMap::new(),
            provenance: UNLISTED.to_owned(),
        }
    }
}

/// Where a card came from when nobody listed the identity.
const UNLISTED: &str = "not in inventory";

/// One role or scope held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Role or scope name.
    pub name: Untrusted,
    /// Whether it gives administrative or secret-reading power.
    pub privileged: bool,
}

/// One long-lived secret or key: a handle, never the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The provider's handle: key id, secret name, token id.
    pub id: Untrusted,
    /// `client_secret`, `access_key`, `deploy_key`, ….
    pub kind: Untrusted,
    /// Which secrets manager or file holds it.
    pub store: Option<Untrusted>,
    /// When it was issued.
    pub created: Option<Timestamp>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was last seen in use.
    pub last_used: Option<Timestamp>,
    /// The rule for renewing it, in words.
    pub rotation: Option<Untrusted>,
    /// Where a copy may be read for proving revocation (`file:`, `env:`, `cmd:`); never the secret itself.
    pub secret_ref: Option<String>,
}

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
    /// Owner attributes and the like that the provider itself stores.
    pub attributes: BTreeMap<String, Untrusted>,
}
