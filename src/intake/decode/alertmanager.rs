//! Prometheus Alertmanager: webhook payload version 4 and API v2 (`GET /api/v2/alerts`, `/alerts/groups`).
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>,
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>. Labels are free; only `alertname` is
//! certain. `severity` is a convention without a list of values, so the common words and syslog priorities are read.

use super::draft::Draft;
use super::fields::{Fields, has, member, text_at};
use super::identity::subject;
use super::registry::Results;
use super::{Origin, severity};
use crate::domain::vocabulary::{ActionPattern, IdentityKind};
use crate::intake::json::Json;

/// Name for alerts pushed by webhook.
pub(super) const WEBHOOK: &str = "alertmanager_webhook";
/// Name for alerts read from the API.
pub(super) const API: &str = "alertmanager_api_v2";

/// Labels that name an identity, by convention of whoever writes the rule.
const IDENTITY_LABELS: &[(&str, IdentityKind)] = &[
    ("service_account", IdentityKind::ServiceAccount),
    ("serviceaccount", IdentityKind::ServiceAccount),
    ("identity", IdentityKind::Unknown),
    ("access_key_id", IdentityKind::AccessKey),
    ("client_id", IdentityKind::OauthClient),
    ("token_id", IdentityKind::ApiToken),
    ("user", IdentityKind::Unknown),
];

/// Labels that name what is affected, the usual target first.
const TARGET_LABELS: &[&str] = &[
    "instance",
    "pod",
    "node",
    "host",
    "deployment",
    "service",
    "job",
];

/// Tells a webhook payload or a group of the API.
pub(super) fn is_group(value: &Json<'_>) -> bool {
    has(value, "alerts")
        && ["groupKey", "groupLabels", "commonLabels", "receiver"]
            .iter()
            .any(|key| has(value, key))
}

/// Tells one alert of the API.
pub(super) fn is_alert(value: &Json<'_>) -> bool {
    has(value, "labels")
        && ["fingerprint", "startsAt", "generatorURL"]
            .iter()
            .any(|key| has(value, key))
}

/// Decodes a webhook payload or group: every alert in it.
pub(super) fn decode_group(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let alerts = fields.list("alerts");
    if let Some(wrong) = fields.wrong() {
        return vec![Err(super::registry::wrong_type(WEBHOOK, wrong))];
    }
    let placed = |(index, alert)| {
        let fields = Fields::new(alert).placed(format!("alerts[{index}]"));
        one(&fields, WEBHOOK, origin)
    };
    alerts.iter().enumerate().map(placed).collect()
}

/// Decodes one alert.
pub(super) fn decode_alert(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    vec![one(&Fields::new(value), API, origin)]
}

fn one(
    fields: &Fields<'_, '_>,
    default: &str,
    origin: &Origin<'_>,
) -> Result<super::Decoded, super::Undecodable> {
    let alert = fields.root();
    // The API tells the state as an object, the webhook as a word.
    let kind = match member(alert, "status") {
        Some(Json::Object(_)) => API,
        Some(Json::Text(_)) => WEBHOOK,
        _ => default,
    };
    let mut draft = Draft::new(kind);
    draft.title = fields
        .text(&["labels.alertname", "annotations.summary"])
        .map(Into::into);
    draft.action = fields.text(&["labels.alertname"]).map(Into::into);
    draft.time = fields.time(&["startsAt"]);
    draft.exposed_at = draft.time;
    draft.id = fields.text(&["fingerprint"]).map(Into::into);
    // The same labels fire again under the same fingerprint: each firing is an alert of its own.
    let start = fields.text(&["startsAt"]).unwrap_or_default();
    draft.key = draft.id.as_ref().map(|id| format!("{id}@{start}"));
    draft.recipe = recipe(fields, start);
    draft.severity_from(fields.scalar(&["labels.severity"]), |raw| {
        severity::priority(raw.text()?)
    });
    draft.signal(
        fields
            .text(&["labels.action_pattern"])
            .and_then(ActionPattern::parse),
    );
    for (label, kind) in IDENTITY_LABELS {
        if let Some(id) = fields.text(&[&format!("labels.{label}")]) {
            let provider = fields.text(&["labels.provider"]).unwrap_or(origin.source);
            draft.subject = Some(subject(provider, id, *kind, None));
            break;
        }
    }
    if let (Some(pod), Some(namespace)) = (
        text_at(alert, "labels.pod"),
        text_at(alert, "labels.namespace"),
    ) {
        let id = format!("{namespace}/{pod}");
        let pod = subject("kubernetes", id, IdentityKind::Workload, Some(pod));
        draft.candidates.push(pod);
    }
    for label in TARGET_LABELS {
        let id = fields.text(&[&format!("labels.{label}")]);
        draft.touched(id, label);
    }
    draft.url = fields
        .text(&["generatorURL", "annotations.runbook_url"])
        .map(Into::into);
    draft.finish(fields, origin)
}

/// Older versions send no fingerprint: the labels make the alert.
fn recipe(fields: &Fields<'_, '_>, start: &str) -> Vec<String> {
    let Some(Json::Object(labels)) = fields.value("labels") else {
        return Vec::new();
    };
    let mut pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.scalar_json().unwrap_or_default()))
        .collect();
    pairs.sort_unstable();
    pairs.push(start.to_owned());
    pairs
}
