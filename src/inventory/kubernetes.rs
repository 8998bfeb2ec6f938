//! Service accounts of a Kubernetes cluster with what they may do:
//! `kubectl get serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings -A -o json`.
//!
//! Roles may be left out: the user-facing ones are known by name
//! (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles>), of others it is then unknown how much
//! they give. Objects: <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/service-account-v1/>,
//! <https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/role-binding-v1/>.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::reading::Reading;
use super::value::{list, text, texts, time};
use crate::domain::graph::{EdgeKind, Node, NodeKind};
use crate::domain::identity::{Credential, Identity, Level, Scope};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::Loss;
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Driver, IdentityKind};

/// Tells whether objects of this kind are understood.
pub(super) fn is_kind(kind: &str) -> bool {
    matches!(
        kind,
        "ServiceAccount" | "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding"
    )
}

struct Binding {
    line: usize,
    name: String,
    /// Where it holds; `None` for the whole cluster.
    namespace: Option<String>,
    /// Kind and name of the role.
    role: (String, String),
    /// Namespaces and names of service accounts.
    accounts: Vec<(String, String)>,
}

/// Everything read of one cluster.
#[derive(Default)]
pub(super) struct Cluster {
    accounts: BTreeMap<(String, String), (usize, Identity)>,
    bindings: Vec<Binding>,
    /// Levels by kind, namespace and name of the role.
    roles: HashMap<(String, String, String), Option<Level>>,
}

impl Cluster {
    /// Takes one object; `kind` is what its list says it is, where it does not say so itself.
    pub fn take(&mut self, reading: &mut Reading, line: usize, object: &Value, kind: &str) {
        reading.format = Some("kubernetes");
        let kind = text(object, &["kind"]).unwrap_or(kind);
        let Some(name) = text(object, &["metadata", "name"]) else {
            return reading.mistake(line, "an object needs `metadata.name`", Loss::Entry);
        };
        let namespace = text(object, &["metadata", "namespace"]);
        match kind {
            "ServiceAccount" => self.account(reading, line, (namespace, name), object),
            "Role" | "ClusterRole" => {
                let key = (
                    kind.to_owned(),
                    namespace.unwrap_or_default().to_owned(),
                    name.to_owned(),
                );
                self.roles.insert(key, level_of_rules(object));
            }
            _ => self.binding(line, (namespace, name), object),
        }
    }

    fn account(
        &mut self,
        reading: &mut Reading,
        line: usize,
        (namespace, name): (Option<&str>, &str),
        object: &Value,
    ) {
        let Some(namespace) = namespace else {
            let problem = format!("service account `{}` has no namespace", show(name));
            return reading.mistake(line, problem, Loss::Entry);
        };
        let provider = reading.about.provider.as_deref().unwrap_or("kubernetes");
        let id = format!("{provider}:system:serviceaccount:{namespace}:{name}");
        let mut card = Identity::blank(IdentityId::new(id));
        card.name = Untrusted::new(format!("{namespace}/{name}"));
        card.kind = IdentityKind::ServiceAccount;
        card.driver = Driver::Script;
        card.created = time(object, &["metadata", "creationTimestamp"]);
        // The name that the API server logs, whatever the cluster is called here.
        card.aliases.push(Untrusted::new(format!(
            "system:serviceaccount:{namespace}:{name}"
        )));
        card.aliases
            .extend(text(object, &["metadata", "uid"]).map(Untrusted::from));
        for secret in list(object, &["secrets"]) {
            card.credentials
                .extend(text(secret, &["name"]).map(|secret| Credential {
                    id: Untrusted::new(format!("{namespace}/{secret}")),
                    kind: "service_account_token".into(),
                    store: Some("kubernetes secret".into()),
                    ..Credential::default()
                }));
        }
        becomes(reading, line, &card, object);
        let key = (namespace.to_owned(), name.to_owned());
        if let Some((first, _)) = self.accounts.get(&key) {
            let problem = format!(
                "service account `{}` is listed twice, first in line {first}",
                card.name.show()
            );
            return reading.mistake(line, problem, Loss::Entry);
        }
        self.accounts.insert(key, (line, card));
    }

    fn binding(&mut self, line: usize, (namespace, name): (Option<&str>, &str), object: &Value) {
        let of = |subject: &Value| {
            let is_account = text(subject, &["kind"]) == Some("ServiceAccount");
            let namespace = text(subject, &["namespace"]).or(namespace)?;
            let name = text(subject, &["name"]).filter(|_| is_account)?;
            Some((namespace.to_owned(), name.to_owned()))
        };
        let role = |key| {
            text(object, &["roleRef", key])
                .unwrap_or_default()
                .to_owned()
        };
        self.bindings.push(Binding {
            line,
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            role: (role("kind"), role("name")),
            accounts: list(object, &["subjects"]).iter().filter_map(of).collect(),
        });
    }

    fn level(&self, binding: &Binding) -> Option<Level> {
        let (kind, name) = &binding.role;
        let namespace = match kind.as_str() {
            "Role" => binding.namespace.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let key = (kind.clone(), namespace, name.clone());
        match (self.roles.get(&key), kind.as_str(), name.as_str()) {
            (Some(level), ..) => *level,
            (None, "ClusterRole", "cluster-admin" | "admin") => Some(Level::Admin),
            // It may read secrets and run as any service account of the namespace.
            (None, "ClusterRole", "edit") => Some(Level::SecretReading),
            (None, "ClusterRole", "view") => Some(Level::Read),
            _ => None,
        }
    }

    /// Gives the accounts their roles, now that all are known.
    pub fn finish(mut self, reading: &mut Reading) {
        for binding in std::mem::take(&mut self.bindings) {
            let level = self.level(&binding);
            let name = &binding.role.1;
            let scope = match &binding.namespace {
                Some(namespace) => Scope {
                    name: Untrusted::new(format!("{name} in {namespace}")),
                    on: Some(Untrusted::new(format!("namespace {namespace}"))),
                    ..Scope::default()
                },
                None => Scope {
                    name: Untrusted::new(name.as_str()),
                    on: Some("the whole cluster".into()),
                    ..Scope::default()
                },
            };
            for key in &binding.accounts {
                let Some((_, card)) = self.accounts.get_mut(key) else {
                    let problem = format!(
                        "binding `{}` names service account `{}/{}`, which is not in the list",
                        show(&binding.name),
                        show(&key.0),
                        show(&key.1)
                    );
                    reading.mistake(binding.line, problem, Loss::None);
                    continue;
                };
                card.scopes.push(Scope {
                    level,
                    privileged: level.is_some_and(Level::is_privileged),
                    ..scope.clone()
                });
            }
        }
        for (line, card) in self.accounts.into_values() {
            reading.card(line, card, None);
        }
    }
}

/// Draws the cloud identity that a service account may become: of EKS
/// (<https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>) and of GKE
/// (<https://docs.cloud.google.com/kubernetes-engine/docs/how-to/workload-identity>).
fn becomes(reading: &mut Reading, line: usize, card: &Identity, object: &Value) {
    for (key, provider) in [
        ("eks.amazonaws.com/role-arn", "aws"),
        ("iam.gke.io/gcp-service-account", "gcp"),
    ] {
        let Some(other) = text(object, &["metadata", "annotations", key]) else {
            continue;
        };
        let id = NodeId::new(format!("{provider}:{other}"));
        // Its own list may not be read here; then this is all there is to know of it.
        reading.node(line, Node::new(id.clone(), NodeKind::Identity, other));
        reading.edge(line, (NodeId::from(&card.id), EdgeKind::CanReach, id));
    }
}

/// Tells how much a role gives, by its rules; `None` where it has none.
fn level_of_rules(role: &Value) -> Option<Level> {
    let has = |rule: &Value, key: &str, words: &[&str]| {
        texts(rule.get(key)).iter().any(|t| words.contains(t))
    };
    let level = |rule: &Value| {
        let all = has(rule, "verbs", &["*"]);
        let secrets = has(rule, "resources", &["secrets", "*"]);
        let grants = ["escalate", "bind", "impersonate"];
        let roles = [
            "roles",
            "rolebindings",
            "clusterroles",
            "clusterrolebindings",
            "serviceaccounts/token",
        ];
        let writes = ["create", "update", "patch", "delete", "deletecollection"];
        let changes = all || has(rule, "verbs", &writes);
        if (all && has(rule, "resources", &["*"]))
            || has(rule, "verbs", &grants)
            || (changes && has(rule, "resources", &roles))
        {
            Level::Admin
        } else if secrets && (all || has(rule, "verbs", &["get", "list", "watch"])) {
            Level::SecretReading
        } else if changes {
            Level::Write
        } else {
            Level::Read
        }
    };
    list(role, &["rules"]).iter().map(level).max()
}
