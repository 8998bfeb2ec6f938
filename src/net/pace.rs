//! How long to wait before asking again.

use std::time::Duration;

use jiff::Timestamp;

/// The first and the longest wait after a failure.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// The longest wait that somebody else may impose.
const LONGEST: Duration = Duration::from_hours(1);

/// Growing waits with jitter, so that many who failed together do not come back together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the next wait: half of it is fixed, the rest is chance.
    pub fn grow(&mut self) -> Duration {
        let whole = WAITS
            .0
            .saturating_mul(1 << self.failures.min(16))
            .min(WAITS.1);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0; 4];
        // Without chance the wait is still a wait.
        let _ = getrandom::fill(&mut random);
        let share = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
        whole / 2 + (whole / 2).mul_f64(share)
    }

    /// Forgets the failures.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or a date. An hour at most.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    Some(until(at, now))
}

/// Reads a time in seconds since 1970 at which asking is allowed again (Okta's `X-Rate-Limit-Reset`, GitHub's
/// `X-RateLimit-Reset`). An hour at most.
pub fn reset_at(value: &str, now: Timestamp) -> Option<Duration> {
    let at = Timestamp::from_second(value.trim().parse().ok()?).ok()?;
    Some(until(at, now))
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    wait.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("7", Some(7))]
    #[case("86400", Some(3_600))]
    #[case("Sat, 21 Nov 2026 12:00:30 GMT", Some(30))]
    #[case("Sat, 21 Nov 2026 11:00:00 GMT", Some(0))]
    #[case("soon", None)]
    #[case("-3", None)]
    fn waits_that_are_asked_for(#[case] value: &str, #[case] seconds: Option<u64>) {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(retry_after(value, now).map(|d| d.as_secs()), seconds);
    }

    #[test]
    fn waits_grow_to_a_bound() {
        let mut backoff = Backoff::default();
        for whole in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let wait = backoff.grow();
            let whole = Duration::from_secs(whole);
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} {whole:?}");
        }
        backoff.reset();
        assert!(backoff.grow() <= Duration::from_secs(1));
    }
}
