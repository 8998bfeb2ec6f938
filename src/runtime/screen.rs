//! Where frames go: a terminal, or memory for a run without one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::term::clipboard::{self, Way};
use crate::term::session::Session;

/// A place for frames.
pub enum Screen {
    /// A real terminal.
    Terminal(Box<Session>),
    /// Memory, of a fixed size.
    Memory(Buffer),
}

impl Screen {
    /// Returns the area to draw on.
    pub fn area(&self) -> Rect {
        match self {
            Self::Terminal(session) => session.area(),
            Self::Memory(buffer) => buffer.area,
        }
    }

    /// Returns the frame shown last.
    pub fn shown(&self) -> &Buffer {
        match self {
            Self::Terminal(session) => session.shown(),
            Self::Memory(buffer) => buffer,
        }
    }

    /// Returns an empty frame to draw on.
    pub fn blank(&mut self, area: Rect) -> Buffer {
        match self {
            Self::Terminal(session) => session.blank(area),
            Self::Memory(_) => Buffer::empty(area),
        }
    }

    /// Shows a frame.
    pub fn show(&mut self, frame: Buffer, repaint: bool) -> std::io::Result<()> {
        match self {
            Self::Terminal(session) => session.show(frame, repaint),
            Self::Memory(buffer) => {
                *buffer = frame;
                Ok(())
            }
        }
    }

    /// Sounds the terminal's bell, once.
    pub fn ring(&self) -> std::io::Result<()> {
        match self {
            Self::Terminal(_) => crate::term::session::ring(),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Asks the terminal to take a text.
    pub fn copy(&self, text: &str, way: Way) -> std::io::Result<()> {
        match self {
            Self::Terminal(_) => clipboard::to_terminal(text, way),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Returns what a memory screen shows, one string a row.
    pub fn text(&self) -> String {
        let Self::Memory(buffer) = self else {
            return String::new();
        };
        let width = usize::from(buffer.area.width).max(1);
        let rows = buffer.content.chunks(width);
        rows.map(|row| {
            row.iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect::<String>()
                .trim_end()
                .to_owned()
                + "\n"
        })
        .collect()
    }
}
