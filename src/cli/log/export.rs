//! Records in other people's formats, and proofs of single records.

mod csv;
mod markdown;
mod ocsf;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::decision::RecordType;
use crate::domain::plan::sha256_hex;
use crate::domain::text::show;
use crate::journal::{Line, MAX_PROOF, Proof, Prover, Trust, Writer};

use super::Context;
use super::ask::Records;
use super::filter::Filter;
use crate::cli::progress::{self, Stop, Unit};

pub use markdown::{escape, table};

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The signed lines, byte for byte.
    Jsonl,
    /// A table; cells that a spreadsheet would run begin with an apostrophe.
    Csv,
    /// A timeline in Markdown.
    Md,
    /// OCSF Remediation Activity (class 7001), one object an act.
    Ocsf,
    /// One C2SP tlog-proof for the one record that the filters leave.
    Proof,
}

/// Arguments of `stanch log export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// In which form.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Only the record with this number (of the log given by --analyst, where there are several).
    #[arg(long, value_name = "N")]
    seq: Option<u64>,
    /// Write to this new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub filter: Filter,
}

/// Exports what is asked for, and records it.
pub fn run(args: &ExportArgs, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let stop = Stop::AtOnce("nothing was written");
    let work = progress::begin("reading the log", (Unit::Time, 0), stop, true);
    let mut records = Records::open(&args.filter.store, context)?;
    // Of the last N, the one with the number is chosen afterwards.
    records.only(args.seq.filter(|_| args.filter.last.is_none()));
    let block = records.all(&args.filter)?;
    let mut chosen: Vec<&Line> = block.lines.iter().collect();
    if let Some(seq) = args.seq {
        chosen.retain(|l| l.entry.seq == seq);
    }
    let bytes = match args.format {
        Format::Jsonl => verbatim(&chosen),
        Format::Csv => csv::write(&chosen, &block.decisions),
        Format::Md => markdown::timeline(&chosen, &block.decisions),
        Format::Ocsf => ocsf::write(&chosen, &block.decisions),
        Format::Proof => prove(args, context, &chosen)?,
    };
    work.is_whole();
    deliver(args.out.as_deref(), &bytes, out)?;
    let name = args.format.to_possible_value();
    let format = name.as_ref().map_or("?", |n| n.get_name());
    record(context, format, &chosen, &bytes);
    records.tell_about(&args.filter)?;
    Ok(records.exit_code())
}

/// Writes to a file that is not there yet, or to the given output.
pub fn deliver(file: Option<&Path>, bytes: &[u8], out: &mut dyn Write) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let Some(path) = file else {
        out.write_all(bytes)?;
        return Ok(());
    };
    let made = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Records that a copy left. Somebody who only audits a copied store has no log of their own, and gets none.
pub fn record(context: &Context<'_>, format: &str, chosen: &[&Line], bytes: &[u8]) {
    if context.read_only || !context.store.is_dir() {
        return;
    }
    let body = json!({
        "format": format,
        "records": chosen.len(),
        "first": chosen.first().map(|l| l.entry.ts.to_string()),
        "last": chosen.last().map(|l| l.entry.ts.to_string()),
        "bytes": bytes.len(),
        "sha256": sha256_hex(bytes),
    });
    let written = (context.journal)().and_then(|config| {
        let (mut writer, _) = Writer::open(config, Timestamp::now())?;
        writer.append(Timestamp::now(), &[(RecordType::Export, body)])?;
        Ok(())
    });
    if let Err(error) = written {
        (context.warn)(&format!("this export is not recorded: {error:#}"));
    }
}

fn verbatim(chosen: &[&Line]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in chosen {
        bytes.extend_from_slice(&line.raw);
        bytes.push(b'\n');
    }
    bytes
}

fn prove(args: &ExportArgs, context: &Context<'_>, chosen: &[&Line]) -> anyhow::Result<Vec<u8>> {
    let [line] = chosen else {
        bail!(
            "a proof is for one record, the filters leave {}: add --seq N, and --analyst where several logs have it",
            chosen.len()
        );
    };
    let (log, seq) = (&line.entry.log, line.entry.seq);
    let stores = context.stores(&args.filter.store);
    let provers = stores.iter().filter_map(|s| Prover::open(s, log));
    let proof = provers.map(|p| p.prove(seq, &line.raw)).find(Result::is_ok);
    match proof {
        Some(proof) => Ok(proof?.into_bytes()),
        None => bail!(
            "record {seq} of {} is not covered by a signed head",
            show(log)
        ),
    }
}

/// Verifies one record by its proof; exit code 0 or 1.
pub fn verify_proof(
    file: &Path,
    trust: Option<&Path>,
    context: &Context<'_>,
    stores: &[PathBuf],
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let size =
        std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
    if size.len() > MAX_PROOF as u64 {
        bail!("{} is too long for a proof", file.display());
    }
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let proof = Proof::parse(&text);
    let trust = trust.map(Trust::load).transpose()?;
    let verdict = proof.as_ref().map_err(Clone::clone).and_then(|proof| {
        if let Some(trust) = &trust {
            return proof.check_trusted(trust);
        }
        let mut verdict = proof.check(&[]);
        for store in context.stores(stores) {
            verdict = verdict.or_else(|_| proof.check_in_store(&store));
        }
        verdict
    });
    let line = proof.as_ref().map_or_else(
        |_| String::new(),
        |p| show(&String::from_utf8_lossy(&p.line)).into_owned(),
    );
    let (origin, seq, covers) = proof.as_ref().map_or((Value::Null, None, None), |p| {
        (
            show(&p.head.origin).into_owned().into(),
            Some(p.index),
            Some(p.head.size),
        )
    });
    let error = verdict
        .as_ref()
        .err()
        .map(|e| show(&e.to_string()).into_owned());
    if context.json {
        let value = json!({
            "proven": verdict.is_ok(), "error": error, "origin": origin, "seq": seq, "head_size": covers,
            "pinned": trust.is_some(), "record": line,
        });
        writeln!(out, "{value}")?;
    } else if let Some(error) = &error {
        writeln!(out, "NOT PROVEN: {error}")?;
    } else {
        writeln!(out, "{line}")?;
        let by = if trust.is_some() {
            "pinned by the trust file"
        } else {
            "named by the journal at hand: pin it with --trust"
        };
        writeln!(
            out,
            "PROVEN: record {} of {}, under a signed head over {} lines; key {by}",
            seq.unwrap_or(0),
            origin.as_str().unwrap_or("?"),
            covers.unwrap_or(0)
        )?;
    }
    Ok(u8::from(verdict.is_err()))
}
