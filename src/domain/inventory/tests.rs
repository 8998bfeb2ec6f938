use jiff::Timestamp;
use rstest::rstest;

use super::*;
use crate::domain::alert::Resource;
use crate::domain::graph::{Node, NodeKind};
use crate::domain::identity::Credential;
use crate::domain::ids::AlertId;
use crate::domain::ids::NodeId;
use crate::domain::vocabulary::{ActionPattern, IdentityKind};

fn identity(id: &str, name: &str, alias: &str, credential: &str) -> Identity {
    let mut card =
        Identity::not_in_inventory(IdentityId::new(id), name.into(), IdentityKind::OauthClient);
    card.aliases.push(alias.into());
    card.credentials.push(Credential {
        id: credential.into(),
        kind: "client_secret".into(),
        store: Some("vault-eu-1".into()),
        ..Credential::default()
    });
    card
}

fn inventory() -> Inventory {
    let cards = [
        identity("lab:svc-deploy", "deployer", "AKIA1", "dk-1"),
        identity("lab:svc-report", "reporter", "AKIA2", "dk-2"),
        identity("kc:shared-a", "batch", "AKIA3", "dk-3"),
        identity("kc:shared-b", "batch", "AKIA4", "dk-3"),
        identity("other:svc-report", "lab:svc-deploy", "x", "y"),
    ];
    Inventory::new(cards, Graph::default())
}

fn alert(subject: Option<(&str, &str, Option<&str>)>, resource: Option<&str>) -> Alert {
    Alert {
        id: AlertId::new("s/1"),
        native_id: None,
        candidates: Vec::new(),
        source: "s".into(),
        format: "test".into(),
        time: None,
        observed: Timestamp::UNIX_EPOCH,
        exposed_at: None,
        title: "t".into(),
        severity: None,
        severity_raw: None,
        confidence: None,
        pattern: ActionPattern::Other,
        subject: subject.map(|(provider, native_id, name)| Subject {
            provider: provider.into(),
            native_id: native_id.into(),
            kind: IdentityKind::Unknown,
            name: name.map(Into::into),
        }),
        resource: resource.map(|id| Resource {
            id: id.into(),
            kind: "key".into(),
        }),
        action: None,
        evidence_url: None,
        incident: None,
        techniques: Vec::new(),
        raw_sha256: crate::domain::digest::Digest::default(),
        resolved: None,
    }
}

#[rstest]
#[case("lab", "svc-deploy", None, &["lab:svc-deploy"])]
#[case("siem", "lab:svc-deploy", None, &["lab:svc-deploy"])]
#[case("aws", "AKIA1", None, &["lab:svc-deploy"])]
#[case("aws", "dk-2", None, &["lab:svc-report"])]
#[case("siem", "svc-deploy", None, &["lab:svc-deploy"])]
#[case("siem", "svc-report", None, &["lab:svc-report", "other:svc-report"])]
#[case("other", "svc-report", None, &["other:svc-report"])]
#[case("siem", "9", Some("deployer"), &["lab:svc-deploy"])]
#[case("siem", "9", Some("AKIA2"), &["lab:svc-report"])]
#[case("siem", "batch", None, &["kc:shared-a", "kc:shared-b"])]
#[case("siem", "dk-3", Some("reporter"), &["kc:shared-a", "kc:shared-b"])]
#[case("siem", "Deployer", None, &[])]
#[case("siem", "deploy", None, &[])]
fn resolves(
    #[case] provider: &str,
    #[case] native: &str,
    #[case] name: Option<&str>,
    #[case] want: &[&str],
) {
    let ids: Vec<IdentityId> = want.iter().map(|id| IdentityId::new(*id)).collect();
    let subject = alert(Some((provider, native, name)), None).subject.unwrap();
    let unlisted = IdentityId::new(format!("{provider}:{native}"));
    let (meant, of_nobody) = (inventory().id_of(&subject), Inventory::default());
    assert_eq!(of_nobody.id_of(&subject), Some(unlisted.clone()));
    match ids.as_slice() {
        [] => assert_eq!(meant, Some(unlisted)),
        [one] => assert_eq!(meant.as_ref(), Some(one)),
        _ => assert_eq!(meant, None),
    }
    match inventory().resolve(&alert(Some((provider, native, name)), None)) {
        Resolution::Known(id) => assert_eq!(vec![id], ids),
        Resolution::Candidates(found) => {
            let found: Vec<IdentityId> = found.into_iter().map(|c| c.id).collect();
            assert_eq!((found.len() > 1, found), (true, ids));
        }
        Resolution::Unlisted(card) => {
            assert_eq!(ids, []);
            assert_eq!(card.id.as_str(), format!("{provider}:{native}"));
            assert_eq!(card.provenance, "not in inventory");
        }
        Resolution::Unresolved => panic!("unresolved"),
    }
}

#[test]
fn an_alert_without_a_subject_yields_at_most_candidates() {
    let found = inventory().resolve(&alert(None, Some("dk-1")));
    assert_eq!(
        found,
        Resolution::Candidates(vec![Candidate {
            id: IdentityId::new("lab:svc-deploy"),
            reason: Reason::Holds,
        }])
    );
    assert_eq!(
        inventory().resolve(&alert(None, Some("deployer"))),
        Resolution::Unresolved
    );
    assert_eq!(
        inventory().resolve(&alert(None, None)),
        Resolution::Unresolved
    );
    assert_eq!(
        inventory().resolve(&alert(Some(("p", "", None)), None)),
        Resolution::Unresolved
    );
}

#[test]
fn identities_and_credentials_are_on_the_map() {
    let inventory = inventory();
    let node = inventory
        .graph()
        .node(&NodeId::new("lab:svc-deploy"))
        .unwrap();
    assert_eq!(
        (node.kind, node.label.raw()),
        (NodeKind::Identity, "deployer")
    );
    let siblings = inventory.graph().siblings(&NodeId::new("lab:svc-deploy"));
    assert_eq!(siblings.found.len(), 4);
    assert!(
        inventory
            .graph()
            .node(&NodeId::new("store:vault-eu-1"))
            .is_some()
    );
}

#[test]
fn a_described_store_is_not_doubled() {
    let mut graph = Graph::default();
    let (id, kind) = (NodeId::new("vault-eu-1"), NodeKind::SecretStore);
    graph.add_node(Node::new(id, kind, "Vault, Frankfurt"));
    let inventory = Inventory::new([identity("lab:a", "a", "x", "k")], graph);
    assert_eq!(inventory.graph().len(), 3);
}

fn reasons(inventory: &Inventory, provider: &str, native: &str) -> Vec<(String, Reason)> {
    let subject = Subject {
        provider: provider.into(),
        native_id: native.into(),
        kind: IdentityKind::Unknown,
        name: None,
    };
    let found = inventory.matches(&subject).into_iter();
    found
        .map(|c| (c.id.as_str().to_owned(), c.reason))
        .collect()
}

#[rstest]
#[case("AKIAEXAMPLE00000001", "aws:arn:aws:iam::1:user/ci", Reason::AccessKey)]
#[case(
    "AROAEXAMPLEEXAMPLE1:s",
    "aws:arn:aws:iam::1:role/x/deploy",
    Reason::Role
)]
#[case(
    "arn:aws:sts::1:assumed-role/deploy/i-1",
    "aws:arn:aws:iam::1:role/x/deploy",
    Reason::Role
)]
#[case(
    "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    "github:ci-bot",
    Reason::Fingerprint
)]
#[case(
    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "github:ci-bot",
    Reason::Fingerprint
)]
#[case(
    "//iam.googleapis.com/projects/l/serviceAccounts/d@l.iam.gserviceaccount.com/keys/zz",
    "gcp:d@l.iam.gserviceaccount.com",
    Reason::Account
)]
#[case("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "entra:app", Reason::Unique)]
#[case("ALICE@Example.org", "entra:app", Reason::FoldedName)]
fn other_spellings_are_found(#[case] native: &str, #[case] id: &str, #[case] reason: Reason) {
    let mut ci = identity(
        "aws:arn:aws:iam::1:user/ci",
        "ci",
        "",
        "AKIAEXAMPLE00000001",
    );
    ci.credentials[0].kind = "access_key".into();
    let role = identity(
        "aws:arn:aws:iam::1:role/x/deploy",
        "deploy",
        "AROAEXAMPLEEXAMPLE1",
        "",
    );
    let mut bot = identity("github:ci-bot", "ci-bot", "", "t1");
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    bot.credentials[0].fingerprint = Some(digest.into());
    let google = identity("gcp:d@l.iam.gserviceaccount.com", "d", "", "k");
    let app = identity(
        "entra:app",
        "alice@example.org",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "",
    );
    let background = Background {
        folding: ["entra".to_owned()].into(),
        ..Background::default()
    };
    let inventory = Inventory::build([ci, role, bot, google, app], Graph::default(), background);
    assert_eq!(
        reasons(&inventory, "siem", native),
        [(id.to_owned(), reason)]
    );
    // Without a provider that says so, case counts.
    assert_eq!(reasons(&inventory, "siem", "CI-BOT"), []);
}

#[test]
fn candidates_come_with_the_likeliest_first() {
    let mut other = identity("lab:b", "b", "dk-1", "x");
    other.aliases.push("dk-1".into());
    let inventory = Inventory::new(
        [identity("lab:z", "z", "q", "dk-1"), other],
        Graph::default(),
    );
    let found = reasons(&inventory, "siem", "dk-1");
    let want = [
        ("lab:z".to_owned(), Reason::Credential),
        ("lab:b".to_owned(), Reason::Alias),
    ];
    assert_eq!(found, want);
}

#[test]
fn a_shared_credential_is_flagged_whatever_its_spelling() {
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let mut one = identity("lab:a", "a", "", "k1");
    one.credentials[0].fingerprint = Some(digest.into());
    one.provenance = "test".to_owned();
    let mut two = identity("lab:b", "b", "", "k2");
    two.credentials[0].fingerprint =
        Some(Untrusted::new(format!("SHA256:{}", digest.to_uppercase())));
    let inventory = Inventory::new([one, two], Graph::default());
    let card = inventory.identity(&IdentityId::new("lab:a")).unwrap();
    let flags = inventory.flags(card, Timestamp::UNIX_EPOCH);
    assert!(
        flags
            .iter()
            .any(|f| f.reason == "k1 is held by 2 identities"),
        "{flags:?}"
    );
}

#[test]
fn what_a_card_leaves_open_its_team_and_its_class_fill() {
    let mut background = Background::default();
    background
        .offboarding
        .insert("client_secret".to_owned(), "delete it twice".into());
    background
        .roster
        .add(crate::domain::identity::roster::Team {
            id: "payments".into(),
            on_call: Some("rota".into()),
            contact: Some("+44".into()),
            ..Default::default()
        });
    let mut one = identity("lab:a", "a", "", "k1");
    one.technical_owner = Some("Payments".into());
    let mut named = identity("lab:b", "b", "", "k2");
    named.technical_owner = Some("Payments".into());
    named.on_call = Some("M. Okafor".into());
    let inventory = Inventory::build([one, named], Graph::default(), background);
    let card = |id: &str| inventory.identity(&IdentityId::new(id)).unwrap();
    assert_eq!(
        (&card("lab:a").on_call, &card("lab:a").contact),
        (&Some("rota".into()), &Some("+44".into()))
    );
    assert_eq!(
        card("lab:a").credentials[0].offboarding,
        Some("delete it twice".into())
    );
    assert_eq!(
        (&card("lab:b").on_call, &card("lab:b").contact),
        (&Some("M. Okafor".into()), &None)
    );
}
