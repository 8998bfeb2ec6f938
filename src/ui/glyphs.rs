//! Marks and lines, in Unicode and in ASCII.

use ratatui::symbols::border;

use crate::domain::coverage::CellState;
use crate::domain::vocabulary::Severity;

/// One set of marks. Widths are the same in both sets, so layouts do not depend on it.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each name says what the mark stands for")]
pub struct Glyphs {
    pub border: border::Set<'static>,
    pub focus: &'static str,
    pub cursor: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub tee: &'static str,
    pub ellipsis: &'static str,
    pub bullet: &'static str,
    pub proven: &'static str,
    pub requested: &'static str,
    pub failed: &'static str,
    pub unknown: &'static str,
    pub open: &'static str,
    pub hand: &'static str,
    pub critical: &'static str,
    pub high: &'static str,
    pub medium: &'static str,
    pub low: &'static str,
    pub dash: &'static str,
    pub arrow: &'static str,
    pub folded: &'static str,
    pub unfolded: &'static str,
    pub mark: &'static str,
    pub dot: &'static str,
}

/// For terminals that show Unicode.
pub const UNICODE: Glyphs = Glyphs {
    border: border::PLAIN,
    focus: "▸",
    cursor: "▌",
    up: "▲",
    down: "▼",
    tee: "└",
    ellipsis: "…",
    bullet: "•",
    proven: "✓",
    requested: "~",
    failed: "✗",
    unknown: "?",
    open: "·",
    hand: "→",
    critical: "‼",
    high: "!",
    medium: "•",
    low: "·",
    dash: "—",
    arrow: "→",
    folded: "▸",
    unfolded: "▾",
    mark: "◆",
    dot: "·",
};

/// For everything else.
pub const ASCII: Glyphs = Glyphs {
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
    focus: ">",
    cursor: ">",
    up: "^",
    down: "v",
    tee: "`",
    ellipsis: "~",
    bullet: "*",
    proven: "+",
    requested: "~",
    failed: "x",
    unknown: "?",
    open: ".",
    hand: ">",
    critical: "#",
    high: "!",
    medium: "*",
    low: ".",
    dash: "-",
    arrow: ">",
    folded: "+",
    unfolded: "-",
    mark: "*",
    dot: "-",
};

impl Glyphs {
    /// Returns the mark of a state; the word always stands beside it.
    pub const fn cell(&self, state: CellState) -> &'static str {
        match state {
            CellState::Open => self.open,
            CellState::Requested => self.requested,
            CellState::Proven => self.proven,
            CellState::Failed => self.failed,
            CellState::Unknown => self.unknown,
            CellState::NotContainable => self.dash,
            CellState::HandedOff => self.hand,
        }
    }

    /// Returns the mark of a severity; the word always stands beside it.
    pub const fn severity(&self, severity: Option<Severity>) -> &'static str {
        match severity {
            Some(Severity::Critical) => self.critical,
            Some(Severity::High) => self.high,
            Some(Severity::Medium) => self.medium,
            Some(Severity::Low | Severity::Info) => self.low,
            None => self.unknown,
        }
    }
}
