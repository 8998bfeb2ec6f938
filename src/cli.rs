//! The command line: one binary, every view and act of the console also as a subcommand.

use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::runtime::memory;
/// Hands out all memory of the program.
pub use memory::Allocator;

pub mod alert;
pub mod alerts;
mod approve;
mod campaign;
pub mod config;
pub mod coverage;
pub mod doctor;
pub mod drill;
mod glass;
mod handoff;
mod hold;
pub mod identity;
mod json_out;
pub mod log;
mod look;
mod overlap;
pub mod plan;
pub mod policy;
mod progress;
mod record;
pub mod refusal;
pub mod serve;
pub mod setup;
pub mod show;
mod veto;

/// Exit codes, the same everywhere.
pub mod exit {
    /// Done and proven.
    pub const DONE: u8 = 0;
    /// Failed.
    pub const FAILED: u8 = 1;
    /// Usage, configuration or I/O.
    pub const USAGE: u8 = 2;
    /// Done but not proven.
    pub const NOT_PROVEN: u8 = 3;
    /// Refused by policy, or waiting for approval.
    pub const REFUSED: u8 = 4;
    /// Ended by whoever began it, as a shell counts it (128 + SIGINT).
    pub const INTERRUPTED: u8 = 130;
}

/// Contain compromised non-human identities from a terminal.
///
/// Without a subcommand the console opens; without a configuration it opens on the drill and says so.
#[derive(Debug, Parser)]
#[command(name = "stanch", version, max_term_width = 120, after_help = EXIT_HELP)]
pub struct Cli {
    /// Options that every subcommand knows.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_HELP: &str = "Exit codes: 0 done and proven; 1 failed (log verify: integrity failure); 2 usage, configuration or I/O; \
3 done but not proven (log verify --strict: intact but below policy); 4 refused by policy or waiting for approval; 130 interrupted.";

/// Options that every subcommand knows.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for alerts, journal and locks.
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Work on the embedded drill instead of a configuration.
    #[arg(long, global = true, value_name = "SCENARIO", num_args = 0..=1, require_equals = true, default_missing_value = crate::drill::DEFAULT)]
    pub drill: Option<String>,
    /// Look only: no acting command exists.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Stable JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Theme of the console.
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Colours in the console.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
    /// Marks and lines in ASCII.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Follow what happens line by line, for screen readers, serial lines and pipes; nothing can be done in it.
    #[arg(long)]
    pub plain: bool,
    /// Write a trace to `trace.log` in the state folder.
    #[arg(long, global = true)]
    pub verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// As many as TERM and COLORTERM say, unless NO_COLOR is set.
    Auto,
    /// As many, whatever NO_COLOR says.
    Always,
    /// Words and marks alone.
    Never,
    /// The 16 of the terminal's own palette.
    #[value(name = "16")]
    Sixteen,
    /// The 256 of xterm.
    #[value(name = "256")]
    Palette,
    /// 24 bits.
    #[value(name = "truecolor")]
    True,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Practise on an embedded attack; scored at the end.
    Drill(drill::DrillArgs),
    /// Take alerts in without a screen, until told to end.
    Serve(serve::ServeArgs),
    /// Build a plan for an alert and print exactly what it would send.
    Plan(plan::PlanArgs),
    /// Run the plan that the journal holds under a digest.
    Contain(plan::ContainArgs),
    /// Agree to somebody else's plan, after reading it.
    Approve(approve::ApproveArgs),
    /// Refuse somebody else's plan.
    Reject(approve::RejectArgs),
    /// List the plans that wait for somebody to agree.
    Approvals(approve::ApprovalsArgs),
    /// Delay a containment for a while, agree to that, or end it.
    Hold(hold::HoldArgs),
    /// List everything temporary that somebody must end.
    Debts,
    /// Trust an identity again: what must hold, who vouched for it, then lift every control.
    Restore(hold::RestoreArgs),
    /// One breach, many identities: who is to be contained, a plan each, and how far that has come.
    Campaign(campaign::CampaignArgs),
    /// Act alone because nobody can be asked, and review what others did alone.
    BreakGlass(glass::GlassArgs),
    /// Stop what counts down to run by itself for alerts; for an hour nothing of it begins about the same identity.
    Veto(veto::VetoArgs),
    /// Take a step of a plan back.
    Undo(plan::UndoArgs),
    /// List what other teams were asked to do for a plan, or write down that one did it.
    HandOff(handoff::HandOffArgs),
    /// List credentials that work beside a new one until their time is over; end that now, or stop it.
    Overlap(overlap::OverlapArgs),
    /// Read back the acts of an alert whose outcome is unknown; nothing is sent again.
    Reconcile(plan::ReconcileArgs),
    /// Claim, give, put off, dismiss, note or close alerts; show what of their containment is proven.
    Alert(alert::AlertArgs),
    /// Decode, list and show alerts.
    Alerts(alerts::AlertsArgs),
    /// Read and verify the decision log; alone it opens a screen that only reads.
    Log(log::LogArgs),
    /// List and show identities, the map around them, and which could not be contained now.
    Identity(identity::IdentityArgs),
    /// Check the policy and the playbooks, and explain what they say about an alert.
    Policy(policy::PolicyArgs),
    /// Look at each connector: secrets, reachability, permissions, and what is possible; nothing is changed.
    Doctor(doctor::DoctorArgs),
    /// Check the configuration, or say where it lies.
    Config(config::ConfigArgs),
    /// Write a commented configuration.
    Init(config::InitArgs),
    /// List every key with its command.
    Keys,
    /// List the themes.
    Themes,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Carries a command line out and returns the exit code.
pub fn run(cli: Cli) -> u8 {
    memory::set_up();
    let json = cli.global.json;
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            // An error quotes what it is about, and people paste secrets where none belongs.
            let text = crate::journal::mask_tokens(&with_causes(&error)).into_owned();
            // A reader that closed its end early has all that it wanted.
            if error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
            {
                return exit::DONE;
            }
            if json {
                tell!("{}", serde_json::json!({ "error": text }));
            } else {
                // What an error quotes is escaped already; what somebody forgot is here.
                let lines: Vec<String> = text.lines().map(crate::domain::text::seen).collect();
                tell!("stanch: {}", lines.join("\n"));
            }
            match error.downcast_ref::<progress::Interrupted>() {
                Some(_) => exit::INTERRUPTED,
                None => exit::USAGE,
            }
        }
    }
}

/// Joins an error with its causes, without those whose text the error repeats already.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Tells whether a command may take so long that it says how far it is.
fn takes_long(command: &Command) -> bool {
    match command {
        Command::Alerts(_) | Command::Policy(_) | Command::Doctor(_) | Command::Campaign(_) => true,
        Command::Log(args) => !args.is_screen(),
        _ => false,
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    let global = &cli.global;
    let stdout = std::io::stdout();
    // The log's lines are signed as they are; whoever pipes them checks them.
    let verbatim = matches!(cli.command, Some(Command::Log(_))) && !stdout.is_terminal();
    let mut out: Box<dyn Write> = match global.json && !verbatim {
        true => Box::new(json_out::JsonOut::new(stdout.lock())),
        false => Box::new(stdout.lock()),
    };
    if cli.command.as_ref().is_some_and(takes_long) {
        progress::listen(global.plain, global.json);
    }
    match cli.command {
        None => {
            drop(out);
            drill::console(global, None)
        }
        Some(Command::Drill(args)) => {
            drop(out);
            drill::run(global, &args)
        }
        Some(Command::Serve(args)) if args.print_unit => serve::print_unit(global, &mut out),
        Some(Command::Serve(_)) => {
            drop(out);
            serve::serve(global)
        }
        Some(Command::Plan(args)) => plan::plan(global, &args, &mut out),
        Some(Command::Contain(args)) => plan::contain(global, &args, &mut out),
        Some(Command::Approve(args)) => approve::approve(global, &args, &mut out),
        Some(Command::Reject(args)) => approve::reject(global, &args, &mut out),
        Some(Command::Approvals(args)) => approve::approvals(global, &args, &mut out),
        Some(Command::Hold(args)) => hold::hold(global, &args, &mut out),
        Some(Command::Debts) => hold::list(global, &mut out),
        Some(Command::Restore(args)) => hold::restore(global, &args, &mut out),
        Some(Command::Campaign(args)) => campaign::run(global, &args, &mut out),
        Some(Command::BreakGlass(args)) => glass::run(global, &args, &mut out),
        Some(Command::Veto(args)) => veto::veto(global, &args, &mut out),
        Some(Command::Undo(args)) => plan::undo(global, &args, &mut out),
        Some(Command::Overlap(args)) => overlap::run(global, &args, &mut out),
        Some(Command::HandOff(args)) => handoff::run(global, &args, &mut out),
        Some(Command::Reconcile(args)) => plan::reconcile(global, &args, &mut out),
        Some(Command::Alert(args)) => alert::run(global, &args, &mut out),
        Some(Command::Alerts(args)) => {
            let state = setup::state_dir(global)?;
            let mut configured = setup::decoders::configured(global)?;
            if args.reads_store() {
                // What has arrived since is part of the answer.
                configured.model =
                    plan::with_setup(global, plan::silent(), async |_, model| Ok(model))?;
            }
            let now = jiff::Timestamp::now();
            alerts::run(
                &args,
                configured,
                &state,
                global.json,
                now,
                &mut out,
                &mut progress::Beside,
            )
        }
        Some(Command::Log(args)) if args.is_screen() => {
            drop(out);
            log::open_screen(global)
        }
        Some(Command::Log(args)) => {
            if args.is_about_own() && args.sends().is_none() {
                setup::tell_if_drill(global)?;
            }
            let state = setup::state_dir(global)?;
            let context = log::Context {
                store: setup::journal_dir(&state),
                alert: &setup::stored_alerts(&state),
                seen: setup::keys_dir(global)?.join(crate::journal::SEEN_FILE),
                cache: setup::cache_dir(global),
                json: global.json,
                read_only: global.read_only,
                warn: &|text| {
                    let text = crate::domain::text::show(text);
                    // Nobody is left to hear that nobody hears it.
                    let _ = writeln!(progress::Beside, "stanch: {text}");
                },
                journal: &|| setup::journal_config(global),
            };
            match args.sends() {
                Some(report) => log::send_report(global, report, &context, &mut out),
                None => log::run(&args, &context, &mut out),
            }
        }
        Some(Command::Identity(args)) => identity::run(global, &args, &mut out),
        Some(Command::Policy(args)) => policy::run(global, &args, &mut out),
        Some(Command::Doctor(args)) => doctor::run(global, &args, &mut out),
        Some(Command::Config(args)) => config::config(global, &args, &mut out),
        Some(Command::Init(args)) => config::init(global, &args, &mut out),
        Some(Command::Keys) => show::keys(global, &mut out),
        Some(Command::Themes) => look::list(global, &mut out),
        Some(Command::Completions { shell }) => show::completions(shell, &mut out),
        Some(Command::Man) => show::man(&mut out),
    }
}
