//! Shared Signals: security event tokens (RFC 8417) with CAEP and RISC events.
//!
//! <https://openid.net/specs/openid-caep-1_0-final.html>, <https://openid.net/specs/openid-risc-1_0-final.html>,
//! <https://openid.net/specs/openid-sharedsignals-framework-1_0-final.html>. A token may carry several events; each is an
//! alert. `iss` and `jti` together are unique. Some senders put the subject inside the event.

use super::Origin;
use super::draft::Draft;
use super::fields::{Fields, has, member};
use super::identity::subject;
use super::pattern::{Table, lookup};
use super::registry::Results;
use super::severity;
use crate::domain::alert::Subject;
use crate::domain::vocabulary::ActionPattern as P;
use crate::domain::vocabulary::{IdentityKind, Severity};
use crate::intake::json::Json;

/// Name of the kind.
pub(super) const KIND: &str = "ssf_set";

/// Events by the last part of their address.
const EVENTS: Table = &[
    ("session-revoked", P::SessionRevokedSignal),
    ("sessions-revoked", P::SessionRevokedSignal),
    ("token-claims-change", P::PermissionChanged),
    ("credential-change", P::CredentialChangedSignal),
    ("credential-compromise", P::CredentialExposed),
    ("risk-level-change", P::CredentialUsedAnomalously),
    ("assurance-level-change", P::SessionPolicyViolation),
    ("device-compliance-change", P::SessionPolicyViolation),
    ("account-*", P::AccountStateSignal),
    ("identifier-*", P::AccountStateSignal),
    ("opt-*", P::AccountStateSignal),
    ("recovery-*", P::RecoveryTampered),
];

/// Members of a complex subject that name who it is, the most exact first; the others are what it is about.
const WHO: &[&str] = &["user", "application", "client", "account"];
/// Members of a complex subject that name what is affected.
const WHAT: &[&str] = &[
    "session",
    "token",
    "device",
    "application",
    "group",
    "org_unit",
    "tenant",
];

/// Tells the claims of a token.
pub(super) fn detect(value: &Json<'_>) -> bool {
    let found = |keys: &[&str]| keys.iter().filter(|key| has(value, key)).count();
    match member(value, "events") {
        Some(Json::Object(_)) => found(&["jti", "sub_id", "iss"]) > 0,
        Some(_) => found(&["jti", "iss"]) == 2,
        None => found(&["jti", "sub_id"]) == 2,
    }
}

/// Decodes the claims: one alert an event.
pub(super) fn decode(claims: &Json<'_>, origin: &Origin<'_>) -> Results {
    let events: &[_] = match member(claims, "events") {
        Some(Json::Object(events)) => events,
        _ => &[],
    };
    if events.is_empty() {
        let fields = Fields::new(claims);
        fields.object("events");
        let mut draft = Draft::new(KIND);
        draft.id = fields.id(&["jti"]).map(Into::into);
        draft.time = fields.time(&["toe", "iat"]);
        draft.title = Some("security event token without an event".into());
        let issuer = fields.text(&["iss"]).unwrap_or(origin.source);
        whom(&fields, &fields, issuer, &mut draft);
        return vec![draft.finish(&fields, origin)];
    }
    let several = events.len() > 1;
    events
        .iter()
        .map(|(uri, event)| one(claims, uri, event, several, origin))
        .collect()
}

fn one(
    claims: &Json<'_>,
    uri: &str,
    event: &Json<'_>,
    several: bool,
    origin: &Origin<'_>,
) -> Result<super::Decoded, super::Undecodable> {
    let fields = Fields::new(claims);
    let inner = Fields::new(event).placed(format!("events.{uri}"));
    let name = uri.trim_end_matches('/').rsplit('/').next().unwrap_or(uri);
    let mut draft = Draft::new(KIND);
    let issuer = fields.text(&["iss"]);
    draft.id = fields.id(&["jti"]).map(Into::into);
    draft.key = draft.id.as_ref().map(|id| {
        let issuer = issuer.unwrap_or_default();
        let suffix = if several {
            format!("#{name}")
        } else {
            String::new()
        };
        format!("{issuer}|{id}{suffix}")
    });
    draft.time = inner
        .time(&["event_timestamp"])
        .or_else(|| fields.time(&["toe", "iat"]));
    draft.exposed_at = inner.time(&["event_timestamp"]);
    draft.action = Some(uri.into());
    // Correlates tokens about one transaction (RFC 8417 §2.2, `txn`).
    draft.incident = fields.hint(&["txn"]);
    draft.title =
        Some(reason(event).map_or_else(|| name.into(), |why| format!("{name}: {why}").into()));
    draft.signal(lookup(EVENTS, name));
    severities(name, &inner, &mut draft);
    whom(&fields, &inner, issuer.unwrap_or(origin.source), &mut draft);
    if let Some(wrong) = inner.wrong() {
        return Err(super::registry::wrong_type(KIND, wrong));
    }
    draft.finish(&fields, origin)
}

/// Reads `reason_admin`: text, or texts by language.
fn reason<'v>(event: &'v Json<'_>) -> Option<&'v str> {
    match member(event, "reason_admin")? {
        Json::Object(languages) => {
            let english = languages.iter().find(|(tag, _)| tag.starts_with("en"));
            english.or(languages.first())?.1.text()
        }
        text => text.text(),
    }
}

/// Only a change of risk level brings a severity: LOW, MEDIUM, HIGH. Ours are: a compromised credential is high, and so is
/// an account disabled because it was hijacked.
fn severities(name: &str, event: &Fields<'_, '_>, draft: &mut Draft) {
    match name {
        "risk-level-change" => {
            draft.severity_from(event.scalar(&["current_level"]), severity::from_word);
        }
        "credential-compromise" => draft.severity = Some(Severity::High),
        "account-disabled" if event.text(&["reason"]) == Some("hijacking") => {
            draft.severity = Some(Severity::High);
        }
        _ => {}
    }
}

fn whom(claims: &Fields<'_, '_>, event: &Fields<'_, '_>, issuer: &str, draft: &mut Draft) {
    let named = claims
        .object("sub_id")
        .or_else(|| event.object("subject"))
        .or_else(|| event.object("sub_id"))
        .or_else(|| claims.object("subject"));
    let Some(named) = named else {
        let plain = claims.text(&["sub"]);
        draft.subject = plain.map(|id| subject(&host(issuer), id, IdentityKind::Unknown, None));
        return;
    };
    if has(named.root(), "identifiers") {
        // Several names of one and the same subject.
        let listed = named.each("identifiers");
        let found: Vec<Subject> = listed.iter().filter_map(|i| simple(i, issuer)).collect();
        draft.subject = found.first().cloned();
        draft.candidates = found;
        return;
    }
    if let Some(found) = simple(&named, issuer) {
        draft.subject = Some(found);
        return;
    }
    let part = |name: &str| match member(named.root(), name)? {
        Json::Text(id) => Some(subject(&host(issuer), id, IdentityKind::Unknown, None)),
        _ => simple(&named.object(name)?, issuer),
    };
    draft.subject = WHO.iter().find_map(|name| part(name));
    for name in WHAT {
        let found = part(name);
        draft.touched(found.map(|f| f.native_id.raw().to_owned()), name);
    }
}

/// Reads a subject identifier of RFC 9493 §3.2, also under the names of older drafts.
fn simple(value: &Fields<'_, '_>, issuer: &str) -> Option<Subject> {
    let format = value.text(&["format", "subject_type"])?;
    let normal = format.replace('-', "_").to_ascii_lowercase();
    let (path, kind) = match normal.as_str() {
        "opaque" => ("id", IdentityKind::Unknown),
        "iss_sub" => ("sub", IdentityKind::Unknown),
        "email" | "id_token_claims" => ("email", IdentityKind::Human),
        "phone_number" | "phone" => ("phone_number", IdentityKind::Human),
        "account" | "uri" => ("uri", IdentityKind::Unknown),
        "did" => ("url", IdentityKind::Unknown),
        "jwt_id" => ("jti", IdentityKind::ApiToken),
        "saml_assertion_id" => ("assertion_id", IdentityKind::ApiToken),
        _ => return None,
    };
    let id = value.id(&[path])?;
    let issuer = value.text(&["iss", "issuer"]).unwrap_or(issuer);
    Some(subject(&host(issuer), id, kind, None))
}

/// Shortens an issuer to its host: the provider word of an identity.
fn host(issuer: &str) -> String {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}
