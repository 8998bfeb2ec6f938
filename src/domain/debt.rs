//! The debt board: everything temporary that somebody must end, with owner, age, end, and what is exposed meanwhile.

use jiff::{SignedDuration, Timestamp};

use super::authority::{Authority, Role, who};
use super::coverage::CellState;
use super::decision::{Act, Decisions, PlanState};
use super::hold::{Ending, Hold, WayBack};
use super::ids::{AlertId, IdentityId, PlanDigest};
use super::overlap::{self, Later};
use super::plan::{PlanStep, Undo};
use super::text::show_identifier;
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
        /// An old credential lives beside its successor until everybody uses that.
        Overlap = "overlap",
        /// Somebody who is trusted again is watched.
        Probation = "probation",
        /// Somebody acted alone, and nobody else looked at it yet.
        Review = "review",
    }
}

/// How long a control may stand before its owner is asked whether it must, in seconds (24 h).
pub const LOOK_AGAIN_S: i64 = 24 * 60 * 60;

/// How late something that ends by itself may be before people are told, in seconds.
const LATE_S: i64 = 60;

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
    /// Whether it ends by itself: then people are told only when that is late.
    pub by_itself: bool,
    /// When people were told that it is overdue, and what came of that.
    pub paged: Option<(Timestamp, String)>,
}

impl Debt {
    /// Tells whether its time is over.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.until <= now
    }

    /// Returns the name under which the log keeps that people were told: one of its own for each time it became due.
    pub fn page_key(&self) -> String {
        match self.kind {
            DebtKind::Probation => format!("probation {} since {}", self.id, self.since),
            kind => format!("{kind} {}", self.id),
        }
    }

    /// Tells whether people are to be told: it is overdue, and nobody was told yet. A hold tells by how it ends.
    pub fn is_to_page(&self, now: Timestamp) -> bool {
        let grace = match self.by_itself {
            true => SignedDuration::from_secs(LATE_S),
            false => SignedDuration::ZERO,
        };
        let late = self.until.checked_add(grace).unwrap_or(Timestamp::MAX) <= now;
        late && self.paged.is_none() && self.kind != DebtKind::Hold
    }

    /// Says whether people were told that it is overdue, or that nobody can be; `None` while it is not. `pager` says whether
    /// any connector tells people.
    pub fn told(&self, pager: bool, now: Timestamp) -> Option<String> {
        match &self.paged {
            Some((at, what)) => Some(format!("{}: {what}", at.strftime("%F %H:%MZ"))),
            None if !self.is_overdue(now) => None,
            None if pager => Some("not yet".to_owned()),
            None => Some(NOBODY.to_owned()),
        }
    }
}

/// What tells people, the most direct first.
pub const PAGERS: [Verb; 2] = [Verb::NotifyOwner, Verb::OpenTicket];

/// What is said where nobody can be told.
pub const NOBODY: &str = "NOBODY CAN BE PAGED: no configured connector tells people";

/// Lists them, what ends first first.
pub fn debts(decisions: &Decisions, authority: Option<&Authority>, now: Timestamp) -> Vec<Debt> {
    let mut debts: Vec<Debt> = Vec::new();
    let open = decisions.holds.all().filter(|h| h.ended.is_none());
    debts.extend(open.map(|hold| held(decisions, authority, hold)));
    for (digest, state) in decisions.plans() {
        for step in state.plan.steps.iter().filter(|s| kind_of(s).is_some()) {
            let act = decisions.act_of(digest, &step.id);
            let standing = act.filter(|act| stands(decisions, act, digest));
            debts.extend(standing.and_then(|act| control(authority, state, step, act)));
        }
    }
    debts.extend(overlap::waiting(decisions).map(|later| waits(authority, &later)));
    for (digest, glass) in decisions.broken() {
        if authority.is_none_or(|a| !a.reviewed(glass)) {
            debts.push(Debt {
                kind: DebtKind::Review,
                id: digest.short().to_owned(),
                alert: glass.alert.clone(),
                identity: decisions
                    .plan(digest.as_str())
                    .map(|(_, s)| s.plan.identity.clone()),
                owner: who(authority, glass.signer.as_deref(), &glass.actor),
                since: glass.at,
                until: glass.at,
                what: format!("acted alone: {}", glass.reason),
                next: "somebody else reviews it; nobody acts alone before".to_owned(),
                meanwhile: "nobody else looked at what was done".to_owned(),
                by_itself: false,
                paged: None,
            });
        }
    }
    for id in decisions.holds.on_probation(now) {
        let way = decisions.holds.way_back(id);
        let Some((said, until)) = way.and_then(|w| w.restored.as_ref()) else {
            continue;
        };
        let again = way.and_then(|w| w.again(now));
        let (alert, until, next, meanwhile) = match again {
            Some((alert, proposed)) => (
                alert.clone(),
                proposed.at,
                format!("CONTAIN IT AGAIN: alert {alert}: {}", proposed.reason),
                "it works, and an alert says that it should not",
            ),
            None => (
                AlertId::new(""),
                *until,
                "an alert about it before then: contain it again".to_owned(),
                "it works, and is watched",
            ),
        };
        debts.push(Debt {
            kind: DebtKind::Probation,
            id: id.as_str().to_owned(),
            alert,
            identity: Some(id.clone()),
            owner: who(authority, said.signer.as_deref(), &said.actor),
            since: said.at,
            until,
            what: format!("trusted again: {}", said.reason),
            next,
            meanwhile: meanwhile.to_owned(),
            by_itself: false,
            paged: None,
        });
    }
    for debt in &mut debts {
        let paged = decisions.holds.paged(&debt.page_key());
        debt.paged = paged.map(|said| (said.at, said.reason.clone()));
    }
    debts.sort_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)));
    debts
}

/// A credential that works beside its successor until a step of a plan turns it off.
fn waits(authority: Option<&Authority>, later: &Later<'_>) -> Debt {
    let plan = &later.state.plan;
    let next = match (later.kept, later.tried) {
        (_, Some(act)) => format!(
            "IT WAS TRIED and is {}: somebody ends it: `stanch overlap end {} {} --reason WHY`",
            act.cell().words(),
            later.digest.short(),
            later.step.id
        ),
        (Some((_, who, reason)), None) => {
            format!("nothing by itself, {who} stopped that: {reason}; somebody ends it")
        }
        (None, None) if later.by_hand => format!(
            "{} turns them off by hand; then `stanch hand-off {} --done {} --by WHO --reason TEXT`",
            later.step.team,
            later.digest.short(),
            later.step.id
        ),
        (None, None) => "turned off by itself; `stanch overlap keep` stops that".to_owned(),
    };
    let (signer, actor) = later.by;
    Debt {
        kind: DebtKind::Overlap,
        id: format!("{}/{}", later.digest.short(), later.step.id),
        alert: plan.alert.clone(),
        identity: Some(plan.identity.clone()),
        owner: who(authority, signer, actor),
        since: later.since,
        until: match later.kept {
            Some((at, ..)) => {
                let again = at.checked_add(SignedDuration::from_secs(LOOK_AGAIN_S));
                again.unwrap_or(at)
            }
            None => later.until,
        },
        what: later.step.title.clone(),
        next,
        meanwhile: "the old credentials work beside the new one: whoever has them gets in"
            .to_owned(),
        by_itself: later.kept.is_none() && later.tried.is_none() && !later.by_hand,
        paged: None,
    }
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
        owner: who(authority, hold.by.signer.as_deref(), &hold.by.actor),
        since: hold.by.at,
        until: hold.until,
        what: format!("{} ({by})", hold.by.reason),
        next,
        meanwhile,
        by_itself: false,
        paged: None,
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
        Verb::RotateSecret => DebtKind::Overlap,
        // A new credential, and old ones that nobody needs any more, are what was wanted to last.
        Verb::IssueCredential | Verb::RetireCredential => return None,
        Verb::DisableIdentity
        | Verb::DisableCredential
        | Verb::IsolateMailbox
        | Verb::IsolateWorkload => DebtKind::Lock,
        _ => DebtKind::Block,
    })
}

fn control(
    authority: Option<&Authority>,
    state: &PlanState,
    step: &PlanStep,
    act: &Act,
) -> Option<Debt> {
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
        owner: who(authority, act.signer.as_deref(), &act.actor),
        since: act.last,
        until: until.unwrap_or(act.last),
        what: step.title.clone(),
        next: "somebody says whether it must stand; restore or undo lifts it".to_owned(),
        meanwhile,
        by_itself: false,
        paged: None,
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
        /// By which alert it is proposed to contain it again.
        again: Option<AlertId>,
    },
    /// Trusted again.
    Restored {
        /// Since when.
        at: Timestamp,
    },
}

impl Trust {
    /// Returns one word for a line that has no room for more; none where nobody has to know.
    pub const fn mark(&self) -> Option<&'static str> {
        match self {
            Self::Untouched | Self::Restored { .. } => None,
            Self::Untrusted { .. } => Some("UNTRUSTED"),
            Self::Probation { again: None, .. } => Some("PROBATION"),
            Self::Probation { again: Some(_), .. } => Some("CONTAIN AGAIN?"),
        }
    }

    /// Tells whether it has to be heard, rather than known.
    pub const fn is_loud(&self) -> bool {
        matches!(
            self,
            Self::Untrusted { .. } | Self::Probation { again: Some(_), .. }
        )
    }
}

impl std::fmt::Display for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = |at: &Timestamp| at.strftime("%F %H:%MZ").to_string();
        match self {
            Self::Untouched => f.write_str("never contained"),
            Self::Untrusted { since } => write!(f, "UNTRUSTED since {}", time(since)),
            Self::Probation { until, again: None } => {
                write!(f, "on PROBATION until {}", time(until))
            }
            Self::Probation {
                until,
                again: Some(alert),
            } => write!(
                f,
                "CONTAIN IT AGAIN? alert {} came while on PROBATION until {}",
                show_identifier(alert.as_str()),
                time(until)
            ),
            Self::Restored { at } => write!(f, "trusted again since {}", time(at)),
        }
    }
}

/// Tells whether somebody may rely on an identity: not since it was contained, until it is trusted again.
pub fn trust(decisions: &Decisions, identity: &IdentityId, now: Timestamp) -> Trust {
    let way = decisions.holds.way_back(identity);
    let restored = way.and_then(|way| way.restored.as_ref());
    let touches =
        |act: &&Act| !act.sent_nothing() && act.intent.verb.contains() && !act.intent.undo;
    let since = |act: &&Act| restored.is_none_or(|(said, _)| act.at > said.at);
    let mut acts = decisions.acts_on(identity).filter(touches).filter(since);
    match (acts.next(), restored) {
        (Some(first), _) => Trust::Untrusted { since: first.at },
        (None, Some((_, until))) if now < *until => Trust::Probation {
            until: *until,
            again: way.and_then(|w| w.again(now)).map(|(id, _)| id.clone()),
        },
        (None, Some((said, _))) => Trust::Restored { at: said.at },
        (None, None) => Trust::Untouched,
    }
}

/// Returns how far an identity has come on its way back: what was vouched for before it was contained last says nothing of
/// what led to that.
pub fn way_back(decisions: &Decisions, identity: &IdentityId) -> WayBack {
    let mut way = decisions
        .holds
        .way_back(identity)
        .cloned()
        .unwrap_or_default();
    let acts = decisions.acts_on(identity).filter(|act| !act.intent.undo);
    let contained = acts.map(|act| act.at).max();
    way.gates
        .retain(|_, said| contained.is_some_and(|at| said.at >= at));
    way
}

#[cfg(test)]
mod tests;
