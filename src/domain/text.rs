//! The one edge at which text from outside becomes drawable.
//!
//! Whoever controls an alert's text may be the intruder. A terminal obeys control characters, reorders text at bidi
//! marks and hides zero-width ones, so [`show`] turns each of these into a visible ASCII escape `\u{202e}`. The result
//! is injective: two different inputs never look the same, because a literal `\u{` in the input is escaped too.
//! [`Untrusted`] has no `Display`, so text cannot reach a screen, a log line or a shell without passing here.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_width::UnicodeWidthChar;

use super::small::Small;

/// Text that somebody outside chose. Only [`Untrusted::show`] yields something drawable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(Small);

impl Untrusted {
    /// Takes text as it came.
    pub fn new(raw: impl Into<Small>) -> Self {
        Self(raw.into())
    }

    /// Returns the text with everything invisible or commanding made visible. See the module page.
    pub fn show(&self) -> Cow<'_, str> {
        show(&self.0)
    }

    /// Returns the bytes as they came, for hashing, storing and comparing; never for drawing.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Tells whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Untrusted({:?})", self.show())
    }
}

impl From<&str> for Untrusted {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

/// Marks per base character beyond which stacked combining marks are escaped: two covers every living script.
const MOST_MARKS: usize = 2;

/// Returns `raw` with every control, format, bidi, zero-width, private-use, unassigned and separator character, and
/// every combining mark beyond the second on one base, written as `\u{hex}`.
pub fn show(raw: &str) -> Cow<'_, str> {
    // Plain ASCII is the common case and needs no copy.
    if raw.bytes().all(|b| (0x20..0x7f).contains(&b)) && !raw.contains("\\u{") {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len() + 16);
    let mut marks = 0;
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        let mark = is_mark(c);
        marks = if mark { marks + 1 } else { 0 };
        let fake_escape = c == '\\' && rest.as_str().starts_with("u{");
        if fake_escape || is_unseen(c) || marks > MOST_MARKS {
            push_escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Returns text that should be shown text already with whatever is not escaped yet; unlike [`show`] it leaves shown text
/// as it is. For the edges of the screen, where one forgotten [`show`] must not be enough to reach the terminal.
pub fn seen(text: impl Into<String>) -> String {
    let text = text.into();
    if !text.chars().any(is_unseen) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) {
            push_escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns `raw` with every non-ASCII character escaped as well: for names that an action targets, where a Cyrillic
/// homoglyph must not pass for its Latin twin.
pub fn show_identifier(raw: &str) -> Cow<'_, str> {
    let shown = show(raw);
    if shown.is_ascii() {
        return shown;
    }
    let mut out = String::with_capacity(shown.len() + 16);
    for c in shown.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            push_escape(&mut out, c);
        }
    }
    Cow::Owned(out)
}

/// Cuts shown text to at most `width` terminal cells, ending in `ellipsis` when something was cut.
pub fn fit(shown: &str, width: usize, ellipsis: &str) -> String {
    if cells(shown) <= width {
        return shown.to_owned();
    }
    let room = width.saturating_sub(cells(ellipsis));
    let mut used = 0;
    let mut out = String::new();
    for c in shown.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > room {
            break;
        }
        used += w;
        out.push(c);
    }
    if cells(ellipsis) <= width {
        out.push_str(ellipsis);
    }
    out
}

/// Returns how many terminal cells shown text takes.
pub fn cells(shown: &str) -> usize {
    shown.chars().map(|c| c.width().unwrap_or(0)).sum()
}

fn push_escape(out: &mut String, c: char) {
    use std::fmt::Write as _;
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

fn is_mark(c: char) -> bool {
    matches!(
        get_general_category(c),
        GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
    )
}

/// Tells whether a terminal could obey a character, or nobody could see it.
pub fn is_unseen(c: char) -> bool {
    if c == ' ' || c.is_ascii_graphic() {
        return false;
    }
    matches!(
        get_general_category(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    ) || is_invisible_letter(c)
        || is_variation_selector(c)
}

/// Fillers that Unicode files under letters but that draw as nothing.
fn is_invisible_letter(c: char) -> bool {
    matches!(
        c,
        '\u{115f}'
            | '\u{1160}'
            | '\u{3164}'
            | '\u{ffa0}'
            | '\u{2800}'
            | '\u{034f}'
            | '\u{17b4}'
            | '\u{17b5}'
    )
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180f}')
}

/// Says how many of something there are.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("svc-deploy", "svc-deploy")]
    #[case("a\x1b]0;pwned\x07b", r"a\u{1b}]0;pwned\u{7}b")]
    #[case("good\revil", r"good\u{d}evil")]
    #[case("admin\u{202e}gpj.exe", r"admin\u{202e}gpj.exe")]
    #[case("zero\u{200b}width", r"zero\u{200b}width")]
    #[case("c1 \u{9b}31m", r"c1 \u{9b}31m")]
    #[case(r"\u{202e}", r"\u{5c}u{202e}")]
    #[case(r"DOMAIN\user", r"DOMAIN\user")]
    #[case("Grüße 東京", "Grüße 東京")]
    #[case("e\u{301}\u{301}\u{301}", "e\u{301}\u{301}\\u{301}")]
    #[case("tag\u{e0041}", r"tag\u{e0041}")]
    #[case("hangul\u{3164}filler", r"hangul\u{3164}filler")]
    fn shows_what_is_there(#[case] raw: &str, #[case] shown: &str) {
        assert_eq!(show(raw), shown);
    }

    #[test]
    fn what_is_shown_already_stays_as_it_is() {
        for raw in ["a\x1b]0;x\x07\u{202e}b\u{2028}", r"\u{202e}", "Grüße 東京"] {
            let shown = show(raw).into_owned();
            assert_eq!(seen(shown.as_str()), shown);
        }
        assert_eq!(seen("a\u{202e}b"), r"a\u{202e}b");
    }

    #[test]
    fn identifiers_show_homoglyphs() {
        assert_eq!(show_identifier("\u{430}dmin"), r"\u{430}dmin");
    }

    #[rstest]
    #[case("abcdef", 4, "abc…")]
    #[case("abcd", 4, "abcd")]
    #[case("東京都", 4, "東…")]
    #[case("abc", 0, "")]
    fn fits_by_cells(#[case] text: &str, #[case] width: usize, #[case] want: &str) {
        assert_eq!(fit(text, width, "…"), want);
    }

    proptest! {
        #[test]
        fn never_lets_a_command_through(raw in any::<String>()) {
            let shown = show(&raw);
            prop_assert!(!shown.chars().any(char::is_control));
            let hidden = shown.contains(['\u{202e}', '\u{200b}', '\u{2028}', '\u{feff}']);
            prop_assert!(!hidden);
        }

        #[test]
        fn never_shows_two_names_alike(a in ".{0,8}|(\\\\u\\{[0-9a-f]{1,4}\\}){0,2}|[\u{200b}\u{202e}\\\\u{}0-9a-f]{0,12}",
                                       b in ".{0,8}|(\\\\u\\{[0-9a-f]{1,4}\\}){0,2}|[\u{200b}\u{202e}\\\\u{}0-9a-f]{0,12}") {
            prop_assert_eq!(a == b, show(&a) == show(&b));
        }
    }
}
