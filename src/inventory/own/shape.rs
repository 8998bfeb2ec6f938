//! The shape of our own inventory files, as people write it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};

use crate::app::settings::SecretRef;
use crate::domain::graph::{Edge, EdgeKind, Node, NodeKind, NodeState, Privilege};
use crate::domain::identity::roster::Team;
use crate::domain::identity::{
    Credential, Grant, Identity, Intent, Level, RecoveryPath, RecoveryState, Scope, Usual,
};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Criticality, Driver, IdentityKind};

/// `[[identity]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIdentity {
    id: String,
    name: Option<Untrusted>,
    kind: Option<IdentityKind>,
    /// When all of this was true.
    #[serde(default, deserialize_with = "time")]
    pub as_of: Option<Timestamp>,
    driver: Option<Driver>,
    environment: Option<Untrusted>,
    workload: Option<Untrusted>,
    business_owner: Option<Untrusted>,
    technical_owner: Option<Untrusted>,
    on_call: Option<Untrusted>,
    contact: Option<Untrusted>,
    criticality: Option<Criticality>,
    uninterruptible: Option<Untrusted>,
    stop_cost: Option<Untrusted>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "time")]
    created: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    last_used: Option<Timestamp>,
    #[serde(default)]
    aliases: Vec<Untrusted>,
    #[serde(default)]
    scopes: Vec<RawScope>,
    #[serde(default)]
    credential: Vec<RawCredential>,
    #[serde(default)]
    grant: Vec<RawGrant>,
    #[serde(default)]
    recovery: Vec<RawRecovery>,
    intent: Option<RawIntent>,
    usual: Option<RawUsual>,
    connector: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScope {
    name: Untrusted,
    #[serde(default)]
    privileged: bool,
    level: Option<Level>,
    on: Option<Untrusted>,
    used: Option<bool>,
    #[serde(default, deserialize_with = "time")]
    last_used: Option<Timestamp>,
}

/// `[[identity.credential]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredential {
    id: Untrusted,
    kind: Option<Untrusted>,
    store: Option<Untrusted>,
    fingerprint: Option<Untrusted>,
    #[serde(default, deserialize_with = "time")]
    created: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    expires: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    last_used: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    rotated: Option<Timestamp>,
    rotation: Option<Untrusted>,
    enabled: Option<bool>,
    #[serde(default)]
    consumers: Vec<Untrusted>,
    offboarding: Option<Untrusted>,
    #[serde(default)]
    hard_coded: Vec<Untrusted>,
    #[serde(default, deserialize_with = "secret_ref")]
    secret_ref: Option<SecretRef>,
}

/// `[[identity.grant]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    id: Option<Untrusted>,
    to: Untrusted,
    kind: Option<Untrusted>,
    #[serde(default)]
    scopes: Vec<Untrusted>,
    #[serde(default, deserialize_with = "time")]
    since: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    expires: Option<Timestamp>,
}

/// `[[identity.recovery]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecovery {
    id: Untrusted,
    kind: Option<Untrusted>,
    state: Option<RecoveryState>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIntent {
    purpose: Option<Untrusted>,
    #[serde(default)]
    tools: Vec<Untrusted>,
    #[serde(default)]
    targets: Vec<Untrusted>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUsual {
    #[serde(default)]
    origins: Vec<Untrusted>,
    hours: Option<Untrusted>,
    #[serde(default)]
    actions: Vec<Untrusted>,
    #[serde(default)]
    targets: Vec<Untrusted>,
}

/// `[[node]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNode {
    id: String,
    kind: NodeKind,
    label: Option<Untrusted>,
    criticality: Option<Criticality>,
    environment: Option<Untrusted>,
    owner: Option<Untrusted>,
    state: Option<NodeState>,
    #[serde(default, deserialize_with = "time")]
    ends: Option<Timestamp>,
}

/// `[[edge]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEdge {
    from: String,
    kind: EdgeKind,
    to: String,
    privilege: Option<Privilege>,
    #[serde(default, deserialize_with = "time")]
    until: Option<Timestamp>,
}

/// `[[team]]`: a team or a person who can own something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTeam {
    id: Untrusted,
    name: Option<Untrusted>,
    on_call: Option<Untrusted>,
    contact: Option<Untrusted>,
    #[serde(default)]
    gone: bool,
}

/// `[[provider]]`: how a provider compares names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    pub id: String,
    #[serde(default)]
    pub names: Names,
}

/// Whether upper and lower case are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Names {
    /// They are.
    #[default]
    CaseSensitive,
    /// They are not.
    CaseInsensitive,
}

/// `[[offboarding]]`: how a class of credentials is put out of use.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOffboarding {
    pub class: String,
    pub procedure: Untrusted,
}

/// Drops a text that says nothing.
fn said(text: Option<Untrusted>) -> Option<Untrusted> {
    text.filter(|t| !t.raw().trim().is_empty())
}

impl RawIdentity {
    /// Makes relative paths of secrets relative to the folder of the inventory.
    pub fn make_absolute(&mut self, folder: &Path) {
        for secret in self
            .credential
            .iter_mut()
            .filter_map(|c| c.secret_ref.as_mut())
        {
            secret.make_absolute(folder);
        }
    }

    /// Makes the card. One that gives no name leaves it to other sources.
    pub fn into_identity(self) -> Result<Identity, String> {
        if let Some(name) = &self.name
            && name.raw().trim().is_empty()
        {
            return Err(format!(
                "name: `{}` needs a name people can type",
                show(&self.id)
            ));
        }
        let into_grant = RawGrant::into_grant;
        Ok(Identity {
            name: self.name.unwrap_or_default(),
            kind: self.kind.unwrap_or(IdentityKind::Unknown),
            driver: self.driver.unwrap_or(Driver::Unknown),
            environment: said(self.environment),
            workload: said(self.workload),
            business_owner: said(self.business_owner),
            technical_owner: said(self.technical_owner),
            on_call: said(self.on_call),
            contact: said(self.contact),
            criticality: self.criticality,
            uninterruptible: said(self.uninterruptible),
            stop_cost: said(self.stop_cost),
            enabled: self.enabled,
            created: self.created,
            last_used: self.last_used,
            aliases: self.aliases,
            scopes: self.scopes.into_iter().map(RawScope::into_scope).collect(),
            credentials: self
                .credential
                .into_iter()
                .map(RawCredential::into_credential)
                .collect(),
            grants: self.grant.into_iter().map(into_grant).collect(),
            recovery: self
                .recovery
                .into_iter()
                .map(|r| RecoveryPath {
                    id: r.id,
                    kind: said(r.kind),
                    state: r.state.unwrap_or(RecoveryState::Unknown),
                })
                .collect(),
            intent: self.intent.map(|i| {
                Box::new(Intent {
                    purpose: said(i.purpose),
                    tools: i.tools,
                    targets: i.targets,
                })
            }),
            usual: self.usual.map(|u| {
                Box::new(Usual {
                    origins: u.origins,
                    hours: said(u.hours),
                    actions: u.actions,
                    targets: u.targets,
                })
            }),
            connector: self.connector,
            params: self.params,
            ..Identity::blank(IdentityId::new(self.id))
        })
    }
}

impl RawScope {
    fn into_scope(self) -> Scope {
        Scope {
            name: self.name,
            privileged: self.privileged || self.level.is_some_and(Level::is_privileged),
            level: self.level,
            on: said(self.on),
            used: self.used.or(self.last_used.map(|_| true)),
            last_used: self.last_used,
        }
    }
}

impl RawCredential {
    fn into_credential(self) -> Credential {
        Credential {
            id: self.id,
            kind: self.kind.unwrap_or_default(),
            store: said(self.store),
            created: self.created,
            expires: self.expires,
            last_used: self.last_used,
            rotation: said(self.rotation),
            secret_ref: self.secret_ref.map(String::from),
            fingerprint: said(self.fingerprint),
            rotated: self.rotated,
            enabled: self.enabled,
            consumers: self.consumers,
            offboarding: said(self.offboarding),
            hard_coded: self.hard_coded,
        }
    }
}

impl RawGrant {
    fn into_grant(self) -> Grant {
        Grant {
            id: self.id.unwrap_or_else(|| self.to.clone()),
            to: self.to,
            kind: said(self.kind),
            scopes: self.scopes,
            since: self.since,
            expires: self.expires,
        }
    }
}

impl RawNode {
    /// Makes the node.
    pub fn into_node(self) -> Node {
        let label = self
            .label
            .unwrap_or_else(|| Untrusted::new(self.id.clone()));
        Node {
            criticality: self.criticality,
            environment: said(self.environment),
            owner: said(self.owner),
            state: self.state,
            ends: self.ends,
            ..Node::new(NodeId::new(self.id), self.kind, label)
        }
    }
}

impl RawEdge {
    /// Makes the edge.
    pub fn into_edge(self) -> Edge {
        Edge {
            privilege: self.privilege,
            until: self.until,
            ..Edge::new(NodeId::new(self.from), self.kind, NodeId::new(self.to))
        }
    }
}

impl RawTeam {
    /// Makes the team; who declares it is for the reader to say.
    pub fn into_team(self) -> Team {
        Team {
            id: self.id,
            name: said(self.name),
            on_call: said(self.on_call),
            contact: said(self.contact),
            gone: self.gone,
            origin: None,
        }
    }
}

/// Reads RFC 3339 text or a TOML date-time with an offset.
pub(super) fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        toml::Value::Datetime(datetime) => datetime.to_string(),
        other => return Err(de::Error::custom(bad_time(other.type_str()))),
    };
    text.parse()
        .map(Some)
        .map_err(|_| de::Error::custom(bad_time(&format!("`{}`", show(&text)))))
}

fn bad_time(found: &str) -> String {
    format!("{found} is not a time with an offset, such as 2026-03-02T09:00:00Z")
}

/// Reads a secret reference. Whatever stands there instead may be the secret, so no error repeats it.
fn secret_ref<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretRef>, D::Error> {
    let text = match toml::Value::deserialize(deserializer) {
        Ok(toml::Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    };
    SecretRef::try_from(text)
        .map(Some)
        .map_err(de::Error::custom)
}
