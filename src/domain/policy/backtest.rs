//! What a policy would have made of recorded alerts: in shadow, as if nothing held it back, and armed, as things are.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Assessment;
use crate::domain::alert::Alert;
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::options::{Choice, Slice};
use crate::domain::urgency::Exposure;
use crate::domain::vocabulary::{ActionPattern, Severity, Tier, words};

words! {
    /// What an armed policy makes of an alert.
    Verdict {
        /// It acts.
        Acts = "acts",
        /// It would act, and a person decides first.
        Waits = "waits",
        /// A gate keeps it from acting.
        Bounded = "bounded",
        /// It would act, and nothing can be done from here.
        NoOption = "no_option",
        /// It only looks.
        Looks = "looks",
    }
}

/// One alert, replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Which alert.
    pub alert: AlertId,
    /// Whose access; `None` where nobody is named.
    pub identity: Option<IdentityId>,
    /// What happened.
    pub pattern: ActionPattern,
    /// How bad, as the source said.
    pub severity: Option<Severity>,
    /// The score.
    pub score: u8,
    /// How far the policy goes when nothing bounds it.
    pub shadow_tier: Tier,
    /// The playbook that it would take then.
    pub shadow: Option<String>,
    /// Who that would interrupt.
    pub shadow_interrupts: usize,
    /// How far it goes as things are.
    pub tier: Tier,
    /// What comes of it as things are.
    pub armed: Verdict,
    /// With which playbook.
    pub playbook: Option<String>,
    /// Who that interrupts.
    pub interrupts: usize,
    /// Why it is so.
    pub why: String,
    /// Whether somebody had, or could have had, the access, and nothing is done.
    pub missed: bool,
}

/// Replays one alert. `breaks` is how many stop working when the identity is cut off.
pub fn replay(
    alert: &Alert,
    identity: Option<&IdentityId>,
    assessment: &Assessment,
    choices: &[Choice],
    breaks: usize,
) -> Replayed {
    let interrupted = |choice: Option<&Choice>| match choice {
        Some(choice) if choice.slice == Slice::Identity => breaks,
        _ => 0,
    };
    let shadow = taken(choices, assessment.unbounded, |_| true);
    let armed = taken(choices, assessment.tier, |c| c.disabled.is_none());
    let bound = assessment
        .most
        .as_ref()
        .filter(|(most, _)| assessment.unbounded > *most);
    let (verdict, why) = match (assessment.tier, armed) {
        (Tier::Monitor, _) => match bound {
            Some((_, why)) => (Verdict::Bounded, why.clone()),
            None => (Verdict::Looks, looks(assessment)),
        },
        (_, None) => (Verdict::NoOption, no_option(identity, choices)),
        (_, Some(_)) => match assessment.ask.first() {
            Some(why) => (Verdict::Waits, why.clone()),
            None => (Verdict::Acts, first(&assessment.reasons)),
        },
    };
    let is_threat = Exposure::of(alert.pattern) >= Exposure::Exposed && alert.is_confident();
    Replayed {
        alert: alert.id.clone(),
        identity: identity.cloned(),
        pattern: alert.pattern,
        severity: alert.severity,
        score: assessment.score,
        shadow_tier: assessment.unbounded,
        shadow: shadow.and_then(|c| c.playbook.clone()),
        shadow_interrupts: interrupted(shadow),
        tier: assessment.tier,
        armed: verdict,
        playbook: armed.and_then(|c| c.playbook.clone()),
        interrupts: interrupted(armed),
        why,
        missed: is_threat && matches!(verdict, Verdict::Looks | Verdict::NoOption),
    }
}

/// Returns the option that goes as far as the policy does; of several the one that cuts off least.
fn taken(choices: &[Choice], tier: Tier, may: impl Fn(&Choice) -> bool) -> Option<&Choice> {
    let acting = choices.iter().filter(|c| {
        let acts = c.playbook.is_some() && c.tier > Tier::Monitor;
        acts && c.tier <= tier && may(c)
    });
    acting.min_by_key(|c| (std::cmp::Reverse(c.tier), c.trap.is_some(), c.slice))
}

fn looks(assessment: &Assessment) -> String {
    let (score, (soft, _)) = (assessment.score, assessment.thresholds);
    format!("score {score} lies below soft ({soft})")
}

fn no_option(identity: Option<&IdentityId>, choices: &[Choice]) -> String {
    if identity.is_none() {
        return "nobody is named".to_owned();
    }
    let off = choices.iter().find_map(|c| c.disabled.clone());
    off.unwrap_or_else(|| "no playbook goes that far".to_owned())
}

fn first(reasons: &[String]) -> String {
    reasons.first().cloned().unwrap_or_default()
}

/// What many replayed alerts come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many alerts.
    pub alerts: usize,
    /// On how many the policy would have acted in shadow.
    pub shadow: usize,
    /// How many came to which end as things are.
    pub armed: BTreeMap<&'static str, usize>,
    /// How many identities would have been interrupted in shadow, and how many hang on them.
    pub shadow_interrupted: (usize, usize),
    /// The same as things are, those that wait for a person included.
    pub interrupted: (usize, usize),
    /// How many were missed.
    pub missed: usize,
    /// By playbook: in shadow, armed, interrupts.
    pub playbooks: BTreeMap<String, (usize, usize, usize)>,
}

/// Adds replayed alerts up.
pub fn sum(all: &[Replayed]) -> Summary {
    let mut sum = Summary {
        alerts: all.len(),
        ..Summary::default()
    };
    for verdict in Verdict::ALL {
        sum.armed.insert(verdict.as_str(), 0);
    }
    for one in all {
        sum.shadow += usize::from(one.shadow.is_some());
        *sum.armed.entry(one.armed.as_str()).or_default() += 1;
        sum.missed += usize::from(one.missed);
        if let Some(book) = &one.shadow {
            sum.playbooks.entry(book.clone()).or_default().0 += 1;
        }
        if let Some(book) = &one.playbook {
            let counts = sum.playbooks.entry(book.clone()).or_default();
            counts.1 += 1;
            counts.2 += one.interrupts;
        }
    }
    sum.shadow_interrupted = interrupted(all, |one| one.shadow_interrupts);
    sum.interrupted = interrupted(all, |one| one.interrupts);
    sum
}

/// Counts each identity once, however many alerts are about it.
fn interrupted(all: &[Replayed], who: impl Fn(&Replayed) -> usize) -> (usize, usize) {
    let mut seen = BTreeSet::new();
    let hit = all.iter().filter(|one| who(one) > 0);
    let each: Vec<usize> = hit
        .filter(|one| seen.insert(one.identity.clone()))
        .map(&who)
        .collect();
    (each.len(), each.iter().sum())
}
