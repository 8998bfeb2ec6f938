use std::sync::atomic::{AtomicU64, Ordering};

use rstest::rstest;

use super::*;

/// The system with a boot clock of the test's.
struct At(AtomicU64);

impl Fs for At {
    fn boot_clock(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[rstest]
#[case::steady("2026-11-21T08:00:00Z", "2026-11-21T08:01:00Z", 60_000, None)]
#[case::back("2026-11-21T08:00:00Z", "2026-11-21T07:00:00Z", 1_000, Some(-3_601_000))]
#[case::forward("2026-11-21T08:00:00Z", "2026-11-21T09:00:01Z", 1_000, Some(3_600_000))]
#[case::from_the_epoch(
    "1970-01-01T00:00:00Z",
    "2001-09-09T01:46:40Z",
    0,
    Some(1_000_000_000_000)
)]
#[case::over_2038("2038-01-19T03:14:07Z", "2038-01-19T03:14:08Z", 1_000, None)]
#[case::year_9999("9999-12-30T00:00:00Z", "9999-12-30T00:00:01Z", 1_000, None)]
fn steps_are_recorded_told_and_no_integrity_failure(
    #[case] first: &str,
    #[case] second: &str,
    #[case] passed_ms: u64,
    #[case] step_ms: Option<i64>,
) {
    let place = Place::new();
    let fs = Arc::new(At(AtomicU64::new(1)));
    let first: Timestamp = first.parse().unwrap();
    let mut writer = Writer::open_as(place.config(), actor("alice"), fs.clone(), first)
        .unwrap()
        .0;
    writer.watch_clock();
    writer.append(first, &[note("one")]).unwrap();
    fs.0.fetch_add(passed_ms * 1_000_000, Ordering::SeqCst);
    let second = second.parse().unwrap();
    writer.append(second, &[note("two")]).unwrap();

    let (entries, problems) = crate::journal::read_store(&place.store());
    assert_eq!(problems, []);
    let steps: Vec<i64> = entries
        .iter()
        .filter(|e| e.kind == RecordType::Anomaly)
        .filter_map(|e| e.body["clock"]["step_ms"].as_i64())
        .collect();
    assert_eq!(steps, step_ms.into_iter().collect::<Vec<_>>());
    assert_eq!(writer.take_clock_step().is_some(), step_ms.is_some());
    let report = place.verify();
    assert!(report.intact(), "{report:?}");
    let findings = report.logs[0].findings.iter();
    let warned = findings.filter(|f| f.check == "clock").count();
    assert_eq!(warned, usize::from(step_ms.is_some()), "{report:?}");
}

#[test]
fn a_console_that_waited_for_the_lock_is_no_clock_step() {
    let place = Place::new();
    let (mut one, _) = place.open();
    let mut other = actor("alice");
    other.value["pid"] = 8.into();
    let (mut two, _) = Writer::open_as(place.config(), other, Arc::new(Still), now()).unwrap();
    let later = now() + jiff::SignedDuration::from_millis(900);
    two.append(later, &[note("second")]).unwrap();
    one.append(now(), &[note("first")]).unwrap();
    assert_eq!(place.verify().warnings(), 0);
}

#[test]
fn every_record_says_whether_the_clock_was_synchronised() {
    let place = Place::new();
    place.open();
    let line = std::fs::read_to_string(place.segment()).unwrap();
    let first = line.lines().next().unwrap();
    assert!(first.contains(",\"clk\":{\"sync\":"), "{first}");
    let log = &place.verify().logs[0];
    assert!(log.unsynchronised + log.sync_unknown <= 1);
}
