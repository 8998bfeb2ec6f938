//! What the map's screen shows: one node, everything around it, and where the cursor is.

pub mod tree;

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::quality::RandomState;
use tui_input::Input;

use crate::domain::alert::Alert;
use crate::domain::graph::{Graph, Limits, Look, NodeIx, NodeKind, Path, Walk, Way};
use crate::domain::identity::Identity;
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::newcomers::Deed;
use crate::domain::options::Choice;
use tree::{Line, Tree, What};

/// Up to how many edges a map is looked at whole in the same frame; larger ones are looked at in the background.
pub const AT_ONCE_EDGES: usize = 5_000;

/// Most deeds kept of one identity.
const MOST_DEEDS: usize = 500;

/// Most identities whose deeds are kept.
const MOST_DOERS: usize = 20_000;

/// Something to be found out about a map, away from the keys.
#[derive(Clone, Debug)]
pub struct MapAsk {
    /// On which map.
    pub graph: Arc<Graph>,
    /// What.
    pub what: MapQuestion,
}

/// What is to be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapQuestion {
    /// Everything around a node.
    Look(NodeId),
    /// How two nodes hang together.
    Paths(NodeId, NodeId),
}

/// What was found out.
#[derive(Debug)]
pub struct MapAnswer {
    /// What was asked.
    pub ask: MapAsk,
    /// What was found.
    pub found: MapFound,
}

/// What was found.
#[derive(Debug)]
pub enum MapFound {
    /// Around a node.
    Look(Arc<Look>),
    /// Between two.
    Paths(Vec<(Way, Path)>),
}

impl MapAsk {
    /// Finds it out. At a million edges this takes some ten milliseconds.
    pub fn answer(self) -> MapAnswer {
        let found = match &self.what {
            MapQuestion::Look(node) => {
                MapFound::Look(Arc::new(Look::at(&self.graph, node, Limits::FULL)))
            }
            MapQuestion::Paths(from, to) => MapFound::Paths(self.graph.ways(from, to)),
        };
        MapAnswer { ask: self, found }
    }

    /// Tells whether it takes no longer than a frame may.
    pub fn is_small(&self) -> bool {
        self.graph.edges() <= AT_ONCE_EDGES
    }
}

/// What identities did that may have brought something into an incident, as alerts tell it.
#[derive(Clone, Debug, Default)]
pub struct Deeds {
    by_identity: HashMap<IdentityId, Doer, RandomState>,
}

/// What one identity did.
#[derive(Clone, Debug, Default)]
struct Doer {
    deeds: Vec<Deed>,
    /// What the id of each deed's alert looks like: most alerts are new, and to find that out no deed has to be looked at.
    marks: Vec<u32>,
}

impl Deeds {
    /// Notes an alert, if it tells of such a thing. `who` finds whom it means, and is asked only then.
    pub fn note(&mut self, alert: &Alert, who: impl FnOnce(&Alert) -> Option<IdentityId>) {
        let Some(deed) = Deed::of(alert) else { return };
        let Some(who) = who(alert) else { return };
        if self.by_identity.len() >= MOST_DOERS && !self.by_identity.contains_key(&who) {
            return;
        }
        let mark = self.by_identity.hasher().hash_one(&deed.alert) as u32;
        let doer = self.by_identity.entry(who).or_default();
        // An alert that comes again tells of the same deed.
        let mut alike = doer.marks.iter().zip(&doer.deeds);
        let known = alike.position(|(known, of)| *known == mark && of.alert == deed.alert);
        let known = known.map(|at| {
            doer.marks.swap_remove(at);
            doer.deeds.swap_remove(at)
        });
        let deed = deed.since(known.map(|known| known.at));
        if doer.deeds.len() < MOST_DEEDS {
            // Thousands of identities have some dozens each: room for twice as many would be most of what they take.
            if doer.deeds.len() == doer.deeds.capacity() {
                let more = doer.deeds.len() / 4 + 1;
                doer.deeds.reserve_exact(more);
                doer.marks.reserve_exact(more);
            }
            doer.deeds.push(deed);
            doer.marks.push(mark);
        }
    }

    /// Returns what an identity did.
    pub fn of(&self, identity: &IdentityId) -> &[Deed] {
        let doer = self.by_identity.get(identity);
        doer.map_or(&[], |doer| &doer.deeds)
    }
}

/// One side of what the map says of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Who breaks.
    #[default]
    Impact,
    /// What is reachable.
    Exposure,
    /// What stays usable for a while.
    Layers,
    /// Who shares something.
    Siblings,
    /// Who uses it.
    Users,
}

impl Tab {
    /// All, in the order in which Tab visits them.
    pub const ALL: [Self; 5] = [
        Self::Impact,
        Self::Exposure,
        Self::Layers,
        Self::Siblings,
        Self::Users,
    ];

    /// Returns the word on the tab.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Impact => "breaks",
            Self::Exposure => "reaches",
            Self::Layers => "layers",
            Self::Siblings => "siblings",
            Self::Users => "used by",
        }
    }

    const fn at(self) -> usize {
        self as usize
    }

    fn turn(self, delta: isize) -> Self {
        let to = (self.at() as isize + delta).rem_euclid(Self::ALL.len() as isize);
        Self::ALL[to as usize]
    }
}

/// Around one node.
#[derive(Clone, Debug)]
pub struct View {
    /// The map.
    pub graph: Arc<Graph>,
    /// The node.
    pub start: NodeId,
    /// What is known of it so far.
    pub look: Arc<Look>,
    /// Whether more is being found out.
    pub looking: bool,
    /// Which side is shown.
    pub tab: Tab,
    impact: Tree,
    exposure: Tree,
    cursors: [usize; Tab::ALL.len()],
}

/// A card over the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCard {
    /// Of which node.
    pub node: NodeId,
    /// First line shown.
    pub scroll: usize,
}

/// How two nodes hang together.
#[derive(Clone, Debug)]
pub struct PathsView {
    /// From where.
    pub from: NodeId,
    /// To where.
    pub to: NodeId,
    /// The ways; `None` while they are looked for.
    pub found: Option<Vec<(Way, Path)>>,
    /// First line shown.
    pub scroll: usize,
}

/// Options for an identity on the map.
#[derive(Clone, Debug)]
pub struct Choosing {
    /// Whom.
    pub identity: Box<Identity>,
    /// What could be done.
    pub choices: Vec<Choice>,
    /// What must be known of it before. Escaped already.
    pub note: Option<String>,
}

/// The map's screen.
#[derive(Debug, Default)]
pub struct MapScreen {
    /// Whether it is where one is when nothing lies over it.
    pub open: bool,
    /// Somebody went from here to the queue.
    pub away: bool,
    /// What is shown.
    pub view: Option<View>,
    /// What was shown before, the latest last.
    pub trail: Vec<View>,
    /// What is searched for.
    pub search: Input,
    /// Whether that is being typed.
    pub typing: bool,
    /// How many lines of the side shown hold it.
    pub hits: usize,
    /// At most two nodes, for the way between them.
    pub marks: Vec<NodeId>,
    /// The card that is open.
    pub card: Option<NodeCard>,
    /// The ways that are shown.
    pub paths: Option<PathsView>,
    /// The options that are shown.
    pub choosing: Option<Choosing>,
}

impl View {
    /// Looks at a node, as far as a frame has time. What else is to be asked is returned.
    pub fn at(graph: &Arc<Graph>, start: NodeId) -> (Self, Option<MapAsk>) {
        let ask = MapAsk {
            graph: graph.clone(),
            what: MapQuestion::Look(start.clone()),
        };
        let small = ask.is_small();
        let limits = if small { Limits::FULL } else { Limits::AT_ONCE };
        let look = Arc::new(Look::at(graph, &start, limits));
        let looking = !small && look.truncated();
        let view = Self::of(graph, start, look, looking);
        (view, looking.then_some(ask))
    }

    /// Shows what is known of a node; `looking` tells whether more is being found out.
    pub fn of(graph: &Arc<Graph>, start: NodeId, look: Arc<Look>, looking: bool) -> Self {
        let mut view = Self {
            graph: graph.clone(),
            start,
            look: Arc::default(),
            looking,
            tab: Tab::default(),
            impact: Tree::default(),
            exposure: Tree::default(),
            cursors: [0; Tab::ALL.len()],
        };
        view.impact = Tree::new(graph, &look.impact);
        view.exposure = Tree::new(graph, &look.exposure);
        view.look = look;
        view
    }

    /// Takes in the whole of what is around the node. The cursor stays on its node, and what was folded stays folded.
    pub fn complete(&mut self, look: Arc<Look>) {
        let at: Vec<Option<NodeIx>> = Tab::ALL.iter().map(|tab| self.node_on(*tab)).collect();
        let was_small = self
            .look
            .impact
            .branches
            .len()
            .max(self.look.exposure.branches.len())
            <= tree::LARGE;
        self.look = look;
        self.looking = false;
        if was_small {
            self.impact = Tree::new(&self.graph, &self.look.impact);
            self.exposure = Tree::new(&self.graph, &self.look.exposure);
        } else {
            self.impact.lay_out(&self.graph, &self.look.impact);
            self.exposure.lay_out(&self.graph, &self.look.exposure);
        }
        for (tab, node) in Tab::ALL.into_iter().zip(at) {
            let here = node.and_then(|node| self.find_on(tab, node));
            let last = self.rows_on(tab).saturating_sub(1);
            self.cursors[tab.at()] = here.unwrap_or(self.cursors[tab.at()]).min(last);
        }
    }

    /// The same view of a map that changed a little: nodes keep their places. `known` is what is known there of where it
    /// begins, and whether more is being found out.
    pub fn moved_to(
        &self,
        graph: &Arc<Graph>,
        known: Option<(Arc<Look>, bool)>,
    ) -> (Self, Option<MapAsk>) {
        let at: Vec<Option<NodeId>> = Tab::ALL
            .iter()
            .map(|tab| Some(self.graph.at(self.node_on(*tab)?)?.id.clone()))
            .collect();
        let (mut view, ask) = match known {
            Some((look, looking)) => (Self::of(graph, self.start.clone(), look, looking), None),
            None => Self::at(graph, self.start.clone()),
        };
        view.tab = self.tab;
        view.impact.take_folds(&self.impact);
        view.exposure.take_folds(&self.exposure);
        view.impact.lay_out(graph, &view.look.impact);
        view.exposure.lay_out(graph, &view.look.exposure);
        for (tab, id) in Tab::ALL.into_iter().zip(at) {
            let node = id.and_then(|id| graph.find(&id));
            let here = node.and_then(|node| view.find_on(tab, node));
            let last = view.rows_on(tab).saturating_sub(1);
            view.cursors[tab.at()] = here.unwrap_or(self.cursors[tab.at()]).min(last);
        }
        (view, ask)
    }

    /// Returns the tree of the side shown, with its walk; `None` for the lists.
    pub fn tree(&self) -> Option<(&Tree, &Walk)> {
        self.tree_on(self.tab)
    }

    fn tree_on(&self, tab: Tab) -> Option<(&Tree, &Walk)> {
        match tab {
            Tab::Impact => Some((&self.impact, &self.look.impact)),
            Tab::Exposure => Some((&self.exposure, &self.look.exposure)),
            _ => None,
        }
    }

    /// Changes the tree of the side shown; the cursor stays on its node, or goes to what it is folded into.
    pub fn change(&mut self, change: impl FnOnce(&mut Tree, &Graph, &Walk)) {
        let before = self.line();
        let (tree, walk) = match self.tab {
            Tab::Impact => (&mut self.impact, &self.look.impact),
            Tab::Exposure => (&mut self.exposure, &self.look.exposure),
            _ => return,
        };
        change(tree, &self.graph, walk);
        let way = match before.map(|line| line.what) {
            Some(What::Branch(place)) => walk.way_to(place as usize),
            Some(What::Group { parent, .. }) => {
                let same = |line: &Line| Some(line.what) == before.map(|b| b.what);
                if let Some(at) = tree.lines.iter().position(same) {
                    self.cursors[self.tab.at()] = at;
                    return;
                }
                parent.map_or_else(Vec::new, |place| walk.way_to(place as usize))
            }
            None => Vec::new(),
        };
        let nearest = way.into_iter().rev().find_map(|place| tree.line_of(place));
        self.cursors[self.tab.at()] = nearest.unwrap_or(0);
    }

    /// Returns how many rows a side has.
    pub fn rows_on(&self, tab: Tab) -> usize {
        match tab {
            Tab::Impact => self.impact.lines.len(),
            Tab::Exposure => self.exposure.lines.len(),
            Tab::Layers => self.look.layers.len(),
            Tab::Siblings => self.look.siblings.found.len(),
            Tab::Users => self.look.users.found.len(),
        }
    }

    /// Returns how many rows are shown.
    pub fn rows(&self) -> usize {
        self.rows_on(self.tab)
    }

    /// Returns how much was found of the side shown, folded or not.
    pub fn found(&self) -> usize {
        self.tree()
            .map_or(self.rows(), |(_, walk)| walk.branches.len())
    }

    /// Returns the row that has the cursor.
    pub fn cursor(&self) -> usize {
        self.cursors[self.tab.at()]
    }

    /// Returns the line of a tree that has the cursor.
    pub fn line(&self) -> Option<Line> {
        let (tree, _) = self.tree()?;
        tree.lines.get(self.cursor()).copied()
    }

    /// Returns the node of a row; `None` for one that stands for several.
    pub fn node_at(&self, tab: Tab, row: usize) -> Option<NodeIx> {
        match tab {
            Tab::Impact | Tab::Exposure => {
                let (tree, walk) = self.tree_on(tab)?;
                match tree.lines.get(row)?.what {
                    What::Branch(place) => Some(walk.branches.get(place as usize)?.node),
                    What::Group { .. } => None,
                }
            }
            Tab::Layers => Some(self.look.layers.get(row)?.node),
            Tab::Siblings => Some(self.look.siblings.found.get(row)?.node),
            Tab::Users => Some(self.look.users.found.get(row)?.node),
        }
    }

    fn node_on(&self, tab: Tab) -> Option<NodeIx> {
        self.node_at(tab, self.cursors[tab.at()])
    }

    /// Returns the node that has the cursor.
    pub fn current(&self) -> Option<NodeIx> {
        self.node_on(self.tab)
    }

    fn find_on(&self, tab: Tab, node: NodeIx) -> Option<usize> {
        (0..self.rows_on(tab)).find(|row| self.node_at(tab, *row) == Some(node))
    }

    /// Moves the cursor by rows.
    pub fn step(&mut self, delta: isize) {
        let last = self.rows().saturating_sub(1);
        let cursor = &mut self.cursors[self.tab.at()];
        *cursor = cursor.saturating_add_signed(delta).min(last);
    }

    /// Shows the side `delta` places further.
    pub fn turn(&mut self, delta: isize) {
        self.tab = self.tab.turn(delta);
    }

    /// Goes to the line above under which the current one stands.
    pub fn to_parent(&mut self) {
        let Some((tree, _)) = self.tree() else { return };
        let at = self.cursor();
        let Some(level) = tree.lines.get(at).map(|l| l.level) else {
            return;
        };
        let above = tree.lines[..at].iter().rposition(|line| line.level < level);
        self.cursors[self.tab.at()] = above.unwrap_or(at);
    }

    /// Goes to the next thing whose label or id holds the text, from the cursor on and round; `from` counts the cursor's own
    /// line in. Returns whether there is one. What is folded is unfolded on the way.
    pub fn search(&mut self, text: &str, back: bool, from: bool) -> bool {
        let all = self.found();
        let at = match (self.tree(), self.line().map(|l| l.what)) {
            (Some(_), Some(What::Branch(place))) => place as usize,
            (Some(_), Some(What::Group { parent, .. })) => parent.map_or(0, |p| p as usize + 1),
            (Some(_), None) => 0,
            (None, _) => self.cursor(),
        };
        let skip = usize::from(!from);
        let found = (0..all).map(|n| {
            let n = n + skip;
            if back {
                (at + 2 * all - n) % all
            } else {
                (at + n) % all
            }
        });
        let hit = found.into_iter().find(|place| self.is_hit(*place, text));
        let Some(place) = hit else { return false };
        if self.tree().is_some() {
            self.change(|tree, graph, walk| tree.reveal(place, graph, walk));
            let line = self.tree().and_then(|(tree, _)| tree.line_of(place));
            self.cursors[self.tab.at()] = line.unwrap_or(0);
        } else {
            self.cursors[self.tab.at()] = place;
        }
        true
    }

    /// Returns how many things of the side shown hold the text.
    pub fn hits(&self, text: &str) -> usize {
        let all = self.found();
        (0..all).filter(|place| self.is_hit(*place, text)).count()
    }

    fn is_hit(&self, place: usize, text: &str) -> bool {
        let node = match self.tree() {
            Some((_, walk)) => walk.branches.get(place).map(|b| b.node),
            None => self.node_at(self.tab, place),
        };
        let node = node.and_then(|node| self.graph.at(node));
        node.is_some_and(|n| holds(n.label.raw(), text) || holds(n.id.as_str(), text))
    }

    /// Returns the identity that a node stands for.
    pub fn identity_of(&self, node: NodeIx) -> Option<IdentityId> {
        let node = self.graph.at(node)?;
        (node.kind == NodeKind::Identity).then(|| IdentityId::new(node.id.as_str()))
    }
}

/// Tells whether a text holds another, whatever the case of ASCII letters.
fn holds(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    wanted.is_empty()
        || text
            .windows(wanted.len())
            .any(|part| part.eq_ignore_ascii_case(wanted))
}
