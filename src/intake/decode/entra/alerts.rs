//! Microsoft Graph security alerts v2 (Defender, Entra ID Protection and others).
//!
//! <https://learn.microsoft.com/en-us/graph/api/resources/security-alert>. `severity` is one of unknown, informational,
//! low, medium, high. `category` is the stage of the attack; `mitreTechniques` are ATT&CK ids.

use crate::domain::alert::Subject;
use crate::domain::vocabulary::ActionPattern as P;
use crate::domain::vocabulary::IdentityKind;
use crate::intake::decode::draft::Draft;
use crate::intake::decode::fields::{Fields, has};
use crate::intake::decode::identity::subject;
use crate::intake::decode::pattern::{Table, from_technique, lookup};
use crate::intake::decode::registry::Results;
use crate::intake::decode::{Origin, severity};
use crate::intake::json::Json;

/// Name of the kind.
pub(in crate::intake::decode) const ALERT: &str = "msgraph_alert_v2";

/// Categories, after the tactics of ATT&CK.
const CATEGORIES: Table = &[
    ("CredentialAccess", P::CredentialUsedAnomalously),
    ("InitialAccess", P::CredentialUsedAnomalously),
    ("PrivilegeEscalation", P::PrivilegeEscalated),
    ("Persistence", P::PrivilegeEscalated),
    ("DefenseEvasion", P::DefenseTampered),
    ("Discovery", P::Recon),
    ("Reconnaissance", P::Recon),
    ("LateralMovement", P::CrossSystemMovement),
    ("Collection", P::DataExfil),
    ("Exfiltration", P::DataExfil),
    ("Execution", P::WorkloadExec),
    ("Phishing", P::PostClick),
];

/// Products that watch sign-ins and identities, so that any of their alerts is about the use of one.
const IDENTITY_PRODUCTS: &[&str] = &["azureAdIdentityProtection", "microsoftDefenderForIdentity"];

/// Tells an alert.
pub(in crate::intake::decode) fn is_alert(value: &Json<'_>) -> bool {
    let found = |keys: &[&str]| keys.iter().any(|key| has(value, key));
    found(&[
        "serviceSource",
        "providerAlertId",
        "detectionSource",
        "alertWebUrl",
    ]) && found(&["title", "severity", "category"])
        && found(&[
            "createdDateTime",
            "evidence",
            "lastUpdateDateTime",
            "status",
        ])
}

/// Decodes an alert.
pub(in crate::intake::decode) fn decode_alert(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(ALERT);
    draft.id = fields.id(&["id", "providerAlertId"]).map(Into::into);
    draft.time = fields.time(&["createdDateTime", "lastUpdateDateTime"]);
    draft.exposed_at = fields.earliest(&["firstActivityDateTime", "createdDateTime"]);
    draft.title = fields.text(&["title"]).map(Into::into);
    draft.severity_from(fields.scalar(&["severity"]), severity::from_word);
    let category = fields.text(&["category"]);
    draft.action = category.map(Into::into);
    for id in fields.texts("mitreTechniques") {
        draft.signal(from_technique(id));
        draft.techniques.push(id.into());
    }
    draft.signal(category.and_then(|c| lookup(CATEGORIES, c)));
    let product = fields.text(&["serviceSource"]);
    if product.is_some_and(|p| IDENTITY_PRODUCTS.contains(&p)) {
        draft.signal(P::CredentialUsedAnomalously);
    }
    draft.url = fields.text(&["alertWebUrl"]).map(Into::into);
    // "Unique identifier to represent the incident this alert resource is associated with."
    draft.incident = fields.hint(&["incidentId"]);
    let mut found: Vec<Subject> = Vec::new();
    for piece in fields.each("evidence") {
        let who = who(&piece).filter(|who| !found.contains(who));
        found.extend(who);
        let (id, kind) = target(&piece);
        draft.touched(id, kind);
    }
    // Several people and apps in one alert are candidates; which of them it is about is not said.
    if let [only] = found.as_slice() {
        draft.subject = Some(only.clone());
    }
    draft.candidates = found;
    vec![draft.finish(&fields, origin)]
}

/// Names the type of a piece of evidence without its namespace; collectors rewrite `@odata.type`.
fn type_of<'v>(piece: &Fields<'v, '_>) -> &'v str {
    let named = piece.text(&["@odata.type", "at_sign_odata_type"]);
    named
        .unwrap_or_default()
        .rsplit('.')
        .next()
        .unwrap_or_default()
}

fn who(piece: &Fields<'_, '_>) -> Option<Subject> {
    let first = |paths: &[&str]| piece.id(paths);
    let (id, kind, name) = match type_of(piece) {
        "oauthApplicationEvidence" => (
            first(&["appId", "objectId"])?,
            IdentityKind::OauthClient,
            first(&["displayName"]),
        ),
        "servicePrincipalEvidence" => (
            first(&["servicePrincipalObjectId", "appId"])?,
            IdentityKind::OauthClient,
            first(&["servicePrincipalName"]),
        ),
        "aiAgentEvidence" => (
            first(&["agentId"])?,
            IdentityKind::AiAgent,
            first(&["agentName"]),
        ),
        "kubernetesServiceAccountEvidence" => {
            (first(&["name"])?, IdentityKind::ServiceAccount, None)
        }
        "mailboxEvidence" => (
            first(&[
                "userAccount.azureAdUserId",
                "primaryAddress",
                "userAccount.userPrincipalName",
            ])?,
            IdentityKind::Mailbox,
            first(&["primaryAddress"]),
        ),
        _ => (
            first(&[
                "userAccount.azureAdUserId",
                "userAccount.userPrincipalName",
                "userAccount.userSid",
                "account.azureAdUserId",
                "account.userPrincipalName",
                "userAccount.accountName",
            ])?,
            IdentityKind::Human,
            first(&[
                "userAccount.userPrincipalName",
                "account.userPrincipalName",
                "userAccount.displayName",
            ]),
        ),
    };
    Some(subject("entra", id, kind, name.as_deref()))
}

fn target<'v>(piece: &Fields<'v, '_>) -> (Option<&'v str>, &'static str) {
    match type_of(piece) {
        "azureResourceEvidence" => (piece.text(&["resourceId"]), "azure resource"),
        "amazonResourceEvidence" => (piece.text(&["amazonResourceId"]), "aws resource"),
        "googleCloudResourceEvidence" => (piece.text(&["fullResourceName"]), "gcp resource"),
        "cloudApplicationEvidence" => (piece.text(&["displayName"]), "application"),
        "mailboxEvidence" => (piece.text(&["primaryAddress"]), "mailbox"),
        "deviceEvidence" => (piece.text(&["mdeDeviceId", "deviceDnsName"]), "device"),
        _ => (None, ""),
    }
}
