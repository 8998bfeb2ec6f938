//! `stanch break-glass`: somebody acts alone because nobody else can be asked, and somebody else looks at it afterwards.

use std::io::Write;

use serde_json::json;

use super::plan::{ContainArgs, contain_with, silent, with_setup};
use super::refusal::{no_plan, not_recorded, refuse_read_only};
use super::{Global, exit};
use crate::domain::text::show;
use crate::runtime::approval::{self, Patience};

/// Arguments of `stanch break-glass`.
#[derive(Debug, clap::Args)]
pub struct GlassArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Run a plan without those who would have to agree; refused while the last such act was not reviewed.
    Run(ContainArgs),
    /// Say what you found of something that somebody else did alone.
    Review {
        /// Digest of the plan, or at least its first 8 digits.
        digest: String,
        /// What you found.
        #[arg(long, value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// List what was done alone.
    List,
}

/// Carries it out.
pub fn run(global: &Global, args: &GlassArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.what {
        What::Run(args) => {
            if args.reason.is_none() {
                tell!("stanch: whoever acts alone says why: --reason '...'");
                return Ok(exit::USAGE);
            }
            tell!(
                "stanch: BREAK-GLASS: nobody is asked; this stands in the log, and somebody else has to review it"
            );
            contain_with(global, args, Patience::Alone, out)
        }
        What::Review { digest, reason } => review(global, digest, reason, out),
        What::List => list(global, out),
    }
}

fn review(global: &Global, digest: &str, reason: &str, out: &mut dyn Write) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    if reason.is_empty() {
        tell!("stanch: say what you found with --reason '...'");
        return Ok(exit::USAGE);
    }
    with_setup(global, silent(), async |setup, _| {
        let services = &setup.services;
        let Some((digest, _)) = services.journal.plan(digest).await else {
            return Ok(no_plan(digest));
        };
        match approval::review(services, &digest, reason).await {
            Ok(()) if global.json => writeln!(out, "{}", json!({ "reviewed": digest.as_str() }))?,
            Ok(()) => writeln!(out, "reviewed {}", digest.short())?,
            Err(refusal) => return not_recorded(global.json, &refusal, out),
        }
        Ok(exit::DONE)
    })
}

fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_setup(global, silent(), async |setup, model| {
        let authority = setup.services.authority.as_deref();
        for (digest, glass) in model.decisions.broken() {
            let reviewed = authority.is_some_and(|a| a.reviewed(glass));
            if global.json {
                let row = json!({
                    "digest": digest.as_str(), "at": glass.at, "by": show(&glass.actor), "alert": glass.alert.as_str(),
                    "reason": show(&glass.reason), "reviewed": reviewed,
                });
                writeln!(out, "{row}")?;
                continue;
            }
            let stands = if reviewed { "reviewed" } else { "NOT REVIEWED" };
            writeln!(
                out,
                "{}  {}  {}  {stands}  {}",
                digest.short(),
                glass.at.strftime("%F %H:%MZ"),
                show(&glass.actor),
                show(&glass.reason)
            )?;
        }
        Ok(exit::DONE)
    })
}
