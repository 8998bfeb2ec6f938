//! Texts over the screen: they scroll, help and messages can be searched, and they close.

use tui_input::Input;

use super::command::Command;
use super::field;
use super::keys::{Code, Key};
use super::model::{Model, Overlay};
use super::msg::Effect;

/// What is searched for in help or messages.
#[derive(Debug, Default)]
pub struct Reader {
    /// The words.
    pub input: Input,
    /// Whether they are being typed.
    pub typing: bool,
}

impl Reader {
    /// Tells whether a text has all the words, in any order; case does not count.
    pub fn wants(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let words = self.input.value().to_lowercase();
        words.split_whitespace().all(|word| text.contains(word))
    }

    /// Tells whether anything is searched for.
    pub fn is_active(&self) -> bool {
        self.typing || !self.input.value().trim().is_empty()
    }
}

/// Tells whether what is shown can be searched.
pub fn is_searchable(overlay: &Overlay) -> bool {
    matches!(overlay, Overlay::Help { .. } | Overlay::Messages { .. })
}

/// Handles a key while words are typed.
pub fn key(model: &mut Model, key: Key) {
    model.dirty = true;
    match key.code {
        Code::Esc => model.reader = Reader::default(),
        Code::Enter => model.reader.typing = false,
        Code::Down => scroll(model, 1),
        Code::Up => scroll(model, -1),
        Code::PageDown => scroll(model, 10),
        Code::PageUp => scroll(model, -10),
        _ => {
            field::edit(&mut model.reader.input, key);
            to_top(model);
        }
    }
}

/// Puts pasted text where it is typed.
pub fn paste(model: &mut Model, text: &str) {
    field::paste(&mut model.reader.input, text);
    to_top(model);
}

/// Carries out a command of the scope.
pub fn command(model: &mut Model, command: Command) -> Vec<Effect> {
    match command {
        Command::Down => scroll(model, 1),
        Command::Up => scroll(model, -1),
        Command::PageDown => scroll(model, 10),
        Command::PageUp => scroll(model, -10),
        Command::Redraw => model.repaint = true,
        Command::Filter => model.reader.typing = true,
        _ if is_searchable(&model.overlay) && model.reader.is_active() => {
            model.reader = Reader::default();
        }
        _ => model.overlay = model.resting(),
    }
    Vec::new()
}

fn place(model: &mut Model) -> Option<&mut usize> {
    match &mut model.overlay {
        Overlay::Help { scroll }
        | Overlay::Messages { scroll }
        | Overlay::Score { scroll }
        | Overlay::Trace { scroll, .. } => Some(scroll),
        _ => None,
    }
}

fn scroll(model: &mut Model, lines: isize) {
    if let Some(at) = place(model) {
        *at = at.saturating_add_signed(lines);
    }
}

fn to_top(model: &mut Model) {
    if let Some(at) = place(model) {
        *at = 0;
    }
}
