//! Whether somebody who holds one node gets to another, asked for very many pairs at once.
//!
//! One walk for each pair would look at a million edges ten thousand times. So nodes that reach each other are taken
//! together first (Tarjan, "Depth-first search and linear graph algorithms", 1972): what is left has no cycles, and one
//! pass over it finds for some hundred targets who reaches them.

use super::exposure::{REACH_IN, REACH_OUT};
use super::kinds::NodeIx;
use super::links::Side;
use super::{Graph, NodeKind};

/// Words of a mask; a bit for each target of one pass.
const WORDS: usize = 4;

/// Targets of one pass.
const AT_ONCE: usize = WORDS * 64;

type Mask = [u64; WORDS];

/// Stands where no number was given yet.
const NONE: u32 = u32::MAX;

impl Graph {
    /// Tells for each pair whether who holds the first node gets to the second, as [`Self::exposure_of`] without limits
    /// would, in the order of the pairs. Nobody gets to where he is, nor is a session anybody's target.
    pub fn reaches(&self, pairs: &[(NodeIx, NodeIx)]) -> Vec<bool> {
        let mut found = vec![false; pairs.len()];
        let is_open = |&(from, to): &(NodeIx, NodeIx)| {
            from != to && self.glance(to).kind != NodeKind::Session
        };
        let mut targets: Vec<NodeIx> = pairs.iter().filter(|p| is_open(p)).map(|p| p.1).collect();
        targets.sort_unstable();
        targets.dedup();
        // Most ways back in are reached by nobody, and that is seen at once.
        targets.retain(|target| self.is_reached(*target));
        if targets.is_empty() {
            return found;
        }
        let groups = Groups::of(self);
        let mut asked: Vec<(NodeIx, usize)> = pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| is_open(pair))
            .map(|(at, pair)| (pair.1, at))
            .collect();
        asked.sort_unstable();
        let mut asked = asked.into_iter().peekable();
        for targets in targets.chunks(AT_ONCE) {
            let masks = groups.who_reaches(self, targets);
            for (bit, target) in targets.iter().enumerate() {
                while asked.next_if(|(to, _)| to < target).is_some() {}
                while let Some((_, at)) = asked.next_if(|(to, _)| to == target) {
                    let group = groups.of_node(pairs[at].0);
                    let mask = group.and_then(|group| masks.get(group as usize));
                    found[at] = mask.is_some_and(|mask| mask[bit / 64] >> (bit % 64) & 1 == 1);
                }
            }
        }
        found
    }

    /// Tells whether any edge leads somebody to a node.
    fn is_reached(&self, node: NodeIx) -> bool {
        self.links_of(node, Side::In, REACH_OUT).next().is_some()
            || self.links_of(node, Side::Out, REACH_IN).next().is_some()
    }
}

/// Nodes that reach each other, numbered so that nobody reaches a group of a higher number than his own.
struct Groups {
    numbers: Vec<u32>,
    /// All nodes, by the number of their group.
    nodes: Vec<NodeIx>,
    count: usize,
}

/// A node whose edges are being looked at.
struct Open {
    node: NodeIx,
    next: Vec<NodeIx>,
}

impl Groups {
    fn of(graph: &Graph) -> Self {
        let size = graph.size();
        let mut groups = Self {
            numbers: vec![NONE; size],
            nodes: Vec::with_capacity(size),
            count: 0,
        };
        // When a node was met first, and the earliest one on the stack that it gets back to.
        let (mut met, mut low) = (vec![NONE; size], vec![NONE; size]);
        let (mut clock, mut stack, mut path) = (0_u32, Vec::new(), Vec::<Open>::new());
        for start in (0..size).map(|at| NodeIx(at as u32)) {
            let mut begin = (met[start.at()] == NONE).then_some(start);
            loop {
                if let Some(node) = begin.take() {
                    met[node.at()] = clock;
                    low[node.at()] = clock;
                    clock += 1;
                    stack.push(node);
                    let next = graph.onward(node).map(|half| half.to).collect();
                    path.push(Open { node, next });
                }
                let Some(open) = path.last_mut() else { break };
                let at = open.node.at();
                if let Some(next) = open.next.pop() {
                    if met[next.at()] == NONE {
                        begin = Some(next);
                    } else if groups.numbers[next.at()] == NONE {
                        low[at] = low[at].min(met[next.at()]);
                    }
                    continue;
                }
                if low[at] == met[at] {
                    groups.close(NodeIx(at as u32), &mut stack);
                }
                path.pop();
                if let Some(before) = path.last() {
                    let before = before.node.at();
                    low[before] = low[before].min(low[at]);
                }
            }
        }
        groups
    }

    /// Makes a group of all on the stack down to a node.
    fn close(&mut self, down_to: NodeIx, stack: &mut Vec<NodeIx>) {
        while let Some(node) = stack.pop() {
            self.numbers[node.at()] = self.count as u32;
            self.nodes.push(node);
            if node == down_to {
                break;
            }
        }
        self.count += 1;
    }

    fn of_node(&self, node: NodeIx) -> Option<u32> {
        self.numbers.get(node.at()).copied()
    }

    /// Returns for each group which of the targets it gets to.
    fn who_reaches(&self, graph: &Graph, targets: &[NodeIx]) -> Vec<Mask> {
        let mut masks = vec![Mask::default(); self.count];
        for (bit, target) in targets.iter().enumerate() {
            masks[self.numbers[target.at()] as usize][bit / 64] |= 1 << (bit % 64);
        }
        for node in &self.nodes {
            let own = self.numbers[node.at()] as usize;
            for half in graph.onward(*node) {
                let other = self.numbers[half.to.at()] as usize;
                if other != own {
                    let theirs = masks[other];
                    for (own, theirs) in masks[own].iter_mut().zip(theirs) {
                        *own |= theirs;
                    }
                }
            }
        }
        masks
    }
}
