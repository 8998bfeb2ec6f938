//! A containment of which one layer is proven, one runs out, one nobody knows.

use serde_json::{Value, json};
use stanch::app::msg::Msg;
use stanch::domain::decision::{Entry, RecordType};
use stanch::domain::plan::{Plan, PlanStep, Residual};
use stanch::domain::vocabulary::{Layer, Tier, Verb};

use super::evil::spice;
use super::records::entry;
use super::{World, plan, step};

const ANA: &str = "soc.example/jump-1/ana";

fn acting() -> Plan {
    let on = |id: &str, verb, title: &str, layer| PlanStep {
        layer,
        ..step(id, verb, title, Tier::Soft, "/admin/x")
    };
    let left = |layer, text: &str, at_most_s| Residual {
        layer,
        text: spice(text),
        at_most_s,
    };
    Plan {
        steps: vec![
            on(
                "1",
                Verb::DisableCredential,
                "Disable the deploy keys",
                Layer::Credentials,
            ),
            on(
                "2",
                Verb::RevokeSessions,
                "End all sessions",
                Layer::Sessions,
            ),
        ],
        residual: vec![
            left(
                Layer::Tokens,
                "access tokens that services check offline",
                Some(45 * 60),
            ),
            left(Layer::Permissions, "not touched by this plan", None),
        ],
        ..plan(Tier::Soft)
    }
}

/// The records of it, ended so many minutes ago.
pub fn records(minutes: i64) -> Vec<Entry> {
    use RecordType as T;
    let plan = acting();
    let digest = plan.digest();
    let intent = |id: &str, step: &str, verb: &str| {
        json!({
            "intent": id, "digest": digest.as_str(), "step": step, "verb": verb, "identity": "lab:svc-deploy",
            "alert": "drill/f1", "undo": false, "process": {"pid": 7, "start": 1, "boot": "b"},
        })
    };
    let outcome = |id: &str, word: &str, error: Option<&str>| json!({"intent": id, "outcome": word, "http_status": null, "attempts": 1, "error": error.map(spice)});
    let proven = json!({"intent": "i-1", "proof": "agrees", "says": spice("no credential of the client is enabled"), "tries": 1});
    let at = |seq: u64, kind, body: Value| entry(ANA, seq, minutes, kind, body);
    vec![
        at(
            2,
            T::Plan,
            json!({"digest": digest.as_str(), "plan": plan.to_value()}),
        ),
        at(3, T::Intent, intent("i-1", "1", "disable_credential")),
        at(4, T::Outcome, outcome("i-1", "accepted", None)),
        at(5, T::Verify, proven),
        at(6, T::Intent, intent("i-2", "2", "revoke_sessions")),
        at(
            7,
            T::Outcome,
            outcome(
                "i-2",
                "unknown",
                Some("timed out after the request was sent"),
            ),
        ),
    ]
}

/// That an analyst took on a cell, or found it to be so.
pub fn decided(seq: u64, kind: &str, layer: &str, found: Option<&str>) -> Entry {
    let mut body = json!({
        "kind": kind, "alert": "drill/f1", "reason": spice("the window is short and the owner agrees"),
        "cell": {"node": "lab:svc-deploy", "layer": layer},
    });
    if let Some(found) = found {
        body["found"] = found.into();
    }
    entry(ANA, seq, 1, RecordType::Decision, body)
}

impl World {
    pub(super) fn coverage(&mut self, screen: &str) {
        self.send(Msg::Journal(records(3)));
        if screen == "coverage_reopened" {
            self.send(Msg::Journal(vec![reopen(8)]));
        }
        if screen == "coverage_risk" {
            let risks = vec![
                decided(8, "accept_risk", "sessions", None),
                decided(9, "accept_risk", "permissions", None),
            ];
            self.send(Msg::Journal(risks));
        }
        if screen == "coverage_queue" {
            return;
        }
        self.press("C");
        if screen == "coverage_reason" {
            self.press("A");
            self.type_text("owner agrees");
        }
    }
}

/// That the identity was used in spite of all.
pub fn reopen(seq: u64) -> Entry {
    let why = "used at 03:13:10Z after it was contained at 03:11:00Z: the provider says that access_token s-9 was used";
    let body = json!({"kind": "reopen", "alert": "drill/f1", "reason": why});
    entry(ANA, seq, 0, RecordType::Decision, body)
}
