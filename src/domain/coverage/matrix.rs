//! The coverage matrix of an alert: layer by node, what is proven, and what whoever holds the identity still has, until
//! when (`REQUIREMENTS` rows 52 and 53).
//!
//! It is a fold over decisions alone: read-backs, undos, what plans said to leave, what people found by hand, and risks
//! that somebody took on themselves with a reason.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::linked::{self, Linked};
use super::{CellName, CellState};
use crate::domain::decision::{Act, Decision, DecisionKind, Decisions};
use crate::domain::handoff;
use crate::domain::ids::{AlertId, IdentityId, NodeId, PlanDigest};
use crate::domain::inventory::Inventory;
use crate::domain::overlap::{self, Later};
use crate::domain::plan::{Plan, PlanStep, Residual};
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Layer, Verb};

/// What the matrix is made from.
pub struct Facts<'a> {
    /// What everybody decided and did.
    pub decisions: &'a Decisions,
    /// Who is linked with whom.
    pub inventory: &'a Inventory,
    /// Identities that were made through the one at hand since it was exposed.
    pub born: &'a [IdentityId],
    /// Whose matrix.
    pub alert: &'a AlertId,
    /// Plans that are being carried out now: what they sent may still be answered.
    pub running: &'a dyn Fn(&PlanDigest) -> bool,
    /// For countdowns.
    pub now: Timestamp,
}

/// A risk that somebody took on instead of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Which.
    #[serde(flatten)]
    pub name: CellName,
    /// What people call the node.
    pub label: Untrusted,
    /// What is known.
    pub state: CellState,
    /// From what, in words; shown text.
    pub says: String,
    /// Until when what it leaves is good at most; `None` where nothing ends by itself.
    pub until: Option<Timestamp>,
    /// The risk of it is somebody's.
    pub accepted: Option<Accepted>,
}

impl Cell {
    /// Tells whether an alert cannot be closed as contained because of this cell.
    pub const fn blocks(&self) -> bool {
        let open = matches!(
            self.state,
            CellState::Unknown | CellState::Failed | CellState::Open | CellState::Requested
        );
        open && self.accepted.is_none()
    }

    /// Tells whether the state follows from a check that people do, so that people say how it came out.
    pub const fn is_by_hand(&self) -> bool {
        matches!(self.state, CellState::HandedOff)
            || matches!(self.name.layer, Layer::Siblings | Layer::Recovery)
    }

    /// Returns how many seconds are left until what it leaves has run out, if that is still to come.
    pub fn left_s(&self, now: Timestamp) -> Option<i64> {
        let left = self.until?.as_second() - now.as_second();
        (left > 0).then_some(left)
    }

    /// Names it for people: `tokens of svc-a is unknown`.
    pub fn in_words(&self) -> String {
        format!(
            "{} of {} {}",
            self.name.layer,
            self.label.show(),
            self.state.words()
        )
    }
}

/// The whole matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Identities that were contained, in the order of that, then what is linked with them.
    pub nodes: Vec<(NodeId, Untrusted)>,
    /// How many of the nodes were contained.
    pub contained: usize,
    /// Cells about which anything is known or to be found out, by node and layer.
    pub cells: Vec<Cell>,
    /// Linked nodes that are not listed, because there are too many.
    pub more: usize,
}

impl Coverage {
    /// Finds a cell.
    pub fn cell(&self, node: &NodeId, layer: Layer) -> Option<&Cell> {
        let wanted = |c: &&Cell| c.name.node == *node && c.name.layer == layer;
        self.cells.iter().find(wanted)
    }

    /// Returns the cells because of which the alert cannot be closed as contained, the worst first.
    pub fn blocking(&self) -> Vec<&Cell> {
        let mut blocking: Vec<&Cell> = self.cells.iter().filter(|c| c.blocks()).collect();
        blocking.sort_by_key(|c| std::cmp::Reverse(rank(c.state)));
        blocking
    }

    /// Returns the cells that people were asked to look at and nobody has answered for.
    pub fn to_check(&self) -> impl Iterator<Item = &Cell> {
        let open = |c: &&Cell| c.state == CellState::HandedOff && c.accepted.is_none();
        self.cells.iter().filter(open)
    }

    /// Says why the alert cannot be closed as contained, naming cells; `None` when it can.
    pub fn refusal(&self) -> Option<String> {
        const NAMED: usize = 3;
        let blocking = self.blocking();
        let named: Vec<String> = blocking.iter().take(NAMED).map(|c| c.in_words()).collect();
        let more = match blocking.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        (!named.is_empty()).then(|| format!("{}{more}", named.join(", ")))
    }
}

/// How bad a state is: the worst of a cell's parts stands for it.
const fn rank(state: CellState) -> u8 {
    match state {
        CellState::Failed => 6,
        CellState::Unknown => 5,
        CellState::Open => 4,
        CellState::Requested => 3,
        CellState::HandedOff => 2,
        CellState::NotContainable => 1,
        CellState::Proven => 0,
    }
}

/// Which layer a verb closes that people carry out; the connector says it for all others.
pub const fn by_hand(verb: Verb) -> Option<Layer> {
    Some(match verb {
        Verb::RevokeSessions | Verb::IsolateMailbox => Layer::Sessions,
        Verb::RevokeTokens => Layer::Tokens,
        Verb::RevokeGrants => Layer::Grants,
        Verb::RotateSecret
        | Verb::RetireCredential
        | Verb::DisableCredential
        | Verb::DisableIdentity => Layer::Credentials,
        Verb::RestrictPrivilege | Verb::BlockAction | Verb::UnbindTool => Layer::Permissions,
        Verb::IsolateWorkload | Verb::BlockNetwork | Verb::PauseAgent => Layer::Workload,
        Verb::FreezePipeline => Layer::Pipeline,
        Verb::ProtectRecovery => Layer::Recovery,
        Verb::PreserveEvidence
        | Verb::ReviewSessions
        | Verb::Watch
        | Verb::CheckLinked
        | Verb::IssueCredential
        | Verb::NotifyOwner
        | Verb::OpenTicket => return None,
    })
}

/// One cell on its way, with the time of what it rests on.
struct Draft {
    state: CellState,
    says: String,
    until: Option<Timestamp>,
    at: Timestamp,
}

impl Draft {
    fn worse(&mut self, other: Self) {
        let at = self.at.max(other.at);
        if rank(other.state) > rank(self.state) {
            *self = other;
        }
        self.at = at;
    }
}

type Drafts = BTreeMap<(NodeId, Layer), Draft>;

/// Makes the matrix. Nothing was contained where it has no nodes.
pub fn coverage(facts: &Facts<'_>) -> Coverage {
    let mut of: Vec<(&IdentityId, Vec<&Act>)> = Vec::new();
    for act in facts.decisions.acts_for(facts.alert) {
        if !act.intent.verb.contains() {
            continue;
        }
        match of.iter_mut().find(|(id, _)| **id == act.intent.identity) {
            Some((_, acts)) => acts.push(act),
            None => of.push((&act.intent.identity, vec![act])),
        }
    }
    // Where only a new credential was issued yet, the old ones are open.
    for later in overlaps_of(facts) {
        let identity = &later.state.plan.identity;
        if !of.iter().any(|(id, _)| *id == identity) {
            of.push((identity, Vec::new()));
        }
    }
    let mut drafts = Drafts::new();
    let mut found = Coverage::default();
    for (identity, acts) in &of {
        let node = NodeId::from(*identity);
        let label = label_of(facts, identity, acts);
        contained(facts, &node, acts, &mut drafts);
        found.nodes.push((node, label));
    }
    found.contained = found.nodes.len();
    for (identity, _) in &of {
        links(facts, identity, &mut found, &mut drafts);
    }
    if !found.nodes.is_empty() {
        born(facts, &mut found, &mut drafts);
    }
    found_by_hand(facts, &mut found, &mut drafts);
    let labels: BTreeMap<&NodeId, &Untrusted> = found.nodes.iter().map(|(n, l)| (n, l)).collect();
    let order: BTreeMap<&NodeId, usize> = found
        .nodes
        .iter()
        .enumerate()
        .map(|(i, (n, _))| (n, i))
        .collect();
    let mut cells: Vec<Cell> = drafts
        .into_iter()
        .filter_map(|((node, layer), draft)| {
            let label = (*labels.get(&node)?).clone();
            let name = CellName { node, layer };
            Some(Cell {
                accepted: accepted(facts, &name, draft.at),
                name,
                label,
                state: draft.state,
                says: draft.says,
                until: draft.until,
            })
        })
        .collect();
    cells.sort_by_key(|c| (order.get(&c.name.node).copied(), c.name.layer));
    found.cells = cells;
    found
}

fn label_of(facts: &Facts<'_>, identity: &IdentityId, acts: &[&Act]) -> Untrusted {
    let listed = facts.inventory.identity(identity).map(|i| i.name.clone());
    let planned = || {
        let act = acts.last()?;
        let (_, state) = facts.decisions.plan(act.intent.digest.as_str())?;
        Some(state.plan.identity_name.clone())
    };
    listed
        .or_else(planned)
        .unwrap_or_else(|| Untrusted::new(identity.as_str()))
}

/// What acts on one identity, oldest first, come to.
fn contained(facts: &Facts<'_>, node: &NodeId, acts: &[&Act], drafts: &mut Drafts) {
    let mut latest: BTreeMap<Verb, (Option<&Act>, Option<&Act>)> = BTreeMap::new();
    for act in acts {
        let pair = latest.entry(act.intent.verb).or_default();
        if act.intent.undo {
            pair.1 = Some(act);
        } else {
            *pair = (Some(act), None);
        }
    }
    for (done, undone) in latest.into_values() {
        let Some(act) = done.or(undone) else { continue };
        let Some((_, state)) = facts.decisions.plan(act.intent.digest.as_str()) else {
            continue;
        };
        let Some(step) = state.plan.step(&act.intent.step) else {
            continue;
        };
        let draft = stands(facts, &state.plan, step, act, undone);
        let cell = drafts.entry((node.clone(), step.layer));
        cell.and_modify(|d| d.worse(copy(&draft))).or_insert(draft);
    }
    overlaps(facts, node, drafts);
    let last = acts.last().and_then(|act| {
        let (_, state) = facts.decisions.plan(act.intent.digest.as_str())?;
        Some((&state.plan, act.last))
    });
    let Some((plan, at)) = last else { return };
    handed(facts, node, drafts);
    for residual in &plan.residual {
        leaves(facts, node, residual, at, drafts);
    }
}

fn copy(draft: &Draft) -> Draft {
    Draft {
        state: draft.state,
        says: draft.says.clone(),
        until: draft.until,
        at: draft.at,
    }
}

/// How one act stands, with what may have taken it back.
fn stands(
    facts: &Facts<'_>,
    plan: &Plan,
    step: &PlanStep,
    act: &Act,
    undone: Option<&Act>,
) -> Draft {
    let said = |act: &Act| {
        let read = act.verify.as_ref().map(|v| v.says.clone());
        let failed = || act.outcome.as_ref().and_then(|o| o.error.clone());
        show(&read.or_else(failed).unwrap_or_default()).into_owned()
    };
    let draft = |state, says: String, at| Draft {
        state,
        says,
        until: None,
        at,
    };
    let title = show(&step.title).into_owned();
    if let Some(undo) = undone {
        match undo.cell() {
            CellState::Proven => {
                return draft(CellState::Open, format!("taken back: {title}"), undo.last);
            }
            // Not taken back: what was done before still holds.
            CellState::Failed => {}
            _ => {
                let says = format!("nobody knows whether it was taken back: {title}");
                return draft(CellState::Unknown, says, undo.last);
            }
        }
    }
    let state = act.cell();
    if act.outcome.is_none() && (facts.running)(&act.intent.digest) {
        return draft(
            CellState::Requested,
            format!("under way: {title}"),
            act.last,
        );
    }
    // An answer is no proof, and here nothing can be read back.
    if state == CellState::Requested && step.verify.is_none() {
        let why = plan
            .residual
            .iter()
            .find(|r| r.layer == step.layer && r.at_most_s.is_none());
        let why = why.map_or_else(
            || "the provider has no read-back for it".to_owned(),
            |r| show(&r.text).into_owned(),
        );
        return draft(CellState::Unknown, format!("{title}; {why}"), act.last);
    }
    let says = said(act);
    let says = if says.is_empty() { title } else { says };
    draft(state, says, act.last)
}

/// Steps that people of a team do.
fn handed(facts: &Facts<'_>, node: &NodeId, drafts: &mut Drafts) {
    for (at, _, decision) in facts.decisions.of_alert(facts.alert) {
        let Some((plan, step)) = handed_step(facts, decision) else {
            continue;
        };
        let Some(layer) = by_hand(step.verb).filter(|_| NodeId::from(&plan.identity) == *node)
        else {
            continue;
        };
        let answer = decision.plan.as_ref();
        let answer = answer.and_then(|d| handoff::answer(d, plan, step, facts.decisions));
        let answer = answer.map(|done| done.line());
        let title = show(&step.title);
        let draft = Draft {
            state: CellState::HandedOff,
            // Whoever looks says whether it holds; what the team says is no proof.
            says: answer.map_or_else(|| title.clone().into_owned(), |a| format!("{a} ({title})")),
            until: None,
            at: *at,
        };
        let cell = drafts.entry((node.clone(), layer));
        cell.and_modify(|d| d.worse(copy(&draft))).or_insert(draft);
    }
}

fn overlaps_of<'f>(facts: &Facts<'f>) -> impl Iterator<Item = Later<'f>> {
    let (decisions, alert) = (facts.decisions, facts.alert);
    let plans = decisions.plans_of(alert);
    plans.flat_map(move |(digest, state)| overlap::of_plan(decisions, digest, state))
}

/// Old credentials that work beside a new one until a step turns them off.
fn overlaps(facts: &Facts<'_>, node: &NodeId, drafts: &mut Drafts) {
    for later in overlaps_of(facts) {
        if NodeId::from(&later.state.plan.identity) != *node
            || later.tried.is_some()
            || later.by_hand
        {
            continue;
        }
        let title = show(&later.step.title);
        let (says, until) = match later.kept {
            Some((_, who, why)) => (
                format!("{} stopped it: {}: {title}", show(who), show(why)),
                None,
            ),
            None => (format!("still to come: {title}"), Some(later.until)),
        };
        let draft = Draft {
            state: CellState::Open,
            says,
            until,
            at: later.since,
        };
        let cell = drafts.entry((node.clone(), later.step.layer));
        cell.and_modify(|d| d.worse(copy(&draft))).or_insert(draft);
    }
}

fn handed_step<'f>(facts: &Facts<'f>, decision: &Decision) -> Option<(&'f Plan, &'f PlanStep)> {
    let handed = decision.kind == DecisionKind::HandOver;
    let digest = decision.plan.as_ref().filter(|_| handed)?;
    let (_, state) = facts.decisions.plan(digest.as_str())?;
    Some((&state.plan, state.plan.step(decision.step.as_ref()?)?))
}

/// What the last plan said to leave.
fn leaves(
    facts: &Facts<'_>,
    node: &NodeId,
    residual: &Residual,
    at: Timestamp,
    drafts: &mut Drafts,
) {
    let text = show(&residual.text).into_owned();
    let until = residual.at_most_s.map(|s| {
        let s = i64::try_from(s).unwrap_or(i64::MAX);
        at.checked_add(SignedDuration::from_secs(s))
            .unwrap_or(Timestamp::MAX)
    });
    let cell = drafts.entry((node.clone(), residual.layer));
    match until {
        // Nothing here can end it, and it ends by itself.
        Some(until) => {
            let left = Draft {
                state: CellState::NotContainable,
                says: text,
                until: Some(until),
                at,
            };
            cell.and_modify(|d| {
                if facts.now < until {
                    d.worse(copy(&left));
                }
                d.until = d.until.max(Some(until));
            })
            .or_insert(left);
        }
        // What a proof closed is closed.
        None => {
            cell.or_insert(Draft {
                state: CellState::Open,
                says: text,
                until: None,
                at,
            });
        }
    }
}

/// What is linked with an identity, to be looked at.
fn links(facts: &Facts<'_>, identity: &IdentityId, found: &mut Coverage, drafts: &mut Drafts) {
    let Linked { checks, more } = linked::checks(facts.inventory, identity);
    found.more += more;
    for check in checks {
        to_check(
            found,
            drafts,
            check.node,
            check.label,
            check.layer,
            check.asks,
        );
    }
}

/// Whoever was made through a contained identity is a way back in.
fn born(facts: &Facts<'_>, found: &mut Coverage, drafts: &mut Drafts) {
    for identity in facts.born {
        let card = facts.inventory.identity(identity);
        let label = card.map_or_else(|| Untrusted::new(identity.as_str()), |i| i.name.clone());
        let asks = "was made through it since it was exposed: a way back in until it is contained or explained";
        let node = NodeId::from(identity);
        to_check(found, drafts, node, label, Layer::Recovery, asks.to_owned());
    }
}

fn to_check(
    found: &mut Coverage,
    drafts: &mut Drafts,
    node: NodeId,
    label: Untrusted,
    layer: Layer,
    asks: String,
) {
    match found.nodes.iter().position(|(known, _)| *known == node) {
        // Whoever was contained here as well answers for itself.
        Some(at) if at < found.contained => return,
        Some(_) => {}
        None => found.nodes.push((node.clone(), label)),
    }
    drafts.entry((node, layer)).or_insert(Draft {
        state: CellState::HandedOff,
        says: asks,
        until: None,
        at: Timestamp::MIN,
    });
}

/// What people found when they looked.
fn found_by_hand(facts: &Facts<'_>, found: &mut Coverage, drafts: &mut Drafts) {
    for (at, by, decision) in facts.decisions.of_alert(facts.alert) {
        let (DecisionKind::Checked, Some(name), Some(state)) =
            (decision.kind, &decision.cell, decision.found)
        else {
            continue;
        };
        let reason = decision.reason.as_deref().unwrap_or_default();
        let draft = Draft {
            state,
            says: format!("looked at by {}: {}", show(by), show(reason)),
            until: None,
            at: *at,
        };
        if !found.nodes.iter().any(|(node, _)| *node == name.node) {
            let label = Untrusted::new(name.node.as_str());
            found.nodes.push((name.node.clone(), label));
        }
        let cell = drafts.entry((name.node.clone(), name.layer));
        // What a read-back said after somebody looked is newer.
        cell.and_modify(|d| {
            if d.at <= *at {
                *d = copy(&draft);
            }
        })
        .or_insert(draft);
    }
}

/// Finds who took the risk of a cell on, unless something happened to it since.
fn accepted(facts: &Facts<'_>, name: &CellName, since: Timestamp) -> Option<Accepted> {
    let all = facts.decisions.of_alert(facts.alert).iter().rev();
    let mut meant =
        all.filter(|(_, _, d)| d.kind == DecisionKind::AcceptRisk && d.cell.as_ref() == Some(name));
    let (at, by, decision) = meant.next()?;
    (*at >= since).then(|| Accepted {
        by: by.clone(),
        at: *at,
        reason: decision.reason.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
