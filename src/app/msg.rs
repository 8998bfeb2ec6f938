//! What comes into the state machine, and what it asks for.

use std::sync::Arc;

use jiff::Timestamp;

use super::afterwards::TakenBack;
use super::automation::Begin;
use super::keys::Key;
use super::map::{MapAnswer, MapAsk};
use super::model::{AnchorView, DrillView, Level, Phase};
use super::pointer::Pointed;
use super::readiness::{Judged, Untold};
use super::settings::View;
use super::timeline::{Found, Verdict};
use crate::domain::alert::Alert;
use crate::domain::decision::{Decision, Entry};
use crate::domain::graph::Graph;
use crate::domain::hold::Gate;
use crate::domain::identity::{Identity, LiveContext};
use crate::domain::ids::{AlertId, IdentityId, PlanDigest, StepId};
use crate::domain::inventory::Inventory;
use crate::domain::plan::Plan;
use crate::domain::queue::Row;
use crate::domain::text::Untrusted;

/// Something whose sender waits until it is given up.
pub type Held = Box<dyn std::fmt::Debug + Send>;

/// Something happened.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// A text was written in an editor.
    Edited(String),
    /// The wheel was turned; whether down.
    Wheel(bool),
    /// Somebody pointed at something.
    Pointed(Pointed),
    /// The terminal has another size, or came back from a suspension.
    Resized {
        /// Its columns.
        width: u16,
        /// Its rows.
        height: u16,
    },
    /// Time passed: ages and toasts may look different.
    Tick,
    /// Alerts arrived or repeated.
    Alerts(Vec<Row>),
    /// Some of many that came together. The next message with alerts has more of them, and they take their places with the
    /// last of them.
    SomeAlerts(Vec<Row>),
    /// Alerts that were stored before this console began.
    Stored(Vec<Row>),
    /// All of those were told, or it was said why not.
    StoredRead,
    /// An alert was read in full, or why it could not be.
    AlertRead {
        /// Which.
        id: AlertId,
        /// The alert.
        result: Result<Arc<Alert>, String>,
    },
    /// Old alerts were deleted from the store.
    Deleted,
    /// Which alerts were.
    Removed(Vec<AlertId>),
    /// Input could not be read and was put aside.
    Malformed {
        /// From which source.
        source: String,
        /// How much so far.
        total: u64,
        /// Why the last of it could not.
        reason: String,
    },
    /// Another process of this state folder takes the alerts in, and which; none when this one does.
    Duty(Option<String>),
    /// A source changed its state.
    Source {
        /// Its name.
        name: String,
        /// Whether alerts can come.
        healthy: bool,
        /// In words.
        text: String,
    },
    /// Go on with what is done in slices.
    Continue,
    /// Records were written, here or elsewhere.
    Journal(Vec<Entry>),
    /// To be given up when the records that came before are taken in.
    Held(Held),
    /// What stood in the log at the start has been read.
    LogRead,
    /// Show the log's screen, and nothing else is there.
    OpenLog,
    /// One record in full, or why it cannot be shown.
    Record {
        /// Which log.
        log: String,
        /// Its place there.
        seq: u64,
        /// The record.
        result: Result<Box<Found>, String>,
    },
    /// Verifying has come so far.
    VerifyProgress {
        /// Bytes looked at.
        done: u64,
        /// Bytes there are.
        all: u64,
    },
    /// The log was verified.
    Verified(Verdict),
    /// The journal can or cannot be written.
    JournalProblem(Option<String>),
    /// What an act came to is not in the log, and where it is instead.
    Unrecorded(String),
    /// How many MiB the log's disk has left, when that is little.
    JournalSpace(Option<u64>),
    /// How far the log is ahead of what left this machine.
    Anchors(AnchorView),
    /// A provider answered about an identity.
    Context {
        /// Which identity.
        identity: IdentityId,
        /// When.
        at: Timestamp,
        /// What it said.
        context: Box<LiveContext>,
    },
    /// A plan was built and recorded, or could not be.
    PlanBuilt {
        /// Which request this answers.
        ticket: u64,
        /// The plan, or why there is none.
        result: Result<(PlanDigest, Arc<Plan>), String>,
    },
    /// A plan may run: approved, or no approval needed.
    Started {
        /// Which plan.
        digest: PlanDigest,
    },
    /// A step of a running plan moved on.
    Step {
        /// Which plan.
        digest: PlanDigest,
        /// Which step.
        step: StepId,
        /// How it stands.
        phase: Phase,
    },
    /// A plan ended or was refused.
    RunEnded {
        /// Which plan.
        digest: PlanDigest,
        /// How, in words.
        text: String,
        /// Whether it ran; a refusal sent nothing.
        ran: bool,
    },
    /// A step was taken back, or was not.
    TakenBack(TakenBack),
    /// What the policy would do by itself could not be written down, and is not done.
    AloneFailed {
        /// For which alert.
        alert: AlertId,
        /// Why.
        text: String,
    },
    /// A view was saved, and where; or why not.
    ViewSaved(Result<(View, String), String>),
    /// What was found out about a map.
    Map(Box<MapAnswer>),
    /// How everybody stands who could be contained.
    Judged(Arc<Judged>),
    /// The inventory was read again; `None` where its sources say what they said.
    InventoryRead(Option<Arc<Inventory>>),
    /// How the drill stands.
    Drill(DrillView),
    /// What a drill tells first, in the order in which it is to be read; shown text.
    Story(Vec<String>),
    /// Something to tell the analyst.
    Notice {
        /// How bad.
        level: Level,
        /// What; shown text.
        text: String,
    },
    /// The system asks the console to end.
    Terminate,
}

/// Something to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Read an alert from the store.
    ReadAlert(AlertId),
    /// Ask the provider about an identity; an earlier question for another one is dropped.
    ReadContext(Box<Identity>),
    /// Drop the question to a provider that is under way.
    StopReading,
    /// Bind a playbook to an identity, record the plan, answer with `PlanBuilt`.
    BuildPlan {
        /// Which answer to give.
        ticket: u64,
        /// For which alert.
        alert: AlertId,
        /// Its incident, as its source says.
        incident: Option<Untrusted>,
        /// Whom.
        identity: Box<Identity>,
        /// The map as it stands beside the queue.
        graph: Arc<Graph>,
        /// Which playbook.
        playbook: String,
    },
    /// Write a decision down.
    Record(Vec<Decision>),
    /// Write down what the policy does, or does not do, by itself.
    RecordAlone(Vec<Decision>),
    /// Build the plan of a countdown, and write down that it counts.
    BeginAlone(Box<Begin>),
    /// A countdown came to its end: write that down, then run its plan.
    RunAlone(Box<Decision>),
    /// Save a view.
    SaveView(View),
    /// Run the plan that the journal holds under this digest, with the reason that was given for it.
    Run(PlanDigest, Option<String>),
    /// Run it without those who would have to agree.
    BreakGlass(PlanDigest, String),
    /// Vouch for something that must hold before an identity is trusted again.
    Vouch {
        /// Whom.
        identity: IdentityId,
        /// What holds.
        gate: Gate,
        /// How that is known.
        reason: String,
    },
    /// Lift every control on an identity and trust it again, if every gate is passed.
    Lift {
        /// Whom.
        identity: IdentityId,
        /// Why.
        reason: String,
    },
    /// Agree to somebody else's plan, or refuse it.
    Verdict {
        /// Which plan.
        digest: PlanDigest,
        /// Yes or no.
        approved: bool,
        /// Why.
        reason: Option<String>,
    },
    /// Take a step of a plan back.
    TakeBack {
        /// Which plan.
        digest: PlanDigest,
        /// Which step.
        step: StepId,
        /// For which alert.
        alert: AlertId,
        /// Why, where that was asked.
        reason: Option<String>,
    },
    /// Stop a running plan after the current step.
    Stop(PlanDigest),
    /// Read back every act of an alert whose outcome is unknown.
    Reconcile(AlertId),
    /// Read one record from the log again, in full.
    ReadRecord {
        /// Which log.
        log: String,
        /// Its place there.
        seq: u64,
    },
    /// Send [`Msg::Continue`] when nothing more urgent waits.
    Continue,
    /// Verify all logs, byte by byte.
    VerifyLog,
    /// Verify no further; nothing is answered any more.
    StopVerifying,
    /// Find something out about a map.
    AskMap(MapAsk),
    /// Judge whether everybody could be contained now, knowing what providers did not tell; answer with [`Msg::Judged`].
    Judge(Vec<Untold>),
    /// Write how everybody stands into the state folder.
    ExportReadiness(Arc<Judged>),
    /// Read the inventory's files and addresses again; answer with [`Msg::InventoryRead`].
    ReadInventory,
    /// Plan and judge with this inventory from now on.
    UseInventory(Arc<Inventory>),
    /// Put shown text on the clipboard.
    Copy(String),
    /// Hand the terminal back to the shell.
    Suspend,
    /// Show all of the screen's text in a pager.
    Page,
    /// Let a text be written in an editor; answer with [`Msg::Edited`].
    Edit(String),
}
