//! What is temporary and must be ended by somebody: holds that delay a containment, and the way back to trust.
//!
//! Time ends a hold once: whoever ends it writes that down first, and what is ended stays so, whatever the clock says later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::decision::{Decision, DecisionKind, Entry};
use super::ids::{AlertId, IdentityId, PlanDigest};
use super::vocabulary::words;

words! {
    /// What happens when a hold ends by time.
    Ending {
        /// The playbook it names is planned and, as far as nobody must agree, run; else those are asked.
        Contain = "contain",
        /// Everybody at a console is told, and the alert is urgent again.
        Page = "page",
        /// Its owner has to decide anew.
        ReAsk = "re_ask",
    }
}

words! {
    /// What must hold before an identity is trusted again.
    Gate {
        /// How it came about is known, and that way is closed.
        Cause = "cause",
        /// What was exposed was replaced.
        Credentials = "credentials",
        /// What shares its secrets, store or makers was looked at.
        Siblings = "siblings",
        /// The ways back in are what they were.
        Recovery = "recovery",
        /// Accounts and consents that hang on it, and what it may do, were looked at.
        Linked = "linked",
        /// Somebody else looked at all of it.
        SecondPerson = "second_person",
    }
}

impl Gate {
    /// Returns what somebody who vouches for it says, in words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Cause => "the cause is known, and that way is closed",
            Self::Credentials => "everything that was exposed was replaced",
            Self::Siblings => "whatever shares its secrets or store was checked",
            Self::Recovery => "the ways back in are what they were",
            Self::Linked => "linked accounts, consents and its rights were checked",
            Self::SecondPerson => "somebody else looked at all of it",
        }
    }
}

/// How long somebody who is trusted again is watched, in seconds (48 h).
pub const PROBATION_S: i64 = 48 * 60 * 60;

/// Longest time for which a containment can be delayed, in seconds: two weeks.
pub const LONGEST_HOLD_S: u64 = 14 * 24 * 60 * 60;

/// Who said something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The key that signs it.
    pub signer: Option<Arc<str>>,
    /// In their words.
    pub reason: String,
    /// By which plan, where time ended a hold and something is to be contained.
    pub plan: Option<PlanDigest>,
    /// Whether time said it, and nobody: then the record names the ending. What the clock says of it decides nothing, as it
    /// may have been set back.
    pub by_time: bool,
}

impl Said {
    pub(super) fn of(entry: &Entry, decision: &Decision) -> Self {
        Self {
            at: entry.ts,
            actor: entry.actor.clone(),
            signer: entry.signer.clone(),
            reason: decision.reason.clone().unwrap_or_default(),
            plan: decision.plan.clone(),
            by_time: decision.kind == DecisionKind::EndHold && decision.ending.is_some(),
        }
    }
}

/// A containment is delayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name: `h-` and hex digits.
    pub id: String,
    /// On which alert.
    pub alert: AlertId,
    /// Whom it spares.
    pub identity: Option<IdentityId>,
    /// Who wants it, and why.
    pub by: Said,
    /// Until when.
    pub until: Timestamp,
    /// What happens then.
    pub ending: Ending,
    /// Which playbook contains then.
    pub playbook: Option<String>,
    /// Others who agreed; whether they may is not judged here.
    pub agreed: Vec<Said>,
    /// How it ended, by somebody or by time.
    pub ended: Option<Said>,
}

impl Hold {
    /// Tells whether it runs: nobody ended it, and its time is not over.
    pub fn runs(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.until
    }
}

/// The way back of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayBack {
    /// Who vouched for what, the last of each.
    pub gates: BTreeMap<Gate, Said>,
    /// Trusted again, and watched until when.
    pub restored: Option<(Said, Timestamp)>,
    /// By which alerts it was proposed to contain it again, ever.
    pub proposed: BTreeMap<AlertId, Said>,
}

impl WayBack {
    /// Returns what nobody vouched for yet.
    pub fn missing(&self) -> Vec<Gate> {
        let all = Gate::ALL.iter().copied();
        all.filter(|gate| !self.gates.contains_key(gate)).collect()
    }

    /// Tells whether it is watched.
    pub fn is_on_probation(&self, now: Timestamp) -> bool {
        self.restored
            .as_ref()
            .is_some_and(|(said, until)| said.at <= now && now < *until)
    }

    /// Returns the last alert by which it is proposed to contain it again since it is trusted again, while it is watched.
    pub fn again(&self, now: Timestamp) -> Option<(&AlertId, &Said)> {
        let (restored, _) = self
            .restored
            .as_ref()
            .filter(|_| self.is_on_probation(now))?;
        let since = self.proposed.iter().filter(|(_, p)| p.at >= restored.at);
        since.max_by_key(|(_, said)| said.at)
    }
}

/// Everything temporary that people decided.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    rows: BTreeMap<String, Hold>,
    /// Came before the hold that it is about: logs have no order among each other.
    early: BTreeMap<String, Vec<(Entry, Decision)>>,
    ways: BTreeMap<IdentityId, WayBack>,
    /// Whom an alert proposes to contain again.
    proposals: BTreeMap<AlertId, IdentityId>,
    /// What people were told of, by the name of the debt.
    paged: BTreeMap<String, Said>,
}

impl Holds {
    /// Takes in one decision.
    pub fn take(&mut self, entry: &Entry, decision: &Decision) {
        match decision.kind {
            DecisionKind::Hold => self.begin(entry, decision),
            DecisionKind::AgreeHold | DecisionKind::EndHold => {
                let Some(id) = &decision.hold else { return };
                let Some(hold) = self.rows.get_mut(id) else {
                    let early = self.early.entry(id.clone()).or_default();
                    early.push((entry.clone(), decision.clone()));
                    return;
                };
                let said = Said::of(entry, decision);
                match decision.kind {
                    DecisionKind::AgreeHold => hold.agreed.push(said),
                    // The first end counts; a later one may only name the plan anew.
                    _ => match &mut hold.ended {
                        Some(ended) if said.plan.is_some() => ended.plan = said.plan,
                        Some(_) => {}
                        ended => *ended = Some(said),
                    },
                }
            }
            DecisionKind::Gate => {
                let Some((identity, gate)) = decision.identity.clone().zip(decision.gate) else {
                    return;
                };
                let way = self.ways.entry(identity).or_default();
                let said = Said::of(entry, decision);
                if way.gates.get(&gate).is_none_or(|last| last.at <= said.at) {
                    way.gates.insert(gate, said);
                }
            }
            DecisionKind::Restore => {
                let Some((identity, until)) = decision.identity.clone().zip(decision.until) else {
                    return;
                };
                let way = self.ways.entry(identity).or_default();
                let said = Said::of(entry, decision);
                // The next time begins with closed gates.
                way.gates.retain(|_, gate| gate.at > said.at);
                way.restored = Some((said, until));
            }
            DecisionKind::Recontain => {
                let Some(identity) = decision.identity.clone() else {
                    return;
                };
                let way = self.ways.entry(identity.clone()).or_default();
                let said = Said::of(entry, decision);
                way.proposed.insert(decision.alert.clone(), said);
                self.proposals.insert(decision.alert.clone(), identity);
            }
            DecisionKind::Paged => {
                let Some(debt) = decision.hold.clone() else {
                    return;
                };
                // The first page counts; what came of it is with its plan.
                let said = || Said::of(entry, decision);
                self.paged.entry(debt).or_insert_with(said);
            }
            _ => {}
        }
    }

    fn begin(&mut self, entry: &Entry, decision: &Decision) {
        let (Some(id), Some(until), Some(ending)) =
            (decision.hold.clone(), decision.until, decision.ending)
        else {
            return;
        };
        if self.rows.contains_key(&id) {
            return;
        }
        let longest = SignedDuration::from_secs(i64::try_from(LONGEST_HOLD_S).unwrap_or(i64::MAX));
        let hold = Hold {
            id: id.clone(),
            alert: decision.alert.clone(),
            identity: decision.identity.clone(),
            by: Said::of(entry, decision),
            until: until.min(entry.ts.checked_add(longest).unwrap_or(until)),
            ending,
            playbook: decision.to.clone(),
            agreed: Vec::new(),
            ended: None,
        };
        self.rows.insert(id.clone(), hold);
        for (entry, decision) in self.early.remove(&id).unwrap_or_default() {
            self.take(&entry, &decision);
        }
    }

    /// Finds a hold by its name or an unambiguous beginning of it.
    pub fn find(&self, id: &str) -> Option<&Hold> {
        let mut found = self.rows.values().filter(|h| h.id.starts_with(id));
        let first = found.next()?;
        (first.id == id || found.next().is_none()).then_some(first)
    }

    /// Returns all holds, by name.
    pub fn all(&self) -> impl Iterator<Item = &Hold> {
        self.rows.values()
    }

    /// Returns holds that somebody must end by now, the oldest first: their time is over and nobody wrote that down.
    pub fn due(&self, now: Timestamp) -> Vec<&Hold> {
        let over = |h: &&Hold| h.ended.is_none() && h.until <= now;
        let mut due: Vec<&Hold> = self.rows.values().filter(over).collect();
        due.sort_by_key(|h| h.until);
        due
    }

    /// Returns holds that time ended with a plan by which something is to be contained: whether that was run, the acts tell.
    pub fn to_contain(&self) -> impl Iterator<Item = (&Hold, &PlanDigest)> {
        let ended = self.rows.values();
        ended.filter_map(|h| Some((h, h.ended.as_ref()?.plan.as_ref()?)))
    }

    /// Returns until when somebody holds containment back: of an alert, or of an identity by any alert about it. A hold
    /// that does not count, as nobody agreed to it who may, delays nothing.
    pub fn held(
        &self,
        alert: &AlertId,
        identity: &IdentityId,
        counts: impl Fn(&Hold) -> bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let about = |h: &&Hold| h.alert == *alert || h.identity.as_ref() == Some(identity);
        let runs = self.rows.values().filter(|h| h.runs(now)).filter(about);
        runs.filter(|h| counts(h)).map(|h| h.until).max()
    }

    /// Returns whom an alert once proposed to contain again.
    pub fn proposal(&self, alert: &AlertId) -> Option<&IdentityId> {
        self.proposals.get(alert)
    }

    /// Returns when, and how, people were told that something temporary is overdue.
    pub fn paged(&self, debt: &str) -> Option<&Said> {
        self.paged.get(debt)
    }

    /// Returns the pages that are to be sent by a plan: whether that was run, the acts tell.
    pub fn to_page(&self) -> impl Iterator<Item = &PlanDigest> {
        self.paged.values().filter_map(|said| said.plan.as_ref())
    }

    /// Returns how far an identity is on its way back.
    pub fn way_back(&self, identity: &IdentityId) -> Option<&WayBack> {
        self.ways.get(identity)
    }

    /// Returns everybody who is watched.
    pub fn on_probation(&self, now: Timestamp) -> BTreeSet<&IdentityId> {
        let watched = |(_, way): &(&IdentityId, &WayBack)| way.is_on_probation(now);
        self.ways.iter().filter(watched).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests;
