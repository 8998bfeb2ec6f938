//! Where identity cards and the dependency map come from: files and addresses, of our own format or a vendor's, each a
//! source with a place in the order of trust.
//!
//! Nothing that is wrong in a source keeps the rest from being used: what is wrong is told with file and line
//! ([`crate::domain::inventory::Background::mistakes`]).

mod again;
mod assemble;
mod aws;
mod backstage;
mod document;
mod entra;
mod google;
mod http;
mod kubernetes;
mod own;
mod reading;
mod scan;
mod value;
mod yaml;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::app::settings::{InventorySettings, InventorySource};
use crate::domain::identity::Origin;
use crate::domain::identity::flags::Limits;
use crate::domain::inventory::{Inventory, Loss, SourceState};
use crate::domain::text::show;
pub use again::Sources;
use http::Fetched;
use reading::{About, Reading};

/// Largest file read: about 200,000 identities.
const MAX_FILE: u64 = 256 << 20;

/// Why a text cannot be used where nothing may be wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InventoryError(String);

/// Tells what is wrong with the name of a format; `None` where it is one.
pub fn wrong_format(name: &str) -> Option<String> {
    document::format_named(name).err()
}

/// Loads every source into one inventory. `cache` is the folder in which copies of what addresses answered are kept.
/// Blocks for as long as the slowest address may take; must not be called where nothing may block for that long.
pub fn load(settings: &InventorySettings, cache: Option<&Path>, now: Timestamp) -> Inventory {
    Sources::new(settings.clone(), cache.map(Path::to_path_buf)).read(now)
}

/// Parses one text of our own format in which nothing may be wrong. `origin` names it; it is JSON when that ends in
/// `.json`.
pub fn parse(text: &str, origin: &str) -> Result<Inventory, InventoryError> {
    let inventory = parse_all(&[(origin, text)]);
    let mut mistakes = inventory.background().mistakes.iter();
    match mistakes.find(|m| m.loss > Loss::None) {
        Some(mistake) => Err(InventoryError(mistake.to_string())),
        None => Ok(inventory),
    }
}

/// Parses texts of our own format as sources of these names, the first trusted most. What is wrong stands in it.
pub fn parse_all(texts: &[(&str, &str)]) -> Inventory {
    let limits = Limits::default();
    let read = texts.iter().enumerate().map(|(rank, (name, text))| {
        let source = InventorySource::of_file(name);
        let fetched = Fetched {
            text: (*text).to_owned(),
            at: None,
            trouble: None,
            copy: None,
        };
        read_source(rank, &source, limits, (*name).to_owned(), Ok(fetched))
    });
    let (readings, states) = read.unzip();
    assemble::assemble(readings, states, limits)
}

fn read_source(
    rank: usize,
    source: &InventorySource,
    limits: Limits,
    place: String,
    text: Result<Fetched, String>,
) -> (Reading, SourceState) {
    let name = source.shown_name();
    let origin = |at| {
        Arc::new(Origin {
            source: name.clone(),
            place: place.clone(),
            at,
            stale_after_d: source.stale_after_d.unwrap_or(limits.stale_after_d),
        })
    };
    let about = |at| About {
        rank,
        origin: origin(at),
        provider: source.provider.clone(),
        connector: source.connector.clone(),
    };
    let format = source.format.as_deref().unwrap_or("auto");
    let (reading, trouble) = match (text, document::format_named(format)) {
        (Ok(fetched), Ok(format)) => {
            let mut reading = Reading::new(about(fetched.at));
            document::read(&mut reading, &fetched.text, &place, format);
            (reading, fetched.trouble)
        }
        (Err(why), _) => {
            let mut reading = Reading::new(about(None));
            reading.mistake(0, &why, Loss::Source);
            (reading, Some(why))
        }
        (Ok(_), Err(why)) => {
            let mut reading = Reading::new(about(None));
            reading.mistake(0, format!("format: {why}"), Loss::Source);
            (reading, Some(why))
        }
    };
    let state = SourceState {
        name,
        place,
        format: reading.format,
        at: reading.about.origin.at,
        identities: 0,
        trouble: trouble.map(|t| show(&t).into_owned()),
    };
    (reading, state)
}

fn read_file(path: &Path) -> Result<Fetched, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    let at = file.metadata().map_err(failed)?.modified().ok();
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("larger than 256 MiB; split it into several files".to_owned());
    }
    Ok(Fetched {
        text: utf8(bytes)?,
        at: at.and_then(|at| Timestamp::try_from(at).ok()),
        trouble: None,
        copy: None,
    })
}

/// Reads bytes as text; the error says in which line they are none.
fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        format!("is no UTF-8 from line {line} on; convert it first")
    })
}

#[cfg(test)]
mod tests;
