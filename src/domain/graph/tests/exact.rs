//! Exposure against the same rules followed step by step, with nothing that makes it fast: every line has to be the same.

use proptest::prelude::*;

use super::super::walk::along;
use super::super::*;

const NODES: u32 = 40;

const PRIVILEGES: [Option<Privilege>; 4] = [
    None,
    Some(Privilege::Admin),
    Some(Privilege::Write),
    Some(Privilege::Read),
];

/// A line of a walk: where to, from where, how far, through what, forward, what it lets do.
type Line = (NodeIx, NodeIx, u32, EdgeKind, bool, Option<Privilege>);

struct Slow<'g> {
    graph: &'g Graph,
    limits: Limits,
    lines: Vec<Line>,
    truncated: bool,
}

impl Slow<'_> {
    fn knows(&self, start: NodeIx, node: NodeIx) -> bool {
        node == start || self.lines.iter().any(|line| line.0 == node)
    }

    fn find(&mut self, line: Line) {
        if self.lines.len() == self.limits.nodes {
            self.truncated = true;
        } else {
            self.lines.push(line);
        }
    }

    fn walk(mut self, start: NodeIx) -> (Vec<Line>, bool) {
        // Level, how far, line: in the order in which they were met.
        let mut waiting: Vec<(usize, Line)> = Vec::new();
        let (mut frontier, mut looked) = (vec![(start, 0)], 0);
        for now in 0..PRIVILEGES.len() {
            let mut here: Vec<Line> = waiting
                .iter()
                .filter(|(level, _)| *level == now)
                .map(|(_, line)| *line)
                .collect();
            here.sort_by_key(|line| line.2);
            loop {
                if frontier.is_empty() {
                    let Some(next) = here.iter().find(|l| !self.knows(start, l.0)) else {
                        break;
                    };
                    let depth = next.2;
                    frontier.extend(self.arrive(start, &here, depth));
                } else {
                    let depth = frontier[0].1;
                    frontier.extend(self.arrive(start, &here, depth));
                }
                if self.truncated {
                    return (self.lines, true);
                }
                frontier.sort_unstable();
                let mut next = Vec::new();
                for (node, depth) in std::mem::take(&mut frontier) {
                    for half in self.graph.onward(node) {
                        looked += 1;
                        self.truncated |= looked > self.limits.edges;
                        if self.truncated {
                            return (self.lines, true);
                        }
                        let said = PRIVILEGES
                            .iter()
                            .position(|p| *p == half.privilege)
                            .unwrap();
                        let level = said.max(now);
                        let found = along(half, 0, depth + 1);
                        let line = (
                            half.to,
                            node,
                            found.depth,
                            half.kind,
                            half.forward,
                            PRIVILEGES[level],
                        );
                        if level > now {
                            waiting.push((level, line));
                        } else if !self.knows(start, half.to) {
                            self.find(line);
                            next.push((half.to, depth + 1));
                        }
                    }
                }
                frontier = next;
            }
        }
        (self.lines, self.truncated)
    }

    fn arrive(&mut self, start: NodeIx, here: &[Line], depth: u32) -> Vec<(NodeIx, u32)> {
        let mut found = Vec::new();
        for line in here.iter().filter(|line| line.2 <= depth) {
            if !self.truncated && !self.knows(start, line.0) {
                self.find(*line);
                found.push((line.0, line.2));
            }
        }
        found
    }
}

fn edge() -> impl Strategy<Value = Edge> {
    let id = || (0..NODES).prop_map(|n| NodeId::new(format!("n{n:02}")));
    let kind = prop::sample::select(EdgeKind::ALL.to_vec());
    let privilege = prop::sample::select(PRIVILEGES.to_vec());
    (id(), kind, id(), privilege).prop_map(|(from, kind, to, privilege)| Edge {
        privilege,
        ..Edge::new(from, kind, to)
    })
}

fn lines(walk: &Walk, start: NodeIx) -> Vec<Line> {
    let from = |b: &Branch| b.parent.map_or(start, |p| walk.branches[p as usize].node);
    let line = |b: &Branch| (b.node, from(b), b.depth, b.via, b.forward, b.privilege);
    walk.branches.iter().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn exposure_is_what_the_rules_say(
        edges in prop::collection::vec(edge(), 0..240), sealed in 0..260_usize, start in 0..NODES, nodes in 0..60_usize, most in 0..400_usize, is_cut in any::<bool>(),
    ) {
        let mut graph = Graph::default();
        for (at, edge) in edges.into_iter().enumerate() {
            if at == sealed {
                graph.seal();
            }
            graph.add(edge);
        }
        let Some(start) = graph.find(&NodeId::new(format!("n{start:02}"))) else {
            return Ok(());
        };
        let limits = if is_cut { Limits { nodes, edges: most } } else { Limits::FULL };
        let walk = graph.exposure_of(start, limits);
        let slow = Slow { graph: &graph, limits, lines: Vec::new(), truncated: false };
        let (mut want, truncated) = slow.walk(start);
        let mut got = lines(&walk, start);
        want.sort_unstable();
        got.sort_unstable();
        prop_assert_eq!(got, want);
        prop_assert_eq!(walk.truncated, truncated);
    }
}
