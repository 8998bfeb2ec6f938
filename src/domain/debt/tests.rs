use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::domain::authority::{Analyst, Roster};
use crate::domain::decision::testing::fold;
use crate::domain::decision::{Entry, RecordType};
use crate::domain::hold::Gate;
use crate::domain::hold::PROBATION_S;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn entry(who: &str, second: i64, kind: RecordType, body: &Value) -> Entry {
    Entry {
        log: who.to_owned(),
        seq: u64::try_from(second).unwrap_or(0),
        kind,
        ts: at(second),
        actor: format!("{who}@jump1"),
        signer: Some(format!("key-{who}").into()),
        body: body.as_object().unwrap().clone(),
    }
}

fn decision(who: &str, second: i64, body: &Value) -> Entry {
    entry(who, second, RecordType::Decision, body)
}

/// A plan with one step of this verb that can be taken back.
fn plan(verb: &str) -> (Value, String) {
    let undo = json!({"kind": "requests", "requests": [], "verify": null});
    let plan = json!({
        "v": 1, "alert": "s/1", "identity": "p:a", "identity_name": "svc-a", "params": {}, "environment": null,
        "playbook": "cut", "playbook_sha256": "", "tier": "hard", "created": at(0), "expires": at(900), "nonce": verb,
        "drill": false, "skipped": [], "residual": [], "preconditions": [],
        "impact": {"breaks": [], "reaches": [], "truncated": false},
        "steps": [{"id": "1", "verb": verb, "title": "off", "why": "", "team": "soc", "tier": "hard", "layer": "credentials",
            "connector": "p", "target": "p:a", "requests": [], "verify": null, "undo": undo, "breaks": "the nightly build",
            "idempotent": true}],
    });
    let read: crate::domain::plan::Plan = serde_json::from_value(plan.clone()).unwrap();
    let digest = read.digest().as_str().to_owned();
    (json!({"digest": digest, "plan": plan}), digest)
}

fn act(id: &str, second: i64, digest: &str, verb: &str, undo: bool, outcome: &str) -> [Entry; 2] {
    let intent = json!({
        "intent": id, "digest": digest, "step": "1", "verb": verb, "identity": "p:a", "alert": "s/1", "undo": undo,
        "process": {"boot": "b", "pid": 1, "start": 1},
    });
    let came = json!({"intent": id, "outcome": outcome, "attempts": 1});
    [
        entry("ada", second, RecordType::Intent, &intent),
        entry("ada", second + 1, RecordType::Outcome, &came),
    ]
}

fn proven(id: &str, second: i64) -> Entry {
    let verify = json!({"intent": id, "proof": "agrees", "says": "it is off", "tries": 1});
    entry("ada", second, RecordType::Verify, &verify)
}

fn house() -> Authority {
    let person = |name: &str, role| Analyst {
        name: name.into(),
        role,
        teams: Vec::new(),
        keys: [format!("key-{name}")].into(),
        uids: std::collections::BTreeSet::new(),
        accounts: Vec::new(),
        powers: Vec::new(),
    };
    Authority {
        roster: Roster {
            analysts: vec![
                person("ada", Role::Analyst),
                person("mira", Role::Approver),
                person("olaf", Role::Observer),
            ],
        },
        ..Authority::default()
    }
}

/// Everything that was done about `p:a`: contained at 10.
fn contained(verb: &str) -> (Vec<Entry>, String) {
    let (record, digest) = plan(verb);
    let mut entries = vec![entry("ada", 5, RecordType::Plan, &record)];
    entries.extend(act("i1", 10, &digest, verb, false, "accepted"));
    entries.push(proven("i1", 12));
    (entries, digest)
}

#[rstest]
#[case("disable_identity", DebtKind::Lock)]
#[case("freeze_pipeline", DebtKind::Freeze)]
#[case("block_network", DebtKind::Block)]
#[case("rotate_secret", DebtKind::Overlap)]
fn a_control_stands_on_the_board_until_it_is_taken_back(
    #[case] verb: &str,
    #[case] kind: DebtKind,
) {
    let (mut entries, digest) = contained(verb);
    let all = debts(&fold(&entries), Some(&house()), at(20));
    let [debt] = &all[..] else { panic!("{all:?}") };
    assert_eq!(
        (debt.kind, debt.owner.as_str(), debt.meanwhile.as_str()),
        (kind, "ada", "the nightly build")
    );
    assert_eq!(debt.until, at(12 + LOOK_AGAIN_S));
    // An undo that was sent but not proven takes nothing off.
    entries.extend(act("i2", 30, &digest, verb, true, "accepted"));
    assert_eq!(debts(&fold(&entries), None, at(40)).len(), 1);
    entries.push(proven("i2", 50));
    assert_eq!(debts(&fold(&entries), None, at(60)), []);
}

#[test]
fn people_are_told_once_that_nobody_looked_at_a_control() {
    let (mut entries, _) = contained("disable_identity");
    let late = at(12 + LOOK_AGAIN_S);
    let board = |entries: &[Entry], now| debts(&fold(entries), Some(&house()), now).remove(0);
    let debt = board(&entries, at(20));
    assert!(!debt.is_to_page(at(20)) && debt.told(true, at(20)).is_none());
    let debt = board(&entries, late);
    assert!(debt.is_to_page(late));
    assert_eq!(debt.told(true, late).as_deref(), Some("not yet"));
    assert_eq!(debt.told(false, late).as_deref(), Some(NOBODY));
    entries.push(decision(
        "duty",
        12 + LOOK_AGAIN_S,
        &json!({"kind": "paged", "alert": "s/1", "identity": "p:a", "hold": debt.page_key(), "reason": "told through `desk`"}),
    ));
    let debt = board(&entries, late);
    assert!(!debt.is_to_page(late));
    assert!(debt.told(true, late).unwrap().ends_with("through `desk`"));
    // The clock is set back before the page: it was sent all the same.
    assert!(!board(&entries, at(20)).is_to_page(late));
}

#[rstest]
#[case::nobody("", None)]
#[case::who_holds("ada", None)]
#[case::who_looks_on("olaf", None)]
#[case::a_stranger("eve", None)]
#[case::another("mira", Some("mira agreed"))]
fn a_hold_counts_when_another_agreed_who_may(#[case] who: &str, #[case] said: Option<&str>) {
    let hold = json!({"kind": "hold", "alert": "s/1", "reason": "month end", "hold": "h-1", "until": at(100),
        "ending": "page", "identity": "p:a"});
    let mut entries = vec![decision("ada", 0, &hold)];
    if !who.is_empty() {
        let agreed = json!({"kind": "agree_hold", "alert": "s/1", "reason": null, "hold": "h-1"});
        entries.push(decision(who, 1, &agreed));
    }
    let (decisions, house) = (fold(&entries), house());
    let hold = decisions.holds.find("h-1").unwrap();
    assert_eq!(agreed(Some(&house), hold).as_deref(), said);
    let (alert, identity) = (AlertId::new("s/1"), IdentityId::new("p:a"));
    let counts = |h: &Hold| agreed(Some(&house), h).is_some();
    let held = decisions.holds.held(&alert, &identity, counts, at(50));
    assert_eq!(
        held.is_some(),
        said.is_some(),
        "what nobody agreed to delays nothing"
    );
    let board = debts(&decisions, Some(&house), at(50));
    assert_eq!(board[0].what.contains("NOBODY AGREED"), said.is_none());
    assert_eq!(board[0].owner, "ada");
}

#[test]
fn trust_goes_from_untouched_to_untrusted_to_probation_and_back() {
    let (mut entries, _) = contained("disable_identity");
    let id = IdentityId::new("p:a");
    let seen = |entries: &[Entry], second| trust(&fold(entries), &id, at(second));
    assert_eq!(seen(&[], 20), Trust::Untouched);
    assert_eq!(seen(&entries, 20), Trust::Untrusted { since: at(10) });
    let until = at(100 + PROBATION_S);
    entries.push(decision(
        "ada",
        100,
        &json!({"kind": "restore", "alert": "s/1", "reason": "clean", "identity": "p:a", "until": until}),
    ));
    assert_eq!(seen(&entries, 120), Trust::Probation { until, again: None });
    let board = |entries: &[Entry]| {
        let all = debts(&fold(entries), Some(&house()), at(130));
        all.into_iter()
            .find(|d| d.kind == DebtKind::Probation)
            .unwrap()
    };
    assert!(!board(&entries).is_overdue(at(130)));
    entries.push(decision(
        "duty",
        120,
        &json!({"kind": "recontain", "alert": "s/2", "reason": "used", "identity": "p:a"}),
    ));
    let again = Some(AlertId::new("s/2"));
    assert_eq!(seen(&entries, 120), Trust::Probation { until, again });
    // What is proposed is due at once, and first on the board.
    let debt = board(&entries);
    assert!(debt.is_overdue(at(130)) && debt.next.starts_with("CONTAIN IT AGAIN"));
    assert_eq!(debt.alert, AlertId::new("s/2"));
    assert_eq!(
        seen(&entries, 100 + PROBATION_S),
        Trust::Restored { at: at(100) }
    );
}

#[test]
fn a_gate_that_was_vouched_for_before_the_containment_says_nothing() {
    let gate = |second, gate: &str| {
        decision(
            "ada",
            second,
            &json!({"kind": "gate", "alert": "s/1", "reason": "looked", "identity": "p:a", "gate": gate}),
        )
    };
    let (mut entries, digest) = contained("disable_identity");
    entries.push(gate(2, "cause"));
    entries.push(gate(20, "siblings"));
    let id = IdentityId::new("p:a");
    let passed = |entries: &[Entry]| -> Vec<Gate> {
        way_back(&fold(entries), &id).gates.into_keys().collect()
    };
    assert_eq!(passed(&entries), [Gate::Siblings]);
    entries.extend(act(
        "i2",
        30,
        &digest,
        "disable_identity",
        false,
        "accepted",
    ));
    assert_eq!(passed(&entries), [], "contained again since");
    assert_eq!(passed(&[gate(2, "cause")]), [], "never contained");
}
