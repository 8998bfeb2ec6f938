//! Whose access it is: the identity card, its sessions, credentials and grants.
//!
//! Every field that nobody filled in stays `None` and is shown as *unknown*; a blank would read as "nothing there".
//! Who said what, and when, stands beside the fields, see [`Said`]: where sources contradict each other the more trusted
//! one wins and the others stay visible.

mod access;
mod credential;
pub mod flags;
pub mod handle;
mod live;
pub mod merge;
mod origin;
pub mod roster;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::IdentityId;
use super::text::Untrusted;
use super::vocabulary::{Criticality, Driver, IdentityKind};

pub use access::{Grant, Intent, Level, RecoveryPath, RecoveryState, Scope, Usual};
pub use credential::Credential;
pub use live::{LiveContext, Session};
pub use origin::{At, Field, Origin, Said, coarse};

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
    /// The way to reach them, where it is a field of its own: a telephone number, a pager, a channel.
    #[serde(default)]
    pub contact: Option<Untrusted>,
    /// How much hangs on it.
    pub criticality: Option<Criticality>,
    /// Why stopping it may cost more than letting it run, where somebody declared that.
    pub uninterruptible: Option<Untrusted>,
    /// What a stop costs, in words: money, time, a breached promise.
    #[serde(default)]
    pub stop_cost: Option<Untrusted>,
    /// Whether it could be used when its source looked; live reads know better.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// When it was made.
    #[serde(default)]
    pub created: Option<Timestamp>,
    /// When the identity as a whole was last seen in use.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
    /// Other ids under which alerts name it: access key ids, client ids, token fingerprints.
    pub aliases: Vec<Untrusted>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Long-lived secrets and keys it holds.
    pub credentials: Vec<Credential>,
    /// Whom it lets act for it, and who may act as it.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Ways by which access to it can be restored, by its owner or by somebody else.
    #[serde(default)]
    pub recovery: Vec<RecoveryPath>,
    /// What an agent was approved for.
    #[serde(default)]
    pub intent: Option<Box<Intent>>,
    /// What it does on an ordinary day.
    #[serde(default)]
    pub usual: Option<Box<Usual>>,
    /// Name of the configured connector that can contain it.
    pub connector: Option<String>,
    /// Values its connector's templates need (`client_id = "svc-deployer"`), validated there.
    pub params: BTreeMap<String, String>,
    /// Where this card came from: the name of its most trusted source, or *not in inventory*.
    pub provenance: String,
    /// Every source that lists it, the most trusted first.
    #[serde(skip)]
    pub origins: Vec<Arc<Origin>>,
    /// What does not come from the most trusted source, or is contradicted; see [`Identity::origin`].
    #[serde(skip)]
    pub said: Vec<Said>,
}

impl Identity {
    /// Tells whether somebody of such a name has access through it: holds a consent, or uses or keeps a credential.
    pub fn has_vendor(&self, means: &dyn Fn(&str) -> bool) -> bool {
        let grants = self.grants.iter().map(|grant| &grant.to);
        let used = self.credentials.iter().flat_map(|c| &c.consumers);
        let kept = self.credentials.iter().filter_map(|c| c.store.as_ref());
        let mut names = grants.chain(used).chain(kept);
        names.any(|name| means(name.raw()))
    }

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
            contact: None,
            criticality: None,
            uninterruptible: None,
            stop_cost: None,
            enabled: None,
            created: None,
            last_used: None,
            aliases: Vec::new(),
            scopes: Vec::new(),
            credentials: Vec::new(),
            grants: Vec::new(),
            recovery: Vec::new(),
            intent: None,
            usual: None,
            connector: None,
            params: BTreeMap::new(),
            provenance: UNLISTED.to_owned(),
            origins: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Builds an empty card that a source fills: nothing in it is known but the id.
    pub fn blank(id: IdentityId) -> Self {
        Self::not_in_inventory(id, Untrusted::default(), IdentityKind::Unknown)
    }

    /// Returns the part of the id before the colon.
    pub fn provider(&self) -> &str {
        let id = self.id.as_str();
        id.split_once(':').map_or("", |(provider, _)| provider)
    }

    /// Returns the part of the id after the colon; all of it where there is none.
    pub fn native_id(&self) -> &str {
        let id = self.id.as_str();
        id.split_once(':').map_or(id, |(_, native)| native)
    }

    /// Returns who said what is in force about a field; `None` where no source lists the identity. What is said of an item
    /// comes from whoever brought the item, and of all else from the most trusted source, unless it is noted otherwise.
    pub fn origin(&self, at: &At) -> Option<&Arc<Origin>> {
        let noted = |at: &At| {
            let said = self.said.iter().find(|s| s.value.is_none() && s.at == *at);
            said.map(|s| &s.origin)
        };
        noted(at)
            .or_else(|| noted(&at.whole()?))
            .or_else(|| self.origins.first())
    }

    /// Returns who contradicts what is in force about a field, the most trusted first.
    pub fn conflicts<'c>(&'c self, at: &'c At) -> impl Iterator<Item = &'c Said> {
        self.said
            .iter()
            .filter(move |s| s.at == *at && s.value.is_some())
    }

    /// Returns everything that a less trusted source says differently.
    pub fn contradictions(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(|s| s.value.is_some())
    }

    /// Returns the latest moment at which any source said anything about it; `None` where none says when.
    pub fn newest(&self) -> Option<Timestamp> {
        self.origins.iter().filter_map(|o| o.at).max()
    }

    /// Returns when it, or any of its credentials, was last seen in use.
    pub fn last_seen(&self) -> Option<Timestamp> {
        let credentials = self.credentials.iter().filter_map(|c| c.last_used);
        credentials.chain(self.last_used).max()
    }
}

/// Where a card came from when nobody listed the identity.
const UNLISTED: &str = "not in inventory";
