use rstest::rstest;

use crate::app::settings::{InventorySettings, InventorySource};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::Inventory;
use crate::domain::vocabulary::{Criticality, Driver, IdentityKind};
use crate::inventory::{load, parse};

const FULL: &str = r#"
[[identity]]
id = "lab:svc-deploy"
name = "svc-deploy"
kind = "oauth_client"
driver = "script"
environment = "production"
workload = "release pipeline"
business_owner = "Payments"
technical_owner = "Platform team"
on_call = "Platform on-call, +44 20 7946 0018"
criticality = "high"
uninterruptible = "settles payments until 18:00"
aliases = ["svc-deploy", "SHA256:abc"]
connector = "lab"
params = { client_id = "svc-deploy" }
scopes = [{ name = "deploy", privileged = false }, { name = "secrets.read", privileged = true }]

[[identity.credential]]
id = "dk-7f3a"
kind = "deploy_key"
store = "vault-eu-1"
created = "2024-03-02T09:00:00Z"
expires = 2027-03-02T09:00:00+02:00
rotation = "every 90 d"
secret_ref = "file:/etc/stanch/dk-7f3a"

[[identity]]
id = "lab:svc-report"
name = "svc-report"
kind = "service_account"

[[node]]
id = "pipeline:payments-release"
kind = "pipeline"
label = "payments-release"
criticality = "business_critical"

[[edge]]
from = "pipeline:payments-release"
kind = "depends_on"
to = "lab:svc-deploy"
"#;

#[test]
fn reads_every_key() {
    let inventory = parse(FULL, "inventory.toml").unwrap();
    let card = inventory
        .identity(&IdentityId::new("lab:svc-deploy"))
        .unwrap();
    assert_eq!(
        (card.kind, card.driver),
        (IdentityKind::OauthClient, Driver::Script)
    );
    assert_eq!(card.criticality, Some(Criticality::High));
    assert_eq!((card.scopes.len(), card.scopes[1].privileged), (2, true));
    assert_eq!(card.params["client_id"], "svc-deploy");
    assert_eq!(card.provenance, "inventory.toml");
    let credential = &card.credentials[0];
    assert_eq!(
        credential.created,
        Some("2024-03-02T09:00:00Z".parse().unwrap())
    );
    assert_eq!(
        credential.expires,
        Some("2027-03-02T07:00:00Z".parse().unwrap())
    );
    assert_eq!(
        credential.secret_ref.as_deref(),
        Some("file:/etc/stanch/dk-7f3a")
    );
    let bare = inventory
        .identity(&IdentityId::new("lab:svc-report"))
        .unwrap();
    assert_eq!((bare.driver, bare.criticality), (Driver::Unknown, None));
    let impact = inventory.graph().impact(&NodeId::new("lab:svc-deploy"));
    assert!(
        inventory
            .graph()
            .ids(&impact)
            .any(|n| n.as_str() == "pipeline:payments-release")
    );
}

#[test]
fn json_has_the_same_shape() {
    let value: toml::Value =
        toml::from_str(&FULL.replace("2027-03-02T09:00:00+02:00", "\"2027-03-02T07:00:00Z\""))
            .unwrap();
    let from_json = parse(&serde_json::to_string_pretty(&value).unwrap(), "i.json").unwrap();
    let from_toml = parse(FULL, "i.json.toml").unwrap();
    let cards = |i: &Inventory| {
        let mut cards: Vec<_> = i.identities().values().cloned().collect();
        for card in &mut cards {
            card.provenance.clear();
            card.origins.clear();
        }
        cards
    };
    assert_eq!(cards(&from_json), cards(&from_toml));
}

const HEAD: &str = "[[identity]]\nid = \"lab:a\"\nname = \"a\"\nkind = \"api_token\"\n";

#[rstest]
#[case("kind = \"robot\"", "i.toml:5: ")]
#[case(
    "drivr = \"script\"",
    "i.toml:5: unknown field `drivr`, expected one of"
)]
#[case(
    "criticality = \"huge\"",
    "i.toml:5: criticality: unknown variant `huge`"
)]
#[case("scopes = 3", "i.toml:5: scopes: invalid type: integer `3`")]
#[case("driver = \"script", "i.toml:5: ")]
#[case(
    "[[identity.credential]]\nid = \"k\"\nkind = \"k\"\ncreated = \"soon\"",
    "i.toml:8: created: `soon` is not a time with an offset"
)]
#[case(
    "[[identity.credential]]\nid = \"k\"\nkind = \"k\"\ncreated = 2026-01-01",
    "i.toml:8: created: `2026-01-01` is not a time with an offset"
)]
#[case(
    "[[identity]]\nid = \"b\"\nname = \"b\"\nkind = \"role_session\"",
    "i.toml:5: id: `b` is not `provider:native-id`"
)]
#[case(
    "[[identity]]\nid = \"lab:b\"\nname = \" \"\nkind = \"role_session\"",
    "i.toml:5: name: `lab:b` needs a name"
)]
#[case(
    "[[edge]]\nfrom = \"a\"\nkind = \"likes\"\nto = \"b\"",
    "i.toml:7: kind: unknown variant `likes`"
)]
fn errors_say_file_line_key_and_way_out(#[case] rest: &str, #[case] begin: &str) {
    let error = parse(&format!("{HEAD}{rest}\n"), "i.toml")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with(begin), "{error}");
}

#[rstest]
#[case("secret_ref = \"hunter2-hunter2\"")]
#[case("secret_ref = 42424242")]
#[case("secret_ref = [\"hunter2-hunter2\"]")]
#[case("secret_ref = \"hunter2-hunter2")]
#[case("secret_ref = hunter2-hunter2")]
#[case("secret = \"hunter2-hunter2\"")]
fn a_pasted_secret_is_not_repeated(#[case] key: &str) {
    let credential = "[[identity.credential]]\nid = \"k\"\nkind = \"k\"\n";
    let error = parse(&format!("{HEAD}{credential}{key}\n"), "i.toml").unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(
        !said.contains("hunter2") && !said.contains("4242"),
        "{said}"
    );
    assert!(said.starts_with("i.toml:8: "), "{said}");
    if key.ends_with("\"]") || key == "secret_ref = \"hunter2-hunter2\"" {
        assert!(
            said.contains("secret_ref: a secret must be a reference: `env:NAME`"),
            "{said}"
        );
    }
    let json = r#"{"identity":[{"id":"lab:a","name":"a","kind":"api_token","credential":[{"id":"k","kind":"k",
        "secret_ref":"hunter2-hunter2"}]}]}"#;
    let error = parse(json, "i.json").unwrap_err().to_string();
    assert!(
        error.starts_with("i.json:2: a secret must be a reference"),
        "{error}"
    );
}

#[test]
fn files_add_up_and_what_does_not_fit_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("a.toml"), HEAD).unwrap();
    let b = format!("{}\n{HEAD}", HEAD.replace("lab:a", "lab:b")).replace("api_token", "ci_token");
    std::fs::write(path("b.toml"), b).unwrap();
    let load = |names: &[&str]| {
        let settings = InventorySettings {
            source: names
                .iter()
                .map(|n| InventorySource::of_file(path(n)))
                .collect(),
            ..InventorySettings::default()
        };
        load(&settings, None, jiff::Timestamp::now())
    };
    let told = |inventory: &Inventory| -> Vec<String> {
        let base = dir.path().display().to_string() + "/";
        let mistakes = inventory.background().mistakes.iter();
        mistakes.map(|m| m.to_string().replace(&base, "")).collect()
    };
    let inventory = load(&["a.toml", "none.toml", "b.toml"]);
    assert_eq!(inventory.identities().len(), 2);
    assert_eq!(
        told(&inventory),
        [
            "none.toml: cannot be read: No such file or directory (os error 2)",
            "b.toml:6: kind of `lab:a`: `ci_token` contradicts what is used, which a.toml says",
        ]
    );
    let card = inventory.identity(&IdentityId::new("lab:a")).unwrap();
    assert_eq!(card.kind, IdentityKind::ApiToken);
    std::fs::write(path("c.toml"), HEAD.repeat(2)).unwrap();
    assert_eq!(
        told(&load(&["c.toml"])),
        [
            "c.toml:5: id: `lab:a` is listed twice, first in line 1; they are taken together, better merge the two entries"
        ]
    );
}

#[test]
fn one_broken_entry_costs_nothing_but_itself() {
    let text = format!(
        "{HEAD}[[identity]]\nid = 'lab:b'\ndriver = 'demon'\n[[edge]]\nfrom = 'lab:a'\nkind = 'depends_on'\nto = 'lab:z'\n\
         [[edge]]\nfrom = 'lab:a'\nkind = 'depends_on'\nto = 'lab:a'\n[[identity]]\nid = 'lab:c'\ntechnical_owner = 'lab:c'\n\
         [[identitee]]\nid = 'x'\n[[identity]]\nid = 'lab:d'\nname = '{}'\n",
        "n".repeat(5000)
    );
    for (name, text) in [("i.toml", text.clone()), ("i.json", as_json(&text))] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let settings = InventorySettings {
            source: vec![InventorySource::of_file(&path)],
            ..InventorySettings::default()
        };
        let inventory = load(&settings, None, jiff::Timestamp::now());
        let ids: Vec<&str> = inventory
            .identities()
            .keys()
            .map(IdentityId::as_str)
            .collect();
        assert_eq!(ids, ["lab:a", "lab:c", "lab:d"]);
        let told: Vec<&str> = inventory
            .background()
            .mistakes
            .iter()
            .map(|m| &*m.problem)
            .collect();
        let about = |words: &str| told.iter().filter(|t| t.contains(words)).count();
        for words in [
            "unknown variant `demon`",
            "nothing describes `lab:z`",
            "`lab:a` depends on itself",
            "`lab:c` cannot own itself",
            "unknown key `identitee`",
            "longer than 4096 bytes and cut",
        ] {
            assert_eq!(about(words), 1, "{name}: {words}: {told:?}");
        }
        assert_eq!(told.len(), 6, "{told:?}");
        if name == "i.toml" {
            let mistakes = inventory.background().mistakes.iter();
            let lines: Vec<usize> = mistakes.map(|m| m.line).collect();
            assert_eq!(lines, [7, 8, 12, 16, 19, 21]);
        }
    }
}

fn as_json(toml: &str) -> String {
    let value: toml::Value = toml::from_str(toml).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn what_stands_before_a_syntax_error_is_used_and_what_follows_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("i.toml");
    let text = format!("{HEAD}[[identity]]\nid = 'lab:b'\nworkload = 'x\ntechnical_owner = 'y'\n");
    std::fs::write(&path, text).unwrap();
    let settings = InventorySettings {
        source: vec![InventorySource::of_file(&path)],
        ..InventorySettings::default()
    };
    let inventory = load(&settings, None, jiff::Timestamp::now());
    assert_eq!(inventory.identities().len(), 1);
    let told = inventory.background().mistakes[0].to_string();
    assert!(
        told.contains("i.toml:7: ") && told.ends_with("what follows line 4 is not used"),
        "{told}"
    );
}

#[test]
fn the_file_of_the_readme_is_one() {
    let readme = include_str!("../../../README.md");
    let block = readme
        .split("```toml\n")
        .filter_map(|rest| rest.split_once("```"))
        .find(|(block, _)| block.starts_with("as_of"));
    let inventory = crate::inventory::parse_all(&[("README.toml", block.unwrap().0)]);
    assert_eq!(inventory.background().mistakes, []);
    let card = inventory
        .identity(&IdentityId::new("sso:svc-deploy"))
        .unwrap();
    let flags = inventory.flags(card, "2026-03-03T00:00:00Z".parse().unwrap());
    let reasons: Vec<&str> = flags.iter().map(|f| &*f.reason).collect();
    assert_eq!(
        reasons,
        ["business owner `Payments (M. Okafor)` is no declared team or person"]
    );
}

#[test]
fn an_empty_file_is_an_empty_inventory() {
    assert!(parse("", "i.toml").unwrap().identities().is_empty());
}
