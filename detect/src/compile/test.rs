//! One question of a rule as a function over arrays, which DataFusion calls like any other.
//!
//! A dictionary array is asked once for each distinct value, and the answers are mapped over its keys:
//! over a million events the columns that rules touch hold under two thousand values in all.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use schemas::tables::Kind;
use serde_json::Value;

use super::predicate::{Fold, Leaf, Position, Predicate};
use super::record::{Leaves, visit_texts};
use crate::mapping::Place;

/// The column that holds the record as received.
pub const RAW: &str = "raw";

/// What is asked.
#[derive(Debug)]
pub enum Question {
    /// Of the values of one field.
    One(Predicate),
    /// Of two fields: how the second stands in the first.
    Reference(Position, Fold),
}

/// A question, and the fields that it is asked of.
#[derive(Debug)]
pub struct Test {
    /// The same for the same question of the same fields, so that rules share it.
    pub key: String,
    /// Where the fields stand, and what their columns hold.
    pub places: Vec<(Place, Kind)>,
    /// What is asked.
    pub question: Question,
}

impl Test {
    /// Names of the columns that it reads, each once.
    pub fn columns(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .places
            .iter()
            .map(|(place, _)| column_name(place))
            .collect();
        names.dedup();
        names
    }

    /// How dear it is to ask: columns before paths before the whole record.
    pub fn cost(&self) -> u8 {
        self.places
            .iter()
            .map(|(place, _)| match place {
                Place::Column(_) => 0,
                Place::Anywhere => 1,
                Place::Raw(_) => 2,
            })
            .max()
            .unwrap_or(0)
    }

    /// The question as an expression over its columns.
    pub fn expression(self: &Arc<Self>) -> Expr {
        let arguments = self
            .places
            .iter()
            .map(|(place, _)| Expr::Column(Column::new_unqualified(column_name(place))))
            .collect();
        let function = ScalarUDF::new_from_impl(TestFunction {
            signature: Signature::any(self.places.len(), Volatility::Immutable),
            test: Arc::clone(self),
        });
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), arguments))
    }

    fn answer(&self, arrays: &[ArrayRef]) -> Result<ColumnarValue> {
        match (&self.question, arrays, self.places.as_slice()) {
            (Question::One(predicate), [array], [(place, kind)]) => {
                answer_one(predicate, array, place, *kind)
            }
            (Question::Reference(position, fold), [left, right], [left_place, right_place]) => {
                let rows = (0..left.len()).map(|row| {
                    let left = row_leaves(left, left_place, row)?;
                    let right = row_leaves(right, right_place, row)?;
                    Ok(refers(
                        &left.as_leaves(),
                        &right.as_leaves(),
                        *position,
                        *fold,
                    ))
                });
                let rows = rows.collect::<Result<Vec<bool>>>()?;
                Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(rows))))
            }
            _ => datafusion::common::internal_err!("a test has as many arguments as places"),
        }
    }
}

fn column_name(place: &Place) -> &str {
    match place {
        Place::Column(name) => name,
        Place::Raw(_) | Place::Anywhere => RAW,
    }
}

/// A [`Test`] as DataFusion sees it.
#[derive(Debug)]
struct TestFunction {
    test: Arc<Test>,
    signature: Signature,
}

impl PartialEq for TestFunction {
    fn eq(&self, other: &Self) -> bool {
        self.test.key == other.test.key
    }
}

impl Eq for TestFunction {}

impl Hash for TestFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.test.key.hash(state);
    }
}

impl ScalarUDFImpl for TestFunction {
    fn name(&self) -> &'static str {
        "sigma_test"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        self.test.answer(&arrays)
    }
}

fn constant(value: bool) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::Boolean(Some(value)))
}

fn answer_one(
    predicate: &Predicate,
    array: &ArrayRef,
    place: &Place,
    kind: Kind,
) -> Result<ColumnarValue> {
    if let Some(dictionary) = array.as_any().downcast_ref::<DictionaryArray<Int32Type>>()
        && *place != Place::Anywhere
        && let Some(values) = dictionary.values().as_any().downcast_ref::<StringArray>()
    {
        return Ok(answer_dictionary(
            predicate, dictionary, values, place, kind,
        ));
    }
    if array.null_count() == array.len() {
        return Ok(constant(predicate.holds(&[])));
    }
    let rows = answer_rows(predicate, array, place, kind)?;
    if rows.count_set_bits() == 0 {
        return Ok(constant(false));
    }
    Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(
        rows, None,
    ))))
}

fn answer_dictionary(
    predicate: &Predicate,
    dictionary: &DictionaryArray<Int32Type>,
    values: &StringArray,
    place: &Place,
    kind: Kind,
) -> ColumnarValue {
    let at_null = predicate.holds(&[]);
    let answers: Vec<bool> = values
        .iter()
        .map(|value| value.map_or(at_null, |text| answer_text(predicate, text, place, kind)))
        .collect();
    let keys = dictionary.keys();
    let may_be_null = at_null && keys.null_count() > 0;
    if !may_be_null && !answers.contains(&true) {
        return constant(false);
    }
    let rows = BooleanBuffer::collect_bool(keys.len(), |row| {
        if keys.is_null(row) {
            return at_null;
        }
        // A key outside the dictionary cannot come from a well-formed file; it answers as null.
        usize::try_from(keys.value(row))
            .ok()
            .and_then(|key| answers.get(key).copied())
            .unwrap_or(at_null)
    });
    ColumnarValue::Array(Arc::new(BooleanArray::new(rows, None)))
}

fn answer_rows(
    predicate: &Predicate,
    array: &ArrayRef,
    place: &Place,
    kind: Kind,
) -> Result<BooleanBuffer> {
    let at_null = predicate.holds(&[]);
    let rows = |answer: &dyn Fn(usize) -> bool| {
        BooleanBuffer::collect_bool(array.len(), |row| {
            if array.is_null(row) {
                at_null
            } else {
                answer(row)
            }
        })
    };
    Ok(match array.data_type() {
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            rows(&|row| predicate.holds(&[Leaf::Integer(values.value(row))]))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            rows(&|row| predicate.holds(&[Leaf::Number(values.value(row))]))
        }
        DataType::Boolean => {
            let values = array.as_boolean();
            rows(&|row| predicate.holds(&[Leaf::Boolean(values.value(row))]))
        }
        DataType::Timestamp(_, _) => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            rows(&|row| {
                let text = schemas::time::iso_ms(values.value(row));
                predicate.holds(&[Leaf::Text(&text)])
            })
        }
        DataType::Utf8View => {
            let values = array.as_string_view();
            rows(&|row| answer_text(predicate, values.value(row), place, kind))
        }
        _ => {
            let texts = cast(array, &DataType::Utf8)?;
            let values = texts.as_string::<i32>();
            rows(&|row| answer_text(predicate, values.value(row), place, kind))
        }
    })
}

fn answer_text(predicate: &Predicate, text: &str, place: &Place, kind: Kind) -> bool {
    match place {
        Place::Column(_) if kind == Kind::Json => {
            predicate.holds(&Leaves::of_json(text).as_leaves())
        }
        Place::Column(_) => predicate.holds(&[Leaf::Text(text)]),
        Place::Raw(paths) => match serde_json::from_str::<Value>(text) {
            Ok(record) => predicate.holds(&Leaves::find(&record, paths).as_leaves()),
            Err(_) => predicate.holds(&[]),
        },
        Place::Anywhere => answer_anywhere(predicate, text),
    }
}

/// Keywords: the record's text, and where it has escapes also what they stand for.
fn answer_anywhere(predicate: &Predicate, text: &str) -> bool {
    if predicate.holds(&[Leaf::Text(text)]) {
        return true;
    }
    if !text.contains('\\') {
        return false;
    }
    let Ok(record) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let mut texts = vec![text.to_owned()];
    visit_texts(&record, &mut |found| texts.push(found.to_owned()));
    let leaves: Vec<Leaf<'_>> = texts.iter().map(|text| Leaf::Text(text)).collect();
    predicate.holds(&leaves)
}

/// The values of a field in one row, for questions of two fields.
fn row_leaves(array: &ArrayRef, (place, kind): &(Place, Kind), row: usize) -> Result<Leaves> {
    if array.is_null(row) {
        return Ok(Leaves::default());
    }
    let texts = cast(&array.slice(row, 1), &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    if texts.is_null(0) {
        return Ok(Leaves::default());
    }
    let text = texts.value(0);
    Ok(match place {
        Place::Raw(paths) => serde_json::from_str::<Value>(text)
            .map(|record| Leaves::find(&record, paths))
            .unwrap_or_default(),
        Place::Column(_) if *kind == Kind::Json => Leaves::of_json(text),
        Place::Column(_) | Place::Anywhere => Leaves::of_text(text),
    })
}

fn refers(left: &[Leaf<'_>], right: &[Leaf<'_>], position: Position, fold: Fold) -> bool {
    left.iter().any(|left| {
        let left = left.text();
        let left = fold.apply(&left);
        right.iter().any(|right| {
            let right = right.text();
            let right = fold.apply(&right);
            match position {
                Position::Whole => left == right,
                Position::Inside => left.contains(right.as_ref()),
                Position::Start => left.starts_with(right.as_ref()),
                Position::End => left.ends_with(right.as_ref()),
            }
        })
    })
}
