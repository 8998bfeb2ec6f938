//! How edges lie in memory: sealed ones side by side for each node, later ones in chains.

use std::collections::HashMap;

use super::few::Few;
use super::kinds::{EdgeKind, NodeIx, Privilege};
use super::walk::node_of;

/// Marks the end of a chain, and a node that has no number.
pub(super) const NONE: u32 = u32::MAX;

/// Nodes whose edges are fetched at a time.
pub(super) const FETCHED: usize = 16;

/// One end of an edge as the node at the other end sees it: 8 bytes, as a walk over a million of them waits for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Half {
    pub to: NodeIx,
    pub kind: EdgeKind,
    pub privilege: Option<Privilege>,
    /// Whether it ends by itself; when, stands apart.
    pub timed: bool,
    /// Whether it leads from the node that sees it to `to`; else from `to` to that node.
    pub forward: bool,
}

/// An edge between numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    pub from: NodeIx,
    pub half: Half,
}

/// In which direction edges are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Out,
    In,
}

/// The sealed edges of one direction: those of node `n` are `halves[starts[n]..starts[n + 1]]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    starts: Box<[u32]>,
    halves: Box<[Half]>,
}

impl Packed {
    /// Packs edges that are sorted by `from`.
    pub fn new(nodes: usize, sorted: &[Raw]) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for raw in sorted {
            starts[raw.from.at() + 1] += 1;
        }
        for at in 0..nodes {
            starts[at + 1] += starts[at];
        }
        Self {
            starts: starts.into(),
            halves: sorted.iter().map(|raw| raw.half).collect(),
        }
    }

    /// Packs what walks that go on along some kinds of edges, and against some, look at: less than half of all, and in one
    /// place for each node.
    pub fn joined(out: &Self, into: &Self, (along, against): (u16, u16)) -> Self {
        let nodes = out.starts.len().saturating_sub(1);
        let mut starts = Vec::with_capacity(nodes + 1);
        let mut halves: Vec<Half> = Vec::new();
        for at in 0..nodes {
            let node = NodeIx(at as u32);
            starts.push(halves.len() as u32);
            for (side, kinds) in [(out, along), (into, against)] {
                let some = side.of(node).iter();
                halves.extend(some.filter(|half| half.kind.bit() & kinds != 0));
            }
        }
        starts.push(halves.len() as u32);
        Self {
            starts: starts.into(),
            halves: halves.into(),
        }
    }

    pub fn of(&self, node: NodeIx) -> &[Half] {
        let range = match self.starts.get(node.at()..node.at() + 2) {
            Some(&[from, to]) => from as usize..to as usize,
            _ => return &[],
        };
        self.halves.get(range).unwrap_or(&[])
    }

    /// Fetches the edges of nodes, made by [`keyed`](super::walk::keyed), before they are looked at: none of these waits
    /// for the one before it, as looking at the edges of one node after the other does.
    pub fn fetch(&self, keyed: &[u64]) {
        let ends = |key: &u64| match self.of(node_of(*key)) {
            [first, .., last] => first.to.0 ^ last.to.0,
            [one] => one.to.0,
            [] => 0,
        };
        std::hint::black_box(keyed.iter().map(ends).fold(0, std::ops::BitXor::bitxor));
    }

    /// Finds an edge. They are sorted by kind, then by where they lead.
    pub fn find(&self, from: NodeIx, kind: EdgeKind, to: NodeIx) -> Option<Half> {
        let (halves, key) = (self.of(from), |half: &Half| (half.kind, half.to));
        let at = halves.binary_search_by_key(&(kind, to), key).ok()?;
        halves.get(at).copied()
    }

    pub const fn len(&self) -> usize {
        self.halves.len()
    }

    pub fn raws(&self) -> impl Iterator<Item = Raw> {
        let nodes = self.starts.len().saturating_sub(1);
        (0..nodes).flat_map(move |at| {
            let from = NodeIx(at as u32);
            self.of(from)
                .iter()
                .map(move |half| Raw { from, half: *half })
        })
    }
}

/// An edge that was added since: it knows the next of the same node in both directions.
#[derive(Clone, Copy, Debug)]
struct Link {
    raw: Raw,
    next_out: u32,
    next_in: u32,
}

/// Edges that were added since the graph was sealed, or that wait for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    links: Vec<Link>,
    /// By node, the latest edge out of it and into it.
    heads: HashMap<u32, (u32, u32)>,
    /// Which nodes these are.
    ends: Few,
}

impl Chains {
    pub fn add(&mut self, raw: Raw) {
        let Ok(at) = u32::try_from(self.links.len()) else {
            return;
        };
        self.ends.add(raw.from);
        self.ends.add(raw.half.to);
        let out = self.heads.entry(raw.from.0).or_insert((NONE, NONE));
        let next_out = std::mem::replace(&mut out.0, at);
        let into = self.heads.entry(raw.half.to.0).or_insert((NONE, NONE));
        let next_in = std::mem::replace(&mut into.1, at);
        self.links.push(Link {
            raw,
            next_out,
            next_in,
        });
    }

    pub const fn len(&self) -> usize {
        self.links.len()
    }

    /// Tells whether a node may have any.
    pub const fn may_have(&self, node: NodeIx) -> bool {
        self.ends.may_have(node)
    }

    pub fn raws(&self) -> impl Iterator<Item = Raw> {
        self.links.iter().map(|link| link.raw)
    }

    pub fn of(&self, node: NodeIx, side: Side) -> Chain<'_> {
        let heads = self.heads.get(&node.0);
        let at = match side {
            Side::Out => heads.map_or(NONE, |(out, _)| *out),
            Side::In => heads.map_or(NONE, |(_, into)| *into),
        };
        Chain {
            links: &self.links,
            side,
            at,
        }
    }
}

/// The later edges of one node in one direction, the latest first.
pub(super) struct Chain<'g> {
    links: &'g [Link],
    side: Side,
    at: u32,
}

impl Iterator for Chain<'_> {
    type Item = Half;

    fn next(&mut self) -> Option<Half> {
        let link = self.links.get(self.at as usize)?;
        let raw = link.raw;
        Some(match self.side {
            Side::Out => {
                self.at = link.next_out;
                raw.half
            }
            Side::In => {
                self.at = link.next_in;
                Half {
                    to: raw.from,
                    forward: false,
                    ..raw.half
                }
            }
        })
    }
}
