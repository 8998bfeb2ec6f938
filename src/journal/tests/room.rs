//! Room of NUL bytes behind the lines: nobody but the writer ever notices it.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::journal::Follower;
use crate::journal::fs::content_end;

const ROOM: u64 = 1000;

fn with_room(place: &Place, fs: Arc<dyn Fs>) -> Writer {
    let (mut writer, opened) = place.try_open(fs).unwrap();
    assert_eq!((opened.damaged, opened.recovered), (None, None));
    writer.keep_room(0, ROOM);
    writer
}

/// How many bytes of lines there are, and how many of room behind them.
fn sizes(path: &Path) -> (usize, usize) {
    let bytes = std::fs::read(path).unwrap();
    let lines = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    (lines, bytes.len() - lines)
}

#[test]
fn it_is_made_used_up_made_anew_and_taken_back() {
    let place = Place::new();
    let mut writer = with_room(&place, Arc::new(Still));
    write(&mut writer, &["one"]);
    let (first, room) = sizes(&place.segment());
    assert_eq!(room as u64, ROOM);
    // It fits into what is there: the file does not grow.
    let view = (RecordType::View, json!({"text": "two"}));
    writer.append(now(), &[view]).unwrap();
    let (second, room) = sizes(&place.segment());
    assert_eq!(second + room, first + ROOM as usize);
    write(&mut writer, &["three"]);
    assert_eq!(sizes(&place.segment()).1 as u64, ROOM);
    assert!(place.verify().intact());
    assert_eq!(place.notes(), ["one", "two", "three"]);
    drop(writer);
    assert_eq!(sizes(&place.segment()).1, 0);
    assert!(place.verify().intact());
}

#[test]
fn whoever_writes_seldom_gets_none() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    for text in ["one", "two", "three"] {
        write(&mut writer, &[text]);
    }
    assert_eq!(sizes(&place.segment()).1, 0);
}

#[test]
fn what_a_killed_console_leaves_is_gone_on_with() {
    let place = Place::new();
    let mut writer = with_room(&place, Arc::new(Still));
    write(&mut writer, &["one"]);
    // The lock goes with the process.
    std::mem::forget(writer);
    assert!(sizes(&place.segment()).1 > 0 && place.verify().intact());
    let mut next = with_room(&place, Arc::new(Still));
    write(&mut next, &["two"]);
    drop(next);
    assert_eq!(place.notes(), ["one", "two"]);
    assert_eq!(sizes(&place.segment()).1, 0);
    assert!(!place.log().join("quarantine").exists());
}

#[test]
fn another_console_and_a_reader_see_what_is_written_into_it() {
    let place = Place::new();
    let mut follower = Follower::new(&place.store());
    let mut one = with_room(&place, Arc::new(Still));
    write(&mut one, &["one"]);
    let mut two = with_room(&place, Arc::new(Still));
    let seen = |follower: &mut Follower| {
        let (entries, problems) = follower.poll();
        assert_eq!(problems, []);
        let texts = entries.iter().filter_map(|e| e.body.get("text")?.as_str());
        texts.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(seen(&mut follower), ["one"]);
    for text in ["two", "three", "four"] {
        let writer = if text == "three" { &mut one } else { &mut two };
        let view = (RecordType::View, json!({"text": text}));
        writer.append(now(), &[view]).unwrap();
        assert_eq!(seen(&mut follower), [text]);
    }
    // What the other one wrote meanwhile is not room.
    drop(one);
    assert_eq!(place.notes(), ["one", "two", "three", "four"]);
    write(&mut two, &["five"]);
    drop(two);
    assert_eq!(sizes(&place.segment()).1, 0);
    assert_eq!(place.notes(), ["one", "two", "three", "four", "five"]);
    assert!(place.verify().intact());
}

#[test]
fn a_segment_that_is_gone_on_from_keeps_none() {
    let place = Place::new();
    let mut writer = with_room(&place, Arc::new(Still));
    write(&mut writer, &["one"]);
    let body = json!({"reason": "size"});
    writer.begin_segment(now(), &body).unwrap();
    assert_eq!(sizes(&place.segment()).1, 0);
    write(&mut writer, &["two"]);
    assert!(place.verify().intact());
    assert_eq!(place.verify().logs[0].segments, 2);
}

#[test]
fn content_can_be_taken_out_of_it() {
    let place = Place::new();
    let mut writer = with_room(&place, Arc::new(Still));
    write(&mut writer, &["one", "two"]);
    let what = crate::journal::Prune {
        records: [2].into(),
        ..crate::journal::Prune::default()
    };
    let tomorrow = now() + jiff::SignedDuration::from_hours(48);
    writer
        .prune(tomorrow, &what, "a year is over", false)
        .unwrap();
    let report = place.verify();
    assert!(
        report.intact() && report.logs[0].withheld == 1,
        "{report:?}"
    );
}

/// Has room for so many more bytes.
struct Small(AtomicU64);

impl Fs for Small {
    fn boot_clock(&self) -> u64 {
        1
    }
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> std::io::Result<usize> {
        let left = self.0.load(Ordering::Relaxed) as usize;
        Real.write_at(file, &bytes[..bytes.len().min(left)], offset)
    }
}

#[test]
fn lines_that_fit_stand_where_the_room_behind_them_does_not() {
    let place = Place::new();
    let fs = Arc::new(Small(u64::MAX.into()));
    let mut writer = with_room(&place, fs.clone());
    write(&mut writer, &["one"]);
    write(&mut writer, &["two"]);
    let (before, _) = sizes(&place.segment());
    fs.0.store(1400, Ordering::Relaxed);
    write(&mut writer, &["three"]);
    let (lines, room) = sizes(&place.segment());
    assert!(lines > before && room < ROOM as usize, "{lines} {room}");
    fs.0.store(100, Ordering::Relaxed);
    let refused = writer.append(now(), &[note("four")]);
    assert!(matches!(refused, Err(JournalError::ShortWrite { .. })));
    assert_eq!(sizes(&place.segment()), (lines, 0));
    fs.0.store(u64::MAX, Ordering::Relaxed);
    write(&mut writer, &["five"]);
    assert_eq!(place.notes(), ["one", "two", "three", "five"]);
    assert!(place.verify().intact());
}

/// A power cut left the later half of a write alone.
#[test]
fn a_hole_in_a_write_into_it_is_put_aside() {
    let place = Place::new();
    let mut writer = with_room(&place, Arc::new(Still));
    write(&mut writer, &["one"]);
    std::mem::forget(writer);
    let (lines, _) = sizes(&place.segment());
    let mut bytes = std::fs::read(place.segment()).unwrap();
    bytes[lines + 512..lines + 700].fill(b'x');
    put(&place.segment(), &bytes);
    let (_, opened) = place.open();
    let found = opened.recovered.map(|r| (r.offset, r.bytes));
    assert_eq!(found, Some((lines as u64, 700)));
    assert_eq!(place.notes(), ["one"]);
    assert!(place.verify().intact());
}

/// Bytes of the log that were wiped are no room.
#[test]
fn a_wiped_record_is_damage() {
    let place = Place::new();
    let mut writer = with_room(&place, Arc::new(Still));
    write(&mut writer, &["one"]);
    let (first, _) = sizes(&place.segment());
    write(&mut writer, &["two"]);
    let (second, _) = sizes(&place.segment());
    drop(writer);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    bytes[first..second].fill(0);
    put(&place.segment(), &bytes);
    assert!(!place.verify().intact());
    let (_, opened) = place.open();
    assert!(opened.damaged.is_some());
    assert!(std::fs::read(place.segment()).unwrap().starts_with(&bytes));
}

#[test]
fn the_verifiers_without_the_program_pass_over_it() {
    let place = Place::new();
    let mut writer = with_room(&place, Arc::new(Still));
    write(&mut writer, &["one"]);
    std::mem::forget(writer);
    let scripts = [
        ("python3", "verify.py", crate::journal::VERIFY_PY),
        ("bash", "verify.sh", crate::journal::VERIFY_SH),
    ];
    let check = |good: bool| {
        for (program, name, text) in scripts {
            let script = place.dir.path().join(name);
            put(&script, text.as_bytes());
            let mut command = std::process::Command::new(program);
            match command.arg(&script).arg(place.log()).output() {
                Ok(out) => assert_eq!(out.status.success(), good, "{name}: {out:?}"),
                Err(error) => println!("SKIPPED {name}: {error}"),
            }
        }
    };
    check(true);
    // Only at the end, and nothing but that.
    let mut bytes = std::fs::read(place.segment()).unwrap();
    bytes.push(b'x');
    put(&place.segment(), &bytes);
    check(false);
    bytes.pop();
    bytes[40] = 0;
    put(&place.segment(), &bytes);
    check(false);
}

proptest! {
    #[test]
    fn the_end_is_behind_the_last_byte_that_is_not_nul(
        lines in proptest::collection::vec(0_u8..3, 0..300),
        room in prop_oneof![Just(0_usize), 0_usize..10, 65_000_usize..140_000],
        from in 0_u64..400,
    ) {
        let mut bytes = lines.clone();
        bytes.resize(lines.len() + room, 0);
        let file = tempfile::tempfile().unwrap();
        Real.write_at(&file, &bytes, 0).unwrap();
        let naive = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at as u64 + 1);
        prop_assert_eq!(content_end(&Real, &file, from).unwrap(), naive.max(from));
    }
}
