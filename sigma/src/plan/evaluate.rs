//! A plan over a chunk: which rows each rule matches, reading as little as possible.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int32Type;

use super::chunk::{Chunk, Distinct};
use super::leaves::{Column, ask_values};
use super::{Binding, Field, Hits, Plan};
use crate::expression::{Residual, Rows, Ternary};

impl Plan {
    /// The rows of a chunk that each rule matches; rules without any are left out.
    ///
    /// # Errors
    /// Whatever the chunk returns.
    pub fn evaluate<C: Chunk>(&self, chunk: &mut C) -> Result<Vec<Hits>, C::Error> {
        let rows = chunk.rows();
        if rows == 0 || self.rules.is_empty() {
            return Ok(Vec::new());
        }
        let candidates = self.candidates(chunk)?;
        if candidates.is_none() {
            return Ok(Vec::new());
        }
        let mut evaluation = Evaluation::start(self, chunk)?;
        let open = evaluation.open_rules();
        let mut all_hits = Vec::new();
        for (rule, residual) in open {
            let found = match residual {
                Residual::Never => Rows::None,
                Residual::Always => candidates.clone(),
                Residual::Open(formula) => formula
                    .evaluate(&candidates, &mut |test, candidates| {
                        evaluation.ask(test, candidates)
                    })?,
            };
            if !found.is_none() {
                all_hits.push(Hits {
                    rule,
                    rows: found.numbers(rows),
                });
            }
        }
        Ok(all_hits)
    }

    /// The rows that are asked at all.
    fn candidates<C: Chunk>(&self, chunk: &mut C) -> Result<Rows, C::Error> {
        let Some(guard) = &self.guard else {
            return Ok(Rows::All);
        };
        let mut rows = BooleanBufferBuilder::new(chunk.rows());
        rows.append_n(chunk.rows(), false);
        for row in guard.evaluate(chunk)?.iter().flat_map(|hits| &hits.rows) {
            rows.set_bit(*row, true);
        }
        Ok(Rows::of(rows.finish()))
    }
}

/// What is known of a chunk so far.
struct Evaluation<'a, C> {
    plan: &'a Plan,
    chunk: &'a mut C,
    rows: usize,
    ternaries: Vec<Ternary>,
    /// Tests that an open rule needs.
    needed: Vec<bool>,
    answers: Vec<Option<Rows>>,
    /// For each column, what its distinct values answer.
    known: Vec<Option<Known>>,
    records: Sparse,
    columns: Vec<Sparse>,
}

/// The distinct values of a column, and the tests that each answers with yes.
struct Known {
    values: StringArray,
    hits: Vec<(u32, u32)>,
}

impl<'a, C: Chunk> Evaluation<'a, C> {
    /// Asks the distinct values of every column that can tell them.
    fn start(plan: &'a Plan, chunk: &'a mut C) -> Result<Self, C::Error> {
        let rows = chunk.rows();
        let tests = plan.bindings.len();
        let mut ternaries = vec![Ternary::Maybe; tests];
        let mut known = Vec::with_capacity(plan.columns.len());
        for field in &plan.columns {
            let Some(distinct) = chunk.distinct(&field.name)? else {
                known.push(None);
                continue;
            };
            let hits = ask_values(&distinct.values, field.kind, &field.matcher);
            for test in &field.tests {
                ternaries[*test] = Ternary::Never;
            }
            settle(&mut ternaries, &distinct, &hits, field);
            known.push(Some(Known {
                values: distinct.values,
                hits,
            }));
        }
        Ok(Self {
            plan,
            chunk,
            rows,
            ternaries,
            needed: vec![false; tests],
            answers: vec![None; tests],
            known,
            records: Sparse::default(),
            columns: plan.columns.iter().map(|_| Sparse::default()).collect(),
        })
    }

    /// The rules that may match, and what has still to be asked for each.
    fn open_rules(&mut self) -> Vec<(usize, Residual)> {
        let mut open = Vec::new();
        for (rule, formula) in &self.plan.rules {
            let residual = formula.residual(&|test| self.ternaries[test]);
            if let Residual::Open(formula) = &residual {
                formula.visit_tests(&mut |test| self.needed[test] = true);
            }
            if residual != Residual::Never {
                open.push((*rule, residual));
            }
        }
        open
    }

    /// The rows among the candidates, or more of them, for which a test holds.
    fn ask(&mut self, test: usize, candidates: &Rows) -> Result<Rows, C::Error> {
        if let Some(rows) = &self.answers[test] {
            return Ok(rows.clone());
        }
        match self.plan.bindings[test] {
            Binding::Column(at) if self.known[at].is_some() => {
                self.locate(at)?;
                Ok(self.answers[test].clone().unwrap_or(Rows::None))
            }
            Binding::Column(at) => self.ask_column(at, test, candidates),
            Binding::Record => self.ask_records(test, candidates),
        }
    }

    /// Finds the rows of all needed tests of a column whose distinct values were asked.
    fn locate(&mut self, at: usize) -> Result<(), C::Error> {
        let field = &self.plan.columns[at];
        let array = self.chunk.column(&field.name)?;
        let Some(known) = &self.known[at] else {
            return Ok(());
        };
        let of_column = field.tests.iter().copied();
        let tests: Vec<usize> = of_column.filter(|test| self.needed[*test]).collect();
        let dictionary = array.as_dictionary_opt::<Int32Type>();
        let values = dictionary.and_then(|dictionary| dictionary.values().as_string_opt::<i32>());
        let found = if let Some(values) = values {
            // A reader may build a dictionary of its own; then its values are asked instead.
            let fresh =
                (*values != known.values).then(|| ask_values(values, field.kind, &field.matcher));
            let hits = fresh.as_ref().unwrap_or(&known.hits);
            rows_of_keys(&array, hits, &tests, field, self.plan.bindings.len())
        } else {
            let column = Column::new(&array, field.kind)?;
            let mut bits = Bits::new(self.plan.bindings.len(), &tests, self.rows);
            for row in 0..column.len() {
                column.ask(row, &field.matcher, &mut |test| bits.set(test, row));
            }
            bits.finish()
        };
        for (test, rows) in found {
            self.answers[test] = Some(rows);
        }
        Ok(())
    }

    /// Asks the rows of a column that cannot tell its distinct values.
    fn ask_column(&mut self, at: usize, test: usize, candidates: &Rows) -> Result<Rows, C::Error> {
        let field = &self.plan.columns[at];
        let sparse = &mut self.columns[at];
        let Some(todo) = sparse.todo(candidates, self.rows) else {
            return Ok(sparse.answer(test));
        };
        let mut asked = todo.rows();
        let all_rows = self.rows;
        self.chunk
            .visit(&[&field.name], todo.selection(), &mut |arrays| {
                for array in arrays {
                    let column = Column::new(array, field.kind)?;
                    for (position, row) in (0..column.len()).zip(asked.by_ref()) {
                        column.ask(position, &field.matcher, &mut |test| {
                            sparse.set(test, row, all_rows);
                        });
                    }
                }
                Ok(())
            })?;
        sparse.done(&todo);
        Ok(sparse.answer(test))
    }

    /// Asks the raw records of rows that were not asked yet.
    fn ask_records(&mut self, test: usize, candidates: &Rows) -> Result<Rows, C::Error> {
        let Some(todo) = self.records.todo(candidates, self.rows) else {
            return Ok(self.records.answer(test));
        };
        let records = &self.plan.records;
        let columns: Vec<&str> = records.columns().collect();
        let mut asked = todo.rows();
        let (answers, all_rows) = (&mut self.records, self.rows);
        self.chunk
            .visit(&columns, todo.selection(), &mut |arrays| {
                let rows = records.rows(arrays)?;
                let count = arrays.first().map_or(0, Array::len);
                for (position, row) in (0..count).zip(asked.by_ref()) {
                    records.ask(&rows, position, &mut |test| {
                        answers.set(test, row, all_rows);
                    });
                }
                Ok(())
            })?;
        self.records.done(&todo);
        Ok(self.records.answer(test))
    }
}

/// What the distinct values of a column say about all rows.
fn settle(ternaries: &mut [Ternary], distinct: &Distinct, hits: &[(u32, u32)], field: &Field) {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    let mut tests: Vec<u32> = hits.iter().map(|(_, test)| *test).collect();
    tests.sort_unstable();
    for test in tests {
        match counts.last_mut() {
            Some((last, count)) if *last == test as usize => *count += 1,
            _ => counts.push((test as usize, 1)),
        }
    }
    let values = distinct.values.len() - distinct.values.null_count();
    for (test, count) in counts {
        let is_certain = count == values && !distinct.has_nulls;
        ternaries[test] = if is_certain {
            Ternary::Always
        } else {
            Ternary::Maybe
        };
    }
    if distinct.has_nulls {
        for test in field.matcher.of_absent() {
            ternaries[*test] = if values == 0 {
                Ternary::Always
            } else {
                Ternary::Maybe
            };
        }
    }
}

/// The rows of a dictionary array for which each test holds.
fn rows_of_keys(
    array: &ArrayRef,
    hits: &[(u32, u32)],
    tests: &[usize],
    field: &Field,
    all_tests: usize,
) -> Vec<(usize, Rows)> {
    let mut found = Vec::with_capacity(tests.len());
    // As many tests at once as there are bits in a word: one look at each key answers them all.
    for some in tests.chunks(64) {
        found.extend(rows_of_some(array, hits, some, field, all_tests));
    }
    found
}

fn rows_of_some(
    array: &ArrayRef,
    hits: &[(u32, u32)],
    tests: &[usize],
    field: &Field,
    all_tests: usize,
) -> Vec<(usize, Rows)> {
    let dictionary = array.as_dictionary::<Int32Type>();
    let keys = dictionary.keys();
    let mut bits = Bits::new(all_tests, tests, keys.len());
    let bit = |test: usize| bits.place[test].map_or(0_u64, |at| 1 << at);
    let mut masks = vec![0_u64; dictionary.values().len()];
    for (key, test) in hits {
        masks[*key as usize] |= bit(*test as usize);
    }
    let at_null = field
        .matcher
        .of_absent()
        .iter()
        .fold(0, |mask, test| mask | bit(*test));
    let values = dictionary.values();
    for (row, key) in keys.values().iter().enumerate() {
        // A key outside the dictionary cannot come from a well-formed file; it answers as null.
        let mask = match usize::try_from(*key).ok().filter(|_| keys.is_valid(row)) {
            Some(key) if values.is_valid(key) => masks.get(key).copied().unwrap_or(at_null),
            _ => at_null,
        };
        bits.set_mask(mask, row);
    }
    bits.finish()
}

/// A bit for each row and each of some tests.
struct Bits {
    tests: Vec<usize>,
    place: Vec<Option<usize>>,
    builders: Vec<BooleanBufferBuilder>,
}

impl Bits {
    fn new(all_tests: usize, tests: &[usize], rows: usize) -> Self {
        let mut place = vec![None; all_tests];
        for (at, test) in tests.iter().enumerate() {
            place[*test] = Some(at);
        }
        Self {
            tests: tests.to_vec(),
            place,
            builders: tests.iter().map(|_| empty(rows)).collect(),
        }
    }

    fn set(&mut self, test: usize, row: usize) {
        if let Some(at) = self.place[test] {
            self.builders[at].set_bit(row, true);
        }
    }

    /// Sets the row for the tests whose place has its bit in `mask`.
    fn set_mask(&mut self, mut mask: u64, row: usize) {
        while mask != 0 {
            self.builders[mask.trailing_zeros() as usize].set_bit(row, true);
            mask &= mask - 1;
        }
    }

    fn finish(self) -> Vec<(usize, Rows)> {
        let rows = self
            .builders
            .into_iter()
            .map(|mut bits| Rows::of(bits.finish()));
        self.tests.into_iter().zip(rows).collect()
    }
}

fn empty(rows: usize) -> BooleanBufferBuilder {
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, false);
    bits
}

/// Answers that are known for some rows only, because asking is dear.
#[derive(Default)]
struct Sparse {
    asked: Option<BooleanBuffer>,
    answers: std::collections::HashMap<usize, BooleanBufferBuilder>,
}

/// Rows to ask.
struct Todo(Arc<BooleanBuffer>);

impl Todo {
    /// None if all rows are to be asked.
    fn selection(&self) -> Option<&BooleanBuffer> {
        (self.0.count_set_bits() < self.0.len()).then_some(&*self.0)
    }

    fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.set_indices()
    }
}

impl Sparse {
    /// The candidates that were not asked yet; none if there are none.
    fn todo(&self, candidates: &Rows, rows: usize) -> Option<Todo> {
        let wanted = match candidates {
            Rows::None => return None,
            Rows::All => BooleanBuffer::new_set(rows),
            Rows::Some(bits) => bits.clone(),
        };
        let todo = match &self.asked {
            Some(asked) => &wanted & &!asked,
            None => wanted,
        };
        (todo.count_set_bits() > 0).then(|| Todo(Arc::new(todo)))
    }

    fn set(&mut self, test: usize, row: usize, rows: usize) {
        let bits = self.answers.entry(test).or_insert_with(|| empty(rows));
        bits.set_bit(row, true);
    }

    fn done(&mut self, todo: &Todo) {
        self.asked = Some(match &self.asked {
            Some(asked) => asked | &*todo.0,
            None => (*todo.0).clone(),
        });
    }

    fn answer(&self, test: usize) -> Rows {
        self.answers
            .get(&test)
            .map_or(Rows::None, |bits| Rows::of(bits.finish_cloned()))
    }
}
