//! Reading one file of a folder, in bounded pieces.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::super::Decoding;
use super::super::batch::{Builder, of_body};
use super::super::lines::Lines;
use crate::intake::decode::{MAX_DOCUMENT, MAX_LINE, hex};
use crate::intake::store::Refused;

/// Most bytes that one file may unpack to.
const MOST_UNPACKED: u64 = 1 << 30;

/// First bytes of a gzip file (RFC 1952 §2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A file that is being read.
pub(super) struct Reading {
    content: BufReader<io::Take<Box<dyn Read + Send>>>,
    name: OsString,
    lines: Lines,
    /// Whether each line is a document.
    is_lines: bool,
    /// Bytes of the content that were read into batches.
    offset: u64,
    /// Bytes of the content that were read.
    read: u64,
    /// What is wrong with the file.
    problem: Option<String>,
    /// Whether anything was.
    is_broken: bool,
}

impl Reading {
    /// Opens the content of a file and goes on after `offset` bytes of it.
    pub fn new(file: &File, name: OsString, offset: u64, decoding: &Decoding) -> io::Result<Self> {
        let is_lines = looks_like_lines(content(file)?, decoding);
        let mut reading = Self {
            content: content(file)?,
            name,
            lines: Lines::default(),
            is_lines,
            offset: 0,
            read: 0,
            problem: None,
            is_broken: false,
        };
        let skipped = io::copy(&mut (&mut reading.content).take(offset), &mut io::sink());
        match skipped {
            Ok(skipped) => (reading.offset, reading.read) = (skipped, skipped),
            Err(error) => reading.problem = Some(broken(&error)),
        }
        Ok(reading)
    }

    pub fn os_name(&self) -> &OsStr {
        &self.name
    }

    /// Tells whether not all of the file could be read.
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns how many bytes of the content are in batches.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Adds to a batch until it is full or the file ends. Returns whether it ended.
    pub fn fill(&mut self, builder: &mut Builder) -> bool {
        if !self.is_lines {
            self.document(builder);
            return true;
        }
        while !builder.is_full() && self.problem.is_none() {
            let piece = match self.content.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.problem = Some(broken(&error));
                    break;
                }
            };
            if piece.is_empty() {
                builder.extend(self.lines.flush());
                return self.end(builder);
            }
            let (taken, line) = self.lines.feed(piece);
            self.content.consume(taken);
            self.read += taken as u64;
            if let Some(line) = line {
                builder.add(line);
                self.offset = self.read;
            }
        }
        if self.problem.is_some() {
            return self.end(builder);
        }
        false
    }

    fn document(&mut self, builder: &mut Builder) {
        let mut whole = Vec::new();
        let limit = MAX_DOCUMENT as u64 + 1;
        if let Err(error) = (&mut self.content).take(limit).read_to_end(&mut whole) {
            self.problem = Some(broken(&error));
        }
        self.read = whole.len() as u64;
        if whole.len() > MAX_DOCUMENT {
            self.problem = Some(format!(
                "more than {} MiB in one document",
                MAX_DOCUMENT >> 20
            ));
        } else if self.problem.is_none() && !whole.trim_ascii().is_empty() {
            builder.merge(of_body(
                builder.source(),
                builder.decoding(),
                whole,
                builder.observed(),
            ));
        }
        self.end(builder);
    }

    /// Keeps what is wrong with the file, if anything is.
    fn end(&mut self, builder: &mut Builder) -> bool {
        if self.problem.is_none() && self.read >= MOST_UNPACKED {
            self.problem = Some(format!("more than {} GiB in one file", MOST_UNPACKED >> 30));
        }
        if let Some(problem) = self.problem.take() {
            self.is_broken = true;
            let name = self.name.as_encoded_bytes();
            let shown = crate::domain::text::show(&self.name.to_string_lossy()).into_owned();
            let reason =
                format!("{shown}: {problem}; what came before it is stored, and the file stays");
            builder.refuse(Refused {
                raw: name.to_vec(),
                length: name.len() as u64,
                sha256: hex(&Sha256::digest(name)),
                reason,
            });
        }
        true
    }
}

fn broken(error: &io::Error) -> String {
    format!("cannot be read on: {error}")
}

/// Returns the content of a file from its start, unpacked.
fn content(file: &File) -> io::Result<BufReader<io::Take<Box<dyn Read + Send>>>> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    let mut raw = BufReader::new(file);
    let is_packed = raw.fill_buf()?.starts_with(GZIP);
    let content: Box<dyn Read + Send> = if is_packed {
        Box::new(MultiGzDecoder::new(raw))
    } else {
        Box::new(raw)
    };
    Ok(BufReader::new(content.take(MOST_UNPACKED)))
}

/// Tells whether the first line is a document and something follows it.
fn looks_like_lines(mut content: impl BufRead, decoding: &Decoding) -> bool {
    let mut first = Vec::new();
    loop {
        first.clear();
        let mut line = (&mut content).take(MAX_LINE as u64 + 1);
        match line.read_until(b'\n', &mut first) {
            Ok(0) | Err(_) => return false,
            Ok(_) if first.len() > MAX_LINE => return false,
            Ok(_) if first.trim_ascii().is_empty() => {}
            Ok(_) => break,
        }
    }
    let is_more = !matches!(content.fill_buf(), Ok([]) | Err(_));
    let builder = Builder::new("", decoding, jiff::Timestamp::UNIX_EPOCH);
    let first = builder.peek(first.trim_ascii());
    is_more && !matches!(first, Err(crate::intake::decode::Undecodable::Json(_)))
}
