use std::collections::BTreeSet;

use rstest::rstest;

use super::*;
use crate::journal::{Follower, Prune, Pruned, Trust};

const SECRET: &str = "what must not stand here any more";

/// A log with an old note (record 2), an old outcome with evidence (4), and a new note (6).
fn store() -> (Place, Writer, String) {
    let place = Place::new();
    let (mut writer, _) = place.open();
    writer.append(now(), &[note(SECRET)]).unwrap();
    let blob = writer.shelf().put(SECRET.as_bytes()).unwrap();
    let evidence = json!([{"name": "x", "sha256": blob.sha256, "size": blob.size, "source": "kc"}]);
    let outcome = json!({"intent": "i", "outcome": "accepted", "evidence": evidence});
    writer
        .append(now(), &[(RecordType::Outcome, outcome)])
        .unwrap();
    writer.append(later(48), &[note("new")]).unwrap();
    (place, writer, blob.sha256)
}

fn later(hours: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_hours(hours)
}

fn heap(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        all += &if path.is_dir() {
            heap(&path)
        } else {
            String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
        };
    }
    all
}

fn failures(report: &Report) -> String {
    let all = report.logs.iter().flat_map(|l| &l.findings);
    all.filter(|f| f.level == crate::journal::Level::Failure)
        .map(|f| f.text.clone() + "\n")
        .collect()
}

fn before(hours: i64) -> Prune {
    Prune {
        before: Some(later(hours)),
        ..Prune::default()
    }
}

#[test]
fn what_is_taken_out_is_gone_and_the_log_verifies() {
    let (place, mut writer, sha256) = store();
    let (mut other, _) = place.open();
    let mut follower = Follower::new(&place.store());
    follower.poll();
    let what = before(1);
    let would = writer
        .prune(later(49), &what, "a year is over", true)
        .unwrap();
    assert!(heap(&place.store()).contains(SECRET) && place.verify().logs[0].withheld == 0);
    let done = writer
        .prune(later(49), &what, "a year is over", false)
        .unwrap();
    assert_eq!(done, would);
    assert_eq!(
        done,
        Pruned {
            records: BTreeSet::from([2, 4]),
            blobs: BTreeSet::from([sha256.clone()])
        }
    );
    assert!(!heap(&place.store()).contains(SECRET));
    let report = place.verify();
    assert!(report.intact(), "{}", failures(&report));
    assert_eq!(report.logs[0].withheld, 2);
    assert_eq!(place.notes(), ["new"]);

    // Who had the log open goes on, writing and reading.
    other.append(later(49), &[note("after")]).unwrap();
    writer.append(later(49), &[note("more")]).unwrap();
    let (entries, problems) = follower.poll();
    assert_eq!(problems, []);
    let kinds: Vec<&str> = entries.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["prune", "segment", "session", "session"]);
    assert_eq!(place.open().1.damaged, None);
    // Without the program too.
    let script = place.dir.path().join("verify.py");
    put(&script, super::super::VERIFY_PY.as_bytes());
    let python = std::process::Command::new("python3")
        .arg(&script)
        .arg(place.log())
        .output();
    if let Ok(out) = python {
        assert!(out.status.success(), "{out:?}");
    }
    // Again: nothing is left to take out, and what was withheld stays so.
    assert_eq!(
        writer.prune(later(49), &what, "again", false).unwrap(),
        Pruned::default()
    );
    let quick = Options {
        quick: true,
        trust: None::<Trust>,
        ..Options::default()
    };
    assert!(verify(&[place.store()], &quick).intact());
}

#[rstest]
#[case::without_a_record(false)]
#[case::with_one_that_names_another(true)]
fn content_that_is_gone_unsaid_is_a_failure(#[case] named: bool) {
    let (place, mut writer, _) = store();
    if named {
        let what = Prune {
            records: BTreeSet::from([6]),
            ..Prune::default()
        };
        writer.prune(later(49), &what, "a slip", false).unwrap();
    }
    // Somebody takes out record 2 by hand, leaving its hash.
    let name = if named { "pruned" } else { "jsonl" };
    let path = place.segment().with_extension(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[2] = super::super::merkle::hex(&super::super::merkle::leaf_hash(lines[2].as_bytes()));
    std::fs::remove_file(&path).unwrap();
    put(
        &path.with_extension("pruned"),
        (lines.join("\n") + "\n").as_bytes(),
    );
    let report = place.verify();
    assert_eq!(report.exit_code(None), 1);
    assert!(
        failures(&report).contains("1 record from 2 on was taken out"),
        "{}",
        failures(&report)
    );
}

#[test]
fn every_changed_bit_of_what_is_left_is_found() {
    let (place, mut writer, _) = store();
    writer.prune(later(49), &before(1), "old", false).unwrap();
    let path = place.segment().with_extension("pruned");
    let good = std::fs::read(&path).unwrap();
    for bit in (0..good.len() * 8).step_by(3) {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        put(&path, &bad);
        assert!(!place.verify().intact(), "bit {bit}");
    }
}

#[rstest]
#[case::of_the_log_itself(Prune { records: [0].into(), ..Prune::default() }, "tells of the log itself")]
#[case::a_checkpoint(Prune { records: [1].into(), ..Prune::default() }, "no record 1")]
#[case::nothing_there(Prune { records: [99].into(), ..Prune::default() }, "no record 99")]
#[case::young(Prune { records: [4].into(), ..Prune::default() }, "younger than a day")]
#[case::unknown_file(Prune { blobs: ["ab".into()].into(), ..Prune::default() }, "no record of this log names")]
#[case::a_way_out(Prune { blobs: ["../../../x".into()].into(), ..Prune::default() }, "no record of this log names")]
fn refuses(#[case] what: Prune, #[case] says: &str) {
    let (place, mut writer, _) = store();
    let error = writer.prune(later(1), &what, "r", false).unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
    assert!(place.verify().intact() && heap(&place.store()).contains(SECRET));
}

#[test]
fn an_act_of_unknown_effect_keeps_its_records() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let intent = json!({
        "intent": "i", "digest": "d", "step": "1", "verb": "rotate_secret", "identity": "a:b", "alert": "s/1",
        "undo": false, "process": {"pid": 1, "start": 1, "boot": "b"},
    });
    writer
        .append(now(), &[(RecordType::Intent, intent)])
        .unwrap();
    let error = writer
        .prune(later(99), &before(50), "r", false)
        .unwrap_err();
    assert!(error.to_string().contains("unknown effect"), "{error}");
}

/// A console that stops at any call while it takes content out leaves a log that verifies, and the next try finishes.
#[test]
fn the_kth_call_fails_while_content_is_taken_out() {
    use crate::journal::fault::Faulty;
    for at in 0.. {
        let place = store().0;
        let faulty = Arc::new(Faulty::new(at, rustix::io::Errno::IO));
        let fs: Arc<dyn Fs> = Arc::clone(&faulty) as Arc<dyn Fs>;
        let done = place
            .try_open(fs)
            .and_then(|(mut w, _)| w.prune(later(49), &before(1), "r", false));
        let report = place.verify();
        assert!(report.intact(), "call {at}: {done:?} {}", failures(&report));
        let (mut again, opened) = place.open();
        assert_eq!(opened.damaged, None, "call {at}");
        again.prune(later(49), &before(1), "again", false).unwrap();
        let report = place.verify();
        assert!(report.intact(), "call {at}: {}", failures(&report));
        assert!(!heap(&place.store()).contains(SECRET), "call {at}");
        if !faulty.fired() {
            break;
        }
    }
}

#[test]
fn what_is_taken_out_is_gone_from_the_index_too() {
    let (place, mut writer, _) = store();
    let cache = place.dir.path().join("cache");
    let open = || crate::journal::Index::open(Some(&cache), &[place.store()]).unwrap();
    let named = json!({"alert": SECRET});
    writer
        .append(now(), &[(RecordType::Session, named)])
        .unwrap();
    drop(open());
    assert!(heap(&cache).contains(SECRET));
    writer.prune(later(72), &before(24), "over", false).unwrap();
    let index = open();
    let everything = crate::domain::wanted::Wanted::default();
    let hits = index.search(&everything, None).unwrap().all().unwrap();
    let lines = index.read(&hits).unwrap().lines;
    let (whole, _) = crate::journal::read_lines(&place.store());
    assert_eq!(lines, whole);
    assert!(!heap(&cache).contains(SECRET));
}
