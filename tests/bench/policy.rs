//! What weighing an alert costs with the shipped policy: `cargo bench --bench policy`. The budget is 10,000 a second.

use std::sync::LazyLock;

use jiff::Timestamp;
use stanch::domain::alert::Alert;
use stanch::domain::graph::{Limits, Look};
use stanch::domain::ids::NodeId;
use stanch::domain::inventory::Inventory;
use stanch::domain::options::{Capabilities, Situation, choices};
use stanch::domain::policy::lint::{Loaded, load};
use stanch::domain::policy::{About, Facts};
use stanch::runtime::services::SHIPPED;

fn main() {
    divan::main();
}

static LOADED: LazyLock<Loaded> = LazyLock::new(|| load(SHIPPED[0], &SHIPPED[1..], None));

/// A map of 10,000 nodes: half of them hang on one identity, which reaches the other half.
static INVENTORY: LazyLock<Inventory> = LazyLock::new(|| {
    use std::fmt::Write as _;
    let mut text = String::from(
        "[[identity]]\nid = 'p:x'\nname = 'x'\nkind = 'service_account'\nconnector = 'c'\ntechnical_owner = 'team'\n\
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
        };
        choices(&situation, &LOADED.playbooks)
    });
}

/// Reading and checking all of what is shipped.
#[divan::bench]
fn load_what_is_shipped() -> Loaded {
    load(SHIPPED[0], &SHIPPED[1..], None)
}
