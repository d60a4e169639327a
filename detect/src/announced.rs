//! The rows of an announced file, wherever they stand now.
//!
//! Where compaction has replaced the file, its rows are in the files that its tenant and day have now: all of those are
//! evaluated, and what was found before is found again under the same ids.

use std::io::ErrorKind;
use std::sync::Arc;

use lake::{Lake, LakeError, TableFile};
use schemas::tables::Table;
use schemas::wire::BatchFile;
use sigma::Ruleset;
use sigma::plan::chunk::row_group::ParquetFile;

use crate::alert::Origin;
use crate::error::DetectError;
use crate::evaluate::{Evaluation, Findings};
use crate::rule_scan::{LeftOut, ScanUnit};

/// A file that was announced.
#[derive(Debug, Clone, PartialEq)]
pub struct Announced {
    /// Its table.
    pub table: Table,
    /// Path, tenant, day and number of rows.
    pub file: BatchFile,
    /// The Delta version that added it.
    pub version: i64,
}

/// What was found, and where.
#[derive(Debug, Default)]
pub struct Seen {
    /// Rows that the rules looked at, those of row groups that cannot be read not among them.
    pub rows: u64,
    /// What the rules found.
    pub findings: Findings,
    /// Rows at which a rule panicked, by file and place in it; all others were evaluated.
    pub panicked: Vec<(String, u64)>,
    /// Why rows of a row group were not evaluated, of the first that cannot be read.
    pub damage: Option<DetectError>,
    /// The version of the table whose files of the day were evaluated, where the announced one is gone.
    pub of_version: Option<i64>,
}

impl Announced {
    /// What rules find in its rows; a row group that cannot be read costs its own rows alone.
    ///
    /// # Errors
    /// [`DetectError::Missing`] if its rows are nowhere; [`DetectError::Lake`] or [`DetectError::Evaluate`] if they
    /// cannot be read.
    pub async fn evaluate(
        &self,
        rules: &Arc<Ruleset>,
        lake: &Lake,
        now_us: i64,
    ) -> Result<Seen, DetectError> {
        match self.file_of(lake, &self.file.path) {
            Ok(file) => {
                self.evaluate_file(rules, lake, (&self.file.path, file), now_us)
                    .await
            }
            Err(DetectError::Lake(LakeError::File { cause, .. }))
                if cause.kind() == ErrorKind::NotFound =>
            {
                self.evaluate_day(rules, lake, now_us).await
            }
            Err(error) => Err(error),
        }
    }

    async fn evaluate_day(
        &self,
        rules: &Arc<Ruleset>,
        lake: &Lake,
        now_us: i64,
    ) -> Result<Seen, DetectError> {
        let mut files = lake.files(self.table).await?;
        let is_of_day =
            |file: &TableFile| file.tenant_id == self.file.tenant_id && file.day == self.file.day;
        files.retain(is_of_day);
        let rows: u64 = files.iter().filter_map(|file| file.rows).sum();
        let is_replaced = files.iter().all(|file| file.path != self.file.path);
        let of_version = files.first().map(|file| file.version);
        if !is_replaced || rows < self.file.rows || of_version < Some(self.version) {
            return Err(DetectError::Missing {
                table: self.table.name(),
                path: self.file.path.clone(),
            });
        }
        let mut seen = Seen {
            of_version,
            ..Seen::default()
        };
        for file in files {
            let opened = self.file_of(lake, &file.path)?;
            let of_file = self
                .evaluate_file(rules, lake, (&file.path, opened), now_us)
                .await?;
            seen.rows += of_file.rows;
            seen.findings.extend(of_file.findings);
            seen.panicked.extend(of_file.panicked);
            seen.damage = seen.damage.or(of_file.damage);
        }
        Ok(seen)
    }

    fn file_of(&self, lake: &Lake, path: &str) -> Result<ParquetFile, DetectError> {
        let opened = lake.open_file(self.table, path)?;
        ParquetFile::open(opened).map_err(|cause| DetectError::evaluate(self.table, cause))
    }

    async fn evaluate_file(
        &self,
        rules: &Arc<Ruleset>,
        lake: &Lake,
        (path, file): (&str, ParquetFile),
        now_us: i64,
    ) -> Result<Seen, DetectError> {
        let (rules, table) = (Arc::clone(rules), self.table);
        let origin = Origin {
            table: table.name().to_owned(),
            tenant_id: self.file.tenant_id.clone(),
            file: path.to_owned(),
            version: self.version,
        };
        let context = lake.task_context();
        let work = move || {
            let evaluation = Evaluation {
                rules: &rules,
                table,
                origin: &origin,
                now_us,
            };
            let units = ScanUnit::row_groups(evaluation.file(), &file);
            let scan = evaluation.scan(units)?.leaving_out();
            let mut seen = Seen {
                rows: file.rows(),
                findings: evaluation.run(&scan, &context)?,
                ..Seen::default()
            };
            for left_out in scan.left_out() {
                seen.leave_out(table, left_out);
            }
            Ok(seen)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| DetectError::Interrupted)?
    }
}

impl Seen {
    /// The same, if every row group could be read.
    ///
    /// # Errors
    /// Why the first could not.
    pub(crate) fn whole(mut self) -> Result<Self, DetectError> {
        match self.damage.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    fn leave_out(&mut self, table: Table, left_out: LeftOut) {
        match left_out {
            LeftOut::Row { file, row } => self.panicked.push((file, row)),
            LeftOut::RowGroup {
                file,
                at,
                rows,
                cause,
            } => {
                tracing::error!(%table, file, row_group = at, rows, error = %cause,
                    "a row group cannot be read; all others of the file were evaluated");
                self.rows = self.rows.saturating_sub(rows);
                let first = self.damage.take();
                self.damage = first.or_else(|| Some(DetectError::evaluate(table, cause)));
            }
        }
    }
}
