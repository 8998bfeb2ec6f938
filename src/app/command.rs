//! The registry: everything an analyst can do, one row each. Keys, hints, help and `stanch keys` all read it.

mod away;
mod board;
mod card;
mod coverage;
mod decide;
mod disabled;
mod layout;
mod log;
mod map;
mod palette;
mod plan;
mod policy;
mod reader;
mod readiness;

use super::model::{Model, Overlay};

pub use disabled::disabled_reason;

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// Next row or line.
    Down,
    /// Previous row or line.
    Up,
    /// A screenful down.
    PageDown,
    /// A screenful up.
    PageUp,
    /// To the first row, taking in what waits.
    Top,
    /// To the last row.
    Bottom,
    /// Next pane.
    NextPane,
    /// Previous pane.
    PrevPane,
    /// Stage option 1 to 9.
    Stage(u8),
    /// Record that nothing is done for now.
    DoNothing,
    /// Take the alert.
    Claim,
    /// Judge it no case.
    Dismiss,
    /// Judge it over.
    Close,
    /// Write a note.
    Note,
    /// Read the provider again.
    Refresh,
    /// Read back an unknown act.
    Reconcile,
    /// Show the plan last run for this alert.
    Progress,
    /// Help.
    Help,
    /// Errors and messages so far.
    Messages,
    /// The drill's score.
    Score,
    /// Paint everything again.
    Redraw,
    /// Back to the shell until `fg`.
    Suspend,
    /// Leave.
    Quit,
    /// Out of the overlay.
    Back,
    /// Between the buttons of a dialog.
    SwitchButton,
    /// The chosen button.
    Accept,
    /// Stop after the running step.
    Stop,
    /// Build the plan anew.
    Rebuild,
    /// Open the log's screen.
    Timeline,
    /// Type a filter.
    Filter,
    /// Give the alert to somebody.
    Assign,
    /// Put the alert off, or take it up again.
    Snooze,
    /// Mark the alert for a decision about several.
    Mark,
    /// Fold alerts of one kind into a line.
    Fold,
    /// Only what is about the same identity.
    NarrowToIdentity,
    /// What may be an attack, or what is routine.
    TurnClass,
    /// Choose a view.
    Views,
    /// Show one record in full.
    OpenRecord,
    /// From a record to its alert.
    ToAlert,
    /// From a record to its identity.
    ToIdentity,
    /// Only the records of the alert of this one.
    OnlyAlert,
    /// Only the records of the identity of this one.
    OnlyIdentity,
    /// Back to the record from which somebody came.
    Return,
    /// Close the record, clear the filter, or leave: the nearest of these.
    Out,
    /// Verify the log again.
    Verify,
    /// Open the map's screen.
    OpenMap,
    /// Show what lies below a line.
    Unfold,
    /// Hide what lies below a line.
    FoldUp,
    /// Show everything.
    UnfoldAll,
    /// Fold everything.
    FoldAll,
    /// The next match of a search.
    NextMatch,
    /// The match before.
    PrevMatch,
    /// How two nodes hang together.
    PathView,
    /// The card of a node.
    OpenNode,
    /// Begin the map at this node.
    Reroot,
    /// Put something on the clipboard.
    Copy,
    /// Options for the identity of this node.
    PlanHere,
    /// Open the readiness screen.
    Readiness,
    /// Show why the policy says what it says.
    Trace,
    /// Open the policy's screen.
    Policy,
    /// Open the tabs of the card.
    OpenCard,
    /// Read the inventory again.
    Reload,
    /// Write what is shown to a file.
    Export,
    /// Look for a command by its name.
    Palette,
    /// Show what is proven, layer by node.
    Coverage,
    /// Take a cell of the coverage on as a risk.
    AcceptRisk,
    /// Say that what was looked at by hand holds, or does not.
    Checked(bool),
    /// Open the inbox of approvals.
    Inbox,
    /// Open the debt board.
    Debts,
    /// Open the way back to trust.
    WayBack,
    /// Open the campaigns, or make one of what is marked.
    Campaigns,
    /// Show the next campaign.
    NextCampaign,
    /// Refuse what somebody asks for.
    Refuse,
    /// Delay a containment.
    Hold,
    /// Act alone.
    BreakGlass,
    /// Write down that another team did a step.
    HandOffDone,
    /// Take a step of the plan back, after reading what that sends.
    TakeBack,
    /// Give the pane in focus the others' place, or give it back.
    Zoom,
    /// Make the queue wider.
    Wider,
    /// Make the queue narrower.
    Narrower,
    /// Show the screen's text in a pager.
    Page,
    /// Write a text in an editor.
    Editor,
    /// The next step of the tour.
    TourNext,
    /// End the tour.
    TourEnd,
}

/// Where a key applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The triage screen.
    Triage,
    /// The plan overlay.
    Plan,
    /// A list or text over the screen.
    Reader,
    /// The log's screen.
    Log,
    /// The map's screen.
    Map,
    /// The readiness screen.
    Readiness,
    /// The tabs of the card.
    Card,
    /// The coverage matrix.
    Coverage,
    /// The policy's screen.
    Policy,
    /// The inbox of approvals, and the debt board.
    Board,
}

/// How much a command can harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Looks only.
    Safe,
    /// Changes what the journal says.
    Records,
    /// Leads to an act on a provider; gone under `--read-only`.
    Acts,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// What it is.
    pub command: Command,
    /// Stable name for configuration and `stanch keys`.
    pub id: &'static str,
    /// A few words for hints.
    pub title: &'static str,
    /// One sentence for help.
    pub help: &'static str,
    /// Where it applies.
    pub scope: Scope,
    /// How much it can harm.
    pub danger: Danger,
    /// Default keys by name.
    pub keys: &'static [&'static str],
}

const fn spec(
    command: Command,
    id: &'static str,
    title: &'static str,
    keys: &'static [&'static str],
    danger: Danger,
    scope: Scope,
    help: &'static str,
) -> Spec {
    Spec {
        command,
        id,
        title,
        help,
        scope,
        danger,
        keys,
    }
}

use Command as C;
use Danger::{Acts, Safe};
use Scope::Triage;

/// All commands. Two rows of one scope never share a key; a test keeps it so.
pub const REGISTRY: &[Spec] = &flat::<{ count(TABLES) }>(TABLES);

/// The commands by screen, in the order in which they are listed.
const TABLES: &[&[Spec]] = &[
    CONSOLE,
    decide::ROWS,
    layout::ROWS,
    plan::ROWS,
    coverage::ROWS,
    log::ROWS,
    map::ROWS,
    card::ROWS,
    readiness::ROWS,
    policy::ROWS,
    board::ROWS,
    reader::ROWS,
    palette::ROWS,
    away::ROWS,
];

const fn count(tables: &[&[Spec]]) -> usize {
    let (mut all, mut at) = (0, 0);
    while at < tables.len() {
        all += tables[at].len();
        at += 1;
    }
    all
}

const fn flat<const N: usize>(tables: &[&[Spec]]) -> [Spec; N] {
    let mut all = [tables[0][0]; N];
    let (mut table, mut row) = (0, 0);
    let mut at = 0;
    while at < N {
        while row == tables[table].len() {
            table += 1;
            row = 0;
        }
        all[at] = tables[table][row];
        at += 1;
        row += 1;
    }
    all
}

const CONSOLE: &[Spec] = &[
    spec(
        C::Down,
        "triage.down",
        "next",
        &["j", "down"],
        Safe,
        Triage,
        "Select the next alert, or scroll the pane in focus.",
    ),
    spec(
        C::Up,
        "triage.up",
        "previous",
        &["k", "up"],
        Safe,
        Triage,
        "Select the previous alert, or scroll the pane in focus.",
    ),
    spec(
        C::PageDown,
        "triage.page_down",
        "page down",
        &["pgdn", "ctrl-d"],
        Safe,
        Triage,
        "Go down by ten.",
    ),
    spec(
        C::PageUp,
        "triage.page_up",
        "page up",
        &["pgup", "ctrl-u"],
        Safe,
        Triage,
        "Go up by ten.",
    ),
    spec(
        C::Top,
        "triage.top",
        "top, show new",
        &["g", "home"],
        Safe,
        Triage,
        "Go to the first alert and take in the new ones that wait.",
    ),
    spec(
        C::Bottom,
        "triage.bottom",
        "bottom",
        &["G", "end"],
        Safe,
        Triage,
        "Go to the last alert.",
    ),
    spec(
        C::NextPane,
        "triage.next_pane",
        "next pane",
        &["tab", "right", "l"],
        Safe,
        Triage,
        "Move the focus to the next pane.",
    ),
    spec(
        C::PrevPane,
        "triage.prev_pane",
        "previous pane",
        &["shift-tab", "left", "h"],
        Safe,
        Triage,
        "Move the focus to the previous pane.",
    ),
    spec(
        C::Stage(1),
        "triage.stage_1",
        "stage option",
        &["1"],
        Acts,
        Triage,
        "Stage option 1: shows the exact plan; nothing is sent yet.",
    ),
    spec(
        C::Stage(2),
        "triage.stage_2",
        "stage option",
        &["2"],
        Acts,
        Triage,
        "Stage option 2.",
    ),
    spec(
        C::Stage(3),
        "triage.stage_3",
        "stage option",
        &["3"],
        Acts,
        Triage,
        "Stage option 3.",
    ),
    spec(
        C::Stage(4),
        "triage.stage_4",
        "stage option",
        &["4"],
        Acts,
        Triage,
        "Stage option 4.",
    ),
    spec(
        C::Stage(5),
        "triage.stage_5",
        "stage option",
        &["5"],
        Acts,
        Triage,
        "Stage option 5.",
    ),
    spec(
        C::Stage(6),
        "triage.stage_6",
        "stage option",
        &["6"],
        Acts,
        Triage,
        "Stage option 6.",
    ),
    spec(
        C::Stage(7),
        "triage.stage_7",
        "stage option",
        &["7"],
        Acts,
        Triage,
        "Stage option 7.",
    ),
    spec(
        C::Stage(8),
        "triage.stage_8",
        "stage option",
        &["8"],
        Acts,
        Triage,
        "Stage option 8.",
    ),
    spec(
        C::Stage(9),
        "triage.stage_9",
        "stage option",
        &["9"],
        Acts,
        Triage,
        "Stage option 9.",
    ),
    spec(
        C::Refresh,
        "triage.refresh",
        "refresh",
        &["r"],
        Safe,
        Triage,
        "Read sessions, roles and grants from the provider again.",
    ),
    spec(
        C::Reconcile,
        "triage.reconcile",
        "read back",
        &["v"],
        Acts,
        Triage,
        "Read back every act of this alert whose outcome is unknown. Nothing is sent again.",
    ),
    spec(
        C::Progress,
        "triage.progress",
        "last plan",
        &["p", "enter"],
        Safe,
        Triage,
        "Show the plan last run for this alert, with what is proven.",
    ),
    spec(
        C::Help,
        "help",
        "help",
        &["?"],
        Safe,
        Triage,
        "Show all keys.",
    ),
    spec(
        C::Messages,
        "messages",
        "messages",
        &["m"],
        Safe,
        Triage,
        "Show errors and messages so far.",
    ),
    spec(
        C::Score,
        "drill.score",
        "drill score",
        &["S"],
        Safe,
        Triage,
        "Show the score of the drill.",
    ),
    spec(
        C::Return,
        "triage.return",
        "back",
        &["esc"],
        Safe,
        Triage,
        "Clear the filter; without one, go back to the record of the log from which you came.",
    ),
    spec(
        C::Filter,
        "triage.filter",
        "filter",
        &["/"],
        Safe,
        Triage,
        "Show only some alerts: sev>=high owner:payments -state:closed key~AKIA* text.",
    ),
    spec(
        C::Timeline,
        "triage.log",
        "log",
        &["L"],
        Safe,
        Triage,
        "Show the decision log of everybody, filtered on the selected alert; Esc shows all of it.",
    ),
    spec(
        C::OpenMap,
        "triage.map",
        "map",
        &["M"],
        Safe,
        Triage,
        "Show the dependency map around the identity: what breaks, what is reached, siblings, paths.",
    ),
    spec(
        C::Redraw,
        "redraw",
        "redraw",
        &["ctrl-l"],
        Safe,
        Triage,
        "Paint the whole screen again.",
    ),
    spec(
        C::Suspend,
        "suspend",
        "suspend",
        &["ctrl-z"],
        Safe,
        Triage,
        "Go back to the shell; `fg` returns. Refused while an act is under way.",
    ),
    spec(
        C::Quit,
        "quit",
        "quit",
        &["q", "ctrl-c"],
        Safe,
        Triage,
        "Leave the console. Asks first while an act is under way.",
    ),
];

impl Command {
    /// Returns its row in a scope.
    pub fn spec(self, scope: Scope) -> Option<&'static Spec> {
        REGISTRY
            .iter()
            .find(|s| s.command == self && s.scope == scope)
    }

    /// Returns by how many rows it moves the cursor of a screen that is one list, `isize::MIN` and `isize::MAX` for its
    /// ends; nothing when it moves no cursor.
    pub const fn rows(self) -> Option<isize> {
        match self {
            Self::Down => Some(1),
            Self::Up => Some(-1),
            Self::PageDown => Some(10),
            Self::PageUp => Some(-10),
            Self::Top => Some(isize::MIN),
            Self::Bottom => Some(isize::MAX),
            _ => None,
        }
    }
}

/// Returns the scope whose keys apply: a function of the state alone, never of what was drawn.
pub fn scope(model: &Model) -> Scope {
    match model.overlay.screen() {
        Overlay::None
        | Overlay::Reason(_)
        | Overlay::Views
        | Overlay::SaveView(_)
        | Overlay::Palette(_)
        | Overlay::ConfirmQuit => Scope::Triage,
        Overlay::Board | Overlay::Say(..) => Scope::Board,
        Overlay::Plan(_) => Scope::Plan,
        Overlay::Log => Scope::Log,
        Overlay::Map => Scope::Map,
        Overlay::Readiness => Scope::Readiness,
        Overlay::Card => Scope::Card,
        Overlay::Coverage => Scope::Coverage,
        Overlay::Policy => Scope::Policy,
        Overlay::Help { .. }
        | Overlay::Messages { .. }
        | Overlay::Score { .. }
        | Overlay::Trace { .. } => Scope::Reader,
    }
}
