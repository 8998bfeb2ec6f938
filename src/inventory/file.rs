//! Inventory files: TOML, or JSON of the same shape.
//!
//! ```toml
//! [[identity]]
//! id = "lab:svc-deploy"       # provider:native-id
//! name = "svc-deploy"
//! kind = "oauth_client"       # every other key may be left out
//! aliases = ["SHA256:…"]      # further ids under which alerts name it
//! scopes = [{ name = "deploy", privileged = false }]
//!
//! [[identity.credential]]
//! id = "dk-7f3a"
//! kind = "deploy_key"
//! store = "vault-eu-1"
//! secret_ref = "file:/etc/stanch/dk-7f3a"
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

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::domain::graph::Graph;
use crate::domain::ids::IdentityId;
use crate::domain::inventory::Inventory;
use crate::domain::text::{fit, show};
use shape::InventoryFile;

/// Largest file read: about 200,000 identities.
const MAX_FILE: u64 = 256 << 20;

/// Longest message taken over from a parser, in terminal cells.
const LONGEST_MESSAGE: usize = 300;

/// Why an inventory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The file cannot be read.
    #[error("read inventory {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is larger than 256 MiB.
    #[error("read inventory {}: larger than 256 MiB; split it into several files", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Something in the file is wrong.
    #[error("{origin}:{line}: {problem}")]
    Content {
        /// The file.
        origin: String,
        /// The line, counted from 1.
        line: usize,
        /// The key, what is wrong with it, and the way out. Never the value of a secret.
        problem: String,
    },
}

/// Loads files into one inventory.
pub fn load(paths: &[PathBuf]) -> Result<Inventory, InventoryError> {
    let mut loading = Loading::default();
    for path in paths {
        let text = read(path)?;
        loading.add(&text, &path.to_string_lossy())?;
    }
    Ok(loading.finish())
}

/// Parses one text. `origin` names it in errors; when it ends in `.json` the text is JSON, else TOML.
pub fn parse(text: &str, origin: &str) -> Result<Inventory, InventoryError> {
    let mut loading = Loading::default();
    loading.add(text, origin)?;
    Ok(loading.finish())
}

fn read(path: &Path) -> Result<String, InventoryError> {
    let failed = |source| InventoryError::Io {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_FILE + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(InventoryError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

/// Files read so far.
#[derive(Default)]
struct Loading {
    identities: Vec<crate::domain::identity::Identity>,
    /// Where each id was seen first.
    places: BTreeMap<IdentityId, String>,
    graph: Graph,
}

impl Loading {
    fn add(&mut self, text: &str, origin: &str) -> Result<(), InventoryError> {
        let origin = &*show(origin);
        let is_json = Path::new(origin)
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let file = if is_json {
            from_json(text, origin)?
        } else {
            from_toml(text, origin)?
        };
        let lines = lines_of(text, is_json, "identity");
        let folder = Path::new(origin).parent().unwrap_or(Path::new(""));
        for (index, mut raw) in file.identity.into_iter().enumerate() {
            raw.make_absolute(folder);
            let line = nth(&lines, index);
            let failed = |problem| InventoryError::Content {
                origin: origin.to_owned(),
                line,
                problem,
            };
            let identity = raw.into_identity(origin).map_err(failed)?;
            let place = format!("{origin}:{line}");
            if let Some(first) = self.places.insert(identity.id.clone(), place) {
                return Err(failed(format!(
                    "id: `{}` is listed twice, first at {first}; merge the two entries",
                    identity.id
                )));
            }
            self.identities.push(identity);
        }
        let lines = lines_of(text, is_json, "node");
        for (index, raw) in file.node.into_iter().enumerate() {
            let line = nth(&lines, index);
            let node = raw.into_node().map_err(|problem| InventoryError::Content {
                origin: origin.to_owned(),
                line,
                problem,
            })?;
            self.graph.add_node(node);
        }
        for edge in file.edge {
            self.graph.add(edge.into_edge());
        }
        Ok(())
    }

    fn finish(self) -> Inventory {
        Inventory::new(self.identities, self.graph)
    }
}

fn from_toml(text: &str, origin: &str) -> Result<InventoryFile, InventoryError> {
    toml::from_str(text).map_err(|error| {
        // Not the error's `Display`: it quotes the line, which may hold a secret pasted by mistake.
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text
            .as_bytes()
            .iter()
            .take(start)
            .filter(|b| **b == b'\n')
            .count();
        let problem = match key_before(text, start) {
            Some(key) if !error.message().contains(&format!("`{key}`")) => {
                format!("{key}: {}", error.message())
            }
            _ => error.message().to_owned(),
        };
        InventoryError::Content {
            origin: origin.to_owned(),
            line,
            problem: bounded(&problem),
        }
    })
}

fn from_json(text: &str, origin: &str) -> Result<InventoryFile, InventoryError> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let what = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(what, _)| what);
        InventoryError::Content {
            origin: origin.to_owned(),
            line: error.line().max(1),
            problem: bounded(what),
        }
    })
}

/// Parsers write several lines and may quote what they found.
fn bounded(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    fit(&show(&line), LONGEST_MESSAGE, "…")
}

/// Finds the key whose value begins at `at`, on the same line.
fn key_before(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let line = before.rsplit('\n').next().unwrap_or(before);
    let key = line.trim_end().strip_suffix('=')?.trim_end();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begin = key.rfind(|c| !is_key(c)).map_or(0, |i| i + 1);
    Some(&key[begin..]).filter(|k| !k.is_empty())
}

/// Lists the lines of all `[[table]]`; in JSON, where entries have no marks of their own, that of the key.
fn lines_of(text: &str, is_json: bool, table: &str) -> Vec<usize> {
    let header = if is_json {
        format!("\"{table}\"")
    } else {
        format!("[[{table}]]")
    };
    let begins = |line: &str| {
        line.trim_start()
            .trim_start_matches('{')
            .starts_with(&header)
    };
    let numbered = text.lines().zip(1..).filter(|(line, _)| begins(line));
    numbered.map(|(_, number)| number).collect()
}

/// Picks the line of the `index`th entry.
fn nth(lines: &[usize], index: usize) -> usize {
    lines.get(index).or(lines.last()).copied().unwrap_or(1)
}

#[cfg(test)]
mod tests;
