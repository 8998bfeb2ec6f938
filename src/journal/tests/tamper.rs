use super::*;

/// A store of two users with several batches and two segments.
fn store() -> Place {
    let place = Place::new();
    let (mut alice, _) = place.open();
    write(&mut alice, &["one", "two"]);
    write(&mut alice, &["three"]);
    alice
        .begin_segment(now(), &json!({"reason": "size"}))
        .unwrap();
    write(&mut alice, &["four"]);
    write(&mut alice, &["five", "six"]);
    let mut bob = place.open_user("bob");
    write(&mut bob, &["uno", "due"]);
    assert!(place.verify().intact());
    place
}

fn segments(place: &Place, user: &str) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(place.log_of(user))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    all.sort();
    all
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Checks that a changed segment is found, and that the report points at where the change is or before.
fn must_find(place: &Place, path: &Path, bytes: &[u8], what: &str) {
    let good = std::fs::read(path).unwrap();
    if good == bytes {
        return;
    }
    put(path, bytes);
    for quick in [false, true] {
        let report = verify(
            &[place.store()],
            &Options {
                quick,
                ..Options::default()
            },
        );
        assert!(!report.intact(), "{what} was not found (quick: {quick})");
        assert_eq!(report.exit_code(None), 1, "{what}");
    }
    put(path, &good);
}

#[test]
fn every_changed_bit_is_found() {
    let place = store();
    let mut cases = 0;
    for path in segments(&place, "alice") {
        let good = std::fs::read(&path).unwrap();
        // Every bit of the last line, a spread of the others.
        let last = good.len() - lines(&good).last().unwrap().len();
        for bit in (0..good.len() * 8).filter(|b| b / 8 >= last || b % 11 == 0) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            put(&path, &bad);
            let report = verify(&[place.store()], &Options::default());
            assert!(
                !report.intact() || ends_early(&report, bit, &good),
                "bit {bit} of {}",
                path.display()
            );
            cases += 1;
        }
        put(&path, &good);
    }
    assert!(cases > 4000, "{cases}");
}

/// A flipped final line feed only leaves a cut line; the published head tells then. Nothing else may pass.
fn ends_early(report: &Report, bit: usize, good: &[u8]) -> bool {
    bit / 8 == good.len() - 1 && report.warnings() > 0
}

#[test]
fn trust_ends_at_the_last_good_checkpoint_not_where_the_change_shows() {
    let place = store();
    let path = &segments(&place, "alice")[0];
    let text = std::fs::read_to_string(path).unwrap();
    put(path, text.replace("\"three\"", "\"THREE\"").as_bytes());
    let report = place.verify();
    // Genesis, checkpoint, one, two, checkpoint, three: record 5 was changed, and 6 no longer continues it.
    let bad = report.logs[0].first_bad.as_ref().unwrap();
    assert_eq!((bad.seq, report.logs[0].head_size), (6, 4));
    let said = &report.logs[0].findings[0].text;
    assert!(
        said.ends_with("records from 5 on are not trustworthy"),
        "{said}"
    );
}

#[test]
fn lines_moved_removed_or_repeated_are_found() {
    let place = store();
    for user in ["alice", "bob"] {
        for path in segments(&place, user) {
            let all = lines(&std::fs::read(&path).unwrap());
            for i in 0..all.len() {
                let mut cut = all.clone();
                cut.remove(i);
                must_find(&place, &path, &cut.concat(), &format!("line {i} removed"));
                let mut twice = all.clone();
                twice.insert(i, all[i].clone());
                must_find(
                    &place,
                    &path,
                    &twice.concat(),
                    &format!("line {i} repeated"),
                );
                for j in 0..all.len() {
                    let mut swapped = all.clone();
                    swapped.swap(i, j);
                    must_find(
                        &place,
                        &path,
                        &swapped.concat(),
                        &format!("lines {i} and {j} swapped"),
                    );
                }
                let mut blank = all.clone();
                blank.insert(i, b"\n".to_vec());
                must_find(
                    &place,
                    &path,
                    &blank.concat(),
                    &format!("empty line before {i}"),
                );
                let mut spaced = all.clone();
                let end = spaced[i].len() - 1;
                spaced[i].insert(end, b' ');
                must_find(
                    &place,
                    &path,
                    &spaced.concat(),
                    &format!("space after line {i}"),
                );
            }
        }
    }
}

#[test]
fn bytes_put_in_or_taken_out_are_found() {
    let place = store();
    for path in segments(&place, "alice") {
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(37) {
            let mut more = good.clone();
            more.insert(at, b'0');
            must_find(&place, &path, &more, &format!("byte put in at {at}"));
            let mut less = good.clone();
            less.remove(at);
            must_find(&place, &path, &less, &format!("byte taken out at {at}"));
            // The published head covers all lines, so even a cut at a checkpoint is found while it is there.
            must_find(&place, &path, &good[..at], &format!("cut at {at}"));
        }
    }
}

#[test]
fn segments_missing_renamed_or_exchanged_are_found() {
    let found = |what: &str, change: &dyn Fn(&Place, &[PathBuf])| {
        let place = store();
        change(&place, &segments(&place, "alice"));
        let report = place.verify();
        assert_eq!(report.exit_code(None), 1, "{what}: {report:?}");
        let mut text = Vec::new();
        super::super::write_text(&report, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("NOT INTACT") && text.contains("cannot be detected without an anchor"),
            "{text}"
        );
    };
    let rename = |from: &Path, to: &Path| std::fs::rename(from, to).unwrap();
    found("first removed", &|_, s| {
        std::fs::remove_file(&s[0]).unwrap();
    });
    found("last removed", &|_, s| std::fs::remove_file(&s[1]).unwrap());
    found("renamed away", &|_, s| {
        rename(&s[0], &s[0].with_extension("bak"));
    });
    found("renamed to another number", &|_, s| {
        rename(&s[1], &s[1].with_file_name("00000000000000000099.jsonl"));
    });
    found("exchanged", &|_, s| {
        let other = s[0].with_extension("x");
        rename(&s[0], &other);
        rename(&s[1], &s[0]);
        rename(&other, &s[1]);
    });
    found("another user's log in its place", &|place, s| {
        std::fs::copy(&segments(place, "bob")[0], &s[0]).unwrap();
    });
    found("whole log of another user", &|place, s| {
        std::fs::remove_dir_all(s[0].parent().unwrap()).unwrap();
        rename(&place.log_of("bob"), &place.log_of("alice"));
    });
    found("an added segment", &|_, s| {
        std::fs::copy(&s[1], s[1].with_file_name("00000000000000000500.jsonl")).unwrap();
    });
    found("a segment that is a link", &|place, s| {
        let aside = place.dir.path().join("aside");
        rename(&s[0], &aside);
        std::os::unix::fs::symlink(&aside, &s[0]).unwrap();
    });
}

/// The key holder's own fork: the same key signs another history of the same length.
#[test]
fn a_fork_disagrees_with_the_published_head() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let before = std::fs::read(place.segment()).unwrap();
    write(&mut writer, &["what happened"]);
    let head = std::fs::read(place.log().join("checkpoint")).unwrap();
    reset(&place, &[(place.segment(), before)]);
    write(&mut place.open().0, &["what is told"]);
    assert!(place.verify().intact());
    put(&place.log().join("checkpoint"), &head);
    let report = place.verify();
    assert_eq!(report.exit_code(None), 1);
    assert!(
        report.logs[0]
            .findings
            .iter()
            .any(|f| f.text.contains("two histories"))
    );
}

#[test]
fn a_signature_of_another_key_is_not_one() {
    let place = store();
    // Alice's lines signed anew by bob's key under alice's name.
    let bob = super::super::keys::load(&place.dir.path().join("keys-bob/jump1.pem")).unwrap();
    let path = &segments(&place, "alice")[0];
    let mut all = lines(&std::fs::read(path).unwrap());
    let mut at = super::super::walk::Point::start();
    at.pass(all[0].trim_ascii_end());
    let head = super::super::checkpoint::Head {
        origin: "soc.example/jump1/alice".into(),
        size: 1,
        root: at.range.root(),
    };
    all[1] = super::super::checkpoint::line(1, &at.prev, &head.sign(&bob));
    all[1].push(b'\n');
    must_find(&place, path, &all[..2].concat(), "foreign signature");
}

#[test]
fn a_tail_cut_at_a_checkpoint_with_its_head_is_what_anchors_are_for() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let read = |p: PathBuf| (p.clone(), std::fs::read(p).unwrap());
    let old = [read(place.segment()), read(place.log().join("checkpoint"))];
    write(&mut writer, &["one"]);
    reset(&place, &old);
    let report = place.verify();
    assert!(report.intact());
    let mut text = Vec::new();
    super::super::write_text(&report, &mut text).unwrap();
    assert!(
        String::from_utf8(text)
            .unwrap()
            .contains("a removed tail cannot be detected without an anchor")
    );
}

#[test]
fn verify_py_agrees() {
    if std::process::Command::new("python3")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("SKIPPED verify_py_agrees: no python3 on this machine");
        return;
    }
    let place = store();
    let script = place.dir.path().join("verify.py");
    put(&script, super::super::VERIFY_PY.as_bytes());
    let run = |user: &str| {
        let out = std::process::Command::new("python3")
            .arg(&script)
            .arg(place.log_of(user))
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned()
                + &String::from_utf8_lossy(&out.stderr),
        )
    };
    for user in ["alice", "bob"] {
        let (ok, says) = run(user);
        assert!(ok && says.contains("lines intact"), "{says}");
    }
    let key = place.dir.path().join("keys/jump1.pem");
    let openssl = std::process::Command::new("openssl")
        .args(["pkey", "-noout", "-in"])
        .arg(key)
        .status();
    assert!(openssl.unwrap().success(), "openssl cannot read the key");
    let path = &segments(&place, "alice")[0];
    let good = std::fs::read(path).unwrap();
    for at in [10, 300, good.len() / 2, good.len() - 60, good.len() - 2] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        put(path, &bad);
        assert!(!run("alice").0, "byte {at}");
    }
}
