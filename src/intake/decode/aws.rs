//! Amazon GuardDuty findings and the AWS Security Finding Format (ASFF) of Security Hub.
//!
//! <https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html>,
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>

use super::draft::Draft;
use super::fields::{Fields, has, text_at};
use super::identity::subject;
use super::pattern::{from_operation, from_technique, from_type};
use super::registry::Results;
use super::{Origin, severity};
use crate::domain::alert::Subject;
use crate::domain::small::Small;
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};
use crate::intake::json::Json;

/// Name of the finding kind.
pub(super) const GUARDDUTY: &str = "aws_guardduty";
/// Name of the ASFF kind.
pub(super) const ASFF: &str = "aws_securityhub_asff";

/// Where a resource type of GuardDuty keeps the id of what was touched; tried in this order when none is said.
const TARGETS: &[(&str, &[&str])] = &[
    ("S3Bucket", &["resource.s3BucketDetails"]),
    ("S3Object", &["resource.s3BucketDetails"]),
    (
        "EKSCluster",
        &[
            "resource.eksClusterDetails.arn",
            "resource.eksClusterDetails.name",
        ],
    ),
    ("KubernetesCluster", &["resource.eksClusterDetails.arn"]),
    (
        "ECSCluster",
        &[
            "resource.ecsClusterDetails.arn",
            "resource.ecsClusterDetails.name",
        ],
    ),
    (
        "Container",
        &[
            "resource.containerDetails.id",
            "resource.containerDetails.name",
        ],
    ),
    (
        "RDSDBInstance",
        &["resource.rdsDbInstanceDetails.dbInstanceArn"],
    ),
    ("Lambda", &["resource.lambdaDetails.functionArn"]),
    ("Instance", &["resource.instanceDetails.instanceId"]),
];

/// Tells a GuardDuty finding, also as SDKs write it (`AccountId`).
pub(super) fn is_guardduty(value: &Json<'_>) -> bool {
    let found = |keys: &[&str]| keys.iter().filter(|key| has(value, key)).count();
    let named = text_at(value, "arn").is_some_and(|arn| arn.contains(":guardduty:"));
    found(&["type", "accountId"]) == 2
        && (named
            || found(&[
                "resource",
                "severity",
                "service",
                "schemaVersion",
                "updatedAt",
                "partition",
            ]) > 2)
}

/// Decodes a GuardDuty finding. Severity is a number: 1 to 3.9 low, 4 to 6.9 medium, 7 to 8.9 high, 9 to 10 critical
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html>). A sample finding is nothing that
/// was detected, so its confidence is 0.
pub(super) fn decode_guardduty(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(GUARDDUTY);
    draft.id = fields.id(&["id"]).map(Into::into);
    draft.time = fields.time(&["updatedAt", "createdAt"]);
    draft.exposed_at = fields.earliest(&["service.eventFirstSeen", "createdAt"]);
    let kind = fields.text(&["type"]);
    draft.action = kind.map(Into::into);
    draft.title = fields.text(&["title", "type"]).map(Into::into);
    let number = fields.number(&["severity"]);
    draft.severity_from(fields.scalar(&["severity"]), |_| {
        number.and_then(guardduty_severity)
    });
    let confidence = fields
        .number(&["confidence"])
        .filter(|c| (0.0..=100.0).contains(c));
    draft.confidence = confidence.map(|c| c as u8);
    if fields.flag(&["service.additionalInfo.sample"]) {
        draft.confidence = Some(0);
    }
    draft.signal(kind.and_then(from_type));
    guardduty_identity(&fields, &mut draft);
    guardduty_target(&fields, &mut draft);
    sequence(value, &mut draft);
    draft.incident = attack_sequence(value, &fields);
    draft.url = console_url(value).map(Into::into);
    vec![draft.finish(&fields, origin)]
}

fn guardduty_severity(value: f64) -> Option<Severity> {
    Some(match value {
        _ if !(0.0..=10.0).contains(&value) || value == 0.0 => return None,
        v if v < 4.0 => Severity::Low,
        v if v < 7.0 => Severity::Medium,
        v if v < 9.0 => Severity::High,
        _ => Severity::Critical,
    })
}

fn guardduty_identity(fields: &Fields<'_, '_>, draft: &mut Draft) {
    let name = fields.text(&["resource.accessKeyDetails.userName"]);
    let principal = fields.text(&["resource.accessKeyDetails.principalId"]);
    let of_type = match fields.text(&["resource.accessKeyDetails.userType"]) {
        Some("AssumedRole" | "FederatedUser") => IdentityKind::RoleSession,
        Some("Role") => IdentityKind::ServiceAccount,
        Some("Root") => IdentityKind::Human,
        _ => IdentityKind::Unknown,
    };
    if let Some(key) = fields.text(&["resource.accessKeyDetails.accessKeyId"]) {
        let kind = match of_type {
            IdentityKind::RoleSession => of_type,
            _ => IdentityKind::AccessKey,
        };
        draft.subject = Some(subject("aws", key, kind, name));
        let behind = principal.map(|id| subject("aws", id, of_type, name));
        draft.candidates.extend(behind);
        return;
    }
    let kubernetes = "resource.kubernetesDetails.kubernetesUserDetails.username";
    if let Some(id) = principal.or(name) {
        draft.subject = Some(subject("aws", id, of_type, name));
    } else if let Some(user) = fields.text(&[kubernetes]) {
        draft.subject = Some(subject("kubernetes", user, IdentityKind::Unknown, None));
    }
    // The profile is what the instance may use; that it was used is not said.
    if let Some(profile) = fields.text(&["resource.instanceDetails.iamInstanceProfile.arn"]) {
        let kind = IdentityKind::ServiceAccount;
        draft.candidates.push(subject("aws", profile, kind, None));
    }
}

fn guardduty_target(fields: &Fields<'_, '_>, draft: &mut Draft) {
    let said = fields.text(&["resource.resourceType"]);
    // A key or an attack sequence is no target; what else the finding lists is context.
    if matches!(said, Some("AccessKey" | "AttackSequence")) {
        return;
    }
    for (kind, paths) in TARGETS {
        if said.is_some_and(|said| !said.eq_ignore_ascii_case(kind)) {
            continue;
        }
        if paths[0].ends_with("s3BucketDetails") {
            let buckets = fields.each(paths[0]);
            let id = buckets.first().and_then(|b| b.text(&["arn", "name"]));
            draft.touched(id, kind);
        } else {
            draft.touched(fields.text(paths), kind);
        }
    }
}

/// Reads an attack sequence: who took part, and by which techniques.
/// <https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Sequence.html>
fn sequence(value: &Json<'_>, draft: &mut Draft) {
    let Some(sequence) = value.at(&["service", "detection", "sequence"]) else {
        return;
    };
    for actor in sequence.get("actors").into_iter().flat_map(Json::items) {
        let id = ["user.credentialUid", "user.uid", "user.name"]
            .iter()
            .find_map(|path| text_at(actor, path));
        let name = text_at(actor, "user.name");
        let found = id.map(|id| subject("aws", id, IdentityKind::Unknown, name));
        draft.candidates.extend(found);
    }
    for indicator in sequence.get("indicators").into_iter().flat_map(Json::items) {
        if text_at(indicator, "key") == Some("ATTACK_TECHNIQUE") {
            let values = indicator.get("values").into_iter().flat_map(Json::items);
            for id in values.filter_map(Json::text).filter_map(technique_id) {
                draft.techniques.push(id.into());
                draft.signal(from_technique(id));
            }
        }
    }
}

/// Returns what the findings of one attack sequence share: the ARN of the sequence's own finding
/// (<https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html>, `associatedAttackSequenceArn`).
fn attack_sequence(value: &Json<'_>, fields: &Fields<'_, '_>) -> Option<Small> {
    let own = value.at(&["service", "detection", "sequence"]);
    let own = own.and_then(|_| fields.hint(&["arn"]));
    fields.hint(&["associatedAttackSequenceArn"]).or(own)
}

/// Finds `T1234` or `T1234.001` in a text.
fn technique_id(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    words.find(|word| {
        let digits = word.strip_prefix('T').unwrap_or_default();
        digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

/// Builds the console's address of a finding; the API gives none.
fn console_url(value: &Json<'_>) -> Option<String> {
    let plain = |text: &&str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        text.len() <= 64 && text.bytes().all(allowed)
    };
    let region = text_at(value, "region").filter(plain)?;
    let id = text_at(value, "id").filter(plain)?;
    Some(format!(
        "https://{region}.console.aws.amazon.com/guardduty/home?region={region}#/findings?macros=current&fId={id}"
    ))
}

/// Identity resources of ASFF, the most exact first.
const IDENTITIES: &[(&str, IdentityKind)] = &[
    ("AwsIamAccessKey", IdentityKind::AccessKey),
    ("AwsIamUser", IdentityKind::Unknown),
    ("AwsIamRole", IdentityKind::ServiceAccount),
];

/// Tells a finding in ASFF.
pub(super) fn is_asff(value: &Json<'_>) -> bool {
    has(value, "ProductArn")
        && [
            "AwsAccountId",
            "GeneratorId",
            "Resources",
            "FindingProviderFields",
        ]
        .iter()
        .any(|key| has(value, key))
}

/// Decodes an ASFF finding. `Severity.Label` counts; without it `Normalized` does: 0 informational, 1 to 39 low, 40 to 69
/// medium, 70 to 89 high, 90 to 100 critical
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html>). `Confidence` is 0 to 100.
pub(super) fn decode_asff(value: &Json<'_>, origin: &Origin<'_>) -> Results {
    let fields = Fields::new(value);
    let mut draft = Draft::new(ASFF);
    draft.id = fields.id(&["Id"]).map(Into::into);
    // Products choose ids of their own; only together with the product they are unique.
    if let (Some(id), Some(product)) = (&draft.id, fields.text(&["ProductArn"])) {
        draft.key = (!id.starts_with("arn:")).then(|| format!("{product}/{id}"));
    }
    draft.time = fields.time(&["UpdatedAt", "LastObservedAt", "CreatedAt"]);
    draft.exposed_at = fields.earliest(&["FirstObservedAt", "CreatedAt"]);
    draft.title = fields.text(&["Title"]).map(Into::into);
    let severity_raw = fields.scalar(&[
        "Severity.Label",
        "Severity.Normalized",
        "Severity.Product",
        "Severity.Original",
    ]);
    let normalized = fields.number(&["Severity.Normalized"]);
    draft.severity_from(severity_raw, |raw| {
        severity::from_word(raw).or_else(|| normalized.and_then(asff_severity))
    });
    let confidence = fields
        .number(&["Confidence"])
        .filter(|c| (0.0..=100.0).contains(c));
    draft.confidence = confidence.map(|c| c as u8);
    let types = fields.texts("Types");
    draft.action = types.first().map(|&t| t.into());
    for name in &types {
        draft.signal(asff_type(name));
    }
    let call = fields.text(&["Action.AwsApiCallAction.Api"]);
    draft.signal(call.and_then(from_operation));
    let is_check = has(value, "Compliance.Status") || has(value, "Compliance.SecurityControlId");
    draft.signal(is_check.then_some(ActionPattern::Posture));
    asff_resources(&fields, &mut draft);
    draft.url = fields.text(&["SourceUrl"]).map(Into::into);
    vec![draft.finish(&fields, origin)]
}

/// Reads a type of the taxonomy `namespace/category/classifier`; products put their own type last, with `-` for `/`
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html#Types>).
fn asff_type(name: &str) -> Option<ActionPattern> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let own = last
        .contains(':')
        .then(|| from_type(&last.replacen('-', "/", 1)));
    own.flatten().or_else(|| from_type(name))
}

fn asff_severity(normalized: f64) -> Option<Severity> {
    Some(match normalized {
        v if !(0.0..=100.0).contains(&v) => return None,
        v if v < 1.0 => Severity::Info,
        v if v < 40.0 => Severity::Low,
        v if v < 70.0 => Severity::Medium,
        v if v < 90.0 => Severity::High,
        _ => Severity::Critical,
    })
}

fn asff_resources(fields: &Fields<'_, '_>, draft: &mut Draft) {
    let resources = fields.each("Resources");
    let rank = |r: &Fields<'_, '_>| {
        let kind = r.text(&["Type"])?;
        IDENTITIES.iter().position(|(t, _)| *t == kind)
    };
    let is_actor = |r: &Fields<'_, '_>| {
        let role = r.text(&["ResourceRole"]);
        role.is_some_and(|role| role.eq_ignore_ascii_case("actor"))
    };
    let mut listed: Vec<(usize, &Fields<'_, '_>)> = resources
        .iter()
        .filter_map(|r| Some((rank(r)?, r)))
        .collect();
    if listed.iter().any(|(_, r)| is_actor(r)) {
        listed.retain(|(_, r)| is_actor(r));
    }
    listed.sort_by_key(|(rank, _)| *rank);
    let alone = listed
        .iter()
        .filter(|(rank, _)| *rank == listed[0].0)
        .count()
        == 1;
    let found: Vec<Subject> = listed
        .iter()
        .filter_map(|(rank, r)| asff_subject(r, IDENTITIES[*rank].1))
        .collect();
    if alone {
        draft.subject = found.first().cloned();
    }
    draft.candidates.extend(found);
    let target = resources.iter().find(|r| rank(r).is_none());
    if let Some(target) = target.or_else(|| resources.first()) {
        let kind = target.text(&["Type"]).unwrap_or_default();
        draft.touched(target.id(&["Id"]), kind);
    }
}

fn asff_subject(resource: &Fields<'_, '_>, kind: IdentityKind) -> Option<Subject> {
    let name = resource.text(&[
        "Details.AwsIamAccessKey.PrincipalName",
        "Details.AwsIamAccessKey.UserName",
        "Details.AwsIamUser.UserName",
        "Details.AwsIamRole.RoleName",
    ]);
    Some(subject("aws", resource.id(&["Id"])?, kind, name))
}
