//! A table at one version, for whoever reads its files by an operator of their own.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider as _};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use schemas::tables::Table;

use super::provider::SnapshotTable;
use crate::reader::{Lake, TableFile};

/// A table as one query sees it; cheap to clone.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    lake: Arc<Lake>,
    provider: Arc<SnapshotTable>,
}

impl TableSnapshot {
    pub(crate) fn new(lake: &Lake, provider: Arc<SnapshotTable>) -> Self {
        Self {
            lake: Arc::new(lake.clone()),
            provider,
        }
    }

    pub(crate) fn provider(&self) -> &Arc<SnapshotTable> {
        &self.provider
    }

    /// The lake that has it, whose files can be opened.
    pub fn lake(&self) -> &Arc<Lake> {
        &self.lake
    }

    /// Which table.
    pub fn table(&self) -> Table {
        self.provider.table()
    }

    /// Its columns: those of its files, then those of its folders.
    pub fn schema(&self) -> SchemaRef {
        self.provider.schema()
    }

    /// The files that may hold rows for which the filters are true.
    ///
    /// # Errors
    /// If a filter is not about the table's columns.
    pub fn files(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<TableFile>> {
        let (files, version) = (
            self.provider.matching(state, filters)?,
            self.provider.version(),
        );
        let files = files.iter();
        Ok(files.map(|file| TableFile::of(file, version)).collect())
    }
}
