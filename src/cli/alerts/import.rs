//! `stanch alerts import`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::decode::{check_format, origin, source_name, stop};
use super::read::{self, Decoding, Piece};
use super::{DONE, FAILED};
use crate::cli::progress::{self, Interrupted, Stop, Unit};
use crate::domain::alert::Alert;
use crate::domain::text::{counted, fit, seen, show};
use crate::intake::decode::{Decoders, hex};
use crate::intake::source::lines::Line;
use crate::intake::store::{Accepted, Batch, Refused, Store};

/// Pieces stored together.
const MOST_PIECES: usize = 1_000;

/// Bytes stored together.
const MOST_BYTES: usize = 8 << 20;

/// Longest reason kept, in terminal cells.
const LONGEST_REASON: usize = 400;

/// Bytes kept of a piece that is too long.
const KEPT_BEGINNING: usize = 4_096;

/// What an import came to.
#[derive(Default)]
struct Sum {
    new: usize,
    known: usize,
    /// Deleted before, and no news.
    left_out: usize,
    refused: usize,
}

impl Sum {
    fn all(&self) -> usize {
        self.new + self.known + self.left_out + self.refused
    }

    fn in_words(&self) -> String {
        let left_out = match self.left_out {
            0 => String::new(),
            n => format!(", {n} left out that were deleted before"),
        };
        format!(
            "{}, {} stored before{left_out}, {} that could not be read and {} kept",
            alerts(self.new),
            self.known,
            pieces(self.refused),
            if self.refused == 1 { "is" } else { "are" }
        )
    }
}

fn alerts(new: usize) -> String {
    counted(new, "new alert", "new alerts")
}

fn pieces(n: usize) -> String {
    counted(n, "piece", "pieces")
}

/// Stores the alerts of files. What is stored already, with the same bytes, is left as it is, so that a file can be
/// imported again.
pub(super) fn files(
    store: &mut Store,
    decoders: &Decoders,
    format: Option<&str>,
    source: Option<&str>,
    files: &[PathBuf],
    now: Timestamp,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    check_format(decoders, format)?;
    let mut all_read = true;
    let of = (Unit::Bytes, read::bytes_of(files));
    let work = progress::begin("importing", of, stop(files), true);
    for path in files {
        let origin = origin(path);
        let name = source.map_or_else(|| source_name(path), str::to_owned);
        let decoding = Decoding {
            decoders,
            format,
            source: &name,
            now,
        };
        let mut importing = Importing {
            store: &mut *store,
            source: &name,
            batch: Batch {
                observed: now,
                ..Batch::default()
            },
            bytes: 0,
            sum: Sum::default(),
        };
        let mut take = |piece: Piece, number: usize| -> anyhow::Result<()> {
            for reason in importing.take(piece, &decoding)? {
                writeln!(err, "{origin}:{number}: {}", seen(reason))?;
            }
            Ok(())
        };
        let whole = read::each(path, &decoding, &work, &mut take);
        // Of a file that is damaged further on, what could be read is kept all the same.
        importing.flush()?;
        let sum = importing.sum;
        let is_begun = sum.all() > 0;
        if is_begun || whole.is_ok() {
            writeln!(err, "{origin}: {}", sum.in_words())?;
        }
        let rest = if is_begun { ": the rest of it" } else { "" };
        let whole = whole.with_context(|| format!("import {origin}{rest}"))?;
        all_read &= sum.refused == 0;
        if !whole {
            let text = "interrupted; what was read is stored, and the same command goes on: what is stored is known";
            return Err(Interrupted(text.to_owned()).into());
        }
    }
    Ok(if all_read { DONE } else { FAILED })
}

struct Importing<'i> {
    store: &'i mut Store,
    source: &'i str,
    batch: Batch,
    bytes: usize,
    sum: Sum,
}

impl Importing<'_> {
    /// Decodes a piece and stores it when enough has gathered. Returns what could not be read.
    fn take(&mut self, piece: Piece, decoding: &Decoding<'_>) -> anyhow::Result<Vec<String>> {
        let contents = decoding.contents(&piece);
        let (raw, length, sha256) = match piece {
            Piece::Line(Line::TooLong {
                beginning,
                length,
                sha256,
            }) => (beginning, length, sha256),
            Piece::Line(Line::Whole(raw)) => {
                let (length, sha256) = (raw.len() as u64, hex(&Sha256::digest(&raw)));
                let raw = contents.redacted.unwrap_or_else(|| raw.into());
                (raw, length, sha256)
            }
            Piece::Document(raw) => {
                let (length, sha256) = (raw.len() as u64, hex(&Sha256::digest(&raw)));
                (contents.redacted.unwrap_or(raw), length, sha256)
            }
        };
        let reasons: Vec<String> = contents.rejected.iter().map(ToString::to_string).collect();
        if let Some(first) = reasons.first() {
            let more = reasons.len() - 1;
            let text = if more > 0 {
                format!("{first} (and {more} more)")
            } else {
                first.clone()
            };
            let mut kept = raw.clone();
            // A document with one bad element is in the file still; its beginning is enough to find it.
            if length > crate::intake::decode::MAX_LINE as u64 {
                kept.truncate(KEPT_BEGINNING);
            }
            self.sum.refused += 1;
            self.batch.refused.push(Refused {
                raw: kept,
                length,
                sha256,
                reason: fit(&seen(text), LONGEST_REASON, "…"),
            });
        }
        let alerts: Vec<Arc<Alert>> = contents.alerts.into_iter().map(|d| d.alert).collect();
        let new = unknown(self.store, &alerts)?;
        self.sum.known += alerts.len() - new.len();
        self.sum.new += new.len();
        if !new.is_empty() {
            self.bytes += raw.len();
            let raw = raw.into();
            self.batch.accepted.push(Accepted { raw, alerts: new });
        }
        let pieces = self.batch.accepted.len() + self.batch.refused.len();
        if pieces >= MOST_PIECES || self.bytes >= MOST_BYTES {
            self.flush()?;
        }
        Ok(reasons)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if !self.batch.is_empty() {
            let stored = self.store.put(self.source, &self.batch)?;
            self.sum.new = self.sum.new.saturating_sub(stored.left_out);
            self.sum.left_out += stored.left_out;
        }
        self.batch.accepted.clear();
        self.batch.refused.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// Returns those alerts that are not stored yet with the same bytes.
fn unknown(store: &Store, alerts: &[Arc<Alert>]) -> anyhow::Result<Vec<Arc<Alert>>> {
    let mut new = Vec::new();
    for alert in alerts {
        let stored = store.alert(&alert.id)?;
        if stored.is_none_or(|row| row.alert.raw_sha256 != alert.raw_sha256) {
            new.push(Arc::clone(alert));
        }
    }
    Ok(new)
}

/// Decodes again what could not be read: after a new mapping, or with a newer program. What can be read now leaves the
/// quarantine; `format_of` names the format of a configured source.
pub(super) fn quarantine(
    store: &mut Store,
    decoders: &Decoders,
    format_of: &dyn Fn(&str) -> Option<String>,
    now: Timestamp,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let (mut new, mut kept) = (0, 0);
    let held = store.held()?;
    let of = (Unit::Things("pieces"), held.len() as u64);
    let work = progress::begin("decoding again", of, Stop::Between, true);
    for held in held {
        if work.asked() {
            let text = format!(
                "interrupted; {}, {} that still cannot be read, the others wait as before",
                alerts(new),
                pieces(kept)
            );
            return Err(Interrupted(text).into());
        }
        work.add(1);
        let format = format_of(&held.source);
        if !held.is_whole {
            kept += 1;
            writeln!(
                err,
                "{}: {} bytes of which only the beginning was kept; import it from its file",
                show(&held.source),
                held.length
            )?;
            continue;
        }
        let raw = store.held_raw(&held)?;
        let contents = decoders.decode(format.as_deref(), &raw, &held.source, now);
        match contents {
            Ok(contents) if contents.rejected.is_empty() => {
                let alerts: Vec<Arc<Alert>> =
                    contents.alerts.into_iter().map(|d| d.alert).collect();
                let alerts = unknown(store, &alerts)?;
                new += alerts.len();
                let raw = contents.redacted.unwrap_or(raw).into();
                store.release(&held, &Accepted { raw, alerts }, now)?;
            }
            Ok(contents) => {
                kept += 1;
                if let Some(reason) = contents.rejected.first() {
                    writeln!(err, "{}: {}", show(&held.source), seen(reason.to_string()))?;
                }
            }
            Err(reason) => {
                kept += 1;
                writeln!(err, "{}: {}", show(&held.source), seen(reason.to_string()))?;
            }
        }
    }
    writeln!(
        err,
        "{}, {} that still cannot be read",
        alerts(new),
        pieces(kept)
    )?;
    Ok(if kept == 0 { DONE } else { FAILED })
}
