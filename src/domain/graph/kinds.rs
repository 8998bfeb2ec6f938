//! What stands on the map and how it hangs together: closed word lists, nodes, edges.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::NodeId;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::Criticality;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An identity.
    Identity,
    /// A long-lived secret or key; one that another identity or key issued is a downstream key.
    Credential,
    /// A secrets manager.
    SecretStore,
    /// A running service or job.
    Workload,
    /// A CI/CD pipeline.
    Pipeline,
    /// Data, an API, infrastructure.
    Resource,
    /// Another company's system.
    Integration,
    /// A way back in: recovery channel, backup account, break-glass path.
    RecoveryPath,
    /// A delegated consent: somebody lets somebody else act for them.
    Grant,
    /// A role or scope in force, also one that a system has cached.
    Permission,
    /// A live session or an issued token.
    Session,
    /// A tenant, realm, account or network whose members trust each other.
    TrustBoundary,
    /// Named by an edge and described nowhere. No file can ask for it.
    #[serde(skip_deserializing)]
    Undeclared,
}

impl NodeKind {
    /// All kinds, in order of declaration.
    pub const ALL: [Self; 13] = [
        Self::Identity,
        Self::Credential,
        Self::SecretStore,
        Self::Workload,
        Self::Pipeline,
        Self::Resource,
        Self::Integration,
        Self::RecoveryPath,
        Self::Grant,
        Self::Permission,
        Self::Session,
        Self::TrustBoundary,
        Self::Undeclared,
    ];

    /// Returns the word shown on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Credential => "credential",
            Self::SecretStore => "secret store",
            Self::Workload => "workload",
            Self::Pipeline => "pipeline",
            Self::Resource => "resource",
            Self::Integration => "integration",
            Self::RecoveryPath => "recovery path",
            Self::Grant => "grant",
            Self::Permission => "permission",
            Self::Session => "session",
            Self::TrustBoundary => "trust boundary",
            Self::Undeclared => "undeclared",
        }
    }

    /// Returns the word shown on screen for several.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Identity => "identities",
            Self::Credential => "credentials",
            Self::SecretStore => "secret stores",
            Self::Workload => "workloads",
            Self::Pipeline => "pipelines",
            Self::Resource => "resources",
            Self::Integration => "integrations",
            Self::RecoveryPath => "recovery paths",
            Self::Grant => "grants",
            Self::Permission => "permissions",
            Self::Session => "sessions",
            Self::TrustBoundary => "trust boundaries",
            Self::Undeclared => "undeclared",
        }
    }
}

/// How two nodes hang together: `from` … `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// `from` stops working without `to`.
    DependsOn,
    /// Whoever holds `from` can get to `to`.
    CanReach,
    /// `from` is kept in `to`.
    StoredIn,
    /// `from` holds the credential, session, grant or permission `to`.
    Holds,
    /// `from` can restore access to `to`.
    Recovers,
    /// The workload or pipeline `from` runs as the identity `to`.
    RunsAs,
    /// `from` can become `to`, such as a role.
    Assumes,
    /// The grant `from` lets its holder act for `to`.
    ActsFor,
    /// `from` issued or minted `to`: a session, a token, a downstream key, an identity.
    Issued,
    /// The credential `from` is the same secret as `to`, kept elsewhere.
    CopyOf,
    /// `from` belongs to the trust boundary `to`.
    Within,
    /// `from` is under the owner key `to`: whoever has that key can make it anew.
    OwnedBy,
}

impl EdgeKind {
    /// All kinds, in order of declaration.
    pub const ALL: [Self; 12] = [
        Self::DependsOn,
        Self::CanReach,
        Self::StoredIn,
        Self::Holds,
        Self::Recovers,
        Self::RunsAs,
        Self::Assumes,
        Self::ActsFor,
        Self::Issued,
        Self::CopyOf,
        Self::Within,
        Self::OwnedBy,
    ];

    /// Returns the words between `from` and `to`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DependsOn => "depends on",
            Self::CanReach => "can reach",
            Self::StoredIn => "stored in",
            Self::Holds => "holds",
            Self::Recovers => "recovers",
            Self::RunsAs => "runs as",
            Self::Assumes => "assumes",
            Self::ActsFor => "acts for",
            Self::Issued => "issued",
            Self::CopyOf => "copy of",
            Self::Within => "within",
            Self::OwnedBy => "owned by",
        }
    }

    /// Returns the words between `to` and `from`.
    pub const fn backwards(self) -> &'static str {
        match self {
            Self::DependsOn => "needed by",
            Self::CanReach => "reached by",
            Self::StoredIn => "stores",
            Self::Holds => "held by",
            Self::Recovers => "recovered by",
            Self::RunsAs => "runs",
            Self::Assumes => "assumed by",
            Self::ActsFor => "lent by",
            Self::Issued => "issued by",
            Self::CopyOf => "copied as",
            Self::Within => "contains",
            Self::OwnedBy => "owns",
        }
    }

    pub(super) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// What an edge lets its holder do. The order is the rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Look.
    Read,
    /// Change.
    Write,
    /// Change who may do what.
    Admin,
}

impl Privilege {
    /// Returns the word shown on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// How a node stands, where somebody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It works.
    Enabled,
    /// It is switched off.
    Disabled,
    /// A break-glass or recovery path that is ready and was not used.
    Armed,
    /// A break-glass or recovery path that works only after somebody else agrees.
    Guarded,
    /// A break-glass or recovery path that was used.
    Used,
    /// A recovery path that is in the wrong hands, or assumed to be.
    Compromised,
}

impl NodeState {
    /// Returns the word shown on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Armed => "armed",
            Self::Guarded => "guarded",
            Self::Used => "USED",
            Self::Compromised => "COMPROMISED",
        }
    }
}

/// How something joined an incident. The order is the weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joined {
    /// It came to be, or was changed, through the identity since that was exposed.
    Born,
    /// It was read or reached by the identity since that was exposed.
    Touched,
}

impl Joined {
    /// Returns the words shown on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Born => "BORN IN WINDOW",
            Self::Touched => "touched",
        }
    }
}

/// One thing on the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its key.
    pub id: NodeId,
    /// What it is.
    pub kind: NodeKind,
    /// What people call it.
    pub label: Untrusted,
    /// How much hangs on it.
    pub criticality: Option<Criticality>,
    /// `production`, `staging`, ….
    pub environment: Option<Untrusted>,
    /// Who answers for it.
    pub owner: Option<Untrusted>,
    /// How it stands; `None` is unknown.
    #[serde(default)]
    pub state: Option<NodeState>,
    /// When it ends by itself; `None` where nobody says.
    #[serde(default)]
    pub ends: Option<Timestamp>,
    /// How it joined the incident at hand, if it did.
    #[serde(default, skip_deserializing)]
    pub joined: Option<Joined>,
}

impl Node {
    /// Describes a node of which nothing else is known.
    pub fn new(id: NodeId, kind: NodeKind, label: impl Into<Untrusted>) -> Self {
        Self {
            id,
            kind,
            label: label.into(),
            criticality: None,
            environment: None,
            owner: None,
            state: None,
            ends: None,
            joined: None,
        }
    }
}

/// One edge, by the ids of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where it begins.
    pub from: NodeId,
    /// What it says.
    pub kind: EdgeKind,
    /// Where it leads.
    pub to: NodeId,
    /// What it lets its holder do; `None` says nothing and limits nothing.
    pub privilege: Option<Privilege>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

impl Edge {
    /// An edge that says nothing of privilege and lifetime.
    pub const fn new(from: NodeId, kind: EdgeKind, to: NodeId) -> Self {
        Self {
            from,
            kind,
            to,
            privilege: None,
            until: None,
        }
    }
}

impl From<(NodeId, EdgeKind, NodeId)> for Edge {
    fn from((from, kind, to): (NodeId, EdgeKind, NodeId)) -> Self {
        Self::new(from, kind, to)
    }
}

/// The number of a node in one graph, dense from 0. It means nothing in another graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub(super) u32);

impl NodeIx {
    pub(super) const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A point in time as edges keep it: whole seconds from 1970-01-01T00:00:01Z to 2106-02-07; what lies beyond is the
/// nearest of these. A million edges would need 16 MB more for nanoseconds that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Second(NonZeroU32);

impl Second {
    pub fn of(time: Timestamp) -> Self {
        let seconds = time.as_second().clamp(1, i64::from(u32::MAX));
        let seconds = u32::try_from(seconds).ok().and_then(NonZeroU32::new);
        Self(seconds.unwrap_or(NonZeroU32::MAX))
    }

    pub fn time(self) -> Timestamp {
        Timestamp::from_second(i64::from(self.0.get())).unwrap_or(Timestamp::MAX)
    }
}
