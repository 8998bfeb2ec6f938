//! New epochs: a key that the key before did not sign counts only when somebody else vouches for it.

use super::super::note::Verifier;
use super::super::trust::Trust;
use super::{Facts, Finding, Level, Report};

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
            let voucher = (0..facts.len())
                .filter(|i| *i != at && intact[*i])
                .find_map(|i| {
                    let origin = &facts[i].keys.last()?.1.name;
                    let same = trust.is_some_and(|t| {
                        t.writer_of(origin).is_some()
                            && t.writer_of(origin) == t.writer_of(&by.name)
                    });
                    let vouches = facts[i].vouches.iter().any(|v| {
                        v["vkey"] == key.vkey.as_str()
                            && v["origin"] == by.name.as_str()
                            && v["seq"] == key.seq
                    });
                    (vouches && !same).then(|| origin.clone())
                });
            if let Some(origin) = voucher {
                key.how = format!("countersigned by {origin}");
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
