//! The log's screen as a table of events over the pure state machine.

mod world;

use rstest::rstest;
use serde_json::json;
use stanch::app::command::{Command, Danger, REGISTRY, Scope, disabled_reason};
use stanch::app::keymap::{Keymap, Meaning};
use stanch::app::keys::{Code, Key};
use stanch::app::model::{Overlay, Pane, Run};
use stanch::app::msg::{Effect, Msg};
use stanch::app::timeline::Verification;
use stanch::domain::decision::{Entry, RecordType};
use world::World;
use world::records::{entry, found_of, records, verdict};

fn type_in(world: &mut World, text: &str) {
    for c in text.chars() {
        world.send(Msg::Key(Key::char(c)));
    }
}

fn shown(world: &World) -> Vec<(String, u64)> {
    let timeline = &world.model.timeline;
    let rows = (0..timeline.shown()).filter_map(|at| timeline.row(at));
    rows.map(|r| (r.actor.to_owned(), r.seq)).collect()
}

fn last_message(world: &World) -> &str {
    &world.model.messages.last().unwrap().text
}

#[test]
fn esc_ends_the_verifying_that_was_asked_for_and_no_other() {
    let mut world = World::showing("triage");
    world.send(Msg::Journal(records()));
    world.press("L");
    // What began with the screen is in nobody's way.
    assert!(world.send(Msg::Key(Key::plain(Code::Esc))).is_empty());
    world.send(Msg::Verified(verdict(true)));
    world.press("v");
    let effects = world.send(Msg::Key(Key::plain(Code::Esc)));
    assert!(
        matches!(effects.as_slice(), [Effect::StopVerifying]),
        "{effects:?}"
    );
    assert_eq!(world.model.timeline.verification, Verification::NotYet);
    assert!(matches!(world.model.overlay, Overlay::Log));
    // What it said meanwhile comes too late.
    world.send(Msg::VerifyProgress { done: 1, all: 2 });
    assert_eq!(world.model.timeline.verification, Verification::NotYet);
}

#[test]
fn opens_on_the_selected_alert_at_the_newest_record_and_verifies_once() {
    let mut world = World::showing("triage");
    world.send(Msg::Journal(records()));
    let effects = world.send(Msg::Key(Key::char('L')));
    assert!(
        matches!(effects.as_slice(), [Effect::VerifyLog]),
        "{effects:?}"
    );
    assert_eq!(world.model.timeline.filter.value(), "alert:drill/f1");
    assert_eq!(world.model.timeline.shown(), 10);
    assert_eq!(world.model.timeline.kept(), 13);
    assert!(world.model.timeline.follows());
    world.press("q");
    assert!(matches!(world.model.overlay, Overlay::None));
    assert!(world.send(Msg::Key(Key::char('L'))).is_empty());
    world.send(Msg::Verified(verdict(true)));
    let again = world.send(Msg::Key(Key::char('v')));
    assert!(matches!(again.as_slice(), [Effect::VerifyLog]));
    assert!(
        world.send(Msg::Key(Key::char('v'))).is_empty(),
        "one at a time"
    );
    assert_eq!(
        world.model.timeline.verification,
        Verification::Running { done: 0, all: 0 }
    );
}

#[rstest]
#[case("ben", 3)]
#[case("BEN note", 1)]
#[case("i-2", 3)]
#[case("drill/f3", 1)]
#[case("approval", 1)]
#[case("unknown", 2)]
#[case("proven", 1)]
#[case("timed out", 1)]
#[case("jump-2", 3)]
#[case("alert:drill/f1", 10)]
#[case("alert:drill", 11)]
#[case("identity:lab:svc-deploy", 9)]
#[case("identity:SVC", 9)]
#[case("analyst:ben", 3)]
#[case("analyst:be type:appr", 1)]
#[case("type:intent", 3)]
#[case("type:intent outcome:proven", 1)]
#[case("kind:claim", 1)]
#[case("is:unknown", 1)]
#[case("outcome:unknown", 2)]
#[case("since:10m", 9)]
#[case("since:03:06 until:03:08", 5)]
#[case("\"after the request\"", 1)]
#[case("c1c1c1c1", 1)]
#[case("nothing has this", 0)]
fn filters_as_it_is_typed(#[case] text: &str, #[case] hits: usize) {
    let mut world = World::showing("log");
    world.press("/");
    type_in(&mut world, text);
    assert_eq!(world.model.timeline.shown(), hits, "{:?}", shown(&world));
    world.press("enter");
    assert!(!world.model.timeline.typing && world.model.timeline.is_filtered());
    world.press("esc");
    assert_eq!(world.model.timeline.shown(), 13);
    assert!(
        matches!(world.model.overlay, Overlay::Log),
        "the first Esc only clears"
    );
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::None));
}

#[test]
fn keys_typed_into_the_filter_are_text() {
    let mut world = World::showing("log");
    world.press("/");
    let before = world.model.messages.len();
    type_in(&mut world, "aqvLDX1c0?");
    assert_eq!(world.model.timeline.filter.value(), "aqvLDX1c0?");
    assert_eq!(world.model.messages.len(), before);
    world.send(Msg::Paste("x\ny".into()));
    assert_eq!(world.model.timeline.filter.value(), "aqvLDX1c0?x y");
    world.press("esc");
    assert_eq!(world.model.timeline.filter.value(), "");
}

#[test]
fn follows_at_the_end_and_stays_on_its_record_elsewhere() {
    let mut world = World::showing("log");
    let note_of = |log, seq, minutes| {
        let body = json!({"kind": "note", "alert": "drill/f2", "reason": "x"});
        Msg::Journal(vec![entry(log, seq, minutes, RecordType::Decision, body)])
    };
    let note = |seq, minutes| note_of("s/h/eva", seq, minutes);
    let at = |w: &World| {
        w.model
            .timeline
            .current()
            .map(|r| (r.actor.to_owned(), r.seq))
            .unwrap()
    };
    world.send(note(1, 0));
    assert_eq!(at(&world), ("eva".into(), 1));
    world.press("k k");
    let held = at(&world);
    assert_eq!(held, ("ana".into(), 9));
    // One at the end and one of a host whose clock is behind, before the cursor.
    world.send(note(2, 0));
    world.send(note_of("s/h/zoe", 1, 45));
    assert_eq!(at(&world), held);
    assert_eq!(shown(&world)[2], ("zoe".into(), 1));
    // Where one log's clock steps back, its records keep their order all the same.
    world.send(note(3, 45));
    assert_eq!(at(&world), held);
    assert_eq!(shown(&world).last(), Some(&("eva".into(), 3)));
    world.press("G");
    assert_eq!(at(&world), ("eva".into(), 3));
    world.press("g");
    assert_eq!(at(&world), ("ana".into(), 1));
}

#[test]
fn a_record_is_read_from_the_log_and_late_answers_are_dropped() {
    let mut world = World::showing("log");
    let effects = world.send(Msg::Key(Key::parse("enter").unwrap()));
    let [Effect::ReadRecord { log, seq }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((log.as_str(), *seq), ("soc.example/jump-1/ana", 10));
    let other = records().remove(0);
    world.send(Msg::Record {
        log: other.log.clone(),
        seq: other.seq,
        result: Ok(found_of(&other)),
    });
    assert_eq!(world.model.timeline.record.as_ref().unwrap().found, None);
    world.send(Msg::Record {
        log: log.clone(),
        seq: *seq,
        result: Err("no \u{1b}[31m file".into()),
    });
    let view = world.model.timeline.record.as_ref().unwrap();
    assert_eq!(view.found, Some(Err(r"no \u{1b}[31m file".into())));
    world.press("esc");
    assert!(world.model.timeline.record.is_none());
    assert!(matches!(world.model.overlay, Overlay::Log));
}

#[test]
fn goes_to_the_alert_of_a_record_or_says_why_not() {
    let mut world = World::showing("log");
    world.press("g a");
    assert_eq!(last_message(&world), "record 1 is about no alert");
    world.press("j j a");
    assert_eq!(world.model.selected.as_ref().unwrap().as_str(), "drill/f3");
    assert!(matches!(world.model.overlay, Overlay::None));
    assert_eq!(world.model.focus, Some(Pane::Queue));
    // And back, on the records of that alert.
    world.press("L");
    assert_eq!(shown(&world), [("ben".to_owned(), 2)]);
    let body = json!({"kind": "note", "alert": "elsewhere/9", "reason": "x"});
    world.send(Msg::Journal(vec![entry(
        "s/h/eva",
        1,
        0,
        RecordType::Decision,
        body,
    )]));
    world.press("esc G a");
    assert!(last_message(&world).starts_with("alert elsewhere/9 is not in the queue"));
    assert!(matches!(world.model.overlay, Overlay::Log));
}

#[test]
fn help_over_the_log_goes_back_to_the_log() {
    let mut world = World::showing("log");
    world.press("?");
    assert!(matches!(world.model.overlay, Overlay::Help { .. }));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::Log));
}

#[test]
fn the_log_alone_has_no_way_to_act_and_no_way_to_the_queue() {
    let rows = REGISTRY.iter().filter(|s| s.scope == Scope::Log);
    assert!(rows.clone().all(|s| s.danger == Danger::Safe));
    assert!(rows.clone().any(|s| s.command == Command::Filter));
    let keys: Vec<&str> = REGISTRY
        .iter()
        .flat_map(|s| s.keys.iter().copied())
        .collect();
    for key in keys.iter().filter(|k| !["q", "L", "ctrl-c"].contains(k)) {
        let mut world = World::showing("log_only");
        let effects = world.send(Msg::Key(Key::parse(key).unwrap()));
        let harmless = effects.iter().all(|e| {
            matches!(
                e,
                Effect::VerifyLog
                    | Effect::StopVerifying
                    | Effect::ReadRecord { .. }
                    | Effect::Suspend
                    | Effect::Page
                    | Effect::Continue
            )
        });
        assert!(harmless, "{key}: {effects:?}");
        assert!(
            !matches!(
                world.model.overlay,
                Overlay::None | Overlay::Plan(_) | Overlay::Reason(_)
            ),
            "{key}"
        );
        assert!(!world.model.quit, "{key}");
    }
    let mut world = World::showing("log_only");
    world.press("G a");
    assert_eq!(world.model.timeline.filter.value(), "alert:drill/f1");
    assert_eq!(world.model.timeline.shown(), 10);
    world.press("esc");
    assert_eq!(world.model.timeline.shown(), 13);
    world.press("q");
    assert!(world.model.quit);
}

#[test]
fn leaving_by_ctrl_c_asks_while_a_plan_runs() {
    let mut world = World::showing("running");
    world.press("esc L ctrl-c");
    assert!(matches!(world.model.overlay, Overlay::ConfirmQuit));
    world.press("n");
    assert!(matches!(world.model.overlay, Overlay::Log));
    assert!(disabled_reason(Command::Suspend, &world.model).is_some());
    let meaning = Keymap::default().resolve(Scope::Log, &[Key::char('1')]);
    assert_eq!(meaning, Meaning::Nothing);
}

#[test]
fn a_running_act_is_not_yet_unknown() {
    let mut world = World::showing("log");
    assert_eq!(world.model.open_unknowns().count(), 1);
    let digest = world
        .model
        .open_unknowns()
        .next()
        .unwrap()
        .intent
        .digest
        .clone();
    let mut fourth = records().remove(11);
    fourth.seq = 11;
    fourth.body.insert("intent".into(), json!("i-4"));
    let run = Run {
        running: true,
        ..Run::default()
    };
    world.model.runs.insert(digest.clone(), run);
    world.send(Msg::Journal(vec![fourth]));
    assert_eq!(world.model.open_unknowns().count(), 1);
    world.send(Msg::RunEnded {
        digest,
        text: "ended".into(),
        ran: true,
    });
    assert_eq!(world.model.open_unknowns().count(), 2);
}

fn notes(from: u64, count: u64, minutes: i64) -> Vec<Entry> {
    let body = |n| json!({"kind": "note", "alert": format!("drill/n{n}"), "reason": "x"});
    (from..from + count)
        .map(|n| entry("s/h/eva", n, minutes, RecordType::Decision, body(n)))
        .collect()
}

/// Does what the runtime does while the model asks for more turns.
fn settle(world: &mut World, mut effects: Vec<Effect>) -> usize {
    let mut turns = 0;
    while effects.iter().any(|e| matches!(e, Effect::Continue)) {
        effects = world.send(Msg::Continue);
        turns += 1;
    }
    turns
}

#[test]
fn a_long_log_comes_in_slices_and_in_order() {
    let mut world = World::showing("log");
    let effects = world.send(Msg::Journal(notes(1, 2_000, 0)));
    assert_eq!(world.model.timeline.kept(), 213);
    assert_eq!(world.model.timeline.waiting(), 1_800);
    let effects = effects
        .into_iter()
        .chain(world.send(Msg::Journal(notes(2_001, 10, 0))));
    let effects = effects.collect();
    assert_eq!(settle(&mut world, effects), 9);
    assert_eq!(world.model.timeline.kept(), 2_023);
    let seqs: Vec<u64> = shown(&world)[13..].iter().map(|(_, seq)| *seq).collect();
    assert!(seqs.is_sorted() && seqs.len() == 2_010);
}

#[test]
fn whoever_reads_a_long_log_learns_when_it_is_taken_in() {
    let mut world = World::showing("log");
    let held = std::sync::Arc::new(());
    let pass = |world: &mut World| world.send(Msg::Held(Box::new(held.clone())));
    pass(&mut world);
    assert_eq!(std::sync::Arc::strong_count(&held), 1, "nothing waits");
    let effects = world.send(Msg::Journal(notes(1, 500, 0)));
    pass(&mut world);
    world.send(Msg::Journal(notes(501, 500, 0)));
    pass(&mut world);
    assert_eq!(std::sync::Arc::strong_count(&held), 3);
    world.send(Msg::Continue);
    assert_eq!(std::sync::Arc::strong_count(&held), 2);
    settle(&mut world, effects);
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
}

#[test]
fn new_records_wait_below_the_one_that_is_read() {
    let mut world = World::showing("log");
    let at = |w: &World| w.model.timeline.current().map(|r| r.seq).unwrap();
    let before = at(&world);
    world.press("enter");
    world.send(Msg::Journal(notes(1, 3, 0)));
    assert_eq!(at(&world), before, "also at the end");
    assert_eq!(world.model.timeline.unseen(), 3);
    world.press("esc");
    assert_eq!(at(&world), before);
    world.press("G");
    assert_eq!((at(&world), world.model.timeline.unseen()), (3, 0));
    world.press("k");
    // What the filter hides is not announced, and what is older stands above.
    world.press("/ n 2 enter");
    world.send(Msg::Journal(notes(20, 2, 0)));
    assert_eq!(world.model.timeline.unseen(), 2);
    world.send(Msg::Journal(notes(30, 1, 0)));
    assert_eq!(world.model.timeline.unseen(), 2);
}

#[test]
fn a_filter_looks_at_the_newest_first_and_keeps_the_record() {
    let mut world = World::showing("log");
    let many = stanch::app::timeline::SLICE as u64 + 50;
    let effects = world.send(Msg::Journal(notes(1, many, 0)));
    settle(&mut world, effects);
    world.press("/");
    type_in(&mut world, "alert:drill/n");
    let effects = world.send(Msg::Key(Key::char('1')));
    assert!(world.model.timeline.unscanned() > 0);
    assert_eq!(world.model.timeline.shown(), 0, "it is the oldest");
    settle(&mut world, effects);
    assert_eq!(world.model.timeline.row(0).map(|r| r.seq), Some(1));
    assert_eq!(
        world.model.timeline.shown(),
        1,
        "there is exactly such an alert"
    );
    world.press("backspace");
    settle(&mut world, vec![Effect::Continue]);
    assert_eq!(world.model.timeline.shown() as u64, many);
    // The old record keeps the cursor although the filter comes to it last.
    world.press("enter g");
    let effects = world.send(Msg::Key(Key::char('A')));
    settle(&mut world, effects);
    assert_eq!(world.model.timeline.filter.value(), "alert:drill/n1");
    let effects = world.send(Msg::Key(Key::parse("esc").unwrap()));
    settle(&mut world, effects);
    assert_eq!(world.model.timeline.filter.value(), "alert:drill/n");
    assert_eq!(world.model.timeline.current().map(|r| r.seq), Some(1));
}

#[test]
fn a_filter_follows_what_becomes_of_an_act() {
    let mut world = World::showing("log");
    world.press("/");
    type_in(&mut world, "is:unknown");
    assert_eq!(world.model.timeline.shown(), 1);
    let proven = json!({"intent": "i-3", "proof": "agrees", "says": "gone", "tries": 1, "evidence_sha256": null});
    world.send(Msg::Journal(vec![entry(
        "soc.example/jump-1/ana",
        11,
        0,
        RecordType::Verify,
        proven,
    )]));
    assert_eq!(world.model.timeline.shown(), 0);
    assert_eq!(world.model.open_unknowns().count(), 0);
}

#[test]
fn esc_comes_back_to_the_record_from_the_queue() {
    let mut world = World::showing("log");
    world.press("g j j");
    world.press("/ n o t enter");
    let before = world.model.timeline.current().map(|r| r.seq);
    world.press("enter a");
    assert!(matches!(world.model.overlay, Overlay::None));
    assert_eq!(world.model.selected.as_ref().unwrap().as_str(), "drill/f3");
    world.press("j k esc");
    assert!(matches!(world.model.overlay, Overlay::Log));
    assert_eq!(world.model.timeline.filter.value(), "not");
    assert!(world.model.timeline.record.is_some(), "as it was left");
    world.press("esc");
    assert_eq!(world.model.timeline.current().map(|r| r.seq), before);
    world.press("esc esc");
    assert!(matches!(world.model.overlay, Overlay::None));
    world.press("esc");
    assert!(matches!(world.model.overlay, Overlay::None), "only once");
}

#[test]
fn goes_to_the_identity_of_a_record() {
    let mut world = World::showing("log");
    world.press("i");
    assert_eq!(world.model.focus, Some(Pane::Identity));
    assert_eq!(world.model.selected.as_ref().unwrap().as_str(), "drill/f1");
    world.press("esc I");
    assert_eq!(
        world.model.timeline.filter.value(),
        "identity:lab:svc-deploy"
    );
    assert_eq!(world.model.timeline.shown(), 9);
    world.press("esc");
    assert_eq!(world.model.timeline.shown(), 13);
}

#[test]
fn a_verdict_grows_old_when_the_log_grows() {
    let mut world = World::showing("log");
    assert_eq!(world.model.timeline.unverified(), 0);
    world.send(Msg::Journal(notes(1, 4, 0)));
    assert_eq!(world.model.timeline.unverified(), 4);
    world.press("v");
    world.send(Msg::VerifyProgress { done: 1, all: 9 });
    assert_eq!(
        world.model.timeline.verification,
        Verification::Running { done: 1, all: 9 }
    );
    let mut again = verdict(true);
    again.heads.push(("s/h/eva".into(), 3));
    world.send(Msg::Verified(again));
    assert_eq!(world.model.timeline.unverified(), 2, "lines 3 and 4");
    world.send(Msg::VerifyProgress { done: 9, all: 9 });
    assert!(matches!(
        world.model.timeline.verification,
        Verification::Ended(_)
    ));
}

mod any_order {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// However batches come, the rows are the merged log, the filter shows what it would show if it came last, and
        /// the cursor stays on its record.
        #[test]
        fn rows_filter_and_cursor_agree(
            batches in proptest::collection::vec(proptest::collection::vec((0..3_usize, 0..50_i64, 0..3_u8), 1..8), 1..8),
            up in 0..20_usize,
        ) {
            let mut world = World::showing("log");
            world.press("/");
            type_in(&mut world, "alert:drill/x1");
            let mut seqs = [0_u64; 3];
            let mut all = Vec::new();
            let mut held = None;
            for (i, batch) in batches.into_iter().enumerate() {
                let entries: Vec<Entry> = batch.into_iter().map(|(log, minutes, alert)| {
                    seqs[log] += 1;
                    let body = json!({"kind": "note", "alert": format!("drill/x{alert}"), "reason": "x"});
                    entry(["s/h/p", "s/h/q", "s/h/r"][log], seqs[log], minutes, RecordType::Decision, body)
                }).collect();
                all.extend(entries.clone());
                world.send(Msg::Journal(entries));
                if let Some(held) = &held {
                    let now = world.model.timeline.current().map(|r| (r.log.to_owned(), r.seq));
                    prop_assert_eq!(&now, held);
                }
                if i == 0 {
                    for _ in 0..up {
                        world.press("up");
                    }
                    if !world.model.timeline.follows() {
                        held = Some(world.model.timeline.current().map(|r| (r.log.to_owned(), r.seq)));
                    }
                }
            }
            let now = shown(&world);
            let wanted = all.iter().filter(|e| e.body["alert"] == "drill/x1").count();
            prop_assert_eq!(now.len(), wanted);
            for log in ["p", "q", "r"] {
                let of_log: Vec<u64> = now.iter().filter(|(a, _)| a == log).map(|(_, s)| *s).collect();
                prop_assert!(of_log.is_sorted());
            }
            world.press("esc");
            prop_assert_eq!(world.model.timeline.shown(), all.len() + 13);
        }
    }
}
