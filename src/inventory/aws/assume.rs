//! Who can become which role: whom a role trusts by name, and, where it trusts an account as a whole, who of that account
//! has a policy that lets him.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::policy;
use crate::domain::graph::{EdgeKind, Node, NodeKind};
use crate::domain::ids::NodeId;
use crate::domain::inventory::Loss;
use crate::inventory::reading::Reading;
use crate::inventory::value::{list, text};

/// Most comparisons of a pattern with a role: a thousand administrators of five thousand roles.
const MOST: usize = 5_000_000;

/// What policies say of becoming roles, until all are known.
#[derive(Default)]
pub(super) struct Assumptions {
    /// Patterns of roles, by the ARN of the policy.
    policies: HashMap<String, Vec<String>>,
    /// By name.
    groups: HashMap<String, Means>,
    principals: Vec<(usize, String, Means, Vec<String>)>,
    /// Accounts that a role trusts as a whole, with the role.
    open: Vec<(String, String)>,
}

/// How somebody may become a role.
#[derive(Clone, Default)]
struct Means {
    /// Patterns of roles.
    patterns: Vec<String>,
    /// ARNs of policies.
    policies: Vec<String>,
}

impl Means {
    fn of(entry: &Value, inline: &str) -> Self {
        let inline = list(entry, &[inline]).iter();
        let documents = inline.filter_map(|p| p.get("PolicyDocument"));
        let attached = list(entry, &["AttachedManagedPolicies"]).iter();
        let arns = attached.filter_map(|p| text(p, &["PolicyArn"]));
        Self {
            patterns: documents.flat_map(policy::assumable).collect(),
            policies: arns.map(str::to_owned).collect(),
        }
    }
}

/// Returns the account of an ARN; a bare number is one itself.
fn account_of(who: &str) -> &str {
    who.split(':').nth(4).unwrap_or(who)
}

impl Assumptions {
    /// Takes a customer's own policy.
    pub fn policy(&mut self, arn: &str, document: Option<&Value>) {
        let patterns = document.map(policy::assumable).unwrap_or_default();
        self.policies.insert(arn.to_owned(), patterns);
    }

    /// Takes a group.
    pub fn group(&mut self, name: &str, entry: &Value) {
        let means = Means::of(entry, "GroupPolicyList");
        self.groups.insert(name.to_owned(), means);
    }

    /// Takes a user or a role.
    pub fn principal(
        &mut self,
        line: usize,
        arn: &str,
        (entry, inline): (&Value, &str),
        groups: &[&str],
    ) {
        let means = Means::of(entry, inline);
        let groups = groups.iter().map(|g| (*g).to_owned()).collect();
        self.principals.push((line, arn.to_owned(), means, groups));
    }

    /// Takes that a role trusts somebody, and draws what follows from that alone.
    pub fn trusts(
        &mut self,
        reading: &mut Reading,
        line: usize,
        (kind, who): (&str, &str),
        role: &str,
    ) {
        let provider = super::provider(reading).to_owned();
        let own = NodeId::new(format!("{provider}:{role}"));
        let described = |reading: &mut Reading, id: &str, kind, label: String| {
            let id = NodeId::new(format!("{provider}:{id}"));
            reading.node(line, Node::new(id.clone(), kind, label.as_str()));
            id
        };
        let is_account = who.ends_with(":root") || who.bytes().all(|b| b.is_ascii_digit());
        let from = match kind {
            "AWS" if who == "*" => {
                let label = "anybody with an AWS account".to_owned();
                described(reading, "anybody", NodeKind::TrustBoundary, label)
            }
            "AWS" if is_account => {
                let account = account_of(who);
                self.open.push((account.to_owned(), role.to_owned()));
                if account == account_of(role) {
                    return;
                }
                let label = format!("AWS account {account}");
                let id = format!("account/{account}");
                described(reading, &id, NodeKind::Integration, label)
            }
            "AWS" if who.contains(":user/") || who.contains(":role/") => {
                NodeId::new(format!("{provider}:{who}"))
            }
            "AWS" => match session_of(who) {
                Some(role) => NodeId::new(format!("{provider}:{role}")),
                None => return,
            },
            "Federated" => {
                let name = who.split_once("provider/").map_or(who, |(_, name)| name);
                described(reading, who, NodeKind::Integration, name.to_owned())
            }
            _ => return,
        };
        if from != own {
            reading.edge(line, (from, EdgeKind::CanReach, own));
        }
    }

    /// Draws who may become the roles that trust a whole account, now that all policies are known.
    pub fn finish(self, reading: &mut Reading) {
        let mut roles: HashMap<&str, Vec<&str>> = HashMap::new();
        for (account, role) in &self.open {
            roles.entry(account).or_default().push(role);
        }
        let provider = super::provider(reading).to_owned();
        let mut left = MOST;
        for (line, arn, own, groups) in &self.principals {
            let Some(roles) = roles.get(account_of(arn)) else {
                continue;
            };
            let through = groups.iter().filter_map(|g| self.groups.get(g));
            let means: Vec<&Means> = std::iter::once(own).chain(through).collect();
            let mut patterns: HashSet<&str> = HashSet::new();
            for means in means {
                patterns.extend(means.patterns.iter().map(String::as_str));
                for policy in &means.policies {
                    let known = self.policies.get(policy);
                    patterns.extend(known.into_iter().flatten().map(String::as_str));
                    if policy.ends_with(":iam::aws:policy/AdministratorAccess") {
                        patterns.insert("*");
                    }
                }
            }
            let is_meant = |role: &&&str| patterns.iter().any(|p| policy::is_like(role, p));
            let Some(rest) = left.checked_sub(roles.len() * patterns.len()) else {
                let problem = "too many policies and roles; who else may become the roles that trust their account is not drawn";
                return reading.mistake(0, problem, Loss::None);
            };
            left = rest;
            for role in roles.iter().filter(is_meant).filter(|role| **role != arn) {
                let id = |arn: &str| NodeId::new(format!("{provider}:{arn}"));
                reading.edge(*line, (id(arn), EdgeKind::CanReach, id(role)));
            }
        }
    }
}

/// Returns the role of a session: `arn:aws:sts::1:assumed-role/deploy/session`.
fn session_of(who: &str) -> Option<String> {
    let (start, rest) = who.split_once(":assumed-role/")?;
    let name = rest.split('/').next()?;
    Some(format!(
        "{}:role/{name}",
        start.replacen(":sts:", ":iam:", 1)
    ))
}
