//! Entities of a Backstage catalog, as `/api/catalog/entities` or `/api/catalog/entities/by-query` exports them.
//!
//! Groups and users become the roster; components, resources, APIs and systems become nodes of the map with their owners and
//! what they depend on. An entity says which identities it runs under with the annotation `stanch/identity`, ids with commas
//! between; `stanch/criticality` and `stanch/environment` speak of both. A resource of a type that is an identity's
//! (`service-account`, `oauth-client`, `api-token`, …) is one itself.
//! Formats: <https://backstage.io/docs/features/software-catalog/descriptor-format>,
//! <https://backstage.io/docs/features/software-catalog/well-known-relations>.

use std::collections::HashMap;

use serde_json::Value;

use super::reading::Reading;
use super::value::{list, said, text};
use crate::domain::graph::{EdgeKind, Node, NodeKind};
use crate::domain::identity::Identity;
use crate::domain::identity::roster::Team;
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::Loss;
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Criticality, IdentityKind};

/// Tells an entity by its version.
pub(super) fn is_entity(api_version: &str) -> bool {
    api_version.starts_with("backstage.io/")
}

/// A thing of the catalog.
struct Thing {
    line: usize,
    node: Node,
    owner: Option<String>,
    identities: Vec<String>,
    own_kind: Option<IdentityKind>,
}

/// Everything read of one catalog.
#[derive(Default)]
pub(super) struct Catalog {
    things: Vec<Thing>,
    /// Titles of teams and people by reference.
    titles: HashMap<String, Untrusted>,
}

impl Catalog {
    /// Takes one entity.
    pub fn take(&mut self, reading: &mut Reading, line: usize, entity: &Value) {
        reading.format = Some("backstage");
        let (Some(kind), Some(name)) =
            (text(entity, &["kind"]), text(entity, &["metadata", "name"]))
        else {
            return reading.mistake(
                line,
                "an entity needs `kind` and `metadata.name`",
                Loss::Entry,
            );
        };
        let namespace = text(entity, &["metadata", "namespace"]).unwrap_or("default");
        let own = reference(&format!("{kind}:{namespace}/{name}"), "", "default");
        let title = said(entity, &["metadata", "title"]);
        let kind = kind.to_ascii_lowercase();
        match kind.as_str() {
            "group" | "user" => {
                let title = said(entity, &["spec", "profile", "displayName"]).or(title);
                let title = title.unwrap_or_else(|| name.into());
                self.titles.insert(own.clone(), title.clone());
                reading.teams.push(Team {
                    id: Untrusted::new(own),
                    name: Some(title),
                    on_call: None,
                    contact: said(entity, &["spec", "profile", "email"]),
                    gone: false,
                    origin: Some(reading.about.origin.clone()),
                });
            }
            "component" | "resource" | "api" | "system" => {
                let label = title.unwrap_or_else(|| name.into());
                self.thing(reading, (line, &kind, &own), label, entity);
                edges(reading, (line, namespace, &own), entity);
            }
            // A template or a location is nothing that depends on anybody.
            _ => {}
        }
    }

    fn thing(
        &mut self,
        reading: &mut Reading,
        (line, kind, own): (usize, &str, &str),
        label: Untrusted,
        entity: &Value,
    ) {
        let kind_of = text(entity, &["spec", "type"]).unwrap_or_default();
        let kind_of = kind_of.to_ascii_lowercase().replace('_', "-");
        let note = |key: &str| text(entity, &["metadata", "annotations", key]);
        let criticality = note("stanch/criticality");
        let level = criticality.and_then(Criticality::parse);
        if let (Some(word), None) = (criticality, level) {
            let problem = format!(
                "stanch/criticality: `{}` is none of low, medium, high, business_critical",
                show(word)
            );
            reading.mistake(line, problem, Loss::Entry);
        }
        let namespace = own
            .split_once(':')
            .and_then(|(_, rest)| rest.split_once('/'))
            .map_or("default", |(namespace, _)| namespace);
        let relations = list(entity, &["relations"]);
        let owned_by = relations
            .iter()
            .find(|r| text(r, &["type"]) == Some("ownedBy"));
        let owner = owned_by
            .and_then(|r| text(r, &["targetRef"]))
            .or_else(|| text(entity, &["spec", "owner"]));
        let identities = note("stanch/identity")
            .into_iter()
            .flat_map(|t| t.split(','));
        self.things.push(Thing {
            line,
            node: Node {
                criticality: level,
                environment: note("stanch/environment").map(Untrusted::from),
                ..Node::new(NodeId::new(own), node_kind(kind, &kind_of), label)
            },
            owner: owner.map(|o| reference(o, "group", namespace)),
            identities: identities
                .map(|id| id.trim().to_owned())
                .filter(|id| !id.is_empty())
                .collect(),
            own_kind: identity_kind(kind, &kind_of),
        });
    }

    /// Makes nodes and cards, now that every team is known.
    pub fn finish(self, reading: &mut Reading) {
        reading.repeats |= !self.things.is_empty();
        for thing in self.things {
            let Thing {
                line,
                mut node,
                owner,
                mut identities,
                own_kind,
            } = thing;
            node.owner = owner.map(|o| {
                let title = self.titles.get(&o).cloned();
                title.unwrap_or_else(|| Untrusted::new(o))
            });
            let provider = reading.about.provider.as_deref().unwrap_or("backstage");
            let itself = format!("{provider}:{}", node.id.as_str());
            if own_kind.is_some() && identities.is_empty() {
                identities.push(itself.clone());
            }
            for id in identities {
                let is_itself = id == itself;
                let mut card = Identity::blank(IdentityId::new(id));
                card.technical_owner.clone_from(&node.owner);
                card.criticality = node.criticality;
                card.environment.clone_from(&node.environment);
                card.kind = own_kind.unwrap_or(IdentityKind::Unknown);
                if is_itself {
                    card.name = node.label.clone();
                }
                if own_kind.is_none() {
                    card.workload = Some(node.label.clone());
                }
                let to = NodeId::from(&card.id);
                reading.edge(line, (node.id.clone(), EdgeKind::DependsOn, to));
                reading.card(line, card, None);
            }
            reading.node(line, node);
        }
    }
}

/// Draws what an entity depends on, and what depends on it.
fn edges(reading: &mut Reading, (line, namespace, own): (usize, &str, &str), entity: &Value) {
    let own = NodeId::new(own);
    let mut put = |other: String, is_needed: bool| {
        let other = NodeId::new(other);
        let (from, to) = match is_needed {
            true => (own.clone(), other),
            false => (other, own.clone()),
        };
        let said = |d: &super::reading::Drawn| d.edge.from == from && d.edge.to == to;
        // The export says most relations twice: in `spec`, and in `relations`.
        if !reading.edges.iter().rev().take(64).any(said) {
            reading.edge(line, (from, EdgeKind::DependsOn, to));
        }
    };
    for (key, default, is_needed) in [
        ("dependsOn", "component", true),
        ("consumesApis", "api", true),
        ("dependencyOf", "component", false),
        ("providesApis", "api", false),
    ] {
        for other in list(entity, &["spec", key]) {
            if let Some(other) = other.as_str() {
                put(reference(other, default, namespace), is_needed);
            }
        }
    }
    for relation in list(entity, &["relations"]) {
        let needed = match text(relation, &["type"]) {
            Some("dependsOn" | "consumesApi") => true,
            Some("dependencyOf" | "apiConsumedBy" | "providesApi") => false,
            _ => continue,
        };
        if let Some(other) = text(relation, &["targetRef"]) {
            put(reference(other, "component", namespace), needed);
        }
    }
}

/// Makes a full reference of one that may leave kind and namespace out; case does not matter in them.
/// <https://backstage.io/docs/features/software-catalog/references>
fn reference(text: &str, kind: &str, namespace: &str) -> String {
    let text = text.trim();
    let (kind, rest) = text.split_once(':').unwrap_or((kind, text));
    let (namespace, name) = rest.split_once('/').unwrap_or((namespace, rest));
    format!("{kind}:{namespace}/{name}").to_lowercase()
}

fn node_kind(kind: &str, of: &str) -> NodeKind {
    match (kind, of) {
        ("component", of) if of.contains("pipeline") => NodeKind::Pipeline,
        ("component" | "system", _) => NodeKind::Workload,
        ("resource", "secret-store" | "secrets-manager" | "vault") => NodeKind::SecretStore,
        ("resource", of) if of.contains("integration") => NodeKind::Integration,
        _ => NodeKind::Resource,
    }
}

/// Tells whether a resource is an identity itself, by the words for kinds of identities.
fn identity_kind(kind: &str, of: &str) -> Option<IdentityKind> {
    let word = IdentityKind::parse(&of.replace('-', "_")).or(match of {
        "iam-user" | "iam-role" => Some(IdentityKind::ServiceAccount),
        "api-key" => Some(IdentityKind::ApiToken),
        _ => None,
    });
    word.filter(|w| {
        kind == "resource" && !matches!(w, IdentityKind::Unknown | IdentityKind::Workload)
    })
}
