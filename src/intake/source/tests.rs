//! The running sources: notices, back-pressure, ends. How files are read is tested in `follow`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

use super::*;

/// Long enough that only a test that hangs reaches it.
const HANG: Duration = Duration::from_secs(30);

pub(super) fn line(id: &str) -> String {
    format!("{{\"class_uid\":2004,\"finding_info\":{{\"uid\":\"{id}\"}}}}\n")
}

pub(super) fn append(path: &Path, text: &[u8]) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text).unwrap();
}

struct Running {
    _state: tempfile::TempDir,
    store: Arc<LockedStore>,
    rx: Receiver<IntakeEvent>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn file(path: &Path, capacity: usize) -> Self {
        let settings = SourceSettings::File {
            name: "s".to_owned(),
            path: path.to_owned(),
            format: None,
        };
        let state = tempfile::tempdir().unwrap();
        let store = Arc::new(LockedStore::new(Store::open(state.path()).unwrap()));
        let (tx, rx) = channel(capacity);
        let cancel = CancellationToken::new();
        let task = tokio::spawn(run(
            settings,
            Arc::clone(Decoders::shipped()),
            Arc::clone(&store),
            tx,
            cancel.clone(),
        ));
        Self {
            _state: state,
            store,
            rx,
            cancel,
            task,
        }
    }

    async fn next(&mut self) -> IntakeEvent {
        tokio::time::timeout(HANG, self.rx.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// Waits for a state and returns the ids that arrived before it.
    async fn until(&mut self, wanted: &SourceState) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            match self.next().await {
                IntakeEvent::Source { state, .. } if state == *wanted => return ids,
                IntakeEvent::Alerts(alerts) => ids.extend(ids_of(&alerts)),
                _ => {}
            }
        }
    }

    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            if let IntakeEvent::Alerts(alerts) = self.next().await {
                ids.extend(ids_of(&alerts));
            }
        }
        ids
    }

    async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(HANG, self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

fn ids_of(alerts: &[StoredAlert]) -> Vec<String> {
    alerts
        .iter()
        .map(|a| a.alert.id.as_str().trim_start_matches("s/").to_owned())
        .collect()
}

fn temp(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    (dir, path)
}

#[tokio::test]
async fn lines_arrive_as_they_are_written_and_through_a_rotation() {
    let (_dir, path) = temp("alerts.jsonl");
    append(&path, line("a").as_bytes());
    let mut running = Running::file(&path, 8);
    assert_eq!(running.until(&SourceState::Following).await, ["a"]);
    append(&path, line("b").as_bytes());
    assert_eq!(running.ids(1).await, ["b"]);
    fs::rename(&path, path.with_extension("jsonl.1")).unwrap();
    append(&path, line("c").as_bytes());
    assert_eq!(running.ids(1).await, ["c"]);
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    append(&path, line("d").as_bytes());
    assert_eq!(running.ids(1).await, ["d"]);
    running.stop().await;
}

#[tokio::test]
async fn a_file_and_its_directory_may_come_later() {
    let (dir, path) = temp("later/still/alerts.jsonl");
    let mut running = Running::file(&path, 8);
    let waiting = format!("{} does not exist yet", path.display());
    assert_eq!(
        running.until(&SourceState::Waiting(waiting)).await,
        Vec::<String>::new()
    );
    fs::create_dir(dir.path().join("later")).unwrap();
    fs::create_dir(dir.path().join("later/still")).unwrap();
    append(&path, line("a").as_bytes());
    assert_eq!(running.until(&SourceState::Following).await, ["a"]);
    running.stop().await;
}

#[tokio::test]
async fn a_link_is_followed_to_its_target() {
    let (dir, path) = temp("link.jsonl");
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    let target = dir.path().join("elsewhere/target.log");
    append(&target, b"");
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let mut running = Running::file(&path, 8);
    running.until(&SourceState::Following).await;
    append(&target, line("a").as_bytes());
    assert_eq!(running.ids(1).await, ["a"]);
    running.stop().await;
}

#[tokio::test]
async fn a_full_channel_holds_reading_back_and_loses_nothing() {
    let (_dir, path) = temp("alerts.jsonl");
    let total = 5_000;
    let text: String = (0..total).map(|i| line(&i.to_string())).collect();
    append(&path, text.as_bytes());
    let mut running = Running::file(&path, 1);
    let first = running.ids(1).await.len();
    // One batch told, one in the channel, one waiting to be told: the rest is not even read.
    assert!(running.store.lock().counts().unwrap().alerts <= 3 * batch::MOST_LINES as u64);
    let rest = running.ids(total - first).await;
    assert_eq!(first + rest.len(), total);
    assert_eq!(rest.last().unwrap(), &(total - 1).to_string());
    running.stop().await;
}

#[tokio::test]
async fn unreadable_lines_are_told_and_the_rest_goes_on() {
    let (_dir, path) = temp("alerts.jsonl");
    append(&path, b"{\"a\":\xff}\nnonsense\n");
    append(&path, line("a").as_bytes());
    let mut running = Running::file(&path, 8);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.push(running.next().await);
    }
    assert!(matches!(&seen[0], IntakeEvent::Alerts(alerts) if alerts.len() == 1));
    let IntakeEvent::Quarantined {
        total, last_reason, ..
    } = &seen[1]
    else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (*total, last_reason.as_str()),
        (2, "not JSON: expected ident at line 1 column 2")
    );
    running.stop().await;
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_is_said() {
    let (dir, _) = temp("x");
    let mut running = Running::file(dir.path(), 8);
    let reason = format!("{}: not a regular file", dir.path().display());
    running.until(&SourceState::Failed(reason)).await;
    running.stop().await;
}

#[tokio::test]
async fn nobody_listening_ends_it() {
    let (_dir, path) = temp("alerts.jsonl");
    append(&path, line("a").as_bytes());
    let Running { rx, task, .. } = Running::file(&path, 1);
    drop(rx);
    tokio::time::timeout(HANG, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn standard_input_is_read_to_its_end() {
    let state = tempfile::tempdir().unwrap();
    let store = Arc::new(LockedStore::new(Store::open(state.path()).unwrap()));
    let (tx, mut rx) = channel(1);
    let input = format!("{}oops\n{}", line("a"), line("b").trim_end());
    let cancel = CancellationToken::new();
    let input = std::io::Cursor::new(input.into_bytes());
    tokio::spawn(stdin::run(
        input,
        "s".to_owned(),
        Decoding::plain(),
        Arc::clone(&store),
        tx,
        cancel,
    ));
    let mut events = Vec::new();
    while let Some(event) = tokio::time::timeout(HANG, rx.recv()).await.unwrap() {
        events.push(event);
    }
    let state = |state| IntakeEvent::Source {
        source: "s".to_owned(),
        state,
    };
    assert_eq!(events.first(), Some(&state(SourceState::Following)));
    assert_eq!(events.last(), Some(&state(SourceState::Ended)));
    let counts = store.lock().counts().unwrap();
    assert_eq!((counts.alerts, counts.quarantined), (2, 1));
}

#[test]
fn catching_up_reads_what_is_there_once() {
    let (_dir, path) = temp("alerts.jsonl");
    let state = tempfile::tempdir().unwrap();
    let store = Arc::new(LockedStore::new(Store::open(state.path()).unwrap()));
    let settings = SourceSettings::File {
        name: "s".to_owned(),
        path: path.clone(),
        format: None,
    };
    assert_eq!(
        read_once(&settings, Decoders::shipped(), &store).unwrap(),
        CaughtUp::default()
    );
    append(
        &path,
        format!("{}bad\n{}", line("a"), line("b").trim_end()).as_bytes(),
    );
    let done = read_once(&settings, Decoders::shipped(), &store).unwrap();
    assert_eq!(
        done,
        CaughtUp {
            new: 2,
            touched: 2,
            quarantined: 1
        }
    );
    assert_eq!(
        read_once(&settings, Decoders::shipped(), &store).unwrap(),
        CaughtUp::default()
    );
    append(&path, format!("\n{}", line("c")).as_bytes());
    assert_eq!(
        read_once(&settings, Decoders::shipped(), &store)
            .unwrap()
            .new,
        1
    );
    assert_eq!(store.lock().counts().unwrap().arrivals, 3);
}
