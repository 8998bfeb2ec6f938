//! A drill as it is written down: the lab's contents, the intruder's script, other traffic, and the inventory.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::debrief::Debrief;
use super::error::DrillError;

/// One embedded drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScenarioInfo {
    /// What is typed: `stanch drill <id>`.
    pub id: &'static str,
    /// One line for people.
    pub title: &'static str,
    text: &'static str,
}

static SCENARIOS: [ScenarioInfo; 4] = [
    ScenarioInfo {
        id: "leaked-deploy-key",
        title: "Leaked deploy key",
        text: include_str!("scenarios/leaked-deploy-key.toml"),
    },
    ScenarioInfo {
        id: "agent-beyond-intent",
        title: "Agent beyond intent",
        text: include_str!("scenarios/agent-beyond-intent.toml"),
    },
    ScenarioInfo {
        id: "ci-token",
        title: "CI token in a build log",
        text: include_str!("scenarios/ci-token.toml"),
    },
    ScenarioInfo {
        id: "vendor-breach",
        title: "Vendor breach",
        text: include_str!("scenarios/vendor-breach.toml"),
    },
];

/// The scenario that opens when none is named.
pub const DEFAULT: &str = "leaked-deploy-key";

/// Returns the embedded drills; the first is the one that opens when none is named.
pub fn scenarios() -> &'static [ScenarioInfo] {
    &SCENARIOS
}

/// A drill that has been read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(super) id: &'static str,
    pub(super) file: ScenarioFile,
}

impl Scenario {
    /// Reads the embedded drill with this id.
    pub fn load(id: &str) -> Result<Self, DrillError> {
        let info = SCENARIOS.iter().find(|info| info.id == id).ok_or_else(|| {
            DrillError::UnknownScenario {
                id: id.to_owned(),
                known: SCENARIOS.map(|info| info.id).join(", "),
            }
        })?;
        let wrong = |why: String| DrillError::Scenario {
            id: id.to_owned(),
            why,
        };
        let file: ScenarioFile = toml::from_str(info.text).map_err(|e| wrong(e.to_string()))?;
        file.check().map_err(wrong)?;
        Ok(Self { id: info.id, file })
    }

    /// Returns the id it was loaded by.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Returns one line for people.
    pub fn title(&self) -> &str {
        &self.file.title
    }

    /// Returns what the analyst is told at the start, a paragraph an item.
    pub fn story(&self) -> &[String] {
        &self.file.story
    }

    /// Returns what it teaches.
    pub fn debrief(&self) -> &Debrief {
        &self.file.debrief
    }

    /// Returns what a second source says of the same identities, which is older and does not agree everywhere.
    pub fn catalog_toml(&self, now: Timestamp) -> String {
        as_document(self.file.catalog.clone(), now)
    }

    /// Returns the inventory as TOML text in the schema of the product's inventory file, with times relative to `now`.
    pub fn inventory_toml(&self, now: Timestamp) -> String {
        as_document(self.file.inventory.clone(), now)
    }
}

fn as_document(table: toml::Table, now: Timestamp) -> String {
    let mut value = toml::Value::Table(table);
    resolve_times(&mut value, now);
    // A table is written as a document, any other value in one line.
    let document = value.as_table().map(ToString::to_string);
    document.unwrap_or_default()
}

/// Fields of the inventory that hold times.
const TIME_KEYS: [&str; 6] = [
    "as_of",
    "created",
    "expires",
    "last_used",
    "rotated",
    "since",
];

fn resolve_times(value: &mut toml::Value, now: Timestamp) {
    match value {
        toml::Value::Array(items) => items.iter_mut().for_each(|v| resolve_times(v, now)),
        toml::Value::Table(table) => {
            for (key, entry) in table.iter_mut() {
                let when = entry.as_str().and_then(|text| offset(text, now));
                match when {
                    Some(when) if TIME_KEYS.contains(&key.as_str()) => {
                        *entry = toml::Value::String(when.to_string());
                    }
                    _ => resolve_times(entry, now),
                }
            }
        }
        _ => {}
    }
}

/// Reads a time relative to `now`: a sign, digits, and one of `s`, `m`, `h`, `d`; whole seconds.
pub(super) fn offset(text: &str, now: Timestamp) -> Option<Timestamp> {
    let unit = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if !digits.starts_with(['-', '+']) {
        return None;
    }
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    let whole = Timestamp::from_second(now.as_second()).ok()?;
    whole.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// The file itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioFile {
    title: String,
    story: Vec<String>,
    debrief: Debrief,
    pub lab: LabPart,
    pub attack: AttackPart,
    #[serde(default)]
    pub workload: Vec<Workload>,
    #[serde(default)]
    pub noise: Vec<Noise>,
    inventory: toml::Table,
    #[serde(default)]
    catalog: toml::Table,
}

impl ScenarioFile {
    /// Refuses names that lead nowhere: a drill that cannot be won, or is won already, teaches the wrong thing.
    fn check(&self) -> Result<(), String> {
        let client = |id: &str| self.lab.client.iter().find(|c| c.client_id == id);
        let victim = client(&self.attack.client).ok_or("attack.client is not a lab client")?;
        let wanted = &self.attack.credential;
        let by_secret_alone = wanted.is_empty() && self.attack.holds_secret;
        if !by_secret_alone && !victim.credentials.iter().any(|c| c.id == *wanted) {
            return Err("attack.credential is not a credential of attack.client".to_owned());
        }
        for workload in &self.workload {
            client(&workload.client)
                .ok_or_else(|| format!("workload `{}` has no client", workload.name))?;
        }
        let role = |name: &str| self.lab.role.iter().any(|r| r.name == name);
        let held = self.lab.client.iter().flat_map(|c| &c.roles);
        let named = held
            .map(|r| &r.name)
            .chain(&self.attack.wanted_roles)
            .chain(&self.attack.child_roles)
            .chain(self.lab.resource.iter().map(|r| &r.role));
        for name in named {
            if !role(name) {
                return Err(format!("role `{name}` is not declared"));
            }
        }
        let beats = self.workload.iter().map(|w| w.every_s);
        if beats.chain([self.attack.every_s]).any(|s| s < 0.1) {
            return Err("`every_s` must be at least 0.1".to_owned());
        }
        let mut now = 0.0;
        for at in self.noise.iter().map(|n| n.at) {
            if at < now {
                return Err("noise must be in order of `at`".to_owned());
            }
            now = at;
        }
        Ok(())
    }
}

/// What the lab's identity provider holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabPart {
    pub product: String,
    pub vendor: String,
    pub token_ttl_s: i64,
    /// Addresses from which use is normal; use from any other raises an alert.
    pub baseline_sources: Vec<String>,
    pub self_grant: Vec<SelfGrant>,
    pub role: Vec<RoleDef>,
    pub resource: Vec<ResourceDef>,
    pub secret: Vec<SecretDef>,
    pub client: Vec<ClientDef>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelfGrant {
    pub holder: String,
    /// A role, or `*`.
    pub gives: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleDef {
    pub name: String,
    #[serde(default)]
    pub privileged: bool,
    /// Whether its holder may create clients, which act only as long as their maker holds such a role.
    #[serde(default)]
    pub mints_clients: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceDef {
    pub path: String,
    pub role: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretDef {
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientDef {
    pub client_id: String,
    pub secret_age: String,
    pub owner: OwnerDef,
    pub roles: Vec<HeldRoleDef>,
    #[serde(default)]
    pub credentials: Vec<CredentialDef>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerDef {
    pub business: String,
    pub technical: String,
    pub on_call: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldRoleDef {
    pub name: String,
    pub granted: String,
    pub by: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialDef {
    pub id: String,
    pub kind: String,
    pub store: String,
    pub created: String,
}

/// What the intruder holds and wants.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttackPart {
    pub client: String,
    /// The key that leaked, if one did.
    #[serde(default)]
    pub credential: String,
    /// Whether the client's own secret leaked.
    #[serde(default)]
    pub holds_secret: bool,
    pub source_ip: String,
    pub user_agent: String,
    /// Seconds between two rounds of trying everything, once the script is through.
    pub every_s: f64,
    /// Roles to grant oneself when a right is missing, in this order.
    pub wanted_roles: Vec<String>,
    /// A resource to read with a token that may do nothing better.
    pub also_reads: String,
    pub child_client_id: String,
    pub child_roles: Vec<String>,
    pub most_children: usize,
    pub act: Vec<ScriptedAct>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScriptedAct {
    /// Seconds after the start, at speed 1.
    pub at: f64,
    pub act: ActKind,
    #[serde(default)]
    pub secret: String,
    #[serde(default)]
    pub role: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActKind {
    UseKey,
    ReadSecret,
    Grant,
    MintClient,
}

/// Somebody who uses the lab rightfully, and is hurt by needless cuts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workload {
    pub name: String,
    pub client: String,
    pub source_ip: String,
    pub user_agent: String,
    pub every_s: f64,
    pub calls: Vec<String>,
}

/// An alert about somebody else, or with `raw` a line that is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noise {
    pub at: f64,
    pub raw: Option<String>,
    #[serde(default)]
    pub identity: String,
    #[serde(default)]
    pub pattern: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub severity_id: u8,
    #[serde(default)]
    pub confidence: u8,
    /// ATT&CK technique: id and name.
    #[serde(default)]
    pub technique: (String, String),
    #[serde(default)]
    pub resource: NoiseResource,
    #[serde(default)]
    pub source_ip: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoiseResource {
    pub uid: String,
    pub kind: String,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::vocabulary::{ActionPattern, Criticality, Driver, IdentityKind};

    fn noon() -> Timestamp {
        "2026-03-01T12:00:00.5Z".parse().unwrap()
    }

    #[test]
    fn every_embedded_scenario_loads_under_its_listed_title() {
        for info in scenarios() {
            let scenario = Scenario::load(info.id).unwrap();
            assert_eq!(scenario.title(), info.title);
            assert!(!scenario.story().is_empty());
            for noise in scenario.file.noise.iter().filter(|n| n.raw.is_none()) {
                assert!(
                    ActionPattern::parse(&noise.pattern).is_some(),
                    "{}",
                    noise.pattern
                );
            }
        }
    }

    #[test]
    fn an_unknown_scenario_names_the_known_ones() {
        let message = Scenario::load("nope").unwrap_err().to_string();
        assert!(message.contains("nope") && message.contains("leaked-deploy-key"));
    }

    #[rstest]
    #[case("-12d", Some("2026-02-17T12:00:00Z"))]
    #[case("+90s", Some("2026-03-01T12:01:30Z"))]
    #[case("-3h", Some("2026-03-01T09:00:00Z"))]
    #[case("12d", None)]
    #[case("-d", None)]
    #[case("", None)]
    #[case("-9223372036854775807d", None)]
    #[case("-1ü", None)]
    #[case("every 90 d", None)]
    fn offsets(#[case] text: &str, #[case] want: Option<&str>) {
        assert_eq!(
            offset(text, noon()),
            want.map(|w| w.parse::<Timestamp>().unwrap())
        );
    }

    /// The map must hang together: a misspelt id would silently hide who breaks.
    #[rstest]
    #[case("leaked-deploy-key", 12)]
    #[case("agent-beyond-intent", 6)]
    #[case("ci-token", 6)]
    #[case("vendor-breach", 4)]
    fn the_inventory_speaks_the_domains_words_and_its_edges_lead_somewhere(
        #[case] id: &str,
        #[case] nodes: usize,
    ) {
        let scenario = Scenario::load(id).unwrap();
        assert!(scenario.story().len() >= 4);
        let text = scenario.inventory_toml(noon());
        let inventory: toml::Table = toml::from_str(&text).unwrap();
        let list = |key: &str| inventory[key].as_array().unwrap().clone();
        let word = |v: &toml::Value, key: &str| v[key].as_str().unwrap().to_owned();
        let mut ids = std::collections::BTreeSet::new();
        for identity in list("identity") {
            ids.insert(word(&identity, "id"));
            assert!(IdentityKind::parse(&word(&identity, "kind")).is_some());
            assert!(Driver::parse(&word(&identity, "driver")).is_some());
            for credential in identity["credential"].as_array().unwrap() {
                assert!(word(credential, "created").parse::<Timestamp>().is_ok());
            }
        }
        for node in list("node") {
            ids.insert(word(&node, "id"));
            let kind: Result<crate::domain::graph::NodeKind, _> = node["kind"].clone().try_into();
            assert!(kind.is_ok(), "{node}");
            if let Some(c) = node.get("criticality") {
                assert!(Criticality::parse(c.as_str().unwrap()).is_some());
            }
        }
        for edge in list("edge") {
            let kind: Result<crate::domain::graph::EdgeKind, _> = edge["kind"].clone().try_into();
            assert!(kind.is_ok(), "{edge}");
            for end in ["from", "to"] {
                assert!(ids.contains(&word(&edge, end)), "{edge}");
            }
        }
        assert!(list("node").len() >= nodes);
    }
}
