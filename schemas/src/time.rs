//! The forms in which Microsoft writes times; a time without a zone is UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The time that `text` means, in microseconds since the Unix epoch, UTC; none if it means none.
///
/// Reads ISO 8601 with any number of fraction digits, `Z`, an offset or no zone, and the
/// American form `8/22/2022 6:07:16 PM` with or without AM/PM and offset.
/// `0001-01-01T00:00:00Z`, .NET's "no value", is none. Fractions below a microsecond are cut.
pub fn parse_us(text: &str) -> Option<i64> {
    let text = text.trim();
    let parsed = if text.contains('/') {
        american(text)
    } else {
        iso(text)
    }?;
    (parsed > YEAR_2_US).then_some(parsed)
}

/// 0002-01-01T00:00:00Z in microseconds: what is earlier is .NET's default value, not a time.
const YEAR_2_US: i64 = -62_104_060_800_000_000;

/// The UTC day of a time, `YYYY-MM-DD`.
pub fn day(time_us: i64) -> String {
    Timestamp::from_microsecond(time_us)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%d")
        .to_string()
}

/// A time as ISO 8601 with milliseconds and `Z`.
pub fn iso_ms(time_us: i64) -> String {
    Timestamp::from_microsecond(time_us)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

fn iso(text: &str) -> Option<i64> {
    if let Ok(zoned) = text.parse::<Timestamp>() {
        return Some(zoned.as_microsecond());
    }
    utc(text.parse::<DateTime>().ok()?)
}

fn utc(civil: DateTime) -> Option<i64> {
    civil
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp().as_microsecond())
}

fn american(text: &str) -> Option<i64> {
    let mut words = text.split_ascii_whitespace();
    let date = words.next()?;
    let clock = words.next()?;
    let mut half_day = None;
    let mut offset_s = 0;
    for word in words {
        match word.to_ascii_uppercase().as_str() {
            "AM" => half_day = Some(false),
            "PM" => half_day = Some(true),
            other => offset_s = offset_seconds(other)?,
        }
    }
    let mut parts = date.split('/').map(str::parse::<i16>);
    let month = parts.next()?.ok()?;
    let day = parts.next()?.ok()?;
    let year = parts.next()?.ok()?;
    let mut parts = clock.split(':').map(str::parse::<i8>);
    let hour = parts.next()?.ok()?;
    let minute = parts.next()?.ok()?;
    let second = parts.next().transpose().ok()?.unwrap_or(0);
    let hour = match half_day {
        None => hour,
        Some(afternoon) if (1..=12).contains(&hour) => hour % 12 + if afternoon { 12 } else { 0 },
        Some(_) => return None,
    };
    let civil = DateTime::new(
        year,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        hour,
        minute,
        second,
        0,
    )
    .ok()?;
    let local = civil
        .checked_sub(SignedDuration::from_secs(offset_s))
        .ok()?;
    utc(local)
}

/// The seconds that `+01:00` is ahead of UTC.
fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        b'Z' if text.len() == 1 => return Some(0),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours: i64 = hours.parse().ok()?;
    let minutes: i64 = minutes.parse().ok()?;
    ((0..=14).contains(&hours) && (0..60).contains(&minutes))
        .then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::{day, iso_ms, parse_us};

    #[test]
    fn reads_every_form_seen_in_diagnostic_records() {
        for (text, expected) in [
            ("01/09/2007 09:41:00", "2007-01-09T09:41:00.000Z"),
            ("1/9/2007 9:41:00 AM", "2007-01-09T09:41:00.000Z"),
            ("1/9/2007 12:05:00 AM", "2007-01-09T00:05:00.000Z"),
            ("8/22/2022 6:07:16 PM", "2022-08-22T18:07:16.000Z"),
            ("1/9/2007 10:41:00 AM +01:00", "2007-01-09T09:41:00.000Z"),
            ("2007-01-09T09:41:00", "2007-01-09T09:41:00.000Z"),
            ("2007-01-09T09:41:00.22Z", "2007-01-09T09:41:00.220Z"),
            ("2007-01-09T09:41:00.6816663Z", "2007-01-09T09:41:00.681Z"),
            ("2007-01-09T09:41:00.535404056Z", "2007-01-09T09:41:00.535Z"),
            (
                "2007-01-09T09:41:00.992099+00:00",
                "2007-01-09T09:41:00.992Z",
            ),
            ("2007-01-09T11:41:00+02:00", "2007-01-09T09:41:00.000Z"),
            ("2007-01-09 09:41:00", "2007-01-09T09:41:00.000Z"),
        ] {
            assert_eq!(
                parse_us(text).map(iso_ms).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_means_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "0001-01-01T00:00:00Z",
            "2007-13-09T09:41:00Z",
            "13/40/2007 9:41:00",
            "1/9/2007 13:41:00 PM",
            "1/9/2007 9:41:00 AM +99:00",
            "2007-01-09T24:30:00Z",
        ] {
            assert_eq!(parse_us(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_utc() {
        assert_eq!(
            day(parse_us("2026-09-14T23:59:59.9Z").unwrap_or(0)),
            "2026-09-14"
        );
        assert_eq!(day(-1), "1969-12-31");
    }
}
