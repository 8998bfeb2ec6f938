//! placeholder until the inventory branch is merged
use super::alert::Alert;
use super::graph::Graph;
use super::identity::Identity;
use super::ids::IdentityId;
use std::collections::BTreeMap;
/// x
#[derive(Debug, Default)]
pub struct Inventory {
    identities: BTreeMap<IdentityId, Identity>,
    graph: Graph,
}
/// x
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// x
    Known(IdentityId),
    /// x
    Candidates(Vec<IdentityId>),
    /// x
    Unlisted(Identity),
    /// x
    Unresolved,
}
impl Inventory {
    /// x
    pub fn get(&self, id: &IdentityId) -> Option<&Identity> {
        self.identities.get(id)
    }
    /// x
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// x
    pub fn resolve(&self, _alert: &Alert) -> Resolution {
        Resolution::Unresolved
    }
}
