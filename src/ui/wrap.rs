//! Breaks lines that are too long, so that nothing which has to be read in full is cut off.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar;

/// Deepest hanging indent, in cells.
const DEEPEST: usize = 14;

/// Breaks one line into rows of at most `width` cells: at the last space where there is one, else anywhere. Further rows
/// hang two cells deeper than the first.
pub fn wrap(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    if width == 0 || line.width() <= width {
        return vec![line];
    }
    let cells: Vec<(char, Style)> = line
        .spans
        .iter()
        .flat_map(|span| {
            let style = line.style.patch(span.style);
            span.content.chars().map(move |c| (c, style))
        })
        .collect();
    let leading = cells.iter().take_while(|(c, _)| *c == ' ').count();
    let hang = (leading + 2).min(DEEPEST).min(width / 2);
    let mut rows = Vec::new();
    let mut rest = cells.as_slice();
    while !rest.is_empty() {
        let indent = if rows.is_empty() { 0 } else { hang };
        let fits = fitting(rest, width - indent);
        let (row, after) = rest.split_at(break_at(rest, fits, leading));
        rows.push(join(indent, row));
        let spaces = after.iter().take_while(|(c, _)| *c == ' ').count();
        rest = &after[spaces..];
    }
    rows
}

/// Breaks every line.
pub fn wrap_all(lines: Vec<Line<'static>>, width: usize) -> Vec<Line<'static>> {
    lines
        .into_iter()
        .flat_map(|line| wrap(line, width))
        .collect()
}

/// Returns how many characters fit, at least one.
fn fitting(cells: &[(char, Style)], width: usize) -> usize {
    let mut used = 0;
    let fits = cells.iter().take_while(|(c, _)| {
        used += c.width().unwrap_or(0);
        used <= width
    });
    fits.count().max(1)
}

/// Returns where to break: after the last space that fits, unless that leaves less than half a row.
fn break_at(cells: &[(char, Style)], fits: usize, leading: usize) -> usize {
    if fits >= cells.len() {
        return cells.len();
    }
    let space = cells[..=fits].iter().rposition(|(c, _)| *c == ' ');
    space
        .filter(|at| *at > leading && *at * 2 > fits)
        .unwrap_or(fits)
}

fn join(indent: usize, cells: &[(char, Style)]) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = vec![Span::raw(" ".repeat(indent))];
    for (c, style) in cells {
        match spans.last_mut() {
            Some(last) if last.style == *style => last.content.to_mut().push(*c),
            _ => spans.push(Span::styled(c.to_string(), *style)),
        }
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn rows(text: &str, width: usize) -> Vec<String> {
        wrap(Line::raw(text.to_owned()), width)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[rstest]
    #[case("short", 10, &["short"])]
    #[case("one two three", 8, &["one two", "  three"])]
    #[case("https://a.example/very/long", 10, &["https://a.", "  example/", "  very/lon", "  g"])]
    #[case("  indented words here", 14, &["  indented", "    words here"])]
    #[case("東京都東京都", 5, &["東京", "  都", "  東", "  京", "  都"])]
    fn breaks(#[case] text: &str, #[case] width: usize, #[case] want: &[&str]) {
        assert_eq!(rows(text, width), want);
    }

    proptest! {
        #[test]
        fn nothing_but_spaces_is_lost_and_nothing_is_too_wide(text in "[a-z東 ]{0,60}", width in 4_usize..30) {
            let rows = rows(&text, width);
            let squeeze = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(squeeze(&rows.concat()), squeeze(&text));
            prop_assert!(rows.iter().all(|r| crate::domain::text::cells(r) <= width));
        }
    }
}
