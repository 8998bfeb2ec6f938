//! IAM of AWS: `aws iam get-account-authorization-details`, and the credential report.
//!
//! Users and roles become identities, their policies scopes, the trust policy of a role grants. The details name no access
//! keys; the report names them by number only, and our own files by their ids.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>

mod assume;
mod policy;
pub(super) mod report;

use std::collections::HashMap;

use serde_json::Value;

use assume::Assumptions;

use super::reading::Reading;
use super::scan::Pieces;
use super::value::{list, said, text, texts, time};
use crate::domain::identity::{Grant, Identity, Level, Scope};
use crate::domain::ids::IdentityId;
use crate::domain::inventory::Loss;
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Criticality, Driver, IdentityKind};

/// The lists of the details.
const LISTS: [&str; 4] = [
    "UserDetailList",
    "RoleDetailList",
    "GroupDetailList",
    "Policies",
];

/// Tells whether an object holds authorization details.
pub(super) fn is_details(mut fields: Pieces<'_>) -> bool {
    fields.any(|f| LISTS.contains(&f.key) && f.is_list())
}

/// Returns what stands before the colon of ids.
fn provider(reading: &Reading) -> &str {
    reading.about.provider.as_deref().unwrap_or("aws")
}

/// A user or a role, before policies are known.
struct Principal {
    line: usize,
    card: Identity,
    /// Managed policies, with the group through which they are held.
    attached: Vec<(String, String, Option<String>)>,
    groups: Vec<String>,
}

/// What a group gives: names and ARNs of managed policies, and scopes of inline ones.
type Group = (Vec<(String, String)>, Vec<Scope>);

/// Everything read of one or more accounts.
#[derive(Default)]
pub(super) struct Accounts {
    principals: Vec<Principal>,
    /// By name.
    groups: HashMap<String, Group>,
    /// How much customers' own policies give, by ARN.
    policies: HashMap<String, Option<Level>>,
    /// Who may become which role.
    assumptions: Assumptions,
}

impl Accounts {
    /// Takes an entry of one of the lists.
    pub fn take(&mut self, reading: &mut Reading, list: &str, line: usize, entry: &Value) {
        reading.format = Some("aws");
        match list {
            "UserDetailList" | "RoleDetailList" => self.principal(reading, list, line, entry),
            "GroupDetailList" => {
                let Some(name) = text(entry, &["GroupName"]) else {
                    return reading.mistake(line, "a group needs `GroupName`", Loss::Entry);
                };
                self.assumptions.group(name, entry);
                let through = Some(name.to_owned());
                let inline = inline(entry, "GroupPolicyList", through.as_deref());
                self.groups
                    .insert(name.to_owned(), (attached(entry), inline));
            }
            "Policies" => {
                let Some(arn) = text(entry, &["Arn"]) else {
                    return reading.mistake(line, "a policy needs `Arn`", Loss::Entry);
                };
                let versions = self::list(entry, &["PolicyVersionList"]);
                let is_default =
                    |v: &&Value| v.get("IsDefaultVersion").and_then(Value::as_bool) == Some(true);
                let document = versions
                    .iter()
                    .find(is_default)
                    .and_then(|v| v.get("Document"));
                self.assumptions.policy(arn, document);
                self.policies
                    .insert(arn.to_owned(), document.and_then(policy::level));
            }
            _ => {}
        }
    }

    fn principal(&mut self, reading: &mut Reading, list: &str, line: usize, entry: &Value) {
        let is_user = list == "UserDetailList";
        let prefix = if is_user { "User" } else { "Role" };
        let key = |rest: &str| format!("{prefix}{rest}");
        let (Some(arn), Some(name)) = (text(entry, &["Arn"]), text(entry, &[&key("Name")])) else {
            let problem = format!("an entry of {list} needs `Arn` and `{}`", key("Name"));
            return reading.mistake(line, problem, Loss::Entry);
        };
        let id = IdentityId::new(format!("{}:{arn}", provider(reading)));
        let mut card = Identity::blank(id);
        card.name = name.into();
        if !is_user {
            card.kind = IdentityKind::ServiceAccount;
            card.driver = Driver::Script;
        }
        card.aliases.extend(said(entry, &[&key("Id")]));
        card.created = time(entry, &["CreateDate"]);
        card.last_used = time(entry, &["RoleLastUsed", "LastUsedDate"]);
        for profile in self::list(entry, &["InstanceProfileList"]) {
            card.aliases.extend(said(profile, &["Arn"]));
        }
        tags(reading, line, &mut card, entry);
        card.scopes = inline(entry, &key("PolicyList"), None);
        if let Some(trust) = entry.get("AssumeRolePolicyDocument") {
            trusts(
                reading,
                line,
                &mut card,
                (arn, trust),
                &mut self.assumptions,
            );
        }
        let groups = texts(entry.get("GroupList"));
        let inline = key("PolicyList");
        self.assumptions
            .principal(line, arn, (entry, &inline), &groups);
        let own = attached(entry).into_iter();
        self.principals.push(Principal {
            line,
            card,
            attached: own.map(|(name, arn)| (name, arn, None)).collect(),
            groups: groups.into_iter().map(str::to_owned).collect(),
        });
    }

    /// Gives principals what their policies and groups give, now that all are known.
    pub fn finish(self, reading: &mut Reading) {
        self.assumptions.finish(reading);
        if !self.principals.is_empty() {
            // Names of users and roles are not distinguished by case.
            let provider = provider(reading).to_owned();
            reading.folding.insert(provider);
        }
        for principal in self.principals {
            let Principal {
                line,
                mut card,
                mut attached,
                groups,
            } = principal;
            for group in groups {
                let Some((managed, inline)) = self.groups.get(&group) else {
                    let problem = format!(
                        "`{}` is in group `{}`, which is not in the list, so what it may do is not all known",
                        card.name.show(),
                        show(&group)
                    );
                    reading.mistake(line, problem, Loss::None);
                    continue;
                };
                let managed = managed.iter().cloned();
                attached.extend(managed.map(|(name, arn)| (name, arn, Some(group.clone()))));
                card.scopes.extend(inline.iter().cloned());
            }
            for (name, arn, group) in attached {
                let own = self.policies.get(&arn).copied();
                let level = own.unwrap_or_else(|| policy::level_by_name(&name, &arn));
                card.scopes.push(scope(&name, group.as_deref(), level));
            }
            reading.card(line, card, None);
        }
    }
}

fn scope(name: &str, group: Option<&str>, level: Option<Level>) -> Scope {
    let name = match group {
        Some(group) => format!("{name} through group {group}"),
        None => name.to_owned(),
    };
    Scope {
        name: Untrusted::new(name),
        privileged: level.is_some_and(Level::is_privileged),
        level,
        ..Scope::default()
    }
}

fn attached(entry: &Value) -> Vec<(String, String)> {
    let of = |policy: &Value| {
        let name = text(policy, &["PolicyName"])?;
        Some((
            name.to_owned(),
            text(policy, &["PolicyArn"]).unwrap_or_default().to_owned(),
        ))
    };
    let policies = list(entry, &["AttachedManagedPolicies"]);
    policies.iter().filter_map(of).collect()
}

fn inline(entry: &Value, key: &str, group: Option<&str>) -> Vec<Scope> {
    let of = |inline: &Value| {
        let level = inline.get("PolicyDocument").and_then(policy::level);
        Some(scope(text(inline, &["PolicyName"])?, group, level))
    };
    list(entry, &[key]).iter().filter_map(of).collect()
}

/// Takes over tags that people use to say whose it is. Case does not matter in their keys here.
fn tags(reading: &mut Reading, line: usize, card: &mut Identity, entry: &Value) {
    for tag in list(entry, &["Tags"]) {
        let (Some(key), Some(value)) = (text(tag, &["Key"]), said(tag, &["Value"])) else {
            continue;
        };
        let key = key.to_ascii_lowercase().replace(['_', ' ', ':'], "-");
        let into = match key.as_str() {
            "owner" | "team" | "technical-owner" => &mut card.technical_owner,
            "business-owner" | "cost-center-owner" => &mut card.business_owner,
            "on-call" | "oncall" => &mut card.on_call,
            "contact" => &mut card.contact,
            "environment" | "env" | "stage" => &mut card.environment,
            "workload" | "application" | "app" | "service" => &mut card.workload,
            "criticality" => {
                let word = value.raw().to_ascii_lowercase().replace('-', "_");
                card.criticality = Criticality::parse(&word);
                if card.criticality.is_none() {
                    let problem =
                        format!("tag criticality: `{}` is none of our words", value.show());
                    reading.mistake(line, problem, Loss::None);
                }
                continue;
            }
            _ => continue,
        };
        *into = into.take().or(Some(value));
    }
}

/// Reads who may become a role.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn trusts(
    reading: &mut Reading,
    line: usize,
    card: &mut Identity,
    (arn, trust): (&str, &Value),
    assumptions: &mut Assumptions,
) {
    let Some(document) = policy::document(trust) else {
        let problem = format!("the trust policy of `{}` cannot be read", card.name.show());
        return reading.mistake(line, problem, Loss::Entry);
    };
    for statement in policy::statements(&document) {
        if text(statement, &["Effect"]) != Some("Allow") {
            continue;
        }
        let principals: Vec<(&str, &str)> = match statement.get("Principal") {
            Some(Value::String(all)) => vec![("AWS", all)],
            Some(Value::Object(kinds)) => kinds
                .iter()
                .flat_map(|(kind, who)| {
                    texts(Some(who))
                        .into_iter()
                        .map(move |w| (kind.as_str(), w))
                })
                .collect(),
            _ => Vec::new(),
        };
        let actions = texts(statement.get("Action"));
        for (kind, who) in principals {
            card.grants.push(Grant {
                id: who.into(),
                to: Untrusted::new(if who == "*" { "anybody" } else { who }),
                kind: Some(Untrusted::new(format!("trust ({})", kind.to_lowercase()))),
                scopes: actions.iter().map(|a| Untrusted::from(*a)).collect(),
                since: None,
                expires: None,
            });
            // Tagging a session is no way into one.
            if policy::assumes(statement) {
                assumptions.trusts(reading, line, (kind, who), arn);
            }
        }
    }
}
