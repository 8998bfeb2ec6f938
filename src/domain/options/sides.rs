//! Both sides of an option: what it breaks, and what somebody who holds the identity keeps, over which layers, until when.

use jiff::Timestamp;
use serde::Serialize;

use super::{Capability, Situation};
use crate::domain::alert::age;
use crate::domain::identity::Session;
use crate::domain::playbook::{Playbook, StepTemplate};
use crate::domain::policy::modes::needs_no_undo;
use crate::domain::text::counted;
use crate::domain::urgency::Exposure;
use crate::domain::vocabulary::{IdentityKind, Layer, Tier, Verb, words};

words! {
    /// How much of an identity an option cuts off. The order is from narrow to wide.
    Slice {
        /// Nothing.
        Look = "look",
        /// Sessions and tokens.
        Session = "session",
        /// One credential.
        Credential = "credential",
        /// Rights, tools, one class of acts.
        Resource = "resource",
        /// Everybody who uses it.
        Identity = "identity",
    }
}

impl Slice {
    /// Returns how much a verb cuts off.
    pub const fn of(verb: Verb) -> Self {
        match verb {
            Verb::RevokeSessions | Verb::RevokeTokens => Self::Session,
            Verb::DisableCredential | Verb::RetireCredential => Self::Credential,
            Verb::DisableIdentity
            | Verb::RotateSecret
            | Verb::IsolateWorkload
            | Verb::FreezePipeline
            | Verb::IsolateMailbox => Self::Identity,
            Verb::PreserveEvidence
            | Verb::ReviewSessions
            | Verb::Watch
            | Verb::CheckLinked
            | Verb::IssueCredential
            | Verb::NotifyOwner
            | Verb::OpenTicket => Self::Look,
            _ => Self::Resource,
        }
    }
}

/// By which rule options are sorted; shown beside them.
pub const RULE: &str = "narrowest first: by tier, then by what is cut off (sessions, one credential, rights, the whole \
                        identity), then as the files have them";

/// Something that an attacker keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// On which layer.
    pub layer: Layer,
    /// What, in words.
    pub what: String,
    /// Until when, where it ends by itself; `None` is *until somebody ends it*.
    pub until: Option<Timestamp>,
}

impl Held {
    /// Says it in one shown line.
    pub fn line(&self, now: Timestamp) -> String {
        let until = match self.until {
            Some(end) if end <= now => "ended by now".to_owned(),
            Some(end) => format!("for {} more", age(now, end)),
            None => "until somebody ends it".to_owned(),
        };
        format!("{}: {}, {until}", self.layer, self.what)
    }
}

/// Returns what somebody who holds the identity has, as far as is known. What nobody asked about is said to be unknown,
/// not left out.
pub fn held(situation: &Situation<'_>) -> Vec<Held> {
    let (identity, facts) = (situation.identity, situation.facts);
    let mut all = Vec::new();
    let mut add = |layer, what: String, until| all.push(Held { layer, what, until });
    match facts.live {
        Some(live) => {
            // Where nothing ends tokens alone, ending sessions ends them.
            let means = situation.capabilities.into_iter().flat_map(|c| c.values());
            let apart = means.into_iter().any(|c| c.layer == Layer::Tokens);
            let is_token = |s: &&Session| apart && s.kind.raw().contains("token");
            let tokens: Vec<&Session> = live.sessions.iter().filter(is_token).collect();
            let sessions: Vec<&Session> = live.sessions.iter().filter(|s| !is_token(s)).collect();
            for (layer, one, many, found) in [
                (Layer::Sessions, "session", "sessions", &sessions),
                (Layer::Tokens, "token", "tokens", &tokens),
            ] {
                if !found.is_empty() {
                    let ends = found.iter().map(|s| s.expires);
                    add(layer, counted(found.len(), one, many), latest(ends));
                }
            }
        }
        None => add(
            Layer::Sessions,
            "sessions and tokens that nobody has counted".to_owned(),
            None,
        ),
    }
    let alive = identity.credentials.iter().filter(|c| {
        let ended = c.expires.is_some_and(|end| end <= facts.now);
        c.enabled != Some(false) && !ended
    });
    let alive: Vec<_> = alive.collect();
    if !alive.is_empty() {
        let ends = latest(alive.iter().map(|c| c.expires));
        add(
            Layer::Credentials,
            counted(alive.len(), "credential", "credentials"),
            ends,
        );
    } else if Exposure::of(situation.alert.pattern) >= Exposure::Exposed
        && !situation.closed.contains(&Layer::Credentials)
    {
        add(
            Layer::Credentials,
            "the credential that it began with".to_owned(),
            None,
        );
    }
    let grants = identity
        .grants
        .len()
        .max(facts.live.map_or(0, |l| l.grants.len()));
    if grants > 0 {
        let ends = latest(identity.grants.iter().map(|g| g.expires));
        add(Layer::Grants, counted(grants, "grant", "grants"), ends);
    }
    let powerful = identity.scopes.iter().filter(|s| s.privileged).count();
    if powerful > 0 {
        add(
            Layer::Permissions,
            counted(powerful, "privileged right", "privileged rights"),
            None,
        );
    }
    if let Some(open) = facts.open_recovery().filter(|n| *n > 0) {
        add(
            Layer::Recovery,
            counted(open, "open way back in", "open ways back in"),
            None,
        );
    }
    if identity.kind == IdentityKind::CiToken {
        add(
            Layer::Pipeline,
            "what its pipeline may deploy".to_owned(),
            None,
        );
    }
    let siblings = facts.look.siblings.found.len();
    if siblings > 0 {
        add(
            Layer::Siblings,
            counted(siblings, "sibling to go on to", "siblings to go on to"),
            None,
        );
    }
    all
}

/// Returns the last end, where each has one.
fn latest(ends: impl Iterator<Item = Option<Timestamp>>) -> Option<Timestamp> {
    let ends: Option<Vec<Timestamp>> = ends.collect();
    ends?.into_iter().max()
}

/// Both sides of one playbook.
pub(super) struct Sides {
    /// How much it cuts off.
    pub slice: Slice,
    /// What an attacker keeps.
    pub leaves: Vec<Held>,
    /// What it looks like and is not.
    pub trap: Option<String>,
    /// Whether it can be taken back.
    pub undo: String,
    /// How much work it is.
    pub effort: String,
    /// Who has to agree.
    pub approval: String,
}

/// Looks at a playbook from both sides.
pub(super) fn of(situation: &Situation<'_>, book: &Playbook, closes: &[Layer]) -> Sides {
    let mut leaves = held(situation);
    leaves.retain(|held| !closes.contains(&held.layer));
    let steps = book.steps.iter().filter(|s| does(situation, s));
    let (own, by_hand): (Vec<_>, Vec<_>) =
        steps.partition(|s| !s.is_handed_over() && offered(situation, s).is_some());
    Sides {
        slice: book
            .steps
            .iter()
            .map(|s| Slice::of(s.verb))
            .max()
            .unwrap_or(Slice::Look),
        trap: trap(book, closes, &leaves),
        leaves,
        undo: undo(situation, book),
        effort: match by_hand.len() {
            0 => counted(own.len(), "step", "steps"),
            n => format!("{}, {n} by hand", counted(own.len() + n, "step", "steps")),
        },
        approval: approval(situation, book.tier()),
    }
}

fn offered<'s>(situation: &Situation<'s>, step: &StepTemplate) -> Option<&'s Capability> {
    situation.capabilities?.get(&step.verb)
}

/// Tells whether a step is not left out.
fn does(situation: &Situation<'_>, step: &StepTemplate) -> bool {
    let not_needed =
        |term: &crate::domain::policy::term::Term| term.holds(situation.facts) == Ok(false);
    let skipped = step.term.as_deref().is_some_and(not_needed);
    let missing = step.optional && !step.is_handed_over() && offered(situation, step).is_none();
    !skipped && (!missing || step.can_be_handed_over())
}

/// A reset that leaves open what was begun with the old secret, or an end of sessions that leaves the secret.
fn trap(book: &Playbook, closes: &[Layer], leaves: &[Held]) -> Option<String> {
    if book.tier() == Tier::Monitor {
        return None;
    }
    let open = |layers: &[Layer]| -> Vec<&'static str> {
        let mut open: Vec<Layer> = leaves.iter().map(|h| h.layer).collect();
        open.retain(|layer| layers.contains(layer));
        open.dedup();
        open.iter().map(|l| l.as_str()).collect()
    };
    if closes.contains(&Layer::Credentials) {
        let open = open(&[Layer::Sessions, Layer::Tokens, Layer::Grants]);
        return (!open.is_empty()).then(|| format!("reset only: leaves {} open", open.join(", ")));
    }
    let ends = closes.contains(&Layer::Sessions) || closes.contains(&Layer::Tokens);
    let back = ends && !open(&[Layer::Credentials]).is_empty();
    back.then(|| "whoever has the credential comes back".to_owned())
}

fn undo(situation: &Situation<'_>, book: &Playbook) -> String {
    let never = book
        .steps
        .iter()
        .filter(|s| does(situation, s))
        .filter(|s| {
            // An ended session is nothing that somebody wants back.
            let session = Slice::of(s.verb) == Slice::Session;
            let says = offered(situation, s).is_some_and(|c| c.irreversible.is_some());
            !session && (s.irreversible.is_some() || says)
        });
    let never: Vec<String> = never.map(|s| s.verb.as_str().replace('_', " ")).collect();
    let ends = book.steps.iter().filter(|s| does(situation, s));
    let ends = ends.filter(|s| Slice::of(s.verb) == Slice::Session);
    let acts = book.steps.iter().filter(|s| does(situation, s));
    let acts = acts.filter(|s| !needs_no_undo(s.verb)).count();
    match (book.tier(), never.is_empty()) {
        (Tier::Monitor, _) => "changes nothing".to_owned(),
        // What ended stays ended; nobody waits for it.
        (_, true) if acts == 0 && ends.count() > 0 => {
            "nothing to take back: whoever may logs in anew".to_owned()
        }
        (_, true) => "can be taken back".to_owned(),
        (_, false) => format!("cannot be taken back: {}", never.join(", ")),
    }
}

fn approval(situation: &Situation<'_>, tier: Tier) -> String {
    let who = match tier {
        Tier::Monitor => return "nobody".to_owned(),
        Tier::Soft => "you confirm",
        Tier::Hard => "you type its name and why",
    };
    match situation.assessment.ask.first() {
        Some(why) => format!("{who}; {why}"),
        None => who.to_owned(),
    }
}
