//! `stanch serve`: taking alerts in without a screen, and doing what the policy does by itself.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::setup::{self, DrillStart, Setup};
use super::{Global, exit};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::app::settings::SourceSettings;
use crate::domain::text::show;
use crate::intake::receive::Receiver;
use crate::runtime::console::{QUEUE, report_to};
use crate::runtime::duty::{self, Asked};
use crate::runtime::intake::Intake;
use crate::runtime::journal::Report;
use crate::runtime::unattended::{self, Unattended};

/// Alerts that are logged one by one when they come together.
const MOST_LINES: usize = 20;

/// Arguments of `stanch serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Print a hardened systemd unit for this configuration and state folder, and do nothing else.
    #[arg(long)]
    pub print_unit: bool,
}

/// Prints the unit. What it forbids is what a service that reads files, keeps a state folder and asks providers never does.
pub fn print_unit(global: &Global, out: &mut dyn std::io::Write) -> anyhow::Result<u8> {
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let config = std::path::absolute(setup::config_path(global)?)?;
    let state = std::path::absolute(setup::state_dir(global)?)?;
    let word = |path: &std::path::Path| unit_word(&path.display().to_string());
    let (own, config, state) = (word(&own)?, word(&config)?, word(&state)?);
    writeln!(
        out,
        "\
[Unit]
Description=stanch: takes alerts in, ends holds, asks again, does what the policy does by itself
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={own} --config {config} --state-dir {state} serve
Restart=on-failure
RestartSec=1
# User=stanch                    somebody on the roster; Group= the group that shares the state folder
UMask=0007
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={state}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# No RestrictSUIDSGID: folders of a shared state folder are set-group-id.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target"
    )?;
    Ok(exit::DONE)
}

/// Writes a word of a command line as systemd reads it (systemd.service(5)): quoted, with its own signs doubled.
fn unit_word(text: &str) -> anyhow::Result<String> {
    if text.chars().any(char::is_control) {
        anyhow::bail!("a path with control characters cannot stand in a unit");
    }
    let text = text.replace('%', "%%").replace('$', "$$");
    Ok(match text.contains([' ', '"', '\'', '\\']) {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => text,
    })
}

/// Takes alerts in until SIGTERM, SIGINT or SIGHUP.
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
    let code = runtime.block_on(async {
        let start = DrillStart {
            scenario: String::new(),
            speed: 1.0,
            seed: 1,
            fresh: false,
            policy: None,
        };
        let (sender, inbox) = mpsc::channel(QUEUE);
        let queue = report_to(&sender, &tokio::runtime::Handle::current());
        let report: Report = Arc::new(move |msg| {
            log(&msg);
            queue(msg);
        });
        let setup = Setup::open(global, start, report.clone()).await?;
        run(&setup, inbox, report).await
    });
    // A thread that is blocked in a read does not hold up the end.
    runtime.shutdown_background();
    code
}

async fn run(setup: &Setup, inbox: mpsc::Receiver<Msg>, report: Report) -> anyhow::Result<u8> {
    let intake = setup.intake("serve");
    crate::runtime::console::survive_size_limits()?;
    let mut ends = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    check(&intake).await?;
    let cancel = CancellationToken::new();
    let names: Vec<&str> = intake.sources.iter().map(SourceSettings::name).collect();
    say(
        "info",
        &format!("serving {} sources: {}", names.len(), names.join(", ")),
    );
    let journal = intake.journal.clone();
    tokio::spawn(journal.clone().follow());
    let alone = tokio::spawn(unattended(setup, inbox, &report).run(cancel.clone()));
    let running = tokio::spawn(intake.run(report, cancel.clone()));
    tell_system("READY=1");
    let [terminate, interrupt, hang_up] = &mut ends;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    tell_system("STOPPING=1");
    say("info", "ending");
    cancel.cancel();
    running.await.context("the intake died")?;
    alone.await.context("what the policy does by itself died")?;
    journal.end().await;
    say("info", "ended");
    Ok(exit::DONE)
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
                let text = format!("alert {} {severity} {}", alert.id, alert.title.show());
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
            &format!("source {source}: {total} unreadable pieces kept; the latest: {reason}"),
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/opt/stanch", "/opt/stanch")]
    #[case("/opt/my stanch", "\"/opt/my stanch\"")]
    #[case("/opt/100%$x", "/opt/100%%$$x")]
    #[case("/a\"b\\c", "\"/a\\\"b\\\\c\"")]
    fn a_path_stays_one_word_of_a_unit(#[case] path: &str, #[case] word: &str) {
        assert_eq!(unit_word(path).unwrap(), word);
    }

    #[test]
    fn a_path_begins_no_line_of_its_own() {
        assert!(unit_word("/opt\nExecStartPost=/bin/sh").is_err());
    }
}
