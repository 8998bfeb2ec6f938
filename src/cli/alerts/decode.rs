//! `stanch alerts decode`.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;

use super::read::{self, Decoding};
use super::{DONE, FAILED, decoded_json};
use crate::cli::progress::{self, Interrupted, Stop, Unit};
use crate::domain::text::{seen, show};
use crate::intake::decode::{Decoders, Undecodable};

/// Decodes files one after the other; what is no alert is said on `err` with file and line, and makes the exit code 1.
pub(super) fn run(
    decoders: &Decoders,
    format: Option<&str>,
    files: &[PathBuf],
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    check_format(decoders, format)?;
    let mut failed = false;
    let of = (Unit::Bytes, read::bytes_of(files));
    let draws = !std::io::stdout().is_terminal();
    let work = progress::begin("decoding", of, stop(files), draws);
    for path in files {
        let mut printed = 0;
        let origin = origin(path);
        let source = source_name(path);
        let decoding = Decoding {
            decoders,
            format,
            source: &source,
            now,
        };
        let mut print = |piece: read::Piece, number: usize| -> anyhow::Result<()> {
            let contents = decoding.contents(&piece);
            printed = number;
            for decoded in &contents.alerts {
                writeln!(out, "{}", decoded_json(&decoded.alert, &decoded.signals))?;
                if let Some(doubt) = &decoded.doubt {
                    writeln!(err, "{origin}:{number}: note: {}", show(doubt))?;
                }
            }
            for reason in &contents.rejected {
                failed = true;
                writeln!(err, "{origin}:{number}: {}", seen(reason.to_string()))?;
            }
            Ok(())
        };
        let done = read::each(path, &decoding, &work, &mut print);
        if !done.with_context(|| format!("decode {origin}"))? {
            out.flush()?;
            let text = format!("{origin}: interrupted behind line {printed}; nothing was stored");
            return Err(Interrupted(text).into());
        }
    }
    out.flush()?;
    Ok(if failed { FAILED } else { DONE })
}

/// Returns how reading files ends when somebody says so: a pipe may never say more, so nobody waits for its next line.
pub(super) fn stop(files: &[PathBuf]) -> Stop {
    match files.iter().any(|path| path.as_os_str() == "-") {
        true => Stop::AtOnce("what was stored stays, and is known when it comes again"),
        false => Stop::Between,
    }
}

/// Fails on a format that no decoder has.
pub(super) fn check_format(decoders: &Decoders, format: Option<&str>) -> anyhow::Result<()> {
    match format.filter(|name| *name != "auto" && !decoders.knows(name)) {
        Some(name) => Err(Undecodable::UnknownFormat {
            name: show(name).into_owned(),
        }
        .into()),
        None => Ok(()),
    }
}

/// Writes a path as messages show it.
pub(super) fn origin(path: &Path) -> String {
    show(&path.to_string_lossy()).into_owned()
}

/// Names the source after the file, as a configured source would be named by a person.
pub(super) fn source_name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "stdin".to_owned();
    }
    let name = path.file_name().map(|s| s.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "file".to_owned());
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = Path::new(plain).file_stem().map(|s| s.to_string_lossy());
    stem.map_or_else(|| "file".to_owned(), std::borrow::Cow::into_owned)
}
