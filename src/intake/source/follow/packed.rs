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

/// What a packed file is found to be.
#[derive(Debug)]
pub(super) enum Found {
    /// Another one, or not to be read by this process.
    Other,
    /// Somebody may still be packing it: who waits gets a notice when they are done.
    Unfinished,
    /// The one, unpacked.
    This(Unpacked),
}

/// Makes a file without a name.
pub(super) type Scratch<'s> = &'s dyn Fn() -> io::Result<File>;

/// Finds the packed file that holds the content before `place`, and unpacks what comes after `from`, which is not after
/// `place`. Where none does, one that is being packed may.
pub(super) fn holding(
    path: &Path,
    place: &FileCursor,
    from: u64,
    scratch: Scratch<'_>,
) -> io::Result<Found> {
    let mut best = Found::Other;
    if place.offset == 0 {
        return Ok(best);
    }
    for found in find::packed(path)?.iter().take(MOST_FILES) {
        match unpack(found, Some(place), from, scratch)? {
            Found::Other => {}
            Found::Unfinished => best = Found::Unfinished,
            this @ Found::This(_) => return Ok(this),
        }
    }
    Ok(best)
}

/// Tells whether a packed file holds the content before any of these places.
pub(super) fn holds_any(found: &Sibling, places: &[&FileCursor]) -> io::Result<bool> {
    let Some(mut content) = content(found)? else {
        return Ok(false);
    };
    let mut places: Vec<&&FileCursor> = places.iter().filter(|place| place.offset > 0).collect();
    places.sort_by_key(|place| place.offset);
    let mut samples = Samples::default();
    for place in places {
        if read_to(&mut content, &mut samples, place.offset, &mut |_| Ok(())).is_err() {
            return Ok(false);
        }
        if samples.are_of(place) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Unpacks a file from its start.
pub(super) fn whole(found: &Sibling, scratch: Scratch<'_>) -> io::Result<Found> {
    unpack(found, None, 0, scratch)
}

fn unpack(
    found: &Sibling,
    place: Option<&FileCursor>,
    from: u64,
    scratch: Scratch<'_>,
) -> io::Result<Found> {
    // As long as what it is made of is beside it, that is what is read.
    if found.path.with_extension("").exists() {
        return Ok(Found::Other);
    }
    let Some(mut content) = content(found)? else {
        return Ok(Found::Other);
    };
    // What ends before the place is another one, unless the rest of it is being written.
    let is_unfinished = |error: &Option<io::Error>| {
        let is_cut = error
            .as_ref()
            .is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof);
        (is_cut || found.meta.len() == 0) && found.is_fresh()
    };
    let other = |error: &Option<io::Error>| match is_unfinished(error) {
        true => Found::Unfinished,
        false => Found::Other,
    };
    let mut samples = Samples::default();
    match read_to(&mut content, &mut samples, from, &mut |_| Ok(())) {
        Err(Ended::NotRead(error)) => return Ok(other(&error)),
        Err(Ended::NotWritten(error)) => return Err(error),
        Ok(()) => {}
    }
    let mut file = scratch()?;
    samples.put_into(&mut file)?;
    if let Some(place) = place {
        let reached = read_to(&mut content, &mut samples, place.offset, &mut |piece| {
            file.write_all(piece)
        });
        match reached {
            Err(Ended::NotRead(error)) => return Ok(other(&error)),
            Err(Ended::NotWritten(error)) => return Err(error),
            Ok(()) if !samples.are_of(place) => return Ok(Found::Other),
            Ok(()) => {}
        }
    }
    let rest = read_to(&mut content, &mut samples, MOST_UNPACKED, &mut |piece| {
        file.write_all(piece)
    });
    let ended = match rest {
        Err(Ended::NotWritten(error)) => return Err(error),
        Err(Ended::NotRead(error)) if is_unfinished(&error) => {
            return Ok(Found::Unfinished);
        }
        Err(Ended::NotRead(error)) => error.map(|error| error.to_string()),
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
    Ok(Found::This(Unpacked { file, problem }))
}

/// Opens the content; none where the file is gone or not for this process to read.
fn content(found: &Sibling) -> io::Result<Option<impl Read + use<>>> {
    let file = find::readable(&found.path)?;
    Ok(file.map(|file| MultiGzDecoder::new(BufReader::new(file))))
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
