//! When an alert came to what: detected, acknowledged, decided, approved, executed, proven.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::domain::alert::Alert;
use crate::domain::coverage::CellState;
use crate::domain::decision::{
    Act, Approval, Decision, DecisionKind, Decisions, PlanRecord, RecordType,
};
use crate::domain::ids::{AlertId, PlanDigest};
use crate::domain::text::show;
use crate::journal::Line;

/// The steps that time is spent between, in order.
pub const STAGES: [&str; 5] = ["acknowledge", "decide", "approve", "execute", "prove"];

/// One alert's way. Field names are stable; times are those of the records.
#[derive(Clone, Debug, Serialize)]
pub struct Course {
    /// Which alert; safe to draw.
    pub alert: String,
    /// When it reached this site, where the alert is known here.
    pub detected: Option<Timestamp>,
    /// The first claim.
    pub acknowledged: Option<Timestamp>,
    /// The first plan, or the decision to act not at all.
    pub decided: Option<Timestamp>,
    /// The first yes to a plan of it.
    pub approved: Option<Timestamp>,
    /// The first intent.
    pub executed: Option<Timestamp>,
    /// When the last act was proven, if all of them are.
    pub proven: Option<Timestamp>,
    /// Seconds from each milestone to the next one that was reached, by [`STAGES`].
    pub stages: Vec<Stage>,
    /// Where most of the time went.
    pub longest: Option<&'static str>,
    /// Seconds from the first to the last milestone.
    pub total_s: Option<i64>,
    /// How many acts, taking back included.
    pub acts: usize,
    /// How many of them nobody can vouch for.
    pub unknown: usize,
    /// How many steps were taken back.
    pub undone: usize,
    /// Seconds for which these interrupted somebody in vain, all together.
    pub interrupted_s: i64,
}

/// Time until a milestone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Which milestone ended it.
    pub until: &'static str,
    /// How long, in seconds; clocks of hosts may make it negative.
    pub seconds: i64,
}

/// The records of every alert that any names, in order: a yes to a plan belongs to the alert of that plan. Gone through
/// once, as a log may hold a million of them.
pub fn by_alert(lines: &[Line]) -> BTreeMap<AlertId, Vec<&Line>> {
    let mut plans: BTreeMap<&str, AlertId> = BTreeMap::new();
    let mut all: BTreeMap<AlertId, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let body = &line.entry.body;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(AlertId::new);
        let planned = text(body.get("plan").and_then(|plan| plan.get("alert")));
        let digest = body.get("digest").and_then(Value::as_str);
        let alert = match line.entry.kind {
            RecordType::Approval => digest.and_then(|digest| plans.get(digest).cloned()),
            _ => text(body.get("alert")).or_else(|| planned.clone()),
        };
        if let (RecordType::Plan, Some(digest), Some(alert)) = (line.entry.kind, digest, planned) {
            plans.entry(digest).or_insert(alert);
        }
        if let Some(alert) = alert {
            all.entry(alert).or_default().push(line);
        }
    }
    all
}

impl Course {
    /// Follows one alert through its records, as [`by_alert`] finds them.
    pub fn of(id: &AlertId, alert: Option<&Alert>, lines: &[&Line], decisions: &Decisions) -> Self {
        let acts: Vec<&Act> = decisions.acts_for(id).collect();
        let mut course = Self {
            alert: show(id.as_str()).into_owned(),
            detected: alert.map(|a| a.observed),
            acknowledged: None,
            decided: None,
            approved: None,
            executed: acts.iter().map(|a| a.at).min(),
            proven: None,
            stages: Vec::new(),
            longest: None,
            total_s: None,
            acts: acts.len(),
            unknown: acts
                .iter()
                .filter(|a| a.cell() == CellState::Unknown)
                .count(),
            undone: acts.iter().filter(|a| a.intent.undo).count(),
            interrupted_s: acts.iter().filter_map(|a| interruption(a, decisions)).sum(),
        };
        course.take_records(id, lines);
        let all = acts.iter().all(|a| a.cell() == CellState::Proven);
        course.proven = acts.iter().map(|a| a.last).max().filter(|_| all);
        course.measure();
        course
    }

    fn take_records(&mut self, id: &AlertId, lines: &[&Line]) {
        let mut plans: BTreeSet<PlanDigest> = BTreeSet::new();
        for line in lines {
            let (entry, ts) = (&line.entry, line.entry.ts);
            match entry.kind {
                RecordType::Decision => {
                    let read = entry.body_as::<Decision>().ok();
                    let Some(decision) = read.filter(|d| d.alert == *id) else {
                        continue;
                    };
                    match decision.kind {
                        DecisionKind::Claim => self.acknowledged.get_or_insert(ts),
                        DecisionKind::Dismiss | DecisionKind::DoNothing => {
                            self.decided.get_or_insert(ts)
                        }
                        DecisionKind::Note
                        | DecisionKind::Assign
                        | DecisionKind::Snooze
                        | DecisionKind::Wake
                        | DecisionKind::CloseContained
                        | DecisionKind::Ask
                        | DecisionKind::TimedOut
                        | DecisionKind::Review
                        | DecisionKind::Hold
                        | DecisionKind::AgreeHold
                        | DecisionKind::EndHold
                        | DecisionKind::Gate
                        | DecisionKind::Restore
                        | DecisionKind::Confirm
                        | DecisionKind::HandOver => continue,
                    };
                }
                RecordType::Plan => {
                    if let Ok(record) = entry.body_as::<PlanRecord>()
                        && record.plan.alert == *id
                    {
                        self.decided.get_or_insert(ts);
                        plans.insert(record.digest);
                    }
                }
                RecordType::Approval => {
                    if let Ok(verdict) = entry.body_as::<Approval>()
                        && verdict.approved
                        && plans.contains(&verdict.digest)
                    {
                        self.approved.get_or_insert(ts);
                    }
                }
                _ => {}
            }
        }
    }

    fn measure(&mut self) {
        let milestones = [
            self.acknowledged,
            self.decided,
            self.approved,
            self.executed,
            self.proven,
        ];
        let mut before = self.detected;
        for (until, at) in STAGES.into_iter().zip(milestones) {
            let Some(at) = at else { continue };
            if let Some(before) = before {
                let seconds = at.as_second() - before.as_second();
                self.stages.push(Stage { until, seconds });
            }
            before = Some(at);
        }
        self.longest = self
            .stages
            .iter()
            .max_by_key(|s| s.seconds)
            .map(|s| s.until);
        self.total_s =
            (!self.stages.is_empty()).then(|| self.stages.iter().map(|s| s.seconds).sum());
    }
}

/// How long a step that was taken back had held.
fn interruption(undo: &Act, decisions: &Decisions) -> Option<i64> {
    if !undo.intent.undo {
        return None;
    }
    let act = decisions.act_of(&undo.intent.digest, &undo.intent.step)?;
    Some((undo.last.as_second() - act.at.as_second()).max(0))
}
