//! Times that are written for people: a date and a clock, and what stands between and behind them.

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::{DateOrder, Unread, utc};

/// What is known of a time while its words are read.
#[derive(Debug, Default)]
struct Found {
    date: Option<Date>,
    clock: Option<Clock>,
    is_afternoon: Option<bool>,
    month: Option<i16>,
    /// Numbers that stand alone, with the dots behind them taken off.
    alone: Vec<(i16, usize)>,
    offset_s: Option<i64>,
}

/// A date as written.
#[derive(Debug, Clone, Copy)]
enum Date {
    /// Year, month, day.
    Known(i16, i16, i16),
    /// Two numbers whose order the form does not tell, and the year.
    Either(i16, i16, i16),
}

#[derive(Debug, Clone, Copy)]
struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
}

/// The time that `text` means, in microseconds since the Unix epoch, UTC.
pub(super) fn read(text: &str, order: DateOrder) -> Result<i64, Unread> {
    let found = words_of(text).ok_or(Unread::NoTime)?;
    let (year, month, day) = match found.date.ok_or(Unread::NoTime)? {
        Date::Known(year, month, day) => (year, month, day),
        Date::Either(first, second, year) => match proved_by(first, second).unwrap_or(order) {
            _ if first == second => (year, first, second),
            DateOrder::DayFirst => (year, second, first),
            DateOrder::MonthFirst => (year, first, second),
            DateOrder::Unknown => return Err(Unread::Ambiguous),
        },
    };
    time_of(&found, year, month, day).ok_or(Unread::NoTime)
}

/// What a date proves about the order of its first two numbers.
pub(super) fn proved(text: &str) -> Option<DateOrder> {
    match words_of(text)?.date? {
        Date::Either(first, second, _) => proved_by(first, second),
        Date::Known(..) => None,
    }
}

fn proved_by(first: i16, second: i16) -> Option<DateOrder> {
    if (13..=31).contains(&first) && (1..=12).contains(&second) {
        Some(DateOrder::DayFirst)
    } else if (13..=31).contains(&second) && (1..=12).contains(&first) {
        Some(DateOrder::MonthFirst)
    } else {
        None
    }
}

fn time_of(found: &Found, year: i16, month: i16, day: i16) -> Option<i64> {
    let clock = found.clock.unwrap_or(Clock {
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
    });
    let hour = match found.is_afternoon {
        None => clock.hour,
        Some(afternoon) if (1..=12).contains(&clock.hour) => {
            clock.hour % 12 + if afternoon { 12 } else { 0 }
        }
        Some(_) => return None,
    };
    let civil = DateTime::new(
        year,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        hour,
        clock.minute,
        clock.second,
        clock.nanosecond,
    )
    .ok()?;
    let offset = SignedDuration::from_secs(found.offset_s.unwrap_or(0));
    utc(civil.checked_sub(offset).ok()?)
}

/// Longest text that is looked at, in bytes: no time needs as many.
const TEXT_BYTES_MAX: usize = 64;

/// All words of a time; none if one of them belongs to none.
fn words_of(text: &str) -> Option<Found> {
    if text.len() > TEXT_BYTES_MAX || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut found = Found::default();
    let is_gap = |letter: char| letter.is_whitespace() || ",()[]\u{200e}\u{200f}".contains(letter);
    for word in text.to_lowercase().split(is_gap) {
        if !word.is_empty() && !found.take(word) {
            return None;
        }
    }
    found.settle();
    Some(found)
}

impl Found {
    fn take(&mut self, word: &str) -> bool {
        if let Some(offset_s) = offset_of(word) {
            return self.offset_s.replace(offset_s).is_none();
        }
        if word.as_bytes()[0].is_ascii_digit() {
            return self.take_digits(word);
        }
        let plain: String = word.chars().filter(|letter| *letter != '.').collect();
        if let Some(is_afternoon) = half_day(&plain) {
            return self.is_afternoon.replace(is_afternoon).is_none();
        }
        if let Some(month) = month_of(&plain) {
            return self.month.replace(month).is_none();
        }
        // "a. m." is two words.
        match plain.as_str() {
            "a" => self.is_afternoon.replace(false).is_none(),
            "p" => self.is_afternoon.replace(true).is_none(),
            "m" => self.is_afternoon.is_some(),
            "at" => true,
            _ => is_weekday(&plain),
        }
    }

    /// A word that begins with a digit: a date, a clock, or a number.
    fn take_digits(&mut self, word: &str) -> bool {
        if word.contains(':') {
            return self.take_clock(word, ':');
        }
        // A clock of some countries is written with dots, behind the date.
        if self.date.is_some() && self.clock.is_none() && word.matches('.').count() >= 1 {
            return self.take_clock(word, '.');
        }
        if let Some(date) = date_of(word) {
            return self.date.replace(date).is_none();
        }
        if let Some((date, clock)) = word.split_once('t')
            && let Some(date) = date_of(date)
        {
            return self.date.replace(date).is_none() && self.take_clock(clock, ':');
        }
        if let Some(date) = named_date(word) {
            return self.date.replace(date).is_none();
        }
        let number = word.trim_end_matches('.');
        match number.parse() {
            Ok(value) if self.alone.len() < 3 => {
                self.alone.push((value, number.len()));
                true
            }
            _ => false,
        }
    }

    fn take_clock(&mut self, word: &str, parting: char) -> bool {
        let end = word
            .find(|letter: char| !letter.is_ascii_digit() && letter != parting && letter != '.')
            .unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        let Some(clock) = clock_of(clock, parting) else {
            return false;
        };
        if self.clock.replace(clock).is_some() {
            return false;
        }
        rest.is_empty() || self.take(rest)
    }

    /// Makes a date of what stood alone.
    fn settle(&mut self) {
        if self.date.is_some() {
            return;
        }
        self.date = match (self.month, self.alone.as_slice()) {
            (Some(month), [(year, 4), (day, 1 | 2)] | [(day, 1 | 2), (year, 4)]) => {
                Some(Date::Known(*year, month, *day))
            }
            (
                None,
                [(year, 4), (month, 1 | 2), (day, 1 | 2)]
                | [(day, 1 | 2), (month, 1 | 2), (year, 4)],
            ) => Some(Date::Known(*year, *month, *day)),
            _ => None,
        };
    }
}

/// A date of three numbers with the same sign between them.
fn date_of(word: &str) -> Option<Date> {
    let word = word.trim_end_matches('.');
    let parting = word.chars().find(|letter| "/.-".contains(*letter))?;
    let mut parts = word.split(parting);
    let mut next = || {
        let part = parts.next()?;
        let is_number =
            (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(part)
    };
    let (first, second, third) = (next()?, next()?, next()?);
    if parts.next().is_some() || second.len() > 2 {
        return None;
    }
    let number = |part: &str| part.parse::<i16>().ok();
    let (a, b, c) = (number(first)?, number(second)?, number(third)?);
    match (first.len(), third.len()) {
        (4, 1 | 2) => Some(Date::Known(a, b, c)),
        (1 | 2, 2 | 4) => {
            let year = if third.len() == 2 { century(c) } else { c };
            // No country that writes dots begins with the month.
            if parting == '.' {
                Some(Date::Known(year, b, a))
            } else {
                Some(Date::Either(a, b, year))
            }
        }
        _ => None,
    }
}

/// `14-sep-2026`.
fn named_date(word: &str) -> Option<Date> {
    let mut parts = word.split(['-', '/']);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let year: i16 = match year.len() {
        2 => century(year.parse().ok()?),
        4 => year.parse().ok()?,
        _ => return None,
    };
    Some(Date::Known(year, month_of(month)?, day.parse().ok()?))
}

/// The year of two digits, as .NET has it.
const fn century(year: i16) -> i16 {
    year + if year < 50 { 2000 } else { 1900 }
}

fn clock_of(word: &str, parting: char) -> Option<Clock> {
    let mut parts = word.split(parting);
    let number = |part: &str| -> Option<i8> {
        let is_number = (1..=2).contains(&part.len());
        is_number.then(|| part.parse().ok()).flatten()
    };
    let hour = number(parts.next()?)?;
    let minute = number(parts.next()?)?;
    let mut nanosecond = 0;
    let second = match parts.next() {
        None => 0,
        Some(part) => {
            let (second, fraction) = part.split_once('.').unwrap_or((part, ""));
            if fraction.bytes().any(|byte| !byte.is_ascii_digit()) {
                return None;
            }
            let nine: String = fraction
                .chars()
                .chain("000000000".chars())
                .take(9)
                .collect();
            nanosecond = nine.parse().ok()?;
            number(second)?
        }
    };
    parts.next().is_none().then_some(Clock {
        hour,
        minute,
        second,
        nanosecond,
    })
}

/// The seconds that `+01:00`, `+0100` or `utc` is ahead of UTC.
fn offset_of(word: &str) -> Option<i64> {
    let (sign, rest) = match word.as_bytes().first()? {
        b'+' => (1, &word[1..]),
        b'-' => (-1, &word[1..]),
        _ => return matches!(word, "z" | "utc" | "gmt").then_some(0),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 && is_digits(rest) => rest.split_at(2),
        None => (rest, "0"),
    };
    let is_short = hours.len() <= 2 && minutes.len() <= 2;
    if !is_short || !is_digits(hours) || !is_digits(minutes) {
        return None;
    }
    let hours: i64 = hours.parse().ok()?;
    let minutes: i64 = minutes.parse().ok()?;
    ((0..=14).contains(&hours) && (0..60).contains(&minutes))
        .then_some(sign * (hours * 3600 + minutes * 60))
}

/// Whether a word means the afternoon, as Windows writes it in the languages in which it writes it at all.
fn half_day(word: &str) -> Option<bool> {
    match word {
        "am" | "vorm" | "fm" | "πμ" | "ص" | "sa" | "上午" | "午前" | "오전" | "de" | "pd" => {
            Some(false)
        }
        "pm" | "nachm" | "em" | "μμ" | "م" | "ch" | "下午" | "午後" | "오후" | "du" | "md" => {
            Some(true)
        }
        _ => None,
    }
}

fn month_of(word: &str) -> Option<i16> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = if word == "sept" { "sep" } else { word };
    let is_month = |name: &&str| word == *name || (word.len() == 3 && name.starts_with(word));
    let place = MONTHS.iter().position(is_month)?;
    i16::try_from(place + 1).ok()
}

fn is_weekday(word: &str) -> bool {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let is_day = |name: &&str| word == *name || (word.len() == 3 && name.starts_with(word));
    DAYS.iter().any(is_day)
}
