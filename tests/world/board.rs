//! Plans that wait for somebody, and what is temporary.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use stanch::app::msg::Msg;
use stanch::domain::authority::{Analyst, Authority, Quorum, Role, Roster};
use stanch::domain::decision::{Entry, RecordType};
use stanch::domain::vocabulary::Tier;

use super::evil::spice;
use super::records::entry;
use super::{World, now, plan};

const ADA: &str = "soc.example/jump-1/ada";
const MIRA: &str = "soc.example/jump-1/mira";

fn person(name: &str, role: Role, key: &str) -> Analyst {
    Analyst {
        name: spice(name),
        role,
        teams: Vec::new(),
        keys: [key.to_owned()].into(),
        uids: std::collections::BTreeSet::default(),
        accounts: Vec::new(),
        powers: Vec::new(),
    }
}

fn by(log: &str, seq: u64, minutes: i64, kind: RecordType, body: Value) -> Entry {
    Entry {
        signer: Some(log.into()),
        actor: spice(log.rsplit('/').next().unwrap()),
        ..entry(log, seq, minutes, kind, body)
    }
}

impl World {
    /// Shows the inbox or the board: Ada asks Mira, who sits here, and somebody holds a containment back.
    pub(super) fn board(&mut self, screen: &str) {
        let people = vec![
            person("ada", Role::Analyst, ADA),
            person("mira", Role::Approver, MIRA),
        ];
        let one = Quorum {
            count: 1,
            ..Quorum::default()
        };
        self.model.own = Some(MIRA.into());
        self.model.authority = Some(Arc::new(Authority {
            roster: Roster { analysts: people },
            soft: one.clone(),
            hard: one,
            wait_s: 600,
            ..Authority::default()
        }));
        let plan = plan(Tier::Soft);
        let digest = plan.digest();
        let digest = digest.as_str();
        let until = now().checked_add(SignedDuration::from_mins(25)).unwrap();
        self.send(Msg::Journal(vec![
            by(
                ADA,
                2,
                3,
                RecordType::Plan,
                json!({"digest": digest, "plan": plan.to_value()}),
            ),
            by(
                ADA,
                3,
                2,
                RecordType::Decision,
                json!({"kind": "ask", "alert": "drill/f1", "plan": digest, "reason": spice("the key is on a paste site")}),
            ),
            by(
                ADA,
                4,
                1,
                RecordType::Decision,
                json!({"kind": "hold", "alert": "drill/f3", "hold": "h-1", "until": until, "ending": "page",
                       "identity": "lab:vendor-shipfast", "reason": spice("the quarter closes at noon")}),
            ),
        ]));
        let keys = match screen {
            "inbox" => "A",
            "debts" => "B",
            "judging" => "A enter",
            "refuse" => "A n n o t",
            other => panic!("no board `{other}`"),
        };
        self.press(keys);
        self.model.toast_until = None;
    }
}
