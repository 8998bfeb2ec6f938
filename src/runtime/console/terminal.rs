//! The console's side of the terminal: its events, its signals, and handing it to another program.

use std::process::ExitStatus;

use crossterm::event::EventStream;
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Console;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::text::show;
use crate::runtime::handover::{self, Away, Note};
use crate::runtime::screen::Screen;
use crate::term::input;
use crate::ui;

impl Console {
    /// Gives the terminal away and takes it back. What came meanwhile is taken in; keys that were typed ahead are not.
    pub(super) async fn hand_over(
        &mut self,
        away: Away,
        keys: &mut Option<EventStream>,
        signals: &mut Signals,
    ) -> std::io::Result<()> {
        let Screen::Terminal(session) = &mut self.screen else {
            return Ok(());
        };
        // A living stream would read keys meant for the other.
        drop(keys.take());
        if matches!(away, Away::Shell) {
            session.suspend()?;
        } else {
            session.give_away();
            let said = match away {
                Away::Editor(text) => self.edit(&text, signals).await,
                _ => self.read_on(signals).await,
            };
            if let Screen::Terminal(session) = &mut self.screen {
                session.take_back()?;
            }
            if let Err(why) = said {
                let text = show(&why).into_owned();
                self.model.say(Timestamp::now(), Level::Error, text);
            }
        }
        input::forget();
        *keys = Some(EventStream::new());
        let area = self.screen.area();
        self.take(Msg::Resized {
            width: area.width,
            height: area.height,
        });
        Ok(())
    }

    /// Shows all of the screen's text in a pager.
    async fn read_on(&mut self, signals: &mut Signals) -> Result<(), String> {
        let width = self.screen.area().width;
        let text = ui::page::text(&self.model, self.ui(Timestamp::now()), width);
        let child = handover::pager(text)?;
        self.wait_for(child, signals).await.map(drop)
    }

    /// Lets a text be written in an editor.
    async fn edit(&mut self, text: &str, signals: &mut Signals) -> Result<(), String> {
        let Some(folder) = self.effects.state_folder() else {
            return Err("there is no state folder to write in".to_owned());
        };
        let failed = |error: std::io::Error| format!("not edited: {error}");
        let note = Note::new(&folder, text).map_err(failed)?;
        let status = self.wait_for(note.edit()?, signals).await?;
        if !status.success() {
            return Err(format!(
                "the editor ended with {status}; the text is as it was"
            ));
        }
        let text = note.read().map_err(failed)?;
        self.take(Msg::Edited(text));
        Ok(())
    }

    /// Waits until a program that has the terminal ends, and takes in what comes meanwhile.
    async fn wait_for(
        &mut self,
        mut child: Child,
        signals: &mut Signals,
    ) -> Result<ExitStatus, String> {
        loop {
            tokio::select! {
                biased;
                status = child.wait() => return status.map_err(|error| error.to_string()),
                Some(asked) = signals.next() => match asked {
                    // ctrl-c was for whoever has the terminal.
                    Asked::Interrupt => {}
                    Asked::Suspend => {
                        let group = rustix::process::Signal::STOP;
                        rustix::process::kill_current_process_group(group)
                            .map_err(|error| error.to_string())?;
                    }
                    Asked::End => {
                        // One that has ended already is what is wanted.
                        let _ = child.start_kill();
                        self.take(Msg::Terminate);
                    }
                },
                Some(msg) = self.inbox.recv() => { self.take(msg); }
                () = std::future::ready(()), if self.more => { self.go_on(); }
            }
        }
    }
}

/// Waits for the next event of the terminal; for ever while nobody reads it.
pub async fn next_key(
    keys: &mut Option<EventStream>,
) -> Option<std::io::Result<crossterm::event::Event>> {
    match keys {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

/// What a signal asks for.
pub enum Asked {
    /// To end.
    End,
    /// To stop until `fg`.
    Suspend,
    /// What ctrl-c asks of whoever has the terminal.
    Interrupt,
}

/// What the system may ask of a console.
pub struct Signals {
    hang_up: Signal,
    terminate: Signal,
    quit: Signal,
    stop: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to hear them.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
        })
    }

    /// Waits for the next.
    pub async fn next(&mut self) -> Option<Asked> {
        let asked = tokio::select! {
            Some(()) = self.hang_up.recv() => Asked::End,
            Some(()) = self.terminate.recv() => Asked::End,
            Some(()) = self.quit.recv() => Asked::End,
            Some(()) = self.stop.recv() => Asked::Suspend,
            Some(()) = self.interrupt.recv() => Asked::Interrupt,
            else => return None,
        };
        Some(asked)
    }
}
