//! The one loop: take what came, update the model, start effects, draw when something changed and the gap has passed.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, EventStream, MouseButton, MouseEvent, MouseEventKind};
use jiff::Timestamp;
use ratatui::layout::{Position, Rect};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::effects::Effects;
use super::handover::Away;
use super::journal::Report;
use super::screen::Screen;
use super::script::Step;
use super::services::Services;
use super::themes;
use crate::app::keymap::Keymap;
use crate::app::model::{Level, Model, Overlay};
use crate::app::msg::{Effect, Msg};
use crate::app::palette;
use crate::app::update::update;
use crate::domain::text::{counted, seen};
use crate::journal::mask_tokens;
use crate::term::clipboard::{self, Way};
use crate::term::input::translate;
use crate::ui::glyphs::Glyphs;
use crate::ui::theme::{Depth, Theme, Themes};
use crate::ui::{self, Ui};

mod inbox;
mod terminal;

use inbox::Inbox;
use terminal::{Asked, Signals, next_key};

/// Length of the one message queue. A full queue slows the senders down, never the keys.
pub const QUEUE: usize = 1_024;

/// How long messages are taken in before keys and frames have their turn again.
const SLICE: Duration = Duration::from_millis(1);

/// How long a frame is left alone with this core before what is left to do goes on: a worker of the kernel carries it to the
/// terminal.
const CARRIED: Duration = Duration::from_millis(1);

/// How long the first frame waits for the first alerts, so that nobody sees an empty queue that is not empty.
const FIRST: Duration = Duration::from_millis(25);

/// How long a console that was told to end waits for a running step, at most.
pub(super) const LAST_STEP: Duration = Duration::from_secs(20);

/// How the console looks.
pub struct Look {
    /// Styles in force.
    pub theme: Theme,
    /// Their name.
    pub name: String,
    /// What else there is to choose from.
    pub themes: Themes,
    /// Where those of the user lie.
    pub themes_folder: PathBuf,
    /// Whether the mouse scrolls and selects.
    pub mouse: bool,
    /// How many colours the terminal has.
    pub depth: Depth,
    /// The keys in force.
    pub keymap: Keymap,
    /// Marks.
    pub glyphs: &'static Glyphs,
    /// Shortest time between two frames.
    pub gap: Duration,
}

/// How long a key waits for the alert that it selected to be read, before the screen says that it is being read.
const READING: Duration = Duration::from_millis(25);

/// What a script without a terminal came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// Every step was done.
    Done,
    /// A wait ran out; the text says which, with the screen.
    Stuck(String),
}

/// The running console.
pub struct Console {
    model: Model,
    look: Look,
    screen: Screen,
    effects: Effects,
    inbox: Inbox,
    script: Option<Script>,
    /// Whether a frame was drawn since the last key.
    answered: bool,
    /// When the last key came, or came to its end.
    asked_at: Instant,
    /// Whether the model has more to do as soon as nothing else is.
    more: bool,
    /// What the last frame showed; nothing before the first.
    drawn: Option<Drawn>,
}

/// What a frame showed, as far as the next one hangs on it.
#[derive(Clone, Copy)]
struct Drawn {
    at: Instant,
    /// Where the queue was, if a key could move the cursor in it.
    queue: Option<Rect>,
    /// Whether there was no alert to show.
    is_empty: bool,
}

struct Script {
    steps: VecDeque<Step>,
    since: Instant,
}

/// Returns a report that puts messages into the console's queue. A full queue makes the sender wait in a task of its
/// own, so that no message is lost and no lock is held.
pub fn report_to(queue: &mpsc::Sender<Msg>, handle: &tokio::runtime::Handle) -> Report {
    let (queue, handle) = (queue.clone(), handle.clone());
    Arc::new(move |msg| {
        trace(&msg);
        if let Err(mpsc::error::TrySendError::Full(msg)) = queue.try_send(msg) {
            let queue = queue.clone();
            handle.spawn(async move { queue.send(msg).await });
        }
    })
}

/// Leaves a line in the trace for whatever the analyst is told. The text is shown text: it commands no terminal, and what
/// says itself that it is a token is masked.
fn trace(msg: &Msg) {
    let told = |text: &str| seen(&*mask_tokens(text));
    match msg {
        Msg::Notice {
            level: Level::Info,
            text,
        } => tracing::info!("{}", told(text)),
        Msg::Notice { text, .. } => tracing::warn!("{}", told(text)),
        Msg::Story(lines) => lines
            .iter()
            .for_each(|line| tracing::info!("{}", told(line))),
        Msg::JournalProblem(Some(text)) | Msg::Unrecorded(text) => {
            tracing::error!("journal: {}", told(text));
        }
        Msg::Malformed {
            source,
            total,
            reason,
        } => {
            tracing::warn!(
                "source {source}: {} kept; {}",
                counted(*total as usize, "malformed input", "malformed inputs"),
                told(reason)
            );
        }
        Msg::Source { name, text, .. } => tracing::info!("source {name}: {}", told(text)),
        Msg::Step {
            digest,
            step,
            phase,
        } => {
            tracing::info!(
                "plan {} step {step}: {}",
                digest.short(),
                told(&format!("{phase:?}"))
            );
        }
        Msg::RunEnded { digest, text, .. } => {
            tracing::info!("plan {}: {}", digest.short(), told(text));
        }
        Msg::PlanBuilt {
            result: Err(reason),
            ..
        } => tracing::warn!("no plan: {}", told(reason)),
        _ => {}
    }
}

/// Keeps the kernel from killing this process when a file reaches a size limit: the write fails instead, and the
/// journal says so.
pub fn survive_size_limits() -> std::io::Result<()> {
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

impl Console {
    /// Puts a console together.
    pub fn new(
        services: Services,
        mut model: Model,
        look: Look,
        screen: Screen,
        inbox: mpsc::Receiver<Msg>,
        report: Report,
    ) -> Self {
        let effects = Effects::new(services, report);
        model.theme.clone_from(&look.name);
        let names = look.themes.names();
        model.themes = names.into_iter().map(str::to_owned).collect();
        Self {
            model,
            look,
            screen,
            effects,
            inbox: Inbox::new(inbox),
            script: None,
            answered: false,
            asked_at: Instant::now(),
            more: false,
            drawn: None,
        }
    }

    /// Runs on the terminal until the analyst leaves or the system says so.
    pub async fn run(&mut self) -> anyhow::Result<()> {
        let mut keys = Some(EventStream::new());
        let mut signals = Signals::new()?;
        let mut themes = themes::watch(self.look.themes_folder.clone());
        let began = Instant::now();
        self.model.dirty = true;
        while !self.model.quit {
            let frame_at = self.frame_at(began);
            let tick_at = self.next_tick();
            let go_on_at = self.drawn.map_or(began, |drawn| drawn.at + CARRIED);
            let away = tokio::select! {
                biased;
                () = until(frame_at), if self.model.dirty => {
                    self.draw()?;
                    None
                }
                Some(asked) = signals.next() => self.on_signal(&asked),
                event = next_key(&mut keys) => self.on_event(event)?,
                Some(read) = themes.recv() => self.take_themes(read),
                Some(msg) = self.inbox.recv() => self.take(msg),
                () = until(go_on_at), if self.more => {
                    let away = self.go_on();
                    if !self.answered && self.model.is_filling() {
                        self.show_cursor()?;
                    }
                    away
                }
                () = until(tick_at) => self.take(Msg::Tick),
            };
            if let Some(away) = away {
                self.hand_over(away, &mut keys, &mut signals).await?;
            }
        }
        drop(keys);
        self.finish().await
    }

    /// Plays a script against a screen in memory.
    pub async fn play(&mut self, steps: VecDeque<Step>) -> anyhow::Result<Played> {
        self.script = Some(Script {
            steps,
            since: Instant::now(),
        });
        self.model.dirty = true;
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        let played = loop {
            if self.model.dirty {
                self.draw()?;
            }
            match self.script_step() {
                Some(Played::Done) if self.model.acting() => {}
                Some(played) => break played,
                None if self.model.dirty => continue,
                None => {}
            }
            if self.model.quit {
                break Played::Done;
            }
            tokio::select! {
                Some(msg) = self.inbox.recv() => { self.take(msg); }
                () = std::future::ready(()), if self.more => { self.go_on(); }
                _ = pace.tick() => {
                    if self.model.counts_down() || self.model.is_passing() {
                        self.take(Msg::Tick);
                    }
                }
            }
        };
        self.finish().await?;
        Ok(played)
    }

    /// Returns the model, for what is reported at the end.
    pub fn model(&self) -> &Model {
        &self.model
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        if self.model.acting() {
            // Whatever the running step comes to must be on the disk; a step that does not end stays an intent
            // without an outcome, which the next start shows as unknown.
            let _ = tokio::time::timeout(LAST_STEP, self.effects.finish()).await;
        }
        Ok(())
    }

    /// Returns when the next frame is due, if there is something to show.
    fn frame_at(&self, began: Instant) -> Instant {
        let Some(drawn) = &self.drawn else {
            return match self.model.queue.is_empty() {
                true => began + FIRST,
                false => began,
            };
        };
        // What a key changed is shown at once, and the first alerts; only what the world changes else waits for the gap.
        let is_first = drawn.is_empty && !self.model.queue.is_empty();
        match self.answered && !is_first {
            true => drawn.at + self.look.gap,
            // Panes that empty themselves and fill again a moment later are two frames for one key.
            false if self.model.is_filling() && !is_first => self.asked_at + READING,
            false => drawn.at,
        }
    }

    /// Takes in a message and others that are ready, as long as keys can wait. Returns to whom the terminal is to go.
    fn take(&mut self, first: Msg) -> Option<Away> {
        let until = Instant::now() + SLICE;
        let mut away = self.take_one(first);
        while away.is_none()
            && Instant::now() < until
            && let Some(msg) = self.inbox.try_recv()
        {
            away = self.take_one(msg);
        }
        away
    }

    fn take_one(&mut self, msg: Msg) -> Option<Away> {
        let mut away = None;
        for effect in update(&mut self.model, &self.look.keymap, msg, Timestamp::now()) {
            match &effect {
                Effect::Suspend => away = Some(Away::Shell),
                Effect::Page => away = Some(Away::Pager),
                Effect::Edit(text) => away = Some(Away::Editor(text.clone())),
                _ => {}
            }
            self.more |= matches!(effect, Effect::Continue);
            if let Effect::Copy(text) = &effect {
                self.copy(text);
            }
            self.effects.start(effect);
        }
        away
    }

    fn copy(&mut self, text: &str) {
        // Whoever reads the clipboard is not known: what says itself that it is a token stays here.
        let text = &*mask_tokens(text);
        let way = clipboard::way();
        if way == Way::Tmux {
            return self.effects.copy_to_tmux(text.to_owned());
        }
        let (level, said) = match self.screen.copy(text, way) {
            Ok(()) => (Level::Info, way.copied(text)),
            Err(error) => (Level::Error, format!("not copied: {error}")),
        };
        self.model.say(Timestamp::now(), level, said);
    }

    fn go_on(&mut self) -> Option<Away> {
        self.more = false;
        let away = self.take(Msg::Continue);
        // What was begun by a key has come to its end: that is shown at once too, in one frame with what it selected.
        if !self.more {
            (self.answered, self.asked_at) = (false, Instant::now());
        }
        away
    }

    /// Takes in what came from the terminal, and nothing else before that is answered.
    fn on_event(&mut self, event: Option<std::io::Result<Event>>) -> std::io::Result<Option<Away>> {
        self.answered = false;
        self.asked_at = Instant::now();
        let before = self.model.selected.clone();
        let away = match event {
            Some(Ok(Event::Mouse(mouse))) => self.on_mouse(mouse),
            Some(Ok(event)) => translate(event).and_then(|msg| self.take_one(msg)),
            // The terminal is gone: an SSH connection dropped.
            Some(Err(_)) | None => self.take_one(Msg::Terminate),
        };
        if self.model.selected != before && !self.model.is_passing() {
            self.show_cursor()?;
        }
        Ok(away)
    }

    /// Shows where a key or a filter put the cursor, before what stands beside the queue is known and drawn: over a slow link
    /// that takes many times as long, and it follows.
    fn show_cursor(&mut self) -> std::io::Result<()> {
        let queue = self.drawn.and_then(|drawn| drawn.queue);
        let is_alone = matches!(self.model.overlay, Overlay::None) && self.model.born.is_none();
        let area = self.screen.area();
        let is_same = self.screen.shown().area == area && !self.model.repaint;
        let Some(place) = queue.filter(|_| is_alone && is_same) else {
            return Ok(());
        };
        let mut frame = self.screen.blank(area);
        frame.clone_from(self.screen.shown());
        ui::queue_alone(&self.model, self.ui(Timestamp::now()), place, &mut frame);
        self.screen.show(frame, false)
    }

    /// The wheel scrolls and a click points; what is pointed at follows from the state, as it would be drawn now.
    fn on_mouse(&mut self, mouse: MouseEvent) -> Option<Away> {
        let msg = match mouse.kind {
            MouseEventKind::ScrollDown => Msg::Wheel(true),
            MouseEventKind::ScrollUp => Msg::Wheel(false),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position::new(mouse.column, mouse.row);
                let ui = self.ui(Timestamp::now());
                Msg::Pointed(ui::hit::at(&self.model, ui, self.screen.area(), at)?)
            }
            _ => return None,
        };
        self.take_one(msg)
    }

    fn on_signal(&mut self, asked: &Asked) -> Option<Away> {
        match asked {
            // On this terminal ctrl-c is a key; what comes as a signal was for a pager that has just ended.
            Asked::Interrupt => None,
            Asked::End => self.take(Msg::Terminate),
            Asked::Suspend => {
                let key = crate::app::keys::Key::ctrl('z');
                self.take(Msg::Key(key))
            }
        }
    }

    /// Takes the theme that was chosen, or is looked at in the palette. One that cannot be read changes nothing and is
    /// said.
    fn restyle(&mut self) {
        let wanted = palette::theme(&self.model);
        if wanted == self.look.name {
            return;
        }
        self.look.name = wanted.to_owned();
        self.put_on();
    }

    /// Takes the theme of the name in force; one that cannot be read changes nothing and is said.
    fn put_on(&mut self) {
        match self.look.themes.named(&self.look.name) {
            Ok(theme) => self.look.theme = theme.reduced(self.look.depth),
            Err(error) => {
                let text = format!("the theme stays as it was: {error}");
                self.model.say(Timestamp::now(), Level::Error, text);
            }
        }
    }

    /// Takes over the themes of the user's folder, after something changed there.
    fn take_themes(&mut self, read: Result<Themes, String>) -> Option<Away> {
        match read {
            Ok(themes) => {
                self.look.themes = themes;
                let names = self.look.themes.names();
                self.model.themes = names.into_iter().map(str::to_owned).collect();
                self.put_on();
                self.model.dirty = true;
            }
            Err(why) => {
                let text = format!("the themes stay as they were: {why}");
                self.model.say(Timestamp::now(), Level::Error, text);
            }
        }
        None
    }

    fn ui(&self, now: Timestamp) -> Ui<'_> {
        Ui {
            theme: &self.look.theme,
            keymap: &self.look.keymap,
            glyphs: self.look.glyphs,
            now,
        }
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let area = self.screen.area();
        self.model.size = (area.width, area.height);
        self.restyle();
        let mut frame = self.screen.blank(area);
        let queue = ui::draw(&self.model, self.ui(Timestamp::now()), area, &mut frame);
        if let Some(place) = queue {
            self.model.window.rows = ui::queue::rows(&self.model, place);
        }
        if std::mem::take(&mut self.model.bell) {
            self.screen.ring()?;
        }
        let repaint = std::mem::take(&mut self.model.repaint);
        self.model.dirty = false;
        self.answered = true;
        self.screen.show(frame, repaint)?;
        self.drawn = Some(Drawn {
            at: Instant::now(),
            queue,
            is_empty: self.model.queue.is_empty(),
        });
        Ok(())
    }

    /// Returns when time alone changes the screen: a message fades, the cursor rests, or a minute of an age is full.
    fn next_tick(&self) -> Instant {
        let now = Timestamp::now();
        let to_minute = 60_000 - now.as_millisecond().rem_euclid(60_000);
        let left = |until: Option<Timestamp>| {
            until.map_or(i64::MAX, |until| {
                (until.as_millisecond() - now.as_millisecond()).max(0) + 1
            })
        };
        let to_fade = left(self.model.toast_until);
        let to_rest = left(self.model.rests_at());
        let to_count = match self.model.counts_down() {
            true => 1_000 - now.as_millisecond().rem_euclid(1_000),
            false => i64::MAX,
        };
        let first = to_minute.min(to_fade).min(to_rest).min(to_count);
        Instant::now() + Duration::from_millis(first.unsigned_abs())
    }

    /// Does what the script says next, if it can be done now.
    fn script_step(&mut self) -> Option<Played> {
        let text = self.screen.text();
        let script = self.script.as_mut()?;
        let Some(step) = script.steps.front().cloned() else {
            return Some(Played::Done);
        };
        let waited = script.since.elapsed();
        let stuck = |seconds: u64, what: String| {
            let over = waited > Duration::from_secs(seconds);
            over.then(|| {
                Played::Stuck(format!(
                    "waited {seconds} s for {what}; the screen shows:\n{text}"
                ))
            })
        };
        let outcome = match &step {
            Step::Key(key) => {
                if !keys_count(&self.model) {
                    return stuck(10, "the preview to take keys".to_owned());
                }
                let key = *key;
                self.take(Msg::Key(key));
                None
            }
            Step::Wait { text: wanted, .. } if text.contains(wanted.as_str()) => None,
            Step::Wait {
                seconds,
                text: wanted,
            } => return stuck(*seconds, format!("`{wanted}`")),
            Step::Out { .. } if self.model.drill.as_ref().is_some_and(|d| !d.intruder_in) => None,
            Step::Out { seconds } => return stuck(*seconds, "the intruder to be out".to_owned()),
            Step::Show => {
                say!("{text}");
                None
            }
        };
        if let Some(script) = &mut self.script {
            script.steps.pop_front();
            script.since = Instant::now();
        }
        self.model.dirty = true;
        outcome
    }
}

/// Waits for a moment, and not at all for one that has passed: a timer would tell of that by way of another thread, and what
/// can wait would have its turn before a key is answered.
async fn until(at: Instant) {
    if at > Instant::now() {
        sleep_until(at).await;
    }
}

/// Tells whether a key would count: not in the moment after a preview appeared.
fn keys_count(model: &Model) -> bool {
    match &model.overlay {
        Overlay::Plan(view) => view.armed_at.is_none_or(|at| Timestamp::now() >= at),
        _ => true,
    }
}
