//! What a drill tells afterwards: when what happened, and which choice would have been the better one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::score::Marks;
use crate::domain::alert;

/// What a scenario teaches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debrief {
    /// The playbook that stops the intruder and as little else as can be.
    pub playbook: String,
    /// What it does, in a sentence.
    pub better: String,
    /// Why that one.
    pub why: String,
    /// By playbook, what is wrong with it here.
    #[serde(default)]
    pub others: BTreeMap<String, String>,
}

/// A plan that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// When its first step began.
    pub at: Timestamp,
    /// Which playbook it came from.
    pub playbook: String,
}

/// Writes the debrief, a line each. What would have been better is told only to those who chose, or when all is over.
pub fn debrief(debrief: &Debrief, marks: &Marks, chosen: &[Chosen], is_over: bool) -> Vec<String> {
    let mut lines = vec![String::new(), "When what happened".to_owned()];
    lines.extend(timeline(marks, chosen));
    if chosen.is_empty() && !is_over {
        return lines;
    }
    lines.push(String::new());
    let best = |c: &Chosen| c.playbook == debrief.playbook;
    let first = chosen.first();
    if first.is_some_and(best) && marks.intruder_out_at.is_some() {
        lines.push("Your first choice was the one to make".to_owned());
    } else {
        lines.push("The better choice".to_owned());
        lines.push(format!("  {}", debrief.better));
    }
    lines.push(format!("  {}", debrief.why));
    let mut told = Vec::new();
    for other in chosen.iter().filter(|c| !best(c)) {
        if told.contains(&&other.playbook) {
            continue;
        }
        told.push(&other.playbook);
        if let Some(text) = debrief.others.get(&other.playbook) {
            lines.push(format!("  You ran {}: {text}", other.playbook));
        }
    }
    if chosen.is_empty() {
        lines.push("  You ran nothing: whoever is in stays in until somebody acts.".to_owned());
    }
    lines
}

fn timeline(marks: &Marks, chosen: &[Chosen]) -> Vec<String> {
    let mut events: Vec<(Timestamp, String)> = Vec::new();
    let fixed = |at: Option<Timestamp>, what: &str| at.map(|at| (at, what.to_owned()));
    events.extend(fixed(marks.exposed_at, "the intruder has what he needs"));
    events.extend(fixed(marks.first_alert_at, "the first alert came"));
    events.extend(fixed(marks.acknowledged_at, "you took it"));
    let ran = |c: &Chosen| (c.at, format!("you ran {}", c.playbook));
    events.extend(chosen.iter().map(ran));
    events.extend(fixed(marks.proven_at, "the last step was proven"));
    events.extend(fixed(marks.intruder_out_at, "the intruder was out"));
    // What happened in the same second stands in the order in which it is told above.
    events.sort_by_key(|(at, _)| at.as_second());
    let Some((start, _)) = events.first().cloned() else {
        return vec!["  nothing yet".to_owned()];
    };
    let mut lines: Vec<String> = events
        .iter()
        .map(|(at, what)| format!("  {:>8}  {what}", alert::span(start, *at)))
        .collect();
    if marks.intruder_out_at.is_none() {
        lines.push("       now  the intruder is in".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + s).unwrap()
    }

    fn lesson() -> Debrief {
        Debrief {
            playbook: "rotate-and-cut".into(),
            better: "A new secret.".into(),
            why: "The old one is known.".into(),
            others: BTreeMap::from([("cut-live-access".into(), "He comes back.".into())]),
        }
    }

    fn marks(out: bool) -> Marks {
        Marks {
            exposed_at: Some(at(0)),
            first_alert_at: Some(at(2)),
            acknowledged_at: Some(at(30)),
            decided_at: Some(at(40)),
            contained_at: Some(at(41)),
            proven_at: Some(at(44)),
            intruder_out_at: out.then(|| at(46)),
        }
    }

    fn ran(s: i64, playbook: &str) -> Chosen {
        Chosen {
            at: at(s),
            playbook: playbook.into(),
        }
    }

    #[test]
    fn the_right_choice_is_said_to_have_been_right() {
        let lines = debrief(&lesson(), &marks(true), &[ran(40, "rotate-and-cut")], true);
        insta::assert_snapshot!(lines.join("\n"), @r"
        When what happened
                0s  the intruder has what he needs
                2s  the first alert came
               30s  you took it
               40s  you ran rotate-and-cut
               44s  the last step was proven
               46s  the intruder was out

        Your first choice was the one to make
          The old one is known.
        ");
    }

    #[test]
    fn another_choice_is_named_with_what_is_wrong_with_it_and_with_the_better_one() {
        let chosen = [ran(40, "cut-live-access"), ran(50, "cut-live-access")];
        let text = debrief(&lesson(), &marks(false), &chosen, false).join("\n");
        assert!(
            text.contains("The better choice\n  A new secret."),
            "{text}"
        );
        assert_eq!(text.matches("He comes back.").count(), 1, "{text}");
        assert!(text.contains("now  the intruder is in"), "{text}");
    }

    #[test]
    fn whoever_has_not_chosen_yet_is_not_told_what_to_choose() {
        let text = debrief(&lesson(), &marks(false), &[], false).join("\n");
        assert!(!text.contains("A new secret."), "{text}");
        let text = debrief(&lesson(), &marks(false), &[], true).join("\n");
        assert!(
            text.contains("A new secret.") && text.contains("You ran nothing"),
            "{text}"
        );
    }
}
