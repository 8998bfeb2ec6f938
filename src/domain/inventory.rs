//! Who is known: identity cards, the dependency map they hang in, and finding whom an alert means.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::alert::{Alert, Subject};
use super::graph::{EdgeKind, Graph, Node, NodeKind};
use super::identity::Identity;
use super::ids::{IdentityId, NodeId};
use super::text::Untrusted;

/// Most candidates returned for one alert; a name that more identities share says nothing anyway.
pub const MOST_CANDIDATES: usize = 50;

/// Whom an alert means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Exactly this one.
    Known(IdentityId),
    /// One of these, by id; a person decides.
    Candidates(Vec<IdentityId>),
    /// Somebody the inventory does not list: the card says what the alert says.
    Unlisted(Box<Identity>),
    /// The alert names nobody.
    Unresolved,
}

/// What the inventory knows. Build it with [`Inventory::new`]; lookups take constant time at any size.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    identities: BTreeMap<IdentityId, Identity>,
    graph: Arc<Graph>,
    /// Aliases, credential ids and native ids.
    by_handle: HashMap<String, Vec<IdentityId>>,
    by_name: HashMap<String, Vec<IdentityId>>,
}

impl Inventory {
    /// Puts identities on the map and indexes them. Every identity becomes a node labelled with its name; its
    /// credentials become nodes `credential:<identity>/<credential>` that it holds, stored in `store:<name>`, or in the
    /// node that is itself called `<name>` where `graph` describes one. A node of `graph` under an identity's id is
    /// replaced by the identity's own.
    pub fn new(identities: impl IntoIterator<Item = Identity>, mut graph: Graph) -> Self {
        let mut inventory = Self::default();
        for identity in identities {
            draw(&mut graph, &identity);
            inventory.index(&identity);
            inventory.identities.insert(identity.id.clone(), identity);
        }
        for ids in inventory
            .by_handle
            .values_mut()
            .chain(inventory.by_name.values_mut())
        {
            ids.sort();
            ids.dedup();
        }
        graph.seal();
        inventory.graph = Arc::new(graph);
        inventory
    }

    /// Returns all cards by id.
    pub const fn identities(&self) -> &BTreeMap<IdentityId, Identity> {
        &self.identities
    }

    /// Returns one card.
    pub fn identity(&self, id: &IdentityId) -> Option<&Identity> {
        self.identities.get(id)
    }

    /// Returns the dependency map.
    pub const fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// Finds whom an alert means. In this order: its id or `provider:native` is an identity's id; it is an alias, a
    /// credential id or a native id; it is exactly a name. The first of these that fits decides, also when it fits
    /// several. An alert that names nobody may still name whom it may be about, or a credential somebody is known to
    /// hold: those identities are candidates, not answers, since nobody said that they acted.
    pub fn resolve(&self, alert: &Alert) -> Resolution {
        let Some(subject) = &alert.subject else {
            let resource = alert
                .resource
                .as_ref()
                .map(|r| r.id.raw())
                .filter(|id| !id.is_empty());
            let mut found: Vec<IdentityId> = Vec::new();
            let named = alert.candidates.iter().filter_map(|c| self.find(c));
            let of_resource = resource.and_then(|id| self.by_strong_key(id));
            for id in named.chain(of_resource).flatten() {
                if !found.contains(&id) {
                    found.push(id);
                }
            }
            return if found.is_empty() {
                Resolution::Unresolved
            } else {
                Resolution::Candidates(found)
            };
        };
        self.resolve_subject(subject)
    }

    /// Finds whom a subject means.
    pub fn resolve_subject(&self, subject: &Subject) -> Resolution {
        match self.find(subject) {
            Some(found) => match found.as_slice() {
                [one] => Resolution::Known(one.clone()),
                _ => Resolution::Candidates(found),
            },
            None if subject.native_id.is_empty() && subject.name.is_none() => {
                Resolution::Unresolved
            }
            None => Resolution::Unlisted(Box::new(unlisted(subject))),
        }
    }

    /// Returns the card of the one listed identity that a subject means.
    pub fn card_of(&self, subject: &Subject) -> Option<&Identity> {
        match self.find(subject)?.as_slice() {
            [one] => self.identity(one),
            _ => None,
        }
    }

    fn find(&self, subject: &Subject) -> Option<Vec<IdentityId>> {
        let native = subject.native_id.raw();
        let full = IdentityId::new(format!("{}:{native}", subject.provider.raw()));
        if self.identities.contains_key(&full) {
            return Some(vec![full]);
        }
        let name = subject.name.as_ref().map(Untrusted::raw);
        let given = || {
            [Some(native), name]
                .into_iter()
                .flatten()
                .filter(|text| !text.is_empty())
        };
        given()
            .find_map(|text| self.by_strong_key(text))
            .or_else(|| given().find_map(|text| some(&self.by_name, text)))
    }

    fn by_strong_key(&self, key: &str) -> Option<Vec<IdentityId>> {
        let id = IdentityId::new(key);
        if self.identities.contains_key(&id) {
            return Some(vec![id]);
        }
        some(&self.by_handle, key)
    }

    fn index(&mut self, identity: &Identity) {
        let aliases = identity.aliases.iter().map(Untrusted::raw);
        let credentials = identity.credentials.iter().map(|c| c.id.raw());
        let native = identity
            .id
            .as_str()
            .split_once(':')
            .map(|(_, native)| native);
        for handle in aliases
            .chain(credentials)
            .chain(native)
            .filter(|h| !h.is_empty())
        {
            self.by_handle
                .entry(handle.to_owned())
                .or_default()
                .push(identity.id.clone());
        }
        let name = identity.name.raw().to_owned();
        self.by_name
            .entry(name)
            .or_default()
            .push(identity.id.clone());
    }
}

fn some(index: &HashMap<String, Vec<IdentityId>>, key: &str) -> Option<Vec<IdentityId>> {
    let found = index.get(key)?;
    Some(found.iter().take(MOST_CANDIDATES).cloned().collect())
}

fn unlisted(subject: &Subject) -> Identity {
    let native = subject.native_id.raw();
    let id = IdentityId::new(format!("{}:{native}", subject.provider.raw()));
    let name = subject
        .name
        .clone()
        .unwrap_or_else(|| subject.native_id.clone());
    Identity::not_in_inventory(id, name, subject.kind)
}

/// Returns the node of one credential of an identity. Providers number credentials each for themselves, so the
/// identity is part of the key.
pub fn credential_node(identity: &IdentityId, credential: &str) -> NodeId {
    NodeId::new(format!("credential:{}/{credential}", identity.as_str()))
}

fn draw(graph: &mut Graph, identity: &Identity) {
    let own = NodeId::from(&identity.id);
    let owner = identity
        .business_owner
        .clone()
        .or_else(|| identity.technical_owner.clone());
    graph.add_node(Node {
        criticality: identity.criticality,
        environment: identity.environment.clone(),
        owner: owner.clone(),
        ..Node::new(own.clone(), NodeKind::Identity, identity.name.clone())
    });
    for credential in &identity.credentials {
        let id = credential_node(&identity.id, credential.id.raw());
        graph.add_node(Node {
            environment: identity.environment.clone(),
            owner: owner.clone(),
            ends: credential.expires,
            ..Node::new(id.clone(), NodeKind::Credential, credential.id.clone())
        });
        graph.add_edge(own.clone(), EdgeKind::Holds, id.clone());
        if let Some(store) = &credential.store {
            let store = store_node(graph, store);
            graph.add_edge(id, EdgeKind::StoredIn, store);
        }
    }
}

/// Finds or adds the node of a secret store.
fn store_node(graph: &mut Graph, name: &Untrusted) -> NodeId {
    let declared = NodeId::new(name.raw());
    if graph.node(&declared).is_some() {
        return declared;
    }
    let id = NodeId::new(format!("store:{}", name.raw()));
    if graph.node(&id).is_none() {
        graph.add_node(Node::new(id.clone(), NodeKind::SecretStore, name.clone()));
    }
    id
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::domain::alert::Resource;
    use crate::domain::identity::Credential;
    use crate::domain::ids::AlertId;
    use crate::domain::vocabulary::{ActionPattern, IdentityKind};

    fn identity(id: &str, name: &str, alias: &str, credential: &str) -> Identity {
        let mut card =
            Identity::not_in_inventory(IdentityId::new(id), name.into(), IdentityKind::OauthClient);
        card.aliases.push(alias.into());
        card.credentials.push(Credential {
            id: credential.into(),
            kind: "client_secret".into(),
            store: Some("vault-eu-1".into()),
            created: None,
            expires: None,
            last_used: None,
            rotation: None,
            secret_ref: None,
        });
        card
    }

    fn inventory() -> Inventory {
        let cards = [
            identity("lab:svc-deploy", "deployer", "AKIA1", "dk-1"),
            identity("lab:svc-report", "reporter", "AKIA2", "dk-2"),
            identity("kc:shared-a", "batch", "AKIA3", "dk-3"),
            identity("kc:shared-b", "batch", "AKIA4", "dk-3"),
            identity("other:svc-report", "lab:svc-deploy", "x", "y"),
        ];
        Inventory::new(cards, Graph::default())
    }

    fn alert(subject: Option<(&str, &str, Option<&str>)>, resource: Option<&str>) -> Alert {
        Alert {
            id: AlertId::new("s/1"),
            native_id: None,
            candidates: Vec::new(),
            source: "s".to_owned(),
            format: "test".to_owned(),
            time: None,
            observed: Timestamp::UNIX_EPOCH,
            exposed_at: None,
            title: "t".into(),
            severity: None,
            severity_raw: None,
            confidence: None,
            pattern: ActionPattern::Other,
            subject: subject.map(|(provider, native_id, name)| Subject {
                provider: provider.into(),
                native_id: native_id.into(),
                kind: IdentityKind::Unknown,
                name: name.map(Into::into),
            }),
            resource: resource.map(|id| Resource {
                id: id.into(),
                kind: "key".into(),
            }),
            action: None,
            evidence_url: None,
            incident: None,
            techniques: Vec::new(),
            raw_sha256: String::new(),
        }
    }

    #[rstest]
    #[case("lab", "svc-deploy", None, &["lab:svc-deploy"])]
    #[case("siem", "lab:svc-deploy", None, &["lab:svc-deploy"])]
    #[case("aws", "AKIA1", None, &["lab:svc-deploy"])]
    #[case("aws", "dk-2", None, &["lab:svc-report"])]
    #[case("siem", "svc-deploy", None, &["lab:svc-deploy"])]
    #[case("siem", "svc-report", None, &["lab:svc-report", "other:svc-report"])]
    #[case("other", "svc-report", None, &["other:svc-report"])]
    #[case("siem", "9", Some("deployer"), &["lab:svc-deploy"])]
    #[case("siem", "9", Some("AKIA2"), &["lab:svc-report"])]
    #[case("siem", "batch", None, &["kc:shared-a", "kc:shared-b"])]
    #[case("siem", "dk-3", Some("reporter"), &["kc:shared-a", "kc:shared-b"])]
    #[case("siem", "Deployer", None, &[])]
    #[case("siem", "deploy", None, &[])]
    fn resolves(
        #[case] provider: &str,
        #[case] native: &str,
        #[case] name: Option<&str>,
        #[case] want: &[&str],
    ) {
        let ids: Vec<IdentityId> = want.iter().map(|id| IdentityId::new(*id)).collect();
        match inventory().resolve(&alert(Some((provider, native, name)), None)) {
            Resolution::Known(id) => assert_eq!(vec![id], ids),
            Resolution::Candidates(found) => assert_eq!((found.len() > 1, found), (true, ids)),
            Resolution::Unlisted(card) => {
                assert_eq!(ids, []);
                assert_eq!(card.id.as_str(), format!("{provider}:{native}"));
                assert_eq!(card.provenance, "not in inventory");
            }
            Resolution::Unresolved => panic!("unresolved"),
        }
    }

    #[test]
    fn an_alert_without_a_subject_yields_at_most_candidates() {
        let found = inventory().resolve(&alert(None, Some("dk-1")));
        assert_eq!(
            found,
            Resolution::Candidates(vec![IdentityId::new("lab:svc-deploy")])
        );
        assert_eq!(
            inventory().resolve(&alert(None, Some("deployer"))),
            Resolution::Unresolved
        );
        assert_eq!(
            inventory().resolve(&alert(None, None)),
            Resolution::Unresolved
        );
        assert_eq!(
            inventory().resolve(&alert(Some(("p", "", None)), None)),
            Resolution::Unresolved
        );
    }

    #[test]
    fn identities_and_credentials_are_on_the_map() {
        let inventory = inventory();
        let node = inventory
            .graph()
            .node(&NodeId::new("lab:svc-deploy"))
            .unwrap();
        assert_eq!(
            (node.kind, node.label.raw()),
            (NodeKind::Identity, "deployer")
        );
        let siblings = inventory.graph().siblings(&NodeId::new("lab:svc-deploy"));
        assert_eq!(siblings.found.len(), 4);
        assert!(
            inventory
                .graph()
                .node(&NodeId::new("store:vault-eu-1"))
                .is_some()
        );
    }

    #[test]
    fn a_described_store_is_not_doubled() {
        let mut graph = Graph::default();
        let (id, kind) = (NodeId::new("vault-eu-1"), NodeKind::SecretStore);
        graph.add_node(Node::new(id, kind, "Vault, Frankfurt"));
        let inventory = Inventory::new([identity("lab:a", "a", "x", "k")], graph);
        assert_eq!(inventory.graph().len(), 3);
    }
}
