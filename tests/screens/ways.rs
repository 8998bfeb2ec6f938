//! The ways between screens: a key is about what it shows, and nothing that is under way gets lost.

use rstest::rstest;
use serde_json::json;
use stanch::app::command::{Command, disabled_reason};
use stanch::app::keys::Key;
use stanch::app::model::{Overlay, Run, Stage};
use stanch::app::msg::{Effect, Msg};
use stanch::domain::decision::RecordType;

use super::world::World;
use super::world::records::entry;

/// Somebody judges the alert that is selected to be no case.
fn close_selected(world: &mut World) {
    let alert = world.model.selected.clone().unwrap();
    let body = json!({"kind": "dismiss", "alert": alert.as_str(), "reason": "a test of ours"});
    let closed = entry("local/jump1/bob", 9, 0, RecordType::Decision, body);
    world.send(Msg::Journal(vec![closed]));
}

/// The keys of the board are about its lines; that the alert selected in the queue is closed, or none is, is no matter there.
#[rstest]
#[case("debts", "y", false)]
#[case("debts", "x", false)]
#[case("debts", "y", true)]
#[case("debts", "x", true)]
fn a_key_of_the_board_does_not_look_at_the_queue(
    #[case] screen: &str,
    #[case] key: &str,
    #[case] is_empty: bool,
) {
    let mut world = World::showing(screen);
    if is_empty {
        world.model.selected = None;
    } else {
        close_selected(&mut world);
        assert!(world.model.is_over());
    }
    world.press(key);
    let said = world.model.messages.last().map(|m| m.text.clone());
    let said = said.unwrap_or_default();
    assert!(!said.contains("no alert is selected"), "{said}");
    assert!(!said.contains("it is closed"), "{said}");
}

fn stage_of(world: &World) -> Option<Stage> {
    match &world.model.overlay {
        Overlay::Plan(view) => Some(view.stage.clone()),
        _ => None,
    }
}

/// Ada asked for a plan about the first alert; Mira sits here.
#[test]
fn a_plan_that_waits_is_shown_from_its_alert() {
    let mut world = World::showing("inbox");
    world.press("esc");
    let asked = world.model.decisions.asked();
    let (digest, alert) = (asked[0].0.clone(), asked[0].1.plan.alert.clone());
    world.model.selected = Some(alert.clone());
    world.press("p");
    assert_eq!(stage_of(&world), Some(Stage::Judging));

    // The same, run from here: on its way, not to be agreed to.
    world.press("esc");
    let run = Run {
        alert: Some(alert),
        running: true,
        ..Run::default()
    };
    world.model.runs.insert(digest, run);
    world.press("p");
    assert_eq!(stage_of(&world), Some(Stage::WaitingApproval));
}

/// Whoever sits here reads a plan, agrees chosen, when the log tells that somebody spoke or acted: what is asked is what
/// stands there by now, and a key that was on its way does not answer it.
#[rstest]
#[case::mira_agreed_herself_a_moment_ago("mira", Some(true), Some(Stage::Preview))]
#[case::mira_refused_it("mira", Some(false), None)]
#[case::it_was_run_elsewhere("ada", None, Some(Stage::Ended))]
#[case::ada_may_not_agree_to_her_own("ada", Some(true), Some(Stage::Judging))]
fn an_open_plan_follows_the_log(
    #[case] who: &str,
    #[case] approved: Option<bool>,
    #[case] wanted: Option<Stage>,
) {
    let mut world = World::showing("judging");
    // Past the first moments, in which it takes no key.
    world.clock += jiff::SignedDuration::from_secs(1);
    world.press("tab");
    let digest = world.model.decisions.asked()[0].0.clone();
    let (kind, body) = match approved {
        Some(approved) => (
            RecordType::Approval,
            json!({"digest": digest.as_str(), "approved": approved, "by": null, "reason": "not ours"}),
        ),
        None => (
            RecordType::Intent,
            json!({"intent": "i-1", "digest": digest.as_str(), "step": "2", "verb": "revoke_tokens",
                   "identity": "lab:svc-deploy", "alert": "drill/f1", "undo": false,
                   "process": {"pid": 7, "start": 1, "boot": "b"}}),
        ),
    };
    let log = format!("soc.example/jump-1/{who}");
    let mut spoke = entry(&log, 9, 0, kind, body);
    spoke.signer = Some(log.as_str().into());
    world.send(Msg::Journal(vec![spoke]));
    match wanted {
        Some(stage) => assert_eq!(stage_of(&world), Some(stage)),
        None => assert!(
            matches!(stage_of(&world), Some(Stage::Failed(why)) if why.contains("mira refused it: not ours"))
        ),
    }
    // What was chosen counts only where the same is asked as before.
    let effects = world.send(Msg::Key(Key::parse("enter").unwrap()));
    let agreed = effects.iter().any(|e| matches!(e, Effect::Verdict { .. }));
    let run = effects.iter().any(|e| matches!(e, Effect::Run(..)));
    let still_asked = who == "ada" && approved.is_some();
    assert_eq!((agreed, run), (still_asked, false), "{effects:?}");
}

/// An act about the second alert of a line, of which nobody knows the outcome.
#[test]
fn a_line_for_several_alerts_hides_no_unknown_act() {
    let mut world = World::showing("folded");
    let row = |world: &World| {
        let screen = super::dump(&super::rendered(&world.model, "mono", true, 120, 40));
        screen
            .lines()
            .find(|line| line.contains("12m  svc-deploy"))
            .unwrap()
            .to_owned()
    };
    assert!(!row(&world).contains("UNKNOWN"), "{}", row(&world));
    let first = world.model.queue.at(0).unwrap();
    let other = world
        .model
        .queue
        .members(&first)
        .into_iter()
        .find(|id| *id != first)
        .unwrap();
    let intent = json!({
        "intent": "i-9", "digest": "d", "step": "2", "verb": "revoke_sessions", "identity": "lab:svc-deploy",
        "alert": other.as_str(), "undo": false, "process": {"pid": 7, "start": 1, "boot": "b"},
    });
    let sent = entry("local/jump1/bob", 9, 0, RecordType::Intent, intent);
    world.send(Msg::Journal(vec![sent]));
    world.model.selected = Some(first);
    assert!(row(&world).contains("UNKNOWN"), "{}", row(&world));
    let effects = world.send(Msg::Key(Key::char('v')));
    assert!(
        matches!(effects.as_slice(), [Effect::Reconcile(id)] if *id == other),
        "{effects:?}"
    );
    world.press("C");
    assert_eq!(world.model.coverage.alert, Some(other));
}

/// What the bottom line offers is never refused.
#[rstest]
fn what_is_offered_can_be_done(
    #[values("inbox", "debts", "empty", "read_only", "running")] screen: &str,
) {
    let mut world = World::showing(screen);
    world.model.toast_until = None;
    let line = super::rendered(&world.model, "mono", true, 200, 50);
    let text: String = line.content[line.content.len() - 200..]
        .iter()
        .map(ratatui::buffer::Cell::symbol)
        .collect();
    for (command, title) in [
        (Command::Refuse, "refuse"),
        (Command::Stop, "stop"),
        (Command::Stage(1), "stage"),
        (Command::Claim, "claim"),
    ] {
        let refused = disabled_reason(command, &world.model);
        assert!(
            refused.is_none() || !text.contains(title),
            "{title}: {refused:?} in {text}"
        );
    }
}
