//! Cutting a byte stream into lines, with bounded memory.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::intake::decode::{MAX_LINE, hex};

/// Bytes kept of a line that is too long.
const KEPT_BEGINNING: usize = 4_096;

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line of acceptable length.
    Whole(Bytes),
    /// A line longer than [`MAX_LINE`].
    TooLong {
        /// Its first bytes.
        beginning: Vec<u8>,
        /// Its length.
        length: u64,
        /// SHA-256 of all of it, hex.
        sha256: String,
    },
}

/// Holds the line that is not finished yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
    long: Option<Long>,
    pending: u64,
}

#[derive(Debug)]
struct Long {
    beginning: Vec<u8>,
    hasher: Sha256,
}

impl Lines {
    /// Takes bytes up to and including the first line end and returns how many it took, with the line if one ended.
    /// Takes all when no line ends in them.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Line>) {
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        self.hold(part);
        match end {
            Some(end) => (end + 1, Some(self.finish())),
            None => (bytes.len(), None),
        }
    }

    /// Does the same from a place on in bytes that lines may share: one that lies in them as a whole is not copied.
    pub fn feed_shared(&mut self, bytes: &Bytes, from: usize) -> (usize, Option<Line>) {
        let rest = bytes.get(from..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(end) if self.pending == 0 && end <= MAX_LINE => {
                let line = bytes.slice(from..from + end);
                (end + 1, Some(Line::Whole(line)))
            }
            _ => self.feed(rest),
        }
    }

    /// Returns the unfinished line, as far as it is held in memory.
    pub fn peek(&self) -> Option<&[u8]> {
        (self.long.is_none() && !self.partial.is_empty()).then_some(&self.partial)
    }

    /// Ends the unfinished line, if there is one.
    pub fn flush(&mut self) -> Option<Line> {
        (self.pending > 0).then(|| self.finish())
    }

    fn hold(&mut self, part: &[u8]) {
        self.pending += part.len() as u64;
        if let Some(long) = &mut self.long {
            long.hasher.update(part);
        } else if self.pending > MAX_LINE as u64 {
            let mut hasher = Sha256::new_with_prefix(&self.partial);
            hasher.update(part);
            let mut beginning = std::mem::take(&mut self.partial);
            let room = KEPT_BEGINNING.saturating_sub(beginning.len());
            beginning.extend_from_slice(&part[..part.len().min(room)]);
            beginning.truncate(KEPT_BEGINNING);
            beginning.shrink_to_fit();
            self.long = Some(Long { beginning, hasher });
        } else {
            self.partial.extend_from_slice(part);
        }
    }

    fn finish(&mut self) -> Line {
        let length = std::mem::take(&mut self.pending);
        match self.long.take() {
            Some(long) => Line::TooLong {
                beginning: long.beginning,
                length,
                sha256: hex(&long.hasher.finalize()),
            },
            None => Line::Whole(std::mem::take(&mut self.partial).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(bytes: &[u8], chunk: usize) -> (Vec<Line>, Lines) {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for mut part in bytes.chunks(chunk) {
            while !part.is_empty() {
                let (taken, line) = lines.feed(part);
                part = &part[taken..];
                found.extend(line);
            }
        }
        (found, lines)
    }

    #[test]
    fn a_line_too_long_is_hashed_not_kept() {
        let mut bytes = vec![b'x'; MAX_LINE + 1];
        let sha256 = hex(&Sha256::digest(&bytes));
        bytes.extend_from_slice(b"\nnext\n");
        for chunk in [1 << 16, bytes.len()] {
            let (found, lines) = cut(&bytes, chunk);
            let beginning = vec![b'x'; KEPT_BEGINNING];
            let length = MAX_LINE as u64 + 1;
            let long = Line::TooLong {
                beginning,
                length,
                sha256: sha256.clone(),
            };
            assert_eq!(found, [long, Line::Whole(b"next".to_vec().into())]);
            assert_eq!(lines.pending, 0);
        }
        let (found, _) = cut(&bytes[1..], 1 << 16);
        assert!(matches!(&found[0], Line::Whole(line) if line.len() == MAX_LINE));
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(text in "[a\n]{0,60}", chunk in 1_usize..9) {
            let (found, mut lines) = cut(text.as_bytes(), chunk);
            let mut all: Vec<Line> = found;
            all.extend(lines.flush());
            let want: Vec<Line> = text.split_terminator('\n').map(|l| Line::Whole(l.as_bytes().to_vec().into())).collect();
            prop_assert_eq!(all, want);
        }
    }
}
