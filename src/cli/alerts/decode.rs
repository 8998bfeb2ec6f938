//! `stanch alerts decode`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;

use super::{DONE, FAILED, alert_json};
use crate::domain::text::show;
use crate::intake::decode::{Contents, MAX_LINE, Undecodable, decode_all, is_incomplete, is_known};
use crate::intake::source::lines::{Line, Lines};

/// Decodes files one after the other; what is no alert is said on `err` with file and line, and makes the exit code 1.
pub(super) fn run(
    format: Option<&str>,
    files: &[PathBuf],
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    if let Some(name) = format.filter(|name| !is_known(name)) {
        return Err(Undecodable::UnknownFormat {
            name: show(name).into_owned(),
        }
        .into());
    }
    let mut printer = Printer {
        format,
        now,
        out,
        err,
        origin: String::new(),
        source: String::new(),
        failed: false,
    };
    for path in files {
        let is_stdin = path.as_os_str() == "-";
        printer.origin = if is_stdin {
            "-".to_owned()
        } else {
            show(&path.to_string_lossy()).into_owned()
        };
        printer.source = source_name(path, is_stdin);
        let done = if is_stdin {
            printer.read(&mut io::stdin().lock())
        } else {
            let file = File::open(path).with_context(|| format!("open {}", printer.origin))?;
            printer.read(&mut BufReader::with_capacity(256 << 10, file))
        };
        done.with_context(|| format!("decode {}", printer.origin))?;
    }
    printer.out.flush()?;
    Ok(if printer.failed { FAILED } else { DONE })
}

/// Names the source after the file, as a configured source would be named by a person.
fn source_name(path: &Path, is_stdin: bool) -> String {
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
    if is_stdin {
        "stdin".to_owned()
    } else {
        stem.unwrap_or_else(|| "file".to_owned())
    }
}

struct Printer<'p> {
    format: Option<&'p str>,
    now: Timestamp,
    out: &'p mut dyn Write,
    err: &'p mut dyn Write,
    origin: String,
    source: String,
    failed: bool,
}

impl Printer<'_> {
    /// Reads one file: JSON lines, or one document over several lines when the first line is only its beginning.
    fn read(&mut self, input: &mut impl BufRead) -> io::Result<()> {
        let mut start = Vec::new();
        let mut blank = 0;
        let first = loop {
            let before = start.len();
            let room = (MAX_LINE + 1 - before.min(MAX_LINE)) as u64;
            if input.by_ref().take(room).read_until(b'\n', &mut start)? == 0 {
                return Ok(());
            }
            if start[before..].trim_ascii().is_empty() && start.len() <= MAX_LINE {
                blank += 1;
            } else {
                break before;
            }
        };
        let is_beginning = start.ends_with(b"\n") && is_incomplete(&start[first..]);
        if is_beginning {
            let room = (MAX_LINE + 1).saturating_sub(start.len()) as u64;
            input.by_ref().take(room).read_to_end(&mut start)?;
            if self.is_document(&start) {
                return self.line(Line::Whole(start), blank + 1);
            }
        }
        self.lines(&mut start.as_slice().chain(input))
    }

    /// Tells whether several lines are one document: they are one, or none of them is a JSON value of its own.
    fn is_document(&self, text: &[u8]) -> bool {
        let decoded = decode_all(self.format, text, &self.source, self.now);
        if !matches!(
            decoded,
            Err(Undecodable::Json(_) | Undecodable::NotUtf8 { .. } | Undecodable::TooLong { .. })
        ) {
            return true;
        }
        let is_alert = |line: &[u8]| {
            let contents = decode_all(self.format, line, &self.source, self.now);
            contents.is_ok_and(|c| !c.alerts.is_empty())
        };
        !text.split(|b| *b == b'\n').any(is_alert)
    }

    fn lines(&mut self, input: &mut impl BufRead) -> io::Result<()> {
        let mut lines = Lines::default();
        let mut number = 1;
        loop {
            let chunk = input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let (taken, line) = lines.feed(chunk);
            input.consume(taken);
            if let Some(line) = line {
                self.line(line, number)?;
                number += 1;
            }
        }
        match lines.flush() {
            Some(line) => self.line(line, number),
            None => Ok(()),
        }
    }

    fn line(&mut self, line: Line, number: usize) -> io::Result<()> {
        let contents = match line {
            Line::Whole(raw) if raw.trim_ascii().is_empty() => return Ok(()),
            Line::Whole(raw) => decode_all(self.format, &raw, &self.source, self.now),
            Line::TooLong { length, .. } => Err(Undecodable::TooLong { bytes: length }),
        };
        let contents = contents.unwrap_or_else(|reason| Contents {
            rejected: vec![reason],
            ..Contents::default()
        });
        for decoded in &contents.alerts {
            writeln!(self.out, "{}", alert_json(&decoded.alert, &decoded.signals))?;
        }
        for reason in &contents.rejected {
            self.failed = true;
            writeln!(
                self.err,
                "{}:{number}: {}",
                self.origin,
                show(&reason.to_string())
            )?;
        }
        Ok(())
    }
}
