//! A decision log of two people, as the console reads it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stanch::app::keys::Key;
use stanch::app::msg::{Effect, Msg};
use stanch::app::timeline::{Found, Stored, Verdict};
use stanch::domain::decision::{Entry, Outcome, RecordType};
use stanch::domain::vocabulary::Tier;

use super::evil::spice;
use super::{World, now, plan};

const ANA: &str = "soc.example/jump-1/ana";
const BEN: &str = "soc.example/jump-2/ben";

/// Makes a record; `who` is the last part of its log.
pub fn entry(log: &str, seq: u64, minutes: i64, kind: RecordType, body: Value) -> Entry {
    let Value::Object(body) = body else {
        panic!("a body is an object")
    };
    Entry {
        log: log.into(),
        seq,
        kind,
        ts: at(minutes),
        actor: log.rsplit('/').next().unwrap().into(),
        signer: None,
        body,
    }
}

fn at(minutes: i64) -> Timestamp {
    now()
        .checked_sub(SignedDuration::from_mins(minutes))
        .unwrap()
}

fn intent(id: &str, step: &str, verb: &str, digest: &str) -> Value {
    json!({
        "intent": id, "digest": digest, "step": step, "verb": verb, "identity": "lab:svc-deploy",
        "alert": "drill/f1", "undo": false, "process": {"pid": 7, "start": 1, "boot": "b"},
    })
}

fn outcome(id: &str, word: &str, status: Option<u16>, error: Option<&str>) -> Value {
    json!({
        "intent": id, "outcome": word, "http_status": status, "provider_request_id": "req-7",
        "attempts": 1, "error": error.map(spice), "body_sha256": null,
    })
}

/// Two people, one plan, one step proven and one unknown.
pub fn records() -> Vec<Entry> {
    use RecordType as T;
    let plan = plan(Tier::Soft);
    let digest = plan.digest();
    let digest = digest.as_str();
    let mut kept = outcome("i-1", "accepted", None, None);
    kept["evidence"] = json!([
        {"name": "sessions", "sha256": "5e".repeat(32), "size": 1834, "source": "lab GET /admin/clients/c-1/sessions"},
        {"name": "client", "sha256": "c1".repeat(32), "size": 702, "source": "lab GET /admin/clients/c-1"},
    ]);
    vec![
        entry(ANA, 1, 60 * 26, T::Genesis, json!({"origin": ANA})),
        entry(BEN, 1, 50, T::Genesis, json!({"origin": BEN})),
        entry(
            BEN,
            2,
            40,
            T::Decision,
            json!({"kind": "note", "alert": "drill/f3", "reason": spice("vendor says the key is theirs")}),
        ),
        entry(
            ANA,
            2,
            12,
            T::Decision,
            json!({"kind": "claim", "alert": "drill/f1", "reason": null}),
        ),
        entry(
            ANA,
            3,
            10,
            T::Plan,
            json!({"digest": digest, "plan": plan.to_value()}),
        ),
        entry(
            BEN,
            3,
            9,
            T::Approval,
            json!({"digest": digest, "approved": true, "by": null, "reason": spice("read it")}),
        ),
        entry(
            ANA,
            4,
            8,
            T::Intent,
            intent("i-1", "1", "preserve_evidence", digest),
        ),
        entry(ANA, 5, 8, T::Outcome, kept),
        entry(
            ANA,
            6,
            7,
            T::Intent,
            intent("i-2", "2", "revoke_tokens", digest),
        ),
        entry(
            ANA,
            7,
            7,
            T::Outcome,
            outcome("i-2", "accepted", Some(204), None),
        ),
        entry(
            ANA,
            8,
            6,
            T::Verify,
            json!({"intent": "i-2", "proof": "agrees", "says": spice("the client has no live session"), "tries": 2,
                   "evidence_sha256": "ab".repeat(32)}),
        ),
        entry(
            ANA,
            9,
            5,
            T::Intent,
            intent("i-3", "3", "revoke_sessions", digest),
        ),
        entry(
            ANA,
            10,
            4,
            T::Outcome,
            outcome(
                "i-3",
                "unknown",
                None,
                Some("timed out after the request was sent"),
            ),
        ),
    ]
}

/// A record as the runtime finds it; of evidence, the first file is as recorded and the others are gone.
pub fn found_of(entry: &Entry) -> Box<Found> {
    let stored = entry.body_as::<Outcome>().map(|o| o.evidence);
    let states = [Stored::Matches]
        .into_iter()
        .chain(std::iter::repeat(Stored::Missing));
    Box::new(Found {
        entry: entry.clone(),
        evidence: stored.unwrap_or_default().into_iter().zip(states).collect(),
    })
}

/// What verifying comes to.
pub fn verdict(intact: bool) -> Verdict {
    Verdict {
        at: at(2),
        intact,
        lines: 29,
        heads: vec![(ANA.into(), 20), (BEN.into(), 9)],
        warnings: 0,
        finding: (!intact).then(|| {
            format!("{ANA}: record 6 at byte 2210 of 00000000000000000000.jsonl: chain broken")
        }),
        seq: (!intact).then_some(6),
    }
}

impl World {
    pub(super) fn log(&mut self, screen: &str) {
        self.send(Msg::Journal(records()));
        self.send(Msg::LogRead);
        if screen == "log_only" {
            self.model.selected = None;
            self.model.drill = None;
            self.model.read_only = true;
            self.model.log_only = Some("/var/lib/soc/journal".into());
            self.send(Msg::OpenLog);
            return;
        }
        self.press("L");
        if screen != "log_filtered" {
            self.press("esc");
        }
        if screen == "log_typing" {
            self.press("/ B E N k");
            self.press("backspace");
        }
        self.send(Msg::Verified(verdict(screen != "log_broken")));
        self.clear_toast();
    }

    fn clear_toast(&mut self) {
        self.model.toast_until = None;
    }

    pub(super) fn log_record(&mut self, screen: &str) {
        self.log("log");
        let wanted = if screen == "log_plan" { 3 } else { 5 };
        self.press("g");
        let find = |w: &Self| {
            w.model
                .timeline
                .current()
                .map(|r| (r.log.to_owned(), r.seq))
        };
        while find(self) != Some((ANA.to_owned(), wanted)) {
            self.press("j");
        }
        self.open_record();
    }

    /// Presses Enter and answers as the runtime would.
    pub fn open_record(&mut self) {
        let effects = self.send(Msg::Key(Key::parse("enter").unwrap()));
        self.answer_records(&effects, &records());
    }

    fn answer_records(&mut self, effects: &[Effect], from: &[Entry]) {
        for effect in effects {
            if let Effect::ReadRecord { log, seq } = effect {
                let found = from.iter().find(|e| e.log == *log && e.seq == *seq);
                self.send(Msg::Record {
                    log: log.clone(),
                    seq: *seq,
                    result: found.map(found_of).ok_or_else(|| "gone".into()),
                });
            }
        }
    }

    pub(super) fn hostile_log(&mut self, screen: &str) {
        let evil = spice("\u{1b}]0;pwned\u{7}\u{202e}gpj\u{200b}\u{9b}31m\r\nrow\u{2066}");
        let evil = evil.as_str();
        let mut records = vec![
            entry(
                &format!("site/host/{evil}"),
                1,
                3,
                RecordType::Decision,
                json!({"kind": "note", "alert": format!("drill/{evil}"), "reason": evil, evil: {evil: [evil]}}),
            ),
            entry(
                ANA,
                2,
                2,
                RecordType::Intent,
                intent(evil, evil, "revoke_tokens", evil),
            ),
            entry(
                ANA,
                3,
                1,
                RecordType::Outcome,
                outcome(evil, "unknown", None, Some(evil)),
            ),
            entry(ANA, 4, 1, RecordType::Anomaly, json!({evil: evil})),
        ];
        records[2].actor = evil.into();
        self.send(Msg::Journal(records.clone()));
        self.send(Msg::LogRead);
        self.press("L esc g");
        let mut broken = verdict(false);
        broken.finding = Some(stanch::domain::text::show(evil).into_owned());
        self.send(Msg::Verified(broken));
        if screen == "log_hostile_record" {
            let effects = self.send(Msg::Key(Key::parse("enter").unwrap()));
            self.answer_records(&effects, &records);
        } else {
            self.send(Msg::Key(Key::char('/')));
            self.send(Msg::Paste(evil.to_owned()));
        }
    }
}
