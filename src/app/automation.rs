//! What runs by itself, as the console carries it: which alerts are looked at, countdowns on screen, the veto.
//!
//! The rules are in [`crate::domain::automation`], what happened is in the log. What is kept here is only what was asked
//! for and has not been answered by the log yet, so that nothing is asked for twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::detail::Detail;
use super::model::{Level, Model, Run};
use super::msg::Effect;
use super::row_state::RowState;
use crate::domain::alert::Alert;
use crate::domain::automation::{AtEnd, Case, Next, at_end, consider, is_fresh, left_s};
use crate::domain::decision::{ByItself, Decision, DecisionKind, Entry, RecordType};
use crate::domain::graph::Graph;
use crate::domain::identity::Identity;
use crate::domain::ids::AlertId;
use crate::domain::queue::Row;
use crate::domain::text::Untrusted;

/// Most alerts that wait to be looked at; the oldest go first, and a person sees them all the same.
const WAITING: usize = 4_096;
/// How many are looked at before a key may come in between.
const AT_ONCE: usize = 8;

/// What runs by itself.
#[derive(Debug, Default)]
pub struct Automation {
    /// This process has the duty: of all processes of one state folder only that one starts anything.
    pub on_duty: bool,
    /// What was asked for and is not in the log yet, by alert.
    asked: BTreeMap<AlertId, DecisionKind>,
    /// Alerts to be looked at.
    waiting: VecDeque<Arc<Alert>>,
}

/// A countdown to be begun: the plan is built and checked, then the record is written.
#[derive(Debug)]
pub struct Begin {
    /// What the record is to say; the runtime adds the plan, the end and the policy.
    pub decision: Decision,
    /// The alert's incident, as its source says.
    pub incident: Option<Untrusted>,
    /// Whom it is about.
    pub identity: Identity,
    /// The map around them.
    pub graph: Arc<Graph>,
    /// How long it counts, in seconds.
    pub seconds: u32,
}

/// Returns why nothing is started from here; none when it is.
pub fn standstill(model: &Model) -> Option<&'static str> {
    if !model.policy.does_anything_alone() {
        Some("no playbook runs by itself")
    } else if model.read_only {
        Some("this console is read-only")
    } else if model.looks_on().is_some() {
        Some("you look on here, and a start is a decision")
    } else if !model.automation.on_duty {
        Some("another process has the duty")
    } else if model.journal_problem.is_some() || model.unrecorded.is_some() {
        Some("nothing can be recorded")
    } else if !model.timeline.read || model.timeline.has_more() {
        Some("the log is being read")
    } else {
        None
    }
}

/// Notes alerts that came, to be looked at.
pub fn arrived(model: &mut Model, rows: &[Row], now: Timestamp) -> Vec<Effect> {
    if !model.policy.does_anything_alone() {
        return Vec::new();
    }
    let waiting = &mut model.automation.waiting;
    // Old ones begin nothing, and must not push new ones out when a long history is read.
    let fresh = rows.iter().filter(|row| is_fresh(&row.alert, now));
    waiting.extend(fresh.map(|row| row.alert.clone()));
    let over = waiting.len().saturating_sub(WAITING);
    waiting.drain(..over);
    go_on(model, now)
}

/// Looks at some of the alerts that wait, and at every countdown.
pub fn go_on(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    if standstill(model).is_some() {
        return Vec::new();
    }
    let mut effects = countdowns(model, now);
    for _ in 0..AT_ONCE {
        // One after the other: what is on its way counts for the brake, and for others about the same identity.
        let asked = &model.automation.asked;
        if asked.values().any(|kind| is_news(*kind)) {
            return effects;
        }
        let Some(alert) = model.automation.waiting.pop_front() else {
            return effects;
        };
        effects.extend(look_at(model, &alert, now));
    }
    if !model.automation.waiting.is_empty() {
        effects.push(Effect::Continue);
    }
    effects
}

impl Model {
    /// Puts together what decides whether anything runs by itself; nothing where nobody is named.
    fn case<'m>(
        &'m self,
        alert: &'m Alert,
        detail: &'m Detail,
        now: Timestamp,
    ) -> Option<Case<'m>> {
        let identity = detail.identity.as_ref()?;
        Some(Case {
            alert,
            identity,
            assessment: detail.assessment.as_ref()?,
            choices: &detail.choices,
            breaks: detail.look.impact.count(),
            reaches: detail.look.exposure.count(),
            is_new: self.row_state(&alert.id) == RowState::New,
            held: self.held_until(&alert.id, &identity.id, now),
            last_act: self
                .decisions
                .acts_on(&identity.id)
                .next_back()
                .map(|a| a.at),
            alone: self.decisions.alone(),
            policy: &self.policy,
            now,
        })
    }

    /// Returns the countdown of an alert, while nobody has taken that in hand.
    pub fn countdown(&self, alert: &AlertId) -> Option<&ByItself> {
        let asked = self.automation.asked.get(alert);
        let over = asked.is_some_and(|kind| *kind != DecisionKind::AutoBegun);
        let count = self.decisions.alone().countdown(alert)?;
        (!count.in_hand && !over).then_some(count)
    }

    /// Tells whether anything counts down, so that the screen follows every second.
    pub fn counts_down(&self) -> bool {
        self.decisions.alone().countdowns().next().is_some()
    }
}

/// Tells whether what is on its way may change what is done about other alerts.
const fn is_news(kind: DecisionKind) -> bool {
    matches!(
        kind,
        DecisionKind::AutoBegun | DecisionKind::AutoWaits | DecisionKind::AutoBraked
    )
}

fn look_at(model: &mut Model, alert: &Arc<Alert>, now: Timestamp) -> Vec<Effect> {
    if model.automation.asked.contains_key(&alert.id) {
        return Vec::new();
    }
    let detail = model.detail_for(alert);
    let Some(case) = model.case(alert, &detail, now) else {
        return Vec::new();
    };
    let mut records = Vec::new();
    let mut begin = None;
    for next in consider(&case) {
        let (proposal, kind) = match &next {
            Next::Shadow(p) => (p, DecisionKind::AutoShadow),
            Next::Waits(p) => (p, DecisionKind::AutoWaits),
            Next::Brake(p) => (p, DecisionKind::AutoBraked),
            Next::Begin(p) => (p, DecisionKind::AutoBegun),
        };
        let decision = proposal.record(kind, &case);
        match kind {
            DecisionKind::AutoBegun => begin = Some((decision, case.identity.clone())),
            _ => records.push(decision),
        }
    }
    let mut effects = Vec::new();
    if let Some((decision, identity)) = begin {
        let incident = alert.incident.clone();
        effects.push(counting(
            model,
            decision,
            (identity, detail.graph),
            incident,
        ));
    }
    if let Some(last) = records.last() {
        let kind = last.kind;
        model
            .automation
            .asked
            .entry(alert.id.clone())
            .or_insert(kind);
        effects.push(Effect::RecordAlone(records));
    }
    effects
}

fn counting(
    model: &mut Model,
    decision: Decision,
    (identity, graph): (Identity, Arc<Graph>),
    incident: Option<Untrusted>,
) -> Effect {
    let playbook = decision.playbook.as_deref().unwrap_or_default();
    let seconds = model.policy.countdown_s(playbook);
    let asked = &mut model.automation.asked;
    asked.insert(decision.alert.clone(), DecisionKind::AutoBegun);
    Effect::BeginAlone(Box::new(Begin {
        decision,
        incident,
        identity,
        graph,
        seconds,
    }))
}

/// Looks whether countdowns have come to something.
fn countdowns(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let open = model.decisions.alone().countdowns();
    let open: Vec<(AlertId, ByItself)> = open
        .filter(|(id, _)| !model.automation.asked.contains_key(*id))
        .map(|(id, count)| (id.clone(), count.clone()))
        .collect();
    let mut effects = Vec::new();
    for (id, count) in open {
        let alert = model.alerts.read(&id).cloned();
        if alert.is_none() && model.alerts.get(&id).is_none() {
            effects.push(Effect::ReadAlert(id.clone()));
        }
        let detail = alert.as_ref().map(|alert| model.detail_for(alert));
        let case = alert.as_ref().zip(detail.as_ref());
        let case = case.and_then(|(alert, detail)| model.case(alert, detail, now));
        effects.extend(match at_end(&count, case.as_ref(), now) {
            AtEnd::Counts => None,
            AtEnd::Run(plan) => {
                let run = Run {
                    alert: Some(id.clone()),
                    running: true,
                    ..Run::default()
                };
                model.runs.insert(plan, run);
                let ask = record(&id, &count, DecisionKind::AutoRun, None);
                model.automation.asked.insert(id, DecisionKind::AutoRun);
                Some(Effect::RunAlone(Box::new(ask)))
            }
            AtEnd::Stop(why) => {
                let ask = record(&id, &count, DecisionKind::AutoStopped, Some(why));
                model.automation.asked.insert(id, DecisionKind::AutoStopped);
                Some(Effect::RecordAlone(vec![ask]))
            }
            AtEnd::Again => again(model, &id, &count, alert.as_deref(), detail),
        });
    }
    effects
}

/// Begins a countdown that nobody saw to its end anew, when its alert is at hand.
fn again(
    model: &mut Model,
    id: &AlertId,
    count: &ByItself,
    alert: Option<&Alert>,
    detail: Option<Detail>,
) -> Option<Effect> {
    let detail = detail?;
    let whom = (detail.identity?, detail.graph);
    let why = "the console ended, or stood still, in the countdown before; it begins anew, once";
    let mut ask = record(id, count, DecisionKind::AutoBegun, Some(why.to_owned()));
    (ask.plan, ask.until) = (None, None);
    Some(counting(model, ask, whom, alert?.incident.clone()))
}

fn record(id: &AlertId, count: &ByItself, kind: DecisionKind, why: Option<String>) -> Decision {
    Decision {
        plan: count.plan.clone(),
        identity: count.identity.clone(),
        playbook: Some(count.playbook.clone()),
        ..Decision::on(id.clone(), kind, why)
    }
}

/// Tells whether a veto from here could not be written down: then no key is taken for one.
fn only_looks(model: &Model) -> bool {
    model.read_only || model.looks_on().is_some()
}

/// Returns the record that stops the countdown of an alert; none when nothing counts down for it.
pub fn stopping(model: &Model, id: &AlertId) -> Option<Decision> {
    let count = model.countdown(id)?;
    Some(record(id, count, DecisionKind::AutoVetoed, None))
}

/// Stops the countdown of the selected alert; nothing when there is none. Whatever the key is, it does nothing else.
pub fn veto(model: &mut Model, now: Timestamp) -> Option<Vec<Effect>> {
    let id = model.selected.clone()?;
    let count = model.countdown(&id)?.clone();
    if only_looks(model) {
        return None;
    }
    if let Some(problem) = &model.journal_problem {
        // Without a log nothing runs either.
        let text = format!("nothing runs by itself, and the veto is not recorded: {problem}");
        model.say(now, Level::Error, text);
        return Some(Vec::new());
    }
    let ask = record(&id, &count, DecisionKind::AutoVetoed, None);
    model.automation.asked.insert(id, DecisionKind::AutoVetoed);
    let text = format!("stopped: {} does not run by itself here", count.playbook);
    model.say(now, Level::Warn, text);
    Some(vec![Effect::RecordAlone(vec![ask])])
}

/// What was asked for could not be written down; nothing of it is tried again by itself.
pub fn failed(model: &mut Model, alert: &AlertId, text: String, now: Timestamp) -> Vec<Effect> {
    // A veto holds although it is not in the log; so does whatever else keeps something from running.
    let holds = [
        DecisionKind::AutoVetoed,
        DecisionKind::AutoStopped,
        DecisionKind::AutoRun,
    ];
    let asked = &mut model.automation.asked;
    if asked.get(alert).is_some_and(|kind| !holds.contains(kind)) {
        asked.remove(alert);
    }
    model.say(now, Level::Error, text);
    go_on(model, now)
}

/// Takes in who has the duty; this process where nobody else has.
pub fn duty(model: &mut Model, holder: Option<String>, now: Timestamp) -> Vec<Effect> {
    model.automation.on_duty = holder.is_none();
    model.duty = holder;
    model.dirty = true;
    go_on(model, now)
}

/// What stood in the log at the start is known now.
pub fn log_read(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    (model.timeline.read, model.dirty) = (true, true);
    model.opening.log = false;
    go_on(model, now)
}

/// Takes in what the log says was done by itself, and tells the analyst of it.
pub fn recorded(model: &mut Model, entries: &[Entry], now: Timestamp) {
    let decided = entries.iter().filter(|e| e.kind == RecordType::Decision);
    let decided = decided.filter_map(|e| e.body_as::<Decision>().ok());
    for decision in decided.filter(|d| d.kind.is_automatic()) {
        model.automation.asked.remove(&decision.alert);
        // What stood in the log at the start is no news.
        if !model.timeline.read {
            continue;
        }
        let book = decision.playbook.as_deref().unwrap_or("?");
        let (alert, why) = (&decision.alert, decision.reason.as_deref().unwrap_or(""));
        let text = match decision.kind {
            DecisionKind::AutoBegun => {
                let left = model.countdown(alert).map_or(0, |count| left_s(count, now));
                format!(
                    "{book} runs by itself in {left} s for {alert}; any key on its row, or `stanch veto`, stops it"
                )
            }
            DecisionKind::AutoRun => format!("{book} runs by itself for {alert}"),
            DecisionKind::AutoStopped => {
                format!("{book} does not run by itself for {alert}: {why}")
            }
            DecisionKind::AutoBraked => format!("brake: {book} asks for {alert}: {why}"),
            _ => continue,
        };
        model.say(now, Level::Warn, text);
    }
}

/// What the row and the options say about an alert, in a few words and in one line.
pub struct Words {
    /// For the row.
    pub short: String,
    /// In full.
    pub long: String,
    /// Whether it counts down.
    pub counts: bool,
}

/// Says what runs, or does not run, by itself about an alert.
pub fn words(model: &Model, id: &AlertId, now: Timestamp) -> Option<Words> {
    let known = model.decisions.alone().of(id)?;
    let book = &known.playbook;
    let why = known.reason.as_deref().unwrap_or("");
    if let Some(count) = model.countdown(id) {
        let left = left_s(count, now);
        let how = match (model.read_only, only_looks(model)) {
            (true, _) => "read-only, another console can stop it",
            (_, true) => "you look on, another console can stop it",
            _ => "any key on the row stops it",
        };
        let plan = count.plan.as_ref().map_or("?", |plan| plan.short());
        return Some(Words {
            short: match only_looks(model) {
                true => format!("runs in {left} s"),
                false => format!("{left} s: any key stops"),
            },
            long: format!("{book} RUNS BY ITSELF in {left} s ({how}); plan {plan}; {why}"),
            counts: true,
        });
    }
    let who = &known.actor;
    if let Some(asked) = model.automation.asked.get(id) {
        let long = match asked {
            DecisionKind::AutoRun => format!(
                "{book} is being run by itself; p shows it, ctrl-x there stops it after a step"
            ),
            _ => format!("{book} is being stopped"),
        };
        return Some(Words {
            short: String::new(),
            long,
            counts: false,
        });
    }
    let long = match known.kind {
        DecisionKind::AutoBegun => {
            format!("{book} does not run by itself: somebody has the alert in hand")
        }
        DecisionKind::AutoVetoed => format!("{book} was stopped by {who}: a person decides"),
        DecisionKind::AutoStopped => format!("{book} did not run by itself: {why}"),
        DecisionKind::AutoBraked => format!("brake, {book} asks: {why}"),
        DecisionKind::AutoWaits => format!("{book} waits for a person: {why}"),
        DecisionKind::AutoRun => {
            let acted = model.decisions.acts_for(id).next().is_some();
            let lost = !acted && !model.row_state_is_acting(id);
            match lost {
                true => format!(
                    "{book} was about to run by itself; nothing was sent, and it is not tried again"
                ),
                false => format!("{book} was run by itself, by the policy"),
            }
        }
        _ => return None,
    };
    Some(Words {
        short: String::new(),
        long,
        counts: false,
    })
}

impl Model {
    fn row_state_is_acting(&self, id: &AlertId) -> bool {
        matches!(self.row_state(id), RowState::Asked | RowState::Acting)
    }
}
