//! Row groups of a file answer as the same rows in memory do: whatever their encoding, nulls and size.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: seed and counts are printed"
)]

use std::collections::BTreeMap;
use std::fs::File;

use arrow::array::{Array as _, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rsigma_parser::{SigmaRule, parse_sigma_yaml};
use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::{Value, json};
use sigma::Plan;
use sigma::mapping::Mapping;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};
use sigma::plan::chunk::{Batch, Chunk as _};

const SEED: u64 = 42;
const ROUNDS: usize = 30;

const DETECTIONS: &[&str] = &[
    "{s: {Operation: New-InboxRule}, condition: s}",
    "{s: {Operation|startswith: New-}, f: {UserId|endswith: '@contoso.test'}, condition: s and not f}",
    "{s: {UserId|contains: eve}, condition: s}",
    "{s: {UserId: null}, condition: s}",
    "{s: {ClientIP|cidr: 10.0.0.0/8}, condition: s}",
    "{s: {ClientIP|exists: false}, condition: not s}",
    "{s: {RecordType|gt: 1}, condition: s}",
    "{s: {ForwardTo|contains: '@'}, condition: s}",
    "{s: {SubjectContainsWords: invoice}, condition: s}",
    "{s: {SubjectContainsWords|exists: false, Operation: [Send, Update]}, condition: s}",
    "{keywords: [needle], condition: keywords}",
    "{keywords: [needle], s: {Operation: Send}, condition: s and keywords}",
    "{s: {UserId|fieldref: ObjectId}, condition: s}",
    "{a: {Operation: Send}, b: {UserId|re: '^ada'}, c: {ClientIP|re: '7$'}, condition: 2 of them}",
    "{s: {Operation|re: '.*'}, condition: s}",
    "{s: {Operation: nothing has this}, t: {UserId: ada@contoso.test}, condition: 1 of them}",
];

fn rules() -> Vec<SigmaRule> {
    let texts = DETECTIONS.iter().map(|detection| {
        format!("title: t\nlogsource: {{product: m365, service: audit}}\ndetection: {detection}\n")
    });
    texts
        .map(|text| parse_sigma_yaml(&text).unwrap().rules.remove(0))
        .collect()
}

fn record(rng: &mut ChaCha8Rng, row: usize) -> Value {
    let mut record = json!({"Id": format!("id-{row}")});
    let mut set = |name: &str, value: Value| record[name] = value;
    if rng.random_range(0..10) > 0 {
        let operation = [
            "New-InboxRule",
            "Set-InboxRule",
            "Send",
            "Update",
            "FileAccessed",
        ];
        set("Operation", json!(operation.choose(rng).unwrap()));
    }
    if rng.random_range(0..8) > 0 {
        let user = ["ada@contoso.test", "Eve@fabrikam.test", "bo@contoso.test"];
        set("UserId", json!(user.choose(rng).unwrap()));
    }
    if rng.random() {
        set(
            "ClientIP",
            json!(format!("10.{}.0.{row}", rng.random_range(0..99))),
        );
    }
    if rng.random() {
        set(
            "ObjectId",
            json!(["ada@contoso.test", "needle"].choose(rng).unwrap()),
        );
    }
    if rng.random() {
        set("RecordType", json!(rng.random_range(0..4)));
    }
    match rng.random_range(0..4) {
        0 => set(
            "Parameters",
            json!([{"Name": "ForwardTo", "Value": "x@mail.example"}]),
        ),
        1 => set(
            "Parameters",
            json!([{"Name": "subjectcontainswords", "Value": "invoice"}]),
        ),
        2 => set("Note", json!("a NEEDLE \"quoted\"")),
        _ => {}
    }
    record
}

fn batch(rng: &mut ChaCha8Rng, rows: usize) -> RecordBatch {
    let events: Vec<Event> = (0..rows)
        .map(|row| Event {
            event_id: format!("id-{row}"),
            raw: record(rng, row).to_string().into(),
            ..Event::default()
        })
        .collect();
    columns::event_batch(Table::M365Activity, &events).unwrap()
}

/// The row groups of the batch in a file.
fn stored(batch: &RecordBatch, group_rows: usize, dictionary_bytes: usize) -> Vec<RowGroup> {
    let path = tempfile::NamedTempFile::new().unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_dictionary_page_size_limit(dictionary_bytes)
        .set_data_page_row_count_limit(50)
        .set_write_batch_size(50)
        .build();
    let file = path.reopen().unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let file = ParquetFile::open(File::open(path.path()).unwrap()).unwrap();
    file.row_groups().collect()
}

fn found(plan: &Plan, groups: Vec<RowGroup>) -> BTreeMap<usize, Vec<u64>> {
    let mut all: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for mut group in groups {
        let first = group.first_row();
        for hits in plan.evaluate(&mut group).unwrap() {
            let rows = hits.rows.iter().map(|row| first + *row as u64);
            all.entry(hits.rule).or_default().extend(rows);
        }
    }
    all
}

#[test]
fn a_file_answers_as_its_rows_in_memory_do() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let rules = rules();
    let numbered = || rules.iter().enumerate();
    let (plan, refused) = Plan::new(Mapping::Lake(Table::M365Activity), numbered());
    assert!(refused.is_empty(), "{refused:?}");
    let mut matches = 0;
    for round in 0..ROUNDS {
        // Some have more rows than are visited together.
        let most = if round % 10 == 0 { 6_000 } else { 400 };
        let rows = rng.random_range(1..most);
        let batch = batch(&mut rng, rows);
        let hits = plan.evaluate(&mut Batch(&batch)).unwrap();
        let in_memory: BTreeMap<usize, Vec<u64>> = hits
            .into_iter()
            .map(|hit| (hit.rule, hit.rows.iter().map(|row| *row as u64).collect()))
            .collect();
        matches += in_memory.values().map(Vec::len).sum::<usize>();
        for (group_rows, dictionary_bytes) in
            [(10_000, 1 << 20), (64, 1 << 20), (150, 64), (10_000, 1)]
        {
            let groups = stored(&batch, group_rows, dictionary_bytes);
            assert_eq!(
                found(&plan, groups),
                in_memory,
                "{rows} rows, {dictionary_bytes} bytes"
            );
        }
        // A rule by itself finds what it finds among all.
        for (number, rule) in numbered() {
            let (alone, _) = Plan::new(Mapping::Lake(Table::M365Activity), [(number, rule)]);
            let hits = found(&alone, stored(&batch, 100, 1 << 20));
            assert_eq!(
                hits.get(&number),
                in_memory.get(&number),
                "{}",
                DETECTIONS[number]
            );
        }
    }
    println!("seed {SEED}: {ROUNDS} batches, {matches} matches");
    assert!(matches > 5_000);
}

#[test]
fn chosen_rows_are_read_in_order() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let batch = batch(&mut rng, 300);
    let groups = stored(&batch, 1_000, 1 << 20);
    let wanted: BooleanBuffer = (0..300).map(|row| row % 7 == 3 || row > 290).collect();
    let read = groups[0].read(Some(&wanted)).unwrap();
    let expected = filter_record_batch(&batch, &BooleanArray::new(wanted, None)).unwrap();
    assert_eq!(read, expected);
}

#[test]
fn distinct_values_come_from_the_dictionary_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let batch = batch(&mut rng, 300);
    let mut group = stored(&batch, 1_000, 1 << 20).remove(0);
    let operations = group.distinct("operation").unwrap().unwrap();
    assert_eq!((operations.values.len(), operations.has_nulls), (5, true));
    let ids = group.distinct("event_id").unwrap().unwrap();
    assert_eq!((ids.values.len(), ids.has_nulls), (300, false));
    let absent = group.distinct("no such column").unwrap().unwrap();
    assert_eq!((absent.values.len(), absent.has_nulls), (0, true));
    let mut plain = stored(&batch, 1_000, 1).remove(0);
    assert!(
        plain.distinct("event_id").unwrap().is_none(),
        "its dictionary was too large"
    );
}
