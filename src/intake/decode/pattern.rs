//! Which action pattern a documented type, call or technique stands for; titles are prose and prove nothing.

use crate::domain::vocabulary::ActionPattern;
use crate::domain::vocabulary::ActionPattern as P;

/// A table of names. One `*` in a name stands for anything; the first name that fits counts.
pub(super) type Table = &'static [(&'static str, ActionPattern)];

/// Looks a name up, without regard to letter case.
pub(super) fn lookup(table: Table, name: &str) -> Option<ActionPattern> {
    let name = name.trim();
    let fits = |wanted: &str| glob(wanted, name);
    let found = table.iter().find(|(wanted, _)| fits(wanted));
    found.map(|(_, pattern)| *pattern)
}

/// Tells whether `name` fits `wanted`, in which one `*` stands for anything; letter case does not matter.
pub(super) fn glob(wanted: &str, name: &str) -> bool {
    let Some((begin, end)) = wanted.split_once('*') else {
        return name.eq_ignore_ascii_case(wanted);
    };
    let (head, tail) = (name.get(..begin.len()), name.len().checked_sub(end.len()));
    let tail = tail
        .filter(|at| *at >= begin.len())
        .and_then(|at| name.get(at..));
    head.is_some_and(|h| h.eq_ignore_ascii_case(begin))
        && tail.is_some_and(|t| t.eq_ignore_ascii_case(end))
}

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
    ("pentest:", P::CredentialUsedAnomalously),
    ("backdoor:", P::WorkloadExec),
    ("trojan:", P::WorkloadExec),
    ("cryptocurrency:", P::WorkloadExec),
    ("behavior:", P::VolumeOrChaining),
    ("attacksequence:iam", P::CredentialUsedAnomalously),
    ("attacksequence:s3", P::DataExfil),
    ("attacksequence:", P::WorkloadExec),
    ("effects/data exfiltration", P::DataExfil),
    ("effects/data exposure", P::CredentialExposed),
    (
        "sensitive data identifications/passwords",
        P::CredentialExposed,
    ),
    ("unusual behaviors", P::CredentialUsedAnomalously),
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

/// Reads a finding type or analytic id: one of our own words, or a type of a known taxonomy.
pub(super) fn from_type(name: &str) -> Option<ActionPattern> {
    let name = name.trim();
    let first = name.bytes().next()?.to_ascii_lowercase();
    // All of them begin with a letter, and most differ in it.
    let begins = |wanted: &str| {
        wanted.as_bytes().first() == Some(&first)
            && name
                .as_bytes()
                .get(..wanted.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let own = ActionPattern::ALL.iter().copied();
    let own = own
        .into_iter()
        .find(|p| p.as_str().eq_ignore_ascii_case(name));
    own.or_else(|| {
        let beginning = TYPE_BEGINNINGS.iter().find(|(begin, _)| begins(begin));
        beginning.map(|(_, pattern)| *pattern)
    })
}

/// Reads the name of a call.
pub(super) fn from_operation(name: &str) -> Option<ActionPattern> {
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

/// Reads an ATT&CK id.
pub(super) fn from_technique(id: &str) -> Option<ActionPattern> {
    let id = id.trim();
    let find = |wanted: &str| {
        // Digits at the end are what they differ in most.
        let last = wanted.as_bytes().last();
        let is = |known: &str| {
            known.len() == wanted.len()
                && known.as_bytes().last() == last
                && known.eq_ignore_ascii_case(wanted)
        };
        TECHNIQUES.iter().find(|(t, _)| is(t)).map(|(_, p)| *p)
    };
    find(id).or_else(|| find(id.split('.').next()?))
}
