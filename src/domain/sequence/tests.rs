use rstest::rstest;

use super::super::graph::{EdgeKind, Graph, Limits, Look, Node, NodeKind};
use super::super::identity::{Credential, Identity};
use super::super::ids::{IdentityId, NodeId};
use super::super::vocabulary::{IdentityKind, Verb};
use super::*;

const KEY: Verb = Verb::DisableCredential;
const SESSIONS: Verb = Verb::RevokeSessions;
const TOKENS: Verb = Verb::RevokeTokens;
const GRANTS: Verb = Verb::RevokeGrants;
const KEEP: Verb = Verb::PreserveEvidence;
const TELL: Verb = Verb::NotifyOwner;

fn card(keys: &[Option<i64>]) -> Identity {
    let mut card = Identity::not_in_inventory(
        IdentityId::new("p:a"),
        "a".into(),
        IdentityKind::ServiceAccount,
    );
    card.credentials = keys
        .iter()
        .map(|ends| Credential {
            id: "k".into(),
            kind: "key".into(),
            store: None,
            created: None,
            expires: ends.map(|s| Timestamp::from_second(s).unwrap()),
            last_used: None,
            rotation: None,
            secret_ref: None,
            fingerprint: None,
            rotated: None,
            enabled: None,
            consumers: Vec::new(),
            offboarding: None,
            hard_coded: Vec::new(),
        })
        .collect();
    card
}

fn made(verbs: &[Verb], kept: Option<&str>, card: &Identity, graph: &Graph) -> Sequence {
    let look = Look::at(graph, &NodeId::new("p:a"), Limits::FULL);
    let around = Around {
        identity: card,
        graph,
        look: &look,
        now: Timestamp::from_second(0).unwrap(),
    };
    sequence(verbs, kept, &around)
}

/// P6, P14, E1, row 33: what mints is off before what it minted ends; then what is cached, then grants.
#[rstest]
#[case::as_it_should_be(&[KEEP, KEY, SESSIONS, GRANTS, TELL], &[None], &[0, 1, 2, 3, 4], false)]
#[case::key_first(&[KEEP, SESSIONS, KEY, TELL], &[None], &[0, 2, 1, 3], true)]
#[case::key_that_ends_today(&[KEEP, SESSIONS, KEY, TELL], &[Some(3_600)], &[0, 1, 2, 3], false)]
#[case::key_that_lasts(&[KEEP, SESSIONS, KEY, TELL], &[Some(900_000)], &[0, 2, 1, 3], true)]
#[case::no_key(&[KEEP, SESSIONS, KEY, TELL], &[], &[0, 1, 2, 3], false)]
#[case::cached_before_grants(&[KEEP, GRANTS, TELL, TOKENS], &[], &[0, 3, 2, 1], true)]
#[case::all(&[KEEP, GRANTS, SESSIONS, TOKENS, KEY], &[None], &[0, 4, 2, 3, 1], true)]
#[case::others_stay(&[KEEP, TELL, SESSIONS, TELL, KEY], &[None], &[0, 1, 4, 3, 2], true)]
fn steps_follow_the_layers(
    #[case] verbs: &[Verb],
    #[case] keys: &[Option<i64>],
    #[case] order: &[usize],
    #[case] told: bool,
) {
    let made = made(verbs, None, &card(keys), &Graph::default());
    assert_eq!(made.order, order);
    assert_eq!(made.says.len(), usize::from(told), "{:?}", made.says);
}

#[test]
fn what_is_moved_is_told_and_a_reason_keeps_the_order() {
    let (verbs, card) = ([KEEP, SESSIONS, KEY], card(&[None]));
    let moved = made(&verbs, None, &card, &Graph::default());
    assert_eq!(
        moved.says,
        [
            "moved by the map: disable_credential goes before revoke_sessions, as 1 long-lived credentials mint again what is ended before they are off"
        ]
    );
    let kept = made(
        &verbs,
        Some("the vendor asks for it"),
        &card,
        &Graph::default(),
    );
    assert_eq!(kept.order, [0, 1, 2]);
    assert_eq!(
        kept.says,
        ["order as the playbook has it: the vendor asks for it"]
    );
}

fn map() -> Graph {
    let mut graph = Graph::default();
    let mut node = |id: &str, kind| graph.add_node(Node::new(NodeId::new(id), kind, id));
    node("p:a", NodeKind::Identity);
    node("s1", NodeKind::Session);
    node("r1", NodeKind::Permission);
    node("g1", NodeKind::Grant);
    node("k2", NodeKind::Credential);
    node("k1", NodeKind::Credential);
    node("p:b", NodeKind::Identity);
    let mut edge =
        |from: &str, kind, to: &str| graph.add_edge(NodeId::new(from), kind, NodeId::new(to));
    edge("p:a", EdgeKind::Holds, "s1");
    edge("p:a", EdgeKind::Holds, "r1");
    edge("p:a", EdgeKind::Holds, "g1");
    edge("p:a", EdgeKind::Issued, "k2");
    edge("p:a", EdgeKind::Holds, "k1");
    edge("p:b", EdgeKind::Holds, "k1");
    edge("p:a", EdgeKind::Assumes, "p:b");
    edge("p:b", EdgeKind::Recovers, "p:a");
    graph.seal();
    graph
}

/// Row 22, row 33, E8, R2: layers with what ends them, where the order stops, and the way back in.
#[test]
fn layers_shared_nodes_and_cycles_are_told() {
    let told = made(&[KEEP, KEY, SESSIONS], None, &card(&[None]), &map());
    assert_eq!(
        told.says,
        [
            "cached layer, 1: s1; ended by step 3",
            "cached layer, roles, 1: r1; ended by no step of this plan",
            "delegated layer, 1: g1; ended by no step of this plan",
            "downstream layer, 1: k2; not ended by this plan: each is a target of its own, after it",
            "stops at what others share: k1; who else loses it is a person's decision",
            "cycle: p:a -> p:b -> p:a; it can be won back through p:b, so contain that too before it is given back",
        ]
    );
}
