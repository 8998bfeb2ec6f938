use rstest::rstest;

use super::*;
use crate::domain::drawing::draw_newcomers;
use crate::domain::identity::Credential;
use crate::domain::ids::IdentityId;
use crate::domain::queue::tests::alert;
use crate::domain::vocabulary::IdentityKind;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn card() -> Identity {
    let id = IdentityId::new("lab:svc");
    let mut card = Identity::not_in_inventory(id, "svc".into(), IdentityKind::OauthClient);
    card.aliases.push("svc-alias".into());
    card
}

fn deed(pattern: ActionPattern, resource: (&str, &str), second: i64) -> Option<Deed> {
    let mut alert = alert(&format!("s/{second}"), None, 1);
    alert.pattern = pattern;
    alert.time = Some(at(second));
    alert.exposed_at = Some(at(100));
    alert.resource = Some(Resource {
        id: resource.0.into(),
        kind: resource.1.into(),
    });
    Deed::of(&alert)
}

#[rstest]
#[case(ActionPattern::CredentialCreatedOrAdded, ("c2", "OAuth Client"), Some((NodeKind::Identity, "lab:c2")))]
#[case(ActionPattern::CredentialCreatedOrAdded, ("lab:c2", "ServiceAccount"), Some((NodeKind::Identity, "lab:c2")))]
#[case(ActionPattern::CredentialCreatedOrAdded, ("AKIA9", "AccessKey"), Some((NodeKind::Credential, "credential:lab:svc/AKIA9")))]
#[case(ActionPattern::ConsentOrGrantAdded, ("mail.read", "Consent"), Some((NodeKind::Grant, "grant:lab:svc/mail.read")))]
#[case(ActionPattern::PrivilegeEscalated, ("role:admin", "Role"), Some((NodeKind::Permission, "permission:lab:svc/role:admin")))]
#[case(ActionPattern::RecoveryTampered, ("phone", "Factor"), Some((NodeKind::RecoveryPath, "recovery:lab:svc/phone")))]
#[case(ActionPattern::SecretRead, ("prod/db", "Secret"), Some((NodeKind::Credential, "touched:lab/prod/db")))]
#[case(ActionPattern::TokenReplay, ("x", "y"), None)]
#[case(ActionPattern::PrivilegeEscalated, ("svc-alias", "User"), None)]
#[case(ActionPattern::PrivilegeEscalated, ("", "Role"), None)]
fn patterns_tell_what_joins(
    #[case] pattern: ActionPattern,
    #[case] resource: (&str, &str),
    #[case] want: Option<(NodeKind, &str)>,
) {
    let deeds: Vec<Deed> = deed(pattern, resource, 200).into_iter().collect();
    let found = newcomers(&card(), at(150), &deeds, None, &Graph::default());
    let found: Vec<_> = found.iter().map(|n| (n.kind, n.node.as_str())).collect();
    assert_eq!(found, want.into_iter().collect::<Vec<_>>());
}

#[test]
fn only_what_came_since_the_first_exposure_joins() {
    let new = ActionPattern::CredentialCreatedOrAdded;
    let deeds: Vec<Deed> = [("old", 99), ("k", 120), ("k", 300), ("r", 200)]
        .into_iter()
        .filter_map(|(name, second)| deed(new, (name, "Key"), second))
        .collect();
    let credential = |id: &str, second| Credential {
        id: id.into(),
        created: Some(at(second)),
        ..Credential::default()
    };
    let live = LiveContext {
        credentials: vec![
            credential("k", 119),
            credential("own", 50),
            credential("n", 101),
        ],
        ..LiveContext::default()
    };
    let found = newcomers(&card(), at(150), &deeds, Some(&live), &Graph::default());
    let found: Vec<_> = found
        .iter()
        .map(|n| {
            (
                n.label.raw(),
                n.at.as_second(),
                n.witness == Witness::Provider,
            )
        })
        .collect();
    assert_eq!(
        found,
        [("n", 101, true), ("k", 119, true), ("r", 200, false)],
        "the alerts say that the exposure began at 100"
    );
}

#[test]
fn what_is_on_the_map_is_marked_there() {
    use crate::domain::graph::Node;
    let mut graph = Graph::default();
    let secret = NodeId::new("secret:prod/db");
    graph.add_node(Node::new(
        secret.clone(),
        NodeKind::Credential,
        "database password",
    ));
    graph.seal();
    let deeds: Vec<Deed> = [
        deed(ActionPattern::SecretRead, ("prod/db", "Secret"), 200),
        deed(
            ActionPattern::CredentialCreatedOrAdded,
            ("child", "Client"),
            210,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let card = card();
    let found = newcomers(&card, at(150), &deeds, None, &graph);
    let mut live = graph.clone();
    draw_newcomers(&mut live, &card, &found);
    let node = live.node(&secret).unwrap();
    assert_eq!(
        (node.joined, node.label.raw()),
        (Some(Joined::Touched), "database password")
    );
    let child = live.node(&NodeId::new("lab:child")).unwrap();
    assert_eq!(
        (child.joined, child.kind),
        (Some(Joined::Born), NodeKind::Identity)
    );
    assert_eq!(live.exposure(&NodeId::new("lab:svc")).count(), 2);
    assert!(graph.node(&NodeId::new("lab:child")).is_none());
}

#[test]
fn a_flood_is_bounded() {
    let new = ActionPattern::CredentialCreatedOrAdded;
    let deeds: Vec<Deed> = (0..MOST_NEWCOMERS as i64 + 50)
        .filter_map(|n| deed(new, (&format!("k{n}"), "Key"), 200 + n))
        .collect();
    let found = newcomers(&card(), at(100), &deeds, None, &Graph::default());
    assert_eq!(found.len(), MOST_NEWCOMERS);
}
