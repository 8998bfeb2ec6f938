//! Everything the console knows and shows, as plain data.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tui_input::Input;

use super::alerts::Alerts;
use super::automation::Automation;
use super::board::Board;
use super::card::CardScreen;
use super::coverage::CoverageScreen;
use super::keys::Key;
use super::layout::Layout;
use super::map::{Choosing, Deeds, MapAsk, MapScreen};
use super::pace::Pace;
use super::palette::Palette;
use super::passing::Passing;
use super::reader::Reader;
use super::readiness::ReadinessScreen;
use super::reload::Reload;
use super::row_state::RowState;
use super::saying::Saying;
use super::settings::Desk;
use super::sift::Sift;
use super::timeline::Timeline;
use super::window::Window;
use crate::domain::authority::Authority;
use crate::domain::coverage::{CellName, CellState};
use crate::domain::decision::{Act, DecisionKind, Decisions};
use crate::domain::identity::LiveContext;
use crate::domain::ids::{AlertId, IdentityId, PlanDigest, StepId};
use crate::domain::inventory::Inventory;
use crate::domain::options::Capabilities;
use crate::domain::plan::Plan;
use crate::domain::playbook::Playbook;
use crate::domain::policy::Policy;
use crate::domain::queue::Queue;
use crate::domain::text::seen;
use crate::domain::vocabulary::Verb;

pub use super::detail::Detail;
use super::policy::Told;
use super::policy_screen::PolicyScreen;

/// A part of the triage screen that can have the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pane {
    /// The alert queue.
    Queue,
    /// The identity card.
    Identity,
    /// Live sessions and scopes.
    Sessions,
    /// The dependency map.
    Map,
}

impl Pane {
    /// All panes, in the order in which Tab visits them.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Identity, Self::Sessions, Self::Map];

    /// Returns the pane `delta` places further, round and round.
    pub fn turn(self, delta: isize) -> Self {
        let at = Self::ALL.iter().position(|p| *p == self).unwrap_or(0);
        let to = (at as isize + delta).rem_euclid(Self::ALL.len() as isize);
        Self::ALL[to as usize]
    }
}

/// What lies over the triage screen.
#[derive(Debug, Default)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// A plan: preview, confirmation, progress.
    Plan(Box<PlanView>),
    /// A reason is asked for.
    Reason(ReasonPrompt),
    /// All keys.
    Help {
        /// First line shown.
        scroll: usize,
    },
    /// Messages so far.
    Messages {
        /// First line shown.
        scroll: usize,
    },
    /// The drill's score.
    Score {
        /// First line shown.
        scroll: usize,
    },
    /// Why the policy says what it says about an alert.
    Trace {
        /// What it says, as it was when this was opened.
        told: Box<Told>,
        /// First line shown.
        scroll: usize,
    },
    /// The log's screen; what it shows is in [`Model::timeline`].
    Log,
    /// The map's screen; what it shows is in [`Model::map`].
    Map,
    /// The readiness screen; what it shows is in [`Model::readiness`].
    Readiness,
    /// The policy's screen; where one is on it is in [`Model::policy_screen`].
    Policy,
    /// The tabs of the card; what they show is in [`Model::card`].
    Card,
    /// The coverage matrix; whose is in [`Model::coverage`].
    Coverage,
    /// The inbox of approvals or the debt board; what they show is in [`Model::board`].
    Board,
    /// Something is typed before it counts: why a plan is refused, how a gate is known to hold.
    Say(Saying, Input),
    /// The views to choose from.
    Views,
    /// The name under which a view is to be saved.
    SaveView(Input),
    /// All commands by name, over a screen.
    Palette(Palette),
    /// Really leave?
    ConfirmQuit,
}

impl Overlay {
    /// Returns what lies under the palette; itself when it is none.
    pub fn screen(&self) -> &Self {
        match self {
            Self::Palette(palette) => &palette.under,
            other => other,
        }
    }
}

/// How far a plan has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Lookups are under way.
    Building,
    /// It can be read, and confirmed or left.
    Preview,
    /// Somebody else asks whether it may run: it can be agreed to, or left.
    Judging,
    /// Another person has to agree.
    WaitingApproval,
    /// Steps are carried out.
    Running,
    /// It ended; the cells tell how.
    Ended,
    /// A step of it is to be taken back: what that sends can be read, and confirmed or left.
    TakingBack(StepId),
    /// It could not be built, or was refused.
    Failed(String),
}

/// The plan overlay.
#[derive(Debug)]
pub struct PlanView {
    /// For which alert it was opened. The selection behind the overlay plays no part any more.
    pub alert: AlertId,
    /// Whom it contains.
    pub identity: IdentityId,
    /// Which playbook.
    pub playbook: String,
    /// How far it has come.
    pub stage: Stage,
    /// The plan, once it is built.
    pub plan: Option<(PlanDigest, Arc<Plan>)>,
    /// What is typed to confirm a hard-tier plan.
    pub typed: Input,
    /// Whether *Run* is chosen instead of *Cancel*.
    pub run_chosen: bool,
    /// Since when a key can confirm: shortly after the preview appeared, so that a key meant for the queue cannot.
    pub armed_at: Option<Timestamp>,
    /// Why it can no longer be confirmed, when the subject changed since the preview opened.
    pub stale: Option<String>,
    /// First line shown.
    pub scroll: usize,
    /// Which request of the runtime answers it; late answers to an earlier one are dropped.
    pub ticket: u64,
}

/// A reason is asked for.
#[derive(Debug)]
pub struct ReasonPrompt {
    /// What will be recorded.
    pub kind: DecisionKind,
    /// About which alerts.
    pub alerts: Vec<AlertId>,
    /// About which cell of the coverage.
    pub cell: Option<CellName>,
    /// What somebody found there by hand.
    pub found: Option<CellState>,
    /// About a step of which plan that was handed over.
    pub step: Option<(PlanDigest, StepId)>,
    /// What is typed.
    pub input: Input,
}

/// How one step of a running plan stands, beyond what the journal tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The request is on its way.
    Sending,
    /// The read-back is asking.
    Verifying,
    /// It ended, and this is known.
    Ended(CellState, String),
}

/// A plan that this console runs or ran.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// For which alert.
    pub alert: Option<AlertId>,
    /// Steps as they stand.
    pub phases: BTreeMap<StepId, Phase>,
    /// Whether it still runs.
    pub running: bool,
    /// Whether the analyst asked to stop after the running step.
    pub stopping: bool,
    /// How it ended, in words.
    pub ended: Option<String>,
}

/// What a provider said, and when.
#[derive(Clone, Debug)]
pub struct Live {
    /// When it was read; `None` while the first read is under way.
    pub at: Option<Timestamp>,
    /// Whether a read is under way.
    pub loading: bool,
    /// What it said.
    pub context: LiveContext,
}

/// How bad a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warn,
    /// Something failed.
    Error,
}

/// One message, kept until the console ends.
#[derive(Clone, Debug)]
pub struct Message {
    /// When.
    pub at: Timestamp,
    /// How bad.
    pub level: Level,
    /// What; shown text.
    pub text: String,
}

/// How one alert source stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Whether alerts can come.
    pub healthy: bool,
    /// In words.
    pub text: String,
}

/// How far the log is ahead of its signed heads that somebody else holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorView {
    /// Whether heads go anywhere at all.
    pub somewhere: bool,
    /// How many lines nobody else holds a head of.
    pub behind: u64,
    /// When the first of them was written.
    pub since: Option<Timestamp>,
    /// Why the last head could not leave.
    pub problem: Option<String>,
    /// As many lines are too many.
    pub warn_lines: u64,
    /// As many seconds are too long.
    pub warn_s: i64,
}

impl AnchorView {
    /// How long the first line without an anchor has been waiting, in seconds.
    pub fn age_s(&self, now: Timestamp) -> i64 {
        self.since
            .map_or(0, |since| (now.as_second() - since.as_second()).max(0))
    }

    /// Tells whether people should look: too many lines, or for too long.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.behind > 0 && (self.behind >= self.warn_lines || self.age_s(now) >= self.warn_s)
    }
}

/// The drill as the analyst sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillView {
    /// Title of the scenario.
    pub title: String,
    /// Whether the intruder still gets anything.
    pub intruder_in: bool,
    /// Score so far, in words.
    pub score: Vec<String>,
}

/// What is still being read at the start: what is shown of it so far is not all that there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// The alerts stored before.
    pub alerts: bool,
    /// The logs.
    pub log: bool,
    /// How many sources of alerts were started; each is in [`Model::sources`] once it has said how it is.
    pub sources: usize,
}

/// The whole state.
#[derive(Debug, Default)]
pub struct Model {
    /// Alerts, as rows.
    pub queue: Queue,
    /// Which of them are shown.
    pub sift: Sift,
    /// Those of them that are looked at, in full.
    pub alerts: Alerts,
    /// The alert that has the cursor.
    pub selected: Option<AlertId>,
    /// Whether the cursor runs.
    pub passing: Passing,
    /// Which lines of the queue are on the screen.
    pub window: Window,
    /// The selected alert, once it was deleted.
    pub leaving: Option<AlertId>,
    /// Alerts that a decision is to be about, besides the selected one.
    pub marks: BTreeSet<AlertId>,
    /// Alerts that were put off, and until when.
    pub asleep: BTreeMap<AlertId, Timestamp>,
    /// How fast things have to be, and the views to choose from.
    pub desk: Desk,
    /// The analyst has pressed a key: from now on rows stay where they are until they are asked to move.
    pub touched: bool,
    /// Columns and rows of the screen; zero while nobody has measured it.
    pub size: (u16, u16),
    /// The pane that has the focus.
    pub focus: Option<Pane>,
    /// First line shown of the panes beside the queue.
    pub scroll: usize,
    /// What the panes beside the queue show.
    pub detail: Detail,
    /// The most choices that any alert had on this screen: the pane of options keeps their room, so that the queue stays
    /// where it is while the selection moves.
    pub most_choices: usize,
    /// Identities and the map.
    pub inventory: Arc<Inventory>,
    /// How old that may grow, and how the last reading went.
    pub reload: Reload,
    /// Playbooks in force.
    pub playbooks: Arc<[Playbook]>,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// When the last event was handled: what conditions call `now`.
    pub now: Timestamp,
    /// What each configured connector can do.
    pub capabilities: Arc<BTreeMap<String, Capabilities>>,
    /// By connector, the parameter that takes an identity's native id.
    pub id_params: Arc<BTreeMap<String, String>>,
    /// What everybody decided.
    pub decisions: Decisions,
    /// The records behind that, and the screen that shows them.
    pub timeline: Timeline,
    /// The map's screen.
    pub map: MapScreen,
    /// The readiness screen.
    pub readiness: ReadinessScreen,
    /// The tabs of the card.
    pub card: CardScreen,
    /// The coverage matrix.
    pub coverage: CoverageScreen,
    /// The inbox of approvals and the debt board.
    pub board: Board,
    /// The terminal is to sound once.
    pub bell: bool,
    /// Options for an identity that was made through the one at hand.
    pub born: Option<Choosing>,
    /// What alerts say that identities made or touched.
    pub deeds: Deeds,
    /// What is to be found out about maps, for the next effects.
    pub asks: Vec<MapAsk>,
    /// What is being found out for the panes beside the queue.
    pub looked_for: Option<MapAsk>,
    /// Where the log lies, when the console is nothing but its screen.
    pub log_only: Option<String>,
    /// What providers said.
    pub live: HashMap<IdentityId, Live>,
    /// Plans that this console runs or ran.
    pub runs: BTreeMap<PlanDigest, Run>,
    /// What is still being read.
    pub opening: Opening,
    /// Alert sources.
    pub sources: BTreeMap<String, SourceView>,
    /// How many alerts each of them brought lately.
    pub pace: Pace,
    /// The other process that takes the alerts in, if it is another one.
    pub duty: Option<String>,
    /// By source, how much input could not be read, and why the last of it could not.
    pub malformed: BTreeMap<String, (u64, String)>,
    /// Where one is on the policy's screen.
    pub policy_screen: PolicyScreen,
    /// What runs by itself.
    pub automation: Automation,
    /// What lies over the screen.
    pub overlay: Overlay,
    /// What is searched for in help or messages.
    pub reader: Reader,
    /// How the triage screen is divided.
    pub layout: Layout,
    /// The step of the tour that is shown, while there is one.
    pub tour: Option<usize>,
    /// How many warnings and errors came since somebody last looked at the messages.
    pub unread: usize,
    /// Messages, oldest first.
    pub messages: Vec<Message>,
    /// Until when the last message is shown at the bottom.
    pub toast_until: Option<Timestamp>,
    /// The drill, when this is one.
    pub drill: Option<DrillView>,
    /// No acting, no recording.
    pub read_only: bool,
    /// Who may do what; `None` where no roster is configured and nobody is asked.
    pub authority: Option<Arc<Authority>>,
    /// The key that signs what this console writes; `None` where it may not count as anybody's.
    pub own: Option<Arc<str>>,
    /// How far the log is ahead of its anchors; `None` where that is nobody's business.
    pub anchors: Option<AnchorView>,
    /// How many MiB the log's disk has left, when that is little.
    pub journal_space: Option<u64>,
    /// Why nothing can be recorded, and therefore nothing done.
    pub journal_problem: Option<String>,
    /// What an act came to is not in the log, and where it is instead; nobody leaves without having seen it.
    pub unrecorded: Option<String>,
    /// Plans started here that have not ended.
    pub next_ticket: u64,
    /// Keys pressed so far that begin a sequence.
    pub pending: Vec<Key>,
    /// Themes to choose from.
    pub themes: Vec<String>,
    /// The theme in force.
    pub theme: String,
    /// Something visible changed since the last frame.
    pub dirty: bool,
    /// The whole screen must be painted again.
    pub repaint: bool,
    /// The console should end.
    pub quit: bool,
}

/// Smallest screen on which the console can be worked with, in columns and rows.
pub const LEAST: (u16, u16) = (60, 15);

impl Model {
    /// Tells whether the screen is too small to show what a key would do.
    pub fn is_blind(&self) -> bool {
        self.size != (0, 0) && (self.size.0 < LEAST.0 || self.size.1 < LEAST.1)
    }

    /// Tells whether a plan of this console is running.
    pub fn acting(&self) -> bool {
        self.runs.values().any(|run| run.running)
    }

    /// Tells whether this console is running a plan.
    pub fn runs_plan(&self, digest: &PlanDigest) -> bool {
        self.runs.get(digest).is_some_and(|run| run.running)
    }

    /// Returns the plan for an alert that this console is running.
    pub fn run_about(&self, alert: &AlertId) -> Option<&PlanDigest> {
        let about = |run: &Run| run.running && run.alert.as_ref() == Some(alert);
        let run = self.runs.iter().find(|(_, run)| about(run));
        run.map(|(digest, _)| digest)
    }

    /// Leaves, or asks first where something would be left behind.
    pub fn leave(&mut self) {
        if self.acting() || self.unrecorded.is_some() {
            self.overlay = Overlay::ConfirmQuit;
        } else {
            self.quit = true;
        }
    }

    /// Returns what lies over the triage screen when nothing is open over that.
    pub fn resting(&self) -> Overlay {
        if self.coverage.open {
            Overlay::Coverage
        } else if self.map.open {
            Overlay::Map
        } else if self.timeline.open {
            Overlay::Log
        } else if self.card.open {
            Overlay::Card
        } else if self.readiness.open {
            Overlay::Readiness
        } else if self.policy_screen.open {
            Overlay::Policy
        } else if self.board.open {
            Overlay::Board
        } else {
            Overlay::None
        }
    }

    /// Returns acts whose outcome nobody knows and that no plan of this console is running, oldest first.
    pub fn open_unknowns(&self) -> impl Iterator<Item = &Act> {
        let running = |act: &Act| self.runs_plan(&act.intent.digest);
        self.decisions
            .unknowns()
            .filter(move |act| act.outcome.is_some() || !running(act))
    }

    /// Notes a message and shows it for a while.
    pub fn say(&mut self, now: Timestamp, level: Level, text: impl Into<String>) {
        /// Enough to look back over a night; the log holds the rest.
        const KEPT: usize = 500;
        if level != Level::Info && !matches!(self.overlay, Overlay::Messages { .. }) {
            self.unread += 1;
        }
        let shown_s = if level == Level::Info { 5 } else { 15 };
        self.messages.push(Message {
            at: now,
            level,
            text: seen(text),
        });
        if self.messages.len() > KEPT {
            self.messages.remove(0);
        }
        self.toast_until = now.checked_add(jiff::Span::new().seconds(shown_s)).ok();
        self.dirty = true;
    }

    /// Returns how an alert stands.
    pub fn row_state(&self, id: &AlertId) -> RowState {
        if let Some(digest) = self.run_about(id) {
            return match self.decisions.acts_by(digest).next() {
                Some(_) => RowState::Acting,
                None => RowState::Asked,
            };
        }
        if self.reopened(id).is_some() {
            return RowState::Reopened;
        }
        let decided = self.decisions.of_alert(id);
        let mut kinds = decided.iter().rev().map(|(_, _, d)| d.kind);
        let last = kinds.find(|k| k.tells_state());
        match last {
            Some(DecisionKind::Dismiss) => return RowState::Dismissed,
            Some(DecisionKind::CloseContained) => return RowState::Closed,
            _ => {}
        }
        self.acts_state(id).unwrap_or(match last {
            _ if self.asleep.contains_key(id) => RowState::Snoozed,
            Some(DecisionKind::Claim | DecisionKind::Assign | DecisionKind::DoNothing) => {
                RowState::Claimed
            }
            _ if self.queue.is_resolved(id) => RowState::Resolved,
            _ => RowState::New,
        })
    }

    /// Tells whether the selected alert is closed or dismissed.
    pub fn is_over(&self) -> bool {
        let selected = self.selected.as_ref();
        selected.is_some_and(|id| self.row_state(id).is_over())
    }

    /// Returns what the alert's acts come to, the worst first. Keeping evidence contains nothing and does not count
    /// unless it failed.
    fn acts_state(&self, id: &AlertId) -> Option<RowState> {
        let acts = self.decisions.latest_acts(id);
        let has = |state| acts.iter().any(|act| act.cell() == state);
        let contains = |act: &&&Act| act.intent.verb != Verb::PreserveEvidence;
        if has(CellState::Unknown) {
            Some(RowState::Unknown)
        } else if has(CellState::Failed) {
            Some(RowState::Failed)
        } else if acts.iter().any(|act| act.intent.undo) {
            Some(RowState::Undone)
        } else if acts.iter().filter(contains).count() == 0 {
            None
        } else if has(CellState::Requested) || has(CellState::Open) {
            Some(RowState::Requested)
        } else if self.decisions.still_held(id).is_empty() {
            Some(RowState::Proven)
        } else {
            Some(RowState::Partly)
        }
    }
}
