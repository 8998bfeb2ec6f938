//! What a walk found, as a tree in which every node stands once, and the bounds it kept to.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::Graph;
use super::kinds::{EdgeKind, NodeIx, Privilege, Second};
use super::links::{Half, NONE};

/// Most nodes one walk returns: 2.8 MB of branches. What lies beyond is marked as cut off.
pub const WALK_CAP: usize = 100_000;

/// How far a walk may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most nodes found.
    pub nodes: usize,
    /// Most edges looked at.
    pub edges: usize,
}

impl Limits {
    /// For whoever can wait some milliseconds.
    pub const FULL: Self = Self {
        nodes: WALK_CAP,
        edges: 4_000_000,
    };

    /// For what has to be there in the same frame: some tenths of a millisecond.
    pub const AT_ONCE: Self = Self {
        nodes: 1_000,
        edges: 4_000,
    };
}

/// One line of a walk, ready to be drawn as a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The node reached.
    pub node: NodeIx,
    /// Where in the walk the node stands from which it was reached; `None` is the start itself.
    pub parent: Option<u32>,
    /// How many edges from the start; children of the start have 1.
    pub depth: u32,
    /// How many of the branches that follow belong under this one.
    pub below: u32,
    /// Through which edge.
    pub via: EdgeKind,
    /// Whether the edge leads from the parent to this node; else from this node to the parent.
    pub forward: bool,
    /// What the whole way here lets do: the least along it. `None` where no edge of it says anything.
    pub privilege: Option<Privilege>,
    /// Not counted: it ends together with what is cut off, as a held credential does, or is a live session and no target
    /// of its own.
    pub aside: bool,
    until: Option<Second>,
}

impl Branch {
    /// Returns when the edge to this node ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        self.until.map(Second::time)
    }

    /// Returns how it hangs on its parent, in words: `depends on it`, `held by it`.
    pub const fn how(&self) -> &'static str {
        match (self.via, self.forward) {
            (EdgeKind::DependsOn, false) => "depends on it",
            (EdgeKind::CanReach, true) => "reached by it",
            (EdgeKind::StoredIn, false) => "stored in it",
            (EdgeKind::Holds, true) => "held by it",
            (EdgeKind::Holds, false) => "holds it",
            (EdgeKind::Recovers, true) => "recovered by it",
            (EdgeKind::RunsAs, true) => "it runs as this",
            (EdgeKind::RunsAs, false) => "runs as it",
            (EdgeKind::Assumes, true) => "assumed by it",
            (EdgeKind::Assumes, false) => "assumes it",
            (EdgeKind::ActsFor, true) => "lends it its rights",
            (EdgeKind::ActsFor, false) => "acts for it",
            (EdgeKind::Issued, true) => "issued by it",
            (EdgeKind::CopyOf, _) => "the same secret",
            (EdgeKind::OwnedBy, false) => "under its key",
            (via, true) => via.backwards(),
            (via, false) => via.as_str(),
        }
    }
}

/// The result of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Depth-first, every node once; children by criticality, then id.
    pub branches: Vec<Branch>,
    /// Whether a limit cut it.
    pub truncated: bool,
    counted: usize,
}

impl Walk {
    /// Returns the nodes that count, each once: all but those that stand aside.
    pub fn nodes(&self) -> impl Iterator<Item = NodeIx> {
        self.branches.iter().filter(|b| !b.aside).map(|b| b.node)
    }

    /// Returns how many nodes count.
    pub const fn count(&self) -> usize {
        self.counted
    }

    /// Returns the way from the start to a branch, by place in [`Self::branches`].
    pub fn way_to(&self, place: usize) -> Vec<usize> {
        let mut way = Vec::new();
        let mut at = Some(place);
        while let Some(place) = at.filter(|at| *at < self.branches.len()) {
            way.push(place);
            // Parents stand before their children, so this ends.
            at = self.branches[place].parent.map(|parent| parent as usize);
        }
        way.reverse();
        way
    }

    /// Finds where a node stands.
    pub fn place_of(&self, node: NodeIx) -> Option<usize> {
        self.branches.iter().position(|branch| branch.node == node)
    }
}

/// A node as a walk meets it; the start stands first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub node: NodeIx,
    pub parent: u32,
    pub depth: u32,
    pub via: EdgeKind,
    pub forward: bool,
    pub privilege: Option<Privilege>,
    pub aside: bool,
    pub timed: bool,
}

/// A set of nodes, a bit each, so that it stays in the nearest cache.
pub(super) struct Seen(Vec<u64>);

impl Seen {
    pub fn new(nodes: usize) -> Self {
        Self(vec![0; nodes.div_ceil(64)])
    }

    pub fn has(&self, node: NodeIx) -> bool {
        let word = self.0.get(node.at() / 64);
        word.is_none_or(|word| word >> (node.at() % 64) & 1 == 1)
    }

    pub fn add(&mut self, node: NodeIx) {
        if let Some(word) = self.0.get_mut(node.at() / 64) {
            *word |= 1 << (node.at() % 64);
        }
    }
}

/// A walk under way.
pub(super) struct Search<'g> {
    pub graph: &'g Graph,
    pub found: Vec<Found>,
    seen: Seen,
    nodes_left: usize,
    edges_left: usize,
    pub truncated: bool,
}

impl<'g> Search<'g> {
    /// Begins at a node.
    pub fn new(graph: &'g Graph, start: NodeIx, limits: Limits) -> Self {
        let mut seen = Seen::new(graph.size());
        seen.add(start);
        let first = Found {
            node: start,
            parent: NONE,
            depth: 0,
            via: EdgeKind::DependsOn,
            forward: true,
            privilege: None,
            aside: true,
            timed: false,
        };
        Self {
            graph,
            found: vec![first],
            seen,
            nodes_left: limits.nodes,
            edges_left: limits.edges,
            truncated: false,
        }
    }

    pub fn is_found(&self, node: NodeIx) -> bool {
        self.seen.has(node)
    }

    /// Counts edges that are looked at, and returns as many of them as may be.
    pub fn may_look<'e>(&mut self, edges: &'e [Half]) -> &'e [Half] {
        if self.truncated {
            return &[];
        }
        let some = edges.len().min(self.edges_left);
        self.edges_left -= some;
        self.truncated = some < edges.len();
        &edges[..some]
    }

    /// Notes a node that was not found before and returns its place; `None` when there is no room.
    pub fn find(&mut self, found: Found) -> Option<u32> {
        let Some(left) = self.nodes_left.checked_sub(1) else {
            self.truncated = true;
            return None;
        };
        self.nodes_left = left;
        let place = self.found.len() as u32;
        self.seen.add(found.node);
        self.found.push(found);
        Some(place)
    }

    /// Returns what was found from a place on, keyed.
    pub fn since(&self, first: usize) -> Vec<u64> {
        let later = self.found.iter().enumerate().skip(first);
        later
            .map(|(place, one)| keyed(one.node, place as u32))
            .collect()
    }

    /// Forgets what stands aside and leads to nothing that counts. Call it when all is found.
    pub fn prune(&mut self) {
        let mut kept: Vec<bool> = self.found.iter().map(|one| !one.aside).collect();
        kept[0] = true;
        for at in (1..self.found.len()).rev() {
            if kept[at] {
                kept[self.found[at].parent as usize] = true;
            }
        }
        let mut places = Vec::with_capacity(self.found.len());
        let mut next = 0;
        for kept in &kept {
            places.push(next);
            next += u32::from(*kept);
        }
        let mut at = 0;
        self.found.retain(|_| {
            at += 1;
            kept[at - 1]
        });
        for one in &mut self.found[1..] {
            one.parent = places[one.parent as usize];
        }
    }

    /// Ends the walk and puts what was found in the order of a tree.
    pub fn into_walk(self) -> Walk {
        let children = self.children();
        let found = &self.found;
        let mut below = vec![0_u32; found.len()];
        for at in (1..found.len()).rev() {
            below[found[at].parent as usize] += below[at] + 1;
        }
        // Parents are found before their children, so one pass places all.
        let mut places = vec![0_u32; found.len()];
        let mut next = vec![1_u32; found.len()];
        for &at in &children {
            let parent = found[at as usize].parent as usize;
            places[at as usize] = places[parent] + next[parent];
            next[parent] += below[at as usize] + 1;
        }
        let mut order = vec![0_u32; found.len()];
        for (at, place) in places.iter().enumerate() {
            order[*place as usize] = at as u32;
        }
        let branches = order[1..].iter().map(|at| {
            let at = *at as usize;
            let one = &found[at];
            Branch {
                node: one.node,
                parent: places[one.parent as usize].checked_sub(1),
                depth: one.depth,
                below: below[at],
                via: one.via,
                forward: one.forward,
                privilege: one.privilege,
                aside: one.aside,
                until: self.end_of(one),
            }
        });
        let branches = branches.collect();
        let counted = found.iter().filter(|one| !one.aside).count();
        Walk {
            branches,
            truncated: self.truncated,
            counted,
        }
    }

    fn end_of(&self, one: &Found) -> Option<Second> {
        if !one.timed {
            return None;
        }
        let half = Half {
            to: one.node,
            kind: one.via,
            privilege: one.privilege,
            timed: one.timed,
            forward: one.forward,
        };
        let from = self.found.get(one.parent as usize)?.node;
        self.graph.end_of(from, half)
    }

    /// Returns what was found without the start: by parent, the most critical first, then in the order of the nodes.
    fn children(&self) -> Vec<u32> {
        let mut starts = vec![0_u32; self.found.len() + 1];
        for one in &self.found[1..] {
            starts[one.parent as usize + 1] += 1;
        }
        for at in 0..self.found.len() {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut keyed = vec![(Reverse(0), NodeIx(0), 0); self.found.len() - 1];
        for (at, one) in self.found.iter().enumerate().skip(1) {
            let next = &mut next[one.parent as usize];
            let weight = Reverse(self.graph.glance(one.node).weight);
            keyed[*next as usize] = (weight, one.node, at as u32);
            *next += 1;
        }
        for range in starts.windows(2) {
            keyed[range[0] as usize..range[1] as usize].sort_unstable();
        }
        keyed.into_iter().map(|(_, _, at)| at).collect()
    }
}

/// A node and its place among the found in one number, whose order is that of the nodes: the edges of a graph lie in that
/// order too, and fetching them so is several times as fast as in any other.
pub(super) const fn keyed(node: NodeIx, place: u32) -> u64 {
    (node.0 as u64) << 32 | place as u64
}

/// Returns the node of what [`keyed`] made; the place is its low half.
pub(super) const fn node_of(keyed: u64) -> NodeIx {
    NodeIx((keyed >> 32) as u32)
}

/// Makes what is found at the end of an edge.
pub(super) const fn along(half: Half, parent: u32, depth: u32) -> Found {
    Found {
        node: half.to,
        parent,
        depth,
        via: half.kind,
        forward: half.forward,
        privilege: None,
        aside: false,
        timed: half.timed,
    }
}
