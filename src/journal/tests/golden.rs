//! Logs that are checked in, one for each feature: made again here byte by byte, so that the format cannot drift unseen.
//!
//! `STANCH_GOLDEN=write cargo test golden` writes them anew. `tests/log/golden.rs` verifies them in three ways.

use std::collections::BTreeMap;

use super::*;
use crate::domain::coverage::{Proof, WireOutcome};
use crate::domain::decision::{
    self, Attempt, Decision, DecisionKind, ErrorClass, Evidence, Intent, Outcome, Process, Verify,
};
use crate::domain::ids::{AlertId, IdentityId, IntentId, PlanDigest, StepId};
use crate::domain::plan::{canonical, sha256_hex};
use crate::domain::vocabulary::Verb;
use crate::journal::{Prune, cosign, keys};

/// Keys that are in no use anywhere: anybody can read them here.
fn place() -> Place {
    let place = Place::new();
    for (dir, seed) in [("keys", 1), ("keys-bob", 2)] {
        keys::fixed(&place.dir.path().join(dir), "jump1", seed);
    }
    // The one that takes over.
    keys::fixed(&place.dir.path().join("keys"), "jump1.next", 3);
    place
}

fn open(place: &Place) -> Writer {
    let config = JournalConfig {
        person: Some("Alice Example".into()),
        policy: Some("ab".repeat(32)),
        ..place.config()
    };
    let opened = Writer::open_as(config, actor("alice"), Arc::new(Still), now());
    opened.unwrap().0
}

fn plain() -> Place {
    let place = place();
    let mut writer = open(&place);
    write(&mut writer, &["one", "caf\u{e9} \u{202e}\u{9b}"]);
    write(&mut writer, &["two"]);
    writer
        .begin_segment(now(), &json!({"reason": "size"}))
        .unwrap();
    write(&mut writer, &["three"]);
    place
}

fn rotated_key() -> Place {
    let place = place();
    let mut writer = open(&place);
    write(&mut writer, &["one"]);
    writer.rotate_key(now(), "every year").unwrap();
    write(&mut writer, &["two"]);
    place
}

/// A write that was cut short.
fn recovered() -> Place {
    let place = place();
    write(&mut open(&place), &["one"]);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    bytes.extend_from_slice(br#"{"v":1,"seq":4,"prev":"#);
    put(&place.segment(), &bytes);
    write(&mut open(&place), &["two"]);
    place
}

/// An acknowledged record was changed; somebody read about it.
fn damaged() -> Place {
    let place = place();
    let mut writer = open(&place);
    write(&mut writer, &["one"]);
    write(&mut writer, &["two"]);
    drop(writer);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    let at = bytes.windows(5).rposition(|w| w == b"\"two\"").unwrap();
    bytes[at + 1] = b'T';
    put(&place.segment(), &bytes);
    let mut writer = open(&place);
    writer.acknowledge(now(), "read and reported").unwrap();
    write(&mut writer, &["three"]);
    place
}

fn pruned() -> Place {
    let place = place();
    let mut writer = open(&place);
    write(&mut writer, &["to be taken out", "to stay"]);
    let what = Prune {
        records: [2].into(),
        ..Prune::default()
    };
    writer.prune(now(), &what, "asked for", false).unwrap();
    write(&mut writer, &["later"]);
    place
}

fn peer_heads() -> Place {
    let place = place();
    write(&mut open(&place), &["one"]);
    let mut bob = place.open_user("bob");
    write(&mut bob, &["two"]);
    open(&place).peer_heads(now()).unwrap();
    place
}

/// A head that a witness signed too.
fn cosigned() -> Place {
    let place = place();
    let mut writer = open(&place);
    write(&mut writer, &["one"]);
    let note = writer.take_unanchored().pop().unwrap();
    let (_, line) = cosign(7, "w1.example", &note.note, 1_795_248_900);
    let signed = format!("{}{line}", note.note);
    writer
        .anchored("witness", note.size, Some(&signed), now())
        .unwrap();
    write(&mut writer, &["two"]);
    place
}

/// The key was lost; a colleague vouches for the log as it goes on.
fn countersigned() -> Place {
    let place = place();
    write(&mut open(&place), &["one"]);
    std::fs::rename(
        place.dir.path().join("keys/jump1.next.pem"),
        place.dir.path().join("keys/jump1.pem"),
    )
    .unwrap();
    let adopted = Writer::open_or_adopt(
        place.config(),
        actor("alice"),
        Arc::new(Still),
        now(),
        Some("the laptop was lost"),
    );
    write(&mut adopted.unwrap().0, &["two"]);
    let mut bob = place.open_user("bob");
    bob.countersign(now(), "soc.example/jump1/alice", "she called", None)
        .unwrap();
    place
}

/// An approved plan whose act nobody can vouch for: its console died.
fn unknown_act() -> Place {
    let place = place();
    let mut writer = open(&place);
    let plan = json!({
        "v": 1, "alert": "siem/1", "incident": "INC-42", "identity": "sso:svc-deploy", "identity_name": "svc-deploy",
        "params": {}, "environment": "production", "playbook": "stop-it", "playbook_sha256": "0".repeat(64),
        "tier": "soft", "created": now(), "expires": "2026-11-21T08:30:00Z", "nonce": "n", "drill": false,
        "steps": [], "skipped": [], "impact": {"breaks": [], "reaches": [], "truncated": false}, "residual": [],
        "preconditions": [],
    });
    let digest = sha256_hex(&canonical(&plan));
    let plan = json!({"digest": digest, "plan": plan});
    let at = writer
        .append(now(), &[(RecordType::Plan, plan)])
        .unwrap()
        .remove(0);
    let approval = json!({"digest": digest, "approved": true, "by": "bob", "reason": "go"});
    writer
        .append(now(), &[(RecordType::Approval, approval)])
        .unwrap();
    let intent = Intent {
        digest: PlanDigest::new(digest),
        plan: Some(decision::Place {
            log: "soc.example/jump1/alice".into(),
            seq: at.seq,
        }),
        ..an_intent(&IntentId::new("i-1"), &AlertId::new("siem/1"))
    };
    writer
        .append(now(), &[(RecordType::Intent, value(&intent))])
        .unwrap();
    place
}

/// Every record that is not the journal's own, with every field.
fn every_record() -> Place {
    let place = place();
    let mut writer = open(&place);
    let (intent, alert) = (IntentId::new("i-1"), AlertId::new("siem/1"));
    let blob = writer.shelf().put(b"{\"sessions\":[]}").unwrap();
    let typed = [
        (RecordType::Decision, value(&decision(&alert))),
        (RecordType::Intent, value(&an_intent(&intent, &alert))),
        (RecordType::Attempt, value(&attempt(&intent))),
        (RecordType::Outcome, value(&outcome(&intent, blob))),
        (RecordType::Verify, value(&verified(&intent))),
    ];
    for (kind, body) in typed.clone() {
        writer.append(now(), &[(kind, body)]).unwrap();
    }
    for kind in RecordType::ALL {
        let own = [
            RecordType::Genesis,
            RecordType::KeyRotate,
            RecordType::Checkpoint,
            // Theirs say what was done to bytes.
            RecordType::Segment,
            RecordType::Recovered,
            RecordType::Prune,
            RecordType::PeerHeads,
            // An empty one would be unreadable, and is looked at by what it binds.
            RecordType::Approval,
            RecordType::Plan,
        ];
        if !own.contains(kind) && !typed.iter().any(|(k, _)| k == kind) {
            let body = match kind {
                RecordType::Anchor => json!({"kind": "journald", "size": 7}),
                _ => json!({"text": format!("a {kind}"), "n": [1, null, true]}),
            };
            writer.append(now(), &[(*kind, body)]).unwrap();
        }
    }
    write(&mut writer, &["end"]);
    place
}

fn value(body: &impl serde::Serialize) -> Value {
    serde_json::to_value(body).unwrap()
}

fn decision(alert: &AlertId) -> Decision {
    Decision {
        plan: Some(PlanDigest::new("cd".repeat(32))),
        step: Some(StepId::new("1")),
        ..Decision::on(
            alert.clone(),
            DecisionKind::Confirm,
            Some("its key leaked".into()),
        )
    }
}

fn an_intent(intent: &IntentId, alert: &AlertId) -> Intent {
    Intent {
        intent: intent.clone(),
        digest: PlanDigest::new("cd".repeat(32)),
        step: StepId::new("1"),
        verb: Verb::RevokeSessions,
        provider: Some("sso".into()),
        identity: IdentityId::new("sso:svc-deploy"),
        environment: Some("production".into()),
        alert: alert.clone(),
        plan: Some(decision::Place {
            log: "soc.example/jump1/alice".into(),
            seq: 4,
        }),
        undo: false,
        incident: Some("INC-42".into()),
        process: Process {
            pid: 7,
            start: 8,
            boot: "b".into(),
        },
    }
}

fn attempt(intent: &IntentId) -> Attempt {
    Attempt {
        intent: intent.clone(),
        request: "logout".into(),
        attempt: 1,
        at: now(),
        outcome: WireOutcome::Deferred,
        http_status: Some(429),
        retry_after: Some("1".into()),
        waited_ms: Some(1000),
    }
}

fn outcome(intent: &IntentId, blob: crate::journal::BlobRef) -> Outcome {
    Outcome {
        intent: intent.clone(),
        outcome: WireOutcome::Accepted,
        http_status: Some(204),
        provider_request_id: Some("r-1".into()),
        attempts: 2,
        error: Some("its new secret was not captured".into()),
        error_class: Some(ErrorClass::Beside),
        retry_after: Some("0".into()),
        bytes_sent: Some(17),
        headers_sha256: Some("2".repeat(64)),
        body_sha256: Some("0".repeat(64)),
        evidence: vec![Evidence {
            name: "sessions.json".into(),
            sha256: blob.sha256,
            size: blob.size,
            source: "GET https://sso.example/sessions".into(),
            media: Some("application/json".into()),
            fetched_at: Some(now()),
        }],
    }
}

fn verified(intent: &IntentId) -> Verify {
    Verify {
        intent: intent.clone(),
        proof: Proof::Agrees,
        says: "no session is left".into(),
        tries: 2,
        evidence_sha256: Some("1".repeat(64)),
    }
}

/// Every file below a folder but locks, which name a process.
fn tree(root: &Path, at: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tree(root, &path, all);
        } else if entry.file_name() != "lock" {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            all.insert(name.to_owned(), std::fs::read(&path).unwrap());
        }
    }
}

#[rstest::rstest]
#[case("plain", plain)]
#[case("rotated-key", rotated_key)]
#[case("recovered", recovered)]
#[case("damaged", damaged)]
#[case("pruned", pruned)]
#[case("peer-heads", peer_heads)]
#[case("cosigned", cosigned)]
#[case("countersigned", countersigned)]
#[case("unknown-act", unknown_act)]
#[case("every-record", every_record)]
fn golden_logs_are_made_again_byte_by_byte(#[case] name: &str, #[case] make: fn() -> Place) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let place = make();
    let (mut made, mut kept) = (BTreeMap::new(), BTreeMap::new());
    tree(&place.store(), &place.store(), &mut made);
    if std::env::var_os("STANCH_GOLDEN").is_some_and(|v| v == "write") {
        let _ = std::fs::remove_dir_all(&golden);
        for (file, bytes) in &made {
            let path = golden.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    tree(&golden, &golden, &mut kept);
    let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&made), names(&kept));
    for (file, bytes) in &made {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        assert_eq!(text(bytes), text(&kept[file]), "{name}/{file}");
    }
}
