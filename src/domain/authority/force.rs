//! The roster together with the rules of the house: how many must agree to what, and what happens when they do not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Analyst, Quorum, Role, Roster, Standing, What};
use crate::domain::decision::{Decisions, Glass, PlanState};
use crate::domain::ids::{NodeId, PlanDigest};
use crate::domain::plan::Plan;
use crate::domain::text::show_identifier;
use crate::domain::vocabulary::{Tier, words};

words! {
    /// What happens when those who were asked say nothing in time.
    TimeOut {
        /// The commanders are asked, and the yes of one is enough.
        Escalate = "escalate",
        /// The steps of the plan up to the soft tier are run as a plan of their own.
        SoftContain = "soft_contain",
        /// The plan can be run no more.
        Expire = "expire",
    }
}

/// Who may do what, and how many must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    /// The people.
    pub roster: Roster,
    /// Who must agree to plans of the soft tier.
    pub soft: Quorum,
    /// Who must agree to plans of the hard tier.
    pub hard: Quorum,
    /// Who must agree to plans of these playbooks, whatever their tier.
    pub playbooks: BTreeMap<String, Quorum>,
    /// How long those who are asked have, in seconds.
    pub wait_s: u32,
    /// What happens then; `None` until a configuration says it, which counts as [`TimeOut::Escalate`].
    pub on_timeout: Option<TimeOut>,
    /// What an intruder must not reach while people rely on it: nodes of the map that carry the log's anchor or lead back in.
    pub guarded: BTreeSet<String>,
}

impl Authority {
    /// Says who somebody is: whose key it is on the roster; else who their account says, which counts for nothing.
    pub fn who(&self, key: Option<&str>, actor: &str) -> String {
        match key.and_then(|key| self.roster.holder_of(key)) {
            Some(person) => person.name.clone(),
            None => format!("{actor} (nobody on the roster)"),
        }
    }

    /// Returns who must agree to a plan. Looking needs nobody.
    pub fn quorum(&self, plan: &Plan) -> Quorum {
        if let Some(own) = self.playbooks.get(&plan.playbook) {
            return own.clone();
        }
        self.quorum_of(plan.tier)
    }

    fn quorum_of(&self, tier: Tier) -> Quorum {
        match tier {
            Tier::Monitor => Quorum::default(),
            Tier::Soft => self.soft.clone(),
            Tier::Hard => self.hard.clone(),
        }
    }

    /// Says in words who must agree to a plan of this playbook and tier; `None` where nobody must.
    pub fn needed(&self, playbook: &str, tier: Tier) -> Option<String> {
        let own = self.playbooks.get(playbook).cloned();
        let quorum = own.unwrap_or_else(|| self.quorum_of(tier));
        (quorum.count > 0).then(|| quorum.to_string())
    }

    /// Tells where a plan stands.
    pub fn standing(&self, state: &PlanState) -> Standing {
        let requested_by = requesters(state);
        let judged = |quorum: &Quorum| {
            self.roster
                .standing(quorum, &state.plan, &requested_by, &state.verdicts)
        };
        let quorum = self.quorum(&state.plan);
        match (judged(&quorum), self.timed_out(state)) {
            (waiting @ Standing::Waiting { .. }, Some(TimeOut::Escalate)) => {
                let commander = Quorum {
                    count: 1,
                    roles: [Role::Commander].into(),
                    one_per_team: false,
                };
                match judged(&commander) {
                    Standing::Waiting { could, .. } if could.is_empty() => waiting,
                    other => other,
                }
            }
            (waiting @ Standing::Waiting { .. }, Some(TimeOut::Expire)) => Standing::Refused {
                by: "nobody".to_owned(),
                reason: match waiting {
                    Standing::Waiting { missing, .. } => {
                        format!("{missing} more did not agree in time")
                    }
                    _ => String::new(),
                },
            },
            (other, _) => other,
        }
    }

    /// Returns what the silence about a plan came to, if somebody wrote it down when it was due and not before.
    pub fn timed_out(&self, state: &PlanState) -> Option<TimeOut> {
        let (at, what) = state.timed_out?;
        (at >= self.due(state)?).then_some(what)
    }

    /// Returns when the silence about a plan becomes something; `None` while nobody is asked.
    pub fn due(&self, state: &PlanState) -> Option<Timestamp> {
        let (asked, _) = state.asked.as_ref()?;
        let due = asked.checked_add(SignedDuration::from_secs(self.wait_s.into()));
        Some(due.unwrap_or(state.plan.expires).min(state.plan.expires))
    }

    /// Returns what is to be done now about the silence on a plan; nothing once that was written down, or the plan is dead,
    /// refused or agreed to.
    pub fn silence(&self, state: &PlanState, now: Timestamp) -> Option<TimeOut> {
        let due = self.due(state)? <= now;
        let open = matches!(self.standing(state), Standing::Waiting { .. });
        let what = match self.on_timeout.unwrap_or(TimeOut::Escalate) {
            // Nothing can be asked about a dead plan.
            TimeOut::Escalate if now >= state.plan.expires => TimeOut::Expire,
            other => other,
        };
        (due && open && state.timed_out.is_none()).then_some(what)
    }

    /// Returns why the holder of a key may not write anything down, if so: whoever looks on decides nothing.
    pub fn looks_on(&self, key: &str) -> Option<String> {
        self.roster.has_role(key, Role::Analyst).err()
    }

    /// Returns the last act that somebody did alone and that nobody else looked at yet: until then nobody may again.
    pub fn unreviewed<'d>(&self, decisions: &'d Decisions) -> Option<(&'d PlanDigest, &'d Glass)> {
        decisions.broken().find(|(_, glass)| !self.reviewed(glass))
    }

    /// Tells whether somebody who may looked at what another did alone.
    pub fn reviewed(&self, glass: &Glass) -> bool {
        glass.reviews.iter().any(|review| {
            let key = review.signer.as_deref().unwrap_or_default();
            self.may_review(key, glass).is_ok()
        })
    }

    /// Tells whether the holder of a key may review what somebody did alone: another person, a commander; an approver
    /// where nobody else commands.
    pub fn may_review(&self, key: &str, glass: &Glass) -> Result<&Analyst, String> {
        let by = glass.signer.as_deref().unwrap_or_default();
        let others = |role| {
            let is_other = |a: &&Analyst| {
                a.role >= role && self.roster.holder_of(by).is_none_or(|own| !own.is(a))
            };
            self.roster.analysts.iter().any(|a| is_other(&a))
        };
        let least = match others(Role::Commander) {
            true => Role::Commander,
            false => Role::Approver,
        };
        let who = self.roster.has_role(key, least)?;
        if self.roster.same_person(key, by) {
            return Err("whoever acted alone cannot review it".to_owned());
        }
        Ok(who)
    }

    /// Says what people rely on that lies where an intruder gets, or where the plan interrupts: those who must agree, the
    /// log's anchor, the ways back in.
    pub fn warnings(&self, plan: &Plan, is_way_back: impl Fn(&NodeId) -> bool) -> Vec<String> {
        let what = What::from(plan);
        let mut warnings = Vec::new();
        let sides = [
            ("can be reached by whoever holds it", &plan.impact.reaches),
            ("is interrupted by this plan", &plan.impact.breaks),
        ];
        for (says, nodes) in sides {
            for node in nodes {
                let id = node.node.as_str();
                let is_own = |a: &&Analyst| a.accounts.iter().any(|account| account == id);
                let judges = |a: &&Analyst| a.may(super::Act::Judge, &what).is_ok();
                let label = show_identifier(node.label.raw());
                for who in self.roster.analysts.iter().filter(is_own).filter(judges) {
                    let name = show_identifier(&who.name);
                    warnings.push(format!("the account of {name}, who could agree, {says}"));
                }
                if self.guarded.contains(id) {
                    warnings.push(format!("{label}, which people rely on now, {says}"));
                } else if is_way_back(&node.node) {
                    warnings.push(format!("{label}, a way back in, {says}"));
                }
            }
        }
        warnings
    }
}

impl std::fmt::Display for Quorum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let people = if self.count == 1 { "person" } else { "people" };
        write!(f, "{} other {people}", self.count)?;
        if !self.roles.is_empty() {
            let roles: Vec<&str> = self.roles.iter().map(|r| r.as_str()).collect();
            write!(f, " ({})", roles.join(" or "))?;
        }
        if self.one_per_team {
            write!(f, ", each of another team")?;
        }
        Ok(())
    }
}

/// Says who somebody is: by the roster where there is one, else by their account.
pub fn who(authority: Option<&Authority>, key: Option<&str>, actor: &str) -> String {
    authority.map_or_else(|| actor.to_owned(), |a| a.who(key, actor))
}

/// Says who asks for a plan: who asked others first, else who built it.
pub fn asked_by(authority: Option<&Authority>, state: &PlanState) -> String {
    let asked = state.asked.as_ref().and_then(|(_, key)| key.as_deref());
    who(authority, asked.or(state.signer.as_deref()), &state.actor)
}

/// Returns the keys of who built a plan and who asked for it.
pub fn requesters(state: &PlanState) -> Vec<&str> {
    let asked = state.asked.as_ref().and_then(|(_, key)| key.as_ref());
    let keys = state.signer.iter().chain(asked);
    keys.map(Arc::as_ref).collect()
}
