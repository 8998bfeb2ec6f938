//! `stanch approve`, `stanch reject`, `stanch approvals`: a second person reads a plan of somebody else and agrees, or
//! does not.

mod request;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::plan::{print_plan, silent, with_setup};
use super::refusal::{no_plan, not_recorded, refuse, refuse_blocked, refuse_read_only};
use super::{Global, exit};
use crate::app::model::Model;
use crate::domain::authority::{Authority, Standing, asked_by};
use crate::domain::decision::PlanState;
use crate::domain::ids::PlanDigest;
use crate::domain::text::{show, show_identifier};
use crate::domain::vocabulary::Tier;
use crate::journal::VerdictBlock;
use crate::runtime::approval;
use crate::runtime::services::Services;
use request::Pasted;

/// Arguments of `stanch approve`.
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// Digest of a recorded plan, or at least its first 8 digits.
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub digest: Option<String>,
    /// File with the request or the verdict of another host, as `stanch approvals --request` or `approve` printed it; `-`
    /// is standard input.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Name of the identity; needed for plans of the hard tier, as for running them.
    #[arg(long)]
    pub confirm: Option<String>,
    /// Why; it stands in the log.
    #[arg(long, value_parser = crate::cli::record::reason)]
    pub reason: Option<String>,
    /// Also print the verdict as a signed block, to be pasted where the plan is to run.
    #[arg(long)]
    pub block: bool,
}

/// Arguments of `stanch reject`.
#[derive(Debug, clap::Args)]
pub struct RejectArgs {
    /// Digest of a recorded plan, or at least its first 8 digits.
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub digest: Option<String>,
    /// File with the request of another host; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Why; it stands in the log and whoever asked reads it.
    #[arg(long, value_parser = crate::cli::record::reason)]
    pub reason: String,
    /// Also print the verdict as a signed block.
    #[arg(long)]
    pub block: bool,
}

/// Arguments of `stanch approvals`.
#[derive(Debug, clap::Args)]
pub struct ApprovalsArgs {
    /// Print a plan as a block that can be read on another host with `stanch approve --from`.
    #[arg(long, value_name = "DIGEST")]
    pub request: Option<String>,
}

/// `stanch approve`: prints exactly what was asked for, then agrees to it.
pub fn approve(global: &Global, args: &ApproveArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let which = Which {
        digest: args.digest.as_deref(),
        from: args.from.as_deref(),
        block: args.block,
    };
    let verdict = Verdict::Yes(args.confirm.as_deref());
    judge(global, &which, verdict, args.reason.as_deref(), out)
}

/// `stanch reject`.
pub fn reject(global: &Global, args: &RejectArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let which = Which {
        digest: args.digest.as_deref(),
        from: args.from.as_deref(),
        block: args.block,
    };
    judge(global, &which, Verdict::No, Some(&args.reason), out)
}

/// What a verdict is about.
struct Which<'a> {
    digest: Option<&'a str>,
    from: Option<&'a Path>,
    block: bool,
}

#[derive(Clone, Copy)]
enum Verdict<'a> {
    /// With the name that was typed.
    Yes(Option<&'a str>),
    No,
}

impl Verdict<'_> {
    const fn is_yes(self) -> bool {
        matches!(self, Self::Yes(_))
    }
}

fn judge(
    global: &Global,
    which: &Which<'_>,
    verdict: Verdict<'_>,
    reason: Option<&str>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    if matches!(verdict, Verdict::No) && reason.is_none() {
        tell!("stanch: say why with --reason '...': whoever asked has to know");
        return Ok(exit::USAGE);
    }
    let pasted = which.from.map(request::pasted).transpose()?;
    with_setup(global, silent(), async |setup, model| {
        let services = &setup.services;
        if let Some(reason) = services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let desk = (services, &model);
        match &pasted {
            Some(Pasted::Verdict(block, signed)) => {
                taken(services, block, signed.clone(), global.json, out).await
            }
            Some(Pasted::Request(digest, state)) => {
                let about = (digest, &**state);
                judged(desk, about, verdict, reason, (true, global.json), out).await
            }
            None => {
                let digest = which.digest.unwrap_or_default();
                let Some((digest, state)) = services.journal.plan(digest).await else {
                    return Ok(no_plan(digest));
                };
                let about = (&digest, &state);
                judged(
                    desk,
                    about,
                    verdict,
                    reason,
                    (which.block, global.json),
                    out,
                )
                .await
            }
        }
    })
}

/// Shows what was asked for and records the verdict on it.
async fn judged(
    (services, model): (&Services, &Model),
    (digest, state): (&PlanDigest, &PlanState),
    verdict: Verdict<'_>,
    reason: Option<&str>,
    (block, json): (bool, bool),
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let approved = verdict.is_yes();
    if let Verdict::Yes(confirm) = verdict {
        if !json {
            print_plan(
                digest,
                &state.plan,
                &model.plan_warnings(digest, &state.plan),
                out,
            )?;
        }
        let name = show_identifier(state.plan.identity_name.raw()).into_owned();
        if state.plan.tier == Tier::Hard && confirm != Some(&name) {
            let why = format!("this plan is of the hard tier; agree to it with --confirm '{name}'");
            return refuse(json, &why, out);
        }
    }
    let given = match block {
        true => approval::judge_for_elsewhere(services, digest, state, approved, reason)
            .await
            .map(Some),
        false => approval::judge(services, digest, state, approved, reason)
            .await
            .map(|()| None),
    };
    let block = match given {
        Ok(block) => block,
        Err(refusal) => return not_recorded(json, &refusal, out),
    };
    // What it now lacks is part of the answer.
    let found = services.journal.plan(digest.as_str()).await;
    let state = found.as_ref().map_or(state, |(_, state)| state);
    let authority = services.authority.as_deref();
    if json {
        let mut row = row(digest, state, authority);
        row["warnings"] = json!(model.plan_warnings(digest, &state.plan));
        if let Some(block) = &block {
            row["block"] = json!(block);
        }
        writeln!(out, "{row}")?;
        return Ok(exit::DONE);
    }
    let word = if approved { "agreed to" } else { "rejected" };
    let stands = authority.map_or(String::new(), |a| stands(digest, &a.standing(state)));
    match block {
        None => writeln!(out, "{word} {}; {stands}", digest.short())?,
        Some(block) => {
            writeln!(
                out,
                "{word} {}; paste this where it is to run, into `stanch approve --from -`:",
                digest.short()
            )?;
            write!(out, "{block}")?;
        }
    }
    Ok(exit::DONE)
}

/// Takes a verdict in that was given on another host.
async fn taken(
    services: &Services,
    block: &VerdictBlock,
    signed: String,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let Some((digest, state)) = services.journal.plan(block.digest.as_str()).await else {
        return Ok(no_plan(block.digest.as_str()));
    };
    let who = match approval::take_block(services, &digest, &state, (block, signed)).await {
        Ok(who) => who,
        Err(refusal) => return not_recorded(json, &refusal, out),
    };
    let found = services.journal.plan(digest.as_str()).await;
    let state = found.as_ref().map_or(&state, |(_, state)| state);
    let authority = services.authority.as_deref();
    if json {
        writeln!(out, "{}", row(&digest, state, authority))?;
    } else {
        let word = if block.approved {
            "agreed to"
        } else {
            "rejected"
        };
        let stands = authority.map_or(String::new(), |a| stands(&digest, &a.standing(state)));
        writeln!(
            out,
            "{} {word} {} elsewhere; {stands}",
            show(&who),
            digest.short()
        )?;
    }
    Ok(exit::DONE)
}

/// `stanch approvals`.
pub fn approvals(global: &Global, args: &ApprovalsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.request {
        None => list(global, out),
        Some(digest) => with_setup(global, silent(), async |setup, _| {
            let journal = &setup.services.journal;
            let Some((digest, state)) = journal.plan(digest).await else {
                return Ok(no_plan(digest));
            };
            write!(out, "{}", request::block(&digest, &state))?;
            Ok(exit::DONE)
        }),
    }
}

/// What waits for others, oldest first.
fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_setup(global, silent(), async |setup, model| {
        let authority = setup.services.authority.as_deref();
        let now = jiff::Timestamp::now();
        let open = model.decisions.asked();
        let open: Vec<_> = open
            .into_iter()
            .filter(|(_, state)| state.plan.expires > now)
            .collect();
        if open.is_empty() && !global.json {
            writeln!(out, "no plan waits for anybody")?;
        }
        for (digest, state) in open {
            if global.json {
                writeln!(out, "{}", row(digest, state, authority))?;
                continue;
            }
            let plan = &state.plan;
            let says = authority.map_or("no roster is configured".to_owned(), |a| {
                stands(digest, &a.standing(state))
            });
            writeln!(
                out,
                "{}  {} tier  {}  {}  asked by {}  until {}  {says}",
                digest.short(),
                plan.tier,
                show_identifier(plan.identity_name.raw()),
                show(&plan.playbook),
                show(&asked_by(authority, state)),
                plan.expires.strftime("%H:%M:%SZ"),
            )?;
        }
        Ok(exit::DONE)
    })
}

fn stands(digest: &PlanDigest, standing: &Standing) -> String {
    match standing {
        Standing::Free => "nobody need agree".to_owned(),
        Standing::Agreed { by } => format!(
            "{} agreed: stanch contain {}",
            show(&by.join(", ")),
            digest.short()
        ),
        Standing::Waiting { missing, could, .. } => approval::wanted(digest, *missing, could),
        Standing::Refused { by, reason } => format!("{} refused it: {}", show(by), show(reason)),
    }
}

fn row(digest: &PlanDigest, state: &PlanState, authority: Option<&Authority>) -> Value {
    let plan = &state.plan;
    let verdicts: Vec<Value> = state
        .verdicts
        .iter()
        .map(|v| {
            json!({
                "by": show(&v.by), "log": show(&v.log), "at": v.at, "approved": v.approval.approved,
                "reason": v.approval.reason.as_deref().map(show),
            })
        })
        .collect();
    let standing = authority.map(|a| match a.standing(state) {
        Standing::Free => json!({ "state": "free" }),
        Standing::Agreed { by } => json!({ "state": "agreed", "by": by }),
        Standing::Waiting { by, missing, could } => {
            json!({ "state": "waiting", "by": by, "missing": missing, "could": could })
        }
        Standing::Refused { by, reason } => {
            json!({ "state": "refused", "by": by, "reason": show(&reason) })
        }
    });
    json!({
        "digest": digest.as_str(), "identity": plan.identity.as_str(), "playbook": show(&plan.playbook),
        "tier": plan.tier, "timed_out": state.timed_out.map(|(_, what)| what), "asked_by": show(&asked_by(authority, state)), "asked_at": state.asked.as_ref().map(|(at, _)| at),
        "expires": plan.expires, "verdicts": verdicts, "standing": standing,
    })
}
