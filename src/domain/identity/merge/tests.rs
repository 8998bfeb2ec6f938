use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::domain::identity::flags::{self, FlagKind, Limits, Surroundings};
use crate::domain::identity::roster::{Roster, Team};
use crate::domain::ids::IdentityId;

const NOW: &str = "2026-11-21T00:00:00Z";

fn origin(source: &str, at: Option<&str>) -> Arc<Origin> {
    Arc::new(Origin {
        source: source.to_owned(),
        place: format!("{source}.json"),
        at: at.map(|at| at.parse().unwrap()),
        stale_after_d: 90,
    })
}

fn account(rank: usize, origin: &Arc<Origin>, fill: impl FnOnce(&mut Identity)) -> Account {
    let mut card = Identity::blank(IdentityId::new("p:a"));
    fill(&mut card);
    Account {
        rank,
        origin: Arc::clone(origin),
        line: 0,
        card: Box::new(card),
    }
}

fn key(id: &str, fill: impl FnOnce(&mut Credential)) -> Credential {
    let mut credential = Credential {
        id: id.into(),
        ..Credential::default()
    };
    fill(&mut credential);
    credential
}

#[test]
fn the_more_trusted_source_wins_and_the_loser_stays_visible() {
    let catalog = origin("catalog", Some("2026-10-11T00:00:00Z"));
    let cmdb = origin("cmdb", Some("2026-11-20T00:00:00Z"));
    let card = merge(vec![
        account(1, &cmdb, |c| {
            c.technical_owner = Some("ops".into());
            c.environment = Some("production".into());
            c.on_call = Some("  ".into());
        }),
        account(0, &catalog, |c| c.technical_owner = Some("payments".into())),
    ])
    .unwrap();
    assert_eq!(card.technical_owner, Some("payments".into()));
    assert_eq!(card.on_call, None, "a blank is nothing");
    assert_eq!((card.name.raw(), &*card.provenance), ("a", "catalog"));
    let now = NOW.parse().unwrap();
    let told = |field: Field| card.origin(&field.into()).unwrap().told(now);
    assert_eq!(told(Field::TechnicalOwner), "catalog, 41 d old");
    assert_eq!(told(Field::Environment), "cmdb, 1d00h old");
    let at = At::own(Field::TechnicalOwner);
    let losers: Vec<_> = card.conflicts(&at).collect();
    assert_eq!(losers.len(), 1);
    assert_eq!(losers[0].value, Some("ops".into()));
    assert_eq!(losers[0].origin.source, "cmdb");
    assert_eq!(card.newest(), cmdb.at);
}

#[rstest]
#[case(Some("2026-01-01T00:00:00Z"), Some("2026-02-01T00:00:00Z"), "new")]
#[case(Some("2026-02-01T00:00:00Z"), Some("2026-01-01T00:00:00Z"), "old")]
#[case(None, Some("2026-01-01T00:00:00Z"), "new")]
#[case(None, None, "old")]
fn within_a_source_the_newest_wins(
    #[case] old: Option<&str>,
    #[case] new: Option<&str>,
    #[case] want: &str,
) {
    let card = merge(vec![
        account(0, &origin("s", old), |c| c.workload = Some("old".into())),
        account(0, &origin("s", new), |c| c.workload = Some("new".into())),
    ])
    .unwrap();
    assert_eq!(card.workload, Some(want.into()));
    assert_eq!(card.contradictions().count(), 1);
}

#[test]
fn credentials_are_united_by_id_and_use_is_the_latest() {
    let (first, second) = (origin("file", None), origin("iam", None));
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z");
    let card = merge(vec![
        account(0, &first, |c| {
            c.credentials.push(key("AKIA1", |k| {
                k.store = Some("vault".into());
                k.last_used = Some(early.parse().unwrap());
                k.consumers = vec!["x".into()];
            }));
        }),
        account(1, &second, |c| {
            c.credentials.push(key("AKIA1", |k| {
                k.store = Some("laptop".into());
                k.last_used = Some(late.parse().unwrap());
                k.created = Some(early.parse().unwrap());
                k.consumers = vec!["x".into(), "y".into()];
            }));
            c.credentials.push(key("AKIA2", |_| {}));
            c.credentials.push(key("", |_| {}));
        }),
    ])
    .unwrap();
    assert_eq!(card.credentials.len(), 2);
    let own = &card.credentials[0];
    assert_eq!(own.last_used, Some(late.parse().unwrap()));
    assert_eq!(own.consumers.len(), 2);
    let source = |field, item: &str| &*card.origin(&At::of(field, item)).unwrap().source;
    assert_eq!(source(Field::CredentialLastUsed, "AKIA1"), "iam");
    assert_eq!(source(Field::CredentialCreated, "AKIA1"), "iam");
    assert_eq!(source(Field::CredentialStore, "AKIA1"), "file");
    assert_eq!(source(Field::CredentialStore, "AKIA2"), "iam");
    let said: Vec<String> = card.contradictions().map(|s| s.at.to_string()).collect();
    assert_eq!(said, ["credential AKIA1: store"]);
}

#[test]
fn parameters_belong_to_their_connector() {
    let (first, second) = (origin("a", None), origin("b", None));
    let card = merge(vec![
        account(0, &first, |c| {
            c.connector = Some("x".into());
            c.params.insert("p".into(), "1".into());
        }),
        account(1, &second, |c| {
            c.connector = Some("y".into());
            c.params.insert("q".into(), "2".into());
        }),
    ])
    .unwrap();
    assert_eq!(card.connector.as_deref(), Some("x"));
    assert_eq!(card.params.keys().collect::<Vec<_>>(), ["p"]);
}

#[test]
fn doubts_have_reasons() {
    let old = origin("catalog", Some("2025-01-01T00:00:00Z"));
    let card = merge(vec![
        account(0, &old, |c| {
            c.technical_owner = Some("gone-team".into());
            c.business_owner = Some("nobody".into());
            c.credentials.push(key("k1", |k| {
                k.hard_coded = vec!["git:app/deploy.sh".into()];
                k.created = Some("2024-01-01T00:00:00Z".parse().unwrap());
                k.rotation = Some("every 90 d".into());
                k.last_used = Some("2026-01-01T00:00:00Z".parse().unwrap());
                k.expires = Some("2026-11-11T00:00:00Z".parse().unwrap());
            }));
        }),
        account(1, &old, |c| c.business_owner = Some("somebody".into())),
    ])
    .unwrap();
    let mut roster = Roster::default();
    roster.add(Team {
        id: "gone-team".into(),
        gone: true,
        ..Team::default()
    });
    let around = Surroundings {
        roster: &roster,
        limits: Limits::default(),
        holders: &|id| if id == "k1" { 2 } else { 0 },
    };
    let now: Timestamp = NOW.parse().unwrap();
    let flags = flags::of(&card, &around, now);
    let kinds: Vec<FlagKind> = flags.iter().map(|f| f.kind).collect();
    assert_eq!(
        kinds,
        [
            FlagKind::OrphanedOwner,
            FlagKind::OrphanedOwner,
            FlagKind::HardCoded,
            FlagKind::Shared,
            FlagKind::Conflict,
            FlagKind::Unused,
            FlagKind::StaleOwner,
            FlagKind::StaleOwner,
            FlagKind::StaleRecord,
            FlagKind::RotationOverdue,
            FlagKind::Expired,
        ]
    );
    let reasons: Vec<&str> = flags.iter().map(|f| &*f.reason).collect();
    assert_eq!(
        reasons[0],
        "business owner `nobody` is no declared team or person"
    );
    assert_eq!(
        reasons[1],
        "technical owner `gone-team` is gone, says the roster"
    );
    assert_eq!(
        reasons[8],
        "the newest that is said about it is from catalog, 689 d old"
    );
    assert_eq!(reasons[4], "business owner: catalog says `somebody`");
    assert_eq!(reasons[9], "k1 was to be renewed 965 d ago");
    // Nobody declares anybody: then nobody can be missing.
    let around = Surroundings {
        roster: &Roster::default(),
        ..around
    };
    let flags = flags::of(&card, &around, now);
    assert!(flags.iter().all(|f| f.kind != FlagKind::OrphanedOwner));
}

/// A card with a few fields set from a few bytes.
fn made(bytes: [u8; 4]) -> impl Fn(&mut Identity) {
    move |c| {
        let text = |b: u8| (!b.is_multiple_of(3)).then(|| Untrusted::new(format!("v{}", b % 3)));
        c.technical_owner = text(bytes[0]);
        c.workload = text(bytes[1]);
        c.scopes = (0..bytes[2] % 4)
            .map(|n| Scope {
                name: Untrusted::new(format!("s{n}")),
                on: text(bytes[3]),
                ..Scope::default()
            })
            .collect();
    }
}

proptest! {
    #[test]
    fn every_value_is_in_force_or_stands_beside_it(cards in prop::collection::vec(any::<[u8; 4]>(), 1..6)) {
        let accounts: Vec<Account> = cards.iter().enumerate()
            .map(|(rank, bytes)| account(rank, &origin(&format!("s{rank}"), None), made(*bytes)))
            .collect();
        let card = merge(accounts.clone()).unwrap();
        for account in &accounts {
            let at = At::own(Field::TechnicalOwner);
            if let Some(owner) = &account.card.technical_owner {
                let wins = card.technical_owner.as_ref() == Some(owner);
                let beside = card.conflicts(&at).any(|s| s.value.as_ref() == Some(owner) && s.origin == account.origin);
                prop_assert!(wins || beside);
            }
        }
        // The first that says anything is in force, and is named as the one who said it.
        let first = accounts.iter().find(|a| a.card.technical_owner.is_some());
        prop_assert_eq!(first.and_then(|a| a.card.technical_owner.clone()), card.technical_owner.clone());
        if let Some(first) = first {
            prop_assert_eq!(&card.origin(&Field::TechnicalOwner.into()).unwrap().source, &first.origin.source);
        }
        prop_assert_eq!(card.scopes.len(), accounts.iter().map(|a| a.card.scopes.len()).max().unwrap());
    }
}
