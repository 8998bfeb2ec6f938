//! T1: every state that a power cut or a device can leave of the last write, by enumeration.

use rstest::rstest;

use super::*;

/// A log whose last batch is about to be torn.
struct Torn {
    place: Place,
    /// The segment in which the last batch stands.
    segment: PathBuf,
    /// Everything that stays, and the published head over it.
    kept: Vec<(PathBuf, Vec<u8>)>,
    /// That segment before and after the last batch.
    before: Vec<u8>,
    after: Vec<u8>,
}

/// What the last write is.
#[derive(Clone, Copy)]
enum Shape {
    OneSmall,
    Two,
    Long,
    NewSegment,
}

impl Torn {
    fn new(shape: Shape) -> Self {
        let place = Place::new();
        let (mut writer, _) = place.open();
        write(&mut writer, &["first"]);
        let first = place.segment();
        let head = place.log().join("checkpoint");
        let read = |path: &PathBuf| std::fs::read(path).unwrap();
        let (before, head_before) = (read(&first), read(&head));
        let mut kept = vec![(head, head_before)];
        let (segment, before) = match shape {
            Shape::NewSegment => {
                kept.push((first.clone(), before));
                let body = json!({"reason": "size"});
                writer.begin_segment(now(), &body).unwrap();
                (
                    first.with_file_name("00000000000000000004.jsonl"),
                    Vec::new(),
                )
            }
            Shape::OneSmall => {
                write(&mut writer, &["second"]);
                (first, before)
            }
            Shape::Two => {
                write(&mut writer, &["second", "third"]);
                (first, before)
            }
            Shape::Long => {
                write(&mut writer, &[&"long ".repeat(500), "third"]);
                (first, before)
            }
        };
        let after = read(&segment);
        Self {
            place,
            segment,
            kept,
            before,
            after,
        }
    }

    /// Bytes that a reused block may hold where the batch should be.
    fn stale(&self, at: usize) -> u8 {
        let (_, old) = &self.kept[0];
        let pool = if self.before.is_empty() {
            old
        } else {
            &self.before
        };
        pool[at % pool.len()]
    }

    fn states(&self) -> Vec<Vec<u8>> {
        let (start, end) = (self.before.len(), self.after.len());
        let mut states: Vec<Vec<u8>> = (start..end).map(|n| self.after[..n].to_vec()).collect();
        for from in (start..end).step_by(64) {
            for to in (from + 1..=end).step_by(64).chain([end]) {
                let mut zeros = self.after.clone();
                zeros[from..to].fill(0);
                states.push(zeros);
                let mut stale = self.after.clone();
                for (at, byte) in stale.iter_mut().enumerate().take(to).skip(from) {
                    *byte = self.stale(at);
                }
                states.push(stale);
            }
        }
        for at in (start..end).step_by(37) {
            let mut state = self.after[..at].to_vec();
            state.extend_from_slice(b"\xff\x00garbage\n\n{}\n");
            states.push(state);
            let mut reused = self.after[..at].to_vec();
            reused.extend((0..(end - at).min(start)).map(|i| self.before[i]));
            states.push(reused);
        }
        for bit in start * 8..end * 8 {
            let mut state = self.after.clone();
            state[bit / 8] ^= 1 << (bit % 8);
            states.push(state);
        }
        states.retain(|s| *s != self.after);
        let many = states.len() > 20_000;
        // The bits of long text say the same again and again.
        let mut n = 0;
        states.retain(|_| {
            n += 1;
            !many || n < 5_000 || n % 4 == 0
        });
        states
    }

    fn check(&self, state: &[u8], name: usize) {
        let mut files = self.kept.clone();
        let mut bytes = state.to_vec();
        // A console that writes much has room behind the lines; whatever ends in NUL bytes looks like that.
        bytes.resize(
            state.len() + if name.is_multiple_of(3) { 700 } else { 0 },
            0,
        );
        files.push((self.segment.clone(), bytes));
        reset(&self.place, &files);
        let (mut writer, opened) = self.place.open();
        assert_eq!(opened.damaged, None, "state {name}");
        let last = state.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        let aside = state.get(self.before.len()..last).unwrap_or_default();
        match &opened.recovered {
            None => assert!(aside.is_empty(), "state {name}"),
            Some(r) => {
                let found = (r.offset as usize, r.bytes as usize);
                assert_eq!(found, (self.before.len(), aside.len()), "state {name}");
                let copy = self.place.log().join("quarantine").join(&r.file);
                assert_eq!(std::fs::read(copy).unwrap(), aside, "state {name}");
            }
        }
        assert_eq!(self.place.notes(), ["first"], "state {name}");
        if name.is_multiple_of(8) {
            write(&mut writer, &["after"]);
            assert_eq!(self.place.notes(), ["first", "after"], "state {name}");
            let report = self.place.verify();
            assert!(report.intact(), "state {name}: {report:?}");
            // The wall clock of these tests stands still.
            let found = &report.logs[0].findings;
            let others = found.iter().filter(|f| f.check != "clock");
            assert_eq!(others.count(), 0, "state {name}: {report:?}");
        }
    }
}

/// It is there as a whole, or not at all and put aside.
#[rstest]
#[case(Shape::OneSmall, 4_500)]
#[case(Shape::Two, 7_000)]
#[case(Shape::Long, 10_000)]
#[case(Shape::NewSegment, 4_500)]
fn a_torn_write_is_put_aside(#[case] shape: Shape, #[case] least: usize) {
    let torn = Torn::new(shape);
    let states = torn.states();
    for (i, state) in states.iter().enumerate() {
        torn.check(state, i);
    }
    println!("{} states", states.len());
    assert!(states.len() >= least, "{}", states.len());
}
