//! The forms in which Microsoft and people's tools write times; a time without a zone is UTC.

mod forms;
mod numbers;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Which of the first two numbers of `05/01/2026` is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    /// As Microsoft's own services write it, whatever the country.
    MonthFirst,
    /// As most countries write it.
    DayFirst,
    /// Nobody knows: such a date is no time, unless a number above 12 or a dot tells.
    #[default]
    Unknown,
}

/// Why a text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It means none, or is of no form that is known.
    NoTime,
    /// Its day and month could be either way round.
    Ambiguous,
}

/// The time that `text` means, in microseconds since the Unix epoch, UTC; none if it means none.
///
/// Of a date whose order nothing tells the month is first, as Microsoft's services write it: see [`read_us`] for others.
pub fn parse_us(text: &str) -> Option<i64> {
    read_us(text, DateOrder::MonthFirst).ok()
}

/// The time that `text` means, in microseconds since the Unix epoch, UTC.
///
/// Reads ISO 8601 with any number of fraction digits, `Z`, an offset or no zone; `/Date(ms)/`; seconds, milliseconds and
/// microseconds since 1970; Excel's days since 1900; RFC 1123; dates with slashes, dots and dashes, with AM and PM in
/// several languages, and with `UTC` or an offset behind them. `0001-01-01T00:00:00Z`, .NET's "no value", is none.
/// Fractions below a microsecond are cut.
///
/// # Errors
/// [`Unread::Ambiguous`] if only `order` could tell day from month, and it does not.
pub fn read_us(text: &str, order: DateOrder) -> Result<i64, Unread> {
    let text = text.trim();
    let parsed = match iso(text).or_else(|| numbers::read(text)) {
        Some(time_us) => time_us,
        None => forms::read(text, order)?,
    };
    if parsed > YEAR_2_US && parsed <= YEAR_9999_US {
        Ok(parsed)
    } else {
        Err(Unread::NoTime)
    }
}

/// The time that a JSON value means: a text, a number, or PowerShell's object of one (`value`, `DateTime`).
///
/// # Errors
/// As of [`read_us`].
pub fn value_us(value: &Value, order: DateOrder) -> Result<i64, Unread> {
    match value {
        Value::String(text) => read_us(text, order),
        Value::Number(number) => read_us(&number.to_string(), order),
        Value::Object(members) => {
            let named = |wanted: &str| {
                let mut found = members.iter();
                found.find(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.is_object())
            };
            let mut unread = Unread::NoTime;
            // The text beside the number is for people, and without fractions.
            for (_, value) in ["value", "DateTime"].into_iter().filter_map(named) {
                match value_us(value, order) {
                    Ok(time_us) => return Ok(time_us),
                    Err(why) if why == Unread::Ambiguous => unread = why,
                    Err(_) => {}
                }
            }
            Err(unread)
        }
        _ => Err(Unread::NoTime),
    }
}

/// What a text proves about the order of day and month; none if it is no such date, or proves nothing.
pub fn order_of(text: &str) -> Option<DateOrder> {
    forms::proved(text.trim())
}

/// True if a text is a date that only an order of day and month makes a time.
pub fn needs_order(text: &str) -> bool {
    read_us(text, DateOrder::Unknown) == Err(Unread::Ambiguous)
}

/// 0002-01-01T00:00:00Z in microseconds: what is earlier is .NET's default value, not a time.
const YEAR_2_US: i64 = -62_104_060_800_000_000;

/// The last microsecond of the year 9999: what is later nobody can print.
const YEAR_9999_US: i64 = 253_402_300_799_999_999;

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
    if !text.as_bytes().first()?.is_ascii_digit() || !text.contains('-') {
        return None;
    }
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

#[cfg(test)]
mod tests;
