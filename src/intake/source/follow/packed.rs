//! Rotated files that were packed by gzip before they were read to their end: what is left of one is unpacked into a file
//! without a name, which is read as any other.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Write as _};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::find::{self, Sibling};
use super::open::Samples;
use crate::domain::text::show;
use crate::intake::store::FileCursor;

/// Most bytes of one file that are unpacked onto the disk.
const MOST_UNPACKED: u64 = 4 << 30;

/// Most packed files that are looked at for one content.
const MOST_FILES: usize = 64;

/// Bytes unpacked at a time.
const PIECE: usize = 64 << 10;

/// What there is to read of a packed file.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// Its content; what was read of it before is not filled in.
    pub file: File,
    /// Why some of it is missing.
    pub problem: Option<String>,
}

/// Makes a file without a name.
pub(super) type Scratch<'s> = &'s dyn Fn() -> io::Result<File>;

/// Finds the packed file that holds the content before `place`, and unpacks what comes after `from`, which is not after
/// `place`.
pub(super) fn holding(
    path: &Path,
    place: &FileCursor,
    from: u64,
    scratch: Scratch<'_>,
) -> io::Result<Option<Unpacked>> {
    if place.offset == 0 {
        return Ok(None);
    }
    for found in find::packed(path)?.iter().take(MOST_FILES) {
        if let Some(unpacked) = unpack(found, Some(place), from, scratch)? {
            return Ok(Some(unpacked));
        }
    }
    Ok(None)
}

/// Tells whether a packed file holds the content before `place`.
pub(super) fn holds(found: &Sibling, place: &FileCursor) -> io::Result<bool> {
    let mut content = content(found)?;
    let mut samples = Samples::default();
    let reached = read_to(&mut content, &mut samples, place.offset, &mut |_| Ok(()));
    Ok(place.offset > 0 && reached.is_ok() && samples.are_of(place))
}

/// Unpacks a file from its start.
pub(super) fn whole(found: &Sibling, scratch: Scratch<'_>) -> io::Result<Unpacked> {
    let unpacked = unpack(found, None, 0, scratch)?;
    unpacked.ok_or_else(|| ErrorKind::NotFound.into())
}

fn unpack(
    found: &Sibling,
    place: Option<&FileCursor>,
    from: u64,
    scratch: Scratch<'_>,
) -> io::Result<Option<Unpacked>> {
    let mut content = content(found)?;
    let mut samples = Samples::default();
    // What cannot be unpacked so far does not hold it.
    if read_to(&mut content, &mut samples, from, &mut |_| Ok(())).is_err() {
        return Ok(None);
    }
    let mut file = scratch()?;
    samples.put_into(&mut file)?;
    if let Some(place) = place {
        let reached = read_to(&mut content, &mut samples, place.offset, &mut |piece| {
            file.write_all(piece)
        });
        match reached {
            Err(Ended::NotWritten(error)) => return Err(error),
            Err(Ended::NotRead(_)) => return Ok(None),
            Ok(()) if !samples.are_of(place) => return Ok(None),
            Ok(()) => {}
        }
    }
    let rest = read_to(&mut content, &mut samples, MOST_UNPACKED, &mut |piece| {
        file.write_all(piece)
    });
    let ended = match rest {
        Err(Ended::NotWritten(error)) => return Err(error),
        Err(Ended::NotRead(None)) => None,
        Err(Ended::NotRead(Some(error))) => Some(error.to_string()),
        Ok(()) => Some(format!("more than {} GiB in one file", MOST_UNPACKED >> 30)),
    };
    // Files are told apart by when they were written.
    file.set_modified(found.meta.modified()?)?;
    let problem = ended.map(|why| {
        let shown = found.path.to_string_lossy();
        format!(
            "{}: cannot be read on: {why}; what came before it is stored",
            show(&shown)
        )
    });
    Ok(Some(Unpacked { file, problem }))
}

fn content(found: &Sibling) -> io::Result<impl Read + use<>> {
    let packed = BufReader::new(find::open(&found.path)?);
    Ok(MultiGzDecoder::new(packed))
}

/// Why reading did not come to a place.
enum Ended {
    /// At the end, or because of this.
    NotRead(Option<io::Error>),
    NotWritten(io::Error),
}

/// Reads up to a place and hands over what was read.
fn read_to(
    content: &mut impl Read,
    samples: &mut Samples,
    place: u64,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Ended> {
    let mut piece = vec![0; PIECE];
    while samples.at() < place {
        let most = usize::try_from(place - samples.at()).map_or(PIECE, |left| left.min(PIECE));
        match content.read(&mut piece[..most]) {
            Ok(0) => return Err(Ended::NotRead(None)),
            Ok(count) => {
                samples.extend(&piece[..count]);
                take(&piece[..count]).map_err(Ended::NotWritten)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Ended::NotRead(Some(error))),
        }
    }
    Ok(())
}
