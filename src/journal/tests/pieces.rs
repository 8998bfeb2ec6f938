//! A long log is read piece by piece, and nothing is handed on that no signature covers.

use rstest::rstest;

use super::super::reader::{LogReader, logs_in};
use super::*;
use crate::journal::{Follower, read_lines};

/// Writes `count` records of one user, one a minute.
fn fill(place: &Place, user: &str, count: i64) {
    let mut writer = place.open_user(user);
    for n in 0..count {
        let at = now() + jiff::SignedDuration::from_mins(n);
        writer.append(at, &[note(&format!("{user} {n}"))]).unwrap();
    }
}

fn reader(place: &Place) -> LogReader {
    let (owner, log) = logs_in(&place.store()).0.remove(0);
    LogReader::new(owner, log)
}

#[rstest]
#[case(1)]
#[case(1500)]
#[case(1_000_000)]
fn in_pieces_it_is_the_same_log(#[case] most: usize) {
    let place = Place::new();
    fill(&place, "alice", 30);
    let (whole, _) = read_lines(&place.store());
    let mut reader = reader(&place);
    let (mut lines, mut problems, mut pieces) = (Vec::new(), Vec::new(), 1);
    while reader.read_some(most, &mut lines, &mut problems) {
        pieces += 1;
    }
    assert_eq!((lines, problems), (whole, vec![]));
    // One to the last head, and one that finds nothing behind it.
    assert_eq!(pieces == 2, most == 1_000_000, "{pieces}");
    fill(&place, "alice", 1);
    let mut more = Vec::new();
    assert!(!reader.read_some(most, &mut more, &mut Vec::new()));
    assert_eq!(more.len(), 1);
}

#[test]
fn a_piece_that_changed_since_the_survey_is_not_handed_on() {
    let place = Place::new();
    fill(&place, "alice", 30);
    let mut reader = reader(&place);
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    assert!(reader.read_some(2000, &mut lines, &mut problems));
    let before = lines.len();
    assert!((2..10).contains(&before), "{before}");
    let text = std::fs::read_to_string(place.segment()).unwrap();
    put(
        &place.segment(),
        text.replace("alice 20", "alice 99").as_bytes(),
    );
    while reader.read_some(2000, &mut lines, &mut problems) {}
    let said: Vec<_> = lines
        .iter()
        .filter_map(|l| l.entry.body.get("text"))
        .collect();
    assert_eq!(said.last().unwrap().as_str(), Some("alice 19"));
    assert!(
        problems.iter().all(|p| p.grave) && problems.len() == 1,
        "{problems:?}"
    );
}

#[test]
fn logs_of_several_people_come_merged_by_time() {
    let place = Place::new();
    for user in ["alice", "bob", "carol"] {
        fill(&place, user, 25);
    }
    let (whole, _) = read_lines(&place.store());
    let mut follower = Follower::new(&place.store()).in_pieces_of(3000);
    let (mut lines, mut problems, mut pieces) = (Vec::new(), Vec::new(), 0);
    let mut most = 0;
    loop {
        let before = lines.len();
        let more = follower.poll_some(&mut lines, &mut problems);
        most = most.max(lines.len() - before);
        pieces += 1;
        if !more {
            break;
        }
    }
    assert_eq!(problems, []);
    assert!(pieces > 5 && most < whole.len() / 2, "{pieces} {most}");
    let said = |lines: &[crate::journal::Line]| {
        let all = lines.iter().map(|l| (l.entry.log.clone(), l.entry.seq));
        all.collect::<Vec<_>>()
    };
    assert_eq!(said(&lines), said(&whole));
}
