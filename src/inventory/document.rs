//! What kind of document a source gives, and reading it as that.

use std::path::Path;

use serde_json::Value;

use super::reading::Reading;
use super::scan::{Piece, values};
use super::{aws, backstage, entra, google, kubernetes, own, yaml};
use crate::domain::inventory::Loss;
use crate::domain::text::show;
use crate::domain::vocabulary::words;

words! {
    /// Formats that are understood, as the configuration names them.
    Format {
        /// Our own: TOML, JSON, JSON lines or a table.
        Stanch = "stanch",
        /// Entities of a Backstage catalog.
        Backstage = "backstage",
        /// Service accounts, roles and bindings of a Kubernetes cluster.
        Kubernetes = "kubernetes",
        /// IAM of AWS: authorization details, or the credential report.
        Aws = "aws",
        /// Service accounts, keys, policies or assets of Google Cloud.
        Google = "google",
        /// Service principals of Entra.
        Entra = "entra",
    }
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Toml,
    Json,
    Table,
    Yaml,
}

/// Reads a text into `reading`. `name` may tell by its ending how it is written; `format` is given or found.
pub(super) fn read(reading: &mut Reading, text: &str, name: &str, format: Option<Format>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match written(text, name) {
        Err(problem) => reading.mistake(1, problem, Loss::Source),
        Ok(Written::Toml) => match format {
            None | Some(Format::Stanch) => own::toml(reading, text),
            Some(format) => {
                let problem = format!("is TOML, but a source of format `{format}` is JSON");
                reading.mistake(1, problem, Loss::Source);
            }
        },
        Ok(Written::Table) => table(reading, text),
        Ok(Written::Json) => json(reading, text, format),
        Ok(Written::Yaml) => yaml(reading, text, format),
    }
}

fn written(text: &str, name: &str) -> Result<Written, &'static str> {
    let ending = Path::new(name)
        .extension()
        .map(|e| e.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("toml") => return Ok(Written::Toml),
        Some("json" | "jsonl" | "ndjson") => return Ok(Written::Json),
        Some("csv") => return Ok(Written::Table),
        Some("yaml" | "yml") => return Ok(Written::Yaml),
        _ => {}
    }
    let start = text.trim_start();
    let in_list = start.strip_prefix('[').map(str::trim_start);
    Ok(match start.as_bytes().first() {
        Some(b'{') => Written::Json,
        Some(b'[') if in_list.is_some_and(|i| i.starts_with(['{', ']', '"'])) => Written::Json,
        Some(b'<') => return Err("is HTML or XML: a login page, perhaps; see `auth`"),
        Some(_) if yaml::is_yaml(text) => Written::Yaml,
        Some(_) if is_table(start) => Written::Table,
        _ => Written::Toml,
    })
}

/// Tells whether the first line is a header.
fn is_table(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let mut columns = line.split(',');
    let plain = |c: &str| {
        c.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.\" ".contains(c))
    };
    line.contains(',') && columns.all(plain)
}

fn table(reading: &mut Reading, text: &str) {
    let mut rows = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = match rows.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            return reading.mistake(1, own::table::explain(&error), Loss::Source);
        }
    };
    if aws::report::is_header(&header) {
        aws::report::read(reading, &mut rows);
    } else if own::table::is_header(header.iter()) {
        own::table::read(reading, &mut rows);
    } else {
        let problem = "the table has no column `id`, and is no credential report of AWS";
        reading.mistake(1, problem, Loss::Source);
    }
}

/// What vendors' entries say together.
#[derive(Default)]
struct Vendors {
    backstage: backstage::Catalog,
    kubernetes: kubernetes::Cluster,
    aws: aws::Accounts,
    google: google::Projects,
    entra: entra::Tenant,
}

/// Lists of entries by the key that vendors put them under: `kubectl` and Backstage's pages, Graph, Google's APIs.
const WRAPPERS: [&str; 5] = ["items", "value", "accounts", "assets", "results"];

impl Vendors {
    /// Makes nodes and cards, now that all entries are known.
    fn finish(self, reading: &mut Reading) {
        self.backstage.finish(reading);
        self.kubernetes.finish(reading);
        self.aws.finish(reading);
        self.google.finish(reading);
        self.entra.finish(reading);
    }
}

fn json(reading: &mut Reading, text: &str, format: Option<Format>) {
    let mut vendors = Vendors::default();
    for top in values(text) {
        document(reading, &mut vendors, top, format);
    }
    vendors.finish(reading);
}

fn yaml(reading: &mut Reading, text: &str, format: Option<Format>) {
    let mut vendors = Vendors::default();
    yaml::read(reading, text, |reading, line, json| {
        for top in values(json) {
            document(reading, &mut vendors, Piece { line, ..top }, format);
        }
    });
    vendors.finish(reading);
}

fn document(reading: &mut Reading, vendors: &mut Vendors, top: Piece<'_>, format: Option<Format>) {
    if top.is_list() {
        for piece in top.inside() {
            entry(reading, vendors, piece, format, "");
        }
        return;
    }
    let fields = top.inside();
    if own::is_file(fields.clone()) {
        return own::json(reading, fields);
    }
    if aws::is_details(fields.clone()) {
        for list in fields.filter(Piece::is_list) {
            for piece in list.inside() {
                let Some(value) = parsed(reading, &piece) else {
                    continue;
                };
                vendors.aws.take(reading, list.key, piece.line, &value);
            }
        }
        return;
    }
    let wrapped = fields
        .clone()
        .find(|f| WRAPPERS.contains(&f.key) && f.is_list());
    match wrapped {
        // A list's items need not say what they are: `ServiceAccountList` does.
        Some(list) => {
            let mut kinds = fields.filter(|f| f.key == "kind");
            let kind = kinds.next().map_or("", |f| f.text.trim_matches('"'));
            let kind = kind.strip_suffix("List").unwrap_or_default();
            for piece in list.inside() {
                entry(reading, vendors, piece, format, kind);
            }
        }
        None => entry(reading, vendors, top, format, ""),
    }
}

fn parsed(reading: &mut Reading, piece: &Piece<'_>) -> Option<Value> {
    match serde_json::from_str(piece.text) {
        Ok(value) => Some(value),
        Err(error) => {
            let (line, problem) = own::explain_json(piece, &error);
            reading.mistake(line, problem, Loss::Entry);
            None
        }
    }
}

/// Reads one entry. `kind` is what the list says that its items are.
fn entry(
    reading: &mut Reading,
    vendors: &mut Vendors,
    piece: Piece<'_>,
    format: Option<Format>,
    kind: &str,
) {
    if format == Some(Format::Stanch) || (format.is_none() && is_own(&piece)) {
        return own::json_identity(reading, piece);
    }
    let Some(value) = parsed(reading, &piece) else {
        return;
    };
    let line = piece.line;
    let found = format_of(&value, kind);
    match (found, format) {
        (Some(found), Some(named)) if found != named => {
            let problem = format!("looks like `{found}`, not like `{named}`");
            reading.mistake(line, problem, Loss::Entry);
        }
        (Some(Format::Stanch), _) => own::json_identity(reading, piece),
        (Some(Format::Backstage), _) => vendors.backstage.take(reading, line, &value),
        (Some(Format::Kubernetes), _) => vendors.kubernetes.take(reading, line, &value, kind),
        (Some(Format::Google), _) => vendors.google.take(reading, line, &value),
        (Some(Format::Entra), _) => vendors.entra.take(reading, line, &value),
        (Some(Format::Aws) | None, _) => {
            let problem = match &value {
                Value::Object(fields) => {
                    let keys: Vec<String> = fields.keys().take(6).map(|k| show(k).into()).collect();
                    format!(
                        "an entry with {} is of no known format; known are {}",
                        keys.join(", "),
                        names()
                    )
                }
                _ => "an entry must be an object".to_owned(),
            };
            reading.mistake(line, problem, Loss::Entry);
        }
    }
}

fn names() -> String {
    let names: Vec<&str> = Format::ALL.iter().map(|f| f.as_str()).collect();
    names.join(", ")
}

/// Reads the name of a format.
pub(super) fn format_named(name: &str) -> Result<Option<Format>, String> {
    match (name, Format::parse(name)) {
        ("auto", _) => Ok(None),
        (_, Some(format)) => Ok(Some(format)),
        (_, None) => Err(format!(
            "`{}` is no format; use auto, {}",
            show(name),
            names()
        )),
    }
}

/// Tells without parsing whether an entry is one of ours: its id has a provider, and it has no key that only vendors write.
fn is_own(piece: &Piece<'_>) -> bool {
    const VENDORS: [&str; 6] = [
        "apiVersion",
        "appId",
        "appRoleId",
        "assetType",
        "clientId",
        "email",
    ];
    let mut has_id = false;
    for field in piece.inside() {
        if VENDORS.contains(&field.key) {
            return false;
        }
        has_id |= field.key == "id" && field.text.contains(':');
    }
    has_id && piece.is_object()
}

/// Tells the format of an entry by the keys that only it has.
fn format_of(value: &Value, kind: &str) -> Option<Format> {
    let has = |key: &str| value.get(key).is_some();
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    if backstage::is_entity(text("apiVersion")) {
        Some(Format::Backstage)
    } else if kubernetes::is_kind(if has("kind") { text("kind") } else { kind }) {
        Some(Format::Kubernetes)
    } else if google::is_entry(value) {
        Some(Format::Google)
    } else if entra::is_entry(value) {
        Some(Format::Entra)
    } else if text("id").contains(':') || has("credential") || has("scopes") {
        Some(Format::Stanch)
    } else {
        None
    }
}
