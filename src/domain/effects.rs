//! What an identity can do, in the words in which people ask: to code, to data, to messages, to cloud resources.
//!
//! It follows from the scopes that it holds and from what the map lets its holder reach. Which class something is of is told
//! by what it is and, where that leaves it open, by the words of its name: a guess for reading, on which nothing is decided.

use serde::Serialize;

use super::graph::{Branch, Graph, NodeKind, Privilege, Walk};
use super::identity::{Level, Scope};
use super::ids::NodeId;
use super::text::Untrusted;
use super::vocabulary::{Criticality, words};

/// Most of what is reached that is looked at, and told.
pub const MOST_REACHED: usize = 1_000;

/// Most words of a name that are looked at.
const MOST_WORDS: usize = 24;

words! {
    /// To what something can be done. The order is that in which people should look.
    EffectClass {
        /// Secrets and keys: whoever reads them becomes others.
        Secrets = "secrets",
        /// Who may do what; other identities.
        Rights = "rights",
        /// Code, builds and deployments.
        Code = "code",
        /// Data.
        Data = "data",
        /// Messages: mail, chats, queues.
        Messages = "messages",
        /// Cloud resources: machines, networks, functions.
        Cloud = "cloud",
        /// Systems of others.
        Systems = "other systems",
        /// Its name does not tell.
        Unclear = "unclear",
    }
}

/// Whence something can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Through {
    /// A scope that it holds.
    Scope(Box<Scope>),
    /// The map.
    Map {
        /// What is reached.
        node: NodeId,
        /// What that is.
        kind: NodeKind,
        /// How much hangs on it.
        criticality: Option<Criticality>,
        /// What is passed on the way there, in order.
        way: Vec<Untrusted>,
    },
}

/// One thing that an identity can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// To what.
    pub class: EffectClass,
    /// What it lets do; `None` where nobody says.
    pub level: Option<Level>,
    /// On what, or which scope.
    pub on: Untrusted,
    /// Whence.
    pub through: Through,
}

/// What an identity can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// By class; in each what lets do most first.
    pub found: Vec<Effect>,
    /// How many more the map reaches than were looked at.
    pub more: usize,
}

impl Effects {
    /// Finds what somebody with these scopes and this reach can do.
    pub fn of(scopes: &[Scope], graph: &Graph, exposure: &Walk) -> Self {
        let mut found: Vec<Effect> = scopes.iter().map(of_scope).collect();
        let targets = exposure.branches.iter().enumerate();
        let targets = targets.filter(|(_, b)| !b.aside).take(MOST_REACHED);
        found.extend(targets.filter_map(|(place, b)| reached(graph, exposure, place, b)));
        found.sort_by(|a, b| {
            let weight = |e: &Effect| match &e.through {
                Through::Map { criticality, .. } => *criticality,
                Through::Scope(_) => None,
            };
            let of = |e: &Effect| (e.class, std::cmp::Reverse((e.level, weight(e))));
            of(a).cmp(&of(b)).then_with(|| a.on.cmp(&b.on))
        });
        Self {
            found,
            more: exposure.count().saturating_sub(MOST_REACHED),
        }
    }

    /// Returns how many there are of each class, and the most that they let do.
    pub fn classes(&self) -> Vec<(EffectClass, usize, Option<Level>)> {
        let mut all: Vec<(EffectClass, usize, Option<Level>)> = Vec::new();
        for effect in &self.found {
            match all.last_mut().filter(|(class, ..)| *class == effect.class) {
                Some((_, count, most)) => {
                    *count += 1;
                    *most = effect.level.max(*most);
                }
                None => all.push((effect.class, 1, effect.level)),
            }
        }
        all
    }
}

fn of_scope(scope: &Scope) -> Effect {
    let level = scope.level.or(scope.privileged.then_some(Level::Admin));
    let named = class_of(scope.name.raw());
    let on = scope.on.as_ref().and_then(|on| class_of(on.raw()));
    let class = match (level, named.or(on)) {
        (Some(Level::SecretReading), _) => EffectClass::Secrets,
        (_, Some(class)) => class,
        (Some(Level::Admin), None) => EffectClass::Rights,
        (_, None) => EffectClass::Unclear,
    };
    Effect {
        class,
        level,
        on: scope.name.clone(),
        through: Through::Scope(Box::new(scope.clone())),
    }
}

fn reached(graph: &Graph, walk: &Walk, place: usize, branch: &Branch) -> Option<Effect> {
    let node = graph.at(branch.node)?;
    let words = || class_of(node.label.raw()).or_else(|| class_of(node.id.as_str()));
    let class = match node.kind {
        NodeKind::Session | NodeKind::TrustBoundary => return None,
        NodeKind::Credential | NodeKind::SecretStore => EffectClass::Secrets,
        NodeKind::Identity | NodeKind::RecoveryPath => EffectClass::Rights,
        NodeKind::Grant | NodeKind::Permission => words().unwrap_or(EffectClass::Rights),
        NodeKind::Pipeline => EffectClass::Code,
        NodeKind::Workload => EffectClass::Cloud,
        NodeKind::Integration => words().unwrap_or(EffectClass::Systems),
        NodeKind::Resource | NodeKind::Undeclared => words().unwrap_or(EffectClass::Unclear),
    };
    let level = branch.privilege.map(|privilege| match privilege {
        Privilege::Read if class == EffectClass::Secrets => Level::SecretReading,
        Privilege::Read => Level::Read,
        Privilege::Write => Level::Write,
        Privilege::Admin => Level::Admin,
    });
    let way = walk.way_to(place);
    let passed = way.iter().filter(|at| **at != place);
    let name = |at: &usize| Some(graph.at(walk.branches.get(*at)?.node)?.label.clone());
    Some(Effect {
        class,
        level,
        on: node.label.clone(),
        through: Through::Map {
            node: node.id.clone(),
            kind: node.kind,
            criticality: node.criticality,
            way: passed.filter_map(name).collect(),
        },
    })
}

/// Words of names, by class; of several the first in this order counts.
const WORDS: &[(EffectClass, &[&str])] = &[
    (
        EffectClass::Secrets,
        &[
            "secret",
            "vault",
            "kms",
            "password",
            "keystore",
            "secretsmanager",
            "credential",
        ],
    ),
    (
        EffectClass::Rights,
        &[
            "iam",
            "role",
            "admin",
            "impersonate",
            "impersonation",
            "policy",
            "permission",
            "sts",
            "assumerole",
            "assume",
            "user",
            "member",
            "membership",
            "realm",
            "directory",
            "consent",
        ],
    ),
    (
        EffectClass::Code,
        &[
            "repo",
            "repository",
            "git",
            "github",
            "gitlab",
            "code",
            "source",
            "deploy",
            "deployment",
            "build",
            "pipeline",
            "workflow",
            "package",
            "artifact",
            "registry",
            "release",
            "ci",
            "cicd",
            "branch",
        ],
    ),
    (
        EffectClass::Messages,
        &[
            "mail",
            "email",
            "mailbox",
            "message",
            "chat",
            "channel",
            "slack",
            "sms",
            "notification",
            "queue",
            "topic",
            "kafka",
            "pubsub",
            "sns",
            "sqs",
            "webhook",
            "smtp",
            "imap",
            "calendar",
        ],
    ),
    (
        EffectClass::Data,
        &[
            "data",
            "database",
            "db",
            "table",
            "bucket",
            "s3",
            "storage",
            "blob",
            "dataset",
            "warehouse",
            "bigquery",
            "file",
            "record",
            "backup",
            "customer",
            "card",
            "payment",
            "invoice",
            "document",
            "drive",
            "sql",
            "postgres",
            "mysql",
            "redis",
            "dynamodb",
            "report",
            "ledger",
            "account",
        ],
    ),
    (
        EffectClass::Cloud,
        &[
            "ec2",
            "vm",
            "instance",
            "compute",
            "cluster",
            "kubernetes",
            "k8s",
            "pod",
            "container",
            "lambda",
            "function",
            "network",
            "vpc",
            "subnet",
            "dns",
            "gateway",
            "project",
            "subscription",
            "server",
            "namespace",
            "cloud",
            "host",
            "node",
            "infra",
            "infrastructure",
        ],
    ),
];

/// Finds a class by the words of a name.
fn class_of(name: &str) -> Option<EffectClass> {
    let end = name.floor_char_boundary(400);
    let lower = name[..end].to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|w| !w.is_empty()).take(MOST_WORDS).collect();
    let says = |word: &str| {
        let one = word.strip_suffix("ies").map(|stem| format!("{stem}y"));
        let is = |known: &&str| {
            *known == word || word.strip_suffix('s') == Some(known) || one.as_deref() == Some(known)
        };
        words_of(is)
    };
    words
        .into_iter()
        .filter_map(says)
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, class)| class)
}

fn words_of(is: impl Fn(&&str) -> bool) -> Option<(usize, EffectClass)> {
    let found = WORDS.iter().position(|(_, known)| known.iter().any(&is))?;
    Some((found, WORDS[found].0))
}

impl Serialize for Effect {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("class", &self.class)?;
        map.serialize_entry("level", &self.level)?;
        map.serialize_entry("on", &self.on)?;
        match &self.through {
            Through::Scope(_) => map.serialize_entry("through", "scope")?,
            Through::Map { node, way, .. } => {
                map.serialize_entry("through", "map")?;
                map.serialize_entry("node", node)?;
                map.serialize_entry("way", way)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::graph::{Edge, EdgeKind, Node};
    use super::*;

    #[rstest]
    #[case("repo:write", Some(EffectClass::Code))]
    #[case("github/acme/Repositories", Some(EffectClass::Code))]
    #[case("s3:GetObject", Some(EffectClass::Data))]
    #[case("Mail.Read", Some(EffectClass::Messages))]
    #[case("compute.instances.create", Some(EffectClass::Cloud))]
    #[case("iam:PassRole", Some(EffectClass::Rights))]
    #[case("secretsmanager:GetSecretValue", Some(EffectClass::Secrets))]
    #[case("deploy-secrets", Some(EffectClass::Secrets))]
    #[case("", None)]
    #[case("\u{202e}東京", None)]
    fn a_name_tells_the_class(#[case] name: &str, #[case] class: Option<EffectClass>) {
        assert_eq!(class_of(name), class);
    }

    #[test]
    fn scopes_and_reach_stand_together_and_what_lets_do_most_comes_first() {
        let scope = |name: &str, level| Scope {
            name: name.into(),
            level,
            ..Scope::default()
        };
        let mut graph = Graph::default();
        let id = NodeId::new;
        graph.add_node(Node::new(id("db"), NodeKind::Resource, "payments database"));
        graph.add_node(Node::new(id("log"), NodeKind::Resource, "log bucket"));
        for (to, privilege) in [("log", Privilege::Read), ("db", Privilege::Admin)] {
            graph.add(Edge {
                privilege: Some(privilege),
                ..Edge::new(id("me"), EdgeKind::CanReach, id(to))
            });
        }
        let walk = graph.exposure(&id("me"));
        let scopes = [scope("repo", Some(Level::Write)), scope("x", None)];
        let effects = Effects::of(&scopes, &graph, &walk);
        let told: Vec<(&str, &str)> = effects
            .found
            .iter()
            .map(|e| (e.class.as_str(), e.on.raw()))
            .collect();
        assert_eq!(
            told,
            [
                ("code", "repo"),
                ("data", "payments database"),
                ("data", "log bucket"),
                ("unclear", "x")
            ]
        );
        let data = effects.classes()[1];
        assert_eq!(data, (EffectClass::Data, 2, Some(Level::Admin)));
    }
}
