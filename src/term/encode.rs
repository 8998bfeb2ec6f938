//! From one frame to the next in few bytes: over a slow link the bytes of a key are its latency.
//!
//! Rows that only moved are moved by the terminal, blanks are erased instead of printed, short gaps are printed over, and of
//! two ways to change the style the shorter is taken. Only sequences of the VT102 and ECMA-48 erasure are used, which every
//! terminal and multiplexer knows (ECMA-48, 5th edition, sections 8.3.32 `DL`, 8.3.38 `ECH`, 8.3.41 `EL`, 8.3.67 `IL`,
//! 8.3.117 `SGR`; VT100 `DECSTBM`).

mod moved;
mod pen;

use std::io::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

use self::pen::Pen;

/// From so many blanks on, erasing them and going on behind is shorter than printing them.
const ERASED: usize = 10;

/// The longest gap that is printed over: going on behind it takes as many bytes.
const BRIDGED: u16 = 5;

/// Appends what turns `before`, which is on the screen, into `after`. Both cover the same area, and lines do not wrap
/// (`DECAWM` is off). The style is the default one before and after.
pub fn frame(before: &Buffer, after: &Buffer, out: &mut Vec<u8>) {
    let moved = moved::rows(before, after);
    let mut shifted;
    let before = match &moved {
        Some(moved) => {
            shifted = before.clone();
            moved.apply(&mut shifted);
            moved.write(out);
            &shifted
        }
        None => before,
    };
    let mut writer = Writer {
        after,
        pen: Pen::default(),
        at: None,
        out,
    };
    let mut changes = Vec::new();
    for y in after.area.rows().map(|row| row.y) {
        changed(before, after, y, &mut changes);
        writer.row(&changes, y);
    }
    writer.pen.end(out);
}

/// Finds the columns of a row that are to be printed. Whatever a wide character covered, or covers, is printed anew:
/// terminals do not agree on what is left of half a one.
fn changed(before: &Buffer, after: &Buffer, y: u16, columns: &mut Vec<u16>) {
    columns.clear();
    let (mut covered, mut unsure) = (0, 0);
    for x in after.area.left()..after.area.right() {
        let (old, new) = (&before[(x, y)], &after[(x, y)]);
        if covered == 0 && (old != new || unsure > 0) {
            columns.push(x);
        }
        let (was, is) = (width(old), width(new));
        covered = match covered {
            0 => is.saturating_sub(1),
            n => n - 1,
        };
        unsure = unsure.max(was).max(is).saturating_sub(1);
    }
}

fn width(cell: &Cell) -> usize {
    match cell.symbol() {
        symbol if symbol.len() == 1 => 1,
        symbol => symbol.width(),
    }
}

struct Writer<'b> {
    after: &'b Buffer,
    pen: Pen,
    /// Where the next character is printed, when that is known.
    at: Option<(u16, u16)>,
    out: &'b mut Vec<u8>,
}

impl Writer<'_> {
    /// Writes these columns of a row.
    fn row(&mut self, columns: &[u16], y: u16) {
        if columns.is_empty() {
            return;
        }
        let blank_from = self.blank_from(y);
        let mut rest = columns;
        while let Some(&x) = rest.first() {
            self.go(x, y);
            if x >= blank_from && rest.len() > 3 {
                self.pen.plain_ground(self.out);
                self.out.extend_from_slice(b"\x1b[K");
                return;
            }
            let run = rest.iter().zip(x..);
            let run = run.take_while(|(at, x)| *at == x && is_blank(&self.after[(*x, y)]));
            let run = run.count();
            if run >= ERASED {
                self.pen.plain_ground(self.out);
                self.print(format_args!("\x1b[{run}X"));
                rest = &rest[run..];
                continue;
            }
            self.cell(&self.after[(x, y)]);
            rest = &rest[1..];
        }
    }

    /// Returns from where on a row is blank to its end.
    fn blank_from(&self, y: u16) -> u16 {
        let area = self.after.area;
        let cells = (area.left()..area.right()).rev();
        let blank = cells.take_while(|x| is_blank(&self.after[(*x, y)]));
        area.right() - blank.count() as u16
    }

    /// Goes to a place, the shortest way.
    fn go(&mut self, x: u16, y: u16) {
        let from = self
            .at
            .filter(|(_, row)| *row == y)
            .map(|(column, _)| column);
        match from {
            Some(column) if column == x => {}
            Some(column) if column < x && x - column <= BRIDGED && self.bridges(column, x, y) => {
                for between in column..x {
                    let cell = &self.after[(between, y)];
                    self.out.extend_from_slice(cell.symbol().as_bytes());
                }
            }
            Some(column) if column < x => match x - column {
                1 => self.out.extend_from_slice(b"\x1b[C"),
                n => self.print(format_args!("\x1b[{n}C")),
            },
            _ if x == 0 => self.print(format_args!("\x1b[{}H", y + 1)),
            _ => self.print(format_args!("\x1b[{};{}H", y + 1, x + 1)),
        }
        self.at = Some((x, y));
    }

    /// Tells whether what stands between is printed with the pen as it is.
    fn bridges(&self, from: u16, to: u16, y: u16) -> bool {
        let mut between = (from..to).map(|x| &self.after[(x, y)]);
        between.all(|cell| {
            let symbol = cell.symbol();
            symbol.len() == 1 && (self.pen.has(cell) || self.pen.shows_blank(cell))
        })
    }

    fn cell(&mut self, cell: &Cell) {
        if !self.pen.shows_blank(cell) {
            self.pen.take(cell, self.out);
        }
        self.out.extend_from_slice(cell.symbol().as_bytes());
        // Terminals do not agree on how wide the others are, nor on where the cursor is behind the last column.
        let right = self.after.area.right();
        let next = self.at.map(|(x, y)| (x + 1, y));
        self.at = next.filter(|(x, _)| width(cell) == 1 && *x < right);
    }

    fn print(&mut self, text: std::fmt::Arguments<'_>) {
        // A vector takes everything.
        let _ = self.out.write_fmt(text);
    }
}

/// Tells whether erasing shows a cell as it is.
fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && cell.bg == Cell::EMPTY.bg && !cell.modifier.intersects(ON_BLANKS)
}

/// What is seen of a blank.
const ON_BLANKS: Modifier = Modifier::REVERSED
    .union(Modifier::UNDERLINED)
    .union(Modifier::CROSSED_OUT)
    .union(Modifier::SLOW_BLINK)
    .union(Modifier::RAPID_BLINK);

#[cfg(test)]
mod tests;
