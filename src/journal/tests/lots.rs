//! Whoever goes on with what the own process wrote knows what everybody else reads.

use proptest::prelude::*;

use super::*;
use crate::domain::decision::Entry;
use crate::journal::Follower;

/// Two who know the same log: one takes over what is written, the other reads it.
struct Both {
    takes: Follower,
    reads: Follower,
    /// How many records were taken over.
    taken: usize,
}

impl Both {
    fn new(place: &Place) -> Self {
        let mut both = Self {
            takes: Follower::unwatched(&place.store()),
            reads: Follower::unwatched(&place.store()),
            taken: 0,
        };
        both.takes.poll();
        both.reads.poll();
        both
    }

    /// Both must know the same, and nothing twice.
    fn agree(&mut self, writer: &mut Writer) -> Vec<Entry> {
        let mut known = Vec::new();
        for lot in writer.take_lots() {
            let taken = self.takes.take(lot).unwrap_or_default();
            self.taken += taken.len();
            known.extend(taken);
        }
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        while self.takes.poll_news(&mut lines, &mut problems) {}
        known.extend(lines.into_iter().map(|line| line.entry));
        let (read, said) = self.reads.poll();
        assert_eq!((&known, &problems), (&read, &said));
        assert_eq!(self.takes.poll(), (Vec::new(), Vec::new()));
        known
    }
}

fn kept(place: &Place) -> Writer {
    let (mut writer, _) = place.open();
    writer.keep_lots();
    writer.keep_room(0, 3000);
    writer
}

#[test]
fn records_are_taken_over_as_they_are_read() {
    let place = Place::new();
    let mut writer = kept(&place);
    let mut both = Both::new(&place);
    let records = [
        note("one \u{202e} two"),
        (
            RecordType::View,
            json!({"n": [1, -7, u64::MAX, null, true], "o": {"deep": {}}}),
        ),
        (
            RecordType::Outcome,
            json!({"says": "it holds ghp_0123456789abcdefghijABCDEFGHIJ012345"}),
        ),
        (
            RecordType::Approval,
            json!({"digest": "d", "approved": true, "block": "nobody's"}),
        ),
        (RecordType::Intent, json!({"intent": "i"})),
    ];
    writer.append(now(), &records).unwrap();
    let known = both.agree(&mut writer);
    assert_eq!((known.len(), both.taken), (5, 5));
    assert!(!format!("{known:?}").contains("0123456789"));
    let signed = known.iter().map(|e| e.signer.is_some());
    assert_eq!(
        signed.collect::<Vec<_>>(),
        [false, false, false, false, true]
    );
}

#[test]
fn what_may_read_otherwise_is_read() {
    let place = Place::new();
    let mut writer = kept(&place);
    let mut both = Both::new(&place);
    let mut deep = json!(1);
    for _ in 0..60 {
        deep = json!([deep]);
    }
    for body in [json!({"n": 0.1}), json!({"n": deep})] {
        writer.append(now(), &[(RecordType::View, body)]).unwrap();
        assert_eq!(both.agree(&mut writer).len(), 1);
        assert_eq!(both.taken, 0);
    }
    write(&mut writer, &["taken over again"]);
    both.agree(&mut writer);
    assert_eq!(both.taken, 1);
}

#[test]
fn a_new_segment_and_a_new_key_are_read() {
    let place = Place::new();
    let mut writer = kept(&place);
    let mut both = Both::new(&place);
    write(&mut writer, &["one"]);
    writer
        .begin_segment(now(), &json!({"reason": "size"}))
        .unwrap();
    write(&mut writer, &["two"]);
    assert_eq!(both.agree(&mut writer).len(), 3);
    assert_eq!(both.taken, 1);
    writer.rotate_key(now(), "every year").unwrap();
    write(&mut writer, &["three"]);
    let known = both.agree(&mut writer);
    assert!(known.iter().any(|e| e.kind == RecordType::KeyRotate));
    let taken = both.taken;
    write(&mut writer, &["four"]);
    both.agree(&mut writer);
    assert_eq!(both.taken, taken + 1);
}

#[test]
fn what_another_console_wrote_in_between_is_read() {
    let place = Place::new();
    let (mut one, mut two) = (kept(&place), kept(&place));
    let mut bob = place.open_user("bob");
    let mut both = Both::new(&place);
    for n in 0..3 {
        write(&mut one, &[&format!("one {n}")]);
        write(&mut two, &[&format!("two {n}")]);
        write(&mut one, &[&format!("one again {n}")]);
        write(&mut bob, &[&format!("bob {n}")]);
        assert_eq!(both.agree(&mut one).len(), 4);
        write(&mut bob, &[&format!("bob again {n}")]);
        assert_eq!(both.agree(&mut one).len(), 1);
    }
    assert!(both.taken > 0);
    assert!(place.verify().intact());
}

#[test]
fn a_log_that_was_cut_is_told_of_at_the_next_look() {
    let place = Place::new();
    let mut writer = kept(&place);
    let mut follower = Follower::unwatched(&place.store());
    write(&mut writer, &["one"]);
    follower.poll();
    let len = std::fs::metadata(place.segment()).unwrap().len();
    let cut = |len| {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(place.segment());
        file.unwrap().set_len(len).unwrap();
    };
    // Room that is taken back is nothing to tell of.
    cut(len - 3000);
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    assert!(!follower.poll_news(&mut lines, &mut problems));
    assert_eq!((lines.len(), problems.len()), (0, 0));
    cut(len - 3200);
    assert!(!follower.poll_news(&mut lines, &mut problems));
    assert_eq!((lines.len(), problems.len()), (0, 1), "{problems:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever is written in whatever order by two consoles of one person.
    #[test]
    fn nothing_is_missed_or_doubled(steps in proptest::collection::vec((0_u8..6, any::<String>(), any::<f64>()), 1..16)) {
        let place = Place::new();
        let (mut one, mut two) = (kept(&place), kept(&place));
        let mut both = Both::new(&place);
        for (what, text, number) in &steps {
            let body = json!({"text": text, "n": number});
            match what {
                0 => {
                    write(&mut one, &["looks whether the other one wrote"]);
                    one.begin_segment(now(), &json!({"reason": "size"})).unwrap();
                }
                1 => write(&mut two, &[text]),
                2 => drop(one.append(now(), &[(RecordType::View, body)]).unwrap()),
                3 => { both.agree(&mut one); }
                _ => write(&mut one, &[text, "again"]),
            }
        }
        both.agree(&mut one);
    }
}
