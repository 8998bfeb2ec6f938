use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;

use super::super::fs::How;
use super::super::layout::LogDir;
use super::super::writer::Health;
use super::*;

#[test]
fn what_is_written_verifies_and_reads_back() {
    let place = Place::new();
    let (mut writer, opened) = place.open();
    assert_eq!(
        opened,
        Opened {
            origin: "soc.example/jump1/alice".into(),
            recovered: None,
            damaged: None,
            kept: 0,
            peers: vec![],
        }
    );
    write(&mut writer, &["one", "two"]);
    write(&mut writer, &["three"]);
    let written = writer
        .append(now(), &[(RecordType::View, json!({"text": "four"}))])
        .unwrap();
    // Genesis, checkpoint, one, two, checkpoint, three, checkpoint.
    assert_eq!(written[0].seq, 7);
    assert_eq!(place.notes(), ["one", "two", "three", "four"]);
    let report = place.verify();
    assert!(report.intact(), "{report:?}");
    assert_eq!(
        (
            report.warnings(),
            report.logs[0].records,
            report.exit_code(Some(Timestamp::MAX))
        ),
        (0, 9, 0)
    );
    let (entries, _) = super::super::read_store(&place.store());
    assert_eq!(
        (entries[1].actor.as_str(), entries[1].log.as_str()),
        ("alice@jump1", "soc.example/jump1/alice")
    );
}

#[test]
fn goes_on_after_reopening() {
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    write(&mut place.open().0, &["two"]);
    assert_eq!(place.notes(), ["one", "two"]);
    assert!(place.verify().intact());
}

#[test]
fn nobody_else_can_read_it() {
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    let mode = |p: PathBuf| p.metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode(place.store()), mode(place.log())), (0o700, 0o700));
    for name in ["00000000000000000000.jsonl", "checkpoint", "lock"] {
        assert_eq!(mode(place.log().join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_shared_store_lets_the_group_read() {
    let place = Place::new();
    std::fs::create_dir(place.store()).unwrap();
    let shared = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o2770);
    std::fs::set_permissions(place.store(), shared).unwrap();
    write(&mut place.open().0, &["one"]);
    let mode = |p: PathBuf| p.metadata().unwrap().mode() & 0o777;
    assert_eq!((mode(place.log()), mode(place.segment())), (0o750, 0o640));
}

#[test]
fn two_consoles_of_one_user_share_one_log() {
    let place = Place::new();
    drop(place.open());
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let (place, done) = (&place, &done);
            scope.spawn(move || {
                let (mut writer, _) = place.open();
                for i in 0..40 {
                    write(&mut writer, &[&format!("{name}{i}")]);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let notes = place.notes();
    assert_eq!((notes.len(), done.into_inner()), (80, 80));
    for name in ["a", "b"] {
        let own: Vec<_> = notes
            .iter()
            .filter(|n| n.starts_with(name))
            .cloned()
            .collect();
        let want: Vec<_> = (0..40).map(|i| format!("{name}{i}")).collect();
        assert_eq!(own, want);
    }
    assert!(place.verify().intact());
}

#[test]
fn a_lock_that_is_held_refuses_and_names_the_holder() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let lock = std::fs::File::open(place.log().join("lock")).unwrap();
    lock.lock().unwrap();
    let error = writer.append(now(), &[note("one")]).unwrap_err();
    assert!(
        matches!(&error, JournalError::Locked { holder, .. } if holder.starts_with("process ")),
        "{error}"
    );
    lock.unlock().unwrap();
    write(&mut writer, &["two"]);
    assert_eq!(place.notes(), ["two"]);
}

#[test]
fn a_bad_record_in_a_batch_writes_nothing() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let bad = (RecordType::Note, json!({"prev": "x"}));
    assert!(writer.append(now(), &[note("one"), bad]).is_err());
    write(&mut writer, &["two"]);
    assert_eq!(place.notes(), ["two"]);
}

#[test]
fn another_key_or_site_is_refused() {
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    let mut config = place.config();
    config.keys = place.dir.path().join("other");
    let error = Writer::open_as(config, actor("alice"), Arc::new(Real), now()).unwrap_err();
    assert!(matches!(error, JournalError::OtherKey { .. }), "{error}");
    let mut config = place.config();
    config.site = "elsewhere".into();
    let error = Writer::open_as(config.clone(), actor("alice"), Arc::new(Real), now()).unwrap_err();
    assert!(matches!(error, JournalError::OtherSite { .. }), "{error}");
    config.site = "a b".into();
    let error = Writer::open_as(config, actor("alice"), Arc::new(Real), now()).unwrap_err();
    assert!(matches!(error, JournalError::Site(_)), "{error}");
}

#[rstest]
#[case(0x6969, "NFS")]
#[case(0xff53_4d42, "CIFS")]
#[case(0x6573_5546, "FUSE")]
fn network_file_systems_are_refused_unless_allowed(#[case] magic: u64, #[case] name: &str) {
    struct Far(u64);
    impl Fs for Far {
        fn magic(&self, _: &std::fs::File) -> std::io::Result<u64> {
            Ok(self.0)
        }
    }
    let place = Place::new();
    let mut config = place.config();
    config.allow_network_fs = false;
    let open = |config| Writer::open_as(config, actor("alice"), Arc::new(Far(magic)), now());
    let error = open(config).unwrap_err().to_string();
    assert!(
        error.contains(name) && error.contains("allow_network_fs"),
        "{error}"
    );
    assert!(open(place.config()).is_ok());
}

#[test]
fn planted_files_are_not_written_to() {
    let place = Place::new();
    drop(place.open());
    let victim = place.dir.path().join("victim");
    put(&victim, b"precious");
    for link in [true, false] {
        std::fs::remove_file(place.segment()).unwrap();
        std::fs::remove_file(place.log().join("checkpoint")).ok();
        if link {
            std::os::unix::fs::symlink(&victim, place.segment()).unwrap();
        } else {
            std::fs::hard_link(&victim, place.segment()).unwrap();
        }
        assert!(place.try_open(Arc::new(Real)).is_err());
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }
}

#[test]
fn room_is_reserved_without_changing_the_log() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    let before = std::fs::read(place.segment()).unwrap();
    writer.reserve(3).unwrap();
    assert_eq!(std::fs::read(place.segment()).unwrap(), before);
    write(&mut writer, &["one"]);
    assert!(place.verify().intact());
}

#[test]
fn blobs_are_named_by_their_hash() {
    let place = Place::new();
    let (writer, _) = place.open();
    let blob = writer.shelf().put(b"evidence").unwrap();
    assert_eq!(writer.shelf().put(b"evidence").unwrap(), blob);
    let path = place
        .log()
        .join("blobs")
        .join(&blob.sha256[..2])
        .join(&blob.sha256);
    assert_eq!(std::fs::read(&path).unwrap(), b"evidence");
    assert_eq!(
        (
            blob.size,
            std::fs::read_dir(path.parent().unwrap()).unwrap().count()
        ),
        (8, 1)
    );
}

/// A crash may leave a name with nothing, or half of it, behind.
#[rstest]
#[case(b"")]
#[case(b"evid")]
#[case(b"EVIDENCE")]
fn what_stands_at_the_name_of_evidence_is_not_trusted(#[case] torn: &[u8]) {
    let place = Place::new();
    let (writer, _) = place.open();
    let blob = writer.shelf().put(b"evidence").unwrap();
    let dir = place.log().join("blobs").join(&blob.sha256[..2]);
    std::fs::write(dir.join(&blob.sha256), torn).unwrap();
    assert_eq!(writer.shelf().put(b"evidence").unwrap(), blob);
    assert_eq!(std::fs::read(dir.join(&blob.sha256)).unwrap(), b"evidence");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn the_same_evidence_is_kept_by_many_at_once() {
    let place = Place::new();
    let (writer, _) = place.open();
    let shelf = writer.shelf();
    let many: Vec<_> = (0..16)
        .map(|n| {
            let shelf = shelf.clone();
            std::thread::spawn(move || shelf.put(if n % 2 == 0 { b"even" } else { b"uneven" }))
        })
        .collect();
    let kept = many.into_iter().map(|one| one.join().unwrap().unwrap());
    for blob in kept.collect::<Vec<_>>() {
        let dir = place.log().join("blobs").join(&blob.sha256[..2]);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        let bytes = std::fs::read(dir.join(&blob.sha256)).unwrap();
        assert_eq!(crate::domain::plan::sha256_hex(&bytes), blob.sha256);
    }
}

#[test]
fn large_logs_go_on_in_a_new_segment() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    writer
        .begin_segment(now(), &json!({"reason": "size"}))
        .unwrap();
    write(&mut writer, &["two"]);
    assert_eq!(
        std::fs::read_dir(place.log())
            .unwrap()
            .flatten()
            .filter(|e| e.path().extension().is_some())
            .count(),
        2
    );
    write(&mut place.open().0, &["three"]);
    assert_eq!(place.notes(), ["one", "two", "three"]);
    let report = place.verify();
    assert!(
        report.intact() && report.logs[0].segments == 2,
        "{report:?}"
    );
}

#[test]
fn the_signing_key_never_leaves_its_file() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    let pem = std::fs::read_to_string(place.dir.path().join("keys/jump1.pem")).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    let seed = &secret[secret.len() - 40..];
    let mut said = format!("{writer:?}{:?}", writer.health());
    for file in ["00000000000000000000.jsonl", "checkpoint", "lock"] {
        said.push_str(&String::from_utf8(std::fs::read(place.log().join(file)).unwrap()).unwrap());
    }
    said.push_str(&std::fs::read_to_string(place.store().join("store.json")).unwrap());
    assert!(!said.contains(seed));
    assert_eq!(writer.health(), Health::Ok);
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    // Only its owner check can be shown without being root: files in a log must belong to the log's owner.
    let place = Place::new();
    drop(place.open());
    let mut log = LogDir::make(Arc::new(Real), &place.store(), "jump1", "alice", true).unwrap();
    log.owner += 1;
    assert!(matches!(
        log.open("lock", How::Read),
        Err(JournalError::Foreign { .. })
    ));
}
