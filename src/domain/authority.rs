//! Who may do what, and whose yes a plan needs.
//!
//! People are told apart by the keys that sign their logs, as the roster pins them: what a record says of its writer
//! counts for nothing, and neither does the environment of a process.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::decision::Verdict;
use super::plan::Plan;
use super::vocabulary::{Tier, words};

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
    /// How far it reaches; none listed means everywhere.
    pub powers: Vec<Power>,
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

    /// Tells whether the holder of a key may do this with a plan; else why not, and who could.
    pub fn allows(&self, key: &str, act: Act, plan: &Plan) -> Result<&Analyst, String> {
        let could = || {
            let names: Vec<&str> = self
                .analysts
                .iter()
                .filter(|a| a.may(act, plan).is_ok())
                .map(|a| a.name.as_str())
                .collect();
            match names.as_slice() {
                [] => "; nobody on the roster could".to_owned(),
                names => format!("; {} could", names.join(", ")),
            }
        };
        let who = self.holder_of(key).ok_or_else(|| {
            let could = could();
            format!("the key of this log, {key}, is nobody's on the roster{could}")
        })?;
        who.may(act, plan)
            .map(|()| who)
            .map_err(|reason| reason + &could())
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
        let requesters: BTreeSet<&str> = requested_by
            .iter()
            .filter_map(|key| Some(self.holder_of(key)?.name.as_str()))
            .collect();
        let judge = |verdict: &Verdict| {
            let who = self.holder_of(verdict.signer.as_deref()?)?;
            let counts = who.may(Act::Judge, plan).is_ok() && verdict.at < plan.expires;
            (counts && !requesters.contains(who.name.as_str())).then_some(who)
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
            if quorum.counts(who) && agreed.iter().all(|a| a.name != who.name) {
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
            .filter(|a| quorum.counts(a) && a.may(Act::Judge, plan).is_ok())
            .filter(|a| !requesters.contains(a.name.as_str()))
            .filter(|a| agreed.iter().all(|b| b.name != a.name))
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
    /// Tells whether they may do this with a plan; else why not.
    pub fn may(&self, act: Act, plan: &Plan) -> Result<(), String> {
        let least = match act {
            Act::Trigger => Role::Analyst,
            Act::Judge => Role::Approver,
        };
        if self.role < least {
            let what = match act {
                Act::Trigger => "run",
                Act::Judge => "judge",
            };
            return Err(format!(
                "{} is {} and may not {what} plans",
                self.name, self.role
            ));
        }
        if self.powers.is_empty() || self.powers.iter().any(|p| p.covers(plan)) {
            return Ok(());
        }
        let place = match &plan.environment {
            Some(environment) => format!(" in {}", environment.show()),
            None => " where the environment is unknown".to_owned(),
        };
        Err(format!(
            "{} may not do this: a plan of the {} tier{place} through {}",
            self.name,
            plan.tier,
            plan.connectors().join(", ")
        ))
    }
}

impl Power {
    /// Tells whether everything that a plan does lies within. What is not known lies outside.
    fn covers(&self, plan: &Plan) -> bool {
        let environment = plan.environment.as_ref().map(|e| e.raw().to_lowercase());
        let in_environment = self.environments.is_empty()
            || environment
                .is_some_and(|name| self.environments.iter().any(|e| e.to_lowercase() == name));
        let by_providers = self.providers.is_empty()
            || plan
                .connectors()
                .iter()
                .all(|c| self.providers.iter().any(|p| p == c));
        plan.tier <= self.up_to && in_environment && by_providers
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
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::decision::Approval;

    fn plan_of(tier: Tier) -> Plan {
        let step = serde_json::json!({
            "id": "1", "verb": "revoke_sessions", "title": "", "why": "", "team": "IAM", "tier": tier, "layer": "sessions",
            "connector": "lab", "target": "ada", "requests": [], "verify": null, "undo": {"kind": "nothing_to_undo"},
            "breaks": "", "idempotent": true,
        });
        serde_json::from_value(serde_json::json!({
            "v": 1, "alert": "a", "identity": "i", "identity_name": "i", "params": {}, "environment": "production",
            "playbook": "p", "playbook_sha256": "", "tier": tier, "created": "2026-11-21T08:00:00Z",
            "expires": "2026-11-21T08:15:00Z", "nonce": "n", "drill": false, "steps": [step], "skipped": [],
            "impact": {"breaks": [], "reaches": [], "truncated": false}, "residual": [], "preconditions": [],
        }))
        .unwrap()
    }

    /// `name role log[,log] team[,team] power…`, a power as `tier:environment:provider`.
    fn roster(people: &[&str]) -> Roster {
        let list = |text: &str| -> Vec<String> {
            let filled = text.split(',').filter(|t| !t.is_empty() && *t != "-");
            filled.map(str::to_owned).collect()
        };
        let analyst = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            let powers = words[4..].iter().map(|power| {
                let parts: Vec<&str> = power.split(':').collect();
                Power {
                    up_to: Tier::parse(parts[0]).unwrap(),
                    environments: list(parts[1]),
                    providers: list(parts[2]),
                }
            });
            Analyst {
                name: words[0].to_owned(),
                role: Role::parse(words[1]).unwrap(),
                keys: list(words[2]).into_iter().collect(),
                teams: list(words[3]),
                powers: powers.collect(),
            }
        };
        Roster {
            analysts: people.iter().map(analyst).collect(),
        }
    }

    fn verdict(log: &str, approved: bool, minute: i64) -> Verdict {
        Verdict {
            by: "whoever the record claims".to_owned(),
            log: "site/host/claimed".to_owned(),
            signer: Some(log.into()),
            at: plan_of(Tier::Hard).created + jiff::SignedDuration::from_mins(minute),
            approval: Approval {
                digest: plan_of(Tier::Hard).digest(),
                approved,
                by: Some("mira".to_owned()),
                reason: Some("no".to_owned()),
            },
        }
    }

    const PEOPLE: [&str; 5] = [
        "ada analyst h/ada soc",
        "mira approver h/mira,h2/mira soc,iam",
        "noor approver h/noor iam",
        "cleo commander h/cleo soc",
        "olaf observer h/olaf -",
    ];

    fn asked(quorum: &Quorum, verdicts: &[(&str, bool, i64)]) -> String {
        let verdicts: Vec<Verdict> = verdicts
            .iter()
            .map(|(log, yes, minute)| verdict(log, *yes, *minute))
            .collect();
        let plan = plan_of(Tier::Hard);
        match roster(&PEOPLE).standing(quorum, &plan, &["h/ada"], &verdicts) {
            Standing::Free => "free".to_owned(),
            Standing::Agreed { by } => format!("agreed {}", by.join(",")),
            Standing::Waiting { by, missing, could } => {
                format!("waiting {} {missing} {}", by.join(","), could.join(","))
            }
            Standing::Refused { by, reason } => format!("refused {by} {reason}"),
        }
    }

    #[rstest]
    #[case::nobody_yet(&[], "waiting  1 mira,noor,cleo")]
    #[case::one_is_enough(&[("h/mira", true, 1)], "agreed mira")]
    #[case::the_requester_does_not_count(&[("h/ada", true, 1)], "waiting  1 mira,noor,cleo")]
    #[case::an_observer_does_not_count(&[("h/olaf", true, 1)], "waiting  1 mira,noor,cleo")]
    #[case::a_stranger_does_not_count(&[("h/eve", true, 1)], "waiting  1 mira,noor,cleo")]
    #[case::too_late(&[("h/mira", true, 15)], "waiting  1 mira,noor,cleo")]
    #[case::a_no_ends_it(&[("h/mira", true, 1), ("h/noor", false, 2)], "refused noor no")]
    #[case::a_no_of_a_stranger_does_not(&[("h/eve", false, 1), ("h/mira", true, 2)], "agreed mira")]
    fn one_other_person(#[case] verdicts: &[(&str, bool, i64)], #[case] want: &str) {
        let one = Quorum {
            count: 1,
            ..Quorum::default()
        };
        assert_eq!(asked(&one, verdicts), want);
    }

    #[rstest]
    #[case::one_person_counts_once(&[("h/mira", true, 1), ("h2/mira", true, 2)], "waiting mira 1 noor,cleo")]
    #[case::two(&[("h/mira", true, 1), ("h/cleo", true, 2)], "agreed mira,cleo")]
    fn two_other_people(#[case] verdicts: &[(&str, bool, i64)], #[case] want: &str) {
        let two = Quorum {
            count: 2,
            ..Quorum::default()
        };
        assert_eq!(asked(&two, verdicts), want);
    }

    #[rstest]
    // Mira speaks for the SOC or for IAM, whichever the other does not.
    #[case(&[("h/mira", true, 1), ("h/noor", true, 2)], "agreed mira,noor")]
    #[case(&[("h/noor", true, 1), ("h/mira", true, 2)], "agreed noor,mira")]
    #[case(&[("h/cleo", true, 1), ("h/cleo", true, 2)], "waiting cleo 1 mira,noor")]
    fn one_of_each_team(#[case] verdicts: &[(&str, bool, i64)], #[case] want: &str) {
        let two = Quorum {
            count: 2,
            one_per_team: true,
            ..Quorum::default()
        };
        assert_eq!(asked(&two, verdicts), want);
    }

    #[test]
    fn only_the_named_roles_count() {
        let commander = Quorum {
            count: 1,
            roles: BTreeSet::from([Role::Commander]),
            one_per_team: false,
        };
        let verdicts = [("h/mira", true, 1)];
        assert_eq!(asked(&commander, &verdicts), "waiting  1 cleo");
        assert_eq!(asked(&Quorum::default(), &verdicts), "free");
    }

    #[rstest]
    #[case("ada analyst h/ada soc", Act::Trigger, "ok")]
    #[case(
        "ada analyst h/ada soc",
        Act::Judge,
        "ada is analyst and may not judge plans; nobody on the roster could"
    )]
    #[case(
        "ada observer h/ada soc",
        Act::Trigger,
        "ada is observer and may not run plans; nobody on the roster could"
    )]
    #[case("ada analyst h/ada soc hard:Production:lab", Act::Trigger, "ok")]
    #[case(
        "ada analyst h/ada soc soft:production:lab",
        Act::Trigger,
        "ada may not do this: a plan of the hard tier in production through lab; nobody on the roster could"
    )]
    #[case("ada analyst h/ada soc hard:staging:", Act::Trigger, "ada may not")]
    #[case("ada analyst h/ada soc hard::vault", Act::Trigger, "ada may not")]
    #[case("ada analyst h/ada soc soft:production: hard::lab", Act::Trigger, "ok")]
    fn roles_and_powers(#[case] who: &str, #[case] act: Act, #[case] want: &str) {
        let plan = plan_of(Tier::Hard);
        let said = match roster(&[who]).allows("h/ada", act, &plan) {
            Ok(_) => "ok".to_owned(),
            Err(reason) => reason,
        };
        assert!(said.starts_with(want), "{said}");
    }

    #[test]
    fn an_unknown_environment_lies_outside_of_every_named_one() {
        let mut plan = plan_of(Tier::Soft);
        plan.environment = None;
        let roster = roster(&[
            "ada analyst h/ada soc hard:production:",
            "bo analyst h/bo -",
        ]);
        let said = roster.allows("h/ada", Act::Trigger, &plan).unwrap_err();
        assert!(said.contains("where the environment is unknown"), "{said}");
        assert!(said.ends_with("; bo could"), "{said}");
    }
}
