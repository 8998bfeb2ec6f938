//! Who may do what, and whose yes a plan needs.
//!
//! People are told apart by the keys that sign their logs, as the roster pins them: what a record says of its writer
//! counts for nothing, and neither does the environment of a process.

mod force;
pub mod lint;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::decision::Verdict;
use super::plan::Plan;
use super::text::show;
use super::vocabulary::{Tier, words};

pub use force::{Authority, TimeOut, asked_by, requesters, who};

words! {
    /// What somebody is there for. Each role may do what the one before it may.
    Role {
        /// Looks on.
        Observer = "observer",
        /// Triages, plans and runs.
        Analyst = "analyst",
        /// Agrees to the plans of others.
        Approver = "approver",
        /// Leads the incident and reviews what was done alone.
        Commander = "commander",
    }
}

/// How far somebody's role reaches. Empty lists mean everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// The highest tier.
    pub up_to: Tier,
    /// Environments, as the inventory names them; case does not count.
    #[serde(default)]
    pub environments: Vec<String>,
    /// Connectors.
    #[serde(default)]
    pub providers: Vec<String>,
}

/// Somebody on the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analyst {
    /// What people call them; not safe to draw.
    pub name: String,
    /// What they are there for.
    pub role: Role,
    /// Which teams they speak for.
    pub teams: Vec<String>,
    /// Keys that sign their logs, as `origin+id+base64`.
    pub keys: BTreeSet<String>,
    /// Numbers of their accounts on hosts; none listed means that the system is not asked.
    pub uids: BTreeSet<u32>,
    /// Identities on the map that they work as (`provider:id`).
    pub accounts: Vec<String>,
    /// How far it reaches; none listed means everywhere.
    pub powers: Vec<Power>,
}

/// What a plan, or an option that would become one, does and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct What<'a> {
    /// Its tier.
    pub tier: Tier,
    /// The environment of its identity.
    pub environment: Option<&'a str>,
    /// Connectors that it goes through.
    pub connectors: Vec<&'a str>,
}

impl<'a> From<&'a Plan> for What<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self {
            tier: plan.tier,
            environment: plan.environment.as_ref().map(super::text::Untrusted::raw),
            connectors: plan.connectors(),
        }
    }
}

/// Everybody who may do anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// The people.
    pub analysts: Vec<Analyst>,
}

/// What somebody wants to do with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Run it.
    Trigger,
    /// Agree to it, or refuse it.
    Judge,
}

/// How many others must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quorum {
    /// How many; 0 means that nobody is asked.
    pub count: u8,
    /// Whose yes counts; empty means everybody's who may judge.
    pub roles: BTreeSet<Role>,
    /// Whether each of them must speak for another team.
    pub one_per_team: bool,
}

/// Where a plan stands between request and run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody need agree.
    Free,
    /// Enough people agreed.
    Agreed {
        /// Who.
        by: Vec<String>,
    },
    /// More people must agree.
    Waiting {
        /// Who agreed so far.
        by: Vec<String>,
        /// How many are still needed.
        missing: u8,
        /// Who could.
        could: Vec<String>,
    },
    /// Somebody who may judge it refused it.
    Refused {
        /// Who.
        by: String,
        /// Why, in their words.
        reason: String,
    },
}

impl Roster {
    /// Returns whose key this is.
    pub fn holder_of(&self, key: &str) -> Option<&Analyst> {
        self.analysts.iter().find(|a| a.keys.contains(key))
    }

    /// Says which of these people could, to follow what somebody may not.
    fn could(&self, may: impl Fn(&Analyst) -> bool) -> String {
        let names = self.analysts.iter().filter(|a| may(a));
        let names: Vec<&str> = names.map(|a| a.name.as_str()).collect();
        match names.as_slice() {
            [] => "; nobody on the roster could".to_owned(),
            names => format!("; {} could", names.join(", ")),
        }
    }

    /// Tells whether the holder of a key may do this; else why not, and who could.
    pub fn allows<'a>(
        &self,
        key: &str,
        act: Act,
        what: impl Into<What<'a>>,
    ) -> Result<&Analyst, String> {
        let what = what.into();
        let could = || self.could(|a| a.may(act, &what).is_ok());
        let who = self.holder_of(key).ok_or_else(|| {
            let could = could();
            format!("the key of this log, {key}, is nobody's on the roster{could}")
        })?;
        who.may(act, &what)
            .map(|()| who)
            .map_err(|reason| reason + &could())
    }

    /// Tells whether the holder of a key has a role, or more; else why not, and who could.
    pub fn has_role(&self, key: &str, least: Role) -> Result<&Analyst, String> {
        let could = || self.could(|a| a.role >= least);
        let who = self
            .holder_of(key)
            .ok_or_else(|| format!("the key of this log is nobody's on the roster{}", could()))?;
        if who.role >= least {
            return Ok(who);
        }
        Err(format!("{} is {}{}", who.name, who.role, could()))
    }

    /// Tells whether two keys are the same person's: by the key itself, by the roster, or by an account of a host that both have.
    pub fn same_person(&self, one: &str, other: &str) -> bool {
        let both = self.holder_of(one).zip(self.holder_of(other));
        one == other || both.is_some_and(|(a, b)| a.is(b))
    }

    /// Judges a plan by the verdicts on it. Verdicts of people who may not judge it, of its requester, and those given
    /// after it expired count for nothing.
    pub fn standing(
        &self,
        quorum: &Quorum,
        plan: &Plan,
        requested_by: &[&str],
        verdicts: &[Verdict],
    ) -> Standing {
        let what = What::from(plan);
        let requesters: Vec<&Analyst> = requested_by
            .iter()
            .filter_map(|key| self.holder_of(key))
            .collect();
        let asked_himself = |who: &Analyst| requesters.iter().any(|r| r.is(who));
        let judge = |verdict: &Verdict| {
            let who = self.holder_of(verdict.signer.as_deref()?)?;
            let counts = who.may(Act::Judge, &what).is_ok() && verdict.at < plan.expires;
            (counts && !asked_himself(who)).then_some(who)
        };
        let judged = || verdicts.iter().filter_map(|v| Some((judge(v)?, v)));
        if let Some((who, verdict)) = judged().find(|(_, v)| !v.approval.approved) {
            return Standing::Refused {
                by: who.name.clone(),
                reason: verdict.approval.reason.clone().unwrap_or_default(),
            };
        }
        if quorum.count == 0 {
            return Standing::Free;
        }
        let mut agreed: Vec<&Analyst> = Vec::new();
        for (who, _) in judged() {
            if quorum.counts(who) && agreed.iter().all(|a| !a.is(who)) {
                agreed.push(who);
            }
        }
        let have = if quorum.one_per_team {
            teams_covered(&agreed)
        } else {
            agreed.len()
        };
        let by = agreed.iter().map(|a| a.name.clone()).collect();
        let missing = usize::from(quorum.count).saturating_sub(have);
        if missing == 0 {
            return Standing::Agreed { by };
        }
        let could = self
            .analysts
            .iter()
            .filter(|a| quorum.counts(a) && a.may(Act::Judge, &what).is_ok())
            .filter(|a| !asked_himself(a))
            .filter(|a| agreed.iter().all(|b| !b.is(a)))
            .map(|a| a.name.clone())
            .collect();
        Standing::Waiting {
            by,
            missing: u8::try_from(missing).unwrap_or(u8::MAX),
            could,
        }
    }
}

impl Quorum {
    fn counts(&self, who: &Analyst) -> bool {
        self.roles.is_empty() || self.roles.contains(&who.role)
    }
}

impl Analyst {
    /// Tells whether this is the same person.
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name || !self.uids.is_disjoint(&other.uids)
    }

    /// Tells whether they may do this; else why not.
    pub fn may(&self, act: Act, what: &What<'_>) -> Result<(), String> {
        let least = match act {
            Act::Trigger => Role::Analyst,
            Act::Judge => Role::Approver,
        };
        if self.role < least {
            let verb = match act {
                Act::Trigger => "run",
                Act::Judge => "judge",
            };
            return Err(format!(
                "{} is {} and may not {verb} plans",
                self.name, self.role
            ));
        }
        if self.powers.is_empty() || self.powers.iter().any(|p| p.covers(what)) {
            return Ok(());
        }
        let place = match what.environment {
            Some(environment) => format!(" in {}", show(environment)),
            None => " where the environment is unknown".to_owned(),
        };
        Err(format!(
            "{} may not do this: a plan of the {} tier{place} through {}",
            self.name,
            what.tier,
            what.connectors.join(", ")
        ))
    }
}

impl Power {
    /// Tells whether everything that a plan does lies within. What is not known lies outside.
    fn covers(&self, what: &What<'_>) -> bool {
        let environment = what.environment.map(str::to_lowercase);
        let in_environment = self.environments.is_empty()
            || environment
                .is_some_and(|name| self.environments.iter().any(|e| e.to_lowercase() == name));
        let by_providers = self.providers.is_empty()
            || what
                .connectors
                .iter()
                .all(|c| self.providers.iter().any(|p| p == c));
        what.tier <= self.up_to && in_environment && by_providers
    }
}

/// Returns how many teams these people can speak for when each speaks for one.
fn teams_covered(people: &[&Analyst]) -> usize {
    let mut of_team: Vec<(&str, usize)> = Vec::new();
    (0..people.len())
        .filter(|at| place(people, *at, &mut of_team, &mut BTreeSet::new()))
        .count()
}

/// Finds a team for somebody, moving others to another team of theirs where that makes room (Kuhn's augmenting path).
fn place<'a>(
    people: &[&'a Analyst],
    at: usize,
    of_team: &mut Vec<(&'a str, usize)>,
    tried: &mut BTreeSet<&'a str>,
) -> bool {
    for team in people[at].teams.iter().map(String::as_str) {
        if !tried.insert(team) {
            continue;
        }
        let taken = of_team.iter().position(|(name, _)| *name == team);
        match taken {
            None => {
                of_team.push((team, at));
                return true;
            }
            Some(row) => {
                let other = of_team[row].1;
                if place(people, other, of_team, tried) {
                    of_team[row].1 = at;
                    return true;
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests;
