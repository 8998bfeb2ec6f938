//! `stanch log`: reads and verifies decision journals offline, and keeps their keys. Alone it opens a screen.

mod ask;
mod course;
mod export;
mod filter;
mod metrics;
mod report;
mod screen;
mod show;
mod write;

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::domain::alert::Alert;
use crate::domain::ids::AlertId;
use crate::journal::{self, JournalConfig};
use crate::runtime::timeline::bytes_of;

use super::progress::{self, Stop, Unit};
use filter::Filter;

pub use report::send as send_report;
pub use screen::open as open_screen;

/// Arguments of `stanch log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: Option<Box<LogCommand>>,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Show what was decided and done, one line a record.
    Show(Filter),
    /// Show records as anybody writes them.
    Follow(show::FollowArgs),
    /// Write records out: verbatim JSON lines, CSV, a Markdown timeline, OCSF, or proofs of single records. That
    /// something was exported is recorded itself.
    Export(export::ExportArgs),
    /// Verify that the journal is what was signed.
    #[command(
        after_help = "Exit code: 0 intact, 1 not intact, 2 nothing could be verified, 3 (with --strict) intact, \
                            but with warnings or actions of unknown effect."
    )]
    Verify(VerifyArgs),
    /// Report one incident: timeline, plan, approvals, before and after, what is left, frameworks.
    Report(report::ReportArgs),
    /// Say where the time went: detect, acknowledge, decide, approve, execute, prove.
    Metrics(metrics::MetricsArgs),
    /// Let a new signing key take over; the old one signs the change.
    RotateKey(write::Reason),
    /// Go on with the own log after its key was lost or a backup was put back.
    Adopt(write::Reason),
    /// Say that damage or a colleague's changed log was read about, so that actions are possible again.
    Acknowledge(write::Reason),
    /// Take content out of the own log: old records, single ones, evidence. Hashes stay, so the log verifies.
    Prune(write::PruneArgs),
    /// Vouch for a colleague's log that goes on under a new key without the old one's signature.
    Countersign(write::CountersignArgs),
}

/// A script that verifies a log.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Explain {
    /// Everything but anchors and the roster.
    Python,
    /// The chain, the root and its last signature.
    Shell,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Verify a copied journal instead (repeatable).
    #[arg(long, value_name = "DIR")]
    store: Vec<PathBuf>,
    /// Pin keys and people: a TOML file with `[[log]]` (origin, keys) and `[[person]]` (name, keys, uids). A log or key
    /// that is not in it fails.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Heads that you saw: the file `seen-heads` beside your signing key. Without --store it is used by itself.
    #[arg(long, value_name = "FILE")]
    seen_heads: Option<PathBuf>,
    /// Signed heads kept elsewhere: output of `journalctl -t stanch -o cat`, or notes that a webhook stored
    /// (repeatable).
    #[arg(long, value_name = "FILE")]
    anchors: Vec<PathBuf>,
    /// Exit with 3 when anything needs a look although every byte is what was signed.
    #[arg(long)]
    strict: bool,
    /// With --strict, an action of unknown effect counts only when it is older: `30m`, `4h`, `2d`.
    #[arg(long, value_name = "AGE", requires = "strict", value_parser = filter::parse_time)]
    unknown_age: Option<jiff::Timestamp>,
    /// Recompute every root, but check only the last signature of each log.
    #[arg(long)]
    quick: bool,
    /// Verify one record by its proof, without a journal: keys come from --trust, else from the journal at hand.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// Say what stands in a log, by a script that verifies one without this program: in Python, or with nothing but
    /// sha256sum and openssl.
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "python")]
    explain: Option<Explain>,
}

impl LogArgs {
    /// Tells whether the screen is wanted rather than text.
    pub const fn is_screen(&self) -> bool {
        self.command.is_none()
    }

    /// Returns the report that is to be sent, and through which connector.
    pub fn sends(&self) -> Option<(&report::ReportArgs, &str)> {
        match self.command.as_deref() {
            Some(LogCommand::Report(args)) => args.send.as_deref().map(|through| (args, through)),
            _ => None,
        }
    }

    /// Tells whether it is about the journal in force, and no other that the arguments name.
    pub fn is_about_own(&self) -> bool {
        let named = match self.command.as_deref() {
            Some(LogCommand::Show(args)) => &args.store,
            Some(LogCommand::Follow(args)) => &args.filter.store,
            Some(LogCommand::Export(args)) => &args.filter.store,
            Some(LogCommand::Report(args)) => &args.store,
            Some(LogCommand::Metrics(args)) => &args.store,
            Some(LogCommand::Verify(args)) if args.proof.is_some() || args.explain.is_some() => {
                return false;
            }
            Some(LogCommand::Verify(args)) => &args.store,
            // These write, and nobody writes another's log.
            _ => return true,
        };
        named.is_empty()
    }
}

/// Where `stanch log` works.
pub struct Context<'a> {
    /// The store to read unless the arguments name others.
    pub store: PathBuf,
    /// Heads that this user saw.
    pub seen: PathBuf,
    /// Where what is derived from logs may be kept; without it, it is made anew each time.
    pub cache: Option<PathBuf>,
    /// Stable JSON instead of words.
    pub json: bool,
    /// Write nothing, not even that something was exported.
    pub read_only: bool,
    /// Finds an alert as it was stored here.
    pub alert: &'a dyn Fn(&AlertId) -> Option<Alert>,
    /// Says something beside the answer, on standard error.
    pub warn: &'a dyn Fn(&str),
    /// What opens the own log for writing.
    pub journal: &'a dyn Fn() -> anyhow::Result<JournalConfig>,
}

impl Context<'_> {
    /// The stores that are given, else the own one.
    fn stores(&self, given: &[PathBuf]) -> Vec<PathBuf> {
        if given.is_empty() {
            vec![self.store.clone()]
        } else {
            given.to_vec()
        }
    }
}

/// Runs `stanch log`; returns the exit code.
pub fn run(args: &LogArgs, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let Some(command) = &args.command else {
        bail!(screen::NEEDS_TERMINAL);
    };
    match &**command {
        LogCommand::Show(filter) => show::show_records(filter, context, out),
        LogCommand::Follow(args) => show::follow(args, context, out),
        LogCommand::Export(args) => export::run(args, context, out),
        LogCommand::Report(args) => report::run(args, context, out),
        LogCommand::Metrics(args) => metrics::run(args, context, out),
        LogCommand::RotateKey(args) => write::rotate(args, context, out),
        LogCommand::Adopt(args) => write::adopt(args, context, out),
        LogCommand::Acknowledge(args) => write::acknowledge(args, context, out),
        LogCommand::Prune(args) => write::prune(args, context, out),
        LogCommand::Countersign(args) => write::countersign(args, context, out),
        LogCommand::Verify(args) => match (&args.explain, &args.proof) {
            (Some(Explain::Python), _) => {
                out.write_all(journal::VERIFY_PY.as_bytes())?;
                Ok(0)
            }
            (Some(Explain::Shell), _) => {
                out.write_all(journal::VERIFY_SH.as_bytes())?;
                Ok(0)
            }
            (None, Some(file)) => {
                export::verify_proof(file, args.trust.as_deref(), context, &args.store, out)
            }
            (None, None) => verify(args, context, &context.stores(&args.store), out),
        },
    }
}

fn verify(
    args: &VerifyArgs,
    context: &Context<'_>,
    stores: &[PathBuf],
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    filter::must_exist(stores)?;
    let trust = args
        .trust
        .as_deref()
        .map(journal::Trust::load)
        .transpose()?;
    let options = journal::Options {
        quick: args.quick,
        trust,
        // A copied store may rightly be older than what was seen here.
        seen: match &args.seen_heads {
            None if args.store.is_empty() => Some(context.seen.clone()),
            given => given.clone(),
        },
        anchors: args.anchors.clone(),
        ..journal::Options::default()
    };
    let report = {
        let all: u64 = stores.iter().map(|store| bytes_of(store)).sum();
        let stop = Stop::AtOnce("nothing was changed, and nothing is known about the rest");
        let work = progress::begin("verifying", (Unit::Bytes, all), stop, true);
        let options = journal::Options {
            progress: Some(work.counter()),
            ..options
        };
        journal::verify(stores, &options)
    };
    if context.json {
        let mut value = serde_json::to_value(&report)?;
        value["intact"] = report.intact().into();
        value["warnings"] = report.warnings().into();
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
    } else {
        journal::write_text(&report, out)?;
    }
    let before = args.unknown_age.unwrap_or(jiff::Timestamp::MAX);
    let strict = args.strict.then_some(before);
    Ok(report.exit_code(strict))
}

#[cfg(test)]
mod tests;
