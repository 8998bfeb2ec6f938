//! What stays usable for a while after a node is cut off: cached permissions, then delegated grants, then downstream keys.

use jiff::Timestamp;

use super::kinds::{EdgeKind as E, NodeIx, NodeKind};
use super::{Graph, Walk};

/// Which layer of access something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLayer {
    /// Sessions, issued tokens, roles as systems have cached them.
    Cached,
    /// Delegated consents.
    Delegated,
    /// Keys that it issued.
    Downstream,
}

impl AccessLayer {
    /// All layers, the nearest first.
    pub const ALL: [Self; 3] = [Self::Cached, Self::Delegated, Self::Downstream];

    /// Returns the word shown on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Delegated => "delegated",
            Self::Downstream => "downstream",
        }
    }

    /// Tells to which layer a node belongs that was reached through an edge.
    pub const fn of(kind: NodeKind, via: E) -> Option<Self> {
        match (kind, via) {
            (NodeKind::Session | NodeKind::Permission, _) => Some(Self::Cached),
            (NodeKind::Grant, _) => Some(Self::Delegated),
            (NodeKind::Credential, E::Issued) => Some(Self::Downstream),
            _ => None,
        }
    }
}

/// One thing on a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerRow {
    /// Which layer.
    pub layer: AccessLayer,
    /// What.
    pub node: NodeIx,
    /// Where in the walk it stands.
    pub place: usize,
    /// When it ends by itself: the edge or the node, whichever is first. `None` where nobody says.
    pub until: Option<Timestamp>,
}

/// All layers of a node, the nearest first; on each what ends last or never first.
pub type Layers = Vec<LayerRow>;

impl Graph {
    /// Returns the layers among what a walk reached.
    pub fn layers(&self, exposure: &Walk) -> Layers {
        let row = |(place, branch): (usize, &super::Branch)| {
            let layer = AccessLayer::of(self.glance(branch.node).kind, branch.via)?;
            let node = self.at(branch.node)?;
            let until = [branch.until(), node.ends].into_iter().flatten().min();
            Some(LayerRow {
                layer,
                node: branch.node,
                place,
                until,
            })
        };
        let mut rows: Layers = exposure
            .branches
            .iter()
            .enumerate()
            .filter_map(row)
            .collect();
        rows.sort_by_key(|row| {
            let longest = std::cmp::Reverse(row.until.unwrap_or(Timestamp::MAX));
            (row.layer, longest, row.place)
        });
        rows
    }
}
