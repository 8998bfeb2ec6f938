//! One-line text fields: a reason, a name to confirm.

use tui_input::{Input, InputRequest};

use super::keys::{Code, Key};

/// Longest text of a field, in characters: a few sentences; more belongs into the ticket.
pub const CAP: usize = 500;

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

/// Puts pasted text into a field: one line, no control characters, bounded. Tells whether all of it fitted.
pub fn paste(input: &mut Input, text: &str) -> bool {
    let room = CAP.saturating_sub(input.value().chars().count());
    let line = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c });
    let mut line = line.filter(|c| !c.is_control());
    for c in line.by_ref().take(room) {
        input.handle(InputRequest::InsertChar(c));
    }
    line.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_says_whether_it_was_cut() {
        let mut input = Input::default();
        assert!(paste(&mut input, "two\nlines\u{1b}"));
        assert_eq!(input.value(), "two lines");
        assert!(!paste(&mut input, &"x".repeat(CAP)));
        assert_eq!(input.value().chars().count(), CAP);
    }
}
