//! Which controls an incident's acts answer. Nothing is claimed that no record shows.

use serde::Serialize;

use crate::domain::decision::Act;
use crate::domain::vocabulary::Verb;

/// One control and what answers it. Field names are stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// The framework.
    pub framework: &'static str,
    /// Its own id of the control.
    pub control: String,
    /// What the control is about.
    pub about: &'static str,
    /// What in this incident answers it; `None` is nothing.
    pub answered: Option<String>,
}

/// What answers a control.
#[derive(Clone, Copy)]
enum By {
    /// Any act.
    Act,
    /// An approval, else any act.
    Coordination,
    /// An approval, else the records.
    Accountability,
    /// The records themselves.
    Records,
    /// One of these acts.
    One(&'static [Verb]),
}

const CREDENTIALS: &[Verb] = &[
    Verb::RotateSecret,
    Verb::RetireCredential,
    Verb::DisableCredential,
];
const RIGHTS: &[Verb] = &[
    Verb::RestrictPrivilege,
    Verb::RevokeGrants,
    Verb::BlockAction,
    Verb::FreezePipeline,
];
const SESSIONS: &[Verb] = &[
    Verb::RevokeSessions,
    Verb::RevokeTokens,
    Verb::DisableCredential,
    Verb::DisableIdentity,
];
const AGENTS: &[Verb] = &[Verb::PauseAgent, Verb::UnbindTool];

type Row = (&'static str, &'static str, &'static str, By);

const CSF: [Row; 6] = [
    (
        "NIST CSF 2.0",
        "RS.MI",
        "incidents are contained and mitigated",
        By::Act,
    ),
    (
        "NIST CSF 2.0",
        "RS.MI-3",
        "mitigation reduces the impact of a compromise",
        By::Act,
    ),
    (
        "NIST CSF 2.0",
        "RS.MA",
        "response is managed and coordinated",
        By::Coordination,
    ),
    (
        "NIST CSF 2.0",
        "RS.AN-06",
        "actions are recorded, integrity and provenance preserved",
        By::Records,
    ),
    (
        "NIST CSF 2.0",
        "PR.AC-3",
        "remote trust is invalidated after compromise",
        By::One(SESSIONS),
    ),
    (
        "NIST CSF 2.0",
        "PR.AC-4",
        "access follows least privilege",
        By::One(RIGHTS),
    ),
];

const OTHERS: [Row; 7] = [
    (
        "OWASP NHI Top 10",
        "NHI-02",
        "abuse of exposed secrets is limited",
        By::One(CREDENTIALS),
    ),
    (
        "OWASP NHI Top 10",
        "NHI-03",
        "secrets are rotated",
        By::One(&[Verb::RotateSecret, Verb::RetireCredential]),
    ),
    (
        "OWASP NHI Top 10",
        "NHI-06",
        "response to compromised non-human identities",
        By::Act,
    ),
    (
        "NIST Zero Trust (SP 800-207)",
        "SA-3",
        "session trust is revoked fast",
        By::One(SESSIONS),
    ),
    (
        "OWASP Agentic AI Top 10",
        "A-04",
        "deviating agents are contained",
        By::One(AGENTS),
    ),
    (
        "CSA MAESTRO",
        "M1",
        "run-time controls for autonomous workloads",
        By::One(AGENTS),
    ),
    (
        "NIST AI RMF",
        "accountability",
        "people answer for what autonomous identities do",
        By::Accountability,
    ),
];

/// Lists all controls.
pub fn tags(acts: &[&Act], approved: bool) -> Vec<Tag> {
    let done = |verbs: &[Verb]| {
        let mut done: Vec<&str> = acts
            .iter()
            .filter(|a| !a.intent.undo && (verbs.is_empty() || verbs.contains(&a.intent.verb)))
            .map(|a| a.intent.verb.as_str())
            .collect();
        done.sort_unstable();
        done.dedup();
        (!done.is_empty()).then(|| done.join(", "))
    };
    let approval = approved.then(|| "verdicts bound to the digest of the plan".to_owned());
    let records = || Some("chained and signed records".to_owned());
    let answer = |by: By| match by {
        By::Act => done(&[]),
        By::Coordination => approval.clone().or_else(|| done(&[])),
        By::Accountability => approval.clone().or_else(records),
        By::Records => records(),
        By::One(verbs) => done(verbs),
    };
    let rows = CSF.into_iter().chain(OTHERS);
    let fixed = rows.map(|(framework, control, about, by)| Tag {
        framework,
        control: control.to_owned(),
        about,
        answered: answer(by),
    });
    let mut all: Vec<Tag> = fixed.collect();
    for act in acts.iter().filter(|a| !a.intent.undo) {
        let Some(id) = act.intent.verb.d3fend() else {
            continue;
        };
        let tag = Tag {
            framework: "MITRE D3FEND",
            control: id.to_owned(),
            about: "countermeasure",
            answered: Some(act.intent.verb.to_string()),
        };
        if !all.contains(&tag) {
            all.push(tag);
        }
    }
    all
}
