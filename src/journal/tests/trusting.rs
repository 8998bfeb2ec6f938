use super::*;
use crate::journal::trust::Trust;

fn trust_of(rows: &[(&str, u32, &str)]) -> Trust {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (name, uid, key) in rows {
        writeln!(
            text,
            "[[person]]\nname = {name:?}\nuids = [{uid}]\nkeys = [{key:?}]"
        )
        .unwrap();
    }
    Trust::parse(&text).unwrap()
}

fn judge(place: &Place, trust: Trust) -> (Report, String) {
    let options = Options {
        trust: Some(trust),
        ..Options::default()
    };
    let report = verify(&[place.store()], &options);
    let mut text = Vec::new();
    crate::journal::write_text(&report, &mut text).unwrap();
    (report, String::from_utf8(text).unwrap())
}

#[test]
fn a_pinned_key_and_no_other_is_believed() {
    let place = Place::new();
    let alice = place.open().0.vkey();
    let bob = place.open_user("bob").vkey();
    let (report, text) = judge(&place, trust_of(&[("Alice", 1, &alice), ("Bob", 2, &bob)]));
    assert_eq!(report.exit_code(None), 0, "{text}");
    assert!(text.contains("pinned by the trust file (Alice)"), "{text}");
    assert!(!text.contains("taken from the log"), "{text}");
    assert!(text.contains("without an anchor"), "{text}");
    // Bob's log is in nobody's list.
    let (report, text) = judge(&place, trust_of(&[("Alice", 1, &alice)]));
    assert_eq!(report.exit_code(None), 1);
    assert!(
        text.contains("knows no log soc.example/jump1/bob"),
        "{text}"
    );
    // A log that was written anew under another key.
    let other = Place::new().open().0.vkey();
    let (report, text) = judge(&place, trust_of(&[("Alice", 1, &other), ("Bob", 2, &bob)]));
    assert_eq!(report.exit_code(None), 1);
    assert!(
        text.contains("does not pin for soc.example/jump1/alice"),
        "{text}"
    );
}

#[test]
fn without_a_trust_file_it_says_whom_it_believed() {
    let place = Place::new();
    let vkey = place.open().0.vkey();
    let mut text = Vec::new();
    crate::journal::write_text(&place.verify(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains(&format!("taken from the log itself: {vkey}")),
        "{text}"
    );
    assert!(text.contains("pin them with --trust"), "{text}");
}

#[test]
fn a_pinned_log_that_is_gone_and_a_foreign_uid_are_told() {
    let place = Place::new();
    let mut actor = actor("alice");
    actor.value["uid"] = json!(7);
    let (writer, _) = Writer::open_as(place.config(), actor, Arc::new(Real), now()).unwrap();
    let elsewhere = Place::new().open_user("bob").vkey();
    let (report, text) = judge(
        &place,
        trust_of(&[("Alice", 1, &writer.vkey()), ("Bob", 2, &elsewhere)]),
    );
    assert_eq!(
        (
            report.exit_code(None),
            report.exit_code(Some(Timestamp::MAX))
        ),
        (0, 3),
        "{text}"
    );
    assert!(
        text.contains("soc.example/jump1/bob, which is not here"),
        "{text}"
    );
    assert!(
        text.contains("user id 7 writes in the name of Alice"),
        "{text}"
    );
}

/// Two logs, two keys, one person: the second pair of eyes was the first one.
#[test]
fn approving_ones_own_plan_under_another_name_fails() {
    let place = Place::new();
    let (mut alice, _) = place.open();
    let plan = json!({"v": 1, "expires": "2026-11-21T09:00:00Z"});
    let digest = crate::domain::plan::sha256_hex(&crate::domain::plan::canonical(&plan));
    alice
        .append(
            now(),
            &[(RecordType::Plan, json!({"digest": digest, "plan": plan}))],
        )
        .unwrap();
    let mut bob = place.open_user("bob");
    let verdict = json!({"digest": digest, "approved": true, "by": null, "reason": "ok"});
    bob.append(now(), &[(RecordType::Approval, verdict)])
        .unwrap();
    let (alice, bob) = (alice.vkey(), bob.vkey());
    let two = trust_of(&[("Alice", 1, &alice), ("Bob", 2, &bob)]);
    assert_eq!(judge(&place, two).0.exit_code(None), 0);
    let one = Trust::parse(&format!(
        "[[person]]\nname = \"Alice\"\nkeys = [{alice:?}, {bob:?}]"
    ))
    .unwrap();
    let (report, text) = judge(&place, one);
    assert_eq!(report.exit_code(None), 1, "{text}");
    assert!(text.contains("by the person who wrote it"), "{text}");
}
