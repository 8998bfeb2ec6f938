//! From terminal events to the console's own keys.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};

use crate::app::keys::{Code, Key};
use crate::app::msg::Msg;

/// Longest paste that is looked at, in bytes. A reason is a few hundred characters.
const PASTE_CAP: usize = 4_096;

/// Forgets what was typed ahead for whoever had the terminal, between two streams of events.
pub fn forget() {
    // The end of a stream leaves a notice behind. It must be gone before the next one begins: a notice and a key that are
    // found together lose the key, until another follows. A terminal that is gone says so at the next read.
    let _ = poll(Duration::ZERO);
    let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
    while poll(Duration::ZERO).is_ok_and(|found| found) {
        let _ = read();
    }
}

/// Translates an event; `None` for what the console has no use for.
pub fn translate(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => translate_key(key).map(Msg::Key),
        Event::Paste(text) => {
            let mut end = text.len().min(PASTE_CAP);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            Some(Msg::Paste(text[..end].to_owned()))
        }
        Event::Resize(width, height) => Some(Msg::Resized { width, height }),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}

fn translate_key(key: KeyEvent) -> Option<Key> {
    // Some terminals report releases and repeats as well; a release must not count twice.
    if key.kind == KeyEventKind::Release || key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let code = match key.code {
        KeyCode::Char(c) if ctrl => Code::Char(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        _ => return None,
    };
    Some(Key { code, ctrl })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(KeyCode::Char('j'), KeyModifiers::NONE, Some("j"))]
    #[case(KeyCode::Char('G'), KeyModifiers::SHIFT, Some("G"))]
    #[case(KeyCode::Char('l'), KeyModifiers::CONTROL, Some("ctrl-l"))]
    #[case(KeyCode::Char('x'), KeyModifiers::ALT, None)]
    #[case(KeyCode::F(5), KeyModifiers::NONE, None)]
    fn keys(#[case] code: KeyCode, #[case] modifiers: KeyModifiers, #[case] want: Option<&str>) {
        let got = translate(Event::Key(KeyEvent::new(code, modifiers)));
        let got = got.and_then(|m| {
            if let Msg::Key(key) = m {
                Some(key.to_string())
            } else {
                None
            }
        });
        assert_eq!(got.as_deref(), want);
    }

    #[test]
    fn a_huge_paste_is_cut_at_a_character() {
        let Some(Msg::Paste(text)) = translate(Event::Paste("é".repeat(5_000))) else {
            panic!("no paste")
        };
        assert!(text.len() <= PASTE_CAP && text.chars().all(|c| c == 'é'));
    }
}
