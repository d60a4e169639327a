//! Rows one by one where a rule panics at one of them: it is left out and named, the others are evaluated.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::record_batch::RecordBatch;
use schemas::tables::Table;
use schemas::wire::Event;
use sigma::plan::chunk::Chunk as _;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};

use super::{Evaluation, Findings, event};
use crate::error::DetectError;

impl Evaluation<'_> {
    /// What is found in all rows of a file, and the rows at which a rule panicked, twice.
    ///
    /// # Errors
    /// [`DetectError::Evaluate`] if the file cannot be read.
    pub fn file_carefully(&self, file: &ParquetFile) -> Result<(Findings, Vec<u64>), DetectError> {
        let (mut findings, mut panicked) = (Findings::default(), Vec::new());
        for group in file.row_groups() {
            let whole = catch_unwind(AssertUnwindSafe(|| self.row_group(group.clone())));
            match whole {
                Ok(found) => findings.extend(found?),
                Err(_) => self.one_by_one(&group, &mut findings, &mut panicked)?,
            }
        }
        Ok((findings, panicked))
    }

    fn one_by_one(
        &self,
        group: &RowGroup,
        findings: &mut Findings,
        panicked: &mut Vec<u64>,
    ) -> Result<(), DetectError> {
        let batch = group
            .read(None)
            .map_err(|cause| DetectError::evaluate(self.table, cause))?;
        let places: Vec<u64> = (group.first_row()..).take(batch.num_rows()).collect();
        let evaluate = |rows: Range<usize>| self.some(&batch, rows, &places);
        let bad = halve(0..group.rows(), &evaluate, findings)?;
        panicked.extend(bad.into_iter().map(|row| places[row]));
        Ok(())
    }

    /// What is found in some rows, made anew: a slice still has the dictionaries of all rows, and rules look at those.
    fn some(
        &self,
        batch: &RecordBatch,
        rows: Range<usize>,
        places: &[u64],
    ) -> Result<Findings, DetectError> {
        let places = &places[rows.clone()];
        if self.table == Table::Revisions {
            return self.rows(&batch.slice(rows.start, rows.len()), places);
        }
        let events: Vec<Event> = rows.map(|row| event(batch, row)).collect();
        let made = columns::event_batch(self.table, &events)
            .map_err(|cause| DetectError::evaluate(self.table, cause.into()))?;
        self.rows(&made, places)
    }
}

/// Evaluates rows in ever smaller parts; those at which it panics by themselves.
fn halve(
    rows: Range<usize>,
    evaluate: &impl Fn(Range<usize>) -> Result<Findings, DetectError>,
    findings: &mut Findings,
) -> Result<Vec<usize>, DetectError> {
    let (mut waiting, mut panicked) = (vec![rows], Vec::new());
    while let Some(rows) = waiting.pop() {
        match catch_unwind(AssertUnwindSafe(|| evaluate(rows.clone()))) {
            Ok(found) => findings.extend(found?),
            Err(_) if rows.len() <= 1 => panicked.extend(rows),
            Err(_) => {
                let middle = rows.start + rows.len() / 2;
                waiting.push(middle..rows.end);
                waiting.push(rows.start..middle);
            }
        }
    }
    Ok(panicked)
}

#[cfg(test)]
mod tests {
    use super::{Findings, halve};
    use schemas::wire::Alert;

    #[test]
    fn only_the_rows_at_which_a_rule_panics_are_left_out() {
        let mut findings = Findings::default();
        let evaluate = |rows: std::ops::Range<usize>| {
            assert!(!rows.contains(&3) && !rows.contains(&700), "of this row");
            let alerts = rows.map(|row| Alert {
                alert_id: row.to_string(),
                ..Alert::default()
            });
            Ok(Findings {
                alerts: alerts.collect(),
                ..Findings::default()
            })
        };
        let panicked = halve(0..1_000, &evaluate, &mut findings).unwrap();
        assert_eq!(panicked, [3, 700]);
        assert_eq!(findings.alerts.len(), 998);
    }
}
