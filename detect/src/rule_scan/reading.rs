//! The rows that rules matched, read and told: no others, and no columns but those that are asked.

use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Schema;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use parquet::errors::ParquetError;
use sigma::Hits;

use super::hits::{HitColumns, HitRows};
use super::meter::Meter;
use super::unit::{RowBatches, ScanUnit};

/// Hits of a unit that have yet to be told.
pub(super) struct Reading {
    pub(super) unit: ScanUnit,
    /// The rows that any rule matched, in order.
    rows: Vec<usize>,
    by_rule: Vec<RuleRows>,
    /// None if nothing of the rows is asked.
    batches: Option<RowBatches>,
    /// How many of the rows were read.
    done: usize,
    part: Option<Part>,
}

/// The rows of a rule.
struct RuleRows {
    /// None for rows that come out for what they say themselves.
    rule: Option<u32>,
    rows: Vec<usize>,
    /// How many of them were told.
    done: usize,
}

/// Rows that were read together, and the hits in them.
struct Part {
    /// The first of them among all that any rule matched.
    first: usize,
    read: RecordBatch,
    hits: Vec<(Option<u32>, u32)>,
    /// How many of the hits were told.
    done: usize,
}

impl Reading {
    /// The hits of a unit; none if there are none.
    pub(super) fn begin(
        unit: &ScanUnit,
        hits: Vec<Hits>,
        has_every_row: bool,
        columns: &HitColumns,
        batch_rows: usize,
    ) -> Result<Option<Self>> {
        let count = unit.rows.count();
        let mut by_rule = Vec::with_capacity(hits.len() + 1);
        if has_every_row {
            by_rule.push(RuleRows {
                rule: None,
                rows: (0..count).collect(),
                done: 0,
            });
        }
        by_rule.extend(hits.into_iter().map(|hits| RuleRows {
            // There are far fewer rules than 2^32.
            rule: Some(u32::try_from(hits.rule).unwrap_or(u32::MAX)),
            rows: hits.rows,
            done: 0,
        }));
        if count == 0 || by_rule.is_empty() {
            return Ok(None);
        }
        let wanted = union(&by_rule, count);
        let asked = columns.of_table();
        let batches = if asked.is_empty() {
            None
        } else {
            Some(unit.rows.batches(&asked, Some(&wanted), batch_rows)?)
        };
        Ok(Some(Self {
            unit: unit.clone(),
            rows: wanted.set_indices().collect(),
            by_rule,
            batches,
            done: 0,
            part: None,
        }))
    }

    /// The next hits, at most so many; none if all were told.
    pub(super) fn next(
        &mut self,
        columns: &HitColumns,
        batch_rows: usize,
        meter: &Meter,
    ) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(part) = &mut self.part {
                let rest = &part.hits[part.done..];
                if !rest.is_empty() {
                    let hits = &rest[..rest.len().min(batch_rows)];
                    let (rows, first_row) = (&self.rows[part.first..], self.unit.rows.first_row());
                    let batch = columns.batch(&HitRows {
                        file: &self.unit.file,
                        hits,
                        places: &|at| first_row + rows[at as usize] as u64,
                        read: &part.read,
                    })?;
                    part.done += hits.len();
                    meter.hits.add(hits.len());
                    meter.hand_over(batch.get_array_memory_size())?;
                    return Ok(Some(batch));
                }
                self.part = None;
                meter.release_to(0);
            }
            let Some(read) = self.read(batch_rows)? else {
                return Ok(None);
            };
            meter.keep(read.get_array_memory_size())?;
            self.part = Some(self.gather(read));
        }
    }

    /// The next rows of those that any rule matched.
    fn read(&mut self, batch_rows: usize) -> Result<Option<RecordBatch>> {
        let left = self.rows.len() - self.done;
        let Some(batches) = &mut self.batches else {
            let options = RecordBatchOptions::new().with_row_count(Some(left.min(batch_rows)));
            let none =
                RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
            return Ok((left > 0).then_some(none));
        };
        match batches.next().transpose()? {
            Some(read) if read.num_rows() <= left => Ok(Some(read)),
            None if left == 0 => Ok(None),
            // Hits must not be lost in silence, and none told of another row.
            _ => Err(ParquetError::General(format!(
                "{left} rows that rules matched are not where they were"
            ))
            .into()),
        }
    }

    /// The hits in rows that were read.
    fn gather(&mut self, read: RecordBatch) -> Part {
        let first = self.done;
        self.done += read.num_rows();
        let rows = &self.rows[first..self.done];
        let mut hits = Vec::new();
        let Some(last) = rows.last() else {
            return Part {
                first,
                read,
                hits,
                done: 0,
            };
        };
        for of_rule in &mut self.by_rule {
            let open = &of_rule.rows[of_rule.done..];
            let count = open.partition_point(|row| row <= last);
            let mut at = 0;
            for row in &open[..count] {
                at += rows[at..].partition_point(|earlier| earlier < row);
                hits.push((of_rule.rule, u32::try_from(at).unwrap_or(u32::MAX)));
            }
            of_rule.done += count;
        }
        Part {
            first,
            read,
            hits,
            done: 0,
        }
    }
}

/// The rows that any rule matched, of so many.
fn union(by_rule: &[RuleRows], count: usize) -> BooleanBuffer {
    let mut union = BooleanBufferBuilder::new(count);
    union.append_n(count, false);
    for row in by_rule.iter().flat_map(|of_rule| &of_rule.rows) {
        union.set_bit(*row, true);
    }
    union.finish()
}
