//! A day of the calendar in UTC, as rules and filters write it.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A day in UTC, written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day that `YYYY-MM-DD` means; none for any other form, and for days that no calendar has.
    pub fn parse(text: &str) -> Option<Self> {
        let has_form = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !has_form {
            return None;
        }
        let year = text[..4].parse().ok()?;
        let month = text[5..7].parse().ok()?;
        let day = text[8..].parse().ok()?;
        Date::new(year, month, day).ok().map(Self)
    }

    /// The day of a time in microseconds since the Unix epoch, UTC; 1970-01-01 for times beyond the calendar.
    pub fn of_us(time_us: i64) -> Self {
        let time = Timestamp::from_microsecond(time_us).unwrap_or(Timestamp::UNIX_EPOCH);
        Self(time.to_zoned(TimeZone::UTC).date())
    }

    /// The day so many days later; the last of the calendar if there is none.
    #[must_use]
    pub fn later(self, days: u16) -> Self {
        let later = self.0.checked_add(jiff::Span::new().days(days));
        Self(later.unwrap_or(Date::MAX))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.strftime("%Y-%m-%d"))
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format!("\"{text}\" is no day of the form YYYY-MM-DD"));
        Self::parse(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn reads_one_form_and_writes_it() {
        for text in ["2026-11-21", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-1-01",
            "20261121",
            "2026/11/21",
            "+026-11-21",
            "2026-11-21 ",
            "２０２６-11-21",
            "",
        ] {
            assert_eq!(Day::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_day_lasts_until_midnight_utc() {
        let day = Day::parse("2026-11-21").unwrap();
        let midnight_us = schemas::time::parse_us("2026-11-22T00:00:00Z").unwrap();
        assert_eq!(Day::of_us(midnight_us - 1), day);
        assert_eq!(Day::of_us(midnight_us), day.later(1));
        assert_eq!(day.later(90).to_string(), "2027-02-19");
        assert!(day < day.later(1));
        Day::of_us(i64::MIN);
        Day::of_us(i64::MAX);
        let last = Day::parse("9999-12-31").unwrap();
        assert_eq!(last.later(u16::MAX), last);
    }
}
