//! Whether the wall clock can be believed: is it synchronised, and does it keep pace with the time since boot?
//!
//! adjtimex(2) would tell the error bound too, but no safe interface to it exists here; systemd-timesyncd leaves a file.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

/// Made by systemd-timesyncd when the clock was synchronised since boot (systemd-timesyncd.service(8)).
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// Wall clock and boot clock of two records may differ by this much: a record's time is taken before it waits for the
/// lock, at most two seconds, and then for the disk.
const SLACK: SignedDuration = SignedDuration::from_millis(2500);
/// A clock that is being corrected gradually gains or loses at most 500 ppm (adjtimex(2)); twice that is a step.
const SLEW: i128 = 1000;

/// Returns whether the wall clock was synchronised since boot; `None` when nothing on this system tells.
pub fn synchronised() -> Option<bool> {
    judge(Path::new(SYNCHRONISED))
}

fn judge(marker: &Path) -> Option<bool> {
    match marker.try_exists() {
        Ok(true) => Some(true),
        // Without its folder that service does not run; another one may keep the clock.
        Ok(false) if marker.parent().is_some_and(Path::is_dir) => Some(false),
        _ => None,
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock.
    pub wall: Timestamp,
    /// `CLOCK_BOOTTIME` in nanoseconds.
    pub boot: u64,
}

/// A step of the wall clock between two moments of one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How far, in milliseconds; negative is back.
    pub millis: i64,
    /// How much time passed, in milliseconds.
    pub passed_ms: i64,
}

impl Step {
    /// In words.
    pub fn text(&self) -> String {
        let way = if self.millis < 0 { "back" } else { "forward" };
        format!(
            "the wall clock stepped {way} {} ms while {} ms passed since boot",
            self.millis.unsigned_abs(),
            self.passed_ms
        )
    }
}

/// Compares two moments of one boot.
pub fn step(before: Moment, after: Moment) -> Option<Step> {
    let passed = i128::from(after.boot) - i128::from(before.boot);
    let off = after.wall.as_nanosecond() - before.wall.as_nanosecond() - passed;
    let slack = SLACK.as_nanos() + passed.abs() / SLEW;
    let millis = |n: i128| i64::try_from(n / 1_000_000).unwrap_or(i64::MAX);
    (off.abs() > slack).then(|| Step {
        millis: millis(off),
        passed_ms: millis(passed),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const BOOT: u64 = 3_600_000_000_000;

    #[rstest]
    #[case::keeps_pace("2026-11-21T08:00:00Z", "2026-11-21T08:00:10Z", 10_000, None)]
    #[case::waited_for_the_lock("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z", 2_000, None)]
    #[case::back("2026-11-21T08:00:00Z", "2026-11-21T07:59:56Z", 1_000, Some(-5_000))]
    #[case::back_less_than_passed(
        "2026-11-21T08:00:00Z",
        "2026-11-21T08:00:01Z",
        60_000,
        Some(-59_000)
    )]
    #[case::forward("2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z", 1_000, Some(3_599_000))]
    #[case::slewed_over_a_day("2026-11-21T08:00:00Z", "2026-11-22T08:00:40Z", 86_400_000, None)]
    #[case::leap_second("2016-12-31T23:59:59Z", "2016-12-31T23:59:59Z", 1_000, None)]
    #[case::over_2038("2038-01-19T03:14:07Z", "2038-01-19T03:14:09Z", 2_000, None)]
    fn steps_are_told_from_waiting_and_slewing(
        #[case] before: &str,
        #[case] after: &str,
        #[case] passed_ms: u64,
        #[case] want: Option<i64>,
    ) {
        let moment = |wall: &str, ms: u64| Moment {
            wall: wall.parse().unwrap(),
            boot: BOOT + ms * 1_000_000,
        };
        let found = step(moment(before, 0), moment(after, passed_ms));
        assert_eq!(found.map(|s| s.millis), want);
    }

    #[test]
    fn the_ends_of_time_are_steps_like_any_other() {
        let ends = [
            Timestamp::MIN,
            Timestamp::UNIX_EPOCH,
            Timestamp::from_second(i64::from(i32::MAX)).unwrap(),
            Timestamp::MAX,
        ];
        for (i, before) in ends.into_iter().enumerate() {
            for (j, after) in ends.into_iter().enumerate() {
                let at = |wall, boot| Moment { wall, boot };
                let found = step(at(before, u64::MAX), at(after, u64::MAX));
                assert_eq!(found.map(|s| s.millis < 0), (i != j).then_some(j < i));
                // A boot clock that runs back is no reason to fail either.
                let _ = step(at(before, u64::MAX), at(after, 0));
            }
        }
    }

    #[test]
    fn synchronised_is_what_the_service_says() {
        let dir = tempfile::tempdir().unwrap();
        let marker = dir.path().join("timesync/synchronized");
        assert_eq!(judge(&marker), None);
        std::fs::create_dir(dir.path().join("timesync")).unwrap();
        assert_eq!(judge(&marker), Some(false));
        std::fs::write(&marker, "").unwrap();
        assert_eq!(judge(&marker), Some(true));
    }
}
