//! The log's screen as a table of events over the pure state machine.

mod world;

use rstest::rstest;
use serde_json::json;
use stanch::app::command::{Command, Danger, REGISTRY, Scope, disabled_reason};
use stanch::app::keymap::Keymap;
use stanch::app::keys::Key;
use stanch::app::model::{Overlay, Pane, Run};
use stanch::app::msg::{Effect, Msg};
use stanch::app::timeline::{KEPT, LogRow, Timeline, Verification};
use stanch::domain::decision::{Decisions, RecordType};
use world::World;
use world::records::{entry, records, verdict};

fn type_in(world: &mut World, text: &str) {
    for c in text.chars() {
        world.send(Msg::Key(Key::char(c)));
    }
}

fn shown(world: &World) -> Vec<(String, u64)> {
    let timeline = &world.model.timeline;
    let rows = (0..timeline.shown()).filter_map(|at| timeline.row(at));
    rows.map(|r| (r.actor.to_string(), r.seq)).collect()
}

fn last_message(world: &World) -> &str {
    &world.model.messages.last().unwrap().text
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
    assert_eq!(world.model.timeline.filter.value(), "drill/f1");
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
    assert_eq!(world.model.timeline.verification, Verification::Running);
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
#[case("2026-11-21t03:0", 9)]
#[case("jump-2", 3)]
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
    let note = |seq, minutes| {
        let body = json!({"kind": "note", "alert": "drill/f2", "reason": "x"});
        Msg::Journal(vec![entry(
            "s/h/eva",
            seq,
            minutes,
            RecordType::Decision,
            body,
        )])
    };
    let at = |w: &World| {
        w.model
            .timeline
            .current()
            .map(|r| (r.actor.to_string(), r.seq))
            .unwrap()
    };
    world.send(note(1, 0));
    assert_eq!(at(&world), ("eva".into(), 1));
    world.press("k k");
    let held = at(&world);
    assert_eq!(held, ("ana".into(), 9));
    // One at the end and one of a host whose clock is behind, before the cursor.
    world.send(note(2, 0));
    world.send(note(3, 45));
    assert_eq!(at(&world), held);
    assert_eq!(shown(&world)[2], ("eva".into(), 3));
    world.press("G");
    assert_eq!(at(&world), ("eva".into(), 2));
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
        result: Ok(Box::new(other)),
    });
    assert_eq!(world.model.timeline.record.as_ref().unwrap().entry, None);
    world.send(Msg::Record {
        log: log.clone(),
        seq: *seq,
        result: Err("no \u{1b}[31m file".into()),
    });
    let view = world.model.timeline.record.as_ref().unwrap();
    assert_eq!(view.entry, Some(Err(r"no \u{1b}[31m file".into())));
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
                Effect::VerifyLog | Effect::ReadRecord { .. } | Effect::Suspend
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
    world.press("a");
    assert!(last_message(&world).contains("this is only the log"));
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
    assert_eq!(Keymap::default().resolve(Scope::Log, Key::char('1')), None);
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

#[test]
fn keeps_the_newest_and_counts_the_rest() {
    let decisions = Decisions::default();
    let row = |seq| {
        let body = json!({"kind": "note", "alert": "a/1", "reason": "x"});
        LogRow::of(
            &entry("s/h/ana", seq, 0, RecordType::Decision, body),
            &decisions,
        )
    };
    let mut timeline = Timeline::default();
    timeline.add((1..=10).map(row).collect(), 7, &decisions);
    assert_eq!((timeline.kept(), timeline.older()), (10, 7));
    let many = vec![row(11); KEPT];
    timeline.add(many, 0, &decisions);
    assert_eq!((timeline.kept(), timeline.older()), (KEPT, 17));
    assert_eq!(timeline.row(0).unwrap().seq, 11);
}
