//! Whether what was done was allowed: by the roster, and by what those said who had to agree before.

use jiff::Timestamp;

use super::super::trust::Trust;
use super::{Finding, Level};
use crate::domain::authority::{
    Act as Doing, Quorum, Role, Roster, Standing, TimeOut, What, requesters,
};
use crate::domain::coverage::CellState;
use crate::domain::decision::{Act, Decisions, PlanState, Verdict};
use crate::domain::ids::PlanDigest;
use crate::domain::text::show;
use crate::domain::vocabulary::Tier;

/// Checks everything that was run. A roster in which nobody may agree to anything is not one for consoles.
pub fn check(decisions: &Decisions, trust: &Trust) -> Vec<Finding> {
    let roster = trust.roster();
    let mut checks = Checks {
        decisions,
        trust,
        roster: &roster,
        findings: Vec::new(),
    };
    if roster.analysts.iter().any(|a| a.role >= Role::Approver) {
        for (digest, state) in decisions.plans() {
            if !state.plan.drill {
                checks.plan(digest, state);
            }
        }
    }
    checks.findings
}

struct Checks<'a> {
    decisions: &'a Decisions,
    trust: &'a Trust,
    roster: &'a Roster,
    findings: Vec<Finding>,
}

impl Checks<'_> {
    fn find(&mut self, level: Level, digest: &PlanDigest, text: &str) {
        self.findings.push(Finding {
            level,
            check: "authority",
            seq: None,
            text: show(&format!("plan {}: {text}", digest.short())).into_owned(),
        });
    }

    fn plan(&mut self, digest: &PlanDigest, state: &PlanState) {
        for verdict in &state.verdicts {
            self.verdict(digest, state, verdict);
        }
        let sent = |act: &&Act| !act.intent.undo && !act.sent_nothing();
        let acts: Vec<&Act> = self.decisions.acts_by(digest).filter(sent).collect();
        let Some(first) = acts.iter().min_by_key(|act| act.at).copied() else {
            return;
        };
        for act in &acts {
            // What waited for its time and was refused may be tried again.
            let waited = state.plan.step(&act.intent.step);
            let waited = waited.is_some_and(|step| step.after_s.is_some());
            let refused = |a: &Act| waited && a.cell() == CellState::Failed;
            let again = |a: &&&Act| {
                let other = a.intent.step == act.intent.step && a.place != act.place;
                other && !refused(a)
            };
            if acts.iter().find(again).is_some_and(|a| a.at <= act.at) {
                let text = format!("step {} was run twice, in {}", act.intent.step, act.place.0);
                self.find(Level::Failure, digest, &text);
            }
        }
        self.runner(digest, state, first);
        self.agreement(digest, state, first.at);
    }

    /// Whoever ran it had to be allowed to.
    fn runner(&mut self, digest: &PlanDigest, state: &PlanState, first: &Act) {
        let who = self.trust.writer_of(&first.place.0);
        let who = who.and_then(|p| self.roster.analysts.iter().find(|a| a.name == p.name));
        let refusal = match who {
            None => Some("it was run in a log that is nobody's on the roster".to_owned()),
            Some(who) => who.may(Doing::Trigger, &What::from(&state.plan)).err(),
        };
        if let Some(refusal) = refusal {
            self.find(Level::Failure, digest, &refusal);
        }
    }

    /// Those who had to agree did before anything left, or somebody acted alone and somebody else looked at it.
    fn agreement(&mut self, digest: &PlanDigest, state: &PlanState, began: Timestamp) {
        let verdicts: Vec<Verdict> = state.verdicts.clone();
        let before: Vec<Verdict> = verdicts.into_iter().filter(|v| v.at <= began).collect();
        let by = requesters(state);
        let stands = |quorum: &Quorum| self.roster.standing(quorum, &state.plan, &by, &before);
        let commander = Quorum {
            count: 1,
            roles: [Role::Commander].into(),
            one_per_team: false,
        };
        let escalated = state
            .timed_out
            .is_some_and(|(_, what)| what == TimeOut::Escalate);
        let enough = escalated && matches!(stands(&commander), Standing::Agreed { .. });
        let glass = self
            .decisions
            .glass(digest)
            .filter(|glass| glass.at <= began);
        let needs = state.needs.clone().unwrap_or_default();
        let (level, text) = match (stands(&needs), glass) {
            (Standing::Refused { by, .. }, _) => (
                Level::Failure,
                format!("it was run although {by} had refused it"),
            ),
            (_, Some(glass)) if glass.reviews.is_empty() => (
                Level::Warning,
                format!("{} acted alone, and nobody reviewed it", glass.actor),
            ),
            (Standing::Waiting { missing, .. }, None) if !enough => (
                Level::Failure,
                format!("it was run although {missing} more had to agree"),
            ),
            (Standing::Free, None) if state.plan.tier == Tier::Hard => (
                Level::Warning,
                "it is of the hard tier, and nobody else was asked".to_owned(),
            ),
            _ => return,
        };
        self.find(level, digest, &text);
    }

    /// A verdict of somebody who may give none counts for nothing, and should not be there.
    fn verdict(&mut self, digest: &PlanDigest, state: &PlanState, verdict: &Verdict) {
        let key = verdict.signer.as_deref().unwrap_or_default();
        let Some(who) = self.roster.holder_of(key) else {
            return;
        };
        if let Err(refusal) = who.may(Doing::Judge, &What::from(&state.plan)) {
            let text = format!("a verdict that counts for nothing: {refusal}");
            self.find(Level::Failure, digest, &text);
        } else if verdict.at >= state.plan.expires {
            let text = format!("{} agreed after it had expired", who.name);
            self.find(Level::Warning, digest, &text);
        }
    }
}
