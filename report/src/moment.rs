//! Times for people and for machines, UTC.

use schemas::time::{iso_ms, parse_us};
use serde::Serialize;

/// Microseconds of an hour.
pub(super) const HOUR_US: i64 = 3_600_000_000;
/// Microseconds of a day.
pub(super) const DAY_US: i64 = 24 * HOUR_US;

/// Times outside are not shown as times: 0002-01-01 and 9999-12-30, UTC.
const EARLIEST_US: i64 = -62_104_060_800_000_000;
const LATEST_US: i64 = 253_402_128_000_000_000;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A time, for a person and for a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    /// ISO 8601.
    machine: String,
    /// `2021-04-16 07:21:42`, with milliseconds where there are any.
    text: String,
}

/// A time that can be shown, or none.
pub(super) fn readable(time_us: Option<i64>) -> Option<i64> {
    time_us.filter(|time| (EARLIEST_US..LATEST_US).contains(time))
}

/// The moment of a time, or none where there is no time that can be shown.
pub(super) fn moment(time_us: Option<i64>) -> Option<Moment> {
    let machine = iso_ms(readable(time_us)?);
    let seconds = machine.get(..19)?.replace('T', " ");
    let fraction = machine.get(19..23).filter(|fraction| *fraction != ".000");
    Some(Moment {
        text: format!("{seconds}{}", fraction.unwrap_or_default()),
        machine,
    })
}

/// The UTC day of a time, `YYYY-MM-DD`.
pub(super) fn day(time_us: i64) -> String {
    schemas::time::day(time_us)
}

/// Midnight of the UTC day that a time is in.
pub(super) fn midnight(time_us: i64) -> i64 {
    time_us.div_euclid(DAY_US) * DAY_US
}

/// Midnight of a day written `YYYY-MM-DD`, or none.
pub(super) fn day_start(day: &str) -> Option<i64> {
    readable(parse_us(&format!("{day}T00:00:00Z")))
}

/// `16 April 2021`.
pub(super) fn long_day(time_us: i64) -> String {
    let (year, month, day) = parts(time_us);
    format!("{day} {month} {year}")
}

/// `16 Apr`.
pub(super) fn short_day(time_us: i64) -> String {
    let (_, month, day) = parts(time_us);
    format!("{day} {}", month.get(..3).unwrap_or_default())
}

/// `07:00`.
pub(super) fn clock(time_us: i64) -> String {
    iso_ms(time_us).get(11..16).unwrap_or_default().to_owned()
}

/// `24 March to 20 July 2021`, or one day.
pub(super) fn day_range(first_us: i64, last_us: i64) -> String {
    let (first, last) = (parts(first_us), parts(last_us));
    if first == last {
        long_day(first_us)
    } else if first.0 == last.0 && first.1 == last.1 {
        format!("{} to {}", first.2, long_day(last_us))
    } else if first.0 == last.0 {
        format!("{} {} to {}", first.2, first.1, long_day(last_us))
    } else {
        format!("{} to {}", long_day(first_us), long_day(last_us))
    }
}

/// Year, name of the month, day of the month.
fn parts(time_us: i64) -> (String, &'static str, u8) {
    let text = day(time_us);
    let mut words = text.rsplitn(3, '-');
    let day = words.next().and_then(|word| word.parse().ok());
    let month = words.next().and_then(|word| word.parse::<usize>().ok());
    let year = words.next().unwrap_or_default().to_owned();
    let month = month.and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    (year, month.copied().unwrap_or_default(), day.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{day_range, day_start, midnight, moment, parse_us, short_day};

    fn at(text: &str) -> i64 {
        parse_us(text).unwrap()
    }

    #[test]
    fn shows_milliseconds_only_where_there_are_any() {
        let text = |time| moment(Some(at(time))).unwrap().text;
        assert_eq!(text("2021-04-16T07:21:42Z"), "2021-04-16 07:21:42");
        assert_eq!(text("2021-04-16T07:21:42.25Z"), "2021-04-16 07:21:42.250");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_no_time() {
        for time in [i64::MIN, i64::MAX] {
            assert_eq!(moment(Some(time)), None);
        }
        assert_eq!(moment(None), None);
        assert_eq!(day_start("2021-13-45"), None);
    }

    #[test]
    fn ranges_name_what_differs() {
        let range = |first, last| day_range(at(first), at(last));
        assert_eq!(
            range("2021-04-16T01:00:00Z", "2021-04-16T02:00:00Z"),
            "16 April 2021"
        );
        assert_eq!(
            range("2021-04-16T01:00:00Z", "2021-04-18T02:00:00Z"),
            "16 to 18 April 2021"
        );
        assert_eq!(
            range("2021-04-16T01:00:00Z", "2021-07-18T02:00:00Z"),
            "16 April to 18 July 2021"
        );
        assert_eq!(
            range("2020-12-31T01:00:00Z", "2021-01-01T02:00:00Z"),
            "31 December 2020 to 1 January 2021"
        );
        assert_eq!(short_day(at("2021-07-18T02:00:00Z")), "18 Jul");
    }

    #[test]
    fn midnight_is_before_times_before_1970_too() {
        assert_eq!(midnight(-1), -super::DAY_US);
    }
}
