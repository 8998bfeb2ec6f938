//! From an answer to a class of outcome.

use std::time::Duration;

use jiff::Timestamp;

use super::http::Answer;
use super::jq;
use crate::domain::coverage::WireOutcome;
use crate::domain::decision::ErrorClass;
use crate::domain::plan::RenderedRequest;

/// Longest pause that `Retry-After` may ask for before the console gives up and says *deferred*.
pub const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Most tries of one request.
pub const MAX_TRIES: u32 = 3;

/// Classifies an answer; the text says why when it is not plainly accepted.
pub fn classify(answer: &Answer, request: &RenderedRequest) -> (WireOutcome, Option<String>) {
    use WireOutcome as W;
    let status = answer.status;
    if request.already.contains(&status) {
        return (W::NoChange, None);
    }
    match status {
        300..400 => (
            W::BlockedRedirect,
            Some(format!(
                "the provider points elsewhere (status {status}); redirects are not followed"
            )),
        ),
        _ if request.expect.contains(&status) => accepted(answer, request),
        200..300 => (
            W::Unknown,
            Some(format!(
                "status {status} is not what this request answers; it may or may not have taken effect"
            )),
        ),
        401 | 403 => (
            W::Rejected,
            Some(format!(
                "status {status}: the console's own credential may not do this"
            )),
        ),
        429 | 503 => (
            W::Deferred,
            Some(format!(
                "status {status}: the provider asks to come back later"
            )),
        ),
        400..500 => (
            W::Rejected,
            Some(format!("the provider refused it with status {status}")),
        ),
        _ => (
            W::Unknown,
            Some(format!(
                "the provider failed with status {status}; it may or may not have taken effect"
            )),
        ),
    }
}

/// Says what kind of thing went wrong; `None` when nothing did.
pub fn class_of(outcome: WireOutcome, status: u16) -> Option<ErrorClass> {
    use WireOutcome as W;
    match (outcome, status) {
        (W::Accepted | W::AcceptedAsync | W::NoChange, _) => None,
        (W::BlockedRedirect, _) => Some(ErrorClass::Redirect),
        (W::Deferred, _) => Some(ErrorClass::Busy),
        (_, 401 | 403) => Some(ErrorClass::Credential),
        (_, 500..) => Some(ErrorClass::Provider),
        (W::Rejected, _) => Some(ErrorClass::Refused),
        _ => Some(ErrorClass::Answer),
    }
}

fn accepted(answer: &Answer, request: &RenderedRequest) -> (WireOutcome, Option<String>) {
    use WireOutcome as W;
    if let Err(why) = &answer.body {
        return (
            W::Unknown,
            Some(format!("status {} came, but {why}", answer.status)),
        );
    }
    if let Some(filter) = &request.accept_if {
        let verdict = answer
            .json()
            .map_err(str::to_owned)
            .and_then(|body| jq::is_true(filter, &body).map_err(|e| e.to_string()));
        match verdict {
            Ok(true) => {}
            Ok(false) => {
                return (
                    W::Rejected,
                    Some(format!(
                        "status {} came with an error inside",
                        answer.status
                    )),
                );
            }
            Err(why) => return (W::Unknown, Some(why)),
        }
    }
    if answer.status == 202 {
        (W::AcceptedAsync, None)
    } else {
        (W::Accepted, None)
    }
}

/// Returns how long to pause before try number `next`, or `None` when the provider asks for more than the cap.
///
/// `Retry-After` is seconds or an HTTP date (RFC 9110 §10.2.3); anything else counts as absent.
pub fn pause(retry_after: Option<&str>, next: u32, now: Timestamp) -> Option<Duration> {
    let asked = retry_after.and_then(|raw| {
        let raw = raw.trim();
        if !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_digit()) {
            return Some(raw.parse().map_or(Duration::MAX, Duration::from_secs));
        }
        let date = jiff::fmt::rfc2822::parse(raw).ok()?.timestamp();
        let seconds = date.as_second().saturating_sub(now.as_second()).max(0);
        Some(Duration::from_secs(seconds.unsigned_abs()))
    });
    let pause = asked.unwrap_or(Duration::from_secs(u64::from(next.saturating_sub(1))));
    (pause <= MAX_PAUSE).then_some(pause)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, Some(1))]
    #[case(Some("0"), Some(0))]
    #[case(Some("30"), Some(30))]
    #[case(Some("31"), None)]
    #[case(Some("1000000000"), None)]
    #[case(Some("99999999999999999999999999"), None)]
    #[case(Some("-5"), Some(1))]
    #[case(Some(""), Some(1))]
    #[case(Some("soon"), Some(1))]
    #[case(Some("Thu, 01 Jan 1970 00:00:10 GMT"), Some(10))]
    #[case(Some("Wed, 31 Dec 1969 23:59:00 GMT"), Some(0))]
    #[case(Some("Thu, 01 Jan 1970 01:00:00 GMT"), None)]
    fn retry_after(#[case] raw: Option<&str>, #[case] seconds: Option<u64>) {
        assert_eq!(
            pause(raw, 2, Timestamp::UNIX_EPOCH),
            seconds.map(Duration::from_secs)
        );
    }
}
