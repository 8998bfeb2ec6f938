//! The keystroke path as subcommands: `plan`, `contain`, `undo`, `reconcile`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::refusal::{no_plan, not_run, refuse, refuse_blocked, refuse_read_only};
use super::setup::{DrillStart, Setup};
use super::{Global, exit};
use crate::app::deciding;
use crate::app::model::{Detail, Live, Model, Phase};
use crate::app::msg::Msg;
use crate::domain::coverage::CellState;
use crate::domain::handoff;
use crate::domain::ids::{AlertId, PlanDigest, StepId};
use crate::domain::plan::{Body, Plan, Undo};
use crate::domain::text::{Untrusted, seen, show, show_identifier};
use crate::domain::vocabulary::Tier;
use crate::journal::mask_tokens;
use crate::runtime::approval::{self, Patience};
use crate::runtime::duty::{self, Asked};
use crate::runtime::execute::{self, Ended};
use crate::runtime::journal::Report;
use crate::runtime::{history, planner, reconcile as read_back};

/// Arguments of `stanch plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Alert id, or the end of one that no other alert shares.
    pub alert: String,
    /// Which playbook; without it, and without --option, the narrowest one that acts.
    #[arg(long, conflicts_with = "option")]
    pub playbook: Option<String>,
    /// Which option, by its digit on screen.
    #[arg(long)]
    pub option: Option<usize>,
    /// Only list the options.
    #[arg(long)]
    pub options: bool,
}

/// Arguments of `stanch contain`.
#[derive(Debug, clap::Args)]
pub struct ContainArgs {
    /// Digest of a recorded plan, or at least its first 8 digits.
    pub digest: String,
    /// Name of the identity; needed for plans of the hard tier, as on screen.
    #[arg(long)]
    pub confirm: Option<String>,
    /// Why; needed for plans of the hard tier. It stands in the log.
    #[arg(long, value_parser = crate::cli::record::reason)]
    pub reason: Option<String>,
}

/// Arguments of `stanch undo`.
#[derive(Debug, clap::Args)]
pub struct UndoArgs {
    /// Digest of a recorded plan, or at least its first 8 digits.
    pub digest: String,
    /// Number of the step.
    pub step: String,
}

/// Arguments of `stanch reconcile`.
#[derive(Debug, clap::Args)]
pub struct ReconcileArgs {
    /// Alert id, or the end of one that no other alert shares.
    pub alert: String,
}

/// How long a drill that was never started may take to raise its first alerts.
const FIRST_ALERTS: Duration = Duration::from_secs(8);

/// How long to wait at most for what another process is about to store.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Runs `work` on a runtime with everything set up and the alerts of all files taken in.
pub fn with_setup<T>(
    global: &Global,
    report: Report,
    work: impl AsyncFnOnce(&Setup, Model) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    super::setup::tell_if_drill(global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let start = DrillStart {
            scenario: global
                .drill
                .clone()
                .unwrap_or_else(|| crate::drill::DEFAULT.to_owned()),
            speed: 1.0,
            seed: 1,
            fresh: false,
            policy: None,
        };
        let mut setup = Setup::open(global, start, report).await?;
        for line in super::setup::inventory_trouble(&setup.services.inventory) {
            tell!("stanch: {line}");
        }
        for line in super::setup::policy::trouble(&setup.findings) {
            tell!("stanch: {line}");
        }
        wait_for_drill(&mut setup).await;
        let model = caught_up(&setup).await?;
        let done = work(&setup, model).await;
        setup.services.journal.end().await;
        if let Some(drill) = setup.drill.take() {
            drill.lab.shutdown().await;
        }
        done
    })
}

/// Waits until the drill's intruder has been seen, when it has only just begun.
async fn wait_for_drill(setup: &mut Setup) {
    let Some(drill) = &mut setup.drill else {
        return;
    };
    let seen = async {
        while drill.lab.status().successes < 3 {
            drill.lab.changed().await;
        }
    };
    // A drill in which nothing happens has no alerts, and the caller says so.
    let _ = tokio::time::timeout(FIRST_ALERTS, seen).await;
}

async fn caught_up(setup: &Setup) -> anyhow::Result<Model> {
    take_in(setup).await?;
    let mut model = setup.services.model();
    model.decisions = setup.services.journal.decisions().await?;
    let decided: Vec<AlertId> = model.decisions.alerts().cloned().collect();
    deciding::take(&mut model, &decided, Timestamp::now());
    Ok(model)
}

/// Reads what is there now. While another process has the duty this one reads nothing; what that one is about to store
/// is waited for a moment.
async fn take_in(setup: &Setup) -> anyhow::Result<()> {
    let _duty = match duty::ask(&setup.state, "subcommand") {
        Ok(Asked::Taken(duty)) => duty,
        Ok(Asked::Held(_)) => {
            let until = tokio::time::Instant::now() + CATCH_UP;
            while tokio::time::Instant::now() < until && is_behind(setup) {
                tokio::time::sleep(CATCH_UP / 100).await;
            }
            return Ok(());
        }
        // What is kept on a disk that cannot be written, as evidence, is looked at as it is.
        Err(error) if error.kind() == std::io::ErrorKind::ReadOnlyFilesystem => {
            tracing::info!("no alerts are taken in: {error}");
            return Ok(());
        }
        Err(error) => {
            return Err(error).context("cannot lock duty.lock in the state folder");
        }
    };
    for source in &setup.sources {
        crate::intake::source::read_once(source, &setup.decoders, &setup.store)?;
    }
    Ok(())
}

fn is_behind(setup: &Setup) -> bool {
    let store = setup.store();
    let behind = |source| crate::intake::source::is_behind(source, &store);
    setup.sources.iter().any(behind)
}

/// Finds a stored alert and hands it to the model.
pub fn find(setup: &Setup, model: &mut Model, wanted: &str) -> anyhow::Result<AlertId> {
    let found = super::alerts::find(&setup.store(), wanted)?;
    let Some(stored) = found else {
        bail!(
            "no alert `{}`; `stanch alerts list` shows them",
            show(wanted)
        );
    };
    let row = history::row(stored);
    model.alerts.arrived([&row.alert]);
    let id = row.alert.id.clone();
    crate::app::triage::put(model, &[row], true);
    Ok(id)
}

/// Returns a report that says on standard error what somebody has to know.
pub fn silent() -> Report {
    Arc::new(|msg| {
        if let Msg::Notice { text, .. } | Msg::JournalProblem(Some(text)) = msg {
            tell!("stanch: {}", mask_tokens(&text));
        }
    })
}

/// `stanch plan`.
pub fn plan(global: &Global, args: &PlanArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_setup(global, silent(), async |setup, mut model| {
        let alert = find(setup, &mut model, &args.alert)?;
        let unread = read_live(setup, &mut model, &alert).await;
        let detail = model.detail_of(&alert);
        for why in unread {
            tell!("stanch: {}", seen(mask_tokens(&why)));
        }
        if args.options {
            print_options(&detail, global.json, out)?;
            return Ok(exit::DONE);
        }
        if global.read_only {
            let why = "read-only: a plan is a record, so none is made; --options lists what could be done";
            return refuse(global.json, why, out);
        }
        // A plan that could not be run is not begun, as on screen.
        if let Some(reason) = setup.services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let Some(identity) = &detail.identity else {
            let why = "the alert names no identity, so there is nothing to plan; see `stanch alerts show`";
            return refuse(global.json, why, out);
        };
        let playbook = match choose(&detail, args)? {
            Ok(playbook) => playbook,
            Err(refusal) => return refuse(global.json, &refusal, out),
        };
        let built = planner::build(
            &setup.services,
            &planner::Alerted {
                id: &alert,
                incident: model.incident_of(&alert),
                graph: Some(&detail.graph),
            },
            identity,
            &playbook,
            Timestamp::now(),
        )
        .await;
        let (digest, plan) = match built {
            Ok(built) => built,
            Err(reason) => {
                tell!("stanch: {reason}");
                return Ok(exit::FAILED);
            }
        };
        let warnings = model.plan_warnings(&digest, &plan);
        if global.json {
            let items = handoff::items(&digest, &plan, &model.decisions);
            writeln!(
                out,
                "{}",
                json!({
                    "digest": digest.as_str(), "plan": plan.to_value(), "hand_off": items, "options": detail.choices,
                    "warnings": warnings,
                })
            )?;
        } else {
            print_plan(&digest, &plan, &warnings, out)?;
        }
        Ok(exit::DONE)
    })
}

/// Asks the provider about whom an alert names, as the console does before options show: order and what is left hang on what
/// it says. Returns what of that is not known.
pub(super) async fn read_live(setup: &Setup, model: &mut Model, alert: &AlertId) -> Vec<String> {
    let Some(identity) = model.detail_of(alert).identity else {
        return Vec::new();
    };
    // Who has no connector has no plan that sends anything either; the options say so.
    let Ok(connector) = setup.services.connector_of(&identity) else {
        return Vec::new();
    };
    let context = connector.read_context(&identity).await.context;
    let says = |(what, why): &(String, Untrusted)| {
        format!(
            "what follows is without its {}, which the provider did not tell: {}",
            show(what),
            why.show()
        )
    };
    let unread = context.unknown.iter().map(says).collect();
    let live = Live {
        at: Some(Timestamp::now()),
        loading: false,
        context,
    };
    model.live.insert(identity.id.clone(), live);
    unread
}

/// Returns the playbook meant, or why it is refused.
fn choose(detail: &Detail, args: &PlanArgs) -> anyhow::Result<Result<String, String>> {
    let choice = match (&args.playbook, args.option) {
        (Some(id), _) => {
            let found = detail
                .choices
                .iter()
                .find(|c| c.playbook.as_ref() == Some(id));
            found.with_context(|| {
                format!(
                    "playbook `{}` does not match this alert; --options lists those that do",
                    show(id)
                )
            })?
        }
        (None, Some(n)) => {
            let wanted = |c: &&crate::domain::options::Choice| {
                c.playbook.is_some() && c.key.map(usize::from) == Some(n)
            };
            let found = detail.choices.iter().find(wanted);
            found.with_context(|| format!("there is no option {n}; --options lists them"))?
        }
        (None, None) => {
            let acts = |c: &&crate::domain::options::Choice| {
                c.tier > Tier::Monitor && c.disabled.is_none()
            };
            let possible = detail
                .choices
                .iter()
                .find(acts)
                .or_else(|| detail.choices.first());
            possible.context("there is no option for this alert")?
        }
    };
    let id = choice
        .playbook
        .clone()
        .context("doing nothing needs no plan")?;
    Ok(match &choice.disabled {
        None => Ok(id),
        Some(reason) => Err(format!("playbook `{id}` is refused: {reason}")),
    })
}

fn print_options(detail: &Detail, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(&detail.choices)?)?;
        return Ok(());
    }
    for choice in &detail.choices {
        let key = choice
            .key
            .map_or_else(|| "-".to_owned(), |key| key.to_string());
        let note = choice
            .disabled
            .as_ref()
            .map_or_else(|| choice.impact.clone(), |r| format!("not now: {r}"));
        let id = choice.playbook.as_deref().unwrap_or("-");
        writeln!(
            out,
            "{key}  {:<8} {id:<20} {}: {}",
            choice.tier,
            show(&choice.title),
            show(&note)
        )?;
        if let Some(trap) = &choice.trap {
            writeln!(out, "{:13}NOTE  {trap}", "")?;
        }
        writeln!(
            out,
            "{:13}{}; {}; agrees: {}",
            "",
            show(&choice.undo),
            show(&choice.effort),
            show(&choice.approval)
        )?;
        for held in &choice.leaves {
            writeln!(out, "{:13}leaves {}", "", held.line(Timestamp::now()))?;
        }
    }
    writeln!(out, "{}", crate::domain::options::RULE)?;
    Ok(())
}

pub(super) fn print_plan(
    digest: &PlanDigest,
    plan: &Plan,
    warnings: &[String],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let name = show_identifier(plan.identity_name.raw());
    writeln!(
        out,
        "plan {}  contain {name}  playbook {}  {} tier",
        digest.as_str(),
        show(&plan.playbook),
        plan.tier
    )?;
    writeln!(
        out,
        "nothing was sent; it can be run until {}",
        plan.expires
    )?;
    for warning in warnings {
        writeln!(out, "WARNING: {}", show(warning))?;
    }
    for step in &plan.steps {
        writeln!(
            out,
            "{}  {} [{}, {}]",
            step.id,
            show(&step.title),
            show(&step.team),
            step.tier
        )?;
        for request in &step.requests {
            writeln!(out, "     {} {}", show(&request.method), show(&request.url))?;
            let body = match &request.body {
                Body::None => continue,
                Body::Json { value } => value.to_string(),
                Body::Form { fields } => {
                    let value = |f: &crate::domain::plan::FormField| match (&f.value, &f.secret) {
                        (Some(value), _) => format!("{}={value}", f.name),
                        (None, reference) => {
                            format!("{}=<secret {}>", f.name, reference.as_deref().unwrap_or(""))
                        }
                    };
                    fields.iter().map(value).collect::<Vec<_>>().join("&")
                }
            };
            writeln!(out, "     {}", show(&body))?;
        }
        if let Some(verify) = &step.verify {
            writeln!(out, "     proven: {}", show(&verify.says))?;
        }
        if let Undo::Irreversible { reason } = &step.undo {
            writeln!(out, "     IRREVERSIBLE: {}", show(reason))?;
        }
        if !step.breaks.is_empty() {
            writeln!(out, "     interrupts: {}", show(&step.breaks))?;
        }
    }
    for said in &plan.impact.order {
        writeln!(out, "order: {}", show(said))?;
    }
    for node in &plan.impact.breaks {
        let critical = node.criticality.map_or(String::new(), |c| {
            format!(" ({})", c.as_str().replace('_', " "))
        });
        writeln!(out, "may break: {}{critical}", node.label.show())?;
    }
    for residual in &plan.residual {
        let until = residual.lasts();
        writeln!(
            out,
            "still held: {}: {}, {until}",
            residual.layer,
            show(&residual.text)
        )?;
    }
    writeln!(out, "run it: stanch contain {}", digest.as_str())?;
    Ok(())
}

/// Prints progress to standard error, one line a step.
pub(super) fn progress(json: bool) -> Report {
    Arc::new(move |msg| match msg {
        Msg::Step {
            step,
            phase: Phase::Ended(state, note),
            ..
        } if !json => {
            tell!("step {step}: {state}  {}", show(&mask_tokens(&note)));
        }
        Msg::Notice { text, .. } | Msg::JournalProblem(Some(text)) | Msg::Unrecorded(text) => {
            tell!("stanch: {}", mask_tokens(&text));
        }
        _ => {}
    })
}

/// `stanch contain`.
pub fn contain(global: &Global, args: &ContainArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    contain_with(global, args, Patience::Leave, out)
}

/// Runs a plan, asking others or not.
pub(super) fn contain_with(
    global: &Global,
    args: &ContainArgs,
    patience: Patience,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    let report = progress(global.json);
    with_setup(global, report.clone(), async |setup, _| {
        if let Some(reason) = setup.services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let Some((digest, state)) = setup.services.journal.plan(&args.digest).await else {
            return Ok(no_plan(&args.digest));
        };
        let name = show_identifier(state.plan.identity_name.raw()).into_owned();
        if state.plan.tier == Tier::Hard && args.confirm.as_deref() != Some(&name) {
            let why = format!("this plan is of the hard tier; confirm it with --confirm '{name}'");
            return refuse(global.json, &why, out);
        }
        let reason = args.reason.as_deref();
        if state.plan.tier == Tier::Hard && reason.is_none() {
            let why = "this plan is of the hard tier; say why with --reason '...', which stands in the log";
            return refuse(global.json, why, out);
        }
        let stop = AtomicBool::new(false);
        let ended =
            execute::run(&setup.services, &digest, reason, (patience, &stop), &report).await;
        finish(&digest, &ended, global.json, out)
    })
}

/// `stanch undo`.
pub fn undo(global: &Global, args: &UndoArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    let report = progress(global.json);
    with_setup(global, report.clone(), async |setup, _| {
        if let Some(reason) = setup.services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let Some((digest, _)) = setup.services.journal.plan(&args.digest).await else {
            return Ok(no_plan(&args.digest));
        };
        let ended = execute::undo(
            &setup.services,
            &digest,
            &StepId::new(args.step.clone()),
            &report,
        )
        .await;
        finish(&digest, &ended, global.json, out)
    })
}

pub(super) fn finish(
    digest: &PlanDigest,
    ended: &Ended,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if !ended.ran {
        return not_run(digest, &ended.text, json, out);
    }
    if json {
        let steps: Vec<Value> = ended
            .cells
            .iter()
            .map(|(s, c)| json!({ "step": s.as_str(), "state": c }))
            .collect();
        writeln!(
            out,
            "{}",
            json!({ "digest": digest.as_str(), "ran": ended.ran, "text": ended.text, "steps": steps })
        )?;
    } else {
        writeln!(out, "{}", show(&mask_tokens(&ended.text)))?;
    }
    Ok(if ended.all_proven() {
        exit::DONE
    } else if ended.any_failed() {
        exit::FAILED
    } else {
        exit::NOT_PROVEN
    })
}

/// `stanch reconcile`.
pub fn reconcile(global: &Global, args: &ReconcileArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    with_setup(global, silent(), async |setup, mut model| {
        let alert = find(setup, &mut model, &args.alert)?;
        if let Err(refusal) = approval::may_decide(&setup.services).await {
            let why = format!("not run: {}", show(&refusal));
            return refuse(global.json, &why, out);
        }
        let read = read_back::run(&setup.services, &alert)
            .await
            .map_err(anyhow::Error::msg)?;
        if global.json {
            let rows: Vec<Value> = read
                .iter()
                .map(|r| json!({ "step": r.step.as_str(), "state": r.state, "says": r.says }))
                .collect();
            writeln!(out, "{}", json!({ "alert": alert.as_str(), "read": rows }))?;
        } else if read.is_empty() {
            writeln!(out, "nothing of this alert is unknown")?;
        } else {
            for told in &read {
                writeln!(out, "{}", show(&told.to_string()))?;
            }
        }
        let after = setup.services.journal.decisions().await?;
        let any = |state| after.acts_for(&alert).any(|a| a.cell() == state);
        Ok(if any(CellState::Unknown) {
            exit::NOT_PROVEN
        } else if read.iter().any(|r| r.state == CellState::Failed) {
            exit::FAILED
        } else {
            exit::DONE
        })
    })
}
