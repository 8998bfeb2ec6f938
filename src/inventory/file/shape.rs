//! The shape of an inventory file, as people write it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};

use crate::app::settings::SecretRef;
use crate::domain::graph::{Edge, EdgeKind, Node, NodeKind, NodeState, Privilege};
use crate::domain::identity::{Credential, Identity, Scope};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Criticality, Driver, IdentityKind};

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InventoryFile {
    #[serde(default)]
    pub identity: Vec<RawIdentity>,
    #[serde(default)]
    pub node: Vec<RawNode>,
    #[serde(default)]
    pub edge: Vec<RawEdge>,
}

/// `[[identity]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIdentity {
    id: String,
    name: Untrusted,
    kind: IdentityKind,
    driver: Option<Driver>,
    environment: Option<Untrusted>,
    workload: Option<Untrusted>,
    business_owner: Option<Untrusted>,
    technical_owner: Option<Untrusted>,
    on_call: Option<Untrusted>,
    criticality: Option<Criticality>,
    uninterruptible: Option<Untrusted>,
    #[serde(default)]
    aliases: Vec<Untrusted>,
    #[serde(default)]
    scopes: Vec<RawScope>,
    #[serde(default)]
    credential: Vec<RawCredential>,
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
}

/// `[[identity.credential]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredential {
    id: Untrusted,
    kind: Untrusted,
    store: Option<Untrusted>,
    #[serde(default, deserialize_with = "time")]
    created: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    expires: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    last_used: Option<Timestamp>,
    rotation: Option<Untrusted>,
    #[serde(default, deserialize_with = "secret_ref")]
    secret_ref: Option<SecretRef>,
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

    /// Checks the entry and makes the card that came from `origin`.
    pub fn into_identity(self, origin: &str) -> Result<Identity, String> {
        match self.id.split_once(':') {
            Some((provider, native)) if !provider.is_empty() && !native.is_empty() => {}
            _ => {
                let id = show(&self.id);
                return Err(format!(
                    "id: `{id}` is not `provider:native-id`, such as `keycloak:svc-deploy`"
                ));
            }
        }
        if self.name.raw().trim().is_empty() {
            return Err(format!(
                "name: `{}` needs a name people can type",
                show(&self.id)
            ));
        }
        let scopes = self.scopes.into_iter();
        let id = IdentityId::new(self.id);
        Ok(Identity {
            id: id.clone(),
            name: self.name,
            kind: self.kind,
            driver: self.driver.unwrap_or(Driver::Unknown),
            environment: self.environment,
            workload: self.workload,
            business_owner: self.business_owner,
            technical_owner: self.technical_owner,
            on_call: self.on_call,
            criticality: self.criticality,
            uninterruptible: self.uninterruptible,
            aliases: self.aliases,
            scopes: scopes
                .map(|s| Scope {
                    name: s.name,
                    privileged: s.privileged,
                    ..Scope::default()
                })
                .collect(),
            credentials: self
                .credential
                .into_iter()
                .map(RawCredential::into_credential)
                .collect(),
            connector: self.connector,
            params: self.params,
            provenance: origin.to_owned(),
            ..Identity::blank(id)
        })
    }
}

impl RawCredential {
    fn into_credential(self) -> Credential {
        Credential {
            id: self.id,
            kind: self.kind,
            store: self.store,
            created: self.created,
            expires: self.expires,
            last_used: self.last_used,
            rotation: self.rotation,
            secret_ref: self.secret_ref.map(String::from),
            ..Credential::default()
        }
    }
}

impl RawNode {
    /// Checks the entry and makes the node.
    pub fn into_node(self) -> Result<Node, String> {
        if self.id.trim().is_empty() {
            return Err("id: a node needs one".to_owned());
        }
        let label = self
            .label
            .unwrap_or_else(|| Untrusted::new(self.id.clone()));
        Ok(Node {
            criticality: self.criticality,
            environment: self.environment,
            owner: self.owner,
            state: self.state,
            ends: self.ends,
            ..Node::new(NodeId::new(self.id), self.kind, label)
        })
    }
}

impl RawEdge {
    /// Makes the edge. Its ends may stand in other files, or nowhere: they take part in walks all the same.
    pub fn into_edge(self) -> Edge {
        Edge {
            privilege: self.privilege,
            until: self.until,
            ..Edge::new(NodeId::new(self.from), self.kind, NodeId::new(self.to))
        }
    }
}

/// Reads RFC 3339 text or a TOML date-time with an offset.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
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
