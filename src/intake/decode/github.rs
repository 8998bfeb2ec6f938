//! GitHub: secret scanning alerts (webhook and REST), the audit log, and webhooks about code and installations.
//!
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads>,
//! <https://docs.github.com/en/rest/secret-scanning/secret-scanning>,
//! <https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization>.
//! Alert numbers are unique in a repository only.

mod events;

use super::Origin;
use super::draft::Draft;
use super::fields::{Fields, has, member};
use super::identity::subject;
use super::pattern::lookup;
use super::registry::Results;
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};
use crate::intake::json::Json;

pub(super) use events::{WEBHOOK, decode_webhook, is_webhook};

/// Name of the kind for pushed secret scanning alerts.
pub(super) const SECRET_WEBHOOK: &str = "github_secret_scanning_webhook";
/// Name of the kind for secret scanning alerts read from the API.
pub(super) const SECRET_REST: &str = "github_secret_scanning_rest";
/// Name of the kind for audit log entries.
pub(super) const AUDIT: &str = "github_audit";

/// Tells a webhook about a secret scanning alert.
pub(super) fn is_secret_webhook(value: &Json<'_>) -> bool {
    has(value, "alert.secret_type") && has(value, "action")
}

/// Tells a secret scanning alert of the API.
pub(super) fn is_secret_alert(value: &Json<'_>) -> bool {
    has(value, "secret_type")
        && [
            "number",
            "locations_url",
            "html_url",
            "validity",
            "resolution",
        ]
        .iter()
        .any(|key| has(value, key))
}

/// Decodes a webhook about a secret scanning alert.
pub(super) fn decode_secret_webhook(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(SECRET_WEBHOOK);
    draft.action = fields
        .text(&["action"])
        .map(|action| format!("secret_scanning_alert.{action}").into());
    secret(&fields, "alert.", &mut draft);
    vec![draft.finish(&fields, origin)]
}

/// Decodes a secret scanning alert of the API.
pub(super) fn decode_secret_alert(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(SECRET_REST);
    secret(&fields, "", &mut draft);
    vec![draft.finish(&fields, origin)]
}

/// Reads an alert. GitHub gives no severity; ours follows what it knows: a secret that its issuer says works is high, and
/// critical once it was seen in public; one that no longer works is low, a closed alert informational. A validity of
/// `active` was checked with the issuer, so it is certain
/// (<https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns>).
fn secret(fields: &Fields<'_, '_>, at: &str, draft: &mut Draft) {
    let path = |name: &str| format!("{at}{name}");
    let text = |name: &str| fields.text(&[&path(name)]);
    let number = fields.id(&[&path("number")]);
    let own_repository = fields.text(&["repository.full_name"]);
    let repository =
        own_repository.or_else(|| repository_of(text("url").or_else(|| text("html_url"))?));
    draft.id = number.as_deref().map(Into::into);
    if let (Some(number), Some(repository)) = (&number, repository) {
        draft.key = Some(format!("secret-scanning/{repository}#{number}"));
    }
    draft.recipe = ["secret_type", "created_at", "html_url"]
        .iter()
        .map(|name| text(name).unwrap_or_default().to_owned())
        .collect();
    draft.time = fields.time(&[&path("updated_at"), &path("created_at")]);
    draft.exposed_at = fields.time(&[&path("created_at")]);
    draft.title = text("secret_type_display_name")
        .or_else(|| text("secret_type"))
        .map(Into::into);
    let is_public = fields.flag(&[&path("publicly_leaked")]);
    let is_closed = text("state") == Some("resolved");
    let validity = text("validity");
    draft.severity = match (validity, is_public) {
        _ if is_closed => Some(Severity::Info),
        (Some("active"), true) => Some(Severity::Critical),
        (Some("active"), false) | (_, true) => Some(Severity::High),
        (Some("inactive"), false) => Some(Severity::Low),
        _ => None,
    };
    draft.confidence = (validity == Some("active")).then_some(100);
    draft.signal(ActionPattern::CredentialExposed);
    draft.touched(repository, "repository");
    draft.url = text("html_url").map(Into::into);
}

/// Finds `owner/name` in an address of the API (`…/repos/owner/name/…`) or of the site (`https://host/owner/name/…`).
fn repository_of(url: &str) -> Option<&str> {
    let rest = match url.split_once("/repos/") {
        Some((_, rest)) => rest,
        None => url.split_once("://")?.1.split_once('/')?.1,
    };
    let (owner, after) = rest.split_once('/')?;
    let name = after.split(['/', '?', '#']).next()?;
    let whole = &rest[..owner.len() + 1 + name.len()];
    (!owner.is_empty() && !name.is_empty()).then_some(whole)
}

/// Tells an audit log entry: `action` is `category.operation` there, and the actor a name.
pub(super) fn is_audit(value: &Json<'_>) -> bool {
    let is_named = |keys: &[&str]| keys.iter().any(|key| has(value, key));
    let marked = is_named(&["_document_id", "actor_id", "org_id"]);
    let flat = |key: &str| marked || !matches!(member(value, key), Some(Json::Object(_)));
    let of_category = match member(value, "action") {
        Some(Json::Text(action)) => action.contains('.') && !action.contains(' '),
        Some(_) => marked,
        None => false,
    };
    let when = ["@timestamp", "at_sign_timestamp", "created_at", "repo"];
    of_category
        && flat("actor")
        && flat("repository")
        && is_named(&["_document_id", "actor", "org", "business"])
        && (marked || is_named(&when))
}

/// Decodes an audit log entry.
pub(super) fn decode_audit(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(AUDIT);
    draft.id = fields.id(&["_document_id"]).map(Into::into);
    draft.recipe = [
        "action",
        "@timestamp",
        "at_sign_timestamp",
        "created_at",
        "actor",
        "org",
        "repo",
        "user",
    ]
    .iter()
    .map(|path| fields.id(&[path]).unwrap_or_default().into_owned())
    .collect();
    draft.time = fields.time(&["@timestamp", "at_sign_timestamp", "created_at"]);
    let action = fields.text(&["action"]);
    draft.action = action.map(Into::into);
    draft.title.clone_from(&draft.action);
    draft.signal(action.and_then(|a| lookup(events::AUDIT_ACTIONS, a)));
    let is_bot = fields.flag(&["actor_is_bot"]) || fields.flag(&["actor_is_agent"]);
    let kind = match fields.text(&["programmatic_access_type"]) {
        Some(way) if way.starts_with("GitHub App") => IdentityKind::AppInstallation,
        _ if fields.flag(&["actor_is_agent"]) => IdentityKind::AiAgent,
        _ if is_bot => IdentityKind::AppInstallation,
        _ => IdentityKind::Unknown,
    };
    let name = fields.text(&["external_identity_nameid"]);
    if let Some(actor) = fields.id(&["actor", "user"]) {
        draft.subject = Some(subject("github", actor, kind, name));
    }
    for path in ["token_id", "hashed_token"] {
        let token = fields.id(&[path]).filter(|id| id != "0");
        let token = token.map(|id| subject("github", id, IdentityKind::ApiToken, None));
        draft.candidates.extend(token);
    }
    for (path, kind) in [
        ("repo", "repository"),
        ("repository", "repository"),
        ("org", "organization"),
        ("business", "enterprise"),
    ] {
        draft.touched(fields.id(&[path]), kind);
    }
    vec![draft.finish(&fields, origin)]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "https://api.github.com/repos/o/r/secret-scanning/alerts/2",
        Some("o/r")
    )]
    #[case("https://github.example/o/r/security/secret-scanning/2", Some("o/r"))]
    #[case("https://github.com/o", None)]
    #[case("o/r", None)]
    fn finds_the_repository(#[case] url: &str, #[case] want: Option<&str>) {
        assert_eq!(repository_of(url), want);
    }
}
