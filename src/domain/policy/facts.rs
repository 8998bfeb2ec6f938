//! What a condition is judged against: one alert, whose access it is about, what was touched, and the map around it.

use std::cell::OnceCell;

use jiff::Timestamp;

use crate::domain::alert::Alert;
use crate::domain::graph::{Graph, Look, Node, NodeKind};
use crate::domain::identity::{Identity, LiveContext, RecoveryState};
use crate::domain::ids::NodeId;
use crate::domain::observed::{Aspect, Fits, compare};
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::Criticality;

/// Everything that fields read: what it is about, and what is found out only once and kept.
pub struct Facts<'a> {
    about: About<'a>,
    aspects: OnceCell<[Fits; 4]>,
    touched: OnceCell<Option<&'a Node>>,
    reached: OnceCell<Reached>,
}

/// Numbers about what a holder reaches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    /// Nodes on which the business hangs.
    pub critical: usize,
    /// Secret stores.
    pub stores: usize,
}

/// What [`Facts::new`] takes, so that nothing is mistaken for something else.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// The alert at hand.
    pub alert: &'a Alert,
    /// Whose access it is; `None` while nobody is named, and then nothing of it is known.
    pub identity: Option<&'a Identity>,
    /// The map.
    pub graph: &'a Graph,
    /// What the map says of the identity.
    pub look: &'a Look,
    /// What its provider says now; `None` while nobody asked.
    pub live: Option<&'a LiveContext>,
    /// How much joined the incident since the exposure began.
    pub newcomers: usize,
    /// Whether the same credential is named in a second environment.
    pub elsewhere: bool,
    /// The moment of the question.
    pub now: Timestamp,
}

impl<'a> std::ops::Deref for Facts<'a> {
    type Target = About<'a>;

    fn deref(&self) -> &About<'a> {
        &self.about
    }
}

impl<'a> Facts<'a> {
    /// Puts facts together.
    pub const fn new(about: About<'a>) -> Self {
        Self {
            about,
            aspects: OnceCell::new(),
            touched: OnceCell::new(),
            reached: OnceCell::new(),
        }
    }

    /// Tells whether what is seen in one aspect is unusual; `None` where nobody says what is normal or nothing is seen.
    pub fn unusual(&self, aspect: Aspect) -> Option<bool> {
        let identity = self.identity?;
        let all = self.aspects.get_or_init(|| {
            let mut all = [Fits::Unknown; 4];
            let usual = identity.usual.as_deref();
            if usual.is_none() {
                return all;
            }
            for row in compare(usual, Some(self.alert), self.live) {
                let seen = row.seen.iter().map(|seen| seen.fits);
                let known = seen.filter(|fits| *fits != Fits::Unknown);
                // One that is unusual counts for all.
                let worst = known.max_by_key(|fits| *fits == Fits::Unusual);
                all[row.aspect as usize] = worst.unwrap_or(Fits::Unknown);
            }
            all
        });
        match all[aspect as usize] {
            Fits::Usual => Some(false),
            Fits::Unusual => Some(true),
            Fits::Unknown => None,
        }
    }

    /// Returns what the map says of what was touched.
    pub fn touched(&self) -> Option<&'a Node> {
        let find = || {
            let name = self.alert.resource.as_ref()?.id.raw();
            let provider = self.identity.map_or("", |i| i.provider());
            let names = [
                name.to_owned(),
                format!("{provider}:{name}"),
                format!("resource:{name}"),
                format!("secret:{name}"),
            ];
            let mut names = names.into_iter().map(NodeId::new);
            names.find_map(|id| self.graph.node(&id))
        };
        *self.touched.get_or_init(find)
    }

    /// Tells whether what was touched is among what an agent was approved for; `None` where nothing is approved or
    /// nothing named.
    pub fn in_intent(&self) -> Option<bool> {
        let intent = self.identity?.intent.as_deref()?;
        let touched = self.alert.resource.as_ref().filter(|r| !r.id.is_empty())?;
        if intent.targets.is_empty() && intent.tools.is_empty() {
            return None;
        }
        let name = touched.id.raw();
        let approved = intent.targets.iter().chain(&intent.tools);
        Some(approved.map(Untrusted::raw).any(|one| covers(one, name)))
    }

    /// Counts what a holder reaches.
    pub fn reached(&self) -> Reached {
        *self.reached.get_or_init(|| {
            let mut reached = Reached::default();
            for node in self.look.exposure.nodes().filter_map(|n| self.graph.at(n)) {
                reached.critical +=
                    usize::from(node.criticality == Some(Criticality::BusinessCritical));
                reached.stores += usize::from(node.kind == NodeKind::SecretStore);
            }
            reached
        })
    }

    /// Counts the recovery paths that are open or in wrong hands.
    pub fn open_recovery(&self) -> Option<usize> {
        let open = |state| matches!(state, RecoveryState::Open | RecoveryState::Compromised);
        let paths = &self.identity?.recovery;
        Some(paths.iter().filter(|path| open(path.state)).count())
    }

    /// Tells whether the map says anything of the identity: an unlisted one without edges has unknown dependants.
    pub fn is_mapped(&self) -> bool {
        self.look.start.is_some() && self.identity.is_some_and(Identity::is_listed)
            || self.look.impact.count() + self.look.exposure.count() > 0
    }
}

/// Tells whether an approved name covers one that is seen: the same, above it, or with a `*` at its end.
fn covers(approved: &str, seen: &str) -> bool {
    match approved.strip_suffix('*') {
        Some(start) => seen.starts_with(start),
        None => {
            seen == approved
                || seen
                    .strip_prefix(approved)
                    .is_some_and(|rest| rest.starts_with('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("tickets", "tickets", true)]
    #[case("tickets", "tickets/42", true)]
    #[case("tickets", "tickets-admin", false)]
    #[case("tick*", "tickets-admin", true)]
    #[case("", "x", false)]
    fn approval_covers_what_lies_below(#[case] one: &str, #[case] seen: &str, #[case] want: bool) {
        assert_eq!(covers(one, seen), want);
    }
}
