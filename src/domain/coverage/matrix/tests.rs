use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::domain::coverage::Proof;
use crate::domain::decision::{Entry, RecordType};
use crate::domain::graph::{EdgeKind, Graph, Node, NodeKind};
use crate::domain::identity::Identity;
use crate::domain::ids::StepId;
use crate::domain::plan::{ImpactSnapshot, RenderedVerify, Undo};
use crate::domain::vocabulary::{IdentityKind, Tier};

fn at(s: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + s).unwrap()
}

fn step(id: &str, verb: Verb, layer: Layer, provable: bool) -> PlanStep {
    let by_hand = verb.is_manual();
    PlanStep {
        id: StepId::new(id),
        verb,
        title: format!("does {verb}"),
        why: String::new(),
        team: "IAM".into(),
        tier: Tier::Soft,
        layer,
        connector: if by_hand { String::new() } else { "c".into() },
        target: "x".into(),
        requests: Vec::new(),
        verify: provable.then(|| RenderedVerify {
            requests: Vec::new(),
            proven_if: "true".into(),
            says: "read back".into(),
            interval_ms: 1,
            deadline_ms: 1,
        }),
        undo: Undo::NothingToUndo,
        breaks: String::new(),
        idempotent: true,
        after_s: None,
    }
}

fn left(layer: Layer, at_most_s: Option<u64>) -> Residual {
    Residual {
        layer,
        text: format!("{layer} stay"),
        at_most_s,
    }
}

/// A log of one alert, written record by record.
struct Log {
    decisions: Decisions,
    inventory: Inventory,
    born: Vec<IdentityId>,
    plan: Plan,
    seq: u64,
}

impl Log {
    fn new(steps: Vec<PlanStep>, residual: Vec<Residual>) -> Self {
        let plan = Plan {
            v: 1,
            alert: AlertId::new("s/1"),
            incident: None,
            identity: IdentityId::new("p:a"),
            identity_name: "svc-a".into(),
            params: BTreeMap::new(),
            environment: None,
            playbook: "b".into(),
            playbook_sha256: String::new(),
            tier: Tier::Soft,
            created: at(0),
            expires: at(900),
            nonce: "n".into(),
            drill: false,
            steps,
            skipped: Vec::new(),
            impact: ImpactSnapshot::default(),
            residual,
            preconditions: Vec::new(),
        };
        let mut log = Self {
            decisions: Decisions::default(),
            inventory: Inventory::default(),
            born: Vec::new(),
            plan,
            seq: 0,
        };
        log.record_plan();
        log
    }

    fn record_plan(&mut self) {
        let body = json!({"digest": self.plan.digest(), "plan": self.plan.to_value()});
        self.record(0, RecordType::Plan, &body);
    }

    fn record(&mut self, s: i64, kind: RecordType, body: &Value) {
        self.seq += 1;
        self.decisions.apply(&Entry {
            signer: None,
            log: "l".into(),
            seq: self.seq,
            kind,
            ts: at(s),
            actor: "alice".into(),
            body: body.as_object().unwrap().clone(),
        });
        assert_eq!(self.decisions.unreadable, 0);
    }

    /// Writes an act on a step: its intent, and what is known of it.
    fn act(&mut self, s: i64, id: &str, undo: bool, outcome: Option<&str>, proof: Option<Proof>) {
        let verb = self.plan.step(&StepId::new(id)).unwrap().verb;
        let intent = format!("{:04}", self.seq);
        let body = json!({
            "intent": intent, "digest": self.plan.digest(), "step": id, "verb": verb, "identity": self.plan.identity,
            "alert": "s/1", "undo": undo, "process": {"boot": "b", "pid": 1, "start": 1},
        });
        self.record(s, RecordType::Intent, &body);
        if let Some(outcome) = outcome {
            let body = json!({"intent": intent, "outcome": outcome, "attempts": 1});
            self.record(s, RecordType::Outcome, &body);
        }
        if let Some(proof) = proof {
            let body = json!({"intent": intent, "proof": proof, "says": "read", "tries": 1});
            self.record(s, RecordType::Verify, &body);
        }
    }

    fn decide(&mut self, s: i64, kind: DecisionKind, layer: Layer, found: Option<CellState>) {
        let node = NodeId::new("p:a");
        let decision = Decision {
            cell: Some(CellName { node, layer }),
            found,
            ..Decision::on(AlertId::new("s/1"), kind, Some("because".into()))
        };
        let body = serde_json::to_value(&decision).unwrap();
        self.record(s, RecordType::Decision, &body);
    }

    fn coverage(&self, s: i64) -> Coverage {
        coverage(&Facts {
            decisions: &self.decisions,
            inventory: &self.inventory,
            born: &self.born,
            alert: &AlertId::new("s/1"),
            running: &|_| false,
            now: at(s),
        })
    }

    fn state(&self, s: i64, layer: Layer) -> Option<CellState> {
        let coverage = self.coverage(s);
        coverage
            .cell(&NodeId::new("p:a"), layer)
            .map(|cell| cell.state)
    }
}

#[rstest]
#[case::proven(Some("accepted"), Some(Proof::Agrees), true, CellState::Proven)]
#[case::lost_and_proven(Some("unknown"), Some(Proof::Agrees), true, CellState::Proven)]
#[case::not_so(Some("accepted"), Some(Proof::Disagrees), true, CellState::Failed)]
#[case::cannot_tell(Some("accepted"), Some(Proof::CannotTell), true, CellState::Unknown)]
#[case::not_read_yet(Some("accepted"), None, true, CellState::Requested)]
#[case::cannot_be_read(Some("accepted"), None, false, CellState::Unknown)]
#[case::refused(Some("rejected"), None, true, CellState::Failed)]
#[case::no_outcome(None, None, true, CellState::Unknown)]
fn a_cell_is_what_is_known_of_its_act(
    #[case] outcome: Option<&str>,
    #[case] proof: Option<Proof>,
    #[case] provable: bool,
    #[case] want: CellState,
) {
    let steps = vec![step("1", Verb::RevokeTokens, Layer::Tokens, provable)];
    let mut log = Log::new(steps, Vec::new());
    log.act(1, "1", false, outcome, proof);
    assert_eq!(log.state(2, Layer::Tokens), Some(want));
    let blocks = want != CellState::Proven;
    assert_eq!(log.coverage(2).refusal().is_some(), blocks);
    let words = log.coverage(2).refusal().unwrap_or_default();
    assert!(!blocks || words.contains("tokens of svc-a"), "{words}");
}

#[test]
fn what_cannot_be_known_says_why() {
    let steps = vec![step("1", Verb::RevokeTokens, Layer::Tokens, false)];
    let mut log = Log::new(steps, vec![left(Layer::Tokens, None)]);
    log.act(1, "1", false, Some("accepted"), None);
    let coverage = log.coverage(2);
    let cell = coverage.cell(&NodeId::new("p:a"), Layer::Tokens).unwrap();
    assert!(cell.says.contains("tokens stay"), "{}", cell.says);
}

#[rstest]
#[case::taken_back(Some("accepted"), Some(Proof::Agrees), CellState::Open)]
#[case::still_contained(Some("rejected"), None, CellState::Proven)]
#[case::nobody_knows(Some("unknown"), None, CellState::Unknown)]
#[case::orphan(None, None, CellState::Unknown)]
fn an_undo_opens_a_cell_only_when_it_took_hold(
    #[case] outcome: Option<&str>,
    #[case] proof: Option<Proof>,
    #[case] want: CellState,
) {
    let steps = vec![step("1", Verb::DisableIdentity, Layer::Credentials, true)];
    let mut log = Log::new(steps, Vec::new());
    log.act(1, "1", false, Some("accepted"), Some(Proof::Agrees));
    log.act(5, "1", true, outcome, proof);
    assert_eq!(log.state(6, Layer::Credentials), Some(want));
    // Done again, it stands.
    log.act(9, "1", false, Some("accepted"), Some(Proof::Agrees));
    assert_eq!(log.state(10, Layer::Credentials), Some(CellState::Proven));
}

#[test]
fn the_worst_of_several_acts_on_a_layer_stands_for_it_until_it_is_done_again() {
    let steps = vec![
        step("1", Verb::DisableCredential, Layer::Credentials, true),
        step("2", Verb::RotateSecret, Layer::Credentials, true),
    ];
    let mut log = Log::new(steps, Vec::new());
    log.act(1, "1", false, Some("accepted"), Some(Proof::Agrees));
    log.act(2, "2", false, Some("accepted"), Some(Proof::Disagrees));
    assert_eq!(log.state(3, Layer::Credentials), Some(CellState::Failed));
    log.act(4, "2", false, Some("accepted"), Some(Proof::Agrees));
    assert_eq!(log.state(5, Layer::Credentials), Some(CellState::Proven));
}

#[test]
fn issued_tokens_are_counted_down_until_they_have_run_out() {
    let steps = vec![step("1", Verb::DisableIdentity, Layer::Credentials, true)];
    let residual = vec![left(Layer::Tokens, Some(300))];
    let mut log = Log::new(steps, residual);
    log.act(10, "1", false, Some("accepted"), Some(Proof::Agrees));
    let cell = |s| {
        let coverage = log.coverage(s);
        coverage
            .cell(&NodeId::new("p:a"), Layer::Tokens)
            .unwrap()
            .clone()
    };
    assert_eq!(cell(20).state, CellState::NotContainable);
    assert_eq!(cell(20).left_s(at(20)), Some(290));
    assert_eq!(cell(309).left_s(at(309)), Some(1));
    assert_eq!(cell(310).left_s(at(310)), None);
    // That they end by themselves holds up nobody: nothing here could end them sooner.
    assert_eq!(log.coverage(20).refusal(), None);
}

#[test]
fn a_proof_on_the_layer_of_a_countdown_is_proof_once_it_has_run_out() {
    let steps = vec![step("1", Verb::RevokeTokens, Layer::Tokens, true)];
    let mut log = Log::new(steps, vec![left(Layer::Tokens, Some(60))]);
    log.act(0, "1", false, Some("accepted"), Some(Proof::Agrees));
    assert_eq!(
        log.state(59, Layer::Tokens),
        Some(CellState::NotContainable)
    );
    assert_eq!(log.state(60, Layer::Tokens), Some(CellState::Proven));
}

#[test]
fn what_nobody_touched_is_open_and_a_proof_closes_it() {
    let steps = vec![
        step("1", Verb::RevokeSessions, Layer::Sessions, true),
        step("2", Verb::DisableCredential, Layer::Credentials, true),
    ];
    let mut log = Log::new(steps, vec![left(Layer::Credentials, None)]);
    assert!(log.coverage(0).nodes.is_empty(), "nothing was done yet");
    log.act(1, "1", false, Some("accepted"), Some(Proof::Agrees));
    assert_eq!(log.state(2, Layer::Credentials), Some(CellState::Open));
    let refusal = log.coverage(2).refusal().unwrap();
    assert_eq!(refusal, "credentials of svc-a open");
    log.act(3, "2", false, Some("accepted"), Some(Proof::Agrees));
    assert_eq!(log.state(4, Layer::Credentials), Some(CellState::Proven));
    assert_eq!(log.coverage(4).refusal(), None);
}

#[test]
fn a_risk_is_taken_on_with_a_reason_until_something_happens_to_its_cell() {
    let steps = vec![step("1", Verb::RevokeTokens, Layer::Tokens, true)];
    let mut log = Log::new(steps, Vec::new());
    log.act(1, "1", false, Some("unknown"), None);
    assert!(log.coverage(2).refusal().is_some());
    log.decide(3, DecisionKind::AcceptRisk, Layer::Tokens, None);
    let coverage = log.coverage(4);
    assert_eq!(coverage.refusal(), None);
    let cell = coverage.cell(&NodeId::new("p:a"), Layer::Tokens).unwrap();
    let accepted = cell.accepted.as_ref().unwrap();
    assert_eq!(
        (accepted.by.as_str(), accepted.reason.as_str()),
        ("alice", "because")
    );
    assert_eq!(cell.state, CellState::Unknown, "a risk is no proof");
    // A later act is another risk.
    log.act(5, "1", false, Some("accepted"), Some(Proof::Disagrees));
    assert!(log.coverage(6).refusal().is_some());
}

#[test]
fn what_people_do_is_handed_off_until_they_say_how_it_came_out() {
    let mut by_hand = step("2", Verb::ProtectRecovery, Layer::Sessions, false);
    by_hand.connector = String::new();
    let steps = vec![
        step("1", Verb::RevokeSessions, Layer::Sessions, true),
        by_hand,
    ];
    let mut log = Log::new(steps, Vec::new());
    log.act(1, "1", false, Some("accepted"), Some(Proof::Agrees));
    let handed = Decision {
        plan: Some(log.plan.digest()),
        step: Some(StepId::new("2")),
        ..Decision::on(AlertId::new("s/1"), DecisionKind::HandOver, None)
    };
    log.record(
        2,
        RecordType::Decision,
        &serde_json::to_value(&handed).unwrap(),
    );
    assert_eq!(log.state(3, Layer::Recovery), Some(CellState::HandedOff));
    assert_eq!(log.coverage(3).to_check().count(), 1);
    let found = Some(CellState::Failed);
    log.decide(4, DecisionKind::Checked, Layer::Recovery, found);
    assert_eq!(log.state(5, Layer::Recovery), Some(CellState::Failed));
    let refusal = log.coverage(5).refusal().unwrap();
    assert_eq!(refusal, "recovery of svc-a failed");
    log.decide(
        6,
        DecisionKind::Checked,
        Layer::Recovery,
        Some(CellState::Proven),
    );
    assert_eq!(log.coverage(7).refusal(), None);
}

fn linked_world(kind: IdentityKind) -> Inventory {
    let card = |id: &str, kind| Identity::not_in_inventory(IdentityId::new(id), id.into(), kind);
    let mut graph = Graph::default();
    let nodes = [
        ("store:s", NodeKind::SecretStore),
        ("desk:tickets", NodeKind::Integration),
        ("agent:build", NodeKind::Workload),
        ("way:reset", NodeKind::RecoveryPath),
    ];
    for (id, kind) in nodes {
        graph.add_node(Node::new(NodeId::new(id), kind, id));
    }
    let id = NodeId::new;
    for who in ["p:a", "p:b"] {
        graph.add_edge(id(who), EdgeKind::StoredIn, id("store:s"));
    }
    for what in ["store:s", "desk:tickets", "agent:build"] {
        graph.add_edge(id("p:a"), EdgeKind::CanReach, id(what));
    }
    graph.add_edge(id("way:reset"), EdgeKind::Recovers, id("p:a"));
    Inventory::new(
        [card("p:a", kind), card("p:b", IdentityKind::ServiceAccount)],
        graph,
    )
}

#[rstest]
#[case::anybody(IdentityKind::ServiceAccount, &["recovery way:reset", "siblings p:b"])]
#[case::agent(
    IdentityKind::AiAgent,
    &["permissions desk:tickets", "permissions store:s", "recovery way:reset", "siblings p:b"]
)]
#[case::pipeline(
    IdentityKind::CiToken,
    &["pipeline agent:build", "recovery way:reset", "siblings p:b"]
)]
fn what_is_linked_is_to_be_looked_at_by_kind(#[case] kind: IdentityKind, #[case] want: &[&str]) {
    let steps = vec![step("1", Verb::RevokeSessions, Layer::Sessions, true)];
    let mut log = Log::new(steps, Vec::new());
    log.inventory = linked_world(kind);
    log.born = vec![IdentityId::new("p:new")];
    log.act(1, "1", false, Some("accepted"), Some(Proof::Agrees));
    let coverage = log.coverage(2);
    let mut asked: Vec<String> = coverage
        .to_check()
        .filter(|c| c.name.node.as_str() != "p:new")
        .map(|c| format!("{} {}", c.name.layer, c.name.node))
        .collect();
    asked.sort();
    assert_eq!(asked, want);
    let born = coverage
        .cell(&NodeId::new("p:new"), Layer::Recovery)
        .unwrap();
    assert!(born.says.contains("way back in"), "{}", born.says);
    assert_eq!(
        coverage.refusal(),
        None,
        "what is to be looked at is no proof of anything"
    );
}
