//! Under which other spellings an id stands for the same thing, as far as its issuer documents that.
//!
//! Alerts and inventories name one thing differently: a session's ARN and the role's, a key's resource name and its
//! account's address, a digest in hexadecimal and in base64. Each has one canonical key here; a prefix with a blank keeps
//! those apart from ids as they stand.

use super::super::vocabulary::words;

words! {
    /// Why an identity may be whom an alert means. The order is the rank.
    Reason {
        /// Its very id.
        SameId = "same id",
        /// One of its credentials is an access key of this id.
        AccessKey = "same access key id",
        /// One of its credentials.
        Credential = "same credential id",
        /// One of its other ids.
        Alias = "one of its other ids",
        /// The digest of one of its tokens or keys.
        Fingerprint = "same fingerprint",
        /// A session of this role.
        Role = "a session of this role",
        /// A key of this account.
        Account = "a key of this account",
        /// The same but for upper and lower case, where ids are compared so.
        Unique = "same id but for its spelling",
        /// Exactly its name.
        Name = "same name",
        /// Its name but for case, where its provider compares so.
        FoldedName = "same name but for case",
        /// It holds what the alert is about.
        Holds = "holds what the alert is about",
    }
}

/// Returns canonical keys of an id, those that say most first. At most three.
pub fn canonical(id: &str) -> Vec<(String, Reason)> {
    let mut keys = Vec::new();
    if let Some(digest) = fingerprint(id) {
        keys.push((digest, Reason::Fingerprint));
    }
    if let Some(role) = role(id) {
        keys.push((role, Reason::Role));
    }
    keys.extend(google(id));
    if let Some((unique, _)) = id.split_once(':').filter(|(u, _)| is_aws_unique(u)) {
        keys.push((unique.to_owned(), Reason::Role));
    }
    if is_guid(id) && id.bytes().any(|b| b.is_ascii_uppercase()) {
        keys.push((id.to_ascii_lowercase(), Reason::Unique));
    }
    keys
}

/// Returns the key of a digest of 32 bytes, whether in hexadecimal (with colons or not) or base64, with or without
/// `SHA256:` before it: `ssh-keygen -l` writes base64 without padding, certificate tools hexadecimal, and the audit log of
/// GitHub base64 with padding.
fn fingerprint(id: &str) -> Option<String> {
    use std::fmt::Write as _;
    let prefix = id.get(..7).filter(|p| p.eq_ignore_ascii_case("sha256:"));
    let body = &id[prefix.map_or(0, str::len)..];
    let hex: String = body.chars().filter(|c| *c != ':').collect();
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(format!("sha256 {}", hex.to_ascii_lowercase()));
    }
    let plain = body.trim_end_matches('=');
    // Without a prefix or padding it is just some id of 43 characters.
    if plain.len() != 43 || (prefix.is_none() && !body.ends_with('=')) {
        return None;
    }
    let (mut bits, mut count, mut out) = (0_u32, 0_u32, String::from("sha256 "));
    for byte in plain.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(six), count + 6);
        if count >= 8 {
            count -= 8;
            // Writing to a String cannot fail.
            let _ = write!(out, "{:02x}", bits >> count & 0xff);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// Returns the key of an AWS role, of which a session's ARN shows the name but not the path:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>.
fn role(id: &str) -> Option<String> {
    let mut parts = id.splitn(6, ':');
    let (arn, _, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name = match (arn, service) {
        ("arn", "sts") => {
            let rest = resource.strip_prefix("assumed-role/")?;
            rest.split_once('/').map_or(rest, |(name, _)| name)
        }
        ("arn", "iam") => {
            let rest = resource.strip_prefix("role/")?;
            rest.rsplit_once('/').map_or(rest, |(_, name)| name)
        }
        _ => return None,
    };
    Some(format!("role {account}/{name}"))
}

/// Takes a Google resource name apart: the key's id, and the account's address or unique id.
/// <https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys>
fn google(id: &str) -> Vec<(String, Reason)> {
    let member = ["serviceAccount:", "deleted:serviceAccount:"];
    if let Some(address) = member.iter().find_map(|p| id.strip_prefix(p)) {
        let address = address.split_once('?').map_or(address, |(a, _)| a);
        return vec![(address.to_owned(), Reason::Unique)];
    }
    let Some((_, rest)) = id.split_once("/serviceAccounts/") else {
        return Vec::new();
    };
    match rest.split_once("/keys/") {
        Some((account, key)) => vec![
            (key.to_owned(), Reason::Credential),
            (account.to_owned(), Reason::Account),
        ],
        None => vec![(rest.to_owned(), Reason::Unique)],
    }
}

/// Tells whether this is a unique id of AWS, such as that of a role before `:session`.
fn is_aws_unique(id: &str) -> bool {
    id.len() >= 16
        && ["AROA", "AIDA"].iter().any(|p| id.starts_with(p))
        && id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Tells whether this is a UUID in its textual form; case does not matter in it (RFC 9562 §4).
fn is_guid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
    )]
    #[case(
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "e3:b0:c4:42:98:fc:1c:14:9a:fb:f4:c8:99:6f:b9:24:27:ae:41:e4:64:9b:93:4c:a4:95:99:1b:78:52:b8:55"
    )]
    #[case(
        "arn:aws:sts::123456789012:assumed-role/deploy/i-0abc",
        "arn:aws:iam::123456789012:role/ci/blue/deploy"
    )]
    #[case(
        "serviceAccount:d@lab.iam.gserviceaccount.com",
        "projects/-/serviceAccounts/d@lab.iam.gserviceaccount.com"
    )]
    #[case(
        "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "6BA7b810-9DAD-11D1-80B4-00C04FD430C8"
    )]
    #[case("AROAEXAMPLEEXAMPLEID:session-1", "AROAEXAMPLEEXAMPLEID:other")]
    fn spellings_of_one_thing_have_one_key(#[case] one: &str, #[case] other: &str) {
        let keys = canonical(one);
        assert!(!keys.is_empty());
        assert_eq!(keys, canonical(other));
    }

    #[rstest]
    #[case("svc-deploy")]
    #[case("")]
    #[case("sha256:")]
    #[case("sha256:zz")]
    #[case("SHA25\u{df}6:x")]
    #[case("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")]
    #[case("arn:aws:iam::123456789012:user/deploy")]
    #[case("arn:aws:sts::1")]
    #[case("6ba7b810-9dad-11d1-80b4-00c04fd430c8")]
    fn others_stand_for_themselves(#[case] id: &str) {
        assert_eq!(canonical(id), []);
    }

    #[test]
    fn a_key_of_google_names_its_account() {
        let id = "//iam.googleapis.com/projects/lab/serviceAccounts/d@lab.iam.gserviceaccount.com/keys/k1";
        let keys = canonical(id);
        assert_eq!(keys[0], ("k1".to_owned(), Reason::Credential));
        assert_eq!(
            keys[1],
            ("d@lab.iam.gserviceaccount.com".to_owned(), Reason::Account)
        );
    }
}
