//! The clipboard over SSH: tmux's buffer where tmux runs, else the terminal's own through OSC 52.
//!
//! tmux drops OSC 52 from programs by default, so its own command comes first. Nothing is asked of the terminal, so that
//! a terminal which forbids it cannot be told from one which obeys; the message says what was tried.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::text::fit;

/// Longest text that is copied, in bytes: some terminals ignore longer sequences.
pub const COPY_CAP: usize = 8_192;

/// Most cells of it that are told back.
const MOST_TOLD: usize = 60;

/// How a text is brought to the clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `tmux load-buffer -w -`.
    Tmux,
    /// OSC 52 wrapped for GNU screen.
    Screen,
    /// OSC 52 (XTerm Control Sequences, *Manipulate Selection Data*).
    Terminal,
}

impl Way {
    /// Picks the way by the environment.
    pub fn of(variable: impl Fn(&str) -> bool) -> Self {
        if variable("TMUX") {
            Self::Tmux
        } else if variable("STY") {
            Self::Screen
        } else {
            Self::Terminal
        }
    }

    /// Says where a text went, and how it begins.
    pub fn copied(self, text: &str) -> String {
        let text = fit(text, MOST_TOLD, "...");
        match self {
            Self::Tmux => format!("copied {text} to tmux's buffer"),
            Self::Screen | Self::Terminal => {
                format!("copied {text} (OSC 52; a terminal may refuse)")
            }
        }
    }
}

/// Returns the bytes that ask a terminal to take a text; control characters in it cannot reach the terminal as such.
pub fn sequence(text: &str, way: Way) -> Vec<u8> {
    let encoded = STANDARD.encode(text);
    match way {
        Way::Screen => format!("\x1bP\x1b]52;c;{encoded}\x07\x1b\\"),
        Way::Tmux | Way::Terminal => format!("\x1b]52;c;{encoded}\x07"),
    }
    .into_bytes()
}

/// Returns the way in force.
pub fn way() -> Way {
    Way::of(|name| std::env::var_os(name).is_some())
}

/// Returns a text as it may be copied: bounded, and on one line, as nobody wants a pasted id to run a command.
pub fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    while line.len() > COPY_CAP {
        line.pop();
    }
    line
}

/// Asks the terminal to take a text.
pub fn to_terminal(text: &str, way: Way) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(&sequence(&one_line(text), way))?;
    out.flush()
}

/// Puts a text into tmux's buffer. Waits for tmux, so it belongs into a task of its own.
pub fn to_tmux(text: &str) -> io::Result<()> {
    let mut child = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(one_line(text).as_bytes())?;
    }
    match child.wait()?.success() {
        true => Ok(()),
        false => Err(io::Error::other("tmux did not take it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmux_first_then_screen_then_the_terminal() {
        let with = |set: &'static [&'static str]| Way::of(move |name| set.contains(&name));
        assert_eq!(with(&["TMUX", "STY"]), Way::Tmux);
        assert_eq!(with(&["STY"]), Way::Screen);
        assert_eq!(with(&[]), Way::Terminal);
    }

    #[test]
    fn no_byte_of_the_text_reaches_the_terminal_as_it_is() {
        let bytes = sequence("a\x1b]0;pwned\x07", Way::Terminal);
        assert_eq!(one_line("a\nb"), "a b");
        assert!(one_line(&"é".repeat(COPY_CAP)).len() <= COPY_CAP);
        assert_eq!(bytes, b"\x1b]52;c;YRtdMDtwd25lZAc=\x07");
        let wrapped = sequence("a", Way::Screen);
        assert!(wrapped.starts_with(b"\x1bP") && wrapped.ends_with(b"\x1b\\"));
    }
}
