//! Rows that are on the screen already, only higher or lower: a list that was scrolled.

use std::hash::BuildHasher as _;
use std::io::Write as _;

use ratatui::buffer::{Buffer, Cell};

/// Fewer rows than this are sooner written than moved.
const LEAST: usize = 3;

/// Rows that the terminal is to move.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    /// The first row of the region, from 0.
    top: u16,
    /// The last row of the region.
    bottom: u16,
    /// How far up; down when negative.
    up: i16,
}

/// Finds the most rows that only moved, by whole widths of the screen.
pub fn rows(before: &Buffer, after: &Buffer) -> Option<Moved> {
    let changed = rows_of(before).zip(rows_of(after));
    let changed: Vec<bool> = changed.map(|(old, new)| old != new).collect();
    // Most frames change a row or two, and cost nothing more here.
    if changed.iter().filter(|c| **c).count() < LEAST {
        return None;
    }
    let (old, new) = (hashes(before), hashes(after));
    let height = changed.len();
    let mut best: Option<(i32, Moved)> = None;
    for distance in 1..height {
        for is_up in [true, false] {
            // Row `to` of the new frame was row `from` of the old one.
            let gain = |i: usize| {
                let (from, to) = match is_up {
                    true => (i + distance, i),
                    false => (i, i + distance),
                };
                match (old[from] == new[to], changed[to]) {
                    (true, true) => 1,
                    // It stands there already, and would be moved away.
                    (false, false) => -1,
                    _ => 0,
                }
            };
            let (mut begin, mut won) = (0, 0);
            for i in 0..height - distance {
                won += gain(i);
                if won <= 0 {
                    (begin, won) = (i + 1, 0);
                } else if won >= LEAST as i32 && best.as_ref().is_none_or(|(most, _)| won > *most) {
                    let up = distance as i16;
                    let moved = Moved {
                        top: begin as u16,
                        bottom: (i + distance) as u16,
                        up: if is_up { up } else { -up },
                    };
                    best = Some((won, moved));
                }
            }
        }
    }
    best.map(|(_, moved)| moved)
}

impl Moved {
    /// Does to a buffer what the terminal does.
    pub fn apply(&self, buffer: &mut Buffer) {
        let width = usize::from(buffer.area.width);
        let (first, end) = (
            usize::from(self.top) * width,
            (usize::from(self.bottom) + 1) * width,
        );
        let region = &mut buffer.content[first..end];
        let by = usize::from(self.up.unsigned_abs()) * width;
        let bare = if self.up > 0 {
            region.rotate_left(by);
            let kept = region.len() - by;
            &mut region[kept..]
        } else {
            region.rotate_right(by);
            &mut region[..by]
        };
        bare.fill(Cell::EMPTY);
    }

    /// Makes the terminal do it: lines of a region are taken out at its top, or put in. The cursor is anywhere after that.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (top, bottom) = (self.top + 1, self.bottom + 1);
        let (by, act) = (self.up.unsigned_abs(), if self.up > 0 { 'M' } else { 'L' });
        // A vector takes everything.
        let _ = write!(out, "\x1b[{top};{bottom}r\x1b[{top}H\x1b[{by}{act}\x1b[r");
    }
}

fn rows_of(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    let width = usize::from(buffer.area.width).max(1);
    buffer.content.chunks(width)
}

fn hashes(buffer: &Buffer) -> Vec<u64> {
    let state = foldhash::quality::FixedState::default();
    rows_of(buffer).map(|row| state.hash_one(row)).collect()
}
