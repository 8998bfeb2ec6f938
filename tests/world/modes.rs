//! What runs by itself, in known states.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use stanch::app::msg::Msg;
use stanch::domain::decision::{Decision, DecisionKind, Entry, RecordType};
use stanch::domain::ids::{AlertId, IdentityId, PlanDigest};
use stanch::domain::policy::Source;
use stanch::domain::policy::lint::load;
use stanch::runtime::services::{SHIPPED, SHIPPED_POLICY};

use super::{World, now};

const MODES: &str = r#"
[automation]
per_hour = 2
[[mode]]
playbook = "cut-live-access"
mode = "auto"
[[mode]]
playbook = "leaked-credential"
mode = "shadow"
[[mode]]
playbook = "isolate-identity"
mode = "auto"
[[mode]]
playbook = "look-closerr"
mode = "shadow"
"#;

fn entry(seq: u64, at: Timestamp, decision: Decision) -> Entry {
    let body = serde_json::to_value(decision).unwrap();
    Entry {
        signer: None,
        log: "local/jump1/alice".into(),
        seq,
        kind: RecordType::Decision,
        ts: at,
        actor: "alice@jump1".into(),
        body: body.as_object().unwrap().clone(),
    }
}

impl World {
    /// Arms modes, and shows what came of them.
    pub fn modes(&mut self, screen: &str) {
        let broken = if screen == "policy_refused" {
            "\n[[gate]]\nid = 'g'\nwhen = 'no.such'\nask = true\nwhy = 'w'\n"
        } else {
            ""
        };
        let text = format!("{SHIPPED_POLICY}{MODES}{broken}");
        let policy = Source {
            name: "policy.toml",
            text: &text,
        };
        if screen != "policy" {
            let loaded = load(policy, &SHIPPED[1..], None);
            self.model.policy = Arc::new(loaded.policy);
            self.model.playbooks = loaded.playbooks.into();
        }
        self.model.automation.on_duty = true;
        self.send(Msg::LogRead);
        let alert = self.model.selected.clone().unwrap();
        match screen {
            "alone_counts" => self.said(&alert, &[DecisionKind::AutoBegun]),
            "alone_read_only" => {
                self.model.read_only = true;
                self.said(&alert, &[DecisionKind::AutoBegun]);
            }
            "alone_vetoed" => {
                self.said(&alert, &[DecisionKind::AutoBegun, DecisionKind::AutoVetoed]);
            }
            "alone_waits" => self.said(&alert, &[DecisionKind::AutoWaits]),
            "alone_braked" => self.said(&alert, &[DecisionKind::AutoBraked]),
            _ => {
                let others = ["drill/x1", "drill/x2", "drill/x3"].map(AlertId::new);
                if screen != "policy" {
                    self.said(
                        &others[0],
                        &[DecisionKind::AutoBegun, DecisionKind::AutoRun],
                    );
                    self.said(
                        &others[1],
                        &[DecisionKind::AutoBegun, DecisionKind::AutoVetoed],
                    );
                    self.said(&others[2], &[DecisionKind::AutoBraked]);
                }
                self.press("P");
                if screen == "policy_read" {
                    self.press("j j tab j");
                }
            }
        }
        // What was said on the way is not what these are about.
        self.model.toast_until = None;
    }

    fn said(&mut self, alert: &AlertId, kinds: &[DecisionKind]) {
        for (n, kind) in kinds.iter().enumerate() {
            let seconds = |s| SignedDuration::from_secs(s);
            let reason = match kind {
                DecisionKind::AutoBegun => {
                    Some("Cut live access: end its sessions and tokens; soft (score 55)")
                }
                DecisionKind::AutoWaits => Some(
                    "it is business-critical. Stopping it: 2 on the map break, a day of parcels. Going on: whoever holds it reaches 10 and keeps sessions, credentials, permissions",
                ),
                DecisionKind::AutoBraked => Some(
                    "2 ran by themselves within the last hour and 0 count down; at most 2 an hour",
                ),
                _ => None,
            };
            let decision = Decision {
                plan: Some(PlanDigest::new("ab".repeat(32))),
                until: (*kind == DecisionKind::AutoBegun)
                    .then(|| now().checked_add(seconds(24)).unwrap()),
                identity: Some(IdentityId::new("lab:svc-deploy")),
                playbook: Some("cut-live-access".into()),
                ..Decision::on(alert.clone(), *kind, reason.map(str::to_owned))
            };
            let at = now().checked_sub(seconds(600 - 60 * n as i64)).unwrap();
            let entry = entry(n as u64, at, decision);
            self.send(Msg::Journal(vec![entry]));
        }
    }
}
