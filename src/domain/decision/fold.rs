//! The fold that turns records into what everybody decided and did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Alone, Approval, BreakGlass, Decision, DecisionKind, Entry, Intent, Outcome, Place, PlanRecord,
    RecordType, Verdict, Verify,
};
use crate::domain::authority::{Quorum, TimeOut};
use crate::domain::campaign::Campaigns;
use crate::domain::coverage::{CellState, WireOutcome, cell};
use crate::domain::hold::Holds;
use crate::domain::ids::{AlertId, IdentityId, IntentId, PlanDigest, StepId};
use crate::domain::plan::Plan;

/// One act as the journals tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What was to happen.
    pub intent: Intent,
    /// When the intent was written.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// The key that signs the intent.
    pub signer: Option<Arc<str>>,
    /// Which log its intent is in, and where there.
    pub place: (String, u64),
    /// What came of it; `None` is open.
    pub outcome: Option<Outcome>,
    /// What the last read-back told.
    pub verify: Option<Verify>,
    /// When the last of these records was written.
    pub last: Timestamp,
}

impl Act {
    /// Returns what is known. An intent without an outcome is `unknown` to everybody but the process that runs it.
    pub fn cell(&self) -> CellState {
        let proof = self.verify.as_ref().map(|v| v.proof);
        cell(
            self.outcome
                .as_ref()
                .map_or(WireOutcome::Unknown, |o| o.outcome),
            proof,
        )
    }

    /// Tells whether it is known that no request of it left.
    pub fn sent_nothing(&self) -> bool {
        let outcome = self.outcome.as_ref().map(|o| o.outcome);
        outcome == Some(WireOutcome::NotSent)
    }
}

/// One plan as the journals tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanState {
    /// The plan.
    pub plan: Plan,
    /// When it was recorded.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// Where its record stands.
    pub place: Place,
    /// The key that signs its record.
    pub signer: Option<Arc<str>>,
    /// When others were first asked to agree to it, and the key that signs that.
    pub asked: Option<(Timestamp, Option<Arc<str>>)>,
    /// Who must, as that says.
    pub needs: Option<Quorum>,
    /// What came of it that they did not agree in time, and when that was written down.
    pub timed_out: Option<(Timestamp, TimeOut)>,
    /// Verdicts on it.
    pub verdicts: Vec<Verdict>,
    /// Whether its log goes on after it has expired: then it has, whatever a clock that was set back says.
    pub outlived: bool,
}

/// Somebody acted alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glass {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The key that signs it.
    pub signer: Option<Arc<str>>,
    /// For which alert.
    pub alert: AlertId,
    /// Why nobody else could be asked.
    pub reason: String,
    /// What others said of it since; whether they may is not judged here.
    pub reviews: Vec<Review>,
}

/// Somebody looked at what another did alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The key that signs it.
    pub signer: Option<Arc<str>>,
    /// What they found.
    pub reason: String,
}

/// Everything everybody decided: a fold over all journals.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    plans: BTreeMap<PlanDigest, PlanState>,
    plans_of_alert: BTreeMap<AlertId, BTreeSet<PlanDigest>>,
    acts: BTreeMap<IntentId, Act>,
    acts_of_alert: BTreeMap<AlertId, BTreeSet<IntentId>>,
    acts_of_identity: BTreeMap<IdentityId, BTreeSet<IntentId>>,
    acts_of_plan: BTreeMap<PlanDigest, BTreeSet<IntentId>>,
    unknown: BTreeSet<IntentId>,
    alerts: BTreeMap<AlertId, Vec<(Timestamp, String, Decision)>>,
    early: BTreeMap<PlanDigest, Vec<Verdict>>,
    /// Decisions about plans, or about what somebody did alone, that were not seen yet: logs have no order.
    early_said: BTreeMap<PlanDigest, Vec<(Entry, Decision)>>,
    /// Plans that others were asked about.
    asked: BTreeSet<PlanDigest>,
    broken: BTreeMap<PlanDigest, Glass>,
    /// By log, plans in it that nothing later than their end was written after yet.
    alive: BTreeMap<String, BTreeSet<(Timestamp, PlanDigest)>>,
    /// What is temporary, and who is trusted again.
    pub holds: Holds,
    /// One breach, many identities.
    pub campaigns: Campaigns,
    alone: Alone,
    /// Records whose body this version cannot read, by type: shown, never guessed at.
    pub unreadable: usize,
}

impl Decisions {
    /// Takes in one record. Order between logs does not matter as long as each log is in order.
    pub fn apply(&mut self, entry: &Entry) {
        self.note_time(entry);
        let read = match entry.kind {
            RecordType::Plan => entry
                .body_as::<PlanRecord>()
                .map(|r| self.take_plan(entry, r)),
            RecordType::Approval => entry
                .body_as::<Approval>()
                .map(|a| self.take_approval(entry, a)),
            RecordType::Intent => entry.body_as::<Intent>().map(|intent| {
                let id = intent.intent.clone();
                let act = Act {
                    intent,
                    at: entry.ts,
                    actor: entry.actor.clone(),
                    signer: entry.signer.clone(),
                    place: (entry.log.clone(), entry.seq),
                    outcome: None,
                    verify: None,
                    last: entry.ts,
                };
                self.acts_of_alert
                    .entry(act.intent.alert.clone())
                    .or_default()
                    .insert(id.clone());
                self.acts_of_identity
                    .entry(act.intent.identity.clone())
                    .or_default()
                    .insert(id.clone());
                self.acts_of_plan
                    .entry(act.intent.digest.clone())
                    .or_default()
                    .insert(id.clone());
                self.acts.insert(id.clone(), act);
                self.note_unknown(&id);
            }),
            RecordType::Outcome => entry.body_as::<Outcome>().map(|outcome| {
                let id = outcome.intent.clone();
                if let Some(act) = self.acts.get_mut(&id) {
                    act.outcome = Some(outcome);
                    act.last = entry.ts;
                }
                self.note_unknown(&id);
            }),
            RecordType::Verify => entry.body_as::<Verify>().map(|verify| {
                let id = verify.intent.clone();
                if let Some(act) = self.acts.get_mut(&id) {
                    act.verify = Some(verify);
                    act.last = entry.ts;
                }
                self.note_unknown(&id);
            }),
            RecordType::BreakGlass => entry
                .body_as::<BreakGlass>()
                .map(|alone| self.take_glass(entry, alone)),
            RecordType::Decision => entry.body_as::<Decision>().map(|decision| {
                self.alone.take(entry.ts, &entry.actor, &decision);
                self.take_request(entry, &decision);
                self.take_review(entry, &decision);
                self.holds.take(entry, &decision);
                self.campaigns.take(entry, &decision);
                let row = (entry.ts, entry.actor.clone(), decision.clone());
                self.alerts.entry(decision.alert).or_default().push(row);
            }),
            _ => Ok(()),
        };
        if read.is_err() {
            self.unreadable += 1;
        }
    }

    /// Ends plans that a record of their own log was written after: the order of a log is no matter of clocks.
    fn note_time(&mut self, entry: &Entry) {
        let Some(alive) = self.alive.get_mut(&entry.log) else {
            return;
        };
        while alive
            .first()
            .is_some_and(|(expires, _)| *expires <= entry.ts)
        {
            if let Some((_, digest)) = alive.pop_first()
                && let Some(plan) = self.plans.get_mut(&digest)
            {
                plan.outlived = true;
            }
        }
    }

    /// Says that a plan has expired although a clock may say otherwise, if so.
    pub fn still_lives(&self, digest: &PlanDigest) -> Result<(), String> {
        match self.plans.get(digest) {
            Some(state) if state.outlived => Err(format!(
                "the plan expired at {}: its log went on after that, so the clock was set back since; build it anew",
                state.plan.expires
            )),
            _ => Ok(()),
        }
    }

    /// Keeps count of acts that nobody can vouch for, so that a screen need not look at all of them.
    fn note_unknown(&mut self, id: &IntentId) {
        let unknown = |act: &Act| act.cell() == CellState::Unknown;
        if self.acts.get(id).is_some_and(unknown) {
            self.unknown.insert(id.clone());
        } else {
            self.unknown.remove(id);
        }
    }

    /// Keeps a verdict also when its plan has not been seen yet: clocks of hosts differ, so it may come first.
    fn take_approval(&mut self, entry: &Entry, approval: Approval) {
        let verdict = Verdict {
            by: approval.by.clone().unwrap_or_else(|| entry.actor.clone()),
            log: entry.log.clone(),
            signer: entry.signer.clone(),
            at: entry.ts,
            approval,
        };
        let digest = verdict.approval.digest.clone();
        match self.plans.get_mut(&digest) {
            Some(plan) => plan.verdicts.push(verdict),
            None => self.early.entry(digest).or_default().push(verdict),
        }
    }

    /// Notes that others were asked about a plan. Whoever asks has the plan in a log of theirs, or read it in another.
    fn take_request(&mut self, entry: &Entry, decision: &Decision) {
        let about = matches!(decision.kind, DecisionKind::Ask | DecisionKind::TimedOut);
        let Some(digest) = decision.plan.as_ref().filter(|_| about) else {
            return;
        };
        let Some(plan) = self.plans.get_mut(digest) else {
            return self.keep(digest, entry, decision);
        };
        match (decision.kind, decision.came_to) {
            (DecisionKind::Ask, _) if plan.asked.is_none() => {
                plan.needs.clone_from(&decision.needs);
                plan.asked = Some((entry.ts, entry.signer.clone()));
                self.asked.insert(digest.clone());
            }
            (DecisionKind::TimedOut, Some(came_to)) => {
                plan.timed_out.get_or_insert((entry.ts, came_to));
            }
            _ => {}
        }
    }

    fn keep(&mut self, digest: &PlanDigest, entry: &Entry, decision: &Decision) {
        let early = self.early_said.entry(digest.clone()).or_default();
        early.push((entry.clone(), decision.clone()));
    }

    fn take_early(&mut self, digest: &PlanDigest) {
        for (entry, decision) in self.early_said.remove(digest).unwrap_or_default() {
            self.take_request(&entry, &decision);
            self.take_review(&entry, &decision);
        }
    }

    fn take_glass(&mut self, entry: &Entry, alone: BreakGlass) {
        let digest = alone.digest.clone();
        self.broken.entry(alone.digest).or_insert_with(|| Glass {
            at: entry.ts,
            actor: entry.actor.clone(),
            signer: entry.signer.clone(),
            alert: alone.alert,
            reason: alone.reason,
            reviews: Vec::new(),
        });
        self.take_early(&digest);
    }

    fn take_review(&mut self, entry: &Entry, decision: &Decision) {
        let about = decision.kind == DecisionKind::Review;
        let Some(digest) = decision.plan.as_ref().filter(|_| about) else {
            return;
        };
        let Some(glass) = self.broken.get_mut(digest) else {
            return self.keep(digest, entry, decision);
        };
        glass.reviews.push(Review {
            at: entry.ts,
            actor: entry.actor.clone(),
            signer: entry.signer.clone(),
            reason: decision.reason.clone().unwrap_or_default(),
        });
    }

    /// Returns what people did alone, by plan.
    pub fn broken(&self) -> impl Iterator<Item = (&PlanDigest, &Glass)> {
        self.broken.iter()
    }

    /// Returns how somebody came to run this plan alone, if they did.
    pub fn glass(&self, digest: &PlanDigest) -> Option<&Glass> {
        self.broken.get(digest)
    }

    /// Tells whether anything was done by a plan.
    pub fn was_run(&self, digest: &PlanDigest) -> bool {
        self.acts_by(digest).any(|act| !act.intent.undo)
    }

    /// Returns the plans that others were asked about, that nothing was done by yet, oldest request first.
    pub fn asked(&self) -> Vec<(&PlanDigest, &PlanState)> {
        let open = self.asked.iter().filter(|d| !self.was_run(d));
        let mut plans: Vec<_> = open.filter_map(|d| self.plans.get_key_value(d)).collect();
        plans.sort_by_key(|(_, state)| state.asked.as_ref().map(|(at, _)| *at));
        plans
    }

    fn take_plan(&mut self, entry: &Entry, record: PlanRecord) {
        // A plan that does not hash to its name is never run; the verifier reports it.
        if record.plan.digest() != record.digest {
            self.unreadable += 1;
            return;
        }
        let state = PlanState {
            plan: record.plan,
            at: entry.ts,
            actor: entry.actor.clone(),
            place: Place {
                log: entry.log.clone(),
                seq: entry.seq,
            },
            signer: entry.signer.clone(),
            asked: None,
            needs: None,
            timed_out: None,
            verdicts: self.early.remove(&record.digest).unwrap_or_default(),
            outlived: false,
        };
        let alive = self.alive.entry(entry.log.clone()).or_default();
        alive.insert((state.plan.expires, record.digest.clone()));
        self.plans_of_alert
            .entry(state.plan.alert.clone())
            .or_default()
            .insert(record.digest.clone());
        let digest = record.digest.clone();
        self.plans.insert(record.digest, state);
        self.take_early(&digest);
    }

    /// Returns all plans.
    pub fn plans(&self) -> impl Iterator<Item = (&PlanDigest, &PlanState)> {
        self.plans.iter()
    }

    /// Finds a plan by its digest, or by an unambiguous prefix of at least 8 hex digits.
    pub fn plan(&self, digest: &str) -> Option<(&PlanDigest, &PlanState)> {
        if let Some(exact) = self.plans.get_key_value(&PlanDigest::new(digest)) {
            return Some(exact);
        }
        let from = self.plans.range(PlanDigest::new(digest)..);
        let mut found = from.take_while(|(d, _)| d.as_str().starts_with(digest));
        let first = found.next()?;
        (digest.len() >= 8 && found.next().is_none()).then_some(first)
    }

    /// Returns the plans for one alert.
    pub fn plans_for(&self, alert: &AlertId) -> impl Iterator<Item = &PlanState> {
        let digests = self.plans_of_alert.get(alert).into_iter().flatten();
        digests.filter_map(|digest| self.plans.get(digest))
    }

    /// Returns the plans for one alert, each under its digest.
    pub fn plans_of(&self, alert: &AlertId) -> impl Iterator<Item = (&PlanDigest, &PlanState)> {
        let digests = self.plans_of_alert.get(alert).into_iter().flatten();
        digests.filter_map(|digest| self.plans.get_key_value(digest))
    }

    /// Returns the act that begins with this intent.
    pub fn act(&self, intent: &IntentId) -> Option<&Act> {
        self.acts.get(intent)
    }

    /// Returns all acts, oldest first (UUIDv7 sorts by time).
    pub fn acts(&self) -> impl DoubleEndedIterator<Item = &Act> {
        self.acts.values()
    }

    /// Returns the acts for one alert, oldest first, without those that gave way to another run of the same plan.
    pub fn acts_for(&self, alert: &AlertId) -> impl DoubleEndedIterator<Item = &Act> {
        let ids = self.acts_of_alert.get(alert).into_iter().flatten();
        ids.filter_map(|id| self.acts.get(id))
            .filter(|act| !self.gave_way(act))
    }

    /// Returns the acts on one identity, oldest first, without those that gave way to another run of the same plan.
    pub fn acts_on(&self, identity: &IdentityId) -> impl DoubleEndedIterator<Item = &Act> {
        let ids = self.acts_of_identity.get(identity).into_iter().flatten();
        ids.filter_map(|id| self.acts.get(id))
            .filter(|act| !self.gave_way(act))
    }

    /// Returns the acts of one plan, oldest first.
    pub fn acts_by(&self, digest: &PlanDigest) -> impl DoubleEndedIterator<Item = &Act> {
        let ids = self.acts_of_plan.get(digest).into_iter().flatten();
        ids.filter_map(|id| self.acts.get(id))
    }

    /// Tells whether the run that begins with this intent may go on: a plan runs once, and of several consoles that begin
    /// it at the same moment at most one acts. The earlier record of a log wins. Two logs have no order, so a run gives
    /// way to any that it sees in another log; at worst nobody acts, and everybody is told.
    pub fn may_go_on(&self, intent: &IntentId) -> bool {
        let Some(own) = self.acts.get(intent) else {
            return false;
        };
        let before = |other: &&Act| other.place.0 != own.place.0 || other.place.1 < own.place.1;
        !self.rivals(own).any(|other| before(&other))
    }

    /// Tells whether the act of a step that waited for its time may go on. Others carried out the steps before it, so only
    /// others at this very step are rivals; those that are known to have failed are none, or it could never be tried again.
    pub fn may_go_on_alone(&self, intent: &IntentId) -> bool {
        let Some(own) = self.acts.get(intent) else {
            return false;
        };
        let before = |other: &&Act| other.place.0 != own.place.0 || other.place.1 < own.place.1;
        let same = self
            .rivals(own)
            .filter(|a| a.intent.step == own.intent.step);
        !same
            .filter(|a| a.cell() != CellState::Failed)
            .any(|other| before(&other))
    }

    /// Returns the acts of other runs of the same plan.
    fn rivals<'a>(&'a self, own: &'a Act) -> impl Iterator<Item = &'a Act> {
        self.acts_by(&own.intent.digest).filter(move |a| {
            a.intent.digest == own.intent.digest
                && a.intent.undo == own.intent.undo
                && a.intent.intent != own.intent.intent
        })
    }

    /// Tells whether an act that was not sent says nothing: another one at the same step was sent or is under way, or is a
    /// later try that was not sent either and speaks for both.
    fn gave_way(&self, act: &Act) -> bool {
        act.sent_nothing()
            && self
                .rivals(act)
                .filter(|other| other.intent.step == act.intent.step)
                .any(|other| !other.sent_nothing() || other.intent.intent > act.intent.intent)
    }

    /// Returns the latest act of one step of one plan, apart from undos.
    pub fn act_of(&self, digest: &PlanDigest, step: &StepId) -> Option<&Act> {
        self.acts_by(digest)
            .rev()
            .filter(|a| a.intent.digest == *digest && a.intent.step == *step && !a.intent.undo)
            .find(|a| !self.gave_way(a))
    }

    /// Returns the latest undo of one step of one plan.
    pub fn undo_of(&self, digest: &PlanDigest, step: &StepId) -> Option<&Act> {
        self.acts_by(digest)
            .rev()
            .find(|a| a.intent.digest == *digest && a.intent.step == *step && a.intent.undo)
    }

    /// Returns acts that nobody can vouch for, oldest first.
    pub fn unknowns(&self) -> impl Iterator<Item = &Act> {
        self.unknown.iter().filter_map(|id| self.acts.get(id))
    }

    /// Returns what policies did by themselves.
    pub const fn alone(&self) -> &Alone {
        &self.alone
    }

    /// Returns the alerts that anything was decided or done about.
    pub fn alerts(&self) -> impl Iterator<Item = &AlertId> {
        self.alerts.keys().chain(self.acts_of_alert.keys())
    }

    /// Returns the alerts that a plan was recorded for.
    pub fn planned(&self) -> impl Iterator<Item = &AlertId> {
        self.plans_of_alert.keys()
    }

    /// Returns who has an alert: took it, or was given it, last.
    pub fn analyst(&self, alert: &AlertId) -> Option<&str> {
        let mut last = self.of_alert(alert).iter().rev();
        last.find_map(|(_, actor, decision)| match decision.kind {
            DecisionKind::Claim => Some(actor.as_str()),
            DecisionKind::Assign => decision.to.as_deref(),
            _ => None,
        })
    }

    /// Returns what was decided about an alert, oldest first.
    pub fn of_alert(&self, alert: &AlertId) -> &[(Timestamp, String, Decision)] {
        self.alerts.get(alert).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn entry(log: &str, seq: u64, kind: RecordType, body: &Value) -> Entry {
        Entry {
            log: log.to_owned(),
            seq,
            kind,
            ts: Timestamp::UNIX_EPOCH,
            actor: log.to_owned(),
            signer: None,
            body: body.as_object().unwrap().clone(),
        }
    }

    fn intent(id: &str, undo: bool) -> Value {
        json!({
            "intent": id, "digest": "d1", "step": "1", "verb": "revoke_tokens", "identity": "p:a", "alert": "s/1", "undo": undo,
            "process": {"boot": "b", "pid": 1, "start": 1},
        })
    }

    #[rstest]
    #[case::alone(&[("a", 5, "i1", false)], true)]
    #[case::first_of_a_log(&[("a", 5, "i1", false), ("a", 6, "i2", false)], true)]
    #[case::second_of_a_log(&[("a", 5, "i1", false), ("a", 4, "i2", false)], false)]
    #[case::another_log(&[("a", 5, "i1", false), ("b", 9, "i2", false)], false)]
    #[case::an_undo_is_no_run(&[("a", 5, "i1", false), ("a", 4, "i2", true)], true)]
    #[case::never_recorded(&[("a", 4, "i2", false)], false)]
    fn of_runs_that_begin_at_once_one_goes_on(
        #[case] intents: &[(&str, u64, &str, bool)],
        #[case] goes_on: bool,
    ) {
        let mut decisions = Decisions::default();
        for (log, seq, id, undo) in intents {
            decisions.apply(&entry(log, *seq, RecordType::Intent, &intent(id, *undo)));
        }
        assert_eq!(decisions.may_go_on(&IntentId::new("i1")), goes_on);
    }

    #[test]
    fn an_act_that_gave_way_hides_nothing() {
        let (alert, digest, step) = (AlertId::new("s/1"), PlanDigest::new("d1"), StepId::new("1"));
        let mut decisions = Decisions::default();
        let outcome =
            |id: &str, outcome: &str| json!({"intent": id, "outcome": outcome, "attempts": 1});
        decisions.apply(&entry("a", 1, RecordType::Intent, &intent("i2", false)));
        let unsent = outcome("i2", "not_sent");
        decisions.apply(&entry("a", 2, RecordType::Outcome, &unsent));
        assert_eq!(decisions.acts_for(&alert).count(), 1, "alone it counts");

        decisions.apply(&entry("b", 1, RecordType::Intent, &intent("i1", false)));
        let sent = outcome("i1", "accepted");
        decisions.apply(&entry("b", 2, RecordType::Outcome, &sent));
        let act = decisions.act_of(&digest, &step).unwrap();
        assert_eq!(act.intent.intent, IntentId::new("i1"));
        assert_eq!(decisions.acts_for(&alert).count(), 1);
        let identity = IdentityId::new("p:a");
        assert_eq!(decisions.acts_on(&identity).count(), 1);
        assert_eq!(decisions.acts_on(&IdentityId::new("p:b")).count(), 0);
        assert_eq!(decisions.acts().count(), 2);
        assert_eq!(decisions.unreadable, 0);
    }

    #[test]
    fn of_tries_that_sent_nothing_the_last_one_speaks() {
        let (digest, step) = (PlanDigest::new("d1"), StepId::new("1"));
        let mut decisions = Decisions::default();
        for (seq, id) in [(1, "i1"), (3, "i2"), (5, "i3")] {
            decisions.apply(&entry("a", seq, RecordType::Intent, &intent(id, false)));
            let unsent = json!({"intent": id, "outcome": "not_sent", "attempts": 0});
            decisions.apply(&entry("a", seq + 1, RecordType::Outcome, &unsent));
            let act = decisions.act_of(&digest, &step).unwrap();
            assert_eq!(act.intent.intent, IntentId::new(id));
            assert_eq!(decisions.acts_for(&AlertId::new("s/1")).count(), 1);
        }
    }

    #[rstest]
    #[case::refused("rejected", "", true)]
    #[case::changed_nothing("accepted", "disagrees", true)]
    #[case::not_sent("not_sent", "", true)]
    #[case::accepted("accepted", "", false)]
    #[case::under_way("", "", false)]
    #[case::lost("unknown", "cannot_tell", false)]
    fn a_step_that_waited_is_tried_again_after_what_is_known_to_have_failed(
        #[case] came: &str,
        #[case] proof: &str,
        #[case] goes_on: bool,
    ) {
        for log in ["a", "b"] {
            let mut decisions = Decisions::default();
            decisions.apply(&entry(log, 1, RecordType::Intent, &intent("i1", false)));
            if !came.is_empty() {
                let outcome = json!({"intent": "i1", "outcome": came, "attempts": 1});
                decisions.apply(&entry(log, 2, RecordType::Outcome, &outcome));
            }
            if !proof.is_empty() {
                let verify = json!({"intent": "i1", "proof": proof, "says": "", "tries": 1});
                decisions.apply(&entry(log, 3, RecordType::Verify, &verify));
            }
            decisions.apply(&entry("a", 4, RecordType::Intent, &intent("i2", false)));
            assert_eq!(decisions.may_go_on_alone(&IntentId::new("i2")), goes_on);
        }
    }
}
