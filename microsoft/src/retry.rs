//! Whether and when a request is sent again. Pure: time and chance come in as values.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Most times that one request is sent.
pub const ATTEMPTS_MAX: u32 = 4;

/// Longest wait that is believed, however long Microsoft asks for.
///
/// AF50000 has asked for an hour; longer ones are a fault, and the source looks again after an hour.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Longest wait inside a call; a longer one is the caller's, who can do something else meanwhile.
pub const WAIT_IN_PLACE_MAX: Duration = Duration::from_secs(30);

/// Wait for throttling that names no time: the Management Activity API counts by the minute.
pub(crate) const THROTTLED_WAIT: Duration = Duration::from_mins(1);

/// Reads a `Retry-After` header: seconds, or an HTTP date relative to `now_us`.
///
/// A date in the past is zero; what cannot be read is none; both are capped at [`RETRY_AFTER_MAX`].
/// Source: RFC 9110 §10.2.3.
pub(crate) fn parse_retry_after(text: &str, now_us: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are still a very long time.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let ahead_us = parse_date_us(text)?.saturating_sub(now_us).max(0);
    Some(Duration::from_micros(ahead_us.unsigned_abs()).min(RETRY_AFTER_MAX))
}

/// Reads an HTTP date, for example of a `Date` header, as microseconds since the Unix epoch.
pub(crate) fn parse_date_us(text: &str) -> Option<i64> {
    let date: Timestamp = DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(date.as_microsecond())
}

/// What came of one attempt, as far as the decision needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// Number of attempts made, from 1.
    pub(crate) made: u32,
    /// HTTP status; none if the connection failed.
    pub(crate) status: Option<u16>,
    /// Microsoft's error code, or empty.
    pub(crate) code: &'a str,
    /// What the `Retry-After` header asked for.
    pub(crate) retry_after: Option<Duration>,
    /// False for a request that must not be sent twice unless it was surely not carried out.
    pub(crate) is_repeatable: bool,
    /// Shortest wait of the configuration.
    pub(crate) wait_min: Duration,
    /// Chance, from 0 to 1.
    pub(crate) chance: f64,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Send it again after this long.
    Again(Duration),
    /// Hand it to the caller; a throttled caller shall wait this long.
    GiveUp(Option<Duration>),
}

/// True for the answers that mean "later", and that were surely not carried out.
///
/// AF429 is documented with status 403, so the code counts before the status.
pub(crate) fn is_throttled(status: u16, code: &str) -> bool {
    code == "AF429" || status == 429 || code == "TooManyRequests"
}

/// Decides what happens after an attempt without success.
pub(crate) fn decide(attempt: &Attempt<'_>) -> Decision {
    let throttled = attempt
        .status
        .is_some_and(|status| is_throttled(status, attempt.code));
    let transient = match attempt.status {
        Some(503) => true,
        None | Some(408 | 500 | 502 | 504) => attempt.is_repeatable,
        Some(_) => throttled,
    };
    if !transient {
        return Decision::GiveUp(attempt.retry_after);
    }
    let backoff = attempt.wait_min * 2_u32.saturating_pow(attempt.made.saturating_sub(1).min(10));
    let unasked = if attempt.code == "AF429" {
        THROTTLED_WAIT
    } else {
        backoff
    };
    let asked = attempt.retry_after.unwrap_or(unasked);
    // Zero is no reason to hammer; jitter keeps callers apart.
    let wait = asked
        .max(backoff.min(WAIT_IN_PLACE_MAX))
        .mul_f64(1.0 + attempt.chance.clamp(0.0, 1.0) / 4.0);
    if attempt.made >= ATTEMPTS_MAX || wait > WAIT_IN_PLACE_MAX {
        let after = throttled.then_some(wait).or(attempt.retry_after);
        return Decision::GiveUp(after.map(|wait| wait.min(RETRY_AFTER_MAX)));
    }
    Decision::Again(wait)
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Decision, RETRY_AFTER_MAX, decide, parse_retry_after};
    use std::time::Duration;

    /// 2015-10-21T07:28:00Z.
    const NOW_US: i64 = 1_445_412_480_000_000;

    #[test]
    fn reads_every_form_of_retry_after() {
        // Seconds, HTTP date, absent, 0, absurd.
        for (text, expected) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("86400", Some(3_600)),
            ("99999999999999999999999", Some(3_600)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("soon", None),
        ] {
            assert_eq!(
                parse_retry_after(text, NOW_US),
                expected.map(Duration::from_secs),
                "{text}"
            );
        }
    }

    fn attempt(status: Option<u16>) -> Attempt<'static> {
        Attempt {
            made: 1,
            status,
            code: "",
            retry_after: None,
            is_repeatable: true,
            wait_min: Duration::from_millis(500),
            chance: 0.0,
        }
    }

    #[test]
    fn waits_as_long_as_asked_and_never_less_than_its_own_wait() {
        let asked = |seconds| Attempt {
            retry_after: Some(Duration::from_secs(seconds)),
            ..attempt(Some(429))
        };
        assert_eq!(decide(&asked(7)), Decision::Again(Duration::from_secs(7)));
        assert_eq!(
            decide(&asked(0)),
            Decision::Again(Duration::from_millis(500))
        );
        assert_eq!(
            decide(&asked(3_600)),
            Decision::GiveUp(Some(RETRY_AFTER_MAX))
        );
    }

    #[test]
    fn doubles_and_ends() {
        let made = |made| {
            decide(&Attempt {
                made,
                ..attempt(Some(503))
            })
        };
        assert_eq!(made(2), Decision::Again(Duration::from_secs(1)));
        assert_eq!(made(3), Decision::Again(Duration::from_secs(2)));
        assert_eq!(made(4), Decision::GiveUp(None));
    }

    #[test]
    fn throttling_is_told_by_code_even_with_status_403() {
        let throttled = Attempt {
            code: "AF429",
            ..attempt(Some(403))
        };
        assert_eq!(
            decide(&throttled),
            Decision::GiveUp(Some(Duration::from_mins(1)))
        );
        assert_eq!(decide(&attempt(Some(403))), Decision::GiveUp(None));
    }

    #[test]
    fn a_request_that_may_have_been_carried_out_is_not_repeated() {
        for status in [None, Some(500), Some(502), Some(504)] {
            let once = Attempt {
                is_repeatable: false,
                ..attempt(status)
            };
            assert_eq!(decide(&once), Decision::GiveUp(None), "{status:?}");
            assert!(
                matches!(decide(&attempt(status)), Decision::Again(_)),
                "{status:?}"
            );
        }
        let refused = Attempt {
            is_repeatable: false,
            ..attempt(Some(429))
        };
        assert!(matches!(decide(&refused), Decision::Again(_)));
    }
}
