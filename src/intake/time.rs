//! One tolerant parser for the times that sources really send.
//!
//! Specifications say *milliseconds* or *RFC 3339*; sources send seconds, microseconds, local spellings and trailing
//! junk. What cannot be read is `None`, never a guess at "now".

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::rfc2822;
use jiff::tz::Offset;

use super::json::Json;

/// Longest text looked at; every known spelling is shorter than half of it.
const LONGEST: usize = 64;

/// Reads a JSON number or string as a time.
pub fn from_json(value: &Json<'_>) -> Option<Timestamp> {
    match value {
        Json::Number(number) => match number.as_i64() {
            Some(integer) => from_number(integer),
            None => from_float(number.as_f64()?),
        },
        Json::Text(text) => from_text(text),
        _ => None,
    }
}

/// Reads a count since the Unix epoch whose unit shows in its size: from 10^17 nanoseconds, from 10^14 microseconds,
/// from 10^11 milliseconds, below that seconds. Zero and negative counts mean *not set* in every source seen.
pub fn from_number(count: i64) -> Option<Timestamp> {
    match count {
        ..=0 => None,
        1..100_000_000_000 => Timestamp::from_second(count).ok(),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(count).ok(),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(count).ok(),
        _ => Timestamp::from_nanosecond(i128::from(count)).ok(),
    }
}

fn from_float(count: f64) -> Option<Timestamp> {
    if !(count > 0.0 && count < 9e18) {
        return None;
    }
    if count < 1e11 {
        // Fractions of a second are meant; a double keeps microseconds of today's counts.
        return Timestamp::from_microsecond((count * 1e6).round() as i64).ok();
    }
    from_number(count.trunc() as i64)
}

/// Reads text: a count, RFC 3339 with any usual deviation, `M/D/YYYY h:mm:ss AM`, or the date of HTTP and mail
/// (`Tue, 03 Feb 2026 04:05:06 GMT`). A time without an offset is UTC.
pub fn from_text(text: &str) -> Option<Timestamp> {
    let text = text
        .trim()
        .trim_end_matches(|c: char| c.is_ascii_punctuation() || c.is_whitespace());
    if text.is_empty() || text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    if let Ok(integer) = text.parse::<i64>() {
        return from_number(integer);
    }
    if let Ok(float) = text.parse::<f64>() {
        return from_float(float);
    }
    if text.contains(' ') && text.contains(|c: char| c.is_ascii_alphabetic()) {
        // Samples of documentation name wrong weekdays; the date says it all.
        let mail = rfc2822::DateTimeParser::new().relaxed_weekday(true);
        if let Ok(time) = mail.parse_timestamp(text) {
            return Some(time);
        }
    }
    let mut rest = Scanner(text.as_bytes());
    let date = rest.date()?;
    if rest.end() {
        return civil(date, Time::midnight(), Offset::UTC);
    }
    rest.separator()?;
    let time = rest.time()?;
    let offset = rest.offset()?;
    civil(date, time, offset)
}

fn civil(date: Date, time: Time, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(DateTime::from_parts(date, time)).ok()
}

/// What is left of the text.
struct Scanner<'t>(&'t [u8]);

impl Scanner<'_> {
    fn end(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        wanted(first).then(|| self.0 = rest)?;
        Some(first)
    }

    fn spaces(&mut self) {
        while self.take(|b| b == b' ').is_some() {}
    }

    /// Reads `min` to `max` digits.
    fn digits(&mut self, min: usize, max: usize) -> Option<i32> {
        let mut value: i32 = 0;
        let mut count = 0;
        while count < max
            && let Some(digit) = self.take(|b| b.is_ascii_digit())
        {
            value = value * 10 + i32::from(digit - b'0');
            count += 1;
        }
        (count >= min).then_some(value)
    }

    fn date(&mut self) -> Option<Date> {
        let first = self.digits(1, 4)?;
        let mark = self.take(|b| matches!(b, b'-' | b'/'))?;
        let second = self.digits(1, 2)?;
        self.take(|b| b == mark)?;
        let third = self.digits(1, 4)?;
        let (year, month, day) = match (mark, first) {
            (_, 1000..) => (first, second, third),
            // `M/D/YYYY` is the only spelling seen that starts small; with dashes nobody knows what comes first.
            (b'/', _) if third >= 1000 => (third, first, second),
            _ => return None,
        };
        Date::new(
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(day).ok()?,
        )
        .ok()
    }

    fn separator(&mut self) -> Option<()> {
        self.take(|b| matches!(b, b'T' | b't' | b' ' | b'_'))?;
        self.spaces();
        Some(())
    }

    fn time(&mut self) -> Option<Time> {
        let mut hour = self.digits(1, 2)?;
        self.take(|b| b == b':')?;
        let minute = self.digits(2, 2)?;
        let mut second = 0;
        let mut nanosecond = 0;
        if self.take(|b| b == b':').is_some() {
            second = self.digits(2, 2)?;
            if self.take(|b| matches!(b, b'.' | b',')).is_some() {
                nanosecond = self.fraction()?;
            }
        }
        self.spaces();
        if let Some(half) = self.half_day()? {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + half;
        }
        // A leap second is the last second it can be (RFC 3339 §5.7 allows 60).
        let second = second
            .min(59)
            .max(if second > 60 { return None } else { 0 });
        Time::new(
            i8::try_from(hour).ok()?,
            i8::try_from(minute).ok()?,
            i8::try_from(second).ok()?,
            nanosecond,
        )
        .ok()
    }

    /// Reads a fraction of any length to nanoseconds; further digits are cut.
    fn fraction(&mut self) -> Option<i32> {
        let before = self.0.len();
        let value = self.digits(1, 9)?;
        let count = before - self.0.len();
        while self.take(|b| b.is_ascii_digit()).is_some() {}
        Some(value * 10_i32.pow(9 - count as u32))
    }

    /// Reads `AM` or `PM`: hours to add, `None` when neither stands there.
    #[expect(clippy::option_option, reason = "outer: unreadable, inner: not there")]
    fn half_day(&mut self) -> Option<Option<i32>> {
        let Some(half) = self.take(|b| matches!(b, b'A' | b'P' | b'a' | b'p')) else {
            return Some(None);
        };
        self.take(|b| matches!(b, b'M' | b'm'))?;
        self.spaces();
        Some(Some(if half.eq_ignore_ascii_case(&b'P') {
            12
        } else {
            0
        }))
    }

    /// Reads `Z`, `±HH:MM`, `±HHMM`, `±HH`, an optional zone name behind it, or nothing, which is UTC.
    fn offset(&mut self) -> Option<Offset> {
        if self.end() || matches!(self.0, b"Z" | b"z" | b"UTC" | b"GMT") {
            return Some(Offset::UTC);
        }
        let sign = if self.take(|b| matches!(b, b'+' | b'-'))? == b'-' {
            -1
        } else {
            1
        };
        let hours = self.digits(2, 2)?;
        self.take(|b| b == b':');
        let minutes = self.digits(2, 2).unwrap_or(0);
        self.spaces();
        // The number says it all; a name such as `PDT` behind it is ambiguous and adds nothing. Go writes the number
        // again where a zone has no name, and its monotonic clock behind that (`m=+0.1`).
        let name = self.0.split(|b| *b == b' ').all(|word| {
            let word = word.strip_prefix(b"m=").unwrap_or(word);
            match word.strip_prefix(b"+").or_else(|| word.strip_prefix(b"-")) {
                Some(number) => number.iter().all(|b| b.is_ascii_digit() || *b == b'.'),
                None => word.iter().all(u8::is_ascii_alphabetic),
            }
        });
        let valid = name && hours <= 23 && minutes <= 59;
        valid.then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2026-03-04T05:06:07Z", "2026-03-04T05:06:07Z")]
    #[case("2026-03-04T05:06:07.123456789Z", "2026-03-04T05:06:07.123456789Z")]
    #[case("2026-03-04T05:06:07.1234567891Z", "2026-03-04T05:06:07.123456789Z")]
    #[case("2026-03-04T05:06:07.1234567Z", "2026-03-04T05:06:07.1234567Z")]
    #[case("2026-03-04T05:06:07+0000", "2026-03-04T05:06:07Z")]
    #[case("2026-03-04T05:06:07-04:00", "2026-03-04T09:06:07Z")]
    #[case("2026-03-04 05:06:07", "2026-03-04T05:06:07Z")]
    #[case("2026-03-04 05:06:07.250", "2026-03-04T05:06:07.25Z")]
    #[case("2026-03-04T05:06:07.019382", "2026-03-04T05:06:07.019382Z")]
    #[case("2026-03-04 05:06:07 -0700 PDT", "2026-03-04T12:06:07Z")]
    #[case("2026-03-04 05:06:07.5 +0000 UTC", "2026-03-04T05:06:07.5Z")]
    #[case("2026-03-04 05:06:07 -0700 -0700", "2026-03-04T12:06:07Z")]
    #[case("2026-03-04 05:06:07.5 +0000 UTC m=+0.25", "2026-03-04T05:06:07.5Z")]
    #[case("2026-03-04T5:06:07Z", "2026-03-04T05:06:07Z")]
    #[case("2026-03-04T05:06:07Z)", "2026-03-04T05:06:07Z")]
    #[case("2026-03-04T05:06:60Z", "2026-03-04T05:06:59Z")]
    #[case("2026-03-04", "2026-03-04T00:00:00Z")]
    #[case("2026/03/04 05:06", "2026-03-04T05:06:00Z")]
    #[case("3/4/2026 2:42:35 PM", "2026-03-04T14:42:35Z")]
    #[case("3/4/2026 12:00:00 AM", "2026-03-04T00:00:00Z")]
    #[case("12/31/2026 12:00:00 PM", "2026-12-31T12:00:00Z")]
    #[case("Wed, 04 Mar 2026 05:06:07 GMT", "2026-03-04T05:06:07Z")]
    #[case("Sat, 4 Mar 2026 05:06:07 +0100", "2026-03-04T04:06:07Z")]
    #[case("04 Mar 2026 05:06:07 -0000", "2026-03-04T05:06:07Z")]
    #[case("1772600767", "2026-03-04T05:06:07Z")]
    #[case("1772600767123", "2026-03-04T05:06:07.123Z")]
    #[case("1772600767.5", "2026-03-04T05:06:07.5Z")]
    fn reads(#[case] text: &str, #[case] want: &str) {
        assert_eq!(from_text(text), Some(want.parse().unwrap()));
    }

    #[rstest]
    #[case(1_772_600_767, "2026-03-04T05:06:07Z")]
    #[case(1_772_600_767_123, "2026-03-04T05:06:07.123Z")]
    #[case(1_772_600_767_123_456, "2026-03-04T05:06:07.123456Z")]
    #[case(1_772_600_767_123_456_789, "2026-03-04T05:06:07.123456789Z")]
    fn sizes_tell_units(#[case] count: i64, #[case] want: &str) {
        assert_eq!(from_number(count), Some(want.parse().unwrap()));
    }

    #[rstest]
    #[case("")]
    #[case("yesterday")]
    #[case("0")]
    #[case("-5")]
    #[case("2026-13-01T00:00:00Z")]
    #[case("2026-02-30")]
    #[case("04-03-2026")]
    #[case("2026-03-04T25:00:00Z")]
    #[case("2026-03-04T05:06:61Z")]
    #[case("3/4/2026 13:00:00 PM")]
    #[case("2026-03-04T05:06:07+99:00")]
    #[case("2026-03-04T05:06:07Zulu time")]
    #[case("inf")]
    #[case("1e30")]
    fn refuses(#[case] text: &str) {
        assert_eq!(from_text(text), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), shaped in "[0-9/: TZ.,+\\-APM]{0,40}", number in any::<i64>(), float in any::<f64>()) {
            let _ = (from_text(&text), from_text(&shaped), from_number(number), from_float(float));
        }

        #[test]
        fn reads_back_what_it_is_told(second in 1_i64..253_402_300_799, nano in 0_i32..1_000_000_000) {
            let time = Timestamp::new(second, nano).unwrap();
            prop_assert_eq!(from_text(&time.to_string()), Some(time));
        }
    }
}
