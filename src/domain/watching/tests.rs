use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::domain::coverage::CellName;
use crate::domain::decision::{Decision, Entry, RecordType};
use crate::domain::identity::{Credential, Session};
use crate::domain::ids::NodeId;
use crate::domain::vocabulary::Layer;

const WINDOW: u32 = 1_800;

fn at(s: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + s).unwrap()
}

#[derive(Default)]
struct Log {
    decisions: Decisions,
    seq: u64,
}

impl Log {
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

    fn act(&mut self, s: i64, verb: Verb, undo: bool, proof: Option<&str>) {
        let intent = format!("{:04}", self.seq);
        let body = json!({
            "intent": intent, "digest": "d", "step": "1", "verb": verb, "identity": "p:a",
            "alert": "s/1", "undo": undo, "process": {"boot": "b", "pid": 1, "start": 1},
        });
        self.record(s, RecordType::Intent, &body);
        let body = json!({"intent": intent, "outcome": "accepted", "attempts": 1});
        self.record(s, RecordType::Outcome, &body);
        if let Some(proof) = proof {
            let body = json!({"intent": intent, "proof": proof, "says": "s", "tries": 1});
            self.record(s, RecordType::Verify, &body);
        }
    }

    fn decide(&mut self, s: i64, kind: DecisionKind) {
        let node = NodeId::new("p:a");
        let cell = (kind == DecisionKind::Reopen).then_some(CellName {
            node,
            layer: Layer::Sessions,
        });
        let decision = Decision {
            cell,
            ..Decision::on(AlertId::new("s/1"), kind, Some("used".into()))
        };
        let body = serde_json::to_value(&decision).unwrap();
        self.record(s, RecordType::Decision, &body);
    }

    fn windows(&self, s: i64) -> Vec<(i64, i64)> {
        let windows = windows(&self.decisions, WINDOW, at(s));
        let base = at(0).as_second();
        windows
            .iter()
            .map(|w| (w.since.as_second() - base, w.until.as_second() - base))
            .collect()
    }

    fn reopened(&self) -> bool {
        reopened(&self.decisions, &AlertId::new("s/1")).is_some()
    }
}

#[test]
fn a_window_begins_with_the_last_proof_and_ends_by_the_clock() {
    let mut log = Log::default();
    log.act(0, Verb::PreserveEvidence, false, Some("agrees"));
    assert!(log.windows(1).is_empty(), "evidence contains nothing");
    log.act(10, Verb::RevokeSessions, false, None);
    assert!(log.windows(11).is_empty(), "an answer is no proof");
    log.act(20, Verb::RevokeSessions, false, Some("agrees"));
    log.act(25, Verb::DisableCredential, false, Some("disagrees"));
    assert_eq!(log.windows(30), [(20, 1_820)]);
    assert_eq!(log.windows(1_819), [(20, 1_820)]);
    assert!(log.windows(1_820).is_empty());
    assert!(windows(&log.decisions, 0, at(30)).is_empty(), "turned off");
}

#[test]
fn one_use_opens_it_once_and_a_new_containment_is_watched_anew() {
    let mut log = Log::default();
    log.act(0, Verb::RevokeSessions, false, Some("agrees"));
    assert!(!log.reopened());
    log.decide(60, DecisionKind::Reopen);
    assert!(log.reopened() && log.windows(61).is_empty());
    log.decide(70, DecisionKind::Claim);
    assert!(log.reopened(), "taking it proves nothing");
    log.act(90, Verb::DisableIdentity, false, Some("agrees"));
    assert!(!log.reopened());
    assert_eq!(log.windows(91), [(90, 1_890)]);
    log.decide(100, DecisionKind::Reopen);
    log.decide(110, DecisionKind::Dismiss);
    assert!(!log.reopened());
}

#[test]
fn a_closed_alert_is_watched_and_one_that_was_no_case_or_was_taken_back_is_not() {
    let mut log = Log::default();
    log.act(0, Verb::RevokeSessions, false, Some("agrees"));
    log.decide(5, DecisionKind::CloseContained);
    assert_eq!(log.windows(6), [(0, 1_800)]);
    log.act(10, Verb::RevokeSessions, true, Some("agrees"));
    assert!(log.windows(11).is_empty(), "given back on purpose");
    log.act(20, Verb::RevokeSessions, false, Some("agrees"));
    log.decide(30, DecisionKind::Dismiss);
    assert!(log.windows(31).is_empty());
}

fn watched(rotated: bool) -> Watched {
    Watched {
        alert: AlertId::new("s/1"),
        identity: IdentityId::new("p:a"),
        since: at(100),
        until: at(1_900),
        rotated,
    }
}

fn alert(pattern: ActionPattern, time: Option<i64>, observed: i64) -> Alert {
    serde_json::from_value(json!({
        "id": "s/2", "source": "s", "format": "f", "time": time.map(at), "observed": at(observed), "exposed_at": null,
        "title": "t", "severity": null, "severity_raw": null, "confidence": null, "pattern": pattern, "subject": null,
        "resource": null, "action": null, "evidence_url": null, "techniques": [], "raw_sha256": "",
    }))
    .unwrap()
}

#[rstest]
#[case::after(ActionPattern::SecretRead, Some(150), 150, true)]
#[case::told_late_of_before(ActionPattern::SecretRead, Some(90), 150, false)]
#[case::same_second(ActionPattern::SecretRead, Some(100), 150, false)]
#[case::at_the_end(ActionPattern::SecretRead, Some(1_900), 9_000, true)]
#[case::too_late(ActionPattern::SecretRead, Some(1_901), 1_901, false)]
#[case::no_time(ActionPattern::TokenReplay, None, 200, true)]
#[case::our_own_doing(ActionPattern::SessionRevokedSignal, Some(150), 150, false)]
#[case::stands_somewhere(ActionPattern::CredentialExposed, Some(150), 150, false)]
fn an_alert_about_something_done_in_the_window_is_a_use(
    #[case] pattern: ActionPattern,
    #[case] time: Option<i64>,
    #[case] observed: i64,
    #[case] used: bool,
) {
    let found = watched(false).by_alert(&alert(pattern, time, observed));
    assert_eq!(found.is_some(), used, "{found:?}");
}

#[test]
fn a_secret_that_the_console_made_is_no_use() {
    let added = alert(ActionPattern::CredentialCreatedOrAdded, Some(150), 150);
    assert!(watched(false).by_alert(&added).is_some());
    assert!(watched(true).by_alert(&added).is_none());
}

#[rstest]
#[case::new_session(Some(150), None, None, true)]
#[case::old_session_used(Some(50), Some(150), None, true)]
#[case::old_session_idle(Some(50), Some(99), None, false)]
#[case::key_used(None, None, Some(150), true)]
#[case::key_used_before(None, None, Some(100), false)]
#[case::nobody_says(None, None, None, false)]
fn a_provider_that_shows_something_newer_than_the_proof_tells_of_a_use(
    #[case] started: Option<i64>,
    #[case] seen: Option<i64>,
    #[case] key: Option<i64>,
    #[case] used: bool,
) {
    let context = LiveContext {
        sessions: vec![Session {
            id: "s\u{1b}[2J".into(),
            kind: "session".into(),
            started: started.map(at),
            last_seen: seen.map(at),
            expires: None,
            origin: None,
        }],
        credentials: vec![Credential {
            id: "k".into(),
            last_used: key.map(at),
            ..Credential::default()
        }],
        ..LiveContext::default()
    };
    let found = watched(false).by_provider(&context);
    assert_eq!(found.is_some(), used, "{found:?}");
    if let Some(found) = found {
        let said = reason(&watched(false), &found);
        assert!(
            said.contains("after it was contained") && !said.contains('\u{1b}'),
            "{said}"
        );
    }
}
