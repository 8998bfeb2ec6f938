//! The report in Markdown.

use std::fmt::Write as _;

use crate::domain::coverage::CellState;
use crate::domain::decision::Act;
use crate::domain::handoff;
use crate::domain::plan::{Plan, PlanStep};
use crate::domain::text::show;

use super::super::export::{escape, table};
use super::{Incident, PlanPart};
use crate::domain::alert::seconds as span;

/// Writes the whole report. Writing to a String cannot fail, so results of `writeln!` are dropped.
pub fn write(incident: &Incident<'_>) -> String {
    let mut text = String::new();
    summary(incident, &mut text);
    text.push_str("\n## Timeline\n\n");
    table(&incident.lines, incident.decisions, &mut text);
    plans(incident, &mut text);
    before_and_after(incident, &mut text);
    residual(incident, &mut text);
    text.push_str(
        "\n## Frameworks\n\n| Framework | Control | About | Answered by |\n|---|---|---|---|\n",
    );
    for tag in &incident.tags {
        let answered = tag
            .answered
            .as_deref()
            .map_or_else(|| "nothing in this incident".to_owned(), escape);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {answered} |",
            tag.framework, tag.control, tag.about
        );
    }
    text
}

fn summary(incident: &Incident<'_>, text: &mut String) {
    let _ = writeln!(text, "# Incident {}\n", escape(incident.id.as_str()));
    if let Some(alert) = &incident.alert {
        let _ = writeln!(text, "{}\n", escape(&alert.title.show()));
    }
    for fact in facts(incident, &MARKDOWN) {
        let _ = writeln!(text, "- {fact}");
    }
}

/// How facts are written.
struct Style {
    unknown: &'static str,
    verify: &'static str,
    /// Makes a text that is from outside safe.
    safe: fn(&str) -> String,
}

const MARKDOWN: Style = Style {
    unknown: "**UNKNOWN**",
    verify: "`stanch log verify`",
    safe: escape,
};

const PLAIN: Style = Style {
    unknown: "UNKNOWN",
    verify: "stanch log verify",
    safe: |text| show(text).into_owned(),
};

/// Most bytes of what is told outside: messages have bounds, and the presets allow a little more.
const BRIEF: usize = 7_000;

/// Writes what is told outside: how it went, and nothing that an alert says.
pub fn brief(incident: &Incident<'_>) -> String {
    let id = show(incident.id.as_str());
    let mut lines = vec![
        format!("Incident {id}"),
        format!(
            "As of {:.0}; all of it: stanch log report {id}",
            incident.at
        ),
    ];
    lines.extend(facts(incident, &PLAIN));
    for part in &incident.plans {
        let (plan, by) = (&part.plan, show(&part.author));
        let (digest, playbook) = (part.digest.short(), show(&plan.playbook));
        lines.push(format!("Plan {digest}, {playbook}, by {by}"));
        for step in &plan.steps {
            let (state, verb) = (cell(incident, part, step), step.verb);
            lines.push(format!("  {}. {verb}: {state}", show(step.id.as_str())));
        }
    }
    let all = lines.len();
    let mut bytes = 0;
    let fits = lines.iter().take_while(|line| {
        bytes += line.len() + 1;
        bytes <= BRIEF
    });
    let told = fits.count();
    lines.truncate(told);
    if told < all {
        lines.push(format!("and {} more lines", all - told));
    }
    lines.join("\n") + "\n"
}

fn facts(incident: &Incident<'_>, style: &Style) -> Vec<String> {
    let mut facts = vec![match incident.intact {
        true => "Journal: verifies".to_owned(),
        false => format!("Journal: does NOT verify: run {}", style.verify),
    }];
    let mut states: Vec<String> = Vec::new();
    for state in CellState::ALL {
        let n = incident.acts.iter().filter(|a| a.cell() == *state).count();
        if n > 0 {
            states.push(format!("{n} {state}"));
        }
    }
    let states = if states.is_empty() {
        "none".to_owned()
    } else {
        states.join(", ")
    };
    facts.push(format!("Acts: {states}"));
    let acts = incident.acts.iter();
    for act in acts.filter(|a| a.cell() == CellState::Unknown) {
        facts.push(format!(
            "{}: {} on {} (intent {})",
            style.unknown,
            act.intent.verb,
            (style.safe)(act.intent.identity.as_str()),
            (style.safe)(act.intent.intent.as_str())
        ));
    }
    if let Some(exposure) = &incident.exposure {
        facts.push(format!("Exposure: {}", exposure.words(incident.at)));
    }
    for stage in &incident.course.stages {
        facts.push(format!("Time to {}: {}", stage.until, span(stage.seconds)));
    }
    if let Some(total) = incident.course.total_s {
        let longest = incident.course.longest.unwrap_or("-");
        facts.push(format!(
            "All together: {}, most of it to {longest}",
            span(total)
        ));
    }
    facts
}

/// Returns what a step came to so far.
fn cell(incident: &Incident<'_>, part: &PlanPart, step: &PlanStep) -> CellState {
    let act = incident.decisions.act_of(&part.digest, &step.id);
    act.map_or_else(
        || handoff::cell(&part.digest, step, &part.plan, incident.decisions),
        Act::cell,
    )
}

fn plans(incident: &Incident<'_>, text: &mut String) {
    for part in &incident.plans {
        let plan = &part.plan;
        let _ = writeln!(text, "\n## Plan {}\n", part.digest.short());
        let _ = writeln!(
            text,
            "Playbook {} for {} by {}, SHA-256 `{}`, valid until {:.0}.\n",
            escape(&plan.playbook),
            escape(plan.identity.as_str()),
            escape(&part.author),
            part.digest.as_str().replace('`', ""),
            plan.expires
        );
        text.push_str(
            "| Step | What | On | D3FEND | Came to | Requests |\n|---|---|---|---|---|---|\n",
        );
        for step in &plan.steps {
            let state = cell(incident, part, step);
            let requests: Vec<String> = step
                .requests
                .iter()
                .map(|r| escape(&format!("{} {}", r.method, r.url)))
                .collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                escape(step.id.as_str()),
                escape(&step.title),
                escape(&step.target.show()),
                step.verb.d3fend().unwrap_or("-"),
                state,
                requests.join("<br>")
            );
        }
        text.push_str("\nApprovals:\n\n");
        for verdict in &part.verdicts {
            let word = if verdict.approval.approved {
                "approved"
            } else {
                "rejected"
            };
            let reason = verdict
                .approval
                .reason
                .as_deref()
                .map_or_else(String::new, |r| format!(" – {}", escape(r)));
            let _ = writeln!(text, "- {word} by {}{reason}", escape(&verdict.by));
        }
        if part.verdicts.is_empty() {
            text.push_str("- none recorded\n");
        }
    }
}

fn before_and_after(incident: &Incident<'_>, text: &mut String) {
    text.push_str("\n## Before and after\n\n");
    let mut any = false;
    for act in &incident.acts {
        let evidence = act.outcome.iter().flat_map(|o| &o.evidence);
        for item in evidence {
            any = true;
            let _ = writeln!(
                text,
                "- Before: {} from {}, {} bytes, SHA-256 {}",
                escape(&item.name),
                escape(&item.source),
                item.size,
                escape(&item.sha256)
            );
        }
        if let Some(verify) = &act.verify {
            any = true;
            let digest = verify
                .evidence_sha256
                .as_deref()
                .map_or_else(String::new, |d| format!(", answers SHA-256 {}", escape(d)));
            let _ = writeln!(
                text,
                "- After {}{} on {}: read-back {} – {}{digest}",
                if act.intent.undo { "taking back " } else { "" },
                act.intent.verb,
                escape(act.intent.identity.as_str()),
                verify.proof,
                escape(&verify.says)
            );
        }
    }
    if !any {
        text.push_str("No evidence was kept and nothing was read back.\n");
    }
}

fn residual(incident: &Incident<'_>, text: &mut String) {
    text.push_str("\n## Residual exposure\n\n");
    let mut any = false;
    let mut line = |text: &mut String, what: String| {
        any = true;
        let _ = writeln!(text, "- {what}");
    };
    for act in incident
        .acts
        .iter()
        .filter(|a| !matches!(a.cell(), CellState::Proven))
    {
        let what = format!(
            "{} on {} is {}: count it as not contained",
            act.intent.verb,
            escape(act.intent.identity.as_str()),
            act.cell()
        );
        line(text, what);
    }
    for part in &incident.plans {
        let plan: &Plan = &part.plan;
        // Only a plan that ran leaves something behind.
        if !incident.acts.iter().any(|a| a.intent.digest == part.digest) {
            continue;
        }
        for rest in &plan.residual {
            let until = rest.lasts();
            line(
                text,
                format!("{}: {} ({until})", rest.layer, escape(&rest.text)),
            );
        }
        for skipped in &plan.skipped {
            line(
                text,
                format!("left out: {} ({})", skipped.verb, escape(&skipped.reason)),
            );
        }
    }
    if !any {
        text.push_str("None that the records show.\n");
    }
}
