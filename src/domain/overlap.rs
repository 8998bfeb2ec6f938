//! Rotation with an overlap: a new credential is issued beside those in use, and a later step of the same plan turns those
//! off when whoever uses them had time to take the new one.
//!
//! All of it follows from the log: the time begins with the proof that the new one is there, or with the word of the team
//! that issued it by hand, and ends with the act of the step. So a restart loses none and none is done twice.

use jiff::{SignedDuration, Timestamp};

use super::coverage::CellState;
use super::decision::{Act, DecisionKind, Decisions, PlanState};
use super::handoff;
use super::ids::PlanDigest;
use super::plan::PlanStep;

/// Shortest overlap, in seconds.
pub const LEAST_OVERLAP_S: u64 = 60;

/// How long after a try that sent nothing it is tried again by itself, in seconds.
pub const AGAIN_S: i64 = 300;

/// A step that waits for its time, or was tried and did not end the overlap.
#[derive(Clone, Copy, Debug)]
pub struct Later<'d> {
    /// Which plan.
    pub digest: &'d PlanDigest,
    /// The plan.
    pub state: &'d PlanState,
    /// Which step of it.
    pub step: &'d PlanStep,
    /// Since when the new one is there.
    pub since: Timestamp,
    /// When the old ones are turned off.
    pub until: Timestamp,
    /// Who issued the new one or wrote down that somebody did: the key that signs that, and the name.
    pub by: (Option<&'d str>, &'d str),
    /// When somebody stopped it, who, and why.
    pub kept: Option<(Timestamp, &'d str, &'d str)>,
    /// A team does it by hand: then its word ends it.
    pub by_hand: bool,
    /// The last act of the step, which did not prove that the old ones are off.
    pub tried: Option<&'d Act>,
}

impl Later<'_> {
    /// Tells whether it is to be carried out by itself now: its time has come, nobody stopped it, and nothing of it was sent.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let again = |act: &Act| {
            let at = act.last.checked_add(SignedDuration::from_secs(AGAIN_S));
            act.sent_nothing() && at.unwrap_or(Timestamp::MAX) <= now
        };
        let by_itself = self.kept.is_none() && !self.by_hand;
        by_itself && self.until <= now && self.tried.is_none_or(again)
    }

    /// Tells whether somebody may carry it out: what may have taken effect is read back instead, and a refusal is none.
    pub fn may_be_sent(&self) -> bool {
        !self.by_hand && self.tried.is_none_or(|act| act.cell() == CellState::Failed)
    }
}

/// Returns all of them.
pub fn waiting(decisions: &Decisions) -> impl Iterator<Item = Later<'_>> {
    let plans = decisions.plans();
    plans.flat_map(move |(digest, state)| of_plan(decisions, digest, state))
}

/// Returns those of one plan.
pub fn of_plan<'d>(
    decisions: &'d Decisions,
    digest: &'d PlanDigest,
    state: &'d PlanState,
) -> impl Iterator<Item = Later<'d>> {
    let steps = state.plan.steps.iter();
    steps.filter_map(move |step| later(decisions, digest, state, step))
}

/// Returns how one step of a plan waits, if it does.
pub fn later<'d>(
    decisions: &'d Decisions,
    digest: &'d PlanDigest,
    state: &'d PlanState,
    step: &'d PlanStep,
) -> Option<Later<'d>> {
    let after = step.after_s?;
    let by_hand = step.is_handed_over();
    if by_hand && handoff::done_at(digest, &state.plan, step, decisions).is_some() {
        return None;
    }
    let tried = decisions.act_of(digest, &step.id);
    if tried.is_some_and(|act| act.cell() == CellState::Proven) {
        return None;
    }
    let issued = state.plan.issues_before(step)?;
    let (since, by) = issued_at(decisions, digest, state, issued)?;
    let after = SignedDuration::from_secs(i64::try_from(after).unwrap_or(i64::MAX));
    let about = decisions.of_alert(&state.plan.alert).iter();
    let kept = about
        .filter(|(_, _, d)| d.kind == DecisionKind::KeepOld && d.plan.as_ref() == Some(digest))
        .find(|(_, _, d)| d.step.as_ref() == Some(&step.id));
    Some(Later {
        digest,
        state,
        step,
        since,
        until: since.checked_add(after).unwrap_or(Timestamp::MAX),
        by,
        kept: kept.map(|(at, who, d)| (*at, who.as_str(), d.reason.as_deref().unwrap_or_default())),
        by_hand,
        tried,
    })
}

/// Returns when a new credential was seen, or is said, to be there, and who issued it or had it issued.
fn issued_at<'d>(
    decisions: &'d Decisions,
    digest: &PlanDigest,
    state: &'d PlanState,
    issued: &PlanStep,
) -> Option<(Timestamp, (Option<&'d str>, &'d str))> {
    let Some(act) = decisions.act_of(digest, &issued.id) else {
        let done = handoff::done_at(digest, &state.plan, issued, decisions)?;
        return Some((done, (state.signer.as_deref(), state.actor.as_str())));
    };
    let undone = decisions.undo_of(digest, &issued.id);
    let undone = undone.is_some_and(|undo| undo.cell() == CellState::Proven);
    let stands = act.cell() == CellState::Proven && !undone;
    stands.then_some((act.last, (act.signer.as_deref(), act.actor.as_str())))
}

/// Says a time as people do: `24 h`, `90 min`, `45 s`.
pub fn span(seconds: u64) -> String {
    match seconds {
        s if s % 86_400 == 0 && s > 86_400 => format!("{} d", s / 86_400),
        s if s % 3_600 == 0 && s > 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 && s > 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests;
