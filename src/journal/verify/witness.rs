//! Compares logs with signed heads that others hold: what one log alone can never show is here.

use std::path::Path;

use serde_json::Value;

use crate::domain::text::show;

use super::super::actor::{host_name, user_name};
use super::super::checkpoint::Head;
use super::super::heads::{Seen, SeenHead};
use super::super::json;
use super::super::merkle::hex;
use super::super::note::{self, Verifier};
use super::{Facts, Finding, Level, Options, Report};

/// Most bytes of a file of anchors: a million heads.
const MAX_ANCHORS: u64 = 512 * 1024 * 1024;

/// A head that somebody holds.
struct Witness {
    /// Who, safe to draw.
    by: String,
    /// Which key the witness says signed it.
    vkey: Option<Verifier>,
    head: Head,
    signed: String,
    /// Whether anybody could have put it there.
    hearsay: bool,
}

/// Compares every log with every head that is known of it.
pub fn check(options: &Options, facts: &[Facts], report: &mut Report) {
    let mut witnesses = Vec::new();
    for (log, known) in report.logs.iter().zip(facts) {
        for (seq, head) in &known.saw {
            let by = format!("{} record {seq}", log.origin);
            match SeenHead::from_json(head) {
                Some(seen) => witnesses.push(witness(by, seen, false)),
                None => report.findings.push(finding(
                    Level::Warning,
                    &format!("{by} names a head that its key did not sign"),
                )),
            }
        }
    }
    if let Some(path) = &options.seen {
        let seen = Seen::load(path);
        witnesses.extend(
            seen.heads()
                .map(|h| witness("seen-heads".into(), h.clone(), false)),
        );
    }
    for path in &options.anchors {
        match read_anchors(path) {
            Ok(more) => witnesses.extend(more),
            Err(e) => report
                .refused
                .push(show(&format!("{}: {e}", path.display())).into_owned()),
        }
    }
    for witness in &witnesses {
        compare(options, facts, report, witness);
    }
    for (log, known) in report.logs.iter_mut().zip(facts) {
        let reach = log.witnessed.values().max().copied().unwrap_or(0);
        log.unanchored_lines = log.head_size.saturating_sub(reach);
        let later = known.times.iter().find(|(seq, _)| *seq >= reach);
        log.unanchored_since = later
            .map(|(_, ts)| *ts)
            .filter(|_| log.unanchored_lines > 0);
    }
}

fn witness(by: String, seen: SeenHead, hearsay: bool) -> Witness {
    Witness {
        by,
        vkey: Some(seen.by),
        head: seen.head,
        signed: seen.signed,
        hearsay,
    }
}

fn finding(level: Level, text: &str) -> Finding {
    Finding {
        level,
        check: "anchors",
        seq: None,
        text: show(text).into_owned(),
    }
}

fn compare(options: &Options, facts: &[Facts], report: &mut Report, witness: &Witness) {
    let Witness { by, head, .. } = witness;
    let owns = |f: &Facts| f.keys.iter().any(|(_, k)| k.name == head.origin);
    let Some(at) = facts.iter().position(owns) else {
        // A peer may be on a host whose logs were not copied; what I saw myself in this store must be in it.
        let level = if by == "seen-heads" {
            Level::Failure
        } else {
            Level::Warning
        };
        let text = format!(
            "{by} saw the log {} with {} lines, which is not here",
            head.origin, head.size
        );
        report.findings.push(finding(level, &text));
        return;
    };
    let known = &facts[at];
    let text = match signer(known, witness) {
        Signer::Valid => match known.roots.get(&head.size) {
            // What I kept of my own log is as much in my power as the log itself.
            Some(root) if *root == head.root && by == "seen-heads" && is_mine(&head.origin) => {
                return;
            }
            Some(root) if *root == head.root => {
                let reach = report.logs[at].witnessed.entry(short(by)).or_default();
                *reach = head.size.max(*reach);
                return;
            }
            Some(_) => format!(
                "{by} holds another root over {} lines: this key signed two histories",
                head.size
            ),
            None => format!(
                "{by} holds a signed head over {} lines, the last that fits this log covers {}: its tail was removed or told anew",
                head.size, report.logs[at].head_size
            ),
        },
        Signer::Late => {
            let text = format!(
                "{by} holds a head over {} lines by a key that signs no more at that size",
                head.size
            );
            report.logs[at]
                .findings
                .push(finding(Level::Warning, &text));
            return;
        }
        Signer::Other(key) => {
            let text = format!(
                "{by} holds a head over {} lines signed by the key {key}, which is none of this log's: the log was written anew, or the head is made up",
                head.size
            );
            // Whoever is pinned is believed over what others say about them.
            let pinned = options
                .trust
                .as_ref()
                .is_some_and(|t| known.keys.iter().all(|(_, k)| t.pins(k)));
            let level = if witness.hearsay || pinned {
                Level::Warning
            } else {
                Level::Failure
            };
            report.logs[at].findings.push(finding(level, &text));
            return;
        }
    };
    let mut found = finding(Level::Failure, &text);
    found.seq = Some(head.size);
    report.logs[at].findings.push(found);
}

enum Signer {
    Valid,
    Late,
    Other(String),
}

/// Tells whether a key that was in force at that size signed.
fn signer(known: &Facts, witness: &Witness) -> Signer {
    let size = witness.head.size;
    for (i, (from, key)) in known.keys.iter().enumerate() {
        if key.open(&witness.signed).is_some() {
            let until = known.keys.get(i + 1).map_or(u64::MAX, |(next, _)| *next);
            return if (*from..=until).contains(&size) {
                Signer::Valid
            } else {
                Signer::Late
            };
        }
    }
    Signer::Other(
        witness
            .vkey
            .as_ref()
            .map_or_else(|| "?".to_owned(), |k| hex(&k.id())),
    )
}

/// Tells whether this user writes that log on this host.
fn is_mine(origin: &str) -> bool {
    let me = user_name(rustix::process::getuid().as_raw());
    origin.ends_with(&format!("/{}/{me}", host_name()))
}

/// `site/host/user record 12` witnesses as `site/host/user`.
fn short(by: &str) -> String {
    by.split(" record ").next().unwrap_or(by).to_owned()
}

/// Reads heads from a file: each line that holds a JSON object with a `note`, or one note as it stands.
fn read_anchors(path: &Path) -> std::io::Result<Vec<Witness>> {
    if std::fs::metadata(path)?.len() > MAX_ANCHORS {
        return Err(std::io::Error::other(
            "too large for a file of signed heads",
        ));
    }
    let bytes = std::fs::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let name = path.file_name().unwrap_or(path.as_os_str());
    let by = show(&name.to_string_lossy()).into_owned();
    let whole = [text.clone().into_owned()];
    let notes = text.lines().filter_map(|line| {
        let at = line.find("{\"note\":").or_else(|| line.find('{'))?;
        let value: Value = json::read(line[at..].trim_end().as_bytes()).ok()?;
        Some(value["note"].as_str()?.to_owned())
    });
    let found = notes.chain(whole).filter_map(|signed| {
        let (text, _) = note::split(&signed)?;
        Some(Witness {
            by: by.clone(),
            vkey: None,
            head: Head::from_text(text)?,
            signed,
            hearsay: true,
        })
    });
    Ok(found.collect())
}
