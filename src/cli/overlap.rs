//! `stanch overlap`: steps of plans that wait for their time, to end at once or to be stopped.

use std::io::Write;

use jiff::Timestamp;
use serde_json::json;

use super::plan::{finish, progress, with_setup};
use super::refusal::{no_plan, not_recorded, refuse_blocked, refuse_read_only};
use super::{Global, exit};
use crate::domain::authority::Act;
use crate::domain::decision::{Decision, DecisionKind, Decisions};
use crate::domain::ids::StepId;
use crate::domain::overlap::{Later, waiting};
use crate::domain::text::{show, show_identifier};
use crate::runtime::{approval, execute, steady};

/// Arguments of `stanch overlap`.
#[derive(Debug, clap::Args)]
pub struct OverlapArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Turn the old credentials off now, before their time, or after it was stopped or failed.
    End(Which),
    /// Stop that they are turned off by themselves; somebody has to end them then.
    Keep(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Digest of a recorded plan, or at least its first 8 digits.
    digest: String,
    /// Step of the plan.
    step: String,
    /// Why.
    #[arg(long, value_parser = crate::cli::record::reason)]
    reason: String,
}

/// Lists what waits, ends it or stops it.
pub fn run(global: &Global, args: &OverlapArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let (keeps, which) = match &args.what {
        None => return list(global, out),
        Some(What::End(which)) => (false, which),
        Some(What::Keep(which)) => (true, which),
    };
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    let report = progress(global.json);
    with_setup(global, report.clone(), async |setup, _| {
        let services = &setup.services;
        if let Some(blocked) = services.journal.blocked().await {
            return refuse_blocked(&blocked, global.json, out);
        }
        let Some((digest, state)) = services.journal.plan(&which.digest).await else {
            return Ok(no_plan(&which.digest));
        };
        let step = StepId::new(which.step.clone());
        if !keeps {
            let ended =
                execute::later(services, &digest, &step, Some(&which.reason), &report).await;
            return finish(&digest, &ended, global.json, out);
        }
        let decisions = services.journal.latest().await?;
        let refusal = match approval::may(services, Act::Trigger, &state).await {
            Ok(()) => may_keep(&decisions, &which.digest, &step),
            Err(refusal) => Some(refusal),
        };
        if let Some(refusal) = refusal {
            return not_recorded(global.json, &refusal, out);
        }
        let decision = Decision {
            plan: Some(digest.clone()),
            step: Some(step),
            identity: Some(state.plan.identity.clone()),
            ..Decision::on(
                state.plan.alert.clone(),
                DecisionKind::KeepOld,
                Some(which.reason.clone()),
            )
        };
        if let Err(refusal) = services.decide(std::slice::from_ref(&decision)).await {
            return not_recorded(global.json, &refusal, out);
        }
        if global.json {
            writeln!(out, "{}", json!({ "recorded": decision }))?;
        } else {
            let (short, step) = (digest.short(), show(&which.step));
            writeln!(
                out,
                "recorded: step {step} of plan {short} waits for somebody now"
            )?;
        }
        Ok(exit::DONE)
    })
}

/// Says why there is nothing to stop.
fn may_keep(decisions: &Decisions, digest: &str, step: &StepId) -> Option<String> {
    let (digest, _) = decisions.plan(digest)?;
    let mut all = waiting(decisions).filter(|l| l.digest == digest && l.step.id == *step);
    match all.next() {
        None => Some(format!("step {step} does not wait for its time")),
        Some(Later {
            kept: Some((_, who, _)),
            ..
        }) => Some(format!("{who} stopped step {step} already")),
        // What sent nothing would be tried again by itself.
        Some(Later {
            tried: Some(act), ..
        }) if !act.sent_nothing() => Some(format!(
            "step {step} was sent and is {}; nothing more of it goes by itself",
            act.cell().words()
        )),
        Some(Later { by_hand: true, .. }) => Some(format!(
            "step {step} is its team's, and nothing of it goes by itself"
        )),
        Some(_) => None,
    }
}

fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_setup(global, super::plan::silent(), async |_, model| {
        let now = steady::now();
        let mut all: Vec<Later<'_>> = waiting(&model.decisions).collect();
        all.sort_by_key(|later| later.until);
        if all.is_empty() && !global.json {
            writeln!(out, "no credential waits to be turned off beside a new one")?;
        }
        for later in &all {
            row(later, now, global.json, out)?;
        }
        Ok(exit::DONE)
    })
}

fn row(later: &Later<'_>, now: Timestamp, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let plan = &later.state.plan;
    let state = match (later.tried, later.kept) {
        (Some(act), _) => act.cell().as_str(),
        (None, Some(_)) => "kept",
        (None, None) if later.by_hand => "by_hand",
        (None, None) => "waits",
    };
    if json {
        let row = json!({
            "digest": later.digest.as_str(), "step": later.step.id.as_str(), "state": state, "alert": plan.alert.as_str(),
            "identity": plan.identity.as_str(), "title": show(&later.step.title), "target": later.step.target.show(),
            "since": later.since, "until": later.until, "left_s": (later.until.as_second() - now.as_second()).max(0),
            "kept_by": later.kept.map(|(_, who, _)| show(who).into_owned()),
            "kept_because": later.kept.map(|(_, _, why)| show(why).into_owned()),
        });
        return writeln!(out, "{row}");
    }
    let kept = later.kept.map_or_else(String::new, |(_, who, why)| {
        format!("  {} stopped it: {}", show(who), show(why))
    });
    writeln!(
        out,
        "{} {}  {state}  until {}  {}  {}{kept}",
        later.digest.short(),
        show(later.step.id.as_str()),
        later.until.strftime("%F %H:%MZ"),
        show_identifier(plan.identity.as_str()),
        show(&later.step.title),
    )
}
