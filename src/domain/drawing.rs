//! From cards to the map: which nodes and edges an identity, what its provider says right now, and what it made since it
//! was exposed come to.

use std::collections::HashMap;

use super::graph::{Edge, EdgeKind, Graph, Joined, Node, NodeKind, NodeState};
use super::identity::{
    Credential, Grant, Identity, LiveContext, RecoveryPath, RecoveryState, Session,
};
use super::ids::{IdentityId, NodeId};
use super::newcomers::Newcomer;
use super::text::Untrusted;

/// Puts the cards of an inventory on a map.
#[derive(Debug)]
pub struct Drawing {
    graph: Graph,
    /// By fingerprint, the first credential that has it.
    fingerprints: HashMap<String, NodeId>,
}

impl Drawing {
    /// Begins on a map that may describe nodes already: what it says of them stays, and is completed.
    pub fn on(graph: Graph) -> Self {
        Self {
            graph,
            fingerprints: HashMap::new(),
        }
    }

    /// Puts an identity there, with what it holds, where that is kept, who uses it, whom it lets act for it, and by which
    /// ways it is got back. Credentials of the same fingerprint are copies of one secret.
    pub fn identity(&mut self, identity: &Identity) {
        let graph = &mut self.graph;
        let own = NodeId::from(&identity.id);
        graph.add_node(Node {
            criticality: identity.criticality,
            environment: identity.environment.clone(),
            owner: owner(identity),
            state: identity.enabled.map(on_or_off),
            ..Node::new(own.clone(), NodeKind::Identity, identity.name.clone())
        });
        for credential in &identity.credentials {
            let id = put_credential(graph, identity, credential);
            graph.add_edge(own.clone(), EdgeKind::Holds, id.clone());
            if let Some(fingerprint) = credential.fingerprint.as_ref().filter(|f| !f.is_empty()) {
                let known = self.fingerprints.entry(fingerprint.raw().to_owned());
                let first = known.or_insert_with(|| id.clone());
                if *first != id {
                    graph.add_edge(id.clone(), EdgeKind::CopyOf, first.clone());
                }
            }
        }
        for grant in &identity.grants {
            put_grant(graph, identity, grant);
        }
        for path in &identity.recovery {
            let path = put_recovery(graph, identity, path);
            graph.add_edge(path, EdgeKind::Recovers, own.clone());
        }
    }

    /// Ends with the sealed map.
    pub fn finish(mut self) -> Graph {
        self.graph.seal();
        self.graph
    }
}

/// Returns the node of one credential of an identity. Providers number credentials each for themselves, so the
/// identity is part of the key.
pub fn credential_node(identity: &IdentityId, credential: &str) -> NodeId {
    NodeId::new(format!("credential:{}/{credential}", identity.as_str()))
}

/// Returns the node of a recovery path: the described one of its name, or one of its own.
pub fn recovery_id(graph: &Graph, identity: &IdentityId, path: &RecoveryPath) -> NodeId {
    described_or(graph, path.id.raw(), || {
        format!("recovery:{}/{}", identity.as_str(), path.id.raw())
    })
}

/// Adds what a provider says of an identity right now: whether it works, live sessions and tokens with when they end,
/// consents, and credentials that no inventory lists.
pub fn draw_live(graph: &mut Graph, identity: &Identity, live: &LiveContext) {
    let own = NodeId::from(&identity.id);
    let known = graph.node(&own).cloned();
    let fresh = || Node::new(own.clone(), NodeKind::Identity, identity.name.clone());
    let mut node = known.unwrap_or_else(fresh);
    node.state = live.enabled.map(on_or_off).or(node.state);
    graph.add_node(node);
    for credential in &live.credentials {
        let id = put_credential(graph, identity, credential);
        graph.add_edge(own.clone(), EdgeKind::Holds, id);
    }
    // In the order of their ids, so that lines keep their places from one answer to the next.
    let mut sessions: Vec<&Session> = live.sessions.iter().collect();
    sessions.sort_by(|a, b| a.id.cmp(&b.id));
    for session in sessions {
        let name = format!("session:{}/{}", identity.id.as_str(), session.id.raw());
        let origin = session
            .origin
            .as_ref()
            .map(|o| format!(" from {}", o.raw()));
        let label = format!(
            "{} {}{}",
            session.kind.raw(),
            session.id.raw(),
            origin.unwrap_or_default()
        );
        let id = NodeId::new(name);
        graph.add_node(Node {
            environment: identity.environment.clone(),
            ends: session.expires,
            ..Node::new(id.clone(), NodeKind::Session, Untrusted::new(label))
        });
        graph.add(Edge {
            until: session.expires,
            ..Edge::new(own.clone(), EdgeKind::Holds, id)
        });
    }
    for grant in &live.grants {
        let id = NodeId::new(format!("grant:{}/{}", identity.id.as_str(), grant.raw()));
        if graph.node(&id).is_none() {
            graph.add_node(Node::new(id.clone(), NodeKind::Grant, grant.clone()));
        }
        graph.add_edge(own.clone(), EdgeKind::Holds, id);
    }
}

/// Adds what joined the incident. What is on the map already is marked, and keeps what is known of it.
pub fn draw_newcomers(graph: &mut Graph, identity: &Identity, newcomers: &[Newcomer]) {
    let own = NodeId::from(&identity.id);
    if graph.find(&own).is_none() {
        graph.add_node(Node::new(
            own.clone(),
            NodeKind::Identity,
            identity.name.clone(),
        ));
    }
    let mut newcomers: Vec<&Newcomer> = newcomers.iter().collect();
    newcomers.sort_by(|a, b| a.node.cmp(&b.node));
    for newcomer in newcomers {
        let id = newcomer.node.clone();
        let known = graph.node(&id).cloned();
        let fresh = || Node::new(id.clone(), newcomer.kind, newcomer.label.clone());
        let mut node = known.unwrap_or_else(fresh);
        node.joined = Some(newcomer.joined);
        graph.add_node(node);
        let (from, kind, to) = match (newcomer.joined, newcomer.kind) {
            (Joined::Touched, _) => (own.clone(), EdgeKind::CanReach, id),
            (Joined::Born, NodeKind::RecoveryPath) => (id, EdgeKind::Recovers, own.clone()),
            (Joined::Born, NodeKind::Permission | NodeKind::Grant) => {
                (own.clone(), EdgeKind::Holds, id)
            }
            (Joined::Born, _) => (own.clone(), EdgeKind::Issued, id),
        };
        graph.add_edge(from, kind, to);
    }
}

fn owner(identity: &Identity) -> Option<Untrusted> {
    let technical = || identity.technical_owner.clone();
    identity.business_owner.clone().or_else(technical)
}

const fn on_or_off(enabled: bool) -> NodeState {
    if enabled {
        NodeState::Enabled
    } else {
        NodeState::Disabled
    }
}

/// Returns the described node of a name, or the id of one of its own.
fn described_or(graph: &Graph, name: &str, own: impl FnOnce() -> String) -> NodeId {
    let declared = NodeId::new(name);
    match graph.node(&declared) {
        Some(_) => declared,
        None => NodeId::new(own()),
    }
}

fn put_credential(graph: &mut Graph, identity: &Identity, credential: &Credential) -> NodeId {
    let id = credential_node(&identity.id, credential.id.raw());
    let known = graph.node(&id).cloned();
    let fresh = || Node::new(id.clone(), NodeKind::Credential, credential.id.clone());
    let mut node = known.unwrap_or_else(fresh);
    node.environment = node.environment.or_else(|| identity.environment.clone());
    node.owner = node.owner.or_else(|| owner(identity));
    node.ends = credential.expires.or(node.ends);
    node.state = credential.enabled.map(on_or_off).or(node.state);
    graph.add_node(node);
    if let Some(store) = &credential.store {
        let store = put_store(graph, store);
        graph.add_edge(id.clone(), EdgeKind::StoredIn, store);
    }
    for place in &credential.hard_coded {
        // Whoever reads the place has the secret, as with a store.
        let place = put_named(graph, "place", place, NodeKind::Resource);
        graph.add_edge(id.clone(), EdgeKind::StoredIn, place);
    }
    for consumer in &credential.consumers {
        let consumer = NodeId::new(consumer.raw());
        if graph.node(&consumer).is_some() {
            graph.add_edge(consumer, EdgeKind::DependsOn, id.clone());
        }
    }
    id
}

fn put_grant(graph: &mut Graph, identity: &Identity, grant: &Grant) {
    let own = NodeId::from(&identity.id);
    let id = NodeId::new(format!("grant:{}/{}", identity.id.as_str(), grant.id.raw()));
    let kind = grant.kind.as_ref().map_or("grant", Untrusted::raw);
    let label = Untrusted::new(format!("{kind} to {}", grant.to.raw()));
    graph.add_node(Node {
        environment: identity.environment.clone(),
        ends: grant.expires,
        ..Node::new(id.clone(), NodeKind::Grant, label)
    });
    let mut edge = |edge: Edge| {
        graph.add(Edge {
            until: grant.expires,
            ..edge
        });
    };
    edge(Edge::new(id.clone(), EdgeKind::ActsFor, own));
    if !grant.to.is_empty() {
        edge(Edge::new(NodeId::new(grant.to.raw()), EdgeKind::Holds, id));
    }
}

fn put_recovery(graph: &mut Graph, identity: &Identity, path: &RecoveryPath) -> NodeId {
    let id = recovery_id(graph, &identity.id, path);
    let known = graph.node(&id).cloned();
    let fresh = || Node {
        environment: identity.environment.clone(),
        ..Node::new(id.clone(), NodeKind::RecoveryPath, path.id.clone())
    };
    let mut node = known.unwrap_or_else(fresh);
    node.state = match path.state {
        RecoveryState::Open => Some(NodeState::Armed),
        RecoveryState::Guarded => Some(NodeState::Guarded),
        RecoveryState::Closed => Some(NodeState::Disabled),
        RecoveryState::Compromised => Some(NodeState::Compromised),
        RecoveryState::Unknown => node.state,
    };
    graph.add_node(node);
    id
}

fn put_store(graph: &mut Graph, name: &Untrusted) -> NodeId {
    put_named(graph, "store", name, NodeKind::SecretStore)
}

/// Finds or adds the node that cards name in words.
fn put_named(graph: &mut Graph, prefix: &str, name: &Untrusted, kind: NodeKind) -> NodeId {
    let id = described_or(graph, name.raw(), || format!("{prefix}:{}", name.raw()));
    if graph.node(&id).is_none() {
        graph.add_node(Node::new(id.clone(), kind, name.clone()));
    }
    id
}

#[cfg(test)]
mod tests;
