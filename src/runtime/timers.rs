//! What time alone does: holds end, and silence comes to what was decided. Whoever has the duty does it, at the latest at the
//! next start, and says so. It is written down before it is done, so that it is done once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::approval::{self, Patience};
use super::hands;
use super::journal::Report;
use super::page::{self, Overdue};
use super::probation::{self, Seen};
use super::services::Services;
use super::{execute, planner, silence, steady};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::authority::{Authority, TimeOut};
use crate::domain::debt::{self, Debt};
use crate::domain::decision::{Decision, DecisionKind, Decisions, RecordType};
use crate::domain::hold::{Ending, Hold};
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, PlanDigest, StepId};
use crate::domain::inventory::Resolution;
use crate::domain::overlap;

/// How often it is looked while something is due or somebody is watched: nothing waits longer than that beyond its time.
const LOOK: Duration = Duration::from_millis(500);

/// The longest without a look, though the next thing is due later: a clock may be set, and a machine may have slept.
const LONGEST: Duration = Duration::from_secs(10);

/// How long what could not be begun waits before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What ended longer ago than this ended while nobody was there, in seconds.
const LATE_S: i64 = 30;

/// What there is to do now.
#[derive(Debug, Default)]
struct Due {
    holds: Vec<Hold>,
    /// Ended with a plan by which nothing was done yet: whoever began died.
    contain: Vec<PlanDigest>,
    silent: Vec<PlanDigest>,
    /// Overdue, and nobody was told.
    overdue: Vec<Overdue>,
    /// People are to be told by these, and nothing was sent yet: whoever began died.
    page: Vec<PlanDigest>,
    /// Steps that waited for their time.
    later: Vec<(PlanDigest, StepId)>,
    /// When the next of what is not due yet is.
    next: Option<Timestamp>,
}

impl Due {
    /// Returns how long nothing is to be done, as far as is known now.
    fn pause(&self, now: Timestamp) -> Duration {
        let nothing = self.holds.is_empty()
            && self.contain.is_empty()
            && self.silent.is_empty()
            && self.overdue.is_empty()
            && self.page.is_empty()
            && self.later.is_empty();
        if !nothing {
            return LOOK;
        }
        let left = self.next.map(|at| at.duration_since(now));
        let left = left.map(|left| Duration::try_from(left).unwrap_or_default());
        left.map_or(LONGEST, |left| left.min(LONGEST))
    }
}

type Plans = Arc<Mutex<BTreeMap<PlanDigest, Option<Instant>>>>;

/// What was begun from here.
#[derive(Default)]
struct Begun {
    /// Each once; what could not be begun may be tried again from then on.
    plans: Plans,
    acts: TaskTracker,
    /// What was said of those: each once, as they are tried again.
    told: Arc<Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
}

/// Does what time asks for until cancelled; ends when what is under way came to its outcome.
pub async fn run(services: Services, report: Report, cancel: CancellationToken) {
    let mut begun = Begun::default();
    let mut told = BTreeSet::new();
    let mut seen = Seen::default();
    let mut changes = services.journal.changes();
    loop {
        changes.borrow_and_update();
        // What time asks for is planned with what the inventory says now.
        let current = services.current();
        let mut pause = tick(&current, &report, &mut begun, &mut told).await;
        match probation::look(&current, &mut seen, &report).await {
            Ok(false) => {}
            Ok(true) => pause = LOOK,
            Err(problem) => {
                tell(&mut told, &problem, &report);
                pause = LOOK;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Many records come one after the other; a look for each would be no better.
            Ok(()) = changes.changed(), if pause > LOOK => tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = cancel.cancelled() => break,
            },
            () = cancel.cancelled() => break,
        }
    }
    begun.stop.store(true, Ordering::SeqCst);
    begun.acts.close();
    begun.acts.wait().await;
}

/// Does what is due. What cannot be done is told once and tried again. Returns how long until the next look.
async fn tick(
    services: &Services,
    report: &Report,
    begun: &mut Begun,
    told: &mut BTreeSet<String>,
) -> Duration {
    let authority = services.authority.clone();
    let now = steady::now();
    let due = services
        .journal
        .look(move |decisions| due(decisions, authority.as_deref(), now))
        .await;
    let Ok(due) = due else { return LOOK };
    let pause = due.pause(now);
    let mut problems = Vec::new();
    for hold in due.holds {
        match end(services, &hold, report).await {
            Ok(Some(digest)) => contain(services, digest, begun, report),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    for digest in due.contain.into_iter().chain(due.page) {
        contain(services, digest, begun, report);
    }
    for (digest, step) in due.later {
        later(services, digest, step, begun, report);
    }
    for overdue in due.overdue {
        match page::page(services, &overdue, report).await {
            Ok(Some(digest)) => contain(services, digest, begun, report),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    for digest in due.silent {
        let Some((digest, state)) = services.journal.plan(digest.as_str()).await else {
            continue;
        };
        match silence::settle(services, &digest, &state, report).await {
            Ok(Some((TimeOut::SoftContain, Some(instead)))) => {
                contain(services, instead, begun, report);
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    for problem in problems {
        tell(told, &problem, report);
    }
    pause
}

fn tell(told: &mut BTreeSet<String>, problem: &str, report: &Report) {
    if told.insert(problem.to_owned()) {
        report(Msg::Notice {
            level: Level::Error,
            text: format!("what is due cannot be done: {problem}"),
        });
    }
}

fn due(decisions: &Decisions, authority: Option<&Authority>, now: Timestamp) -> Due {
    let open = |digest: &&PlanDigest| {
        let state = decisions.plan(digest.as_str());
        let waits = state.is_some_and(|(_, s)| s.plan.expires > now && s.asked.is_none());
        waits && !decisions.was_run(digest)
    };
    let contain = decisions.holds.to_contain().map(|(_, digest)| digest);
    let silent = decisions.asked().into_iter().filter(|(_, state)| {
        let what = authority.and_then(|a| a.silence(state, now));
        what.is_some()
    });
    let board = debt::debts(decisions, authority, now);
    Due {
        holds: decisions.holds.due(now).into_iter().cloned().collect(),
        contain: contain.filter(open).cloned().collect(),
        silent: silent.map(|(digest, _)| digest.clone()).collect(),
        overdue: overdue(decisions, &board, now),
        page: decisions.holds.to_page().filter(open).cloned().collect(),
        later: overlap::waiting(decisions)
            .filter(|later| later.is_due(now))
            .map(|later| (later.digest.clone(), later.step.id.clone()))
            .collect(),
        next: next(decisions, authority, &board, now),
    }
}

/// Returns when the first of what is not due yet becomes so.
fn next(
    decisions: &Decisions,
    authority: Option<&Authority>,
    board: &[Debt],
    now: Timestamp,
) -> Option<Timestamp> {
    // Holds that are open, and credentials that wait beside new ones, are debts too.
    let debts = board.iter().filter(|debt| debt.paged.is_none());
    let asked = decisions.asked().into_iter().filter_map(|(_, state)| {
        let authority = authority?;
        authority.silence(state, Timestamp::MAX)?;
        authority.due(state)
    });
    let times = debts.map(|debt| debt.until).chain(asked);
    times.filter(|at| *at > now).min()
}

/// Returns what people are to be told of: controls and acts alone that nobody looked at, and holds that end so.
fn overdue(decisions: &Decisions, board: &[Debt], now: Timestamp) -> Vec<Overdue> {
    let board = board.iter().filter(|d| d.is_to_page(now));
    let mut overdue: Vec<Overdue> = board.filter_map(Overdue::of).collect();
    for hold in decisions.holds.all() {
        let key = format!("hold {}", hold.id);
        let by_time = hold.ended.as_ref().is_some_and(|said| said.by_time);
        let pages = hold.ending == Ending::Page && by_time;
        let identity = hold.identity.clone();
        if let Some(identity) = identity.filter(|_| pages && decisions.holds.paged(&key).is_none())
        {
            overdue.push(Overdue {
                key,
                alert: hold.alert.clone(),
                identity,
                says: format!("the time of hold {} is over: {}", hold.id, hold.by.reason),
            });
        }
    }
    overdue
}

/// Ends a hold whose time is over. Returns the plan by which it is contained now, if that is how it ends.
async fn end(
    services: &Services,
    hold: &Hold,
    report: &Report,
) -> Result<Option<PlanDigest>, String> {
    approval::may_decide(services).await?;
    let about = format!("hold {}", hold.id);
    let Some(_hands) = hands::unless_elsewhere(services.journal.store(), &about, "ends a hold")
    else {
        return Ok(None);
    };
    let latest = services.journal.latest().await.map_err(|e| e.to_string())?;
    let open = latest.holds.find(&hold.id).filter(|h| h.ended.is_none());
    let Some(hold) = open.cloned() else {
        return Ok(None);
    };
    let (plan, what) = match hold.ending {
        Ending::Page => (None, "everybody is told".to_owned()),
        Ending::ReAsk => (None, format!("{} decides anew", hold.by.actor)),
        Ending::Contain => match planned(services, &hold).await {
            Ok(digest) => {
                let text = format!("plan {} contains it", digest.short());
                (Some(digest), text)
            }
            Err(why) => (None, format!("it could not be contained: {why}")),
        },
    };
    let late = steady::now().duration_since(hold.until).as_secs();
    let when = match late {
        ..LATE_S => "its time is over".to_owned(),
        _ => format!(
            "its time was over {} min ago, when no console was open",
            late / 60
        ),
    };
    let agreed = debt::agreed(services.authority.as_deref(), &hold);
    let who = agreed.map_or(", which nobody had agreed to", |_| "");
    let reason = format!("{when}{who}: {what}");
    let ended = Decision {
        hold: Some(hold.id.clone()),
        identity: hold.identity.clone(),
        plan: plan.clone(),
        ending: Some(hold.ending),
        ..Decision::on(
            hold.alert.clone(),
            DecisionKind::EndHold,
            Some(reason.clone()),
        )
    };
    let recorded = services.journal.record(RecordType::Decision, &ended).await;
    recorded.map_err(|e| format!("the end of hold {} was not recorded: {e}", hold.id))?;
    report(Msg::Notice {
        level: Level::Warn,
        text: format!("hold {} on {}: {reason}", hold.id, hold.alert),
    });
    Ok(plan)
}

/// Plans what a hold put off.
async fn planned(services: &Services, hold: &Hold) -> Result<PlanDigest, String> {
    let playbook = hold.playbook.as_deref().ok_or("it names no playbook")?;
    let identity = identity(services, &hold.alert)?;
    let alerted = planner::Alerted {
        id: &hold.alert,
        incident: None,
        graph: None,
    };
    let built = planner::build(services, &alerted, &identity, playbook, steady::now()).await;
    built.map(|(digest, _)| digest)
}

fn identity(services: &Services, alert: &AlertId) -> Result<Identity, String> {
    let store = services.alerts.as_ref().ok_or("there is no alert store")?;
    let store = store.lock();
    let stored = store.alert(alert).map_err(|e| e.to_string())?;
    let stored = stored.ok_or_else(|| format!("alert {alert} is not stored any more"))?;
    match services.inventory.resolve(&stored.alert) {
        Resolution::Known(id) => services.inventory.identity(&id).cloned(),
        Resolution::Unlisted(card) => Some(*card),
        _ => None,
    }
    .ok_or_else(|| format!("alert {alert} names nobody for certain"))
}

fn lock(plans: &Plans) -> MutexGuard<'_, BTreeMap<PlanDigest, Option<Instant>>> {
    plans.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells whether a plan may be begun from here now, and notes that it is.
fn may_begin(plans: &Plans, digest: &PlanDigest) -> bool {
    let mut plans = lock(plans);
    let may = match plans.get(digest) {
        None => true,
        Some(again) => again.is_some_and(|at| at <= Instant::now()),
    };
    if may {
        plans.insert(digest.clone(), None);
    }
    may
}

/// Runs a plan as far as nobody must agree; else those are asked. Each only once from here.
fn contain(services: &Services, digest: PlanDigest, begun: &mut Begun, report: &Report) {
    if !may_begin(&begun.plans, &digest) {
        return;
    }
    let (services, report) = (services.clone(), report.clone());
    let (stop, plans, told) = (begun.stop.clone(), begun.plans.clone(), begun.told.clone());
    begun.acts.spawn(async move {
        let reason = Some("its hold is over, or nobody answered in time");
        let waiting = (Patience::Leave, &*stop);
        let ended = execute::run(&services, &digest, reason, waiting, &report).await;
        let level = if ended.all_proven() {
            Level::Info
        } else {
            Level::Error
        };
        let text = format!("plan {}: {}", digest.short(), ended.text);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(text.clone()) {
            report(Msg::Notice { level, text });
        }
        drop(told);
        // Somebody else was at it, or the provider away: as long as it was not begun and lives, it is tried again.
        if !ended.ran && !stop.load(Ordering::SeqCst) {
            lock(&plans).insert(digest, Some(Instant::now() + AGAIN));
        }
    });
}

/// Carries a step out whose time has come. What cannot be begun is tried again.
fn later(
    services: &Services,
    digest: PlanDigest,
    step: StepId,
    begun: &mut Begun,
    report: &Report,
) {
    // Beside the plan's own run, which had its turn.
    let about = PlanDigest::new(format!("{digest} {step}"));
    if !may_begin(&begun.plans, &about) {
        return;
    }
    let (services, report) = (services.clone(), report.clone());
    let (plans, told) = (begun.plans.clone(), begun.told.clone());
    begun.acts.spawn(async move {
        let ended = execute::later(&services, &digest, &step, None, &report).await;
        let level = match ended.all_proven() {
            true => Level::Info,
            false => Level::Error,
        };
        let short = digest.short();
        let text = format!("plan {short}, whose overlap is over: {}", ended.text);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(text.clone()) {
            report(Msg::Notice { level, text });
        }
        drop(told);
        // What was done is not due any more; what sent nothing is again after a while, by the log.
        lock(&plans).insert(about, Some(Instant::now() + AGAIN));
    });
}

#[cfg(test)]
mod tests;
