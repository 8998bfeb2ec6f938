use std::sync::atomic::Ordering;

use rstest::rstest;
use rustix::io::Errno;

use super::super::fault::Faulty;
use super::super::writer::Health;
use super::*;

/// Every system call of opening and three writes fails once, in every given way. What was acknowledged is there
/// afterwards, the log verifies, and writing goes on.
#[rstest]
#[case(Errno::IO, false, false)]
#[case(Errno::NOSPC, false, false)]
#[case(Errno::NOSPC, false, true)]
#[case(Errno::NOSPC, true, true)]
#[case(Errno::IO, true, false)]
#[case(Errno::ACCESS, false, false)]
#[case(Errno::DQUOT, true, false)]
#[case(Errno::ROFS, true, false)]
fn the_kth_call_fails(
    #[case] error: Errno,
    #[case] sticky: bool,
    #[case] short: bool,
    #[values(false, true)] room: bool,
) {
    for existing in [false, true] {
        for k in 0.. {
            let place = Place::new();
            if existing {
                write(&mut place.open().0, &["zero"]);
            }
            let fs = Arc::new(Faulty {
                sticky,
                short,
                ..Faulty::new(k, error)
            });
            let mut acknowledged: Vec<&str> = if existing { vec!["zero"] } else { Vec::new() };
            if let Ok((mut writer, _)) = place.try_open(fs.clone()) {
                if room {
                    writer.keep_room(0, 1500);
                }
                for text in ["one", "two", "three"] {
                    let _ = writer.reserve(1);
                    if writer.append(now(), &[note(text)]).is_ok() {
                        acknowledged.push(text);
                    }
                }
            }
            let fired = fs.fired();
            let (mut writer, opened) = place.open();
            let notes = place.notes();
            let kept: Vec<_> = notes
                .iter()
                .filter(|n| acknowledged.contains(&n.as_str()))
                .collect();
            assert_eq!(kept, acknowledged, "call {k}: {notes:?}");
            assert_eq!(opened.damaged, None, "call {k}");
            write(&mut writer, &["after"]);
            let report = place.verify();
            assert!(report.intact(), "call {k}: {report:?}");
            if !fired {
                assert!(k > 20, "only {k} calls were made to fail");
                break;
            }
        }
    }
}

#[test]
fn an_interrupted_write_is_tried_again() {
    let place = Place::new();
    drop(place.open());
    let probe = Arc::new(Faulty::new(usize::MAX, Errno::INTR));
    let (mut writer, _) = place.try_open(probe.clone()).unwrap();
    let before = probe.calls.load(Ordering::Relaxed);
    write(&mut writer, &["one"]);
    let calls = probe.calls.load(Ordering::Relaxed) - before;
    for k in 0..calls {
        let fs = Arc::new(Faulty::new(before + k, Errno::INTR));
        let Ok((mut writer, _)) = place.try_open(fs) else {
            continue;
        };
        // Whether it is tried again or refused depends on the call; the log is whole either way.
        let _ = writer.append(now(), &[note("two")]);
        assert!(place.verify().intact(), "call {k}");
    }
}

/// Lets everything pass but what the test says.
struct Breaks {
    sync: std::sync::atomic::AtomicBool,
    truncate: std::sync::atomic::AtomicBool,
    short: std::sync::atomic::AtomicBool,
}

impl Breaks {
    fn nothing() -> Arc<Self> {
        Arc::new(Self {
            sync: false.into(),
            truncate: false.into(),
            short: false.into(),
        })
    }
}

impl Fs for Breaks {
    fn sync(&self, file: &std::fs::File) -> std::io::Result<()> {
        if self.sync.load(Ordering::Relaxed) {
            Err(Errno::IO.into())
        } else {
            Real.sync(file)
        }
    }
    fn truncate(&self, file: &std::fs::File, len: u64) -> std::io::Result<()> {
        if self.truncate.load(Ordering::Relaxed) {
            Err(Errno::IO.into())
        } else {
            Real.truncate(file, len)
        }
    }
    fn write_at(&self, file: &std::fs::File, bytes: &[u8], at: u64) -> std::io::Result<usize> {
        let n = if self.short.load(Ordering::Relaxed) {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        Real.write_at(file, &bytes[..n], at)
    }
}

#[test]
fn a_failed_sync_poisons_and_the_next_console_begins_a_segment() {
    let place = Place::new();
    let fs = Breaks::nothing();
    let (mut writer, _) = place.try_open(fs.clone()).unwrap();
    write(&mut writer, &["one"]);
    fs.sync.store(true, Ordering::Relaxed);
    assert!(writer.append(now(), &[note("lost")]).is_err());
    // The second sync would succeed without the data, so it is never asked for.
    fs.sync.store(false, Ordering::Relaxed);
    let error = writer.append(now(), &[note("refused")]).unwrap_err();
    assert!(matches!(error, JournalError::Poisoned(_)), "{error}");
    assert!(matches!(writer.health(), Health::Blocked(_)));
    let (mut next, opened) = place.open();
    assert_eq!(opened.damaged, None);
    write(&mut next, &["two"]);
    assert_eq!(place.verify().logs[0].segments, 2);
    assert!(place.verify().intact());
    assert!(!place.log().join("poisoned").exists());
}

#[test]
fn a_short_write_is_taken_back() {
    let place = Place::new();
    let fs = Breaks::nothing();
    let (mut writer, _) = place.try_open(fs.clone()).unwrap();
    let before = std::fs::read(place.segment()).unwrap();
    fs.short.store(true, Ordering::Relaxed);
    let error = writer.append(now(), &[note("lost")]).unwrap_err();
    assert!(matches!(error, JournalError::ShortWrite { .. }), "{error}");
    assert_eq!(std::fs::read(place.segment()).unwrap(), before);
    fs.short.store(false, Ordering::Relaxed);
    write(&mut writer, &["one"]);
    assert_eq!(place.notes(), ["one"]);
}

#[test]
fn a_short_write_that_cannot_be_taken_back_poisons() {
    let place = Place::new();
    let fs = Breaks::nothing();
    let (mut writer, _) = place.try_open(fs.clone()).unwrap();
    fs.short.store(true, Ordering::Relaxed);
    fs.truncate.store(true, Ordering::Relaxed);
    assert!(writer.append(now(), &[note("lost")]).is_err());
    assert!(matches!(
        writer.append(now(), &[note("x")]),
        Err(JournalError::Poisoned(_))
    ));
    let (mut next, opened) = place.open();
    assert!(opened.recovered.is_some());
    write(&mut next, &["one"]);
    assert_eq!(place.notes(), ["one"]);
    assert!(place.verify().intact());
}

/// Has no room left.
struct Full;
impl Fs for Full {
    fn reserve(&self, _: &std::fs::File, _: u64, _: u64) -> std::io::Result<()> {
        Err(Errno::NOSPC.into())
    }
}

/// Counts how often room is reserved, and how often a directory is brought to the disk.
#[derive(Default)]
struct Counter(std::sync::Mutex<(usize, usize)>);

impl Fs for Counter {
    fn reserve(&self, file: &std::fs::File, at: u64, len: u64) -> std::io::Result<()> {
        self.0.lock().unwrap().0 += 1;
        Real.reserve(file, at, len)
    }
    fn sync_dir(&self, dir: &std::fs::File) -> std::io::Result<()> {
        self.0.lock().unwrap().1 += 1;
        Real.sync_dir(dir)
    }
}

#[test]
fn room_that_is_there_is_not_reserved_again() {
    let place = Place::new();
    let fs = Arc::new(Counter::default());
    let (mut writer, _) = place.try_open(fs.clone()).unwrap();
    writer.keep_room(0, 64 * 1024);
    write(&mut writer, &["one"]);
    for _ in 0..20 {
        writer.reserve(2).unwrap();
        write(&mut writer, &["goes into the room"]);
    }
    assert_eq!(fs.0.lock().unwrap().0, 1);
    writer.reserve(3).unwrap();
    assert_eq!(fs.0.lock().unwrap().0, 2, "more is wanted");
    // Whoever takes the room back takes what is behind it too.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(place.segment())
        .unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len - 1).unwrap();
    writer.reserve(3).unwrap();
    assert_eq!(fs.0.lock().unwrap().0, 3);
}

#[test]
fn the_name_of_a_directory_is_brought_to_the_disk_once() {
    let place = Place::new();
    let fs = Arc::new(Counter::default());
    let (writer, _) = place.try_open(fs.clone()).unwrap();
    let synced = |bytes: &[u8]| {
        let before = fs.0.lock().unwrap().1;
        writer.shelf().put(bytes).unwrap();
        fs.0.lock().unwrap().1 - before
    };
    assert_eq!((synced(b"one"), synced(b"one")), (3, 1));
    // Another console may have made it and not waited for the disk.
    let (other, _) = place.try_open(fs.clone()).unwrap();
    let before = fs.0.lock().unwrap().1;
    other.shelf().put(b"one").unwrap();
    assert_eq!(fs.0.lock().unwrap().1 - before, 3);
}

#[test]
fn no_room_for_the_outcome_refuses_the_reservation() {
    let place = Place::new();
    let (mut writer, _) = place.try_open(Arc::new(Full)).unwrap();
    assert!(writer.reserve(0).is_err());
    write(&mut writer, &["notes go on"]);
}

/// Notes which calls are made, in order.
#[derive(Default)]
struct Recorder(std::sync::Mutex<Vec<&'static str>>);

impl Recorder {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
    fn note(&self, call: &'static str) {
        self.0.lock().unwrap().push(call);
    }
}

impl Fs for Recorder {
    fn write(&self, file: &std::fs::File, bytes: &[u8]) -> std::io::Result<usize> {
        self.note("write");
        Real.write(file, bytes)
    }
    fn write_at(&self, file: &std::fs::File, bytes: &[u8], at: u64) -> std::io::Result<usize> {
        self.note(if at == 0 { "head" } else { "lines" });
        Real.write_at(file, bytes, at)
    }
    fn sync(&self, file: &std::fs::File) -> std::io::Result<()> {
        self.note("sync");
        Real.sync(file)
    }
    fn rename(
        &self,
        a: &std::fs::File,
        x: &str,
        b: &std::fs::File,
        y: &str,
    ) -> std::io::Result<()> {
        self.note("rename");
        Real.rename(a, x, b, y)
    }
}

#[test]
fn a_decision_is_one_write_then_the_disk_and_only_then_the_published_head() {
    let place = Place::new();
    let fs = Arc::new(Recorder::default());
    let (mut writer, _) = place.try_open(fs.clone()).unwrap();
    fs.take();
    write(&mut writer, &["one", "two"]);
    // The head goes over the one before.
    assert_eq!(fs.take(), ["lines", "sync", "head"]);
    write(&mut writer, &["three", "four", "five", "six", "seven"]);
    // A longer head does not fit over the one before, and gets a file and its name.
    assert_eq!(fs.take(), ["lines", "sync", "write", "rename"]);
    writer
        .append(now(), &[(RecordType::View, json!({"text": "seen"}))])
        .unwrap();
    assert_eq!(fs.take(), ["lines"]);
}
