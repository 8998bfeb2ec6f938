//! The debt board: everything temporary that somebody must end, with owner, age, end, and what is exposed meanwhile.

use jiff::{SignedDuration, Timestamp};

use super::authority::{Authority, Role};
use super::coverage::{CellState, WireOutcome};
use super::decision::{Act, Decisions, PlanState};
use super::hold::{Ending, Hold};
use super::ids::{AlertId, IdentityId, PlanDigest};
use super::plan::{PlanStep, Undo};
use super::vocabulary::{Verb, words};

words! {
    /// What is temporary.
    DebtKind {
        /// A containment is delayed.
        Hold = "hold",
        /// Something is blocked that people need otherwise.
        Block = "block",
        /// A pipeline or an agent stands still.
        Freeze = "freeze",
        /// An account or a key is off.
        Lock = "lock",
        /// Somebody who is trusted again is watched.
        Probation = "probation",
        /// Somebody acted alone, and nobody else looked at it yet.
        Review = "review",
    }
}

/// How long a control may stand before its owner is asked whether it must, in seconds (24 h).
pub const LOOK_AGAIN_S: i64 = 24 * 60 * 60;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// What it is.
    pub kind: DebtKind,
    /// Its name: of a hold; else the beginning of the plan's digest and the step.
    pub id: String,
    /// For which alert; `None` for probations that name none.
    pub alert: AlertId,
    /// About whom.
    pub identity: Option<IdentityId>,
    /// Who must end it.
    pub owner: String,
    /// Since when.
    pub since: Timestamp,
    /// When it ends, or somebody must look at it again.
    pub until: Timestamp,
    /// What it is, in words.
    pub what: String,
    /// What happens then.
    pub next: String,
    /// What is exposed, or interrupted, meanwhile.
    pub meanwhile: String,
}

impl Debt {
    /// Tells whether its time is over.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.until <= now
    }
}

/// Lists them, what ends first first.
pub fn debts(decisions: &Decisions, authority: Option<&Authority>, now: Timestamp) -> Vec<Debt> {
    let mut debts: Vec<Debt> = Vec::new();
    let open = decisions.holds.all().filter(|h| h.ended.is_none());
    debts.extend(open.map(|hold| held(decisions, authority, hold)));
    for (digest, state) in decisions.plans() {
        for step in state.plan.steps.iter().filter(|s| kind_of(s).is_some()) {
            let act = decisions.act_of(digest, &step.id);
            let standing = act.filter(|act| stands(decisions, act, digest));
            debts.extend(standing.and_then(|act| control(state, step, act)));
        }
    }
    for (digest, glass) in decisions.broken() {
        if authority.is_none_or(|a| !a.reviewed(glass)) {
            debts.push(Debt {
                kind: DebtKind::Review,
                id: digest.short().to_owned(),
                alert: glass.alert.clone(),
                identity: decisions
                    .plan(digest.as_str())
                    .map(|(_, s)| s.plan.identity.clone()),
                owner: glass.actor.clone(),
                since: glass.at,
                until: glass.at,
                what: format!("acted alone: {}", glass.reason),
                next: "somebody else reviews it; nobody acts alone before".to_owned(),
                meanwhile: "nobody else looked at what was done".to_owned(),
            });
        }
    }
    for id in decisions.holds.on_probation(now) {
        let way = decisions.holds.way_back(id);
        let Some((said, until)) = way.and_then(|w| w.restored.as_ref()) else {
            continue;
        };
        debts.push(Debt {
            kind: DebtKind::Probation,
            id: id.as_str().to_owned(),
            alert: AlertId::new(""),
            identity: Some(id.clone()),
            owner: said.actor.clone(),
            since: said.at,
            until: *until,
            what: format!("trusted again: {}", said.reason),
            next: "an alert about it before then: contain it again".to_owned(),
            meanwhile: "it works, and is watched".to_owned(),
        });
    }
    debts.sort_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)));
    debts
}

fn held(decisions: &Decisions, authority: Option<&Authority>, hold: &Hold) -> Debt {
    let next = match hold.ending {
        Ending::Contain => format!("runs {}", hold.playbook.as_deref().unwrap_or("nothing")),
        Ending::Page => "everybody is told".to_owned(),
        Ending::ReAsk => "its owner decides anew".to_owned(),
    };
    let contains = |a: &&Act| {
        let acts = !a.intent.undo && a.intent.verb != Verb::PreserveEvidence;
        acts && a.cell() == CellState::Proven
    };
    let meanwhile = match decisions.acts_for(&hold.alert).filter(contains).count() {
        0 => "whoever holds it keeps everything".to_owned(),
        n => format!("{n} steps are proven; what they leave stays open"),
    };
    let by = agreed(authority, hold).unwrap_or_else(|| "NOBODY AGREED".to_owned());
    Debt {
        kind: DebtKind::Hold,
        id: hold.id.clone(),
        alert: hold.alert.clone(),
        identity: hold.identity.clone(),
        owner: hold.by.actor.clone(),
        since: hold.by.at,
        until: hold.until,
        what: format!("{} ({by})", hold.by.reason),
        next,
        meanwhile,
    }
}

/// Says who agreed to a hold: another person who may; without a roster nobody is asked.
pub fn agreed(authority: Option<&Authority>, hold: &Hold) -> Option<String> {
    let Some(Authority { roster, .. }) = authority else {
        return Some("nobody is asked".to_owned());
    };
    let own = hold.by.signer.as_deref().unwrap_or_default();
    let said = hold.agreed.iter().filter(|said| said.at < hold.until);
    let keys = said.filter_map(|said| said.signer.as_deref());
    let mut others = keys.filter(|key| !roster.same_person(key, own));
    let who = others.find_map(|key| roster.has_role(key, Role::Approver).ok())?;
    Some(format!("{} agreed", who.name))
}

fn kind_of(step: &PlanStep) -> Option<DebtKind> {
    if !matches!(step.undo, Undo::Requests { .. }) {
        return None;
    }
    Some(match step.verb {
        Verb::FreezePipeline | Verb::PauseAgent => DebtKind::Freeze,
        Verb::DisableIdentity
        | Verb::DisableCredential
        | Verb::IsolateMailbox
        | Verb::IsolateWorkload => DebtKind::Lock,
        _ => DebtKind::Block,
    })
}

fn control(state: &PlanState, step: &PlanStep, act: &Act) -> Option<Debt> {
    let until = act
        .last
        .checked_add(SignedDuration::from_secs(LOOK_AGAIN_S));
    let meanwhile = match step.breaks.as_str() {
        "" => "nothing is interrupted by itself".to_owned(),
        breaks => breaks.to_owned(),
    };
    Some(Debt {
        kind: kind_of(step)?,
        id: format!("{}/{}", act.intent.digest.short(), step.id),
        alert: state.plan.alert.clone(),
        identity: Some(state.plan.identity.clone()),
        owner: act.actor.clone(),
        since: act.last,
        until: until.unwrap_or(act.last),
        what: step.title.clone(),
        next: "somebody says whether it must stand; restore or undo lifts it".to_owned(),
        meanwhile,
    })
}

/// Returns the controls on an identity that stand: proven, reversible, not taken back; the last first, as they are lifted.
pub fn controls<'d>(
    decisions: &'d Decisions,
    identity: &'d IdentityId,
) -> impl Iterator<Item = (&'d PlanState, &'d PlanStep, &'d Act)> {
    let acts = decisions.acts_on(identity).filter(|act| !act.intent.undo);
    acts.rev().filter_map(|act| {
        let (digest, state) = decisions.plan(act.intent.digest.as_str())?;
        let step = state.plan.step(&act.intent.step)?;
        kind_of(step)?;
        stands(decisions, act, digest).then_some((state, step, act))
    })
}

fn stands(decisions: &Decisions, act: &Act, digest: &PlanDigest) -> bool {
    let undone = decisions.undo_of(digest, &act.intent.step);
    let in_force = matches!(act.cell(), CellState::Proven | CellState::Requested);
    in_force && undone.is_none_or(|undo| undo.cell() != CellState::Proven)
}

/// Whether somebody may rely on an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing was done to it.
    Untouched,
    /// It was contained, and nobody trusts it again yet.
    Untrusted {
        /// Since when.
        since: Timestamp,
    },
    /// Trusted again, and watched.
    Probation {
        /// Until when.
        until: Timestamp,
    },
    /// Trusted again.
    Restored {
        /// Since when.
        at: Timestamp,
    },
}

impl std::fmt::Display for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |at: &Timestamp| at.strftime("%F %H:%MZ").to_string();
        match self {
            Self::Untouched => f.write_str("never contained"),
            Self::Untrusted { since } => write!(f, "UNTRUSTED since {}", time(since)),
            Self::Probation { until } => write!(f, "on PROBATION until {}", time(until)),
            Self::Restored { at } => write!(f, "trusted again since {}", time(at)),
        }
    }
}

/// Tells whether somebody may rely on an identity: not since it was contained, until it is trusted again.
pub fn trust(decisions: &Decisions, identity: &IdentityId, now: Timestamp) -> Trust {
    let way = decisions.holds.way_back(identity);
    let restored = way.and_then(|way| way.restored.as_ref());
    let touches = |act: &&Act| {
        let sent = act.outcome.as_ref().map(|o| o.outcome) != Some(WireOutcome::NotSent);
        let contains = act.intent.verb != Verb::PreserveEvidence && !act.intent.verb.is_manual();
        sent && contains && !act.intent.undo
    };
    let since = |act: &&Act| restored.is_none_or(|(said, _)| act.at > said.at);
    let mut acts = decisions.acts_on(identity).filter(touches).filter(since);
    match (acts.next(), restored) {
        (Some(first), _) => Trust::Untrusted { since: first.at },
        (None, Some((_, until))) if now < *until => Trust::Probation { until: *until },
        (None, Some((said, _))) => Trust::Restored { at: said.at },
        (None, None) => Trust::Untouched,
    }
}
