//! The thread behind the journal: what many callers write waits for the disk once, and what anybody wrote is folded.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::super::distance::Distance;
use super::super::gate::Gate;
use super::super::space::Space;
use super::{Answer, NotRecorded, Order, Report, Wanted};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::decision::{Decisions, Entry, RecordType};
use crate::domain::watching;
use crate::journal::{Follower, Health, JournalError, Opened, Writer};

/// How often the heads of other logs are recorded in a quiet console.
const HEADS_EVERY: Duration = Duration::from_mins(5);
/// How often the distance to the last anchor is looked at in a quiet console.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How many callers' records are written in one piece.
const MOST_TOGETHER: usize = 64;

/// How long as many callers as came together before are waited for: half of what the last write took, and this at most.
const GATHER: Duration = Duration::from_millis(5);

/// How long the log is not read back after a write if more may be written, and how long after it at the latest. Sooner than
/// anybody sees on a screen; whoever asks is told at once.
const READ_SOON: Duration = Duration::from_millis(4);
const READ_LATEST: Duration = Duration::from_millis(100);

/// Why a console that only looks cannot write.
const NO_WRITER: &str = "this console has no journal to write to";

/// Writes records, with room on the disk kept for what comes of the acts that begin with them: a full disk then refuses an
/// intent, and not the outcome.
fn write(writer: &mut Writer, records: &[(RecordType, Value)]) -> Result<(), JournalError> {
    let intents = records.iter().filter(|(k, _)| *k == RecordType::Intent);
    let begin = intents.count();
    if begin > 0 {
        writer.reserve(begin)?;
    }
    writer.append(Timestamp::now(), records).map(drop)
}

/// Writes records; what an act came to is tried until it stands, as it happened already. A new act is refused after the
/// first try, so that nobody acts while another console holds the log.
fn insist(
    writer: &mut Writer,
    records: &[(RecordType, Value)],
    report: &Report,
) -> Result<(), JournalError> {
    let happened = |kind| matches!(kind, RecordType::Outcome | RecordType::Verify);
    let must = records.iter().any(|(kind, _)| happened(*kind));
    let mut waiting = false;
    loop {
        match write(writer, records) {
            Err(JournalError::Locked { path, holder }) if must => {
                if !waiting {
                    let place = path.display();
                    let text = format!(
                        "NOT RECORDED yet: {holder} holds the log {place}; what the act came to is tried until it stands"
                    );
                    report(Msg::JournalProblem(Some(text)));
                }
                waiting = true;
            }
            Err(error) if must => {
                writer.keep_elsewhere(Timestamp::now(), records, &error);
                if let Some(text) = writer.unrecorded() {
                    report(Msg::Unrecorded(text.to_owned()));
                }
                return Err(error);
            }
            other => {
                if waiting && other.is_ok() {
                    report(Msg::JournalProblem(None));
                }
                return other;
            }
        }
    }
}

pub(super) struct Keeper {
    report: Report,
    follower: Follower,
    decisions: Decisions,
    writer: Option<Writer>,
    /// Why there is no writer, when there is none.
    closed: String,
    anchors: Distance,
    space: Space,
    /// Orders that came while records were gathered.
    next: VecDeque<Order>,
    /// Something may be in a log that was not read yet. Whoever waits for a write does not wait for that.
    unread: bool,
    /// Since when the logs wait to be looked at as a whole: who asks for the fold looks for new records only.
    whole: Option<Instant>,
    /// Own records that are in the fold, and nobody was told of yet.
    untold: Vec<Entry>,
    /// When all logs were last begun to be read to their ends: whoever asked before that is told no less than there was.
    read: Option<Instant>,
    /// How many callers the last records came from.
    together: usize,
    /// How long the last write took.
    took: Duration,
    gate: Gate,
    /// Counts how often records were taken in.
    changed: watch::Sender<u64>,
}

impl Keeper {
    /// Begins with nothing read, and nowhere to write to.
    pub(super) fn new(
        store: &Path,
        distance: Distance,
        report: Report,
        changed: watch::Sender<u64>,
    ) -> Self {
        Self {
            report,
            follower: Follower::unwatched(store),
            decisions: Decisions::default(),
            writer: None,
            closed: NO_WRITER.to_owned(),
            anchors: distance,
            space: Space::new(store),
            next: VecDeque::new(),
            unread: false,
            whole: None,
            untold: Vec::new(),
            read: None,
            together: 1,
            took: Duration::ZERO,
            gate: Gate::default(),
            changed,
        }
    }

    /// Carries orders out until it is told to end or nobody is left who could give one.
    pub(super) fn run(
        mut self,
        writer: Option<Result<(Writer, Opened), JournalError>>,
        inbox: &mpsc::Receiver<Order>,
    ) {
        if let Some(opened) = writer {
            self.begin(opened);
        }
        self.poll(true);
        (self.report)(Msg::LogRead);
        let mut due = Instant::now() + HEADS_EVERY;
        loop {
            self.anchors.look(self.writer.as_mut(), &self.report);
            if self.writer.is_some() {
                self.space.look(&self.report);
            }
            if Instant::now() >= due {
                due = Instant::now() + HEADS_EVERY;
                if let Some(writer) = &mut self.writer {
                    // What it cannot record now it records before the next act, or says so then.
                    let _ = writer.peer_heads(Timestamp::now());
                }
            }
            let wait = due
                .saturating_duration_since(Instant::now())
                .min(self.whole.map_or(LOOK_EVERY, |_| READ_SOON));
            let order = match self
                .next
                .pop_front()
                .map_or_else(|| inbox.recv_timeout(wait), Ok)
            {
                Ok(order) => order,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    self.look_at_all();
                    continue;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            match order {
                Order::Append(wanted) => self.append(wanted, inbox),
                Order::End(answer) => {
                    // Nobody is told the end of a journal before what stands in it was taken in.
                    self.look_at_all();
                    let _ = answer.send(());
                    return;
                }
                other => self.answer(other),
            }
            // Also while it is told without end that another console writes.
            if self.whole.is_some_and(|at| at.elapsed() > READ_LATEST) {
                self.look_at_all();
            }
        }
    }

    /// Carries out what needs no wait for the disk. Whoever asked may be gone.
    fn answer(&mut self, order: Order) {
        if order.looks_at_the_fold() {
            self.catch_up();
        }
        match order {
            Order::Shelf(answer) => {
                let shelf = self.with_writer(|writer| Ok(writer.shelf()));
                let _ = answer.send(shelf);
            }
            Order::Plan(digest, answer) => {
                let found = self.decisions.plan(&digest);
                let _ = answer.send(found.map(|(d, p)| (d.clone(), p.clone())));
            }
            Order::Decisions(answer) => {
                let _ = answer.send(self.decisions.clone());
            }
            Order::Watched(window_s, since, answer) => {
                let _ = answer.send(watching::windows(&self.decisions, window_s, since));
            }
            Order::Health(answer) => {
                let _ = answer.send(self.blocked());
            }
            Order::Key(answer) => {
                let _ = answer.send(self.writer.as_ref().map(Writer::vkey));
            }
            Order::Sign(text, answer) => {
                let signed = self.writer.as_ref().map(|writer| writer.sign(&text));
                let _ = answer.send(signed);
            }
            Order::Look(look) => look(&self.decisions),
            Order::LookNow(asked, look) => {
                self.read_since(asked);
                look(&self.decisions);
            }
            Order::Latest(asked, answer) => {
                self.read_since(asked);
                let _ = answer.send(self.decisions.clone());
            }
            Order::Anchored(size, sent) => {
                self.anchors
                    .sent(self.writer.as_mut(), size, sent, &self.report);
            }
            Order::Poll => self.unread(),
            // Those wait for the disk, or for everything before them.
            Order::Append(..) | Order::End(..) => self.next.push_back(order),
        }
    }

    /// Takes the writer over, and tells what was found when it was opened.
    fn begin(&mut self, opened: Result<(Writer, Opened), JournalError>) {
        match opened {
            Ok((mut writer, opened)) => {
                writer.watch_clock();
                writer.keep_lots();
                if let Some(recovered) = &opened.recovered {
                    self.say(Some(format!(
                        "a torn write of {} bytes was put aside",
                        recovered.bytes
                    )));
                }
                if opened.kept > 0 {
                    self.say(Some(format!(
                        "{} records stand in the log now that could only be kept elsewhere when its disk failed",
                        opened.kept
                    )));
                }
                for peer in &opened.peers {
                    self.say(Some(peer.clone()));
                }
                if let Health::Blocked(reason) = writer.health() {
                    (self.report)(Msg::JournalProblem(Some(reason)));
                }
                self.writer = Some(writer);
            }
            Err(error) => {
                self.closed = error.to_string();
                (self.report)(Msg::JournalProblem(Some(error.to_string())));
            }
        }
    }

    /// Writes what one caller wants, and with it what others asked for while the disk was busy: one wait serves all.
    fn append(&mut self, first: Wanted, inbox: &mpsc::Receiver<Order>) {
        let lot = self.gather(first, inbox);
        let mut answers = Vec::new();
        let mut all = Vec::new();
        for wanted in lot {
            answers.push((wanted.records.len(), wanted.answer));
            all.extend(wanted.records);
        }
        let began = Instant::now();
        // What is wrong with one record must not refuse another caller's: then each is tried alone, and told.
        let together = match &mut self.writer {
            Some(writer) if answers.len() > 1 => write(writer, &all).is_ok(),
            _ => false,
        };
        let report = Arc::clone(&self.report);
        let mut rest = &all[..];
        let mut answered = Vec::new();
        for (count, answer) in answers {
            let (records, others) = rest.split_at(count);
            rest = others;
            let written = match together {
                true => Ok(()),
                false => self.with_writer(|writer| insist(writer, records, &report)),
            };
            answered.push((answer, written));
        }
        self.took = began.elapsed();
        if let Some(step) = self.writer.as_mut().and_then(Writer::take_clock_step) {
            self.say(Some(format!("{step}; expiry times may be off")));
        }
        self.unread();
        // Before the answers: who ends the journal next waits for the head that is handed on here.
        self.anchors.look(self.writer.as_mut(), &self.report);
        let mut looking = Vec::new();
        for (answer, written) in answered {
            match answer {
                Answer::Written(sender) => {
                    let _ = sender.send(written);
                }
                Answer::Seen(look) => looking.push((look, written)),
            }
        }
        match looking.is_empty() {
            true => self.take_own(),
            false => self.read_since(Instant::now()),
        }
        for (look, written) in looking {
            look(written, &self.decisions);
        }
    }

    /// Waits a moment for the others that wrote together before. Who asks for something meanwhile is answered, as it is what
    /// comes before a record.
    fn gather(&mut self, first: Wanted, inbox: &mpsc::Receiver<Order>) -> Vec<Wanted> {
        let mut lot = vec![first];
        // Whoever was answered a moment ago is about to ask again: half of them would miss this write and wait for two.
        let until = Instant::now() + (self.took / 2).min(GATHER);
        while lot.len() < MOST_TOGETHER {
            let left = match lot.len() < self.together {
                true => until.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            match inbox.recv_timeout(left) {
                Ok(Order::Append(wanted)) => lot.push(wanted),
                // Nobody who writes waits for ever for those who ask.
                Ok(other) if matches!(other, Order::End(..)) || Instant::now() >= until => {
                    self.next.push_back(other);
                }
                Ok(other) => self.answer(other),
                Err(_) => break,
            }
        }
        // One lot that is small, as others wait for their peers, does not mean that they are gone.
        self.together = lot.len().max(self.together.saturating_sub(1));
        lot
    }

    fn blocked(&self) -> Option<String> {
        match self.writer.as_ref().map(Writer::health) {
            Some(Health::Ok) => None,
            Some(Health::Blocked(reason)) => Some(reason),
            None => Some(self.closed.clone()),
        }
    }

    fn with_writer<T>(
        &mut self,
        act: impl FnOnce(&mut Writer) -> Result<T, JournalError>,
    ) -> Result<T, NotRecorded> {
        let Some(writer) = &mut self.writer else {
            return Err(NotRecorded(self.closed.clone()));
        };
        let done = act(writer).map_err(|error| NotRecorded(error.to_string()));
        // A full disk may have room again at the next try; only a log that is blocked stops everything.
        let problem = match writer.health() {
            Health::Ok => None,
            Health::Blocked(reason) => Some(reason),
        };
        match (&done, problem) {
            (_, Some(reason)) => (self.report)(Msg::JournalProblem(Some(reason))),
            (Err(error), None) => {
                let text = format!("not recorded: {error}");
                (self.report)(Msg::Notice {
                    level: Level::Error,
                    text,
                });
            }
            (Ok(_), None) => {}
        }
        done
    }

    /// Something was written.
    fn unread(&mut self) {
        self.unread = true;
        self.whole.get_or_insert_with(Instant::now);
    }

    /// Takes in what was written meanwhile, if anything was.
    fn catch_up(&mut self) {
        if self.unread {
            self.poll(false);
        }
    }

    /// Takes in all that was in any log at that time.
    fn read_since(&mut self, asked: Instant) {
        if self.read.is_none_or(|at| at < asked) {
            self.whole.get_or_insert_with(Instant::now);
            self.poll(false);
        }
    }

    /// Looks at the logs as a whole, if anybody wrote or asked since.
    fn look_at_all(&mut self) {
        if self.whole.is_some() {
            self.poll(true);
        }
    }

    /// Takes in what this console wrote itself, without reading it back. What cannot be taken in so is read with the rest.
    fn take_own(&mut self) {
        let lots = self.writer.as_mut().map(Writer::take_lots);
        for lot in lots.unwrap_or_default() {
            let entries = self.follower.take(lot).unwrap_or_default();
            for entry in &entries {
                self.decisions.apply(entry);
            }
            self.untold.extend(entries);
        }
    }

    /// Takes in what is new in any log, a long one in lots; tells everybody, where the logs are looked at as a whole or
    /// others wrote.
    fn poll(&mut self, whole: bool) {
        let began = Instant::now();
        self.take_own();
        let mut more = true;
        while more {
            let (mut lines, mut problems) = (Vec::new(), Vec::new());
            more = match whole {
                true => self.follower.poll_some(&mut lines, &mut problems),
                false => self.follower.poll_news(&mut lines, &mut problems),
            };
            for problem in problems {
                self.say(Some(format!("{}: {}", problem.log, problem.text)));
            }
            for line in &lines {
                self.decisions.apply(&line.entry);
            }
            let any = !lines.is_empty();
            if whole || any {
                let mut entries = std::mem::take(&mut self.untold);
                entries.extend(lines.into_iter().map(|line| line.entry));
                self.tell(entries);
            }
            if more && any {
                let pass = self.gate.pass();
                (self.report)(Msg::Held(Box::new(pass)));
            }
        }
        self.unread = false;
        if whole {
            self.whole = None;
        }
        self.read = Some(began);
    }

    /// Tells of records that are in the fold now.
    fn tell(&self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.changed.send_modify(|n| *n += 1);
            (self.report)(Msg::Journal(entries));
        }
    }

    fn say(&self, text: Option<String>) {
        if let Some(text) = text {
            (self.report)(Msg::Notice {
                level: Level::Warn,
                text: format!("journal: {text}"),
            });
        }
    }
}
