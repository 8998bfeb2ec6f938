use jiff::Timestamp;

use super::*;
use crate::domain::graph::{NodeIx, Tie};
use crate::domain::identity::Session;
use crate::domain::vocabulary::IdentityKind;

fn card(id: &str) -> Identity {
    Identity::not_in_inventory(IdentityId::new(id), id.into(), IdentityKind::OauthClient)
}

fn key(id: &str, fingerprint: &str) -> Credential {
    Credential {
        id: id.into(),
        fingerprint: Some(fingerprint.into()),
        store: Some("vault".into()),
        ..Credential::default()
    }
}

fn id(text: &str) -> NodeId {
    NodeId::new(text)
}

fn name(graph: &Graph, node: NodeIx) -> &str {
    graph.at(node).map_or("?", |n| n.id.as_str())
}

#[test]
fn the_same_fingerprint_is_the_same_secret() {
    let mut a = card("lab:a");
    a.credentials = vec![key("k1", "SHA256:x")];
    let mut b = card("lab:b");
    b.credentials = vec![key("k2", "SHA256:x"), key("k3", "SHA256:y")];
    let mut drawing = Drawing::on(Graph::default());
    drawing.identity(&a);
    drawing.identity(&b);
    let graph = drawing.finish();
    let siblings = graph.siblings(&id("lab:a")).found;
    assert_eq!(siblings.len(), 1);
    let ties: Vec<Tie> = siblings[0].ties.iter().map(|(tie, _)| tie).collect();
    assert_eq!(ties, [Tie::Credential, Tie::Store]);
    let walk = graph.impact(&id("lab:a"));
    let broken: Vec<&str> = walk.nodes().map(|n| name(&graph, n)).collect();
    assert_eq!(broken, ["lab:b"], "its copy ends too");
}

#[test]
fn what_the_map_says_of_a_credential_stays() {
    let mut graph = Graph::default();
    graph.add_node(Node {
        environment: Some("test".into()),
        ..Node::new(
            id("credential:lab:a/k1"),
            NodeKind::Credential,
            "the deploy key",
        )
    });
    let mut a = card("lab:a");
    a.environment = Some("production".into());
    a.business_owner = Some("Payments".into());
    a.credentials = vec![Credential {
        enabled: Some(false),
        hard_coded: vec!["repo:shop/ci.yml".into()],
        ..key("k1", "")
    }];
    let mut drawing = Drawing::on(graph);
    drawing.identity(&a);
    let graph = drawing.finish();
    let node = graph.node(&id("credential:lab:a/k1")).unwrap();
    assert_eq!(node.label.raw(), "the deploy key");
    assert_eq!(node.environment.as_ref().unwrap().raw(), "test");
    assert_eq!(node.owner.as_ref().unwrap().raw(), "Payments");
    assert_eq!(node.state, Some(NodeState::Disabled));
    let place = graph.exposure(&id("place:repo:shop/ci.yml"));
    assert_eq!(place.count(), 1, "who reads the repository has the key");
}

#[test]
fn grants_and_recovery_paths_have_states_and_ends() {
    let ends = Timestamp::from_second(1_800_000_000).unwrap();
    let mut a = card("lab:a");
    a.grants = vec![Grant {
        id: "g1".into(),
        to: "lab:app".into(),
        kind: Some("consent".into()),
        expires: Some(ends),
        ..Grant::default()
    }];
    a.recovery = vec![RecoveryPath {
        id: "break-glass".into(),
        kind: None,
        state: RecoveryState::Open,
    }];
    let mut drawing = Drawing::on(Graph::default());
    drawing.identity(&a);
    let graph = drawing.finish();
    let path = graph.node(&id("recovery:lab:a/break-glass")).unwrap();
    assert_eq!(path.state, Some(NodeState::Armed));
    let walk = graph.exposure(&id("lab:app"));
    let reached: Vec<&str> = walk.nodes().map(|n| name(&graph, n)).collect();
    assert_eq!(reached, ["grant:lab:a/g1", "lab:a"]);
    assert_eq!(walk.branches[0].until(), Some(ends));
    let broken = graph.impact(&id("lab:a"));
    assert_eq!(broken.count(), 1, "who acts for it cannot any more");
}

#[test]
fn live_sessions_stand_aside_and_end() {
    let a = card("lab:a");
    let expires = Timestamp::from_second(1_800_000_000).unwrap();
    let live = LiveContext {
        enabled: Some(true),
        sessions: vec![Session {
            id: "s1".into(),
            kind: "access_token".into(),
            started: None,
            last_seen: None,
            expires: Some(expires),
            origin: Some("203.0.113.9".into()),
        }],
        grants: vec!["consent of x".into()],
        credentials: vec![key("k9", "")],
        ..LiveContext::default()
    };
    let mut graph = Graph::default();
    draw_live(&mut graph, &a, &live);
    let walk = graph.exposure(&id("lab:a"));
    assert_eq!((walk.branches.len(), walk.count()), (3, 2));
    let layers = graph.layers(&walk);
    assert_eq!(layers.len(), 2, "a session and a consent");
    assert_eq!(layers[0].until, Some(expires));
    let state = graph.node(&id("lab:a")).unwrap().state;
    assert_eq!(state, Some(NodeState::Enabled));
}
