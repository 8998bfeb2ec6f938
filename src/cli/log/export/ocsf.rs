//! OCSF Remediation Activity (class 7001), one object an act. Source: <https://schema.ocsf.io/classes/remediation_activity>.

use serde_json::{Value, json};

use crate::domain::coverage::CellState;
use crate::domain::decision::{Act, Decisions, RecordType};
use crate::domain::plan::sha256_hex;
use crate::domain::text::show;
use crate::domain::vocabulary::Verb;
use crate::journal::Line;

use crate::domain::words;

/// Writes one line of JSON for each intent among the records.
pub fn write(lines: &[&Line], decisions: &Decisions) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines.iter().filter(|l| l.entry.kind == RecordType::Intent) {
        if let Some(act) = words::act_of(&line.entry, decisions) {
            bytes.extend_from_slice(event(line, act).to_string().as_bytes());
            bytes.push(b'\n');
        }
    }
    bytes
}

fn event(line: &Line, act: &Act) -> Value {
    let intent = &act.intent;
    let (activity, name) = activity(intent.verb, intent.undo);
    let (status_id, status, detail) = status(act);
    let text = |t: &str| show(t).into_owned();
    let countermeasures: Vec<Value> = intent
        .verb
        .d3fend()
        .into_iter()
        .map(|id| json!({"d3f_technique": {"uid": id, "name": intent.verb}}))
        .collect();
    json!({
        "category_uid": 7,
        "category_name": "Remediation",
        "class_uid": 7001,
        "class_name": "Remediation Activity",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": 700_100 + activity,
        "type_name": format!("Remediation Activity: {name}"),
        "severity_id": 1,
        "severity": "Informational",
        "time": act.last.as_millisecond(),
        "start_time": act.at.as_millisecond(),
        "end_time": act.last.as_millisecond(),
        "command_uid": text(intent.intent.as_str()),
        "status_id": status_id,
        "status": status,
        "status_detail": detail,
        "status_code": act.outcome.as_ref().and_then(|o| o.http_status).map(|s| s.to_string()),
        "countermeasures": countermeasures,
        "remediation": {"desc": format!("{}{} {}", if intent.undo { "take back " } else { "" }, intent.verb, text(intent.identity.as_str()))},
        "actor": {"user": {"name": text(&act.actor)}},
        "metadata": {
            "version": "1.6.0",
            "product": {"name": "stanch", "vendor_name": "stanch", "version": env!("CARGO_PKG_VERSION")},
            "log_name": text(&line.entry.log),
            "sequence": line.entry.seq,
            "correlation_uid": text(intent.alert.as_str()),
            "uid": text(intent.intent.as_str()),
        },
        "unmapped": {
            "verb": intent.verb,
            "identity": text(intent.identity.as_str()),
            "plan_sha256": text(intent.digest.as_str()),
            "step": text(intent.step.as_str()),
            "undo": intent.undo,
            "state": act.cell(),
            "record_sha256": sha256_hex(&line.raw),
        },
    })
}

/// OCSF `activity_id` of class 7001.
fn activity(verb: Verb, undo: bool) -> (u32, &'static str) {
    use Verb as V;
    if undo {
        return (3, "Restore");
    }
    match verb {
        V::IsolateWorkload
        | V::IsolateMailbox
        | V::BlockNetwork
        | V::BlockAction
        | V::PauseAgent
        | V::FreezePipeline => (1, "Isolate"),
        V::RevokeSessions
        | V::RevokeTokens
        | V::RevokeGrants
        | V::DisableCredential
        | V::RetireCredential
        | V::DisableIdentity => (2, "Evict"),
        V::RotateSecret
        | V::IssueCredential
        | V::RestrictPrivilege
        | V::UnbindTool
        | V::ProtectRecovery => (4, "Harden"),
        _ => (99, "Other"),
    }
}

/// OCSF `status_id`: there is none for *unknown*, and a request that was taken is no success yet.
fn status(act: &Act) -> (u32, &'static str, String) {
    let wire = act.outcome.as_ref().map_or("none", |o| o.outcome.as_str());
    let says = act
        .verify
        .as_ref()
        .map_or_else(String::new, |v| format!("; read-back: {}", show(&v.says)));
    let error = act.outcome.as_ref().and_then(|o| o.error.as_ref());
    let error = error.map_or_else(String::new, |e| format!("; {}", show(e)));
    let detail = |what: &str| format!("{what} (request: {wire}{error}{says})");
    match act.cell() {
        CellState::Proven => (1, "Success", detail("a read-back shows the effect")),
        CellState::Failed => (2, "Failure", detail("it did not happen or did not hold")),
        CellState::NotContainable => (5, "Unsupported", detail("it cannot be contained here")),
        CellState::Unknown => (
            99,
            "Other",
            detail("unknown: it may or may not have taken effect"),
        ),
        CellState::Requested => (
            99,
            "Other",
            detail("requested: nothing proves the effect yet"),
        ),
        CellState::Open | CellState::HandedOff => (99, "Other", detail(act.cell().as_str())),
    }
}
