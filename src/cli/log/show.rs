//! Records on the terminal, once or as they come.

use std::collections::VecDeque;
use std::io::Write;

use anyhow::bail;
use clap::Args;

use crate::domain::decision::{Decisions, Entry};
use crate::domain::text::show;
use crate::journal::{Follower, Line};

use super::Context;
use super::ask::Records;
use super::filter::{Filter, must_exist, settled, told, wants};
use crate::cli::progress::{self, Stop, Unit};
use crate::domain::words;

/// How many records `follow` begins with.
const BEFORE: usize = 10;

/// Arguments of `stanch log follow`.
#[derive(Debug, Args)]
pub struct FollowArgs {
    #[command(flatten)]
    pub filter: Filter,
}

/// Shows what was decided and done.
pub fn show_records(
    filter: &Filter,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let stop = Stop::AtOnce("nothing was changed");
    let work = progress::begin("reading the log", (Unit::Time, 0), stop, true);
    let mut records = Records::open(&filter.store, context)?;
    drop(work);
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
        // What is there already is read in pieces, of which only the last records are kept.
        let mut before = Some((VecDeque::new(), None));
        loop {
            let mut more = true;
            while more {
                let (mut lines, mut problems) = (Vec::new(), Vec::new());
                more = follower.poll_some(&mut lines, &mut problems);
                for line in &lines {
                    decisions.apply(&line.entry);
                }
                wanted = settled(wanted, &lines, &decisions);
                if let Some((_, strange)) = &mut before {
                    still_strange(strange, filter.strangers(&lines, &decisions));
                }
                for line in lines.into_iter().filter(|l| wants(&wanted, l, &decisions)) {
                    match &mut before {
                        Some((last, _)) => {
                            last.push_back(line);
                            if last.len() > filter.last.unwrap_or(BEFORE) {
                                last.pop_front();
                            }
                        }
                        None => print(&line, &decisions, context.json, out)?,
                    }
                }
                for problem in &problems {
                    (context.warn)(&told(problem));
                }
            }
            if let Some((last, strange)) = before.take() {
                for text in strange.into_iter().flatten() {
                    (context.warn)(&text);
                }
                // A later piece may have had exactly the name that was asked for.
                for line in last.iter().filter(|l| wants(&wanted, l, &decisions)) {
                    print(line, &decisions, context.json, out)?;
                }
            }
            out.flush()?;
            follower.changed().await?;
        }
    })
}

/// Keeps what no piece so far knows.
fn still_strange(all: &mut Option<Vec<String>>, here: Vec<String>) {
    match all {
        Some(all) => all.retain(|text| here.contains(text)),
        None => *all = Some(here),
    }
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
