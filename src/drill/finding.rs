//! What the lab's detection writes: OCSF 1.5 Detection Findings (<https://schema.ocsf.io/1.5.0/classes/detection_finding>).

use crate::domain::plan::sha256_hex;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::scenario::{LabPart, Noise};

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Logged in, with the client secret or the key of this id.
    Login { with: String },
    /// Read a secret.
    ReadSecret { name: String },
    /// Used a resource.
    UseResource { path: String },
    /// Gave itself a role.
    Grant { role: String },
    /// Created a client.
    MintClient { client_id: String },
}

/// An act that came from where nobody should be.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub identity: String,
    pub source_ip: String,
    pub user_agent: String,
    pub at: Timestamp,
    pub act: Act,
}

/// What distinguishes one finding from another; the rest is the same for all.
struct Kind {
    title: String,
    /// One of the product's action patterns: the lab's rules are named after them.
    pattern: String,
    operation: &'static str,
    severity_id: u8,
    confidence: u8,
    technique: (String, String),
    tactic: Option<(&'static str, &'static str)>,
    resource: (String, String),
    credential: Option<String>,
}

/// Names one finding among all that a lab ever writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered<'a> {
    pub lab: &'a LabPart,
    pub lab_id: &'a str,
    /// Counts the lab's findings from 1.
    pub number: u64,
    /// When this kind of thing was first seen: for the intruder's acts, since when the identity is exposed.
    pub first_seen: Timestamp,
}

/// Writes the finding about an act as one line of JSON, without the line end.
pub(super) fn of_act(numbered: Numbered<'_>, facts: &Facts) -> String {
    let kind = kind_of(facts);
    render(
        numbered,
        &kind,
        &facts.identity,
        &facts.source_ip,
        &facts.user_agent,
        facts.at,
    )
}

/// Writes a line of noise.
pub(super) fn of_noise(numbered: Numbered<'_>, noise: &Noise, now: Timestamp) -> String {
    if let Some(raw) = &noise.raw {
        return raw.clone();
    }
    let kind = Kind {
        title: noise.title.clone(),
        pattern: noise.pattern.clone(),
        operation: "Observe",
        severity_id: noise.severity_id,
        confidence: noise.confidence,
        technique: noise.technique.clone(),
        tactic: None,
        resource: (noise.resource.uid.clone(), noise.resource.kind.clone()),
        credential: None,
    };
    render(numbered, &kind, &noise.identity, &noise.source_ip, "", now)
}

fn technique(uid: &str, name: &str) -> (String, String) {
    (uid.to_owned(), name.to_owned())
}

fn kind_of(facts: &Facts) -> Kind {
    let (who, from) = (&facts.identity, &facts.source_ip);
    let own = (who.clone(), "Service Account".to_owned());
    let kind = |title: String, pattern: &str, operation, severity_id, confidence| Kind {
        title,
        pattern: pattern.to_owned(),
        operation,
        severity_id,
        confidence,
        technique: technique("T1078.004", "Valid Accounts: Cloud Accounts"),
        tactic: Some(("TA0001", "Initial Access")),
        resource: own.clone(),
        credential: None,
    };
    match &facts.act {
        Act::Login { with } => {
            let key = (with != "client_secret").then(|| with.clone());
            let what = key.as_deref().unwrap_or("its secret");
            let title =
                format!("{who} logged in with {what} from {from}, an address it never used");
            Kind {
                credential: key,
                ..kind(title, "credential_used_anomalously", "IssueToken", 4, 88)
            }
        }
        Act::ReadSecret { name } => Kind {
            technique: technique(
                "T1555.006",
                "Credentials from Password Stores: Cloud Secrets Management Stores",
            ),
            tactic: Some(("TA0006", "Credential Access")),
            resource: (name.clone(), "Secret".to_owned()),
            ..kind(
                format!("{who} read secret {name} from {from}"),
                "secret_read",
                "ReadSecret",
                5,
                92,
            )
        },
        Act::UseResource { path } => Kind {
            technique: technique("T1213", "Data from Information Repositories"),
            tactic: Some(("TA0009", "Collection")),
            resource: (path.clone(), "Resource".to_owned()),
            ..kind(
                format!("{who} used {path} from {from}"),
                "cross_system_movement",
                "UseResource",
                3,
                74,
            )
        },
        Act::Grant { role } => Kind {
            technique: technique("T1098.003", "Account Manipulation: Additional Cloud Roles"),
            tactic: Some(("TA0004", "Privilege Escalation")),
            resource: (format!("role:{role}"), "Role".to_owned()),
            ..kind(
                format!("{who} granted itself {role}"),
                "privilege_escalated",
                "GrantRole",
                5,
                96,
            )
        },
        Act::MintClient { client_id } => Kind {
            technique: technique("T1136.003", "Create Account: Cloud Account"),
            tactic: Some(("TA0003", "Persistence")),
            resource: (client_id.clone(), "OAuth Client".to_owned()),
            ..kind(
                format!("{who} created client {client_id} from {from}"),
                "credential_created_or_added",
                "CreateClient",
                5,
                94,
            )
        },
    }
}

fn severity(id: u8) -> &'static str {
    match id {
        1 => "Informational",
        2 => "Low",
        3 => "Medium",
        4 => "High",
        5 => "Critical",
        _ => "Unknown",
    }
}

fn confidence(score: u8) -> (u8, &'static str) {
    match score {
        0..40 => (1, "Low"),
        40..75 => (2, "Medium"),
        _ => (3, "High"),
    }
}

fn render(
    numbered: Numbered<'_>,
    kind: &Kind,
    identity: &str,
    source_ip: &str,
    user_agent: &str,
    at: Timestamp,
) -> String {
    let ms = at.as_millisecond();
    let event = format!("lab-{}-{:04}", numbered.lab_id, numbered.number);
    // The same act on the same thing is the same finding seen again, as products of the field report it.
    let sameness = format!("{}\n{identity}\n{}", kind.pattern, kind.resource.0);
    let mut uid = sha256_hex(sameness.as_bytes());
    uid.truncate(10);
    let uid = format!("lab-{}-{uid}", numbered.lab_id);
    let (confidence_id, confidence_word) = confidence(kind.confidence);
    let mut attack = json!({
        "technique": {"uid": kind.technique.0, "name": kind.technique.1},
        "version": "17.1",
    });
    if let Some((tactic, name)) = kind.tactic {
        attack["tactic"] = json!({"uid": tactic, "name": name});
    }
    let finding = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_401,
        "type_name": "Detection Finding: Create",
        "time": ms,
        "severity_id": kind.severity_id,
        "severity": severity(kind.severity_id),
        "confidence_id": confidence_id,
        "confidence": confidence_word,
        "confidence_score": kind.confidence,
        "status_id": 1,
        "status": "New",
        "is_alert": true,
        "message": kind.title,
        "metadata": {
            "version": "1.5.0",
            "uid": event,
            "event_code": kind.pattern,
            "tenant_uid": "lab",
            // A detector groups what it says about one client; it does not know who is behind it.
            "correlation_uid": format!("lab-{}-{identity}", numbered.lab_id),
            "product": {
                "name": numbered.lab.product,
                "vendor_name": numbered.lab.vendor,
                "version": env!("CARGO_PKG_VERSION"),
                "feature": {"name": "Non-human identity detection"},
            },
        },
        "finding_info": {
            "uid": uid,
            "title": kind.title,
            "types": [kind.pattern],
            "created_time": ms,
            "first_seen_time": numbered.first_seen.as_millisecond(),
            "last_seen_time": ms,
            "analytic": {
                "uid": format!("lab.{}", kind.pattern),
                "name": kind.pattern.replace('_', " "),
                "type_id": 1,
                "type": "Rule",
            },
        },
        "attacks": [attack],
        "resources": [{"uid": kind.resource.0, "name": kind.resource.0, "type": kind.resource.1}],
        "evidences": [evidence(kind, identity, source_ip, user_agent)],
        "observables": [
            {"name": "evidences.actor.user.name", "type_id": 4, "type": "User Name", "value": identity},
            {"name": "evidences.src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": source_ip},
        ],
    });
    finding.to_string()
}

fn evidence(kind: &Kind, identity: &str, source_ip: &str, user_agent: &str) -> Value {
    let mut user = json!({
        "uid": identity,
        "name": identity,
        "type_id": 4,
        "type": "Service",
    });
    if let Some(credential) = &kind.credential {
        user["credential_uid"] = json!(credential);
    }
    let mut evidence = json!({
        "actor": {"user": user, "idp": {"uid": "lab", "name": "lab"}},
        "api": {"operation": kind.operation, "service": {"name": "lab"}},
        "src_endpoint": {"ip": source_ip},
    });
    if !user_agent.is_empty() {
        evidence["http_request"] = json!({"user_agent": user_agent});
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::super::scenario::Scenario;
    use super::*;

    #[test]
    fn a_finding_carries_what_a_decoder_needs() {
        let scenario = Scenario::load("leaked-deploy-key").unwrap();
        let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let facts = Facts {
            identity: "svc-deploy".to_owned(),
            source_ip: "203.0.113.66".to_owned(),
            user_agent: "curl\u{1b}[2J".to_owned(),
            at,
            act: Act::Login {
                with: "dk-7f3a".to_owned(),
            },
        };
        let numbered = Numbered {
            lab: &scenario.file.lab,
            lab_id: "ab12",
            number: 3,
            first_seen: at,
        };
        let line = of_act(numbered, &facts);
        assert!(!line.contains('\n') && !line.contains('\u{1b}'));
        let v: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(v["class_uid"], 2004);
        assert_eq!(v["metadata"]["uid"], "lab-ab12-0003");
        let again = Numbered {
            number: 4,
            ..numbered
        };
        let w: Value = serde_json::from_str(&of_act(again, &facts)).unwrap();
        assert_eq!(v["finding_info"]["uid"], w["finding_info"]["uid"]);
        assert_eq!(v["metadata"]["correlation_uid"], "lab-ab12-svc-deploy");
        assert_eq!(v["evidences"][0]["actor"]["user"]["uid"], "svc-deploy");
        assert_eq!(
            v["evidences"][0]["actor"]["user"]["credential_uid"],
            "dk-7f3a"
        );
        assert_eq!(v["finding_info"]["first_seen_time"], 1_772_366_400_000_i64);
        assert_eq!(v["attacks"][0]["technique"]["uid"], "T1078.004");
    }

    #[test]
    fn noise_is_one_line_each_and_only_the_broken_one_does_not_parse() {
        let scenario = Scenario::load("leaked-deploy-key").unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let numbered = Numbered {
            lab: &scenario.file.lab,
            lab_id: "ab12",
            number: 1,
            first_seen: now,
        };
        let lines: Vec<String> = scenario
            .file
            .noise
            .iter()
            .map(|n| of_noise(numbered, n, now))
            .collect();
        assert!(lines.iter().all(|line| !line.contains('\n')));
        let broken = lines
            .iter()
            .filter(|l| serde_json::from_str::<Value>(l).is_err());
        assert_eq!(broken.count(), 1);
        assert!(lines.iter().any(|line| line.contains("\u{202e}")));
    }
}
