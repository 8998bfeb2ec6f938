//! Which action pattern an OCSF event stands for, from documented vocabularies only; titles are prose and prove nothing.

use super::{Event, technique_ids};
use crate::domain::vocabulary::ActionPattern;
use crate::domain::vocabulary::ActionPattern as P;
use crate::intake::decode::pattern::{from_operation, from_technique, from_type};
use crate::intake::json::Json;

/// Lists every pattern that some field supports, the strongest evidence first; never empty.
pub(super) fn signals(event: &Event<'_, '_>, class: i64) -> Vec<ActionPattern> {
    let mut found: Vec<ActionPattern> = Vec::new();
    let mut add = |pattern: Option<ActionPattern>| {
        found.extend(pattern.filter(|p| !found.contains(p)));
    };
    for finding in ["finding_info", "finding"] {
        let types = event
            .at(&[finding, "types"])
            .into_iter()
            .flat_map(Json::items);
        types.filter_map(Json::text).for_each(|t| add(from_type(t)));
        let analytic = event.at(&[finding, "analytic", "uid"]).and_then(Json::text);
        add(analytic.and_then(from_type));
    }
    for path in [&["api", "operation"][..], &["metadata", "event_code"]] {
        add(event.at(path).and_then(Json::text).and_then(from_operation));
    }
    if class == 3001 {
        add(event
            .get("activity_id")
            .and_then(Json::integer)
            .and_then(from_account_change));
    }
    technique_ids(event).for_each(|id| add(from_technique(id)));
    add(is_posture(event, class).then_some(P::Posture));
    if found.is_empty() {
        found.push(P::Other);
    }
    found
}

/// Maps `activity_id` of Account Change (<https://schema.ocsf.io/1.8.0/classes/account_change>).
const fn from_account_change(activity: i64) -> Option<ActionPattern> {
    Some(match activity {
        1 => P::CredentialCreatedOrAdded,
        3 | 4 | 10 | 11 => P::CredentialChangedSignal,
        2 | 5 | 6 | 9 | 12 => P::AccountStateSignal,
        7 | 8 => P::PermissionChanged,
        _ => return None,
    })
}

/// Tells whether nothing happened yet: compliance and vulnerability findings, and checks that report a verdict.
fn is_posture(event: &Event<'_, '_>, class: i64) -> bool {
    let verdict = event.get("status_code").and_then(Json::text);
    matches!(class, 2002 | 2003)
        || event.get("compliance").is_some()
        || verdict.is_some_and(|v| matches!(v, "PASS" | "FAIL" | "MANUAL"))
}
