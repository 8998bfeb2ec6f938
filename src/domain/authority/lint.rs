//! What is wrong with a roster: rules that nobody can ever meet, powers over what is not there, people told apart by nothing.

use std::collections::BTreeSet;

use super::{Analyst, Authority, Quorum, Role, TimeOut, teams_covered};
use crate::domain::plan::PLAN_LIFETIME_S;

/// What a roster speaks of, as far as the configuration names it.
pub struct World<'w> {
    /// Playbooks in force.
    pub playbooks: BTreeSet<&'w str>,
    /// Connectors.
    pub connectors: BTreeSet<&'w str>,
    /// Environments of the inventory, in lower case.
    pub environments: BTreeSet<String>,
    /// Tells whether a node is on the map.
    pub on_map: &'w dyn Fn(&str) -> bool,
}

/// One thing that is wrong, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Whether it keeps anything from working; else somebody should look.
    pub is_error: bool,
    /// What it is, and the way out; not safe to draw.
    pub says: String,
}

fn error(says: String) -> Doubt {
    Doubt {
        is_error: true,
        says,
    }
}

fn note(says: String) -> Doubt {
    Doubt {
        is_error: false,
        says,
    }
}

/// Finds everything that is wrong.
pub fn lint(authority: &Authority, world: &World<'_>) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for who in &authority.roster.analysts {
        doubts.extend(person(who, world));
    }
    doubts.extend(same_people(&authority.roster.analysts));
    doubts.extend(rules(authority));
    for book in authority.playbooks.keys() {
        if !world.playbooks.contains(book.as_str()) {
            doubts.push(error(format!(
                "[authority.playbooks] names `{book}`, and there is no such playbook; `stanch policy example --playbooks` prints the shipped ones"
            )));
        }
    }
    for node in authority.guarded.iter().filter(|n| !(world.on_map)(n)) {
        doubts.push(note(format!(
            "guarded: `{node}` is not on the map, so nobody is ever warned of it"
        )));
    }
    doubts
}

fn person(who: &Analyst, world: &World<'_>) -> Vec<Doubt> {
    let name = &who.name;
    let mut doubts = Vec::new();
    if who.keys.is_empty() {
        doubts.push(note(format!(
            "{name} has no key, so nothing that {name} writes counts; `vkey` in their log is it"
        )));
    }
    if who.uids.is_empty() && who.role > Role::Observer {
        doubts.push(note(format!(
            "{name} has no uids, so whoever gets at the key is {name} on any account of the host"
        )));
    }
    for account in who.accounts.iter().filter(|a| !(world.on_map)(a)) {
        doubts.push(note(format!(
            "the account `{account}` of {name} is not on the map, so nobody is warned when an intruder reaches it"
        )));
    }
    if who.role == Role::Observer && !who.powers.is_empty() {
        doubts.push(note(format!(
            "{name} is observer, who may do nothing, so `may` says nothing"
        )));
    }
    for power in &who.powers {
        for provider in &power.providers {
            if !world.connectors.contains(provider.as_str()) {
                doubts.push(error(format!(
                    "{name} may act through `{provider}`, and there is no such connector"
                )));
            }
        }
        for place in &power.environments {
            if !world.environments.contains(&place.to_lowercase()) {
                doubts.push(note(format!(
                    "{name} may act in `{place}`, and no identity of the inventory is there"
                )));
            }
        }
    }
    doubts
}

/// Finds people who count as one.
fn same_people(all: &[Analyst]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if one.name == other.name {
                let name = &one.name;
                doubts.push(error(format!(
                    "{name} stands there twice; list all keys of a person in one place"
                )));
            } else if one.is(other) {
                let uids: Vec<String> = one
                    .uids
                    .intersection(&other.uids)
                    .map(u32::to_string)
                    .collect();
                doubts.push(error(format!(
                    "{} and {} share the account {}, so they count as one person and cannot agree to each other's plans",
                    one.name,
                    other.name,
                    uids.join(", ")
                )));
            }
        }
    }
    doubts
}

/// Finds rules that cannot be met.
fn rules(authority: &Authority) -> Vec<Doubt> {
    let own = authority.playbooks.iter();
    let named = [("soft", &authority.soft), ("hard", &authority.hard)]
        .into_iter()
        .map(|(tier, quorum)| (format!("plans of the {tier} tier"), quorum))
        .chain(own.map(|(book, quorum)| (format!("plans of `{book}`"), quorum)));
    let mut doubts: Vec<Doubt> = named
        .filter_map(|(what, quorum)| unmet(authority, &what, quorum))
        .collect();
    let mut all = [&authority.soft, &authority.hard]
        .into_iter()
        .chain(authority.playbooks.values());
    let asks = all.any(|quorum| quorum.count > 0);
    let escalates = authority.on_timeout.unwrap_or(TimeOut::Escalate) == TimeOut::Escalate;
    let commanders = authority.roster.analysts.iter();
    let commanders = commanders.filter(|a| a.role == Role::Commander).count();
    if asks && escalates && commanders == 0 {
        doubts.push(error(
            "on_timeout is `escalate`, and nobody is commander, so silence comes to nothing; name one, or say `expire`"
                .to_owned(),
        ));
    }
    if asks && authority.wait_s == 0 {
        doubts.push(error(
            "wait_s is 0, so those who are asked have no time to answer".to_owned(),
        ));
    } else if asks && i64::from(authority.wait_s) >= PLAN_LIFETIME_S {
        doubts.push(note(format!(
            "wait_s is {}, and a plan lives {PLAN_LIFETIME_S} s, so it expires before silence comes to anything",
            authority.wait_s
        )));
    }
    doubts
}

/// Says how a rule cannot be met: of those whose yes counts, whoever asks is none.
fn unmet(authority: &Authority, what: &str, quorum: &Quorum) -> Option<Doubt> {
    if quorum.count == 0 {
        return None;
    }
    let judges = |a: &&Analyst| a.role >= Role::Approver && quorum.counts(a) && !a.keys.is_empty();
    let all: Vec<&Analyst> = authority.roster.analysts.iter().filter(judges).collect();
    let have = |people: &[&Analyst]| match quorum.one_per_team {
        true => teams_covered(people),
        false => people.len(),
    };
    let count = usize::from(quorum.count);
    if have(&all) < count {
        return Some(error(format!(
            "{what} need {quorum}, and the roster has {}; nobody can ever run one",
            have(&all)
        )));
    }
    let askers = authority.roster.analysts.iter();
    let stuck: Vec<&str> = askers
        .filter(|a| a.role >= Role::Analyst)
        .filter(|asker| {
            let others: Vec<&Analyst> = all.iter().copied().filter(|a| !a.is(asker)).collect();
            have(&others) < count
        })
        .map(|a| a.name.as_str())
        .collect();
    (!stuck.is_empty()).then(|| {
        note(format!(
            "{what} need {quorum}, which is not met when {} asks",
            stuck.join(" or ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::authority::{Power, Roster};
    use crate::domain::vocabulary::Tier;

    fn analyst(name: &str, role: Role, team: &str, uid: u32) -> Analyst {
        Analyst {
            name: name.into(),
            role,
            teams: vec![team.into()],
            keys: [format!("key-{name}")].into(),
            uids: [uid].into(),
            accounts: Vec::new(),
            powers: Vec::new(),
        }
    }

    fn house() -> Authority {
        Authority {
            roster: Roster {
                analysts: vec![
                    analyst("ada", Role::Analyst, "soc", 1),
                    analyst("mira", Role::Approver, "iam", 2),
                    analyst("cleo", Role::Commander, "soc", 3),
                ],
            },
            hard: Quorum {
                count: 1,
                ..Quorum::default()
            },
            wait_s: 300,
            ..Authority::default()
        }
    }

    fn found(authority: &Authority) -> Vec<Doubt> {
        let world = World {
            playbooks: ["cut"].into(),
            connectors: ["sso"].into(),
            environments: ["production".to_owned()].into(),
            on_map: &|node| node == "sso:mira",
        };
        lint(authority, &world)
    }

    #[test]
    fn a_sound_roster_has_no_doubts() {
        assert_eq!(found(&house()), []);
    }

    #[rstest]
    #[case::unmet(|a: &mut Authority| a.hard.count = 3, true, "the roster has 2; nobody can ever run one")]
    #[case::teams(|a: &mut Authority| a.playbooks = [("cut".to_owned(), Quorum { count: 3, one_per_team: true, ..Quorum::default() })].into(), true, "plans of `cut` need 3 other people, each of another team")]
    #[case::asker(|a: &mut Authority| a.hard.count = 2, false, "not met when mira or cleo asks")]
    #[case::nobody_commands(|a: &mut Authority| a.roster.analysts[2].role = Role::Approver, true, "nobody is commander")]
    #[case::twice(|a: &mut Authority| a.roster.analysts[0].name = "mira".into(), true, "mira stands there twice")]
    #[case::one_account(|a: &mut Authority| a.roster.analysts[0].uids = [2].into(), true, "ada and mira share the account 2")]
    #[case::no_playbook(|a: &mut Authority| a.playbooks = [("cutt".to_owned(), Quorum::default())].into(), true, "`cutt`, and there is no such playbook")]
    #[case::no_connector(|a: &mut Authority| a.roster.analysts[1].powers = vec![power("aws", "production")], true, "no such connector")]
    #[case::no_place(|a: &mut Authority| a.roster.analysts[1].powers = vec![power("sso", "Prod")], false, "no identity of the inventory is there")]
    #[case::no_time(|a: &mut Authority| a.wait_s = 0, true, "no time to answer")]
    #[case::too_long(|a: &mut Authority| a.wait_s = 900, false, "expires before silence")]
    #[case::no_key(|a: &mut Authority| a.roster.analysts[0].keys.clear(), false, "ada has no key")]
    #[case::no_uid(|a: &mut Authority| a.roster.analysts[0].uids.clear(), false, "ada has no uids")]
    #[case::no_account(|a: &mut Authority| a.roster.analysts[1].accounts = vec!["sso:mirra".into()], false, "`sso:mirra` of mira is not on the map")]
    #[case::guarded(|a: &mut Authority| a.guarded = ["x".to_owned()].into(), false, "nobody is ever warned of it")]
    fn each_mistake_is_named(
        #[case] spoil: fn(&mut Authority),
        #[case] is_error: bool,
        #[case] says: &str,
    ) {
        let mut authority = house();
        spoil(&mut authority);
        let doubts = found(&authority);
        let named = doubts.iter().find(|d| d.says.contains(says));
        assert_eq!(named.map(|d| d.is_error), Some(is_error), "{doubts:?}");
    }

    fn power(provider: &str, place: &str) -> Power {
        Power {
            up_to: Tier::Hard,
            environments: vec![place.into()],
            providers: vec![provider.into()],
        }
    }
}
