//! What a layout of the lake's files costs: `layout EVENTS.ndjson TABLE FOLDER [NAME]`, as a Markdown table.
//!
//! Each line differs from the first in what its name says. Processor time of one thread, the least of three runs.
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program that a person runs"
)]

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use columns::{Cell, Row, event_row, position_of, record_batch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use schemas::arrow::file_schema;
use schemas::tables::{Kind, Table};
use schemas::wire::Event;
use sigma::plan::chunk::Chunk as _;
use sigma::plan::chunk::row_group::ParquetFile;

/// Rows of a batch given to the writer.
const BATCH_ROWS: usize = 8192;

/// Times that everything is measured; the least counts.
const REPETITIONS: usize = 3;

/// How a file is written.
#[derive(Clone)]
struct Layout {
    row_group_rows: usize,
    level: i32,
    raw_level: i32,
    dictionary_bytes: usize,
    /// Columns that are dictionaries in no case.
    plain: Vec<&'static str>,
    /// Encoding of the plain ones.
    plain_encoding: Encoding,
    page_bytes: usize,
    raw_page_bytes: usize,
    statistics: EnabledStatistics,
    bloom: bool,
    order: &'static [&'static str],
    /// Encoding of times, where it is not a dictionary.
    times: Option<Encoding>,
}

impl Layout {
    fn properties(&self, table: Table) -> Result<WriterProperties, Box<dyn Error>> {
        let raw = ColumnPath::from("raw");
        let zstd = |level| ZstdLevel::try_new(level).map(Compression::ZSTD);
        let mut builder = WriterProperties::builder()
            .set_compression(zstd(self.level)?)
            .set_column_compression(raw.clone(), zstd(self.raw_level)?)
            .set_max_row_group_row_count(Some(self.row_group_rows))
            .set_dictionary_page_size_limit(self.dictionary_bytes)
            .set_data_page_size_limit(self.page_bytes)
            .set_column_data_page_size_limit(raw, self.raw_page_bytes)
            .set_statistics_enabled(self.statistics);
        for name in &self.plain {
            let column = ColumnPath::from(*name);
            builder = builder
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, self.plain_encoding);
        }
        if let Some(encoding) = self.times {
            for column in table.columns() {
                if column.kind == Kind::Time {
                    let path = ColumnPath::from(column.name);
                    builder = builder
                        .set_column_dictionary_enabled(path.clone(), false)
                        .set_column_encoding(path, encoding);
                }
            }
        }
        if self.bloom {
            builder =
                builder.set_column_bloom_filter_enabled(ColumnPath::from(table.identity()), true);
        }
        Ok(builder.build())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [events, table, folder, ..] = arguments.as_slice() else {
        return Err("usage: layout EVENTS.ndjson TABLE FOLDER [NAME]".into());
    };
    let table = Table::of_name(table).ok_or("no such table")?;
    let rows = rows(Path::new(events), table)?;
    let json: usize = rows.iter().map(raw_bytes).sum();
    println!(
        "{table}: {} records, {} bytes of JSON each\n",
        rows.len(),
        json / rows.len().max(1)
    );
    println!(
        "| layout | bytes a record | of the JSON | of it raw | write µs | dictionaries µs | scan µs |"
    );
    println!("|---|---|---|---|---|---|---|");
    let file = Path::new(folder).join("layout.parquet");
    let wanted = std::env::args().nth(4).unwrap_or_default();
    for (name, layout) in layouts() {
        if !name.contains(&wanted) {
            continue;
        }
        line(&name, &layout, table, &rows, json, &file)?;
    }
    let Some((_, layout)) = layouts().into_iter().nth(1) else {
        return Ok(());
    };
    let (_, metadata) = encode(&layout, table, &batches(table, &rows, TIME)?)?;
    println!("\n| column | bytes a record |\n|---|---|");
    for (at, column) in table.columns().iter().enumerate() {
        let groups = metadata.row_groups().iter();
        let bytes: i64 = groups.map(|group| group.column(at).compressed_size()).sum();
        println!(
            "| {} | {:.2} |",
            column.name,
            bytes as f64 / rows.len() as f64
        );
    }
    Ok(fs::remove_file(file)?)
}

const TIME: &[&str] = &["event_time"];
const UNIQUE: &[&str] = &["raw", "event_id", "position"];

fn layouts() -> Vec<(String, Layout)> {
    let base = Layout {
        row_group_rows: 131_072,
        level: 1,
        raw_level: 1,
        dictionary_bytes: 4 << 20,
        plain: Vec::new(),
        plain_encoding: Encoding::PLAIN,
        page_bytes: 1 << 20,
        raw_page_bytes: 1 << 20,
        statistics: EnabledStatistics::Page,
        bloom: false,
        order: TIME,
        times: None,
    };
    let plain = Layout {
        plain: UNIQUE.to_vec(),
        ..base.clone()
    };
    let mut found = vec![
        ("as it was".to_owned(), base),
        ("raw and ids plain: *plain*".to_owned(), plain.clone()),
    ];
    found.extend(of_sizes(&plain));
    found.extend(of_kinds(&plain));
    found
}

fn changed(name: &str, layout: &Layout, change: impl Fn(&mut Layout)) -> (String, Layout) {
    let mut layout = layout.clone();
    change(&mut layout);
    (format!("plain, {name}"), layout)
}

fn of_sizes(plain: &Layout) -> Vec<(String, Layout)> {
    let mut found = Vec::new();
    for level in [3, 5, 9] {
        let name = format!("raw zstd {level}");
        found.push(changed(&name, plain, |layout| layout.raw_level = level));
    }
    let name = "columns zstd 3";
    found.push(changed(name, plain, |layout| layout.level = 3));
    for bytes in [64 << 10, 256 << 10, 4 << 20, 16 << 20] {
        let name = format!("raw pages of {} KiB", bytes >> 10);
        found.push(changed(&name, plain, |layout| {
            layout.raw_page_bytes = bytes;
        }));
    }
    for rows in [32_768, 65_536, 262_144] {
        let name = format!("row groups of {rows}");
        found.push(changed(&name, plain, |layout| layout.row_group_rows = rows));
    }
    for bytes in [1 << 20, 16 << 20] {
        let name = format!("dictionaries up to {} MiB", bytes >> 20);
        found.push(changed(&name, plain, |layout| {
            layout.dictionary_bytes = bytes;
        }));
    }
    found
}

fn of_kinds(plain: &Layout) -> Vec<(String, Layout)> {
    let mut found = Vec::new();
    for (name, statistics) in [
        ("chunk", EnabledStatistics::Chunk),
        ("no", EnabledStatistics::None),
    ] {
        let name = format!("{name} statistics");
        found.push(changed(&name, plain, |layout| {
            layout.statistics = statistics;
        }));
    }
    let name = "bloom filter of the identity";
    found.push(changed(name, plain, |layout| layout.bloom = true));
    for order in [
        &["operation", "operation_name", "event_time"][..],
        &["user_id", "user_principal_name", "event_time"][..],
        &["event_id"][..],
    ] {
        let name = format!("by {}", order[0]);
        found.push(changed(&name, plain, |layout| layout.order = order));
    }
    for encoding in [
        Encoding::DELTA_BYTE_ARRAY,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
    ] {
        let name = format!("ids and raw as {encoding}");
        found.push(changed(&name, plain, |layout| {
            layout.plain_encoding = encoding;
        }));
    }
    let name = "times as DELTA_BINARY_PACKED";
    found.push(changed(name, plain, |layout| {
        layout.times = Some(Encoding::DELTA_BINARY_PACKED);
    }));
    found
}

fn raw_bytes(row: &Row) -> usize {
    match row.cells.last() {
        Some(Cell::Text(raw)) => raw.len(),
        _ => 0,
    }
}

/// The lines that the generator made for the table.
fn rows(path: &Path, table: Table) -> Result<Vec<Row>, Box<dyn Error>> {
    let bytes = bytes::Bytes::from(fs::read(path)?);
    let mut rows = Vec::new();
    for line in bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let record: serde_json::Value = serde_json::from_slice(line)?;
        let is_wanted = match record["service"].as_str() {
            Some("signinlogs") => table == Table::Signins,
            Some("auditlogs") => table == Table::DirectoryAudits,
            Some("activitylogs") => table == Table::AzureActivity,
            Some("riskdetection") => table == Table::RiskEvents,
            _ => table == Table::M365Activity,
        };
        if !is_wanted {
            continue;
        }
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| record[*name].as_str());
            found.unwrap_or_default().to_owned()
        };
        let time = schemas::time::parse_us(&text(&["CreationTime", "TimeGenerated", "time"]));
        let event = Event {
            tenant_id: "6513270e-269e-0d37-f2a7-4de452e6b438".into(),
            table: table.name().into(),
            event_id: text(&["Id", "id"]),
            event_time_us: time,
            ingest_time_us: time.unwrap_or_default() + 60_000_000,
            source: "management_activity".into(),
            category: "Audit.General".into(),
            position: format!("content-{}#{}", rows.len() / 400, rows.len() % 400),
            problems: Vec::new(),
            raw: line.to_vec().into(),
            provenance: String::new(),
        };
        rows.push(event_row(table, &event).map_err(|reason| format!("{reason:?}"))?);
    }
    Ok(rows)
}

fn batches(table: Table, rows: &[Row], order: &[&str]) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    let places: Vec<usize> = order
        .iter()
        .filter_map(|name| position_of(table, name))
        .collect();
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_cached_key(|row| {
        places
            .iter()
            .map(|at| match &row.cells[*at] {
                Cell::Text(text) => text.clone(),
                Cell::Time(time) => format!("{time:020}"),
                _ => String::new(),
            })
            .collect::<Vec<_>>()
    });
    let batches = sorted
        .chunks(BATCH_ROWS)
        .map(|rows| record_batch(table, rows));
    Ok(batches.collect::<Result<_, _>>()?)
}

fn encode(
    layout: &Layout,
    table: Table,
    batches: &[RecordBatch],
) -> Result<(Vec<u8>, ParquetMetaData), Box<dyn Error>> {
    let properties = layout.properties(table)?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, file_schema(table), Some(properties))?;
    for batch in batches {
        writer.write(batch)?;
    }
    let metadata = writer.close()?;
    Ok((bytes, metadata))
}

fn line(
    name: &str,
    layout: &Layout,
    table: Table,
    rows: &[Row],
    json: usize,
    file: &Path,
) -> Result<(), Box<dyn Error>> {
    let batches = batches(table, rows, layout.order)?;
    let mut written = None;
    let write = least(|| {
        written = Some(encode(layout, table, &batches)?);
        Ok(())
    })?;
    let (bytes, metadata) = written.ok_or("nothing was written")?;
    fs::write(file, &bytes)?;
    let of_raw: i64 = metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
        .filter(|column| column.column_path().string() == "raw")
        .map(ColumnChunkMetaData::compressed_size)
        .sum();
    let is_text = |kind| matches!(kind, Kind::Category | Kind::Text | Kind::Ip | Kind::Json);
    let columns = table.columns();
    let texts: Vec<&str> = columns
        .iter()
        .filter(|column| is_text(column.kind) && column.name != "raw")
        .map(|column| column.name)
        .collect();
    let dictionaries = least(|| {
        for mut group in ParquetFile::open(File::open(file)?)?.row_groups() {
            for name in &texts {
                black_box(group.distinct(name)?);
            }
        }
        Ok(())
    })?;
    let scan = least(|| {
        for mut group in ParquetFile::open(File::open(file)?)?.row_groups() {
            for name in &texts {
                black_box(group.column(name)?);
            }
        }
        Ok(())
    })?;
    let count = rows.len() as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count;
    println!(
        "| {name} | {:.1} | {:.4} | {:.1} | {:.2} | {:.3} | {:.3} |",
        bytes.len() as f64 / count,
        bytes.len() as f64 / json as f64,
        of_raw as f64 / count,
        each(write),
        each(dictionaries),
        each(scan),
    );
    Ok(())
}

fn least(mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let mut least = Duration::MAX;
    for _ in 0..REPETITIONS {
        let before = thread_time()?;
        run()?;
        least = least.min(thread_time()?.saturating_sub(before));
    }
    Ok(least)
}

/// Source: Linux, `Documentation/scheduler/sched-stats`, first field of `/proc/<pid>/schedstat`, in nanoseconds.
fn thread_time() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let field = text.split_ascii_whitespace().next().ok_or("no schedstat")?;
    Ok(Duration::from_nanos(field.parse()?))
}
