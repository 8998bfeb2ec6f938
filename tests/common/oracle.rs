//! Judges bytes as a terminal would read them: everything that does more than print is listed, and most of it is wrong.

use vte::{Params, Parser, Perform};

/// What bytes did besides printing plain characters.
#[derive(Default)]
pub struct Heard {
    /// Each as it would be written in a report.
    pub wrong: Vec<String>,
    frame: bool,
}

/// Reads lines of plain output: nothing but characters and line ends.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    hear(bytes, false)
}

/// Reads a frame of the console: colours, places and the brackets of a frame.
pub fn frame(bytes: &[u8]) -> Vec<String> {
    hear(bytes, true)
}

fn hear(bytes: &[u8], frame: bool) -> Vec<String> {
    let mut heard = Heard {
        frame,
        ..Heard::default()
    };
    Parser::new().advance(&mut heard, bytes);
    heard.wrong
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

impl Perform for Heard {
    fn print(&mut self, c: char) {
        if is_unseen(c) {
            self.wrong.push(format!("character {c:?}"));
        }
    }

    fn execute(&mut self, byte: u8) {
        if self.frame || byte != b'\n' {
            self.wrong.push(format!("control {byte:#04x}"));
        }
    }

    fn csi_dispatch(&mut self, params: &Params, between: &[u8], ignore: bool, action: char) {
        let numbers: Vec<u16> = params.iter().flatten().copied().collect();
        let allowed = match (between, action) {
            ([], 'm' | 'H' | 'C' | 'r' | 'L' | 'M' | 'J' | 'K' | 'X') => true,
            ([b'?'], 'h' | 'l') => numbers.iter().all(|n| [25, 2026].contains(n)),
            _ => false,
        };
        if !self.frame || ignore || !allowed {
            let between = String::from_utf8_lossy(between);
            self.wrong.push(format!("CSI {between}{numbers:?}{action}"));
        }
    }

    fn esc_dispatch(&mut self, between: &[u8], _ignore: bool, byte: u8) {
        self.wrong.push(format!("ESC {between:?} {byte:#04x}"));
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _bell: bool) {
        let first = params
            .first()
            .map(|p| String::from_utf8_lossy(p).into_owned());
        self.wrong.push(format!("OSC {first:?}"));
    }

    fn hook(&mut self, _params: &Params, _between: &[u8], _ignore: bool, action: char) {
        self.wrong.push(format!("DCS {action}"));
    }
}
