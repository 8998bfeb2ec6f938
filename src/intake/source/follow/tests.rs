use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::intake::decode::MAX_LINE;
use crate::intake::source::tests::{append, line};
use crate::intake::store::Store;

mod rotation;

/// A log file with a reader that can be stopped and started again.
struct Bench {
    dir: tempfile::TempDir,
    store: LockedStore,
    follower: Follower,
    /// Stands for the clock of the file system, whose own is too coarse for quick tests.
    clock: u64,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LockedStore::new(Store::open(&dir.path().join("state")).unwrap());
        let follower = Follower::new(
            "s".to_owned(),
            dir.path().join("app.log"),
            Decoding::plain(),
        );
        Self {
            dir,
            store,
            follower,
            clock: 0,
        }
    }

    fn restart(&mut self) {
        self.store = LockedStore::new(Store::open(&self.dir.path().join("state")).unwrap());
        self.follower = Follower::new("s".to_owned(), self.path(""), Decoding::plain());
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.dir.path().join(format!("app.log{suffix}"))
    }

    fn touch(&mut self, path: &Path) {
        self.clock += 1;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + self.clock);
        OpenOptions::new()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }

    fn write(&mut self, text: &str) {
        let path = self.path("");
        append(&path, text.as_bytes());
        self.touch(&path);
    }

    fn rename(&mut self, to: &str) {
        fs::rename(self.path(""), self.path(to)).unwrap();
    }

    fn truncate(&mut self) {
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.path(""))
            .unwrap();
        self.touch(&self.path(""));
    }

    fn copy_and_truncate(&mut self, to: &str) {
        fs::copy(self.path(""), self.path(to)).unwrap();
        self.touch(&self.path(to));
        self.truncate();
    }

    /// Packs a rotated file as log rotation does: what it was made of goes when it is whole, and its time is kept.
    fn pack(&mut self, suffix: &str) {
        let plain = self.path(suffix);
        let written = fs::metadata(&plain).unwrap().modified().unwrap();
        let packed = self.path(&format!("{suffix}.gz"));
        fs::write(&packed, gzip(&fs::read(&plain).unwrap())).unwrap();
        let file = OpenOptions::new().append(true).open(&packed).unwrap();
        file.set_modified(written).unwrap();
        fs::remove_file(plain).unwrap();
    }

    /// Steps until there is nothing more to do; returns the ids that arrived.
    fn drain(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let step = self.follower.step(&self.store).unwrap();
            let alerts = step.told.into_iter().flat_map(|told| told.alerts);
            ids.extend(alerts.map(|a| a.alert.id.as_str().trim_start_matches("s/").to_owned()));
            match step.next {
                Next::More => {}
                Next::Idle | Next::Waiting(_) => return ids,
                Next::Failed(reason) => panic!("{reason}"),
            }
        }
    }

    /// Returns how much was read of the file that is being read, else of the one that was.
    fn offset(&self) -> u64 {
        if let Some(open) = &self.follower.open {
            return open.cursor().offset;
        }
        let cursor = self.store.lock().cursor("s").unwrap();
        match cursor {
            Some(crate::intake::store::Cursor::File(c)) => c.offset,
            _ => 0,
        }
    }

    fn quarantined(&self) -> Vec<String> {
        let found = self.store.lock().quarantine(100).unwrap();
        found.into_iter().rev().map(|q| q.reason).collect()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn lines(ids: &[&str]) -> String {
    ids.iter().map(|id| line(id)).collect()
}

#[test]
fn a_line_counts_when_it_ends() {
    let mut bench = Bench::new();
    let text = line("a");
    bench.write(&text[..20]);
    assert!(bench.drain().is_empty());
    bench.write(text[20..].trim_end());
    assert!(bench.drain().is_empty());
    bench.write("\n\n");
    assert_eq!(bench.drain(), ["a"]);
    assert!(bench.quarantined().is_empty());
}

#[test]
fn a_renamed_file_is_read_to_its_end_first() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    assert_eq!(bench.drain(), ["a"]);
    bench.rename(".1");
    append(&bench.path(""), b"");
    assert!(bench.drain().is_empty());
    // The writer has not reopened yet.
    append(&bench.path(".1"), lines(&["b"]).as_bytes());
    assert_eq!(bench.drain(), ["b"]);
    append(&bench.path(".1"), lines(&["c"]).as_bytes());
    append(&bench.path(".1"), b"cut of");
    bench.write(&lines(&["d"]));
    assert_eq!(bench.drain(), ["c", "d"]);
    assert_eq!(
        bench.quarantined(),
        ["not JSON: expected value at line 1 column 1"]
    );
}

#[test]
fn a_whole_line_without_an_end_is_flushed_at_rotation() {
    let mut bench = Bench::new();
    bench.write(line("a").trim_end());
    assert!(bench.drain().is_empty());
    bench.rename(".1");
    bench.write(&lines(&["b"]));
    assert_eq!(bench.drain(), ["a", "b"]);
}

#[test]
fn a_truncated_file_is_read_from_its_start() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a", "b"]));
    bench.drain();
    bench.truncate();
    bench.write(&lines(&["c"]));
    assert_eq!(bench.drain(), ["c"]);
    // Grown beyond what was read before anybody looked.
    bench.truncate();
    bench.write(&lines(&["d", "e", "f"]));
    assert_eq!(bench.drain(), ["d", "e", "f"]);
}

#[test]
fn the_rest_of_a_truncated_file_is_read_from_its_copy() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.write(&lines(&["b", "c"]));
    bench.copy_and_truncate(".1");
    bench.write(&lines(&["d"]));
    assert_eq!(bench.drain(), ["b", "c", "d"]);
    bench.copy_and_truncate(".2");
    assert!(bench.drain().is_empty());
    bench.write(&lines(&["e"]));
    assert_eq!(bench.drain(), ["e"]);
}

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a", "b"]));
    bench.write(&line("c")[..10]);
    assert_eq!(bench.drain(), ["a", "b"]);
    bench.restart();
    bench.write(&line("c")[10..]);
    assert_eq!(bench.drain(), ["c"]);
    bench.restart();
    assert!(bench.drain().is_empty());
    assert!(bench.quarantined().is_empty());
}

#[test]
fn rotations_without_a_reader_lose_nothing() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.write(&lines(&["b"]));
    bench.rename(".2");
    bench.write(&lines(&["c"]));
    bench.rename(".1");
    bench.write(&lines(&["d"]));
    bench.restart();
    assert_eq!(bench.drain(), ["b", "c", "d"]);
    bench.write(&lines(&["e"]));
    assert_eq!(bench.drain(), ["e"]);
}

#[test]
fn a_truncation_without_a_reader_loses_nothing_that_was_copied() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.write(&lines(&["b"]));
    bench.copy_and_truncate(".2");
    bench.write(&lines(&["c"]));
    bench.copy_and_truncate(".1");
    bench.write(&lines(&["d"]));
    bench.restart();
    assert_eq!(bench.drain(), ["b", "c", "d"]);
}

#[test]
fn files_that_were_packed_without_a_reader_are_read_on() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.write(&lines(&["b"]));
    bench.rename(".3");
    bench.write(&lines(&["c"]));
    bench.rename(".2");
    bench.write(&lines(&["d"]));
    bench.rename(".1");
    bench.write(&lines(&["e"]));
    bench.pack(".3");
    bench.pack(".2");
    bench.restart();
    // A step reads what is left of the first; another process goes on in what is packed.
    let step = bench.follower.step(&bench.store).unwrap();
    let told = step.told.unwrap();
    assert_eq!(told.alerts.len(), 1);
    bench.restart();
    assert_eq!(bench.drain(), ["c", "d", "e"]);
    bench.write(&lines(&["f"]));
    bench.restart();
    assert_eq!(bench.drain(), ["f"]);
    assert!(bench.quarantined().is_empty());
}

#[rstest]
#[case::with_a_reader(false)]
#[case::without_a_reader(true)]
fn the_rest_of_a_truncated_file_is_read_from_its_packed_copy(#[case] restart: bool) {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.write(&line("b")[..10]);
    bench.drain();
    bench.write(&line("b")[10..]);
    bench.write(&lines(&["c"]));
    bench.copy_and_truncate(".1");
    bench.pack(".1");
    bench.write(&lines(&["d"]));
    if restart {
        bench.restart();
    }
    assert_eq!(bench.drain(), ["b", "c", "d"]);
    assert!(bench.quarantined().is_empty());
}

/// While somebody still packs, what they pack is there; when they are done it may bear the time of the packing.
#[test]
fn what_was_read_is_not_read_again_when_it_is_packed() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".1");
    fs::write(bench.path(".1.gz"), &gzip(lines(&["a"]).as_bytes())[..8]).unwrap();
    bench.touch(&bench.path(".1.gz"));
    assert!(bench.drain().is_empty());
    bench.write("");
    bench.pack(".1");
    bench.touch(&bench.path(".1.gz"));
    assert!(bench.drain().is_empty());
    bench.write(&lines(&["b"]));
    assert_eq!(bench.drain(), ["b"]);
    assert!(bench.quarantined().is_empty());
}

#[test]
fn a_damaged_packed_file_is_read_as_far_as_it_goes_and_that_is_told() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    let many: Vec<String> = (0..3_000).map(|n| format!("n{n:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    bench.write(&lines(&many));
    bench.rename(".1");
    bench.pack(".1");
    let packed = fs::read(bench.path(".1.gz")).unwrap();
    fs::write(bench.path(".1.gz"), &packed[..packed.len() - 40]).unwrap();
    // Long ago, so that nobody is at it any more.
    bench.touch(&bench.path(".1.gz"));
    bench.write(&lines(&["z"]));
    bench.restart();
    let read = bench.drain();
    assert_eq!(
        (read[0].as_str(), read.last().unwrap().as_str()),
        ("n0000", "z")
    );
    assert!(read.len() > 100, "{}", read.len());
    let told = bench.quarantined();
    assert!(
        told.iter()
            .any(|why| why.contains("app.log.1.gz: cannot be read on")),
        "{told:?}"
    );
}

#[test]
fn that_the_file_read_last_is_gone_is_kept_once() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.write(&lines(&["b"]));
    fs::remove_file(bench.path("")).unwrap();
    bench.restart();
    let step = bench.follower.step(&bench.store).unwrap();
    assert!(matches!(step.next, Next::Waiting(_)), "{step:?}");
    assert!(bench.quarantined().is_empty());
    bench.write(&lines(&["c"]));
    bench.restart();
    assert_eq!(bench.drain(), ["c"]);
    let told = bench.quarantined();
    let length = line("a").len();
    assert!(
        told.len() == 1
            && told[0].contains(&format!(
                "app.log: the file that was read last, up to byte {length}, is gone"
            )),
        "{told:?}"
    );
    bench.restart();
    bench.write(&lines(&["d"]));
    assert_eq!(bench.drain(), ["d"]);
    assert_eq!(bench.quarantined().len(), 1);
}

#[test]
fn what_is_still_written_to_a_renamed_file_is_read() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".1");
    bench.write(&lines(&["b"]));
    assert_eq!(bench.drain(), ["b"]);
    append(&bench.path(".1"), &line("c").as_bytes()[..10]);
    assert!(bench.drain().is_empty());
    append(&bench.path(".1"), &line("c").as_bytes()[10..]);
    bench.write(&lines(&["d"]));
    assert_eq!(bench.drain(), ["d", "c"]);
    // Also while nobody reads; once it is packed nobody writes there any more.
    append(&bench.path(".1"), line("e").as_bytes());
    bench.restart();
    bench.write(&lines(&["f"]));
    assert_eq!(bench.drain(), ["f", "e"]);
    append(&bench.path(".1"), line("g").as_bytes());
    bench.pack(".1");
    bench.restart();
    assert_eq!(bench.drain(), ["g"]);
    fs::remove_file(bench.path(".1.gz")).unwrap();
    bench.restart();
    bench.write(&lines(&["h"]));
    assert_eq!(bench.drain(), ["h"]);
    assert!(bench.quarantined().is_empty());
}

/// What is later only by what was still written to it, or by when it was packed, is not what comes next.
#[test]
fn the_file_before_is_not_taken_for_the_next_one() {
    let mut bench = Bench::new();
    bench.write(&lines(&["a"]));
    bench.drain();
    bench.rename(".1");
    bench.write(&lines(&["b"]));
    assert_eq!(bench.drain(), ["b"]);
    append(&bench.path(".1"), line("late").as_bytes());
    bench.touch(&bench.path(".1"));
    // Before anybody looks the file is rotated on.
    fs::rename(bench.path(".1"), bench.path(".2")).unwrap();
    bench.rename(".1");
    bench.write(&lines(&["c"]));
    assert_eq!(bench.drain(), ["c", "late"]);
    bench.pack(".1");
    bench.touch(&bench.path(".1.gz"));
    assert!(bench.drain().is_empty());
    bench.rename(".0");
    bench.write(&lines(&["d"]));
    assert_eq!(bench.drain(), ["d"]);
    assert!(bench.quarantined().is_empty());
}

/// Lines of one length that differ in their middle: what stands where the last one ended looks like it.
#[test]
fn lines_that_begin_and_end_alike_are_told_apart() {
    let mut bench = Bench::new();
    let pad = "x".repeat(500);
    let alike = |id: &str| {
        format!(
            r#"{{"class_uid":2004,"message":"{pad}","finding_info":{{"uid":"{id}","desc":"{pad}"}}}}"#
        ) + "\n"
    };
    bench.write(&alike("a"));
    assert_eq!(bench.drain(), ["a"]);
    bench.copy_and_truncate(".1");
    bench.write(&alike("b"));
    bench.write(&alike("c"));
    assert_eq!(bench.drain(), ["b", "c"]);
}

/// A place that was stored with shorter samples is still known.
#[test]
fn a_place_of_an_earlier_version_is_known() {
    let mut bench = Bench::new();
    let many: Vec<String> = (0..200).map(|n| format!("n{n:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let text = lines(&many);
    bench.write(&text);
    bench.drain();
    let Some(Cursor::File(mut cursor)) = bench.store.lock().cursor("s").unwrap() else {
        panic!("no place");
    };
    let bytes = text.as_bytes();
    let sample = [&bytes[..256], &bytes[bytes.len() - 256..]].concat();
    cursor.fingerprint = hex(&Sha256::digest(&sample));
    let batch = crate::intake::store::Batch {
        cursor: Some(Cursor::File(cursor)),
        ..crate::intake::store::Batch::default()
    };
    bench.store.lock().put("s", &batch).unwrap();
    bench.restart();
    bench.write(&lines(&["a"]));
    assert_eq!(bench.drain(), ["a"]);
}

#[test]
fn bad_lines_go_to_quarantine_and_reading_goes_on() {
    let mut bench = Bench::new();
    let mut bytes = vec![b'x'; MAX_LINE + 10];
    bytes.extend_from_slice(b"\n{\"a\":\"\xff\"}\n");
    bytes.extend_from_slice(lines(&["a"]).as_bytes());
    append(&bench.path(""), &bytes);
    assert_eq!(bench.drain(), ["a"]);
    let reasons = bench.quarantined();
    assert_eq!(
        reasons[0],
        "1048586 bytes long, more than the 1 MiB that one alert may have"
    );
    assert_eq!(reasons[1], "not UTF-8 from byte 6 on");
    bench.restart();
    assert!(bench.drain().is_empty());
    assert_eq!(bench.quarantined().len(), 2);
}

#[test]
fn a_missing_file_is_waited_for() {
    let mut bench = Bench::new();
    let step = bench.follower.step(&bench.store).unwrap();
    assert!(matches!(step.next, Next::Waiting(_)));
    bench.write(&lines(&["a"]));
    assert_eq!(bench.drain(), ["a"]);
    fs::remove_file(bench.path("")).unwrap();
    assert!(bench.drain().is_empty());
    bench.write(&lines(&["b"]));
    assert_eq!(bench.drain(), ["b"]);
}

#[test]
fn a_pipe_is_refused_without_blocking() {
    let mut bench = Bench::new();
    let path = bench.path("");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &path,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
    )
    .unwrap();
    let step = bench.follower.step(&bench.store).unwrap();
    assert!(matches!(step.next, Next::Failed(reason) if reason.ends_with("not a regular file")));
}

#[derive(Clone, Debug)]
enum Op {
    Write(usize),
    WriteInTwo,
    Read,
    Kill,
    Rename,
    CopyAndTruncate,
    Pack,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1_usize..4).prop_map(Op::Write),
        1 => Just(Op::WriteInTwo),
        3 => Just(Op::Read),
        2 => Just(Op::Kill),
        1 => Just(Op::Rename),
        1 => Just(Op::CopyAndTruncate),
        1 => Just(Op::Pack),
    ];
    prop::collection::vec(op, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens to file and reader, every line arrives once and in order.
    #[test]
    fn nothing_is_lost_or_doubled(ops in ops()) {
        let mut bench = Bench::new();
        let mut written = 0;
        let mut rotations = 0;
        let mut seen = Vec::new();
        let mut next = || { written += 1; line(&format!("n{written:03}")) };
        // Files rotated away before the first look are history, not news.
        bench.write(&next());
        seen.extend(bench.drain());
        for op in &ops {
            match op {
                Op::Write(count) => (0..*count).for_each(|_| bench.write(&next())),
                Op::WriteInTwo => {
                    let text = next();
                    bench.write(&text[..text.len() / 2]);
                    seen.extend(bench.drain());
                    bench.write(&text[text.len() / 2..]);
                }
                Op::Read => seen.extend(bench.drain()),
                Op::Kill => bench.restart(),
                Op::Rename | Op::CopyAndTruncate if !bench.path("").exists() => {}
                // A copy of which nothing was read cannot be recognised.
                Op::CopyAndTruncate if bench.offset() == 0 => {}
                Op::Rename => { rotations += 1; bench.rename(&format!(".{rotations}")); }
                Op::CopyAndTruncate => { rotations += 1; bench.copy_and_truncate(&format!(".{rotations}")); }
                Op::Pack => (1..=rotations).map(|n| format!(".{n}")).for_each(|name| {
                    if bench.path(&name).exists() {
                        bench.pack(&name);
                    }
                }),
            }
        }
        bench.write(&next());
        seen.extend(bench.drain());
        let want: Vec<String> = (1..=written).map(|n| format!("n{n:03}")).collect();
        prop_assert_eq!(seen, want);
        let counts = bench.store.lock().counts().unwrap();
        prop_assert_eq!((counts.arrivals, counts.quarantined), (written, 0));
    }
}
