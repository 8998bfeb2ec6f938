//! From lines to a batch for the store.

use std::sync::LazyLock;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::Decoding;
use super::lines::{Line, Lines};
use crate::domain::text::{fit, seen};
use crate::intake::decode::{Contents, MAX_LINE, Undecodable, hex};
use crate::intake::store::{Accepted, Batch, Cursor, Refused};

/// Most lines, or alerts in arrays, in one batch, checked after each line. A batch waits for the disk twice.
pub(crate) const MOST_LINES: usize = 4_000;

/// Most of them in the first batch of a file: enough for a screen, which then has something to show at once.
pub(crate) const MOST_AT_FIRST: usize = 100;

/// Most bytes in one batch, checked after each line.
pub(crate) const MOST_BYTES: usize = 8 << 20;

/// Bytes kept of a document that is too long to be kept twice.
const KEPT_BEGINNING: usize = 4_096;

/// Longest reason kept, in terminal cells.
const LONGEST_REASON: usize = 400;

/// Fewer lines than this are not worth a second thread.
const FEW_LINES: usize = 500;

/// Cores from which on a second thread decodes. One reads, one stores, one shows: with fewer they are busy as it is, and
/// memory that another thread gives back costs more.
const CORES: usize = 4;

static HAS_CORES: LazyLock<bool> =
    LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|n| n.get() >= CORES));

/// Gathers lines and decodes them. What was gathered may be decoded by another thread, which calls [`Self::finish`].
#[derive(Debug)]
pub(crate) struct Builder {
    source: String,
    decoding: Decoding,
    batch: Batch,
    lines: usize,
    most_lines: usize,
    bytes: usize,
    /// Lines that are decoded together.
    waiting: Vec<Bytes>,
}

impl Builder {
    /// Starts an empty batch read at `observed`.
    pub fn new(source: &str, decoding: &Decoding, observed: Timestamp) -> Self {
        let batch = Batch {
            observed,
            ..Batch::default()
        };
        Self {
            source: source.to_owned(),
            decoding: decoding.clone(),
            batch,
            lines: 0,
            most_lines: MOST_LINES,
            bytes: 0,
            waiting: Vec::new(),
        }
    }

    /// Makes it full with so many lines.
    pub fn at_most(self, most_lines: usize) -> Self {
        Self { most_lines, ..self }
    }

    /// Takes as many lines as one batch holds out of what was read; at the end of the input also one without a line feed.
    pub fn of_lines(mut self, lines: &mut Lines, rest: &mut &[u8], is_end: bool) -> Batch {
        while !rest.is_empty() && !self.is_full() {
            let (taken, line) = lines.feed(rest);
            *rest = &rest[taken..];
            self.extend(line);
        }
        if is_end {
            self.extend(lines.flush());
        }
        self.finish()
    }

    /// Adds a line; blank ones count for nothing.
    pub fn add(&mut self, line: Line) {
        self.lines += 1;
        match line {
            Line::Whole(raw) if raw.trim_ascii().is_empty() => {}
            Line::Whole(raw) => {
                self.bytes += raw.len();
                self.waiting.push(raw);
            }
            Line::TooLong {
                beginning,
                length,
                sha256,
            } => {
                self.decode();
                let reason = reason(&Undecodable::TooLong { bytes: length });
                self.batch.refused.push(Refused {
                    raw: beginning,
                    length,
                    sha256,
                    reason,
                });
            }
        }
    }

    /// Adds a line if there is one.
    pub fn extend(&mut self, line: Option<Line>) {
        if let Some(line) = line {
            self.add(line);
        }
    }

    /// Tells whether the batch should be stored before more is read.
    pub const fn is_full(&self) -> bool {
        self.lines >= self.most_lines || self.bytes >= MOST_BYTES
    }

    /// Returns the source whose batch it is.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns how it decodes.
    pub const fn decoding(&self) -> &Decoding {
        &self.decoding
    }

    /// Returns when it was read.
    pub const fn observed(&self) -> Timestamp {
        self.batch.observed
    }

    /// Adds what was decoded elsewhere.
    pub fn merge(&mut self, batch: Batch) {
        self.decode();
        self.batch.accepted.extend(batch.accepted);
        self.batch.refused.extend(batch.refused);
    }

    /// Adds something that cannot be read.
    pub fn refuse(&mut self, refused: Refused) {
        self.decode();
        self.batch.refused.push(refused);
    }

    /// Says where reading goes on once the batch is stored.
    pub fn go_on_from(&mut self, cursor: Cursor) {
        self.batch.cursor = Some(cursor);
    }

    /// Tells whether there is nothing in it, neither to decode nor to put aside.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_empty()
    }

    /// Returns how many lines it has.
    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// Returns the batch.
    pub fn finish(mut self) -> Batch {
        self.decode();
        self.batch
    }

    /// Decodes the lines that wait, many of them on two threads where there are cores for it.
    fn decode(&mut self) {
        let lines = std::mem::take(&mut self.waiting);
        let (first, second) = match lines.len() {
            count if count >= FEW_LINES && *HAS_CORES => lines.split_at(count / 2),
            count => lines.split_at(count),
        };
        let decode = |lines: &[Bytes]| -> Vec<Result<Contents, Undecodable>> {
            lines.iter().map(|raw| self.peek(raw)).collect()
        };
        let contents = std::thread::scope(|scope| {
            let helper = std::thread::Builder::new().name("decode".to_owned());
            let other = match second {
                [] => None,
                second => helper.spawn_scoped(scope, move || decode(second)).ok(),
            };
            let mut contents = decode(first);
            // Without a thread, or with one that died, it is decoded here.
            let rest = other.and_then(|other| other.join().ok());
            contents.extend(rest.unwrap_or_else(|| decode(second)));
            contents
        });
        for (raw, contents) in lines.into_iter().zip(contents) {
            self.take(raw, contents);
        }
    }

    /// Decodes a line as it will be decoded when it is added, without adding it.
    pub fn peek(&self, raw: &[u8]) -> Result<Contents, Undecodable> {
        let format = self.decoding.format.as_deref();
        let decoders = &self.decoding.decoders;
        decoders.decode(format, raw, &self.source, self.batch.observed)
    }

    fn peek_document(&self, raw: &[u8]) -> Result<Contents, Undecodable> {
        let format = self.decoding.format.as_deref();
        let decoders = &self.decoding.decoders;
        decoders.decode_document(format, raw, &self.source, self.batch.observed)
    }

    fn take(&mut self, mut raw: Bytes, contents: Result<Contents, Undecodable>) {
        let (length, sha256) = (raw.len() as u64, || hex(&Sha256::digest(&raw)));
        let sha256 = match &contents {
            Ok(contents) if contents.rejected.is_empty() => String::new(),
            _ => sha256(),
        };
        let (alerts, problem) = match contents {
            Ok(mut contents) => {
                // What a scanner found is not kept a second time.
                raw = contents.redacted.take().map_or(raw, Bytes::from);
                let problem = contents.rejected.first().map(reason);
                let more = contents.rejected.len().saturating_sub(1);
                let problem = problem.map(|p| {
                    if more > 0 {
                        format!("{p} (and {more} more)")
                    } else {
                        p
                    }
                });
                (contents.into_alerts(), problem)
            }
            Err(error) => (Vec::new(), Some(reason(&error))),
        };
        if let Some(reason) = problem {
            // A long document with one bad element is not kept twice; its beginning is enough to find it.
            let kept = match raw.len() {
                0..=MAX_LINE => raw.to_vec(),
                _ => raw[..KEPT_BEGINNING].to_vec(),
            };
            self.batch.refused.push(Refused {
                raw: kept,
                length,
                sha256,
                reason,
            });
        }
        // One line of a hostile array can hold tens of thousands.
        self.lines += Vec::len(&alerts).saturating_sub(1);
        if !alerts.is_empty() {
            self.batch.accepted.push(Accepted { raw, alerts });
        }
    }
}

/// Reads items of an answer, each by itself. The bound of a batch is that of the answer.
pub(crate) fn of_items(
    source: &str,
    decoding: &Decoding,
    items: Vec<Vec<u8>>,
    observed: Timestamp,
) -> Batch {
    let mut builder = Builder::new(source, decoding, observed);
    for raw in items {
        let contents = builder.peek_document(&raw);
        builder.take(raw.into(), contents);
    }
    builder.finish()
}

/// Reads a body that somebody sent: one document, else lines if its first line is one.
pub(crate) fn of_body(
    source: &str,
    decoding: &Decoding,
    body: Vec<u8>,
    observed: Timestamp,
) -> Batch {
    let mut builder = Builder::new(source, decoding, observed);
    let whole = builder.peek_document(&body);
    let first = body
        .split(|b| *b == b'\n')
        .find(|l| !l.trim_ascii().is_empty());
    let is_lines = matches!(whole, Err(Undecodable::Json(_)))
        && first.is_some_and(|first| {
            first.len() < body.trim_ascii().len()
                && !matches!(builder.peek(first), Err(Undecodable::Json(_)))
        });
    if !is_lines {
        builder.take(body.into(), whole);
        return builder.finish();
    }
    let (mut lines, mut rest) = (super::lines::Lines::default(), body.as_slice());
    while !rest.is_empty() {
        let (taken, line) = lines.feed(rest);
        rest = &rest[taken..];
        builder.extend(line);
    }
    builder.extend(lines.flush());
    builder.finish()
}

fn reason(error: &Undecodable) -> String {
    fit(&seen(error.to_string()), LONGEST_REASON, "…")
}
