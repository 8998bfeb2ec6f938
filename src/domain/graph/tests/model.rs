//! The map against a model that is slow and obviously right.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const NODES: u8 = 9;

#[derive(Clone, Debug)]
struct Line {
    from: u8,
    kind: EdgeKind,
    to: u8,
    privilege: Option<Privilege>,
}

fn line() -> impl Strategy<Value = Line> {
    let privilege = prop_oneof![
        Just(None),
        Just(Some(Privilege::Read)),
        Just(Some(Privilege::Write)),
        Just(Some(Privilege::Admin)),
    ];
    (0..NODES, 0..EdgeKind::ALL.len(), 0..NODES, privilege).prop_map(
        |(from, kind, to, privilege)| Line {
            from,
            kind: EdgeKind::ALL[kind],
            to,
            privilege,
        },
    )
}

/// Some edges are there when the graph is sealed, some come later, some have nodes described anew.
fn built(lines: &[Line], sealed: usize) -> Graph {
    let mut graph = Graph::default();
    for (at, line) in lines.iter().enumerate() {
        if at == sealed {
            graph.seal();
        }
        graph.add(Edge {
            privilege: line.privilege,
            ..Edge::new(key(line.from), line.kind, key(line.to))
        });
    }
    // Everybody is on the map, and the first third are identities.
    for n in 0..NODES {
        let kind = if n < NODES / 3 {
            NodeKind::Identity
        } else {
            NodeKind::Credential
        };
        graph.add_node(Node::new(key(n), kind, "x"));
    }
    graph
}

fn key(n: u8) -> NodeId {
    NodeId::new(format!("n{n}"))
}

fn number(graph: &Graph, node: NodeIx) -> u8 {
    let id = graph.at(node).unwrap().id.as_str();
    id[1..].parse().unwrap()
}

/// Where an edge leads from `at`: along it, against it.
fn moves(
    lines: &[Line],
    out: &[EdgeKind],
    into: &[EdgeKind],
    at: u8,
) -> Vec<(u8, EdgeKind, bool, Option<Privilege>)> {
    let along = lines
        .iter()
        .filter(|l| l.from == at && out.contains(&l.kind));
    let against = lines
        .iter()
        .filter(|l| l.to == at && into.contains(&l.kind));
    along
        .map(|l| (l.to, l.kind, true, l.privilege))
        .chain(against.map(|l| (l.from, l.kind, false, l.privilege)))
        .collect()
}

const ENDS: (&[EdgeKind], &[EdgeKind]) = (
    &[EdgeKind::Holds, EdgeKind::Issued, EdgeKind::CopyOf],
    &[EdgeKind::ActsFor, EdgeKind::CopyOf],
);
const STOPS: (&[EdgeKind], &[EdgeKind]) = (
    &[],
    &[
        EdgeKind::DependsOn,
        EdgeKind::RunsAs,
        EdgeKind::Assumes,
        EdgeKind::Holds,
        EdgeKind::StoredIn,
    ],
);
const REACH: (&[EdgeKind], &[EdgeKind]) = (
    &[
        EdgeKind::CanReach,
        EdgeKind::Holds,
        EdgeKind::Recovers,
        EdgeKind::RunsAs,
        EdgeKind::Assumes,
        EdgeKind::ActsFor,
        EdgeKind::Issued,
        EdgeKind::CopyOf,
    ],
    &[EdgeKind::StoredIn, EdgeKind::OwnedBy, EdgeKind::CopyOf],
);

/// Distances by going on until nothing changes. What is known at first keeps its distance.
fn distances(
    lines: &[Line],
    kinds: (&[EdgeKind], &[EdgeKind]),
    first: &BTreeMap<u8, u32>,
) -> BTreeMap<u8, u32> {
    let mut known = first.clone();
    loop {
        let mut next = known.clone();
        for (&at, &depth) in &known {
            for (to, ..) in moves(lines, kinds.0, kinds.1, at) {
                let nearest = next.entry(to).or_insert(u32::MAX);
                *nearest = (*nearest).min(depth + 1);
            }
        }
        next.extend(first.clone());
        if next == known {
            return known;
        }
        known = next;
    }
}

/// The highest of the lowest along any way.
fn widest(lines: &[Line], start: u8) -> BTreeMap<u8, u8> {
    let rank = |p: Option<Privilege>| p.map_or(3, |p| p as u8);
    let mut best = BTreeMap::from([(start, 3)]);
    loop {
        let mut next = best.clone();
        for (&at, &level) in &best {
            for (to, _, _, privilege) in moves(lines, REACH.0, REACH.1, at) {
                let here = level.min(rank(privilege));
                let known = next.entry(to).or_insert(here);
                *known = (*known).max(here);
            }
        }
        if next == best {
            return best;
        }
        best = next;
    }
}

/// A walk is a tree whose every line is an edge.
fn is_sound(graph: &Graph, lines: &[Line], start: u8, walk: &Walk) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::from([start]);
    for (place, branch) in walk.branches.iter().enumerate() {
        let to = number(graph, branch.node);
        prop_assert!(seen.insert(to), "twice");
        let (from, depth, privilege) = match branch.parent {
            None => (start, 0, None),
            Some(parent) => {
                let parent = parent as usize;
                let above = &walk.branches[parent];
                prop_assert!(parent < place && place <= parent + above.below as usize);
                (number(graph, above.node), above.depth, above.privilege)
            }
        };
        prop_assert_eq!(branch.depth, depth + 1);
        let (a, b) = if branch.forward {
            (from, to)
        } else {
            (to, from)
        };
        let edges: Vec<&Line> = lines
            .iter()
            .filter(|l| l.from == a && l.to == b && l.kind == branch.via)
            .collect();
        prop_assert!(!edges.is_empty(), "no such edge");
        let least = |l: &&Line| [l.privilege, privilege].into_iter().flatten().min();
        prop_assert!(
            branch.privilege.is_none() || edges.iter().any(|l| least(l) == branch.privilege)
        );
        prop_assert_eq!(walk.way_to(place).len(), branch.depth as usize);
    }
    Ok(())
}

fn found(graph: &Graph, walk: &Walk) -> BTreeSet<u8> {
    walk.branches
        .iter()
        .map(|b| number(graph, b.node))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn impact_is_what_the_model_says(lines in prop::collection::vec(line(), 0..40), sealed in 0..45_usize, start in 0..NODES) {
        let graph = built(&lines, sealed);
        let walk = graph.impact(&key(start));
        is_sound(&graph, &lines, start, &walk)?;
        let ended = distances(&lines, ENDS, &BTreeMap::from([(start, 0)]));
        let all = distances(&lines, STOPS, &ended);
        for branch in &walk.branches {
            let n = number(&graph, branch.node);
            prop_assert_eq!(branch.aside, ended.contains_key(&n));
            let want = if branch.aside { ended[&n] } else { all[&n] };
            prop_assert_eq!(branch.depth, want);
        }
        prop_assert!(walk.branches.iter().all(|b| !b.aside || b.below > 0));
        prop_assert_eq!(walk.count(), all.len() - ended.len());
    }

    #[test]
    fn exposure_is_what_the_model_says(lines in prop::collection::vec(line(), 0..40), sealed in 0..45_usize, start in 0..NODES) {
        let graph = built(&lines, sealed);
        let walk = graph.exposure(&key(start));
        is_sound(&graph, &lines, start, &walk)?;
        let best = widest(&lines, start);
        prop_assert_eq!(walk.branches.len() + 1, best.len());
        for branch in &walk.branches {
            let rank = branch.privilege.map_or(3, |p| p as u8);
            prop_assert_eq!(rank, best[&number(&graph, branch.node)]);
        }
    }

    #[test]
    fn many_pairs_are_told_as_a_walk_from_each_tells_them(lines in prop::collection::vec(line(), 0..60), sealed in 0..65_usize) {
        let graph = built(&lines, sealed);
        let nodes: Vec<NodeIx> = graph.nodes().map(|(at, _)| at).collect();
        let pair = |from: &NodeIx| nodes.iter().map(|to| (*from, *to)).collect::<Vec<_>>();
        let pairs: Vec<(NodeIx, NodeIx)> = nodes.iter().flat_map(pair).collect();
        let reached = graph.reaches(&pairs);
        for ((from, to), reached) in pairs.into_iter().zip(reached) {
            let walk = graph.exposure_of(from, Limits::FULL);
            prop_assert_eq!(reached, walk.place_of(to).is_some());
        }
    }

    #[test]
    fn paths_are_shortest(lines in prop::collection::vec(line(), 0..30), sealed in 0..35_usize, from in 0..NODES, to in 0..NODES) {
        let graph = built(&lines, sealed);
        let start = BTreeMap::from([(from, 0)]);
        let any = distances(&lines, (&EdgeKind::ALL, &EdgeKind::ALL), &start);
        let reach = distances(&lines, REACH, &start);
        for (way, known) in [(Way::Any, any), (Way::Exposure, reach)] {
            let path = graph.path(&key(from), &key(to), way);
            prop_assert_eq!(path.as_ref().map(|p| p.hops.len() as u32), known.get(&to).copied());
            let mut at = from;
            for hop in path.iter().flat_map(|p| &p.hops) {
                let next = number(&graph, hop.to);
                let (a, b) = if hop.forward { (at, next) } else { (next, at) };
                prop_assert!(lines.iter().any(|l| l.from == a && l.to == b && l.kind == hop.via));
                at = next;
            }
        }
        let impact = graph.impact(&key(from));
        let depth = impact.branches.iter().find(|b| number(&graph, b.node) == to).map(|b| b.depth);
        let path = graph.path(&key(from), &key(to), Way::Impact);
        let want = if from == to { Some(0) } else { depth };
        prop_assert_eq!(path.map(|p| p.hops.len() as u32), want);
    }

    #[test]
    fn siblings_and_users_are_what_the_model_says(lines in prop::collection::vec(line(), 0..40), sealed in 0..45_usize, start in 0..NODES) {
        let graph = built(&lines, sealed);
        let ends = |at: u8, kind: EdgeKind, forward: bool| -> BTreeSet<u8> {
            let (out, into): (&[EdgeKind], &[EdgeKind]) = if forward { (&[kind], &[]) } else { (&[], &[kind]) };
            moves(&lines, out, into, at).into_iter().map(|m| m.0).collect()
        };
        let mut secrets = ends(start, EdgeKind::Holds, true);
        if start >= NODES / 3 {
            secrets.insert(start);
        }
        let copies = distances(&lines, (&[EdgeKind::CopyOf], &[EdgeKind::CopyOf]), &secrets.iter().map(|s| (*s, 0)).collect());
        let mut want: BTreeSet<u8> = copies.keys().flat_map(|c| ends(*c, EdgeKind::Holds, false)).collect();
        let mut mine = secrets.clone();
        mine.insert(start);
        for kind in [EdgeKind::OwnedBy, EdgeKind::StoredIn, EdgeKind::Within] {
            for one in &mine {
                let others = ends(*one, kind, true).into_iter().flat_map(|s| ends(s, kind, false));
                for other in others.filter(|o| !mine.contains(o)) {
                    let holders = if other < NODES / 3 { BTreeSet::new() } else { ends(other, EdgeKind::Holds, false) };
                    want.extend(if holders.is_empty() { BTreeSet::from([other]) } else { holders });
                }
            }
        }
        want.remove(&start);
        let siblings = graph.siblings(&key(start));
        let got: BTreeSet<u8> = siblings.found.iter().map(|s| number(&graph, s.node)).collect();
        prop_assert_eq!(got.len(), siblings.found.len());
        prop_assert_eq!(got, want);
        let users = graph.users(&key(start)).found;
        for user in &users {
            let (who, what) = (number(&graph, user.node), number(&graph, user.what));
            prop_assert!(who != start && lines.iter().any(|l| l.from == who && l.to == what && l.kind == user.via));
        }
        let direct = [EdgeKind::DependsOn, EdgeKind::RunsAs, EdgeKind::Holds];
        for other in direct.iter().flat_map(|k| ends(start, *k, false)).filter(|o| *o != start) {
            prop_assert!(users.iter().any(|u| number(&graph, u.node) == other));
        }
    }

    #[test]
    fn limits_hold_and_are_told(lines in prop::collection::vec(line(), 0..40), nodes in 0..10_usize, edges in 0..30_usize, start in 0..NODES) {
        let graph = built(&lines, 20);
        let start = graph.find(&key(start)).unwrap();
        let whole = [graph.impact_of(start, Limits::FULL), graph.exposure_of(start, Limits::FULL)];
        let limits = Limits { nodes, edges };
        for (whole, cut) in whole.iter().zip([graph.impact_of(start, limits), graph.exposure_of(start, limits)]) {
            prop_assert!(cut.branches.len() <= nodes.min(edges));
            prop_assert!(found(&graph, &cut).is_subset(&found(&graph, whole)));
            prop_assert!(cut.truncated || &cut == whole);
        }
    }

    #[test]
    fn when_edges_are_sealed_makes_no_difference(lines in prop::collection::vec(line(), 0..40), sealed in 0..45_usize, start in 0..NODES) {
        let (mut later, at_once) = (built(&lines, sealed), {
            let mut graph = built(&lines, usize::MAX);
            graph.seal();
            graph
        });
        later.seal();
        prop_assert_eq!(later.impact(&key(start)), at_once.impact(&key(start)));
        prop_assert_eq!(later.exposure(&key(start)), at_once.exposure(&key(start)));
        prop_assert_eq!(later.size(), at_once.size());
        prop_assert_eq!(later.edges(), at_once.edges());
    }
}
