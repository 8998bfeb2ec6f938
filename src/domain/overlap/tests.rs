use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::domain::coverage::matrix::{Facts, coverage};
use crate::domain::debt::{DebtKind, debts};
use crate::domain::decision::testing::fold;
use crate::domain::decision::{Entry, RecordType};
use crate::domain::ids::AlertId;
use crate::domain::inventory::Inventory;
use crate::domain::plan::Plan;

const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn entry(log: &str, second: i64, kind: RecordType, body: &Value) -> Entry {
    Entry {
        log: log.to_owned(),
        seq: u64::try_from(second).unwrap_or(0),
        kind,
        ts: at(second),
        actor: format!("{log}@jump1"),
        signer: None,
        body: body.as_object().unwrap().clone(),
    }
}

/// A plan that issues, by itself or by hand, and retires a day later.
fn planned(by_hand: bool) -> (Entry, String) {
    let connector = if by_hand { "" } else { "p" };
    let step = |id: &str, verb: &str, connector: &str| {
        json!({"id": id, "verb": verb, "title": verb, "why": "", "team": "IAM", "tier": "soft", "layer": "credentials",
            "connector": connector, "target": "p:a", "requests": [], "verify": null, "undo": {"kind": "nothing_to_undo"},
            "breaks": "", "idempotent": true})
    };
    let mut retire = step("2", "retire_credential", "p");
    retire["after_s"] = json!(DAY);
    let plan = json!({
        "v": 1, "alert": "s/1", "identity": "p:a", "identity_name": "svc-a", "params": {}, "environment": null,
        "playbook": "overlap", "playbook_sha256": "", "tier": "soft", "created": at(0), "expires": at(900), "nonce": "n",
        "drill": false, "skipped": [], "residual": [], "preconditions": [],
        "impact": {"breaks": [], "reaches": [], "truncated": false},
        "steps": [step("1", "issue_credential", connector), retire],
    });
    let read: Plan = serde_json::from_value(plan.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), plan);
    let digest = read.digest().as_str().to_owned();
    let record = json!({"digest": digest, "plan": plan});
    (entry("ada", 1, RecordType::Plan, &record), digest)
}

/// An act, up to what is known of it: its intent, with an outcome, with a read-back.
fn act(digest: &str, (id, step): (&str, &str), second: i64, came: &str, proof: &str) -> Vec<Entry> {
    let verb = match step {
        "1" => "issue_credential",
        _ => "retire_credential",
    };
    let intent = json!({"intent": id, "digest": digest, "step": step, "verb": verb, "identity": "p:a", "alert": "s/1",
        "undo": false, "process": {"boot": "b", "pid": 1, "start": 1}});
    let mut all = vec![entry("ada", second, RecordType::Intent, &intent)];
    if !came.is_empty() {
        let outcome = json!({"intent": id, "outcome": came, "attempts": 1});
        all.push(entry("ada", second + 1, RecordType::Outcome, &outcome));
    }
    if !proof.is_empty() {
        let verify = json!({"intent": id, "proof": proof, "says": "as it is", "tries": 1});
        all.push(entry("ada", second + 2, RecordType::Verify, &verify));
    }
    all
}

fn said(digest: &str, step: &str, second: i64, kind: &str) -> Entry {
    let body = json!({"kind": kind, "alert": "s/1", "plan": digest, "step": step, "to": "Lin", "reason": "month end"});
    entry("mira", second, RecordType::Decision, &body)
}

#[rstest]
#[case::sent("accepted", "", None)]
#[case::refused("rejected", "", None)]
#[case::nobody_knows("unknown", "cannot_tell", None)]
#[case::not_there("accepted", "disagrees", None)]
#[case::proven("accepted", "agrees", Some(12 + DAY))]
fn the_time_begins_with_the_proof_that_the_new_one_is_there(
    #[case] came: &str,
    #[case] proof: &str,
    #[case] until: Option<i64>,
) {
    let (plan, digest) = planned(false);
    let mut entries = vec![plan];
    assert!(waiting(&fold(&entries)).next().is_none());
    entries.extend(act(&digest, ("i1", "1"), 10, came, proof));
    let decisions = fold(&entries);
    let found: Vec<Later<'_>> = waiting(&decisions).collect();
    assert_eq!(found.iter().map(|l| l.until).next(), until.map(at));
    for later in found {
        assert_eq!(later.step.id.as_str(), "2");
        assert!(!later.is_due(at(11 + DAY)) && later.is_due(at(12 + DAY)));
    }
}

#[test]
fn where_a_team_issues_it_the_time_begins_with_its_word() {
    let (plan, digest) = planned(true);
    let mut entries = vec![plan, said(&digest, "1", 10, "hand_over")];
    assert!(waiting(&fold(&entries)).next().is_none());
    entries.push(said(&digest, "1", 500, "hand_over_done"));
    let decisions = fold(&entries);
    assert_eq!(
        waiting(&decisions).next().map(|l| l.until),
        Some(at(500 + DAY))
    );
}

#[rstest]
#[case::not_sent("not_sent", "", true, false, true)]
#[case::refused("rejected", "", true, false, false)]
#[case::open("", "", false, false, false)]
#[case::lost("unknown", "cannot_tell", false, false, false)]
#[case::nothing_changed("accepted", "disagrees", true, false, false)]
fn what_did_not_end_it_stays_on_the_board_and_only_what_was_not_sent_is_tried_again(
    #[case] came: &str,
    #[case] proof: &str,
    #[case] may: bool,
    #[case] due_soon: bool,
    #[case] due_later: bool,
) {
    let (plan, digest) = planned(false);
    let mut entries = vec![plan];
    entries.extend(act(&digest, ("i1", "1"), 10, "accepted", "agrees"));
    entries.extend(act(&digest, ("i2", "2"), 12 + DAY, came, proof));
    let decisions = fold(&entries);
    let later = waiting(&decisions).next().unwrap();
    assert_eq!(later.may_be_sent(), may);
    assert_eq!(later.is_due(at(20 + DAY)), due_soon);
    assert_eq!(later.is_due(at(20 + DAY + AGAIN_S)), due_later);
    let all = debts(&decisions, None, at(20 + DAY));
    let [debt] = &all[..] else { panic!("{all:?}") };
    assert_eq!(debt.kind, DebtKind::Overlap);
    assert!(debt.next.starts_with("IT WAS TRIED") && debt.is_to_page(at(20 + DAY)));
}

#[test]
fn what_sends_nothing_again_and_again_is_tried_every_five_minutes() {
    let (plan, digest) = planned(false);
    let mut entries = vec![plan];
    entries.extend(act(&digest, ("i1", "1"), 10, "accepted", "agrees"));
    for (id, second) in [("i2", DAY + 20), ("i3", DAY + 400), ("i4", DAY + 800)] {
        entries.extend(act(&digest, (id, "2"), second, "not_sent", ""));
        let decisions = fold(&entries);
        let later = waiting(&decisions).next().unwrap();
        assert!(!later.is_due(at(second + 2)));
        assert!(later.is_due(at(second + 1 + AGAIN_S)));
    }
}

#[test]
fn what_is_proven_is_over_and_what_was_stopped_waits_for_somebody() {
    let (plan, digest) = planned(false);
    let mut entries = vec![plan];
    entries.extend(act(&digest, ("i1", "1"), 10, "accepted", "agrees"));
    let all = debts(&fold(&entries), None, at(20));
    let [debt] = &all[..] else { panic!("{all:?}") };
    assert_eq!((debt.kind, debt.until), (DebtKind::Overlap, at(12 + DAY)));
    assert!(debt.next.starts_with("turned off by itself"));
    // What ends by itself is told only when it is late.
    assert!(!debt.is_to_page(at(12 + DAY)) && debt.is_to_page(at(72 + DAY)));

    let mut stopped = entries.clone();
    stopped.push(said(&digest, "2", 50, "keep_old"));
    let decisions = fold(&stopped);
    let later = waiting(&decisions).next().unwrap();
    assert!(!later.is_due(at(2 * DAY)) && later.may_be_sent());
    let debt = debts(&decisions, None, at(60)).remove(0);
    assert!(debt.next.contains("mira@jump1 stopped that: month end"));
    assert_eq!(debt.until, at(50 + DAY));

    entries.extend(act(&digest, ("i2", "2"), 12 + DAY, "accepted", "agrees"));
    let decisions = fold(&entries);
    assert!(waiting(&decisions).next().is_none());
    assert_eq!(debts(&decisions, None, at(3 * DAY)), []);
}

#[test]
fn the_old_ones_are_open_in_the_coverage_until_they_are_off() {
    let (plan, digest) = planned(false);
    let mut entries = vec![plan];
    entries.extend(act(&digest, ("i1", "1"), 10, "accepted", "agrees"));
    let cell = |entries: &[Entry]| {
        let decisions = fold(entries);
        let facts = Facts {
            decisions: &decisions,
            inventory: &Inventory::default(),
            born: &[],
            alert: &AlertId::new("s/1"),
            running: &|_| false,
            now: at(20),
        };
        let found = coverage(&facts);
        let [cell] = &found.cells[..] else {
            panic!("{found:?}")
        };
        (cell.state, cell.until, found.refusal().is_some())
    };
    assert_eq!(cell(&entries), (CellState::Open, Some(at(12 + DAY)), true));
    entries.extend(act(&digest, ("i2", "2"), 12 + DAY, "accepted", "agrees"));
    assert_eq!(cell(&entries), (CellState::Proven, None, false));
}

#[rstest]
#[case::alone(&[], true)]
#[case::another_log(&[("b", 40, "i3", "accepted")], false)]
#[case::another_log_that_sent_nothing(&[("b", 40, "i3", "not_sent")], true)]
#[case::earlier_in_this_log(&[("ada", 30, "i3", "accepted")], false)]
#[case::later_in_this_log(&[("ada", 90, "i3", "accepted")], true)]
fn of_consoles_that_end_it_at_once_one_goes_on(
    #[case] others: &[(&str, i64, &str, &str)],
    #[case] goes_on: bool,
) {
    let (plan, digest) = planned(false);
    let mut entries = vec![plan];
    // Who issued it is no rival.
    entries.extend(act(&digest, ("i1", "1"), 10, "accepted", "agrees"));
    entries.extend(act(&digest, ("i2", "2"), 50, "", ""));
    for (log, second, id, came) in others {
        let mut other = act(&digest, (id, "2"), *second, came, "");
        for entry in &mut other {
            (*log).clone_into(&mut entry.log);
        }
        entries.extend(other);
    }
    let own = crate::domain::ids::IntentId::new("i2");
    assert_eq!(fold(&entries).may_go_on_alone(&own), goes_on);
}

#[rstest]
#[case(60, "1 min")]
#[case(86_400, "24 h")]
#[case(172_800, "2 d")]
#[case(5_400, "90 min")]
#[case(61, "61 s")]
fn times_are_said_as_people_do(#[case] seconds: u64, #[case] want: &str) {
    assert_eq!(span(seconds), want);
}
