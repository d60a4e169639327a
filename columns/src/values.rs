//! The forms in which Microsoft writes the values of a column.

use std::borrow::Cow;

use schemas::tables::Kind;
use schemas::time::DateOrder;
use schemas::{ip, time};

use super::Cell;
use crate::json::{self, View};

/// What one column of one record holds, before it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Time(i64),
    Bytes(&'a [u8]),
}

impl<'a> Reading<'a> {
    /// A time, or null if readers could not print it.
    fn time(time_us: i64) -> Self {
        match Cell::time(time_us) {
            Cell::Time(time_us) => Self::Time(time_us),
            _ => Self::Null,
        }
    }

    /// What a cell holds.
    pub(crate) fn of(cell: &'a Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Text(text) => Self::Text(Cow::Borrowed(text)),
            Cell::Integer(value) => Self::Integer(*value),
            Cell::Number(value) => Self::Number(*value),
            Cell::Boolean(value) => Self::Boolean(*value),
            Cell::Time(value) => Self::Time(*value),
            Cell::Bytes(bytes) => Self::Bytes(bytes),
        }
    }

    /// The cell that keeps it.
    pub(crate) fn into_cell(self) -> Cell {
        match self {
            Self::Null => Cell::Null,
            Self::Text(text) => Cell::Text(text.into_owned()),
            Self::Integer(value) => Cell::Integer(value),
            Self::Number(value) => Cell::Number(value),
            Self::Boolean(value) => Cell::Boolean(value),
            Self::Time(value) => Cell::Time(value),
            Self::Bytes(bytes) => Cell::Bytes(bytes.to_vec().into()),
        }
    }
}

/// The value at `at` as its kind; none if it cannot be one.
///
/// A JSON null, and for numbers, times and booleans an empty string, is null: Microsoft writes both for "nothing".
pub(crate) fn read(kind: Kind, view: View<'_>, at: u32) -> Option<Reading<'_>> {
    if view.kind(at) == json::Kind::Null {
        return Some(Reading::Null);
    }
    match kind {
        Kind::Category | Kind::Text | Kind::Json => Some(Reading::Text(view.text(at))),
        Kind::Ip => ip::host(&view.text(at)).map(|host| Reading::Text(host.into())),
        Kind::Integer => scalar(view, at, whole_number, |text| {
            integer(text).map(Reading::Integer)
        }),
        Kind::Number => scalar(
            view,
            at,
            |view, at| view.number(at)?.as_f64().map(Reading::Number),
            |text| {
                text.parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite())
                    .map(Reading::Number)
            },
        ),
        Kind::Boolean => boolean(view, at),
        Kind::Time => scalar(
            view,
            at,
            |view, at| time_of(&view.number(at)?.to_string()),
            time_of,
        ),
        // No record holds bytes: JSON has none.
        Kind::Bytes => None,
    }
}

/// A time whose form tells it: one of an order that nobody knows is none.
fn time_of<'a>(text: &str) -> Option<Reading<'a>> {
    let time_us = time::read_us(text, DateOrder::Unknown).ok()?;
    Some(Reading::time(time_us))
}

fn scalar<'a>(
    view: View<'a>,
    at: u32,
    of_number: impl Fn(View<'a>, u32) -> Option<Reading<'a>>,
    of_text: impl Fn(&str) -> Option<Reading<'a>>,
) -> Option<Reading<'a>> {
    match view.kind(at) {
        json::Kind::Whole | json::Kind::Number => of_number(view, at),
        _ => {
            let text = view.string(at)?;
            match text.trim() {
                "" => Some(Reading::Null),
                text => of_text(text),
            }
        }
    }
}

fn whole_number(view: View<'_>, at: u32) -> Option<Reading<'_>> {
    if view.kind(at) == json::Kind::Whole {
        return view.written(at).parse().ok().map(Reading::Integer);
    }
    let number = view.number(at)?;
    number
        .as_i64()
        .or_else(|| number.as_f64().and_then(whole))
        .map(Reading::Integer)
}

/// A whole number in any of the forms seen: `20`, `1e9`, `1156492.00`.
fn integer(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .or_else(|| text.parse().ok().and_then(whole))
}

/// 2^53: beyond it a float does not hold every whole number.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

fn whole(number: f64) -> Option<i64> {
    if number.fract() != 0.0 || number.abs() > WHOLE_MAX {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    Some(number as i64)
}

fn boolean(view: View<'_>, at: u32) -> Option<Reading<'_>> {
    let is_true = match view.kind(at) {
        json::Kind::True => true,
        json::Kind::False => false,
        json::Kind::Whole | json::Kind::Number => match view.number(at)?.as_i64() {
            Some(0) => false,
            Some(1) => true,
            _ => return None,
        },
        _ => match view.string(at)?.trim().to_ascii_lowercase().as_str() {
            "" => return Some(Reading::Null),
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            _ => return None,
        },
    };
    Some(Reading::Boolean(is_true))
}

#[cfg(test)]
mod tests {
    use super::{Cell, Reading, read};
    use crate::json::{View, scan};
    use schemas::tables::Kind;
    use serde_json::{Value, json};

    fn check(kind: Kind, cases: &[(Value, Option<Cell>)]) {
        for (value, expected) in cases {
            let text = value.to_string();
            let mut nodes = Vec::new();
            scan(&text, &mut nodes).unwrap();
            let found = read(kind, View::new(&text, &nodes), 0).map(Reading::into_cell);
            assert_eq!(found, *expected, "{value}");
        }
    }

    #[test]
    fn reads_whole_numbers_in_every_form_seen() {
        check(
            Kind::Integer,
            &[
                (json!(20), Some(Cell::Integer(20))),
                (json!("20"), Some(Cell::Integer(20))),
                (json!("1e9"), Some(Cell::Integer(1_000_000_000))),
                (json!("1156492.00"), Some(Cell::Integer(1_156_492))),
                (json!(3.0), Some(Cell::Integer(3))),
                (json!(""), Some(Cell::Null)),
                (json!(null), Some(Cell::Null)),
                (json!(3.5), None),
                (json!("1e300"), None),
                (json!(u64::MAX), None),
                (json!("many"), None),
                (json!([1]), None),
            ],
        );
    }

    #[test]
    fn reads_truth_in_every_form_seen() {
        check(
            Kind::Boolean,
            &[
                (json!(true), Some(Cell::Boolean(true))),
                (json!("True"), Some(Cell::Boolean(true))),
                (json!("false"), Some(Cell::Boolean(false))),
                (json!(0), Some(Cell::Boolean(false))),
                (json!(2), None),
                (json!("perhaps"), None),
            ],
        );
    }

    #[test]
    fn reads_numbers_addresses_times_and_nested_values() {
        check(
            Kind::Number,
            &[
                (json!("-1.5"), Some(Cell::Number(-1.5))),
                (json!("NaN"), None),
            ],
        );
        check(
            Kind::Ip,
            &[
                (
                    json!("[::ffff:10.0.0.1]:443"),
                    Some(Cell::Text("10.0.0.1".into())),
                ),
                (json!(""), None),
            ],
        );
        check(
            Kind::Time,
            &[
                (json!("1970-01-01T00:00:01Z"), Some(Cell::Time(1_000_000))),
                (json!("0001-01-01T00:00:00Z"), None),
                (json!(5), None),
                (
                    json!(1_000_000_000),
                    Some(Cell::Time(1_000_000_000_000_000)),
                ),
                (json!("5/1/2026 10:15:00 PM"), None),
            ],
        );
        check(
            Kind::Json,
            &[(json!({"a": [1]}), Some(Cell::Text(r#"{"a":[1]}"#.into())))],
        );
    }
}
