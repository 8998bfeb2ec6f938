//! What the policy does by itself, and when: countdown, veto, brake. Time is an argument, what happened so far is in the
//! log, so nothing here remembers anything.
//!
//! A countdown is a record before it counts, and so is the run at its end. Whoever has the duty reads both: what was run,
//! or stopped, is never run again by itself, whatever crashed in between.

use jiff::{SignedDuration, Timestamp};

use super::alert::Alert;
use super::decision::{Alone, ByItself, Decision, DecisionKind};
use super::identity::Identity;
use super::ids::PlanDigest;
use super::options::{Choice, Held};
use super::plan::{Plan, Undo};
use super::policy::modes::{alone, needs_no_undo};
use super::policy::{Assessment, Mode, Policy};
use super::vocabulary::{Criticality, Tier, Verb};

/// Nothing begins by itself about what happened longer ago than this, in seconds: an import of old alerts is no attack.
pub const FRESH_S: i64 = 3_600;
/// The span that the brake looks at, and for which a veto holds for an identity, in seconds.
pub const HOUR_S: i64 = 3_600;
/// How long after its end a countdown still counts as seen to its end, in seconds. A console that stood still longer did
/// not show it.
pub const LATE_S: i64 = 15;
/// Most countdowns for one alert: one, and one more after a console ended in it.
pub const MOST_COUNTDOWNS: u32 = 2;

/// An alert, and what is known about it.
pub struct Case<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// Whose access.
    pub identity: &'a Identity,
    /// What the policy says.
    pub assessment: &'a Assessment,
    /// What could be done.
    pub choices: &'a [Choice],
    /// How many stop working when the identity is cut off.
    pub breaks: usize,
    /// How many its holder reaches.
    pub reaches: usize,
    /// Nobody took it, and it is not over.
    pub is_new: bool,
    /// Until when somebody holds containment back, for this alert or another about the identity.
    pub held: Option<Timestamp>,
    /// When somebody last acted on the identity.
    pub last_act: Option<Timestamp>,
    /// What happened by itself so far.
    pub alone: &'a Alone,
    /// The policy in force.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
}

/// What is to be done by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write down once what would have been done.
    Shadow(Proposal),
    /// Begin a countdown.
    Begin(Proposal),
    /// A person decides, for this reason.
    Waits(Proposal),
    /// The brake holds.
    Brake(Proposal),
}

/// A playbook for an alert, and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Which playbook.
    pub playbook: String,
    /// What, and why, in words.
    pub says: String,
}

/// What a countdown comes to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// It goes on.
    Counts,
    /// Its end was reached: run the plan.
    Run(PlanDigest),
    /// It is not run, for this reason.
    Stop(String),
    /// Nobody could see its end; it begins anew.
    Again,
}

impl Proposal {
    /// Makes the record of it. The policy's digest is added where it is written.
    pub fn record(&self, kind: DecisionKind, case: &Case<'_>) -> Decision {
        Decision {
            identity: Some(case.identity.id.clone()),
            playbook: Some(self.playbook.clone()),
            ..Decision::on(case.alert.id.clone(), kind, Some(self.says.clone()))
        }
    }
}

/// Returns what is to be done by itself about an alert, in shadow and in fact.
pub fn consider(case: &Case<'_>) -> Vec<Next> {
    if !case.policy.does_anything_alone() || !case.is_new || !is_fresh(case.alert, case.now) {
        return Vec::new();
    }
    let shadow = shadow(case);
    let real = real(case);
    shadow.into_iter().chain(real).collect()
}

/// Tells whether an alert is about what happened just now, so that something may begin by itself about it.
pub fn is_fresh(alert: &Alert, now: Timestamp) -> bool {
    let when = alert.time.unwrap_or(alert.observed);
    seconds(when, now).abs() <= FRESH_S
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

/// Returns the option that would be taken: as far as the policy goes and no further than what is routine, the one that
/// cuts off least, of those that run so.
fn taken<'a>(case: &Case<'a>, mode: Mode) -> Option<&'a Choice> {
    let most = alone(case.assessment);
    let fits = |c: &&Choice| {
        let runs_so = c.playbook.as_deref().map(|id| case.policy.mode_of(id)) == Some(mode);
        runs_so && c.tier <= most && c.disabled.is_none() && c.unsure.is_none()
    };
    let key = |c: &&Choice| (std::cmp::Reverse(c.tier), c.trap.is_some(), c.slice);
    case.choices.iter().filter(fits).min_by_key(key)
}

fn shadow(case: &Case<'_>) -> Option<Next> {
    if case.alone.is_shadowed(&case.alert.id) {
        return None;
    }
    let choice = taken(case, Mode::Shadow)?;
    let playbook = choice.playbook.clone()?;
    let says = match (waits(case), brake(case)) {
        (Some(why), _) => format!("would have waited for a person: {why}"),
        (None, Some(why)) => format!("would have been held by the brake: {why}"),
        (None, None) => {
            let after = case.policy.countdown_s(&playbook);
            format!(
                "would have run after {after} s: {}; {}",
                choice.title, choice.impact
            )
        }
    };
    Some(Next::Shadow(Proposal { playbook, says }))
}

fn real(case: &Case<'_>) -> Option<Next> {
    // What was begun once comes to its end by `at_end`; what came to an end is a person's from then on.
    if case.alone.of(&case.alert.id).is_some() {
        return None;
    }
    let choice = taken(case, Mode::Auto)?;
    let playbook = choice.playbook.clone()?;
    if is_under_way(case, &playbook) {
        return None;
    }
    let propose = |says: String| Proposal {
        playbook: playbook.clone(),
        says,
    };
    if let Some(why) = waits(case) {
        return Some(Next::Waits(propose(why)));
    }
    if let Some(why) = brake(case) {
        return Some(Next::Brake(propose(why)));
    }
    let says = format!("{}; {}", choice.title, case.assessment.line());
    Some(Next::Begin(propose(says)))
}

/// Tells whether the same, or anything a person does, is under way on the identity already: many alerts about one intruder
/// are one reason to act. A veto holds for the identity, not for one of its alerts.
fn is_under_way(case: &Case<'_>, playbook: &str) -> bool {
    let recent = |at: Timestamp| seconds(at, case.now) < HOUR_S;
    let acted = case.last_act.is_some_and(recent);
    let last = case.alone.last_on(&case.identity.id, playbook);
    let alike = last.is_some_and(|(at, kind)| recent(at) && kind != DecisionKind::AutoBraked);
    acted || alike
}

/// Returns why a person decides, with both risks; none when nobody has to be asked. Whatever a policy says: never by
/// itself on what the business hangs on, on what must not stop, or on somebody whom no inventory knows.
pub fn waits(case: &Case<'_>) -> Option<String> {
    let card = case.identity;
    let critical = &case.policy.file.automation.critical_kinds;
    let why = if let Some(until) = case.held {
        format!(
            "somebody holds it back until {}",
            until.strftime("%F %H:%MZ")
        )
    } else if card.criticality == Some(Criticality::BusinessCritical) {
        "it is business-critical".to_owned()
    } else if let Some(what) = &card.uninterruptible {
        format!("it is uninterruptible ({})", what.show())
    } else if critical.contains(&card.kind) {
        format!("the policy calls every {} business-critical", card.kind)
    } else if !card.is_listed() {
        "no inventory lists it, so nobody knows what it breaks".to_owned()
    } else {
        case.assessment.ask.first()?.clone()
    };
    Some(format!("{why}. {}", risks(case)))
}

/// Says what is at stake on both sides.
pub fn risks(case: &Case<'_>) -> String {
    let cost = case.identity.stop_cost.as_ref();
    let cost = cost.map_or_else(String::new, |cost| format!(", {}", cost.show()));
    let nothing = case.choices.iter().find(|c| c.playbook.is_none());
    let keeps = nothing.map_or(&[][..], |c| &c.leaves);
    let keeps: Vec<&str> = keeps.iter().map(|h: &Held| h.layer.as_str()).collect();
    let keeps = match keeps.as_slice() {
        [] => String::new(),
        layers => format!(" and keeps {}", layers.join(", ")),
    };
    format!(
        "Stopping it: {} on the map break{cost}. Going on: whoever holds it reaches {}{keeps}",
        case.breaks, case.reaches
    )
}

/// Returns why the brake holds. Countdowns that run count as if they had run.
fn brake(case: &Case<'_>) -> Option<String> {
    let most = case.policy.file.automation.per_hour as usize;
    let since = case
        .now
        .checked_sub(SignedDuration::from_secs(HOUR_S))
        .unwrap_or(Timestamp::MIN);
    let open = case.alone.countdowns();
    let open = open.filter(|(alert, _)| **alert != case.alert.id).count();
    let run = case.alone.runs_since(since);
    (run + open >= most).then(|| {
        format!("{run} ran by themselves within the last hour and {open} count down; at most {most} an hour")
    })
}

/// Tells what a countdown comes to. `case` is `None` while its alert is being read.
pub fn at_end(count: &ByItself, case: Option<&Case<'_>>, now: Timestamp) -> AtEnd {
    if count.in_hand {
        return AtEnd::Stop("a person has taken the alert in hand".to_owned());
    }
    let (Some(until), Some(plan)) = (count.until, count.plan.clone()) else {
        return AtEnd::Stop("its record does not say when it ends, or what would run".to_owned());
    };
    let left = seconds(now, until);
    // A clock that was put back must not make a countdown longer than any can be.
    if left > i64::from(super::policy::modes::COUNTDOWN_S.1) {
        return AtEnd::Stop("the clock was put back during the countdown".to_owned());
    }
    if now < until {
        return AtEnd::Counts;
    }
    if -left > LATE_S {
        return match count.begun < MOST_COUNTDOWNS {
            true => AtEnd::Again,
            false => AtEnd::Stop(
                "the console ended, or stood still, in two countdowns; a person decides".to_owned(),
            ),
        };
    }
    let Some(case) = case else {
        return AtEnd::Counts;
    };
    match holds(count, case) {
        Some(why) => AtEnd::Stop(why),
        None => AtEnd::Run(plan),
    }
}

/// Returns why what was begun does not hold any more; none when it does.
pub fn holds(count: &ByItself, case: &Case<'_>) -> Option<String> {
    if !case.is_new {
        return Some("a person has taken the alert in hand, or it is over".to_owned());
    }
    if case.policy.mode_of(&count.playbook) != Mode::Auto {
        return Some(format!(
            "`{}` does not run by itself any more",
            count.playbook
        ));
    }
    if count.identity.as_ref() != Some(&case.identity.id) {
        return Some("the alert names somebody else now".to_owned());
    }
    let found = case
        .choices
        .iter()
        .find(|c| c.playbook.as_deref() == Some(&count.playbook));
    match found {
        None => return Some("the playbook is not for this alert any more".to_owned()),
        Some(choice) => {
            if let Some(why) = choice.disabled.as_ref().or(choice.unsure.as_ref()) {
                return Some(why.clone());
            }
            if choice.tier > alone(case.assessment) {
                return Some(format!(
                    "the policy goes no further than {} now",
                    case.assessment.tier
                ));
            }
        }
    }
    waits(case).or_else(|| brake(case))
}

/// Returns why a bound plan cannot run by itself; none when every step of it is routine. Who binds knows more than who
/// wrote the playbook: how each step is read back and taken back.
pub fn not_routine(plan: &Plan) -> Option<String> {
    let bad = plan.steps.iter().find_map(|step| {
        let (n, verb) = (&step.id, step.verb);
        let why = if step.tier > Tier::Soft || verb.cuts_everybody() {
            "is disruptive"
        } else if step.is_handed_over() || verb == Verb::PreserveEvidence {
            return None;
        } else if step.verify.is_none() {
            "has no read-back"
        } else if !matches!(step.undo, Undo::Requests { .. }) && !needs_no_undo(verb) {
            "has no undo"
        } else {
            return None;
        };
        Some(format!("step {n}, {verb}, {why}: a person decides"))
    });
    let skipped_evidence = plan.steps.first().map(|s| s.verb) != Some(Verb::PreserveEvidence);
    bad.or_else(|| {
        skipped_evidence.then(|| "it does not keep evidence first: a person decides".to_owned())
    })
}

/// Says how long a countdown still runs, in whole seconds, never less than nothing.
pub fn left_s(count: &ByItself, now: Timestamp) -> i64 {
    count.until.map_or(0, |until| {
        let left = until.duration_since(now).as_millis();
        i64::try_from((left + 999).div_euclid(1000))
            .unwrap_or(0)
            .max(0)
    })
}
