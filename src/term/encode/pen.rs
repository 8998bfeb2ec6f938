//! The style that the terminal prints with, and the shortest way to another (`SGR`, ECMA-48 section 8.3.117).

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

use super::ON_BLANKS;

/// A style as the terminal has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

/// Each modifier with what sets it and what takes it away. Bold and dim are taken away together.
const MODIFIERS: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

impl Pen {
    const fn of(cell: &Cell) -> Self {
        Self {
            fg: cell.fg,
            bg: cell.bg,
            modifier: cell.modifier,
        }
    }

    /// Tells whether a cell has this style.
    pub fn has(&self, cell: &Cell) -> bool {
        *self == Self::of(cell)
    }

    /// Tells whether a cell is blank and looks the same in this style.
    pub fn shows_blank(&self, cell: &Cell) -> bool {
        cell.symbol() == " "
            && cell.bg == self.bg
            && !cell.modifier.union(self.modifier).intersects(ON_BLANKS)
    }

    /// Takes a cell's style on.
    pub fn take(&mut self, cell: &Cell, out: &mut Vec<u8>) {
        self.become_(Self::of(cell), out);
    }

    /// Makes what is erased look like the default: terminals erase in the ground's colour.
    pub fn plain_ground(&mut self, out: &mut Vec<u8>) {
        let plain = Self {
            bg: Color::Reset,
            modifier: self.modifier.difference(ON_BLANKS),
            ..*self
        };
        self.become_(plain, out);
    }

    /// Goes back to the default.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.become_(Self::default(), out);
    }

    fn become_(&mut self, next: Self, out: &mut Vec<u8>) {
        if *self == next {
            return;
        }
        let mut afresh = Codes::default();
        afresh.add(0);
        afresh.change(Self::default(), next);
        let mut onwards = Codes::default();
        onwards.change(*self, next);
        let codes = match next == Self::default() {
            true => String::new(),
            false if onwards.0.len() <= afresh.0.len() => onwards.0,
            false => afresh.0,
        };
        out.extend_from_slice(b"\x1b[");
        out.extend_from_slice(codes.as_bytes());
        out.push(b'm');
        *self = next;
    }
}

/// Parameters of one sequence.
#[derive(Default)]
struct Codes(String);

impl Codes {
    fn add(&mut self, code: u8) {
        if !self.0.is_empty() {
            self.0.push(';');
        }
        self.0.push_str(&code.to_string());
    }

    fn all(&mut self, codes: &[u8]) {
        for code in codes {
            self.add(*code);
        }
    }

    fn change(&mut self, from: Pen, to: Pen) {
        let mut has = from.modifier;
        for (modifier, _, off) in MODIFIERS {
            if has.contains(modifier) && !to.modifier.contains(modifier) {
                self.add(off);
                for (gone, _, _) in MODIFIERS.iter().filter(|(_, _, other)| *other == off) {
                    has.remove(*gone);
                }
            }
        }
        for (modifier, on, _) in MODIFIERS {
            if to.modifier.contains(modifier) && !has.contains(modifier) {
                self.add(on);
            }
        }
        if from.fg != to.fg {
            self.color(to.fg, 30);
        }
        if from.bg != to.bg {
            self.color(to.bg, 40);
        }
    }

    /// Adds a colour; `base` is 30 for the text and 40 for the ground.
    fn color(&mut self, color: Color, base: u8) {
        let named = |n: u8| match n {
            0..8 => base + n,
            _ => base + 60 + n - 8,
        };
        let name = match color {
            Color::Reset => return self.add(base + 9),
            Color::Rgb(r, g, b) => return self.all(&[base + 8, 2, r, g, b]),
            Color::Indexed(n @ 16..) => return self.all(&[base + 8, 5, n]),
            Color::Indexed(n) => n,
            Color::Black => 0,
            Color::Red => 1,
            Color::Green => 2,
            Color::Yellow => 3,
            Color::Blue => 4,
            Color::Magenta => 5,
            Color::Cyan => 6,
            Color::Gray => 7,
            Color::DarkGray => 8,
            Color::LightRed => 9,
            Color::LightGreen => 10,
            Color::LightYellow => 11,
            Color::LightBlue => 12,
            Color::LightMagenta => 13,
            Color::LightCyan => 14,
            Color::White => 15,
        };
        self.add(named(name));
    }
}
