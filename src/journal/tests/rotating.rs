use super::*;
use crate::journal::keys;
use crate::journal::trust::Trust;

fn text_of(report: &Report) -> String {
    let mut text = Vec::new();
    crate::journal::write_text(report, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn adopt(place: &Place, user: &str) -> (Writer, Opened) {
    let mut config = place.config();
    if user != "alice" {
        config.keys = place.dir.path().join(format!("keys-{user}"));
    }
    Writer::open_or_adopt(
        config,
        actor(user),
        Arc::new(Real),
        now(),
        Some("the laptop was lost"),
    )
    .unwrap()
}

fn python(place: &Place, user: &str) -> Option<(bool, String)> {
    let script = place.dir.path().join("verify.py");
    put(&script, crate::journal::VERIFY_PY.as_bytes());
    let mut command = std::process::Command::new("python3");
    let Ok(out) = command.arg(&script).arg(place.log_of(user)).output() else {
        println!("SKIPPED verify.py: no python3 on this machine");
        return None;
    };
    let text =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    Some((out.status.success(), text))
}

fn rotated() -> (Place, Writer, String, String) {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    let old = writer.vkey();
    let new = writer.rotate_key(now(), "every year").unwrap();
    write(&mut writer, &["two"]);
    (place, writer, old, new)
}

#[test]
fn a_rotated_key_goes_on_with_the_old_ones_signature() {
    let (place, writer, old, new) = rotated();
    assert!(old != new && writer.vkey() == new);
    for quick in [false, true] {
        let options = Options {
            quick,
            ..Options::default()
        };
        let report = verify(&[place.store()], &options);
        assert!(report.intact(), "{}", text_of(&report));
        let how: Vec<&str> = report.logs[0].keys.iter().map(|k| k.how.as_str()).collect();
        assert_eq!(how, ["first", "rotated"]);
    }
    assert_eq!(place.notes(), ["one", "two"]);
    drop(writer);
    let (mut writer, opened) = place.open();
    assert_eq!((opened.damaged, opened.recovered), (None, None));
    assert_eq!(writer.vkey(), new);
    write(&mut writer, &["three"]);
    if let Some((good, text)) = python(&place, "alice") {
        assert!(good && text.contains("lines intact"), "{text}");
    }
    // Both keys want pinning.
    for (pins, code) in [(vec![&old, &new], 0), (vec![&old], 1), (vec![&new], 1)] {
        let list: Vec<String> = pins.iter().map(|p| format!("{p:?}")).collect();
        let text = format!(
            "[[log]]\norigin = \"soc.example/jump1/alice\"\nkeys = [{}]",
            list.join(",")
        );
        let options = Options {
            trust: Some(Trust::parse(&text).unwrap()),
            ..Options::default()
        };
        assert_eq!(
            verify(&[place.store()], &options).exit_code(None),
            code,
            "{pins:?}"
        );
    }
}

#[test]
fn another_open_console_follows_the_key() {
    let place = Place::new();
    let (mut one, _) = place.open();
    let (mut two, _) = place.open();
    one.rotate_key(now(), "every year").unwrap();
    write(&mut two, &["from the other console"]);
    assert_eq!(one.vkey(), two.vkey());
    write(&mut one, &["and back"]);
    assert!(place.verify().intact());
}

#[test]
fn a_rotation_that_stopped_anywhere_is_finished_or_never_was() {
    // Stopped after the new key was made, before its record.
    let place = Place::new();
    let (mut writer, _) = place.open();
    let next = keys::make_next(&place.config().keys, "jump1").unwrap();
    write(&mut writer, &["one"]);
    drop(writer);
    let (mut writer, _) = place.open();
    let new = writer.rotate_key(now(), "again").unwrap();
    assert!(new.contains("soc.example/jump1/alice+"));
    assert_eq!(
        keys::load(&place.config().keys.join("jump1.pem")).unwrap(),
        next
    );
    // Stopped after the record, before the new key took the place of the old one.
    let old = std::fs::read(place.config().keys.join("jump1.pem")).unwrap();
    let new = writer.rotate_key(now(), "once more").unwrap();
    drop(writer);
    let pem = place.config().keys.join("jump1.pem");
    std::fs::rename(&pem, pem.with_file_name("jump1.next.pem")).unwrap();
    put(&pem, &old);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&pem, mode).unwrap();
    let (mut writer, opened) = place.open();
    assert_eq!((writer.vkey(), opened.damaged), (new, None));
    write(&mut writer, &["goes on"]);
    assert!(place.verify().intact());
}

#[test]
fn after_rotation_the_old_key_signs_nothing() {
    let (place, _, _, _) = rotated();
    let path = place.segment();
    let good = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let rotation = lines
        .iter()
        .position(|l| l.contains("\"type\":\"key_rotate\""))
        .unwrap();
    // Either signature of the change taken out, exchanged, or one of them given to a later head.
    let note = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["note"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let signed = note(lines[rotation + 1]);
    let (text, signatures) = signed.split_once("\n\n").unwrap();
    let both: Vec<&str> = signatures.lines().collect();
    assert_eq!(both.len(), 2);
    for some in [
        vec![both[0]],
        vec![both[1]],
        vec![both[1], both[0]],
        vec![both[0], both[0]],
    ] {
        let changed = format!("{text}\n\n{}\n", some.join("\n"));
        let line = lines[rotation + 1];
        let quoted = |s: &str| {
            let mut out = Vec::new();
            crate::domain::plan::write_ascii_string(s, &mut out);
            String::from_utf8(out).unwrap()
        };
        let bad = line.replace(&quoted(&signed), &quoted(&changed));
        assert_ne!(bad, line);
        let text: Vec<&str> = lines[..=rotation]
            .iter()
            .copied()
            .chain([bad.as_str()])
            .collect();
        put(&path, (text.join("\n") + "\n").as_bytes());
        for quick in [false, true] {
            let options = Options {
                quick,
                ..Options::default()
            };
            let report = verify(&[place.store()], &options);
            assert_eq!(report.exit_code(None), 1, "{some:?} quick {quick}");
        }
        assert!(python(&place, "alice").is_none_or(|(good, _)| !good));
    }
}

#[test]
fn every_changed_bit_around_a_rotation_is_found() {
    let (place, _, _, _) = rotated();
    let path = place.segment();
    let good = std::fs::read(&path).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let from = text.find("\"type\":\"key_rotate\"").unwrap() - 90;
    for bit in (from * 8..good.len() * 8).step_by(5) {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        put(&path, &bad);
        let report = place.verify();
        assert!(!report.intact() || report.warnings() > 0, "bit {bit}");
    }
}

#[test]
fn a_lost_key_begins_an_epoch_that_somebody_must_vouch_for() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["before"]);
    drop(writer);
    std::fs::remove_dir_all(place.config().keys).unwrap();
    let refused = place.try_open(Arc::new(Real)).unwrap_err().to_string();
    assert!(refused.contains("stanch log adopt"), "{refused}");
    let (mut writer, opened) = adopt(&place, "alice");
    assert_eq!(opened.damaged, None);
    write(&mut writer, &["after"]);
    let new = writer.vkey();
    drop(writer);
    assert_eq!(place.open().0.vkey(), new);
    for quick in [false, true] {
        let options = Options {
            quick,
            ..Options::default()
        };
        let report = verify(&[place.store()], &options);
        assert_eq!(report.exit_code(None), 1);
        assert!(
            text_of(&report).contains("UNCONTINUED: from record 4 on"),
            "{}",
            text_of(&report)
        );
    }
    let (_, problems) = crate::journal::read_store(&place.store());
    assert!(
        problems[0].text.contains("another key signs"),
        "{problems:?}"
    );
    if let Some((good, text)) = python(&place, "alice") {
        assert!(good && text.contains("UNCONTINUED"), "{text}");
    }
    let mut bob = place.open_user("bob");
    assert!(
        bob.countersign(now(), "soc.example/jump1/bob", "me", None)
            .is_err()
    );
    assert!(
        bob.countersign(now(), "soc.example/jump1/nobody", "who", None)
            .is_err()
    );
    assert_eq!(
        bob.countersign(
            now(),
            "soc.example/jump1/alice",
            "I saw her laptop drown",
            None
        )
        .unwrap(),
        new
    );
    let report = place.verify();
    assert!(report.intact(), "{}", text_of(&report));
    assert!(
        text_of(&report).contains("countersigned by soc.example/jump1/bob"),
        "{}",
        text_of(&report)
    );
}

#[test]
fn adopting_sets_torn_bytes_aside_and_refuses_a_forged_beginning() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["before"]);
    drop(writer);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"seq\":4,\"torn");
    put(&place.segment(), &bytes);
    std::fs::remove_dir_all(place.config().keys).unwrap();
    let (_, opened) = adopt(&place, "alice");
    assert_eq!(opened.recovered.unwrap().bytes, 20);
    assert!(place.open().1.damaged.is_none());
    // The epoch names another head than the one before it.
    let path = place.log().join("00000000000000000004.jsonl");
    let good = std::fs::read_to_string(&path).unwrap();
    put(
        &path,
        good.replacen("alice\\n3\\n", "alice\\n1\\n", 1).as_bytes(),
    );
    let report = place.verify();
    assert!(
        text_of(&report).contains("does not name the last head"),
        "{}",
        text_of(&report)
    );
}

#[test]
fn key_records_are_the_journals_own() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    for kind in [RecordType::KeyRotate, RecordType::Genesis] {
        assert!(
            writer
                .append(now(), &[(kind, json!({"new_vkey": "x"}))])
                .is_err()
        );
    }
    assert!(place.verify().intact());
}

/// T3: whichever call fails while the key changes, the log goes on under one key or the other.
#[test]
fn the_kth_call_fails_while_the_key_changes() {
    use crate::journal::fault::Faulty;
    use rustix::io::Errno;

    for error in [Errno::IO, Errno::NOSPC] {
        for (sticky, adopting) in [(false, false), (true, false), (false, true), (true, true)] {
            for at in 0.. {
                let place = Place::new();
                let (mut writer, _) = place.open();
                write(&mut writer, &["before"]);
                drop(writer);
                if adopting {
                    std::fs::remove_dir_all(place.config().keys).unwrap();
                }
                let mut faulty = Faulty::new(at, error);
                faulty.sticky = sticky;
                let faulty = Arc::new(faulty);
                let reason = adopting.then_some("lost");
                let fs: Arc<dyn Fs> = Arc::clone(&faulty) as Arc<dyn Fs>;
                let opened =
                    Writer::open_or_adopt(place.config(), actor("alice"), fs, now(), reason);
                let done = opened.and_then(|(mut writer, _)| {
                    if adopting {
                        Ok(writer.vkey())
                    } else {
                        writer.rotate_key(now(), "every year")
                    }
                });
                let again = || {
                    Writer::open_or_adopt(
                        place.config(),
                        actor("alice"),
                        Arc::new(Real),
                        now(),
                        None,
                    )
                };
                let (mut writer, opened) = match again() {
                    // The epoch had not begun: the log still waits for somebody to adopt it.
                    Err(JournalError::OtherKey { .. }) if adopting && done.is_err() => {
                        adopt(&place, "alice")
                    }
                    other => other
                        .unwrap_or_else(|e| panic!("call {at} {error:?} {sticky} {adopting}: {e}")),
                };
                assert_eq!(
                    opened.damaged, None,
                    "call {at} {error:?} {sticky} {adopting}"
                );
                if let Ok(vkey) = done {
                    assert_eq!(writer.vkey(), vkey);
                }
                write(&mut writer, &["after"]);
                assert_eq!(place.notes(), ["before", "after"]);
                let report = place.verify();
                let failures = report.logs[0]
                    .findings
                    .iter()
                    .filter(|f| f.level == crate::journal::Level::Failure);
                let bad: Vec<_> = failures.filter(|f| f.check != "keys").collect();
                assert!(
                    bad.is_empty(),
                    "call {at} {error:?} {sticky} {adopting}: {bad:?}"
                );
                if !faulty.fired() {
                    break;
                }
            }
        }
    }
}

/// Whoever keeps the old key can sign any head; only those of its own time count.
#[test]
fn a_head_by_the_old_key_counts_only_up_to_the_rotation() {
    use super::super::checkpoint::Head;
    use super::super::note::Verifier;
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    let old = super::super::keys::load(&place.config().keys.join("jump1.pem")).unwrap();
    let heads = |writer: &mut Writer| writer.take_unanchored().pop().unwrap();
    let before = heads(&mut writer);
    writer.rotate_key(now(), "every year").unwrap();
    write(&mut writer, &["two"]);
    let after = heads(&mut writer);
    let new = Verifier::from_vkey(&writer.vkey()).unwrap();
    let late = Head::open(&after.note, &new).unwrap().sign(&old);
    let kept = place.dir.path().join("kept");
    let judge = |note: &str| {
        put(&kept, note.as_bytes());
        let anchors = vec![kept.clone()];
        let options = Options {
            anchors,
            ..Options::default()
        };
        let report = verify(&[place.store()], &options);
        assert!(report.intact(), "{}", text_of(&report));
        let reach = report.logs[0].witnessed.get("kept").copied();
        (reach, text_of(&report).contains("signs no more"))
    };
    assert_eq!(judge(&before.note), (Some(before.size), false));
    assert_eq!(judge(&after.note), (Some(after.size), false));
    assert_eq!(judge(&late), (None, true));
}
