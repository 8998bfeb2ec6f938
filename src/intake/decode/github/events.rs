//! GitHub webhooks other than secret scanning, and what the actions of the audit log stand for.

use crate::domain::vocabulary::ActionPattern as P;
use crate::domain::vocabulary::{IdentityKind, Severity};
use crate::intake::decode::draft::Draft;
use crate::intake::decode::fields::{Fields, has, member};
use crate::intake::decode::identity::subject;
use crate::intake::decode::pattern::{Table, lookup};
use crate::intake::decode::registry::Results;
use crate::intake::decode::{Origin, severity};
use crate::intake::json::Json;

/// Name of the kind.
pub(in crate::intake::decode) const WEBHOOK: &str = "github_webhook";

/// Actions of the audit log that change what an identity can do, or show that it leaked.
pub(super) const AUDIT_ACTIONS: Table = &[
    ("secret_scanning_alert.create", P::CredentialExposed),
    ("secret_scanning_alert.public_leak", P::CredentialExposed),
    ("secret_scanning_alert.*", P::CredentialChangedSignal),
    ("public_key.create", P::CredentialCreatedOrAdded),
    ("deploy_key.create", P::CredentialCreatedOrAdded),
    ("personal_access_token.create", P::CredentialCreatedOrAdded),
    (
        "personal_access_token.access_granted",
        P::ConsentOrGrantAdded,
    ),
    (
        "personal_access_token.request_created",
        P::ConsentOrGrantAdded,
    ),
    ("personal_access_token.*", P::CredentialChangedSignal),
    ("oauth_access.create", P::CredentialCreatedOrAdded),
    ("oauth_access.*", P::CredentialChangedSignal),
    ("org_credential_authorization.grant", P::ConsentOrGrantAdded),
    ("org_credential_authorization.*", P::CredentialChangedSignal),
    (
        "integration.generate_client_secret",
        P::CredentialCreatedOrAdded,
    ),
    (
        "oauth_application.generate_client_secret",
        P::CredentialCreatedOrAdded,
    ),
    ("oauth_application.create", P::ConsentOrGrantAdded),
    ("oauth_authorization.create", P::ConsentOrGrantAdded),
    ("integration_installation.create", P::ConsentOrGrantAdded),
    (
        "integration_installation_request.create",
        P::ConsentOrGrantAdded,
    ),
    ("integration_installation.*", P::PermissionChanged),
    ("repo.create_actions_secret", P::CredentialCreatedOrAdded),
    ("org.create_actions_secret", P::CredentialCreatedOrAdded),
    (
        "environment.create_actions_secret",
        P::CredentialCreatedOrAdded,
    ),
    ("public_key.*", P::CredentialChangedSignal),
    ("deploy_key.*", P::CredentialChangedSignal),
    ("business.add_admin", P::PrivilegeEscalated),
    ("business.invite_admin", P::PrivilegeEscalated),
    ("org.add_outside_collaborator", P::PermissionChanged),
    ("org.update_member", P::PermissionChanged),
    ("org.add_member", P::PermissionChanged),
    ("org.remove_member", P::PermissionChanged),
    ("org.register_self_hosted_runner", P::PermissionChanged),
    ("team.add_member", P::PermissionChanged),
    ("team.add_repository", P::PermissionChanged),
    ("team.update_repository_permission", P::PermissionChanged),
    ("repo.add_member", P::PermissionChanged),
    ("repo.update_member", P::PermissionChanged),
    ("repo.access", P::PermissionChanged),
    ("role.*", P::PermissionChanged),
    ("hook.create", P::PermissionChanged),
    ("hook.config_changed", P::PermissionChanged),
    ("org.disable_two_factor_requirement", P::DefenseTampered),
    ("org.disable_saml", P::DefenseTampered),
    ("org.oauth_app_access_denied", P::PermissionChanged),
    ("org.disable_oauth_app_restrictions", P::DefenseTampered),
    ("business_advanced_security.disabled*", P::DefenseTampered),
    ("business_secret_scanning*.disable", P::DefenseTampered),
    ("business_secret_scanning.disable*", P::DefenseTampered),
    (
        "business_secret_scanning_push_protection.disable*",
        P::DefenseTampered,
    ),
    (
        "org_secret_scanning_push_protection_disable",
        P::DefenseTampered,
    ),
    ("repository_secret_scanning.disable", P::DefenseTampered),
    (
        "repository_secret_scanning_push_protection.disable",
        P::DefenseTampered,
    ),
    ("secret_scanning.disable", P::DefenseTampered),
    (
        "secret_scanning_push_protection.disable",
        P::DefenseTampered,
    ),
    (
        "secret_scanning_push_protection.bypass",
        P::CredentialExposed,
    ),
    ("dependabot_alerts.disable", P::DefenseTampered),
    (
        "repository_vulnerability_alerts.disable",
        P::DefenseTampered,
    ),
    ("repository_vulnerability_alert.*", P::Posture),
    ("protected_branch.destroy", P::DefenseTampered),
    ("protected_branch.policy_override", P::DefenseTampered),
    ("repository_ruleset.destroy", P::DefenseTampered),
    ("audit_log_streaming.*", P::DefenseTampered),
    ("ip_allow_list.disable*", P::DefenseTampered),
    ("two_factor_authentication.disabled", P::RecoveryTampered),
    (
        "two_factor_authentication.recovery_codes*",
        P::RecoveryTampered,
    ),
    ("user.two_factor_recover*", P::RecoveryTampered),
    ("repo.download_zip", P::DataExfil),
    ("workflows.created_workflow_run", P::WorkloadExec),
    ("org.block_user", P::AccountStateSignal),
    ("user.suspend", P::AccountStateSignal),
];

/// Events, known by the object that the payload carries under their name.
const EVENTS: Table = &[
    ("installation.created", P::ConsentOrGrantAdded),
    (
        "installation.new_permissions_accepted",
        P::PrivilegeEscalated,
    ),
    ("installation.deleted", P::PermissionChanged),
    ("installation.*", P::AccountStateSignal),
    ("installation_repositories.*", P::PermissionChanged),
    (
        "personal_access_token_request.approved",
        P::ConsentOrGrantAdded,
    ),
    (
        "personal_access_token_request.created",
        P::ConsentOrGrantAdded,
    ),
    (
        "personal_access_token_request.*",
        P::CredentialChangedSignal,
    ),
    ("deploy_key.created", P::CredentialCreatedOrAdded),
    ("deploy_key.*", P::CredentialChangedSignal),
    ("github_app_authorization.*", P::CredentialChangedSignal),
    ("member.*", P::PermissionChanged),
    ("membership.*", P::PermissionChanged),
    ("organization.*", P::PermissionChanged),
    ("branch_protection_rule.*", P::DefenseTampered),
    ("security_and_analysis.*", P::DefenseTampered),
    ("workflow_run.*", P::WorkloadExec),
    ("workflow_job.*", P::WorkloadExec),
    ("code_scanning_alert.*", P::Posture),
    ("dependabot_alert.*", P::Posture),
    ("repository_vulnerability_alert.*", P::Posture),
    ("security_advisory.*", P::Posture),
];

/// Objects that name the event, the most exact first.
const NAMES: &[(&str, &str)] = &[
    (
        "personal_access_token_request",
        "personal_access_token_request",
    ),
    ("workflow_run", "workflow_run"),
    ("workflow_job", "workflow_job"),
    ("repositories_added", "installation_repositories"),
    ("repositories_removed", "installation_repositories"),
    ("alert.rule", "code_scanning_alert"),
    ("alert.security_advisory", "dependabot_alert"),
    (
        "alert.affected_package_name",
        "repository_vulnerability_alert",
    ),
    ("key", "deploy_key"),
    ("rule.pattern", "branch_protection_rule"),
    ("security_advisory", "security_advisory"),
    ("member", "member"),
    ("membership", "organization"),
    ("check_run", "check_run"),
    ("deployment", "deployment"),
    ("hook", "meta"),
];

/// Tells a webhook payload: what was done, and by whom or where.
pub(in crate::intake::decode) fn is_webhook(value: &Json<'_>) -> bool {
    let object = |key: &&str| matches!(member(value, key), Some(Json::Object(_)));
    let places = [
        "repository",
        "organization",
        "security_advisory",
        "enterprise",
    ];
    let by_somebody = object(&"sender");
    let somewhere = places.iter().any(object) || has(value, "installation.id");
    // Events without actions, such as a push, name who and where all the same.
    (has(value, "action") && (by_somebody || somewhere))
        || (by_somebody && has(value, "repository.full_name"))
}

/// Decodes a webhook payload.
pub(in crate::intake::decode) fn decode_webhook(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(WEBHOOK);
    let named = NAMES.iter().find(|(key, _)| has(value, key));
    let bare_installation = has(value, "installation.account").then_some("installation");
    let event = named.map(|(_, event)| *event).or(bare_installation);
    let action = fields.text(&["action"]);
    draft.action = action.map(Into::into);
    let object = match event {
        Some("code_scanning_alert" | "dependabot_alert" | "repository_vulnerability_alert") => {
            "alert"
        }
        Some("installation_repositories") => "installation",
        Some("deploy_key") => "key",
        // Who became a member is no id of that becoming.
        Some("member" | "organization" | "branch_protection_rule") => "",
        Some(event) => event,
        None => "",
    };
    let path = |name: &str| format!("{object}.{name}");
    if !object.is_empty() {
        draft.id = fields
            .id(&[&path("number"), &path("id"), &path("ghsa_id")])
            .map(Into::into);
        draft.time = fields.time(&[
            &path("updated_at"),
            &path("created_at"),
            &path("published_at"),
        ]);
        draft.exposed_at = fields
            .time(&[&path("created_at")])
            .filter(|_| object == "alert");
        draft.url = fields.text(&[&path("html_url")]).map(Into::into);
    }
    let repository = fields.text(&["repository.full_name"]);
    let owner = fields.text(&[
        "organization.login",
        "installation.account.login",
        "repository.owner.login",
    ]);
    draft.touched(repository, "repository");
    draft.touched(owner, "organization");
    key(&fields, &mut draft, event.unwrap_or("event"));
    title(&fields, &mut draft, event);
    draft.severity_from(
        fields.scalar(&[
            "alert.rule.severity",
            "alert.security_advisory.severity",
            "security_advisory.severity",
            "alert.severity",
        ]),
        |raw| severity::from_word(raw).or_else(|| code_severity(raw.text()?)),
    );
    // Code scanning tells the harm apart from the level of the message, where the tool knows it.
    if let Some(level) = fields.text(&["alert.rule.security_severity_level"]) {
        draft.severity = severity::word(level).or(draft.severity);
    }
    if let (Some(event), Some(action)) = (event, action) {
        draft.signal(lookup(EVENTS, &format!("{event}.{action}")));
    }
    whom(&fields, &mut draft, event);
    vec![draft.finish(&fields, origin)]
}

/// Levels of code scanning (<https://docs.github.com/en/code-security/code-scanning>): error, warning, note.
fn code_severity(level: &str) -> Option<Severity> {
    match level {
        "error" => Some(Severity::High),
        "warning" => Some(Severity::Medium),
        "note" => Some(Severity::Low),
        _ => None,
    }
}

fn key(fields: &Fields<'_, '_>, draft: &mut Draft, event: &str) {
    let place = draft
        .resource
        .as_ref()
        .map_or("", |r| r.id.raw())
        .to_owned();
    let action = draft.action.clone().unwrap_or_default();
    let time = draft.time.map(|t| t.to_string()).unwrap_or_default();
    let is_alert = event.ends_with("alert");
    draft.key = draft.id.as_ref().map(|id| {
        if is_alert {
            format!("{event}/{place}#{id}")
        } else {
            // The object stays the same; what was done to it is the event.
            format!("{event}/{place}#{id}/{action}@{time}")
        }
    });
    let text = |path: &str| fields.id(&[path]).unwrap_or_default().into_owned();
    let more = ["sender.login", "started_at", "completed_at", "after"].map(text);
    draft.recipe = [event.to_owned(), action.into(), place]
        .into_iter()
        .chain(more)
        .collect();
}

fn title(fields: &Fields<'_, '_>, draft: &mut Draft, event: Option<&str>) {
    let given = fields.text(&[
        "alert.security_advisory.summary",
        "security_advisory.summary",
        "alert.rule.description",
        "alert.rule.name",
        "workflow_run.display_title",
    ]);
    let done = || Some(format!("{}.{}", event?, draft.action.as_deref()?).into());
    draft.title = given.map(Into::into).or_else(done);
}

fn whom(fields: &Fields<'_, '_>, draft: &mut Draft, event: Option<&str>) {
    let sender = fields.text(&["sender.login"]).map(|login| {
        let kind = match fields.text(&["sender.type"]) {
            Some("Bot") => IdentityKind::AppInstallation,
            Some("User") => IdentityKind::Human,
            _ => IdentityKind::Unknown,
        };
        subject("github", login, kind, None)
    });
    let installation = || {
        let name = fields.text(&["installation.app_slug"]);
        let id = fields.id(&["installation.id"])?;
        Some(subject("github", id, IdentityKind::AppInstallation, name))
    };
    match event {
        // A finding in code is about nobody; whoever closed it is a hint at most.
        Some(
            "code_scanning_alert"
            | "dependabot_alert"
            | "repository_vulnerability_alert"
            | "security_advisory",
        ) => {
            draft.candidates.extend(sender);
        }
        Some("installation" | "installation_repositories") => {
            draft.subject = installation();
            draft.candidates.extend(sender);
        }
        Some("personal_access_token_request") => {
            let owner = fields.text(&["personal_access_token_request.owner.login"]);
            draft.subject =
                owner.map(|login| subject("github", login, IdentityKind::Unknown, None));
        }
        _ => draft.subject = sender,
    }
}
