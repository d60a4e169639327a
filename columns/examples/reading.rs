//! What it costs to read records into columns: `reading EVENTS.ndjson`, in processor time of one thread.
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program that a person runs"
)]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::time::Duration;

use columns::{Row, event_batch, event_row, record_batch};
use schemas::tables::Table;
use schemas::wire::Event;

/// Events of a batch, as the stream evaluates them.
const BATCH_ROWS: usize = 8192;

/// Times that everything is measured; the least counts.
const REPETITIONS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: reading EVENTS.ndjson")?;
    let bytes = bytes::Bytes::from(fs::read(path)?);
    let mut tables: BTreeMap<Table, Vec<Event>> = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        let table = table_of(line);
        tables.entry(table).or_default().push(Event {
            tenant_id: "t".into(),
            table: table.name().into(),
            event_id: "7172fbd9-20fe-0dcc-418d-65bb80831367".into(),
            event_time_us: Some(1_767_225_600_000_000),
            ingest_time_us: 1_767_225_700_000_000,
            source: "file".into(),
            raw: bytes.slice_ref(line),
            ..Event::default()
        });
    }
    for (table, events) in &tables {
        let bytes: usize = events.iter().map(|event| event.raw.len()).sum();
        let batch = least(|| {
            for events in events.chunks(BATCH_ROWS) {
                black_box(event_batch(*table, events)?);
            }
            Ok(())
        })?;
        let rows = least(|| {
            for events in events.chunks(BATCH_ROWS) {
                let rows: Vec<Row> = events
                    .iter()
                    .filter_map(|event| event_row(*table, event).ok())
                    .collect();
                black_box(record_batch(*table, &rows.iter().collect::<Vec<_>>())?);
            }
            Ok(())
        })?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / events.len() as f64;
        println!(
            "{table}: {} records, {} B each: batch {:.2} µs, rows and then batch {:.2} µs",
            events.len(),
            bytes / events.len(),
            each(batch),
            each(rows)
        );
    }
    Ok(())
}

/// The table of a line, told from words of the generator.
fn table_of(line: &[u8]) -> Table {
    let tail = String::from_utf8_lossy(&line[line.len().saturating_sub(40)..]).into_owned();
    for (word, table) in [
        ("signinlogs", Table::Signins),
        ("auditlogs", Table::DirectoryAudits),
        ("activitylogs", Table::AzureActivity),
        ("riskdetection", Table::RiskEvents),
    ] {
        if tail.contains(word) {
            return table;
        }
    }
    Table::M365Activity
}

fn least(
    run: impl Fn() -> Result<(), arrow::error::ArrowError>,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut least = Duration::MAX;
    for _ in 0..REPETITIONS {
        let before = thread_time()?;
        run()?;
        least = least.min(thread_time()?.saturating_sub(before));
    }
    Ok(least)
}

/// Source: Linux, `Documentation/scheduler/sched-stats`, first field of `/proc/<pid>/schedstat`, in nanoseconds.
fn thread_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text
        .split_ascii_whitespace()
        .next()
        .ok_or("no schedstat")?
        .parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}
