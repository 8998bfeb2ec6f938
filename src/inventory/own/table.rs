//! Our own inventory as a table with a header (RFC 4180): one identity a row, or one credential of it.
//!
//! Columns are the keys of `[[identity]]`; `credential.id`, `credential.kind` and so on are those of one credential, and
//! `param.NAME` a parameter of its connector. Several aliases or scopes stand in one cell with `;` between them; a scope
//! may end in `=read`, `=write`, `=secret_reading` or `=admin`.

use serde_json::{Map, Value, json};

use super::of_row;
use crate::domain::identity::Level;
use crate::domain::inventory::Loss;
use crate::domain::text::show;
use crate::inventory::reading::Reading;

/// Columns that hold lists.
const LISTS: [&str; 3] = ["aliases", "credential.consumers", "credential.hard_coded"];

/// Columns that hold yes or no.
const FLAGS: [&str; 2] = ["enabled", "credential.enabled"];

/// Columns of plain text; the parser knows which of them are words or times.
const TEXTS: [&str; 26] = [
    "id",
    "name",
    "kind",
    "as_of",
    "driver",
    "environment",
    "workload",
    "business_owner",
    "technical_owner",
    "on_call",
    "contact",
    "criticality",
    "uninterruptible",
    "stop_cost",
    "created",
    "last_used",
    "connector",
    "credential.id",
    "credential.kind",
    "credential.store",
    "credential.fingerprint",
    "credential.created",
    "credential.expires",
    "credential.last_used",
    "credential.rotated",
    "credential.rotation",
];

/// Tells whether a header is that of such a table.
pub(in crate::inventory) fn is_header<'h>(mut header: impl Iterator<Item = &'h str>) -> bool {
    header.any(|column| column.trim() == "id")
}

/// Reads the rows below a header.
pub(in crate::inventory) fn read(reading: &mut Reading, rows: &mut csv::Reader<&[u8]>) {
    reading.format = Some("stanch table");
    reading.repeats = true;
    let Ok(header) = rows.headers().cloned() else {
        return;
    };
    let known = |column: &str| {
        TEXTS.contains(&column)
            || LISTS.contains(&column)
            || FLAGS.contains(&column)
            || matches!(
                column,
                "scopes" | "credential.offboarding" | "credential.secret_ref"
            )
            || column.starts_with("param.")
    };
    for column in header.iter().map(str::trim).filter(|c| !known(c)) {
        let problem = format!(
            "column `{}` is unknown and not read; known are the keys of [[identity]], `credential.KEY` and `param.NAME`",
            show(column)
        );
        reading.mistake(1, problem, Loss::None);
    }
    let mut row = csv::StringRecord::new();
    loop {
        match rows.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {
                let line = row.position().map_or(0, |p| p.line() as usize);
                let cells = header.iter().map(str::trim).zip(row.iter().map(str::trim));
                take(
                    reading,
                    line,
                    cells.filter(|(c, v)| known(c) && !v.is_empty()),
                );
            }
            Err(error) => {
                let line = error.position().map_or(0, |p| p.line() as usize);
                reading.mistake(line, explain(&error), Loss::Entry);
                if !is_row_only(&error) {
                    break;
                }
            }
        }
    }
}

/// Tells whether the rows after this one can still be read.
pub(in crate::inventory) fn is_row_only(error: &csv::Error) -> bool {
    matches!(
        error.kind(),
        csv::ErrorKind::UnequalLengths { .. } | csv::ErrorKind::Utf8 { .. }
    )
}

/// Says what is wrong with a row.
pub(in crate::inventory) fn explain(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("the row has {len} cells, the header {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "the row is no UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

fn take<'r>(reading: &mut Reading, line: usize, cells: impl Iterator<Item = (&'r str, &'r str)>) {
    let (mut own, mut credential, mut params) = (Map::new(), Map::new(), Map::new());
    for (column, cell) in cells {
        let value = if LISTS.contains(&column) {
            let parts = cell.split(';').map(str::trim).filter(|p| !p.is_empty());
            Value::from(parts.collect::<Vec<_>>())
        } else if FLAGS.contains(&column) {
            match cell.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Value::Bool(true),
                "false" | "no" | "0" => Value::Bool(false),
                _ => {
                    let problem = format!("{column}: `{}` is neither yes nor no", show(cell));
                    return reading.mistake(line, problem, Loss::Entry);
                }
            }
        } else if column == "scopes" {
            Value::from(cell.split(';').filter_map(scope).collect::<Vec<_>>())
        } else {
            Value::from(cell)
        };
        if let Some(name) = column.strip_prefix("param.") {
            params.insert(name.to_owned(), value);
        } else if let Some(key) = column.strip_prefix("credential.") {
            credential.insert(key.to_owned(), value);
        } else {
            own.insert(column.to_owned(), value);
        }
    }
    if !params.is_empty() {
        own.insert("params".to_owned(), Value::Object(params));
    }
    if credential.contains_key("id") {
        own.insert("credential".to_owned(), json!([credential]));
    }
    let read = of_row(Value::Object(own)).and_then(|raw| super::identity(reading, line, raw));
    if let Err(problem) = read {
        reading.mistake(line, problem, Loss::Entry);
    }
}

fn scope(cell: &str) -> Option<Value> {
    let cell = cell.trim();
    let level = cell
        .rsplit_once('=')
        .and_then(|(name, level)| Some((name, Level::parse(level)?)));
    match (cell, level) {
        ("", _) => None,
        (_, Some((name, level))) => Some(json!({ "name": name.trim(), "level": level })),
        (name, None) => Some(json!({ "name": name })),
    }
}
