//! How much a policy of AWS gives.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::identity::Level;
use crate::inventory::value::{text, texts};

/// Longest policy that is decoded; AWS allows 20,480 characters.
const LONGEST: usize = 64 << 10;

/// Returns a policy document. The API encodes it for URLs (RFC 3986), the command line gives it as an object.
pub(super) fn document(value: &Value) -> Option<Cow<'_, Value>> {
    match value {
        Value::Object(_) => Some(Cow::Borrowed(value)),
        Value::String(encoded) if encoded.len() <= LONGEST => {
            let plain = decoded(encoded)?;
            serde_json::from_str(&plain).ok().map(Cow::Owned)
        }
        _ => None,
    }
}

/// Decodes `%7B`; a plus stays a plus.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// Returns the statements of a document: one may stand without a list.
pub(super) fn statements(document: &Value) -> &[Value] {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// Returns the most that a document allows, conditions and denials aside: those make it less, never more. `None` where it
/// cannot be read or allows nothing.
pub(super) fn level(value: &Value) -> Option<Level> {
    let document = document(value)?;
    let allowed = statements(&document)
        .iter()
        .filter(|s| text(s, &["Effect"]) == Some("Allow"));
    allowed.filter_map(of_statement).max()
}

fn of_statement(statement: &Value) -> Option<Level> {
    // All but what is named: next to everything.
    if statement.get("NotAction").is_some() {
        return Some(Level::Admin);
    }
    let actions = texts(statement.get("Action"));
    actions.into_iter().map(of_action).max()
}

/// Returns patterns of the roles that a document lets its holder become.
pub(super) fn assumable(value: &Value) -> Vec<String> {
    let Some(document) = document(value) else {
        return Vec::new();
    };
    let allowed = statements(&document)
        .iter()
        .filter(|s| text(s, &["Effect"]) == Some("Allow") && assumes(s));
    let resources = allowed.flat_map(|s| texts(s.get("Resource")));
    resources.map(str::to_owned).collect()
}

/// Tells whether a statement is about becoming a role.
pub(super) fn assumes(statement: &Value) -> bool {
    const ACTIONS: [&str; 3] = [
        "sts:assumerole",
        "sts:assumerolewithwebidentity",
        "sts:assumerolewithsaml",
    ];
    let actions = texts(statement.get("Action"));
    actions.into_iter().any(|action| {
        let action = action.to_ascii_lowercase();
        ACTIONS.iter().any(|known| is_like(known, &action))
    })
}

/// Actions that read secrets, or turn them back into plain text.
const SECRETS: [&str; 7] = [
    "secretsmanager:getsecretvalue",
    "secretsmanager:batchgetsecretvalue",
    "ssm:getparameter",
    "ssm:getparameters",
    "ssm:getparametersbypath",
    "kms:decrypt",
    "sts:getfederationtoken",
];

/// Actions by which who may do what is changed.
const ADMIN: [&str; 7] = [
    "iam:putuserpolicy",
    "iam:attachuserpolicy",
    "iam:createaccesskey",
    "iam:passrole",
    "iam:updateassumerolepolicy",
    "organizations:attachpolicy",
    "sso:createaccountassignment",
];

fn of_action(action: &str) -> Level {
    let action = action.to_ascii_lowercase();
    let means = |known: &&str| is_like(known, &action);
    if action == "*" || ADMIN.iter().any(means) {
        return Level::Admin;
    }
    if SECRETS.iter().any(means) {
        return Level::SecretReading;
    }
    let verb = action.split_once(':').map_or("*", |(_, verb)| verb);
    let reads = [
        "get", "list", "describe", "batchget", "head", "query", "scan", "search", "view", "lookup",
        "read",
    ];
    if reads.iter().any(|r| verb.starts_with(r)) {
        Level::Read
    } else {
        Level::Write
    }
}

/// Tells whether a pattern with `*` at its end or in it means a name.
pub(super) fn is_like(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || open
}

/// Tells how much a policy that AWS maintains gives, by its name; of others it is unknown here.
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>
pub(super) fn level_by_name(name: &str, arn: &str) -> Option<Level> {
    if !arn.is_empty() && !arn.contains(":iam::aws:policy/") {
        return None;
    }
    match name {
        "AdministratorAccess" | "IAMFullAccess" => Some(Level::Admin),
        "PowerUserAccess" | "SecretsManagerReadWrite" => Some(Level::SecretReading),
        "SecurityAudit" | "ViewOnlyAccess" => Some(Level::Read),
        _ if name.ends_with("ReadOnlyAccess") || name.ends_with("ReadOnly") => Some(Level::Read),
        _ if name.ends_with("FullAccess") => Some(Level::Write),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!("*"), Level::Admin)]
    #[case(json!("iam:*"), Level::Admin)]
    #[case(json!(["s3:GetObject", "iam:PassRole"]), Level::Admin)]
    #[case(json!("secretsmanager:*"), Level::SecretReading)]
    #[case(json!("secretsmanager:Get*"), Level::SecretReading)]
    #[case(json!("ssm:GetParameter*"), Level::SecretReading)]
    #[case(json!("s3:Get*"), Level::Read)]
    #[case(json!(["s3:ListBucket", "dynamodb:Query"]), Level::Read)]
    #[case(json!("s3:*"), Level::Write)]
    #[case(json!("s3:PutObject"), Level::Write)]
    fn actions_have_levels(#[case] actions: Value, #[case] want: Level) {
        let document =
            json!({ "Statement": { "Effect": "Allow", "Action": actions, "Resource": "*" } });
        assert_eq!(level(&document), Some(want));
    }

    #[test]
    fn documents_may_be_encoded_and_denials_give_nothing() {
        let encoded = json!(
            "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22NotAction%22%3A%22iam%3A%2A%22%7D%5D%7D"
        );
        assert_eq!(level(&encoded), Some(Level::Admin));
        assert_eq!(level(&json!("%7")), None);
        assert_eq!(
            level(&json!({ "Statement": [{ "Effect": "Deny", "Action": "*" }] })),
            None
        );
    }
}
