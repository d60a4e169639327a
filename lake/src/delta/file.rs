//! Parquet files of the lake: written whole in memory, then made durable; read back whole or in part.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderBuilder, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use schemas::arrow::file_schema;
use schemas::ids;
use schemas::tables::{RAW, Table};

use super::proposal::DataFile;
use crate::disk::Disk;
use crate::error::LakeError;
use columns::{Cell, Row, cell_at, compared_columns, day_text, identity_of, position_of};

/// Rows of a row group: inside one, all batches share a column's dictionary.
///
/// How this and what follows was chosen is in `benches/LAYOUT.md`.
const ROW_GROUP_ROWS: usize = 131_072;

/// Largest dictionary of a column, in bytes; a larger one makes the column fall back to plain pages.
const DICTIONARY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest tenant id that names a folder as it is.
const FOLDER_NAME_MAX: usize = 64;

/// Name of a tenant's folder: its id where that is harmless, else a hash of it.
///
/// Readers take the tenant from the log and never from the path, so the name need not say it.
fn folder_name(tenant_id: &str) -> String {
    let is_harmless = tenant_id.len() <= FOLDER_NAME_MAX
        && tenant_id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_harmless {
        tenant_id.to_owned()
    } else {
        format!("x{}", ids::hex(&[tenant_id.as_bytes()]))
    }
}

/// A new path inside the table's folder.
pub(crate) fn new_path(tenant_id: &str, day: i32) -> String {
    format!(
        "tenant_id={}/day={}/part-{}.parquet",
        folder_name(tenant_id),
        day_text(day),
        uuid::Uuid::new_v4()
    )
}

/// Where a file of the table stands; an error if the path leads anywhere else.
pub(crate) fn absolute(root: &Path, table: Table, path: &str) -> Result<PathBuf, LakeError> {
    let relative = Path::new(path);
    let is_inside = relative
        .extension()
        .is_some_and(|extension| extension == "parquet")
        && relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
    if is_inside {
        Ok(root.join(relative))
    } else {
        Err(LakeError::ForeignPath {
            table,
            path: path.to_owned(),
        })
    }
}

/// Writes batches of one tenant and day as one file, durably, and describes it.
pub(crate) fn write(
    disk: &dyn Disk,
    root: &Path,
    file: DataFile,
    table: Table,
    batches: impl Iterator<Item = Result<RecordBatch, LakeError>>,
) -> Result<DataFile, LakeError> {
    let (bytes, rows) = encode(table, batches)?;
    let path = root.join(&file.path);
    if let Err(cause) = disk.write(&path, &bytes) {
        // What was written in part must not fill the disk; maintenance removes it if this cannot.
        if let Err(error) = disk.remove(&path) {
            tracing::warn!(path = %path.display(), %error, "could not remove a partial file");
        }
        return Err(LakeError::File {
            verb: "write",
            path,
            cause,
        });
    }
    Ok(DataFile {
        rows: Some(rows),
        bytes: bytes.len() as u64,
        ..file
    })
}

fn encode(
    table: Table,
    batches: impl Iterator<Item = Result<RecordBatch, LakeError>>,
) -> Result<(Vec<u8>, u64), LakeError> {
    let failed = |cause| LakeError::Parquet { table, cause };
    let properties = properties(table).map_err(failed)?;
    let mut writer =
        ArrowWriter::try_new(Vec::new(), file_schema(table), Some(properties)).map_err(failed)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(failed)?;
    }
    Ok((writer.into_inner().map_err(failed)?, rows))
}

/// How the files of a table are written.
fn properties(table: Table) -> Result<WriterProperties, ParquetError> {
    let raw = ColumnPath::from(RAW.name);
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        // Its bounds would be two records in every page, and nobody asks for them.
        .set_column_statistics_enabled(raw.clone(), EnabledStatistics::None);
    // What is unique in the table makes a dictionary that is given up when it is full.
    let unique = [raw, ColumnPath::from(table.identity())];
    let builder = unique.into_iter().fold(builder, |builder, column| {
        builder.set_column_dictionary_enabled(column, false)
    });
    Ok(builder.build())
}

fn open(table: Table, path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, LakeError> {
    let file = File::open(path).map_err(|cause| LakeError::File {
        verb: "read",
        path: path.to_owned(),
        cause,
    })?;
    ArrowReaderBuilder::try_new(file).map_err(|cause| unreadable(table, path, cause))
}

/// What a failed read says: of the file, or of the machine that could not read it just now.
fn unreadable(table: Table, path: &Path, cause: ParquetError) -> LakeError {
    let of_machine = |cause| LakeError::File {
        verb: "read",
        path: path.to_owned(),
        cause,
    };
    let damaged = |cause| LakeError::Damaged {
        table,
        path: path.to_owned(),
        cause,
    };
    match cause {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => of_machine(*cause),
            Ok(cause) => damaged(ParquetError::External(cause)),
            Err(inner) => damaged(ParquetError::External(inner)),
        },
        // Where the library keeps only the words of what the system said.
        cause if cause.to_string().contains("(os error ") => {
            of_machine(io::Error::other(cause.to_string()))
        }
        cause => damaged(cause),
    }
}

fn arrow_failed(table: Table) -> impl Fn(arrow::error::ArrowError) -> LakeError {
    move |cause| LakeError::Parquet {
        table,
        cause: ParquetError::from(cause),
    }
}

/// All rows of a file in order, with the table's columns; those that the file lacks are null.
pub(crate) fn read(
    table: Table,
    path: &Path,
) -> Result<impl Iterator<Item = Result<RecordBatch, LakeError>> + use<>, LakeError> {
    let path = path.to_owned();
    let reader = open(table, &path)?
        .build()
        .map_err(|cause| unreadable(table, &path, cause))?;
    Ok(reader.map(move |batch| {
        batch
            .map_err(|cause| unreadable(table, &path, cause.into()))
            .and_then(|batch| with_all_columns(table, &batch))
    }))
}

/// A file of an older version may lack columns, of a newer one have more.
fn with_all_columns(table: Table, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let schema = file_schema(table);
    if batch.schema().fields() == schema.fields() {
        return RecordBatch::try_new(schema, batch.columns().to_vec()).map_err(arrow_failed(table));
    }
    let arrays: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
            Some(array) => arrow::compute::cast(array, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<_, _>>()
        .map_err(arrow_failed(table))?;
    RecordBatch::try_new(schema, arrays).map_err(arrow_failed(table))
}

/// The identities of a file's rows, in order.
pub(crate) fn identities(table: Table, path: &Path) -> Result<Vec<u128>, LakeError> {
    let builder = open(table, path)?;
    let has = |name: &&&str| builder.schema().column_with_name(name).is_some();
    // A file of an earlier vedette may have the identity under an earlier name.
    let names = [table.identity(), table.identity_before()];
    let Some(name) = names.iter().find(has) else {
        return Ok(Vec::new());
    };
    let mask = ProjectionMask::columns(builder.parquet_schema(), [*name]);
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let reader = builder
        .with_projection(mask)
        .build()
        .map_err(|cause| unreadable(table, path, cause))?;
    let mut found = Vec::with_capacity(rows);
    for batch in reader {
        let batch = batch.map_err(|cause| unreadable(table, path, cause.into()))?;
        let column = batch.column(0);
        found.extend((0..batch.num_rows()).map(|row| {
            match cell_at(schemas::tables::Kind::Text, column, row) {
                Cell::Text(text) => identity_of(&text),
                _ => 0,
            }
        }));
    }
    Ok(found)
}

/// The cells of [`compared_columns`] of the rows that `is_wanted` picks by identity.
pub(crate) fn contents(
    table: Table,
    path: &Path,
    is_wanted: impl Fn(u128) -> bool,
    found: &mut HashMap<u128, Vec<Cell>>,
) -> Result<(), LakeError> {
    let identities = identities(table, path)?;
    let wanted: Vec<u128> = identities
        .iter()
        .copied()
        .filter(|identity| is_wanted(*identity))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let selection: RowSelection = identities
        .iter()
        .map(|identity| {
            if is_wanted(*identity) {
                RowSelector::select(1)
            } else {
                RowSelector::skip(1)
            }
        })
        .collect::<Vec<_>>()
        .into();
    let columns = table.columns();
    let compared: Vec<_> = compared_columns(table)
        .into_iter()
        .map(|at| columns[at])
        .collect();
    let builder = open(table, path)?;
    let mask = ProjectionMask::columns(
        builder.parquet_schema(),
        compared.iter().map(|column| column.name),
    );
    let reader = builder
        .with_projection(mask)
        .with_row_selection(selection)
        .build()
        .map_err(|cause| unreadable(table, path, cause))?;
    let mut wanted = wanted.into_iter();
    for batch in reader {
        let batch = batch.map_err(|cause| unreadable(table, path, cause.into()))?;
        let arrays: Vec<_> = compared
            .iter()
            .map(|column| (column.kind, batch.column_by_name(column.name)))
            .collect();
        for (row, identity) in (0..batch.num_rows()).zip(wanted.by_ref()) {
            let cells = arrays
                .iter()
                .map(|(kind, array)| array.map_or(Cell::Null, |array| cell_at(*kind, array, row)))
                .collect();
            found.insert(identity, cells);
        }
    }
    Ok(())
}

/// Describes a file that is about to be written from `rows`.
pub(crate) fn describe(
    table: Table,
    tenant_id: &str,
    day: i32,
    rows: &[&Row],
    now_us: i64,
) -> DataFile {
    let times = position_of(table, "event_time").and_then(|at| {
        let mut bounds: Option<(i64, i64)> = None;
        for row in rows {
            // Bounds hold only if every row has a time.
            let Cell::Time(time) = row.cells[at] else {
                return None;
            };
            bounds = Some(bounds.map_or((time, time), |(from, to)| (from.min(time), to.max(time))));
        }
        bounds
    });
    DataFile {
        path: new_path(tenant_id, day),
        tenant_id: tenant_id.to_owned(),
        day,
        rows: None,
        bytes: 0,
        event_times: times,
        modified_ms: super::log::millisecond(now_us),
    }
}

#[cfg(test)]
mod tests {
    use super::{absolute, folder_name};
    use schemas::tables::Table;
    use std::path::Path;

    #[test]
    fn a_hostile_tenant_id_names_a_harmless_folder() {
        for hostile in [
            "../../etc",
            "a/b",
            "UPPER",
            "",
            "é",
            "a\0",
            &"x".repeat(200),
            "a=b",
            "%2e%2e",
        ] {
            let name = folder_name(hostile);
            assert!(
                name.len() <= 64
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
                "{hostile:?} gives {name:?}"
            );
        }
        assert_eq!(
            folder_name("5f0c0e5a-0000-4000-8000-000000000001"),
            "5f0c0e5a-0000-4000-8000-000000000001"
        );
    }

    #[test]
    fn only_files_of_the_table_are_read() {
        let root = Path::new("lake/signins");
        assert!(
            absolute(
                root,
                Table::Signins,
                "tenant_id=t/day=2024-10-04/part-1.parquet"
            )
            .is_ok()
        );
        for path in [
            "../alerts/a.parquet",
            "/etc/a.parquet",
            "a/../../b.parquet",
            "_delta_log/0.json",
            "",
        ] {
            assert!(absolute(root, Table::Signins, path).is_err(), "{path}");
        }
    }
}
