use super::*;
use crate::journal::anchor::AnchorState;

fn kinds(place: &Place, user: &str) -> Vec<RecordType> {
    let (entries, _) = crate::journal::read_store(&place.store());
    let of = |e: &&crate::domain::decision::Entry| e.log.ends_with(user);
    entries.iter().filter(of).map(|e| e.kind).collect()
}

fn text_of(report: &Report) -> String {
    let mut text = Vec::new();
    crate::journal::write_text(report, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn files(place: &Place, user: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let all = std::fs::read_dir(place.log_of(user)).unwrap().flatten();
    let plain = all.map(|e| e.path()).filter(|p| p.is_file());
    plain
        .map(|p| (p.clone(), std::fs::read(p).unwrap()))
        .collect()
}

#[test]
fn heads_of_others_are_recorded_at_start_and_before_what_binds() {
    let place = Place::new();
    let mut bob = place.open_user("bob");
    write(&mut bob, &["one"]);
    let (mut alice, _) = place.open();
    assert_eq!(
        kinds(&place, "alice"),
        [RecordType::Genesis, RecordType::PeerHeads]
    );
    // Nothing is new about bob.
    let intent = || (RecordType::Intent, json!({"x": 1}));
    alice.append(now(), &[intent()]).unwrap();
    write(&mut bob, &["two"]);
    let written = alice.append(now(), &[intent()]).unwrap();
    assert_eq!(written.len(), 1);
    write(&mut alice, &["no binding record"]);
    let seen = [
        RecordType::Genesis,
        RecordType::PeerHeads,
        RecordType::Intent,
        RecordType::PeerHeads,
        RecordType::Intent,
        RecordType::Session,
    ];
    assert_eq!(kinds(&place, "alice"), seen);
    let report = place.verify();
    assert!(report.intact(), "{}", text_of(&report));
    let bob = report
        .logs
        .iter()
        .find(|l| l.origin.ends_with("bob"))
        .unwrap();
    assert_eq!(bob.witnessed.get("soc.example/jump1/alice"), Some(&5));
}

#[test]
fn two_idle_consoles_do_not_record_each_other_for_ever() {
    let place = Place::new();
    let (mut alice, _) = place.open();
    let mut bob = place.open_user("bob");
    let minutes = |n: i64| now() + jiff::SignedDuration::from_mins(n);
    let mut told = 0;
    for round in 1..=11 {
        told += alice.peer_heads(minutes(round * 5)).unwrap();
        told += bob.peer_heads(minutes(round * 5)).unwrap();
    }
    assert!(told <= 3, "{told}");
    write(&mut bob, &["one", "two"]);
    assert_eq!(alice.peer_heads(minutes(60)).unwrap(), 1);
}

/// Bob cuts his own log and its head at a checkpoint: his log alone looks whole.
#[test]
fn a_peers_rollback_is_found_at_open_and_by_verify() {
    let place = Place::new();
    let old = {
        let mut bob = place.open_user("bob");
        write(&mut bob, &["one"]);
        let old = files(&place, "bob");
        write(&mut bob, &["what he regrets"]);
        old
    };
    drop(place.open());
    for (path, bytes) in &old {
        put(path, bytes);
    }
    let report = place.verify();
    assert_eq!(report.exit_code(None), 1);
    let text = text_of(&report);
    assert!(text.contains("tail was removed or told anew"), "{text}");
    let (mut alice, opened) = place.open();
    assert!(
        opened.notice().unwrap().contains("bob was cut or put back"),
        "{opened:?}"
    );
    assert!(kinds(&place, "alice").contains(&RecordType::Anomaly));
    // It is said until somebody accepts it, and stays in the log for ever.
    assert!(!place.open().1.peers.is_empty());
    alice.acknowledge(now(), "bob restored a backup").unwrap();
    assert!(place.open().1.peers.is_empty());
    assert_eq!(place.verify().exit_code(None), 1);
}

#[test]
fn a_peer_that_tells_another_story_under_the_same_or_a_new_key_is_found() {
    for new_key in [false, true] {
        let place = Place::new();
        let before = {
            let mut bob = place.open_user("bob");
            let before = files(&place, "bob");
            write(&mut bob, &["the truth"]);
            before
        };
        drop(place.open());
        std::fs::remove_dir_all(place.log_of("bob")).unwrap();
        if new_key {
            std::fs::remove_dir_all(place.dir.path().join("keys-bob")).unwrap();
        } else {
            std::fs::create_dir(place.log_of("bob")).unwrap();
            for (path, bytes) in &before {
                put(path, bytes);
            }
            std::fs::remove_file(place.dir.path().join("keys-bob/seen-heads")).unwrap();
        }
        let mut bob = place.open_user("bob");
        write(&mut bob, &["another"]);
        write(&mut bob, &["story"]);
        let report = place.verify();
        assert_eq!(
            report.exit_code(None),
            1,
            "new key: {new_key}: {}",
            text_of(&report)
        );
        if new_key {
            let (_, opened) = place.open();
            assert!(
                opened.peers.join(" ").contains("does not go on"),
                "{opened:?}"
            );
        }
    }
}

#[test]
fn a_store_put_back_as_a_whole_is_found_by_what_its_user_saw() {
    let place = Place::new();
    let old = {
        let (mut alice, _) = place.open();
        let old = files(&place, "alice");
        write(&mut alice, &["one"]);
        old
    };
    drop(place.open());
    for (path, bytes) in &old {
        put(path, bytes);
    }
    assert!(place.verify().intact());
    let options = Options {
        seen: Some(place.seen()),
        ..Options::default()
    };
    let report = verify(&[place.store()], &options);
    assert_eq!(report.exit_code(None), 1, "{}", text_of(&report));
    let (_, opened) = place.open();
    assert!(opened.damaged.is_some(), "{opened:?}");
    // Said once; the record stands.
    assert!(place.open().1.damaged.is_none());
}

#[test]
fn a_log_that_is_gone_is_missed() {
    let place = Place::new();
    drop(place.open_user("bob"));
    drop(place.open());
    std::fs::remove_dir_all(place.log_of("bob")).unwrap();
    assert!(place.open().1.peers.join(" ").contains("is gone"));
    let options = Options {
        seen: Some(place.seen()),
        ..Options::default()
    };
    assert_eq!(verify(&[place.store()], &options).exit_code(None), 1);
}

#[test]
fn a_peer_cannot_invent_heads_or_stop_anybody() {
    let place = Place::new();
    let (mut alice, _) = place.open();
    let other = Place::new().open().0;
    let bogus = json!({"heads": [{"vkey": other.vkey(), "note": "soc.example/jump1/alice\n999\nAAAA\n\n\u{2014} x AAAA\n"}, 7]});
    let mut bob = place.open_user("bob");
    bob.append(now(), &[(RecordType::PeerHeads, bogus)])
        .unwrap();
    put(
        &place.log_of("bob").join("checkpoint"),
        &vec![0xff; 100_000],
    );
    put(&place.log_of("bob").join("vkey"), b"nonsense");
    write(&mut alice, &["one"]);
    alice
        .append(now(), &[(RecordType::Intent, json!({"x": 1}))])
        .unwrap();
    let report = place.verify();
    let alice = report
        .logs
        .iter()
        .find(|l| l.origin.ends_with("alice"))
        .unwrap();
    assert!(
        alice.findings.iter().all(|f| f.check != "anchors"),
        "{:?}",
        alice.findings
    );
    assert!(text_of(&report).contains("did not sign"));
}

#[test]
fn anchors_reach_as_far_as_somebody_confirmed() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    let notes = writer.take_unanchored();
    assert_eq!(notes.iter().map(|n| n.size).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(writer.anchor_state().anchored, 0);
    assert_eq!(writer.anchor_state().since, Some(now()));
    writer.anchored("http", notes[1].size, now()).unwrap();
    let done = AnchorState {
        size: 3,
        anchored: 3,
        since: None,
        syslog: false,
    };
    assert_eq!(writer.anchor_state(), done);
    // The record of the anchor asks for none itself.
    assert!(writer.take_unanchored().is_empty());
    drop(writer);
    let (writer, _) = place.open();
    assert_eq!(writer.anchor_state().anchored, 3);
    assert_eq!(place.verify().logs[0].claimed.get("http"), Some(&3));
}

#[test]
fn heads_kept_elsewhere_show_a_cut_tail() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let old = files(&place, "alice");
    write(&mut writer, &["one"]);
    let note = writer.take_unanchored().pop().unwrap().note;
    let kept = place.dir.path().join("kept");
    let line = serde_json::to_string(&json!({"note": note})).unwrap();
    put(
        &kept,
        format!("Nov 21 jump1 stanch[7]: {line}\nother line\n").as_bytes(),
    );
    let options = Options {
        anchors: vec![kept.clone()],
        ..Options::default()
    };
    let report = verify(&[place.store()], &options);
    assert!(
        report.intact() && text_of(&report).contains("kept 3 (every line)"),
        "{}",
        text_of(&report)
    );
    reset(&place, &old);
    assert!(place.verify().intact());
    assert_eq!(verify(&[place.store()], &options).exit_code(None), 1);
    // The bare note does as well.
    put(&kept, note.as_bytes());
    assert_eq!(verify(&[place.store()], &options).exit_code(None), 1);
    // A line that anybody could have logged is only a reason to look.
    put(&kept, note.replace("\n3\n", "\n9\n").as_bytes());
    assert!(verify(&[place.store()], &options).intact());
}
