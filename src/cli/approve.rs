//! `stanch approve`, `stanch reject`, `stanch approvals`: a second person reads a plan of somebody else and agrees, or
//! does not.

use std::io::Write;

use serde_json::{Value, json};

use super::plan::{no_plan, print_plan, refuse_blocked, refuse_read_only, silent, with_setup};
use super::{Global, exit};
use crate::domain::authority::Standing;
use crate::domain::decision::PlanState;
use crate::domain::ids::PlanDigest;
use crate::domain::text::{show, show_identifier};
use crate::domain::vocabulary::Tier;
use crate::runtime::approval::{self, Authority};

/// Arguments of `stanch approve`.
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// Digest of a recorded plan, or at least its first 8 digits.
    pub digest: String,
    /// Name of the identity; needed for plans of the hard tier, as for running them.
    #[arg(long)]
    pub confirm: Option<String>,
    /// Why; it stands in the log.
    #[arg(long)]
    pub reason: Option<String>,
}

/// Arguments of `stanch reject`.
#[derive(Debug, clap::Args)]
pub struct RejectArgs {
    /// Digest of a recorded plan, or at least its first 8 digits.
    pub digest: String,
    /// Why; it stands in the log and whoever asked reads it.
    #[arg(long)]
    pub reason: String,
}

/// `stanch approve`: prints exactly what was asked for, then agrees to it.
pub fn approve(global: &Global, args: &ApproveArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    judge(
        global,
        &args.digest,
        Verdict::Yes(args.confirm.as_deref()),
        args.reason.as_deref(),
        out,
    )
}

/// `stanch reject`.
pub fn reject(global: &Global, args: &RejectArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let reason = Some(args.reason.as_str());
    judge(global, &args.digest, Verdict::No, reason, out)
}

#[derive(Clone, Copy)]
enum Verdict<'a> {
    /// With the name that was typed.
    Yes(Option<&'a str>),
    No,
}

fn judge(
    global: &Global,
    digest: &str,
    verdict: Verdict<'_>,
    reason: Option<&str>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if let Some(code) = refuse_read_only(global) {
        return Ok(code);
    }
    let reason = reason.map(str::trim).filter(|r| !r.is_empty());
    if matches!(verdict, Verdict::No) && reason.is_none() {
        eprintln!("stanch: say why with --reason '...': whoever asked has to know");
        return Ok(exit::USAGE);
    }
    with_setup(global, silent(), async |setup, _| {
        let services = &setup.services;
        if let Some(reason) = services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let Some((digest, state)) = services.journal.plan(digest).await else {
            return Ok(no_plan(digest));
        };
        let approved = matches!(verdict, Verdict::Yes(_));
        if let Verdict::Yes(confirm) = verdict {
            if !global.json {
                print_plan(&digest, &state.plan, out)?;
            }
            let name = show_identifier(state.plan.identity_name.raw()).into_owned();
            if state.plan.tier == Tier::Hard && confirm != Some(&name) {
                eprintln!(
                    "stanch: this plan is of the hard tier; agree to it with --confirm '{name}'"
                );
                return Ok(exit::REFUSED);
            }
        }
        if let Err(refusal) = approval::judge(services, &digest, &state, approved, reason).await {
            eprintln!("stanch: not recorded: {}", show(&refusal));
            return Ok(exit::REFUSED);
        }
        // What it now lacks is part of the answer.
        let (digest, state) = match services.journal.plan(digest.as_str()).await {
            Some(found) => found,
            None => (digest, state),
        };
        let authority = services.authority.as_deref();
        if global.json {
            writeln!(out, "{}", row(&digest, &state, authority))?;
        } else {
            let word = if approved { "agreed to" } else { "rejected" };
            let stands = authority.map_or(String::new(), |a| stands(&digest, &a.standing(&state)));
            writeln!(out, "{word} {}; {stands}", digest.short())?;
        }
        Ok(exit::DONE)
    })
}

/// `stanch approvals`: what waits for others, oldest first.
pub fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
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
                show(&state.actor),
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
        "tier": plan.tier, "asked_by": show(&state.actor), "asked_at": state.asked.as_ref().map(|(at, _)| at),
        "expires": plan.expires, "verdicts": verdicts, "standing": standing,
    })
}
