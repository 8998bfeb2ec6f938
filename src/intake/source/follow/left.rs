//! Files that were read to their end and left for the next one when they were renamed. Somebody may go on writing to them,
//! and what was read of them must not be taken for something new under another name.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use super::open::Open;
use crate::intake::source::batch::Builder;
use crate::intake::store::FileCursor;

/// Most files that are kept in mind.
const MOST: usize = 8;

/// Those files, the last one last.
#[derive(Debug, Default)]
pub(super) struct Left(VecDeque<Behind>);

#[derive(Debug)]
struct Behind {
    /// Up to where it was read.
    place: FileCursor,
    /// The file, as long as it has a name: nobody else would find what has none, and its space is wanted.
    open: Option<Open>,
}

impl Left {
    /// Keeps a file in mind that is left.
    pub fn add(&mut self, open: Open) -> io::Result<()> {
        // Its memory for what comes next is for the next file.
        open.rest();
        let place = open.cursor();
        let is_named = open.file.metadata()?.nlink() > 0;
        self.remember(place, is_named.then_some(open));
        Ok(())
    }

    /// Keeps a file in mind that an earlier process left, with what it is now if it was found.
    pub fn remember(&mut self, place: FileCursor, open: Option<Open>) {
        self.0.push_back(Behind { place, open });
        while self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// Returns up to where each was read.
    pub fn places(&self) -> impl Iterator<Item = &FileCursor> {
        self.0.iter().map(|behind| &behind.place)
    }

    /// Tells whether one of them has this description.
    pub fn has(&self, meta: &Metadata) -> bool {
        let mut open = self.0.iter().filter_map(|behind| behind.open.as_ref());
        open.any(|open| open.is(meta))
    }

    /// Reads what was written to them since. Tells whether a line was.
    pub fn read(&mut self, builder: &mut Builder) -> io::Result<bool> {
        let mut took_lines = false;
        for Behind { place, open } in &mut self.0 {
            let Some(file) = open else {
                continue;
            };
            let filled = file.fill(builder)?;
            file.rest();
            *place = file.cursor();
            took_lines |= filled.took_lines;
            if !filled.took_lines && file.file.metadata()?.nlink() == 0 {
                *open = None;
            }
            if builder.is_full() {
                break;
            }
        }
        Ok(took_lines)
    }
}
