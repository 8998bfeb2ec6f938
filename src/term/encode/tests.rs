use std::num::NonZeroU16;

use proptest::prelude::*;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::*;

const WIDTH: u16 = 24;
const HEIGHT: u16 = 9;

fn empty() -> Buffer {
    Buffer::empty(Rect::new(0, 0, WIDTH, HEIGHT))
}

/// What a terminal shows that is given these frames one after the other.
fn shown(frames: &[Buffer]) -> (vt100::Parser, Vec<usize>) {
    let of = |n| NonZeroU16::new(n).unwrap();
    let mut parser = vt100::Parser::new(of(HEIGHT), of(WIDTH), 0);
    parser.process(b"\x1b[?7l");
    let (mut before, mut sizes) = (empty(), Vec::new());
    for after in frames {
        let mut out = Vec::new();
        frame(&before, after, &mut out);
        parser.process(&out);
        sizes.push(out.len());
        before = after.clone();
    }
    (parser, sizes)
}

fn color(color: Color) -> vt100::Color {
    match color {
        Color::Reset => vt100::Color::Default,
        Color::Red => vt100::Color::Idx(1),
        Color::White => vt100::Color::Idx(15),
        Color::Indexed(n) => vt100::Color::Idx(n),
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        other => panic!("{other:?} is in no test"),
    }
}

/// Tells cell by cell what is not as it should be.
fn wrong(parser: &vt100::Parser, want: &Buffer) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |x, y, what: String| wrong.push(format!("row {y} column {x}: {what}"));
    for y in 0..HEIGHT {
        let mut x = 0;
        while x < WIDTH {
            let (cell, found) = (&want[(x, y)], parser.screen().cell(y, x).unwrap());
            let text = if found.has_contents() {
                found.contents()
            } else {
                " "
            };
            if text != cell.symbol() {
                say(x, y, format!("{text:?} for {:?}", cell.symbol()));
            }
            let (reversed, underlined) = (found.inverse(), found.underline());
            let is = |modifier| cell.modifier.contains(modifier);
            if found.bgcolor() != color(cell.bg)
                || reversed != is(Modifier::REVERSED)
                || underlined != is(Modifier::UNDERLINED)
            {
                say(x, y, format!("the ground of {cell:?}"));
            }
            // The terminal of this test is either bold or dim.
            let both = is(Modifier::BOLD) && is(Modifier::DIM);
            let letter = found.fgcolor() == color(cell.fg)
                && (both || found.bold() == is(Modifier::BOLD))
                && (both || found.dim() == is(Modifier::DIM))
                && found.italic() == is(Modifier::ITALIC);
            // Nothing of that is seen of a blank.
            if text != " " && !letter {
                say(x, y, format!("the style of {cell:?}"));
            }
            x += if found.is_wide() { 2 } else { 1 };
        }
    }
    wrong
}

fn style() -> impl Strategy<Value = Style> {
    let colors = prop_oneof![
        4 => Just(Color::Reset),
        1 => Just(Color::Red),
        1 => Just(Color::White),
        1 => Just(Color::Indexed(200)),
        1 => Just(Color::Rgb(1, 2, 3)),
    ];
    let one = |m| prop_oneof![3 => Just(Modifier::empty()), 1 => Just(m)];
    let modifiers = (
        one(Modifier::BOLD),
        one(Modifier::DIM),
        one(Modifier::REVERSED),
        one(Modifier::UNDERLINED),
        one(Modifier::ITALIC),
    );
    (colors.clone(), colors, modifiers).prop_map(|(fg, bg, m)| {
        let modifier = m.0 | m.1 | m.2 | m.3 | m.4;
        Style::new().fg(fg).bg(bg).add_modifier(modifier)
    })
}

type Piece = (u16, u16, String, Style);

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let text = prop_oneof!["[a-c ]{1,14}", " {1,24}", "[a漢é─]{1,8}"];
    proptest::collection::vec((0..WIDTH, 0..HEIGHT, text, style()), 0..14)
}

fn drawn(mut buffer: Buffer, pieces: &[Piece]) -> Buffer {
    for (x, y, text, style) in pieces {
        buffer.set_string(*x, *y, text, *style);
    }
    buffer
}

proptest! {
    #[test]
    fn a_terminal_shows_every_frame_as_it_was_drawn(all in proptest::collection::vec((pieces(), any::<bool>()), 1..5)) {
        let mut frames = Vec::new();
        let mut last = empty();
        for (pieces, anew) in &all {
            last = drawn(if *anew { empty() } else { last }, pieces);
            frames.push(last.clone());
        }
        let (parser, _) = shown(&frames);
        prop_assert_eq!(wrong(&parser, &last), Vec::<String>::new());
        prop_assert_eq!(parser.screen().fgcolor(), vt100::Color::Default);
        prop_assert_eq!(parser.screen().bgcolor(), vt100::Color::Default);
    }

    #[test]
    fn a_list_that_is_scrolled_stays_right(by in -7_i32..8, from in 8_i32..20, head in pieces()) {
        let list = |first: i32| {
            let mut buffer = empty();
            for y in 1..HEIGHT - 1 {
                let n = first + i32::from(y);
                buffer.set_string(0, y, format!("row {n} of a long list {}", n * 7), Style::new());
            }
            buffer.set_string(0, 3, "selected", Style::new().add_modifier(Modifier::REVERSED));
            buffer
        };
        let frames = [drawn(list(from), &head), list(from + by)];
        let (parser, _) = shown(&frames);
        prop_assert_eq!(wrong(&parser, &frames[1]), Vec::<String>::new());
    }
}

#[test]
fn a_scrolled_list_costs_one_row() {
    let list = |first: u16| {
        let mut buffer = empty();
        for y in 0..HEIGHT {
            let text = format!("{:<24}", u32::from(first + y) * 7_919);
            buffer.set_string(0, y, text, Style::new());
        }
        buffer
    };
    let (parser, sizes) = shown(&[list(3), list(4)]);
    assert_eq!(wrong(&parser, &list(4)), Vec::<String>::new());
    assert!(sizes[1] < 40, "{sizes:?}");
}

#[test]
fn what_did_not_change_costs_nothing() {
    let text = drawn(empty(), &[(0, 0, "as before".to_owned(), Style::new())]);
    assert_eq!(shown(&[text.clone(), text]).1[1], 0);
}
