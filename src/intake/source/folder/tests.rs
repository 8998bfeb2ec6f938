use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;

use super::*;
use crate::intake::store::Store;

fn finding(uid: &str) -> String {
    format!(
        r#"{{"class_uid":2004,"activity_id":1,"severity_id":5,"time":1790000000000,"metadata":{{"version":"1.4.0"}},"finding_info":{{"uid":"{uid}","title":"T"}}}}"#
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

struct Place {
    dir: tempfile::TempDir,
    store: LockedStore,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("drop")).unwrap();
        let store = LockedStore::new(Store::open(&dir.path().join("state")).unwrap());
        Self { dir, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("drop").join(name)
    }

    /// Puts a file in as a producer does: whole, by renaming.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let temporary = self.path(".writing");
        fs::write(&temporary, bytes).unwrap();
        fs::rename(temporary, self.path(name)).unwrap();
    }

    fn folder(&self, after: AfterReading) -> Folder {
        Folder::new(
            "s".to_owned(),
            self.dir.path().join("drop"),
            Decoding::plain(),
            after,
        )
    }

    fn read(&self) {
        self.folder(AfterReading::Keep)
            .read_all(&self.store)
            .unwrap();
    }

    fn stored(&self) -> Vec<(String, u64)> {
        let rows = self.store.lock().alerts(10_000).unwrap();
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| (row.alert.own_id().to_owned(), row.count))
            .collect();
        rows.sort();
        rows
    }

    fn reasons(&self) -> Vec<String> {
        let kept = self.store.lock().quarantine(100).unwrap();
        kept.into_iter().map(|piece| piece.reason).collect()
    }
}

fn once(ids: &[&str]) -> Vec<(String, u64)> {
    ids.iter().map(|id| ((*id).to_owned(), 1)).collect()
}

#[test]
fn lines_documents_and_packed_files_are_read_once() {
    let place = Place::new();
    place.put("1.jsonl", format!("{}\n{}", finding("a"), finding("b")));
    place.put(
        "2.json",
        serde_json::to_string_pretty(
            &serde_json::from_str::<serde_json::Value>(&finding("c")).unwrap(),
        )
        .unwrap(),
    );
    place.put(
        "3.jsonl.gz",
        gzip(format!("{}\n{}\n", finding("d"), finding("e")).as_bytes()),
    );
    place.put(
        "4.json.gz",
        gzip(format!("[{},\n{}]", finding("f"), finding("g")).as_bytes()),
    );
    place.put("5.empty", "");
    fs::write(place.path("6.tmp"), finding("x")).unwrap();
    fs::write(place.path(".7"), finding("x")).unwrap();
    std::os::unix::fs::symlink(place.path("1.jsonl"), place.path("8.link")).unwrap();
    for _ in 0..2 {
        place.read();
        assert_eq!(place.stored(), once(&["a", "b", "c", "d", "e", "f", "g"]));
    }
    assert_eq!(place.reasons(), Vec::<String>::new());
    // Another file of the same name is another file.
    place.put("2.json", finding("h"));
    place.read();
    assert_eq!(place.stored().len(), 8);
    // What is gone is forgotten.
    fs::remove_file(place.path("1.jsonl")).unwrap();
    place.put("9.json", finding("i"));
    place.read();
    let Some(Cursor::Folder(cursor)) = place.store.lock().cursor("s").unwrap() else {
        panic!("no cursor");
    };
    assert!(!cursor.done.contains_key("1.jsonl") && cursor.done.contains_key("9.json"));
}

#[rstest]
#[case::plain(false)]
#[case::packed(true)]
fn a_crash_in_a_long_file_reads_on(#[case] packed: bool) {
    let place = Place::new();
    let count = crate::intake::source::batch::MOST_LINES + 500;
    let text: String = (0..count)
        .map(|n| finding(&format!("n{n:04}")) + "\n")
        .collect();
    let bytes = if packed {
        gzip(text.as_bytes())
    } else {
        text.into_bytes()
    };
    place.put("long", bytes);
    // One step, then another process.
    let mut folder = place.folder(AfterReading::Keep);
    folder.step(&place.store).unwrap();
    let begun = place.stored().len();
    assert!((1..count).contains(&begun), "{begun}");
    place.read();
    let stored = place.stored();
    assert_eq!(stored.len(), count);
    assert!(stored.iter().all(|(_, count)| *count == 1));
}

#[test]
fn stored_files_are_removed_where_that_is_wanted() {
    let place = Place::new();
    place.put("1.jsonl", finding("a"));
    place.read();
    assert!(place.path("1.jsonl").exists());
    // As after a crash between storing and removing.
    place.put("2.jsonl", finding("b"));
    place
        .folder(AfterReading::Remove)
        .read_all(&place.store)
        .unwrap();
    assert_eq!(
        fs::read_dir(place.dir.path().join("drop")).unwrap().count(),
        0
    );
    assert_eq!(place.stored(), once(&["a", "b"]));
}

/// What could not be kept whole is nowhere else than in its file.
#[rstest]
#[case::cut(gzip((finding("a") + "\n" + &"x".repeat(90_000)).as_bytes())[..180].to_vec(), true)]
#[case::long_line([finding("a").as_bytes(), b"\n", &vec![b'x'; (1 << 20) + 5]].concat(), true)]
#[case::long_document([b"[", finding("a").as_bytes(), &vec![b' '; 2 << 20], b",{}]"].concat(), true)]
#[case::a_bad_line_that_is_kept([finding("a").as_bytes(), b"\n{}"].concat(), false)]
fn a_file_that_could_not_be_stored_whole_is_not_removed(
    #[case] bytes: Vec<u8>,
    #[case] stays: bool,
) {
    let place = Place::new();
    place.put("bad", bytes);
    place.put("good", finding("b"));
    for _ in 0..2 {
        place
            .folder(AfterReading::Remove)
            .read_all(&place.store)
            .unwrap();
        assert_eq!(place.path("bad").exists(), stays);
        assert!(!place.path("good").exists());
        assert_eq!(place.reasons().len(), 1);
    }
    // Another file of that name is read, and goes.
    place.put("bad", finding("c"));
    place
        .folder(AfterReading::Remove)
        .read_all(&place.store)
        .unwrap();
    assert!(!place.path("bad").exists());
    assert_eq!(place.stored().iter().filter(|(id, _)| id == "c").count(), 1);
}

/// A sender with one name for all its files puts in the next one before the last was read to its end.
#[test]
fn a_file_that_came_by_the_name_of_one_that_was_read_is_not_removed_unread() {
    let place = Place::new();
    let count = crate::intake::source::batch::MOST_LINES + 500;
    let text = |from: &str| -> String {
        (0..count)
            .map(|n| finding(&format!("{from}{n:04}")) + "\n")
            .collect()
    };
    place.put("report", text("a"));
    let mut folder = place.folder(AfterReading::Remove);
    folder.step(&place.store).unwrap();
    place.put("report", text("b"));
    folder.read_all(&place.store).unwrap();
    assert_eq!(place.stored().len(), 2 * count);
    assert!(!place.path("report").exists());
}

/// That something was left out is remembered over a restart in the middle of a file.
#[test]
fn a_long_file_with_a_line_that_is_too_long_stays_after_a_restart() {
    let place = Place::new();
    let count = crate::intake::source::batch::MOST_LINES + 500;
    let mut text = finding("first") + "\n" + &"x".repeat((1 << 20) + 5) + "\n";
    text.extend((0..count).map(|n| finding(&format!("n{n:04}")) + "\n"));
    place.put("long", text);
    place
        .folder(AfterReading::Remove)
        .step(&place.store)
        .unwrap();
    assert!((2..count).contains(&place.stored().len()));
    place
        .folder(AfterReading::Remove)
        .read_all(&place.store)
        .unwrap();
    assert_eq!(place.stored().len(), count + 1);
    assert!(place.path("long").exists());
}

/// Bad files, and what is said about them. The others are read.
#[rstest]
#[case::no_json(b"hello".to_vec(), "expected value")]
#[case::not_utf8(b"{\"a\":\"\xff\"}".to_vec(), "not UTF-8 from byte 6 on")]
#[case::cut(gzip(finding("x").as_bytes())[..40].to_vec(), "bad: cannot be read on")]
#[case::bomb(gzip(&vec![b' '; (64 << 20) + 2]), "bad: more than 64 MiB in one document")]
#[case::long_line(vec![b'x'; (1 << 20) + 5], "")]
fn bad_files(#[case] bytes: Vec<u8>, #[case] message: &str) {
    let place = Place::new();
    place.put("bad", bytes);
    place.put("good", finding("a"));
    for _ in 0..2 {
        place.read();
        assert_eq!(place.stored(), once(&["a"]));
        let reasons = place.reasons();
        assert!(
            reasons.len() == 1 && reasons[0].contains(message),
            "{reasons:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_put_in_is_noticed_and_a_missing_folder_is_told() {
    let place = Place::new();
    let missing = place.dir.path().join("later");
    let (tx, mut events) = tokio::sync::mpsc::channel(9);
    let cancel = CancellationToken::new();
    let folder = Folder::new(
        "s".to_owned(),
        missing,
        Decoding::plain(),
        AfterReading::Keep,
    );
    let store = Arc::new(LockedStore::new(
        Store::open(&place.dir.path().join("other")).unwrap(),
    ));
    let running = tokio::spawn(folder.run(Arc::clone(&store), tx.clone(), cancel.clone()));
    let first = events.recv().await.unwrap();
    assert!(
        matches!(&first, IntakeEvent::Source { state: SourceState::Failed(reason), .. } if reason.contains("No such file")),
        "{first:?}"
    );
    cancel.cancel();
    running.await.unwrap();

    let cancel = CancellationToken::new();
    let running = tokio::spawn(
        place
            .folder(AfterReading::Keep)
            .run(store, tx, cancel.clone()),
    );
    let state = events.recv().await.unwrap();
    assert!(
        matches!(
            state,
            IntakeEvent::Source {
                state: SourceState::Following,
                ..
            }
        ),
        "{state:?}"
    );
    place.put("1", finding("a"));
    let alerts = events.recv().await.unwrap();
    assert!(
        matches!(&alerts, IntakeEvent::Alerts(rows) if rows.len() == 1),
        "{alerts:?}"
    );
    cancel.cancel();
    running.await.unwrap();
}
