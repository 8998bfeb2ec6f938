//! Which action pattern an OCSF event stands for, from documented vocabularies only; titles are prose and prove nothing.

use super::technique_ids;
use crate::domain::vocabulary::ActionPattern;
use crate::domain::vocabulary::ActionPattern as P;
use crate::intake::json::Json;

/// ATT&CK techniques (<https://attack.mitre.org/techniques/enterprise/>). A sub-technique that is not listed counts as
/// its technique.
const TECHNIQUES: &[(&str, ActionPattern)] = &[
    ("T1552", P::CredentialExposed),
    ("T1649", P::CredentialExposed),
    ("T1528", P::TokenReplay),
    ("T1539", P::TokenReplay),
    ("T1550", P::TokenReplay),
    ("T1606", P::TokenReplay),
    ("T1558", P::TokenReplay),
    ("T1078", P::CredentialUsedAnomalously),
    ("T1110", P::CredentialUsedAnomalously),
    ("T1621", P::CredentialUsedAnomalously),
    ("T1098", P::PermissionChanged),
    ("T1098.001", P::CredentialCreatedOrAdded),
    ("T1098.002", P::ConsentOrGrantAdded),
    ("T1098.003", P::PrivilegeEscalated),
    ("T1098.004", P::CredentialCreatedOrAdded),
    ("T1098.005", P::CredentialCreatedOrAdded),
    ("T1098.006", P::PrivilegeEscalated),
    ("T1136", P::CredentialCreatedOrAdded),
    ("T1068", P::PrivilegeEscalated),
    ("T1134", P::PrivilegeEscalated),
    ("T1548", P::PrivilegeEscalated),
    ("T1611", P::PrivilegeEscalated),
    ("T1484", P::PermissionChanged),
    ("T1222", P::PermissionChanged),
    ("T1003", P::SecretRead),
    ("T1555", P::SecretRead),
    ("T1556", P::DefenseTampered),
    ("T1556.006", P::RecoveryTampered),
    ("T1562", P::DefenseTampered),
    ("T1070", P::DefenseTampered),
    ("T1578", P::DefenseTampered),
    ("T1490", P::RecoveryTampered),
    ("T1033", P::Recon),
    ("T1046", P::Recon),
    ("T1069", P::Recon),
    ("T1082", P::Recon),
    ("T1083", P::Recon),
    ("T1087", P::Recon),
    ("T1518", P::Recon),
    ("T1526", P::Recon),
    ("T1538", P::Recon),
    ("T1580", P::Recon),
    ("T1595", P::Recon),
    ("T1613", P::Recon),
    ("T1619", P::Recon),
    ("T1020", P::DataExfil),
    ("T1041", P::DataExfil),
    ("T1048", P::DataExfil),
    ("T1052", P::DataExfil),
    ("T1114", P::DataExfil),
    ("T1213", P::DataExfil),
    ("T1530", P::DataExfil),
    ("T1537", P::DataExfil),
    ("T1567", P::DataExfil),
    ("T1053", P::WorkloadExec),
    ("T1059", P::WorkloadExec),
    ("T1204", P::WorkloadExec),
    ("T1204.001", P::PostClick),
    ("T1566", P::PostClick),
    ("T1609", P::WorkloadExec),
    ("T1610", P::WorkloadExec),
    ("T1648", P::WorkloadExec),
    ("T1651", P::WorkloadExec),
    ("T1021", P::CrossSystemMovement),
    ("T1199", P::CrossSystemMovement),
    ("T1563", P::CrossSystemMovement),
    ("T1570", P::CrossSystemMovement),
];

/// First parts of finding types: GuardDuty's `ThreatPurpose:Resource/Family`
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html>) and the namespaces of Security
/// Hub's types taxonomy. Longer beginnings stand first.
const TYPE_BEGINNINGS: &[(&str, ActionPattern)] = &[
    (
        "unauthorizedaccess:iamuser/instancecredentialexfiltration",
        P::TokenReplay,
    ),
    ("unauthorizedaccess:", P::CredentialUsedAnomalously),
    ("credentialaccess:", P::CredentialUsedAnomalously),
    ("initialaccess:", P::CredentialUsedAnomalously),
    ("privilegeescalation:", P::PrivilegeEscalated),
    ("persistence:", P::PrivilegeEscalated),
    ("stealth:", P::DefenseTampered),
    ("defenseevasion:", P::DefenseTampered),
    ("exfiltration:", P::DataExfil),
    ("recon:", P::Recon),
    ("discovery:", P::Recon),
    ("execution:", P::WorkloadExec),
    ("policy:", P::Posture),
    ("effects/data exfiltration", P::DataExfil),
    ("effects/data exposure", P::CredentialExposed),
    (
        "sensitive data identifications/passwords",
        P::CredentialExposed,
    ),
    ("unusual behaviors/", P::CredentialUsedAnomalously),
    ("software and configuration checks", P::Posture),
    ("ttps/initial access", P::CredentialUsedAnomalously),
    ("ttps/credential access", P::CredentialUsedAnomalously),
    ("ttps/privilege escalation", P::PrivilegeEscalated),
    ("ttps/persistence", P::PrivilegeEscalated),
    ("ttps/defense evasion", P::DefenseTampered),
    ("ttps/discovery", P::Recon),
    ("ttps/execution", P::WorkloadExec),
    ("ttps/lateral movement", P::CrossSystemMovement),
    ("ttps/collection", P::DataExfil),
];

/// Names of calls as audit logs write them: AWS CloudTrail, GitHub audit log, Okta System Log, Kubernetes.
const OPERATIONS: &[(&str, ActionPattern)] = &[
    ("createaccesskey", P::CredentialCreatedOrAdded),
    ("createloginprofile", P::CredentialCreatedOrAdded),
    (
        "createservicespecificcredential",
        P::CredentialCreatedOrAdded,
    ),
    ("uploadsshpublickey", P::CredentialCreatedOrAdded),
    ("createuser", P::CredentialCreatedOrAdded),
    ("createserviceaccountkey", P::CredentialCreatedOrAdded),
    ("deploy_key.create", P::CredentialCreatedOrAdded),
    ("personal_access_token.create", P::CredentialCreatedOrAdded),
    ("public_key.create", P::CredentialCreatedOrAdded),
    ("system.api_token.create", P::CredentialCreatedOrAdded),
    ("oauth_authorization.create", P::ConsentOrGrantAdded),
    ("integration_installation.create", P::ConsentOrGrantAdded),
    ("app.oauth2.as.consent.grant", P::ConsentOrGrantAdded),
    ("attachuserpolicy", P::PrivilegeEscalated),
    ("attachrolepolicy", P::PrivilegeEscalated),
    ("attachgrouppolicy", P::PrivilegeEscalated),
    ("putuserpolicy", P::PrivilegeEscalated),
    ("putrolepolicy", P::PrivilegeEscalated),
    ("addusertogroup", P::PrivilegeEscalated),
    ("updateassumerolepolicy", P::PrivilegeEscalated),
    ("user.account.privilege.grant", P::PrivilegeEscalated),
    ("detachuserpolicy", P::PermissionChanged),
    ("detachrolepolicy", P::PermissionChanged),
    ("setiampolicy", P::PermissionChanged),
    ("putbucketpolicy", P::PermissionChanged),
    ("getsecretvalue", P::SecretRead),
    ("batchgetsecretvalue", P::SecretRead),
    ("accesssecretversion", P::SecretRead),
    ("getparametersbypath", P::SecretRead),
    ("stoplogging", P::DefenseTampered),
    ("deletetrail", P::DefenseTampered),
    ("deletedetector", P::DefenseTampered),
    ("deleteflowlogs", P::DefenseTampered),
    ("getcalleridentity", P::Recon),
    ("listusers", P::Recon),
    ("listroles", P::Recon),
    ("listaccesskeys", P::Recon),
    ("user.account.lock", P::AccountStateSignal),
    ("user.lifecycle.suspend", P::AccountStateSignal),
    ("user.lifecycle.deactivate", P::AccountStateSignal),
    ("user.session.clear", P::SessionRevokedSignal),
    ("user.account.reset_password", P::CredentialChangedSignal),
    ("user.mfa.factor.deactivate", P::RecoveryTampered),
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
    add(is_posture(event, class).then_some(P::Posture));
    if found.is_empty() {
        found.push(P::Other);
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
        1 => P::CredentialCreatedOrAdded,
        3 | 4 | 10 | 11 => P::CredentialChangedSignal,
        2 | 5 | 6 | 9 | 12 => P::AccountStateSignal,
        7 | 8 => P::PermissionChanged,
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
