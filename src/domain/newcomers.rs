//! What joined the incident: credentials, grants, roles and identities that came to be through an identity since it was
//! first exposed, and what it touched for the first time since.
//!
//! Alerts tell of it, each as a [`Deed`], and so do the times in what a provider lists now. A creation before the first
//! exposure is the rightful owner's.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::alert::{Alert, Resource, age};
use super::drawing::credential_node;
use super::graph::{Graph, Joined, NodeKind};
use super::identity::{Identity, LiveContext};
use super::ids::{AlertId, NodeId};
use super::text::{Untrusted, show};
use super::vocabulary::ActionPattern;

/// Most newcomers of one identity: whoever makes more than that has made the point.
pub const MOST_NEWCOMERS: usize = 200;

/// One thing an alert says that an identity did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Which alert.
    pub alert: AlertId,
    /// When it happened, as far as the alert says; else when it arrived.
    pub at: Timestamp,
    /// Since when, as the alert says, the identity is exposed.
    pub exposed: Timestamp,
    /// What came to be, or what was touched.
    pub resource: Resource,
    joined: Joined,
    kind: NodeKind,
}

impl Deed {
    /// Reads an alert; `None` for one that tells of nothing that joins an incident, or names nothing.
    pub fn of(alert: &Alert) -> Option<Self> {
        use ActionPattern as P;
        let resource = alert.resource.as_ref().filter(|r| !r.id.is_empty())?;
        let (joined, kind) = match alert.pattern {
            P::CredentialCreatedOrAdded if is_account(resource) => {
                (Joined::Born, NodeKind::Identity)
            }
            P::CredentialCreatedOrAdded => (Joined::Born, NodeKind::Credential),
            P::ConsentOrGrantAdded => (Joined::Born, NodeKind::Grant),
            P::PrivilegeEscalated | P::PermissionChanged => (Joined::Born, NodeKind::Permission),
            P::RecoveryTampered => (Joined::Born, NodeKind::RecoveryPath),
            P::SecretRead => (Joined::Touched, NodeKind::Credential),
            P::FirstTimeAccess | P::CrossSystemMovement | P::DataExfil => {
                (Joined::Touched, NodeKind::Resource)
            }
            _ => return None,
        };
        Some(Self {
            alert: alert.id.clone(),
            at: alert.time.unwrap_or(alert.observed),
            exposed: alert.exposed_since(),
            resource: resource.clone(),
            joined,
            kind,
        })
    }
}

impl Deed {
    /// The same deed, done no later than this.
    #[must_use]
    pub fn since(mut self, earlier: Option<Timestamp>) -> Self {
        self.at = earlier.map_or(self.at, |earlier| earlier.min(self.at));
        self
    }
}

/// Tells whether what was created can act by itself, by the words of its kind.
fn is_account(resource: &Resource) -> bool {
    const WORDS: &[&str] = &[
        "client",
        "user",
        "account",
        "principal",
        "application",
        "app",
        "identity",
        "bot",
        "agent",
    ];
    let kind = resource.kind.raw().to_lowercase();
    let mut words = kind.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| WORDS.contains(&word) || word.ends_with("client") || word.ends_with("account"))
}

/// Who says that something joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// An alert.
    Alert(AlertId),
    /// The provider lists it, with the time of its making.
    Provider,
}

/// Something that joined the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Newcomer {
    /// Its node on the map.
    pub node: NodeId,
    /// What it is.
    pub kind: NodeKind,
    /// What people call it.
    pub label: Untrusted,
    /// Whether it came to be or was touched.
    pub joined: Joined,
    /// When.
    pub at: Timestamp,
    /// Who says so first.
    pub witness: Witness,
}

impl Newcomer {
    /// Says it in one shown line.
    pub fn line(&self, now: Timestamp) -> String {
        let how = match self.joined {
            Joined::Born => "born in the window",
            Joined::Touched => "touched in the window",
        };
        let (kind, label, ago) = (
            self.kind.as_str(),
            show(self.label.raw()),
            age(self.at, now),
        );
        format!("{how}: {kind} {label}, {ago} ago")
    }
}

/// Returns what joined since the first exposure of an identity, the earliest first; at most [`MOST_NEWCOMERS`]. `since` is
/// the exposure of the alert at hand; a deed that says itself that the exposure began earlier moves it there. What only
/// repeats the identity itself is none. `graph` tells which names are nodes already.
pub fn newcomers(
    identity: &Identity,
    since: Timestamp,
    deeds: &[Deed],
    live: Option<&LiveContext>,
    graph: &Graph,
) -> Vec<Newcomer> {
    let since = deeds.iter().map(|d| d.exposed).fold(since, Timestamp::min);
    let mut found: BTreeMap<NodeId, Newcomer> = BTreeMap::new();
    let mut put = |newcomer: Newcomer| match found.get_mut(&newcomer.node) {
        // That it came to be says more than that it was touched; of two the earlier one counts.
        Some(known) if (known.joined, known.at) <= (newcomer.joined, newcomer.at) => {}
        Some(known) => *known = newcomer,
        None => {
            found.insert(newcomer.node.clone(), newcomer);
        }
    };
    let in_window = deeds.iter().filter(|d| d.at >= since);
    for deed in in_window.filter(|d| !is_itself(identity, d.resource.id.raw())) {
        put(Newcomer {
            node: node_of(identity, deed, graph),
            kind: deed.kind,
            label: deed.resource.id.clone(),
            joined: deed.joined,
            at: deed.at,
            witness: Witness::Alert(deed.alert.clone()),
        });
    }
    let listed = live.into_iter().flat_map(|live| &live.credentials);
    for credential in listed.chain(&identity.credentials) {
        if let Some(at) = credential.created.filter(|at| *at >= since) {
            put(Newcomer {
                node: credential_node(&identity.id, credential.id.raw()),
                kind: NodeKind::Credential,
                label: credential.id.clone(),
                joined: Joined::Born,
                at,
                witness: Witness::Provider,
            });
        }
    }
    let mut all: Vec<Newcomer> = found.into_values().collect();
    all.sort_by(|a, b| (a.at, &a.node).cmp(&(b.at, &b.node)));
    all.truncate(MOST_NEWCOMERS);
    all
}

fn is_itself(identity: &Identity, name: &str) -> bool {
    let aliases = identity.aliases.iter().map(Untrusted::raw);
    let mut own = aliases.chain([
        identity.id.as_str(),
        identity.native_id(),
        identity.name.raw(),
    ]);
    own.any(|one| one == name)
}

fn node_of(identity: &Identity, deed: &Deed, graph: &Graph) -> NodeId {
    let (own, name) = (identity.id.as_str(), deed.resource.id.raw());
    let id = match (deed.kind, deed.joined) {
        (NodeKind::Identity, _) if name.starts_with(&format!("{}:", identity.provider())) => {
            name.to_owned()
        }
        (NodeKind::Identity, _) => format!("{}:{name}", identity.provider()),
        (NodeKind::Credential, Joined::Born) => {
            return credential_node(&identity.id, name);
        }
        (NodeKind::Grant, _) => format!("grant:{own}/{name}"),
        (NodeKind::Permission, _) => format!("permission:{own}/{name}"),
        (NodeKind::RecoveryPath, _) => format!("recovery:{own}/{name}"),
        _ => {
            let known = [
                name.to_owned(),
                format!("resource:{name}"),
                format!("secret:{name}"),
            ];
            let known = known
                .into_iter()
                .find(|id| graph.find(&NodeId::new(id.as_str())).is_some());
            known.unwrap_or_else(|| format!("touched:{}/{name}", identity.provider()))
        }
    };
    NodeId::new(id)
}

#[cfg(test)]
mod tests;
