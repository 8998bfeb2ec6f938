use std::os::unix::fs::MetadataExt as _;

use tokio::sync::mpsc;

use super::*;
use crate::intake::store::Store;

fn finding(uid: &str) -> String {
    format!(
        r#"{{"class_uid":2004,"activity_id":1,"severity_id":5,"time":1790000000000,"metadata":{{"version":"1.4.0"}},"finding_info":{{"uid":"{uid}","title":"T"}}}}"#
    )
}

struct Place {
    path: PathBuf,
    store: Arc<LockedStore>,
    events: mpsc::Receiver<IntakeEvent>,
    cancel: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.sock");
        // Somebody was killed while listening there.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let store = Arc::new(LockedStore::new(
            Store::open(&dir.path().join("state")).unwrap(),
        ));
        let (tx, mut events) = mpsc::channel(1_000);
        let cancel = CancellationToken::new();
        let running = tokio::spawn(run(
            "sock".to_owned(),
            path.clone(),
            Decoding::plain(),
            Arc::clone(&store),
            tx,
            cancel.clone(),
        ));
        let first = events.recv().await.unwrap();
        assert!(
            matches!(
                first,
                IntakeEvent::Source {
                    state: SourceState::Following,
                    ..
                }
            ),
            "{first:?}"
        );
        Self {
            path,
            store,
            events,
            cancel,
            running,
            dir,
        }
    }

    async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.trim().to_owned()
    }

    fn stored(&self) -> usize {
        self.store.lock().alerts(1_000).unwrap().len()
    }
}

#[tokio::test]
async fn senders_are_told_what_is_stored() {
    let mut place = Place::new().await;
    assert_eq!(
        std::fs::metadata(&place.path).unwrap().mode() & 0o777,
        0o600
    );
    let text = format!("{}\n{}", finding("a"), finding("b"));
    assert_eq!(
        place.send(text.as_bytes()).await,
        r#"{"alerts":2,"unreadable":0}"#
    );
    assert_eq!(place.stored(), 2);
    let state = place.events.recv().await.unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let words = format!("last sender uid {uid}, process {}", std::process::id());
    assert!(
        matches!(&state, IntakeEvent::Source { state: SourceState::Served(text), .. } if *text == words),
        "{state:?}"
    );
    let all: Vec<String> = (0..20).map(|n| finding(&format!("n{n}"))).collect();
    let sent = futures::future::join_all(all.iter().map(|line| place.send(line.as_bytes()))).await;
    assert!(
        sent.iter()
            .all(|answer| answer == r#"{"alerts":1,"unreadable":0}"#),
        "{sent:?}"
    );
    assert_eq!(place.stored(), 22);
    place.cancel.cancel();
    place.running.await.unwrap();
    assert!(!place.path.exists());
}

#[tokio::test]
async fn bad_lines_are_kept_and_the_others_stored() {
    let place = Place::new().await;
    let long = vec![b'x'; (1 << 20) + 1];
    let good = finding("a").into_bytes();
    let lines: [&[u8]; 5] = [b"hello", &long, b"\xff\xfe", b"", &good];
    assert_eq!(
        place.send(&lines.join(&b'\n')).await,
        r#"{"alerts":1,"unreadable":3}"#
    );
    let kept = place.store.lock().quarantine(9).unwrap();
    let reasons: Vec<&str> = kept.iter().map(|k| k.reason.as_str()).collect();
    assert!(
        reasons[0].contains("not UTF-8 from byte 0 on"),
        "{reasons:?}"
    );
    assert!(reasons[1].contains("more than the 1 MiB"), "{reasons:?}");
    assert_eq!(reasons.len(), 3);
}

#[tokio::test]
async fn what_is_no_socket_or_another_s_is_left_alone() {
    let place = Place::new().await;
    let error = bind(&place.path).err().unwrap().to_string();
    assert!(error.contains("another process listens there"), "{error}");
    let file = place.dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = bind(&file).err().unwrap().to_string();
    assert!(error.contains("which is no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "x");
}

#[tokio::test]
async fn a_silent_sender_gives_its_place_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.sock");
    let store = Arc::new(LockedStore::new(
        Store::open(&dir.path().join("state")).unwrap(),
    ));
    let (tx, mut events) = mpsc::channel(1_000);
    let cancel = CancellationToken::new();
    let desk = Desk {
        name: "sock".to_owned(),
        decoding: Decoding::plain(),
        store: store.clone(),
        tx,
        cancel: cancel.clone(),
        silence: Duration::from_secs(1),
    };
    let running = tokio::spawn(listen(Arc::new(desk), path.clone()));
    assert!(events.recv().await.is_some(), "it listens");
    let mut sender = UnixStream::connect(&path).await.unwrap();
    let line = format!("{}\n", finding("a"));
    sender.write_all(line.as_bytes()).await.unwrap();
    let mut answer = String::new();
    sender.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.contains("it sent nothing for 1 s; 1 of its alerts are stored"),
        "{answer}"
    );
    assert_eq!(store.lock().counts().unwrap().alerts, 1);
    cancel.cancel();
    running.await.unwrap();
}
