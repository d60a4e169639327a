//! A table at one version for DataFusion: the snapshot's files, skipped by tenant, day and event time.
//!
//! Ours rather than the Delta library's, because that one casts dictionaries to plain strings
//! (three times the cost; see the design).

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, DFSchema, ScalarValue, Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::path::Path;
use schemas::arrow::{PARTITION_COLUMNS, file_schema};
use schemas::tables::Table;

use crate::delta::{DataFile, Snapshot, file};

/// A table at one version.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    table: Table,
    root: PathBuf,
    snapshot: Arc<Snapshot>,
    schema: TableSchema,
}

impl SnapshotTable {
    pub(crate) fn new(table: Table, root: PathBuf, snapshot: Arc<Snapshot>) -> Self {
        let [tenant_id, day] = PARTITION_COLUMNS;
        let partition_columns = vec![
            Arc::new(Field::new(tenant_id, tenant_type(), false)),
            Arc::new(Field::new(day, DataType::Date32, false)),
        ];
        let schema = TableSchema::builder(file_schema(table))
            .with_table_partition_cols(partition_columns)
            .build();
        Self {
            table,
            root,
            snapshot,
            schema,
        }
    }

    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// The version of the table.
    pub(crate) fn version(&self) -> i64 {
        self.snapshot.version.unwrap_or(0)
    }

    /// The files that may hold rows for which the filters are true.
    pub(crate) fn matching(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<Arc<DataFile>>> {
        let files: Vec<Arc<DataFile>> = self.snapshot.files.values().cloned().collect();
        let Some(filter) = conjunction(filters.to_vec()) else {
            return Ok(files);
        };
        let schema = self.schema();
        let expression =
            state.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&schema))?)?;
        // A filter that cannot be judged by bounds skips nothing.
        let Ok(predicate) = PruningPredicateBuilder::new()
            .with_file_schema(schema)
            .try_build(expression)
        else {
            return Ok(files);
        };
        let keep = predicate.prune(&Bounds(&files))?;
        Ok(files
            .into_iter()
            .zip(keep)
            .filter_map(|(file, keep)| keep.then_some(file))
            .collect())
    }

    fn partitioned(&self, described: &DataFile) -> Result<PartitionedFile> {
        let path = file::absolute(&self.root, self.table, &described.path)?;
        let path = Path::from_absolute_path(path)?;
        let mut partitioned = PartitionedFile::new(String::new(), described.bytes);
        partitioned.object_meta.location = path;
        let partitioned = partitioned.with_partition_values(vec![
            tenant_value(&described.tenant_id),
            ScalarValue::Date32(Some(described.day)),
        ]);
        let rows = described.rows.and_then(|rows| usize::try_from(rows).ok());
        Ok(match rows {
            Some(rows) => {
                let statistics = Statistics {
                    num_rows: Precision::Exact(rows),
                    ..Statistics::new_unknown(self.schema.file_schema())
                };
                partitioned.with_statistics(Arc::new(statistics))
            }
            None => partitioned,
        })
    }

    /// What is known of all files together: the planner answers `count(*)` from it.
    fn statistics(&self, files: &[Arc<DataFile>]) -> Statistics {
        let rows: Option<u64> = files.iter().map(|file| file.rows).sum();
        let num_rows = rows
            .and_then(|rows| usize::try_from(rows).ok())
            .map_or(Precision::Absent, Precision::Exact);
        Statistics {
            num_rows,
            ..Statistics::new_unknown(self.schema.table_schema())
        }
    }
}

fn tenant_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn tenant_value(tenant_id: &str) -> ScalarValue {
    ScalarValue::Dictionary(
        Box::new(DataType::Int32),
        Box::new(ScalarValue::Utf8(Some(tenant_id.to_owned()))),
    )
}

#[async_trait::async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.matching(state, filters)?;
        if files.is_empty() {
            // A scan of no partitions cannot be sorted or joined.
            let schema = project_schema(&self.schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let statistics = self.statistics(&files);
        let options = state.config_options();
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_pushdown_filters(options.execution.parquet.pushdown_filters)
            .with_reorder_filters(options.execution.parquet.reorder_filters);
        let groups = groups(&files, options.execution.target_partitions)
            .into_iter()
            .map(|group| {
                group
                    .iter()
                    .map(|file| self.partitioned(file))
                    .collect::<Result<Vec<_>>>()
            })
            .map(|group| group.map(FileGroup::new))
            .collect::<Result<Vec<_>>>()?;
        let config =
            FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
                .with_file_groups(groups)
                .with_statistics(statistics)
                .with_projection_indices(projection.cloned())?
                .with_limit(limit)
                .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // They skip files and, inside the scan, rows; the planner keeps them above the scan all the same.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// The files in at most `partitions` groups of about the same size.
fn groups(files: &[Arc<DataFile>], partitions: usize) -> Vec<Vec<Arc<DataFile>>> {
    let mut by_size = files.to_vec();
    by_size.sort_by(|one, other| {
        other
            .bytes
            .cmp(&one.bytes)
            .then_with(|| one.path.cmp(&other.path))
    });
    let mut groups: Vec<(u64, Vec<Arc<DataFile>>)> = vec![(0, Vec::new()); partitions.max(1)];
    for file in by_size {
        if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += file.bytes.max(1);
            group.push(file);
        }
    }
    groups
        .into_iter()
        .map(|(_, group)| group)
        .filter(|group| !group.is_empty())
        .collect()
}

/// What the log says about the values of each file.
struct Bounds<'a>(&'a [Arc<DataFile>]);

impl Bounds<'_> {
    fn bound(&self, column: &Column, of_times: impl Fn((i64, i64)) -> i64) -> Option<ArrayRef> {
        let files = self.0.iter();
        match column.name() {
            "tenant_id" => Some(Arc::new(StringArray::from_iter_values(
                files.map(|file| &file.tenant_id),
            ))),
            "day" => Some(Arc::new(Date32Array::from_iter_values(
                files.map(|file| file.day),
            ))),
            "event_time" => {
                let times = files.map(|file| file.event_times.map(&of_times));
                Some(Arc::new(
                    times
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                ))
            }
            _ => None,
        }
    }
}

impl PruningStatistics for Bounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |(from, _)| from)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, |(_, to)| to)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        PARTITION_COLUMNS
            .contains(&column.name())
            .then(|| Arc::new(UInt64Array::from(vec![0; self.0.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(
            self.0.iter().map(|file| file.rows).collect::<UInt64Array>(),
        ))
    }

    fn contained(
        &self,
        _column: &Column,
        _values: &std::collections::HashSet<ScalarValue>,
    ) -> Option<BooleanArray> {
        None
    }
}
