//! Lines of the completeness ledger: the table `coverage`.

use schemas::coverage::CoverageState;
use schemas::tables::Table;
use schemas::wire::Coverage;

use super::derived_row::DerivedRow;
use super::error::RowError;
use super::row_builder::{Checks, RowBuilder};
use super::stored_rows::StoredRow;
use crate::Row;

impl DerivedRow for Coverage {
    const TABLE: Table = Table::Coverage;

    fn check(&self) -> Result<(), RowError> {
        let checks = Checks {
            table: Self::TABLE,
            row: &self.id,
        };
        checks.is_named("coverage_id", &self.id)?;
        checks.word::<CoverageState>("coverage_state", &self.state)?;
        checks.time("observed_time", self.observed_time_us)?;
        checks.count("records", self.records)?;
        checks.count("dead_letters", self.dead_letters)
    }

    fn to_row(&self) -> Row {
        RowBuilder::new(Self::TABLE)
            .text("coverage_id", &self.id)
            .time("observed_time", self.observed_time_us)
            .text("source", &self.source)
            .text("coverage_kind", &self.kind)
            .some_text("subject", &self.subject)
            .integer("range_from", self.from)
            .integer("range_to", self.to)
            .text("coverage_state", &self.state)
            .count("records", self.records)
            .count("dead_letters", self.dead_letters)
            .some_text("detail", &self.detail)
            .finish(&self.tenant_id, None, self.observed_time_us)
    }

    fn from_row(row: &StoredRow<'_>) -> Result<Self, RowError> {
        Ok(Self {
            id: row.name("coverage_id")?,
            tenant_id: row.name("tenant_id")?,
            source: row.text("source")?,
            kind: row.text("coverage_kind")?,
            subject: row.text("subject")?,
            from: row.integer("range_from")?,
            to: row.integer("range_to")?,
            state: row.word::<CoverageState>("coverage_state")?,
            records: row.count("records")?,
            dead_letters: row.count("dead_letters")?,
            detail: row.text("detail")?,
            observed_time_us: row.time("observed_time")?,
        })
    }
}
