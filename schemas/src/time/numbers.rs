//! Times that are numbers.

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// The time of `/Date(1789372931250+0200)/` and of numbers since an epoch; none of anything else.
pub(super) fn read(text: &str) -> Option<i64> {
    if let Some(inside) = text.trim_start_matches('\\').strip_prefix("/Date(") {
        let (number, _) = inside.split_once(')')?;
        // The offset says only how to show it: the number is of UTC.
        let sign = usize::from(number.starts_with('-'));
        let end = number[sign..]
            .find(['+', '-'])
            .map_or(number.len(), |at| at + sign);
        return number[..end].parse::<i64>().ok()?.checked_mul(1_000);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || text.ends_with('.') {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        // Excel counts days from 1899-12-30; in these are the years 2000 to 2099. A whole number could be anything.
        5 if !fraction.is_empty() && (36_526..73_051).contains(&number) => {
            let days = (number - 25_569).checked_mul(DAY_US)?;
            Some(round_to_ms(days + part(fraction, DAY_US)))
        }
        10 => Some(number * 1_000_000 + part(fraction, 1_000_000)),
        13 => Some(number * 1_000 + part(fraction, 1_000)),
        16 => Some(number),
        _ => None,
    }
}

/// So much of `whole` as the digits of a fraction say.
fn part(fraction: &str, whole: i64) -> i64 {
    let digits = &fraction[..fraction.len().min(12)];
    let scale = (0..digits.len()).fold(1_i128, |scale, _| scale * 10);
    let number: i128 = digits.parse().unwrap_or(0);
    i64::try_from(i128::from(whole) * number / scale).unwrap_or(0)
}

/// A day's fraction has no more than some ten digits, which are milliseconds, not more.
const fn round_to_ms(time_us: i64) -> i64 {
    (time_us + 500).div_euclid(1_000) * 1_000
}
