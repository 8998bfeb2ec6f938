//! The console without a screen: it follows what happens, and prints it.

use std::io::Write;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::app::msg::Msg;
use crate::ui::plain::Plain;

/// Prints what comes until the system asks to end, or nobody reads any more.
///
/// # Errors
/// If a signal cannot be listened for or a line cannot be written, but for a reader that went away.
pub async fn follow(mut inbox: mpsc::Receiver<Msg>, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut plain = Plain::default();
    loop {
        let msg = tokio::select! {
            biased;
            Some(()) = hang_up.recv() => return Ok(()),
            Some(()) = terminate.recv() => return Ok(()),
            Some(()) = interrupt.recv() => return Ok(()),
            msg = inbox.recv() => msg,
        };
        let Some(msg) = msg.filter(|msg| !matches!(msg, Msg::Terminate)) else {
            return Ok(());
        };
        match print(&plain.lines(&msg, Timestamp::now()), out) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
}

fn print(lines: &[String], out: &mut dyn Write) -> std::io::Result<()> {
    for line in lines {
        writeln!(out, "{line}")?;
    }
    if lines.is_empty() {
        Ok(())
    } else {
        out.flush()
    }
}
