use rstest::rstest;

use super::*;

mod exact;
mod model;

fn graph(edges: &[(&str, EdgeKind, &str)]) -> Graph {
    let mut graph = Graph::default();
    for (from, kind, to) in edges {
        graph.add_edge(NodeId::new(*from), *kind, NodeId::new(*to));
    }
    graph.seal();
    graph
}

fn name(graph: &Graph, node: NodeIx) -> &str {
    graph.at(node).map_or("?", |n| n.id.as_str())
}

fn names<'g>(graph: &'g Graph, walk: &Walk) -> Vec<&'g str> {
    walk.nodes().map(|node| name(graph, node)).collect()
}

fn id(text: &str) -> NodeId {
    NodeId::new(text)
}

#[test]
fn impact_follows_dependents_and_held_credentials() {
    let g = graph(&[
        ("shop", EdgeKind::DependsOn, "svc"),
        ("checkout", EdgeKind::DependsOn, "shop"),
        ("svc", EdgeKind::Holds, "key"),
        ("vendor", EdgeKind::DependsOn, "key"),
    ]);
    let walk = g.impact(&id("svc"));
    assert_eq!(names(&g, &walk), ["vendor", "shop", "checkout"]);
    assert_eq!(
        (walk.count(), walk.branches.len()),
        (3, 4),
        "the key is on the way"
    );
}

#[rstest]
#[case::shared_credential(&[("a", EdgeKind::Holds, "k"), ("b", EdgeKind::Holds, "k"), ("x", EdgeKind::DependsOn, "b")], &["b", "x"])]
#[case::a_copy_is_the_same_secret(&[("a", EdgeKind::Holds, "k"), ("k", EdgeKind::CopyOf, "l"), ("x", EdgeKind::DependsOn, "l")], &["x"])]
#[case::what_runs_as_it(&[("job", EdgeKind::RunsAs, "a")], &["job"])]
#[case::grants_in_its_name(&[("g", EdgeKind::ActsFor, "a"), ("app", EdgeKind::Holds, "g")], &["app"])]
#[case::downstream_keys(&[("a", EdgeKind::Issued, "k"), ("x", EdgeKind::DependsOn, "k")], &["x"])]
// Who merely stops keeps valid keys, and whoever uses them goes on.
#[case::keys_of_who_stops(&[("b", EdgeKind::DependsOn, "a"), ("b", EdgeKind::Holds, "k"), ("x", EdgeKind::DependsOn, "k")], &["b"])]
#[case::what_it_reaches(&[("a", EdgeKind::CanReach, "db")], &[])]
fn breaks(#[case] edges: &[(&str, EdgeKind, &str)], #[case] want: &[&str]) {
    let g = graph(edges);
    assert_eq!(names(&g, &g.impact(&id("a"))), want);
}

#[test]
fn a_store_that_is_cut_off_stops_who_keeps_keys_there() {
    let g = graph(&[
        ("k", EdgeKind::StoredIn, "vault"),
        ("a", EdgeKind::Holds, "k"),
        ("x", EdgeKind::DependsOn, "a"),
    ]);
    let walk = g.impact(&id("vault"));
    assert_eq!(names(&g, &walk), ["k", "a", "x"]);
}

#[test]
fn exposure_reads_what_lies_in_a_reached_store() {
    let g = graph(&[
        ("svc", EdgeKind::CanReach, "vault"),
        ("db-password", EdgeKind::StoredIn, "vault"),
        ("db-password", EdgeKind::CanReach, "orders-db"),
    ]);
    assert_eq!(
        names(&g, &g.exposure(&id("svc"))),
        ["vault", "db-password", "orders-db"]
    );
}

fn with(from: &str, to: &str, privilege: Option<Privilege>) -> Edge {
    Edge {
        privilege,
        ..Edge::new(id(from), EdgeKind::CanReach, id(to))
    }
}

#[test]
fn the_way_that_lets_do_most_is_shown_not_the_shortest() {
    let mut g = Graph::default();
    g.add(with("a", "db", Some(Privilege::Read)));
    g.add(with("a", "role", Some(Privilege::Admin)));
    g.add(with("role", "db", Some(Privilege::Write)));
    g.add(with("db", "log", None));
    g.seal();
    let walk = g.exposure(&id("a"));
    let of = |want: &str| {
        let found = walk.branches.iter().find(|b| name(&g, b.node) == want);
        found.map(|b| (b.depth, b.privilege)).unwrap()
    };
    assert_eq!(of("role"), (1, Some(Privilege::Admin)));
    assert_eq!(of("db"), (2, Some(Privilege::Write)));
    assert_eq!(
        of("log"),
        (3, Some(Privilege::Write)),
        "the least along the way"
    );
    let path = g.path(&id("a"), &id("db"), Way::Exposure).unwrap();
    assert_eq!(
        (path.hops.len(), path.privilege()),
        (1, Some(Privilege::Read))
    );
}

#[test]
fn siblings_say_what_they_share() {
    let mut g = graph(&[
        ("a", EdgeKind::Holds, "k1"),
        ("k1", EdgeKind::StoredIn, "vault"),
        ("k2", EdgeKind::StoredIn, "vault"),
        ("b", EdgeKind::Holds, "k2"),
        ("c", EdgeKind::Holds, "k1"),
        ("d", EdgeKind::Holds, "k9"),
        ("k1", EdgeKind::CopyOf, "k7"),
        ("e", EdgeKind::Holds, "k7"),
        ("a", EdgeKind::Within, "realm"),
        ("f", EdgeKind::Within, "realm"),
        ("c", EdgeKind::Within, "realm"),
        ("k1", EdgeKind::OwnedBy, "root"),
        ("k8", EdgeKind::OwnedBy, "root"),
    ]);
    g.add_node(Node::new(id("a"), NodeKind::Identity, "a"));
    let found = g.siblings(&id("a")).found;
    let ties: Vec<(&str, Vec<(Tie, &str)>)> = found
        .iter()
        .map(|s| {
            let ties = s.ties.iter().map(|(tie, n)| (tie, name(&g, n)));
            (name(&g, s.node), ties.collect())
        })
        .collect();
    assert_eq!(
        ties,
        [
            (
                "c",
                vec![(Tie::Credential, "k1"), (Tie::TrustBoundary, "realm")]
            ),
            ("e", vec![(Tie::Credential, "k7")]),
            ("k8", vec![(Tie::OwnerKey, "root")]),
            ("b", vec![(Tie::Store, "vault")]),
            ("f", vec![(Tie::TrustBoundary, "realm")]),
        ]
    );
}

#[test]
fn the_other_users_of_a_secret_and_of_a_store() {
    let g = graph(&[
        ("a", EdgeKind::Holds, "k"),
        ("b", EdgeKind::Holds, "k"),
        ("ci", EdgeKind::DependsOn, "k"),
        ("k", EdgeKind::StoredIn, "vault"),
        ("job", EdgeKind::RunsAs, "a"),
    ]);
    let users = |of: &str| -> Vec<(&str, &str, EdgeKind)> {
        let found = g.users(&id(of)).found;
        let row = |u: User| (name(&g, u.what), name(&g, u.node), u.via);
        found.into_iter().map(row).collect()
    };
    assert_eq!(
        users("a"),
        [
            ("a", "job", EdgeKind::RunsAs),
            ("k", "b", EdgeKind::Holds),
            ("k", "ci", EdgeKind::DependsOn)
        ]
    );
    assert_eq!(
        users("vault"),
        [
            ("vault", "k", EdgeKind::StoredIn),
            ("k", "a", EdgeKind::Holds),
            ("k", "b", EdgeKind::Holds),
            ("k", "ci", EdgeKind::DependsOn)
        ]
    );
    let shared = g.shared(g.find(&id("k")).unwrap());
    assert!(shared.is_shared() && shared.holders == 2);
}

#[test]
fn layers_stand_in_order_with_what_lasts_longest_first() {
    let mut g = Graph::default();
    let at = |s| jiff::Timestamp::from_second(s).unwrap();
    for (name, kind, ends) in [
        ("s1", NodeKind::Session, Some(100)),
        ("s2", NodeKind::Session, Some(900)),
        ("role", NodeKind::Permission, None),
        ("g", NodeKind::Grant, Some(50)),
        ("k", NodeKind::Credential, None),
        ("own", NodeKind::Credential, None),
    ] {
        g.add_node(Node {
            ends: ends.map(at),
            ..Node::new(id(name), kind, name)
        });
        let via = match name {
            "k" => EdgeKind::Issued,
            _ => EdgeKind::Holds,
        };
        g.add(Edge {
            until: (name == "s2").then(|| at(200)),
            ..Edge::new(id("a"), via, id(name))
        });
    }
    g.seal();
    let rows = g.layers(&g.exposure(&id("a")));
    let rows: Vec<_> = rows
        .iter()
        .map(|r| {
            (
                r.layer,
                name(&g, r.node),
                r.until.map(jiff::Timestamp::as_second),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (AccessLayer::Cached, "role", None),
            (AccessLayer::Cached, "s2", Some(200)),
            (AccessLayer::Cached, "s1", Some(100)),
            (AccessLayer::Delegated, "g", Some(50)),
            (AccessLayer::Downstream, "k", None),
        ]
    );
}

#[test]
fn cycles_end() {
    let g = graph(&[
        ("b", EdgeKind::DependsOn, "a"),
        ("c", EdgeKind::DependsOn, "b"),
        ("b", EdgeKind::DependsOn, "c"),
        ("a", EdgeKind::DependsOn, "c"),
        ("a", EdgeKind::DependsOn, "a"),
    ]);
    assert_eq!(names(&g, &g.impact(&id("a"))), ["b", "c"]);
}

#[test]
fn a_wide_fan_out_is_cut_and_says_so() {
    let mut g = Graph::default();
    for i in 0..(WALK_CAP + 5) {
        let (from, to) = (id(&format!("n{i}")), id("hub"));
        g.add_edge(from.clone(), EdgeKind::DependsOn, to.clone());
        g.add_edge(to, EdgeKind::CanReach, from);
    }
    g.seal();
    for walk in [g.impact(&id("hub")), g.exposure(&id("hub"))] {
        assert!(walk.truncated && walk.branches.len() == WALK_CAP);
    }
    let look = Look::at(&g, &id("hub"), Limits::AT_ONCE);
    assert!(look.truncated() && look.impact.count() == Limits::AT_ONCE.nodes);
}

#[test]
fn a_long_chain_is_walked_to_its_end() {
    const LONG: usize = 100_000;
    let mut g = Graph::default();
    for i in 0..LONG {
        let (from, to) = (id(&format!("n{}", i + 1)), id(&format!("n{i}")));
        g.add_edge(from.clone(), EdgeKind::DependsOn, to.clone());
        g.add_edge(to, EdgeKind::CanReach, from);
    }
    g.seal();
    let last = id(&format!("n{LONG}"));
    for walk in [g.impact(&id("n0")), g.exposure(&id("n0"))] {
        assert_eq!(walk.branches.last().map(|b| b.depth as usize), Some(LONG));
        assert_eq!(walk.way_to(LONG - 1).len(), LONG);
    }
    let path = g.path(&id("n0"), &last, Way::Exposure).unwrap();
    assert_eq!(path.hops.len(), LONG);
}

#[test]
fn most_critical_first_then_by_id() {
    use crate::domain::vocabulary::Criticality;
    let mut g = graph(&[]);
    for (name, criticality) in [
        ("z", Some(Criticality::BusinessCritical)),
        ("b", None),
        ("a", Some(Criticality::Low)),
        ("c", None),
    ] {
        g.add_node(Node {
            criticality,
            ..Node::new(id(name), NodeKind::Workload, name)
        });
        g.add_edge(id(name), EdgeKind::DependsOn, id("svc"));
    }
    g.seal();
    let walk = g.impact(&id("svc"));
    assert_eq!(names(&g, &walk), ["z", "a", "b", "c"]);
    let counts = Counts::of(&g, &walk);
    assert_eq!(
        counts.by_criticality,
        [
            (Some(Criticality::BusinessCritical), 1),
            (Some(Criticality::Low), 1),
            (None, 2)
        ]
    );
}

#[test]
fn what_is_added_later_is_on_the_map_and_in_no_copy() {
    let sealed = graph(&[("a", EdgeKind::Holds, "k")]);
    let mut live = sealed.clone();
    live.add_node(Node {
        state: Some(NodeState::Disabled),
        ..Node::new(id("k"), NodeKind::Credential, "key")
    });
    live.add_edge(id("k"), EdgeKind::CanReach, id("new"));
    assert_eq!(names(&live, &live.exposure(&id("a"))), ["k", "new"]);
    assert_eq!(names(&sealed, &sealed.exposure(&id("a"))), ["k"]);
    assert!(sealed.node(&id("k")).is_none() && live.node(&id("k")).is_some());
    assert!(live.node(&id("new")).is_none(), "only an edge names it");
    live.seal();
    assert_eq!((live.size(), live.edges(), live.len()), (3, 2, 1));
    assert_eq!(
        live.node(&id("k")).unwrap().state,
        Some(NodeState::Disabled)
    );
}
