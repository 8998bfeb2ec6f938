//! The part of the lint that is about playbooks.

use std::collections::BTreeMap;

use super::{Finding, Level, Log, MOST, Source};
use crate::domain::options::Capabilities;
use crate::domain::playbook::{Playbook, PlaybookFile};
use crate::domain::policy::places::Places;
use crate::domain::policy::reach::{can_hold, implies};
use crate::domain::policy::term::Term;
use crate::domain::vocabulary::Verb;

/// Reads all playbook files.
pub fn read(
    sources: &[Source<'_>],
    means: Option<&BTreeMap<String, Capabilities>>,
    findings: &mut Vec<Finding>,
) -> Vec<Playbook> {
    let mut all: Vec<Playbook> = Vec::new();
    for source in sources {
        let mut log = Log {
            name: source.name,
            places: Places::of(source.text),
            findings,
        };
        let mut file: PlaybookFile = match toml::from_str(source.text) {
            Ok(file) => file,
            Err(error) => {
                log.syntax(&error);
                continue;
            }
        };
        let many = all.len() + file.playbooks.len();
        if many > MOST {
            log.error(
                &[],
                "",
                format!("{many} playbooks; at most {MOST} are read"),
            );
            continue;
        }
        for at in 0..file.playbooks.len() {
            let before = log.findings.len();
            rules(&file, at, &mut log);
            let book = &mut file.playbooks[at];
            read_conditions(book, at, &mut log);
            if let Some(means) = means {
                offered(book, at, means, &mut log);
            }
            let book = &file.playbooks[at];
            let way = ["playbook", &at.to_string()];
            if all.iter().any(|other| other.id == book.id) {
                let problem = "an earlier file has a playbook of this id; give each its own";
                log.error(&[way[0], way[1], "id"], &book.id, problem);
            }
            let earlier = all.iter().chain(&file.playbooks[..at]);
            if let Some(other) = earlier.into_iter().find(|other| is_shadowed(book, other)) {
                let problem = format!(
                    "shadowed: wherever it is offered, `{}` is, with the same steps",
                    other.id
                );
                log.error(&[way[0], way[1], "when"], &book.id, problem);
            }
            let so_far = all.iter().chain(&file.playbooks[..=at]).cloned();
            digits(&so_far.collect::<Vec<_>>(), at, &mut log);
            let mut found = log.findings[before..].iter();
            let first = found.find(|f| f.level == Level::Error);
            let refused = first.map(|finding| format!("it does not lint: {finding}"));
            file.playbooks[at].refused = refused;
        }
        all.extend(file.playbooks);
    }
    all
}

fn rules(file: &PlaybookFile, at: usize, log: &mut Log<'_, '_>) {
    let id = &file.playbooks[at].id;
    let n = at.to_string();
    for (within, problem) in file.check(at) {
        let way = ["playbook", &n]
            .into_iter()
            .chain(within.iter().map(String::as_str));
        let way: Vec<&str> = way.collect();
        log.error(&way, id, problem);
    }
}

fn read_conditions(book: &mut Playbook, at: usize, log: &mut Log<'_, '_>) {
    let n = at.to_string();
    let faults = book.read();
    for (within, fault) in faults {
        let way = ["playbook", &n]
            .into_iter()
            .chain(within.iter().map(String::as_str));
        let place = log.places.within(&way.collect::<Vec<_>>(), fault.at);
        log.note(Level::Error, place, &book.id, fault.problem);
    }
    let Some(when) = book.when.term.as_deref() else {
        return;
    };
    if !can_hold(when) {
        let problem = "unreachable: no alert can meet all of this at once";
        return log.error(&["playbook", &n, "when"], &book.id, problem);
    }
    for (s, step) in book.steps.iter().enumerate() {
        let Some(term) = step.term.as_deref() else {
            continue;
        };
        if !can_hold(&Term::And(vec![term.clone(), when.clone()])) {
            let problem = "unreachable: where the playbook is offered, this never holds";
            let way = ["playbook", &n, "step", &s.to_string(), "if"];
            log.error(&way, &book.id, problem);
        }
    }
}

/// Tells of a digit that means two things at once.
fn digits(all: &[Playbook], at: usize, log: &mut Log<'_, '_>) {
    let Some((book, earlier)) = all.split_last() else {
        return;
    };
    let n = at.to_string();
    let way = ["playbook", n.as_str(), "key"];
    if book.key.is_some_and(|key| !(1..=9).contains(&key)) {
        return log.error(&way, &book.id, "a key is a digit from 1 to 9");
    }
    let Some(key) = book.digit(earlier.len()) else {
        return;
    };
    let together = |(place, other): &(usize, &Playbook)| {
        let terms = book.when.term.as_deref().zip(other.when.term.as_deref());
        let both = terms.is_some_and(|(a, b)| can_hold(&Term::And(vec![a.clone(), b.clone()])));
        other.digit(*place) == Some(key) && both
    };
    if let Some((_, other)) = earlier.iter().enumerate().find(together) {
        let problem = format!(
            "digit {key} stages `{}` too, and both may be offered at once; set `key` to another",
            other.id
        );
        log.error(&way, &book.id, problem);
    }
}

/// Warns of steps that no configured connector can carry out, and of those that cannot be taken back although the
/// playbook does not say so.
fn offered(
    book: &Playbook,
    at: usize,
    means: &BTreeMap<String, Capabilities>,
    log: &mut Log<'_, '_>,
) {
    let n = at.to_string();
    for (s, step) in book.steps.iter().enumerate() {
        let own = step.is_handed_over() || step.verb == Verb::PreserveEvidence;
        if own || step.can_be_handed_over() {
            continue;
        }
        let (s, verb) = (s.to_string(), step.verb);
        let way = ["playbook", &n, "step", &s, "do"];
        let place = log.places.find(&way);
        let able: Vec<_> = means
            .iter()
            .filter_map(|(name, c)| Some((name, c.get(&verb)?)))
            .collect();
        if able.is_empty() && !step.optional {
            let problem = format!(
                "no configured connector offers {verb}, so it is never available; configure one, or say in `verify` and `undo` how a team does it by hand"
            );
            log.note(Level::Warning, place, &book.id, problem);
        }
        // Nobody wants an ended session back: whoever may logs in anew.
        if matches!(verb, Verb::RevokeSessions | Verb::RevokeTokens) {
            continue;
        }
        let never = able.iter().find(|(_, c)| c.irreversible.is_some());
        if let Some((name, _)) = never.filter(|_| step.irreversible.is_none()) {
            let problem = format!(
                "connector `{name}` cannot take {verb} back; say why that is acceptable in `irreversible`"
            );
            log.note(Level::Warning, place, &book.id, problem);
        }
    }
}

fn is_shadowed(book: &Playbook, other: &Playbook) -> bool {
    let verbs = |book: &Playbook| {
        book.steps
            .iter()
            .map(|s| (s.verb, s.by_hand))
            .collect::<Vec<_>>()
    };
    let both = book.when.term.as_deref().zip(other.when.term.as_deref());
    both.is_some_and(|(a, b)| can_hold(a) && implies(a, b)) && verbs(book) == verbs(other)
}
