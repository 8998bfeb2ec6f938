//! `stanch serve`: taking alerts in without a screen.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::setup::{self, DrillStart, Setup};
use super::{Global, exit};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::app::settings::SourceSettings;
use crate::domain::text::show;
use crate::intake::receive::Receiver;
use crate::runtime::duty::{self, Asked};
use crate::runtime::intake::Intake;
use crate::runtime::journal::Report;

/// Alerts that are logged one by one when they come together.
const MOST_LINES: usize = 20;

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
        let report: Report = Arc::new(|msg| log(&msg));
        let setup = Setup::open(global, start, report).await?;
        run(setup.intake("serve")).await
    });
    // A thread that is blocked in a read does not hold up the end.
    runtime.shutdown_background();
    code
}

async fn run(intake: Intake) -> anyhow::Result<u8> {
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
    let report: Report = Arc::new(|msg| log(&msg));
    let journal = intake.journal.clone();
    tokio::spawn(journal.clone().follow());
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
    journal.end().await;
    say("info", "ended");
    Ok(exit::DONE)
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
            let level = match level {
                Level::Info => "info",
                Level::Warn => "warning",
                Level::Error => "error",
            };
            say(level, text);
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
