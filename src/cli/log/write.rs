//! The few commands that write into the own log: keys, epochs and acknowledgements.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::domain::text::show;
use crate::journal::{Agent, Index, Prune, Signer, Writer};

use super::Context;

/// Why something is done, for the record.
#[derive(Debug, Args)]
pub struct Reason {
    /// Why; it stands in the log.
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
    reason: String,
}

/// Whose new key is vouched for.
#[derive(Debug, Args)]
pub struct CountersignArgs {
    /// Which log: `site/host/user`.
    origin: String,
    #[command(flatten)]
    reason: Reason,
    /// Sign it with your own Ed25519 key in the ssh-agent too; `verify --trust` holds it against `ssh_keys` of the roster.
    #[arg(long)]
    agent: bool,
    /// Which key of the agent, by its comment or fingerprint, where it holds several.
    #[arg(long, value_name = "KEY", requires = "agent", default_value = "")]
    agent_key: String,
    /// Socket of the agent instead of SSH_AUTH_SOCK.
    #[arg(long, value_name = "PATH", requires = "agent")]
    agent_socket: Option<PathBuf>,
}

/// What is taken out.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Content and evidence of everything before: `2026-01-01T00:00:00Z`, or `400d` before now.
    #[arg(long, value_name = "TIME", value_parser = super::filter::parse_time)]
    before: Option<Timestamp>,
    /// Content of one record, by its number (repeatable).
    #[arg(long, value_name = "N")]
    record: Vec<u64>,
    /// One file of evidence, by its SHA-256 (repeatable).
    #[arg(long, value_name = "SHA256")]
    blob: Vec<String>,
    /// Only say what would be taken out.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reason: Reason,
}

fn open(context: &Context<'_>) -> anyhow::Result<Writer> {
    must_write(context)?;
    Ok(Writer::open((context.journal)()?, Timestamp::now())?.0)
}

fn must_write(context: &Context<'_>) -> anyhow::Result<()> {
    if context.read_only {
        bail!("this writes into the log, which --read-only forbids");
    }
    Ok(())
}

fn say(context: &Context<'_>, done: &str, vkey: &str, out: &mut dyn Write) -> anyhow::Result<u8> {
    if context.json {
        writeln!(out, "{}", json!({"done": done, "vkey": vkey}))?;
    } else {
        writeln!(out, "{}", show(done))?;
        writeln!(out, "key for the trust file: {vkey}")?;
    }
    Ok(0)
}

/// Makes a new key and lets it take over.
pub fn rotate(args: &Reason, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let reason = &args.reason;
    let vkey = open(context)?.rotate_key(Timestamp::now(), reason)?;
    say(
        context,
        "the key was rotated; the old one is gone",
        &vkey,
        out,
    )
}

/// Goes on after a lost key or a restored backup.
pub fn adopt(args: &Reason, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let reason = &args.reason;
    must_write(context)?;
    let (writer, opened) = Writer::adopt((context.journal)()?, Timestamp::now(), reason)?;
    let done = format!(
        "a new epoch of {} began; under another key it counts as uncontinued until another analyst runs \
         `stanch log countersign {}`",
        opened.origin, opened.origin
    );
    say(context, &done, &writer.vkey(), out)
}

/// Accepts damage that somebody read about.
pub fn acknowledge(
    args: &Reason,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let reason = &args.reason;
    let mut writer = open(context)?;
    writer.acknowledge(Timestamp::now(), reason)?;
    say(
        context,
        "acknowledged; actions are possible again",
        &writer.vkey(),
        out,
    )
}

/// Takes content out of the own log.
pub fn prune(args: &PruneArgs, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let reason = &args.reason.reason;
    let what = Prune {
        before: args.before,
        records: args.record.iter().copied().collect(),
        blobs: args.blob.iter().cloned().collect(),
    };
    if what == Prune::default() {
        bail!("say what to take out with --before, --record or --blob");
    }
    let done = open(context)?.prune(Timestamp::now(), &what, reason, args.dry_run)?;
    if let Some(cache) = context.cache.as_deref().filter(|_| !args.dry_run) {
        Index::discard(cache, std::slice::from_ref(&context.store));
    }
    if context.json {
        let row = json!({"dry_run": args.dry_run, "records": done.records, "blobs": done.blobs});
        writeln!(out, "{row}")?;
    } else {
        let verb = if args.dry_run { "would take" } else { "took" };
        let (records, blobs) = (done.records.len(), done.blobs.len());
        writeln!(
            out,
            "{verb} out the content of {records} records and {blobs} files of evidence"
        )?;
    }
    Ok(0)
}

fn signer(args: &CountersignArgs) -> anyhow::Result<Signer> {
    let agent = match &args.agent_socket {
        Some(socket) => Agent::at(socket)?,
        None => Agent::of_session()?,
    };
    Ok(Signer::new(agent, &args.agent_key)?)
}

/// Vouches for another log's new key.
pub fn countersign(
    args: &CountersignArgs,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let reason = &args.reason.reason;
    let mut signer = args.agent.then(|| signer(args)).transpose()?;
    let vkey =
        open(context)?.countersign(Timestamp::now(), &args.origin, reason, signer.as_mut())?;
    let with = signer.map_or_else(String::new, |s| {
        format!(
            " with the ssh key {} ({})",
            s.key().fingerprint(),
            s.key().comment
        )
    });
    say(
        context,
        &format!("vouched for {}{with}", args.origin),
        &vkey,
        out,
    )
}
