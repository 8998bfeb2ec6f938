//! One-line text fields: a reason, a name to confirm.

use tui_input::{Input, InputRequest};

use super::keys::{Code, Key};

/// Longest text of a field, in characters: a few sentences; more belongs into the ticket.
const CAP: usize = 500;

/// Applies an editing key to a text field.
pub fn edit(input: &mut Input, key: Key) {
    let request = match (key.code, key.ctrl) {
        (Code::Char(c), false) if input.value().chars().count() < CAP => {
            InputRequest::InsertChar(c)
        }
        (Code::Char('u'), true) => InputRequest::DeleteLine,
        (Code::Char('w'), true) => InputRequest::DeletePrevWord,
        (Code::Backspace, _) => InputRequest::DeletePrevChar,
        (Code::Delete, _) => InputRequest::DeleteNextChar,
        (Code::Left, _) => InputRequest::GoToPrevChar,
        (Code::Right, _) => InputRequest::GoToNextChar,
        (Code::Home, _) => InputRequest::GoToStart,
        (Code::End, _) => InputRequest::GoToEnd,
        _ => return,
    };
    input.handle(request);
}

/// Puts pasted text into a field: one line, no control characters, bounded.
pub fn paste(input: &mut Input, text: &str) {
    let room = CAP.saturating_sub(input.value().chars().count());
    let line = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c });
    for c in line.filter(|c| !c.is_control()).take(room) {
        input.handle(InputRequest::InsertChar(c));
    }
}
