//! What comes after a plan: a step that is taken back from the plan itself, and what another team did.

use rstest::rstest;
use stanch::app::afterwards::TakenBack;
use stanch::domain::decision::Decision;
use stanch::domain::plan::{Body, RenderedRequest};

use super::*;

fn request() -> RenderedRequest {
    RenderedRequest {
        id: "on".into(),
        method: "PUT".into(),
        url: "http://idp/on".into(),
        headers: Vec::new(),
        body: Body::None,
        expect: vec![200],
        already: Vec::new(),
        accept_if: None,
        capture: None,
        next: None,
    }
}

/// A plan with two steps that can be taken back and one of another team, run to its end.
fn ended(tier: Tier) -> (Desk, Plan) {
    let mut desk = Desk::new();
    desk.press("1");
    desk.build(tier);
    let Overlay::Plan(view) = &desk.model.overlay else {
        panic!("no plan is open")
    };
    let (_, base) = view.plan.clone().unwrap();
    desk.press("esc");
    let back = Undo::Requests {
        requests: vec![request()],
        verify: None,
    };
    let step = |id: &str, verb, layer| PlanStep {
        id: StepId::new(id),
        undo: back.clone(),
        ..step_of(verb, layer)
    };
    let by_hand = PlanStep {
        id: StepId::new("3"),
        connector: String::new(),
        ..step_of(Verb::NotifyOwner, Layer::Sessions)
    };
    let plan = Plan {
        tier,
        steps: vec![
            step("1", Verb::DisableIdentity, Layer::Credentials),
            step("2", Verb::RestrictPrivilege, Layer::Grants),
            by_hand,
        ],
        ..(*base).clone()
    };
    act(
        &mut desk,
        &plan,
        Verb::DisableIdentity,
        false,
        Proof::Agrees,
    );
    act_on(&mut desk, &plan, "2", Verb::RestrictPrivilege, false);
    let handed = Decision {
        plan: Some(plan.digest()),
        step: Some(StepId::new("3")),
        ..Decision::on(plan.alert.clone(), DecisionKind::HandOver, None)
    };
    tell(&mut desk, &handed);
    desk.press("p");
    (desk, plan)
}

fn tell(desk: &mut Desk, decision: &Decision) {
    let body = serde_json::to_value(decision).unwrap();
    desk.send(Msg::Journal(vec![entry(900, RecordType::Decision, &body)]));
}

fn stage(desk: &Desk) -> Stage {
    match &desk.model.overlay {
        Overlay::Plan(view) => view.stage.clone(),
        other => panic!("{other:?}"),
    }
}

fn at(step: &str) -> Stage {
    Stage::TakingBack(StepId::new(step))
}

#[test]
fn a_step_is_taken_back_from_its_plan_after_it_was_read_and_confirmed() {
    let (mut desk, plan) = ended(Tier::Soft);
    assert!(desk.press("u").is_empty());
    assert_eq!(stage(&desk), at("2"), "what was done last goes first");
    desk.press("down");
    assert_eq!(stage(&desk), at("1"));
    desk.press("down up");
    assert_eq!(stage(&desk), at("2"));
    // Cancel is chosen at first, and a key that came too early confirms nothing.
    assert!(desk.press("tab enter").is_empty());
    assert_eq!(stage(&desk), at("2"));
    desk.pass(400);
    let effects = desk.press("enter");
    let [
        Effect::TakeBack {
            digest,
            step,
            reason,
            ..
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (digest, step.as_str(), reason),
        (&plan.digest(), "2", &None)
    );
    assert_eq!(stage(&desk), Stage::Running);
    assert_eq!(desk.model.row_state(&plan.alert), RowState::Acting);
    act_on(&mut desk, &plan, "2", Verb::RestrictPrivilege, true);
    desk.send(Msg::TakenBack(TakenBack {
        digest: plan.digest(),
        text: "undo of step 2: proven".to_owned(),
        proven: true,
    }));
    assert_eq!(stage(&desk), Stage::Ended);
    desk.press("u");
    assert_eq!(
        stage(&desk),
        at("1"),
        "what was taken back is not offered again"
    );
    desk.press("esc");
    assert_eq!(stage(&desk), Stage::Ended, "esc leaves it as it is");
}

#[test]
fn a_step_of_a_hard_plan_is_taken_back_by_name_and_with_a_reason() {
    let (mut desk, _) = ended(Tier::Hard);
    desk.press("u down");
    desk.pass(400);
    desk.type_text("svc-a");
    assert!(desk.press("enter").is_empty());
    assert!(said(&desk).contains("say why"), "{}", said(&desk));
    desk.type_text(" the owner tested");
    let effects = desk.press("enter");
    let [Effect::TakeBack { step, reason, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (step.as_str(), reason.as_deref()),
        ("1", Some("the owner tested"))
    );
}

#[test]
fn what_cannot_be_taken_back_is_not_offered() {
    let (mut desk, plan) = ended(Tier::Soft);
    act_on(&mut desk, &plan, "2", Verb::RestrictPrivilege, true);
    act_on(&mut desk, &plan, "1", Verb::DisableIdentity, true);
    desk.press("u");
    assert_eq!(stage(&desk), Stage::Ended);
    assert!(said(&desk).contains("no step of this plan can be taken back"));
    desk.model.read_only = true;
    desk.press("u");
    assert!(said(&desk).contains("read-only"), "{}", said(&desk));
}

#[rstest]
#[case("bob", None)]
#[case("bob told them, they answered", Some(("bob", "told them, they answered")))]
fn what_another_team_did_is_written_down(
    #[case] typed: &str,
    #[case] recorded: Option<(&str, &str)>,
) {
    let (mut desk, plan) = ended(Tier::Soft);
    desk.press("d");
    desk.type_text(typed);
    let effects = desk.press("enter");
    let Some((by, says)) = recorded else {
        assert!(effects.is_empty());
        assert!(said(&desk).contains("say who did it"), "{}", said(&desk));
        return;
    };
    let [Effect::Record(decisions)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let done = &decisions[0];
    assert_eq!(done.kind, DecisionKind::HandOverDone);
    assert_eq!(
        (done.to.as_deref(), done.reason.as_deref()),
        (Some(by), Some(says))
    );
    assert_eq!(done.plan.as_ref(), Some(&plan.digest()));
    assert_eq!(done.step.as_ref().map(StepId::as_str), Some("3"));
    tell(&mut desk, done);
    desk.press("p d");
    assert!(
        said(&desk).contains("no step of this plan waits"),
        "{}",
        said(&desk)
    );
}
