//! The verifier's answer in words.

use std::io::{self, Write};

use super::{Level, LogReport, Report};

/// Writes the report for people. Everything in it is safe to draw already.
pub fn write_text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for log in &report.logs {
        write_log(log, out)?;
    }
    for refused in &report.refused {
        writeln!(out, "REFUSED {refused}")?;
    }
    write_content(report, out)?;
    for finding in &report.findings {
        let level = if finding.level == Level::Failure {
            "FAILURE"
        } else {
            "WARN"
        };
        writeln!(out, "{level} {}: {}", finding.check, finding.text)?;
    }
    if !report.trusted && report.logs.iter().any(|l| l.vkey.is_some()) {
        writeln!(
            out,
            "note: keys were taken from the logs themselves, so a log written anew with another key would pass: \
             pin them with --trust"
        )?;
    }
    writeln!(
        out,
        "note: a removed tail cannot be detected without an anchor outside the writer's power"
    )?;
    let warnings = report.warnings();
    let unknown = report.content.unknown.len();
    if report.empty && report.intact() {
        writeln!(out, "RESULT: NO LOG HERE")
    } else if report.intact() {
        write!(out, "RESULT: INTACT")?;
        if warnings > 0 {
            write!(out, ", {warnings} warning{}", plural(warnings))?;
        }
        if unknown > 0 {
            write!(out, ", {unknown} unresolved action{}", plural(unknown))?;
        }
        writeln!(out)
    } else {
        writeln!(out, "RESULT: NOT INTACT")
    }
}

fn write_log(log: &LogReport, out: &mut dyn Write) -> io::Result<()> {
    let key = log
        .vkey
        .as_deref()
        .and_then(|v| v.split('+').nth(1))
        .unwrap_or("none");
    let time = |t: Option<jiff::Timestamp>| t.map_or_else(|| "-".to_owned(), |t| format!("{t:.0}"));
    writeln!(
        out,
        "log {}   key {key}  records {}  first {}  last {}",
        log.origin,
        log.records,
        time(log.first),
        time(log.last)
    )?;
    write_keys(log, key, out)?;
    let ok = |checks: &[&str]| {
        let bad = |l: Level| {
            log.findings
                .iter()
                .any(|f| f.level == l && checks.contains(&f.check))
        };
        if bad(Level::Failure) {
            "BAD"
        } else if bad(Level::Warning) {
            "WARN"
        } else {
            "ok"
        }
    };
    writeln!(
        out,
        "  chain        {:<4} {} links, recomputed from {} bytes in {} segment{}",
        ok(&["chain", "segments", "damaged", "records", "head"]),
        log.records,
        log.bytes,
        log.segments,
        plural(log.segments as usize)
    )?;
    writeln!(
        out,
        "  checkpoints  {:<4} {} roots and signatures",
        ok(&["checkpoints", "head"]),
        log.checkpoints
    )?;
    write_anchors(log, out)?;
    write_clock(log, ok(&["clock"]), out)?;
    write_evidence(log, ok(&["evidence"]), out)?;
    if log.recovered > 0 {
        writeln!(
            out,
            "  recovered    {:<4} {} torn write{} put aside",
            ok(&["recovered"]),
            log.recovered,
            plural(log.recovered as usize)
        )?;
    }
    for finding in &log.findings {
        let level = if finding.level == Level::Failure {
            "FAILURE"
        } else {
            "WARN"
        };
        writeln!(out, "  {level} {}: {}", finding.check, finding.text)?;
    }
    if let Some(bad) = &log.first_bad {
        writeln!(
            out,
            "    first bad    record {} at byte {} of {}",
            bad.seq, bad.offset, bad.segment
        )?;
        writeln!(out, "    expected     {}", bad.expected)?;
        writeln!(out, "    found        {}", bad.found)?;
    }
    if ok(&[
        "chain",
        "segments",
        "damaged",
        "checkpoints",
        "head",
        "anchors",
    ]) == "BAD"
    {
        let root = log.head_root.as_deref().unwrap_or("none");
        writeln!(
            out,
            "    last good    checkpoint over {} lines, root {root}",
            log.head_size
        )?;
        write_covered(log, out)?;
    }
    Ok(())
}

/// Says what somebody else's copy of a head still vouches for, the longest first: up to there nothing was changed.
fn write_covered(log: &LogReport, out: &mut dyn Write) -> io::Result<()> {
    let mut held: Vec<(&String, u64)> = log.witnessed.iter().map(|(who, n)| (who, *n)).collect();
    held.retain(|(_, n)| *n <= log.head_size);
    held.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let Some((_, most)) = held.first() else {
        return writeln!(
            out,
            "    trustworthy  no head held elsewhere covers any of it: only the log's own signatures speak for {} lines",
            log.head_size
        );
    };
    let by: Vec<String> = held.iter().map(|(who, n)| format!("{who} {n}")).collect();
    writeln!(
        out,
        "    trustworthy  the first {most} lines, by heads held elsewhere: {}",
        by.join(", ")
    )
}

fn write_clock(log: &LogReport, state: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "  clock        {state:<4}")?;
    if log.unsynchronised > 0 {
        write!(
            out,
            " host not synchronised for {} records",
            log.unsynchronised
        )?;
    } else if log.sync_unknown > 0 {
        write!(
            out,
            " nothing told whether the host was synchronised for {} records",
            log.sync_unknown
        )?;
    }
    writeln!(out)
}

fn write_evidence(log: &LogReport, state: &str, out: &mut dyn Write) -> io::Result<()> {
    if log.withheld > 0 {
        writeln!(
            out,
            "  withheld     {state:<4} content of {} records withheld, as a later record says; their hashes hold the chain",
            log.withheld
        )?;
    }
    if log.evidence + log.evidence_pruned == 0 {
        return Ok(());
    }
    let files = plural(log.evidence as usize);
    write!(
        out,
        "  evidence     {state:<4} {} file{files} hashed again",
        log.evidence
    )?;
    if log.evidence_pruned > 0 {
        write!(out, ", {} removed by record", log.evidence_pruned)?;
    }
    writeln!(out)
}

fn write_keys(log: &LogReport, key: &str, out: &mut dyn Write) -> io::Result<()> {
    let person = log
        .person
        .as_ref()
        .map_or_else(String::new, |p| format!(" ({p})"));
    match &log.vkey {
        Some(_) if log.pinned => writeln!(
            out,
            "  key          ok   {key} pinned by the trust file{person}"
        )?,
        Some(vkey) => writeln!(out, "  key          ?    taken from the log itself: {vkey}")?,
        None => {}
    }
    for later in log.keys.iter().skip(1) {
        let id = later.vkey.split('+').nth(1).unwrap_or("?");
        writeln!(
            out,
            "               key {id} from record {}: {}",
            later.seq, later.how
        )?;
    }
    Ok(())
}

fn write_anchors(log: &LogReport, out: &mut dyn Write) -> io::Result<()> {
    let bad = log
        .findings
        .iter()
        .any(|f| f.check == "anchors" && f.level == Level::Failure);
    let state = if bad { "BAD" } else { "ok" };
    let held = |by: &std::collections::BTreeMap<String, u64>| {
        let all: Vec<String> = by.iter().map(|(who, n)| format!("{who} {n}")).collect();
        all.join(", ")
    };
    if log.witnessed.is_empty() {
        writeln!(
            out,
            "  anchors      none  nobody else's copy of a head was compared"
        )?;
    } else {
        let held = held(&log.witnessed);
        let since = log
            .unanchored_since
            .map_or_else(String::new, |t| format!(", since {t:.0}"));
        writeln!(
            out,
            "  anchors      {state:<4} {held} (un-anchored: the last {} lines{since})",
            log.unanchored_lines
        )?;
    }
    if !log.claimed.is_empty() {
        let held = held(&log.claimed);
        writeln!(
            out,
            "               the log itself says {held}: compare with --anchors"
        )?;
    }
    Ok(())
}

fn write_content(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let content = &report.content;
    let states: Vec<String> = content
        .states
        .iter()
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    let colon = if states.is_empty() { "" } else { ": " };
    writeln!(
        out,
        "actions      {} intent{}{colon}{}",
        content.intents,
        plural(content.intents),
        states.join(", ")
    )?;
    for act in &content.unknown {
        writeln!(
            out,
            "  UNKNOWN {:.0} {} {} by {} ({})",
            act.at, act.verb, act.identity, act.actor, act.intent
        )?;
    }
    writeln!(
        out,
        "approvals    {}/{} bind a plan that is here; {} self-approvals; {} run after expiry",
        content.bound, content.approvals, content.self_approvals, content.expired
    )?;
    for finding in &content.findings {
        let level = if finding.level == Level::Failure {
            "FAILURE"
        } else {
            "WARN"
        };
        writeln!(out, "  {level} {}: {}", finding.check, finding.text)?;
    }
    Ok(())
}

const fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
