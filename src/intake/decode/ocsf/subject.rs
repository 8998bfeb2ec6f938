//! Whom an OCSF event is about.
//!
//! The first of: the user or agent of an evidence, the event's own actor, the affected user, and a resource whose type
//! is an identity. A resource of any other type is a target, not a subject, and no subject at all is a normal state.

use super::Event;
use crate::domain::alert::Subject;
use crate::domain::small::Small;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::IdentityKind;
use crate::intake::decode::identity::{kind_of_id, provider_of_id, provider_word};
use crate::intake::decode::{bounded_id, untrusted};
use crate::intake::json::Json;

/// Most evidences looked at.
const MOST_EVIDENCES: usize = 64;

/// Resource types that are identities, lower case without `:`, `.`, `_`, `-` and spaces: Security Hub's and
/// CloudFormation's names, and what producers call them in plain words.
const IDENTITY_TYPES: &[(&str, IdentityKind)] = &[
    ("awsiamaccesskey", IdentityKind::AccessKey),
    ("awsiamuser", IdentityKind::Unknown),
    ("awsiamrole", IdentityKind::ServiceAccount),
    ("accesskey", IdentityKind::AccessKey),
    ("iamuser", IdentityKind::Unknown),
    ("iamrole", IdentityKind::ServiceAccount),
    ("serviceaccount", IdentityKind::ServiceAccount),
    ("iamserviceaccount", IdentityKind::ServiceAccount),
    (
        "iamgoogleapiscom/serviceaccount",
        IdentityKind::ServiceAccount,
    ),
    ("serviceprincipal", IdentityKind::OauthClient),
    ("managedidentity", IdentityKind::Workload),
    ("oauthclient", IdentityKind::OauthClient),
    ("oauthapp", IdentityKind::OauthClient),
    ("oauthapplication", IdentityKind::OauthClient),
    ("appinstallation", IdentityKind::AppInstallation),
    ("apitoken", IdentityKind::ApiToken),
    ("citoken", IdentityKind::CiToken),
    ("deploykey", IdentityKind::CiToken),
    ("rolesession", IdentityKind::RoleSession),
    ("assumedrole", IdentityKind::RoleSession),
    ("aiagent", IdentityKind::AiAgent),
    ("workloadidentity", IdentityKind::Workload),
    ("mailbox", IdentityKind::Mailbox),
];

/// Finds the subject of an event. `source` names the provider when nothing else does.
pub(super) fn find(event: &Event<'_, '_>, class: i64, source: &str) -> Option<Subject> {
    let evidences = event
        .get("evidences")
        .into_iter()
        .flat_map(Json::items)
        .take(MOST_EVIDENCES);
    // An agent acts through a user's or service's account; the agent is the one to contain.
    let acts = |user: Option<&Json<'_>>, agent: Option<&Json<'_>>| {
        let agent = agent.and_then(|a| from_agent(event, a, source));
        agent.or_else(|| user.and_then(|u| from_user(event, u, source)))
    };
    let mut evidences = evidences.map(|one| (one.at(&["actor", "user"]), one.get("ai_agent")));
    let actor = evidences
        .find_map(|(user, agent)| acts(user, agent))
        .or_else(|| acts(event.at(&["actor", "user"]), event.get("ai_agent")));
    let affected = || {
        let is_finding = (2000..3000).contains(&class);
        let user = if class == 3001 || is_finding {
            event.get("user")
        } else {
            None
        };
        user.and_then(|u| from_user(event, u, source))
    };
    actor
        .or_else(affected)
        .or_else(|| from_resources(event, source))
}

/// Reads a `user` object; without any id or name there is nobody.
fn from_user(event: &Event<'_, '_>, user: &Json<'_>, source: &str) -> Option<Subject> {
    let field = |name: &str| user.get(name).and_then(Json::id);
    let name = field("name").or_else(|| field("email_addr"));
    let credential = field("credential_uid");
    let id = field("uid")
        .or_else(|| credential.clone())
        .or_else(|| field("uid_alt"))
        .or_else(|| name.clone())?;
    let by_credential = credential
        .as_deref()
        .map_or(IdentityKind::Unknown, kind_of_id);
    let kind = [by_credential, kind_of_id(&id), kind_of_user(user)]
        .into_iter()
        .find(|kind| *kind != IdentityKind::Unknown)
        .unwrap_or(IdentityKind::Unknown);
    Some(Subject {
        provider: Untrusted::new(provider(event, &id, source)),
        native_id: Untrusted::new(bounded_id(&id)),
        kind,
        name: name.as_deref().map(untrusted),
    })
}

/// Reads an `ai_agent` object (schema 1.9).
fn from_agent(event: &Event<'_, '_>, agent: &Json<'_>, source: &str) -> Option<Subject> {
    let name = agent.get("name").and_then(Json::id);
    let id = agent
        .get("uid")
        .and_then(Json::id)
        .or_else(|| name.clone())?;
    Some(Subject {
        provider: Untrusted::new(provider(event, &id, source)),
        native_id: Untrusted::new(bounded_id(&id)),
        kind: IdentityKind::AiAgent,
        name: name.as_deref().map(untrusted),
    })
}

fn from_resources(event: &Event<'_, '_>, source: &str) -> Option<Subject> {
    let listed = event.get("resources").into_iter().flat_map(Json::items);
    listed.chain(event.get("resource")).find_map(|resource| {
        let typed = kind_of_type(resource.get("type").and_then(Json::text)?)?;
        let name = resource.get("name").and_then(Json::id);
        let id = resource
            .get("uid")
            .and_then(Json::id)
            .or_else(|| name.clone())?;
        let kind = match kind_of_id(&id) {
            IdentityKind::Unknown => typed,
            kind => kind,
        };
        Some(Subject {
            provider: Untrusted::new(provider(event, &id, source)),
            native_id: Untrusted::new(bounded_id(&id)),
            kind,
            name: name.as_deref().map(untrusted),
        })
    })
}

/// Tells which kind of identity a resource type is, if it is one.
fn kind_of_type(name: &str) -> Option<IdentityKind> {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, ':' | '.' | '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if let Some(kind) = IdentityKind::parse(name) {
        return Some(kind).filter(|k| *k != IdentityKind::Unknown);
    }
    IDENTITY_TYPES
        .iter()
        .find(|(t, _)| *t == plain)
        .map(|(_, kind)| *kind)
}

/// Tells the kind from `type` and `type_id` of a user: 1 user, 2 administrator, 3 system, 4 service
/// (<https://schema.ocsf.io/1.8.0/objects/user>).
fn kind_of_user(user: &Json<'_>) -> IdentityKind {
    let word = user.get("type").and_then(Json::text).unwrap_or_default();
    if let Some(kind) = kind_of_type(word).filter(|k| *k != IdentityKind::Unknown) {
        return kind;
    }
    match user.get("type_id").and_then(Json::integer) {
        Some(1 | 2) => return IdentityKind::Human,
        Some(3) => return IdentityKind::Workload,
        Some(4) => return IdentityKind::ServiceAccount,
        _ => {}
    }
    match word.trim().to_ascii_lowercase().as_str() {
        "user" | "admin" | "root" => IdentityKind::Human,
        "system" => IdentityKind::Workload,
        "service" | "role" | "awsservice" => IdentityKind::ServiceAccount,
        "application" => IdentityKind::OauthClient,
        _ => IdentityKind::Unknown,
    }
}

/// Names who knows this id: what its shape proves, else the cloud, else the product that reports it, else the source.
fn provider(event: &Event<'_, '_>, id: &str, source: &str) -> Small {
    if let Some(provider) = provider_of_id(id) {
        return provider.into();
    }
    let places: [&[&str]; 4] = [
        &["cloud", "provider"],
        &["metadata", "product", "vendor_name"],
        &["metadata", "product", "name"],
        &["metadata", "product", "uid"],
    ];
    let named = places.iter().find_map(|path| event.at(path)?.text());
    provider_word(named.unwrap_or(source))
}
