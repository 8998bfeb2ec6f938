//! A clock by which things expire: it never runs slower than time passes, so that setting the wall clock back revives nothing.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// Both clocks when this process first asked.
#[derive(Clone, Copy, Debug)]
struct Start {
    wall: Timestamp,
    boot: SignedDuration,
}

static START: OnceLock<Start> = OnceLock::new();

/// Returns the later of what the wall clock says and what it said first plus the time since then (`CLOCK_BOOTTIME`, which
/// also counts while the machine sleeps).
pub fn now() -> Timestamp {
    let (wall, boot) = (Timestamp::now(), boot());
    let start = START.get_or_init(|| Start { wall, boot });
    later(wall, start, boot)
}

fn boot() -> SignedDuration {
    let time = clock_gettime(ClockId::Boottime);
    SignedDuration::new(time.tv_sec, i32::try_from(time.tv_nsec).unwrap_or(0))
}

fn later(wall: Timestamp, start: &Start, boot: SignedDuration) -> Timestamp {
    let steady = start.wall.checked_add(boot - start.boot);
    steady.map_or(wall, |steady| steady.max(wall))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::in_step(100, 100)]
    #[case::set_back_an_hour(-3_500, 100)]
    #[case::set_forward_an_hour(3_700, 3_700)]
    fn nothing_comes_back_that_expired(#[case] wall: i64, #[case] want: i64) {
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        let start = Start {
            wall: begin,
            boot: SignedDuration::from_secs(50),
        };
        let wall = begin + SignedDuration::from_secs(wall);
        let now = later(wall, &start, SignedDuration::from_secs(150));
        assert_eq!(now, begin + SignedDuration::from_secs(want));
    }
}
