use super::super::recovery::Damaged;
use super::super::writer::Health;
use super::*;

/// A log with two acknowledged batches; returns its files before and after the second batch.
struct Torn {
    place: Place,
    before: Vec<u8>,
    after: Vec<u8>,
    head_before: Vec<u8>,
    head_after: Vec<u8>,
}

impl Torn {
    fn new() -> Self {
        let place = Place::new();
        let (mut writer, _) = place.open();
        write(&mut writer, &["first"]);
        let read = |name: &str| std::fs::read(place.log().join(name)).unwrap();
        let (before, head_before) = (std::fs::read(place.segment()).unwrap(), read("checkpoint"));
        write(&mut writer, &["second", "third"]);
        let (after, head_after) = (std::fs::read(place.segment()).unwrap(), read("checkpoint"));
        Self {
            place,
            before,
            after,
            head_before,
            head_after,
        }
    }

    /// Opens the log with this content and this published head, and writes on.
    fn open_with(&self, content: &[u8], head: &[u8]) -> (Opened, Vec<String>) {
        let place = &self.place;
        reset(
            place,
            &[
                (place.segment(), content.to_vec()),
                (place.log().join("checkpoint"), head.to_vec()),
            ],
        );
        let (mut writer, opened) = place.open();
        write(&mut writer, &["after"]);
        (opened, place.notes())
    }
}

/// What `torn.rs` does to a batch, after the batch was acknowledged: any changed bit is damage, and nothing is cut.
#[test]
fn every_changed_bit_of_an_acknowledged_batch_is_damage() {
    let torn = Torn::new();
    for bit in (torn.before.len() * 8..torn.after.len() * 8).step_by(3) {
        let mut state = torn.after.clone();
        state[bit / 8] ^= 1 << (bit % 8);
        let (opened, notes) = torn.open_with(&state, &torn.head_after);
        assert_eq!(notes, ["first", "after"], "bit {bit}");
        assert!(
            opened.damaged.is_some() && opened.recovered.is_none(),
            "bit {bit}"
        );
        assert_eq!(
            std::fs::read(torn.place.segment()).unwrap(),
            state,
            "bit {bit}"
        );
    }
}

#[test]
fn a_removed_tail_is_damage_while_its_head_is_known() {
    let torn = Torn::new();
    let (opened, notes) = torn.open_with(&torn.before, &torn.head_after);
    let damaged: Damaged = opened.damaged.unwrap();
    assert!(damaged.why.contains("durable") && damaged.lost_head.is_some());
    assert_eq!(notes, ["first", "after"]);
    assert!(!torn.place.verify().intact());
}

#[test]
fn damage_blocks_actions_until_somebody_acknowledges_it() {
    let torn = Torn::new();
    let place = &torn.place;
    let mut state = torn.after.clone();
    state[torn.before.len() - 40] ^= 1;
    reset(place, &[(place.segment(), state.clone())]);
    let intent = || (RecordType::Intent, json!({"x": 1}));
    let (mut writer, opened) = place.open();
    assert!(opened.damaged.is_some());
    assert!(matches!(
        writer.append(now(), &[intent()]),
        Err(JournalError::Blocked(_))
    ));
    write(&mut writer, &["notes go on"]);
    // The next console knows as well.
    let (mut writer, opened) = place.open();
    assert_eq!(opened.damaged, None);
    assert!(matches!(writer.health(), Health::Blocked(_)));
    assert!(matches!(
        writer.append(now(), &[intent()]),
        Err(JournalError::Blocked(_))
    ));
    writer.acknowledge(now(), "read and reported").unwrap();
    writer.append(now(), &[intent()]).unwrap();
    assert_eq!(place.open().0.health(), Health::Ok);
    // The damaged bytes stand as they were found, and the verifier goes on to say so.
    assert_eq!(std::fs::read(place.segment()).unwrap(), state);
    let report = place.verify();
    assert_eq!(report.exit_code(None), 1);
    assert_eq!(report.logs[0].segments, 2);
    assert_eq!(place.notes(), ["notes go on"]);
}

#[test]
fn damage_in_an_old_segment_sets_the_later_ones_aside() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    writer
        .begin_segment(now(), &json!({"reason": "size"}))
        .unwrap();
    write(&mut writer, &["two"]);
    drop(writer);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 4;
    put(&place.segment(), &bytes);
    let (mut writer, opened) = place.open();
    assert_eq!(opened.damaged.unwrap().moved.len(), 1);
    write(&mut writer, &["three"]);
    write(&mut place.open().0, &["four"]);
    assert_eq!(place.notes(), ["three", "four"]);
    assert_eq!(place.verify().exit_code(None), 1);
}

#[test]
fn a_log_that_lost_its_beginning_goes_on_under_the_same_key() {
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    bytes[20] ^= 1;
    put(&place.segment(), &bytes);
    let (mut writer, opened) = place.open();
    assert!(opened.damaged.is_some());
    write(&mut writer, &["two"]);
    assert_eq!(place.notes(), ["two"]);
    assert_eq!(place.verify().exit_code(None), 1);
}

#[test]
fn a_log_cut_under_a_running_console_is_noticed() {
    let torn = Torn::new();
    let (mut writer, _) = torn.place.open();
    put(&torn.place.segment(), &torn.before);
    let error = writer.append(now(), &[note("x")]).unwrap_err();
    assert!(matches!(error, JournalError::RolledBack { .. }), "{error}");
    assert!(matches!(writer.health(), Health::Blocked(_)));
}

#[test]
fn a_tail_torn_by_another_console_is_put_aside_by_the_next_write() {
    use std::io::Write as _;
    let place = Place::new();
    let (mut writer, _) = place.open();
    let mut file = std::fs::File::options()
        .append(true)
        .open(place.segment())
        .unwrap();
    file.write_all(b"{\"v\":1,\"seq\":2,").unwrap();
    write(&mut writer, &["one"]);
    assert_eq!(place.notes(), ["one"]);
    let report = place.verify();
    assert!(
        report.intact() && report.logs[0].recovered == 1,
        "{report:?}"
    );
}

#[test]
fn crashing_while_recovering_comes_to_the_same() {
    use super::super::fault::Faulty;
    let torn = Torn::new();
    let place = &torn.place;
    for (head, damaged) in [(&torn.head_before, false), (&torn.head_after, true)] {
        for k in 0.. {
            let state = &torn.after[..torn.after.len() - 30];
            reset(
                place,
                &[
                    (place.segment(), state.to_vec()),
                    (place.log().join("checkpoint"), head.clone()),
                ],
            );
            let fs = Arc::new(Faulty {
                sticky: true,
                ..Faulty::new(k, rustix::io::Errno::IO)
            });
            let first = place.try_open(fs.clone());
            let first = first.map(|(_, opened)| opened.damaged.is_some());
            let (mut writer, opened) = place.open();
            write(&mut writer, &["after"]);
            assert_eq!(place.notes(), ["first", "after"], "call {k}");
            assert_eq!(place.verify().intact(), !damaged, "call {k}");
            assert!(
                !damaged
                    || matches!(first, Ok(true))
                    || opened.damaged.is_some()
                    || writer.health() != Health::Ok,
                "call {k}"
            );
            if !fs.fired() {
                break;
            }
        }
    }
}
