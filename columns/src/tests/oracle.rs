//! The reading that [`crate::paths`] has to equal: the whole record as a tree, each path followed by itself.

use schemas::tables::{Column, Kind, Table};
use schemas::{ip, path, time};
use serde_json::Value;

use crate::{Cell, changes};

/// The value as a cell of its kind; none if it cannot be one.
///
/// A JSON null, and for numbers, times and booleans an empty string, is a null cell: Microsoft writes both for "nothing".
pub(super) fn read(kind: Kind, value: &Value) -> Option<Cell> {
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
        Kind::Time => scalar(value, |number| time_of(&number.to_string()), time_of),
        // No record holds bytes: JSON has none.
        Kind::Bytes => None,
    }
}

fn time_of(text: &str) -> Option<Cell> {
    let time_us = time::read_us(text, time::DateOrder::Unknown).ok()?;
    Some(Cell::time(time_us))
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

/// The cells of a record's columns, and what could not be read.
pub(super) fn record_cells(table: Table, record: &Value) -> (Vec<Cell>, Vec<String>) {
    let mut problems = Vec::new();
    let cells = table
        .record_columns()
        .iter()
        .map(|column| record_cell(column, record, &mut problems))
        .collect();
    (cells, problems)
}

fn record_cell(column: &Column, record: &Value, problems: &mut Vec<String>) -> Cell {
    let Some(found) = path::find_usable(record, column.paths, column.kind) else {
        return Cell::Null;
    };
    if let Some(side) = column.changes {
        let text = path::text(&found).unwrap_or_default();
        let targets = serde_json::from_str(&text).unwrap_or_default();
        return changes::of(&targets, side).map_or(Cell::Null, Cell::Text);
    }
    let coded = || {
        let code = schemas::tables::code_of(column.name, found.as_str()?)?;
        Some(Cell::Integer(code))
    };
    read(column.kind, &found).or_else(coded).unwrap_or_else(|| {
        if !matches!(column.kind, Kind::Ip) {
            problems.push(format!("cannot read {}", column.name));
        }
        Cell::Null
    })
}
