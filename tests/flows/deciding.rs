//! Decisions about several alerts, and what waits until when.

use rstest::rstest;
use stanch::app::settings::View;
use stanch::domain::alert::Resolved;
use stanch::domain::decision::Decision;
use stanch::domain::queue::Grouping;

use super::*;

fn ids(decisions: &[Decision]) -> Vec<&str> {
    decisions.iter().map(|d| d.alert.as_str()).collect()
}

/// Returns what one key or text leads to be recorded, and lets the journal tell it as it would.
fn recorded(desk: &mut Desk, effects: &[Effect]) -> Vec<Decision> {
    let [Effect::Record(decisions)] = effects else {
        panic!("{effects:?}")
    };
    let seq = desk.model.decisions.alerts().count() as u64 * 10;
    let entries = decisions.iter().zip(seq..).map(|(decision, seq)| {
        let body = serde_json::to_value(decision).unwrap();
        entry(seq, RecordType::Decision, &body)
    });
    desk.send(Msg::Journal(entries.collect()));
    decisions.clone()
}

fn state(desk: &Desk, id: &str) -> RowState {
    desk.model.row_state(&AlertId::new(format!("test/{id}")))
}

#[test]
fn marks_are_for_decisions_and_never_for_plans() {
    let mut desk = Desk::new();
    desk.press("space space");
    assert!(desk.press("1").is_empty());
    assert!(
        said(&desk).contains("a plan is for one alert"),
        "{}",
        said(&desk)
    );
    desk.press("D");
    desk.type_text("a test of ours");
    let effects = desk.press("enter");
    let decisions = recorded(&mut desk, &effects);
    assert_eq!(ids(&decisions), ["test/svc-a", "test/svc-b"]);
    assert_eq!(state(&desk, "svc-b"), RowState::Dismissed);
    assert!(desk.model.marks.is_empty(), "a decision uses the marks up");
    desk.press("space esc");
    assert!(desk.model.marks.is_empty(), "esc takes them off");
}

#[test]
fn what_is_put_off_comes_back_when_its_time_is_over() {
    let mut desk = Desk::new();
    desk.press("s");
    desk.type_text("4h vendor rotates at noon");
    let effects = desk.press("enter");
    let decisions = recorded(&mut desk, &effects);
    assert_eq!(
        decisions[0].reason.as_deref(),
        Some("vendor rotates at noon")
    );
    assert_eq!(state(&desk, "svc-a"), RowState::Snoozed);
    desk.press("g");
    assert_eq!(
        desk.model.queue.at(1),
        Some(AlertId::new("test/svc-a")),
        "behind the others"
    );
    desk.pass(4 * 3_600_000 - 1);
    desk.send(Msg::Tick);
    assert_eq!(state(&desk, "svc-a"), RowState::Snoozed);
    desk.pass(1);
    desk.send(Msg::Tick);
    assert_eq!(state(&desk, "svc-a"), RowState::New);
    assert!(
        said(&desk).contains("back in the queue: test/svc-a"),
        "{}",
        said(&desk)
    );
}

#[test]
fn what_gets_worse_does_not_stay_put_off() {
    let mut desk = Desk::new();
    desk.press("s");
    desk.type_text("2d not ours");
    let effects = desk.press("enter");
    recorded(&mut desk, &effects);
    desk.send(Msg::Alerts(vec![row("svc-a", 90)]));
    assert_eq!(
        state(&desk, "svc-a"),
        RowState::Snoozed,
        "the same again is no news"
    );
    let mut worse = row("svc-a", 90);
    Arc::make_mut(&mut worse.alert).severity = Some(Severity::Critical);
    desk.send(Msg::Alerts(vec![worse]));
    assert_eq!(state(&desk, "svc-a"), RowState::New);
}

#[test]
fn what_is_put_off_can_be_taken_up() {
    let mut desk = Desk::new();
    desk.press("s");
    desk.type_text("2d not ours");
    let effects = desk.press("enter");
    recorded(&mut desk, &effects);
    let effects = desk.press("s");
    let decisions = recorded(&mut desk, &effects);
    assert_eq!(decisions[0].kind, DecisionKind::Wake);
    assert_eq!(state(&desk, "svc-a"), RowState::New);
}

#[rstest]
#[case("s", "", "for how long?")]
#[case("s", "soon it ends", "`soon` is no span")]
#[case("s", "15d holidays", "between 1m and 14d")]
#[case("s", "5s", "between 1m and 14d")]
#[case("s", "5h", "a reason is needed after the time")]
#[case("a", "bob", "say to whom")]
#[case("D", " ", "a reason is needed")]
fn what_is_missing_is_said_and_what_was_typed_stays(
    #[case] key: &str,
    #[case] typed: &str,
    #[case] says: &str,
) {
    let mut desk = Desk::new();
    desk.press(key);
    desk.type_text(typed);
    assert!(desk.press("enter").is_empty());
    assert!(said(&desk).contains(says), "{}", said(&desk));
    let Overlay::Reason(prompt) = &desk.model.overlay else {
        panic!("it is still asked")
    };
    assert_eq!(prompt.input.value(), typed);
}

#[test]
fn an_alert_is_given_with_a_word_and_found_by_who_has_it() {
    let mut desk = Desk::new();
    desk.press("a");
    desk.type_text("bob token revoked, ask IAM");
    let effects = desk.press("enter");
    let decisions = recorded(&mut desk, &effects);
    assert_eq!(decisions[0].to.as_deref(), Some("bob"));
    assert_eq!(state(&desk, "svc-a"), RowState::Claimed);
    desk.press("/");
    desk.type_text("by:bob");
    desk.press("enter");
    assert_eq!(desk.model.queue.len(), 1);
    desk.press("esc");
    assert_eq!(desk.model.queue.len(), 2);
}

#[test]
fn a_line_of_many_is_decided_about_as_a_whole() {
    let mut desk = Desk::new();
    let more = |n: usize| {
        let mut row = row("svc-a", 90);
        Arc::make_mut(&mut row.alert).id = AlertId::new(format!("test/more-{n}"));
        row
    };
    desk.send(Msg::Alerts((0..2).map(more).collect()));
    desk.press("g");
    assert_eq!(desk.model.queue.len(), 2);
    let effects = desk.press("c");
    let decisions = recorded(&mut desk, &effects);
    assert_eq!(
        ids(&decisions),
        ["test/svc-a", "test/more-0", "test/more-1"]
    );

    desk.send(Msg::Alerts((2..600).map(more).collect()));
    desk.press("g D");
    assert!(matches!(desk.model.overlay, Overlay::None));
    assert!(
        said(&desk).contains("601 alerts at once"),
        "{}",
        said(&desk)
    );
    desk.press("z z z");
    assert_eq!(desk.model.queue.grouping(), Grouping::Off);
    assert_eq!(desk.model.queue.len(), 602);
}

#[test]
fn keys_filter_by_identity_and_class_and_views_are_chosen() {
    let mut desk = Desk::new();
    desk.model.desk.views = vec![View {
        name: "b".into(),
        filter: "identity:svc-b".into(),
        fold: Grouping::Identity,
    }];
    desk.press("i");
    assert_eq!(desk.model.sift.input.value(), "identity=\"svc-a\"");
    assert_eq!(desk.model.queue.len(), 1);
    desk.press("u");
    assert_eq!(
        desk.model.sift.input.value(),
        "identity=\"svc-a\" is:urgent"
    );
    desk.press("u");
    assert_eq!(desk.model.queue.len(), 0, "nothing of it is routine");
    desk.press("u esc V 1");
    assert_eq!(desk.model.queue.at(0), Some(AlertId::new("test/svc-b")));
    assert_eq!(desk.model.queue.grouping(), Grouping::Identity);
    desk.press("V 9");
    assert!(matches!(desk.model.overlay, Overlay::None));
    assert_eq!(desk.model.sift.input.value(), "identity:svc-b");
}

#[test]
fn what_is_shown_is_saved_as_a_view() {
    let mut desk = Desk::new();
    desk.press("i z V s");
    assert!(matches!(desk.model.overlay, Overlay::SaveView(_)));
    assert!(desk.press("enter").is_empty(), "a view has a name");
    desk.type_text("only a");
    let effects = desk.press("enter");
    let [Effect::SaveView(view)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let want = View {
        name: "only a".into(),
        filter: "identity=\"svc-a\"".into(),
        fold: Grouping::Identity,
    };
    assert_eq!(*view, want);
    desk.send(Msg::ViewSaved(Ok((
        want.clone(),
        "/state/views.toml".into(),
    ))));
    assert_eq!(
        said(&desk),
        "saved in /state/views.toml; V 1 shows it again"
    );
    desk.send(Msg::ViewSaved(Ok((
        want.clone(),
        "/state/views.toml".into(),
    ))));
    assert_eq!(desk.model.desk.views, [want]);
    desk.send(Msg::ViewSaved(Err("no room".into())));
    assert!(said(&desk).contains("not saved: no room"));
    // A filter that cannot be used is no view.
    desk.press("esc /");
    desk.type_text("sev>=hihg");
    desk.press("enter V s");
    assert!(matches!(desk.model.overlay, Overlay::None));
    assert!(
        said(&desk).contains("no severity `hihg`"),
        "{}",
        said(&desk)
    );
}

/// An alert as it is told once its source counts it as over, or not any more.
fn told(id: &str, is_over: bool) -> Row {
    let mut row = row(id, 90);
    let alert = Arc::make_mut(&mut row.alert);
    alert.resolved = is_over.then(|| Resolved {
        at: start(),
        reason: "its source does not list it any more".to_owned(),
    });
    row
}

fn shown(desk: &Desk) -> Vec<String> {
    let ids = desk
        .model
        .queue
        .from(0)
        .map(|slot| desk.model.queue.id(slot));
    ids.map(|id| id.as_str().to_owned()).collect()
}

#[test]
fn what_is_over_at_its_source_stands_behind_unless_somebody_is_on_it() {
    let mut desk = Desk::new();
    assert_eq!(shown(&desk), ["test/svc-a", "test/svc-b"]);
    desk.send(Msg::Alerts(vec![told("svc-a", true)]));
    assert_eq!(state(&desk, "svc-a"), RowState::Resolved);
    assert_eq!(desk.model.queue.open(), 1);
    // Nothing moves by itself.
    assert_eq!(shown(&desk), ["test/svc-a", "test/svc-b"]);
    desk.press("g");
    assert_eq!(shown(&desk), ["test/svc-b", "test/svc-a"]);
    // Whoever takes it has it back, with a mark only.
    desk.press("j");
    let effects = desk.press("c");
    recorded(&mut desk, &effects);
    assert_eq!(state(&desk, "svc-a"), RowState::Claimed);
    assert_eq!(desk.model.queue.open(), 2);
    // And one that somebody is on already stays open when its source is done with it.
    desk.press("g");
    let place = AlertId::new("test/svc-b");
    while desk.model.selected.as_ref() != Some(&place) {
        desk.press("j");
    }
    let effects = desk.press("c");
    recorded(&mut desk, &effects);
    desk.send(Msg::Alerts(vec![told("svc-b", true)]));
    assert_eq!(state(&desk, "svc-b"), RowState::Claimed);
    assert!(desk.model.queue.is_resolved(&place));
    assert_eq!(desk.model.queue.open(), 2);
}

#[test]
fn what_its_source_lists_again_is_open_again() {
    let mut desk = Desk::new();
    desk.send(Msg::Stored(vec![told("svc-a", true)]));
    assert_eq!(state(&desk, "svc-a"), RowState::Resolved);
    desk.send(Msg::Alerts(vec![told("svc-a", false)]));
    assert_eq!(state(&desk, "svc-a"), RowState::New);
    assert_eq!(desk.model.queue.open(), 2);
}

#[test]
fn deleted_alerts_leave_the_queue_and_the_one_looked_at_when_one_looks_elsewhere() {
    let mut desk = Desk::new();
    desk.send(Msg::Alerts(
        (0..9).map(|n| row(&format!("svc-{n}"), 90)).collect(),
    ));
    desk.press("g");
    let first = desk.model.selected.clone().unwrap();
    let last = AlertId::new("test/svc-8");
    desk.send(Msg::Removed(vec![first.clone(), last.clone()]));
    assert_eq!(desk.model.queue.all(), 10);
    assert!(desk.model.queue.slot(&last).is_none());
    assert_eq!(
        desk.model.selected,
        Some(first.clone()),
        "rows do not move under the cursor"
    );
    desk.press("j");
    assert_ne!(desk.model.selected, Some(first.clone()));
    assert_eq!(desk.model.queue.all(), 9);
    assert!(desk.model.queue.slot(&first).is_none());
}
