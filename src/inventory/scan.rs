//! Finding the values in a JSON text one by one, with their lines, so that one broken entry costs nothing but itself.
//!
//! Nothing is checked here but brackets and quotes; what a piece holds is for the parser, which gets each alone.

/// A stretch of the text that holds one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'t> {
    /// The key before it, as it is written between its quotes; empty in a list.
    pub key: &'t str,
    /// The value, as it is written.
    pub text: &'t str,
    /// The line of the text in which it begins, counted from 1.
    pub line: usize,
}

impl<'t> Piece<'t> {
    /// Tells whether it is a list.
    pub fn is_list(&self) -> bool {
        self.text.starts_with('[')
    }

    /// Tells whether it is an object.
    pub fn is_object(&self) -> bool {
        self.text.starts_with('{')
    }

    /// Returns what is in a list or an object; nothing of any other value.
    pub fn inside(&self) -> Pieces<'t> {
        let has_keys = self.is_object();
        if !has_keys && !self.is_list() {
            return values("");
        }
        let last = self.text.len().saturating_sub(1);
        let is_closed = last > 0 && self.text.ends_with([']', '}']);
        let text = &self.text[1..if is_closed { last } else { last + 1 }];
        Pieces {
            text,
            at: 0,
            line: self.line,
            has_keys,
        }
    }
}

/// Returns the values that stand one after the other in a text: one document, or one a line.
pub(super) fn values(text: &str) -> Pieces<'_> {
    Pieces {
        text,
        at: 0,
        line: 1,
        has_keys: false,
    }
}

/// See [`values`].
#[derive(Clone, Debug)]
pub(super) struct Pieces<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    has_keys: bool,
}

impl<'t> Pieces<'t> {
    /// Goes to the next byte that is neither blank nor one of `over`.
    fn skip(&mut self, over: &[u8]) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                byte if over.contains(byte) => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    /// Takes the value that begins here.
    fn take(&mut self) -> &'t str {
        let bytes = self.text.as_bytes();
        let (start, mut depth, mut is_quoted) = (self.at, 0_usize, false);
        while let Some(&byte) = bytes.get(self.at) {
            if byte == b'\n' {
                self.line += 1;
            }
            if is_quoted {
                match byte {
                    b'\\' => self.at += 1,
                    b'"' => {
                        is_quoted = false;
                        if depth == 0 {
                            self.at += 1;
                            break;
                        }
                    }
                    _ => {}
                }
                self.at += 1;
                continue;
            }
            match byte {
                b'"' if depth == 0 && self.at > start => break,
                b'"' => is_quoted = true,
                b'{' | b'[' if depth == 0 && self.at > start => break,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => {
                    // Counted again when it is skipped.
                    self.line -= usize::from(byte == b'\n');
                    break;
                }
                _ => {}
            }
            self.at += 1;
        }
        // Something must be taken, or nothing would ever end.
        self.at = self.at.max(start + 1).min(bytes.len());
        // An escape at the very end may leave the middle of a character.
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        self.skip(b",");
        if self.at >= self.text.len() {
            return None;
        }
        let mut key = "";
        if self.has_keys {
            key = self.take().trim_matches('"');
            self.skip(b":");
        }
        let line = self.line;
        // One that was cut off goes to the end of the text, blanks and all.
        let text = self.take().trim_end();
        Some(Piece { key, text, line })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_have_lines_and_keys() {
        let text = "{\"a\": 1}\n[{\n \"b\": [\"}\", \"\\\"\"], \"c\":{\"d\" : null} },\n 3 ]";
        let tops: Vec<Piece<'_>> = values(text).collect();
        assert_eq!(tops.len(), 2);
        assert_eq!((tops[0].line, tops[1].line), (1, 2));
        let inside: Vec<Piece<'_>> = tops[1].inside().collect();
        assert_eq!((inside[0].line, inside[1].line), (2, 4));
        assert_eq!(inside[1].text, "3");
        let fields: Vec<(&str, &str)> = inside[0].inside().map(|p| (p.key, p.text)).collect();
        assert_eq!(
            fields,
            [("b", "[\"}\", \"\\\"\"]"), ("c", "{\"d\" : null}")]
        );
    }

    #[test]
    fn a_text_that_was_cut_off_ends() {
        for text in [
            "[{\"a\":\"b",
            "{\"a\":",
            "{\"a\"",
            "[",
            "{",
            "\"\\",
            "}",
            "]]",
            "{\"é\\",
        ] {
            for top in values(text) {
                let inside: Vec<_> = top.inside().collect();
                assert!(inside.len() <= 2, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_text_ends(text in "[\\[\\]{}\",:\\\\a\né ]{0,60}") {
            let mut seen = 0;
            for top in values(&text) {
                prop_assert!(!top.text.is_empty());
                seen += top.inside().count() + 1;
                prop_assert!(top.line <= text.matches('\n').count() + 1);
            }
            prop_assert!(seen <= 2 * text.len() + 1);
        }

        #[test]
        fn what_is_json_comes_apart_as_the_parser_says(list in prop::collection::vec("[a-z\"\\\\{\\[\\]},:\n é]{0,12}", 0..8)) {
            let value = serde_json::json!({ "k": list, "n": { "m": list } });
            for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
                let top = values(&text).next().unwrap();
                prop_assert_eq!(top.text, &text);
                let field = top.inside().next().unwrap();
                let got: Vec<String> = field.inside().map(|p| serde_json::from_str(p.text).unwrap()).collect();
                prop_assert_eq!(&got, &list);
            }
        }
    }
}
