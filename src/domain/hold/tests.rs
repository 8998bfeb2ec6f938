use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::domain::decision::RecordType;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn entry(log: &str, minute: i64, body: &Value) -> (Entry, Decision) {
    let entry = Entry {
        log: log.to_owned(),
        seq: 1,
        kind: RecordType::Decision,
        ts: at(minute),
        actor: log.to_owned(),
        signer: Some(log.into()),
        body: body.as_object().unwrap().clone(),
    };
    let decision = entry.body_as().unwrap();
    (entry, decision)
}

fn hold(until: i64) -> (Entry, Decision) {
    entry(
        "ada",
        0,
        &json!({"kind": "hold", "alert": "s/1", "reason": "month end", "hold": "h-1", "until": at(until), "ending": "page"}),
    )
}

fn ended(minute: i64) -> (Entry, Decision) {
    entry(
        "mira",
        minute,
        &json!({"kind": "end_hold", "alert": "s/1", "reason": "over", "hold": "h-1"}),
    )
}

fn holds(taken: &[(Entry, Decision)]) -> Holds {
    let mut holds = Holds::default();
    for (entry, decision) in taken {
        holds.take(entry, decision);
    }
    holds
}

#[rstest]
#[case::runs(&[hold(10)], 9, true, 0)]
#[case::over(&[hold(10)], 10, false, 1)]
#[case::far_over(&[hold(10)], 100_000, false, 1)]
#[case::ended_by_hand(&[hold(10), ended(5)], 6, false, 0)]
#[case::ended_before_it_was_seen(&[ended(5), hold(10)], 6, false, 0)]
// The clock was set back after time had ended it: it stays ended, and nothing is due again.
#[case::clock_back(&[hold(10), ended(11)], 2, false, 0)]
#[case::two_weeks_at_most(&[hold(1_000_000)], 14 * 24 * 60, false, 1)]
fn a_hold_ends_once(
    #[case] taken: &[(Entry, Decision)],
    #[case] now: i64,
    #[case] runs: bool,
    #[case] due: usize,
) {
    let holds = holds(taken);
    let held = |counts: bool| {
        let (alert, other) = (AlertId::new("s/1"), IdentityId::new("p:a"));
        holds.held(&alert, &other, |_| counts, at(now)).is_some()
    };
    assert_eq!(held(true), runs);
    assert!(!held(false), "what nobody agreed to delays nothing");
    assert_eq!(holds.due(at(now)).len(), due);
}

#[test]
fn the_first_end_counts_and_a_later_one_may_name_the_plan_anew() {
    let by_plan = |minute, plan: &str| {
        entry(
            "mira",
            minute,
            &json!({"kind": "end_hold", "alert": "s/1", "reason": "time", "hold": "h-1", "plan": plan}),
        )
    };
    let holds = holds(&[hold(10), by_plan(10, "d1"), ended(11), by_plan(12, "d2")]);
    let one = holds.find("h-1").unwrap();
    let said = one.ended.as_ref().unwrap();
    assert_eq!((said.at, said.reason.as_str()), (at(10), "time"));
    assert_eq!(said.plan, Some(PlanDigest::new("d2")));
}

#[test]
fn gates_close_again_once_somebody_is_trusted() {
    let gate = |minute, gate: &str| {
        entry(
            "ada",
            minute,
            &json!({"kind": "gate", "alert": "s/1", "reason": "looked", "identity": "p:a", "gate": gate}),
        )
    };
    let restore = entry(
        "ada",
        20,
        &json!({"kind": "restore", "alert": "s/1", "reason": "clean", "identity": "p:a", "until": at(30)}),
    );
    let id = IdentityId::new("p:a");
    let mut taken: Vec<_> = Gate::ALL.iter().map(|g| gate(1, g.as_str())).collect();
    let before = holds(&taken);
    assert_eq!(before.way_back(&id).unwrap().missing(), []);
    taken.push(restore);
    taken.push(gate(25, "cause"));
    let after = holds(&taken);
    let way = after.way_back(&id).unwrap();
    assert_eq!(way.missing().len(), Gate::ALL.len() - 1);
    for (minute, watched) in [(19, false), (20, true), (29, true), (30, false)] {
        assert_eq!(way.is_on_probation(at(minute)), watched, "{minute}");
    }
}

#[test]
fn an_alert_while_somebody_is_watched_proposes_to_contain_them_again() {
    let restore = |minute, until| {
        entry(
            "ada",
            minute,
            &json!({"kind": "restore", "alert": "s/1", "reason": "clean", "identity": "p:a", "until": at(until)}),
        )
    };
    let again = |minute, alert: &str| {
        entry(
            "duty",
            minute,
            &json!({"kind": "recontain", "alert": alert, "reason": "used", "identity": "p:a"}),
        )
    };
    let id = IdentityId::new("p:a");
    let taken = [restore(10, 30), again(12, "s/2"), again(14, "s/3")];
    // Logs have no order among each other.
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let holds = holds(&order.map(|i| taken[i].clone()));
        let way = holds.way_back(&id).unwrap();
        let found = |minute| way.again(at(minute)).map(|(alert, _)| alert.as_str());
        assert_eq!(found(20), Some("s/3"), "{order:?}");
        assert_eq!(found(30), None, "it is watched no more");
    }
    // Trusted again after it was looked at: what came before proposes nothing any more.
    let mut taken = taken.to_vec();
    taken.push(restore(20, 40));
    let holds = holds(&taken);
    assert_eq!(holds.way_back(&id).unwrap().again(at(25)), None);
}
