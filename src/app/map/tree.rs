//! Which lines of a walk are shown: what is folded, and what is put together by kind. Costs what is shown, and only when
//! something is folded or unfolded, never for a frame.

use std::collections::HashSet;

use crate::domain::graph::{Graph, NodeIx, NodeKind, Walk};

/// From how many branches on a tree begins folded and put together by kind.
pub const LARGE: usize = 200;

/// From how many children of one kind on they are put together.
const TOGETHER: usize = 3;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it stands for.
    pub what: What,
    /// How deep it stands, from 0.
    pub level: u32,
}

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A branch, by its place in the walk.
    Branch(u32),
    /// All children of one kind.
    Group {
        /// Below which branch; `None` is the start.
        parent: Option<u32>,
        /// Which kind.
        kind: NodeKind,
        /// How many.
        count: u32,
    },
}

/// What can be folded, told so that it means the same on the next map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Node(NodeIx),
    Group(Option<NodeIx>, NodeKind),
}

/// A tree with what is folded in it.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Whether children of one kind are put together.
    pub by_kind: bool,
    /// Whether lines are folded, unless they were turned one by one.
    folded: bool,
    turned: HashSet<Key>,
    /// The lines shown.
    pub lines: Vec<Line>,
}

impl Tree {
    /// Begins with a tree: small ones unfolded, large ones folded and put together by kind.
    pub fn new(graph: &Graph, walk: &Walk) -> Self {
        let large = walk.branches.len() > LARGE;
        let mut tree = Self {
            by_kind: large,
            folded: large,
            ..Self::default()
        };
        tree.lay_out(graph, walk);
        tree
    }

    /// Tells whether a line has others below it.
    pub fn is_parent(line: Line, walk: &Walk) -> bool {
        match line.what {
            What::Branch(place) => walk
                .branches
                .get(place as usize)
                .is_some_and(|b| b.below > 0),
            What::Group { .. } => true,
        }
    }

    /// Tells whether what lies below a line is hidden.
    pub fn is_folded(&self, line: Line, walk: &Walk) -> bool {
        let turned = key(line, walk).is_some_and(|key| self.turned.contains(&key));
        self.folded != turned
    }

    /// Folds or unfolds a line; returns whether that changed anything.
    pub fn set_folded(&mut self, line: Line, fold: bool, graph: &Graph, walk: &Walk) -> bool {
        if !Self::is_parent(line, walk) || self.is_folded(line, walk) == fold {
            return false;
        }
        if let Some(key) = key(line, walk)
            && !self.turned.remove(&key)
        {
            self.turned.insert(key);
        }
        self.lay_out(graph, walk);
        true
    }

    /// Folds or unfolds everything.
    pub fn set_all(&mut self, fold: bool, graph: &Graph, walk: &Walk) {
        self.turned.clear();
        self.folded = fold;
        self.lay_out(graph, walk);
    }

    /// Puts children together by kind, or not any more.
    pub fn turn_kinds(&mut self, graph: &Graph, walk: &Walk) {
        self.by_kind = !self.by_kind;
        self.lay_out(graph, walk);
    }

    /// Unfolds everything above a branch, so that it is shown.
    pub fn reveal(&mut self, place: usize, graph: &Graph, walk: &Walk) {
        let mut parent = None;
        for at in walk.way_to(place) {
            let at = at as u32;
            let kind = kind_of(at, graph, walk);
            self.unfold(Key::Group(parent, kind));
            let node = walk.branches.get(at as usize).map(|b| b.node);
            if let Some(node) = node.filter(|_| at as usize != place) {
                self.unfold(Key::Node(node));
            }
            parent = node;
        }
        self.lay_out(graph, walk);
    }

    fn unfold(&mut self, key: Key) {
        if self.folded {
            self.turned.insert(key);
        } else {
            self.turned.remove(&key);
        }
    }

    /// Takes over what is folded in another tree of the same nodes.
    pub fn take_folds(&mut self, other: &Self) {
        self.by_kind = other.by_kind;
        self.folded = other.folded;
        self.turned.clone_from(&other.turned);
    }

    /// Finds the line of a branch, if it is shown.
    pub fn line_of(&self, place: usize) -> Option<usize> {
        let what = What::Branch(place as u32);
        self.lines.iter().position(|line| line.what == what)
    }

    /// Decides anew which lines are shown.
    pub fn lay_out(&mut self, graph: &Graph, walk: &Walk) {
        let mut lines = Vec::new();
        // What is next stands last.
        let mut open: Vec<(Line, Option<Vec<u32>>)> = Vec::new();
        self.push(&mut open, None, 0, graph, walk);
        while let Some((line, members)) = open.pop() {
            lines.push(line);
            if self.is_folded(line, walk) {
                continue;
            }
            match (line.what, members) {
                (_, Some(members)) => {
                    let level = line.level + 1;
                    let line = |place| Line {
                        what: What::Branch(place),
                        level,
                    };
                    open.extend(members.into_iter().rev().map(|place| (line(place), None)));
                }
                (What::Branch(place), None) => {
                    self.push(&mut open, Some(place), line.level + 1, graph, walk);
                }
                (What::Group { .. }, None) => {}
            }
        }
        self.lines = lines;
    }

    fn push(
        &self,
        open: &mut Vec<(Line, Option<Vec<u32>>)>,
        parent: Option<u32>,
        level: u32,
        graph: &Graph,
        walk: &Walk,
    ) {
        let first = open.len();
        let children = children(parent, walk);
        let branch = |place| {
            let what = What::Branch(place);
            (Line { what, level }, None)
        };
        if !self.by_kind {
            open.extend(children.into_iter().map(branch));
            open[first..].reverse();
            return;
        }
        let mut kinds: Vec<(NodeKind, Vec<u32>)> = Vec::new();
        for place in children {
            let kind = kind_of(place, graph, walk);
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, members)) => members.push(place),
                None => kinds.push((kind, vec![place])),
            }
        }
        for (kind, members) in kinds {
            if members.len() < TOGETHER {
                open.extend(members.into_iter().map(branch));
                continue;
            }
            let what = What::Group {
                parent,
                kind,
                count: members.len() as u32,
            };
            open.push((Line { what, level }, Some(members)));
        }
        open[first..].reverse();
    }
}

fn key(line: Line, walk: &Walk) -> Option<Key> {
    let node = |place: u32| walk.branches.get(place as usize).map(|b| b.node);
    match line.what {
        What::Branch(place) => node(place).map(Key::Node),
        What::Group { parent, kind, .. } => Some(Key::Group(parent.and_then(node), kind)),
    }
}

fn kind_of(place: u32, graph: &Graph, walk: &Walk) -> NodeKind {
    let node = walk
        .branches
        .get(place as usize)
        .and_then(|b| graph.at(b.node));
    node.map_or(NodeKind::Undeclared, |n| n.kind)
}

fn children(parent: Option<u32>, walk: &Walk) -> Vec<u32> {
    let (mut at, end) = match parent {
        None => (0, walk.branches.len() as u32),
        Some(place) => {
            let below = walk.branches.get(place as usize).map_or(0, |b| b.below);
            (place + 1, place + 1 + below)
        }
    };
    let mut found = Vec::new();
    while at < end {
        found.push(at);
        at += 1 + walk.branches.get(at as usize).map_or(0, |b| b.below);
    }
    found
}
