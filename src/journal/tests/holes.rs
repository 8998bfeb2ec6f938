use rstest::rstest;

use super::*;
use crate::journal::{Level, read_lines};

/// A log with evidence, and the hash of that.
fn with_evidence() -> (Place, String) {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let blob = writer.shelf().put(b"sessions as they were").unwrap();
    let evidence =
        json!([{"name": "s.json", "sha256": blob.sha256, "size": blob.size, "source": "kc"}]);
    writer
        .append(
            now(),
            &[(
                RecordType::Outcome,
                json!({"intent": "i", "evidence": evidence}),
            )],
        )
        .unwrap();
    (place, blob.sha256)
}

fn failures(report: &Report) -> String {
    let all = report.logs.iter().flat_map(|l| &l.findings);
    let failed = all.filter(|f| f.level == Level::Failure);
    failed.map(|f| f.text.clone() + "\n").collect()
}

#[rstest]
#[case::emptied(&|p: &Place| put(&p.segment(), b""), "is empty")]
#[case::removed(&|p: &Place| std::fs::remove_file(p.segment()).unwrap(), "is not there")]
#[case::exchanged(&|p: &Place| put(&p.segment(), b"hello\n"), "holds no usable record")]
fn a_log_without_its_records_is_not_intact(
    #[case] change: &dyn Fn(&Place),
    #[case] says: &str,
    #[values("", "checkpoint", "vkey")] also_gone: &str,
) {
    let (place, _) = with_evidence();
    change(&place);
    if !also_gone.is_empty() {
        std::fs::remove_file(place.log().join(also_gone)).unwrap();
    }
    let report = place.verify();
    let text = failures(&report);
    assert_eq!(report.exit_code(None), 1, "{text}");
    let file = place.segment().display().to_string();
    assert!(text.contains(says) && text.contains(&file), "{text}");
    // Whoever only reads is told too.
    let (lines, problems) = read_lines(&place.store());
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty() && problems.iter().any(|p| p.grave),
        "{told:?}"
    );
}

#[test]
fn a_log_that_was_never_begun_is_no_damage() {
    let place = Place::new();
    place.open();
    std::fs::create_dir_all(place.log_of("bob")).unwrap();
    assert!(place.verify().intact());
}

#[test]
fn a_reader_says_that_the_tail_was_cut() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let before = std::fs::read(place.segment()).unwrap();
    write(&mut writer, &["gone"]);
    let after = std::fs::read(place.segment()).unwrap();
    put(&place.segment(), &before);
    let (_, problems) = read_lines(&place.store());
    assert!(problems.len() == 1 && problems[0].grave, "{problems:?}");
    assert!(
        problems[0]
            .text
            .contains("00000000000000000000.jsonl was removed")
    );

    // A write that was cut short is no loss of anything that was acknowledged.
    let place = Place::new();
    place.open();
    let mut torn = std::fs::read(place.segment()).unwrap();
    torn.extend_from_slice(b"{\"v\":1,");
    put(&place.segment(), &torn);
    let (_, problems) = read_lines(&place.store());
    assert!(problems.len() == 1 && !problems[0].grave, "{problems:?}");
    drop(after);
}

#[rstest]
#[case::removed(&|p: &Path| std::fs::remove_file(p).unwrap(), "is not there, and no record says")]
#[case::changed(&|p: &Path| put(p, b"sessions as they never were"), "was changed")]
#[case::emptied(&|p: &Path| put(p, b""), "was changed")]
#[case::link(&|p: &Path| { std::fs::remove_file(p).unwrap(); std::os::unix::fs::symlink("/etc/passwd", p).unwrap(); }, "cannot be read")]
fn evidence_must_be_what_was_hashed(#[case] change: &dyn Fn(&Path), #[case] says: &str) {
    let (place, sha256) = with_evidence();
    let report = place.verify();
    assert!(report.intact(), "{report:?}");
    assert_eq!(report.logs[0].evidence, 1);
    let path = place.log().join("blobs").join(&sha256[..2]).join(&sha256);
    change(&path);
    let report = place.verify();
    let text = failures(&report);
    assert_eq!(report.exit_code(None), 1);
    assert!(text.contains(says) && text.contains(&sha256), "{text}");
}

#[test]
fn a_record_cannot_name_files_elsewhere_as_evidence() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    for name in ["../../../../../etc/passwd", "AB", ""] {
        let evidence = json!([{"name": "x", "sha256": name, "size": 1, "source": "kc"}]);
        writer
            .append(
                now(),
                &[(
                    RecordType::Outcome,
                    json!({"intent": "i", "evidence": evidence}),
                )],
            )
            .unwrap();
    }
    let text = failures(&place.verify());
    assert_eq!(text.matches("is named by no SHA-256").count(), 3, "{text}");
}
