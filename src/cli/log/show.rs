//! Records on the terminal, once or as they come.

use std::io::Write;

use anyhow::bail;
use clap::Args;

use crate::domain::decision::{Decisions, Entry};
use crate::domain::text::show;
use crate::journal::{Follower, Line};

use super::Context;
use super::ask::Records;
use super::filter::{Filter, must_exist, settled, told, wants};
use crate::domain::words;

/// How many records `follow` begins with.
const BEFORE: usize = 10;

/// Arguments of `stanch log follow`.
#[derive(Debug, Args)]
pub struct FollowArgs {
    #[command(flatten)]
    filter: Filter,
}

/// Shows what was decided and done.
pub fn show_records(
    filter: &Filter,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let mut records = Records::open(&filter.store, context)?;
    records.each(filter, &mut |line, decisions| {
        Ok(print(line, decisions, context.json, out)?)
    })?;
    records.tell_about(filter)?;
    Ok(records.exit_code())
}

/// Shows records as anybody writes them, until the reader of the output goes away.
pub fn follow(args: &FollowArgs, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let filter = &args.filter;
    let stores = context.stores(&filter.store);
    let [store] = stores.as_slice() else {
        bail!("follow reads one --store");
    };
    must_exist(&stores)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // The watch is made inside, as it waits there.
    runtime.block_on(async {
        let mut follower = Follower::new(store);
        let mut decisions = Decisions::default();
        let mut wanted = filter.wanted();
        let mut skip = true;
        loop {
            let (lines, problems) = follower.poll_lines();
            for line in &lines {
                decisions.apply(&line.entry);
            }
            wanted = settled(wanted, &lines, &decisions);
            let chosen: Vec<&Line> = lines
                .iter()
                .filter(|l| wants(&wanted, l, &decisions))
                .collect();
            let last = filter.last.unwrap_or(BEFORE);
            let from = if skip {
                chosen.len().saturating_sub(last)
            } else {
                0
            };
            if skip {
                for text in filter.strangers(&lines, &decisions) {
                    (context.warn)(&text);
                }
            }
            skip = false;
            for line in &chosen[from..] {
                print(line, &decisions, context.json, out)?;
            }
            for problem in &problems {
                (context.warn)(&told(problem));
            }
            out.flush()?;
            follower.changed().await?;
        }
    })
}

fn print(
    line: &Line,
    decisions: &Decisions,
    json: bool,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if json {
        // The line is ASCII as the reader accepts no other, so it commands no terminal.
        out.write_all(&line.raw)?;
        return writeln!(out);
    }
    writeln!(out, "{}", one_line(&line.entry, decisions))
}

fn one_line(entry: &Entry, decisions: &Decisions) -> String {
    let summary = words::summary(entry, decisions);
    format!(
        "{:.3}  {:>5}  {:<16}  {:<10}  {}",
        entry.ts,
        entry.seq,
        show(&entry.actor),
        entry.kind,
        // Said once more here, so that no summary can forget it.
        show(&summary)
    )
}
