//! `stanch policy`: check what is in force, and explain what it says about an alert.

mod backtest;
mod status;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::plan::{find, read_live, silent, with_setup};
use super::{Global, exit, setup};
use crate::app::policy::Told;
use crate::config::Config;
use crate::domain::policy::lint::load;
use crate::domain::policy::schema::FIELDS;
use crate::domain::policy::value::{Ranks, Type};
use crate::domain::policy::{Finding, Level, Source};
use crate::domain::text::{seen, show};
use crate::journal::mask_tokens;
use crate::runtime::services::{SHIPPED, means};

/// Arguments of `stanch policy`.
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: PolicyAction,
}

/// Subcommands of `stanch policy`.
#[derive(Debug, clap::Subcommand)]
pub enum PolicyAction {
    /// Check policy and playbook files; without any, those in force. Exit code 1 when something would not be armed.
    Lint {
        /// Policy files, playbook files, or both.
        files: Vec<PathBuf>,
    },
    /// Tell what the policy says about an alert: every rule, gate and playbook, matched or not, and why.
    Explain {
        /// Alert id, or the end of one that no other alert shares.
        alert: String,
    },
    /// Replay recorded alerts: on which the policy would have acted, whom that had interrupted, what it had missed; in
    /// shadow, as if nothing held it back, and armed, as things are. Nothing is stored or sent.
    Backtest {
        /// Kind to decode as; found from each alert when not given.
        #[arg(long, value_name = "KIND")]
        format: Option<String>,
        /// A policy to try instead of the one in force.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Tell of every alert, not only of those that were missed.
        #[arg(long)]
        all: bool,
        /// Files of alerts as their sources sent them, possibly gzipped; `-` is standard input.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Tell which playbooks are armed, in which mode, what they did by themselves, and what is not armed and why.
    Status,
    /// List the fields that conditions may read.
    Fields,
    /// Print the shipped policy, or with --playbooks the shipped playbooks, to copy from.
    Example {
        /// The playbooks instead.
        #[arg(long)]
        playbooks: bool,
    },
}

/// Carries `stanch policy` out.
pub fn run(global: &Global, args: &PolicyArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.action {
        PolicyAction::Lint { files } => lint(global, files, out),
        PolicyAction::Explain { alert } => explain(global, alert, out),
        PolicyAction::Backtest {
            format,
            policy,
            all,
            files,
        } => {
            let asked = backtest::Asked {
                format: format.as_deref(),
                policy: policy.as_deref(),
                all: *all,
                files,
            };
            backtest::run(global, &asked, out)
        }
        PolicyAction::Status => status::run(global, out),
        PolicyAction::Fields => fields(global.json, out),
        PolicyAction::Example { playbooks } => {
            let source = SHIPPED[usize::from(*playbooks)];
            write!(out, "{}", source.text)?;
            Ok(exit::DONE)
        }
    }
}

fn lint(global: &Global, files: &[PathBuf], out: &mut dyn Write) -> anyhow::Result<u8> {
    let connectors = setup::connectors(global);
    if let Err(error) = &connectors {
        tell!("stanch: note: what connectors offer is not known: {error:#}");
    }
    let known = connectors
        .ok()
        .map(|connectors| means(&connectors).capabilities);
    let drill = setup::is_drill(global)?;
    let config = match drill {
        true => Config::default(),
        false => Config::load(&setup::config_path(global)?)?,
    };
    let own = match files {
        [] => None,
        files => Some(read_all(files)?),
    };
    let findings = match &own {
        Some(own) => {
            let is_books = |text: &str| text.contains("[[playbook]]");
            let source =
                |(name, text): &'_ (String, String)| (name.clone(), text.clone(), is_books(text));
            let all: Vec<(String, String, bool)> = own.iter().map(source).collect();
            let mut findings = Vec::new();
            let policies: Vec<_> = all.iter().filter(|(_, _, books)| !books).collect();
            let books: Vec<Source<'_>> = all
                .iter()
                .filter(|(_, _, books)| *books)
                .map(|(name, text, _)| Source { name, text })
                .collect();
            for (name, text, _) in &policies {
                findings.extend(load(Source { name, text }, &[], known.as_ref()).findings);
            }
            if !books.is_empty() {
                findings.extend(load(SHIPPED[0], &books, known.as_ref()).findings);
            }
            findings
        }
        None if drill => load(SHIPPED[0], &SHIPPED[1..], known.as_ref()).findings,
        None => {
            let path = setup::config_path(global)?;
            let read = setup::policy::read(&config, &path, known.as_ref());
            read.map_err(|errors| setup::all(&errors))?.findings
        }
    };
    tell(&findings, global.json, out)
}

fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", show(&file.display().to_string())))?;
        Ok((name_of(file), text))
    };
    files.iter().map(read).collect()
}

fn name_of(file: &Path) -> String {
    file.display().to_string()
}

fn tell(findings: &[Finding], json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let errors = findings.iter().filter(|f| f.level == Level::Error).count();
    let warnings = findings.len() - errors;
    if json {
        let row = json!({ "armed": errors == 0, "errors": errors, "warnings": warnings, "findings": findings });
        writeln!(out, "{row}")?;
    } else {
        for finding in findings {
            writeln!(out, "{finding}")?;
        }
        let armed = if errors == 0 {
            ""
        } else {
            "; what has an error is not armed"
        };
        writeln!(out, "{errors} errors, {warnings} warnings{armed}")?;
    }
    Ok(if errors == 0 {
        exit::DONE
    } else {
        exit::FAILED
    })
}

fn explain(global: &Global, wanted: &str, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_setup(global, silent(), async |setup, mut model| {
        let alert = find(setup, &mut model, wanted)?;
        for why in read_live(setup, &mut model, &alert).await {
            tell!("stanch: {}", seen(mask_tokens(&why)));
        }
        let told = model.told(&alert).context("the alert is not at hand")?;
        if global.json {
            writeln!(out, "{}", as_json(&told))?;
        } else {
            print(&told, out)?;
        }
        Ok(exit::DONE)
    })
}

fn as_json(told: &Told) -> serde_json::Value {
    let looked = |row: &crate::domain::policy::trace::TraceRow| -> serde_json::Map<String, serde_json::Value> {
        let all = row.looked.iter();
        all.map(|(field, value)| ((*field).to_owned(), json!(value))).collect()
    };
    let rows: Vec<_> = told
        .rows
        .iter()
        .map(|row| {
            json!({
                "what": row.what, "id": row.id, "at": row.at, "effect": row.effect, "outcome": row.outcome,
                "because": row.because, "why": row.why, "looked": looked(row),
            })
        })
        .collect();
    json!({
        "alert": told.alert.as_str(), "identity": told.identity, "assessment": told.assessment, "trace": rows,
    })
}

fn print(told: &Told, out: &mut dyn Write) -> anyhow::Result<()> {
    let who = match told.identity.as_str() {
        "" => "nobody is named",
        who => who,
    };
    let made = &told.assessment;
    writeln!(out, "{}  {who}", told.alert)?;
    writeln!(out, "policy: {}", show(&made.line()))?;
    let (soft, hard) = made.thresholds;
    writeln!(out, "soft from {soft}, hard from {hard}")?;
    for reason in &made.reasons {
        writeln!(out, "  {}", show(reason))?;
    }
    for row in &told.rows {
        writeln!(
            out,
            "{:<19} {:<8} {} ({}): {}",
            row.outcome,
            row.what,
            show(&row.id),
            show(&row.effect),
            show(&row.because)
        )?;
        for (field, value) in &row.looked {
            writeln!(out, "{:29}{field} = {value}", "")?;
        }
    }
    Ok(())
}

fn fields(as_json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let words = |ty: Type| match ty {
        Type::Word(words) => words.all(),
        Type::Rank(ranks) => ranks.all(),
        _ => Vec::new(),
    };
    for field in FIELDS {
        let words = words(field.ty);
        if as_json {
            let row = json!({
                "field": field.path, "type": field.ty.to_string(), "may_be_unknown": field.optional,
                "words": words, "means": field.doc,
            });
            writeln!(out, "{row}")?;
            continue;
        }
        let maybe = if field.optional { "?" } else { "" };
        let name = format!("{}{maybe}", field.path);
        writeln!(out, "{name:<27} {:<20} {}", field.ty.to_string(), field.doc)?;
        if !words.is_empty() {
            writeln!(out, "{:48} {}", "", words.join(" "))?;
        }
    }
    if !as_json {
        let ranks: Vec<String> = Ranks::ALL
            .iter()
            .map(|r| {
                format!(
                    "{}.{}",
                    r.name(),
                    r.all().last().copied().unwrap_or_default()
                )
            })
            .collect();
        writeln!(
            out,
            "\n? may be unknown: has(field) asks. Ranks are compared with constants such as {}.",
            ranks.join(", ")
        )?;
        writeln!(
            out,
            "Offered: == != < <= > >= && || ! ?: + - * in [..], text.contains/startsWith/endsWith(text), size(..), \
             list.exists(x, ..), list.all(x, ..), duration(\"1h30m\"), timestamp(\"2026-01-02T03:04:05Z\")."
        )?;
    }
    Ok(exit::DONE)
}
