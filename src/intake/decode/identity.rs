//! Whom an id stands for, as far as its shape is documented.

use super::{LONGEST_ID, bounded_id, untrusted};
use crate::domain::alert::Subject;
use crate::domain::small::Small;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::IdentityKind;

/// Makes a subject. The shape of the id says more about provider and kind than the place it was found in, so it wins.
pub(super) fn subject(
    provider: &str,
    id: impl AsRef<str>,
    kind: IdentityKind,
    name: Option<&str>,
) -> Subject {
    let id = id.as_ref();
    let kind = match kind_of_id(id) {
        IdentityKind::Unknown => kind,
        shape => shape,
    };
    let provider = provider_of_id(id).map_or_else(|| provider_word(provider), Small::from);
    Subject {
        provider: Untrusted::new(provider),
        native_id: Untrusted::new(bounded_id(id)),
        kind,
        name: name.filter(|n| *n != id).map(untrusted),
    }
}

/// Names the provider that an id belongs to by its shape.
pub(super) fn provider_of_id(id: &str) -> Option<&'static str> {
    let shaped = kind_of_id(id) != IdentityKind::Unknown;
    if id.starts_with("arn:aws") || (shaped && id.starts_with('A')) {
        Some("aws")
    } else if id.ends_with(".gserviceaccount.com") {
        Some("gcp")
    } else if id.starts_with("system:") && shaped {
        Some("kubernetes")
    } else {
        None
    }
}

/// Makes one word of a provider's name: it stands before the colon of an identity's id.
pub(super) fn provider_word(name: &str) -> Small {
    let name = name.trim();
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b':';
    if name.len() <= LONGEST_ID && name.bytes().all(is_plain) {
        return match name.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Small::in_lower(name),
            false => name.into(),
        };
    }
    let word = name.to_lowercase();
    let plain = |c: char| {
        if c == ':' || c.is_whitespace() {
            '-'
        } else {
            c
        }
    };
    bounded_id(&word.chars().map(plain).collect::<String>())
}

/// Tells the kind from the shape of an id, where the shape is documented: AWS unique id prefixes
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>), ARNs, Google service account
/// addresses, Kubernetes user names, SPIFFE ids.
pub(super) fn kind_of_id(id: &str) -> IdentityKind {
    let key_id = id.len() >= 16
        && id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    match id {
        _ if key_id && id.starts_with("AKIA") => IdentityKind::AccessKey,
        _ if key_id && id.starts_with("ASIA") => IdentityKind::RoleSession,
        _ if id.starts_with("AROA") && id.contains(':') => IdentityKind::RoleSession,
        _ if id.starts_with("arn:") && id.contains(":assumed-role/") => IdentityKind::RoleSession,
        _ if id.starts_with("arn:") && id.contains(":role/") => IdentityKind::ServiceAccount,
        _ if id.ends_with(".gserviceaccount.com") => IdentityKind::ServiceAccount,
        _ if id.starts_with("system:serviceaccount:") => IdentityKind::ServiceAccount,
        _ if id.starts_with("system:node:") || id.starts_with("spiffe://") => {
            IdentityKind::Workload
        }
        _ => IdentityKind::Unknown,
    }
}
