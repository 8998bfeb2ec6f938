//! What weighing an alert costs with the shipped policy: `cargo bench --bench policy`. The budget is 10,000 a second.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use stanch::app::model::Model;
use stanch::app::settings::{AuthSettings, ConnectorSettings, Desk};
use stanch::connect::Connectors;
use stanch::domain::alert::{Alert, Subject};
use stanch::domain::graph::{Limits, Look};
use stanch::domain::ids::NodeId;
use stanch::domain::inventory::Inventory;
use stanch::domain::options::{Capabilities, Situation, choices};
use stanch::domain::policy::lint::{Loaded, load};
use stanch::domain::policy::{About, Facts};
use stanch::domain::vocabulary::IdentityKind;
use stanch::journal::JournalConfig;
use stanch::runtime::anchor::Anchoring;
use stanch::runtime::journal::Journal;
use stanch::runtime::planner::{Alerted, build};
use stanch::runtime::services::{Latest, SHIPPED, Services};

fn main() {
    divan::main();
}

static LOADED: LazyLock<Loaded> = LazyLock::new(|| load(SHIPPED[0], &SHIPPED[1..], None));

/// A map of 10,000 nodes: half of them hang on one identity, which reaches the other half.
static INVENTORY: LazyLock<Inventory> = LazyLock::new(|| {
    use std::fmt::Write as _;
    let mut text = String::from(
        "[[identity]]\nid = 'p:x'\nname = 'x'\nkind = 'service_account'\nconnector = 'c'\ntechnical_owner = 'team'\nparams = { id = 'x' }\n\
         usual = { actions = ['ingest'], targets = ['queue'], hours = 'weekdays 07:00-19:00' }\n\
         scopes = [{ name = 'admin', level = 'admin' }]\n",
    );
    for n in 0..10_000 {
        let (from, kind, to) = match n % 2 {
            0 => (format!("n{n}"), "depends_on", "p:x".to_owned()),
            _ => ("p:x".to_owned(), "can_reach", format!("n{n}")),
        };
        let _ = write!(
            text,
            "[[node]]\nid = 'n{n}'\nkind = 'resource'\nlabel = 'n'\n[[edge]]\nfrom = '{from}'\nkind = '{kind}'\nto = '{to}'\n"
        );
    }
    stanch::inventory::parse(&text, "bench").unwrap_or_else(|error| panic!("{error}"))
});

static ALERT: LazyLock<Alert> = LazyLock::new(|| {
    let text = r#"{"id":"s/1","source":"s","format":"f","time":null,"observed":"2026-11-21T03:00:00Z","exposed_at":null,
        "title":"t","severity":"high","severity_raw":null,"confidence":90,"pattern":"secret_read","subject":null,
        "resource":{"id":"n1","kind":"secret"},"action":"GetSecretValue","evidence_url":null,"techniques":["T1552"],
        "raw_sha256":""}"#;
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"))
});

fn at(inventory: &Inventory) -> (NodeId, Look) {
    let node = NodeId::new("p:x");
    let look = Look::at(inventory.graph(), &node, Limits::FULL);
    (node, look)
}

fn facts<'a>(look: &'a Look, inventory: &'a Inventory) -> Facts<'a> {
    Facts::new(About {
        alert: &ALERT,
        identity: inventory.identities().values().next(),
        graph: inventory.graph(),
        look,
        live: None,
        newcomers: 0,
        elsewhere: false,
        now: Timestamp::UNIX_EPOCH,
    })
}

/// One assessment, facts and all, of an identity about which little hangs.
#[divan::bench]
fn assess(bencher: divan::Bencher<'_, '_>) {
    let look = Look::default();
    bencher.bench(|| LOADED.policy.assess(&facts(&look, &INVENTORY)));
}

/// The same on a map of 10,000 nodes.
#[divan::bench]
fn assess_on_a_large_map(bencher: divan::Bencher<'_, '_>) {
    let (_, look) = at(&INVENTORY);
    bencher.bench(|| LOADED.policy.assess(&facts(&look, &INVENTORY)));
}

/// Every option with the walk over the map that it needs, on 10,000 nodes: 50 ms at most.
#[divan::bench]
fn options_on_a_large_map(bencher: divan::Bencher<'_, '_>) {
    let means = Capabilities::new();
    let identity = INVENTORY.identities().values().next();
    let identity = identity.unwrap_or_else(|| panic!("the inventory is not empty"));
    bencher.bench(|| {
        let (_, look) = at(&INVENTORY);
        let facts = facts(&look, &INVENTORY);
        let assessment = LOADED.policy.assess(&facts);
        let situation = Situation {
            alert: &ALERT,
            identity,
            capabilities: Some(&means),
            impact: &look.impact,
            exposure: &look.exposure,
            facts: &facts,
            assessment: &assessment,
            closed: std::collections::BTreeSet::new(),
        };
        choices(&situation, &LOADED.playbooks)
    });
}

/// A connector without lookups: what it costs to ask a provider is the provider's.
const CONNECTOR: &str = r#"
kind = "http"
title = "Bench"

[param.id]
from = "identity"
pattern = '[a-z]{1,8}'
help = "the native id"

[action.revoke_sessions]
title = "End sessions"
layer = "sessions"
breaks = "whoever is logged in"
idempotent = true
target = "sessions of {id}"
request = [{ id = "end", method = "POST", path = "/end/{id}", expect = [200] }]
verify = { request = [{ id = "left", path = "/sessions/{id}" }], proven_if = ".left.body == []", says = "no session is left", interval_ms = 500, deadline_ms = 5000 }
undo = { irreversible = "an ended session does not come back" }
"#;

/// What planning needs, with a log on this disk.
struct Planning {
    services: Services,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Planning {
    fn new() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("c.toml");
        std::fs::write(&file, CONNECTOR)?;
        let settings = ConnectorSettings {
            preset: None,
            file: Some(file),
            base_url: "http://127.0.0.1:9".to_owned(),
            params: BTreeMap::new(),
            auth: AuthSettings::default(),
            ca_file: None,
            timeout_s: 5,
        };
        let journal = JournalConfig {
            store: dir.path().join("store"),
            site: "bench.example".into(),
            keys: dir.path().join("keys"),
            drill: false,
            allow_network_fs: true,
            person: None,
            policy: None,
            fallback: None,
        };
        let anchoring = Anchoring {
            poster: None,
            warn_lines: 100,
            warn_s: 900,
        };
        let inventory = Arc::new(INVENTORY.clone());
        let services = Services {
            connectors: Arc::new(Connectors::load(&[("c".to_owned(), settings)].into())?),
            playbooks: LOADED.playbooks.clone().into(),
            policy: Arc::new(LOADED.policy.clone()),
            authority: None,
            own: None,
            latest: Latest::new(inventory.clone()),
            inventory,
            inventory_sources: None,
            journal: Journal::open(journal, false, anchoring, Arc::new(|_| {})),
            alerts: None,
            desk: Desk::default(),
            views: None,
            drill_speed: None,
        };
        Ok(Self {
            services,
            runtime: tokio::runtime::Runtime::new()?,
            _dir: dir,
        })
    }

    /// Options as the console offers them, then the plan of one of them, written to the log and there for good.
    fn options_and_plan(&self, model: &Model) -> Result<usize, String> {
        let detail = model.detail_for(&ALERT_ABOUT);
        let identity = detail.identity.as_ref().ok_or("nobody is named")?;
        let alerted = Alerted {
            id: &ALERT_ABOUT.id,
            incident: None,
            graph: Some(&detail.graph),
        };
        let now = Timestamp::now();
        let built = build(&self.services, &alerted, identity, "cut-live-access", now);
        let (_, plan) = self.runtime.block_on(built)?;
        Ok(detail.choices.len() + plan.steps.len())
    }
}

/// The same alert, about the identity on which the map hangs.
static ALERT_ABOUT: LazyLock<Alert> = LazyLock::new(|| Alert {
    subject: Some(Subject {
        provider: "p".into(),
        native_id: "x".into(),
        kind: IdentityKind::ServiceAccount,
        name: None,
    }),
    ..ALERT.clone()
});

/// From the alert to a recorded plan on 10,000 nodes, the log's fsync included: 50 ms at most.
#[divan::bench]
fn options_and_plan_on_a_large_map(bencher: divan::Bencher<'_, '_>) {
    let planning = Planning::new().unwrap_or_else(|error| panic!("{error:#}"));
    let model = planning.services.model();
    let once = || planning.options_and_plan(&model);
    assert!(once().is_ok_and(|n| n > 3), "{:?}", once());
    bencher.bench_local(once);
}

/// Reading and checking all of what is shipped.
#[divan::bench]
fn load_what_is_shipped() -> Loaded {
    load(SHIPPED[0], &SHIPPED[1..], None)
}
