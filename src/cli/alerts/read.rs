//! Reading files of alerts: JSON lines, one document, or either of them compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;

use super::decode::origin;
use crate::cli::progress::Work;
use crate::intake::decode::{
    Contents, Decoders, MAX_DOCUMENT, MAX_LINE, Undecodable, is_incomplete,
};
use crate::intake::source::lines::{Line, Lines};

/// Bytes that may come out of an archive before its ratio is looked at.
const FREE_BYTES: u64 = 16 << 20;

/// How much larger than the archive its content may be beyond that; logs shrink to a twentieth.
const MOST_RATIO: u64 = 200;

/// One piece of a file.
pub(super) enum Piece {
    /// A line.
    Line(Line),
    /// A whole file that is one JSON document.
    Document(Vec<u8>),
}

/// How pieces are decoded.
pub(super) struct Decoding<'d> {
    /// The decoders.
    pub decoders: &'d Decoders,
    /// The kind, or none to find it.
    pub format: Option<&'d str>,
    /// Name of the source.
    pub source: &'d str,
    /// Now.
    pub now: Timestamp,
}

impl Decoding<'_> {
    /// Decodes a piece; what is wrong with all of it is one reason among the rejected.
    pub fn contents(&self, piece: &Piece) -> Contents {
        let decoded = match piece {
            Piece::Line(Line::Whole(raw)) => self.line(raw),
            Piece::Line(Line::TooLong { length, .. }) => {
                Err(Undecodable::TooLong { bytes: *length })
            }
            Piece::Document(raw) => self.document(raw),
        };
        decoded.unwrap_or_else(|reason| Contents {
            rejected: vec![reason],
            ..Contents::default()
        })
    }

    fn line(&self, raw: &[u8]) -> Result<Contents, Undecodable> {
        self.decoders
            .decode(self.format, raw, self.source, self.now)
    }

    fn document(&self, raw: &[u8]) -> Result<Contents, Undecodable> {
        self.decoders
            .decode_document(self.format, raw, self.source, self.now)
    }

    /// Tells whether text is one document: it is one, or none of its lines is an alert of its own.
    fn is_document(&self, text: &[u8]) -> bool {
        let decoded = self.document(text);
        if !matches!(
            decoded,
            Err(Undecodable::Json(_) | Undecodable::NotUtf8 { .. } | Undecodable::TooLong { .. })
        ) {
            return true;
        }
        let is_alert = |line: &[u8]| self.line(line).is_ok_and(|c| !c.alerts.is_empty());
        text.len() <= MAX_LINE && !text.split(|b| *b == b'\n').any(is_alert)
    }
}

/// Cuts a file, or standard input for `-`, into pieces and hands each on with the line it began at, until the work is
/// to end. Returns whether it came to its end.
pub(super) fn each(
    path: &Path,
    decoding: &Decoding<'_>,
    work: &Work,
    sink: &mut dyn FnMut(Piece, usize) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let mut stopped = false;
    let mut take = |piece: Piece, number: usize| {
        stopped |= work.asked();
        match stopped {
            true => Err(Stopped.into()),
            false => sink(piece, number),
        }
    };
    let opened = if path.as_os_str() == "-" {
        unpacked(io::stdin().lock())
    } else {
        open(path, work)
    };
    let mut input = opened.with_context(|| format!("open {}", origin(path)))?;
    let done = pieces(&mut *input, decoding, &mut take);
    match done {
        Err(error) if !error.is::<Stopped>() => Err(error),
        _ => Ok(!stopped),
    }
}

/// Leaves the reading of a file.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

/// Returns how many bytes files have together, zero if one of them does not tell.
pub(super) fn bytes_of(files: &[PathBuf]) -> u64 {
    let sizes = files.iter().map(|path| {
        let found = path.metadata().ok().filter(std::fs::Metadata::is_file);
        found.map(|found| found.len())
    });
    sizes.sum::<Option<u64>>().unwrap_or(0)
}

fn open(path: &Path, work: &Work) -> io::Result<Box<dyn BufRead>> {
    let file = Metered {
        inner: File::open(path)?,
        read: work.counter(),
    };
    unpacked(BufReader::with_capacity(256 << 10, file))
}

/// Returns the content of input: what a gzip archive (RFC 1952) holds, else what it is.
fn unpacked<R: BufRead + 'static>(mut input: R) -> io::Result<Box<dyn BufRead>> {
    match input.fill_buf()? {
        [0x1f, 0x8b, ..] => {
            let counted = Counted {
                inner: input,
                count: 0,
            };
            let unpacked = Unpacked {
                inner: MultiGzDecoder::new(counted),
                out: 0,
            };
            Ok(Box::new(BufReader::with_capacity(256 << 10, unpacked)))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(io::Error::other(
            "a zstd archive, which is not unpacked here; use `zstd -dc FILE | stanch alerts decode -`",
        )),
        [b'P', b'K', 3, 4, ..] => Err(io::Error::other(
            "a zip archive, which is not unpacked here; unpack it first",
        )),
        _ => Ok(Box::new(input)),
    }
}

/// Cuts input into pieces and hands each on with the line it began at.
fn pieces(
    input: &mut dyn BufRead,
    decoding: &Decoding<'_>,
    sink: &mut dyn FnMut(Piece, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut start = Vec::new();
    let mut blank = 0;
    let first = loop {
        let before = start.len();
        let room = (MAX_LINE + 1 - before.min(MAX_LINE)) as u64;
        if (&mut *input).take(room).read_until(b'\n', &mut start)? == 0 {
            return Ok(());
        }
        if start[before..].trim_ascii().is_empty() && start.len() <= MAX_LINE {
            blank += 1;
        } else {
            break before;
        }
    };
    let is_long = start.len() > MAX_LINE && !start.ends_with(b"\n");
    let is_beginning = start.ends_with(b"\n") && is_incomplete(&start[first..]);
    if is_long || is_beginning {
        let room = (MAX_DOCUMENT + 1).saturating_sub(start.len()) as u64;
        (&mut *input).take(room).read_to_end(&mut start)?;
        for (from, to) in documents(&start).unwrap_or_default() {
            let number = 1 + memchr::memchr_iter(b'\n', &start[..from]).count();
            let part = start[from..to].to_vec();
            sink(Piece::Document(part), number)?;
            if to == start.trim_ascii_end().len() {
                return Ok(());
            }
        }
        if decoding.is_document(&start) {
            return sink(Piece::Document(start), blank + 1);
        }
    }
    lines(&mut start.as_slice().chain(input), sink)
}

/// Finds several documents that stand one after the other, each over several lines, as pretty printers write them.
fn documents(text: &[u8]) -> Option<Vec<(usize, usize)>> {
    let mut found = Vec::new();
    let mut stream =
        serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>();
    let mut from = 0;
    while let Some(next) = stream.next() {
        next.ok()?;
        let to = stream.byte_offset();
        let blank = text[from..to]
            .iter()
            .take_while(|b| b.is_ascii_whitespace());
        found.push((from + blank.count(), to));
        from = to;
    }
    (found.len() > 1).then_some(found)
}

fn lines(
    input: &mut dyn BufRead,
    sink: &mut dyn FnMut(Piece, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut lines = Lines::default();
    let mut number = 1;
    let mut hand_on = |line: Line, number| match line {
        Line::Whole(raw) if raw.trim_ascii().is_empty() => Ok(()),
        line => sink(Piece::Line(line), number),
    };
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let (taken, line) = lines.feed(chunk);
        input.consume(taken);
        if let Some(line) = line {
            hand_on(line, number)?;
            number += 1;
        }
    }
    match lines.flush() {
        Some(line) => hand_on(line, number),
        None => Ok(()),
    }
}

/// Tells how much of a file was read.
struct Metered {
    inner: File,
    read: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.count += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.inner.consume(amount);
    }
}

/// The content of an archive, refused when there is absurdly much of it.
struct Unpacked<R> {
    inner: MultiGzDecoder<Counted<R>>,
    out: u64,
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.out += read as u64;
        let packed = self.inner.get_ref().count.max(1);
        if self.out > FREE_BYTES && self.out / packed > MOST_RATIO {
            return Err(io::Error::other(format!(
                "{packed} bytes of gzip unpack to more than {} MiB, as no log does; unpack it by hand if it is no bomb",
                self.out >> 20
            )));
        }
        Ok(read)
    }
}
