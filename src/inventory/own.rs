//! Our own inventory files: TOML, JSON of the same shape, or one entry a line.
//!
//! ```toml
//! as_of = 2026-03-02T09:00:00Z # when all of this was true; else when the file was written
//!
//! [[identity]]
//! id = "lab:svc-deploy"       # provider:native-id; every other key may be left out
//! name = "svc-deploy"
//! kind = "oauth_client"
//! aliases = ["SHA256:…"]      # further ids under which alerts name it
//! scopes = [{ name = "deploy", level = "write", used = true }]
//!
//! [[identity.credential]]
//! id = "dk-7f3a"
//! kind = "deploy_key"
//! store = "vault-eu-1"
//! secret_ref = "file:/etc/stanch/dk-7f3a"
//!
//! [[team]]
//! id = "Platform team"        # once teams are declared, an owner who is none of them is flagged
//! contact = "+44 20 7946 0018"
//!
//! [[node]]
//! id = "pipeline:release"
//! kind = "pipeline"
//! label = "release"
//!
//! [[edge]]
//! from = "pipeline:release"
//! kind = "depends_on"
//! to = "lab:svc-deploy"
//! ```

mod shape;
pub(super) mod table;

use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::reading::Reading;
use super::scan::{Piece, Pieces};
use crate::domain::inventory::Loss;
use crate::domain::text::show;
use shape::{Names, RawEdge, RawIdentity, RawNode, RawOffboarding, RawProvider, RawTeam};

/// The lists of a file.
const LISTS: [&str; 6] = [
    "identity",
    "node",
    "edge",
    "team",
    "provider",
    "offboarding",
];

/// When all of a file was true.
const AS_OF: &str = "as_of";

/// Something that one entry can be read from, alone.
trait Entry {
    /// Reads it, or says in which line what is wrong.
    fn read<T: DeserializeOwned>(self) -> Result<T, (usize, String)>;

    /// Returns its first line.
    fn line(&self) -> usize;
}

/// Takes one entry of one of the lists.
fn entry(reading: &mut Reading, list: &str, entry: impl Entry) {
    let line = entry.line();
    let taken = match list {
        "identity" => entry
            .read::<RawIdentity>()
            .and_then(|raw| identity(reading, line, raw).map_err(|problem| (line, problem))),
        "node" => entry
            .read::<RawNode>()
            .map(|raw| reading.node(line, raw.into_node())),
        "edge" => entry
            .read::<RawEdge>()
            .map(|raw| reading.edge(line, raw.into_edge())),
        "team" => entry.read::<RawTeam>().map(|raw| {
            let mut team = raw.into_team();
            team.origin = Some(reading.about.origin.clone());
            reading.teams.push(team);
        }),
        "provider" => entry.read::<RawProvider>().map(|raw| {
            if raw.names == Names::CaseInsensitive {
                reading.folding.insert(raw.id);
            }
        }),
        _ => entry.read::<RawOffboarding>().map(|raw| {
            reading.offboarding.push((raw.class, raw.procedure));
        }),
    };
    if let Err((line, problem)) = taken {
        reading.mistake(line, problem, Loss::Entry);
    }
}

fn identity(reading: &mut Reading, line: usize, mut raw: RawIdentity) -> Result<(), String> {
    let place = reading.about.origin.place.clone();
    raw.make_absolute(Path::new(&place).parent().unwrap_or(Path::new("")));
    let as_of = raw.as_of;
    reading.card(line, raw.into_identity()?, as_of);
    Ok(())
}

/// Reads a TOML file. Where it stops being TOML, what stands before that is used.
pub(super) fn toml(reading: &mut Reading, text: &str) {
    reading.format = Some("stanch");
    let (root, broken) = match DeTable::parse(text) {
        Ok(root) => (root, None),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let kept = whole_tables(text, at);
            match DeTable::parse(&text[..kept]) {
                Ok(root) => (root, Some((error, kept))),
                Err(_) => (Spanned::new(0..0, DeTable::new()), Some((error, 0))),
            }
        }
    };
    let root = root.into_inner();
    if let Some(value) = root.get(AS_OF) {
        let line = line_at(text, value.span().start);
        let read = shape::time(ValueDeserializer::from(value.clone()));
        as_of(reading, line, read.map_err(|e| e.message().to_owned()));
    }
    for (key, value) in root {
        let list = key.get_ref().as_ref();
        let line = line_at(text, key.span().start);
        match value.into_inner() {
            _ if list == AS_OF => {}
            DeValue::Array(entries) if LISTS.contains(&list) => {
                let mut lines = Lines::new(text);
                for value in entries {
                    let line = lines.of(value.span().start);
                    self::entry(reading, list, TomlEntry { text, line, value });
                }
            }
            _ => unknown_key(reading, line, list),
        }
    }
    if let Some((error, kept)) = broken {
        let lost = match kept {
            0 => "nothing of it is used".to_owned(),
            kept => format!("what follows line {} is not used", line_at(text, kept) - 1),
        };
        let (line, problem) = explain(text, &error);
        reading.mistake(line, format!("{problem}; {lost}"), Loss::Source);
    }
}

fn as_of(reading: &mut Reading, line: usize, read: Result<Option<Timestamp>, String>) {
    match read {
        Ok(at @ Some(_)) => reading.about.origin = reading.dated(at),
        Ok(None) => {}
        Err(problem) => reading.mistake(line, format!("{AS_OF}: {problem}"), Loss::Entry),
    }
}

fn unknown_key(reading: &mut Reading, line: usize, key: &str) {
    let problem = format!(
        "unknown key `{}`, expected {AS_OF} or lists of {}",
        show(key),
        LISTS.join(", ")
    );
    reading.mistake(line, problem, Loss::Entry);
}

/// Finds how much of a text before `at` is whole tables of the first level.
fn whole_tables(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    let starts = |line: &str| {
        LISTS
            .iter()
            .any(|list| line.starts_with(&format!("[[{list}]]")))
    };
    let mut kept = 0;
    let mut place = 0;
    for line in before.split_inclusive('\n') {
        if starts(line) {
            kept = place;
        }
        place += line.len();
    }
    kept
}

fn line_at(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    1 + memchr::memchr_iter(b'\n', before).count()
}

/// Counts lines going forward, so that a long file is counted once.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    const fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
        }
    }

    fn of(&mut self, at: usize) -> usize {
        match self.text.as_bytes().get(self.at..at) {
            Some(between) => {
                self.line += memchr::memchr_iter(b'\n', between).count();
                self.at = at;
                self.line
            }
            None => line_at(self.text, at),
        }
    }
}

struct TomlEntry<'t> {
    text: &'t str,
    line: usize,
    value: Spanned<DeValue<'t>>,
}

impl Entry for TomlEntry<'_> {
    fn read<T: DeserializeOwned>(self) -> Result<T, (usize, String)> {
        let line = self.line;
        T::deserialize(ValueDeserializer::from(self.value)).map_err(|error| {
            let (at, problem) = explain(self.text, &error);
            (if error.span().is_some() { at } else { line }, problem)
        })
    }

    fn line(&self) -> usize {
        self.line
    }
}

/// Says in which line of a TOML text what is wrong. Not by the error's `Display`: it quotes the line, which may hold a
/// secret pasted by mistake.
fn explain(text: &str, error: &toml::de::Error) -> (usize, String) {
    let start = error.span().map_or(0, |span| span.start);
    let problem = match key_before(text, start) {
        Some(key) if !error.message().contains(&format!("`{key}`")) => {
            format!("{key}: {}", error.message())
        }
        _ => error.message().to_owned(),
    };
    (line_at(text, start), problem)
}

/// Finds the key whose value begins at `at`, on the same line.
fn key_before(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let line = before.rsplit('\n').next().unwrap_or(before);
    let key = line.trim_end().strip_suffix('=')?.trim_end();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begin = key.trim_end_matches(is_key).len();
    Some(&key[begin..]).filter(|k| !k.is_empty())
}

/// Tells whether a JSON object is one of our files.
pub(super) fn is_file(mut fields: Pieces<'_>) -> bool {
    fields.any(|f| LISTS.contains(&f.key) && f.is_list())
}

/// Reads a JSON object of the shape of a TOML file.
pub(super) fn json(reading: &mut Reading, fields: Pieces<'_>) {
    reading.format = Some("stanch");
    for field in fields.clone().filter(|f| f.key == AS_OF) {
        let read = serde_json::from_str::<String>(field.text).map_err(|e| e.to_string());
        let read = read.and_then(|text| text.parse().map_err(|_| "is no time".to_owned()));
        as_of(reading, field.line, read.map(Some));
    }
    for field in fields {
        if field.key == AS_OF {
            continue;
        }
        if !LISTS.contains(&field.key) || !field.is_list() {
            unknown_key(reading, field.line, field.key);
            continue;
        }
        for piece in field.inside() {
            entry(reading, field.key, piece);
        }
    }
}

/// Reads a JSON object that is one identity of ours.
pub(super) fn json_identity(reading: &mut Reading, piece: Piece<'_>) {
    reading.format = Some("stanch");
    entry(reading, "identity", piece);
}

impl Entry for Piece<'_> {
    fn read<T: DeserializeOwned>(self) -> Result<T, (usize, String)> {
        serde_json::from_str(self.text).map_err(|error| explain_json(&self, &error))
    }

    fn line(&self) -> usize {
        self.line
    }
}

/// Says in which line of a text what is wrong with a piece of JSON in it.
pub(super) fn explain_json(piece: &Piece<'_>, error: &serde_json::Error) -> (usize, String) {
    let message = error.to_string();
    let what = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(what, _)| what);
    (piece.line + error.line().max(1) - 1, what.to_owned())
}

/// Reads an identity from a row that was made an object.
fn of_row(value: serde_json::Value) -> Result<RawIdentity, String> {
    RawIdentity::deserialize(value).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
