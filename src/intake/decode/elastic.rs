//! Elastic Security detection alerts (`.alerts-security.alerts-*`), with dotted or nested keys and values in arrays.
//!
//! <https://www.elastic.co/guide/en/security/current/alert-schema.html>. `kibana.alert.severity` is one of low, medium,
//! high, critical; `kibana.alert.risk_score` is a risk, not a confidence.

use super::draft::Draft;
use super::fields::{Fields, has, member};
use super::identity::subject;
use super::pattern::{from_operation, from_technique};
use super::registry::Results;
use super::{Origin, severity};
use crate::domain::vocabulary::IdentityKind;
use crate::intake::json::Json;

/// Name of the kind.
pub(super) const KIND: &str = "elastic_alert";

/// Where an identity can stand, with what it is then.
const IDENTITIES: &[(&str, IdentityKind)] = &[
    ("user.id", IdentityKind::Unknown),
    ("user.name", IdentityKind::Unknown),
    (
        "aws.cloudtrail.user_identity.access_key_id",
        IdentityKind::AccessKey,
    ),
    ("aws.cloudtrail.user_identity.arn", IdentityKind::Unknown),
    ("client.user.id", IdentityKind::Unknown),
    ("source.user.id", IdentityKind::Unknown),
];

/// Where the incident stands: the case to which somebody attached the alert, else what the alerts of one match of an EQL
/// sequence share (alert fields `kibana.alert.case_ids` and `kibana.alert.group.id`).
const INCIDENTS: &[&str] = &["kibana.alert.case_ids", "kibana.alert.group.id"];

/// Where a target can stand, and what to call it.
const TARGETS: &[(&str, &str)] = &[
    ("host.id", "host"),
    ("cloud.instance.id", "instance"),
    ("orchestrator.resource.name", "orchestrator resource"),
    ("host.name", "host"),
    ("resource.id", "resource"),
    ("cloud.account.id", "cloud account"),
];

/// Tells an alert by its rule, also of the older `signal` layout.
pub(super) fn detect(value: &Json<'_>) -> bool {
    let dotted = |begin: &str| match value {
        Json::Object(members) => members.iter().any(|(key, _)| key.starts_with(begin)),
        _ => false,
    };
    dotted("kibana.alert.") || has(value, "kibana.alert") || has(value, "signal.rule")
}

/// Decodes an alert.
pub(super) fn decode(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::with_arrays(value);
    let mut draft = Draft::new(KIND);
    draft.id = fields.id(&["kibana.alert.uuid", "_id"]).map(Into::into);
    draft.recipe = [
        "kibana.alert.rule.uuid",
        "@timestamp",
        "event.id",
        "kibana.alert.reason",
    ]
    .iter()
    .map(|path| fields.id(&[path]).unwrap_or_default().into_owned())
    .collect();
    draft.time = fields.time(&["@timestamp", "kibana.alert.original_time"]);
    draft.exposed_at = fields.earliest(&["kibana.alert.original_time", "kibana.alert.start"]);
    draft.title = fields
        .text(&[
            "kibana.alert.rule.name",
            "signal.rule.name",
            "kibana.alert.reason",
        ])
        .map(Into::into);
    let raw = fields.scalar(&[
        "kibana.alert.severity",
        "kibana.alert.rule.severity",
        "signal.rule.severity",
    ]);
    draft.severity_from(raw, severity::from_word);
    let action = fields.text(&["event.action"]);
    draft.action = action.map(Into::into);
    draft.signal(action.and_then(from_operation));
    let name = fields.text(&["user.name", "user.email", "client.user.name"]);
    let provider = fields.text(&["cloud.provider", "user.domain", "event.provider"]);
    for (path, kind) in IDENTITIES {
        if let Some(id) = fields.id(&[path]) {
            let provider = provider.unwrap_or(origin.source);
            draft.subject = Some(subject(provider, id, *kind, name));
            break;
        }
    }
    for (path, kind) in TARGETS {
        draft.touched(fields.id(&[path]), kind);
    }
    for path in ["kibana.alert.rule.threat", "signal.rule.threat", "threat"] {
        fields
            .list(path)
            .iter()
            .for_each(|threat| threats(threat, &mut draft));
    }
    draft.url = fields.text(&["kibana.alert.url"]).map(Into::into);
    draft.incident = fields.hint(INCIDENTS);
    vec![draft.finish(&fields, origin)]
}

/// Collects ATT&CK ids, of the sub-technique where one is given.
fn threats(threat: &Json<'_>, draft: &mut Draft) {
    let listed = |value: Option<&Json<'_>>| -> Vec<String> {
        match value {
            Some(Json::List(items)) => items.iter().filter_map(id_of).collect(),
            Some(one) => id_of(one).into_iter().collect(),
            None => Vec::new(),
        }
    };
    let techniques: Vec<&Json<'_>> = match member(threat, "technique") {
        Some(Json::List(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for technique in techniques {
        let sub = listed(member(technique, "subtechnique"));
        let ids = if sub.is_empty() {
            id_of(technique).into_iter().collect()
        } else {
            sub
        };
        for id in ids {
            draft.signal(from_technique(&id));
            draft.techniques.push(id.into());
        }
    }
}

fn id_of(value: &Json<'_>) -> Option<String> {
    member(value, "id")?.text().map(str::to_owned)
}
