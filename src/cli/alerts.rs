//! `stanch alerts`: look at alerts without the console.

mod decode;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::alert::{Alert, age};
use crate::domain::ids::AlertId;
use crate::domain::text::{Untrusted, fit, show};
use crate::domain::vocabulary::ActionPattern;
use crate::intake::store::{Store, StoredAlert};

/// Exit code: done.
const DONE: u8 = 0;
/// Exit code: some input was no alert, or there is no such alert.
const FAILED: u8 = 1;

/// Options of `stanch alerts`.
#[derive(Args, Clone, Debug)]
pub struct AlertsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Print the alerts in files as normalised JSON lines, without storing anything
    Decode {
        /// Decoder to use; found from each alert when not given
        #[arg(long, value_name = "KIND")]
        format: Option<String>,
        /// Files of JSON lines, or of one JSON document each; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List stored alerts, the latest first
    List {
        /// How many at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// List input that could not be read and is kept, the latest first
    Malformed {
        /// How many at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// Show one stored alert with its raw bytes
    Show {
        /// Its key as listed (`source/id`), or the source's own id where only one source has it
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl AlertsArgs {
    /// Tells whether the store of the state directory is read; `decode` works without one.
    pub const fn needs_store(&self) -> bool {
        !matches!(self.what, What::Decode { .. })
    }
}

/// Runs `stanch alerts`. Results go to `out`, problems to `err`; returns the exit code.
pub fn run(
    args: &AlertsArgs,
    state_dir: &Path,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    match &args.what {
        What::Decode { format, files } => decode::run(format.as_deref(), files, now, out, err),
        What::List { limit } => {
            let store = Store::open(state_dir)?;
            let code = list(&store, *limit, json, now, out)?;
            tell_malformed(&store, err)?;
            Ok(code)
        }
        What::Malformed { limit } => malformed(&Store::open(state_dir)?, *limit, json, now, out),
        What::Show { id } => show_one(&Store::open(state_dir)?, id, json, now, out, err),
    }
}

fn list(
    store: &Store,
    limit: usize,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let alerts = store.alerts(limit)?;
    if alerts.is_empty() && !json {
        writeln!(out, "no alerts stored")?;
    }
    for row in &alerts {
        if json {
            writeln!(out, "{}", stored_json(row))?;
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
    Ok(DONE)
}

/// Says what is missing from the list because it could not be read.
fn tell_malformed(store: &Store, err: &mut dyn Write) -> anyhow::Result<()> {
    for source in store.sources()? {
        let total = store.quarantined_of(&source)?;
        if let Some(reason) = store.last_reason(&source)? {
            let pieces = if total == 1 { "piece" } else { "pieces" };
            writeln!(
                err,
                "stanch: {total} {pieces} of input from {} could not be read and are kept (latest: {}); see `stanch alerts malformed`",
                show(&source),
                show(&reason)
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
    if kept.is_empty() && !json {
        writeln!(out, "everything that arrived could be read")?;
    }
    for piece in &kept {
        if json {
            let row = json!({
                "source": show(&piece.source), "at": piece.at, "reason": show(&piece.reason), "length": piece.length,
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
            show(&piece.reason),
            piece.length,
            piece.beginning.show()
        )?;
    }
    Ok(DONE)
}

fn show_one(
    store: &Store,
    id: &str,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let Some(row) = find(store, id)? else {
        writeln!(
            err,
            "no stored alert `{}`; `stanch alerts list` shows their ids",
            show(id)
        )?;
        return Ok(FAILED);
    };
    let raw = store
        .raw(&row.alert.id)
        .context("read the raw bytes")?
        .unwrap_or_default();
    let raw = String::from_utf8_lossy(&raw);
    if json {
        let mut value = stored_json(&row);
        value["raw"] = Value::from(show(&raw));
        writeln!(out, "{value}")?;
        return Ok(DONE);
    }
    for (label, text) in fields(&row, now) {
        writeln!(out, "{label:<12}{text}")?;
    }
    writeln!(out, "{:<12}{}", "raw", show(&raw))?;
    Ok(DONE)
}

/// Finds an alert by its key, else by the source's own id if only one source has it.
fn find(store: &Store, id: &str) -> anyhow::Result<Option<StoredAlert>> {
    if let Some(row) = store.alert(&AlertId::new(id))? {
        return Ok(Some(row));
    }
    let mut found = Vec::new();
    for source in store.sources()? {
        found.extend(store.alert(&AlertId::new(format!("{source}/{id}")))?);
    }
    if found.len() > 1 {
        let keys: Vec<String> = found.iter().map(|row| row.alert.id.to_string()).collect();
        anyhow::bail!(
            "several sources have `{}`: give one of {}",
            show(id),
            keys.join(", ")
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
    let subject = alert.subject.as_ref().map_or("unresolved".to_owned(), |s| {
        let name = s
            .name
            .as_ref()
            .map(|n| format!(" ({})", n.show()))
            .unwrap_or_default();
        format!(
            "{}:{}{name}, {}",
            s.provider.show(),
            s.native_id.show(),
            s.kind
        )
    });
    let resource = alert.resource.as_ref();
    let severity = alert.severity.map_or("not given", |s| s.as_str());
    let techniques: Vec<_> = alert.techniques.iter().map(Untrusted::show).collect();
    vec![
        ("id", alert.id.to_string()),
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
        (
            "resource",
            resource.map_or("unknown".to_owned(), |r| {
                format!("{} {}", r.id.show(), r.kind.show())
            }),
        ),
        ("action", text(&alert.action)),
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
        ("sha256", alert.raw_sha256.clone()),
    ]
}

/// Writes an alert with the documented field names. `id` is the source's own id, `key` names it in the store.
fn alert_json(alert: &Alert, signals: &[ActionPattern]) -> Value {
    let text = |t: &Option<Untrusted>| t.as_ref().map(|t| t.show().into_owned());
    let key = alert.id.as_str();
    let id = key
        .strip_prefix(&*alert.source)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(key);
    json!({
        "id": show(id),
        "key": show(key),
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
        "identity": alert.subject.as_ref().map(|s| json!({
            "provider": s.provider.show(),
            "native_id": s.native_id.show(),
            "kind": s.kind,
            "name": text(&s.name),
        })),
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

fn stored_json(row: &StoredAlert) -> Value {
    let mut value = alert_json(&row.alert, &[row.alert.pattern]);
    value["observed"] = json!(row.alert.observed);
    value["count"] = json!(row.count);
    value["first_seen"] = json!(row.first_seen);
    value["last_seen"] = json!(row.last_seen);
    value
}

#[cfg(test)]
mod tests;
