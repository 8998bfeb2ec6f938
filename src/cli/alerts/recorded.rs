//! Alerts as their sources recorded them, for whoever wants them without storing them.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;

use super::decode::{check_format, origin, source_name};
use super::read::{self, Decoding};
use crate::cli::progress::{self, Interrupted, Stop, Unit};
use crate::domain::alert::Alert;
use crate::intake::decode::Decoders;

/// Hands on every alert in the files, and returns how much input is no alert.
pub fn recorded(
    decoders: &Decoders,
    format: Option<&str>,
    files: &[PathBuf],
    now: Timestamp,
    sink: &mut dyn FnMut(Alert),
) -> anyhow::Result<usize> {
    check_format(decoders, format)?;
    let mut rejected = 0;
    let of = (Unit::Bytes, read::bytes_of(files));
    let stop = Stop::AtOnce("nothing was changed");
    let work = progress::begin("reading alerts", of, stop, true);
    for path in files {
        let source = source_name(path);
        let decoding = Decoding {
            decoders,
            format,
            source: &source,
            now,
        };
        let mut take = |piece: read::Piece, _: usize| -> anyhow::Result<()> {
            let contents = decoding.contents(&piece);
            rejected += contents.rejected.len();
            for decoded in contents.alerts {
                sink(Arc::unwrap_or_clone(decoded.alert));
            }
            Ok(())
        };
        let origin = origin(path);
        let done = read::each(path, &decoding, &work, &mut take);
        if !done.with_context(|| format!("decode {origin}"))? {
            return Err(Interrupted("interrupted; nothing was changed".to_owned()).into());
        }
    }
    Ok(rejected)
}
