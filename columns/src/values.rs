//! The forms in which Microsoft writes the values of a column.

use schemas::tables::Kind;
use schemas::{ip, path, time};
use serde_json::Value;

use super::Cell;

/// The value as a cell of its kind; none if it cannot be one.
///
/// A JSON null, and for numbers, times and booleans an empty string, is a null cell: Microsoft writes both for "nothing".
pub fn read(kind: Kind, value: &Value) -> Option<Cell> {
    if value.is_null() {
        return Some(Cell::Null);
    }
    match kind {
        Kind::Category | Kind::Text | Kind::Json => {
            path::text(value).map(|text| Cell::Text(text.into_owned()))
        }
        Kind::Ip => ip::host(&path::text(value)?).map(Cell::Text),
        Kind::Integer => scalar(value, integer_of_number, |text| {
            integer(text).map(Cell::Integer)
        }),
        Kind::Number => scalar(
            value,
            |number| number.as_f64().map(Cell::Number),
            |text| {
                text.parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite())
                    .map(Cell::Number)
            },
        ),
        Kind::Boolean => boolean(value),
        Kind::Time => scalar(value, |_| None, |text| time::parse_us(text).map(Cell::time)),
        // No record holds bytes: JSON has none.
        Kind::Bytes => None,
    }
}

fn scalar(
    value: &Value,
    of_number: impl Fn(&serde_json::Number) -> Option<Cell>,
    of_text: impl Fn(&str) -> Option<Cell>,
) -> Option<Cell> {
    match value {
        Value::Number(number) => of_number(number),
        Value::String(text) if text.trim().is_empty() => Some(Cell::Null),
        Value::String(text) => of_text(text.trim()),
        _ => None,
    }
}

fn integer_of_number(number: &serde_json::Number) -> Option<Cell> {
    number
        .as_i64()
        .or_else(|| number.as_f64().and_then(whole))
        .map(Cell::Integer)
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

fn boolean(value: &Value) -> Option<Cell> {
    let is_true = match value {
        Value::Bool(is_true) => *is_true,
        Value::Number(number) => match number.as_i64() {
            Some(0) => false,
            Some(1) => true,
            _ => return None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "" => return Some(Cell::Null),
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Cell::Boolean(is_true))
}

#[cfg(test)]
mod tests {
    use super::{Cell, read};
    use schemas::tables::Kind;
    use serde_json::{Value, json};

    fn check(kind: Kind, cases: &[(Value, Option<Cell>)]) {
        for (value, expected) in cases {
            assert_eq!(read(kind, value), *expected, "{value}");
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
            ],
        );
        check(
            Kind::Json,
            &[(json!({"a": [1]}), Some(Cell::Text(r#"{"a":[1]}"#.into())))],
        );
    }
}
