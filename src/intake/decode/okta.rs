//! Okta System Log events.
//!
//! <https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/>. `severity` is a log level
//! (DEBUG, INFO, WARN, ERROR): INFO and DEBUG say nothing about harm, WARN and ERROR count as medium.

use super::Origin;
use super::draft::Draft;
use super::fields::{Fields, has};
use super::identity::subject;
use super::pattern::{Table, lookup};
use super::registry::Results;
use crate::domain::vocabulary::ActionPattern as P;
use crate::domain::vocabulary::{IdentityKind, Severity};
use crate::intake::json::Json;

/// Name of the kind.
pub(super) const KIND: &str = "okta_system_log";

/// Event types (<https://developer.okta.com/docs/reference/api/event-types/>).
const PATTERNS: Table = &[
    (
        "security.breached_credential.detected",
        P::CredentialExposed,
    ),
    ("security.threat.detected", P::CredentialUsedAnomalously),
    ("security.attack.*", P::CredentialUsedAnomalously),
    (
        "user.account.report_suspicious_activity_by_enduser",
        P::CredentialUsedAnomalously,
    ),
    ("user.risk.*", P::CredentialUsedAnomalously),
    ("user.mfa.attempt_bypass", P::CredentialUsedAnomalously),
    ("user.session.impersonation.grant", P::ConsentOrGrantAdded),
    ("user.session.impersonation.*", P::CredentialUsedAnomalously),
    ("user.session.context.change", P::TokenReplay),
    ("app.oauth2.token.detect_reuse", P::TokenReplay),
    ("app.oauth2.as.token.detect_reuse", P::TokenReplay),
    ("system.api_token.create", P::CredentialCreatedOrAdded),
    ("system.api_token.enable", P::CredentialCreatedOrAdded),
    ("system.api_token.*", P::CredentialChangedSignal),
    (
        "app.oauth2.client.lifecycle.create",
        P::CredentialCreatedOrAdded,
    ),
    (
        "app.oauth2.credentials.lifecycle.create",
        P::CredentialCreatedOrAdded,
    ),
    (
        "app.oauth2.credentials.lifecycle.activate",
        P::CredentialCreatedOrAdded,
    ),
    (
        "app.oauth2.credentials.lifecycle.*",
        P::CredentialChangedSignal,
    ),
    ("app.oauth2.client.lifecycle.*", P::AccountStateSignal),
    ("user.mfa.factor.activate", P::CredentialCreatedOrAdded),
    ("user.mfa.factor.*", P::RecoveryTampered),
    ("app.oauth2.consent.grant", P::ConsentOrGrantAdded),
    ("app.oauth2.as.consent.grant", P::ConsentOrGrantAdded),
    ("app.oauth2.token.grant*", P::ConsentOrGrantAdded),
    ("app.oauth2.as.token.grant*", P::ConsentOrGrantAdded),
    ("app.oauth2.token.revoke*", P::SessionRevokedSignal),
    ("app.oauth2.as.token.revoke*", P::SessionRevokedSignal),
    ("user.account.privilege.grant", P::PrivilegeEscalated),
    ("group.privilege.grant", P::PrivilegeEscalated),
    ("group.application_assignment.add", P::PermissionChanged),
    ("app.oauth2.admin.consent.grant", P::PrivilegeEscalated),
    ("iam.resourceset.bindings.add", P::PrivilegeEscalated),
    ("iam.*", P::PermissionChanged),
    ("user.account.privilege.revoke", P::PermissionChanged),
    ("group.privilege.revoke", P::PermissionChanged),
    ("group.user_membership.*", P::PermissionChanged),
    ("application.user_membership.*", P::PermissionChanged),
    ("application.policy.*", P::DefenseTampered),
    ("policy.lifecycle.create", P::PermissionChanged),
    ("policy.*", P::DefenseTampered),
    ("zone.*", P::DefenseTampered),
    ("system.log_stream.*", P::DefenseTampered),
    ("security.device.*", P::DefenseTampered),
    ("system.idp.lifecycle.*", P::DefenseTampered),
    ("user.session.clear", P::SessionRevokedSignal),
    ("user.session.end", P::SessionRevokedSignal),
    (
        "user.authentication.universal_logout*",
        P::SessionRevokedSignal,
    ),
    ("user.account.update_password", P::CredentialChangedSignal),
    ("user.account.reset_password", P::CredentialChangedSignal),
    ("user.account.expire_password", P::CredentialChangedSignal),
    ("user.credential.*", P::CredentialChangedSignal),
    ("user.account.lock*", P::AccountStateSignal),
    ("user.account.unlock*", P::AccountStateSignal),
    ("user.lifecycle.*", P::AccountStateSignal),
    ("system.org.rate_limit.*", P::VolumeOrChaining),
    ("system.operation.rate_limit.*", P::VolumeOrChaining),
    ("app.access_request.*", P::PermissionChanged),
    ("user.authentication.sso", P::Other),
];

/// Types of actors that are no people.
const ACTORS: &[(&str, IdentityKind)] = &[
    ("User", IdentityKind::Human),
    ("PublicClientApp", IdentityKind::OauthClient),
    ("PublicClientAppEntity", IdentityKind::OauthClient),
    ("ClientApp", IdentityKind::OauthClient),
    ("AppInstance", IdentityKind::OauthClient),
    ("SystemPrincipal", IdentityKind::Workload),
    ("Token", IdentityKind::ApiToken),
];

/// Tells a System Log event.
pub(super) fn detect(value: &Json<'_>) -> bool {
    has(value, "eventType")
        && has(value, "actor")
        && [
            "published",
            "legacyEventType",
            "displayMessage",
            "transaction",
            "debugContext",
        ]
        .iter()
        .any(|key| has(value, key))
}

/// Decodes an event.
pub(super) fn decode(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(KIND);
    draft.id = fields.id(&["uuid"]).map(Into::into);
    draft.recipe = ["published", "eventType", "actor.id", "transaction.id"]
        .iter()
        .map(|path| fields.id(&[path]).unwrap_or_default().into_owned())
        .collect();
    draft.time = fields.time(&["published"]);
    let event = fields.text(&["eventType"]);
    draft.action = event.map(Into::into);
    draft.title = fields
        .text(&["displayMessage", "eventType"])
        .map(Into::into);
    draft.severity_from(fields.scalar(&["severity"]), |raw| {
        let level = raw.text()?.to_ascii_uppercase();
        matches!(level.as_str(), "WARN" | "ERROR").then_some(Severity::Medium)
    });
    draft.signal(event.and_then(|e| lookup(PATTERNS, e)));
    if fields.flag(&["debugContext.debugData.threatSuspected"]) {
        draft.signal(P::CredentialUsedAnomalously);
    }
    let kind = fields
        .text(&["actor.type"])
        .map_or(IdentityKind::Unknown, |kind| {
            let found = ACTORS
                .iter()
                .find(|(name, _)| kind.eq_ignore_ascii_case(name));
            found.map_or(IdentityKind::Unknown, |(_, kind)| *kind)
        });
    let name = fields.text(&["actor.displayName", "actor.alternateId"]);
    if let Some(id) = fields.id(&["actor.id", "actor.alternateId"]) {
        draft.subject = Some(subject("okta", id, kind, name));
    }
    // The token by which the actor called is what can be revoked alone.
    if let Some(token) = fields.id(&["transaction.detail.requestApiTokenId"]) {
        let token = subject("okta", token, IdentityKind::ApiToken, None);
        draft.candidates.push(token);
    }
    if let Some(target) = fields.each("target").first() {
        let kind = target.text(&["type"]);
        draft.touched(target.id(&["id"]), kind.unwrap_or_default());
    }
    vec![draft.finish(&fields, origin)]
}
