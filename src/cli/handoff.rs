//! `stanch hand-off`: what other teams were asked to do for a plan, and what they say they did.

use std::io::Write;

use serde_json::json;

use super::plan::{silent, with_setup};
use super::refusal::{no_plan, not_recorded, refuse_blocked, refuse_read_only};
use super::{Global, exit};
use crate::domain::handoff::{Item, Standing, done, items};
use crate::domain::ids::PlanDigest;
use crate::domain::text::show;

/// Arguments of `stanch hand-off`.
#[derive(Debug, clap::Args)]
pub struct HandOffArgs {
    /// Digest of a recorded plan, or at least its first 8 digits.
    pub digest: String,
    /// Write down that this step was done.
    #[arg(long, value_name = "STEP", requires_all = ["by", "reason"])]
    pub done: Option<String>,
    /// Who did it.
    #[arg(long, value_name = "WHO", requires = "done")]
    pub by: Option<String>,
    /// What was done, and how it was seen.
    #[arg(long, value_name = "TEXT", requires = "done", value_parser = crate::cli::record::reason)]
    pub reason: Option<String>,
}

/// Lists the items of a plan, or writes down that one was done.
pub fn run(global: &Global, args: &HandOffArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    if args.done.is_some() && global.read_only {
        return refuse_read_only(global.json, out);
    }
    with_setup(global, silent(), async |setup, model| {
        let services = &setup.services;
        let Some((digest, state)) = services.journal.plan(&args.digest).await else {
            return Ok(no_plan(&args.digest));
        };
        let Some(step) = &args.done else {
            let all = items(&digest, &state.plan, &model.decisions);
            return list(&digest, &all, global.json, out);
        };
        if let Some(reason) = services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let said = (
            args.by.as_deref().unwrap_or_default(),
            args.reason.as_deref().unwrap_or_default(),
        );
        let decision = match done(&digest, &state.plan, &model.decisions, step, said) {
            Ok(decision) => decision,
            Err(why) => return not_recorded(global.json, &why, out),
        };
        if let Err(why) = services.decide(std::slice::from_ref(&decision)).await {
            return not_recorded(global.json, &why, out);
        }
        if global.json {
            writeln!(out, "{}", json!({ "recorded": decision }))?;
        } else {
            let (step, by) = (show(step), show(said.0));
            let short = digest.short();
            writeln!(out, "recorded: {by} did step {step} of plan {short}")?;
        }
        Ok(exit::DONE)
    })
}

fn list(digest: &PlanDigest, all: &[Item], json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let waits = all.iter().any(|item| item.state == Standing::HandedOver);
    if json {
        let document = json!({ "digest": digest.as_str(), "hand_off": all });
        writeln!(out, "{document}")?;
    } else if all.is_empty() {
        writeln!(out, "no step of this plan is for another team")?;
    }
    for item in all.iter().filter(|_| !json) {
        let since = item.asked_at.map_or_else(String::new, |at| {
            format!(", asked {}", at.strftime("%F %H:%M:%SZ"))
        });
        let (step, team) = (show(&item.step), show(&item.team));
        let state = item.state.as_str().replace('_', " ");
        writeln!(out, "{step}  {state:<12} {team}: {}{since}", item.verb)?;
        if let Some(done) = &item.done {
            let at = done.at.strftime("%F %H:%M:%SZ");
            writeln!(out, "   {at} {}", done.line())?;
        } else {
            item.message
                .lines()
                .try_for_each(|line| writeln!(out, "   {line}"))?;
        }
    }
    Ok(if waits { exit::NOT_PROVEN } else { exit::DONE })
}
