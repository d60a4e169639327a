//! Entries of the audit chain: the table `actions`.
//!
//! Their words are kept as they are, also those that this version does not know: the entry's hash is over them, and who
//! acts on them reads them ([`schemas::action::ActionState`]). What is about no tenant has the partition `unknown`.

use schemas::tables::Table;
use schemas::wire::AuditRecord;

use super::derived_row::DerivedRow;
use super::error::RowError;
use super::row_builder::{Checks, RowBuilder};
use super::stored_rows::StoredRow;
use crate::Row;

impl DerivedRow for AuditRecord {
    const TABLE: Table = Table::Actions;

    fn check(&self) -> Result<(), RowError> {
        let checks = Checks {
            table: Self::TABLE,
            row: &self.id,
        };
        checks.is_named("audit_id", &self.id)?;
        checks.time("event_time", self.time_us)?;
        checks.count("chain_sequence", self.sequence)
    }

    fn to_row(&self) -> Row {
        RowBuilder::new(Self::TABLE)
            .text("audit_id", &self.id)
            .time("event_time", self.time_us)
            .count("chain_sequence", self.sequence)
            .some_text("previous_hash", &self.previous_hash)
            .text("hash", &self.hash)
            .text("action_id", &self.action_id)
            .some_text("case_id", &self.case_id)
            .text("action", &self.action)
            .text("action_target", &self.target)
            .text("action_state", &self.state)
            .text("requested_by", &self.requested_by)
            .boolean("dry_run", self.dry_run)
            .some_text("detail", &self.detail)
            // The same entry may be published again with another time: it is looked for in the days before too.
            .finish(&self.tenant_id, None, self.time_us)
    }

    fn from_row(row: &StoredRow<'_>) -> Result<Self, RowError> {
        Ok(Self {
            id: row.name("audit_id")?,
            sequence: row.count("chain_sequence")?,
            previous_hash: row.text("previous_hash")?,
            hash: row.text("hash")?,
            tenant_id: row.name("tenant_id")?,
            action_id: row.text("action_id")?,
            case_id: row.text("case_id")?,
            action: row.text("action")?,
            target: row.text("action_target")?,
            state: row.text("action_state")?,
            requested_by: row.text("requested_by")?,
            dry_run: row.boolean("dry_run")?,
            detail: row.text("detail")?,
            time_us: row.time("event_time")?,
        })
    }
}
