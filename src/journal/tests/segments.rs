//! A log is cut into segments of a size that every reader takes.

use std::os::unix::fs::MetadataExt as _;

use super::*;

/// Refuses room on the disk once it is told to.
#[derive(Default)]
struct Full(std::sync::atomic::AtomicBool);

impl Fs for Full {
    fn boot_clock(&self) -> u64 {
        1
    }
    fn reserve(&self, file: &std::fs::File, at: u64, len: u64) -> std::io::Result<()> {
        if self.0.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        Real.reserve(file, at, len)
    }
}

fn segments(place: &Place) -> Vec<(String, u64)> {
    let files = std::fs::read_dir(place.log()).unwrap().flatten();
    let mut all: Vec<_> = files
        .filter(|f| f.path().extension().is_some_and(|e| e == "jsonl"))
        .map(|f| {
            let name = f.file_name().into_string().unwrap();
            (name, f.metadata().unwrap().len())
        })
        .collect();
    all.sort();
    all
}

fn happened(n: usize) -> (RecordType, Value) {
    (RecordType::Outcome, json!({"text": format!("{n}")}))
}

const LIMIT: u64 = 4096;
/// More than one batch of these tests takes.
const BATCH: u64 = 1024;

#[test]
fn outcomes_alone_begin_a_segment_when_it_is_twice_as_large() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    writer.limit_segments(LIMIT);
    for n in 0..60 {
        writer.append(now(), &[happened(n)]).unwrap();
    }
    let all = segments(&place);
    assert!(all.len() > 2, "{all:?}");
    let (last, whole) = all.split_last().unwrap();
    for (name, len) in whole {
        assert!((2 * LIMIT..2 * LIMIT + BATCH).contains(len), "{name} {len}");
    }
    assert!(last.1 < 2 * LIMIT + BATCH);
    let texts: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    assert_eq!(place.notes(), texts);
    assert!(place.verify().intact());
}

#[test]
fn anything_else_begins_a_segment_at_the_limit() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    writer.limit_segments(LIMIT);
    for n in 0..40 {
        write(&mut writer, &[&n.to_string()]);
    }
    for (name, len) in &segments(&place)[..1] {
        assert!((LIMIT..LIMIT + BATCH).contains(len), "{name} {len}");
    }
    assert!(place.verify().intact());
}

#[test]
fn an_outcome_takes_its_room_along_or_stays_where_it_has_it() {
    let place = Place::new();
    let fs = Arc::new(Full::default());
    let (mut writer, _) = place.try_open(fs.clone()).unwrap();
    writer.limit_segments(LIMIT);
    writer.reserve(1).unwrap();
    fs.0.store(true, std::sync::atomic::Ordering::Relaxed);
    for n in 0..40 {
        writer.append(now(), &[happened(n)]).unwrap();
    }
    // The next segment would have no room: what happened stands behind the end where room was kept.
    assert_eq!(segments(&place).len(), 1);
    assert!(writer.append(now(), &[note("no outcome")]).is_err());
    fs.0.store(false, std::sync::atomic::Ordering::Relaxed);
    writer.append(now(), &[happened(40)]).unwrap();
    assert_eq!(segments(&place).len(), 2);
    let new = place.log().join(&segments(&place)[1].0);
    // In blocks of 512 bytes: room for one outcome, the intent and one more.
    assert!(new.metadata().unwrap().blocks() * 512 >= 3 * 64 * 1024);
    assert!(place.verify().intact());
}
