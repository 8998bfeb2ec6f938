//! How far the log is ahead of what left this machine, as the console is told.

use jiff::Timestamp;
use tokio::sync::watch;

use super::anchor::{Anchored, Anchoring};
use super::journal::Report;
use crate::app::model::{AnchorView, Level};
use crate::app::msg::Msg;
use crate::domain::text::show;
use crate::journal::{Note, Writer};

/// Keeps count, and hands heads to whatever posts them.
pub struct Distance {
    anchoring: Anchoring,
    heads: Option<watch::Sender<Option<Note>>>,
    problem: Option<String>,
    told: Option<AnchorView>,
    warned: bool,
    drill: bool,
}

impl Distance {
    /// Begins with nothing told.
    pub fn new(
        anchoring: Anchoring,
        heads: Option<watch::Sender<Option<Note>>>,
        drill: bool,
    ) -> Self {
        Self {
            anchoring,
            heads,
            problem: None,
            told: None,
            warned: false,
            drill,
        }
    }

    /// Hands on what is new, and tells the console when the distance changed or became too long.
    pub fn look(&mut self, writer: Option<&mut Writer>, report: &Report) {
        let Some(writer) = writer.filter(|_| !self.drill) else {
            return;
        };
        // Later heads cover earlier ones.
        let latest = writer.take_unanchored().pop();
        if let (Some(heads), Some(note)) = (&self.heads, latest) {
            heads.send_replace(Some(note));
        }
        let state = writer.anchor_state();
        let view = AnchorView {
            somewhere: self.heads.is_some() || state.syslog,
            behind: state.size - state.anchored,
            since: state.since,
            problem: self.problem.clone(),
            warn_lines: self.anchoring.warn_lines,
            warn_s: self.anchoring.warn_s,
        };
        let now = Timestamp::now();
        // Where nothing is to be anchored, nobody is nagged.
        let late = view.somewhere && view.is_late(now);
        if late && !self.warned {
            let text = format!(
                "journal: the last {} lines ({} s) have no anchor outside this machine: nobody could tell if they were cut \
                 off",
                view.behind,
                view.age_s(now)
            );
            report(Msg::Notice {
                level: Level::Warn,
                text,
            });
        }
        self.warned = late;
        if self.told.as_ref() != Some(&view) {
            self.told = Some(view.clone());
            report(Msg::Anchors(view));
        }
    }

    /// Takes in what became of a head.
    pub fn sent(
        &mut self,
        writer: Option<&mut Writer>,
        size: u64,
        sent: Result<Anchored, String>,
        report: &Report,
    ) {
        let failed = sent.as_ref().err().map(|why| show(why).into_owned());
        let text = match (&self.problem, &failed) {
            (None, Some(why)) => Some(format!(
                "journal: the log cannot be anchored: {why}; acts go on, it is tried again"
            )),
            (Some(_), None) => Some("journal: the log is anchored again".to_owned()),
            _ => None,
        };
        let level = if failed.is_some() {
            Level::Warn
        } else {
            Level::Info
        };
        if let Some(text) = text {
            report(Msg::Notice { level, text });
        }
        self.problem = failed;
        if let (Some(writer), Ok(by)) = (writer, sent)
            && let Err(error) =
                writer.anchored(by.kind, size, by.cosigned.as_deref(), Timestamp::now())
        {
            let text = format!("journal: an anchor could not be recorded: {error}");
            report(Msg::Notice {
                level: Level::Warn,
                text,
            });
        }
    }
}
