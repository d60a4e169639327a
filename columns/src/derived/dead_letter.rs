//! Parts of dead letters: the table `dead_letters`.

use schemas::dead_letter::Reason;
use schemas::tables::Table;
use schemas::wire::DeadLetter;

use super::derived_row::DerivedRow;
use super::error::RowError;
use super::row_builder::{Checks, RowBuilder};
use super::stored_rows::StoredRow;
use crate::Row;

/// Stands between the letter's id and its part.
const BETWEEN: char = '/';

impl DerivedRow for DeadLetter {
    const TABLE: Table = Table::DeadLetters;

    fn check(&self) -> Result<(), RowError> {
        let checks = Checks {
            table: Self::TABLE,
            row: &self.id,
        };
        checks.is_named("dead_letter_id", &self.id)?;
        checks.word::<Reason>("reason", &self.reason)?;
        checks.time("ingest_time", self.ingest_time_us)
    }

    fn to_row(&self) -> Row {
        let id = format!("{}{BETWEEN}{}", self.id, self.part);
        RowBuilder::new(Self::TABLE)
            .text("dead_letter_id", &id)
            .time("ingest_time", self.ingest_time_us)
            .text("source", &self.source)
            .some_text("position", &self.position)
            .text("reason", &self.reason)
            .some_text("detail", &self.detail)
            .count("part", u64::from(self.part))
            .count("parts", u64::from(self.parts))
            .bytes("raw_bytes", self.raw.clone())
            .finish(&self.tenant_id, None, self.ingest_time_us)
    }

    fn from_row(row: &StoredRow<'_>) -> Result<Self, RowError> {
        let (id, part) = (row.name("dead_letter_id")?, row.count("part")?);
        let letter = id.strip_suffix(&format!("{BETWEEN}{part}"));
        let why = || row.refused("dead_letter_id", &id, &"it must end with the letter's part");
        Ok(Self {
            id: letter.ok_or_else(why)?.to_owned(),
            tenant_id: row.name("tenant_id")?,
            source: row.text("source")?,
            position: row.text("position")?,
            reason: row.word::<Reason>("reason")?,
            detail: row.text("detail")?,
            ingest_time_us: row.time("ingest_time")?,
            raw: row.bytes("raw_bytes")?,
            part,
            parts: row.count("parts")?,
        })
    }
}
