//! The board: plans that wait for others, what is temporary, the gates on the way back, a campaign.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use stanch::app::msg::Msg;
use stanch::domain::authority::{Analyst, Authority, Quorum, Role, Roster};
use stanch::domain::campaign;
use stanch::domain::decision::{Entry, RecordType};
use stanch::domain::ids::{AlertId, IdentityId};
use stanch::domain::plan::{Plan, Undo};
use stanch::domain::vocabulary::{Tier, Verb};

use super::records::entry;
use super::{World, now, plan, step};

const ANA: &str = "soc.example/jump-1/ana";
const BEN: &str = "soc.example/jump-1/ben";

fn signed(log: &str, seq: u64, minutes: i64, kind: RecordType, body: Value) -> Entry {
    Entry {
        signer: Some(format!("key of {log}").into()),
        ..entry(log, seq, minutes, kind, body)
    }
}

fn decision(log: &str, seq: u64, minutes: i64, body: Value) -> Entry {
    signed(log, seq, minutes, RecordType::Decision, body)
}

fn house() -> Authority {
    let person = |name: &str, role, log: &str| Analyst {
        name: name.into(),
        role,
        teams: vec!["soc".into()],
        keys: [format!("key of {log}")].into(),
        uids: std::collections::BTreeSet::new(),
        accounts: Vec::new(),
        powers: Vec::new(),
    };
    Authority {
        roster: Roster {
            analysts: vec![
                person("Ana", Role::Analyst, ANA),
                person("Ben", Role::Approver, BEN),
            ],
        },
        hard: Quorum {
            count: 1,
            ..Quorum::default()
        },
        wait_s: 300,
        ..Authority::default()
    }
}

/// A plan that turns the deploy account off, and can be taken back.
fn lock() -> Plan {
    let off = stanch::domain::plan::PlanStep {
        verb: Verb::DisableIdentity,
        undo: Undo::Requests {
            requests: Vec::new(),
            verify: None,
        },
        breaks: "every deployment of the shop".into(),
        ..step(
            "1",
            Verb::DisableIdentity,
            "Turn the account off",
            Tier::Hard,
            "/admin/off",
        )
    };
    Plan {
        steps: vec![off],
        residual: Vec::new(),
        ..plan(Tier::Hard)
    }
}

fn contained(hours: i64) -> Vec<Entry> {
    let plan = lock();
    let digest = plan.digest();
    let minutes = hours * 60;
    let intent = json!({
        "intent": "i-1", "digest": digest.as_str(), "step": "1", "verb": "disable_identity", "identity": "lab:svc-deploy",
        "alert": "drill/f1", "undo": false, "process": {"pid": 7, "start": 1, "boot": "b"},
    });
    let outcome = json!({"intent": "i-1", "outcome": "accepted", "attempts": 1});
    let proven = json!({"intent": "i-1", "proof": "agrees", "says": "it is off", "tries": 1});
    let record = json!({"digest": digest.as_str(), "plan": plan.to_value()});
    vec![
        signed(ANA, 2, minutes, RecordType::Plan, record),
        signed(ANA, 3, minutes, RecordType::Intent, intent),
        signed(ANA, 4, minutes, RecordType::Outcome, outcome),
        signed(ANA, 5, minutes, RecordType::Verify, proven),
    ]
}

fn hold(agreed: bool) -> Vec<Entry> {
    let until = now() + SignedDuration::from_hours(2);
    let body = json!({"kind": "hold", "alert": "drill/f2", "reason": "the month is being closed", "hold": "h-4b1d", "until": until,
        "ending": "page", "identity": "lab:svc-ci"});
    let mut entries = vec![decision(ANA, 6, 90, body)];
    if agreed {
        let body =
            json!({"kind": "agree_hold", "alert": "drill/f2", "reason": null, "hold": "h-4b1d"});
        entries.push(decision(BEN, 2, 80, body));
    }
    entries
}

fn gate(log: &str, seq: u64, gate: &str, reason: &str) -> Entry {
    let body = json!({"kind": "gate", "alert": "drill/f1", "reason": reason, "identity": "lab:svc-deploy", "gate": gate});
    decision(log, seq, 30, body)
}

impl World {
    pub(super) fn standing(&mut self, screen: &str) {
        self.model.authority = Some(Arc::new(house()));
        self.model.own = Some(format!("key of {BEN}").into());
        match screen {
            "board_inbox" => {
                let plan = lock();
                let digest = plan.digest();
                let record = json!({"digest": digest.as_str(), "plan": plan.to_value()});
                let ask = json!({"kind": "ask", "alert": "drill/f1", "reason": null, "plan": digest.as_str(), "needs": {"count": 1}});
                self.send(Msg::Journal(vec![
                    signed(ANA, 2, 1, RecordType::Plan, record),
                    decision(ANA, 3, 1, ask),
                ]));
                self.press("A");
            }
            "board_refuse" => {
                self.standing("board_inbox");
                self.press("n");
                self.type_text("the shop's sale ends at six");
            }
            "board_debts" | "board_agreed" => {
                self.send(Msg::Journal(contained(30)));
                self.send(Msg::Journal(hold(screen == "board_agreed")));
                self.press("B");
            }
            "board_gates" | "board_vouch" | "board_lift" | "board_again" => {
                self.send(Msg::Journal(contained(30)));
                let said = [
                    (
                        "cause",
                        "leaked in a build log; the job prints no variables now",
                    ),
                    ("credentials", "both deploy keys were replaced"),
                    ("siblings", "svc-ci shares the store; nothing there"),
                ];
                let vouched = said.iter().zip(7..);
                let vouched = vouched.map(|((name, why), seq)| gate(ANA, seq, name, why));
                self.send(Msg::Journal(vouched.collect()));
                if screen != "board_gates" && screen != "board_vouch" {
                    self.send(Msg::Journal(vec![
                        gate(ANA, 10, "recovery", "the reset address is ours"),
                        gate(ANA, 11, "linked", "no consent is left"),
                        gate(BEN, 3, "second_person", "read all of it"),
                    ]));
                }
                if screen == "board_again" {
                    let until = now() + SignedDuration::from_hours(47);
                    let restore = json!({"kind": "restore", "alert": "drill/f1", "reason": "clean", "identity": "lab:svc-deploy", "until": until});
                    let again = json!({"kind": "recontain", "alert": "drill/f1", "identity": "lab:svc-deploy",
                        "reason": "token replay, 12 min after it was trusted again"});
                    self.send(Msg::Journal(vec![
                        decision(ANA, 12, 20, restore),
                        decision(ANA, 13, 8, again),
                    ]));
                    self.press("B");
                    return;
                }
                self.press("T");
                match screen {
                    "board_vouch" => {
                        self.press("y");
                        self.type_text("the reset address is ours");
                    }
                    "board_lift" => {
                        self.press("x");
                        self.type_text("lab:svc-deploy");
                    }
                    _ => {}
                }
            }
            "board_campaign" | "board_untrusted" => {
                let whom = ["lab:svc-deploy", "lab:svc-ci", "lab:svc-billing"];
                let whom = whom.map(|id| (IdentityId::new(id), AlertId::new("drill/f1")));
                let begun = now() - SignedDuration::from_hours(31);
                let records = campaign::begin(
                    whom,
                    "Acme, who builds for us, was breached",
                    Some("vendor:acme"),
                    Some("leaked-credential"),
                    begun,
                );
                let name = records[0].campaign.clone().unwrap();
                let records = records.iter().zip(20..).map(|(decision, seq)| {
                    let body = serde_json::to_value(decision).unwrap();
                    self::decision(ANA, seq, 31 * 60, body)
                });
                self.send(Msg::Journal(records.collect()));
                self.send(Msg::Journal(contained(30)));
                let unused = json!({"kind": "campaign_unused", "alert": "drill/f1", "identity": "lab:svc-ci", "campaign": name,
                    "reason": "its team says so; not proven: 1 of its 2 credentials can be used", "found": "unknown"});
                self.send(Msg::Journal(vec![decision(ANA, 30, 12, unused)]));
                self.press(if screen == "board_campaign" { "K" } else { "M" });
            }
            _ => {
                self.press("space");
                self.press("K");
                self.type_text("leaked-credential Acme was breached");
            }
        }
    }
}
