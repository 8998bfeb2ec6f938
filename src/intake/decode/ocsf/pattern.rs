//! Which action pattern an OCSF event stands for, from documented vocabularies only; titles are prose and prove nothing.

use super::technique_ids;
use crate::domain::vocabulary::ActionPattern::{self, *};
use crate::intake::json::Json;

/// ATT&CK techniques (<https://attack.mitre.org/techniques/enterprise/>). A sub-technique that is not listed counts as
/// its technique.
const TECHNIQUES: &[(&str, ActionPattern)] = &[
    ("T1552", CredentialExposed),
    ("T1649", CredentialExposed),
    ("T1528", TokenReplay),
    ("T1539", TokenReplay),
    ("T1550", TokenReplay),
    ("T1606", TokenReplay),
    ("T1558", TokenReplay),
    ("T1078", CredentialUsedAnomalously),
    ("T1110", CredentialUsedAnomalously),
    ("T1621", CredentialUsedAnomalously),
    ("T1098", PermissionChanged),
    ("T1098.001", CredentialCreatedOrAdded),
    ("T1098.002", ConsentOrGrantAdded),
    ("T1098.003", PrivilegeEscalated),
    ("T1098.004", CredentialCreatedOrAdded),
    ("T1098.005", CredentialCreatedOrAdded),
    ("T1098.006", PrivilegeEscalated),
    ("T1136", CredentialCreatedOrAdded),
    ("T1068", PrivilegeEscalated),
    ("T1134", PrivilegeEscalated),
    ("T1548", PrivilegeEscalated),
    ("T1611", PrivilegeEscalated),
    ("T1484", PermissionChanged),
    ("T1222", PermissionChanged),
    ("T1003", SecretRead),
    ("T1555", SecretRead),
    ("T1556", DefenseTampered),
    ("T1556.006", RecoveryTampered),
    ("T1562", DefenseTampered),
    ("T1070", DefenseTampered),
    ("T1578", DefenseTampered),
    ("T1490", RecoveryTampered),
    ("T1033", Recon),
    ("T1046", Recon),
    ("T1069", Recon),
    ("T1082", Recon),
    ("T1083", Recon),
    ("T1087", Recon),
    ("T1518", Recon),
    ("T1526", Recon),
    ("T1538", Recon),
    ("T1580", Recon),
    ("T1595", Recon),
    ("T1613", Recon),
    ("T1619", Recon),
    ("T1020", DataExfil),
    ("T1041", DataExfil),
    ("T1048", DataExfil),
    ("T1052", DataExfil),
    ("T1114", DataExfil),
    ("T1213", DataExfil),
    ("T1530", DataExfil),
    ("T1537", DataExfil),
    ("T1567", DataExfil),
    ("T1053", WorkloadExec),
    ("T1059", WorkloadExec),
    ("T1204", WorkloadExec),
    ("T1204.001", PostClick),
    ("T1566", PostClick),
    ("T1609", WorkloadExec),
    ("T1610", WorkloadExec),
    ("T1648", WorkloadExec),
    ("T1651", WorkloadExec),
    ("T1021", CrossSystemMovement),
    ("T1199", CrossSystemMovement),
    ("T1563", CrossSystemMovement),
    ("T1570", CrossSystemMovement),
];

/// First parts of finding types: GuardDuty's `ThreatPurpose:Resource/Family`
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html>) and the namespaces of Security
/// Hub's types taxonomy. Longer beginnings stand first.
const TYPE_BEGINNINGS: &[(&str, ActionPattern)] = &[
    (
        "unauthorizedaccess:iamuser/instancecredentialexfiltration",
        TokenReplay,
    ),
    ("unauthorizedaccess:", CredentialUsedAnomalously),
    ("credentialaccess:", CredentialUsedAnomalously),
    ("initialaccess:", CredentialUsedAnomalously),
    ("privilegeescalation:", PrivilegeEscalated),
    ("persistence:", PrivilegeEscalated),
    ("stealth:", DefenseTampered),
    ("defenseevasion:", DefenseTampered),
    ("exfiltration:", DataExfil),
    ("recon:", Recon),
    ("discovery:", Recon),
    ("execution:", WorkloadExec),
    ("policy:", Posture),
    ("effects/data exfiltration", DataExfil),
    ("effects/data exposure", CredentialExposed),
    (
        "sensitive data identifications/passwords",
        CredentialExposed,
    ),
    ("unusual behaviors/", CredentialUsedAnomalously),
    ("software and configuration checks", Posture),
    ("ttps/initial access", CredentialUsedAnomalously),
    ("ttps/credential access", CredentialUsedAnomalously),
    ("ttps/privilege escalation", PrivilegeEscalated),
    ("ttps/persistence", PrivilegeEscalated),
    ("ttps/defense evasion", DefenseTampered),
    ("ttps/discovery", Recon),
    ("ttps/execution", WorkloadExec),
    ("ttps/lateral movement", CrossSystemMovement),
    ("ttps/collection", DataExfil),
];

/// Names of calls as audit logs write them: AWS CloudTrail, GitHub audit log, Okta System Log, Kubernetes.
const OPERATIONS: &[(&str, ActionPattern)] = &[
    ("createaccesskey", CredentialCreatedOrAdded),
    ("createloginprofile", CredentialCreatedOrAdded),
    ("createservicespecificcredential", CredentialCreatedOrAdded),
    ("uploadsshpublickey", CredentialCreatedOrAdded),
    ("createuser", CredentialCreatedOrAdded),
    ("createserviceaccountkey", CredentialCreatedOrAdded),
    ("deploy_key.create", CredentialCreatedOrAdded),
    ("personal_access_token.create", CredentialCreatedOrAdded),
    ("public_key.create", CredentialCreatedOrAdded),
    ("system.api_token.create", CredentialCreatedOrAdded),
    ("oauth_authorization.create", ConsentOrGrantAdded),
    ("integration_installation.create", ConsentOrGrantAdded),
    ("app.oauth2.as.consent.grant", ConsentOrGrantAdded),
    ("attachuserpolicy", PrivilegeEscalated),
    ("attachrolepolicy", PrivilegeEscalated),
    ("attachgrouppolicy", PrivilegeEscalated),
    ("putuserpolicy", PrivilegeEscalated),
    ("putrolepolicy", PrivilegeEscalated),
    ("addusertogroup", PrivilegeEscalated),
    ("updateassumerolepolicy", PrivilegeEscalated),
    ("user.account.privilege.grant", PrivilegeEscalated),
    ("detachuserpolicy", PermissionChanged),
    ("detachrolepolicy", PermissionChanged),
    ("setiampolicy", PermissionChanged),
    ("putbucketpolicy", PermissionChanged),
    ("getsecretvalue", SecretRead),
    ("batchgetsecretvalue", SecretRead),
    ("accesssecretversion", SecretRead),
    ("getparametersbypath", SecretRead),
    ("stoplogging", DefenseTampered),
    ("deletetrail", DefenseTampered),
    ("deletedetector", DefenseTampered),
    ("deleteflowlogs", DefenseTampered),
    ("getcalleridentity", Recon),
    ("listusers", Recon),
    ("listroles", Recon),
    ("listaccesskeys", Recon),
    ("user.account.lock", AccountStateSignal),
    ("user.lifecycle.suspend", AccountStateSignal),
    ("user.lifecycle.deactivate", AccountStateSignal),
    ("user.session.clear", SessionRevokedSignal),
    ("user.account.reset_password", CredentialChangedSignal),
    ("user.mfa.factor.deactivate", RecoveryTampered),
];

/// Lists every pattern that some field supports, the strongest evidence first; never empty.
pub(super) fn signals(event: &Json<'_>, class: i64) -> Vec<ActionPattern> {
    let mut found: Vec<ActionPattern> = Vec::new();
    let mut add = |pattern: Option<ActionPattern>| {
        found.extend(pattern.filter(|p| !found.contains(p)));
    };
    for finding in ["finding_info", "finding"] {
        let types = event
            .at(&[finding, "types"])
            .into_iter()
            .flat_map(Json::items);
        types.filter_map(Json::text).for_each(|t| add(from_type(t)));
        let analytic = event.at(&[finding, "analytic", "uid"]).and_then(Json::text);
        add(analytic.and_then(from_type));
    }
    for path in [&["api", "operation"][..], &["metadata", "event_code"]] {
        add(event.at(path).and_then(Json::text).and_then(from_operation));
    }
    if class == 3001 {
        add(event
            .get("activity_id")
            .and_then(Json::integer)
            .and_then(from_account_change));
    }
    technique_ids(event).for_each(|id| add(from_technique(id)));
    add(is_posture(event, class).then_some(Posture));
    if found.is_empty() {
        found.push(Other);
    }
    found
}

/// Reads a finding type or analytic id: one of our own words, or a type of a known taxonomy.
fn from_type(name: &str) -> Option<ActionPattern> {
    let name = name.trim().to_ascii_lowercase();
    ActionPattern::parse(&name).or_else(|| {
        let beginning = TYPE_BEGINNINGS
            .iter()
            .find(|(begin, _)| name.starts_with(begin));
        beginning.map(|(_, pattern)| *pattern)
    })
}

fn from_operation(name: &str) -> Option<ActionPattern> {
    // Google and Azure write the service in front (`google.iam.admin.v1.CreateServiceAccountKey`).
    let name = name.trim().to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or(&name);
    let find = |wanted: &str| {
        OPERATIONS
            .iter()
            .find(|(op, _)| *op == wanted)
            .map(|(_, p)| *p)
    };
    find(&name).or_else(|| find(last))
}

fn from_technique(id: &str) -> Option<ActionPattern> {
    let id = id.trim().to_ascii_uppercase();
    let find = |wanted: &str| {
        TECHNIQUES
            .iter()
            .find(|(t, _)| *t == wanted)
            .map(|(_, p)| *p)
    };
    find(&id).or_else(|| find(id.split('.').next()?))
}

/// Maps `activity_id` of Account Change (<https://schema.ocsf.io/1.8.0/classes/account_change>).
const fn from_account_change(activity: i64) -> Option<ActionPattern> {
    Some(match activity {
        1 => CredentialCreatedOrAdded,
        3 | 4 | 10 | 11 => CredentialChangedSignal,
        2 | 5 | 6 | 9 | 12 => AccountStateSignal,
        7 | 8 => PermissionChanged,
        _ => return None,
    })
}

/// Tells whether nothing happened yet: compliance and vulnerability findings, and checks that report a verdict.
fn is_posture(event: &Json<'_>, class: i64) -> bool {
    let verdict = event.get("status_code").and_then(Json::text);
    matches!(class, 2002 | 2003)
        || event.get("compliance").is_some()
        || verdict.is_some_and(|v| matches!(v, "PASS" | "FAIL" | "MANUAL"))
}
