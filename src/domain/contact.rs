//! A message to whoever answers for an identity: whom it is about, what happened, what is proposed, what is needed.
//!
//! It is pasted into mail and chats, so that everything from outside in it is shown text, short, and no link. It holds no
//! secret: cards and alerts hold references and masked values only.

use jiff::Timestamp;

use super::alert::{Alert, age};
use super::graph::Counts;
use super::identity::Identity;
use super::options::Choice;
use super::plan::Plan;
use super::text::{Untrusted, fit, show, show_identifier};
use super::vocabulary::{Criticality, Tier};

/// Most cells of one text from outside.
const MOST: usize = 160;

/// Most options that are named.
const MOST_OPTIONS: usize = 4;

/// Most steps of a plan that are named.
const MOST_STEPS: usize = 6;

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Whom it is about.
    pub card: &'a Identity,
    /// What happened; `None` where nothing did.
    pub alert: Option<&'a Alert>,
    /// Who stops working without it, as far as the map tells.
    pub breaks: Option<&'a Counts>,
    /// The plan that was last run for it, with a word on how that stands.
    pub plan: Option<(&'a Plan, &'a str)>,
    /// What could be done.
    pub choices: &'a [Choice],
    /// When it is written.
    pub now: Timestamp,
}

/// Returns the message, a sentence or more a line: it reads as well where all of it stands in one.
pub fn message(case: &Case<'_>) -> Vec<String> {
    let mut lines = vec![addressee(case.card), about(case.card)];
    lines.push(happened(case));
    lines.extend(cost(case));
    lines.extend(case.alert.map(|_| proposed(case)));
    lines.push(needed(case).to_owned());
    lines
}

/// Text from outside for a message: shown, short, and no program takes it for a link.
fn said(text: &Untrusted) -> String {
    short(&show(text.raw()))
}

/// Cuts shown text and takes apart what a program would take for a link.
fn short(shown: &str) -> String {
    fit(shown, MOST, "...").replace("://", "[:]//")
}

/// Names those who answer for it, each once, with the way to reach them.
fn addressee(card: &Identity) -> String {
    let mut to = Vec::new();
    let roles = [
        ("on call", &card.on_call),
        ("reached by", &card.contact),
        ("technical owner", &card.technical_owner),
        ("business owner", &card.business_owner),
    ];
    for (role, who) in roles {
        if let Some(who) = who.as_ref().filter(|who| !who.is_empty()) {
            to.push(format!("{role}: {}", said(who)));
        }
    }
    match to.is_empty() {
        true => "To whoever answers for it: no owner and no contact is known.".to_owned(),
        false => format!("To {}.", to.join("; ")),
    }
}

fn about(card: &Identity) -> String {
    let name = short(&show_identifier(card.name.raw()));
    let id = short(&show_identifier(card.id.as_str()));
    let mut facts = vec![card.kind.as_str().replace('_', " ")];
    facts.extend(card.environment.as_ref().map(|e| format!("in {}", said(e))));
    facts.extend(card.workload.as_ref().map(|w| format!("runs {}", said(w))));
    let critical = card.criticality.map_or("unknown", Criticality::as_str);
    facts.push(format!("criticality {}", critical.replace('_', " ")));
    format!(
        "This is security operations, about the identity {name} ({id}): {}.",
        facts.join(", ")
    )
}

fn happened(case: &Case<'_>) -> String {
    let Some(alert) = case.alert else {
        return "What happened: no alert is about it now; we are making sure that it could be contained.".to_owned();
    };
    let severity = alert
        .severity
        .map_or("severity unknown".to_owned(), |s| format!("severity {s}"));
    let sure = alert
        .confidence
        .map_or_else(String::new, |c| format!(", {c} % sure"));
    let on = alert.resource.as_ref().map_or_else(String::new, |r| {
        format!(", on {} {}", said(&r.kind), said(&r.id))
    });
    let since = alert.exposed_since();
    format!(
        "What happened: \"{}\" ({}{on}; {severity}{sure}). It may be in other hands since {} ({} ago). Our alert: {}.",
        said(&alert.title),
        alert.pattern.as_str().replace('_', " "),
        since.strftime("%Y-%m-%d %H:%M UTC"),
        age(since, case.now),
        short(&show(alert.id.as_str()))
    )
}

/// What we know of the price of cutting it off.
fn cost(case: &Case<'_>) -> Option<String> {
    let mut known = Vec::new();
    if let Some(why) = &case.card.uninterruptible {
        known.push(format!(
            "it is not to be interrupted lightly: {}",
            said(why)
        ));
    }
    if let Some(cost) = &case.card.stop_cost {
        known.push(format!("a stop costs {}", said(cost)));
    }
    if let Some(breaks) = case.breaks.filter(|b| b.all > 0) {
        let high = [Criticality::BusinessCritical, Criticality::High];
        let of_weight = |(criticality, n): &(Option<Criticality>, usize)| {
            criticality.is_some_and(|c| high.contains(&c)).then_some(*n)
        };
        let high: usize = breaks.by_criticality.iter().filter_map(of_weight).sum();
        known.push(format!(
            "on our map {} depend on it, {high} of them of high or business criticality",
            breaks.all
        ));
    }
    (!known.is_empty()).then(|| format!("What we know of the cost: {}.", known.join("; ")))
}

fn proposed(case: &Case<'_>) -> String {
    if let Some((plan, stands)) = case.plan {
        let steps = plan.steps.iter().take(MOST_STEPS);
        let steps: Vec<String> = steps.map(|step| short(&show(&step.title))).collect();
        let more = match plan.steps.len().saturating_sub(MOST_STEPS) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        return format!(
            "What is proposed: plan {} ({}): {}{more}. It was started; it stands at: {stands}.",
            plan.digest().short(),
            plan.tier,
            steps.join("; ")
        );
    }
    let offered = case
        .choices
        .iter()
        .filter(|c| c.playbook.is_some() && c.disabled.is_none() && c.tier != Tier::Monitor);
    let offered: Vec<String> = offered
        .take(MOST_OPTIONS)
        .map(|c| format!("{} ({})", short(&show(&c.title)), c.tier))
        .collect();
    match offered.as_slice() {
        [] => {
            "What is proposed: we can only look from here, so we need you to contain it.".to_owned()
        }
        [one] => format!("What is proposed: {one}. Nothing was sent so far."),
        several => format!(
            "What is proposed, the gentlest first: {}. Nothing was sent so far.",
            several.join("; or ")
        ),
    }
}

const fn needed(case: &Case<'_>) -> &'static str {
    if case.alert.is_none() {
        return "What we need from you: who may decide about it at any hour, and how they are reached; what breaks when it is \
                cut off; where its credentials are used. Please send no password, key or token.";
    }
    "What we need from you, now: was this you, or something that you run? What breaks if it is cut off at once, and who has \
     to know before? Do you agree, or what else would contain it, and who may decide that? Please send no password, key or \
     token."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AlertId, IdentityId};
    use crate::domain::vocabulary::{ActionPattern, Severity};

    const HOSTILE: &str = "\u{1b}]0;pwned\u{7}\r\ncall https://evil.example \u{202e}now\u{200b}";

    fn card() -> Identity {
        let mut card = Identity::blank(IdentityId::new("lab:svc-deploy"));
        card.name = "svc-deploy".into();
        card.technical_owner = Some("Platform".into());
        card.on_call = Some("Platform on-call, +44 20 7946 0018".into());
        card.criticality = Some(Criticality::High);
        card.stop_cost = Some("a day of parcels".into());
        card
    }

    fn alert(title: &str) -> Alert {
        Alert {
            id: AlertId::new("siem/f1"),
            native_id: None,
            source: "siem".into(),
            format: "ocsf".into(),
            time: None,
            observed: Timestamp::UNIX_EPOCH,
            exposed_at: None,
            title: title.into(),
            severity: Some(Severity::Critical),
            severity_raw: None,
            confidence: Some(91),
            pattern: ActionPattern::SecretRead,
            subject: None,
            candidates: Vec::new(),
            resource: None,
            action: None,
            evidence_url: None,
            incident: None,
            techniques: Vec::new(),
            raw_sha256: crate::domain::digest::Digest::default(),
            resolved: None,
        }
    }

    fn choice(title: &str, disabled: bool) -> Choice {
        Choice {
            playbook: Some("p".to_owned()),
            key: Some(1),
            title: title.to_owned(),
            tier: Tier::Soft,
            teams: Vec::new(),
            impact: String::new(),
            closes: Vec::new(),
            disabled: disabled.then(|| "no connector".to_owned()),
            slice: crate::domain::options::Slice::Look,
            leaves: Vec::new(),
            trap: None,
            undo: String::new(),
            effort: String::new(),
            approval: String::new(),
            unsure: None,
        }
    }

    fn told(card: &Identity, alert: Option<&Alert>, choices: &[Choice]) -> String {
        let case = Case {
            card,
            alert,
            breaks: None,
            plan: None,
            choices,
            now: Timestamp::from_second(720).unwrap(),
        };
        message(&case).join("\n")
    }

    #[test]
    fn says_who_what_happened_what_is_proposed_and_what_is_needed() {
        let choices = [choice("End sessions", false), choice("Disable it", true)];
        let text = told(&card(), Some(&alert("svc-deploy read a secret")), &choices);
        for part in [
            "To on call: Platform on-call, +44 20 7946 0018; technical owner: Platform.",
            "about the identity svc-deploy (lab:svc-deploy): unknown, criticality high.",
            "\"svc-deploy read a secret\" (secret read; severity critical, 91 % sure)",
            "since 1970-01-01 00:00 UTC (12m ago). Our alert: siem/f1.",
            "a stop costs a day of parcels.",
            "What is proposed: End sessions (soft). Nothing was sent so far.",
            "was this you, or something that you run?",
            "Please send no password, key or token.",
        ] {
            assert!(text.contains(part), "no `{part}` in:\n{text}");
        }
        assert!(
            !text.contains("Disable it"),
            "what cannot be done is not proposed"
        );
    }

    #[test]
    fn nothing_from_outside_commands_hides_or_links() {
        let mut card = card();
        card.name = HOSTILE.into();
        for field in [
            &mut card.on_call,
            &mut card.contact,
            &mut card.environment,
            &mut card.stop_cost,
        ] {
            *field = Some(HOSTILE.repeat(50).as_str().into());
        }
        let text = told(
            &card,
            Some(&alert(&HOSTILE.repeat(1_000))),
            &[choice(HOSTILE, false)],
        );
        assert_eq!(text.lines().count(), 6);
        let lines: Vec<char> = text.chars().filter(|c| *c != '\n').collect();
        let hidden = |c: &char| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}');
        assert!(!lines.iter().any(hidden), "{text}");
        assert!(text.len() < 4_000, "{} bytes", text.len());
        assert!(
            text.contains(r"\u{1b}]0;pwned") && !text.contains("call https://"),
            "{text}"
        );
    }

    #[test]
    fn where_nobody_and_nothing_is_known_it_says_so() {
        let card = Identity::blank(IdentityId::new("lab:x"));
        let text = told(&card, None, &[]);
        assert!(text.contains("no owner and no contact is known"), "{text}");
        assert!(text.contains("no alert is about it now"), "{text}");
        let text = told(&card, Some(&alert("a")), &[]);
        assert!(text.contains("we need you to contain it"), "{text}");
    }
}
