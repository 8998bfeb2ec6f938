//! Carries out what the state machine asks for, each in a task of its own; answers come back as messages.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::approval::{self, Patience};
use super::execute::Ended;
use super::journal::Report;
use super::services::Services;
use super::{alone, execute, history, planner, readiness, reconcile, restore, timeline};
use crate::app::afterwards::TakenBack;
use crate::app::automation::Begin;
use crate::app::model::Level;
use crate::app::msg::{Effect, Msg};
use crate::app::readiness::Judged;
use crate::app::settings::View;
use crate::config::views;
use crate::domain::authority::Standing;
use crate::domain::coverage::CellState;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::hold::Gate;
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, IdentityId, PlanDigest, StepId};
use crate::term::clipboard;

/// Running effects.
pub struct Effects {
    services: Services,
    report: Report,
    reading: Option<JoinHandle<()>>,
    stops: HashMap<PlanDigest, Arc<AtomicBool>>,
    /// Ends the verifying that is under way.
    verifying: Arc<AtomicBool>,
    /// Acts under way; the console waits for them before it ends.
    acts: TaskTracker,
}

impl Effects {
    /// Starts with nothing running.
    pub fn new(services: Services, report: Report) -> Self {
        Self {
            services,
            report,
            reading: None,
            stops: HashMap::new(),
            verifying: Arc::default(),
            acts: TaskTracker::new(),
        }
    }

    /// Returns the folder of the state, in which the log's folder lies.
    pub fn state_folder(&self) -> Option<PathBuf> {
        Some(self.services.journal.store().parent()?.to_owned())
    }

    /// Carries one effect out. `Suspend`, `Continue`, `Copy`, `Page` and `Edit` are the loop's own.
    pub fn start(&mut self, effect: Effect) {
        let (services, report) = (self.services.clone(), self.report.clone());
        match effect {
            Effect::ReadAlert(id) => {
                if let Some(store) = services.alerts {
                    tokio::task::spawn_blocking(move || report(history::read(&store, &id)));
                }
            }
            Effect::ReadContext(identity) => self.read(*identity),
            Effect::StopReading => self.stop_reading(),
            asked @ Effect::BuildPlan { .. } => {
                tokio::spawn(build(services, report, asked));
            }
            Effect::Record(decisions) => {
                tokio::spawn(record(services, report, decisions));
            }
            Effect::RecordAlone(decisions) => {
                tokio::spawn(record_alone(services, report, decisions));
            }
            Effect::BeginAlone(begin) => {
                tokio::spawn(begin_alone(services, report, *begin));
            }
            Effect::RunAlone(decision) => self.run_alone(*decision),
            Effect::SaveView(view) => {
                tokio::task::spawn_blocking(move || {
                    report(Msg::ViewSaved(save_view(&services, view)));
                });
            }
            Effect::Run(digest, reason) => self.run(digest, reason, Patience::Wait),
            Effect::BreakGlass(digest, reason) => self.run(digest, Some(reason), Patience::Alone),
            Effect::Verdict {
                digest,
                approved,
                reason,
            } => {
                tokio::spawn(judge(services, digest, approved, reason, report));
            }
            Effect::Vouch {
                identity,
                gate,
                reason,
            } => {
                tokio::spawn(vouch(services, identity, gate, reason, report));
            }
            Effect::Lift { identity, reason } => {
                self.acts.spawn(lift(services, identity, reason, report));
            }
            Effect::TakeBack {
                digest,
                step,
                alert,
                reason,
            } => self.take_back((digest, step), alert, reason),
            Effect::Stop(digest) => {
                if let Some(stop) = self.stops.get(&digest) {
                    stop.store(true, Ordering::SeqCst);
                }
            }
            Effect::Reconcile(alert) => self.reconcile(alert),
            Effect::ReadRecord { log, seq } => {
                tokio::spawn(timeline::read(services.journal, log, seq, report));
            }
            Effect::VerifyLog => {
                self.verifying = Arc::default();
                let stop = self.verifying.clone();
                tokio::spawn(timeline::verify(services.journal, stop, report));
            }
            Effect::StopVerifying => self.verifying.store(true, Ordering::SeqCst),
            Effect::AskMap(ask) => {
                tokio::task::spawn_blocking(move || report(Msg::Map(Box::new(ask.answer()))));
            }
            Effect::Judge(untold) => {
                tokio::task::spawn_blocking(move || {
                    let judged = readiness::judge(&services, untold, Timestamp::now());
                    report(Msg::Judged(Arc::new(judged)));
                });
            }
            Effect::ExportReadiness(judged) => {
                tokio::task::spawn_blocking(move || export(&services, &judged, &report));
            }
            Effect::ReadInventory => read_inventory(services, report),
            Effect::UseInventory(inventory) => {
                let old = std::mem::replace(&mut self.services.inventory, inventory.clone());
                let same = services.latest.set(inventory);
                drop((services, same));
                // A large one takes longer to give back than a key may wait.
                tokio::task::spawn_blocking(move || drop(old));
            }
            Effect::Suspend
            | Effect::Continue
            | Effect::Copy(_)
            | Effect::Page
            | Effect::Edit(_) => {}
        }
    }

    fn stop_reading(&mut self) {
        if let Some(earlier) = self.reading.take() {
            earlier.abort();
        }
    }

    fn read(&mut self, identity: Identity) {
        self.stop_reading();
        let (services, report) = (self.services.clone(), self.report.clone());
        self.reading = Some(tokio::spawn(async move {
            let context = match services.connector_of(&identity) {
                Ok(connector) => connector.read_context(&identity).await.context,
                Err(reason) => crate::domain::identity::LiveContext {
                    unknown: vec![(
                        "sessions, scopes and grants".to_owned(),
                        reason.as_str().into(),
                    )],
                    ..Default::default()
                },
            };
            report(Msg::Context {
                identity: identity.id,
                at: Timestamp::now(),
                context: Box::new(context),
            });
        }));
    }

    fn run(&mut self, digest: PlanDigest, reason: Option<String>, patience: Patience) {
        let stop = Arc::new(AtomicBool::new(false));
        self.stops.insert(digest.clone(), stop.clone());
        let (services, report) = (self.services.clone(), self.report.clone());
        self.acts.spawn(async move {
            let waiting = (patience, &*stop);
            let ended = execute::run(&services, &digest, reason.as_deref(), waiting, &report).await;
            report(Msg::RunEnded {
                digest,
                text: ended.text,
                ran: ended.ran,
            });
        });
    }

    fn run_alone(&mut self, decision: Decision) {
        let Some(digest) = decision.plan.clone() else {
            return;
        };
        let stop = Arc::new(AtomicBool::new(false));
        self.stops.insert(digest.clone(), stop.clone());
        let (services, report) = (self.services.clone(), self.report.clone());
        self.acts.spawn(async move {
            let ended = alone::run(&services, decision, &stop, &report).await;
            report(Msg::RunEnded {
                digest,
                text: ended.text,
                ran: ended.ran,
            });
        });
    }

    fn take_back(
        &self,
        (digest, step): (PlanDigest, StepId),
        alert: AlertId,
        reason: Option<String>,
    ) {
        let (services, report) = (self.services.clone(), self.report.clone());
        self.acts.spawn(async move {
            let taken = take_back(&services, &digest, &step, (&alert, reason), &report).await;
            report(Msg::TakenBack(taken));
        });
    }

    fn reconcile(&self, alert: AlertId) {
        let (services, report) = (self.services.clone(), self.report.clone());
        self.acts.spawn(async move {
            let (level, text) = match reconcile::run(&services, &alert).await {
                Ok(told) => {
                    let closed = told.iter().all(|t| t.state == CellState::Proven);
                    let level = if closed { Level::Info } else { Level::Warn };
                    let lines: Vec<String> = told.iter().map(ToString::to_string).collect();
                    (level, lines.join("; "))
                }
                Err(error) => (Level::Error, error),
            };
            report(Msg::Notice { level, text });
        });
    }

    /// Puts a text into tmux's buffer and says so.
    pub fn copy_to_tmux(&self, text: String) {
        let report = self.report.clone();
        tokio::task::spawn_blocking(move || {
            let (level, text) = match clipboard::to_tmux(&text) {
                Ok(()) => (Level::Info, clipboard::Way::Tmux.copied(&text)),
                Err(error) => (Level::Error, format!("not copied: tmux: {error}")),
            };
            report(Msg::Notice { level, text });
        });
    }

    /// Stops every plan after its running step and waits for that step's outcome to be on the disk.
    pub async fn finish(&self) {
        for stop in self.stops.values() {
            stop.store(true, Ordering::SeqCst);
        }
        self.acts.close();
        self.acts.wait().await;
    }
}

/// Builds the plan that was asked for.
async fn build(services: Services, report: Report, asked: Effect) {
    let Effect::BuildPlan {
        ticket,
        alert,
        incident,
        identity,
        graph,
        playbook,
    } = asked
    else {
        return;
    };
    let alerted = planner::Alerted {
        id: &alert,
        incident: incident.as_ref(),
        graph: Some(&graph),
    };
    let now = Timestamp::now();
    let result = planner::build(&services, &alerted, &identity, &playbook, now).await;
    report(Msg::PlanBuilt { ticket, result });
}

/// Writes decisions down, and says so.
async fn record(services: Services, report: Report, decisions: Vec<Decision>) {
    let written = services.decide(&decisions).await;
    let (level, text) = match written {
        Ok(()) => (Level::Info, format!("recorded: {}", in_words(&decisions))),
        Err(error) => (Level::Error, format!("NOT recorded: {error}")),
    };
    report(Msg::Notice { level, text });
}

async fn record_alone(services: Services, report: Report, decisions: Vec<Decision>) {
    let Some(alert) = decisions.first().map(|d| d.alert.clone()) else {
        return;
    };
    if let Err(error) = alone::record(&services, decisions).await {
        let text = format!("NOT recorded: {error}");
        report(Msg::AloneFailed { alert, text });
    }
}

async fn begin_alone(services: Services, report: Report, begin: Begin) {
    let alert = begin.decision.alert.clone();
    if let Err(error) = alone::begin(&services, begin).await {
        let text = format!("no countdown: {error}");
        report(Msg::AloneFailed { alert, text });
    }
}

/// Writes down how ready everybody is, and says where.
fn export(services: &Services, judged: &Judged, report: &Report) {
    let (level, text) = match readiness::export(services, judged) {
        Ok(path) => (Level::Info, format!("written: {}", path.display())),
        Err(error) => (Level::Error, format!("not exported: {error}")),
    };
    report(Msg::Notice { level, text });
}

/// Reads the inventory again, where it can be.
fn read_inventory(services: Services, report: Report) {
    let Some(sources) = services.inventory_sources else {
        return report(Msg::InventoryRead(None));
    };
    tokio::task::spawn_blocking(move || {
        let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
        let read = sources.again(Timestamp::now());
        report(Msg::InventoryRead(read.map(Arc::new)));
    });
}

/// Vouches for a gate, and says so.
async fn vouch(
    services: Services,
    identity: IdentityId,
    gate: Gate,
    reason: String,
    report: Report,
) {
    let said = restore::vouch(&services, &identity, gate, &reason).await;
    let (level, text) = match said {
        Ok(()) => (Level::Info, format!("recorded: {}", gate.says())),
        Err(refusal) => (Level::Error, format!("NOT recorded: {refusal}")),
    };
    report(Msg::Notice { level, text });
}

/// Lifts what stands on an identity, and says what came of it.
async fn lift(services: Services, identity: IdentityId, reason: String, report: Report) {
    let lifted = restore::restore(&services, &identity, &reason, &report).await;
    let (level, text) = match lifted {
        Ok(lifted) => (
            Level::Info,
            format!(
                "trusted again, and watched: {} controls lifted",
                lifted.len()
            ),
        ),
        Err(refusal) => (Level::Error, refusal),
    };
    report(Msg::Notice { level, text });
}

/// Takes a step back, with the reason in the log before anything is sent.
async fn take_back(
    services: &Services,
    digest: &PlanDigest,
    step: &StepId,
    (alert, reason): (&AlertId, Option<String>),
    report: &Report,
) -> TakenBack {
    let ended = match reason {
        None => Ok(()),
        Some(reason) => {
            let why = format!(
                "takes step {step} of plan {} back: {reason}",
                digest.short()
            );
            let note = Decision {
                plan: Some(digest.clone()),
                step: Some(step.clone()),
                ..Decision::on(alert.clone(), DecisionKind::Note, Some(why))
            };
            services.decide(&[note]).await
        }
    };
    let ended = match ended {
        Ok(()) => execute::undo(services, digest, step, report).await,
        Err(why) => Ended::refused(format!("step {step} is not taken back: {why}")),
    };
    TakenBack {
        digest: digest.clone(),
        proven: ended.all_proven(),
        text: ended.text,
    }
}

/// Gives a verdict on somebody else's plan, and tells what came of it.
async fn judge(
    services: Services,
    digest: PlanDigest,
    approved: bool,
    reason: Option<String>,
    report: Report,
) {
    let said = verdict(&services, &digest, approved, reason.as_deref()).await;
    let (level, text) = match said {
        Ok(text) => (Level::Info, text),
        Err(refusal) => (Level::Error, format!("NOT recorded: {refusal}")),
    };
    report(Msg::Notice { level, text });
}

/// Gives a verdict on somebody else's plan, and says what it now lacks.
async fn verdict(
    services: &Services,
    digest: &PlanDigest,
    approved: bool,
    reason: Option<&str>,
) -> Result<String, String> {
    let found = services.journal.plan(digest.as_str()).await;
    let (_, state) = found.ok_or("no log holds this plan")?;
    approval::judge(services, digest, &state, approved, reason).await?;
    let found = services.journal.plan(digest.as_str()).await;
    let authority = approval::roster(services)?;
    Ok(match found.map(|(_, state)| authority.standing(&state)) {
        Some(Standing::Agreed { .. }) => {
            format!(
                "agreed to {}: enough people have, so it can be run",
                digest.short()
            )
        }
        Some(Standing::Waiting { missing, .. }) => {
            format!("agreed to {}: {missing} more must", digest.short())
        }
        _ => format!("recorded about {}", digest.short()),
    })
}

fn save_view(services: &Services, view: View) -> Result<(View, String), String> {
    let Some((path, configured)) = &services.views else {
        return Err("this console is only the log's screen".to_owned());
    };
    views::save(path, configured, &view)?;
    Ok((view, path.display().to_string()))
}

/// Says what was recorded.
fn in_words(decisions: &[Decision]) -> String {
    let kind = decisions.first().map_or("nothing", |d| d.kind.as_str());
    match decisions.len() {
        0 | 1 => kind.replace('_', " "),
        n => format!("{} for {n} alerts", kind.replace('_', " ")),
    }
}
