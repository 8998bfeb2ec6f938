use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::domain::decision::Entry;
use crate::domain::decision::testing::fold;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn entry(seq: u64, second: i64, kind: RecordType, body: &Value) -> Entry {
    Entry {
        log: "local/jump1/ada".to_owned(),
        seq,
        kind,
        ts: at(second),
        actor: "ada".to_owned(),
        signer: None,
        body: body.as_object().unwrap().clone(),
    }
}

fn plan() -> (Value, PlanDigest) {
    let plan = json!({
        "v": 1, "alert": "s/1", "identity": "p:a", "identity_name": "svc-a", "params": {}, "environment": null,
        "playbook": "cut", "playbook_sha256": "", "tier": "soft", "created": at(100), "expires": at(1_000), "nonce": "n",
        "drill": false, "skipped": [], "residual": [], "preconditions": [], "steps": [],
        "impact": {"breaks": [], "reaches": [], "truncated": false},
    });
    let read: crate::domain::plan::Plan = serde_json::from_value(plan.clone()).unwrap();
    let digest = read.digest();
    (json!({"digest": digest.as_str(), "plan": plan}), digest)
}

/// A hold until 100 that ends so.
fn hold(ending: &str) -> Entry {
    let body = json!({"kind": "hold", "alert": "s/1", "reason": "month end", "hold": "h-1", "identity": "p:a",
        "until": at(100), "ending": ending, "to": "cut"});
    entry(1, 0, RecordType::Decision, &body)
}

/// Time ended it, by a clock that said `second`.
fn ended(second: i64, ending: &str, plan: Option<&PlanDigest>) -> Entry {
    let body = json!({"kind": "end_hold", "alert": "s/1", "reason": "over", "hold": "h-1", "ending": ending,
        "plan": plan.map(PlanDigest::as_str)});
    entry(3, second, RecordType::Decision, &body)
}

#[rstest]
#[case::not_yet(99, 1)]
#[case::in_time(100, 1)]
#[case::stepped_far_beyond(1_000_000, 1)]
fn a_hold_is_due_once_wherever_the_clock_steps(#[case] now: i64, #[case] holds: usize) {
    let open = fold(&[hold("page")]);
    assert_eq!(
        due(&open, None, at(now)).holds.len(),
        holds * usize::from(now >= 100)
    );
    assert!(
        due(&open, None, at(now)).overdue.is_empty(),
        "nobody is told before it is ended"
    );
    // Written down by a clock that was right, and by one that had been set back by then.
    for said in [101, 5] {
        let over = fold(&[hold("page"), ended(said, "page", None)]);
        for later in [now, 50, 200, 1_000_000] {
            let due = due(&over, None, at(later));
            assert!(due.holds.is_empty(), "{said} {later}");
            assert_eq!(due.overdue.len(), 1, "{said} {later}: people are told");
        }
        let paged = json!({"kind": "paged", "alert": "s/1", "reason": "told", "hold": "hold h-1", "identity": "p:a"});
        let told = fold(&[
            hold("page"),
            ended(said, "page", None),
            entry(4, 3, RecordType::Decision, &paged),
        ]);
        for later in [now, 50, 1_000_000] {
            assert!(
                due(&told, None, at(later)).overdue.is_empty(),
                "once: {said} {later}"
            );
        }
    }
}

#[rstest]
#[case::nothing_open(None, 0, LONGEST)]
#[case::in_a_while(Some("page"), 96, Duration::from_secs(4))]
#[case::long_before(Some("page"), 5, LONGEST)]
#[case::its_time_has_come(Some("page"), 100, LOOK)]
#[case::long_over(Some("contain"), 5_000, LOOK)]
fn nobody_looks_before_something_is_due(
    #[case] ending: Option<&str>,
    #[case] now: i64,
    #[case] pause: Duration,
) {
    let open = fold(&ending.map(hold).into_iter().collect::<Vec<_>>());
    assert_eq!(due(&open, None, at(now)).pause(at(now)), pause);
    // What was ended and told asks for nothing any more.
    let paged = json!({"kind": "paged", "alert": "s/1", "reason": "told", "hold": "hold h-1", "identity": "p:a"});
    let told = [
        hold("page"),
        ended(101, "page", None),
        entry(4, 102, RecordType::Decision, &paged),
    ];
    assert_eq!(due(&fold(&told), None, at(103)).pause(at(103)), LONGEST);
}

#[test]
fn whoever_takes_over_goes_on_with_what_was_begun_and_does_nothing_twice() {
    let (record, digest) = plan();
    let begun = vec![
        hold("contain"),
        entry(2, 101, RecordType::Plan, &record),
        ended(102, "contain", Some(&digest)),
    ];
    let found = due(&fold(&begun), None, at(200));
    assert_eq!(found.contain, std::slice::from_ref(&digest));
    assert!(found.overdue.is_empty(), "what is contained pages nobody");
    // Its time is over: a plan that nobody began is dead, and it stays so.
    assert!(due(&fold(&begun), None, at(1_000)).contain.is_empty());
    // It was begun: whatever came of it, it is not begun again.
    let intent = json!({"intent": "i1", "digest": digest.as_str(), "step": "1", "verb": "revoke_tokens", "identity": "p:a",
        "alert": "s/1", "undo": false, "process": {"boot": "b", "pid": 1, "start": 1}});
    let mut run = begun.clone();
    run.push(entry(4, 103, RecordType::Intent, &intent));
    for now in [50, 200, 999] {
        assert!(due(&fold(&run), None, at(now)).contain.is_empty(), "{now}");
    }
}

#[test]
fn a_plan_that_its_log_outlived_is_dead_also_when_the_clock_is_set_back() {
    let (record, digest) = plan();
    let note = |seq, second| {
        let body = json!({"kind": "note", "alert": "s/1", "reason": "x"});
        entry(seq, second, RecordType::Decision, &body)
    };
    let outlived = |entries: &[Entry]| fold(entries).plan(digest.as_str()).unwrap().1.outlived;
    let recorded = entry(2, 100, RecordType::Plan, &record);
    // A clock that was ahead, and was mended before the plan was made, kills nothing.
    let mut log = vec![note(1, 5_000), recorded.clone(), note(3, 999)];
    assert!(!outlived(&log));
    log.push(note(4, 1_000));
    assert!(outlived(&log));
    log.push(note(5, 200));
    assert!(outlived(&log), "and stays so");
}

#[test]
fn what_could_not_be_begun_is_tried_again_later_and_nothing_else_is() {
    let (plans, digest) = (Plans::default(), plan().1);
    assert!(may_begin(&plans, &digest));
    assert!(
        !may_begin(&plans, &digest),
        "it is under way, or came to its end"
    );
    lock(&plans).insert(digest.clone(), Some(Instant::now() + AGAIN));
    assert!(!may_begin(&plans, &digest), "not at once");
    lock(&plans).insert(digest.clone(), Some(Instant::now()));
    assert!(may_begin(&plans, &digest));
    assert!(!may_begin(&plans, &digest));
}
