//! `stanch alerts`: look at alerts without the console.

mod decode;
pub mod elsewhere;
mod import;
mod read;
mod recorded;
mod sources;
mod views;

pub use self::recorded::recorded;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::model::Model;
use crate::app::settings::{Retention, View};
use crate::app::{exposure, sift, triage};
use crate::domain::alert::{Alert, Subject, age};
use crate::domain::filter::Filter;
use crate::domain::ids::AlertId;
use crate::domain::queue::{Grouping, Queue, Row, Several};
use crate::domain::text::{Untrusted, counted, fit, seen, show};
use crate::domain::urgency::Why;
use crate::domain::vocabulary::{ActionPattern, IdentityKind};
use crate::intake::decode::Decoders;
use crate::intake::decode::jwt::KeySet;
use crate::intake::store::{Store, StoredAlert};
use crate::runtime::history;

/// Exit code: done.
const DONE: u8 = 0;
/// Exit code: some input was no alert, or there is no such alert.
const FAILED: u8 = 1;

/// Alerts that are looked at together.
const PAGE: usize = 4_096;
/// Cells that are shown of what could not be read.
const LONGEST_BEGINNING: usize = 400;
/// Most keys that are offered when one was not told clearly.
const MOST_NAMED: usize = 10;

/// Options of `stanch alerts`.
#[derive(Args, Clone, Debug)]
pub struct AlertsArgs {
    #[command(subcommand)]
    what: What,
}

/// What `decode` prints, for its long help.
const SHAPE: &str = "\
One JSON object a line, in the order of the file:
  id            the source's own event id, else one derived from the content
  source        the file's name
  format        the kind that decoded it, as `stanch alerts kinds` lists them
  time          when it happened (RFC 3339, UTC); null when absent or unreadable
  exposed_at    since when the identity has been exposed: the earliest believable time
  title         one line for people, in the source's words
  severity      info, low, medium, high, critical; null when the source says none
  severity_raw  the source's own value; null beside a severity means that it is ours
  confidence    0 to 100; null when the source says none
  pattern       what happened, of a closed list; the first of `signals`
  signals       every pattern that some field supports, the strongest first
  identity      null, or provider, native_id, kind, name. Unresolved with candidates: the
                four are null or `unknown`, and `candidates` lists such objects
  resource      null, or id and kind of what was touched
  action        the event name or finding type as the source gives it
  evidence_url  where the source shows more
  techniques    MITRE ATT&CK ids
  raw_sha256    of the line or document it stood in
Text from the source is escaped (\\u{..}), never reworded. What is no alert is said on
standard error with file and line; the exit code is then 1.";

/// Decoders of one's own, on top of those in the configuration.
#[derive(Args, Clone, Debug, Default)]
struct OwnDecoders {
    /// Mapping file of one's own (repeatable)
    #[arg(long = "mapping", value_name = "FILE")]
    mappings: Vec<PathBuf>,
    /// JSON Web Key Set with which security event tokens must be signed
    #[arg(long, value_name = "FILE")]
    token_keys: Option<PathBuf>,
}

impl OwnDecoders {
    /// Reads the files that are named.
    fn load(&self, mut decoders: Decoders) -> anyhow::Result<Decoders> {
        for file in &self.mappings {
            let name = decode::origin(file);
            let text = std::fs::read_to_string(file).with_context(|| format!("read {name}"))?;
            decoders.add_mapping(&text).with_context(|| name)?;
        }
        if let Some(file) = &self.token_keys {
            let name = decode::origin(file);
            let text = std::fs::read_to_string(file).with_context(|| format!("read {name}"))?;
            decoders.set_keys(KeySet::parse(&text).with_context(|| name)?);
        }
        Ok(decoders)
    }
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Print the alerts in files as normalised JSON lines, without storing anything
    #[command(after_long_help = SHAPE)]
    Decode {
        /// Kind to decode as; found from each alert when not given or `auto`
        #[arg(long, value_name = "KIND")]
        format: Option<String>,
        #[command(flatten)]
        own: OwnDecoders,
        /// Files of JSON lines, or of one JSON document each, possibly gzipped; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Store the alerts in files, or decode again what could not be read before
    Import {
        /// Kind to decode as; found from each alert when not given or `auto`
        #[arg(long, value_name = "KIND")]
        format: Option<String>,
        /// Name of the source in alert ids; the file's name when not given
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// Decode again what is kept as unreadable
        #[arg(long)]
        quarantine: bool,
        #[command(flatten)]
        own: OwnDecoders,
        /// Files of JSON lines, or of one JSON document each, possibly gzipped; `-` is standard input
        #[arg(required_unless_present = "quarantine", value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List the kinds of alerts that are known
    Kinds {
        #[command(flatten)]
        own: OwnDecoders,
    },
    /// List stored alerts, the latest first
    List {
        /// How many at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// Only those that this lets through, as typed after `/` in the console: `sev>=high owner:payments -state:closed`
        #[arg(
            long,
            default_value = "",
            value_name = "FILTER",
            hide_default_value = true
        )]
        filter: String,
    },
    /// List input that could not be read and is kept, the latest first
    Malformed {
        /// How many at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// List the APIs that `poll` sources know how to ask, with their parameters
    Presets,
    /// List the sources: how each is, when it last gave something, how far it lags, what went wrong last
    Sources,
    /// List the views of the queue, those of the configuration and those that were saved; save or remove one
    Views {
        /// Save a view under this name
        #[arg(long, value_name = "NAME")]
        save: Option<String>,
        /// Its filter, as typed after `/` in the console
        #[arg(long, default_value = "", value_name = "FILTER", requires = "save")]
        filter: String,
        /// What it folds into a line: `none`, `kind`, `identity` or `incident`
        #[arg(long, default_value = "kind", value_name = "WHAT", requires = "save", value_parser = views::fold)]
        fold: Grouping,
        /// Remove the saved view of this name
        #[arg(long, value_name = "NAME", conflicts_with = "save")]
        remove: Option<String>,
    },
    /// Show one stored alert with its raw bytes
    Show {
        /// Its key as listed (`source/id`), or the source's own id where only one source has it
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl AlertsArgs {
    /// Tells whether the store is read, so that what has arrived since should be in it.
    pub const fn reads_store(&self) -> bool {
        matches!(
            self.what,
            What::List { .. } | What::Malformed { .. } | What::Show { .. }
        )
    }
}

/// What the configuration says about decoding.
#[derive(Default)]
pub struct Configured {
    /// Decoders with the mappings and keys of the configuration.
    pub decoders: Decoders,
    /// Formats of its sources, by name.
    pub formats: BTreeMap<String, String>,
    /// What is known of identities, and what was decided.
    pub model: Model,
    /// Its sources: name and kind.
    pub sources: Vec<(String, &'static str)>,
    /// How long alerts are kept.
    pub retention: Retention,
    /// Its views of the queue.
    pub views: Vec<View>,
}

/// Runs `stanch alerts`. Results go to `out`, problems to `err`; returns the exit code.
pub fn run(
    args: &AlertsArgs,
    mut configured: Configured,
    state_dir: &Path,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    match &args.what {
        What::Decode { format, own, files } => {
            let decoders = own.load(configured.decoders)?;
            decode::run(&decoders, format.as_deref(), files, now, out, err)
        }
        What::Import {
            format,
            source,
            quarantine,
            own,
            files,
        } => {
            let decoders = own.load(configured.decoders)?;
            let mut store = Store::open(state_dir)?;
            let (format, source) = (format.as_deref(), source.as_deref());
            let mut code = DONE;
            if *quarantine {
                let formats = configured.formats;
                let format_of = |name: &str| {
                    format
                        .or(formats.get(name).map(String::as_str))
                        .map(str::to_owned)
                };
                code = import::quarantine(&mut store, &decoders, &format_of, now, err)?;
            }
            Ok(code.max(import::files(
                &mut store, &decoders, format, source, files, now, err,
            )?))
        }
        What::Kinds { own } => kinds(&own.load(configured.decoders)?, json, out),
        What::List { limit, filter } => {
            let (store, model) = (Store::open(state_dir)?, &mut configured.model);
            let code = list(&store, model, (filter, *limit), json, now, (out, err))?;
            tell_malformed(&store, err)?;
            Ok(code)
        }
        What::Malformed { limit } => malformed(&Store::open(state_dir)?, *limit, json, now, out),
        What::Show { id } => {
            let (store, model) = (Store::open(state_dir)?, &mut configured.model);
            show_one(&store, model, id, json, now, out, err)
        }
        What::Presets => sources::presets(json, out),
        What::Views {
            save,
            filter,
            fold,
            remove,
        } => {
            let save = save.as_ref().map(|name| View {
                name: name.trim().to_owned(),
                filter: filter.clone(),
                fold: *fold,
            });
            let change = views::Change {
                save,
                remove: remove.as_deref(),
            };
            views::run(&configured.views, state_dir, &change, json, out)
        }
        What::Sources => sources::list(&configured, state_dir, json, now, out),
    }
}

fn kinds(decoders: &Decoders, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    for kind in decoders.kinds() {
        if json {
            let row = json!({ "names": kind.names, "title": kind.title, "doc": kind.doc, "mapping": kind.is_mapping });
            writeln!(out, "{row}")?;
        } else {
            let how = if kind.is_mapping { "mapping" } else { "code" };
            writeln!(
                out,
                "{:<32}  {how:<8}  {}",
                kind.names.join(" "),
                show(&kind.title)
            )?;
        }
    }
    Ok(DONE)
}

/// Lists stored alerts that a filter lets through, the latest arrival first.
fn list(
    store: &Store,
    model: &mut Model,
    (filter, limit): (&str, usize),
    json: bool,
    now: Timestamp,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> anyhow::Result<u8> {
    let filter = Filter::parse(filter).with_context(|| format!("--filter `{}`", show(filter)))?;
    // How urgent they are is told, or asked for.
    let several = match json || !filter.is_all() {
        true => elsewhere::several(store)?,
        false => Vec::new(),
    };
    let (mut found, mut before) = (0, None);
    loop {
        let (page, next) = store.page(before, PAGE)?;
        let rows: Vec<Row> = page.iter().cloned().map(history::row).collect();
        let passes = sift::passing(model, &filter, (&rows, &several), now);
        let chosen = page.into_iter().zip(passes).filter(|(_, passes)| *passes);
        let mut chosen: Vec<StoredAlert> = chosen.map(|(row, _)| row).collect();
        let is_cut = chosen.len() > limit - found;
        chosen.truncate(limit - found);
        print(&chosen, model, json, now, out)?;
        found += chosen.len();
        before = next;
        if is_cut || (found == limit && before.is_some()) {
            writeln!(
                err,
                "stanch: the latest {found}; `--limit` looks further back"
            )?;
            break;
        }
        if before.is_none() {
            break;
        }
    }
    if found == 0 && limit > 0 && !json {
        let text = if filter.is_all() {
            "no alerts stored"
        } else {
            "no stored alert passes this filter"
        };
        writeln!(out, "{text}")?;
    }
    Ok(DONE)
}

fn print(
    alerts: &[StoredAlert],
    model: &Model,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    for row in alerts {
        if json {
            writeln!(out, "{}", stored_json(row, model))?;
            continue;
        }
        let alert = &row.alert;
        let severity = alert.severity.map_or("-", |s| s.as_str());
        let subject = alert.subject.as_ref();
        let who = subject.map_or("unresolved".into(), |s| {
            s.name.as_ref().unwrap_or(&s.native_id).show()
        });
        writeln!(
            out,
            "{severity:<8}  {:>7}  {:>3}×  {:<28}  {:<28}  {}  {}",
            age(alert.exposed_since(), now),
            row.count,
            alert.pattern,
            fit(&who, 28, "…"),
            alert.title.show(),
            alert.id,
        )?;
    }
    Ok(())
}

/// Says what is missing from the list because it could not be read.
fn tell_malformed(store: &Store, err: &mut dyn Write) -> anyhow::Result<()> {
    for source in store.sources()? {
        let total = store.quarantined_of(&source)?;
        if let Some(reason) = store.last_reason(&source)? {
            writeln!(
                err,
                "stanch: {} of input from {} could not be read and {} kept (latest: {}); see `stanch alerts malformed`",
                counted(total as usize, "piece", "pieces"),
                show(&source),
                if total == 1 { "is" } else { "are" },
                seen(reason)
            )?;
        }
    }
    Ok(())
}

fn malformed(
    store: &Store,
    limit: usize,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let kept = store.quarantine(limit)?;
    if kept.is_empty() && limit > 0 && !json {
        writeln!(out, "everything that arrived could be read")?;
    }
    for piece in &kept {
        if json {
            let row = json!({
                "source": show(&piece.source), "at": piece.at, "reason": seen(&piece.reason), "length": piece.length,
                "sha256": piece.sha256, "raw": piece.beginning.show(),
            });
            writeln!(out, "{row}")?;
            continue;
        }
        writeln!(
            out,
            "{:>7}  {}  {}  {} bytes: {}",
            age(piece.at, now),
            show(&piece.source),
            seen(&piece.reason),
            piece.length,
            fit(&piece.beginning.show(), LONGEST_BEGINNING, "…")
        )?;
    }
    Ok(DONE)
}

fn show_one(
    store: &Store,
    model: &mut Model,
    id: &str,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let Some(row) = find(store, id)? else {
        if let Some(at) = store.deleted_at(&AlertId::new(id))? {
            let day = at.strftime("%Y-%m-%d");
            writeln!(
                err,
                "alert `{}` was deleted on {day} for its age, or because the store was full; `stanch log report` tells what \
                 was decided about it",
                show(id)
            )?;
            return Ok(FAILED);
        }
        writeln!(
            err,
            "no stored alert `{}`; `stanch alerts list` shows their ids",
            show(id)
        )?;
        return Ok(FAILED);
    };
    if row.alert.subject.as_ref().is_some_and(Several::concerns) {
        model.queue = Queue::knowing(&elsewhere::several(store)?);
    }
    triage::put(model, &[history::row(row.clone())], true);
    let raw = store
        .raw(&row.alert.id)
        .context("read the raw bytes")?
        .unwrap_or_default();
    let raw = String::from_utf8_lossy(&raw);
    if json {
        let mut value = stored_json(&row, model);
        value["exposure"] = json!(exposure::of(&model.decisions, &row.alert));
        value["raw"] = Value::from(show(&raw));
        writeln!(out, "{value}")?;
        return Ok(DONE);
    }
    for (label, text) in fields(&row, now) {
        writeln!(out, "{label:<12}{text}")?;
    }
    if let Some(resolved) = &row.alert.resolved {
        let (at, reason) = (resolved.at, show(&resolved.reason));
        writeln!(out, "{:<12}{at}: {reason}", "resolved")?;
    }
    let urgency = model.queue.urgency(&row.alert);
    writeln!(out, "{:<12}{urgency}", "rank")?;
    writeln!(
        out,
        "{:<12}{}",
        "state",
        model.row_state(&row.alert.id).as_str()
    )?;
    let exposure = exposure::of(&model.decisions, &row.alert);
    writeln!(out, "{:<12}{}", "exposure", exposure.words(now))?;
    writeln!(out, "{:<12}{}", "raw", show(&raw))?;
    Ok(DONE)
}

/// Finds an alert by its key, else by the end of the key or the source's own id, if only one alert has it.
pub fn find(store: &Store, wanted: &str) -> anyhow::Result<Option<StoredAlert>> {
    let mut found = store.named(wanted, MOST_NAMED)?;
    if found.len() > 1 {
        let keys: Vec<_> = found
            .iter()
            .map(|row| show(row.alert.id.as_str()))
            .collect();
        anyhow::bail!(
            "several alerts match `{}`: give one of {}{}",
            show(wanted),
            keys.join(", "),
            if keys.len() == MOST_NAMED { " …" } else { "" }
        );
    }
    Ok(found.pop())
}

fn fields(row: &StoredAlert, now: Timestamp) -> Vec<(&'static str, String)> {
    let alert = &row.alert;
    let time = |t: Option<Timestamp>| t.map_or("unknown".to_owned(), |t| t.to_string());
    let text = |t: &Option<Untrusted>| {
        t.as_ref()
            .map_or("unknown".to_owned(), |t| t.show().into_owned())
    };
    let subject = alert
        .subject
        .as_ref()
        .map_or("unresolved".to_owned(), subject_line);
    let candidates: Vec<String> = alert.candidates.iter().map(subject_line).collect();
    let resource = alert.resource.as_ref();
    let severity = alert.severity.map_or("not given", |s| s.as_str());
    let techniques: Vec<_> = alert.techniques.iter().map(Untrusted::show).collect();
    vec![
        ("id", alert.id.to_string()),
        ("format", alert.format.to_string()),
        ("title", alert.title.show().into_owned()),
        ("severity", severity.to_owned()),
        (
            "confidence",
            alert
                .confidence
                .map_or("not given".to_owned(), |c| format!("{c} %")),
        ),
        ("pattern", alert.pattern.to_string()),
        ("identity", subject),
        ("candidates", candidates.join("; ")),
        (
            "resource",
            resource.map_or("unknown".to_owned(), |r| {
                format!("{} {}", r.id.show(), r.kind.show())
            }),
        ),
        ("action", text(&alert.action)),
        ("incident", text(&alert.incident)),
        ("time", time(alert.time)),
        (
            "exposed",
            format!(
                "{} ({} ago)",
                alert.exposed_since(),
                age(alert.exposed_since(), now)
            ),
        ),
        (
            "arrived",
            format!("{} ×{}, last {}", row.first_seen, row.count, row.last_seen),
        ),
        ("techniques", techniques.join(" ")),
        ("more", text(&alert.evidence_url)),
        ("sha256", alert.raw_sha256.to_string()),
    ]
}

fn subject_line(s: &Subject) -> String {
    let name = s.name.as_ref();
    let name = name.map(|n| format!(" ({})", n.show())).unwrap_or_default();
    let (provider, id) = (s.provider.show(), s.native_id.show());
    format!("{provider}:{id}{name}, {}", s.kind)
}

fn subject_json(s: &Subject) -> Value {
    json!({
        "provider": s.provider.show(),
        "native_id": s.native_id.show(),
        "kind": s.kind,
        "name": s.name.as_ref().map(|n| n.show().into_owned()),
    })
}

/// Writes whom an alert is about. Unresolved with candidates is an object of its own, so that nobody overlooks them.
fn identity_json(alert: &Alert) -> Value {
    match (&alert.subject, alert.candidates.as_slice()) {
        (Some(subject), _) => subject_json(subject),
        (None, []) => Value::Null,
        (None, candidates) => json!({
            "provider": null,
            "native_id": null,
            "kind": IdentityKind::Unknown,
            "name": null,
            "candidates": candidates.iter().map(subject_json).collect::<Vec<_>>(),
        }),
    }
}

/// Writes an alert with the documented field names.
fn decoded_json(alert: &Alert, signals: &[ActionPattern]) -> Value {
    let text = |t: &Option<Untrusted>| t.as_ref().map(|t| t.show().into_owned());
    json!({
        "id": show(alert.own_id()),
        "source": show(&alert.source),
        "format": alert.format,
        "time": alert.time,
        "exposed_at": alert.exposed_at,
        "title": alert.title.show(),
        "severity": alert.severity,
        "severity_raw": alert.severity_raw.as_ref().map(severity_raw),
        "confidence": alert.confidence,
        "pattern": alert.pattern,
        "signals": signals,
        "identity": identity_json(alert),
        "resource": alert.resource.as_ref().map(|r| json!({ "id": r.id.show(), "kind": r.kind.show() })),
        "action": text(&alert.action),
        "evidence_url": text(&alert.evidence_url),
        "techniques": alert.techniques.iter().map(Untrusted::show).collect::<Vec<_>>(),
        "raw_sha256": alert.raw_sha256,
    })
}

/// Gives the source's severity its JSON type back.
fn severity_raw(raw: &Untrusted) -> Value {
    match serde_json::from_str(raw.raw()) {
        Ok(Value::String(text)) => Value::from(show(&text)),
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::from(raw.show()),
    }
}

fn stored_json(row: &StoredAlert, model: &Model) -> Value {
    let mut value = decoded_json(&row.alert, &[row.alert.pattern]);
    value["key"] = json!(show(row.alert.id.as_str()));
    value["incident"] = json!(row.alert.incident.as_ref().map(Untrusted::show));
    value["observed"] = json!(row.alert.observed);
    value["resolved"] = json!(row.alert.resolved);
    value["count"] = json!(row.count);
    value["first_seen"] = json!(row.first_seen);
    value["last_seen"] = json!(row.last_seen);
    let urgency = model.queue.urgency(&row.alert);
    let why = |(why, points): (Why, i8)| json!({ "why": why.to_string(), "points": points });
    value["urgency"] = json!({
        "points": urgency.points(), "hygiene": urgency.is_hygiene, "reasons": urgency.reasons().map(why).collect::<Vec<_>>(),
    });
    value["state"] = json!(model.row_state(&row.alert.id).as_str());
    value
}

#[cfg(test)]
mod tests;
