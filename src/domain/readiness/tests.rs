use rstest::rstest;

use super::*;
use crate::domain::graph::{EdgeKind, Graph, Node, NodeKind};
use crate::domain::identity::{Credential, RecoveryPath, Scope};
use crate::domain::options::Capability;
use crate::domain::vocabulary::Layer;

/// A card of which nothing is missing.
fn whole() -> Identity {
    let mut card = Identity::blank(IdentityId::new("lab:a"));
    card.name = "a".into();
    card.provenance = "test".to_owned();
    card.connector = Some("lab".to_owned());
    card.params.insert("client_id".to_owned(), "a".to_owned());
    card.technical_owner = Some("platform".into());
    card.on_call = Some("rota".into());
    card.criticality = Some(Criticality::High);
    card.credentials.push(Credential {
        id: "k1".into(),
        kind: "api_key".into(),
        ..Credential::default()
    });
    card.scopes.push(Scope {
        name: "deploy".into(),
        level: Some(Level::Write),
        used: Some(true),
        ..Scope::default()
    });
    card
}

fn act(irreversible: bool) -> Capability {
    Capability {
        title: "Cut".to_owned(),
        layer: Layer::Credentials,
        breaks: String::new(),
        irreversible: irreversible.then(|| "gone for good".to_owned()),
        residual: Vec::new(),
    }
}

fn means() -> Means {
    Means {
        capabilities: [(
            "lab".to_owned(),
            [(Verb::DisableCredential, act(false))].into(),
        )]
        .into(),
        needs: [("lab".to_owned(), vec!["client_id".to_owned()])].into(),
        ..Means::default()
    }
}

fn judged(change: impl FnOnce(&mut Identity, &mut Means)) -> Readiness {
    let (mut card, mut means) = (whole(), means());
    change(&mut card, &mut means);
    let inventory = Inventory::new([card.clone()], Graph::default());
    of(&inventory, &card, &means, Timestamp::UNIX_EPOCH)
}

fn only(verb: Verb, irreversible: bool) -> Capabilities {
    [(verb, act(irreversible))].into()
}

#[test]
fn what_lacks_nothing_is_ready() {
    let judged = judged(|_, _| {});
    assert_eq!(judged.gaps, []);
    assert_eq!(
        (judged.verdict, judged.risk, judged.reach),
        (Verdict::Ready, 0, 5)
    );
}

type Change = fn(&mut Identity, &mut Means);

#[rstest]
#[case(|c: &mut Identity, _: &mut Means| c.connector = None, GapKind::NoConnector)]
#[case(|c: &mut Identity, _: &mut Means| c.connector = Some("else".to_owned()), GapKind::ConnectorMissing)]
#[case(|_: &mut Identity, m: &mut Means| m.capabilities = [("lab".to_owned(), only(Verb::PreserveEvidence, false))].into(), GapKind::NoCut)]
#[case(|c: &mut Identity, m: &mut Means| { m.refused.insert(c.id.clone(), "403".to_owned()); }, GapKind::NoPermission)]
#[case(|c: &mut Identity, _: &mut Means| c.params.clear(), GapKind::NoParameter)]
#[case(|c: &mut Identity, _: &mut Means| c.technical_owner = None, GapKind::NoOwner)]
#[case(|c: &mut Identity, _: &mut Means| c.on_call = None, GapKind::NoContact)]
#[case(|_: &mut Identity, m: &mut Means| m.capabilities = [("lab".to_owned(), only(Verb::RevokeSessions, false))].into(), GapKind::CredentialStays)]
#[case(|c: &mut Identity, _: &mut Means| c.credentials[0].hard_coded.push("git:app".into()), GapKind::HardCoded)]
#[case(|_: &mut Identity, m: &mut Means| m.capabilities = [("lab".to_owned(), only(Verb::RotateSecret, true))].into(), GapKind::NoUndo)]
#[case(|_: &mut Identity, m: &mut Means| { m.unverified.insert(("lab".to_owned(), Verb::DisableCredential)); }, GapKind::NoVerify)]
#[case(|c: &mut Identity, _: &mut Means| c.recovery.push(RecoveryPath { id: "r".into(), kind: None, state: RecoveryState::Compromised }), GapKind::RecoveryInReach)]
#[case(|c: &mut Identity, _: &mut Means| c.recovery.push(RecoveryPath { id: "r".into(), kind: Some("self_grant".into()), state: RecoveryState::Open }), GapKind::RecoveryInReach)]
#[case(|c: &mut Identity, _: &mut Means| c.scopes[0].used = Some(false), GapKind::TooBroad)]
#[case(|c: &mut Identity, _: &mut Means| c.scopes.clear(), GapKind::ScopesUnknown)]
fn each_gap_is_found_alone(#[case] change: Change, #[case] want: GapKind) {
    let judged = judged(change);
    let kinds: Vec<GapKind> = judged.gaps.iter().map(|g| g.kind).collect();
    // Who can cut nothing off cannot turn a credential off either.
    if want == GapKind::NoCut {
        assert_eq!(kinds, [want, GapKind::CredentialStays]);
    } else {
        assert_eq!(kinds, [want]);
    }
    assert_eq!(judged.verdict == Verdict::Not, want.is_fatal());
    let sum: u32 = kinds.iter().map(|k| k.weight()).sum();
    assert_eq!(judged.risk, judged.reach * sum);
    assert!(
        judged
            .gaps
            .iter()
            .all(|g| !g.what.is_empty() && !g.fix.is_empty())
    );
}

#[test]
fn a_procedure_replaces_an_act_and_a_dead_credential_needs_none() {
    let sessions: Change =
        |_, m| m.capabilities = [("lab".to_owned(), only(Verb::RevokeSessions, false))].into();
    let with = |change: fn(&mut Identity)| {
        judged(|c, m| {
            sessions(c, m);
            change(c);
        })
    };
    assert_eq!(
        with(|c| c.credentials[0].offboarding = Some("delete it".into())).gaps,
        []
    );
    assert_eq!(with(|c| c.credentials[0].enabled = Some(false)).gaps, []);
}

#[test]
fn shared_credentials_and_recovery_paths_within_reach_are_found_on_the_map() {
    let (one, mut two) = (whole(), whole());
    two.id = IdentityId::new("lab:b");
    let mut graph = Graph::default();
    let (id, kind) = (NodeId::new("recovery:x"), NodeKind::RecoveryPath);
    graph.add_node(Node::new(id, kind, "break-glass"));
    let (own, path) = (NodeId::new("lab:a"), NodeId::new("recovery:x"));
    graph.add_edge(path.clone(), EdgeKind::Recovers, own.clone());
    graph.add_edge(own, EdgeKind::CanReach, path);
    let inventory = Inventory::new([one, two], graph);
    let all = of_all(&inventory, &means(), Timestamp::UNIX_EPOCH);
    assert_eq!(all[0].id.as_str(), "lab:a", "the greater risk first");
    let whats: Vec<&str> = all[0].gaps.iter().map(|g| &*g.what).collect();
    assert_eq!(
        whats,
        [
            "recovery path break-glass is within its reach",
            "k1 is held by 2 identities"
        ]
    );
    assert_eq!(all[0].to_string(), "35 = 5 x 7");
    assert_eq!(all[1].gaps.len(), 1);
}

#[rstest]
#[case(Some(Level::Read), Some(Criticality::Low), Driver::Script, 2)]
#[case(None, None, Driver::Unknown, 4)]
#[case(
    Some(Level::Admin),
    Some(Criticality::BusinessCritical),
    Driver::Autonomous,
    8
)]
fn reach_follows_the_stated_rule(
    #[case] level: Option<Level>,
    #[case] criticality: Option<Criticality>,
    #[case] driver: Driver,
    #[case] want: u32,
) {
    let judged = judged(|c, _| {
        c.scopes[0].level = level;
        c.criticality = criticality;
        c.driver = driver;
    });
    assert_eq!(judged.reach, want);
}
