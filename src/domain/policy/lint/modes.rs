//! The part of the lint that is about modes. What is wrong here makes a playbook ask; it takes nothing away from analysts.

use std::collections::BTreeMap;

use super::{Finding, Level, Log, Source};
use crate::domain::options::Capabilities;
use crate::domain::playbook::Playbook;
use crate::domain::policy::check::condition;
use crate::domain::policy::modes::{COUNTDOWN_S, PER_HOUR, needs_no_undo, not_routine};
use crate::domain::policy::places::Places;
use crate::domain::policy::reach::{can_hold, implies};
use crate::domain::policy::value::nearest;
use crate::domain::policy::{InMode, Mode, ModeOf, Policy, PolicyFile};
use crate::domain::vocabulary::Verb;

/// Where nothing ever runs by itself, in CEL: who matches only this never runs.
const NEVER: [&str; 2] = [
    "has(identity.criticality) && identity.criticality == criticality.business_critical",
    "has(identity.uninterruptible) && identity.uninterruptible",
];

/// Reads the modes. Playbooks are not known where only a policy is looked at; then nothing is said about them.
pub fn read(
    policy: &mut Policy,
    source: Source<'_>,
    books: &[Playbook],
    means: Option<&BTreeMap<String, Capabilities>>,
    findings: &mut Vec<Finding>,
) {
    let mut log = Log {
        name: source.name,
        places: Places::of(source.text),
        findings,
    };
    let before = log.findings.len();
    bounds(&policy.file, &mut log);
    let general = refusal(&log.findings[before..]);
    let mut modes = Vec::new();
    for n in 0..policy.file.modes.len() {
        let before = log.findings.len();
        let said = &policy.file.modes[n];
        one(&policy.file, n, &mut log);
        let book = books.iter().find(|book| book.id == said.playbook);
        match book {
            Some(book) if said.mode == Mode::Auto => {
                automatic(&policy.file, n, book, means, &mut log);
            }
            None if !books.is_empty() => unknown(said, n, books, &mut log),
            _ => {}
        }
        let own = refusal(&log.findings[before..]);
        let why_not = (said.mode != Mode::Ask)
            .then(|| policy.refused.clone().or_else(|| general.clone()).or(own))
            .flatten();
        modes.push(InMode {
            playbook: said.playbook.clone(),
            wanted: said.mode,
            mode: if why_not.is_some() {
                Mode::Ask
            } else {
                said.mode
            },
            why_not,
        });
    }
    policy.modes = modes;
}

fn refusal(found: &[Finding]) -> Option<String> {
    let first = found.iter().find(|f| f.level == Level::Error);
    first.map(|finding| format!("it does not lint: {finding}"))
}

fn outside(value: u32, (least, most): (u32, u32)) -> bool {
    !(least..=most).contains(&value)
}

fn bounds(file: &PolicyFile, log: &mut Log<'_, '_>) {
    let all = &file.automation;
    if outside(all.countdown_s, COUNTDOWN_S) {
        log.error(
            &["automation", "countdown_s"],
            "",
            countdown(all.countdown_s),
        );
    }
    if outside(all.per_hour, PER_HOUR) {
        let (least, most) = PER_HOUR;
        let problem = format!(
            "{} automatic runs an hour; {least} to {most} are possible, and for none leave `mode` out",
            all.per_hour
        );
        log.error(&["automation", "per_hour"], "", problem);
    }
}

fn countdown(seconds: u32) -> String {
    let (least, most) = COUNTDOWN_S;
    format!("a countdown of {seconds} s; it has {least} to {most} s, so that somebody can stop it")
}

fn one(file: &PolicyFile, n: usize, log: &mut Log<'_, '_>) {
    let said = &file.modes[n];
    let at = n.to_string();
    let earlier = &file.modes[..n];
    if earlier.iter().any(|m| m.playbook == said.playbook) {
        let problem = "shadowed: this playbook has a mode already";
        log.error(&["mode", &at, "playbook"], &said.playbook, problem);
    }
    match said.countdown_s {
        Some(_) if said.mode != Mode::Auto => {
            let problem = format!("only `auto` counts down, and this is `{}`", said.mode);
            log.error(&["mode", &at, "countdown_s"], &said.playbook, problem);
        }
        Some(own) if outside(own, COUNTDOWN_S) => {
            log.error(
                &["mode", &at, "countdown_s"],
                &said.playbook,
                countdown(own),
            );
        }
        _ => {}
    }
}

fn unknown(said: &ModeOf, n: usize, books: &[Playbook], log: &mut Log<'_, '_>) {
    let ids = books.iter().map(|book| book.id.as_str());
    let hint = nearest(&said.playbook, ids)
        .map_or_else(String::new, |id| format!("; did you mean `{id}`?"));
    let problem = format!("there is no such playbook{hint}");
    let at = n.to_string();
    log.error(&["mode", &at, "playbook"], &said.playbook, problem);
}

/// Tells why a playbook cannot run by itself.
fn automatic(
    file: &PolicyFile,
    n: usize,
    book: &Playbook,
    means: Option<&BTreeMap<String, Capabilities>>,
    log: &mut Log<'_, '_>,
) {
    let at = n.to_string();
    let way = ["mode", at.as_str(), "mode"];
    let mut refuse = |why: String| {
        log.error(&way, &book.id, format!("it cannot be `auto`: {why}"));
    };
    if book.refused.is_some() {
        return refuse("the playbook itself does not lint".to_owned());
    }
    for step in &book.steps {
        if let Some(why) = not_routine(step) {
            refuse(why);
            continue;
        }
        if step.is_handed_over() || step.verb == Verb::PreserveEvidence {
            continue;
        }
        let Some(means) = means else { continue };
        let able: Vec<_> = means
            .iter()
            .filter_map(|(name, c)| Some((name, c.get(&step.verb)?)))
            .collect();
        if able.is_empty() && !step.optional && !step.can_be_handed_over() {
            refuse(format!(
                "no configured connector does {} and reads it back, so nobody would verify it",
                step.verb
            ));
        }
        let never = able.iter().find(|(_, c)| c.irreversible.is_some());
        if let Some((name, _)) = never.filter(|_| !needs_no_undo(step.verb)) {
            refuse(format!(
                "connector `{name}` has no undo for {}, so a person decides",
                step.verb
            ));
        }
    }
    let critical = &file.automation.critical_kinds;
    if let Some(kind) = book.when.kinds.iter().find(|k| critical.contains(k)) {
        refuse(format!(
            "it is for {kind}, and `critical_kinds` calls that kind business-critical"
        ));
    }
    let Some(when) = book.when.term.as_deref() else {
        return;
    };
    let only = |never: &&&str| condition(never).is_ok_and(|never| implies(when, &never));
    if can_hold(when) && NEVER.iter().find(only).is_some() {
        refuse("it is only for identities that wait for a person".to_owned());
    }
}

#[cfg(test)]
mod tests;
