//! Detection over stored events: the files of a lake, evaluated as a backtest does.
//!
//! The lake keeps a table for each log source, so events are stored apart by `product` and `service`, with the
//! writer's settings that the lake has. All rules are asked of all files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use sigma::mapping::Mapping;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};
use sigma::{Hits, Plan};

use crate::kit::{BATCH_ROWS, BenchError, Columns, fields, file_error, load, schema};

/// Largest dictionary of a column, in bytes, as in the lake.
const DICTIONARY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest part of a row group in memory while it is built.
const PART_ROWS: usize = 8_192;

/// Stores the events of the file `events` with the columns that the rules of the folder `rules` read.
///
/// # Errors
/// [`BenchError`] if a file cannot be read or written, or an event is not JSON.
pub fn store(events: &Path, rules: &Path, folder: &Path) -> Result<u64, BenchError> {
    let fields = fields(&load(rules)?);
    let paths: Vec<Vec<&str>> = fields
        .iter()
        .map(|field| field.split('.').collect())
        .collect();
    fs::create_dir_all(folder).map_err(|cause| file_error(folder, cause))?;
    let mut tables: BTreeMap<String, TableWriter> = BTreeMap::new();
    let file = fs::File::open(events).map_err(|cause| file_error(events, cause))?;
    for (number, line) in io::BufReader::with_capacity(1 << 20, file)
        .lines()
        .enumerate()
    {
        let line = line.map_err(|cause| file_error(events, cause))?;
        let event: Value = serde_json::from_str(&line).map_err(|cause| BenchError::Event {
            line: number + 1,
            cause,
        })?;
        let word = |name: &str| event[name].as_str().unwrap_or("other").to_owned();
        let name = format!("{}-{}", word("product"), word("service"));
        if !tables.contains_key(&name) {
            let path = folder.join(format!("{name}.parquet"));
            tables.insert(name.clone(), TableWriter::create(&path, &fields)?);
        }
        if let Some(table) = tables.get_mut(&name) {
            table.push(&event, &line, &paths)?;
        }
    }
    let mut bytes = 0;
    for table in tables.into_values() {
        bytes += table.close()?;
    }
    Ok(bytes)
}

/// A file that is being written.
struct TableWriter {
    path: PathBuf,
    writer: ArrowWriter<fs::File>,
    columns: Columns,
    schema: SchemaRef,
}

impl TableWriter {
    fn create(path: &Path, fields: &[String]) -> Result<Self, BenchError> {
        let file = fs::File::create(path).map_err(|cause| file_error(path, cause))?;
        let schema = schema(fields);
        let level = ZstdLevel::try_new(1).map_err(evaluate)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(BATCH_ROWS))
            .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
            .build();
        Ok(Self {
            path: path.to_owned(),
            writer: ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
                .map_err(evaluate)?,
            columns: Columns::new(fields.len()),
            schema,
        })
    }

    fn push(&mut self, event: &Value, line: &str, paths: &[Vec<&str>]) -> Result<(), BenchError> {
        self.columns.push(event, line, paths);
        if self.columns.rows == PART_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BenchError> {
        let full = std::mem::replace(
            &mut self.columns,
            Columns::new(self.schema.fields().len() - 1),
        );
        let batch = full
            .finish(&self.schema)
            .map_err(|cause| BenchError::Evaluate(Box::new(cause)))?;
        self.writer.write(&batch).map_err(evaluate)
    }

    fn close(mut self) -> Result<u64, BenchError> {
        self.flush()?;
        self.writer.close().map_err(evaluate)?;
        let found = fs::metadata(&self.path).map_err(|cause| file_error(&self.path, cause))?;
        Ok(found.len())
    }
}

fn evaluate(cause: ParquetError) -> BenchError {
    BenchError::Evaluate(Box::new(cause))
}

/// Asks all rules of the folder `rules` of all files of `folder`, and writes the counts per rule.
///
/// # Errors
/// [`BenchError`] if a file cannot be read.
pub fn detect(
    folder: &Path,
    rules: &Path,
    threads: usize,
    out: &mut dyn io::Write,
) -> Result<(), BenchError> {
    let rules = load(rules)?;
    let (plan, refused) = Plan::new(
        Mapping::Flat,
        rules.iter().map(|(_, rule)| rule).enumerate(),
    );
    let groups = Mutex::new(groups(folder)?);
    let next = || groups.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || -> Result<Vec<Hits>, ParquetError> {
        let mut found = Vec::new();
        while let Some(mut group) = next() {
            found.extend(plan.evaluate(&mut group)?);
        }
        Ok(found)
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let found: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().ok())
            .collect()
    });
    for hits in found {
        for hit in hits.map_err(evaluate)? {
            *counts.entry(&rules[hit.rule].0).or_default() += hit.rows.len();
        }
    }
    let report = serde_json::json!({
        "covered": plan.rules(),
        "rejected": refused.iter().map(|(rule, reason)| (rules[*rule].0.clone(), reason.to_string())).collect::<BTreeMap<_, _>>(),
        "tests": plan.tests(),
        "matches": counts.values().sum::<usize>(),
        "counts": counts,
    });
    writeln!(out, "{report:#}").map_err(|cause| file_error(folder, cause))
}

fn groups(folder: &Path) -> Result<Vec<RowGroup>, BenchError> {
    let mut groups = Vec::new();
    for entry in fs::read_dir(folder)
        .map_err(|cause| file_error(folder, cause))?
        .flatten()
    {
        let path = entry.path();
        let file = fs::File::open(&path).map_err(|cause| file_error(&path, cause))?;
        groups.extend(ParquetFile::open(file).map_err(evaluate)?.row_groups());
    }
    Ok(groups)
}
