//! Rules, compiled once for a table: shared tests as DataFusion expressions, and a formula for each rule.
//!
//! ```text
//! rule ─▶ formula over tests ─▶ test = question + place ─▶ expression over one column
//! batch ─▶ tests answered once, on distinct values ─▶ rows ─▶ formulas ─▶ rows of each rule
//! ```
//! Nothing is planned while batches are evaluated.

pub mod detection;
pub mod formula;
pub mod item;
mod modifiers;
pub mod predicate;
pub mod record;
pub mod test;
pub mod text;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, filter};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use rsigma_parser::SigmaRule;

use self::detection::Builder;
use self::formula::{Formula, Rows};
use self::test::Test;
use crate::error::Refusal;
use crate::mapping::Mapping;

/// The rules of one table, ready to evaluate over its batches.
#[derive(Debug)]
pub struct Plan {
    schema: SchemaRef,
    builder: Builder,
    tests: Vec<PlannedTest>,
    /// For each rule the number that the caller gave it, and its formula.
    rules: Vec<(usize, Formula)>,
}

/// A test, planned against a schema of just the columns that it reads.
#[derive(Debug)]
struct PlannedTest {
    columns: Vec<usize>,
    schema: SchemaRef,
    expression: Arc<dyn PhysicalExpr>,
    /// True if it parses whole records: asked only for rows that everything else leaves.
    is_dear: bool,
}

/// The rows that a rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// The number that the caller gave the rule.
    pub rule: usize,
    /// The rows, in order.
    pub rows: Vec<usize>,
}

impl Plan {
    /// A plan without rules, for batches of `schema`.
    pub fn new(mapping: Mapping, schema: SchemaRef) -> Self {
        Self {
            schema,
            builder: Builder::new(mapping),
            tests: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// Adds a rule under a number of the caller's.
    ///
    /// # Errors
    /// [`Refusal`] if the rule cannot be honoured; the plan is then as it was.
    pub fn add(&mut self, number: usize, rule: &SigmaRule) -> Result<(), Refusal> {
        let known = self.tests.len();
        let added = self.add_tests(rule);
        match added {
            Ok(formula) => self.rules.push((number, formula)),
            Err(refusal) => {
                self.builder.forget(known);
                self.tests.truncate(known);
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn add_tests(&mut self, rule: &SigmaRule) -> Result<Formula, Refusal> {
        let formula = self.builder.rule(rule)?;
        for test in &self.builder.tests[self.tests.len()..] {
            let planned = plan(test, &self.schema).map_err(|cause| Refusal::Plan {
                cause: Box::new(cause),
            })?;
            self.tests.push(planned);
        }
        Ok(formula)
    }

    /// Number of rules.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Number of distinct tests that they share.
    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    /// The condition of a rule as one expression over the table's columns, for SQL.
    pub fn expression(&self, number: usize) -> Option<Expr> {
        let (_, formula) = self.rules.iter().find(|(rule, _)| *rule == number)?;
        Some(formula.expression(&|test| self.builder.tests[test].expression()))
    }

    /// The rows of `batch` that each rule matches; rules without any are left out.
    ///
    /// Shape: columns are found by name, in any order; one that the batch lacks counts as null.
    ///
    /// # Errors
    /// [`DataFusionError`] if a column has a type that cannot be read as text.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<Vec<Hits>> {
        let columns = self.conform(batch)?;
        let mut answers: Vec<Option<Rows>> = vec![None; self.tests.len()];
        let mut all_hits = Vec::new();
        for (rule, formula) in &self.rules {
            let rows = formula.evaluate(&Rows::All, &mut |test, candidates| {
                self.ask(test, candidates, &columns, batch.num_rows(), &mut answers)
            })?;
            if !rows.is_none() {
                all_hits.push(Hits {
                    rule: *rule,
                    rows: rows.numbers(batch.num_rows()),
                });
            }
        }
        Ok(all_hits)
    }

    fn conform(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => Ok(cast(column, field.data_type())?),
        };
        self.schema.fields().iter().map(column).collect()
    }

    fn ask(
        &self,
        number: usize,
        candidates: &Rows,
        columns: &[ArrayRef],
        rows: usize,
        answers: &mut [Option<Rows>],
    ) -> Result<Rows> {
        if let Some(known) = &answers[number] {
            return Ok(known.clone());
        }
        let test = &self.tests[number];
        match candidates {
            Rows::Some(bits) if test.is_dear => test.answer_some(columns, bits),
            _ => {
                let found = test.answer_all(columns, rows)?;
                answers[number] = Some(found.clone());
                Ok(found)
            }
        }
    }
}

fn plan(test: &Arc<Test>, schema: &SchemaRef) -> Result<PlannedTest> {
    let columns = test
        .columns()
        .iter()
        .map(|name| schema.index_of(name).map_err(DataFusionError::from))
        .collect::<Result<Vec<usize>>>()?;
    // Every column may be null here: a batch may lack it.
    let fields: Vec<_> = columns
        .iter()
        .map(|column| schema.field(*column).clone().with_nullable(true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let known = DFSchema::try_from(Arc::clone(&schema))?;
    let expression = create_physical_expr(
        &test.expression(),
        &known,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )?;
    Ok(PlannedTest {
        columns,
        schema,
        expression,
        is_dear: test.cost() > 0,
    })
}

impl PlannedTest {
    fn answer_all(&self, columns: &[ArrayRef], rows: usize) -> Result<Rows> {
        let columns = self
            .columns
            .iter()
            .map(|column| Arc::clone(&columns[*column]))
            .collect();
        self.answer(columns, rows)
    }

    /// Answers for the rows whose bit is set, and no for all others.
    fn answer_some(&self, columns: &[ArrayRef], bits: &BooleanBuffer) -> Result<Rows> {
        let mask = BooleanArray::new(bits.clone(), None);
        let some = self
            .columns
            .iter()
            .map(|column| filter(&columns[*column], &mask).map_err(DataFusionError::from))
            .collect::<Result<Vec<_>>>()?;
        Ok(match self.answer(some, bits.count_set_bits())? {
            Rows::None => Rows::None,
            Rows::All => Rows::Some(bits.clone()),
            Rows::Some(answers) => {
                let mut hit = vec![false; bits.len()];
                for (answer, row) in answers.iter().zip(bits.set_indices()) {
                    hit[row] = answer;
                }
                Rows::of(&BooleanArray::from(hit))
            }
        })
    }

    fn answer(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<Rows> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        match self.expression.evaluate(&batch)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => Ok(Rows::All),
            ColumnarValue::Scalar(_) => Ok(Rows::None),
            ColumnarValue::Array(answers) => Ok(Rows::of(answers.as_boolean())),
        }
    }
}
