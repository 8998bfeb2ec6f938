//! The teams and people that exist, as far as sources declare them: an owner who is not among them is an orphan's owner.

use std::collections::HashMap;
use std::sync::Arc;

use super::Origin;
use crate::domain::text::Untrusted;

/// A team or a person who can own something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Team {
    /// The key by which owners are named; of a catalog, `group:default/payments`.
    pub id: Untrusted,
    /// What people call it.
    pub name: Option<Untrusted>,
    /// Who is on call for it.
    pub on_call: Option<Untrusted>,
    /// How to reach it.
    pub contact: Option<Untrusted>,
    /// Whether it was dissolved, or has left.
    pub gone: bool,
    /// Who declares it.
    pub origin: Option<Arc<Origin>>,
}

/// All declared teams and people. Lookups take constant time.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    teams: Vec<Team>,
    by_key: HashMap<String, usize>,
}

impl Roster {
    /// Adds a team; one of a less trusted source does not replace one of the same id, but fills what that leaves open.
    pub fn add(&mut self, team: Team) {
        let key = key(team.id.raw());
        if key.is_empty() {
            return;
        }
        if let Some(own) = self.by_key.get(&key).and_then(|i| self.teams.get_mut(*i)) {
            own.name = own.name.take().or(team.name);
            own.on_call = own.on_call.take().or(team.on_call);
            own.contact = own.contact.take().or(team.contact);
            return;
        }
        let index = self.teams.len();
        // The short form of `group:default/payments`, and its title, mean the same team, unless another has that key.
        let short = team
            .id
            .raw()
            .rsplit_once('/')
            .map(|(_, name)| self::key(name));
        let name = team.name.as_ref().map(|n| self::key(n.raw()));
        self.by_key.insert(key, index);
        for other in [short, name]
            .into_iter()
            .flatten()
            .filter(|k| !k.is_empty())
        {
            self.by_key.entry(other).or_insert(index);
        }
        self.teams.push(team);
    }

    /// Returns every team in the order of declaration.
    pub fn teams(&self) -> &[Team] {
        &self.teams
    }

    /// Tells whether nobody declares anything: then no owner can be called an orphan's.
    pub fn is_empty(&self) -> bool {
        self.teams.is_empty()
    }

    /// Finds the team that an owner's text means: as it stands, without what is in parentheses (`Payments (M. Okafor)`),
    /// or what is in them. Case does not matter.
    pub fn find(&self, owner: &str) -> Option<&Team> {
        let (before, inside) = owner.split_once('(').map_or((owner, ""), |(b, i)| {
            (b, i.trim_end().trim_end_matches(')'))
        });
        [owner, before, inside]
            .into_iter()
            .map(key)
            .filter(|k| !k.is_empty())
            .find_map(|k| self.teams.get(*self.by_key.get(&k)?))
    }
}

fn key(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Payments (M. Okafor)", Some("payments"))]
    #[case("payments", Some("payments"))]
    #[case("Somebody (Payments)", Some("payments"))]
    #[case("group:default/platform", Some("group:default/platform"))]
    #[case("Platform", Some("group:default/platform"))]
    #[case("Platform Engineering", Some("group:default/platform"))]
    #[case("Logistics", None)]
    #[case("", None)]
    #[case("()", None)]
    fn owners_mean_teams(#[case] owner: &str, #[case] want: Option<&str>) {
        let mut roster = Roster::default();
        roster.add(Team {
            id: "payments".into(),
            ..Team::default()
        });
        roster.add(Team {
            id: "group:default/platform".into(),
            name: Some("Platform Engineering".into()),
            ..Team::default()
        });
        assert_eq!(roster.find(owner).map(|t| t.id.raw()), want);
    }
}
