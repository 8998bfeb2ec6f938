//! `stanch serve`: taking alerts in without a screen, and doing what the policy does by itself.

mod health;
mod unit;

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::health::Health;
use super::setup::{self, DrillStart, Setup};
use super::{Global, exit};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::app::settings::SourceSettings;
use crate::config::Config;
use crate::domain::text::{counted, show};
use crate::intake::receive::Receiver;
use crate::runtime::console::{QUEUE, report_to};
use crate::runtime::duty::{self, Asked};
use crate::runtime::intake::Intake;
use crate::runtime::journal::{Journal, Report};
use crate::runtime::unattended::{self, Unattended};

pub use unit::print_unit;

/// Alerts that are logged one by one when they come together.
const MOST_LINES: usize = 20;

/// Arguments of `stanch serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Print a hardened systemd unit for this configuration and state folder, and do nothing else.
    #[arg(long)]
    pub print_unit: bool,
}

/// Takes alerts in until SIGTERM or SIGINT; SIGHUP reads the configuration again.
pub fn serve(global: &Global) -> anyhow::Result<u8> {
    if setup::is_drill(global)? {
        anyhow::bail!(
            "`serve` takes real alerts in and has no drill; `stanch init` writes a configuration, --config names one"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let code = runtime.block_on(run(global));
    // A thread that is blocked in a read does not hold up the end.
    runtime.shutdown_background();
    code
}

async fn run(global: &Global) -> anyhow::Result<u8> {
    crate::runtime::console::survive_size_limits()?;
    let [mut terminate, mut interrupt, mut hang_up] = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    let health = Arc::new(Mutex::new(Health::default()));
    let (mut report, mut inbox) = reporting(&health);
    let start = DrillStart {
        scenario: String::new(),
        speed: 1.0,
        seed: 1,
        fresh: false,
        policy: None,
    };
    let mut setup = Setup::open(global, start, report.clone()).await?;
    check(&setup.intake("serve")).await?;
    loop {
        let mut running = Running::start(&setup, inbox, &report);
        tell_system("READY=1");
        let next = loop {
            tokio::select! {
                _ = terminate.recv() => break None,
                _ = interrupt.recv() => break None,
                _ = hang_up.recv() => {
                    tell_system("RELOADING=1");
                    match reload(global, &setup).await {
                        Ok(next) => break Some(next),
                        Err(problem) => keep(&health, problem),
                    }
                    tell_system("READY=1");
                }
                died = &mut running.intake => {
                    died.context("the intake died")?;
                    anyhow::bail!("the intake ended by itself");
                }
            }
        };
        let Some((config, parts)) = next else {
            tell_system("STOPPING=1");
            say("info", "ending");
            running.end().await?;
            return Ok(ended(&health));
        };
        running.end().await?;
        // The log is closed by now: what is written from here on names the new policy.
        let old = setup.config.clone();
        drop(setup);
        lock(&health).begin();
        (report, inbox) = reporting(&health);
        setup = match Setup::open_checked(global, config, parts, report.clone()).await {
            Ok(new) => {
                lock(&health).configured(None);
                say("info", "the configuration was read again and is in force");
                new
            }
            Err(error) => {
                let problem = format!("what it names could not be opened: {error:#}");
                keep(&health, vec![problem]);
                (report, inbox) = reporting(&health);
                Setup::reopen(global, old, report.clone()).await?
            }
        };
    }
}

/// Parts that run.
struct Running {
    intake: tokio::task::JoinHandle<()>,
    alone: tokio::task::JoinHandle<()>,
    follow: tokio::task::JoinHandle<()>,
    journal: Journal,
    cancel: CancellationToken,
}

impl Running {
    fn start(setup: &Setup, inbox: mpsc::Receiver<Msg>, report: &Report) -> Self {
        let intake = setup.intake("serve");
        let names: Vec<&str> = intake.sources.iter().map(SourceSettings::name).collect();
        say(
            "info",
            &format!("serving {} sources: {}", names.len(), names.join(", ")),
        );
        let journal = intake.journal.clone();
        let cancel = CancellationToken::new();
        Self {
            follow: tokio::spawn(journal.clone().follow()),
            alone: tokio::spawn(unattended(setup, inbox, report).run(cancel.clone())),
            intake: tokio::spawn(intake.run(report.clone(), cancel.clone())),
            journal,
            cancel,
        }
    }

    /// Ends them after what is under way, and closes the log.
    async fn end(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        self.intake.await.context("the intake died")?;
        self.alone
            .await
            .context("what the policy does by itself died")?;
        self.follow.abort();
        self.journal.end().await;
        Ok(())
    }
}

/// Reads the configuration again, with everything it names, as `stanch config check` does. What that refuses is not taken.
async fn reload(global: &Global, setup: &Setup) -> Result<(Config, setup::Parts), Vec<String>> {
    let path = setup::config_path(global).map_err(|e| vec![format!("{e:#}")])?;
    let read = tokio::task::block_in_place(|| super::config::read_checked(global, &path));
    let (config, parts) = read?;
    let settings = &config.receiver;
    let received = config.source.iter().any(SourceSettings::is_received);
    if received && *settings != setup.config.receiver {
        let bound = Receiver::bind(settings, &config.source, &parts.decoders).await;
        bound.map_err(|error| vec![error.to_string()])?;
    }
    Ok((config, parts))
}

/// Says why the old configuration stays in force.
fn keep(health: &Mutex<Health>, problems: Vec<String>) {
    for problem in &problems {
        say("error", &format!("configuration: {problem}"));
    }
    say(
        "error",
        "the configuration was NOT taken over; the one before stays in force",
    );
    let first = problems.into_iter().next();
    lock(health).configured(first.map(|p| format!("not taken over: {p}")));
    tell_health(health);
}

/// Returns the exit code: a failure where the log could not take everything down.
fn ended(health: &Mutex<Health>) -> u8 {
    let health = lock(health);
    if health.recorded() {
        say("info", "ended");
        return exit::DONE;
    }
    say("error", &format!("ended; {}", health.line()));
    exit::FAILED
}

/// Returns where to report to, which writes lines, and what comes of it to those who do something by themselves.
fn reporting(health: &Arc<Mutex<Health>>) -> (Report, mpsc::Receiver<Msg>) {
    let health = health.clone();
    let (sender, inbox) = mpsc::channel(QUEUE);
    let queue = report_to(&sender, &tokio::runtime::Handle::current());
    let report: Report = Arc::new(move |msg| {
        log(&msg);
        lock(&health).note(&msg);
        tell_health(&health);
        queue(msg);
    });
    (report, inbox)
}

/// Returns what runs the policy's own acts while this process has the duty.
fn unattended(setup: &Setup, inbox: mpsc::Receiver<Msg>, report: &Report) -> Unattended {
    let services = &setup.services;
    let mut model = services.model();
    model.read_only = setup.read_only;
    model.reload.every_s = setup.config.inventory.reload_s;
    let books = services.policy.by_themselves();
    let books: Vec<String> = books.map(|(id, mode)| format!("{id} ({mode})")).collect();
    if !books.is_empty() {
        let text = format!(
            "while this has the duty, by themselves: {}",
            books.join(", ")
        );
        say("info", &text);
        unattended::load(setup.store.clone(), report.clone());
    }
    for text in setup::policy::trouble(&setup.findings) {
        say("warning", &text);
    }
    let say = Box::new(|level, text: &str| say(word(level), text));
    Unattended::new(services.clone(), model, inbox, report.clone(), say)
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warn => "warning",
        Level::Error => "error",
    }
}

/// Writes how it is, when that changed.
fn tell_health(health: &Mutex<Health>) {
    let mut health = lock(health);
    if let Some(line) = health.news() {
        let level = if health.is_good() { "info" } else { "warning" };
        say(level, &format!("health: {line}"));
        tell_system(&format!("STATUS={line}"));
    }
}

fn lock(health: &Mutex<Health>) -> MutexGuard<'_, Health> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What cannot work is told at once, as an exit code: a service manager does not read the log.
async fn check(intake: &Intake) -> anyhow::Result<()> {
    if !intake.sources.iter().any(SourceSettings::is_received) {
        return Ok(());
    }
    // Where another process serves, its listener has the address until this one takes over.
    if let Ok(Asked::Taken(_duty)) = duty::ask(&intake.state, "serve") {
        Receiver::bind(&intake.receiver, &intake.sources, &intake.decoders).await?;
    }
    Ok(())
}

/// Writes what an analyst would see as lines.
fn log(msg: &Msg) {
    match msg {
        Msg::Alerts(rows) if rows.len() > MOST_LINES => {
            say("info", &format!("{} alerts", rows.len()));
        }
        Msg::Alerts(rows) => {
            for row in rows {
                let alert = &row.alert;
                let severity = alert.severity.map_or("-", |s| s.as_str());
                // What says it escapes it, once.
                let (id, title) = (alert.id.as_str(), alert.title.raw());
                let text = format!("alert {id} {severity} {title}");
                say("info", &text);
            }
        }
        Msg::Notice { level, text } => {
            say(word(*level), text);
        }
        Msg::Source {
            name,
            healthy,
            text,
        } => {
            let level = if *healthy { "info" } else { "warning" };
            say(level, &format!("source {name}: {text}"));
        }
        Msg::Malformed {
            source,
            total,
            reason,
        } => say(
            "warning",
            &format!(
                "source {source}: {} kept; the latest: {reason}",
                counted(*total as usize, "unreadable piece", "unreadable pieces")
            ),
        ),
        Msg::JournalProblem(Some(text)) | Msg::Unrecorded(text) => {
            say("warning", &format!("journal: {text}"));
        }
        Msg::RunEnded { digest, text, .. } => {
            say("info", &format!("plan {}: {text}", digest.short()));
        }
        Msg::Duty(None) => say("info", "this process takes the alerts in"),
        _ => {}
    }
}

/// Writes a line to standard error. A reader that is gone stops nothing.
fn say(level: &str, text: &str) {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{now} {level} {}", show(text));
}

/// Tells the service manager, if there is one (sd_notify(3)).
fn tell_system(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        match path.to_str().and_then(|p| p.strip_prefix('@')) {
            Some(name) => {
                use std::os::linux::net::SocketAddrExt as _;
                let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
                socket.send_to_addr(state.as_bytes(), &address)
            }
            None => socket.send_to(state.as_bytes(), &path),
        }
    });
    if let Err(error) = sent {
        say(
            "warning",
            &format!("the service manager cannot be told {state}: {error}"),
        );
    }
}
