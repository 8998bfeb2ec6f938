//! JSON for terminals: what a terminal could obey, or nobody could see, is written as JSON's own escapes.

use std::io::{self, Write};

use crate::domain::text::is_unseen;

/// Passes JSON on with such characters as `\uXXXX`. In JSON they can stand nowhere but in strings, so the value stays the
/// same. Bytes that are not UTF-8 pass as they are.
pub struct JsonOut<W: Write> {
    out: W,
    /// The beginning of a character whose rest has not come yet.
    begun: Vec<u8>,
}

impl<W: Write> JsonOut<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            begun: Vec::new(),
        }
    }

    fn pass(&mut self, text: &str) -> io::Result<()> {
        let mut from = 0;
        for (at, c) in text.char_indices() {
            if c == '\n' || !is_unseen(c) {
                continue;
            }
            self.out.write_all(&text.as_bytes()[from..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(self.out, "\\u{unit:04x}")?;
            }
            from = at + c.len_utf8();
        }
        self.out.write_all(&text.as_bytes()[from..])
    }
}

impl<W: Write> Write for JsonOut<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.pass(text)?;
                    return Ok(bytes.len());
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.pass(&String::from_utf8_lossy(good))?;
                    let Some(length) = error.error_len() else {
                        self.begun = bad.to_vec();
                        return Ok(bytes.len());
                    };
                    self.out.write_all(&bad[..length])?;
                    rest = &bad[length..];
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(pieces: &[&[u8]]) -> String {
        let mut bytes = Vec::new();
        let mut out = JsonOut::new(&mut bytes);
        for piece in pieces {
            out.write_all(piece).unwrap();
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_commands_or_hides_is_escaped_and_nothing_else() {
        let text = "{\"a\":\"x\u{9b}31m \u{202e} \u{e0041} Grüße\"}\n";
        let want = "{\"a\":\"x\\u009b31m \\u202e \\udb40\\udc41 Grüße\"}\n";
        assert_eq!(through(&[text.as_bytes()]), want);
        // Whatever way it is cut.
        for at in 0..text.len() {
            let (a, b) = text.as_bytes().split_at(at);
            assert_eq!(through(&[a, b]), want);
        }
    }

    proptest! {
        #[test]
        fn the_value_stays_the_same(text in any::<String>()) {
            let value = serde_json::json!({ "a": text });
            let written = through(&[value.to_string().as_bytes()]);
            prop_assert!(!written.chars().any(is_unseen));
            let read: serde_json::Value = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
