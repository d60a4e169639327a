//! The values of a column, row by row, as questions take them.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use schemas::tables::Kind;

use super::matcher::Matcher;
use crate::expression::{Leaf, Leaves};

/// A column whose rows can be asked.
#[derive(Debug)]
pub(super) struct Column {
    array: ArrayRef,
    kind: Kind,
}

impl Column {
    /// Brings an array of any type into one that can be read.
    pub(super) fn new(array: &ArrayRef, kind: Kind) -> Result<Self, ArrowError> {
        let array = match array.data_type() {
            DataType::Utf8
            | DataType::Utf8View
            | DataType::Int64
            | DataType::Float64
            | DataType::Boolean
            | DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => array.clone(),
            _ => cast(array, &DataType::Utf8)?,
        };
        Ok(Self { array, kind })
    }

    pub(super) fn len(&self) -> usize {
        self.array.len()
    }

    /// The text in a row; none if there is none.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        if self.array.is_null(row) {
            return None;
        }
        match self.array.data_type() {
            DataType::Utf8 => Some(self.array.as_string::<i32>().value(row)),
            DataType::Utf8View => Some(self.array.as_string_view().value(row)),
            _ => None,
        }
    }

    /// Asks all questions of a row.
    pub(super) fn ask(&self, row: usize, matcher: &Matcher, found: &mut dyn FnMut(usize)) {
        if self.array.is_null(row) {
            return matcher.ask_all(&[], found);
        }
        match self.array.data_type() {
            DataType::Int64 => {
                let value = self.array.as_primitive::<Int64Type>().value(row);
                matcher.ask(&Leaf::Integer(value), found);
            }
            DataType::Float64 => {
                let value = self.array.as_primitive::<Float64Type>().value(row);
                matcher.ask(&Leaf::Number(value), found);
            }
            DataType::Boolean => {
                matcher.ask(&Leaf::Boolean(self.array.as_boolean().value(row)), found);
            }
            DataType::Timestamp(_, _) => {
                let value = self
                    .array
                    .as_primitive::<TimestampMicrosecondType>()
                    .value(row);
                matcher.ask(&Leaf::Text(&schemas::time::iso_ms(value)), found);
            }
            _ => ask_text(
                self.text(row).unwrap_or_default(),
                self.kind,
                matcher,
                found,
            ),
        }
    }

    /// The values in a row, for questions about two fields.
    pub(super) fn leaves(&self, row: usize) -> Leaves {
        if let Some(text) = self.text(row) {
            return if self.kind == Kind::Json {
                Leaves::of_json(text)
            } else {
                Leaves::of_text(text)
            };
        }
        if self.array.is_null(row) {
            return Leaves::default();
        }
        let text = match self.array.data_type() {
            DataType::Timestamp(_, _) => {
                let value = self
                    .array
                    .as_primitive::<TimestampMicrosecondType>()
                    .value(row);
                Some(schemas::time::iso_ms(value))
            }
            _ => cast(&self.array.slice(row, 1), &DataType::Utf8)
                .ok()
                .map(|texts| texts.as_string::<i32>().value(0).to_owned()),
        };
        text.map(|text| Leaves::of_text(&text)).unwrap_or_default()
    }
}

/// Asks all questions of a text; a list written as JSON is also each of its members.
pub(super) fn ask_text(text: &str, kind: Kind, matcher: &Matcher, found: &mut dyn FnMut(usize)) {
    if kind == Kind::Json && text.starts_with('[') {
        matcher.ask_all(&Leaves::of_json(text).as_leaves(), found);
    } else {
        matcher.ask(&Leaf::Text(text), found);
    }
}

/// Which of `values` answer which question with yes: pairs in the order of the values, none twice.
pub(super) fn ask_values(values: &StringArray, kind: Kind, matcher: &Matcher) -> Vec<(u32, u32)> {
    let mut hits = Vec::new();
    let mut of_one: Vec<usize> = Vec::new();
    for (key, value) in values.iter().enumerate() {
        let Some(text) = value else { continue };
        ask_text(text, kind, matcher, &mut |test| of_one.push(test));
        if of_one.is_empty() {
            continue;
        }
        of_one.sort_unstable();
        of_one.dedup();
        // A row group has far fewer than 2^32 values, and a plan far fewer tests.
        let key = u32::try_from(key).unwrap_or(u32::MAX);
        hits.extend(
            of_one
                .drain(..)
                .map(|test| (key, u32::try_from(test).unwrap_or(u32::MAX))),
        );
    }
    hits
}
