//! Microsoft Entra and Azure: risk detections, directory audit and sign-ins, agent risk, Defender alerts, the activity log.
//!
//! Each comes bare from Microsoft Graph or wrapped by an Azure Monitor stream as `{time, category, operationName,
//! properties}`; the wrapper's time is when it was written, so the inner one counts first.

mod alerts;
mod audit;

use super::draft::Draft;
use super::fields::{Fields, has, text_at};
use super::identity::subject;
use super::pattern::{Table, from_technique, lookup};
use super::registry::Results;
use super::{Origin, severity};
use crate::domain::vocabulary::ActionPattern as P;
use crate::domain::vocabulary::IdentityKind;
use crate::intake::json::Json;

pub(super) use alerts::{ALERT, decode_alert, is_alert};
pub(super) use audit::{ACTIVITY, AUDIT, decode_activity, decode_audit, is_activity, is_audit};

/// Name of the kind for users and service principals.
pub(super) const RISK: &str = "entra_risk";
/// Name of the kind for AI agents.
pub(super) const AGENT: &str = "entra_agent_risk";

/// Risk types (<https://learn.microsoft.com/en-us/graph/api/resources/riskdetection>,
/// <https://learn.microsoft.com/en-us/graph/api/resources/serviceprincipalriskdetection>,
/// <https://learn.microsoft.com/en-us/entra/id-protection/concept-risk-detection-types>).
const RISKS: Table = &[
    ("leakedCredentials", P::CredentialExposed),
    ("anomalousToken", P::TokenReplay),
    ("tokenIssuerAnomaly", P::TokenReplay),
    ("attemptedPrtAccess", P::TokenReplay),
    ("attackerinTheMiddle", P::TokenReplay),
    ("suspiciousInboxForwarding", P::DataExfil),
    ("mcasSuspiciousInboxManipulationRules", P::DefenseTampered),
    ("suspiciousSendingPatterns", P::PostClick),
    ("suspiciousAPITraffic", P::Recon),
    ("maliciousApplication", P::ConsentOrGrantAdded),
    ("suspiciousApplication", P::ConsentOrGrantAdded),
    ("unfamiliarResourceAccess", P::FirstTimeAccess),
    ("signInSpike", P::VolumeOrChaining),
    ("mcasFinSuspiciousFileAccess", P::VolumeOrChaining),
    ("failedAccessAttempt", P::Recon),
    ("anonymizedIPAddress", P::CredentialUsedAnomalously),
    ("anonymousIPAddress", P::CredentialUsedAnomalously),
    ("riskyIPAddress", P::CredentialUsedAnomalously),
    ("malicious*", P::CredentialUsedAnomalously),
    ("malwareInfectedIPAddress", P::CredentialUsedAnomalously),
    ("suspicious*", P::CredentialUsedAnomalously),
    ("unfamiliarFeatures", P::CredentialUsedAnomalously),
    ("unlikelyTravel", P::CredentialUsedAnomalously),
    ("impossibleTravel", P::CredentialUsedAnomalously),
    ("mcasImpossibleTravel", P::CredentialUsedAnomalously),
    ("newCountry", P::CredentialUsedAnomalously),
    ("passwordSpray", P::CredentialUsedAnomalously),
    ("nationStateIP", P::CredentialUsedAnomalously),
    (
        "investigationsThreatIntelligence*",
        P::CredentialUsedAnomalously,
    ),
    ("anomalous*", P::CredentialUsedAnomalously),
    (
        "userReportedSuspiciousActivity",
        P::CredentialUsedAnomalously,
    ),
    ("adminConfirmed*Compromised", P::CredentialUsedAnomalously),
    ("adminConfirmed*", P::CredentialUsedAnomalously),
];

/// Categories of an Azure Monitor stream that carry risk.
const RISK_CATEGORIES: &[&str] = &[
    "UserRiskEvents",
    "RiskyUsers",
    "ServicePrincipalRiskEvents",
    "RiskyServicePrincipals",
];

/// Two views of one event: the stream's wrapper and what it carries; bare events are both.
struct Wrapped<'v, 'a> {
    outer: Fields<'v, 'a>,
    inner: Fields<'v, 'a>,
}

impl<'v, 'a> Wrapped<'v, 'a> {
    fn new(value: &'v Json<'a>) -> Self {
        let outer = Fields::new(value);
        let carried = if is_stream(value) {
            outer.object("properties")
        } else {
            None
        };
        let inner = carried.unwrap_or_else(|| Fields::new(value));
        Self { outer, inner }
    }

    fn finish(&self, draft: Draft, origin: &Origin<'_>) -> Results {
        let fields = if self.inner.wrong().is_some() {
            &self.inner
        } else {
            &self.outer
        };
        vec![draft.finish(fields, origin)]
    }
}

/// Tells an event of an Azure Monitor stream.
fn is_stream(value: &Json<'_>) -> bool {
    has(value, "category") && (has(value, "operationName") || has(value, "resourceId"))
}

/// Tells an agent risk detection.
pub(super) fn is_agent(value: &Json<'_>) -> bool {
    has(value, "agentId")
        && ["riskEventType", "riskLevel", "riskState"]
            .iter()
            .any(|k| has(value, k))
}

/// Tells a risk detection of a user or service principal, or a risky one of them.
pub(super) fn is_risk(value: &Json<'_>) -> bool {
    if is_stream(value) {
        return text_at(value, "category").is_some_and(|c| RISK_CATEGORIES.contains(&c));
    }
    let is_detection = has(value, "riskEventType") || has(value, "riskType");
    (is_detection && (has(value, "riskLevel") || has(value, "riskState")))
        || (has(value, "riskLastUpdatedDateTime") && has(value, "riskState"))
}

/// Decodes a risk detection. The level says how confident Microsoft is that credentials are known to somebody else
/// (<https://learn.microsoft.com/en-us/entra/id-protection/concept-risk-detection-types#risk-levels>), so it is severity
/// and confidence at once: low 25, medium 50, high 80, as OCSF counts these words. `none` and `hidden` say nothing.
pub(super) fn decode_risk(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let event = Wrapped::new(value);
    let fields = &event.inner;
    let mut draft = Draft::new(RISK);
    risk(fields, &mut draft);
    draft.time = draft.time.or_else(|| event.outer.time(&["time"]));
    let of_principal = || {
        let id = fields.id(&["servicePrincipalId"])?;
        let name = fields.text(&["servicePrincipalDisplayName"]);
        Some(subject("entra", id, IdentityKind::OauthClient, name))
    };
    let of_user = || {
        let id = fields.id(&["userId", "userPrincipalName"])?;
        let name = fields.text(&["userPrincipalName", "userDisplayName"]);
        Some(subject("entra", id, IdentityKind::Human, name))
    };
    // A risky user or service principal has no type: its own id is whom it is about.
    let risky = || {
        let is_app = has(fields.root(), "appId");
        let kind = if is_app {
            IdentityKind::OauthClient
        } else {
            IdentityKind::Human
        };
        let name = fields.text(&["displayName", "userPrincipalName"]);
        let id = fields.id(&["id"])?;
        has(fields.root(), "riskLastUpdatedDateTime").then(|| subject("entra", id, kind, name))
    };
    draft.subject = of_principal().or_else(of_user).or_else(risky);
    draft.touched(fields.id(&["appId"]), "application");
    // The very credentials that were used: what to remove first.
    for key in fields.texts("keyIds") {
        let key = subject(
            "entra",
            key,
            IdentityKind::OauthClient,
            Some("credential key id"),
        );
        draft.candidates.push(key);
    }
    event.finish(draft, origin)
}

/// Decodes an agent risk detection (Graph beta); levels count as for users.
/// <https://learn.microsoft.com/en-us/graph/api/resources/agentriskdetection>
pub(super) fn decode_agent(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(AGENT);
    risk(&fields, &mut draft);
    draft.signal(P::AgentBeyondIntent);
    let name = fields.text(&["agentDisplayName"]);
    let id = fields.id(&["agentId"]);
    draft.subject = id.map(|id| subject("entra", id, IdentityKind::AiAgent, name));
    if let Some(blueprint) = fields.id(&["blueprintId"]) {
        let kind = IdentityKind::AiAgent;
        draft
            .candidates
            .push(subject("entra", blueprint, kind, Some("blueprint")));
    }
    vec![draft.finish(&fields, origin)]
}

fn risk(fields: &Fields<'_, '_>, draft: &mut Draft) {
    draft.id = fields.id(&["id"]).map(Into::into);
    draft.recipe = [
        "riskEventType",
        "detectedDateTime",
        "userId",
        "servicePrincipalId",
        "requestId",
    ]
    .iter()
    .map(|path| fields.id(&[path]).unwrap_or_default().into_owned())
    .collect();
    draft.time = fields.time(&[
        "detectedDateTime",
        "activityDateTime",
        "lastUpdatedDateTime",
        "riskLastUpdatedDateTime",
    ]);
    draft.exposed_at = fields.earliest(&["activityDateTime", "detectedDateTime"]);
    let kind = fields.text(&["riskEventType", "riskType"]);
    draft.action = kind.map(Into::into);
    draft.title = kind
        .or_else(|| fields.text(&["riskDetail"]))
        .map(Into::into);
    draft.severity_from(fields.scalar(&["riskLevel"]), severity::from_word);
    let level = fields.text(&["riskLevel"]).map(str::to_ascii_lowercase);
    draft.confidence = match level.as_deref() {
        Some("high") => Some(80),
        Some("medium") => Some(50),
        Some("low") => Some(25),
        _ => None,
    };
    // An administrator's word ends the doubt.
    match fields.text(&["riskState"]) {
        Some("confirmedCompromised") => draft.confidence = Some(100),
        Some("confirmedSafe" | "dismissed") => draft.confidence = Some(0),
        _ => {}
    }
    draft.signal(kind.and_then(|k| lookup(RISKS, k)));
    for id in fields.texts("mitreTechniqueId") {
        for id in id.split(',').map(str::trim) {
            draft.signal(from_technique(id));
            draft.techniques.push(id.into());
        }
    }
}
