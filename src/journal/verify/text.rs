//! The verifier's answer in words, for somebody who is tired: what was looked at, what is wrong, what still holds.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Finding, Level, LogReport, Report};

/// Checks after whose failure it is said up to where a log holds.
const BREAKS: [&str; 5] = ["chain", "segments", "checkpoints", "head", "anchors"];

/// Writes the report for people. Everything in it is safe to draw already.
pub fn write_text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for log in &report.logs {
        write_log(log, out)?;
    }
    for refused in &report.refused {
        writeln!(out, "REFUSED {refused}")?;
    }
    write_content(report, out)?;
    write_findings("", &report.findings, out)?;
    write_notes(report, out)?;
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
        write_what_holds(report, out)?;
        writeln!(out, "RESULT: NOT INTACT")
    }
}

/// Says what no check of this run can show.
fn write_notes(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if !report.trusted && report.logs.iter().any(|l| l.vkey.is_some()) {
        writeln!(
            out,
            "note: keys were taken from the logs themselves, so a log written anew with another key would pass: \
             pin them with --trust"
        )?;
    }
    let covered = |log: &LogReport| !log.witnessed.is_empty() && log.unanchored_lines == 0;
    if report.intact() && !report.logs.is_empty() && report.logs.iter().all(covered) {
        return writeln!(
            out,
            "note: heads held elsewhere cover every line, so none of these was removed; later ones could have been"
        );
    }
    writeln!(
        out,
        "note: a removed tail cannot be detected without an anchor outside the writer's power"
    )
}

/// What somebody who has to decide now may rely on, log by log.
fn write_what_holds(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "what holds:")?;
    for log in &report.logs {
        writeln!(out, "  {}: {}", log.origin, what_holds(log))?;
    }
    let failed = |l: &LogReport| l.findings.iter().any(|f| f.level == Level::Failure);
    if !report.logs.iter().any(failed) {
        return Ok(());
    }
    writeln!(
        out,
        "next: copy the store as it is before anything writes to it, and compare with heads kept elsewhere (--anchors); \
         `stanch log acknowledge` lets acts go on, and what failed stays visible"
    )
}

fn what_holds(log: &LogReport) -> String {
    let failed = |check: &str| failed(log, &[check]);
    let lines = log.records;
    let s = plural(usize::try_from(lines).unwrap_or(2));
    let own = match covered(log).first() {
        Some((_, most)) => {
            format!("by its own signatures, the first {most} also by heads held elsewhere")
        }
        None => "by its own signatures alone".to_owned(),
    };
    if lines == 0 && BREAKS.iter().any(|c| failed(c)) {
        "nothing".to_owned()
    } else if failed("chain") || failed("segments") || failed("checkpoints") {
        format!("the first {lines} line{s}, {own}; what stands after them was changed")
    } else if failed("head") {
        format!("the first {lines} line{s}, {own}; what came after them is gone or was changed")
    } else if failed("anchors") {
        format!("{lines} line{s}, {own}; somebody holds a head that does not fit: see above")
    } else if failed("damaged") {
        format!("{lines} line{s}, {own}; beside them records were lost, as a record tells")
    } else if log.findings.iter().any(|f| f.level == Level::Failure) {
        format!("{lines} line{s}, {own}; see the failures above")
    } else {
        format!("all {lines} line{s}, {own}")
    }
}

fn failed(log: &LogReport, checks: &[&str]) -> bool {
    let bad = |f: &Finding| f.level == Level::Failure && checks.contains(&f.check);
    log.findings.iter().any(bad)
}

/// The worst that was found by some checks.
fn state(log: &LogReport, checks: &[&str]) -> &'static str {
    if failed(log, checks) {
        "BAD"
    } else if log.findings.iter().any(|f| checks.contains(&f.check)) {
        "WARN"
    } else {
        "ok"
    }
}

fn write_findings(indent: &str, findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let failures = findings.iter().filter(|f| f.level == Level::Failure);
    let warnings = findings.iter().filter(|f| f.level == Level::Warning);
    for finding in failures.chain(warnings) {
        let level = match finding.level {
            Level::Failure => "FAILURE",
            Level::Warning => "WARN",
        };
        writeln!(out, "{indent}{level} {}: {}", finding.check, finding.text)?;
    }
    Ok(())
}

fn write_log(log: &LogReport, out: &mut dyn Write) -> io::Result<()> {
    let key = log
        .vkey
        .as_deref()
        .and_then(|v| v.split('+').nth(1))
        .unwrap_or("none");
    let time = |t: Option<jiff::Timestamp>| t.map_or_else(|| "-".to_owned(), |t| format!("{t:.0}"));
    let s = |n: u64| plural(usize::try_from(n).unwrap_or(2));
    writeln!(
        out,
        "log {}   key {key}  lines {}  first {}  last {}",
        log.origin,
        log.records,
        time(log.first),
        time(log.last)
    )?;
    write_keys(log, key, out)?;
    writeln!(
        out,
        "  chain        {:<4} {} link{}, recomputed from {} bytes in {} segment{}",
        state(log, &["chain", "segments", "damaged", "records"]),
        log.records,
        s(log.records),
        log.bytes,
        log.segments,
        s(log.segments)
    )?;
    writeln!(
        out,
        "  checkpoints  {:<4} {} root{s} and signature{s}",
        state(log, &["checkpoints"]),
        log.checkpoints,
        s = s(log.checkpoints)
    )?;
    let published = match state(log, &["head"]) {
        "ok" if log.checkpoints > 0 => "the file `checkpoint` holds one of them",
        "ok" => "",
        "WARN" => "there is no usable head in the file `checkpoint`",
        _ => "the file `checkpoint` does not fit",
    };
    if !published.is_empty() {
        writeln!(
            out,
            "  head         {:<4} {published}",
            state(log, &["head"])
        )?;
    }
    write_anchors(log, out)?;
    write_clock(log, out)?;
    write_evidence(log, state(log, &["evidence"]), out)?;
    if log.recovered > 0 {
        writeln!(
            out,
            "  recovered    {:<4} {} torn write{} put aside",
            state(log, &["recovered"]),
            log.recovered,
            s(log.recovered)
        )?;
    }
    write_findings("  ", &log.findings, out)?;
    if let Some(bad) = &log.first_bad {
        writeln!(
            out,
            "    first bad    record {} at byte {} of {}",
            bad.seq, bad.offset, bad.segment
        )?;
        writeln!(out, "    expected     {}", bad.expected)?;
        writeln!(out, "    found        {}", bad.found)?;
    }
    if failed(log, &BREAKS) {
        match &log.head_root {
            Some(root) => writeln!(
                out,
                "    last good    checkpoint in record {}, over {} line{}, root {root}",
                log.head_size,
                log.head_size,
                s(log.head_size)
            )?,
            None => writeln!(out, "    last good    none")?,
        }
        write_covered(log, out)?;
    }
    Ok(())
}

/// Heads of others that are heads of what is left, the longest first: up to there nothing was changed.
fn covered(log: &LogReport) -> Vec<(&str, u64)> {
    let mut held: Vec<(&str, u64)> = log
        .witnessed
        .iter()
        .map(|(who, n)| (who.as_str(), *n))
        .collect();
    held.retain(|(_, n)| *n <= log.head_size);
    held.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    held
}

/// Says which anchors still vouch for the beginning.
fn write_covered(log: &LogReport, out: &mut dyn Write) -> io::Result<()> {
    let held = covered(log);
    let Some((_, most)) = held.first() else {
        return writeln!(
            out,
            "    anchored     none of it: no head held elsewhere was compared that fits"
        );
    };
    let by: Vec<String> = held.iter().map(|(who, n)| format!("{who} {n}")).collect();
    writeln!(
        out,
        "    anchored     the first {most} lines: {}",
        by.join(", ")
    )
}

fn write_clock(log: &LogReport, out: &mut dyn Write) -> io::Result<()> {
    let untold = log.sync_unknown > 0 && log.unsynchronised == 0;
    let state = match state(log, &["clock"]) {
        "ok" if untold => "?",
        other => other,
    };
    write!(out, "  clock        {state:<4}")?;
    let records = |n: u64| format!("{n} record{}", plural(usize::try_from(n).unwrap_or(2)));
    if log.unsynchronised > 0 {
        let n = records(log.unsynchronised);
        write!(out, " host not synchronised for {n}")?;
    } else if untold {
        let n = records(log.sync_unknown);
        write!(
            out,
            " nothing told whether the host was synchronised for {n}"
        )?;
    } else {
        write!(out, " synchronised")?;
    }
    writeln!(out)
}

fn write_evidence(log: &LogReport, state: &str, out: &mut dyn Write) -> io::Result<()> {
    if log.withheld > 0 {
        writeln!(
            out,
            "  withheld     {state:<4} content of {} record{} withheld, as a later record says; the hashes hold the chain",
            log.withheld,
            plural(usize::try_from(log.withheld).unwrap_or(2))
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
    let bad = failed(log, &["anchors"]);
    let state = if bad { "BAD" } else { "ok" };
    let held = |by: &BTreeMap<String, u64>| {
        let all: Vec<String> = by.iter().map(|(who, n)| format!("{who} {n}")).collect();
        all.join(", ")
    };
    let by = held(&log.witnessed);
    match (log.witnessed.is_empty(), log.unanchored_lines) {
        (true, _) if bad => writeln!(
            out,
            "  anchors      BAD  a head that somebody else holds does not fit"
        )?,
        (true, _) => writeln!(
            out,
            "  anchors      none nobody else's copy of a head was compared"
        )?,
        (false, 0) => writeln!(out, "  anchors      {state:<4} {by} (every line)")?,
        (false, n) => {
            let since = log
                .unanchored_since
                .map_or_else(String::new, |t| format!(", since {t:.0}"));
            let s = plural(usize::try_from(n).unwrap_or(2));
            writeln!(
                out,
                "  anchors      {state:<4} {by} (un-anchored: the last {n} line{s}{since})"
            )?;
        }
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
            "  UNKNOWN {:.0} {} {} by {} ({}, record {} of {})",
            act.at, act.verb, act.identity, act.actor, act.intent, act.seq, act.log
        )?;
    }
    if content.approvals == 0 {
        writeln!(out, "approvals    none")?;
        return write_findings("  ", &content.findings, out);
    }
    writeln!(
        out,
        "approvals    {}/{} bind a plan that is here; {} self-approvals; {} run after expiry",
        content.bound, content.approvals, content.self_approvals, content.expired
    )?;
    write_findings("  ", &content.findings, out)
}

const fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
