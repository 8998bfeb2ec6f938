//! The keystroke path as a table of events over the pure state machine: what is asked for, and what never is.

#[path = "flows/afterwards.rs"]
mod afterwards;
#[path = "flows/arriving.rs"]
mod arriving;
#[path = "flows/deciding.rs"]
mod deciding;
#[path = "flows/passing.rs"]
mod passing;
#[path = "flows/plain.rs"]
mod plain;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::json;
use stanch::app::keymap::Keymap;
use stanch::app::keys::{Code, Key};
use stanch::app::model::{Model, Overlay, Stage};
use stanch::app::msg::{Effect, Msg};
use stanch::app::row_state::RowState;
use stanch::app::update::update;
use stanch::domain::alert::{Alert, Resource, Subject};
use stanch::domain::coverage::Proof;
use stanch::domain::decision::{DecisionKind, Entry, Intent, Process, RecordType};
use stanch::domain::identity::Identity;
use stanch::domain::ids::{AlertId, IdentityId, IntentId, PlanDigest, StepId};
use stanch::domain::options::Capability;
use stanch::domain::plan::{ImpactSnapshot, Plan, PlanStep, Residual, Undo};
use stanch::domain::playbook::PlaybookFile;
use stanch::domain::queue::Row;
use stanch::domain::text::Untrusted;
use stanch::domain::vocabulary::{ActionPattern, IdentityKind, Layer, Severity, Tier, Verb};

const BOOKS: &str = r#"
[[playbook]]
id = "soft"
title = "End sessions"
when = {}
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_sessions", team = "IAM", tier = "soft" }]
[[playbook]]
id = "hard"
title = "Turn off"
when = {}
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_sessions", team = "IAM", tier = "hard" }]
"#;

fn inventory(text: &str) -> Arc<stanch::domain::inventory::Inventory> {
    Arc::new(stanch::inventory::parse(text, "test").unwrap())
}

fn row(id: &str, confidence: u8) -> Row {
    let at = start();
    let alert = Alert {
        id: AlertId::new(format!("test/{id}")),
        native_id: None,
        candidates: Vec::new(),
        source: "test".into(),
        format: "ocsf_detection_finding".into(),
        time: Some(at),
        observed: at,
        exposed_at: None,
        title: Untrusted::from("token used from elsewhere"),
        severity: Some(Severity::High),
        severity_raw: None,
        confidence: Some(confidence),
        pattern: ActionPattern::TokenReplay,
        subject: Some(Subject {
            provider: Untrusted::from("p"),
            native_id: Untrusted::from(id),
            kind: IdentityKind::OauthClient,
            name: None,
        }),
        resource: Some(Resource {
            id: Untrusted::from("db"),
            kind: Untrusted::from("secret"),
        }),
        action: None,
        evidence_url: None,
        incident: None,
        techniques: Vec::new(),
        raw_sha256: stanch::domain::digest::Digest::default(),
        resolved: None,
    };
    Row {
        alert: Arc::new(alert),
        count: 1,
        first_seen: at,
        last_seen: at,
    }
}

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// A console with two alerts, about `svc-a` and `svc-b`.
struct Desk {
    model: Model,
    keymap: Keymap,
    now: Timestamp,
}

impl Desk {
    fn new() -> Self {
        let capability = Capability {
            title: "t".into(),
            layer: Layer::Sessions,
            breaks: String::new(),
            irreversible: None,
            residual: Vec::new(),
        };
        let identity = |id: &str| {
            format!(
                "[[identity]]\nid='p:{id}'\nname='{id}'\nkind='oauth_client'\nconnector='c'\naliases=['{id}']\n"
            )
        };
        let model = Model {
            inventory: inventory(&(identity("svc-a") + &identity("svc-b"))),
            playbooks: PlaybookFile::parse(BOOKS).unwrap().playbooks.into(),
            capabilities: Arc::new(BTreeMap::from([(
                "c".to_owned(),
                BTreeMap::from([(Verb::RevokeSessions, capability)]),
            )])),
            ..Model::default()
        };
        let mut desk = Self {
            model,
            keymap: Keymap::default(),
            now: start(),
        };
        desk.send(Msg::Alerts(vec![row("svc-a", 90), row("svc-b", 90)]));
        desk.press("g");
        desk
    }

    fn send(&mut self, msg: Msg) -> Vec<Effect> {
        update(&mut self.model, &self.keymap, msg, self.now)
    }

    fn press(&mut self, names: &str) -> Vec<Effect> {
        let keys = names.split(' ');
        let mut effects: Vec<Effect> = keys
            .flat_map(|name| self.send(Msg::Key(Key::parse(name).unwrap())))
            .collect();
        // Here the cursor rests at once; how it runs is told in `passing`.
        if self.model.is_passing() {
            effects.extend(stanch::app::passing::rest(&mut self.model));
        }
        effects
    }

    fn type_text(&mut self, text: &str) -> Vec<Effect> {
        text.chars()
            .flat_map(|c| self.send(Msg::Key(Key::char(c))))
            .collect()
    }

    fn pass(&mut self, ms: i64) {
        self.now = self
            .now
            .checked_add(SignedDuration::from_millis(ms))
            .unwrap();
    }

    /// Answers the last `BuildPlan` as the runtime would.
    fn build(&mut self, tier: Tier) -> PlanDigest {
        let Overlay::Plan(view) = &self.model.overlay else {
            panic!("no plan is open")
        };
        let plan = Plan {
            v: 1,
            alert: view.alert.clone(),
            incident: None,
            identity: view.identity.clone(),
            identity_name: Untrusted::from(view.identity.as_str().trim_start_matches("p:")),
            params: BTreeMap::new(),
            environment: None,
            playbook: view.playbook.clone(),
            playbook_sha256: String::new(),
            tier,
            created: self.now,
            expires: self
                .now
                .checked_add(SignedDuration::from_secs(900))
                .unwrap(),
            nonce: "n".into(),
            drill: false,
            steps: Vec::new(),
            skipped: Vec::new(),
            impact: ImpactSnapshot::default(),
            residual: Vec::new(),
            preconditions: Vec::new(),
        };
        let (digest, ticket) = (plan.digest(), view.ticket);
        self.send(Msg::PlanBuilt {
            ticket,
            result: Ok((digest.clone(), Arc::new(plan))),
        });
        digest
    }

    fn stage(&self) -> Option<Stage> {
        match &self.model.overlay {
            Overlay::Plan(view) => Some(view.stage.clone()),
            _ => None,
        }
    }
}

fn runs(effects: &[Effect]) -> Vec<&PlanDigest> {
    effects
        .iter()
        .filter_map(|e| {
            if let Effect::Run(d, _) = e {
                Some(d)
            } else {
                None
            }
        })
        .collect()
}

fn said(desk: &Desk) -> &str {
    desk.model.messages.last().map_or("", |m| &m.text)
}

#[test]
fn a_soft_plan_needs_a_second_key_and_a_third() {
    let mut desk = Desk::new();
    let effects = desk.press("1");
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::BuildPlan { playbook, .. } if playbook == "soft"))
    );
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::Record(d) if d[0].kind == DecisionKind::Claim))
    );
    let digest = desk.build(Tier::Soft);
    desk.pass(400);
    // Cancel is chosen at first.
    assert_eq!(runs(&desk.press("enter")), Vec::<&PlanDigest>::new());
    assert_eq!(desk.stage(), None);
    desk.press("1");
    let again = desk.build(Tier::Soft);
    desk.pass(400);
    assert_eq!(runs(&desk.press("tab enter")), [&again]);
    assert_eq!(digest.as_str().len(), 64);
}

#[test]
fn a_hard_plan_needs_the_name_and_a_reason_typed() {
    let mut desk = Desk::new();
    desk.press("2");
    let digest = desk.build(Tier::Hard);
    desk.pass(400);
    assert!(runs(&desk.press("enter")).is_empty());
    assert!(said(&desk).contains("type svc-a"), "{}", said(&desk));
    desk.type_text("svc-b");
    assert!(runs(&desk.press("enter")).is_empty());
    desk.press("backspace");
    desk.type_text("a");
    assert!(runs(&desk.press("enter")).is_empty());
    assert!(said(&desk).contains("say why"), "{}", said(&desk));
    desk.type_text("x leaked");
    assert!(runs(&desk.press("enter")).is_empty(), "another name");
    for _ in " leakedx".chars() {
        desk.press("backspace");
    }
    desk.type_text(" key leaked ");
    let effects = desk.press("enter");
    assert_eq!(runs(&effects), [&digest]);
    let told = effects
        .iter()
        .any(|e| matches!(e, Effect::Run(_, Some(why)) if why == "key leaked"));
    assert!(told, "{effects:?}");
}

#[test]
fn keys_in_the_first_moments_confirm_nothing() {
    let mut desk = Desk::new();
    desk.press("1");
    desk.build(Tier::Soft);
    assert!(runs(&desk.press("tab enter")).is_empty());
    assert_eq!(desk.stage(), Some(Stage::Preview));
    desk.pass(400);
    assert_eq!(runs(&desk.press("enter")).len(), 1);
}

#[test]
fn a_paste_confirms_nothing() {
    let mut desk = Desk::new();
    desk.press("2");
    desk.build(Tier::Hard);
    desk.pass(400);
    assert!(runs(&desk.send(Msg::Paste("svc-a\n".into()))).is_empty());
    assert!(runs(&desk.press("enter")).is_empty());
    assert_eq!(desk.stage(), Some(Stage::Preview));
    desk.press("esc");
    assert!(desk.send(Msg::Paste("1\n2\n".into())).is_empty());
    assert!(said(&desk).contains("ignored a paste"));
}

#[test]
fn what_arrives_while_a_dialog_is_open_never_changes_whom_it_is_about() {
    let mut desk = Desk::new();
    desk.press("1");
    let digest = desk.build(Tier::Soft);
    let mut worse = row("svc-b", 90);
    Arc::make_mut(&mut worse.alert).severity = Some(Severity::Critical);
    desk.send(Msg::Alerts(vec![worse, row("svc-c", 90)]));
    desk.pass(400);
    let effects = desk.press("tab enter");
    assert_eq!(runs(&effects), [&digest]);
    let Overlay::Plan(view) = &desk.model.overlay else {
        panic!("closed")
    };
    assert_eq!(
        (view.identity.as_str(), view.alert.as_str()),
        ("p:svc-a", "test/svc-a")
    );
}

#[test]
fn an_alert_that_changes_its_subject_makes_the_preview_stale() {
    let mut desk = Desk::new();
    desk.press("1");
    desk.build(Tier::Soft);
    desk.pass(400);
    let mut changed = row("svc-a", 90);
    Arc::make_mut(&mut changed.alert).subject = None;
    desk.send(Msg::Alerts(vec![changed]));
    assert!(runs(&desk.press("tab enter")).is_empty());
    assert!(
        said(&desk).contains("changed whom it names"),
        "{}",
        said(&desk)
    );
}

#[test]
fn an_expired_plan_is_not_run() {
    let mut desk = Desk::new();
    desk.press("1");
    desk.build(Tier::Soft);
    desk.pass(901_000);
    assert!(runs(&desk.press("tab enter")).is_empty());
    assert!(said(&desk).contains("expired"));
}

#[test]
fn low_confidence_only_looks() {
    let mut desk = Desk::new();
    desk.send(Msg::Alerts(vec![row("svc-a", 20)]));
    assert!(desk.press("1 2").is_empty());
    assert!(
        said(&desk).contains("low confidence (20 %)"),
        "{}",
        said(&desk)
    );
}

#[test]
fn without_a_journal_nothing_is_done() {
    let mut desk = Desk::new();
    desk.send(Msg::JournalProblem(Some("disk full".into())));
    assert!(desk.press("1 c").is_empty());
    assert!(said(&desk).contains("no act without a journal: disk full"));
}

#[test]
fn a_read_only_console_records_and_does_nothing() {
    let mut desk = Desk::new();
    desk.model.read_only = true;
    assert!(desk.press("1 2 c 0 D X n v").is_empty());
    assert!(said(&desk).contains("read-only"));
    assert_eq!(desk.stage(), None);
}

#[test]
fn dismissing_needs_a_reason() {
    let mut desk = Desk::new();
    desk.press("D");
    assert!(desk.press("enter").is_empty());
    desk.type_text("test ran");
    let effects = desk.press("enter");
    let [Effect::Record(decisions)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let [decision] = decisions.as_slice() else {
        panic!("{decisions:?}")
    };
    assert_eq!(
        (decision.kind, decision.reason.as_deref()),
        (DecisionKind::Dismiss, Some("test ran"))
    );
}

#[test]
fn nothing_contained_nothing_closed() {
    let mut desk = Desk::new();
    assert!(desk.press("X").is_empty());
    assert!(said(&desk).contains("nothing was contained"));
}

#[test]
fn a_late_answer_to_an_earlier_request_is_dropped() {
    let mut desk = Desk::new();
    desk.press("1 esc 2");
    desk.send(Msg::PlanBuilt {
        ticket: 1,
        result: Err("late".into()),
    });
    assert_eq!(desk.stage(), Some(Stage::Building));
}

#[test]
fn new_rows_wait_until_they_are_asked_for() {
    let mut desk = Desk::new();
    desk.send(Msg::Alerts(vec![row("svc-z", 90)]));
    assert_eq!((desk.model.queue.len(), desk.model.queue.waiting()), (2, 1));
    desk.press("g");
    assert_eq!((desk.model.queue.len(), desk.model.queue.waiting()), (3, 0));
}

#[test]
fn the_terminal_is_not_given_back_while_a_plan_runs() {
    let mut desk = Desk::new();
    desk.press("1");
    desk.build(Tier::Soft);
    desk.pass(400);
    desk.press("tab enter esc");
    assert!(desk.press("ctrl-z").is_empty());
    desk.press("q");
    assert!(!desk.model.quit);
    desk.send(Msg::Key(Key::plain(Code::Enter)));
    assert!(!desk.model.quit && matches!(desk.model.overlay, Overlay::None));
    desk.press("q Q");
    assert!(desk.model.quit);
}

/// A refusal stands on the plan that it is about; the last line stays free for the key that builds the plan anew.
#[rstest]
#[case::on_its_plan("tab enter", false)]
#[case::elsewhere("tab enter esc", true)]
fn a_refusal_is_said_where_its_plan_is_not_seen(#[case] keys: &str, #[case] below: bool) {
    let mut desk = Desk::new();
    desk.press("1");
    let digest = desk.build(Tier::Soft);
    desk.pass(400);
    desk.press(keys);
    let text = "the plan is void".to_owned();
    desk.send(Msg::RunEnded {
        digest,
        text,
        ran: false,
    });
    assert_eq!(said(&desk), "the plan is void");
    assert_eq!(desk.model.toast_until.is_some(), below);
    if !below {
        let effects = desk.press("ctrl-r");
        assert!(matches!(effects.as_slice(), [Effect::BuildPlan { .. }]));
    }
}

/// What an act came to and is not in the log is not left behind unseen.
#[test]
fn nobody_leaves_an_unrecorded_outcome_unseen() {
    let mut desk = Desk::new();
    desk.send(Msg::Unrecorded("NOT RECORDED in the log".into()));
    assert!(said(&desk).contains("NOT RECORDED"));
    desk.press("q enter");
    assert!(!desk.model.quit && matches!(desk.model.overlay, Overlay::None));
    desk.press("q Q");
    assert!(desk.model.quit);
}

/// Returns whom providers are asked about.
fn asked(effects: &[Effect]) -> Vec<&str> {
    let mut whom = Vec::new();
    for effect in effects {
        if let Effect::ReadContext(card) = effect {
            whom.push(card.id.as_str());
        }
    }
    whom
}

fn says(desk: &mut Desk, who: &str) {
    desk.send(Msg::Context {
        identity: IdentityId::new(who),
        at: desk.now,
        context: Box::default(),
    });
}

#[test]
fn selecting_asks_the_provider_once() {
    let mut desk = Desk::new();
    says(&mut desk, "p:svc-a");
    assert_eq!(asked(&desk.press("j")), ["p:svc-b"]);
    says(&mut desk, "p:svc-b");
    assert_eq!(asked(&desk.press("k j")), [""; 0]);
    assert_eq!(asked(&desk.press("r")), ["p:svc-b"]);
}

#[test]
fn a_question_is_dropped_when_the_selection_moves_on_and_asked_again_on_return() {
    let mut desk = Desk::new();
    // Nobody has answered about the first one: the question about the second takes its place.
    assert_eq!(asked(&desk.press("j")), ["p:svc-b"]);
    assert!(!desk.model.live.contains_key(&IdentityId::new("p:svc-a")));
    assert_eq!(
        asked(&desk.press("k")),
        ["p:svc-a"],
        "it does not wait for ever"
    );
    says(&mut desk, "p:svc-a");
    assert_eq!(asked(&desk.press("j")), ["p:svc-b"]);
    // Where nothing takes its place it is dropped all the same.
    let effects = desk.press("k");
    assert!(
        matches!(effects.as_slice(), [Effect::StopReading]),
        "{effects:?}"
    );
    // What was known of somebody stays while he is asked about again, and after that was dropped.
    says(&mut desk, "p:svc-b");
    desk.press("r j");
    let live = &desk.model.live[&IdentityId::new("p:svc-a")];
    assert!(live.at.is_some() && !live.loading);
}

#[test]
fn the_message_to_the_owner_is_copied_in_one_line() {
    let mut desk = Desk::new();
    let effects = desk.press("y");
    let [Effect::Copy(text)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert!(
        text.contains("about the identity svc-a (p:svc-a)") && !text.contains('\n'),
        "{text}"
    );
    assert!(
        text.contains(
            "What is proposed, the gentlest first: End sessions (soft); or Turn off (hard)."
        ),
        "{text}"
    );
    desk.send(Msg::Alerts(Vec::new()));
    desk.model.selected = None;
    desk.model.refresh_detail();
    assert!(desk.press("y").is_empty());
    let said = &desk.model.messages.last().unwrap().text;
    assert!(said.contains("no owner to write to"), "{said}");
}

#[test]
fn a_screen_too_small_to_read_does_nothing_but_leave() {
    let mut desk = Desk::new();
    desk.send(Msg::Resized {
        width: 40,
        height: 10,
    });
    assert!(desk.press("1 2 0 c D tab enter").is_empty());
    assert!(matches!(desk.model.overlay, Overlay::None));
    desk.send(Msg::Resized {
        width: 80,
        height: 24,
    });
    desk.press("1");
    desk.build(Tier::Soft);
    desk.pass(400);
    desk.send(Msg::Resized {
        width: 40,
        height: 10,
    });
    assert!(runs(&desk.press("tab enter")).is_empty());
    desk.press("esc q");
    assert!(desk.model.quit);
}

#[test]
fn a_digit_without_a_playbook_does_nothing() {
    let mut desk = Desk::new();
    assert!(desk.press("3 9").is_empty());
    assert!(matches!(desk.model.overlay, Overlay::None));
    assert!(said(&desk).contains("option 9 is not for this alert"));
}

/// Feeds what the journal says after an act of the open plan's alert.
fn act(desk: &mut Desk, plan: &Plan, verb: Verb, undo: bool, proof: Proof) {
    act_as(desk, plan, ("1", verb), undo, proof);
}

fn act_on(desk: &mut Desk, plan: &Plan, step: &str, verb: Verb, undo: bool) {
    act_as(desk, plan, (step, verb), undo, Proof::Agrees);
}

fn act_as(desk: &mut Desk, plan: &Plan, (step, verb): (&str, Verb), undo: bool, proof: Proof) {
    let n = desk.model.decisions.acts().count();
    let intent = Intent {
        intent: IntentId::new(format!("i{n}")),
        digest: plan.digest(),
        step: StepId::new(step),
        verb,
        provider: None,
        identity: plan.identity.clone(),
        environment: None,
        alert: plan.alert.clone(),
        plan: None,
        undo,
        incident: None,
        process: Process {
            pid: 1,
            start: 1,
            boot: String::new(),
        },
    };
    let outcome = json!({"intent": intent.intent, "outcome": "accepted", "http_status": 204, "provider_request_id": null,
        "attempts": 1, "error": null, "body_sha256": null});
    let verify = json!({"intent": intent.intent, "proof": proof, "says": "s", "tries": 1, "evidence_sha256": null});
    let plan_record = json!({"digest": plan.digest(), "plan": plan.to_value()});
    let records = [
        (RecordType::Plan, plan_record),
        (RecordType::Intent, serde_json::to_value(&intent).unwrap()),
        (RecordType::Outcome, outcome),
        (RecordType::Verify, verify),
    ];
    let entries = records
        .into_iter()
        .enumerate()
        .map(|(i, (kind, body))| entry((n * 4 + i) as u64, kind, &body));
    desk.send(Msg::Journal(entries.collect()));
}

fn entry(seq: u64, kind: RecordType, body: &serde_json::Value) -> Entry {
    Entry {
        log: "l".into(),
        seq,
        kind,
        ts: start(),
        actor: "a@h".into(),
        signer: None,
        body: body.as_object().unwrap().clone(),
    }
}

fn step_of(verb: Verb, layer: Layer) -> PlanStep {
    PlanStep {
        id: StepId::new("1"),
        verb,
        title: "t".into(),
        why: String::new(),
        team: "IAM".into(),
        tier: Tier::Soft,
        layer,
        connector: "c".into(),
        target: Untrusted::from("x"),
        requests: Vec::new(),
        verify: None,
        undo: Undo::NothingToUndo,
        breaks: String::new(),
        idempotent: true,
        after_s: None,
    }
}

#[test]
fn proven_means_that_nothing_known_is_left_open() {
    let mut desk = Desk::new();
    desk.press("1");
    desk.build(Tier::Soft);
    let Overlay::Plan(view) = &desk.model.overlay else {
        panic!("no plan is open")
    };
    let (_, base) = view.plan.clone().unwrap();
    desk.press("esc");
    let alert = base.alert.clone();
    let plan = |verb, layer, left: &[Layer]| Plan {
        nonce: format!("{verb}"),
        steps: vec![step_of(verb, layer)],
        residual: left
            .iter()
            .map(|l| Residual {
                layer: *l,
                text: "open".into(),
                at_most_s: None,
            })
            .collect(),
        ..(*base).clone()
    };
    // Evidence alone contains nothing.
    let look = plan(Verb::PreserveEvidence, Layer::Sessions, &[Layer::Sessions]);
    act(
        &mut desk,
        &look,
        Verb::PreserveEvidence,
        false,
        Proof::Agrees,
    );
    assert_eq!(desk.model.row_state(&alert), RowState::New);
    assert!(desk.press("X").is_empty());
    // Sessions ended, the secret lives.
    let narrow = plan(Verb::RevokeSessions, Layer::Sessions, &[Layer::Credentials]);
    act(
        &mut desk,
        &narrow,
        Verb::RevokeSessions,
        false,
        Proof::Agrees,
    );
    assert_eq!(desk.model.row_state(&alert), RowState::Partly);
    assert!(desk.press("X").is_empty());
    assert!(
        said(&desk).contains("still has credentials"),
        "{}",
        said(&desk)
    );
    // The secret is dead as well.
    let wide = plan(
        Verb::DisableCredential,
        Layer::Credentials,
        &[Layer::Sessions],
    );
    act(
        &mut desk,
        &wide,
        Verb::DisableCredential,
        false,
        Proof::Agrees,
    );
    assert_eq!(desk.model.row_state(&alert), RowState::Proven);
    // Taken back.
    act(
        &mut desk,
        &wide,
        Verb::DisableCredential,
        true,
        Proof::Agrees,
    );
    assert_eq!(desk.model.row_state(&alert), RowState::Undone);
    assert!(desk.press("X").is_empty());
    // And done again.
    act(
        &mut desk,
        &wide,
        Verb::DisableCredential,
        false,
        Proof::Agrees,
    );
    assert!(
        matches!(desk.press("X").as_slice(), [Effect::Record(d)] if d[0].kind == DecisionKind::CloseContained)
    );
    // Of the same incident only what is about the same identity.
    let of_incident = |name: &str, id: &str| {
        let mut row = row(name, 90);
        let alert = Arc::make_mut(&mut row.alert);
        (alert.id, alert.incident) = (AlertId::new(id), Some("7".into()));
        row
    };
    desk.send(Msg::Alerts(vec![
        of_incident("svc-a", alert.as_str()),
        of_incident("svc-a", "test/more"),
        of_incident("svc-b", "test/svc-b"),
    ]));
    desk.press("g z z");
    assert_eq!(desk.model.queue.len(), 1);
    let effects = desk.press("X");
    let [Effect::Record(decisions)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let ids: Vec<&str> = decisions.iter().map(|d| d.alert.as_str()).collect();
    assert_eq!(ids, [alert.as_str(), "test/more"]);
}

#[test]
fn an_identity_nobody_listed_can_still_be_looked_at() {
    let card = Identity::not_in_inventory(
        IdentityId::new("p:x"),
        Untrusted::from("x"),
        IdentityKind::Unknown,
    );
    assert_eq!(card.provenance, "not in inventory");
}

#[test]
fn the_queue_is_filtered_as_it_is_typed_and_digits_are_text() {
    let mut desk = Desk::new();
    desk.press("/");
    desk.type_text("svc-b1");
    assert_eq!(desk.model.queue.len(), 0);
    assert_eq!(desk.model.selected, None);
    assert!(
        matches!(desk.model.overlay, Overlay::None),
        "a digit is text here"
    );
    desk.press("backspace enter");
    let b = AlertId::new("test/svc-b");
    assert_eq!(desk.model.queue.len(), 1);
    assert_eq!(desk.model.selected, Some(b.clone()));
    assert!(desk.model.detail.identity.is_some());
    desk.press("esc");
    assert_eq!(desk.model.queue.len(), 2);
    assert_eq!(
        desk.model.selected,
        Some(b),
        "the cursor stays on its alert"
    );
}

#[test]
fn a_mistake_in_a_filter_is_said_and_hides_nothing_by_itself() {
    let mut desk = Desk::new();
    desk.press("/");
    desk.type_text("sev>=hihg");
    assert_eq!(desk.model.queue.len(), 2);
    let complaint = desk.model.sift.complaint.clone().unwrap();
    assert!(
        complaint.contains("column 1: no severity `hihg`"),
        "{complaint}"
    );
    desk.send(Msg::Paste(" \u{1b}[31mowner:x".into()));
    assert_eq!(desk.model.sift.input.value(), "sev>=hihg [31mowner:x");
    // Kept although nothing in it can be used, it goes by the key that clears any filter.
    desk.press("enter");
    desk.press("esc");
    assert_eq!(desk.model.sift.input.value(), "");
    assert_eq!(desk.model.sift.complaint, None);
}

#[test]
fn what_was_said_about_one_screen_does_not_hide_the_keys_of_another() {
    let mut desk = Desk::new();
    desk.press("D");
    desk.press("enter");
    assert!(desk.model.toast_until.is_some(), "a reason is needed");
    desk.press("esc");
    assert_eq!(desk.model.toast_until, None);
    let last = desk.model.messages.last().unwrap();
    assert!(last.text.contains("reason"), "kept: {}", last.text);
    // What is said by the key that leaves a screen stays.
    desk.press("D");
    desk.type_text("known good");
    desk.press("enter");
    assert!(matches!(desk.model.overlay, Overlay::None));
    desk.model
        .say(desk.model.now, stanch::app::model::Level::Warn, "x");
    desk.press("j");
    assert!(desk.model.toast_until.is_some());
}

#[test]
fn a_filter_by_state_follows_what_is_decided() {
    let mut desk = Desk::new();
    desk.press("/");
    desk.type_text("state:new");
    desk.press("enter");
    assert_eq!(desk.model.queue.len(), 2);
    let claimed = AlertId::new("test/svc-a");
    let body = serde_json::json!({ "kind": "claim", "alert": claimed.as_str(), "reason": null });
    desk.send(Msg::Journal(vec![entry(1, RecordType::Decision, &body)]));
    assert_eq!(desk.model.queue.len(), 1);
    assert!(desk.model.queue.position(&claimed).is_none());
}

#[test]
fn an_alert_that_is_not_in_memory_is_read_before_anything_can_be_done() {
    let mut desk = Desk::new();
    let rows: Vec<Row> = (0..600).map(|i| row(&format!("svc-{i:03}"), 90)).collect();
    desk.send(Msg::Stored(rows.clone()));
    assert_eq!(desk.model.queue.waiting(), 0, "stored alerts are no news");
    let effects = desk.press("G");
    let last = AlertId::new("test/svc-599");
    assert_eq!(desk.model.selected, Some(last.clone()));
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::ReadAlert(id) if *id == last)),
        "{effects:?}"
    );
    desk.press("1");
    assert!(matches!(desk.model.overlay, Overlay::None));
    let result = Ok(rows[599].alert.clone());
    desk.send(Msg::AlertRead { id: last, result });
    assert!(desk.model.detail.identity.is_some());
}

#[test]
fn in_a_long_queue_what_is_typed_is_shown_before_it_is_applied() {
    let mut desk = Desk::new();
    let rows: Vec<Row> = (0..50_000).map(|i| row(&format!("svc-{i}"), 9)).collect();
    desk.send(Msg::Stored(rows));
    let all = desk.model.queue.len();
    desk.press("/");
    let goes_on = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Continue));
    for key in ["4", "9", "9", "9", "9"] {
        assert!(goes_on(&desk.press(key)));
    }
    assert_eq!(desk.model.sift.input.value(), "49999");
    assert_eq!(desk.model.queue.len(), all, "not applied yet");
    while goes_on(&desk.send(Msg::Continue)) {}
    assert_eq!(desk.model.queue.len(), 1);
    // The next key is about what was typed, however soon it comes.
    let before = desk.model.selected.clone().unwrap();
    desk.press("backspace");
    desk.press("8");
    desk.press("enter");
    let selected = desk.model.selected.clone().unwrap();
    assert_ne!(selected, before);
    assert_eq!(
        (desk.model.queue.len(), desk.model.queue.at(0)),
        (1, Some(selected))
    );
    desk.press("/");
    // Nothing that was typed is applied once it was taken back.
    desk.press("x");
    desk.press("esc");
    while goes_on(&desk.send(Msg::Continue)) {}
    assert_eq!(desk.model.queue.len(), all);
}

#[test]
fn a_deleted_alert_is_not_shown_as_if_it_were_there() {
    let mut desk = Desk::new();
    let shown = desk.model.selected.clone().unwrap();
    let effects = desk.send(Msg::Deleted);
    assert!(
        matches!(effects.as_slice(), [Effect::ReadAlert(id)] if *id == shown),
        "{effects:?}"
    );
    let result = Err("it was deleted on 2026-11-21".to_owned());
    desk.send(Msg::AlertRead { id: shown, result });
    assert!(desk.model.detail.identity.is_none());
    assert!(desk.press("3").is_empty(), "nothing is planned for it");
    // The others are read again when they are looked at.
    let effects = desk.press("j");
    assert!(
        effects.iter().any(|e| matches!(e, Effect::ReadAlert(_))),
        "{effects:?}"
    );
}
