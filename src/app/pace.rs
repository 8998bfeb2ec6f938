//! How many alerts each source brought lately.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// How long one number counts, in seconds.
pub const STEP_S: i64 = 300;
/// How many numbers are kept: two hours.
pub const STEPS: usize = 24;

/// Arrivals by source, in steps of [`STEP_S`] seconds.
#[derive(Debug, Default)]
pub struct Pace {
    by_source: BTreeMap<String, BTreeMap<i64, u32>>,
}

impl Pace {
    /// Counts alerts that came now.
    pub fn came(&mut self, source: &str, alerts: usize, now: Timestamp) {
        let step = now.as_second().div_euclid(STEP_S);
        let own = match self.by_source.get_mut(source) {
            Some(own) => own,
            None => self.by_source.entry(source.to_owned()).or_default(),
        };
        let count = own.entry(step).or_default();
        *count = count.saturating_add(u32::try_from(alerts).unwrap_or(u32::MAX));
        while own.len() > STEPS {
            own.pop_first();
        }
    }

    /// Returns the numbers of a source, oldest first, the last one still counting.
    pub fn of(&self, source: &str, now: Timestamp) -> [u32; STEPS] {
        let last = now.as_second().div_euclid(STEP_S);
        let own = self.by_source.get(source);
        std::array::from_fn(|at| {
            let step = last - (STEPS - 1 - at) as i64;
            own.and_then(|own| own.get(&step)).copied().unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_hours_are_known_and_no_more() {
        let mut pace = Pace::default();
        let at = |minutes: i64| Timestamp::from_second(1_000_200 + minutes * 60).unwrap();
        for minute in 0..600 {
            pace.came("siem", 1, at(minute));
        }
        let numbers = pace.of("siem", at(599));
        assert_eq!(numbers.iter().sum::<u32>(), 120);
        assert!(numbers.iter().all(|n| *n == 5));
        assert_eq!(pace.of("siem", at(800)).iter().sum::<u32>(), 0);
        assert_eq!(pace.of("other", at(5)).iter().sum::<u32>(), 0);
    }
}
