//! Who belongs to a campaign: identities of the inventory that a filter means.

use crate::domain::filter::{Field, Filter, Match, Term, Test};
use crate::domain::graph::{Graph, NodeKind};
use crate::domain::identity::Identity;
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::Inventory;
use crate::domain::text::Untrusted;

/// Finds them, by id. A filter that speaks of alerts means no identities by itself: then the term is named.
pub fn chosen(filter: &Filter, inventory: &Inventory) -> Result<Vec<IdentityId>, String> {
    if filter.is_all() {
        return Err(
            "an empty filter would take everybody; name a vendor, a provider, owners".into(),
        );
    }
    for term in &filter.terms {
        if let Some(what) = about_alerts(&term.test) {
            return Err(format!(
                "{what} is about alerts, not identities; use vendor, identity, provider, key, owner, env or kind, or words"
            ));
        }
    }
    let all = inventory.identities().values();
    let meant = all.filter(|card| filter.terms.iter().all(|term| means(term, card, inventory)));
    Ok(meant.map(|card| card.id.clone()).collect())
}

/// Names what only alerts have.
const fn about_alerts(test: &Test) -> Option<&'static str> {
    match test {
        Test::Severity(..) => Some("a severity"),
        Test::Number(..) => Some("a number"),
        Test::Pattern(_) => Some("a pattern"),
        Test::State(_) | Test::Hygiene(_) => Some("a state"),
        Test::Analyst(_) => Some("who has taken something"),
        Test::Name(Field::Id, _) => Some("an alert's id"),
        Test::Name(Field::Source, _) => Some("a source"),
        Test::Name(Field::Title, _) => Some("a title"),
        Test::Name(Field::Action, _) => Some("an action"),
        Test::Name(Field::Incident, _) => Some("an incident"),
        Test::Name(Field::Target, _) => Some("a target"),
        Test::Text(_) | Test::Kind(_) | Test::Name(..) => None,
    }
}

fn means(term: &Term, card: &Identity, inventory: &Inventory) -> bool {
    let holds = match &term.test {
        Test::Kind(kind) => card.kind == *kind,
        Test::Text(text) => {
            let anywhere = Match::Contains(text.clone());
            let fields = [
                Field::Identity,
                Field::Provider,
                Field::Key,
                Field::Owner,
                Field::Environment,
                Field::Vendor,
            ];
            let mut fields = fields.into_iter();
            fields.any(|field| named(field, &anywhere, card, inventory))
        }
        Test::Name(field, wanted) => named(*field, wanted, card, inventory),
        _ => false,
    };
    holds != term.negated
}

fn named(field: Field, wanted: &Match, card: &Identity, inventory: &Inventory) -> bool {
    let means = |text: &Untrusted| wanted.means(text.raw());
    match field {
        Field::Identity => {
            wanted.means(card.native_id()) || means(&card.name) || card.aliases.iter().any(means)
        }
        Field::Provider => {
            wanted.means(card.provider())
                || card.connector.as_ref().is_some_and(|c| wanted.means(c))
        }
        Field::Key => card.credentials.iter().any(|c| means(&c.id)),
        Field::Owner => [&card.business_owner, &card.technical_owner, &card.on_call]
            .into_iter()
            .flatten()
            .any(means),
        Field::Environment => card.environment.as_ref().is_some_and(means),
        Field::Vendor => {
            card.has_vendor(&|name| wanted.means(name)) || beside(wanted, card, inventory)
        }
        _ => false,
    }
}

/// Tells whether the map has an integration of that name right beside the identity, or beside one of its credentials.
fn beside(wanted: &Match, card: &Identity, inventory: &Inventory) -> bool {
    let graph = inventory.graph();
    let node = NodeId::from(&card.id);
    let is_vendor = |id: &NodeId| {
        let node = graph.node(id);
        node.is_some_and(|node| {
            let integration = node.kind == NodeKind::Integration;
            integration && (wanted.means(node.label.raw()) || wanted.means(node.id.as_str()))
        })
    };
    let near = around(graph, &node);
    near.iter().any(|id| {
        let credential = graph
            .node(id)
            .is_some_and(|n| n.kind == NodeKind::Credential);
        is_vendor(id) || (credential && around(graph, id).iter().any(is_vendor))
    })
}

/// Most neighbours looked at.
const MOST: usize = 1_000;

fn around(graph: &Graph, id: &NodeId) -> Vec<NodeId> {
    let at = graph.find(id);
    let hops = at.map_or_else(Vec::new, |at| graph.neighbours(at, MOST));
    let nodes = hops.iter().filter_map(|hop| graph.at(hop.to));
    nodes.map(|node| node.id.clone()).collect()
}
