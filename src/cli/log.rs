//! `stanch log`: reads and verifies decision journals, offline and without writing anything. Alone it opens a screen.

mod screen;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use crate::domain::coverage::CellState;
use crate::domain::decision::{Decisions, Entry, RecordType};
use crate::domain::text::show;
use crate::domain::words;
use crate::journal::{self, Line};

pub use screen::open as open_screen;

/// Arguments of `stanch log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: Option<LogCommand>,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Show what was decided and done, one line a record.
    Show(ShowArgs),
    /// Verify that the journal is what was signed.
    #[command(
        after_help = "Exit code: 0 intact, 1 not intact, 2 nothing could be verified, 3 (with --strict) intact, \
                            but with warnings or actions of unknown effect."
    )]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Read a copied journal instead (repeatable).
    #[arg(long, value_name = "DIR")]
    store: Vec<PathBuf>,
    /// Only records of this type: intent, outcome, plan, decision, … (repeatable).
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    types: Vec<RecordType>,
    /// Only records that name this identity.
    #[arg(long, value_name = "ID")]
    identity: Option<String>,
    /// Only records that name this alert.
    #[arg(long, value_name = "ID")]
    alert: Option<String>,
    /// Only records from then on: `2026-11-21T08:00:00Z`, or `2h`, `3d` before now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
    /// Only records up to then.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Only intents whose effect is not known.
    #[arg(long)]
    unknown: bool,
    /// Only records whose line contains this text.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Only the last N of these.
    #[arg(short = 'n', value_name = "N")]
    last: Option<usize>,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Verify a copied journal instead (repeatable).
    #[arg(long, value_name = "DIR")]
    store: Vec<PathBuf>,
    /// Exit with 3 when anything needs a look although every byte is what was signed.
    #[arg(long)]
    strict: bool,
    /// Recompute every root, but check only the last signature of each log.
    #[arg(long)]
    quick: bool,
    /// Print a script that verifies a log without this program.
    #[arg(long)]
    explain: bool,
}

impl LogArgs {
    /// Tells whether the screen is wanted rather than text.
    pub const fn is_screen(&self) -> bool {
        self.command.is_none()
    }
}

/// Runs `stanch log` on `store` unless the arguments name others; returns the exit code.
pub fn run(args: &LogArgs, store: &Path, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let stores = |given: &[PathBuf]| {
        if given.is_empty() {
            vec![store.to_owned()]
        } else {
            given.to_vec()
        }
    };
    let Some(command) = &args.command else {
        anyhow::bail!(screen::NEEDS_TERMINAL);
    };
    match command {
        LogCommand::Show(show) => show_records(show, &stores(&show.store), json, out),
        LogCommand::Verify(verify) if verify.explain => {
            out.write_all(journal::VERIFY_PY.as_bytes())?;
            Ok(0)
        }
        LogCommand::Verify(args) => verify(args, &stores(&args.store), json, out),
    }
}

fn verify(
    args: &VerifyArgs,
    stores: &[PathBuf],
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    must_exist(stores)?;
    let report = journal::verify(stores, journal::Options { quick: args.quick });
    if json {
        let mut value = serde_json::to_value(&report)?;
        value["intact"] = report.intact().into();
        value["warnings"] = report.warnings().into();
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
    } else {
        journal::write_text(&report, out)?;
    }
    Ok(report.exit_code(args.strict))
}

fn show_records(
    args: &ShowArgs,
    stores: &[PathBuf],
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    must_exist(stores)?;
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    for store in stores {
        let (some, wrong) = journal::read_lines(store);
        lines.extend(some);
        problems.extend(wrong);
    }
    let lines = journal::merge(lines);
    let mut decisions = Decisions::default();
    for line in &lines {
        decisions.apply(&line.entry);
    }
    let chosen: Vec<&Line> = lines.iter().filter(|l| args.wants(l, &decisions)).collect();
    let from = args.last.map_or(0, |n| chosen.len().saturating_sub(n));
    for line in &chosen[from..] {
        if json {
            // The line is ASCII as the reader accepts no other, so it commands no terminal.
            out.write_all(&line.raw)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", one_line(&line.entry, &decisions))?;
        }
    }
    for problem in &problems {
        // Standard output may be a pipe into a JSON reader.
        if !json {
            writeln!(out, "PROBLEM {problem}")?;
        }
    }
    Ok(u8::from(!problems.is_empty()))
}

fn must_exist(stores: &[PathBuf]) -> anyhow::Result<()> {
    for store in stores {
        std::fs::metadata(store)
            .with_context(|| format!("cannot read the journal {}", store.display()))?;
    }
    Ok(())
}

impl ShowArgs {
    fn wants(&self, line: &Line, decisions: &Decisions) -> bool {
        let entry = &line.entry;
        let has = |field: &str, wanted: &Option<String>| {
            wanted
                .as_ref()
                .is_none_or(|w| words::names(entry, field, w, decisions))
        };
        let contains = |text: &String| memchr::memmem::find(&line.raw, text.as_bytes()).is_some();
        (self.types.is_empty() || self.types.contains(&entry.kind))
            && self.since.is_none_or(|t| entry.ts >= t)
            && self.until.is_none_or(|t| entry.ts <= t)
            && has("identity", &self.identity)
            && has("alert", &self.alert)
            && self.grep.as_ref().is_none_or(contains)
            && (!self.unknown || is_unknown(entry, decisions))
    }
}

fn is_unknown(entry: &Entry, decisions: &Decisions) -> bool {
    entry.kind == RecordType::Intent
        && words::act_of(entry, decisions).is_some_and(|act| act.cell() == CellState::Unknown)
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

fn parse_type(word: &str) -> Result<RecordType, String> {
    RecordType::parse(word).ok_or_else(|| {
        let all: Vec<&str> = RecordType::ALL.iter().map(|t| t.as_str()).collect();
        format!("no such record type; there are {}", all.join(", "))
    })
}

/// Reads an RFC 3339 time, or a span before now.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(TIME_HELP.to_owned()),
    };
    number
        .parse::<i64>()
        .ok()
        .and_then(|n| n.checked_mul(seconds))
        .and_then(|s| {
            Timestamp::now()
                .checked_sub(SignedDuration::from_secs(s))
                .ok()
        })
        .ok_or_else(|| TIME_HELP.to_owned())
}

const TIME_HELP: &str =
    "give a time like 2026-11-21T08:00:00Z, or a span before now like 30m, 2h, 3d";

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;
    use serde_json::json;

    use crate::journal::{JournalConfig, Writer};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        log: LogArgs,
    }

    fn run_log(store: &Path, args: &[&str], json: bool) -> (u8, String) {
        let cli = Cli::parse_from(std::iter::once("log").chain(args.iter().copied()));
        let mut out = Vec::new();
        let code = run(&cli.log, store, json, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    fn store() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let config = JournalConfig {
            store: dir.path().join("store"),
            site: "soc.example".into(),
            keys: dir.path().join("keys"),
            drill: false,
            allow_network_fs: true,
        };
        let now: Timestamp = "2026-11-21T08:15:00Z".parse().unwrap();
        let (mut writer, _) = Writer::open(config, now).unwrap();
        let later = now + SignedDuration::from_secs(60);
        let intent = json!({
            "intent": "i-1", "digest": "ab".repeat(32), "step": "1", "verb": "disable_credential",
            "identity": "keycloak:svc\u{202e}x", "alert": "siem/7", "undo": false,
            "process": {"pid": 1, "start": 1, "boot": "b"},
        });
        writer.append(now, &[(RecordType::Intent, intent)]).unwrap();
        let claim = json!({"kind": "claim", "alert": "siem/8", "reason": null});
        writer
            .append(later, &[(RecordType::Decision, claim)])
            .unwrap();
        dir
    }

    #[rstest]
    #[case(&[], &["genesis", "intent", "decision"])]
    #[case(&["--type", "intent"], &["intent"])]
    #[case(&["--type", "intent", "--type", "decision"], &["intent", "decision"])]
    #[case(&["--alert", "siem/8"], &["decision"])]
    #[case(&["--identity", "keycloak:svc\u{202e}x"], &["intent"])]
    #[case(&["--since", "2026-11-21T08:15:30Z"], &["decision"])]
    #[case(&["--until", "2026-11-21T08:15:30Z"], &["genesis", "intent"])]
    #[case(&["--unknown"], &["intent"])]
    #[case(&["--grep", "claim"], &["decision"])]
    #[case(&["-n", "1"], &["decision"])]
    fn shows_what_is_asked_for(#[case] args: &[&str], #[case] kinds: &[&str]) {
        let dir = store();
        let args: Vec<&str> = std::iter::once("show")
            .chain(args.iter().copied())
            .collect();
        let (code, text) = run_log(&dir.path().join("store"), &args, false);
        let shown: Vec<&str> = text
            .lines()
            .map(|l| l.split_whitespace().nth(3).unwrap())
            .collect();
        assert_eq!((code, shown), (0, kinds.to_vec()), "{text}");
        assert!(!text.contains('\u{202e}'));
    }

    #[test]
    fn says_it_in_words() {
        let dir = store();
        let (_, text) = run_log(&dir.path().join("store"), &["show"], false);
        let line = text.lines().nth(1).unwrap();
        assert!(
            line.starts_with("2026-11-21T08:15:00.000Z      2  "),
            "{line}"
        );
        let want = r"about to disable_credential on keycloak:svc\u{202e}x (plan abababababab step 1, alert siem/7): unknown";
        assert!(line.ends_with(want), "{line}");
        assert!(text.contains("claimed alert siem/8"), "{text}");
    }

    #[test]
    fn json_lines_are_verbatim() {
        let dir = store();
        let (_, text) = run_log(&dir.path().join("store"), &["show"], true);
        let raw = std::fs::read_dir(dir.path().join("store/logs"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let raw = std::fs::read_dir(raw)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let raw = std::fs::read_to_string(raw.join("00000000000000000000.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|l| raw.lines().any(|r| r == l)));
    }

    #[test]
    fn verifies_with_stable_names_and_exit_codes() {
        let dir = store();
        let at = dir.path().join("store");
        let (code, text) = run_log(&at, &["verify"], false);
        assert!(
            code == 0 && text.contains("RESULT: INTACT") && text.contains("without an anchor"),
            "{text}"
        );
        assert_eq!(run_log(&at, &["verify", "--strict"], false).0, 3);
        assert_eq!(run_log(&at, &["verify", "--quick"], false).0, 0);
        let (_, json) = run_log(&at, &["verify"], true);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["intact"], true);
        assert_eq!(json["content"]["unknown"][0]["intent"], "i-1");
        for field in [
            "origin",
            "vkey",
            "records",
            "checkpoints",
            "head_size",
            "head_root",
            "first_bad",
            "findings",
        ] {
            assert!(json["logs"][0].get(field).is_some(), "{field}");
        }
        let other = dir.path().join("nothing");
        std::fs::create_dir(&other).unwrap();
        let (code, text) = run_log(&at, &["verify", "--store", other.to_str().unwrap()], false);
        assert!(code == 2 && text.contains("NO LOG HERE"), "{text}");
        assert!(
            run_log(&at, &["verify", "--explain"], false)
                .1
                .contains("openssl")
        );
    }

    #[rstest]
    #[case("2026-11-21T08:00:00Z", true)]
    #[case("2h", true)]
    #[case("3d", true)]
    #[case("2 hours ago", false)]
    #[case("h", false)]
    #[case("99999999999999999999d", false)]
    #[case("9223372036854775807w", false)]
    fn reads_times(#[case] text: &str, #[case] good: bool) {
        assert_eq!(parse_time(text).is_ok(), good);
    }
}
