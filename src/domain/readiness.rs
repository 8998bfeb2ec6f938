//! Could an identity be contained now? What is missing for that, what to do about it, and how much it matters.
//!
//! Everything here is judged by what the inventory, the map and the connectors' files say; only where somebody asked a
//! provider is known what it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::drawing::recovery_id;
use super::graph::{Limits, NodeIx};
use super::identity::flags::{Flag, FlagKind};
use super::identity::{Identity, Level, RecoveryState};
use super::ids::{IdentityId, NodeId};
use super::inventory::Inventory;
use super::options::Capabilities;
use super::text::{Untrusted, show};
use super::vocabulary::{Criticality, Driver, Verb, words};

/// How the risk of an identity is reckoned, in words.
pub const RULE: &str = "risk = reach x gaps; reach = 1 + privilege (read 1, write or unknown 2, admin or secrets 3) + \
                        criticality (medium or unknown 1, high 2, business-critical 3) + 1 if autonomous; gaps = the sum of \
                        the weights of what is missing";

words! {
    /// What may be missing.
    GapKind {
        /// No connector is named.
        NoConnector = "no_connector",
        /// The one that is named is not configured.
        ConnectorMissing = "connector_missing",
        /// The connector can cut nothing off.
        NoCut = "no_cut",
        /// The provider refuses the console's own account.
        NoPermission = "no_permission",
        /// A parameter that the connector needs is not known.
        NoParameter = "no_parameter",
        /// Nobody answers for it.
        NoOwner = "no_owner",
        /// Who answers for it is gone.
        OrphanedOwner = "orphaned_owner",
        /// Nobody can be reached about it.
        NoContact = "no_contact",
        /// A credential that the connector cannot turn off or replace.
        CredentialStays = "credential_stays",
        /// A credential is written down in code or files.
        HardCoded = "hard_coded",
        /// Several identities hold the same credential.
        Shared = "shared",
        /// No cut can be taken back.
        NoUndo = "no_undo",
        /// A cut is not read back.
        NoVerify = "no_verify",
        /// Whoever holds it can get it back.
        RecoveryInReach = "recovery_in_reach",
        /// It may do more than it does.
        TooBroad = "too_broad",
        /// Nobody says what it may do.
        ScopesUnknown = "scopes_unknown",
    }
}

impl GapKind {
    /// Returns how much it weighs.
    pub const fn weight(self) -> u32 {
        match self {
            Self::NoConnector | Self::ConnectorMissing | Self::NoCut | Self::NoPermission => 5,
            Self::NoParameter | Self::RecoveryInReach => 4,
            Self::NoOwner | Self::OrphanedOwner | Self::CredentialStays => 3,
            Self::HardCoded | Self::Shared | Self::NoVerify => 3,
            Self::NoUndo | Self::TooBroad => 2,
            Self::NoContact | Self::ScopesUnknown => 1,
        }
    }

    /// Tells whether nothing at all can be cut off because of it.
    pub const fn is_fatal(self) -> bool {
        matches!(
            self,
            Self::NoConnector
                | Self::ConnectorMissing
                | Self::NoCut
                | Self::NoPermission
                | Self::NoParameter
        )
    }
}

/// Something missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What kind.
    pub kind: GapKind,
    /// What it is, in words. Escaped already.
    pub what: String,
    /// What to do about it. Escaped already.
    pub fix: String,
}

words! {
    /// Whether an identity could be contained now.
    Verdict {
        /// As far as is known, everything is there.
        Ready = "ready",
        /// It could be cut off, and something would be left.
        Partly = "partly",
        /// It could not be cut off from here.
        Not = "not",
    }
}

/// How one identity stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Which.
    pub id: IdentityId,
    /// What people call it.
    pub name: Untrusted,
    /// Whether it could be contained.
    pub verdict: Verdict,
    /// How much the gaps matter, by [`RULE`].
    pub risk: u32,
    /// The first factor of the risk.
    pub reach: u32,
    /// What is missing, the heaviest first.
    pub gaps: Vec<Gap>,
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gaps: u32 = self.gaps.iter().map(|g| g.kind.weight()).sum();
        write!(f, "{} = {} x {gaps}", self.risk, self.reach)
    }
}

/// What this console could do.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// What each configured connector can do.
    pub capabilities: BTreeMap<String, Capabilities>,
    /// Acts that are not read back.
    pub unverified: BTreeSet<(String, Verb)>,
    /// Parameters that each connector needs of an identity.
    pub needs: BTreeMap<String, Vec<String>>,
    /// What providers refused when they were asked, by identity.
    pub refused: BTreeMap<IdentityId, String>,
}

/// Acts that cut somebody off.
const CUTS: [Verb; 10] = [
    Verb::RevokeSessions,
    Verb::RevokeTokens,
    Verb::RevokeGrants,
    Verb::RotateSecret,
    Verb::DisableCredential,
    Verb::DisableIdentity,
    Verb::RestrictPrivilege,
    Verb::IsolateWorkload,
    Verb::FreezePipeline,
    Verb::PauseAgent,
];

/// Judges every identity; the greatest risk comes first.
pub fn of_all(inventory: &Inventory, means: &Means, now: Timestamp) -> Vec<Readiness> {
    let cards = || inventory.identities().values();
    let mut pairs = Vec::new();
    let counts: Vec<usize> = cards()
        .map(|card| {
            let before = pairs.len();
            pairs.extend(ways_back(inventory, card));
            pairs.len() - before
        })
        .collect();
    let reaches = inventory.graph().reaches(&pairs);
    let mut reached = pairs.iter().zip(reaches);
    let mut all = Vec::with_capacity(counts.len());
    for (card, count) in cards().zip(counts) {
        let in_reach = reached.by_ref().take(count).filter(|(_, reached)| *reached);
        let in_reach: Vec<NodeIx> = in_reach.map(|((_, path), _)| *path).collect();
        all.push(judge(inventory, card, (means, &in_reach), now));
    }
    all.sort_by(|a, b| b.risk.cmp(&a.risk).then_with(|| a.id.cmp(&b.id)));
    all
}

/// Judges one identity.
pub fn of(inventory: &Inventory, card: &Identity, means: &Means, now: Timestamp) -> Readiness {
    let pairs = ways_back(inventory, card);
    let reached = pairs.iter().zip(inventory.graph().reaches(&pairs));
    let in_reach: Vec<NodeIx> = reached
        .filter_map(|((_, path), reached)| reached.then_some(*path))
        .collect();
    judge(inventory, card, (means, &in_reach), now)
}

/// Returns an identity with each of its recovery paths on the map.
fn ways_back(inventory: &Inventory, card: &Identity) -> Vec<(NodeIx, NodeIx)> {
    let graph = inventory.graph();
    let Some(own) = graph.find(&NodeId::from(&card.id)) else {
        return Vec::new();
    };
    let paths = graph.recovery_paths(own, Limits::FULL);
    paths.into_iter().map(|path| (own, path)).collect()
}

/// Judges one identity; `in_reach` are its recovery paths that who holds it gets to.
fn judge(
    inventory: &Inventory,
    card: &Identity,
    (means, in_reach): (&Means, &[NodeIx]),
    now: Timestamp,
) -> Readiness {
    let mut gaps = Vec::new();
    cuts(card, means, &mut gaps);
    let flags = inventory.flags(card, now);
    people(card, &flags, &mut gaps);
    credentials(card, means, &flags, &mut gaps);
    recovery(inventory, card, in_reach, &mut gaps);
    entitlements(card, &mut gaps);
    gaps.sort_by_key(|g| std::cmp::Reverse(g.kind.weight()));
    let verdict = match gaps.as_slice() {
        [] => Verdict::Ready,
        gaps if gaps.iter().any(|g| g.kind.is_fatal()) => Verdict::Not,
        _ => Verdict::Partly,
    };
    let reach = reach(card);
    let sum: u32 = gaps.iter().map(|g| g.kind.weight()).sum();
    Readiness {
        id: card.id.clone(),
        name: card.name.clone(),
        verdict,
        risk: reach.saturating_mul(sum),
        reach,
        gaps,
    }
}

fn gap(kind: GapKind, what: impl Into<String>, fix: impl Into<String>) -> Gap {
    Gap {
        kind,
        what: what.into(),
        fix: fix.into(),
    }
}

/// Returns the most that it may do; `None` where nobody says.
pub fn most(card: &Identity) -> Option<Level> {
    let of = |scope: &super::identity::Scope| {
        let privileged = scope.privileged.then_some(Level::Admin);
        scope.level.or(privileged)
    };
    card.scopes.iter().filter_map(of).max()
}

fn reach(card: &Identity) -> u32 {
    let privilege = match most(card) {
        Some(Level::Read) => 1,
        Some(Level::Write) | None => 2,
        Some(Level::SecretReading | Level::Admin) => 3,
    };
    let criticality = match card.criticality {
        Some(Criticality::Low) => 0,
        Some(Criticality::Medium) | None => 1,
        Some(Criticality::High) => 2,
        Some(Criticality::BusinessCritical) => 3,
    };
    1 + privilege + criticality + u32::from(card.driver == Driver::Autonomous)
}

/// Looks for something that can cut it off, take that back, and read it back.
fn cuts(card: &Identity, means: &Means, gaps: &mut Vec<Gap>) {
    let Some(name) = &card.connector else {
        return gaps.push(gap(
            GapKind::NoConnector,
            "no connector is named",
            "set `connector` on the identity or its source, or agree on a procedure with its owner",
        ));
    };
    let shown = show(name);
    let Some(acts) = means.capabilities.get(name) else {
        return gaps.push(gap(
            GapKind::ConnectorMissing,
            format!("connector `{shown}` is not configured"),
            format!("add [connector.{shown}] to the configuration"),
        ));
    };
    let cuts: Vec<Verb> = CUTS
        .into_iter()
        .filter(|verb| acts.contains_key(verb))
        .collect();
    if cuts.is_empty() {
        return gaps.push(gap(
            GapKind::NoCut,
            format!("connector `{shown}` can look, but cut nothing off"),
            "use a connector with an action that ends sessions, turns off or rotates",
        ));
    }
    if let Some(why) = means.refused.get(&card.id) {
        gaps.push(gap(
            GapKind::NoPermission,
            format!("the provider refuses the console's own account: {why}"),
            format!("give the account of [connector.{shown}] the right to read and act on it"),
        ));
    }
    let needs = means.needs.get(name).map_or(&[][..], Vec::as_slice);
    for parameter in needs.iter().filter(|p| !card.params.contains_key(*p)) {
        gaps.push(gap(
            GapKind::NoParameter,
            format!("connector `{shown}` needs `{}` of it", show(parameter)),
            format!("set `params.{}` on the identity", show(parameter)),
        ));
    }
    if cuts.iter().all(|v| acts[v].irreversible.is_some()) {
        gaps.push(gap(
            GapKind::NoUndo,
            "nothing that cuts it off can be taken back",
            "add an action with an undo to the connector, such as disabling instead of deleting",
        ));
    }
    let unread = |verb: &Verb| means.unverified.contains(&(name.clone(), *verb));
    if let Some(verb) = cuts.iter().copied().find(|v| unread(v)) {
        gaps.push(gap(
            GapKind::NoVerify,
            format!("`{verb}` is not read back, so it is never proven"),
            "add `verify` to the action",
        ));
    }
}

/// Looks for somebody to ask.
fn people(card: &Identity, flags: &[Flag], gaps: &mut Vec<Gap>) {
    for flag in flags {
        let (kind, fix) = match flag.kind {
            FlagKind::NoOwner => (
                GapKind::NoOwner,
                "name a business and a technical owner in a source",
            ),
            FlagKind::OrphanedOwner => (
                GapKind::OrphanedOwner,
                "hand it to a team that exists, or declare the team",
            ),
            _ => continue,
        };
        gaps.push(gap(kind, flag.reason.clone(), fix));
    }
    if card.on_call.is_none() && card.contact.is_none() {
        gaps.push(gap(
            GapKind::NoContact,
            "nobody is named who can be reached now",
            "set `on_call` and `contact` on it, or on its owner's [[team]]",
        ));
    }
}

fn credentials(card: &Identity, means: &Means, flags: &[Flag], gaps: &mut Vec<Gap>) {
    for flag in flags {
        let (kind, fix) = match flag.kind {
            FlagKind::HardCoded => (
                GapKind::HardCoded,
                "move it into a secrets manager and rotate it; until then name every consumer",
            ),
            FlagKind::Shared => (
                GapKind::Shared,
                "give every identity its own, so that one can be cut off without the others",
            ),
            _ => continue,
        };
        gaps.push(gap(kind, flag.reason.clone(), fix));
    }
    let acts = card
        .connector
        .as_ref()
        .and_then(|c| means.capabilities.get(c));
    // Without any act at all the gap is told already.
    let Some(acts) = acts else { return };
    let turns_off = [
        Verb::DisableCredential,
        Verb::RotateSecret,
        Verb::DisableIdentity,
    ]
    .iter()
    .any(|verb| acts.contains_key(verb));
    let live = |c: &&super::identity::Credential| c.enabled != Some(false);
    for credential in card.credentials.iter().filter(live) {
        if !turns_off && credential.offboarding.is_none() {
            gaps.push(gap(
                GapKind::CredentialStays,
                format!(
                    "{} cannot be turned off or replaced from here, and no procedure says how",
                    credential.id.show()
                ),
                "add such an action to the connector, or an [[offboarding]] procedure for its class",
            ));
        }
    }
}

/// Looks for ways back in that whoever holds the identity has.
fn recovery(inventory: &Inventory, card: &Identity, in_reach: &[NodeIx], gaps: &mut Vec<Gap>) {
    let graph = inventory.graph();
    let mut lost: BTreeMap<String, &str> = BTreeMap::new();
    for path in &card.recovery {
        let is_own = path.kind.as_ref().is_some_and(|k| k.raw() == "self_grant");
        let why = match path.state {
            RecoveryState::Compromised => "is in the wrong hands",
            RecoveryState::Open if is_own => "can be used by the identity itself",
            _ => continue,
        };
        let label = graph
            .node(&recovery_id(graph, &card.id, path))
            .map_or(&path.id, |n| &n.label);
        lost.insert(label.show().into_owned(), why);
    }
    for path in in_reach {
        let label = graph.at(*path).map(|n| n.label.show().into_owned());
        lost.entry(label.unwrap_or_default())
            .or_insert("is within its reach");
    }
    for (label, why) in lost {
        gaps.push(gap(
            GapKind::RecoveryInReach,
            format!("recovery path {label} {why}"),
            "close it, or guard it by somebody else's consent, before or while cutting off",
        ));
    }
}

/// Looks for rights that nobody needs, or nobody knows.
fn entitlements(card: &Identity, gaps: &mut Vec<Gap>) {
    if card.scopes.is_empty() {
        return gaps.push(gap(
            GapKind::ScopesUnknown,
            "nobody says what it may do",
            "add a source that lists its roles or scopes",
        ));
    }
    let unused: Vec<&super::identity::Scope> = card
        .scopes
        .iter()
        .filter(|s| s.used == Some(false))
        .collect();
    let Some(worst) = unused.iter().max_by_key(|s| (s.privileged, s.level)) else {
        return;
    };
    let more = match unused.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let privileged = if worst.privileged { ", privileged" } else { "" };
    gaps.push(gap(
        GapKind::TooBroad,
        format!(
            "it may `{}`{privileged}{more}, and never did",
            worst.name.show()
        ),
        "take the unused rights away",
    ));
}

#[cfg(test)]
mod tests;
