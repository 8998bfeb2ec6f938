//! The dependency map: who breaks when an identity is cut off, and what somebody who holds it can reach.
//!
//! Edges point from the one that needs, holds or can reach, to the one that is needed, held or reached. Nodes have dense
//! numbers, the edges of a node lie side by side, and every walk is iterative, visits a node once and is bounded, so that
//! cycles, long chains and huge fan-outs from a hostile inventory cost no more than their size; what a bound cut off is
//! marked.
//!
//! A graph is filled, then sealed. What is added later, such as what a provider says right now, lies beside the sealed
//! part, which copies share: so a copy with a few more nodes is cheap.

mod exposure;
mod few;
mod impact;
mod kinds;
mod layers;
mod links;
mod look;
mod path;
mod reach;
mod siblings;
mod users;
mod walk;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use self::exposure::{REACH_IN, REACH_OUT};
use self::few::Few;
use self::kinds::Second;
use self::links::{Chains, Half, Packed, Raw, Side};

pub use self::kinds::{Edge, EdgeKind, Joined, Node, NodeIx, NodeKind, NodeState, Privilege};
pub use self::layers::{AccessLayer, LayerRow, Layers};
pub use self::look::{Counts, Look};
pub use self::path::{Hop, Path, Way};
pub use self::siblings::{Sibling, Siblings, Tie, Ties};
pub use self::users::{Shared, User, Users};
pub use self::walk::{Branch, Limits, WALK_CAP, Walk};

use super::ids::NodeId;
use super::text::Untrusted;

/// The map itself.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    sealed: Arc<Sealed>,
    /// Nodes added since, numbered after the sealed ones.
    nodes: Vec<Node>,
    numbers: HashMap<NodeId, u32>,
    /// Sealed nodes that were described anew since.
    anew: HashMap<u32, Node>,
    /// The numbers of these, as walks ask for every node.
    is_anew: Few,
    chains: Chains,
    ends: Ends,
}

/// When edges end by themselves: few do.
type Ends = HashMap<(NodeIx, NodeIx, EdgeKind), Second>;

/// The part that does not change any more; its nodes are in the order of their ids.
#[derive(Debug, Default)]
struct Sealed {
    nodes: Box<[Node]>,
    /// What walks ask of every node, so that they need not fetch the whole of it.
    glances: Box<[Glance]>,
    /// The names of environments, each once; glances number them from 1.
    environments: Box<[Untrusted]>,
    out: Packed,
    into: Packed,
    /// What somebody gets on by, in both directions.
    onward: Packed,
    ends: Ends,
}

/// A node in four bytes.
#[derive(Clone, Copy, Debug)]
struct Glance {
    /// 0 where nobody says, else the higher the more critical.
    weight: u8,
    kind: NodeKind,
    /// 0 where nobody says; [`UNNUMBERED`] where the node itself has to be asked.
    environment: u16,
}

/// Stands for an environment that has no number.
const UNNUMBERED: u16 = u16::MAX;

impl Glance {
    const NOTHING: Self = Self {
        weight: 0,
        kind: NodeKind::Undeclared,
        environment: 0,
    };

    fn of(node: &Node) -> Self {
        Self {
            weight: node.criticality.map_or(0, |c| c as u8 + 1),
            kind: node.kind,
            environment: node.environment.as_ref().map_or(0, |_| UNNUMBERED),
        }
    }

    /// Returns those of all nodes, and the environments that they number.
    fn all(nodes: &[Node]) -> (Box<[Self]>, Box<[Untrusted]>) {
        let mut numbers: HashMap<&str, u16> = HashMap::new();
        let mut names: Vec<Untrusted> = Vec::new();
        let glances = nodes.iter().map(|node| {
            let mut glance = Self::of(node);
            if let Some(name) = &node.environment {
                let known = numbers.get(name.raw()).copied();
                glance.environment = known.unwrap_or_else(|| {
                    let next = u16::try_from(names.len() + 1).unwrap_or(UNNUMBERED);
                    if next < UNNUMBERED {
                        names.push(name.clone());
                        numbers.insert(name.raw(), next);
                    }
                    next
                });
            }
            glance
        });
        (glances.collect(), names.into())
    }
}

impl Graph {
    /// Adds or replaces a node.
    pub fn add_node(&mut self, node: Node) {
        match self.find(&node.id) {
            None => {
                self.push(node);
            }
            Some(at) => match at.at().checked_sub(self.sealed.nodes.len()) {
                None => {
                    self.is_anew.add(at);
                    self.anew.insert(at.0, node);
                }
                Some(later) => {
                    if let Some(old) = self.nodes.get_mut(later) {
                        *old = node;
                    }
                }
            },
        }
    }

    /// Adds an edge that says nothing of privilege and lifetime. An end that nobody declared still takes part in walks.
    pub fn add_edge(&mut self, from: NodeId, kind: EdgeKind, to: NodeId) {
        self.add(Edge::new(from, kind, to));
    }

    /// Adds an edge. An end that nobody declared still takes part in walks. Of several between the same nodes that say
    /// the same, sealing keeps the highest privilege and the latest end; one that tells a sealed map nothing is not added.
    pub fn add(&mut self, edge: Edge) {
        let (Some(from), Some(to)) = (self.number(edge.from), self.number(edge.to)) else {
            return;
        };
        let known = self.sealed.out.find(from, edge.kind, to);
        let says_all = |known: Half| {
            let privilege = known.privilege.zip(edge.privilege);
            let enough =
                known.privilege.is_none() || privilege.is_some_and(|(old, new)| old >= new);
            enough && !known.timed
        };
        if known.is_some_and(says_all) {
            return;
        }
        if let Some(until) = edge.until.map(Second::of) {
            let known = self.ends.entry((from, to, edge.kind)).or_insert(until);
            *known = until.max(*known);
        }
        self.chains.add(Raw {
            from,
            half: Half {
                to,
                kind: edge.kind,
                privilege: edge.privilege,
                timed: edge.until.is_some(),
                forward: true,
            },
        });
    }

    /// Numbers and packs everything added so far. Numbers given out before mean nothing afterwards.
    pub fn seal(&mut self) {
        if self.nodes.is_empty() && self.anew.is_empty() && self.chains.len() == 0 {
            return;
        }
        let whole = std::mem::take(self);
        let mut raws: Vec<Raw> = whole.sealed.out.raws().chain(whole.chains.raws()).collect();
        let mut ends: Ends = whole.sealed.ends.clone();
        for (key, until) in &whole.ends {
            let known = ends.entry(*key).or_insert(*until);
            *known = (*until).max(*known);
        }
        let known = whole.sealed.nodes.len();
        let (nodes, numbers) = whole.into_nodes(known);
        for raw in &mut raws {
            raw.from = numbers[raw.from.at()];
            raw.half.to = numbers[raw.half.to.at()];
        }
        let renumbered = ends.into_iter().map(|((from, to, kind), until)| {
            let key = (numbers[from.at()], numbers[to.at()], kind);
            (key, until)
        });
        let ends = renumbered.collect();
        let out = Packed::new(nodes.len(), &merged(&mut raws));
        let mut turned: Vec<Raw> = out
            .raws()
            .map(|raw| Raw {
                from: raw.half.to,
                half: Half {
                    to: raw.from,
                    forward: false,
                    ..raw.half
                },
            })
            .collect();
        // Stable, so that the edges into a node are in the order of where they come from.
        turned.sort_by_key(|raw| (raw.from, raw.half.kind));
        let into = Packed::new(nodes.len(), &turned);
        let onward = Packed::joined(&out, &into, (REACH_OUT, REACH_IN));
        let (glances, environments) = Glance::all(&nodes);
        self.sealed = Arc::new(Sealed {
            nodes,
            glances,
            environments,
            out,
            into,
            onward,
            ends,
        });
    }

    /// Returns all nodes in the order of their ids, and by old number the new one.
    fn into_nodes(mut self, known: usize) -> (Box<[Node]>, Vec<NodeIx>) {
        let sealed = std::mem::take(&mut self.sealed);
        let old: Vec<Node> = match Arc::try_unwrap(sealed) {
            Ok(own) => own.nodes.into_vec(),
            Err(shared) => shared.nodes.to_vec(),
        };
        let mut all: Vec<(u32, Node)> = old
            .into_iter()
            .enumerate()
            .map(|(at, node)| {
                let at = at as u32;
                (at, self.anew.remove(&at).unwrap_or(node))
            })
            .collect();
        let later = self.nodes.into_iter().enumerate();
        all.extend(later.map(|(at, node)| ((known + at) as u32, node)));
        all.sort_unstable_by(|a, b| a.1.id.cmp(&b.1.id));
        let mut numbers = vec![NodeIx(0); all.len()];
        for (new, (old, _)) in all.iter().enumerate() {
            numbers[*old as usize] = NodeIx(new as u32);
        }
        (all.into_iter().map(|(_, node)| node).collect(), numbers)
    }

    fn number(&mut self, id: NodeId) -> Option<NodeIx> {
        self.find(&id).or_else(|| {
            let label = Untrusted::new(id.as_str());
            self.push(Node::new(id, NodeKind::Undeclared, label))
        })
    }

    fn push(&mut self, node: Node) -> Option<NodeIx> {
        let at = u32::try_from(self.sealed.nodes.len() + self.nodes.len()).ok();
        let at = at.filter(|at| *at != links::NONE)?;
        self.numbers.insert(node.id.clone(), at);
        self.nodes.push(node);
        Some(NodeIx(at))
    }

    /// Finds a node's description; `None` for one that only edges name.
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        let node = self.at(self.find(id)?);
        node.filter(|node| node.kind != NodeKind::Undeclared)
    }

    /// Finds a node's number, also of one that only edges name.
    pub fn find(&self, id: &NodeId) -> Option<NodeIx> {
        if let Some(at) = self.numbers.get(id) {
            return Some(NodeIx(*at));
        }
        let found = self.sealed.nodes.binary_search_by(|node| node.id.cmp(id));
        Some(NodeIx(found.ok()? as u32))
    }

    /// Returns the node of a number that this graph gave out.
    pub fn at(&self, node: NodeIx) -> Option<&Node> {
        if self.is_anew.may_have(node)
            && let Some(anew) = self.anew.get(&node.0)
        {
            return Some(anew);
        }
        match node.at().checked_sub(self.sealed.nodes.len()) {
            None => self.sealed.nodes.get(node.at()),
            Some(later) => self.nodes.get(later),
        }
    }

    /// Returns what walks ask of a node.
    fn glance(&self, node: NodeIx) -> Glance {
        let whole = || self.at(node).map_or(Glance::NOTHING, Glance::of);
        match self.sealed.glances.get(node.at()) {
            Some(glance) if !self.is_anew.may_have(node) => *glance,
            _ => whole(),
        }
    }

    /// Returns all nodes with their numbers, also those that only edges name.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeIx, &Node)> {
        (0..self.size()).filter_map(|at| {
            let at = NodeIx(at as u32);
            Some((at, self.at(at)?))
        })
    }

    /// Returns the ids of the nodes of a walk that count.
    pub fn ids<'g>(&'g self, walk: &Walk) -> impl Iterator<Item = &'g NodeId> {
        let ids = walk.nodes().filter_map(|at| Some(&self.at(at)?.id));
        ids.collect::<Vec<_>>().into_iter()
    }

    /// Returns how many nodes are described.
    pub fn len(&self) -> usize {
        self.nodes()
            .filter(|(_, node)| node.kind != NodeKind::Undeclared)
            .count()
    }

    /// Returns how many nodes there are, also those that only edges name.
    pub fn size(&self) -> usize {
        self.sealed.nodes.len() + self.nodes.len()
    }

    /// Returns how many edges there are.
    pub fn edges(&self) -> usize {
        self.sealed.out.len() + self.chains.len()
    }

    /// Tells whether the map is empty.
    pub fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// Returns the edges of a node: the sealed ones by kind, then the later ones.
    fn links(&self, node: NodeIx, side: Side) -> impl Iterator<Item = Half> {
        let packed = match side {
            Side::Out => self.sealed.out.of(node),
            Side::In => self.sealed.into.of(node),
        };
        packed.iter().copied().chain(self.chains.of(node, side))
    }

    /// Returns the edges of some kinds, given as bits.
    fn links_of(&self, node: NodeIx, side: Side, kinds: u16) -> impl Iterator<Item = Half> {
        self.links(node, side)
            .filter(move |half| half.kind.bit() & kinds != 0)
    }

    /// Shows the edges of some kinds out of a node, then of some into it, until `look` has seen enough. Walks spend their
    /// time here, and plain loops take half of what an iterator over both takes.
    fn each(
        &self,
        node: NodeIx,
        (out, into): (u16, u16),
        mut look: impl FnMut(Half) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (packed, kinds) in [(&self.sealed.out, out), (&self.sealed.into, into)] {
            if kinds == 0 {
                continue;
            }
            for half in packed.of(node) {
                if half.kind.bit() & kinds != 0 {
                    look(*half)?;
                }
            }
        }
        self.each_later(node, (out, into), look)
    }

    /// Fetches what [`Self::each`] will show of some nodes.
    fn fetch(&self, keyed: &[u64], (out, into): (u16, u16)) {
        for (packed, kinds) in [(&self.sealed.out, out), (&self.sealed.into, into)] {
            if kinds != 0 {
                packed.fetch(keyed);
            }
        }
    }

    /// Shows those that were added since the map was sealed.
    fn each_later(
        &self,
        node: NodeIx,
        (out, into): (u16, u16),
        mut look: impl FnMut(Half) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !self.chains.may_have(node) {
            return ControlFlow::Continue(());
        }
        for (side, kinds) in [(Side::Out, out), (Side::In, into)] {
            for half in self.chains.of(node, side) {
                if half.kind.bit() & kinds != 0 {
                    look(half)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns when an edge ends by itself, seen from `at`.
    fn end_of(&self, at: NodeIx, half: Half) -> Option<Second> {
        if !half.timed {
            return None;
        }
        let key = if half.forward {
            (at, half.to, half.kind)
        } else {
            (half.to, at, half.kind)
        };
        let ends = [self.ends.get(&key), self.sealed.ends.get(&key)];
        ends.into_iter().flatten().max().copied()
    }

    /// Makes a hop of an edge, seen from `at`.
    fn hop(&self, at: NodeIx, half: Half) -> Hop {
        Hop::of(half, self.end_of(at, half))
    }

    /// Returns the direct edges of a node, out of it and then into it, at most `most` of them.
    pub fn neighbours(&self, node: NodeIx, most: usize) -> Vec<Hop> {
        let all = self
            .links(node, Side::Out)
            .chain(self.links(node, Side::In));
        all.take(most).map(|half| self.hop(node, half)).collect()
    }

    /// Returns how many direct edges a node has.
    pub fn degree(&self, node: NodeIx) -> usize {
        self.links(node, Side::Out).count() + self.links(node, Side::In).count()
    }
}

/// Sorts edges and makes one of those that say the same.
fn merged(raws: &mut Vec<Raw>) -> Vec<Raw> {
    let key = |raw: &Raw| (raw.from, raw.half.kind, raw.half.to);
    raws.sort_unstable_by_key(key);
    let mut kept: Vec<Raw> = Vec::with_capacity(raws.len());
    for raw in raws.drain(..) {
        match kept.last_mut() {
            Some(last) if key(last) == key(&raw) => {
                // Nothing said is no limit.
                let half = &mut last.half;
                half.privilege = half
                    .privilege
                    .zip(raw.half.privilege)
                    .map(|(a, b)| a.max(b));
                half.timed &= raw.half.timed;
            }
            _ => kept.push(raw),
        }
    }
    kept
}

#[cfg(test)]
mod tests;
