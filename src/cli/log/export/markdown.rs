//! A timeline that says nothing but what stands in the records.

use std::fmt::Write as _;

use crate::domain::decision::Decisions;
use crate::domain::text::show;
use crate::journal::Line;

use crate::domain::words;

/// Writes a timeline.
pub fn timeline(lines: &[&Line], decisions: &Decisions) -> Vec<u8> {
    let mut text = String::from("# Timeline\n\n");
    text.push_str(
        "Times are UTC. Each record is line *number* of the signed log of its writer.\n\n",
    );
    table(lines, decisions, &mut text);
    text.into_bytes()
}

/// Writes the records as a table.
pub fn table(lines: &[&Line], decisions: &Decisions, text: &mut String) {
    text.push_str("| Time | Who | What | Record |\n|---|---|---|---|\n");
    for line in lines {
        let entry = &line.entry;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {:.3} | {} | {} | {} {} |",
            entry.ts,
            escape(&entry.actor),
            escape(&words::summary(entry, decisions)),
            escape(&entry.log),
            entry.seq
        );
    }
}

/// Makes text that no Markdown or HTML reader takes for markup, on one line.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in show(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|'
            | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    // A bare address would become a link.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a|b", "a\\|b")]
    #[case("<img src=x>", "&lt;img src=x&gt;")]
    #[case("[x](http://evil)", "\\[x\\]\\(http&#58;//evil\\)")]
    #[case("`id`", "\\`id\\`")]
    fn escapes(#[case] text: &str, #[case] want: &str) {
        assert_eq!(escape(text), want);
    }

    proptest! {
        #[test]
        fn nothing_ends_the_cell(text in any::<String>()) {
            let out = escape(&text);
            prop_assert!(!out.contains(['\n', '\r', '<', '>']));
            // Every special character has an odd number of backslashes before it.
            let mut slashes = 0;
            for c in out.chars() {
                if matches!(c, '|' | '`' | '[' | '*') {
                    prop_assert_eq!(slashes % 2, 1);
                }
                slashes = if c == '\\' { slashes + 1 } else { 0 };
            }
        }
    }
}
