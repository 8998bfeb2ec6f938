use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;

use super::super::decision::{Decision, Decisions, Entry, RecordType};
use super::*;

fn plan() -> Plan {
    let step = |id: &str, verb: &str, title: &str, connector: &str| {
        json!({
            "id": id, "verb": verb, "title": title, "why": "see https://evil.example\u{1b}]0;x", "team": "platform",
            "tier": "monitor", "layer": "sessions", "connector": connector, "target": "p:a", "requests": [],
            "verify": null, "undo": {"kind": "nothing_to_undo"}, "breaks": "", "idempotent": true,
        })
    };
    let plan = json!({
        "v": 1, "alert": "s/1", "identity": "p:a", "identity_name": "svc-a", "params": {}, "environment": "prod",
        "playbook": "b", "playbook_sha256": "", "tier": "soft", "created": "2026-11-22T00:00:00Z",
        "expires": "2026-11-22T00:15:00Z", "nonce": "n", "drill": false,
        "steps": [
            step("1", "preserve_evidence", "Keep evidence", "c"),
            step("2", "isolate_workload", "By hand, platform: isolate workload; taken back: lift it", ""),
            step("3", "check_linked", "Check siblings", ""),
        ],
        "skipped": [], "impact": {"breaks": [], "reaches": [], "truncated": false}, "residual": [], "preconditions": [],
    });
    serde_json::from_value(plan).unwrap()
}

/// Row 33, P4: what another team does is an item with its state and a message.
#[rstest]
#[case(None, [Standing::Open, Standing::Open])]
#[case(Some("3"), [Standing::Open, Standing::HandedOver])]
fn items_of_other_teams_stand_as_the_log_says(
    #[case] handed: Option<&str>,
    #[case] states: [Standing; 2],
) {
    let plan = plan();
    let digest = plan.digest();
    let mut decisions = Decisions::default();
    if let Some(step) = handed {
        let decision = Decision {
            plan: Some(digest.clone()),
            step: Some(crate::domain::ids::StepId::new(step)),
            ..Decision::on(plan.alert.clone(), DecisionKind::HandOver, None)
        };
        decisions.apply(&Entry {
            signer: None,
            log: "l".into(),
            seq: 1,
            kind: RecordType::Decision,
            ts: Timestamp::UNIX_EPOCH,
            actor: "a".into(),
            body: serde_json::to_value(decision)
                .unwrap()
                .as_object()
                .unwrap()
                .clone(),
        });
    }
    let items = items(&digest, &plan, &decisions);
    let found: Vec<Standing> = items.iter().map(|item| item.state).collect();
    assert_eq!(found, states);
    let message = &items[0].message;
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(
        lines[0],
        "To platform: please do this for the containment of svc-a (p:a) in prod."
    );
    assert_eq!(
        lines[1],
        "What: By hand, platform: isolate workload; taken back: lift it."
    );
    assert_eq!(lines[3], "After: preserve evidence.");
    assert!(
        !message.contains("://") && !message.contains('\u{1b}'),
        "{message}"
    );
    assert!(message.contains(digest.short()));
}

fn told(decisions: &mut Decisions, seq: u64, decision: &Decision) {
    decisions.apply(&Entry {
        signer: None,
        log: "l".into(),
        seq,
        kind: RecordType::Decision,
        ts: Timestamp::from_second(seq.cast_signed()).unwrap(),
        actor: "alice@soc".into(),
        body: serde_json::to_value(decision)
            .unwrap()
            .as_object()
            .unwrap()
            .clone(),
    });
}

#[test]
fn who_did_it_and_when_and_who_says_so_is_kept_until_they_are_asked_anew() {
    let plan = plan();
    let digest = plan.digest();
    let mut decisions = Decisions::default();
    let said = ("bob", " agent paused, queue empty ");
    let early = done(&digest, &plan, &decisions, "3", said);
    assert!(early.unwrap_err().contains("was not handed over yet"));
    let handed = Decision {
        plan: Some(digest.clone()),
        step: Some(crate::domain::ids::StepId::new("3")),
        ..Decision::on(plan.alert.clone(), DecisionKind::HandOver, None)
    };
    told(&mut decisions, 1, &handed);
    for (step, said, why) in [
        (
            "9",
            said,
            "step 9 is for no other team; these wait for another team: 3",
        ),
        ("1", said, "step 1 is for no other team"),
        ("3", ("", "x"), "say who did it"),
        ("3", ("bob", " "), "say who did it"),
    ] {
        let refused = done(&digest, &plan, &decisions, step, said).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    let record = done(&digest, &plan, &decisions, "3", said).unwrap();
    told(&mut decisions, 2, &record);
    let all = items(&digest, &plan, &decisions);
    assert_eq!(all[1].state, Standing::Done);
    let line = all[1].done.as_ref().unwrap().line();
    assert_eq!(
        line,
        "done by bob, as alice@soc says: agent paused, queue empty"
    );
    let again = done(&digest, &plan, &decisions, "3", said).unwrap_err();
    assert!(again.contains("done by bob"), "{again}");
    told(&mut decisions, 3, &handed);
    let all = items(&digest, &plan, &decisions);
    assert_eq!((all[1].state, &all[1].done), (Standing::HandedOver, &None));
}
