//! Microsoft Entra directory audit and sign-in logs, and the Azure activity log.
//!
//! <https://learn.microsoft.com/en-us/graph/api/resources/directoryaudit>,
//! <https://learn.microsoft.com/en-us/graph/api/resources/signin>,
//! <https://learn.microsoft.com/en-us/azure/azure-monitor/platform/activity-log-schema>. Audit entries have no severity;
//! the activity log has a level (Critical, Error, Warning, Informational) of the message, not of harm.

use super::{Wrapped, is_stream};
use crate::domain::vocabulary::ActionPattern as P;
use crate::domain::vocabulary::{IdentityKind, Severity};
use crate::intake::decode::Origin;
use crate::intake::decode::draft::Draft;
use crate::intake::decode::fields::{Fields, has, id_at, text_at};
use crate::intake::decode::identity::subject;
use crate::intake::decode::pattern::{Table, lookup};
use crate::intake::decode::registry::Results;
use crate::intake::json::Json;

/// Name of the kind for directory audit and sign-ins.
pub(in crate::intake::decode) const AUDIT: &str = "entra_audit";
/// Name of the kind for the activity log.
pub(in crate::intake::decode) const ACTIVITY: &str = "azure_activity";

/// Audit activities (<https://learn.microsoft.com/en-us/entra/identity/monitoring-health/reference-audit-activities>).
const ACTIVITIES: Table = &[
    (
        "Add service principal credentials",
        P::CredentialCreatedOrAdded,
    ),
    (
        "Update application – Certificates and secrets management*",
        P::CredentialCreatedOrAdded,
    ),
    (
        "Update application - Certificates and secrets management*",
        P::CredentialCreatedOrAdded,
    ),
    ("Add service principal", P::CredentialCreatedOrAdded),
    ("Add application", P::CredentialCreatedOrAdded),
    ("Add passwordless*", P::CredentialCreatedOrAdded),
    (
        "Remove service principal credentials",
        P::CredentialChangedSignal,
    ),
    ("Consent to application", P::ConsentOrGrantAdded),
    ("Add delegated permission grant", P::ConsentOrGrantAdded),
    ("Add OAuth2PermissionGrant", P::ConsentOrGrantAdded),
    ("Add app role assignment*", P::ConsentOrGrantAdded),
    ("Add member to role*", P::PrivilegeEscalated),
    ("Add eligible member to role*", P::PrivilegeEscalated),
    ("Add scoped member to role*", P::PrivilegeEscalated),
    (
        "User has elevated their access to User Access Administrator*",
        P::PrivilegeEscalated,
    ),
    ("Add owner to application", P::PrivilegeEscalated),
    ("Add owner to service principal", P::PrivilegeEscalated),
    ("Add owner to group", P::PermissionChanged),
    ("Add member to group", P::PermissionChanged),
    ("Remove member from *", P::PermissionChanged),
    ("Remove app role assignment*", P::PermissionChanged),
    ("Remove delegated permission grant", P::PermissionChanged),
    ("Remove OAuth2PermissionGrant", P::PermissionChanged),
    ("Invite external user", P::PermissionChanged),
    ("Update application", P::PermissionChanged),
    ("Update service principal", P::PermissionChanged),
    ("Update conditional access policy", P::DefenseTampered),
    ("Delete conditional access policy", P::DefenseTampered),
    ("Update authentication methods policy", P::DefenseTampered),
    ("Authentication Methods Policy*", P::DefenseTampered),
    ("Disable Strong Authentication", P::DefenseTampered),
    ("Set federation settings on domain", P::DefenseTampered),
    ("Set domain authentication", P::DefenseTampered),
    ("Update authorization policy", P::DefenseTampered),
    ("User registered security info", P::RecoveryTampered),
    (
        "User registered all required security info",
        P::RecoveryTampered,
    ),
    ("User deleted security info", P::RecoveryTampered),
    ("User changed default security info", P::RecoveryTampered),
    ("Admin registered security info", P::RecoveryTampered),
    ("Admin deleted security info", P::RecoveryTampered),
    ("Reset user password", P::CredentialChangedSignal),
    ("Reset password*", P::CredentialChangedSignal),
    ("Change user password", P::CredentialChangedSignal),
    ("Change password*", P::CredentialChangedSignal),
    (
        "Update StsRefreshTokenValidFrom Timestamp",
        P::SessionRevokedSignal,
    ),
    ("Disable account", P::AccountStateSignal),
    ("Enable account", P::AccountStateSignal),
    ("Delete user", P::AccountStateSignal),
    ("Restore user", P::AccountStateSignal),
    ("Delete service principal", P::AccountStateSignal),
];

/// Categories of an Azure Monitor stream that carry these logs.
const CATEGORIES: &[&str] = &[
    "AuditLogs",
    "SignInLogs",
    "NonInteractiveUserSignInLogs",
    "ServicePrincipalSignInLogs",
    "ManagedIdentitySignInLogs",
    "ProvisioningLogs",
];

/// Tells an entry of the directory audit or sign-in log.
pub(in crate::intake::decode) fn is_audit(value: &Json<'_>) -> bool {
    let found = |keys: &[&str]| keys.iter().any(|key| has(value, key));
    if is_stream(value) {
        let category = text_at(value, "category").unwrap_or_default();
        let of_directory = || {
            let resource = text_at(value, "resourceId").unwrap_or_default();
            resource.to_ascii_lowercase().contains("/microsoft.aadiam")
        };
        return CATEGORIES.contains(&category) || of_directory();
    }
    let is_entry = found(&["activityDateTime", "activityDisplayName"])
        && found(&["initiatedBy", "targetResources", "loggedByService"]);
    let is_sign_in = has(value, "createdDateTime")
        && found(&[
            "userPrincipalName",
            "servicePrincipalId",
            "servicePrincipalName",
        ])
        && found(&[
            "appId",
            "appDisplayName",
            "clientAppUsed",
            "conditionalAccessStatus",
        ]);
    is_entry || is_sign_in
}

/// Decodes an entry.
pub(in crate::intake::decode) fn decode_audit(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let event = Wrapped::new(value);
    let (fields, outer) = (&event.inner, &event.outer);
    let mut draft = Draft::new(AUDIT);
    draft.id = fields.id(&["id"]).map(Into::into);
    draft.recipe = [
        "activityDateTime",
        "createdDateTime",
        "correlationId",
        "userId",
        "activityDisplayName",
    ]
    .iter()
    .map(|path| fields.id(&[path]).unwrap_or_default().into_owned())
    .chain(
        ["time", "operationName", "correlationId"]
            .map(|path| outer.id(&[path]).unwrap_or_default().into_owned()),
    )
    .collect();
    draft.time = fields
        .time(&["activityDateTime", "createdDateTime"])
        .or_else(|| outer.time(&["time"]));
    let activity = fields.text(&["activityDisplayName"]);
    let operation = || outer.text(&["operationName"]);
    let is_sign_in = has(fields.root(), "createdDateTime") && activity.is_none();
    let named = activity.or_else(operation);
    draft.action = named
        .or(is_sign_in.then_some("Sign-in activity"))
        .map(Into::into);
    draft.signal(named.and_then(|name| lookup(ACTIVITIES, name)));
    let risk = fields.text(&["riskLevelDuringSignIn", "riskLevelAggregated"]);
    let is_risky = risk.is_some_and(|level| matches!(level, "low" | "medium" | "high"));
    draft.signal(is_risky.then_some(P::CredentialUsedAnomalously));
    initiator(fields, &mut draft);
    targets(fields, &mut draft);
    event.finish(draft, origin)
}

fn initiator(fields: &Fields<'_, '_>, draft: &mut Draft) {
    let app = || {
        let id = fields.id(&[
            "initiatedBy.app.servicePrincipalId",
            "initiatedBy.app.appId",
            "servicePrincipalId",
        ])?;
        let name = fields.text(&["initiatedBy.app.displayName", "servicePrincipalName"]);
        Some(subject("entra", id, IdentityKind::OauthClient, name))
    };
    let user = || {
        let id = fields.id(&[
            "initiatedBy.user.id",
            "initiatedBy.user.userPrincipalName",
            "userId",
            "userPrincipalName",
        ])?;
        let name = fields.text(&[
            "initiatedBy.user.userPrincipalName",
            "initiatedBy.user.displayName",
            "userPrincipalName",
        ]);
        Some(subject("entra", id, IdentityKind::Human, name))
    };
    draft.subject = app().or_else(user);
    // The application through which a person signed in holds the token.
    if let Some(id) = fields.id(&["appId"]) {
        let name = fields.text(&["appDisplayName"]);
        draft
            .candidates
            .push(subject("entra", id, IdentityKind::OauthClient, name));
    }
}

fn targets(fields: &Fields<'_, '_>, draft: &mut Draft) {
    for target in fields.each("targetResources") {
        let kind = target.text(&["type"]);
        draft.touched(target.id(&["id"]), kind.unwrap_or_default());
    }
    if has(fields.root(), "targetResources") || has(fields.root(), "initiatedBy") {
        return;
    }
    let resource = fields.id(&["resourceId", "resourceDisplayName"]);
    let is_path = resource.as_deref().is_some_and(|id| id.starts_with('/'));
    draft.touched(resource.filter(|_| !is_path), "resource");
    let name = fields.text(&["resourceDisplayName"]);
    draft.touched(name, "resource");
}

/// Tells an entry of the activity log, from a stream or the REST API.
pub(in crate::intake::decode) fn is_activity(value: &Json<'_>) -> bool {
    has(value, "operationName") && (has(value, "resourceId") || has(value, "resourceUri"))
}

/// Operations of the activity log
/// (<https://learn.microsoft.com/en-us/azure/role-based-access-control/resource-provider-operations>).
const OPERATIONS: Table = &[
    (
        "Microsoft.Authorization/roleAssignments/write",
        P::PrivilegeEscalated,
    ),
    (
        "Microsoft.Authorization/elevateAccess/action",
        P::PrivilegeEscalated,
    ),
    (
        "Microsoft.Authorization/roleAssignments/*",
        P::PermissionChanged,
    ),
    (
        "Microsoft.Authorization/roleDefinitions/*",
        P::PermissionChanged,
    ),
    ("Microsoft.Authorization/locks/delete", P::DefenseTampered),
    (
        "Microsoft.Authorization/policyAssignments/delete",
        P::DefenseTampered,
    ),
    (
        "Microsoft.Insights/diagnosticSettings/delete",
        P::DefenseTampered,
    ),
    ("Microsoft.Insights/logProfiles/delete", P::DefenseTampered),
    ("Microsoft.Security/pricings/*", P::DefenseTampered),
    (
        "Microsoft.Network/networkWatchers/flowLogs/delete",
        P::DefenseTampered,
    ),
    ("Microsoft.KeyVault/vaults/secrets/read", P::SecretRead),
    (
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        P::SecretRead,
    ),
    (
        "Microsoft.KeyVault/vaults/accessPolicies/write",
        P::PermissionChanged,
    ),
    ("Microsoft.KeyVault/*/purge/action", P::DefenseTampered),
    (
        "Microsoft.KeyVault/vaults/keys/purge/action",
        P::DefenseTampered,
    ),
    (
        "Microsoft.KeyVault/vaults/secrets/purge/action",
        P::DefenseTampered,
    ),
    (
        "Microsoft.Storage/storageAccounts/listKeys/action",
        P::SecretRead,
    ),
    (
        "Microsoft.Storage/storageAccounts/regenerateKey/action",
        P::CredentialChangedSignal,
    ),
    (
        "Microsoft.DocumentDB/databaseAccounts/listKeys/action",
        P::SecretRead,
    ),
    (
        "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
        P::SecretRead,
    ),
    (
        "Microsoft.ManagedIdentity/userAssignedIdentities/*",
        P::CredentialCreatedOrAdded,
    ),
    (
        "Microsoft.Automation/automationAccounts/webhooks/*",
        P::CredentialCreatedOrAdded,
    ),
    (
        "Microsoft.Compute/virtualMachines/runCommand/*",
        P::WorkloadExec,
    ),
    (
        "Microsoft.Compute/virtualMachines/extensions/write",
        P::WorkloadExec,
    ),
    (
        "Microsoft.Compute/snapshots/beginGetAccess/action",
        P::DataExfil,
    ),
    (
        "Microsoft.Compute/disks/beginGetAccess/action",
        P::DataExfil,
    ),
];

/// Where the caller's id can stand: claims of the token, as full names in the log.
const CALLERS: &[(&str, IdentityKind)] = &[
    (
        "identity.claims.http://schemas.microsoft.com/identity/claims/objectidentifier",
        IdentityKind::Unknown,
    ),
    (
        "claims.http://schemas.microsoft.com/identity/claims/objectidentifier",
        IdentityKind::Unknown,
    ),
    ("identity.claims.oid", IdentityKind::Unknown),
    ("identity.claims.appid", IdentityKind::OauthClient),
    ("claims.appid", IdentityKind::OauthClient),
    ("properties.caller", IdentityKind::Unknown),
    ("caller", IdentityKind::Unknown),
];

/// Decodes an entry of the activity log. Critical and Error levels count as medium, Warning as low.
pub(in crate::intake::decode) fn decode_activity(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(ACTIVITY);
    draft.id = fields
        .id(&["eventDataId", "properties.eventDataId", "correlationId"])
        .map(Into::into);
    let operation = match fields.value("operationName") {
        Some(Json::Object(_)) => {
            fields.text(&["operationName.value", "operationName.localizedValue"])
        }
        _ => fields.text(&["operationName"]),
    };
    draft.action = operation.map(Into::into);
    // Steps of one operation share its correlation id.
    let step = fields.scalar(&["resultType", "status.value", "resultSignature"]);
    let step = step.and_then(Json::scalar_json).unwrap_or_default();
    draft.key = draft
        .id
        .as_ref()
        .map(|id| format!("{id}/{}/{step}", operation.unwrap_or_default()));
    draft.time = fields.time(&["time", "eventTimestamp"]);
    let level = fields.scalar(&["level"]);
    draft.severity_from(level, |raw| {
        match raw.text()?.to_ascii_lowercase().as_str() {
            "critical" | "error" => Some(Severity::Medium),
            "warning" => Some(Severity::Low),
            _ => None,
        }
    });
    draft.signal(operation.and_then(|o| lookup(OPERATIONS, o)));
    let name = fields.text(&["caller", "properties.caller"]);
    for (path, kind) in CALLERS {
        // The identity of a stream may be a plain name; then there are no claims to read.
        let in_claims = !path.starts_with("identity.") || has(value, "identity.claims");
        let is_object = matches!(fields.root().get("identity"), None | Some(Json::Object(_)));
        let readable = in_claims && (is_object || !path.starts_with("identity."));
        if let Some(id) = id_at(value, path).filter(|_| readable) {
            draft.subject = Some(subject("entra", id, *kind, name));
            break;
        }
    }
    draft.touched(fields.id(&["resourceId", "resourceUri"]), "azure resource");
    vec![draft.finish(&fields, origin)]
}
