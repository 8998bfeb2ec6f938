//! New epochs: a key that the key before did not sign counts only when somebody else vouches for it.

use serde_json::Value;

use crate::domain::text::show;

use super::super::agent::fingerprint;
use super::super::note::Verifier;
use super::super::statement;
use super::super::trust::Trust;
use super::{Facts, Finding, KeyReport, Level, Report};

/// Checks a person's own signature on a countersignature, where there is one; returns by which key.
fn signed_by(
    trust: Option<&Trust>,
    origin: &str,
    of: &str,
    key: &KeyReport,
    vouch: &Value,
) -> Result<String, String> {
    let signed = &vouch["signed"];
    if signed.is_null() {
        return Ok(String::new());
    }
    let text = statement::countersignature(of, &key.vkey, key.seq);
    let by = statement::check(signed, origin, &text)
        .ok_or("its signature by a key of a person is not good")?;
    let name = fingerprint(&by);
    let Some(trust) = trust else {
        return Ok(format!(" with the ssh key {name}"));
    };
    match trust.holder_of_ssh(&by) {
        None => Err(format!("the ssh key {name} is nobody's on the roster")),
        Some(person) if trust.writer_of(origin) != Some(person) => Err(format!(
            "the ssh key {name} belongs to {}, who does not write that log",
            person.name
        )),
        Some(person) if trust.writer_of(of) == Some(person) => {
            Err(format!("{} vouches for a log of their own", person.name))
        }
        Some(person) => Ok(format!(" with the ssh key of {} ({name})", person.name)),
    }
}

/// Looks for every uncontinued key whether the trust file or another log vouches for it.
pub fn check(trust: Option<&Trust>, facts: &[Facts], report: &mut Report) {
    let intact: Vec<bool> = report
        .logs
        .iter()
        .map(|l| l.findings.iter().all(|f| f.level != Level::Failure))
        .collect();
    for at in 0..report.logs.len() {
        let log = &mut report.logs[at];
        for key in log.keys.iter_mut().filter(|k| k.how == "UNCONTINUED") {
            let Some(by) = Verifier::from_vkey(&key.vkey) else {
                continue;
            };
            if trust.is_some_and(|t| t.pins(&by)) {
                "pinned".clone_into(&mut key.how);
                continue;
            }
            let mut voucher = None;
            for i in (0..facts.len()).filter(|i| *i != at && intact[*i]) {
                let Some(origin) = facts[i].keys.last().map(|k| &k.1.name) else {
                    continue;
                };
                let same = trust.is_some_and(|t| {
                    t.writer_of(origin).is_some() && t.writer_of(origin) == t.writer_of(&by.name)
                });
                let vouches = facts[i].vouches.iter().filter(|v| {
                    v["vkey"] == key.vkey.as_str()
                        && v["origin"] == by.name.as_str()
                        && v["seq"] == key.seq
                });
                for vouch in vouches.filter(|_| !same) {
                    match signed_by(trust, origin, &by.name, key, vouch) {
                        Ok(how) => voucher = voucher.or(Some(format!("{origin}{how}"))),
                        Err(why) => log.findings.push(Finding {
                            level: Level::Failure,
                            check: "keys",
                            seq: Some(key.seq),
                            text: show(&format!("{origin} vouches for this log, but {why}"))
                                .into_owned(),
                        }),
                    }
                }
            }
            if let Some(who) = voucher {
                key.how = format!("countersigned by {who}");
                continue;
            }
            log.findings.push(Finding {
                level: Level::Failure,
                check: "keys",
                seq: Some(key.seq),
                text: format!(
                    "UNCONTINUED: from record {} on another key signs, which neither the key before it, nor another \
                     analyst, nor a trust file vouches for (`stanch log countersign {}`)",
                    key.seq, by.name
                ),
            });
        }
    }
}
